//! The last words of flows: the answer to an authorization request, and the page after signing out.

use ak_flows::stages::{ConsentMode, ConsentStage};
use ak_flows::{Answer as Given, Challenge, Cx, Effect, Finale, Stage, StageError, Step, World};
use ak_policy::{Application, Context, Denial, decide};
use ak_store::Keyring;
use ak_store::directory::Person;
use ak_store::model::{Ref, Span};
use ak_store::records::{Grant, GrantKind, NewTask};
use ak_store::tasks::MAX_ATTEMPTS;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::asked::Asked;
use super::authorize::{Answer, AuthorizeRequest, Prompt};
use super::backchannel::{self, LogoutArgs};
use super::claims::Identity;
use super::issue::{Client, CodeData, From};
use super::provider::{LogoutMethod, OAuth2Client};
use super::redirect_uri::RedirectUriType;
use super::scope;

/// The name of the finale that answers an authorization request.
pub const AUTHORIZE: &str = "oauth2.authorize";
/// The name of the finale that ends at the page for who has signed out of an application.
pub const SESSION_END: &str = "oauth2.session_end";

/// What an authorization flow is run for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Authorization {
    /// The request.
    pub request: AuthorizeRequest,
    /// The provider.
    pub provider: Ref<dyn OAuth2Client>,
    /// The scopes that are granted.
    pub scopes: Vec<String>,
    /// Where the browser has asked: `https://id.example`.
    pub base: String,
}

impl Authorization {
    /// The finale of the authorization flow. `permissions` are the scopes that the person is told of, with what she is told.
    pub fn finale(&self, client: &Client<'_>, permissions: &[(String, String)]) -> Finale {
        let mut context = Context::default();
        context.set(Context::APPLICATION, client.application_at.pk().uuid().to_string());
        context.set(Context::CONSENT_HEADER, format!("You're about to sign into {}.", client.application.name));
        let permissions: Vec<Value> = permissions.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
        context.set(Context::CONSENT_PERMISSIONS, permissions);
        if self.request.prompts.contains(&Prompt::Consent) {
            context.set(Context::CONSENT_REQUIRED, true);
        }
        Finale { stage: AUTHORIZE.into(), data: json!(self), context }
    }
}

/// Answers an authorization request, behind the stages of the authorization flow.
pub struct AuthorizeStage {
    keyring: Arc<Keyring>,
    install_id: String,
}

impl AuthorizeStage {
    /// The stage of an installation.
    pub fn new(keyring: Arc<Keyring>, install_id: &str) -> Self {
        Self { keyring, install_id: install_id.to_owned() }
    }

    /// Where the client wants the person to agree, and the flow has not asked her, she is asked here.
    fn consent(cx: &Cx<'_>) -> Option<ConsentStage> {
        let wanted = |name: &str| cx.context.get(name) == Some(&Value::Bool(true));
        let asks = wanted(Context::CONSENT_REQUIRED) && !wanted(Context::CONSENT_GIVEN);
        let name = "consent that the client asks for".to_owned();
        asks.then(|| ConsentStage { name, mode: ConsentMode::AlwaysRequire, consent_expire_in: Span::seconds(0) })
    }

    async fn answer(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let failed = |why: &str| StageError::Failed(why.to_owned());
        let data = cx.finale.map(|finale| finale.data.clone()).unwrap_or_default();
        let asked: Authorization = serde_json::from_value(data).map_err(|_| failed("the authorization cannot be read"))?;
        let world = cx.world;
        // There may have been a page on the way, and time to change what was decided before it.
        let client = Client::of(world.snapshot, asked.provider);
        let still = |client: &Client<'_>| {
            let uri = &asked.request.back.redirect_uri;
            client.provider.client_id == asked.request.client_id
                && client.provider.is_registered(uri, RedirectUriType::Authorization)
        };
        let Some(client) = client.filter(still) else {
            return Ok(Step::Deny(Some("The application has changed meanwhile. Please go back to it and try again.".into())));
        };
        // Who has signed in, not whom a stage has only identified.
        let login = cx.effects.iter().rev().find_map(|effect| match effect {
            Effect::Login(login) => Some(login.user),
            _ => None,
        });
        let user = login.or(world.person.map(|person| person.user.pk));
        let person = match user {
            Some(user) => world.directory.person(user).await?,
            None => None,
        };
        let Some(person) = person.filter(|person| person.user.is_active) else {
            return Ok(Step::Deny(Some("Nobody has signed in.".into())));
        };
        let from = From { ip: world.client.ip, base: asked.base.clone(), http: Some(world.http()) };
        let about = Asked::by(&asked.request, &asked.scopes);
        let about = about.of(world.snapshot, world.services, &person, &from, cx.context.clone());
        let decision = decide(client.application_at.pk(), &about).await;
        let told = decision.changes.effects.iter().cloned().map(|effect| Effect::Policy { user: Some(person.user.pk), effect });
        cx.effects.extend(told.filter(Effect::is_note));
        if !decision.passing {
            let message = decision.messages.first().cloned();
            let denial = Denial::of_application(&client.application.name, &about, decision);
            cx.effects.push(Effect::Denied(Box::new(denial)));
            return Ok(Step::Deny(message));
        }
        let code = world.rng.token(32);
        let (now, user) = (world.now, person.user.pk);
        let request = &asked.request;
        cx.effects.push(Effect::Grant(Box::new(Grant {
            pk: 0,
            kind: GrantKind::Code,
            key_hash: self.keyring.lookup_hash(&code),
            provider: asked.provider.pk().uuid(),
            user,
            session: None,
            family: world.rng.uuid(),
            scope: asked.scopes.join(" "),
            data: json!(CodeData {
                redirect_uri: request.back.redirect_uri.clone(),
                base: asked.base.clone(),
                nonce: request.nonce.clone(),
                challenge: request.challenge.clone(),
                claims: request.claims.clone(),
                ip: world.client.ip,
            }),
            since: now,
            created: now,
            expires: now + client.provider.access_code_validity.duration(),
            ended: None,
        })));
        let issuer = client.issuer(&asked.base);
        cx.effects.extend(self.told_at_end(&asked, &client, &person, world, &from).await);
        cx.effects.push(noted(&client, &asked.scopes, user));
        Ok(match request.back.answer(&[("code", &code)], &issuer) {
            Answer::Redirect(to) => Step::Leave(to),
            Answer::Form { url, fields } => Step::End(form(&url, &fields)),
        })
    }
}

