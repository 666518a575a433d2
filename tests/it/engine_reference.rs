//! Every example of the reference runs over records that make it do something.

use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::domain::change::Reason;
use bursar::domain::{Change, calendar};
use bursar::engine::api;
use bursar::engine::reference::parts;
use bursar::ops::{Rights, Work, requests, subscriptions};
use bursar::testing::run;
use std::fs;

/// Two customers with something in every state an example asks for.
const GIVEN: &str = r#"
fn prepare() {
    let owner = given_tenant(#{ company_name: "Contoso", country: "NL", agreed_at: "2026-12-01", labels: #{ vip: "yes", owner: "anna", region: "south" }, account: #{ overdue: "5 EUR" } });
    owner.record_activation("SRV-01", "Windows Server 2019", now());
    given(#{ tenant: owner.id, family: "software_subscription", quantity: 10, term_end: "2027-02-20", labels: #{ confirmed: "anna" } });
    let facts = #{ tenant: owner.id, quantity: 10, unit_price: "10 EUR", labels: #{ confirmed: "anna", owner: "anna", seen: "no" } };
    facts.term_end = "2027-01-20";
    facts.auto_renew_enabled = true;
    let rolling = given(facts);
    decide("renewal", rolling);
    decide("renewal", given(facts + #{ term_end: "2027-02-08" }));
    advance("P40D");
    given(facts + #{ term_end: "2027-03-02", auto_renew_enabled: true });
    given(facts + #{ term_end: "2027-03-07", status: "suspended", labels: #{ seen: "yes" } });
    given(facts + #{ term_end: (), purchased_at: now(), status: "pending", labels: #{} });
    given(facts + #{ term_end: "2027-03-02", is_trial: true, billing_cycle: "none", labels: #{} });
    decide("quantity", given(facts + #{ term_end: (), purchased_at: now() }), #{ quantity: 12 });
    given_product(#{ name: "Suite", minimum_quantity: 5 });
    given_product(#{ name: "Abroad", countries: ["US"] });
    given_product(#{ id: "DG7GMGF0EVER:0001:DG7GMGF0EVR1", name: "Office", family: "software_perpetual", term_duration: (), billing_cycle: "one_time" });
    tenant(owner.id).buy(#{ product: "DG7GMGF0EVER:0001:DG7GMGF0EVR1", quantity: 1 });
    tenant(owner.id).cart([#{ product: "DG7GMGF0EVER:0001:DG7GMGF0EVR1", quantity: 2 }]);
    tenant(owner.id).request_support(#{ type: "Cannot manage my profile", title: "Profile", description: "It does not open." });
}
"#;

#[test]
fn every_example_of_the_domain_reaches_its_records() {
    let mut text = GIVEN.to_owned();
    let mut printing = Vec::new();
    for (index, function) in api::PARTS.iter().flat_map(|part| part.functions).enumerate() {
        let name = format!("test_{index}_{}", function.name);
        text.push_str(&format!("fn {name}() {{ prepare(); {} }}\n", function.example));
        if function.example.contains("print(") && function.name != "request_cancellation" {
            printing.push(name);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/examples_test.rhai"), &text).unwrap();
    let config = Config { library: folder.path().to_owned(), ..Config::default() };
    let mut silent = Vec::new();
    let mut failed = Vec::new();
    let summary = run(&config, None, &mut |report| {
        if !report.passed() {
            failed.push(report.to_string());
        } else if printing.contains(&report.name) && report.output.is_empty() {
            silent.push(report.name);
        }
    });
    let summary = summary.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(silent.is_empty(), "these print and did not come to it: {silent:?}");
    assert!(summary.passed > 25 && printing.len() > 15, "{summary}, {} print", printing.len());
}

#[tokio::test]
async fn every_example_of_an_answer_answers() {
    let every = parts();
    let answers = every.iter().find(|part| part.title == "Answers").unwrap();
    for function in answers.functions {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("policies")).unwrap();
        let text =
            format!("//! ---\n//! decides = \"quantity\"\n//! ---\nfn decide(request) {{ {} }}", function.example);
        fs::write(folder.path().join("policies/a.rhai"), text).unwrap();
        let tests = "fn test_it() { decide(\"quantity\", given(#{ quantity: 20 }), #{ quantity: 30 }); }";
        fs::write(folder.path().join("policies/a_test.rhai"), tests).unwrap();
        let config = Config { library: folder.path().to_owned(), ..Config::default() };
        let mut answered = Vec::new();
        run(&config, None, &mut |report| answered = report.answers).unwrap();
        assert_eq!(answered.len(), 1, "{}: {answered:?}", function.name);
        assert_eq!(answered[0].verdict, function.name, "{answered:?}");
    }
    // And through the application alone: a policy's answer is the request's.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("policies")).unwrap();
    let text = "//! ---\n//! decides = \"suspension\"\n//! ---\nfn decide(request) { deny(\"never\"); }";
    fs::write(folder.path().join("policies/a.rhai"), text).unwrap();
    let config = Config { library: folder.path().to_owned(), ..Config::default() };
    let now = calendar::instant("2027-01-01T00:00:00Z").unwrap();
    let app = App::in_memory(&config, [3; 16], Some(now), Options::default()).unwrap();
    let document = r#"{"id":"5ab50000-0000-4000-8000-000000000001","customerId":"c0570000-0000-4000-8000-000000000001",
        "productType":{"id":"OnlineServicesNCE"},"offerId":"CFQ7TTC0LH18:0001:CFQ7TTC0K971","status":"active","quantity":5,
        "termDuration":"P1Y","billingCycle":"annual","billingType":"license","creationDate":"2026-12-31T00:00:00Z",
        "effectiveStartDate":"2026-12-31T00:00:00Z","commitmentEndDate":"2027-12-30T00:00:00Z","autoRenewEnabled":true}"#;
    let report = app.import(Rights::system(), "subscriptions.json".to_owned(), document.to_owned(), Default::default());
    assert_eq!(report.await.unwrap().taken, 1);
    let propose = |work: &mut Work| {
        let id = "5ab50000-0000-4000-8000-000000000001".parse()?;
        let change = Change::Suspension { reason: Reason::NonPayment };
        let proposed = requests::propose(work, id, change, "a test")?;
        Ok((proposed.outcome.as_str(), subscriptions::get(work, id)?.value.standing.status.as_str()))
    };
    assert_eq!(app.act(Rights::system(), app.next_cause("test"), propose).await.unwrap(), ("denied", "active"));
}
