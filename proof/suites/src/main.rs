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

/// The directories that all of it is done in.
struct Places {
    /// This package.
    here: PathBuf,
    root: PathBuf,
    target: PathBuf,
    bare: PathBuf,
    ours: PathBuf,
}

impl Places {
    fn find() -> Result<Places> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize()?;
        let root = here
            .join("../..")
            .canonicalize()
            .context("the repository")?;
        let target = root.join("target/proof");
        Ok(Places {
            bare: target.join("bare"),
            ours: target.join("ours"),
            here,
            root,
            target,
        })
    }

    /// Where the outcome of a suite is kept.
    fn row(&self, suite: &Suite) -> PathBuf {
        let rows = self.target.join("rows");
        rows.join(format!("{}-{}.json", suite.name, suite.version))
    }
}

/// Copies all packages, and puts ours into one of the copies: they use each other, so this
/// is before any is compiled.
fn prepare(suites: &[Suite], places: &Places) -> Result<Vec<Rewritten>> {
    let packages = suites::fetch(suites, &places.target.join("fetch"))?;
    for (workspace, patched) in [(&places.bare, false), (&places.ours, true)] {
        suites::workspace(workspace, suites, &places.root.join("Cargo.lock"), patched)?;
        for (suite, package) in suites.iter().zip(&packages) {
            suites::copy(package, &workspace.join(&suite.name))?;
        }
    }
    let mut sources = Vec::new();
    for (suite, package) in suites.iter().zip(&packages) {
        let place_of_ours = if suite.is_tokio {
            suites::replace
        } else {
            suites::redirect
        };
        place_of_ours(package, &places.ours.join(&suite.name), &places.here)?;
        let refused = places.target.join("refused");
        let refused = refused.join(format!("{}-{}.txt", suite.name, suite.version));
        let rewritten = Rewritten::new(package, suite, refused)?;
        rewritten.write(&places.ours)?;
        sources.push(rewritten);
    }
    Ok(sources)
}

/// Builds a suite and runs it in all arms.
fn run(suite: &Suite, rewritten: &mut Rewritten, places: &Places) -> Result<Row> {
    println!("{} {}", suite.name, suite.version);
    let run = |binaries: &[Binary], arm: Arm, workspace: &Path| {
        println!("    {}", arm.name());
        let logs = places.target.join("logs").join(&suite.name);
        let outcome = run::run(
            binaries,
            &suite.without,
            arm,
            &workspace.join(&suite.name),
            &logs.join(arm.name()),
        )?;
        anyhow::Ok((arm, outcome))
    };
    let binaries = build::bare(&places.bare, suite, &places.target.join("build"))?;
    let mut outcomes = vec![run(&binaries, Arm::Bare, &places.bare)?];
    let target = places.target.join("build-ours");
    let binaries = build::ours(&places.ours, suite, &target, rewritten)?;
    for arm in Arm::OURS {
        outcomes.push(run(&binaries, arm, &places.ours)?);
    }
    let row = Row {
        suite: suite.clone(),
        edits: rewritten.counts(),
        outcomes,
    };
    println!("{}", table::row(&row));
    let kept = places.row(suite);
    fs::create_dir_all(kept.parent().context("it is in a directory")?)?;
    fs::write(kept, serde_json::to_string(&row)?)?;
    Ok(row)
}

fn main() -> Result<ExitCode> {
    let places = Places::find()?;
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let suites = suites::read(&places.here.join("suites.toml"))?;
    for name in wanted.iter().filter(|name| *name != PAGE) {
        ensure!(
            suites.iter().any(|suite| suite.name == *name),
            "no suite `{name}` in suites.toml"
        );
    }
    let mut sources = prepare(&suites, &places)?;

    let mut rows: Vec<Row> = Vec::new();
    let mut missing = Vec::new();
    for (suite, rewritten) in suites.iter().zip(&mut sources) {
        let is_named = wanted.contains(&suite.name);
        if is_named || wanted.is_empty() && !suite.only_by_name {
            rows.push(run(suite, rewritten, &places)?);
        } else if !suite.only_by_name {
            // As it was when it was run last.
            match fs::read_to_string(places.row(suite)) {
                Ok(row) => rows.push(serde_json::from_str(&row)?),
                Err(_) => missing.push(&suite.name[..]),
            }
        }
    }
    let judged = judged::read(&places.here.join("judged.toml"))?;
    let (page, is_good) = table::page(&rows, &judged, &versions(&places.ours)?);
    // A part does not take the place of the whole.
    let into = if missing.is_empty() {
        places.root.join("proof/RESULTS.md")
    } else {
        places.target.join("RESULTS.md")
    };
    fs::write(&into, &page)?;
    println!("written to {}", into.display());
    if !missing.is_empty() {
        println!("not run here yet: {}", missing.join(", "));
    }
    if !is_good {
        println!("there is something that nobody has judged");
    }
    Ok(if is_good && missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
