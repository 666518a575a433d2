//! The life of a request: proposed, quoted, asked about, answered, and carried out or not. One commit for everything.

use crate::domain::decision::{Decision, Verdict};
use crate::domain::ids::Noun;
use crate::domain::lifecycle;
use crate::domain::quote::Effect;
use crate::domain::request::{Otherwise, Outcome, Ruling, State, Upstream};
use crate::domain::subscription::{Renewal, Status};
use crate::domain::support::Form;
use crate::domain::{Change, Grant, Id, Instant, Kind, Refusal, Request, Subscription, SubscriptionId};
use crate::partner_center::upstream;
use crate::store::records::timers::{self, Timer};
use crate::store::records::{Stored, requests as rows, subscriptions as subscription_rows};
use crate::store::tables::TimerKind;

use super::work::{Judgement, Work};
use super::{
    Result, add_ons, cancellations, messages, not_found, orders, purchases, quotes, rights, subscriptions, support,
    tenants,
};

/// What proposing came to.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// In one word.
    pub outcome: Outcome,
    /// The request; none when the change changes nothing.
    pub request: Option<Request>,
    /// The subscription as it stands afterwards.
    pub subscription: Subscription,
}

/// Proposes a change. The domain quotes or refuses, the policies are asked, and it is applied, scheduled, denied or
/// waits. Proposing what is open already returns it; a change that changes nothing asks nobody.
///
/// # Errors
/// `forbidden` and `not_found`; a refusal by the terms is an outcome and no error.
pub fn propose(work: &mut Work, id: SubscriptionId, change: Change, why: &str) -> Result<Proposed> {
    work.require(&Grant::Propose(Some(change.kind())))?;
    let stored = subscriptions::load(work, id)?;
    propose_on(work, stored, change, why)
}

/// Proposes what the terms let go by a support request alone (W60op): it is opened with this form, and what policies
/// would approve waits for a person, who answers when support has.
///
/// # Errors
/// As [`propose`]; what [`Form::check`] refuses.
pub(super) fn propose_by_support(
    work: &mut Work,
    id: SubscriptionId,
    change: Change,
    why: &str,
    form: Form,
) -> Result<Proposed> {
    work.require(&Grant::Propose(Some(change.kind())))?;
    let stored = subscriptions::load(work, id)?;
    propose_with(work, stored, change, why, Some(form))
}

/// The same for a subscription that has been read.
pub(super) fn propose_on(work: &mut Work, stored: Stored<Subscription>, change: Change, why: &str) -> Result<Proposed> {
    propose_with(work, stored, change, why, None)
}

fn propose_with(
    work: &mut Work,
    stored: Stored<Subscription>,
    change: Change,
    why: &str,
    form: Option<Form>,
) -> Result<Proposed> {
    let asks_only = rights::to_propose(work, &stored.value, &change)?;
    if matches!(change.kind(), Kind::Purchase | Kind::Conversion) {
        work.settings.partner.may_buy()?;
    }
    let id = stored.value.id;
    if lifecycle::is_unchanged(&stored.value, &change) {
        return Ok(Proposed { outcome: Outcome::Unchanged, request: None, subscription: stored.value });
    }
    if let Some(open) = rows::open(&mut work.tx, stored.value.tenant, id, change.kind())? {
        return Ok(Proposed { outcome: outcome_of(open.state), request: Some(open), subscription: stored.value });
    }
    if let Some(settled) = settled_renewal(&stored, &change)? {
        return Ok(settled);
    }
    let mut request = draft(work, &stored.value, change, why)?;
    request.asks_only = asks_only;
    let request = decide(work, request, &stored, form)?;
    let subscription =
        subscription_rows::get(&mut work.tx, stored.value.tenant, id)?.map_or(stored.value, |now| now.value);
    work.effect(format!("{} {} {}", request.kind, request.id, outcome_of(request.state).as_str()));
    Ok(Proposed { outcome: outcome_of(request.state), request: Some(request), subscription })
}

