//! Terms and billing cycles on the calendar: where they end, counted from the anchor day.

use chrono::{Datelike, TimeDelta};

use super::around::ALONE;
use super::quote::Asked;
use crate::domain::calendar::anchored;
use crate::domain::change::Amendments;
use crate::domain::subscription::{Profile, Renewal, Standing, Status, Subscription};
use crate::domain::terms::{Family, TermEnd, Terms, Window, midnight};
use crate::domain::{Instant, Kind, Span};

/// A term or cycle: its first instant and the first one after it.
pub(super) type Period = (Instant, Instant);

/// How many months a billing cycle of this name has; none for one charge a term, or for no charge at all.
pub(super) fn cycle_months(word: &str) -> Option<u32> {
    match word {
        "monthly" => Some(1),
        "annual" => Some(12),
        "biennial" => Some(24),
        "triennial" => Some(36),
        _ => None,
    }
}

/// The day its terms start on. A start that is not on the anchor's day (a term aligned to another) is an anchor itself.
pub(super) fn anchor(start: Instant, anchor_day: u32) -> u32 {
    let date = start.date_naive();
    if anchored(date, anchor_day, 0) == Some(date) { anchor_day } else { date.day() }
}

/// The first instant after a length counted from the anchor day; none beyond the calendar.
pub(super) fn end_of(family: &Family, start: Instant, anchor_day: u32, length: Span) -> Option<Instant> {
    let start = starts(family, start);
    let date = anchored(start.date_naive(), anchor(start, anchor_day), length.months)?;
    // A length without months is days from the start itself, wherever the anchor is.
    let date = if length.months == 0 { start.date_naive() } else { date };
    let end = date.and_time(start.time()).and_utc();
    Span { months: 0, ..length }.after(end).filter(|end| *end > start)
}

/// Where a term that starts then begins to count.
pub(super) fn starts(family: &Family, at: Instant) -> Instant {
    match family.term_end {
        TermEnd::InclusiveDay => midnight(at),
        TermEnd::Exact => at,
    }
}

/// Whether its use is billed, and no cycle of it (ISVu).
pub(super) fn by_use(family: &Family, profile: &Profile) -> bool {
    family.is_paid_by_use() || profile.billing_type == "usage"
}

/// The first billing cycle of a term: none for a trial or where nothing is billed but its use.
pub(super) fn first_cycle(family: &Family, profile: &Profile, term: Period) -> Option<Period> {
    if profile.is_trial || by_use(family, profile) || matches!(profile.billing_cycle.as_str(), "none" | "unknown" | "")
    {
        return None;
    }
    Some((term.0, cycle_end(family, profile, term.0, term.1)))
}

/// Where the cycle that starts then ends, inside a term that ends then.
pub(super) fn cycle_end(family: &Family, profile: &Profile, start: Instant, term_end: Instant) -> Instant {
    cycle_months(&profile.billing_cycle)
        .and_then(|months| end_of(family, start, profile.anchor_day, Span::months(months)))
        .map_or(term_end, |end| end.min(term_end))
}

/// Where a cycle that begins like this one would end if its term did not end first.
pub(super) fn full_cycle_end(family: &Family, profile: &Profile, cycle: Period) -> Instant {
    let length = match (cycle_months(&profile.billing_cycle), profile.term_duration) {
        (Some(months), Some(term)) if months <= term.months => Some(Span::months(months)),
        (None, term) => term,
        _ => None,
    };
    let full = length.and_then(|length| end_of(family, cycle.0, profile.anchor_day, length));
    full.map_or(cycle.1, |full| full.max(cycle.1))
}

/// Whole days from one instant's day to another's.
pub(super) fn days(from: Instant, to: Instant) -> i64 {
    (to.date_naive() - from.date_naive()).num_days()
}

/// A first term may start days after the order (a publisher activates it, or it is aligned to another), never as late as
/// a renewal of the shortest term in months.
const FIRST_TERM_STARTS_WITHIN: TimeDelta = TimeDelta::days(15);

