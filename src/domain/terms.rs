//! Terms: the rules of a family as dated data.
//!
//! A family is one TOML file: windows, renewal, suspension, seats, what follows the term, rounding, what is shown, keys;
//! each row with the id of its rule and where it is written. Nothing here names a family: a new one is a new file and its golden cases.
//! It never reads a file; the text comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Instant;
use super::catalog::selling::Selling;
use super::change::Kind;
use super::ledger::{BillingProvider, ChargeType};
use super::subscription::Profile;
use super::tax::Tax;

pub mod begin;
mod billing;
mod cancellation;
pub mod change;
mod extension;
mod keys;
mod law;
mod liability;
mod processing;
mod read;
mod row;
mod rules;
mod visibility;
mod windows;

pub use billing::{Cut, RoundingRules};
pub use cancellation::{Asking, CancellationRule, Need, Path, Tells, credited_in};
pub use extension::ExtensionRule;
pub use keys::{Delivery, KeyRule, Reader, Sight};
pub use law::Law;
pub use liability::LiabilityRule;
pub use processing::{ProcessingRule, UpdatesRule};
pub use row::{DatedBy, Told};
pub use rules::{AfterTerm, QuantityRule, RenewalRule, SeatCharge, SuspensionRefund, SuspensionRule, TermEnd, When};
pub use visibility::{List, Visibility, is_software, listed};
pub use windows::{End, Late, Refund, Window};

pub(super) use read::{date as read_date, place};
pub(super) use row::dated;

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
    /// Terms that go on by the month where nobody asked for their end, by date of purchase or renewal.
    pub extensions: Vec<ExtensionRule>,
    /// What waits while the end of a term or billing cycle is processed, by the date of the act.
    pub processing: Vec<ProcessingRule>,
    /// The most changes of one subscription; none: any number.
    pub updates: Option<UpdatesRule>,
    /// Who owes the rest of a term, by date of purchase or renewal.
    pub liabilities: Vec<LiabilityRule>,
    /// Rounding.
    pub rounding: RoundingRules,
    /// Which invoice its lines stand on.
    pub billing_provider: BillingProvider,
    /// In which lists a purchase is shown, by its date.
    pub visibilities: Vec<Visibility>,
    /// Keys and downloads, by the date of the act.
    pub keys: Vec<KeyRule>,
    /// How a cancellation is asked for, by the date of the act.
    pub askings: Vec<Asking>,
    /// What countries' laws require instead of the windows, by date of purchase or renewal.
    pub laws: Vec<Law>,
    /// Waiting for the publisher; none: what is bought is active at once.
    pub activation: Option<begin::ActivationRule>,
    /// Trials; none: there are none.
    pub trial: Option<begin::TrialRule>,
    /// Add-ons of a base; none: nothing follows a base.
    pub add_on: Option<begin::AddOnRule>,
    /// First terms aligned to another date; none: never.
    pub coterm: Option<begin::CotermRule>,
    /// Instructions for the next term; none: never.
    pub schedule: Option<change::ScheduleRule>,
    /// Changes of the billing plan inside a term.
    pub billing_plans: Vec<change::BillingPlanRule>,
    /// Upgrades inside a term; none: never.
    pub upgrade: Option<change::UpgradeRule>,
    /// The end of what is paid by use; none: it is cancelled instead.
    pub deprovision: Option<change::DeprovisionRule>,
}

impl Family {
    /// The window of a kind of change for a term (or batch of seats) of this plan bought or renewed then: the one that
    /// names its offer, else the one that names none.
    pub fn window(&self, kind: Kind, profile: &Profile, at: Instant) -> Option<&Window> {
        let mut holding = self.windows.iter().filter(|window| window.holds(kind, &profile.billing_cycle, at));
        let named = holding.clone().find(|window| window.is_for(&profile.offer_name));
        named.or_else(|| holding.find(|window| window.names.is_empty()))
    }

    /// Whether what it sells is paid by use: it is de-provisioned and not cancelled, and charged no billing cycle (ISVu).
    pub fn is_paid_by_use(&self) -> bool {
        self.deprovision.is_some()
    }

    /// The renewal rule for a purchase of then.
    pub fn renewal(&self, purchased: Instant) -> Option<&RenewalRule> {
        self.renewals.iter().find(|rule| dated(rule.from, rule.until, purchased))
    }

    /// Every row and table, as it is told.
    pub fn told(&self) -> Vec<Told> {
        let mut told: Vec<Told> = self.windows.iter().map(Told::of).collect();
        told.extend(self.renewals.iter().map(Told::of));
        told.extend(self.visibilities.iter().map(Told::of));
        told.extend(self.keys.iter().map(Told::of));
        told.extend(self.askings.iter().map(Told::of));
        told.extend(self.laws.iter().map(Told::of));
        told.extend(self.cancellation.iter().map(Told::of));
        told.extend(self.suspension.iter().map(Told::of));
        told.extend(self.quantity.iter().map(Told::of));
        told.extend(self.after_term.iter().map(Told::of));
        told.extend(self.extensions.iter().map(Told::of));
        told.extend(self.processing.iter().map(Told::of));
        told.extend(self.updates.iter().map(Told::of));
        told.extend(self.liabilities.iter().map(Told::of));
        told.extend(self.activation.iter().map(Told::of));
        told.extend(self.trial.iter().map(Told::of));
        told.extend(self.add_on.iter().map(Told::of));
        told.extend(self.coterm.iter().map(Told::of));
        told.extend(self.schedule.iter().map(Told::of));
        told.extend(self.billing_plans.iter().map(Told::of));
        told.extend(self.upgrade.iter().map(Told::of));
        told.extend(self.deprovision.iter().map(Told::of));
        told
    }

