//! Quotes: whether, until when, for how much, and which rule says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::around::{ALONE, Around};
use super::charges::{known, whole};
use super::period::{anchor, begin, by_use, cycle_months, end_of, opened_for};
use super::suspension::deleted_at;
use super::term_end::{next_step, takes_changes};
use super::{extension, processing};
use crate::domain::calendar::show;
use crate::domain::change::{Amendments, Reason};
use crate::domain::ledger::ChargeType;
use crate::domain::quote::Effect;
use crate::domain::subscription::{Attention, Profile, Status, Subscription};
use crate::domain::terms::begin::{DuringTrial, TrialEnd};
use crate::domain::terms::{Family, Late, RenewalRule, Terms, Window};
use crate::domain::{Change, Instant, Kind, Money, Quote, Refusal, Span, SubscriptionId, TenantId};

/// What the terms say about a change now. Always an answer: a refusal is inside.
///
/// `price` is the price of one seat for one cycle (of the next term, for a renewal).
pub fn quote(terms: &Terms, sub: &Subscription, change: &Change, price: Option<Money>, now: Instant) -> Quote {
    quote_amended(terms, sub, change, &Amendments::default(), price, &ALONE, now)
}

/// The same of the change as an approval amends it, with what stands around the subscription.
pub fn quote_amended(
    terms: &Terms,
    sub: &Subscription,
    change: &Change,
    amendments: &Amendments,
    price: Option<Money>,
    around: &Around,
    now: Instant,
) -> Quote {
    let family = terms.family(&sub.profile.family);
    if let Some(refusal) = processing::refused_now(terms, sub, change.kind(), now) {
        return no(refusal, None);
    }
    Asked { family, sub, price, around, now }.quote(change, amendments)
}

/// Seats that could go now without the rest (`refundableQuantity`).
pub fn refundable_quantity(terms: &Terms, sub: &Subscription, now: Instant) -> i64 {
    let family = terms.family(&sub.profile.family);
    Asked { family, sub, price: None, around: &ALONE, now }.refundable()
}

/// What the terms say about cancelling, at `asked`, a subscription bought at `purchased` for so many seats at so much a
/// seat and cycle.
#[expect(clippy::too_many_arguments, reason = "they are the words of one command, and nothing else has them together")]
pub fn terms_quote(
    terms: &Terms,
    family: &str,
    purchased: Instant,
    asked: Instant,
    price: Money,
    quantity: i64,
    term: Span,
    billing_cycle: &str,
) -> Quote {
    let rules = terms.family(family);
    if rules.name != family {
        let known: Vec<&str> = terms.families().map(|family| family.name.as_str()).collect();
        let message = format!("there are no terms of {family:?}; there are {}", known.join(", "));
        return no(Refusal::new("family_unknown", message), None);
    }
    if asked < purchased {
        let message = format!("it was bought at {}, after it was asked about", show(purchased));
        return no(Refusal::new("asked_before_purchase", message), None);
    }
    // What is billed otherwise than in cycles (none, by use) has none that could be wrong.
    let billed = billing_cycle != "none" && takes_changes(rules).is_ok();
    if let Err(refusal) = if billed { bills(rules, term, billing_cycle) } else { Ok(()) } {
        return no(refusal, None);
    }
    let profile = Profile {
        family: family.to_owned(),
        offer_id: String::new(),
        offer_name: String::new(),
        friendly_name: String::new(),
        product_type: String::new(),
        publisher_name: String::new(),
        purchased_at: purchased,
        term_duration: (!term.is_zero()).then_some(term),
        billing_cycle: billing_cycle.to_owned(),
        billing_type: "license".to_owned(),
        anchor_day: chrono::Datelike::day(&purchased),
        unit_price: Some(price),
        is_trial: false,
        parent_subscription_id: None,
        order_id: None,
        partner_id: String::new(),
        seat_batches: Vec::new(),
        next_term: Amendments::default(),
        custom_term_end_date: None,
        next_billing_cycle: None,
        plan_since: None,
        extended: None,
        suspension_reason: None,
        labels: BTreeMap::new(),
        extra: BTreeMap::new(),
    };
    let standing = begin(terms, &profile, quantity, purchased, asked);
    if let Some(end) = standing.term_end.filter(|end| *end <= asked) {
        let message = format!("its term ended at {}: what renewed then is asked about from its renewal on", show(end));
        return no(Refusal::new("term_over", message), None);
    }
    let ids = (SubscriptionId::default(), TenantId::default());
    let sub = Subscription { id: ids.0, tenant: ids.1, standing, profile: Arc::new(profile) };
    let change = Change::Cancellation { reason: Reason::CustomerRequest };
    Asked { family: rules, sub: &sub, price: Some(price), around: &ALONE, now: asked }
        .quote(&change, &Amendments::default())
}

