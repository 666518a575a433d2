//! The catalogue as Partner Center shows it: offers, products, SKUs and availabilities, with our words beside.

use super::field;
use super::write::{self, Out};
use crate::domain::product::{LimitUnit, Product};
use crate::json::Value;

/// An offer of the legacy catalogue.
pub fn offer(product: &Product) -> Value {
    let mut out = item(product);
    let (count, unit) = match product.limit {
        None => (0, "None"),
        Some(limit) => (
            i64::from(limit.count),
            match limit.per {
                LimitUnit::Lifetime => "Lifetime",
                LimitUnit::Concurrent => "Concurrent",
            },
        ),
    };
    if product.is_legacy() {
        out.text("limitUnitOfMeasure", unit);
        out.integer("limit", count);
    }
    out.value("prerequisiteOffers", texts(&product.prerequisites));
    out.value("conversionTargetOffers", texts(&product.conversion_targets));
    out.flag("isAvailableForPurchase", product.is_purchasable.unwrap_or(true));
    finish(out, product, &format!("/offers/{}", product.id), "Offer")
}

/// What is shown of any level.
fn item(product: &Product) -> Out {
    let mut out = Out::new();
    out.text("id", &product.id);
    out.filled("name", &product.name);
    out.filled("description", &product.description);
    out.text("family", &product.family);
    for (name, number) in [("minimumQuantity", product.minimum_quantity), ("maximumQuantity", product.maximum_quantity)]
    {
        if let Some(number) = number {
            out.integer(name, number);
        }
    }
    out.flag("isTrial", product.is_trial);
    out.flag("isAddOn", product.is_add_on);
    out.flag("hasAddOns", product.has_add_ons);
    out.filled("billing", &product.billing);
    out.filled("unitType", &product.unit_type);
    out.filled("publisherName", &product.publisher_name);
    if let Some(own) = product.is_microsoft_product {
        out.flag("isMicrosoftProduct", own);
    }
    out.value("supportedBillingCycles", texts(&product.supported_billing_cycles));
    out
}

fn finish(mut out: Out, product: &Product, address: &str, object: &str) -> Value {
    out.extras(&product.extra, &["id"]);
    out.links(&product.extra, address);
    out.value("attributes", write::attributes(object, None));
    out.finish()
}

fn texts(list: &[String]) -> Value {
    Value::Array(list.iter().map(|text| Value::String(text.clone())).collect())
}

/// A product of the modern catalogue.
pub fn product(product: &Product, country: &str) -> Value {
    let mut out = Out::new();
    out.text("id", &product.id);
    out.filled("title", &product.name);
    out.filled("description", &product.description);
    if !product.extra.contains_key("productType") && !product.product_type.is_empty() {
        let mut kind = Out::new();
        kind.text("id", &product.product_type);
        out.value("productType", kind.finish());
    }
    out.flag("isMicrosoftProduct", product.is_microsoft_product.unwrap_or(true));
    out.filled("publisherName", &product.publisher_name);
    out.text("family", &product.family);
    let own = format!("/products/{}", product.id);
    out.extras(&product.extra, &["id"]);
    linked(out, product, &own, country, &[("skus", format!("{own}/skus"))], "Product")
}

/// The same with its own address and the levels around it.
fn linked(mut out: Out, product: &Product, own: &str, country: &str, others: &[(&str, String)], object: &str) -> Value {
    let query = if country.is_empty() { String::new() } else { format!("?country={country}") };
    out.links(&product.extra, &format!("{own}{query}"));
    let mut links = Out::over(out.kept("links"));
    for (name, address) in others {
        links.value(name, write::link(&format!("{address}{query}"), "GET"));
    }
    out.value("links", links.finish());
    out.value("attributes", write::attributes(object, None));
    out.finish()
}

/// A SKU, shown by its own id below its product.
pub fn sku(sku: &Product, country: &str) -> Value {
    let (above, id) = sku.id.rsplit_once(':').unwrap_or(("", &sku.id));
    let mut out = item(sku);
    out.text("id", id);
    out.text("productId", above);
    out.filled("title", &sku.name);
    if sku.is_add_on || !sku.prerequisites.is_empty() {
        let mut dynamic = Out::over(field::kept(&sku.extra, "dynamicAttributes"));
        dynamic.flag("isAddon", sku.is_add_on);
        dynamic.value("prerequisiteSkus", texts(&sku.prerequisites));
        out.value("dynamicAttributes", dynamic.finish());
    }
    let own = format!("/products/{above}/skus/{id}");
    out.extras(&sku.extra, &["id", "productId"]);
    let others = [("availabilities", format!("{own}/availabilities")), ("product", format!("/products/{above}"))];
    linked(out, sku, &own, country, &others, "Sku")
}

/// An availability, with the catalogue item's id that a cart names.
pub fn availability(item: &Product, country: &str) -> Value {
    let parts: Vec<&str> = item.id.split(':').collect();
    let [product, sku, id] = parts.as_slice() else { return offer(item) };
    let mut out = Out::new();
    out.text("id", id);
    out.text("productId", product);
    out.text("skuId", sku);
    out.text("catalogItemId", &item.id);
    if let Some(segment) = item.segments.first() {
        out.text("segment", segment.as_str());
    }
    out.filled("country", if country.is_empty() { item.countries.first().map_or("", String::as_str) } else { country });
    out.flag("isPurchasable", item.is_purchasable.unwrap_or(true));
    out.text("family", &item.family);
    if !item.extra.contains_key("terms") {
        out.value("terms", Value::Array(item.plans.iter().map(term).collect()));
    }
    let above = format!("/products/{product}/skus/{sku}");
    out.extras(&item.extra, &["id", "productId", "skuId"]);
    let others = [("sku", above.clone()), ("product", format!("/products/{product}"))];
    linked(out, item, &format!("{above}/availabilities/{id}"), country, &others, "Availability")
}

fn term(plan: &crate::domain::product::Plan) -> Value {
    let mut out = Out::new();
    if let Some(length) = plan.term_duration {
        out.text("duration", &length.to_string());
    }
    out.text("billingCycle", &plan.billing_cycle);
    out.finish()
}
