//! What a program needs beside itself: an instance of its own, on a free port, with its
//! files in a temporary directory.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::postgres;
use crate::programs::Program;

const START: Duration = Duration::from_secs(60);

pub(super) enum Service {
    /// The program is the server.
    None,
    Instance(Instance),
}

impl Service {
    /// `None`: it is not installed.
    pub(super) fn start(program: Program) -> anyhow::Result<Option<Service>> {
        Ok(match program {
            Program::Axum | Program::Tonic => Some(Service::None),
            Program::Redis => redis()?.map(Service::Instance),
            Program::Postgres => postgres::start()?.map(Service::Instance),
        })
    }

    pub(super) fn address(&self) -> String {
        match self {
            Service::None => String::new(),
            Service::Instance(instance) => format!("127.0.0.1:{}", instance.port),
        }
    }
}

pub(super) struct Instance {
    pub(super) server: Child,
    pub(super) port: u16,
    pub(super) files: TempDir,
}

impl Instance {
    pub(super) fn started(server: Child, port: u16, files: TempDir) -> anyhow::Result<Instance> {
        let mut instance = Instance {
            server,
            port,
            files,
        };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = instance.server.try_wait()? {
                bail!("the server ended: {status}: see above");
            }
            if start.elapsed() > START {
                bail!("the server does not listen");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(instance)
    }
}

impl Drop for Instance {
    /// Asks it to end, by what both servers take for "now, and clean up".
    fn drop(&mut self) {
        let id = self.server.id().to_string();
        let asked = Command::new("kill").args(["-INT", &id]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        let _ = &self.files;
    }
}

fn redis() -> anyhow::Result<Option<Instance>> {
    let Some(server) = find("redis-server") else {
        return Ok(None);
    };
    let files = tempfile::tempdir()?;
    let port = free_port()?;
    let server = Command::new(server)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .current_dir(&files)
        .stdout(Stdio::null())
        .spawn()
        .context("redis-server")?;
    Instance::started(server, port, files).map(Some)
}

pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|dir| dir.join(program));
    files.find(|file| Path::is_file(file))
}

/// It may be taken by somebody else before it is used; then the server says so.
pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
