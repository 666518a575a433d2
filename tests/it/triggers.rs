//! Triggers: every due instant ends as one row, nothing is lost, nothing is done twice, and a failure leaves only its
//! record.

use bursar::domain::Change;
use bursar::domain::request::State;
use bursar::domain::run::Ending;
use bursar::domain::subscription::Status;
use bursar::domain::trigger::{DeliveryState, OccurrenceState};
use bursar::ops::deliveries::{Accepted, Incoming};
use bursar::ops::{self, Rights, deliveries};
use bursar::store::records::triggers as rows;
use bursar::triggers;

use crate::world::{World, at, book, customer, large_book, monthly, order, sub_id};

async fn deliver(world: &World, hook: &str, webhook_id: &str, event_type: &str, body: &str) -> ops::Result<Accepted> {
    let incoming = Incoming {
        hook: hook.to_owned(),
        webhook_id: webhook_id.to_owned(),
        event_type: event_type.to_owned(),
        sent_at: world.app.now(),
        body: body.to_owned(),
        body_hash: blake3::hash(body.as_bytes()).to_hex().to_string(),
        takers: triggers::deliveries::takers(&world.app, hook, event_type),
        rejected: false,
    };
    let cause = format!("hook:{hook}:{webhook_id}");
    world.app.act(Rights::system(), cause, move |work| deliveries::accept(work, incoming.clone())).await
}

fn states(world: &World, trigger: &str) -> Vec<(OccurrenceState, String)> {
    let page = world
        .app
        .read(Rights::system(), |work| Ok(rows::occurrences(&mut work.tx, Some(trigger), None, 1_000)?))
        .unwrap();
    let mut found: Vec<_> = page.items.iter().map(|row| (row.state, row.due.format("%d %H:%M").to_string())).collect();
    found.reverse();
    found
}

fn script(on: &str, body: &str) -> String {
    format!(
        "//! A test.\n//! ---\n//! grants = [\"subscriptions.read\", \"labels.write\", \"messages.send\", \"propose.suspension\"]\n//! on = [{on}]\n//! ---\n{body}\n"
    )
}

async fn away(catch_up: &str) -> Vec<(OccurrenceState, String)> {
    let text = script(
        &format!("{{ cron = \"0 6 * * *\", zone = \"UTC\"{catch_up} }}"),
        "fn run(event) { print(`${event.due}`); }",
    );
    let world = World::new("2027-03-01T12:00:00Z", &[("scripts/daily.rhai", &text)]);
    triggers::tick(&world.app).await.unwrap();
    assert!(states(&world, "scripts/daily.rhai#0").is_empty(), "a new schedule starts now and catches up nothing");
    world.app.set_clock(at("2027-03-05T06:10:00Z")).unwrap();
    triggers::tick(&world.app).await.unwrap();
    triggers::tick(&world.app).await.unwrap();
    states(&world, "scripts/daily.rhai#0")
}

#[tokio::test]
async fn after_four_days_away_each_due_instant_is_one_row_by_the_rule_of_catching_up() {
    use OccurrenceState::{Coalesced, Missed, Ran};
    let rows = |found: Vec<(OccurrenceState, String)>| found.into_iter().map(|(state, _)| state).collect::<Vec<_>>();
    assert_eq!(rows(away("").await), [Missed, Missed, Missed, Ran], "one, within a day");
    assert_eq!(rows(away(", window = \"P7D\"").await), [Coalesced, Coalesced, Coalesced, Ran]);
    assert_eq!(rows(away(", catch_up = \"all\", window = \"P7D\"").await), [Ran, Ran, Ran, Ran]);
    assert_eq!(rows(away(", catch_up = \"all\", window = \"P2D\"").await), [Missed, Missed, Ran, Ran]);
    assert_eq!(rows(away(", catch_up = \"skip\", window = \"P7D\"").await), [Missed, Missed, Missed, Missed]);
}

