//! Statements, one Rhai line each.

use ruff_python_ast::{
    Comprehension, ElifElseClause, ExceptHandler, ExceptHandlerExceptHandler, Expr, Stmt, StmtAnnAssign, StmtAssign,
    StmtAugAssign, StmtDelete, StmtFor, StmtIf, StmtRaise, StmtTry, StmtWhile,
};
use ruff_text_size::Ranged;

use super::expressions::{operator, quoted};
use super::{Translated, Translator};
use crate::python::runtime;

/// How deep blocks may be nested in blocks.
const MAX_BLOCKS: usize = 16;

impl Translator<'_> {
    /// The whole body.
    pub(super) fn function(&mut self) {
        self.collect_names();
        let source = self.source;
        let mut yields = Yields(false);
        source.body.iter().for_each(|statement| ruff_python_ast::visitor::Visitor::visit_stmt(&mut yields, statement));
        self.yields = yields.0;
        self.block(&source.body);
        let end = if self.yields { "py_out(py_yielded)" } else { "()" };
        self.raw_line(0, end);
        self.declare();
    }

    /// Puts the declarations of all variables in front: what the surroundings give, if it is read before it is replaced; nothing
    /// otherwise.
    fn declare(&mut self) {
        let body = std::mem::take(&mut self.out);
        let lines = std::mem::take(&mut self.lines);
        for name in self.locals.clone() {
            let variable = Self::variable(&name);
            let start = if self.inherited.contains(&name) { format!("py_in({name})") } else { "py_unbound()".to_owned() };
            self.raw_line(0, &format!("let {variable} = {start};"));
        }
        if self.yields {
            self.raw_line(0, "let py_yielded = py_list([]);");
        }
        self.out.push_str(&body);
        self.lines.extend(lines);
    }

    fn block(&mut self, body: &[Stmt]) {
        if self.indent > MAX_BLOCKS {
            if let Some(first) = body.first() {
                let _: Translated = self.flag(first, "blocks are nested too deeply");
            }
            return;
        }
        for statement in body {
            // What is flagged is on the list; the rest of the body is still looked at.
            let _ = self.statement(statement);
        }
    }

    fn indented(&mut self, body: &[Stmt]) {
        self.indent += 1;
        self.block(body);
        self.indent -= 1;
    }

    fn statement(&mut self, statement: &Stmt) -> Translated<()> {
        match statement {
            Stmt::Expr(node) => match &*node.value {
                Expr::Yield(value) => {
                    let value = value.value.as_ref().map_or_else(|| Ok("()".to_owned()), |value| self.expr(value))?;
                    self.line(statement, &format!("py_call(py_yielded, \"append\", [{value}]);"));
                }
                Expr::YieldFrom(value) => {
                    let value = self.expr(&value.value)?;
                    self.line(statement, &format!("py_call(py_yielded, \"extend\", [{value}]);"));
                }
                // A text that stands alone documents.
                Expr::StringLiteral(_) => {}
                value => {
                    let value = self.expr(value)?;
                    let temporary = self.temporary("s");
                    self.line(statement, &format!("{{ let {temporary} = {value}; }}"));
                }
            },
            Stmt::Return(node) => {
                let value = match &node.value {
                    Some(value) if self.yields => {
                        return self.flag(value.as_ref(), "`return` with a value in a generator is not covered");
                    }
                    None if self.yields => "py_yielded".to_owned(),
                    Some(value) => self.expr(value)?,
                    None => "()".to_owned(),
                };
                self.line(statement, &format!("return py_out({value});"));
            }
            Stmt::Assign(node) => self.assign(node)?,
            Stmt::AnnAssign(node) => self.annotated(node)?,
            Stmt::AugAssign(node) => self.augmented(node)?,
            Stmt::If(node) => self.conditional(node)?,
            Stmt::For(node) => self.for_loop(node)?,
            Stmt::While(node) => self.while_loop(node)?,
            Stmt::Try(node) => self.attempt(node)?,
            Stmt::Raise(node) => self.raise(node)?,
            Stmt::Assert(node) => {
                let test = self.condition(&node.test)?;
                let message = node.msg.as_ref().map_or_else(|| Ok(String::new()), |message| self.expr(message))?;
                self.line(statement, &format!("if !({test}) {{ py_raise(\"AssertionError\", [{message}]); }}"));
            }
            Stmt::Delete(node) => self.delete(node)?,
            Stmt::Import(node) => {
                for alias in &node.names {
                    let path = alias.name.id.to_string();
                    let root = path.split('.').next().unwrap_or_default();
                    let bound = alias.asname.as_ref().map_or(root, |name| name.id.as_str()).to_owned();
                    self.import(alias, &bound, &path)?;
                }
            }
            Stmt::ImportFrom(node) => {
                let module = match &node.module {
                    Some(module) if node.level == 0 => module.id.as_str(),
                    _ => return self.flag(statement, "relative imports are not covered"),
                };
                for alias in &node.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.import(alias, bound.id.as_str(), &format!("{module}.{}", alias.name.id))?;
                }
            }
            Stmt::Pass(_) => {}
            Stmt::Break(_) => match self.loops.last().cloned() {
                Some(Some(flag)) => self.line(statement, &format!("{flag} = false; break;")),
                Some(None) => self.line(statement, "break;"),
                None => return self.flag(statement, "`break` outside of a loop"),
            },
            Stmt::Continue(_) if self.loops.is_empty() => return self.flag(statement, "`continue` outside of a loop"),
            Stmt::Continue(_) => self.line(statement, "continue;"),
            Stmt::FunctionDef(_) => return self.flag(statement, "functions of one's own are not covered"),
            Stmt::ClassDef(_) => return self.flag(statement, "classes of one's own are not covered"),
            Stmt::With(_) => return self.flag(statement, "`with` is not covered"),
            Stmt::Match(_) => return self.flag(statement, "`match` is not covered"),
            Stmt::Global(_) | Stmt::Nonlocal(_) => return self.flag(statement, "global variables are not covered"),
            _ => return self.flag(statement, "this statement is not covered"),
        }
        Ok(())
    }

    fn assign(&mut self, node: &StmtAssign) -> Translated<()> {
        let value = self.expr(&node.value)?;
        if let [target] = node.targets.as_slice() {
            return self.store(node, target, &value);
        }
        let temporary = self.temporary("v");
        self.line(node, &format!("let {temporary} = {value};"));
        node.targets.iter().try_for_each(|target| self.store(node, target, &temporary))
    }

    fn annotated(&mut self, node: &StmtAnnAssign) -> Translated<()> {
        match &node.value {
            Some(value) => {
                let value = self.expr(value)?;
                self.store(node, &node.target, &value)
            }
            None => Ok(()),
        }
    }

    /// Writes the lines that give `value` to a target.
    fn store(&mut self, node: &impl Ranged, target: &Expr, value: &str) -> Translated<()> {
        let line = self.store_text(target, value)?;
        self.line(node, &line);
        Ok(())
    }

    /// The statements that give `value` to a target, in one line.
    pub(super) fn store_text(&mut self, target: &Expr, value: &str) -> Translated {
        match target {
            Expr::Name(name) => {
                self.assigned.insert(name.id.to_string());
                Ok(format!("{} = {value};", Self::variable(name.id.as_str())))
            }
            Expr::Attribute(attribute) => {
                // The value comes first.
                let temporary = self.temporary("v");
                let object = self.expr(&attribute.value)?;
                let name = self.attribute_name(attribute)?;
                Ok(format!("let {temporary} = {value}; py_setattr({object}, {}, {temporary});", quoted(&name)))
            }
            Expr::Subscript(subscript) => {
                let temporary = self.temporary("v");
                let object = self.expr(&subscript.value)?;
                if subscript.slice.is_slice_expr() {
                    return self.flag(target, "the assignment to a slice is not covered");
                }
                let key = self.expr(&subscript.slice)?;
                Ok(format!("let {temporary} = {value}; py_setitem({object}, {key}, {temporary});"))
            }
            Expr::Tuple(tuple) => self.unpack(target, &tuple.elts, value),
            Expr::List(list) => self.unpack(target, &list.elts, value),
            _ => self.flag(target, "this target of an assignment is not covered"),
        }
    }

    fn unpack(&mut self, node: &Expr, targets: &[Expr], value: &str) -> Translated {
        let star = targets.iter().position(Expr::is_starred_expr);
        let temporary = self.temporary("u");
        let mut text = match star {
            None => format!("let {temporary} = py_unpack({value}, {});", targets.len()),
            Some(at) => format!("let {temporary} = py_unpack_star({value}, {at}, {});", targets.len() - at - 1),
        };
        for (at, target) in targets.iter().enumerate() {
            let target = match target {
                Expr::Starred(starred) if star == Some(at) => &starred.value,
                Expr::Starred(_) => return self.flag(node, "two starred targets in one assignment"),
                target => target,
            };
            text.push(' ');
            text.push_str(&self.store_text(target, &format!("{temporary}[{at}]"))?);
        }
        Ok(text)
    }

    fn augmented(&mut self, node: &StmtAugAssign) -> Translated<()> {
        let Some(operator) = operator(node.op) else { return self.flag(node, "this operator is not covered") };
        let combine = |old: &str, value: &str| format!("py_inplace({}, {old}, {value})", quoted(operator));
        let line = match &*node.target {
            Expr::Name(name) => {
                let old = self.expr(&node.target)?;
                let value = self.expr(&node.value)?;
                format!("{} = {};", Self::variable(name.id.as_str()), combine(&old, &value))
            }
            Expr::Attribute(attribute) => {
                let object = self.expr(&attribute.value)?;
                let name = quoted(&self.attribute_name(attribute)?);
                let value = self.expr(&node.value)?;
                let held = self.temporary("o");
                let combined = combine(&format!("py_getattr({held}, {name})"), &value);
                format!("{{ let {held} = {object}; py_setattr({held}, {name}, {combined}); }}")
            }
            Expr::Subscript(subscript) if !subscript.slice.is_slice_expr() => {
                let object = self.expr(&subscript.value)?;
                let key = self.expr(&subscript.slice)?;
                let value = self.expr(&node.value)?;
                let (held, at) = (self.temporary("o"), self.temporary("k"));
                let combined = combine(&format!("py_getitem({held}, {at})"), &value);
                format!("{{ let {held} = {object}; let {at} = {key}; py_setitem({held}, {at}, {combined}); }}")
            }
            _ => return self.flag(node, "this target of an assignment is not covered"),
        };
        self.line(node, &line);
        Ok(())
    }

    fn delete(&mut self, node: &StmtDelete) -> Translated<()> {
        for target in &node.targets {
            let Expr::Subscript(subscript) = target else {
                return self.flag(target, "only items of dictionaries and lists can be deleted");
            };
            if subscript.slice.is_slice_expr() {
                return self.flag(target, "the deletion of a slice is not covered");
            }
            let object = self.expr(&subscript.value)?;
            let key = self.expr(&subscript.slice)?;
            self.line(node, &format!("py_delitem({object}, {key});"));
        }
        Ok(())
    }

    fn conditional(&mut self, node: &StmtIf) -> Translated<()> {
        let test = self.condition(&node.test)?;
        self.line(node, &format!("if {test} {{"));
        let before = self.assigned.clone();
        let imported = self.imported.clone();
        self.indented(&node.body);
        let mut ends = vec![(std::mem::replace(&mut self.assigned, before.clone()), falls_through(&node.body))];
        let mut all_imported = std::mem::replace(&mut self.imported, imported.clone());
        let mut exhaustive = false;
        let mut opened = 0;
        for clause in &node.elif_else_clauses {
            let ElifElseClause { test, body, .. } = clause;
            match test {
                Some(test) => {
                    let test = self.condition(test)?;
                    // Nested rather than chained, so that its line is its own.
                    self.line(clause, &format!("}} else if {test} {{"));
                }
                None => {
                    exhaustive = true;
                    self.line(clause, "} else {");
                }
            }
            opened += 1;
            self.indented(body);
            ends.push((std::mem::replace(&mut self.assigned, before.clone()), falls_through(body)));
            all_imported.append(&mut std::mem::replace(&mut self.imported, imported.clone()));
        }
        debug_assert_eq!(opened, node.elif_else_clauses.len());
        if !exhaustive {
            ends.push((before, true));
        }
        let mut reaching = ends.into_iter().filter(|(_, falls)| *falls).map(|(assigned, _)| assigned);
        if let Some(first) = reaching.next() {
            self.assigned = reaching.fold(first, |both, other| both.intersection(&other).cloned().collect());
        }
        self.imported.append(&mut all_imported);
        self.raw_line(0, "}");
        Ok(())
    }

    /// Declares the variable that tells whether a loop ended without `break`.
    fn loop_flag(&mut self, orelse: &[Stmt]) -> Option<String> {
        if orelse.is_empty() {
            return None;
        }
        let flag = self.temporary("whole");
        self.raw_line(0, &format!("let {flag} = true;"));
        Some(flag)
    }

    fn loop_end(&mut self, flag: Option<String>, orelse: &[Stmt]) {
        self.raw_line(0, "}");
        if let Some(flag) = flag {
            self.raw_line(0, &format!("if {flag} {{"));
            let before = self.assigned.clone();
            self.indented(orelse);
            self.assigned = before;
            self.raw_line(0, "}");
        }
    }

    fn for_loop(&mut self, node: &StmtFor) -> Translated<()> {
        if node.is_async {
            return self.flag(node, "`async` is not covered");
        }
        let flag = self.loop_flag(&node.orelse);
        let iterated = self.expr(&node.iter)?;
        let element = self.temporary("e");
        self.line(node, &format!("for {element} in py_iter({iterated}) {{"));
        let before = self.assigned.clone();
        self.loops.push(flag.clone());
        self.indent += 1;
        let stored = self.store(node, &node.target, &element);
        self.indent -= 1;
        self.indented(&node.body);
        self.loops.pop();
        self.assigned = before;
        self.loop_end(flag, &node.orelse);
        stored
    }

    fn while_loop(&mut self, node: &StmtWhile) -> Translated<()> {
        let flag = self.loop_flag(&node.orelse);
        let test = self.condition(&node.test)?;
        self.line(node, &format!("while {test} {{"));
        let before = self.assigned.clone();
        self.loops.push(flag.clone());
        self.indented(&node.body);
        self.loops.pop();
        self.assigned = before;
        self.loop_end(flag, &node.orelse);
        Ok(())
    }

    fn attempt(&mut self, node: &StmtTry) -> Translated<()> {
        if node.is_star {
            return self.flag(node, "`except*` is not covered");
        }
        if !node.finalbody.is_empty() {
            return self.flag(node, "`finally` is not covered");
        }
        let whole = (!node.orelse.is_empty()).then(|| self.temporary("whole"));
        if let Some(whole) = &whole {
            self.raw_line(0, &format!("let {whole} = false;"));
        }
        self.line(node, "try {");
        let before = self.assigned.clone();
        self.indented(&node.body);
        if let Some(whole) = &whole {
            self.indent += 1;
            self.raw_line(0, &format!("{whole} = true;"));
            self.indent -= 1;
        }
        let after_body = std::mem::replace(&mut self.assigned, before.clone());
        let error = self.temporary("x");
        self.raw_line(0, &format!("}} catch ({error}) {{"));
        self.indent += 1;
        let handled = self.handlers(&node.handlers, &error, &before);
        self.indent -= 1;
        self.raw_line(0, "}");
        let mut reached: Vec<_> = handled?;
        if let Some(whole) = whole {
            self.raw_line(0, &format!("if {whole} {{"));
            self.assigned = after_body;
            self.indented(&node.orelse);
            self.raw_line(0, "}");
            if falls_through(&node.orelse) {
                reached.push(std::mem::take(&mut self.assigned));
            }
        } else if falls_through(&node.body) {
            reached.push(after_body);
        }
        let mut reached = reached.into_iter();
        let first = reached.next().unwrap_or(before);
        self.assigned = reached.fold(first, |both, other| both.intersection(&other).cloned().collect());
        Ok(())
    }

    /// The handlers of a `try`; gives what is assigned after each that can be passed.
    fn handlers(
        &mut self,
        handlers: &[ExceptHandler],
        error: &str,
        before: &std::collections::BTreeSet<String>,
    ) -> Translated<Vec<std::collections::BTreeSet<String>>> {
        let mut reached = Vec::new();
        for (at, ExceptHandler::ExceptHandler(handler)) in handlers.iter().enumerate() {
            let ExceptHandlerExceptHandler { type_, name, body, .. } = handler;
            let classes = match type_ {
                None => vec!["BaseException".to_owned()],
                Some(classes) => self.error_classes(classes)?,
            };
            let classes: Vec<String> = classes.iter().map(|class| quoted(class)).collect();
            let otherwise = if at == 0 { "" } else { "} else " };
            self.line(handler, &format!("{otherwise}if py_catches({error}, [{}]) {{", classes.join(", ")));
            self.assigned = before.clone();
            self.handling.push(error.to_owned());
            if let Some(name) = name {
                self.indent += 1;
                self.line(handler, &format!("{} = py_caught({error});", Self::variable(name.id.as_str())));
                self.indent -= 1;
                self.assigned.insert(name.id.to_string());
            }
            self.indented(body);
            if let Some(name) = name {
                // Python forgets the name after the handler.
                self.indent += 1;
                self.raw_line(0, &format!("{} = py_unbound();", Self::variable(name.id.as_str())));
                self.indent -= 1;
                self.assigned.remove(name.id.as_str());
            }
            self.handling.pop();
            if falls_through(body) {
                reached.push(self.assigned.clone());
            }
        }
        self.raw_line(0, &format!("}} else {{ throw {error}; }}"));
        Ok(reached)
    }

    /// The classes that an `except` names.
    fn error_classes(&mut self, expr: &Expr) -> Translated<Vec<String>> {
        if let Expr::Tuple(tuple) = expr {
            return tuple.elts.iter().map(|class| self.error_class(class)).collect();
        }
        Ok(vec![self.error_class(expr)?])
    }

    pub(super) fn error_class(&mut self, expr: &Expr) -> Translated {
        match self.path(expr).as_deref().and_then(runtime::error_class) {
            Some(class) => Ok(class.to_owned()),
            None => self.flag(expr, format!("the exception `{}` is not covered", self.source.slice(expr))),
        }
    }

    fn raise(&mut self, node: &StmtRaise) -> Translated<()> {
        if let Some(cause) = &node.cause
            && !cause.is_name_expr()
            && !cause.is_none_literal_expr()
        {
            return self.flag(node, "`raise … from` something computed is not covered");
        }
        let line = match node.exc.as_deref() {
            None => match self.handling.last() {
                Some(error) => format!("throw {error};"),
                None => "py_raise(\"RuntimeError\", [\"No active exception to reraise\"]);".to_owned(),
            },
            Some(Expr::Call(call)) if self.path(&call.func).as_deref().and_then(runtime::error_class).is_some() => {
                let class = self.error_class(&call.func)?;
                if !call.arguments.keywords.is_empty() {
                    return self.flag(node, "exceptions with keyword arguments are not covered");
                }
                let arguments = self.list(&call.arguments.args)?;
                format!("py_raise({}, [{arguments}]);", quoted(&class))
            }
            Some(Expr::Name(name)) if self.locals.contains(name.id.as_str()) => {
                let value = self.expr(&Expr::Name(name.clone()))?;
                format!("py_reraise({value});")
            }
            Some(class) => format!("py_raise({}, []);", quoted(&self.error_class(class)?)),
        };
        self.line(node, &line);
        Ok(())
    }
}

/// Whether the statement after this block can be reached from its end.
fn falls_through(body: &[Stmt]) -> bool {
    !matches!(body.last(), Some(Stmt::Return(_) | Stmt::Raise(_) | Stmt::Continue(_) | Stmt::Break(_)))
}

/// Finds `yield`.
struct Yields(bool);

impl<'a> ruff_python_ast::visitor::Visitor<'a> for Yields {
    fn visit_expr(&mut self, expr: &'a Expr) {
        self.0 |= matches!(expr, Expr::Yield(_) | Expr::YieldFrom(_));
        ruff_python_ast::visitor::walk_expr(self, expr);
    }

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        ruff_python_ast::visitor::walk_comprehension(self, comprehension);
    }
}
