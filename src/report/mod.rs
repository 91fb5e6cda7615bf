//! What was found, as typed data, and where it goes.
//!
//! A finding becomes a [`Report`]. Reports go through a bounded queue to one
//! thread, which resolves symbols and hands each to the hook, if one is set with
//! [`set_hook`], or else to `tracing`, or else, where no subscriber is installed,
//! to stderr. Repeats of one kind at one site are held back: the 1st, the 10th,
//! the 100th are reported, each with the count so far; the exit summary has the
//! rest.
//!
//! # Examples
//!
//! ```
//! use debug_async::report::{self, ReportKind};
//!
//! report::set_hook(Box::new(|report| {
//!     if report.kind() != ReportKind::LargeFuture {
//!         report.emit(); // as if there were no hook
//!     }
//! }));
//! # drop(report::take_hook());
//! ```

mod exit;
mod fork;
mod grace;
mod hook;
mod limit;
mod live;
mod reporter;
mod sink;
mod wait;

pub use self::hook::{Hook, set_hook, take_hook};
pub use self::live::Doing;
pub use self::wait::Wait;
pub use crate::kind::ReportKind;
pub use crate::stack::{Frame, Stack};

pub(crate) use self::live::Live;
pub(crate) use self::reporter::{
    Deferred, Until, defer, every, flush_all_at_end, flush_at_end, raise, raise_at, raise_once,
    say_soon,
};

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

use crate::clock;
use crate::mode::Scope;
use crate::record::{Context, Object, Record};
use crate::site::Site;
use crate::stack::Captured;

/// Waits until every report that is due has been handed on, and until the
/// futures that were dropped unpolled have been judged.
///
/// Call it where the program ends by a way of its own. Returning from a main
/// function, `std::process::exit` and a panic in main do it by themselves.
///
/// Blocks this thread till then, but not for longer than 5 s once a subscriber or a
/// hook blocks: it does not hang the program. Does nothing within a hook or a subscriber that handles
/// a report.
///
/// ```
/// debug_async::flush();
/// ```
pub fn flush() {
    reporter::flush(Until::Grace, None);
}

/// One finding.
///
/// Its `Display` is the whole text: what happened, to what, where, what to do,
/// and the stack.
#[must_use = "a report does nothing until it is emitted"]
pub struct Report {
    kind: ReportKind,
    level: Level,
    message: String,
    help: String,
    name: Option<String>,
    site: Option<&'static Site>,
    task_id: Option<tokio::task::Id>,
    task_name: Option<String>,
    polls: Option<u64>,
    busy: Option<Duration>,
    items: Option<u64>,
    age: Option<Duration>,
    elapsed: Option<Duration>,
    count: u64,
    bytes: Option<u64>,
    error: Option<String>,
    captured: Captured,
    stack: Option<Stack>,
    live: Option<Live>,
    blocked_at: Option<Frame>,
    blocked_in: Option<String>,
    waiting: Vec<(String, Captured)>,
    waits: Vec<Wait>,
    /// Of something that was reported before, and is not another such thing.
    again: bool,
    scope: Arc<Scope>,
    context: Context,
}

impl Report {
    /// A report about nothing in particular.
    pub(crate) fn new(kind: ReportKind, scope: &Arc<Scope>, message: String) -> Report {
        Report {
            kind,
            level: kind.level(),
            message,
            help: format!("see {}", kind.page()),
            name: None,
            site: None,
            task_id: None,
            task_name: None,
            polls: None,
            busy: None,
            items: None,
            age: None,
            elapsed: None,
            count: 1,
            bytes: None,
            error: None,
            captured: Captured::NONE,
            stack: None,
            live: None,
            blocked_at: None,
            blocked_in: None,
            waiting: Vec::new(),
            waits: Vec::new(),
            again: false,
            scope: Arc::clone(scope),
            context: Context::current(),
        }
    }

    /// A report about a tracked thing, with all that its record knows.
    pub(crate) fn about(record: &Record, kind: ReportKind, message: String) -> Report {
        let mut report = Report::new(kind, &record.scope(), message);
        report.name = Some(record.name());
        report.site = Some(record.site());
        if record.object().is_task() {
            report.task_name = record.given_name().map(str::to_owned);
        }
        match record.debug() {
            Some(debug) => {
                report.task_id = debug.task_id.get().copied();
                report.polls = Some(debug.polls());
                report.busy = (debug.polls() > 0).then(|| debug.busy());
                report.items = (record.object() == Object::Stream).then(|| debug.items());
                report.age = Some(debug.age());
                report.captured = debug.stack;
                report.context = debug.context.clone();
            }
            None if record.object().is_task() => report.task_id = tokio::task::try_id(),
            None => {}
        }
        report
    }

    pub(crate) fn at_level(mut self, level: Level) -> Report {
        self.level = level;
        self
    }

    /// What to do, before the address of the page that has more.
    pub(crate) fn help_with(mut self, help: impl fmt::Display) -> Report {
        self.help = format!("{help}; see {}", self.kind.page());
        self
    }

    pub(crate) fn in_task(mut self, id: Option<tokio::task::Id>) -> Report {
        self.task_id = self.task_id.or(id);
        self
    }

    pub(crate) fn took(mut self, elapsed: Duration) -> Report {
        self.elapsed = Some(elapsed);
        self
    }

    /// Made on another thread than that which it is about.
    pub(crate) fn in_context(mut self, context: Context) -> Report {
        self.context = context;
        self
    }

