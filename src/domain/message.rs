//! Outbound messages: rows of the outbox. Nothing leaves the process inside a run.

use serde::{Deserialize, Serialize};

use super::{Id, Instant, SubscriptionId, TenantId};

/// Where the delivery of a message to one endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be sent, at once or again.
    Pending,
    /// The endpoint answered 2xx.
    Sent,
    /// Every attempt failed.
    Dead,
}

/// One attempt to send a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When.
    #[serde(with = "crate::domain::calendar::wire")]
    pub at: Instant,
    /// The status answered; none when there was no answer.
    pub status: Option<u16>,
    /// What went wrong, bounded.
    pub error: Option<String>,
}

/// One endpoint's copy of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addressee {
    /// The endpoint's name in `bursar.toml`.
    pub endpoint: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// The next attempt, while pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(with = "crate::domain::calendar::wire::option")]
    pub next_attempt_at: Option<Instant>,
    /// What was tried.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// A message to whoever subscribed to its topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// `msg_...`; the webhook id.
    pub id: Id,
    /// Dotted, `subscription.renewed`.
    pub topic: String,
    /// When it was written.
    #[serde(with = "crate::domain::calendar::wire")]
    pub at: Instant,
    /// Whose, where it is about a tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// About which subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// The request it tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Id>,
    /// The payload's `data`, as JSON text.
    pub data: String,
    /// Who gets it. Empty when no endpoint subscribed to the topic.
    #[serde(default)]
    pub addressees: Vec<Addressee>,
}
