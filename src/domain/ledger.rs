//! Ledger lines: what is owed. Append only; a correction is a new line.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Currency, Id, Instant, Money, OrderId, Span, SubscriptionId, TenantId};

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
    /// A month after the term (EST).
    ExtendTerm,
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
            ChargeType::ExtendTerm => "extendTerm",
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
    /// What is owed by the price as it is told (with the tax it contains, where it does): positive is a charge, negative
    /// a credit; cut to the minor unit.
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

/// Partner Center's word for which invoice a line stands on, and in which shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingProvider {
    /// New commerce, software and marketplace: `OneTimeInvoiceLineItem`.
    #[default]
    OneTime,
    /// Licences before new commerce: `LicenseBasedLineItem`.
    Office,
}

impl BillingProvider {
    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            BillingProvider::OneTime => "one_time",
            BillingProvider::Office => "office",
        }
    }

    fn is_one_time(&self) -> bool {
        *self == BillingProvider::OneTime
    }
}

/// What a line is about, as it was when the line was written: what an invoice shows and nobody could join later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which invoice it stands on.
    #[serde(default, skip_serializing_if = "BillingProvider::is_one_time")]
    pub billing_provider: BillingProvider,
    /// The order that started the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// When it was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub order_date: Option<Instant>,
    /// Legacy offer GUID or `product:sku:availability`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub offer_id: String,
    /// The offer's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub offer_name: String,
    /// The partner's name for the subscription.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub friendly_name: String,
    /// The publisher.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub publisher_name: String,
    /// Length of a term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_duration: Option<Span>,
    /// `monthly`, `annual`, ...
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub billing_cycle: String,
    /// First instant of the term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub term_start: Option<Instant>,
    /// First instant after the term; none without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub term_end: Option<Instant>,
    /// The customer's country: what the tax went by.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub country: String,
    /// Whether it is a trial.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_trial: bool,
    /// Whether it is an add-on of another subscription.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_add_on: bool,
    /// The MPN id of the reseller who sold it, where one is named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub partner_id: String,
}

/// The tax of a line (TAX).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineTax {
    /// What is owed beside the amount; of the amount's sign.
    pub amount: Decimal,
    /// The rate in percent.
    pub percent: Decimal,
    /// The row of the tax file.
    pub rule: String,
    /// Whether the price contained it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_included: bool,
}

/// What the customer pays for what the line costs the partner (PRICE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerCharge {
    /// The customer's price of one seat for one whole cycle.
    pub unit_price: Money,
    /// What the customer owes before tax, in that currency.
    pub amount: Decimal,
    /// The tax on it.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub tax: Decimal,
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
    /// What it costs the partner before tax: positive is a charge, negative a credit.
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
    /// The line it takes back; stored as `.0` where that is one of the same commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<String>,
    /// The tax on the amount; none where no rate is known, which is no tax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<LineTax>,
    /// What the customer pays, where the partner has set a price for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_customer_price: Option<CustomerCharge>,
    /// What it is about, as it was then.
    #[serde(default)]
    pub item: Item,
}

impl Line {
    /// Gives a line that was read its place, and one that takes back another of the same commit that one's id.
    pub fn stamp(&mut self, seq: u64, ordinal: usize) {
        self.seq = seq;
        self.id = format!("{seq}.{ordinal}");
        if let Some(own) = self.reverses.as_deref().and_then(|id| id.strip_prefix('.')) {
            self.reverses = Some(format!("{seq}.{own}"));
        }
    }

    /// The tax on the amount; nothing where no rate is known.
    pub fn tax_amount(&self) -> Decimal {
        self.tax.as_ref().map_or(Decimal::ZERO, |tax| tax.amount)
    }

    /// Amount and tax together.
    pub fn total(&self) -> Decimal {
        self.amount.saturating_add(self.tax_amount())
    }

    /// What the partner keeps of what the customer pays, before tax; none without a price in the same currency.
    pub fn margin(&self) -> Option<Decimal> {
        let price = self.at_customer_price.as_ref().filter(|price| price.unit_price.currency == self.currency)?;
        Some(price.amount.saturating_sub(self.amount))
    }
}
