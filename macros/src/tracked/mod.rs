//! `#[tracked]`: an `async fn` whose futures are tracked, from the line that calls it.

mod block;
mod function;
mod manual;
mod options;
mod order;
mod signature;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Item, ItemImpl, ItemTrait};

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
    Mod(syn::ItemMod),
    Other(Item),
}

fn parse_target(input: ParseStream<'_>) -> syn::Result<Target> {
    if ItemFn::peek(input) {
        return input.parse().map(Target::Fn);
    }
    Ok(match input.parse()? {
        Item::Impl(block) => Target::Impl(block),
        Item::Trait(block) => Target::Trait(block),
        Item::Mod(module) => Target::Mod(module),
        other => Target::Other(other),
    })
}

fn dispatch(mut options: Options, item: TokenStream, errors: &mut Errors) -> TokenStream {
    let mut target = match parse_target.parse2(item.clone()) {
        Ok(target) => target,
        Err(error) => {
            errors.push(error);
            return item;
        }
    };
    let (attrs, single) = match &mut target {
        Target::Fn(function) => (&mut function.attrs, true),
        Target::Impl(block) => (&mut block.attrs, false),
        Target::Trait(block) => (&mut block.attrs, false),
        Target::Mod(module) => (&mut module.attrs, false),
        Target::Other(other) => {
            errors.push(syn::Error::new_spanned(other, ACCEPTED));
            return item;
        }
    };
    options.absorb_second_attribute(attrs, errors);
    if !single {
        options.reject_name(errors);
    }
    if options.skips() {
        if options.place() == Place::Alone {
            options.reject_skip(errors);
        }
        return match target {
            Target::Fn(function) => function.to_token_stream(),
            Target::Impl(block) => block.to_token_stream(),
            Target::Trait(block) => block.to_token_stream(),
            Target::Mod(module) => module.to_token_stream(),
            Target::Other(_) => item,
        };
    }

    let context = options.context();
    match target {
        Target::Fn(function) => function::expand(function, &options, &context, errors),
        Target::Impl(block) => block::expand_impl(block, &context, errors),
        Target::Trait(block) => block::expand_trait(block, &context, errors),
        Target::Mod(module) => block::expand_mod(module, &context, errors),
        Target::Other(_) => item,
    }
}
