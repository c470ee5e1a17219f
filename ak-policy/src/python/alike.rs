//! What means the same in Python and in Rhai.

use ruff_python_ast::{CmpOp, Expr, ExprNumberLiteral, ExprStringLiteral, Number, Stmt};

use super::source::Source;

/// Whether a text can be parsed as Python.
pub(crate) fn parses(source: &str) -> bool {
    Source::parse(source).is_ok()
}

/// Whether a body that can be read in both languages certainly means the same: it returns one plain expression.
pub(crate) fn alike(source: &str) -> bool {
    let Ok(source) = Source::parse(source) else { return false };
    match source.body.as_slice() {
        [Stmt::Return(returned)] => returned.value.as_deref().is_some_and(|value| is_plain(&source, value, true)),
        _ => false,
    }
}

/// Names, attributes, calls, plain texts and numbers; at the top one test for equality or membership. What is ordered, divided,
/// added, escaped or chained differs between the two.
fn is_plain(source: &Source, expr: &Expr, at_top: bool) -> bool {
    let all = |inner: &[Expr]| inner.iter().all(|one| is_plain(source, one, false));
    match expr {
        Expr::Name(_) => true,
        Expr::Attribute(attribute) => is_plain(source, &attribute.value, false),
        Expr::StringLiteral(literal) => is_plain_text(source, literal),
        Expr::NumberLiteral(ExprNumberLiteral { value: Number::Int(_), .. }) => {
            let digits = source.slice(expr);
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'))
        }
        Expr::List(list) => all(&list.elts),
        Expr::Subscript(subscript) => {
            is_plain(source, &subscript.value, false)
                && !subscript.slice.is_tuple_expr()
                && is_plain(source, &subscript.slice, false)
        }
        Expr::Call(call) => {
            call.arguments.keywords.is_empty() && is_plain(source, &call.func, false) && all(&call.arguments.args)
        }
        Expr::Compare(compare) if at_top => {
            matches!(*compare.ops, [CmpOp::Eq | CmpOp::NotEq | CmpOp::In])
                && is_plain(source, &compare.left, false)
                && all(&compare.comparators)
        }
        _ => false,
    }
}

/// A text in one pair of `"`, without escapes.
fn is_plain_text(source: &Source, literal: &ExprStringLiteral) -> bool {
    let inner = source.slice(literal).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.contains(['"', '\\']))
}
