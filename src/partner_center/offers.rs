//! What can be bought, as documents state it: legacy offers, products, SKUs and availabilities of the modern catalogue.

use std::collections::BTreeMap;

use super::family::{self, Clues};
use super::field::{self, Fields};
use super::merge::{Diff, Import, Merged};
use super::read::{Context, missing_id};
use super::subscriptions::{self, CYCLES};
use crate::domain::product::{Limit, LimitUnit, Plan, Product, Segment};
use crate::domain::{Instant, Refusal, Span};
use crate::json::Value;

/// The attribute that holds the publisher's landing page, where what is bought is activated (I-link).
pub const ACTIVATION_LINK: &str = "activationLink";

/// What that page is called in documents, the best known first.
const LANDING_PAGES: [&str; 6] =
    [ACTIVATION_LINK, "activationUrl", "landingPageUrl", "landingPageUri", "landingPageLink", "landingPage"];

/// What a document states about something that can be bought; what it does not state is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfferFact {
    /// Its id as it came; compared in lower case.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its family, where the document tells it.
    pub family: Option<String>,
    /// A sentence about it.
    pub description: Option<String>,
    /// Its type, in lower snake case.
    pub product_type: Option<String>,
    /// The publisher.
    pub publisher_name: Option<String>,
    /// Whether it is Microsoft's.
    pub is_microsoft_product: Option<bool>,
    /// `license`, `usage`, `none`.
    pub billing: Option<String>,
    /// Its category, in lower snake case.
    pub category: Option<String>,
    /// What is counted.
    pub unit_type: Option<String>,
    /// Least seats.
    pub minimum_quantity: Option<i64>,
    /// Most seats.
    pub maximum_quantity: Option<i64>,
    /// Whether it is a trial.
    pub is_trial: Option<bool>,
    /// Whether it is an add-on.
    pub is_add_on: Option<bool>,
    /// Whether it has add-ons.
    pub has_add_ons: Option<bool>,
    /// What an add-on needs one of.
    pub prerequisites: Option<Vec<String>>,
    /// What a trial converts to.
    pub conversion_targets: Option<Vec<String>>,
    /// What it may be upgraded to inside a term.
    pub upgrade_targets: Option<Vec<String>>,
    /// How often a customer may have it; none inside: as often as it likes.
    pub limit: Option<Option<Limit>>,
    /// Whom it is sold to.
    pub segments: Option<Vec<Segment>>,
    /// Markets of this document, upper case; they are added to those known.
    pub countries: Vec<String>,
    /// Billing cycles it may have.
    pub supported_billing_cycles: Option<Vec<String>>,
    /// First purchase a billing cycle is offered for.
    pub billing_cycles_from: Option<BTreeMap<String, Instant>>,
    /// Terms with their billing cycles.
    pub plans: Option<Vec<Plan>>,
    /// Length of its only term.
    pub term_duration: Option<Span>,
    /// Whether it can be bought.
    pub is_purchasable: Option<bool>,
    /// Whether its publisher sells it through the programme.
    pub is_in_program: Option<bool>,
    /// Whether the marketplace sells it.
    pub is_transactable: Option<bool>,
    /// Partners it is exclusive to.
    pub exclusive_to: Option<Vec<String>>,
    /// Whether the buyer has to attest something.
    pub needs_attestation: Option<bool>,
    /// Attributes, as JSON text by name.
    pub attributes: BTreeMap<String, String>,
    /// Everything else, as JSON text by field.
    pub extra: BTreeMap<String, String>,
}

