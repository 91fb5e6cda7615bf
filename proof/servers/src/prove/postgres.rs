//! A PostgreSQL. It refuses to run as root, and is given the user `postgres` then.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use super::service::{Instance, find, free_port};

const USER: &str = "postgres";

pub(super) fn start() -> anyhow::Result<Option<Instance>> {
    let Some(programs) = programs() else {
        return Ok(None);
    };
    let user = User::not_root()?;
    let files = tempfile::tempdir()?;
    user.own(files.path())?;
    let data = files.path().join("data");

    let mut init = Command::new(programs.join("initdb"));
    init.args([
        "--username",
        USER,
        "--auth",
        "trust",
        "--no-sync",
        "--encoding",
        "UTF8",
    ]);
    init.arg("--pgdata").arg(&data).stdout(Stdio::null());
    let made = user.run_as(&mut init, files.path()).status()?;
    ensure!(made.success(), "initdb: {made}");

    let port = free_port()?;
    let mut server = Command::new(programs.join("postgres"));
    server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "log_min_messages=fatal",
    ] {
        server.args(["-c", setting]);
    }
    // It says there what clients do wrong, some of them on purpose.
    server.stdout(Stdio::null()).stderr(Stdio::null());
    let server = user.run_as(&mut server, files.path()).spawn()?;
    Instance::started(server, port, files).map(Some)
}

/// Where `initdb` and `postgres` are: Debian has them outside of `PATH`, each version in a
/// directory.
fn programs() -> Option<PathBuf> {
    if let Some(server) = find("postgres") {
        return server.parent().map(Path::to_owned);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|dir| dir.join("postgres").is_file()).max()
}

/// Whom to run it as: `None` is who we are.
struct User(Option<(u32, u32)>);

impl User {
    fn not_root() -> anyhow::Result<User> {
        if id(&["-u"])? != 0 {
            return Ok(User(None));
        }
        Ok(User(Some((id(&["-u", USER])?, id(&["-g", USER])?))))
    }

    fn own(&self, dir: &Path) -> std::io::Result<()> {
        let (user, group) = self.0.unzip();
        std::os::unix::fs::chown(dir, user, group)
    }

    /// In a directory that it may enter.
    fn run_as<'c>(&self, command: &'c mut Command, dir: &Path) -> &'c mut Command {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command.current_dir(dir)
    }
}

fn id(arguments: &[&str]) -> anyhow::Result<u32> {
    let output = Command::new("id").args(arguments).output()?;
    let text = String::from_utf8(output.stdout)?;
    text.trim()
        .parse()
        .with_context(|| format!("id {arguments:?}"))
}
