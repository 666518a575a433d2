//! What happens by itself: the end of a term, the cycles inside it, and the steps after it.

use std::sync::Arc;

use super::around::{ALONE, Around};
use super::charges::{Days, amount, known, last_instalment, price_of_cycle, whole};
use super::period::{anchor, by_use, cycle_end, days, end_of, first_cycle, full_cycle_end, opened_for};
use super::quote::{Asked, NextTerm};
use super::{Applied, become_, extension, forget_next_term, switch_auto_renew};
use crate::domain::change::Amendments;
use crate::domain::ledger::{ChargeType, Draft};
use crate::domain::subscription::{Attention, Profile, Renewal, Status, Subscription};
use crate::domain::terms::{Family, Terms, dated};
use crate::domain::{Instant, Kind, Money, Refusal};

/// Renews: the new term starts at the old end, however late this is; its window opens now. Amendments stand over the
/// scheduled next term. The first cycle is charged.
///
/// # Errors
/// `not_due` before the term's end; the refusal of the renewal's quote (`not_renewable`, `price_unknown`, ...).
pub fn renew(
    terms: &Terms,
    sub: &Subscription,
    amendments: &Amendments,
    price: Option<Money>,
    now: Instant,
) -> Result<Applied, Refusal> {
    renew_among(terms, sub, amendments, price, &ALONE, now)
}

/// The same, with what stands around the subscription.
///
/// # Errors
/// As [`renew`].
pub fn renew_among(
    terms: &Terms,
    sub: &Subscription,
    amendments: &Amendments,
    price: Option<Money>,
    around: &Around,
    now: Instant,
) -> Result<Applied, Refusal> {
    let family = terms.family(&sub.profile.family);
    let asked = Asked { family, sub, price, around, now };
    let next_term = asked.next_term(&amendments.over(&sub.profile.next_term))?;
    due(Some(next_term.start), now)?;
    let price = if by_use(family, &sub.profile) { price } else { Some(known(price)?) };
    let mut next = sub.clone();
    let anchor_day = anchor(next_term.start, sub.profile.anchor_day);
    let counted = end_of(family, next_term.start, anchor_day, next_term.length).ok_or_else(beyond)?;
    let term_end = next_term.aligned_end.unwrap_or(counted);
    describe(&mut next.profile, anchor_day, &next_term, price, around.offer_name.as_ref());
    let profile = &*next.profile;
    let cycle = first_cycle(family, profile, (next_term.start, term_end));
    let window = family.window(Kind::Cancellation, profile, next_term.start);
    let standing = &mut next.standing;
    standing.generation += 1;
    standing.quantity = next_term.quantity;
    standing.term_start = next_term.start;
    standing.term_end = Some(term_end);
    standing.cycle_start = cycle.map(|cycle| cycle.0);
    standing.cycle_end = cycle.map(|cycle| cycle.1);
    standing.window_end = window.and_then(|window| window.closes(now));
    standing.renewal = Renewal::Open;
    standing.late_terms = if term_end <= now { standing.late_terms.saturating_add(1) } else { 0 };
    standing.attention = standing.attention.filter(|attention| *attention != Attention::PriceUnknown);
    let lines = match cycle.and(price) {
        Some(price) => vec![cycle_line(&next, next_term.charge, price, family, &next_term.rule)?],
        None => Vec::new(),
    };
    Ok(Applied { subscription: next, lines, topic: "subscription.renewed" })
}

