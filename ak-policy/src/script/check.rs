//! What can be said of a script before it runs: names that nobody knows, patterns that are none.

use rhai::{AST, ASTNode, Dynamic, Expr, FnCallExpr, Position, Stmt};

use super::accounts;
use super::engine::Machine;
use crate::policy::Failure;

/// Functions that expressions elsewhere can call, and whose subject does not exist here yet.
const LATER: &[(&str, &str)] = &[
    ("ak_create_jwt", "expressions cannot make tokens yet"),
    ("ak_create_jwt_raw", "expressions cannot make tokens yet"),
    ("ak_send_email", "it comes with e-mail"),
    ("ak_user_has_authenticator", "it comes with authenticator devices"),
    ("ak_devices_for_user", "it comes with authenticator devices"),
    ("ak_system_settings", "it comes with the settings of the system"),
];

/// The problems of a script that can be read.
#[derive(Default)]
pub(super) struct Problems {
    /// Functions that there are not.
    unknown: Vec<Failure>,
    /// What functions are asked for that they cannot do.
    beyond: Vec<Failure>,
}

impl Problems {
    /// Whether the script calls only functions that there are.
    pub(super) fn are_beyond(&self) -> bool {
        self.unknown.is_empty()
    }

    /// All of them, in the order in which they stand.
    pub(super) fn all(self) -> Vec<Failure> {
        let mut all: Vec<Failure> = self.unknown.into_iter().chain(self.beyond).collect();
        all.sort_by_key(|problem| (problem.line, problem.column));
        all
    }
}

/// The problems of a script that can be read.
pub(super) fn problems(machine: &Machine, ast: &AST) -> Problems {
    let own: Vec<String> = ast.iter_functions().map(|function| function.name.to_owned()).collect();
    let known = |name: &str| machine.functions.contains(name) || own.iter().any(|own| own == name);
    let mut found = Problems::default();
    ast.walk(&mut |path| {
        let (call, place) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, place) | Expr::MethodCall(call, place))) => (call, *place),
            Some(ASTNode::Stmt(Stmt::FnCall(call, place))) => (call, *place),
            _ => return true,
        };
        if !call.is_operator_call() && !known(&call.name) && !is_language(&call.name) {
            found.unknown.push(at(unknown(&call.name), place));
        }
        // What a translation calls a method by.
        if let ("py_call", Some(Expr::StringConstant(method, _))) = (&*call.name, call.args.get(1))
            && LATER.iter().any(|(later, _)| *later == method.as_str())
        {
            found.unknown.push(at(unknown(method), place));
        }
        if let Some(problem) = searched(call) {
            found.beyond.push(at(problem, place));
        }
        if let ("regex_match" | "regex_replace", Some(Expr::StringConstant(text, place))) = (&*call.name, call.args.get(1)) {
            found.beyond.extend(super::functions::pattern(text).err().map(|problem| at(problem, *place)));
        }
        true
    });
    found
}

/// What a search among objects that is written out (`User.objects.filter(…)`) asks for and accounts cannot be searched by.
fn searched(call: &FnCallExpr) -> Option<String> {
    match (&*call.name, call.args.first(), call.args.get(1)) {
        ("ak_objects", Some(Expr::StringConstant(model, _)), _) => accounts::unsearchable(model),
        ("py_call", Some(on), Some(Expr::StringConstant(method, _))) => {
            let model = model(on).filter(|model| accounts::unsearchable(model).is_none())?;
            // What a search for groups has found is a list.
            if model == "Group" && matches!(on, Expr::FnCall(inner, _) if inner.name == "py_call") {
                return None;
            }
            let names = call.args.get(3).map(names).unwrap_or_default();
            accounts::misused(model, method, names.iter().map(String::as_str))
        }
        _ => None,
    }
}

/// What an expression of a translation searches among, where it is a search that is written out in one piece.
fn model(expr: &Expr) -> Option<&str> {
    let Expr::FnCall(call, _) = expr else { return None };
    match (&*call.name, call.args.first()?) {
        ("ak_objects", Expr::StringConstant(model, _)) => Some(model),
        ("py_in" | "py_call", inner) => model(inner),
        _ => None,
    }
}

/// The names of a call's keywords: a list in which names and values take turns.
fn names(keywords: &Expr) -> Vec<String> {
    match keywords {
        Expr::Array(items, _) => items.iter().step_by(2).filter_map(|name| text(name.get_literal_value(None)?)).collect(),
        constant => {
            let items = constant.get_literal_value(None).and_then(|items| items.into_array().ok()).unwrap_or_default();
            items.into_iter().step_by(2).filter_map(text).collect()
        }
    }
}

fn text(value: Dynamic) -> Option<String> {
    value.into_string().ok()
}

fn unknown(name: &str) -> String {
    match LATER.iter().find(|(later, _)| *later == name) {
        Some((_, why)) => format!("The function {name} is not available: {why}."),
        None => format!("There is no function {name}."),
    }
}

/// Functions that are part of the language, and closures.
fn is_language(name: &str) -> bool {
    const WORDS: [&str; 8] = ["Fn", "call", "curry", "is_def_fn", "is_def_var", "is_shared", "type_of", "print"];
    WORDS.contains(&name) || name.starts_with("anon$") || !name.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn at(message: String, place: Position) -> Failure {
    Failure { message, line: place.line(), column: place.position(), log: Vec::new() }
}
