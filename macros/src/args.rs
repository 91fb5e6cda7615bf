//! The `key = value` list between an attribute's parentheses, and the errors found on the way.
//!
//! Reading never stops at the first mistake: what is wrong is noted, at its own span, and the next argument is read.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Lit, LitBool, LitInt, LitStr, Path, Token};

/// All that was wrong with one use of an attribute.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Notes an error at `span`.
    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Notes the error of a failed `result`, and passes on the value of another.
    pub(crate) fn ok<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// One `compile_error!` for each error; nothing if there was none.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.0
            .map(syn::Error::into_compile_error)
            .unwrap_or_default()
    }
}

/// One argument: `key`, or `key = value`.
pub(crate) struct Arg {
    pub(crate) key: Ident,
    value: Option<Expr>,
}

impl Arg {
    /// The arguments in `tokens` that have the form of one.
    pub(crate) fn parse_list(tokens: TokenStream, errors: &mut Errors) -> Vec<Self> {
        let mut args = Vec::new();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                match Self::parse(input) {
                    Ok(arg) => args.push(arg),
                    Err(error) => errors.push(error),
                }
                skip_past_comma(input)?;
            }
            Ok(())
        };
        let done = parser.parse2(tokens);
        errors.ok(done);
        args
    }

    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `parse_any`, because `crate` is a keyword.
        let key = input.call(Ident::parse_any).map_err(|error| {
            syn::Error::new(
                error.span(),
                "expected an argument of the form `key = value`",
            )
        })?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() {
            let missing = format!("`{key} =` has no value that can be read here");
            let span = input.span();
            Some(input.parse().map_err(|_| {
                // At the end of the list there is nothing left to point at but the key.
                syn::Error::new(if input.is_empty() { key.span() } else { span }, missing)
            })?)
        } else if input.is_empty() || input.peek(Token![,]) {
            None
        } else {
            let message = format!("`{key}` must be followed by `=` and a value, or by a comma");
            return Err(input.error(message));
        };
        Ok(Self { key, value })
    }

    /// The name of the argument, as written.
    pub(crate) fn name(&self) -> String {
        self.key.to_string()
    }

    /// The place to blame for a wrong value: the value, or else the key.
    pub(crate) fn span(&self) -> Span {
        self.value
            .as_ref()
            .map_or(self.key.span(), |value| value.span())
    }

    /// Fails if a value was given to an argument that takes none.
    pub(crate) fn flag(&self) -> syn::Result<()> {
        match &self.value {
            None => Ok(()),
            Some(value) => {
                let message = format!("`{}` takes no value", self.key);
                Err(syn::Error::new_spanned(value, message))
            }
        }
    }

    /// A string literal; `example` is a value that would be right.
    pub(crate) fn string(&self, example: &str) -> syn::Result<&LitStr> {
        match self.literal() {
            Some(Lit::Str(string)) => Ok(string),
            _ => Err(self.expected("a string literal", &format!("{example:?}"))),
        }
    }

    pub(crate) fn bool(&self) -> syn::Result<&LitBool> {
        match self.literal() {
            Some(Lit::Bool(bool)) => Ok(bool),
            _ => Err(self.expected("`true` or `false`", "true")),
        }
    }

    pub(crate) fn int(&self) -> syn::Result<&LitInt> {
        match self.literal() {
            Some(Lit::Int(int)) => Ok(int),
            _ => Err(self.expected("an integer literal", "4")),
        }
    }

    /// A path, written as such or inside a string literal.
    pub(crate) fn path(&self) -> syn::Result<Path> {
        let path = match (self.literal(), self.value.as_ref().map(peel)) {
            (Some(Lit::Str(string)), _) => string.parse_with(Path::parse_mod_style).ok(),
            (_, Some(Expr::Path(path))) if path.qself.is_none() => Some(path.path.clone()),
            _ => None,
        };
        path.ok_or_else(|| self.expected("the path of a crate", "\"::debug_async\""))
    }

    fn literal(&self) -> Option<&Lit> {
        match self.value.as_ref().map(peel) {
            Some(Expr::Lit(literal)) => Some(&literal.lit),
            _ => None,
        }
    }

    fn expected(&self, what: &str, example: &str) -> syn::Error {
        let key = &self.key;
        let message = format!("`{key}` takes {what}, as in `{key} = {example}`");
        match &self.value {
            Some(value) => syn::Error::new_spanned(value, message),
            None => syn::Error::new_spanned(key, message),
        }
    }
}

/// A value that came through a `macro_rules!` fragment sits in a group that cannot be seen.
fn peel(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}

fn skip_past_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        if input.parse::<Option<Token![,]>>()?.is_some() {
            return Ok(());
        }
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// A setting that may be given once.
pub(crate) struct Once<T>(Option<(T, Span)>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Once<T> {
    /// Takes the value that `arg` was read to be; a second one is an error, and the first stays.
    pub(crate) fn set(&mut self, arg: &Arg, value: syn::Result<T>, errors: &mut Errors) {
        if self.0.is_some() {
            errors.at(
                arg.key.span(),
                format!("`{}` is given more than once", arg.key),
            );
        } else if let Some(value) = errors.ok(value) {
            self.0 = Some((value, arg.span()));
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(value, _)| value)
    }

    /// Forgets the value, and says where it was given.
    pub(crate) fn withdraw(&mut self) -> Option<Span> {
        self.0.take().map(|(_, span)| span)
    }
}
