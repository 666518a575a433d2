//! The life of subscriptions and requests, end to end on a manual clock: imported, decided, renewed, charged, approved,
//! expired; the same commands give the same rows.

use bursar::app::App;
use bursar::domain::change::Reason;
use bursar::domain::ledger::ChargeType;
use bursar::domain::request::{Outcome, State};
use bursar::domain::subscription::{Attention, Status};
use bursar::domain::{Change, Grant, Grants, Principal};
use bursar::ops::requests::Answered;
use bursar::ops::{self, Rights, ledger, requests, subscriptions};
use bursar::store::records;
use bursar::triggers;

use crate::world::{World, at, book, customer, large_book, monthly, person, sub_id};

#[tokio::test]
async fn a_monthly_term_with_anchor_31_keeps_it_through_a_year_and_is_charged_once_a_period() {
    let world = World::new("2027-01-31T12:00:00Z", &[]);
    world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
    let id = sub_id(1);
    assert_eq!(world.sub(id).standing.term_end, Some(at("2027-02-28T00:00:00Z")));
    triggers::advance(&world.app, at("2028-03-05T00:00:00Z")).await.unwrap();
    let starts: Vec<String> = world
        .lines()
        .iter()
        .filter(|line| line.kind == ChargeType::Renew)
        .map(|line| line.period_start.format("%m-%d").to_string())
        .collect();
    let expected = [
        "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30", "12-31", "01-31",
        "02-29",
    ];
    assert_eq!(starts, expected);
    assert!(world.lines().iter().all(|line| line.amount.to_string() == "100.00"));
    assert_eq!(world.sub(id).standing.term_end, Some(at("2028-03-31T00:00:00Z")));
}

#[tokio::test]
async fn without_auto_renew_a_term_expires_then_is_disabled_then_deleted() {
    let world = World::new("2023-01-31T12:00:00Z", &[]);
    world.import(book("2023-01-31T00:00:00Z", "2023-02-27T23:59:59Z")).await;
    let id = sub_id(1);
    let proposed = world.propose("anna", id, Change::AutoRenew { enabled: false, cancel_at_term_end: None }).await;
    assert_eq!(proposed.outcome, Outcome::Waiting, "no policy answers: a person decides");
    let request = proposed.request.unwrap().id;
    let cause = world.app.next_cause("test");
    let answered =
        world.app.act(person("bert"), cause, move |work| requests::approve(work, request, None, "fine")).await.unwrap();
    assert!(matches!(answered, Answered::Done(ref request) if request.state == State::Applied), "{answered:?}");
    for (to, status) in [
        ("2023-02-27T23:59:59Z", Status::Active),
        ("2023-02-28T00:00:00Z", Status::Expired),
        ("2023-03-29T23:59:59Z", Status::Expired),
        ("2023-03-30T00:00:00Z", Status::Disabled),
        ("2023-06-27T23:59:59Z", Status::Disabled),
        ("2023-06-28T00:00:00Z", Status::Deleted),
    ] {
        triggers::advance(&world.app, at(to)).await.unwrap();
        assert_eq!(world.sub(id).standing.status, status, "at {to}");
    }
    assert!(world.lines().is_empty());
}

const REVIEWS: &str = "//! Cancellations are looked at.\n//! ---\n//! decides = \"cancellation\"\n//! ---\nfn decide(request) { review(\"look at it\"); }\n";

