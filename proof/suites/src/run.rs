//! Runs test binaries, and reads what libtest says.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use wait_timeout::ChildExt as _;

use crate::build::Binary;
use crate::suites::Without;

/// A binary that runs for longer hangs.
const LIMIT: Duration = Duration::from_secs(400);

/// How often what failed is tried again.
const TRIES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum Arm {
    Bare,
    Off,
    Production,
    Debug,
}

impl Arm {
    pub const OURS: [Arm; 3] = [Arm::Off, Arm::Production, Arm::Debug];

    pub fn name(self) -> &'static str {
        match self {
            Arm::Bare => "bare",
            Arm::Off => "off",
            Arm::Production => "production",
            Arm::Debug => "debug",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Arm::Bare | Arm::Off => "off",
            Arm::Production => "0",
            Arm::Debug => "1",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Verdict {
    Passed,
    /// It failed, and passed when it was run again by itself.
    PassedAlone,
    /// It ran to its end, and `#[debug_async::test]` failed it for a report.
    Reported,
    Failed,
    Ignored,
}

/// By the target and the name, with a space between.
pub type Verdicts = BTreeMap<String, Verdict>;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    pub kind: String,
    pub level: String,
    pub site: Option<String>,
    pub name: Option<String>,
    pub message: String,
    pub count: u64,
    pub text: String,
}

impl Report {
    /// What is told at a lower level is no accusation.
    pub fn warns(&self) -> bool {
        matches!(&self.level[..], "WARN" | "ERROR")
    }
}

/// What one arm of one suite came to.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Outcome {
    pub verdicts: Verdicts,
    pub reports: Vec<Report>,
    /// Binaries that did not come to their end, and why.
    pub broken: Vec<String>,
}

/// Runs all `binaries`; `directory` is the package's, and `logs` takes what is said.
pub fn run(
    binaries: &[Binary],
    without: &[Without],
    arm: Arm,
    directory: &Path,
    logs: &Path,
) -> Result<Outcome> {
    fs::create_dir_all(logs)?;
    let reports = logs.join("reports.json");
    let _ = fs::remove_file(&reports);
    let mut outcome = Outcome::default();
    for binary in binaries {
        let mut args = Vec::new();
        let here = without
            .iter()
            .filter(|without| without.target == binary.target);
        for without in here.clone() {
            args.extend(without.test.iter().flat_map(|test| ["--skip", test]));
        }
        if here.clone().any(|without| without.test.is_none()) {
            continue;
        }
        if !args.is_empty() {
            args.push("--exact");
        }
        let (said, status) = call(binary, &args, arm, directory, logs, &reports)?;
        let mut verdicts = read(&said);
        for (name, verdict) in &mut verdicts {
            if *verdict == Verdict::Failed {
                *verdict = again(binary, name, arm, directory, logs)?;
            }
        }
        match status {
            None => outcome
                .broken
                .push(format!("`{}` did not end in {LIMIT:?}", binary.target)),
            Some(status) if !said.contains("\ntest result: ") => {
                outcome
                    .broken
                    .push(format!("`{}` ended with {status}", binary.target));
            }
            Some(_) => {}
        }
        let target = &binary.target;
        let all = verdicts
            .into_iter()
            .map(|(name, verdict)| (format!("{target} {name}"), verdict));
        outcome.verdicts.extend(all);
    }
    for line in fs::read_to_string(&reports).unwrap_or_default().lines() {
        outcome.reports.push(serde_json::from_str(line)?);
    }
    Ok(outcome)
}

/// A test that failed among others may have failed for the load.
fn again(binary: &Binary, name: &str, arm: Arm, directory: &Path, logs: &Path) -> Result<Verdict> {
    for _ in 0..TRIES {
        let unused = logs.join("again.json");
        let (said, _) = call(binary, &[name, "--exact"], arm, directory, logs, &unused)?;
        match read(&said).get(name) {
            Some(Verdict::Passed) => return Ok(Verdict::PassedAlone),
            Some(Verdict::Reported) => return Ok(Verdict::Reported),
            _ => {}
        }
    }
    Ok(Verdict::Failed)
}

fn call(
    binary: &Binary,
    args: &[&str],
    arm: Arm,
    directory: &Path,
    logs: &Path,
    reports: &Path,
) -> Result<(String, Option<ExitStatus>)> {
    let alone = args
        .first()
        .filter(|arg| !arg.starts_with('-'))
        .unwrap_or(&"");
    let log = logs.join(format!("{}{}.out", binary.target, alone.replace("::", ".")));
    let mut child = Command::new(&binary.path)
        .args(args)
        .current_dir(directory)
        .env("CARGO_MANIFEST_DIR", directory)
        .env("ASYNC_DEBUG", arm.variable())
        .env("PROOF_REPORTS", reports)
        .stdin(Stdio::null())
        .stdout(File::create(&log)?)
        .stderr(File::create(log.with_extension("err"))?)
        .spawn()?;
    let status = child.wait_timeout(LIMIT)?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok((said, status))
}

/// Reads the lines `test name ... ok` and the sections of those that failed.
fn read(said: &str) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    for line in said.lines() {
        let Some((name, end)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        else {
            continue;
        };
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        let verdict = match end {
            "ok" => Verdict::Passed,
            "FAILED" if was_reported(said, name) => Verdict::Reported,
            "FAILED" => Verdict::Failed,
            end if end.starts_with("ignored") => Verdict::Ignored,
            _ => continue,
        };
        verdicts.insert(name.to_owned(), verdict);
    }
    verdicts
}

/// The body of such a test has come to its end: that is when the reports are counted.
fn was_reported(said: &str, name: &str) -> bool {
    let begin = format!("---- {name} stdout ----");
    let Some((_, section)) = said.split_once(&begin) else {
        return false;
    };
    let section = section.split("\n---- ").next().unwrap_or(section);
    section.contains("debug_async made reports in this test")
}
