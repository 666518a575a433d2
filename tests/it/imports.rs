//! Imports: what they come to does not hang on the order in which documents come.

use bursar::domain::change::Reason;
use bursar::domain::subscription::Status;
use bursar::domain::{OrderId, Refusal};
use bursar::ops::imports::Options;
use bursar::ops::{self, Rights, orders, software};
use bursar::triggers;
use serde_json::{Value, json};

use crate::world::{TENANT, World, at, customer, monthly, order, sub_id};

/// A subscription as a customer's list tells it: without the customer, with the id of its order.
fn unaddressed() -> Value {
    let mut row = monthly(1, "2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z");
    row["links"] = json!({ "self": { "uri": format!("/subscriptions?key={}", sub_id(1)), "method": "GET" } });
    row
}

/// The order without what its lines became.
fn unlinked() -> Value {
    let mut row = order(1, "10.00");
    row["lineItems"][0].as_object_mut().unwrap().remove("subscriptionId");
    row
}

/// What each row of a document is told with beside its outcome.
async fn notes(world: &World, rows: Value) -> Vec<String> {
    let report = world.app.import(Rights::system(), "list".into(), rows.to_string(), Options::default()).await.unwrap();
    assert_eq!(report.refused, 0, "{report:#?}");
    report.rows.into_iter().flat_map(|row| row.notes).collect()
}

#[tokio::test]
async fn a_subscription_that_names_only_its_order_comes_to_the_same_before_it_and_after_it() {
    for documents in [
        vec![json!([customer()]), json!([unaddressed()]), json!([order(1, "10.00")])],
        vec![json!([customer()]), json!([order(1, "10.00")]), json!([unaddressed()])],
        vec![json!([unaddressed(), order(1, "10.00"), customer()])],
        vec![json!([order(1, "10.00")]), json!([unaddressed()]), json!([customer()])],
        vec![json!([unaddressed()]), json!([unaddressed()]), json!([order(1, "10.00")]), json!([order(1, "10.00")])],
    ] {
        let world = World::new("2027-01-31T12:00:00Z", &[]);
        for rows in &documents {
            world.import(rows.clone()).await;
        }
        let known = world.sub(sub_id(1));
        assert_eq!(known.tenant.to_string(), TENANT, "{documents:#?}");
        assert_eq!(known.profile.unit_price.unwrap().to_string(), "10.00 EUR", "{documents:#?}");
        triggers::advance(&world.app, at("2027-03-05T00:00:00Z")).await.unwrap();
        let charged: Vec<String> = world.lines().iter().map(|line| line.amount.to_string()).collect();
        assert_eq!(charged, ["100.00"], "{documents:#?}");
    }
}

#[tokio::test]
async fn an_order_whose_lines_name_no_subscription_tells_the_customer_of_one_that_names_it() {
    for documents in [[unaddressed(), unlinked()], [unlinked(), unaddressed()]] {
        let world = World::new("2027-01-31T12:00:00Z", &[]);
        for row in &documents {
            world.import(json!([row])).await;
        }
        assert_eq!(world.sub(sub_id(1)).tenant.to_string(), TENANT, "{documents:#?}");
    }
}

#[tokio::test]
async fn an_order_id_that_two_customers_have_tells_nobody_s_customer() {
    let world = World::new("2027-01-31T12:00:00Z", &[]);
    let mut other = unlinked();
    other["referenceCustomerId"] = json!("33333333-3333-3333-3333-333333333333");
    world.import(json!([unlinked(), other])).await;
    assert_eq!(notes(&world, json!([unaddressed()])).await.len(), 1);
    assert!(world.sub(sub_id(1)).tenant.to_string().starts_with("00000000-"));
}

#[tokio::test]
async fn the_report_says_where_nobody_names_the_customer() {
    let world = World::new("2027-01-31T12:00:00Z", &[]);
    let told = notes(&world, json!([unaddressed()])).await;
    assert!(told.len() == 1 && told[0].starts_with("nobody names its customer yet"), "{told:?}");
    let mut nameless = order(1, "10.00");
    nameless.as_object_mut().unwrap().remove("referenceCustomerId");
    assert_eq!(notes(&world, json!([nameless, unaddressed()])).await.len(), 2, "neither the order nor the list");
    assert_eq!(notes(&world, json!([order(1, "10.00")])).await, Vec::<String>::new());
    assert_eq!(world.sub(sub_id(1)).tenant.to_string(), TENANT);
    assert_eq!(notes(&world, json!([unaddressed()])).await, Vec::<String>::new(), "known by now");
}

/// An order of software from before such became subscriptions.
fn software_order() -> Value {
    json!({ "id": "Old01", "referenceCustomerId": TENANT, "billingCycle": "one_time", "currencyCode": "EUR",
        "creationDate": "2021-03-03T10:00:00Z", "status": "completed", "lineItems": [
            { "lineItemNumber": 0, "offerId": "DG7GMGF0PERP:0002:DG7GMGF0PER1", "quantity": 5 },
            { "lineItemNumber": 1, "offerId": "DG7GMGF0TERM:0001:DG7GMGF0TER1", "quantity": 1 }] })
}

