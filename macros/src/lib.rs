//! stub docs
mod args;
mod body;
mod entry;
mod item_fn;
mod krate;
mod tracked;
use proc_macro::TokenStream;
/// main
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(entry::Entry::Main, args.into(), item.into()).into()
}
/// test
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(entry::Entry::Test, args.into(), item.into()).into()
}
/// tracked
#[proc_macro_attribute]
pub fn tracked(args: TokenStream, item: TokenStream) -> TokenStream {
    tracked::expand(args.into(), item.into()).into()
}
