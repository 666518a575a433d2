//! Cancellation, beside its windows.

use serde::Deserialize;

use crate::domain::change::Reason;

/// Cancellation, beside its windows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancellationRule {
    /// The rule on reasons.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// The reasons it may have.
    pub reasons: Vec<Reason>,
    /// The rule that refuses where there is no window.
    pub none: String,
    /// Partner Center's code for it.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
}
