//! A function whose body stays as the tokens it was written in.
//!
//! The attributes look at a function's head only. Not reading the body is faster, keeps its spans as they are, and lets
//! code through that is not finished yet (an editor expands it all the same) or newer than `syn`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{AttrStyle, Attribute, Signature, Token, Visibility};

pub(crate) struct ItemFn {
    /// The attributes around the function, and those that stood first in its body.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// The braces and what they hold; `None` where a trait only declares.
    pub(crate) body: Option<Group>,
}

impl ItemFn {
    /// Whether what follows in `input` is a function, with or without attributes.
    pub(crate) fn peek(input: ParseStream<'_>) -> bool {
        let fork = input.fork();
        Attribute::parse_outer(&fork).is_ok()
            && fork.parse::<Visibility>().is_ok()
            && parse_default(&fork).is_ok()
            && fork.parse::<Signature>().is_ok()
    }
}

impl Parse for ItemFn {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let defaultness = parse_default(input)?;
        let sig = input.parse()?;
        let body = if input.parse::<Option<Token![;]>>()?.is_some() {
            None
        } else {
            Some(lift_inner_attributes(parse_body(input)?, &mut attrs)?)
        };
        Ok(Self {
            attrs,
            vis,
            defaultness,
            sig,
            body,
        })
    }
}

impl ToTokens for ItemFn {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attrs,
            vis,
            defaultness,
            sig,
            body,
        } = self;
        for attr in attrs {
            attr.to_tokens(tokens);
        }
        vis.to_tokens(tokens);
        defaultness.to_tokens(tokens);
        sig.to_tokens(tokens);
        match body {
            Some(body) => body.to_tokens(tokens),
            None => <Token![;]>::default().to_tokens(tokens),
        }
    }
}

fn parse_default(input: ParseStream<'_>) -> syn::Result<Option<Token![default]>> {
    input.parse()
}

fn parse_body(input: ParseStream<'_>) -> syn::Result<Group> {
    let missing = input.error("expected the function's body, or a semicolon");
    let mut token: TokenTree = input.parse().map_err(|_| missing.clone())?;
    loop {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return Ok(group),
            // That of a `macro_rules!`, as `$body:block`, sits in a group that cannot be seen.
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                token = syn::parse2(group.stream()).map_err(|_| missing.clone())?;
            }
            _ => return Err(missing),
        }
    }
}

/// Moves `#![…]` to the front of the function: the body becomes a block, where it would not be allowed.
fn lift_inner_attributes(group: Group, attrs: &mut Vec<Attribute>) -> syn::Result<Group> {
    let parser = |input: ParseStream<'_>| {
        let inner = Attribute::parse_inner(input)?;
        Ok((inner, input.parse::<TokenStream>()?))
    };
    let (inner, rest) = parser.parse2(group.stream())?;
    if inner.is_empty() {
        return Ok(group);
    }
    attrs.extend(inner.into_iter().map(|attr| Attribute {
        style: AttrStyle::Outer,
        ..attr
    }));
    let mut body = Group::new(Delimiter::Brace, rest);
    body.set_span(group.span());
    Ok(body)
}
