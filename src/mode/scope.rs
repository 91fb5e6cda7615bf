//! Whose switch an object obeys: a runtime's, or the process's.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::Level;

use super::{Mode, Threads};
use crate::clock::{self, Instant};
use crate::config::{Config, Environment, Settings, SwitchedTo};
use crate::kind::ReportKind;
use crate::notice;

/// The switch and the settings of one runtime or of the process, and what has
/// been found under it.
pub(crate) struct Scope {
    id: u64,
    mode: AtomicU8,
    settings: Settings,
    began: Instant,
    /// The threads of the runtime.
    threads: Threads,
    /// Tracked tasks that are alive, in debug mode.
    tasks: AtomicUsize,
    /// Tracked blocking closures that wait or run, in debug mode. The runtime does
    /// not count them as tasks.
    calls: AtomicUsize,
    /// Set when the runtime is about to be dropped: what its tasks lose from now
    /// on is in the shutdown summary.
    ending: AtomicBool,
    /// Set when it has been, and its summary was made.
    closed: AtomicBool,
    /// How many findings of each kind, repeats included.
    found: [AtomicU64; ReportKind::ALL.len()],
    /// How many of them were of level `WARN` or above.
    severe: AtomicU64,
    /// The first lines of the reports that were made, for a test to show.
    lines: Mutex<Vec<String>>,
}

/// How many lines a failing test shows.
const LINES: usize = 8;

impl Scope {
    pub(crate) fn new(mode: Mode, config: Config) -> Arc<Scope> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        Arc::new(Scope {
            id: IDS.fetch_add(1, Relaxed),
            mode: AtomicU8::new(mode as u8),
            settings: Settings::new(config),
            began: clock::now(),
            threads: Threads::default(),
            tasks: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            found: std::array::from_fn(|_| AtomicU64::new(0)),
            severe: AtomicU64::new(0),
            lines: Mutex::new(Vec::new()),
        })
    }

    /// The scope of what is in no runtime of ours.
    pub(crate) fn process() -> &'static Arc<Scope> {
        match PROCESS.get() {
            Some(scope) => scope,
            None => read_environment(),
        }
    }

    /// The scope of this thread.
    pub(crate) fn current() -> Arc<Scope> {
        with_current(Arc::clone)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    #[inline]
    pub(crate) fn mode(self: &Arc<Scope>) -> Mode {
        Mode::from_u8(self.mode.load(Relaxed))
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Relaxed);
    }

    #[inline]
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    pub(crate) fn task_began(&self) {
        self.tasks.fetch_add(1, Relaxed);
    }

    pub(crate) fn task_ended(&self) {
        self.tasks.fetch_sub(1, Relaxed);
    }

    /// How many tracked tasks are alive here.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.load(Relaxed)
    }

    pub(crate) fn call_began(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    pub(crate) fn call_ended(&self) {
        self.calls.fetch_sub(1, Relaxed);
    }

    /// How many tracked blocking closures wait or run here.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    pub(crate) fn end(&self) {
        self.ending.store(true, Relaxed);
    }

    /// It has ended, and what it left has been told.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Relaxed)
    }

    pub(crate) fn count(&self, kind: ReportKind, level: Level) {
        self.found[kind.index()].fetch_add(1, Relaxed);
        // `tracing` orders levels by verbosity: the worse, the less.
        if level <= Level::WARN {
            self.severe.fetch_add(1, Relaxed);
        }
    }

    /// How many findings of level `WARN` or above were made.
    pub(crate) fn severe(&self) -> u64 {
        self.severe.load(Relaxed)
    }

    /// The kinds that were found, with their counts.
    pub(crate) fn found(&self) -> Vec<(ReportKind, u64)> {
        let counts = self.found.iter().map(|count| count.load(Relaxed));
        let kinds = ReportKind::ALL.iter().copied().zip(counts);
        kinds.filter(|(_, count)| *count > 0).collect()
    }

    pub(crate) fn keep_line(&self, line: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LINES {
            lines.push(line.to_owned());
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("id", &self.id)
            .field("mode", &Mode::from_u8(self.mode.load(Relaxed)))
            .finish_non_exhaustive()
    }
}

static PROCESS: OnceLock<Arc<Scope>> = OnceLock::new();

#[cold]
fn read_environment() -> &'static Arc<Scope> {
    let environment = Environment::get();
    let mode = environment.switch.map_or(Mode::Production, Mode::from);
    let scope = Scope::new(mode, environment.config.clone());
    // Whoever comes first speaks, and does so with no lock held: it runs the
    // program's subscriber, which may track something itself.
    if PROCESS.set(scope).is_ok() {
        for problem in &environment.problems {
            notice::say(&problem.to_string());
        }
    }
    match PROCESS.get() {
        Some(scope) => scope,
        None => unreachable!("it was set above, by this thread or another"),
    }
}

impl From<SwitchedTo> for Mode {
    fn from(switch: SwitchedTo) -> Mode {
        match switch {
            SwitchedTo::Off => Mode::Off,
            SwitchedTo::Production => Mode::Production,
            SwitchedTo::Debug => Mode::Debug,
        }
    }
}

thread_local! {
    /// The scope of this thread; `None` is the process's.
    static CURRENT: RefCell<Option<Arc<Scope>>> = const { RefCell::new(None) };
}

/// Calls `f` with the scope of this thread.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(&Arc<Scope>) -> R) -> R {
    // Past the thread's destructors, or inside `enter`, it is the process's.
    let mut f = Some(f);
    let found = CURRENT.try_with(|current| {
        let current = current.try_borrow().ok()?;
        let scope = current.as_ref()?;
        f.take().map(|f| f(scope))
    });
    match (found, f) {
        (Ok(Some(result)), _) => result,
        (_, Some(f)) => f(Scope::process()),
        (_, None) => unreachable!("`f` is taken only where its result is returned"),
    }
}

thread_local! {
    /// What is created on this thread is not watched, whatever scope it enters.
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Whether nothing that is created on this thread is watched.
pub(crate) fn is_silent() -> bool {
    SILENT.try_with(Cell::get).unwrap_or(false)
}

/// Switches everything off that is created on this thread, for good: the
/// reporter's own thread must not report on the hooks that it runs.
pub(crate) fn silence_this_thread() {
    stay_in(&Scope::new(Mode::Off, Config::new()));
    SILENT.set(true);
}

/// Makes `scope` this thread's for good: the thread belongs to its runtime.
pub(crate) fn stay_in(scope: &Arc<Scope>) {
    let _ = CURRENT.try_with(|current| current.replace(Some(Arc::clone(scope))));
}

/// Makes `scope` this thread's until the guard is dropped; then it is again what
/// it was. Not to be held across an await.
pub(crate) fn enter(scope: Option<Arc<Scope>>) -> Entered {
    let before = if is_silent() {
        None
    } else {
        CURRENT
            .try_with(|current| current.replace(scope))
            .ok()
            .flatten()
    };
    Entered {
        before,
        _not_send: PhantomData,
    }
}

/// See [`enter`].
#[must_use = "the scope is left when this is dropped"]
pub(crate) struct Entered {
    before: Option<Arc<Scope>>,
    /// As a lock's guard is: of one thread, though others may look at it.
    _not_send: PhantomData<MutexGuard<'static, ()>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !is_silent() {
            let before = self.before.take();
            let _ = CURRENT.try_with(|current| current.replace(before));
        }
    }
}
