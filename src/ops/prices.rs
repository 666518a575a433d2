//! What the partner asks its customers for products, beside what they cost it (PRICE): set, looked at, taken away.

use crate::domain::product::CustomerPrice;
use crate::domain::{Grant, Instant, Money, Refusal, Span, Subscription, TenantId};
use crate::store::records::{Page, prices as rows, tenants as tenant_rows};

use super::work::Work;
use super::{Result, not_found};

/// The longest product id, in bytes.
const PRODUCT_BYTES_MAX: usize = 256;

/// The customer's price of a seat of this subscription for what is charged from `at` on; none where the partner has set
/// none. The day its billing cycle began chooses the price, so that a cycle has one, however its seats change.
pub(super) fn of(work: &mut Work, subscription: &Subscription, at: Instant) -> Result<Option<Money>> {
    let profile = &subscription.profile;
    let cycle = subscription.standing.cycle_start.filter(|start| *start <= at);
    let day = cycle.unwrap_or(at).date_naive();
    let (tenant, term) = (subscription.tenant, profile.term_duration);
    let found = rows::find(&mut work.tx, tenant, &profile.offer_id, term, &profile.billing_cycle, day)?;
    Ok(found.map(|price| price.unit_price))
}

/// What a customer is asked today for a seat of a product on this plan; none where the partner has set none.
pub(super) fn asked(
    work: &mut Work,
    tenant: TenantId,
    product: &str,
    term: Option<Span>,
    cycle: &str,
) -> Result<Option<Money>> {
    let found = rows::find(&mut work.tx, tenant, product, term, cycle, work.now.date_naive())?;
    Ok(found.map(|price| price.unit_price))
}

fn reached(work: &mut Work, tenant: TenantId) -> Result<()> {
    let found = tenant_rows::get(&mut work.tx, tenant)?.filter(|_| work.reaches(tenant));
    found.map(|_| ()).ok_or_else(|| not_found("tenant", &tenant))
}

/// Sets a customer's price of a product, for a term and a billing cycle where it names them, from a date on where it
/// names one: billing cycles that begin on that day or later are charged at it. What has been charged keeps the price it
/// was charged at.
///
/// # Errors
/// `forbidden`, `not_found`, `price_invalid`, `too_many_prices`.
pub fn set(work: &mut Work, price: CustomerPrice) -> Result<CustomerPrice> {
    work.require(&Grant::PricesWrite)?;
    reached(work, price.tenant)?;
    let price = CustomerPrice { product: price.product.trim().to_lowercase(), ..price };
    let told = if price.product.is_empty() || price.product.len() > PRODUCT_BYTES_MAX {
        Some(format!("a product is named by 1 to {PRODUCT_BYTES_MAX} bytes of its id"))
    } else if price.unit_price.amount.is_sign_negative() && !price.unit_price.is_zero() {
        Some(format!("{} is below zero and no price", price.unit_price))
    } else {
        None
    };
    if let Some(told) = told {
        return Err(Refusal::new("price_invalid", told).into());
    }
    let before = rows::get(&mut work.tx, &rows::key_of(&price))?;
    if before.is_none() && rows::count(&mut work.tx, price.tenant, &price.product)? >= rows::OF_PRODUCT_MAX {
        let message =
            format!("a customer has at most {} prices of one product: take old ones away", rows::OF_PRODUCT_MAX);
        return Err(Refusal::new("too_many_prices", message).into());
    }
    if before.as_ref() != Some(&price) {
        rows::save(&mut work.tx, &price)?;
        let from = price.valid_from.map(|day| format!(" from {day}")).unwrap_or_default();
        let note = format!("{} {}{from}", price.product, price.unit_price);
        work.note_tenant("price.set", Some(price.tenant), &note);
        work.effect(format!("price {note}"));
    }
    Ok(price)
}

/// Which of a customer's prices: of a product, for the term, cycle and date that it was set with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Which {
    /// The product.
    pub product: String,
    /// The length of term it names.
    pub term_duration: Option<Span>,
    /// The billing cycle it names.
    pub billing_cycle: Option<String>,
    /// The date it names.
    pub valid_from: Option<chrono::NaiveDate>,
}

impl Which {
    /// This price of a customer.
    pub fn at(self, tenant: TenantId, unit_price: Money) -> CustomerPrice {
        let Which { product, term_duration, billing_cycle, valid_from } = self;
        CustomerPrice { tenant, product, term_duration, billing_cycle, valid_from, unit_price }
    }
}

/// Takes a customer's price away: billing cycles that begin from now on are charged at the price that held before it,
/// else at the partner's cost alone.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn remove(work: &mut Work, tenant: TenantId, which: &Which) -> Result<CustomerPrice> {
    work.require(&Grant::PricesWrite)?;
    reached(work, tenant)?;
    let product = which.product.trim();
    let key = rows::key(tenant, product, (which.term_duration, which.billing_cycle.as_deref()), which.valid_from);
    let known = rows::get(&mut work.tx, &key)?.ok_or_else(|| not_found("price of", &product))?;
    rows::remove(&mut work.tx, &known)?;
    work.note_tenant("price.removed", Some(known.tenant), &known.product);
    work.effect(format!("no price {}", known.product));
    Ok(known)
}

/// A page of a customer's prices, by product.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn list(work: &mut Work, tenant: TenantId, after: Option<&[u8]>, limit: usize) -> Result<Page<CustomerPrice>> {
    work.require(&Grant::Read("prices"))?;
    reached(work, tenant)?;
    Ok(rows::page(&mut work.tx, Some(tenant), after, limit)?)
}

/// The price of a product for a customer today, whatever the term and cycle; none where the partner has set none.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn find(work: &mut Work, tenant: TenantId, product: &str) -> Result<Option<CustomerPrice>> {
    work.require(&Grant::Read("prices"))?;
    reached(work, tenant)?;
    Ok(rows::find(&mut work.tx, tenant, product, None, "", work.now.date_naive())?)
}
