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
