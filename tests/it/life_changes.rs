//! Whole lives through the application on a manual clock: what waits for its publisher, trials, add-ons with their base,
//! retention, aligned ends and billing plans. Nothing but requests and the domain's own timers moves them.

use bursar::domain::change::{Amendments, Reason};
use bursar::domain::ledger::ChargeType;
use bursar::domain::request::{Outcome, State};
use bursar::domain::subscription::{Attention, Status};
use bursar::domain::{Change, Kind};
use bursar::ops::{Rights, add_ons, lists, requests};
use bursar::store::records::subscriptions as rows;
use bursar::triggers;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::world::{TENANT, World, at, customer, monthly, order, person, sub_id};

const APPROVES: &str = "//! Everything.\n//! ---\n//! decides = [\"purchase\", \"activation\", \"conversion\", \"schedule\", \"billing_plan\", \"deprovision\", \"upgrade\", \"suspension\", \"reactivation\", \"auto_renew\", \"quantity\"]\n//! ---\nfn decide(request) { approve(); }\n";

fn world(now: &str) -> World {
    World::new(now, &[("policies/all.rhai", APPROVES)])
}

/// A subscription as a document tells it, with the given members over the usual ones.
#[expect(clippy::needless_pass_by_value, reason = "what is different is written where it is used")]
fn row(number: u8, more: Value) -> Value {
    let mut row = json!({ "id": sub_id(number), "offerId": "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01", "offerName": "Suite",
        "friendlyName": format!("Suite {number}"), "quantity": 10, "status": "active", "autoRenewEnabled": true,
        "billingType": "license", "unitPrice": "10.00 EUR",
        "links": { "self": { "uri": format!("/customers/{TENANT}/subscriptions/{}", sub_id(number)), "method": "GET" } },
        "attributes": { "objectType": "Subscription" } });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

async fn applied(world: &World, number: u8, change: Change) {
    let proposed = world.propose("anna", sub_id(number), change.clone()).await;
    assert_eq!(proposed.outcome, Outcome::Applied, "{change:?}: {:?}", proposed.request.map(|one| one.reasons));
}

async fn until(world: &World, instant: &str) {
    triggers::advance(&world.app, at(instant)).await.unwrap();
}

fn kinds(world: &World) -> Vec<(ChargeType, String)> {
    world.lines().iter().map(|line| (line.kind, line.amount.to_string())).collect()
}

#[tokio::test]
async fn marketplace_software_waits_for_its_publisher_and_its_free_month_becomes_paid_by_itself() {
    let world = world("2021-06-09T22:15:00Z");
    let trial = json!({ "productType": { "id": "SaaS" }, "publisherName": "Contoso", "status": "pending",
        "termDuration": "P1M", "billingCycle": "monthly", "isTrial": true, "creationDate": "2021-06-09T22:15:00Z",
        "activationLink": "https://contoso.example/landing?token=1" });
    world.import(json!([customer(), row(1, trial)])).await;
    applied(&world, 1, Change::Purchase {}).await;
    let waits = world.sub(sub_id(1)).standing;
    assert_eq!((waits.status, waits.attention), (Status::Pending, Some(Attention::ActivationPending)));
    assert!(world.lines().is_empty(), "nothing is billed before it is activated");
    until(&world, "2021-06-10T08:00:00Z").await;
    applied(&world, 1, Change::Activation {}).await;
    assert_eq!(world.sub(sub_id(1)).standing.term_end, Some(at("2021-07-10T00:00:00Z")));
    until(&world, "2021-07-09T23:59:59Z").await;
    assert!(world.sub(sub_id(1)).profile.is_trial);
    until(&world, "2021-07-10T00:00:00Z").await;
    let paid = world.sub(sub_id(1));
    assert!(!paid.profile.is_trial && paid.standing.status == Status::Active);
    assert_eq!(kinds(&world), [(ChargeType::New, "0.00".into()), (ChargeType::Renew, "100.00".into())]);
    until(&world, "2021-08-10T00:00:00Z").await;
    assert_eq!(kinds(&world).len(), 3, "it renews on the same day of every month");
}

#[tokio::test]
async fn a_trial_of_new_commerce_converts_by_itself_or_by_request_and_runs_out_without_auto_renew() {
    let world = world("2021-06-01T09:00:00Z");
    let trial = json!({ "productType": { "id": "OnlineServicesNCE" }, "status": "pending", "termDuration": "P1M",
        "billingCycle": "none", "isTrial": true, "creationDate": "2021-06-01T09:00:00Z", "unitPrice": "52.61 USD" });
    world.import(json!([customer(), row(1, trial.clone()), row(2, trial.clone()), row(3, trial)])).await;
    for number in 1..=3 {
        applied(&world, number, Change::Purchase {}).await;
    }
    applied(&world, 2, Change::AutoRenew { enabled: false, cancel_at_term_end: None }).await;
    let seats = world.propose("anna", sub_id(1), Change::Quantity { quantity: 30 }).await;
    assert_eq!(seats.outcome, Outcome::Refused);
    until(&world, "2021-06-25T09:00:00Z").await;
    applied(&world, 3, Change::Conversion { to: Amendments::default() }).await;
    let converted = world.sub(sub_id(3));
    assert_eq!((converted.standing.quantity, converted.standing.term_end), (25, Some(at("2022-06-25T00:00:00Z"))));
    assert_eq!(converted.standing.window_end, Some(at("2021-06-28T09:00:00Z")));
    until(&world, "2021-07-01T00:00:00Z").await;
    let (first, second) = (world.sub(sub_id(1)), world.sub(sub_id(2)));
    assert_eq!((first.standing.status, first.profile.term_duration), (Status::Active, "P1Y".parse().ok()));
    assert_eq!((second.standing.status, second.profile.is_trial), (Status::Expired, true));
    let paid: Vec<_> = kinds(&world).into_iter().filter(|(_, amount)| amount == "1315.25").collect();
    assert_eq!(paid.len(), 2);
}

#[tokio::test]
async fn add_ons_are_suspended_with_their_base_in_one_commit_and_return_one_by_one_after_it() {
    let world = world("2021-03-20T09:00:00Z");
    let legacy = |more: Value| {
        let mut legacy = json!({ "offerId": "195416c1-3447-423a-b37b-ee59a99a19c4", "family": "license_legacy",
            "termDuration": "P1Y", "billingCycle": "monthly", "creationDate": "2021-01-10T09:00:00Z",
            "effectiveStartDate": "2021-01-10T00:00:00Z", "commitmentEndDateTime": "2022-01-09T23:59:59Z" });
        legacy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        legacy
    };
    let mut owner = customer();
    owner["openedAt"] = json!("2021-02-10T00:00:00Z");
    owner["firstBillingAt"] = json!("2021-03-05T00:00:00Z");
    let child = legacy(json!({ "parentSubscriptionId": sub_id(1) }));
    let own = json!({ "productType": { "id": "OnlineServicesNCE" }, "parentSubscriptionId": sub_id(1),
        "termDuration": "P1Y", "billingCycle": "monthly", "creationDate": "2021-01-10T09:00:00Z",
        "effectiveStartDate": "2021-01-10T00:00:00Z", "commitmentEndDateTime": "2022-01-09T23:59:59Z" });
    let book = json!([owner, row(1, legacy(json!({}))), row(2, child.clone()), row(3, child), row(4, own)]);
    world.import(book).await;
    let of = |world: &World| world.app.read(Rights::system(), |work| add_ons::of(work, sub_id(1))).unwrap();
    assert_eq!(of(&world).len(), 3);
    until(&world, "2021-04-05T09:00:00Z").await;
    let before = world.app.store().last_accepted();
    applied(&world, 1, Change::Suspension { reason: Reason::NonPayment }).await;
    let statuses = || (1..=4).map(|number| world.sub(sub_id(number)).standing.status).collect::<Vec<_>>();
    use Status::{Active, Suspended};
    assert_eq!(statuses(), [Suspended, Suspended, Suspended, Active], "new commerce has no cascade");
    assert_eq!(world.app.store().last_accepted(), before + 1, "one commit");
    let deletion = world.sub(sub_id(1)).standing.next_step_at;
    assert_eq!(deletion, Some(at("2021-07-28T00:00:00Z")), "90 days and 23 more, the last one whole");
    let requests = world.app.read(Rights::system(), |work| lists::requests(work, None, 100)).unwrap().items;
    assert_eq!(requests.iter().filter(|request| request.kind == Kind::Suspension).count(), 1, "one request");
    let early = world.propose("anna", sub_id(2), Change::Reactivation {}).await.request.unwrap();
    assert_eq!((early.state, early.refusal.unwrap().partner_center_code), (State::Refused, Some(27_009)));
    applied(&world, 1, Change::Reactivation {}).await;
    assert_eq!(statuses(), [Active, Suspended, Suspended, Active], "they stay off");
    applied(&world, 2, Change::Reactivation {}).await;
    assert_eq!(statuses(), [Active, Active, Suspended, Active]);
    until(&world, "2021-07-27T23:59:59Z").await;
    assert_eq!(world.sub(sub_id(3)).standing.status, Suspended);
    until(&world, "2021-07-28T00:00:00Z").await;
    assert_eq!(world.sub(sub_id(3)).standing.status, Status::Deleted);
}

#[tokio::test]
async fn a_purchase_is_aligned_to_another_subscription_and_the_next_term_is_whole() {
    let world = world("2022-07-01T09:00:00Z");
    let plan = |more: Value| {
        let mut plan = json!({ "productType": { "id": "OnlineServicesNCE" }, "termDuration": "P1Y",
            "billingCycle": "annual", "unitPrice": "365.00 EUR", "quantity": 1 });
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        plan
    };
    let old = plan(json!({ "creationDate": "2021-10-02T09:00:00Z", "effectiveStartDate": "2021-10-02T00:00:00Z",
        "commitmentEndDateTime": "2022-10-01T23:59:59Z" }));
    let fresh = plan(json!({ "creationDate": "2022-07-01T09:00:00Z", "status": "pending",
        "customTermEndDate": "2022-10-01T00:00:00Z" }));
    let late = plan(json!({ "creationDate": "2022-07-01T09:00:00Z", "status": "pending",
        "customTermEndDate": "2022-10-02T00:00:00Z" }));
    world.import(json!([customer(), row(1, old), row(2, fresh), row(3, late)])).await;
    applied(&world, 2, Change::Purchase {}).await;
    assert_eq!(kinds(&world), [(ChargeType::New, "93.00".to_owned())]);
    assert_eq!(world.sub(sub_id(2)).standing.term_end, Some(at("2022-10-02T00:00:00Z")));
    let refused = world.propose("anna", sub_id(3), Change::Purchase {}).await.request.unwrap();
    assert_eq!(refused.refusal.unwrap().partner_center_code, Some(900_245));
    assert_eq!(world.sub(sub_id(3)).standing.status, Status::Deleted);
    until(&world, "2022-10-02T00:00:00Z").await;
    assert_eq!(world.sub(sub_id(2)).standing.term_end, Some(at("2023-10-02T00:00:00Z")));
}

#[tokio::test]
async fn what_is_set_for_the_next_term_or_charge_happens_then_and_not_before() {
    let world = world("2023-01-05T09:00:00Z");
    let plan = |term: &str| {
        json!({ "productType": { "id": "OnlineServicesNCE" }, "termDuration": term, "billingCycle": "monthly",
            "creationDate": "2023-01-01T09:00:00Z", "effectiveStartDate": "2023-01-01T00:00:00Z" })
    };
    world.import(json!([customer(), row(1, plan("P3Y")), row(2, plan("P1M"))])).await;
    applied(&world, 1, Change::BillingPlan { billing_cycle: "annual".into() }).await;
    let instructions = Amendments { quantity: Some(4), term_duration: "P1Y".parse().ok(), ..Amendments::default() };
    applied(&world, 2, Change::Schedule { instructions: instructions.clone() }).await;
    let again = world.propose("anna", sub_id(2), Change::Schedule { instructions }).await;
    assert_eq!(again.outcome, Outcome::Unchanged);
    until(&world, "2023-01-31T23:59:59Z").await;
    assert!(world.lines().is_empty());
    until(&world, "2023-02-01T00:00:00Z").await;
    let mut charged = kinds(&world);
    charged.sort_by_key(|(kind, _)| kind.as_str());
    assert_eq!(charged, [(ChargeType::ChangeBillingPlan, "1200.00".into()), (ChargeType::Renew, "40.00".into())]);
    let (one, two) = (world.sub(sub_id(1)), world.sub(sub_id(2)));
    assert_eq!(
        (one.profile.billing_cycle.as_str(), one.standing.cycle_end),
        ("annual", Some(at("2024-02-01T00:00:00Z")))
    );
    assert_eq!((two.standing.quantity, two.standing.term_end), (4, Some(at("2024-02-01T00:00:00Z"))));
}

/// INS: what is told to be owed is what is charged afterwards, by the plan and the price that are to come.
#[tokio::test]
async fn what_stays_owed_is_what_the_planned_cycles_are_charged() {
    let offer = "DG7GMGF0EVER:0002:DG7GMGF0EVR1";
    let listed = |cycle: &str, price: &str| {
        json!({ "product": offer, "billingCycle": cycle, "termDuration": "P3Y", "currency": "EUR", "unitPrice": price,
            "attributes": { "objectType": "Price" } })
    };
    for (now, (cycle, amount), bought, owed) in [
        ("2024-02-02T09:00:00Z", ("annual", "110.00 EUR"), "2024-02-01", "684.00"),
        ("2024-01-02T09:00:00Z", ("monthly", "9.50 EUR"), "2024-01-01", "961.97"),
    ] {
        let world = world(now);
        let sold = json!({ "offerId": offer, "productType": { "id": "Software" }, "termDuration": "P3Y", "quantity": 3,
            "billingCycle": cycle, "creationDate": format!("{bought}T00:00:00Z"), "unitPrice": amount,
            "effectiveStartDate": format!("{bought}T00:00:00Z") });
        world.import(json!([customer(), listed("monthly", "9.50"), listed("annual", "110.00"), row(1, sold)])).await;
        let other = if cycle == "annual" { "monthly" } else { "annual" };
        applied(&world, 1, Change::BillingPlan { billing_cycle: other.into() }).await;
        let suspension = Change::Suspension { reason: Reason::NonPayment };
        let told = world.propose("anna", sub_id(1), suspension).await.request.unwrap().quote.outstanding.unwrap();
        until(&world, "2027-03-01T00:00:00Z").await;
        let charged: Decimal = world.lines().iter().map(|line| line.amount).sum();
        assert_eq!((told.amount.to_string(), charged.to_string()), (owed.to_owned(), owed.to_owned()), "{cycle}");
    }
}

#[tokio::test]
async fn what_is_paid_by_use_is_deprovisioned_and_never_refunded() {
    let world = world("2023-01-05T09:00:00Z");
    let metered = json!({ "family": "saas_metered", "billingType": "usage", "termDuration": "P1M",
        "billingCycle": "monthly", "creationDate": "2023-01-05T08:00:00Z" });
    world.import(json!([customer(), row(1, metered)])).await;
    let cancel = world.propose("anna", sub_id(1), Change::Cancellation { reason: Reason::CustomerRequest }).await;
    assert_eq!(cancel.outcome, Outcome::Refused);
    applied(&world, 1, Change::Deprovision {}).await;
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Deleted);
    assert!(world.lines().is_empty());
    // What is not paid by use is cancelled.
    let mut licence = monthly(2, "2023-01-01T00:00:00Z", "2023-01-31T23:59:59Z");
    licence["unitPrice"] = json!("10.00 EUR");
    world.import(json!([licence])).await;
    let no = world.propose("anna", sub_id(2), Change::Deprovision {}).await.request.unwrap();
    assert_eq!(no.refusal.unwrap().code, "deprovision_not_possible");
}