#[tokio::test]
async fn a_schedule_for_each_subject_runs_once_for_each_in_a_transaction_of_its_own() {
    let text = script(
        "{ cron = \"0 6 * * *\", zone = \"UTC\", each = { status = \"active\" } }",
        "fn run(event) { let sub = event.subscription; if sub.friendly_name == \"Suite 3\" { throw \"no\"; } sub.label(\"seen\", \"yes\"); }",
    );
    let world = World::new("2027-01-31T12:00:00Z", &[("scripts/each.rhai", &text)]);
    world.import(large_book(5)).await;
    triggers::tick(&world.app).await.unwrap();
    triggers::advance(&world.app, at("2027-02-01T07:00:00Z")).await.unwrap();
    let seen: Vec<bool> = (1..=5).map(|number| world.sub(sub_id(number)).profile.labels.contains_key("seen")).collect();
    assert_eq!(seen, [true, true, false, true, true], "one that fails takes nobody with it");
    let page = world.app.read(Rights::system(), |work| Ok(rows::occurrences(&mut work.tx, None, None, 10)?)).unwrap();
    assert_eq!((page.items.len(), page.items[0].state, page.items[0].subjects), (1, OccurrenceState::Ran, 5));
    let runs = world.app.read(Rights::system(), |work| Ok(rows::runs(&mut work.tx, None, 100)?)).unwrap().items;
    assert_eq!(runs.len(), 5);
    let failed: Vec<_> = runs.iter().filter(|run| run.ending == Ending::Failed).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].error.as_ref().unwrap().code, "thrown");
    assert!(failed[0].effects.is_empty());
}

const FAILS_TWICE: &str = "fn run(event) { for sub in subscriptions(#{ status: \"active\" }) { if sub.has_label(\"ready\") { sub.label(\"done\", \"yes\"); } else { sub.label(\"half\", \"yes\"); throw \"not ready\"; } } }";

#[tokio::test]
async fn a_delivery_that_fails_is_tried_at_the_stated_times_then_dead_then_driven_again() {
    let text = script("{ hook = \"billing\", types = [\"invoice.paid\"] }", FAILS_TWICE);
    let world = World::new("2027-02-01T12:00:00Z", &[("scripts/paid.rhai", &text)]);
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    let accepted = deliver(&world, "billing", "evt-1", "invoice.paid", "{\"data\":{}}").await.unwrap();
    let Accepted::New(delivery) = accepted else { panic!("{accepted:?}") };
    let look = || world.app.read(Rights::system(), |work| deliveries::get(work, delivery.id)).unwrap();
    let mut attempts = Vec::new();
    for to in ["12:00:00", "12:00:09", "12:00:10", "12:01:10", "12:11:10", "13:11:09", "13:11:10"] {
        triggers::advance(&world.app, at(&format!("2027-02-01T{to}Z"))).await.unwrap();
        attempts.push((look().taken[0].attempts, look().state));
    }
    use DeliveryState::{Dead, Pending};
    assert_eq!(
        attempts,
        [(1, Pending), (1, Pending), (2, Pending), (3, Pending), (4, Pending), (4, Pending), (5, Dead)]
    );
    assert!(world.sub(sub_id(1)).profile.labels.is_empty(), "a failed run leaves nothing but its record");
    assert_eq!(look().taken[0].runs.len(), 5);
    let cause = world.app.next_cause("test");
    let id = sub_id(1);
    world
        .app
        .act(Rights::system(), cause, move |work| ops::subscriptions::label(work, id, "ready", Some("yes")))
        .await
        .unwrap();
    let (cause, driven) = (world.app.next_cause("test"), delivery.id);
    world.app.act(Rights::system(), cause, move |work| deliveries::redrive(work, driven)).await.unwrap();
    triggers::tick(&world.app).await.unwrap();
    assert_eq!(look().state, DeliveryState::Processed);
    assert!(world.sub(id).profile.labels.contains_key("done"));
}

