//! What `#[tracked]` cannot be put on.

use debug_async::tracked;

#[tracked]
fn not_async() -> u32 {
    let _future = async {};
    1
}

#[tracked]
struct Struct;

#[tracked]
const CONST: u32 = 1;

trait Trait {
    #[tracked]
    fn declared(&self) -> impl Future<Output = ()>;
}

fn main() {
    not_async();
    let _ = (Struct, CONST);
}
