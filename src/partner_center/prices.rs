//! Price lists: what a seat costs the partner, by product, term, cycle, currency, market and segment.

use rust_decimal::Decimal;

use super::field::{self, Fields};
use super::subscriptions::CYCLES;
use crate::domain::product::Price;
use crate::domain::{Money, Refusal};

/// A price as a document states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceFact {
    /// The price.
    pub price: Price,
}

/// Reads a row of a price list: the names of Partner Center's price sheets, as JSON.
pub(super) fn read(fields: &mut Fields<'_>) -> Result<PriceFact, Refusal> {
    let bad = |what: &str| Refusal::new("bad_price", format!("the price has no {what}"));
    let offer = fields.filled("offerId").or_else(|| fields.filled("product"));
    let parts = ["productId", "skuId", "availabilityId"].map(|name| fields.filled(name));
    let joined: Vec<String> = parts.into_iter().flatten().collect();
    let product = offer.or((!joined.is_empty()).then(|| joined.join(":"))).ok_or_else(|| bad("product"))?;
    let currency = fields.filled("currency").or_else(|| fields.filled("currencyCode"));
    let currency = currency.ok_or_else(|| bad("currency"))?.to_ascii_uppercase().parse()?;
    let amount = fields.take("unitPrice").and_then(field::decimal).filter(|amount| *amount >= Decimal::ZERO);
    let amount = amount.ok_or_else(|| bad("unit price that is a number of zero or more"))?;
    let billing_cycle = fields.word("billingCycle", &CYCLES).or_else(|| fields.word("billingPlan", &CYCLES));
    let market = fields.filled("market").or_else(|| fields.filled("country")).map(|code| code.to_ascii_uppercase());
    let segment = fields.filled("segment").map(|word| word.parse()).transpose()?;
    Ok(PriceFact {
        price: Price {
            product,
            term_duration: fields.span("termDuration"),
            billing_cycle,
            unit_price: Money::new(amount, currency),
            market,
            segment,
        },
    })
}
