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
    /// Partner Center's code where it is not possible.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
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
    /// Least seats.
    #[serde(default = "super::read::one")]
    pub minimum: i64,
    /// Most seats.
    #[serde(default = "super::read::million")]
    pub maximum: i64,
    /// Partner Center's code when refused.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
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
    /// How long it is expired before it is disabled.
    pub expired_for: Span,
    /// How much longer it is disabled when it was suspended at the term's end.
    pub suspended_for: Span,
    /// How long it is disabled before it is deleted.
    pub disabled_for: Span,
}

row!(RenewalRule, "renewal", Purchase, |_, _| true, |row| {
    if row.renews { "renews unless auto-renew is switched off" } else { "does not renew" }.to_owned()
});
