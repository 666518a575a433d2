//! Who owes the rest of a term that cannot be cancelled any more, whatever becomes of the customer.

use serde::Deserialize;

use super::row::{DatedBy, Row, row};
use super::{Place, read};
use crate::domain::Instant;

/// What is not cancelled inside its window stays owed by the partner to the end of the term, also when the customer is
/// insolvent (INS).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiabilityRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First purchase or renewal it holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub from: Option<Instant>,
    /// First purchase or renewal it no longer holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub until: Option<Instant>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

row!(LiabilityRule, "liability", Purchase, |_, _| true, |_| {
    "the rest of the term stays owed by the partner, also when the customer is insolvent".to_owned()
});
