//! What stands around a subscription: a change of one may depend on its base, on the customer's other holdings and on
//! the customer's account. Whoever asks has read them; nothing here does.

use super::upgrade::Upgrading;
use crate::domain::{Money, Subscription};

/// What a change looks at beside the subscription itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// The base, for an add-on.
    pub base: Option<Subscription>,
    /// The customer's other holdings, where an end is aligned to one of them.
    pub others: Vec<Subscription>,
    /// Least and most seats of the product, where the catalogue tells them.
    pub seats: (Option<i64>, Option<i64>),
    /// Days from the opening of the customer's account to its first billing period (S-ret).
    pub opening_days: i64,
    /// Price of a seat in a term of the length that extended ones have, where the price list has one (EST).
    pub extended_price: Option<Money>,
    /// Price of a seat in the next billing cycle, where that is planned otherwise than the present one and a price is
    /// known for it (INS).
    pub next_cycle_price: Option<Money>,
    /// The name of the offer that the change makes of it; none where it stays the same, or the catalogue has no name.
    pub offer_name: Option<String>,
    /// What an upgrade looks at.
    pub upgrading: Upgrading,
}

/// Nothing around.
pub(super) static ALONE: Around = Around {
    base: None,
    others: Vec::new(),
    seats: (None, None),
    opening_days: 0,
    extended_price: None,
    next_cycle_price: None,
    offer_name: None,
    upgrading: Upgrading { targets: Vec::new(), present: None },
};
