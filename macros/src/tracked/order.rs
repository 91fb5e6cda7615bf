//! Which attributes must have their turn before ours.
//!
//! `#[tracked]` leaves a function that is no longer `async`. An attribute that looks for `async`
//! (`#[instrument]`, `#[async_trait]`, `#[tokio::test]`) would then do something else, or nothing,
//! without a word. So ours goes behind all that it does not know, and comes back when they are done.

use proc_macro2::{TokenStream, TokenTree};
use syn::Attribute;

/// Attributes that rewrite nothing. One missing here costs a second expansion, no more.
const INERT: &[&str] = &[
    "allow",
    "warn",
    "deny",
    "forbid",
    "expect",
    "cfg",
    "doc",
    "must_use",
    "deprecated",
    "inline",
    "cold",
    "track_caller",
    "target_feature",
    "non_exhaustive",
    "automatically_derived",
    "no_mangle",
    "unsafe",
    "rustfmt",
    "clippy",
    "diagnostic",
    "miri",
    "rust_analyzer",
];

/// Whether one of these attributes may be a macro. A `cfg_attr` inside a block has not been
/// resolved yet and can hide one.
pub(super) fn others_go_first(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let first = attr.path().segments.first();
        !first.is_some_and(|segment| INERT.iter().any(|inert| segment.ident == inert))
    })
}

/// Whether there is anything in `tokens` that could be tracked, now or after another macro.
pub(super) fn mention_async(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "async",
        TokenTree::Group(group) => mention_async(group.stream()),
        _ => false,
    })
}