/// One request a (subscription, term end): a renewal that was denied is not asked again for the same end.
fn settled_renewal(stored: &Stored<Subscription>, change: &Change) -> Result<Option<Proposed>> {
    let Change::Renewal { term_end, .. } = change else { return Ok(None) };
    if stored.value.standing.term_end != Some(*term_end) {
        let end = stored.value.standing.term_end.map_or("none".to_owned(), crate::domain::calendar::show);
        return Err(Refusal::new("wrong_term_end", format!("the present term ends at {end}")).into());
    }
    if stored.value.standing.renewal != Renewal::Denied {
        return Ok(None);
    }
    Ok(Some(Proposed { outcome: Outcome::Denied, request: None, subscription: stored.value.clone() }))
}

fn draft(work: &mut Work, subscription: &Subscription, change: Change, why: &str) -> Result<Request> {
    let quote = quotes::quote(work, subscription, &change)?;
    let tenant_generation = tenants::generation(work, subscription.tenant)?;
    Ok(Request {
        id: work.id(Noun::Request),
        tenant: subscription.tenant,
        subscription: subscription.id,
        kind: change.kind(),
        change,
        state: State::Waiting,
        generation: 1,
        subscription_generation: subscription.standing.generation,
        tenant_generation,
        proposed_by: work.rights.principal.clone(),
        set_off_by: work.behind.clone(),
        asks_only: false,
        why: why.chars().take(1000).collect(),
        cause: work.cause.clone(),
        proposed_at: work.now,
        quote,
        reasons: Vec::new(),
        decisions: Vec::new(),
        roles: Vec::new(),
        amendments: Default::default(),
        expires_at: None,
        otherwise: None,
        scheduled_for: None,
        ruling: None,
        closed_at: None,
        refusal: None,
        upstream: None,
        support: None,
    })
}

/// Asks the policies about a fresh request and settles it; refused ones are kept too.
fn decide(work: &mut Work, mut request: Request, stored: &Stored<Subscription>, form: Option<Form>) -> Result<Request> {
    if !request.quote.allowed && request.quote.effect != Effect::StopRenewal {
        refuse(work, &mut request, stored)?;
        return Ok(request);
    }
    let mut judgement = judge(work, &mut request, stored)?;
    if let Some(form) = form {
        leave_to_support(&mut judgement, form);
        request.reasons.clone_from(&judgement.reasons);
    }
    settle(work, None, &mut request, stored, judgement)?;
    Ok(request)
}

pub(super) fn judge(work: &mut Work, request: &mut Request, stored: &Stored<Subscription>) -> Result<Judgement> {
    let asked = std::sync::Arc::clone(&work.judge);
    let mut judgement = asked.ask(work, request, &stored.value)?;
    if request.asks_only {
        rights::leave_to_a_person(&mut judgement);
    }
    let by_default = (judgement.verdict == Verdict::Abstain).then(|| default_of(request, &stored.value));
    if let Some((verdict, reason)) = &by_default {
        judgement.verdict = *verdict;
        judgement.reasons.push((*reason).to_owned());
    }
    let id = work.id(Noun::Decision);
    request.decisions.push(id);
    request.reasons.clone_from(&judgement.reasons);
    let seen = work.tx.seq();
    work.record().decisions.push(Decision {
        id,
        request: request.id,
        tenant: request.tenant,
        subscription: request.subscription,
        kind: request.kind,
        at: request.proposed_at,
        seen,
        answers: judgement.answers.clone(),
        verdict: judgement.verdict,
        by_default: by_default.map(|(_, reason)| reason.to_owned()),
        quote: request.quote.clone(),
        became: request.state,
    });
    let now = work.now;
    if let Some(decision) = work.record().decisions.last_mut() {
        decision.at = now;
    }
    Ok(judgement)
}

/// The terms ask for a support request first: nothing is approved before a person has seen what support answers.
fn leave_to_support(judgement: &mut Judgement, form: Form) {
    if judgement.verdict == Verdict::Approve {
        judgement.verdict = Verdict::Review;
        judgement.reasons.insert(0, "it goes by a support request: a person answers when support has".to_owned());
    }
    judgement.otherwise = judgement.otherwise.filter(|otherwise| *otherwise != Otherwise::Approve);
    judgement.support.get_or_insert(form);
}

