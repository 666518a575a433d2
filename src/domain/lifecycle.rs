//! What the terms say about a change, and what a subscription becomes: quotes, changes, renewals, expiries.
//!
//! Pure: the instant comes in, a subscription and ledger drafts come out. It asks no policy, knows no request and
//! never names a family; what differs between families is in their terms.

use std::sync::Arc;

use super::change::{Amendments, Change};
use super::ledger::Draft;
use super::subscription::{Attention, Renewal, SeatBatch, Status, Subscription};
use super::terms::{Family, Terms};
use super::{Instant, Kind, Money, Quote, Refusal};

mod around;
mod charges;
mod coterm;
mod dues;
mod extension;
mod period;
mod processing;
mod purchase;
mod quote;
mod refunds;
mod schedule;
mod seat_windows;
mod seats;
mod status;
mod suspension;
mod term_end;
mod trial;
mod upgrade;

pub use around::Around;
pub use charges::at_price;
pub use charges::price_of_cycle;
pub use dues::{Due, dues};
pub use extension::{before_extension, ends_otherwise, extend, extended_plan, goes_on};
pub use period::{Plan, begin, open_window, plan_after};
pub use processing::may_be_named;
pub use purchase::{activation_link, lapse, pending};
pub use quote::{quote, quote_amended, refundable_quantity, terms_quote};
pub use refunds::{RefundUntil, gives_back_term, refunds_until, window_ends_with_day};
pub use seat_windows::{SeatsUntil, refundable_seats};
pub use term_end::{
    charge_cycle, deletion_at, deny_renewal, end_term, end_term_among, is_editable, last_day_of_data, renew,
    renew_among, step,
};
pub use upgrade::{Upgrading, upgraded_child};

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
                && amendments.over(&sub.profile.next_term) == sub.profile.next_term
        }
        Change::Suspension { .. } => standing.status == Status::Suspended,
        Change::Reactivation {} => standing.status == Status::Active,
        Change::Cancellation { .. } => standing.status == Status::Deleted,
        Change::AutoRenew { enabled, cancel_at_term_end } => {
            standing.status == Status::Active
                && standing.auto_renew_enabled == *enabled
                && cancel_at_term_end.is_none_or(|cancel| cancel == standing.cancel_at_term_end)
        }
        Change::Quantity { quantity } => standing.status == Status::Active && standing.quantity == *quantity,
        Change::Purchase {} | Change::Activation {} => standing.status == Status::Active,
        Change::Conversion { .. } => false,
        Change::Schedule { instructions } => sub.profile.next_term == *instructions,
        Change::BillingPlan { billing_cycle } => {
            sub.profile.next_billing_cycle.as_ref().unwrap_or(&sub.profile.billing_cycle) == billing_cycle
        }
        Change::Deprovision {} => standing.status == Status::Deleted,
        Change::Upgrade { offer_id, .. } => sub.profile.offer_id.eq_ignore_ascii_case(offer_id),
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
    apply_among(terms, sub, change, amendments, price, &around::ALONE, now)
}

/// The same, with what stands around the subscription.
///
/// # Errors
/// As [`apply`].
pub fn apply_among(
    terms: &Terms,
    sub: &Subscription,
    change: &Change,
    amendments: &Amendments,
    price: Option<Money>,
    around: &Around,
    now: Instant,
) -> Result<Applied, Refusal> {
    let family = terms.family(&sub.profile.family);
    if let Some(refusal) = processing::refused_now(terms, sub, change.kind(), now) {
        return Err(refusal);
    }
    let asked = Asked { family, sub, price, around, now };
    let said = asked.quote(change, amendments);
    if let Some(refusal) = said.refusal.clone().filter(|_| !said.stops_renewal()) {
        return Err(refusal);
    }
    let mut applied = match change {
        Change::Purchase {} => asked.buy()?,
        Change::Activation {} => asked.activate()?,
        Change::Conversion { to } => asked.convert(&amendments.over(to))?,
        Change::Schedule { instructions } => asked.instruct(&amendments.over(instructions)),
        Change::BillingPlan { billing_cycle } => asked.replan(billing_cycle),
        Change::Deprovision {} => asked.deprovisioned()?,
        Change::Upgrade { offer_id, quantity } => asked.upgrade_now(offer_id, *quantity)?,
        Change::Renewal { .. }
        | Change::Suspension { .. }
        | Change::Reactivation {}
        | Change::Cancellation { .. }
        | Change::AutoRenew { .. }
        | Change::Quantity { .. } => asked.apply(change, amendments, &said)?,
    };
    let standing = &mut applied.subscription.standing;
    if price.is_some() && standing.attention == Some(Attention::PriceUnknown) {
        standing.attention = None;
    }
    Ok(applied)
}

