//! Messages in scripts: what goes out is a row of the outbox.

use rhai::{Dynamic, Engine, Map};

use super::subscriptions::Sub;
use crate::domain::{Instant, Money, SubscriptionId, calendar};
use crate::engine::failure::{Api, raise};
use crate::engine::reference::{Function, Part};
use crate::engine::script_thread::with;
use crate::engine::values::json::Json;
use crate::engine::values::time::Length;
use crate::json::Value;
use crate::ops::messages;

/// Maps and arrays inside each other at most.
const DEPTH_MAX: usize = 16;

pub(super) const PART: Part = Part {
    title: "Messages",
    functions: &[
        Function {
            name: "send_message",
            params: &["topic: string", "data: map"],
            gives: "string",
            grant: "messages.send",
            doc: "Sends a message to every endpoint that takes the topic, after the run is committed. Gives its id.",
            example: r#"send_message("report.ready", #{ total: 3, owed: money("10 EUR") });"#,
        },
        Function {
            name: "send_message",
            params: &["topic: string", "data: map", "about: Subscription"],
            gives: "string",
            grant: "messages.send",
            doc: "The same, about a subscription.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { send_message("renewal.reminder", #{ name: sub.friendly_name }, sub); }"#,
        },
    ],
    properties: &[],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("send_message", |topic: &str, data: Map| send(topic, &data, None));
    engine.register_fn("send_message", |topic: &str, data: Map, about: Sub| send(topic, &data, Some(about.0.id)));
}

fn send(topic: &str, data: &Map, about: Option<SubscriptionId>) -> Api<String> {
    let text = map(data, 0)?.to_string();
    Ok(with(|work| messages::send(work, topic, &text, about))?.to_string())
}

/// A script's map as JSON.
pub(super) fn map(data: &Map, depth: usize) -> Api<Value> {
    let fields = data.iter().map(|(name, value)| Ok((name.to_string(), json(value, depth + 1)?)));
    Ok(Value::Object(fields.collect::<Api<_>>()?))
}

/// A script's value as JSON: money and instants as text, so that nothing is lost.
fn json(value: &Dynamic, depth: usize) -> Api<Value> {
    if depth > DEPTH_MAX {
        return Err(raise("too_deep", format!("a message holds at most {DEPTH_MAX} levels")));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(yes) = value.as_bool() {
        return Ok(Value::Bool(yes));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Number(number.into()));
    }
    if let Some(fields) = value.read_lock::<Map>() {
        return map(&fields, depth);
    }
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return Ok(Value::Array(items.iter().map(|item| json(item, depth + 1)).collect::<Api<_>>()?));
    }
    if let Some(money) = value.read_lock::<Money>() {
        return Ok(Value::String(money.to_string()));
    }
    if let Some(at) = value.read_lock::<Instant>() {
        return Ok(Value::String(calendar::show(*at)));
    }
    if let Some(span) = value.read_lock::<Length>().and_then(|length| length.to_span()) {
        return Ok(Value::String(span.to_string()));
    }
    if let Some(document) = value.read_lock::<Json>() {
        return Ok(document.value().clone());
    }
    if let Ok(number) = value.as_decimal() {
        return Ok(Value::String(number.to_string()));
    }
    value.clone().into_immutable_string().map(|text| Value::String(text.to_string())).map_err(|_| {
        raise("type_error", format!("{} cannot stand in a message", crate::engine::values::type_word(value)))
    })
}