/// What stands when every file abstains: a renewal follows auto-renew, everything else goes to a person.
fn default_of(request: &Request, subscription: &Subscription) -> (Verdict, &'static str) {
    match request.kind {
        Kind::Renewal if subscription.standing.auto_renew_enabled => {
            (Verdict::Approve, "no policy answered: auto-renew is on")
        }
        Kind::Renewal => (Verdict::Deny, "no policy answered: auto-renew is off"),
        _ => (Verdict::Review, "no policy answered: a person decides"),
    }
}

fn settle(
    work: &mut Work,
    before: Option<&Request>,
    request: &mut Request,
    stored: &Stored<Subscription>,
    judgement: Judgement,
) -> Result<()> {
    request.amendments = judgement.amendments;
    request.roles = judgement.roles;
    match judgement.verdict {
        Verdict::Deny => deny_now(work, before, request, stored),
        Verdict::Review | Verdict::Abstain => {
            if let Some(form) = judgement.support {
                support::ask(work, request, &stored.value, form)?;
            }
            wait(work, before, request, stored, judgement.expires_at, judgement.otherwise)
        }
        Verdict::Approve => carry_out(work, before, request, stored),
    }
}

fn refuse(work: &mut Work, request: &mut Request, stored: &Stored<Subscription>) -> Result<()> {
    request.refusal = request.quote.refusal.clone();
    let reason = request.refusal.as_ref().map(|refusal| refusal.message.clone());
    request.reasons = reason.into_iter().collect();
    close(work, None, request, State::Refused)?;
    let mut after = purchases::after_no(work, stored, request)?;
    if request.kind == Kind::Renewal {
        after.standing.renewal = Renewal::Refused;
    }
    work.save_subscription(Some(stored), &after)?;
    work.note("request.refused", Some(&after), Some(request.id), &request.reasons.join("; "));
    Ok(())
}

fn deny_now(
    work: &mut Work,
    before: Option<&Request>,
    request: &mut Request,
    stored: &Stored<Subscription>,
) -> Result<()> {
    close(work, before, request, State::Denied)?;
    let mut after = purchases::after_no(work, stored, request)?;
    if request.kind == Kind::Renewal {
        after = lifecycle::deny_renewal(&after, work.now).subscription;
    }
    work.save_subscription(Some(stored), &after)?;
    work.note("request.denied", Some(&after), Some(request.id), &request.reasons.join("; "));
    Ok(())
}

/// A renewal waits until its term ends, anything else for the set time or until its window closes.
fn wait(
    work: &mut Work,
    before: Option<&Request>,
    request: &mut Request,
    stored: &Stored<Subscription>,
    expires_at: Option<Instant>,
    otherwise: Option<Otherwise>,
) -> Result<()> {
    let default = match &request.change {
        Change::Renewal { term_end, .. } => Some(*term_end),
        _ => work.settings.waits.after(work.now),
    };
    let window = request.quote.allowed_until.filter(|_| request.quote.allowed);
    let bounds = [expires_at.or(default), window];
    request.expires_at = bounds.into_iter().flatten().min().map(|at| at.max(work.now));
    request.otherwise = Some(otherwise.unwrap_or(match request.kind {
        Kind::Renewal => Otherwise::Deny,
        _ => Otherwise::Expire,
    }));
    request.state = State::Waiting;
    save(work, before, request)?;
    let mut after = stored.value.clone();
    if request.kind == Kind::Renewal {
        after.standing.renewal = Renewal::Waiting;
    }
    work.save_subscription(Some(stored), &after)?;
    work.note("request.waiting", Some(&after), Some(request.id), &request.reasons.join("; "));
    messages::tell_of(work, "request.waiting", &after, request, None)
}

