//! One run of one program, in a process of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::memory::Memory;
use crate::load;
use crate::programs::Program;

/// How long a program may take to end, and to begin.
const GRACE: Duration = Duration::from_secs(60);

/// For how long the name server does not answer.
const NO_ANSWER: Duration = Duration::from_millis(400);

pub(super) struct Run {
    pub(super) program: Program,
    pub(super) time: Duration,
    pub(super) has_bug: bool,
    pub(super) service: String,
}

/// What a run has left behind.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// The events of debug_async.
    pub(super) reports: Vec<Value>,
    /// What the clients complain of.
    pub(super) errors: Vec<String>,
    pub(super) counts: Counts,
    pub(super) memory: Memory,
}

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) hung_up: u64,
    pub(super) done: bool,
}

impl Run {
    pub(super) fn to_end(&self) -> anyhow::Result<Ended> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(super::AS_PROGRAM)
            .arg(self.program.name())
            .args(["--seconds", &self.time.as_secs_f64().to_string()])
            .args(["--service", &self.service])
            .env("ASYNC_DEBUG", "1")
            .stdout(Stdio::piped());
        let mut names = None;
        if self.has_bug {
            command.arg("--bug");
            names = Some(SlowNames::start()?);
        }
        if let Some(names) = &names {
            command.env("RESOLV_HOST_CONF", names.path());
        }
        let mut child = KilledOnDrop(command.spawn().context("this program, again")?);
        let lines = lines_of(child.0.stdout.take().context("a pipe")?);
        let mut ended = Ended {
            status: ExitStatus::default(),
            reports: Vec::new(),
            errors: Vec::new(),
            counts: Counts::default(),
            memory: Memory::default(),
        };
        let start = Instant::now();
        loop {
            match lines.recv_timeout(Duration::from_millis(200)) {
                Ok(line) => ended.take(&line)?,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            let age = start.elapsed();
            if age < self.time {
                ended.memory.look(child.0.id(), age);
            }
            if age > self.time + GRACE {
                show_where_it_hangs(&child.0);
                bail!("{} does not end", self.program.name());
            }
        }
        ended.status = child.0.wait()?;
        Ok(ended)
    }
}

impl Ended {
    fn take(&mut self, line: &str) -> anyhow::Result<()> {
        let event: Value = serde_json::from_str(line).with_context(|| format!("read {line}"))?;
        let is_of_load = event["target"] == load::TARGET;
        if is_of_load && event["level"] == "ERROR" {
            self.errors.push(event["fields"].to_string());
        } else if is_of_load {
            self.counts = Counts::deserialize(&event["fields"])?;
        } else {
            self.reports.push(event);
        }
        Ok(())
    }
}

fn lines_of(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// It writes a dump to stderr, which is ours.
fn show_where_it_hangs(child: &Child) {
    let id = child.id().to_string();
    let asked = Command::new("kill").args(["-USR1", &id]).status();
    if asked.is_ok_and(|status| status.success()) {
        thread::sleep(Duration::from_secs(3));
    }
}

struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // It has ended, unless something went wrong.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes `getaddrinfo` wait, without a network and without being root: the first call of
/// a process reads the file that `RESOLV_HOST_CONF` names (glibc), which is a pipe here.
struct SlowNames(TempDir);

impl SlowNames {
    fn start() -> anyhow::Result<SlowNames> {
        let names = SlowNames(tempfile::tempdir()?);
        let path = names.path();
        let made = Command::new("mkfifo").arg(&path).status()?;
        ensure!(made.success(), "mkfifo: {made}");
        thread::spawn(move || {
            // Opens when somebody reads.
            let pipe = fs::OpenOptions::new().write(true).open(&path);
            thread::sleep(NO_ANSWER);
            drop(pipe);
        });
        Ok(names)
    }

    fn path(&self) -> std::path::PathBuf {
        Path::join(self.0.path(), "host.conf")
    }
}
