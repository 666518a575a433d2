//! A request: a change that somebody or something proposed, with who, why, the quote and the answer.

use serde::{Deserialize, Serialize};

use super::change::Amendments;
use super::{Change, Id, Instant, Kind, Principal, Quote, Refusal, SubscriptionId, TenantId};

/// Where a request stands. `waiting` and `scheduled` are open; the others are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A person has to answer.
    Waiting,
    /// Approved for a later instant.
    Scheduled,
    /// Done.
    Applied,
    /// A policy or a person said no.
    Denied,
    /// The terms said no.
    Refused,
    /// Its proposer took it back.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
    /// The machine failed to apply it.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [State; 8] = [
        State::Waiting,
        State::Scheduled,
        State::Applied,
        State::Denied,
        State::Refused,
        State::Withdrawn,
        State::Expired,
        State::Failed,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Scheduled => "scheduled",
            State::Applied => "applied",
            State::Denied => "denied",
            State::Refused => "refused",
            State::Withdrawn => "withdrawn",
            State::Expired => "expired",
            State::Failed => "failed",
        }
    }

    /// Whether it still waits for something.
    pub fn is_open(self) -> bool {
        matches!(self, State::Waiting | State::Scheduled)
    }
}

/// What happens to a request that nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It is approved.
    Approve,
    /// It just expires: nothing changes.
    Expire,
    /// It is denied (a denied renewal switches auto-renew off). The strictest.
    Deny,
}

/// What caused something: the run, occurrence, delivery, call or timer, as text (`dlv_...`, `schedule:...`, `http:...`).
pub type Cause = String;

/// Who answered a request that waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ruling {
    /// Who.
    pub by: Principal,
    /// When.
    #[serde(with = "crate::domain::calendar::wire")]
    pub at: Instant,
    /// Whether it was approved.
    pub approved: bool,
    /// Their words.
    #[serde(default)]
    pub note: String,
}

/// What is known of the change at Partner Center.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upstream {
    /// Told, or to be told; not seen there yet.
    Pending,
    /// The last import shows it.
    Confirmed,
    /// The last import shows something else.
    Differs,
}

impl Upstream {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Upstream::Pending => "pending",
            Upstream::Confirmed => "confirmed",
            Upstream::Differs => "differs",
        }
    }
}

/// A proposed change and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `req_...`.
    pub id: Id,
    /// Whose.
    pub tenant: TenantId,
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// The kind of change, for selections.
    pub kind: Kind,
    /// What exactly is asked.
    pub change: Change,
    /// Where it stands.
    pub state: State,
    /// Moves with every change of this request; the ETag.
    pub generation: u64,
    /// The subscription's generation the quote was made on.
    pub subscription_generation: u64,
    /// The tenant's generation then; a scheduled renewal is asked about once more when either has moved.
    #[serde(default)]
    pub tenant_generation: u64,
    /// Who proposed it.
    pub proposed_by: Principal,
    /// Who set off the script that proposed it, when somebody ran that by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_off_by: Option<Principal>,
    /// Whether its proposer may only ask: then a person answers it, whatever policies say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_only: bool,
    /// Why, in their words.
    pub why: String,
    /// What caused it.
    pub cause: Cause,
    /// When.
    #[serde(with = "crate::domain::calendar::wire")]
    pub proposed_at: Instant,
    /// What the terms said when it was last decided.
    pub quote: Quote,
    /// Reasons of every recorded answer, strictest first.
    pub reasons: Vec<String>,
    /// The decisions on it, oldest first.
    pub decisions: Vec<Id>,
    /// Roles that a review asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// What approvals changed about it.
    #[serde(default, skip_serializing_if = "Amendments::is_empty")]
    pub amendments: Amendments,
    /// When a waiting request stops waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub expires_at: Option<Instant>,
    /// What happens then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Otherwise>,
    /// When a scheduled request takes effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub scheduled_for: Option<Instant>,
    /// Who answered it, when a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
    /// When it reached its final state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub closed_at: Option<Instant>,
    /// The refusal, where the terms refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// What Partner Center is known to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// The support request that has to be answered first (C-esc).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<Id>,
}

/// What proposing answered, as scripts and clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Applied,
    /// Will be done at its instant.
    Scheduled,
    /// A person has to answer.
    Waiting,
    /// A policy said no.
    Denied,
    /// The terms said no.
    Refused,
    /// It changes nothing; nobody was asked.
    Unchanged,
}

impl Outcome {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::Scheduled => "scheduled",
            Outcome::Waiting => "waiting",
            Outcome::Denied => "denied",
            Outcome::Refused => "refused",
            Outcome::Unchanged => "unchanged",
        }
    }
}
