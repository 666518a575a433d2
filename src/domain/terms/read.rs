//! Reads terms files and lays one over another. Every error says where it is and what was expected there.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::row::{Row, meet};
use super::{
    AfterTerm, CancellationRule, Family, KeyRule, Place, QuantityRule, RenewalRule, RoundingRules, SuspensionRule,
    TermEnd, TermsError, Visibility, Window,
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
    #[serde(default)]
    visibility: Vec<Spanned<Visibility>>,
    #[serde(default)]
    key: Vec<Spanned<KeyRule>>,
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
    family.term_end = sheet.term_end.unwrap_or(family.term_end);
    if let Some(cycles) = sheet.billing_cycles {
        family.billing_cycles = cycles;
    }
    let file = File { path, text };
    file.rows(&mut family.windows, sheet.window);
    file.rows(&mut family.renewals, sheet.renewal);
    file.rows(&mut family.visibilities, sheet.visibility);
    file.rows(&mut family.keys, sheet.key);
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
        term_end: TermEnd::default(),
        billing_cycles: Vec::new(),
        windows: Vec::new(),
        renewals: Vec::new(),
        cancellation: None,
        suspension: None,
        quantity: None,
        after_term: None,
        rounding: RoundingRules::default(),
        visibilities: Vec::new(),
        keys: Vec::new(),
    }
}

/// A file that is being read.
#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    /// Lays rows over the known ones: the same rule id replaces, another one is added.
    fn rows<T: Row>(self, known: &mut Vec<T>, fresh: Vec<Spanned<T>>) {
        for spanned in fresh {
            let place = place(self.path, self.text, spanned.span().start);
            let mut row = spanned.into_inner();
            row.put(place);
            match known.iter_mut().find(|known| known.rule() == row.rule()) {
                Some(known) => *known = row,
                None => known.push(row),
            }
        }
    }
}

/// Two rows that hold for the same dates would make the file's order a rule nobody wrote down.
fn overlaps(family: &Family, wrong: &mut Vec<TermsError>) {
    overlap(&family.windows, wrong);
    overlap(&family.renewals, wrong);
    overlap(&family.visibilities, wrong);
    overlap(&family.keys, wrong);
}

fn overlap<T: Row>(rows: &[T], wrong: &mut Vec<TermsError>) {
    for (index, one) in rows.iter().enumerate() {
        for other in rows.iter().skip(index + 1) {
            if one.clashes(other) && meet(one.dates(), other.dates()) {
                let (rules, what) = (format!("{} and {}", one.rule(), other.rule()), T::DATED_BY.as_str());
                let expected = format!("dates that no other row has: {rules} both hold for some {what}");
                wrong.push(TermsError { place: other.place().clone(), expected });
            }
        }
    }
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