#[tokio::test]
async fn a_reviewed_cancellation_waits_and_only_another_person_approves_it_inside_the_window() {
    let world = World::new("2027-02-01T12:00:00Z", &[("policies/cancel.rhai", REVIEWS)]);
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    let id = sub_id(1);
    let proposed = world.propose("anna", id, Change::Cancellation { reason: Reason::CustomerRequest }).await;
    let request = proposed.request.unwrap();
    assert_eq!(request.state, State::Waiting);
    assert!(request.quote.allowed);
    assert_eq!(request.reasons, ["look at it"]);
    let again = world.propose("carl", id, Change::Cancellation { reason: Reason::Fraud }).await;
    assert_eq!(again.request.unwrap().id, request.id, "proposing what is open returns it");
    let own = {
        let (cause, id) = (world.app.next_cause("test"), request.id);
        world.app.act(person("anna"), cause, move |work| requests::approve(work, id, None, "")).await
    };
    assert!(matches!(own, Err(ops::Error::Refused(ref refusal)) if refusal.code == "self_approval"));
    let stale = {
        let (cause, id) = (world.app.next_cause("test"), request.id);
        world.app.act(person("bert"), cause, move |work| requests::approve(work, id, Some(99), "")).await
    };
    assert!(matches!(stale, Err(ops::Error::Refused(ref refusal)) if refusal.code == "stale_approval"));
    let (cause, req) = (world.app.next_cause("test"), request.id);
    let done =
        world.app.act(person("bert"), cause, move |work| requests::approve(work, req, Some(1), "ok")).await.unwrap();
    assert!(matches!(done, Answered::Done(_)));
    assert_eq!(world.sub(id).standing.status, Status::Deleted);
    let lines = world.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].kind, ChargeType::CancelImmediate);
    let (cause, req) = (world.app.next_cause("test"), request.id);
    let twice = world.app.act(person("bert"), cause, move |work| requests::approve(work, req, None, "")).await;
    assert!(matches!(twice, Err(ops::Error::Refused(ref refusal)) if refusal.code == "already_decided"));
}

#[tokio::test]
async fn an_approval_of_what_moved_meanwhile_is_decided_anew_and_never_applied_blind() {
    let world = World::new("2027-02-01T12:00:00Z", &[("policies/cancel.rhai", REVIEWS)]);
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    let id = sub_id(1);
    let request =
        world.propose("anna", id, Change::Cancellation { reason: Reason::CustomerRequest }).await.request.unwrap();
    let cause = world.app.next_cause("test");
    world
        .app
        .act(person("carl"), cause, move |work| subscriptions::label(work, id, "seen", Some("yes")))
        .await
        .unwrap();
    let (cause, req) = (world.app.next_cause("test"), request.id);
    let answered =
        world.app.act(person("bert"), cause, move |work| requests::approve(work, req, Some(1), "")).await.unwrap();
    let Answered::Moved(moved) = answered else { panic!("{answered:?}") };
    assert_eq!(moved.state, State::Waiting);
    assert_eq!(moved.generation, 2);
    assert_eq!(moved.decisions.len(), 2);
    assert_eq!(world.sub(id).standing.status, Status::Active);
}

#[tokio::test]
async fn a_waiting_request_expires_at_the_end_of_its_window_and_not_before() {
    let world = World::new("2027-02-05T12:00:00Z", &[("policies/cancel.rhai", REVIEWS)]);
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    let id = sub_id(1);
    let request =
        world.propose("anna", id, Change::Cancellation { reason: Reason::CustomerRequest }).await.request.unwrap();
    assert_eq!(request.expires_at, Some(at("2027-02-08T10:00:00Z")), "the window closes before seven days are over");
    let state = |id| world.app.read(Rights::system(), |work| requests::get(work, id)).unwrap().state;
    triggers::advance(&world.app, at("2027-02-08T09:59:59Z")).await.unwrap();
    assert_eq!(state(request.id), State::Waiting);
    triggers::advance(&world.app, at("2027-02-08T10:00:00Z")).await.unwrap();
    assert_eq!(state(request.id), State::Expired);
    let late = world.propose("anna", id, Change::Cancellation { reason: Reason::CustomerRequest }).await;
    assert_eq!(late.outcome, Outcome::Refused);
    assert_eq!(late.request.unwrap().refusal.unwrap().code, "window_closed");
}

#[tokio::test]
async fn a_renewal_without_a_price_is_parked_and_neither_charged_nor_expired() {
    let world = World::new("2027-01-31T12:00:00Z", &[]);
    world.import(serde_json::json!([customer(), monthly(1, "2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")])).await;
    triggers::advance(&world.app, at("2027-04-01T00:00:00Z")).await.unwrap();
    let sub = world.sub(sub_id(1));
    assert_eq!((sub.standing.status, sub.standing.attention), (Status::Active, Some(Attention::PriceUnknown)));
    assert!(world.lines().is_empty());
}

const ROLLS: &str = "//! Rolls.\n//! ---\n//! decides = \"renewal\"\n//! on = [{ before = \"term_end\", by = [\"P10D\"] }]\n//! ---\nfn decide(request) { if request.subscription.quantity > 5 { approve(#{ quantity: 7 }); } }\n";

