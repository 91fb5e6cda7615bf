//! An `impl`, a `trait` or a `mod`: each function in it, and each such block in a `mod`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, ImplItem, Item, ItemImpl, ItemMod, ItemTrait, TraitItem};

use super::options::{Options, Place};
use super::{Context, function, order};
use crate::args::Errors;
use crate::item_fn::ItemFn;

pub(super) fn expand_impl(
    mut block: ItemImpl,
    context: &Context,
    errors: &mut Errors,
) -> TokenStream {
    if let Some(later) = put_off(&block.attrs, &block, context) {
        block.attrs.push(later);
        return block.into_token_stream();
    }
    let place = if block.trait_.is_some() {
        Place::Trait
    } else {
        Place::Inherent
    };
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            *item = ImplItem::Verbatim(expand_fn(function, place, context, errors));
        }
    }
    block.into_token_stream()
}

pub(super) fn expand_trait(
    mut block: ItemTrait,
    context: &Context,
    errors: &mut Errors,
) -> TokenStream {
    if let Some(later) = put_off(&block.attrs, &block, context) {
        block.attrs.push(later);
        return block.into_token_stream();
    }
    for item in &mut block.items {
        if let TraitItem::Fn(function) = item {
            *item = TraitItem::Verbatim(expand_fn(function, Place::Trait, context, errors));
        }
    }
    block.into_token_stream()
}

pub(super) fn expand_mod(
    mut module: ItemMod,
    context: &Context,
    errors: &mut Errors,
) -> TokenStream {
    if let Some(later) = put_off(&module.attrs, &module, context) {
        module.attrs.push(later);
        return module.into_token_stream();
    }
    match &mut module.content {
        Some((_, items)) => {
            for item in items {
                expand_item(item, context, errors);
            }
        }
        None => errors.push(syn::Error::new_spanned(
            &module,
            "the content of this module is in another file, where `#[tracked]` cannot see it: \
             track what is in there",
        )),
    }
    module.into_token_stream()
}

/// An item of a tracked module.
fn expand_item(item: &mut Item, context: &Context, errors: &mut Errors) {
    let attrs = match item {
        Item::Fn(function) => {
            *item = Item::Verbatim(expand_fn(function, Place::Free, context, errors));
            return;
        }
        Item::Impl(block) => &mut block.attrs,
        Item::Trait(block) => &mut block.attrs,
        Item::Mod(module) if module.content.is_some() => &mut module.attrs,
        _ => return,
    };
    let mut own = Options::take_from(attrs, errors).unwrap_or_default();
    own.reject_name(errors);
    if own.skips() {
        return;
    }
    let context = own.context_in(context, Place::Free);
    let tokens = match std::mem::replace(item, Item::Verbatim(TokenStream::new())) {
        Item::Impl(block) => expand_impl(block, &context, errors),
        Item::Trait(block) => expand_trait(block, &context, errors),
        Item::Mod(module) => expand_mod(module, &context, errors),
        other => other.into_token_stream(),
    };
    *item = Item::Verbatim(tokens);
}

/// A function in a tracked block.
fn expand_fn(
    function: &impl ToTokens,
    place: Place,
    context: &Context,
    errors: &mut Errors,
) -> TokenStream {
    let tokens = quote!(#function);
    let mut function = match syn::parse2::<ItemFn>(tokens.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            return tokens;
        }
    };
    let own = Options::take_from(&mut function.attrs, errors).unwrap_or_default();
    if own.skips() {
        return function.into_token_stream();
    }
    let context = own.context_in(context, place);
    function::expand(function, &own, &context, errors)
}

/// If other attributes of the block must go first: the attribute that calls us back then.
fn put_off(attrs: &[Attribute], block: &impl ToTokens, context: &Context) -> Option<Attribute> {
    let wait = !context.last
        && order::others_go_first(attrs)
        && order::mention_async(block.to_token_stream());
    wait.then(|| Options::default().to_last_attribute(context))
}
