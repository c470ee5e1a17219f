//! Hearing of changed objects: `NOTIFY` is part of each commit, and one connection of its own listens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::session::Server;
use crate::error::{Result, StoreError};
use crate::records::Changes;
use crate::sql::connection::Wire as _;
use crate::sql::dialect::{CHANNEL, POSTGRES};
use crate::sql::error::meaning;
use crate::sql::query::Query;

/// How long connecting, and each of the small questions here, may take.
const SOON: Duration = Duration::from_secs(5);
/// How long the first word over the channel may take before it is taken for never to come.
const ECHO: Duration = Duration::from_secs(10);
/// How often an idle connection is asked whether its other end is still there.
const HEARTBEAT: Duration = Duration::from_mins(1);

struct Listening(PgListener);

/// A connection that listens; `None` where listening does not work.
pub(super) async fn listen(server: &Arc<Server>) -> Result<Option<Box<dyn Changes>>> {
    if server.has_pooler() {
        return Ok(None);
    }
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).acquire_timeout(SOON);
    let pool = pool.connect_lazy_with(server.connect_options().clone());
    let mut listener = soon(PgListener::connect_with(&pool)).await?;
    listener.eager_reconnect(false);
    soon(listener.listen(CHANNEL)).await?;
    // A pooler in transaction mode takes the `LISTEN` and gives the connection to somebody else: what is said elsewhere tells.
    let mut other = server.connect().await?;
    if let Some(tell) = POSTGRES.tell {
        other.rows(Query::new(tell).bind(0_u64)).await?;
    }
    other.close().await;
    match tokio::time::timeout(ECHO, listener.recv()).await {
        Ok(heard) => heard.map_err(meaning).map(drop)?,
        Err(_silence) => {
            server.unname();
            return Ok(None);
        }
    }
    Ok(Some(Box::new(Listening(listener))))
}

async fn soon<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
    let late = |_| StoreError::Busy("the connection that listens did not answer in time".into());
    tokio::time::timeout(SOON, answer).await.map_err(late)?.map_err(meaning)
}

#[async_trait]
impl Changes for Listening {
    async fn next(&mut self) -> Result<u64> {
        loop {
            match tokio::time::timeout(HEARTBEAT, self.0.try_recv()).await {
                Ok(Ok(Some(told))) => {
                    if let Ok(revision) = told.payload().parse() {
                        return Ok(revision);
                    }
                }
                Ok(Ok(None)) => return Err(StoreError::Backend("the connection that listens has ended".into())),
                Ok(Err(error)) => return Err(meaning(error)),
                Err(_silence) => soon(sqlx::query("SELECT 1").execute(&mut self.0)).await.map(drop)?,
            }
        }
    }
}
