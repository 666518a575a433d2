//! What a country's law requires stands over the windows for customers billed there, by its own dates, and for nobody
//! else (XLAW). No real law is written anywhere here.

use std::sync::Arc;

use bursar::domain::calendar::{instant, show};
use bursar::domain::lifecycle::terms_quote;
use bursar::domain::terms::Terms;
use bursar::domain::{Quote, Span};

/// A made-up country's law for software subscriptions and for Linux plans, from 2023 to the end of 2024.
const SUBSCRIPTIONS: &str = r#"
family = "software_subscription"
[[law]]
rule = "XLAW-XA"
source = "Act on Second Thoughts, section 4"
country = "XA"
overrides = ["W7s"]
from = 2023-01-01
until = 2025-01-01
length = "P14D"
end = "end_of_day_utc"
refund = "full"
"#;
const LINUX: &str = r#"
family = "linux_plan"
[[law]]
rule = "XLAW-XA"
country = "XA"
overrides = ["XSUSE"]
from = 2023-01-01
length = "PT48H"
end = "exact"
"#;

fn terms() -> Arc<Terms> {
    Arc::new(Terms::builtin().unwrap().with_rows(&[("terms/a.toml", SUBSCRIPTIONS), ("terms/b.toml", LINUX)]).unwrap())
}

fn asked(terms: &Terms, family: &str, bought: &str, at: &str) -> String {
    let price = "365 EUR".parse().unwrap();
    let (bought, at) = (instant(bought).unwrap(), instant(at).unwrap());
    told(&terms_quote(terms, family, bought, at, price, 1, Span::months(12), "annual"))
}

fn told(quote: &Quote) -> String {
    let until = quote.allowed_until.map(show).unwrap_or_default();
    let refund = quote.refund.map(|refund| refund.to_string()).unwrap_or_default();
    format!("{} {} {until} {refund}", quote.allowed, quote.rule).trim_end().to_owned()
}

#[test]
fn a_law_gives_its_own_window_and_refund_to_its_own_country() {
    let terms = terms();
    let there = terms.in_country("XA");
    let bought = "2023-06-01T10:00:00Z";
    let last = "2023-06-15T23:59:59.999999Z";
    let late = "2023-06-16T00:00:00Z";
    let family = "software_subscription";
    assert_eq!(asked(&there, family, bought, last), "true XLAW-XA 2023-06-16T00:00:00Z 365.00 EUR");
    assert_eq!(asked(&there, family, bought, late), "false XLAW-XA 2023-06-16T00:00:00Z");
    for elsewhere in [&terms, &terms.in_country("XB"), &terms.in_country("")] {
        assert_eq!(asked(elsewhere, family, bought, last), "false W7s 2023-06-08T10:00:00Z");
    }
}

#[test]
fn a_law_holds_for_purchases_of_its_dates_and_over_the_rules_it_names() {
    let there = terms().in_country("XA");
    let family = "software_subscription";
    let week_later = |bought: &str| {
        let at = Span::days(8).after(instant(bought).unwrap()).unwrap();
        asked(&there, family, bought, &show(at))
    };
    assert_eq!(week_later("2022-12-31T23:59:59Z"), "false W7s 2023-01-07T23:59:59Z");
    assert_eq!(week_later("2023-01-01T00:00:00Z"), "true XLAW-XA 2023-01-16T00:00:00Z 365.00 EUR");
    assert_eq!(week_later("2024-12-31T23:59:59Z"), "true XLAW-XA 2025-01-15T00:00:00Z 365.00 EUR");
    assert_eq!(week_later("2025-01-01T00:00:00Z"), "false W7s 2025-01-08T00:00:00Z");
    assert_eq!(week_later("2022-01-01T00:00:00Z"), "true W30-21 2022-02-01T00:00:00Z 357.00 EUR");
}

#[test]
fn a_law_gives_a_window_where_the_family_has_none() {
    let terms = terms();
    let there = terms.in_country("XA");
    let bought = "2023-06-01T10:00:00Z";
    assert_eq!(
        asked(&there, "linux_plan", bought, "2023-06-03T09:59:59Z"),
        "true XLAW-XA 2023-06-03T10:00:00Z 365.00 EUR"
    );
    assert_eq!(asked(&there, "linux_plan", bought, "2023-06-03T10:00:00Z"), "false XLAW-XA 2023-06-03T10:00:00Z");
    assert_eq!(asked(&terms, "linux_plan", bought, "2023-06-01T10:00:00Z"), "false XSUSE");
    assert_eq!(asked(&there, "linux_plan", "2022-12-31T10:00:00Z", "2022-12-31T10:00:00Z"), "false XSUSE");
}

#[test]
fn a_law_that_does_not_fit_its_family_is_told_with_its_place() {
    let wrong = |row: &str| {
        let text = format!("family = \"software_subscription\"\n[[law]]\nrule = \"L\"\n{row}");
        let errors = Terms::builtin().unwrap().with_rows(&[("terms/own.toml", &text)]).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let country = wrong("country = \"xa\"\nlength = \"P1D\"");
    assert_eq!(country, "terms/own.toml:2:1: a country's ISO 3166 code in two capital letters, not 'xa'");
    let unknown = wrong("country = \"XA\"\noverrides = [\"W8\"]\nlength = \"P1D\"");
    assert_eq!(unknown, "terms/own.toml:2:1: rules that the family has (W60, W30-21, W7s, W-none), not 'W8'");
    let lengthless = wrong("country = \"XA\"\noverrides = [\"W-none\"]");
    assert_eq!(lengthless, "terms/own.toml:2:1: a length: the family has no window to take it from");
    assert!(!Terms::builtin().unwrap().knows_laws(), "no law of any country is claimed");
}
