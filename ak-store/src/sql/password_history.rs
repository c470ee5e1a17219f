//! The passwords that accounts had, in SQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::query::{Query, statements};
use super::tx::Tx;
use crate::error::Result;
use crate::records::{CLEAN_BATCH, PasswordHistories};

statements! {
    LAST = "SELECT * FROM password_history WHERE user_pk = $1 ORDER BY pk DESC LIMIT $2";
    ADD = "INSERT INTO password_history (user_pk, hash, created) VALUES ($1, $2, $3)";
    TRIM = "DELETE FROM password_history WHERE user_pk = $1 AND pk NOT IN
        (SELECT pk FROM password_history WHERE user_pk = $1 ORDER BY pk DESC LIMIT $2)";
    OVER = "SELECT user_pk FROM password_history GROUP BY user_pk HAVING count(*) > $1 ORDER BY user_pk LIMIT $2";
}

#[async_trait]
impl PasswordHistories for Tx {
    async fn last(&mut self, user: i64, limit: u32) -> Result<Vec<String>> {
        self.all(Query::new(LAST).bind(user).bind(i64::from(limit)), |row| row.text("hash")).await
    }

    async fn add(&mut self, user: i64, hash: &str, now: DateTime<Utc>) -> Result<()> {
        self.write(Query::new(ADD).bind(user).bind(hash).bind(now)).await?;
        Ok(())
    }

    async fn trim(&mut self, user: i64, kept: u32) -> Result<u64> {
        self.write(Query::new(TRIM).bind(user).bind(i64::from(kept))).await
    }

    async fn over(&mut self, kept: u32) -> Result<Vec<i64>> {
        self.all(Query::new(OVER).bind(i64::from(kept)).bind(CLEAN_BATCH), |row| row.int("user_pk")).await
    }
}
