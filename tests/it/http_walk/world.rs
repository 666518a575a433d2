//! A store brought into the state a request needs, behind the router and its guard as a daemon has them.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::domain::{Instant, Span};
use bursar::http::auth::Peer;
use bursar::http::guard::Guard;
use bursar::http::router;
use bursar::ops::{self, Rights};
use bursar::triggers;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::case::{Case, Step};
use super::documents::Documents;
use crate::http_world::at;

/// The customer of documents that name none.
const TENANT: &str = "4b1f0d52-7c2e-4a39-9d0a-2f6c8e1b7a01";
/// The order of documents that name none.
const ORDER: &str = "5d2c1e63-8f40-4b17-a2c9-3e7d9f2c8b02";

/// Everything that is asked passes.
const POLICY: (&str, &str) = (
    "policies/all.rhai",
    r#"//! Everything passes.
//! ---
//! decides = ["purchase", "activation", "conversion", "suspension", "reactivation", "auto_renew", "quantity", "cancellation", "schedule"]
//! ---
fn decide(request) { approve(); }
"#,
);

const CONFIG: &str = r#"
[hooks.partner_center]
format = "partner_center"
[invoices]
partner_id = "7e3d2f74-9051-4c28-b3da-4f8ea03d9c03"
mpn_id = "5012345"
"#;

/// What a request came to.
pub(super) struct Walked {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    /// Method, path and status.
    pub(super) line: String,
}

struct World {
    app: App,
    guard: Guard,
    _folder: tempfile::TempDir,
    kept: BTreeMap<String, Value>,
}

/// Brings a store into the state of a case and sends its request.
pub(super) async fn walk(case: &Case, documents: &Documents) -> Walked {
    let mut kept = BTreeMap::new();
    kept.insert("tenant".to_owned(), json!(TENANT));
    kept.insert("order".to_owned(), json!(ORDER));
    let now = at(&documents.fill(&case.now, &kept));
    let now = case.before.as_ref().map_or(now, |length| length.parse::<Span>().unwrap().before(now).unwrap());
    let mut world = World::new(now, kept);
    for step in &case.state {
        world.step(step, documents).await;
    }
    let request = documents.fill(&case.request, &world.kept);
    let body = case.body.as_ref().map(|body| documents.body(body, &case.set, &world.kept).to_string());
    let mut headers = case.headers.clone();
    // As Partner Center's clients number their calls; both numbers come back.
    headers.insert("ms-requestid".to_owned(), "9c1e7d55-20b8-4f3a-8d64-5e1fa8c0b311".to_owned());
    headers.insert("ms-correlationid".to_owned(), "0d2f8e66-31c9-4a4b-9e75-6f2ab9d1c422".to_owned());
    let said = world.send(&request, &headers, body).await;
    for name in ["ms-requestid", "ms-correlationid"] {
        let back = said.headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(back, headers.get(name).map(String::as_str), "{name} of {}", said.line);
    }
    said
}

