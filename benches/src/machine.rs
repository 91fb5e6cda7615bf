//! What the figures were measured on, and with.

use std::path::Path;
use std::process::Command;

use crate::results::table;

/// The average number of running threads over the last minute.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

/// The machine, in a sentence.
pub fn describe() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": "))
            .map_or("?", |(_, value)| value)
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let hypervisor = if info.contains("hypervisor") {
        ", a virtual machine"
    } else {
        ""
    };
    format!(
        "{} (family {}, model {}), {cores} cores{hypervisor}, Linux {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        kernel.trim(),
    )
}

/// What a program says of its version; nothing if it is not there.
pub fn version_of(program: &str, arg: &str) -> Option<String> {
    let output = Command::new(program).arg(arg).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}

/// The day, as the system says.
pub fn today() -> String {
    version_of("date", "+%F").unwrap_or_default()
}

const CRATES: &[&str] = &[
    "tokio",
    "tokio-metrics",
    "async-backtrace",
    "await-tree",
    "tracing",
    "tracing-subscriber",
    "backtrace",
    "framehop",
    "axum",
];

/// The versions that were compiled in, from the lock files.
pub fn versions() -> String {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut rows = vec![vec![
        "rustc".to_owned(),
        version_of("rustc", "-V").unwrap_or_default(),
    ]];
    let mut add = |lock: &Path, names: &[&str], note: &str| {
        let text = std::fs::read_to_string(lock).unwrap_or_default();
        for name in names {
            if let Some(version) = locked(&text, name) {
                rows.push(vec![format!("{name}{note}"), version.to_owned()]);
            }
        }
    };
    add(&benches.join("../Cargo.lock"), CRATES, "");
    add(
        &benches.join("unstable/Cargo.lock"),
        &["console-subscriber", "tokio-blocked", "tokio"],
        " (in `unstable/`)",
    );
    for (program, arg) in [("valgrind", "--version"), ("python3", "--version")] {
        if let Some(version) = version_of(program, arg) {
            rows.push(vec![program.to_owned(), version]);
        }
    }
    table(&["", "version"], &rows)
}

fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry)?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_lock() {
        let lock = "[[package]]\nname = \"tokio\"\nversion = \"1.2.3\"\nsource = \"x\"\n";
        assert_eq!(locked(lock, "tokio"), Some("1.2.3"));
        assert_eq!(locked(lock, "toki"), None);
    }
}
