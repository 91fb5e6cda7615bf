//! What the rewriting puts around expressions.

use std::marker::PhantomData;

use futures_core::Stream;
use real::future::{TrackFuture, TrackedFuture};
use real::io::{TrackIo, TrackRead, TrackedIo};
use real::stream::{TrackStream, TrackedStream};
use tokio::io::{AsyncRead, AsyncWrite};

/// Around what is awaited, an `async` block, a branch of `select!` or `join!`.
#[track_caller]
pub fn future<F: IntoFuture>(future: F) -> TrackedFuture<F::IntoFuture> {
    TrackFuture::tracked(future.into_future())
}

/// Around the making of a stream.
#[track_caller]
pub fn stream<S: Stream>(stream: S) -> TrackedStream<S> {
    TrackStream::tracked(stream)
}

/// The type of a value, at hand for method resolution.
pub struct TypeOf<T>(PhantomData<fn() -> T>);

impl<T> TypeOf<T> {
    pub fn of(_: &T) -> Self {
        TypeOf(PhantomData)
    }
}

macro_rules! kinds {
    ($($kind:ident [$($bound:ident)?] for $target:ty, $method:ident -> $out:ty, |$value:ident| $wrap:expr;)*) => {$(
        pub trait $kind<T> {
            type Out;
            #[track_caller]
            fn $method(&self, value: T) -> Self::Out;
        }

        impl<T $(: $bound)?> $kind<T> for $target {
            type Out = $out;
            #[track_caller]
            fn $method(&self, $value: T) -> $out {
                $wrap
            }
        }
    )*};
}

kinds! {
    IsFuture [Future] for &&TypeOf<T>, wrap -> TrackedFuture<T>, |value| TrackFuture::tracked(value);
    IsStream [Stream] for &TypeOf<T>, wrap -> TrackedStream<T>, |value| TrackStream::tracked(value);
    IsOther [] for TypeOf<T>, wrap -> T, |value| value;
    IsWriter [AsyncWrite] for &&TypeOf<T>, wrap_io -> TrackedIo<T>, |value| TrackIo::tracked(value);
    IsReader [AsyncRead] for &TypeOf<T>, wrap_io -> TrackedIo<T>, |value| TrackRead::tracked_reader(value);
    IsNoIo [] for TypeOf<T>, wrap_io -> T, |value| value;
}

/// Around what is polled by hand: a future, a stream, or something else.
#[macro_export]
macro_rules! wrap {
    ($value:expr) => {
        match $value {
            value => {
                #[allow(unused_imports)]
                use $crate::wrap::{IsFuture as _, IsOther as _, IsStream as _};
                (&&&$crate::wrap::TypeOf::of(&value)).wrap(value)
            }
        }
    };
}

/// Around a reader or a writer.
#[macro_export]
macro_rules! wrap_io {
    ($value:expr) => {
        match $value {
            value => {
                #[allow(unused_imports)]
                use $crate::wrap::{IsNoIo as _, IsReader as _, IsWriter as _};
                (&&&$crate::wrap::TypeOf::of(&value)).wrap_io(value)
            }
        }
    };
}
