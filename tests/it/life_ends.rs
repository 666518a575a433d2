//! Ends of terms and what follows them: what renews at which price, what runs out without one, what becomes paid by
//! itself, what returns after it was off.

use bursar::domain::change::{Amendments, Reason};
use bursar::domain::request::Outcome;
use bursar::domain::subscription::{Attention, Renewal, Status};
use bursar::domain::{Change, calendar};
use bursar::ops::Rights;
use bursar::triggers;
use serde_json::{Value, json};

use crate::world::{TENANT, World, at, customer, sub_id};

const OFFER: &str = "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01";
const APPROVES: &str = "//! Everything but renewals.\n//! ---\n//! decides = [\"purchase\", \"schedule\", \"billing_plan\", \"suspension\", \"reactivation\", \"auto_renew\", \"quantity\"]\n//! ---\nfn decide(request) { approve(); }\n";
const DENIES: &str = "//! No renewal.\n//! ---\n//! decides = \"renewal\"\n//! ---\nfn decide(request) { deny(\"nobody has confirmed it\"); }\n";

fn world(now: &str) -> World {
    World::new(now, &[("policies/all.rhai", APPROVES)])
}

/// A subscription as a document tells it, with the given members over the usual ones.
#[expect(clippy::needless_pass_by_value, reason = "what is different is written where it is used")]
fn row(number: u8, more: Value) -> Value {
    let mut row = json!({ "id": sub_id(number), "offerId": OFFER, "offerName": "Suite",
        "friendlyName": format!("Suite {number}"), "quantity": 1, "status": "active", "autoRenewEnabled": true,
        "productType": { "id": "OnlineServicesNCE" }, "billingType": "license",
        "links": { "self": { "uri": format!("/customers/{TENANT}/subscriptions/{}", sub_id(number)), "method": "GET" } },
        "attributes": { "objectType": "Subscription" } });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

#[expect(clippy::needless_pass_by_value, reason = "what is different is written where it is used")]
fn month(number: u8, more: Value) -> Value {
    let mut month = json!({ "termDuration": "P1M", "billingCycle": "monthly", "creationDate": "2022-03-11T09:00:00Z",
        "effectiveStartDate": "2022-03-11T00:00:00Z", "commitmentEndDateTime": "2022-04-10T23:59:59Z" });
    month.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row(number, month)
}

fn listed(offer: &str, plan: (&str, &str), price: &str) -> Value {
    let (amount, currency) = price.split_once(' ').unwrap();
    json!({ "product": offer, "billingCycle": plan.1, "termDuration": plan.0, "currency": currency, "unitPrice": amount,
        "attributes": { "objectType": "Price" } })
}

async fn applied(world: &World, number: u8, change: Change) {
    let proposed = world.propose("anna", sub_id(number), change.clone()).await;
    assert_eq!(proposed.outcome, Outcome::Applied, "{change:?}: {:?}", proposed.request.map(|one| one.reasons));
}

async fn until(world: &World, instant: &str) {
    triggers::advance(&world.app, at(instant)).await.unwrap();
}

fn told(world: &World, number: u8) -> Vec<String> {
    let mut lines = world.lines();
    lines.retain(|line| line.subscription == sub_id(number));
    lines.sort_by_key(|line| line.at);
    lines.iter().map(|line| format!("{} {}", line.kind.as_str(), line.amount)).collect()
}

#[tokio::test]
async fn a_renewal_costs_what_the_list_has_then_and_the_cycles_of_its_term_with_it() {
    let world = world("2022-04-01T09:00:00Z");
    let year = json!({ "termDuration": "P1Y", "billingCycle": "monthly", "creationDate": "2021-04-20T09:00:00Z",
        "effectiveStartDate": "2021-04-20T00:00:00Z", "commitmentEndDateTime": "2022-04-19T23:59:59Z",
        "unitPrice": "8.00 EUR" });
    let prices = |month: &str, year: &str| {
        json!([listed(OFFER, ("P1M", "monthly"), month), listed(OFFER, ("P1Y", "monthly"), year)])
    };
    world.import(json!([customer(), month(1, json!({ "unitPrice": "10.08 EUR" })), row(2, year)])).await;
    world.import(prices("11.00 EUR", "9.00 EUR")).await;
    until(&world, "2022-05-01T00:00:00Z").await;
    assert_eq!(told(&world, 1), ["renew 11.00"]);
    // The list of the day is that of the renewal: what was begun at nine costs nine until it ends.
    world.import(prices("12.00 EUR", "99.00 EUR")).await;
    until(&world, "2022-07-01T00:00:00Z").await;
    assert_eq!(told(&world, 1), ["renew 11.00", "renew 12.00", "renew 12.00"]);
    assert_eq!(told(&world, 2), ["renew 9.00", "cycleCharge 9.00", "cycleCharge 9.00"]);
    // The order that is imported again tells what was paid first, and changes nothing of it.
    world.import(json!([month(1, json!({}))])).await;
    assert_eq!(world.sub(sub_id(1)).profile.unit_price.map(|price| price.to_string()).as_deref(), Some("12.00 EUR"));
}

#[tokio::test]
async fn a_renewal_of_what_is_not_listed_costs_what_it_did() {
    let world = world("2022-04-01T09:00:00Z");
    world.import(json!([customer(), month(1, json!({ "unitPrice": "10.08 EUR" }))])).await;
    world
        .import(json!([listed(OFFER, ("P1Y", "annual"), "99.00 EUR"), listed(OFFER, ("P1M", "monthly"), "7.00 USD")]))
        .await;
    until(&world, "2022-04-11T00:00:00Z").await;
    assert_eq!(told(&world, 1), ["renew 10.08"], "neither another plan's price nor another currency's");
}

#[tokio::test]
async fn without_a_price_and_without_auto_renew_a_term_ends_and_with_it_a_person_looks_first() {
    let world = world("2022-04-01T09:00:00Z");
    let off = json!({ "autoRenewEnabled": false });
    world.import(json!([customer(), month(1, off), month(2, json!({})), month(3, json!({}))])).await;
    let off = Change::Suspension { reason: Reason::NonPayment };
    let said = world.propose("anna", sub_id(3), off).await.request.unwrap();
    assert!(said.quote.reason.starts_with("access is off at once"), "S-acc: {}", said.quote.reason);
    until(&world, "2022-04-10T23:59:59Z").await;
    for (number, status) in [(1, Status::Active), (2, Status::Active), (3, Status::Suspended)] {
        assert_eq!(world.sub(sub_id(number)).standing.status, status);
    }
    until(&world, "2022-04-11T00:00:00Z").await;
    let standing = |number: u8| world.sub(sub_id(number)).standing;
    assert_eq!((standing(1).status, standing(1).attention), (Status::Expired, None));
    assert_eq!((standing(2).status, standing(2).attention), (Status::Active, Some(Attention::PriceUnknown)));
    assert_eq!(standing(3).status, Status::Disabled);
    // Whoever switches auto-renew off says what is to become of it.
    applied(&world, 2, Change::AutoRenew { enabled: false, cancel_at_term_end: None }).await;
    until(&world, "2022-04-12T00:00:00Z").await;
    assert_eq!((standing(2).status, standing(2).attention), (Status::Expired, None));
    assert!(world.lines().is_empty());
}

#[tokio::test]
async fn a_trial_becomes_by_itself_the_offer_there_is_for_it_at_its_price() {
    let (trial, paid) = ("CFQ7TTC0TRY1:0001:CFQ7TTC0TR01", "CFQ7TTC0PAID:0001:CFQ7TTC0PA01");
    let world = world("2021-06-25T09:00:00Z");
    let mut rows = crate::shop_world::modern(
        trial,
        "Suite, trial",
        "OnlineServicesNCE",
        json!([{ "duration": "P1M", "billingCycle": "none" }]),
        json!({ "conversionTargetOffers": [paid], "isTrial": true }),
    );
    let year = json!([{ "duration": "P1Y", "billingCycle": "monthly" }]);
    rows.extend(crate::shop_world::modern(paid, "Suite", "OnlineServicesNCE", year, json!({})));
    rows.push(listed(paid, ("P1Y", "monthly"), "3.65 EUR"));
    world.import(Value::Array(rows)).await;
    let bought = json!({ "offerId": trial, "offerName": "Suite, trial", "status": "pending", "termDuration": "P1M",
        "billingCycle": "none", "isTrial": true, "creationDate": "2021-06-25T09:00:00Z" });
    world.import(json!([customer(), row(1, bought.clone()), row(2, bought)])).await;
    for number in [1, 2] {
        applied(&world, number, Change::Purchase {}).await;
    }
    applied(&world, 2, Change::AutoRenew { enabled: false, cancel_at_term_end: None }).await;
    let coming = triggers::upcoming::upcoming(&world.app, Rights::system(), "P60D".parse().unwrap()).await.unwrap();
    let ends: Vec<_> = coming.iter().filter(|one| one.event == "term_end").collect();
    let first = ends.iter().find(|one| one.subscription == Some(sub_id(1))).unwrap();
    assert_eq!(first.charge.map(|charge| charge.to_string()).as_deref(), Some("91.25 EUR"), "told before");
    until(&world, "2021-07-25T00:00:00Z").await;
    let (one, other) = (world.sub(sub_id(1)), world.sub(sub_id(2)));
    assert_eq!((one.standing.status, one.profile.is_trial), (Status::Active, false));
    assert_eq!((one.profile.offer_id.as_str(), one.profile.offer_name.as_str()), (paid, "Suite"));
    assert_eq!((one.standing.quantity, one.profile.term_duration), (25, "P1Y".parse().ok()));
    assert_eq!(told(&world, 1).last().map(String::as_str), Some("convert 91.25"));
    assert_eq!((other.standing.status, other.standing.attention), (Status::Expired, None), "auto-renew is off");
}

/// A legacy year of one seat at 365 dollars that ends on 3 August 2022; the account of its owner is 23 days older than
/// its first bill.
async fn legacy() -> World {
    let world = World::new("2022-08-01T00:00:00Z", &[("policies/all.rhai", APPROVES), ("policies/no.rhai", DENIES)]);
    let mut owner = customer();
    owner["openedAt"] = json!("2021-02-10T00:00:00Z");
    owner["firstBillingAt"] = json!("2021-03-05T00:00:00Z");
    let year = json!({ "offerId": "031C9E47-4802-4248-838E-778FB1D2CC05", "productType": null, "termDuration": "P1Y",
        "billingCycle": "annual", "unitPrice": "365.00 USD", "creationDate": "2021-08-03T00:00:00Z",
        "effectiveStartDate": "2021-08-03T00:00:00Z", "commitmentEndDate": "2022-08-03T00:00:00Z" });
    world.import(json!([owner, row(1, year)])).await;
    until(&world, "2022-08-03T00:00:00Z").await;
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Suspended);
    world
}

