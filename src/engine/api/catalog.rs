//! The catalogue in scripts: products, what a tenant can be sold, and why something cannot be bought.

use rhai::{Array, Dynamic, Engine, Map};

use super::tenants::TenantValue;
use super::{or_nothing, selection};
use crate::domain::TenantId;
use crate::domain::catalog::eligibility::Hindrance;
use crate::domain::product::Product;
use crate::domain::selection::PRODUCTS;
use crate::engine::failure::{Api, over_limit, raise, raise_refusal};
use crate::engine::reference::{Function, Part, property};
use crate::engine::script_thread::with;
use crate::ops::offers::{self, Ask, Listed, Offer};
use crate::ops::{Work, catalog};

/// Rows read in one go.
const PAGE_ROWS: usize = 500;

/// A product as a script sees it: a value as read.
#[derive(Debug, Clone)]
pub struct ProductValue(pub Product);

/// An offer as one tenant sees it.
#[derive(Debug, Clone)]
pub struct OfferValue(Offer);

/// A reason why something cannot be bought.
#[derive(Debug, Clone)]
pub struct ReasonValue(Hindrance);

macro_rules! function {
    ($name:literal, [$($param:literal),*], $gives:literal, $doc:literal, $example:literal) => {
        Function { name: $name, params: &[$($param),*], gives: $gives, grant: "products.read", doc: $doc, example: $example }
    };
}

