//! `spawn` and `spawn!`.

use std::future::Future;
use std::panic::Location;

use super::outcome::ByType;
use super::spawning::Spawning;
use super::tracked::TrackedTask;
use super::{JoinHandle, outcome};
use crate::record::Object;

/// Spawns a task, as [`tokio::spawn`] does, and watches it.
///
/// An `Err` that it returns is recognised whatever its type, and reported with the
/// name of that type if nobody looks at it. [`spawn!`](crate::spawn!) prints the
/// error itself and takes a name.
///
/// # Panics
///
/// As [`tokio::spawn`]: outside a runtime.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let handle = debug_async::spawn(async { 42 });
/// assert_eq!(handle.await.unwrap(), 42);
/// # }
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_probed(future, None, ByType)
}

/// Spawns a task, as [`tokio::spawn`] does, and watches it: `spawn!(future)`, or
/// `spawn!(name = "…", future)`.
///
/// If the task's output is a `Result` whose error is [`Debug`], a lost error is
/// printed in the report. To see that, the macro needs the type: where it follows
/// only from what is done with the result later, use [`spawn`](crate::spawn()).
///
/// # Panics
///
/// As [`tokio::spawn`]: outside a runtime.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let answer = debug_async::spawn!(async { 42 });
/// let shard = 7;
/// let named = debug_async::spawn!(name = format!("shard {shard}"), async move { shard });
/// assert_eq!(answer.await.unwrap() + named.await.unwrap(), 49);
/// # }
/// ```
#[macro_export]
macro_rules! spawn {
    (name = $name:expr, $future:expr $(,)?) => {
        $crate::__private::spawn_seen!(
            $future,
            ::core::option::Option::Some(::std::string::String::from($name))
        )
    };
    ($future:expr $(,)?) => {
        $crate::__private::spawn_seen!($future, ::core::option::Option::None)
    };
}

/// Takes a look at the concrete type of a future's output.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug_async_spawn_seen {
    ($future:expr, $name:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{SeenByType as _, SeenFirst as _};
        // As written: the name may look at what the future then takes.
        let name = $name;
        let future = $future;
        let output = $crate::__private::OutputOf::of(&future);
        $crate::__private::spawn_probed(future, name, (&output).probe())
    }};
}

/// The implementation of both; the probe sees the output.
#[doc(hidden)]
#[inline]
#[track_caller]
pub fn spawn_probed<F, P>(future: F, name: Option<String>, _: P) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    P: outcome::Probe<F::Output>,
{
    let (task, record) =
        TrackedTask::<F, P>::new(future, Object::Task, name, Location::caller(), None);
    let _spawning = Spawning::begin();
    JoinHandle::new::<P>(tokio::spawn(task), record)
}
