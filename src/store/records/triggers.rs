//! Where triggers have got to, and one row for every due instant of a schedule.

use serde::{Deserialize, Serialize};

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::run::Run;
use crate::domain::trigger::Occurrence;
use crate::domain::{Id, Instant};
use crate::store::tables::{OCCURRENCE_SUBJECTS, OCCURRENCES, RUNS, TRIGGERS};

/// Where a trigger has got to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// What the trigger says (its manifest entry); when it is another, the trigger starts anew.
    pub says: String,
    /// Since when it is known.
    pub since: Instant,
    /// Schedules: the last due instant taken up. Relative triggers: one cursor an offset, the last due instant passed.
    pub cursors: Vec<Instant>,
    /// Triggers that follow the log: the last sequence passed.
    #[serde(default)]
    pub seq: u64,
}

/// Where a trigger has got to.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn place(tx: &mut Tx, trigger: &str) -> Result<Option<Place>> {
    Ok(super::fetch(tx, &TRIGGERS, trigger.as_bytes())?.map(|stored| stored.value))
}

/// Moves a trigger.
///
/// # Errors
/// What the store answers.
pub fn save_place(tx: &mut Tx, trigger: &str, place: &Place) -> Result<()> {
    super::save(tx, &TRIGGERS, trigger.as_bytes(), place)
}

/// One occurrence.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn occurrence(tx: &mut Tx, trigger: &str, due: Instant) -> Result<Option<Stored<Occurrence>>> {
    super::fetch(tx, &OCCURRENCES, &occurrence_key(trigger, due))
}

/// Writes an occurrence.
///
/// # Errors
/// What the store answers.
pub fn save_occurrence(tx: &mut Tx, occurrence: &Occurrence) -> Result<()> {
    super::save(tx, &OCCURRENCES, &occurrence_key(&occurrence.trigger, occurrence.due), occurrence)
}

/// A page of the occurrences of a trigger, newest first; of every trigger where none is named.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn occurrences(
    tx: &mut Tx,
    trigger: Option<&str>,
    before: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Occurrence>> {
    use std::ops::Bound;
    let prefix = trigger.map(|trigger| keys::text(&[trigger], &[])).unwrap_or_default();
    let (start, end) = keys::prefix_range(&prefix, None);
    let end = before.map_or(end, |key| Bound::Excluded(key.to_vec()));
    let rows = tx.scan(&OCCURRENCES, (start, end), limit, true)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&OCCURRENCES, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// Whether a subject of an occurrence is done.
///
/// # Errors
/// What the store answers.
pub fn subject_done(tx: &mut Tx, trigger: &str, due: Instant, subject: &[u8]) -> Result<bool> {
    Ok(tx.get(&OCCURRENCE_SUBJECTS, &subject_key(trigger, due, subject))?.is_some())
}

/// Marks a subject of an occurrence as done; in the transaction of its effects.
///
/// # Errors
/// What the store answers.
pub fn mark_subject(tx: &mut Tx, trigger: &str, due: Instant, subject: &[u8]) -> Result<()> {
    tx.put(&OCCURRENCE_SUBJECTS, &subject_key(trigger, due, subject), Vec::new())
}

fn occurrence_key(trigger: &str, due: Instant) -> Vec<u8> {
    keys::text(&[trigger], &keys::instant(due))
}

fn subject_key(trigger: &str, due: Instant, subject: &[u8]) -> Vec<u8> {
    let mut key = occurrence_key(trigger, due);
    key.extend_from_slice(subject);
    key
}

/// One run.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn run(tx: &mut Tx, id: Id) -> Result<Option<Run>> {
    Ok(super::fetch(tx, &RUNS, &id.bytes())?.map(|stored| stored.value))
}

/// Writes a run's record.
///
/// # Errors
/// What the store answers.
pub fn save_run(tx: &mut Tx, run: &Run) -> Result<()> {
    super::save(tx, &RUNS, &run.id.bytes(), run)
}

/// A page of runs, newest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn runs(tx: &mut Tx, before: Option<&[u8]>, limit: usize) -> Result<Page<Run>> {
    super::messages::newest_first(tx, &RUNS, before, limit)
}
