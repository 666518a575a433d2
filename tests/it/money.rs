//! Money: lines carry what invoices need, tax by country and date, the customer's price beside the cost, and the line
//! they take back; instalments add up to the term's price.

use bursar::app::{self, App, Options};
use bursar::config::Config;
use bursar::domain::change::Reason;
use bursar::domain::ledger::{BillingProvider, ChargeType, Draft, Line};
use bursar::domain::lifecycle::{at_price, begin, charge_cycle, renew};
use bursar::domain::product::CustomerPrice;
use bursar::domain::request::Outcome;
use bursar::domain::terms::Terms;
use bursar::domain::{Change, Money, Span, Subscription, TenantId};
use bursar::engine::api;
use bursar::ops::{self, prices};
use bursar::triggers;
use rust_decimal::Decimal;
use serde_json::json;
use std::sync::Arc;

use crate::domain_terms::profile;
use crate::world::{TENANT, World, at, book, customer, monthly, person, sub_id};

/// Everything passes.
pub(crate) const PASSES: (&str, &str) = (
    "policies/all.rhai",
    "//! Everything passes.\n//! ---\n//! decides = [\"cancellation\", \"quantity\", \"suspension\", \"reactivation\", \"auto_renew\"]\n//! ---\nfn decide(request) { approve(); }\n",
);

const TAX: (&str, &str) = (
    "policies/tax.toml",
    r#"
[[rate]]
rule = "TAX-NL"
country = "NL"
percent = 21
until = 2027-03-01
[[rate]]
rule = "TAX-NL-27"
country = "NL"
percent = "22.5"
from = 2027-03-01
[[rate]]
rule = "TAX-AU"
country = "AU"
percent = 10
"#,
);

fn terms(text: &str) -> Terms {
    Terms::builtin().unwrap().with_rows(&[("policies/tax.toml", text)]).unwrap()
}

fn split(terms: &Terms, price: &str, country: &str, day: &str) -> String {
    let taxed = terms.tax().split(price.parse().unwrap(), country, at(day)).unwrap();
    match taxed.tax {
        None => format!("{} untaxed", taxed.amount.amount),
        Some(tax) => format!("{} + {} {}", taxed.amount.amount, tax.amount, tax.rule),
    }
}

#[test]
fn prices_exclude_tax_except_in_australia_and_brazil_and_a_rate_holds_between_its_dates() {
    let terms = terms(TAX.1);
    let day = "2027-02-28T23:59:59.999999Z";
    assert_eq!(split(&terms, "110.00 AUD", "AU", day), "100.00 + 10.00 TAX-AU");
    assert_eq!(split(&terms, "-110.00 AUD", "AU", day), "-100.00 + -10.00 TAX-AU");
    assert_eq!(split(&terms, "100.00 EUR", "NL", day), "100.00 + 21.00 TAX-NL");
    assert_eq!(split(&terms, "100.00 EUR", "NL", "2027-03-01T00:00:00Z"), "100.00 + 22.50 TAX-NL-27");
    assert_eq!(split(&terms, "100.00 BRL", "BR", day), "100.00 untaxed", "no rate, no tax, wherever prices contain it");
    assert_eq!(split(&terms, "100.00 EUR", "DE", day), "100.00 untaxed");
    // Cut to the minor unit by itself, a half away from zero.
    assert_eq!(split(&terms, "0.10 EUR", "NL", day), "0.10 + 0.02 TAX-NL");
    assert_eq!(split(&terms, "0.50 EUR", "NL", day), "0.50 + 0.11 TAX-NL");
    assert_eq!(split(&terms, "-0.50 EUR", "NL", day), "-0.50 + -0.11 TAX-NL");
    assert_eq!(split(&terms, "101 JPY", "NL", day), "101 + 21 TAX-NL");
    assert!(terms.tax().is_included("AU") && terms.tax().is_included("BR") && !terms.tax().is_included("NL"));
    let own = Terms::builtin().unwrap().with_rows(&[("policies/tax.toml", "inclusive = [\"NZ\"]")]).unwrap();
    assert!(own.tax().is_included("NZ") && !own.tax().is_included("AU"), "the list is replaced whole");
    assert_ne!(own.hash(), terms.hash(), "rates are part of what decided");
}

