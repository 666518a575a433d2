//! Imports record facts: nothing is asked, charged or reopened. Fields present replace ours, absent ones stay; what
//! changed here since the last import is a conflict unless the document shall win.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::domain::order::Order;
use crate::domain::product::Product;
use crate::domain::request::{State, Upstream};
use crate::domain::{Grant, Money, Subscription, Tenant, TenantId};
use crate::partner_center::customers::{self, CustomerFact};
use crate::partner_center::merge::{Conflict, Import, Merged};
use crate::partner_center::offers::{self, OfferFact};
use crate::partner_center::orders::{self, OrderFact};
use crate::partner_center::read::Fact;
use crate::partner_center::subscriptions::SubscriptionFact;
use crate::partner_center::{subscriptions_merge, upstream};
use crate::store::records::{
    Stored, catalog, log, meta, price_list, requests as request_rows, subscriptions as rows, tenants as tenant_rows,
    whereabouts,
};

use super::work::Work;
use super::{Result, holdings, requests, software};

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was new.
    Taken,
    /// Something of it was.
    Changed,
    /// It says what we know.
    Unchanged,
    /// It contradicts what changed here since; ours stays.
    Conflict,
    /// It is no customer, subscription, order or offer.
    Refused,
}

/// What became of one row, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// `customer`, `subscription`, `order`, `offer`, `price`.
    pub noun: &'static str,
    /// Its id.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The fields that changed.
    pub changed: Vec<&'static str>,
    /// Where the document was not believed.
    pub conflicts: Vec<Conflict>,
    /// What there is to know beside.
    pub notes: Vec<String>,
}

/// How a document is imported.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether the document wins over what changed here since.
    pub overwrite: bool,
    /// The tenant of rows that name none.
    pub tenant: Option<TenantId>,
}

/// Orders looked at in one transaction when products arrive after them.
const ORDERS_AT_ONCE: usize = 200;

/// The name of the tenant that stands for customers nobody named.
pub const UNKNOWN_CUSTOMER: &str = "(unknown customer)";

/// What the report says of a subscription or an order that stands under it.
const NOBODY_NAMED: &str = "nobody names its customer yet, so it is charged to nobody: import its order or name one";

/// Records one fact.
///
/// # Errors
/// `forbidden`; the store's failure.
pub fn record(work: &mut Work, fact: &Fact, options: Options) -> Result<Imported> {
    work.require(&Grant::StoreAdmin)?;
    match fact {
        Fact::Customer(fact) => customer(work, fact, options),
        Fact::Subscription(fact) => {
            holdings::give_way(work, fact.id)?;
            subscription(work, fact, options)
        }
        Fact::Order(fact) => order(work, fact, options),
        Fact::Offer(fact) => offer(work, fact, options),
        Fact::Price(fact) => {
            let price = &fact.price;
            let same = price_list::same_place(&mut work.tx, price)?.as_ref() == Some(price);
            if !same {
                price_list::save_price(&mut work.tx, price)?;
            }
            let outcome = if same { Outcome::Unchanged } else { Outcome::Taken };
            Ok(Imported {
                noun: "price",
                id: price.product.clone(),
                outcome,
                changed: Vec::new(),
                conflicts: Vec::new(),
                notes: Vec::new(),
            })
        }
    }
}

fn import_of(work: &Work, newer_here: bool, options: Options) -> Import {
    Import { now: work.now, newer_here, overwrite: options.overwrite }
}

fn imported<T>(noun: &'static str, id: String, merged: &Merged<T>) -> Imported {
    let outcome = match merged {
        Merged { fresh: true, .. } => Outcome::Taken,
        Merged { conflicts, .. } if !conflicts.is_empty() => Outcome::Conflict,
        Merged { changed, .. } if !changed.is_empty() => Outcome::Changed,
        _ => Outcome::Unchanged,
    };
    let (changed, conflicts) = (merged.changed.clone(), merged.conflicts.clone());
    Imported { noun, id, outcome, changed, conflicts, notes: Vec::new() }
}

fn moved(imported: &Imported) -> bool {
    imported.outcome == Outcome::Taken || !imported.changed.is_empty()
}

