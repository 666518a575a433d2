//! What a subscription becomes: whatever is asked in whatever order, statuses stay legal, money stays inside what was
//! charged, terms stay on their anchor day, and nothing panics. Seeds are printed; `PROPTEST_RNG_SEED` repeats one.

use std::hash::{BuildHasher, RandomState};

use bursar::domain::calendar::{anchored, instant};
use bursar::domain::change::{Amendments, Change, Reason};
use bursar::domain::ledger::ChargeType;
use bursar::domain::lifecycle::{
    Applied, Around, Due, Upgrading, apply, apply_among, charge_cycle, deletion_at, deny_renewal, dues, end_term,
    is_unchanged, pending, quote, quote_amended, renew, step,
};
use bursar::domain::subscription::{Attention, Renewal, Status, Subscription};
use bursar::domain::terms::Terms;
use bursar::domain::{Instant, Money, Span};
use chrono::{Datelike, NaiveDate, TimeDelta};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use rust_decimal::Decimal;

use crate::domain_terms::{profile, subscription};

/// Families with windows on every date.
const FAMILIES: [&str; 3] = ["software_subscription", "license_new", "saas_license"];
/// Every family there is.
const EVERY: [&str; 10] = bursar::partner_center::family::FAMILIES;

fn runner(cases: u32) -> TestRunner {
    let mut config = Config { cases, failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(RandomState::new().hash_one("a seed"));
    }
    eprintln!("PROPTEST_RNG_SEED={}", config.rng_seed);
    TestRunner::new(config)
}

