//! The ledger and what was decided: reading what the packed records hold.

use crate::domain::decision::Decision;
use crate::domain::ledger::Line;
use crate::domain::selection::Selection;
use crate::domain::{Grant, Id, Request, SubscriptionId};
use crate::store::records::log::{self, Activity};
use crate::store::records::{Page, requests as request_rows};

use super::work::Work;
use super::{Result, not_found, rights, subscriptions};

/// Records looked at in one go.
const PAGE_ROWS: usize = 500;
/// Records walked back for one subscription's story.
const STORY_MAX: usize = 1_000;

/// A page of ledger lines within reach, newest first; the cursor is a sequence number in eight bytes.
///
/// # Errors
/// `forbidden`.
pub fn list(work: &mut Work, selection: &Selection, before: Option<u64>, limit: usize) -> Result<Page<Line>> {
    work.require(&Grant::Read("ledger"))?;
    walk(work, before, limit, |work, record, found: &mut Vec<Line>| {
        for line in record.lines.into_iter().rev() {
            if work.reaches(line.tenant) && selection.matches(&line, work.now) {
                found.push(line);
            }
        }
    })
}

/// A page of decisions within reach, newest first.
///
/// # Errors
/// `forbidden`.
pub fn decisions(work: &mut Work, selection: &Selection, before: Option<u64>, limit: usize) -> Result<Page<Decision>> {
    work.require(&Grant::Read("decisions"))?;
    walk(work, before, limit, |work, record, found: &mut Vec<Decision>| {
        for decision in record.decisions.into_iter().rev() {
            if rights::sees_decision(work, decision.kind, decision.tenant) && selection.matches(&decision, work.now) {
                found.push(decision);
            }
        }
    })
}

/// Whole records at a time, so a page may be a little longer than asked for and never splits a commit.
fn walk<T>(
    work: &mut Work,
    before: Option<u64>,
    limit: usize,
    mut pick: impl FnMut(&Work, log::Record, &mut Vec<T>),
) -> Result<Page<T>> {
    let mut items = Vec::new();
    let mut cursor = before;
    let mut seen = 0;
    loop {
        let records = log::page(&mut work.tx, cursor, true, PAGE_ROWS)?;
        let end = records.len() < PAGE_ROWS;
        for (seq, record) in records {
            seen += 1;
            cursor = Some(seq);
            pick(work, record, &mut items);
            if items.len() >= limit {
                return Ok(Page { items, next: Some(seq.to_be_bytes().to_vec()) });
            }
        }
        if end {
            return Ok(Page { items, next: None });
        }
        if seen >= work.settings.rows {
            return Ok(Page { items, next: cursor.map(|seq| seq.to_be_bytes().to_vec()) });
        }
    }
}

/// One decision within reach.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn decision(work: &mut Work, id: Id) -> Result<Decision> {
    work.require(&Grant::Read("decisions"))?;
    let found = log::decision(&mut work.tx, id)?;
    let found = found.filter(|decision| rights::sees_decision(work, decision.kind, decision.tenant));
    found.ok_or_else(|| not_found("decision", &id))
}

/// What happened to a subscription, newest first: requests, decisions, ledger lines and activity.
#[derive(Debug, Clone, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Story {
    /// Requests.
    pub requests: Vec<Request>,
    /// Decisions.
    pub decisions: Vec<Decision>,
    /// Ledger lines.
    pub lines: Vec<Line>,
    /// Activity.
    pub activity: Vec<Activity>,
}

/// The story of one subscription within reach; of a user, what their roles show of it.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn story(work: &mut Work, id: SubscriptionId, limit: usize) -> Result<Story> {
    let stored = subscriptions::get(work, id)?;
    work.require(&Grant::Read("ledger"))?;
    let mut story = Story::default();
    for (_, record) in log::story(&mut work.tx, id, stored.seq, limit.min(STORY_MAX))? {
        story.decisions.extend(record.decisions.into_iter().filter(|decision| decision.subscription == id));
        story.lines.extend(record.lines.into_iter().filter(|line| line.subscription == id));
        story.activity.extend(record.activity.into_iter().filter(|activity| activity.subscription == Some(id)));
        for request in record.requests {
            if story.requests.iter().any(|known| known.id == request) {
                continue;
            }
            let found = request_rows::get(&mut work.tx, request)?.map(|stored| stored.value);
            story.requests.extend(found.filter(|request| request.subscription == id));
        }
    }
    if work.rights.grants.held().is_some() {
        story.requests.retain(|request| rights::sees_request(work, request));
        story.decisions.retain(|decision| rights::sees_decision(work, decision.kind, decision.tenant));
        story.activity.retain(|activity| rights::sees_activity(work, activity));
    }
    Ok(story)
}