impl World {
    fn new(now: Instant, kept: BTreeMap<String, Value>) -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(POLICY.0);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, POLICY.1).unwrap();
        let config = Config::parse(CONFIG, &folder.path().join("bursar.toml")).unwrap();
        let options = Options { script_threads: Some(1), ..Options::default() };
        let app = App::in_memory(&config, [9; 16], Some(now), options).unwrap();
        let guard = Guard::new(router(app.clone()), &config.limits);
        World { app, guard, _folder: folder, kept }
    }

    async fn step(&mut self, step: &Step, documents: &Documents) {
        let tenant = step.tenant.as_ref().map(|text| documents.fill(text, &self.kept));
        if let Some(name) = step.import.as_ref().or(step.rows.as_ref()) {
            self.import(documents.body(name, &step.set, &self.kept), tenant.as_deref()).await;
        }
        if let Some(item) = &step.sell {
            let item = documents.fill(item, &self.kept);
            let more = step.more.as_ref().map_or(json!({}), |more| documents.body(more, &BTreeMap::new(), &self.kept));
            self.import(sold(&item, step, more), None).await;
        }
        if let Some(call) = &step.send {
            let call = documents.fill(call, &self.kept);
            let body = step.body.as_ref().map(|body| documents.body(body, &step.set, &self.kept).to_string());
            let said = self.send(&call, &BTreeMap::new(), body).await;
            assert!(said.status < 300, "{}: {}", said.line, said.body);
            if let Some(name) = &step.keep {
                self.kept.insert(name.clone(), said.body);
            }
        }
        if let Some(until) = &step.advance {
            triggers::advance(&self.app, at(until)).await.unwrap();
        }
    }

    async fn import(&self, rows: Value, tenant: Option<&str>) {
        let tenant = tenant.map(|text| text.parse().unwrap());
        let options = ops::imports::Options { tenant, ..ops::imports::Options::default() };
        let document = rows.to_string();
        let report = self.app.import(Rights::system(), "walk".to_owned(), document, options).await.unwrap();
        assert_eq!(report.refused, 0, "{report:#?}");
    }

    async fn send(&self, call: &str, headers: &BTreeMap<String, String>, body: Option<String>) -> Walked {
        let (method, path) = call.split_once(' ').unwrap_or_else(|| panic!("{call}"));
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        request = request.header("host", "bursar.example").header("x-bursar-user", "anna").extension(Peer::Operator);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(body.unwrap_or_default())).unwrap();
        let (parts, body) = self.guard.answer(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let status = parts.status.as_u16();
        Walked { status, headers: parts.headers, body, line: format!("{method} {path} -> {status}") }
    }
}

/// Something that can be bought, with its price for every plan: `product:sku:availability` or a legacy offer.
fn sold(item: &str, step: &Step, more: Value) -> Value {
    let kind = step.kind.as_deref().unwrap_or("OnlineServicesNCE");
    let terms: Vec<(&str, &str)> =
        step.terms.as_deref().unwrap_or_default().split(',').filter_map(|plan| plan.trim().split_once(' ')).collect();
    let plans: Vec<Value> = terms
        .iter()
        .map(|(term, cycle)| {
            if *term == "-" {
                json!({ "billingCycle": cycle })
            } else {
                json!({ "duration": term, "billingCycle": cycle })
            }
        })
        .collect();
    let parts: Vec<&str> = item.split(':').collect();
    let mut rows = Vec::new();
    let mut last = if let [product, sku, availability] = parts.as_slice() {
        rows.push(json!({ "id": product, "title": "Thing", "productType": { "id": kind }, "attributes": { "objectType": "Product" } }));
        rows.push(
            json!({ "id": sku, "productId": product, "title": "Thing", "minimumQuantity": 1, "maximumQuantity": 1000,
            "attributes": { "objectType": "Sku" } }),
        );
        json!({ "id": availability, "productId": product, "skuId": sku, "catalogItemId": item, "isPurchasable": true,
            "terms": plans, "attributes": { "objectType": "Availability" } })
    } else {
        let cycles: Vec<&str> = terms.iter().map(|(_, cycle)| *cycle).collect();
        json!({ "id": item, "name": "Offer", "minimumQuantity": 1, "maximumQuantity": 1000, "isAddOn": false,
            "billing": "license", "supportedBillingCycles": cycles, "isTrial": false, "term": 1,
            "termUnitOfMeasure": "Year", "isMicrosoftProduct": true, "attributes": { "objectType": "Offer" } })
    };
    if let (Value::Object(slot), Value::Object(more)) = (&mut last, more) {
        slot.extend(more);
    }
    rows.push(last);
    let (amount, currency) = step.price.as_deref().unwrap_or("100.00 USD").split_once(' ').unwrap();
    for (term, cycle) in terms {
        let mut price = json!({ "product": item, "billingCycle": cycle, "currency": currency, "unitPrice": amount,
            "attributes": { "objectType": "Price" } });
        if term != "-" {
            price["termDuration"] = term.into();
        }
        rows.push(price);
    }
    Value::Array(rows)
}
