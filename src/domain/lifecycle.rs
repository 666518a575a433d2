//! What the terms say about a change, and what a subscription becomes: quotes, changes, renewals, expiries.
//!
//! Pure: the instant comes in, a subscription and ledger drafts come out. It asks no policy, knows no request and
//! never names a family; what differs between families is in their terms.

use std::sync::Arc;

use super::change::{Amendments, Change};
use super::ledger::Draft;
use super::subscription::{Attention, Renewal, SeatBatch, Status, Subscription};
use super::terms::{Family, Terms, midnight};
use super::{Instant, Kind, Money, Quote, Refusal, Span};

mod charges;
mod dues;
mod period;
mod quote;
mod seats;
mod term_end;

pub use charges::at_price;
pub use dues::{Due, dues};
pub use period::{begin, open_window};
pub use quote::{quote, terms_quote};
pub use term_end::{charge_cycle, deletion_at, deny_renewal, end_term, renew, step};

use quote::Asked;

/// What a change made of a subscription, to be committed whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The subscription afterwards; its generation is one higher.
    pub subscription: Subscription,
    /// What is owed for it, in order.
    pub lines: Vec<Draft>,
    /// The topic it is told under, `subscription.suspended`.
    pub topic: &'static str,
}

/// Whether a change would change nothing: nobody needs to be asked.
pub fn is_unchanged(sub: &Subscription, change: &Change) -> bool {
    let standing = &sub.standing;
    match change {
        Change::Renewal { term_end, amendments } => {
            standing.renewal == Renewal::Scheduled
                && standing.term_end == Some(*term_end)
                && *amendments == sub.profile.next_term
        }
        Change::Suspension { .. } => standing.status == Status::Suspended,
        Change::Reactivation {} => standing.status == Status::Active,
        Change::Cancellation { .. } => standing.status == Status::Deleted,
        Change::AutoRenew { enabled } => standing.status == Status::Active && standing.auto_renew_enabled == *enabled,
        Change::Quantity { quantity } => standing.status == Status::Active && standing.quantity == *quantity,
    }
}

/// Makes the change. A renewal is approved by it and happens at its term end ([`renew`]); a cancellation that the
/// terms turn into a stopped renewal switches auto-renew off.
///
/// `amendments` stand over the change's own; `price` is the price of one seat for one cycle (of the next term, for a
/// renewal).
///
/// # Errors
/// The refusal of the quote; `amount_overflow` where money grows beyond what it can be.
pub fn apply(
    terms: &Terms,
    sub: &Subscription,
    change: &Change,
    amendments: &Amendments,
    price: Option<Money>,
    now: Instant,
) -> Result<Applied, Refusal> {
    let family = terms.family(&sub.profile.family);
    let asked = Asked { family, sub, price, now };
    let said = asked.quote(change, amendments);
    if let Some(refusal) = said.refusal.clone().filter(|_| !said.stops_renewal()) {
        return Err(refusal);
    }
    let mut next = sub.clone();
    next.standing.generation += 1;
    if price.is_some() && next.standing.attention == Some(Attention::PriceUnknown) {
        next.standing.attention = None;
    }
    let mut lines = Vec::new();
    let topic = match change {
        Change::Renewal { amendments: own, .. } => {
            let over = merged(amendments, own);
            next.standing.renewal = Renewal::Scheduled;
            next.standing.auto_renew_enabled = true;
            // Somebody has said yes to one more term: what was missed is looked at.
            next.standing.attention = next.standing.attention.filter(|one| *one != Attention::TermsMissed);
            next.standing.late_terms = 0;
            if next.profile.next_term != over {
                edit(&mut next, |profile| profile.next_term = over);
            }
            "subscription.renewal_scheduled"
        }
        Change::AutoRenew { enabled } => {
            switch_auto_renew(&mut next, *enabled);
            "subscription.auto_renew_changed"
        }
        Change::Cancellation { .. } if said.stops_renewal() => {
            switch_auto_renew(&mut next, false);
            "subscription.auto_renew_changed"
        }
        Change::Cancellation { .. } => {
            lines.extend(asked.credit(&said)?);
            become_(&mut next, Status::Deleted, now)?;
            switch_auto_renew(&mut next, false);
            next.standing.next_step_at = None;
            "subscription.cancelled"
        }
        Change::Suspension { reason } => {
            become_(&mut next, Status::Suspended, now)?;
            switch_auto_renew(&mut next, false);
            next.standing.next_step_at = suspended_until(family, now);
            edit(&mut next, |profile| profile.suspension_reason = Some(*reason));
            "subscription.suspended"
        }
        Change::Reactivation {} => {
            become_(&mut next, Status::Active, now)?;
            next.standing.next_step_at = None;
            edit(&mut next, |profile| profile.suspension_reason = None);
            "subscription.reactivated"
        }
        Change::Quantity { quantity } => {
            lines.extend(asked.seat_lines(*quantity, &said.rule)?);
            change_seats(&mut next, family, *quantity, now);
            "subscription.quantity_changed"
        }
    };
    Ok(Applied { subscription: next, lines, topic })
}

