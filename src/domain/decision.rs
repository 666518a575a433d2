//! A decision: the answers of every policy file on one request, as they were given.

use serde::{Deserialize, Serialize};

use super::change::Amendments;
use super::request::{Otherwise, State};
use super::{Id, Instant, Kind, Quote, SubscriptionId, TenantId};

/// One recorded answer of a policy, from the loosest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The file recorded nothing.
    Abstain,
    /// Yes.
    Approve,
    /// A person has to look.
    Review,
    /// No.
    Deny,
}

impl Verdict {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Abstain => "abstain",
            Verdict::Approve => "approve",
            Verdict::Review => "review",
            Verdict::Deny => "deny",
        }
    }
}

/// What one file answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The file, `policies/renewal.rhai`.
    pub file: String,
    /// The hash of everything it used: the file, the lib files it names, the terms, the params.
    pub hash: String,
    /// The strictest answer it recorded.
    pub verdict: Verdict,
    /// Why: every reason it gave, in order.
    pub reasons: Vec<String>,
    /// What went wrong where, when the file failed: a sentence with file, line and column.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failure: String,
    /// Whether it was only asked to observe: recorded, never counted.
    #[serde(default)]
    pub observed: bool,
    /// What an approval amends.
    #[serde(default, skip_serializing_if = "Amendments::is_empty")]
    pub amendments: Amendments,
    /// The roles a review asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// When its review expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub expires_at: Option<Instant>,
    /// What happens then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
    /// Operations spent.
    #[serde(default)]
    pub operations: u64,
    /// What it printed, capped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// All files' answers on one request at one time, merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// `dec_...`.
    pub id: Id,
    /// The request.
    pub request: Id,
    /// Whose.
    pub tenant: TenantId,
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// The kind of change.
    pub kind: Kind,
    /// When it was decided.
    #[serde(with = "crate::domain::calendar::wire")]
    pub at: Instant,
    /// The sequence number of the snapshot that was seen.
    pub seen: u64,
    /// What the files answered, in the order of their paths.
    pub answers: Vec<Answer>,
    /// The strictest counted answer; `abstain` when none counted.
    pub verdict: Verdict,
    /// The kind's default, when all abstained: what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_default: Option<String>,
    /// The quote that the files saw.
    pub quote: Quote,
    /// What the request became.
    pub became: State,
}