/// Reads an offer, product, SKU or availability.
pub(super) fn read(row: &Value, fields: &mut Fields<'_>, context: &Context) -> Result<OfferFact, Refusal> {
    let mut extra = BTreeMap::new();
    let id = identify(fields, context).ok_or_else(|| missing_id("offer"))?;
    let kind = fields.take("productType");
    if let Some(kind) = kind {
        extra.insert("productType".to_owned(), kind.to_string());
    }
    if let Some(links) = fields.take("links").and_then(field::other_links) {
        extra.insert("links".to_owned(), links);
    }
    fields.take("attributes");
    let mut fact = OfferFact {
        id,
        name: fields.filled("name").or_else(|| fields.filled("title")),
        description: fields.filled("description"),
        publisher_name: fields.filled("publisherName"),
        is_microsoft_product: fields.flag("isMicrosoftProduct"),
        billing: fields.word("billing", &["none", "usage", "license"]),
        unit_type: fields.filled("unitType"),
        minimum_quantity: fields.count("minimumQuantity"),
        maximum_quantity: fields.count("maximumQuantity"),
        is_trial: fields.flag("isTrial"),
        is_add_on: fields.flag("isAddOn"),
        has_add_ons: fields.flag("hasAddOns"),
        prerequisites: texts(fields.take("prerequisiteOffers")),
        conversion_targets: texts(fields.take("conversionTargetOffers")),
        supported_billing_cycles: fields.take("supportedBillingCycles").and_then(cycles),
        is_purchasable: fields.flag("isPurchasable").or_else(|| fields.flag("isAvailableForPurchase")),
        is_in_program: fields.flag("isInProgram"),
        is_transactable: fields.flag("isTransactable"),
        exclusive_to: texts(fields.take("exclusiveTo")),
        family: fields.word("family", &[]).filter(|word| family::FAMILIES.contains(&word.as_str())),
        limit: limit(fields),
        extra,
        ..OfferFact::default()
    };
    peeked(row, &mut fact);
    let target = row.get_any_case("targetView").and_then(Value::as_str).map(str::to_owned);
    let kind = target.or_else(|| kind.and_then(subscriptions::product_type));
    fact.product_type = kind.as_deref().map(field::snake);
    if fact.family.is_none() {
        fact.family = told_family(&fact).map(str::to_owned);
    }
    Ok(fact)
}

/// A SKU is named within its product, an availability within both; alone their ids mean nothing.
fn identify(fields: &mut Fields<'_>, context: &Context) -> Option<String> {
    let own = fields.filled("id").or_else(|| context.id.clone());
    let (product, sku) = (fields.filled("productId"), fields.filled("skuId"));
    fields.filled("catalogItemId").or_else(|| {
        let parts: Vec<String> = [product, sku, own].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(":"))
    })
}

/// What stands inside larger objects, which are kept as they came beside it.
fn peeked(row: &Value, fact: &mut OfferFact) {
    let peek = |name: &str| row.get_any_case(name).filter(|value| !value.is_null());
    let text = |name: &str| peek(name).and_then(Value::as_str).filter(|text| !field::is_placeholder(text));
    fact.category = peek("category")
        .and_then(|category| category.as_str().or_else(|| category.get_any_case("name")?.as_str()))
        .map(field::snake)
        .filter(|word| !word.is_empty());
    let qualified = texts(peek("reselleeQualifications"));
    let listed = texts(peek("segments")).or_else(|| text("segment").map(|one| vec![one.to_owned()]));
    fact.segments = listed.or(qualified).map(|words| words.iter().filter_map(|word| word.parse().ok()).collect());
    let countries = texts(peek("countries")).unwrap_or_default();
    fact.countries = countries.into_iter().chain(text("country").map(str::to_owned)).collect();
    fact.countries.iter_mut().for_each(|code| code.make_ascii_uppercase());
    fact.countries.retain(|code| !code.is_empty());
    fact.term_duration = term(row);
    fact.plans = peek("terms").and_then(Value::as_array).map(plans);
    fact.billing_cycles_from = peek("billingCyclesFrom").and_then(Value::members).map(|members| {
        let dated = |(cycle, at): &(String, Value)| Some((field::snake(cycle), field::date(at.as_str()?)?.at()?));
        members.iter().filter_map(dated).collect()
    });
    if let Some(dynamic) = peek("dynamicAttributes") {
        let flag = |name: &str| dynamic.get_any_case(name).and_then(Value::as_bool);
        fact.is_add_on = fact.is_add_on.or_else(|| flag("isAddon"));
        fact.prerequisites = fact.prerequisites.take().or_else(|| skus(dynamic.get_any_case("prerequisiteSkus")?));
    }
    let dynamic = peek("dynamicAttributes").and_then(|dynamic| dynamic.get_any_case("upgradeTargetOffers"));
    let targets = peek("upgradeTargetOffers").or(dynamic).and_then(skus);
    fact.upgrade_targets = targets.map(|targets| targets.iter().map(|target| target.to_lowercase()).collect());
    fact.needs_attestation = peek("attestationProperties")
        .and_then(|properties| properties.get_any_case("enforceAttestation"))
        .and_then(Value::as_bool);
    for name in ["azureHybridBenefit", "tax"] {
        if let Some(value) = peek(name) {
            fact.attributes.insert(name.to_owned(), value.to_string());
        }
    }
    // A page to look at is a web page: nothing else is taken for one.
    let is_page = |text: &&str| text.starts_with("https://") || text.starts_with("http://");
    if let Some(page) = LANDING_PAGES.iter().filter_map(|name| text(name)).find(is_page) {
        fact.attributes.insert(ACTIVATION_LINK.to_owned(), Value::String(page.to_owned()).to_string());
    }
}

