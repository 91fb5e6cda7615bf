//! The future that the runtime gets in place of the user's.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::outcome::{self, Probe};
use crate::detect::{large_future, untracked_tasks};
use crate::mode::Scope;
use crate::observe::{self, Watch};
use crate::record::{Object, Record, Step};

pin_project! {
    pub(crate) struct TrackedTask<F, P> {
        #[pin]
        inner: F,
        probe: PhantomData<fn() -> P>,
        // After `inner`: see `TrackedFuture`.
        watch: Watch,
    }

    impl<F, P> PinnedDrop for TrackedTask<F, P> {
        fn drop(this: Pin<&mut Self>) {
            this.project().watch.begin_drop();
        }
    }
}

impl<F: Future, P: Probe<F::Output>> TrackedTask<F, P> {
    /// Wraps a future that is about to be spawned, and gives the record that its
    /// handles share.
    pub(crate) fn new(
        inner: F,
        object: Object,
        name: Option<String>,
        location: &'static Location<'static>,
        scope: Option<&Arc<Scope>>,
    ) -> (Self, Option<Arc<Record>>) {
        let watch = Watch::new::<F>(object, name, location, scope);
        let record = watch.record().cloned();
        if let Some(record) = &record {
            large_future::spawned(record, size_of::<F>());
            untracked_tasks::spawned(record);
        }
        (
            TrackedTask {
                inner,
                probe: PhantomData,
                watch,
            },
            record,
        )
    }
}

impl<F: Future, P: Probe<F::Output>> Future for TrackedTask<F, P> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.watch.record().is_none() {
            return this.inner.poll(cx);
        }
        let inner = (std::ptr::from_ref(&*this.inner).addr(), size_of::<F>());
        let poll = AssertUnwindSafe(|| this.watch.poll(|| this.inner.poll(cx)));
        let result = catch_unwind(poll);
        let Some(record) = this.watch.record() else {
            unreachable!("a task keeps its record for as long as it lives")
        };
        match result {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => {
                if P::is_error(&output) {
                    let expected = observe::was_expected(inner.0, inner.1);
                    outcome::failed::<_, P>(record, &output, expected);
                } else {
                    record.take(Step::Done);
                }
                Poll::Ready(output)
            }
            // tokio catches it in turn, and sees it as if we were not here.
            Err(payload) => {
                outcome::panicked(record, &*payload);
                resume_unwind(payload)
            }
        }
    }
}
