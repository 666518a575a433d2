//! Keeping a request: its row, its timers and its place in the record of the transaction.

use crate::domain::request::{Outcome, State, Upstream};
use crate::domain::{Kind, Request};
use crate::ops::{Result, Work};
use crate::store::records::requests as rows;
use crate::store::records::timers::{self, Timer};
use crate::store::tables::TimerKind;

pub(in crate::ops) fn close(
    work: &mut Work,
    before: Option<&Request>,
    request: &mut Request,
    state: State,
) -> Result<()> {
    request.state = state;
    request.closed_at = Some(work.now);
    request.expires_at = None;
    if state == State::Applied {
        request.upstream = Some(Upstream::Pending);
    }
    save(work, before, request)
}

/// Writes a request and keeps its timers in step with where it stands.
pub(in crate::ops) fn save(work: &mut Work, before: Option<&Request>, request: &mut Request) -> Result<()> {
    if let Some(before) = before {
        request.generation = before.generation + 1;
    }
    let old = before.map(timers_of).unwrap_or_default();
    let new = timers_of(request);
    for timer in old.iter().filter(|timer| !new.contains(timer)) {
        timers::clear(&mut work.tx, timer)?;
    }
    for timer in new.iter().filter(|timer| !old.contains(timer)) {
        timers::set(&mut work.tx, timer)?;
    }
    rows::save(&mut work.tx, before, request)?;
    if !work.record().requests.contains(&request.id) {
        let id = request.id;
        work.record().requests.push(id);
    }
    let (id, state) = (request.id, request.state);
    for decision in work.record().decisions.iter_mut().filter(|decision| decision.request == id) {
        decision.became = state;
    }
    Ok(())
}

fn timers_of(request: &Request) -> Vec<Timer> {
    let timer = |kind, due| Timer { kind, due, tenant: request.tenant, subject: request.id.bytes() };
    match request.state {
        State::Waiting => request.expires_at.map(|at| timer(TimerKind::RequestExpiry, at)).into_iter().collect(),
        State::Scheduled if request.kind != Kind::Renewal => {
            request.scheduled_for.map(|at| timer(TimerKind::RequestDue, at)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// In one word, what a request's state means to whoever proposed it.
pub fn outcome_of(state: State) -> Outcome {
    match state {
        State::Applied => Outcome::Applied,
        State::Scheduled => Outcome::Scheduled,
        State::Waiting => Outcome::Waiting,
        State::Denied | State::Withdrawn | State::Expired => Outcome::Denied,
        State::Refused | State::Failed => Outcome::Refused,
    }
}
