//! What a handler answers, and how a change is made: once, in one transaction with the answer that is remembered for
//! its idempotency key.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::auth::Caller;
use super::problem::{self, Problem};
use super::{Doors, json};
use crate::domain::{Instant, Refusal};
use crate::ops::idempotency::{self, Remembered};
use crate::ops::{self, Rights, Work};
use crate::seal::Secret;

/// Characters of an idempotency key, at most.
const KEY_LENGTH_MAX: usize = 255;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MS_REQUEST_ID: HeaderName = HeaderName::from_static("ms-requestid");
const CONTINUES: HeaderName = HeaderName::from_static("ms-continuationtoken");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An answer that can be kept: a status, a JSON body, and two headers.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: u16,
    /// JSON text: numbers stay as they are written.
    body: String,
    generation: Option<u64>,
    location: Option<String>,
    /// Shown and never kept, under its name: the secret of a new token, a product key, a link.
    secret: Option<(&'static str, Secret)>,
    replayed: bool,
}

impl Reply {
    /// 200 with this body.
    #[allow(clippy::needless_pass_by_value, reason = "bodies are made where they are handed over")]
    pub(super) fn ok(body: Value) -> Reply {
        Reply::exact(body.to_string())
    }

    /// 200 with this JSON text.
    pub(super) fn exact(body: String) -> Reply {
        Reply { status: 200, body, generation: None, location: None, secret: None, replayed: false }
    }

    /// The same with another status.
    pub(super) fn status(self, status: u16) -> Reply {
        Reply { status, ..self }
    }

    /// The same with the ETag of a generation.
    pub(super) fn generation(self, generation: u64) -> Reply {
        Reply { generation: Some(generation), ..self }
    }

    /// The same, saying where the record stands.
    pub(super) fn location(self, location: String) -> Reply {
        Reply { location: Some(location), ..self }
    }

    /// The same with a member that is shown in this answer and never kept.
    pub(super) fn secret(self, name: &'static str, secret: Secret) -> Reply {
        Reply { secret: Some((name, secret)), ..self }
    }

    /// A change that was recorded and still is a problem for whoever asked.
    pub(super) fn problem(problem: &Problem) -> Reply {
        Reply::ok(problem.body()).status(problem.status.as_u16())
    }
}

impl IntoResponse for Reply {
    fn into_response(mut self) -> Response {
        let secret = self.secret.take();
        if let Some((name, secret)) = &secret {
            let mut shown: Value = serde_json::from_str(&self.body).unwrap_or_default();
            shown[*name] = secret.reveal().into();
            self.body = shown.to_string();
        }
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let media = if self.status < 400 { json::MEDIA_TYPE } else { problem::MEDIA_TYPE };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        let etag = self.generation.map(etag).and_then(|etag| HeaderValue::from_str(&etag).ok());
        let location = self.location.and_then(|location| HeaderValue::from_str(&location).ok());
        for (name, value) in [(ETAG, etag), (LOCATION, location)] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        if secret.is_some() {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// The strong ETag of a generation.
pub(super) fn etag(generation: u64) -> String {
    format!("\"v{generation}\"")
}

/// One call: who, which route, and the conditions it came with.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Who calls.
    pub(super) rights: Rights,
    /// The generation of `If-Match`; none without one, or with `*`.
    pub(super) if_match: Option<u64>,
    /// The token of `MS-ContinuationToken`, which goes on with a list of Partner Center's.
    pub(super) continues: Option<String>,
    key: Option<String>,
    route: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(rights) = Caller::from_request_parts(parts, state).await?;
        Ok(Call {
            rights,
            if_match: if_match(&parts.headers)?,
            continues: parts.headers.get(&CONTINUES).and_then(|value| value.to_str().ok()).map(str::to_owned),
            key: idempotency_key(&parts.headers)?,
            route: format!("{} {}", parts.method, parts.uri.path()),
        })
    }
}

/// Whether the generation that was seen, if one was, is the present one.
pub(super) fn fresh(seen: Option<u64>, now: u64) -> Result<(), Refusal> {
    if seen.is_none_or(|seen| seen == now) {
        return Ok(());
    }
    Err(Refusal::new("precondition_failed", format!("it has moved to generation {now}; look at it again")))
}

/// The generation that the inside of an ETag is: `v3`, or `3` as Partner Center's `attributes` have it.
pub(super) fn generation_of(inner: &str) -> Option<u64> {
    inner.strip_prefix('v').unwrap_or(inner).parse().ok()
}

fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    // Partner Center's clients send `attributes.etag` as it stands there, without quotes.
    let number = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').and_then(generation_of),
        None => text.parse().ok(),
    };
    number.map(Some).ok_or_else(|| Problem::new(400, "bad_etag", "If-Match is one ETag such as \"v3\", or *"))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    // Partner Center's clients number their calls, and repeat the number when they try one again.
    let Some(value) = headers.get(&IDEMPOTENCY_KEY).or_else(|| headers.get(&MS_REQUEST_ID)) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > KEY_LENGTH_MAX || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        let detail = format!("Idempotency-Key is 1 to {KEY_LENGTH_MAX} printable ASCII characters");
        return Err(Problem::new(400, "idempotency_key_invalid", detail));
    }
    Ok(Some(text.to_owned()))
}

impl Call {
    /// Makes a change. The answer is kept in the same transaction when the call has an idempotency key, and given
    /// again when the same call comes again.
    pub(super) async fn act(
        self,
        doors: &Doors,
        body: &Bytes,
        change: impl Fn(&mut Work) -> ops::Result<Reply> + Send + 'static,
    ) -> Result<Reply, Problem> {
        let cause = doors.app.next_cause("http");
        let asked = self.key.map(|key| {
            let place = idempotency::place(&self.rights.principal, &self.route, &key);
            (place, blake3::hash(body).to_hex().to_string())
        });
        let asked = Arc::new(asked);
        let done = doors.app.act(self.rights, cause, move |work| {
            let Some((place, hash)) = &*asked else { return change(work) };
            if let Some(known) = idempotency::recall(work, place)? {
                return replayed(known, hash);
            }
            let reply = change(work)?;
            idempotency::remember(work, place, &kept(&reply, work.now, hash))?;
            Ok(reply)
        });
        Ok(done.await?)
    }
}

impl Call {
    /// Does what has secrets in its body or its answer: nothing of either is kept, not even a hash, so an idempotency key
    /// is not asked for. What is done this way may be done twice: recording the same again changes nothing, and a key
    /// that is read again is read, and logged, again.
    pub(super) async fn act_unkept(
        self,
        doors: &Doors,
        change: impl Fn(&mut Work) -> ops::Result<Reply> + Send + 'static,
    ) -> Result<Reply, Problem> {
        let cause = doors.app.next_cause("http");
        Ok(doors.app.act(self.rights, cause, change).await?)
    }
}

fn kept(reply: &Reply, at: Instant, hash: &str) -> Remembered {
    Remembered {
        at,
        body_hash: hash.to_owned(),
        status: reply.status,
        body: reply.body.clone(),
        generation: reply.generation,
        location: reply.location.clone(),
    }
}

fn replayed(known: Remembered, hash: &str) -> ops::Result<Reply> {
    if known.body_hash != hash {
        let message = "this Idempotency-Key came before with another body; a new call needs a new key";
        return Err(Refusal::new("idempotency_key_reused", message).into());
    }
    Ok(Reply {
        status: known.status,
        body: known.body,
        generation: known.generation,
        location: known.location,
        secret: None,
        replayed: true,
    })
}
