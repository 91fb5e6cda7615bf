//! A `main` that returns a `Result`, without a warning.

#![deny(warnings, clippy::all, missing_docs, unused_qualifications)]
#![forbid(unsafe_code)]

use std::error::Error;

#[debug_async::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let n: u32 = "4".parse()?;
    if n != 4 {
        return Err("not four".into());
    }
    Ok(())
}