#[tokio::test]
async fn a_policy_alone_is_a_whole_automation_proposed_before_the_end_and_amended() {
    let world = World::new("2027-01-31T12:00:00Z", &[("policies/roll.rhai", ROLLS)]);
    triggers::tick(&world.app).await.unwrap();
    world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
    triggers::advance(&world.app, at("2027-02-17T23:59:59Z")).await.unwrap();
    let open = |app: &App| app.read(Rights::system(), |work| ledger::story(work, sub_id(1), 100)).unwrap().requests;
    assert!(open(&world.app).is_empty(), "ten days before the end and not earlier");
    triggers::advance(&world.app, at("2027-02-18T00:00:00Z")).await.unwrap();
    let requests = open(&world.app);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].state, State::Scheduled);
    triggers::advance(&world.app, at("2027-02-28T00:00:00Z")).await.unwrap();
    let sub = world.sub(sub_id(1));
    assert_eq!(sub.standing.quantity, 7);
    assert_eq!(world.lines()[0].amount.to_string(), "70.00");
}

#[tokio::test]
async fn a_daemon_that_was_away_for_months_renews_each_missed_term_from_its_old_end() {
    let world = World::new("2027-01-31T12:00:00Z", &[]);
    world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
    world.app.set_clock(at("2027-06-10T00:00:00Z")).unwrap();
    triggers::tick(&world.app).await.unwrap();
    let lines = world.lines();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines.iter().all(|line| line.at == at("2027-06-10T00:00:00Z")));
    assert_eq!(world.sub(sub_id(1)).standing.term_end, Some(at("2027-06-30T00:00:00Z")));
}

#[tokio::test]
async fn what_may_not_be_done_is_refused_and_leaves_no_trace() {
    let world = World::new("2027-02-01T12:00:00Z", &[]);
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    let before = world.app.store().durable();
    let poor = Rights {
        principal: Principal::Token("poor".to_owned()),
        grants: Grants { list: vec![Grant::Read("subscriptions")], tenants: None },
    };
    let id = sub_id(1);
    let cause = world.app.next_cause("test");
    let refused = world
        .app
        .act(poor, cause, move |work| {
            requests::propose(work, id, Change::AutoRenew { enabled: false, cancel_at_term_end: None }, "")
        })
        .await;
    assert!(matches!(refused, Err(ops::Error::Refused(ref refusal)) if refusal.code == "forbidden"), "{refused:?}");
    let elsewhere = Rights {
        principal: Principal::Token("narrow".to_owned()),
        grants: Grants { list: vec![Grant::All], tenants: Some(Vec::new()) },
    };
    let cause = world.app.next_cause("test");
    let absent = world
        .app
        .act(elsewhere, cause, move |work| {
            requests::propose(work, id, Change::AutoRenew { enabled: false, cancel_at_term_end: None }, "")
        })
        .await;
    assert!(matches!(absent, Err(ops::Error::Refused(ref refusal)) if refusal.code == "not_found"), "{absent:?}");
    assert_eq!(world.app.store().durable(), before);
}

#[tokio::test]
async fn the_same_commands_give_the_same_rows() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let world = World::new("2027-01-31T12:00:00Z", &[("policies/roll.rhai", ROLLS)]);
        world.import(large_book(9)).await;
        triggers::advance(&world.app, at("2027-09-01T00:00:00Z")).await.unwrap();
        let stories: Vec<String> = (1..=9)
            .map(|number| {
                let story = world.app.read(Rights::system(), |work| ledger::story(work, sub_id(number), 1000)).unwrap();
                serde_json::to_string(&story).unwrap()
            })
            .collect();
        seen.push(stories);
    }
    assert!(seen[0] == seen[1]);
    assert!(seen[0][0].len() > 1000);
}