#[tokio::test]
async fn the_same_event_twice_has_one_effect_and_another_body_under_its_id_none() {
    let text = script(
        "{ hook = \"billing\" }",
        "fn run(event) { send_message(\"seen\", #{ invoice: event.data.text(\"invoice\") }); }",
    );
    let world = World::new("2027-02-01T12:00:00Z", &[("scripts/count.rhai", &text)]);
    let body = "{\"type\":\"x\",\"data\":{\"invoice\":\"7\"}}";
    assert!(matches!(deliver(&world, "billing", "evt-1", "x", body).await, Ok(Accepted::New(_))));
    triggers::tick(&world.app).await.unwrap();
    assert!(matches!(deliver(&world, "billing", "evt-1", "x", body).await, Ok(Accepted::Duplicate(_))));
    let other = deliver(&world, "billing", "evt-1", "x", "{\"data\":{\"invoice\":\"8\"}}").await;
    assert!(matches!(other, Err(ops::Error::Refused(ref refusal)) if refusal.code == "event_id_reused"));
    triggers::tick(&world.app).await.unwrap();
    let sent = world.app.read(Rights::system(), |work| ops::messages::list(work, None, 100)).unwrap().items;
    let seen: Vec<_> = sent.iter().filter(|message| message.topic == "seen").collect();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].data, "{\"invoice\":\"7\"}");
}

#[tokio::test]
async fn a_waiting_outcome_is_a_success_of_the_delivery_and_a_policys_hook_proposes_for_its_subjects() {
    let policy = "//! Suspends who does not pay.\n//! ---\n//! decides = \"suspension\"\n//! on = [{ hook = \"billing\", types = [\"invoice.overdue\"] }]\n//! ---\nfn subjects(event) { #{ tenant: event.data.text(\"tenantId\"), status: \"active\" } }\nfn decide(request) { if request.subscription.friendly_name == \"Suite 2\" { review(\"ask first\"); } approve(); }\n";
    let world = World::new("2027-01-31T12:00:00Z", &[("policies/dunning.rhai", policy)]);
    world.import(large_book(3)).await;
    let body = format!("{{\"data\":{{\"tenantId\":\"{}\"}}}}", crate::world::TENANT);
    let Ok(Accepted::New(delivery)) = deliver(&world, "billing", "evt-9", "invoice.overdue", &body).await else {
        panic!("not accepted")
    };
    triggers::tick(&world.app).await.unwrap();
    let status = |number| world.sub(sub_id(number)).standing.status;
    assert_eq!((status(1), status(2), status(3)), (Status::Suspended, Status::Active, Status::Suspended));
    let delivery = world.app.read(Rights::system(), |work| deliveries::get(work, delivery.id)).unwrap();
    assert_eq!(delivery.state, DeliveryState::Processed);
    let waiting = world
        .app
        .read(Rights::system(), |work| {
            Ok(bursar::store::records::requests::in_state(&mut work.tx, State::Waiting, None, 10)?)
        })
        .unwrap();
    assert_eq!(waiting.items.len(), 1);
}

#[tokio::test]
async fn files_are_told_once_of_each_applied_change_of_their_kind() {
    let text = script(
        "{ applied = \"renewal\" }",
        "fn run(event) { send_message(\"told\", #{ name: event.subscription.friendly_name, kind: event.request.kind }); }",
    );
    let world = World::new("2027-01-31T12:00:00Z", &[("scripts/told.rhai", &text)]);
    world
        .import(serde_json::json!([
            customer(),
            order(1, "10.00"),
            monthly(1, "2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")
        ]))
        .await;
    triggers::tick(&world.app).await.unwrap();
    triggers::advance(&world.app, at("2027-05-01T00:00:00Z")).await.unwrap();
    let sent = world.app.read(Rights::system(), |work| ops::messages::list(work, None, 200)).unwrap().items;
    let told = sent.iter().filter(|message| message.topic == "told").count();
    let renewed = sent.iter().filter(|message| message.topic == "subscription.renewed").count();
    assert_eq!((told, renewed), (3, 3));
}

