//! Named points at which a debug build can be made to die, so that tests can prove that it comes back.
//!
//! A point stands before and after everything that must survive a power cut: the commits of the journal, the
//! steps of a rollout. In a release build there are none: [`point`] is empty.
//!
//! | variable | what it does |
//! |---|---|
//! | `METAPAAS_KILL_AT=12` | SIGKILL at the 12th point of the process's life |
//! | `METAPAAS_KILL_AT=operation.written:3` | SIGKILL at the 3rd point of that name |
//! | `METAPAAS_FAULT_LOG=FILE` | appends the name of each point to the file as it is reached |
//!
//! They are read here and not by `config`, because no operator is meant to find them there.

#[cfg(debug_assertions)]
pub(crate) use armed::point;

/// A point: nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub(crate) const fn point(_name: &'static str) {}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::str::FromStr;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{LazyLock, Mutex, PoisonError};

    use rustix::process::{Signal, getpid, kill_process};

    /// What this process was told at its start.
    static FAULTS: LazyLock<Faults> = LazyLock::new(Faults::of_this_process);

    #[derive(Debug, Default)]
    struct Faults {
        kill: Option<Kill>,
        log: Option<Mutex<File>>,
    }

    /// Which point is the last one.
    #[derive(Debug)]
    struct Kill {
        /// `None`: any.
        name: Option<String>,
        /// How many of them come first.
        n_left: AtomicU64,
    }

    /// A point: the process ends here if it was told to.
    pub(crate) fn point(name: &'static str) {
        FAULTS.reach(name);
    }

    impl Faults {
        fn of_this_process() -> Self {
            let kill = std::env::var("METAPAAS_KILL_AT").ok();
            let log = std::env::var_os("METAPAAS_FAULT_LOG").map(|path| {
                let file = OpenOptions::new().append(true).create(true).open(path);
                Mutex::new(file.expect("METAPAAS_FAULT_LOG names a file that can be written"))
            });
            let kill = kill.map(|text| text.parse().expect("METAPAAS_KILL_AT is `N` or `NAME:N`"));
            Self { kill, log }
        }

        fn reach(&self, name: &str) {
            let Self { kill, log } = self;
            if let Some(log) = log {
                let mut file = log.lock().unwrap_or_else(PoisonError::into_inner);
                writeln!(file, "{name}").expect("the file of METAPAAS_FAULT_LOG takes a line");
            }
            if kill.as_ref().is_some_and(|kill| kill.is_now(name)) {
                // The signal cannot be caught or refused: nothing runs after this.
                kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
            }
        }
    }

    impl Kill {
        fn is_now(&self, name: &str) -> bool {
            let counts = self.name.as_ref().is_none_or(|wanted| wanted == name);
            counts && self.n_left.fetch_sub(1, Ordering::Relaxed) == 1
        }
    }

    impl FromStr for Kill {
        type Err = std::num::ParseIntError;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            let (name, n) = match text.rsplit_once(':') {
                Some((name, n)) => (Some(name.to_owned()), n),
                None => (None, text),
            };
            Ok(Self { name, n_left: AtomicU64::new(n.parse()?) })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn reached(kill_at: &str, points: &[&str]) -> Option<usize> {
            let kill: Kill = kill_at.parse().unwrap();
            points.iter().position(|name| kill.is_now(name))
        }

        #[test]
        fn the_nth_point_is_the_one() {
            let points = ["a", "b", "a", "b", "b"];
            let cases = [
                ("1", Some(0)),
                ("4", Some(3)),
                ("6", None),
                ("b:1", Some(1)),
                ("b:3", Some(4)),
                ("c:1", None),
            ];
            for (kill_at, wanted) in cases {
                assert_eq!(reached(kill_at, &points), wanted, "{kill_at}");
            }
        }

        #[test]
        fn what_is_no_number_is_refused() {
            for text in ["", "a", "a:", "1:b"] {
                assert!(text.parse::<Kill>().is_err(), "{text}");
            }
        }

        #[test]
        fn each_point_is_a_line_of_the_log() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("points");
            let file = File::create(&path).unwrap();
            let faults = Faults { kill: None, log: Some(Mutex::new(file)) };
            faults.reach("a");
            faults.reach("b");
            assert_eq!(std::fs::read_to_string(path).unwrap(), "a\nb\n");
        }
    }
}
