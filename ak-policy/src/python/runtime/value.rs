//! Python's values. Containers are shared, as they are in Python: two names may mean the same list.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Offset;
use indexmap::IndexMap;
use ipnet::IpNet;
use rhai::{Array, Dynamic, ImmutableString, Map};

use super::errors::{Raised, Res, raise, unsupported};
use super::iterate::Iter;
use super::moments::{Date, Delta, Moment, Time, Zone};
use super::regexes::{Found, Pattern};

/// How deep values may be nested in values.
pub(crate) const MAX_DEPTH: usize = 64;

/// A value by its kind.
#[derive(Clone)]
pub(crate) enum Py {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(ImmutableString),
    Bytes(Arc<[u8]>),
    List(List),
    Tuple(List),
    Dict(Dict),
    Set(Dict),
    Iter(Iter),
    Moment(Moment),
    Date(Date),
    Time(Time),
    Delta(Delta),
    Zone(Zone),
    Ip(IpAddr),
    Net(IpNet),
    Pattern(Pattern),
    Found(Found),
    Digest(super::digests::Digest),
    Error(Raised),
    /// A variable that has no value yet.
    Unbound,
    /// An object of the surroundings.
    Foreign(Dynamic),
}

pub(crate) type List = Shared<Vec<Dynamic>>;
pub(crate) type Dict = Shared<IndexMap<Key, (Dynamic, Dynamic)>>;

/// A container that several names may mean.
pub(crate) struct Shared<T: Contents>(Arc<Body<T>>);

impl<T: Contents> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Body<T: Contents> {
    items: Mutex<T>,
    origin: Origin,
}

/// Where a container comes from, and where a change of it has to go.
#[derive(Clone)]
pub(crate) enum Origin {
    /// The script made it.
    Own,
    /// It is a copy of something that cannot be written back.
    Frozen,
    /// It came from an attribute or item of another object.
    From { holder: Dynamic, step: Step },
}

/// The way from a holder to what it holds.
#[derive(Clone)]
pub(crate) enum Step {
    Attribute(ImmutableString),
    Item(Dynamic),
}

/// What can be taken out of a container when it goes.
pub(crate) trait Contents: Default {
    fn released(self) -> Vec<Dynamic>;
}

impl Contents for Vec<Dynamic> {
    fn released(self) -> Vec<Dynamic> {
        self
    }
}

impl Contents for IndexMap<Key, (Dynamic, Dynamic)> {
    fn released(self) -> Vec<Dynamic> {
        self.into_values().flat_map(|(key, value)| [key, value]).collect()
    }
}

thread_local! {
    /// What goes away one after another instead of one inside of another: a list in a list in a list … would need as much stack.
    static LEAVING: RefCell<Option<Vec<Dynamic>>> = const { RefCell::new(None) };
}

impl<T: Contents> Drop for Body<T> {
    fn drop(&mut self) {
        let items = std::mem::take(self.items.get_mut().unwrap_or_else(PoisonError::into_inner)).released();
        let first = LEAVING.try_with(|leaving| {
            let mut leaving = leaving.borrow_mut();
            match leaving.as_mut() {
                Some(queue) => {
                    queue.extend(items);
                    false
                }
                None => {
                    *leaving = Some(items);
                    true
                }
            }
        });
        if first != Ok(true) {
            return;
        }
        loop {
            let next = LEAVING.with(|leaving| leaving.borrow_mut().as_mut().and_then(Vec::pop));
            if next.is_none() {
                break;
            }
            drop(next);
        }
        LEAVING.with(|leaving| *leaving.borrow_mut() = None);
    }
}

impl<T: Contents> Shared<T> {
    pub(crate) fn new(items: T) -> Self {
        Self::with_origin(items, Origin::Own)
    }

    pub(crate) fn with_origin(items: T, origin: Origin) -> Self {
        Self(Arc::new(Body { items: Mutex::new(items), origin }))
    }

    /// The content. Nothing of the script may run while it is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }
}

/// What a value is found by in dictionaries and sets: equal values have equal keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    None,
    Int(i64),
    Float(u64),
    Str(ImmutableString),
    Bytes(Arc<[u8]>),
    Tuple(Vec<Key>),
    Other(&'static str, String),
}

impl Key {
    pub(crate) fn of(value: &Dynamic) -> Res<Self> {
        Self::at(value, 0)
    }

