//! The parameters of a list's URL, read one by one.

use std::net::IpAddr;

use ak_store::clock::parse_moment;
use ak_store::model::{Errors, ListQuery};
use ak_store::records::{AttributeIs, By, Moments, Page};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::collection::{pagination, read_query};
use crate::error::ApiError;

/// What a client asks of a list of records. An empty value asks for nothing; what cannot be read is told at its name, all at once,
/// when [`Params::done`] is called.
pub(in crate::api) struct Params {
    query: ListQuery,
    errors: Errors,
}

impl Params {
    /// The parameters of a URL's query.
    pub(in crate::api) fn of(query: Option<&str>) -> Result<Self, ApiError> {
        Ok(Self { query: read_query(query.unwrap_or_default())?, errors: Errors::default() })
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let given = self.query.filters.iter().filter(move |(given, _)| given == name);
        given.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn read<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let value = self.values(name).last().map(str::to_owned)?;
        read(&value).map_err(|message| self.refuse(name, message)).ok()
    }

    fn all<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let values: Vec<String> = self.values(name).map(str::to_owned).collect();
        values.iter().filter_map(|value| read(value).map_err(|message| self.refuse(name, message)).ok()).collect()
    }

    /// Says that a parameter cannot be taken.
    pub(in crate::api) fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.at(&[name], message, "invalid");
    }

    pub(in crate::api) fn text(&self, name: &str) -> Option<String> {
        self.values(name).last().map(str::to_owned)
    }

    pub(in crate::api) fn texts(&self, name: &str) -> Vec<String> {
        self.values(name).map(str::to_owned).collect()
    }

    pub(in crate::api) fn search(&self) -> Option<String> {
        Some(self.query.search.clone()).filter(|search| !search.is_empty())
    }

    pub(in crate::api) fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, |value| match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(format!("“{other}” is not a valid value.")),
        })
    }

    pub(in crate::api) fn number(&mut self, name: &str) -> Option<i64> {
        self.read(name, |value| value.parse().map_err(|_| "Enter a number.".to_owned()))
    }

    pub(in crate::api) fn address(&mut self, name: &str) -> Option<IpAddr> {
        self.read(name, |value| value.parse().map_err(|_| "Enter a valid IPv4 or IPv6 address.".to_owned()))
    }

    pub(in crate::api) fn numbers(&mut self, name: &str) -> Vec<i64> {
        self.all(name, |value| value.parse().map_err(|_| "Enter a number.".to_owned()))
    }

    pub(in crate::api) fn uuid(&mut self, name: &str) -> Option<Uuid> {
        self.read(name, uuid)
    }

    pub(in crate::api) fn uuids(&mut self, name: &str) -> Vec<Uuid> {
        self.all(name, uuid)
    }

    pub(in crate::api) fn choice<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.read(name, |value| parse(value).ok_or_else(|| no_choice(value)))
    }

    pub(in crate::api) fn choices<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        self.all(name, |value| parse(value).ok_or_else(|| no_choice(value)))
    }

    pub(in crate::api) fn moment(&mut self, name: &str) -> Option<DateTime<Utc>> {
        // The `+` of an offset is a space in a query that nobody has encoded.
        let read = |value: &str| parse_moment(value).or_else(|| parse_moment(&value.replace(' ', "+")));
        self.read(name, |value| read(value).ok_or_else(|| "Enter a valid date/time.".to_owned()))
    }

    /// The parameters `name`, `name__gt` and `name__lt`.
    pub(in crate::api) fn moments(&mut self, name: &str) -> Moments {
        Moments { at: self.moment(name), after: self.moment(&format!("{name}__gt")), before: self.moment(&format!("{name}__lt")) }
    }

    /// The parameter `attributes`: an object whose names lead to values, names of inner objects joined by `__`.
    pub(in crate::api) fn attributes(&mut self) -> Vec<AttributeIs> {
        let wanted = self.read("attributes", |text| match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err("filter: value must be key:value mapping".to_owned()),
            Err(_) => Err("filter: failed to parse JSON".to_owned()),
        });
        let one = |(name, value): (String, Value)| AttributeIs { path: name.split("__").map(str::to_owned).collect(), value };
        wanted.unwrap_or_default().into_iter().map(one).collect()
    }

    /// The order asked for, as far as `field` knows the names; else `usual`.
    pub(in crate::api) fn order<T: Copy>(&self, field: impl Fn(&str) -> Option<T>, usual: &[T]) -> Vec<By<T>> {
        let known = |name: &String| {
            let field = field(name.trim_start_matches('-'))?;
            Some(By { field, descending: name.starts_with('-') })
        };
        let order: Vec<By<T>> = self.query.ordering.iter().filter_map(known).collect();
        if order.is_empty() { usual.iter().copied().map(By::up).collect() } else { order }
    }

    /// Everything has been read: what was wrong with it.
    pub(in crate::api) fn done(&mut self) -> Result<(), ApiError> {
        std::mem::take(&mut self.errors).ok(()).map_err(ApiError::Invalid)
    }

    /// The part of a list of `count` rows that is asked for.
    pub(in crate::api) fn page(&self, count: u64) -> Result<Page, ApiError> {
        let (size, page) = (self.query.page_size, self.query.page);
        let offset = (page - 1).saturating_mul(size);
        if page > 1 && offset >= count {
            return Err(ApiError::NotFound("Invalid page.".into()));
        }
        Ok(Page { offset, limit: size })
    }

    /// The part of a list that is in memory as a whole.
    pub(in crate::api) fn part<'a, T>(&self, rows: &'a [T]) -> Result<&'a [T], ApiError> {
        let page = self.page(rows.len() as u64)?;
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let start = number(page.offset).min(rows.len());
        let end = start.saturating_add(number(page.limit)).min(rows.len());
        Ok(rows.get(start..end).unwrap_or_default())
    }

    /// The answer: a page of a list of `count` rows.
    pub(in crate::api) fn answer(&self, count: u64, results: &[Value]) -> Value {
        json!({ "pagination": pagination(&self.query, count), "results": results, "autocomplete": {} })
    }
}

fn uuid(value: &str) -> Result<Uuid, String> {
    Uuid::parse_str(value).map_err(|_| "Enter a valid UUID.".to_owned())
}

/// What is said of a value that is not among those that there are.
pub(in crate::api) fn no_choice(value: &str) -> String {
    let shown: String = value.chars().take(100).collect();
    format!("Select a valid choice. {shown} is not one of the available choices.")
}
