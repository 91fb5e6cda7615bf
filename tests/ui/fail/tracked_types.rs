//! A type that does not fit is reported at the expression that has it.

use debug_async::tracked;

#[tracked]
async fn tail() -> u32 {
    let n = "text";
    n
}

#[tracked]
async fn early(n: u32) -> Result<u32, String> {
    if n == 0 {
        return Ok("zero");
    }
    Ok(n)
}

#[tracked]
async fn no_value() -> Result<(), String> {
    early(1).await?;
}

#[tracked]
async fn question_mark() {
    early(1).await?;
}

struct MyError;

#[tracked]
async fn wrong_error() -> Result<u8, MyError> {
    Ok("1".parse()?)
}

#[tracked]
async fn unknown_type(x: Missing) -> Missing {
    x
}

#[tracked]
async fn no_lifetime() -> &str {
    ""
}

#[tracked]
async fn refutable(Some(x): Option<u8>) -> u8 {
    x
}

#[tracked]
async fn argument(n: u32) {
    argument("text").await;
}

fn main() {}