fn customer(work: &mut Work, fact: &CustomerFact, options: Options) -> Result<Imported> {
    let stored = tenant_rows::get(&mut work.tx, fact.id)?.map(|stored| stored.value);
    let seen = meta::imported(&mut work.tx, &fact.id.bytes())?;
    let newer = stored.as_ref().is_some_and(|tenant| seen != Some(tenant.generation) && seen.is_some());
    let merged = customers::merge(stored.as_ref(), fact, &import_of(work, newer, options));
    let report = imported("customer", fact.id.to_string(), &merged);
    if moved(&report) {
        tenant_rows::save(&mut work.tx, stored.as_ref(), &merged.record)?;
        if report.conflicts.is_empty() {
            meta::save_imported(&mut work.tx, &fact.id.bytes(), merged.record.generation)?;
        }
        work.note_tenant("import.customer", Some(fact.id), &report.changed.join(", "));
    }
    Ok(report)
}

/// A tenant nobody described yet, so that what belongs to it has a place.
fn ensure_tenant(work: &mut Work, id: TenantId) -> Result<()> {
    if tenant_rows::get(&mut work.tx, id)?.is_some() {
        return Ok(());
    }
    let tenant = Tenant { id, generation: 1, company_name: UNKNOWN_CUSTOMER.to_owned(), ..Tenant::default() };
    tenant_rows::save(&mut work.tx, None, &tenant)?;
    meta::save_imported(&mut work.tx, &id.bytes(), tenant.generation)?;
    Ok(())
}

/// Records what is told of a subscription.
pub(super) fn subscription(work: &mut Work, fact: &SubscriptionFact, options: Options) -> Result<Imported> {
    let known = rows::find(&mut work.tx, fact.id)?;
    let known_tenant = known.as_ref().map(|stored| stored.value.tenant);
    let (tenant, unit_price) = customer_and_price(work, fact, known_tenant, options)?;
    ensure_tenant(work, tenant)?;
    let known = match known {
        Some(stored) if stored.value.tenant != tenant => Some(move_to(work, stored, tenant)?),
        other => other,
    };
    let mut fact = fact.clone();
    // An order tells what was paid first: a price that is known already may be that of a later term.
    let priced = known.as_ref().is_some_and(|stored| stored.value.profile.unit_price.is_some());
    fact.unit_price = fact.unit_price.or(unit_price.filter(|_| !priced));
    // A record that is new here is of the family its product says, where the row itself does not say it finely enough.
    if known.is_none() && fact.family.is_none() {
        fact.family = family_of_product(work, &fact)?;
    }
    let seen = meta::imported(&mut work.tx, &fact.id.bytes())?;
    let newer = known.as_ref().is_some_and(|stored| seen.is_some_and(|seen| seen != stored.value.standing.generation));
    let before = known.as_ref().map(|stored| &stored.value);
    let terms = super::tenants::terms_for(work, tenant)?;
    let merged = subscriptions_merge::merge(&terms, before, &fact, tenant, &import_of(work, newer, options));
    let mut report = imported("subscription", fact.id.to_string(), &merged);
    if is_nobodys(tenant) {
        report.notes.push(NOBODY_NAMED.to_owned());
    }
    if let Some(known) = &known {
        compare_upstream(work, known, &fact)?;
    }
    if moved(&report) {
        work.save_subscription(known.as_ref(), &merged.record)?;
        // Dates the document told may lie in the past; a due timer of our own that nothing touched stays due.
        let dated = |field: &&str| ["commitmentEndDate", "billingCycleEndDate", "status"].contains(field);
        if report.outcome == Outcome::Taken || report.changed.iter().any(dated) {
            work.clear_passed(&merged.record)?;
        }
        if report.conflicts.is_empty() {
            meta::save_imported(&mut work.tx, &fact.id.bytes(), merged.record.standing.generation)?;
        }
        work.note("import.subscription", Some(&merged.record), None, &report.changed.join(", "));
    }
    Ok(report)
}

fn is_nobodys(tenant: TenantId) -> bool {
    tenant == TenantId::default()
}

