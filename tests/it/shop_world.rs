//! A small catalogue with something for every rule of selling, and customers to sell it to.

use bursar::domain::cart::CartLine;
use bursar::domain::order::Order;
use bursar::domain::{OrderId, Subscription, TenantId};
use bursar::ops::carts::Wish;
use bursar::ops::checkout::CheckedOut;
use bursar::ops::{self, Rights, checkout, orders};
use serde_json::{Value, json};

use crate::world::{TENANT, World, person};

pub(crate) const NOW: &str = "2027-01-10T12:00:00Z";
pub(crate) const SUITE: &str = "CFQ7TTC0LH18:0001:CFQ7TTC0K971";
pub(crate) const TELEPHONY: &str = "CFQ7TTC0TELE:0001:CFQ7TTC0TEL1";
pub(crate) const SERVER: &str = "DG7GMGF0DVT9:0002:DG7GMGF0SERV";
pub(crate) const FOREVER: &str = "DG7GMGF0EVER:0001:DG7GMGF0EVR1";
pub(crate) const RESERVATION: &str = "DZH318Z0BQ4B:0047:DZH318Z0DSM8";
pub(crate) const SAAS: &str = "DZH318Z0SAAS:0001:DZH318Z0SAA1";
pub(crate) const CONTAINERS: &str = "DZH318Z0CONT:0001:DZH318Z0CON1";
pub(crate) const LEGACY: &str = "031C9E47-4802-4248-838E-778FB1D2CC05";
pub(crate) const LEGACY_ADD_ON: &str = "2828BE95-46BA-4F91-B2FD-0BEF192ECF60";
pub(crate) const TRIAL: &str = "C0BD2E08-11AC-4836-BDC7-3712E744922F";

/// Approves every purchase; `seats` above a hundred wait, a friendly name that begins with "no" is denied.
pub(crate) const POLICY: (&str, &str) = (
    "policies/purchase.rhai",
    "//! Small purchases pass.\n//! ---\n//! decides = [\"purchase\", \"cancellation\", \"suspension\"]\n//! ---\nfn decide(request) {\n    let sub = request.subscription;\n    if sub.friendly_name.starts_with(\"no\") { deny(\"not this one\"); }\n    if sub.quantity > 100 { review(\"a large one\"); }\n    approve();\n}\n",
);

pub(crate) fn customer(id: &str, country: &str, qualification: &str, agreed: bool) -> Value {
    let mut row = json!({ "id": id, "qualification": qualification,
        "companyProfile": { "tenantId": id, "companyName": format!("Anker {country}"), "domain": "anker.example" },
        "billingProfile": { "defaultAddress": { "country": country } } });
    if agreed {
        row["agreements"] = json!([{ "type": "MicrosoftCustomerAgreement", "dateAgreed": "2026-01-01T00:00:00Z" }]);
    }
    row
}

#[expect(clippy::needless_pass_by_value, reason = "what is different is written where it is used")]
pub(crate) fn modern(item: &str, title: &str, kind: &str, terms: Value, more: Value) -> Vec<Value> {
    let parts: Vec<&str> = item.split(':').collect();
    let mut availability = json!({ "id": parts[2], "productId": parts[0], "skuId": parts[1], "catalogItemId": item,
        "isPurchasable": true, "terms": terms, "attributes": { "objectType": "Availability" } });
    if let (Value::Object(slot), Value::Object(more)) = (&mut availability, more) {
        slot.extend(more);
    }
    vec![
        json!({ "id": parts[0], "title": title, "productType": { "id": kind }, "attributes": { "objectType": "Product" } }),
        json!({ "id": parts[1], "productId": parts[0], "title": title, "minimumQuantity": 1, "maximumQuantity": 300,
            "attributes": { "objectType": "Sku" } }),
        availability,
    ]
}

fn price(item: &str, term: &str, cycle: &str, amount: &str) -> Value {
    let mut row = json!({ "product": item, "billingCycle": cycle, "currency": "EUR", "unitPrice": amount,
        "attributes": { "objectType": "Price" } });
    if !term.is_empty() {
        row["termDuration"] = term.into();
    }
    row
}

