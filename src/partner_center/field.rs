//! Taking fields out of one JSON object whatever their letter case, and keeping what nobody took.
//!
//! Nothing here fails: a field that cannot be read as what it should be is kept as it came and noted.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::domain::calendar;
use crate::domain::ids::Guid;
use crate::domain::money::Currency;
use crate::domain::{Instant, Money, Span, TenantId};
use crate::json::{self, Value};

/// Notes kept of one row, at most.
const NOTES_MAX: usize = 20;

/// A date as Partner Center writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// An instant.
    At(Instant),
    /// The year 9999: without an end.
    Open,
    /// The year 1: never happened.
    Never,
}

impl Date {
    /// The instant, where it is one.
    pub fn at(self) -> Option<Instant> {
        if let Date::At(instant) = self { Some(instant) } else { None }
    }
}

/// The members of one object, each with whether somebody took it.
pub(super) struct Fields<'a> {
    members: Vec<(&'a str, &'a Value, bool)>,
    notes: Vec<String>,
}

impl<'a> Fields<'a> {
    /// The members of an object; none of anything else.
    pub(super) fn of(value: &'a Value) -> Self {
        let members = value.members().unwrap_or_default();
        Self { members: members.iter().map(|(key, value)| (key.as_str(), value, false)).collect(), notes: Vec::new() }
    }

    /// Takes the member of this name; `null` and placeholders of documentation (`<etag>`) are as good as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a Value> {
        let mut found: Option<&'a Value> = None;
        for (key, value, taken) in &mut self.members {
            if key.eq_ignore_ascii_case(name) {
                *taken = true;
                if *key == name || found.is_none() {
                    found = Some(value);
                }
            }
        }
        found.filter(|value| !value.is_null() && !value.as_str().is_some_and(is_placeholder))
    }

    /// Gives a member back: it is kept as it came, and a note says what it should have been.
    fn keep(&mut self, name: &str, wanted: &str) {
        for (key, _, taken) in &mut self.members {
            if key.eq_ignore_ascii_case(name) {
                *taken = false;
            }
        }
        if self.notes.len() < NOTES_MAX {
            self.notes.push(format!("{name} is no {wanted}; kept as it came"));
        }
    }

    fn taken_as<T>(&mut self, name: &str, wanted: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.take(name)?;
        let found = read(value);
        if found.is_none() {
            self.keep(name, wanted);
        }
        found
    }

    /// A text; numbers and booleans as they are written.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.taken_as(name, "text", text)
    }

    /// A text with something in it.
    pub(super) fn filled(&mut self, name: &str) -> Option<String> {
        self.text(name).map(|found| found.trim().to_owned()).filter(|found| !found.is_empty())
    }

    /// A number of things: whole and not negative.
    pub(super) fn count(&mut self, name: &str) -> Option<i64> {
        self.taken_as(name, "number of things", |value| integer(value).filter(|number| *number >= 0))
    }

    /// A yes or no, also written as text or as 0 and 1.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.taken_as(name, "yes or no", flag)
    }

    /// A date.
    pub(super) fn date(&mut self, name: &str) -> Option<Date> {
        self.taken_as(name, "date", |value| date(value.as_str()?))
    }

    /// An instant; the sentinels are none.
    pub(super) fn instant(&mut self, name: &str) -> Option<Instant> {
        self.date(name)?.at()
    }

    /// The word of an enumeration in lower snake case; a number stands for the word at its place.
    pub(super) fn word(&mut self, name: &str, by_number: &[&str]) -> Option<String> {
        self.taken_as(name, "word", |value| word(value, by_number)).filter(|found| !found.is_empty())
    }

    /// A length such as `P1Y`; an empty text is none.
    pub(super) fn span(&mut self, name: &str) -> Option<Span> {
        if self.take(name)?.as_str().is_some_and(|text| text.trim().is_empty()) {
            return None;
        }
        self.taken_as(name, "length such as P1Y", |value| value.as_str()?.trim().to_ascii_uppercase().parse().ok())
    }

    /// Labels: texts by name.
    pub(super) fn labels(&mut self) -> BTreeMap<String, String> {
        let labels = self.take("labels").and_then(Value::members).unwrap_or_default().iter();
        labels.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect()
    }

    /// Everything nobody took, as JSON text by camelCase name, and the notes.
    pub(super) fn rest(self) -> (BTreeMap<String, String>, Vec<String>) {
        let left = self.members.iter().filter(|(_, value, taken)| !taken && !value.is_null());
        (left.map(|(key, value, _)| (camel(key), value.to_string())).collect(), self.notes)
    }
}

