//! The rules that need more than one subscription, or time: aligned ends, add-ons, retention, trials, billing plans, and
//! what wipes the instructions for a next term. Each edge from both sides.

use bursar::domain::change::{Amendments, Change, Reason};
use bursar::domain::ledger::ChargeType;
use bursar::domain::lifecycle::{
    Applied, Around, Due, apply, apply_among, charge_cycle, deletion_at, dues, end_term, lapse, pending, quote,
    quote_amended, refundable_quantity, refundable_seats, renew, step,
};
use bursar::domain::subscription::{Attention, Status, Subscription};
use bursar::domain::terms::Terms;
use bursar::domain::{Instant, Money, Span, calendar::instant};
use chrono::TimeDelta;
use std::sync::Arc;

use crate::domain_terms::{profile, subscription};

fn at(text: &str) -> Instant {
    instant(text).unwrap()
}

fn money(text: &str) -> Option<Money> {
    Some(text.parse().unwrap())
}

fn none() -> Amendments {
    Amendments::default()
}

fn sold(terms: &Terms, family: &str, bought: &str, term: &str, billing: &str, quantity: i64) -> Subscription {
    subscription(terms, profile(family, at(bought), Some(term.parse::<Span>().unwrap()), billing), quantity)
}

fn ordered(terms: &Terms, mut sub: Subscription, number: u8) -> Subscription {
    sub.id = crate::world::sub_id(number);
    sub.standing = pending(terms, &sub.profile, sub.standing.quantity, sub.profile.purchased_at);
    sub
}

fn edit(sub: &mut Subscription, change: impl FnOnce(&mut bursar::domain::subscription::Profile)) {
    change(Arc::make_mut(&mut sub.profile));
}

fn lines(made: &Applied) -> Vec<String> {
    made.lines.iter().map(|line| format!("{} {} {}", line.kind.as_str(), line.quantity, line.amount)).collect()
}

#[test]
fn a_first_term_ends_with_another_subscription_of_the_customer_or_with_an_anniversary_of_its_end() {
    let terms = Terms::builtin().unwrap();
    let year = sold(&terms, "license_new", "2021-10-02T09:00:00Z", "P1Y", "annual", 1);
    let three = sold(&terms, "license_new", "2019-10-02T09:00:00Z", "P3Y", "annual", 1);
    let month = sold(&terms, "license_new", "2022-06-18T09:00:00Z", "P1M", "monthly", 1);
    let mut trial = year.clone();
    edit(&mut trial, |profile| profile.is_trial = true);
    let now = at("2022-07-01T09:00:00Z");
    let bought = |term: &str, billing: &str, last: &str, other: &Subscription| {
        let mut sub = ordered(&terms, sold(&terms, "license_new", "2022-07-01T09:00:00Z", term, billing, 1), 7);
        edit(&mut sub, |profile| profile.custom_term_end_date = Some(last.parse().unwrap()));
        let around = Around { others: vec![other.clone()], ..Around::default() };
        apply_among(&terms, &sub, &Change::Purchase {}, &none(), money("365 EUR"), &around, now)
            .map(|made| (made.subscription.standing.term_end.unwrap(), lines(&made).join(" ")))
            .map_err(|refusal| (refusal.code, refusal.partner_center_code.unwrap_or_default()))
    };
    // 93 days of 365, as documented.
    assert_eq!(bought("P1Y", "annual", "2022-10-01", &year), Ok((at("2022-10-02T00:00:00Z"), "new 1 93.00".into())));
    assert_eq!(bought("P3Y", "annual", "2024-10-01", &year).unwrap().0, at("2024-10-02T00:00:00Z"), "27 months");
    assert_eq!(
        bought("P3Y", "annual", "2022-10-01", &year).unwrap().0,
        at("2024-10-02T00:00:00Z"),
        "three years with one year: its end in the third year"
    );
    assert_eq!(bought("P3Y", "annual", "2022-10-01", &three).unwrap().0, at("2022-10-02T00:00:00Z"));
    let no_such = Err(("coterm_no_such_date".to_owned(), 900_245));
    assert_eq!(bought("P1Y", "annual", "2022-10-02", &year), no_such, "a day late");
    assert_eq!(bought("P1Y", "annual", "2022-09-30", &trial).unwrap().0, at("2022-10-01T00:00:00Z"), "a month's end");
    assert_eq!(bought("P1Y", "annual", "2022-10-01", &trial), no_such, "not with a trial");
    assert_eq!(bought("P1Y", "annual", "2022-07-17", &month), no_such, "a year not with a month");
    assert_eq!(bought("P1M", "monthly", "2022-07-17", &month).unwrap().0, at("2022-07-18T00:00:00Z"));
    let late = sold(&terms, "license_new", "2022-06-29T09:00:00Z", "P1M", "monthly", 1);
    assert_eq!(bought("P1M", "monthly", "2022-07-28", &late), no_such, "a month not with the 28th of a longer one");
    assert_eq!(bought("P1Y", "annual", "2023-07-31", &year), Err(("coterm_too_long".to_owned(), 900_242)));
}

