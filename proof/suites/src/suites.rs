//! Which suites there are, and where their packages come from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cargo_metadata::MetadataCommand;
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, value};
use walkdir::WalkDir;

#[derive(Deserialize)]
struct File {
    suite: Vec<Suite>,
}

/// One package of which the tests are run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Suite {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub features: Vec<String>,
    /// The test targets to run; all of them if there are none.
    #[serde(default)]
    pub targets: Vec<String>,
    /// It is tokio itself: its tests are run against the names that are ours.
    #[serde(default)]
    pub is_tokio: bool,
    /// It is run, and in the page, only where it is asked for by its name.
    #[serde(default)]
    pub only_by_name: bool,
    /// Test targets and tests that cannot run at all.
    #[serde(default)]
    pub without: Vec<Without>,
    /// Functions into which nothing is put.
    #[serde(default)]
    pub untouched: Vec<Untouched>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Without {
    /// The name of a test target.
    pub target: String,
    /// The name of a test in it; all of it without one.
    pub test: Option<String>,
    pub why: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Untouched {
    /// Its path in the package.
    pub file: PathBuf,
    pub functions: Vec<String>,
    pub why: String,
}

impl Suite {
    pub fn is_untouched(&self, file: &Path, function: &str) -> bool {
        let names =
            |of: &Untouched| of.file == file && of.functions.iter().any(|name| name == function);
        self.untouched.iter().any(names)
    }
}

pub fn read(path: &Path) -> Result<Vec<Suite>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(toml::from_str::<File>(&text)?.suite)
}

/// Has cargo fetch the packages; where each is.
pub fn fetch(suites: &[Suite], into: &Path) -> Result<Vec<PathBuf>> {
    let mut manifest = String::from(
        "[workspace]\n[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n",
    );
    for suite in suites {
        manifest += &format!("{} = \"={}\"\n", suite.name, suite.version);
    }
    fs::create_dir_all(into.join("src"))?;
    fs::write(into.join("src/lib.rs"), "")?;
    fs::write(into.join("Cargo.toml"), manifest)?;
    let found = MetadataCommand::new()
        .manifest_path(into.join("Cargo.toml"))
        .exec()?;
    let place = |suite: &Suite| {
        let package = found
            .packages
            .iter()
            .find(|package| {
                *package.name == suite.name && package.version.to_string() == suite.version
            })
            .with_context(|| format!("cargo did not fetch {} {}", suite.name, suite.version))?;
        let directory = package
            .manifest_path
            .parent()
            .context("a manifest is in a directory")?;
        Ok(directory.to_path_buf().into_std_path_buf())
    };
    suites.iter().map(place).collect()
}

/// Copies a package, and leaves one that is there already
/// as it is, so that it is not compiled again.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let mark = to.join(".package");
    let version = from
        .file_name()
        .context("a package is in a directory")?
        .to_string_lossy();
    if fs::read_to_string(&mark).is_ok_and(|there| there == version) {
        return Ok(());
    }
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let name = entry.path().strip_prefix(from)?;
        let target = to.join(name);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else if name != Path::new("Cargo.lock") {
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(fs::write(mark, &*version)?)
}

/// Writes a file if that changes it.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text)?;
    }
    Ok(())
}

/// The manifest of the workspace that holds the copies of one arm.
pub fn workspace(directory: &Path, suites: &[Suite], lock: &Path, patched: bool) -> Result<()> {
    let members: Vec<String> = suites
        .iter()
        .map(|suite| format!("{:?}", suite.name))
        .collect();
    let mut manifest = format!(
        "[workspace]\nresolver = \"2\"\nmembers = [{}]\n",
        members.join(", ")
    );
    // As the reports need them, and no more.
    manifest += "\n[profile.dev]\ndebug = \"line-tables-only\"\n";
    if patched {
        // So that axum runs on the rewritten tower and hyper-util, too.
        manifest += "\n[patch.crates-io]\n";
        for suite in suites.iter().filter(|suite| !suite.is_tokio) {
            manifest += &format!("{0} = {{ path = {0:?} }}\n", suite.name);
        }
    }
    fs::create_dir_all(directory)?;
    write(&directory.join("Cargo.toml"), &manifest)?;
    let own = directory.join("Cargo.lock");
    if !own.exists() {
        fs::copy(lock, own)?;
    }
    Ok(())
}

/// Has `tokio` and `tokio-test` be ours in a manifest, and gives it `debug_async`.
pub fn redirect(package: &Path, copy: &Path, ours: &Path) -> Result<()> {
    let mut document: DocumentMut = fs::read_to_string(package.join("Cargo.toml"))?.parse()?;
    redirect_in(document.as_table_mut(), ours);
    if let Some(targets) = document.get_mut("target").and_then(Item::as_table_like_mut) {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_mut() {
                redirect_in(target, ours);
            }
        }
    }
    let support = &mut document["dependencies"]["debug_async"];
    *support = toml_edit::table();
    support["package"] = value("proof-support");
    support["path"] = value(ours.join("support").display().to_string());
    write(&copy.join("Cargo.toml"), &document.to_string())
}

/// Puts ours in the place of tokio's library, under its tests.
pub fn replace(package: &Path, copy: &Path, ours: &Path) -> Result<()> {
    let mut document: DocumentMut = fs::read_to_string(package.join("Cargo.toml"))?.parse()?;
    if let Some(features) = document["features"].as_table_like_mut() {
        for (_, enabled) in features.iter_mut() {
            *enabled = value(toml_edit::Array::new());
        }
    }
    let shim: DocumentMut = fs::read_to_string(ours.join("tokio/Cargo.toml"))?.parse()?;
    // The tests use what tokio itself depends on.
    if let Some(dependencies) = document["dependencies"].as_table_like_mut() {
        for (_, dependency) in dependencies.iter_mut() {
            dependency
                .as_table_like_mut()
                .map(|dependency| dependency.remove("optional"));
        }
    }
    for name in ["debug_async", "real"] {
        document["dependencies"][name] = shim["dependencies"][name].clone();
    }
    document["dependencies"]["debug_async"]["path"] =
        value(ours.join("support").display().to_string());
    if let Some(targets) = document.get_mut("target").and_then(Item::as_table_like_mut) {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_like_mut() {
                target.remove("dependencies");
            }
        }
    }
    write(&copy.join("Cargo.toml"), &document.to_string())?;
    if copy.join("src/runtime").exists() {
        fs::remove_dir_all(copy.join("src"))?;
        fs::create_dir(copy.join("src"))?;
    }
    write(
        &copy.join("src/lib.rs"),
        &fs::read_to_string(ours.join("tokio/src/lib.rs"))?,
    )
}

fn redirect_in(table: &mut toml_edit::Table, ours: &Path) {
    for kind in ["dependencies", "dev-dependencies"] {
        for name in ["tokio", "tokio-test"] {
            let dependency = table
                .get_mut(kind)
                .and_then(|all| all.get_mut(name))
                .and_then(Item::as_table_like_mut);
            if let Some(dependency) = dependency {
                dependency.remove("version");
                dependency.insert("package", value(format!("{name}-shim")));
                dependency.insert("path", value(ours.join(name).display().to_string()));
            }
        }
    }
}
