//! Orders as imported: what was bought, when, and for how much.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Instant, Money, OrderId, SubscriptionId, TenantId};

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// From zero.
    pub line_item_number: u32,
    /// What was bought.
    pub offer_id: String,
    /// The subscription it became, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<SubscriptionId>,
    /// The partner's name for it.
    #[serde(default)]
    pub friendly_name: String,
    /// Seats; zero once cancelled.
    pub quantity: i64,
    /// Price of one seat for one cycle, where the order tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// Everything the import did not know, as JSON text by field.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Partner Center's order id.
    pub id: OrderId,
    /// Whose.
    pub tenant: TenantId,
    /// When it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<Instant>,
    /// `monthly`, `annual`, `one_time`, ... as it came.
    #[serde(default)]
    pub billing_cycle: String,
    /// `completed`, `cancelled`, ... as it came.
    #[serde(default)]
    pub status: String,
    /// Its lines.
    pub line_items: Vec<OrderLine>,
    /// Everything the import did not know, as JSON text by field.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}
