//! Imports point down: a module uses only what stands below it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate, from the ground up.
const LAYERS: &[&str] = &[
    "clock",     // the time
    "delay",     // how late tasks are polled
    "ids",       // the numbers in tokio's ids
    "brackets",  // those in names
    "name",      // names of types, cleaned
    "kind",      // the kinds of finding
    "notice",    // what we say about ourselves
    "sigaction", // what is done with a signal
    "config",    // the settings
    "mode",      // the switch
    "site",      // where a thing was created …
    "stack",     // … and by way of what
    "waker",     // where a future waits
    "counts",    // what a reader or writer has done
    "record",    // what is known of one tracked thing
    "registry",  // what is alive
    "report",    // reports: grace, limit, reporter, sinks
    "panics",    // where a panic happened
    "detect",    // the findings
    "watchdog",  // threads that block
    "dump",      // all that is alive, and where it waits
    "observe",   // the poll body
    "future",    // the wrappers: futures,
    "io",        // readers and writers,
    "task",      // tasks,
    "stream",    // streams, whose cleanup may become a task,
    "runtime",   // runtimes
    "pages",     // what docs/ has
    "fuzzing",   // what must hold of anything that is read
    "prelude",   // names for users
    "__private", // names for macros
];

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| *layer == module);
    found.unwrap_or_else(|| panic!("module `{module}` has no place in LAYERS"))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The modules that a source names by `crate::`, outside comments.
fn imports(source: &str) -> BTreeSet<String> {
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut found = BTreeSet::new();
    for line in code {
        for (at, _) in line.match_indices("crate::") {
            // `$crate::` in a macro is the user's view, not an import.
            if line[..at].ends_with('$') {
                continue;
            }
            let rest = &line[at + "crate::".len()..];
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            found.insert(rest[..end].to_owned());
        }
    }
    found
}

fn violations(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(root) {
        let relative = path.strip_prefix(root).expect("below the root");
        let first = relative.iter().next().expect("a name").to_string_lossy();
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source");
        for import in imports(&source) {
            let is_macro = import.starts_with("__debug_async");
            if !is_macro && import != module && layer(&import) >= layer(module) {
                found.push(format!("{} imports crate::{import}", relative.display()));
            }
        }
    }
    found
}

#[test]
fn imports_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let violations = violations(&root);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn an_import_that_points_up_is_seen() {
    let source = "use crate::report::Report; // crate::x\n// crate::task\n";
    let imports = imports(source);
    assert!(
        imports.contains("report") && !imports.contains("task"),
        "{imports:?}"
    );
    assert!(layer("report") > layer("record"));
}