#[tokio::test]
async fn what_is_paid_by_use_renews_month_after_month_without_a_price_and_is_charged_no_cycle() {
    let world = world("2023-01-05T09:00:00Z");
    let metered = |price: Option<&str>| {
        let mut row = json!({ "family": "saas_metered", "billingType": "usage", "termDuration": "P1M",
            "billingCycle": "monthly", "creationDate": "2023-01-05T08:00:00Z", "autoRenewEnabled": true,
            "billingCycleEndDate": "2023-02-04" });
        if let Some(price) = price {
            row["unitPrice"] = json!(price);
        }
        row
    };
    world.import(json!([customer(), row(1, metered(None)), row(2, metered(Some("3.00 EUR")))])).await;
    applied(&world, 2, Change::Suspension { reason: Reason::NonPayment }).await;
    until(&world, "2023-03-20T00:00:00Z").await;
    applied(&world, 2, Change::Reactivation {}).await;
    until(&world, "2023-04-10T00:00:00Z").await;
    // Its suspension switched auto-renew off: what returned runs out with the term that held on the day of its return.
    let runs = [(1, Status::Active, "2023-05-05T00:00:00Z"), (2, Status::Expired, "2023-04-05T00:00:00Z")];
    for (number, status, end) in runs {
        let standing = world.sub(sub_id(number)).standing;
        assert_eq!((standing.status, standing.attention), (status, None), "{number}");
        assert_eq!(standing.term_end.map(bursar::domain::calendar::show).as_deref(), Some(end), "{number}");
    }
    assert_eq!(world.lines().len(), 0, "{:?}", world.lines());
}

