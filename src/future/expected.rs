//! Errors that are no news.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::observe;

pin_project! {
    /// A future some of whose errors nobody has to look at: see
    /// [`TrackFuture::expected`](super::TrackFuture::expected).
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Expected<F, P> {
        #[pin]
        inner: F,
        predicate: P,
    }
}

impl<F, P> Expected<F, P> {
    pub(super) fn new(inner: F, predicate: P) -> Self {
        Expected { inner, predicate }
    }
}

impl<F, P, T, E> Future for Expected<F, P>
where
    F: Future<Output = Result<T, E>>,
    P: FnMut(&E) -> bool,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let address = std::ptr::from_ref(&*self).addr();
        let this = self.project();
        let output = ready!(this.inner.poll(cx));
        if let Err(error) = &output {
            let expected = (this.predicate)(error);
            observe::expect_failure(expected.then_some((address, size_of::<Self>())));
        }
        Poll::Ready(output)
    }
}

impl<F: fmt::Debug, P> fmt::Debug for Expected<F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
