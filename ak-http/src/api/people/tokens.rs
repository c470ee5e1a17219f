//! `core/tokens/`: keys that stand for an account. Superusers see all of them, everybody else her own.

use ak_store::clock::parse_moment;
use ak_store::model::{Errors, Key, Span};
use ak_store::records::{Repository, Token, TokenFilter, TokenIntent, TokenOrder, User};
use async_trait::async_trait;
use chrono::{Duration, SecondsFormat};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::params::Params;
use super::records::Collection;
use super::users::{Include, shown as shown_users};
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;

/// Keys that stand for an account.
pub(super) struct Tokens;

/// The attribute by which a person's own keys need not end.
const EXPIRES: &str = "goauthentik.io/user/token-expires";
/// The attribute with the longest time that a person's own keys are good for.
const LIFETIME: &str = "goauthentik.io/user/token-maximum-lifetime";

/// Tokens as the contract shows them (`Token`), in the order given.
async fn shown(app: &App, repo: &mut dyn Repository, tokens: &[Token]) -> Result<Vec<Value>, ApiError> {
    let keys: Vec<i64> = tokens.iter().map(|token| token.user).collect();
    let users: Vec<User> = repo.users().lookup_many(&keys).await?.into_values().collect();
    let shown = shown_users(app, repo, &users, Include::ALL).await?;
    let user_obj = |pk: i64| users.iter().zip(&shown).find(|(user, _)| user.pk == pk).map(|(_, shown)| shown);
    let one = |token: &Token| {
        json!({
            "pk": token.pk,
            "managed": token.managed,
            "identifier": token.identifier,
            "intent": token.intent.as_str(),
            "user": token.user,
            "user_obj": user_obj(token.user),
            "description": token.description,
            "expires": token.expires,
            "expiring": token.expires.is_some(),
        })
    };
    Ok(tokens.iter().map(one).collect())
}

/// Whether the caller may have to do with a token.
pub(super) fn may_see(caller: &Caller, token: &Token) -> bool {
    caller.person.is_superuser() || token.user == caller.person.user.pk
}

fn field(name: &str) -> Option<TokenOrder> {
    Some(match name {
        "pk" | "token_uuid" => TokenOrder::Pk,
        "identifier" => TokenOrder::Identifier,
        "intent" => TokenOrder::Intent,
        "user" => TokenOrder::User,
        "description" => TokenOrder::Description,
        "expires" => TokenOrder::Expires,
        "managed" => TokenOrder::Managed,
        _ => return None,
    })
}

/// What a person may not say of her own keys: whose they are, that they are the product's, and that they last longer than she may.
fn confine(app: &App, caller: &Caller, old: Option<&Map<String, Value>>, input: &mut Map<String, Value>) -> Result<(), ApiError> {
    input.insert("user".into(), caller.person.user.pk.into());
    input.remove("managed");
    let attributes = caller.person.attributes();
    if attributes.get(EXPIRES).and_then(Value::as_bool) == Some(false) {
        return Ok(());
    }
    if old.is_none() || input.contains_key("expiring") {
        input.insert("expiring".into(), true.into());
    }
    let longest = attributes.get(LIFETIME).and_then(Value::as_str).and_then(|span| span.parse::<Span>().ok());
    let last = app.store().clock().now() + longest.map_or(Duration::days(1), |span| span.duration());
    let asked = input.get("expires").and_then(Value::as_str).and_then(parse_moment);
    if asked.is_some_and(|asked| asked > last) {
        let message = format!("Token expires exceeds maximum lifetime ({} UTC).", last.format("%Y-%m-%d %H:%M:%S"));
        return Err(ApiError::Invalid(Errors::field("expires", message, "invalid")));
    }
    // Who says nothing gets no more than she may ask for.
    let is_unsaid = input.get("expires").map_or(old.is_none(), Value::is_null);
    if is_unsaid {
        let ends = last.min(app.store().clock().now() + Duration::days(1));
        input.insert("expires".into(), ends.to_rfc3339_opts(SecondsFormat::Micros, true).into());
    }
    Ok(())
}

#[async_trait]
impl Collection for Tokens {
    const MODEL: &'static str = "authentik_core.token";
    const PATH: &'static str = "/core/tokens/";
    const NAME: &'static str = "Token";

    fn admit(caller: Caller) -> Result<Caller, ApiError> {
        Ok(caller)
    }

    async fn find(repo: &mut dyn Repository, caller: &Caller, name: &str) -> Result<Option<Value>, ApiError> {
        let token = repo.tokens().find_by_identifier(name).await?.filter(|token| may_see(caller, token));
        Ok(token.map(|token| token.pk.to_string().into()))
    }

    async fn list(app: &App, caller: &Caller, params: &mut Params) -> Result<(u64, Vec<Value>), ApiError> {
        let filter = TokenFilter {
            search: params.search(),
            user: (!caller.person.is_superuser()).then_some(caller.person.user.pk),
            username: params.text("user__username"),
            intent: params.choice("intent", TokenIntent::parse),
            identifier: params.text("identifier"),
            description: params.text("description"),
            expires: params.moment("expires"),
            expiring: params.flag("expiring"),
            managed: params.text("managed"),
            order: params.order(field, &[TokenOrder::Identifier]),
        };
        params.done()?;
        let mut repo = app.store().read().await?;
        let count = repo.tokens().count(&filter).await?;
        let tokens = repo.tokens().list(&filter, params.page(count)?).await?;
        Ok((count, shown(app, &mut *repo, &tokens).await?))
    }

    async fn show(app: &App, pk: &Value, _: &mut Params) -> Result<Option<Value>, ApiError> {
        let pk = pk.as_str().and_then(|text| Uuid::parse_str(text).ok()).unwrap_or_default();
        let mut repo = app.store().read().await?;
        let Some(token) = repo.tokens().lookup(pk).await? else { return Ok(None) };
        Ok(shown(app, &mut *repo, &[token]).await?.pop())
    }

    fn prepare(
        app: &App,
        caller: &Caller,
        old: Option<&Map<String, Value>>,
        input: &mut Map<String, Value>,
    ) -> Result<(), ApiError> {
        // The API has a place of its own for keys, which tells of them.
        input.remove("key");
        if !caller.person.is_superuser() {
            return confine(app, caller, old, input);
        }
        // Who says nothing means the present account, or herself.
        if !input.contains_key("user") {
            let user = old.and_then(|old| old.get("user").cloned()).unwrap_or_else(|| caller.person.user.pk.into());
            input.insert("user".into(), user);
        }
        Ok(())
    }

    fn label(document: &Map<String, Value>) -> String {
        document.get("identifier").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn key(_: &Value) -> Option<Key> {
        None
    }
}
