//! How a stack reads.

use std::fmt;

/// One function of a [`Stack`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Frame {
    /// The function's path, without its hash.
    pub function: String,
    /// The source file, if there is debug information.
    pub file: Option<String>,
    /// The line in that file.
    pub line: Option<u32>,
    /// The column in that line.
    pub column: Option<u32>,
}

impl Frame {
    /// `src/main.rs:12:5`
    pub(crate) fn place(&self) -> Option<String> {
        let numbers = [self.line, self.column].into_iter().flatten();
        let file = relative(self.file.as_ref()?);
        Some(numbers.fold(file, |place, number| format!("{place}:{number}")))
    }

    /// A frame without a line.
    #[cfg(test)]
    pub(crate) fn new(function: String, file: Option<String>) -> Frame {
        Frame {
            function,
            file,
            line: None,
            column: None,
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = without_closures(&self.function);
        let Some(place) = self.place() else {
            return f.write_str(function);
        };
        // Line tables name an inlined function without its path, and the body of an
        // async function is then `{async_fn#0}`.
        if function.starts_with('{') {
            f.write_str(&place)
        } else {
            write!(f, "{function} ({place})")
        }
    }
}

/// A stack, innermost frame first, trimmed to what its reader can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    pub(super) frames: Vec<Frame>,
    pub(super) hidden: usize,
    pub(super) has_lines: bool,
    pub(super) cut: bool,
}

impl Stack {
    /// The frames that are shown, innermost first.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// How many frames are left out: library code, and this crate's own.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Whether there was more of the stack than was taken: its outer end is missing.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether the program has the debug information that gives files and lines.
    pub fn has_lines(&self) -> bool {
        self.has_lines
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self
            .frames
            .iter()
            .map(|frame| format!("at {frame}"))
            .collect::<Vec<_>>();
        if self.cut {
            lines.push("(cut: the stack goes on)".into());
        }
        if self.hidden > 0 {
            let s = if self.hidden == 1 { "" } else { "s" };
            lines.push(format!(
                "({} frame{s} hidden; ASYNC_DEBUG_STACK=full shows all)",
                self.hidden
            ));
        }
        if !self.has_lines {
            lines.push(
                "(no debug information: build with `debug = \"line-tables-only\"` for lines)"
                    .into(),
            );
        }
        f.write_str(&lines.join("\n"))
    }
}

/// `app::main::{{closure}}` is the body of `app::main`.
pub(super) fn without_closures(function: &str) -> &str {
    let mut shown = function;
    loop {
        // The two ways in which compilers write it.
        let shorter = shown.strip_suffix("::{{closure}}").or_else(|| {
            let (rest, last) = shown.rsplit_once("::")?;
            last.starts_with("{closure#").then_some(rest)
        });
        match shorter {
            Some(shorter) => shown = shorter,
            None => return shown,
        }
    }
}

/// The path as seen from where the program runs, if it is below.
fn relative(file: &str) -> String {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| {
        std::path::Path::new(file)
            .strip_prefix(here)
            .ok()
            .map(|p| p.display().to_string())
    });
    below.unwrap_or_else(|| file.strip_prefix("./").unwrap_or(file).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_are_not_shown() {
        assert_eq!(
            without_closures("app::main::{{closure}}::{{closure}}"),
            "app::main"
        );
        assert_eq!(without_closures("app::main::{closure#0}"), "app::main");
        assert_eq!(without_closures("app::main"), "app::main");
    }

    #[test]
    fn a_name_that_says_nothing_is_left_out() {
        let mut frame = Frame::new("{async_fn#0}".into(), Some("src/main.rs".into()));
        frame.line = Some(7);
        assert_eq!(frame.to_string(), "src/main.rs:7");
        frame.function = "app::run".into();
        assert_eq!(frame.to_string(), "app::run (src/main.rs:7)");
    }

    #[test]
    fn a_stack_says_what_is_missing() {
        let frame = Frame {
            function: "app::main".into(),
            file: None,
            line: None,
            column: None,
        };
        let stack = Stack {
            frames: vec![frame],
            hidden: 3,
            has_lines: false,
            cut: false,
        };
        let text = stack.to_string();
        assert!(
            text.starts_with("at app::main\n(3 frames hidden;"),
            "{text}"
        );
        assert!(text.contains("line-tables-only"), "{text}");
    }
}
