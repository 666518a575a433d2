//! Reads terms files and lays one over another. Every error says where it is and what was expected there.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::row::{Row, meet};
use super::{
    AfterTerm, Asking, CancellationRule, ExtensionRule, Family, KeyRule, Law, LiabilityRule, Place, ProcessingRule,
    QuantityRule, RenewalRule, RoundingRules, SuspensionRule, TermEnd, TermsError, UpdatesRule, Visibility, Window,
    begin, change,
};
use crate::domain::calendar::{self, Instant};
use crate::domain::catalog::selling::Selling;
use crate::domain::change::Kind;
use crate::domain::ledger::BillingProvider;
use crate::domain::tax::Tax;

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
    cancellation: Option<Spanned<CancellationRule>>,
    suspension: Option<Spanned<SuspensionRule>>,
    quantity: Option<Spanned<QuantityRule>>,
    after_term: Option<Spanned<AfterTerm>>,
    #[serde(default)]
    extension: Vec<Spanned<ExtensionRule>>,
    #[serde(default)]
    processing: Vec<Spanned<ProcessingRule>>,
    updates: Option<Spanned<UpdatesRule>>,
    #[serde(default)]
    liability: Vec<Spanned<LiabilityRule>>,
    rounding: Option<RoundingRules>,
    billing_provider: Option<BillingProvider>,
    #[serde(default)]
    visibility: Vec<Spanned<Visibility>>,
    #[serde(default)]
    key: Vec<Spanned<KeyRule>>,
    #[serde(default)]
    asking: Vec<Spanned<Asking>>,
    #[serde(default)]
    law: Vec<Spanned<Law>>,
    activation: Option<Spanned<begin::ActivationRule>>,
    trial: Option<Spanned<begin::TrialRule>>,
    add_on: Option<Spanned<begin::AddOnRule>>,
    coterm: Option<Spanned<begin::CotermRule>>,
    schedule: Option<Spanned<change::ScheduleRule>>,
    #[serde(default)]
    billing_plan: Vec<Spanned<change::BillingPlanRule>>,
    upgrade: Option<Spanned<change::UpgradeRule>>,
    deprovision: Option<Spanned<change::DeprovisionRule>>,
}

/// Reads every file, later ones over earlier ones, and checks what came out.
pub(super) fn everything(files: &[(String, String)]) -> Result<(BTreeMap<String, Family>, Tax), Vec<TermsError>> {
    let mut families = BTreeMap::new();
    let mut tax = Tax::default();
    let mut wrong = Vec::new();
    for (path, text) in files {
        if path.ends_with("tax.toml") && !path.contains("terms/") {
            tax.lay(path, text, &mut wrong);
            continue;
        }
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
    tax.overlaps(&mut wrong);
    if wrong.is_empty() { Ok((families, tax)) } else { Err(wrong) }
}

/// Reads the rules of selling, later files over earlier ones.
pub(super) fn selling(files: &[(String, String)]) -> Result<Selling, Vec<TermsError>> {
    let mut selling = Selling::default();
    let mut wrong = Vec::new();
    for (path, text) in files {
        if let Err((offset, expected)) = selling.lay(text) {
            wrong.push(TermsError { place: place(path, text, offset), expected });
        }
    }
    if wrong.is_empty() { Ok(selling) } else { Err(wrong) }
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
    file.rows(&mut family.askings, sheet.asking);
    file.rows(&mut family.laws, sheet.law);
    file.table(&mut family.cancellation, sheet.cancellation);
    file.table(&mut family.suspension, sheet.suspension);
    file.table(&mut family.quantity, sheet.quantity);
    file.table(&mut family.after_term, sheet.after_term);
    file.rows(&mut family.extensions, sheet.extension);
    file.rows(&mut family.processing, sheet.processing);
    file.table(&mut family.updates, sheet.updates);
    file.rows(&mut family.liabilities, sheet.liability);
    if let Some(rounding) = sheet.rounding {
        family.rounding = rounding;
    }
    family.billing_provider = sheet.billing_provider.unwrap_or(family.billing_provider);
    file.table(&mut family.activation, sheet.activation);
    file.table(&mut family.trial, sheet.trial);
    file.table(&mut family.add_on, sheet.add_on);
    file.table(&mut family.coterm, sheet.coterm);
    file.table(&mut family.schedule, sheet.schedule);
    file.table(&mut family.upgrade, sheet.upgrade);
    file.table(&mut family.deprovision, sheet.deprovision);
    file.rows(&mut family.billing_plans, sheet.billing_plan);
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
        extensions: Vec::new(),
        processing: Vec::new(),
        updates: None,
        liabilities: Vec::new(),
        rounding: RoundingRules::default(),
        billing_provider: BillingProvider::default(),
        visibilities: Vec::new(),
        keys: Vec::new(),
        askings: Vec::new(),
        laws: Vec::new(),
        activation: None,
        trial: None,
        add_on: None,
        coterm: None,
        schedule: None,
        billing_plans: Vec::new(),
        upgrade: None,
        deprovision: None,
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

impl File<'_> {
    /// A table of a later file replaces the whole table.
    fn table<T: Row>(self, known: &mut Option<T>, fresh: Option<Spanned<T>>) {
        if let Some(spanned) = fresh {
            let place = place(self.path, self.text, spanned.span().start);
            let mut row = spanned.into_inner();
            row.put(place);
            *known = Some(row);
        }
    }
}

/// Two rows that hold for the same dates would make the file's order a rule nobody wrote down.
fn overlaps(family: &Family, wrong: &mut Vec<TermsError>) {
    overlap(&family.windows, wrong);
    overlap(&family.renewals, wrong);
    overlap(&family.extensions, wrong);
    overlap(&family.processing, wrong);
    overlap(&family.liabilities, wrong);
    overlap(&family.visibilities, wrong);
    overlap(&family.keys, wrong);
    overlap(&family.askings, wrong);
    overlap(&family.laws, wrong);
    overlap(&family.billing_plans, wrong);
    for law in &family.laws {
        wrong.extend(law.wrong(family).map(|expected| TermsError { place: law.place.clone(), expected }));
    }
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

/// Where an offset of a file's text is.
pub(in crate::domain) fn place(path: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    Place { file: path.to_owned(), line, column }
}

/// A date (midnight UTC) or an instant with its offset, as TOML writes them.
pub(in crate::domain) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Instant>, D::Error> {
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

pub(super) fn yes() -> bool {
    true
}

pub(super) fn one() -> i64 {
    1
}

pub(super) fn million() -> i64 {
    1_000_000
}
