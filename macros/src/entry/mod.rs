//! `#[main]` and `#[test]`: an `async fn` that brings its own runtime.

mod config;
mod expand;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::Attribute;

use self::config::Config;
use crate::args::{Arg, Errors};
use crate::item_fn::ItemFn;

/// Which of the two attributes is at work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Main,
    Test,
}

impl Entry {
    /// The attribute as an error message writes it.
    fn name(self) -> &'static str {
        match self {
            Self::Main => "debug_async::main",
            Self::Test => "debug_async::test",
        }
    }
}

/// What `#[main(args)] item` or `#[test(args)] item` becomes.
///
/// A mistake does not stop the expansion: beside the errors there is always the function, as it
/// would have been, so that an editor goes on knowing what is in it.
pub(crate) fn expand(entry: Entry, args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let mut function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.at(
                error.span(),
                format!("`#[{}]` is for an `async fn`: {error}", entry.name()),
            );
            return [item, errors.into_compile_errors()].into_iter().collect();
        }
    };
    check_function(entry, &mut function, &mut errors);
    let args = Arg::parse_list(args, &mut errors);
    let config = Config::new(entry, &args, &mut errors);
    let mut tokens = expand::function(entry, function, &config);
    tokens.extend(errors.into_compile_errors());
    tokens
}

fn check_function(entry: Entry, function: &mut ItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        let message = format!(
            "`#[{}]` runs a future: write `async fn {}`",
            entry.name(),
            sig.ident
        );
        errors.push(syn::Error::new_spanned(sig.fn_token, message));
    }
    if function.body.is_none() {
        let message = format!("`#[{}]` needs a function with a body", entry.name());
        errors.push(syn::Error::new_spanned(sig, message));
    }
    match entry {
        Entry::Main if sig.ident == "main" && !sig.inputs.is_empty() => {
            errors.push(syn::Error::new_spanned(
                &sig.inputs,
                "`fn main` takes no parameters: nobody could pass them",
            ));
        }
        // Left where it is, the second would add an error of its own.
        Entry::Test => function.attrs.retain(|attr| {
            let second = is_test_attribute(attr);
            if second {
                let message = format!(
                    "`#[debug_async::test]` makes the function a test already: remove `#[{}]`",
                    without_spaces(attr)
                );
                errors.push(syn::Error::new_spanned(attr, message));
            }
            !second
        }),
        Entry::Main => {}
    }
}

/// Whether a second attribute of this kind would make the same function a test twice.
fn is_test_attribute(attr: &Attribute) -> bool {
    let path = attr.path();
    let names: Vec<String> = path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect();
    match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => path.leading_colon.is_none(),
        ["core" | "std", "prelude", _, "test"] | ["tokio" | "debug_async", "test"] => true,
        _ => false,
    }
}

fn without_spaces(attr: &Attribute) -> String {
    attr.path().to_token_stream().to_string().replace(' ', "")
}
