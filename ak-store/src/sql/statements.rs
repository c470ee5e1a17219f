//! Every statement, for the test that prepares them.

use uuid::Uuid;

use super::dialect::Dialect;
use super::query::Query;
use super::{events, groups, objects, sessions, settings, tasks, tokens, users};
use crate::clock::from_micros;
use crate::records::{
    EventFilter, GroupFilter, SessionFilter, TaskFilter, TaskState, TokenFilter, TokenIntent, UserFilter, UserType,
};

/// Every statement that this program may send: those written in full, and lists with no and with all conditions.
fn statements(dialect: &Dialect) -> Vec<String> {
    let written = [
        users::STATEMENTS,
        groups::STATEMENTS,
        sessions::STATEMENTS,
        tokens::STATEMENTS,
        events::STATEMENTS,
        tasks::STATEMENTS,
        settings::STATEMENTS,
        objects::STATEMENTS,
    ];
    let mut all: Vec<String> = written.into_iter().flatten().map(|text| text.to_string()).collect();
    all.extend(objects::CommitTexts::of(dialect).all());
    all.extend([users::many(dialect), groups::with_parents(Query::made(groups::many(dialect))).text.into_owned()]);
    all.extend(lists().into_iter().map(|query| query.text.into_owned()));
    all
}

fn lists() -> Vec<Query> {
    let text = || Some("x".to_owned());
    let moment = from_micros(0);
    let user = UserFilter {
        search: text(),
        username: text(),
        is_active: Some(true),
        types: vec![UserType::Internal, UserType::External],
        path: text(),
        group: Some(Uuid::nil()),
    };
    let group = GroupFilter { search: text(), name: text(), is_superuser: Some(true), member: Some(1) };
    let token = TokenFilter { user: Some(1), intent: Some(TokenIntent::Api), identifier: text() };
    [
        users::listing(&UserFilter::default()),
        users::listing(&user),
        groups::listing(&GroupFilter::default()),
        groups::listing(&group),
        sessions::listing(&SessionFilter::default()),
        sessions::listing(&SessionFilter { user: Some(1), valid_at: Some(moment) }),
        tokens::listing(&TokenFilter::default()),
        tokens::listing(&token),
        events::listing(&EventFilter::default()),
        events::listing(&EventFilter { action: text(), user: Some(1) }),
        tasks::listing(&TaskFilter::default()),
        tasks::listing(&TaskFilter { name: text(), state: Some(TaskState::Done) }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test]
async fn every_statement_is_understood_by_sqlite() {
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, SqlSafeStr as _};

    use super::dialect::SQLITE;
    use super::{SqliteBackend, SqliteOptions};
    use crate::records::Backend as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ak.db");
    SqliteBackend::open(&path, SqliteOptions::default()).await.unwrap().migrate().await.unwrap();
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let all = statements(&SQLITE);
    assert!(all.len() > 80, "only {} statements are listed", all.len());
    for text in all {
        let shown = text.clone();
        let prepared = connection.prepare(AssertSqlSafe(text).into_sql_str()).await;
        prepared.unwrap_or_else(|error| panic!("{error}: {shown}"));
    }
}
