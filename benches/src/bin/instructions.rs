//! Counts the instructions of the loops and compares them with the figures in
//! `benches/instructions.txt` (`check`), or puts them there (`write`).

use std::process::{Command, ExitCode};

use debug_async_benches::instructions;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if debug_async_benches::as_child(&args) {
        return ExitCode::SUCCESS;
    }
    let what = args.first().copied().unwrap_or_default();
    if !["check", "write"].contains(&what) {
        eprintln!("usage: instructions check|write");
        return ExitCode::from(2);
    }
    if cfg!(debug_assertions) {
        return in_release(what);
    }
    match count(what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What counts is the release build.
fn in_release(what: &str) -> ExitCode {
    let run = Command::new("cargo")
        .args(["run", "--release", "--quiet", "-p", "debug-async-benches"])
        .args(["--bin", "instructions", "--", what])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    match run {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn count(what: &str) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let counts = instructions::count_all(&program)?;
    let text = instructions::print(&counts);
    print!("{text}");
    let file = instructions::file();
    if what == "write" {
        return std::fs::write(&file, text).map_err(|error| error.to_string());
    }
    let kept = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let wrong = instructions::compare(&instructions::parse(&kept), &counts);
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}
