//! What a name means: a variable of the body, an import, a name of the surroundings, something built in.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Alias, Comprehension, ExceptHandler, Expr, ExprContext, Stmt, StmtImport, StmtImportFrom};

use super::{Flagged, Translated, Translator};
use crate::python::runtime;

/// The variables that expressions find in their surroundings.
const SURROUNDINGS: &[&str] = &[
    "ak_client_ip",
    "ak_is_sso_flow",
    "ak_logger",
    "application",
    "assertion",
    "client",
    "connection",
    "context",
    "dn",
    "flow_plan",
    "geoip",
    "asn",
    "group",
    "http_request",
    "info",
    "ldap",
    "logger",
    "obj",
    "principal",
    "prompt_context",
    "provider",
    "request",
    "requests",
    "root",
    "session",
    "source",
    "token",
    "user",
    "instance",
    "notification",
    "event",
    "creating",
    "userinfo",
    "id_token",
];

/// Words that Rhai keeps for itself.
const RESERVED: &[&str] = &[
    "true",
    "false",
    "let",
    "const",
    "if",
    "else",
    "switch",
    "do",
    "while",
    "until",
    "loop",
    "for",
    "in",
    "continue",
    "break",
    "return",
    "fn",
    "private",
    "this",
    "throw",
    "try",
    "catch",
    "import",
    "export",
    "as",
    "global",
    "Fn",
    "call",
    "curry",
    "type_of",
    "is_def_var",
    "is_def_fn",
    "is_shared",
    "print",
    "debug",
    "eval",
    "package",
    "public",
    "protected",
    "super",
    "self",
    "new",
    "use",
    "module",
    "var",
    "static",
    "shared",
    "with",
    "is",
    "goto",
    "exit",
    "match",
    "case",
    "default",
    "void",
    "null",
    "nil",
    "spawn",
    "thread",
    "go",
    "sync",
    "async",
    "await",
    "yield",
    "begin",
    "end",
    "then",
    "unless",
    "unlet",
    "end_if",
];

/// What a name stands for.
pub(super) enum Meaning {
    /// A variable of the body, in Rhai.
    Variable(String),
    /// A variable of the surroundings.
    Surroundings(String),
    /// Something built in or imported, by its full path (`len`, `datetime.datetime`).
    Path(String),
}

/// Finds what the body assigns.
#[derive(Default)]
struct Assigned {
    names: Vec<String>,
    caught: Vec<String>,
}

impl<'a> Visitor<'a> for Assigned {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr
            && matches!(name.ctx, ExprContext::Store | ExprContext::Del)
        {
            self.names.push(name.id.to_string());
        }
        walk_expr(self, expr);
    }

    fn visit_comprehension(&mut self, comprehension: &'a Comprehension) {
        // Its own variables are its own.
        self.visit_expr(&comprehension.iter);
        comprehension.ifs.iter().for_each(|condition| self.visit_expr(condition));
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler) = handler;
        self.caught.extend(handler.name.iter().map(|name| name.id.to_string()));
        handler.body.iter().for_each(|statement| self.visit_stmt(statement));
    }
}

/// Finds what the body imports.
#[derive(Default)]
struct Imports {
    found: Vec<(String, String, ruff_text_size::TextRange)>,
}

impl<'a> Visitor<'a> for Imports {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(StmtImport { names, .. }) => self.found.extend(names.iter().map(module_import)),
            Stmt::ImportFrom(StmtImportFrom { module, names, .. }) => {
                let module = module.as_ref().map_or("", |module| module.id.as_str());
                self.found.extend(names.iter().map(|alias| {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    (bound.id.to_string(), format!("{module}.{}", alias.name.id), alias.range)
                }));
            }
            _ => walk_stmt(self, statement),
        }
    }
}

