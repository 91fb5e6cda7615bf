//! The arguments of `#[tracked]`, and the one by which it speaks to itself.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, LitStr, Meta, Path, parse_quote};

use super::Context;
use crate::args::{Arg, Errors, Once};
use crate::krate::Krate;

/// Where a function stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The attribute was written on the function, which is all that can be seen: it may be a free
    /// function, or a method of anything.
    Alone,
    /// In a tracked `mod`.
    Free,
    /// In a tracked `impl Type`.
    Inherent,
    /// In a tracked `trait`, or a tracked `impl Trait for Type`.
    Trait,
}

const PLACES: [(Place, &str); 4] = [
    (Place::Alone, "alone"),
    (Place::Free, "free"),
    (Place::Inherent, "inherent"),
    (Place::Trait, "trait"),
];

/// Says that other attributes have had their turn, and where the item stands. Not for users.
const AGAIN: &str = "__again";

#[derive(Default)]
pub(super) struct Options {
    name: Once<LitStr>,
    krate: Once<Path>,
    skip: Once<()>,
    again: Option<Place>,
}

impl Options {
    pub(super) fn parse(args: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for arg in Arg::parse_list(args, errors) {
            match arg.name().as_str() {
                "name" => options.name.set(&arg, arg.string("fetch").cloned(), errors),
                "crate" => options.krate.set(&arg, arg.path(), errors),
                "skip" => options.skip.set(&arg, arg.flag(), errors),
                AGAIN => options.again = errors.ok(arg.string("alone")).and_then(place),
                unknown => errors.at(
                    arg.key.span(),
                    format!("there is no argument `{unknown}`; there are `name`, `crate`, `skip`"),
                ),
            }
        }
        if options.skips()
            && let Some(span) = options.name.withdraw()
        {
            errors.at(span, "what is skipped has no use for a `name`");
        }
        options
    }

    /// Takes the `#[tracked]` of an item in a tracked block away from it, and says what it asks for.
    pub(super) fn take_from(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Option<Self> {
        let at = attrs.iter().position(is_tracked)?;
        let mut options = Self::from_attribute(&attrs.remove(at), errors);
        options.absorb_second_attribute(attrs, errors);
        Some(options)
    }

    /// Finds a further `#[tracked]` on the item: our own, left there by a tracked block around it
    /// that let other attributes go first, or else one too many.
    pub(super) fn absorb_second_attribute(
        &mut self,
        attrs: &mut Vec<Attribute>,
        errors: &mut Errors,
    ) {
        while let Some(at) = attrs.iter().position(is_tracked) {
            let attr = attrs.remove(at);
            let second = Self::from_attribute(&attr, errors);
            match second.again {
                Some(place) if self.again.is_none() => {
                    self.again = Some(place);
                    if self.krate.get().is_none() {
                        self.krate = second.krate;
                    }
                }
                _ => errors.push(syn::Error::new_spanned(
                    attr,
                    "`#[tracked]` is given more than once: one is enough",
                )),
            }
        }
    }

    fn from_attribute(attr: &Attribute, errors: &mut Errors) -> Self {
        match &attr.meta {
            Meta::Path(_) => Self::default(),
            Meta::List(list) => Self::parse(list.tokens.clone(), errors),
            Meta::NameValue(meta) => {
                errors.push(syn::Error::new_spanned(
                    meta,
                    "the arguments of `#[tracked]` stand in parentheses: \
                     `#[tracked(name = \"fetch\")]`",
                ));
                Self::default()
            }
        }
    }

    pub(super) fn name(&self) -> Option<&LitStr> {
        self.name.get()
    }

    pub(super) fn place(&self) -> Place {
        self.again.unwrap_or(Place::Alone)
    }

    pub(super) fn skips(&self) -> bool {
        self.skip.get().is_some()
    }

    /// The context of an item with these options that stands by itself.
    pub(super) fn context(&self) -> Context {
        Context {
            place: self.place(),
            last: self.again.is_some(),
            krate: Krate::new(self.krate.get().cloned()),
        }
    }

    /// The context of an item with these options in a tracked block.
    pub(super) fn context_in(&self, block: &Context, place: Place) -> Context {
        let context = block.inside(place);
        Context {
            krate: Krate::new(self.krate.get().cloned()).or(&block.krate),
            ..context
        }
    }

    pub(super) fn reject_name(&mut self, errors: &mut Errors) {
        if let Some(span) = self.name.withdraw() {
            errors.at(
                span,
                "`name` is for a single function, not for all of a block",
            );
        }
    }

    pub(super) fn reject_skip(&mut self, errors: &mut Errors) {
        if let Some(span) = self.skip.withdraw() {
            errors.at(
                span,
                "`skip` is for what stands in a tracked `impl`, `trait` or `mod`",
            );
        }
    }

    /// The attribute to put behind the others, so that they go first.
    pub(super) fn to_last_attribute(&self, context: &Context) -> Attribute {
        let krate = context.krate.at(Span::mixed_site());
        let path = context.krate.to_arg().map(|path| quote!(#path,));
        let name = self.name().map(|name| quote!(name = #name,));
        let again = syn::Ident::new(AGAIN, Span::mixed_site());
        let place = PLACES.iter().find(|(place, _)| *place == context.place);
        let place = place.map_or("alone", |(_, word)| word);
        let attr = quote_spanned! {Span::mixed_site()=>
            #[#krate::tracked(#path #name #again = #place)]
        };
        parse_quote!(#attr)
    }
}

fn place(word: &LitStr) -> Option<Place> {
    let word = word.value();
    let found = PLACES.iter().find(|(_, known)| *known == word);
    found.map(|(place, _)| *place)
}

/// Whether this is `#[tracked]`, by whatever path.
fn is_tracked(attr: &Attribute) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|segment| segment.ident == "tracked")
}
