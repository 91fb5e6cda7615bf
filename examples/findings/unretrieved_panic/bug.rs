use std::time::Duration;

async fn parse(line: &str) -> u64 {
    line.parse().expect("a line is a number") // BUG
}

#[debug_async::main]
pub(crate) async fn main() {
    // std prints the panic, but not which task it was, nor that its result is missing.
    debug_async::spawn!(parse("seven"));
    tokio::time::sleep(Duration::from_millis(200)).await;
}