    fn at(value: &Dynamic, depth: usize) -> Res<Self> {
        if depth > MAX_DEPTH {
            return Err(unsupported("a tuple is nested too deeply"));
        }
        Ok(match view(value) {
            Py::None => Self::None,
            Py::Bool(value) => Self::Int(i64::from(value)),
            Py::Int(value) => Self::Int(value),
            Py::Float(value) => match super::numbers::integral(value) {
                Some(integer) => Self::Int(integer),
                None if value.is_nan() => return Err(unsupported("NaN as a key")),
                None => Self::Float(value.to_bits()),
            },
            Py::Str(text) => Self::Str(text),
            Py::Bytes(bytes) => Self::Bytes(bytes),
            Py::Tuple(items) => {
                let items = items.lock().clone();
                Self::Tuple(items.iter().map(|item| Self::at(item, depth + 1)).collect::<Res<_>>()?)
            }
            Py::Moment(moment) => Self::Other("datetime", moment.key()),
            Py::Date(date) => Self::Other("date", date.0.to_string()),
            Py::Time(time) => Self::Other("time", time.0.to_string()),
            Py::Delta(delta) => Self::Other("timedelta", delta.micros().to_string()),
            Py::Ip(address) => Self::Other("ip", address.to_string()),
            Py::Net(network) => Self::Other("net", network.to_string()),
            Py::List(_) | Py::Dict(_) | Py::Set(_) => {
                return Err(raise("TypeError", format!("unhashable type: '{}'", type_name(value))));
            }
            _ => return Err(unsupported(format!("an object of type {} as a key", type_name(value)))),
        })
    }
}

/// A value by its kind. Arrays and maps of the surroundings are copies that cannot be written back.
pub(crate) fn view(value: &Dynamic) -> Py {
    if value.is_unit() {
        return Py::None;
    }
    if let Some(value) = value.read_lock::<Py>() {
        return value.clone();
    }
    if let Ok(value) = value.as_bool() {
        return Py::Bool(value);
    }
    if let Ok(value) = value.as_int() {
        return Py::Int(value);
    }
    if let Ok(value) = value.as_float() {
        return Py::Float(value);
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Py::Str(text.clone());
    }
    if let Ok(letter) = value.as_char() {
        return Py::Str(letter.to_string().into());
    }
    if value.is_array() || value.is_map() {
        return view(&adopt(value.clone(), Origin::Frozen));
    }
    if let Some(address) = value.read_lock::<IpAddr>() {
        return Py::Ip(*address);
    }
    if let Some(network) = value.read_lock::<IpNet>() {
        return Py::Net(*network);
    }
    if let Some(moment) = value.read_lock::<crate::script::Moment>() {
        return Py::Moment(Moment { local: moment.0.naive_local(), zone: Some(moment.0.offset().fix()) });
    }
    if let Some(error) = value.read_lock::<crate::script::RequestError>() {
        return Py::Error(Raised { class: format!("requests.{}", error.class), args: [text(error.message.as_str())].into() });
    }
    Py::Foreign(value.clone())
}

/// A Python value as Rhai holds it.
pub(crate) fn wrap(value: Py) -> Dynamic {
    match value {
        Py::None => Dynamic::UNIT,
        Py::Bool(value) => value.into(),
        Py::Int(value) => value.into(),
        Py::Float(value) => value.into(),
        Py::Str(text) => text.into(),
        Py::Ip(address) => Dynamic::from(address),
        Py::Net(network) => Dynamic::from(network),
        Py::Foreign(value) => value,
        other => Dynamic::from(other),
    }
}

pub(crate) fn list(items: Vec<Dynamic>) -> Dynamic {
    wrap(Py::List(Shared::new(items)))
}

pub(crate) fn tuple(items: Vec<Dynamic>) -> Dynamic {
    wrap(Py::Tuple(Shared::new(items)))
}

pub(crate) fn text(text: impl Into<ImmutableString>) -> Dynamic {
    Dynamic::from(text.into())
}

/// A dictionary of pairs.
pub(crate) fn dict(pairs: impl IntoIterator<Item = (Dynamic, Dynamic)>) -> Res {
    let items = Shared::new(IndexMap::new());
    for (key, value) in pairs {
        put(&mut items.lock(), key, value)?;
    }
    Ok(wrap(Py::Dict(items)))
}

