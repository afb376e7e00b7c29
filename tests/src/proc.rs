//! What `/proc` says of a process: memory, descriptors, threads, mapped plugin libraries, time on the processor.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One process, looked at anew with each call.
///
/// # Panics
/// Every method, when the process is gone.
#[derive(Debug, Clone)]
pub struct Proc {
    root: PathBuf,
}

/// What must not grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Resident memory.
    pub rss_kib: u64,
    /// Memory that no other process shares and no file backs.
    pub private_dirty_kib: u64,
    /// Open file descriptors.
    pub n_fds: usize,
    /// Threads.
    pub n_threads: usize,
    /// Mappings of libraries outside the system's own directories.
    pub n_plugin_mappings: usize,
}

impl Proc {
    pub(crate) fn of(pid: u32) -> Self {
        Self { root: PathBuf::from(format!("/proc/{pid}")) }
    }

    /// Every process that was started with this text in its environment, children of such included.
    #[must_use]
    pub fn all_with_environment(text: &str) -> Vec<Self> {
        let has_it = |process: &PathBuf| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            environment.windows(text.len()).any(|part| part == text.as_bytes())
        };
        entries(Path::new("/proc")).filter(has_it).map(|root| Self { root }).collect()
    }

    /// The process that asks.
    #[must_use]
    pub fn own() -> Self {
        Self::of(std::process::id())
    }

    /// All that must not grow.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        Holdings {
            rss_kib: self.kib("smaps_rollup", "Rss:"),
            private_dirty_kib: self.kib("smaps_rollup", "Private_Dirty:"),
            n_fds: entries(&self.root.join("fd")).count(),
            n_threads: entries(&self.root.join("task")).count(),
            n_plugin_mappings: self.plugin_mappings().len(),
        }
    }

    /// The lines of `maps` that are of plugin libraries: `.so` files outside the system's own directories,
    /// deleted ones and memory files included.
    #[must_use]
    pub fn plugin_mappings(&self) -> Vec<String> {
        let of_a_plugin = |line: &&str| {
            let path = line.find('/').map_or("", |start| &line[start..]);
            let is_library = path.contains(".so") || path.starts_with("/memfd:");
            is_library && !path.starts_with("/usr/") && !path.starts_with("/lib")
        };
        self.read("maps").lines().filter(of_a_plugin).map(str::to_owned).collect()
    }

    /// The names of its threads.
    #[must_use]
    pub fn thread_names(&self) -> Vec<String> {
        let tasks = entries(&self.root.join("task"));
        let names = tasks.filter_map(|task| fs::read_to_string(task.join("comm")).ok());
        names.map(|name| name.trim_end().to_owned()).collect()
    }

    /// User and system time of all its threads, dead ones included.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let stat = self.read("stat");
        // The name in parentheses may hold spaces; field 3 is the first one behind it.
        let fields = stat.rsplit_once(')').expect("the name is in parentheses").1;
        let ticks = |field: usize| -> u64 {
            let text = fields.split_ascii_whitespace().nth(field - 3);
            text.and_then(|text| text.parse().ok()).expect("the times are numbers")
        };
        let per_second = rustix::param::clock_ticks_per_second();
        Duration::from_secs_f64((ticks(14) + ticks(15)) as f64 / per_second as f64)
    }

    /// Its process id, as a text.
    #[must_use]
    pub fn id(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The processes that it started.
    #[must_use]
    pub fn children(&self) -> Vec<Self> {
        // A child is listed under the thread that made it.
        let of_task = |task: PathBuf| fs::read_to_string(task.join("children")).unwrap_or_default();
        let lists: String = entries(&self.root.join("task")).map(of_task).collect();
        let pids = lists.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        pids.map(Self::of).collect()
    }

    fn kib(&self, file: &str, field: &str) -> u64 {
        let text = self.read(file);
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no `{field}` in {}/{file}", self.root.display()))
    }

    fn read(&self, file: &str) -> String {
        let path = self.root.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}
