//! The mechanical change of the sources: where something is put around an expression, or
//! before a function. All of it stays on its line, so that lines are those of the package.

use std::ops::{Range, RangeInclusive};

use anyhow::Result;
use proc_macro2::Span;
use serde::{Deserialize, Serialize};
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Expr, Pat, Token};

/// Something that is put in at one place, or around one expression.
#[derive(Clone, Debug)]
pub struct Edit {
    pub what: What,
    pub bytes: Range<usize>,
    /// The lines of its two ends.
    pub lines: (usize, usize),
    /// The lines of the function that it is in.
    pub function: RangeInclusive<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum What {
    /// `#[tracked]` on an `async fn`.
    Function,
    /// Around what is awaited.
    Await,
    /// Around an `async` block.
    Block,
    /// Around a branch of `tokio::select!`, `join!` or `try_join!`.
    Branch,
    /// `spawn!` for `spawn`.
    Spawn,
    /// Around what a test polls by hand, with tokio-test's `task::spawn`.
    ByHand,
    /// Around a stream that a test makes.
    Stream,
    /// Around a reader or writer that a test gives to a codec or a buffer.
    Io,
}

impl What {
    pub const ALL: [What; 8] = [
        What::Function,
        What::Await,
        What::Block,
        What::Branch,
        What::Spawn,
        What::ByHand,
        What::Stream,
        What::Io,
    ];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            What::Function => "`#[tracked]`",
            What::Await => "awaits",
            What::Block => "`async` blocks",
            What::Branch => "branches",
            What::Spawn => "`spawn!`",
            What::ByHand => "polled by hand",
            What::Stream => "streams",
            What::Io => "I/O",
        }
    }

    /// What goes before and after.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            What::Function => ("#[::debug_async::tracked] ", ""),
            What::Await | What::Block | What::Branch => ("::debug_async::wrap::future(", ")"),
            What::Spawn => ("", "!"),
            What::ByHand => ("::debug_async::wrap!(", ")"),
            What::Stream => ("::debug_async::wrap::stream(", ")"),
            What::Io => ("::debug_async::wrap_io!(", ")"),
        }
    }
}

/// All the places in a source; `is_test` is whether it is one of a test. A function for
/// whose name `is_untouched` is true has none.
pub fn find(
    source: &str,
    is_test: bool,
    is_untouched: &mut dyn FnMut(&str) -> bool,
) -> Result<Vec<Edit>> {
    let file = syn::parse_file(source)?;
    let mut finder = Finder {
        edits: Vec::new(),
        is_test,
        is_untouched,
        function: 1..=source.lines().count().max(1),
    };
    finder.visit_file(&file);
    Ok(finder.edits)
}

/// The source with these edits in it.
pub fn apply<'a>(source: &str, edits: impl Iterator<Item = &'a Edit>) -> String {
    // At one place what closes goes before what opens, and then the inner one is nearer.
    let mut texts = Vec::new();
    for edit in edits {
        let (before, after) = edit.what.texts();
        let length = edit.bytes.len();
        texts.push(((edit.bytes.start, true, usize::MAX - length), before));
        texts.push(((edit.bytes.end, false, length), after));
    }
    texts.sort_by_key(|(place, _)| *place);
    let mut rewritten = String::with_capacity(source.len() * 2);
    let mut done = 0;
    for ((at, ..), text) in texts {
        rewritten += &source[done..at];
        rewritten += text;
        done = at;
    }
    rewritten + &source[done..]
}

struct Finder<'a> {
    edits: Vec<Edit>,
    is_test: bool,
    is_untouched: &'a mut dyn FnMut(&str) -> bool,
    function: RangeInclusive<usize>,
}

