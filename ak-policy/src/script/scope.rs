//! The variables of expression policies.

use rhai::{Dynamic, Scope};

use super::context::ContextView;
use super::functions::Logger;
use super::people::User;
use super::request::RequestView;
use super::run::Run;

/// The name by which flows say that the person comes from a source.
const IS_SSO: &str = "is_sso";

/// Puts the variables of expression policies into a scope; their names are those of [`super::PolicyNames`].
pub(crate) fn fill_policy(run: &Run, scope: &mut Scope<'_>) {
    let request = &run.request;
    scope.push("request", RequestView);
    scope.push("user", User(request.person.clone()));
    scope.push("context", ContextView);
    scope.push_dynamic("http_request", request.http.clone().map_or(Dynamic::UNIT, Dynamic::from));
    scope.push_dynamic("ak_client_ip", request.client_ip.map_or(Dynamic::UNIT, Dynamic::from));
    scope.push("ak_is_sso_flow", request.context.get(IS_SSO).is_some_and(|is| is.as_bool() == Some(true)));
    scope.push("ak_logger", Logger);
}
