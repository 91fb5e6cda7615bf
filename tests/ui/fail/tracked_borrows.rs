//! The borrow checker speaks of the user's names and lines.

use debug_async::tracked;

#[tracked]
async fn moved(text: String) -> String {
    drop(text);
    text
}

#[tracked]
async fn not_mut(text: String) {
    text.push('x');
}

#[tracked]
async fn returns_local<'a>() -> &'a str {
    let text = String::new();
    &text
}

#[tracked]
async fn wrong_lifetime<'a>(a: &'a str, b: &str) -> &'a str {
    b
}

struct Type(String);

impl Type {
    #[tracked]
    async fn not_mut(self) {
        self.0.push('x');
    }

    #[tracked]
    async fn behind_reference(&self) -> String {
        self.0
    }
}

fn spawned(text: &str) {
    tokio::spawn(borrows(text));
}

#[tracked]
async fn borrows(text: &str) {
    drop(text.len());
}

fn main() {}