impl Finder<'_> {
    fn add(&mut self, what: What, from: Span, to: Span) {
        self.edits.push(Edit {
            what,
            bytes: from.byte_range().start..to.byte_range().end,
            lines: (from.start().line, to.end().line),
            function: self.function.clone(),
        });
    }

    fn around(&mut self, what: What, expr: &Expr) {
        self.add(what, expr.span(), expr.span());
    }

    /// A function; `span` is all of it, and `visit` visits what is in it.
    fn function(
        &mut self,
        span: Span,
        attrs: &[syn::Attribute],
        vis: Span,
        sig: &syn::Signature,
        visit: impl FnOnce(&mut Self),
    ) {
        if (self.is_untouched)(&sig.ident.to_string()) {
            return;
        }
        let inner = span.start().line..=span.end().line;
        let outer = std::mem::replace(&mut self.function, inner);
        let taken = ["test", "main", "async_trait", "tracked", "instrument"];
        let is_taken = attrs
            .iter()
            .any(|attr| taken.iter().any(|name| last_is(attr.path(), name)));
        if sig.asyncness.is_some() && !is_taken {
            // An inherited visibility is nowhere.
            let from = if vis.byte_range().is_empty() {
                sig.span()
            } else {
                vis
            };
            self.edits.push(Edit {
                what: What::Function,
                bytes: from.byte_range().start..from.byte_range().start,
                lines: (from.start().line, from.start().line),
                function: self.function.clone(),
            });
        }
        visit(self);
        self.function = outer;
    }

    /// The arguments of a macro that takes expressions.
    fn arguments(&mut self, mac: &syn::Macro, what: Option<What>) {
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(args) = parser.parse2(mac.tokens.clone()) {
            for arg in &args {
                if let Some(what) = what {
                    self.around(what, arg);
                }
                self.visit_expr(arg);
            }
        }
    }

    fn select(&mut self, mac: &syn::Macro) {
        let parser = |input: ParseStream<'_>| {
            if input.peek(syn::Ident) && input.peek2(Token![;]) {
                input.parse::<syn::Ident>()?;
                input.parse::<Token![;]>()?;
            }
            let mut branches = Vec::new();
            while !input.is_empty() {
                let mut future = None;
                if input.parse::<Option<Token![else]>>()?.is_none() {
                    Pat::parse_single(input)?;
                    input.parse::<Token![=]>()?;
                    future = Some(input.parse::<Expr>()?);
                    if input.parse::<Option<Token![,]>>()?.is_some() {
                        input.parse::<Token![if]>()?;
                        input.parse::<Expr>()?;
                    }
                }
                input.parse::<Token![=>]>()?;
                let handler = if input.peek(syn::token::Brace) {
                    Expr::Block(input.parse()?)
                } else {
                    input.parse()?
                };
                input.parse::<Option<Token![,]>>()?;
                branches.push((future, handler));
            }
            Ok(branches)
        };
        for (future, handler) in parser.parse2(mac.tokens.clone()).unwrap_or_default() {
            if let Some(future) = future {
                self.around(What::Branch, &future);
                self.visit_expr(&future);
            }
            self.visit_expr(&handler);
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let (span, vis) = (item.span(), item.vis.span());
        self.function(span, &item.attrs, vis, &item.sig, |this| {
            visit::visit_item_fn(this, item);
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let (span, vis) = (item.span(), item.vis.span());
        self.function(span, &item.attrs, vis, &item.sig, |this| {
            visit::visit_impl_item_fn(this, item);
        });
    }

    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_expr_await(&mut self, expr: &'ast syn::ExprAwait) {
        self.around(What::Await, &expr.base);
        // A block that is awaited in its place would be wrapped twice.
        match &*expr.base {
            Expr::Async(block) => visit::visit_expr_async(self, block),
            base => self.visit_expr(base),
        }
    }

    fn visit_expr_async(&mut self, expr: &'ast syn::ExprAsync) {
        self.add(
            What::Block,
            expr.async_token.span,
            expr.block.brace_token.span.close(),
        );
        visit::visit_expr_async(self, expr);
    }

    fn visit_expr_call(&mut self, expr: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*expr.func {
            let path = segments(&function.path);
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            match (&path[..], expr.args.len()) {
                (["tokio", "spawn"], 1) => {
                    let end = function.path.segments[1].ident.span();
                    self.add(What::Spawn, function.path.span(), end);
                }
                (["task", "spawn"] | ["tokio_test", "task", "spawn"], 1) if self.is_test => {
                    self.around(What::ByHand, &expr.args[0]);
                }
                _ if self.is_test && makes_stream(&path) => {
                    self.add(
                        What::Stream,
                        function.path.span(),
                        expr.paren_token.span.close(),
                    );
                }
                _ if self.is_test && takes_io(&path) && !expr.args.is_empty() => {
                    self.around(What::Io, &expr.args[0]);
                }
                _ => {}
            }
        }
        visit::visit_expr_call(self, expr);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let path = segments(&mac.path);
        let in_tokio = path.first().is_some_and(|first| first == "tokio");
        match path.last().map(String::as_str).unwrap_or_default() {
            "select" if in_tokio => self.select(mac),
            "join" | "try_join" if in_tokio => self.arguments(mac, Some(What::Branch)),
            "assert" | "assert_eq" | "assert_ne" | "assert_ok" | "assert_err" | "assert_ready"
            | "assert_ready_ok" | "assert_ready_err" | "assert_ready_eq" | "assert_pending"
            | "debug_assert" | "println" | "panic" | "vec" | "dbg" | "format" => {
                self.arguments(mac, None);
            }
            _ => {}
        }
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect()
}

fn last_is(path: &syn::Path, name: &str) -> bool {
    path.segments
        .last()
        .is_some_and(|segment| segment.ident == name)
}

fn makes_stream(path: &[&str]) -> bool {
    let [.., of, name] = path else {
        return false;
    };
    match *name {
        "iter" | "once" | "empty" | "pending" | "repeat" | "poll_fn" | "unfold" => {
            matches!(*of, "stream" | "tokio_stream")
        }
        "new" => of.ends_with("Stream") && !matches!(*of, "TcpStream" | "UnixStream" | "BufStream"),
        _ => false,
    }
}

fn takes_io(path: &[&str]) -> bool {
    let names = [
        "FramedRead",
        "FramedWrite",
        "Framed",
        "BufReader",
        "BufWriter",
        "BufStream",
        "ReaderStream",
        "InspectReader",
        "InspectWriter",
        "TokioIo",
        "SyncIoBridge",
    ];
    matches!(path, [.., of, "new" | "with_capacity"] if names.contains(of))
}