/// A question to the terms of one family about one subscription.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) family: &'a Family,
    pub(super) sub: &'a Subscription,
    pub(super) price: Option<Money>,
    pub(super) around: &'a Around,
    pub(super) now: Instant,
}

/// The term that would follow.
pub(super) struct NextTerm {
    pub(super) start: Instant,
    pub(super) quantity: i64,
    pub(super) length: Span,
    pub(super) billing_cycle: String,
    pub(super) offer_id: Option<String>,
    /// The first instant after it, where it is aligned to another date.
    pub(super) aligned_end: Option<Instant>,
    pub(super) charge: ChargeType,
    pub(super) rule: String,
}

pub(super) fn yes(rule: &str, reason: String) -> Quote {
    Quote {
        allowed: true,
        allowed_until: None,
        charge: None,
        refund: None,
        outstanding: None,
        rule: rule.to_owned(),
        reason,
        effect: Effect::Now,
        effective_at: None,
        refusal: None,
    }
}

pub(super) fn no(refusal: Refusal, allowed_until: Option<Instant>) -> Quote {
    Quote { allowed_until, ..Quote::refused(refusal) }
}

pub(super) fn coded(refusal: Refusal, code: Option<u32>) -> Refusal {
    match code {
        Some(code) => refusal.partner_center(code),
        None => refusal,
    }
}

/// What can be amended: of a change that begins a term all of its plan, of a change of seats their number, else nothing.
/// An amendment that means nothing is no yes to the change as it stands.
fn may_amend(kind: Kind, amendments: &Amendments) -> Result<(), Refusal> {
    let rest = match kind {
        Kind::Renewal | Kind::Conversion | Kind::Schedule => return Ok(()),
        Kind::Quantity => Amendments { quantity: None, ..amendments.clone() },
        _ => amendments.clone(),
    };
    let Some(field) = rest.first() else { return Ok(()) };
    let message = format!("an approval amends {field}, which a {kind} has not: approve it as it stands, or deny it");
    Err(Refusal::new("amendment_not_applicable", message))
}