/// A year of ten licences whose last day is 4 May 2026.
fn until_may_2026(number: u8) -> Value {
    row(
        number,
        json!({ "productType": { "id": "OnlineServicesNCE" }, "termDuration": "P1Y", "billingCycle": "annual",
        "creationDate": "2025-05-05T09:00:00Z", "effectiveStartDate": "2025-05-05T00:00:00Z",
        "commitmentEndDateTime": "2026-05-04T23:59:59Z", "unitPrice": "365.00 EUR" }),
    )
}

/// The calls of Partner Center that messages of a topic carry.
fn calls(world: &World, topic: &str) -> Vec<Value> {
    let all = |work: &mut bursar::ops::Work| bursar::ops::messages::list(work, None, 1_000);
    let mut sent = world.app.read(Rights::system(), all).unwrap().items;
    sent.retain(|message| message.topic == topic);
    sent.iter().rev().map(|message| serde_json::from_str::<Value>(&message.data).unwrap()["upstream"].clone()).collect()
}

fn off(cancel_at_term_end: Option<bool>) -> Change {
    Change::AutoRenew { enabled: false, cancel_at_term_end }
}

#[tokio::test]
async fn without_auto_renew_a_licence_goes_on_by_the_month_until_its_end_is_asked_for() {
    let world = world("2026-04-01T00:00:00Z");
    world.import(json!([customer(), until_may_2026(1)])).await;
    let asked = world.propose("anna", sub_id(1), off(None)).await.request.unwrap();
    assert_eq!((asked.state, asked.quote.rule.as_str()), (State::Applied, "EST"));
    assert_eq!(calls(&world, "subscription.auto_renew_changed")[0]["body"].get("cancelAtTermEnd"), None);
    let coming = triggers::upcoming::upcoming(&world.app, Rights::system(), "P60D".parse().unwrap()).await.unwrap();
    let end = coming.iter().find(|coming| coming.event == "term_end").unwrap();
    let charge = end.charge.map(|charge| charge.to_string());
    assert_eq!((end.outcome.as_str(), charge.as_deref()), ("goes on by the month", Some("374.10 EUR")));
    until(&world, "2026-05-04T23:59:59Z").await;
    assert!(world.lines().is_empty());
    until(&world, "2026-05-05T00:00:00Z").await;
    let extended = world.sub(sub_id(1));
    assert_eq!((extended.standing.status, extended.standing.auto_renew_enabled), (Status::Active, false));
    assert_eq!(extended.standing.term_end, Some(at("2026-06-05T00:00:00Z")));
    assert_eq!(extended.profile.extended.as_ref().unwrap().billing_cycle, "annual");
    assert_eq!(calls(&world, "subscription.extended").len(), 1);
    until(&world, "2026-06-05T00:00:00Z").await;
    assert_eq!(kinds(&world), vec![(ChargeType::ExtendTerm, "374.10".to_owned()); 2]);
    applied(&world, 1, off(Some(true))).await;
    let told = calls(&world, "subscription.auto_renew_changed");
    assert_eq!((&told[1]["method"], &told[1]["body"]["cancelAtTermEnd"]), (&json!("PATCH"), &json!(true)));
    until(&world, "2026-07-04T23:59:59Z").await;
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Active);
    until(&world, "2026-07-05T00:00:00Z").await;
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Disabled, "access ends with the term");
    assert_eq!(kinds(&world).len(), 2);
    until(&world, "2026-10-03T00:00:00Z").await;
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Deleted);
}

