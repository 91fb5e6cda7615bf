//! An example as a program to be run: where cargo put it, what its source says is to
//! be reported, and an environment in which it does what its reader would see.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// An example, by the path of its source below `examples`, without `.rs`.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    path: &'static str,
    /// Variables that its reader would not set.
    pub(crate) settings: &'static [(&'static str, &'static str)],
}

/// What an example says of one of its lines:
/// `// BUG[production, debug]: never_polled of app::fetch, on /route`.
///
/// Without the modes, it holds in debug mode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) line: u32,
    pub(crate) modes: Vec<String>,
    pub(crate) route: Option<String>,
}

impl Example {
    pub(crate) fn new(path: &'static str) -> Example {
        Example {
            path,
            settings: &[],
        }
    }

    /// What `cargo run --example` calls it.
    pub(crate) fn name(&self) -> &'static str {
        let path = self.path.strip_suffix("/main").unwrap_or(self.path);
        path.rsplit('/').next().unwrap_or(path)
    }

    /// Its source as reports name it.
    pub(crate) fn file(&self) -> String {
        format!("examples/{}.rs", self.path)
    }

    pub(crate) fn source(&self) -> String {
        let source = std::fs::read_to_string(root().join(self.file()));
        source.expect("an example has a source")
    }

    /// A command that runs it as `cargo run` would, untouched by the variables with
    /// which the tests themselves are run.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.binary());
        let ours = |name: &str| name.starts_with("ASYNC_DEBUG") || name.starts_with("RUST_");
        for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.envs(self.settings.iter().copied());
        // Paths in stacks are as seen from where the program runs.
        command.current_dir(root()).env("NO_COLOR", "1");
        command
    }

    pub(crate) fn marks(&self) -> Vec<Mark> {
        let source = self.source();
        let lines = (1..).zip(source.lines());
        let marks: Vec<Mark> = lines.flat_map(|(line, text)| marks(line, text)).collect();
        assert!(!marks.is_empty(), "{} marks nothing", self.file());
        marks
    }

    /// `cargo test` builds the examples, but not if it is asked for one test only:
    /// then what is there may be older than its source, or not be there.
    fn binary(&self) -> PathBuf {
        let deps = std::env::current_exe().expect("a test knows its file");
        let profile = deps.ancestors().nth(2).expect("…/<profile>/deps/<test>");
        let file = format!("{}{}", self.name(), std::env::consts::EXE_SUFFIX);
        let binary = profile.join("examples").join(file);
        if modified(&binary) < self.last_change() {
            self.build(profile);
        }
        assert!(binary.exists(), "cargo did not build {}", binary.display());
        binary
    }

    fn build(&self, profile: &Path) {
        let name = profile.file_name().expect("a profile").to_string_lossy();
        let name = if name == "debug" { "dev" } else { &*name };
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let status = Command::new(cargo)
            .current_dir(root())
            .args(["build", "--quiet", "--example", self.name()])
            .args(["--profile", name, "--target-dir"])
            .arg(profile.parent().expect("the target directory"))
            .status();
        assert!(status.expect("cargo can be run").success());
    }

    fn last_change(&self) -> SystemTime {
        let library = ["src", "macros/src"].map(|directory| newest(&root().join(directory)));
        let own = match self.path.rsplit_once('/') {
            // A program of several files.
            Some((directory, "main")) => newest(&root().join("examples").join(directory)),
            _ => modified(&root().join(self.file())),
        };
        library.into_iter().fold(own, SystemTime::max)
    }
}

/// The directory of the package.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn modified(path: &Path) -> SystemTime {
    let modified = path.metadata().and_then(|data| data.modified());
    modified.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn newest(directory: &Path) -> SystemTime {
    let entries = std::fs::read_dir(directory).expect("a directory of sources");
    let paths = entries.map(|entry| entry.expect("a source").path());
    let times = paths.map(|path| match path.is_dir() {
        true => newest(&path),
        false => modified(&path),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What one line says: one thing, or several, one after the other.
fn marks(line: u32, text: &str) -> impl Iterator<Item = Mark> {
    let comments = text.split("// BUG").skip(1);
    comments.map(move |comment| mark(line, comment.trim_end()))
}

fn mark(line: u32, comment: &str) -> Mark {
    let (modes, what) = comment
        .split_once(": ")
        .expect("`// BUG: <kind> of <name>`");
    let modes = modes.trim_matches(['[', ']']);
    let modes = if modes.is_empty() { "debug" } else { modes };
    let (kind, whom) = what.split_once(" of ").expect("`<kind> of <name>`");
    let (name, route) = match whom.split_once(", on ") {
        Some((name, route)) => (name, Some(route.to_owned())),
        None => (whom, None),
    };
    Mark {
        kind: kind.to_owned(),
        name: name.to_owned(),
        line,
        modes: modes.split(", ").map(str::to_owned).collect(),
        route,
    }
}
