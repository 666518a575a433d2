//! The terms answer as they are written: golden cases beside the rules, the last instant of every window and the first
//! late one, both sides of every version.

use std::collections::BTreeMap;
use std::sync::Arc;

use bursar::domain::calendar::{instant, show};
use bursar::domain::change::{Amendments, Change, Reason};
use bursar::domain::ledger::Draft;
use bursar::domain::lifecycle::{
    Applied, Around, Upgrading, apply_among, before_extension, begin, charge_cycle, end_term, extend, goes_on, pending,
    quote_amended, renew, terms_quote, upgraded_child,
};
use bursar::domain::quote::Effect;
use bursar::domain::subscription::{Profile, Status};
use bursar::domain::terms::Terms;
use bursar::domain::{Instant, Money, Quote, Refusal, Span, Subscription, SubscriptionId, TenantId};
use serde::Deserialize;

use crate::terms_rows;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    group: Vec<Group>,
    /// Where a purchase is shown.
    #[serde(default)]
    shown: Vec<terms_rows::Shown>,
    /// Who gets a key.
    #[serde(default)]
    key: Vec<terms_rows::Key>,
    /// How a cancellation is asked for.
    #[serde(default)]
    asked: Vec<terms_rows::Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    what: String,
    family: String,
    bought: String,
    #[serde(default)]
    term: Option<Span>,
    billing: String,
    #[serde(default)]
    price: Option<String>,
    #[serde(default = "one")]
    quantity: i64,
    #[serde(default)]
    trial: bool,
    /// Whether its purchase is still to be carried out.
    #[serde(default)]
    ordered: bool,
    /// The offer's name, where a rule goes by it.
    #[serde(default)]
    offer: Option<String>,
    /// What its offer may be upgraded to, and what a seat of that costs.
    #[serde(default)]
    upgrades: BTreeMap<String, String>,
    /// How often it was changed already.
    #[serde(default)]
    updates: u64,
    /// The last day its first term is aligned to.
    #[serde(default)]
    aligned: Option<chrono::NaiveDate>,
    #[serde(default)]
    status: Option<Status>,
    /// Terms that follow, each renewed at this instant.
    #[serde(default)]
    renewed: Vec<String>,
    /// Changes made before the case's own: `INSTANT CHANGE`.
    #[serde(default)]
    after: Vec<String>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    asked: String,
    #[serde(default = "cancellation")]
    change: String,
    want: String,
    #[serde(default)]
    lines: Option<Vec<String>>,
    /// The sentence for people, where a case is about it.
    #[serde(default)]
    reason: Option<String>,
    /// Whether the end of a billing cycle before it is still to be processed.
    #[serde(default)]
    unprocessed: bool,
}

fn one() -> i64 {
    1
}

fn cancellation() -> String {
    "cancellation".to_owned()
}

pub(crate) fn profile(family: &str, bought: Instant, term: Option<Span>, billing: &str) -> Profile {
    Profile {
        family: family.to_owned(),
        offer_id: "CFQ7TTC0LH18:0001:CFQ7TTC0K971".to_owned(),
        offer_name: "An offer".to_owned(),
        friendly_name: String::new(),
        product_type: String::new(),
        publisher_name: String::new(),
        purchased_at: bought,
        term_duration: term,
        billing_cycle: billing.to_owned(),
        billing_type: "license".to_owned(),
        anchor_day: chrono::Datelike::day(&bought),
        unit_price: None,
        is_trial: false,
        parent_subscription_id: None,
        order_id: None,
        partner_id: String::new(),
        seat_batches: Vec::new(),
        next_term: Amendments::default(),
        custom_term_end_date: None,
        next_billing_cycle: None,
        plan_since: None,
        extended: None,
        suspension_reason: None,
        labels: BTreeMap::new(),
        extra: BTreeMap::new(),
    }
}

pub(crate) fn subscription(terms: &Terms, profile: Profile, quantity: i64) -> Subscription {
    let standing = begin(terms, &profile, quantity, profile.purchased_at, profile.purchased_at);
    let (id, tenant) = (SubscriptionId::default(), TenantId::default());
    Subscription { id, tenant, standing, profile: Arc::new(profile) }
}

