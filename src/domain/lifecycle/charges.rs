//! What a change costs or gives back: the billing formula, cut as the terms name it.
//!
//! price / days of the cycle x days from the event to the cycle's end (both counted) x seats.

use rust_decimal::Decimal;

use super::Asked;
use super::period::{Period, by_use, cycle_end, cycle_months, days, end_of, full_cycle_end, window_opened};
use crate::domain::ledger::{ChargeType, Draft};
use crate::domain::money::Rounding;
use crate::domain::subscription::{Profile, Status};
use crate::domain::terms::{Cut, Family, Refund, Terms, Window};
use crate::domain::{Instant, Money, Quote, Refusal, Span, Subscription};

/// How many days of how many are billed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    pub(super) billed: i64,
    pub(super) cycle: i64,
}

impl Days {
    pub(super) const WHOLE: Days = Days { billed: 1, cycle: 1 };
}

/// From an event to the end of a cycle, both counted, of the days that the cycle has, or would have if its term did not
/// end first.
pub(super) fn days_of(family: &Family, profile: &Profile, event: Instant, cycle: Period) -> Days {
    let lasts = days(cycle.0, cycle.1).max(1);
    let whole = days(cycle.0, full_cycle_end(family, profile, cycle)).max(lasts);
    Days { billed: days(event, cycle.1).clamp(0, lasts), cycle: whole }
}

/// The price of so many seats for so many days, cut to the minor unit as the terms say for this charge type.
pub(super) fn amount(
    family: &Family,
    kind: ChargeType,
    price: Money,
    quantity: i64,
    days: Days,
) -> Result<Money, Refusal> {
    let seats = Decimal::from(quantity);
    let part = |money: Money| -> Result<Money, Refusal> {
        let whole = money.times(Decimal::from(days.billed))?;
        let amount = whole.amount.checked_div(Decimal::from(days.cycle)).unwrap_or_default();
        Ok(Money { amount, ..whole })
    };
    Ok(match family.cut(kind) {
        Cut::TotalTrunc => part(price.times(seats)?)?.rounded(Rounding::Truncate),
        Cut::HalfUp => part(price.times(seats)?)?.rounded(Rounding::HalfUp),
        Cut::UnitTrunc => part(price)?.rounded(Rounding::Truncate).times(seats)?,
    })
}

/// The charge of one whole cycle.
pub(super) fn whole(family: &Family, kind: ChargeType, price: Money, quantity: i64) -> Result<Money, Refusal> {
    amount(family, kind, price, quantity, Days::WHOLE)
}

/// Months of the present term that are billed by its present plan: all of them, or those since the plan changed.
fn months_of_plan(family: &Family, sub: &Subscription) -> u32 {
    let months = sub.profile.term_duration.map_or(0, |term| term.months);
    let (Some(since), Some(end)) = (sub.profile.plan_since, sub.standing.term_end) else { return months };
    let until = |left: &u32| end_of(family, since, sub.profile.anchor_day, Span::months(*left)) == Some(end);
    (1..=months).find(until).unwrap_or(months)
}

/// The charge of a term's last cycle: what the term costs less what its earlier cycles were charged, so that the
/// instalments of a plan add up to its price to the minor unit.
pub(super) fn last_instalment(family: &Family, sub: &Subscription, price: Money) -> Result<Money, Refusal> {
    let cycle = whole(family, ChargeType::CycleCharge, price, sub.standing.quantity)?;
    let months = months_of_plan(family, sub);
    let each = cycle_months(&sub.profile.billing_cycle).unwrap_or(months).max(1);
    let cycles = months / each;
    if cycles < 2 || !months.is_multiple_of(each) {
        return Ok(cycle);
    }
    let term = whole(family, ChargeType::CycleCharge, price.times(Decimal::from(cycles))?, sub.standing.quantity)?;
    term.minus(cycle.times(Decimal::from(cycles - 1))?)
}

