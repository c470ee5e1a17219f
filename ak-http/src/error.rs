//! From errors to answers: the one place where what went wrong becomes a status.
//!
//! An answer says what the client can do something about; what only the administrator can mend stands in the log, under the request's id.

use ak_flows::{RunError, StageError};
use ak_store::StoreError;
use ak_store::model::{Errors, WriteError};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An answer of the API that is not what was asked for.
#[derive(Debug)]
pub enum ApiError {
    /// The input is wrong, field by field.
    Invalid(Errors),
    /// The body is not JSON: why.
    Parse(String),
    /// Nobody has signed in.
    NotAuthenticated,
    /// The key of a token is not valid.
    BadToken,
    /// The token against forged requests is missing.
    Csrf,
    /// Who has signed in may not.
    Forbidden,
    /// There is no such thing: what.
    NotFound(String),
    /// The thing does not take this method.
    Method(String),
    /// Only JSON is taken.
    MediaType,
    /// The body is too large.
    TooLarge,
    /// Too much is going on.
    Busy,
    /// There is no room to keep anything.
    Full,
    /// The storage does not answer.
    Unavailable,
    /// Something is broken here.
    Internal,
}

impl ApiError {
    /// The status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) | Self::Parse(_) => StatusCode::BAD_REQUEST,
            Self::NotAuthenticated | Self::BadToken | Self::Csrf | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::Full | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn body(&self) -> Value {
        let (detail, code) = match self {
            Self::Invalid(errors) => return errors.value(),
            Self::Parse(why) => (format!("JSON parse error - {why}"), "parse_error"),
            Self::NotAuthenticated => ("Authentication credentials were not provided.".to_owned(), "not_authenticated"),
            Self::BadToken => ("Token invalid/expired".to_owned(), "authentication_failed"),
            Self::Csrf => ("CSRF Failed: CSRF token missing.".to_owned(), "permission_denied"),
            Self::Forbidden => ("You do not have permission to perform this action.".to_owned(), "permission_denied"),
            Self::NotFound(what) => (what.clone(), "not_found"),
            Self::Method(method) => (format!("Method \"{method}\" not allowed."), "method_not_allowed"),
            Self::MediaType => ("Unsupported media type in request.".to_owned(), "unsupported_media_type"),
            Self::TooLarge => ("The request is too large.".to_owned(), "too_large"),
            Self::Busy => ("The server is busy. Please try again in a moment.".to_owned(), "busy"),
            Self::Full => {
                ("The server's storage is full: nothing can be changed until there is room.".to_owned(), "storage_full")
            }
            Self::Unavailable => {
                ("The server's storage does not answer. Please try again in a moment.".to_owned(), "unavailable")
            }
            Self::Internal => ("An internal error occurred.".to_owned(), "error"),
        };
        json!({ "detail": detail, "code": code })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body())).into_response();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy(_) => {
                tracing::warn!(%error, "the storage is busy");
                Self::Busy
            }
            StoreError::Full(_) => {
                tracing::error!(%error, "nothing can be kept");
                Self::Full
            }
            StoreError::Taken(field) => Self::Invalid(Errors::field(field, "This field must be unique.", "unique")),
            StoreError::Invalid(message) => Self::Invalid(Errors::whole(message, "invalid")),
            StoreError::Missing(what) => Self::NotFound(format!("No {what} matches the given query.")),
            StoreError::Backend(_) => {
                tracing::error!(%error, "the storage failed");
                Self::Unavailable
            }
            StoreError::Corrupt(_) | StoreError::WrongSecretKey => {
                tracing::error!(%error, "stored data cannot be used");
                Self::Internal
            }
        }
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Invalid(errors) => Self::Invalid(errors),
            WriteError::Store(error) => error.into(),
        }
    }
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::NoFlow => Self::NotFound("No Flow matches the given query.".into()),
            RunError::Stage(StageError::Busy(_)) => Self::Busy,
            RunError::Stage(StageError::Store(error)) | RunError::Store(error) => error.into(),
            RunError::Stage(StageError::Failed(why)) => {
                tracing::error!(why, "a stage failed");
                Self::Internal
            }
        }
    }
}
