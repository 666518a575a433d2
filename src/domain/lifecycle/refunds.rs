//! The refunds that are still to be had of a present term, each with the instant it expires.

use super::period::{opened_for, window_opened};
use crate::domain::subscription::Subscription;
use crate::domain::terms::{End, Refund, Terms, Window};
use crate::domain::{Instant, Kind};

/// One refund that a cancellation gives until an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundUntil {
    /// Whether everything comes back, or a part.
    pub is_full: bool,
    /// The first instant that is too late for it.
    pub until: Instant,
}

/// The window of the present term, as the terms have it for its purchase or renewal; an extended month has none, it is
/// cancelled at any time.
fn window_of<'a>(terms: &'a Terms, sub: &Subscription) -> Option<&'a Window> {
    let profile = &sub.profile;
    if profile.extended.is_some() {
        return None;
    }
    terms.family(&profile.family).window(Kind::Cancellation, profile, opened_for(sub))
}

/// Whether the window of its present term closes with a day (UTC), and not after hours.
pub fn window_ends_with_day(terms: &Terms, sub: &Subscription) -> bool {
    window_of(terms, sub).is_some_and(|window| window.end == End::EndOfDayUtc)
}

/// Whether cancelling it gives back what the whole term was charged, and not the present cycle alone.
pub fn gives_back_term(terms: &Terms, sub: &Subscription) -> bool {
    window_of(terms, sub).is_some_and(|window| window.refund == Refund::Term)
}

/// The refunds still to be had, the better one first: everything within its first hours, then a part, to the window's
/// end. A window that no row has (an import told it) gives a part.
pub fn refunds_until(terms: &Terms, sub: &Subscription, now: Instant) -> Vec<RefundUntil> {
    let Some(end) = sub.standing.window_end.filter(|end| now < *end) else { return Vec::new() };
    let part = RefundUntil { is_full: false, until: end };
    let Some(window) = window_of(terms, sub) else { return vec![part] };
    match window.refund {
        Refund::Nothing => Vec::new(),
        Refund::Full | Refund::Term => vec![RefundUntil { is_full: true, until: end }],
        Refund::Prorated => {
            let full = window.full_within.and_then(|span| span.after(window_opened(sub, window)));
            let full = full.map(|until| until.min(end)).filter(|until| now < *until);
            let first = full.map(|until| RefundUntil { is_full: true, until });
            first.into_iter().chain([part].into_iter().filter(|part| full != Some(part.until))).collect()
        }
    }
}
