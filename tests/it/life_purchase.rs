//! Purchases end to end: a pending subscription and its order line, the request, the charge, and what is left of it when
//! somebody or something says no.

use bursar::domain::ledger::ChargeType;
use bursar::domain::request::{Outcome, State};
use bursar::domain::subscription::Status;
use bursar::domain::{Change, OrderId, SubscriptionId};
use bursar::ops::{Rights, orders, requests};
use bursar::triggers;

use crate::world::{TENANT, World, at, customer, order, person, sub_id};

const APPROVES: &str =
    "//! Every purchase.\n//! ---\n//! decides = \"purchase\"\n//! ---\nfn decide(request) { approve(); }\n";
const DENIES: &str = "//! No purchase.\n//! ---\n//! decides = \"purchase\"\n//! ---\nfn decide(request) { deny(\"nothing more this year\"); }\n";

fn ordered(number: u8, product: &str, term: &str, billing: &str) -> serde_json::Value {
    serde_json::json!({ "id": sub_id(number), "offerId": "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01", "offerName": "Suite",
        "friendlyName": format!("Suite {number}"), "productType": { "id": product }, "quantity": 10,
        "creationDate": "2027-03-31T09:00:00Z", "status": "pending", "billingType": "license", "billingCycle": billing,
        "termDuration": term, "orderId": format!("Order{number:02}"),
        "links": { "self": { "uri": format!("/customers/{TENANT}/subscriptions/{}", sub_id(number)), "method": "GET" } },
        "attributes": { "objectType": "Subscription" } })
}

async fn world(files: &[(&str, &str)]) -> World {
    let world = World::new("2027-03-31T09:00:00Z", files);
    let book = serde_json::json!([customer(), order(1, "10.00"), ordered(1, "OnlineServicesNCE", "P1Y", "monthly")]);
    world.import(book).await;
    world
}

fn line_of(world: &World, number: u8) -> (i64, String) {
    let id = OrderId(format!("Order{number:02}"));
    let order = world.app.read(Rights::system(), move |work| orders::get(work, TENANT.parse().unwrap(), &id)).unwrap();
    (order.line_items[0].quantity, order.status)
}

async fn buy(world: &World, id: SubscriptionId) -> requests::Proposed {
    world.propose("anna", id, Change::Purchase {}).await
}

#[tokio::test]
async fn a_purchase_makes_what_was_ordered_active_opens_its_window_and_charges_the_first_cycle() {
    let world = world(&[("policies/purchase.rhai", APPROVES)]).await;
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Pending);
    let bought = buy(&world, sub_id(1)).await;
    assert_eq!(bought.outcome, Outcome::Applied);
    let quote = bought.request.unwrap().quote;
    assert_eq!((quote.rule.as_str(), quote.charge.unwrap().to_string()), ("BUY", "100.00 EUR".to_owned()));
    let after = world.sub(sub_id(1)).standing;
    assert_eq!((after.status, after.auto_renew_enabled), (Status::Active, true));
    assert_eq!(after.window_end, Some(at("2027-04-07T09:00:00Z")));
    assert_eq!((after.term_start, after.term_end), (at("2027-03-31T00:00:00Z"), Some(at("2028-03-31T00:00:00Z"))));
    assert_eq!(after.cycle_end, Some(at("2027-04-30T00:00:00Z")));
    let lines = world.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].kind, lines[0].amount.to_string().as_str()), (ChargeType::New, "100.00"));
    assert_eq!(line_of(&world, 1), (10, "completed".to_owned()));
    assert_eq!(buy(&world, sub_id(1)).await.outcome, Outcome::Unchanged, "it is bought once");
    triggers::advance(&world.app, at("2027-04-30T00:00:00Z")).await.unwrap();
    assert_eq!(world.lines()[1].kind, ChargeType::CycleCharge);
}

#[tokio::test]
async fn without_a_policy_a_person_decides_and_a_denied_purchase_leaves_no_seat_on_its_order_line() {
    let world = world(&[]).await;
    let request = buy(&world, sub_id(1)).await.request.unwrap();
    assert_eq!(request.state, State::Waiting);
    let cause = world.app.next_cause("test");
    let id = request.id;
    world.app.act(person("bert"), cause, move |work| requests::deny(work, id, None, "too many")).await.unwrap();
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Deleted);
    assert_eq!(line_of(&world, 1), (0, "cancelled".to_owned()));
    assert!(world.lines().is_empty());
}

#[tokio::test]
async fn a_purchase_that_a_policy_denies_is_gone() {
    let world = world(&[("policies/purchase.rhai", DENIES)]).await;
    assert_eq!(buy(&world, sub_id(1)).await.outcome, Outcome::Denied);
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Deleted);
    assert_eq!(line_of(&world, 1).0, 0);
}

#[tokio::test]
async fn a_purchase_that_is_withdrawn_or_that_nobody_answers_is_gone() {
    let world = world(&[]).await;
    let request = buy(&world, sub_id(1)).await.request.unwrap();
    let expires = request.expires_at.unwrap();
    triggers::advance(&world.app, expires - chrono::TimeDelta::seconds(1)).await.unwrap();
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Pending);
    triggers::advance(&world.app, expires).await.unwrap();
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Deleted);
    let again = self::world(&[]).await;
    let id = buy(&again, sub_id(1)).await.request.unwrap().id;
    let cause = again.app.next_cause("test");
    again.app.act(person("anna"), cause, move |work| requests::withdraw(work, id, "by mistake")).await.unwrap();
    assert_eq!((again.sub(sub_id(1)).standing.status, line_of(&again, 1).0), (Status::Deleted, 0));
}
