//! tokio-test, with a `block_on` in a runtime of `debug_async`.

pub use real::*;

/// As tokio-test's.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = debug_async::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}
