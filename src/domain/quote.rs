//! What the terms say about a change at an instant.

use serde::{Deserialize, Serialize};

use super::{Instant, Money, Refusal};

/// When an allowed change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// At once.
    Now,
    /// At the instant in `effective_at` (a renewal at its term end).
    Later,
    /// Too late to end the term: auto-renew is switched off and the term runs out (ISVui).
    StopRenewal,
}

/// The terms' answer to a change at an instant: whether, until when, for how much, and which rule says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// Whether the terms allow it as asked.
    pub allowed: bool,
    /// The first instant that is too late; none when no window bounds it.
    #[serde(default, with = "crate::domain::calendar::wire::option")]
    pub allowed_until: Option<Instant>,
    /// What the customer would be charged now (positive); none when nothing is.
    pub charge: Option<Money>,
    /// What would be credited (positive); none when nothing is.
    pub refund: Option<Money>,
    /// What the partner owes until the term's end beyond what was charged, whatever becomes of the customer; none where
    /// the change is none that leaves it owing, or nothing is left (INS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outstanding: Option<Money>,
    /// The rule id that answered (`W7s`, `N7`, `S-who`).
    pub rule: String,
    /// A sentence for people.
    pub reason: String,
    /// When it takes effect.
    pub effect: Effect,
    /// The instant of the effect where it is `later`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub effective_at: Option<Instant>,
    /// Why not, when not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

impl Quote {
    /// The answer of a refusal: nothing is allowed, charged or given back.
    pub fn refused(refusal: Refusal) -> Quote {
        Quote {
            allowed: false,
            allowed_until: None,
            charge: None,
            refund: None,
            outstanding: None,
            rule: refusal.rule.clone().unwrap_or_default(),
            reason: refusal.message.clone(),
            effect: Effect::Now,
            effective_at: None,
            refusal: Some(refusal),
        }
    }
}
