//! What every request passes before a route sees it, and every answer on its way out.
//!
//! In: the method, path, host, media types and size are checked, and the body is read whole, within its limits of size
//! and time; a route never waits for a slow sender. Out: a request id, no plain-text errors, no panic, no endless wait. It
//! knows nothing about who asks or what the routes do.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use super::problem::{self, Problem};
use crate::config::Limits;

mod checks;

/// The header that names one request in answers and logs.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Partner Center's name of the same.
const MS_REQUEST_ID: HeaderName = HeaderName::from_static("ms-requestid");
/// What joins the calls of one piece of work, in Partner Center's words.
const MS_CORRELATION_ID: HeaderName = HeaderName::from_static("ms-correlationid");
/// Characters of a request id taken over from the caller, at most.
const REQUEST_ID_LENGTH_MAX: usize = 128;

/// The id of a request, for handlers and logs; in the extensions of every request.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

tokio::task_local! {
    /// The id of the request that this task answers.
    static AT_HAND: Arc<str>;
}

/// The id of the request that is being answered; none outside of one, and on threads that work for it.
pub(super) fn request_at_hand() -> Option<Arc<str>> {
    AT_HAND.try_with(Arc::clone).ok()
}

/// Something of ours went wrong: the log says what, under this id.
pub(super) fn something_went_wrong(id: Option<&str>) -> Problem {
    let detail = match id {
        Some(id) => format!("something went wrong; the log knows {id}"),
        None => "something went wrong; the log says what".to_owned(),
    };
    Problem::new(500, "internal_error", detail)
}

/// A router behind the checks of this module.
#[derive(Clone)]
pub struct Guard {
    router: Router,
    limits: Arc<Limits>,
    /// Bodies larger than most may be that are held at once; who asks for them is not known before they are read.
    large_bodies: Arc<Semaphore>,
    /// What `Host` must say on console routes; empty when any name may.
    console_hosts: Arc<[String]>,
}

impl Guard {
    /// Puts the checks in front of a router.
    pub fn new(router: Router, limits: &Limits) -> Guard {
        let large_bodies = Arc::new(Semaphore::new(limits.import_bodies));
        Guard { router, limits: Arc::new(limits.clone()), large_bodies, console_hosts: Arc::new([]) }
    }

    /// Console routes answer only when `Host` is one of these names (without port), against DNS rebinding.
    #[must_use]
    pub fn console_hosts(mut self, names: &[&str]) -> Guard {
        self.console_hosts = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Answers one request. It never fails and never panics.
    pub async fn answer(&self, mut request: Request) -> Response {
        let id = request_id(request.headers());
        let correlation = taken_over(request.headers(), &MS_CORRELATION_ID).map(str::to_owned);
        request.extensions_mut().insert(RequestId(id.clone()));
        let response = match self.admit(request).await {
            Ok((request, held)) => {
                let response = self.route(request, &id).await;
                drop(held);
                response
            }
            Err(refusal) => refusal.into_response(),
        };
        finished(response, &id, correlation.as_deref())
    }

    /// Answers a request that must not be looked at any further.
    pub fn refuse(&self, headers: &HeaderMap, problem: Problem) -> Response {
        finished(problem.into_response(), &request_id(headers), taken_over(headers, &MS_CORRELATION_ID))
    }

    /// Checks the head, then reads the body. A body of a size that few may have takes a place, which is held until it is
    /// answered.
    async fn admit(&self, request: Request) -> Result<(Request, Option<OwnedSemaphorePermit>), Refused> {
        let (parts, body) = request.into_parts();
        let limit = checks::body_limit(parts.uri.path(), &self.limits);
        let has_body = !body.is_end_stream();
        let checked = checks::head(&parts, has_body, &self.limits, &self.console_hosts)
            .and_then(|()| checks::declared_length(&parts.headers, limit));
        if let Err(problem) = checked {
            // What is left of the body would be read as the next request: never.
            return Err(Refused { problem, close: has_body });
        }
        let is_large = limit > self.limits.body_bytes && !is_small(&parts.headers, self.limits.body_bytes);
        let held =
            match is_large && has_body {
                false => None,
                true => Some(self.large_bodies.clone().try_acquire_owned().map_err(|_| {
                    Refused {
                        problem: Problem::new(503, "busy", "as many large bodies as may be are being read; try again")
                            .retry_after(1),
                        close: true,
                    }
                })?),
            };
        let reading = read_whole(body, limit);
        let body = match tokio::time::timeout(self.limits.body_deadline, reading).await {
            Ok(read) => read.map_err(|problem| Refused { problem, close: true })?,
            Err(_) => {
                let seconds = self.limits.body_deadline.as_secs_f32();
                let detail = format!("the body was not complete after {seconds} s");
                return Err(Refused { problem: Problem::new(408, "request_timeout", detail), close: true });
            }
        };
        Ok((Request::from_parts(parts, Body::from(body)), held))
    }

    async fn route(&self, request: Request, id: &str) -> Response {
        let answering = AT_HAND.scope(id.into(), catch_panic(self.router.clone().oneshot(request)));
        match tokio::time::timeout(self.limits.request_deadline, answering).await {
            Ok(Some(Ok(response))) => as_problem(response),
            Ok(Some(Err(never))) => match never {},
            Ok(None) => {
                tracing::error!(request_id = id, "a request handler panicked");
                something_went_wrong(Some(id)).into_response()
            }
            Err(_) => {
                tracing::error!(request_id = id, "a request was not answered in time");
                let detail = "no answer in time; whether the request took effect is not known".to_owned();
                Problem::new(503, "deadline_exceeded", detail).retry_after(5).into_response()
            }
        }
    }
}

/// For hosts that mount the guarded router in a server of their own.
impl tower::Service<Request> for Guard {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let guard = self.clone();
        Box::pin(async move { Ok(guard.answer(request).await) })
    }
}

