//! Whether the process lives, whether it can serve, and what it has counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use serde_json::{Value, json};

use super::Doors;
use super::problem::Problem;
use super::refused::internal;
use super::reply::Reply;
use crate::app::App;
use crate::engine::Diagnostic;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A tick that ended longer ago than this is late: a sweep of many subjects may take a while, a stopped loop for ever.
const TICK_LATE: Duration = Duration::from_secs(60);

type Labelled = Family<Vec<(String, String)>, Counter>;

/// `GET /livez`: the process answers.
pub(super) async fn live() -> Reply {
    Reply::ok(json!({ "status": "ok" }))
}

/// `GET /readyz`: the store takes writes, the triggers are looked at, and the library that lies in the folder is the one that runs.
pub(super) async fn ready(State(doors): State<Doors>) -> Response {
    let app = doors.app.clone();
    let checking = tokio::task::spawn_blocking(move || app.store().is_accepting());
    let writable = checking.await.unwrap_or(false);
    let current = doors.app.library_state();
    let broken = current.findings.iter().any(Diagnostic::is_error);
    // The loop looks every second; on a manual clock it sleeps until it is woken.
    let late = !doors.app.is_manual() && doors.app.since_tick().is_some_and(|ago| ago > TICK_LATE);
    let good = writable && !late;
    let status = if good { 200 } else { 503 };
    let word = |good: bool| if good { "ok" } else { "failing" };
    let checks: Value = json!({
        "store": { "status": word(writable) },
        "triggers": { "status": word(!late) },
        "library": {
            "status": if broken { "broken_keeping_previous" } else { "ok" },
            "files": current.library.files.len(),
            "findings": current.findings.iter().filter(|finding| finding.is_error()).count(),
        },
    });
    Reply::ok(json!({ "status": word(good), "checks": checks })).status(status).into_response()
}

/// `GET /metrics`
pub(super) async fn metrics(State(doors): State<Doors>) -> Result<Response, Problem> {
    let mut text = String::new();
    encode(&mut text, &registry(&doors.app)).map_err(|error| internal(&error))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// What is counted elsewhere, as it stands now: a registry for this one answer.
fn registry(app: &App) -> Registry {
    let mut registry = Registry::with_prefix("bursar");
    let version = vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    registry.register("build", "The program that answers", Info::new(version));
    let counters = app.counters();
    let words = ["completed", "failed", "limit_exceeded"];
    labelled(&mut registry, "runs", "Runs of scripts by ending", "outcome", &words, &counters.runs);
    let words = ["new", "duplicate", "refused"];
    labelled(&mut registry, "hook_requests", "Calls of hooks by answer", "result", &words, &counters.hooks);
    let words = ["sent", "failed"];
    labelled(&mut registry, "message_attempts", "Attempts to send messages", "result", &words, &counters.messages);
    let words = ["ran", "coalesced", "missed"];
    labelled(&mut registry, "occurrences", "Due instants of schedules", "state", &words, &counters.occurrences);
    let store = app.store().metrics();
    let counts = [
        ("transaction_retries", "Transactions tried again", counters.retries.load(Ordering::Relaxed)),
        ("store_transactions", "Transactions accepted since opening", store.commits),
        ("store_commits", "Durable commits since opening", store.batches),
        ("store_conflicts", "Transactions refused over what others changed", store.conflicts),
        ("store_failures", "Times storage failed and was opened again", store.failures),
    ];
    for (name, help, value) in counts {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
    let library = app.library_state();
    let findings = library.findings.iter().filter(|finding| finding.is_error()).count();
    let gauges = [
        ("store_in_flight", "Transactions accepted and not yet durable", store.in_flight),
        ("store_recent_keys", "Keys in the window of recent writes", store.recent_keys),
        ("library_files", "Files of the library in force", library.library.files.len()),
        ("library_findings", "Errors that keep the folder's content from being in force", findings),
    ];
    for (name, help, value) in gauges {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    }
    let age: Gauge<f64, AtomicU64> = Gauge::default();
    age.set(store.oldest_snapshot_age.as_secs_f64());
    let help = "Time since the oldest snapshot somebody still reads was superseded";
    registry.register_with_unit("store_oldest_snapshot_age", help, Unit::Seconds, age);
    registry
}

fn labelled(registry: &mut Registry, name: &str, help: &str, label: &str, words: &[&str], counts: &[AtomicU64]) {
    let family = Labelled::default();
    for (word, count) in words.iter().zip(counts) {
        let labels = vec![(label.to_owned(), (*word).to_owned())];
        family.get_or_create(&labels).inc_by(count.load(Ordering::Relaxed));
    }
    registry.register(name, help, family);
}
