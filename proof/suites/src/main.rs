//! Runs the test suites of other crates with `debug_async` in them: see `proof/README.md`.

mod build;
mod judged;
mod rewrite;
mod run;
mod suites;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

use cargo_metadata::MetadataCommand;

use crate::build::{Binary, Rewritten};
use crate::run::Arm;
use crate::suites::Suite;
use crate::table::Row;

/// In place of a suite: writes the page anew, of what was run before.
const PAGE: &str = "page";

/// Where the outcome of a suite is kept.
fn row_of(place: &Path, suite: &Suite) -> PathBuf {
    place
        .join("rows")
        .join(format!("{}-{}.json", suite.name, suite.version))
}

/// What it was made with, in a sentence.
fn versions(workspace: &Path) -> Result<String> {
    let found = MetadataCommand::new()
        .manifest_path(workspace.join("Cargo.toml"))
        .exec()?;
    let of = |name: &str| {
        let package = found.packages.iter().find(|package| *package.name == name);
        package
            .map(|package| format!("{name} {}", package.version))
            .with_context(|| format!("no {name}"))
    };
    let rustc = Command::new("rustc").arg("--version").output()?;
    let rustc = String::from_utf8(rustc.stdout)?;
    let rustc: Vec<&str> = rustc.split(' ').take(2).collect();
    Ok(format!(
        "With {}, {}, {}.",
        of("debug-async")?,
        of("tokio")?,
        rustc.join(" ")
    ))
}

fn main() -> Result<ExitCode> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here
        .join("../..")
        .canonicalize()
        .context("the repository")?;
    let place = root.join("target/proof");
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let suites = suites::read(&here.join("suites.toml"))?;
    for name in wanted.iter().filter(|name| *name != PAGE) {
        ensure!(
            suites.iter().any(|suite| suite.name == *name),
            "no suite `{name}` in suites.toml"
        );
    }

    let packages = suites::fetch(&suites, &place.join("fetch"))?;
    for (arm, patched) in [("bare", false), ("ours", true)] {
        let workspace = place.join(arm);
        suites::workspace(&workspace, &suites, &root.join("Cargo.lock"), patched)?;
        for (suite, package) in suites.iter().zip(&packages) {
            suites::copy(package, &workspace.join(&suite.name))?;
        }
    }
    let (bare, ours) = (place.join("bare"), place.join("ours"));
    // Before any is compiled: they use each other.
    let mut sources = Vec::new();
    for (suite, package) in suites.iter().zip(&packages) {
        let place_of_ours = if suite.is_tokio {
            suites::replace
        } else {
            suites::redirect
        };
        place_of_ours(package, &ours.join(&suite.name), &here.canonicalize()?)?;
        let refused = place
            .join("refused")
            .join(format!("{}-{}.txt", suite.name, suite.version));
        let rewritten = Rewritten::new(package, suite, refused)?;
        rewritten.write(&ours)?;
        sources.push(rewritten);
    }

    let is_named = |suite: &Suite| wanted.contains(&suite.name);
    for (suite, rewritten) in suites.iter().zip(&mut sources) {
        if !(is_named(suite) || wanted.is_empty() && !suite.only_by_name) {
            continue;
        }
        println!("{} {}", suite.name, suite.version);
        let binaries = build::bare(&bare, suite, &place.join("build"))?;
        let logs = |arm: Arm| place.join("logs").join(&suite.name).join(arm.name());
        let run = |binaries: &[Binary], arm: Arm, workspace: &Path| {
            println!("    {}", arm.name());
            let outcome = run::run(
                binaries,
                &suite.without,
                arm,
                &workspace.join(&suite.name),
                &logs(arm),
            )?;
            anyhow::Ok((arm, outcome))
        };
        let mut outcomes = vec![run(&binaries, Arm::Bare, &bare)?];
        let binaries = build::ours(&ours, suite, &place.join("build-ours"), rewritten)?;
        for arm in Arm::OURS {
            outcomes.push(run(&binaries, arm, &ours)?);
        }
        let row = Row {
            suite: suite.clone(),
            edits: rewritten.counts(),
            outcomes,
        };
        println!("{}", table::row(&row));
        fs::create_dir_all(place.join("rows"))?;
        fs::write(row_of(&place, suite), serde_json::to_string(&row)?)?;
    }
    // Those that are not run now are as they were when they were run last.
    let mut rows: Vec<Row> = Vec::new();
    let mut is_whole = true;
    for suite in &suites {
        if suite.only_by_name && !is_named(suite) {
            continue;
        }
        let row = fs::read_to_string(row_of(&place, suite))
            .with_context(|| format!("`{}` has not been run yet", suite.name));
        match row {
            Ok(row) => rows.push(serde_json::from_str(&row)?),
            Err(error) => {
                is_whole = false;
                println!("{error}");
            }
        }
    }
    let judged = judged::read(&here.join("judged.toml"))?;
    let (page, is_good) = table::page(&rows, &judged, &versions(&ours)?);
    fs::write(here.join("../RESULTS.md"), &page)?;
    if !(is_good && is_whole) {
        println!("there is something that nobody has judged, or that has not been run");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
