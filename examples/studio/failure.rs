//! Errors as answers.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use studio_interface::Reason;

/// Why a request got no result: a status and `{"error": message}`.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    pub message: String,
}

/// Seconds after which someone who was sent away may come again.
const RETRY: &str = "1";

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// What was asked for makes no sense.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// The lane is full.
    pub fn busy(waiting: usize) -> Self {
        let message =
            format!("{waiting} requests are waiting already; try again when some are done");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// The work panicked; it says why on the server's error output.
    pub fn panicked() -> Self {
        Self::internal("this request failed inside the program; its terminal says why")
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// With the status that a rejected body had.
    pub fn with_status(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, message)
    }
}

impl From<studio_interface::Failure> for Failure {
    fn from(failure: studio_interface::Failure) -> Self {
        let status = match failure.reason {
            Reason::Refused => StatusCode::BAD_REQUEST,
            Reason::NotFound => StatusCode::NOT_FOUND,
            Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, failure.message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.message }));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                (self.status, [(header::RETRY_AFTER, RETRY)], body).into_response()
            }
            status => (status, body).into_response(),
        }
    }
}
