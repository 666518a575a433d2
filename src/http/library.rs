//! The library in force: its policies and scripts, what sets them off and when next, and reading the folder again.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::body::Object;
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json as records};
use crate::app::App;
use crate::domain::selection::{Field, Fields, POLICIES, Schema};
use crate::domain::{Grant, Span};
use crate::engine::library::File;
use crate::engine::manifest::{FileKind, Mode, Moment, Source, Trigger};
use crate::ops::{self, lists};
use crate::schedule::Schedule;
use crate::store::records::Page;
use crate::triggers::handlers::{self, Set};

/// Schedules are as few as triggers are: they are listed and not selected from.
static SCHEDULES: Schema = Schema { noun: "schedules", fields: &[], aliases: &[], labels: false };

struct Listed<'a>(&'a File);

impl Fields for Listed<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let manifest = &self.0.manifest;
        Some(match name {
            "file" => Field::Text(Cow::Borrowed(&self.0.path)),
            "decides" => Field::Texts(manifest.decides.iter().map(|kind| Cow::Borrowed(kind.as_str())).collect()),
            "enabled" => Field::Bool(manifest.enabled),
            "mode" => Field::Text(Cow::Borrowed(mode(manifest.mode))),
            "hash" => Field::Text(Cow::Borrowed(&self.0.hash)),
            _ => return None,
        })
    }
}

/// A page of what is held in memory, in the order of its keys.
fn page<T>(listing: &Listing, all: impl Iterator<Item = T>, key: impl Fn(&T) -> String) -> Page<T> {
    let behind = |one: &T| listing.after.as_ref().is_none_or(|after| key(one).as_bytes() > after.as_slice());
    let mut items: Vec<T> = all.filter(behind).take(listing.limit + 1).collect();
    let more = items.len() > listing.limit;
    items.truncate(listing.limit);
    let next = items.last().filter(|_| more).map(|last| key(last).into_bytes());
    Page { items, next }
}

async fn files(doors: Doors, call: Call, pairs: Pairs, kind: FileKind) -> Result<Reply, Problem> {
    call.rights.require(&Grant::Read("policies"))?;
    let listing = Listing::read(&doors, &POLICIES, pairs)?;
    let current = doors.app.library_state();
    let now = doors.app.now();
    let meant = |file: &&std::sync::Arc<File>| listing.selection.matches(&Listed(file), now);
    let found = page(&listing, current.library.of_kind(kind).filter(meant), |file| file.path.clone());
    let next = found.next.as_deref().map(|key| listing.cursor(key));
    let items: Vec<Value> = found.items.iter().map(|file| shown(file)).collect();
    Ok(Reply::ok(json!({
        "items": items,
        "nextCursor": next,
        "hash": current.library.hash,
        "findings": current.findings,
        "warnings": current.library.warnings,
    })))
}

/// `GET /v1/policies`
pub(super) async fn policies(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    files(doors, call, pairs, FileKind::Policy).await
}

/// `GET /v1/scripts`
pub(super) async fn scripts(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    files(doors, call, pairs, FileKind::Script).await
}

/// The word of a mode, as manifests have it.
fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    }
}

fn shown(file: &File) -> Value {
    let manifest = &file.manifest;
    let triggers: Vec<Value> = manifest
        .on
        .iter()
        .enumerate()
        .map(|(place, trigger)| told(&format!("{}#{place}", file.path), trigger))
        .collect();
    json!({
        "path": file.path,
        "summary": manifest.description.lines().next().unwrap_or_default(),
        "description": manifest.description,
        "decides": manifest.decides,
        "triggers": triggers,
        "grants": manifest.grants,
        "libs": file.libs,
        "hash": file.hash,
        "enabled": manifest.enabled,
        "mode": mode(manifest.mode),
    })
}

