//! Quotes: what the terms say about a change, with its price and what stands around the subscription read for it.

use crate::domain::change::Amendments;
use crate::domain::lifecycle::{self, Applied, Around};
use crate::domain::{Change, Currency, Instant, Kind, Money, Quote, Refusal, Subscription, SubscriptionId};
use crate::store::records::{catalog, subscriptions as rows, tenants};

use super::work::Work;
use super::{Result, offers, price_list};

/// Holdings of one customer looked at for an end to align to.
const OTHERS_MAX: usize = 1_000;

/// What the terms say about a change now. It checks no right: whoever calls it has.
///
/// # Errors
/// What the store answers; a refusal by the terms is in the quote.
pub fn quote(work: &mut Work, subscription: &Subscription, change: &Change) -> Result<Quote> {
    quote_amended(work, subscription, change, &Amendments::default())
}

/// The same of the change as an approval amends it.
pub(super) fn quote_amended(
    work: &mut Work,
    subscription: &Subscription,
    change: &Change,
    amendments: &Amendments,
) -> Result<Quote> {
    let price = price_for(work, subscription, change, amendments)?;
    let around = around(work, subscription, change, amendments)?;
    let terms = super::tenants::terms_for(work, subscription.tenant)?;
    Ok(lifecycle::quote_amended(&terms, subscription, change, amendments, price, &around, work.now))
}

/// The change made, or the terms' refusal.
pub(super) fn apply(
    work: &mut Work,
    subscription: &Subscription,
    change: &Change,
    amendments: &Amendments,
) -> Result<std::result::Result<Applied, Refusal>> {
    let price = price_for(work, subscription, change, amendments)?;
    let around = around(work, subscription, change, amendments)?;
    let terms = super::tenants::terms_for(work, subscription.tenant)?;
    Ok(lifecycle::apply_among(&terms, subscription, change, amendments, price, &around, work.now))
}

/// The child of an upgrade that takes some of the seats, as it is before the source has changed; none for any other
/// change. Its id is the caller's.
pub(super) fn child(
    work: &mut Work,
    subscription: &Subscription,
    change: &Change,
    id: SubscriptionId,
) -> Result<std::result::Result<Option<Applied>, Refusal>> {
    let price = price_for(work, subscription, change, &Amendments::default())?;
    let around = around(work, subscription, change, &Amendments::default())?;
    let terms = super::tenants::terms_for(work, subscription.tenant)?;
    Ok(lifecycle::upgraded_child(&terms, subscription, change, price, &around, (id, work.now)))
}

/// The next term begun, or the terms' refusal.
pub(super) fn renew(
    work: &mut Work,
    subscription: &Subscription,
    amendments: &Amendments,
) -> Result<std::result::Result<Applied, Refusal>> {
    let over = amendments.over(&subscription.profile.next_term);
    let price = price_after(work, subscription, &over)?;
    let mut around = Around { offer_name: name_of(work, over.offer_id.as_ref())?, ..Around::default() };
    if over.custom_term_end_date.is_some() {
        around.others = others(work, subscription)?;
    }
    let terms = super::tenants::terms_for(work, subscription.tenant)?;
    Ok(lifecycle::renew_among(&terms, subscription, amendments, price, &around, work.now))
}

/// The term gone on by the month, or the terms' refusal (EST).
pub(super) fn extend(work: &mut Work, subscription: &Subscription) -> Result<std::result::Result<Applied, Refusal>> {
    let listed = extended_price(work, subscription)?;
    let present = price_of(work, &lifecycle::before_extension(subscription))?;
    let terms = super::tenants::terms_for(work, subscription.tenant)?;
    Ok(lifecycle::extend(&terms, subscription, listed, present, work.now))
}

/// What it becomes if it goes on by the month at `due`, its term's end; none where it does not (EST).
///
/// # Errors
/// What the store answers.
pub fn extended(work: &mut Work, subscription: &Subscription, due: Instant) -> Result<Option<Applied>> {
    let listed = extended_price(work, subscription)?;
    let present = price_of(work, &lifecycle::before_extension(subscription))?;
    let terms = super::tenants::terms_for(work, subscription.tenant)?;
    Ok(lifecycle::extend(&terms, subscription, listed, present, due).ok())
}

/// What the price list has for a term of the length that extended ones of it have; none where it has none.
fn extended_price(work: &mut Work, subscription: &Subscription) -> Result<Option<Money>> {
    let terms = super::tenants::terms_for(work, subscription.tenant)?;
    let Some(plan) = lifecycle::extended_plan(&terms, subscription) else { return Ok(None) };
    let profile = &subscription.profile;
    price_list::own_plan(work, subscription.tenant, &profile.offer_id, plan, paid_in(subscription))
}