/// `import a.b` binds `a`; `import a.b as c` binds the module `a.b`.
fn module_import(alias: &Alias) -> (String, String, ruff_text_size::TextRange) {
    let path = alias.name.id.to_string();
    match &alias.asname {
        Some(name) => (name.id.to_string(), path, alias.range),
        None => {
            let root = path.split('.').next().unwrap_or_default().to_owned();
            (root.clone(), root, alias.range)
        }
    }
}

impl Translator<'_> {
    /// Learns what the body assigns and imports. Conflicts are flagged.
    pub(super) fn collect_names(&mut self) {
        let source = self.source;
        let mut imports = Imports::default();
        let mut assigned = Assigned::default();
        for statement in &source.body {
            imports.visit_stmt(statement);
            assigned.visit_stmt(statement);
        }
        self.caught = assigned.caught.into_iter().collect();
        self.locals = assigned.names.into_iter().chain(self.caught.iter().cloned()).collect();
        for (name, path, range) in imports.found {
            let other = self.imports.insert(name.clone(), path.clone());
            if self.locals.contains(&name) || other.is_some_and(|other| other != path) {
                let _: Translated<()> = self.flag_range(range, format!("`{name}` is bound more than once, to different things"));
            }
        }
    }

    /// The Rhai name of a variable of the body.
    pub(super) fn variable(name: &str) -> String {
        let plain = name.is_ascii() && name.starts_with(|c: char| c.is_ascii_alphabetic());
        let taken = RESERVED.contains(&name) || ["py_", "ak_", "v_"].iter().any(|prefix| name.starts_with(prefix));
        if plain && !taken {
            return name.to_owned();
        }
        let letters = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c.to_string() } else { format!("_u{:x}_", u32::from(c)) });
        format!("v_{}", letters.collect::<String>())
    }

    /// What a name stands for at this place.
    pub(super) fn meaning(&mut self, node: &ruff_python_ast::ExprName) -> Translated<Meaning> {
        let name = node.id.as_str();
        if self.inner.iter().any(|inner| inner == name) || self.locals.contains(name) {
            return Ok(Meaning::Variable(Self::variable(name)));
        }
        if let Some(path) = self.imports.get(name).cloned() {
            if !self.imported.contains(name) {
                return self.flag(node, format!("`{name}` is used before it is imported"));
            }
            return Ok(Meaning::Path(path));
        }
        if SURROUNDINGS.contains(&name) {
            return Ok(Meaning::Surroundings(name.to_owned()));
        }
        if runtime::importable(name) {
            return self.flag(node, format!("`{name}` is not imported"));
        }
        Ok(Meaning::Path(name.to_owned()))
    }

    /// Whether the surroundings have a variable of that name, which the body may replace.
    pub(super) fn in_surroundings(name: &str) -> bool {
        SURROUNDINGS.contains(&name)
    }

    /// The full path that an expression names, if it is nothing but a path (`datetime.datetime.now`).
    pub(super) fn path(&mut self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) => {
                let known = self.flags.len();
                let meaning = self.meaning(name);
                self.flags.truncate(known);
                match meaning {
                    Ok(Meaning::Path(path)) => Some(path),
                    Ok(_) | Err(Flagged) => None,
                }
            }
            Expr::Attribute(attribute) => self.path(&attribute.value).map(|path| format!("{path}.{}", attribute.attr.id)),
            _ => None,
        }
    }

    /// Notes an import; what it brings has to be covered.
    pub(super) fn import(&mut self, node: &Alias, name: &str, path: &str) -> Translated<()> {
        self.imported.insert(name.to_owned());
        if runtime::importable(path) {
            return Ok(());
        }
        let more = match path.split('.').next() {
            Some("requests") => ": `requests.get` and its like are",
            Some("urllib" | "http" | "socket") => ": calls to other hosts are made by `requests`",
            Some("os" | "sys" | "subprocess" | "pathlib" | "io" | "shutil") => ": scripts do not reach files or the environment",
            _ => "",
        };
        self.flag(node, format!("the import of `{path}` is not covered{more}"))
    }
}
