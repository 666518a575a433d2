//! Rows about changes inside a term: what the next term may have different, billing plans, and the end of what is paid
//! by use.

use serde::Deserialize;

use super::read;
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
}
