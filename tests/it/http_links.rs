//! Every link that an answer shows leads somewhere: whoever follows it gets an answer.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bursar::http::auth::Peer;
use bursar::http::router;
use bursar::triggers;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::http_world::at;
use crate::shop_world::{FOREVER, LEGACY, LEGACY_ADD_ON, SAAS, SERVER, SUITE, shop};
use crate::world::TENANT;

/// Answers looked at before the walk stops.
const PAGES_MAX: usize = 500;

async fn call(router: &Router, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).extension(Peer::Operator).header("x-bursar-user", "anna");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The addresses of the links in an answer that are got and stand here.
fn links(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| links(item, found)),
        Value::Object(members) => {
            if let (Some(uri), Some("GET")) =
                (members.get("uri").and_then(Value::as_str), members.get("method").and_then(Value::as_str))
                && uri.starts_with('/')
            {
                found.insert(format!("/v1{}", uri.strip_prefix("/v1").unwrap_or(uri)));
            }
            members.values().for_each(|member| links(member, found));
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_link_that_is_shown_can_be_followed() {
    let world = shop().await;
    let router = router(world.app.clone());
    let below = |rest: &str| format!("/v1/customers/{TENANT}/{rest}");
    let lines = json!({ "lineItems": [
        { "catalogItemId": SUITE, "quantity": 3, "billingCycle": "monthly", "termDuration": "P1Y" },
        { "catalogItemId": FOREVER, "quantity": 1, "billingCycle": "one_time" },
        { "catalogItemId": SERVER, "quantity": 1, "billingCycle": "annual", "termDuration": "P3Y" },
        { "catalogItemId": SAAS, "quantity": 1, "billingCycle": "monthly", "termDuration": "P1M" },
        { "catalogItemId": LEGACY, "quantity": 2, "billingCycle": "monthly", "termDuration": "P1Y",
            "addonItems": [{ "catalogItemId": LEGACY_ADD_ON, "quantity": 1, "billingCycle": "monthly" }] }] });
    let (status, cart) = call(&router, "POST", &below("carts"), &lines).await;
    assert_eq!(status, 201, "{cart}");
    let checkout = below(&format!("carts/{}/checkout", cart["id"].as_str().unwrap()));
    let (status, done) = call(&router, "POST", &checkout, &Value::Null).await;
    assert_eq!((status, &done["orderErrors"]), (201, &json!([])), "{done}");
    let product = done.pointer("/orders/0/lineItems/0/links/product/uri").and_then(Value::as_str).unwrap_or_default();
    assert!(product.ends_with("?country=NL"), "a checkout names the market as the orders do: {product}");
    triggers::advance(&world.app, at("2027-02-10T00:00:00Z")).await.unwrap();
    let mut seen = BTreeSet::new();
    let mut open: BTreeSet<String> =
        ["orders", "subscriptions", "offers", "products", "software", "agreements", "servicerequests"]
            .map(below)
            .into();
    for path in ["customers", "offers", "products?country=NL", "invoices", "invoices/summaries", "auditrecords"] {
        open.insert(format!("/v1/{path}"));
    }
    links(&cart, &mut open);
    links(&done, &mut open);
    let mut broken = Vec::new();
    while let Some(path) = open.pop_first() {
        assert!(seen.len() < PAGES_MAX, "the links do not end");
        if !seen.insert(path.clone()) {
            continue;
        }
        let (status, said) = call(&router, "GET", &path, &Value::Null).await;
        if status != 200 {
            broken.push(format!("{path}: {status} {}", said["detail"]));
        }
        links(&said, &mut open);
    }
    assert!(broken.is_empty(), "{broken:#?}");
    for part in ["/offers/", "/availabilities/", "/lineitems", "/provisioningstatus", "/profiles/"] {
        assert!(seen.iter().any(|path| path.contains(part)), "no link to {part} was followed: {seen:#?}");
    }
}