pub(crate) fn catalogue() -> Value {
    let both = json!([{ "duration": "P1M", "billingCycle": "monthly" }, { "duration": "P1Y", "billingCycle": "monthly" },
        { "duration": "P1Y", "billingCycle": "annual" }]);
    let mut rows = modern(SUITE, "Suite", "OnlineServicesNCE", both.clone(), json!({}));
    let add_on = json!({ "dynamicAttributes": { "isAddon": true, "prerequisiteSkus": ["CFQ7TTC0LH18:0001"] } });
    rows.extend(modern(TELEPHONY, "Telephony", "OnlineServicesNCE", both.clone(), add_on));
    let three = json!([{ "duration": "P3Y", "billingCycle": "one_time" }, { "duration": "P3Y", "billingCycle": "annual" },
        { "duration": "P3Y", "billingCycle": "triennial" }]);
    rows.extend(modern(SERVER, "Windows Server Datacenter", "Software", three, json!({})));
    rows.extend(modern(FOREVER, "Office Standard", "Software", json!([{ "billingCycle": "one_time" }]), json!({})));
    let year = json!([{ "duration": "P1Y", "billingCycle": "one_time" }]);
    rows.extend(modern(RESERVATION, "Reserved VM Instance", "AzureReservation", year, json!({})));
    let month = json!([{ "duration": "P1M", "billingCycle": "monthly" }]);
    rows.extend(modern(
        SAAS,
        "Invoices",
        "SaaS",
        month.clone(),
        json!({ "publisherName": "Fabrikam", "countries": ["NL", "DE"] }),
    ));
    rows.extend(modern(CONTAINERS, "Runner", "Containers", month, json!({ "publisherName": "Fabrikam" })));
    rows.push(json!({ "id": LEGACY, "name": "Legacy Mail", "minimumQuantity": 1, "maximumQuantity": 300, "isAddOn": false,
        "billing": "license", "supportedBillingCycles": ["annual", "monthly"], "isTrial": false, "term": 1,
        "termUnitOfMeasure": "Year", "limitUnitOfMeasure": "Concurrent", "limit": 1, "category": { "name": "Small business" },
        "isMicrosoftProduct": true, "attributes": { "objectType": "Offer" } }));
    rows.push(json!({ "id": LEGACY_ADD_ON, "name": "Legacy Archive", "minimumQuantity": 1, "maximumQuantity": 300,
        "isAddOn": true, "billing": "license", "supportedBillingCycles": ["annual", "monthly"], "term": 1,
        "termUnitOfMeasure": "Year", "prerequisiteOffers": [LEGACY], "attributes": { "objectType": "Offer" } }));
    rows.push(json!({ "id": TRIAL, "name": "Legacy Mail Trial", "minimumQuantity": 25, "maximumQuantity": 25,
        "isTrial": true, "isAddOn": false, "billing": "license", "supportedBillingCycles": ["none"], "term": 1,
        "termUnitOfMeasure": "Month", "limitUnitOfMeasure": "Lifetime", "limit": 1, "category": { "name": "Trial" },
        "conversionTargetOffers": [LEGACY], "attributes": { "objectType": "Offer" } }));
    for (term, cycle, amount) in [("P1M", "monthly", "12.00"), ("P1Y", "monthly", "10.00"), ("P1Y", "annual", "120.00")]
    {
        rows.push(price(SUITE, term, cycle, amount));
        rows.push(price(TELEPHONY, term, cycle, amount));
    }
    for (cycle, amount) in [("one_time", "900.00"), ("annual", "300.00"), ("triennial", "900.00")] {
        rows.push(price(SERVER, "P3Y", cycle, amount));
    }
    rows.push(price(FOREVER, "", "one_time", "250.00"));
    rows.push(price(RESERVATION, "P1Y", "one_time", "600.00"));
    rows.push(price(SAAS, "P1M", "monthly", "30.00"));
    for cycle in ["annual", "monthly"] {
        rows.push(price(LEGACY, "P1Y", cycle, if cycle == "annual" { "48.00" } else { "4.00" }));
        rows.push(price(LEGACY_ADD_ON, "P1Y", cycle, if cycle == "annual" { "12.00" } else { "1.00" }));
    }
    Value::Array(rows)
}

/// A customer in the Netherlands who has agreed, the catalogue, and a policy that lets small purchases pass.
pub(crate) async fn shop() -> World {
    shop_at(NOW).await
}

pub(crate) async fn shop_at(now: &str) -> World {
    let world = World::new(now, &[POLICY]);
    world.import(json!([customer(TENANT, "NL", "", true)])).await;
    world.import(catalogue()).await;
    world
}

pub(crate) fn tenant() -> TenantId {
    TENANT.parse().unwrap()
}

pub(crate) fn line(item: &str, quantity: i64, term: &str, cycle: &str) -> CartLine {
    CartLine {
        catalog_item_id: item.to_owned(),
        quantity,
        term_duration: (!term.is_empty()).then(|| term.parse().unwrap()),
        billing_cycle: cycle.to_owned(),
        ..CartLine::default()
    }
}

pub(crate) async fn buy(world: &World, lines: Vec<CartLine>) -> CheckedOut {
    try_buy(world, lines).await.unwrap()
}

pub(crate) async fn try_buy(world: &World, lines: Vec<CartLine>) -> Result<CheckedOut, ops::Error> {
    let cause = world.app.next_cause("test");
    let wish = Wish { lines };
    let body = move |work: &mut ops::Work| checkout::buy(work, tenant(), &wish);
    world.app.act(person("anna"), cause, body).await
}

pub(crate) fn order_of(world: &World, id: &OrderId) -> Order {
    let id = id.clone();
    world.app.read(Rights::system(), move |work| orders::get(work, tenant(), &id)).unwrap()
}

pub(crate) fn bought(world: &World, done: &CheckedOut, place: usize) -> Subscription {
    world.sub(done.bought[place].subscription)
}
