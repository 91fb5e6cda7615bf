//! The path under which the expansion finds `debug_async`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::Path;

/// `::debug_async`, unless the argument `crate` says otherwise.
#[derive(Clone, Default)]
pub(crate) struct Krate(Option<Path>);

impl Krate {
    pub(crate) fn new(path: Option<Path>) -> Self {
        Self(path)
    }

    /// This path if it was given, and else the other one.
    pub(crate) fn or(self, other: &Self) -> Self {
        Self(self.0.or_else(|| other.0.clone()))
    }

    /// The path to write. One that the user gave stays at the user's place, where an error about it belongs.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match &self.0 {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(span=> ::debug_async),
        }
    }

    /// The argument that makes another attribute use the same path.
    pub(crate) fn to_arg(&self) -> Option<TokenStream> {
        let path = self.0.as_ref()?;
        Some(quote_spanned!(Span::mixed_site()=> crate = #path))
    }
}
