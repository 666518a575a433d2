//! Rows about how a subscription begins: activation by its publisher, trials, add-ons, terms aligned to other dates.

use serde::Deserialize;

use super::row::{DatedBy, Row, row};
use super::{Place, read};
use crate::domain::calendar::show;
use crate::domain::{Instant, Span};

/// What is bought waits for its publisher: it is pending until somebody activates it there, and is billed from then.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// The address at the publisher where the order names none; `{subscription}` stands for the id.
    #[serde(default)]
    pub link: String,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// What a trial becomes at its end when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialEnd {
    /// A paid subscription, while auto-renew is on.
    Converts,
    /// It runs out.
    Expires,
}

/// When something of a trial may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuringTrial {
    /// As the rest of the terms say.
    #[default]
    Usual,
    /// At any time before its end.
    AnyTime,
    /// Not before its end.
    Never,
}

/// Trials.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// How long it is; the trial's first day counts.
    pub length: Span,
    /// The seats it has; none: those that were ordered.
    #[serde(default)]
    pub seats: Option<i64>,
    /// What its end makes of it.
    pub at_end: TrialEnd,
    /// Whether a request may convert it before that.
    #[serde(default)]
    pub convertible: bool,
    /// Least seats of a conversion before the end.
    #[serde(default)]
    pub conversion_minimum: Option<i64>,
    /// Seats during the trial.
    #[serde(default)]
    pub quantity: DuringTrial,
    /// Suspending it.
    #[serde(default)]
    pub suspension: DuringTrial,
    /// Cancelling it.
    #[serde(default)]
    pub cancellation: DuringTrial,
    /// The paid term's length; none: the one that was ordered.
    #[serde(default)]
    pub term_duration: Option<Span>,
    /// The paid term's billing cycle; none: the one that was ordered.
    #[serde(default)]
    pub billing_cycle: Option<String>,
    /// Whether the paid term at the end is charged as a renewal (else as a conversion).
    #[serde(default)]
    pub renews: bool,
    /// Partner Center's code for what a trial refuses.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// Add-ons that belong to a base.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddOnRule {
    /// The rule that it needs an active base.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// The rule that aligns its dates to the base's; none: it has a term of its own.
    #[serde(default)]
    pub aligned: Option<String>,
    /// The rule that suspends it with its base; none: it stays as it is.
    #[serde(default)]
    pub suspended: Option<String>,
    /// Partner Center's code where no active base is there to buy it for.
    #[serde(default)]
    pub partner_center_code: Option<u32>,
    /// Partner Center's code where its base is not active.
    #[serde(default)]
    pub inactive_code: Option<u32>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

/// First terms that end with another subscription or a calendar month.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CotermRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First purchase it holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub from: Option<Instant>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

row!(table ActivationRule, "activation", |_| "waits for its publisher; billed from its activation".to_owned());

row!(table TrialRule, "trial", |row| {
    let end = match row.at_end {
        TrialEnd::Converts => "becomes paid at its end while auto-renew is on",
        TrialEnd::Expires => "runs out at its end",
    };
    let seats = row.seats.map(|seats| format!(" of {seats} seats")).unwrap_or_default();
    let sooner = if row.convertible { ", can be converted before" } else { "" };
    format!("{}{seats}, {end}{sooner}", row.length)
});

row!(table AddOnRule, "add_on", |row| {
    let dates = if row.aligned.is_some() { "has its dates" } else { "has dates of its own" };
    let follows = if row.suspended.is_some() { ", is suspended with it" } else { "" };
    format!("needs an active base, {dates}{follows}")
});

row!(table CotermRule, "coterm", |row| {
    let from = row.from.map(|from| format!(", bought from {}", show(from))).unwrap_or_default();
    format!("a first term may end with another subscription or a calendar month{from}")
});