async fn cancel(world: &World, line: u32) -> Option<Refusal> {
    let tenant = TENANT.parse().unwrap();
    let done = world.app.act(Rights::system(), world.app.next_cause("test"), move |work| {
        orders::cancel(work, tenant, &OrderId("Old01".into()), &[line], Reason::CustomerRequest, "tried")
    });
    match done.await {
        Ok(_) => None,
        Err(ops::Error::Refused(refusal)) => Some(refusal),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn the_report_and_a_cancellation_name_the_products_that_software_of_an_order_lacks() {
    let world = World::new("2021-03-20T12:00:00Z", &[]);
    let told = notes(&world, json!([customer(), software_order()])).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("once its product is imported (DG7GMGF0PERP, DG7GMGF0TERM)"), "{told:?}");
    let refusal = cancel(&world, 0).await.unwrap();
    assert_eq!((refusal.code.as_str(), refusal.partner_center_code), ("nothing_to_cancel", Some(800_061)));
    assert!(refusal.message.ends_with("import the product first (DG7GMGF0PERP)"), "{}", refusal.message);
    world
        .import(json!([{ "id": "DG7GMGF0PERP", "title": "Server", "productType": { "id": "SoftwarePerpetual" } }]))
        .await;
    let told = notes(&world, json!([software_order()])).await;
    assert!(told.len() == 1 && told[0].ends_with("(DG7GMGF0TERM)"), "{told:?}");
    assert_eq!(cancel(&world, 0).await, None, "what is known by now is cancelled");
}

/// Software of before 2021-10-14, in each order of the documents that tell of it.
fn old_software() -> Vec<Value> {
    let line = json!({ "lineItemNumber": 0, "offerId": "DG7GMGF0TERM:0002:DG7", "subscriptionId": sub_id(7), "quantity": 3,
        "termDuration": "P1Y", "friendlyName": "gas", "pricing": { "price": "100.00" } });
    let order = |id: &str, day: &str| {
        json!({ "id": id, "referenceCustomerId": TENANT, "billingCycle": "one_time", "currencyCode": "EUR",
        "creationDate": format!("{day}T10:00:00Z"), "status": "completed", "lineItems": [line] })
    };
    vec![
        customer(),
        json!({ "id": "DG7GMGF0TERM", "title": "Server", "productType": { "id": "SoftwareSubscriptions" },
            "isMicrosoftProduct": true, "publisherName": "Microsoft" }),
        order("Old02", "2021-03-04"),
        order("Old01", "2021-03-03"),
    ]
}

fn orders_of(rows: &[Value]) -> Vec<Vec<Value>> {
    if rows.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for place in 0..rows.len() {
        let mut rest = rows.to_vec();
        let first = rest.remove(place);
        all.extend(orders_of(&rest).into_iter().map(|rest| [vec![first.clone()], rest].concat()));
    }
    all
}

#[tokio::test]
async fn a_line_that_names_a_record_nobody_tells_of_makes_it_and_what_is_told_of_it_stands_above_the_line() {
    let told = json!({ "id": sub_id(7), "offerId": "DG7GMGF0TERM:0002:DG7", "offerName": "Server of the document",
        "productType": { "id": "Software" }, "quantity": 5, "creationDate": "2021-03-03T10:00:00Z",
        "effectiveStartDate": "2021-03-03T10:00:00Z", "commitmentEndDateTime": "2022-06-01T23:59:59Z", "status": "suspended",
        "autoRenewEnabled": false, "billingType": "license", "billingCycle": "annual", "termDuration": "P1Y",
        "links": { "self": { "uri": format!("/customers/{TENANT}/subscriptions/{}", sub_id(7)), "method": "GET" } },
        "attributes": { "objectType": "Subscription" } });
    for with_record in [false, true] {
        let mut rows = old_software();
        rows.extend(with_record.then(|| told.clone()));
        let mut seen = Vec::new();
        for documents in orders_of(&rows) {
            let world = World::new("2021-04-01T00:00:00Z", &[]);
            for row in documents.iter().chain(documents.first()) {
                world.import(json!([row])).await;
            }
            let known = world.sub(sub_id(7));
            assert_eq!(known.standing.quantity, if with_record { 5 } else { 3 });
            seen.push(format!("{known:?}"));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1, "{seen:#?}");
    }
}

/// AR-pre: it expires on the date given at purchase, to the instant, and is not active for ever.
#[tokio::test]
async fn software_that_never_renews_has_expired_once_its_term_is_over() {
    for (now, expected) in [
        ("2022-03-02T23:59:59Z", Status::Active),
        ("2022-03-03T00:00:00Z", Status::Expired),
        ("2027-01-01T00:00:00Z", Status::Expired),
    ] {
        let world = World::new(now, &[]);
        let end = {
            world.import(Value::Array(old_software())).await;
            let known = world.sub(sub_id(7)).standing;
            (known.status, known.attention)
        };
        assert_eq!(end.0, expected, "{now}: {:?}", world.sub(sub_id(7)).standing);
        assert_eq!(end.1, None, "{now}");
        let listed = world.app.read(Rights::system(), |work| software::list(work, TENANT.parse()?, None, 10)).unwrap();
        assert_eq!((listed.items.len(), listed.items[0].status), (1, expected), "{now}");
        world.import(Value::Array(old_software())).await;
        assert_eq!(world.sub(sub_id(7)).standing.status, expected, "told again it is the same");
    }
}
