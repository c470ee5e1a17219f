//! The engine of the process: what scripts can call, and how far they get.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
    BasicStringPackage, LanguageCorePackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Module, OptimizationLevel, Position, Scope, Shared, Token};

use super::language::{Code, Language};
use super::python::Surroundings;
use super::run::{Run, shortened};
use super::table::Table;
use super::{accounts, context, functions, group_search, people, request, time};
use crate::policy::Failure;
use crate::python::Translation;

/// What a script may use at the most.
mod limit {
    /// Steps of a script.
    pub(super) const OPERATIONS: u64 = 1_000_000;
    /// Functions within functions.
    pub(super) const CALLS: usize = 32;
    /// Parts of an expression within each other.
    pub(super) const DEPTH: usize = 64;
    /// The same of an expression that was translated from Python.
    pub(super) const TRANSLATED_DEPTH: usize = crate::python::EXPRESSION_DEPTH;
    /// Bytes of a text, or of all texts in a list or map.
    pub(super) const TEXT: usize = 128 << 10;
    /// Entries of a list, with those of lists in it; and of a map.
    pub(super) const ENTRIES: usize = 4_000;
    /// Variables at a time.
    pub(super) const VARIABLES: usize = 256;
    /// Functions that a script defines.
    pub(super) const FUNCTIONS: usize = 128;
    /// Bytes of a script.
    pub(super) const SOURCE: usize = 64 << 10;
    /// The clock is looked at every so many steps.
    pub(super) const LOOK: u64 = 64;
}

/// The engine for a language, and what it knows. Both have the same objects; only translated scripts have the functions that their
/// translation calls, and only they nest as deep as it does.
pub(super) struct Machine {
    engine: Engine,
    /// The names of all functions that can be called.
    pub(super) functions: BTreeSet<String>,
    /// The names of functions and properties of rooms above this one.
    pub(super) foreign: BTreeSet<String>,
}

/// One for each language.
struct Machines {
    rhai: Machine,
    python: Machine,
}

static MACHINES: OnceLock<Machines> = OnceLock::new();

/// The functions of rooms above this one.
pub type Modules = Vec<Table>;

/// Makes the engine with the functions of rooms above this one. Once in a process, before the first script is read.
///
/// # Errors
/// In words, when the engine was made already: a script might have been refused for want of these functions.
pub fn install(modules: Modules) -> Result<(), String> {
    MACHINES.set(Machines::new(modules)).map_err(|_| "the engine for scripts was made already".to_owned())
}

pub(super) fn machine(language: Language) -> &'static Machine {
    let machines = MACHINES.get_or_init(|| Machines::new(Modules::new()));
    match language {
        Language::Rhai => &machines.rhai,
        Language::Python => &machines.python,
    }
}

impl Machines {
    fn new(modules: Modules) -> Self {
        let mut table = Table::new();
        people::register(&mut table);
        accounts::register(&mut table);
        group_search::register(&mut table);
        request::register(&mut table);
        context::register(&mut table);
        time::register(&mut table);
        functions::register(&mut table);
        let foreign: BTreeSet<String> = modules.iter().flat_map(Table::names).cloned().collect();
        let modules: Vec<Shared<Module>> = std::iter::once(table).chain(modules).map(|table| table.module().into()).collect();
        let rhai = Machine::new(&modules, &foreign, Engine::new_raw(), limit::DEPTH);
        let mut translated = Engine::new_raw();
        crate::python::register(&mut translated, Arc::new(Surroundings));
        let python = Machine::new(&modules, &foreign, translated, limit::TRANSLATED_DEPTH);
        Self { rhai, python }
    }
}

