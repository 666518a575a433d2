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
    check(&[("policies/a.rhai", &policy), ("policies/a_test.rhai", tests)], &expect![[r#""#]]);
}