/// Whose a subscription is and what a seat of it costs, from what it says itself, else from its order: in whatever order
/// the two are told, it comes to the same.
fn customer_and_price(
    work: &mut Work,
    fact: &SubscriptionFact,
    known: Option<TenantId>,
    options: Options,
) -> Result<(TenantId, Option<Money>)> {
    let named = [fact.tenant, known].into_iter().flatten().find(|id| !is_nobodys(*id)).or(options.tenant);
    let line = match known {
        None => whereabouts::take_line(&mut work.tx, fact.id)?,
        Some(_) => None,
    };
    if let (Some(tenant), Some(price)) = (named, fact.unit_price) {
        return Ok((tenant, Some(price)));
    }
    let order = order_of(work, fact, line, named)?;
    let told = order.as_ref().and_then(|order| orders::prices(order).find(|(id, _)| *id == fact.id));
    let price = fact.unit_price.or(told.map(|(_, price)| price));
    let tenant = named.or(order.map(|order| order.tenant)).unwrap_or_default();
    if let (true, Some(order)) = (is_nobodys(tenant), &fact.order_id) {
        whereabouts::wait(&mut work.tx, fact.id, order)?;
    }
    Ok((tenant, price))
}

/// The order of a subscription: the one that named it in a line before it was known, else the one it names itself.
fn order_of(
    work: &mut Work,
    fact: &SubscriptionFact,
    line: Option<whereabouts::Place>,
    tenant: Option<TenantId>,
) -> Result<Option<Order>> {
    let mut place = line;
    if let (None, Some(order)) = (&place, &fact.order_id) {
        if let Some(tenant) = tenant
            && let Some(order) = catalog::order(&mut work.tx, tenant, order)?
        {
            return Ok(Some(order.value));
        }
        place = whereabouts::order(&mut work.tx, order)?;
    }
    let Some(place) = place else { return Ok(None) };
    Ok(catalog::order(&mut work.tx, place.tenant, &place.order)?.map(|stored| stored.value))
}

fn family_of_product(work: &mut Work, fact: &SubscriptionFact) -> Result<Option<String>> {
    let Some(offer) = &fact.offer_id else { return Ok(None) };
    let found = software::product_of(work, offer)?;
    Ok(found.and_then(|product| subscriptions_merge::family_with(fact, &product.family)))
}

/// A subscription whose customer nobody had named gets its place under the right one.
fn move_to(work: &mut Work, stored: Stored<Subscription>, tenant: TenantId) -> Result<Stored<Subscription>> {
    work.remove_subscription(&stored)?;
    let mut value = stored.value;
    value.tenant = tenant;
    let fresh = Stored { value, seq: u64::MAX };
    work.save_subscription(None, &fresh.value)?;
    Ok(fresh)
}

/// What Partner Center shows now, set against what was applied here.
fn compare_upstream(work: &mut Work, known: &Stored<Subscription>, fact: &SubscriptionFact) -> Result<()> {
    for (_, record) in log::story(&mut work.tx, known.value.id, known.seq, 50)? {
        for id in record.requests {
            let Some(found) = request_rows::get(&mut work.tx, id)?.map(|stored| stored.value) else { continue };
            let pending = found.upstream == Some(Upstream::Pending) && found.subscription == fact.id;
            if found.state != State::Applied || !pending {
                continue;
            }
            let effect = found.quote.effect;
            let Some(shown) = upstream::shown(&found.change, &found.amendments, effect, &known.value, fact) else {
                continue;
            };
            let mut after = found.clone();
            after.upstream = Some(if shown { Upstream::Confirmed } else { Upstream::Differs });
            requests::save(work, Some(&found), &mut after)?;
        }
    }
    Ok(())
}

