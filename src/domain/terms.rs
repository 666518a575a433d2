//! Terms: the rules of a family as dated data.
//!
//! A family is one TOML file: windows, renewal, suspension, seats, what follows the term, rounding; each row with the
//! id of its rule and where it is written. Nothing here names a family: a new one is a new file and its golden cases.
//! It never reads a file; the text comes in.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::change::{Kind, Reason};
use super::ledger::ChargeType;
use super::{Instant, Span};

mod read;

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

/// How a term's end is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermEnd {
    /// The last day counts whole; the next term begins at 00:00Z of the day after.
    #[default]
    InclusiveDay,
    /// To the second.
    Exact,
}

/// How the end of a window is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The last day counts whole: the window closes at 00:00Z of the day after.
    EndOfDayUtc,
    /// To the microsecond.
    Exact,
}

/// What a cancellation inside the window gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refund {
    /// What the cycle cost.
    Full,
    /// The part of the cycle from the day of the event to the cycle's end, both counted.
    Prorated,
    /// Nothing.
    Nothing,
}

/// What a request to cancel means once the window is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// It is refused.
    #[default]
    Refused,
    /// It switches auto-renew off; the term runs out.
    StopRenewal,
}

/// A dated window: until when a change of the present term is possible, and for what refund.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// The kinds of change it bounds: cancellation, and quantity for batches of seats.
    #[serde(default = "read::cancellation")]
    pub covers: Vec<Kind>,
    /// The billing cycles it holds for; empty: any.
    #[serde(default)]
    pub billing: Vec<String>,
    /// First purchase or renewal it holds for; none: open to the past.
    #[serde(default, deserialize_with = "read::date")]
    pub from: Option<Instant>,
    /// First purchase or renewal it no longer holds for; none: still in force.
    #[serde(default, deserialize_with = "read::date")]
    pub until: Option<Instant>,
    /// How long it is open.
    pub length: Span,
    /// How its end is counted.
    pub end: End,
    /// What a cancellation gives back.
    pub refund: Refund,
    /// Everything comes back when asked within this time of the opening.
    #[serde(default)]
    pub full_within: Option<Span>,
    /// What a request means once it is closed.
    #[serde(default)]
    pub late: Late,
    /// Partner Center's code for a late request.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

impl Window {
    /// The first instant too late, for a window opened then; none beyond the calendar.
    pub fn closes(&self, opened: Instant) -> Option<Instant> {
        match self.end {
            End::Exact => self.length.after(opened),
            End::EndOfDayUtc => Span::days(1).after(midnight(self.length.after(opened)?)),
        }
    }

    /// Whether it was opened so recently that everything comes back.
    pub fn is_full(&self, opened: Instant, now: Instant) -> bool {
        match self.refund {
            Refund::Full => true,
            Refund::Nothing => false,
            Refund::Prorated => self.full_within.and_then(|span| span.after(opened)).is_some_and(|late| now < late),
        }
    }

    fn holds(&self, kind: Kind, billing: &str, at: Instant) -> bool {
        self.covers.contains(&kind)
            && (self.billing.is_empty() || self.billing.iter().any(|known| known == billing))
            && dated(self.from, self.until, at)
    }
}

/// Whether subscriptions bought in a span of dates renew.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First purchase it holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub from: Option<Instant>,
    /// First purchase it no longer holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub until: Option<Instant>,
    /// Whether it renews, unless auto-renew is switched off.
    pub renews: bool,
    /// Partner Center's code when it does not.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// Cancellation, beside its windows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancellationRule {
    /// The rule on reasons.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// The reasons it may have.
    pub reasons: Vec<Reason>,
    /// The rule that refuses where there is no window.
    pub none: String,
    /// Partner Center's code for it.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
}

/// Suspension.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspensionRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// Whether it is possible.
    pub allowed: bool,
    /// The reasons it may have.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// Whether billing cycles go on while it lasts.
    #[serde(default)]
    pub billing_continues: bool,
    /// Data is deleted at the end of this day after the suspension (counted in whole UTC days); none: at the term's end.
    #[serde(default)]
    pub delete_after: Option<Span>,
    /// Partner Center's code where it is not possible.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
}

/// When seats may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At any time.
    AnyTime,
    /// While the window of those seats is open.
    Window,
    /// Not at all.
    Never,
}

/// Seats.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantityRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// When there may be more.
    pub increase: When,
    /// When there may be fewer.
    pub decrease: When,
    /// Least seats.
    #[serde(default = "read::one")]
    pub minimum: i64,
    /// Most seats.
    #[serde(default = "read::million")]
    pub maximum: i64,
    /// Partner Center's code when refused.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
}

/// What follows a term that was not renewed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AfterTerm {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// How long it is expired before it is disabled.
    pub expired_for: Span,
    /// How much longer it is disabled when it was suspended at the term's end.
    pub suspended_for: Span,
    /// How long it is disabled before it is deleted.
    pub disabled_for: Span,
}

/// How an amount that does not come out even is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// The whole amount, cut off toward zero.
    #[default]
    TotalTrunc,
    /// The price of one seat, cut off toward zero, then times the seats.
    UnitTrunc,
    /// The whole amount, to the nearest.
    HalfUp,
}

/// Which charge types are cut how; a type that is not named is `total_trunc`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundingRules {
    /// The whole amount cut off.
    #[serde(default)]
    pub total_trunc: Vec<ChargeType>,
    /// The price of one seat cut off.
    #[serde(default)]
    pub unit_trunc: Vec<ChargeType>,
    /// The whole amount to the nearest.
    #[serde(default)]
    pub half_up: Vec<ChargeType>,
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
    /// Whether what is sold is software: who may buy, manage and cancel it differs (ROLE).
    pub software: bool,
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
}

impl Family {
    /// The window of a kind of change for a term (or batch of seats) bought or renewed then.
    pub fn window(&self, kind: Kind, billing: &str, at: Instant) -> Option<&Window> {
        self.windows.iter().find(|window| window.holds(kind, billing, at))
    }

    /// The renewal rule for a purchase of then.
    pub fn renewal(&self, purchased: Instant) -> Option<&RenewalRule> {
        self.renewals.iter().find(|rule| dated(rule.from, rule.until, purchased))
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

fn dated(from: Option<Instant>, until: Option<Instant>, at: Instant) -> bool {
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}