impl Asked<'_> {
    /// The answer; `amendments` stand over a renewal's own.
    pub(super) fn quote(&self, change: &Change, amendments: &Amendments) -> Quote {
        if let Err(refusal) = takes_changes(self.family) {
            return no(refusal, None);
        }
        if let Err(refusal) = may_amend(change.kind(), amendments) {
            return no(refusal, None);
        }
        let answer = match change {
            Change::Renewal { term_end, amendments: own } => {
                self.renewal(*term_end, &amendments.over(own).over(&self.sub.profile.next_term))
            }
            Change::Suspension { reason } => self.suspension(*reason),
            Change::Reactivation {} => self.reactivation(),
            Change::Cancellation { reason } => self.cancellation(*reason),
            Change::AutoRenew { enabled, cancel_at_term_end } => self.auto_renew(*enabled, *cancel_at_term_end),
            Change::Quantity { quantity } => self.quantity(amendments.quantity.unwrap_or(*quantity)),
            Change::Purchase {} => self.purchase(),
            Change::Activation {} => self.activation(),
            Change::Conversion { to } => self.conversion(&amendments.over(to)),
            Change::Schedule { instructions } => self.schedule(&amendments.over(instructions)),
            Change::BillingPlan { billing_cycle } => self.billing_plan(billing_cycle),
            Change::Deprovision {} => self.deprovision(),
            Change::Upgrade { offer_id, quantity } => self.upgrade(offer_id, *quantity),
        };
        answer.unwrap_or_else(|refusal| no(refusal, None))
    }

    fn renewal(&self, term_end: Instant, amendments: &Amendments) -> Result<Quote, Refusal> {
        let next = self.next_term(amendments)?;
        if next.start != term_end {
            let message = format!("the term ends at {}, not at {}", show(next.start), show(term_end));
            return Err(Refusal::new("term_end_moved", message).by_rule(&next.rule));
        }
        if self.sub.standing.cancel_at_term_end {
            let message = "it is to end with its term: switch auto-renew on to renew it";
            return Err(Refusal::new("ends_at_term_end", message).by_rule(&next.rule));
        }
        let charge = match by_use(self.family, &self.sub.profile) {
            true => None,
            false => {
                let price = known(self.price).map_err(|refusal| refusal.by_rule(&next.rule))?;
                Some(whole(self.family, next.charge, price, next.quantity)?)
            }
        };
        let reason = format!("renews at {} for {} ({} seats)", show(next.start), next.length, next.quantity);
        let answer = yes(&next.rule, reason);
        Ok(Quote { charge, effect: Effect::Later, effective_at: Some(next.start), ..answer })
    }

    /// The term that would follow, amended.
    pub(super) fn next_term(&self, amendments: &Amendments) -> Result<NextTerm, Refusal> {
        takes_changes(self.family)?;
        let profile = &self.sub.profile;
        let rule = self.continues()?;
        self.active("be renewed")?;
        if self.sub.standing.attention == Some(Attention::TermEndPassed) {
            let message = "its term had ended when it was imported: import it again to learn whether it was renewed";
            return Err(Refusal::new("term_end_passed", message).by_rule(&rule));
        }
        let (paid_length, cycle) = self.paid_plan(amendments);
        let (Some(start), Some(length)) = (self.sub.standing.term_end, paid_length) else {
            return Err(Refusal::new("not_renewable", "it has no term that could be renewed").by_rule(&rule));
        };
        let quantity = amendments.quantity.unwrap_or(self.sub.standing.quantity);
        if amendments.quantity.is_some() {
            self.in_range(quantity)?;
        }
        if amendments.term_duration.is_some() || amendments.billing_cycle.is_some() || profile.is_trial {
            self.plan(length, &cycle)?;
        }
        let offer = amendments.offer_id.clone().filter(|offer| !offer.eq_ignore_ascii_case(&profile.offer_id));
        if offer.is_some() {
            self.family.may_be_exchanged()?;
        }
        let aligned_end = match amendments.custom_term_end_date {
            None => None,
            Some(last_day) => {
                let longest = end_of(self.family, start, anchor(start, profile.anchor_day), length);
                let longest = longest.ok_or_else(super::term_end::beyond)?;
                Some(self.aligned_end(last_day, start, longest, length)?.0)
            }
        };
        let charge = match self.trial() {
            Some(trial) if !trial.renews => ChargeType::Convert,
            _ => ChargeType::Renew,
        };
        Ok(NextTerm { start, quantity, length, billing_cycle: cycle, offer_id: offer, aligned_end, charge, rule })
    }

    /// Whether a term of this length can be billed in these cycles.
    pub(super) fn plan(&self, length: Span, cycle: &str) -> Result<(), Refusal> {
        if length.months == 0 || length.days > 0 || length.seconds > 0 {
            let message = format!("a next term is months or years long, not {length}");
            return Err(Refusal::new("term_duration_invalid", message));
        }
        bills(self.family, length, cycle)
    }

    /// The rule by which a term follows the present one: a trial's own, else the renewal's.
    fn continues(&self) -> Result<String, Refusal> {
        let Some(trial) = self.trial() else { return self.renews().map(|rule| rule.rule.clone()) };
        if trial.at_end == TrialEnd::Converts {
            return Ok(trial.rule.clone());
        }
        let message = "a trial of this kind runs out unless it is converted before its end";
        let refusal = Refusal::new("not_renewable", message).by_rule(&trial.rule);
        Err(coded(refusal, trial.partner_center_code))
    }

    pub(super) fn renews(&self) -> Result<&RenewalRule, Refusal> {
        let rule = self
            .family
            .renewal(self.sub.profile.purchased_at)
            .ok_or_else(|| Refusal::new("not_renewable", "the terms know no renewal for it").partner_center(800093))?;
        if rule.renews {
            return Ok(rule);
        }
        let message = format!("bought at {}, it is not renewable: it runs out", show(self.sub.profile.purchased_at));
        Err(coded(Refusal::new("not_renewable", message).by_rule(&rule.rule), rule.partner_center_code))
    }

    fn suspension(&self, reason: Reason) -> Result<Quote, Refusal> {
        let Some(rule) = self.family.suspension.as_ref().filter(|rule| rule.allowed) else {
            let code = self.family.suspension.as_ref().and_then(|rule| rule.partner_center_code);
            let refusal = Refusal::new("suspension_not_possible", "the terms know no suspension for it");
            return Err(coded(refusal, code.or(Some(800_096))));
        };
        self.trial_allows(|trial| trial.suspension, "be suspended")?;
        if self.sub.standing.attention == Some(Attention::TermEndPassed) {
            // Suspended now, nothing could reactivate it: that is possible before a term's end alone.
            let message = "its term had ended when it was imported: import it again to learn whether it was renewed";
            return Err(Refusal::new("term_end_passed", message).by_rule(&rule.rule));
        }
        self.to(Status::Suspended)?;
        reasoned(reason, &rule.reasons, &rule.rule)?;
        let billing = if rule.billing_continues { "billing goes on" } else { "billing stops" };
        let refund = match self.suspension_refund() {
            Ok(refund) => refund.map(|(refund, _)| refund),
            Err(refusal) => return Err(refusal.by_rule(&rule.rule)),
        };
        let back = refund.map(|refund| format!(", {refund} comes back")).unwrap_or_default();
        let renews = if self.keeps_renewing() { "auto-renew stays on" } else { "auto-renew is switched off" };
        let (outstanding, owed) = self.owed(deleted_at(self.family, self.around.opening_days, self.now));
        let answer = yes(&rule.rule, format!("access is off at once, {billing}{back}, {renews}{owed}"));
        Ok(Quote { refund, outstanding, ..answer })
    }

    fn reactivation(&self) -> Result<Quote, Refusal> {
        let rule = self.family.suspension.as_ref().map_or("", |rule| rule.rule.as_str());
        if self.sub.standing.status != Status::Suspended {
            return Err(self.locked("be reactivated"));
        }
        self.base_lets_it_return()?;
        let until = self.reactivated_until();
        if let Some(until) = until.filter(|until| *until <= self.now) {
            let message = format!("it could be reactivated before {}", show(until));
            return Ok(no(Refusal::new("window_closed", message).by_rule(rule), Some(until)));
        }
        let renews = if self.keeps_renewing() { "auto-renew stays on" } else { "auto-renew stays off" };
        let (_, charge) = self.resumed().map_err(|refusal| refusal.by_rule(rule))?;
        let charge = charge.map(|line| Money::new(line.amount, line.currency)).filter(|charge| !charge.is_zero());
        let cost = charge.map(|charge| format!(", {charge} is charged")).unwrap_or_default();
        let answer = yes(rule, format!("access is back at once{cost}; {renews}"));
        Ok(Quote { allowed_until: until, charge, ..answer })
    }

    fn cancellation(&self, reason: Reason) -> Result<Quote, Refusal> {
        self.to(Status::Deleted)?;
        if matches!(self.sub.standing.status, Status::Expired | Status::Disabled) {
            return Err(self.illegal("be cancelled"));
        }
        if self.sub.standing.status == Status::Pending
            && self.sub.standing.attention != Some(Attention::ActivationPending)
        {
            let message = "its purchase waits for an answer: withdraw that request instead of cancelling";
            return Err(Refusal::new("order_in_progress", message).partner_center(800_060));
        }
        let Some(rule) = &self.family.cancellation else {
            return Err(Refusal::new("no_window", "the terms know no cancellation for it").partner_center(800061));
        };
        reasoned(reason, &rule.reasons, &rule.rule)?;
        self.trial_allows(|trial| trial.cancellation, "be cancelled")?;
        // An extended month is cancelled at any time, prorated; its rule is the one that extended it.
        let extended = extension::rule_of(self.family, self.sub).filter(|_| self.sub.profile.extended.is_some());
        let window = self.family.window(Kind::Cancellation, &self.sub.profile, opened_for(self.sub));
        let window = window.filter(|_| extended.is_none());
        // A family without any window refuses whatever date was told.
        let Some(until) = self.sub.standing.window_end.filter(|_| !self.family.windows.is_empty()) else {
            let message = rule.none_says.as_deref().unwrap_or("the present term has no window to cancel it in");
            let refusal = Refusal::new("no_window", message).by_rule(&rule.none);
            return Err(coded(refusal, rule.partner_center_code));
        };
        let name = window.map(|window| window.rule.as_str()).or(extended.map(|rule| rule.rule.as_str()));
        let name = name.unwrap_or("W-imported");
        if until <= self.now {
            return Ok(self.late(until, window, name));
        }
        let own = self.trial().filter(|trial| trial.cancellation == DuringTrial::AnyTime);
        let name = own.map_or(name, |trial| trial.rule.as_str());
        let refund = match self.refund(window) {
            Ok(refund) => refund,
            Err(refusal) => return Ok(no(refusal.by_rule(name), Some(until))),
        };
        let money = refund.map_or_else(|| "nothing was charged".to_owned(), |refund| format!("{refund} comes back"));
        let answer = yes(name, format!("can be cancelled before {}; {money}", show(until)));
        Ok(Quote { allowed_until: Some(until), refund, ..answer })
    }

    fn late(&self, until: Instant, window: Option<&Window>, name: &str) -> Quote {
        let stops = window.is_some_and(|window| window.late == Late::StopRenewal)
            && self.sub.standing.auto_renew_enabled
            && self.sub.standing.status == Status::Active;
        let mut message = format!("it could be cancelled before {}", show(until));
        if stops {
            message.push_str("; a request now stops the renewal instead, and the term runs out");
        }
        let (outstanding, owed) = self.owed(next_step(self.sub).map(|(_, at)| at));
        message.push_str(&owed);
        let refusal = Refusal::new("window_closed", message).by_rule(name);
        let answer = no(coded(refusal, window.and_then(|window| window.partner_center_code)), Some(until));
        let answer = Quote { outstanding, ..answer };
        if !stops {
            return answer;
        }
        Quote { effect: Effect::StopRenewal, effective_at: self.sub.standing.term_end, ..answer }
    }

    fn auto_renew(&self, enabled: bool, cancel: Option<bool>) -> Result<Quote, Refusal> {
        let rule = match self.trial() {
            Some(_) => self.continues()?,
            None => self.switches()?.rule.clone(),
        };
        self.active("have its auto-renew switched")?;
        if enabled && cancel == Some(true) {
            let message = "what renews does not end with its term: switch auto-renew off to cancel it there";
            return Err(Refusal::new("schema", message).by_rule(&rule));
        }
        if enabled {
            return Ok(yes(&rule, "it renews at the end of its term".to_owned()));
        }
        Ok(self.without_renewal(cancel.unwrap_or(self.sub.standing.cancel_at_term_end), &rule))
    }

    /// What its term's end brings without auto-renew: it runs out, or goes on by the month until somebody ends it.
    fn without_renewal(&self, cancel: bool, rule: &str) -> Quote {
        let (Some(extension), Some(end)) = (extension::rule_of(self.family, self.sub), self.sub.standing.term_end)
        else {
            return yes(rule, "it runs out at the end of its term".to_owned());
        };
        if cancel {
            let access = if extension.asked_end_is_at_once { ", and access to it" } else { "" };
            return yes(&extension.rule, format!("it ends with its term at {}{access}", show(end)));
        }
        let price = extension::price_of_month(extension, self.sub, self.around.extended_price, self.price);
        let price = price.map(|price| format!(" at {price} a seat")).unwrap_or_default();
        let message = format!(
            "it goes on by the month from {}{price} until it is cancelled; to end it there, say so (cancelAtTermEnd)",
            show(end)
        );
        yes(&extension.rule, message)
    }

    /// Whether the partner may switch auto-renew.
    fn switches(&self) -> Result<&RenewalRule, Refusal> {
        let rule = self.renews()?;
        if rule.switchable {
            return Ok(rule);
        }
        let message = "its auto-renew cannot be switched: suspend it to let it end";
        let refusal = Refusal::new("auto_renew_locked", message).by_rule(&rule.rule);
        Err(coded(refusal, rule.partner_center_code))
    }
}