pub(super) const PART: Part = Part {
    title: "Catalogue",
    functions: &[
        function!(
            "products",
            ["selection: map"],
            "array of Product",
            "The products a selection holds; `is_item: true` for what can be bought.",
            r#"for product in products(#{ is_item: true, is_trial: false }) { print(product.name); }"#
        ),
        function!(
            "product",
            ["id: string"],
            "Product",
            "One product, SKU, availability or legacy offer by its id, with everything the levels above it say; `not_found` when there is none.",
            r#"for one in products(#{ is_item: true }) { print(product(one.id).family); }"#
        ),
        function!(
            "offers",
            ["tenant: Tenant", "filter: map"],
            "array of Offer",
            "What a tenant can be sold: `publisher` (microsoft, partner), `billing` (license, usage), `category`, `segment`, `limited`, `text`; `why: true` for the rest too, with the reasons; `base: id` for the add-ons of a subscription.",
            r#"for owner in tenants(#{ country: "NL" }) { for offer in owner.offers(#{ why: true }) { print(`${offer.product.name}: ${offer.purchasable}`); } }"#
        ),
        function!(
            "eligibility",
            ["product: Product", "tenant: Tenant"],
            "Offer",
            "Whether a tenant can buy it now, and every reason why not.",
            r#"for owner in tenants(#{ country: "NL" }) { for one in products(#{ is_item: true }) { for reason in one.eligibility(owner).reasons { print(`${reason.code}: ${reason.mend}`); } } }"#
        ),
    ],
    properties: &[
        property!("Product", "id", "string", "Partner Center's id"),
        property!("Product", "name", "string", "Its name"),
        property!("Product", "family", "string", "How it is sold: the terms' family"),
        property!("Product", "publisher_name", "string", "The publisher"),
        property!("Product", "billing", "string", "license, usage or none"),
        property!("Product", "category", "string", "enterprise, small_business, trial, nonprofit"),
        property!("Product", "minimum_quantity", "int?", "Least seats"),
        property!("Product", "maximum_quantity", "int?", "Most seats"),
        property!("Product", "is_trial", "bool", "Whether it is a trial"),
        property!("Product", "is_add_on", "bool", "Whether it is an add-on"),
        property!("Product", "is_limited", "bool", "Whether a customer may have only so many"),
        property!("Offer", "product", "Product", "The item"),
        property!("Offer", "purchasable", "bool", "Whether it can be bought now"),
        property!("Offer", "reasons", "array of Reason", "Every reason why it cannot be bought"),
        property!("Offer", "tax_included", "bool", "Whether its prices include tax in the customer's country"),
        property!(
            "Offer",
            "plans",
            "array of map",
            "term_duration, billing_cycle, unit_price and customer_price of each plan"
        ),
        property!("Reason", "code", "string", "Its stable code"),
        property!("Reason", "rule", "string", "The rule's id"),
        property!("Reason", "message", "string", "A sentence"),
        property!("Reason", "mend", "string", "How to mend it"),
        property!("Reason", "reactivate", "string?", "The suspended subscription to reactivate instead"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<ProductValue>("Product");
    engine.register_type_with_name::<OfferValue>("Offer");
    engine.register_type_with_name::<ReasonValue>("Reason");
    engine.register_fn("to_string", |product: &mut ProductValue| product.0.name.clone());
    engine.register_fn("to_debug", |product: &mut ProductValue| product.0.id.clone());
    engine.register_fn("to_string", |offer: &mut OfferValue| offer.0.item.name.clone());
    engine.register_fn("to_debug", |offer: &mut OfferValue| offer.0.item.id.clone());
    engine.register_fn("to_string", |reason: &mut ReasonValue| reason.0.message.clone());
    engine.register_fn("to_debug", |reason: &mut ReasonValue| reason.0.code);
    getters(engine);
    engine.register_fn("products", |map: Map| products(&map));
    engine.register_fn("product", |id: &str| with(|work| Ok(ProductValue(catalog::product(work, id)?))));
    engine.register_fn("offers", |tenant: &mut TenantValue, filter: Map| offers_of(tenant.0.id, &filter));
    engine.register_fn("eligibility", |product: &mut ProductValue, tenant: TenantValue| {
        let (id, tenant) = (product.0.id.clone(), tenant.0.id);
        with(|work| Ok(OfferValue(offers::offer(work, tenant, &id, &Ask::default())?)))
    });
}

fn getters(engine: &mut Engine) {
    engine.register_get("id", |product: &mut ProductValue| product.0.id.clone());
    engine.register_get("name", |product: &mut ProductValue| product.0.name.clone());
    engine.register_get("family", |product: &mut ProductValue| product.0.family.clone());
    engine.register_get("publisher_name", |product: &mut ProductValue| product.0.publisher_name.clone());
    engine.register_get("billing", |product: &mut ProductValue| product.0.billing.clone());
    engine.register_get("category", |product: &mut ProductValue| product.0.category.clone());
    engine.register_get("minimum_quantity", |product: &mut ProductValue| or_nothing(product.0.minimum_quantity));
    engine.register_get("maximum_quantity", |product: &mut ProductValue| or_nothing(product.0.maximum_quantity));
    engine.register_get("is_trial", |product: &mut ProductValue| product.0.is_trial);
    engine.register_get("is_add_on", |product: &mut ProductValue| product.0.is_add_on);
    engine.register_get("is_limited", |product: &mut ProductValue| product.0.limit.is_some());
    engine.register_get("product", |offer: &mut OfferValue| ProductValue(offer.0.item.clone()));
    engine.register_get("purchasable", |offer: &mut OfferValue| offer.0.reasons.is_empty());
    engine.register_get("tax_included", |offer: &mut OfferValue| offer.0.tax_included);
    engine.register_get("reasons", |offer: &mut OfferValue| -> Array {
        offer.0.reasons.iter().cloned().map(|reason| Dynamic::from(ReasonValue(reason))).collect()
    });
    engine.register_get("plans", |offer: &mut OfferValue| -> Array {
        offer.0.plans.iter().map(|plan| Dynamic::from_map(self::plan(plan))).collect()
    });
    engine.register_get("code", |reason: &mut ReasonValue| reason.0.code);
    engine.register_get("rule", |reason: &mut ReasonValue| reason.0.rule.clone());
    engine.register_get("message", |reason: &mut ReasonValue| reason.0.message.clone());
    engine.register_get("mend", |reason: &mut ReasonValue| reason.0.mend.clone());
    engine.register_get("reactivate", |reason: &mut ReasonValue| {
        or_nothing(reason.0.reactivate.map(|id| id.to_string()))
    });
}

pub(super) fn plan(plan: &offers::Priced) -> Map {
    let term = plan.offered.plan.term_duration.map(|length| length.to_string()).unwrap_or_default();
    let mut map = Map::new();
    map.insert("term_duration".into(), term.into());
    map.insert("billing_cycle".into(), plan.offered.plan.billing_cycle.clone().into());
    map.insert("unit_price".into(), or_nothing(plan.unit_price));
    map.insert("customer_price".into(), or_nothing(plan.customer_price));
    map
}

/// Every page of something, as far as the limit of rows allows.
pub(super) fn every<T>(
    mut page: impl FnMut(&mut Work, Option<&[u8]>, usize) -> crate::ops::Result<crate::store::records::Page<T>>,
    show: impl Fn(T) -> Dynamic,
) -> Api<Array> {
    let mut found = Array::new();
    let mut cursor: Option<Vec<u8>> = None;
    let limit = with(|work| Ok(work.settings.rows))?;
    loop {
        let read = with(|work| page(work, cursor.as_deref(), PAGE_ROWS))?;
        found.extend(read.items.into_iter().map(&show));
        if found.len() > limit {
            return Err(over_limit("rows"));
        }
        match read.next {
            None => return Ok(found),
            next => cursor = next,
        }
    }
}

fn products(map: &Map) -> Api<Array> {
    let selection = selection(&PRODUCTS, map)?;
    every(
        |work, after, limit| catalog::products(work, &selection, after, limit),
        |product| Dynamic::from(ProductValue(product)),
    )
}

fn offers_of(tenant: TenantId, filter: &Map) -> Api<Array> {
    let mut listed = Listed::default();
    for (name, value) in filter {
        let text = value.clone().into_string().or_else(|_| value.as_bool().map(|yes| yes.to_string()));
        let text = text.map_err(|_| raise("type_error", format!("{name} is text, true or false")))?;
        match name.as_str() {
            "why" => listed.why = text == "true",
            "base" => listed.base = Some(text.parse().map_err(|refusal| raise_refusal(&refusal))?),
            _ => listed.filter.set(name, &text).map_err(|refusal| raise_refusal(&refusal))?,
        }
    }
    every(
        |work, after, limit| offers::offers(work, tenant, &listed, after, limit),
        |offer| Dynamic::from(OfferValue(offer)),
    )
}
