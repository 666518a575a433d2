//! Going on by the month: a term whose auto-renew is off, and whose end nobody asked for, is followed by extended months
//! at a higher price until it is cancelled or becomes a whole term again (EST). No request makes it so; the term's end does.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::Applied;
use super::charges::{amount, known, share_of_cycle, whole};
use super::period::{anchor, end_of, opened_for};
use super::quote::Asked;
use super::term_end::{beyond, due, takes_changes};
use crate::domain::change::Amendments;
use crate::domain::ledger::{ChargeType, Draft};
use crate::domain::money::Rounding;
use crate::domain::subscription::{Attention, Extended, Renewal, Status, Subscription};
use crate::domain::terms::{ExtensionRule, Family, Terms};
use crate::domain::{Instant, Money, Refusal, Span};

/// The rule by which the present term would go on, whatever was said about its end; none for a trial.
pub(super) fn rule_of<'a>(family: &'a Family, sub: &Subscription) -> Option<&'a ExtensionRule> {
    if sub.profile.is_trial || sub.profile.term_duration.is_none() {
        return None;
    }
    let (opened, end) = (opened_for(sub), sub.standing.term_end?);
    family.extensions.iter().find(|rule| rule.holds(opened, end))
}

/// The rule by which it goes on by the month at its term's end as things stand: active, without auto-renew, and nobody
/// asked for the end.
pub(super) fn follows<'a>(family: &'a Family, sub: &Subscription) -> Option<&'a ExtensionRule> {
    let standing = &sub.standing;
    let silent = standing.status == Status::Active && !standing.auto_renew_enabled && !standing.cancel_at_term_end;
    rule_of(family, sub).filter(|_| silent)
}

/// Whether it goes on by the month at its term's end as things stand.
pub fn goes_on(terms: &Terms, sub: &Subscription) -> bool {
    follows(terms.family(&sub.profile.family), sub).is_some()
}

/// Length and billing cycle of the extended terms of what could go on by the month; none where it could not, and its end
/// need not be asked for.
pub fn extended_plan<'a>(terms: &'a Terms, sub: &Subscription) -> Option<(Span, &'a str)> {
    let rule = rule_of(terms.family(&sub.profile.family), sub)?;
    Some((rule.length, rule.billing_cycle.as_str()))
}

/// Whether what was settled about a term's end changes what happens there: auto-renew was on, or it would have gone on.
pub fn ends_otherwise(terms: &Terms, before: &Subscription, after: &Subscription) -> bool {
    let active = before.standing.status == Status::Active;
    active && (before.standing.auto_renew_enabled || goes_on(terms, before)) && !after.standing.auto_renew_enabled
}

/// It as it was before it went on by the month: the plan a renewal goes back to. What has not is itself.
pub fn before_extension(sub: &Subscription) -> Subscription {
    let mut before = sub.clone();
    if let Some(extended) = sub.profile.extended.clone() {
        let profile = Arc::make_mut(&mut before.profile);
        profile.extended = None;
        profile.term_duration = extended.term_duration;
        profile.billing_cycle = extended.billing_cycle;
        profile.unit_price = extended.unit_price;
    }
    before
}

/// What a seat costs in an extended month: so much over the price of a term of that length where one is `listed` or it
/// is what was bought, else over the month's share of the present price. To the nearest minor unit, as price lists are.
pub(super) fn price_of_month(
    rule: &ExtensionRule,
    sub: &Subscription,
    listed: Option<Money>,
    present: Option<Money>,
) -> Option<Money> {
    let before = before_extension(sub);
    let profile = &*before.profile;
    let own = profile.unit_price.or(present);
    let is_one = profile.term_duration == Some(rule.length) && profile.billing_cycle == rule.billing_cycle;
    let (price, per_cent) = match listed.or(own.filter(|_| is_one)) {
        Some(price) => (price, rule.over_listed),
        None => (share_of_cycle(own?, profile, &rule.billing_cycle)?, rule.over_present),
    };
    let factor = Decimal::ONE_HUNDRED.checked_add(per_cent)?.checked_div(Decimal::ONE_HUNDRED)?;
    Some(price.times(factor).ok()?.rounded(Rounding::HalfUp))
}

