//! Answering a request that waits: a person approves, denies or takes it back, or nobody does in time.

use super::carrying::carry_out;
use super::keeping::{close, save};
use super::{deny_now, settle};
use crate::domain::decision::Verdict;
use crate::domain::quote::Effect;
use crate::domain::request::{Otherwise, Ruling, State};
use crate::domain::subscription::{Renewal, Status};
use crate::domain::{Grant, Id, Instant, Kind, Refusal, Request, Subscription, SubscriptionId};
use crate::ops::{Result, Work, judgements, not_found, purchases, quotes, rights, subscriptions, support, tenants};
use crate::store::records::{Stored, requests as rows};

/// What answering a waiting request came to.
#[derive(Debug, Clone)]
pub enum Answered {
    /// It stands.
    Done(Request),
    /// Something moved since it was reviewed: it was decided anew and has to be looked at again (412).
    Moved(Request),
}

/// One request within reach.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, id: Id) -> Result<Request> {
    work.require(&Grant::Read("requests"))?;
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    found.filter(|request| rights::sees_request(work, request)).ok_or_else(|| not_found("request", &id))
}

/// The request of a kind that is open on a subscription, waiting or scheduled.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn open_of(work: &mut Work, id: SubscriptionId, kind: Kind) -> Result<Option<Request>> {
    work.require(&Grant::Read("requests"))?;
    let tenant = subscriptions::load(work, id)?.value.tenant;
    let found = rows::open(&mut work.tx, tenant, id, kind)?;
    Ok(found.filter(|request| rights::sees_request(work, request)))
}

/// A waiting request for somebody who may answer it: right, reach, state, expiry, generation and the two pairs of eyes.
fn to_answer(work: &mut Work, id: Id, seen: Option<u64>) -> Result<Request> {
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    let request = found.filter(|request| rights::finds(work, request)).ok_or_else(|| not_found("request", &id))?;
    rights::to_answer(work, &request)?;
    if request.state != State::Waiting {
        let state = request.state.as_str();
        return Err(
            Refusal::new("already_decided", format!("request {id} is {state}; nothing waits for an answer")).into()
        );
    }
    if request.expires_at.is_some_and(|at| work.now >= at) {
        return Err(Refusal::new("approval_expired", format!("request {id} has expired")).into());
    }
    if let Some(seen) = seen.filter(|seen| *seen != request.generation) {
        let message = format!("request {id} is at generation {}, not {seen}; look at it again", request.generation);
        return Err(Refusal::new("stale_approval", message).into());
    }
    rights::two_pairs_of_eyes(work, &request)?;
    Ok(request)
}

/// Approves a waiting request. When the subscription moved since it was reviewed, it is decided anew instead.
///
/// # Errors
/// `forbidden`, `not_found`, `already_decided`, `approval_expired`, `stale_approval`, `self_approval`, `support_first`
/// (its support request is not closed yet), `operation_pending` (it goes on waiting), and whatever the terms refuse by now.
pub fn approve(work: &mut Work, id: Id, seen: Option<u64>, note: &str) -> Result<Answered> {
    let before = to_answer(work, id, seen)?;
    if let Some(open) = support::unanswered(work, &before)? {
        let message =
            format!("support request {open} has to be answered first: close it with what support said, or deny {id}");
        return Err(Refusal::new("support_first", message).into());
    }
    let stored = subscriptions::load_any(work, before.tenant, before.subscription)?;
    let mut request = before.clone();
    let quote = quotes::quote(work, &stored.value, &request.change)?;
    // Refused for now is not refused: it still waits afterwards.
    if let Some(refusal) = quote.refusal.clone().filter(|refusal| refusal.retry_after.is_some()) {
        return Err(refusal.into());
    }
    let moved = stored.value.standing.generation != before.subscription_generation;
    if moved {
        return decide_anew(work, &before, request, &stored);
    }
    if !quote.allowed && quote.effect != Effect::StopRenewal {
        return decide_anew(work, &before, request, &stored);
    }
    request.quote = quote;
    request.ruling =
        Some(Ruling { by: work.rights.principal.clone(), at: work.now, approved: true, note: note.to_owned() });
    carry_out(work, Some(&before), &mut request, &stored)?;
    work.effect(format!("approved {id}"));
    Ok(Answered::Done(request))
}

