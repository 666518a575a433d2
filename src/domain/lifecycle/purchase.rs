//! The beginning: a purchase makes what was ordered the customer's. Some families wait for their publisher first; an
//! add-on takes the dates of its base; a first term may end with another.

use chrono::Datelike;

use super::charges::{Days, amount, days_of, known};
use super::period::{Period, by_use, days, end_of, first_cycle, full_cycle_end, standing, starts};
use super::quote::{Asked, coded, yes};
use super::term_end::beyond;
use super::{Applied, edit};
use crate::domain::calendar::show;
use crate::domain::ledger::{ChargeType, Draft};
use crate::domain::subscription::{Attention, Profile, Renewal, Standing, Status, Subscription};
use crate::domain::terms::Terms;
use crate::domain::terms::begin::{DuringTrial, TrialEnd};
use crate::domain::{Instant, Kind, Money, Quote, Refusal};

/// The rule of a purchase that nothing else bounds: the whole first cycle is charged.
const WHOLE_CYCLE: &str = "BUY";

/// The standing of a subscription that an order has just asked for: pending until its purchase is carried out.
pub fn pending(terms: &Terms, profile: &Profile, quantity: i64, ordered_at: Instant) -> Standing {
    let family = terms.family(&profile.family);
    Standing {
        generation: 1,
        status: Status::Pending,
        quantity,
        auto_renew_enabled: false,
        cancel_at_term_end: false,
        term_start: starts(family, ordered_at),
        term_end: None,
        cycle_start: None,
        cycle_end: None,
        window_end: None,
        status_since: ordered_at,
        next_step_at: None,
        late_terms: 0,
        renewal: Renewal::Open,
        attention: None,
    }
}

/// The purchase comes to nothing: what was pending is gone. Nothing where it is not pending any more.
pub fn lapse(sub: &Subscription, now: Instant) -> Option<Subscription> {
    let waits = sub.standing.status == Status::Pending && sub.standing.attention != Some(Attention::ActivationPending);
    if !waits {
        return None;
    }
    let mut next = sub.clone();
    next.standing.generation += 1;
    next.standing.status = Status::Deleted;
    next.standing.status_since = now;
    next.standing.window_end = None;
    Some(next)
}

/// The publisher's page where what was bought is activated: the one its order or the catalogue told, else the terms'
/// (I-link).
pub fn activation_link(terms: &Terms, sub: &Subscription) -> Option<String> {
    let rule = terms.family(&sub.profile.family).activation.as_ref()?;
    let told = sub.profile.extra.get("activationLink").map(|text| text.trim_matches('"').to_owned());
    let link = told.or_else(|| (!rule.link.is_empty()).then(|| rule.link.clone()))?;
    Some(link.replace("{subscription}", &sub.id.to_string()))
}

/// The first term, the cycle of it that is charged, and how much of that.
struct First {
    term: Option<Period>,
    cycle: Option<Period>,
    charged: Days,
    anchor_day: u32,
    rule: String,
}

