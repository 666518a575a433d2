//! Relative triggers: so long before an instant of each subject. An index is walked with a cursor for each offset, so
//! a trigger survives downtime and reaches hours as well as days.

use super::Kept;
use super::handlers::{self, Set};
use super::schedules::{on_script_thread, save_place};
use crate::app::{App, Result};
use crate::domain::ids::Noun;
use crate::domain::selection::{SUBSCRIPTIONS, Selection};
use crate::domain::{Id, Instant, Span, SubscriptionId, calendar};
use crate::engine::api::events::Event;
use crate::engine::manifest::{Moment, Source};
use crate::engine::script_thread::selection;
use crate::ops::{self, Rights, Work};
use crate::store::records::timers::{self, Timer};
use crate::store::records::triggers::{self as rows, Place};
use crate::store::records::{requests as request_rows, subscriptions as subscription_rows};
use crate::store::tables::TimerKind;

/// Subjects taken in one go.
const PAGE_SUBJECTS: usize = 250;

fn kind_of(moment: Moment) -> TimerKind {
    match moment {
        Moment::TermEnd => TimerKind::TermEnd,
        Moment::WindowEnd => TimerKind::WindowEnd,
        Moment::TrialEnd => TimerKind::TrialEnd,
        Moment::DeletionAt => TimerKind::Deletion,
        Moment::RequestExpiry => TimerKind::RequestExpiry,
    }
}

struct Relative {
    set: Set,
    kind: TimerKind,
    by: Vec<Span>,
    each: Selection,
}

fn all(app: &App) -> Result<Vec<Relative>> {
    let mut found = Vec::new();
    for set in handlers::all(app) {
        let Source::Before { moment, by, each } = &set.trigger().source else { continue };
        let chosen = match each {
            Some(each) => selection(&SUBSCRIPTIONS, each).map_err(ops::Error::from)?,
            None => handlers::everything(),
        };
        let (kind, by) = (kind_of(*moment), by.clone());
        found.push(Relative { kind, by, each: chosen, set });
    }
    Ok(found)
}

/// The place of a trigger. A new one starts now: subjects whose moment minus the offset has passed are not caught up.
fn place(app: &App, relative: &Relative, now: Instant) -> Result<Place> {
    let id = relative.set.id();
    let says =
        format!("{:?} {}", relative.kind, relative.by.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    let known = app.read(Rights::system(), |work| Ok(rows::place(&mut work.tx, &id)?))?;
    if let Some(known) = known.filter(|known| known.says == says) {
        return Ok(known);
    }
    let cursors = relative.by.iter().map(|by| by.after(now).unwrap_or(now)).collect();
    let fresh = Place { says, since: now, cursors, seq: 0 };
    save_place(app, now, &id, &fresh)?;
    Ok(fresh)
}

/// The next instant at which a subject is due for any relative trigger.
///
/// # Errors
/// The store's failure.
pub fn next_due(app: &App, now: Instant) -> Result<Option<Instant>> {
    let mut earliest: Option<Instant> = None;
    for relative in all(app)? {
        let place = place(app, &relative, now)?;
        for (by, cursor) in relative.by.iter().zip(&place.cursors) {
            let next = app.read(Rights::system(), |work| {
                let far = calendar::from_micros(i64::MAX / 64);
                Ok(timers::due(&mut work.tx, relative.kind, Some(*cursor), far, None, 1)?)
            })?;
            if let Some(at) = next.first().and_then(|timer| by.before(timer.due)) {
                earliest = Some(earliest.map_or(at, |known| known.min(at)));
            }
        }
    }
    Ok(earliest)
}

/// Takes up every subject that is due; how many. A trigger that fails holds up no other.
///
/// # Errors
/// The store's failure.
pub async fn run(app: &App, now: Instant) -> Result<usize> {
    let mut done = 0;
    let mut kept = Kept::default();
    for relative in all(app)? {
        let relative = std::sync::Arc::new(relative);
        done += kept.part(&relative.set.id(), one(app, &relative, now).await)?;
    }
    kept.end()?;
    Ok(done)
}

async fn one(app: &App, relative: &std::sync::Arc<Relative>, now: Instant) -> Result<usize> {
    let mut place = place(app, relative, now)?;
    let mut done = 0;
    for index in 0..relative.by.len() {
        done += offset(app, relative, &mut place, index, now).await?;
    }
    Ok(done)
}

async fn offset(
    app: &App,
    relative: &std::sync::Arc<Relative>,
    place: &mut Place,
    index: usize,
    now: Instant,
) -> Result<usize> {
    let by = relative.by[index];
    let Some(until) = by.after(now) else { return Ok(0) };
    let kind = relative.kind;
    let mut done = 0;
    loop {
        let from = place.cursors.get(index).copied().unwrap_or(place.since);
        let mut due = app.read(Rights::system(), |work| {
            Ok(timers::due(&mut work.tx, kind, Some(from), until, None, PAGE_SUBJECTS)?)
        })?;
        // A cursor is an instant: a page never ends between two subjects of the same one.
        if due.len() == PAGE_SUBJECTS {
            let last = due[due.len() - 1].due;
            if due[0].due == last {
                due = app.read(Rights::system(), |work| {
                    Ok(timers::due(&mut work.tx, kind, Some(from), last, None, usize::MAX)?)
                })?;
            } else {
                due.retain(|timer| timer.due < last);
            }
        }
        let Some(last) = due.last().map(|timer| timer.due) else { return Ok(done) };
        done += due.len();
        let walking = std::sync::Arc::clone(relative);
        on_script_thread(app, move |app| {
            for timer in &due {
                subject(app, &walking, timer, by, now)?;
            }
            Ok(())
        })
        .await?;
        place.cursors[index] = last;
        save_place(app, now, &relative.set.id(), place)?;
    }
}

fn subject(app: &App, relative: &Relative, timer: &Timer, by: Span, now: Instant) -> ops::Result<()> {
    let id = relative.set.id();
    let mut key = timer.subject.to_vec();
    key.extend(by.to_string().bytes());
    let cause = format!("before:{id}@{}-{by}/{}", timer.due.timestamp_micros(), hex(&timer.subject));
    let done = app.transact(now, &Rights::system(), &cause, |work| {
        if rows::subject_done(&mut work.tx, &id, timer.due, &key)? {
            return Ok(None);
        }
        let Some(event) = event(work, relative, timer, by)? else { return Ok(None) };
        let outcome = handlers::run(app, work, &relative.set, &event)?;
        ops::triggers::mark_subject(work, &id, timer.due, &key)?;
        Ok(outcome.run)
    })?;
    handlers::count(app, done.value.as_ref());
    Ok(())
}

fn event(work: &mut Work, relative: &Relative, timer: &Timer, by: Span) -> ops::Result<Option<Event>> {
    let mut event = Event::new("before", by.before(timer.due).unwrap_or(timer.due), &relative.set.id());
    event.by = Some(by);
    let subscription = if relative.kind == TimerKind::RequestExpiry {
        let request = request_rows::get(&mut work.tx, Id::from_bytes(Noun::Request, timer.subject))?;
        let Some(request) = request.map(|stored| stored.value) else { return Ok(None) };
        let subscription = request.subscription;
        event.request = Some(request);
        subscription
    } else {
        SubscriptionId::from_bytes(timer.subject)
    };
    let Some(stored) = subscription_rows::get(&mut work.tx, timer.tenant, subscription)? else { return Ok(None) };
    if !relative.each.matches(&stored.value, work.now) {
        return Ok(None);
    }
    event.subscription = Some(stored.value);
    Ok(Some(event))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
