//! Where something waits, or waited, that a report is about.

use std::fmt;

use crate::stack::{Captured, Frame};

/// A leaf that was waited on, and the awaits that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// Whose wait it is, such as `it was woken in`.
    pub of: String,
    /// The library's future at its end, such as `tokio::time::sleep::Sleep`. `None` if it
    /// is one of your own.
    pub called: Option<String>,
    /// Your functions, innermost first, each with the line that awaits the one before it.
    pub frames: Vec<Frame>,
}

impl Wait {
    pub(super) fn resolve(of: String, captured: Captured) -> Wait {
        let awaits = captured.resolve_awaits();
        Wait {
            of,
            called: awaits.called,
            frames: awaits.frames,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of)?;
        match &self.called {
            Some(called) => write!(f, " {called}")?,
            None if self.frames.is_empty() => f.write_str(" a place that is not known")?,
            None => f.write_str(" your own code")?,
        }
        self.frames
            .iter()
            .try_for_each(|frame| write!(f, "\n  at {frame}"))
    }
}