/// The currency a subscription is paid in, where that is known.
fn paid_in(subscription: &Subscription) -> Option<Currency> {
    subscription.profile.unit_price.map(|price| price.currency)
}

/// The price of a seat: from the order line, else from the price list, else none.
///
/// # Errors
/// What the store answers.
pub fn price_of(work: &mut Work, subscription: &Subscription) -> Result<Option<Money>> {
    let profile = &subscription.profile;
    if profile.unit_price.is_some() {
        return Ok(profile.unit_price);
    }
    let plan = (profile.term_duration, profile.billing_cycle.as_str());
    price_list::cost_for(work, subscription.tenant, &profile.offer_id, plan, None)
}

/// The price of a seat for what the change makes of it: the plan it has, or the one that follows.
fn price_for(
    work: &mut Work,
    subscription: &Subscription,
    change: &Change,
    amendments: &Amendments,
) -> Result<Option<Money>> {
    match change {
        Change::Renewal { amendments: own, .. } => {
            let over = amendments.over(own).over(&subscription.profile.next_term);
            price_after(work, subscription, &over)
        }
        Change::Conversion { to } => price_after(work, subscription, &amendments.over(to)),
        Change::Schedule { instructions } => price_after(work, subscription, &amendments.over(instructions)),
        Change::BillingPlan { billing_cycle } => price_of_cycle(work, subscription, billing_cycle),
        Change::Upgrade { offer_id, .. } => {
            let profile = &subscription.profile;
            let plan = (profile.term_duration, profile.billing_cycle.as_str());
            price_list::cost_for(work, subscription.tenant, offer_id, plan, paid_in(subscription))
        }
        _ => price_of(work, subscription),
    }
}

/// The price of a seat in the next term: what the list has for it now, whatever was paid until now; where the list has
/// none, that of the present plan, or what follows from it.
///
/// # Errors
/// What the store answers.
pub fn price_after(work: &mut Work, subscription: &Subscription, next: &Amendments) -> Result<Option<Money>> {
    if subscription.profile.extended.is_some() {
        return price_after(work, &lifecycle::before_extension(subscription), next);
    }
    let profile = &subscription.profile;
    let mut plan = lifecycle::plan_after(&work.terms, subscription, next);
    if next.offer_id.is_none() {
        plan.offer_id = conversion_target(work, subscription)?.unwrap_or(plan.offer_id);
    }
    let (tenant, paid) = (subscription.tenant, paid_in(subscription));
    let in_list = (plan.term_duration, plan.billing_cycle.as_str());
    let listed = price_list::cost_for(work, tenant, &plan.offer_id, in_list, paid)?;
    // What is paid in one currency renews in no other.
    let listed = listed.filter(|price| paid.is_none_or(|paid| paid == price.currency));
    if listed.is_some() {
        return Ok(listed);
    }
    if !profile.is_trial && plan.is_present(profile) {
        return Ok(profile.unit_price);
    }
    if plan.offer_id != profile.offer_id {
        return Ok(None);
    }
    // A trial that was had for nothing says nothing about what it costs afterwards.
    let known = profile.unit_price.filter(|price| !(profile.is_trial && price.is_zero()));
    Ok(known.and_then(|price| lifecycle::price_of_cycle(price, profile, &plan.billing_cycle)))
}

/// The price of a seat in the next billing cycle, which may have been planned otherwise than the present one.
///
/// # Errors
/// What the store answers.
pub fn price_of_next_cycle(work: &mut Work, subscription: &Subscription) -> Result<Option<Money>> {
    match subscription.profile.next_billing_cycle.clone() {
        Some(cycle) => price_of_cycle(work, subscription, &cycle),
        None => price_of(work, subscription),
    }
}

fn price_of_cycle(work: &mut Work, subscription: &Subscription, cycle: &str) -> Result<Option<Money>> {
    let profile = &subscription.profile;
    if cycle == profile.billing_cycle {
        return price_of(work, subscription);
    }
    let plan = (profile.term_duration, cycle);
    let listed = price_list::cost_for(work, subscription.tenant, &profile.offer_id, plan, paid_in(subscription))?;
    if listed.is_some() {
        return Ok(listed);
    }
    Ok(profile.unit_price.and_then(|price| lifecycle::price_of_cycle(price, profile, cycle)))
}

