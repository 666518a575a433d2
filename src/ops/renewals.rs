//! What happens by itself: the end of a term, of a billing cycle, and the next status. Only term ends are backdated:
//! the new term starts at the old end however late it is processed, one commit a missed term.

use crate::domain::change::Reason;
use crate::domain::decision::Verdict;
use crate::domain::lifecycle::{self, Applied};
use crate::domain::request::{Otherwise, State};
use crate::domain::subscription::{Attention, Renewal, Status};
use crate::domain::{Id, Instant, Kind, Request, Subscription, SubscriptionId, TenantId};
use crate::partner_center::upstream;
use crate::store::records::{Stored, requests as rows, subscriptions as subscription_rows};

use super::requests::AtItsEnd;
use super::work::Work;
use super::{Result, add_ons, judgements, messages, quotes, requests, tenants};

/// Terms that may be renewed in a row though their own end has passed too; then a person looks.
pub const LATE_TERMS_MAX: u8 = 12;

fn still_due(
    work: &mut Work,
    tenant: TenantId,
    id: SubscriptionId,
    is_due: impl Fn(&Subscription) -> bool,
) -> Result<Option<Stored<Subscription>>> {
    Ok(subscription_rows::get(&mut work.tx, tenant, id)?.filter(|stored| is_due(&stored.value)))
}

/// The end of a term has come: a scheduled renewal is carried out and charged, a denied one expires, a waiting one
/// gets its stated outcome, and where nobody has asked it is asked now. Nothing when the end has moved meanwhile.
///
/// # Errors
/// What the store answers.
pub fn term_end(work: &mut Work, tenant: TenantId, id: SubscriptionId, due: Instant) -> Result<()> {
    let Some(stored) = still_due(work, tenant, id, |subscription| subscription.standing.term_end == Some(due))? else {
        return Ok(());
    };
    if stored.value.standing.status != Status::Active {
        return end(work, &stored, None);
    }
    if stored.value.standing.late_terms >= LATE_TERMS_MAX {
        return park(work, &stored, Attention::TermsMissed, None);
    }
    match rows::open(&mut work.tx, tenant, id, Kind::Renewal)? {
        Some(request) if request.state == State::Scheduled => scheduled(work, &stored, request),
        Some(request) => otherwise(work, &stored, request),
        None if stored.value.standing.renewal == Renewal::Denied => end(work, &stored, None),
        None => propose_now(work, &stored, due),
    }
}

/// The policies are asked once more when the subscription or its tenant changed since.
fn scheduled(work: &mut Work, stored: &Stored<Subscription>, request: Request) -> Result<()> {
    let tenant_generation = tenants::generation(work, stored.value.tenant)?;
    let same = request.subscription_generation == stored.value.standing.generation
        && request.tenant_generation == tenant_generation;
    if same {
        return renew(work, stored, &request);
    }
    let mut request = request;
    let judgement = judgements::judge(work, &mut request, stored)?;
    let yes = match judgement.verdict {
        Verdict::Approve => true,
        Verdict::Review => matches!(judgement.otherwise, Some(Otherwise::Approve)),
        Verdict::Deny | Verdict::Abstain => false,
    };
    if yes { renew(work, stored, &request) } else { end(work, stored, Some(request)) }
}

/// Nobody has answered: the policies are asked once more where something changed since, else the stated outcome happens.
fn otherwise(work: &mut Work, stored: &Stored<Subscription>, request: Request) -> Result<()> {
    if let Some(again) = requests::look_again(work, &request, stored)? {
        let (tenant, id) = (stored.value.tenant, stored.value.id);
        let Some(stored) = subscription_rows::get(&mut work.tx, tenant, id)? else { return Ok(()) };
        return match again.state {
            State::Scheduled => renew(work, &stored, &again),
            State::Refused => refused(work, &stored, &again),
            State::Waiting => unanswered(work, &stored, again),
            _ => end(work, &stored, None),
        };
    }
    unanswered(work, stored, request)
}

