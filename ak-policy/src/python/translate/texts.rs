//! Texts: literals and f-strings.

use ruff_python_ast::{
    ConversionFlag, Expr, ExprFString, FStringPart, InterpolatedElement, InterpolatedStringElement, InterpolatedStringElements,
};

use super::expressions::quoted;
use super::{Translated, Translator};

impl Translator<'_> {
    /// A literal. The parser has no way to hold half a surrogate pair.
    pub(super) fn text(&mut self, node: &Expr, text: &str) -> Translated {
        if text.contains('\u{fffd}') {
            return self.flag(node, "texts with U+FFFD or lone surrogates are not covered");
        }
        Ok(quoted(text))
    }

    pub(super) fn formatted(&mut self, node: &ExprFString) -> Translated {
        let mut parts = Vec::new();
        for part in &node.value {
            match part {
                FStringPart::Literal(literal) => parts.push(quoted(&literal.value)),
                FStringPart::FString(formatted) => self.elements(&formatted.elements, &mut parts)?,
            }
        }
        if parts.iter().any(|part| part.contains('\u{fffd}')) {
            return self.flag(node, "texts with U+FFFD or lone surrogates are not covered");
        }
        Ok(format!("py_concat([{}])", parts.join(", ")))
    }

    fn elements(&mut self, elements: &InterpolatedStringElements, parts: &mut Vec<String>) -> Translated<()> {
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(literal) => parts.push(quoted(&literal.value)),
                InterpolatedStringElement::Interpolation(element) => {
                    let text = self.interpolated(element)?;
                    parts.push(text);
                }
            }
        }
        Ok(())
    }

    fn interpolated(&mut self, element: &InterpolatedElement) -> Translated {
        if element.debug_text.is_some() {
            return self.flag(element, "`=` in an f-string is not covered");
        }
        let value = self.expr(&element.expression)?;
        let conversion = match element.conversion {
            ConversionFlag::None => "",
            ConversionFlag::Str => "s",
            ConversionFlag::Repr => "r",
            ConversionFlag::Ascii => return self.flag(element, "`!a` in an f-string is not covered"),
        };
        let format = match &element.format_spec {
            None => "\"\"".to_owned(),
            Some(spec) => {
                let mut parts = Vec::new();
                self.elements(&spec.elements, &mut parts)?;
                format!("py_concat([{}])", parts.join(", "))
            }
        };
        Ok(format!("py_format({value}, \"{conversion}\", {format})"))
    }
}
