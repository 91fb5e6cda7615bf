//! Each mistake in the arguments of `#[tracked]` is reported, where it was made.

use debug_async::tracked;

#[tracked(level = "info", name = 4, crate = 5, name)]
async fn bad() {}

#[tracked(name = "a", name = "b")]
async fn repeated() {}

#[tracked(skip)]
async fn skipped_by_itself() {}

#[tracked]
#[tracked]
async fn twice() {}

struct Type;

#[tracked(name = "all")]
impl Type {
    #[tracked(skip = true)]
    async fn skip_with_value(&self) {}

    #[tracked(skip, name = "none")]
    async fn skip_with_name(&self) {}

    #[tracked = "name"]
    async fn no_parentheses(&self) {}

    #[tracked]
    #[tracked(name = "twice")]
    async fn twice(&self) {}
}

#[tracked(name = "all")]
mod module {
    #[tracked(name = "some")]
    impl super::Type {}
}

fn main() {
    // The functions are there all the same.
    let _ = (bad(), repeated(), skipped_by_itself(), twice());
    let _ = (
        Type.skip_with_value(),
        Type.skip_with_name(),
        Type.no_parentheses(),
        Type.twice(),
    );
}