/// Writes the new term into the describing part, which most renewals leave as it is: then it is not even copied.
fn describe(
    profile: &mut Arc<Profile>,
    anchor_day: u32,
    next_term: &NextTerm,
    price: Option<Money>,
    name: Option<&String>,
) {
    let same_plan = profile.term_duration == Some(next_term.length)
        && profile.billing_cycle == next_term.billing_cycle
        && next_term.offer_id.is_none();
    let same = same_plan
        && profile.anchor_day == anchor_day
        && profile.seat_batches.is_empty()
        && profile.next_term.is_empty()
        && profile.next_billing_cycle.is_none()
        && profile.plan_since.is_none()
        && profile.custom_term_end_date.is_none()
        && profile.extended.is_none()
        && profile.unit_price == price
        && !profile.is_trial;
    if same {
        return;
    }
    let profile = Arc::make_mut(profile);
    profile.anchor_day = anchor_day;
    profile.term_duration = Some(next_term.length);
    profile.billing_cycle.clone_from(&next_term.billing_cycle);
    profile.seat_batches.clear();
    profile.next_term = Amendments::default();
    profile.next_billing_cycle = None;
    profile.plan_since = None;
    profile.custom_term_end_date = None;
    profile.is_trial = false;
    if let Some(offer) = &next_term.offer_id {
        profile.offer_id.clone_from(offer);
        profile.offer_name = name.unwrap_or(&profile.offer_name).clone();
    }
    profile.extended = None;
    // What the term was begun at is what its further cycles cost too, whatever the list has by then.
    profile.unit_price = price.or(profile.unit_price);
}

/// Ends a term that is not renewed: active becomes expired, or disabled at once where its end was asked for and the
/// terms say so (EST); suspended becomes disabled.
///
/// # Errors
/// `not_due`, `illegal_transition`, `family_unknown`.
pub fn end_term(terms: &Terms, sub: &Subscription, now: Instant) -> Result<Applied, Refusal> {
    end_term_among(terms, sub, &ALONE, now)
}

/// The same, with what stands around the subscription: what is suspended keeps its data for the days of its account too
/// (S-ret).
///
/// # Errors
/// As [`end_term`].
pub fn end_term_among(terms: &Terms, sub: &Subscription, around: &Around, now: Instant) -> Result<Applied, Refusal> {
    let family = terms.family(&sub.profile.family);
    takes_changes(family)?;
    due(sub.standing.term_end, now)?;
    let mut next = sub.clone();
    next.standing.generation += 1;
    let suspended = sub.standing.status == Status::Suspended;
    let suspends = family.after_term.as_ref().is_some_and(|after| after.suspends) && !suspended;
    let cut = sub.standing.cancel_at_term_end
        && extension::rule_of(family, sub).is_some_and(|rule| rule.asked_end_is_at_once);
    let (status, topic) = match (suspended, suspends) {
        (true, _) => (Status::Disabled, "subscription.disabled"),
        (false, true) => (Status::Suspended, "subscription.suspended"),
        (false, false) if cut => (Status::Disabled, "subscription.disabled"),
        (false, false) => (Status::Expired, "subscription.expired"),
    };
    become_(&mut next, status, now)?;
    next.standing.auto_renew_enabled = false;
    next.standing.attention = None;
    forget_next_term(&mut next);
    next.standing.next_step_at =
        sub.standing.term_end.zip(family.after_term.as_ref()).and_then(|(end, after)| match status {
            Status::Disabled if suspended => after.disabled_for.after(after.suspended_for.after(end)?),
            Status::Disabled => after.disabled_for.after(end),
            _ => after.expired_for.after(end),
        });
    if suspends {
        next.standing.next_step_at = super::suspension::deleted_at(family, around.opening_days, now);
    }
    Ok(Applied { subscription: next, lines: Vec::new(), topic })
}

/// Charges the next billing cycle of a term: one cycle a call, from the old cycle's end however late it is. The last
/// one takes the remainder, so that the cycles add up to the term's price.
///
/// # Errors
/// `not_due`, `price_unknown`, `illegal_transition` where nothing is billed any more, `family_unknown`.
pub fn charge_cycle(terms: &Terms, sub: &Subscription, price: Option<Money>, now: Instant) -> Result<Applied, Refusal> {
    next_cycle(terms.family(&sub.profile.family), sub, price, now)
}

