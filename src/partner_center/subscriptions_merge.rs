//! What a subscription becomes if a fact about it is so.
//!
//! Nothing is asked or charged. Ends and windows that the document tells win over those the terms compute; the terms
//! fill in only what a fresh record or a new term leaves open. An active subscription whose end has passed is marked.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike, TimeDelta};

use super::family::{self, Clues, UNKNOWN};
use super::merge::{Diff, Import, Merged};
use super::subscriptions::{Ending, SubscriptionFact};
use super::subscriptions_write::last_second;
use crate::domain::change::Amendments;
use crate::domain::lifecycle;
use crate::domain::subscription::{Attention, Profile, Renewal, Standing, Status};
use crate::domain::terms::Terms;
use crate::domain::{Instant, Span, Subscription, TenantId, calendar};

/// A first term may be this much longer than its length, because its end was aligned to a day or to a base.
const ALIGNMENT: TimeDelta = TimeDelta::days(31);

/// What a subscription of this tenant becomes if the fact is so.
pub fn merge(
    terms: &Terms,
    existing: Option<&Subscription>,
    fact: &SubscriptionFact,
    tenant: TenantId,
    import: &Import,
) -> Merged<Subscription> {
    let mut diff = Diff::of(import, existing.is_none());
    let mut profile = existing.map_or_else(|| fresh_profile(fact, import.now), |before| (*before.profile).clone());
    let before = existing.map(|before| (&*before.profile, told_family(&before.profile)));
    take_profile(&mut diff, &mut profile, fact);
    let by_hand = before.is_some_and(|(profile, told)| profile.family != UNKNOWN && told != Some(&profile.family));
    let told = if by_hand { None } else { told_family(&profile).map(str::to_owned) };
    diff.set("family", &mut profile.family, fact.family.clone().or(told));
    if profile.billing_type.is_empty() && terms.family(&profile.family).is_paid_by_use() {
        family::billing_type(&profile.family).clone_into(&mut profile.billing_type);
    }
    if profile.term_duration.is_none() {
        profile.term_duration = family::unsaid_term(&profile.family, profile.is_trial);
    }
    let told_end = fact.term_end.map(|end| end.first_after(&profile.family));
    let ours = existing.and_then(|before| before.standing.term_end);
    let told_end = told_end.map(|told| told.and_then(|told| as_shown(ours, told)));
    let mut standing = match existing {
        Some(before) => before.standing,
        None => begin(terms, &mut profile, fact, told_end.flatten(), import.now),
    };
    take_standing(&mut diff, &mut standing, fact, import.now);
    if standing.status != Status::Suspended {
        profile.suspension_reason = None;
    }
    diff.set("commitmentEndDate", &mut standing.term_end, told_end);
    if existing.is_some() && diff.has("commitmentEndDate") {
        new_term(terms, &profile, &mut standing, fact, import.now);
    }
    take_told_dates(&mut diff, &mut standing, &profile, fact, import.now);
    mark(&mut standing, fact, import.now);
    if standing.status == Status::Expired && standing.next_step_at.is_none() {
        standing.next_step_at = disabled_at(terms, &profile, &standing).filter(|at| *at > import.now);
    }
    if diff.moved() && existing.is_some() {
        standing.generation += 1;
    }
    diff.merged(Subscription { id: fact.id, tenant, standing, profile: Arc::new(profile) })
}

fn fresh_profile(fact: &SubscriptionFact, now: Instant) -> Profile {
    let start = fact.effective_start_date.or(fact.creation_date).unwrap_or(now);
    Profile {
        family: UNKNOWN.to_owned(),
        offer_id: String::new(),
        offer_name: String::new(),
        friendly_name: String::new(),
        product_type: String::new(),
        publisher_name: String::new(),
        purchased_at: fact.creation_date.unwrap_or(start),
        term_duration: None,
        billing_cycle: String::new(),
        billing_type: String::new(),
        anchor_day: start.day(),
        unit_price: None,
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
        labels: fact.labels.clone(),
        extra: BTreeMap::new(),
    }
}

