//! Builds the tests of a suite, and takes back those edits that the compiler refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};
use cargo_metadata::Message;
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel, DiagnosticSpan};
use walkdir::WalkDir;

use crate::rewrite::{self, Edit, What};
use crate::suites::{self, Suite};

/// A test binary: the name of its target, and where it is.
#[derive(Clone, Debug)]
pub struct Binary {
    pub target: String,
    pub path: PathBuf,
}

/// The sources of one package, with what was put into them.
pub struct Rewritten {
    /// By the path under the workspace, as the compiler gives it.
    files: BTreeMap<PathBuf, (String, Vec<Edit>, BTreeSet<usize>)>,
    /// What was refused is kept there, for the next time.
    refused: PathBuf,
}

impl Rewritten {
    /// Finds what there is to rewrite in `package`, whose copy in the workspace has its name.
    pub fn new(package: &Path, suite: &Suite, refused: PathBuf) -> Result<Rewritten> {
        let before = fs::read_to_string(&refused).unwrap_or_default();
        let before: BTreeSet<&str> = before.lines().collect();
        let mut files = BTreeMap::new();
        let mut untouched = BTreeSet::new();
        let parts: &[_] = if suite.is_tokio {
            &["tests"]
        } else {
            &["src", "tests"]
        };
        for part in parts {
            for entry in WalkDir::new(package.join(part)) {
                let Ok(entry) = entry else { continue };
                if entry
                    .path()
                    .extension()
                    .is_none_or(|extension| extension != "rs")
                {
                    continue;
                }
                let source = fs::read_to_string(entry.path())?;
                let inside = entry.path().strip_prefix(package)?;
                let path = Path::new(&suite.name).join(inside);
                let is_test =
                    *part == "tests" || path.components().any(|part| part.as_os_str() == "tests");
                let mut is_untouched = |function: &str| {
                    let is_untouched = suite.is_untouched(inside, function);
                    if is_untouched {
                        untouched.insert((inside.to_path_buf(), function.to_owned()));
                    }
                    is_untouched
                };
                let Ok(edits) = rewrite::find(&source, is_test, &mut is_untouched) else {
                    println!("    {} is not parsed, and stays as it is", path.display());
                    continue;
                };
                let refused = (0..edits.len())
                    .filter(|index| before.contains(&key(&path, &edits[*index])[..]))
                    .collect();
                files.insert(path, (source, edits, refused));
            }
        }
        for of in &suite.untouched {
            for function in &of.functions {
                ensure!(
                    untouched.contains(&(of.file.clone(), function.clone())),
                    "{} {}: suites.toml leaves `{function}` of {} as it is, which is not there",
                    suite.name,
                    suite.version,
                    of.file.display()
                );
            }
        }
        Ok(Rewritten { files, refused })
    }

    pub fn write(&self, workspace: &Path) -> Result<()> {
        for (path, (source, edits, refused)) in &self.files {
            let kept = edits
                .iter()
                .enumerate()
                .filter(|(index, _)| !refused.contains(index));
            let rewritten = rewrite::apply(source, kept.map(|(_, edit)| edit));
            suites::write(&workspace.join(path), &rewritten)?;
        }
        Ok(())
    }

    /// How many edits of each sort are in, and how many were refused.
    pub fn counts(&self) -> BTreeMap<What, (usize, usize)> {
        let mut counts = BTreeMap::new();
        for (_, edits, refused) in self.files.values() {
            for (index, edit) in edits.iter().enumerate() {
                let (kept, lost) = counts.entry(edit.what).or_default();
                *(if refused.contains(&index) { lost } else { kept }) += 1;
            }
        }
        counts
    }

    /// Takes back what an error is about; whether there was something.
    fn refuse(&mut self, error: &Diagnostic) -> bool {
        // A method that is not there: what was made before is of another type now.
        let codes = ["E0599", "E0609", "E0615", "E0616"];
        let is_missing = error
            .code
            .as_ref()
            .is_some_and(|code| codes.contains(&&code.code[..]));
        let mut any = false;
        for span in error
            .spans
            .iter()
            .chain(error.children.iter().flat_map(|child| &child.spans))
        {
            any |= self.refuse_at(span, is_missing);
        }
        any
    }