#[tokio::test]
async fn files_are_told_once_of_each_invoice_that_is_published_after_they_began() {
    let text = script(
        "{ published = \"invoice\" }",
        "fn run(event) { send_message(\"told\", #{ kind: event.kind, invoice: event.invoice.id, total: event.invoice.total, due: event.due }); }",
    );
    let world = World::new("2027-01-31T12:00:00Z", &[("scripts/told.rhai", &text)]);
    world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
    triggers::tick(&world.app).await.unwrap();
    let told = |world: &World| -> Vec<serde_json::Value> {
        let sent = world.app.read(Rights::system(), |work| ops::messages::list(work, None, 200)).unwrap().items;
        let mine = sent.iter().rev().filter(|message| message.topic == "told");
        mine.map(|message| serde_json::from_str(&message.data).unwrap()).collect()
    };
    triggers::advance(&world.app, at("2027-03-05T23:59:59Z")).await.unwrap();
    assert!(told(&world).is_empty());
    let ticked = triggers::advance(&world.app, at("2027-03-06T00:00:00Z")).await.unwrap().ticked;
    assert_eq!((ticked.invoices, ticked.published), (1, 1));
    let first = told(&world).remove(0);
    assert_eq!((&first["kind"], &first["invoice"]), (&"published".into(), &"G202702978".into()));
    assert_eq!(first["due"], "2027-03-06T00:00:00Z");
    triggers::tick(&world.app).await.unwrap();
    assert_eq!(told(&world).len(), 1);
    triggers::advance(&world.app, at("2027-05-06T00:00:00Z")).await.unwrap();
    let invoices: Vec<_> = told(&world).iter().map(|told| told["invoice"].as_str().unwrap().to_owned()).collect();
    assert_eq!(invoices, ["G202702978", "G202703978", "G202704978"]);
}

#[tokio::test]
async fn a_change_that_upstream_confirms_later_is_not_told_again() {
    let text = script(
        "{ applied = \"auto_renew\" }",
        "fn run(event) { send_message(\"told\", #{ on: event.subscription.auto_renew_enabled }); }",
    );
    let world = World::new("2027-02-01T12:00:00Z", &[("scripts/told.rhai", &text)]);
    let yearly = |renews: bool| {
        let mut subscription = monthly(1, "2027-01-31T00:00:00Z", "2028-01-30T23:59:59Z");
        subscription["termDuration"] = "P1Y".into();
        subscription["autoRenewEnabled"] = renews.into();
        serde_json::json!([customer(), order(1, "10.00"), subscription])
    };
    world.import(yearly(true)).await;
    triggers::tick(&world.app).await.unwrap();
    let told = || {
        let sent = world.app.read(Rights::system(), |work| ops::messages::list(work, None, 200)).unwrap().items;
        sent.iter().filter(|message| message.topic == "told").count()
    };
    // Retention has passed over the beginning of the trigger when the change is made, and over the change when it is confirmed.
    triggers::advance(&world.app, at("2027-06-01T00:00:00Z")).await.unwrap();
    triggers::retention::run(&world.app).await.unwrap();
    let asked = world
        .propose("anna", sub_id(1), Change::AutoRenew { enabled: false, cancel_at_term_end: None })
        .await
        .request
        .unwrap();
    let approve = move |work: &mut ops::Work| ops::requests::approve(work, asked.id, None, "");
    world.app.act(crate::world::person("ben"), world.app.next_cause("test"), approve).await.unwrap();
    triggers::tick(&world.app).await.unwrap();
    assert_eq!(told(), 1);
    for (later, run) in [("2027-06-02T00:00:00Z", true), ("2027-10-01T00:00:00Z", false)] {
        triggers::advance(&world.app, at(later)).await.unwrap();
        if run {
            triggers::retention::run(&world.app).await.unwrap();
        }
        world.import(yearly(false)).await;
        triggers::tick(&world.app).await.unwrap();
        assert_eq!(told(), 1, "at {later}");
    }
    let shown = world.app.read(Rights::system(), |work| ops::requests::get(work, asked.id)).unwrap();
    assert_eq!(shown.upstream, Some(bursar::domain::request::Upstream::Confirmed), "it was written again");
}

