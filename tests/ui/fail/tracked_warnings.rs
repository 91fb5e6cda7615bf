//! The warnings about the user's own code are still there, once each, and there are no others.

#![deny(warnings)]

use debug_async::tracked;

#[tracked]
async fn unused_variable(x: u32, (a, b): (u32, u32)) -> u32 {
    a
}

#[tracked]
async fn unused_mut(mut x: u32) -> u32 {
    x
}

#[tracked]
async fn unreachable() -> u32 {
    return 1;
    2
}

#[tracked]
#[deprecated]
async fn deprecated() {}

struct Type;

#[tracked]
impl Type {
    async fn unused_mut(mut self) {}
}

trait Trait {
    async fn provided(&self) -> u32;
}

impl Trait for Type {
    #[tracked]
    async fn provided(&self) -> u32 {
        let x = 1;
        2
    }
}

fn main() {
    unused_variable(1, (2, 3));
    unused_mut(1);
    let _ = (
        unreachable(),
        deprecated(),
        Type.unused_mut(),
        Type.provided(),
    );
}