fn decide_anew(
    work: &mut Work,
    before: &Request,
    mut request: Request,
    stored: &Stored<Subscription>,
) -> Result<Answered> {
    if !quoted_anew(work, before, &mut request, stored)? {
        return Ok(Answered::Moved(request));
    }
    let mut judgement = judgements::judge(work, &mut request, stored)?;
    // A person has asked to see it: an approval by policy alone must not slip through behind their back.
    if judgement.verdict == Verdict::Approve {
        judgement.verdict = Verdict::Review;
        judgement.reasons.insert(0, "the subscription changed since it was reviewed".to_owned());
        request.reasons.clone_from(&judgement.reasons);
    }
    settle(work, Some(before), &mut request, stored, judgement)?;
    Ok(Answered::Moved(request))
}

/// Quotes a request of what has moved. False when the terms refuse it by now; it is closed then.
fn quoted_anew(
    work: &mut Work,
    before: &Request,
    request: &mut Request,
    stored: &Stored<Subscription>,
) -> Result<bool> {
    request.quote = quotes::quote(work, &stored.value, &request.change)?;
    request.subscription_generation = stored.value.standing.generation;
    request.tenant_generation = tenants::generation(work, request.tenant)?;
    if request.quote.allowed || request.quote.effect == Effect::StopRenewal {
        return Ok(true);
    }
    request.refusal = request.quote.refusal.clone();
    request.reasons = request.refusal.iter().map(|refusal| refusal.message.clone()).collect();
    close(work, Some(before), request, State::Refused)?;
    let after = purchases::after_no(work, stored, request)?;
    work.save_subscription(Some(stored), &after)?;
    work.note("request.refused", Some(&after), Some(request.id), &request.reasons.join("; "));
    Ok(false)
}

/// Asks the policies once more about a request that waits, where the subscription or its customer changed since they
/// were asked: what they approve or deny by now is done, anything else goes on waiting as before. None when nothing
/// changed, or when support has to answer first.
pub(in crate::ops) fn look_again(
    work: &mut Work,
    before: &Request,
    stored: &Stored<Subscription>,
) -> Result<Option<Request>> {
    let moved = stored.value.standing.generation != before.subscription_generation
        || tenants::generation(work, before.tenant)? != before.tenant_generation;
    if before.state != State::Waiting || before.support.is_some() || !moved {
        return Ok(None);
    }
    let mut request = before.clone();
    if !quoted_anew(work, before, &mut request, stored)? {
        return Ok(Some(request));
    }
    let judgement = judgements::judge(work, &mut request, stored)?;
    if matches!(judgement.verdict, Verdict::Review | Verdict::Abstain) {
        request.roles = judgement.roles;
        save(work, Some(before), &mut request)?;
    } else {
        settle(work, Some(before), &mut request, stored, judgement)?;
    }
    Ok(Some(request))
}

/// Denies a waiting request, whatever support says.
///
/// # Errors
/// As [`approve`], but for `support_first`.
pub fn deny(work: &mut Work, id: Id, seen: Option<u64>, note: &str) -> Result<Answered> {
    let before = to_answer(work, id, seen)?;
    let stored = subscriptions::load_any(work, before.tenant, before.subscription)?;
    let mut request = before.clone();
    request.ruling =
        Some(Ruling { by: work.rights.principal.clone(), at: work.now, approved: false, note: note.to_owned() });
    deny_now(work, Some(&before), &mut request, &stored, true)?;
    work.effect(format!("denied {id}"));
    Ok(Answered::Done(request))
}

