//! Reads terms files and lays one over another. Every error says where it is and what was expected there.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::{
    AfterTerm, CancellationRule, Family, Place, QuantityRule, RenewalRule, RoundingRules, SuspensionRule, TermEnd,
    TermsError, Window,
};
use crate::domain::calendar::{self, Instant};
use crate::domain::change::Kind;

/// A file as written: everything but the name may be left to the file under it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    family: Spanned<String>,
    title: Option<String>,
    refuses: Option<String>,
    software: Option<bool>,
    term_end: Option<TermEnd>,
    billing_cycles: Option<Vec<String>>,
    #[serde(default)]
    window: Vec<Spanned<Window>>,
    #[serde(default)]
    renewal: Vec<Spanned<RenewalRule>>,
    cancellation: Option<CancellationRule>,
    suspension: Option<SuspensionRule>,
    quantity: Option<QuantityRule>,
    after_term: Option<AfterTerm>,
    rounding: Option<RoundingRules>,
}

/// Reads every file, later ones over earlier ones, and checks what came out.
pub(super) fn families(files: &[(String, String)]) -> Result<BTreeMap<String, Family>, Vec<TermsError>> {
    let mut families = BTreeMap::new();
    let mut wrong = Vec::new();
    for (path, text) in files {
        match toml::from_str::<Sheet>(text) {
            Ok(sheet) => lay(&mut families, sheet, path, text, &mut wrong),
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                let expected = error.message().lines().collect::<Vec<_>>().join("; ");
                wrong.push(TermsError { place: place(path, text, offset), expected });
            }
        }
    }
    for family in families.values() {
        overlaps(family, &mut wrong);
    }
    if wrong.is_empty() { Ok(families) } else { Err(wrong) }
}

fn lay(families: &mut BTreeMap<String, Family>, sheet: Sheet, path: &str, text: &str, wrong: &mut Vec<TermsError>) {
    let start = sheet.family.span().start;
    let name = sheet.family.into_inner();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        let expected = format!("a family's name in lower case with underscores, not '{name}'");
        wrong.push(TermsError { place: place(path, text, start), expected });
        return;
    }
    let family = families.entry(name.clone()).or_insert_with(|| blank(&name));
    if let Some(title) = sheet.title {
        family.title = title;
    }
    family.refuses = sheet.refuses.or(family.refuses.take());
    family.software = sheet.software.unwrap_or(family.software);
    family.term_end = sheet.term_end.unwrap_or(family.term_end);
    if let Some(cycles) = sheet.billing_cycles {
        family.billing_cycles = cycles;
    }
    for row in sheet.window {
        let place = place(path, text, row.span().start);
        let window = Window { place, ..row.into_inner() };
        replace(&mut family.windows, window, |row| &row.rule);
    }
    for row in sheet.renewal {
        let place = place(path, text, row.span().start);
        let rule = RenewalRule { place, ..row.into_inner() };
        replace(&mut family.renewals, rule, |row| &row.rule);
    }
    family.cancellation = sheet.cancellation.or(family.cancellation.take());
    family.suspension = sheet.suspension.or(family.suspension.take());
    family.quantity = sheet.quantity.or(family.quantity.take());
    family.after_term = sheet.after_term.or(family.after_term.take());
    if let Some(rounding) = sheet.rounding {
        family.rounding = rounding;
    }
}

fn blank(name: &str) -> Family {
    Family {
        name: name.to_owned(),
        title: name.to_owned(),
        refuses: None,
        software: false,
        term_end: TermEnd::default(),
        billing_cycles: Vec::new(),
        windows: Vec::new(),
        renewals: Vec::new(),
        cancellation: None,
        suspension: None,
        quantity: None,
        after_term: None,
        rounding: RoundingRules::default(),
    }
}

fn replace<T>(rows: &mut Vec<T>, row: T, rule: impl Fn(&T) -> &String) {
    match rows.iter_mut().find(|known| rule(known) == rule(&row)) {
        Some(known) => *known = row,
        None => rows.push(row),
    }
}

/// Two rows that hold for the same purchase would make the file's order a rule nobody wrote down.
fn overlaps(family: &Family, wrong: &mut Vec<TermsError>) {
    let mut clash = |place: &Place, one: &str, other: &str| {
        let expected = format!("dates that no other row has: {one} and {other} both hold for some purchase");
        wrong.push(TermsError { place: place.clone(), expected });
    };
    for (index, one) in family.windows.iter().enumerate() {
        for other in &family.windows[index + 1..] {
            let kinds = one.covers.iter().any(|kind| other.covers.contains(kind));
            let cycles = one.billing.is_empty()
                || other.billing.is_empty()
                || one.billing.iter().any(|cycle| other.billing.contains(cycle));
            if kinds && cycles && meet((one.from, one.until), (other.from, other.until)) {
                clash(&other.place, &one.rule, &other.rule);
            }
        }
    }
    for (index, one) in family.renewals.iter().enumerate() {
        for other in &family.renewals[index + 1..] {
            if meet((one.from, one.until), (other.from, other.until)) {
                clash(&other.place, &one.rule, &other.rule);
            }
        }
    }
}

type Dates = (Option<Instant>, Option<Instant>);

fn meet(one: Dates, other: Dates) -> bool {
    let before = |until: Option<Instant>, from: Option<Instant>| matches!((until, from), (Some(u), Some(f)) if u <= f);
    !before(one.1, other.0) && !before(other.1, one.0)
}

fn place(path: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    Place { file: path.to_owned(), line, column }
}

/// A date (midnight UTC) or an instant with its offset, as TOML writes them.
pub(super) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Instant>, D::Error> {
    let value = toml::value::Datetime::deserialize(deserializer)?;
    let text = match (value.time, value.offset) {
        (None, None) => format!("{value}T00:00:00Z"),
        _ => value.to_string(),
    };
    calendar::instant(&text)
        .map(Some)
        .map_err(|_| serde::de::Error::custom("a date such as 2021-09-27 or an instant such as 2022-03-12T00:00:00Z"))
}

pub(super) fn cancellation() -> Vec<Kind> {
    vec![Kind::Cancellation]
}

pub(super) fn one() -> i64 {
    1
}

pub(super) fn million() -> i64 {
    1_000_000
}