/// A trigger: its id, what sets it off in one line, and the parts of that.
fn told(id: &str, trigger: &Trigger) -> Value {
    let (spec, mut parts) = match &trigger.source {
        Source::Cron { cron, zone, .. } => {
            (format!("cron {cron}"), json!({ "kind": "cron", "cron": cron, "zone": zone }))
        }
        Source::Before { moment, by, .. } => {
            let word = Moment::ALL.iter().find(|(_, known)| known == moment).map_or("", |(word, _)| word);
            let by: Vec<String> = by.iter().map(Span::to_string).collect();
            (format!("{} before {word}", by.join(", ")), json!({ "kind": "before", "before": word, "by": by }))
        }
        Source::Hook { hook, types } => {
            (format!("hook {hook} {}", types.join(", ")), json!({ "kind": "hook", "hook": hook, "types": types }))
        }
        Source::Applied(kind) => (format!("applied {kind}"), json!({ "kind": "applied", "applied": kind })),
        Source::Published(what) => {
            let word = what.as_str();
            (format!("published {word}"), json!({ "kind": "published", "published": word }))
        }
    };
    parts["id"] = id.into();
    parts["trigger"] = id.into();
    parts["spec"] = spec.trim().into();
    parts["call"] = trigger.call.clone().into();
    parts
}

/// `GET /v1/schedules`
pub(super) async fn list_schedules(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    call.rights.require(&Grant::Read("schedules"))?;
    let listing = Listing::read(&doors, &SCHEDULES, pairs)?;
    let app = doors.app.clone();
    let found = doors.app.look(call.rights, move |work| {
        let mut sets = handlers::all(&app);
        sets.sort_by_key(Set::id);
        let found = page(&listing, sets.into_iter(), Set::id);
        let mut items = Vec::with_capacity(found.items.len());
        for set in &found.items {
            items.push(scheduled(&app, work, set)?);
        }
        Ok(listing.reply(Page { items, next: found.next }, |item| item))
    });
    Ok(found.await?)
}

/// A trigger with its last and its next due instant, and whether it will go off at all.
fn scheduled(app: &App, work: &mut ops::Work, set: &Set) -> ops::Result<Value> {
    let id = set.id();
    let mut out = told(&id, set.trigger());
    let place = lists::place(work, &id)?;
    let last = place.as_ref().and_then(|place| place.cursors.first().copied());
    let mut armed = true;
    match &set.trigger().source {
        Source::Cron { cron, zone, .. } => {
            let zone = zone.as_deref().unwrap_or(app.config().zone.name());
            let from = last.unwrap_or(work.now);
            let next = Schedule::parse(cron, zone).ok().and_then(|schedule| schedule.next_after(from));
            armed = next.is_some();
            out["zone"] = zone.into();
            out["nextDue"] = json!(next.map(crate::domain::calendar::show));
        }
        Source::Hook { hook, .. } => armed = app.config().hooks.contains_key(hook),
        Source::Before { .. } | Source::Applied(_) | Source::Published(_) => {}
    }
    out["lastDue"] = json!(place.filter(|place| last.is_some_and(|last| last > place.since)).and(last));
    out["armed"] = armed.into();
    Ok(out)
}

/// `GET /v1/sources/{hash}`: what stood behind a decision, by its hash or the beginning of it.
pub(super) async fn source(State(doors): State<Doors>, Path(hash): Path<String>, call: Call) -> Result<Reply, Problem> {
    let (hash, source) = doors.app.look(call.rights, move |work| lists::source(work, &hash)).await?;
    let mut out = records::shown(&source);
    out["hash"] = hash.into();
    Ok(Reply::ok(out))
}

/// `POST /v1/library/reload`
pub(super) async fn reload(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    Object::read_optional(&body, &[])?;
    call.rights.require(&Grant::LibraryReload)?;
    let app = doors.app.clone();
    let reloading = tokio::task::spawn_blocking(move || app.reload());
    let current = reloading.await.map_err(|error| super::refused::internal(&error))?;
    let files: Vec<&str> = current.library.files.iter().map(|file| file.path.as_str()).collect();
    Ok(Reply::ok(json!({
        "hash": current.library.hash,
        "terms": current.terms.hash(),
        "files": files,
        "findings": current.findings,
        "warnings": current.library.warnings,
    })))
}
