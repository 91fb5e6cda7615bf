//! A program that hangs, and tells where:
//!
//!     ASYNC_DEBUG=1 cargo run --example hang &
//!     kill -USR1 $!
//!
//! Two tasks take two locks, each in another order. After ten seconds it gives up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Barrier, Mutex};
use tokio::time::timeout;

#[derive(Default)]
struct Accounts {
    savings: Mutex<i64>,
    current: Mutex<i64>,
}

#[debug_async::tracked]
async fn save(accounts: Arc<Accounts>, both: Arc<Barrier>) {
    let mut from = accounts.current.lock().await;
    both.wait().await;
    let mut to = accounts.savings.lock().await;
    *from -= 1;
    *to += 1;
}

#[debug_async::tracked]
async fn spend(accounts: Arc<Accounts>, both: Arc<Barrier>) {
    let mut from = accounts.savings.lock().await;
    both.wait().await;
    let mut to = accounts.current.lock().await;
    *from -= 1;
    *to += 1;
}

#[debug_async::main]
async fn main() {
    println!("process {}", std::process::id());
    let (accounts, both) = (Arc::<Accounts>::default(), Arc::new(Barrier::new(2)));
    let saving = debug_async::spawn!(save(Arc::clone(&accounts), Arc::clone(&both)));
    let spending = debug_async::spawn!(spend(accounts, both));
    let both = async { tokio::join!(saving, spending) };
    if timeout(Duration::from_secs(10), both).await.is_err() {
        println!("it hangs");
    }
}