    #[cfg(feature = "io")]
    pub(crate) fn with_bytes(mut self, bytes: u64) -> Report {
        self.bytes = Some(bytes);
        self
    }

    pub(crate) fn with_error(mut self, error: Option<String>) -> Report {
        self.error = error;
        self
    }

    /// Another stack than that of the creation.
    pub(crate) fn with_stack(mut self, captured: Captured) -> Report {
        if captured != Captured::NONE {
            self.captured = captured;
        }
        self
    }

    /// What was seen while it happened.
    pub(crate) fn seen_live(mut self, live: Live) -> Report {
        self.live = Some(live);
        self
    }

    /// Whose wait it is, for the beginning of a line, and where it is.
    pub(crate) fn waits(mut self, of: impl Into<String>, stack: Captured) -> Report {
        if stack != Captured::NONE {
            self.waiting.push((of.into(), stack));
        }
        self
    }

    pub(crate) fn again(mut self, again: bool) -> Report {
        self.again = again;
        self
    }

    /// What was found.
    pub fn kind(&self) -> ReportKind {
        self.kind
    }

    /// How bad it is.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The first line: what happened, to what, and where.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, and the address of the page that has more.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The name of the future or task, or of its function.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where in the program's text it was created.
    pub fn site(&self) -> Option<&'static Location<'static>> {
        self.site.map(Site::location)
    }

    /// tokio's id of the task it is, or that it ran in.
    pub fn task_id(&self) -> Option<tokio::task::Id> {
        self.task_id
    }

    /// The name the task was given when it was spawned.
    pub fn task_name(&self) -> Option<&str> {
        self.task_name.as_deref()
    }

    /// How often it had been polled. Known in debug mode.
    pub fn polls(&self) -> Option<u64> {
        self.polls
    }

    /// How long all its polls had taken together. Known in debug mode.
    pub fn busy(&self) -> Option<Duration> {
        self.busy
    }

    /// How many items the stream had given. Known in debug mode.
    pub fn items(&self) -> Option<u64> {
        self.items
    }

    /// How long before it was created. Known in debug mode.
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// How long the poll, the drop or the wait took that this is about.
    pub fn elapsed(&self) -> Option<Duration> {
        self.elapsed
    }

    /// How often this was found at this site so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many bytes were written and not flushed.
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The error that was lost, as its `Debug` has it, or the panic's message.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The function and line of yours that blocked, if the thread was seen while it
    /// did.
    pub fn blocked_at(&self) -> Option<&Frame> {
        self.blocked_at.as_ref()
    }

    /// The library function that was called there, such as `std::thread::sleep`.
    /// `None` if it was your own code that took the time.
    pub fn blocked_in(&self) -> Option<&str> {
        self.blocked_in.as_deref()
    }

    /// What the blocked thread did with its time, if it was seen.
    pub fn doing(&self) -> Option<Doing> {
        self.live?.doing
    }

    /// Where what it is about waits, or waited, if that was seen.
    pub fn waits_in(&self) -> &[Wait] {
        &self.waits
    }

    /// The stack of the thread while it was blocked, if it was seen; else that of the
    /// creation, or of the panic. Taken in debug mode.
    pub fn stack(&self) -> Option<&Stack> {
        self.stack.as_ref()
    }

    /// Hands the report on to `tracing`, in the span that it belongs to, or to
    /// stderr if no subscriber is installed. For a hook that passes reports on.
    pub fn emit(&self) {
        sink::emit(self);
    }

    /// Does the slow part: symbols.
    fn resolve(&mut self) {
        let mode = self.scope.settings().stack;
        if let Some(live) = self.live.filter(|_| self.stack.is_none())
            && let Some(seen) = live.stack.resolve_live(mode, live.cut)
        {
            self.stack = Some(seen.stack);
            self.blocked_at = seen.at;
            self.blocked_in = seen.called;
        }
        if self.stack.is_none() {
            self.stack = self.captured.resolve(mode);
        }
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        self.waits
            .extend(waiting.map(|(of, stack)| Wait::resolve(of, stack)));
    }

    /// ``app::work (src/main.rs:12:5), in `std::thread::sleep` ``
    fn blocked_place(&self) -> Option<String> {
        let at = self.blocked_at.as_ref()?;
        Some(match &self.blocked_in {
            Some(called) => format!("{at}, in `{called}`"),
            None => at.to_string(),
        })
    }

    fn place(&self) -> Option<String> {
        self.site.map(|site| site.location().to_string())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.count > 1 {
            write!(f, " ({} times so far)", self.count)?;
        }
        if let Some(place) = self.blocked_place() {
            write!(f, "\n  blocked at {place}")?;
        }
        let polled = self.polls.filter(|polls| *polls > 0);
        let facts = [
            ("task", self.task_id.map(|id| id.to_string())),
            ("polls", polled.map(|polls| polls.to_string())),
            ("items", self.items.map(|items| items.to_string())),
            ("busy", self.busy.map(clock::human)),
            ("age", self.age.map(clock::human)),
        ];
        let facts: Vec<String> = facts
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value?)))
            .collect();
        if !facts.is_empty() {
            write!(f, "\n  {}", facts.join(", "))?;
        }
        for wait in &self.waits {
            for line in wait.to_string().lines() {
                write!(f, "\n  {line}")?;
            }
        }
        write!(f, "\n  help: {}", self.help)?;
        if let Some(stack) = &self.stack {
            for line in stack.to_string().lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("kind", &self.kind)
            .field("level", &self.level)
            .field("message", &self.message)
            .field("name", &self.name)
            .field("site", &self.site)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
