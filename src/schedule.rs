//! Schedules: cron expressions in a time zone, and what they mean when the clocks change.
//!
//! Two dialects, told apart by the number of fields. Five are POSIX: minute, hour, day of month, month, day of week, where
//! days of the week are 0-7 or names and either of two restricted day fields may match. Six begin with the second: days of
//! the week are names only, and both day fields must match.
//!
//! The days and times are found on the wall, as if there were no time zones, and then mapped to instants by one rule:
//!
//! * A wall time that does not exist (the clocks jump over it) fires once, at the first instant after the jump.
//! * A wall time that happens twice fires the first time only.
//! * A schedule that runs through the hours (`*`, `*/2`, or all 24 named) follows elapsed time instead: nothing for the
//!   hours that do not exist, and both passes of the hours that happen twice.
//!
//! The instants of a schedule strictly increase, and asking one at a time gives the same instants as asking for many. A
//! schedule reads no clock and remembers nothing: what is due is a function of the expression, the zone and an instant.
//! Years after 2100 have no instants.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::suggest;
use fields::Fields;

mod fields;

/// Seconds between two firings, at least, unless a caller allows less: a run costs milliseconds and a record each time.
pub const PERIOD_SECONDS_MIN: u32 = 60;
/// Characters of an expression, at most: four times the longest sensible one.
pub const EXPRESSION_LENGTH_MAX: usize = 256;

/// A cron expression in a time zone.
#[derive(Clone)]
pub struct Schedule {
    text: String,
    zone: Tz,
    fields: Fields,
    /// One expression of the engine, or two when either of two day fields may match.
    engines: Vec<cron::Schedule>,
}

/// Why an expression or a zone was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}{}", suggestion.as_ref().map(|text| format!("; {text}")).unwrap_or_default())]
pub struct ScheduleError {
    /// `bad_cron`, `never_fires`, `too_frequent` or `bad_timezone`.
    pub code: &'static str,
    /// The field that is wrong: `minute`, `hour`, `day of month`, ..., `expression` or `zone`.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead, where we can tell.
    pub suggestion: Option<String>,
}

impl ScheduleError {
    fn new(code: &'static str, field: &'static str, message: impl Into<String>) -> ScheduleError {
        ScheduleError { code, field, message: message.into(), suggestion: None }
    }

