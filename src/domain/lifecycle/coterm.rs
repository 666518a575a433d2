//! Terms that end with another subscription of the customer, or with a calendar month.

use chrono::{Datelike, NaiveDate, NaiveTime};

use super::quote::Asked;
use crate::domain::subscription::{Status, Subscription};
use crate::domain::{Instant, Refusal, Span};

// Partner Center tells three refusals apart: longer than the term, not a date there is, not a term that can.
const TOO_LONG: u32 = 900_242;
const NO_SUCH_DATE: u32 = 900_245;
const NOT_POSSIBLE: u32 = 900_246;

impl Asked<'_> {
    /// The first instant after a term whose last day is given, and the rule; `longest` is where the term would end by
    /// itself.
    pub(super) fn aligned_end(
        &self,
        last_day: NaiveDate,
        start: Instant,
        longest: Instant,
        length: Span,
    ) -> Result<(Instant, &str), Refusal> {
        let Some(rule) = self.family.coterm.as_ref().filter(|rule| rule.from.is_none_or(|from| from <= self.now))
        else {
            let message = "the terms know no aligned end for it: leave the date out";
            return Err(Refusal::new("coterm_not_possible", message).partner_center(NOT_POSSIBLE));
        };
        let no = |code: &str, message: String, number: u32| {
            Err(Refusal::new(code, message).by_rule(&rule.rule).partner_center(number))
        };
        if self.sub.profile.is_trial {
            return no("coterm_not_possible", "a trial ends when it ends".to_owned(), NOT_POSSIBLE);
        }
        let after = last_day.succ_opt().map(|day| day.and_time(NaiveTime::MIN).and_utc());
        let Some(end) = after.filter(|end| *end > start) else {
            return no("coterm_no_such_date", format!("{last_day} is before the term begins"), NO_SUCH_DATE);
        };
        if end > longest {
            return no("coterm_too_long", format!("a term of {length} cannot last until {last_day}"), TOO_LONG);
        }
        let is_month_end = last_day.succ_opt().is_some_and(|next| next.day() == 1);
        let monthly = length.months == 1;
        let others = self.around.others.iter().filter(|other| self.is_target(other, monthly));
        let meeting: Vec<&Subscription> = others.filter(|other| ends_on(other, end)).collect();
        if is_month_end {
            return Ok((end, &rule.rule));
        }
        let barred = monthly && (28..=30).contains(&last_day.day());
        if !meeting.is_empty() && !barred {
            return Ok((ends_with(&meeting, (end, longest), length), &rule.rule));
        }
        let message = format!(
            "{last_day} is neither the end of a month nor the end of a term of another active subscription that it could be aligned to"
        );
        no("coterm_no_such_date", message, NO_SUCH_DATE)
    }

    /// Whether another subscription's end is one that this may be aligned to.
    fn is_target(&self, other: &Subscription, monthly: bool) -> bool {
        other.id != self.sub.id
            && other.standing.status == Status::Active
            && !other.profile.is_trial
            && other.profile.family == self.sub.profile.family
            && (monthly || other.profile.term_duration.is_some_and(|term| term.months != 1))
    }
}

/// Whether a term of the other, its present or a later one, ends then.
fn ends_on(other: &Subscription, end: Instant) -> bool {
    last_end(other, end) == Some(end)
}

/// The last end of a term of the other, its present or a later one, that is not after an instant. Sixty terms reach
/// further than any term does.
fn last_end(other: &Subscription, until: Instant) -> Option<Instant> {
    let (first, length) = (other.standing.term_end?, other.profile.term_duration?);
    let terms = if length.months == 0 { 1 } else { 60 };
    let nth = |terms: u32| Span::months(length.months.saturating_mul(terms)).after(first);
    (0..terms).map_while(nth).take_while(|at| *at <= until).last()
}

/// Where a term asked to end with these ends: then, where one of them is as long; with shorter ones alone it ends at the
/// last of their ends that it reaches (three years with a one-year term: in its third year).
fn ends_with(meeting: &[&Subscription], (end, longest): (Instant, Instant), length: Span) -> Instant {
    let is_shorter =
        |other: &&Subscription| other.profile.term_duration.is_some_and(|term| term.months < length.months);
    if !meeting.iter().all(is_shorter) {
        return end;
    }
    meeting.iter().filter_map(|other| last_end(other, longest)).max().unwrap_or(end)
}
