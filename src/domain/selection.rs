//! Selections: the one grammar for `each`, `where`, queries of scripts, HTTP and the command line.
//!
//! `field = value` or a list of values (any of them), with the suffixes `_min` and `_max` (both inclusive), `_after`
//! (at or after), `_before` (before), `_within` (a duration: from now to so much later, both inclusive), and
//! `label.NAME` (an empty text: without that label). Every condition must hold. Names are in snake_case; camelCase is
//! read too. A record without a value for a field is in no selection on it. Nothing here reads a record's store.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;

use super::calendar::show;
use super::{Instant, Money, Refusal, Span};

mod fields;
mod read;
mod schema;

pub use fields::Fields;
pub use schema::{
    ACTIVITY, CARTS, DECISIONS, DELIVERIES, INVOICES, LEDGER, MESSAGES, OFFERS, ORDERS, POLICIES, PRODUCTS, REQUESTS,
    RUNS, SCHEDULES, SUBSCRIPTIONS, SUPPORT, Schema, TENANTS, TOKENS, Type, USERS,
};

/// Most values in one list: a longer one is a query that should be another one.
pub const VALUES_MAX: usize = 1_000;

/// A value as it was written, before its field says what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, or anything written as text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// An instant.
    Instant(Instant),
    /// A length of time.
    Span(Span),
    /// An amount.
    Money(Money),
    /// Any of these.
    List(Vec<Value>),
}

impl Value {
    /// From a query: commas make a list.
    pub fn from_query(text: &str) -> Value {
        if text.contains(',') {
            Value::List(text.split(',').map(|part| Value::Text(part.to_owned())).collect())
        } else {
            Value::Text(text.to_owned())
        }
    }

    /// From TOML.
    ///
    /// # Errors
    /// `bad_value` for a float, a table or a list in a list.
    pub fn from_toml(value: &toml::Value) -> Result<Value, Refusal> {
        Ok(match value {
            toml::Value::String(text) => Value::Text(text.clone()),
            toml::Value::Integer(number) => Value::Integer(*number),
            toml::Value::Boolean(yes) => Value::Bool(*yes),
            toml::Value::Datetime(at) => Value::Text(at.to_string()),
            toml::Value::Array(values) => Value::List(values.iter().map(Value::from_toml).collect::<Result<_, _>>()?),
            toml::Value::Float(_) | toml::Value::Table(_) => {
                return Err(Refusal::new("bad_value", format!("{value} is no text, number, date or list of them")));
            }
        })
    }
}

/// A value that has the type of its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// Text; identifiers in lower case.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// An instant.
    Instant(Instant),
    /// A length of time.
    Span(Span),
    /// An amount.
    Money(Money),
}

/// What a record has for a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field<'a> {
    /// Text; words in snake_case.
    Text(Cow<'a, str>),
    /// Several texts, any of which may be meant.
    Texts(Vec<Cow<'a, str>>),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// An instant.
    Instant(Instant),
    /// A length of time.
    Span(Span),
    /// An amount.
    Money(Money),
}

impl Field<'_> {
    /// How it compares to a value; none for another type or currency.
    fn compare(&self, to: &Scalar) -> Option<Ordering> {
        match (self, to) {
            (Field::Text(mine), Scalar::Text(text)) => Some(mine.as_ref().cmp(text)),
            (Field::Integer(mine), Scalar::Integer(number)) => Some(mine.cmp(number)),
            (Field::Bool(mine), Scalar::Bool(yes)) => Some(mine.cmp(yes)),
            (Field::Instant(mine), Scalar::Instant(at)) => Some(mine.cmp(at)),
            (Field::Span(mine), Scalar::Span(span)) => Some(mine.cmp(span)),
            (Field::Money(mine), Scalar::Money(money)) => mine.compare(*money).ok(),
            _ => None,
        }
    }

    fn equals(&self, to: &Scalar, ignore_case: bool) -> bool {
        match (self, to) {
            (Field::Texts(mine), Scalar::Text(text)) => mine.iter().any(|one| one == text),
            (Field::Text(mine), Scalar::Text(text)) if ignore_case => mine.eq_ignore_ascii_case(text),
            _ => self.compare(to) == Some(Ordering::Equal),
        }
    }
}

/// How a condition compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    AnyOf,
    Min,
    Max,
    After,
    Before,
    Within,
}

const SUFFIXES: [(&str, Test); 5] = [
    ("_min", Test::Min),
    ("_max", Test::Max),
    ("_after", Test::After),
    ("_before", Test::Before),
    ("_within", Test::Within),
];

impl Test {
    fn suffix(self) -> &'static str {
        SUFFIXES.iter().find(|(_, test)| *test == self).map_or("", |(suffix, _)| suffix)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    field: String,
    test: Test,
    ignore_case: bool,
    values: Vec<Scalar>,
}