fn carry_out(
    work: &mut Work,
    before: Option<&Request>,
    request: &mut Request,
    stored: &Stored<Subscription>,
) -> Result<()> {
    let stops = request.quote.effect == Effect::StopRenewal;
    let mut applied = match quotes::apply(work, &stored.value, &request.change, &request.amendments)? {
        Ok(applied) => applied,
        Err(refusal) => {
            request.refusal = Some(refusal.clone());
            request.reasons.insert(0, refusal.message);
            close(work, before, request, State::Refused)?;
            let after = purchases::after_no(work, stored, request)?;
            return work.save_subscription(Some(stored), &after);
        }
    };
    request.subscription_generation = applied.subscription.standing.generation;
    let switched_on = matches!(request.change, Change::AutoRenew { enabled: true });
    if switched_on && applied.subscription.standing.renewal == Renewal::Denied {
        applied.subscription.standing.renewal = Renewal::Open;
    }
    let later = stops || request.kind == Kind::Renewal;
    if later {
        request.state = State::Scheduled;
        request.scheduled_for = stored.value.standing.term_end;
        request.expires_at = None;
        save(work, before, request)?;
    } else {
        close(work, before, request, State::Applied)?;
    }
    work.save_subscription(Some(stored), &applied.subscription)?;
    if switched_on {
        reopen_renewal(work, &applied.subscription)?;
    }
    close_moot(work, &applied.subscription, request.id)?;
    let begins = matches!(request.kind, Kind::Purchase | Kind::Activation);
    if begins || applied.subscription.standing.status == Status::Deleted {
        orders::follow(work, &applied.subscription, None)?;
    }
    work.owe(&applied.subscription, Some(request.id), applied.lines)?;
    if let Change::Suspension { reason } = request.change {
        add_ons::suspended_with(work, &applied.subscription, reason, Some(request.id))?;
    }
    let operation = if later { "request.scheduled" } else { applied.topic };
    work.note(operation, Some(&applied.subscription), Some(request.id), &request.reasons.join("; "));
    if later && request.scheduled_for.is_some_and(|at| at <= work.now) {
        // It happens now: what tells of that tells of this too.
        return Ok(());
    }
    let call =
        upstream::call(&request.change, &request.amendments, request.quote.effect, &applied.subscription, request.id);
    messages::tell_of(work, operation, &applied.subscription, request, Some(&call))?;
    if request.kind == Kind::Cancellation && !later {
        cancellations::tell(work, &applied.subscription, request)?;
    }
    Ok(())
}

/// Auto-renew is on again: a cancellation scheduled for the term end is off, and a renewal may be asked for again.
fn reopen_renewal(work: &mut Work, subscription: &Subscription) -> Result<()> {
    if let Some(open) = rows::open(&mut work.tx, subscription.tenant, subscription.id, Kind::Cancellation)?
        && open.state == State::Scheduled
    {
        let mut after = open.clone();
        close(work, Some(&open), &mut after, State::Withdrawn)?;
    }
    Ok(())
}

/// What the change has made moot is withdrawn: everything of a subscription that is gone, and a renewal request whose
/// answer the change has wiped (auto-renew off, a suspension).
fn close_moot(work: &mut Work, subscription: &Subscription, but: Id) -> Result<()> {
    let gone = subscription.standing.status == Status::Deleted;
    let renewal_open = subscription.standing.renewal == Renewal::Open;
    if !gone && !renewal_open {
        return Ok(());
    }
    for open in rows::all_open(&mut work.tx, subscription.tenant, subscription.id)? {
        if open.id != but && (gone || open.kind == Kind::Renewal) {
            withdraw_moot(work, &open)?;
        }
    }
    Ok(())
}

/// Withdraws a request whose subject has changed under it.
pub(super) fn withdraw_moot(work: &mut Work, open: &Request) -> Result<()> {
    let mut after = open.clone();
    after.reasons.insert(0, "another change of the subscription made it moot".to_owned());
    close(work, Some(open), &mut after, State::Withdrawn)
}

