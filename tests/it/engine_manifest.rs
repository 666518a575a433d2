//! Manifests are read without running anything, and every mistake is told at its place in the file.

#![allow(clippy::too_many_lines, reason = "a table of cases is one test")]

use bursar::domain::{Kind, Span};
use bursar::engine::manifest::{CatchUp, FileKind, Mode, Moment, Rules, Source, read};
use expect_test::{Expect, expect};

fn told(path: &str, source: &str, want: &Expect) {
    let kind = FileKind::of(path).unwrap();
    let (_, findings) = read(path, kind, source, &Rules::default());
    let shown: Vec<String> = findings.iter().map(|finding| finding.render(source)).collect();
    want.assert_eq(&shown.join("\n"));
}

#[test]
fn a_whole_manifest_is_read() {
    let source = r#"//! Annual terms renew only when somebody says so;
//! monthly ones roll.
//! ---
//! decides = ["renewal", "quantity"]
//! where   = { term_duration = ["P1Y", "P3Y"], quantity_min = 5 }
//! on      = [{ before = "term_end", by = ["P60D", "PT12H"] },
//!            { cron = "0 6 * * *", zone = "Europe/Berlin", each = { status = "active" }, catch_up = "skip", window = "P1D" },
//!            { hook = "billing", types = ["invoice.paid"], call = "paid" },
//!            { applied = "suspension" }]
//! grants  = ["subscriptions.read", "propose.*"]
//! params  = { large = 300, limits = ["500 EUR", "550 USD"] }
//! enabled = false
//! mode    = "observe"
//! ---
//! More prose, not read.
fn decide(request) {}
"#;
    let (manifest, findings) = read("policies/a.rhai", FileKind::Policy, source, &Rules::default());
    assert_eq!(findings, []);
    assert_eq!(manifest.description, "Annual terms renew only when somebody says so;\nmonthly ones roll.");
    assert_eq!(manifest.decides, [Kind::Renewal, Kind::Quantity]);
    let conditions = manifest.conditions.unwrap();
    assert_eq!(conditions.fields[0].0, "quantity_min");
    assert_eq!(conditions.fields[1].1.len(), 2);
    assert_eq!(conditions.place, (5, 15, 52));
    assert_eq!(
        manifest.on[0].source,
        Source::Before { moment: Moment::TermEnd, by: vec![Span::days(60), Span::hours(12)], each: None }
    );
    let Source::Cron { zone, catch_up, window, each, .. } = &manifest.on[1].source else { panic!() };
    assert_eq!((zone.as_deref(), *catch_up, *window), (Some("Europe/Berlin"), CatchUp::Skip, Some(Span::days(1))));
    assert_eq!(each.as_ref().unwrap().fields[0].0, "status");
    assert_eq!((manifest.on[2].call.as_str(), manifest.on[3].call.as_str()), ("paid", "run"));
    assert_eq!(manifest.on[3].source, Source::Applied(Kind::Suspension));
    assert_eq!(manifest.grants.len(), 2);
    assert_eq!(manifest.params["large"].as_integer(), Some(300));
    assert!(!manifest.enabled);
    assert_eq!(manifest.mode, Mode::Observe);
    assert_eq!(manifest.places["mode"], (13, 5, 4));
}

#[test]
fn a_file_without_a_manifest_has_the_defaults() {
    for source in ["", "fn run(event) {}", "//! prose only\nfn run(event) {}", "//! ---\n//! ---\n"] {
        let (manifest, findings) = read("scripts/a.rhai", FileKind::Script, source, &Rules::default());
        assert_eq!(findings, [], "{source}");
        assert!(manifest.enabled && manifest.mode == Mode::Enforce && manifest.on.is_empty());
    }
}

