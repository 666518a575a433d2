//! The two dialects of cron expressions, read into plain sets of numbers.
//!
//! * Five fields are POSIX: minute, hour, day of month, month, day of week. Days of the week are 0-7 (0 and 7 are Sunday)
//!   or names. When both day fields are restricted, either may match; a field that begins with `*` is not restricted.
//! * Six fields are the `cron` crate's: second first, and both day fields must match. Days of the week are names only,
//!   because that crate counts Sunday as 1 and people who come from crontab count Monday as 1.
//!
//! Both know lists, ranges, steps, and ranges of names that wrap around the end (`Fri-Mon`, `Nov-Feb`). Neither knows `L`,
//! `W`, `#` or years. Nicknames: `@yearly @annually @monthly @weekly @daily @midnight @hourly`.

use super::{EXPRESSION_LENGTH_MAX, ScheduleError};
use crate::suggest;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const WEEKDAYS_LONG: [&str; 7] = ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"];
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];
const SECONDS_OF_A_DAY: u32 = 86_400;

/// What a field may hold and what it is called.
struct Kind {
    name: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
    /// The number of the first name.
    names_from: u32,
}

const SECOND: Kind = Kind { name: "second", first: 0, last: 59, names: &[], names_from: 0 };
const MINUTE: Kind = Kind { name: "minute", first: 0, last: 59, names: &[], names_from: 0 };
const HOUR: Kind = Kind { name: "hour", first: 0, last: 23, names: &[], names_from: 0 };
const DAY: Kind = Kind { name: "day of month", first: 1, last: 31, names: &[], names_from: 0 };
const MONTH: Kind = Kind { name: "month", first: 1, last: 12, names: &MONTHS, names_from: 1 };
const WEEKDAY: Kind = Kind { name: "day of week", first: 0, last: 7, names: &WEEKDAYS, names_from: 0 };

/// A set of numbers below 64, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Set(u64);

impl Set {
    fn insert(&mut self, number: u32) {
        self.0 |= 1 << number;
    }

    fn has(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }

    fn numbers(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |number| self.has(*number))
    }

    fn len(self) -> u32 {
        self.0.count_ones()
    }
}

/// An expression, read. Equal when the same wall times match and clock changes are treated alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    seconds: Set,
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    /// 0 is Sunday.
    weekdays: Set,
    /// Either day field may match, instead of both having to.
    either_day: bool,
    /// The hour field begins with `*` or names all 24: follows elapsed time when the clocks change.
    pub(super) through_the_hours: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Posix,
    Seconds,
}

fn bad(kind: &Kind, message: impl Into<String>) -> ScheduleError {
    ScheduleError::new("bad_cron", kind.name, message)
}

