//! A `main` that ends with any other `Termination`, on another runtime.

#![deny(warnings)]

#[debug_async::main(flavor = "local", debug = false)]
async fn main() -> impl std::process::Termination {
    tokio::task::yield_now().await;
    std::process::ExitCode::SUCCESS
}