    fn suggest(mut self, suggestion: impl Into<String>) -> ScheduleError {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl Schedule {
    /// Reads an expression that fires at most every [`PERIOD_SECONDS_MIN`] seconds, in an IANA zone such as
    /// `Europe/Berlin`.
    ///
    /// # Errors
    /// `bad_cron`, `never_fires`, `too_frequent`, `bad_timezone`.
    pub fn parse(text: &str, zone: &str) -> Result<Schedule, ScheduleError> {
        Schedule::parse_with(text, zone, PERIOD_SECONDS_MIN)
    }

    /// Like [`Schedule::parse`] with another least number of seconds between two firings, measured on the wall clock.
    ///
    /// # Errors
    /// The same.
    pub fn parse_with(text: &str, zone: &str, period_seconds_min: u32) -> Result<Schedule, ScheduleError> {
        let zone = parse_zone(zone)?;
        let fields = Fields::parse(text)?;
        if !fields.ever_fires() {
            return Err(ScheduleError::new("never_fires", "day of month", "no month it names has such a day"));
        }
        let period = fields.period_seconds();
        if period < period_seconds_min {
            let message = format!("fires every {period} s, at most every {period_seconds_min} s is allowed");
            return Err(ScheduleError::new("too_frequent", "expression", message));
        }
        let engines = fields
            .engine_expressions()
            .iter()
            .map(|expression| cron::Schedule::from_str(expression))
            .collect::<Result<_, _>>()
            .map_err(|error| ScheduleError::new("bad_cron", "expression", error.to_string()))?;
        Ok(Schedule { text: text.trim().to_owned(), zone, fields, engines })
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The zone it is read in.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The first instant of the schedule after `instant` (never `instant` itself), or `None` when there is none until
    /// the year 2100.
    pub fn next_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut best: Option<DateTime<Utc>> = None;
        let start = self.wall_time(instant) - self.fallback_after(instant) - TimeDelta::seconds(1);
        for wall in self.walls_after(start) {
            let (first, second) = self.instants_of(wall);
            if let Some(second) = second.filter(|second| *second > instant) {
                best = Some(best.map_or(second, |best| best.min(second)));
            }
            // First passes never decrease along the wall, so nothing later can be earlier than this one.
            if let Some(first) = first.filter(|first| *first > instant) {
                return Some(best.map_or(first, |best| best.min(first)));
            }
        }
        best
    }

    /// The instants of the schedule after `after` up to and including `until`, at most `limit` of them.
    pub fn between(&self, after: DateTime<Utc>, until: DateTime<Utc>, limit: usize) -> Vec<DateTime<Utc>> {
        let next = |last: &DateTime<Utc>| self.next_after(*last);
        let all = std::iter::successors(self.next_after(after), next);
        all.take_while(|instant| *instant <= until).take(limit).collect()
    }

    /// What the wall clock of the zone shows at `instant`.
    pub fn wall_time(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.zone).naive_local()
    }

    /// The schedule in a sentence.
    pub fn describe(&self) -> String {
        format!("{}, {} time", self.fields.describe(), self.zone.name())
    }

    /// How far the wall clock falls back at a change soon after `instant`: so far behind lies the earliest wall time
    /// that may still come.
    fn fallback_after(&self, instant: DateTime<Utc>) -> TimeDelta {
        let offset = |instant: DateTime<Utc>| {
            i64::from(self.zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
        };
        let now = offset(instant);
        // A change further away than it falls back cannot show a wall time before now's. Changes are of one hour or
        // less but for zones that crossed the date line, so hours are looked at one by one and the rest at its end.
        let later = [1, 2, 3, 26].map(|hours| offset(instant + TimeDelta::hours(hours)));
        TimeDelta::seconds((now - later.into_iter().min().unwrap_or(now)).max(0))
    }

    /// The wall times after `start` at which the expression matches, increasing, without repeats.
    fn walls_after(&self, start: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
        let start = start.and_utc();
        let mut streams: Vec<_> = self.engines.iter().map(|engine| engine.after(&start).peekable()).collect();
        std::iter::from_fn(move || {
            let next = streams.iter_mut().filter_map(|stream| stream.peek().copied()).min()?;
            for stream in &mut streams {
                let _taken = stream.next_if_eq(&next);
            }
            Some(next.naive_utc())
        })
    }

    /// The instants of one wall time: the one that counts, and the second pass where it counts too.
    fn instants_of(&self, wall: NaiveDateTime) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        match self.zone.from_local_datetime(&wall) {
            MappedLocalTime::Single(instant) => (Some(instant.to_utc()), None),
            MappedLocalTime::Ambiguous(first, second) => {
                (Some(first.to_utc()), self.fields.through_the_hours.then(|| second.to_utc()))
            }
            MappedLocalTime::None if self.fields.through_the_hours => (None, None),
            MappedLocalTime::None => (Some(self.end_of_gap(wall)), None),
        }
    }

    /// The first instant at which the wall clock shows `wall` or later.
    fn end_of_gap(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        // No zone was ever further than this from UTC, so the instant lies between; one second is left at the end.
        const REACH_SECONDS: i64 = 16 * 3600;
        let (mut low, mut high) = (-REACH_SECONDS, REACH_SECONDS);
        let at = |seconds: i64| wall.and_utc() + TimeDelta::seconds(seconds);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.wall_time(at(middle)) >= wall { high = middle } else { low = middle }
        }
        // The wall time may carry no fraction: the engine's are whole seconds.
        at(high)
    }
}

fn parse_zone(name: &str) -> Result<Tz, ScheduleError> {
    name.parse::<Tz>().map_err(|_| {
        let shown: String = name.chars().take(64).collect();
        let error = ScheduleError::new("bad_timezone", "zone", format!("{shown:?} is no IANA time zone"));
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let city = || names().find(|zone| zone.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name)));
        match suggest::nearest(name, names()).or_else(city) {
            Some(near) => error.suggest(format!("did you mean {near:?}?")),
            None => error.suggest("write it like \"Europe/Berlin\" or \"UTC\""),
        }
    })
}

impl PartialEq for Schedule {
    /// Whether both fire at the same instants for the same reason: the zone and the fields, not how they are spelled.
    fn eq(&self, other: &Schedule) -> bool {
        self.zone == other.zone && self.fields == other.fields
    }
}

impl Eq for Schedule {}

impl fmt::Debug for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Schedule({:?} in {})", self.text, self.zone.name())
    }
}

#[cfg(test)]
mod tests;
