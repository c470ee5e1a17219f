//! Comprehensions, generators that a function consumes at once, and lambdas that one applies: loops within a block.

use ruff_python_ast::{Comprehension, Expr, ExprLambda};

use super::expressions::quoted;
use super::{Translated, Translator};
use crate::python::runtime;

/// What the innermost part of the loops does.
pub(super) enum Inner<'e> {
    /// Evaluates this, and passes it to the text builder.
    One(&'e Expr),
    /// A key and its value.
    Pair(&'e Expr, &'e Expr),
}

impl Translator<'_> {
    /// A list or set of what the loops give.
    pub(super) fn collected(&mut self, kind: &str, element: &Expr, generators: &[Comprehension]) -> Translated {
        let list = self.temporary("l");
        let loops = self.loops_of(generators, &Inner::One(element), None, |values| format!("py_push({list}, {values});"))?;
        let end = if kind == "list" { list.clone() } else { format!("py_{kind}(py_values({list}))") };
        Ok(format!("{{ let {list} = py_list([]); {loops} {end} }}"))
    }

    pub(super) fn collected_pairs(&mut self, key: &Expr, value: &Expr, generators: &[Comprehension]) -> Translated {
        let held = self.temporary("d");
        let loops = self.loops_of(generators, &Inner::Pair(key, value), None, |pair| format!("py_setitem({held}, {pair});"))?;
        Ok(format!("{{ let {held} = py_dict([]); {loops} {held} }}"))
    }

    /// `any(…)` and `all(…)` end with the first that decides.
    pub(super) fn quantified(&mut self, any: bool, element: &Expr, generators: &[Comprehension]) -> Translated {
        let outcome = self.temporary("q");
        let test = if any { "" } else { "!" };
        let stop = if any { outcome.clone() } else { format!("!{outcome}") };
        let loops = self.loops_of(generators, &Inner::One(element), Some(&stop), |value| {
            format!("if {test}py_truth({value}) {{ {outcome} = {any}; break; }}")
        })?;
        Ok(format!("{{ let {outcome} = {}; {loops} {outcome} }}", !any))
    }

    /// `next(…)`: the first value, or the default.
    pub(super) fn first(&mut self, element: &Expr, generators: &[Comprehension], default: Option<&Expr>) -> Translated {
        let (found, value) = (self.temporary("q"), self.temporary("v"));
        let default = match default {
            Some(default) => self.expr(default)?,
            None => "py_raise(\"StopIteration\", [])".to_owned(),
        };
        // The default is evaluated before, as an argument is; an error of exhaustion after.
        let (before, after) = if default.starts_with("py_raise(") {
            ("()".to_owned(), format!("if !{found} {{ {default}; }} "))
        } else {
            (default, String::new())
        };
        let loops = self.loops_of(generators, &Inner::One(element), Some(&found.clone()), |text| {
            format!("{value} = {text}; {found} = true; break;")
        })?;
        Ok(format!("{{ let {value} = {before}; let {found} = false; {loops} {after}{value} }}"))
    }

    /// The loops, in one line. `stop` is the condition that ends the outer loops after the inner one has been left.
    fn loops_of(
        &mut self,
        generators: &[Comprehension],
        inner: &Inner<'_>,
        stop: Option<&str>,
        body: impl FnOnce(&str) -> String,
    ) -> Translated {
        let assigned = self.assigned.clone();
        let open = self.inner.len();
        let text = self.open_loops(generators, inner, stop, body);
        self.inner.truncate(open);
        self.assigned = assigned;
        text
    }

    fn open_loops(
        &mut self,
        generators: &[Comprehension],
        inner: &Inner<'_>,
        stop: Option<&str>,
        body: impl FnOnce(&str) -> String,
    ) -> Translated {
        let mut text = String::new();
        for generator in generators {
            if generator.is_async {
                return self.flag(generator, "`async` is not covered");
            }
            let iterated = self.expr(&generator.iter)?;
            let element = self.temporary("e");
            text.push_str(&format!("for {element} in py_iter({iterated}) {{ "));
            text.push_str(&self.bind(&generator.target, &element)?);
            for condition in &generator.ifs {
                let condition = self.condition(condition)?;
                text.push_str(&format!("if !{condition} {{ continue; }} "));
            }
        }
        let values = match inner {
            Inner::One(element) => self.expr(element)?,
            Inner::Pair(key, value) => format!("{}, {}", self.expr(key)?, self.expr(value)?),
        };
        text.push_str(&body(&values));
        for level in 0..generators.len() {
            text.push_str(" }");
            if let Some(stop) = stop
                && level + 1 < generators.len()
            {
                text.push_str(&format!(" if {stop} {{ break; }}"));
            }
        }
        Ok(text)
    }

    /// Declares the variables of a comprehension.
    fn bind(&mut self, target: &Expr, value: &str) -> Translated {
        match target {
            Expr::Name(name) => {
                self.inner.push(name.id.to_string());
                Ok(format!("let {} = {value}; ", Self::variable(name.id.as_str())))
            }
            Expr::Tuple(tuple) => self.bind_all(&tuple.elts, value),
            Expr::List(list) => self.bind_all(&list.elts, value),
            _ => self.flag(target, "this variable of a comprehension is not covered"),
        }
    }

    fn bind_all(&mut self, targets: &[Expr], value: &str) -> Translated {
        let held = self.temporary("u");
        let mut text = format!("let {held} = py_unpack({value}, {}); ", targets.len());
        for (at, target) in targets.iter().enumerate() {
            text.push_str(&self.bind(target, &format!("{held}[{at}]"))?);
        }
        Ok(text)
    }

    /// `filter(f, xs)`, for a function that consumes all of it at once.
    pub(super) fn filtered(&mut self, function: &Expr, iterated: &Expr) -> Translated {
        let iterated = self.expr(iterated)?;
        let (list, element) = (self.temporary("l"), self.temporary("e"));
        let test = if function.is_none_literal_expr() { element.clone() } else { self.applied(function, &[&element])? };
        Ok(format!(
            "{{ let {list} = py_list([]); for {element} in py_iter({iterated}) {{ if py_truth({test}) {{ py_push({list}, {element}); }} }} {list} }}"
        ))
    }

    /// `map(f, xs)`, for a function that consumes all of it at once.
    pub(super) fn mapped(&mut self, function: &Expr, iterated: &Expr) -> Translated {
        let iterated = self.expr(iterated)?;
        let (list, element) = (self.temporary("l"), self.temporary("e"));
        let value = self.applied(function, &[&element])?;
        Ok(format!("{{ let {list} = py_list([]); for {element} in py_iter({iterated}) {{ py_push({list}, {value}); }} {list} }}"))
    }

    /// The keys of `values` (a Rhai variable), in their order.
    pub(super) fn keys(&mut self, function: &Expr, values: &str) -> Translated {
        if function.is_none_literal_expr() {
            return Ok(values.to_owned());
        }
        let (list, element) = (self.temporary("l"), self.temporary("e"));
        let value = self.applied(function, &[&element])?;
        Ok(format!("{{ let {list} = py_list([]); for {element} in py_iter({values}) {{ py_push({list}, {value}); }} {list} }}"))
    }

    /// A function applied to Rhai variables: a lambda, something built in, or a method of a class (`str.lower`).
    fn applied(&mut self, function: &Expr, arguments: &[&str]) -> Translated {
        if let Expr::Lambda(lambda) = function {
            return self.applied_lambda(lambda, arguments);
        }
        match self.path(function) {
            Some(path) if runtime::function(&path).is_some() => {
                Ok(format!("py_fn({}, [{}])", quoted(&path), arguments.join(", ")))
            }
            Some(path) => {
                let Some(("str" | "bytes" | "dict" | "list", method)) = path.split_once('.') else {
                    return self.flag(function, "this function is not covered here");
                };
                let Some((object, rest)) = arguments.split_first() else {
                    return self.flag(function, "this function is not covered here");
                };
                if !runtime::is_method(method) {
                    return self.flag(function, format!("the method `{method}` is not known"));
                }
                let class = path.split('.').next().unwrap_or_default();
                Ok(format!("py_call(py_instance({object}, {}), {}, [{}])", quoted(class), quoted(method), rest.join(", ")))
            }
            None => self.flag(function, "this function is not covered here"),
        }
    }

    fn applied_lambda(&mut self, lambda: &ExprLambda, arguments: &[&str]) -> Translated {
        let parameters = lambda.parameters.as_ref();
        let plain = parameters.is_some_and(|parameters| {
            parameters.vararg.is_none()
                && parameters.kwarg.is_none()
                && parameters.kwonlyargs.is_empty()
                && parameters.iter_non_variadic_params().all(|parameter| parameter.default.is_none())
        });
        let names: Vec<String> = parameters
            .iter()
            .flat_map(|parameters| parameters.iter_non_variadic_params())
            .map(|parameter| parameter.parameter.name.id.to_string())
            .collect();
        if !plain || names.len() != arguments.len() {
            return self.flag(lambda, format!("a lambda with {} plain parameter(s) is covered here", arguments.len()));
        }
        let assigned = self.assigned.clone();
        let open = self.inner.len();
        let mut text = "{ ".to_owned();
        for (name, argument) in names.into_iter().zip(arguments) {
            text.push_str(&format!("let {} = {argument}; ", Self::variable(&name)));
            self.inner.push(name);
        }
        let body = self.expr(&lambda.body);
        self.inner.truncate(open);
        self.assigned = assigned;
        Ok(format!("{text}{} }}", body?))
    }
}
