//! The lines of a program that are to be reported where its bug is planted: those that
//! end in `// BUG: <kind>`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::programs::Program;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) kind: String,
    /// `src/programs/web.rs:12`
    pub(super) line: String,
}

impl Mark {
    pub(super) fn all(program: Program) -> anyhow::Result<Vec<Mark>> {
        let file = program.source();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let source = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let lines = source.lines().zip(1..);
        let marks = lines.filter_map(|(text, number)| {
            let (_, kind) = text.split_once("// BUG: ")?;
            let kind = kind.trim().to_owned();
            let line = format!("{file}:{number}");
            Some(Mark { kind, line })
        });
        let marks: Vec<Mark> = marks.collect();
        ensure!(!marks.is_empty(), "no mark in {file}");
        Ok(marks)
    }

    /// What a report is about: where a thread blocked, if it did, or else where the thing
    /// was created.
    pub(super) fn of(report: &Value) -> Mark {
        let fields = &report["fields"];
        let text = |name: &str| fields[name].as_str().unwrap_or_default();
        // `app::resolve (src/programs/web.rs:12:5), in `…``
        let blocked = text("blocked_at").split_once('(');
        let blocked = blocked.and_then(|(_, place)| Some(place.split_once(')')?.0));
        let place = blocked.unwrap_or(text("site"));
        let (line, _column) = place.rsplit_once(':').unwrap_or((place, ""));
        Mark {
            kind: kind(report).to_owned(),
            line: line.to_owned(),
        }
    }
}

pub(super) fn kind(report: &Value) -> &str {
    let target = report["target"].as_str().unwrap_or_default();
    target.strip_prefix("debug_async::").unwrap_or(target)
}
