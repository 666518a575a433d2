//! The promises of KMS activations: deadlines, both edges, and the order of the move.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::{Activation, LASTS, MoveState, Progress, activated_at, check_names, steps};
use crate::domain::{Instant, Principal, Span, TenantId};

fn at(text: &str) -> Instant {
    activated_at(text).unwrap()
}

fn activation(activated: &str) -> Activation {
    Activation {
        customer: TenantId::default(),
        device: "SRV-01".to_owned(),
        product: "Windows Server 2019 Standard".to_owned(),
        activated_at: at(activated),
        lasts: LASTS,
        moved_at: None,
        moved_by: None,
        subscription: None,
    }
}

#[test]
fn a_device_has_180_days_and_the_last_moment_is_the_one_before_the_deadline() {
    // Activated, the first instant too late.
    let cases = [
        ("2021-05-01T00:00:00Z", "2021-10-28T00:00:00Z"),
        ("2021-05-01T09:30:00Z", "2021-10-28T09:30:00Z"),
        // Across a leap day, and across a year.
        ("2024-01-01T00:00:00Z", "2024-06-29T00:00:00Z"),
        ("2021-10-01T00:00:00Z", "2022-03-30T00:00:00Z"),
    ];
    for (activated, deadline) in cases {
        let one = activation(activated);
        assert_eq!(one.deadline(), at(deadline), "{activated}");
        assert_eq!(one.state(at(deadline) - chrono::TimeDelta::microseconds(1)), MoveState::Open);
        assert_eq!(one.state(at(deadline)), MoveState::Lapsed);
        assert_eq!(one.days_left(at(activated)), 180);
        assert_eq!(one.days_left(at(deadline) - chrono::TimeDelta::days(1)), 1);
        assert_eq!(one.days_left(at(deadline)), 0);
        assert_eq!(one.days_left(at(deadline) + chrono::TimeDelta::days(9)), 0);
    }
    let short = Activation { lasts: Span::days(30), ..activation("2021-05-01") };
    assert_eq!(short.deadline(), at("2021-05-31"));
}

#[test]
fn the_later_activation_counts_and_a_moved_device_that_kms_activates_again_is_open_again() {
    let first = activation("2021-05-01");
    assert_eq!(first.seen_again(&activation("2021-04-01")), first);
    assert_eq!(first.seen_again(&activation("2021-06-01")).deadline(), at("2021-11-28"));
    let moved =
        Activation { moved_at: Some(at("2021-07-01")), moved_by: Some(Principal::System), ..activation("2021-05-01") };
    assert_eq!(moved.state(at("2022-01-01")), MoveState::Moved);
    assert_eq!(moved.seen_again(&activation("2021-07-01")).state(at("2021-07-02")), MoveState::Moved);
    let again = moved.seen_again(&activation("2021-07-02"));
    assert_eq!((again.state(at("2021-07-03")), again.moved_by), (MoveState::Open, None));
}

#[test]
fn the_old_channel_is_switched_off_last() {
    let words: Vec<&str> = steps(&Progress::default()).iter().map(|step| step.step).collect();
    assert_eq!(words, ["buy", "record", "get_key", "install", "check", "retire"]);
    let done = |progress| steps(&progress).into_iter().map(|step| step.done).collect::<Vec<_>>();
    let nothing = [Some(false), Some(false), Some(false), Some(false), None, None];
    assert_eq!(done(Progress::default()), nothing);
    let half = Progress { purchases: 1, with_key: 1, devices: 2, moved: 1, ..Progress::default() };
    assert_eq!(done(half), [Some(true), Some(true), Some(true), Some(false), None, None]);
    assert_eq!(done(Progress { moved: 2, ..half })[3], Some(true));
    assert_eq!(done(Progress { unbought: 1, keyless: 1, ..half })[..3], [Some(false), Some(true), Some(false)]);
}

#[test]
fn a_day_is_its_first_instant() {
    assert_eq!(at("2021-05-01"), at("2021-05-01T00:00:00Z"));
    for bad in ["2021-05", "2021-02-30", "yesterday!", ""] {
        assert_eq!(activated_at(bad).unwrap_err().code, "bad_date");
    }
}

#[test]
fn names_are_plain() {
    assert!(check_names("SRV-01", "SQL Server").is_ok());
    for (device, product, code) in
        [("", "p", "bad_device"), (" ", "p", "bad_device"), ("d\n", "p", "bad_device"), ("d", "", "bad_product")]
    {
        assert_eq!(check_names(device, product).unwrap_err().code, code);
    }
    assert_eq!(check_names("d", &"p".repeat(256)).unwrap_err().code, "bad_product");
}
