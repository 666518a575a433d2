//! Carts: what is about to be bought for a customer, line by line, until it is checked out or expires.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::ids::CartId;
use super::order::{LineError, Participant};
use super::{Currency, Instant, OrderId, Span, SubscriptionId, TenantId};

/// Where a cart stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CartStatus {
    /// It can be changed and checked out until it expires.
    Active,
    /// It was checked out.
    Ordered,
}

/// One line of a cart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartLine {
    /// Its number, unique in the cart, add-ons counted.
    pub id: u32,
    /// What is bought: an availability's `product:sku:availability`, or a legacy offer's id.
    pub catalog_item_id: String,
    /// The partner's name for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub friendly_name: String,
    /// Seats.
    pub quantity: i64,
    /// The currency of its price; none until the price list names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_code: Option<Currency>,
    /// `monthly`, `annual`, `triennial`, `one_time`, `none`; empty: the only one there is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub billing_cycle: String,
    /// Length of the term; none: the only one there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// A promotion's id, kept as it came.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub promotion_id: String,
    /// Others who take part: `transaction_reseller` and a partner's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<Participant>,
    /// What provisioning needs, as JSON text by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub provisioning_context: BTreeMap<String, String>,
    /// Lines of one group are placed in one order; lines billed differently never are.
    #[serde(default)]
    pub order_group: String,
    /// Add-ons bought for this line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addon_items: Vec<CartLine>,
    /// The base an add-on is bought for, where the customer has it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_subscription_id: Option<SubscriptionId>,
    /// Length of the terms after the first (a trial's, above all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews_to: Option<Span>,
    /// The last day of the first term, where it is to end with another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_term_end_date: Option<Instant>,
    /// Whether the buyer attests what the item asks for.
    #[serde(default)]
    pub attestation_accepted: bool,
    /// Why it could not be bought when the cart was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LineError>,
}

impl CartLine {
    /// The MPN id of the reseller who sells it to the customer, where one is named.
    pub fn reseller(&self) -> Option<&str> {
        let found = self.participants.iter().find(|participant| participant.key == "transaction_reseller");
        found.map(|participant| participant.value.as_str())
    }
}

/// A cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cart {
    /// Its id.
    pub id: CartId,
    /// Whose.
    pub tenant: TenantId,
    /// Moves with every change; the ETag.
    pub generation: u64,
    /// When it was made.
    #[serde(with = "crate::domain::calendar::wire")]
    pub creation_timestamp: Instant,
    /// When it was changed last.
    #[serde(with = "crate::domain::calendar::wire")]
    pub last_modified_timestamp: Instant,
    /// First instant too late to check it out; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::domain::calendar::wire::option")]
    pub expiration_timestamp: Option<Instant>,
    /// Who changed it last.
    pub last_modified_user: String,
    /// Where it stands.
    pub status: CartStatus,
    /// Its lines.
    pub line_items: Vec<CartLine>,
    /// The orders it became.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<OrderId>,
}

impl Cart {
    /// Every line, each base before its add-ons, with the base's number beside an add-on.
    pub fn lines(&self) -> Vec<(&CartLine, Option<u32>)> {
        let mut found = Vec::new();
        for line in &self.line_items {
            found.push((line, None));
            found.extend(line.addon_items.iter().map(|add_on| (add_on, Some(line.id))));
        }
        found
    }

    /// Whether it is too late to check it out.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expiration_timestamp.is_some_and(|at| at <= now)
    }

    /// Whether nothing can come of it any more and that is so since before an instant: it expired, or became orders.
    pub fn is_over(&self, before: Instant) -> bool {
        match self.status {
            CartStatus::Ordered => self.last_modified_timestamp < before,
            CartStatus::Active => self.expiration_timestamp.is_some_and(|at| at < before),
        }
    }

    /// Numbers the lines, add-ons counted.
    pub fn number(&mut self) {
        let mut next = 0;
        for line in &mut self.line_items {
            line.id = next;
            next += 1;
            for add_on in &mut line.addon_items {
                add_on.id = next;
                next += 1;
            }
        }
    }

    /// Puts lines that are billed alike into one group, unless they name one; an add-on is in its base's.
    pub fn group(&mut self) {
        let mut groups: Vec<(String, Option<Currency>)> = Vec::new();
        for line in &mut self.line_items {
            let alike = (line.billing_cycle.clone(), line.currency_code);
            let place = groups.iter().position(|known| *known == alike).unwrap_or_else(|| {
                groups.push(alike);
                groups.len() - 1
            });
            if line.order_group.is_empty() {
                line.order_group = place.to_string();
            }
            for add_on in line.addon_items.iter_mut().filter(|add_on| add_on.order_group.is_empty()) {
                add_on.order_group.clone_from(&line.order_group);
            }
        }
    }
}
