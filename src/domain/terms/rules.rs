//! Rules beside windows: how a term ends, renewal, suspension, seats, and what follows a term.

use serde::Deserialize;

use super::Place;
use super::row::{DatedBy, Row, row};
use crate::domain::change::Reason;
use crate::domain::{Instant, Span};

/// How a term's end is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermEnd {
    /// The last day counts whole; the next term begins at 00:00Z of the day after.
    #[default]
    InclusiveDay,
    /// To the second.
    Exact,
}

/// Whether subscriptions bought in a span of dates renew.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First purchase it holds for.
    #[serde(default, deserialize_with = "super::read::date")]
    pub from: Option<Instant>,
    /// First purchase it no longer holds for.
    #[serde(default, deserialize_with = "super::read::date")]
    pub until: Option<Instant>,
    /// Whether it renews, unless auto-renew is switched off.
    pub renews: bool,
    /// Whether the partner may switch auto-renew.
    #[serde(default = "super::read::yes")]
    pub switchable: bool,
    /// Partner Center's code when it does not.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// Suspension.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspensionRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// Whether it is possible.
    pub allowed: bool,
    /// The reasons it may have.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// Whether billing cycles go on while it lasts.
    #[serde(default)]
    pub billing_continues: bool,
    /// Data is deleted at the end of this day after the suspension (counted in whole UTC days); none: at the term's end.
    #[serde(default)]
    pub delete_after: Option<Span>,
    /// The most days of that with the days from opening the account to the first billing period added (S-ret); none:
    /// nothing is added.
    #[serde(default)]
    pub delete_after_max: Option<Span>,
    /// Whether it stays suspended when its term ends; else it is disabled then.
    #[serde(default)]
    pub outlasts_term: bool,
    /// What comes back of the billing cycle, where billing stops.
    #[serde(default)]
    pub refund: Option<SuspensionRefund>,
    /// Partner Center's code where it is not possible.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// What a suspension that stops billing gives back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspensionRefund {
    /// The rule's id.
    pub rule: String,
    /// Everything comes back when suspended within this time of the purchase; later the rest of the cycle.
    pub full_within: Span,
}

/// When seats may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At any time.
    AnyTime,
    /// While the window of those seats is open.
    Window,
    /// Not at all.
    Never,
}

/// What a change of seats wipes and charges anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatCharge {
    /// The rest of the billing cycle, from the day of the change.
    #[default]
    RestOfCycle,
    /// Everything since the last change inside the cycle: the days before with the old seats, the rest with the new.
    WholeCycle,
}

/// Seats.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantityRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// When there may be more.
    pub increase: When,
    /// When there may be fewer.
    pub decrease: When,
    /// What a change of seats charges anew.
    #[serde(default)]
    pub charged: SeatCharge,
    /// Least seats.
    #[serde(default = "super::read::one")]
    pub minimum: i64,
    /// Most seats.
    #[serde(default = "super::read::million")]
    pub maximum: i64,
    /// Partner Center's code when refused.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// What follows a term that was not renewed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AfterTerm {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// Whether a term that is not renewed leaves it suspended and not expired.
    #[serde(default)]
    pub suspends: bool,
    /// How long it is expired before it is disabled.
    pub expired_for: Span,
    /// How much longer it is disabled when it was suspended at the term's end.
    pub suspended_for: Span,
    /// How long it is disabled before it is deleted.
    pub disabled_for: Span,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

row!(RenewalRule, "renewal", Purchase, |_, _| true, |row| {
    if row.renews { "renews unless auto-renew is switched off" } else { "does not renew" }.to_owned()
});

row!(table SuspensionRule, "suspension", |row| {
    if !row.allowed {
        return "not possible".to_owned();
    }
    let billing = if row.billing_continues { "billing goes on" } else { "billing stops" };
    let billing = match &row.refund {
        Some(refund) => format!("{billing} ({}: everything comes back within {}, later the rest of the cycle)", refund.rule, refund.full_within),
        None => billing.to_owned(),
    };
    let kept = row.delete_after.map_or_else(
        || "data is kept to the end of the term and after".to_owned(),
        |span| format!("data is deleted {span} later"),
    );
    format!("access is off, {billing}, {kept}")
});

row!(table QuantityRule, "quantity", |row| {
    let when = |when: When| match when {
        When::AnyTime => "at any time",
        When::Window => "while their window is open",
        When::Never => "never",
    };
    let (more, fewer) = (when(row.increase), when(row.decrease));
    format!("more seats {more}, fewer {fewer}; {} to {}", row.minimum, row.maximum)
});

row!(table AfterTerm, "after_term", |row| {
    let (expired, disabled) = (row.expired_for, row.disabled_for);
    format!("expired for {expired} (disabled for {} if suspended), disabled for {disabled}, then deleted", row.suspended_for)
});