#[tokio::test]
async fn an_extended_licence_renews_for_the_term_it_had_at_the_price_it_had() {
    let world = world("2026-04-01T00:00:00Z");
    world.import(json!([customer(), until_may_2026(1)])).await;
    applied(&world, 1, off(None)).await;
    until(&world, "2026-05-20T00:00:00Z").await;
    applied(&world, 1, Change::AutoRenew { enabled: true, cancel_at_term_end: None }).await;
    until(&world, "2026-06-05T00:00:00Z").await;
    let renewed = world.sub(sub_id(1));
    assert_eq!(renewed.profile.extended, None);
    assert_eq!(renewed.profile.unit_price, "365.00 EUR".parse().ok());
    assert_eq!(renewed.standing.term_end, Some(at("2027-06-05T00:00:00Z")));
    assert_eq!(kinds(&world)[1..], [(ChargeType::Renew, "3650.00".to_owned())]);
}

const DENIES: &str = "//! No.\n//! ---\n//! decides = \"renewal\"\n//! on = [{ before = \"term_end\", by = \"P14D\" }]\n//! ---\nfn decide(request) { deny(\"enough\"); }\n";

#[tokio::test]
async fn a_denied_renewal_ends_everything_with_the_term_and_partner_center_is_told_so() {
    let world = World::new("2026-04-01T00:00:00Z", &[("policies/no.rhai", DENIES)]);
    triggers::tick(&world.app).await.unwrap();
    world.import(json!([customer(), until_may_2026(1)])).await;
    until(&world, "2026-04-21T00:00:00Z").await;
    let standing = world.sub(sub_id(1)).standing;
    assert!(!standing.auto_renew_enabled && standing.cancel_at_term_end);
    let told = calls(&world, "subscription.renewal_denied");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["body"]["autoRenewEnabled"], json!(false));
    assert_eq!(told[0]["body"]["cancelAtTermEnd"], json!(true));
    until(&world, "2026-05-05T00:00:00Z").await;
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Disabled);
    assert!(world.lines().is_empty());
}

