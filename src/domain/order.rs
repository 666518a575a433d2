//! Orders: what was bought, when, and for how much; placed here or imported.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::ids::CartId;
use super::{Currency, Instant, Money, OrderId, Span, SubscriptionId, TenantId};

/// Somebody else who takes part in a purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// What they are in it: `transaction_reseller`.
    pub key: String,
    /// Their id in the programme.
    pub value: String,
}

/// Why a line was not bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineError {
    /// Ours: stable, snake_case.
    pub code: String,
    /// A sentence for people, with how to mend it.
    pub description: String,
    /// The rule's id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Partner Center's code of a cart's line.
    #[serde(default)]
    pub error_code: u32,
    /// Partner Center's code of the refusal, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_center_code: Option<u32>,
    /// The suspended subscription to reactivate instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactivate: Option<SubscriptionId>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// From zero.
    pub line_item_number: u32,
    /// What was bought.
    pub offer_id: String,
    /// The subscription it became, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<SubscriptionId>,
    /// The base of an add-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_subscription_id: Option<SubscriptionId>,
    /// The partner's name for it.
    #[serde(default)]
    pub friendly_name: String,
    /// Seats; zero once cancelled.
    pub quantity: i64,
    /// Length of the term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// Length of the terms after the first, where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews_to: Option<Span>,
    /// The last day of the first term, where it ends with another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_term_end_date: Option<Instant>,
    /// `new`, `renew`, `addQuantity`, ... as Partner Center says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub transaction_type: String,
    /// A promotion's id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub promotion_id: String,
    /// Price of one seat for one cycle, where the order tells it: what the partner pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// What this customer is asked for instead, where the partner set it (PRICE).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_price: Option<Money>,
    /// The reseller who took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_id_on_record: Option<String>,
    /// What provisioning needs, as JSON text by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub provisioning_context: BTreeMap<String, String>,
    /// Whether the buyer attested what the item asks for.
    #[serde(default)]
    pub attestation_accepted: bool,
    /// Why it was not bought, where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LineError>,
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
    /// Moves with every change made here; the ETag.
    #[serde(default)]
    pub generation: u64,
    /// When it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<Instant>,
    /// `monthly`, `annual`, `one_time`, ... as it came.
    #[serde(default)]
    pub billing_cycle: String,
    /// Its currency, where it was placed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_code: Option<Currency>,
    /// `pending`, `completed`, `partial_success`, `cancelled`, `error`, ... as it came.
    #[serde(default)]
    pub status: String,
    /// `UserPurchase`, where it was placed here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub transaction_type: String,
    /// The cart it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart: Option<CartId>,
    /// Its lines.
    pub line_items: Vec<OrderLine>,
    /// Everything the import did not know, as JSON text by field.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

impl Order {
    /// The line that became a subscription.
    pub fn line_of(&self, subscription: SubscriptionId) -> Option<&OrderLine> {
        self.line_items.iter().find(|line| line.subscription_id == Some(subscription))
    }

    /// Where the order stands, told from its lines: pending while one is, then completed, cancelled when every line was
    /// bought and cancelled, in error when none was bought.
    pub fn settled(&self, is_pending: impl Fn(&OrderLine) -> bool) -> &'static str {
        let failed = self.line_items.iter().filter(|line| line.error.is_some()).count();
        let gone = self.line_items.iter().filter(|line| line.quantity == 0).count();
        if self.line_items.iter().any(|line| line.quantity > 0 && is_pending(line)) {
            return "pending";
        }
        match self.line_items.len() {
            all if all == failed => "error",
            all if all == gone => "cancelled",
            _ if failed > 0 => "partial_success",
            _ => "completed",
        }
    }
}
