//! Conditions on events, in the language of authentik's searches (DjangoQL).
//!
//! `field operator value`, joined by `and` (which binds stronger) and `or`, grouped by parentheses. Fields are those of events, and
//! whatever lies within them behind dots. Operators: `=`, `!=`, `<`, `<=`, `>`, `>=`, `~` and `!~` (contains, without regard to
//! case), `startswith`, `endswith`, `in (…)`; `not` before the last three. Values: texts in double quotes, numbers, `True`, `False`,
//! `None`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::iter::Peekable;
use std::sync::Arc;

use ak_store::clock::parse_moment;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};

/// A condition on an event: the text as the client wrote it, and what it says.
///
/// Reading a document never fails for its query: one that says nothing is kept with the reason, and matches nothing.
#[derive(Debug, Clone)]
pub struct EventQuery {
    source: Arc<str>,
    condition: Result<Arc<Condition>, Arc<str>>,
}

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Is { path: Vec<String>, operator: Operator, values: Vec<Value> },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    In,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
    Starts,
    Ends,
}

/// What events consist of.
const FIELDS: [&str; 7] = ["pk", "action", "app", "user", "context", "client_ip", "created"];

/// Conditions within conditions: more would be nobody's.
const DEPTH: usize = 32;

impl EventQuery {
    /// Reads a query.
    pub fn new(source: impl Into<Arc<str>>) -> Self {
        let source = source.into();
        let condition = read(&source).map(Arc::new).map_err(Arc::from);
        Self { source, condition }
    }

    /// Why it says nothing, and where; `None` if it does.
    pub fn problem(&self) -> Option<&str> {
        self.condition.as_ref().err().map(AsRef::as_ref)
    }

    /// Whether the event meets it. `Err` for a query that says nothing.
    pub fn matches(&self, event: &Value) -> Result<bool, String> {
        self.condition.as_ref().map(|condition| condition.holds(event)).map_err(ToString::to_string)
    }
}

impl Serialize for EventQuery {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for EventQuery {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::new)
    }
}

impl JsonSchema for EventQuery {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EventQuery".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl Condition {
    fn holds(&self, event: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(event)),
            Self::Any(any) => any.iter().any(|one| one.holds(event)),
            Self::Not(one) => !one.holds(event),
            Self::Is { path, operator, values } => {
                let found = path.iter().try_fold(event, |at, name| at.get(name)).unwrap_or(&Value::Null);
                values.iter().any(|value| operator.holds(found, value))
            }
        }
    }
}

impl Operator {
    fn holds(self, found: &Value, value: &Value) -> bool {
        let texts = found.as_str().zip(value.as_str());
        match self {
            Self::In => found == value || compare(found, value) == Some(Ordering::Equal),
            Self::Less => compare(found, value).is_some_and(Ordering::is_lt),
            Self::AtMost => compare(found, value).is_some_and(Ordering::is_le),
            Self::Greater => compare(found, value).is_some_and(Ordering::is_gt),
            Self::AtLeast => compare(found, value).is_some_and(Ordering::is_ge),
            Self::Contains => texts.is_some_and(|(found, part)| found.to_lowercase().contains(&part.to_lowercase())),
            Self::Starts => texts.is_some_and(|(found, part)| found.starts_with(part)),
            Self::Ends => texts.is_some_and(|(found, part)| found.ends_with(part)),
        }
    }
}

/// The order of two numbers, two moments or two texts; there is none between others.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) {
        return a.partial_cmp(&b);
    }
    let (a, b) = (a.as_str()?, b.as_str()?);
    match (parse_moment(a), parse_moment(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => Some(a.cmp(b)),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(Number),
    Sign(&'static str),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Number(number) => number.to_string(),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}

const SIGNS: [&str; 11] = ["!=", "!~", "<=", ">=", "=", "<", ">", "~", "(", ")", ","];

fn read(source: &str) -> Result<Condition, String> {
    let mut parser = Parser { tokens: tokens(source)?.into_iter().peekable(), end: source.chars().count() + 1 };
    let condition = parser.any(0)?;
    match parser.tokens.next() {
        None => Ok(condition),
        Some((at, token)) => Err(format!("column {at}: `and` or `or` is expected, not {}", token.shown())),
    }
}

/// The words of a query, with the columns where they begin.
fn tokens(source: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut all = Vec::new();
    let (mut rest, mut at) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let (token, used) = match first {
            c if c.is_whitespace() => (None, c.len_utf8()),
            '"' => text(rest)
                .map(|(text, used)| (Some(Token::Text(text)), used))
                .ok_or(format!("column {at}: the text does not end"))?,
            c if c.is_ascii_digit() || c == '-' => {
                let used =
                    rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '.' | 'e' | 'E' | '+'))).unwrap_or(rest.len());
                let number = rest.get(..used).and_then(|digits| digits.parse().ok());
                (Some(Token::Number(number.ok_or(format!("column {at}: this is no number"))?)), used)
            }
            c if c.is_alphabetic() || c == '_' => {
                let used = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))).unwrap_or(rest.len());
                (Some(Token::Name(rest.get(..used).unwrap_or_default().to_owned())), used)
            }
            c => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or(format!("column {at}: `{c}` means nothing here"))?;
                (Some(Token::Sign(sign)), sign.len())
            }
        };
        all.extend(token.map(|token| (at, token)));
        let (read, unread) = rest.split_at_checked(used).unwrap_or((rest, ""));
        at += read.chars().count();
        rest = unread;
    }
    Ok(all)
}

