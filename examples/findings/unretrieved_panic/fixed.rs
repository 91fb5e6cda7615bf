use std::num::ParseIntError;

async fn parse(line: &str) -> Result<u64, ParseIntError> {
    line.parse()
}

#[debug_async::main]
pub(crate) async fn main() {
    let parsed = debug_async::spawn!(parse("seven"));
    // Of a panic, this would be the `JoinError`.
    let number = parsed.await.expect("it does not panic");
    assert!(number.is_err());
}
