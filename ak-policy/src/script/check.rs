//! What can be said of a script before it runs: names that nobody knows, patterns that are none.

use rhai::{AST, ASTNode, Expr, Position, Stmt};

use super::engine::Machine;
use crate::policy::Failure;

/// Functions that expressions elsewhere can call, and whose subject does not exist here yet.
const LATER: &[(&str, &str)] = &[
    ("ak_create_jwt", "it comes with the OAuth2 provider"),
    ("ak_create_jwt_raw", "it comes with the OAuth2 provider"),
    ("ak_send_email", "it comes with e-mail"),
    ("ak_user_has_authenticator", "it comes with authenticator devices"),
    ("app_entitlements", "it comes with application entitlements"),
    ("ak_devices_for_user", "it comes with authenticator devices"),
    ("ak_objects", "objects cannot be searched in the database yet; `ak_user_by` finds one account"),
    ("ak_system_settings", "it comes with the settings of the system"),
    ("reverse_dns", "names of addresses cannot be looked up yet"),
];

/// The problems of a script that can be read.
pub(super) fn problems(machine: &Machine, ast: &AST) -> Vec<Failure> {
    let own: Vec<String> = ast.iter_functions().map(|function| function.name.to_owned()).collect();
    let known = |name: &str| machine.functions.contains(name) || own.iter().any(|own| own == name);
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        let (call, place) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, place) | Expr::MethodCall(call, place))) => (call, *place),
            Some(ASTNode::Stmt(Stmt::FnCall(call, place))) => (call, *place),
            _ => return true,
        };
        if !call.is_operator_call() && !known(&call.name) && !is_language(&call.name) {
            found.push(at(unknown(&call.name), place));
        }
        // What a translation calls a method by.
        if let ("py_call", Some(Expr::StringConstant(method, _))) = (&*call.name, call.args.get(1))
            && LATER.iter().any(|(later, _)| *later == method.as_str())
        {
            found.push(at(unknown(method), place));
        }
        if let ("regex_match" | "regex_replace", Some(Expr::StringConstant(text, place))) = (&*call.name, call.args.get(1)) {
            found.extend(super::functions::pattern(text).err().map(|problem| at(problem, *place)));
        }
        true
    });
    found
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
