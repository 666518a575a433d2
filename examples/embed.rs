//! Bursar inside another program: a store of its own, a function of the host's in the policies, a manual clock, and
//! the router beside the host's own routes.
//!
//! ```text
//! cargo run --example embed
//! ```

use std::error::Error;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::domain::{Grants, calendar};
use bursar::engine::api;
use bursar::engine::reference::{Function, Part};
use bursar::ops::{Rights, imports, tokens};
use bursar::{http, triggers};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// The policy asks the host what it thinks of a customer.
const POLICY: &str = r#"//! Customers the host trusts renew by themselves.
//! ---
//! decides = "renewal"
//! ---
fn decide(request) {
    let score = credit_score(request.subscription.tenant.country);
    if score < 50 { review(`credit score ${score}`, #{ otherwise: "deny" }); }
    approve();
}
"#;

const CREDIT_SCORE: Part = Part {
    title: "The host's own",
    functions: &[Function {
        name: "credit_score",
        params: &["country: string"],
        gives: "int",
        grant: "",
        doc: "What the host thinks of customers of a country.",
        example: r#"print(`${credit_score("NL")}`);"#,
    }],
    properties: &[],
};

const TENANT: &str = "6f9a0d3c-2a41-4b60-9d59-3f6b8f0a1c11";

fn book() -> String {
    let subscription = "0b8f7a52-6c7e-4f0b-8f5e-2d1c3b4a5968";
    serde_json::json!([
        { "id": TENANT, "companyProfile": { "tenantId": TENANT, "companyName": "Havenlicht BV", "domain": "havenlicht.example" },
          "billingProfile": { "defaultAddress": { "country": "NL" } } },
        { "id": "EmbedOrder1", "referenceCustomerId": TENANT, "currencyCode": "EUR", "billingCycle": "monthly",
          "lineItems": [{ "lineItemNumber": 0, "offerId": "CFQ7TTC0EMB1:0001:CFQ7TTC0EM01", "subscriptionId": subscription,
                          "quantity": 4, "pricing": { "price": "12.50" } }] },
        { "id": subscription, "offerId": "CFQ7TTC0EMB1:0001:CFQ7TTC0EM01", "friendlyName": "Harbour office", "quantity": 4,
          "productType": { "id": "OnlineServicesNCE" }, "billingType": "license", "billingCycle": "monthly", "termDuration": "P1M",
          "creationDate": "2027-01-01T00:00:00Z", "effectiveStartDate": "2027-01-01T00:00:00Z",
          "commitmentEndDateTime": "2027-01-31T23:59:59Z", "status": "active", "autoRenewEnabled": true, "orderId": "EmbedOrder1",
          "links": { "self": { "uri": format!("/customers/{TENANT}/subscriptions/{subscription}"), "method": "GET" } } },
    ])
    .to_string()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("policies"))?;
    std::fs::write(folder.path().join("policies/trust.rhai"), POLICY)?;
    let config =
        Config { store: folder.path().join("store.bursar"), library: folder.path().to_owned(), ..Config::default() };

    // A store on a manual clock, opened with a function of the host's own.
    let mut store_id = [0; 16];
    getrandom::fill(&mut store_id)?;
    App::init(&config, store_id, Some(calendar::instant("2027-01-05T09:00:00Z")?))?;
    let kit = api::kit().with(
        |engine| {
            engine.register_fn("credit_score", |country: &str| -> i64 {
                if country == "NL" { 80 } else { 20 }
            });
        },
        &[CREDIT_SCORE],
    );
    let app = App::open(&config, Options { kit: Some(kit), ..Options::default() })?;
    let report = app.import(Rights::system(), "book".to_owned(), book(), imports::Options::default()).await?;
    println!("imported: {} taken, {} refused", report.taken, report.refused);

    let advanced = triggers::advance(&app, calendar::instant("2027-03-10T00:00:00Z")?).await?;
    println!("advanced to {}: {} timers", calendar::show(advanced.now), advanced.ticked.timers);

    // The router stands beside the host's own routes; callers bring a token.
    let secret = format!("{}embedded-host-example", tokens::PREFIX);
    let shown = secret.clone();
    let cause = app.next_cause("embed");
    app.act(Rights::system(), cause, move |work| tokens::create(work, "host", Grants::all(), None, &shown)).await?;
    let host: Router =
        Router::new().route("/", get(|| async { "the host's own page" })).merge(http::router(app.clone()));
    for path in ["/", "/v1/ledger"] {
        let request = Request::get(path).header("authorization", format!("Bearer {secret}")).body(Body::empty())?;
        let answer = host.clone().oneshot(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        println!("GET {path} -> {status} {}", String::from_utf8_lossy(&body));
        assert!(status.is_success());
    }

    // Closed, the file is free: it opens again at once.
    app.close().await;
    App::open(&config, Options { tolerate_library: true, ..Options::default() })?.close().await;
    Ok(())
}
