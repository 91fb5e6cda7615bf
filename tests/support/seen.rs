//! What reports said.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use debug_async::report::{Doing, Frame, Report, ReportKind, set_hook};
use tracing::Level;

/// Function, file and line of a frame.
pub(crate) type Line = (String, Option<String>, Option<u32>);

/// What a report said.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: ReportKind,
    pub(crate) level: Level,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) name: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) task_name: Option<String>,
    pub(crate) task_id: Option<String>,
    pub(crate) polls: Option<u64>,
    pub(crate) busy: Option<Duration>,
    pub(crate) age: Option<Duration>,
    pub(crate) elapsed: Option<Duration>,
    pub(crate) count: u64,
    pub(crate) error: Option<String>,
    pub(crate) stack: Option<Vec<Line>>,
    /// Whose wait, what it ends in, and the lines of the awaits.
    pub(crate) waits: Vec<(String, Option<String>, Vec<Line>)>,
    pub(crate) blocked_at: Option<Line>,
    pub(crate) blocked_in: Option<String>,
    pub(crate) doing: Option<Doing>,
    /// Its `Display`.
    pub(crate) text: String,
}

impl From<&Report> for Seen {
    fn from(report: &Report) -> Seen {
        let line = |frame: &Frame| (frame.function.clone(), frame.file.clone(), frame.line);
        let frames = |stack: &debug_async::report::Stack| stack.frames().iter().map(line).collect();
        Seen {
            kind: report.kind(),
            level: report.level(),
            message: report.message().to_owned(),
            help: report.help().to_owned(),
            name: report.name().map(Into::into),
            file: report.site().map(|site| site.file().to_owned()),
            line: report.site().map(|site| site.line()),
            task_name: report.task_name().map(Into::into),
            task_id: report.task_id().map(|id| id.to_string()),
            polls: report.polls(),
            busy: report.busy(),
            age: report.age(),
            elapsed: report.elapsed(),
            count: report.count(),
            error: report.error().map(Into::into),
            stack: report.stack().map(frames),
            waits: report
                .waits_in()
                .iter()
                .map(|wait| {
                    let frames = wait.frames.iter().map(line).collect();
                    (wait.of.clone(), wait.called.clone(), frames)
                })
                .collect(),
            blocked_at: report.blocked_at().map(line),
            blocked_in: report.blocked_in().map(Into::into),
            doing: report.doing(),
            text: report.to_string(),
        }
    }
}

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());
static MORE: Condvar = Condvar::new();

fn seen() -> MutexGuard<'static, Vec<Seen>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Collects what is reported from here on.
pub(crate) fn collect() {
    set_hook(Box::new(|report| {
        seen().push(Seen::from(report));
        MORE.notify_all();
    }));
}

/// What was collected so far, once.
pub(crate) fn take_seen() -> Vec<Seen> {
    std::mem::take(&mut *seen())
}

/// Whether anything of this kind was collected so far.
pub(crate) fn has_seen(kind: ReportKind) -> bool {
    seen().iter().any(|seen| seen.kind == kind)
}

/// Waits until what was collected satisfies `done`; for 20 s at most, and then
/// fails.
#[track_caller]
pub(crate) fn wait_until(what: &str, done: impl Fn(&[Seen]) -> bool) {
    let started = Instant::now();
    let mut seen = seen();
    while !done(&seen) {
        let waited = MORE.wait_timeout(seen, Duration::from_millis(100));
        seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "waited in vain for {what}; seen: {seen:#?}"
        );
    }
}
