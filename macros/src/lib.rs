//! The attributes of `debug_async`: [`macro@main`], [`macro@test`] and [`macro@tracked`].
//!
//! This crate is a part of `debug-async`, which re-exports all three and shows them at work. It is
//! of no use by itself: what the attributes expand to calls into `::debug_async`.
//!
//! # Where the crate is found
//!
//! Every path in an expansion begins with `::debug_async`. In a package that has renamed the
//! dependency, or gets it from another crate's re-export, the argument `crate` says where it is: a
//! path, or a string with a path in it. All three attributes take it.
//!
//! ```text
//! #[facade::debug_async::main(crate = facade::debug_async)]
//! #[facade::debug_async::tracked(crate = "facade::debug_async")]
//! ```
//!
//! # Mistakes
//!
//! An argument that cannot be right is an error at that argument, which says what would be. All
//! mistakes of one attribute are reported at once. The item is there in any case, so one mistake
//! does not become many, and an editor goes on completing.

mod args;
mod body;
mod entry;
#[cfg(test)]
mod fuzzing;
mod item_fn;
mod krate;
mod tracked;

use proc_macro::TokenStream;

/// Runs an `async fn` on a runtime of its own, with the debug mode in it.
///
/// It is meant for `main`, in the place of `#[tokio::main]`, and takes the same arguments. On a
/// function of another name it makes a function that is not `async`, and which builds a runtime at
/// every call.
///
/// ```text
/// #[debug_async::main(debug = true, slow_poll = "50ms")]
/// async fn main() -> Result<(), Error> { … }
/// ```
///
/// # Arguments
///
/// | argument | values | default |
/// |---|---|---|
/// | `flavor` | `"multi_thread"`, `"current_thread"`, `"local"` | `"multi_thread"` |
/// | `worker_threads` | a number from 1; with `"multi_thread"` only | tokio's: the number of CPUs |
/// | `start_paused` | `true`, `false`; not with `"multi_thread"` | `false` |
/// | `unhandled_panic` | `"ignore"`, `"shutdown_runtime"`; not with `"multi_thread"` | `"ignore"` |
/// | `name` | the runtime's name, a string | none |
/// | `debug` | `true`, `false` | the environment's `ASYNC_DEBUG` |
/// | `slow_poll` | a duration, as in `"50ms"`, `"2s"` or `"1m 30s"` | the configuration's |
/// | `crate` | the path of `debug_async` | `::debug_async` |
///
/// `start_paused` needs tokio's feature `test-util`; `unhandled_panic` needs a build with
/// `--cfg tokio_unstable`.
///
/// # What it expands to
///
/// ```text
/// fn main() -> Result<(), Error> {
///     let body = async { … };
///     let mut builder = ::debug_async::runtime::Builder::new_multi_thread();
///     builder.enable_all();
///     builder.debug(true);
///     builder.slow_poll(Duration::new(0, 50_000_000));
///     return ::debug_async::__private::run_main(builder, body);
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(entry::Entry::Main, args.into(), item.into()).into()
}

/// Makes an `async fn` a test, which runs on a runtime of its own and in debug mode.
///
/// It takes the place of `#[tokio::test]`, and the arguments of [`macro@main`]. Two defaults differ:
/// `flavor` is `"current_thread"`, and `debug` is `true` unless the environment says
/// `ASYNC_DEBUG=off`.
///
/// There is one argument more, `timeout`, a duration as in `"5s"`: a test that has not ended by then
/// is dropped and fails, and the message shows by `debug_async::dump` what each of its tasks was
/// waiting for. It is the system's time, also where tokio's is paused. A test whose thread is blocked
/// cannot be dropped: then the dump is written to stderr.
///
/// ```text
/// #[debug_async::test(start_paused = true)]
/// async fn gives_up_after_a_minute() { … }
/// ```
///
/// Other attributes of tests (`#[ignore]`, `#[should_panic]`) work as ever; a second one that makes
/// the function a test is an error.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(entry::Entry::Test, args.into(), item.into()).into()
}

/// Tracks the futures of an `async fn`, each from the line that called the function.
///
/// ```text
/// #[debug_async::tracked]
/// async fn fetch(id: u32) -> Result<String, FetchError> { … }
///
/// let future = fetch(1);   // a `TrackedFuture`, made at this line
/// ```
///
/// The function does what it did: the same output, the same bounds, the same order of drops. It
/// returns a `debug_async::future::TrackedFuture` in the place of an unnamed future.
///
/// # What it can be put on
///
/// - An `async fn`: free, or a method of whatever kind.
/// - An `impl`: every `async fn` in it.
/// - A `trait`: every `async fn` with a body in it. One without is left as it is.
/// - A `mod` with its content in braces: every `async fn` in it, and in all that it contains.
/// - A function that ends with `async { … }` or `Box::pin(async { … })`. Such is what
///   `#[async_trait]` makes of an `async fn`. The block is tracked, the function's type stays.
///
/// Functions inside a function's body are left alone, as is what a macro in a block makes.
///
/// # Arguments
///
/// - `name = "…"`: what reports call the future, on a single function. The default is the
///   function's path.
/// - `skip`: on something in a tracked block, leaves it as it is.
/// - `crate = …`: the path of `debug_async`.
///
/// A function in a tracked block can have a `#[tracked]` with arguments of its own.
///
/// # Traits
///
/// In a tracked `trait` or `impl Trait for …`, a function returns `impl Future` and not
/// `TrackedFuture`: so both sides, tracked or not, can be mixed.
///
/// An attribute on a single method cannot see what the method is in. It returns a `TrackedFuture`,
/// which in the `impl` of a trait is as good. A method *with a body in a trait's definition* should
/// be tracked by an attribute on the trait, or else no `impl` could replace it by a plain `async fn`.
///
/// # Other attributes
///
/// Attributes that look for an `async fn`, as `#[instrument]` and `#[async_trait]` do, must see it
/// before it is rewritten. So this attribute lets all others on the same item go first, wherever it
/// stands among them. Functions that such an attribute has made into something else than a future,
/// like the tests in a tracked module, are then left alone.
///
/// # What changes
///
/// - `#[must_use]` on the function speaks of the future, which must be used anyway, and no longer
///   of its output: the compiler keeps that for functions which are `async`.
/// - For a call through a `dyn Trait` or a function pointer, the line is that of the function; of
///   the `#[async_trait]`, where that has written it.
/// - `-> !` becomes a future whose output is `!`.
/// - Lints that are about functions with the keyword `async` pass the function over.
///
/// # What it expands to
///
/// ```text
/// #[track_caller]
/// fn fetch(id: u32) -> TrackedFuture<impl Future<Output = Result<String, FetchError>>> {
///     return ::debug_async::__private::tracked_fn(async move {
///         let id = id;
///         …
///     });
/// }
/// ```
#[proc_macro_attribute]
pub fn tracked(args: TokenStream, item: TokenStream) -> TokenStream {
    tracked::expand(args.into(), item.into()).into()
}
