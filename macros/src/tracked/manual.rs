//! A function that is `async` in all but the keyword: its last expression is an `async` block, or
//! `Box::pin` of one.
//!
//! The second is what `#[async_trait]` makes of an `async fn`, the first how a trait asks for a
//! future that is `Send`. The block is wrapped where it stands.

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::ToTokens as _;
use syn::parse::Parser as _;
use syn::{Block, Expr, Path, Stmt};

use super::function::Wrap;

/// The same body with its future tracked, if that is how the body ends.
pub(super) fn wrap(body: &Group, wrap: &Wrap<'_>) -> Option<Group> {
    let mut stmts = Block::parse_within.parse2(body.stream()).ok()?;
    let Some(Stmt::Expr(last, None)) = stmts.last_mut() else {
        return None;
    };
    let future = find_future(last)?;
    *future = Expr::Verbatim(wrap.future(&future.to_token_stream()));

    let stmts = stmts
        .iter()
        .map(Stmt::to_token_stream)
        .collect::<TokenStream>();
    let mut wrapped = Group::new(Delimiter::Brace, stmts);
    wrapped.set_span(body.span());
    Some(wrapped)
}

fn find_future(expr: &mut Expr) -> Option<&mut Expr> {
    match expr {
        Expr::Async(_) => Some(expr),
        Expr::Group(group) => find_future(&mut group.expr),
        Expr::Call(call) if call.args.len() == 1 && is_box_pin(&call.func) => {
            let arg = call.args.first_mut()?;
            matches!(arg, Expr::Async(_)).then_some(arg)
        }
        _ => None,
    }
}

fn is_box_pin(function: &Expr) -> bool {
    let Expr::Path(function) = function else {
        return false;
    };
    let Path { segments, .. } = &function.path;
    let mut names = segments
        .iter()
        .rev()
        .map(|segment| segment.ident.to_string());
    names.next().as_deref() == Some("pin") && names.next().as_deref() == Some("Box")
}
