use std::sync::Arc;
use std::time::Duration;

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
    // A task of its own is polled whatever this one waits for.
    let mut deposit = debug_async::spawn!(deposit(Arc::clone(&account)));
    tokio::select! {
        biased;
        result = &mut deposit => return result.expect("it does not panic"),
        () = sleep(Duration::from_millis(100)) => {
            let balance = account.lock().await;
            assert_eq!(*balance, 100);
        }
    }
    deposit.await.expect("it does not panic");
}

#[debug_async::main]
pub(crate) async fn main() {
    let account = Account::default();
    let audit = debug_async::spawn!(audit(Arc::clone(&account)));
    tokio::task::yield_now().await;
    let run = debug_async::spawn!(run(account));
    audit.await.expect("it does not panic");
    run.await.expect("it does not panic");
}
