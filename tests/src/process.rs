//! A server in a child process: where it listens, what it logged, how it ends, what `/proc` says of it.
//!
//! Guarantees: the child is killed and reaped at the latest when this is dropped, and what it said is shown when
//! that happens because a test fails.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::proc::Proc;

const START_TIME_MAX: Duration = Duration::from_secs(30);
const END_TIME_MAX: Duration = Duration::from_secs(60);
const LISTENING: &str = "listening on ";

/// A server in a child process.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// When it was started.
    pub started_at: Instant,
    /// What it printed on standard output before that.
    pub preface: Vec<String>,
    child: Child,
    /// Lines of standard error and output. Written by the threads that read the pipes.
    log: Arc<Mutex<Vec<String>>>,
    /// Those threads; they end with the child.
    readers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts `command` and waits until it says where it listens.
    ///
    /// # Panics
    /// When it ends, or says nothing in time; with its log.
    pub async fn start(command: &mut Command) -> Self {
        let started_at = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let log = Arc::default();
        let (say, mut lines) = mpsc::unbounded_channel();
        let readers = [
            read_lines(child.stdout.take().expect("it is piped"), Arc::clone(&log), Some(say)),
            read_lines(child.stderr.take().expect("it is piped"), Arc::clone(&log), None),
        ];
        let mut preface = Vec::new();
        let said = timeout(START_TIME_MAX, async {
            while let Some(line) = lines.recv().await {
                if let Some(endpoint) = line.strip_prefix(LISTENING) {
                    let (_scheme, address) = endpoint.split_once("://")?;
                    return address.parse().ok();
                }
                preface.push(line);
            }
            None
        });
        let Some(address) = said.await.unwrap_or_default() else {
            // Whatever it is, it is of no use any more; errors here would hide the reason.
            let _ = child.kill();
            let end = child.wait();
            panic!("{command:?} did not listen ({end:?}); it said:\n{}", text_of(&log));
        };
        Self { address, started_at, preface, child, log, readers: readers.into() }
    }

    /// What `/proc` says of it.
    #[must_use]
    pub fn proc(&self) -> Proc {
        Proc::of(self.child.id())
    }

    /// Everything it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        text_of(&self.log)
    }

    /// Kills it, as a power cut would.
    pub async fn kill(self) -> ExitStatus {
        self.end(Signal::KILL).await
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(self) -> ExitStatus {
        self.end(Signal::TERM).await
    }

    /// Interrupts it, as Ctrl-C does, and waits until it has ended: how, and everything that it printed.
    ///
    /// # Panics
    /// When it had ended already.
    pub async fn interrupt(mut self) -> (ExitStatus, String) {
        let (log, readers) = (Arc::clone(&self.log), std::mem::take(&mut self.readers));
        let status = self.end(Signal::INT).await;
        let read = tokio::task::spawn_blocking(move || {
            for reader in readers {
                reader.join().expect("reading lines does not panic");
            }
        });
        read.await.expect("the pipes end with the child");
        (status, text_of(&log))
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    async fn end(mut self, signal: Signal) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has a process id"), signal).expect("it is not reaped yet");
        let waited = tokio::task::spawn_blocking(move || {
            let status = self.wait_until_dead();
            (status, self)
        });
        let (status, _reaped) = waited.await.expect("waiting does not panic");
        status
    }

    /// Waits for the end, which is forced after a while so that no test hangs.
    fn wait_until_dead(&mut self) -> ExitStatus {
        let pid = self.child.id();
        let (ended, over) = std::sync::mpsc::channel::<()>();
        let watch = thread::spawn(move || {
            if over.recv_timeout(END_TIME_MAX) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                let _ = kill_process(pid.expect("a child has a process id"), Signal::KILL);
            }
        });
        let status = self.child.wait().expect("a child can be waited for");
        drop(ended);
        watch.join().expect("the watch does not panic");
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it is reaped already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server on {} said:\n{}", self.address, text_of(&self.log));
        }
    }
}

fn read_lines(
    pipe: impl Read + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
    say: Option<mpsc::UnboundedSender<String>>,
) -> JoinHandle<()> {
    // Ends with the child: the pipe does.
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // First of all it is in the log: who hears of it looks there.
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
            if let Some(say) = &say {
                // Nobody listens any more once the address is known.
                let _ = say.send(line);
            }
        }
    })
}

fn text_of(log: &Mutex<Vec<String>>) -> String {
    log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
}