/// `P1Y`, or Partner Center's `term: 1, termUnitOfMeasure: "Year"`; 9999 months are no term.
fn term(row: &Value) -> Option<Span> {
    if let Some(text) = row.get_any_case("termDuration").and_then(Value::as_str) {
        return text.to_ascii_uppercase().parse().ok();
    }
    let count = row.get_any_case("term").and_then(field::integer).and_then(|count| u32::try_from(count).ok())?;
    let unit = row.get_any_case("termUnitOfMeasure")?.as_str()?.to_ascii_lowercase();
    match unit.trim_end_matches('s') {
        "year" if count < 100 => Some(Span::months(count.checked_mul(12)?)),
        "month" if count < 1200 => Some(Span::months(count)),
        "day" if count < 9999 => Some(Span::days(count)),
        _ => None,
    }
}

fn limit(fields: &mut Fields<'_>) -> Option<Option<Limit>> {
    let count = fields.count("limit");
    let unit = fields.word("limitUnitOfMeasure", &["none", "lifetime", "concurrent"]);
    let per = match unit.as_deref()? {
        "lifetime" => LimitUnit::Lifetime,
        // What is counted as subscriptions is counted while they are there.
        "concurrent" | "subscriptions" | "subscription" => LimitUnit::Concurrent,
        _ => return Some(None),
    };
    let count = u32::try_from(count.unwrap_or(1)).unwrap_or(u32::MAX);
    Some((count > 0).then_some(Limit { count, per }))
}

fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    let listed = value?.as_array()?;
    Some(listed.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// SKUs as `product:sku`, or as objects that name both.
fn skus(value: &Value) -> Option<Vec<String>> {
    let one = |sku: &Value| match sku.as_str() {
        Some(text) => Some(text.to_owned()),
        None => {
            let part = |name: &str| sku.get_any_case(name).and_then(Value::as_str);
            Some(format!("{}:{}", part("productId")?, part("skuId").or_else(|| part("id"))?))
        }
    };
    Some(value.as_array()?.iter().filter_map(one).collect())
}

fn cycles(value: &Value) -> Option<Vec<String>> {
    let words = value.as_array()?.iter().filter_map(|cycle| match cycle {
        Value::String(text) => Some(field::snake(text)),
        number => CYCLES.get(usize::try_from(number.as_i64()?).ok()?).map(|known| (*known).to_owned()),
    });
    Some(words.collect())
}

/// The terms of an availability: each with its length and how it is billed.
fn plans(terms: &[Value]) -> Vec<Plan> {
    let mut found: Vec<Plan> = Vec::new();
    for term in terms {
        let mut fields = Fields::of(term);
        let length = fields.span("duration").or_else(|| fields.span("termDuration"));
        let cycle = fields.word("billingCycle", &CYCLES).unwrap_or_else(|| "none".to_owned());
        let plan = Plan { term_duration: length, billing_cycle: cycle };
        if !found.contains(&plan) {
            found.push(plan);
        }
    }
    found
}

fn told_family(fact: &OfferFact) -> Option<&'static str> {
    let of_plans = fact.plans.as_ref().and_then(|plans| plans.iter().find_map(|plan| plan.term_duration));
    family::family(&Clues {
        product_type: fact.product_type.as_deref().unwrap_or_default(),
        offer_id: &fact.id,
        billing_type: fact.billing.as_deref().unwrap_or_default(),
        publisher: fact.publisher_name.as_deref().unwrap_or_default(),
        is_microsoft: fact.is_microsoft_product,
        term_duration: fact.term_duration.or(of_plans),
    })
}

