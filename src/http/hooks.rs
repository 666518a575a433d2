//! `POST /hooks/{hook}`: calls from outside. Nothing is parsed before its signature is good, and nothing is answered
//! before it is durable; a good call is a row, processed later at our own pace.
//!
//! An unknown hook takes as long as a known one with a wrong signature. Secrets are read from their files, held here and
//! never shown.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::json;

use super::Doors;
use super::problem::Problem;
use super::rates::Rates;
use super::refused::internal;
use super::reply::Reply;
use crate::clock::monotonic;
use crate::config::{Hook, HookFormat, Limits};
use crate::domain::trigger::{Delivery, DeliveryState};
use crate::domain::{Instant, Refusal, calendar};
use crate::json::{self as strict, Value};
use crate::ops::Rights;
use crate::ops::deliveries::{self, Accepted, Incoming};
use crate::signature::{self, Headers, Secret};
use crate::triggers;

/// What the hooks remember between calls: secrets by file, and how fast each hook is called.
pub(crate) struct Memory {
    secrets: Mutex<HashMap<PathBuf, Known>>,
    rates: Rates<String>,
}

/// The secrets of a file as it was then.
struct Known {
    changed: Option<SystemTime>,
    length: u64,
    secrets: Vec<Secret>,
}

impl Memory {
    /// No secret is read yet and no hook was called.
    pub(super) fn new(limits: &Limits) -> Memory {
        Memory { secrets: Mutex::default(), rates: Rates::new(limits.hook_calls_at_once, limits.hook_calls) }
    }

    /// The secrets of a hook, read again when their file has changed.
    fn secrets(&self, hook: &Hook) -> Result<Vec<Secret>, Problem> {
        let Some(path) = &hook.secret_file else { return Ok(Vec::new()) };
        let metadata = std::fs::metadata(path).map_err(|error| internal(&error))?;
        let (changed, length) = (metadata.modified().ok(), metadata.len());
        let mut all = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(path).filter(|known| known.changed == changed && known.length == length) {
            return Ok(known.secrets.clone());
        }
        let secrets = hook.secrets().map_err(|error| internal(&error))?;
        all.insert(path.clone(), Known { changed, length, secrets: secrets.clone() });
        Ok(secrets)
    }
}

/// `POST /hooks/{hook}`
pub(super) async fn take(
    State(doors): State<Doors>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, Problem> {
    let counted = |problem: Problem| {
        doors.app.counters().hooks[2].fetch_add(1, Ordering::Relaxed);
        problem
    };
    let now = doors.app.now();
    let Some(hook) = doors.app.config().hooks.get(&name) else {
        let _as_long = signature::verify(&[], given(&headers), &body, now.timestamp(), u32::MAX);
        return Err(counted(Problem::new(404, "not_found", "there is nothing here")));
    };
    doors.hooks.rates.admit(name.clone(), monotonic(), "this hook").map_err(counted)?;
    let (incoming, complaint) = read(&doors, &name, hook, &headers, &body, now).map_err(counted)?;
    let cause = format!("hook:{name}:{}", incoming.webhook_id);
    let rights = Rights::system();
    let taken = doors.app.act_at_once(&rights, &cause, |work| deliveries::accept(work, incoming.clone()));
    let taken = taken.await.map_err(|error| counted(error.into()))?;
    answer(&doors, taken, complaint)
}

fn answer(doors: &Doors, taken: Accepted, complaint: Option<Problem>) -> Result<Reply, Problem> {
    let counters = &doors.app.counters().hooks;
    let (delivery, place): (&Delivery, usize) = match &taken {
        Accepted::New(delivery) => (delivery, 0),
        Accepted::Duplicate(delivery) => (delivery, 1),
    };
    let place = if delivery.state == DeliveryState::Rejected { 2 } else { place };
    counters[place].fetch_add(1, Ordering::Relaxed);
    if let Some(problem) = complaint {
        return Err(problem.about(delivery.id.to_string()));
    }
    let id = delivery.id;
    Ok(match taken {
        Accepted::Duplicate(_) => Reply::ok(json!({ "id": id, "duplicate": true })),
        Accepted::New(delivery) if delivery.state == DeliveryState::Ignored => {
            Reply::ok(json!({ "id": id, "ignored": true })).status(202)
        }
        Accepted::New(_) => Reply::ok(json!({ "id": id })).status(202),
    })
}

fn given(headers: &HeaderMap) -> Headers<'_> {
    let text = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    };
    Headers { id: text("webhook-id"), timestamp: text("webhook-timestamp"), signature: text("webhook-signature") }
}

