//! What no other file lists: requests, runs, occurrences and the places of triggers.

use crate::domain::request::State;
use crate::domain::run::Run;
use crate::domain::trigger::Occurrence;
use crate::domain::{Grant, Id, Request};
use crate::store::records::triggers::Place;
use crate::store::records::{Page, requests as request_rows, triggers};

use super::work::Work;
use super::{Result, not_found, rights};

/// A page of requests within reach, newest first.
///
/// # Errors
/// `forbidden`.
pub fn requests(work: &mut Work, before: Option<&[u8]>, limit: usize) -> Result<Page<Request>> {
    work.require(&Grant::Read("requests"))?;
    let mut page = request_rows::page(&mut work.tx, before, limit)?;
    page.items.retain(|request| rights::sees_request(work, request));
    Ok(page)
}

/// A page of the requests within reach that are in an open state, oldest first: what waits longest comes first.
///
/// # Errors
/// `forbidden`.
pub fn requests_in(work: &mut Work, state: State, after: Option<&[u8]>, limit: usize) -> Result<Page<Request>> {
    work.require(&Grant::Read("requests"))?;
    let mut page = request_rows::in_state(&mut work.tx, state, after, limit)?;
    page.items.retain(|request| rights::sees_request(work, request));
    Ok(page)
}

/// One run. It is not about one tenant, so narrowed rights do not reach it.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn run(work: &mut Work, id: Id) -> Result<Run> {
    work.require(&Grant::Read("runs"))?;
    let found = triggers::run(&mut work.tx, id)?.filter(|_| work.reaches_all());
    found.ok_or_else(|| not_found("run", &id))
}

/// A page of runs, newest first.
///
/// # Errors
/// `forbidden`.
pub fn runs(work: &mut Work, before: Option<&[u8]>, limit: usize) -> Result<Page<Run>> {
    work.require(&Grant::Read("runs"))?;
    if !work.reaches_all() {
        return Ok(Page { items: Vec::new(), next: None });
    }
    Ok(triggers::runs(&mut work.tx, before, limit)?)
}

/// A page of the occurrences of a trigger, newest first; of every trigger where none is named.
///
/// # Errors
/// `forbidden`.
pub fn occurrences(
    work: &mut Work,
    trigger: Option<&str>,
    before: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Occurrence>> {
    work.require(&Grant::Read("schedules"))?;
    Ok(triggers::occurrences(&mut work.tx, trigger, before, limit)?)
}

/// Where a trigger has got to; none before it was seen.
///
/// # Errors
/// `forbidden`.
pub fn place(work: &mut Work, trigger: &str) -> Result<Option<Place>> {
    work.require(&Grant::Read("schedules"))?;
    Ok(triggers::place(&mut work.tx, trigger)?)
}
