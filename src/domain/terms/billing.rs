//! Billing: how an amount is cut to the minor unit.

use serde::Deserialize;

use crate::domain::ledger::ChargeType;

/// How an amount that does not come out even is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// The whole amount, cut off toward zero.
    #[default]
    TotalTrunc,
    /// The price of one seat, cut off toward zero, then times the seats.
    UnitTrunc,
    /// The whole amount, to the nearest.
    HalfUp,
}

/// Which charge types are cut how; a type that is not named is `total_trunc`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundingRules {
    /// The whole amount cut off.
    #[serde(default)]
    pub total_trunc: Vec<ChargeType>,
    /// The price of one seat cut off.
    #[serde(default)]
    pub unit_trunc: Vec<ChargeType>,
    /// The whole amount to the nearest.
    #[serde(default)]
    pub half_up: Vec<ChargeType>,
}
