//! Reading a TOML file key by key, so that every mistake can be shown where it stands.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::suggest;

/// A mistake in a file, shown with the line it is on and a caret under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file as it was named.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where we can tell.
    pub hint: Option<String>,
    excerpt: String,
    width: usize,
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        let number = self.line.to_string();
        writeln!(out, "{number} | {}", self.excerpt)?;
        let margin = " ".repeat(number.len());
        write!(out, "{margin} | {}{}", " ".repeat(self.column - 1), "^".repeat(self.width))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(out, " {hint}"))
    }
}

/// A file's name and text.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn mistake(&self, span: &Range<usize>, message: impl Into<String>, hint: Option<String>) -> Mistake {
        let start = (0..=span.start.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let excerpt = self.text[line_start..].lines().next().unwrap_or_default().replace('\t', " ");
        let column = before[line_start..].chars().count() + 1;
        let marked = self.text.get(start..span.end).unwrap_or_default().lines().next().unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let width = marked.chars().count().max(1);
        Mistake { file: self.file.to_owned(), line, column, message: message.into(), hint, excerpt, width }
    }
}

/// One table of the file: what it is called, what is in it, where it is.
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    name: String,
    table: Option<&'a DeTable<'a>>,
}

type Read<T> = Result<Option<T>, Mistake>;