/// Which records of a noun are meant: every condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    noun: &'static str,
    conditions: Vec<Condition>,
}

impl Selection {
    /// Everything of a noun.
    pub fn everything(noun: &'static Schema) -> Selection {
        Selection { noun: noun.noun, conditions: Vec::new() }
    }

    /// Reads conditions.
    ///
    /// # Errors
    /// `unknown_field` with the nearest field, `unknown_value` with the legal ones, `bad_value` (or the type's own code:
    /// `bad_date`, `bad_duration`, `bad_money`), `duplicate_field`.
    pub fn parse(noun: &'static Schema, pairs: Vec<(String, Value)>) -> Result<Selection, Refusal> {
        let mut selection = Selection::everything(noun);
        for (name, value) in pairs {
            let condition = read::condition(noun, &name, value)?;
            let known =
                selection.conditions.iter_mut().find(|one| one.field == condition.field && one.test == condition.test);
            match known {
                Some(known) if known.test == Test::AnyOf => known.values.extend(condition.values),
                Some(_) => return Err(Refusal::new("duplicate_field", format!("'{name}' is there twice"))),
                None => selection.conditions.push(condition),
            }
        }
        if let Some(long) = selection.conditions.iter().find(|one| one.values.len() > VALUES_MAX) {
            let message = format!("'{}' lists {} values; at most {VALUES_MAX}", long.field, long.values.len());
            return Err(Refusal::new("bad_value", message));
        }
        selection.conditions.sort_by(|one, other| (&one.field, one.test).cmp(&(&other.field, other.test)));
        Ok(selection)
    }

    /// Reads the pairs of a URL's query or of `--where`, already decoded.
    ///
    /// # Errors
    /// As [`Selection::parse`].
    pub fn from_query(noun: &'static Schema, pairs: &[(String, String)]) -> Result<Selection, Refusal> {
        let pairs = pairs.iter().map(|(name, text)| (name.clone(), Value::from_query(text)));
        Selection::parse(noun, pairs.collect())
    }

    /// Reads a TOML table, as manifests have it.
    ///
    /// # Errors
    /// As [`Selection::parse`].
    pub fn from_toml(noun: &'static Schema, table: &toml::Table) -> Result<Selection, Refusal> {
        let mut pairs = Vec::with_capacity(table.len());
        for (name, value) in table {
            match value {
                // An unquoted `label.NAME = ".."` is a table to TOML.
                toml::Value::Table(labels) if name == "label" => {
                    for (label, value) in labels {
                        pairs.push((format!("label.{label}"), Value::from_toml(value)?));
                    }
                }
                _ => pairs.push((name.clone(), Value::from_toml(value)?)),
            }
        }
        Selection::parse(noun, pairs)
    }

    /// Reads the canonical text (and any text like it): conditions joined by `&`, values by `,`, both percent-encoded
    /// where they hold such characters.
    ///
    /// # Errors
    /// As [`Selection::parse`]; `bad_value` for a condition without `=`.
    pub fn from_text(noun: &'static Schema, text: &str) -> Result<Selection, Refusal> {
        let mut pairs = Vec::new();
        for part in text.split('&').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, values) = part
                .split_once('=')
                .ok_or_else(|| Refusal::new("bad_value", format!("'{part}' is no condition such as status=active")))?;
            let values: Vec<Value> = values.split(',').map(|value| Value::Text(read::decoded(value))).collect();
            pairs.push((read::decoded(name.trim()), Value::List(values)));
        }
        Selection::parse(noun, pairs)
    }

    /// The noun it selects from.
    pub fn noun(&self) -> &'static str {
        self.noun
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.conditions.is_empty()
    }

    /// The same with one more condition: a field of the noun, by its canonical name, has this value.
    #[must_use]
    pub fn with(mut self, field: &str, value: Scalar) -> Selection {
        let field = field.to_owned();
        self.conditions.push(Condition { field, test: Test::AnyOf, ignore_case: false, values: vec![value] });
        self
    }

    /// Whether a record is meant.
    pub fn matches(&self, record: &impl Fields, now: Instant) -> bool {
        self.conditions.iter().all(|condition| condition.holds(record.field(&condition.field), now))
    }

    /// The fields it has conditions on, by their canonical names (`label.NAME` too).
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().map(|condition| condition.field.as_str())
    }

    /// The values of which a field must have one; none without such a condition.
    pub fn exact(&self, field: &str) -> Option<&[Scalar]> {
        let field = self.canonical(field);
        let found = self.conditions.iter().find(|one| one.test == Test::AnyOf && one.field == field)?;
        Some(&found.values)
    }

    /// Between which values a field must lie. Wider than the selection never, narrower never: for an index to walk. A
    /// bound with several values (amounts of several currencies) is left open.
    pub fn bounds(&self, field: &str, now: Instant) -> (Bound<Scalar>, Bound<Scalar>) {
        let field = self.canonical(field);
        let mut bounds = (Bound::Unbounded, Bound::Unbounded);
        for condition in self.conditions.iter().filter(|one| one.field == field) {
            let [value] = condition.values.as_slice() else { continue };
            match condition.test {
                Test::AnyOf => {
                    bounds.0 = tighter(bounds.0, Bound::Included(value.clone()), Ordering::Greater);
                    bounds.1 = tighter(bounds.1, Bound::Included(value.clone()), Ordering::Less);
                }
                Test::Min | Test::After => {
                    bounds.0 = tighter(bounds.0, Bound::Included(value.clone()), Ordering::Greater);
                }
                Test::Max => bounds.1 = tighter(bounds.1, Bound::Included(value.clone()), Ordering::Less),
                Test::Before => bounds.1 = tighter(bounds.1, Bound::Excluded(value.clone()), Ordering::Less),
                Test::Within => {
                    bounds.0 = tighter(bounds.0, Bound::Included(Scalar::Instant(now)), Ordering::Greater);
                    let end =
                        within_end(value, now).map_or(Bound::Unbounded, |end| Bound::Included(Scalar::Instant(end)));
                    bounds.1 = tighter(bounds.1, end, Ordering::Less);
                }
            }
        }
        bounds
    }

    fn canonical<'a>(&self, field: &'a str) -> &'a str {
        Schema::of(self.noun).and_then(|schema| schema.canonical(field)).unwrap_or(field)
    }
}

