//! What a customer can be sold: its list of offers, and whether one of them can be bought now.

use serde::Serialize;

use crate::domain::catalog::eligibility::{self, Buyer, Hindrance, Owned, Seller, Wanted};
use crate::domain::catalog::offers::Filter;
use crate::domain::catalog::plans::{self, Offered};
use crate::domain::product::Product;
use crate::domain::subscription::Status;
use crate::domain::{Currency, Grant, Money, Span, Subscription, SubscriptionId, Tenant, TenantId};
use crate::partner_center::offers::resolved;
use crate::store::records::{Page, catalog as rows, subscriptions as subscription_rows};

use super::price_list::Sought;
use super::work::Work;
use super::{Result, not_found, price_list, prices, subscriptions, tenants};

const PAGE_ROWS: usize = 500;

/// A plan of an offer with what it costs this customer's market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Priced {
    /// The plan, and since when it is offered.
    #[serde(flatten)]
    pub offered: Offered,
    /// What the partner pays for a seat and cycle; none when the price list does not say.
    pub unit_price: Option<Money>,
    /// What it pays in each currency, where the buyer has to name one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unit_prices: Vec<Money>,
    /// What the customer is asked for instead, where the partner set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_price: Option<Money>,
}

impl Priced {
    /// A plan with what the list says of it: nothing, one price, or several to choose from.
    pub(super) fn of(offered: Offered, costs: Vec<Money>, customer_price: Option<Money>) -> Self {
        let unit_price = price_list::only(&costs);
        let unit_prices = if unit_price.is_some() { Vec::new() } else { costs };
        Self { offered, unit_price, unit_prices, customer_price }
    }
}

/// An offer as one customer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The item, with everything the levels above it say.
    pub item: Product,
    /// Its plans.
    pub plans: Vec<Priced>,
    /// Whether its prices include tax in the customer's country (TAX).
    pub tax_included: bool,
    /// Every reason why it cannot be bought now; empty: it can.
    pub reasons: Vec<Hindrance>,
}

/// Whom something is sold to, with what they own.
pub(super) struct Context {
    /// The customer.
    pub(super) tenant: Tenant,
    /// What it has and had.
    pub(super) owned: Vec<Owned>,
    /// The currencies it pays in.
    pub(super) currencies: Vec<Currency>,
}

/// The customer and everything it ever bought. What was ordered and came to nothing was never owned.
pub(super) fn context(work: &mut Work, tenant: TenantId) -> Result<Context> {
    let tenant = tenants::reached(work, tenant)?;
    let (mut owned, mut currencies) = (Vec::new(), Vec::new());
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = subscription_rows::page(&mut work.tx, Some(tenant.id), cursor.as_deref(), PAGE_ROWS)?;
        for stored in &page.items {
            if !never_bought(work, &stored.value)? {
                owned.push(Owned::from(&stored.value));
                currencies.extend(stored.value.profile.unit_price.map(|price| price.currency));
            }
        }
        match page.next {
            None => return Ok(Context { tenant, owned, currencies }),
            next => cursor = next,
        }
    }
}

/// Whether the purchase of a holding came to nothing: it was ordered, and its line says why it was never bought.
pub(super) fn never_bought(work: &mut Work, subscription: &Subscription) -> Result<bool> {
    let Some(order) = subscription.profile.order_id.as_ref() else { return Ok(false) };
    if subscription.standing.status != Status::Deleted {
        return Ok(false);
    }
    let order = rows::order(&mut work.tx, subscription.tenant, order)?;
    Ok(order.is_some_and(|order| order.value.line_of(subscription.id).is_some_and(|line| line.error.is_some())))
}

/// One item of the catalogue with everything the levels above it say; none where there is none of this id.
pub(super) fn item(work: &mut Work, id: &str) -> Result<Option<Product>> {
    let Some(found) = rows::product(&mut work.tx, id)? else { return Ok(None) };
    let mut above = Vec::new();
    for id in Product::ids_above(id) {
        above.extend(rows::product(&mut work.tx, id)?.map(|stored| stored.value));
    }
    Ok(Some(resolved(found.value, &above)))
}

/// What is asked about an item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    /// Seats; none: as few as there can be.
    pub quantity: Option<i64>,
    /// Length of the term.
    pub term_duration: Option<Span>,
    /// How it is billed.
    pub billing_cycle: Option<String>,
    /// The base of an add-on.
    pub base: Option<SubscriptionId>,
}

