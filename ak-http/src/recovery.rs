//! Signing in by a recovery key: `/recovery/use-token/<key>/`.

use ak_flows::Login;
use ak_store::records::{Durability, Token, TokenIntent};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::app::App;
use crate::client::Origin;
use crate::extract::Segment;
use crate::flow_pages::{parameter, see_other};
use crate::interfaces::{PageError, page_error};
use crate::pages::{ErrorView, RecoveryView, headers};
use crate::view::{Look, html};

/// The key in the path, or as `?token=`.
fn key_of(path: Option<Segment>, query: Option<String>) -> String {
    path.map(|Segment(key)| key).or_else(|| parameter(&query.unwrap_or_default(), "token")).unwrap_or_default()
}

/// `GET`: a page with a button. Looking at it (as mail scanners do) spends nothing.
pub(crate) async fn show(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    path: Option<Segment>,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let key = key_of(path, query);
    let Some((token, name)) = app.recovery_token(&key).await.map_err(page_error(&app, &origin))? else {
        return Ok(app.no_recovery(&origin));
    };
    let left = token.expires.map_or(0, |at| (at - app.store().clock().now()).num_seconds().max(0));
    let recovery = RecoveryView {
        name: &name,
        action: &format!("/recovery/use-token/{key}/"),
        csrf: &app.seal.token(&["recovery", &key], None),
        minutes_left: u64::try_from(left).unwrap_or(0).div_ceil(60),
    };
    let look = Look::of(&app, &origin);
    Ok(html(StatusCode::OK, headers::PAGE_CSP, app.renderer.recovery_page(&look.page(), &recovery)))
}

/// `POST`: spends the key and signs in, without flows and policies: it is the way back in when those are broken.
pub(crate) async fn spend(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    path: Option<Segment>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, PageError> {
    let key = key_of(path, query);
    let body = body.map_err(page_error(&app, &origin))?;
    let csrf = parameter(std::str::from_utf8(&body).unwrap_or_default(), "csrf").unwrap_or_default();
    if origin.is_cross_site(&headers) || !app.seal.is_token(&csrf, &["recovery", &key], None) {
        return Ok(see_other(&format!("/recovery/use-token/{}/", safe(&key))));
    }
    let visit = app.visit(&headers, &origin).await.map_err(page_error(&app, &origin))?;
    let hash = app.store().keyring().lookup_hash(&key);
    let now = app.store().clock().now();
    let mut repo = app.store().backend().begin(Durability::Full).await.map_err(page_error(&app, &origin))?;
    let spent = repo.tokens().spend(&hash, TokenIntent::Recovery, now).await.map_err(page_error(&app, &origin))?;
    let Some(token) = spent else { return Ok(app.no_recovery(&origin)) };
    let login = Login { user: token.user, method: "recovery".into(), proof: None, duration: None, terminate_others: false };
    let change = app.runner.sign_in(&mut *repo, &visit, &login).await.map_err(page_error(&app, &origin))?;
    repo.save().await.map_err(page_error(&app, &origin))?;
    tracing::info!(request_id = origin.request_id, user = token.user, "signed in by a recovery key");
    let mut response = see_other("/if/user/");
    app.set_cookie(&mut response, &origin, &change).map_err(page_error(&app, &origin))?;
    Ok(response)
}

fn safe(key: &str) -> String {
    key.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

impl App {
    /// The recovery token with this key, and the name of its account.
    async fn recovery_token(&self, key: &str) -> ak_store::Result<Option<(Token, String)>> {
        if key.is_empty() || safe(key) != key || key.len() > 256 {
            return Ok(None);
        }
        let hash = self.store().keyring().lookup_hash(key);
        let mut repo = self.store().read().await?;
        let token = repo.tokens().find_by_hash(&hash, self.store().clock().now()).await?;
        let Some(token) = token.filter(|t| t.intent == TokenIntent::Recovery) else { return Ok(None) };
        let user = repo.users().lookup(token.user).await?.filter(|u| u.is_active);
        Ok(user.map(|u| (token, if u.name.is_empty() { u.username } else { u.name })))
    }

    fn no_recovery(&self, origin: &Origin) -> Response {
        let message = "This link has been used already, has expired, or never was one. Ask your administrator for a new one.";
        let error = ErrorView { status: 404, heading: "This link is not valid", message, retry_url: "", home_url: "/" };
        self.error_page(&Look::of(self, origin), &error)
    }
}
