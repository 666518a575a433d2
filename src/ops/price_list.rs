//! The price list: what the partner pays for a seat of what it sells to a customer.

use crate::domain::product::Segment;
use crate::domain::{Currency, Money, Span, Tenant, TenantId};
use crate::store::records::{price_list as rows, tenants};

use super::Result;
use super::work::Work;

/// What the partner pays for a seat of an item sold to a customer, by the list of the customer's market and segment.
pub(super) fn cost(
    work: &mut Work,
    tenant: &Tenant,
    product: &str,
    term: Option<Span>,
    cycle: &str,
    currency: Option<Currency>,
) -> Result<Option<Money>> {
    let segment = Segment::of_qualification(&tenant.qualification);
    let wanted = rows::Wanted { product, term, cycle, market: &tenant.country, segment, currency };
    Ok(rows::listed(&mut work.tx, &wanted)?.map(|price| price.unit_price))
}

/// What the partner pays for a seat in a term of exactly this length and cycle, where the list has one of its own.
pub(super) fn own_plan(
    work: &mut Work,
    tenant: TenantId,
    product: &str,
    plan: (Span, &str),
    currency: Option<Currency>,
) -> Result<Option<Money>> {
    let tenant = tenants::get(&mut work.tx, tenant)?.map(|stored| stored.value).unwrap_or_default();
    let segment = Segment::of_qualification(&tenant.qualification);
    let (term, cycle) = (Some(plan.0), plan.1);
    let wanted = rows::Wanted { product, term, cycle, market: &tenant.country, segment, currency };
    let listed = rows::listed(&mut work.tx, &wanted)?;
    Ok(listed.filter(|price| price.term_duration == term).map(|price| price.unit_price))
}

/// What it pays for an item sold to a customer by its id, who may not be described yet.
pub(super) fn cost_for(
    work: &mut Work,
    tenant: TenantId,
    product: &str,
    term: Option<Span>,
    cycle: &str,
) -> Result<Option<Money>> {
    let tenant = tenants::get(&mut work.tx, tenant)?.map(|stored| stored.value).unwrap_or_default();
    cost(work, &tenant, product, term, cycle, None)
}