trait StopsRenewal {
    fn stops_renewal(&self) -> bool;
}

impl StopsRenewal for Quote {
    fn stops_renewal(&self) -> bool {
        self.effect == super::quote::Effect::StopRenewal
    }
}

/// The first's fields where it has them, else the second's.
pub(crate) fn merged(over: &Amendments, under: &Amendments) -> Amendments {
    Amendments {
        quantity: over.quantity.or(under.quantity),
        term_duration: over.term_duration.or(under.term_duration),
        billing_cycle: over.billing_cycle.clone().or_else(|| under.billing_cycle.clone()),
    }
}

fn become_(sub: &mut Subscription, status: Status, now: Instant) -> Result<(), Refusal> {
    sub.standing.status = sub.standing.status.to(status)?;
    sub.standing.status_since = now;
    Ok(())
}

fn edit(sub: &mut Subscription, change: impl FnOnce(&mut super::subscription::Profile)) {
    change(Arc::make_mut(&mut sub.profile));
}

/// What was settled about the term's end is open again: a scheduled next term needs auto-renew.
fn switch_auto_renew(sub: &mut Subscription, enabled: bool) {
    sub.standing.auto_renew_enabled = enabled;
    sub.standing.renewal = Renewal::Open;
    forget_next_term(sub);
}

fn forget_next_term(sub: &mut Subscription) {
    if !sub.profile.next_term.is_empty() {
        edit(sub, |profile| profile.next_term = Amendments::default());
    }
}

/// Reactivation is possible through the whole last day, so deletion is at the midnight after it.
fn suspended_until(family: &Family, now: Instant) -> Option<Instant> {
    let span = family.suspension.as_ref()?.delete_after?;
    Span::days(1).after(midnight(span.after(now)?))
}

/// Added seats become a batch with a window of their own; taken seats come from the newest open batch first.
fn change_seats(sub: &mut Subscription, family: &Family, quantity: i64, now: Instant) {
    let difference = quantity.saturating_sub(sub.standing.quantity);
    let window_end = family
        .window(Kind::Quantity, &sub.profile.billing_cycle, now)
        .and_then(|window| window.closes(now))
        .filter(|_| difference > 0);
    if seats::whole_cycle(family) {
        let mut batches = sub.profile.seat_batches.clone();
        seats::note_change(sub, &mut batches, quantity, now);
        sub.standing.quantity = quantity;
        forget_next_term(sub);
        return edit(sub, |profile| profile.seat_batches = batches);
    }
    sub.standing.quantity = quantity;
    forget_next_term(sub);
    edit(sub, |profile| {
        profile.seat_batches.retain(|batch| now < batch.allowed_until);
        if let Some(allowed_until) = window_end {
            profile.seat_batches.push(SeatBatch { quantity: difference, added_at: now, allowed_until });
        }
        let mut taken = difference.min(0).saturating_neg();
        for batch in profile.seat_batches.iter_mut().rev() {
            let part = taken.min(batch.quantity);
            batch.quantity -= part;
            taken -= part;
        }
        profile.seat_batches.retain(|batch| batch.quantity > 0);
    });
}