/// The family that what is known of an item tells.
fn of_item(item: &Product) -> Option<&'static str> {
    let of_plans = item.plans.iter().find_map(|plan| plan.term_duration);
    family::family(&Clues {
        product_type: &item.product_type,
        offer_id: &item.id,
        billing_type: &item.billing,
        publisher: &item.publisher_name,
        is_microsoft: item.is_microsoft_product,
        term_duration: item.term_duration.or(of_plans),
    })
}

/// An item with everything the levels above it say, and the family that all of it tells: software is a subscription by
/// the terms of its availability, which the product does not know; that it is paid by use the product tells alone. What
/// the item's own row only let guess gives way.
#[must_use]
pub fn resolved(item: Product, above: &[Product]) -> Product {
    let is_guess =
        matches!(item.family.as_str(), "" | family::UNKNOWN) || of_item(&item).is_some_and(|told| told == item.family);
    let mut whole = above.iter().fold(item, Product::under);
    if is_guess && let Some(told) = of_item(&whole) {
        told.clone_into(&mut whole.family);
    }
    if whole.billing.is_empty() {
        family::billing_type(&whole.family).clone_into(&mut whole.billing);
    }
    whole
}

/// What a product becomes if the fact is so.
pub fn merge(existing: Option<&Product>, fact: &OfferFact, import: &Import) -> Merged<Product> {
    let fresh = existing.is_none();
    let blank = || Product { id: fact.id.clone(), family: family::UNKNOWN.to_owned(), ..Product::default() };
    let mut product = existing.cloned().unwrap_or_else(blank);
    let mut diff = Diff::of(import, fresh);
    diff.set("name", &mut product.name, fact.name.clone());
    diff.set("family", &mut product.family, fact.family.clone());
    diff.set("description", &mut product.description, fact.description.clone());
    diff.set("productType", &mut product.product_type, fact.product_type.clone());
    diff.set("publisherName", &mut product.publisher_name, fact.publisher_name.clone());
    diff.set("isMicrosoftProduct", &mut product.is_microsoft_product, fact.is_microsoft_product.map(Some));
    diff.set("billing", &mut product.billing, fact.billing.clone());
    diff.set("category", &mut product.category, fact.category.clone());
    diff.set("unitType", &mut product.unit_type, fact.unit_type.clone());
    diff.set("minimumQuantity", &mut product.minimum_quantity, fact.minimum_quantity.map(Some));
    diff.set("maximumQuantity", &mut product.maximum_quantity, fact.maximum_quantity.map(Some));
    diff.set("isTrial", &mut product.is_trial, fact.is_trial);
    diff.set("isAddOn", &mut product.is_add_on, fact.is_add_on);
    diff.set("hasAddOns", &mut product.has_add_ons, fact.has_add_ons);
    diff.set("prerequisiteOffers", &mut product.prerequisites, fact.prerequisites.clone());
    diff.set("conversionTargetOffers", &mut product.conversion_targets, fact.conversion_targets.clone());
    diff.set("upgradeTargetOffers", &mut product.upgrade_targets, fact.upgrade_targets.clone());
    diff.set("limit", &mut product.limit, fact.limit);
    diff.set("segments", &mut product.segments, fact.segments.clone());
    diff.set("supportedBillingCycles", &mut product.supported_billing_cycles, fact.supported_billing_cycles.clone());
    diff.set("billingCyclesFrom", &mut product.billing_cycles_from, fact.billing_cycles_from.clone());
    diff.set("terms", &mut product.plans, fact.plans.clone());
    diff.set("termDuration", &mut product.term_duration, fact.term_duration.map(Some));
    diff.set("isPurchasable", &mut product.is_purchasable, fact.is_purchasable.map(Some));
    diff.set("isInProgram", &mut product.is_in_program, fact.is_in_program.map(Some));
    diff.set("isTransactable", &mut product.is_transactable, fact.is_transactable.map(Some));
    diff.set("exclusiveTo", &mut product.exclusive_to, fact.exclusive_to.clone());
    diff.set("attestationProperties", &mut product.needs_attestation, fact.needs_attestation);
    // Every market has a document of its own, which does not know of the others.
    let mut countries = product.countries.clone();
    countries.extend(fact.countries.iter().filter(|code| !product.countries.contains(*code)).cloned());
    diff.set("countries", &mut product.countries, Some(countries));
    diff.extras(&mut product.attributes, &fact.attributes);
    diff.extras(&mut product.extra, &fact.extra);
    diff.merged(product)
}
