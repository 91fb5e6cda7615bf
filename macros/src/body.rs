//! A function's body as the `async` block that takes its place.
//!
//! Three things are lost when a body moves from an `async fn` into an `async` block, and are given back here: the type
//! it must have, the moment when the temporaries of its last expression are dropped, and that its braces are needed.

use proc_macro2::{Group, Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{ReturnType, Token, Type, TypeInfer};

/// What goes between the braces of the `async` block: `first`, and then the user's `body`.
///
/// The body keeps its own braces, and with them the rules of the edition it was written in. It is
/// the arm of a `match` because that is a place where temporaries end: those of the body's last
/// expression are dropped before what `first` declares, as they are before the arguments of an
/// `async fn`. A block within a block would in the editions up to 2021 keep them longer; and in all
/// of them rustc would tell the user that the braces are unnecessary.
pub(crate) fn tokens(output: &ReturnType, first: &TokenStream, body: &Group) -> TokenStream {
    let hint = output_hint(output);
    let span = Span::mixed_site().located_at(body.span());
    quote_spanned! {span=>
        #hint
        #first
        match () {
            () => #body
        }
    }
}

/// A `return` that is never reached, of a value of the declared type.
///
/// An `async` block has no place to write its type at, and would learn it from what it holds, too late for a coercion
/// or for the error type of a `?`. A mistake would be shown as one of the whole future.
fn output_hint(output: &ReturnType) -> TokenStream {
    let ty = match output {
        ReturnType::Default => {
            return quote_spanned!(Span::mixed_site()=> if false { return; });
        }
        ReturnType::Type(_, ty) => ty,
    };
    if is_never(ty) {
        // Nothing could be returned, and nothing need be: only the end of the block can be of this type.
        return TokenStream::new();
    }
    // With the span of the type, an error reads "expected `u32` because of this return".
    let span = Span::mixed_site().located_at(ty.span());
    let ty = erase_impl_trait(ty);
    quote_spanned! {span=>
        if false {
            if let ::core::option::Option::Some(output) = ::core::option::Option::None::<#ty> {
                return output;
            }
        }
    }
}

/// The type in a position where `impl Trait` cannot be written.
pub(crate) fn erase_impl_trait(ty: &Type) -> Type {
    struct Eraser;

    impl VisitMut for Eraser {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            // What a macro in type position stands for cannot be seen; it may hold an `impl Trait`.
            if matches!(ty, Type::ImplTrait(_) | Type::Macro(_)) {
                let underscore_token = Token![_](ty.span());
                *ty = Type::Infer(TypeInfer { underscore_token });
            } else {
                visit_mut::visit_type_mut(self, ty);
            }
        }
    }

    let mut ty = ty.clone();
    Eraser.visit_type_mut(&mut ty);
    ty
}

/// The type a function with this return type evaluates to, as tokens that can stand in its signature.
pub(crate) fn output_type(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote_spanned!(Span::mixed_site()=> ()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    }
}

/// Whether the type is `!`, which stable Rust takes as a return type and nowhere else.
pub(crate) fn is_never(ty: &Type) -> bool {
    match ty {
        Type::Never(_) => true,
        Type::Group(group) => is_never(&group.elem),
        Type::Paren(paren) => is_never(&paren.elem),
        _ => false,
    }
}

/// `is_never`, of a whole return type.
pub(crate) fn returns_never(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, ty) if is_never(ty))
}
