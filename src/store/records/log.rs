//! The log: one packed record a transaction, keyed by its sequence. It holds decisions, ledger lines and activity,
//! and for each subscription touched the sequence of the record before, so that a subscription's story is a walk
//! back from its narrow row and needs no index.

use serde::{Deserialize, Serialize};

use super::{Result, Tx, decode, encode};
use crate::domain::audit::changes::FieldChange;
use crate::domain::decision::Decision;
use crate::domain::ledger::Line;
use crate::domain::{Id, Instant, Principal, SubscriptionId, TenantId};
use crate::store::tables::{DECISIONS, LOG};
use crate::store::{Error, Row};

/// Something that was done, for the activity log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// When.
    #[serde(with = "crate::domain::calendar::wire")]
    pub at: Instant,
    /// By whom.
    pub by: Principal,
    /// What caused it; stored once for all of a record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// What was done (`subscription.renewed`, `request.denied`, `import`, ...).
    pub operation: String,
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// On which subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// Through which request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Id>,
    /// A sentence.
    #[serde(default)]
    pub note: String,
    /// What it made of the subscription's fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<FieldChange>,
    /// What came of it that is no subscription, as Partner Center's JSON: the order that was placed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub made: String,
}

/// What one transaction left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Decisions.
    #[serde(default)]
    pub decisions: Vec<Decision>,
    /// Ledger lines.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Activity.
    #[serde(default)]
    pub activity: Vec<Activity>,
    /// Requests written.
    #[serde(default)]
    pub requests: Vec<Id>,
    /// Each subscription touched, with the sequence of its record before this one (zero: none).
    #[serde(default)]
    pub before: Vec<(SubscriptionId, u64)>,
}

impl Record {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Record::default()
    }

    /// When it was left, where anything in it says so.
    pub fn instant(&self) -> Option<Instant> {
        let activity = self.activity.first().map(|activity| activity.at);
        let decision = self.decisions.first().map(|decision| decision.at);
        activity.or(decision).or(self.lines.first().map(|line| line.at))
    }

    fn stamp(mut self, seq: u64) -> Self {
        for (ordinal, line) in self.lines.iter_mut().enumerate() {
            line.stamp(seq, ordinal);
        }
        if let Some((first, others)) = self.activity.split_first_mut() {
            for other in others.iter_mut().filter(|other| other.cause.is_empty()) {
                other.cause.clone_from(&first.cause);
            }
        }
        self
    }
}

/// Leaves the record; the store stamps its sequence at commit.
///
/// # Errors
/// What the store answers.
pub fn append(tx: &mut Tx, record: &mut Record) -> Result<()> {
    if let Some((first, others)) = record.activity.split_first_mut() {
        for other in others.iter_mut().filter(|other| other.cause == first.cause) {
            other.cause.clear();
        }
    }
    for decision in &record.decisions {
        tx.put_new(&DECISIONS, &decision.id.bytes(), Vec::new())?;
    }
    let bytes = encode(&LOG, &[], record)?;
    tx.append(&LOG, bytes)
}

fn key_of(seq: u64) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

fn range_of(seq: u64) -> (std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>) {
    super::keys::prefix_range(&key_of(seq), None)
}

/// The record of a sequence.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn at(tx: &mut Tx, seq: u64) -> Result<Option<Record>> {
    let rows = tx.scan(&LOG, range_of(seq), 1, false)?;
    rows.first().map(|(key, row)| Ok(decode::<Record>(&LOG, key, &row.bytes)?.stamp(seq))).transpose()
}

/// A page of records by sequence: newer than `after`, oldest first; or, in reverse, older than `after`, newest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, after: Option<u64>, reverse: bool, limit: usize) -> Result<Vec<(u64, Record)>> {
    use std::ops::Bound;
    let range = match (after, reverse) {
        (None, _) => (Bound::Unbounded, Bound::Unbounded),
        (Some(seq), false) => (Bound::Included(key_of(seq.saturating_add(1))), Bound::Unbounded),
        (Some(seq), true) => (Bound::Unbounded, Bound::Excluded(key_of(seq))),
    };
    let rows = tx.scan(&LOG, range, limit, reverse)?;
    let mut found = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        let seq = key.get(..8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let seq = seq.ok_or_else(|| Error::corrupt(LOG.name, &key))?;
        found.push((seq, decode::<Record>(&LOG, &key, &row.bytes)?.stamp(seq)));
    }
    Ok(found)
}

/// The first record that is later than an instant; none when none is. Instants of records never go back by more than the
/// length of a run, so this halves the span of sequences: allow for that.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn first_after(tx: &mut Tx, at: Instant) -> Result<Option<u64>> {
    let later = |record: &Record| record.instant().is_some_and(|instant| instant > at);
    let Some((last, record)) = page(tx, None, true, 1)?.pop() else { return Ok(None) };
    if !later(&record) {
        return Ok(None);
    }
    // What is up to `low` is not later; what is from `high` on is.
    let (mut low, mut high) = (0, last);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        match page(tx, Some(middle - 1), false, 1)?.pop() {
            Some((seq, record)) if seq < high && !later(&record) => low = seq,
            _ => high = middle,
        }
    }
    Ok(Some(high))
}

/// One decision.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn decision(tx: &mut Tx, id: Id) -> Result<Option<Decision>> {
    let Some(Row { seq, .. }) = tx.get(&DECISIONS, &id.bytes())? else { return Ok(None) };
    Ok(at(tx, seq)?.and_then(|record| record.decisions.into_iter().find(|decision| decision.id == id)))
}

/// A subscription's records, newest first, walking back from the sequence of its narrow row.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn story(tx: &mut Tx, subscription: SubscriptionId, newest: u64, limit: usize) -> Result<Vec<(u64, Record)>> {
    let mut found = Vec::new();
    let mut seq = newest;
    while seq != 0 && found.len() < limit {
        let Some(record) = at(tx, seq)? else { break };
        let before = record.before.iter().find(|(id, _)| *id == subscription).map_or(0, |(_, before)| *before);
        found.push((seq, record));
        if before >= seq {
            break;
        }
        seq = before;
    }
    Ok(found)
}