fn take_profile(diff: &mut Diff, profile: &mut Profile, fact: &SubscriptionFact) {
    diff.set("offerId", &mut profile.offer_id, fact.offer_id.clone());
    diff.set("offerName", &mut profile.offer_name, fact.offer_name.clone());
    diff.set("friendlyName", &mut profile.friendly_name, fact.friendly_name.clone());
    diff.set("productType", &mut profile.product_type, fact.product_type.clone());
    diff.set("publisherName", &mut profile.publisher_name, fact.publisher_name.clone());
    diff.set("creationDate", &mut profile.purchased_at, fact.creation_date);
    diff.set("termDuration", &mut profile.term_duration, fact.term_duration.map(Some));
    diff.set("billingCycle", &mut profile.billing_cycle, fact.billing_cycle.clone());
    diff.set("billingType", &mut profile.billing_type, fact.billing_type.clone());
    diff.set("unitPrice", &mut profile.unit_price, fact.unit_price.map(Some));
    diff.set("isTrial", &mut profile.is_trial, fact.is_trial);
    diff.set("parentSubscriptionId", &mut profile.parent_subscription_id, fact.parent_subscription_id.map(Some));
    diff.set("orderId", &mut profile.order_id, fact.order_id.clone().map(Some));
    diff.set("partnerId", &mut profile.partner_id, fact.partner_id.clone());
    diff.set("refundableQuantity", &mut profile.seat_batches, fact.seat_batches.clone());
    diff.set("scheduledNextTermInstructions", &mut profile.next_term, fact.next_term.clone());
    diff.set("customTermEndDate", &mut profile.custom_term_end_date, fact.custom_term_end_date.map(Some));
    diff.set("nextChargeInstructions", &mut profile.next_billing_cycle, fact.next_billing_cycle.clone().map(Some));
    diff.set("suspensionReasons", &mut profile.suspension_reason, fact.suspension_reason.map(Some));
    diff.extras(&mut profile.extra, &fact.extra);
}

/// The family that a row and its product tell together; none where neither does.
pub fn family_with(fact: &SubscriptionFact, product: &str) -> Option<String> {
    let profile = {
        let mut profile = fresh_profile(fact, Instant::default());
        take_profile(
            &mut Diff::of(&Import { now: Instant::default(), newer_here: false, overwrite: false }, true),
            &mut profile,
            fact,
        );
        profile
    };
    family::finer(told_family(&profile), product).map(str::to_owned)
}

/// The family that the import tells; none where it cannot be told.
fn told_family(profile: &Profile) -> Option<&'static str> {
    let is_microsoft = profile.extra.get("isMicrosoftProduct").and_then(|text| text.parse().ok());
    family::family(&Clues {
        product_type: &profile.product_type,
        offer_id: &profile.offer_id,
        billing_type: &profile.billing_type,
        publisher: &profile.publisher_name,
        is_microsoft,
        term_duration: profile.term_duration,
    })
}

/// The standing of a record that was not there: as the terms would have it, from the term the document tells.
fn begin(
    terms: &Terms,
    profile: &mut Profile,
    fact: &SubscriptionFact,
    told_end: Option<Instant>,
    now: Instant,
) -> Standing {
    let told_start = fact.effective_start_date.or(fact.creation_date);
    let start = term_start(told_start, told_end, profile).or(told_start).unwrap_or(now);
    let mut standing = lifecycle::begin(terms, profile, fact.quantity.unwrap_or(0), start, now);
    if let Some(told) = told_end.or(standing.term_end).filter(|_| fact.term_end != Some(Ending::Open)) {
        end_at(&mut standing, told);
    } else {
        (standing.term_end, standing.cycle_start, standing.cycle_end) = (None, None, None);
    }
    // A term after the first has the window of its own renewal, not the purchase's.
    if told_start.is_some_and(|told| told < start) {
        standing.window_end = lifecycle::open_window(terms, profile, standing.term_start);
    }
    standing
}

/// Puts the told end in the place of the counted one; the last billing cycle ends with it.
fn end_at(standing: &mut Standing, end: Instant) {
    if standing.cycle_end.is_some_and(|cycle| Some(cycle) == standing.term_end || cycle > end) {
        standing.cycle_end = Some(end);
    }
    standing.term_end = Some(end);
}