#[test]
fn every_mistake_is_told_at_its_place() {
    told(
        "policies/a.rhai",
        r#"//! ---
//! decide = "renewal"
//! enabled = "yes"
//! grants = ["subscription.read", 5]
//! params = { share = 0.5, big = 99999999999999999999 }
//!   mode = "observ"
//! ---
"#,
        &expect![[r#"
            policies/a.rhai:2:5: error[unknown_key]: a manifest has no key decide; did you mean decides?
             2 | //! decide = "renewal"
               |     ^^^^^^
            policies/a.rhai:3:15: error[manifest_type]: this is of type string; expected true or false
             3 | //! enabled = "yes"
               |               ^^^^^
            policies/a.rhai:4:15: error[unknown_grant]: subscription.read is no grant; did you mean subscriptions.read?
             4 | //! grants = ["subscription.read", 5]
               |               ^^^^^^^^^^^^^^^^^^^
            policies/a.rhai:4:36: error[manifest_type]: this is of type integer; expected a grant, such as "propose.renewal"
             4 | //! grants = ["subscription.read", 5]
               |                                    ^
            policies/a.rhai:6:14: error[unknown_mode]: observ is no mode; did you mean observe?
             6 | //!   mode = "observ"
               |              ^^^^^^^^
            policies/a.rhai:5:35: error[number_too_large]: this number is too large
             5 | //! params = { share = 0.5, big = 99999999999999999999 }
               |                                   ^^^^^^^^^^^^^^^^^^^^
            policies/a.rhai:5:24: error[float_not_allowed]: numbers with a point are not exact here; expected text, such as "0.75" or "10.50 EUR"
             5 | //! params = { share = 0.5, big = 99999999999999999999 }
               |                        ^^^
            policies/a.rhai:2:5: error[decides_missing]: a policy says which kinds of request it decides; expected decides = "renewal"
             2 | //! decide = "renewal"
               |     ^"#]],
    );
    told(
        "scripts/a.rhai",
        r#"//! ---
//! decides = "renewals"
//! on = [{ cron = "0 6 * * *", zone = "Europe/Berln", catchup = "one" },
//!       { before = "termend", by = "P60D" },
//!       { before = "term_end" },
//!       { before = "term_end", by = "60 days" },
//!       { hok = "billing" },
//!       { cron = "0 6 * * *", hook = "billing" },
//!       { applied = "suspend" },
//!       { cron = "0 6 * * *", catch_up = "none", each = "active" },
//!       { published = "invoices" },
//!       { published = "invoice", types = ["a"] }]
//! ---
"#,
        &expect![[r#"
            scripts/a.rhai:2:15: error[unknown_kind]: renewals is no kind of request; expected one of renewal, suspension, reactivation, cancellation, auto_renew, quantity, purchase, activation, conversion, schedule, billing_plan, deprovision, upgrade; did you mean renewal?
             2 | //! decides = "renewals"
               |               ^^^^^^^^^^
            scripts/a.rhai:3:56: error[unknown_key]: a cron trigger has no key catchup; did you mean catch_up?
             3 | //! on = [{ cron = "0 6 * * *", zone = "Europe/Berln", catchup = "one" },
               |                                                        ^^^^^^^
            scripts/a.rhai:3:40: error[bad_schedule]: there is no zone Europe/Berln
             3 | //! on = [{ cron = "0 6 * * *", zone = "Europe/Berln", catchup = "one" },
               |                                        ^^^^^^^^^^^^^^
            scripts/a.rhai:4:22: error[unknown_moment]: termend is no instant of a subject; expected one of term_end, window_end, trial_end, deletion_at, request_expiry; did you mean term_end?
             4 | //!       { before = "termend", by = "P60D" },
               |                      ^^^^^^^^^
            scripts/a.rhai:5:22: error[by_missing]: a before trigger says how long before; expected by = "P30D"
             5 | //!       { before = "term_end" },
               |                      ^^^^^^^^^^
            scripts/a.rhai:6:39: error[bad_duration]: '60 days' is no ISO-8601 duration such as P1M, P30D or PT12H
             6 | //!       { before = "term_end", by = "60 days" },
               |                                       ^^^^^^^^^
            scripts/a.rhai:7:11: error[trigger_source]: a trigger has exactly one source; expected cron, before, hook, applied or published; did you mean hook?
             7 | //!       { hok = "billing" },
               |           ^^^^^^^^^^^^^^^^^^^
            scripts/a.rhai:8:11: error[trigger_source]: a trigger has exactly one source; expected cron, before, hook, applied or published
             8 | //!       { cron = "0 6 * * *", hook = "billing" },
               |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            scripts/a.rhai:9:23: error[unknown_kind]: suspend is no kind of request; expected one of renewal, suspension, reactivation, cancellation, auto_renew, quantity, purchase, activation, conversion, schedule, billing_plan, deprovision, upgrade
             9 | //!       { applied = "suspend" },
               |                       ^^^^^^^^^
            scripts/a.rhai:10:59: error[manifest_type]: this is of type string; expected a selection, such as { status = "active" }
             10 | //!       { cron = "0 6 * * *", catch_up = "none", each = "active" },
                |                                                           ^^^^^^^^
            scripts/a.rhai:10:44: error[unknown_catch_up]: none is no way to catch up; expected one, all or skip; did you mean one?
             10 | //!       { cron = "0 6 * * *", catch_up = "none", each = "active" },
                |                                            ^^^^^^
            scripts/a.rhai:11:25: error[unknown_publication]: invoices is nothing that is published; expected invoice; did you mean invoice?
             11 | //!       { published = "invoices" },
                |                         ^^^^^^^^^^
            scripts/a.rhai:12:36: error[unknown_key]: a published trigger has no key types
             12 | //!       { published = "invoice", types = ["a"] }]
                |                                    ^^^^^
            scripts/a.rhai:2:5: error[misplaced_key]: decides means nothing in a script
             2 | //! decides = "renewals"
               |     ^^^^^^^"#]],
    );
    told(
        "scripts/a.rhai",
        "//! ---\n//! on = [\n//! ---\n",
        &expect![[r#"
        scripts/a.rhai:2:11: error[manifest_toml]: unclosed array, expected `]`
         2 | //! on = [
           |           ^"#]],
    );
    told(
        "scripts/a.rhai",
        "//! prose\n//! ---\n//! on = []\nfn run(event) {}\n",
        &expect![[r#"
        scripts/a.rhai:3:5: error[manifest_unclosed]: the manifest has a first `//! ---` line and no second
         3 | //! on = []
           |     ^"#]],
    );
    told(
        "scripts/a.rhai",
        "//! ---\n//! on = []\n//!on = []\n//! ---\n",
        &expect![[r#"
        scripts/a.rhai:3:4: error[manifest_toml]: duplicate key
         3 | //!on = []
           |    ^^"#]],
    );
    told(
        "lib/a.rhai",
        "//! ---\n//! grants = [\"*\"]\n//! ---\n",
        &expect![[r#"
        lib/a.rhai:2:5: error[misplaced_key]: grants means nothing in a lib file
         2 | //! grants = ["*"]
           |     ^^^^^^"#]],
    );
}

#[test]
fn the_kind_of_a_file_is_its_folder_and_its_name() {
    for (path, want) in [
        ("policies/a.rhai", Some(FileKind::Policy)),
        ("scripts/deep/a.rhai", Some(FileKind::Script)),
        ("lib/a.rhai", Some(FileKind::Lib)),
        ("policies/a_test.rhai", Some(FileKind::Test)),
        ("policies/a.toml", None),
        ("a.rhai", None),
        ("other/a.rhai", None),
    ] {
        assert_eq!(FileKind::of(path), want, "{path}");
    }
}

/// K-role: keys and links are for people.
#[test]
fn a_file_that_asks_to_read_keys_is_told_that_none_does() {
    for grant in ["keys.read", "keys.own"] {
        let text = format!("//! ---\n//! grants = [\"{grant}\"]\n//! ---\nfn run(event) {{ }}");
        let texts = vec![("scripts/a.rhai".to_owned(), text)];
        let kit = bursar::engine::api::kit();
        let findings = bursar::engine::library::Library::from_texts(texts, &Default::default(), &kit).unwrap_err();
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, ["grant_of_people"], "{findings:?}");
    }
}