#[test]
fn an_aligned_term_is_followed_by_a_whole_one_from_its_own_day() {
    let terms = Terms::builtin().unwrap();
    let mut sub = ordered(&terms, sold(&terms, "license_new", "2022-07-15T09:00:00Z", "P1Y", "monthly", 1), 7);
    edit(&mut sub, |profile| profile.custom_term_end_date = Some("2022-08-31".parse().unwrap()));
    let price = money("31 EUR");
    let made = apply(&terms, &sub, &Change::Purchase {}, &none(), price, at("2022-07-15T09:00:00Z")).unwrap();
    assert_eq!(lines(&made), ["new 1 31.00"]);
    // The second cycle would run to 14 September: 17 of its 31 days are inside the term.
    let second = charge_cycle(&terms, &made.subscription, price, at("2022-08-15T00:00:00Z")).unwrap();
    assert_eq!(lines(&second), ["cycleCharge 1 17.00"]);
    let next = renew(&terms, &second.subscription, &none(), price, at("2022-09-01T00:00:00Z")).unwrap();
    assert_eq!(next.subscription.standing.term_end, Some(at("2023-09-01T00:00:00Z")));
    assert_eq!(
        (next.subscription.profile.custom_term_end_date, lines(&next)),
        (None, vec!["renew 1 31.00".to_owned()])
    );
}

#[test]
fn a_legacy_add_on_needs_an_active_base_takes_its_dates_and_does_not_return_before_it() {
    let terms = Terms::builtin().unwrap();
    let base = sold(&terms, "license_legacy", "2020-08-10T09:00:00Z", "P1Y", "monthly", 5);
    let mut add_on = ordered(&terms, sold(&terms, "license_legacy", "2020-08-25T15:00:00Z", "P1Y", "monthly", 5), 7);
    edit(&mut add_on, |profile| profile.parent_subscription_id = Some(base.id));
    let now = at("2020-08-25T15:00:00Z");
    let buy = |base: Option<Subscription>| {
        let around = Around { base, ..Around::default() };
        apply_among(&terms, &add_on, &Change::Purchase {}, &none(), money("31 USD"), &around, now)
    };
    let made = buy(Some(base.clone())).unwrap();
    let (one, other) = (made.subscription.standing, base.standing);
    assert_eq!((one.term_start, one.term_end, one.cycle_end), (other.term_start, other.term_end, other.cycle_end));
    // 16 of the 31 days from the 10th to the 9th are left.
    assert_eq!((lines(&made), made.lines[0].rule.as_str()), (vec!["new 5 80.00".to_owned()], "A-align"));
    assert_eq!(made.lines[0].period_start, now);
    let mut off = base.clone();
    off.standing.status = Status::Suspended;
    for absent in [None, Some(off.clone())] {
        let refusal = buy(absent).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.partner_center_code), ("base_required", Some(400_041)));
    }
    let mut child = made.subscription;
    child.standing.status = Status::Suspended;
    let back = |base: &Subscription| {
        let around = Around { base: Some(base.clone()), ..Around::default() };
        quote_amended(&terms, &child, &Change::Reactivation {}, &none(), money("31 USD"), &around, now)
    };
    let refusal = back(&off).refusal.unwrap();
    assert_eq!((refusal.code.as_str(), refusal.partner_center_code), ("base_not_active", Some(27_009)));
    assert!(back(&base).allowed);
    // New commerce: an add-on is a subscription like any other.
    let own = ordered(&terms, sold(&terms, "license_new", "2022-08-25T15:00:00Z", "P1Y", "monthly", 5), 7);
    assert!(quote(&terms, &own, &Change::Purchase {}, money("1 USD"), at("2022-08-25T15:00:00Z")).allowed);
}