#[tokio::test]
async fn while_the_end_of_a_term_is_processed_changes_are_refused_for_now_and_what_waits_goes_on_waiting() {
    let world = World::new("2026-04-30T00:00:00Z", &[]);
    world.import(json!([customer(), until_may_2026(1)])).await;
    let waiting = world.propose("anna", sub_id(1), Change::Suspension { reason: Reason::NonPayment }).await;
    let request = waiting.request.unwrap().id;
    // Nobody has processed it yet: the clock stands behind the term's end for this work alone.
    let due = at("2026-05-05T00:00:00Z");
    let late = |change: Change| {
        let cause = world.app.next_cause("test");
        let body = |work: &mut bursar::ops::Work| requests::propose(work, sub_id(1), change.clone(), "");
        world.app.transact(due, &person("anna"), &cause, body).unwrap().value
    };
    for (change, code, again) in [
        (off(None), "operation_pending", "PT24H"),
        (Change::Quantity { quantity: 11 }, "operation_pending", "PT2M"),
        (Change::Cancellation { reason: Reason::Fraud }, "operation_pending", "PT2M"),
    ] {
        let refusal = late(change).request.unwrap().refusal.unwrap();
        let said =
            (refusal.code.as_str(), refusal.partner_center_code, refusal.retry_after.map(|span| span.to_string()));
        assert_eq!(said, (code, Some(900_278), Some(again.to_owned())));
    }
    let cause = world.app.next_cause("test");
    let approve = |work: &mut bursar::ops::Work| requests::approve(work, request, None, "");
    let refused = world.app.transact(due, &person("bert"), &cause, approve);
    assert!(matches!(refused, Err(bursar::ops::Error::Refused(refusal)) if refusal.code == "operation_pending"));
    let name = |work: &mut bursar::ops::Work| bursar::ops::subscriptions::rename(work, sub_id(1), "Another");
    let refused = world.app.transact(due, &person("bert"), &cause, name);
    assert!(matches!(refused, Err(bursar::ops::Error::Refused(refusal)) if refusal.code == "operation_pending"));
    let kept = world.app.read(Rights::system(), |work| requests::get(work, request)).unwrap();
    assert_eq!(kept.state, State::Waiting);
    // It is renewed, and everything goes again.
    until(&world, "2026-05-05T00:00:00Z").await;
    assert_eq!(world.sub(sub_id(1)).standing.term_end, Some(at("2027-05-05T00:00:00Z")));
    let after = world.propose("anna", sub_id(1), Change::Quantity { quantity: 11 }).await;
    assert_eq!(after.outcome, Outcome::Waiting);
}

