//! Instants and spans in scripts. There is no clock here: an instant comes from a record, an event or text.

use chrono::{Datelike, Months, TimeDelta};
use rhai::{Dynamic, Engine};

use super::super::comparison::Comparison;
use super::super::failure::{Api, raise, raise_refusal};
use super::super::reference::{Function, Part, Property};
use crate::domain::{Instant, Span, calendar};

/// A length of time as scripts compute with it: it may point backwards, and months stay apart from days because a
/// month is no number of days. Scripts call it `Span`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Calendar months.
    pub months: i32,
    /// Everything else; a day is 24 hours, because instants are UTC.
    pub rest: TimeDelta,
}

/// What scripts are given about time.
pub(in super::super) const PART: Part = Part {
    title: "Time",
    functions: &[
        Function {
            name: "instant",
            params: &["text: string"],
            gives: "Instant",
            grant: "",
            doc: "Reads an instant with its offset; instants compare, and differ by a Span.",
            example: r#"let end = instant("2027-01-31T00:00:00Z"); if end - days(2) < end { print(end.date); }"#,
        },
        Function {
            name: "span",
            params: &["text: string"],
            gives: "Span",
            grant: "",
            doc: "Reads a length of time as ISO 8601 writes it.",
            example: r#"print(`${instant("2027-01-31T00:00:00Z") + span("P1M")}`);"#,
        },
        Function {
            name: "days",
            params: &["count: int"],
            gives: "Span",
            grant: "",
            doc: "So many days of 24 hours.",
            example: r#"if days(2) > hours(47) { print(days(2)); }"#,
        },
        Function {
            name: "hours",
            params: &["count: int"],
            gives: "Span",
            grant: "",
            doc: "So many hours.",
            example: r#"if hours(24) == days(1) { print("a day"); }"#,
        },
        Function {
            name: "months",
            params: &["count: int"],
            gives: "Span",
            grant: "",
            doc: "So many calendar months; the day is clipped to the end of the month.",
            example: r#"if (instant("2027-01-31T00:00:00Z") + months(1)).day == 28 { print("February"); }"#,
        },
    ],
    properties: &[
        Property { owner: "Instant", name: "date", gives: "string", doc: "Its UTC date, `2027-01-31`." },
        Property { owner: "Instant", name: "year", gives: "int", doc: "Its UTC year." },
        Property { owner: "Instant", name: "month", gives: "int", doc: "Its UTC month, 1 to 12." },
        Property { owner: "Instant", name: "day", gives: "int", doc: "Its UTC day of the month, 1 to 31." },
        Property {
            owner: "Span",
            name: "whole_days",
            gives: "int",
            doc: "Its whole days; an error when it holds months.",
        },
        Property {
            owner: "Span",
            name: "whole_hours",
            gives: "int",
            doc: "Its whole hours; an error when it holds months.",
        },
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Instant>("Instant");
    engine.register_type_with_name::<Length>("Span");
    engine.register_fn("instant", |text: &str| calendar::instant(text).map_err(|refusal| raise_refusal(&refusal)));
    engine.register_fn("span", |text: &str| {
        text.parse::<Span>().map(Length::from).map_err(|refusal| raise_refusal(&refusal))
    });
    engine.register_fn("days", |count: i64| Length::fixed(TimeDelta::try_days(count)));
    engine.register_fn("hours", |count: i64| Length::fixed(TimeDelta::try_hours(count)));
    engine.register_fn("months", |count: i64| match i32::try_from(count) {
        Ok(months) if months.abs() <= 12_000 => Ok(Length { months, rest: TimeDelta::zero() }),
        _ => Err(too_far()),
    });
    engine.register_get("date", |instant: &mut Instant| instant.date_naive().to_string());
    engine.register_get("year", |instant: &mut Instant| i64::from(instant.year()));
    engine.register_get("month", |instant: &mut Instant| i64::from(instant.month()));
    engine.register_get("day", |instant: &mut Instant| i64::from(instant.day()));
    engine.register_get("whole_days", |length: &mut Length| length.without_months().map(|rest| rest.num_days()));
    engine.register_get("whole_hours", |length: &mut Length| length.without_months().map(|rest| rest.num_hours()));
    engine.register_fn("to_string", |instant: &mut Instant| calendar::show(*instant));
    engine.register_fn("to_debug", |instant: &mut Instant| calendar::show(*instant));
    engine.register_fn("to_string", |length: &mut Length| length.show());
    engine.register_fn("to_debug", |length: &mut Length| length.show());
    engine.register_fn("+", |instant: Instant, length: Length| length.after(instant));
    engine.register_fn("-", |instant: Instant, length: Length| length.negated().after(instant));
    engine.register_fn("-", |left: Instant, right: Instant| Length { months: 0, rest: left - right });
    engine.register_fn("+", Length::plus);
    engine.register_fn("-", |left: Length, right: Length| left.plus(right.negated()));
    engine.register_fn("*", |length: Length, count: i64| length.times(count));
    engine.register_fn("*", |count: i64, length: Length| length.times(count));
}

fn too_far() -> Box<rhai::EvalAltResult> {
    raise("bad_duration", "this is beyond the calendar")
}

impl From<Span> for Length {
    fn from(span: Span) -> Self {
        let rest = TimeDelta::days(i64::from(span.days)) + TimeDelta::seconds(i64::from(span.seconds));
        Self { months: i32::try_from(span.months).unwrap_or(i32::MAX), rest }
    }
}

impl Length {
    fn fixed(rest: Option<TimeDelta>) -> Api<Self> {
        // A thousand years keeps every sum inside the calendar.
        let rest = rest.filter(|rest| rest.abs() <= TimeDelta::days(366_000)).ok_or_else(too_far)?;
        Ok(Self { months: 0, rest })
    }

    fn without_months(self) -> Api<TimeDelta> {
        if self.months == 0 {
            return Ok(self.rest);
        }
        Err(raise("type_error", format!("{} holds months, and a month is no number of days", self.show())))
    }

    fn negated(self) -> Self {
        Self { months: -self.months, rest: -self.rest }
    }

    fn plus(self, other: Self) -> Api<Self> {
        let months = self.months.checked_add(other.months).ok_or_else(too_far)?;
        let rest = Self::fixed(self.rest.checked_add(&other.rest))?.rest;
        Ok(Self { months, rest })
    }

    fn times(self, count: i64) -> Api<Self> {
        let count = i32::try_from(count).map_err(|_| too_far())?;
        let months = self.months.checked_mul(count).ok_or_else(too_far)?;
        Ok(Self { months, rest: Self::fixed(self.rest.checked_mul(count))?.rest })
    }

    fn after(self, start: Instant) -> Api<Instant> {
        let months = Months::new(self.months.unsigned_abs());
        let moved = if self.months < 0 { start.checked_sub_months(months) } else { start.checked_add_months(months) };
        moved.and_then(|moved| moved.checked_add_signed(self.rest)).ok_or_else(too_far)
    }

    /// As the domain writes lengths; none when it points backwards or is finer than a second.
    pub fn to_span(self) -> Option<Span> {
        let months = u32::try_from(self.months).ok()?;
        let days = u32::try_from(self.rest.num_days()).ok()?;
        let part = self.rest - TimeDelta::days(self.rest.num_days());
        let seconds = u32::try_from(part.num_seconds()).ok()?;
        (part.subsec_nanos() == 0).then_some(Span { months, days, seconds })
    }

    fn show(self) -> String {
        match (self.to_span(), self.negated().to_span()) {
            (Some(span), _) => span.to_string(),
            (None, Some(span)) => format!("-{span}"),
            (None, None) => format!("P{}M and {}", self.months, self.rest),
        }
    }
}

pub(super) fn compare(left: &Dynamic, right: &Dynamic) -> Api<Option<Comparison>> {
    if let (Some(left), Some(right)) = (left.read_lock::<Instant>(), right.read_lock::<Instant>()) {
        return Ok(Some(Comparison::Ordered(left.cmp(&right))));
    }
    let (Some(left), Some(right)) = (left.read_lock::<Length>(), right.read_lock::<Length>()) else {
        return Ok(None);
    };
    if left.months == right.months {
        return Ok(Some(Comparison::Ordered(left.rest.cmp(&right.rest))));
    }
    if left.rest.is_zero() && right.rest.is_zero() {
        return Ok(Some(Comparison::Ordered(left.months.cmp(&right.months))));
    }
    Err(raise("type_error", format!("{} and {}: a month is no number of days", left.show(), right.show())))
}
