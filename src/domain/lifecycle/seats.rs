//! Changes of seats where the terms charge the whole cycle anew: what was charged since the last change is wiped, the
//! days until now are charged with the old seats, the rest with the new.

use super::charges::{Days, amount, known};
use super::quote::Asked;
use crate::domain::ledger::{ChargeType, Draft};
use crate::domain::subscription::{SeatBatch, Standing, Subscription};
use crate::domain::terms::{Family, SeatCharge};
use crate::domain::{Instant, Money, Refusal};

/// Whether seats of this family are charged so.
pub(super) fn whole_cycle(family: &Family) -> bool {
    family.quantity.as_ref().is_some_and(|rule| rule.charged == SeatCharge::WholeCycle)
}

/// Notes a change of seats in the present cycle, fewer as well as more: the next one is charged from here. Such a note
/// has no window, for these seats need none.
pub(super) fn note_change(sub: &Subscription, batches: &mut Vec<SeatBatch>, quantity: i64, now: Instant) {
    let difference = quantity.saturating_sub(sub.standing.quantity);
    let start = sub.standing.cycle_start;
    batches.retain(|batch| start.is_some_and(|start| start <= batch.added_at));
    if difference != 0 {
        batches.push(SeatBatch { quantity: difference, added_at: now, allowed_until: now });
    }
}

/// Notes that the present cycle is charged from here on: a change of seats does not give back the days before.
pub(super) fn charged_from(standing: &Standing, batches: &mut Vec<SeatBatch>, now: Instant) {
    batches.retain(|batch| standing.cycle_start.is_some_and(|start| start <= batch.added_at));
    batches.push(SeatBatch { quantity: 0, added_at: now, allowed_until: now });
}

impl Asked<'_> {
    pub(super) fn charges_whole_cycles(&self) -> bool {
        whole_cycle(self.family)
    }

    /// The lines of such a change, in the order they are documented: wiped, the days before, the days from now on.
    pub(super) fn whole_cycle_lines(&self, quantity: i64, rule: &str) -> Result<Vec<Draft>, Refusal> {
        let price = known(self.price)?;
        let before = self.sub.standing.quantity;
        let kind = if quantity > before { ChargeType::AddQuantity } else { ChargeType::RemoveQuantity };
        let since = self.added_in_cycle().last().map(|(_, at)| at).or(self.sub.standing.cycle_start);
        let (left, now) = (self.days_since(since.unwrap_or(self.now)), self.days_left(self.now));
        let used = Days { billed: left.billed - now.billed, cycle: left.cycle };
        let part = |seats: i64, days: Days| amount(self.family, kind, price, seats, days);
        let lines = [
            (-before, part(before, left)?.negated(), since, None),
            (before, part(before, used)?, since, Some(self.now)),
            (quantity, part(quantity, now)?, Some(self.now), None),
        ];
        let line = |(seats, money, from, to): (i64, Money, Option<Instant>, Option<Instant>)| {
            let draft = self.draft(kind, seats, price, money, rule);
            let period_start = from.unwrap_or(draft.period_start);
            Draft { period_start, period_end: to.unwrap_or(draft.period_end), ..draft }
        };
        let told = |(_, money, ..): &(i64, Money, Option<Instant>, Option<Instant>)| !money.is_zero();
        Ok(lines.into_iter().filter(told).map(line).collect())
    }

    /// What the lines of the present cycle add up to: each number of seats for its days.
    pub(super) fn whole_cycle_cost(&self, price: Money) -> Result<Money, Refusal> {
        let changes: Vec<(i64, Instant)> = self.added_in_cycle().collect();
        let changed = changes.iter().map(|(quantity, _)| *quantity).fold(0, i64::saturating_add);
        let mut seats = self.sub.standing.quantity.saturating_sub(changed);
        let mut left = self.sub.standing.cycle_start.map_or(Days::WHOLE, |start| self.days_since(start));
        let part = |seats: i64, days: Days| amount(self.family, ChargeType::AddQuantity, price, seats, days);
        let mut cost = Money::zero(price.currency);
        for (quantity, at) in changes {
            let rest = self.days_since(at);
            // A note without seats: the cycle was charged anew from there, and nothing before it is owed.
            if quantity == 0 {
                (cost, left) = (Money::zero(price.currency), rest);
                continue;
            }
            cost = cost.plus(part(seats, Days { billed: left.billed - rest.billed, cycle: rest.cycle })?)?;
            (seats, left) = (seats.saturating_add(quantity), rest);
        }
        cost.plus(part(seats, left)?)
    }

    fn days_since(&self, at: Instant) -> Days {
        self.days_left(at)
    }
}