fn order(work: &mut Work, fact: &OrderFact, options: Options) -> Result<Imported> {
    let tenant = match fact.tenant.or(options.tenant) {
        Some(tenant) => tenant,
        None => whereabouts::order(&mut work.tx, &fact.id)?.map(|place| place.tenant).unwrap_or_default(),
    };
    ensure_tenant(work, tenant)?;
    let stored = catalog::order(&mut work.tx, tenant, &fact.id)?.map(|stored| stored.value);
    let merged = orders::merge(stored.as_ref(), fact, tenant, &import_of(work, false, options));
    let mut report = imported("order", fact.id.to_string(), &merged);
    if is_nobodys(tenant) {
        report.notes.push(NOBODY_NAMED.to_owned());
    }
    if moved(&report) {
        catalog::save_order(&mut work.tx, &merged.record)?;
        work.note_tenant("import.order", Some(tenant), &fact.id.to_string());
    }
    adopt_all(work, &merged.record)?;
    holdings::of_order(work, &merged.record, options)?;
    report.notes.extend(products_missing(work, &merged.record)?);
    for (id, price) in orders::prices(&merged.record) {
        if let Some(stored) = rows::find(&mut work.tx, id)?
            && stored.value.profile.unit_price.is_none()
        {
            let mut after = stored.value.clone();
            let mut profile = (*after.profile).clone();
            profile.unit_price = Some(price);
            after.profile = std::sync::Arc::new(profile);
            work.save_subscription(Some(&stored), &after)?;
        }
    }
    Ok(report)
}

/// What software is known from an order alone, its product tells: until that is imported, nothing is listed of it.
fn products_missing(work: &mut Work, order: &Order) -> Result<Option<String>> {
    let missing = holdings::missing_products(work, &order.line_items)?;
    Ok((!missing.is_empty()).then(|| {
        let products = missing.into_iter().collect::<Vec<_>>().join(", ");
        format!("nothing tells yet what it bought: software of it is listed once its product is imported ({products})")
    }))
}

/// Gives an order's customer to the subscriptions of it that have none: those its lines name, and those that named it
/// and waited. A line whose subscription is not known yet is noted for it.
fn adopt_all(work: &mut Work, order: &Order) -> Result<()> {
    let place = whereabouts::Place { tenant: order.tenant, order: order.id.clone() };
    whereabouts::tell_order(&mut work.tx, order.tenant, &order.id)?;
    for id in order.line_items.iter().filter_map(|line| line.subscription_id) {
        match rows::find(&mut work.tx, id)? {
            Some(stored) => adopt(work, stored, order.tenant)?,
            None => whereabouts::tell_line(&mut work.tx, id, &place)?,
        }
    }
    // With two customers who have an order of this id, the id alone tells nothing.
    if is_nobodys(order.tenant) || whereabouts::order(&mut work.tx, &order.id)?.is_none() {
        return Ok(());
    }
    for id in whereabouts::take_waiting(&mut work.tx, &order.id)? {
        if let Some(stored) = rows::find(&mut work.tx, id)? {
            adopt(work, stored, order.tenant)?;
        }
    }
    Ok(())
}

fn adopt(work: &mut Work, stored: Stored<Subscription>, tenant: TenantId) -> Result<()> {
    if !is_nobodys(tenant) && is_nobodys(stored.value.tenant) {
        move_to(work, stored, tenant)?;
    }
    Ok(())
}

fn offer(work: &mut Work, fact: &OfferFact, options: Options) -> Result<Imported> {
    let stored = catalog::product(&mut work.tx, &fact.id)?.map(|stored| stored.value);
    let merged = offers::merge(stored.as_ref(), fact, &import_of(work, false, options));
    let report = imported("offer", fact.id.clone(), &merged);
    if moved(&report) {
        catalog::save_product(&mut work.tx, &merged.record)?;
    }
    Ok(report)
}

/// Makes the holdings of a page of orders whose lines had none because their products were not described yet; `described`
/// are those that now are, in lower case. Answers where the page ended, where there are more.
///
/// # Errors
/// `forbidden`; the store's failure.
pub fn hold_of_orders(
    work: &mut Work,
    described: &BTreeSet<String>,
    after: Option<&[u8]>,
    options: Options,
) -> Result<Option<Vec<u8>>> {
    work.require(&Grant::StoreAdmin)?;
    let page = catalog::orders(&mut work.tx, None, after, ORDERS_AT_ONCE)?;
    for order in &page.items {
        let is_of = |offer: &str| {
            let offer = offer.to_lowercase();
            described.contains(&offer) || Product::ids_above(&offer).any(|above| described.contains(above))
        };
        if order.line_items.iter().any(|line| is_of(&line.offer_id)) {
            holdings::of_order(work, order, options)?;
        }
    }
    Ok(page.next)
}
