//! One function: put off, rewritten, or left alone.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::{Ident, LitStr};

use super::options::{Options, Place};
use super::{ACCEPTED, Context, manual, order, signature};
use crate::args::Errors;
use crate::body;
use crate::item_fn::ItemFn;
use crate::krate::Krate;

pub(super) fn expand(
    mut function: ItemFn,
    options: &Options,
    context: &Context,
    errors: &mut Errors,
) -> TokenStream {
    if !context.last
        && order::others_go_first(&function.attrs)
        && order::mention_async(function.to_token_stream())
    {
        function.attrs.push(options.to_last_attribute(context));
        return function.to_token_stream();
    }
    let wrap = Wrap {
        krate: &context.krate,
        name: options.name(),
        ident: &function.sig.ident.clone(),
    };
    match (function.sig.asyncness.is_some(), function.body.take()) {
        (true, Some(body)) => rewrite(function, &body, &wrap, context),
        // A declaration in a trait says what a future there is, not how one is made.
        (true, None) => function.to_token_stream(),
        (false, body) => {
            let wrapped = body.as_ref().and_then(|body| manual::wrap(body, &wrap));
            if wrapped.is_some() {
                signature::add_track_caller(&mut function);
            } else if context.place == Place::Alone {
                // In a block, anything may stand beside what is tracked.
                errors.push(syn::Error::new_spanned(function.sig.fn_token, ACCEPTED));
            }
            function.body = wrapped.or(body);
            function.to_token_stream()
        }
    }
}

/// From `async fn` to a function that returns the tracked future of an `async` block.
///
/// It has to be a function that is not `async`: only then does its caller's line come with the
/// call, by `#[track_caller]`, and does the future exist in full before it is first polled.
fn rewrite(mut function: ItemFn, body: &Group, wrap: &Wrap<'_>, context: &Context) -> TokenStream {
    let captures = signature::capture_arguments(&mut function.sig);
    let span = body.span();
    let block = body::tokens(&function.sig.output, &captures, body);
    let ours = Span::mixed_site().located_at(span);
    let future = wrap.future(&quote_spanned!(ours=> async move { #block }));
    signature::stop_being_async(&mut function, context);
    let ItemFn {
        attrs,
        vis,
        defaultness,
        sig,
        ..
    } = function;
    // One lint asks for a `return` here and another for none; neither looks at one of ours.
    let future = quote_spanned!(ours=> return #future;);
    // From its first token to its last the function is the user's, or else lints would take it for
    // the work of a macro and not say that it is never used.
    let mut body = Group::new(Delimiter::Brace, future);
    body.set_span(span);
    quote_spanned! {Span::mixed_site()=>
        #(#attrs)*
        #vis #defaultness #sig #body
    }
}

/// What is put around a future.
pub(super) struct Wrap<'a> {
    krate: &'a Krate,
    name: Option<&'a LitStr>,
    ident: &'a Ident,
}

impl Wrap<'_> {
    /// The call that tracks `future`, at the line of the function's name: that is the line which
    /// the function's own frame has in a stack.
    pub(super) fn future(&self, future: &TokenStream) -> TokenStream {
        let span = self.ident.span();
        let krate = self.krate.at(span);
        match self.name {
            Some(name) => quote_spanned!(span=> #krate::__private::tracked_fn_as(#name, #future)),
            None => quote_spanned!(span=> #krate::__private::tracked_fn(#future)),
        }
    }
}