fn change(words: &str, sub: &Subscription) -> Change {
    match words.split_once(' ').unwrap_or((words, "")) {
        ("cancellation", "") => Change::Cancellation { reason: Reason::CustomerRequest },
        ("cancellation", word) => Change::Cancellation { reason: word.parse().unwrap() },
        ("suspension", "") => Change::Suspension { reason: Reason::NonPayment },
        ("reactivation", "") => Change::Reactivation {},
        ("auto_renew", words) => Change::AutoRenew {
            enabled: words.starts_with("on"),
            cancel_at_term_end: words.ends_with(" cancel").then_some(true),
        },
        ("quantity", seats) => Change::Quantity { quantity: seats.parse().unwrap() },
        ("renewal", rest) => {
            let mut words = rest.split_whitespace();
            let amendments = Amendments {
                quantity: None,
                term_duration: words.next().map(|word| word.parse().unwrap()),
                billing_cycle: words.next().map(ToOwned::to_owned),
                ..Amendments::default()
            };
            Change::Renewal { term_end: sub.standing.term_end.unwrap_or_default(), amendments }
        }
        ("purchase", "") => Change::Purchase {},
        ("activation", "") => Change::Activation {},
        ("deprovision", "") => Change::Deprovision {},
        ("billing_plan", cycle) => Change::BillingPlan { billing_cycle: cycle.to_owned() },
        ("conversion", plan) => Change::Conversion { to: planned(plan) },
        ("schedule", plan) => Change::Schedule { instructions: planned(plan) },
        ("upgrade", words) => {
            let plan = planned(words);
            Change::Upgrade { offer_id: plan.offer_id.unwrap(), quantity: plan.quantity }
        }
        other => panic!("no change is written {other:?}"),
    }
}

/// `30 P1Y monthly until 2023-03-31`, each where there is one.
fn planned(words: &str) -> Amendments {
    let mut plan = Amendments::default();
    for word in words.split_whitespace().filter(|word| *word != "until") {
        match (word.parse::<i64>(), word.parse::<Span>(), word.parse()) {
            (Ok(seats), ..) => plan.quantity = Some(seats),
            (_, Ok(term), _) => plan.term_duration = Some(term),
            (.., Ok(day)) => plan.custom_term_end_date = Some(day),
            _ if word.contains(':') => plan.offer_id = Some(word.to_owned()),
            _ => plan.billing_cycle = Some(word.to_owned()),
        }
    }
    plan
}

fn said(quote: &Quote) -> String {
    let mut words = vec![if quote.allowed { "allowed".to_owned() } else { "refused".to_owned() }];
    if let Some(refusal) = &quote.refusal {
        assert!(!quote.allowed && refusal.message == quote.reason, "a refusal is said twice alike: {quote:?}");
        words.push(refusal.code.clone());
        words.extend(refusal.partner_center_code.map(|code| code.to_string()));
    }
    if !quote.rule.is_empty() {
        words.push(quote.rule.clone());
    }
    words.extend(quote.allowed_until.map(|until| format!("until {}", show(until))));
    words.extend(quote.charge.map(|charge| format!("charge {charge}")));
    words.extend(quote.refund.map(|refund| format!("refund {refund}")));
    words.extend(quote.outstanding.map(|owed| format!("owed {owed}")));
    words.extend(quote.effective_at.map(|at| format!("at {}", show(at))));
    if quote.effect == Effect::StopRenewal {
        words.push("stops renewal".to_owned());
    }
    words.join(" ")
}

/// What the end of a term that nobody renews brings: `expired until INSTANT`, or the extended term. `at` is what the
/// price list has for a month.
fn ended(
    terms: &Terms,
    sub: &Subscription,
    price: Option<Money>,
    words: &str,
    now: Instant,
) -> Result<Applied, Refusal> {
    let listed = words.strip_prefix("term_end at ").map(|price| price.parse().unwrap());
    if goes_on(terms, sub) { extend(terms, sub, listed, price, now) } else { end_term(terms, sub, now) }
}