fn bad_expression(message: impl Into<String>) -> ScheduleError {
    ScheduleError::new("bad_cron", "expression", message)
}

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Fields, ScheduleError> {
        if text.len() > EXPRESSION_LENGTH_MAX {
            return Err(bad_expression(format!("longer than {EXPRESSION_LENGTH_MAX} characters")));
        }
        if let Some(letter) = text.chars().find(|letter| !letter.is_ascii() || letter.is_control() && *letter != '\t') {
            return Err(bad_expression(format!("{letter:?} does not belong in a cron expression")));
        }
        let text = text.trim();
        if text.starts_with('@') {
            return Fields::nickname(text);
        }
        let parts: Vec<&str> = text.split_ascii_whitespace().collect();
        match parts[..] {
            [minute, hour, day, month, weekday] => {
                Fields::read(Dialect::Posix, ["0", minute, hour, day, month, weekday])
            }
            [second, minute, hour, day, month, weekday] => {
                Fields::read(Dialect::Seconds, [second, minute, hour, day, month, weekday])
            }
            [_, _, _, _, _, _, _] => Err(bad_expression("seven fields: a year is not supported")),
            _ => Err(bad_expression(format!("has {} fields", parts.len()))
                .suggest("five fields are minute hour day month weekday, six begin with the second")),
        }
    }

    fn nickname(text: &str) -> Result<Fields, ScheduleError> {
        if let Some((_, meaning)) = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Fields::parse(meaning);
        }
        if text.eq_ignore_ascii_case("@reboot") {
            return Err(bad_expression("@reboot is no point in time"));
        }
        let known = NICKNAMES.map(|(name, _)| name);
        let error = bad_expression(format!("{text:?} is not known"));
        Err(match suggest::nearest(text, known) {
            Some(near) => error.suggest(format!("did you mean {near:?}?")),
            None => error.suggest(format!("known are {}", known.join(" "))),
        })
    }

    fn read(dialect: Dialect, parts: [&str; 6]) -> Result<Fields, ScheduleError> {
        let [second, minute, hour, day, month, weekday] = parts;
        let star = |text: &str| text.starts_with('*') || text == "?";
        let hours = field(dialect, &HOUR, hour)?;
        Ok(Fields {
            seconds: field(dialect, &SECOND, second)?,
            minutes: field(dialect, &MINUTE, minute)?,
            hours,
            days: field(dialect, &DAY, day)?,
            months: field(dialect, &MONTH, month)?,
            weekdays: field(dialect, &WEEKDAY, weekday)?,
            either_day: dialect == Dialect::Posix && !star(day) && !star(weekday),
            through_the_hours: star(hour) || hours.len() == 24,
        })
    }

    /// Whether any calendar has such a day.
    pub(super) fn ever_fires(&self) -> bool {
        let longest = |month: u32| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let some_day = self.months.numbers().any(|month| self.days.numbers().any(|day| day <= longest(month)));
        some_day || self.either_day
    }

    /// The least number of seconds between two firings on the wall clock.
    pub(super) fn period_seconds(&self) -> u32 {
        let gap = |set: Set, unit: u32, cycle: u32| {
            let numbers: Vec<u32> = set.numbers().collect();
            let inner = numbers.windows(2).map(|pair| pair[1] - pair[0]).min();
            let around = numbers.first().zip(numbers.last()).map(|(first, last)| first + cycle - last);
            (inner.map(|gap| gap * unit), around.map(|gap| gap * unit))
        };
        let span = |set: Set| set.numbers().last().unwrap_or(0) - set.numbers().next().unwrap_or(0);
        let (second, _) = gap(self.seconds, 1, 60);
        let (minute, _) = gap(self.minutes, 60, 60);
        let (hour, _) = gap(self.hours, 3_600, 24);
        // From the last firing of one minute, hour or day to the first of the next that fires.
        let minute = minute.map(|gap| gap - span(self.seconds));
        let hour = hour.map(|gap| gap - span(self.minutes) * 60 - span(self.seconds));
        let inside_a_day = span(self.hours) * 3_600 + span(self.minutes) * 60 + span(self.seconds);
        let day = SECONDS_OF_A_DAY - inside_a_day;
        [second, minute, hour, Some(day)].into_iter().flatten().min().unwrap_or(SECONDS_OF_A_DAY)
    }

    /// The same days and times as expressions of the engine; two when either day field may match.
    pub(super) fn engine_expressions(&self) -> Vec<String> {
        let list = |set: Set| set.numbers().map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        let times = format!("{} {} {}", list(self.seconds), list(self.minutes), list(self.hours));
        let months = list(self.months);
        let days = list(self.days);
        let weekdays: Vec<&str> = self.weekdays.numbers().map(|day| WEEKDAYS[day as usize]).collect();
        let weekdays = weekdays.join(",");
        if self.either_day {
            vec![format!("{times} {days} {months} *"), format!("{times} * {months} {weekdays}")]
        } else {
            vec![format!("{times} {days} {months} {weekdays}")]
        }
    }

    /// Times and days in words.
    pub(super) fn describe(&self) -> String {
        format!("{} {}", self.describe_times(), self.describe_days())
    }

    fn describe_times(&self) -> String {
        let list = |set: Set| set.numbers().map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
        let only = |set: Set| if set.len() == 1 { set.numbers().next() } else { None };
        let seconds = match only(self.seconds) {
            Some(0) => String::new(),
            _ if self.seconds.len() == 60 => "every second of ".into(),
            _ => format!("second {} of ", list(self.seconds)),
        };
        if let (Some(minute), true) = (only(self.minutes), self.hours.len() <= 6 && only(self.seconds).is_some()) {
            let second = only(self.seconds).filter(|second| *second > 0);
            let second = second.map(|second| format!(":{second:02}")).unwrap_or_default();
            let times: Vec<String> =
                self.hours.numbers().map(|hour| format!("{hour:02}:{minute:02}{second}")).collect();
            return format!("at {}", times.join(", "));
        }
        let minutes =
            if self.minutes.len() == 60 { "every minute".into() } else { format!("minute {}", list(self.minutes)) };
        let hours = if self.hours.len() == 24 { "every hour".into() } else { format!("hour {}", list(self.hours)) };
        format!("{seconds}{minutes} of {hours}")
    }

    fn describe_days(&self) -> String {
        let list = |set: Set| set.numbers().map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
        let names = |set: Set, all: &[&str], from: u32| {
            set.numbers().map(|number| capitalised(all[(number - from) as usize])).collect::<Vec<_>>().join(", ")
        };
        let day = (self.days.len() < 31).then(|| format!("day {} of the month", list(self.days)));
        let weekday = (self.weekdays.len() < 7).then(|| names(self.weekdays, &WEEKDAYS, 0));
        let days = match (day, weekday) {
            (Some(day), Some(weekday)) if self.either_day => format!("on {day} or {weekday}"),
            (Some(day), Some(weekday)) => format!("on {day} if it is {weekday}"),
            (Some(day), None) if !self.either_day => format!("on {day}"),
            (None, Some(weekday)) if !self.either_day => format!("on {weekday}"),
            _ => "every day".into(),
        };
        let in_months = (self.months.len() < 12).then(|| format!(" in {}", names(self.months, &MONTHS, 1)));
        format!("{days}{}", in_months.unwrap_or_default())
    }
}

