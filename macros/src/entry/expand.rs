//! The function that `#[main]` and `#[test]` make: a future, a builder, and a call that runs one in
//! the other.

use std::time::Duration;

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, ReturnType, Signature};

use super::Entry;
use super::config::{Config, Flavor};
use crate::body;
use crate::item_fn::ItemFn;

pub(super) fn function(entry: Entry, function: ItemFn, config: &Config) -> TokenStream {
    let ItemFn {
        attrs,
        vis,
        defaultness,
        mut sig,
        body,
    } = function;
    sig.asyncness = None;
    let body = body.unwrap_or_else(|| Group::new(Delimiter::Brace, TokenStream::new()));

    let test = (entry == Entry::Test).then(|| {
        // Behind the other attributes, so that those which come later can see it.
        quote!(#[::core::prelude::v1::test])
    });
    let future = future(entry, &sig, &body);
    let builder = builder(config);
    let call = call(&sig, runner(entry, &sig.ident, config.flavor), config);
    // The braces stay the user's, and so the function does: lints pass over those of a macro.
    let mut run = Group::new(Delimiter::Brace, quote!(#future #builder #call));
    run.set_span(body.span());
    quote_spanned! {Span::mixed_site()=>
        #(#attrs)*
        #test
        #vis #defaultness #sig #run
    }
}

/// `let body = …`, the future that is to be run.
fn future(entry: Entry, sig: &Signature, body: &Group) -> TokenStream {
    let block = body::tokens(&sig.output, &TokenStream::new(), body);
    let span = Span::mixed_site().located_at(body.span());
    let block = quote_spanned!(span=> async { #block });
    if entry == Entry::Main || body::returns_never(&sig.output) {
        return quote_spanned!(Span::mixed_site()=> let body = #block;);
    }
    // There is one `main` and there are many tests: behind a `dyn`, all that return the same type
    // share one copy of the code that runs them.
    let output = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => {
            let ty = body::erase_impl_trait(ty);
            quote!(#ty)
        }
    };
    quote_spanned! {Span::mixed_site()=>
        let body = ::core::pin::pin!(#block);
        let body: ::core::pin::Pin<&mut dyn ::core::future::Future<Output = #output>> = body;
    }
}

/// `let mut builder = …`, with everything set on it that was asked for.
fn builder(config: &Config) -> TokenStream {
    let span = Span::mixed_site();
    let krate = config.krate.at(span);
    let new = match config.flavor {
        Flavor::MultiThread => quote_spanned!(span=> new_multi_thread),
        Flavor::CurrentThread | Flavor::Local => quote_spanned!(span=> new_current_thread),
    };
    let worker_threads = config
        .worker_threads
        .map(|threads| quote_spanned!(span=> builder.worker_threads(#threads);));
    let name = config
        .name
        .as_ref()
        .map(|name| quote_spanned!(span=> builder.name(#name);));
    let debug = config
        .debug
        .map(|debug| quote_spanned!(span=> builder.debug(#debug);));
    let slow_poll = config.slow_poll.map(|slow_poll| {
        let slow_poll = duration(slow_poll);
        quote_spanned!(span=> builder.slow_poll(#slow_poll);)
    });
    let timeout = config.timeout.map(|timeout| {
        let timeout = duration(timeout);
        quote_spanned!(span=> builder.test_timeout(#timeout);)
    });
    // These two exist in tokio on conditions of tokio's. Where one does not, the error belongs to
    // the argument.
    let start_paused = config.start_paused.as_ref().map(|paused| {
        let span = span.located_at(paused.span());
        quote_spanned!(span=> builder.as_tokio().start_paused(#paused);)
    });
    let unhandled_panic = config.unhandled_panic.as_ref().map(|variant| {
        let span = span.located_at(variant.span());
        let krate = config.krate.at(span);
        quote_spanned! {span=>
            builder
                .as_tokio()
                .unhandled_panic(#krate::__private::tokio::runtime::UnhandledPanic::#variant);
        }
    });
    quote_spanned! {span=>
        let mut builder = #krate::runtime::Builder::#new();
        builder.enable_all();
        #worker_threads
        #name
        #debug
        #slow_poll
        #timeout
        #start_paused
        #unhandled_panic
    }
}

fn duration(duration: Duration) -> TokenStream {
    let seconds = duration.as_secs();
    let nanos = duration.subsec_nanos();
    quote_spanned!(Span::mixed_site()=> ::core::time::Duration::new(#seconds, #nanos))
}

/// The function of `__private` that runs the future.
fn runner(entry: Entry, ident: &Ident, flavor: Flavor) -> Ident {
    let kind = match entry {
        Entry::Test => "test",
        Entry::Main if ident == "main" => "main",
        Entry::Main => "entry",
    };
    let local = if flavor == Flavor::Local {
        "_local"
    } else {
        ""
    };
    format_ident!(
        "run_{kind}{local}",
        span = ident.span().resolved_at(Span::mixed_site())
    )
}

/// The call of the runner, at the line of the function's name.
///
/// It is `#[track_caller]`, and what the caller's line is depends on the spans of the call: for
/// tokens of ours it would be the line of the attribute. So the call itself must be made of tokens
/// with the user's span, and of as few as possible, since lints take those for the user's. The
/// `return` is ours: one lint asks for it and another for none, and neither looks at one of ours.
fn call(sig: &Signature, runner: Ident, config: &Config) -> TokenStream {
    // That the runner is not content with the type of the output is the fault of the type.
    let span = Span::mixed_site().located_at(match &sig.output {
        ReturnType::Default => sig.ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    });
    let krate = config.krate.at(span);
    let runner = quote_spanned!(span=> #krate::__private::#runner);
    let run = Ident::new("run", sig.ident.span());
    let args = quote_spanned!(Span::mixed_site()=> builder, body);
    let call = quote_spanned!(sig.ident.span()=> #run(#args));
    quote_spanned! {Span::mixed_site()=>
        let #run = #runner;
        return #call;
    }
}