/// Where the present term began: at the told start if the told end is that of the first term, else one length before
/// the end, on the anchor's day.
fn term_start(told_start: Option<Instant>, told_end: Option<Instant>, profile: &Profile) -> Option<Instant> {
    let (length, end) = (profile.term_duration?, told_end?);
    let counted = length.before(end)?;
    let is_first = |told: &Instant| {
        let again = length.after(*told).is_some_and(|second| second.date_naive() == counted.date_naive());
        *told < end && (*told >= counted || (counted - *told <= ALIGNMENT && !again))
    };
    if let Some(told) = told_start.filter(is_first) {
        return Some(told);
    }
    let anchored = if length.days == 0 && length.seconds == 0 {
        let day = calendar::anchored(counted.date_naive(), profile.anchor_day, 0)?;
        let moved = day.and_time(counted.time()).and_utc();
        // Only a month that was clipped moves back to the anchor; a term aligned to another day keeps its own.
        Span::months(length.months).after(moved).filter(|again| *again == end).map(|_| moved)
    } else {
        None
    };
    anchored.or(Some(counted))
}

fn take_standing(diff: &mut Diff, standing: &mut Standing, fact: &SubscriptionFact, now: Instant) {
    let before = standing.status;
    diff.set("status", &mut standing.status, fact.status);
    diff.set("quantity", &mut standing.quantity, fact.quantity);
    diff.set("autoRenewEnabled", &mut standing.auto_renew_enabled, fact.auto_renew_enabled);
    diff.set("cancelAtTermEnd", &mut standing.cancel_at_term_end, fact.cancel_at_term_end);
    standing.cancel_at_term_end &= !standing.auto_renew_enabled;
    if standing.status != before {
        standing.status_since = now;
        standing.next_step_at = None;
    }
}

/// The document tells another end: what was settled about the old one is open, and the terms count anew.
fn new_term(terms: &Terms, profile: &Profile, standing: &mut Standing, fact: &SubscriptionFact, now: Instant) {
    let told_start = fact.effective_start_date.or(Some(standing.term_start));
    let start = term_start(told_start, standing.term_end, profile).unwrap_or(standing.term_start);
    let mut counted = lifecycle::begin(terms, profile, standing.quantity, start, now);
    if let Some(end) = standing.term_end {
        end_at(&mut counted, end);
    }
    if counted.term_start != standing.term_start {
        standing.window_end = lifecycle::open_window(terms, profile, counted.term_start);
    }
    standing.term_start = counted.term_start;
    standing.cycle_start = counted.cycle_start;
    standing.cycle_end = counted.cycle_end;
    standing.renewal = Renewal::Open;
    standing.late_terms = 0;
}

fn take_told_dates(diff: &mut Diff, standing: &mut Standing, profile: &Profile, fact: &SubscriptionFact, now: Instant) {
    // A cycle that ended before the import is an old page's: charging the next one is upstream's past, not ours.
    let cycle_end = fact.cycle_end.and_then(|end| end.first_after(&profile.family)).filter(|end| *end > now);
    let cycle_end = cycle_end.map(|end| as_shown(standing.cycle_end, end));
    diff.set("billingCycleEndDate", &mut standing.cycle_end, cycle_end);
    if let (Some(end), Some(last)) = (standing.cycle_end, standing.term_end) {
        standing.cycle_end = Some(end.min(last));
    }
    if standing.cycle_start.is_none_or(|start| standing.cycle_end.is_some_and(|end| start >= end)) {
        standing.cycle_start = standing.cycle_end.map(|end| standing.term_start.min(end));
    }
    let window_end = fact.window_end.map(|end| as_shown(standing.window_end, end));
    diff.set("cancellationAllowedUntilDate", &mut standing.window_end, window_end);
}

/// Dates are shown to the second: ours stays, fractions and all, where it would be shown as theirs is.
fn as_shown(ours: Option<Instant>, theirs: Instant) -> Option<Instant> {
    ours.filter(|ours| last_second(*ours) == last_second(theirs)).or(Some(theirs))
}

/// When an expired subscription is disabled. The term's end is known; when others changed is not, so they wait for nothing.
fn disabled_at(terms: &Terms, profile: &Profile, standing: &Standing) -> Option<Instant> {
    terms.family(&profile.family).after_term.as_ref()?.expired_for.after(standing.term_end?)
}

fn mark(standing: &mut Standing, fact: &SubscriptionFact, now: Instant) {
    let ended = standing.status == Status::Active && standing.term_end.is_some_and(|end| end <= now);
    standing.attention = match (ended, fact.attention_needed, standing.attention) {
        (true, _, _) => Some(Attention::TermEndPassed),
        (false, Some(true), _) => Some(Attention::ActivationPending),
        (false, Some(false), Some(Attention::ActivationPending)) | (false, _, Some(Attention::TermEndPassed)) => None,
        (false, _, before) => before,
    };
}
