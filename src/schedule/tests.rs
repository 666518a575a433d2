//! The promises of schedules: the two dialects, and no firing lost, doubled or out of order in any zone.

use super::*;
use std::collections::{BTreeMap, HashSet};

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn schedule(text: &str, zone: &str) -> Schedule {
    Schedule::parse_with(text, zone, 1).unwrap_or_else(|error| panic!("{text} in {zone}: {error}"))
}

fn check(text: &str, zone: &str, after: &str, want: &[&str]) {
    let schedule = schedule(text, zone);
    let end = utc("2101-01-01T00:00:00Z");
    let got = schedule.between(utc(after), end, want.len().max(1));
    let want: Vec<_> = want.iter().map(|instant| utc(instant)).collect();
    assert_eq!(got, want, "{text} in {zone} after {after}");
}

#[track_caller]
fn refused(text: &str, code: &str, field: &str) -> ScheduleError {
    let error = Schedule::parse(text, "UTC").expect_err(text);
    assert_eq!((error.code, error.field), (code, field), "{text:?}: {error}");
    error
}

#[test]
fn five_fields_are_posix() {
    let after = "2026-11-20T12:00:00Z"; // a Friday
    check("30 4 * * *", "UTC", after, &["2026-11-21T04:30:00Z", "2026-11-22T04:30:00Z"]);
    check("0 9 * * 1", "UTC", after, &["2026-11-23T09:00:00Z"]);
    check("0 9 * * 0", "UTC", after, &["2026-11-22T09:00:00Z"]);
    check("0 9 * * 7", "UTC", after, &["2026-11-22T09:00:00Z"]);
    check("0 9 * * 5-7", "UTC", after, &["2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z", "2026-11-27T09:00:00Z"]);
    check(
        "0 9 * * Fri-Mon",
        "UTC",
        after,
        &["2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z", "2026-11-23T09:00:00Z", "2026-11-27T09:00:00Z"],
    );
    check("0 0 1 Nov-Feb/2 *", "UTC", after, &["2027-01-01T00:00:00Z", "2027-11-01T00:00:00Z"]);
    check(
        "*/20 13 * * monday",
        "UTC",
        after,
        &["2026-11-23T13:00:00Z", "2026-11-23T13:20:00Z", "2026-11-23T13:40:00Z"],
    );
    check(
        "1,3-5 0 * * *",
        "UTC",
        after,
        &[
            "2026-11-21T00:01:00Z",
            "2026-11-21T00:03:00Z",
            "2026-11-21T00:04:00Z",
            "2026-11-21T00:05:00Z",
            "2026-11-22T00:01:00Z",
        ],
    );
    check("0 0 29 2 *", "UTC", after, &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    check("  0\t0 31 12 *  ", "UTC", after, &["2026-12-31T00:00:00Z"]);
}

#[test]
fn either_day_field_may_match_when_both_are_restricted() {
    let after = "2026-11-01T12:00:00Z";
    check(
        "0 0 13 * 5",
        "UTC",
        after,
        &[
            "2026-11-06T00:00:00Z",
            "2026-11-13T00:00:00Z",
            "2026-11-20T00:00:00Z",
            "2026-11-27T00:00:00Z",
            "2026-12-04T00:00:00Z",
            "2026-12-11T00:00:00Z",
            "2026-12-13T00:00:00Z",
        ],
    );
    check("0 0 */2 * 1", "UTC", after, &["2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z"]);
    check("0 0 30 2 1", "UTC", after, &["2027-02-01T00:00:00Z", "2027-02-08T00:00:00Z"]);
    // With six fields both must match: Friday the 13th.
    check("0 0 0 13 * FRI", "UTC", after, &["2026-11-13T00:00:00Z", "2027-08-13T00:00:00Z"]);
    check("0 0 0 ? * FRI", "UTC", after, &["2026-11-06T00:00:00Z"]);
}

#[test]
fn six_fields_begin_with_the_second() {
    check("15 30 4 * * MON-FRI", "UTC", "2026-11-20T12:00:00Z", &["2026-11-23T04:30:15Z"]);
    check(
        "0 5/20 * * * *",
        "UTC",
        "2026-11-20T12:00:00Z",
        &["2026-11-20T12:05:00Z", "2026-11-20T12:25:00Z", "2026-11-20T12:45:00Z", "2026-11-20T13:05:00Z"],
    );
    let error = refused("0 0 0 * * 1-5", "bad_cron", "day of week");
    assert!(error.to_string().contains("MON-FRI"), "{error}");
}

#[test]
fn nicknames() {
    let after = "2026-11-20T12:34:56Z";
    check("@hourly", "UTC", after, &["2026-11-20T13:00:00Z"]);
    check("@daily", "UTC", after, &["2026-11-21T00:00:00Z"]);
    check("@Midnight", "UTC", after, &["2026-11-21T00:00:00Z"]);
    check("@weekly", "UTC", after, &["2026-11-22T00:00:00Z"]);
    check("@monthly", "UTC", after, &["2026-12-01T00:00:00Z"]);
    check("@yearly", "UTC", after, &["2027-01-01T00:00:00Z"]);
    check("@annually", "UTC", after, &["2027-01-01T00:00:00Z"]);
    refused("@reboot", "bad_cron", "expression");
    assert!(refused("@dayly", "bad_cron", "expression").to_string().contains("@daily"));
}

#[test]
fn what_no_clock_shows_is_refused_with_the_field() {
    let minute = [
        "60 * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "1-5/99 * * * *",
        "1,,2 * * * *",
        "-5 * * * *",
        "1.5 * * * *",
        "*/70 * * * *",
        "5/15 * * * *",
        "+1 * * * *",
        "001 * * * *",
        "1- * * * *",
        "/5 * * * *",
        "*5 * * * *",
        "? * * * *",
        "1-2-3 * * * *",
        "*/1/2 * * * *",
        ", * * * *",
    ];
    for text in minute {
        refused(text, "bad_cron", "minute");
    }
    for (text, field) in [
        ("* * 32 * *", "day of month"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * 0 *", "month"),
        ("* 25 * * *", "hour"),
        ("* 24 * * *", "hour"),
        ("* * * * 8", "day of week"),
        ("0 0 L * *", "day of month"),
        ("0 0 15W * *", "day of month"),
        ("0 0 * * 5#2", "day of week"),
        ("0 0 * * 5-1", "day of week"),
        ("0 0 * * FRIX", "day of week"),
        ("60 0 0 * * *", "second"),
        ("", "expression"),
        ("* * * *", "expression"),
        ("* * * * * * *", "expression"),
        ("* * * * * * * *", "expression"),
        ("\u{663} * * * *", "expression"),
        ("0\n0 * * *", "expression"),
    ] {
        refused(text, "bad_cron", field);
    }
    refused(&"1,".repeat(600), "bad_cron", "expression");
    assert!(refused("5/15 * * * *", "bad_cron", "minute").to_string().contains("5-59/15"));
    assert!(refused("0 0 * * FIR", "bad_cron", "day of week").to_string().contains("FRI"));
}

#[test]
fn what_never_fires_is_refused() {
    refused("0 0 30 2 *", "never_fires", "day of month");
    refused("0 0 31 4,6,9,11 *", "never_fires", "day of month");
    refused("0 0 0 30 2 MON", "never_fires", "day of month");
    assert!(Schedule::parse("0 0 29 2 *", "UTC").is_ok());
    assert!(Schedule::parse("0 0 31 4,5 *", "UTC").is_ok());
}

#[test]
fn too_frequent_has_an_edge() {
    for text in ["* * * * * *", "0,59 * * * * *", "0,30 0 0 * * *", "50,10 1 1 * * *"] {
        refused(text, "too_frequent", "expression");
        assert!(Schedule::parse_with(text, "UTC", 1).is_ok());
    }
    assert!(Schedule::parse("* * * * *", "UTC").is_ok(), "every minute is every 60 seconds");
    assert!(Schedule::parse("30 * * * * *", "UTC").is_ok());
    let at_least = |text: &str, seconds: u32| Schedule::parse_with(text, "UTC", seconds).is_ok();
    for (text, period) in [
        ("*/5 * * * *", 300),
        ("0,59 * * * *", 60),
        ("10 0,23 * * *", 3_600),
        ("0 3 * * 1", 86_400),
        ("55,5 0 * * *", 3_000),
    ] {
        assert!(at_least(text, period), "{text}");
        assert!(!at_least(text, period + 1), "{text}");
    }
}

#[test]
fn zones_are_iana_names() {
    for zone in ["Mars/Base", "EST5EDT4", "+25:00", "../../etc/passwd", "", "utc+1", "Europe/Berlin\0"] {
        let error = Schedule::parse("0 0 * * *", zone).expect_err(zone);
        assert_eq!((error.code, error.field), ("bad_timezone", "zone"), "{zone:?}");
    }
    let near = |zone: &str| Schedule::parse("0 0 * * *", zone).unwrap_err().suggestion.unwrap();
    assert_eq!(near("Europe/Berlim"), "did you mean \"Europe/Berlin\"?");
    assert_eq!(near("Berlin"), "did you mean \"Europe/Berlin\"?");
    assert!(Schedule::parse("0 0 * * *", "UTC").is_ok());
}

#[test]
fn a_time_that_does_not_exist_fires_once_after_the_jump() {
    // 2026-03-29 in Berlin: 02:00 becomes 03:00 at 01:00Z.
    check("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    check(
        "0,30 2,3 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"],
    );
    check("59 1 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["2026-03-29T00:59:00Z", "2026-03-29T23:59:00Z"]);
    check("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", &["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]);
    // Half an hour on Lord Howe Island: 02:00 becomes 02:30 at 15:30Z the day before.
    check(
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T00:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
    );
    // Samoa had no 30 December 2011.
    check(
        "0 12 * * *",
        "Pacific/Apia",
        "2011-12-29T12:00:00Z",
        &["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
    );
    check("30 * * * *", "Pacific/Apia", "2011-12-30T09:00:00Z", &["2011-12-30T09:30:00Z", "2011-12-30T10:30:00Z"]);
    // Through the hours: elapsed time, nothing extra.
    check("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", &["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"]);
    check("0 */2 * * *", "Europe/Berlin", "2026-03-28T22:00:00Z", &["2026-03-28T23:00:00Z", "2026-03-29T02:00:00Z"]);
}

#[test]
fn a_time_that_happens_twice_fires_the_first_time() {
    // 2026-10-25 in Berlin: 03:00 becomes 02:00 at 01:00Z.
    check("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    check("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", &["2026-10-26T01:30:00Z"]);
    check(
        "*/30 * * * *",
        "Europe/Berlin",
        "2026-10-24T23:00:00Z",
        &[
            "2026-10-24T23:30:00Z",
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z",
        ],
    );
    check(
        "*/30 0-23 * * *",
        "Europe/Berlin",
        "2026-10-25T00:15:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"],
    );
    check("*/30 1-3 * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", &["2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"]);
    check(
        "*/15 * * * *",
        "Australia/Lord_Howe",
        "2026-04-04T14:29:00Z",
        &["2026-04-04T14:30:00Z", "2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:15:00Z"],
    );
    check(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T00:00:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
    );
}

#[test]
fn fractions_of_a_second_do_not_fire_twice() {
    check("* * * * *", "UTC", "2026-11-20T12:00:59.999999Z", &["2026-11-20T12:01:00Z"]);
    check("* * * * *", "UTC", "2026-11-20T12:01:00Z", &["2026-11-20T12:02:00Z"]);
    check("* * * * *", "UTC", "2026-11-20T12:01:00.000001Z", &["2026-11-20T12:02:00Z"]);
}

#[test]
fn the_end_of_the_calendar() {
    let yearly = schedule("@yearly", "Europe/Berlin");
    assert_eq!(yearly.next_after(utc("2100-06-01T00:00:00Z")), None);
    assert_eq!(yearly.next_after(utc("2099-06-01T00:00:00Z")), Some(utc("2099-12-31T23:00:00Z")));
}

#[test]
fn a_schedule_says_what_it_is() {
    let say = |text: &str| schedule(text, "Europe/Berlin").describe();
    assert_eq!(say("30 2 * * *"), "at 02:30 every day, Europe/Berlin time");
    assert_eq!(say("0 9,17 * * Mon-Fri"), "at 09:00, 17:00 on Mon, Tue, Wed, Thu, Fri, Europe/Berlin time");
    assert_eq!(say("0 0 13 * 5"), "at 00:00 on day 13 of the month or Fri, Europe/Berlin time");
    assert_eq!(say("0 0 0 13 6 FRI"), "at 00:00 on day 13 of the month if it is Fri in Jun, Europe/Berlin time");
    assert_eq!(say("*/30 * * * *"), "minute 0, 30 of every hour every day, Europe/Berlin time");
    assert_eq!(say("* * * * * *"), "every second of every minute of every hour every day, Europe/Berlin time");
    assert_eq!(say("15 0 4 1 * *"), "at 04:00:15 on day 1 of the month, Europe/Berlin time");
    assert_eq!(schedule("0 0 * * 1-5", "UTC"), schedule("0  0 * * MON-FRI", "UTC"));
    assert_ne!(schedule("0 0 * * 1-5", "UTC"), schedule("0 0 * * 1-5", "Europe/Berlin"));
}

// ---- The reference model: every minute of UTC around every change of every zone ----

/// An expression and the same rule written as plain Rust, so that the model shares nothing with the reader.
struct Rule {
    text: &'static str,
    through_the_hours: bool,
    matches: fn(&NaiveDateTime) -> bool,
    /// Hours looked at on each side of a change; dense rules look less far.
    reach_hours: i64,
}

fn rules() -> Vec<Rule> {
    use chrono::{Datelike, Timelike, Weekday};
    let rule = |text, through_the_hours, reach_hours, matches| Rule { text, through_the_hours, matches, reach_hours };
    vec![
        rule("30 2 * * *", false, 48, |wall| wall.hour() == 2 && wall.minute() == 30),
        rule("0 0 * * *", false, 48, |wall| wall.hour() == 0 && wall.minute() == 0),
        rule("15,45 0-3 * * *", false, 30, |wall| wall.hour() <= 3 && [15, 45].contains(&wall.minute())),
        rule("*/20 */2 * * *", true, 12, |wall| wall.hour() % 2 == 0 && wall.minute() % 20 == 0),
        rule("*/15 * * * *", true, 6, |wall| wall.minute() % 15 == 0),
        rule("59 1,2,23 * * 0,6", false, 48, |wall| {
            [1, 2, 23].contains(&wall.hour())
                && wall.minute() == 59
                && [Weekday::Sat, Weekday::Sun].contains(&wall.weekday())
        }),
        rule("30 0,2 1-7 * Sun", false, 48, |wall| {
            [0, 2].contains(&wall.hour()) && wall.minute() == 30 && (wall.day() <= 7 || wall.weekday() == Weekday::Sun)
        }),
    ]
}

fn offset(zone: Tz, instant: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc()
}

/// Every change of the clock from 2020 to 2037: the first instant of the new time.
fn changes(zone: Tz) -> Vec<DateTime<Utc>> {
    let mut found = Vec::new();
    let mut day = utc("2019-12-31T00:00:00Z");
    while day < utc("2038-01-01T00:00:00Z") {
        // Nobody changes the clock twice within six days and comes back to the same offset.
        let next = day + TimeDelta::days(6);
        let (mut low, mut high) = (day, next);
        if offset(zone, low) != offset(zone, high) {
            while high - low > TimeDelta::seconds(1) {
                let middle = low + (high - low) / 2;
                if offset(zone, middle) == offset(zone, low) { low = middle } else { high = middle }
            }
            found.push(DateTime::from_timestamp(high.timestamp(), 0).unwrap());
        }
        day = next;
    }
    found
}

/// What must fire after `from` up to `until`, found by looking at the wall clock of every minute.
fn by_looking(rule: &Rule, zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let minute = TimeDelta::minutes(1);
    let mut shown: HashSet<NaiveDateTime> = HashSet::new();
    let mut fired = Vec::new();
    // Before the window too, because a wall time may have been shown before it.
    let mut now = from - TimeDelta::hours(26);
    let mut last = wall(zone, now - minute);
    while now <= until {
        let current = wall(zone, now);
        // Only walls that match are remembered: the others never fire anyway.
        let matches = (rule.matches)(&current);
        let first_pass = !matches || shown.insert(current);
        let mut fires = matches && (rule.through_the_hours || first_pass);
        let mut skipped = last + minute;
        while skipped < current && !rule.through_the_hours {
            fires |= (rule.matches)(&skipped) && shown.insert(skipped);
            skipped += minute;
        }
        if fires && now > from {
            fired.push(now);
        }
        last = current;
        now += minute;
    }
    fired
}

fn wall(zone: Tz, instant: DateTime<Utc>) -> NaiveDateTime {
    instant.naive_utc() + TimeDelta::seconds(i64::from(offset(zone, instant)))
}

#[test]
fn no_firing_is_lost_doubled_or_out_of_order_in_any_zone() {
    // Zones that change alike at the same instant are looked at once: the walls around it are the same.
    let mut alike: BTreeMap<(DateTime<Utc>, i32, i32), Tz> = BTreeMap::new();
    for zone in chrono_tz::TZ_VARIANTS {
        for change in changes(zone) {
            let key = (change, offset(zone, change - TimeDelta::seconds(1)), offset(zone, change));
            alike.entry(key).or_insert(zone);
        }
    }
    assert!(alike.len() > 500, "{} changes found", alike.len());
    // Beyond the years promised: two zones that crossed the date line and lost a day.
    alike.insert((utc("2011-12-30T10:00:00Z"), -36_000, 50_400), Tz::Pacific__Apia);
    alike.insert((utc("1993-08-21T12:00:00Z"), -43_200, 43_200), Tz::Pacific__Kwajalein);
    for rule in rules() {
        for ((change, _, _), zone) in &alike {
            agrees(&rule, *zone, *change);
        }
    }
}

fn agrees(rule: &Rule, zone: Tz, change: DateTime<Utc>) {
    let schedule = Schedule::parse(rule.text, zone.name()).unwrap();
    let (from, until) = (change - TimeDelta::hours(rule.reach_hours), change + TimeDelta::hours(rule.reach_hours));
    let want = by_looking(rule, zone, from, until);
    let got = schedule.between(from, until, usize::MAX);
    assert_eq!(got, want, "{} in {zone} around {change}", rule.text);
    assert!(got.windows(2).all(|pair| pair[0] < pair[1]), "{} in {zone} around {change}: {got:?}", rule.text);
    // Asked from anywhere in between, the answer is the first of those that are left.
    let mut probe = from;
    while probe < until {
        let left = want.iter().find(|instant| **instant > probe);
        let next = schedule.next_after(probe).filter(|next| *next <= until);
        assert_eq!(next.as_ref(), left, "{} in {zone} after {probe}", rule.text);
        probe += TimeDelta::minutes(20 * rule.reach_hours / 6) + TimeDelta::seconds(1);
    }
}

// ---- Random expressions, both dialects, minute by minute ----

fn some_of(first: u32, last: u32) -> impl proptest::strategy::Strategy<Value = Vec<u32>> {
    use proptest::prelude::*;
    prop_oneof![
        Just((first..=last).collect::<Vec<_>>()),
        prop::collection::btree_set(first..=last, 1..4).prop_map(|set| set.into_iter().collect()),
        (first..=last, first..=last, 1u32..4)
            .prop_map(|(one, other, step)| (one.min(other)..=one.max(other)).step_by(step as usize).collect()),
    ]
}

/// A set as somebody might write it: a star when it is everything, else a list.
fn written(set: &[u32], first: u32, last: u32) -> String {
    if set.len() == (last - first + 1) as usize {
        return "*".into();
    }
    set.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]

    #[test]
    fn random_expressions_fire_exactly_when_they_match(
        minutes in some_of(0, 59), hours in some_of(0, 23), days in some_of(1, 31), months in some_of(1, 12),
        weekdays in some_of(0, 6), six in proptest::bool::ANY, start_day in 0i64..4_000,
    ) {
        use chrono::{Datelike, Timelike};
        use proptest::prelude::*;
        const NAMES: [&str; 7] = ["sun", "Mon", "TUE", "Wednesday", "thu", "FRI", "saturday"];
        let times = format!("{} {} {} {}", written(&minutes, 0, 59), written(&hours, 0, 23), written(&days, 1, 31), written(&months, 1, 12));
        let names = weekdays.iter().map(|day| NAMES[*day as usize]).collect::<Vec<_>>().join(",");
        let all_weekdays = weekdays.len() == 7;
        let text = match (six, all_weekdays) {
            (_, true) => format!("{}{times} *", if six { "0 " } else { "" }),
            (true, false) => format!("0 {times} {names}"),
            (false, false) => format!("{times} {}", written(&weekdays, 0, 6)),
        };
        let either = !six && !all_weekdays && days.len() < 31;
        let from = utc("2020-01-01T00:00:00Z") + TimeDelta::days(start_day);
        let until = from + TimeDelta::days(35);
        let schedule = match Schedule::parse(&text, "UTC") {
            Ok(schedule) => schedule,
            Err(error) => {
                prop_assert_eq!(error.code, "never_fires", "{}: {}", text, error);
                prop_assert!(days.iter().all(|day| *day > 29) && months.iter().all(|month| [2, 4, 6, 9, 11].contains(month)));
                return Ok(());
            }
        };
        let mut want = Vec::new();
        let mut now = from + TimeDelta::minutes(1);
        while now <= until {
            let day = days.contains(&now.day());
            let weekday = weekdays.contains(&now.weekday().num_days_from_sunday());
            let on_day = if either { day || weekday } else { day && weekday };
            if minutes.contains(&now.minute()) && hours.contains(&now.hour()) && months.contains(&now.month()) && on_day {
                want.push(now);
            }
            now += TimeDelta::minutes(1);
        }
        let limit = 2_000;
        want.truncate(limit);
        prop_assert_eq!(schedule.between(from, until, limit), want, "{}", text);
    }

    #[test]
    fn any_text_gives_an_answer(text in "[0-9*/,?LW#@a-zA-Z -]{0,24}", zone in "[A-Za-z/_]{0,12}") {
        // Reading never panics, and what is read always has a next instant or a reason why not.
        if let Ok(schedule) = Schedule::parse(&text, "UTC") {
            proptest::prop_assert!(schedule.next_after(utc("2026-01-01T00:00:00Z")).is_some(), "{}", text);
        }
        let _refused = Schedule::parse("0 0 * * *", &zone);
    }
}