/// Whether a customer can buy an item now, and every reason why not.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn offer(work: &mut Work, tenant: TenantId, id: &str, ask: &Ask) -> Result<Offer> {
    work.require(&Grant::Read("products"))?;
    let context = context(work, tenant)?;
    let found = item(work, id)?.ok_or_else(|| not_found("product", &id.chars().take(128).collect::<String>()))?;
    let base = base_of(work, tenant, ask.base)?;
    let wanted = Wanted {
        quantity: ask.quantity,
        term_duration: ask.term_duration,
        billing_cycle: ask.billing_cycle.as_deref(),
        base: base.as_ref(),
        settles_plan: ask.term_duration.is_some() || ask.billing_cycle.is_some(),
        ..Wanted::listed(&found)
    };
    let reasons = judged(work, &context, wanted);
    shown(work, &context, found, reasons)
}

/// The base an add-on is asked for, of this customer.
pub(super) fn base_of(work: &mut Work, tenant: TenantId, id: Option<SubscriptionId>) -> Result<Option<Owned>> {
    let Some(id) = id else { return Ok(None) };
    let found = subscriptions::load(work, id)?.value;
    if found.tenant == tenant { Ok(Some(Owned::from(&found))) } else { Err(not_found("subscription", &id)) }
}

pub(super) fn judged(work: &Work, context: &Context, wanted: Wanted<'_>) -> Vec<Hindrance> {
    let seller = Seller { partner_type: work.settings.partner, mpn_id: work.settings.mpn_id.clone() };
    let buyer = Buyer { tenant: &context.tenant, owned: &context.owned, seller: &seller };
    eligibility::hindrances(work.terms.selling(), buyer, wanted, work.now)
}

fn shown(work: &mut Work, context: &Context, item: Product, reasons: Vec<Hindrance>) -> Result<Offer> {
    let tenant = &context.tenant;
    let mut plans = Vec::new();
    for offered in plans::offered(work.terms.selling(), &item) {
        let (term, cycle) = (offered.plan.term_duration, offered.plan.billing_cycle.clone());
        let sought = Sought { product: &item.id, term, cycle: &cycle, asked: None, known: &context.currencies };
        let costs = price_list::costs(work, tenant, &sought)?;
        let customer_price = prices::asked(work, tenant.id, &item.id, term, &cycle)?;
        plans.push(Priced::of(offered, costs, customer_price));
    }
    let tax_included = work.terms.tax().is_included(&tenant.country);
    Ok(Offer { item, plans, tax_included, reasons })
}

/// What a list of offers is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// What it is narrowed to.
    pub filter: Filter,
    /// The base whose add-ons are asked for.
    pub base: Option<SubscriptionId>,
    /// Whether what cannot be bought is listed too, with its reasons.
    pub why: bool,
}

/// A page of the offers of a customer, in id order. What its country, its segment, its publisher or what the customer
/// has keep from it is left out unless asked why.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn offers(
    work: &mut Work,
    tenant: TenantId,
    listed: &Listed,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Offer>> {
    work.require(&Grant::Read("products"))?;
    let context = context(work, tenant)?;
    let base = base_of(work, tenant, listed.base)?;
    let mut items = Vec::new();
    let mut cursor = after.map(<[u8]>::to_vec);
    let mut seen = 0;
    loop {
        let page = rows::products(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        seen += page.items.len();
        for product in page.items {
            let key = product.id.to_lowercase().into_bytes();
            if !product.is_item() {
                continue;
            }
            let found = item(work, &product.id)?.unwrap_or(product);
            let wanted = Wanted { base: base.as_ref(), ..Wanted::listed(&found) };
            if !listed.filter.holds(&found) || (base.is_some() && !found.is_add_on) {
                continue;
            }
            let reasons = judged(work, &context, wanted);
            let is_hidden = reasons.iter().any(|reason| reason.hides || (base.is_some() && reason.rule == "A-elig"));
            if is_hidden && !listed.why {
                continue;
            }
            items.push(shown(work, &context, found, reasons)?);
            if items.len() == limit {
                return Ok(Page { items, next: Some(key) });
            }
        }
        match page.next {
            None => return Ok(Page { items, next: None }),
            Some(next) if seen >= work.settings.rows => return Ok(Page { items, next: Some(next) }),
            Some(next) => cursor = Some(next),
        }
    }
}
