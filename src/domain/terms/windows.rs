//! Windows: until when a change of the present term is possible, and for what refund.

use serde::Deserialize;

use super::row::{DatedBy, Row, dated, row, share};
use super::{Place, midnight};
use crate::domain::change::Kind;
use crate::domain::{Instant, Span};

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
    /// What the term was charged until then: every cycle of it that has begun.
    Term,
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
    #[serde(default = "super::read::cancellation")]
    pub covers: Vec<Kind>,
    /// The billing cycles it holds for; empty: any.
    #[serde(default)]
    pub billing: Vec<String>,
    /// Words of the names of the offers it holds for, before the windows that name none; empty: every offer.
    #[serde(default)]
    pub names: Vec<String>,
    /// First purchase or renewal it holds for; none: open to the past.
    #[serde(default, deserialize_with = "super::read::date")]
    pub from: Option<Instant>,
    /// First purchase or renewal it no longer holds for; none: still in force.
    #[serde(default, deserialize_with = "super::read::date")]
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
            Refund::Full | Refund::Term => true,
            Refund::Nothing => false,
            Refund::Prorated => self.full_within.and_then(|span| span.after(opened)).is_some_and(|late| now < late),
        }
    }

    pub(super) fn holds(&self, kind: Kind, billing: &str, at: Instant) -> bool {
        self.covers.contains(&kind)
            && (self.billing.is_empty() || self.billing.iter().any(|known| known == billing))
            && dated(self.from, self.until, at)
    }

    /// Whether it is one for this offer by name.
    pub(super) fn is_for(&self, offer_name: &str) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let offer = offer_name.to_lowercase();
        self.names.iter().any(|name| offer.contains(&name.to_lowercase()))
    }
}

row!(
    Window,
    "window",
    Purchase,
    |one, other| {
        let beside = one.names.is_empty() == other.names.is_empty() && share(&one.names, &other.names);
        beside && one.covers.iter().any(|kind| other.covers.contains(kind)) && share(&one.billing, &other.billing)
    },
    Window::told
);

impl Window {
    fn told(&self) -> String {
        let covers: Vec<&str> = self.covers.iter().map(|kind| kind.as_str()).collect();
        let named = if self.names.is_empty() { String::new() } else { format!(" of {}", self.names.join(" or ")) };
        let billed =
            if self.billing.is_empty() { String::new() } else { format!(" when billed {}", self.billing.join(" or ")) };
        let end = match self.end {
            End::EndOfDayUtc => "to the end of the last day (UTC)",
            End::Exact => "to the second",
        };
        let refund = match (self.refund, self.full_within) {
            (Refund::Full, _) => "everything comes back".to_owned(),
            (Refund::Term, _) => "everything that the term was charged comes back".to_owned(),
            (Refund::Nothing, _) => "nothing comes back".to_owned(),
            (Refund::Prorated, None) => "prorated".to_owned(),
            (Refund::Prorated, Some(span)) => format!("everything comes back within {span}, then prorated"),
        };
        let late = match self.late {
            Late::Refused => "later refused",
            Late::StopRenewal => "later it stops the renewal",
        };
        format!("{}{named} for {}{billed}, {end}; {refund}; {late}", covers.join(" and "), self.length)
    }
}