fn next_cycle(family: &Family, sub: &Subscription, price: Option<Money>, now: Instant) -> Result<Applied, Refusal> {
    takes_changes(family)?;
    let standing = &sub.standing;
    let continues = family.suspension.as_ref().is_some_and(|suspension| suspension.billing_continues);
    if !(standing.status == Status::Active || (standing.status == Status::Suspended && continues)) {
        let message = format!("a subscription that is {} is not billed", standing.status.as_str());
        return Err(Refusal::new("illegal_transition", message));
    }
    let billed = standing.cycle_end.filter(|_| !by_use(family, &sub.profile));
    let (Some(start), Some(term_end)) = (billed, standing.term_end) else {
        return Err(Refusal::new("not_due", "it has no further billing cycle"));
    };
    due(Some(start).filter(|start| *start < term_end), now)?;
    let price = known(price)?;
    let mut next = sub.clone();
    next.standing.generation += 1;
    let mut kind = ChargeType::CycleCharge;
    if let Some(planned) = sub.profile.next_billing_cycle.clone() {
        kind = ChargeType::ChangeBillingPlan;
        let profile = Arc::make_mut(&mut next.profile);
        profile.billing_cycle = planned;
        profile.next_billing_cycle = None;
        profile.plan_since = Some(start);
        profile.unit_price = Some(price);
    }
    next.standing.cycle_start = Some(start);
    next.standing.cycle_end = Some(cycle_end(family, &next.profile, start, term_end));
    let line = cycle_line(&next, kind, price, family, "BF-split")?;
    Ok(Applied { subscription: next, lines: vec![line], topic: "subscription.cycle_charged" })
}

/// Takes the next step that comes by itself: expired to disabled, disabled to deleted, suspended too long to deleted.
///
/// # Errors
/// `not_due`, `family_unknown`.
pub fn step(terms: &Terms, sub: &Subscription, now: Instant) -> Result<Applied, Refusal> {
    let family = terms.family(&sub.profile.family);
    takes_changes(family)?;
    let Some((status, at)) = next_step(sub) else {
        return Err(Refusal::new(
            "not_due",
            format!("a subscription that is {} stays so", sub.standing.status.as_str()),
        ));
    };
    due(Some(at), now)?;
    let mut next = sub.clone();
    next.standing.generation += 1;
    become_(&mut next, status, now)?;
    let disabled_for = family.after_term.as_ref().map(|after| after.disabled_for);
    let (topic, following) = match status {
        Status::Deleted => ("subscription.deleted", None),
        _ => ("subscription.disabled", disabled_for.and_then(|span| span.after(at))),
    };
    next.standing.next_step_at = following;
    Ok(Applied { subscription: next, lines: Vec::new(), topic })
}

/// Denies the renewal at the present term's end: auto-renew is off and the term runs out. Where somebody `said` no (and
/// auto-renew was not merely off), everything ends with the term: it does not go on by the month either.
pub fn deny_renewal(sub: &Subscription, said: bool) -> Applied {
    let mut next = sub.clone();
    next.standing.generation += 1;
    switch_auto_renew(&mut next, false);
    next.standing.cancel_at_term_end |= said;
    next.standing.renewal = Renewal::Denied;
    Applied { subscription: next, lines: Vec::new(), topic: "subscription.renewal_denied" }
}

/// The status that comes next by itself, and when.
pub(super) fn next_step(sub: &Subscription) -> Option<(Status, Instant)> {
    let at = sub.standing.next_step_at?;
    match sub.standing.status {
        Status::Expired => Some((Status::Disabled, at)),
        Status::Disabled | Status::Suspended => Some((Status::Deleted, at)),
        _ => None,
    }
}

/// When its data is deleted unless somebody acts first; none while that is not settled.
pub fn deletion_at(terms: &Terms, sub: &Subscription) -> Option<Instant> {
    let (status, at) = next_step(sub)?;
    match status {
        Status::Deleted => Some(at),
        _ => terms.family(&sub.profile.family).after_term.as_ref()?.disabled_for.after(at),
    }
}

/// The last day (UTC) on which the data of what is off is still there (S-show); none while deletion is not what comes next.
pub fn last_day_of_data(sub: &Subscription) -> Option<chrono::NaiveDate> {
    let (status, at) = next_step(sub)?;
    let last = at.checked_sub_signed(chrono::TimeDelta::microseconds(1)).filter(|_| status == Status::Deleted);
    last.map(|last| last.date_naive())
}

/// Whether the terms let anything about it be changed as it stands: Partner Center's action `edit`.
pub fn is_editable(terms: &Terms, sub: &Subscription) -> bool {
    let in_use = matches!(sub.standing.status, Status::Active | Status::Suspended);
    in_use && takes_changes(terms.family(&sub.profile.family)).is_ok()
}