/// When the present term was bought or renewed: it chooses the dated rules. A renewal counts from the term's start,
/// however late it was processed.
pub(super) fn opened_for(sub: &Subscription) -> Instant {
    let (start, bought) = (sub.standing.term_start, sub.profile.purchased_at);
    // A publisher may take its time: a window that closed before the term began is that of the order.
    if sub.standing.window_end.is_some_and(|end| end < start) {
        return bought;
    }
    let slack = match sub.profile.term_duration {
        Some(length) if length.months == 0 => TimeDelta::zero(),
        _ => FIRST_TERM_STARTS_WITHIN,
    };
    if start.date_naive() - bought.date_naive() <= slack { bought } else { start }
}

/// When the present term's window opened: the order, or the commit of the renewal, which the stamped end tells.
pub(super) fn window_opened(sub: &Subscription, window: &Window) -> Instant {
    let opened = opened_for(sub);
    if opened == sub.profile.purchased_at {
        return opened;
    }
    let length = window.length.fixed().unwrap_or(TimeDelta::zero());
    sub.standing.window_end.map_or(opened, |end| (end - length).max(opened))
}

/// The first instant too late to cancel a term bought or renewed then; none where it has no window.
pub fn open_window(terms: &Terms, profile: &Profile, opened_at: Instant) -> Option<Instant> {
    terms.family(&profile.family).window(Kind::Cancellation, profile, opened_at)?.closes(opened_at)
}

/// The standing of a subscription freshly bought: active, its first term, the cycle of that term which holds `now`,
/// and the window of its purchase. Nothing is charged by it.
pub fn begin(terms: &Terms, profile: &Profile, quantity: i64, started_at: Instant, now: Instant) -> Standing {
    let family = terms.family(&profile.family);
    let term_start = starts(family, started_at);
    let term_end = profile.term_duration.and_then(|length| end_of(family, term_start, profile.anchor_day, length));
    let mut cycle = term_end.and_then(|end| first_cycle(family, profile, (term_start, end)));
    while let (Some((_, end)), Some(last)) = (cycle, term_end)
        && end <= now
        && end < last
    {
        cycle = Some((end, cycle_end(family, profile, end, last)));
    }
    let term = term_end.map(|end| (term_start, end));
    let renews = term_end.is_some() && family.renewal(profile.purchased_at).is_some_and(|rule| rule.renews);
    Standing { auto_renew_enabled: renews, ..standing(family, profile, quantity, started_at, term, cycle) }
}

/// The standing of what is active from then on, with this term and this cycle of it, and the window of its purchase.
pub(super) fn standing(
    family: &Family,
    profile: &Profile,
    quantity: i64,
    started_at: Instant,
    term: Option<Period>,
    cycle: Option<Period>,
) -> Standing {
    let window = family.window(Kind::Cancellation, profile, profile.purchased_at);
    Standing {
        generation: 1,
        status: Status::Active,
        quantity,
        auto_renew_enabled: false,
        cancel_at_term_end: false,
        term_start: term.map_or_else(|| starts(family, started_at), |term| term.0),
        term_end: term.map(|term| term.1),
        cycle_start: cycle.map(|cycle| cycle.0),
        cycle_end: cycle.map(|cycle| cycle.1),
        window_end: window.and_then(|window| window.closes(profile.purchased_at)),
        status_since: started_at,
        next_step_at: None,
        late_terms: 0,
        renewal: Renewal::Open,
        attention: None,
    }
}

/// The plan of a next term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The offer.
    pub offer_id: String,
    /// Its length; none where nothing has a term.
    pub term_duration: Option<Span>,
    /// How it is billed.
    pub billing_cycle: String,
}

impl Plan {
    /// Whether it is the one that the subscription has.
    pub fn is_present(&self, profile: &Profile) -> bool {
        self.offer_id.eq_ignore_ascii_case(&profile.offer_id)
            && self.term_duration == profile.term_duration
            && self.billing_cycle == profile.billing_cycle
    }
}

/// The plan that would follow if a next term had this different.
pub fn plan_after(terms: &Terms, sub: &Subscription, next: &Amendments) -> Plan {
    let family = terms.family(&sub.profile.family);
    let asked = Asked { family, sub, price: None, around: &ALONE, now: sub.standing.term_start };
    let (term_duration, billing_cycle) = asked.paid_plan(next);
    let offer_id = next.offer_id.clone().unwrap_or_else(|| sub.profile.offer_id.clone());
    Plan { offer_id, term_duration, billing_cycle }
}
