//! What must hold of whatever the attributes are given: for a target of `fuzz/`, and in a
//! short form for the tests.

use proc_macro2::TokenStream;

use crate::{entry, tracked};

/// What arguments and items are made of. Other bytes stand for themselves.
const PIECES: &[&str] = &[
    // Whole items first.
    "async fn f(x: u8) -> u8 { x }",
    "async fn main() { }",
    "async fn f(&mut self, (a, ref mut b): (u8, u8), _: &str) { }",
    "fn f() -> Pin<Box<dyn Future<Output = ()>>> { Box::pin(async move { }) }",
    "impl T { async fn f<'a>(mut self, x: &'a u8) -> Result<(), ()> { } }",
    "trait T { async fn f(&self) where Self: Sized { } async fn g(); }",
    "mod m { async fn f() -> ! { loop { } } impl U { #[tracked(skip)] async fn f() { } } }",
    "unsafe extern \"C\" fn f() { }",
    "flavor",
    "worker_threads",
    "start_paused",
    "unhandled_panic",
    "name",
    "debug",
    "slow_poll",
    "timeout",
    "crate",
    "skip",
    "__again",
    "=",
    ",",
    "true",
    "\"multi_thread\"",
    "\"current_thread\"",
    "\"50ms\"",
    "\"x\"",
    "4",
    "0",
    "-1",
    "::a",
    "\"::a::b\"",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    " ",
    "#",
    "!",
    "async ",
    "fn ",
    "f",
    "main",
    "self",
    "&",
    "mut ",
    "ref ",
    "pub ",
    "unsafe ",
    "extern \"C\" ",
    "const ",
    "impl ",
    "trait ",
    "mod ",
    "for ",
    "where ",
    "Self",
    ":",
    "::",
    "->",
    "_",
    "_x",
    "'a",
    "dyn ",
    "Result<(), ()>",
    "T",
    "#[tracked]",
    "#[tracked(skip)]",
    "#[test]",
    "#[cfg(all())]",
    "#![allow(x)]",
    "async move { 1 }",
    "Box::pin(async { })",
    ";",
    "..",
    "@",
    "|",
    "r#fn",
    "\"alone\"",
    "impl T { ",
    "impl T for U { ",
    "mod m { ",
    "...",
    "#[async_trait]",
    "default ",
    "Pin<Box<dyn Future<Output = ()> + Send>>",
    "/// doc\n",
];

fn text(bytes: &[u8]) -> String {
    let piece = |byte: &u8| match PIECES.get(usize::from(*byte)) {
        Some(piece) => (*piece).to_owned(),
        None => char::from(*byte).to_string(),
    };
    bytes.iter().map(piece).collect()
}

/// An attribute with any arguments, on any item, expands to what a parser takes if it took
/// the item; or says what is wrong.
///
/// Whether it was an item.
pub(crate) fn attributes(args: &[u8], item: &[u8]) -> bool {
    let tokens = |bytes| text(bytes).parse::<TokenStream>();
    let (Ok(args), Ok(item)) = (tokens(args), tokens(item)) else {
        return false;
    };
    let expand = |which: usize, args: &TokenStream, item: &TokenStream| {
        let (args, item) = (args.clone(), item.clone());
        match which {
            0 => entry::expand(entry::Entry::Main, args, item),
            1 => entry::expand(entry::Entry::Test, args, item),
            _ => tracked::expand(args, item),
        }
    };
    let is_item = syn::parse2::<syn::Item>(item.clone()).is_ok();
    for which in 0..3 {
        let expanded = expand(which, &args, &item);
        // The item is there in any case.
        assert!(item.is_empty() || !expanded.is_empty(), "{item}");
        if is_item {
            let parsed = syn::parse2::<syn::File>(expanded.clone());
            assert!(parsed.is_ok(), "{args} on {item} is {expanded}");
        }
        // The same again: nothing is remembered.
        assert_eq!(
            expand(which, &args, &item).to_string(),
            expanded.to_string()
        );
    }
    is_item
}

#[cfg(test)]
mod tests {
    use super::{PIECES, attributes};

    /// Many arguments and items, the same in each run.
    #[test]
    fn whatever_they_are_given() {
        let mut random = fastrand::Rng::with_seed(7);
        let pieces = PIECES.len() as u8 + 2;
        let mut some = |most: usize| {
            let length = random.usize(..most);
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..pieces)).collect();
            bytes
        };
        let mut case = |turn: u8| {
            let (args, mut item, after) = (some(8), some(4), some(2));
            item.push(turn % 8);
            item.extend(after);
            attributes(&args, &item)
        };
        let items = (0..3_000u32).filter(|turn| case(*turn as u8)).count();
        // Otherwise nothing has been tried.
        assert!(items > 100, "{items}");
    }
}
