//! Inbound deliveries: each file that takes one runs in a transaction of its own, together with the note that it has.

use std::collections::HashMap;

use super::handlers::{self, Set};
use super::schedules::on_script_thread;
use crate::app::{App, Result};
use crate::domain::Instant;
use crate::domain::trigger::Delivery;
use crate::engine::api::events::Event;
use crate::engine::manifest::Source;
use crate::engine::values::json::Json;
use crate::json;
use crate::ops::{self, Rights};
use crate::store::records::messages::{self, Attempt};
use crate::store::tables::AttemptKind;

/// Attempts taken up in one go.
const PAGE_ATTEMPTS: usize = 1_000;
/// Attempts a script thread works through before somebody else's work may come between.
const CHUNK_ATTEMPTS: usize = 50;

/// The next instant at which a delivery is tried.
///
/// # Errors
/// The store's failure.
pub fn next_due(app: &App) -> Result<Option<Instant>> {
    let first =
        app.read(Rights::system(), |work| Ok(messages::attempts_due(&mut work.tx, AttemptKind::Delivery, None, 1)?))?;
    Ok(first.first().map(|attempt| attempt.due))
}

/// The triggers of the library in force that take an event of a hook.
pub fn takers(app: &App, hook: &str, event_type: &str) -> Vec<String> {
    let takes = |set: &Set| match &set.trigger().source {
        Source::Hook { hook: own, types } => {
            own == hook && (types.is_empty() || types.iter().any(|known| known == event_type))
        }
        _ => false,
    };
    handlers::all(app).iter().filter(|set| takes(set)).map(Set::id).collect()
}

/// Has every due delivery taken; how many attempts that were.
///
/// # Errors
/// The store's failure.
pub async fn run(app: &App, now: Instant) -> Result<usize> {
    let mut done = 0;
    loop {
        let due = app.read(Rights::system(), |work| {
            Ok(messages::attempts_due(&mut work.tx, AttemptKind::Delivery, Some(now), PAGE_ATTEMPTS)?)
        })?;
        let full = due.len() == PAGE_ATTEMPTS;
        let taken = take_page(app, &due, now).await;
        done += taken;
        if !full || taken == 0 {
            return Ok(done);
        }
    }
}

/// Has a page of attempts taken. The script threads do not wait for the disk: all of the page is waited for at its end.
async fn take_page(app: &App, due: &[Attempt], now: Instant) -> usize {
    let (mut done, mut last) = (0, 0);
    let mut waiting = Vec::new();
    for chunk in due.chunks(CHUNK_ATTEMPTS) {
        let (app_of_job, attempts) = (app.clone(), chunk.to_vec());
        let job = tokio::spawn(async move { told(take_all(&app_of_job, attempts, now).await) });
        waiting.push(job);
        if app.is_manual() {
            for job in waiting.drain(..) {
                add(&mut done, &mut last, job.await.unwrap_or_default());
            }
        }
    }
    for job in waiting {
        add(&mut done, &mut last, job.await.unwrap_or_default());
    }
    if super::timers::until_durable(app, last).await { done } else { 0 }
}

fn add(done: &mut usize, last: &mut u64, (taken, seq): (usize, u64)) {
    *done += taken;
    *last = (*last).max(seq);
}

/// How many were taken, and the last sequence of that.
async fn take_all(app: &App, attempts: Vec<Attempt>, now: Instant) -> Result<(usize, u64)> {
    on_script_thread(app, move |app| {
        let sets: HashMap<String, Set> = handlers::all(app).into_iter().map(|set| (set.id(), set)).collect();
        let mut last = 0;
        for attempt in &attempts {
            last = last.max(take(app, sets.get(&attempt.which), attempt, now)?);
        }
        Ok((attempts.len(), last))
    })
    .await
}

fn told(outcome: Result<(usize, u64)>) -> (usize, u64) {
    outcome.unwrap_or_else(|error| {
        tracing::error!(error = %crate::app::chain(&error), "deliveries could not be taken; they are tried again");
        (0, 0)
    })
}

fn take(app: &App, set: Option<&Set>, attempt: &Attempt, now: Instant) -> ops::Result<u64> {
    let cause = format!("{}/{}@{}", attempt.id, attempt.which, attempt.due.timestamp_micros());
    let done = app.transact(now, &Rights::system(), &cause, |work| {
        let Some(delivery) = ops::deliveries::to_take(work, attempt.id, &attempt.which, attempt.due)? else {
            return Ok(None);
        };
        let Some(set) = set else {
            // The file that took it is gone: nobody will, until it is back and the delivery is driven again.
            let run = work.id(crate::domain::ids::Noun::Run);
            ops::deliveries::took(work, &delivery, &attempt.which, run, Some("the file that takes it is gone"))?;
            return Ok(None);
        };
        let event = event(&delivery, &attempt.which);
        let outcome = handlers::run(app, work, set, &event)?;
        let run = match &outcome.run {
            Some(run) => run.id,
            None => work.id(crate::domain::ids::Noun::Run),
        };
        let why = outcome.run.as_ref().and_then(|run| run.error.as_ref()).map(|error| error.message.clone());
        let error = outcome.failed.then(|| why.unwrap_or_else(|| "it failed".to_owned()));
        ops::deliveries::took(work, &delivery, &attempt.which, run, error.as_deref())?;
        Ok(outcome.run)
    })?;
    handlers::count(app, done.value.as_ref());
    Ok(done.seq)
}

fn event(delivery: &Delivery, trigger: &str) -> Event {
    let mut event = Event::new("hook", delivery.at, trigger);
    event.event_type.clone_from(&delivery.event_type);
    event.delivery = Some(delivery.id);
    event.sent_at = Some(delivery.sent_at);
    let body = json::parse_up_to(delivery.body.as_bytes(), delivery.body.len()).unwrap_or(json::Value::Null);
    let data = body.get("data").cloned().unwrap_or(body);
    event.data = Some(Json::new(data));
    event
}