impl<'a> Section<'a> {
    pub(super) fn root(source: &'a Source<'a>, table: &'a DeTable<'a>) -> Section<'a> {
        Section { source, name: String::new(), table: Some(table) }
    }

    fn entries(&self) -> impl Iterator<Item = (&'a str, Range<usize>, &'a Spanned<DeValue<'a>>)> {
        let table = self.table.into_iter();
        table.flat_map(|table| table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)))
    }

    fn find(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.entries().find(|(name, _, _)| *name == key).map(|(_, _, value)| value)
    }

    fn wrong(&self, value: &Spanned<DeValue<'_>>, key: &str, expected: &str, hint: Option<String>) -> Mistake {
        let found = value.get_ref().type_str();
        self.source.mistake(&value.span(), format!("{}: expected {expected}, found {found}", self.path(key)), hint)
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Refuses every key that is not one of these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Mistake> {
        let Some((key, span, _)) = self.entries().find(|(key, _, _)| !known.contains(key)) else { return Ok(()) };
        let place = if self.name.is_empty() { "at the top".to_owned() } else { format!("in [{}]", self.name) };
        let near = suggest::nearest(key, known.iter().copied());
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        Err(self.source.mistake(&span, format!("unknown key `{key}` {place}"), Some(hint)))
    }

    /// The table called `key`; empty when it is not there.
    pub(super) fn section(&self, key: &str) -> Result<Section<'a>, Mistake> {
        let name = self.path(key);
        let Some(value) = self.find(key) else { return Ok(Section { source: self.source, name, table: None }) };
        match value.get_ref() {
            DeValue::Table(table) => Ok(Section { source: self.source, name, table: Some(table) }),
            _ => Err(self.wrong(value, key, &format!("a table [{name}]"), None)),
        }
    }

    /// The tables inside this one with their names, which must be short and plain.
    pub(super) fn named_sections(&self) -> Result<Vec<(String, Section<'a>)>, Mistake> {
        let mut sections = Vec::new();
        for (key, span, _) in self.entries() {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if key.is_empty() || key.len() > 64 || !key.bytes().all(plain) {
                let hint = Some("1 to 64 letters, digits, - and _".to_owned());
                return Err(self.source.mistake(&span, format!("`{key}` is no name for [{}.NAME]", self.name), hint));
            }
            sections.push((key.to_owned(), self.section(key)?));
        }
        Ok(sections)
    }

    /// Where the value of `key` stands, for mistakes a caller finds in it.
    pub(super) fn mistake(&self, key: &str, message: impl fmt::Display, hint: Option<String>) -> Mistake {
        let span = self.find(key).map_or(0..0, Spanned::span);
        self.source.mistake(&span, format!("{}: {message}", self.path(key)), hint)
    }

    /// The mistake of a key that is not there, shown at the table's name.
    pub(super) fn missing(&self, key: &str, expected: &str) -> Mistake {
        let header = self.source.text.find(&format!("[{}]", self.name)).unwrap_or(0);
        let end = header + self.name.len() + 2;
        let message = format!("[{}] has no `{key}`", self.name);
        self.source.mistake(&(header..end), message, Some(format!("add `{key} = {expected}`")))
    }

    pub(super) fn text(&self, key: &str) -> Read<&'a str> {
        let Some(value) = self.find(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => Ok(Some(text.as_ref())),
            DeValue::String(_) => Err(self.mistake(key, "must not be empty", None)),
            _ => Err(self.wrong(value, key, "a text in quotes", None)),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Read<Vec<String>> {
        let Some(value) = self.find(key) else { return Ok(None) };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong(value, key, "a list of texts", Some("write [\"one\", \"two\"]".into())));
        };
        let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::String(text) => Ok(text.as_ref().to_owned()),
            _ => Err(self.wrong(item, key, "a text in quotes", None)),
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn flag(&self, key: &str) -> Read<bool> {
        let Some(value) = self.find(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(Some(*flag)),
            _ => Err(self.wrong(value, key, "true or false", None)),
        }
    }

    pub(super) fn number(&self, key: &str, range: RangeInclusive<u64>) -> Read<u64> {
        let Some(value) = self.find(key) else { return Ok(None) };
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err(self.wrong(value, key, "a whole number", None));
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        self.in_range(key, number, &range, &|bound| bound.to_string())
    }

    /// A number of bytes: a whole number, or text such as `"64 MiB"`.
    pub(super) fn size(&self, key: &str, range: RangeInclusive<u64>) -> Read<u64> {
        let Some(value) = self.find(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Integer(_) => self.number(key, range),
            DeValue::String(text) => {
                let Some(bytes) = parse_size(text) else {
                    return Err(self.mistake(key, "is no size", Some("write \"64 MiB\", \"512 KiB\" or bytes".into())));
                };
                self.in_range(key, Some(bytes), &range, &|bound| format!("{bound} bytes"))
            }
            _ => Err(self.wrong(value, key, "a size such as \"64 MiB\"", None)),
        }
    }

    pub(super) fn duration(&self, key: &str, range: RangeInclusive<Duration>) -> Read<Duration> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let Some(duration) = parse_duration(text) else {
            let hint = "write \"P90D\", \"PT5M\" or \"PT0.5S\"; years and months have no fixed length".to_owned();
            return Err(self.mistake(key, format!("{text:?} is no ISO 8601 duration"), Some(hint)));
        };
        self.in_range(key, Some(duration), &range, &|bound| written(*bound))
    }

    fn in_range<T: PartialOrd>(
        &self,
        key: &str,
        value: Option<T>,
        range: &RangeInclusive<T>,
        show: &dyn Fn(&T) -> String,
    ) -> Read<T> {
        match value {
            Some(value) if range.contains(&value) => Ok(Some(value)),
            _ => {
                let message = format!("must be between {} and {}", show(range.start()), show(range.end()));
                Err(self.mistake(key, message, None))
            }
        }
    }

    /// A free table, without floats: a number with a fraction is written as text and stays exact.
    pub(super) fn free_tables(&self) -> Result<Vec<(String, toml::Table)>, Mistake> {
        let mut tables = Vec::new();
        for (key, _, value) in self.entries() {
            match self.free(value)? {
                toml::Value::Table(table) => tables.push((key.to_owned(), table)),
                _ => return Err(self.wrong(value, key, &format!("a table [{}.\"{key}\"]", self.name), None)),
            }
        }
        Ok(tables)
    }

    fn free(&self, value: &Spanned<DeValue<'_>>) -> Result<toml::Value, Mistake> {
        let refuse = |message: &str, hint: &str| Err(self.source.mistake(&value.span(), message, Some(hint.into())));
        match value.get_ref() {
            DeValue::String(text) => Ok(toml::Value::String(text.as_ref().to_owned())),
            DeValue::Boolean(flag) => Ok(toml::Value::Boolean(*flag)),
            DeValue::Datetime(_) => refuse("dates in params are text", "put it in quotes"),
            DeValue::Float(_) => refuse("floats are not exact", "put it in quotes"),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => Ok(toml::Value::Integer(number)),
                Err(_) => refuse("the number is too large", "at most 9223372036854775807"),
            },
            DeValue::Array(items) => {
                Ok(toml::Value::Array(items.iter().map(|item| self.free(item)).collect::<Result<_, _>>()?))
            }
            DeValue::Table(table) => {
                let pair = |(key, item): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                    let key: &std::borrow::Cow<'_, str> = key.get_ref();
                    Ok((key.as_ref().to_owned(), self.free(item)?))
                };
                Ok(toml::Value::Table(table.iter().map(pair).collect::<Result<_, Mistake>>()?))
            }
        }
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A duration as it would be written in the file.
fn written(duration: Duration) -> String {
    match (duration.as_secs() / 86_400, duration.as_secs() % 86_400, duration.subsec_nanos()) {
        (days, 0, 0) if days > 0 => format!("P{days}D"),
        _ => format!("PT{}S", duration.as_secs_f64()),
    }
}

/// An ISO 8601 duration of fixed length: weeks, days, hours, minutes, seconds with a fraction; at least one of them.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('P')?;
    let (days, times) = text.split_once('T').map_or((text, None), |(days, times)| (days, Some(times)));
    let mut total = Duration::ZERO;
    let mut parts = 0;
    for (text, units) in
        [(Some(days), &[('W', 604_800), ('D', 86_400)][..]), (times, &[('H', 3_600), ('M', 60), ('S', 1)])]
    {
        let Some(mut rest) = text else { continue };
        if rest.is_empty() && text == times {
            return None;
        }
        for (letter, seconds) in units {
            let Some((number, after)) = rest.split_once(*letter) else { continue };
            total = total.checked_add(amount(number, *seconds)?)?;
            rest = after;
            parts += 1;
        }
        if !rest.is_empty() {
            return None;
        }
    }
    (parts > 0).then_some(total)
}

fn amount(number: &str, unit_seconds: u64) -> Option<Duration> {
    let digits = |text: &str| !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !digits(whole) || !digits(fraction) || (number.contains('.') && unit_seconds != 1) {
        return None;
    }
    let nanoseconds: u32 = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse::<u64>().ok()?.checked_mul(unit_seconds)?, nanoseconds))
}
