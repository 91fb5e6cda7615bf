//! `#[tracked]`: an `async fn` whose futures are tracked, from the line that calls it.

mod block;
mod function;
mod manual;
mod options;
mod order;
mod signature;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Item, ItemImpl, ItemMod, ItemTrait};

use self::options::{Options, Place};
use crate::args::Errors;
use crate::item_fn::ItemFn;
use crate::krate::Krate;

const ACCEPTED: &str = "`#[tracked]` is for an `async fn`, a function that ends with \
                        `async { … }` or `Box::pin(async { … })`, an `impl`, a `trait`, \
                        or a `mod` with its content";

/// How the function or block at hand is to be tracked.
pub(crate) struct Context {
    /// Where it stands, and so which return types it may have.
    place: Place,
    /// Whether attributes that must go before ours have had their turn.
    last: bool,
    krate: Krate,
}

impl Context {
    /// The same for what is in a block that stands here.
    fn inside(&self, place: Place) -> Self {
        Self {
            place,
            last: false,
            krate: self.krate.clone(),
        }
    }
}

/// What `#[tracked(args)] item` becomes.
///
/// A mistake does not stop the expansion: beside the errors there is always the item, tracked if it
/// can be.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(args, &mut errors);
    let mut tokens = dispatch(options, item, &mut errors);
    tokens.extend(errors.into_compile_errors());
    tokens
}

enum Target {
    Fn(ItemFn),
    Impl(ItemImpl),
    Trait(ItemTrait),
    Mod(ItemMod),
}

impl Target {
    fn attrs(&mut self) -> &mut Vec<Attribute> {
        match self {
            Self::Fn(function) => &mut function.attrs,
            Self::Impl(block) => &mut block.attrs,
            Self::Trait(block) => &mut block.attrs,
            Self::Mod(module) => &mut module.attrs,
        }
    }

    fn into_tokens(self) -> TokenStream {
        match self {
            Self::Fn(function) => function.into_token_stream(),
            Self::Impl(block) => block.into_token_stream(),
            Self::Trait(block) => block.into_token_stream(),
            Self::Mod(module) => module.into_token_stream(),
        }
    }
}

impl Parse for Target {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if ItemFn::peek(input) {
            return input.parse().map(Self::Fn);
        }
        match input.parse()? {
            Item::Impl(block) => Ok(Self::Impl(block)),
            Item::Trait(block) => Ok(Self::Trait(block)),
            Item::Mod(module) => Ok(Self::Mod(module)),
            other => Err(syn::Error::new_spanned(other, ACCEPTED)),
        }
    }
}

fn dispatch(mut options: Options, item: TokenStream, errors: &mut Errors) -> TokenStream {
    let Some(mut target) = errors.ok(syn::parse2::<Target>(item.clone())) else {
        return item;
    };
    options.absorb_second_attribute(target.attrs(), errors);
    if !matches!(target, Target::Fn(_)) {
        options.reject_name(errors);
    }
    if options.skips() {
        if options.place() == Place::Alone {
            options.reject_skip(errors);
        }
        return target.into_tokens();
    }

    let context = options.context();
    match target {
        Target::Fn(function) => function::expand(function, &options, &context, errors),
        Target::Impl(block) => block::expand_impl(block, &context, errors),
        Target::Trait(block) => block::expand_trait(block, &context, errors),
        Target::Mod(module) => block::expand_mod(module, &context, errors),
    }
}