const LARGER: &str = "CFQ7TTC0LIFE:0002:CFQ7TTC0LF02";

/// Two offers of which the first may become the second, and what that costs.
fn offers() -> Value {
    let item = |sku: &str, own: &str, title: &str, more: Value| {
        let mut row = json!({ "id": own, "productId": "CFQ7TTC0LIFE", "skuId": sku, "title": title, "isPurchasable": true,
            "catalogItemId": format!("CFQ7TTC0LIFE:{sku}:{own}"), "attributes": { "objectType": "Availability" } });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let targets = json!({ "dynamicAttributes": { "upgradeTargetOffers": ["CFQ7TTC0LIFE:0002"] } });
    json!([
        item("0001", "CFQ7TTC0LF01", "Suite", targets),
        item("0002", "CFQ7TTC0LF02", "Suite, larger", json!({})),
        { "product": LARGER, "termDuration": "P1Y", "billingCycle": "annual", "currency": "EUR", "unitPrice": "730.00",
            "attributes": { "objectType": "Price" } },
    ])
}

#[tokio::test]
async fn an_upgrade_of_some_seats_makes_a_child_with_its_sources_window_and_one_of_all_keeps_the_id() {
    let world = world("2026-03-05T12:00:00Z");
    let year = json!({ "productType": { "id": "OnlineServicesNCE" }, "termDuration": "P1Y", "billingCycle": "annual",
        "creationDate": "2026-03-01T09:00:00Z", "unitPrice": "365.00 EUR" });
    world.import(json!([customer(), row(1, year)])).await;
    world.import(offers()).await;
    let upgrade = |offer: &str, quantity| Change::Upgrade { offer_id: offer.to_owned(), quantity };
    let refused = world.propose("anna", sub_id(1), upgrade("CFQ7TTC0LIFE:0003:CFQ7TTC0LF03", None)).await;
    assert_eq!(refused.request.unwrap().refusal.unwrap().code, "no_upgrade_target");
    applied(&world, 1, upgrade(LARGER, Some(4))).await;
    let all = |work: &mut bursar::ops::Work| Ok(rows::page(&mut work.tx, None, None, 10)?.items);
    let all: Vec<_> = world.app.read(Rights::system(), all).unwrap().into_iter().map(|stored| stored.value).collect();
    let (source, child) = (world.sub(sub_id(1)), all.iter().find(|sub| sub.id != sub_id(1)).unwrap());
    assert_eq!((all.len(), source.standing.quantity, child.standing.quantity), (2, 6, 4));
    assert_eq!((child.profile.offer_id.as_str(), child.profile.offer_name.as_str()), (LARGER, "Suite, larger"));
    assert_eq!(child.profile.extra["upgradedFromSubscriptionId"], format!("\"{}\"", sub_id(1)));
    let inherited = [child.standing.window_end, source.standing.window_end];
    assert_eq!(inherited, [Some(at("2026-03-08T09:00:00Z")); 2]);
    assert_eq!(child.standing.term_end, source.standing.term_end);
    // 361 of 365 days are left: the price of a seat is cut, then times four.
    let lines = [(ChargeType::Convert, "-1444.00".to_owned()), (ChargeType::Convert, "2888.00".to_owned())];
    assert_eq!(kinds(&world), lines);
    let told = &calls(&world, "subscription.upgraded")[0];
    assert!(told["path"].as_str().unwrap().ends_with("/transitions"), "{told}");
    assert_eq!((&told["body"]["toCatalogItemId"], &told["body"]["quantity"]), (&json!(LARGER), &json!(4)));
    applied(&world, 1, upgrade(LARGER, None)).await;
    let whole = world.sub(sub_id(1));
    assert_eq!((whole.profile.offer_id.as_str(), whole.standing.quantity), (LARGER, 6));
    assert_eq!(whole.standing.window_end, Some(at("2026-03-08T09:00:00Z")));
    // Both renew as what they are by now.
    until(&world, "2027-03-01T00:00:00Z").await;
    let renewed: Vec<_> = kinds(&world).into_iter().filter(|(kind, _)| *kind == ChargeType::Renew).collect();
    let mut amounts: Vec<_> = renewed.into_iter().map(|(_, amount)| amount).collect();
    amounts.sort();
    assert_eq!(amounts, ["2920.00", "4380.00"]);
}

/// What an approval amends is what is done, told and charged; an amendment that means nothing is no approval.
#[tokio::test]
async fn an_approval_amends_what_can_be_amended_and_nothing_else() {
    const AMENDS: &str = "//! Amends.\n//! ---\n//! decides = [\"quantity\", \"auto_renew\", \"suspension\"]\n//! ---\nfn decide(request) {\n    if request.kind == \"quantity\" { approve(#{ quantity: 13 }); } else { approve(#{ term_duration: \"P3Y\" }); }\n}\n";
    let world = World::new("2027-01-31T12:00:00Z", &[("policies/amends.rhai", AMENDS)]);
    world
        .import(json!([customer(), order(1, "10.00"), monthly(1, "2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")]))
        .await;
    let asked = world.propose("anna", sub_id(1), Change::Quantity { quantity: 500 }).await;
    let request = asked.request.unwrap();
    assert_eq!((asked.outcome, asked.subscription.standing.quantity), (Outcome::Applied, 13));
    assert_eq!(request.amendments.quantity, Some(13));
    let charged: Decimal = world.lines().iter().map(|line| line.amount).sum();
    assert_eq!(request.quote.charge.map(|charge| charge.amount), Some(charged), "what is told is what is charged");
    assert_eq!(charged, Decimal::new(3000, 2), "three seats for a month");
    for change in [
        Change::AutoRenew { enabled: false, cancel_at_term_end: None },
        Change::Suspension { reason: Reason::NonPayment },
    ] {
        let asked = world.propose("anna", sub_id(1), change).await;
        let refusal = asked.request.unwrap().refusal.unwrap();
        assert_eq!((asked.outcome, refusal.code.as_str()), (Outcome::Refused, "amendment_not_applicable"));
        assert!(refusal.message.contains("term_duration"), "{}", refusal.message);
    }
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Active);
}