fn became(ended: &Result<Applied, Refusal>) -> String {
    let sub = match ended {
        Ok(applied) => &applied.subscription,
        Err(refusal) => return format!("refused {}", refusal.code),
    };
    let (standing, profile) = (&sub.standing, &sub.profile);
    let end = standing.term_end.filter(|_| standing.status == Status::Active);
    let term = end.map(|end| {
        let length = profile.term_duration.unwrap();
        format!(" {length} {} to {}", profile.billing_cycle, show(end))
    });
    let until = standing.next_step_at.map(|at| format!(" until {}", show(at)));
    format!("{}{}{}", standing.status.as_str(), term.unwrap_or_default(), until.unwrap_or_default())
}

fn lines_of(applied: &Applied) -> Vec<String> {
    let line = |line: &Draft| format!("{} {} {} {}", line.kind.as_str(), line.quantity, line.amount, line.currency);
    applied.lines.iter().map(line).collect()
}

/// What a change is asked with: the price of a seat and, for an upgrade, what the catalogue would tell.
fn circumstances(group: &Group, sub: &Subscription, asked: &Change) -> (Option<Money>, Around) {
    let price = group.price.as_ref().map(|price| price.parse().unwrap());
    let before = before_extension(sub);
    let profile = if matches!(asked, Change::Renewal { .. } | Change::Conversion { .. }) {
        &before.profile
    } else {
        &sub.profile
    };
    let present = profile.unit_price.or(price);
    let Change::Upgrade { offer_id, .. } = asked else { return (present, Around::default()) };
    let targets = group.upgrades.keys().map(|offer| offer.to_lowercase()).collect();
    let upgrading = Upgrading { targets, present };
    let price = group.upgrades.get(offer_id).map(|price| price.parse().unwrap());
    (price, Around { upgrading, ..Around::default() })
}

/// The change made, with the lines of the child that an upgrade may make behind its own.
fn made(terms: &Terms, group: &Group, sub: &Subscription, asked: &Change, now: Instant) -> Result<Applied, Refusal> {
    let (price, around) = circumstances(group, sub, asked);
    let mut made = apply_among(terms, sub, asked, &Amendments::default(), price, &around, now)?;
    if let Some(child) = upgraded_child(terms, sub, asked, price, &around, (SubscriptionId::default(), now))? {
        assert_eq!(child.subscription.standing.window_end, sub.standing.window_end, "no window opens anew");
        assert_eq!(child.subscription.standing.term_end, sub.standing.term_end);
        made.lines.extend(child.lines);
    }
    Ok(made)
}

/// It with its billing cycles charged up to an instant, as the domain's timers do.
fn processed(terms: &Terms, mut sub: Subscription, price: Option<Money>, now: Instant) -> Subscription {
    while let Ok(charged) = charge_cycle(terms, &sub, price, now) {
        sub = charged.subscription;
    }
    sub
}

fn prepare(terms: &Terms, group: &Group) -> Subscription {
    let bought = instant(&group.bought).unwrap();
    let mut profile = profile(&group.family, bought, group.term, &group.billing);
    profile.is_trial = group.trial;
    if let Some(offer) = &group.offer {
        profile.offer_name.clone_from(offer);
    }
    profile.custom_term_end_date = group.aligned;
    let price = group.price.as_ref().map(|price| price.parse().unwrap());
    let mut sub = subscription(terms, profile, group.quantity);
    if group.ordered {
        sub.standing = pending(terms, &sub.profile, group.quantity, bought);
    }
    for at in &group.renewed {
        sub = renew(terms, &sub, &Amendments::default(), price, instant(at).unwrap()).unwrap().subscription;
    }
    for step in &group.after {
        let (at, words) = step.split_once(' ').unwrap();
        sub = processed(terms, sub, price, instant(at).unwrap());
        if words.starts_with("term_end") {
            sub = ended(terms, &sub, price, words, instant(at).unwrap()).unwrap().subscription;
            continue;
        }
        let asked = change(words, &sub);
        let made = made(terms, group, &sub, &asked, instant(at).unwrap());
        sub = made.unwrap_or_else(|refusal| panic!("{}: {step}: {refusal}", group.what)).subscription;
    }
    if let Some(status) = group.status {
        sub.standing.status = status;
    }
    sub.standing.generation += group.updates;
    sub
}

