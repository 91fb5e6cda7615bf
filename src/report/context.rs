//! The span and the subscriber that a report belongs to.

use tracing::{Dispatch, Span};

use crate::record::Debugged;

/// The `tracing` context in which a thing was created.
#[derive(Clone)]
pub(crate) struct Context {
    span: Span,
    dispatch: Dispatch,
}

impl Context {
    /// That of this thread, now.
    pub(crate) fn current() -> Context {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        Context {
            span: Span::current(),
            dispatch,
        }
    }

    /// That in which a thing was created.
    pub(crate) fn of(debug: &Debugged) -> Context {
        Context {
            span: debug.span.clone(),
            dispatch: debug.dispatch.clone(),
        }
    }

    /// Calls `f` with the span, under the subscriber, or under this thread's if
    /// there was none yet when the thing was created.
    pub(super) fn enter<R>(&self, f: impl FnOnce(&Span) -> R) -> R {
        if self.dispatch.is::<tracing::subscriber::NoSubscriber>() {
            f(&Span::none())
        } else {
            tracing::dispatcher::with_default(&self.dispatch, || f(&self.span))
        }
    }
}
