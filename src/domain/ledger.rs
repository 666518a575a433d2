//! Ledger lines: what is owed. Append only; a correction is a new line.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Currency, Id, Instant, SubscriptionId, TenantId};

/// Partner Center's charge types that Bursar writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChargeType {
    /// The first charge of a purchase.
    New,
    /// A new term.
    Renew,
    /// A further billing cycle of a term.
    CycleCharge,
    /// More seats.
    AddQuantity,
    /// Fewer seats.
    RemoveQuantity,
    /// The credit of a cancellation.
    CancelImmediate,
    /// A trial or a plan that becomes another.
    Convert,
    /// Another billing plan.
    ChangeBillingPlan,
    /// A credit for other reasons.
    CustomerCredit,
}

impl ChargeType {
    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ChargeType::New => "new",
            ChargeType::Renew => "renew",
            ChargeType::CycleCharge => "cycleCharge",
            ChargeType::AddQuantity => "addQuantity",
            ChargeType::RemoveQuantity => "removeQuantity",
            ChargeType::CancelImmediate => "cancelImmediate",
            ChargeType::Convert => "convert",
            ChargeType::ChangeBillingPlan => "changeBillingPlan",
            ChargeType::CustomerCredit => "customerCredit",
        }
    }
}

/// A line as the pure core computes it, before it has an id and a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The charge type.
    pub kind: ChargeType,
    /// Seats; negative on the wiping half of a seat change.
    pub quantity: i64,
    /// Price of one seat for one whole cycle.
    pub unit_price: Decimal,
    /// What is owed: positive is a charge, negative a credit; cut to the minor unit.
    pub amount: Decimal,
    /// The currency.
    pub currency: Currency,
    /// First instant of the span charged.
    pub period_start: Instant,
    /// First instant after it.
    pub period_end: Instant,
    /// The rule that computed it.
    pub rule: String,
    /// The line it takes back, by id.
    pub reverses: Option<String>,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Its place: the sequence number of its commit and its ordinal there, `1234.0`. Unset (empty) until it is read back.
    #[serde(default)]
    pub id: String,
    /// When.
    #[serde(with = "crate::domain::calendar::wire")]
    pub at: Instant,
    /// Sequence number of its commit; zero until it is read back.
    #[serde(default)]
    pub seq: u64,
    /// Whose.
    pub tenant: TenantId,
    /// For which subscription.
    pub subscription: SubscriptionId,
    /// The request that caused it; none for a billing cycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Id>,
    /// The charge type.
    pub kind: ChargeType,
    /// Seats.
    pub quantity: i64,
    /// Price of one seat for one whole cycle.
    pub unit_price: Decimal,
    /// Positive is a charge, negative a credit.
    pub amount: Decimal,
    /// The currency.
    pub currency: Currency,
    /// First instant of the span charged.
    #[serde(with = "crate::domain::calendar::wire")]
    pub period_start: Instant,
    /// First instant after it.
    #[serde(with = "crate::domain::calendar::wire")]
    pub period_end: Instant,
    /// The rule that computed it.
    pub rule: String,
    /// The line it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<String>,
}
