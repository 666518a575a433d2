//! The policies and scripts that ship are found without fault by the checker, and decide what their head says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::domain::change::{Amendments, Reason};
use bursar::domain::roles::{Held, Leave, Place, Subject};
use bursar::domain::subscription::Status;
use bursar::domain::{Change, Grant, Id, Kind, Role, Subscription, SubscriptionId, calendar};
use bursar::engine::api;
use bursar::engine::api::events::Event;
use bursar::engine::library::{Library, Settings};
use bursar::engine::values::json::Json;
use bursar::engine::{Budget, run as engine_run};
use bursar::json::{self, Value};
use bursar::ops::{self, Rights, Work, requests};
use bursar::partner_center::merge::Import;
use bursar::partner_center::read::{Fact, read_document};
use bursar::partner_center::{customers, orders, relative, subscriptions_merge};
use bursar::store::records;
use bursar::store::records::timers::{self, Timer};
use bursar::store::tables::TimerKind;

fn shipped() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for folder in ["policies", "scripts"] {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            // Tests are given more functions than other files; they are checked where they run.
            if name.ends_with(".rhai") && !name.ends_with("_test.rhai") {
                let path = format!("{folder}/{name}");
                let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
                texts.push((path, text));
            }
        }
    }
    texts
}

#[test]
fn what_ships_loads_without_a_finding() {
    let library = Library::from_texts(shipped(), &Settings::default(), &api::kit()).unwrap();
    assert!(library.warnings.is_empty(), "{:#?}", library.warnings);
    for file in &library.files {
        let test = file.path.replace(".rhai", "_test.rhai");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&test).exists(), "{test} is missing");
    }
}

#[test]
fn the_manual_names_a_file_that_ships_or_a_command_for_every_case() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/README.md")).unwrap();
    let rows: Vec<&str> = manual.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")).collect();
    assert_eq!(rows.len(), 25);
    for (place, row) in rows.iter().enumerate() {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells[0], (place + 1).to_string(), "{row}");
        let quoted: Vec<&str> = cells[2].split('`').skip(1).step_by(2).collect();
        let files = quoted.iter().filter(|word| word.ends_with(".rhai"));
        for file in files {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file} of row {}", place + 1);
        }
    }
}

#[test]
fn every_kind_with_a_shipped_policy_has_tests_beside_it() {
    let library = Library::from_texts(shipped(), &Settings::default(), &api::kit()).unwrap();
    // What is paid by use is ended by a person.
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Deprovision) {
        let deciders: Vec<&str> = library.deciders(kind).map(|file| file.path.as_str()).collect();
        assert!(!deciders.is_empty(), "{kind}");
        for decider in deciders {
            let test = decider.replace(".rhai", "_test.rhai");
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&test).exists(), "{test}");
        }
    }
}

/// Roles of a kind, by the matrix of who answers what.
fn deciding(kind: Kind) -> Vec<&'static str> {
    let may = |role: &Role| {
        let (user, roles) = (String::new(), vec![*role]);
        let held = Held { user, roles, assigned: Vec::new(), only: Vec::new() };
        held.leave(&Grant::Decide(Some(kind)), Subject::Kind(kind), Place::Everywhere) == Leave::Act
    };
    Role::ALL.into_iter().filter(may).map(Role::as_str).collect()
}

#[test]
fn the_roles_that_shipped_policies_ask_may_answer() {
    let library = Library::from_texts(shipped(), &Settings::default(), &api::kit()).unwrap();
    // What the publisher has activated is approved unasked.
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Activation) {
        let may = deciding(kind);
        for file in library.deciders(kind) {
            let words = file.source.split('"').skip(1).step_by(2);
            for role in words.filter(|word| word.parse::<Role>().is_ok()) {
                assert!(may.contains(&role), "{} asks {role} about a {kind}; {may:?} may answer", file.path);
            }
        }
    }
}