/// A problem, and whether the connection ends with it.
struct Refused {
    problem: Problem,
    close: bool,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.problem.into_response();
        if self.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The headers every answer has. Partner Center's clients find the ids of their call under its names; a call that came
/// with no correlation is one by itself.
fn finished(mut response: Response, id: &str, correlation: Option<&str>) -> Response {
    for (name, text) in [(REQUEST_ID, id), (MS_REQUEST_ID, id), (MS_CORRELATION_ID, correlation.unwrap_or(id))] {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    }
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(HeaderName::from_static("x-content-type-options"), nosniff);
    response
}

/// Whether a body says itself that it is no larger than most may be.
fn is_small(headers: &HeaderMap, most: usize) -> bool {
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    told.is_some_and(|length| length <= most as u64)
}

async fn read_whole(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut whole: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(400, "bad_framing", "the body is not framed as its head says"))?;
        // Trailers are nothing we read.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - whole.len() {
            return Err(checks::too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// The caller's id where it is short and plain, else one of ours.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let given = taken_over(headers, &REQUEST_ID).or_else(|| taken_over(headers, &MS_REQUEST_ID));
    if let Some(id) = given {
        return id.into();
    }
    // Unique enough to find a line in a log: a random number, and a count for machines without randomness.
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let random = getrandom::u64().unwrap_or(0);
    format!("{random:016x}-{count:x}").into()
}

/// An id of the caller's, where it is short and plain.
fn taken_over<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let plain = |id: &&str| {
        let fits = !id.is_empty() && id.len() <= REQUEST_ID_LENGTH_MAX;
        fits && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte))
    };
    headers.get(name).and_then(|value| value.to_str().ok()).filter(plain)
}

/// The output of a future, or `None` when it panicked.
async fn catch_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    std::future::poll_fn(move |context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |poll| poll.map(Some))
    })
    .await
}

/// Turns the router's own refusals (empty or plain text) into problems; answers of ours pass unchanged.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let refusal = status.is_client_error() || status.is_server_error();
    let ours = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|media| {
        let media = media.split(';').next().unwrap_or_default().trim();
        media == problem::MEDIA_TYPE || media == "application/json" || media == "text/html"
    });
    if !refusal || ours {
        return response;
    }
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing here"),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this method is not for this path"),
        StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "the media type is not read here"),
        StatusCode::UNPROCESSABLE_ENTITY => ("schema", "the body does not have the shape asked for"),
        _ if status.is_client_error() => ("bad_request", "the request is not understood"),
        _ => ("internal_error", "something went wrong"),
    };
    let mut problem = Problem::new(status.as_u16(), code, detail);
    for (name, value) in response.headers() {
        // Allow, Retry-After, cookies and the like go with the status, not with the body.
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            problem = problem.header(name.clone(), value.clone());
        }
    }
    problem.into_response()
}

/// The methods any route may have, as an `Allow` header.
fn allow_all() -> (HeaderName, HeaderValue) {
    (ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
}
