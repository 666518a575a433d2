//! A change of seats: how many may come and go, until when, and what it comes to.

use super::around::ALONE;
use super::period::{opened_for, window_opened};
use super::quote::{Asked, coded, no, yes};
use crate::domain::subscription::{SeatBatch, Status, Subscription};
use crate::domain::terms::{Terms, When};
use crate::domain::{Instant, Kind, Money, Quote, Refusal};

/// Seats that may go without the rest, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatsUntil {
    /// How many.
    pub quantity: i64,
    /// The first instant that is too late.
    pub until: Instant,
}

/// The seats that could go now without the rest, by the window they go in (N7): those that were bought first, then each
/// batch in the order it came. Nothing where seats go at any time or never.
pub fn refundable_seats(terms: &Terms, sub: &Subscription, now: Instant) -> Vec<SeatsUntil> {
    let family = terms.family(&sub.profile.family);
    let asked = Asked { family, sub, price: None, around: &ALONE, now };
    let by_window = family.quantity.as_ref().is_some_and(|rule| rule.decrease == When::Window);
    let left = if by_window { asked.refundable() } else { 0 };
    let open = |batch: &&SeatBatch| now < batch.allowed_until && batch.quantity > 0;
    let batches = sub.profile.seat_batches.iter().filter(open);
    let batches: Vec<SeatsUntil> =
        batches.map(|batch| SeatsUntil { quantity: batch.quantity, until: batch.allowed_until }).collect();
    let added = batches.iter().map(|batch| batch.quantity).fold(0, i64::saturating_add);
    let first = asked.term_window().filter(|until| now < *until && left > added);
    let first = first.map(|until| SeatsUntil { quantity: left - added, until });
    if left > 0 { first.into_iter().chain(batches).collect() } else { Vec::new() }
}

