//! Python's exceptions, as errors of the engine.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, Position};

use super::value::{Py, text, view, wrap};

/// The result of everything that may raise.
pub(crate) type Res<T = Dynamic> = Result<T, Box<EvalAltResult>>;

/// A raised exception.
#[derive(Clone)]
pub(crate) struct Raised {
    pub(crate) class: String,
    pub(crate) args: Arc<[Dynamic]>,
}

impl Raised {
    /// `str(error)`.
    pub(crate) fn message(&self) -> Res<String> {
        match &*self.args {
            [] => Ok(String::new()),
            [only] if self.class == "KeyError" => super::show::repr(only),
            [only] => super::show::str(only),
            several => super::show::str(&super::value::tuple(several.to_vec())),
        }
    }
}

/// What the translation does not keep was asked for at run time. No script can catch it.
pub(crate) fn unsupported(what: impl Into<String>) -> Box<EvalAltResult> {
    let told = format!("not covered in a translated expression: {}", what.into());
    EvalAltResult::ErrorTerminated(told.into(), Position::NONE).into()
}

pub(crate) fn raise(class: &str, message: impl Into<String>) -> Box<EvalAltResult> {
    raise_with(class, vec![text(message.into())])
}

pub(crate) fn raise_with(class: &str, args: Vec<Dynamic>) -> Box<EvalAltResult> {
    let raised = Raised { class: class.to_owned(), args: args.into() };
    EvalAltResult::ErrorRuntime(wrap(Py::Error(raised)), Position::NONE).into()
}

pub(crate) fn type_error(message: impl Into<String>) -> Box<EvalAltResult> {
    raise("TypeError", message)
}

pub(crate) fn value_error(message: impl Into<String>) -> Box<EvalAltResult> {
    raise("ValueError", message)
}

/// Classes, each with the ones above it.
const CLASSES: &[(&str, &str)] = &[
    ("BaseException", ""),
    ("Exception", "BaseException"),
    ("ArithmeticError", "Exception"),
    ("ZeroDivisionError", "ArithmeticError"),
    ("OverflowError", "ArithmeticError"),
    ("AssertionError", "Exception"),
    ("AttributeError", "Exception"),
    ("ImportError", "Exception"),
    ("ModuleNotFoundError", "ImportError"),
    ("LookupError", "Exception"),
    ("IndexError", "LookupError"),
    ("KeyError", "LookupError"),
    ("NameError", "Exception"),
    ("UnboundLocalError", "NameError"),
    ("RuntimeError", "Exception"),
    ("RecursionError", "RuntimeError"),
    ("NotImplementedError", "RuntimeError"),
    ("StopIteration", "Exception"),
    ("TypeError", "Exception"),
    ("ValueError", "Exception"),
    ("UnicodeError", "ValueError"),
    ("UnicodeDecodeError", "UnicodeError"),
    ("UnicodeEncodeError", "UnicodeError"),
    ("OSError", "Exception"),
    ("PermissionError", "OSError"),
    ("TimeoutError", "OSError"),
    ("JSONDecodeError", "ValueError"),
    ("AddressValueError", "ValueError"),
    ("NetmaskValueError", "ValueError"),
    ("ValidationError", "Exception"),
    ("ObjectDoesNotExist", "Exception"),
    ("MultipleObjectsReturned", "Exception"),
    ("re.error", "Exception"),
    ("requests.RequestException", "OSError"),
    ("requests.HTTPError", "requests.RequestException"),
    ("requests.ConnectionError", "requests.RequestException"),
    ("requests.Timeout", "requests.RequestException"),
    ("requests.InvalidURL", "requests.RequestException"),
    ("requests.InvalidURL", "ValueError"),
    ("requests.JSONDecodeError", "requests.RequestException"),
    ("requests.JSONDecodeError", "JSONDecodeError"),
    ("binascii.Error", "ValueError"),
];

/// The class that a path names.
pub(crate) fn error_class(path: &str) -> Option<&'static str> {
    let name = match path {
        "json.JSONDecodeError" | "json.decoder.JSONDecodeError" => "JSONDecodeError",
        "ipaddress.AddressValueError" => "AddressValueError",
        "ipaddress.NetmaskValueError" => "NetmaskValueError",
        "django.core.exceptions.ValidationError" | "rest_framework.exceptions.ValidationError" => "ValidationError",
        "django.core.exceptions.ObjectDoesNotExist" => "ObjectDoesNotExist",
        "django.core.exceptions.MultipleObjectsReturned" => "MultipleObjectsReturned",
        "re.error" | "binascii.Error" => path,
        "requests.exceptions.RequestException" => "requests.RequestException",
        "requests.exceptions.HTTPError" => "requests.HTTPError",
        "requests.exceptions.ConnectionError" => "requests.ConnectionError",
        "requests.exceptions.Timeout" => "requests.Timeout",
        "requests.exceptions.InvalidURL" => "requests.InvalidURL",
        "requests.exceptions.JSONDecodeError" => "requests.JSONDecodeError",
        "EnvironmentError" | "IOError" => "OSError",
        "JSONDecodeError"
        | "AddressValueError"
        | "NetmaskValueError"
        | "ValidationError"
        | "ObjectDoesNotExist"
        | "MultipleObjectsReturned" => {
            return None;
        }
        path => match path.strip_suffix(".DoesNotExist").or_else(|| path.strip_suffix(".MultipleObjectsReturned")) {
            Some(model) if super::model(model).is_some() && path.ends_with(".DoesNotExist") => "ObjectDoesNotExist",
            Some(model) if super::model(model).is_some() => "MultipleObjectsReturned",
            _ => path,
        },
    };
    CLASSES.iter().map(|(class, _)| *class).find(|class| *class == name)
}

/// Whether an `except` of these classes catches what was thrown.
pub(crate) fn catches(thrown: &Dynamic, classes: &[String]) -> bool {
    let Py::Error(error) = view(thrown) else {
        // An error of the surroundings, of which only that it is one is known. That something is missing there is no
        // exception of Python's.
        let missing = thrown
            .read_lock::<rhai::Map>()
            .and_then(|map| map.get("error").map(ToString::to_string))
            .is_some_and(|error| error.contains("NotFound"));
        return !missing && classes.iter().any(|class| class == "Exception" || class == "BaseException");
    };
    is_below(&error.class, classes)
}

/// Whether a class is one of these, or below one.
fn is_below(class: &str, classes: &[String]) -> bool {
    let above = || CLASSES.iter().filter(|(name, _)| *name == class).map(|(_, parent)| *parent);
    classes.iter().any(|wanted| wanted == class) || above().any(|parent| is_below(parent, classes))
}

/// What went wrong in a translated script, in the words of Python (`KeyError: 'x'`). `None`: it was no exception of Python's.
pub fn error_text(error: &EvalAltResult) -> Option<String> {
    match error {
        EvalAltResult::ErrorRuntime(thrown, _) => match view(thrown) {
            Py::Error(raised) => {
                let message = raised.message().ok()?;
                Some(if message.is_empty() { raised.class } else { format!("{}: {message}", raised.class) })
            }
            _ => None,
        },
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => error_text(inner),
        _ => None,
    }
}

/// The exception that an unassigned variable raises.
pub(crate) fn unbound(name: &str) -> Box<rhai::EvalAltResult> {
    raise("UnboundLocalError", format!("cannot access local variable '{name}' where it is not associated with a value"))
}
