//! The head of an `async fn`, as that of a function which returns the same future.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, FnArg, Ident, Meta, Pat, PatIdent, PatType, ReturnType, Signature, Token, Type,
    Visibility, WherePredicate, parse_quote, parse_quote_spanned,
};

use super::Context;
use super::options::Place;
use crate::body;
use crate::item_fn::ItemFn;

/// Gives each parameter a plain name, and returns the statements which, at the start of the
/// `async` block, move them in and take them apart.
///
/// They are those that rustc makes of an `async fn`, so that everything is dropped when it would
/// have been, used or not: `let x = x;` for a name, `let a = a; let (x, _) = a;` for a pattern.
pub(super) fn capture_arguments(sig: &mut Signature) -> TokenStream {
    let mut taken = HashSet::new();
    let params = sig.inputs.iter_mut().enumerate();
    params
        .map(|(index, param)| match param {
            FnArg::Receiver(receiver) => {
                // There can be no `let self`. Mentioned as a whole, `self` is captured as a whole,
                // even by a body that uses one field; and what was captured is dropped last, which
                // is the turn of the first parameter.
                let this = receiver.self_token;
                let cfgs = receiver.attrs.iter().filter(|attr| is_cfg(attr));
                quote_spanned!(Span::mixed_site()=> #(#cfgs)* let _ = &#this;)
            }
            FnArg::Typed(param) => {
                let ident = parameter_name(index, &param.pat, &mut taken);
                capture(ident, param)
            }
        })
        .collect()
}

/// The name of the parameter that takes the place of a pattern.
///
/// It is what is documented, so it is the user's where there is one. The span makes it a variable
/// of ours all the same, which no lint reads as the user's use of theirs. And there it can clash:
/// names that a `macro_rules!` kept apart, as well as `__arg0`, are one and the same among ours.
fn parameter_name(index: usize, pattern: &Pat, taken: &mut HashSet<Ident>) -> Ident {
    let span = Span::mixed_site().located_at(pattern.span());
    let mut ident = match pattern {
        Pat::Ident(pattern) => {
            let mut ident = pattern.ident.clone();
            ident.set_span(span);
            ident
        }
        _ => format_ident!("__arg{index}", span = span),
    };
    while !taken.insert(ident.clone()) {
        ident = format_ident!("__arg{index}_{}", taken.len(), span = span);
    }
    ident
}

fn capture(ident: Ident, param: &mut PatType) -> TokenStream {
    let span = ident.span();
    let pattern = std::mem::replace(&mut *param.pat, plain(ident.clone()));

    let (cfgs, lints): (Vec<_>, Vec<_>) = param
        .attrs
        .iter()
        .filter(|attr| is_cfg(attr) || is_lint(attr))
        .cloned()
        .partition(is_cfg);
    // An `expect` belongs where the finding is: at the variable.
    param.attrs.retain(|attr| !attr.path().is_ident("expect"));

    // To bind a mere variable to a name with an underscore has no effect, says clippy; and does not
    // look into blocks.
    let value = if binds_unused(&pattern) {
        quote_spanned!(span=> { #ident })
    } else {
        ident.to_token_stream()
    };
    let mutability = binds_ref_mut(&pattern).then(|| quote_spanned!(span=> mut));
    let whole = quote_spanned!(span=> #(#cfgs)* let #mutability #ident = #value;);
    let parts = quote_spanned!(span=> #(#cfgs)* #(#lints)* let #pattern = #value;);
    match pattern {
        // Nothing is taken out of it.
        Pat::Wild(_) => whole,
        Pat::Ident(pat) if pat.by_ref.is_none() => parts,
        _ => [whole, parts].into_iter().collect(),
    }
}

fn plain(ident: Ident) -> Pat {
    Pat::Ident(PatIdent {
        attrs: Vec::new(),
        by_ref: None,
        mutability: None,
        ident,
        subpat: None,
    })
}

fn binds_unused(pattern: &Pat) -> bool {
    match pattern {
        Pat::Ident(pat) => pat.by_ref.is_none() && pat.ident.to_string().starts_with('_'),
        _ => false,
    }
}

/// Whether the pattern borrows mutably, which can be done from a `mut` variable only.
fn binds_ref_mut(pattern: &Pat) -> bool {
    struct Finder(bool);

    impl VisitMut for Finder {
        fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
            self.0 |= pat.by_ref.is_some() && pat.mutability.is_some();
            visit_mut::visit_pat_ident_mut(self, pat);
        }
    }

    let mut finder = Finder(false);
    finder.visit_pat_mut(&mut pattern.clone());
    finder.0
}

fn is_cfg(attr: &Attribute) -> bool {
    ["cfg", "cfg_attr"]
        .iter()
        .any(|name| attr.path().is_ident(name))
}

fn is_lint(attr: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid", "expect"]
        .iter()
        .any(|name| attr.path().is_ident(name))
}

/// Takes the `async` off the function, and puts into its return type what that meant.
pub(super) fn stop_being_async(function: &mut ItemFn, context: &Context) {
    let sig = &mut function.sig;
    sig.asyncness = None;
    let place = match context.place {
        Place::Alone if bounds_self(sig) => Place::Trait,
        place => place,
    };
    sig.output = output(sig, place, context);

    // Every future must be used, and says so itself; said twice, clippy objects.
    function
        .attrs
        .retain(|attr| !matches!(&attr.meta, Meta::Path(path) if path.is_ident("must_use")));
    add_track_caller(function);
    if has_mut_self(&function.sig) {
        // As a variable of the function, `self` would not be reported if it was assigned to and not
        // read again; as one that the block captures, it is.
        function
            .attrs
            .push(ours(&quote_spanned! {Span::mixed_site()=>
                #[allow(unused_assignments)]
            }));
    }
    if place == Place::Alone && matches!(function.vis, Visibility::Inherited) {
        // Should this be a method of a trait's `impl`, it returns a type that the trait leaves
        // open. There the lint would warn of what is meant; elsewhere it has nothing to say.
        function
            .attrs
            .push(ours(&quote_spanned! {Span::mixed_site()=>
                #[allow(refining_impl_trait)]
            }));
    }
}

/// `#[track_caller]`, for the line that a future comes from.
pub(super) fn add_track_caller(function: &mut ItemFn) {
    let rust_abi = match &function.sig.abi {
        None => true,
        Some(abi) => abi.name.as_ref().is_some_and(|name| name.value() == "Rust"),
    };
    let given = function
        .attrs
        .iter()
        .any(|attr| attr.path().is_ident("track_caller"));
    if rust_abi && !given {
        function
            .attrs
            .push(ours(&quote_spanned!(Span::mixed_site()=> #[track_caller])));
    }
}

fn ours(attr: &TokenStream) -> Attribute {
    parse_quote!(#attr)
}

/// The type of the future.
///
/// A trait leaves it open, so that a plain `async fn` fits on the other side. Everybody else is
/// told: `TrackedFuture` has methods of its own. The `impl` must have a span of ours, since by the
/// rules of edition 2024 it captures every lifetime, as the future of an `async fn` always did; in
/// a trait it does in all editions.
fn output(sig: &Signature, place: Place, context: &Context) -> ReturnType {
    let (span, end) = match &sig.output {
        ReturnType::Default => (Span::call_site(), sig.paren_token.span.close()),
        ReturnType::Type(_, ty) => (ty.span(), last_span(ty)),
    };
    let span = Span::mixed_site().located_at(span);
    let krate = context.krate.at(span);
    let value = if body::returns_never(&sig.output) {
        quote_spanned!(span=> #krate::__private::Never)
    } else {
        body::output_type(&sig.output)
    };
    // The signature ends with a token of the user's, so that what the compiler says of it shows all
    // of it, and is not left unsaid for being about a macro.
    let end = Token![>](end);
    let future = quote_spanned!(span=> impl ::core::future::Future<Output = #value);
    match place {
        Place::Trait => parse_quote_spanned!(span=> -> #future #end),
        Place::Alone | Place::Free | Place::Inherent => {
            parse_quote_spanned!(span=> -> #krate::future::TrackedFuture<#future> #end)
        }
    }
}

fn last_span(ty: &Type) -> Span {
    let last = ty.to_token_stream().into_iter().last();
    last.map_or_else(Span::call_site, |token| token.span())
}

fn has_mut_self(sig: &Signature) -> bool {
    let receiver = sig.receiver();
    receiver.is_some_and(|this| this.reference.is_none() && this.mutability.is_some())
}

/// Whether the function has a bound on `Self`: only in a trait does it make sense to write one.
fn bounds_self(sig: &Signature) -> bool {
    let predicates = sig
        .generics
        .where_clause
        .iter()
        .flat_map(|clause| &clause.predicates);
    predicates.into_iter().any(|predicate| match predicate {
        WherePredicate::Type(predicate) => is_self(&predicate.bounded_ty),
        _ => false,
    })
}

fn is_self(ty: &Type) -> bool {
    ty.to_token_stream().to_string() == "Self"
}
