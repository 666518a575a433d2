//! The life of a request: proposed, quoted and asked about. Answering, carrying out and keeping have files of their own.

use crate::domain::change::Amendments;
use crate::domain::decision::Verdict;
use crate::domain::ids::Noun;
use crate::domain::lifecycle;
use crate::domain::quote::Effect;
use crate::domain::request::{Otherwise, Outcome, State};
use crate::domain::subscription::{Renewal, Standing};
use crate::domain::support::Form;
use crate::domain::{Change, Grant, Instant, Kind, Quote, Refusal, Request, Subscription, SubscriptionId};
use crate::partner_center::upstream;
use crate::store::records::{Stored, requests as rows, subscriptions as subscription_rows};

use super::work::{Judgement, Work};
use super::{Result, judgements, messages, purchases, quotes, rights, subscriptions, support, tenants};

mod answering;
mod carrying;
mod keeping;

pub(super) use answering::look_again;
pub use answering::{Answered, approve, deny, expire, fall_due, get, open_of, withdraw};
pub(super) use carrying::withdraw_moot;
pub use keeping::outcome_of;
pub(super) use keeping::{close, save};

use carrying::carry_out;

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
/// waits. Proposing what is open already returns it, and asks the policies again where something changed since; a change
/// that changes nothing asks nobody.
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
    let change = with_target(work, &stored.value, change)?;
    if buys(&stored.value, &change) {
        work.settings.partner.may_buy()?;
    }
    let id = stored.value.id;
    if lifecycle::is_unchanged(&stored.value, &change) {
        return Ok(Proposed { outcome: Outcome::Unchanged, request: None, subscription: stored.value });
    }
    if let Some(open) = rows::open(&mut work.tx, stored.value.tenant, id, change.kind())?
        && (open.change == change || may_be(work, &stored.value, &change)?)
    {
        return open_already(work, open, stored, &change);
    }
    if let Some(settled) = settled_renewal(&stored, &change)? {
        return Ok(settled);
    }
    let mut request = draft(work, &stored.value, change, why)?;
    request.asks_only = asks_only;
    if form.is_none() {
        leave_to_support(work, &stored.value, &mut request)?;
    }
    let request = decide(work, request, &stored, form)?;
    let subscription =
        subscription_rows::get(&mut work.tx, stored.value.tenant, id)?.map_or(stored.value, |now| now.value);
    work.effect(format!("{} {} {}", request.kind, request.id, outcome_of(request.state).as_str()));
    Ok(Proposed { outcome: outcome_of(request.state), request: Some(request), subscription })
}

/// A conversion that names no offer is one to the only offer there is for its trial (T-conv); so is the renewal of a
/// trial that becomes paid by itself.
fn with_target(work: &mut Work, subscription: &Subscription, change: Change) -> Result<Change> {
    match change {
        Change::Renewal { term_end, amendments } if amendments.offer_id.is_none() => {
            let offer_id = quotes::conversion_target(work, subscription)?;
            Ok(Change::Renewal { term_end, amendments: Amendments { offer_id, ..amendments } })
        }
        Change::Conversion { to } if to.offer_id.is_none() && subscription.profile.is_trial => {
            match quotes::conversion_targets(work, subscription)?.as_slice() {
                [] => Ok(Change::Conversion { to }),
                [only] => Ok(Change::Conversion { to: Amendments { offer_id: Some(only.clone()), ..to } }),
                several => {
                    let message = format!("say what it becomes, one of the offers {}", several.join(", "));
                    Err(Refusal::new("offer_needed", message).into())
                }
            }
        }
        other => Ok(other),
    }
}

/// Whether something is bought by it (A-chan): what begins, what costs more from now on, another offer.
fn buys(subscription: &Subscription, change: &Change) -> bool {
    match change {
        Change::Purchase {} | Change::Conversion { .. } | Change::Upgrade { .. } => true,
        Change::Quantity { quantity } => *quantity > subscription.standing.quantity,
        _ => false,
    }
}

/// Whether the terms let it be at all; what they refuse waits for no other request.
fn may_be(work: &mut Work, subscription: &Subscription, change: &Change) -> Result<bool> {
    let quote = quotes::quote(work, subscription, change)?;
    let is_kept_apart = matches!(change.kind(), Kind::Renewal | Kind::Purchase);
    Ok(is_kept_apart || quote.allowed || quote.effect == Effect::StopRenewal)
}

/// What is cancelled by a support request alone is refused to whoever proposes it without one, whatever the door (W60op).
fn leave_to_support(work: &mut Work, subscription: &Subscription, request: &mut Request) -> Result<()> {
    if request.kind != Kind::Cancellation || !request.quote.allowed {
        return Ok(());
    }
    let terms = tenants::terms_for(work, subscription.tenant)?;
    if let Err(refusal) = terms.family(&subscription.profile.family).may_be_cancelled_alone(work.now) {
        let until = request.quote.allowed_until;
        request.quote = Quote { allowed_until: until, ..Quote::refused(refusal) };
    }
    Ok(())
}

/// What asking about a renewal came to at the very end of its term.
pub(super) enum AtItsEnd {
    /// It is approved as it stands. Nothing of it is kept yet: whoever begins the next term keeps it as applied.
    Approved(Request),
    /// Anything else, kept.
    Settled(Request),
}

