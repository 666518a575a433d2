//! The promises of software: choices and states.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::{Choice, Delivered, Entitlement, KeyState, Options, Sheet};
use crate::domain::subscription::Status;
use crate::domain::{Principal, calendar};

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn some(word: &str) -> Option<String> {
    Some(word.to_owned())
}

fn options() -> Options {
    Options { versions: list(&["2019", "2022"]), languages: list(&["English"]), ..Options::default() }
}

#[test]
fn every_choice_the_product_has_is_made_and_no_other() {
    let asked = Choice { version: some("2022"), ..Choice::default() };
    let settled = options().settle(&asked).unwrap();
    // The one language there is need not be said.
    assert_eq!(settled, Choice { version: some("2022"), language: some("English"), ..Choice::default() });
    let cases = [
        (Choice::default(), "choice_needed", "2019, 2022"),
        (Choice { version: some("2016"), ..Choice::default() }, "choice_not_offered", "2019, 2022"),
        (
            Choice { version: some("2019"), bit: some("64"), ..Choice::default() },
            "choice_not_offered",
            "no choice of bit",
        ),
    ];
    for (asked, code, told) in cases {
        let refusal = options().settle(&asked).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.rule.as_deref()), (code, Some("K-sel")));
        assert!(refusal.message.contains(told), "{refusal}");
    }
    let said = Choice { version: some("2022"), language: some("ENGLISH"), ..Choice::default() };
    assert_eq!(options().settle(&said).unwrap(), settled);
    assert_eq!(Options::default().settle(&Choice::default()).unwrap(), Choice::default());
}

#[test]
fn what_is_recorded_for_some_options_covers_every_one_of_the_kinds_it_does_not_name() {
    let narrow = options().narrow(&Choice { version: some("2019"), ..Choice::default() }).unwrap();
    let chosen = |version: &str| options().settle(&Choice { version: some(version), ..Choice::default() }).unwrap();
    assert!(narrow.covers(&chosen("2019")) && !narrow.covers(&chosen("2022")));
    assert!(Choice::default().covers(&chosen("2022")));
    assert!(narrow.named() > Choice::default().named());
    assert_eq!(
        options().narrow(&Choice { bit: some("64"), ..Choice::default() }).unwrap_err().code,
        "choice_not_offered"
    );
}

#[test]
fn options_are_plain_words_each_once() {
    assert!(options().check().is_ok());
    for bad in [list(&["a", "A"]), list(&[""]), list(&["a\u{7}"]), vec!["x".repeat(129)], vec![String::new(); 300]] {
        let options = Options { bits: bad, ..Options::default() };
        assert_eq!(options.check().unwrap_err().code, "bad_option");
    }
}

#[test]
fn a_key_state_says_what_the_product_has_and_whether_the_purchase_stands() {
    let mut entitlement = Entitlement {
        subscription: "22222222-2222-2222-2222-222222222201".parse().unwrap(),
        generation: 1,
        delivered: vec![Delivered { choice: Choice::default(), key: true, link: false }],
        recorded_at: calendar::instant("2021-05-01T00:00:00Z").unwrap(),
        recorded_by: Principal::System,
        deep_link: None,
        revoked_at: None,
    };
    fn of(has_keys: bool, entitlement: Option<&Entitlement>, status: Status) -> &'static str {
        KeyState::of(has_keys, entitlement, status).as_str()
    }
    assert_eq!(of(true, None, Status::Active), "awaited");
    assert_eq!(of(true, Some(&entitlement), Status::Active), "available");
    assert_eq!(of(true, Some(&entitlement), Status::Expired), "available");
    assert_eq!(of(true, Some(&entitlement), Status::Deleted), "revoked");
    assert_eq!(of(false, None, Status::Active), "not_applicable");
    assert_eq!(of(false, None, Status::Deleted), "not_applicable");
    entitlement.revoked_at = Some(entitlement.recorded_at);
    assert_eq!(of(true, Some(&entitlement), Status::Active), "revoked");
}

#[test]
fn options_of_a_kind_that_is_not_asked_for_are_hidden() {
    let options = Options { bits: list(&["64"]), file_types: list(&["iso"]), ..options() };
    let asked = options.asked(&list(&["version", "language", "file_type", "operating_system"]));
    assert_eq!((asked.bits.len(), asked.file_types.len(), asked.versions.len()), (0, 1, 2));
    assert_eq!(options.asked(&[]), options);
    // What was recorded for a bit is still for whoever is not asked for one.
    let recorded = Choice { bit: some("64"), ..Choice::default() };
    assert!(recorded.covers(&asked.settle(&Choice { version: some("2019"), ..Choice::default() }).unwrap()));
}

#[test]
fn a_product_is_described_by_itself_or_by_what_it_is_a_sku_of() {
    assert_eq!(Sheet::ids("DG7:0003:ABC"), ["dg7:0003:abc", "dg7:0003", "dg7"]);
}