#[tokio::test]
async fn what_a_term_end_suspends_keeps_its_data_for_the_days_of_the_account_too() {
    let world = legacy().await;
    // 3 August and 113 days: 24 November is the last one.
    assert_eq!(world.sub(sub_id(1)).standing.next_step_at.map(calendar::show).as_deref(), Some("2022-11-25T00:00:00Z"));
    until(&world, "2022-11-24T23:59:59Z").await;
    applied(&world, 1, Change::Reactivation {}).await;
    let world = legacy().await;
    until(&world, "2022-11-25T00:00:00Z").await;
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Deleted);
}

#[tokio::test]
async fn what_returns_in_a_new_term_renews_again_whatever_was_said_of_the_old_one() {
    let world = legacy().await;
    assert_eq!(world.sub(sub_id(1)).standing.renewal, Renewal::Denied);
    applied(&world, 1, Change::Reactivation {}).await;
    let back = world.sub(sub_id(1)).standing;
    assert_eq!((back.status, back.renewal), (Status::Active, Renewal::Open));
    assert_eq!((back.auto_renew_enabled, back.cancel_at_term_end), (true, false), "nobody can switch it (AR-def)");
    let asked = Change::Renewal { term_end: at("2023-08-03T00:00:00Z"), amendments: Amendments::default() };
    let asked = world.propose("anna", sub_id(1), asked).await.request.unwrap();
    assert!(asked.quote.allowed, "it may be asked about again: {:?}", asked.quote.reason);
}

