//! What the policies of an application see of what a client asks for.

use std::sync::Arc;

use ak_policy::{Context, Request, Services};
use ak_store::directory::Person;
use ak_store::model::Snapshot;
use serde_json::{Value, json};

use super::authorize::AuthorizeRequest;
use super::issue::From;
use super::pkce::Challenge;
use super::provider::GrantType;

/// What a client asks for. Policies find it in their context, under the names that they have in authentik.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The client.
    pub client_id: &'a str,
    /// By what it asks for tokens.
    pub grant: GrantType,
    /// The scopes that it would get.
    pub scopes: &'a [String],
    /// What its authorization request says besides, where there is one.
    pub way: Option<Way<'a>>,
}

/// The rest of an authorization request.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// Where the answer goes.
    pub redirect_uri: &'a str,
    /// How long ago the person may have signed in, in seconds.
    pub max_age: Option<i64>,
    /// What will be proven when the code is redeemed.
    pub challenge: Option<&'a Challenge>,
}

impl<'a> Asked<'a> {
    /// An authorization request, for these scopes.
    pub fn by(request: &'a AuthorizeRequest, scopes: &'a [String]) -> Self {
        let way =
            Way { redirect_uri: &request.back.redirect_uri, max_age: request.max_age, challenge: request.challenge.as_ref() };
        Self { client_id: &request.client_id, grant: GrantType::AuthorizationCode, scopes, way: Some(way) }
    }

    /// What policies are asked about a person, at a request that comes from there. `context` is what a flow has gathered.
    pub fn of(
        &self,
        snapshot: &Snapshot,
        services: &Arc<Services>,
        person: &Person,
        from: &From,
        mut context: Context,
    ) -> Request {
        context.set("oauth_client_id", self.client_id);
        context.set("oauth_grant_type", self.grant.as_str());
        context.set("oauth_scopes", json!(self.scopes));
        if let Some(Way { redirect_uri, max_age, challenge }) = self.way {
            context.set("oauth_redirect_uri", redirect_uri);
            context.set("oauth_response_type", "code");
            context.set("oauth_max_age", json!(max_age));
            context.set("oauth_code_challenge", json!(challenge.map(|challenge| &challenge.value)));
            context.set("oauth_code_challenge_method", challenge.map_or(Value::Null, |challenge| json!(challenge.method)));
        }
        Request { context, ..from.request(snapshot, services, person) }
    }
}
