//! Importing documents: one row one transaction, all of them durable before the report.

use std::collections::BTreeSet;

use serde::Serialize;

use super::App;
use crate::domain::Refusal;
use crate::engine::script_thread::Priority;
use crate::ops::imports::{self, Imported, Options, Outcome};
use crate::ops::{self, Rights};
use crate::partner_center::read::{Fact, read_document};

/// What became of one row of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RowReport {
    /// Where it stands: `items[3]`.
    pub place: String,
    /// What it is; empty when it is none of ours.
    pub noun: &'static str,
    /// Its id.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The fields that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<&'static str>,
    /// Where the document was not believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<crate::partner_center::merge::Conflict>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Fields that are not what they should be and were kept as they came; that nobody names the customer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The document's name.
    pub name: String,
    /// Row by row.
    pub rows: Vec<RowReport>,
    /// Rows that were new.
    pub taken: usize,
    /// Rows of which something was.
    pub changed: usize,
    /// Rows that say what we know.
    pub unchanged: usize,
    /// Rows that contradict what changed here since.
    pub conflicts: usize,
    /// Rows that are no customer, subscription, order or offer.
    pub refused: usize,
}

impl Report {
    fn add(&mut self, row: RowReport) {
        match row.outcome {
            Outcome::Taken => self.taken += 1,
            Outcome::Changed => self.changed += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Conflict => self.conflicts += 1,
            Outcome::Refused => self.refused += 1,
        }
        self.rows.push(row);
    }
}

/// The order in which a document's rows are recorded: what others belong to first.
fn rank(fact: &Fact) -> u8 {
    match fact {
        Fact::Customer(_) => 0,
        Fact::Offer(_) => 1,
        Fact::Price(_) => 2,
        Fact::Order(_) => 3,
        Fact::Subscription(_) => 4,
    }
}

impl App {
    /// Imports one document of Partner Center's JSON. `name` is the path it came from; it may tell the tenant.
    ///
    /// # Errors
    /// `forbidden`; a document that is no JSON at all; the store's failure. A row that is none of ours is in the report.
    pub async fn import(&self, rights: Rights, name: String, text: String, options: Options) -> ops::Result<Report> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let app = self.clone();
        self.inner.pool.submit(Priority::Background, move || {
            let _ = answer.send(app.import_here(&rights, &name, &text, options));
        })?;
        let stopped = || Refusal::new("stopping", "the server stopped before the import was done").into();
        let report = answered.await.unwrap_or_else(|_| Err(stopped()));
        self.wake();
        report
    }

    fn import_here(&self, rights: &Rights, name: &str, text: &str, options: Options) -> ops::Result<Report> {
        let document = read_document(text, Some(name))?;
        let mut report = Report { name: name.to_owned(), ..Report::default() };
        let mut facts = Vec::new();
        for row in document.rows {
            match row.read {
                Ok(fact) => facts.push((row.place, fact, row.notes)),
                Err(refusal) => report.add(RowReport {
                    place: row.place,
                    noun: "",
                    id: String::new(),
                    outcome: Outcome::Refused,
                    changed: Vec::new(),
                    conflicts: Vec::new(),
                    refusal: Some(refusal),
                    notes: row.notes,
                }),
            }
        }
        facts.sort_by_key(|(_, fact, _)| rank(fact));
        let (mut last, mut described) = (0, BTreeSet::new());
        for (place, fact, mut notes) in facts {
            let cause = self.next_cause("import");
            let done = self.transact(self.now(), rights, &cause, |work| imports::record(work, &fact, options))?;
            last = last.max(done.seq);
            let Imported { noun, id, outcome, changed, conflicts, notes: beside } = done.value;
            notes.extend(beside);
            if matches!(fact, Fact::Offer(_)) && matches!(outcome, Outcome::Taken | Outcome::Changed) {
                described.insert(id.to_lowercase());
            }
            report.add(RowReport { place, noun, id, outcome, changed, conflicts, refusal: None, notes });
        }
        last = last.max(self.hold_what_waited(rights, &described, options)?);
        self.inner.store.wait_durable(last)?;
        Ok(report)
    }

    /// Looks again at the orders that came before the products which tell what they bought: once a document, and only
    /// where it described something. Answers the last sequence that was written.
    fn hold_what_waited(&self, rights: &Rights, described: &BTreeSet<String>, options: Options) -> ops::Result<u64> {
        let (mut last, mut cursor) = (0, None::<Vec<u8>>);
        while !described.is_empty() {
            let cause = self.next_cause("import");
            let done = self.transact(self.now(), rights, &cause, |work| {
                imports::hold_of_orders(work, described, cursor.as_deref(), options)
            })?;
            last = last.max(done.seq);
            cursor = done.value;
            if cursor.is_none() {
                break;
            }
        }
        Ok(last)
    }
}
