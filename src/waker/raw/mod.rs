//! The wakers themselves: four sorts, one table of functions each.
//!
//! | sort | what it points to | who owns that |
//! |---|---|---|
//! | `FRAME` | root of a poll, clones are listed | the stack, for the poll |
//! | `LISTED` | a clone | the waker alone: a box |
//! | `OWNER`, `LINK` | root of a poll, and its counted clones | all clones together, and who made it, have one count of its `Arc` |
//!
//! A root is only ever lent, so its `wake` and `drop` are never called by value.

#![allow(unsafe_code)]

mod counted;
mod listed;

pub(super) use self::counted::{Held, Link, counted};
pub(super) use self::listed::listed;

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::Waker;

use self::counted::{LINK, OWNER, wake_counted};
use self::listed::{FRAME, Frame, LISTED, Listed};
use super::owner::Owner;
use super::wake::{Cloning, News};

// What the tables rely on: each of these may be used, and dropped, by any thread.
const _: fn() = || {
    fn on_any_thread<T: Send + Sync>() {}
    on_any_thread::<(Frame<'_>, Listed, Owner, Link)>();
};

/// What a waker of ours points to, if it is one.
enum Ours<'a> {
    Frame(&'a Frame<'a>),
    Listed(&'a Listed),
    // Not references: these are still those of an `Arc`.
    Owner(*const Owner),
    Link(*const Link),
    None,
}

#[inline]
fn ours(waker: &Waker) -> Ours<'_> {
    let (table, data) = (waker.vtable(), waker.data());
    // SAFETY: these tables are in no waker but those that are made in this module, and
    // there each goes with a pointer to its type. What it points to lives as long as
    // the waker, and is only read.
    unsafe {
        if ptr::eq(table, &FRAME) {
            Ours::Frame(&*data.cast())
        } else if ptr::eq(table, &LISTED) {
            Ours::Listed(&*data.cast())
        } else if ptr::eq(table, &OWNER) {
            Ours::Owner(data.cast())
        } else if ptr::eq(table, &LINK) {
            Ours::Link(data.cast())
        } else {
            Ours::None
        }
    }
}

/// Clones a parent's waker, for the same leaf.
#[inline]
fn clone_parent(parent: &Waker, cloning: &mut Cloning) -> Waker {
    match ours(parent) {
        Ours::Frame(frame) => frame.clone_for(cloning),
        Ours::Listed(listed) => listed.clone_for(cloning),
        _ => parent.clone(),
    }
}

/// Wakes a parent's waker, by the same news.
#[inline]
fn wake_parent(parent: &Waker, news: &mut News) {
    match ours(parent) {
        Ours::Frame(frame) => frame.wake_by_ref(news),
        Ours::Listed(listed) => listed.wake_by_ref(news),
        // SAFETY: `parent` is a clone, or a root, and is held till this returns.
        Ours::Owner(owner) => unsafe { wake_counted(owner, news) },
        // SAFETY: as above.
        Ours::Link(link) => unsafe { wake_counted(link, news) },
        Ours::None => parent.wake_by_ref(),
    }
}

/// Wakes a parent's waker by value.
#[inline]
fn wake_parent_by_value(parent: Waker, news: &mut News) {
    match ours(&parent) {
        Ours::Listed(_) => {
            let parent = ManuallyDrop::new(parent);
            // SAFETY: it is a listed clone, and is not used again.
            unsafe { Listed::from_raw(parent.data()) }.wake(news);
        }
        Ours::None => parent.wake(),
        _ => wake_parent(&parent, news),
    }
}

/// Notes a wake of a future, and passes it on. Gives the number of the poll after whose
/// beginning it came.
#[inline]
fn pass_on(owner: &Owner, news: &mut News, wake: impl FnOnce(&mut News)) -> u64 {
    let poll = owner.waking(news);
    wake(news);
    owner.wake_passed(poll);
    poll
}
