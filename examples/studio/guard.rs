//! Keeps other web sites out: a page of another origin can send requests to this machine, and a name of its own can be
//! made to point here.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;

/// The hosts that this server is.
#[derive(Clone)]
pub struct Guard {
    hosts: [String; 2],
}

impl Guard {
    pub fn new(port: u16) -> Self {
        Self {
            hosts: ["127.0.0.1", "localhost"].map(|name| match port {
                // Clients leave out the port that http has.
                80 => name.to_owned(),
                _ => format!("{name}:{port}"),
            }),
        }
    }

    fn admits(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(header::HOST).unwrap_or_default();
        if !self.hosts.iter().any(|own| own == host) {
            return Err(Failure::forbidden(
                "this server answers to 127.0.0.1 and localhost only",
            ));
        }
        let foreign = |origin: &str| {
            let own = origin.strip_prefix("http://");
            !own.is_some_and(|origin| self.hosts.iter().any(|host| host == origin))
        };
        // Browsers say where a request comes from; other programs send neither header.
        let crossed =
            text(SEC_FETCH_SITE).is_some_and(|site| !["same-origin", "none"].contains(&site));
        if text(header::ORIGIN).is_some_and(foreign) || crossed {
            return Err(Failure::forbidden(
                "this server answers to its own page only",
            ));
        }
        Ok(())
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Nothing of other hosts is loaded, no script runs that is not a file of the page, and no other page shows or reads
/// this one.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Refuses foreign requests, and adds the headers that keep the page to itself.
pub async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.admits(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
