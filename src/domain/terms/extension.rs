//! What follows a term whose auto-renew is off and whose end nobody asked for: it goes on by the month, dearer (EST).

use rust_decimal::Decimal;
use serde::Deserialize;

use super::row::{DatedBy, Row, dated, row};
use super::{Place, read};
use crate::domain::calendar::show;
use crate::domain::{Instant, Span};

/// Terms of these dates that go on by the month instead of running out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionRule {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First purchase or renewal it holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub from: Option<Instant>,
    /// First purchase or renewal it no longer holds for.
    #[serde(default, deserialize_with = "read::date")]
    pub until: Option<Instant>,
    /// The first last day of a term it holds for, at 00:00Z of that day.
    #[serde(default, deserialize_with = "read::date")]
    pub ends_from: Option<Instant>,
    /// How long each extended term is.
    pub length: Span,
    /// How it is billed.
    pub billing_cycle: String,
    /// Per cent over the price of such a term.
    pub over_listed: Decimal,
    /// Per cent over the share of the present price, where no such term is sold.
    pub over_present: Decimal,
    /// Whether access ends with the term where the end was asked for; else it expires as other terms do.
    #[serde(default)]
    pub asked_end_is_at_once: bool,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

impl ExtensionRule {
    /// Whether it holds for a term bought or renewed then, whose end (the first instant after it) is that.
    pub(in crate::domain) fn holds(&self, opened: Instant, term_end: Instant) -> bool {
        // The last day counts: an end at midnight belongs to the day before.
        dated(self.from, self.until, opened) && self.ends_from.is_none_or(|first| first < term_end)
    }
}

row!(ExtensionRule, "extension", Purchase, |_, _| true, |row| {
    let ends = row.ends_from.map(|from| format!(", its last day on or after {}", show(from))).unwrap_or_default();
    let asked = if row.asked_end_is_at_once { "; an end that was asked for ends access with the term" } else { "" };
    format!(
        "without auto-renew{ends}: goes on by {}, billed {}, {} % over the price of such a term ({} % over the present one's where none is sold), may be cancelled at any time{asked}",
        row.length, row.billing_cycle, row.over_listed, row.over_present
    )
});