fn unanswered(work: &mut Work, stored: &Stored<Subscription>, request: Request) -> Result<()> {
    match request.otherwise {
        Some(Otherwise::Approve) => renew(work, stored, &request),
        _ => end(work, stored, Some(request)),
    }
}

fn propose_now(work: &mut Work, stored: &Stored<Subscription>, due: Instant) -> Result<()> {
    let request = match requests::ask_at_its_end(work, stored, due)? {
        AtItsEnd::Approved(request) => return begin(work, stored, None, request),
        AtItsEnd::Settled(request) => request,
    };
    let (tenant, id) = (stored.value.tenant, stored.value.id);
    let Some(stored) = subscription_rows::get(&mut work.tx, tenant, id)? else { return Ok(()) };
    match request.state {
        State::Scheduled => renew(work, &stored, &request),
        State::Waiting => otherwise(work, &stored, request),
        State::Refused => refused(work, &stored, &request),
        _ => end(work, &stored, None),
    }
}

/// A renewal the terms refuse: without a price nothing is cut off and nothing is charged, a person looks; where the
/// terms know no renewal, or auto-renew is off, the term just ends.
fn refused(work: &mut Work, stored: &Stored<Subscription>, request: &Request) -> Result<()> {
    match request.refusal.as_ref().map(|refusal| refusal.code.as_str()) {
        Some("price_unknown") if stored.value.standing.auto_renew_enabled => {
            park(work, stored, Attention::PriceUnknown, Some(request.id))
        }
        _ => end(work, stored, None),
    }
}

fn renew(work: &mut Work, stored: &Stored<Subscription>, request: &Request) -> Result<()> {
    begin(work, stored, Some(request), request.clone())
}

/// The next term begins by a request, which is kept as `before` or not yet.
fn begin(work: &mut Work, stored: &Stored<Subscription>, before: Option<&Request>, mut after: Request) -> Result<()> {
    let applied = match quotes::renew(work, &stored.value, &after.amendments)? {
        Ok(applied) => applied,
        Err(refusal) => {
            after.reasons.insert(0, refusal.message.clone());
            let unpriced = refusal.code == "price_unknown";
            after.refusal = Some(refusal);
            requests::close(work, before, &mut after, State::Refused)?;
            return if unpriced && stored.value.standing.auto_renew_enabled {
                park(work, stored, Attention::PriceUnknown, Some(after.id))
            } else {
                end(work, stored, None)
            };
        }
    };
    let Applied { mut subscription, lines, topic } = applied;
    let late = subscription.standing.term_end.is_some_and(|end| end <= work.now);
    subscription.standing.late_terms = if late { stored.value.standing.late_terms + 1 } else { 0 };
    requests::close(work, before, &mut after, State::Applied)?;
    work.save_subscription(Some(stored), &subscription)?;
    work.owe(&subscription, Some(after.id), lines)?;
    work.note(topic, Some(&subscription), Some(after.id), &after.reasons.join("; "));
    let call = upstream::call(&after.change, &after.amendments, after.quote.effect, &subscription, after.id);
    messages::tell_of(work, topic, &subscription, &after, Some(&call))
}

/// The term ends without another: it goes on by the month where nobody asked for the end and the terms say so, else it
/// is expired, or disabled when it was suspended. What is open on it is closed.
fn end(work: &mut Work, stored: &Stored<Subscription>, denied: Option<Request>) -> Result<()> {
    // Somebody's no is more than auto-renew being off: nothing goes on after it.
    let subject = match &denied {
        Some(_) => lifecycle::deny_renewal(&stored.value, true).subscription,
        None => stored.value.clone(),
    };
    if lifecycle::goes_on(&work.terms, &subject) {
        return extend(work, stored);
    }
    let around = quotes::around_the_end(work, &subject)?;
    let ended = lifecycle::end_term_among(&work.terms, &subject, &around, work.now);
    let Ok(Applied { subscription, lines, topic }) = ended else {
        return park(work, stored, Attention::TermEndPassed, None);
    };
    for open in rows::all_open(&mut work.tx, subscription.tenant, subscription.id)? {
        let mut after = open.clone();
        let state = match open.kind {
            Kind::Renewal => State::Denied,
            Kind::Cancellation if open.state == State::Scheduled => State::Applied,
            _ => State::Withdrawn,
        };
        if let Some(denied) = denied.as_ref().filter(|denied| denied.id == open.id) {
            after.reasons.clone_from(&denied.reasons);
            after.decisions.clone_from(&denied.decisions);
        }
        after.reasons.insert(0, "the term ended".to_owned());
        requests::close(work, Some(&open), &mut after, state)?;
    }
    work.save_subscription(Some(stored), &subscription)?;
    work.owe(&subscription, None, lines)?;
    work.note(topic, Some(&subscription), denied.map(|request| request.id), "the term ended");
    add_ons::suspended_with(work, &subscription, Reason::CustomerRequest, None)?;
    messages::tell(work, topic, &subscription)
}

