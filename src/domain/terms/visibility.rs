//! Visibility: in which lists what a customer has bought is shown. Orders show it always (VIS-ord).

use serde::Deserialize;

use super::row::{DatedBy, Row, dated, row};
use super::{Family, Place, Terms};
use crate::domain::{Instant, Subscription};

/// A list of what a customer has bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// Get Subscriptions, and the Subscriptions page.
    Subscriptions,
    /// The Software page.
    Software,
}

impl List {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            List::Subscriptions => "subscriptions",
            List::Software => "software",
        }
    }
}

/// In which lists a purchase of a span of dates is shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visibility {
    /// The rule's id.
    pub rule: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// First purchase it holds for; none: open to the past.
    #[serde(default, deserialize_with = "super::read::date")]
    pub from: Option<Instant>,
    /// First purchase it no longer holds for; none: still in force.
    #[serde(default, deserialize_with = "super::read::date")]
    pub until: Option<Instant>,
    /// Whether it holds for what has a term, or for what has none; none: for both.
    #[serde(default)]
    pub with_term: Option<bool>,
    /// The lists.
    pub lists: Vec<List>,
    /// Where it stands in its file.
    #[serde(skip)]
    pub place: Place,
}

row!(
    Visibility,
    "visibility",
    Purchase,
    |one, other| one.with_term.is_none() || other.with_term.is_none() || one.with_term == other.with_term,
    |row| {
        let lists: Vec<&str> = row.lists.iter().map(|list| list.as_str()).collect();
        let lists = if lists.is_empty() { "orders alone".to_owned() } else { format!("orders, {}", lists.join(", ")) };
        let what = match row.with_term {
            None => "",
            Some(true) => "with a term ",
            Some(false) => "without a term ",
        };
        format!("{what}shown in {lists}")
    }
);

impl Family {
    /// The row on the lists that show a purchase of then.
    pub fn visibility(&self, purchased: Instant, has_term: bool) -> Option<&Visibility> {
        self.visibilities
            .iter()
            .find(|row| row.with_term.is_none_or(|with| with == has_term) && dated(row.from, row.until, purchased))
    }

    /// Whether a list shows a purchase of then. Without a row it is a subscription like others and no software.
    pub fn is_in(&self, list: List, purchased: Instant, has_term: bool) -> bool {
        match self.visibility(purchased, has_term) {
            Some(row) => row.lists.contains(&list),
            None => list == List::Subscriptions,
        }
    }
}

/// Whether Get Subscriptions and the Subscriptions page show it (VIS-1014, VIS-pre). It goes by the date of purchase,
/// whatever term it is in today.
pub fn listed(terms: &Terms, subscription: &Subscription) -> bool {
    in_list(terms, subscription, List::Subscriptions)
}

/// Whether the Software page shows it (VIS-1014, VIS-pre, SW-list), cancelled too.
pub fn is_software(terms: &Terms, subscription: &Subscription) -> bool {
    in_list(terms, subscription, List::Software)
}

fn in_list(terms: &Terms, subscription: &Subscription, list: List) -> bool {
    let profile = &subscription.profile;
    terms.family(&profile.family).is_in(list, profile.purchased_at, profile.term_duration.is_some())
}