/// What stands around a subscription, as far as the change looks at it.
fn around(work: &mut Work, subscription: &Subscription, change: &Change, amendments: &Amendments) -> Result<Around> {
    let profile = &subscription.profile;
    let mut around = Around::default();
    let looks_at_base = matches!(change.kind(), Kind::Purchase | Kind::Activation | Kind::Reactivation);
    if let Some(base) = profile.parent_subscription_id.filter(|_| looks_at_base) {
        around.base = rows::get(&mut work.tx, subscription.tenant, base)?.map(|stored| stored.value);
    }
    let aligned = match change {
        Change::Purchase {} | Change::Activation {} => profile.custom_term_end_date,
        Change::Renewal { amendments: own, .. } | Change::Schedule { instructions: own } => {
            amendments.over(own).custom_term_end_date
        }
        _ => None,
    };
    if aligned.is_some() {
        around.others = others(work, subscription)?;
    }
    if matches!(change.kind(), Kind::Purchase | Kind::Quantity | Kind::Conversion | Kind::Schedule)
        && let Some(product) = catalog::product(&mut work.tx, &profile.offer_id)?
    {
        around.seats = (product.value.minimum_quantity, product.value.maximum_quantity);
    }
    if let Change::Upgrade { offer_id, .. } = change {
        let targets = offers::item(work, &profile.offer_id)?.map(|item| item.upgrade_targets).unwrap_or_default();
        around.offer_name = name_of(work, Some(offer_id))?;
        around.upgrading = lifecycle::Upgrading { targets, present: price_of(work, subscription)? };
    }
    if let Change::Conversion { to } = change {
        around.offer_name = name_of(work, amendments.over(to).offer_id.as_ref())?;
    }
    if change.kind() == Kind::AutoRenew {
        around.extended_price = extended_price(work, subscription)?;
    }
    if matches!(change.kind(), Kind::Suspension | Kind::Cancellation) && profile.next_billing_cycle.is_some() {
        around.next_cycle_price = price_of_next_cycle(work, subscription)?;
    }
    if change.kind() == Kind::Suspension {
        around.opening_days = opening_days(work, subscription)?;
    }
    Ok(around)
}

/// What stands around a subscription whose term ends: what is suspended by it keeps its data as any other does.
pub(super) fn around_the_end(work: &mut Work, subscription: &Subscription) -> Result<Around> {
    Ok(Around { opening_days: opening_days(work, subscription)?, ..Around::default() })
}

/// Days from the opening of the account to its first billing period, where the terms keep data for them (S-ret).
fn opening_days(work: &mut Work, subscription: &Subscription) -> Result<i64> {
    let family = work.terms.family(&subscription.profile.family);
    if family.suspension.as_ref().and_then(|rule| rule.delete_after_max).is_none() {
        return Ok(0);
    }
    let tenant = tenants::get(&mut work.tx, subscription.tenant)?;
    Ok(tenant.map_or(0, |tenant| tenant.value.opening_days()))
}

/// The offers that a trial may become, as the catalogue names them.
pub(super) fn conversion_targets(work: &mut Work, subscription: &Subscription) -> Result<Vec<String>> {
    let own = offers::item(work, &subscription.profile.offer_id)?;
    Ok(own.map(|item| item.conversion_targets).unwrap_or_default())
}

/// What a trial becomes at its end where nobody says otherwise: the only offer there is for it. None for what is no
/// trial, stays what it is, or could become several.
pub(super) fn conversion_target(work: &mut Work, subscription: &Subscription) -> Result<Option<String>> {
    let profile = &subscription.profile;
    if !profile.is_trial || profile.next_term.offer_id.is_some() {
        return Ok(None);
    }
    match <[String; 1]>::try_from(conversion_targets(work, subscription)?) {
        Ok([only]) => Ok(Some(only)),
        Err(_) => Ok(None),
    }
}

/// The name that the catalogue has for an offer.
fn name_of(work: &mut Work, offer: Option<&String>) -> Result<Option<String>> {
    let Some(offer) = offer else { return Ok(None) };
    Ok(offers::item(work, offer)?.map(|item| item.name).filter(|name| !name.is_empty()))
}

fn others(work: &mut Work, subscription: &Subscription) -> Result<Vec<Subscription>> {
    let page = rows::page(&mut work.tx, Some(subscription.tenant), None, OTHERS_MAX)?;
    Ok(page.items.into_iter().map(|stored| stored.value).filter(|other| other.id != subscription.id).collect())
}
