//! A type that does not fit is reported at the expression that has it.

#[debug_async::main]
async fn tail() -> u32 {
    let n = "text";
    n
}

#[debug_async::main]
async fn early(n: u32) -> Result<u32, String> {
    if n == 0 {
        return Ok("zero");
    }
    Ok(n)
}

#[debug_async::main]
async fn no_value() -> Result<(), String> {
    early(1)?;
}

#[debug_async::main]
async fn question_mark() {
    early(1)?;
}

fn main() {}