#[test]
fn a_tax_file_that_is_wrong_is_found_before_it_counts() {
    for (text, told) in [
        ("[[rate]]\nrule = \"A\"\ncountry = \"nl\"\npercent = 21\n", "two capital letters"),
        ("[[rate]]\nrule = \"A\"\ncountry = \"NL\"\npercent = 21.5\n", "a rate in percent from 0 to 100"),
        ("[[rate]]\nrule = \"A\"\ncountry = \"NL\"\npercent = 101\n", "a rate in percent from 0 to 100"),
        ("[[rate]]\nrule = \"A\"\ncountry = \"NL\"\npercent = 21\nrate = 3\n", "unknown field"),
        ("inclusive = [\"AU\", \"Brazil\"]\n", "'Brazil'"),
        (
            "[[rate]]\nrule = \"A\"\ncountry = \"NL\"\npercent = 21\nuntil = 2027-03-02\n[[rate]]\nrule = \"B\"\ncountry = \"NL\"\npercent = 9\nfrom = 2027-03-01\n",
            "A and B meet",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("policies")).unwrap();
        std::fs::write(folder.path().join("policies/tax.toml"), text).unwrap();
        let config = Config { library: folder.path().to_owned(), ..Config::default() };
        let findings = app::library::read_with_tests(&config, &api::kit()).err().unwrap();
        assert!(findings[0].message.contains(told), "{text}: {findings:?}");
        assert!(findings[0].file == "policies/tax.toml" && findings[0].line > 0, "{findings:?}");
        assert!(App::in_memory(&config, [3; 16], Some(at("2027-01-01T00:00:00Z")), Options::default()).is_err());
    }
}

fn shown(line: &Line) -> String {
    let tax = line.tax.as_ref().map_or("untaxed".to_owned(), |tax| format!("+ {} {}", tax.amount, tax.rule));
    format!("{} {} x {} = {} {tax}", line.kind.as_str(), line.quantity, line.unit_price, line.amount)
}

async fn world(country: &str, tax: bool) -> World {
    let files = if tax { vec![PASSES, TAX] } else { vec![PASSES] };
    let world = World::new("2027-01-31T12:00:00Z", &files);
    let mut book = book("2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z");
    book[0]["billingProfile"]["defaultAddress"]["country"] = country.into();
    world.import(book).await;
    world
}

#[tokio::test]
async fn a_credit_has_the_tax_of_what_it_takes_back_also_when_the_rate_has_changed_since() {
    let world = world("NL", true).await;
    triggers::advance(&world.app, at("2027-03-02T09:00:00Z")).await.unwrap();
    let done = world.propose("anna", sub_id(1), Change::Cancellation { reason: Reason::CustomerRequest }).await;
    assert_eq!(done.outcome, Outcome::Applied);
    let lines = world.lines();
    assert_eq!(shown(&lines[0]), "renew 10 x 10.00 = 100.00 + 21.00 TAX-NL");
    // 28 February to 30 March: 31 days, from 2 March 29 of them.
    assert_eq!(shown(&lines[1]), "cancelImmediate 10 x 10.00 = -93.50 + -19.64 TAX-NL");
    assert_eq!(lines[1].reverses.as_deref(), Some(lines[0].id.as_str()));
}

#[tokio::test]
async fn where_prices_contain_the_tax_a_full_credit_gives_back_exactly_what_was_charged() {
    let world = world("AU", true).await;
    triggers::advance(&world.app, at("2027-02-28T09:00:00Z")).await.unwrap();
    world.propose("anna", sub_id(1), Change::Cancellation { reason: Reason::CustomerRequest }).await;
    let lines = world.lines();
    assert_eq!(shown(&lines[0]), "renew 10 x 10.00 = 90.91 + 9.09 TAX-AU");
    assert_eq!(shown(&lines[1]), "cancelImmediate 10 x 10.00 = -90.91 + -9.09 TAX-AU");
    assert_eq!(lines[1].total(), Decimal::new(-10000, 2));
    assert!(lines[0].tax.as_ref().unwrap().is_included);
}

#[tokio::test]
async fn a_cancellation_gives_back_no_more_than_was_charged_whatever_the_price_is_by_now() {
    let world = World::new("2027-01-31T12:00:00Z", &[PASSES]);
    let price = |amount: &str| {
        json!([{ "product": "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01", "termDuration": "P1M", "billingCycle": "monthly",
            "currency": "EUR", "unitPrice": amount, "attributes": { "objectType": "Price" } }])
    };
    // No order tells its price: the price list does.
    let holding = monthly(1, "2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z");
    world.import(json!([customer(), holding])).await;
    world.import(price("10.00")).await;
    triggers::advance(&world.app, at("2027-02-28T09:00:00Z")).await.unwrap();
    world.import(price("30.00")).await;
    let done = world.propose("anna", sub_id(1), Change::Cancellation { reason: Reason::CustomerRequest }).await;
    assert_eq!(done.outcome, Outcome::Applied);
    let amounts: Vec<String> = world.lines().iter().map(|line| line.amount.to_string()).collect();
    assert_eq!(amounts, ["100.00", "-100.00"], "and not 300.00, which it would cost by now");
}