/// The text that `source` begins with, and how many bytes of it that is.
fn text(source: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut chars = source.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => return Some((text, place + 1)),
            '\\' => match chars.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                c => text.push(c),
            },
            c => text.push(c),
        }
    }
    None
}

struct Parser {
    tokens: Peekable<std::vec::IntoIter<(usize, Token)>>,
    end: usize,
}

impl Parser {
    fn word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|(_, token)| matches!(token, Token::Name(name) if name == word)).is_some()
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.tokens.next_if(|(_, token)| matches!(token, Token::Sign(found) if *found == sign)).is_some()
    }

    /// What is said where something else than `expected` comes.
    fn unexpected(&mut self, expected: &str) -> String {
        match self.tokens.peek() {
            Some((at, token)) => format!("column {at}: {expected} is expected, not {}", token.shown()),
            None => format!("column {}: {expected} is expected, but the query ends", self.end),
        }
    }

    fn any(&mut self, depth: usize) -> Result<Condition, String> {
        let mut any = vec![self.all(depth)?];
        while self.word("or") {
            any.push(self.all(depth)?);
        }
        Ok(Condition::Any(any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, String> {
        let mut all = vec![self.one(depth)?];
        while self.word("and") {
            all.push(self.one(depth)?);
        }
        Ok(Condition::All(all))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, String> {
        if depth > DEPTH {
            return Err(self.unexpected("a query with fewer parentheses"));
        }
        if self.sign("(") {
            let inner = self.any(depth + 1)?;
            return if self.sign(")") { Ok(inner) } else { Err(self.unexpected("`)`")) };
        }
        let path = match self.tokens.peek() {
            Some((at, Token::Name(name))) => {
                let path: Vec<String> = name.split('.').map(str::to_owned).collect();
                let known = path.first().is_some_and(|first| FIELDS.contains(&first.as_str()));
                if !known || path.iter().any(String::is_empty) {
                    return Err(format!("column {at}: events have no field {name}; they have {}", FIELDS.join(", ")));
                }
                path
            }
            _ => return Err(self.unexpected("the name of a field")),
        };
        self.tokens.next();
        let (operator, negated, is_list) = self.operator()?;
        let values = if is_list { self.values()? } else { vec![self.value()?] };
        let condition = Condition::Is { path, operator, values };
        Ok(if negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    /// An operator, whether it is turned round, and whether a list follows. `=` is one of a list of one.
    fn operator(&mut self) -> Result<(Operator, bool, bool), String> {
        const BY_SIGN: [(&str, Operator, bool); 8] = [
            ("=", Operator::In, false),
            ("!=", Operator::In, true),
            ("<", Operator::Less, false),
            (">=", Operator::AtLeast, false),
            (">", Operator::Greater, false),
            ("<=", Operator::AtMost, false),
            ("~", Operator::Contains, false),
            ("!~", Operator::Contains, true),
        ];
        const BY_WORD: [(&str, Operator); 3] =
            [("in", Operator::In), ("startswith", Operator::Starts), ("endswith", Operator::Ends)];
        if let Some((_, operator, negated)) = BY_SIGN.into_iter().find(|(sign, ..)| self.sign(sign)) {
            return Ok((operator, negated, false));
        }
        let negated = self.word("not");
        match BY_WORD.into_iter().find(|(word, _)| self.word(word)) {
            Some((_, operator)) => Ok((operator, negated, operator == Operator::In)),
            None => Err(self.unexpected("an operator")),
        }
    }

    fn values(&mut self) -> Result<Vec<Value>, String> {
        if !self.sign("(") {
            return Err(self.unexpected("`(`"));
        }
        let mut values = vec![self.value()?];
        while self.sign(",") {
            values.push(self.value()?);
        }
        if self.sign(")") { Ok(values) } else { Err(self.unexpected("`)`")) }
    }

    fn value(&mut self) -> Result<Value, String> {
        let value = match self.tokens.peek().map(|(_, token)| token) {
            Some(Token::Text(text)) => Value::String(text.clone()),
            Some(Token::Number(number)) => Value::Number(number.clone()),
            Some(Token::Name(name)) if name == "True" => Value::Bool(true),
            Some(Token::Name(name)) if name == "False" => Value::Bool(false),
            Some(Token::Name(name)) if name == "None" => Value::Null,
            _ => return Err(self.unexpected("a value")),
        };
        self.tokens.next();
        Ok(value)
    }
}