/// A change that cannot be is refused although another of its kind waits, which goes on waiting.
#[tokio::test]
async fn what_cannot_be_waits_for_nothing() {
    let world = World::new("2027-01-31T12:00:00Z", &[]);
    world
        .import(json!([customer(), order(1, "10.00"), monthly(1, "2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")]))
        .await;
    let first = world.propose("anna", sub_id(1), Change::Quantity { quantity: 45 }).await;
    assert_eq!(first.outcome, Outcome::Waiting);
    let second = world.propose("anna", sub_id(1), Change::Quantity { quantity: 0 }).await;
    let refusal = second.request.unwrap().refusal.unwrap();
    assert_eq!((second.outcome, refusal.code.as_str()), (Outcome::Refused, "quantity_out_of_range"));
    let third = world.propose("anna", sub_id(1), Change::Quantity { quantity: 46 }).await;
    assert_eq!((third.outcome, third.request.unwrap().id), (Outcome::Waiting, first.request.unwrap().id));
}

/// A policy that fails says where and why beside its word.
#[tokio::test]
async fn a_policy_that_fails_tells_its_place() {
    const FAILS: &str = "//! Fails.\n//! ---\n//! decides = [\"quantity\"]\n//! ---\nfn decide(request) {\n    if request.quote.charge > 100 { deny(\"dear\"); }\n}\n";
    let world = World::new("2027-01-31T12:00:00Z", &[("policies/fails.rhai", FAILS)]);
    world
        .import(json!([customer(), order(1, "10.00"), monthly(1, "2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")]))
        .await;
    let request = world.propose("anna", sub_id(1), Change::Quantity { quantity: 45 }).await.request.unwrap();
    let found = world
        .app
        .read(Rights::system(), move |work| bursar::ops::ledger::decision(work, request.decisions[0]))
        .unwrap();
    let answer = &found.answers[0];
    assert_eq!(answer.reasons, ["policy fails failed: currency_mismatch"]);
    assert!(answer.failure.contains("policies/fails.rhai:6:"), "{}", answer.failure);
}
