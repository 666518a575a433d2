//! What triggers leave behind: where they have got to, their occurrences, the subjects done, the records of runs.

use crate::domain::Instant;
use crate::domain::run::Run;
use crate::domain::trigger::Occurrence;
use crate::store::records::timers::{self, Timer};
use crate::store::records::triggers::{self as rows, Place};

use super::Result;
use super::work::Work;

/// Keeps the record of a run, completed or failed.
///
/// # Errors
/// What the store answers.
pub fn keep_run(work: &mut Work, run: &Run) -> Result<()> {
    Ok(rows::save_run(&mut work.tx, run)?)
}

/// Moves a trigger.
///
/// # Errors
/// What the store answers.
pub fn move_to(work: &mut Work, trigger: &str, place: &Place) -> Result<()> {
    Ok(rows::save_place(&mut work.tx, trigger, place)?)
}

/// Keeps how a due instant stands.
///
/// # Errors
/// What the store answers.
pub fn keep_occurrence(work: &mut Work, occurrence: &Occurrence) -> Result<()> {
    Ok(rows::save_occurrence(&mut work.tx, occurrence)?)
}

/// Marks a subject as done, in the transaction of its effects.
///
/// # Errors
/// What the store answers.
pub fn mark_subject(work: &mut Work, trigger: &str, due: Instant, subject: &[u8]) -> Result<()> {
    Ok(rows::mark_subject(&mut work.tx, trigger, due, subject)?)
}

/// Takes a timer away whose instant has been dealt with.
///
/// # Errors
/// What the store answers.
pub fn clear_timer(work: &mut Work, timer: &Timer) -> Result<()> {
    Ok(timers::clear(&mut work.tx, timer)?)
}
