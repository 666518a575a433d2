//! Writing Partner Center's JSON: collections, links, attributes, and the members of one object in order.

use std::collections::BTreeMap;

use super::field;
use crate::domain::{Instant, Money, calendar};
use crate::json::{Number, Value};

/// A page of a list as Partner Center shows it: `{totalCount, items, links, attributes}`.
///
/// `links` are pairs of a name (`self`, `next`) and an address.
pub fn collection(items: Vec<Value>, total: usize, links: &[(&str, &str)]) -> Value {
    let mut out = Out::new();
    out.integer("totalCount", i64::try_from(total).unwrap_or(i64::MAX));
    out.value("items", Value::Array(items));
    if !links.is_empty() {
        let links = links.iter().map(|(name, uri)| ((*name).to_owned(), link(uri, "GET")));
        out.value("links", Value::Object(links.collect()));
    }
    out.value("attributes", attributes("Collection", None));
    out.finish()
}

/// One link.
pub fn link(uri: &str, method: &str) -> Value {
    let mut out = Out::new();
    out.text("uri", uri);
    out.text("method", method);
    out.value("headers", Value::Array(Vec::new()));
    out.finish()
}

/// The links of what is sold, by name: a product with its SKU and availability, or an offer; nothing for another name.
/// `country` is the market they name; empty: none is named.
pub fn catalogue_links(item: &str, country: &str) -> Vec<(&'static str, String)> {
    let query = if country.is_empty() { String::new() } else { format!("?country={country}") };
    match item.split(':').collect::<Vec<_>>().as_slice() {
        [product, sku, availability] => {
            let product = format!("/products/{product}");
            let sku = format!("{product}/skus/{sku}");
            let availability = format!("{sku}/availabilities/{availability}{query}");
            vec![
                ("product", format!("{product}{query}")),
                ("sku", format!("{sku}{query}")),
                ("availability", availability),
            ]
        }
        [offer] if !offer.is_empty() => vec![("offer", format!("/offers/{offer}{query}"))],
        _ => Vec::new(),
    }
}

/// `attributes`: what it is, and the ETag (the generation) of what has one.
pub fn attributes(object_type: &str, generation: Option<u64>) -> Value {
    let mut out = Out::new();
    if let Some(generation) = generation {
        out.text("etag", &generation.to_string());
    }
    out.text("objectType", object_type);
    out.finish()
}

/// An amount: `{amount, currency}`, the amount an exact number.
pub fn money(money: Money) -> Value {
    let mut out = Out::new();
    out.value("amount", Value::Number(money.amount.into()));
    out.text("currency", money.currency.code());
    out.finish()
}

/// Members of an object, in the order they are put; a name put again replaces.
pub(super) struct Out(Vec<(String, Value)>);

impl Out {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// Starts with what was kept, if it was an object.
    pub(super) fn over(kept: Option<Value>) -> Self {
        match kept {
            Some(Value::Object(members)) => Self(members),
            _ => Self::new(),
        }
    }

    pub(super) fn value(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(slot) => *slot = (name.to_owned(), value),
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.value(name, Value::String(text.to_owned()));
    }

    /// A text, unless it is empty.
    pub(super) fn filled(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    pub(super) fn integer(&mut self, name: &str, number: i64) {
        self.value(name, Value::Number(Number::from(number)));
    }

    pub(super) fn flag(&mut self, name: &str, flag: bool) {
        self.value(name, Value::Bool(flag));
    }

    pub(super) fn instant(&mut self, name: &str, instant: Option<Instant>) {
        if let Some(instant) = instant {
            self.text(name, &calendar::show(instant));
        }
    }

    pub(super) fn labels(&mut self, labels: &BTreeMap<String, String>) {
        if !labels.is_empty() {
            let pairs = labels.iter().map(|(name, text)| (name.clone(), Value::String(text.clone())));
            self.value("labels", Value::Object(pairs.collect()));
        }
    }

    /// What is there under this name.
    pub(super) fn kept(&self, name: &str) -> Option<Value> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }

    /// Shows what the import did not know, where nothing of that name is there; some names never.
    pub(super) fn extras(&mut self, extra: &BTreeMap<String, String>, never: &[&str]) {
        for name in extra.keys() {
            let is_there = self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
            if !is_there && name != "links" && !never.contains(&name.as_str()) {
                self.0.extend(field::kept(extra, name).map(|value| (name.clone(), value)));
            }
        }
    }

    /// The links that came, and the object's own address.
    pub(super) fn links(&mut self, extra: &BTreeMap<String, String>, own: &str) {
        let mut links = Out::over(field::kept(extra, "links"));
        links.value("self", link(own, "GET"));
        self.value("links", links.finish());
    }

    pub(super) fn finish(self) -> Value {
        Value::Object(self.0)
    }
}