#[tokio::test]
async fn an_add_on_is_billed_as_the_base_it_is_aligned_to() {
    let world = world("2021-03-22T09:00:00Z");
    let base = json!({ "offerId": "031C9E47-4802-4248-838E-778FB1D2CC05", "productType": null, "termDuration": "P1Y",
        "billingCycle": "monthly", "unitPrice": "31.00 USD", "creationDate": "2021-01-22T00:00:00Z",
        "effectiveStartDate": "2021-01-22T00:00:00Z" });
    let add_on = |cycle: &str| {
        json!({ "offerId": "2828BE95-46BA-4F91-B2FD-0BEF192ECF60", "productType": null, "status": "pending",
            "termDuration": "P1Y", "billingCycle": cycle, "unitPrice": "31.00 USD", "parentSubscriptionId": sub_id(1),
            "creationDate": "2021-03-22T09:00:00Z" })
    };
    world.import(json!([customer(), row(1, base), row(2, add_on("annual")), row(3, add_on("monthly"))])).await;
    let other = world.propose("anna", sub_id(2), Change::Purchase {}).await.request.unwrap().refusal.unwrap();
    assert_eq!((other.code.as_str(), other.rule.as_deref()), ("billing_cycle_of_base", Some("A-align")));
    assert!(other.message.contains("is billed monthly"), "{}", other.message);
    applied(&world, 3, Change::Purchase {}).await;
    assert_eq!(told(&world, 3), ["new 31.00"], "a whole cycle from the 22nd to the 21st");
}