#[test]
fn suspended_legacy_data_stays_ninety_days_and_those_before_the_first_bill_a_hundred_and_twenty_at_most() {
    let terms = Terms::builtin().unwrap();
    let sub = sold(&terms, "license_legacy", "2021-03-05T00:00:00Z", "P1Y", "monthly", 1);
    let now = at("2021-04-05T17:00:00Z");
    let suspended = |opening_days: i64| {
        let around = Around { opening_days, ..Around::default() };
        let change = Change::Suspension { reason: Reason::NonPayment };
        apply_among(&terms, &sub, &change, &none(), money("4 USD"), &around, now).unwrap().subscription
    };
    for (days, deleted) in [
        (0, "2021-07-05T00:00:00Z"),
        (23, "2021-07-28T00:00:00Z"), // the 27th is the last day
        (30, "2021-08-04T00:00:00Z"),
        (31, "2021-08-04T00:00:00Z"),
        (-4, "2021-07-05T00:00:00Z"),
    ] {
        assert_eq!(deletion_at(&terms, &suspended(days)), Some(at(deleted)), "{days}");
    }
    let off = suspended(23);
    let back = |now: Instant| quote(&terms, &off, &Change::Reactivation {}, money("4 USD"), now).allowed;
    assert!(back(at("2021-07-27T23:59:59.999999Z")) && !back(at("2021-07-28T00:00:00Z")));
    assert!(step(&terms, &off, at("2021-07-27T23:59:59.999999Z")).is_err());
    assert_eq!(step(&terms, &off, at("2021-07-28T00:00:00Z")).unwrap().subscription.standing.status, Status::Deleted);
}

#[test]
fn a_legacy_suspension_stops_billing_outlasts_the_term_and_comes_back_into_the_present_one() {
    let terms = Terms::builtin().unwrap();
    let mut sub = sold(&terms, "license_legacy", "2018-01-13T00:00:00Z", "P1Y", "monthly", 1);
    let price = money("4 USD");
    sub = charge_cycle(&terms, &sub, price, at("2018-02-13T00:00:00Z")).unwrap().subscription;
    // P8: 12 of 28 days of 4 dollars, to the nearest cent.
    let change = Change::Suspension { reason: Reason::CustomerRequest };
    let made = apply(&terms, &sub, &change, &none(), price, at("2018-03-01T08:00:00Z")).unwrap();
    assert_eq!(lines(&made), ["cancelImmediate 1 -1.71"]);
    assert!(made.subscription.standing.auto_renew_enabled, "nobody can switch it off");
    assert!(!dues(&terms, &made.subscription).iter().any(|(due, _)| matches!(due, Due::CycleEnd | Due::TermEnd)));
    assert!(charge_cycle(&terms, &made.subscription, price, at("2018-03-13T00:00:00Z")).is_err());
    let back = apply(&terms, &made.subscription, &Change::Reactivation {}, &none(), price, at("2018-04-02T08:00:00Z"));
    let back = back.unwrap();
    // 13 March to 12 April is charged from the 2nd: 11 of 31 days.
    assert_eq!(lines(&back), ["cycleCharge 1 1.42"]);
    assert_eq!(back.subscription.standing.cycle_end, Some(at("2018-04-13T00:00:00Z")));
    let late = sold(&terms, "license_legacy", "2017-06-01T00:00:00Z", "P1Y", "annual", 1);
    let off = apply(&terms, &late, &change, &none(), money("365 USD"), at("2018-05-20T08:00:00Z")).unwrap();
    let back = apply(
        &terms,
        &off.subscription,
        &Change::Reactivation {},
        &none(),
        money("365 USD"),
        at("2018-06-11T00:00:00Z"),
    );
    let back = back.unwrap();
    assert_eq!(back.subscription.standing.term_start, at("2018-06-01T00:00:00Z"), "a term went by");
    assert_eq!(lines(&back), ["cycleCharge 1 355.00"]);
}