/// Asks about the renewal of a term that ends now and about which nobody has asked. What is approved as it stands is not
/// scheduled first for an instant that has come.
pub(super) fn ask_at_its_end(work: &mut Work, stored: &Stored<Subscription>, due: Instant) -> Result<AtItsEnd> {
    let change = Change::Renewal { term_end: due, amendments: Default::default() };
    let change = with_target(work, &stored.value, change)?;
    let becomes_another = matches!(&change, Change::Renewal { amendments, .. } if !amendments.is_empty());
    let mut request = draft(work, &stored.value, change, "the term ends")?;
    if !request.quote.allowed && request.quote.effect != Effect::StopRenewal {
        refuse(work, &mut request, stored)?;
        return Ok(AtItsEnd::Settled(request));
    }
    let judgement = judgements::judge(work, &mut request, stored)?;
    let Standing { auto_renew_enabled, attention, .. } = stored.value.standing;
    let has_amendments = becomes_another
        || [&judgement.amendments, &stored.value.profile.next_term].into_iter().any(|it| !it.is_empty());
    if judgement.verdict == Verdict::Approve && auto_renew_enabled && attention.is_none() && !has_amendments {
        request.roles = judgement.roles;
        request.scheduled_for = Some(due);
        return Ok(AtItsEnd::Approved(request));
    }
    settle(work, None, &mut request, stored, judgement)?;
    Ok(AtItsEnd::Settled(request))
}

/// What is open already is not asked for twice; where something changed since, the policies are asked about it again.
/// Another change of its kind waits until it is settled, and says so.
fn open_already(work: &mut Work, mut open: Request, stored: Stored<Subscription>, change: &Change) -> Result<Proposed> {
    if open.change != *change {
        let (kind, id, who) = (open.kind, open.id, &open.proposed_by);
        open.reasons.insert(0, format!("another {kind} is open already, proposed by {who}: {id} is settled first"));
        return Ok(Proposed { outcome: outcome_of(open.state), request: Some(open), subscription: stored.value });
    }
    let Some(again) = look_again(work, &open, &stored)? else {
        return Ok(Proposed { outcome: outcome_of(open.state), request: Some(open), subscription: stored.value });
    };
    let (tenant, id) = (stored.value.tenant, stored.value.id);
    let subscription = subscription_rows::get(&mut work.tx, tenant, id)?.map_or(stored.value, |now| now.value);
    work.effect(format!("{} {} {}", again.kind, again.id, outcome_of(again.state).as_str()));
    Ok(Proposed { outcome: outcome_of(again.state), request: Some(again), subscription })
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
    let mut judgement = judgements::judge(work, &mut request, stored)?;
    if let Some(form) = form {
        judgements::leave_to_support(&mut judgement, form);
        request.reasons.clone_from(&judgement.reasons);
    }
    settle(work, None, &mut request, stored, judgement)?;
    Ok(request)
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
        Verdict::Deny => deny_now(work, before, request, stored, !judgement.by_default),
        Verdict::Review | Verdict::Abstain => {
            if let Some(form) = judgement.support {
                support::ask(work, request, &stored.value, form)?;
            }
            wait(work, before, request, stored, judgement.expires_at, judgement.otherwise)
        }
        Verdict::Approve => {
            if !request.amendments.is_empty() {
                // What is told is what is done.
                request.quote = quotes::quote_amended(work, &stored.value, &request.change, &request.amendments)?;
            }
            carry_out(work, before, request, stored)
        }
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

/// The request comes to nothing. A renewal that somebody `said` no to (and that auto-renew does not merely leave out)
/// ends everything with its term, which is told: Partner Center has to know of it as well.
fn deny_now(
    work: &mut Work,
    before: Option<&Request>,
    request: &mut Request,
    stored: &Stored<Subscription>,
    said: bool,
) -> Result<()> {
    close(work, before, request, State::Denied)?;
    let mut after = purchases::after_no(work, stored, request)?;
    let mut tells = false;
    if request.kind == Kind::Renewal {
        after = lifecycle::deny_renewal(&after, said).subscription;
        tells = said && lifecycle::ends_otherwise(&work.terms, &stored.value, &after);
    }
    work.save_subscription(Some(stored), &after)?;
    work.note("request.denied", Some(&after), Some(request.id), &request.reasons.join("; "));
    if tells {
        let ends = Change::AutoRenew { enabled: false, cancel_at_term_end: Some(true) };
        let call = upstream::call(&ends, &Amendments::default(), Effect::Now, &after, request.id);
        messages::tell_of(work, "subscription.renewal_denied", &after, request, Some(&call))?;
    }
    Ok(())
}

/// A renewal waits until its term ends, what support has to answer until its window closes, anything else for the set
/// time or until its window closes.
fn wait(
    work: &mut Work,
    before: Option<&Request>,
    request: &mut Request,
    stored: &Stored<Subscription>,
    expires_at: Option<Instant>,
    otherwise: Option<Otherwise>,
) -> Result<()> {
    let window = request.quote.allowed_until.filter(|_| request.quote.allowed);
    let default = match &request.change {
        Change::Renewal { term_end, .. } => Some(*term_end),
        _ if request.support.is_some() && window.is_some() => window,
        _ => work.settings.waits.after(work.now),
    };
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
