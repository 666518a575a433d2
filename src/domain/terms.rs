//! Terms: the rules of a family as dated data.
//!
//! A family is one TOML file: windows, renewal, suspension, seats, what follows the term, rounding, what is shown, keys;
//! each row with the id of its rule and where it is written. Nothing here names a family: a new one is a new file and its golden cases.
//! It never reads a file; the text comes in.

use std::collections::BTreeMap;

use super::Instant;
use super::change::Kind;
use super::ledger::ChargeType;

mod billing;
mod cancellation;
mod keys;
mod read;
mod row;
mod rules;
mod visibility;
mod windows;

pub use billing::{Cut, RoundingRules};
pub use cancellation::CancellationRule;
pub use keys::{Delivery, KeyRule, Reader, Sight};
pub use row::{DatedBy, Told};
pub use rules::{AfterTerm, QuantityRule, RenewalRule, SuspensionRule, TermEnd, When};
pub use visibility::{List, Visibility, is_software, listed};
pub use windows::{End, Late, Refund, Window};

/// Where a rule is written in a terms file, for messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file.
    pub file: String,
    /// Line, from one.
    pub line: usize,
    /// Column, from one.
    pub column: usize,
}

/// What is wrong with a terms file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}:{}: {expected}", place.file, place.line, place.column)]
pub struct TermsError {
    /// Where.
    pub place: Place,
    /// What was expected there.
    pub expected: String,
}

/// The rules of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name, `software_subscription`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// The code that every change is refused with, where the family takes none.
    pub refuses: Option<String>,
    /// How a term's end is counted.
    pub term_end: TermEnd,
    /// The billing cycles a next term may have; empty: any known one.
    pub billing_cycles: Vec<String>,
    /// The windows, in the order of the file.
    pub windows: Vec<Window>,
    /// Renewal by date of purchase.
    pub renewals: Vec<RenewalRule>,
    /// Cancellation beside its windows; none: never.
    pub cancellation: Option<CancellationRule>,
    /// Suspension; none: never.
    pub suspension: Option<SuspensionRule>,
    /// Seats; none: never.
    pub quantity: Option<QuantityRule>,
    /// What follows a term; none: nothing by itself.
    pub after_term: Option<AfterTerm>,
    /// Rounding.
    pub rounding: RoundingRules,
    /// In which lists a purchase is shown, by its date.
    pub visibilities: Vec<Visibility>,
    /// Keys and downloads, by the date of the act.
    pub keys: Vec<KeyRule>,
}

impl Family {
    /// The window of a kind of change for a term (or batch of seats) bought or renewed then.
    pub fn window(&self, kind: Kind, billing: &str, at: Instant) -> Option<&Window> {
        self.windows.iter().find(|window| window.holds(kind, billing, at))
    }

    /// The renewal rule for a purchase of then.
    pub fn renewal(&self, purchased: Instant) -> Option<&RenewalRule> {
        self.renewals.iter().find(|rule| row::dated(rule.from, rule.until, purchased))
    }

    /// Every dated row, in the order of the tables, as it is told.
    pub fn told(&self) -> Vec<Told> {
        let mut told: Vec<Told> = self.windows.iter().map(Told::of).collect();
        told.extend(self.renewals.iter().map(Told::of));
        told.extend(self.visibilities.iter().map(Told::of));
        told.extend(self.keys.iter().map(Told::of));
        told
    }

    /// How a charge type is cut.
    pub fn cut(&self, kind: ChargeType) -> Cut {
        if self.rounding.unit_trunc.contains(&kind) {
            Cut::UnitTrunc
        } else if self.rounding.half_up.contains(&kind) {
            Cut::HalfUp
        } else {
            Cut::TotalTrunc
        }
    }
}

/// Every family there is.
#[derive(Debug, Clone)]
pub struct Terms {
    files: Vec<(String, String)>,
    families: BTreeMap<String, Family>,
    unknown: Family,
    hash: String,
}

/// Only their text: nothing in here knows one from another.
const BUILTIN: [(&str, &str); 7] = [
    ("terms/license_new.toml", include_str!("../../policies/terms/license_new.toml")),
    ("terms/linux_plan.toml", include_str!("../../policies/terms/linux_plan.toml")),
    ("terms/on_premises_software.toml", include_str!("../../policies/terms/on_premises_software.toml")),
    ("terms/saas_license.toml", include_str!("../../policies/terms/saas_license.toml")),
    ("terms/software_perpetual.toml", include_str!("../../policies/terms/software_perpetual.toml")),
    ("terms/software_subscription.toml", include_str!("../../policies/terms/software_subscription.toml")),
    ("terms/unknown.toml", include_str!("../../policies/terms/unknown.toml")),
];

impl Terms {
    /// The terms that come with Bursar.
    ///
    /// # Errors
    /// Where a file that is compiled in does not hold together: the first thing wrong.
    pub fn builtin() -> Result<Terms, TermsError> {
        let files = BUILTIN.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
        Terms::assemble(files).map_err(|mut wrong| wrong.swap_remove(0))
    }

    /// These terms with a library's own files over them: a row replaces the row with the same rule id, a table the
    /// whole table; a family of another name is added.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn with_rows(self, overlay: &[(&str, &str)]) -> Result<Terms, Vec<TermsError>> {
        let mut files = self.files;
        files.extend(overlay.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        Terms::assemble(files)
    }

    fn assemble(files: Vec<(String, String)>) -> Result<Terms, Vec<TermsError>> {
        let families = read::families(&files)?;
        let unknown = families.get("unknown").cloned().ok_or_else(|| {
            let expected = "a family 'unknown' for what is not known".to_owned();
            vec![TermsError { place: Place::default(), expected }]
        })?;
        let mut hasher = blake3::Hasher::new();
        for (path, text) in &files {
            for part in [path, text] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        let hash = hasher.finalize().to_hex().to_string();
        Ok(Terms { files, families, unknown, hash })
    }

    /// The family of this name, or `unknown`.
    pub fn family(&self, name: &str) -> &Family {
        self.families.get(name).unwrap_or(&self.unknown)
    }

    /// Every family, by name.
    pub fn families(&self) -> impl Iterator<Item = &Family> {
        self.families.values()
    }

    /// BLAKE3 of every file's path and text, hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The files they were read from: path and text, later ones over earlier ones.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }
}

/// 00:00Z of the instant's day.
pub(crate) fn midnight(at: Instant) -> Instant {
    at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc()
}
