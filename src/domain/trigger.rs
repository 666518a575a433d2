//! What sets scripts off: occurrences of schedules and inbound deliveries, as records.

use serde::{Deserialize, Serialize};

use super::{Id, Instant};

/// How a due instant of a schedule ended. Every due instant ends as exactly one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceState {
    /// Its subjects are being worked through; a restart goes on.
    Running,
    /// It ran.
    Ran,
    /// Its trigger was switched off or gone when it fell due.
    Skipped,
    /// A later due instant ran for it (catch-up `one`).
    Coalesced,
    /// It fell due outside the catch-up window, or catch-up is `skip`.
    Missed,
}

/// One due instant of one trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occurrence {
    /// The trigger: file and place in its `on` list, `scripts/nightly.rhai#0`.
    pub trigger: String,
    /// The due instant.
    pub due: Instant,
    /// When it was taken up.
    pub at: Instant,
    /// How it ended.
    pub state: OccurrenceState,
    /// Subjects done, for a trigger with `each`.
    #[serde(default)]
    pub subjects: u64,
    /// How many due instants a coalesced or missed row stands for.
    #[serde(default)]
    pub count: u64,
    /// The run, for a trigger without `each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Id>,
}

/// Where an inbound call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Accepted; at least one file still has to take it.
    Pending,
    /// Every file that takes it has run.
    Processed,
    /// No file takes its type.
    Ignored,
    /// Refused at the door, kept as a record (bad JSON behind a good signature).
    Rejected,
    /// A file failed on it five times.
    Dead,
}

/// What one file made of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// File and place of its trigger, `scripts/dunning.rhai#0`.
    pub trigger: String,
    /// Whether it has completed.
    pub done: bool,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Instant>,
    /// The runs, oldest first.
    #[serde(default)]
    pub runs: Vec<Id>,
    /// Why the last one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One inbound webhook call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// `dlv_...`.
    pub id: Id,
    /// The hook's name in `bursar.toml`.
    pub hook: String,
    /// The sender's id (`webhook-id`); unique per hook.
    pub webhook_id: String,
    /// `type` of the payload, or `EventName`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it was accepted.
    pub at: Instant,
    /// The sender's own timestamp.
    pub sent_at: Instant,
    /// Where it stands.
    pub state: DeliveryState,
    /// The body as it came (JSON text).
    pub body: String,
    /// BLAKE3 of the raw bytes: the same id with other bytes is refused.
    pub body_hash: String,
    /// What each file made of it.
    #[serde(default)]
    pub taken: Vec<Taken>,
}
