//! Holdings of imported orders: software that Get Subscriptions never shows (VIS-pre, VIS-ord) is known from its order
//! alone. It gets a record of its own, so that it has keys and can be cancelled like everything bought.
//! It is made when the order is imported, or when the product that tells what the order bought is, whichever comes last.
//! A line may name the record it is of. Then that one is made, and gives way to what a document tells of it: what an
//! import comes to does not hang on the order of its documents.

use std::collections::BTreeSet;

use crate::domain::ids::Guid;
use crate::domain::order::{Order, OrderLine};
use crate::domain::product::Product;
use crate::domain::subscription::{Attention, Status};
use crate::domain::terms::List;
use crate::domain::{SubscriptionId, TenantId};
use crate::partner_center::merge::Import;
use crate::partner_center::subscriptions::SubscriptionFact;
use crate::partner_center::subscriptions_merge;
use crate::store::records::whereabouts::{self, HeldLine, Place};
use crate::store::records::{catalog, meta, subscriptions as rows};

use super::work::Work;
use super::{Result, imports, software};

/// Makes the records that an order's lines lack, where the catalogue tells that they bought software of that kind, and
/// ties the lines to them.
pub(super) fn of_order(work: &mut Work, order: &Order, options: imports::Options) -> Result<()> {
    let mut after = order.clone();
    for line in &mut after.line_items {
        if let Some(id) = line.subscription_id {
            of_named_line(work, order, line, id, options)?;
        } else if let Some(fact) = fact_of(work, order, line, id_of(order, line))? {
            line.subscription_id = Some(fact.id);
            imports::subscription(work, &fact, options)?;
        }
    }
    if after != *order {
        catalog::save_order(&mut work.tx, &after)?;
    }
    Ok(())
}

/// The products of these lines that nobody has imported yet, where nothing else tells what the lines bought: their ids.
pub(super) fn missing_products<'a>(
    work: &mut Work,
    lines: impl IntoIterator<Item = &'a OrderLine>,
) -> Result<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    for line in lines.into_iter().filter(|line| line.subscription_id.is_none() && !line.offer_id.is_empty()) {
        if software::product_of(work, &line.offer_id)?.is_none() {
            missing.extend(line.offer_id.split(':').next().map(str::to_owned));
        }
    }
    Ok(missing)
}

/// Makes the record that a line names, where no document has told of it; of several lines the first purchase counts.
fn of_named_line(
    work: &mut Work,
    order: &Order,
    line: &OrderLine,
    id: SubscriptionId,
    options: imports::Options,
) -> Result<()> {
    let Some(bought) = order.creation_date.filter(|_| order.tenant != TenantId::default()) else { return Ok(()) };
    let mine = HeldLine { bought, order: order.id.clone(), line: line.line_item_number, tenant: order.tenant };
    if rows::find(&mut work.tx, id)?.is_some() {
        match whereabouts::held(&mut work.tx, id)? {
            Some(known) if mine < known => {}
            _ => return Ok(()),
        }
    }
    let Some(fact) = fact_of(work, order, line, id)? else { return Ok(()) };
    give_way(work, id)?;
    if rows::find(&mut work.tx, id)?.is_none() {
        imports::subscription(work, &fact, options)?;
        whereabouts::tell_held(&mut work.tx, id, &mine)?;
    }
    Ok(())
}

/// A record that was only made of a line goes, where nothing changed it since: what is told of it now makes it anew.
pub(super) fn give_way(work: &mut Work, id: SubscriptionId) -> Result<()> {
    let Some(line) = whereabouts::held(&mut work.tx, id)? else { return Ok(()) };
    whereabouts::forget_held(&mut work.tx, id)?;
    let seen = meta::imported(&mut work.tx, &id.bytes())?;
    let stored = rows::find(&mut work.tx, id)?;
    if let Some(stored) = stored.filter(|stored| seen == Some(stored.value.standing.generation)) {
        work.remove_subscription(&stored)?;
        whereabouts::tell_line(&mut work.tx, id, &Place { tenant: line.tenant, order: line.order })?;
    }
    Ok(())
}