/// A call that is signed well, and what is wrong with its body if something is.
fn read(
    doors: &Doors,
    name: &str,
    hook: &Hook,
    headers: &HeaderMap,
    body: &Bytes,
    now: Instant,
) -> Result<(Incoming, Option<Problem>), Problem> {
    let body_hash = blake3::hash(body).to_hex().to_string();
    let signed = hook.secret_file.is_some() || hook.format != HookFormat::PartnerCenter;
    let verified = if signed {
        let tolerance = u32::try_from(hook.tolerance.min(Duration::from_secs(86_400)).as_secs()).unwrap_or(u32::MAX);
        let secrets = doors.hooks.secrets(hook)?;
        Some(signature::verify(&secrets, given(headers), body, now.timestamp(), tolerance)?)
    } else {
        None
    };
    let event = event_of(hook.format, headers, body);
    let mut incoming = Incoming {
        hook: name.to_owned(),
        webhook_id: verified.as_ref().map_or_else(|| body_hash.clone(), |verified| verified.id.clone()),
        event_type: String::new(),
        sent_at: verified.and_then(|verified| chrono::DateTime::from_timestamp(verified.timestamp, 0)).unwrap_or(now),
        body: String::from_utf8_lossy(body).into_owned(),
        body_hash,
        takers: Vec::new(),
        rejected: true,
    };
    match event {
        // Nobody vouches for a body that came unsigned: what is no event leaves no record.
        Err(problem) if !signed => Err(problem),
        Err(problem) => Ok((incoming, Some(problem))),
        Ok(event) => {
            incoming.takers = triggers::deliveries::takers(&doors.app, name, &event.kind);
            incoming.event_type = event.kind;
            incoming.webhook_id = event.id.filter(|_| !signed).unwrap_or(incoming.webhook_id);
            incoming.sent_at = event.at.filter(|_| !signed).unwrap_or(incoming.sent_at);
            incoming.body = event.body.unwrap_or(incoming.body);
            incoming.rejected = false;
            Ok((incoming, None))
        }
    }
}

/// What a body says about itself.
struct Said {
    kind: String,
    /// What makes it unique, for a format whose calls carry no id.
    id: Option<String>,
    at: Option<Instant>,
    /// The body as it is kept, when that is not how it came.
    body: Option<String>,
}

fn event_of(format: HookFormat, headers: &HeaderMap, body: &Bytes) -> Result<Said, Problem> {
    let value = strict::parse(body)?;
    let refused = |detail: &str| Problem::from(Refusal::new("schema", detail));
    let text = |name: &str| value.get_any_case(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if format == HookFormat::CloudEvents
        && let Some(kind) = header("ce-type")
    {
        let kept = Value::Object(vec![("type".to_owned(), Value::String(kind.to_owned())), ("data".to_owned(), value)]);
        return Ok(Said { kind: short(kind)?, id: None, at: None, body: Some(kept.to_string()) });
    }
    if value.members().is_none() {
        return Err(refused("the body is an object"));
    }
    let name = if format == HookFormat::PartnerCenter { "EventName" } else { "type" };
    let kind = text(name).ok_or_else(|| refused(&format!("{name} is missing: a text that names the event")))?;
    let id = (format == HookFormat::PartnerCenter).then(|| {
        let parts = [text("EventName"), text("ResourceUri"), text("ResourceChangeUtcDate")];
        let whole = parts.map(Option::unwrap_or_default).join("\n");
        blake3::hash(whole.as_bytes()).to_hex().to_string()
    });
    let at = text("ResourceChangeUtcDate").and_then(|at| calendar::instant(at).ok());
    Ok(Said { kind: short(kind)?, id, at, body: None })
}

fn short(kind: &str) -> Result<String, Problem> {
    if kind.len() <= 200 && !kind.chars().any(char::is_control) {
        return Ok(kind.to_owned());
    }
    Err(Refusal::new("schema", "the event's type is at most 200 bytes without control characters").into())
}
