//! Runs the programs and judges them.

mod child;
mod judge;
mod marks;
mod memory;
mod postgres;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use crate::programs::Program;
use child::Run;
use service::Service;

/// The argument by which this program is told that it is one of the four.
pub(crate) const AS_PROGRAM: &str = "--as-program";

/// How long a program with a bug is run. What is found last takes six seconds, and more
/// where the machine is busy.
const PLANTED: Duration = Duration::from_secs(14);

pub(crate) struct What {
    /// How long each is run without a bug.
    pub(crate) time: Duration,
    pub(crate) healthy: bool,
    pub(crate) planted: bool,
}

pub(crate) fn all(programs: &[Program], what: &What) -> anyhow::Result<ExitCode> {
    let mut runs = Vec::new();
    for program in programs {
        if what.healthy {
            runs.push((*program, what.time, false));
        }
        if what.planted {
            runs.push((*program, PLANTED, true));
        }
    }
    let mut table = vec![judge::HEAD.to_owned()];
    let mut passed = true;
    for (program, time, has_bug) in runs {
        let name = program.name();
        let Some(service) = Service::start(program)? else {
            eprintln!(
                "\n**** SKIPPED: {name}: its server is not installed: run proof/install ****\n"
            );
            table.push(judge::skipped(program, has_bug));
            continue;
        };
        let what = if has_bug { "planted" } else { "healthy" };
        eprintln!("{name}, {what}, {}s …", time.as_secs());
        let run = Run {
            program,
            time,
            has_bug,
            service: service.address(),
        };
        let ended = run.to_end()?;
        let judged = judge::judge(&run, &ended)?;
        for wrong in &judged.wrong {
            eprintln!("**** {name}, {what}: {wrong}");
        }
        for right in &judged.found {
            eprintln!("found: {right}");
        }
        passed &= judged.wrong.is_empty();
        table.push(judged.row);
    }
    println!("{}", table.join("\n"));
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        eprintln!("**** FAILED");
        ExitCode::FAILURE
    })
}