fn check(name: &str, text: &str) {
    let terms = Terms::builtin().unwrap();
    let golden: Golden = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut wrong = Vec::new();
    for group in &golden.group {
        let sub = prepare(&terms, group);
        let price: Option<Money> = group.price.as_ref().map(|price| price.parse().unwrap());
        for case in &group.case {
            let now = instant(&case.asked).unwrap();
            let sub = if case.unprocessed { sub.clone() } else { processed(&terms, sub.clone(), price, now) };
            if case.change.starts_with("term_end") {
                let ended = ended(&terms, &sub, price, &case.change, now);
                let lines = ended.as_ref().map(lines_of).unwrap_or_default();
                if became(&ended) != case.want || case.lines.as_ref().is_some_and(|wanted| *wanted != lines) {
                    let said = became(&ended);
                    wrong.push(format!(
                        "{}: at {}\n  want {}\n  said {said} {lines:?}",
                        group.what, case.asked, case.want
                    ));
                }
                continue;
            }
            let asked = change(&case.change, &sub);
            let (price, around) = circumstances(group, &sub, &asked);
            let answer = quote_amended(&terms, &sub, &asked, &Amendments::default(), price, &around, now);
            if said(&answer) != case.want {
                wrong.push(format!(
                    "{}: {} at {}\n  want {}\n  said {}",
                    group.what,
                    case.change,
                    case.asked,
                    case.want,
                    said(&answer)
                ));
            }
            if case.reason.as_ref().is_some_and(|reason| *reason != answer.reason) {
                wrong.push(format!("{}: at {} it says {}", group.what, case.asked, answer.reason));
            }
            let made = made(&terms, group, &sub, &asked, now);
            let may = answer.allowed || answer.effect == Effect::StopRenewal;
            assert_eq!(
                made.is_ok(),
                may,
                "{}: what is quoted is what is done, {} at {}",
                group.what,
                case.change,
                case.asked
            );
            if let Some(lines) = &case.lines {
                let drafts = made.as_ref().map(lines_of).unwrap_or_default();
                if drafts != *lines {
                    wrong.push(format!("{}: lines\n  want {lines:?}\n  made {drafts:?}", group.what));
                }
            }
        }
    }
    wrong.extend(golden.shown.iter().filter_map(|case| case.wrong(&terms)));
    wrong.extend(golden.asked.iter().filter_map(|case| case.wrong(&terms)));
    wrong.extend(golden.key.iter().filter_map(|case| case.wrong(&terms)));
    assert!(wrong.is_empty(), "{name}\n{}", wrong.join("\n"));
}

/// Every file of a folder beside this package's manifest, by name.
fn files(folder: &str) -> BTreeMap<String, String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let read = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "toml"));
    read.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

#[test]
fn every_family_follows_its_terms() {
    let golden = files("tests/terms");
    let terms = files("policies/terms");
    assert_eq!(golden.keys().collect::<Vec<_>>(), terms.keys().collect::<Vec<_>>(), "each family has golden cases");
    let builtin = Terms::builtin().unwrap();
    let names: Vec<String> = builtin.families().map(|family| format!("{}.toml", family.name)).collect();
    assert_eq!(names, terms.keys().cloned().collect::<Vec<_>>(), "each file is compiled in, under its family's name");
    for (name, text) in golden {
        check(&name, &text);
    }
}

