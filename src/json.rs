//! A strict JSON reader for everything that comes from outside.
//!
//! It keeps what a usual reader loses: numbers stay the exact text they were written as, a key that appears twice is an
//! error (also when one of them is escaped), and every error carries a stable code and the place it was found at. Reading
//! never makes a float, never recurses deeper than its limit, and never makes more values than its limit.

use std::fmt;

use rust_decimal::Decimal;

mod read;

/// Arrays and objects inside each other, at most. Real documents stay under ten; the writer and `Drop` recurse too.
pub const DEPTH_MAX: usize = 64;
/// Bytes of one document unless a caller says otherwise: the limit of a request body, 256 KiB.
pub const BYTES_MAX: usize = 256 * 1024;

/// Values of one document, at most: about 100 MB of memory, and more than any import of allowed size needs.
pub const VALUES_MAX: usize = 1_000_000;

/// One JSON value. Objects keep the order they were written in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, exactly as written.
    Number(Number),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// The members of an object in the order written; no key appears twice in what [`parse`] returns.
    Object(Vec<(String, Value)>),
}

/// A JSON number as the exact text it was written as: `1.10` stays `1.10`, `9007199254740993` stays itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

/// Why a document was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} at line {line}, column {column} (byte {offset})")]
pub struct Error {
    /// What kind of mistake.
    pub code: Code,
    /// Bytes before the mistake.
    pub offset: usize,
    /// Line of the mistake, counted from 1.
    pub line: usize,
    /// Column of the mistake in characters, counted from 1.
    pub column: usize,
    /// What was found or expected, for people; never more than a short piece of the input.
    pub detail: String,
}

/// The kinds of mistake, with the names callers may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Not JSON: grammar, a number no other reader could hold, a lone surrogate.
    InvalidJson,
    /// A key appears twice in one object.
    DuplicateKey,
    /// The bytes are not UTF-8.
    InvalidUtf8,
    /// More than [`DEPTH_MAX`] arrays and objects inside each other.
    TooDeep,
    /// More bytes than allowed, or more than [`VALUES_MAX`] values.
    TooLarge,
}

impl Code {
    /// The stable snake_case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidJson => "invalid_json",
            Code::DuplicateKey => "duplicate_key",
            Code::InvalidUtf8 => "invalid_utf8",
            Code::TooDeep => "too_deep",
            Code::TooLarge => "too_large",
        }
    }
}

/// Reads one JSON document of at most [`BYTES_MAX`] bytes.
///
/// # Errors
/// The first mistake found, see [`Code`].
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    parse_up_to(bytes, BYTES_MAX)
}

/// Reads one JSON document of at most `bytes_max` bytes.
///
/// # Errors
/// The first mistake found, see [`Code`].
pub fn parse_up_to(bytes: &[u8], bytes_max: usize) -> Result<Value, Error> {
    if bytes.len() > bytes_max {
        let detail = format!("the document has {} bytes, at most {bytes_max} are read", bytes.len());
        return Err(Error { code: Code::TooLarge, offset: 0, line: 1, column: 1, detail });
    }
    read::document(bytes)
}

impl Number {
    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value when it was written as a plain integer that fits; `1.0`, `1e2` and `-0` are not integers.
    pub fn as_i64(&self) -> Option<i64> {
        if &*self.0 == "-0" { None } else { self.0.parse().ok() }
    }

    /// The exact value, or `None` when a decimal of 28 digits cannot hold it without rounding.
    pub fn as_decimal(&self) -> Option<Decimal> {
        let Some((mantissa, exponent)) = self.0.split_once(['e', 'E']) else {
            return Decimal::from_str_exact(&self.0).ok();
        };
        let exponent: i64 = exponent.parse().ok()?;
        let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let point = i64::try_from(digits.len()).ok()? - i64::try_from(fraction.len()).ok()? + exponent;
        if digits.is_empty() {
            return Some(Decimal::ZERO);
        }
        if !(-28..=29).contains(&point) {
            return None;
        }
        let length = i64::try_from(digits.len()).ok()?;
        let plain = if point <= 0 {
            format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-point).ok()?))
        } else if point >= length {
            format!("{sign}{digits}{}", "0".repeat(usize::try_from(point - length).ok()?))
        } else {
            let (before, after) = digits.split_at(usize::try_from(point).ok()?);
            format!("{sign}{before}.{after}")
        };
        Decimal::from_str_exact(&plain).ok()
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Number {
        Number(value.to_string().into())
    }
}

