//! The price list: what the partner pays for a seat of what it sells to a customer.

use crate::domain::product::Segment;
use crate::domain::{Currency, Money, Refusal, Span, Tenant, TenantId};
use crate::store::records::{price_list as rows, subscriptions, tenants};

use super::Result;
use super::work::Work;

/// Subscriptions of one customer looked at for the currency it pays in.
const OWNED_MAX: usize = 1_000;

/// What a price is looked for by, beside whom it is sold to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sought<'a> {
    /// The item.
    pub(super) product: &'a str,
    /// Length of the term.
    pub(super) term: Option<Span>,
    /// Billing cycle.
    pub(super) cycle: &'a str,
    /// The currency that is asked for.
    pub(super) asked: Option<Currency>,
    /// The currencies the customer is known to pay in.
    pub(super) known: &'a [Currency],
}

/// What the partner pays for a seat of an item sold to a customer, by the list of the customer's market and segment:
/// none, one, or one in each currency that nothing chooses between.
pub(super) fn costs(work: &mut Work, tenant: &Tenant, sought: &Sought<'_>) -> Result<Vec<Money>> {
    let wanted = rows::Wanted {
        product: sought.product,
        term: sought.term,
        cycle: sought.cycle,
        market: &tenant.country,
        segment: Segment::of_qualification(&tenant.qualification),
        currency: sought.asked,
        known: sought.known,
    };
    Ok(rows::listed(&mut work.tx, &wanted)?.into_iter().map(|price| price.unit_price).collect())
}

/// The one there is; none of several.
pub(super) fn only(costs: &[Money]) -> Option<Money> {
    match costs {
        [one] => Some(*one),
        _ => None,
    }
}

/// Why nothing is sold while it is open in which currency.
pub(super) fn ambiguous(costs: &[Money]) -> Refusal {
    let codes: Vec<&str> = costs.iter().map(|cost| cost.currency.code()).collect();
    let message = format!(
        "its prices are in {}, and nothing tells in which of them this customer pays: name the currency (currencyCode, \
         --currency)",
        codes.join(", ")
    );
    Refusal::new("currency_ambiguous", message)
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
    let wanted = rows::Wanted { product, term, cycle, market: &tenant.country, segment, currency, known: &[] };
    let listed = rows::listed(&mut work.tx, &wanted)?;
    let own: Vec<Money> =
        listed.iter().filter(|price| price.term_duration == term).map(|price| price.unit_price).collect();
    Ok(only(&own))
}

/// What it pays for an item sold to a customer by its id, who may not be described yet: in the currency that is paid
/// already where the list has it, else in the one the customer's subscriptions have.
pub(super) fn cost_for(
    work: &mut Work,
    tenant: TenantId,
    product: &str,
    plan: (Option<Span>, &str),
    paid: Option<Currency>,
) -> Result<Option<Money>> {
    // Most of a large book may be priced by its orders: then nobody's market and segment matter.
    if !rows::knows(&mut work.tx, product)? {
        return Ok(None);
    }
    let owner = tenants::get(&mut work.tx, tenant)?.map(|stored| stored.value).unwrap_or_default();
    let known = paid.map(|currency| [currency]);
    let known = known.as_ref().map_or(&[][..], |known| &known[..]);
    let sought = Sought { product, term: plan.0, cycle: plan.1, asked: None, known };
    let found = costs(work, &owner, &sought)?;
    if found.len() < 2 {
        return Ok(only(&found));
    }
    let page = subscriptions::page(&mut work.tx, Some(tenant), None, OWNED_MAX)?;
    let known: Vec<Currency> =
        page.items.iter().filter_map(|stored| Some(stored.value.profile.unit_price?.currency)).collect();
    Ok(only(&costs(work, &owner, &Sought { known: &known, ..sought })?))
}
