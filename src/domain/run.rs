//! Runs: one evaluation of a script's handler, and what it left.

use serde::{Deserialize, Serialize};

use super::{Id, Instant};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It returned; its effects are committed with this record.
    Completed,
    /// It failed; nothing but this record is left.
    Failed,
    /// It went over a limit; nothing but this record is left.
    LimitExceeded,
}

/// The record of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// `run_...`.
    pub id: Id,
    /// The file, `scripts/dunning.rhai`.
    pub file: String,
    /// Its hash.
    pub hash: String,
    /// The handler called.
    pub handler: String,
    /// What caused it (`dlv_...`, `schedule:FILE#0@INSTANT`, `cli`).
    pub cause: String,
    /// When it began, by the store's clock.
    pub at: Instant,
    /// The instant it was for.
    pub due: Instant,
    /// How it ended.
    pub ending: Ending,
    /// The failure's code and text (`limit_exceeded:memory`), with file, line and column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// What it changed, in order: request ids with their outcome, labels, messages.
    #[serde(default)]
    pub effects: Vec<String>,
    /// What it printed, capped at 16 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// Whether the output was cut.
    #[serde(default)]
    pub output_truncated: bool,
    /// Rhai operations spent.
    pub operations: u64,
    /// Wall time in microseconds; zero under a manual clock, so that a replay gives the same bytes.
    pub wall_micros: u64,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunError {
    /// Stable: `limit_exceeded:memory`, `function_not_found`, `type_error`, `currency_mismatch`, `not_found`, ...
    pub code: String,
    /// A sentence with the place.
    pub message: String,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column, from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}
