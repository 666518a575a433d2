//! The shop over HTTP, in the shapes Partner Center has: what its clients send is understood, what they look for is there.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bursar::http::auth::Peer;
use bursar::http::router;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::shop_world::{CONTAINERS, FOREVER, LEGACY, LEGACY_ADD_ON, RESERVATION, SAAS, SERVER, SUITE, TRIAL, shop};
use crate::world::{TENANT, World};

struct Shop {
    world: World,
    router: Router,
}

struct Said {
    status: u16,
    body: Value,
    replayed: bool,
}

impl Shop {
    async fn new() -> Self {
        let world = shop().await;
        Self { router: router(world.app.clone()), world }
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Said {
        let mut request =
            Request::builder().method(method).uri(path).extension(Peer::Operator).header("x-bursar-user", "anna");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Said { status: parts.status.as_u16(), body, replayed: parts.headers.contains_key("idempotent-replayed") }
    }

    async fn get(&self, path: &str) -> Value {
        let said = self.call("GET", path, &[], Value::Null).await;
        assert_eq!(said.status, 200, "{path}: {}", said.body);
        said.body
    }

    async fn post(&self, path: &str, body: Value) -> Said {
        self.call("POST", path, &[], body).await
    }
}

fn below(rest: &str) -> String {
    format!("/v1/customers/{TENANT}/{rest}")
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_cart_is_made_looked_at_changed_and_checked_out_in_their_shape() {
    let shop = Shop::new().await;
    let lines = json!({ "lineItems": [
        { "id": 0, "catalogItemId": SUITE, "quantity": 3, "currencyCode": "EUR", "billingCycle": "monthly", "termDuration": "P1Y" },
        { "id": 1, "catalogItemId": FOREVER, "quantity": 1, "billingCycle": "one_time",
            "provisioningContext": { "scope": "shared" } },
        { "id": 2, "catalogItemId": "no such thing", "quantity": 1 }] });
    let made = shop.post(&below("carts"), lines).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let cart = made.body;
    assert_eq!((cart["status"].as_str(), cart["attributes"]["objectType"].as_str()), (Some("Active"), Some("Cart")));
    assert_eq!(cart["expirationTimestamp"], "2027-01-10T12:15:00Z");
    assert_eq!(cart["lineItems"][1]["orderGroup"], "1");
    assert_eq!(cart["lineItems"][1]["provisioningContext"]["scope"], "shared");
    assert_eq!(cart["lineItems"][2]["error"]["errorCode"], 10001);
    let own = format!("/v1{}", cart["links"]["self"]["uri"].as_str().unwrap());
    assert_eq!(shop.get(&own).await, cart);
    let mut again = cart.clone();
    again["lineItems"].as_array_mut().unwrap().pop();
    let put = shop.call("PUT", &own, &[], again).await;
    assert_eq!((put.status, put.body["lineItems"].as_array().unwrap().len()), (200, 2), "{}", put.body);
    let review = shop.get(&format!("{own}/review")).await;
    assert_eq!(
        (review["purchasable"].as_bool(), review["lines"][0]["plans"].as_array().unwrap().len()),
        (Some(true), 3)
    );
    let headers = [("idempotency-key", "one")];
    let path = format!("{own}/checkout");
    let done = shop.call("POST", &path, &headers, Value::Null).await;
    assert_eq!(done.status, 201, "{}", done.body);
    assert_eq!(done.body["orders"].as_array().unwrap().len(), 2);
    assert_eq!(done.body["orderErrors"], json!([]));
    let retried = shop.call("POST", &path, &headers, Value::Null).await;
    assert_eq!((retried.status, retried.replayed), (201, true));
    assert_eq!(retried.body, done.body, "the same call gets the same answer");
    let numbered = [("ms-requestid", "6b7f0a5e-0000-4000-8000-000000000001")];
    let placed = json!({ "billingCycle": "annual", "lineItems": [{ "offerId": SUITE, "quantity": 1 }] });
    let first = shop.call("POST", &below("orders"), &numbered, placed.clone()).await;
    let second = shop.call("POST", &below("orders"), &numbered, placed).await;
    assert_eq!(
        (first.replayed, second.replayed, &first.body),
        (false, true, &second.body),
        "their number of a call does the same"
    );
    let twice = shop.call("POST", &path, &[("idempotency-key", "two")], Value::Null).await;
    assert_eq!((twice.status, twice.body["code"].as_str()), (409, Some("cart_submitted")));
    assert_eq!(twice.body["partnerCenterCode"], 800_065);
}

#[tokio::test]
async fn an_order_is_placed_shown_and_cancelled_in_their_shape() {
    let shop = Shop::new().await;
    // As Partner Center's older clients write it, and with what they send empty.
    let sent = json!({ "Id": null, "ReferenceCustomerId": TENANT, "BillingCycle": "one_time", "CurrencyCode": "EUR",
        "LineItems": [{ "LineItemNumber": 0, "OfferId": FOREVER, "SubscriptionId": null, "FriendlyName": "For good",
            "Quantity": 2, "PartnerIdOnRecord": null, "Attributes": { "ObjectType": "OrderLineItem" } }],
        "CreationDate": null, "Attributes": { "ObjectType": "Order" } });
    let placed = shop.post(&below("orders"), sent).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    let order = placed.body;
    assert_eq!((order["status"].as_str(), order["billingCycle"].as_str()), (Some("completed"), Some("one_time")));
    assert_eq!(
        (order["currencyCode"].as_str(), order["transactionType"].as_str()),
        (Some("EUR"), Some("UserPurchase"))
    );
    let line = &order["lineItems"][0];
    assert_eq!((line["friendlyName"].as_str(), line["quantity"].as_i64()), (Some("For good"), Some(2)));
    assert_eq!(line["links"]["product"]["uri"], "/products/DG7GMGF0EVER?country=NL");
    assert_eq!(line["links"]["sku"]["uri"], "/products/DG7GMGF0EVER/skus/0001?country=NL");
    assert_eq!(line["pricing"]["extendedPrice"].as_f64(), Some(500.0));
    assert_eq!(order["links"]["patchOperation"]["method"], "PATCH");
    let id = order["id"].as_str().unwrap();
    let path = below(&format!("orders/{id}"));
    assert_eq!(shop.get(&path).await, order);
    let status = shop.get(&format!("{path}/provisioningstatus")).await;
    assert_eq!(status["items"][0]["status"], "Fulfilled");
    let bought = shop.get(&format!("{path}/subscriptions")).await;
    assert_eq!(bought["items"][0]["orderId"], id);
    let listed = shop.get(&below("subscriptions")).await;
    assert_eq!(ids(&listed), Vec::<&str>::new(), "what is bought for good is listed by its order alone");
    let patch = json!({ "id": id, "status": "cancelled", "lineItems": [{ "lineItemNumber": 0, "offerId": FOREVER }] });
    let cancelled = shop.call("PATCH", &path, &[], patch.clone()).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    assert_eq!(
        (cancelled.body["status"].as_str(), cancelled.body["lineItems"][0]["quantity"].as_i64()),
        (Some("cancelled"), Some(0))
    );
    let again = shop.call("PATCH", &path, &[], patch).await;
    assert_eq!((again.status, again.body["partnerCenterCode"].as_u64()), (409, Some(800_061)), "{}", again.body);
    let other = shop.call("PATCH", &path, &[], json!({ "id": "another", "status": "cancelled" })).await;
    assert_eq!((other.status, other.body["code"].as_str()), (422, Some("invalid_patch")), "one order at a time");
    assert_eq!(shop.get("/v1/orders?status=cancelled").await["items"][0]["id"], id);
}

#[tokio::test]
async fn an_add_on_is_ordered_for_its_base_in_their_shape() {
    let shop = Shop::new().await;
    let base = shop
        .post(
            &below("orders"),
            json!({ "BillingCycle": "monthly", "LineItems": [{ "OfferId": LEGACY, "Quantity": 5 }] }),
        )
        .await;
    assert_eq!(base.status, 201, "{}", base.body);
    let base = base.body["lineItems"][0]["subscriptionId"].as_str().unwrap().to_owned();
    let sent = json!({ "Id": null, "ReferenceCustomerId": TENANT, "LineItems": [{ "LineItemNumber": 0, "OfferId": LEGACY_ADD_ON,
        "SubscriptionId": null, "ParentSubscriptionId": base, "FriendlyName": "Some friendly name", "Quantity": 2,
        "PartnerIdOnRecord": null, "Attributes": { "ObjectType": "OrderLineItem" } }], "CreationDate": null });
    let placed = shop.post(&below("orders"), sent).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    assert_eq!(placed.body["lineItems"][0]["parentSubscriptionId"], base);
    let alone = json!({ "LineItems": [{ "OfferId": LEGACY_ADD_ON, "Quantity": 2 }] });
    let refused = shop.post(&below("orders"), alone).await;
    assert_eq!((refused.status, refused.body["partnerCenterCode"].as_u64()), (409, Some(400_041)), "{}", refused.body);
    let add_ons = shop.get(&format!("/v1/offers/{LEGACY}/addons")).await;
    assert_eq!(ids(&add_ons), [LEGACY_ADD_ON]);
}

#[tokio::test]
async fn a_purchase_that_is_denied_or_waits_says_so() {
    let shop = Shop::new().await;
    let one = |name: &str, quantity: i64| json!({ "billingCycle": "annual", "lineItems": [{ "offerId": SUITE, "quantity": quantity, "friendlyName": name }] });
    let denied = shop.post(&below("orders"), one("no thanks", 1)).await;
    assert_eq!((denied.status, denied.body["code"].as_str()), (409, Some("denied")), "{}", denied.body);
    assert_eq!(denied.body["partnerCenterCode"], 800_069, "a policy is what checks the risk");
    let orders = shop.get(&below("orders")).await;
    assert_eq!(
        (orders["items"][0]["status"].as_str(), orders["items"][0]["lineItems"][0]["quantity"].as_i64()),
        (Some("error"), Some(0))
    );
    let waits = shop.post(&below("orders"), one("many", 101)).await;
    assert_eq!((waits.status, waits.body["status"].as_str()), (202, Some("pending")), "{}", waits.body);
    let software = json!({ "lineItems": [{ "offerId": FOREVER, "quantity": 101, "billingCycle": "one_time" }] });
    let waits = shop.post(&below("orders"), software).await;
    assert_eq!(waits.status, 202, "{}", waits.body);
    let order = below(&format!("orders/{}", waits.body["id"].as_str().unwrap()));
    let early = shop.call("PATCH", &order, &[], json!({ "status": "cancelled" })).await;
    assert_eq!((early.status, early.body["code"].as_str()), (409, Some("order_in_progress")), "{}", early.body);
    assert_eq!(early.body["partnerCenterCode"], 800_060);
}

#[tokio::test]
async fn slips_of_the_pen_are_told_with_their_place() {
    let shop = Shop::new().await;
    for (body, code) in [
        (json!({}), "invalid_cart"),
        (json!({ "lineItems": {} }), "invalid_cart"),
        (json!({ "lineItems": [{ "quantity": 1 }] }), "invalid_cart"),
        (json!({ "lineItems": [{ "catalogItemId": SUITE, "quantity": "many" }] }), "invalid_cart"),
        (json!({ "lineItems": [{ "catalogItemId": SUITE, "quantity": 1, "termDuration": "a year" }] }), "invalid_cart"),
        (json!({ "lineItems": [{ "catalogItemId": SUITE, "quantity": 1, "colour": "red" }] }), "unknown_member"),
    ] {
        let said = shop.post(&below("carts"), body.clone()).await;
        assert_eq!((said.status, said.body["code"].as_str()), (422, Some(code)), "{body}: {}", said.body);
    }
    let many: Vec<Value> = (0..201).map(|_| json!({ "catalogItemId": SUITE, "quantity": 1 })).collect();
    assert_eq!(shop.post(&below("carts"), json!({ "lineItems": many })).await.body["code"], "cart_too_large");
}

#[tokio::test]
async fn a_customers_offers_leave_out_what_it_cannot_have_unless_asked_why() {
    let shop = Shop::new().await;
    let path = format!("/v1/tenants/{TENANT}/offers");
    let all = shop.get(&path).await;
    let listed = ids(&all);
    for there in [SUITE, SERVER, FOREVER, RESERVATION, SAAS, LEGACY, TRIAL] {
        assert!(listed.contains(&there), "{there} is not in {listed:?}");
    }
    for hidden in [CONTAINERS, LEGACY_ADD_ON] {
        assert!(!listed.contains(&hidden), "{hidden} is in {listed:?}");
    }
    let why = shop.get(&format!("{path}?why=true")).await;
    let runner = why["items"].as_array().unwrap().iter().find(|item| item["id"] == CONTAINERS).unwrap();
    assert_eq!(
        (runner["purchasable"].as_bool(), runner["reasons"][0]["rule"].as_str()),
        (Some(false), Some("O-scope"))
    );
    assert_eq!(ids(&shop.get(&format!("{path}?publisher=partner")).await), [SAAS]);
    let whole = shop.get("/v1/products?is_item=true&publisher=partner").await;
    assert_eq!(ids(&whole), [CONTAINERS, SAAS], "without a customer it is the whole catalogue's");
    assert_eq!(ids(&shop.get(&format!("{path}?category=trial")).await), [TRIAL]);
    let mut limited =
        ids(&shop.get(&format!("{path}?limited=true")).await).into_iter().map(str::to_owned).collect::<Vec<_>>();
    limited.sort();
    assert_eq!(limited, [LEGACY, TRIAL], "the offers limited per customer");
    let unknown = shop.call("GET", &format!("{path}?colour=red"), &[], Value::Null).await;
    assert_eq!((unknown.status, unknown.body["code"].as_str()), (400, Some("unknown_parameter")));
    let one = shop.get(&format!("{path}/{SUITE}?quantity=301")).await;
    assert_eq!(
        (one["purchasable"].as_bool(), one["reasons"][0]["partnerCenterCode"].as_u64()),
        (Some(false), Some(800_067))
    );
    assert_eq!(one["plans"][1]["unitPrice"]["amount"], "10.00");
    let server = shop.get(&format!("{path}/{SERVER}")).await;
    assert_eq!(server["benefits"][0]["rule"], "AHB-datacenter");
    let bought = shop
        .post(
            &below("orders"),
            json!({ "billingCycle": "monthly", "lineItems": [{ "offerId": LEGACY, "quantity": 5 }] }),
        )
        .await;
    let base = bought.body["lineItems"][0]["subscriptionId"].as_str().unwrap().to_owned();
    let after = shop.get(&path).await;
    assert!(!ids(&after).contains(&LEGACY) && !ids(&after).contains(&TRIAL), "owned and limited");
    assert_eq!(ids(&shop.get(&format!("{path}?base={base}")).await), [LEGACY_ADD_ON], "its add-ons");
}

#[tokio::test]
async fn the_catalogue_is_walked_from_products_to_availabilities_in_their_shape() {
    let shop = Shop::new().await;
    let products = shop.get("/v1/products?country=NL&targetView=OnlineServicesNCE").await;
    assert_eq!(products["attributes"]["objectType"], "Collection");
    assert_eq!(ids(&products), ["CFQ7TTC0LH18", "CFQ7TTC0TELE"]);
    let product = shop.get("/v1/products/CFQ7TTC0LH18?country=NL").await;
    assert_eq!(
        (product["title"].as_str(), product["productType"]["id"].as_str()),
        (Some("Suite"), Some("OnlineServicesNCE"))
    );
    let skus = shop.get("/v1/products/CFQ7TTC0LH18/skus?country=NL").await;
    assert_eq!((ids(&skus), skus["items"][0]["maximumQuantity"].as_i64()), (vec!["0001"], Some(300)));
    let path = "/v1/products/CFQ7TTC0LH18/skus/0001/availabilities?country=NL&targetSegment=commercial";
    let availabilities = shop.get(path).await;
    assert_eq!(availabilities["items"][0]["catalogItemId"], SUITE);
    assert_eq!(availabilities["items"][0]["terms"].as_array().unwrap().len(), 3);
    let one = shop.get("/v1/products/CFQ7TTC0LH18/skus/0001/availabilities/CFQ7TTC0K971?country=NL").await;
    assert_eq!(one["attributes"]["objectType"], "Availability");
    let add_on = shop.get("/v1/products/CFQ7TTC0TELE/skus/0001?country=NL").await;
    assert_eq!(add_on["productId"], "CFQ7TTC0TELE");
    let offers = shop.get("/v1/offers?country=NL").await;
    assert_eq!(offers["totalCount"], 3);
    let offer = shop.get(&format!("/v1/offers/{TRIAL}")).await;
    assert_eq!((offer["limit"].as_i64(), offer["limitUnitOfMeasure"].as_str()), (Some(1), Some("Lifetime")));
    let theirs = shop.get(&below("offers")).await;
    assert_eq!(theirs["attributes"]["objectType"], "Collection");
    let own = shop.get(&below("products")).await;
    assert!(own["items"].as_array().unwrap().iter().any(|item| item["catalogItemId"] == SUITE), "{own}");
}

#[tokio::test]
async fn an_agreement_opens_the_shop() {
    let shop = Shop::new().await;
    let other = "99999999-9999-9999-9999-999999999999";
    shop.world.import(json!([crate::shop_world::customer(other, "NL", "", false)])).await;
    let order = json!({ "billingCycle": "annual", "lineItems": [{ "offerId": SUITE, "quantity": 1 }] });
    let path = format!("/v1/customers/{other}/orders");
    let refused = shop.post(&path, order.clone()).await;
    assert_eq!(
        (refused.body["code"].as_str(), refused.body["partnerCenterCode"].as_u64()),
        (Some("agreement_missing"), Some(13605))
    );
    let agreements = format!("/v1/customers/{other}/agreements");
    let later = shop
        .post(&agreements, json!({ "type": "MicrosoftCustomerAgreement", "dateAgreed": "2028-01-01T00:00:00Z" }))
        .await;
    assert_eq!(later.body["code"], "agreed_later");
    let agreed = shop
        .post(&agreements, json!({ "type": "MicrosoftCustomerAgreement", "dateAgreed": "2027-01-10T11:00:00Z" }))
        .await;
    assert_eq!(agreed.status, 201, "{}", agreed.body);
    assert_eq!(shop.get(&agreements).await["items"][0]["dateAgreed"], "2027-01-10T11:00:00Z");
    assert_eq!(shop.post(&path, order).await.status, 201);
}

#[tokio::test]
async fn a_price_of_the_customers_market_and_its_own_price_stand_before_those_for_all() {
    let shop = Shop::new().await;
    let row = |market: &str, segment: &str, amount: &str| {
        json!({ "product": SUITE, "termDuration": "P1Y", "billingCycle": "annual", "currency": "EUR", "unitPrice": amount,
            "market": market, "segment": segment, "attributes": { "objectType": "Price" } })
    };
    shop.world
        .import(json!([
            row("NL", "Commercial", "110.00"),
            row("DE", "Commercial", "105.00"),
            row("NL", "Education", "50.00")
        ]))
        .await;
    let path = format!("/v1/tenants/{TENANT}/offers/{SUITE}");
    let plan = |shown: &Value| shown["plans"][2].clone();
    let shown = shop.get(&path).await;
    assert_eq!(plan(&shown)["unitPrice"]["amount"], "110.00", "of the market and segment");
    assert!(plan(&shown)["customerPrice"].is_null());
    let own = json!({ "product": SUITE, "termDuration": "P1Y", "billingCycle": "annual", "unitPrice": "130.00 EUR" });
    let set = shop.call("PUT", &format!("/v1/tenants/{TENANT}/prices"), &[], own).await;
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(plan(&shop.get(&path).await)["customerPrice"]["amount"], "130.00");
    let order = json!({ "billingCycle": "annual", "lineItems": [{ "offerId": SUITE, "quantity": 2 }] });
    let placed = shop.post(&below("orders"), order).await.body;
    assert_eq!(placed["lineItems"][0]["customerPrice"]["amount"].as_f64(), Some(130.0));
    assert_eq!(placed["lineItems"][0]["pricing"]["price"].as_f64(), Some(110.0));
}

#[tokio::test]
async fn the_publishers_page_is_told_by_the_catalogue_and_listed_for_what_is_bought_of_it() {
    let shop = Shop::new().await;
    for (spelling, page) in [
        ("landingPageUrl", "https://fabrikam.example/landing"),
        ("activationLink", "https://fabrikam.example/activate?of={subscription}"),
    ] {
        let told = json!([{ "id": "DZH318Z0SAAS", "title": "Invoices", "productType": { "id": "SaaS" }, spelling: page,
            "attributes": { "objectType": "Product" } }]);
        shop.world.import(told).await;
        let placed = shop.post(&below("orders"), json!({ "lineItems": [{ "offerId": SAAS, "quantity": 1 }] })).await;
        assert_eq!(placed.status, 201, "{}", placed.body);
        let id = placed.body["lineItems"][0]["subscriptionId"].as_str().unwrap();
        let want = page.replace("{subscription}", id);
        let links = shop.get(&below(&format!("subscriptions/{id}/activationlinks"))).await;
        assert_eq!((links["totalCount"].as_i64(), links["items"][0]["link"]["uri"].as_str()), (Some(1), Some(&*want)));
        let order = placed.body["id"].as_str().unwrap();
        let of_line = shop.get(&below(&format!("orders/{order}/lineitems/0/activationlinks"))).await;
        assert_eq!(of_line["items"][0]["link"]["uri"], want);
        let shown = shop.get(&format!("/v1/subscriptions/{id}")).await;
        assert_eq!(shown["activationLink"], want, "where it waits, it says where it is activated");
    }
}

#[tokio::test]
async fn what_the_product_says_is_paid_by_use_is_metered_whatever_its_availability_lets_guess() {
    let shop = Shop::new().await;
    let month = json!([{ "duration": "P1M", "billingCycle": "monthly" }]);
    let metered = "DZH318Z0USED:0001:DZH318Z0USE1";
    let more = json!({ "publisherName": "Fabrikam" });
    let mut rows = crate::shop_world::modern(metered, "Metered", "SaaS", month, more);
    rows[0]["billing"] = "usage".into();
    shop.world.import(Value::Array(rows)).await;
    let found = shop.get(&format!("/v1/tenants/{TENANT}/offers?billing=usage")).await;
    assert_eq!(ids(&found), [metered]);
    assert_eq!(found["items"][0]["family"], "saas_metered");
    let placed = shop.post(&below("orders"), json!({ "lineItems": [{ "offerId": metered, "quantity": 1 }] })).await;
    let id = placed.body["lineItems"][0]["subscriptionId"].as_str().unwrap();
    let bought = shop.get(&format!("/v1/subscriptions/{id}")).await;
    assert_eq!((&bought["family"], &bought["billingType"]), (&json!("saas_metered"), &json!("usage")));
}

#[tokio::test]
async fn a_purchase_is_one_created_order_in_the_audit_records_and_their_dates_are_those_of_the_resource() {
    let shop = Shop::new().await;
    let lines = json!([{ "offerId": SUITE, "quantity": 2, "termDuration": "P1Y", "billingCycle": "annual" },
        { "offerId": SERVER, "quantity": 1, "termDuration": "P3Y", "billingCycle": "triennial" },
        { "offerId": FOREVER, "quantity": 1, "billingCycle": "one_time" }]);
    for line in lines.as_array().unwrap() {
        let mut order = line.clone();
        order["lineItemNumber"] = 0.into();
        let body = json!({ "billingCycle": line["billingCycle"], "lineItems": [order] });
        let placed = shop.post(&below("orders"), body).await;
        assert_eq!(placed.status, 201, "{}", placed.body);
        let order = placed.body["id"].as_str().unwrap().to_owned();
        let id = placed.body["lineItems"][0]["subscriptionId"].as_str().unwrap().to_owned();
        let perpetual = line["offerId"] == FOREVER;
        let mut records = shop.get("/v1/auditrecords?startDate=2027-01-01").await["items"].as_array().unwrap().clone();
        let pair = |one: &Value, key: &str, value: &str| {
            one["customizedData"].as_array().unwrap().iter().any(|pair| pair["key"] == key && pair["value"] == value)
        };
        let created = |one: &&Value| one["operationType"] == "create_order" && one["resourceType"] == "order";
        let theirs: Vec<&Value> = records.iter().filter(created).filter(|one| pair(one, "OrderId", &order)).collect();
        assert_eq!(theirs.len(), 1, "one row an order");
        assert!(pair(theirs[0], "SubscriptionId-0", &id));
        records.retain(|one| pair(one, "SubscriptionId", &id));
        let rows: Vec<(&str, &str)> = records
            .iter()
            .map(|one| (one["operationType"].as_str().unwrap(), one["resourceType"].as_str().unwrap()))
            .collect();
        let own = if perpetual { ("update_order", "order") } else { ("update_subscription", "subscription") };
        assert_eq!(rows, [own], "what came of it");
        let told: Value = serde_json::from_str(records[0]["resourceNewValue"].as_str().unwrap()).unwrap();
        let shown = shop.get(&below(&format!("subscriptions/{id}"))).await;
        for name in ["commitmentEndDate", "billingCycleEndDate", "cancellationAllowedUntilDate"] {
            assert_eq!(told.get(name), shown.get(name).filter(|end| **end != "9999-12-31T00:00:00Z"), "{name}: {told}");
        }
        assert!(told["cancellationAllowedUntilDate"].is_string(), "{told}");
        if perpetual {
            assert_eq!(told["cancellationAllowedUntilDate"], "2027-02-09T23:59:00Z", "W30p");
            let cancelled = json!({ "id": order, "status": "cancelled" });
            assert_eq!(shop.call("PATCH", &below(&format!("orders/{order}")), &[], cancelled).await.status, 200);
            let records = shop.get("/v1/auditrecords?startDate=2027-01-01").await;
            let newest = records["items"].as_array().unwrap().iter().find(|one| pair(one, "SubscriptionId", &id));
            let newest = newest.unwrap();
            assert_eq!((&newest["operationType"], &newest["resourceType"]), (&json!("update_order"), &json!("order")));
            assert!(pair(newest, "Operation", "order.cancelled"), "{newest:#}");
        }
    }
}

#[tokio::test]
async fn a_product_is_of_the_family_that_it_is_sold_as() {
    let shop = Shop::new().await;
    let family = |list: &Value, id: &str| {
        let all = list["items"].as_array().unwrap();
        all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("{id}: {list:#}"))["family"].clone()
    };
    let all = shop.get("/v1/products?limit=100").await;
    for (item, expected) in [(SERVER, "software_subscription"), (FOREVER, "software_perpetual")] {
        let offers = shop.get(&format!("/v1/tenants/{TENANT}/offers?limit=100")).await;
        assert_eq!(family(&offers, item), expected);
        for level in [item, item.rsplit_once(':').unwrap().0, item.split_once(':').unwrap().0] {
            assert_eq!(family(&all, level), expected, "{level}");
            assert_eq!(shop.get(&format!("/v1/products/{level}")).await["family"], expected, "{level}");
        }
        let kept = shop.get(&format!("/v1/products?family={expected}&limit=100")).await;
        assert_eq!(family(&kept, item.split_once(':').unwrap().0), expected);
    }
    // Sold in both ways, it is told as the product itself is: its items say which is which.
    let both = json!([{ "id": "EVR2", "productId": "DG7GMGF0DVT9", "skuId": "0002", "catalogItemId": "DG7GMGF0DVT9:0002:EVR2",
        "isPurchasable": true, "terms": [{ "billingCycle": "one_time" }], "attributes": { "objectType": "Availability" } }]);
    shop.world.import(both).await;
    let all = shop.get("/v1/products?limit=100").await;
    assert_eq!(family(&all, "DG7GMGF0DVT9"), "software_perpetual");
    assert_eq!(
        (family(&all, "DG7GMGF0DVT9:0002:EVR2"), family(&all, SERVER)),
        (json!("software_perpetual"), json!("software_subscription"))
    );
}

#[tokio::test]
async fn what_orders_alone_tell_of_is_in_no_list_of_subscriptions_unless_it_is_asked_for() {
    let shop = Shop::new().await;
    let mut ids_of = Vec::new();
    for (offer, term, cycle) in [(FOREVER, "", "one_time"), (SUITE, "P1Y", "annual")] {
        let mut line = json!({ "lineItemNumber": 0, "offerId": offer, "quantity": 1 });
        if !term.is_empty() {
            line["termDuration"] = term.into();
        }
        let placed = shop.post(&below("orders"), json!({ "billingCycle": cycle, "lineItems": [line] })).await;
        ids_of.push(placed.body["lineItems"][0]["subscriptionId"].as_str().unwrap().to_owned());
    }
    let (forever, suite) = (ids_of[0].as_str(), ids_of[1].as_str());
    for path in [format!("/v1/subscriptions?tenant={TENANT}"), "/v1/subscriptions".to_owned(), below("subscriptions")] {
        let all = shop.get(&path).await;
        assert!(ids(&all).contains(&suite) && !ids(&all).contains(&forever), "{path}: {all:#}");
    }
    for asked in ["listed=false", "family=software_perpetual", &format!("id={forever}")] {
        assert_eq!(ids(&shop.get(&format!("/v1/subscriptions?{asked}")).await), [forever], "{asked}");
    }
    let both = shop.get("/v1/subscriptions?listed=true,false").await;
    assert!(ids(&both).contains(&suite) && ids(&both).contains(&forever), "{both:#}");
}

#[tokio::test]
async fn what_is_not_paid_by_use_is_paid_by_licence() {
    let shop = Shop::new().await;
    let month = json!([{ "duration": "P1M", "billingCycle": "monthly" }]);
    let azure = "DZH318Z0AZUR:0001:DZH318Z0AZU1";
    shop.world.import(Value::Array(crate::shop_world::modern(azure, "Plan", "Azure", month, json!({})))).await;
    let of = async |billing: &str| {
        let found = shop.get(&format!("/v1/tenants/{TENANT}/offers?limit=100&billing={billing}")).await;
        ids(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (licences, used) = (of("license").await, of("usage").await);
    for item in [SUITE, SERVER, FOREVER, SAAS] {
        assert!(licences.iter().any(|id| id == item) && !used.iter().any(|id| id == item), "{item}: {licences:?}");
    }
    assert_eq!(used, [azure]);
    let line = json!({ "lineItemNumber": 0, "offerId": azure, "quantity": 1, "termDuration": "P1M" });
    let placed = shop.post(&below("orders"), json!({ "billingCycle": "monthly", "lineItems": [line] })).await;
    let id = placed.body["lineItems"][0]["subscriptionId"].as_str().unwrap_or_else(|| panic!("{}", placed.body));
    assert_eq!(ids(&shop.get("/v1/subscriptions?billing_type=usage").await), [id]);
}

#[tokio::test]
async fn the_currency_is_the_one_asked_for_of_the_market_or_paid_already_and_none_is_guessed() {
    let shop = Shop::new().await;
    let row = |currency: &str, amount: &str, more: Value| {
        let mut row = json!({ "product": SERVER, "termDuration": "P3Y", "billingCycle": "one_time", "currency": currency,
            "unitPrice": amount, "attributes": { "objectType": "Price" } });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    // The catalogue has it for EUR 900 already; each currency is kept beside the others.
    shop.world.import(json!([row("AUD", "1500.00", json!({})), row("USD", "1000.00", json!({}))])).await;
    let line = json!({ "offerId": SERVER, "quantity": 1, "billingCycle": "one_time" });
    let placed = shop.post(&below("orders"), json!({ "lineItems": [line.clone()] })).await;
    assert_eq!((placed.status, placed.body["code"].as_str()), (409, Some("currency_ambiguous")), "{}", placed.body);
    let offer = shop.get(&format!("/v1/tenants/{TENANT}/offers/{SERVER}")).await;
    let plan = offer["plans"].as_array().unwrap().iter().find(|plan| plan["billingCycle"] == "one_time").unwrap();
    assert_eq!((plan["unitPrice"].is_null(), plan["unitPrices"].as_array().unwrap().len()), (true, 3));
    let asked = json!({ "currencyCode": "USD", "lineItems": [line.clone()] });
    let placed = shop.post(&below("orders"), asked).await.body;
    assert_eq!(placed["lineItems"][0]["pricing"]["price"].as_f64(), Some(1000.0), "{placed}");
    let again = shop.post(&below("orders"), json!({ "lineItems": [line.clone()] })).await.body;
    assert_eq!(again["currencyCode"], "USD", "what the customer has is paid in it");
    let market = json!({ "market": "NL", "segment": "Commercial" });
    shop.world.import(json!([row("EUR", "910.00", market)])).await;
    let of_market = shop.post(&below("orders"), json!({ "lineItems": [line] })).await.body;
    assert_eq!(of_market["lineItems"][0]["pricing"]["price"].as_f64(), Some(910.0), "{of_market}");
}

#[tokio::test]
async fn a_line_without_a_currency_is_in_that_of_the_lines_before_it() {
    let shop = Shop::new().await;
    let price = json!({ "product": FOREVER, "billingCycle": "one_time", "currency": "AUD", "unitPrice": "400.00",
        "segment": "Commercial", "attributes": { "objectType": "Price" } });
    let other = json!({ "product": FOREVER, "billingCycle": "one_time", "currency": "EUR", "unitPrice": "260.00",
        "segment": "Commercial", "attributes": { "objectType": "Price" } });
    shop.world.import(json!([price, other])).await;
    let lines = json!({ "lineItems": [{ "catalogItemId": FOREVER, "quantity": 1 },
        { "catalogItemId": SUITE, "quantity": 1, "billingCycle": "annual" }, { "catalogItemId": FOREVER, "quantity": 1 }] });
    let cart = shop.post(&below("carts"), lines).await.body;
    assert_eq!(cart["lineItems"][0]["error"]["errorCode"], 10000, "{cart}");
    assert_eq!(cart["lineItems"][2]["currencyCode"], "EUR");
}
