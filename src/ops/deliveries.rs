//! Inbound deliveries: accepted into a row first, taken by files at our own pace.

use crate::domain::ids::Noun;
use crate::domain::trigger::{Delivery, DeliveryState, Taken};
use crate::domain::{Grant, Id, Instant, Refusal, Span};
use crate::store::records::{Page, deliveries as rows};

use super::work::Work;
use super::{Result, not_found};

/// The pauses before each attempt after the first; after the last one the delivery is dead for that file.
pub const RETRIES: [Span; 4] = [
    Span { months: 0, days: 0, seconds: 10 },
    Span { months: 0, days: 0, seconds: 60 },
    Span { months: 0, days: 0, seconds: 600 },
    Span::hours(1),
];

/// A call that passed the door.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The hook.
    pub hook: String,
    /// The sender's id.
    pub webhook_id: String,
    /// The event's type.
    pub event_type: String,
    /// The sender's timestamp.
    pub sent_at: Instant,
    /// The raw body, as text.
    pub body: String,
    /// BLAKE3 of the raw bytes, in hex.
    pub body_hash: String,
    /// The triggers that take it (file and place).
    pub takers: Vec<String>,
    /// Whether it was signed well and is no JSON: recorded, never processed.
    pub rejected: bool,
}

/// What accepting came to.
#[derive(Debug, Clone)]
pub enum Accepted {
    /// It is new.
    New(Delivery),
    /// The same id and bytes came before.
    Duplicate(Delivery),
}

/// Takes a call in, once.
///
/// # Errors
/// `event_id_reused` when the same id came before with other bytes.
pub fn accept(work: &mut Work, incoming: Incoming) -> Result<Accepted> {
    if let Some(id) = rows::by_webhook_id(&mut work.tx, &incoming.hook, &incoming.webhook_id)? {
        let known =
            rows::get(&mut work.tx, id)?.map(|stored| stored.value).ok_or_else(|| not_found("delivery", &id))?;
        if known.body_hash == incoming.body_hash {
            return Ok(Accepted::Duplicate(known));
        }
        let message = format!("hook {} has taken this webhook-id before, with another body", incoming.hook);
        return Err(Refusal::new("event_id_reused", message).into());
    }
    let state = match (incoming.rejected, incoming.takers.is_empty()) {
        (true, _) => DeliveryState::Rejected,
        (false, true) => DeliveryState::Ignored,
        (false, false) => DeliveryState::Pending,
    };
    let taken = |trigger: String| Taken {
        trigger,
        done: false,
        attempts: 0,
        next_attempt_at: Some(work.now),
        runs: Vec::new(),
        error: None,
    };
    let taken = if incoming.rejected { Vec::new() } else { incoming.takers.into_iter().map(taken).collect() };
    let delivery = Delivery {
        id: work.id(Noun::Delivery),
        hook: incoming.hook,
        webhook_id: incoming.webhook_id,
        event_type: incoming.event_type,
        at: work.now,
        sent_at: incoming.sent_at,
        state,
        body: incoming.body,
        body_hash: incoming.body_hash,
        taken,
    };
    rows::save(&mut work.tx, None, &delivery)?;
    Ok(Accepted::New(delivery))
}

/// A delivery that a trigger still has to take, at this due instant; none when that is settled.
///
/// # Errors
/// What the store answers.
pub fn to_take(work: &mut Work, id: Id, trigger: &str, due: Instant) -> Result<Option<Delivery>> {
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    Ok(found.filter(|delivery| {
        delivery.taken.iter().any(|taken| taken.trigger == trigger && !taken.done && taken.next_attempt_at == Some(due))
    }))
}

/// Records that a trigger has taken a delivery (in the transaction of its effects) or failed on it.
///
/// # Errors
/// What the store answers.
pub fn took(work: &mut Work, before: &Delivery, trigger: &str, run: Id, error: Option<&str>) -> Result<Delivery> {
    let mut after = before.clone();
    if let Some(taken) = after.taken.iter_mut().find(|taken| taken.trigger == trigger) {
        let tried = taken.attempts as usize;
        taken.attempts += 1;
        taken.runs.push(run);
        taken.error = error.map(|text| text.chars().take(1000).collect());
        taken.done = error.is_none();
        taken.next_attempt_at = match error {
            None => None,
            Some(_) => RETRIES.get(tried).and_then(|pause| pause.after(work.now)),
        };
    }
    after.state = state_of(&after);
    rows::save(&mut work.tx, Some(before), &after)?;
    Ok(after)
}

fn state_of(delivery: &Delivery) -> DeliveryState {
    if delivery.taken.iter().any(|taken| taken.next_attempt_at.is_some()) {
        DeliveryState::Pending
    } else if delivery.taken.iter().all(|taken| taken.done) {
        DeliveryState::Processed
    } else {
        DeliveryState::Dead
    }
}

/// One delivery.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, id: Id) -> Result<Delivery> {
    work.require(&Grant::Read("deliveries"))?;
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    // A delivery is not about one tenant, so narrowed rights do not reach it.
    found.filter(|_| work.reaches_all()).ok_or_else(|| not_found("delivery", &id))
}

/// A page of deliveries, newest first.
///
/// # Errors
/// `forbidden`.
pub fn list(work: &mut Work, before: Option<&[u8]>, limit: usize) -> Result<Page<Delivery>> {
    work.require(&Grant::Read("deliveries"))?;
    if !work.reaches_all() {
        return Ok(Page { items: Vec::new(), next: None });
    }
    Ok(rows::page(&mut work.tx, before, limit)?)
}

/// Has a dead delivery taken again, by the files that failed on it.
///
/// # Errors
/// `forbidden`, `not_found`, `nothing_to_redrive`.
pub fn redrive(work: &mut Work, id: Id) -> Result<Delivery> {
    work.require(&Grant::DeliveriesRedrive)?;
    let before = rows::get(&mut work.tx, id)?.map(|stored| stored.value).ok_or_else(|| not_found("delivery", &id))?;
    let mut after = before.clone();
    for taken in after.taken.iter_mut().filter(|taken| !taken.done) {
        taken.attempts = 0;
        taken.next_attempt_at = Some(work.now);
    }
    if after == before {
        return Err(
            Refusal::new("nothing_to_redrive", format!("every file that takes delivery {id} has done so")).into()
        );
    }
    after.state = state_of(&after);
    rows::save(&mut work.tx, Some(&before), &after)?;
    work.note("delivery.redriven", None, None, &id.to_string());
    Ok(after)
}
