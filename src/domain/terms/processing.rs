//! What may not change while a term's or a billing cycle's end is being processed, and how many changes there may be.

use serde::Deserialize;

use super::row::{DatedBy, Row, row};
use super::{Place, read};
use crate::domain::change::Kind;
use crate::domain::{Instant, Span};

/// Changes that are refused from the end of a term or billing cycle until it is renewed, charged or ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessingRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First act it holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub from: Option<Instant>,
    /// First act it no longer holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub until: Option<Instant>,
    /// The kinds of change it refuses.
    #[serde(default)]
    pub covers: Vec<Kind>,
    /// Whether the partner's own name for it is refused, too.
    #[serde(default)]
    pub names: bool,
    /// After how long trying again makes sense.
    pub retry_after: Span,
    /// Partner Center's code.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// The most changes of one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdatesRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// So many may be made, whoever makes them; one more is refused.
    pub most: u64,
    /// Partner Center's code.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

row!(
    ProcessingRule,
    "processing",
    Act,
    |one, other| one.covers.iter().any(|kind| other.covers.contains(kind)) || one.names && other.names,
    |row| {
        let mut what: Vec<&str> = row.covers.iter().map(|kind| kind.as_str()).collect();
        what.extend(row.names.then_some("names"));
        let what = what.join(", ");
        format!(
            "refused while the end of a term or billing cycle is processed, try again after {}: {what}",
            row.retry_after
        )
    }
);

row!(table UpdatesRule, "updates", |row| format!("at most {} changes of one subscription", row.most));
