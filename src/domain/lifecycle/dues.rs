//! The instants a subscription waits for: timers and index entries.

use super::extension;
use super::period::by_use;
use super::term_end::{deletion_at, next_step};
use crate::domain::Instant;
use crate::domain::subscription::{Attention, Status, Subscription};
use crate::domain::terms::Terms;

/// What falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Due {
    /// The term's end: renewed, expired or disabled then.
    TermEnd,
    /// A billing cycle's end inside the term: the next one is charged.
    CycleEnd,
    /// The next status that comes by itself: expired to disabled, disabled to deleted.
    NextStep,
    /// The end of a window: the term's, or of a batch of seats.
    WindowEnd,
    /// The end of a trial.
    TrialEnd,
    /// The deletion of its data.
    Deletion,
}

impl Due {
    /// Every kind of due instant, in the order they are taken at one instant.
    pub const ALL: [Due; 6] =
        [Due::TermEnd, Due::CycleEnd, Due::NextStep, Due::WindowEnd, Due::TrialEnd, Due::Deletion];

    /// Its word, as triggers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Due::TermEnd => "term_end",
            Due::CycleEnd => "cycle_end",
            Due::NextStep => "next_step",
            Due::WindowEnd => "window_end",
            Due::TrialEnd => "trial_end",
            Due::Deletion => "deletion_at",
        }
    }
}

/// Every instant this subscription waits for. A subscription that is gone or not understood, or whose family takes no
/// change, waits for none; one that a person has to look at first waits for no end.
pub fn dues(terms: &Terms, sub: &Subscription) -> Vec<(Due, Instant)> {
    let family = terms.family(&sub.profile.family);
    let standing = &sub.standing;
    let mut found = Vec::new();
    if family.refuses.is_some() || matches!(standing.status, Status::Deleted | Status::Unknown) {
        return found;
    }
    let in_use = matches!(standing.status, Status::Active | Status::Suspended);
    if in_use && !waits_for_a_person(terms, sub) {
        // What stays suspended past its term has no end of the term to wait for.
        let outlasts = standing.status == Status::Suspended
            && family.suspension.as_ref().is_some_and(|suspension| suspension.outlasts_term);
        if let Some(end) = standing.term_end.filter(|_| !outlasts) {
            found.push((Due::TermEnd, end));
            if sub.profile.is_trial {
                found.push((Due::TrialEnd, end));
            }
        }
        let goes_on = family.suspension.as_ref().is_some_and(|suspension| suspension.billing_continues);
        let billed = (standing.status == Status::Active || goes_on) && !by_use(family, &sub.profile);
        let inside = |end: &Instant| standing.term_end.is_some_and(|last| *end < last);
        let unpriced = standing.attention == Some(Attention::PriceUnknown);
        found.extend(standing.cycle_end.filter(inside).filter(|_| billed && !unpriced).map(|end| (Due::CycleEnd, end)));
    }
    if in_use || standing.status == Status::Pending {
        found.extend(standing.window_end.map(|end| (Due::WindowEnd, end)));
        let windowed = sub.profile.seat_batches.iter().filter(|batch| batch.added_at < batch.allowed_until);
        found.extend(windowed.map(|batch| (Due::WindowEnd, batch.allowed_until)));
    }
    found.extend(next_step(sub).map(|(_, at)| (Due::NextStep, at)));
    found.extend(deletion_at(terms, sub).map(|at| (Due::Deletion, at)));
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether nothing happens by itself until a person has looked. Once the attention is gone the timers are there again.
/// A price that was missing inside a term does not keep the term from ending, nor does one that nobody needs, since
/// auto-renew is off and it does not go on by the month.
fn waits_for_a_person(terms: &Terms, sub: &Subscription) -> bool {
    let standing = &sub.standing;
    let runs_out = !standing.auto_renew_enabled && !extension::goes_on(terms, sub);
    match standing.attention {
        Some(Attention::PriceUnknown) if runs_out => false,
        Some(Attention::TermEndPassed | Attention::TermsMissed) => true,
        Some(Attention::PriceUnknown) => standing.cycle_end.is_none_or(|cycle| Some(cycle) >= standing.term_end),
        Some(Attention::ActivationPending) | None => false,
    }
}