impl Condition {
    fn holds(&self, field: Option<Field<'_>>, now: Instant) -> bool {
        let Some(field) = field else {
            let without = |value: &Scalar| matches!(value, Scalar::Text(text) if text.is_empty());
            return self.test == Test::AnyOf && self.field.starts_with("label.") && self.values.iter().any(without);
        };
        self.values.iter().any(|value| match self.test {
            Test::AnyOf => field.equals(value, self.ignore_case),
            Test::Min | Test::After => field.compare(value).is_some_and(Ordering::is_ge),
            Test::Max => field.compare(value).is_some_and(Ordering::is_le),
            Test::Before => field.compare(value).is_some_and(Ordering::is_lt),
            Test::Within => {
                let after = field.compare(&Scalar::Instant(now)).is_some_and(Ordering::is_ge);
                let end = within_end(value, now);
                after && end.is_none_or(|end| field.compare(&Scalar::Instant(end)).is_some_and(Ordering::is_le))
            }
        })
    }
}

fn within_end(value: &Scalar, now: Instant) -> Option<Instant> {
    match value {
        Scalar::Span(span) => span.after(now),
        _ => None,
    }
}

fn tighter(known: Bound<Scalar>, other: Bound<Scalar>, wins: Ordering) -> Bound<Scalar> {
    let (Bound::Included(mine) | Bound::Excluded(mine)) = &known else { return other };
    let (Bound::Included(theirs) | Bound::Excluded(theirs)) = &other else { return known };
    let order = field_of(theirs).compare(mine);
    let excludes = order == Some(Ordering::Equal) && matches!(other, Bound::Excluded(_));
    if order == Some(wins) || excludes { other } else { known }
}

fn field_of(value: &Scalar) -> Field<'_> {
    match value {
        Scalar::Text(text) => Field::Text(Cow::Borrowed(text)),
        Scalar::Integer(number) => Field::Integer(*number),
        Scalar::Bool(yes) => Field::Bool(*yes),
        Scalar::Instant(at) => Field::Instant(*at),
        Scalar::Span(span) => Field::Span(*span),
        Scalar::Money(money) => Field::Money(*money),
    }
}

impl fmt::Display for Selection {
    /// The canonical text: fields in order, values as they are read back by [`Selection::from_text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.conditions.iter().enumerate() {
            let join = if index > 0 { "&" } else { "" };
            write!(f, "{join}{}{}=", encoded(&condition.field), condition.test.suffix())?;
            for (index, value) in condition.values.iter().enumerate() {
                let text = match value {
                    Scalar::Text(text) => text.clone(),
                    Scalar::Integer(number) => number.to_string(),
                    Scalar::Bool(yes) => yes.to_string(),
                    Scalar::Instant(at) => show(*at),
                    Scalar::Span(span) => span.to_string(),
                    Scalar::Money(money) => money.to_string(),
                };
                write!(f, "{}{}", if index > 0 { "," } else { "" }, encoded(&text))?;
            }
        }
        Ok(())
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '%' | '&' | ',' | '=' | ' ' => out.push_str(&format!("%{:02X}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out
}
