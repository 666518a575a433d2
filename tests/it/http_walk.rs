//! The walk: every request that Partner Center documents is sent to a store in the state its page describes, and every
//! field of the documented answer has to be there, with its name, its type and, where it follows from the state, its value.
//!
//! `tests/walk/cases.toml` says for each documented request which state it needs, what is sent and what is expected;
//! `tests/walk/documents` has bodies of our own in the shape of the documented ones, under the names of the pages they
//! stand for; `tests/walk/left.toml` lists what we do not answer, each with its reason. That list may only shrink: an
//! entry that is not needed any more fails the walk. What is refused is walked too, with Partner Center's code beside ours.
//!
//! With a folder of the real documents (`api/*.json` and `webhooks/*.json`) the same walk runs on those and prints a table:
//! `BURSAR_PARTNER_CENTER=FOLDER cargo test --test it http_walk::the_real -- --ignored --nocapture`.

mod case;
mod compare;
mod documents;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use case::Case;
use compare::{Difference, Kind};
use documents::Documents;
use world::Walked;

/// Fields and documents that are not answered, and why.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    #[serde(default)]
    document: Vec<LeftDocument>,
    #[serde(default)]
    field: Vec<LeftField>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct LeftDocument {
    names: Vec<String>,
    reason: String,
}

/// A field at a place of a document; `*` stands for every place of a list.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct LeftField {
    documents: Vec<String>,
    at: String,
    reason: String,
}

/// What is left today. Whoever adds to it argues it in `left.toml`; whoever takes from it lowers these.
const LEFT_DOCUMENTS_MAX: usize = 11;
const LEFT_FIELDS_MAX: usize = 9;

fn walk_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/walk")
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(walk_folder().join("cases.toml")).unwrap();
    let read: case::File = toml::from_str(&text).unwrap_or_else(|error| panic!("cases.toml: {error}"));
    read.case
}

fn left() -> Left {
    let text = std::fs::read_to_string(walk_folder().join("left.toml")).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("left.toml: {error}"))
}

/// One case walked: what differs, without what is left on purpose.
struct Outcome {
    name: String,
    answer: Option<String>,
    said: Walked,
    differences: Vec<Difference>,
    left: BTreeSet<usize>,
}

async fn check(case: &Case, documents: &Documents, left: &Left) -> Outcome {
    let said = world::walk(case, documents).await;
    let mut outcome = Outcome {
        name: case.name.clone(),
        answer: case.answer.clone(),
        said,
        differences: Vec::new(),
        left: BTreeSet::new(),
    };
    let Some(name) = &case.answer else { return outcome };
    let wanted = documents.answer(name, case);
    let found = compare::differences(&wanted, &outcome.said.body);
    for difference in found {
        let free = difference.kind == Kind::Value && case.free.iter().any(|free| compare::is_at(free, &difference.at));
        let meant = |field: &LeftField| field.documents.contains(name) && compare::is_at(&field.at, &difference.at);
        match left.field.iter().position(meant) {
            Some(place) => {
                outcome.left.insert(place);
            }
            None if free => {}
            None => outcome.differences.push(difference),
        }
    }
    outcome
}

fn told(outcome: &Outcome) -> String {
    let mut text = format!("{}: {}\n", outcome.name, outcome.said.line);
    for difference in &outcome.differences {
        let _ = writeln!(text, "    {difference}");
    }
    text
}