impl Machine {
    fn new(modules: &[Shared<Module>], foreign: &BTreeSet<String>, mut engine: Engine, depth: usize) -> Self {
        add_packages(&mut engine);
        set_limits(&mut engine, depth);
        forbid(&mut engine);
        engine.register_iterator::<people::Groups>();
        for module in modules {
            engine.register_global_module(module.clone());
        }
        let functions = super::reference::functions(&engine).into_iter().map(|f| f.name);
        #[cfg(feature = "testing")]
        super::coverage::register(&mut engine);
        let functions = functions.filter(|name| !FORBIDDEN.contains(&name.as_str())).collect();
        Self { engine, functions, foreign: foreign.clone() }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Reads a script in which these variables are known.
    pub(super) fn compile(&self, source: &str, variables: impl IntoIterator<Item = &'static str>) -> Result<AST, Failure> {
        if source.len() > limit::SOURCE {
            return Err(Failure::new(format!("A script has no more than {} bytes.", limit::SOURCE)));
        }
        let mut scope = Scope::new();
        for name in variables {
            scope.push_dynamic(name, Dynamic::UNIT);
        }
        self.engine.compile_with_scope(&scope, source).map_err(|error| {
            let place = error.position();
            failure(error.err_type().to_string(), place)
        })
    }

    /// Runs a script as `run`.
    pub(super) fn evaluate(run: &Arc<Run>, code: &Code, scope: &mut Scope<'_>) -> Result<Dynamic, Failure> {
        let engine = &machine(code.language()).engine;
        run.enter(|| engine.eval_ast_with_scope::<Dynamic>(scope, &code.ast)).map_err(|error| {
            let failure = wrong(&error);
            match &code.translation {
                Some(translation) => translated(failure, &error, translation),
                None => failure,
            }
        })
    }
}

/// What went wrong in a translated script, in the words of Python and at its line there; of columns the translation keeps none.
fn translated(failure: Failure, error: &EvalAltResult, translation: &Translation) -> Failure {
    let message = crate::python::error_text(error).map_or(failure.message, visible);
    let line = failure.line.and_then(|line| translation.python_line(line));
    Failure { message, line, column: None, ..failure }
}

fn add_packages(engine: &mut Engine) {
    LanguageCorePackage::new().register_into_engine(engine);
    ArithmeticPackage::new().register_into_engine(engine);
    LogicPackage::new().register_into_engine(engine);
    BasicStringPackage::new().register_into_engine(engine);
    MoreStringPackage::new().register_into_engine(engine);
    BasicIteratorPackage::new().register_into_engine(engine);
    BasicFnPackage::new().register_into_engine(engine);
    BasicMathPackage::new().register_into_engine(engine);
    BasicArrayPackage::new().register_into_engine(engine);
    BasicMapPackage::new().register_into_engine(engine);
}

/// Functions of the language that nobody may call.
pub(super) const FORBIDDEN: &[&str] = &[
    "sleep",
    #[cfg(feature = "testing")]
    super::coverage::REACHED,
];

/// What stands in the place of a function that nobody may call, should it be called by another name.
fn forbid(engine: &mut Engine) {
    let idle = || -> Result<(), Box<EvalAltResult>> { Err("a script does not lie idle".into()) };
    engine.register_fn("sleep", move |_: i64| idle()).register_fn("sleep", move |_: f64| idle());
}

fn set_limits(engine: &mut Engine, depth: usize) {
    engine
        .set_max_operations(limit::OPERATIONS)
        .set_max_call_levels(limit::CALLS)
        .set_max_expr_depths(depth, depth / 2)
        .set_max_string_size(limit::TEXT)
        .set_max_array_size(limit::ENTRIES)
        .set_max_map_size(limit::ENTRIES)
        .set_max_variables(limit::VARIABLES)
        .set_max_functions(limit::FUNCTIONS)
        .set_max_modules(0);
    engine.set_optimization_level(OptimizationLevel::Simple).set_strict_variables(true).set_fail_on_invalid_map_property(true);
    // A script neither makes other scripts, nor reads files, nor lies idle on a thread.
    for word in ["eval", "import", "export"] {
        engine.disable_symbol(word);
    }
    engine.on_progress(|steps| (steps.is_multiple_of(limit::LOOK) && Run::is_late()).then(|| Dynamic::from("the time is over")));
    #[expect(
        deprecated,
        reason = "not deprecated, says its documentation, but volatile: the version is pinned by the lock file"
    )]
    engine.on_var(|_, _, context| {
        if super::size::is_time() && super::size::is_too_large(context.scope()) {
            return Err("the script keeps too much".into());
        }
        Ok(None)
    });
    // `debug` is a function of the language, which hides the name from everything else; here it is a name like any other.
    #[expect(deprecated, reason = "as above")]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if *word == "debug" => Token::Identifier(word),
        other => other,
    });
    engine.on_print(|line| {
        if let Ok(run) = Run::current() {
            run.log("info", line.to_owned())
        }
    });
}

/// What went wrong in a script, and where: the innermost place.
fn wrong(error: &EvalAltResult) -> Failure {
    let inner = innermost(error);
    let place = inner.position();
    let text = match inner {
        EvalAltResult::ErrorTerminated(reason, _) => reason.to_string(),
        EvalAltResult::ErrorRuntime(value, _) => match value.read_lock::<super::RequestError>() {
            Some(error) => error.message.clone(),
            None => value.to_string(),
        },
        EvalAltResult::ErrorTooManyOperations(_) => "the script takes too many steps".to_owned(),
        EvalAltResult::ErrorStackOverflow(_) => "the script calls too deep".to_owned(),
        other => {
            let text = other.to_string();
            let at = format!(" ({place})");
            text.strip_suffix(&at).map_or(text.clone(), str::to_owned)
        }
    };
    let text = if text.is_empty() { "the script failed".to_owned() } else { text };
    failure(text, place)
}

fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => innermost(inner),
        other => other,
    }
}

fn failure(message: String, place: Position) -> Failure {
    Failure { message: visible(message), line: place.line(), column: place.position(), log: Vec::new() }
}

/// An error as administrators can read it: no letter of it hides, or turns the line round that it stands in.
fn visible(message: String) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if !message.chars().any(hidden) {
        return shortened(message);
    }
    let shown = |c: char| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() };
    shortened(message.chars().map(shown).collect())
}
