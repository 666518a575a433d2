//! Products: what can be bought, as imported from offers and catalogues.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A product or legacy offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Partner Center's offer id or `product:sku:availability`; compared in lower case.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it is sold: the terms' family.
    pub family: String,
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
    /// Billing cycles it may have (`monthly`, `annual`).
    #[serde(default)]
    pub supported_billing_cycles: Vec<String>,
    /// Everything the import did not know, as JSON text by field.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

/// The price of one seat for one billing cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// The product.
    pub product: String,
    /// Length of the term it is for; none for any.
    pub term_duration: Option<super::Span>,
    /// Billing cycle it is for; none for any.
    pub billing_cycle: Option<String>,
    /// The price.
    pub unit_price: super::Money,
}

/// What the partner asks a customer for a seat of a product and one billing cycle, beside what it costs the partner
/// (PRICE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerPrice {
    /// The customer.
    pub tenant: super::TenantId,
    /// The product: an offer id, in lower case.
    pub product: String,
    /// Length of the term it is for; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<super::Span>,
    /// Billing cycle it is for; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cycle: Option<String>,
    /// The price; with the tax where prices contain it.
    pub unit_price: super::Money,
}

impl CustomerPrice {
    /// How closely it fits a term and a cycle: three for both, two for the term, one for the cycle, zero for any; none
    /// where it is for others.
    pub fn fits(&self, term: Option<super::Span>, cycle: &str) -> Option<u8> {
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
