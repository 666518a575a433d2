//! Partner Center's routes beside the walk: paging and counting collections, filters, taking on customers, stale bodies,
//! and buying more by an order that is there.

use serde_json::{Value, json};

use crate::http_world::{TENANT, Who, World, sub_id};

fn ids(body: &Value) -> Vec<String> {
    body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn below(number: u8) -> String {
    format!("/v1/customers/{TENANT}/subscriptions/{}", sub_id(number))
}

#[tokio::test]
async fn total_count_is_that_of_the_whole_collection_on_every_page() {
    let world = World::new().await;
    let path = format!("/v1/customers/{TENANT}/subscriptions");
    let whole = world.get(&path).await.json();
    let all = ids(&whole);
    assert_eq!((whole["totalCount"].as_u64(), all.len()), (Some(6), 6));
    assert!(whole["links"]["next"].is_null() && whole["totalCountIsAtLeast"].is_null());
    assert_eq!(whole["links"]["self"]["uri"], format!("/customers/{TENANT}/subscriptions"));
    let (mut paged, mut token) = (Vec::new(), None::<String>);
    for _ in 0..4 {
        let page = match &token {
            None => world.get(&format!("{path}?size=2")).await.json(),
            Some(token) => {
                let headers = [("ms-continuationtoken", token.as_str())];
                world
                    .call(Who::User("anna"), "GET", &format!("{path}?size=2&seekOperation=Next"), &headers, "")
                    .await
                    .json()
            }
        };
        assert_eq!(page["totalCount"], 6, "{page}");
        paged.extend(ids(&page));
        token = page["continuationToken"].as_str().map(str::to_owned);
        if let Some(token) = &token {
            let next = page["links"]["next"]["uri"].as_str().unwrap();
            assert!(
                next.starts_with(&format!("/customers/{TENANT}/subscriptions?size=2&")) && next.contains(token),
                "{next}"
            );
        } else {
            break;
        }
    }
    assert_eq!(paged, all);
    assert_eq!(ids(&world.get(&format!("{path}?offset=4&size=40")).await.json()), all[4..]);
    assert_eq!(ids(&world.get(&format!("{path}?offset=6")).await.json()), Vec::<String>::new());
    let narrowed = world.get(&format!("{path}?quantity_min=100")).await.json();
    assert_eq!((ids(&narrowed), &narrowed["totalCount"]), (vec![sub_id(2)], &json!(1)));
}

#[tokio::test]
async fn a_page_that_is_none_is_refused() {
    let world = World::new().await;
    let path = format!("/v1/customers/{TENANT}/subscriptions");
    let token = world.get(&format!("{path}?size=2")).await.json()["continuationToken"].as_str().unwrap().to_owned();
    for (query, code) in [
        ("size=0", "bad_query"),
        ("size=501", "bad_query"),
        ("size=two", "bad_query"),
        ("size=2&limit=2", "bad_query"),
        ("offset=10001", "bad_query"),
        ("seekOperation=Next", "bad_query"),
        ("seekOperation=Last", "bad_query"),
        ("continuationToken=AAAA", "bad_cursor"),
        ("colour=red", "unknown_parameter"),
    ] {
        world.get(&format!("{path}?{query}")).await.is(400, code);
    }
    // A token goes on with its own question alone.
    world.get(&format!("{path}?size=2&status=active&continuationToken={token}")).await.is(400, "bad_cursor");
    world.get(&format!("/v1/customers?continuationToken={token}")).await.is(400, "bad_cursor");
    world.get(&format!("{path}?size=500&offset=10000&seekOperation=First")).await.is(200, "");
}

#[tokio::test]
async fn customers_are_found_by_the_beginning_of_their_name_or_domain() {
    let world = World::new().await;
    let asked = |field: &str, value: &str, operator: &str| {
        let filter = json!({ "Field": field, "Value": value, "Operator": operator }).to_string();
        let escaped: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("/v1/customers?size=1&filter={escaped}")
    };
    let found = world.get(&asked("CompanyName", "anK", "starts_with")).await.json();
    assert_eq!((ids(&found), &found["totalCount"]), (vec![TENANT.to_owned()], &json!(1)));
    let both = world.get(&asked("Domain", "ANKER", "startsWith")).await.json();
    assert_eq!((ids(&both).len(), &both["totalCount"]), (1, &json!(2)));
    let token = both["continuationToken"].as_str().unwrap();
    let other = format!("{}&continuationToken={token}", asked("Domain", "other", "starts_with"));
    world.get(&other).await.is(400, "bad_cursor");
    world.get(&asked("CompanyName", "x", "equals")).await.is(400, "bad_filter");
    world.get(&asked("Colour", "x", "starts_with")).await.is(400, "bad_filter");
    world.get("/v1/customers?filter=nonsense").await.is(400, "bad_filter");
}

#[tokio::test]
async fn a_customer_is_taken_on_once_by_whoever_may() {
    let world = World::new().await;
    let body = json!({ "CompanyProfile": { "Domain": "tern.example" }, "BillingProfile": { "CompanyName": "Tern Harbour",
        "Email": "mail@tern.example", "DefaultAddress": { "FirstName": "Tom", "Country": "de" } } });
    let said = world.post("anna", "/v1/customers", body.clone()).await;
    assert_eq!(said.status, 201, "{}", said.text);
    let made = said.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(said.header("location"), Some(format!("/v1/customers/{id}").as_str()));
    assert_eq!(
        (&made["companyProfile"]["domain"], &made["billingProfile"]["email"]),
        (&json!("tern.example"), &json!("mail@tern.example"))
    );
    assert_eq!(made["billingProfile"]["defaultAddress"], json!({ "firstName": "Tom", "country": "DE" }));
    assert_eq!(world.get(&format!("/v1/customers/{id}")).await.json(), made);
    let profile = world.get(&format!("/v1/customers/{id}/profiles/billing")).await.json();
    assert_eq!(profile, made["billingProfile"]);
    let log = world.get(&format!("/v1/auditrecords?size=1&filter=%7B%22Field%22:%22CustomerId%22,%22Value%22:%22{id}%22,%22Operator%22:%22equals%22%7D")).await.json();
    assert_eq!((&log["items"][0]["operationType"], &log["totalCount"]), (&json!("add_customer"), &json!(1)));
    world.post("anna", "/v1/customers", body.clone()).await.is(409, "domain_taken");
    let mut known = body.clone();
    known["id"] = TENANT.into();
    world.post("anna", "/v1/customers", known).await.is(409, "tenant_exists");
    for nothing in [
        json!({}),
        json!({ "companyProfile": { "domain": "a.example" } }),
        json!({ "billingProfile": { "companyName": "A" } }),
    ] {
        world.post("anna", "/v1/customers", nothing).await.is(422, "missing_field");
    }
    world.post("anna", "/v1/customers", json!([])).await.is(422, "schema");
    let some = world.token("some", &["tenants.write"], Some(&[TENANT])).await;
    world.call(Who::Token(&some), "POST", "/v1/customers", &[], body.to_string()).await.is(403, "forbidden");
    let reads = world.token("reads", &["tenants.read"], None).await;
    world.call(Who::Token(&reads), "POST", "/v1/customers", &[], body.to_string()).await.is(403, "forbidden");
}

#[tokio::test]
async fn a_body_that_was_read_before_a_change_changes_nothing() {
    let world = World::new().await;
    let mut seen = world.get(&below(1)).await.json();
    let patch = |body: Value| {
        let world = &world;
        async move { world.call(Who::User("anna"), "PATCH", &below(1), &[], body.to_string()).await }
    };
    seen["quantity"] = 11.into();
    assert_eq!(patch(seen.clone()).await.is(200, "").json()["quantity"], 11);
    seen["quantity"] = 12.into();
    let stale = patch(seen.clone()).await.is(412, "precondition_failed").json();
    assert_eq!(stale["partnerCenterCode"], 2055);
    // An ETag of somebody else's making says nothing here.
    seen["attributes"]["etag"] = "eyJpZCI6IjEifQ==".into();
    assert_eq!(patch(seen).await.is(200, "").json()["quantity"], 12);
}

#[tokio::test]
async fn a_field_that_is_there_twice_in_different_case_is_there_twice() {
    let world = World::new().await;
    for body in [
        r#"{"friendlyName":"a","FriendlyName":"b"}"#,
        r#"{"friendlyName":"a","scheduledNextTermInstructions":{"product":{"productId":"a","ProductID":"b"}}}"#,
    ] {
        world.call(Who::User("anna"), "PATCH", &below(1), &[], body.to_owned()).await.is(400, "duplicate_key"); // J2
    }
    let cart = format!("/v1/customers/{TENANT}/carts");
    let body = r#"{"lineItems":[{"id":0,"Quantity":1,"quantity":9}]}"#.to_owned();
    world.call(Who::User("anna"), "POST", &cart, &[], body).await.is(400, "duplicate_key");
}

#[tokio::test]
async fn what_an_order_buys_more_has_to_be_there_to_be_bought() {
    let world = World::new().await;
    let path = format!("/v1/customers/{TENANT}/orders/nothing");
    let patch = |body: Value| {
        let (world, path) = (&world, path.clone());
        async move { world.call(Who::User("anna"), "PATCH", &path, &[], body.to_string()).await }
    };
    let more = json!({ "lineItems": [{ "offerId": "x:1:y", "quantity": 1 }] });
    assert_eq!(patch(more).await.is(404, "not_found").json()["partnerCenterCode"], 20000);
    for nothing in [json!({}), json!({ "lineItems": [] }), json!({ "status": "completed" })] {
        patch(nothing).await.is(422, "invalid_patch");
    }
    let known = json!({ "lineItems": [{ "offerId": "x:1:y", "quantity": 1, "subscriptionId": sub_id(1) }] });
    patch(known).await.is(422, "invalid_patch");
}

#[tokio::test]
async fn a_customer_that_is_not_there_has_nothing_below_it() {
    let world = World::new().await;
    let nobody = "88888888-8888-8888-8888-888888888888";
    for below in ["subscriptions", "orders", "software", "servicerequests", "agreements", "offers", "activations"] {
        let said = world.get(&format!("/v1/customers/{nobody}/{below}")).await.is(404, "not_found");
        assert_eq!(said.json()["partnerCenterCode"], 20_002, "{below}");
    }
}
