//! A first term that ends with another one of the customer's, or with a calendar month.

use chrono::{Datelike, Days};

use super::eligibility::{Hindrance, Owned};
use super::selling::Selling;
use crate::domain::calendar::{self, anchored};
use crate::domain::product::{Plan, Product};
use crate::domain::subscription::Status;
use crate::domain::terms::midnight;
use crate::domain::{Instant, Span};

/// The first instant after a term whose last day is named, whatever time of that day it is written with.
pub fn end_after(last_day: Instant) -> Option<Instant> {
    Span::days(1).after(midnight(last_day))
}

/// Why a first term cannot end with this day (`customTermEndDate`); none when it can.
pub fn hindrance(
    selling: &Selling,
    item: &Product,
    plan: &Plan,
    owned: &[Owned],
    last_day: Instant,
    now: Instant,
) -> Option<Box<Hindrance>> {
    let rule = selling.coterms.iter().find(|row| row.what.is(item, plan.term_duration) && row.from <= now);
    let no = |code: &'static str, message: String, mend: &str, number: u32| {
        Some(Hindrance::new(code, "COT", message, mend.to_owned()).codes(Some(number), 10017))
    };
    let (Some(_), Some(length), false) = (rule, plan.term_duration, item.is_trial) else {
        let message = "its first term cannot end with another: it is a trial, or not sold that way".to_owned();
        return no("coterm_not_possible", message, "leave customTermEndDate out", 900242);
    };
    let natural = length.after(midnight(now));
    let Some(end) = end_after(last_day).filter(|end| *end > now && natural.is_some_and(|last| *end <= last)) else {
        let last = natural.map(calendar::show).unwrap_or_default();
        let message = format!("its first term would have to end after now and no later than {last}");
        return no("coterm_out_of_term", message, "choose an earlier customTermEndDate", 900245);
    };
    let is_month_end = end.day() == 1;
    let day = last_day.date_naive().day();
    if length.months == 1 && (28..=30).contains(&day) && !is_month_end {
        let message = "a term of a month cannot end on the 28th, 29th or 30th unless the month does".to_owned();
        return no(
            "coterm_day_not_possible",
            message,
            "choose the last day of a month, or a day up to the 27th",
            900246,
        );
    }
    if is_month_end || owned.iter().any(|other| aligned(selling, item, other, length, end)) {
        return None;
    }
    let message = format!("no active term of the customer ends with {}, and no month does", last_day.date_naive());
    no("coterm_no_match", message, "choose the last day of a month, or of an active subscription's term", 900246)
}

/// Whether an end is that of another active term, or a whole number of its years (for a month: months) away from it.
fn aligned(selling: &Selling, item: &Product, other: &Owned, length: Span, end: Instant) -> bool {
    let same_kind = selling.coterms.iter().any(|row| {
        let families = &row.what.families;
        row.what.is(item, Some(length)) && (families.is_empty() || families.contains(&other.family))
    });
    let (Some(theirs), Some(term)) = (other.term_end, other.term_duration) else { return false };
    if !same_kind || other.is_trial || other.status != Status::Active {
        return false;
    }
    if theirs.date_naive() == end.date_naive() {
        // A year cannot end with a month's term, which ends every month.
        return term.months >= 12 || length.months < 12;
    }
    let each = if length.months < 12 { 1 } else { 12 };
    let may = if each == 12 { length.months > term.months && term.months >= 12 } else { true };
    let last = |at: Instant| at.date_naive().checked_sub_days(Days::new(1));
    let (Some(ours), Some(base)) = (last(end), last(theirs)) else { return false };
    may && (1..=length.months / each).any(|count| {
        let months = count * each;
        anchored(base, base.day(), months) == Some(ours) || anchored(ours, base.day(), months) == Some(base)
    })
}
