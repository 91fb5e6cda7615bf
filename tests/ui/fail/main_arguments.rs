//! Each mistake in the arguments of `#[main]` is reported, where it was made.

#[debug_async::main(flavour = "multi_thread")]
async fn unknown() {}

#[debug_async::main(
    flavor = "threaded",
    worker_threads = 0,
    debug = "yes",
    slow_poll = "quick"
)]
async fn bad_values() {}

#[debug_async::main(flavor = multi_thread, worker_threads = "2", name = 4, slow_poll = 50)]
async fn bad_types() {}

#[debug_async::main(worker_threads = -1, unhandled_panic = "abort", crate = "not a path", debug)]
async fn more_bad_values() {}

#[debug_async::main(debug = true, debug = true, name = "a", name = "b")]
async fn repeated() {}

#[debug_async::main(start_paused = true)]
async fn paused_with_threads() {}

#[debug_async::main(flavor = "current_thread", worker_threads = 2)]
async fn threads_without_threads() {}

#[debug_async::main(unhandled_panic = "ignore")]
async fn panics_with_threads() {}

#[debug_async::main(multi_thread, flavor: "local", debug =, "name" = "x")]
async fn not_key_and_value() {}

#[debug_async::main(timeout = "5s")]
async fn a_test_s() {}

fn main() {
    a_test_s();
    // The functions are there all the same.
    unknown();
    bad_values();
    bad_types();
    repeated();
    not_key_and_value();
}
