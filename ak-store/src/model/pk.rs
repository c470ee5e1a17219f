//! Keys and typed references.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::kind::Kind;
use crate::records::{Group, User};

/// From which set of keys an object takes its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Random UUIDs.
    Uuid,
    /// Integers of a sequence of its own: the number of the sequence, 1 to 255.
    Int(u8),
}

/// The key of an object: a UUID, or an integer of one of the sequences (whose number stands in the upper half, where no
/// random UUID is that small).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pk(u128);

impl Pk {
    /// The key with this UUID.
    pub const fn of_uuid(uuid: Uuid) -> Self {
        Self(uuid.as_u128())
    }

    /// The `n`-th key of the sequence `space`.
    pub const fn of_int(space: u8, n: u32) -> Self {
        Self(((space as u128) << 64) | n as u128)
    }

    /// The key as it is stored.
    pub const fn uuid(self) -> Uuid {
        Uuid::from_u128(self.0)
    }

    /// The sequence and the number, for an integer key.
    pub fn int(self) -> Option<(u8, u32)> {
        let space = u8::try_from(self.0 >> 64).ok().filter(|space| *space != 0)?;
        Some((space, u32::try_from(self.0 & u128::from(u64::MAX)).ok()?))
    }

    /// The key as clients see it: a text, or a number.
    pub fn value(self) -> Value {
        match self.int() {
            Some((_, n)) => Value::from(n),
            None => Value::from(self.uuid().to_string()),
        }
    }

    /// The key in `space` that a client means by `value`.
    pub fn from_value(value: &Value, space: Space) -> Option<Self> {
        match (space, value) {
            (Space::Uuid, Value::String(text)) => Uuid::parse_str(text).ok().map(Self::of_uuid),
            (Space::Int(space), Value::Number(n)) => {
                n.as_u64().and_then(|n| u32::try_from(n).ok()).map(|n| Self::of_int(space, n))
            }
            (Space::Int(space), Value::String(text)) => text.parse().ok().map(|n| Self::of_int(space, n)),
            _ => None,
        }
    }
}

impl fmt::Display for Pk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.int() {
            Some((_, n)) => write!(f, "{n}"),
            None => write!(f, "{}", self.uuid()),
        }
    }
}

impl fmt::Debug for Pk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a reference can point to: a kind, or a role that several kinds play (`dyn Stage`).
pub trait Target: 'static {
    /// Model name of the kind, or a name for the role.
    const NAME: &'static str;
    /// Where the keys come from.
    const SPACE: Space = Space::Uuid;
}

impl<K: Kind> Target for K {
    const NAME: &'static str = K::META.model;
    const SPACE: Space = K::META.space;
}

/// A reference to an object of a kind (`Ref<Flow>`) or in a role (`Ref<dyn Stage>`).
///
/// Its type says what happens when the target is deleted: with a `Ref` the object goes too, an `Option<Ref>` becomes null, a
/// `Vec<Ref>` loses the entry. `#[schemars(extend("x-on-delete" = "cascade"))]` overrides it.
pub struct Ref<T: ?Sized> {
    pk: Pk,
    to: PhantomData<fn() -> Box<T>>,
}

impl<T: ?Sized> Ref<T> {
    /// The reference to the object with this key.
    pub const fn new(pk: Pk) -> Self {
        Self { pk, to: PhantomData }
    }

    /// The key that is referred to.
    pub const fn pk(self) -> Pk {
        self.pk
    }
}

impl<T: ?Sized> Clone for Ref<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: ?Sized> Copy for Ref<T> {}
impl<T: ?Sized> PartialEq for Ref<T> {
    fn eq(&self, other: &Self) -> bool {
        self.pk == other.pk
    }
}
impl<T: ?Sized> Eq for Ref<T> {}
impl<T: ?Sized> Hash for Ref<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pk.hash(state);
    }
}
impl<T: ?Sized> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref<{}>({})", type_name::<T>(), self.pk)
    }
}

impl<T: ?Sized> Serialize for Ref<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.pk.value().serialize(serializer)
    }
}

impl<'de, T: ?Sized + Target> Deserialize<'de> for Ref<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Pk::from_value(&value, T::SPACE)
            .map(Self::new)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Other("value"), &"a key"))
    }
}

impl<T: ?Sized + Target> JsonSchema for Ref<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Ref_{}", T::NAME).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        match T::SPACE {
            Space::Uuid => json_schema!({ "type": "string", "format": "uuid", "x-ref": T::NAME }),
            Space::Int(space) => json_schema!({ "type": "integer", "x-ref": T::NAME, "x-space": space }),
        }
    }
}

/// A sort of record that objects may refer to.
pub trait Record: 'static {
    /// Its name in stored references: `user`, `group`.
    const NAME: &'static str;
    /// Its key.
    type Key: Copy + Eq + Hash + fmt::Display + Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static;
    /// The JSON type of its key.
    const KEY_TYPE: &'static str;
}

impl Record for User {
    const NAME: &'static str = "user";
    type Key = i64;
    const KEY_TYPE: &'static str = "integer";
}

impl Record for Group {
    const NAME: &'static str = "group";
    type Key = Uuid;
    const KEY_TYPE: &'static str = "string";
}

/// A reference from an object to a record. It cannot be followed in the snapshot; that it exists is checked in the
/// transaction that stores it.
pub struct RecordRef<R: Record> {
    key: R::Key,
}

impl<R: Record> RecordRef<R> {
    /// The reference to the record with this key.
    pub const fn new(key: R::Key) -> Self {
        Self { key }
    }

    /// The key that is referred to.
    pub const fn key(self) -> R::Key {
        self.key
    }
}

impl<R: Record> Clone for RecordRef<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R: Record> Copy for RecordRef<R> {}
impl<R: Record> PartialEq for RecordRef<R> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl<R: Record> fmt::Debug for RecordRef<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", R::NAME, self.key)
    }
}

impl<R: Record> Serialize for RecordRef<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.key.serialize(serializer)
    }
}

impl<'de, R: Record> Deserialize<'de> for RecordRef<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        R::Key::deserialize(deserializer).map(Self::new)
    }
}

impl<R: Record> JsonSchema for RecordRef<R> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("RecordRef_{}", R::NAME).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        match R::KEY_TYPE {
            "integer" => json_schema!({ "type": "integer", "x-record": R::NAME }),
            _ => json_schema!({ "type": "string", "format": "uuid", "x-record": R::NAME }),
        }
    }
}

/// What an edge leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An object.
    Object(Pk),
    /// An account.
    User(i64),
    /// A group.
    Group(Uuid),
}

impl Key {
    /// The form in which it is stored.
    pub fn stored(self) -> String {
        match self {
            Self::Object(pk) => pk.uuid().to_string(),
            Self::User(pk) => format!("user:{pk}"),
            Self::Group(pk) => format!("group:{pk}"),
        }
    }

    /// What a stored form means.
    pub fn parse_stored(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("user", pk)) => pk.parse().ok().map(Self::User),
            Some(("group", pk)) => pk.parse().ok().map(Self::Group),
            Some(_) => None,
            None => Uuid::parse_str(text).ok().map(|uuid| Self::Object(Pk::of_uuid(uuid))),
        }
    }
}
