//! The tests of policies and scripts: those that ship pass, what fails is told with its place, and a policy with a
//! slip in it approves nothing.

use bursar::app::library::read_with_tests;
use bursar::config::Config;
use bursar::domain::Kind;
use bursar::engine::api;
use bursar::engine::library::{Library, Settings};
use bursar::testing::{Error, Summary, TestReport, run};
use expect_test::{Expect, expect};
use std::fs;
use std::path::Path;

/// The tests of the library in this folder.
fn all(folder: &Path, filter: Option<&str>) -> Result<(Vec<TestReport>, Summary), Error> {
    let config = Config { library: folder.to_owned(), ..Config::default() };
    let mut reports = Vec::new();
    let summary = run(&config, filter, &mut |report| reports.push(report))?;
    Ok((reports, summary))
}

/// A library of these files in a folder of its own.
fn library(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// What the reports say, times left out.
fn check(files: &[(&str, &str)], want: &Expect) {
    let folder = library(files);
    let (reports, summary) = all(folder.path(), None).unwrap_or_else(|error| match error {
        Error::Library(findings) => panic!("{findings:#?}"),
        other => panic!("{other}"),
    });
    let mut out = String::new();
    for mut report in reports {
        report.micros = 0;
        out.push_str(&format!("{report}\n"));
    }
    out.push_str(&summary.to_string());
    want.assert_eq(&out);
}

#[test]
fn what_ships_passes_its_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (reports, summary) = all(folder, None).unwrap();
    let failed: Vec<String> = reports.iter().filter(|report| !report.passed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(summary.failed, 0);
    assert!(summary.passed >= 30, "{summary}");
    assert_eq!(summary.passed, reports.len());
}

const ANSWERS: &str = "//! ---\n//! decides = \"suspension\"\n//! ---\n";

#[test]
fn a_test_that_fails_is_told_with_its_place_and_who_answered() {
    let policy = format!("{ANSWERS}fn decide(request) {{ review(\"ask Anna\"); }}");
    let tests = r#"//! Tests.

fn test_holds() {
    assert_eq(decide("suspension", given()).outcome, "waiting");
}

fn test_differs() {
    print("before");
    assert_eq(decide("suspension", given()).outcome, "applied");
}

fn test_of_two_types() {
    assert_eq(given(#{ unit_price: "5 EUR" }).unit_price, "5 EUR");
}

fn helper(sub) { assert(sub.quantity > 7, "too few seats"); }

fn test_in_a_helper() { helper(given(#{ quantity: 7 })); }

fn test_a_slip() { given(#{ quantiti: 7 }); }
"#;
    check(
        &[("policies/a.rhai", &policy), ("policies/a_test.rhai", tests)],
        &expect![[r#"
        ok     policies/a_test.rhai::test_holds (0 ms)
        FAILED policies/a_test.rhai::test_differs (0 ms)
            policies/a_test.rhai:9:5: error[not_equal]: this is not what was expected
             9 |     assert_eq(decide("suspension", given()).outcome, "applied");
               |     ^
            expected: "applied"
            got:      "waiting"
            suspension: policies/a.rhai answered review (ask Anna)
            printed: before
        FAILED policies/a_test.rhai::test_of_two_types (0 ms)
            policies/a_test.rhai:13:5: error[not_equal]: this is not what was expected
             13 |     assert_eq(given(#{ unit_price: "5 EUR" }).unit_price, "5 EUR");
                |     ^
            expected: "5 EUR"
            got:      5.00 EUR (Money)
        FAILED policies/a_test.rhai::test_in_a_helper (0 ms)
            policies/a_test.rhai:16:18: error[assertion]: too few seats
             16 | fn helper(sub) { assert(sub.quantity > 7, "too few seats"); }
                |                  ^
        FAILED policies/a_test.rhai::test_a_slip (0 ms)
            policies/a_test.rhai:20:20: error[unknown_fact]: given does not know quantiti; did you mean quantity?
             20 | fn test_a_slip() { given(#{ quantiti: 7 }); }
                |                    ^
        1 passed, 4 failed"#]],
    );
}

#[test]
fn a_run_that_fails_on_the_way_fails_the_test() {
    let script = "//! ---\n//! on = [{ cron = \"0 6 * * *\" }, { hook = \"billing\", types = [\"invoice.paid\"] }]\n//! ---\nfn run(event) {\n    throw \"no\";\n}";
    let tests = r#"
fn test_time() { advance("P1D"); }
fn test_a_hook() { hook("billing", "invoice.paid", #{}); }
fn test_nobody() { hook("billing", "invoice.payd", #{}); }
fn test_caught() {
    let caught = "";
    try { advance("P1D"); } catch (error) { caught = error.code; }
    assert_eq(caught, "run_failed");
    advance("PT0S");
}
"#;
    check(
        &[("scripts/a.rhai", script), ("scripts/a_test.rhai", tests)],
        &expect![[r#"
        FAILED scripts/a_test.rhai::test_time (0 ms)
            scripts/a_test.rhai:2:18: error[run_failed]: run of scripts/a.rhai: no (thrown at scripts/a.rhai:5:5)
             2 | fn test_time() { advance("P1D"); }
               |                  ^
        FAILED scripts/a_test.rhai::test_a_hook (0 ms)
            scripts/a_test.rhai:3:20: error[hook_failed]: scripts/a.rhai#1: no (thrown at scripts/a.rhai:5:5)
             3 | fn test_a_hook() { hook("billing", "invoice.paid", #{}); }
               |                    ^
        FAILED scripts/a_test.rhai::test_nobody (0 ms)
            scripts/a_test.rhai:4:20: error[nobody_takes]: no file takes invoice.payd of the hook billing; did you mean billing invoice.paid?
             4 | fn test_nobody() { hook("billing", "invoice.payd", #{}); }
               |                    ^
        ok     scripts/a_test.rhai::test_caught (0 ms)
        1 passed, 3 failed"#]],
    );
}

/// Three slips; each alone decides the suspension of what `given()` gives.
const SLIPS: [(&str, &str, &str); 3] = [
    (
        "a forgotten return",
        "fn decide(request) { if request.reason == \"fraud\" { true } else { \"approve\" } }",
        "no policy answered",
    ),
    (
        "money compared with text",
        "fn decide(request) { approve(); if request.subscription.unit_price == request.subscription.billing_cycle { deny(\"x\"); } }",
        "policy a failed: type_error",
    ),
    ("a policy that throws", "fn decide(request) { approve(); throw \"no\"; }", "policy a failed: thrown"),
];

const NOTHING_APPROVED: &str = r#"
fn test_nothing_is_approved() {
    let sub = given(#{ unit_price: "10 EUR" });
    let answer = decide("suspension", sub, #{ reason: "fraud" });
    assert_eq(answer.outcome, "waiting");
    assert_eq(read(sub).status, "active");
    advance("P30D");
    assert_eq(read(sub).status, "active");
    assert_eq(messages("subscription.suspended").len(), 0);
}
"#;

#[test]
fn a_slip_in_a_policy_approves_nothing() {
    for (what, decide, why) in SLIPS {
        let policy = format!("{ANSWERS}{decide}");
        let folder = library(&[("policies/a.rhai", &policy), ("policies/a_test.rhai", NOTHING_APPROVED)]);
        let (reports, summary) = all(folder.path(), None).unwrap();
        assert_eq!((summary.passed, summary.failed), (1, 0), "{what}: {}", reports[0]);
        let answers = &reports[0].answers;
        assert!(answers.iter().all(|answer| answer.verdict != "approve"), "{what}: {answers:?}");
        let reasons: Vec<&String> = answers.iter().flat_map(|answer| &answer.reasons).collect();
        assert!(reasons.iter().any(|reason| reason.contains(why)), "{what}: {reasons:?}");
    }
    // The same test fails under a policy that does approve: it can fail.
    let policy = format!("{ANSWERS}fn decide(request) {{ approve(); }}");
    let folder = library(&[("policies/a.rhai", &policy), ("policies/a_test.rhai", NOTHING_APPROVED)]);
    assert_eq!(all(folder.path(), None).unwrap().1.failed, 1);
}

#[test]
fn test_files_do_not_serve_and_are_checked() {
    let policy = format!("{ANSWERS}fn decide(request) {{ approve(); }}");
    let texts = |test: &str| {
        let pair = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        vec![pair("policies/a.rhai", &policy), pair("policies/a_test.rhai", test)]
    };
    let (settings, kit) = (Settings::default(), api::kit());
    // What is wrong with a test stops nobody's work.
    let serving = Library::from_texts(texts("fn broken("), &settings, &kit).unwrap();
    let alone = Library::from_texts(texts("")[..1].to_vec(), &settings, &kit).unwrap();
    assert_eq!(serving.hash, alone.hash);
    let checked = Library::from_texts_with_tests(texts("fn test_a() { given(); }"), &settings, &kit).unwrap();
    assert_eq!(checked.files.len(), 2);
    assert_eq!(checked.without_tests().hash, alone.hash);
    assert_eq!(checked.deciders(Kind::Suspension).count(), 1);
    for (test, code) in [
        ("fn tset_a() { }", "no_tests"),
        ("fn test_a(x) { }", "handler_parameters"),
        ("fn test_a() { givn(); }", "unknown_function"),
        ("fn test_a() { advance(); }", "wrong_arity"),
        ("fn assert(x) { }\nfn test_a() { }", "reserved_name"),
        ("//! ---\n//! at = \"tomorrow\"\n//! ---\nfn test_a() { }", "bad_date"),
        ("//! ---\n//! grants = [\"*\"]\n//! ---\nfn test_a() { }", "misplaced_key"),
    ] {
        let findings = Library::from_texts_with_tests(texts(test), &settings, &kit).unwrap_err();
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, [code], "{test}");
    }
    let policy = format!("{ANSWERS}fn decide(request) {{ given(); }}");
    let findings = Library::from_texts(vec![("policies/a.rhai".to_owned(), policy)], &settings, &kit).unwrap_err();
    assert_eq!(findings[0].code, "unknown_function", "only tests are given that");
}

#[test]
fn every_example_of_the_tests_part_runs_and_the_reference_has_them_all() {
    let mut text = "//! ---\n//! at = \"2027-02-01T00:00:00Z\"\n//! ---\n".to_owned();
    for (index, function) in api::testing::PART.functions.iter().enumerate() {
        text.push_str(&format!("fn test_{index}_{}() {{ {} }}\n", function.name, function.example));
        assert!(function.example.contains(&format!("{}(", function.name)), "{}", function.name);
    }
    let folder = library(&[("scripts/examples_test.rhai", &text)]);
    let (reports, summary) = all(folder.path(), None).unwrap();
    let failed: Vec<String> = reports.iter().filter(|report| !report.passed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(summary.passed, api::testing::PART.functions.len());
    let reference = api::reference();
    for function in api::kit().every_test_part().iter().flat_map(|part| part.functions) {
        let head = format!("### `{}({})`", function.name, function.params.join(", "));
        assert!(reference.contains(&head), "{head}");
    }
}

#[test]
fn every_function_described_is_registered_with_its_number_of_values() {
    let (kit, plain) = (api::kit(), rhai::Engine::new_raw());
    let shape = |info: rhai::FuncInfo| Some((info.metadata.name.to_string(), info.metadata.num_params));
    let given = kit.test_engine().collect_fn_metadata(None, shape, false);
    for function in kit.every_test_part().iter().flat_map(|part| part.functions) {
        let shape = (function.name.to_owned(), function.params.len());
        assert!(given.contains(&shape), "{shape:?} is described and not registered");
        assert!(plain.compile(format!("let x = 1; x.{}(1)", function.name)).is_ok(), "{} is reserved", function.name);
    }
    let before: Vec<_> = kit.engine().collect_fn_metadata(None, shape, false);
    for (name, count) in given.iter().filter(|one| !before.contains(one)) {
        let described =
            |known: &&bursar::engine::reference::Function| known.name == name && known.params.len() == *count;
        assert_eq!(api::testing::PART.functions.iter().filter(described).count().min(1), 1, "{name} is not described");
    }
}

#[test]
fn only_the_tests_asked_for_run_and_a_slip_in_the_name_is_told() {
    let folder = library(&[("policies/a_test.rhai", "fn test_one() { }\nfn test_two() { assert(false); }")]);
    let (reports, summary) = all(folder.path(), Some("test_one")).unwrap();
    assert_eq!((reports.len(), summary.to_string()), (1, "1 passed, 0 failed".to_owned()));
    let error = all(folder.path(), Some("test_too")).unwrap_err();
    assert_eq!(error.to_string(), "no test is called test_too; did you mean test_two?");
}

#[test]
fn a_schedule_that_walks_everything_is_noted_and_one_with_an_index_is_not() {
    let noted = |each: &str| {
        let text = format!(
            "//! ---\n//! grants = [\"*\"]\n//! on = [{{ cron = \"0 6 * * *\", each = {each} }}]\n//! ---\nfn run(event) {{ }}"
        );
        let texts = vec![("scripts/a.rhai".to_owned(), text)];
        let library = Library::from_texts(texts, &Settings::default(), &api::kit()).unwrap();
        assert!(library.warnings.is_empty());
        library.notes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(noted("{ status = \"active\", term_end_within = \"P30D\" }"), [""; 0]);
    assert_eq!(noted("{ tenant = \"11111111-0000-4000-8000-000000000001\" }"), [""; 0]);
    for each in ["{ status = \"active\" }", "{ term_end_within = \"P30D\" }", "{ \"label.tier\" = \"gold\" }"] {
        let notes = noted(each);
        assert_eq!(notes.len(), 1, "{each}");
        assert!(notes[0].starts_with("scripts/a.rhai:3:") && notes[0].contains("note[walks_everything]"), "{notes:?}");
    }
    let config = Config { library: env!("CARGO_MANIFEST_DIR").into(), ..Config::default() };
    let (shipped, _) = read_with_tests(&config, &api::kit()).unwrap();
    assert!(shipped.notes.is_empty() && shipped.warnings.is_empty(), "{:?} {:?}", shipped.notes, shipped.warnings);
}

/// What HTTP and the command line do with carts, the move to a MAK, support requests and products, scripts do alike.
#[test]
fn scripts_review_carts_plan_moves_fill_in_support_requests_and_describe_products() {
    let tests = r#"
const ITEM = "DG7GMGF0EVER:0001:DG7GMGF0EVR1";

fn shop() {
    let owner = given_tenant(#{ company_name: "Contoso", country: "NL", agreed_at: "2026-12-01" });
    given_product(#{ id: global::ITEM, name: "Office", family: "software_perpetual", term_duration: (), billing_cycle: "one_time", unit_price: "250 EUR" });
    tenant(owner.id)
}

fn test_carts() {
    let owner = shop();
    let made = owner.cart([#{ product: global::ITEM, quantity: 2, friendly_name: "gas" }]);
    made.add_lines([#{ product: global::ITEM, quantity: 3 }, #{ product: "CFQ7TTC0NONE:0001:CFQ7TTC0NONE" }]);
    assert_eq(made.lines.len(), 3);
    assert_eq(made.lines[0].friendly_name, "gas");
    assert_eq(made.lines[2].error, made.errors[0].description);
    let review = made.review();
    assert(!review.purchasable);
    assert_eq(review.total_of_terms[0], money("1250 EUR"));
    assert_eq(review.lines[1].price_of_term, money("750 EUR"));
    assert_eq(review.lines[0].plans[0].billing_cycle, "one_time");
    assert_eq(review.lines[0].window_rule, "W30p");
    assert(present(review.lines[0].allowed_until) && !review.lines[0].tax_included);
    assert_eq(review.lines[2].errors[0].code, "catalog_item_unknown");
    made.remove_line(2);
    assert_eq(made.lines.len(), 2);
    assert_eq(owner.cart(made.id).lines[1].quantity, 3);
    assert(owner.cart(made.id).review().purchasable);
    let refused = try_remove(made);
    assert_eq(refused, "not_found");
    let done = made.checkout();
    assert_eq(owner.carts()[0].status, "ordered");
    assert_eq(owner.carts()[0].order_numbers[0], done.orders[0].id);
}

fn try_remove(cart) {
    try { cart.remove_line(9); } catch (error) { return error.code; }
    "nothing was refused"
}

fn test_moves() {
    let owner = shop();
    owner.record_activation("SRV-01", "Office", now());
    let plan = owner.activation_plan();
    assert_eq(plan.steps[0].step, "buy");
    assert_eq(plan.steps[0].done, false);
    assert_eq(plan.steps[1].done, true);
    assert(!present(plan.steps[5].done));
    assert_eq(plan.left[0].device, "SRV-01");
    assert_eq([plan.recorded, plan.lapsed], [1, 0]);
}

fn test_support() {
    let found = shop().request_support(#{ type: "Cannot manage my profile", title: "Profile", description: "It does not open." });
    found.update_support(#{ severity: "critical", note: "they called" });
    assert_eq(found.severity, "critical");
    assert_eq(found.problem, "Cannot manage my profile");
    found.update_support(#{ status: "closed", resolution: "granted" });
    assert_eq(support_request(found.id).status, "closed");
}

fn test_products() {
    describe_software(#{ product: "DG7GMGF0EVER", versions: ["2019", "2022"], languages: ["English"] });
    let told = software_products()[0];
    assert_eq(told.product, "DG7GMGF0EVER");
    assert_eq(told.versions, ["2019", "2022"]);
}
"#;
    let folder = library(&[
        ("policies/a_test.rhai", tests),
        ("policies/a.rhai", "//! ---\n//! decides = \"purchase\"\n//! ---\nfn decide(request) { approve(); }"),
    ]);
    let (reports, summary) = all(folder.path(), None).unwrap_or_else(|error| panic!("{error:?}"));
    let failed: Vec<String> = reports.iter().filter(|report| !report.passed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(summary.passed, 4);
}
