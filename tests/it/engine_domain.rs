//! Policies and scripts on the domain: what they may see and do, and that a run that fails leaves nothing.

use bursar::domain::change::Amendments;
use bursar::domain::decision::Verdict;
use bursar::domain::run::{Ending, Run};
use bursar::domain::subscription::{Profile, Renewal, Standing, Status};
use bursar::domain::terms::Terms;
use bursar::domain::{Change, Grants, Instant, Money, Principal, Span, Subscription, SubscriptionId, Tenant, TenantId};
use bursar::engine::api::{PARTS, events::Event, kit};
use bursar::engine::decide::Policies;
use bursar::engine::library::{Library, Settings as LibrarySettings};
use bursar::engine::sandbox::spawn_script_thread;
use bursar::engine::{Budget, run, script_thread};
use bursar::json::parse;
use bursar::ops::requests::{Proposed, propose};
use bursar::ops::{Ids, Rights, Settings, Work};
use bursar::store::{Store, records, tables};
use expect_test::expect;
use rhai::Engine;
use std::collections::BTreeSet;
use std::sync::Arc;

const TENANT: &str = "11111111-0000-4000-8000-000000000001";
const OTHER: &str = "22222222-0000-4000-8000-000000000001";
const SUB: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const OTHERS: &str = "bbbbbbbb-0000-4000-8000-000000000001";

fn at(text: &str) -> Instant {
    bursar::domain::calendar::instant(text).unwrap()
}

fn subscription(tenant: &str, id: &str) -> Subscription {
    let profile = Profile {
        family: "software_subscription".to_owned(),
        offer_id: "DZH318Z0BQ3Q:0001:DZH318Z0BPS6".to_owned(),
        offer_name: "A product".to_owned(),
        friendly_name: "Seats of the sales team".to_owned(),
        product_type: "Software".to_owned(),
        publisher_name: "Microsoft".to_owned(),
        purchased_at: at("2026-02-01T00:00:00Z"),
        term_duration: Some(Span::months(12)),
        billing_cycle: "annual".to_owned(),
        billing_type: "license".to_owned(),
        anchor_day: 1,
        unit_price: Some("100 EUR".parse().unwrap()),
        is_trial: false,
        parent_subscription_id: None,
        order_id: None,
        partner_id: String::new(),
        seat_batches: Vec::new(),
        next_term: Amendments::default(),
        custom_term_end_date: None,
        next_billing_cycle: None,
        plan_since: None,
        extended: None,
        suspension_reason: None,
        labels: Default::default(),
        extra: Default::default(),
    };
    let standing = Standing {
        generation: 1,
        status: Status::Active,
        quantity: 10,
        auto_renew_enabled: true,
        cancel_at_term_end: false,
        term_start: at("2026-02-01T00:00:00Z"),
        term_end: Some(at("2027-02-01T00:00:00Z")),
        cycle_start: Some(at("2026-02-01T00:00:00Z")),
        cycle_end: Some(at("2027-02-01T00:00:00Z")),
        window_end: Some(at("2026-04-02T00:00:00Z")),
        status_since: at("2026-02-01T00:00:00Z"),
        next_step_at: None,
        renewal: Renewal::Open,
        attention: None,
        late_terms: 0,
    };
    let (id, tenant): (SubscriptionId, TenantId) = (id.parse().unwrap(), tenant.parse().unwrap());
    Subscription { id, tenant, standing, profile: Arc::new(profile) }
}

fn tenant(id: &str, overdue: Vec<Money>) -> Tenant {
    Tenant {
        id: id.parse().unwrap(),
        generation: 1,
        company_name: "Contoso".to_owned(),
        domain: "contoso.onmicrosoft.com".to_owned(),
        country: "DE".to_owned(),
        account: bursar::domain::tenant::Account { overdue, since: None },
        labels: Default::default(),
        opened_at: None,
        ..Tenant::default()
    }
}

/// A store with two tenants of one subscription each, and a library on this thread.
struct Desk {
    store: Store,
    terms: Arc<Terms>,
    library: Arc<Library>,
    calls: u32,
}

