//! Products: what can be bought, as imported from legacy offers and from products, SKUs and availabilities.
//!
//! One record serves every level: a legacy offer by its GUID, a product by its id, a SKU by `product:sku`, an
//! availability by `product:sku:availability`, which is what a cart names. What a level does not say, the one above does.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Instant, Money, Refusal, Span, TenantId};

/// Whom something is sold to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Segment {
    /// Businesses.
    Commercial,
    /// Schools.
    Education,
    /// Governments.
    Government,
    /// Nonprofit organisations.
    Nonprofit,
}

impl Segment {
    /// Every segment.
    pub const ALL: [Segment; 4] = [Segment::Commercial, Segment::Education, Segment::Government, Segment::Nonprofit];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Segment::Commercial => "commercial",
            Segment::Education => "education",
            Segment::Government => "government",
            Segment::Nonprofit => "nonprofit",
        }
    }

    /// The segment a customer's qualification puts it in: commercial unless the qualification says otherwise.
    pub fn of_qualification(qualification: &str) -> Segment {
        match plain(qualification).as_str() {
            "education" => Segment::Education,
            "nonprofit" => Segment::Nonprofit,
            "governmentcommunitycloud" | "government" => Segment::Government,
            _ => Segment::Commercial,
        }
    }
}

impl FromStr for Segment {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let word = plain(text);
        Segment::ALL.into_iter().find(|segment| segment.as_str() == word).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            Refusal::new(
                "unknown_segment",
                format!("'{shown}' is no segment; there are commercial, education, government, nonprofit"),
            )
        })
    }
}

/// The letters of a word, small: `NonProfit`, `non_profit` and `Nonprofit` are one.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// What a limit on how often a customer may have something counts (O-one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitUnit {
    /// Whatever the customer ever had, cancelled too.
    Lifetime,
    /// What the customer has now, suspended too.
    Concurrent,
}

/// How often a customer may have something (O-one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// So many times.
    pub count: u32,
    /// What is counted.
    pub per: LimitUnit,
}

/// A plan that an availability offers: a term and how it is billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Length of the term; none for what is bought for good and for use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// `monthly`, `annual`, `triennial`, `one_time`, `none`.
    pub billing_cycle: String,
}

/// Something that can be bought, or a level above it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Partner Center's offer id or `product:sku:availability`; compared in lower case.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it is sold: the terms' family.
    pub family: String,
    /// A sentence about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Partner Center's `productType.id`, or the finer `targetView`, in lower snake case.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub product_type: String,
    /// The publisher.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub publisher_name: String,
    /// Whether Microsoft publishes it, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_microsoft_product: Option<bool>,
    /// `license`, `usage` or `none`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub billing: String,
    /// `enterprise`, `small_business`, `trial`, `nonprofit`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category: String,
    /// What is counted: `Licenses`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit_type: String,
    /// Least seats.
    #[serde(default)]
    pub minimum_quantity: Option<i64>,
    /// Most seats.
    #[serde(default)]
    pub maximum_quantity: Option<i64>,
    /// Whether it is a trial.
    #[serde(default)]
    pub is_trial: bool,
    /// Whether it is an add-on.
    #[serde(default)]
    pub is_add_on: bool,
    /// Whether it has add-ons.
    #[serde(default)]
    pub has_add_ons: bool,
    /// What an add-on needs one of: offers, or SKUs as `product:sku`, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<String>,
    /// What a trial converts to, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversion_targets: Vec<String>,
    /// What it may be upgraded to inside a term: offers, SKUs as `product:sku`, or products, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upgrade_targets: Vec<String>,
    /// How often a customer may have it; none: as often as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Whom it is sold to; empty: anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// ISO codes of the markets it is sold in; empty: every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Billing cycles it may have (`monthly`, `annual`).
    #[serde(default)]
    pub supported_billing_cycles: Vec<String>,
    /// First purchase that a billing cycle is offered for, by cycle.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub billing_cycles_from: BTreeMap<String, Instant>,
    /// Terms with their billing cycles, where the availability lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<Plan>,
    /// Length of its term, where there is one only (legacy offers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// Whether it can be bought now, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_purchasable: Option<bool>,
    /// Whether its publisher sells it through the programme, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_in_program: Option<bool>,
    /// Whether it is sold by the marketplace itself and not by its publisher alone, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_transactable: Option<bool>,
    /// Partners it is exclusive to, by their id; empty: it is for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusive_to: Vec<String>,
    /// Whether the buyer has to attest something.
    #[serde(default)]
    pub needs_attestation: bool,
    /// Attributes as they came, as JSON text by name: Azure Hybrid Benefit, `dynamicAttributes`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Everything the import did not know, as JSON text by field.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

impl Product {
    /// Whether it is of the legacy catalogue, named by an id of its own and not by product, SKU and availability.
    pub fn is_legacy(&self) -> bool {
        !self.id.contains(':') && self.product_type.is_empty()
    }

