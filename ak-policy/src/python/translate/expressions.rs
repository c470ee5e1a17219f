//! Expressions, each one Rhai expression. Where Python's meaning differs from Rhai's, and that is nearly everywhere, the support
//! functions of the run time carry it.

use ruff_python_ast::{
    BoolOp, CmpOp, Expr, ExprAttribute, ExprBoolOp, ExprCompare, ExprDict, ExprName, ExprSubscript, Number, Operator, UnaryOp,
};

use super::names::Meaning;
use super::{Translated, Translator};
use crate::python::runtime;

/// How deep expressions may be nested in expressions.
const MAX_DEPTH: usize = 24;

/// A text as a Rhai literal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}') =>
            {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The support function of a binary operator.
pub(super) fn operator(operator: Operator) -> Option<&'static str> {
    Some(match operator {
        Operator::Add => "add",
        Operator::Sub => "sub",
        Operator::Mult => "mul",
        Operator::Div => "div",
        Operator::FloorDiv => "floordiv",
        Operator::Mod => "mod",
        Operator::Pow => "pow",
        Operator::BitAnd => "and",
        Operator::BitOr => "or",
        Operator::BitXor => "xor",
        Operator::LShift => "lshift",
        Operator::RShift => "rshift",
        Operator::MatMult => return None,
    })
}