/// Text standing for something the documentation left out: `<etag>`, `{id-for-order}`, `{{CustomerId}}`.
pub(super) fn is_placeholder(text: &str) -> bool {
    let trimmed = text.trim();
    trimmed.len() > 2
        && ((trimmed.starts_with('<') && trimmed.ends_with('>'))
            || (trimmed.starts_with('{') && trimmed.ends_with('}') && trimmed.parse::<Guid>().is_err()))
}

/// Whether two values say the same: names of members in any case, members in any order, numbers by what they come to,
/// dates to the second however they are written, ids in any letter case. What the given one leaves out is not asked for.
pub fn same(known: &Value, given: &Value) -> bool {
    match (known, given) {
        (Value::Object(mine), Value::Object(_)) => {
            let theirs = given.members().unwrap_or_default();
            let all = theirs.iter().all(|(name, value)| known.get_any_case(name).is_some_and(|mine| same(mine, value)));
            all && theirs.len() <= mine.len()
        }
        (Value::Array(mine), Value::Array(theirs)) => {
            mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(mine, theirs)| same(mine, theirs))
        }
        (Value::Number(_), Value::Number(_)) => known == given || known.as_decimal() == given.as_decimal(),
        (Value::String(mine), Value::String(theirs)) => {
            let second = |text: &str| Some(date(text)?.at()?.timestamp());
            let is_id = mine.parse::<Guid>().is_ok_and(|mine| theirs.parse() == Ok(mine));
            mine == theirs || is_id || second(mine).is_some_and(|at| second(theirs) == Some(at))
        }
        _ => known == given,
    }
}

/// A value with the names of its members as responses write them, all the way down.
pub(super) fn camel_all(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (camel(name), camel_all(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(camel_all).collect()),
        other => other.clone(),
    }
}

/// The name with a small first letter, as responses write it.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number: `5`, `"5"`, `5.0`.
pub(super) fn integer(value: &Value) -> Option<i64> {
    let exact = decimal(value)?;
    (exact.fract().is_zero()).then(|| i64::try_from(exact).ok())?
}

/// An exact number, also written as text.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => Decimal::from_str_exact(text.trim()).ok(),
        other => other.as_decimal(),
    }
}

/// An amount that is not negative: `{amount, currency}` or `"10.08 EUR"`.
pub(super) fn money(value: &Value) -> Option<Money> {
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    let currency: Currency = value.get_any_case("currency")?.as_str()?.parse().ok()?;
    let amount = decimal(value.get_any_case("amount")?).filter(|amount| *amount >= Decimal::ZERO)?;
    Some(Money::new(amount, currency))
}