/// Whether the family knows such cycles, and a term of this length is a number of them.
fn bills(family: &Family, length: Span, cycle: &str) -> Result<(), Refusal> {
    let known = &family.billing_cycles;
    if !known.is_empty() && !known.iter().any(|word| word == cycle) {
        let known = known.join(", ");
        let message = match cycle {
            "" | "none" => format!("say how it is billed: {known}"),
            _ => format!("'{cycle}' is no billing cycle here; there are {known}"),
        };
        return Err(Refusal::new("billing_cycle_invalid", message).partner_center(6000));
    }
    match cycle_months(cycle).filter(|_| !length.is_zero()) {
        Some(months) if months > length.months || !length.months.is_multiple_of(months) => {
            let message = format!("a term of {length} cannot be billed {cycle}");
            Err(Refusal::new("billing_cycle_invalid", message).partner_center(6000))
        }
        _ => Ok(()),
    }
}

fn reasoned(reason: Reason, known: &[Reason], rule: &str) -> Result<(), Refusal> {
    if known.contains(&reason) {
        return Ok(());
    }
    let words: Vec<&str> = known.iter().map(|reason| reason.as_str()).collect();
    let message = format!("'{}' is no reason here; there are {}", reason.as_str(), words.join(", "));
    Err(Refusal::new("reason_required", message).by_rule(rule))
}