#[tokio::test]
async fn retention_takes_old_occurrences_and_leaves_younger_ones_and_all_requests() {
    let script = "//! Daily.\n//! ---\n//! on = [{ cron = \"0 6 * * *\", zone = \"UTC\" }]\n//! ---\nfn run(event) { print(\"hello\"); }\n";
    let world = World::new("2027-01-31T12:00:00Z", &[("scripts/daily.rhai", script)]);
    world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
    triggers::tick(&world.app).await.unwrap();
    triggers::advance(&world.app, at("2027-06-10T07:00:00Z")).await.unwrap();
    let count = |app: &App| {
        app.read(Rights::system(), |work| {
            let occurrences = records::triggers::occurrences(&mut work.tx, None, None, 1_000)?.items.len();
            let runs = records::triggers::runs(&mut work.tx, None, 1_000)?.items.len();
            Ok((occurrences, runs))
        })
        .unwrap()
    };
    assert_eq!(count(&world.app), (130, 130), "one row and one run a day since 1 February");
    let requests =
        world.app.read(Rights::system(), |work| ledger::story(work, sub_id(1), 1_000)).unwrap().requests.len();
    triggers::retention::run(&world.app).await.unwrap();
    assert_eq!(count(&world.app), (90, 90), "ninety days stay");
    let after = world.app.read(Rights::system(), |work| ledger::story(work, sub_id(1), 1_000)).unwrap().requests.len();
    assert_eq!(after, requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_approvers_exactly_one_wins() {
    let world = World::new("2027-02-01T12:00:00Z", &[("policies/cancel.rhai", REVIEWS)]);
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    let id = sub_id(1);
    let request =
        world.propose("anna", id, Change::Cancellation { reason: Reason::CustomerRequest }).await.request.unwrap().id;
    let mut racing = Vec::new();
    for number in 0..16 {
        let (app, cause) = (world.app.clone(), world.app.next_cause("race"));
        racing.push(tokio::spawn(async move {
            let who = person(&format!("approver{number}"));
            app.act(who, cause, move |work| {
                if number % 2 == 0 {
                    requests::approve(work, request, None, "")
                } else {
                    requests::deny(work, request, None, "")
                }
            })
            .await
        }));
    }
    let mut won = 0;
    for racer in racing {
        match racer.await.unwrap() {
            Ok(Answered::Done(_)) => won += 1,
            Err(ops::Error::Refused(refusal)) => assert_eq!(refusal.code, "already_decided"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    let status = world.sub(id).standing.status;
    let credits = world.lines().iter().filter(|line| line.kind == ChargeType::CancelImmediate).count();
    assert_eq!(credits, usize::from(status == Status::Deleted), "the effect is the winner's");
}

#[tokio::test]
async fn a_scheduled_renewal_is_asked_about_again_when_something_moved_and_both_decisions_are_kept() {
    for (label, status) in [(None, Status::Active), (Some("stop"), Status::Disabled)] {
        let policy = ROLLS
            .replace("if request", "if request.subscription.has_label(\"stop\") { deny(\"stopped\"); } if request");
        let world = World::new("2027-01-31T12:00:00Z", &[("policies/roll.rhai", &policy)]);
        triggers::tick(&world.app).await.unwrap();
        world.import(book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z")).await;
        triggers::advance(&world.app, at("2027-02-20T00:00:00Z")).await.unwrap();
        let (id, cause) = (sub_id(1), world.app.next_cause("test"));
        let name = label.unwrap_or("other");
        world
            .app
            .act(person("carl"), cause, move |work| subscriptions::label(work, id, name, Some("yes")))
            .await
            .unwrap();
        triggers::advance(&world.app, at("2027-02-28T00:00:00Z")).await.unwrap();
        assert_eq!(world.sub(id).standing.status, status);
        let story = world.app.read(Rights::system(), |work| ledger::story(work, id, 100)).unwrap();
        assert_eq!(story.requests[0].decisions.len(), 2, "{:#?}", story.requests);
        assert_eq!(story.decisions.len(), 2);
    }
}

/// Approves what carries the label `confirmed`, looks at anything else until `until`.
fn confirmed(kind: &str, until: &str) -> String {
    format!(
        "//! Wants a word.\n//! ---\n//! decides = \"{kind}\"\n//! ---\nfn decide(request) {{ if request.subscription.has_label(\"confirmed\") {{ approve(); return; }} review(\"nobody has confirmed\", #{{ expires: instant(\"{until}\"), otherwise: \"deny\" }}); }}\n"
    )
}

async fn label(world: &World, name: &'static str) {
    let cause = world.app.next_cause("test");
    let labelled = move |work: &mut ops::Work| subscriptions::label(work, sub_id(1), name, Some("anna"));
    world.app.act(person("carl"), cause, labelled).await.unwrap();
}

#[tokio::test]
async fn proposing_again_what_waits_asks_the_policies_again_where_something_moved_and_only_there() {
    let policy = confirmed("suspension", "2027-02-20T00:00:00Z");
    let world = World::new("2027-02-01T12:00:00Z", &[("policies/word.rhai", &policy)]);
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    let (id, change) = (sub_id(1), Change::Suspension { reason: Reason::NonPayment });
    let first = world.propose("anna", id, change.clone()).await.request.unwrap();
    let again = world.propose("anna", id, change.clone()).await.request.unwrap();
    assert_eq!((again.state, again.decisions.len()), (State::Waiting, 1), "nothing moved: nobody is asked");
    // Something moved that changes no answer: it goes on waiting as long as before, and nobody is told anew.
    label(&world, "seen").await;
    let moved = world.propose("anna", id, change.clone()).await.request.unwrap();
    assert_eq!((moved.id, moved.state, moved.decisions.len()), (first.id, State::Waiting, 2));
    assert_eq!((moved.expires_at, moved.generation), (first.expires_at, first.generation + 1));
    label(&world, "confirmed").await;
    let done = world.propose("anna", id, change).await;
    assert_eq!((done.outcome, done.request.unwrap().id), (Outcome::Applied, first.id));
    assert_eq!(done.subscription.standing.status, Status::Suspended);
}

#[tokio::test]
async fn a_word_that_came_in_time_is_heard_when_nobody_answered_and_without_one_the_stated_outcome_happens() {
    for (said, status) in
        // A stated no is a no: the term does not go on by the month, and access ends with it (EST).
        [(None, Status::Disabled), (Some("seen"), Status::Disabled), (Some("confirmed"), Status::Active)]
    {
        // Before the end of the term, and with it.
        for until in ["2027-02-25T00:00:00Z", "2027-03-01T00:00:00Z"] {
            let policy = confirmed("renewal", until);
            let world = World::new("2027-02-01T12:00:00Z", &[("policies/word.rhai", &policy)]);
            world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
            let term_end = at("2027-03-01T00:00:00Z");
            let change = Change::Renewal { term_end, amendments: Default::default() };
            assert_eq!(world.propose("anna", sub_id(1), change).await.outcome, Outcome::Waiting);
            triggers::advance(&world.app, at("2027-02-24T23:59:59Z")).await.unwrap();
            if let Some(name) = said {
                label(&world, name).await;
            }
            triggers::advance(&world.app, at("2027-03-01T00:00:00Z")).await.unwrap();
            assert_eq!(world.sub(sub_id(1)).standing.status, status, "{said:?} {until}");
            let renewed = world.lines().iter().filter(|line| line.kind == ChargeType::Renew).count();
            assert_eq!(renewed, usize::from(status == Status::Active), "{said:?} {until}");
        }
    }
}

#[tokio::test]
async fn a_cancellation_whose_window_closed_unanswered_expires_though_something_moved() {
    let world = World::new("2027-02-05T12:00:00Z", &[("policies/cancel.rhai", REVIEWS)]);
    world.import(book("2027-02-01T10:00:00Z", "2027-02-28T23:59:59Z")).await;
    let change = Change::Cancellation { reason: Reason::CustomerRequest };
    let request = world.propose("anna", sub_id(1), change).await.request.unwrap();
    label(&world, "seen").await;
    triggers::advance(&world.app, at("2027-02-08T10:00:00Z")).await.unwrap();
    let now = world.app.read(Rights::system(), |work| requests::get(work, request.id)).unwrap();
    assert_eq!(now.state, State::Expired);
    assert_eq!(world.sub(sub_id(1)).standing.status, Status::Active);
}

#[test]
fn a_file_that_was_edited_is_still_the_one_that_proposed() {
    let file = |path: &str, hash: &str| Principal::File { path: path.to_owned(), hash: hash.to_owned() };
    let ours = file("scripts/dunning.rhai", "84d3742005ac9c33");
    assert!(ours.is_same_as(&file("scripts/dunning.rhai", "8709d5564511e028")));
    assert!(!ours.is_same_as(&file("scripts/fraud.rhai", "84d3742005ac9c33")));
    assert!(!ours.is_same_as(&Principal::User("scripts/dunning.rhai".to_owned())));
    assert!(!Principal::User("anna".to_owned()).is_same_as(&Principal::Token("anna".to_owned())));
}
