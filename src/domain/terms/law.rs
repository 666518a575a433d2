//! What a country's law requires instead of a family's own window (XLAW).

use serde::Deserialize;

use super::row::{DatedBy, Row, row, share};
use super::windows::{End, Late, Refund, Window};
use super::{Family, Place};
use crate::domain::{Instant, Kind, Span};

/// A dated row for customers who are billed in one country. What it leaves out stays as the window it stands over says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// The rule's id.
    pub rule: String,
    /// Where it is written: the act and its paragraph.
    #[serde(default)]
    pub source: String,
    /// The ISO 3166 code of the country of the customer's bill, two capital letters.
    pub country: String,
    /// The windows it stands over, by rule id, or the rule that refuses where there is none (`W-none`, `XSUSE`); none
    /// named: every window that bounds a cancellation.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// First purchase or renewal it holds for; none: open to the past.
    #[serde(default, deserialize_with = "super::read::date")]
    pub from: Option<Instant>,
    /// First purchase or renewal it no longer holds for; none: still in force.
    #[serde(default, deserialize_with = "super::read::date")]
    pub until: Option<Instant>,
    /// How long the window is open.
    #[serde(default)]
    pub length: Option<Span>,
    /// How its end is counted.
    #[serde(default)]
    pub end: Option<End>,
    /// What a cancellation gives back.
    #[serde(default)]
    pub refund: Option<Refund>,
    /// Everything comes back when asked within this time of the opening.
    #[serde(default)]
    pub full_within: Option<Span>,
    /// What a request means once it is closed.
    #[serde(default)]
    pub late: Option<Late>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

row!(
    Law,
    "law",
    Purchase,
    |one, other| one.country == other.country && share(&one.overrides, &other.overrides),
    |row| {
        let over = if row.overrides.is_empty() { "every window".to_owned() } else { row.overrides.join(", ") };
        let length = row.length.map(|length| format!("; open for {length}")).unwrap_or_default();
        let refund = match row.refund {
            None => "",
            Some(Refund::Full) => "; everything comes back",
            Some(Refund::Term) => "; everything that the term was charged comes back",
            Some(Refund::Prorated) => "; prorated",
            Some(Refund::Nothing) => "; nothing comes back",
        };
        format!("billed in {}: stands over {over}{length}{refund}", row.country)
    }
);

impl Law {
    fn stands_over(&self, window: &Window) -> bool {
        window.covers.contains(&Kind::Cancellation)
            && (self.overrides.is_empty() || self.overrides.contains(&window.rule))
    }

    /// The window as this law has it, for the dates both hold for; none where they have none in common.
    fn over(&self, window: &Window) -> Option<Window> {
        let from = [self.from, window.from].into_iter().flatten().max();
        let until = [self.until, window.until].into_iter().flatten().min();
        if !self.stands_over(window) || from.zip(until).is_some_and(|(from, until)| until <= from) {
            return None;
        }
        Some(Window {
            rule: self.rule.clone(),
            source: self.source.clone(),
            from,
            until,
            length: self.length.unwrap_or(window.length),
            end: self.end.unwrap_or(window.end),
            refund: self.refund.unwrap_or(window.refund),
            full_within: self.full_within.or(window.full_within),
            late: self.late.unwrap_or(window.late),
            place: self.place.clone(),
            ..window.clone()
        })
    }

    /// The window it gives where the family has none.
    fn alone(&self) -> Option<Window> {
        Some(Window {
            rule: self.rule.clone(),
            source: self.source.clone(),
            covers: vec![Kind::Cancellation],
            billing: Vec::new(),
            names: Vec::new(),
            from: self.from,
            until: self.until,
            length: self.length?,
            end: self.end.unwrap_or(End::EndOfDayUtc),
            refund: self.refund.unwrap_or(Refund::Full),
            full_within: self.full_within,
            late: self.late.unwrap_or_default(),
            partner_center_code: None,
            place: self.place.clone(),
        })
    }

    /// What is wrong with it in its family; none when it holds together.
    pub(super) fn wrong(&self, family: &Family) -> Option<String> {
        let code = self.country.len() == 2 && self.country.bytes().all(|byte| byte.is_ascii_uppercase());
        if !code {
            return Some(format!("a country's ISO 3166 code in two capital letters, not '{}'", self.country));
        }
        let windows: Vec<&str> = family.windows.iter().map(|window| window.rule.as_str()).collect();
        let none = family.cancellation.as_ref().map(|rule| rule.none.as_str());
        let known = |rule: &String| windows.contains(&rule.as_str()) || none == Some(rule.as_str());
        if let Some(unknown) = self.overrides.iter().find(|rule| !known(rule)) {
            let known: Vec<&str> = windows.iter().copied().chain(none).collect();
            return Some(format!("rules that the family has ({}), not '{unknown}'", known.join(", ")));
        }
        (self.gives_where_none(family) && self.length.is_none())
            .then(|| "a length: the family has no window to take it from".to_owned())
    }

    fn gives_where_none(&self, family: &Family) -> bool {
        let none = family.cancellation.as_ref().map(|rule| &rule.none);
        let cancels = family.windows.iter().any(|window| window.covers.contains(&Kind::Cancellation));
        if self.overrides.is_empty() { !cancels } else { none.is_some_and(|none| self.overrides.contains(none)) }
    }
}

impl Family {
    /// The countries with laws of their own.
    pub(super) fn law_countries(&self) -> impl Iterator<Item = &str> {
        self.laws.iter().map(|law| law.country.as_str())
    }

    /// The family for customers billed in a country: what its laws say comes before the family's own windows.
    pub(super) fn in_country(&self, country: &str) -> Family {
        let mut windows = Vec::new();
        for law in self.laws.iter().filter(|law| law.country == country) {
            windows.extend(self.windows.iter().filter_map(|window| law.over(window)));
            windows.extend(law.alone().filter(|_| law.gives_where_none(self)));
        }
        windows.extend(self.windows.iter().cloned());
        Family { windows, ..self.clone() }
    }
}
