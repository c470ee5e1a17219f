//! A row of an answer, read by column name. What cannot be read is [`StoreError::Corrupt`].

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use uuid::Uuid;

use crate::clock::from_micros;
use crate::error::{Result, StoreError};

/// A row of an answer.
pub(super) enum Row {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::sqlite::SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
}

/// What the columns of each engine can hold.
macro_rules! cell {
    ($trait:ident, $feature:literal, $engine:ty) => {
        #[cfg(feature = $feature)]
        trait $trait<'r>: sqlx::Decode<'r, $engine> + sqlx::Type<$engine> {}
        #[cfg(feature = $feature)]
        impl<'r, T: sqlx::Decode<'r, $engine> + sqlx::Type<$engine>> $trait<'r> for T {}
        #[cfg(not(feature = $feature))]
        trait $trait<'r> {}
        #[cfg(not(feature = $feature))]
        impl<T> $trait<'_> for T {}
    };
}
cell!(SqliteCell, "sqlite", sqlx::Sqlite);
cell!(PostgresCell, "postgres", sqlx::Postgres);

fn damaged(column: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("column `{column}`: {why}"))
}

impl Row {
    fn get<'r, T: SqliteCell<'r> + PostgresCell<'r>>(&'r self, column: &str) -> Result<T> {
        let cell = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(row) => row.try_get(column),
            #[cfg(feature = "postgres")]
            Self::Postgres(row) => row.try_get(column),
        };
        cell.map_err(|error| damaged(column, error))
    }

    pub(super) fn int(&self, column: &str) -> Result<i64> {
        self.get(column)
    }

    pub(super) fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        self.get(column)
    }

    /// A number in one of the smaller types, or in one without a sign.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|_| damaged(column, "the number is out of range"))
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool> {
        self.get(column)
    }

    pub(super) fn text(&self, column: &str) -> Result<String> {
        self.get(column)
    }

    pub(super) fn opt_text(&self, column: &str) -> Result<Option<String>> {
        self.get(column)
    }

    pub(super) fn uuid(&self, column: &str) -> Result<Uuid> {
        self.get(column)
    }

    pub(super) fn opt_uuid(&self, column: &str) -> Result<Option<Uuid>> {
        self.get(column)
    }

    pub(super) fn hash(&self, column: &str) -> Result<[u8; 32]> {
        let bytes: Vec<u8> = self.get(column)?;
        bytes.try_into().map_err(|_| damaged(column, "not 32 bytes"))
    }

    pub(super) fn opt_hash(&self, column: &str) -> Result<Option<[u8; 32]>> {
        let bytes: Option<Vec<u8>> = self.get(column)?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| damaged(column, "not 32 bytes"))).transpose()
    }

    pub(super) fn time(&self, column: &str) -> Result<DateTime<Utc>> {
        self.int(column).map(from_micros)
    }

    pub(super) fn opt_time(&self, column: &str) -> Result<Option<DateTime<Utc>>> {
        Ok(self.opt_int(column)?.map(from_micros))
    }

    /// A JSON value or map.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text: &str = self.get(column)?;
        serde_json::from_str(text).map_err(|error| damaged(column, error))
    }

    pub(super) fn opt_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text: Option<&str> = self.get(column)?;
        text.map(serde_json::from_str).transpose().map_err(|error| damaged(column, error))
    }

    pub(super) fn opt_ip(&self, column: &str) -> Result<Option<IpAddr>> {
        let text: Option<&str> = self.get(column)?;
        text.map(str::parse).transpose().map_err(|error| damaged(column, error))
    }

    /// One of a list of names.
    pub(super) fn named<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let name: &str = self.get(column)?;
        parse(name).ok_or_else(|| damaged(column, format_args!("`{name}` is not known")))
    }
}