#[tokio::test]
async fn without_a_rate_a_line_carries_no_tax() {
    let world = world("NL", false).await;
    triggers::advance(&world.app, at("2027-02-28T00:00:00Z")).await.unwrap();
    let lines = world.lines();
    assert_eq!((lines[0].tax.clone(), lines[0].total()), (None, Decimal::new(10000, 2)));
}

#[tokio::test]
async fn a_line_says_what_it_is_about_as_it_was_then() {
    let world = world("NL", true).await;
    triggers::advance(&world.app, at("2027-02-28T00:00:00Z")).await.unwrap();
    let item = world.lines()[0].item.clone();
    let order = item.order_id.unwrap().0;
    assert_eq!((order.as_str(), item.offer_id.as_str()), ("Order01", "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01"));
    assert_eq!((item.offer_name.as_str(), item.friendly_name.as_str()), ("Suite", "Suite 1"));
    assert_eq!((item.term_duration, item.billing_cycle.as_str()), (Some(Span::months(1)), "monthly"));
    assert_eq!((item.term_start, item.term_end), (Some(at("2027-02-28T00:00:00Z")), Some(at("2027-03-31T00:00:00Z"))));
    assert_eq!((item.country.as_str(), item.billing_provider), ("NL", BillingProvider::OneTime));
    assert_eq!(item.order_date, Some(at("2027-01-31T00:00:00Z")));
}

#[tokio::test]
async fn a_seat_change_wipes_the_line_before_it_and_what_is_recreated_is_wiped_next() {
    let world = world("NL", true).await;
    triggers::advance(&world.app, at("2027-03-02T09:00:00Z")).await.unwrap();
    for (who, seats) in [("anna", 12), ("anna", 15)] {
        let done = world.propose(who, sub_id(1), Change::Quantity { quantity: seats }).await;
        assert_eq!(done.outcome, Outcome::Applied);
    }
    let lines = world.lines();
    let told: Vec<String> = lines.iter().map(shown).collect();
    assert_eq!(
        told,
        [
            "renew 10 x 10.00 = 100.00 + 21.00 TAX-NL",
            // The day's rate is another by now: what is taken back has its own, what is charged has the new one.
            "addQuantity -10 x 10.00 = -93.54 + -19.64 TAX-NL",
            "addQuantity 12 x 10.00 = 112.25 + 25.26 TAX-NL-27",
            "addQuantity -12 x 10.00 = -112.25 + -25.26 TAX-NL-27",
            "addQuantity 15 x 10.00 = 140.32 + 31.57 TAX-NL-27",
        ]
    );
    let reverses: Vec<Option<&str>> = lines.iter().map(|line| line.reverses.as_deref()).collect();
    assert_eq!(reverses, [None, Some(lines[0].id.as_str()), None, Some(lines[2].id.as_str()), None]);
}

fn price(product: &str, term: Option<Span>, cycle: Option<&str>, unit_price: &str) -> CustomerPrice {
    CustomerPrice {
        tenant: TENANT.parse().unwrap(),
        product: product.to_owned(),
        term_duration: term,
        billing_cycle: cycle.map(str::to_owned),
        valid_from: None,
        unit_price: unit_price.parse().unwrap(),
    }
}

fn which(valid_from: Option<&str>) -> prices::Which {
    let valid_from = valid_from.map(|day| day.parse().unwrap());
    prices::Which { product: OFFER.to_owned(), valid_from, ..prices::Which::default() }
}

async fn set(world: &World, price: CustomerPrice) {
    let cause = world.app.next_cause("test");
    world.app.act(person("anna"), cause, move |work| prices::set(work, price.clone())).await.unwrap();
}

const OFFER: &str = "cfq7ttc0life:0001:CFQ7TTC0LF01";