#[tokio::test]
async fn a_relative_trigger_fires_once_an_offset_and_again_for_the_next_term() {
    let text = script(
        "{ before = \"term_end\", by = [\"P7D\", \"PT12H\"] }",
        "fn run(event) { send_message(\"reminder\", #{ due: event.due, by: event.by }); }",
    );
    let world = World::new("2027-01-31T12:00:00Z", &[("scripts/remind.rhai", &text)]);
    world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
    triggers::tick(&world.app).await.unwrap();
    let count = || {
        let sent = world.app.read(Rights::system(), |work| ops::messages::list(work, None, 200)).unwrap().items;
        sent.iter().filter(|message| message.topic == "reminder").count()
    };
    for (to, want) in [
        ("2027-02-20T23:59:59Z", 0),
        ("2027-02-21T00:00:00Z", 1),
        ("2027-02-27T11:59:59Z", 1),
        ("2027-02-27T12:00:00Z", 2),
        ("2027-03-23T23:59:59Z", 2),
        ("2027-03-24T00:00:00Z", 3),
    ] {
        triggers::advance(&world.app, at(to)).await.unwrap();
        triggers::tick(&world.app).await.unwrap();
        assert_eq!(count(), want, "at {to}");
    }
}

#[tokio::test]
async fn a_schedule_that_is_switched_off_leaves_a_row_that_says_so() {
    let text = script("{ cron = \"0 6 * * *\", zone = \"UTC\" }", "fn run(event) { print(\"x\"); }");
    let text = text.replace("//! on =", "//! enabled = false\n//! on =");
    let world = World::new("2027-03-01T12:00:00Z", &[("scripts/off.rhai", &text)]);
    triggers::tick(&world.app).await.unwrap();
    triggers::advance(&world.app, at("2027-03-03T06:00:00Z")).await.unwrap();
    let rows: Vec<_> = states(&world, "scripts/off.rhai#0").into_iter().map(|(state, _)| state).collect();
    assert_eq!(rows, [OccurrenceState::Skipped, OccurrenceState::Skipped]);
}

#[tokio::test]
async fn an_event_that_comes_before_what_it_is_about_waits_for_it_and_invents_nothing() {
    let text = "//! Cancels what the portal says is cancelled.\n//! ---\n//! grants = [\"subscriptions.read\", \"propose.cancellation\"]\n//! on = [{ hook = \"portal\", types = [\"subscription.cancelled\"] }]\n//! ---\nfn run(event) { subscription(event.data.text(\"id\")).request_cancellation(\"customer_request\", \"in the portal\"); }\n";
    let world = World::new("2027-02-01T12:00:00Z", &[("scripts/portal.rhai", text)]);
    let body = format!("{{\"data\":{{\"id\":\"{}\"}}}}", sub_id(1));
    let Ok(Accepted::New(delivery)) = deliver(&world, "portal", "evt-1", "subscription.cancelled", &body).await else {
        panic!("not accepted")
    };
    triggers::tick(&world.app).await.unwrap();
    let look = || world.app.read(Rights::system(), |work| deliveries::get(work, delivery.id)).unwrap();
    assert_eq!(look().state, DeliveryState::Pending);
    assert!(look().taken[0].error.as_ref().is_some_and(|error| error.contains("not_found")), "{:?}", look().taken);
    let found = world.app.read(Rights::system(), |work| ops::subscriptions::get(work, sub_id(1)));
    assert!(
        matches!(found, Err(ops::Error::Refused(ref refusal)) if refusal.code == "not_found"),
        "nothing is invented"
    );
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    triggers::advance(&world.app, at("2027-02-01T12:00:10Z")).await.unwrap();
    assert_eq!(look().state, DeliveryState::Processed);
    let story = world.app.read(Rights::system(), |work| ops::ledger::story(work, sub_id(1), 10)).unwrap();
    assert_eq!(story.requests.len(), 1);
    assert_eq!(story.requests[0].state, State::Waiting, "a person decides: no policy answered");
}