#[test]
fn every_window_and_renewal_rule_has_golden_cases_on_both_sides() {
    let golden = files("tests/terms");
    for family in Terms::builtin().unwrap().families() {
        let golden = &golden[&format!("{}.toml", family.name)];
        for window in &family.windows {
            for word in ["allowed".to_owned(), format!("refused window_closed {}", window.partner_center_code.unwrap())]
            {
                let wanted = format!("want = \"{word} {} ", window.rule);
                assert!(golden.contains(&wanted), "{}: no case says {wanted}", family.name);
            }
        }
        for rule in &family.renewals {
            assert!(golden.contains(&format!(" {}", rule.rule)), "{}: no case names {}", family.name, rule.rule);
        }
    }
}

/// Rules whose cases need more than one subscription or a window that was told otherwise: the tests of whole lives have
/// them. This list may only become shorter.
const ELSEWHERE: [&str; 4] = ["A-base", "A-align", "A-susp", "W-none"];

#[test]
fn every_row_of_the_terms_is_named_by_a_golden_case_of_its_family() {
    let golden = files("tests/terms");
    let mut unnamed = Vec::new();
    for family in Terms::builtin().unwrap().families() {
        let golden = &golden[&format!("{}.toml", family.name)];
        for told in family.told().iter().filter(|told| !ELSEWHERE.contains(&told.rule.as_str())) {
            if !golden.contains(&told.rule) {
                unnamed.push(format!("{}: {} {}", family.name, told.table, told.rule));
            }
        }
    }
    assert!(unnamed.is_empty(), "no golden case names {unnamed:#?}");
}

/// Code that knew a family by name would be a rule nobody can read or change in the terms.
#[test]
fn no_code_of_the_domain_names_a_family() {
    let names: Vec<String> = files("policies/terms").into_keys().map(|name| name.replace(".toml", "")).collect();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let text = std::fs::read_to_string(&entry).unwrap();
            for name in names.iter().filter(|name| *name != "unknown") {
                let code = text.lines().filter(|line| !line.contains("//") && !line.contains("include_str!"));
                let named = code.filter(|line| line.contains(&format!("\"{name}\""))).count();
                assert_eq!(named, 0, "{} names {name}", entry.display());
            }
        }
    }
}

#[test]
fn the_terms_command_says_refund_and_late_to_the_second() {
    let terms = Terms::builtin().unwrap();
    let asked = |at: &str| {
        let (bought, at) = (instant("2021-04-06T22:15:00Z").unwrap(), instant(at).unwrap());
        let price = "50 USD".parse().unwrap();
        terms_quote(&terms, "saas_license", bought, at, price, 1, Span::months(1), "monthly")
    };
    assert_eq!(said(&asked("2021-04-07T22:14:59Z")), "allowed ISVm until 2021-04-07T22:15:00Z refund 50.00 USD");
    let late = asked("2021-04-07T22:15:00Z");
    assert_eq!(
        said(&late),
        "refused window_closed 900213 ISVm until 2021-04-07T22:15:00Z at 2021-05-06T00:00:00Z stops renewal"
    );
    assert!(late.reason.contains("stops the renewal instead"), "{}", late.reason);
    assert_eq!(late.refund, None);
    assert_eq!(said(&asked("2021-04-06T22:14:59Z")), "refused asked_before_purchase");
}

#[test]
fn the_terms_command_refuses_a_plan_that_the_terms_do_not_bill() {
    let terms = Terms::builtin().unwrap();
    let asked = |term: Span, billing: &str| {
        let (bought, at) = (instant("2022-09-01T09:00:00Z").unwrap(), instant("2022-09-02T00:00:00Z").unwrap());
        said(&terms_quote(&terms, "software_subscription", bought, at, "365 USD".parse().unwrap(), 1, term, billing))
    };
    let (month, year) = (Span::months(1), Span::months(12));
    for (term, billing) in
        [(year, "weekly"), (month, "annual"), (Span::months(5), "annual"), (Span::default(), "daily")]
    {
        assert_eq!(asked(term, billing), "refused billing_cycle_invalid 6000", "{term} {billing}");
    }
    for (term, billing) in [(year, "annual"), (year, "monthly"), (month, "one_time"), (Span::months(36), "triennial")] {
        assert!(asked(term, billing).starts_with("allowed W7s"), "{term} {billing}");
    }
}