impl Desk {
    fn new(files: &[(&str, &str)], overdue: &[&str]) -> Self {
        let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let library = Library::from_texts(texts, &LibrarySettings::default(), &kit());
        let library = Arc::new(library.unwrap_or_else(|findings| {
            let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
            panic!("{}", shown.join("\n"))
        }));
        script_thread::take_up(&library);
        let store = Store::memory(&tables::ALL, *b"sixteen bytes id").unwrap();
        let mut tx = store.begin().unwrap();
        let overdue = overdue.iter().map(|text| text.parse().unwrap()).collect();
        records::tenants::save(&mut tx, None, &tenant(TENANT, overdue)).unwrap();
        records::tenants::save(&mut tx, None, &tenant(OTHER, Vec::new())).unwrap();
        records::subscriptions::save(&mut tx, None, &subscription(TENANT, SUB)).unwrap();
        records::subscriptions::save(&mut tx, None, &subscription(OTHER, OTHERS)).unwrap();
        tx.commit().unwrap();
        Self { store, terms: Arc::new(Terms::builtin().unwrap()), library, calls: 0 }
    }

    fn work(&mut self, now: Instant, rights: Rights) -> Work {
        self.calls += 1;
        let ids = Ids::new(*b"sixteen bytes id", &format!("test:{}", self.calls));
        let judge = Arc::new(Policies { budget: Budget::default() });
        let tx = self.store.begin().unwrap();
        Work::new(tx, now, rights, ids, judge, Arc::clone(&self.terms), Arc::new(Settings::default()))
    }

    fn commit(mut work: Work) {
        work.finish().unwrap();
        let tx = work.take().tx;
        if !tx.is_empty() {
            tx.commit().unwrap();
        }
    }

    /// Runs a handler of `scripts/a.rhai` and commits what it left.
    fn run(&mut self, handler: &str, body: &str) -> Run {
        let now = at("2026-03-01T00:00:00Z");
        let mut work = self.work(now, Rights::system());
        let mut event = Event::new("hook", now, "test");
        event.data = Some(bursar::engine::values::json::Json::new(parse(body.as_bytes()).unwrap()));
        let ran = run::handler(&mut work, "scripts/a.rhai", handler, &event, &Budget::default()).unwrap();
        Self::commit(work);
        ran.run
    }

    fn propose(&mut self, change: Change) -> Proposed {
        let mut work = self.work(at("2026-03-01T00:00:00Z"), Rights::system());
        let proposed = propose(&mut work, SUB.parse().unwrap(), change, "for a test").unwrap();
        Self::commit(work);
        proposed
    }

    fn read(&self) -> Subscription {
        let mut tx = self.store.begin().unwrap();
        records::subscriptions::find(&mut tx, SUB.parse().unwrap()).unwrap().unwrap().value
    }
}

fn on_script_thread(body: impl FnOnce() + Send + 'static) {
    spawn_script_thread("test", body).unwrap().join().unwrap();
}