#[test]
fn a_legacy_term_that_is_not_renewed_is_suspended_and_never_expired() {
    let terms = Terms::builtin().unwrap();
    let sub = sold(&terms, "license_legacy", "2018-01-13T00:00:00Z", "P1Y", "monthly", 1);
    let ended = end_term(&terms, &sub, at("2019-01-13T00:00:00Z")).unwrap().subscription;
    assert_eq!(ended.standing.status, Status::Suspended);
    assert_eq!(deletion_at(&terms, &ended), Some(at("2019-04-14T00:00:00Z")));
}

#[test]
fn a_trial_becomes_paid_at_its_end_or_runs_out_and_keeps_its_id() {
    let terms = Terms::builtin().unwrap();
    let mut trial = sold(&terms, "license_new", "2021-05-26T09:00:00Z", "P1M", "none", 1);
    edit(&mut trial, |profile| profile.is_trial = true);
    let trial = ordered(&terms, trial, 7);
    let bought = apply(&terms, &trial, &Change::Purchase {}, &none(), money("52.61 USD"), at("2021-05-26T09:00:00Z"));
    let bought = bought.unwrap();
    let standing = bought.subscription.standing;
    assert_eq!((standing.quantity, standing.auto_renew_enabled, standing.window_end), (25, true, None));
    assert_eq!(standing.term_end, Some(at("2021-06-25T00:00:00Z")), "thirty days");
    assert!(dues(&terms, &bought.subscription).contains(&(Due::TrialEnd, at("2021-06-25T00:00:00Z"))));
    let price = money("52.61 USD");
    let paid = renew(&terms, &bought.subscription, &none(), price, at("2021-06-25T00:00:00Z")).unwrap();
    assert_eq!(lines(&paid), ["convert 25 1315.25"]);
    let (after, profile) = (&paid.subscription, &paid.subscription.profile);
    assert_eq!((after.id, profile.is_trial, profile.billing_cycle.as_str()), (trial.id, false, "monthly"));
    assert_eq!(after.standing.term_end, Some(at("2022-06-25T00:00:00Z")));
    assert_eq!(after.standing.window_end, Some(at("2021-06-28T00:00:00Z")), "N72 of its day");
    // Fewer seats and another plan may be scheduled for the end, not asked for before it.
    let fewer = Amendments { quantity: Some(3), billing_cycle: Some("annual".into()), ..none() };
    let schedule = Change::Schedule { instructions: fewer };
    let set = apply(&terms, &bought.subscription, &schedule, &none(), price, at("2021-06-01T00:00:00Z")).unwrap();
    let paid = renew(&terms, &set.subscription, &none(), price, at("2021-06-25T00:00:00Z")).unwrap();
    assert_eq!(lines(&paid), ["convert 3 157.83"]);
    let off = apply(
        &terms,
        &bought.subscription,
        &Change::AutoRenew { enabled: false, cancel_at_term_end: None },
        &none(),
        price,
        at("2021-06-01T00:00:00Z"),
    );
    let ended = end_term(&terms, &off.unwrap().subscription, at("2021-06-25T00:00:00Z")).unwrap();
    assert_eq!(ended.subscription.standing.status, Status::Expired);
}

