//! Carrying a request out: the change made, what follows of it, and what it has made moot. One commit for everything.

use super::keeping::{close, save};
use crate::domain::quote::Effect;
use crate::domain::request::State;
use crate::domain::subscription::{Renewal, Status};
use crate::domain::terms::listed;
use crate::domain::{Change, Id, Kind, Request, Subscription, SubscriptionId};
use crate::ops::{Result, Work, add_ons, cancellations, messages, orders, purchases, quotes};
use crate::partner_center::upstream;
use crate::store::records::{Stored, requests as rows};

pub(in crate::ops) fn carry_out(
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
    let switched_on = matches!(request.change, Change::AutoRenew { enabled: true, .. });
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
    let child = match request.change {
        Change::Upgrade { .. } => upgraded(work, &stored.value, request)?,
        _ => None,
    };
    let operation = if later { "request.scheduled" } else { applied.topic };
    let noted = noted(work, operation, &applied.subscription);
    work.note(noted, Some(&applied.subscription), Some(request.id), &request.reasons.join("; "));
    if later && request.scheduled_for.is_some_and(|at| at <= work.now) {
        // It happens now: what tells of that tells of this too.
        return Ok(());
    }
    let call =
        upstream::call(&request.change, &request.amendments, request.quote.effect, &applied.subscription, request.id);
    messages::tell_of(work, operation, &applied.subscription, request, Some(&call))?;
    if let Some(child) = child {
        messages::tell_of(work, "subscription.created_by_upgrade", &child, request, None)?;
    }
    if request.kind == Kind::Cancellation && !later {
        cancellations::tell(work, &applied.subscription, request)?;
    }
    Ok(())
}

/// What the activity log calls it: what orders alone tell of (VIS-ord) is bought and cancelled as an order.
fn noted(work: &Work, operation: &'static str, subscription: &Subscription) -> &'static str {
    match operation {
        "subscription.purchased" if !listed(&work.terms, subscription) => "order.purchased",
        "subscription.cancelled" if !listed(&work.terms, subscription) => "order.cancelled",
        other => other,
    }
}

/// The seats of a partial upgrade are a subscription of their own, in the same commit.
fn upgraded(work: &mut Work, source: &Subscription, request: &Request) -> Result<Option<Subscription>> {
    let id = SubscriptionId(work.guid("upgrade"));
    let Some(applied) = quotes::child(work, source, &request.change, id)?? else { return Ok(None) };
    work.save_subscription(None, &applied.subscription)?;
    work.owe(&applied.subscription, Some(request.id), applied.lines)?;
    work.note(applied.topic, Some(&applied.subscription), Some(request.id), &format!("upgraded from {}", source.id));
    Ok(Some(applied.subscription))
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
pub(in crate::ops) fn withdraw_moot(work: &mut Work, open: &Request) -> Result<()> {
    let mut after = open.clone();
    after.reasons.insert(0, "another change of the subscription made it moot".to_owned());
    close(work, Some(open), &mut after, State::Withdrawn)
}
