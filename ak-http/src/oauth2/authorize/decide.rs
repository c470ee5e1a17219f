//! From who has signed in to the answer.

use ak_flows::{Input, Outcome, Page, Visit};
use ak_policy::{Context, Denial, decide};
use ak_providers::oauth2::asked::Asked;
use ak_providers::oauth2::authorize::{Hint, Next, SignedIn, next};
use ak_providers::oauth2::error::{Code, ProtocolError};
use ak_providers::oauth2::finish::Authorization;
use ak_providers::oauth2::issue::{Failure, From};
use ak_providers::oauth2::{claims, logout, scope};
use ak_store::directory::Person;
use ak_store::records::Session;
use axum::response::Response;
use serde_json::Value;

use super::{Asking, HERE, Halt};
use crate::flow_pages::{page_of, see_other};

/// Who has signed in, and in which session.
struct Present<'a> {
    visit: &'a Visit,
    person: &'a Person,
    session: &'a Session,
    signed_in: SignedIn,
}

impl Asking<'_> {
    /// Signing in, the authorization flow, or neither.
    pub(super) async fn decide(&self, visit: &Visit) -> Result<Response, Halt> {
        let hinted = self.hinted()?;
        let present = match self.present(visit) {
            Some(present) => Some(self.named(present, hinted.as_ref()).await?),
            None => None,
        };
        let now = self.app.store().clock().now();
        let signed_in = present.as_ref().map(|present| &present.signed_in);
        match (next(self.request, signed_in, hinted.as_ref(), self.asked(), now), present) {
            (Next::Refuse(error), _) => Err(error.into()),
            (Next::Authorize, Some(present)) => self.authorize(&present).await,
            (Next::SignIn | Next::Authorize, _) => self.sign_in(visit).await,
        }
    }

    fn present<'a>(&self, visit: &'a Visit) -> Option<Present<'a>> {
        let (person, session) = (visit.person.as_ref()?, visit.session.as_ref()?);
        let at = session.data.get("login_at").and_then(Value::as_str).and_then(|at| at.parse().ok());
        let subject = claims::subject(self.client.provider, person, self.app.store().install_id());
        let signed_in = SignedIn { subject, sid: hex::encode(session.id), at: at.unwrap_or(session.created) };
        Some(Present { visit, person, session, signed_in })
    }

    /// Names who has signed in as her ID token would, where it matters. Mappings have their say in that.
    async fn named<'a>(&self, mut present: Present<'a>, hinted: Option<&Hint>) -> Result<Present<'a>, Failure> {
        let hinted = hinted.is_some_and(|hint| !hint.is_of(&present.signed_in.sid));
        if hinted || self.request.requested_subject().is_some() {
            let scopes = scope::granted(self.request.scopes.as_deref(), &scope::names(&self.client.mappings(self.snapshot)?));
            let (from, issuer) = (self.from(), &self.app.issuer);
            let identity = Box::pin(issuer.identity(self.snapshot, self.client, present.person, &scopes, &from)).await?;
            present.signed_in.subject = identity.subject;
        }
        Ok(present)
    }

    /// Whether the client is content with how people sign in here. Mappings have their say in that too.
    async fn is_content(&self, present: &Present<'_>, scopes: &[String]) -> Result<bool, Failure> {
        // Where any class is good enough, it is not looked up.
        if self.request.is_content_with("") {
            return Ok(true);
        }
        let (from, issuer) = (self.from(), &self.app.issuer);
        let identity = Box::pin(issuer.identity(self.snapshot, self.client, present.person, scopes, &from)).await?;
        Ok(self.request.is_content_with(&identity.acr))
    }

    fn from(&self) -> From {
        self.app.client_from(self.origin, "GET", HERE)
    }

    /// Whom the client means by an ID token. One that this provider has not signed means nobody, and is a mistake.
    fn hinted(&self) -> Result<Option<Hint>, ProtocolError> {
        let Some(token) = &self.request.id_token_hint else { return Ok(None) };
        let signer = self.client.signer(self.snapshot).ok();
        let claims = logout::hinted(token, self.client.provider, signer.as_ref());
        let hint = claims.and_then(|claims| {
            let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
            Some(Hint { subject: text("sub")?, sid: text("sid") })
        });
        hint.map(Some).ok_or(ProtocolError::new(Code::InvalidRequest, "The id_token_hint was not issued to the client."))
    }

    /// The policies of the application, then the authorization flow, at whose end the answer is.
    async fn authorize(&self, present: &Present<'_>) -> Result<Response, Halt> {
        let mappings = self.client.mappings(self.snapshot)?;
        let scopes = scope::granted(self.request.scopes.as_deref(), &scope::names(&mappings));
        let about = Asked::by(self.request, &scopes);
        let about = about.of(self.snapshot, self.app.runner.services(), present.person, &self.from(), Context::default());
        let decision = decide(self.client.application_at.pk(), &about).await;
        self.app.runner.note_decisions(&about, [&decision]).await?;
        if !decision.passing && self.is_silent() {
            return Err(match decision.undecided {
                true => ProtocolError::new(Code::ServerError, "A policy of the application could not decide."),
                false => ProtocolError::new(Code::AccessDenied, "The person may not open the application."),
            }
            .into());
        }
        if !decision.passing {
            // The page has what the policies say to her, and the reference that leads to why.
            let denial = Denial::of_application(&self.client.application.name, &about, decision);
            return Ok(self.app.denied_page(self.origin, &denial).await);
        }
        if !self.is_content(present, &scopes).await? {
            let told = "The person cannot sign in here in any of the ways that the client demands.";
            return Err(ProtocolError::new(Code::UnmetAuthenticationRequirements, told).into());
        }
        let told = mappings.iter().filter(|(_, m)| scopes.contains(&m.scope_name) && !m.description.is_empty());
        let permissions: Vec<(String, String)> = told.map(|(_, m)| (m.scope_name.clone(), m.description.clone())).collect();
        let base = self.app.base(self.origin);
        let asked = Authorization { request: self.request.clone(), provider: self.client.at, scopes, base };
        let flow = self.snapshot.get(self.client.provider.base.authorization_flow);
        let flow = flow.ok_or_else(|| Halt::Broken("the authorization flow cannot be read".into()))?;
        let finale = asked.finale(self.client, &permissions);
        let outcome = self.app.runner.run_with(present.visit, &flow.slug, Input::default(), finale).await;
        let outcome = outcome.map_err(|error| Halt::Flow(flow.slug.clone(), error))?;
        self.outcome(present, &flow.slug, &outcome).await
    }

    async fn outcome(&self, present: &Present<'_>, slug: &str, outcome: &Outcome) -> Result<Response, Halt> {
        if self.is_silent()
            && let Some(code) = self.unanswered(&outcome.page)
        {
            let ended = matches!(outcome.page, Page::Challenge(_, true));
            self.give_up(present, outcome, ended).await?;
            let refused = self.halted(ProtocolError::new(code, "The person would have to be asked.").into());
            return self.with_cookie(refused, outcome);
        }
        let response = match &outcome.page {
            Page::Challenge(_, false) => see_other(&format!("/if/flow/{slug}/")),
            _ => page_of(self.app, self.origin, slug, present.visit, outcome),
        };
        self.with_cookie(response, outcome)
    }

    /// What a silent request is told where a flow has come to something else than the answer.
    fn unanswered(&self, page: &Page) -> Option<Code> {
        match page {
            Page::Redirect(to) => (!self.request.back.is_answer(to)).then_some(Code::InteractionRequired),
            Page::Challenge(challenge, _) => match challenge.component.as_str() {
                "ak-stage-autosubmit" => None,
                "ak-stage-consent" => Some(Code::ConsentRequired),
                "ak-stage-access-denied" => Some(Code::AccessDenied),
                _ => Some(Code::InteractionRequired),
            },
        }
    }

    /// What a silent request has begun is not gone on with.
    async fn give_up(&self, present: &Present<'_>, outcome: &Outcome, ended: bool) -> ak_store::Result<()> {
        if ended || outcome.session != Some(present.session.id) {
            return Ok(());
        }
        self.app.runner.give_back(present.session, outcome.turn).await
    }

    pub(super) fn with_cookie(&self, mut response: Response, outcome: &Outcome) -> Result<Response, Halt> {
        self.app.set_cookie(&mut response, self.origin, &outcome.cookie)?;
        Ok(response)
    }
}