#[tokio::test]
async fn a_change_of_the_billing_plan_takes_what_was_planned_for_the_next_term_with_it() {
    let world = world("2023-02-01T09:00:00Z");
    let three = json!({ "termDuration": "P3Y", "billingCycle": "monthly", "creationDate": "2023-01-01T09:00:00Z",
        "effectiveStartDate": "2023-01-01T00:00:00Z", "unitPrice": "10.00 EUR", "quantity": 3 });
    world.import(json!([customer(), row(1, three)])).await;
    let five = Amendments { quantity: Some(5), ..Amendments::default() };
    applied(&world, 1, Change::Schedule { instructions: five.clone() }).await;
    assert_eq!(world.sub(sub_id(1)).profile.next_term, five);
    applied(&world, 1, Change::BillingPlan { billing_cycle: "annual".to_owned() }).await;
    let profile = &world.sub(sub_id(1)).profile;
    assert!(profile.next_term.is_empty(), "any change inside the term does (DOMAIN 2.8)");
    assert_eq!(profile.next_billing_cycle.as_deref(), Some("annual"));
}

#[tokio::test]
async fn what_a_publisher_activates_late_is_still_of_the_rules_it_was_ordered_under() {
    let world = World::new(
        "2023-12-25T10:00:00Z",
        &[("policies/all.rhai", &APPROVES.replace("\"purchase\"", "\"purchase\", \"activation\", \"cancellation\""))],
    );
    let saas = json!({ "offerId": "DZH318Z0SAAS:0001:DZH318Z0SAA1", "productType": { "id": "SaaS" }, "publisherName": "Contoso",
        "status": "pending", "termDuration": "P1M", "billingCycle": "monthly", "unitPrice": "10.00 EUR",
        "creationDate": "2023-12-25T10:00:00Z" });
    world.import(json!([customer(), row(1, saas)])).await;
    applied(&world, 1, Change::Purchase {}).await;
    until(&world, "2024-01-12T09:00:00Z").await;
    applied(&world, 1, Change::Activation {}).await;
    let cancel = Change::Cancellation { reason: Reason::CustomerRequest };
    let late = world.propose("anna", sub_id(1), cancel).await.request.unwrap();
    assert_eq!(late.quote.rule, "ISVm", "not ISV72, which holds from 2024 on: {}", late.quote.reason);
    assert_eq!(late.quote.allowed_until.map(calendar::show).as_deref(), Some("2023-12-26T10:00:00Z"));
}

#[tokio::test]
async fn the_instalments_of_a_plan_that_began_inside_the_term_add_up_to_what_is_left_of_it() {
    let world = world("2022-01-01T09:00:00Z");
    let three = json!({ "termDuration": "P3Y", "billingCycle": "annual", "creationDate": "2022-01-01T09:00:00Z",
        "effectiveStartDate": "2022-01-01T00:00:00Z", "unitPrice": "100.00 EUR", "quantity": 3, "autoRenewEnabled": false });
    let monthly = json!({ "product": OFFER, "billingCycle": "monthly", "termDuration": "P3Y", "currency": "EUR",
        "unitPrice": "8.333", "attributes": { "objectType": "Price" } });
    world.import(json!([customer(), row(1, three), monthly])).await;
    applied(&world, 1, Change::BillingPlan { billing_cycle: "monthly".to_owned() }).await;
    until(&world, "2025-01-02T00:00:00Z").await;
    let charged = told(&world, 1);
    assert_eq!((charged.len(), charged[0].as_str()), (24, "changeBillingPlan 24.99"), "two years by the month");
    assert_eq!(charged[23], "cycleCharge 25.20", "the remainder in the last (BF-split)");
    let sum: rust_decimal::Decimal = world.lines().iter().map(|line| line.amount).sum();
    assert_eq!(sum.to_string(), "599.97", "24 months of three seats at 8.333, cut once");
}