#[test]
fn a_billing_plan_changes_with_the_next_cycle_and_survives_a_suspension() {
    let terms = Terms::builtin().unwrap();
    let sub = sold(&terms, "license_new", "2023-01-31T09:00:00Z", "P3Y", "monthly", 2);
    let plan = Change::BillingPlan { billing_cycle: "annual".into() };
    let now = at("2023-02-05T09:00:00Z");
    let set = apply(&terms, &sub, &plan, &none(), money("120 EUR"), now).unwrap().subscription;
    assert_eq!(set.profile.next_billing_cycle.as_deref(), Some("annual"));
    let fraud = Change::Suspension { reason: Reason::Fraud };
    let off = apply(&terms, &set, &fraud, &none(), money("10 EUR"), now).unwrap().subscription;
    assert_eq!(off.profile.next_billing_cycle.as_deref(), Some("annual"));
    let charged = charge_cycle(&terms, &set, money("120 EUR"), at("2023-02-28T00:00:00Z")).unwrap();
    assert_eq!(
        (charged.lines[0].kind, lines(&charged)[0].as_str()),
        (ChargeType::ChangeBillingPlan, "changeBillingPlan 2 240.00")
    );
    let after = charged.subscription;
    assert_eq!((after.profile.billing_cycle.as_str(), after.profile.next_billing_cycle.as_deref()), ("annual", None));
    assert_eq!(after.standing.cycle_end, Some(at("2024-02-29T00:00:00Z")), "the anchor's day, clipped");
    // The last cycle of the term is eleven months: its days are charged.
    let second = charge_cycle(&terms, &after, money("120 EUR"), at("2024-02-29T00:00:00Z")).unwrap().subscription;
    let third = charge_cycle(&terms, &second, money("120 EUR"), at("2025-02-28T00:00:00Z")).unwrap();
    assert_eq!(third.subscription.standing.cycle_end, third.subscription.standing.term_end);
    assert_eq!(lines(&third), ["cycleCharge 2 221.58"]); // 337 of 365 days
    // Taken back before it takes effect.
    let back =
        apply(&terms, &set, &Change::BillingPlan { billing_cycle: "monthly".into() }, &none(), money("10 EUR"), now);
    assert_eq!(back.unwrap().subscription.profile.next_billing_cycle, None);
}

#[test]
fn software_becomes_billed_monthly_only_while_more_than_a_year_is_left() {
    let terms = Terms::builtin().unwrap();
    let mut sub = sold(&terms, "software_subscription", "2022-01-01T09:00:00Z", "P3Y", "annual", 1);
    let plan = Change::BillingPlan { billing_cycle: "monthly".into() };
    let asked = |sub: &Subscription| quote(&terms, sub, &plan, money("1 EUR"), at("2023-06-01T09:00:00Z")).allowed;
    sub.standing.cycle_end = Some(at("2023-12-31T23:59:59.999999Z"));
    assert!(asked(&sub));
    sub.standing.cycle_end = Some(at("2024-01-01T00:00:00Z"));
    assert!(!asked(&sub), "exactly a year is not more");
}

#[test]
fn instructions_for_the_next_term_are_wiped_by_any_change_inside_this_one() {
    let terms = Terms::builtin().unwrap();
    let sub = sold(&terms, "license_new", "2023-01-01T09:00:00Z", "P1Y", "monthly", 5);
    let price = money("10 EUR");
    let now = at("2023-01-03T09:00:00Z");
    let instructions = Amendments { quantity: Some(7), ..none() };
    let set =
        apply(&terms, &sub, &Change::Schedule { instructions: instructions.clone() }, &none(), price, now).unwrap();
    let set = set.subscription;
    assert_eq!(set.profile.next_term, instructions);
    for change in [
        Change::AutoRenew { enabled: false, cancel_at_term_end: None },
        Change::Quantity { quantity: 6 },
        Change::Suspension { reason: Reason::Fraud },
        Change::Cancellation { reason: Reason::Fraud },
        Change::Schedule { instructions: none() },
    ] {
        let after = apply(&terms, &set, &change, &none(), price, now).unwrap().subscription;
        assert!(after.profile.next_term.is_empty(), "{change:?}");
    }
    let next = renew(&terms, &set, &none(), price, at("2024-01-01T00:00:00Z")).unwrap();
    assert_eq!(next.subscription.standing.quantity, 7);
    let other = Amendments {
        offer_id: Some("CFQ7TTC0LH18:0002:X".into()),
        custom_term_end_date: Some("2024-06-30".parse().unwrap()),
        ..none()
    };
    let set = apply(&terms, &sub, &Change::Schedule { instructions: other }, &none(), price, now).unwrap().subscription;
    let next = renew(&terms, &set, &none(), price, at("2024-01-01T00:00:00Z")).unwrap().subscription;
    assert_eq!(
        (next.profile.offer_id.as_str(), next.standing.term_end),
        ("CFQ7TTC0LH18:0002:X", Some(at("2024-07-01T00:00:00Z")))
    );
}

