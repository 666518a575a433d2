//! Rows about changes inside a term: what the next term may have different, billing plans, and the end of what is paid
//! by use.

use serde::Deserialize;

use super::row::{DatedBy, Row, row};
use super::{Place, read};
use crate::domain::{Instant, Span};

/// Instructions for the next term.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// Whether the next term may be of another offer.
    #[serde(default)]
    pub offer: bool,
    /// Partner Center's code when refused.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// One change of the billing plan that is possible inside a term.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingPlanRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// The length of term it holds for.
    pub term: Span,
    /// The billing cycle before.
    pub before: String,
    /// The billing cycle after.
    pub after: String,
    /// More than this has to be left of the term when the new plan begins; none: anything.
    #[serde(default)]
    pub left: Option<Span>,
    /// First purchase it holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub from: Option<Instant>,
    /// First purchase it no longer holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub until: Option<Instant>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// The end of what is paid by use: at once, without credit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeprovisionRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// Upgrades inside a term: no window opens anew, and what goes over in part has its source's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpgradeRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// Partner Center's code when refused.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

row!(table ScheduleRule, "schedule", |row| {
    let offer = if row.offer { ", or another offer" } else { "" };
    format!("the next term may have other seats, another length or billing cycle{offer}")
});

row!(
    BillingPlanRule,
    "billing_plan",
    Purchase,
    |one, other| one.term == other.term && one.before == other.before && one.after == other.after,
    |row| {
        let left = row.left.map(|left| format!(", while more than {left} is left")).unwrap_or_default();
        format!("a term of {} billed {} may become billed {}{left}", row.term, row.before, row.after)
    }
);

row!(table DeprovisionRule, "deprovision", |_| "ends at once, without credit".to_owned());

row!(table UpgradeRule, "upgrade", |_| {
    "every seat becomes one of another offer under the same id, or some in a subscription of their own; no window opens anew".to_owned()
});
