//! How a fact replaces what a record says, field by field: present replaces ours, absent stays.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::Instant;

/// What the importer knows around one row.
#[derive(Debug, Clone, Copy)]
pub struct Import {
    /// When it happens.
    pub now: Instant,
    /// Whether the record changed here after the document was made: then differences are conflicts.
    pub newer_here: bool,
    /// Whether the document wins all the same.
    pub overwrite: bool,
}

/// A field in which a record that changed here differs from an older document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The field, as on the wire.
    pub field: &'static str,
    /// Ours, as JSON text; it stays.
    pub ours: String,
    /// The document's, as JSON text.
    pub theirs: String,
}

/// A record after a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged<T> {
    /// What it is now.
    pub record: T,
    /// Whether there was none before.
    pub fresh: bool,
    /// The fields that changed, as on the wire; of a fresh record those that the document told.
    pub changed: Vec<&'static str>,
    /// Where the document was not believed.
    pub conflicts: Vec<Conflict>,
}

/// Collects what a merge changes.
pub(super) struct Diff {
    keep_ours: bool,
    fresh: bool,
    changed: Vec<&'static str>,
    conflicts: Vec<Conflict>,
}

impl Diff {
    pub(super) fn of(import: &Import, fresh: bool) -> Self {
        let keep_ours = import.newer_here && !import.overwrite && !fresh;
        Self { keep_ours, fresh, changed: Vec::new(), conflicts: Vec::new() }
    }

    /// Takes over a field that the document states.
    pub(super) fn set<T: PartialEq + Serialize>(&mut self, field: &'static str, ours: &mut T, theirs: Option<T>) {
        let Some(theirs) = theirs.filter(|theirs| theirs != ours) else { return };
        if self.keep_ours {
            let shown = |value: &T| serde_json::to_string(value).unwrap_or_default();
            self.conflicts.push(Conflict { field, ours: shown(ours), theirs: shown(&theirs) });
        } else {
            *ours = theirs;
            self.note(field);
        }
    }

    /// A field changed by what others did to it.
    pub(super) fn note(&mut self, field: &'static str) {
        if !self.changed.contains(&field) {
            self.changed.push(field);
        }
    }

    /// Takes over what nobody here knows: it cannot conflict, because nothing here changes it.
    pub(super) fn extras(&mut self, ours: &mut BTreeMap<String, String>, theirs: &BTreeMap<String, String>) {
        for (name, text) in theirs {
            if ours.get(name) != Some(text) {
                ours.insert(name.clone(), text.clone());
                self.note("extra");
            }
        }
    }

    pub(super) fn moved(&self) -> bool {
        self.fresh || !self.changed.is_empty()
    }

    /// Whether a field changed.
    pub(super) fn has(&self, field: &str) -> bool {
        self.changed.contains(&field)
    }

    pub(super) fn merged<T>(self, record: T) -> Merged<T> {
        Merged { record, fresh: self.fresh, changed: self.changed, conflicts: self.conflicts }
    }
}