#[tokio::test]
async fn a_policys_trigger_proposes_for_those_alone_that_it_answers_about() {
    let text = |chosen: &str| {
        format!(
            "//! Renewals.\n//! ---\n//! decides = \"renewal\"\n//! where = {{ term_duration = \"{chosen}\" }}\n//! on = [{{ before = \"term_end\", by = \"P7D\" }}]\n//! ---\nfn decide(request) {{ approve(); }}\n"
        )
    };
    for (chosen, requests) in [("P1M", 1), ("P1Y", 0)] {
        let world = World::new("2027-01-31T12:00:00Z", &[("policies/renewal.rhai", &text(chosen))]);
        world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
        triggers::tick(&world.app).await.unwrap();
        triggers::advance(&world.app, at("2027-02-22T00:00:00Z")).await.unwrap();
        let story = world.app.read(Rights::system(), |work| ops::ledger::story(work, sub_id(1), 10)).unwrap();
        assert_eq!(story.requests.len(), requests, "where term_duration = {chosen}");
    }
}

/// A policy whose `subjects` selects by a field that there is not.
const NO_SELECTION: &str = "//! Suspends.\n//! ---\n//! decides = \"suspension\"\n//! on = [{ hook = \"billing\", types = [\"overdue\"] }, { cron = \"0 6 * * *\", zone = \"UTC\" }]\n//! ---\nfn decide(request) { approve(); }\nfn subjects(event) { #{ nonsense: 1 } }\n";

#[tokio::test]
async fn a_policy_that_selects_nonsense_fails_alone_and_holds_up_nobody() {
    let seen =
        script("{ hook = \"billing\", types = [\"overdue\"] }", "fn run(event) { send_message(\"seen\", #{}); }");
    let files = [("policies/suspend.rhai", NO_SELECTION), ("scripts/seen.rhai", seen.as_str())];
    let world = World::new("2027-02-01T12:00:00Z", &files);
    triggers::tick(&world.app).await.unwrap();
    let taken = deliver(&world, "billing", "evt_1", "overdue", "{\"type\":\"overdue\",\"data\":{}}").await.unwrap();
    let Accepted::New(delivery) = taken else { panic!("{taken:?}") };
    triggers::tick(&world.app).await.expect("what a file returns stops no tick");
    let sent = world.app.read(Rights::system(), |work| ops::messages::list(work, None, 10)).unwrap().items;
    assert_eq!(sent.iter().filter(|message| message.topic == "seen").count(), 1, "the other file has run");
    triggers::advance(&world.app, at("2027-02-02T07:00:00Z")).await.unwrap();
    let kept = world.app.read(Rights::system(), |work| deliveries::get(work, delivery.id)).unwrap();
    assert_eq!(kept.state, DeliveryState::Dead, "after its attempts: {kept:?}");
    let runs = world.app.read(Rights::system(), |work| Ok(rows::runs(&mut work.tx, None, 20)?)).unwrap().items;
    let failed: Vec<_> = runs.iter().filter(|run| run.file == "policies/suspend.rhai").collect();
    assert_eq!(failed.len(), 6, "five attempts and one occurrence");
    for run in failed {
        assert_eq!(run.ending, Ending::Failed);
        let error = run.error.as_ref().unwrap();
        assert_eq!(error.code, "bad_selection");
        assert!(error.message.contains("nonsense"), "{}", error.message);
    }
    assert_eq!(states(&world, "policies/suspend.rhai#1").len(), 1);
}
