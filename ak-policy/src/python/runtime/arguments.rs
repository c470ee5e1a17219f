//! The arguments of a call.

use rhai::Dynamic;

use super::errors::{Res, type_error};
use super::value::{Py, truth, type_name, view};

/// Positional and keyword arguments; what is not taken is an error.
pub(crate) struct Args {
    name: String,
    positional: Vec<Option<Dynamic>>,
    keywords: Vec<(String, Option<Dynamic>)>,
}

impl Args {
    /// `keywords` are names and values in turn.
    pub(crate) fn new(name: &str, positional: Vec<Dynamic>, keywords: Vec<Dynamic>) -> Self {
        let mut keywords = keywords.into_iter();
        let mut pairs = Vec::new();
        while let (Some(key), Some(value)) = (keywords.next(), keywords.next()) {
            pairs.push((key.to_string(), Some(value)));
        }
        Self { name: name.to_owned(), positional: positional.into_iter().map(Some).collect(), keywords: pairs }
    }

    pub(crate) fn optional(&mut self, at: usize, name: &str) -> Option<Dynamic> {
        self.positional.get_mut(at).and_then(Option::take).or_else(|| self.keyword(name))
    }

    pub(crate) fn keyword(&mut self, name: &str) -> Option<Dynamic> {
        self.keywords.iter_mut().find(|(key, _)| key == name).and_then(|(_, value)| value.take())
    }

    pub(crate) fn required(&mut self, at: usize, name: &str) -> Res {
        self.optional(at, name).ok_or_else(|| type_error(format!("{}() missing required argument: '{name}'", self.name)))
    }

    pub(crate) fn integer(&mut self, at: usize, name: &str) -> Res<Option<i64>> {
        match self.optional(at, name) {
            None => Ok(None),
            Some(value) => match view(&value) {
                Py::Int(value) => Ok(Some(value)),
                Py::Bool(value) => Ok(Some(i64::from(value))),
                _ => Err(type_error(format!("'{}' object cannot be interpreted as an integer", type_name(&value)))),
            },
        }
    }

    pub(crate) fn flag(&mut self, at: usize, name: &str) -> Res<bool> {
        Ok(self.optional(at, name).is_some_and(|value| truth(&value)))
    }

    /// A positional argument that stays.
    pub(crate) fn at(&self, at: usize) -> Option<Dynamic> {
        self.positional.get(at).cloned().flatten()
    }

    /// A keyword argument that stays.
    pub(crate) fn named(&self, name: &str) -> Option<Dynamic> {
        self.keywords.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.clone())
    }

    /// All positional arguments.
    pub(crate) fn rest(&mut self) -> Vec<Dynamic> {
        self.positional.iter_mut().filter_map(Option::take).collect()
    }

    /// All keyword arguments.
    pub(crate) fn pairs(&mut self) -> Vec<(String, Dynamic)> {
        self.keywords.iter_mut().filter_map(|(key, value)| Some((key.clone(), value.take()?))).collect()
    }

    pub(crate) fn use_all(&mut self) {
        self.positional.clear();
        self.keywords.clear();
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Res<()> {
        if self.positional.iter().any(Option::is_some) {
            return Err(type_error(format!("{}() takes fewer positional arguments", self.name)));
        }
        match self.keywords.iter().find(|(_, value)| value.is_some()) {
            None => Ok(()),
            Some((key, _)) => Err(type_error(format!("{}() got an unexpected keyword argument '{key}'", self.name))),
        }
    }
}
