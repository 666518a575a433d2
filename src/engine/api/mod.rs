//! What scripts see of the domain: one file a noun. Records are values as read, with getters and no setters; changing
//! is a verb, and every verb is one call of `ops`.
//!
//! To add a function: register it in its noun's file and describe it in that file's `PART`, with an example that runs.

pub mod activations;
pub mod activity;
pub mod cancellations;
pub mod carts;
pub mod catalog;
pub mod events;
pub mod invoices;
pub mod ledger;
pub mod life;
pub mod messages;
pub mod orders;
pub mod requests;
pub mod rows;
pub mod selected;
pub mod software;
pub mod subscriptions;
pub mod support;
pub mod tenants;
pub mod terms;
pub mod testing;

use rhai::{Dynamic, Engine, Map};
use std::sync::Arc;

use super::failure::{Api, raise, raise_refusal};
use super::library::Kit;
use super::manifest::{Rules, Selector};
use super::reference::Part;
use super::values::time::Length;
use crate::domain::selection::{SUBSCRIPTIONS, Schema, Selection, Value};
use crate::domain::{Instant, Money};
use crate::ops::subscriptions as subscriptions_ops;

/// Every part, in the order of the reference.
pub const PARTS: [Part; 18] = [
    events::PART,
    subscriptions::PART,
    life::PART,
    tenants::PART,
    catalog::PART,
    carts::PART,
    orders::PART,
    software::PART,
    activations::PART,
    requests::PART,
    ledger::PART,
    invoices::PART,
    messages::PART,
    support::PART,
    rows::PART,
    cancellations::PART,
    terms::PART,
    activity::PART,
];

/// Everything the program gives to scripts: for a library to be loaded with.
pub fn kit() -> Kit {
    Kit {
        rules: Rules { validate_schedule, validate_selection, walks_everything },
        register: Arc::new(register),
        parts: PARTS.to_vec(),
        register_tests: Arc::new(testing::register),
        test_parts: vec![testing::PART],
    }
}

/// Everything scripts are given, tests too, as Markdown.
pub fn reference() -> String {
    let kit = kit();
    super::reference::render(&kit.every_test_part())
}

fn register(engine: &mut Engine) {
    events::register(engine);
    subscriptions::register(engine);
    life::register(engine);
    tenants::register(engine);
    software::register(engine);
    activations::register(engine);
    activity::register(engine);
    requests::register(engine);
    ledger::register(engine);
    invoices::register(engine);
    messages::register(engine);
    support::register(engine);
    rows::register(engine);
    cancellations::register(engine);
    terms::register(engine);
    catalog::register(engine);
    carts::register(engine);
    orders::register(engine);
}

fn validate_schedule(cron: &str, zone: Option<&str>) -> Result<(), String> {
    crate::schedule::Schedule::parse(cron, zone.unwrap_or("UTC")).map(|_| ()).map_err(|error| error.to_string())
}

fn validate_selection(selector: &Selector) -> Result<(), String> {
    super::script_thread::selection(&SUBSCRIPTIONS, selector).map(|_| ()).map_err(|refusal| refusal.message)
}

/// Whether reading what it holds would mean looking at every subscription.
fn walks_everything(selector: &Selector) -> bool {
    // Dates that are written out are taken as still to come.
    let now = chrono::DateTime::UNIX_EPOCH;
    let read = super::script_thread::selection(&SUBSCRIPTIONS, selector);
    read.is_ok_and(|selection| subscriptions_ops::served_by(&selection, now) == subscriptions_ops::Served::Everything)
}

/// Reads a script's selection.
fn selection(noun: &'static Schema, map: &Map) -> Api<Selection> {
    let mut pairs = Vec::new();
    for (field, value) in map {
        pairs.push((field.to_string(), selected(field, value)?));
    }
    Selection::parse(noun, pairs).map_err(|refusal| raise_refusal(&refusal))
}

fn selected(field: &str, value: &Dynamic) -> Api<Value> {
    if let Some(list) = value.read_lock::<rhai::Array>() {
        return Ok(Value::List(list.iter().map(|one| selected(field, one)).collect::<Api<_>>()?));
    }
    if let Ok(text) = value.clone().into_immutable_string() {
        return Ok(Value::Text(text.to_string()));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Integer(number));
    }
    if let Ok(yes) = value.as_bool() {
        return Ok(Value::Bool(yes));
    }
    if let Some(at) = value.read_lock::<Instant>() {
        return Ok(Value::Instant(*at));
    }
    if let Some(money) = value.read_lock::<Money>() {
        return Ok(Value::Money(*money));
    }
    if let Some(span) = value.read_lock::<Length>().and_then(|length| length.to_span()) {
        return Ok(Value::Span(span));
    }
    let word = super::values::type_word(value);
    Err(raise(
        "type_error",
        format!("{field} is selected by text, a number, an instant or a list of them, not by {word}"),
    ))
}

/// An instant, or nothing.
fn instant_or_nothing(at: Option<Instant>) -> Dynamic {
    at.map_or(Dynamic::UNIT, Dynamic::from)
}

/// Any value, or nothing.
fn or_nothing<T: rhai::Variant + Clone>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Dynamic::from)
}