impl From<Decimal> for Number {
    fn from(value: Decimal) -> Number {
        Number(value.to_string().into())
    }
}

impl Value {
    /// The member of an object called exactly `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.members()?.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The member called `key` whatever its letter case (Partner Center writes both `Id` and `id`); an exact match wins,
    /// then the first.
    pub fn get_any_case(&self, key: &str) -> Option<&Value> {
        let any = || self.members()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        self.get(key).or_else(any)
    }

    /// The members of an object, in order.
    pub fn members(&self) -> Option<&[(String, Value)]> {
        if let Value::Object(members) = self { Some(members) } else { None }
    }

    /// The items of an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::Array(items) = self { Some(items) } else { None }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self { Some(*value) } else { None }
    }

    /// The number, exactly as written.
    pub fn as_number(&self) -> Option<&Number> {
        if let Value::Number(number) = self { Some(number) } else { None }
    }

    /// See [`Number::as_i64`].
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// See [`Number::as_decimal`].
    pub fn as_decimal(&self) -> Option<Decimal> {
        self.as_number()?.as_decimal()
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// What kind of value this is, in a word for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }

    /// The same value for serde; `None` when a number in it cannot be carried over without changing its value.
    pub fn to_serde(&self) -> Option<serde_json::Value> {
        use serde_json::Value as Other;
        Some(match self {
            Value::Null => Other::Null,
            Value::Bool(value) => Other::Bool(*value),
            Value::String(text) => Other::String(text.clone()),
            Value::Number(number) => Other::Number(serde_number(number)?),
            Value::Array(items) => Other::Array(items.iter().map(Value::to_serde).collect::<Option<_>>()?),
            Value::Object(members) => {
                let pair = |(key, value): &(String, Value)| Some((key.clone(), value.to_serde()?));
                Other::Object(members.iter().map(pair).collect::<Option<_>>()?)
            }
        })
    }
}

impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::String(text) => serializer.serialize_str(text),
            Value::Number(number) => match serde_number(number) {
                Some(number) => number.serialize(serializer),
                None => Err(serde::ser::Error::custom("a number of the document cannot be carried over")),
            },
            Value::Array(items) => serializer.collect_seq(items),
            Value::Object(members) => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
        }
    }
}

fn serde_number(number: &Number) -> Option<serde_json::Number> {
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Ok(value) = number.as_str().parse::<u64>() {
        return Some(value.into());
    }
    let exact = number.as_decimal()?;
    let other = serde_json::Number::from_f64(number.as_str().parse().ok()?)?;
    let back = Number(other.to_string().into()).as_decimal();
    (back == Some(exact)).then_some(other)
}

impl From<&serde_json::Value> for Value {
    fn from(other: &serde_json::Value) -> Value {
        use serde_json::Value as Other;
        match other {
            Other::Null => Value::Null,
            Other::Bool(value) => Value::Bool(*value),
            Other::Number(number) => Value::Number(Number(number.to_string().into())),
            Other::String(text) => Value::String(text.clone()),
            Other::Array(items) => Value::Array(items.iter().map(Value::from).collect()),
            Other::Object(members) => {
                Value::Object(members.iter().map(|(key, value)| (key.clone(), value.into())).collect())
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Compact JSON: no spaces, members in their order, numbers as they were written.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => out.write_str("null"),
            Value::Bool(value) => write!(out, "{value}"),
            Value::Number(number) => write!(out, "{number}"),
            Value::String(text) => write_string(out, text),
            Value::Array(items) => {
                let mut separator = "[";
                for item in items {
                    write!(out, "{separator}{item}")?;
                    separator = ",";
                }
                out.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Value::Object(members) => {
                let mut separator = "{";
                for (key, value) in members {
                    out.write_str(separator)?;
                    write_string(out, key)?;
                    write!(out, ":{value}")?;
                    separator = ",";
                }
                out.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

fn write_string(out: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write;
    out.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control))?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests;
