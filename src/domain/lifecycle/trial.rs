//! Trials: what may not change while one lasts, and how it becomes a paid subscription.

use chrono::Datelike;

use super::charges::{Days, amount, known};
use super::extension::before_extension;
use super::period::{Period, end_of, first_cycle, standing, starts};
use super::quote::{Asked, coded, yes};
use super::term_end::beyond;
use super::{Applied, edit};
use crate::domain::change::Amendments;
use crate::domain::ledger::{ChargeType, Draft};
use crate::domain::subscription::{Profile, Standing, Subscription};
use crate::domain::terms::begin::{DuringTrial, TrialRule};
use crate::domain::{Money, Quote, Refusal, Span};

impl Asked<'_> {
    /// The rule of the trial it is.
    pub(super) fn trial(&self) -> Option<&TrialRule> {
        self.family.trial.as_ref().filter(|_| self.sub.profile.is_trial)
    }

    /// Whether its trial lets this happen before its end.
    pub(super) fn trial_allows(&self, which: impl Fn(&TrialRule) -> DuringTrial, what: &str) -> Result<(), Refusal> {
        let Some(trial) = self.trial().filter(|trial| which(trial) == DuringTrial::Never) else { return Ok(()) };
        let message = format!("a trial cannot {what}: convert it, or let it end");
        let refusal = Refusal::new("trial_is_fixed", message).by_rule(&trial.rule);
        Err(coded(refusal, trial.partner_center_code))
    }

    /// Length and billing cycle of the paid term that follows: what is asked, else the terms' after a trial, else its own,
    /// which is the one it had before it went on by the month.
    pub(super) fn paid_plan(&self, asked: &Amendments) -> (Option<Span>, String) {
        let before = self.sub.profile.extended.is_some().then(|| before_extension(self.sub));
        let (profile, trial) = (&before.as_ref().unwrap_or(self.sub).profile, self.trial());
        let length = asked.term_duration.or(trial.and_then(|trial| trial.term_duration)).or(profile.term_duration);
        let cycle = asked.billing_cycle.clone().or_else(|| profile.next_billing_cycle.clone());
        let cycle = cycle.or_else(|| trial.and_then(|trial| trial.billing_cycle.clone()));
        (length, cycle.unwrap_or_else(|| profile.billing_cycle.clone()))
    }

    pub(super) fn conversion(&self, to: &Amendments) -> Result<Quote, Refusal> {
        let (after, lines, rule) = self.converted(to)?;
        let mut total = None;
        for line in &lines {
            let line = Money::new(line.amount, line.currency);
            total = Some(total.map_or(Ok(line), |total: Money| total.plus(line))?);
        }
        let total = total.filter(|total| !total.is_zero());
        let refund = total.filter(|total| total.amount.is_sign_negative()).map(Money::negated);
        let charge = total.filter(|_| refund.is_none());
        let quantity = after.standing.quantity;
        let cost = match (charge, refund) {
            (Some(charge), _) => format!("{charge} is charged"),
            (None, Some(refund)) => format!("{refund} comes back"),
            (None, None) => "nothing is charged".to_owned(),
        };
        let what = if self.sub.profile.is_trial {
            "the trial becomes a paid subscription"
        } else {
            "it is a whole term again,"
        };
        let answer = yes(&rule, format!("{what} of {quantity} seats; {cost}"));
        Ok(Quote { charge, refund, ..answer })
    }

    /// The trial as the paid subscription it becomes now: the id stays, the term and its window begin.
    pub(super) fn converted(&self, to: &Amendments) -> Result<(Subscription, Vec<Draft>, String), Refusal> {
        let Some(trial) = self.trial() else {
            if self.sub.profile.extended.is_some() {
                return self.made_whole(to);
            }
            return Err(Refusal::new("not_a_trial", "it is no trial that could be converted"));
        };
        let no = |code: &str, message: String| {
            Err(coded(Refusal::new(code, message).by_rule(&trial.rule), trial.partner_center_code))
        };
        if !trial.convertible {
            return no("conversion_not_possible", "this trial becomes paid at its end and not before".to_owned());
        }
        self.active("be converted")?;
        let quantity = to.quantity.unwrap_or(self.sub.standing.quantity);
        self.in_range(quantity)?;
        if let Some(least) = trial.conversion_minimum.filter(|least| quantity < *least) {
            return no(
                "quantity_out_of_range",
                format!("a conversion before the trial's end has at least {least} seats"),
            );
        }
        let (length, cycle) = self.paid_plan(to);
        let Some(length) = length else {
            return no("term_duration_invalid", "say how long the paid term is".to_owned());
        };
        self.plan(length, &cycle)?;
        let (next, (start, end)) = self.begun_anew(to, length, cycle, quantity)?;
        let before = &self.sub.standing;
        let price = known(self.price)?;
        let charge = amount(self.family, ChargeType::Convert, price, quantity, Days::WHOLE)?;
        let line = |seats: i64, unit: Money, amount: Money| Draft {
            kind: ChargeType::Convert,
            quantity: seats,
            unit_price: unit.amount,
            amount: amount.amount,
            currency: amount.currency,
            period_start: start,
            period_end: next.standing.cycle_end.unwrap_or(end),
            rule: trial.rule.clone(),
            reverses: None,
        };
        let free = Money::zero(price.currency);
        let lines = vec![line(-before.quantity, free, free), line(quantity, price, charge)];
        Ok((next, lines, trial.rule.clone()))
    }

    /// It with a paid term that begins now, and a window with it: the id stays.
    pub(super) fn begun_anew(
        &self,
        to: &Amendments,
        length: Span,
        cycle: String,
        quantity: i64,
    ) -> Result<(Subscription, Period), Refusal> {
        let mut next = self.sub.clone();
        let start = starts(self.family, self.now);
        let anchor_day = start.date_naive().day();
        edit(&mut next, |profile| {
            *profile = Profile {
                is_trial: false,
                purchased_at: self.now,
                anchor_day,
                term_duration: Some(length),
                billing_cycle: cycle,
                offer_id: to.offer_id.clone().unwrap_or_else(|| profile.offer_id.clone()),
                offer_name: self.around.offer_name.clone().unwrap_or_else(|| profile.offer_name.clone()),
                next_term: Amendments::default(),
                next_billing_cycle: None,
                plan_since: None,
                unit_price: self.price.or(profile.unit_price),
                extended: None,
                seat_batches: Vec::new(),
                ..profile.clone()
            };
        });
        let end = end_of(self.family, start, anchor_day, length).ok_or_else(beyond)?;
        let term = (start, end);
        let fresh = standing(
            self.family,
            &next.profile,
            quantity,
            self.now,
            Some(term),
            first_cycle(self.family, &next.profile, term),
        );
        let before = &self.sub.standing;
        let renews = self.family.renewal(self.now).is_some_and(|rule| rule.renews);
        next.standing = Standing { generation: before.generation + 1, auto_renew_enabled: renews, ..fresh };
        Ok((next, term))
    }

    pub(super) fn convert(&self, to: &Amendments) -> Result<Applied, Refusal> {
        let (subscription, lines, _) = self.converted(to)?;
        Ok(Applied { subscription, lines, topic: "subscription.converted" })
    }
}
