//! Reads conditions: which field is meant, how it compares, and values of its type.

use super::schema::{nearest, snake};
use super::{Condition, SUFFIXES, Scalar, Schema, Test, Type, Value};
use crate::domain::calendar::{self, show};
use crate::domain::ids::Guid;
use crate::domain::{Instant, Refusal};

/// One condition as it was written.
pub(super) fn condition(noun: &'static Schema, written: &str, value: Value) -> Result<Condition, Refusal> {
    if let Some(label) = written.strip_prefix("label.") {
        if !noun.labels || label.is_empty() {
            return Err(unknown_field(noun, written));
        }
        let values = scalars(written, value, Type::Text)?;
        return Ok(Condition { field: written.to_owned(), test: Test::AnyOf, ignore_case: false, values });
    }
    let name = snake(written);
    let (field, test) = match noun.canonical(&name) {
        Some(field) => (field, Test::AnyOf),
        None => SUFFIXES
            .iter()
            .find_map(|(suffix, test)| Some((noun.canonical(name.strip_suffix(suffix)?)?, *test)))
            .ok_or_else(|| unknown_field(noun, written))?,
    };
    let declared = noun.kind(field).ok_or_else(|| unknown_field(noun, written))?;
    let fits = match test {
        Test::AnyOf => true,
        Test::Min | Test::Max => !matches!(declared, Type::Bool | Type::Word(_) | Type::Id),
        Test::After | Test::Before | Test::Within => declared == Type::Instant,
    };
    if !fits {
        let message = format!("'{field}' has no {}: it is {}", test.suffix(), declared.describe());
        return Err(Refusal::new("unknown_field", message));
    }
    let kind = if test == Test::Within { Type::Span } else { declared };
    let values = scalars(written, value, kind)?;
    if values.len() != 1 && test != Test::AnyOf && kind != Type::Money {
        return Err(Refusal::new("bad_value", format!("'{written}' takes one value")));
    }
    Ok(Condition { field: field.to_owned(), test, ignore_case: declared == Type::Id, values })
}

fn scalars(name: &str, value: Value, kind: Type) -> Result<Vec<Scalar>, Refusal> {
    match value {
        Value::List(values) => values.into_iter().map(|value| scalar(name, value, kind)).collect(),
        value => Ok(vec![scalar(name, value, kind)?]),
    }
}

fn scalar(name: &str, value: Value, kind: Type) -> Result<Scalar, Refusal> {
    let wrong = |value: &str| {
        let short: String = value.chars().take(64).collect();
        Refusal::new("bad_value", format!("'{name}' is {}, not '{short}'", kind.describe()))
    };
    Ok(match (kind, value) {
        (Type::Text, Value::Text(text)) => Scalar::Text(text),
        (Type::Text | Type::Id, Value::Integer(number)) => Scalar::Text(number.to_string()),
        (Type::Id, Value::Text(text)) => {
            let text = text.trim();
            Scalar::Text(text.parse::<Guid>().map_or_else(|_| text.to_owned(), |guid| guid.to_string()))
        }
        (Type::Word(words), Value::Text(text)) => {
            let word = snake(&text);
            let Some(known) = words.iter().find(|known| snake(known) == word) else {
                let hint = nearest(&word, words.iter().copied())
                    .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                let message = format!("'{text}' is no {name}; there are {}{hint}", words.join(", "));
                return Err(Refusal::new("unknown_value", message));
            };
            Scalar::Text((*known).to_owned())
        }
        (Type::Integer, Value::Integer(number)) => Scalar::Integer(number),
        (Type::Integer, Value::Text(text)) => Scalar::Integer(text.parse().map_err(|_| wrong(&text))?),
        (Type::Bool, Value::Bool(yes)) => Scalar::Bool(yes),
        (Type::Bool, Value::Text(text)) => Scalar::Bool(text.parse().map_err(|_| wrong(&text))?),
        (Type::Instant, Value::Instant(at)) => Scalar::Instant(at),
        (Type::Instant, Value::Text(text)) => Scalar::Instant(date(&text)?),
        (Type::Span, Value::Span(span)) => Scalar::Span(span),
        (Type::Span, Value::Text(text)) => Scalar::Span(text.parse()?),
        (Type::Money, Value::Money(money)) => Scalar::Money(money),
        (Type::Money, Value::Text(text)) => Scalar::Money(text.parse()?),
        (_, value) => return Err(wrong(&written(&value))),
    })
}

/// An instant, or a date alone, which is its midnight UTC.
fn date(text: &str) -> Result<Instant, Refusal> {
    if text.len() == 10 { calendar::instant(&format!("{text}T00:00:00Z")) } else { calendar::instant(text) }
}

fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Instant(at) => show(*at),
        Value::Span(span) => span.to_string(),
        Value::Money(money) => money.to_string(),
        Value::List(_) => "a list in a list".to_owned(),
    }
}

fn unknown_field(noun: &Schema, written: &str) -> Refusal {
    let name = snake(written);
    let (base, suffix) = SUFFIXES
        .iter()
        .find_map(|(suffix, _)| Some((name.strip_suffix(suffix)?, *suffix)))
        .unwrap_or((name.as_str(), ""));
    let names = || noun.names();
    let hint = nearest(&name, names())
        .map(ToOwned::to_owned)
        .or_else(|| nearest(base, names()).map(|near| format!("{near}{suffix}")))
        .map_or_else(
            || format!("; there are {}", names().collect::<Vec<_>>().join(", ")),
            |near| format!("; did you mean '{near}'?"),
        );
    let short: String = written.chars().take(64).collect();
    Refusal::new("unknown_field", format!("{} have no field '{short}'{hint}", noun.noun))
}

/// Percent-encoded text as it was meant.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
