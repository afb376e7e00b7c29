//! Somebody at a command line: runs `metapaas` with a client context of the test's own.
//!
//! Guarantees: neither the environment nor the home directory of whoever runs the tests is seen by a command.

use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::plugins;

/// See the module.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Where commands are run.
    pub folder: PathBuf,
    /// The client context.
    pub context: PathBuf,
    /// Further variables.
    pub environment: Vec<(String, String)>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    line: String,
    /// Its exit code; nothing if it was killed.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
}

impl Shell {
    /// Runs `metapaas` with these arguments, which have no spaces in them, to its end.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn run(&self, line: &str) -> Ran {
        self.start(line).end()
    }

    /// Starts `metapaas` with these arguments.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn start(&self, line: &str) -> Running {
        let mut command = Command::new(plugins::daemon());
        command.current_dir(&self.folder).args(line.split_whitespace()).env_clear();
        command.env("METAPAAS_CONTEXT", &self.context);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Running { line: line.to_owned(), child }
    }

    /// The same, with this variable too.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Running {
    /// What it prints, while it runs.
    ///
    /// # Panics
    /// When that is being read already.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("nobody reads it yet")
    }

    /// Presses Ctrl-C.
    ///
    /// # Panics
    /// When it has been waited for.
    pub fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.expect("a child has a process id");
        kill_process(pid, Signal::INT).expect("it is not reaped yet");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When that cannot be done.
    #[must_use]
    pub fn end(self) -> Ran {
        let Self { line, child } = self;
        let output = child.wait_with_output().expect("a child can be waited for");
        let Output { status, stdout, stderr } = output;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
        Ran { line, code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Ran {
    /// This very one, if its exit code is `wanted`.
    ///
    /// # Panics
    /// If it is not; shows what it printed.
    #[must_use]
    #[track_caller]
    pub fn expect(self, wanted: i32) -> Self {
        let Self { line, code, .. } = &self;
        assert_eq!(*code, Some(wanted), "`metapaas {line}`: {self:?}");
        self
    }

    /// What it printed, as a document.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The document that it printed on standard error.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn problem(&self) -> Value {
        serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
