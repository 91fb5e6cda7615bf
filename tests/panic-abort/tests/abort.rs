//! A program that a panic ends on the spot: it ends as it would without this crate, and
//! what there is to tell by then is told.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Builds the program in a profile with `panic = "abort"`. Takes a while the first time.
fn build() -> PathBuf {
    let deps = std::env::current_exe().expect("a test knows its file");
    let profile = deps.ancestors().nth(2).expect("…/<profile>/deps/<test>");
    let target = profile.parent().expect("the target directory");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["build", "--quiet", "--package", "panic-abort"])
        .args(["--config", "profile.abort.inherits = \"dev\""])
        .args(["--config", "profile.abort.panic = \"abort\""])
        .args(["--profile", "abort", "--target-dir"])
        .arg(target)
        .status();
    assert!(status.expect("cargo can be run").success());
    let name = format!("panic-abort{}", std::env::consts::EXE_SUFFIX);
    target.join("abort").join(name)
}

fn run(program: &Path, mode: &str, arg: &str) -> (Output, String) {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ASYNC_DEBUG")) {
        command.env_remove(name);
    }
    let command = command.arg(arg).env("ASYNC_DEBUG", mode);
    let output = command.env("RUST_BACKTRACE", "0").output();
    let output = output.expect("it can be run");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout, "lost what there is to lose\n", "{stderr}");
    (output, stderr)
}

#[test]
fn a_program_that_a_panic_ends() {
    let program = build();
    for mode in ["off", "0", "1"] {
        let times = usize::from(mode != "off");
        let told = |stderr: &str| {
            for kind in ["never_polled: future `unpolled`", "unretrieved_error: task"] {
                assert_eq!(
                    stderr.matches(kind).count(),
                    times,
                    "{mode} {kind}: {stderr}"
                );
            }
        };
        let (output, stderr) = run(&program, mode, "return");
        assert!(output.status.success(), "{mode}: {stderr}");
        assert!(!stderr.contains("panicked"), "{mode}: {stderr}");
        told(&stderr);

        // By a signal, with what std says of it.
        let (output, stderr) = run(&program, mode, "panic");
        assert_eq!(output.status.code(), None, "{mode}: {stderr}");
        assert_eq!(stderr.matches("panicked at").count(), 1, "{mode}: {stderr}");
        assert!(stderr.contains("in a task"), "{mode}: {stderr}");
        told(&stderr);
    }
}