const RENEWAL: &str = r#"//! Annual terms renew only when somebody says so; monthly ones roll.
//! ---
//! decides = "renewal"
//! where   = { term_duration = ["P1Y", "P3Y"] }
//! on      = [{ before = "term_end", by = "P60D" }]
//! params  = { large = 300 }
//! ---
fn decide(request, params) {
    let sub = request.subscription;
    if !sub.auto_renew_enabled        { deny("auto-renew is off"); }
    if sub.tenant.account.overdue > 0 { review(`owes ${sub.tenant.account.overdue}`); }
    if sub.quantity >= params.large   { review("large renewal: check the seats"); }
    if !sub.has_label("confirmed")    { review("nobody has confirmed", #{ role: "billing_admin", expires: sub.term_end - days(2), otherwise: "deny" }); }
    approve();
}
"#;

const DUNNING: &str = r#"//! Suspends for an overdue invoice, restores what suspension switched off when it is paid.
//! ---
//! grants = ["subscriptions.read", "propose.suspension", "propose.reactivation", "propose.auto_renew", "labels.write"]
//! on = [{ hook = "billing", types = ["invoice.overdue"], call = "overdue" },
//!       { hook = "billing", types = ["invoice.paid"],    call = "paid" }]
//! ---
fn overdue(event) {
    for sub in subscriptions(#{ tenant: event.data.text("tenantId"), status: "active" }) {
        let asked = sub.request_suspension("non_payment", `invoice ${event.data.text("invoice")} is overdue`);
        if asked.outcome in ["applied", "waiting"] { sub.label("dunning", if sub.auto_renew_enabled { "renew" } else { "lapse" }); }
    }
}
fn paid(event) {
    for sub in subscriptions(#{ tenant: event.data.text("tenantId"), status: "suspended", "label.dunning": ["renew", "lapse"] }) {
        if sub.request_reactivation("paid").outcome != "applied" { continue; }
        if sub.label("dunning") == "renew" { sub.request_auto_renew(true, "was on before suspension"); }
        sub.unlabel("dunning");
    }
}
"#;

fn renewal() -> Change {
    Change::Renewal { term_end: at("2027-02-01T00:00:00Z"), amendments: Amendments::default() }
}

#[test]
fn a_renewal_policy_answers_by_what_it_reads() {
    on_script_thread(|| {
        let mut desk = Desk::new(&[("policies/renewal.rhai", RENEWAL)], &["12.50 EUR"]);
        let proposed = desk.propose(renewal());
        let request = proposed.request.unwrap();
        assert_eq!(proposed.outcome.as_str(), "waiting");
        assert_eq!(request.reasons, ["owes 12.50 EUR", "nobody has confirmed"]);
        assert_eq!(request.roles, ["billing_admin"]);
        assert_eq!(request.expires_at, Some(at("2027-01-30T00:00:00Z")));
        let mut tx = desk.store.begin().unwrap();
        let decision = records::log::decision(&mut tx, request.decisions[0]).unwrap().unwrap();
        let file = desk.library.file("policies/renewal.rhai").unwrap();
        assert_eq!((decision.verdict, decision.answers[0].hash.as_str()), (Verdict::Review, file.hash.as_str()));
    });
}

#[test]
fn a_policy_that_fails_or_acts_leaves_a_request_for_a_person_and_no_effect() {
    on_script_thread(|| {
        let head = "//! ---\n//! decides = \"renewal\"\n//! ---\n";
        for (body, want) in [
            ("loop {}", "policy renewal failed: limit_exceeded:operations"),
            ("let x = []; loop { x.push(\"y\"); }", "policy renewal failed: limit_exceeded:data_size"),
            ("request.subscription.tenant.account.overdue + 1", "policy renewal failed: type_error"),
            (&*format!("subscription(\"{OTHERS}x\")"), "policy renewal failed: bad_id"),
            ("subscription(\"cccccccc-0000-4000-8000-000000000001\")", "policy renewal failed: not_found"),
        ] {
            let text = format!("{head}fn decide(request) {{ approve(); {body} }}");
            let mut desk = Desk::new(&[("policies/renewal.rhai", &text)], &[]);
            let proposed = desk.propose(renewal());
            assert_eq!(proposed.outcome.as_str(), "waiting", "{body}");
            assert_eq!(proposed.request.unwrap().reasons, [want], "{body}");
        }
    });
}

#[test]
fn dunning_suspends_and_restores_what_was_on() {
    on_script_thread(|| {
        let approving = "//! ---\n//! decides = [\"suspension\", \"reactivation\", \"auto_renew\"]\n//! ---\nfn decide(request) { approve(); }";
        let mut desk = Desk::new(&[("scripts/a.rhai", DUNNING), ("policies/yes.rhai", approving)], &[]);
        let body = format!(r#"{{"tenantId": "{TENANT}", "invoice": "A7"}}"#);
        let run = desk.run("overdue", &body);
        assert_eq!(run.ending, Ending::Completed, "{:?}", run.error);
        let suspended = desk.read();
        assert_eq!(suspended.standing.status, Status::Suspended);
        assert!(suspended.profile.labels.contains_key("dunning"));
        let run = desk.run("paid", &body);
        assert_eq!(run.ending, Ending::Completed, "{:?}", run.error);
        let restored = desk.read();
        assert_eq!(restored.standing.status, Status::Active);
        assert!(!restored.profile.labels.contains_key("dunning"));
        let again = desk.run("paid", &body);
        assert_eq!(again.effects, Vec::<String>::new(), "told twice, done once");
    });
}

#[test]
fn s19_a_run_that_fails_leaves_no_effect() {
    on_script_thread(|| {
        let grants =
            "//! ---\n//! grants = [\"subscriptions.read\", \"labels.write\", \"propose.quantity\"]\n//! ---\n";
        for (body, code) in [
            ("sub.label(\"x\", \"y\"); throw \"no\";", "thrown"),
            ("sub.label(\"x\", \"y\"); loop {}", "limit_exceeded:operations"),
            ("sub.label(\"x\", \"y\"); try { sub.label(\"\", \"\"); } catch (e) { throw e; }", "bad_label"),
            ("sub.label(\"x\", \"y\"); let z = sub.quantity + \"1\"; z > 5", "type_error"),
        ] {
            let text = format!("{grants}fn run(event) {{ let sub = subscription(\"{SUB}\"); {body} }}");
            let mut desk = Desk::new(&[("scripts/a.rhai", &text)], &[]);
            let before = desk.store.last_accepted();
            let run = desk.run("run", "{}");
            assert_eq!(run.error.map(|error| error.code).as_deref(), Some(code), "{body}");
            assert_eq!(run.effects, Vec::<String>::new(), "{body}");
            assert_eq!(desk.store.last_accepted(), before + 1, "nothing but its record was written: {body}");
            assert_eq!(desk.read(), subscription(TENANT, SUB), "{body}");
        }
    });
}

#[test]
fn s15_and_s16_what_is_out_of_reach_is_not_there_and_what_is_too_much_is_refused() {
    on_script_thread(|| {
        let text = "//! ---\n//! grants = [\"subscriptions.read\", \"propose.quantity\", \"labels.write\"]\n//! ---\n\
            fn run(event) { try { subscription(event.data.text(\"id\")); } catch (e) { return e.code; } \"there\" }\n\
            fn many(event) { subscription(event.data.text(\"id\")).request_quantity(9223372036854775807, \"all\").outcome }\n\
            fn mark(event, most) { let sub = subscription(event.data.text(\"id\")); for i in 0..most { sub.label(\"x\", `${i}`); } }\n\
            fn enough(event) { mark(event, 10000); \"done\" }\n\
            fn more(event) { mark(event, 10001); \"done\" }";
        let mut desk = Desk::new(&[("scripts/a.rhai", text)], &[]);
        let call = |desk: &mut Desk, handler: &str, id: &str, reach: &str| {
            let rights = Rights {
                principal: Principal::System,
                grants: Grants { tenants: Some(vec![reach.parse().unwrap()]), ..Grants::all() },
            };
            let now = at("2026-03-01T00:00:00Z");
            let mut work = desk.work(now, rights);
            let mut event = Event::new("call", now, "test");
            let body = format!(r#"{{"id": "{id}"}}"#);
            event.data = Some(bursar::engine::values::json::Json::new(parse(body.as_bytes()).unwrap()));
            let patient = Budget { wall: std::time::Duration::from_secs(120), ..Budget::default() };
            let ran = run::handler(&mut work, "scripts/a.rhai", handler, &event, &patient).unwrap();
            let code = ran.run.error.map_or_else(String::new, |error| error.code);
            assert_eq!(ran.run.ending == Ending::Completed, ran.returned.is_some(), "{code}");
            assert!(ran.returned.is_some() || ran.run.effects.is_empty(), "nothing is left of it");
            ran.returned.map_or(code, |returned| returned.to_string())
        };
        assert_eq!(call(&mut desk, "run", SUB, TENANT), "there");
        assert_eq!(call(&mut desk, "run", "cccccccc-0000-4000-8000-000000000001", TENANT), "not_found");
        assert_eq!(call(&mut desk, "run", SUB, OTHER), "not_found", "another tenant's is as good as absent");
        assert_eq!(call(&mut desk, "many", SUB, TENANT), "refused");
        assert_eq!(call(&mut desk, "enough", SUB, TENANT), "done", "ten thousand effects are one run");
        assert_eq!(call(&mut desk, "more", SUB, TENANT), "cap_exceeded", "one more is none");
    });
}

#[test]
fn a_panic_of_the_host_ends_the_run_and_nothing_is_written() {
    on_script_thread(|| {
        let mut own = kit();
        let register = Arc::clone(&own.register);
        own.register = Arc::new(move |engine| {
            register(engine);
            engine.register_fn("host_mistake", || -> i64 { panic!("a mistake of the host") });
        });
        let text = "//! ---\n//! grants = [\"*\"]\n//! ---\nfn run(event) { for sub in subscriptions(#{}) { sub.label(\"x\", \"y\"); } host_mistake() }\nfn fine(event) { now() }";
        let mut desk = Desk::new(&[], &[]);
        let texts = vec![("scripts/a.rhai".to_owned(), text.to_owned())];
        let library = Arc::new(Library::from_texts(texts, &LibrarySettings::default(), &own).unwrap());
        script_thread::take_up(&library);
        let run = desk.run("run", "{}");
        assert_eq!(run.error.map(|error| error.code).as_deref(), Some("panicked"));
        assert_eq!(desk.read(), subscription(TENANT, SUB));
        assert_eq!(desk.run("fine", "{}").ending, Ending::Completed, "the thread goes on");
    });
}

#[test]
fn what_is_wrong_with_a_selection_of_a_manifest_is_told_where_it_stands() {
    let told = |head: &str| {
        let text = format!("//! ---\n//! {head}\n//! ---\nfn run(event) {{}}");
        let loaded =
            Library::from_texts(vec![("scripts/a.rhai".to_owned(), text)], &LibrarySettings::default(), &kit());
        let findings = loaded.map(|_| Vec::new()).unwrap_or_else(|findings| findings);
        findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let cron = |each: &str| told(&format!("on = [{{ cron = \"0 6 * * *\", each = {{ {each} }} }}]"));
    assert_eq!(cron("status = \"active\", label.tier = \"gold\", quantity_min = 5"), "");
    expect!["scripts/a.rhai:2:61: error[bad_selection]: subscriptions have no field 'quantty_min'; did you mean 'quantity_min'?"].assert_eq(&cron("status = \"active\", quantty_min = 5"));
    expect!["scripts/a.rhai:2:42: error[bad_selection]: 'actve' is no status; there are pending, active, suspended, expired, disabled, deleted, unknown; did you mean 'active'?"].assert_eq(&cron("status = \"actve\""));
    expect!["scripts/a.rhai:2:40: error[bad_selection]: 'term_end_before' is there twice"].assert_eq(&cron(
        "term_end_before = \"2027-01-31T00:00:00Z\", commitment_end_date_before = \"2027-01-30T00:00:00Z\"",
    ));
    expect!["scripts/a.rhai:2:20: error[bad_schedule]: hour: 25 is not between 0 and 23"]
        .assert_eq(&told("on = [{ cron = \"0 25 * * *\" }]"));
}

#[test]
fn records_compare_with_nothing_else_and_say_what_they_do_not_have() {
    on_script_thread(|| {
        let head = "//! ---\n//! grants = [\"subscriptions.read\", \"tenants.read\"]\n//! ---\n";
        let mut shown = Vec::new();
        for body in [
            "sub == 5",
            "sub.tenant == \"x\"",
            "sub < sub",
            "sub.term_end == ()",
            "sub.term_end > \"2027\"",
            "sub.tenant.account.overdue > 5",
            "sub.tenant.account.overdue == money(\"5 EUR\")",
            "let any = [sub]; any[0].quantity += 1;",
            "let any = [sub]; any[0].tenant.nothing_like_it",
        ] {
            let text = format!("{head}fn run(event) {{ let sub = subscription(\"{SUB}\"); {body} }}");
            let mut desk = Desk::new(&[("scripts/a.rhai", &text)], &["5 EUR"]);
            shown.push(format!("{body}\n  {}", desk.run("run", "{}").error.unwrap().message));
        }
        expect![[r#"
            sub == 5
              Subscription == an integer: these two cannot be compared (type_error at scripts/a.rhai:4:85)
            sub.tenant == "x"
              Tenant == a string: these two cannot be compared (type_error at scripts/a.rhai:4:92)
            sub < sub
              Subscription < Subscription: these two cannot be compared (type_error at scripts/a.rhai:4:85)
            sub.term_end == ()
              an Instant == nothing: these two cannot be compared; ask present(x) or absent(x), or give a value for nothing with ?? (type_error at scripts/a.rhai:4:94)
            sub.term_end > "2027"
              an Instant > a string: these two cannot be compared (type_error at scripts/a.rhai:4:94)
            sub.tenant.account.overdue > 5
              Amounts compare with 0 only, not with an integer; take one with .of("EUR") (currency_mismatch at scripts/a.rhai:4:108)
            sub.tenant.account.overdue == money("5 EUR")
              Amounts compare with 0 only, not with Money; take one with .of("EUR") (currency_mismatch at scripts/a.rhai:4:108)
            let any = [sub]; any[0].quantity += 1;
              the property 'quantity' can only be read (read_only at scripts/a.rhai:4:105)
            let any = [sub]; any[0].tenant.nothing_like_it
              Tenant has no property 'nothing_like_it' (missing_property at scripts/a.rhai:4:112)"#]].assert_eq(&shown.join("\n"));
    });
}

#[test]
fn a_script_without_the_grant_is_told_before_it_runs() {
    let text = "fn run(event) { for sub in subscriptions(#{}) { sub.request_renewal(\"x\"); } }";
    let load = |path: &str, text: &str| {
        let texts = vec![(path.to_owned(), text.to_owned())];
        let findings = Library::from_texts(texts, &LibrarySettings::default(), &kit()).unwrap_err();
        findings.iter().map(|finding| finding.code.clone()).collect::<Vec<_>>()
    };
    assert_eq!(load("scripts/a.rhai", text), ["grant_missing", "grant_missing"]);
    let policy = "//! ---\n//! decides = \"renewal\"\n//! grants = [\"*\"]\n//! ---\nfn decide(request) { request.subscription.request_renewal(\"x\"); }";
    assert_eq!(load("policies/a.rhai", policy), ["policy_acts"]);
}

#[test]
fn every_example_of_the_domain_is_checked_and_runs_on_a_store() {
    on_script_thread(|| {
        let mut seen = 0;
        for function in PARTS.iter().flat_map(|part| part.functions) {
            let text = format!("//! ---\n//! grants = [\"*\"]\n//! ---\nfn run(event) {{ {} }}", function.example);
            let mut desk = Desk::new(&[("scripts/a.rhai", &text)], &["5 EUR"]);
            let run = desk.run("run", "{}");
            assert_eq!(run.ending, Ending::Completed, "{}: {:?}", function.name, run.error);
            assert!(function.example.contains(function.name), "{} is not in its example", function.name);
            seen += 1;
        }
        assert!(seen > 15, "{seen}");
    });
}

#[test]
fn every_property_is_registered_every_registered_one_is_described_and_no_name_is_reserved() {
    let engine = kit().engine();
    let all: BTreeSet<String> =
        engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), false).into_iter().collect();
    let parts = kit().every_part();
    let plain = Engine::new_raw();
    for property in parts.iter().flat_map(|part| part.properties) {
        assert!(all.contains(&format!("get${}", property.name)), "{}.{}", property.owner, property.name);
        for source in [format!("let x = #{{}}; x.{}", property.name), format!("#{{ {}: 1 }}", property.name)] {
            assert!(plain.compile(&source).is_ok(), "{} is a reserved word", property.name);
        }
    }
    let functions: BTreeSet<&str> = parts.iter().flat_map(|part| part.functions).map(|known| known.name).collect();
    let properties: BTreeSet<&str> = parts.iter().flat_map(|part| part.properties).map(|known| known.name).collect();
    let usual = ["to_string", "to_debug", "contains"];
    for name in &all {
        if let Some(property) = name.strip_prefix("get$") {
            assert!(
                properties.contains(property) || ["code", "message"].contains(&property),
                "{property} is not described"
            );
        } else if name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') {
            assert!(functions.contains(name.as_str()) || usual.contains(&name.as_str()), "{name} is not described");
            assert!(plain.compile(format!("let x = 1; x.{name}(1)")).is_ok(), "{name} is a reserved word");
        }
        assert!(!name.starts_with("set$"), "{name} is a setter");
    }
}
