//! What is decided now and takes effect later: instructions for the next term, and another billing plan from the next
//! billing cycle. And the end of what is paid by use, which has nothing to wait for.

use super::charges::known;
use super::quote::{Asked, coded, yes};
use super::{Applied, become_, edit, forget_next_term};
use crate::domain::calendar::show;
use crate::domain::change::Amendments;
use crate::domain::subscription::{Attention, Status};
use crate::domain::{Quote, Refusal, Span, Subscription};

impl Asked<'_> {
    pub(super) fn schedule(&self, instructions: &Amendments) -> Result<Quote, Refusal> {
        let Some(rule) = &self.family.schedule else {
            return Err(Refusal::new("schedule_not_possible", "the terms know no instructions for the next term"));
        };
        self.active("have its next term set")?;
        if instructions.is_empty() {
            return Ok(yes(&rule.rule, "the next term is like this one".to_owned()));
        }
        let no = |code: &str, message: &str| {
            Err(coded(Refusal::new(code, message).by_rule(&rule.rule), rule.partner_center_code))
        };
        if !self.sub.standing.auto_renew_enabled {
            return no("auto_renew_off", "there is no next term: switch auto-renew on first");
        }
        let offer =
            instructions.offer_id.as_ref().filter(|offer| !offer.eq_ignore_ascii_case(&self.sub.profile.offer_id));
        if offer.is_some() && !rule.offer {
            return no("exchange_not_possible", "the next term cannot be of another offer");
        }
        let next = self.next_term(instructions)?;
        let message = format!(
            "from {}: {} seats for {}, billed {}",
            show(next.start),
            next.quantity,
            next.length,
            next.billing_cycle
        );
        Ok(Quote { effective_at: Some(next.start), ..yes(&rule.rule, message) })
    }

    /// The instructions are kept until the term ends or another change wipes them.
    pub(super) fn instruct(&self, instructions: &Amendments) -> Applied {
        let mut next = self.sub.clone();
        next.standing.generation += 1;
        edit(&mut next, |profile| profile.next_term = instructions.clone());
        Applied { subscription: next, lines: Vec::new(), topic: "subscription.next_term_scheduled" }
    }

    pub(super) fn billing_plan(&self, billing_cycle: &str) -> Result<Quote, Refusal> {
        let (standing, profile) = (&self.sub.standing, &self.sub.profile);
        self.active("change its billing plan")?;
        let rows = self.family.billing_plans.iter().filter(|row| {
            Some(row.term) == profile.term_duration
                && row.from.is_none_or(|from| from <= profile.purchased_at)
                && row.until.is_none_or(|until| profile.purchased_at < until)
        });
        let Some(row) = rows.clone().find(|row| row.before == profile.billing_cycle && row.after == billing_cycle)
        else {
            // What was asked before is taken back.
            if billing_cycle == profile.billing_cycle && profile.next_billing_cycle.is_some() {
                let rule = rows.clone().next().map_or("", |row| row.rule.as_str());
                return Ok(yes(rule, format!("it stays billed {billing_cycle}")));
            }
            let message =
                format!("a term billed {} cannot become billed {billing_cycle} before it ends", profile.billing_cycle);
            return Err(Refusal::new("billing_plan_locked", message).partner_center(6000));
        };
        let (Some(from), Some(term_end)) = (standing.cycle_end, standing.term_end) else {
            return Err(Refusal::new("billing_plan_locked", "nothing is billed that could change").by_rule(&row.rule));
        };
        let late = |left: &Span| from >= term_end || left.after(from).is_none_or(|then| then >= term_end);
        if late(&row.left.unwrap_or_default()) {
            let message =
                format!("too little of the term is left at {}, where its next billing cycle begins", show(from));
            return Err(Refusal::new("billing_plan_locked", message).by_rule(&row.rule).partner_center(6000));
        }
        let price = known(self.price).map_err(|refusal| refusal.by_rule(&row.rule))?;
        let message = format!("billed {billing_cycle} from {} at {price} a seat", show(from));
        Ok(Quote { effective_at: Some(from), ..yes(&row.rule, message) })
    }

    /// The next charge is of the new plan; a suspension leaves that as it is.
    pub(super) fn replan(&self, billing_cycle: &str) -> Applied {
        let mut next = self.sub.clone();
        next.standing.generation += 1;
        let planned = (billing_cycle != self.sub.profile.billing_cycle).then(|| billing_cycle.to_owned());
        edit(&mut next, |profile| profile.next_billing_cycle = planned);
        // What was planned for the next term goes with any change inside this one.
        forget_next_term(&mut next);
        Applied { subscription: next, lines: Vec::new(), topic: "subscription.billing_plan_changed" }
    }

    pub(super) fn deprovision(&self) -> Result<Quote, Refusal> {
        let Some(rule) = &self.family.deprovision else {
            let message = "it is not paid by use: cancel it instead";
            return Err(Refusal::new("deprovision_not_possible", message));
        };
        if matches!(self.sub.standing.status, Status::Expired | Status::Disabled) {
            return Err(self.illegal("be de-provisioned"));
        }
        self.to(Status::Deleted)?;
        Ok(yes(&rule.rule, "it ends at once; nothing comes back, and its use until now is billed".to_owned()))
    }

    pub(super) fn deprovisioned(&self) -> Result<Applied, Refusal> {
        let mut next: Subscription = self.sub.clone();
        next.standing.generation += 1;
        become_(&mut next, Status::Deleted, self.now)?;
        super::switch_auto_renew(&mut next, false);
        next.standing.next_step_at = None;
        next.standing.attention = next.standing.attention.filter(|one| *one != Attention::ActivationPending);
        Ok(Applied { subscription: next, lines: Vec::new(), topic: "subscription.deprovisioned" })
    }
}