pub(crate) fn set(values: impl IntoIterator<Item = Dynamic>) -> Res {
    let mut items = IndexMap::new();
    for value in values {
        items.entry(Key::of(&value)?).or_insert((value, Dynamic::UNIT));
    }
    Ok(wrap(Py::Set(Shared::new(items))))
}

/// The first of equal keys stays, the last value.
pub(crate) fn put(items: &mut IndexMap<Key, (Dynamic, Dynamic)>, key: Dynamic, value: Dynamic) -> Res<()> {
    match items.entry(Key::of(&key)?) {
        indexmap::map::Entry::Occupied(mut entry) => entry.get_mut().1 = value,
        indexmap::map::Entry::Vacant(entry) => {
            entry.insert((key, value));
        }
    }
    Ok(())
}

/// Takes a value from the surroundings: arrays and maps become containers that know where they came from.
pub(crate) fn adopt(value: Dynamic, origin: Origin) -> Dynamic {
    let value = value.flatten();
    if value.is_array() {
        let items = value.into_array().unwrap_or_default();
        return wrap(Py::List(Shared::with_origin(items, origin)));
    }
    if value.is_map() {
        let map: Map = value.try_cast().unwrap_or_default();
        let items = map.into_iter().map(|(key, value)| {
            let key = ImmutableString::from(key.as_str());
            (Key::Str(key.clone()), (Dynamic::from(key), value))
        });
        return wrap(Py::Dict(Shared::with_origin(items.collect(), origin)));
    }
    value
}

/// Gives a value to the surroundings.
pub(crate) fn plain(value: &Dynamic) -> Res {
    plain_at(value, 0)
}

fn plain_at(value: &Dynamic, depth: usize) -> Res {
    if depth > MAX_DEPTH {
        return Err(unsupported("a value is nested too deeply"));
    }
    let each = |items: Vec<Dynamic>| -> Res {
        Ok(Dynamic::from_array(items.iter().map(|item| plain_at(item, depth + 1)).collect::<Res<Array>>()?))
    };
    if value.is_array() || value.is_map() {
        return Ok(value.clone());
    }
    Ok(match view(value) {
        Py::List(items) | Py::Tuple(items) => each(items.lock().clone())?,
        Py::Set(items) => each(items.lock().values().map(|(key, _)| key.clone()).collect())?,
        Py::Iter(iter) => {
            let mut items = Vec::new();
            while let Some(item) = iter.next()? {
                super::limits::count(items.len())?;
                items.push(item);
            }
            each(items)?
        }
        Py::Dict(items) => {
            let pairs: Vec<(Dynamic, Dynamic)> = items.lock().values().cloned().collect();
            let mut map = Map::new();
            for (key, value) in pairs {
                let name = match view(&key) {
                    Py::Str(name) => name.to_string(),
                    // As JSON writes them.
                    Py::Int(_) | Py::Float(_) => super::show::str(&key)?,
                    Py::Bool(value) => value.to_string(),
                    Py::None => "null".to_owned(),
                    _ => return Err(unsupported(format!("a key of type {} outside of the script", type_name(&key)))),
                };
                map.insert(name.into(), plain_at(&value, depth + 1)?);
            }
            Dynamic::from_map(map)
        }
        Py::Moment(moment) => text(moment.iso()),
        Py::Date(date) => text(date.0.to_string()),
        Py::Time(time) => text(time.iso()),
        Py::Unbound => return Err(unsupported("a variable without a value")),
        Py::Found(_) | Py::Pattern(_) | Py::Delta(_) | Py::Zone(_) | Py::Digest(_) | Py::Error(_) | Py::Bytes(_) => value.clone(),
        Py::None | Py::Bool(_) | Py::Int(_) | Py::Float(_) | Py::Str(_) | Py::Ip(_) | Py::Net(_) | Py::Foreign(_) => {
            value.clone()
        }
    })
}

/// Python's truth of a value that needs no other code to tell. An object of the surroundings is true.
pub(crate) fn truth(value: &Dynamic) -> bool {
    match view(value) {
        Py::None => false,
        Py::Bool(value) => value,
        Py::Int(value) => value != 0,
        Py::Float(value) => value != 0.0,
        Py::Str(text) => !text.is_empty(),
        Py::Bytes(bytes) => !bytes.is_empty(),
        Py::List(items) | Py::Tuple(items) => !items.lock().is_empty(),
        Py::Dict(items) | Py::Set(items) => !items.lock().is_empty(),
        Py::Iter(iter) => iter.truth(),
        Py::Delta(delta) => delta.micros() != 0,
        _ => true,
    }
}

