//! Signing in on the way, and coming back to the request.

use ak_flows::{Designation, Input, Page, Visit};
use ak_policy::Context;
use ak_providers::oauth2::error::{Code, ProtocolError};
use axum::response::Response;
use chrono::{DateTime, Duration, Utc};

use super::{Asking, HERE, Halt, MAX_QUERY};
use crate::flow_pages::{page_of, see_other};
use crate::view::Look;

/// The parameter of our own that says since when a request has been waiting for a sign-in.
const ASKED: &str = "ak_asked";
/// For how long that counts.
const PATIENCE: Duration = Duration::hours(1);

impl Asking<'_> {
    /// Since when this very request has been waiting for a sign-in, as we have said ourselves.
    pub(super) fn asked(&self) -> Option<DateTime<Utc>> {
        let (micros, tag) = self.params.get(ASKED)?.split_once('.')?;
        if !self.app.seal.is_token(tag, &[ASKED, &self.request.client_id, micros], None) {
            return None;
        }
        let asked = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        let now = self.app.store().clock().now();
        (asked <= now && now - asked <= PATIENCE).then_some(asked)
    }

    /// The way to sign in, and back to this request.
    pub(super) async fn sign_in(&self, visit: &Visit) -> Result<Response, Halt> {
        let micros = self.app.store().clock().now().timestamp_micros().to_string();
        let tag = self.app.seal.token(&[ASKED, &self.request.client_id, &micros], None);
        let back = self.params.without(ASKED).with(ASKED, &format!("{micros}.{tag}")).encode();
        if back.len() > MAX_QUERY {
            let told = "The request is too long to be come back to after signing in.";
            return Err(ProtocolError::new(Code::InvalidRequest, told).into());
        }
        let next = format!("{HERE}?{back}");
        let own = self.client.provider.base.authentication_flow.and_then(|to| self.snapshot.get(to));
        if visit.person.is_some() {
            return self.sign_in_again(own.map(|flow| flow.slug.clone()), &next, visit).await;
        }
        let mut query = vec![("next", next.as_str())];
        query.extend(self.request.login_hint.as_deref().map(|hint| ("login_hint", hint)));
        let query = serde_urlencoded::to_string(query).unwrap_or_default();
        Ok(match own {
            Some(flow) => see_other(&format!("/if/flow/{}/?{query}", flow.slug)),
            None => see_other(&format!("/flows/-/default/authentication/?{query}")),
        })
    }

    /// Who has signed in does so once more. The flow is begun for her; that she has signed in already would otherwise end it.
    async fn sign_in_again(&self, own: Option<String>, next: &str, visit: &Visit) -> Result<Response, Halt> {
        let found = match own {
            Some(slug) => Some(slug),
            None => self.app.default_flow(visit, self.origin, Designation::Authentication).await?,
        };
        let Some(slug) = found else { return Ok(self.app.not_found_page(&Look::of(self.app, self.origin))) };
        let user = visit.person.as_ref().map(|person| &person.user);
        let login_hint = self.request.login_hint.clone().or(user.map(|user| user.username.clone()));
        let input = Input { next: Some(next.to_owned()), login_hint, ..Input::default() };
        let context = Context { pending_user: user.map(|user| user.pk), anew: true, ..Context::default() };
        let outcome = self.app.runner.run_with(visit, &slug, input, context).await;
        let outcome = outcome.map_err(|error| Halt::Flow(slug.clone(), error))?;
        let response = match &outcome.page {
            Page::Challenge(_, false) => see_other(&format!("/if/flow/{slug}/")),
            _ => page_of(self.app, self.origin, &slug, visit, &outcome),
        };
        self.with_cookie(response, &outcome)
    }
}
