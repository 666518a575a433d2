//! Running a file because of a trigger: scripts run their handler, policies propose their kinds. The record of a run
//! that failed is written by itself, because nothing else of it is left.

use crate::app::App;
use crate::domain::ask::Ask;
use crate::domain::run::{Ending, Run};
use crate::domain::selection::{SUBSCRIPTIONS, Selection};
use crate::domain::{Change, Kind, Subscription};
use crate::engine::api::events::Event;
use crate::engine::library::File;
use crate::engine::manifest::{FileKind, Trigger};
use crate::engine::{decide, run};
use crate::ops::{self, Rights, Work, requests, subscriptions};

/// A trigger of a file of the library in force.
#[derive(Debug, Clone)]
pub struct Set {
    /// The file.
    pub file: std::sync::Arc<File>,
    /// Its place in the `on` list.
    pub index: usize,
}

impl Set {
    /// `scripts/dunning.rhai#0`.
    pub fn id(&self) -> String {
        format!("{}#{}", self.file.path, self.index)
    }

    /// What sets it off.
    pub fn trigger(&self) -> &Trigger {
        &self.file.manifest.on[self.index]
    }
}

/// Every trigger of every switched-on file, by id.
pub fn all(app: &App) -> Vec<Set> {
    on_or_off(app).into_iter().filter(|set| set.file.manifest.enabled).collect()
}

/// Every trigger of every file, switched on or off, by id.
pub fn on_or_off(app: &App) -> Vec<Set> {
    let library = app.library();
    let mut found = Vec::new();
    for file in &library.files {
        if matches!(file.kind, FileKind::Policy | FileKind::Script) {
            for index in 0..file.manifest.on.len() {
                found.push(Set { file: std::sync::Arc::clone(file), index });
            }
        }
    }
    found
}

/// How a trigger's work on one subject or event ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The record of the run; none for a policy that only proposed.
    pub run: Option<Run>,
    /// Whether it failed: nothing of it is left then.
    pub failed: bool,
}

impl Outcome {
    fn fine() -> Self {
        Self { run: None, failed: false }
    }
}

/// Runs a trigger's file on an event, inside the work's transaction.
///
/// # Errors
/// The store's failure.
pub fn run(app: &App, work: &mut Work, set: &Set, event: &Event) -> ops::Result<Outcome> {
    match set.file.kind {
        FileKind::Policy => policy(app, work, set, event),
        _ => {
            let ran = run::handler(work, &set.file.path, &set.trigger().call, event, &app.inner.budget)?;
            Ok(Outcome { failed: ran.run.ending != Ending::Completed, run: Some(ran.run) })
        }
    }
}

/// A policy's trigger proposes its kinds for the event's subscription, or for those that its `subjects(event)` selects.
fn policy(app: &App, work: &mut Work, set: &Set, event: &Event) -> ops::Result<Outcome> {
    if let Some(subscription) = &event.subscription {
        propose_all(work, set, subscription)?;
        return Ok(Outcome::fine());
    }
    let ran = run::subjects(work, &set.file.path, event, &app.inner.budget)?;
    let Some(selection) = ran.returned else { return Ok(Outcome { failed: true, run: Some(ran.run) }) };
    for subscription in selected(work, &selection)? {
        propose_all(work, set, &subscription)?;
    }
    Ok(Outcome { failed: false, run: Some(ran.run) })
}

/// Every subscription of a selection, up to the limit of rows.
///
/// # Errors
/// The store's failure.
pub fn selected(work: &mut Work, selection: &Selection) -> ops::Result<Vec<Subscription>> {
    let mut found = Vec::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = subscriptions::select(work, selection, cursor.as_deref(), 500)?;
        found.extend(page.items.into_iter().map(|stored| stored.value));
        cursor = page.next;
        if cursor.is_none() || found.len() >= work.settings.rows {
            return Ok(found);
        }
    }
}

/// Proposes what the policy decides; nothing for a subscription that it would not answer about.
fn propose_all(work: &mut Work, set: &Set, subscription: &Subscription) -> ops::Result<()> {
    if !decide::answers_for(&set.file, subscription, work.now) {
        return Ok(());
    }
    let own = std::mem::replace(&mut work.rights, proposing(set));
    for kind in &set.file.manifest.decides {
        if let Some(change) = change_of(*kind, subscription) {
            match requests::propose(work, subscription.id, change, &set.id()) {
                Ok(_) => {}
                Err(ops::Error::Refused(refusal)) => {
                    work.note("trigger.refused", Some(subscription), None, &refusal.to_string());
                }
                Err(error) => {
                    work.rights = own;
                    return Err(error);
                }
            }
        }
    }
    work.rights = own;
    Ok(())
}

/// A policy may propose what it decides, through its triggers only.
fn proposing(set: &Set) -> Rights {
    let mut rights = run::rights_of(&set.file);
    let kinds = set.file.manifest.decides.iter().map(|kind| crate::domain::Grant::Propose(Some(*kind)));
    rights.grants.list = kinds.collect();
    rights
}

/// What a policy's trigger proposes; none where the kind needs more than the subscription says.
fn change_of(kind: Kind, subscription: &Subscription) -> Option<Change> {
    Ask::usual(kind, subscription)?.change(kind, subscription.standing.term_end).ok()
}

/// A selection of everything, for a trigger that names none.
pub fn everything() -> Selection {
    Selection::everything(&SUBSCRIPTIONS)
}

/// Counts how a run ended.
pub fn count(app: &App, run: Option<&Run>) {
    use std::sync::atomic::Ordering;
    let Some(run) = run else { return };
    let place = match run.ending {
        Ending::Completed => 0,
        Ending::Failed => 1,
        Ending::LimitExceeded => 2,
    };
    app.counters().runs[place].fetch_add(1, Ordering::Relaxed);
}
