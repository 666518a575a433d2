//! Holdings of imported orders: software that Get Subscriptions never shows (VIS-pre, VIS-ord) is known from its order
//! alone. It gets a record of its own, so that it has keys and can be cancelled like everything bought.
//! It is made when the order is imported, or when the product that tells what the order bought is, whichever comes last.

use std::collections::BTreeSet;

use crate::domain::SubscriptionId;
use crate::domain::ids::Guid;
use crate::domain::order::{Order, OrderLine};
use crate::domain::subscription::Status;
use crate::domain::terms::List;
use crate::partner_center::subscriptions::SubscriptionFact;
use crate::partner_center::subscriptions_merge;
use crate::store::records::catalog;

use super::work::Work;
use super::{Result, imports, software};

/// Makes the records that an order's lines lack, where the catalogue tells that they bought software of that kind, and
/// ties the lines to them. A line that was told with its subscription is left alone.
pub(super) fn of_order(work: &mut Work, order: &Order, options: imports::Options) -> Result<()> {
    let mut after = order.clone();
    for line in &mut after.line_items {
        if line.subscription_id.is_some() {
            continue;
        }
        if let Some(fact) = fact_of(work, order, line)? {
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

fn fact_of(work: &mut Work, order: &Order, line: &OrderLine) -> Result<Option<SubscriptionFact>> {
    let (Some(product), Some(bought)) = (software::product_of(work, &line.offer_id)?, order.creation_date) else {
        return Ok(None);
    };
    let gone = line.quantity == 0 || order.status == "cancelled";
    let mut fact = SubscriptionFact {
        id: id_of(order, line),
        tenant: Some(order.tenant),
        status: Some(if gone { Status::Deleted } else { Status::Active }),
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
    let has_term = line.term_duration.is_some();
    let shown = |list| work.terms.family(&family).is_in(list, bought, has_term);
    let is_held = shown(List::Software) && !shown(List::Subscriptions);
    fact.family = Some(family);
    Ok(is_held.then_some(fact))
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
