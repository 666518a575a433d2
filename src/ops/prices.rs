//! What the partner asks its customers for products, beside what they cost it (PRICE): set, looked at, taken away.

use crate::domain::product::CustomerPrice;
use crate::domain::{Grant, Money, Refusal, Span, Subscription, TenantId};
use crate::store::records::{Page, prices as rows, tenants as tenant_rows};

use super::work::Work;
use super::{Result, not_found};

/// The longest product id, in bytes.
const PRODUCT_BYTES_MAX: usize = 256;

/// The customer's price of a seat of this subscription; none where the partner has set none.
pub(super) fn of(work: &mut Work, subscription: &Subscription) -> Result<Option<Money>> {
    let profile = &subscription.profile;
    asked(work, subscription.tenant, &profile.offer_id, profile.term_duration, &profile.billing_cycle)
}

/// What a customer is asked for a seat of a product on this plan; none where the partner has set none.
pub(super) fn asked(
    work: &mut Work,
    tenant: TenantId,
    product: &str,
    term: Option<Span>,
    cycle: &str,
) -> Result<Option<Money>> {
    let found = rows::find(&mut work.tx, tenant, product, term, cycle)?;
    Ok(found.map(|price| price.unit_price))
}

fn reached(work: &mut Work, tenant: TenantId) -> Result<()> {
    let found = tenant_rows::get(&mut work.tx, tenant)?.filter(|_| work.reaches(tenant));
    found.map(|_| ()).ok_or_else(|| not_found("tenant", &tenant))
}

/// Sets a customer's price of a product, for a term and a billing cycle where it names them. What has been charged
/// keeps the price it was charged at.
///
/// # Errors
/// `forbidden`, `not_found`, `price_invalid`.
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
    if rows::get(&mut work.tx, &rows::key_of(&price))?.as_ref() != Some(&price) {
        rows::save(&mut work.tx, &price)?;
        let note = format!("{} {}", price.product, price.unit_price);
        work.note_tenant("price.set", Some(price.tenant), &note);
        work.effect(format!("price {note}"));
    }
    Ok(price)
}

/// Takes a customer's price away: charges from now on stand at the partner's cost alone.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn remove(
    work: &mut Work,
    tenant: TenantId,
    product: &str,
    term: Option<Span>,
    cycle: Option<&str>,
) -> Result<CustomerPrice> {
    work.require(&Grant::PricesWrite)?;
    reached(work, tenant)?;
    let found = rows::get(&mut work.tx, &rows::key(tenant, product.trim(), term, cycle))?;
    let known = found.ok_or_else(|| not_found("price of", &product))?;
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

/// The price of a product for a customer, whatever the term and cycle; none where the partner has set none.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn find(work: &mut Work, tenant: TenantId, product: &str) -> Result<Option<CustomerPrice>> {
    work.require(&Grant::Read("prices"))?;
    reached(work, tenant)?;
    Ok(rows::find(&mut work.tx, tenant, product, None, "")?)
}
