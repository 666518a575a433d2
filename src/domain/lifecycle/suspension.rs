//! Suspension and its end, where billing stops with it: what comes back, until when its data stays, and what it costs to
//! go on. An add-on does not return before its base.

use super::charges::{Days, amount, days_of, known};
use super::period::{anchor, by_use, cycle_end, end_of, first_cycle};
use super::quote::{Asked, coded};
use crate::domain::ledger::{ChargeType, Draft};
use crate::domain::subscription::{Renewal, Standing, Status, Subscription};
use crate::domain::terms::{Family, SuspensionRule, midnight};
use crate::domain::{Instant, Money, Refusal, Span};

/// When the data of what is suspended then is deleted: reactivation is possible through the whole last day, so it is
/// the midnight after it. None: at the term's end.
pub(super) fn deleted_at(family: &Family, opening_days: i64, now: Instant) -> Option<Instant> {
    let rule = family.suspension.as_ref()?;
    let plain = rule.delete_after?.after(now)?;
    let last = match rule.delete_after_max {
        Some(most) => {
            let extra = Span::days(u32::try_from(opening_days.max(0)).unwrap_or(u32::MAX));
            extra.after(plain).map_or(most.after(now), |longer| Some(longer.min(most.after(now)?)))?
        }
        None => plain,
    };
    Span::days(1).after(midnight(last))
}

impl Asked<'_> {
    fn suspending(&self) -> Option<&SuspensionRule> {
        self.family.suspension.as_ref()
    }

    /// Whether auto-renew is no business of a suspension, because the partner cannot switch it.
    pub(super) fn keeps_renewing(&self) -> bool {
        let rule = self.family.renewal(self.sub.profile.purchased_at);
        self.sub.standing.auto_renew_enabled && rule.is_some_and(|rule| !rule.switchable)
    }

    /// What comes back where billing stops, and the rule that says so.
    pub(super) fn suspension_refund(&self) -> Result<Option<(Money, String)>, Refusal> {
        let Some(refund) =
            self.suspending().filter(|rule| !rule.billing_continues).and_then(|rule| rule.refund.as_ref())
        else {
            return Ok(None);
        };
        let Some(cycle) = self.sub.standing.cycle_start.zip(self.sub.standing.cycle_end) else { return Ok(None) };
        let price = known(self.price)?;
        // After a reactivation inside the cycle only the days since then were charged.
        let since = days_of(self.family, &self.sub.profile, self.sub.standing.status_since.max(cycle.0), cycle);
        let charged = amount(self.family, ChargeType::CycleCharge, price, self.sub.standing.quantity, since)?;
        let cost = self.cycle_cost(price)?;
        let noted = self.charges_whole_cycles();
        let cost = if !noted && charged.amount < cost.amount { charged } else { cost };
        let full = refund.full_within.after(self.sub.profile.purchased_at).is_some_and(|late| self.now < late);
        let left = self.days_left(self.now);
        let part = amount(self.family, ChargeType::CancelImmediate, price, self.sub.standing.quantity, left)?;
        let back = if full || part.amount > cost.amount { cost } else { part };
        Ok(Some((back, refund.rule.clone())).filter(|(back, _)| !back.is_zero()))
    }

    /// The credit line of a suspension.
    pub(super) fn suspension_credit(&self) -> Result<Option<Draft>, Refusal> {
        let Some((refund, rule)) = self.suspension_refund()? else { return Ok(None) };
        let price = known(self.price)?;
        let quantity = self.sub.standing.quantity;
        Ok(Some(self.draft(ChargeType::CancelImmediate, quantity, price, refund.negated(), &rule)))
    }

    /// The first instant too late to reactivate it.
    pub(super) fn reactivated_until(&self) -> Option<Instant> {
        let standing = &self.sub.standing;
        let outlasts = self.suspending().is_some_and(|rule| rule.outlasts_term);
        let end = standing.term_end.filter(|_| !outlasts);
        [end, standing.next_step_at].into_iter().flatten().min()
    }

    /// An add-on does not return before its base.
    pub(super) fn base_lets_it_return(&self) -> Result<(), Refusal> {
        let (Some(rule), Some(base)) = (&self.family.add_on, &self.around.base) else { return Ok(()) };
        if rule.suspended.is_none() || base.standing.status == Status::Active {
            return Ok(());
        }
        let message = format!("its base {} is {}: reactivate that first", base.id, base.standing.status.as_str());
        let name = rule.suspended.as_deref().unwrap_or(&rule.rule);
        Err(coded(Refusal::new("base_not_active", message).by_rule(name), rule.inactive_code))
    }

    /// The standing with which it goes on, and what that costs: where billing had stopped, with the suspension or with
    /// the term that it outlasts, the term and cycle that hold today, and the rest of that cycle.
    pub(super) fn resumed(&self) -> Result<(Standing, Option<Draft>), Refusal> {
        let mut standing = self.sub.standing;
        let over = standing.term_end.is_some_and(|end| end <= self.now);
        let stopped = self.suspending().is_some_and(|rule| !rule.billing_continues || over);
        // What was not given back is paid for still.
        let kept = self.suspending().is_none_or(|rule| rule.refund.is_none());
        let paid = kept && standing.cycle_end.is_some_and(|end| self.now < end);
        let by_use = by_use(self.family, &self.sub.profile);
        if !stopped || paid || (standing.cycle_start.is_none() && !by_use) {
            return Ok((standing, None));
        }
        self.roll(&mut standing);
        if by_use {
            return Ok((standing, None));
        }
        let price = known(self.price)?;
        let left = standing
            .cycle_start
            .zip(standing.cycle_end)
            .map_or(Days::WHOLE, |cycle| days_of(self.family, &self.sub.profile, self.now, cycle));
        let charge = amount(self.family, ChargeType::CycleCharge, price, standing.quantity, left)?;
        let rule =
            self.suspending().map_or("", |rule| rule.refund.as_ref().map_or(&*rule.rule, |refund| &*refund.rule));
        let mut line = self.draft(ChargeType::CycleCharge, standing.quantity, price, charge, rule);
        line.period_end = standing.cycle_end.unwrap_or(line.period_end);
        Ok((standing, Some(line)))
    }

    /// It goes on in another term: what was decided about the end of the old one is over with it.
    pub(super) fn begin_as_new(&self, next: &mut Subscription) {
        let rule = self.family.renewal(self.sub.profile.purchased_at);
        next.standing.renewal = Renewal::Open;
        next.standing.cancel_at_term_end = false;
        next.standing.auto_renew_enabled |= rule.is_some_and(|rule| rule.renews && !rule.switchable);
    }

    /// Terms and cycles go by while nothing is billed.
    fn roll(&self, standing: &mut Standing) {
        let profile = &self.sub.profile;
        while let (Some(end), Some(length)) = (standing.term_end, profile.term_duration) {
            let next = end_of(self.family, end, anchor(end, profile.anchor_day), length);
            let Some(next) = next.filter(|_| end <= self.now) else { break };
            (standing.term_start, standing.term_end) = (end, Some(next));
            let cycle = first_cycle(self.family, profile, (end, next));
            (standing.cycle_start, standing.cycle_end) = (cycle.map(|cycle| cycle.0), cycle.map(|cycle| cycle.1));
        }
        while let (Some(end), Some(last)) = (standing.cycle_end, standing.term_end)
            && end <= self.now
            && end < last
        {
            standing.cycle_start = Some(end);
            standing.cycle_end = Some(cycle_end(self.family, profile, end, last));
        }
    }
}
