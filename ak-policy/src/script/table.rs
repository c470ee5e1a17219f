//! Where functions for scripts are registered, together with what people read about them.

use std::collections::BTreeSet;

use rhai::{FuncRegistration, Module, RhaiNativeFunc, Variant};

/// A table of functions for scripts. The entry of a function is its documentation too: there is no other.
#[derive(Default)]
pub struct Table {
    module: Module,
    names: BTreeSet<String>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (_, functions, _) = self.module.count();
        write!(f, "Table({functions} functions)")
    }
}

impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names a type of values.
    pub fn kind<T: Variant + Clone>(&mut self, name: &str, doc: &str) -> &mut Self {
        self.module.set_custom_type_with_comments::<T>(name, &[&comment(doc)]);
        self
    }

    /// A function, or a method of its first parameter: `regex_match(value: String, pattern: String) -> bool`.
    pub fn function<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, C>(
        &mut self,
        signature: &str,
        doc: &str,
        call: C,
    ) -> &mut Self
    where
        C: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        let (name, rest) = signature.split_once('(').unwrap_or((signature, ")"));
        self.names.insert(name.to_owned());
        let (parameters, gives) = rest.rsplit_once(')').unwrap_or((rest, ""));
        let gives = gives.trim().trim_start_matches("->").trim();
        let parameters = parameters.split(',').map(str::trim).filter(|p| !p.is_empty());
        self.enter(FuncRegistration::new(name).in_global_namespace(), parameters.chain(some(gives)), doc, call)
    }

    /// A property that can be read: `User.username: String`.
    pub fn getter<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, C>(
        &mut self,
        signature: &str,
        doc: &str,
        call: C,
    ) -> &mut Self
    where
        C: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        let (owner, property, gives) = property(signature);
        self.names.insert(property.to_owned());
        self.enter(FuncRegistration::new_getter(property), [format!("this: {owner}"), gives.to_owned()], doc, call)
    }

    /// A property that can be written: `User.attributes: Map`.
    pub fn setter<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, C>(
        &mut self,
        signature: &str,
        doc: &str,
        call: C,
    ) -> &mut Self
    where
        C: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        let (owner, property, takes) = property(signature);
        self.names.insert(property.to_owned());
        self.enter(FuncRegistration::new_setter(property), [format!("this: {owner}"), format!("value: {takes}")], doc, call)
    }

    /// What `this[name]`, and `this.name`, gives: `Context[name: String]`.
    pub fn index_getter<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, C>(
        &mut self,
        owner: &str,
        doc: &str,
        call: C,
    ) -> &mut Self
    where
        C: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        let parameters = [format!("this: {owner}"), "name: String".to_owned(), "Dynamic".to_owned()];
        self.enter(FuncRegistration::new_index_getter(), parameters, doc, call)
    }

    /// What `this[name] = value`, and `this.name = value`, does.
    pub fn index_setter<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, C>(
        &mut self,
        owner: &str,
        doc: &str,
        call: C,
    ) -> &mut Self
    where
        C: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        let parameters = [format!("this: {owner}"), "name: String".to_owned(), "value: Dynamic".to_owned()];
        self.enter(FuncRegistration::new_index_setter(), parameters, doc, call)
    }

    fn enter<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool, C, S: AsRef<str>>(
        &mut self,
        entry: FuncRegistration,
        parameters: impl IntoIterator<Item = S>,
        doc: &str,
        call: C,
    ) -> &mut Self
    where
        C: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        // What a function gives may change from call to call: none may be called while a script is read.
        let entry = entry.with_volatility(true).with_params_info(parameters).with_comments([comment(doc)]);
        entry.set_into_module(&mut self.module, call);
        self
    }

    /// The names of its functions and properties.
    pub(super) fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    pub(super) fn module(self) -> Module {
        self.module
    }
}

fn comment(doc: &str) -> String {
    doc.lines().map(|line| format!("/// {line}")).collect::<Vec<_>>().join("\n")
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// `User.username: String` as its three parts.
fn property(signature: &str) -> (&str, &str, &str) {
    let (path, kind) = signature.split_once(':').unwrap_or((signature, "Dynamic"));
    let (owner, property) = path.split_once('.').unwrap_or(("Dynamic", path));
    (owner.trim(), property.trim(), kind.trim())
}
