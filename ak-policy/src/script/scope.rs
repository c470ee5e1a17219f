//! The variables of expression policies.

use rhai::{Dynamic, Scope};

use super::context::ContextView;
use super::functions::{Logger, Requests};
use super::people::User;
use super::request::RequestView;
use super::run::Run;

/// The name by which flows say that the person comes from a source.
const IS_SSO: &str = "is_sso";

/// Puts the variables of expression policies into a scope; their names are those of [`super::PolicyNames`].
pub(crate) fn fill_policy(run: &Run, scope: &mut Scope<'_>) {
    let mut put = |name: &'static str, value: &dyn Fn() -> Dynamic| {
        // What a script does not use it does not depend on either.
        if run.uses(name) {
            scope.push_dynamic(name, value());
        }
    };
    put("request", &|| Dynamic::from(RequestView));
    put("user", &|| Dynamic::from(User(run.person().cloned())));
    put("context", &|| Dynamic::from(ContextView));
    put("http_request", &|| run.request().http.clone().map_or(Dynamic::UNIT, Dynamic::from));
    put("ak_client_ip", &|| run.request().client_ip.map_or(Dynamic::UNIT, Dynamic::from));
    put("ak_is_sso_flow", &|| run.with_context(|c| c.get(IS_SSO).is_some_and(|is| is.as_bool() == Some(true))).into());
    put("requests", &|| Dynamic::from(Requests));
    put("ak_logger", &|| Dynamic::from(Logger));
}
