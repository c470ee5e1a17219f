//! Keys that stand for an account, in memory.

use std::cmp::Ordering;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::state::{Hash, State};
use super::{Tx, absent_last, page, sort, total};
use crate::error::{Result, StoreError};
use crate::records::rules::{fold, kept, plain, words};
use crate::records::{CLEAN_BATCH, Page, Token, TokenFilter, TokenIntent, TokenOrder, Tokens};

fn valid(token: &Token, now: DateTime<Utc>) -> bool {
    token.expires.is_none_or(|end| end > now)
}

fn compare(a: &Token, b: &Token, by: TokenOrder) -> Ordering {
    match by {
        TokenOrder::Pk => a.pk.cmp(&b.pk),
        TokenOrder::Identifier => a.identifier.cmp(&b.identifier),
        TokenOrder::Intent => a.intent.as_str().cmp(b.intent.as_str()),
        TokenOrder::User => a.user.cmp(&b.user),
        TokenOrder::Description => a.description.cmp(&b.description),
        TokenOrder::Expires => absent_last(&a.expires, &b.expires),
        TokenOrder::Managed => absent_last(&a.managed, &b.managed),
    }
}

impl State {
    fn filtered_tokens<'a>(&'a self, filter: &'a TokenFilter) -> impl Iterator<Item = &'a Arc<Token>> {
        let words = words(filter.search.as_deref());
        let by_name = self.token_names.values().filter_map(|pk| self.tokens.get(pk));
        by_name.filter(move |token| {
            let username = || self.users.get(&token.user).map_or("", |user| user.username.as_str());
            let texts = || [token.identifier.as_str(), token.intent.as_str(), &token.description, username()];
            words.iter().all(|part| texts().into_iter().any(|text| fold(text).contains(part)))
                && filter.user.is_none_or(|user| token.user == user)
                && filter.username.as_deref().is_none_or(|name| username() == name)
                && filter.intent.is_none_or(|intent| token.intent == intent)
                && filter.identifier.as_deref().is_none_or(|name| token.identifier == name)
                && filter.description.as_deref().is_none_or(|text| token.description == text)
                && filter.expires.is_none_or(|end| token.expires == Some(kept(end)))
                && filter.expiring.is_none_or(|expiring| token.expires.is_some() == expiring)
                && filter.managed.as_deref().is_none_or(|name| token.managed.as_deref() == Some(name))
        })
    }

    fn by_hash(&self, hash: &Hash) -> Option<&Arc<Token>> {
        self.token_hashes.get(hash).and_then(|pk| self.tokens.get(pk))
    }

    /// Puts a token in its place, new or changed.
    fn put_token(&mut self, token: &Token) -> Result<()> {
        plain([token.identifier.as_str(), &token.description])?;
        if self.token_names.get(&token.identifier).is_some_and(|other| *other != token.pk) {
            return Err(StoreError::Taken("identifier"));
        }
        if self.token_hashes.get(&token.key_hash).is_some_and(|other| *other != token.pk) {
            return Err(StoreError::Taken("key"));
        }
        if !self.users.contains_key(&token.user) {
            return Err(StoreError::Missing("user"));
        }
        self.remove_token(token.pk);
        let token = Token { expires: token.expires.map(kept), created: kept(token.created), ..token.clone() };
        self.token_names.insert(token.identifier.clone(), token.pk);
        self.token_hashes.insert(token.key_hash, token.pk);
        self.tokens.insert(token.pk, Arc::new(token));
        Ok(())
    }

    /// Removes a token; whether it was there.
    pub(super) fn remove_token(&mut self, pk: Uuid) -> bool {
        let Some(token) = self.tokens.remove(&pk) else { return false };
        self.token_names.remove(&token.identifier);
        self.token_hashes.remove(&token.key_hash);
        true
    }
}

#[async_trait]
impl Tokens for Tx {
    async fn lookup(&mut self, pk: Uuid) -> Result<Option<Token>> {
        Ok(self.state.tokens.get(&pk).map(|token| Token::clone(token)))
    }

    async fn find_by_hash(&mut self, key_hash: &Hash, now: DateTime<Utc>) -> Result<Option<Token>> {
        Ok(self.state.by_hash(key_hash).filter(|token| valid(token, now)).map(|token| Token::clone(token)))
    }

    async fn find_by_identifier(&mut self, identifier: &str) -> Result<Option<Token>> {
        let pk = self.state.token_names.get(identifier);
        Ok(pk.and_then(|pk| self.state.tokens.get(pk)).map(|token| Token::clone(token)))
    }

    async fn list(&mut self, filter: &TokenFilter, part: Page) -> Result<Vec<Token>> {
        let mut found: Vec<&Arc<Token>> = self.state.filtered_tokens(filter).collect();
        sort(&mut found, &filter.order, compare);
        Ok(page(found.into_iter().map(|token| Token::clone(token)), part))
    }

    async fn count(&mut self, filter: &TokenFilter) -> Result<u64> {
        Ok(total(self.state.filtered_tokens(filter)))
    }

    async fn add(&mut self, token: &Token) -> Result<()> {
        self.write(|state| {
            if state.tokens.contains_key(&token.pk) {
                return Err(StoreError::Taken("pk"));
            }
            state.put_token(token)
        })
    }

    async fn update(&mut self, token: &Token) -> Result<()> {
        self.write(|state| {
            if !state.tokens.contains_key(&token.pk) {
                return Err(StoreError::Missing("token"));
            }
            state.put_token(token)
        })
    }

    async fn spend(&mut self, key_hash: &Hash, intent: TokenIntent, now: DateTime<Utc>) -> Result<Option<Token>> {
        self.write(|state| {
            let found = state.by_hash(key_hash).filter(|token| token.intent == intent && valid(token, now)).cloned();
            if let Some(token) = &found {
                state.remove_token(token.pk);
            }
            Ok(found.map(Arc::unwrap_or_clone))
        })
    }

    async fn delete(&mut self, pk: Uuid) -> Result<bool> {
        self.write(|state| Ok(state.remove_token(pk)))
    }

    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64> {
        self.write(|state| {
            let ended: Vec<Uuid> = state
                .tokens
                .values()
                .filter(|token| !valid(token, now))
                .map(|token| token.pk)
                .take(CLEAN_BATCH as usize)
                .collect();
            Ok(total(ended.into_iter().filter(|pk| state.remove_token(*pk))))
        })
    }
}