    /// The rows in force for what is bought or done then, every row without a date; a window that a country's law stands
    /// over then is not among them.
    pub fn told_at(&self, at: Option<Instant>) -> Vec<Told> {
        let Some(at) = at else { return self.told() };
        let of_law = |window: &&Window| self.laws.iter().any(|law| law.place == window.place);
        let hidden = |told: &Told| {
            let own = self.windows.iter().find(|window| window.place == told.place && !of_law(window));
            own.is_some_and(|own| {
                let same = |law: &Window| {
                    (&law.covers, &law.billing, &law.names) == (&own.covers, &own.billing, &own.names)
                        && dated(law.from, law.until, at)
                };
                self.windows.iter().filter(of_law).any(same)
            })
        };
        self.told().into_iter().filter(|told| told.holds(at) && !hidden(told)).collect()
    }

    /// The row of a rule for what was bought at an instant: the dated row, or the table whose rule it is.
    pub fn row_of(&self, rule: &str, purchased: Instant) -> Option<Told> {
        let named = |told: &Told| told.rule == rule && (told.holds(purchased) || told.dated_by != DatedBy::Purchase);
        let none = self.cancellation.as_ref().filter(|table| table.none == rule).map(Told::of);
        self.windows_told(rule, purchased).or(none).or_else(|| self.told().into_iter().find(named))
    }

    fn windows_told(&self, rule: &str, purchased: Instant) -> Option<Told> {
        let mut named = self.windows.iter().map(Told::of).filter(|told| told.rule == rule);
        named.clone().find(|told| told.holds(purchased)).or_else(|| named.next_back())
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
    selling: Arc<Selling>,
    families: BTreeMap<String, Family>,
    unknown: Family,
    tax: Tax,
    hash: String,
    abroad: BTreeMap<String, Arc<Terms>>,
}

/// Only their text: nothing in here knows one from another.
const BUILTIN: [(&str, &str); 11] = [
    ("terms/license_legacy.toml", include_str!("../../policies/terms/license_legacy.toml")),
    ("terms/license_new.toml", include_str!("../../policies/terms/license_new.toml")),
    ("terms/linux_plan.toml", include_str!("../../policies/terms/linux_plan.toml")),
    ("terms/on_premises_software.toml", include_str!("../../policies/terms/on_premises_software.toml")),
    ("terms/reservation.toml", include_str!("../../policies/terms/reservation.toml")),
    ("terms/saas_license.toml", include_str!("../../policies/terms/saas_license.toml")),
    ("terms/saas_metered.toml", include_str!("../../policies/terms/saas_metered.toml")),
    ("terms/software_perpetual.toml", include_str!("../../policies/terms/software_perpetual.toml")),
    ("terms/software_subscription.toml", include_str!("../../policies/terms/software_subscription.toml")),
    ("terms/unknown.toml", include_str!("../../policies/terms/unknown.toml")),
    ("tax.toml", include_str!("../../policies/tax.toml")),
];

impl Terms {
    /// The terms that come with Bursar.
    ///
    /// # Errors
    /// Where a file that is compiled in does not hold together: the first thing wrong.
    pub fn builtin() -> Result<Terms, TermsError> {
        let mut files = BUILTIN.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
        files.push(("terms/selling.toml".to_owned(), Selling::SHIPPED.to_owned()));
        Terms::assemble(files).map_err(|mut wrong| wrong.swap_remove(0))
    }

    /// These terms with a library's own files over them: a row replaces the row with the same rule id, a table the
    /// whole table; a family of another name is added. A file `tax.toml` outside `terms/` is the one on tax.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn with_rows(self, overlay: &[(&str, &str)]) -> Result<Terms, Vec<TermsError>> {
        let mut files = self.files;
        files.extend(overlay.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        Terms::assemble(files)
    }

    fn assemble(files: Vec<(String, String)>) -> Result<Terms, Vec<TermsError>> {
        let (rules, sheets): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|(path, _)| Selling::is_file(path));
        let (families, tax) = read::everything(&sheets)?;
        let selling = Arc::new(read::selling(&rules)?);
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
        let countries: BTreeSet<String> =
            families.values().flat_map(Family::law_countries).map(ToOwned::to_owned).collect();
        let mut terms = Terms { files, selling, families, unknown, tax, hash, abroad: BTreeMap::new() };
        for country in countries {
            let families = terms.families.iter().map(|(name, family)| (name.clone(), family.in_country(&country)));
            let there = Terms { families: families.collect(), ..terms.clone() };
            terms.abroad.insert(country, Arc::new(Terms { abroad: BTreeMap::new(), ..there }));
        }
        Ok(terms)
    }

    /// The terms for customers billed in a country (ISO 3166, upper case), as its laws have them (XLAW).
    #[must_use]
    pub fn in_country(self: &Arc<Terms>, country: &str) -> Arc<Terms> {
        Arc::clone(self.abroad.get(country).unwrap_or(self))
    }

    /// Whether any country has a law of its own here.
    pub fn knows_laws(&self) -> bool {
        !self.abroad.is_empty()
    }

    /// The family of this name, or `unknown`.
    pub fn family(&self, name: &str) -> &Family {
        self.families.get(name).unwrap_or(&self.unknown)
    }

    /// The rates of tax.
    pub fn tax(&self) -> &Tax {
        &self.tax
    }

    /// Every family, by name.
    pub fn families(&self) -> impl Iterator<Item = &Family> {
        self.families.values()
    }

    /// The rules of selling: markets, tax, segments, plans, scope, channel.
    pub fn selling(&self) -> &Selling {
        &self.selling
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