fn capitalised(name: &str) -> String {
    format!("{}{}", &name[..1], name[1..].to_ascii_lowercase())
}

fn field(dialect: Dialect, kind: &Kind, text: &str) -> Result<Set, ScheduleError> {
    if text == "?" {
        let day = kind.name == DAY.name || kind.name == WEEKDAY.name;
        return match dialect {
            Dialect::Seconds if day => item(dialect, kind, "*"),
            _ => Err(bad(kind, "'?' is only for the day fields of a six-field expression").suggest("write '*'")),
        };
    }
    let mut set = Set::default();
    for part in text.split(',') {
        set.0 |= item(dialect, kind, part)?.0;
    }
    Ok(set)
}

/// One part of a list: `*`, `7`, `MON`, `1-5`, `Fri-Mon`, each perhaps with `/step`.
fn item(dialect: Dialect, kind: &Kind, text: &str) -> Result<Set, ScheduleError> {
    let (range, step) = match text.split_once('/') {
        None => (text, None),
        Some((range, step)) => (range, Some(number(kind, step)?)),
    };
    let size = if kind.name == WEEKDAY.name { 7 } else { kind.last - kind.first + 1 };
    let (first, count) = match range.split_once('-') {
        _ if range == "*" => (kind.first, size),
        Some((first, last)) => span(dialect, kind, size, first, last)?,
        None => {
            let (first, _) = value(dialect, kind, range)?;
            match (step, dialect) {
                (None, _) => (first, 1),
                (Some(_), Dialect::Seconds) => (first, size - (first - kind.first)),
                (Some(step), Dialect::Posix) => {
                    let last = kind.first + size - 1;
                    return Err(bad(kind, "a step needs a range").suggest(format!("write '{range}-{last}/{step}'")));
                }
            }
        }
    };
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(bad(kind, "a step of 0 never moves"));
    }
    if step > 1 && step >= count {
        return Err(bad(kind, format!("a step of {step} leaves the range after its first value")));
    }
    let mut set = Set::default();
    for index in (0..count).step_by(step as usize) {
        set.insert(kind.first + (first - kind.first + index) % size);
    }
    Ok(set)
}

/// The first value and the number of values of a range.
fn span(dialect: Dialect, kind: &Kind, size: u32, first: &str, last: &str) -> Result<(u32, u32), ScheduleError> {
    let (start, start_named) = value(dialect, kind, first)?;
    let (end, end_named) = value(dialect, kind, last)?;
    if start <= end {
        // 0-7 names Sunday twice.
        return Ok((start, (end - start + 1).min(size)));
    }
    if start_named && end_named {
        return Ok((start, size - (start - end) + 1));
    }
    let error = bad(kind, format!("the range {first}-{last} runs backwards"));
    Err(error.suggest(format!("write '{first}-{},{}-{last}'", kind.first + size - 1, kind.first)))
}

/// A number or a name, and whether it was a name.
fn value(dialect: Dialect, kind: &Kind, text: &str) -> Result<(u32, bool), ScheduleError> {
    if text.is_empty() {
        return Err(bad(kind, "an empty part"));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        if kind.name == WEEKDAY.name && dialect == Dialect::Seconds {
            return Err(bad(kind, "numbers are read differently by different crons (is 1 Sunday or Monday?)")
                .suggest("with six fields write names: MON-FRI"));
        }
        let number = number(kind, text)?;
        if number < kind.first || number > kind.last {
            return Err(bad(kind, format!("{number} is not between {} and {}", kind.first, kind.last)));
        }
        return Ok((number, false));
    }
    let matches = |name: &&str| name.eq_ignore_ascii_case(text);
    let mut position = kind.names.iter().position(matches);
    if kind.name == WEEKDAY.name {
        position = position.or_else(|| WEEKDAYS_LONG.iter().position(matches));
    }
    match position {
        Some(index) => Ok((kind.names_from + u32::try_from(index).unwrap_or(0), true)),
        None => Err(unknown(kind, text)),
    }
}

fn unknown(kind: &Kind, text: &str) -> ScheduleError {
    let error = bad(kind, format!("{text:?} is not understood"));
    if text.contains(['L', 'W', '#', 'l', 'w']) && kind.names.is_empty() || text.contains('#') {
        return error.suggest("L, W and # are not supported");
    }
    match suggest::nearest(text, kind.names.iter().copied()) {
        Some(near) => error.suggest(format!("did you mean {near}?")),
        None if kind.names.is_empty() => error.suggest("write numbers, lists 1,2, ranges 1-5, steps */2"),
        None => error.suggest(format!("names are {}", kind.names.join(" "))),
    }
}

fn number(kind: &Kind, text: &str) -> Result<u32, ScheduleError> {
    // Two digits reach every value; more would only be leading zeros or overflow.
    let plain = !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = plain.then(|| text.parse().ok()).flatten();
    value.ok_or_else(|| bad(kind, format!("{text:?} is no number up to {}", kind.last)))
}
