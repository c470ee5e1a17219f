//! Which lines of scripts are reached, for runs of tests. Between [`begin`] and [`end`], scripts that are read get a call before every
//! statement that notes the statement's line. Statements within functions and expressions are not told apart from what they are
//! part of.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rhai::{AST, Engine, Expr, FlowControl, Stmt, StmtBlock};

/// The lines of a script, from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Those on which a statement begins.
    pub(crate) all: BTreeSet<i64>,
    /// Those of them that were reached.
    pub(crate) reached: BTreeSet<i64>,
}

/// The scripts that were read since the beginning, by [`key`]; `None`: nothing is noted.
static NOTED: Mutex<Option<BTreeMap<i64, Lines>>> = Mutex::new(None);

/// What is called before a statement. No script can be read that calls it itself.
pub(super) const REACHED: &str = "ak_reached";

fn noted() -> MutexGuard<'static, Option<BTreeMap<i64, Lines>>> {
    NOTED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(source: &str) -> i64 {
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    i64::from_ne_bytes(hasher.finish().to_ne_bytes())
}

/// From now on lines are noted, in the whole process.
pub(crate) fn begin() {
    noted().get_or_insert_default();
}

/// From now on no lines are noted any more.
pub(crate) fn end() {
    *noted() = None;
}

/// The lines of a script that was read since the beginning.
pub(crate) fn of(source: &str) -> Option<Lines> {
    noted().as_ref()?.get(&key(source)).cloned()
}

/// Lets the scripts of an engine note their lines.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn(REACHED, |script: i64, line: i64| {
        if let Some(lines) = noted().as_mut().and_then(|noted| noted.get_mut(&script)) {
            lines.reached.insert(line);
        }
    });
}

/// The script with its notes, while lines are noted. `line` is where a line of `ast` comes from in the source.
pub(super) fn instrument(engine: &Engine, ast: AST, source: &str, line: &dyn Fn(usize) -> Option<usize>) -> AST {
    if noted().is_none() {
        return ast;
    }
    let Some(call) = template(engine) else { return ast };
    let mut notes = Notes { call, script: key(source), line, all: BTreeSet::new() };
    let statements = notes.statements(ast.statements());
    let noted_ast = AST::new(statements, ast.shared_lib().clone());
    if let Some(noted) = noted().as_mut() {
        noted.entry(notes.script).or_default().all.extend(notes.all);
    }
    noted_ast
}

/// A call as the engine itself reads it.
fn template(engine: &Engine) -> Option<Stmt> {
    engine.compile(format!("{REACHED}(0, 0);")).ok()?.statements().first().cloned()
}

struct Notes<'a> {
    call: Stmt,
    script: i64,
    line: &'a dyn Fn(usize) -> Option<usize>,
    all: BTreeSet<i64>,
}

impl Notes<'_> {
    fn statements(&mut self, statements: &[Stmt]) -> Vec<Stmt> {
        let mut noted = Vec::with_capacity(statements.len() * 2);
        for statement in statements {
            noted.extend(self.note(statement));
            let mut statement = statement.clone();
            self.inside(&mut statement);
            noted.push(statement);
        }
        noted
    }

    /// The call that notes a statement.
    fn note(&mut self, statement: &Stmt) -> Option<Stmt> {
        if matches!(statement, Stmt::Noop(_) | Stmt::Share(_)) {
            return None;
        }
        let place = statement.position();
        let line = i64::try_from((self.line)(place.line()?)?).ok()?;
        self.all.insert(line);
        let mut note = self.call.clone();
        let call = match &mut note {
            Stmt::FnCall(call, _) => Some(call),
            Stmt::Expr(expression) => match &mut **expression {
                Expr::FnCall(call, _) => Some(call),
                _ => None,
            },
            _ => None,
        };
        if let Some(call) = call {
            for (argument, value) in call.args.iter_mut().zip([self.script, line]) {
                *argument = Expr::IntegerConstant(value, place);
            }
        }
        Some(note)
    }

    fn block(&mut self, block: &mut StmtBlock) {
        let statements = self.statements(block.statements());
        *block = StmtBlock::new_with_span(statements, block.span());
    }

    fn branches(&mut self, control: &mut FlowControl) {
        self.block(&mut control.body);
        self.block(&mut control.branch);
    }

    fn inside(&mut self, statement: &mut Stmt) {
        match statement {
            Stmt::If(control, _) | Stmt::While(control, _) | Stmt::Do(control, _, _) | Stmt::TryCatch(control, _) => {
                self.branches(control);
            }
            Stmt::For(parts, _) => self.branches(&mut parts.2),
            Stmt::Block(block) => self.block(block),
            Stmt::Switch(parts, _) => parts.1.expressions.iter_mut().for_each(|case| self.expression(&mut case.rhs)),
            Stmt::Expr(expression) => self.expression(expression),
            _ => {}
        }
    }

    /// An expression that is nothing but a block.
    fn expression(&mut self, expression: &mut Expr) {
        if let Expr::Stmt(block) = expression {
            self.block(block);
        }
    }
}