fn flag(value: &Value) -> Option<bool> {
    if let Some(known) = value.as_bool() {
        return Some(known);
    }
    match text(value)?.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

fn word(value: &Value, by_number: &[&str]) -> Option<String> {
    match value {
        Value::Number(number) => {
            let place = usize::try_from(number.as_i64()?).ok()?;
            by_number.get(place).map(|known| (*known).to_owned())
        }
        Value::String(text) => Some(snake(text)),
        _ => None,
    }
}

/// `OneTime`, `one_time`, `ONE_TIME` and `One time` are `one_time`.
pub fn snake(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut small_before = false;
    for letter in text.trim().chars() {
        if matches!(letter, ' ' | '-') {
            out.push('_');
            small_before = false;
            continue;
        }
        if letter.is_ascii_uppercase() && small_before {
            out.push('_');
        }
        small_before = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// Reads a date tolerantly: no zone is UTC, spaces inside are slips, a day alone is its midnight, fractions of any
/// length are cut to the microsecond.
pub(super) fn date(text: &str) -> Option<Date> {
    let trimmed = text.trim();
    if trimmed.len() > 64 || !trimmed.is_ascii() {
        return None;
    }
    let mut plain = trimmed.to_ascii_uppercase();
    if !plain.contains('T') && plain.as_bytes().get(10) == Some(&b' ') {
        plain.replace_range(10..11, "T");
    }
    plain.retain(|letter| letter != ' ');
    let (day, time) = plain.split_once('T').unwrap_or((&plain, "00:00:00Z"));
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    match day.year() {
        9999.. => return Some(Date::Open),
        ..=1 => return Some(Date::Never),
        _ => {}
    }
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let whole = if whole.len() == 5 { format!("{whole}:00") } else { whole.to_owned() };
    let zone = match zone.len() {
        0 => "Z".to_owned(),
        5 => format!("{}:{}", &zone[..3], &zone[3..]),
        _ => zone.to_owned(),
    };
    let fraction = &fraction[..fraction.len().min(6)];
    calendar::instant(&format!("{day}T{whole}.{fraction}{zone}")).ok().map(Date::At)
}

/// A tenant's id from text: a GUID, or one derived from any other text.
pub(super) fn tenant(text: &str) -> TenantId {
    TenantId(guid("tenant", text))
}

/// A GUID from text: itself, or one derived from the noun and the text.
pub(super) fn guid(noun: &str, text: &str) -> Guid {
    let trimmed = text.trim();
    trimmed.parse().unwrap_or_else(|_| Guid::derive(format!("{noun}:{trimmed}").as_bytes()))
}

/// The tenant a path of Partner Center is about: the GUID behind `/customers/`.
pub(super) fn tenant_of_path(path: &str) -> Option<TenantId> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.split(['/', '\\']);
    parts.find(|part| part.eq_ignore_ascii_case("customers"))?;
    parts.next()?.parse().ok()
}

/// The address of a link of this object.
pub(super) fn link<'a>(row: &'a Value, name: &str) -> Option<&'a str> {
    row.get_any_case("links")?.get_any_case(name)?.get_any_case("uri")?.as_str()
}

/// The tenant that the links of an object name.
pub(super) fn tenant_of_links(row: &Value) -> Option<TenantId> {
    let links = row.get_any_case("links")?;
    let own = link(row, "self").and_then(tenant_of_path);
    let others = links.members().unwrap_or_default().iter();
    own.or_else(|| others.filter_map(|(_, link)| link.get_any_case("uri")?.as_str()).find_map(tenant_of_path))
}

/// The links of a row without its own address, for keeping; none when nothing is left.
pub(super) fn other_links(links: &Value) -> Option<String> {
    foreign_links(links, &[])
}

/// The links of a row without its own address and without those that are written anew each time, by name and path.
pub(super) fn foreign_links(links: &Value, own: &[(&str, String)]) -> Option<String> {
    let is_own = |name: &str, link: &Value| {
        let path = link.get_any_case("uri").and_then(Value::as_str).and_then(|uri| uri.split('?').next());
        own.iter().any(|(known, address)| {
            known.eq_ignore_ascii_case(name) && path.is_some_and(|path| path.eq_ignore_ascii_case(address))
        })
    };
    let others = links.members()?.iter();
    let others = others.filter(|(name, link)| !name.eq_ignore_ascii_case("self") && !is_own(name, link));
    let others: Vec<(String, Value)> = others.map(|(name, link)| (camel(name), camel_all(link))).collect();
    (!others.is_empty()).then(|| Value::Object(others).to_string())
}

/// JSON text kept earlier, as a value.
pub(super) fn kept(extra: &BTreeMap<String, String>, name: &str) -> Option<Value> {
    json::parse_up_to(extra.get(name)?.as_bytes(), super::DOCUMENT_BYTES_MAX).ok()
}

/// The first instant after a last one that is named: midnight when the last minute or second of a day is, otherwise
/// the next whole second.
pub(super) fn after_last(last: Instant) -> Option<Instant> {
    let second = DateTime::<Utc>::from_timestamp(last.timestamp(), 0)?;
    let step = if second.timestamp().rem_euclid(86_400) == 86_340 { 60 } else { 1 };
    second.checked_add_signed(TimeDelta::seconds(step))
}

/// The midnight that begins the day of an instant.
pub(super) fn midnight(instant: Instant) -> Option<Instant> {
    DateTime::<Utc>::from_timestamp(instant.timestamp() - instant.timestamp().rem_euclid(86_400), 0)
}