    fn refuse_at(&mut self, span: &DiagnosticSpan, is_missing: bool) -> bool {
        let mut span = span;
        // An error within a macro is at the place of its use.
        while !self.files.contains_key(Path::new(&span.file_name)) {
            match &span.expansion {
                Some(expansion) => span = &expansion.span,
                None => return false,
            }
        }
        let Some((_, edits, refused)) = self.files.get_mut(Path::new(&span.file_name)) else {
            return false;
        };
        let lines = span.line_start..=span.line_end;
        let changes_type =
            |edit: &Edit| matches!(edit.what, What::ByHand | What::Stream | What::Io);
        let nearness: [&dyn Fn(&Edit) -> bool; 4] = [
            &|edit| is_missing && changes_type(edit) && edit.function.contains(&span.line_start),
            &|edit| lines.contains(&edit.lines.0) || lines.contains(&edit.lines.1),
            &|edit| edit.lines.0 <= span.line_start && span.line_end <= edit.lines.1,
            &|edit| edit.function.contains(&span.line_start),
        ];
        for is_near in nearness {
            let near: Vec<usize> = (0..edits.len())
                .filter(|index| !refused.contains(index) && is_near(&edits[*index]))
                .collect();
            if !near.is_empty() {
                refused.extend(near);
                return true;
            }
        }
        false
    }

    fn remember(&self) -> Result<()> {
        let mut lines = String::new();
        for (path, (_, edits, refused)) in &self.files {
            for index in refused {
                lines += &key(path, &edits[*index]);
                lines.push('\n');
            }
        }
        fs::create_dir_all(self.refused.parent().expect("it is in a directory"))?;
        Ok(fs::write(&self.refused, lines)?)
    }
}

fn key(path: &Path, edit: &Edit) -> String {
    format!("{} {:?} {}", path.display(), edit.what, edit.bytes.start)
}

/// Builds a suite as it is.
pub fn bare(workspace: &Path, suite: &Suite, target: &Path) -> Result<Vec<Binary>> {
    let (binaries, errors) = compile(workspace, suite, target)?;
    if let Some(error) = errors.first() {
        bail!(
            "{} does not compile bare: {}",
            suite.name,
            error.rendered.as_deref().unwrap_or_default()
        );
    }
    Ok(binaries)
}

/// Builds a rewritten suite.
pub fn ours(
    workspace: &Path,
    suite: &Suite,
    target: &Path,
    sources: &mut Rewritten,
) -> Result<Vec<Binary>> {
    loop {
        sources.write(workspace)?;
        let (binaries, errors) = compile(workspace, suite, target)?;
        if errors.is_empty() {
            sources.remember()?;
            return Ok(binaries);
        }
        println!("    {} errors", errors.len());
        let mut any = false;
        for error in &errors {
            any |= sources.refuse(error);
        }
        let rendered: Vec<_> = errors
            .iter()
            .filter_map(|error| error.rendered.clone())
            .collect();
        ensure!(
            any,
            "{} does not compile rewritten: {}",
            suite.name,
            rendered.concat()
        );
        if std::env::var_os("PROOF_VERBOSE").is_some() {
            println!("{}", rendered.concat());
        }
        sources.remember()?;
    }
}

fn compile(
    workspace: &Path,
    suite: &Suite,
    target: &Path,
) -> Result<(Vec<Binary>, Vec<Diagnostic>)> {
    let mut targets = vec![String::from("--lib"), String::from("--tests")];
    if !suite.targets.is_empty() {
        targets = suite
            .targets
            .iter()
            .map(|target| format!("--test={target}"))
            .collect();
    }
    let mut child = Command::new("cargo")
        .args([
            "test",
            "--no-run",
            "--no-fail-fast",
            "--message-format=json",
            "--quiet",
        ])
        .args(targets)
        .args(["--features", &suite.features.join(",")])
        .current_dir(workspace.join(&suite.name))
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .env("RUSTFLAGS", "--cap-lints=warn")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let errors = child.stderr.take().expect("it is piped");
    let errors = std::thread::spawn(move || std::io::read_to_string(errors));
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut binaries = Vec::new();
    let mut found = Vec::new();
    for message in Message::parse_stream(output) {
        match message? {
            Message::CompilerArtifact(artifact) if artifact.profile.test => {
                if let Some(path) = artifact.executable {
                    let path = path.into_std_path_buf();
                    binaries.push(Binary {
                        target: artifact.target.name,
                        path,
                    });
                }
            }
            Message::CompilerMessage(message) => {
                let message = message.message;
                if matches!(message.level, DiagnosticLevel::Error) && !message.spans.is_empty() {
                    found.push(message);
                }
            }
            _ => {}
        }
    }
    let status = child.wait()?;
    let said = errors.join().expect("it only reads")?;
    ensure!(
        status.success() || !found.is_empty(),
        "cargo failed for {}: {said}",
        suite.name
    );
    binaries.sort_by(|a, b| a.target.cmp(&b.target));
    Ok((binaries, found))
}
