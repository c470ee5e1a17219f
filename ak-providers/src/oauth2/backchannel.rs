//! Telling applications that a person has signed out (OpenID Connect Back-Channel Logout): a task for each, tried again until it is
//! heard.

use std::sync::Arc;
use std::time::Duration;

use ak_policy::outbound::{Call, Outbound, OutboundError, Trust};
use ak_store::model::{Ref, Store};
use ak_store::records::Task;
use ak_store::tasks::{TaskError, TaskHandler};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

use super::jwt::Signer;
use super::logout::{LOGOUT_TOKEN, logout_token};
use super::provider::OAuth2Provider;

/// The name of the task that tells one application.
pub const TASK: &str = "oauth2_backchannel_logout";

/// What the task is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogoutArgs {
    /// The application's provider.
    pub provider: Ref<OAuth2Provider>,
    /// Who issued the tokens.
    pub issuer: String,
    /// Who has signed out; empty where nothing names her to the application.
    pub subject: String,
    /// Of which session.
    #[serde(default)]
    pub sid: String,
}

/// How long an application may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of what it answers is read, in bytes.
const ANSWER: usize = 64 * 1024;

/// Tells applications that people have signed out.
pub struct BackchannelLogout {
    store: Arc<Store>,
    outbound: Arc<dyn Outbound>,
}

impl BackchannelLogout {
    /// Tells the applications of a store.
    pub fn new(store: Arc<Store>, outbound: Arc<dyn Outbound>) -> Self {
        Self { store, outbound }
    }

    /// The request to an application (section 2.5). `None`: it does not want to be told any more, or is gone.
    fn call(&self, args: &LogoutArgs) -> Result<Option<Call>, TaskError> {
        let snapshot = self.store.snapshot();
        let Some(provider) = snapshot.get(args.provider).filter(|provider| !provider.logout_uri.is_empty()) else {
            return Ok(None);
        };
        let url = Url::parse(&provider.logout_uri).map_err(|_| TaskError::Fatal("the logout URI is no address".into()))?;
        // A key that is missing now may be there again later.
        let broken = |why: super::jwt::CannotSign| TaskError::Retry(why.to_string());
        let signer = Signer::of(provider, &snapshot).map_err(broken)?;
        let jti = self.store.rng().token(24);
        let now = self.store.clock().now();
        let claims = logout_token(&args.issuer, &provider.client_id, &args.subject, &args.sid, &jti, now);
        let token = signer.sign(LOGOUT_TOKEN, &claims).map_err(broken)?;
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
        let call = Call {
            method: "POST".into(),
            body: body.into_bytes(),
            time: PATIENCE,
            size: ANSWER,
            ..Call::get(url, Trust::Configured)
        };
        Ok(Some(call.header("content-type", "application/x-www-form-urlencoded")))
    }
}

#[async_trait]
impl TaskHandler for BackchannelLogout {
    async fn run(&self, task: &Task) -> Result<(), TaskError> {
        let args = serde_json::from_value(task.args.clone());
        let args: LogoutArgs = args.map_err(|_| TaskError::Fatal("what the task is given cannot be read".into()))?;
        let Some(call) = self.call(&args)? else { return Ok(()) };
        match self.outbound.call(call).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            // It has understood, and refuses (section 2.8): it would again.
            Ok(answer) if answer.status == 400 => Err(TaskError::Fatal("the application refuses the logout token".into())),
            Ok(answer) => Err(TaskError::Retry(format!("the application answers {}", answer.status))),
            Err(OutboundError::Refused(why)) => Err(TaskError::Fatal(why)),
            Err(error) => Err(TaskError::Retry(error.to_string())),
        }
    }
}
