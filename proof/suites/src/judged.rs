//! What somebody found who read the tests that fail and the reports.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::run::Report;

#[derive(Debug, Default, Deserialize)]
pub struct Judged {
    #[serde(default)]
    pub report: Vec<JudgedReport>,
    #[serde(default)]
    pub failure: Vec<JudgedFailure>,
}

#[derive(Debug, Deserialize)]
pub struct JudgedReport {
    pub suite: String,
    pub kind: String,
    /// `tests/a.rs:12`, or `tests/a.rs` for all of the file.
    pub sites: Vec<String>,
    /// `true`, `meant` or `false alarm`: see `proof/README.md`.
    pub verdict: String,
    pub why: String,
}

#[derive(Debug, Deserialize)]
pub struct JudgedFailure {
    pub suite: String,
    pub target: String,
    pub tests: Vec<String>,
    pub why: String,
}

pub fn read(path: &Path) -> Result<Judged> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

impl Judged {
    pub fn report(&self, suite: &str, report: &Report) -> Option<&JudgedReport> {
        let site = site(suite, report);
        let file = site.split(':').next().unwrap_or_default();
        self.report.iter().find(|judged| {
            judged.suite == suite
                && judged.kind == report.kind
                && judged.sites.iter().any(|of| *of == site || of == file)
        })
    }

    pub fn failure(&self, suite: &str, target: &str, test: &str) -> Option<&JudgedFailure> {
        self.failure.iter().find(|judged| {
            judged.suite == suite
                && judged.target == target
                && judged.tests.iter().any(|of| of == test)
        })
    }
}

/// The place of a report within the package.
pub fn site(suite: &str, report: &Report) -> String {
    let site = report.site.as_deref().unwrap_or("nowhere");
    site.strip_prefix(&format!("{suite}/"))
        .unwrap_or(site)
        .to_owned()
}