impl Translator<'_> {
    /// An expression for its value.
    pub(super) fn expr(&mut self, expr: &Expr) -> Translated {
        self.depth += 1;
        let text = if self.depth > MAX_DEPTH { self.flag(expr, "this is nested too deeply") } else { self.shallow(expr) };
        self.depth -= 1;
        text
    }

    fn shallow(&mut self, expr: &Expr) -> Translated {
        match expr {
            Expr::NoneLiteral(_) => Ok("()".to_owned()),
            Expr::BooleanLiteral(node) => Ok(node.value.to_string()),
            Expr::NumberLiteral(node) => self.number(expr, &node.value),
            Expr::StringLiteral(node) => self.text(expr, node.value.to_str()),
            Expr::BytesLiteral(node) => {
                let digits: String = node.value.bytes().map(|byte| format!("{byte:02x}")).collect();
                Ok(format!("py_bytes(\"{digits}\")"))
            }
            Expr::FString(node) => self.formatted(node),
            Expr::Name(node) => self.name(node),
            Expr::Attribute(node) => self.attribute(expr, node),
            Expr::Subscript(node) => self.subscript(node),
            Expr::Call(node) => self.call(node),
            Expr::BinOp(node) => {
                let Some(operator) = operator(node.op) else { return self.flag(expr, "the operator `@` is not covered") };
                Ok(format!("py_{operator}({}, {})", self.expr(&node.left)?, self.expr(&node.right)?))
            }
            Expr::UnaryOp(node) => match node.op {
                UnaryOp::Not => self.condition(expr),
                UnaryOp::USub => Ok(format!("py_neg({})", self.expr(&node.operand)?)),
                UnaryOp::UAdd => Ok(format!("py_pos({})", self.expr(&node.operand)?)),
                UnaryOp::Invert => Ok(format!("py_invert({})", self.expr(&node.operand)?)),
            },
            Expr::BoolOp(node) => self.chosen(node),
            Expr::Compare(node) => self.compare(node),
            Expr::If(node) => {
                let test = self.condition(&node.test)?;
                let before = self.assigned.clone();
                let then = self.expr(&node.body)?;
                self.assigned.clone_from(&before);
                let otherwise = self.expr(&node.orelse)?;
                self.assigned = before;
                Ok(format!("(if {test} {{ {then} }} else {{ {otherwise} }})"))
            }
            Expr::Named(node) => {
                let Expr::Name(name) = &*node.target else { return self.flag(expr, "this target of `:=` is not covered") };
                let value = self.expr(&node.value)?;
                let variable = Self::variable(name.id.as_str());
                self.assigned.insert(name.id.to_string());
                Ok(format!("{{ {variable} = {value}; {variable} }}"))
            }
            Expr::List(node) => self.sequence("list", &node.elts),
            Expr::Tuple(node) => self.sequence("tuple", &node.elts),
            Expr::Set(node) => self.sequence("set", &node.elts),
            Expr::Dict(node) => self.dictionary(node),
            Expr::ListComp(node) => self.collected("list", &node.elt, &node.generators),
            Expr::SetComp(node) => self.collected("set", &node.elt, &node.generators),
            Expr::DictComp(node) => match &node.key {
                Some(key) => self.collected_pairs(key, &node.value, &node.generators),
                None => self.flag(expr, "`**` in a comprehension is not covered"),
            },
            Expr::Generator(_) => self.flag(expr, "a generator that is kept is not covered; a list in brackets is"),
            Expr::Lambda(_) => self.flag(expr, "a lambda is covered as key of `sorted`, `min`, `max`, and in `filter` and `map`"),
            Expr::Yield(_) | Expr::YieldFrom(_) => self.flag(expr, "`yield` is covered as a statement only"),
            Expr::Await(_) => self.flag(expr, "`await` is not covered"),
            Expr::Starred(_) => self.flag(expr, "`*` is not covered here"),
            Expr::Slice(_) => self.flag(expr, "a slice is not covered here"),
            Expr::EllipsisLiteral(_) => self.flag(expr, "`...` is not covered"),
            Expr::TString(_) | Expr::IpyEscapeCommand(_) => self.flag(expr, "this is not covered"),
        }
    }

    /// An expression for its truth: a Rhai boolean, without a block in front that `if` could take for its own.
    pub(super) fn condition(&mut self, expr: &Expr) -> Translated {
        match expr {
            Expr::BooleanLiteral(node) => Ok(node.value.to_string()),
            Expr::UnaryOp(node) if node.op == UnaryOp::Not => {
                self.depth += 1;
                let text = if self.depth > MAX_DEPTH {
                    self.flag(expr, "this is nested too deeply")
                } else {
                    self.condition(&node.operand)
                };
                self.depth -= 1;
                Ok(format!("!{}", text?))
            }
            Expr::Compare(_) => Ok(format!("({})", self.expr(expr)?)),
            Expr::BoolOp(node) => {
                let joint = if node.op == BoolOp::And { " && " } else { " || " };
                self.depth += 1;
                let parts = self.parts(node, Self::condition);
                self.depth -= 1;
                Ok(format!("({})", parts?.join(joint)))
            }
            _ => Ok(format!("py_truth({})", self.expr(expr)?)),
        }
    }

    /// The operands of `and` and `or`; what is assigned in any but the first may not have been.
    fn parts(&mut self, node: &ExprBoolOp, part: fn(&mut Self, &Expr) -> Translated) -> Translated<Vec<String>> {
        if self.depth > MAX_DEPTH {
            return self.flag(node, "this is nested too deeply");
        }
        let mut texts = Vec::new();
        let mut after_first = None;
        for value in &node.values {
            texts.push(part(self, value)?);
            after_first.get_or_insert_with(|| self.assigned.clone());
        }
        // Within `a and b`, b sees what a has assigned; behind it only what the first is sure to have.
        self.assigned = after_first.unwrap_or_default();
        Ok(texts)
    }

    /// `and` and `or` give one of their operands.
    fn chosen(&mut self, node: &ExprBoolOp) -> Translated {
        let parts = self.parts(node, Self::expr)?;
        let mut parts = parts.into_iter().rev();
        let Some(last) = parts.next() else { return self.flag(node, "this is not covered") };
        // One block with a ladder would nest as deep as there are operands.
        let held = self.temporary("b");
        let test = if node.op == BoolOp::And { format!("py_truth({held})") } else { format!("!py_truth({held})") };
        let mut earlier: Vec<String> = parts.collect();
        let first = earlier.pop().unwrap_or_default();
        let mut text = format!("{{ let {held} = {first};");
        for next in earlier.into_iter().rev().chain([last]) {
            text.push_str(&format!(" if {test} {{ {held} = {next};"));
            text.push_str(" }");
        }
        text.push_str(&format!(" {held} }}"));
        Ok(text)
    }

    fn number(&mut self, expr: &Expr, number: &Number) -> Translated {
        match number {
            Number::Int(value) => match value.as_i64() {
                Some(value) => Ok(value.to_string()),
                None => self.flag(expr, "numbers beyond 64 bits are not covered"),
            },
            Number::Float(value) => Ok(format!("py_float(\"{value:?}\")")),
            Number::Complex { .. } => self.flag(expr, "complex numbers are not covered"),
        }
    }

    fn name(&mut self, node: &ExprName) -> Translated {
        let name = node.id.as_str();
        match self.meaning(node)? {
            Meaning::Variable(variable) if self.inner.iter().any(|inner| inner == name) => Ok(variable),
            Meaning::Variable(variable) if self.assigned.contains(name) && !self.caught.contains(name) => Ok(variable),
            Meaning::Variable(variable) => {
                if Self::in_surroundings(name) {
                    self.names.insert(name.to_owned());
                    self.inherited.insert(name.to_owned());
                }
                Ok(format!("py_bound({variable}, {})", quoted(name)))
            }
            Meaning::Surroundings(name) => {
                self.names.insert(name.clone());
                Ok(format!("py_in({name})"))
            }
            Meaning::Path(path) => self.constant(node, &path),
        }
    }

    /// A built-in or imported value.
    fn constant(&mut self, node: &impl ruff_text_size::Ranged, path: &str) -> Translated {
        if runtime::constant(path).is_some() {
            return Ok(format!("py_const({})", quoted(path)));
        }
        let what = if runtime::importable(path) || runtime::function(path).is_some() {
            "is covered only where it is called"
        } else {
            "is not known"
        };
        self.flag(node, format!("`{path}` {what}"))
    }

    /// The name of an attribute; one that no object has is flagged.
    pub(super) fn attribute_name(&mut self, node: &ExprAttribute) -> Translated {
        let name = node.attr.id.to_string();
        if runtime::is_attribute(&name) {
            return Ok(name);
        }
        if runtime::is_method(&name) {
            return self.flag_range(node.attr.range, format!("`.{name}` is covered only where it is called"));
        }
        self.flag_range(node.attr.range, format!("the attribute `{name}` is not known"))
    }

    fn attribute(&mut self, expr: &Expr, node: &ExprAttribute) -> Translated {
        if let Some(path) = self.path(expr) {
            if let Some(model) = path.strip_suffix(".objects").and_then(runtime::model) {
                self.names.insert("ak_objects".to_owned());
                return Ok(format!("py_in(ak_objects({}))", quoted(model)));
            }
            return self.constant(node, &path);
        }
        // `x.__class__.__name__`
        if node.attr.id == "__name__"
            && let Expr::Attribute(class) = &*node.value
            && class.attr.id == "__class__"
        {
            return Ok(format!("py_class_name({})", self.expr(&class.value)?));
        }
        let object = self.expr(&node.value)?;
        let name = self.attribute_name(node)?;
        Ok(format!("py_getattr({object}, {})", quoted(&name)))
    }

    fn subscript(&mut self, node: &ExprSubscript) -> Translated {
        let object = self.expr(&node.value)?;
        let Expr::Slice(slice) = &*node.slice else {
            return Ok(format!("py_getitem({object}, {})", self.expr(&node.slice)?));
        };
        let mut part = |bound: &Option<Box<Expr>>| bound.as_ref().map_or_else(|| Ok("()".to_owned()), |bound| self.expr(bound));
        let (lower, upper, step) = (part(&slice.lower)?, part(&slice.upper)?, part(&slice.step)?);
        Ok(format!("py_slice({object}, {lower}, {upper}, {step})"))
    }

    /// Comparisons, chained: every operand is evaluated once, and none after the first that fails.
    fn compare(&mut self, node: &ExprCompare) -> Translated {
        let first = self.expr(&node.left)?;
        if let ([operator], [right]) = (&*node.ops, &*node.comparators) {
            let right = self.expr(right)?;
            return Ok(comparison(*operator, &first, &right));
        }
        let (outcome, mut left) = (self.temporary("r"), self.temporary("c"));
        let mut text = format!("{{ let {left} = {first}; let {outcome} = true;");
        for (operator, operand) in node.ops.iter().zip(&*node.comparators) {
            let value = self.expr(operand)?;
            let right = self.temporary("c");
            text.push_str(&format!(
                " let {right} = (); if {outcome} {{ {right} = {value}; {outcome} = {}; }}",
                comparison(*operator, &left, &right)
            ));
            left = right;
        }
        text.push_str(&format!(" {outcome} }}"));
        Ok(text)
    }

    /// The elements of a display, joined by commas.
    pub(super) fn list(&mut self, elements: &[Expr]) -> Translated {
        let texts: Translated<Vec<String>> = elements.iter().map(|element| self.expr(element)).collect();
        Ok(texts?.join(", "))
    }

    fn sequence(&mut self, kind: &str, elements: &[Expr]) -> Translated {
        if !elements.iter().any(Expr::is_starred_expr) {
            return Ok(format!("py_{kind}([{}])", self.list(elements)?));
        }
        let mut parts = Vec::new();
        for element in elements {
            parts.push(match element {
                Expr::Starred(starred) => format!("true, {}", self.expr(&starred.value)?),
                element => format!("false, {}", self.expr(element)?),
            });
        }
        Ok(format!("py_{kind}(py_spread([{}]))", parts.join(", ")))
    }

    fn dictionary(&mut self, node: &ExprDict) -> Translated {
        let spread = node.items.iter().any(|item| item.key.is_none());
        let mut parts = Vec::new();
        for item in &node.items {
            parts.push(match &item.key {
                Some(key) if spread => format!("false, {}, {}", self.expr(key)?, self.expr(&item.value)?),
                Some(key) => format!("{}, {}", self.expr(key)?, self.expr(&item.value)?),
                None => format!("true, {}, ()", self.expr(&item.value)?),
            });
        }
        let function = if spread { "py_dict_spread" } else { "py_dict" };
        Ok(format!("{function}([{}])", parts.join(", ")))
    }
}

fn comparison(operator: CmpOp, left: &str, right: &str) -> String {
    let (negated, function) = match operator {
        CmpOp::Eq => ("", "py_eq"),
        CmpOp::NotEq => ("!", "py_eq"),
        CmpOp::Lt => ("", "py_lt"),
        CmpOp::LtE => ("", "py_le"),
        CmpOp::Gt => ("", "py_gt"),
        CmpOp::GtE => ("", "py_ge"),
        CmpOp::Is => ("", "py_is"),
        CmpOp::IsNot => ("!", "py_is"),
        CmpOp::In => ("", "py_contained"),
        CmpOp::NotIn => ("!", "py_contained"),
    };
    format!("{negated}{function}({left}, {right})")
}
