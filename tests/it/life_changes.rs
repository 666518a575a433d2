//! Whole lives through the application on a manual clock: what waits for its publisher, trials, add-ons with their base,
//! retention, aligned ends and billing plans. Nothing but requests and the domain's own timers moves them.

use bursar::domain::change::{Amendments, Reason};
use bursar::domain::ledger::ChargeType;
use bursar::domain::request::{Outcome, State};
use bursar::domain::subscription::{Attention, Status};
use bursar::domain::{Change, Kind};
use bursar::ops::{Rights, add_ons, lists};
use bursar::triggers;
use serde_json::{Value, json};

use crate::world::{TENANT, World, at, customer, monthly, sub_id};

const APPROVES: &str = "//! Everything.\n//! ---\n//! decides = [\"purchase\", \"activation\", \"conversion\", \"schedule\", \"billing_plan\", \"deprovision\", \"suspension\", \"reactivation\", \"auto_renew\", \"quantity\"]\n//! ---\nfn decide(request) { approve(); }\n";

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
    applied(&world, 2, Change::AutoRenew { enabled: false }).await;
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