fn at(text: &str) -> Instant {
    instant(text).unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn licence(terms: &Terms, bought: &str, term: Span, billing: &str, quantity: i64) -> Subscription {
    subscription(terms, profile("license_new", at(bought), Some(term), billing), quantity)
}

fn none() -> Amendments {
    Amendments::default()
}

#[test]
fn forty_eight_renewals_stay_on_the_anchor_day() {
    let terms = Terms::builtin().unwrap();
    for (year, month) in [(2021, 1), (2023, 1), (2024, 1), (2024, 2), (2020, 12), (2023, 8)] {
        for day in 1..=31 {
            let Some(start) = NaiveDate::from_ymd_opt(year, month, day) else { continue };
            let bought = start.and_hms_opt(16, 57, 3).unwrap().and_utc();
            let mut sub = subscription(&terms, profile("license_new", bought, Some(Span::months(1)), "monthly"), 1);
            for months in 1..=48 {
                let wanted = anchored(start, day, months).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
                let end = sub.standing.term_end.unwrap();
                assert_eq!(end, wanted, "bought {start}, end of term {months}");
                assert_eq!(
                    (sub.standing.cycle_start, sub.standing.cycle_end),
                    (Some(sub.standing.term_start), Some(end))
                );
                // However late it is processed, the new term starts where the old one ended.
                let late = end + TimeDelta::hours(i64::from(months % 30));
                sub = renew(&terms, &sub, &none(), Some(money("1 EUR")), late).unwrap().subscription;
                assert_eq!(sub.standing.term_start, end);
                assert_eq!(
                    sub.standing.window_end,
                    Span::hours(if end < at("2022-03-12T00:00:00Z") { 72 } else { 168 }).after(late)
                );
            }
            assert_eq!(sub.standing.generation, 49);
            assert_eq!(sub.profile.anchor_day, day);
        }
    }
}

#[test]
fn the_31st_of_january_comes_back_to_the_31st_of_march() {
    let terms = Terms::builtin().unwrap();
    let mut sub = licence(&terms, "2021-01-31T09:00:00Z", Span::months(1), "monthly", 1);
    let mut ends = Vec::new();
    for _ in 0..5 {
        let end = sub.standing.term_end.unwrap();
        ends.push(end.date_naive().to_string());
        sub = renew(&terms, &sub, &none(), Some(money("1 EUR")), end).unwrap().subscription;
    }
    assert_eq!(ends, ["2021-02-28", "2021-03-31", "2021-04-30", "2021-05-31", "2021-06-30"]);
    // 29 February: clipped in common years, back in the leap year.
    let mut sub = licence(&terms, "2020-02-29T09:00:00Z", Span::months(12), "annual", 1);
    let mut ends = Vec::new();
    for _ in 0..4 {
        let end = sub.standing.term_end.unwrap();
        ends.push(end.date_naive().to_string());
        sub = renew(&terms, &sub, &none(), Some(money("1 EUR")), end).unwrap().subscription;
    }
    assert_eq!(ends, ["2021-02-28", "2022-02-28", "2023-02-28", "2024-02-29"]);
}

#[test]
fn a_term_aligned_to_another_day_keeps_that_day() {
    let terms = Terms::builtin().unwrap();
    let mut sub = licence(&terms, "2022-07-15T09:00:00Z", Span::months(12), "annual", 1);
    sub.standing.term_end = Some(at("2023-07-01T00:00:00Z"));
    sub.standing.cycle_end = sub.standing.term_end;
    let sub = renew(&terms, &sub, &none(), Some(money("1 EUR")), at("2023-07-01T00:00:00Z")).unwrap().subscription;
    assert_eq!(sub.standing.term_end, Some(at("2024-07-01T00:00:00Z")));
    assert_eq!(sub.profile.anchor_day, 1);
}

#[test]
fn the_cycles_of_a_term_are_charged_once_each_and_add_up_to_its_price() {
    let terms = Terms::builtin().unwrap();
    let mut sub = licence(&terms, "2023-01-31T09:00:00Z", Span::months(12), "monthly", 7);
    let price = Some(money("100 EUR").times(Decimal::new(8333, 5)).unwrap()); // 8.333 a seat and month
    let (mut amounts, mut starts) = (Vec::new(), Vec::new());
    while let Some((_, due)) = dues(&terms, &sub).into_iter().find(|(due, _)| *due == Due::CycleEnd) {
        let early = charge_cycle(&terms, &sub, price, due - TimeDelta::microseconds(1)).unwrap_err();
        assert_eq!(early.code, "not_due");
        let made = charge_cycle(&terms, &sub, price, due).unwrap();
        assert_eq!(made.lines.len(), 1);
        assert_eq!((made.lines[0].kind, made.lines[0].period_start), (ChargeType::CycleCharge, due));
        amounts.push(made.lines[0].amount);
        starts.push(due.date_naive().format("%m-%d").to_string());
        sub = made.subscription;
    }
    assert_eq!(
        starts,
        ["02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30", "12-31"]
    );
    // The first cycle was charged 58.33 (8.333 x 7 cut) at the purchase; the term is 699.97 (8.333 x 7 x 12 cut).
    assert_eq!(amounts.iter().copied().sum::<Decimal>() + Decimal::new(5833, 2), Decimal::new(69997, 2));
    assert!(amounts[..10].iter().all(|amount| *amount == Decimal::new(5833, 2)), "{amounts:?}");
    assert_eq!(charge_cycle(&terms, &sub, price, at("2030-01-01T00:00:00Z")).unwrap_err().code, "not_due");
}

#[test]
fn a_renewal_is_approved_first_and_happens_at_the_terms_end_with_what_was_amended() {
    let terms = Terms::builtin().unwrap();
    let sub = licence(&terms, "2023-01-31T09:00:00Z", Span::months(1), "monthly", 3);
    let end = sub.standing.term_end.unwrap();
    let change = Change::Renewal { term_end: end, amendments: none() };
    let more = Amendments { quantity: Some(5), term_duration: Some(Span::months(12)), billing_cycle: None, ..none() };
    let made = apply(&terms, &sub, &change, &more, Some(money("10 EUR")), at("2023-02-01T00:00:00Z")).unwrap();
    assert_eq!((made.topic, made.lines.len()), ("subscription.renewal_scheduled", 0));
    let sub = made.subscription;
    assert_eq!((sub.standing.renewal, sub.standing.quantity, sub.standing.generation), (Renewal::Scheduled, 3, 2));
    assert_eq!(sub.profile.next_term, more);
    assert!(is_unchanged(&sub, &Change::Renewal { term_end: end, amendments: more.clone() }));
    let early = renew(&terms, &sub, &none(), Some(money("10 EUR")), end - TimeDelta::microseconds(1)).unwrap_err();
    assert_eq!(early.code, "not_due");
    assert_eq!(renew(&terms, &sub, &none(), None, end).unwrap_err().code, "price_unknown");
    let made = renew(&terms, &sub, &none(), Some(money("10 EUR")), end).unwrap();
    assert_eq!(made.topic, "subscription.renewed");
    assert_eq!((made.lines[0].kind, made.lines[0].amount), (ChargeType::Renew, Decimal::new(5000, 2)));
    assert_eq!((made.lines[0].period_start, made.lines[0].period_end), (end, at("2023-03-31T00:00:00Z")));
    let standing = &made.subscription.standing;
    assert_eq!((standing.quantity, standing.term_end), (5, Some(at("2024-02-29T00:00:00Z"))));
    assert_eq!(standing.renewal, Renewal::Open);
    assert!(made.subscription.profile.next_term.is_empty());
    let moved = Change::Renewal { term_end: end, amendments: none() };
    let answer = quote(&terms, &made.subscription, &moved, Some(money("10 EUR")), end);
    assert_eq!(answer.refusal.unwrap().code, "term_end_moved");
}

#[test]
fn a_denied_renewal_runs_out_then_is_disabled_then_deleted_on_the_documented_days() {
    let terms = Terms::builtin().unwrap();
    let sub = licence(&terms, "2021-04-01T09:00:00Z", Span::months(12), "annual", 1);
    let denied = deny_renewal(&sub, true).subscription;
    assert_eq!((denied.standing.renewal, denied.standing.auto_renew_enabled), (Renewal::Denied, false));
    let end = at("2022-04-01T00:00:00Z");
    assert_eq!(end_term(&terms, &denied, end - TimeDelta::microseconds(1)).unwrap_err().code, "not_due");
    let Applied { subscription: expired, topic, .. } = end_term(&terms, &denied, end + TimeDelta::hours(5)).unwrap();
    assert_eq!((expired.standing.status, topic), (Status::Expired, "subscription.expired"));
    let deleted_at = Some(at("2022-07-30T00:00:00Z"));
    assert_eq!(deletion_at(&terms, &expired), deleted_at);
    let disabled_at = at("2022-05-01T00:00:00Z");
    assert_eq!(dues(&terms, &expired), [(Due::NextStep, disabled_at), (Due::Deletion, at("2022-07-30T00:00:00Z"))]);
    assert_eq!(step(&terms, &expired, disabled_at - TimeDelta::microseconds(1)).unwrap_err().code, "not_due");
    let disabled = step(&terms, &expired, disabled_at).unwrap().subscription;
    assert_eq!((disabled.standing.status, deletion_at(&terms, &disabled)), (Status::Disabled, deleted_at));
    let deleted = step(&terms, &disabled, at("2022-07-30T00:00:00Z")).unwrap();
    assert_eq!((deleted.subscription.standing.status, deleted.topic), (Status::Deleted, "subscription.deleted"));
    assert_eq!(dues(&terms, &deleted.subscription), []);
    assert_eq!(step(&terms, &deleted.subscription, at("2030-01-01T00:00:00Z")).unwrap_err().code, "not_due");
}

/// Its billing cycles charged up to an instant, as the domain's timers do.
fn charged(terms: &Terms, mut sub: Subscription, price: Option<Money>, now: Instant) -> Subscription {
    while let Ok(applied) = charge_cycle(terms, &sub, price, now) {
        sub = applied.subscription;
    }
    sub
}

#[test]
fn suspended_at_the_terms_end_is_disabled_for_thirty_days_more() {
    let terms = Terms::builtin().unwrap();
    let sub = licence(&terms, "2021-04-01T09:00:00Z", Span::months(12), "monthly", 1);
    let change = Change::Suspension { reason: Reason::NonPayment };
    let sub = charged(&terms, sub, Some(money("10.08 EUR")), at("2021-06-15T00:00:00Z"));
    let sub = apply(&terms, &sub, &change, &none(), None, at("2021-06-15T00:00:00Z")).unwrap().subscription;
    assert!(dues(&terms, &sub).iter().any(|(due, _)| *due == Due::CycleEnd), "billing continues");
    assert_eq!((sub.standing.auto_renew_enabled, sub.profile.suspension_reason), (false, Some(Reason::NonPayment)));
    let made = end_term(&terms, &sub, at("2022-04-01T00:00:00Z")).unwrap();
    assert_eq!((made.subscription.standing.status, made.topic), (Status::Disabled, "subscription.disabled"));
    assert_eq!(deletion_at(&terms, &made.subscription), Some(at("2022-07-30T00:00:00Z")));
    let back = apply(&terms, &sub, &Change::Reactivation {}, &none(), None, at("2021-06-16T00:00:00Z")).unwrap();
    assert_eq!(back.subscription.standing.status, Status::Active);
    assert!(!back.subscription.standing.auto_renew_enabled, "reactivation leaves auto-renew off");
    assert_eq!(back.subscription.profile.suspension_reason, None);
}

#[test]
fn a_family_may_delete_suspended_data_by_its_own_count_of_days() {
    let own = "family = \"old\"\n[cancellation]\nrule = \"S-who\"\nreasons = []\nnone = \"W-none\"\n[suspension]\nrule = \"S-ret\"\nallowed = true\nreasons = [\"fraud\"]\ndelete_after = \"P90D\"\n";
    let terms = Terms::builtin().unwrap().with_rows(&[("terms/old.toml", own)]).unwrap();
    let sub = subscription(&terms, profile("old", at("2021-01-01T09:00:00Z"), Some(Span::months(12)), "monthly"), 1);
    let suspend = |reason| Change::Suspension { reason };
    let now = at("2021-04-05T17:00:00Z");
    let wrong = apply(&terms, &sub, &suspend(Reason::NonPayment), &none(), None, now).unwrap_err();
    assert_eq!((wrong.code.as_str(), wrong.rule.as_deref()), ("reason_required", Some("S-ret")));
    let sub = apply(&terms, &sub, &suspend(Reason::Fraud), &none(), None, now).unwrap().subscription;
    // The last day is 2021-07-04; reactivation is possible through it.
    let deletion = at("2021-07-05T00:00:00Z");
    assert_eq!(deletion_at(&terms, &sub), Some(deletion));
    assert!(!dues(&terms, &sub).iter().any(|(due, _)| *due == Due::CycleEnd), "billing stops");
    let back = |now| quote(&terms, &sub, &Change::Reactivation {}, Some(money("1 EUR")), now);
    assert!(back(deletion - TimeDelta::microseconds(1)).allowed);
    assert!(!back(deletion).allowed);
    assert_eq!(step(&terms, &sub, deletion).unwrap().subscription.standing.status, Status::Deleted);
}

#[test]
fn a_term_end_that_had_passed_at_import_waits_for_nothing() {
    let terms = Terms::builtin().unwrap();
    let mut sub = licence(&terms, "2021-04-01T09:00:00Z", Span::months(12), "monthly", 1);
    assert_eq!(
        dues(&terms, &sub),
        [
            (Due::TermEnd, at("2022-04-01T00:00:00Z")),
            (Due::CycleEnd, at("2021-05-01T00:00:00Z")),
            (Due::WindowEnd, at("2021-04-04T09:00:00Z"))
        ]
    );
    sub.standing.attention = Some(Attention::TermEndPassed);
    assert_eq!(dues(&terms, &sub), [(Due::WindowEnd, at("2021-04-04T09:00:00Z"))]);
    let change = Change::Renewal { term_end: at("2022-04-01T00:00:00Z"), amendments: none() };
    let answer = quote(&terms, &sub, &change, Some(money("1 EUR")), at("2022-05-01T00:00:00Z"));
    assert_eq!(answer.refusal.unwrap().code, "term_end_passed");
    let suspend = Change::Suspension { reason: Reason::NonPayment };
    let answer = quote(&terms, &sub, &suspend, Some(money("1 EUR")), at("2022-05-01T00:00:00Z"));
    assert_eq!(answer.refusal.unwrap().code, "term_end_passed", "nothing could reactivate it");
    let odd = subscription(&terms, profile("unknown", at("2021-04-01T09:00:00Z"), Some(Span::months(1)), "monthly"), 1);
    assert_eq!(dues(&terms, &odd), []);
}

#[test]
fn terms_missed_in_a_row_are_counted_until_one_is_in_time() {
    let terms = Terms::builtin().unwrap();
    let mut sub = licence(&terms, "2023-01-10T09:00:00Z", Span::months(1), "monthly", 1);
    let now = at("2023-04-15T00:00:00Z"); // ends of 02-10, 03-10 and 04-10 have passed
    let mut counts = Vec::new();
    while sub.standing.term_end.unwrap() <= now {
        sub = renew(&terms, &sub, &none(), Some(money("1 EUR")), now).unwrap().subscription;
        counts.push(sub.standing.late_terms);
    }
    assert_eq!(counts, [1, 2, 0]);
}

fn changes() -> impl Strategy<Value = (u8, i64, u32)> {
    // Mostly hours apart, so that windows are still open; sometimes weeks, so that terms end.
    (0..24_u8, -3..40_i64, prop_oneof![8 => 0..900_u32, 3 => 0..10_000_u32, 2 => 0..60_000_u32])
}

/// From here on a step is an upgrade.
const UPGRADE: u8 = 22;

/// One thing that somebody asks or that falls due.
fn act(
    terms: &Terms,
    sub: &Subscription,
    what: u8,
    number: i64,
    price: Option<Money>,
    now: Instant,
) -> Option<Applied> {
    let reason = Reason::ALL[number.rem_euclid(3) as usize];
    let amended =
        Amendments { quantity: Some(number), term_duration: None, billing_cycle: Some("annual".to_owned()), ..none() };
    let amendments = if number % 2 == 0 { none() } else { amended };
    let change = match what {
        0 => Change::Suspension { reason },
        1 => Change::Reactivation {},
        2 => Change::Cancellation { reason },
        3 => Change::AutoRenew { enabled: number % 2 == 0, cancel_at_term_end: None },
        4..=6 => Change::Quantity { quantity: number },
        7 => Change::Renewal { term_end: sub.standing.term_end.unwrap_or(now), amendments: amendments.clone() },
        8 => return end_term(terms, sub, now).ok(),
        9 => return step(terms, sub, now).ok(),
        10 => return charge_cycle(terms, sub, price, now).ok(),
        11 => return Some(deny_renewal(sub, number % 2 == 0)),
        12 => Change::Purchase {},
        13 => Change::Activation {},
        14 | 15 => Change::Conversion { to: amendments.clone() },
        16 => Change::Schedule { instructions: amendments.clone() },
        17 => Change::BillingPlan { billing_cycle: ["annual", "monthly"][number.rem_euclid(2) as usize].to_owned() },
        18 => Change::Deprovision {},
        UPGRADE.. => Change::Upgrade {
            offer_id: "CFQ7TTC0NEXT:0001:CFQ7TTC0NX01".to_owned(),
            quantity: (number % 2 == 0).then_some(number),
        },
        _ => return renew(terms, sub, &amendments, price, now).ok(),
    };
    // Every offer may become the next one, at the same price: what is charged for the new seats comes back for the old.
    let upgrading = Upgrading { targets: vec!["cfq7ttc0next".to_owned()], present: price };
    let around = Around { upgrading, ..Around::default() };
    let said = quote_amended(terms, sub, &change, &none(), price, &around, now);
    let made = apply_among(terms, sub, &change, &none(), price, &around, now);
    assert_eq!(said.refusal.is_none(), said.allowed, "a quote refuses or allows");
    assert!(made.is_ok() || !said.allowed, "what is quoted is done: {said:?} {made:?}");
    made.ok()
}

/// Whether a cancellation, and one seat fewer, would come too late now; where that has no sense, or an end that has
/// passed has to be processed first, nothing.
fn too_late(terms: &Terms, sub: &Subscription, price: Option<Money>, now: Instant) -> [Option<bool>; 2] {
    if sub.standing.status != Status::Active || sub.standing.quantity < 2 {
        return [None, None];
    }
    let cancel = Change::Cancellation { reason: Reason::CustomerRequest };
    let fewer = Change::Quantity { quantity: sub.standing.quantity - 1 };
    [cancel, fewer].map(|change| {
        let refusal = quote(terms, sub, &change, price, now).refusal;
        refusal.map_or(Some(false), |refusal| (refusal.code != "operation_pending").then_some(true))
    })
}

/// A subscription of a family as it stands when a story begins: in any status, a trial, or ordered and not bought yet.
fn begun(terms: &Terms, family: usize, bought: Instant, plan: usize, how: usize, quantity: i64) -> Subscription {
    let year = Span::months(12);
    let (term, billing) = [
        (Some(Span::months(1)), "monthly"),
        (Some(year), "monthly"),
        (Some(Span::months(36)), "annual"),
        (None, "one_time"),
    ][plan];
    let mut described = profile(EVERY[family], bought, term, billing);
    described.is_trial = how == 1;
    let mut sub = subscription(terms, described, quantity);
    match how {
        2 => sub.standing = pending(terms, &sub.profile, quantity, bought),
        3.. => sub.standing.status = Status::ALL[how - 3],
        _ => {}
    }
    sub
}

type Steps = Vec<(u8, i64, u32)>;

/// Everything that happens of these steps, checked and told.
fn lived(
    terms: &Terms,
    mut sub: Subscription,
    how: usize,
    price: Option<Money>,
    steps: &Steps,
) -> Result<String, TestCaseError> {
    let mut story = String::new();
    let mut now = sub.profile.purchased_at;
    // What the present cycle was charged, seat changes and credits included. Rounding may take a cent a line where the
    // price of a day is not rounded.
    let paid = price.filter(|_| how != 1 && how != 2);
    let mut cycle = paid.map_or(Decimal::ZERO, |price| price.amount * Decimal::from(sub.standing.quantity));
    // The term in which a cancellation, and one seat fewer, came too late.
    let mut closed = [None; 2];
    let slack = if sub.profile.family == "license_legacy" { Decimal::new(-5, 2) } else { Decimal::ZERO };
    for (what, number, minutes) in steps {
        now += TimeDelta::minutes(i64::from(*minutes));
        for (closed, late) in closed.iter_mut().zip(too_late(terms, &sub, price, now)) {
            let term = sub.standing.term_start;
            prop_assert!(late != Some(false) || *closed != Some(term), "a window opened again in the same term");
            *closed = if late == Some(true) { Some(term) } else { *closed };
        }
        let Some(made) = act(terms, &sub, *what, *number, price, now) else { continue };
        let (before, after) = (sub.standing.status, made.subscription.standing.status);
        prop_assert!(before == after || before.to(after).is_ok(), "{before:?} became {after:?}");
        prop_assert_eq!(made.subscription.standing.generation, sub.standing.generation + 1);
        prop_assert!(made.subscription.standing.quantity >= 1);
        // What billing had stopped for comes back into the cycle that holds by now.
        let moved = made.subscription.standing.cycle_start != sub.standing.cycle_start;
        // W60op gives back what the whole term was charged; its billing never stops.
        let by_term = sub.profile.family == "on_premises_software";
        if before == Status::Suspended && moved && !by_term {
            cycle = Decimal::ZERO;
        }
        for line in &made.lines {
            let term = match line.kind {
                ChargeType::Renew | ChargeType::New => true,
                ChargeType::Convert => *what < UPGRADE,
                _ => false,
            };
            let inside = matches!(line.kind, ChargeType::CycleCharge | ChargeType::ChangeBillingPlan);
            if term || (inside && !by_term) {
                cycle = Decimal::ZERO;
            }
            cycle += line.amount;
            prop_assert!(line.period_start <= line.period_end);
            prop_assert!(line.amount.scale() <= 2, "cut to the cent: {}", line.amount);
        }
        prop_assert!(cycle >= slack, "gave back more than was charged: {cycle}");
        // More seats have a window of their own; what is bought or converted begins anew.
        match what {
            4..=6 => closed[1] = None,
            12..=15 => closed = [None; 2],
            _ => {}
        }
        // Where whole cycles are charged anew, a change of seats is only noted: it has no window.
        let batches =
            made.subscription.profile.seat_batches.iter().filter(|batch| batch.added_at < batch.allowed_until);
        let batches: Vec<i64> = batches.map(|batch| batch.quantity).collect();
        prop_assert!(batches.iter().all(|seats| *seats > 0));
        prop_assert!(batches.iter().sum::<i64>() <= made.subscription.standing.quantity);
        for (_, due) in dues(terms, &made.subscription) {
            prop_assert!(due.year() < 2200);
        }
        sub = made.subscription;
        story.push_str(&format!("{sub:?} {:?}\n", made.lines));
    }
    Ok(story)
}

#[test]
fn any_sequence_of_changes_stays_legal_gives_back_no_more_than_was_charged_and_is_the_same_again() {
    let terms = Terms::builtin().unwrap();
    let steps = proptest::collection::vec(changes(), 1..40);
    let input = (0..EVERY.len(), 0..1_900_i64, 1..40_i64, (0..4_usize, 0..10_usize), 0..100_000_i64, steps);
    let mut moved = [0_u32; EVERY.len()];
    let counted = std::cell::RefCell::new(&mut moved);
    runner(10_000)
        .run(&input, |(family, day, quantity, (plan, how), cents, steps)| {
            let bought = at("2021-01-01T13:00:00Z") + TimeDelta::days(day);
            let price = (cents > 10).then(|| Money::new(Decimal::new(cents, 2), money("1 EUR").currency));
            let sub = begun(&terms, family, bought, plan, how, quantity);
            let first = lived(&terms, sub.clone(), how, price, &steps)?;
            prop_assert_eq!(&first, &lived(&terms, sub, how, price, &steps)?);
            counted.borrow_mut()[family] += u32::from(!first.is_empty());
            Ok(())
        })
        .unwrap();
    for (family, moved) in EVERY.iter().zip(moved) {
        assert!(moved > 20 || *family == "unknown", "{family}: hardly anything happened ({moved})");
    }
}

/// Legacy licences are suspended for a refund, come back for a charge and change their seats in between.
#[test]
fn no_sequence_of_suspensions_returns_and_seats_gives_back_more_than_was_charged() {
    let terms = Terms::builtin().unwrap();
    let steps = proptest::collection::vec((0..5_u8, 1..20_i64, 0..40_000_u32), 1..30);
    runner(1_000)
        .run(&(0..900_i64, 1..20_i64, 0..2_usize, 11..90_000_i64, steps), |(day, quantity, plan, cents, steps)| {
            let bought = at("2018-01-13T00:00:00Z") + TimeDelta::days(day);
            let price = Some(Money::new(Decimal::new(cents, 2), money("1 USD").currency));
            let billing = ["monthly", "annual"][plan];
            let legacy = profile("license_legacy", bought, Some(Span::months(12)), billing);
            let mut sub = subscription(&terms, legacy, quantity);
            let (mut now, mut owed) = (bought, Decimal::new(cents, 2) * Decimal::from(quantity));
            for (what, number, minutes) in steps {
                now += TimeDelta::minutes(i64::from(minutes));
                let change = match what {
                    0 => Change::Suspension { reason: Reason::NonPayment },
                    1 => Change::Reactivation {},
                    2 | 3 => Change::Quantity { quantity: number },
                    _ => {
                        let Ok(made) = charge_cycle(&terms, &sub, price, now) else { continue };
                        owed = made.lines.iter().map(|line| line.amount).sum();
                        sub = made.subscription;
                        continue;
                    }
                };
                // Nothing is asked of a cycle that is over and not charged anew yet.
                if sub.standing.status == Status::Active && sub.standing.cycle_end.is_some_and(|end| end <= now) {
                    continue;
                }
                let Ok(made) = apply(&terms, &sub, &change, &none(), price, now) else { continue };
                if made.subscription.standing.cycle_start != sub.standing.cycle_start {
                    owed = Decimal::ZERO;
                }
                owed += made.lines.iter().map(|line| line.amount).sum::<Decimal>();
                // A cent a line is what rounding may take.
                prop_assert!(owed >= Decimal::new(-5, 2), "gave back more than was charged: {owed}");
                sub = made.subscription;
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_last_instant_of_a_window_and_the_first_late_one_differ() {
    let terms = Terms::builtin().unwrap();
    let input = (0..3_usize, 0..1_900_i64, 0..86_400_000_000_i64, 0..3_usize, 1..100_i64);
    runner(2_000)
        .run(&input, |(family, day, micros, plan, quantity)| {
            let (term, billing) =
                [(Span::months(1), "monthly"), (Span::months(12), "annual"), (Span::months(12), "monthly")][plan];
            let bought = at("2020-06-01T00:00:00Z") + TimeDelta::days(day) + TimeDelta::microseconds(micros);
            let sub = subscription(&terms, profile(FAMILIES[family], bought, Some(term), billing), quantity);
            let change = Change::Cancellation { reason: Reason::CustomerRequest };
            let price = Some(money("10.08 EUR"));
            let until = quote(&terms, &sub, &change, price, bought).allowed_until.unwrap();
            prop_assert_eq!(Some(until), sub.standing.window_end);
            // Behind the term's end there is nothing to cancel.
            prop_assume!(sub.standing.term_end.is_some_and(|end| until < end));
            let last = until - TimeDelta::microseconds(1);
            let last = quote(&terms, &charged(&terms, sub.clone(), price, last), &change, price, last);
            let late = quote(&terms, &charged(&terms, sub, price, until), &change, price, until);
            prop_assert!(last.allowed && !late.allowed);
            prop_assert_eq!((last.allowed_until, late.allowed_until), (Some(until), Some(until)));
            prop_assert_eq!(&last.rule, &late.rule);
            prop_assert_eq!(late.refund, None);
            prop_assert_eq!(late.refusal.unwrap().code, "window_closed");
            Ok(())
        })
        .unwrap();
}

/// A licence without a term comes in by import only: billed once, and no cycle tells what its seats cost.
#[test]
fn seats_of_what_is_billed_once_are_charged_whole_and_given_back_whole() {
    let terms = Terms::builtin().unwrap();
    let price = Some(money("0.11 EUR"));
    let bought = at("2023-05-01T09:00:00Z");
    let sub = subscription(&terms, profile("license_new", bought, None, "one_time"), 1);
    let seats = |sub: &Subscription, quantity: i64| {
        let change = Change::Quantity { quantity };
        let now = bought + TimeDelta::hours(1);
        let told = quote(&terms, sub, &change, price, now);
        let made = apply(&terms, sub, &change, &none(), price, now).unwrap();
        let sum: Decimal = made.lines.iter().map(|line| line.amount).sum();
        (made.subscription, sum, told)
    };
    let (three, charged, told) = seats(&sub, 3);
    assert_eq!((charged, told.charge), (Decimal::new(22, 2), price.map(|price| price.times(Decimal::TWO).unwrap())));
    let (two, given, told) = seats(&three, 2);
    assert_eq!((given, told.refund), (Decimal::new(-11, 2), price));
    let cancel = Change::Cancellation { reason: Reason::CustomerRequest };
    let told = quote(&terms, &two, &cancel, price, bought + TimeDelta::hours(2));
    assert_eq!(told.refund, price.map(|price| price.times(Decimal::TWO).unwrap()));
}

#[test]
fn a_refund_is_never_rounded_above_what_the_cycle_cost() {
    let own = "family = \"license_new\"\n[rounding]\nhalf_up = [\"cancelImmediate\"]\n[[window]]\nrule = \"N7\"\nfrom = 2022-03-12\nlength = \"PT168H\"\nend = \"exact\"\nrefund = \"prorated\"\n";
    let terms = Terms::builtin().unwrap().with_rows(&[("terms/own.toml", own)]).unwrap();
    let sub = licence(&terms, "2023-01-01T00:00:00Z", Span::months(1), "monthly", 1);
    // 10.006 is charged as 10.00 and would come back as 10.01.
    let price = money("10 EUR").plus(Money::new(Decimal::new(6, 3), money("1 EUR").currency)).unwrap();
    let change = Change::Cancellation { reason: Reason::Fraud };
    let answer = quote(&terms, &sub, &change, Some(price), at("2023-01-01T00:00:00Z"));
    assert_eq!(answer.refund.map(|refund| refund.to_string()).as_deref(), Some("10.00 EUR"));
}

#[test]
fn what_a_person_has_to_look_at_first_waits_and_goes_on_once_they_said_yes() {
    let terms = Terms::builtin().unwrap();
    let mut sub = licence(&terms, "2023-01-10T09:00:00Z", Span::months(1), "monthly", 1);
    let end = at("2023-02-10T00:00:00Z");
    let change = Change::Renewal { term_end: end, amendments: none() };
    for attention in [Attention::PriceUnknown, Attention::TermsMissed] {
        sub.standing.attention = Some(attention);
        sub.standing.late_terms = 12;
        assert!(!dues(&terms, &sub).contains(&(Due::TermEnd, end)), "{attention:?}");
        let made = apply(&terms, &sub, &change, &none(), Some(money("1 EUR")), at("2023-03-01T00:00:00Z")).unwrap();
        assert_eq!((made.subscription.standing.attention, made.subscription.standing.late_terms), (None, 0));
        assert!(dues(&terms, &made.subscription).contains(&(Due::TermEnd, end)), "{attention:?}");
    }
    sub.standing.attention = Some(Attention::ActivationPending);
    assert!(dues(&terms, &sub).contains(&(Due::TermEnd, end)));
}

#[test]
fn a_first_term_that_starts_days_after_the_order_goes_by_the_order() {
    let terms = Terms::builtin().unwrap();
    let bought = at("2023-12-29T01:00:00Z");
    let mut sub = subscription(&terms, profile("saas_license", bought, Some(Span::months(1)), "monthly"), 1);
    sub.standing.term_start = at("2024-01-03T00:21:45Z"); // the publisher activated it; ISV72 is in force by now
    let change = Change::Cancellation { reason: Reason::CustomerRequest };
    let asked = |now: &str| quote(&terms, &sub, &change, Some(money("50 USD")), at(now));
    assert_eq!(asked("2023-12-30T00:59:59Z").rule, "ISVm");
    assert_eq!(asked("2023-12-30T01:00:00Z").allowed_until, Some(at("2023-12-30T01:00:00Z")));
    assert!(!asked("2023-12-30T01:00:00Z").allowed);
}

#[test]
fn a_told_window_opens_nothing_where_the_terms_have_none() {
    let terms = Terms::builtin().unwrap();
    let change = Change::Cancellation { reason: Reason::CustomerRequest };
    let told = |family: &str, billing: &str| {
        let mut sub =
            subscription(&terms, profile(family, at("2022-08-01T00:00:00Z"), Some(Span::months(36)), billing), 1);
        sub.standing.window_end = Some(at("2022-09-01T00:00:00Z"));
        quote(&terms, &sub, &change, Some(money("10 EUR")), at("2022-08-20T00:00:00Z"))
    };
    assert_eq!(told("linux_plan", "annual").rule, "XSUSE");
    // Where the family has windows, the told date wins over the counted one.
    let later = told("software_subscription", "annual");
    assert_eq!(
        (later.allowed, later.rule.as_str(), later.allowed_until),
        (true, "W7s", Some(at("2022-09-01T00:00:00Z")))
    );
    assert_eq!(told("saas_license", "triennial").rule, "W-imported");
}

#[test]
fn a_plain_renewal_leaves_the_describing_part_alone() {
    let terms = Terms::builtin().unwrap();
    let sub = licence(&terms, "2023-01-31T09:00:00Z", Span::months(1), "monthly", 3);
    let now = at("2023-02-28T00:00:00Z");
    let first = renew(&terms, &sub, &none(), Some(money("10 EUR")), now).unwrap().subscription;
    assert_eq!(first.profile.unit_price, Some(money("10 EUR")), "what the term was begun at");
    let again = renew(&terms, &first, &none(), Some(money("10 EUR")), at("2023-03-31T00:00:00Z")).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first.profile, &again.subscription.profile));
}
