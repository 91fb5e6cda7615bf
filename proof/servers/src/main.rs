//! Four programs as tokio users write them, under load in debug mode: see `README.md`.
//!
//! ```console
//! $ cargo run -- axum --minutes 10
//! ```
//!
//! This program starts itself for each of them, with what it needs (a Redis, a
//! PostgreSQL), reads what it says, and judges: `prove`. The programs are in `programs`.

mod load;
mod programs;
mod prove;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use load::Load;
use pico_args::Arguments;
use programs::Program;

const HELP: &str = "\
usage: servers [axum] [tonic] [redis] [postgres] [--minutes N] [--healthy | --planted]

Runs each of the named programs, or all four, under load for N minutes (a quarter of one
if nothing is said), then with its planted bug. `--healthy` and `--planted` do one of the
two.";

fn main() -> ExitCode {
    match run(Arguments::from_env()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.contains(["-h", "--help"]) {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.contains(prove::AS_PROGRAM) {
        let seconds = arguments.value_from_str("--seconds")?;
        let service = arguments.opt_value_from_str("--service")?;
        let load = Load::new(
            Duration::from_secs_f64(seconds),
            arguments.contains("--bug"),
            service,
        );
        let program: Program = arguments.free_from_str()?;
        return Ok(program.run(load));
    }
    let minutes: f64 = arguments.opt_value_from_str("--minutes")?.unwrap_or(0.25);
    let (healthy, planted) = (
        arguments.contains("--healthy"),
        arguments.contains("--planted"),
    );
    let mut named = Vec::new();
    for name in arguments.finish() {
        let name = name.to_str().context("a name that is text")?;
        named.push(name.parse().map_err(anyhow::Error::msg)?);
    }
    if named.is_empty() {
        named.extend(Program::ALL);
    }
    let what = prove::What {
        time: Duration::from_secs_f64(minutes * 60.0),
        healthy: healthy || !planted,
        planted: planted || !healthy,
    };
    prove::all(&named, &what)
}
