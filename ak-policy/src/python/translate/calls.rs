//! Calls: what is built in, what is imported, what the surroundings offer, and methods.

use ruff_python_ast::{Arguments, Expr, ExprAttribute, ExprCall, ExprStringLiteral};

use super::expressions::quoted;
use super::names::Meaning;
use super::{Translated, Translator};
use crate::pattern;
use crate::python::runtime;

/// The functions of the surroundings: name, positional parameters, whether further keywords are taken.
const OFFERED: &[(&str, &[&str], bool)] = &[
    ("ak_call_policy", &["name"], true),
    ("ak_create_event", &["action"], true),
    ("ak_create_jwt", &["user", "provider", "scopes", "validity"], false),
    ("ak_create_jwt_raw", &["provider", "validity"], true),
    ("ak_group_by", &[], true),
    ("ak_is_group_member", &["user"], true),
    ("ak_message", &["message"], false),
    ("ak_send_email", &["address", "subject"], true),
    ("ak_user_by", &[], true),
    ("ak_user_has_authenticator", &["user", "device_type"], false),
    ("resolve_dns", &["host", "ip_version"], false),
    ("reverse_dns", &["ip_addr"], false),
    ("ak_devices_for_user", &["user"], true),
    ("ak_system_settings", &[], false),
];

/// What can be said of a request by name.
const OPTIONS: &[&str] = &["params", "headers", "json", "data", "auth", "timeout", "allow_redirects"];

/// Functions that consume an iterable at once, so that a generator can be a list.
const CONSUMERS: &[&str] = &["list", "set", "frozenset", "tuple", "sum", "sorted", "min", "max", "dict", "len"];
/// Methods that do.
const CONSUMING_METHODS: &[&str] = &["join", "extend", "update", "union", "intersection", "difference"];
/// Functions of `re` that take a pattern first.
const PATTERNS: &[&str] =
    &["re.compile", "re.search", "re.match", "re.fullmatch", "re.findall", "re.finditer", "re.sub", "re.subn", "re.split"];

