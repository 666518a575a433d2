//! The documents of a walk: bodies by the name of their file without `.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::case::{Case, is_document};

pub(super) struct Documents(BTreeMap<String, Value>);

impl Documents {
    pub(super) fn of(folders: &[PathBuf]) -> Documents {
        let mut found = BTreeMap::new();
        for folder in folders {
            for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
                let path = entry.unwrap().path();
                let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) else {
                    continue;
                };
                let text = std::fs::read_to_string(&path).unwrap();
                let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.insert(name.to_owned(), value);
            }
        }
        Documents(found)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    #[track_caller]
    pub(super) fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("there is no document {name}"))
    }

    /// The answer that is documented; where a page shows none, what was sent is to come back. JSON
    /// stands for itself.
    pub(super) fn answer(&self, name: &str, case: &Case) -> Value {
        if !is_document(name) {
            return serde_json::from_str(name).unwrap_or_else(|error| panic!("{error}: {name}"));
        }
        let mut wanted = self.get(name).clone();
        if case.body.as_deref() == Some(name) {
            change(&mut wanted, &case.set);
        }
        wanted
    }

    /// A document or JSON, with its templates filled.
    pub(super) fn body(&self, text: &str, set: &BTreeMap<String, Value>, kept: &BTreeMap<String, Value>) -> Value {
        let mut body = if is_document(text) {
            self.get(text).clone()
        } else {
            let filled = self.fill(text, kept);
            serde_json::from_str(&filled).unwrap_or_else(|error| panic!("{error}: {filled}"))
        };
        let filled: BTreeMap<String, Value> = set
            .iter()
            .map(|(at, value)| {
                let value = value.as_str().map_or_else(|| value.clone(), |text| self.fill(text, kept).into());
                (at.clone(), value)
            })
            .collect();
        change(&mut body, &filled);
        body
    }

    /// Text with its templates filled.
    pub(super) fn fill(&self, text: &str, kept: &BTreeMap<String, Value>) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (inner, after) = behind.split_once("}}").unwrap_or_else(|| panic!("{text}"));
            out.push_str(before);
            out.push_str(&self.one(inner, kept));
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn one(&self, inner: &str, kept: &BTreeMap<String, Value>) -> String {
        let (place, part) = inner.split_once('|').unwrap_or((inner, ""));
        let value = match place.split_once('#') {
            Some((name, at)) => {
                let whole = kept.get(name).unwrap_or_else(|| self.get(name));
                find(whole, at).unwrap_or_else(|| panic!("{name} has nothing at {at}"))
            }
            None => kept.get(place).unwrap_or_else(|| panic!("nothing is kept as {place}")),
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let piece = |number: usize| text.split(':').nth(number).unwrap_or_default().to_owned();
        match part {
            "" => text,
            "product" => piece(0),
            "sku" => piece(1),
            "availability" => piece(2),
            "query" => {
                text.bytes()
                    .map(|byte| {
                        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
                    })
                    .collect()
            }
            // `/customers/ID/...` of a link
            "tenant" => behind(&text, "customers"),
            "order" => behind(&text, "orders"),
            "text" => value.to_string().replace('\\', "\\\\").replace('"', "\\\""),
            other => panic!("{other} is no part"),
        }
    }
}

/// What stands behind a noun in the path of a link.
fn behind(path: &str, noun: &str) -> String {
    path.split('/').skip_while(|part| *part != noun).nth(1).unwrap_or_default().to_owned()
}

/// What is at a pointer; names in any letter case.
fn find<'a>(value: &'a Value, at: &str) -> Option<&'a Value> {
    at.split('/').filter(|part| !part.is_empty()).try_fold(value, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        Value::Object(members) => {
            members.iter().find(|(name, _)| name.eq_ignore_ascii_case(part)).map(|(_, value)| value)
        }
        _ => None,
    })
}

/// Puts values at pointers; null takes away.
fn change(value: &mut Value, set: &BTreeMap<String, Value>) {
    for (at, new) in set {
        let (above, name) = at.rsplit_once('/').unwrap();
        let mut slot = &mut *value;
        for part in above.split('/').filter(|part| !part.is_empty()) {
            slot = match slot {
                Value::Array(items) => items.get_mut(part.parse::<usize>().unwrap()).unwrap(),
                Value::Object(members) => {
                    let known = members.keys().find(|name| name.eq_ignore_ascii_case(part)).cloned();
                    members.entry(known.unwrap_or_else(|| part.to_owned())).or_insert_with(|| serde_json::json!({}))
                }
                _ => panic!("nothing is at {at}"),
            };
        }
        match slot {
            Value::Object(members) => {
                let known = members.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
                members.insert(known.unwrap_or_else(|| name.to_owned()), new.clone());
            }
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = new.clone(),
            _ => panic!("nothing is at {at}"),
        }
    }
}
