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
    #[inline]
    pub(crate) fn new(
        inner: F,
        object: Object,
        name: Option<String>,
        location: &'static Location<'static>,
        scope: Option<&Arc<Scope>>,
    ) -> (Self, Option<Arc<Record>>) {
        let watch = Watch::new::<F>(object, name, location, scope);
        let record = watch.record().cloned();
        // Each would ask; in production it is asked once.
        if let Some(record) = &record
            && record.debug().is_some()
        {
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

    /// Short, so that it becomes a part of tokio's: a task that is not watched then
    /// costs one test a poll.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.watch.record().is_some() {
            self.poll_watched(cx)
        } else {
            self.project().inner.poll(cx)
        }
    }
}

impl<F: Future, P: Probe<F::Output>> TrackedTask<F, P> {
    /// By this name it is known as the end of an await stack.
    #[inline(never)]
    fn poll_watched(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let inner = (std::ptr::from_ref(&*this.inner).addr(), size_of::<F>());
        let poll = AssertUnwindSafe(|| this.watch.poll(cx, |cx| this.inner.poll(cx)));
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::{Wake, Waker};

    use super::super::outcome::ByType;
    use super::*;
    use crate::config::Config;
    use crate::mode::Mode;

    struct Parent;

    impl Wake for Parent {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn nothing_keeps_the_waker_of_a_task_that_is_gone() {
        let scope = Scope::new(Mode::Debug, Config::new().await_stacks(false));
        let parent = Arc::new(Parent);
        let waker = Waker::from(Arc::clone(&parent));
        let leaf = poll_fn(|cx| {
            drop(cx.waker().clone());
            Poll::<()>::Pending
        });
        let at = Location::caller();
        let (task, record) =
            TrackedTask::<_, ByType>::new(leaf, Object::Task, None, at, Some(&scope));
        let mut task = Box::pin(task);
        let mut cx = Context::from_waker(&waker);
        for _ in 0..2 {
            assert!(task.as_mut().poll(&mut cx).is_pending());
            assert_eq!(Arc::strong_count(&parent), 3);
        }
        drop(task);
        // Though the record is still there, as the handle of the task has it.
        assert!(record.is_some());
        assert_eq!(Arc::strong_count(&parent), 2);
    }
}
