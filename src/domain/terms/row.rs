//! What every dated row of a terms file has: the id of its rule, where the rule is written, the dates it holds for.

use super::Place;
use crate::domain::Instant;
use crate::domain::calendar::show;

/// Which date chooses a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatedBy {
    /// The date of the purchase, or of the renewal that began the present term.
    Purchase,
    /// The date of the act itself: what a page shows and asks.
    Act,
    /// No date: it holds always.
    Always,
}

impl DatedBy {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            DatedBy::Purchase => "purchase",
            DatedBy::Act => "act",
            DatedBy::Always => "always",
        }
    }
}

/// The dates a row holds for: the first instant, and the first one after them; none is open.
pub(super) type Dates = (Option<Instant>, Option<Instant>);

/// A row that can be laid over, dated, and told.
pub(super) trait Row {
    /// The name of its table in the file.
    const TABLE: &'static str;
    /// Which date chooses it.
    const DATED_BY: DatedBy;
    /// The rule's id; a row of a later file replaces the one with the same id.
    fn rule(&self) -> &str;
    /// Where the rule is written.
    fn source(&self) -> &str;
    /// The dates it holds for.
    fn dates(&self) -> Dates;
    /// Where it stands.
    fn place(&self) -> &Place;
    /// Sets where it stands.
    fn put(&mut self, place: Place);
    /// Whether both say something about the same thing, if their dates meet.
    fn clashes(&self, other: &Self) -> bool;
    /// What it says, for people.
    fn says(&self) -> String;
}

/// A row as it is told: which rule, from which file, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The table, `window`.
    pub table: &'static str,
    /// The rule's id.
    pub rule: String,
    /// Where the rule is written.
    pub source: String,
    /// Which date chooses it.
    pub dated_by: DatedBy,
    /// First instant it holds for; none: open to the past.
    pub from: Option<Instant>,
    /// First instant it no longer holds for; none: still in force.
    pub until: Option<Instant>,
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub says: String,
}

impl Told {
    pub(super) fn of<T: Row>(row: &T) -> Told {
        let (from, until) = row.dates();
        Told {
            table: T::TABLE,
            rule: row.rule().to_owned(),
            source: row.source().to_owned(),
            dated_by: T::DATED_BY,
            from,
            until,
            place: row.place().clone(),
            says: row.says(),
        }
    }

    /// Whether it holds for what was bought, or is done, at an instant.
    pub fn holds(&self, at: Instant) -> bool {
        dated(self.from, self.until, at)
    }

    /// Its dates for people: `from 2021-10-14T00:00:00Z`, `always`.
    pub fn when(&self) -> String {
        match (self.from, self.until) {
            (None, None) => "always".to_owned(),
            (Some(from), None) => format!("from {}", show(from)),
            (None, Some(until)) => format!("until {}", show(until)),
            (Some(from), Some(until)) => format!("from {} until {}", show(from), show(until)),
        }
    }
}

/// Whether an instant is inside dates.
pub(super) fn dated(from: Option<Instant>, until: Option<Instant>, at: Instant) -> bool {
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}

/// Whether two spans of dates have an instant in common.
pub(super) fn meet(one: Dates, other: Dates) -> bool {
    let before = |until: Option<Instant>, from: Option<Instant>| matches!((until, from), (Some(u), Some(f)) if u <= f);
    !before(one.1, other.0) && !before(other.1, one.0)
}

/// Whether two lists may name the same thing, where an empty list names everything.
pub(super) fn share<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|item| other.contains(item))
}

/// Implements [`Row`] for a struct with the fields `rule`, `source`, `from`, `until` and `place`.
macro_rules! row {
    ($type:ty, $table:literal, $dated:ident, $clashes:expr, $says:expr) => {
        impl Row for $type {
            const TABLE: &'static str = $table;
            const DATED_BY: DatedBy = DatedBy::$dated;
            fn rule(&self) -> &str {
                &self.rule
            }
            fn source(&self) -> &str {
                &self.source
            }
            fn dates(&self) -> (Option<Instant>, Option<Instant>) {
                (self.from, self.until)
            }
            fn place(&self) -> &Place {
                &self.place
            }
            fn put(&mut self, place: Place) {
                self.place = place;
            }
            fn clashes(&self, other: &Self) -> bool {
                let clashes: fn(&$type, &$type) -> bool = $clashes;
                clashes(self, other)
            }
            fn says(&self) -> String {
                let says: fn(&$type) -> String = $says;
                says(self)
            }
        }
    };
}
pub(super) use row;
