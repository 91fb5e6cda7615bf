//! What is alive, in debug mode; and tasks that are not, but whose result lies unread in
//! their handle.
//!
//! A few slabs, each under its own mutex, of which a thread uses one: creating
//! and dropping do not contend, and looking at all of it stops nobody for long.

use std::cell::Cell;
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    fence,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use crate::record::{Debugged, Flag, Object, Record, Step, Under};

const SHARDS: usize = 32;

static ALIVE: [Mutex<Slab<Arc<Record>>>; SHARDS] = [const { Mutex::new(Slab::new()) }; SHARDS];

fn shard(index: usize) -> MutexGuard<'static, Slab<Arc<Record>>> {
    ALIVE[index].lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shard of this thread.
fn mine() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Relaxed) % SHARDS);
    }
    MINE.try_with(Cell::get).unwrap_or(0)
}

/// Enters a record of debug mode; others are not kept.
pub(crate) fn enter(record: &Arc<Record>) {
    let Some(debug) = record.debug() else { return };
    let index = mine();
    let key = shard(index).insert(Arc::clone(record));
    // Zero means that it is not in here.
    debug
        .place
        .store((key * SHARDS + index + 1) as u64, Relaxed);
    match record.object() {
        Object::Task | Object::UnwrappedTask | Object::LocalTask => debug.scope.task_began(),
        Object::BlockingTask => debug.scope.call_began(),
        Object::Future | Object::Stream | Object::Io | Object::Root => {}
    }
}

/// It is gone: takes it out again, unless it is a task whose result lies in its handle.
pub(crate) fn leave(record: &Record) {
    let Some(debug) = record.debug().filter(|debug| place(debug) != 0) else {
        return;
    };
    if record.object().is_task() && record.has(Step::Done) && !is_let_go(record) {
        debug.is_unread.store(true, SeqCst);
        // Its handle was dropped meanwhile, perhaps before it could see this.
        fence(SeqCst);
        if is_let_go(record) {
            remove(debug);
        }
    } else {
        remove(debug);
    }
    match record.object() {
        Object::Task | Object::UnwrappedTask | Object::LocalTask => debug.scope.task_ended(),
        Object::BlockingTask => debug.scope.call_ended(),
        Object::Future | Object::Stream | Object::Io | Object::Root => {}
    }
}

/// The result of a task was taken, or its handle is gone.
pub(crate) fn let_go(record: &Record) {
    let Some(debug) = record.debug() else { return };
    fence(SeqCst);
    if debug.is_unread.load(SeqCst) {
        remove(debug);
    }
}

fn is_let_go(record: &Record) -> bool {
    record.is(Flag::UNHELD) || record.has(Step::Read)
}

fn remove(debug: &Debugged) {
    let Some(place) = debug.place.swap(0, Relaxed).checked_sub(1) else {
        return;
    };
    let (key, index) = (place as usize / SHARDS, place as usize % SHARDS);
    let removed = shard(index).try_remove(key);
    drop(removed);
}

/// Where a record is kept; zero: nowhere.
#[inline]
pub(crate) fn place(debug: &Debugged) -> u64 {
    debug.place.load(Relaxed)
}

/// The record that is kept at a place now.
pub(crate) fn at(place: u64) -> Option<Arc<Record>> {
    let place = place.checked_sub(1)? as usize;
    let (key, index) = (place / SHARDS, place % SHARDS);
    shard(index).get(key).map(Arc::clone)
}

/// What stands for a task, while it is alive.
pub(crate) fn under(under: Under) -> Option<Arc<Record>> {
    let is_it = |record: &Arc<Record>| {
        let debug = record.debug();
        debug.is_some_and(|debug| debug.number == under.number)
    };
    at(under.place).filter(is_it)
}

/// Shows every living record to `look`, which runs under a lock and must only look at
/// it, or keep it.
pub(crate) fn each(mut look: impl FnMut(&Arc<Record>)) {
    for index in 0..SHARDS {
        for (_, record) in &*shard(index) {
            look(record);
        }
    }
}

/// Every living record that `wanted` says yes to. `wanted` runs under a lock and
/// must only look at the record.
pub(crate) fn select(wanted: impl Fn(&Record) -> bool) -> Vec<Arc<Record>> {
    let mut found = Vec::new();
    for index in 0..SHARDS {
        let alive = shard(index);
        found.extend(
            alive
                .iter()
                .map(|(_, r)| r)
                .filter(|r| wanted(r))
                .map(Arc::clone),
        );
    }
    found
}
