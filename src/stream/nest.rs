//! Streams within one another: which of them is closed with which.
//!
//! The parts of a stream are seen when they are first polled, and when they are dropped
//! with it.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, Weak};

use super::cleanup::Cleanup;
use super::handover::{self, Within};
use super::open::Open;

/// What is being polled on this thread, of which others may be a part.
struct Polled {
    /// The addresses of the stream; none: it is the body of an `aclosing`.
    place: Option<Range<usize>>,
    parts: Vec<Weak<dyn Open>>,
}

thread_local! {
    static POLLED: RefCell<Vec<Polled>> = const { RefCell::new(Vec::new()) };
}

impl<T: Send + 'static> Cleanup<T> {
    /// A poll of its stream begins, which lies there; of the body of its `aclosing`, if
    /// there is no place.
    pub(super) fn nest(&self, place: Option<Range<usize>>) -> Nesting<'_, T> {
        let is_body = place.is_none();
        let polled = Polled {
            place,
            parts: Vec::new(),
        };
        let _ = POLLED.try_with(|stack| stack.borrow_mut().push(polled));
        Nesting {
            cleanup: self,
            is_body,
        }
    }

    /// The first poll begins of its stream, or of its `aclosing`, which lies there.
    ///
    /// What lies within the value of another stream is a part of it. What that only has
    /// a pointer to may be somebody else's, who goes on with it. In the body of an
    /// `aclosing`, another one is always within.
    pub(super) fn first_polled(self: &Arc<Self>, at: usize, is_aclosing: bool) {
        let _ = POLLED.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let Some(polled) = stack.last_mut() else {
                return;
            };
            let is_part = match &polled.place {
                Some(place) => place.contains(&at),
                None => is_aclosing,
            };
            if is_part {
                let this: Weak<Self> = Arc::downgrade(self);
                polled.parts.push(this);
            }
        });
    }

    /// What is dropped while this lives is to be cleaned up before this one.
    pub(super) fn gather(self: &Arc<Self>, within: Within) -> Gathers<T> {
        handover::begin_gathering(self.runtime(), within);
        Gathers(Arc::clone(self))
    }
}

/// A poll, in which streams may be polled that are a part of this one.
pub(super) struct Nesting<'a, T: Send + 'static> {
    cleanup: &'a Cleanup<T>,
    is_body: bool,
}

impl<T: Send + 'static> Drop for Nesting<'_, T> {
    fn drop(&mut self) {
        let ended = POLLED.try_with(|stack| stack.borrow_mut().pop());
        if let Ok(Some(Polled { parts, .. })) = ended
            && !parts.is_empty()
        {
            self.cleanup.add_parts(parts, self.is_body);
        }
    }
}

/// A drop, in which streams may be dropped that are a part of this one.
pub(super) struct Gathers<T: Send + 'static>(Arc<Cleanup<T>>);

impl<T: Send + 'static> Drop for Gathers<T> {
    fn drop(&mut self) {
        let gathered = handover::end_gathering();
        if !gathered.is_empty() {
            self.0.add_before(gathered);
        }
    }
}