impl Asked<'_> {
    /// Makes a change of what is there already.
    fn apply(&self, change: &Change, amendments: &Amendments, said: &Quote) -> Result<Applied, Refusal> {
        let mut next = self.sub.clone();
        next.standing.generation += 1;
        let mut lines = Vec::new();
        let topic = match change {
            Change::Renewal { amendments: own, .. } => {
                schedule_renewal(&mut next, amendments.over(own).over(&self.sub.profile.next_term));
                "subscription.renewal_scheduled"
            }
            Change::AutoRenew { enabled, cancel_at_term_end } => {
                let cancel = cancel_at_term_end.unwrap_or(next.standing.cancel_at_term_end);
                switch_auto_renew(&mut next, *enabled);
                next.standing.cancel_at_term_end = cancel && !enabled;
                "subscription.auto_renew_changed"
            }
            Change::Cancellation { .. } if said.stops_renewal() => {
                switch_auto_renew(&mut next, false);
                next.standing.cancel_at_term_end = true;
                "subscription.auto_renew_changed"
            }
            Change::Cancellation { .. } => {
                lines.extend(self.credit(said)?);
                become_(&mut next, Status::Deleted, self.now)?;
                switch_auto_renew(&mut next, false);
                next.standing.next_step_at = None;
                "subscription.cancelled"
            }
            Change::Suspension { reason } => {
                lines.extend(self.suspension_credit()?);
                become_(&mut next, Status::Suspended, self.now)?;
                switch_auto_renew(&mut next, self.keeps_renewing());
                next.standing.next_step_at = suspension::deleted_at(self.family, self.around.opening_days, self.now);
                edit(&mut next, |profile| profile.suspension_reason = Some(*reason));
                "subscription.suspended"
            }
            Change::Reactivation {} => {
                let (standing, line) = self.resumed()?;
                if line.is_some() && seats::whole_cycle(self.family) {
                    edit(&mut next, |profile| seats::charged_from(&standing, &mut profile.seat_batches, self.now));
                }
                lines.extend(line);
                next.standing = super::subscription::Standing { generation: next.standing.generation, ..standing };
                become_(&mut next, Status::Active, self.now)?;
                if standing.term_start != self.sub.standing.term_start {
                    self.begin_as_new(&mut next);
                }
                next.standing.next_step_at = None;
                edit(&mut next, |profile| profile.suspension_reason = None);
                "subscription.reactivated"
            }
            Change::Quantity { quantity } => {
                let quantity = amendments.quantity.unwrap_or(*quantity);
                lines.extend(self.seat_lines(quantity, &said.rule)?);
                change_seats(&mut next, self.family, quantity, self.now);
                "subscription.quantity_changed"
            }
            Change::Purchase {}
            | Change::Activation {}
            | Change::Conversion { .. }
            | Change::Schedule { .. }
            | Change::BillingPlan { .. }
            | Change::Deprovision {}
            | Change::Upgrade { .. } => "subscription.changed",
        };
        Ok(Applied { subscription: next, lines, topic })
    }
}

/// Somebody has said yes to one more term: what was missed is looked at.
fn schedule_renewal(next: &mut Subscription, over: Amendments) {
    next.standing.renewal = Renewal::Scheduled;
    next.standing.auto_renew_enabled = true;
    next.standing.cancel_at_term_end = false;
    next.standing.attention = next.standing.attention.filter(|one| *one != Attention::TermsMissed);
    next.standing.late_terms = 0;
    if next.profile.next_term != over {
        edit(next, |profile| profile.next_term = over);
    }
}

trait StopsRenewal {
    fn stops_renewal(&self) -> bool;
}

impl StopsRenewal for Quote {
    fn stops_renewal(&self) -> bool {
        self.effect == super::quote::Effect::StopRenewal
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
    sub.standing.cancel_at_term_end &= !enabled;
    sub.standing.renewal = Renewal::Open;
    forget_next_term(sub);
}

fn forget_next_term(sub: &mut Subscription) {
    if !sub.profile.next_term.is_empty() {
        edit(sub, |profile| profile.next_term = Amendments::default());
    }
}

/// Added seats become a batch with a window of their own; taken seats come from the newest open batch first.
fn change_seats(sub: &mut Subscription, family: &Family, quantity: i64, now: Instant) {
    let difference = quantity.saturating_sub(sub.standing.quantity);
    let window_end = family
        .window(Kind::Quantity, &sub.profile, now)
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
