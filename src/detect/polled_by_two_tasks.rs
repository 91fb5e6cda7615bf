//! `polled_by_two_tasks`: a future, or stream, is polled by one task while another waits
//! on it, and then by that other again.
//!
//! It keeps the waker of its last poll only, so each poll by the one throws out the
//! waker of the other, which may wait for ever (then a `lost_waker` too), or finds that
//! somebody has taken what it was woken for.
//!
//! It is looked at when something is polled under another task than before. That a task
//! waits on it is certain if the last thing that task did before it gave way was to have
//! its waker cloned in there. So not reported is
//!
//! - a hand-over, and taking turns: who gave it away waits on something else by then,
//! - what was not the last branch of a `select!` or `join!` to be polled. The order of
//!   the branches is random, so another round shows it,
//! - what keeps the wakers of both, as a future made for many does,
//! - anything without await stacks, of which there are no clones to see.

use std::sync::PoisonError;

use crate::record::{Debugged, Record, Step, Under, Wait, Waited};
use crate::registry;
use crate::report::{self, Report, ReportKind};
use crate::stack::Captured;
use crate::waker::{Leaf, Owner};

const KIND: ReportKind = ReportKind::PolledByTwoTasks;

/// A poll of it begins under another task than the last one was.
pub(crate) fn moved(record: &Record, debug: &Debugged, now: Under) {
    let Some(owner) = debug.tracker.owner() else {
        return;
    };
    let waited = || {
        let waited = debug.seldom_or_new().waited_on.lock();
        waited.unwrap_or_else(PoisonError::into_inner)
    };
    let again = match &*waited() {
        Waited::Enough => return,
        Waited::Task(wait) if wait.task == now.number => Some(**wait),
        Waited::Task(_) | Waited::Nobody => None,
    };
    let Some(wait) = again else {
        // To let go of what is looked at may run foreign code: not under the lock.
        let wait = waiting(debug.under.load(), owner);
        *waited() = wait.map_or(Waited::Nobody, |wait| Waited::Task(Box::new(wait)));
        return;
    };
    *waited() = Waited::Enough;
    if !keeps_both(&wait, now, owner) {
        report::raise(KIND, Some(record.site()), &record.scope(), || {
            make(record, debug, owner, &wait, now)
        });
    }
}

/// How this task waits on something that it polled last, if it certainly does.
fn waiting(task: Under, owner: &Owner) -> Option<Wait> {
    let record = registry::under(task)?;
    let task_owner = record.debug()?.tracker.owner()?;
    // Of a task that nobody tracks two parts may be polled by turns.
    if record.object().is_part() || record.has(Step::Done) || task_owner.is_polling() {
        return None;
    }
    let wait = rests_on(task, task_owner, owner)?;
    // If it was polled meanwhile, what was seen is partly of before and partly of now.
    (task_owner.polls() == wait.task_poll).then_some(wait)
}

/// The same of a task that is not being polled.
fn rests_on(task: Under, task_owner: &Owner, owner: &Owner) -> Option<Wait> {
    let wait = Wait {
        task: task.number,
        task_poll: task_owner.polls(),
        poll: owner.polls(),
        stack: Captured::NONE,
        woken: false,
    };
    let (outer, inner) = (task_owner.leaves(), owner.leaves());
    let is_inner = |leaf: &Leaf| inner.iter().any(|inner| inner.is_same(leaf));
    let by_time = |leaf: &&Leaf| leaf.since.order();
    let Some(last) = outer
        .iter()
        .filter(|leaf| is_inner(leaf))
        .max_by_key(by_time)
    else {
        // None is left if it was woken for the one that there was.
        let stack = task_owner.woken_in().filter(|_| outer.is_empty())?;
        let is_own = owner.woken_in() == Some(stack);
        return is_own.then_some(Wait {
            stack,
            woken: true,
            ..wait
        });
    };
    let is_last = outer
        .iter()
        .all(|leaf| is_inner(leaf) || leaf.since.order() < last.since.order());
    // What it was woken for is gone, and may have been the last.
    let is_certain = is_last && last.poll == wait.task_poll && task_owner.woken().is_none();
    is_certain.then_some(Wait {
        stack: last.stack,
        ..wait
    })
}

/// Whether it kept the waker of the one task when the other polled it.
fn keeps_both(wait: &Wait, now: Under, owner: &Owner) -> bool {
    if owner.leaves().iter().any(|leaf| leaf.poll <= wait.poll) {
        return true;
    }
    let task = registry::under(now);
    let task = task.as_ref().and_then(|task| task.debug());
    let task = task.and_then(|task| task.tracker.owner());
    let woken = task.and_then(|task| task.woken_after(wait.task_poll));
    !wait.woken && woken == Some(wait.stack)
}

fn make(record: &Record, debug: &Debugged, owner: &Owner, wait: &Wait, now: Under) -> Report {
    let name = |under| match registry::under(under) {
        Some(task) if task.object().is_part() => "a task that is not tracked".to_owned(),
        Some(task) => super::subject(&task),
        None => "a task that is gone".to_owned(),
    };
    let (one, other) = (name(now), name(debug.under.load()));
    let message = format!(
        "{} is polled by two tasks: {other} polled it while {one} waited on it, which polls it \
         again now ({})",
        super::subject(record),
        super::origin(record),
    );
    let mut report = Report::about(record, KIND, message)
        .in_task(tokio::task::try_id())
        .waits(format!("{one} waited in"), wait.stack)
        .help_with(HELP);
    let leaves = owner.leaves();
    let last = leaves.iter().find(|leaf| leaf.poll == owner.polls());
    if let Some(stack) = last.map_or_else(|| owner.woken_in(), |leaf| Some(leaf.stack)) {
        report = report.waits(format!("{other} waited in"), stack);
    }
    report
}

const HELP: &str = "it keeps the waker of its last poll only, so the other is not woken; let one \
     task poll it and pass on what it gives, by a channel, or hold a `tokio::sync::Mutex` over \
     the whole wait; a future can be made `shared()`";