/// The term goes on by the month (EST): charged, and nothing but its renewal is closed. Without a price a person looks.
fn extend(work: &mut Work, stored: &Stored<Subscription>) -> Result<()> {
    let Applied { subscription, lines, topic } = match quotes::extend(work, &stored.value)? {
        Ok(applied) => applied,
        Err(refusal) if refusal.code == "price_unknown" => return park(work, stored, Attention::PriceUnknown, None),
        Err(refusal) => return Err(refusal.into()),
    };
    if let Some(open) = rows::open(&mut work.tx, subscription.tenant, subscription.id, Kind::Renewal)? {
        let mut after = open.clone();
        after.reasons.insert(0, "the term ended and goes on by the month".to_owned());
        requests::close(work, Some(&open), &mut after, State::Denied)?;
    }
    work.save_subscription(Some(stored), &subscription)?;
    work.owe(&subscription, None, lines)?;
    work.note(topic, Some(&subscription), None, "the term ended: auto-renew is off and nobody asked for the end");
    messages::tell(work, topic, &subscription)
}

/// Neither renewed nor expired: no timer runs for it until a person has looked.
fn park(work: &mut Work, stored: &Stored<Subscription>, attention: Attention, request: Option<Id>) -> Result<()> {
    let mut subscription = stored.value.clone();
    subscription.standing.attention = Some(attention);
    subscription.standing.generation += 1;
    work.save_subscription(Some(stored), &subscription)?;
    work.note("subscription.attention_needed", Some(&subscription), request, attention.as_str());
    messages::tell(work, "subscription.attention_needed", &subscription)
}

/// The end of a billing cycle inside a term: the next cycle is charged. Nothing when it has moved meanwhile.
///
/// # Errors
/// What the store answers.
pub fn cycle_end(work: &mut Work, tenant: TenantId, id: SubscriptionId, due: Instant) -> Result<()> {
    let Some(stored) = still_due(work, tenant, id, |subscription| subscription.standing.cycle_end == Some(due))? else {
        return Ok(());
    };
    let price = quotes::price_of_next_cycle(work, &stored.value)?;
    match lifecycle::charge_cycle(&work.terms, &stored.value, price, work.now) {
        Ok(Applied { subscription, lines, topic }) => {
            work.save_subscription(Some(&stored), &subscription)?;
            work.owe(&subscription, None, lines)?;
            work.note(topic, Some(&subscription), None, "");
            Ok(())
        }
        Err(refusal) if refusal.code == "price_unknown" => park(work, &stored, Attention::PriceUnknown, None),
        Err(refusal) => Err(refusal.into()),
    }
}

/// The next status without anybody's doing: expired to disabled, disabled to deleted.
///
/// # Errors
/// What the store answers.
pub fn next_step(work: &mut Work, tenant: TenantId, id: SubscriptionId, due: Instant) -> Result<()> {
    let Some(stored) = still_due(work, tenant, id, |subscription| subscription.standing.next_step_at == Some(due))?
    else {
        return Ok(());
    };
    let Applied { subscription, lines, topic } = lifecycle::step(&work.terms, &stored.value, work.now)?;
    work.save_subscription(Some(&stored), &subscription)?;
    work.owe(&subscription, None, lines)?;
    work.note(topic, Some(&subscription), None, "");
    messages::tell(work, topic, &subscription)
}