impl Asked<'_> {
    pub(super) fn purchase(&self) -> Result<Quote, Refusal> {
        if self.sub.standing.attention == Some(Attention::ActivationPending) {
            return Err(Refusal::new("illegal_transition", "it has been bought and waits for its activation"));
        }
        self.pending("be bought")?;
        self.in_range(self.sub.standing.quantity)?;
        self.base_is_active()?;
        if let Some(rule) = &self.family.activation {
            return Ok(yes(&rule.rule, "it waits for its publisher; nothing is charged before it is activated".into()));
        }
        self.beginning()
    }

    pub(super) fn activation(&self) -> Result<Quote, Refusal> {
        let Some(rule) = &self.family.activation else {
            return Err(Refusal::new("activation_not_possible", "what is bought here is active at once"));
        };
        self.pending("be activated")?;
        if self.sub.standing.attention != Some(Attention::ActivationPending) {
            let message = "its purchase is not carried out yet; activate it afterwards";
            return Err(Refusal::new("not_bought", message).by_rule(&rule.rule).partner_center(800_082));
        }
        self.beginning()
    }

    /// What the beginning costs.
    fn beginning(&self) -> Result<Quote, Refusal> {
        let (after, lines, rule) = self.begun()?;
        let until = after.standing.term_end.map(|end| format!(" until {}", show(end))).unwrap_or_default();
        let charge = lines.first().map(|line| Money::new(line.amount, line.currency));
        let cost = charge.map_or_else(|| "nothing is charged".to_owned(), |charge| format!("{charge} is charged"));
        let mut answer = yes(&rule, format!("{} seats from now{until}; {cost}", after.standing.quantity));
        answer.charge = charge.filter(|charge| !charge.is_zero());
        Ok(answer)
    }

    /// The subscription as it is once it has begun, and what is owed for it.
    pub(super) fn begun(&self) -> Result<(Subscription, Vec<Draft>, String), Refusal> {
        let mut next = self.sub.clone();
        if self.family.activation.is_none() {
            edit(&mut next, |profile| profile.purchased_at = self.now);
        }
        let first = self.first(&next.profile)?;
        let trial = self.trial();
        let quantity = trial.and_then(|trial| trial.seats).unwrap_or(self.sub.standing.quantity);
        let renews = match trial {
            Some(trial) => trial.at_end == TrialEnd::Converts,
            None => first.term.is_some() && self.family.renewal(next.profile.purchased_at).is_some_and(|it| it.renews),
        };
        if next.profile.anchor_day != first.anchor_day {
            edit(&mut next, |profile| profile.anchor_day = first.anchor_day);
        }
        let fresh = standing(self.family, &next.profile, quantity, self.now, first.term, first.cycle);
        let window_end = match trial.map(|trial| trial.cancellation) {
            Some(DuringTrial::AnyTime) => fresh.term_end,
            Some(DuringTrial::Never) => None,
            _ => fresh.window_end,
        };
        let generation = self.sub.standing.generation + 1;
        next.standing =
            Standing { generation, auto_renew_enabled: renews, window_end, status_since: self.now, ..fresh };
        let line = self.first_line(&next, &first)?;
        Ok((next, line.into_iter().collect(), first.rule))
    }

    fn first(&self, profile: &Profile) -> Result<First, Refusal> {
        if let Some((base, rule)) = self.aligned_base() {
            if base.standing.cycle_start.is_some() && base.profile.billing_cycle != profile.billing_cycle {
                let message = format!(
                    "its base {} is billed {}, and an add-on with it: not {}",
                    base.id, base.profile.billing_cycle, profile.billing_cycle
                );
                return Err(Refusal::new("billing_cycle_of_base", message).by_rule(rule));
            }
            let (base, base_profile, anchor_day) = (&base.standing, &*base.profile, base.profile.anchor_day);
            let cycle = base.cycle_start.zip(base.cycle_end);
            let charged = cycle.map_or(Days::WHOLE, |cycle| days_of(self.family, base_profile, self.now, cycle));
            let term = base.term_end.map(|end| (base.term_start, end));
            return Ok(First { term, cycle, charged, anchor_day, rule: rule.to_owned() });
        }
        let start = starts(self.family, self.now);
        let anchor_day = start.date_naive().day();
        if let Some(trial) = self.trial() {
            let end = end_of(self.family, start, anchor_day, trial.length).ok_or_else(beyond)?;
            let rule = trial.rule.clone();
            return Ok(First { term: Some((start, end)), cycle: None, charged: Days::WHOLE, anchor_day, rule });
        }
        let Some(length) = profile.term_duration else {
            let rule = WHOLE_CYCLE.to_owned();
            return Ok(First { term: None, cycle: None, charged: Days::WHOLE, anchor_day, rule });
        };
        let mut end = end_of(self.family, start, anchor_day, length).ok_or_else(beyond)?;
        let mut rule = WHOLE_CYCLE;
        if let Some(last_day) = profile.custom_term_end_date {
            (end, rule) = self.aligned_end(last_day, start, end, length)?;
        }
        let described = Profile { anchor_day, ..profile.clone() };
        let cycle = first_cycle(self.family, &described, (start, end));
        let charged = cycle.map_or(Days::WHOLE, |cycle| Days {
            billed: days(cycle.0, cycle.1),
            cycle: days(cycle.0, full_cycle_end(self.family, &described, cycle)),
        });
        Ok(First { term: Some((start, end)), cycle, charged, anchor_day, rule: rule.to_owned() })
    }

    /// The line of the first charge: of a trial it is nothing, by use there is none.
    fn first_line(&self, next: &Subscription, first: &First) -> Result<Option<Draft>, Refusal> {
        let profile = &next.profile;
        let unbilled =
            by_use(self.family, profile) || matches!(profile.billing_cycle.as_str(), "none" | "unknown" | "");
        let is_trial = profile.is_trial;
        if (unbilled && !is_trial) || (is_trial && self.price.is_none()) {
            return Ok(None);
        }
        let price = known(self.price)?;
        let price = if is_trial { Money::zero(price.currency) } else { price };
        let standing = &next.standing;
        let amount = amount(self.family, ChargeType::New, price, standing.quantity, first.charged)?;
        let aligned = self.aligned_base().is_some();
        let start = if aligned { self.now } else { standing.cycle_start.unwrap_or(standing.term_start) };
        Ok(Some(Draft {
            kind: ChargeType::New,
            quantity: standing.quantity,
            unit_price: price.amount,
            amount: amount.amount,
            currency: amount.currency,
            period_start: start,
            period_end: standing.cycle_end.or(standing.term_end).unwrap_or(start).max(start),
            rule: first.rule.clone(),
            reverses: None,
        }))
    }

    /// Carries the purchase out: active at once, or bought and waiting for its publisher.
    pub(super) fn buy(&self) -> Result<Applied, Refusal> {
        if self.family.activation.is_some() {
            let mut next = self.sub.clone();
            next.standing.generation += 1;
            next.standing.attention = Some(Attention::ActivationPending);
            let window = self.family.window(Kind::Cancellation, &next.profile, self.now);
            next.standing.window_end = window.and_then(|window| window.closes(self.now));
            edit(&mut next, |profile| profile.purchased_at = self.now);
            return Ok(Applied { subscription: next, lines: Vec::new(), topic: "subscription.activation_pending" });
        }
        let (subscription, lines, _) = self.begun()?;
        Ok(Applied { subscription, lines, topic: "subscription.purchased" })
    }

    /// The publisher has confirmed it.
    pub(super) fn activate(&self) -> Result<Applied, Refusal> {
        let (mut subscription, lines, _) = self.begun()?;
        subscription.standing.attention = None;
        Ok(Applied { subscription, lines, topic: "subscription.activated" })
    }

    /// The base whose dates an add-on takes, with the rule that says so.
    fn aligned_base(&self) -> Option<(&Subscription, &str)> {
        let rule = self.family.add_on.as_ref()?.aligned.as_deref()?;
        self.sub.profile.parent_subscription_id?;
        Some((self.around.base.as_ref()?, rule))
    }

    fn base_is_active(&self) -> Result<(), Refusal> {
        let (Some(rule), Some(id)) = (&self.family.add_on, self.sub.profile.parent_subscription_id) else {
            return Ok(());
        };
        let base = self.around.base.as_ref();
        if base.is_some_and(|base| base.standing.status == Status::Active) {
            return Ok(());
        }
        let is = base.map_or("not known", |base| base.standing.status.as_str());
        let message = format!("an add-on is bought for an active base; {id} is {is}");
        Err(coded(Refusal::new("base_required", message).by_rule(&rule.rule), rule.partner_center_code))
    }

    fn pending(&self, what: &str) -> Result<(), Refusal> {
        if self.sub.standing.status == Status::Pending { Ok(()) } else { Err(self.illegal(what)) }
    }
}
