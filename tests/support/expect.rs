//! What reports must say.

use std::fmt::Write;

use debug_async::report::{Doing, ReportKind};
use tracing::Level;

use super::seen::Line;
use super::{Seen, take_seen};

/// One report that must have been made, and what it must say.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    kind: ReportKind,
    level: Level,
    line: Option<u32>,
    name: Option<String>,
    task_name: Option<String>,
    error: Option<Option<String>>,
    count: Option<u64>,
    says: Vec<String>,
    has_stack: Option<bool>,
    blocked_at: Option<u32>,
    doing: Option<Doing>,
    waits: Vec<(String, u32)>,
}

impl Expected {
    /// A report of that kind, at that kind's level, made once.
    pub(crate) fn new(kind: ReportKind) -> Expected {
        Expected {
            kind,
            level: kind.level(),
            line: None,
            name: None,
            task_name: None,
            error: None,
            count: Some(1),
            says: Vec::new(),
            has_stack: None,
            blocked_at: None,
            doing: None,
            waits: Vec::new(),
        }
    }

    pub(crate) fn level(mut self, level: Level) -> Expected {
        self.level = level;
        self
    }

    /// Its site is this line: see [`super::site!`].
    pub(crate) fn at(mut self, line: u32) -> Expected {
        self.line = Some(line);
        self
    }

    /// It is about this name, and says so.
    pub(crate) fn named(mut self, name: &str) -> Expected {
        self.name = Some(name.to_owned());
        self.says.push(format!("`{name}`"));
        self
    }

    pub(crate) fn task_named(mut self, name: &str) -> Expected {
        self.task_name = Some(name.to_owned());
        self
    }

    /// Its field `error` is this.
    pub(crate) fn error(mut self, error: &str) -> Expected {
        self.error = Some(Some(error.to_owned()));
        self.says.push(error.to_owned());
        self
    }

    /// It knows no text of an error.
    pub(crate) fn no_error(mut self) -> Expected {
        self.error = Some(None);
        self
    }

    /// It was found so many times.
    pub(crate) fn count(mut self, count: u64) -> Expected {
        self.count = Some(count);
        self
    }

    /// Its message contains this.
    pub(crate) fn says(mut self, part: &str) -> Expected {
        self.says.push(part.to_owned());
        self
    }

    /// It has a stack, or none.
    pub(crate) fn stack(mut self, there: bool) -> Expected {
        self.has_stack = Some(there);
        self
    }

    /// The thread was seen to block at this line, which is on top of the stack.
    pub(crate) fn blocked_at(mut self, line: u32) -> Expected {
        self.blocked_at = Some(line);
        self
    }

    /// It names a wait with these words, whose innermost line of ours is this.
    pub(crate) fn waits(mut self, of: &str, line: u32) -> Expected {
        self.waits.push((of.to_owned(), line));
        self
    }

    /// The thread was seen doing this.
    pub(crate) fn doing(mut self, doing: Doing) -> Expected {
        self.doing = Some(doing);
        self
    }

    /// What is wrong with this report, compared with what is expected.
    fn differences(&self, seen: &Seen) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: &str, expected: String, found: String| {
            if expected != found {
                wrong.push(format!("{what} is {found}, not {expected}"));
            }
        };
        compare("level", self.level.to_string(), seen.level.to_string());
        if let Some(line) = self.line {
            compare(
                "line",
                format!("{:?}", Some(line)),
                format!("{:?}", seen.line),
            );
        }
        if let Some(count) = self.count {
            compare("count", count.to_string(), seen.count.to_string());
        }
        if let Some(name) = &self.name {
            let found = seen.name.clone().unwrap_or_default();
            compare("name", name.clone(), found);
        }
        if let Some(name) = &self.task_name {
            let found = seen.task_name.clone().unwrap_or_default();
            compare("task name", name.clone(), found);
        }
        if let Some(error) = &self.error {
            compare("error", format!("{error:?}"), format!("{:?}", seen.error));
        }
        if let Some(there) = self.has_stack {
            let found = seen.stack.as_ref().is_some_and(|stack| !stack.is_empty());
            compare("having a stack", there.to_string(), found.to_string());
        }
        if let Some(line) = self.blocked_at {
            let found = seen.blocked_at.as_ref().and_then(|(_, _, line)| *line);
            compare(
                "the line that blocks",
                format!("{:?}", Some(line)),
                format!("{found:?}"),
            );
            let top = seen.stack.as_ref().and_then(|stack| stack.first());
            compare(
                "the top of the stack",
                format!("{:?}", seen.blocked_at.as_ref()),
                format!("{top:?}"),
            );
        }
        if let Some(doing) = self.doing {
            compare(
                "what it did",
                format!("{:?}", Some(doing)),
                format!("{:?}", seen.doing),
            );
        }
        for (of, line) in &self.waits {
            let is_it = |frames: &[Line]| frames.first().is_some_and(|at| at.2 == Some(*line));
            let mut waits = seen.waits.iter();
            if !waits.any(|(whose, _, frames)| whose.contains(&**of) && is_it(frames)) {
                wrong.push(format!("no {of:?} at line {line}: {:?}", seen.waits));
            }
        }
        for part in self
            .says
            .iter()
            .filter(|part| !seen.message.contains(&***part))
        {
            wrong.push(format!("the message lacks {part:?}"));
        }
        wrong
    }
}

/// Whether exactly the expected reports were made, in any order; if not, what is
/// wrong, to be read.
pub(crate) fn check(seen: &[Seen], expected: &[Expected]) -> Result<(), String> {
    let mut left: Vec<&Seen> = seen.iter().collect();
    let mut missing = Vec::new();
    for expected in expected {
        let found = left
            .iter()
            .position(|seen| seen.kind == expected.kind && expected.differences(seen).is_empty());
        match found {
            Some(at) => drop(left.remove(at)),
            None => missing.push(expected),
        }
    }
    if missing.is_empty() && left.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    for expected in missing {
        let _ = writeln!(text, "missing: {expected:?}");
        for near in left.iter().filter(|seen| seen.kind == expected.kind) {
            let wrong = expected.differences(near).join("; ");
            let _ = writeln!(text, "    near: {wrong}\n          in {:?}", near.message);
        }
    }
    for seen in left {
        let Seen {
            kind,
            count,
            text: report,
            ..
        } = seen;
        let _ = writeln!(text, "unexpected: {kind}, count {count}: {report}");
    }
    Err(text)
}

/// Fails unless exactly this was reported since it was last asked.
#[track_caller]
pub(crate) fn reported(expected: &[Expected]) {
    debug_async::flush();
    check(&take_seen(), expected).unwrap_or_else(|wrong| panic!("{wrong}"));
}
