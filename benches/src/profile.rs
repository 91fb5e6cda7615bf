//! A look with `perf` at what is over its budget.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::child;

/// The functions in which a program spends most of its time; nothing if there is
/// no `perf`.
pub fn of(program: &Path, args: &[&str], env: &[(&str, &str)]) -> Option<String> {
    let data = file();
    let mut record = record(&data);
    record.arg("--").arg(program).args(args);
    child::clean(&mut record);
    let status = record.envs(env.iter().copied()).status().ok()?;
    status.success().then(|| report(&data)).flatten()
}

/// The same of a process that is running, while `busy` keeps it so.
pub fn of_process(id: u32, busy: impl FnOnce()) -> Option<String> {
    let data = file();
    let mut record = record(&data);
    let mut perf = record.args(["-p", &id.to_string()]).spawn().ok()?;
    busy();
    // It ends as it would at the terminal, and writes what it has.
    let interrupt = Command::new("kill")
        .args(["-INT", &perf.id().to_string()])
        .status();
    if !interrupt.is_ok_and(|status| status.success()) {
        let _ = perf.kill();
    }
    perf.wait().ok()?;
    report(&data)
}

fn file() -> PathBuf {
    std::env::temp_dir().join(format!("debug-async-perf-{}", std::process::id()))
}

fn record(data: &Path) -> Command {
    let mut command = Command::new("perf");
    command
        .args(["record", "-q", "-F", "5000", "-o"])
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn report(data: &Path) -> Option<String> {
    let report = Command::new("perf")
        .args(["report", "--stdio", "-q", "--percent-limit", "1"])
        .args(["--sort", "symbol", "-i"])
        .arg(data)
        .stderr(Stdio::null())
        .output();
    let _ = std::fs::remove_file(data);
    let text = String::from_utf8_lossy(&report.ok()?.stdout).into_owned();
    // A share, `[.]` or `[k]`, and a name; what follows are empty columns.
    let line = |line: &str| {
        let (share, rest) = line.trim().split_once(char::is_whitespace)?;
        let name = rest
            .split("   ")
            .find(|part| part.trim().starts_with('['))?;
        Some(format!("{share:>7} {}\n", name.trim()))
    };
    let lines: Vec<String> = text.lines().filter_map(line).take(20).collect();
    (!lines.is_empty()).then(|| lines.concat())
}