#[test]
fn each_batch_of_seats_goes_inside_its_own_window() {
    let terms = Terms::builtin().unwrap();
    let mut sub = sold(&terms, "license_new", "2023-01-01T09:00:00Z", "P1Y", "monthly", 100);
    let price = money("1 EUR");
    let more = |sub: &Subscription, quantity, now: &str| {
        apply(&terms, sub, &Change::Quantity { quantity }, &none(), price, at(now)).map(|made| made.subscription)
    };
    sub = charge_cycle(&terms, &sub, price, at("2023-02-01T00:00:00Z")).unwrap().subscription;
    sub = more(&sub, 110, "2023-02-01T09:00:00Z").unwrap();
    sub = more(&sub, 115, "2023-02-03T09:00:00Z").unwrap();
    let open = |now: &str| refundable_quantity(&terms, &sub, at(now));
    assert_eq!(open("2023-01-08T08:59:59Z"), 115, "the term's own window holds for all");
    assert_eq!((open("2023-02-08T08:59:59Z"), open("2023-02-08T09:00:00Z")), (15, 5));
    assert_eq!((open("2023-02-10T08:59:59Z"), open("2023-02-10T09:00:00Z")), (5, 0));
    let shown = |now: &str| -> Vec<(i64, String)> {
        let windows = refundable_seats(&terms, &sub, at(now));
        windows.iter().map(|seats| (seats.quantity, seats.until.format("%m-%dT%H").to_string())).collect()
    };
    let (own, first, second) = ((100, "01-08T09".into()), (10, "02-08T09".into()), (5, "02-10T09".into()));
    assert_eq!(shown("2023-01-08T08:59:59Z"), [own, first.clone(), second.clone()], "those first bought stand first");
    assert_eq!(
        (shown("2023-02-08T08:59:59Z"), shown("2023-02-08T09:00:00Z")),
        (vec![first, second.clone()], vec![second])
    );
    assert_eq!(shown("2023-02-10T09:00:00Z"), [], "what was closed is not told of");
    assert!(more(&sub, 100, "2023-02-08T08:59:59Z").is_ok());
    assert!(more(&sub, 110, "2023-02-08T09:00:00Z").is_ok());
    let refusal = more(&sub, 109, "2023-02-08T09:00:00Z").unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.partner_center_code), ("quantity_decrease_locked", Some(800_090)));
}

#[test]
fn a_product_says_how_many_seats_there_may_be() {
    let terms = Terms::builtin().unwrap();
    let sub = ordered(&terms, sold(&terms, "license_new", "2023-01-01T09:00:00Z", "P1Y", "monthly", 300), 7);
    let seats = |least, most| {
        let around = Around { seats: (least, most), ..Around::default() };
        let answer = quote_amended(
            &terms,
            &sub,
            &Change::Purchase {},
            &none(),
            money("1 EUR"),
            &around,
            at("2023-01-01T09:00:00Z"),
        );
        answer.refusal.map(|refusal| refusal.partner_center_code.unwrap_or_default())
    };
    assert_eq!((seats(Some(1), Some(300)), seats(None, None)), (None, None));
    assert_eq!((seats(Some(1), Some(299)), seats(Some(301), None)), (Some(800_067), Some(2002)));
}

#[test]
fn only_what_is_pending_lapses_and_what_waits_for_its_publisher_is_bought() {
    let terms = Terms::builtin().unwrap();
    let now = at("2021-04-06T22:15:00Z");
    let active = sold(&terms, "saas_license", "2021-04-06T22:15:00Z", "P1M", "monthly", 1);
    assert_eq!(lapse(&active, now), None);
    let waits = ordered(&terms, active, 7);
    assert_eq!(lapse(&waits, now).unwrap().standing.status, Status::Deleted);
    let bought = apply(&terms, &waits, &Change::Purchase {}, &none(), None, now).unwrap().subscription;
    assert_eq!(
        (bought.standing.status, bought.standing.attention),
        (Status::Pending, Some(Attention::ActivationPending))
    );
    assert_eq!(lapse(&bought, now), None);
    let later = now + TimeDelta::days(3);
    let active = apply(&terms, &bought, &Change::Activation {}, &none(), money("50 USD"), later).unwrap();
    let standing = active.subscription.standing;
    assert_eq!((standing.term_start, standing.attention), (at("2021-04-09T00:00:00Z"), None));
    assert_eq!(standing.window_end, Some(at("2021-04-07T22:15:00Z")), "from the order, not from the activation");
}
