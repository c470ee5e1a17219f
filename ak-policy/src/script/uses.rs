//! What a script uses, as far as that can be said before it runs.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Expr, Stmt};

use super::document::Name;
use super::engine::Machine;

/// What a script uses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uses {
    /// The variables of its field that it may read.
    variables: BTreeSet<&'static str>,
    /// It may call functions of rooms above this one, of which nobody here knows what they read.
    foreign: bool,
}

impl Uses {
    /// What a script uses that was read by this machine, of these variables.
    pub(super) fn of(ast: &AST, machine: &Machine, names: &'static [Name]) -> Self {
        let mut uses = Self::default();
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                    uses.function(&call.name, machine, names);
                }
                Some(ASTNode::Expr(Expr::Property(property, _))) => uses.function(&property.2, machine, names),
                Some(ASTNode::Expr(Expr::Variable(variable, ..))) => {
                    uses.variables.extend(names.iter().map(|name| name.name).filter(|name| *name == variable.1));
                }
                _ => {}
            }
            true
        });
        uses
    }

    fn function(&mut self, name: &str, machine: &Machine, names: &'static [Name]) {
        match name {
            // A variable by a name that is made at run time, or all of them.
            "is_def_var" => self.variables.extend(names.iter().map(|name| name.name)),
            // A function by such a name.
            "Fn" => self.foreign = true,
            _ => self.foreign |= machine.foreign.contains(name),
        }
    }

    /// Whether it may read this variable.
    pub(super) fn has(&self, name: &str) -> bool {
        self.variables.contains(name)
    }

    /// Whether all functions that it calls are this room's.
    pub(super) fn only_own_functions(&self) -> bool {
        !self.foreign
    }
}