/// The name of a value's class.
pub(crate) fn type_name(value: &Dynamic) -> String {
    let name = match view(value) {
        Py::None => "NoneType",
        Py::Bool(_) => "bool",
        Py::Int(_) => "int",
        Py::Float(_) => "float",
        Py::Str(_) => "str",
        Py::Bytes(_) => "bytes",
        Py::List(_) => "list",
        Py::Tuple(_) => "tuple",
        Py::Dict(_) => "dict",
        Py::Set(_) => "set",
        Py::Iter(iter) => iter.type_name(),
        Py::Moment(_) => "datetime",
        Py::Date(_) => "date",
        Py::Time(_) => "time",
        Py::Delta(_) => "timedelta",
        Py::Zone(_) => "timezone",
        Py::Ip(IpAddr::V4(_)) => "IPv4Address",
        Py::Ip(IpAddr::V6(_)) => "IPv6Address",
        Py::Net(IpNet::V4(_)) => "IPv4Network",
        Py::Net(IpNet::V6(_)) => "IPv6Network",
        Py::Pattern(_) => "Pattern",
        Py::Found(_) => "Match",
        Py::Digest(_) => "HASH",
        Py::Unbound => "unbound",
        Py::Error(error) => return error.class.clone(),
        Py::Foreign(value) => return value.type_name().rsplit("::").next().unwrap_or_default().to_owned(),
    };
    name.to_owned()
}

/// Refuses to put a container into itself: it would never go away.
pub(crate) fn refuse_cycle(holder: usize, value: &Dynamic) -> Res<()> {
    let mut waiting = vec![value.clone()];
    let mut seen = std::collections::HashSet::new();
    while let Some(next) = waiting.pop() {
        let (address, inner) = match view_container(&next) {
            Some(found) => found,
            None => continue,
        };
        if address == holder {
            return Err(unsupported("a container within itself"));
        }
        if seen.insert(address) {
            super::limits::within(seen.len())?;
            waiting.extend(inner);
        }
    }
    Ok(())
}

/// What one of Python's values keeps.
#[derive(Default)]
pub(crate) struct Kept {
    /// Bytes besides the entries.
    pub(crate) bytes: usize,
    /// Of a container: who it is, and its entries.
    pub(crate) container: Option<(usize, Vec<Dynamic>)>,
}

/// What a value keeps; `None` where it is none of Python's own.
pub(crate) fn kept(value: &Dynamic) -> Option<Kept> {
    let py = value.read_lock::<Py>()?;
    let holding = |who: usize, entries: Vec<Dynamic>| Kept { bytes: 0, container: Some((who, entries)) };
    Some(match &*py {
        Py::List(items) | Py::Tuple(items) => holding(items.address(), items.lock().clone()),
        Py::Dict(items) | Py::Set(items) => {
            holding(items.address(), items.lock().values().flat_map(|(key, value)| [key, value]).cloned().collect())
        }
        Py::Iter(iter) => holding(iter.address(), iter.held()),
        Py::Error(error) => holding(error.args.as_ptr() as usize, error.args.to_vec()),
        Py::Bytes(bytes) => Kept { bytes: bytes.len(), container: None },
        _ => Kept::default(),
    })
}

/// The identity of a container and the containers in it.
fn view_container(value: &Dynamic) -> Option<(usize, Vec<Dynamic>)> {
    let py = value.read_lock::<Py>()?;
    let inner = |value: &&Dynamic| value.read_lock::<Py>().is_some();
    Some(match &*py {
        Py::List(items) | Py::Tuple(items) => (items.address(), items.lock().iter().filter(inner).cloned().collect()),
        Py::Dict(items) | Py::Set(items) => {
            (items.address(), items.lock().values().flat_map(|(key, value)| [key, value]).filter(inner).cloned().collect())
        }
        Py::Iter(iter) => (iter.address(), iter.held()),
        _ => return None,
    })
}

impl<T: Contents> Shared<T> {
    /// Checks that `value` can be put into this container.
    pub(crate) fn admits(&self, value: &Dynamic) -> Res<()> {
        refuse_cycle(self.address(), value)
    }
}
