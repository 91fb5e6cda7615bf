//! The span and the subscriber that a report belongs to.

use tracing::{Dispatch, Span};

/// The `tracing` context in which a thing was created.
#[derive(Clone)]
pub(crate) enum Context {
    /// A span knows its subscriber.
    Span(Span),
    NoSpan(Dispatch),
}

impl Context {
    /// That of this thread, now.
    pub(crate) fn current() -> Context {
        let span = Span::current();
        if span.is_disabled() {
            Context::NoSpan(tracing::dispatcher::get_default(Clone::clone))
        } else {
            Context::Span(span)
        }
    }

    /// Calls `f` with the span, under the subscriber, or under this thread's if
    /// there was none yet when the thing was created.
    pub(crate) fn enter<R>(&self, f: impl FnOnce(&Span) -> R) -> R {
        let none = Span::none();
        let (dispatch, span) = match self {
            Context::Span(span) => (span.with_subscriber(|(_, dispatch)| dispatch.clone()), span),
            Context::NoSpan(dispatch) => (Some(dispatch.clone()), &none),
        };
        match dispatch {
            Some(dispatch) if !dispatch.is::<tracing::subscriber::NoSubscriber>() => {
                tracing::dispatcher::with_default(&dispatch, || f(span))
            }
            _ => f(&none),
        }
    }
}
