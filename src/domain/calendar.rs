//! Instants, ISO-8601 lengths and anchor-day arithmetic. Everything is UTC; a zone is only for reading a cron rule.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, TimeZone, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use super::Refusal;

/// A point in time, UTC, to the microsecond.
pub type Instant = DateTime<Utc>;

/// The instant of so many microseconds since 1970; the nearest one chrono can hold if out of range.
pub fn from_micros(micros: i64) -> Instant {
    Utc.timestamp_micros(micros).single().unwrap_or(if micros < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// RFC 3339 in UTC with `Z`; fractions only where there are some.
pub fn show(instant: Instant) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// A length of time as ISO-8601 writes it: months and days apart, because a month is no number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// Calendar months; a year is twelve.
    pub months: u32,
    /// Days; a week is seven.
    pub days: u32,
    /// Seconds of the part behind `T`.
    pub seconds: u32,
}

impl Span {
    /// So many months.
    pub const fn months(months: u32) -> Self {
        Self { months, days: 0, seconds: 0 }
    }
    /// So many days.
    pub const fn days(days: u32) -> Self {
        Self { months: 0, days, seconds: 0 }
    }
    /// So many hours.
    pub const fn hours(hours: u32) -> Self {
        Self { months: 0, days: 0, seconds: hours * 3600 }
    }
    /// Whether it is no time at all.
    pub fn is_zero(&self) -> bool {
        *self == Span::default()
    }
    /// The part that is the same on every calendar; none when it holds months.
    pub fn fixed(&self) -> Option<TimeDelta> {
        (self.months == 0).then(|| TimeDelta::days(i64::from(self.days)) + TimeDelta::seconds(i64::from(self.seconds)))
    }
    /// The instant this much later; none beyond the calendar. Months clip to the last day of the month.
    pub fn after(&self, start: Instant) -> Option<Instant> {
        let date = start.date_naive().checked_add_months(Months::new(self.months))?;
        let date = date.checked_add_days(Days::new(u64::from(self.days)))?;
        Utc.from_utc_datetime(&date.and_time(start.time()))
            .checked_add_signed(TimeDelta::seconds(i64::from(self.seconds)))
    }
    /// The instant this much earlier; none beyond the calendar.
    pub fn before(&self, end: Instant) -> Option<Instant> {
        let date = end.date_naive().checked_sub_months(Months::new(self.months))?;
        let date = date.checked_sub_days(Days::new(u64::from(self.days)))?;
        Utc.from_utc_datetime(&date.and_time(end.time()))
            .checked_sub_signed(TimeDelta::seconds(i64::from(self.seconds)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        if self.months >= 12 {
            write!(f, "{}Y", self.months / 12)?;
        }
        if !self.months.is_multiple_of(12) {
            write!(f, "{}M", self.months % 12)?;
        }
        if self.days > 0 || (self.months == 0 && self.seconds == 0) {
            write!(f, "{}D", self.days)?;
        }
        if self.seconds > 0 {
            f.write_str("T")?;
            let (hours, minutes, seconds) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
            for (count, unit) in [(hours, 'H'), (minutes, 'M'), (seconds, 'S')] {
                if count > 0 {
                    write!(f, "{count}{unit}")?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Span {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let bad =
            || Refusal::new("bad_duration", format!("'{text}' is no ISO-8601 duration such as P1M, P30D or PT12H"));
        let long = || Refusal::new("bad_duration", format!("'{text}' is too long: at most a thousand years, P1000Y"));
        let body = text.strip_prefix('P').ok_or_else(bad)?;
        let (date, time) = match body.split_once('T') {
            Some((_, "")) => return Err(bad()),
            Some((date, time)) => (date, time),
            None => (body, ""),
        };
        if date.is_empty() && time.is_empty() {
            return Err(bad());
        }
        let mut span = Span::default();
        for (count, unit) in parts(date).ok_or_else(bad)? {
            let slot = match unit {
                'Y' | 'M' => &mut span.months,
                'W' | 'D' => &mut span.days,
                _ => return Err(bad()),
            };
            let each = match unit {
                'Y' => 12,
                'W' => 7,
                _ => 1,
            };
            *slot = count.checked_mul(each).and_then(|more| slot.checked_add(more)).ok_or_else(long)?;
        }
        for (count, unit) in parts(time).ok_or_else(bad)? {
            let each = match unit {
                'H' => 3600,
                'M' => 60,
                'S' => 1,
                _ => return Err(bad()),
            };
            span.seconds = count.checked_mul(each).and_then(|more| span.seconds.checked_add(more)).ok_or_else(long)?;
        }
        // Anything longer than a thousand years is a slip of the pen, and keeps every sum inside the calendar.
        (span.months <= 12_000 && span.days <= 366_000).then_some(span).ok_or_else(long)
    }
}

fn parts(text: &str) -> Option<Vec<(u32, char)>> {
    let mut found = Vec::new();
    let mut digits = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
        } else {
            found.push((digits.parse().ok()?, letter));
            digits.clear();
        }
    }
    digits.is_empty().then_some(found)
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads an instant, or a day such as `2021-09-27`, which is its first instant in UTC.
///
/// # Errors
/// `bad_date`.
pub fn day_or_instant(text: &str) -> Result<Instant, Refusal> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => Ok(day.and_time(chrono::NaiveTime::MIN).and_utc()),
        Err(_) => instant(text),
    }
}

/// A day such as `2027-03-01`, or the UTC day of an instant.
///
/// # Errors
/// `bad_date`.
pub fn day(text: &str) -> Result<NaiveDate, Refusal> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => Ok(day),
        Err(_) => instant(text).map(|at| at.date_naive()),
    }
}

/// Reads an instant: RFC 3339 with an offset, up to nanoseconds, kept to the microsecond.
///
/// # Errors
/// `bad_date` for anything else (no offset, no such day, a leap second).
pub fn instant(text: &str) -> Result<Instant, Refusal> {
    let bad = || {
        Refusal::new(
            "bad_date",
            format!("'{}' is no instant such as 2027-01-31T00:00:00Z", text.chars().take(64).collect::<String>()),
        )
    };
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| bad())?.with_timezone(&Utc);
    if parsed.year() < 1 || parsed.nanosecond() >= 1_000_000_000 {
        return Err(bad());
    }
    parsed.with_nanosecond(parsed.nanosecond() / 1000 * 1000).ok_or_else(bad)
}

/// The day so many months after the anchor's month, clipped to that month's end. The anchor and not the previous
/// day: 31 January comes back to 31 March after 28 February.
pub fn anchored(start: NaiveDate, anchor_day: u32, months: u32) -> Option<NaiveDate> {
    let first = start.with_day(1)?.checked_add_months(Months::new(months))?;
    let last = first.checked_add_months(Months::new(1))?.pred_opt()?.day();
    first.with_day(anchor_day.clamp(1, last))
}

/// How an instant is written: as text where people read, as microseconds since 1970 in stored rows. Both are read.
pub mod wire {
    use super::{Instant, from_micros, instant};
    use serde::{Deserializer, Serialize, Serializer, de};
    use std::fmt;

    struct Read;

    impl de::Visitor<'_> for Read {
        type Value = Instant;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an instant such as 2027-01-31T00:00:00Z")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Instant, E> {
            text.parse().or_else(|_| instant(text)).map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, micros: i64) -> Result<Instant, E> {
            Ok(from_micros(micros))
        }

        fn visit_u64<E: de::Error>(self, micros: u64) -> Result<Instant, E> {
            i64::try_from(micros).map(from_micros).map_err(E::custom)
        }
    }

    /// Writes an instant.
    ///
    /// # Errors
    /// What the format answers.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            at.serialize(serializer)
        } else {
            serializer.serialize_i64(at.timestamp_micros())
        }
    }

    /// Reads an instant.
    ///
    /// # Errors
    /// What is no instant.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
        deserializer.deserialize_any(Read)
    }

    /// The same for an instant that may be missing.
    pub mod option {
        use super::Instant;
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        struct Written(Instant);

        impl Serialize for Written {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                super::serialize(&self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for Written {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                super::deserialize(deserializer).map(Self)
            }
        }

        /// Writes an instant or nothing.
        ///
        /// # Errors
        /// What the format answers.
        #[allow(clippy::ref_option, reason = "serde calls it so")]
        pub fn serialize<S: Serializer>(at: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
            at.map(Written).serialize(serializer)
        }

        /// Reads an instant or nothing.
        ///
        /// # Errors
        /// What is no instant.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Instant>, D::Error> {
            Ok(Option::<Written>::deserialize(deserializer)?.map(|written| written.0))
        }
    }
}
