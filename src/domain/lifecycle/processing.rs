//! The time between the end of a term or billing cycle and its processing: some changes wait until it is over. And the
//! most changes there may be of one subscription.

use super::dues::{Due, dues};
use super::quote::coded;
use crate::domain::subscription::Subscription;
use crate::domain::terms::{ProcessingRule, Terms, dated};
use crate::domain::{Instant, Kind, Refusal};

/// Whether a term or billing cycle has ended and nothing was made of it yet. What waits for a person is not processed.
fn is_processed(terms: &Terms, sub: &Subscription, now: Instant) -> bool {
    let ended = |end: Option<Instant>| end.is_some_and(|end| end <= now);
    let (term, cycle) = (ended(sub.standing.term_end), ended(sub.standing.cycle_end));
    (term || cycle)
        && dues(terms, sub).iter().any(|(due, at)| matches!(due, Due::TermEnd | Due::CycleEnd) && *at <= now)
}

/// The refusal of a change for now: the end of the term or of the billing cycle is being processed, or there were too
/// many changes. What renews by itself is not refused.
pub(super) fn refused_now(terms: &Terms, sub: &Subscription, kind: Kind, now: Instant) -> Option<Refusal> {
    let family = terms.family(&sub.profile.family);
    let row = family.processing.iter().find(|row| row.covers.contains(&kind) && dated(row.from, row.until, now));
    if let Some(row) = row.filter(|_| is_processed(terms, sub, now)) {
        return Some(pending(row));
    }
    let rule = family.updates.as_ref().filter(|_| kind != Kind::Renewal)?;
    // The first generation is its beginning, no change.
    if sub.standing.generation <= rule.most {
        return None;
    }
    let message = format!("it was changed {} times already, and more are not possible", rule.most);
    Some(coded(Refusal::new("too_many_updates", message).by_rule(&rule.rule), rule.partner_center_code))
}

/// Whether the partner's own name for it may change now.
///
/// # Errors
/// `operation_pending` while the end of its term or billing cycle is processed.
pub fn may_be_named(terms: &Terms, sub: &Subscription, now: Instant) -> Result<(), Refusal> {
    let rows = &terms.family(&sub.profile.family).processing;
    let row = rows.iter().find(|row| row.names && dated(row.from, row.until, now));
    match row.filter(|_| is_processed(terms, sub, now)) {
        Some(row) => Err(pending(row)),
        None => Ok(()),
    }
}

fn pending(row: &ProcessingRule) -> Refusal {
    let message =
        format!("its term or billing cycle has ended and is being processed: try again after {}", row.retry_after);
    let refusal = Refusal::new("operation_pending", message).by_rule(&row.rule).again_after(row.retry_after);
    coded(refusal, row.partner_center_code)
}
