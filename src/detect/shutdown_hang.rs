//! `shutdown_hang`: the drop of a runtime waits, and for what.
//!
//! A runtime ends when all its threads have: its drop waits for blocking closures,
//! which nothing can abort, and for the poll and the drop of tasks.

use std::sync::Arc;
use std::time::Duration;

use super::{excuse, running};
use crate::clock::{self, Instant};
use crate::mode::{Mode, Scope};
use crate::record::{Context, Object, Record, Step};
use crate::registry;
use crate::report::{self, Report, ReportKind};

/// It is told again when it has taken so many times as long.
const AGAIN: u32 = 10;

/// A look that comes so late says nothing.
const LATE: Duration = Duration::from_secs(1);

/// Nothing is worth waiting for longer.
const MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A runtime that is being dropped.
pub(crate) struct Waiting {
    scope: Arc<Scope>,
    since: Instant,
    /// The reports are made elsewhere. It goes with the drop, so that a span does
    /// not stay open for longer.
    context: Context,
}

/// Looks after a runtime of debug mode that is about to be dropped, until what this
/// gives is dropped.
pub(crate) fn watch(scope: &Arc<Scope>) -> Option<Arc<Waiting>> {
    let has_threads = scope.threads().alive() > 0;
    // The thread of a closure may be about to start.
    let has_work = scope.tasks() > 0 || scope.calls() > 0;
    if scope.mode() != Mode::Debug || !(has_threads || has_work) {
        return None;
    }
    let waiting = Arc::new(Waiting {
        scope: Arc::clone(scope),
        since: clock::now(),
        context: Context::current(),
    });
    let limit = scope.settings().shutdown_hang.min(MAX);
    let weak = Arc::downgrade(&waiting);
    let mut due = clock::now() + limit;
    let mut last = false;
    report::every(limit, move || {
        let waiting = weak.upgrade()?;
        let mut next = limit;
        if due.elapsed() < LATE {
            waiting.look();
            if last {
                return None;
            }
            last = true;
            next = limit.saturating_mul(AGAIN - 1).min(MAX);
        }
        // Else the process was stopped, and so was what the drop waits for.
        due = clock::now() + next;
        Some(next)
    });
    Some(waiting)
}

impl Waiting {
    fn look(&self) {
        let left = Left::of(&self.scope);
        if let Some(left) = left.words()
            && !excuse::being_debugged()
        {
            self.report(&left);
        }
    }

    fn report(&self, left: &Words) {
        let kind = ReportKind::ShutdownHang;
        report::raise(kind, None, &self.scope, || {
            let waited = self.since.elapsed();
            let message = format!(
                "the drop of a runtime has waited {}{}",
                clock::human(waited),
                left.what
            );
            Report::new(kind, &self.scope, message)
                .took(waited)
                .in_context(self.context.clone())
                .help_with(left.help)
        });
    }
}

/// What a runtime has left that is being dropped.
#[derive(Default)]
struct Left {
    /// The closures that run.
    closures: Vec<Arc<Record>>,
    /// The tasks that were not dropped: one of them may be in a poll or a drop.
    tasks: Vec<Arc<Record>>,
    /// The threads, workers included, that have not ended.
    threads: usize,
}

struct Words {
    what: String,
    help: &'static str,
}

impl Left {
    fn of(scope: &Arc<Scope>) -> Left {
        let tasks = registry::select(|record| {
            let here = record
                .debug()
                .is_some_and(|debug| Arc::ptr_eq(&debug.scope, scope));
            // A local task may be in a set that outlives the runtime.
            let is_its = matches!(record.object(), Object::Task | Object::UnwrappedTask);
            here && is_its && !record.has(Step::Done)
        });
        Left {
            closures: running::in_scope(scope),
            tasks,
            threads: scope.threads().alive(),
        }
    }

    /// What the drop waits for, as far as that is known.
    fn words(&self) -> Option<Words> {
        let unknown = self.threads.saturating_sub(self.closures.len());
        if self.closures.is_empty() && self.tasks.is_empty() && unknown == 0 {
            return None;
        }
        let mut what = match self.closures.len() {
            0 => String::new(),
            1 => " for a blocking closure".to_owned(),
            n => format!(" for {n} blocking closures"),
        };
        let mut parts = Vec::new();
        let help = if !self.closures.is_empty() {
            parts.push(running::by_site(&self.closures, &running::CLOSURES));
            "a blocking closure cannot be aborted: tell it to stop (a flag, a channel that is \
             closed) before the runtime is dropped, or leave it behind with `shutdown_timeout` or \
             `shutdown_background`"
        } else {
            // The tasks that remain may be innocent: with one worker, all of them wait
            // for the one that blocks.
            if !self.tasks.is_empty() {
                let tasks = running::by_site(&self.tasks, &running::TASKS);
                parts.push(format!("not dropped yet: {tasks}"));
            }
            "a task blocks in its poll or its drop, or a blocking closure runs that is not \
             tracked (reading tokio's stdin is one; `debug_async::task::spawn_blocking` tells \
             which); `shutdown_timeout` and `shutdown_background` do not wait for it"
        };
        let more = if self.closures.is_empty() {
            ""
        } else {
            " more"
        };
        match unknown {
            0 => {}
            1 => parts.push(format!("1{more} of its threads has not ended")),
            n => parts.push(format!("{n}{more} of its threads have not ended")),
        }
        what.push_str(": ");
        what.push_str(&parts.join("; "));
        Some(Words { what, help })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(threads: usize) -> Option<String> {
        let left = Left {
            threads,
            ..Left::default()
        };
        left.words().map(|words| words.what)
    }

    #[test]
    fn nothing_that_is_known_is_nothing_to_say() {
        assert_eq!(words(0), None);
        assert_eq!(
            words(1).as_deref(),
            Some(": 1 of its threads has not ended")
        );
        assert_eq!(
            words(2).as_deref(),
            Some(": 2 of its threads have not ended")
        );
    }
}
