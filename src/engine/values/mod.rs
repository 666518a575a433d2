//! The values scripts compute with beyond the language's own: money, instants and spans, JSON as it came in.
//!
//! They have getters and no setters. A record of the domain is registered by the part that knows it,
//! beside its functions.

pub mod amounts;
pub mod json;
pub mod money;
pub mod time;

use rhai::{Dynamic, Engine};
use std::ops::{Range, RangeInclusive};

use super::comparison::Comparison;
use super::failure::{Api, Raised};
use crate::domain::{Instant, Money};
use amounts::Amounts;
use json::Json;
use time::Length;

/// Registers every value type.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Raised>("Failure");
    engine.register_get("code", |raised: &mut Raised| raised.code.clone());
    engine.register_get("message", |raised: &mut Raised| raised.message.clone());
    engine.register_fn("to_string", |raised: &mut Raised| raised.message.clone());
    money::register(engine);
    amounts::register(engine);
    time::register(engine);
    json::register(engine);
}

/// How two of our values compare; none when nothing says so.
pub(super) fn compare(left: &Dynamic, right: &Dynamic) -> Api<Option<Comparison>> {
    if let Some(comparison) = amounts::compare(left, right)? {
        return Ok(Some(comparison));
    }
    if let Some(comparison) = money::compare(left, right)? {
        return Ok(Some(comparison));
    }
    if let Some(comparison) = time::compare(left, right)? {
        return Ok(Some(comparison));
    }
    Ok(json::compare(left, right))
}

/// What a value is, in words for messages: `a string`, `Money`.
pub fn type_word(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "nothing"
    } else if value.is_bool() {
        "a boolean"
    } else if value.is_int() {
        "an integer"
    } else if value.is_decimal() {
        "a decimal"
    } else if value.is_string() {
        "a string"
    } else if value.is_char() {
        "a character"
    } else if value.is_array() {
        "an array"
    } else if value.is_map() {
        "a map"
    } else if value.is_fnptr() {
        "a function"
    } else if value.is::<Money>() {
        "Money"
    } else if value.is::<Amounts>() {
        "Amounts"
    } else if value.is::<Instant>() {
        "an Instant"
    } else if value.is::<Length>() {
        "a Span"
    } else if value.is::<Json>() {
        "Json"
    } else if value.is::<Range<i64>>() || value.is::<RangeInclusive<i64>>() {
        "a range"
    } else if value.is::<Raised>() {
        "a Failure"
    } else {
        shown_name(value.type_name().rsplit("::").next().unwrap_or("a record"))
    }
}

/// A record's type as scripts know it, from the name it has here.
pub(super) fn shown_name(name: &str) -> &str {
    match name {
        "Sub" => "Subscription",
        "Asked" => "Request",
        "()" => "nothing",
        "DateTime<Utc>" => "Instant",
        "Length" => "Span",
        other => other.strip_suffix("Value").filter(|rest| !rest.is_empty()).unwrap_or(other),
    }
}
