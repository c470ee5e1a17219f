//! Sessions over HTTP: who comes with which cookie, and what the cookie becomes.

use ak_flows::{Client, CookieChange, Visit, session_id};
use ak_store::model::user_uid;
use ak_store::records::{Durability, Session};
use ak_store::{Result, StoreError};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use chrono::Duration;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::client::Origin;

/// Name of the session cookie.
pub const COOKIE: &str = "authentik_session";
/// Name of its companion on https: the prefix keeps other hosts of the domain from setting it (RFC 6265bis, section 4.1.3.2).
const COMPANION: &str = "__Host-authentik_session";
/// Name of the cookie from which scripts take the token for API calls.
pub const CSRF_COOKIE: &str = "authentik_csrf";

impl App {
    /// Who comes with this request. A session that is over, or whose account is not active any more, is none.
    pub async fn visit(&self, headers: &HeaderMap, origin: &Origin) -> Result<Visit> {
        let client = Client {
            ip: origin.ip,
            at_machine: origin.at_machine,
            user_agent: origin.user_agent.clone(),
            host: origin.host_name().to_owned(),
        };
        let mut visit = Visit { client, request_id: origin.request_id.clone(), ..Visit::default() };
        let now = self.store().clock().now();
        for key in self.session_keys(headers, origin) {
            let found = self.store().look().await?.sessions().lookup(&session_id(&key), now).await?;
            let Some(session) = found else { continue };
            if let Some(pk) = session.user {
                match self.runner.directory().person(pk).await? {
                    Some(person) if person.user.is_active => visit.person = Some(person),
                    _ => continue,
                }
            }
            if !self.touch(&session, &visit.client).await? {
                visit.person = None;
                continue;
            }
            visit.session = Some(session);
            break;
        }
        Ok(visit)
    }

    /// The keys in cookies that count: signed here, and on https without a cookie domain the one that the companion vouches for.
    fn session_keys(&self, headers: &HeaderMap, origin: &Origin) -> Vec<String> {
        let companion = cookies(headers, COMPANION).into_iter().next();
        let guarded = origin.is_https() && self.options.cookie_domain.is_none();
        let fits = |key: &String| !guarded || companion.as_deref() == Some(companion_of(key).as_str());
        // A browser sends few; more are an attempt to keep us busy. Others of the domain may set some, so those that count are sought
        // among all of them.
        let all = cookies(headers, COOKIE).into_iter().take(64);
        all.filter_map(|value| self.seal.open_session(&value)).filter(fits).take(4).collect()
    }

    /// Notes the use of a session, about once a minute. False: it has ended just now.
    async fn touch(&self, session: &Session, client: &Client) -> Result<bool> {
        let now = self.store().clock().now();
        let moved = session.last_ip != client.ip || session.last_user_agent != client.user_agent;
        // Reading must not become writing at a stranger's will.
        let often = if moved { Duration::seconds(10) } else { Duration::minutes(1) };
        if session.user.is_none() || now - session.last_used < often {
            return Ok(true);
        }
        match self.note_use(&session.id, client).await {
            Ok(()) => Ok(true),
            Err(StoreError::Missing(_)) => Ok(false),
            // Who only reads need not be told that nothing can be written now.
            Err(error @ (StoreError::Busy(_) | StoreError::Full(_) | StoreError::Backend(_))) => {
                tracing::debug!(%error, "the use of a session is not noted");
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    async fn note_use(&self, session: &[u8; 32], client: &Client) -> Result<()> {
        let now = self.store().clock().now();
        let mut repo = self.store().backend().begin(Durability::Relaxed).await?;
        repo.sessions().touch(session, now, client.ip, &client.user_agent).await?;
        repo.save().await
    }

    /// Puts a change of the session's cookie into a response.
    pub(crate) fn set_cookie(&self, response: &mut Response, origin: &Origin, change: &CookieChange) -> Result<()> {
        let (value, companion, csrf, age) = match change {
            CookieChange::Keep => return Ok(()),
            CookieChange::Clear => (String::new(), String::new(), String::new(), Some(Duration::zero())),
            CookieChange::Set { key, user, max_age } => {
                let uid = user.map(|pk| user_uid(pk, self.store().install_id()));
                let value = self.seal.session(key, uid.as_deref());
                let value = value.ok_or_else(|| StoreError::Backend("a session cookie cannot be signed".into()))?;
                (value, companion_of(key), self.csrf_token(&session_id(key)), *max_age)
            }
        };
        let age = age.map(|age| format!("; Max-Age={}", age.num_seconds().max(0))).unwrap_or_default();
        let secure = if origin.is_https() { "; Secure" } else { "" };
        let domain = self.options.cookie_domain.as_ref().map(|d| format!("; Domain={d}")).unwrap_or_default();
        let mut add = |cookie: String| {
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        };
        add(format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{domain}{age}"));
        add(format!("{CSRF_COOKIE}={csrf}; Path=/; SameSite=Lax{secure}{domain}{age}"));
        if origin.is_https() && self.options.cookie_domain.is_none() {
            add(format!("{COMPANION}={companion}; Path=/; HttpOnly; SameSite=Lax; Secure{age}"));
        }
        Ok(())
    }

    /// The token that API calls with a cookie must bring.
    pub(crate) fn csrf_token(&self, session: &[u8; 32]) -> String {
        self.seal.token(&["api"], Some(session))
    }

    /// Whether a request brings the token for its session.
    pub(crate) fn has_csrf_token(&self, headers: &HeaderMap, session: &[u8; 32]) -> bool {
        let token = headers.get("x-authentik-csrf").and_then(|v| v.to_str().ok());
        token.is_some_and(|token| self.seal.is_token(token, &["api"], Some(session)))
    }
}

/// It shows that the host itself set the session, and reveals nothing of its key.
fn companion_of(key: &str) -> String {
    hex::encode(Sha256::digest(format!("companion:{key}")))
}

/// The values of the cookies with this name, in the order in which the browser sent them. Bytes that are no text spoil only the
/// cookie that they stand in.
pub(crate) fn cookies(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).into_iter().map(|v| String::from_utf8_lossy(v.as_bytes()));
    let value = |pair: &str| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then(|| value.trim_matches('"').to_owned())
    };
    lines.flat_map(|line| line.split(';').filter_map(value).collect::<Vec<_>>()).collect()
}
