//! Every statement, for the test that prepares them.

use uuid::Uuid;

use super::dialect::Dialect;
use super::groups::with_parents;
use super::query::Query;
use super::{
    consents, decision_traces, events, grants, groups, objects, password_history, reputation, roles, sessions, settings, tasks,
    tokens, users,
};
use crate::clock::from_micros;
use crate::records::{
    AttributeIs, By, ConsentFilter, ConsentOrder, EventFilter, GrantFilter, GrantKind, GrantOrder, GroupFilter, GroupOrder,
    Moments, ReputationFilter, ReputationOrder, SessionFilter, TaskFilter, TaskState, TokenFilter, TokenIntent, TokenOrder,
    UserFilter, UserOrder, UserType, Word,
};

/// Every statement that this program may send: those written in full, and lists with no and with all conditions.
fn statements(dialect: &Dialect) -> Vec<String> {
    let written = [
        users::STATEMENTS,
        groups::STATEMENTS,
        roles::STATEMENTS,
        sessions::STATEMENTS,
        tokens::STATEMENTS,
        consents::STATEMENTS,
        grants::STATEMENTS,
        password_history::STATEMENTS,
        reputation::STATEMENTS,
        decision_traces::STATEMENTS,
        events::STATEMENTS,
        tasks::STATEMENTS,
        settings::STATEMENTS,
        objects::STATEMENTS,
    ];
    let mut all: Vec<String> = written.into_iter().flatten().map(|text| dialect.expand(text)).collect();
    all.extend(roles::Texts::of(dialect).all());
    all.extend(objects::CommitTexts::of(dialect).all());
    all.extend([users::many(dialect), users::superusers(dialect), groups::of_users(dialect)]);
    all.extend([groups::BY_PK, groups::BY_USERNAME].map(str::to_owned));
    all.extend([consents::forget(dialect), grants::forget(dialect)]);
    all.extend(
        [groups::many(dialect), groups::children(dialect)].map(|groups| with_parents(Query::made(groups)).text.into_owned()),
    );
    all.extend(lists(dialect).into_iter().map(|query| query.text.into_owned()));
    all.extend([dialect.lock_hierarchy, dialect.lock_family, dialect.tell].into_iter().flatten().map(str::to_owned));
    // Those that find one row, as writing transactions send them.
    let found: Vec<String> =
        all.iter().filter(|text| text.starts_with("SELECT *") && text.contains("pk = $1")).cloned().collect();
    all.extend(found.into_iter().map(|text| format!("{text}{}", dialect.for_update)));
    assert!(all.len() > 80, "only {} statements are listed", all.len());
    all
}

fn lists(dialect: &Dialect) -> Vec<Query> {
    let text = || Some("x".to_owned());
    let moment = from_micros(0);
    let moments = Moments { at: Some(moment), after: Some(moment), before: Some(moment) };
    let attributes = || vec![AttributeIs { path: vec!["a".to_owned(), "b".to_owned()], value: true.into() }];
    let user = UserFilter {
        search: Some("two words".to_owned()),
        username: text(),
        name: text(),
        email: text(),
        uuid: Some(Uuid::nil()),
        is_active: Some(true),
        is_superuser: Some(true),
        types: vec![UserType::Internal, UserType::External],
        path: text(),
        path_prefix: text(),
        date_joined: moments,
        last_login: moments,
        has_signed_in: Some(true),
        last_updated: moments,
        groups: vec![vec![Uuid::nil(), Uuid::max()], vec![Uuid::nil()]],
        roles: vec![vec![Uuid::nil()]],
        attributes: attributes(),
        order: vec![By::up(UserOrder::LastLogin), By::down(UserOrder::Name)],
    };
    let group = GroupFilter {
        search: text(),
        name: text(),
        is_superuser: Some(true),
        members: vec![vec![1, 2], vec![3]],
        attributes: attributes(),
        order: vec![By::down(GroupOrder::IsSuperuser), By::up(GroupOrder::LastUpdated)],
    };
    let token = TokenFilter {
        search: text(),
        user: Some(1),
        username: text(),
        intent: Some(TokenIntent::Api),
        identifier: text(),
        description: text(),
        expires: Some(moment),
        expiring: Some(true),
        managed: text(),
        order: vec![By::down(TokenOrder::Expires), By::up(TokenOrder::User)],
    };
    let reputation = ReputationFilter {
        search: Some("two words".to_owned()),
        identifier: text(),
        identifiers: vec!["x".to_owned(), "y".to_owned()],
        ip: "192.0.2.1".parse().ok(),
        score: Some(1),
        order: vec![By::down(ReputationOrder::Score), By::up(ReputationOrder::Updated)],
    };
    let search = || Word::all("a b", [(Uuid::nil(), "a")].into_iter());
    let consent = ConsentFilter {
        user: Some(1),
        application: Some(Uuid::nil()),
        search: search(),
        order: vec![By::down(ConsentOrder::Application), By::up(ConsentOrder::Expires)],
    };
    let grant = GrantFilter {
        kind: Some(GrantKind::Code),
        provider: Some(Uuid::nil()),
        user: Some(1),
        search: search(),
        order: vec![By::up(GrantOrder::Provider), By::down(GrantOrder::Revoked)],
    };
    [
        users::listing(dialect, &UserFilter::default()),
        users::listing(dialect, &user),
        groups::listing(dialect, &GroupFilter::default()),
        groups::listing(dialect, &group),
        sessions::listing(&SessionFilter::default()),
        sessions::listing(&SessionFilter {
            user: Some(1),
            valid_at: Some(moment),
            signed_in: true,
            last_ip: Some(std::net::Ipv4Addr::LOCALHOST.into()),
            last_user_agent: text(),
        }),
        tokens::listing(&TokenFilter::default()),
        tokens::listing(&token),
        consents::listing(dialect, &ConsentFilter::default()),
        consents::listing(dialect, &consent),
        grants::listing(dialect, &GrantFilter::default()),
        grants::listing(dialect, &grant),
        reputation::listing(&ReputationFilter::default()),
        reputation::listing(&reputation),
        events::listing(&EventFilter::default()),
        events::listing(&EventFilter { action: text(), user: Some(1) }),
        tasks::listing(&TaskFilter::default()),
        tasks::listing(&TaskFilter { name: text(), state: Some(TaskState::Done) }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(feature = "sqlite")]
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
    for text in statements(&SQLITE) {
        let shown = text.clone();
        let prepared = connection.prepare(AssertSqlSafe(text).into_sql_str()).await;
        prepared.unwrap_or_else(|error| panic!("{error}: {shown}"));
    }
}

#[cfg(all(feature = "postgres", feature = "conformance"))]
#[tokio::test]
async fn every_statement_is_understood_by_postgres() {
    use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

    use super::dialect::POSTGRES;
    use crate::conformance::cluster::Cluster;

    let database = Cluster::shared().database();
    let mut connection = database.connect().await;
    for text in statements(&POSTGRES) {
        let shown = text.clone();
        let prepared = connection.prepare(AssertSqlSafe(text).into_sql_str()).await;
        prepared.unwrap_or_else(|error| panic!("{error}: {shown}"));
    }
}
