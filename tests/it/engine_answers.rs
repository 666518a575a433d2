//! The strictest recorded answer stands, with every reason; a policy that fails asks for a person.

use bursar::domain::decision::Answer;
use bursar::engine::answers::{Source, answer, collect, merge};
use bursar::engine::library::{Kit, Library, Settings};
use bursar::engine::machine::Machine;
use bursar::engine::{Budget, Failure, Spent};
use expect_test::{Expect, expect};
use rhai::Dynamic;
use std::fmt::Write;
use std::sync::Arc;

/// Runs the bodies as `decide` functions of policies a, b, c ...; one that begins with `observe` is only observed.
fn answers(bodies: &[&str]) -> Vec<Answer> {
    let texts = bodies.iter().zip('a'..).map(|(body, letter)| {
        let mode = if body.starts_with("/*observe*/") { "observe" } else { "enforce" };
        let head = format!("//! ---\n//! decides = \"renewal\"\n//! mode = \"{mode}\"\n//! ---\n");
        (format!("policies/{letter}.rhai"), format!("{head}fn decide(request) {{ {body} }}"))
    });
    let library = Arc::new(Library::from_texts(texts.collect(), &Settings::default(), &Kit::default()).unwrap());
    let machine = Machine::new(library.clone()).unwrap();
    let decide = |file: &Arc<bursar::engine::library::File>| {
        let ((result, spent), recorded) =
            collect(|| machine.call(&file.path, "decide", Dynamic::UNIT, None, &Budget::default()));
        let observed = file.manifest.mode == bursar::engine::manifest::Mode::Observe;
        let source = Source { path: &file.path, hash: file.short_hash(), observed };
        answer(source, result.as_ref().map(|_| ()), recorded, &spent)
    };
    library.deciders(bursar::domain::Kind::Renewal).map(decide).collect()
}

fn merged(bodies: &[&str], want: &Expect) {
    let merged = merge(&answers(bodies));
    let mut shown = format!("{}: {}\n", merged.verdict.as_str(), merged.reasons.join(" | "));
    if !merged.amendments.is_empty() {
        writeln!(shown, "amends {}", serde_json::to_string(&merged.amendments).unwrap()).unwrap();
    }
    if !merged.roles.is_empty() || merged.expires_at.is_some() {
        let expires = merged.expires_at.map(|at| at.to_rfc3339()).unwrap_or_default();
        writeln!(shown, "{} until {expires} then {:?}", merged.roles.join(", "), merged.otherwise).unwrap();
    }
    want.assert_eq(&shown);
}

#[test]
fn the_strictest_answer_stands_with_every_reason() {
    merged(
        &["approve();", "deny(\"no\");", "review(\"look\");"],
        &expect![[r#"
        deny: no | look
    "#]],
    );
    merged(
        &["deny(\"first\"); approve(); review(\"second\");"],
        &expect![[r#"
        deny: first | second
    "#]],
    );
    merged(
        &["approve();", ""],
        &expect![[r#"
        approve: 
    "#]],
    );
    merged(
        &["", "\"approve\""],
        &expect![[r#"
        abstain: 
    "#]],
    );
    merged(
        &[],
        &expect![[r#"
        abstain: 
    "#]],
    );
    merged(
        &["/*observe*/ deny(\"watching\");", "approve();"],
        &expect![[r#"
        approve: 
    "#]],
    );
}

#[test]
fn reviews_merge_to_the_earliest_the_strictest_and_all_roles() {
    merged(
        &[
            "review(\"x\", #{ role: \"sales_agent\", expires: instant(\"2027-01-31T00:00:00Z\"), otherwise: \"expire\" });",
            "review(\"y\", #{ roles: [\"billing_admin\", \"sales_agent\"], expires: instant(\"2027-01-30T00:00:00Z\") });",
            "review(\"z\", #{ otherwise: \"deny\" });",
            "review(\"w\", #{ otherwise: \"approve\" });",
        ],
        &expect![[r#"
            review: x | y | z | w
            billing_admin, sales_agent until 2027-01-30T00:00:00+00:00 then Some(Deny)
        "#]],
    );
}

#[test]
fn amendments_that_differ_make_a_review() {
    merged(
        &["approve(#{ quantity: 40 });", "approve(#{ term_duration: \"P1Y\" });"],
        &expect![[r#"
        approve: 
        amends {"quantity":40,"termDuration":"P1Y"}
    "#]],
    );
    merged(
        &["approve(#{ quantity: 40 });", "approve(#{ quantity: 40 });"],
        &expect![[r#"
        approve: 
        amends {"quantity":40}
    "#]],
    );
    merged(
        &["approve(#{ quantity: 40 });", "approve(#{ quantity: 50 });"],
        &expect![[r#"
        review: policies/a.rhai amends quantity to 40, policies/b.rhai to 50
    "#]],
    );
    merged(
        &["approve(#{ quantity: 40 }); approve(#{ quantity: 50 });"],
        &expect![[r#"
        review: policies/a.rhai amends quantity to 40, policies/a.rhai to 50
    "#]],
    );
    merged(
        &["approve(#{ term_duration: months(12) });", "deny(\"no\");"],
        &expect![[r#"
        deny: no
    "#]],
    );
}

#[test]
fn a_policy_that_fails_asks_for_a_person_and_keeps_its_no() {
    merged(
        &["approve(); loop {}"],
        &expect![[r#"
        review: policy a failed: limit_exceeded:operations
    "#]],
    );
    merged(
        &["approve(#{ quantity: 5 }); throw \"x\";", "approve();"],
        &expect![[r#"
        review: policy a failed: thrown
    "#]],
    );
    merged(
        &["deny(\"no\"); throw \"x\";"],
        &expect![[r#"
        deny: no | policy a failed: thrown
    "#]],
    );
    for (body, want) in [
        ("approve(#{ quantty: 5 });", "bad_answer"),
        ("approve(#{ quantity: \"5\" });", "bad_answer"),
        ("approve(#{ quantity: -1 });", "bad_answer"),
        ("review(\"x\", #{ otherwise: \"maybe\" });", "bad_answer"),
        ("review(\"x\", #{ expires: days(2) });", "bad_answer"),
        ("review(5);", "type_error"),
        ("for n in 0..100 { review(\"x\"); }", "too_many_answers"),
        ("if request.x { }", "missing_property"),
    ] {
        let answers = answers(&[body]);
        let last = answers[0].reasons.last().unwrap();
        assert_eq!(*last, format!("policy a failed: {want}"), "{body}");
    }
}

#[test]
fn a_script_cannot_answer_and_a_panic_leaves_no_collector() {
    let engine = bursar::engine::sandbox::engine();
    let outside = |error| Failure::from_error(&error, |_| true);
    assert_eq!(outside(*engine.run("approve()").unwrap_err()).code, "not_a_policy");
    let panicked = std::panic::catch_unwind(|| collect(|| panic!("a host's mistake")));
    assert!(panicked.is_err());
    assert_eq!(outside(*engine.run("approve()").unwrap_err()).code, "not_a_policy");
    let (_, outer) = collect(|| {
        let (_, inner) = collect(|| engine.run("deny(\"inner\")").unwrap());
        assert_eq!(inner.len(), 1);
        engine.run("approve()").unwrap();
    });
    assert_eq!(outer.len(), 1);
    let source = Source { path: "policies/x.rhai", hash: "", observed: false };
    assert!(answer(source, Ok(()), outer, &Spent::default()).reasons.is_empty());
}