/// The term has ended and goes on by the month: the next month starts at the old end however late this is. `listed` is
/// the price of a seat in a term of that length, where one is sold; `present` that of the present plan, where the
/// subscription has none of its own.
///
/// # Errors
/// `not_due` before the term's end; `not_extended` where it does not go on; `price_unknown`, `family_unknown`.
pub fn extend(
    terms: &Terms,
    sub: &Subscription,
    listed: Option<Money>,
    present: Option<Money>,
    now: Instant,
) -> Result<Applied, Refusal> {
    let family = terms.family(&sub.profile.family);
    takes_changes(family)?;
    due(sub.standing.term_end, now)?;
    let (Some(rule), Some(start)) = (follows(family, sub), sub.standing.term_end) else {
        return Err(Refusal::new("not_extended", "it does not go on by the month"));
    };
    let price = known(price_of_month(rule, sub, listed, present)).map_err(|refusal| refusal.by_rule(&rule.rule))?;
    let anchor_day = anchor(start, sub.profile.anchor_day);
    let end = end_of(family, start, anchor_day, rule.length).ok_or_else(beyond)?;
    let mut next = sub.clone();
    let profile = Arc::make_mut(&mut next.profile);
    let before = Extended {
        since: start,
        term_duration: profile.term_duration,
        billing_cycle: profile.billing_cycle.clone(),
        unit_price: profile.unit_price,
    };
    profile.extended = profile.extended.take().or(Some(before));
    profile.anchor_day = anchor_day;
    profile.term_duration = Some(rule.length);
    profile.billing_cycle.clone_from(&rule.billing_cycle);
    profile.unit_price = Some(price);
    profile.seat_batches.clear();
    profile.next_term = Amendments::default();
    profile.next_billing_cycle = None;
    profile.plan_since = None;
    profile.custom_term_end_date = None;
    let standing = &mut next.standing;
    standing.generation += 1;
    (standing.term_start, standing.term_end) = (start, Some(end));
    (standing.cycle_start, standing.cycle_end) = (Some(start), Some(end));
    // It may be cancelled at any time.
    standing.window_end = Some(end);
    standing.renewal = Renewal::Open;
    standing.late_terms = if end <= now { standing.late_terms.saturating_add(1) } else { 0 };
    standing.attention = standing.attention.filter(|attention| *attention != Attention::PriceUnknown);
    let amount = whole(family, ChargeType::ExtendTerm, price, standing.quantity)?;
    let line = Draft {
        kind: ChargeType::ExtendTerm,
        quantity: standing.quantity,
        unit_price: price.amount,
        amount: amount.amount,
        currency: amount.currency,
        period_start: start,
        period_end: end,
        rule: rule.rule.clone(),
        reverses: None,
    };
    Ok(Applied { subscription: next, lines: vec![line], topic: "subscription.extended" })
}

impl Asked<'_> {
    /// What goes on by the month as a whole term again, from now: the rest of the month comes back, and the first cycle
    /// of the term is charged. A term has a window.
    pub(super) fn made_whole(&self, to: &Amendments) -> Result<(Subscription, Vec<Draft>, String), Refusal> {
        let rule = rule_of(self.family, self.sub).map(|rule| rule.rule.clone()).unwrap_or_default();
        self.active("be converted")?;
        let held = self.sub.standing.quantity;
        let quantity = to.quantity.unwrap_or(held);
        self.in_range(quantity)?;
        let (Some(length), cycle) = self.paid_plan(to) else {
            return Err(Refusal::new("term_duration_invalid", "say how long the term is").by_rule(&rule));
        };
        self.plan(length, &cycle)?;
        let unpriced = |refusal: Refusal| refusal.by_rule(&rule);
        let price = known(self.price).map_err(unpriced)?;
        let month = known(self.sub.profile.unit_price).map_err(unpriced)?;
        let back = amount(self.family, ChargeType::Convert, month, held, self.days_left(self.now))?;
        let charge = whole(self.family, ChargeType::Convert, price, quantity)?;
        let (next, term) = self.begun_anew(to, length, cycle, quantity)?;
        let given = self.draft(ChargeType::Convert, -held, month, back.negated(), &rule);
        let charged = Draft {
            kind: ChargeType::Convert,
            quantity,
            unit_price: price.amount,
            amount: charge.amount,
            currency: charge.currency,
            period_start: term.0,
            period_end: next.standing.cycle_end.unwrap_or(term.1),
            rule: rule.clone(),
            reverses: None,
        };
        Ok((next, vec![given, charged], rule))
    }
}