    /// Whether a cart can name it: a legacy offer or an availability; products and SKUs stand above those.
    pub fn is_item(&self) -> bool {
        self.is_legacy() || self.id.matches(':').count() == 2
    }

    /// The ids above this one, nearest first: of `p:s:a` those are `p:s` and `p`.
    pub fn ids_above(id: &str) -> impl Iterator<Item = &str> {
        std::iter::successors(id.rsplit_once(':').map(|(above, _)| above), |known| {
            known.rsplit_once(':').map(|(above, _)| above)
        })
    }

    /// This with what the level above says where this says nothing.
    #[must_use]
    pub fn under(mut self, above: &Product) -> Product {
        fn text(own: &mut String, theirs: &str) {
            if own.is_empty() {
                theirs.clone_into(own);
            }
        }
        fn list<T: Clone>(own: &mut Vec<T>, theirs: &[T]) {
            if own.is_empty() {
                own.extend_from_slice(theirs);
            }
        }
        text(&mut self.name, &above.name);
        text(&mut self.description, &above.description);
        text(&mut self.product_type, &above.product_type);
        text(&mut self.publisher_name, &above.publisher_name);
        text(&mut self.billing, &above.billing);
        text(&mut self.category, &above.category);
        text(&mut self.unit_type, &above.unit_type);
        list(&mut self.prerequisites, &above.prerequisites);
        list(&mut self.conversion_targets, &above.conversion_targets);
        list(&mut self.upgrade_targets, &above.upgrade_targets);
        list(&mut self.segments, &above.segments);
        list(&mut self.countries, &above.countries);
        list(&mut self.supported_billing_cycles, &above.supported_billing_cycles);
        list(&mut self.plans, &above.plans);
        list(&mut self.exclusive_to, &above.exclusive_to);
        if self.family.is_empty() || self.family == "unknown" {
            self.family.clone_from(&above.family);
        }
        self.is_microsoft_product = self.is_microsoft_product.or(above.is_microsoft_product);
        self.minimum_quantity = self.minimum_quantity.or(above.minimum_quantity);
        self.maximum_quantity = self.maximum_quantity.or(above.maximum_quantity);
        self.limit = self.limit.or(above.limit);
        self.term_duration = self.term_duration.or(above.term_duration);
        self.is_purchasable = self.is_purchasable.or(above.is_purchasable);
        self.is_in_program = self.is_in_program.or(above.is_in_program);
        self.is_transactable = self.is_transactable.or(above.is_transactable);
        self.is_trial |= above.is_trial;
        self.is_add_on |= above.is_add_on;
        self.has_add_ons |= above.has_add_ons;
        self.needs_attestation |= above.needs_attestation;
        for (cycle, from) in &above.billing_cycles_from {
            self.billing_cycles_from.entry(cycle.clone()).or_insert(*from);
        }
        if let (None, Some(kind)) = (self.extra.get("productType"), above.extra.get("productType")) {
            self.extra.insert("productType".to_owned(), kind.clone());
        }
        for (name, text) in &above.attributes {
            self.attributes.entry(name.clone()).or_insert_with(|| text.clone());
        }
        self
    }

    /// Whether a subscription's offer is this or lies below it, `p:s` above `p:s:a`.
    pub fn holds(known: &str, offer: &str) -> bool {
        let (known, offer) = (known.to_lowercase(), offer.to_lowercase());
        offer == known || (offer.starts_with(&known) && offer.as_bytes().get(known.len()) == Some(&b':'))
    }
}

/// The price of one seat for one billing cycle: what the partner pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// The product.
    pub product: String,
    /// Length of the term it is for; none for any.
    pub term_duration: Option<Span>,
    /// Billing cycle it is for; none for any.
    pub billing_cycle: Option<String>,
    /// The price.
    pub unit_price: Money,
    /// ISO code of the market it is for; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
    /// Segment it is for; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Segment>,
}

/// What the partner asks a customer for a seat of a product and one billing cycle, beside what it costs the partner
/// (PRICE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerPrice {
    /// The customer.
    pub tenant: TenantId,
    /// The product: an offer id, in lower case.
    pub product: String,
    /// Length of the term it is for; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// Billing cycle it is for; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cycle: Option<String>,
    /// The first day (UTC) it holds for; none: always, until one that is dated holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<chrono::NaiveDate>,
    /// The price; with the tax where prices contain it.
    pub unit_price: Money,
}

impl CustomerPrice {
    /// Whether it holds on a day.
    pub fn holds(&self, day: chrono::NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| from <= day)
    }

    /// How closely it fits a term and a cycle: three for both, two for the term, one for the cycle, zero for any; none
    /// where it is for others.
    pub fn fits(&self, term: Option<Span>, cycle: &str) -> Option<u8> {
        let by_term = match self.term_duration {
            None => 0,
            own if own == term => 2,
            Some(_) => return None,
        };
        match &self.billing_cycle {
            None => Some(by_term),
            Some(own) if own == cycle => Some(by_term + 1),
            Some(_) => None,
        }
    }
}
