//! After a change was applied: the log is walked with a cursor for each trigger, one transaction a record.

use super::Kept;
use super::handlers::{self, Set};
use super::schedules::{on_script_thread, save_place};
use crate::app::{App, Result};
use crate::domain::request::State;
use crate::domain::{Id, Instant, Kind, Request};
use crate::engine::api::events::Event;
use crate::engine::manifest::Source;
use crate::ops::{self, Rights};
use crate::store::records::triggers::{self as rows, Place};
use crate::store::records::{log, requests as request_rows, subscriptions as subscription_rows};

/// Records looked at in one go.
const PAGE_RECORDS: usize = 500;

/// Tells every file of the changes applied since; how many. A file that cannot be told holds up no other.
///
/// # Errors
/// The store's failure.
pub async fn run(app: &App, now: Instant) -> Result<usize> {
    let mut done = 0;
    let mut kept = Kept::default();
    for set in handlers::all(app) {
        if let Source::Applied(kind) = set.trigger().source {
            let id = set.id();
            done += kept.part(&id, follow(app, set, kind, now).await)?;
        }
    }
    kept.end()?;
    Ok(done)
}

/// Where a trigger that follows the log has got to; one that is new, or says something else than before, begins now.
pub(super) fn place_in_the_log(app: &App, now: Instant, id: &str, says: String) -> Result<Place> {
    let known = app.read(Rights::system(), |work| Ok(rows::place(&mut work.tx, id)?))?;
    if let Some(known) = known.filter(|known| known.says == says) {
        return Ok(known);
    }
    let fresh = Place { says, since: now, cursors: Vec::new(), seq: app.store().durable() };
    save_place(app, now, id, &fresh)?;
    Ok(fresh)
}

async fn follow(app: &App, set: Set, kind: Kind, now: Instant) -> Result<usize> {
    let id = set.id();
    let says = format!("applied {kind}");
    let mut place = place_in_the_log(app, now, &id, says)?;
    let mut done = 0;
    loop {
        let after = place.seq;
        let records =
            app.read(Rights::system(), |work| Ok(log::page(&mut work.tx, Some(after), false, PAGE_RECORDS)?))?;
        let Some((last, _)) = records.last() else { return Ok(done) };
        let last = *last;
        let full = records.len() == PAGE_RECORDS;
        let mut told = Vec::new();
        for (seq, record) in records {
            let at = record.instant();
            for request in record.requests {
                if applied_at(app, request, kind, at)? {
                    told.push((seq, request));
                }
            }
        }
        done += told.len();
        place.seq = last;
        let (walking, reached) = (set.clone(), place.clone());
        let any = !told.is_empty();
        if any {
            on_script_thread(app, move |app| {
                for (seq, request) in told {
                    tell(app, &walking, &reached, seq, request, now)?;
                }
                Ok(())
            })
            .await?;
        }
        if any || full {
            save_place(app, now, &id, &place)?;
        }
        if !full {
            return Ok(done);
        }
    }
}

/// Whether a request was applied by the record of that instant. Later records may write it again: upstream confirmed it.
fn applied_at(app: &App, request: Id, kind: Kind, at: Option<Instant>) -> Result<bool> {
    let found = app.read(Rights::system(), |work| Ok(request_rows::get(&mut work.tx, request)?))?;
    let applied = |request: &Request| request.kind == kind && request.state == State::Applied;
    Ok(found.is_some_and(|stored| applied(&stored.value) && (at.is_none() || stored.value.closed_at == at)))
}

/// One record: the effects, the run and the move of the trigger in one commit.
fn tell(app: &App, set: &Set, place: &Place, seq: u64, request: Id, now: Instant) -> ops::Result<()> {
    let id = set.id();
    let done = app.transact(now, &Rights::system(), &format!("applied:{id}@{seq}/{request}"), |work| {
        let Some(stored) = request_rows::get(&mut work.tx, request)? else { return Ok(None) };
        let request = stored.value;
        let due = request.closed_at.unwrap_or(now);
        if rows::subject_done(&mut work.tx, &id, due, &request.id.bytes())? {
            return Ok(None);
        }
        let mut event = Event::new("applied", due, &id);
        let found = subscription_rows::get(&mut work.tx, request.tenant, request.subscription)?;
        event.subscription = found.map(|stored| stored.value);
        let key = request.id.bytes();
        event.request = Some(request);
        let outcome = handlers::run(app, work, set, &event)?;
        ops::triggers::mark_subject(work, &id, due, &key)?;
        let mut moved = place.clone();
        moved.seq = seq.saturating_sub(1);
        ops::triggers::move_to(work, &id, &moved)?;
        Ok(outcome.run)
    })?;
    handlers::count(app, done.value.as_ref());
    Ok(())
}