impl Translator<'_> {
    pub(super) fn call(&mut self, node: &ExprCall) -> Translated {
        if let Some(starred) = node.arguments.args.iter().find(|argument| argument.is_starred_expr()) {
            return self.flag(starred, "`*` in a call is not covered");
        }
        if let Some(keyword) = node.arguments.keywords.iter().find(|keyword| keyword.arg.is_none()) {
            return self.flag(keyword, "`**` in a call is not covered");
        }
        match (self.path(&node.func), &*node.func) {
            (Some(path), _) if !of_model(&path) => self.named(node, &path),
            (_, Expr::Attribute(attribute)) => self.method(node, attribute),
            (_, Expr::Name(name)) => {
                let what = match self.meaning(name)? {
                    Meaning::Variable(_) => "the call of a variable is not covered",
                    _ => "this is not a function",
                };
                self.flag(name, what)
            }
            (_, function) => self.flag(function, "the call of a computed function is not covered"),
        }
    }

    /// A call of something built in, imported or offered.
    fn named(&mut self, node: &ExprCall, path: &str) -> Translated {
        let arguments = &node.arguments;
        let offered = runtime::offered(path).unwrap_or(path);
        if let Some((name, parameters, open)) = OFFERED.iter().find(|(name, ..)| *name == offered) {
            return self.offered(node, name, parameters, *open);
        }
        if let Some(method) = path.strip_prefix("requests.").filter(|method| runtime::REQUESTS.contains(method)) {
            return self.requests(node, method);
        }
        if let Some(text) = self.special(node, path) {
            return text;
        }
        if PATTERNS.contains(&path) || matches!(path, "regex_match" | "regex_replace") {
            self.check_pattern(path, arguments)?;
        }
        if runtime::function(path).is_some() {
            let consumes = CONSUMERS.contains(&path);
            let (positional, keywords) = self.arguments(arguments, consumes)?;
            return Ok(match keywords {
                None => format!("py_fn({}, [{positional}])", quoted(path)),
                Some(keywords) => format!("py_fn({}, [{positional}], [{keywords}])", quoted(path)),
            });
        }
        // A method of a class, with its object first: `str.lower(x)`.
        if let Some(("str", method)) = path.split_once('.')
            && runtime::is_method(method)
            && let Some((object, rest)) = arguments.args.split_first()
            && arguments.keywords.is_empty()
        {
            let object = self.expr(object)?;
            let rest = self.list(rest)?;
            return Ok(format!("py_call(py_instance({object}, \"str\"), {}, [{rest}])", quoted(method)));
        }
        if let (Some((constant, method)), Expr::Attribute(attribute)) = (path.rsplit_once('.'), &*node.func)
            && runtime::constant(constant).is_some()
            && runtime::is_method(method)
        {
            return self.method(node, attribute);
        }
        self.flag(&*node.func, format!("the function `{path}` is not covered"))
    }

    /// A request to another host, by the function of the module: the session of the surroundings makes it.
    fn requests(&mut self, node: &ExprCall, method: &str) -> Translated {
        self.names.insert("requests".to_owned());
        self.request(node, "py_in(requests)", method)
    }

    /// A call of the session, whose arguments beside the address have names.
    fn request(&mut self, node: &ExprCall, session: &str, method: &str) -> Translated {
        if node.arguments.args.len() != 1 {
            return self.flag(node, format!("`requests.{method}` is covered with the address first and everything else by name"));
        }
        if let Some(keyword) = node.arguments.keywords.iter().find(|keyword| !OPTIONS.iter().any(|name| is_named(keyword, name)))
        {
            let name = keyword.arg.as_ref().map_or("", |name| name.id.as_str());
            return self.flag(keyword, format!("`{name}` of `requests.{method}` is not covered"));
        }
        let (positional, keywords) = self.arguments(&node.arguments, false)?;
        let keywords = keywords.unwrap_or_default();
        Ok(format!("py_call({session}, {}, [{positional}], [{keywords}])", quoted(method)))
    }

    /// Positional arguments, and keywords as name and value in turn.
    fn arguments(&mut self, arguments: &Arguments, consumes: bool) -> Translated<(String, Option<String>)> {
        let positional: Translated<Vec<String>> =
            arguments.args.iter().map(|argument| if consumes { self.consumed(argument) } else { self.expr(argument) }).collect();
        let mut keywords = Vec::new();
        for keyword in &arguments.keywords {
            let name = keyword.arg.as_ref().map_or("", |name| name.id.as_str());
            keywords.push(format!("{}, {}", quoted(name), self.expr(&keyword.value)?));
        }
        Ok((positional?.join(", "), (!keywords.is_empty()).then(|| keywords.join(", "))))
    }

    /// An argument of which all is consumed at once.
    fn consumed(&mut self, argument: &Expr) -> Translated {
        match argument {
            Expr::Generator(generator) => self.collected("list", &generator.elt, &generator.generators),
            Expr::Call(call) => match (self.path(&call.func).as_deref(), &*call.arguments.args) {
                (Some("filter"), [function, iterated]) => self.filtered(function, iterated),
                (Some("map"), [function, iterated]) => self.mapped(function, iterated),
                _ => self.expr(argument),
            },
            _ => self.expr(argument),
        }
    }

    /// Functions whose arguments are more than values. `None`: an ordinary one.
    fn special(&mut self, node: &ExprCall, path: &str) -> Option<Translated> {
        let arguments = &node.arguments;
        let plain = arguments.keywords.is_empty();
        Some(match (path, &*arguments.args) {
            ("any" | "all", [Expr::Generator(generator)]) if plain => {
                self.quantified(path == "any", &generator.elt, &generator.generators)
            }
            ("next", [Expr::Generator(generator)]) if plain => self.first(&generator.elt, &generator.generators, None),
            ("next", [Expr::Generator(generator), default]) if plain => {
                self.first(&generator.elt, &generator.generators, Some(default))
            }
            ("next", _) => self.flag(node, "`next` is covered with a generator in it"),
            ("any" | "all", [Expr::Call(call)]) if matches!(self.path(&call.func).as_deref(), Some("filter" | "map")) => {
                self.flag(node, format!("`{path}` of `filter` or `map` is not covered; a generator is"))
            }
            ("filter" | "map", _) => {
                self.flag(node, format!("`{path}` is covered where all of it is consumed at once, as in `list({path}(…))`"))
            }
            ("sorted" | "min" | "max", args) if arguments.keywords.iter().any(|keyword| is_named(keyword, "key")) => {
                self.by_key(node, path, args)
            }
            ("isinstance", [value, classes]) if plain => self.is_instance(value, classes),
            ("hasattr" | "getattr", [_, name, ..]) if plain => return self.checked_attribute(name).err().map(Err),
            ("dict", []) if !plain => {
                let keywords = self.arguments(arguments, false);
                keywords.map(|(_, keywords)| format!("py_dict([{}])", keywords.unwrap_or_default()))
            }
            ("type", _) => self.flag(node, "`type` is not covered; `isinstance` is"),
            (
                "eval" | "exec" | "compile" | "open" | "__import__" | "globals" | "locals" | "vars" | "setattr" | "delattr"
                | "input",
                _,
            ) => self.flag(node, format!("`{path}` is not covered")),
            _ => return None,
        })
    }

    /// A constant name of an attribute is checked here already.
    fn checked_attribute(&mut self, name: &Expr) -> Translated<()> {
        match name {
            Expr::StringLiteral(literal) if runtime::is_attribute(literal.value.to_str()) => Ok(()),
            Expr::StringLiteral(literal) => self.flag(name, format!("the attribute `{}` is not known", literal.value.to_str())),
            _ => self.flag(name, "the name of an attribute has to be written out"),
        }
    }

    fn is_instance(&mut self, value: &Expr, classes: &Expr) -> Translated {
        let value = self.expr(value)?;
        let classes = match classes {
            Expr::Tuple(tuple) => tuple.elts.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut names = Vec::new();
        for class in classes {
            match self.path(class) {
                Some(path) if runtime::is_class(&path) => names.push(quoted(&path)),
                _ => return self.flag(class, "the class is not known"),
            }
        }
        Ok(format!("py_isinstance({value}, [{}])", names.join(", ")))
    }

    /// `sorted`, `min` and `max` with a key: the keys are found first, one after another, as Python does.
    fn by_key(&mut self, node: &ExprCall, path: &str, args: &[Expr]) -> Translated {
        let values = match args {
            [iterated] => format!("py_fn(\"list\", [{}])", self.consumed(iterated)?),
            several if path != "sorted" && !several.is_empty() => format!("py_list([{}])", self.list(several)?),
            _ => return self.flag(node, "this form is not covered"),
        };
        let held = self.temporary("l");
        let mut keys = held.clone();
        let mut others = Vec::new();
        for keyword in &node.arguments.keywords {
            if is_named(keyword, "key") {
                keys = self.keys(&keyword.value, &held)?;
            } else {
                let name = keyword.arg.as_ref().map_or("", |name| name.id.as_str());
                others.push(format!("{}, {}", quoted(name), self.expr(&keyword.value)?));
            }
        }
        Ok(format!("{{ let {held} = {values}; py_by_key({}, {held}, {keys}, [{}]) }}", quoted(path), others.join(", ")))
    }

    /// A regular expression that is written out is checked here.
    fn check_pattern(&mut self, path: &str, arguments: &Arguments) -> Translated<()> {
        let name = if path.starts_with("re.") { "pattern" } else { "regex" };
        let at = usize::from(!path.starts_with("re."));
        let named = arguments.keywords.iter().find(|keyword| is_named(keyword, name)).map(|keyword| &keyword.value);
        let Some(Expr::StringLiteral(ExprStringLiteral { value, range, .. })) = arguments.args.get(at).or(named) else {
            return Ok(());
        };
        match pattern::translate(value.to_str(), false) {
            Ok(_) => Ok(()),
            Err(reason) => self.flag_range(*range, format!("the regular expression is not covered: {reason}")),
        }
    }

    /// A function that the engine offers; keywords beyond its parameters go into a map.
    fn offered(&mut self, node: &ExprCall, name: &str, parameters: &[&str], open: bool) -> Translated {
        let mut positional: Vec<Option<String>> = Vec::new();
        let mut named = Vec::new();
        if node.arguments.args.len() > parameters.len() {
            return self.flag(node, format!("`{name}` takes {} positional argument(s) here", parameters.len()));
        }
        for argument in &node.arguments.args {
            positional.push(Some(format!("py_out({})", self.expr(argument)?)));
        }
        for keyword in &node.arguments.keywords {
            let key = keyword.arg.as_ref().map_or("", |name| name.id.as_str());
            let value = format!("py_out({})", self.expr(&keyword.value)?);
            match parameters.iter().position(|parameter| *parameter == key) {
                Some(at) => {
                    if positional.len() <= at {
                        positional.resize(at + 1, None);
                    }
                    match positional.get_mut(at) {
                        Some(slot) if slot.is_none() => *slot = Some(value),
                        _ => return self.flag(keyword, format!("`{key}` is given twice")),
                    }
                }
                None if open => named.push(format!("{}: {value}", quoted(key))),
                None => return self.flag(keyword, format!("`{name}` has no argument `{key}`")),
            }
        }
        let given: Option<Vec<String>> = positional.into_iter().collect();
        let Some(mut given) = given else { return self.flag(node, format!("`{name}` lacks an argument")) };
        if !named.is_empty() {
            given.push(format!("#{{{}}}", named.join(", ")));
        }
        self.names.insert(name.to_owned());
        Ok(format!("py_in({name}({}))", given.join(", ")))
    }

    fn method(&mut self, node: &ExprCall, attribute: &ExprAttribute) -> Translated {
        let name = attribute.attr.id.as_str();
        let object = self.expr(&attribute.value)?;
        if object == "py_in(requests)" && runtime::REQUESTS.contains(&name) {
            return self.request(node, &object, name);
        }
        if !runtime::is_method(name) {
            return self.flag_range(attribute.attr.range, format!("the method `{name}` is not known"));
        }
        if name == "sort" {
            return self.sort(node, &object);
        }
        let (positional, keywords) = self.arguments(&node.arguments, CONSUMING_METHODS.contains(&name))?;
        Ok(match keywords {
            None => format!("py_call({object}, {}, [{positional}])", quoted(name)),
            Some(keywords) => format!("py_call({object}, {}, [{positional}], [{keywords}])", quoted(name)),
        })
    }

    /// `xs.sort(key=…)` of a list.
    fn sort(&mut self, node: &ExprCall, object: &str) -> Translated {
        if !node.arguments.args.is_empty() {
            return self.flag(node, "`sort` takes no positional arguments");
        }
        let (held, copy) = (self.temporary("o"), self.temporary("l"));
        let mut keys = copy.clone();
        let mut others = Vec::new();
        for keyword in &node.arguments.keywords {
            if is_named(keyword, "key") {
                keys = self.keys(&keyword.value, &copy)?;
            } else {
                let name = keyword.arg.as_ref().map_or("", |name| name.id.as_str());
                others.push(format!("{}, {}", quoted(name), self.expr(&keyword.value)?));
            }
        }
        Ok(format!(
            "{{ let {held} = py_instance({object}, \"list\"); let {copy} = py_fn(\"list\", [{held}]); py_replace({held}, py_by_key(\"sorted\", {copy}, {keys}, [{}])) }}",
            others.join(", ")
        ))
    }
}

/// Whether a path is a method of a model's query set (`User.objects.filter`).
fn of_model(path: &str) -> bool {
    path.rsplit_once('.')
        .and_then(|(manager, _)| manager.strip_suffix(".objects"))
        .is_some_and(|model| runtime::model(model).is_some())
}

fn is_named(keyword: &ruff_python_ast::Keyword, name: &str) -> bool {
    keyword.arg.as_ref().is_some_and(|argument| argument.id == name)
}