/// The demo book in a store of its own, under the policies that ship.
async fn demo(folder: &Path) -> (App, BTreeMap<String, Subscription>) {
    for (path, text) in shipped() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let now = calendar::instant("2026-11-20T12:00:00Z").unwrap();
    let config = Config { library: folder.to_owned(), ..Config::default() };
    let options = Options { script_threads: Some(1), ..Options::default() };
    let app = App::in_memory(&config, [7; 16], Some(now), options).unwrap();
    let (terms, import) = (app.terms(), Import { now, newer_here: false, overwrite: false });
    let (mut tenants, mut subscriptions, mut prices) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for name in ["customers", "orders", "subscriptions"] {
        let path = format!("{}/examples/demo/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = relative::resolve(&fs::read_to_string(path).unwrap(), now).unwrap();
        for fact in read_document(&text, None).unwrap().facts() {
            match fact {
                Fact::Customer(fact) => tenants.push(customers::merge(None, fact, &import).record),
                Fact::Order(fact) => {
                    let order = orders::merge(None, fact, fact.tenant.unwrap(), &import).record;
                    prices.extend(orders::prices(&order));
                }
                Fact::Subscription(fact) => {
                    let mut fact = (**fact).clone();
                    fact.unit_price = prices.get(&fact.id).copied();
                    let sub = subscriptions_merge::merge(&terms, None, &fact, fact.tenant.unwrap(), &import).record;
                    let customer = tenants.iter().find(|tenant| tenant.id == sub.tenant).unwrap();
                    subscriptions.insert(format!("{}: {}", customer.company_name, sub.profile.friendly_name), sub);
                }
                other => panic!("{} in the demo", other.noun()),
            }
        }
    }
    assert_eq!(subscriptions.len(), 25, "every name is there once");
    let rows: Vec<Subscription> = subscriptions.values().cloned().collect();
    let save = move |work: &mut Work| {
        for tenant in &tenants {
            records::tenants::save(&mut work.tx, None, tenant)?;
        }
        for sub in &rows {
            records::subscriptions::save(&mut work.tx, None, sub)?;
            if let Some(due) = sub.standing.window_end {
                let (tenant, subject) = (sub.tenant, sub.id.bytes());
                timers::set(&mut work.tx, &Timer { kind: TimerKind::WindowEnd, due, tenant, subject })?;
            }
        }
        Ok(())
    };
    app.act(Rights::system(), "test:load".to_owned(), save).await.unwrap();
    (app, subscriptions)
}

#[tokio::test]
async fn the_shipped_policies_answer_the_demo_as_its_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let (app, subs) = demo(folder.path()).await;
    let renewal = |name: &str| Change::Renewal {
        term_end: subs[name].standing.term_end.unwrap(),
        amendments: Amendments::default(),
    };
    let suspension = |reason| Change::Suspension { reason };
    let cancellation = |reason| Change::Cancellation { reason };
    let auto_renew = |enabled| Change::AutoRenew { enabled, cancel_at_term_end: None };
    use Reason::{CustomerRequest, Fraud, NonPayment};
    for (name, change, outcome, why) in [
        ("Brauhaus am Markt: Front desk", None, "scheduled", ""),
        ("Brauhaus am Markt: Cellar controller", None, "waiting", "nobody has confirmed"),
        ("Brauhaus am Markt: Table bookings", None, "scheduled", ""),
        ("Lumen Optics: Lab and office", None, "waiting", "340 seats"),
        ("Lumen Optics: Lab security", None, "denied", "auto-renew is off"),
        ("Kestrel Logistics: Drivers", None, "waiting", "owes 480.00 GBP"),
        ("Fjord & Field: Farm office", None, "scheduled", ""),
        ("Nimbus Dental: Practice", None, "waiting", "nobody has confirmed"),
        ("Kestrel Logistics: Dispatch", Some(suspension(NonPayment)), "applied", ""),
        ("Kestrel Logistics: Yard gate", Some(Change::Reactivation {}), "waiting", "still owes 480.00 GBP"),
        ("Kestrel Logistics: Depot servers", Some(auto_renew(false)), "applied", ""),
        ("Fjord & Field: Pickers", Some(auto_renew(true)), "applied", ""),
        ("Brauhaus am Markt: Seasonal staff", Some(suspension(NonPayment)), "waiting", "nothing is overdue"),
        ("Fjord & Field: Farm shop", Some(suspension(Fraud)), "applied", ""),
        ("Sakura Print Works: Studio", Some(suspension(CustomerRequest)), "waiting", "the customer asked"),
        ("Lumen Optics: Contracts", Some(cancellation(CustomerRequest)), "applied", ""),
        ("Lumen Optics: Night shift", Some(cancellation(CustomerRequest)), "waiting", "would be refunded"),
        ("Nimbus Dental: X-ray archive", Some(cancellation(Fraud)), "waiting", "fraud"),
        ("Lumen Optics: Measurements", Some(cancellation(CustomerRequest)), "refused", ""),
    ] {
        let (id, change) = (subs[name].id, change.unwrap_or_else(|| renewal(name)));
        let what = format!("{} of {name}", change.kind());
        let propose = move |work: &mut Work| requests::propose(work, id, change.clone(), "a test asks");
        let proposed = app.act(Rights::system(), app.next_cause("test"), propose).await.unwrap();
        let reasons = proposed.request.map(|request| request.reasons.join("; ")).unwrap_or_default();
        assert_eq!(proposed.outcome.as_str(), outcome, "{what}: {reasons}");
        assert!(reasons.contains(why), "{what}: {reasons}");
        assert!(!reasons.contains("failed"), "{what}: {reasons}");
    }
}

/// Runs a handler of a shipped script; gives its effects.
async fn run(app: &App, file: &'static str, handler: &'static str, event: Event) -> Vec<String> {
    let budget = Budget::default();
    let body = move |work: &mut Work| engine_run::handler(work, file, handler, &event, &budget).map(|ran| ran.run);
    let run = app.act(Rights::system(), app.next_cause("test"), body).await.unwrap();
    assert_eq!(run.error, None, "{file} {handler}");
    run.effects
}