#[tokio::test]
async fn every_documented_field_is_answered() {
    let (documents, left) = (Documents::of(&[walk_folder().join("documents")]), left());
    let mut used = BTreeSet::new();
    let mut wrong = String::new();
    for case in cases() {
        let outcome = check(&case, &documents, &left).await;
        used.extend(outcome.left.iter().copied());
        let says = |name: &str| outcome.said.body.get(name).cloned();
        let refused = (says("code"), says("partnerCenterCode"));
        let meant = (case.code.clone().map(Into::into), case.theirs.map(Into::into));
        let is_refusal = case.code.is_none() || refused == meant;
        if outcome.said.status != case.status || !is_refusal || !outcome.differences.is_empty() {
            let _ = write!(wrong, "{} (wanted {})", told(&outcome), case.status);
            let _ = writeln!(wrong, "    {}", outcome.said.body);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let needless: Vec<_> =
        (0..left.field.len()).filter(|place| !used.contains(place)).map(|at| &left.field[at]).collect();
    assert!(needless.is_empty(), "what is answered by now is not left any more: {needless:#?}");
}

#[test]
fn every_document_has_its_case_or_its_reason() {
    let (documents, left) = (Documents::of(&[walk_folder().join("documents")]), left());
    let cases = cases();
    let mut meant: BTreeSet<String> = cases.iter().flat_map(|case| case.documents()).collect();
    let own: BTreeSet<String> = documents.names().map(str::to_owned).collect();
    assert_eq!(meant, own, "every document of our own is used by a case, and every case has its documents");
    let names: Vec<&String> = left.document.iter().flat_map(|left| &left.names).collect();
    assert!(names.len() <= LEFT_DOCUMENTS_MAX, "what is left may only shrink");
    assert!(left.field.len() <= LEFT_FIELDS_MAX, "what is left may only shrink");
    for name in names {
        assert!(meant.insert(name.clone()), "{name} is both walked and left");
    }
    let reasons = left.document.iter().map(|one| &one.reason).chain(left.field.iter().map(|one| &one.reason));
    assert!(reasons.into_iter().all(|reason| reason.len() > 20), "a reason is a sentence");
    let unknown: Vec<_> =
        left.field.iter().flat_map(|field| &field.documents).filter(|name| !meant.contains(*name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let mut by_name = BTreeMap::new();
    for case in &cases {
        assert!(by_name.insert(&case.name, ()).is_none(), "there are two cases called {}", case.name);
    }
}

#[test]
fn a_field_that_goes_missing_is_noticed() {
    let wanted = serde_json::json!({ "Id": "x", "items": [{ "id": "A", "quantity": 1, "at": "2027-01-01T00:00:00" }] });
    let good = serde_json::json!({ "id": "x", "items": [{ "id": "b" }, { "id": "a", "quantity": 1.0, "at": "2027-01-01T00:00:00Z", "more": 1 }] });
    assert_eq!(compare::differences(&wanted, &good), []);
    let told = |body: serde_json::Value| {
        compare::differences(&wanted, &body).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(told(serde_json::json!({ "items": [] })), "missing: /id; missing: /items/0");
    let other = serde_json::json!({ "id": 1, "items": [{ "id": "a", "quantity": 2, "at": "2027-01-02T00:00:00Z" }] });
    assert_eq!(
        told(other),
        "type: /id is a number, not a text; value: /items/0/at is \"2027-01-02T00:00:00Z\", not \"2027-01-01T00:00:00\"; value: /items/0/quantity is 2, not 1"
    );
}

#[tokio::test]
#[ignore = "needs the real documents: BURSAR_PARTNER_CENTER=FOLDER"]
#[expect(clippy::disallowed_methods, reason = "whoever runs it says where the documents are")]
async fn the_real_documents() {
    let folder = PathBuf::from(std::env::var("BURSAR_PARTNER_CENTER").expect("BURSAR_PARTNER_CENTER names a folder"));
    let (documents, left) = (Documents::of(&[folder.join("api"), folder.join("webhooks")]), left());
    let mut walked = BTreeSet::new();
    let mut lost = 0;
    for case in cases() {
        let outcome = check(&case, &documents, &left).await;
        walked.extend(case.documents());
        let hard = outcome.differences.iter().filter(|one| one.kind != Kind::Value).count();
        let is_bad = hard > 0 || outcome.said.status != case.status;
        lost += usize::from(is_bad);
        let mark = if is_bad { "DIFFERS" } else { "ok" };
        let values = outcome.differences.len() - hard;
        println!(
            "{mark:8} {} [{}] left {} values {values}",
            case.name,
            outcome.answer.clone().unwrap_or_default(),
            outcome.left.len()
        );
        print!("         {}", told(&outcome));
        if outcome.said.status != case.status {
            println!("    wanted {}: {}", case.status, outcome.said.body);
        }
    }
    walked.extend(left.document.iter().flat_map(|left| left.names.clone()));
    let forgotten: Vec<&str> = documents.names().filter(|name| !walked.contains(*name)).collect();
    assert!(forgotten.is_empty(), "no case walks {forgotten:?}");
    assert_eq!(lost, 0, "documented requests are not answered as documented");
}