fn cycle_line(
    sub: &Subscription,
    kind: ChargeType,
    price: Money,
    family: &Family,
    rule: &str,
) -> Result<Draft, Refusal> {
    let standing = &sub.standing;
    let last = standing.cycle_end == standing.term_end;
    let cycle = standing.cycle_start.zip(standing.cycle_end);
    let clipped = cycle.map(|cycle| (cycle, full_cycle_end(family, &sub.profile, cycle)));
    let amount = if let Some((cycle, full)) = clipped.filter(|(cycle, full)| cycle.1 < *full) {
        amount(
            family,
            kind,
            price,
            standing.quantity,
            Days { billed: days(cycle.0, cycle.1), cycle: days(cycle.0, full) },
        )?
    } else if last && kind == ChargeType::CycleCharge {
        last_instalment(family, sub, price)?
    } else {
        whole(family, kind, price, standing.quantity)?
    };
    Ok(Draft {
        kind,
        quantity: standing.quantity,
        unit_price: price.amount,
        amount: amount.amount,
        currency: amount.currency,
        period_start: standing.cycle_start.unwrap_or(standing.term_start),
        period_end: standing.cycle_end.or(standing.term_end).unwrap_or(standing.term_start),
        rule: rule.to_owned(),
        reverses: None,
    })
}

/// The refusal of a family that takes no change.
pub(super) fn takes_changes(family: &Family) -> Result<(), Refusal> {
    match &family.refuses {
        None => Ok(()),
        Some(code) => {
            let message = format!(
                "the terms of '{}' take no change: say how it is sold first, by importing it again with its productType or \
                 with the family itself (\"family\": one that GET /v1/terms lists), or by importing its product",
                family.title
            );
            Err(Refusal::new(code, message))
        }
    }
}

pub(super) fn due(at: Option<Instant>, now: Instant) -> Result<(), Refusal> {
    match at {
        Some(at) if at <= now => Ok(()),
        Some(at) => Err(Refusal::new("not_due", format!("it is not due before {}", crate::domain::calendar::show(at)))),
        None => Err(Refusal::new("not_due", "there is nothing it could be due at")),
    }
}

pub(super) fn beyond() -> Refusal {
    Refusal::new("bad_date", "the next term would end beyond the calendar")
}

impl Asked<'_> {
    /// The price of a seat in the billing cycles to come of the present term: of the planned cycle, where there is one.
    fn price_to_come(&self) -> Option<Money> {
        let profile = &self.sub.profile;
        match &profile.next_billing_cycle {
            None => self.price,
            Some(cycle) if *cycle == profile.billing_cycle => self.price,
            Some(cycle) => self.around.next_cycle_price.or_else(|| price_of_cycle(self.price?, profile, cycle)),
        }
    }

    /// What the billing cycles to come of the present term will be charged, to its end or until it is deleted before
    /// that; none where nothing is left, or no price is known.
    fn outstanding(&self, deleted: Option<Instant>) -> Option<Money> {
        let price = self.price_to_come();
        let mut sub = self.sub.clone();
        let mut total: Option<Money> = None;
        while let (Some(cycle), Some(term)) = (sub.standing.cycle_end, sub.standing.term_end)
            && cycle < term
            && deleted.is_none_or(|deleted| cycle < deleted)
        {
            let applied = next_cycle(self.family, &sub, price, cycle).ok()?;
            for line in &applied.lines {
                let line = Money::new(line.amount, line.currency);
                total = Some(total.map_or(Ok(line), |total| total.plus(line)).ok()?);
            }
            sub = applied.subscription;
        }
        total
    }

    /// What stays owed by the partner to the term's end, or to its deletion, and the words that say so (INS).
    pub(super) fn owed(&self, deleted: Option<Instant>) -> (Option<Money>, String) {
        let opened = opened_for(self.sub);
        let rule = self.family.liabilities.iter().find(|rule| dated(rule.from, rule.until, opened));
        let Some((rule, owed)) = rule.and_then(|rule| Some((rule, self.outstanding(deleted)?))) else {
            return (None, String::new());
        };
        let words = format!(
            "; {owed} of its term are still to be charged and stay owed by the partner, also when the customer is insolvent ({})",
            rule.rule
        );
        (Some(owed), words)
    }
}
