//! What can be bought: legacy offers, products, skus and availabilities of the modern catalogue, and prices.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::family::{self, Clues};
use super::field::{self, Fields};
use super::merge::{Diff, Import, Merged};
use super::read::{Context, missing_id};
use super::subscriptions::{self, CYCLES};
use super::write::{self, Out};
use crate::domain::product::{Price, Product};
use crate::domain::{Money, Refusal};
use crate::json::Value;

/// What a document states about something that can be bought; what it does not state is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfferFact {
    /// Its id as it came; compared in lower case.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its family, where the document tells it.
    pub family: Option<String>,
    /// Least seats.
    pub minimum_quantity: Option<i64>,
    /// Most seats.
    pub maximum_quantity: Option<i64>,
    /// Whether it is a trial.
    pub is_trial: Option<bool>,
    /// Whether it is an add-on.
    pub is_add_on: Option<bool>,
    /// Billing cycles it may have.
    pub supported_billing_cycles: Option<Vec<String>>,
    /// Everything else, as JSON text by field.
    pub extra: BTreeMap<String, String>,
}

/// A price as a document states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceFact {
    /// The price.
    pub price: Price,
}

/// Reads an offer, product, sku or availability.
pub(super) fn read(row: &Value, fields: &mut Fields<'_>, context: &Context) -> Result<OfferFact, Refusal> {
    let own = fields.filled("id").or_else(|| context.id.clone());
    let product = fields.filled("productId");
    let sku = fields.filled("skuId");
    let catalog_item = fields.filled("catalogItemId");
    // A sku is named within its product, an availability within both; alone their ids mean nothing.
    let id = catalog_item.or_else(|| {
        let parts: Vec<String> = [product, sku, own].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(":"))
    });
    let mut extra = BTreeMap::new();
    let kind = fields.take("productType");
    if let Some(kind) = kind {
        extra.insert("productType".to_owned(), kind.to_string());
    }
    if let Some(links) = fields.take("links").and_then(field::other_links) {
        extra.insert("links".to_owned(), links);
    }
    fields.take("attributes");
    let mut fact = OfferFact {
        id: id.ok_or_else(|| missing_id("offer"))?,
        name: fields.filled("name").or_else(|| fields.filled("title")),
        minimum_quantity: fields.count("minimumQuantity"),
        maximum_quantity: fields.count("maximumQuantity"),
        is_trial: fields.flag("isTrial"),
        is_add_on: fields.flag("isAddOn"),
        supported_billing_cycles: cycles(fields),
        family: fields.word("family", &[]).filter(|word| family::FAMILIES.contains(&word.as_str())),
        extra,
    };
    let peek = |name: &str| row.get_any_case(name);
    let billing = peek("billing").and_then(Value::as_str).map(field::snake).unwrap_or_default();
    let target = peek("targetView").and_then(Value::as_str).map(str::to_owned);
    let kind = target.or_else(|| kind.and_then(subscriptions::product_type)).unwrap_or_default();
    let clues = Clues {
        product_type: &kind,
        offer_id: &fact.id,
        billing_type: &billing,
        publisher: peek("publisherName").and_then(Value::as_str).unwrap_or_default(),
        is_microsoft: peek("isMicrosoftProduct").and_then(Value::as_bool),
        term_duration: peek("term").is_some().then(|| crate::domain::Span::months(12)),
    };
    fact.family = fact.family.or(family::family(&clues).map(str::to_owned));
    Ok(fact)
}

fn cycles(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let listed = fields.take("supportedBillingCycles")?.as_array()?;
    let words = listed.iter().filter_map(|cycle| match cycle {
        Value::String(text) => Some(field::snake(text)),
        number => CYCLES.get(usize::try_from(number.as_i64()?).ok()?).map(|known| (*known).to_owned()),
    });
    Some(words.collect())
}

/// Reads a row of a price list: the names of Partner Center's price sheets, as JSON.
pub(super) fn read_price(fields: &mut Fields<'_>) -> Result<PriceFact, Refusal> {
    let bad = |what: &str| Refusal::new("bad_price", format!("the price has no {what}"));
    let offer = fields.filled("offerId").or_else(|| fields.filled("product"));
    let parts = ["productId", "skuId", "availabilityId"].map(|name| fields.filled(name));
    let joined: Vec<String> = parts.into_iter().flatten().collect();
    let product = offer.or((!joined.is_empty()).then(|| joined.join(":"))).ok_or_else(|| bad("product"))?;
    let currency = fields.filled("currency").or_else(|| fields.filled("currencyCode"));
    let currency = currency.ok_or_else(|| bad("currency"))?.to_ascii_uppercase().parse()?;
    let amount = fields.take("unitPrice").and_then(field::decimal).filter(|amount| *amount >= Decimal::ZERO);
    let amount = amount.ok_or_else(|| bad("unit price that is a number of zero or more"))?;
    let cycle = fields.word("billingCycle", &CYCLES).or_else(|| fields.word("billingPlan", &CYCLES));
    let term_duration = fields.span("termDuration");
    let unit_price = Money::new(amount, currency);
    Ok(PriceFact { price: Price { product, term_duration, billing_cycle: cycle, unit_price } })
}

/// What a product becomes if the fact is so.
pub fn merge(existing: Option<&Product>, fact: &OfferFact, import: &Import) -> Merged<Product> {
    let fresh = existing.is_none();
    let mut product = existing.cloned().unwrap_or_else(|| Product {
        id: fact.id.clone(),
        name: String::new(),
        family: family::UNKNOWN.to_owned(),
        minimum_quantity: None,
        maximum_quantity: None,
        is_trial: false,
        is_add_on: false,
        supported_billing_cycles: Vec::new(),
        extra: BTreeMap::new(),
    });
    let mut diff = Diff::of(import, fresh);
    diff.set("name", &mut product.name, fact.name.clone());
    diff.set("family", &mut product.family, fact.family.clone());
    diff.set("minimumQuantity", &mut product.minimum_quantity, fact.minimum_quantity.map(Some));
    diff.set("maximumQuantity", &mut product.maximum_quantity, fact.maximum_quantity.map(Some));
    diff.set("isTrial", &mut product.is_trial, fact.is_trial);
    diff.set("isAddOn", &mut product.is_add_on, fact.is_add_on);
    diff.set("supportedBillingCycles", &mut product.supported_billing_cycles, fact.supported_billing_cycles.clone());
    diff.extras(&mut product.extra, &fact.extra);
    diff.merged(product)
}

/// An offer as Partner Center shows it, with our family beside.
pub fn offer(product: &Product) -> Value {
    let mut out = Out::new();
    out.text("id", &product.id);
    out.filled("name", &product.name);
    out.text("family", &product.family);
    for (name, number) in [("minimumQuantity", product.minimum_quantity), ("maximumQuantity", product.maximum_quantity)]
    {
        if let Some(number) = number {
            out.integer(name, number);
        }
    }
    out.flag("isTrial", product.is_trial);
    out.flag("isAddOn", product.is_add_on);
    let cycles = product.supported_billing_cycles.iter().map(|cycle| Value::String(cycle.clone()));
    out.value("supportedBillingCycles", Value::Array(cycles.collect()));
    out.extras(&product.extra, &["id"]);
    out.links(&product.extra, &format!("/offers/{}", product.id));
    out.value("attributes", write::attributes("Offer", None));
    out.finish()
}
