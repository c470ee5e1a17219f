//! The few words in which the engines differ. Everything else is one SQL text for all of them.

/// What a column of a [`Dialect::rows`] table holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// A number.
    Int,
    /// A UUID; in the JSON 32 hexadecimal digits.
    Uuid,
    /// A text.
    Text,
    /// True or false.
    Flag,
}

/// The words of one engine.
#[derive(Debug)]
pub(super) struct Dialect {
    identity: &'static str,
    uuid: &'static str,
    bytes: &'static str,
    text: &'static str,
    rows: fn(&[(&str, Column)]) -> String,
    json: fn(&str) -> String,
}

/// SQLite.
pub(super) const SQLITE: Dialect = Dialect {
    // AUTOINCREMENT, not the bare key: that would give the key of a deleted account to the next one.
    identity: "INTEGER PRIMARY KEY AUTOINCREMENT",
    uuid: "BLOB",
    bytes: "BLOB",
    // Compares bytes, as Rust does; other engines must be told.
    text: "TEXT",
    rows: sqlite_rows,
    json: |text| format!("json({text})"),
};

impl Dialect {
    /// A text with this engine's words in the place of those in braces.
    pub(super) fn expand(&self, text: &str) -> String {
        text.replace("{identity}", self.identity)
            .replace("{uuid}", self.uuid)
            .replace("{bytes}", self.bytes)
            .replace("{text}", self.text)
    }

    /// The JSON value that the text of this expression is, in a form in which equal values are equal and `->` finds members.
    pub(super) fn as_json(&self, text: &str) -> String {
        (self.json)(text)
    }

    /// A table with these columns, for a `FROM`, whose rows are the members of the JSON array `$1` (objects with one value for
    /// each column): how a statement takes any number of rows.
    pub(super) fn rows(&self, columns: &[(&str, Column)]) -> String {
        (self.rows)(columns)
    }
}

fn sqlite_rows(columns: &[(&str, Column)]) -> String {
    let column = |(name, column): &(&str, Column)| match column {
        Column::Uuid => format!("unhex(value ->> '{name}') AS {name}"),
        Column::Int | Column::Text | Column::Flag => format!("value ->> '{name}' AS {name}"),
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    format!("(SELECT {} FROM json_each($1)) AS given", columns.join(", "))
}
