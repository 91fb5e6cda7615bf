//! A look with `perf` at what is over its budget.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::child;

/// The functions in which a program spends most of its time; nothing if there is
/// no `perf`.
pub fn of(program: &Path, args: &[&str], env: &[(&str, &str)]) -> Option<String> {
    let data = std::env::temp_dir().join(format!("debug-async-perf-{}", std::process::id()));
    let mut record = Command::new("perf");
    record
        .args(["record", "-q", "-F", "5000", "-o"])
        .arg(&data)
        .arg("--")
        .arg(program)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    child::clean(&mut record);
    let recorded = record.envs(env.iter().copied()).status().ok()?;
    let report = Command::new("perf")
        .args(["report", "--stdio", "-q", "--percent-limit", "1"])
        .args(["--sort", "symbol", "-i"])
        .arg(&data)
        .stderr(Stdio::null())
        .output();
    let _ = std::fs::remove_file(&data);
    if !recorded.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&report.ok()?.stdout).into_owned();
    let lines = text.lines().map(str::trim_end).filter(|l| !l.is_empty());
    let lines: Vec<&str> = lines.take(24).collect();
    (!lines.is_empty()).then(|| lines.join("\n") + "\n")
}