impl AuthorizeStage {
    /// What the application hears when the session ends, if it wants to.
    async fn told_at_end(
        &self,
        asked: &Authorization,
        client: &Client<'_>,
        person: &Person,
        world: &World<'_>,
        from: &From,
    ) -> Option<Effect> {
        if client.provider.logout_uri.is_empty() || client.provider.logout_method != LogoutMethod::Backchannel {
            return None;
        }
        // It names her as her ID token is going to. Where that cannot be said there will be no such token, which the token endpoint
        // tells with an event; the session is told of all the same.
        let mappings = client.mappings(world.snapshot).unwrap_or_default();
        let about = from.request(world.snapshot, world.services, person);
        let told = scope::tell(asked.provider.pk(), &mappings, &asked.scopes, &about).await.ok();
        let identity = told.and_then(|told| Identity::of(client.provider, person, &self.install_id, &told.claims));
        let subject = identity.map(|identity| identity.subject).unwrap_or_default();
        let provider = Ref::new(asked.provider.pk());
        let issuer = client.issuer(&asked.base);
        let args = LogoutArgs { provider, issuer, subject, sid: String::new() };
        let task = NewTask {
            pk: world.rng.uuid(),
            name: backchannel::TASK.into(),
            args: json!(args),
            max_attempts: MAX_ATTEMPTS,
            run_at: world.now,
        };
        let subject = format!("{}:{}", backchannel::TASK, asked.provider.pk());
        Some(Effect::AtEnd { subject, task: Box::new(task) })
    }
}

/// The event that tells of an answer.
fn noted(client: &Client<'_>, scopes: &[String], user: i64) -> Effect {
    let (at, application) = (client.application_at.pk().value(), &client.application.name);
    let application = json!({ "app": "authentik_core", "model_name": "application", "pk": at, "name": application });
    Effect::event(
        "authorize_application",
        Some(user),
        json!({ "authorized_application": application, "scopes": scopes.join(" ") }),
    )
}

/// A form that the browser sends by itself.
pub fn form(url: &str, fields: &[(String, String)]) -> Challenge {
    let attrs: Map<String, Value> = fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    Challenge::new("ak-stage-autosubmit").with("url", url).with("attrs", attrs)
}

#[async_trait]
impl Stage for AuthorizeStage {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        match Self::consent(cx) {
            Some(consent) => consent.enter(cx).await,
            None => self.answer(cx).await,
        }
    }

    async fn respond(&self, cx: &mut Cx<'_>, answer: &Given) -> Result<Step, StageError> {
        match Self::consent(cx) {
            Some(consent) => match consent.respond(cx, answer).await? {
                Step::Pass => self.answer(cx).await,
                other => Ok(other),
            },
            None => self.answer(cx).await,
        }
    }
}

/// What the flow for signing out of an application is run for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedOut {
    /// The application.
    pub application: Ref<Application>,
    /// Where the browser is led, if somewhere else.
    pub to: Option<String>,
}

impl SignedOut {
    /// The finale of the invalidation flow.
    pub fn finale(&self) -> Finale {
        let mut context = Context::default();
        context.set(Context::APPLICATION, self.application.pk().uuid().to_string());
        Finale { stage: SESSION_END.into(), data: json!(self), context }
    }
}

/// Says that a person has signed out of an application, or leads her back to it.
pub struct SessionEndStage {
    install_id: String,
}

impl SessionEndStage {
    /// The stage of an installation.
    pub fn new(install_id: &str) -> Self {
        Self { install_id: install_id.to_owned() }
    }
}

#[async_trait]
impl Stage for SessionEndStage {
    async fn enter(&self, cx: &mut Cx<'_>) -> Result<Step, StageError> {
        let data = cx.finale.map(|finale| finale.data.clone()).unwrap_or_default();
        let ended: SignedOut =
            serde_json::from_value(data).map_err(|_| StageError::Failed("what was signed out of cannot be read".into()))?;
        if let Some(to) = ended.to {
            return Ok(Step::Leave(to));
        }
        let world = cx.world;
        let application = world.snapshot.get(ended.application);
        let launch = application.and_then(|a| a.launch_url(world.snapshot, world.person.map(|p| &p.user), &self.install_id));
        let signed_out = cx.effects.contains(&Effect::Logout) || world.person.is_none();
        let brand = world.brand();
        let invalidation = (!signed_out).then(|| "/flows/-/default/invalidation/".to_owned());
        let challenge = Challenge::new("ak-stage-session-end")
            .about(world.person.filter(|_| !signed_out), None)
            .with_some("application_name", application.map(|a| a.name.as_str()))
            .with_some("application_launch_url", launch)
            .with("brand_name", brand.map_or("", |b| &b.branding_title))
            .with_some("invalidation_flow_url", invalidation)
            .with("overview_url", "/");
        Ok(Step::End(challenge))
    }

    async fn respond(&self, cx: &mut Cx<'_>, _: &Given) -> Result<Step, StageError> {
        self.enter(cx).await
    }
}