#[test]
fn a_librarys_rows_replace_by_rule_id_and_add_families_without_code() {
    let before = Terms::builtin().unwrap();
    let own = r#"
family = "license_new"
[[window]]
rule = "N7"
covers = ["cancellation", "quantity"]
from = 2022-03-12
length = "P14D"
end = "exact"
refund = "full"
"#;
    let gift = "family = \"gift_card\"\ntitle = \"Gift cards\"\n[[renewal]]\nrule = \"G\"\nrenews = false\n";
    let terms = before.clone().with_rows(&[("terms/own.toml", own), ("terms/gift.toml", gift)]).unwrap();
    assert_ne!(terms.hash(), before.hash());
    assert_eq!(terms.hash().len(), 64);
    let bought = instant("2023-01-01T00:00:00Z").unwrap();
    let price = "365 USD".parse().unwrap();
    let at = |terms: &Terms, family: &str, day: &str| {
        said(&terms_quote(terms, family, bought, instant(day).unwrap(), price, 1, Span::months(12), "annual"))
    };
    let fourteenth = "2023-01-14T23:59:59.999999Z";
    assert_eq!(at(&terms, "license_new", fourteenth), "allowed N7 until 2023-01-15T00:00:00Z refund 365.00 USD");
    assert_eq!(at(&before, "license_new", fourteenth), "refused window_closed 900213 N7 until 2023-01-08T00:00:00Z");
    assert_eq!(at(&terms, "gift_card", fourteenth), "refused no_window 800061");
    assert_eq!(at(&before, "gift_card", fourteenth), "refused family_unknown");
    assert_eq!(terms.family("gift_card").title, "Gift cards");
    assert_eq!(terms.families().count(), before.families().count() + 1);
}

#[test]
fn wrong_terms_say_file_line_column_and_what_was_expected() {
    let wrong = |text: &str| {
        let errors = Terms::builtin().unwrap().with_rows(&[("terms/own.toml", text)]).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let row = |length: &str| {
        format!("family = \"x\"\n[[window]]\nrule = \"A\"\nlength = {length}\nend = \"exact\"\nrefund = \"full\"\n")
    };
    expect_test::expect![[r#"
        terms/own.toml:4:10: 'seven days' is no ISO-8601 duration such as P1M, P30D or PT12H (bad_duration)"#]]
    .assert_eq(&wrong(&row("\"seven days\"")));
    let unknown = wrong("family = \"x\"\nwindows = 1\n");
    let said = "terms/own.toml:2:1: unknown field `windows`, expected one of `family`, `title`, ";
    assert!(unknown.starts_with(said) && unknown.contains("`window`, "), "{unknown}");
    expect_test::expect![[r#"
        terms/own.toml:1:10: a family's name in lower case with underscores, not 'Not Good'"#]]
    .assert_eq(&wrong("family = \"Not Good\"\n"));
    expect_test::expect![[r#"
        terms/own.toml:7:1: dates that no other row has: A and B both hold for some purchase"#]]
    .assert_eq(&wrong(&format!(
        "{}[[window]]\nrule = \"B\"\nlength = \"P1D\"\nend = \"exact\"\nrefund = \"full\"\n",
        row("\"P1D\"")
    )));
    expect_test::expect![[r#"
        terms/own.toml:4:8: invalid type: string "soon", expected a TOML datetime"#]]
    .assert_eq(&wrong("family = \"x\"\n[[renewal]]\nrule = \"A\"\nfrom = \"soon\"\nrenews = true\n"));
    // Both files are told, not the first alone.
    let both = Terms::builtin().unwrap().with_rows(&[("a.toml", "=\n"), ("b.toml", "=\n")]).unwrap_err();
    assert_eq!(both.iter().map(|error| error.place.file.as_str()).collect::<Vec<_>>(), ["a.toml", "b.toml"]);
}
