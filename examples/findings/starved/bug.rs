use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use debug_async::prelude::*;
use tokio::sync::Mutex;
use tokio::time::sleep;

type Account = Arc<Mutex<u64>>;

async fn deposit(account: Account) {
    *account.lock().await += 100;
}

async fn audit(account: Account) {
    let _balance = account.lock().await;
    sleep(Duration::from_secs(1)).await;
}

async fn run(account: Account) {
    let mut deposit = pin!(deposit(Arc::clone(&account)).tracked()); // BUG
    tokio::select! {
        biased;
        () = &mut deposit => return,
        () = sleep(Duration::from_millis(100)) => {
            // Meanwhile the lock goes to `deposit`, which was first in the queue. It is
            // not polled here, so it does not take it; and this waits for it.
            let balance = account.lock().await;
            eprintln!("slow, at {balance}");
        }
    }
    deposit.await;
}

#[debug_async::main]
pub(crate) async fn main() {
    let account = Account::default();
    let audit = debug_async::spawn!(audit(Arc::clone(&account)));
    tokio::task::yield_now().await;
    let run = debug_async::spawn!(run(account));
    audit.await.expect("it does not panic");
    // It would wait for ever; here it is given up.
    sleep(Duration::from_secs(8)).await;
    run.abort();
}