#[tokio::test]
async fn the_customers_price_stands_beside_the_cost_and_a_credit_is_at_the_price_that_was_charged() {
    let world = world("NL", true).await;
    set(&world, price(OFFER, None, None, "13.00 EUR")).await;
    set(&world, price(OFFER, Some(Span::months(1)), None, "12.50 EUR")).await;
    set(&world, price(OFFER, Some(Span::months(12)), Some("monthly"), "11.00 EUR")).await;
    triggers::advance(&world.app, at("2027-02-28T09:00:00Z")).await.unwrap();
    set(&world, price(OFFER, Some(Span::months(1)), Some("monthly"), "99.00 EUR")).await;
    triggers::advance(&world.app, at("2027-03-02T09:00:00Z")).await.unwrap();
    world.propose("anna", sub_id(1), Change::Cancellation { reason: Reason::CustomerRequest }).await;
    let lines = world.lines();
    let at_price: Vec<String> = lines
        .iter()
        .map(|line| {
            let price = line.at_customer_price.as_ref().unwrap();
            format!("{} {} + {} margin {}", price.unit_price, price.amount, price.tax, line.margin().unwrap())
        })
        .collect();
    // The term's own price stands over the one for any; 31 days, 29 of them back, cut seat by seat: 11.69 each.
    assert_eq!(at_price, ["12.50 EUR 125.00 + 26.25 margin 25.00", "12.50 EUR -116.90 + -24.55 margin -23.40"]);
}

#[tokio::test]
async fn a_customers_price_may_be_in_another_currency_and_then_there_is_no_margin() {
    let world = world("NL", false).await;
    set(&world, price(OFFER, None, None, "15.00 USD")).await;
    triggers::advance(&world.app, at("2027-02-28T00:00:00Z")).await.unwrap();
    let line = world.lines().remove(0);
    assert_eq!(line.margin(), None);
    assert_eq!(line.at_customer_price.unwrap().amount, Decimal::new(15000, 2));
    let tenant: TenantId = TENANT.parse().unwrap();
    let cause = world.app.next_cause("test");
    world.app.act(person("anna"), cause, move |work| prices::remove(work, tenant, &which(None))).await.unwrap();
    let cause = world.app.next_cause("test");
    let again = move |work: &mut ops::Work| prices::remove(work, tenant, &which(None));
    let refused = world.app.act(person("anna"), cause, again).await;
    assert!(matches!(refused, Err(ops::Error::Refused(refusal)) if refusal.code == "not_found"));
    triggers::advance(&world.app, at("2027-03-31T00:00:00Z")).await.unwrap();
    assert_eq!(world.lines()[1].at_customer_price, None);
}

#[tokio::test]
async fn a_dated_price_is_charged_from_the_first_cycle_that_begins_on_its_day_and_taken_away_the_one_before_stands() {
    let world = world("NL", false).await;
    let tenant: TenantId = TENANT.parse().unwrap();
    set(&world, price(OFFER, None, None, "12.00 EUR")).await;
    for (day, amount) in [("2027-03-31", "13.00 EUR"), ("2027-05-01", "14.00 EUR"), ("2027-06-30", "15.00 EUR")] {
        let dated = price(OFFER, None, None, amount);
        set(&world, CustomerPrice { valid_from: Some(day.parse().unwrap()), ..dated }).await;
    }
    let charged = |world: &World| -> Vec<String> {
        let price = |line: &Line| line.at_customer_price.as_ref().unwrap().unit_price.to_string();
        world.lines().iter().map(price).collect()
    };
    // Cycles begin on 28 February, 31 March, 30 April, 31 May and 30 June.
    triggers::advance(&world.app, at("2027-04-10T00:00:00Z")).await.unwrap();
    assert_eq!(charged(&world), ["12.00 EUR", "13.00 EUR"], "the day itself is the first");
    triggers::advance(&world.app, at("2027-05-02T00:00:00Z")).await.unwrap();
    assert_eq!(charged(&world)[2], "13.00 EUR", "the cycle had begun a day before the next price");
    // Seats that are added inside the cycle have its price, though a later one holds by now.
    world.propose("anna", sub_id(1), Change::Quantity { quantity: 11 }).await;
    assert_eq!(charged(&world)[3..], ["13.00 EUR", "13.00 EUR"]);
    triggers::advance(&world.app, at("2027-06-01T00:00:00Z")).await.unwrap();
    assert_eq!(charged(&world)[5], "14.00 EUR");
    let cause = world.app.next_cause("test");
    let gone = move |work: &mut ops::Work| prices::remove(work, tenant, &which(Some("2027-06-30")));
    world.app.act(person("anna"), cause, gone).await.unwrap();
    triggers::advance(&world.app, at("2027-07-01T00:00:00Z")).await.unwrap();
    assert_eq!(charged(&world)[6], "14.00 EUR");
}

