//! Whether a token that was given still says what a new one would.

use ak_store::directory::Person;
use ak_store::model::Snapshot;
use chrono::DateTime;
use serde_json::{Map, Value};

use super::{Client, Failure, From, Issuer};
use crate::oauth2::claims::{self, Content, Identity, Login};
use crate::oauth2::scope;

impl Issuer {
    /// Whether `claims`, those of an access token that the client was given for an account by its app password, are those that it would be
    /// given now. Nothing is given.
    pub(crate) async fn would_say(
        &self,
        snapshot: &Snapshot,
        client: &Client<'_>,
        person: &Person,
        claims: &Map<String, Value>,
        from: &From,
    ) -> Result<bool, Failure> {
        let moment = |name: &str| DateTime::from_timestamp(claims.get(name)?.as_i64()?, 0);
        let (Some(now), Some(expires), Some(uid)) = (moment("iat"), moment("exp"), claims.get("uid").and_then(Value::as_str))
        else {
            return Ok(false);
        };
        let provider = client.provider;
        let scopes = scope::granted(None, &scope::names(&client.mappings(snapshot)?));
        let scoped = self.claims(snapshot, client, person, &scopes, from).await?;
        let identity = Identity::of(provider, person, self.store.install_id(), &scoped);
        let (Some(identity), Ok(audience)) = (identity, claims::audience(&scoped)) else { return Ok(false) };
        let content = Content {
            issuer: &client.issuer(&from.base),
            subject: &identity.subject,
            client_id: &provider.client_id,
            now,
            expires,
            login: &Login::default(),
            nonce: None,
            scoped: &scoped,
        };
        let id_token = claims::id_token(&content, |_| provider.include_claims_in_id_token);
        Ok(*claims == claims::access_token(&id_token, audience.as_ref(), &provider.client_id, &scopes, uid))
    }
}