/// Takes an open request back: its proposer, or somebody who may answer it.
///
/// # Errors
/// `forbidden`, `not_found`, `already_decided`.
pub fn withdraw(work: &mut Work, id: Id, note: &str) -> Result<Request> {
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    let before = found.filter(|request| work.reaches(request.tenant)).ok_or_else(|| not_found("request", &id))?;
    if !before.proposed_by.is_same_as(&work.rights.principal) {
        work.require(&Grant::Decide(Some(before.kind)))?;
    }
    if !before.state.is_open() {
        let state = before.state.as_str();
        return Err(
            Refusal::new("already_decided", format!("request {id} is {state}; there is nothing to withdraw")).into()
        );
    }
    let stored = subscriptions::load_any(work, before.tenant, before.subscription)?;
    let mut request = before.clone();
    if !note.is_empty() {
        request.reasons.insert(0, note.to_owned());
    }
    close(work, Some(&before), &mut request, State::Withdrawn)?;
    let mut after = purchases::after_no(work, &stored, &request)?;
    if request.kind == Kind::Renewal {
        after.standing.renewal = Renewal::Open;
    }
    work.save_subscription(Some(&stored), &after)?;
    work.note("request.withdrawn", Some(&after), Some(id), note);
    work.effect(format!("withdrew {id}"));
    Ok(request)
}

/// A waiting request nobody answered: policies are asked once more where something changed since, else its stated
/// outcome happens. Nothing when it was answered meanwhile.
///
/// # Errors
/// What the store answers.
pub fn expire(work: &mut Work, id: Id, due: Instant) -> Result<()> {
    let Some(stored_request) = rows::get(&mut work.tx, id)? else { return Ok(()) };
    let before = stored_request.value;
    if before.state != State::Waiting || before.expires_at != Some(due) {
        return Ok(());
    }
    let stored = subscriptions::load_any(work, before.tenant, before.subscription)?;
    // What the terms refuse by now was not answered in time either.
    let may = quotes::quote(work, &stored.value, &before.change)?;
    let again = if may.allowed { look_again(work, &before, &stored)? } else { None };
    let before = match again {
        Some(again) if again.state != State::Waiting => return Ok(()),
        Some(again) => again,
        None => before,
    };
    let mut request = before.clone();
    request.reasons.insert(0, "nobody answered in time".to_owned());
    // What support has not answered is not approved by the time that passes either.
    let approves = before.otherwise == Some(Otherwise::Approve) && support::unanswered(work, &before)?.is_none();
    match before.otherwise.filter(|otherwise| approves || *otherwise != Otherwise::Approve).unwrap_or(Otherwise::Expire)
    {
        Otherwise::Approve => carry_out(work, Some(&before), &mut request, &stored),
        Otherwise::Deny => deny_now(work, Some(&before), &mut request, &stored, true),
        Otherwise::Expire => {
            close(work, Some(&before), &mut request, State::Expired)?;
            let mut after = purchases::after_no(work, &stored, &request)?;
            if request.kind == Kind::Renewal {
                after.standing.renewal = Renewal::Open;
            }
            work.save_subscription(Some(&stored), &after)?;
            work.note("request.expired", Some(&after), Some(id), "");
            Ok(())
        }
    }
}

/// A request scheduled for an instant that has come: a cancellation at the end of the term.
///
/// # Errors
/// What the store answers.
pub fn fall_due(work: &mut Work, id: Id, due: Instant) -> Result<()> {
    let Some(stored_request) = rows::get(&mut work.tx, id)? else { return Ok(()) };
    let before = stored_request.value;
    if before.state != State::Scheduled || before.scheduled_for != Some(due) {
        return Ok(());
    }
    let stored = subscriptions::load_any(work, before.tenant, before.subscription)?;
    let mut request = before.clone();
    let ended = !matches!(stored.value.standing.status, Status::Active | Status::Pending);
    close(work, Some(&before), &mut request, if ended { State::Applied } else { State::Withdrawn })?;
    work.save_subscription(Some(&stored), &stored.value)
}