#[tokio::test]
async fn a_price_below_zero_or_for_nobody_is_refused() {
    let world = World::new("2027-01-31T12:00:00Z", &[]);
    world.import(customer()).await;
    let nobody = CustomerPrice { tenant: TenantId::default(), ..price("x", None, None, "1 EUR") };
    for (price, code) in [
        (price("x", None, None, "-1 EUR"), "price_invalid"),
        (price("  ", None, None, "1 EUR"), "price_invalid"),
        (nobody, "not_found"),
    ] {
        let cause = world.app.next_cause("test");
        let refused = world.app.act(person("anna"), cause, move |work| prices::set(work, price.clone())).await;
        assert!(matches!(refused, Err(ops::Error::Refused(ref refusal)) if refusal.code == code), "{refused:?}");
    }
}

/// A subscription of a year or more in cycles, renewed so that its first charge is told.
fn instalments(term: u32, cycle: &str, price: &str, quantity: i64) -> (Terms, Subscription, Vec<Draft>, Money) {
    let terms = Terms::builtin().unwrap();
    let bought = at("2023-01-31T10:00:00Z");
    let mut profile = profile("license_new", bought, Some(Span::months(term)), cycle);
    let (amount, code) = price.split_once(' ').unwrap();
    profile.unit_price = Some(Money::new(amount.parse().unwrap(), code.parse().unwrap()));
    let price = profile.unit_price.unwrap();
    let standing = begin(&terms, &profile, quantity, bought, bought);
    let sub = Subscription { id: sub_id(1), tenant: TenantId::default(), standing, profile: Arc::new(profile) };
    let due = sub.standing.term_end.unwrap();
    let renewed = renew(&terms, &sub, &Default::default(), Some(price), due).unwrap();
    let (mut sub, mut lines) = (renewed.subscription, renewed.lines);
    while sub.standing.cycle_end != sub.standing.term_end {
        let due = sub.standing.cycle_end.unwrap();
        let charged = charge_cycle(&terms, &sub, Some(price), due).unwrap();
        (sub, lines) = (charged.subscription, [lines, charged.lines].concat());
    }
    (terms, sub, lines, price)
}

#[test]
fn instalments_add_up_to_the_price_of_the_term_and_the_last_has_the_remainder() {
    for (term, cycle, price, quantity, count, each, last, whole) in [
        (12, "monthly", "10.08 EUR", 10, 12, "100.80", "100.80", "1209.60"),
        (12, "monthly", "8.3333 EUR", 1, 12, "8.33", "8.36", "99.99"),
        (12, "monthly", "0.0083 EUR", 7, 12, "0.05", "0.14", "0.69"),
        (36, "annual", "33.335 EUR", 1, 3, "33.33", "33.34", "100.00"),
        (36, "triennial", "100.005 EUR", 1, 1, "100.00", "100.00", "100.00"),
        (12, "monthly", "83.5 JPY", 3, 12, "250", "256", "3006"),
    ] {
        let (terms, sub, lines, price) = instalments(term, cycle, price, quantity);
        let amounts: Vec<Decimal> = lines.iter().map(|line| line.amount).collect();
        let told = format!("{term} {cycle} {price}: {amounts:?}");
        assert_eq!(amounts.len(), count, "{told}");
        assert!(amounts[..count - 1].iter().all(|amount| amount.to_string() == each), "{told}");
        assert_eq!(amounts[count - 1].to_string(), last, "{told}");
        assert_eq!(amounts.iter().sum::<Decimal>().to_string(), whole, "{told}");
        // The same cut holds at the customer's price: here twice the cost.
        let twice = price.times(Decimal::TWO).unwrap();
        let own: Decimal = lines
            .iter()
            .enumerate()
            .map(|(index, line)| {
                let mut then = sub.clone();
                then.standing.cycle_start = Some(line.period_start);
                then.standing.cycle_end = Some(line.period_end);
                assert_eq!(line.kind == ChargeType::Renew, index == 0);
                at_price(&terms, &then, line, twice).unwrap().amount
            })
            .sum();
        let term_price = twice.times(Decimal::from(count)).unwrap().times(Decimal::from(quantity)).unwrap();
        let term_price = term_price.rounded(bursar::domain::money::Rounding::Truncate).amount;
        assert_eq!(own, term_price, "{told}");
    }
}