/// What a line tells of the record it is of; none where it bought nothing of this kind.
fn fact_of(work: &mut Work, order: &Order, line: &OrderLine, id: SubscriptionId) -> Result<Option<SubscriptionFact>> {
    let Some(product) = software::product_of(work, &line.offer_id)? else { return Ok(None) };
    let Some(fact) = told(work, order, line, product, id) else { return Ok(None) };
    let family = work.terms.family(fact.family.as_deref().unwrap_or_default());
    let (bought, has_term) = (fact.creation_date.unwrap_or(work.now), line.term_duration.is_some());
    let shown = |list| family.is_in(list, bought, has_term);
    let is_held = shown(List::Software) && !shown(List::Subscriptions);
    Ok(is_held.then_some(fact))
}

/// Where a line without a record stands.
pub(super) fn status_of(work: &Work, order: &Order, line: &OrderLine, product: &Product) -> Status {
    let fact = told(work, order, line, product.clone(), id_of(order, line));
    let cancelled = if is_gone(order, line) { Status::Deleted } else { Status::Active };
    fact.and_then(|fact| fact.status).unwrap_or(cancelled)
}

fn is_gone(order: &Order, line: &OrderLine) -> bool {
    line.quantity == 0 || order.status == "cancelled"
}

/// Everything a line tells of what it bought, with where that stands today: what never renews expired with its term
/// (AR-pre). None where the order has no date.
fn told(
    work: &Work,
    order: &Order,
    line: &OrderLine,
    product: Product,
    id: SubscriptionId,
) -> Option<SubscriptionFact> {
    let bought = order.creation_date?;
    let mut fact = SubscriptionFact {
        id,
        tenant: Some(order.tenant),
        status: Some(if is_gone(order, line) { Status::Deleted } else { Status::Active }),
        quantity: Some(line.quantity),
        auto_renew_enabled: Some(false),
        creation_date: Some(bought),
        effective_start_date: Some(bought),
        product_type: Some(product.product_type).filter(|kind| !kind.is_empty()),
        is_microsoft_product: product.is_microsoft_product,
        offer_id: Some(line.offer_id.clone()),
        offer_name: Some(product.name),
        friendly_name: Some(line.friendly_name.clone()).filter(|name| !name.is_empty()),
        publisher_name: Some(product.publisher_name).filter(|name| !name.is_empty()),
        term_duration: line.term_duration,
        billing_cycle: Some(order.billing_cycle.clone()).filter(|cycle| !cycle.is_empty()),
        billing_type: Some("license".to_owned()),
        unit_price: line.unit_price,
        order_id: Some(order.id.clone()),
        ..SubscriptionFact::default()
    };
    // The line's own term tells what a product that is sold both ways was bought as.
    let family = subscriptions_merge::family_with(&fact, &product.family).unwrap_or(product.family);
    let renews = work.terms.family(&family).renewal(bought).is_some_and(|rule| rule.renews);
    fact.family = Some(family);
    let import = Import { now: work.now, newer_here: false, overwrite: false };
    let standing = subscriptions_merge::merge(&work.terms, None, &fact, order.tenant, &import).record.standing;
    if standing.attention == Some(Attention::TermEndPassed) && !renews {
        fact.status = Some(Status::Expired);
    }
    Some(fact)
}

/// The id of a line's holding: the same whenever the order is imported.
fn id_of(order: &Order, line: &OrderLine) -> SubscriptionId {
    let mut seed = b"holding of an order line\0".to_vec();
    seed.extend(order.tenant.bytes());
    seed.extend(order.id.0.to_lowercase().bytes());
    seed.push(0);
    seed.extend(line.line_item_number.to_be_bytes());
    SubscriptionId(Guid::derive(&seed))
}