pub(super) fn close(work: &mut Work, before: Option<&Request>, request: &mut Request, state: State) -> Result<()> {
    request.state = state;
    request.closed_at = Some(work.now);
    request.expires_at = None;
    if state == State::Applied {
        request.upstream = Some(Upstream::Pending);
    }
    save(work, before, request)
}

/// Writes a request and keeps its timers in step with where it stands.
pub(super) fn save(work: &mut Work, before: Option<&Request>, request: &mut Request) -> Result<()> {
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

/// A waiting request for somebody who may answer it: right, reach, state, expiry, generation and the two pairs of eyes.
fn to_answer(work: &mut Work, id: Id, seen: Option<u64>) -> Result<Request> {
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    let request = found.filter(|request| work.reaches(request.tenant)).ok_or_else(|| not_found("request", &id))?;
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
    if seen.is_some_and(|seen| seen != request.generation) {
        let message = format!("request {id} has moved to generation {}; look at it again", request.generation);
        return Err(Refusal::new("stale_approval", message).into());
    }
    rights::two_pairs_of_eyes(work, &request)?;
    Ok(request)
}

/// Approves a waiting request. When the subscription moved since it was reviewed, it is decided anew instead.
///
/// # Errors
/// `forbidden`, `not_found`, `already_decided`, `approval_expired`, `stale_approval`, `self_approval`, and whatever
/// the terms refuse by now.
pub fn approve(work: &mut Work, id: Id, seen: Option<u64>, note: &str) -> Result<Answered> {
    let before = to_answer(work, id, seen)?;
    let stored = subscriptions::load_any(work, before.tenant, before.subscription)?;
    let mut request = before.clone();
    let moved = stored.value.standing.generation != before.subscription_generation;
    if moved {
        return decide_anew(work, &before, request, &stored);
    }
    let quote = quotes::quote(work, &stored.value, &request.change)?;
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
    request.quote = quotes::quote(work, &stored.value, &request.change)?;
    request.subscription_generation = stored.value.standing.generation;
    request.tenant_generation = tenants::generation(work, request.tenant)?;
    if !request.quote.allowed && request.quote.effect != Effect::StopRenewal {
        request.refusal = request.quote.refusal.clone();
        request.reasons = request.refusal.iter().map(|refusal| refusal.message.clone()).collect();
        close(work, Some(before), &mut request, State::Refused)?;
        let after = purchases::after_no(work, stored, &request)?;
        work.save_subscription(Some(stored), &after)?;
        work.note("request.refused", Some(&after), Some(request.id), &request.reasons.join("; "));
        return Ok(Answered::Moved(request));
    }
    let mut judgement = judge(work, &mut request, stored)?;
    // A person has asked to see it: an approval by policy alone must not slip through behind their back.
    if judgement.verdict == Verdict::Approve {
        judgement.verdict = Verdict::Review;
        judgement.reasons.insert(0, "the subscription changed since it was reviewed".to_owned());
        request.reasons.clone_from(&judgement.reasons);
    }
    settle(work, Some(before), &mut request, stored, judgement)?;
    Ok(Answered::Moved(request))
}

/// Denies a waiting request.
///
/// # Errors
/// As [`approve`].
pub fn deny(work: &mut Work, id: Id, seen: Option<u64>, note: &str) -> Result<Answered> {
    let before = to_answer(work, id, seen)?;
    let stored = subscriptions::load_any(work, before.tenant, before.subscription)?;
    let mut request = before.clone();
    request.ruling =
        Some(Ruling { by: work.rights.principal.clone(), at: work.now, approved: false, note: note.to_owned() });
    deny_now(work, Some(&before), &mut request, &stored)?;
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
    if before.proposed_by != work.rights.principal {
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

/// A waiting request nobody answered: its stated outcome happens. Nothing when it was answered meanwhile.
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
    let mut request = before.clone();
    request.reasons.insert(0, "nobody answered in time".to_owned());
    match before.otherwise.unwrap_or(Otherwise::Expire) {
        Otherwise::Approve => carry_out(work, Some(&before), &mut request, &stored),
        Otherwise::Deny => deny_now(work, Some(&before), &mut request, &stored),
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