impl Asked<'_> {
    pub(super) fn quantity(&self, quantity: i64) -> Result<Quote, Refusal> {
        let Some(rule) = &self.family.quantity else {
            return Err(Refusal::new("quantity_locked", "the terms know no change of seats").partner_center(800027));
        };
        if self.sub.standing.status == Status::Suspended {
            return Err(self.illegal("change its seats").partner_center(2001));
        }
        self.active("change its seats")?;
        self.trial_allows(|trial| trial.quantity, "change its seats")?;
        self.in_range(quantity)?;
        let before = self.sub.standing.quantity;
        let (when, code) = if quantity >= before {
            (rule.increase, "quantity_locked")
        } else {
            (rule.decrease, "quantity_decrease_locked")
        };
        let locked = |message: String| coded(Refusal::new(code, message).by_rule(&rule.rule), rule.partner_center_code);
        let mut answer = yes(&rule.rule, format!("from {before} to {quantity} seats at once"));
        match when {
            When::AnyTime => {}
            When::Never => {
                return Err(locked("its seats cannot change: cancel it inside its window and buy anew".into()));
            }
            When::Window => {
                let seats = self.open_seats();
                answer.allowed_until = self.seats_until(before.saturating_sub(quantity));
                if before.saturating_sub(quantity) > seats {
                    let message = format!("only {seats} of its {before} seats are in an open window and could go");
                    return Ok(no(locked(message), self.last_window()));
                }
            }
        }
        let lines = match self.seat_lines(quantity, &rule.rule) {
            Ok(lines) => lines,
            Err(refusal) => return Ok(no(refusal.by_rule(&rule.rule), answer.allowed_until)),
        };
        let mut total = self.price.map(|price| Money::zero(price.currency));
        for line in &lines {
            total = total.map(|total| total.plus(Money::new(line.amount, line.currency))).transpose()?;
        }
        let total = total.filter(|_| !lines.is_empty());
        answer.charge = total.filter(|total| total.amount.is_sign_positive() && !total.is_zero());
        answer.refund = total.filter(|total| total.amount.is_sign_negative()).map(Money::negated);
        Ok(answer)
    }

    /// Seats that could go now: every one in the term's own window, else those of open batches.
    fn open_seats(&self) -> i64 {
        if self.term_window().is_some_and(|until| self.now < until) {
            return self.sub.standing.quantity;
        }
        let open = self.sub.profile.seat_batches.iter().filter(|batch| self.now < batch.allowed_until);
        open.map(|batch| batch.quantity).fold(0, i64::saturating_add)
    }

    /// Seats that could go now, as far as the terms let seats go at all.
    pub(super) fn refundable(&self) -> i64 {
        let active = self.sub.standing.status == Status::Active;
        match self.family.quantity.as_ref().map(|rule| rule.decrease).filter(|_| active) {
            Some(When::Window) => self.open_seats(),
            Some(When::AnyTime) => self.sub.standing.quantity,
            Some(When::Never) | None => 0,
        }
    }

    /// Until when so many seats could go: the newest batches go first, the term's own seats last.
    fn seats_until(&self, wanted: i64) -> Option<Instant> {
        let mut left = wanted;
        let mut until: Option<Instant> = None;
        for batch in self.sub.profile.seat_batches.iter().rev().filter(|batch| self.now < batch.allowed_until) {
            if left <= 0 {
                return until;
            }
            left = left.saturating_sub(batch.quantity);
            until = Some(until.map_or(batch.allowed_until, |known| known.min(batch.allowed_until)));
        }
        let own = self.term_window().filter(|_| left > 0);
        [until, own].into_iter().flatten().min()
    }

    /// A change of seats in the steps it is charged in: to how many, and from when on. Seats are added from now on; those
    /// that are taken come back from now on too, and from their own beginning where everything comes back (N7), the
    /// newest first.
    pub(super) fn seat_steps(&self, quantity: i64) -> Vec<(i64, Instant)> {
        let mut seats = self.sub.standing.quantity;
        let mut left = seats.saturating_sub(quantity);
        if left <= 0 {
            return vec![(quantity, self.now)];
        }
        let mut steps: Vec<(i64, Instant)> = Vec::new();
        let open = self.sub.profile.seat_batches.iter().rev().filter(|batch| self.now < batch.allowed_until);
        let batches = open.map(|batch| (batch.quantity, self.given_back_from(batch.added_at, batch.added_at)));
        let opened = opened_for(self.sub);
        let first = self.family.window(Kind::Quantity, &self.sub.profile, opened);
        let first = first.map_or(self.now, |window| {
            self.given_back_from(window_opened(self.sub, window), self.sub.standing.cycle_start.unwrap_or(opened))
        });
        for (held, since) in batches.chain([(i64::MAX, first)]) {
            let taken = held.min(left);
            if taken > 0 {
                (seats, left) = (seats - taken, left - taken);
                steps.retain(|(_, from)| *from != since);
                steps.push((seats, since));
            }
        }
        steps
    }

    /// From when on seats of a window that opened then come back: from the start of what they were charged for, while
    /// all of it comes back, else from now on.
    fn given_back_from(&self, opened: Instant, charged_from: Instant) -> Instant {
        let window = self.family.window(Kind::Quantity, &self.sub.profile, opened);
        let is_full = window.is_some_and(|window| window.is_full(opened, self.now));
        let start = self.sub.standing.cycle_start.map_or(charged_from, |start| start.max(charged_from));
        if is_full { start } else { self.now }
    }

    fn last_window(&self) -> Option<Instant> {
        let batches = self.sub.profile.seat_batches.iter().map(|batch| batch.allowed_until);
        batches.chain(self.term_window()).max()
    }

    /// The term's own window, where it holds for seats too.
    fn term_window(&self) -> Option<Instant> {
        let opened = opened_for(self.sub);
        self.family.window(Kind::Quantity, &self.sub.profile, opened)?;
        self.sub.standing.window_end
    }

    pub(super) fn in_range(&self, quantity: i64) -> Result<(), Refusal> {
        let (least, most) = self.family.quantity.as_ref().map_or((1, i64::MAX), |rule| (rule.minimum, rule.maximum));
        if let Some(most) = self.around.seats.1.filter(|most| quantity > *most) {
            let message = format!("{quantity} seats are more than the {most} that its product may have");
            return Err(Refusal::new("quantity_out_of_range", message).partner_center(800_067));
        }
        let least = self.around.seats.0.map_or(least, |product| product.max(least));
        if (least..=most).contains(&quantity) {
            return Ok(());
        }
        let message = format!("{quantity} seats are outside {least} to {most}");
        Err(Refusal::new("quantity_out_of_range", message).partner_center(2002))
    }
}