/// What a line would come to at another price of a seat, such as the customer's: by the formula that explains its cost,
/// else the same share of the price, to the nearest. `sub` is as it stands after the change.
///
/// # Errors
/// `amount_overflow`.
pub fn at_price(terms: &Terms, sub: &Subscription, draft: &Draft, price: Money) -> Result<Money, Refusal> {
    let family = terms.family(&sub.profile.family);
    let quantity = draft.quantity.saturating_abs();
    let own = Money::new(draft.unit_price, draft.currency);
    let days = match (sub.standing.cycle_start, sub.standing.cycle_end) {
        (Some(start), Some(end)) => {
            let cycle = days_of(family, &sub.profile, start, (start, end));
            Days { billed: days(draft.period_start, draft.period_end).clamp(0, cycle.billed), ..cycle }
        }
        _ => Days::WHOLE,
    };
    let signed = |money: Money| if draft.amount.is_sign_negative() { money.negated() } else { money };
    for days in [days, Days::WHOLE] {
        if amount(family, draft.kind, own, quantity, days)?.amount == draft.amount.abs() {
            return Ok(signed(amount(family, draft.kind, price, quantity, days)?));
        }
    }
    if draft.kind == ChargeType::CycleCharge && last_instalment(family, sub, own)?.amount == draft.amount {
        return last_instalment(family, sub, price);
    }
    let share = price.times(draft.amount)?;
    let share = share.amount.checked_div(draft.unit_price).unwrap_or_default();
    Ok(Money { amount: share, ..price }.rounded(Rounding::HalfUp))
}

/// What a seat costs in a cycle of another length, when nothing but the present price is known: the term's price stays.
/// None where one of the lengths is not known.
pub fn price_of_cycle(price: Money, profile: &Profile, billing_cycle: &str) -> Option<Money> {
    share_of_cycle(price, profile, billing_cycle).map(|share| share.rounded(Rounding::HalfUp))
}

/// The same, exactly.
pub(super) fn share_of_cycle(price: Money, profile: &Profile, billing_cycle: &str) -> Option<Money> {
    let months = |cycle: &str| cycle_months(cycle).or_else(|| profile.term_duration.map(|term| term.months));
    let (present, other) = (months(&profile.billing_cycle)?, months(billing_cycle)?);
    let each = price.times(Decimal::from(other)).ok()?.amount.checked_div(Decimal::from(present))?;
    Some(Money { amount: each, ..price })
}

/// The price, or the refusal that there is none.
pub(super) fn known(price: Option<Money>) -> Result<Money, Refusal> {
    let price = price.ok_or_else(|| {
        Refusal::new(
            "price_unknown",
            "no price is known for it: neither its order line nor the price list has one, or the list has it in several \
             currencies and nothing tells which is paid; set a price and ask again",
        )
    })?;
    if price.amount.is_sign_negative() && !price.is_zero() {
        return Err(Refusal::new("price_unknown", format!("{price} is below zero and no price")));
    }
    Ok(price)
}

