//! The policies and scripts that ship are found without fault by the checker, and decide what their head says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::path::Path;

use bursar::domain::Kind;
use bursar::engine::api;
use bursar::engine::library::{Library, Settings};

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
    assert_eq!(library.files.len(), 7);
}

#[test]
fn every_kind_with_a_shipped_policy_has_tests_beside_it() {
    let library = Library::from_texts(shipped(), &Settings::default(), &api::kit()).unwrap();
    for kind in [Kind::Renewal, Kind::Suspension, Kind::Reactivation, Kind::Cancellation, Kind::AutoRenew] {
        let deciders: Vec<&str> = library.deciders(kind).map(|file| file.path.as_str()).collect();
        assert_eq!(deciders.len(), 1, "{kind}: {deciders:?}");
        let test = deciders[0].replace(".rhai", "_test.rhai");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&test).exists(), "{test}");
    }
}
