//! What no other file lists: requests, runs, occurrences and the places of triggers.

use crate::domain::request::State;
use crate::domain::run::Run;
use crate::domain::trigger::Occurrence;
use crate::domain::{Grant, Id, Refusal, Request};
use crate::store::records::meta::{self, Source};
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

/// What a content hash stands for, by the whole of it or its beginning (eight digits at least); with the whole hash.
///
/// # Errors
/// `forbidden`, `not_found`; `bad_hash` for what is no hash or the beginning of several.
pub fn source(work: &mut Work, beginning: &str) -> Result<(String, Source)> {
    work.require(&Grant::Read("policies"))?;
    let bad = |message: &str| Err(Refusal::new("bad_hash", message).into());
    if beginning.len() < 8 || !beginning.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return bad("a hash, or its beginning, is 8 hexadecimal digits or more");
    }
    let mut found = meta::sources(&mut work.tx, beginning)?;
    if found.len() > 1 {
        return bad("several sources begin so; give more of the hash");
    }
    found.pop().ok_or_else(|| not_found("source", &beginning))
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