impl Asked<'_> {
    /// From an event to the end of the present cycle, both counted; the whole where there is no cycle.
    pub(super) fn days_left(&self, event: Instant) -> Days {
        let cycle = self.sub.standing.cycle_start.zip(self.sub.standing.cycle_end);
        cycle.map_or(Days::WHOLE, |cycle| days_of(self.family, &self.sub.profile, event, cycle))
    }

    /// What the present cycle was charged: its seats at the start, and each batch from the day it was added.
    pub(super) fn cycle_cost(&self, price: Money) -> Result<Money, Refusal> {
        if self.charges_whole_cycles() {
            return self.whole_cycle_cost(price);
        }
        self.cost_of(self.sub.standing.cycle_start.zip(self.sub.standing.cycle_end), price)
    }

    /// What the present term was charged until now: each of its cycles that has begun.
    fn term_cost(&self, price: Money) -> Result<Money, Refusal> {
        let mut cost = self.cycle_cost(price)?;
        let standing = &self.sub.standing;
        let (Some(present), Some(term_end)) = (standing.cycle_start, standing.term_end) else { return Ok(cost) };
        let mut start = standing.term_start;
        while start < present {
            let end = cycle_end(self.family, &self.sub.profile, start, term_end);
            cost = cost.plus(self.cost_of(Some((start, end)), price)?)?;
            start = end;
        }
        Ok(cost)
    }

    /// What a cycle of the present term was charged; none: what is billed once.
    fn cost_of(&self, cycle: Option<Period>, price: Money) -> Result<Money, Refusal> {
        let added = || self.added_since(cycle.map(|cycle| cycle.0));
        let mut seats = self.sub.standing.quantity.saturating_sub(added().map(|(quantity, _)| quantity).sum());
        let days = |at: Option<Instant>| match cycle {
            Some(cycle) => days_of(self.family, &self.sub.profile, at.unwrap_or(cycle.0), cycle),
            None => Days::WHOLE,
        };
        let mut cost = amount(self.family, ChargeType::CycleCharge, price, seats, days(None))?;
        for (quantity, at) in added() {
            let left = days(Some(at));
            let before = amount(self.family, ChargeType::AddQuantity, price, seats, left)?;
            seats = seats.saturating_add(quantity);
            let after = amount(self.family, ChargeType::AddQuantity, price, seats, left)?;
            cost = cost.plus(after.minus(before)?)?;
        }
        Ok(cost)
    }

    pub(super) fn added_in_cycle(&self) -> impl Iterator<Item = (i64, Instant)> {
        self.added_since(self.sub.standing.cycle_start)
    }

    fn added_since(&self, start: Option<Instant>) -> impl Iterator<Item = (i64, Instant)> {
        let batches = self.sub.profile.seat_batches.iter();
        batches
            .filter(move |batch| start.is_some_and(|start| start <= batch.added_at))
            .map(|b| (b.quantity, b.added_at))
    }

    /// Whether its seats were charged: those of a trial, of a plan that bills nothing or by use, and of what is not active
    /// yet were not. What is billed once has no cycle, and its seats are charged whole.
    pub(super) fn charges(&self) -> bool {
        let (standing, profile) = (&self.sub.standing, &self.sub.profile);
        let billed = standing.cycle_start.is_some() || standing.term_end.is_none();
        billed && standing.status != Status::Pending && !profile.is_trial && !by_use(self.family, profile)
    }

    /// What a cancellation inside the window gives back; none where nothing does.
    pub(super) fn refund(&self, window: Option<&Window>) -> Result<Option<Money>, Refusal> {
        let kind = window.map_or(Refund::Prorated, |window| window.refund);
        if kind == Refund::Nothing || !self.charges() {
            return Ok(None);
        }
        let price = known(self.price)?;
        if kind == Refund::Term {
            return Ok(Some(self.term_cost(price)?));
        }
        let cost = self.cycle_cost(price)?;
        if window.is_some_and(|window| window.is_full(window_opened(self.sub, window), self.now)) {
            return Ok(Some(cost));
        }
        let left = self.days_left(self.now);
        let part = amount(self.family, ChargeType::CancelImmediate, price, self.sub.standing.quantity, left)?;
        Ok(Some(if part.amount > cost.amount { cost } else { part }))
    }

    /// The credit line of a cancellation that was quoted.
    pub(super) fn credit(&self, said: &Quote) -> Result<Option<Draft>, Refusal> {
        let Some(refund) = said.refund.filter(|refund| !refund.is_zero()) else {
            return Ok(None);
        };
        let price = known(self.price)?;
        let quantity = self.sub.standing.quantity;
        Ok(Some(self.draft(ChargeType::CancelImmediate, quantity, price, refund.negated(), &said.rule)))
    }

    /// The two halves of a seat change: the old seats wiped, the new ones charged, both from today to the cycle's end;
    /// where there is no cycle, both whole.
    pub(super) fn seat_lines(&self, quantity: i64, rule: &str) -> Result<Vec<Draft>, Refusal> {
        if !self.charges() {
            return Ok(Vec::new());
        }
        if self.charges_whole_cycles() {
            return self.whole_cycle_lines(quantity, rule);
        }
        let price = known(self.price)?;
        let mut before = self.sub.standing.quantity;
        let kind = if quantity > before { ChargeType::AddQuantity } else { ChargeType::RemoveQuantity };
        let mut lines = Vec::new();
        for (after, since) in self.seat_steps(quantity) {
            let left = self.days_left(since);
            let wiped = amount(self.family, kind, price, before, left)?.negated();
            let charged = amount(self.family, kind, price, after, left)?;
            for (seats, money) in [(-before, wiped), (after, charged)] {
                lines.push(Draft { period_start: since, ..self.draft(kind, seats, price, money, rule) });
            }
            before = after;
        }
        Ok(lines)
    }

    /// A line from now to the cycle's end.
    pub(super) fn draft(&self, kind: ChargeType, quantity: i64, price: Money, amount: Money, rule: &str) -> Draft {
        Draft {
            kind,
            quantity,
            unit_price: price.amount,
            amount: amount.amount,
            currency: amount.currency,
            period_start: self.now,
            period_end: self.sub.standing.cycle_end.or(self.sub.standing.term_end).unwrap_or(self.now).max(self.now),
            rule: rule.to_owned(),
            reverses: None,
        }
    }
}