async fn look(app: &App, id: SubscriptionId) -> Subscription {
    let get = move |work: &mut Work| Ok(ops::subscriptions::get(work, id)?.value);
    app.act(Rights::system(), app.next_cause("test"), get).await.unwrap()
}

async fn message(app: &App, effects: &[String], topic: &str) -> Value {
    let sent: Vec<&str> =
        effects.iter().filter_map(|line| line.strip_prefix("message ")?.strip_suffix(topic)).collect();
    assert_eq!(sent.len(), 1, "{effects:?}");
    let id: Id = sent[0].trim().parse().unwrap();
    let get = move |work: &mut Work| ops::messages::get(work, id);
    let message = app.act(Rights::system(), app.next_cause("test"), get).await.unwrap();
    json::parse(message.data.as_bytes()).unwrap()
}

#[tokio::test]
async fn dunning_suspends_who_owes_and_restores_what_was_when_it_is_paid() {
    let folder = tempfile::tempdir().unwrap();
    let (app, subs) = demo(folder.path()).await;
    let told = |more: &str| {
        let tenant = subs["Fjord & Field: Pickers"].tenant;
        let text = format!(r#"{{"tenantId":"{tenant}","invoice":"A7"{more}}}"#);
        let data = Json::new(json::parse(text.as_bytes()).unwrap());
        Event { data: Some(data), ..Event::new("hook", app.now(), "dlv_test") }
    };
    let (renews, lapses) = (subs["Fjord & Field: Farm office"].id, subs["Fjord & Field: Pickers"].id);
    let owes = r#","overdue":"4500 NOK","since":"2026-10-01T00:00:00Z""#;
    run(&app, "scripts/dunning.rhai", "overdue", told(owes)).await;
    for (id, before) in [(renews, "renew"), (lapses, "lapse")] {
        let sub = look(&app, id).await;
        assert_eq!((sub.standing.status, sub.standing.auto_renew_enabled), (Status::Suspended, false));
        assert_eq!(sub.profile.labels.get("dunning").map(String::as_str), Some(before));
    }
    let still = r#","overdue":"300 NOK","since":"2026-11-01T00:00:00Z""#;
    run(&app, "scripts/dunning.rhai", "paid", told(still)).await;
    assert_eq!(look(&app, renews).await.standing.status, Status::Suspended, "something else is still owed");
}

#[tokio::test]
async fn dunning_switches_on_again_at_once_when_nothing_is_owed_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let (app, subs) = demo(folder.path()).await;
    let told = |more: &str| {
        let tenant = subs["Fjord & Field: Pickers"].tenant;
        let text = format!(r#"{{"tenantId":"{tenant}","invoice":"A7"{more}}}"#);
        let data = Json::new(json::parse(text.as_bytes()).unwrap());
        Event { data: Some(data), ..Event::new("hook", app.now(), "dlv_test") }
    };
    run(&app, "scripts/dunning.rhai", "overdue", told(r#","overdue":"4500 NOK","since":"2026-10-01T00:00:00Z""#)).await;
    run(&app, "scripts/dunning.rhai", "paid", told(r#","overdue":"0 NOK""#)).await;
    for (name, renews) in [("Fjord & Field: Farm office", true), ("Fjord & Field: Pickers", false)] {
        let sub = look(&app, subs[name].id).await;
        assert_eq!((sub.standing.status, sub.standing.auto_renew_enabled), (Status::Active, renews), "{name}");
        assert!(!sub.profile.labels.contains_key("dunning"), "{name}");
    }
}

#[tokio::test]
async fn reminders_and_the_nightly_list_say_what_is_about_to_happen() {
    let folder = tempfile::tempdir().unwrap();
    let (app, subs) = demo(folder.path()).await;
    let about = subs["Fjord & Field: Greenhouse"].clone();
    let event = Event { subscription: Some(about), ..Event::new("before", app.now(), "scripts/reminders.rhai") };
    let effects = run(&app, "scripts/reminders.rhai", "run", event).await;
    let data = message(&app, &effects, "reminder.term_end").await;
    assert_eq!(data.get("days_left").and_then(Value::as_i64), Some(60), "{data}");
    assert_eq!(data.get("what_happens").and_then(Value::as_str), Some("renews"));
    let event = Event::new("cron", app.now(), "scripts/nightly_windows.rhai");
    let effects = run(&app, "scripts/nightly_windows.rhai", "run", event).await;
    let data = message(&app, &effects, "windows.closing").await;
    let listed = data.get("subscriptions").and_then(Value::as_array).unwrap();
    let night = subs["Lumen Optics: Night shift"].id.to_string();
    assert!(listed.iter().any(|one| one.get("subscription").and_then(Value::as_str) == Some(&night)), "{data}");
    let far = subs["Nimbus Dental: Practice"].id.to_string();
    assert!(!listed.iter().any(|one| one.get("subscription").and_then(Value::as_str) == Some(&far)), "{data}");
}
