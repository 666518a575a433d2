//! What a documented answer has and ours has not: fields by name and type, and their values.

use std::fmt;

use serde_json::Value;

/// How an answer differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    Type,
    Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub(super) at: String,
    pub(super) kind: Kind,
    told: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Missing => write!(f, "missing: {}", self.at),
            Kind::Type => write!(f, "type: {} {}", self.at, self.told),
            Kind::Value => write!(f, "value: {} {}", self.at, self.told),
        }
    }
}

/// Whether a place is the one meant; `*` stands for every place of a list, and what is below is meant too.
pub(super) fn is_at(meant: &str, at: &str) -> bool {
    let mut parts = at.split('/');
    meant.split('/').all(|want| parts.next().is_some_and(|part| want == part || want == "*"))
}

/// What of the documented answer is missing or other in ours. What ours has beside is welcome.
pub(super) fn differences(wanted: &Value, found: &Value) -> Vec<Difference> {
    let mut out = Vec::new();
    walk(wanted, found, String::new(), &mut out);
    out
}

fn walk(wanted: &Value, found: &Value, at: String, out: &mut Vec<Difference>) {
    match (wanted, found) {
        // A null says that the field may be without a value.
        (Value::Null, _) => {}
        (Value::Object(members), Value::Object(ours)) => {
            for (name, wanted) in members {
                let name = camel(name);
                let at = format!("{at}/{name}");
                match ours.get(&name) {
                    Some(found) => walk(wanted, found, at, out),
                    None if wanted.is_null() => {}
                    None => out.push(Difference { at, kind: Kind::Missing, told: String::new() }),
                }
            }
        }
        (Value::Array(wanted), Value::Array(ours)) => {
            for (place, wanted) in wanted.iter().enumerate() {
                let at = format!("{at}/{place}");
                match partner(wanted, place, ours) {
                    Some(found) => walk(wanted, found, at, out),
                    None => out.push(Difference { at, kind: Kind::Missing, told: String::new() }),
                }
            }
        }
        _ if name_of(wanted) != name_of(found) => {
            let told = format!("is {}, not {}", name_of(found), name_of(wanted));
            out.push(Difference { at, kind: Kind::Type, told });
        }
        _ if !same(wanted, found) => {
            out.push(Difference { at, kind: Kind::Value, told: format!("is {found}, not {wanted}") });
        }
        _ => {}
    }
}

/// The element that is meant: by its id, else by its place.
fn partner<'a>(wanted: &Value, place: usize, ours: &'a [Value]) -> Option<&'a Value> {
    for key in ["id", "Id"] {
        let Some(id) = wanted.get(key).and_then(Value::as_str).filter(|id| !id.contains(['<', '{'])) else { continue };
        let is = |one: &&Value| one.get("id").and_then(Value::as_str).is_some_and(|own| own.eq_ignore_ascii_case(id));
        if let Some(found) = ours.iter().find(is) {
            return Some(found);
        }
    }
    ours.get(place)
}

fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Numbers by what they come to, dates by their instant, identifiers in any letter case; a placeholder is anything.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(_), Value::Number(_)) => wanted.as_f64() == found.as_f64(),
        (Value::String(one), Value::String(other)) => {
            let placeholder = one.contains('<') || one.starts_with('{');
            placeholder || one.eq_ignore_ascii_case(other) || instant(one).is_some_and(|at| Some(at) == instant(other))
        }
        _ => wanted == found,
    }
}

/// The whole second of a date however it is written.
fn instant(text: &str) -> Option<i64> {
    let tight: String = text.split(' ').collect();
    let zoned = chrono::DateTime::parse_from_rfc3339(&tight).map(|at| at.timestamp()).ok();
    zoned.or_else(|| {
        chrono::NaiveDateTime::parse_from_str(&tight, "%Y-%m-%dT%H:%M:%S%.f").map(|at| at.and_utc().timestamp()).ok()
    })
}
