//! Iterators: they are used up, and a list that changes meanwhile is seen as it changes.

use std::sync::{Arc, Mutex, PoisonError};

use rhai::Dynamic;

use super::Cx;
use super::errors::{Res, raise, type_error, unsupported, value_error};
use super::value::{Dict, List, Py, list, text, tuple, type_name, view, wrap};

/// An iterator, or a range.
#[derive(Clone)]
pub(crate) enum Iter {
    Range { start: i64, stop: i64, step: i64 },
    State(Arc<Mutex<State>>),
}

/// How far an iterator has come.
pub(crate) enum State {
    List(List, usize),
    /// Keys, with the number of entries at the start.
    Dict(Dict, usize, usize),
    Fixed(std::vec::IntoIter<Dynamic>),
    Range {
        next: i64,
        stop: i64,
        step: i64,
    },
    Enumerate(Iter, i64),
    Zip(Vec<Iter>),
}

impl Iter {
    pub(crate) fn new(state: State) -> Self {
        Self::State(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn fixed(items: Vec<Dynamic>) -> Self {
        Self::new(State::Fixed(items.into_iter()))
    }

    /// An iterator of its own over a range; an iterator is itself.
    fn begin(self) -> Self {
        match self {
            Self::Range { start, stop, step } => Self::new(State::Range { next: start, stop, step }),
            state => state,
        }
    }

    pub(crate) fn next(&self) -> Res<Option<Dynamic>> {
        match self {
            Self::Range { .. } => Err(type_error("'range' object is not an iterator")),
            Self::State(state) => state.lock().unwrap_or_else(PoisonError::into_inner).next(),
        }
    }

    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Range { .. } => self.len() > 0,
            Self::State(_) => true,
        }
    }

    /// The length of a range.
    pub(crate) fn len(&self) -> i64 {
        match *self {
            Self::Range { start, stop, step } => {
                let (start, stop, step) = (i128::from(start), i128::from(stop), i128::from(step));
                let span = if step > 0 { stop - start } else { start - stop };
                let step = step.abs();
                i64::try_from(((span + step - 1) / step.max(1)).max(0)).unwrap_or(i64::MAX)
            }
            Self::State(_) => 0,
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Range { .. } => "range",
            Self::State(_) => "iterator",
        }
    }

    pub(crate) fn address(&self) -> usize {
        match self {
            Self::Range { .. } => 0,
            Self::State(state) => Arc::as_ptr(state).cast::<()>() as usize,
        }
    }

    /// The containers that it walks over.
    pub(crate) fn held(&self) -> Vec<Dynamic> {
        let Self::State(state) = self else { return Vec::new() };
        match &*state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::List(items, _) => vec![wrap(Py::List(items.clone()))],
            State::Dict(items, ..) => vec![wrap(Py::Dict(items.clone()))],
            State::Fixed(items) => items.as_slice().to_vec(),
            State::Range { .. } => Vec::new(),
            State::Enumerate(inner, _) => vec![wrap(Py::Iter(inner.clone()))],
            State::Zip(inner) => inner.iter().map(|inner| wrap(Py::Iter(inner.clone()))).collect(),
        }
    }
}

impl State {
    fn next(&mut self) -> Res<Option<Dynamic>> {
        match self {
            Self::List(items, at) => {
                let found = super::containers::element(items, *at);
                *at += 1;
                Ok(found)
            }
            Self::Dict(items, at, length) => {
                let items = items.lock();
                if items.len() != *length {
                    return Err(raise("RuntimeError", "dictionary changed size during iteration"));
                }
                let found = items.get_index(*at).map(|(_, (key, _))| key.clone());
                *at += 1;
                Ok(found)
            }
            Self::Fixed(items) => Ok(items.next()),
            Self::Range { next, stop, step } => {
                let within = if *step > 0 { *next < *stop } else { *next > *stop };
                if !within {
                    return Ok(None);
                }
                let value = *next;
                *next = next.saturating_add(*step);
                Ok(Some(value.into()))
            }
            Self::Enumerate(inner, at) => {
                let Some(item) = inner.next()? else { return Ok(None) };
                let number = *at;
                *at = at.saturating_add(1);
                Ok(Some(tuple(vec![number.into(), item])))
            }
            Self::Zip(inner) => {
                let mut items = Vec::new();
                for one in inner {
                    match one.next()? {
                        Some(item) => items.push(item),
                        None => return Ok(None),
                    }
                }
                Ok(if items.is_empty() { None } else { Some(tuple(items)) })
            }
        }
    }
}

/// What Rhai's `for` walks over.
#[derive(Clone)]
pub(crate) struct Walk(pub(crate) Iter);

impl Iterator for Walk {
    type Item = Res;

    fn next(&mut self) -> Option<Res> {
        self.0.next().transpose()
    }
}

/// `iter(value)`.
pub(crate) fn iter(cx: &Cx<'_>, value: &Dynamic) -> Res<Iter> {
    Ok(match view(value) {
        Py::List(items) | Py::Tuple(items) => Iter::new(State::List(items, 0)),
        Py::Dict(items) | Py::Set(items) => {
            let length = items.lock().len();
            Iter::new(State::Dict(items, 0, length))
        }
        Py::Str(content) => Iter::fixed(content.chars().map(|letter| text(letter.to_string())).collect()),
        Py::Bytes(bytes) => Iter::fixed(bytes.iter().map(|byte| Dynamic::from_int(i64::from(*byte))).collect()),
        Py::Iter(iter) => iter.begin(),
        Py::Net(_) => return Err(unsupported("walking over the addresses of a network")),
        Py::Foreign(object) => match super::objects::elements(cx, &object)? {
            Some(items) => Iter::fixed(items),
            None => return Err(type_error(format!("'{}' object is not iterable", type_name(value)))),
        },
        _ => return Err(type_error(format!("'{}' object is not iterable", type_name(value)))),
    })
}

/// All that an iterable gives.
pub(crate) fn collect(cx: &Cx<'_>, value: &Dynamic) -> Res<Vec<Dynamic>> {
    let iter = iter(cx, value)?;
    let mut items = Vec::new();
    while let Some(item) = iter.next()? {
        super::limits::count(items.len())?;
        items.push(item);
    }
    Ok(items)
}

/// The elements of a sequence that is unpacked into `count` targets.
pub(crate) fn unpack(cx: &Cx<'_>, value: &Dynamic, count: usize, star: Option<usize>) -> Res<Vec<Dynamic>> {
    let items = match view(value) {
        Py::Int(_) | Py::Float(_) | Py::Bool(_) | Py::None => {
            return Err(type_error(format!("cannot unpack non-iterable {} object", type_name(value))));
        }
        _ => collect(cx, value)?,
    };
    match star {
        None if items.len() > count => Err(value_error(format!("too many values to unpack (expected {count})"))),
        None if items.len() < count => {
            Err(value_error(format!("not enough values to unpack (expected {count}, got {})", items.len())))
        }
        None => Ok(items),
        Some(before) if items.len() < before + count => {
            Err(value_error(format!("not enough values to unpack (expected at least {}, got {})", before + count, items.len())))
        }
        Some(before) => {
            let mut head = items;
            let mut middle = head.split_off(before);
            let tail = middle.split_off(middle.len() - count);
            head.push(list(middle));
            head.extend(tail);
            Ok(head)
        }
    }
}
