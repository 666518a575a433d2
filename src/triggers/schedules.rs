//! Schedules: calendar rules. Every due instant ends as one row: it ran, was coalesced into a later one, was missed, or
//! was skipped because its file is switched off.
//! What is due is a function of the rule, the last due instant taken up, and the time.

use std::sync::atomic::Ordering;

use chrono::TimeDelta;

use super::Kept;
use super::handlers::{self, Set};
use crate::app::{App, Error, Result};
use crate::domain::selection::{SUBSCRIPTIONS, Selection};
use crate::domain::trigger::{Occurrence, OccurrenceState};
use crate::domain::{Instant, Refusal, Span, SubscriptionId, calendar};
use crate::engine::api::events::Event;
use crate::engine::manifest::{CatchUp, Source};
use crate::engine::script_thread::{Priority, selection};
use crate::ops::{self, Rights, subscriptions};
use crate::schedule::Schedule;
use crate::store::records::triggers::{self as rows, Place};

/// Due instants taken up in one go.
const INSTANTS_MAX: usize = 1_000;
/// Subjects of an occurrence looked up in one go.
const PAGE_SUBJECTS: usize = 250;
/// How late a due instant still counts as on time, for catch-up `skip`.
const ON_TIME: TimeDelta = TimeDelta::seconds(60);
/// How far back missed instants count when the manifest does not say.
const WINDOW: Span = Span::days(1);

/// A schedule of a file, read.
pub struct Scheduled {
    /// The trigger.
    pub set: Set,
    /// Its rule.
    pub schedule: Schedule,
}

/// Every schedule of the library in force.
pub fn all(app: &App) -> Vec<Scheduled> {
    read(app, handlers::all(app))
}

fn read(app: &App, sets: Vec<Set>) -> Vec<Scheduled> {
    let zone = app.config().zone.name();
    let read = |set: Set| {
        let Source::Cron { cron, zone: own, .. } = &set.trigger().source else { return None };
        let schedule = Schedule::parse(cron, own.as_deref().unwrap_or(zone)).ok()?;
        Some(Scheduled { set, schedule })
    };
    sets.into_iter().filter_map(read).collect()
}

fn says(schedule: &Schedule) -> String {
    format!("{} {}", schedule.text(), schedule.zone().name())
}

/// The place of a trigger; one that is new or says something else starts now and catches up nothing.
fn place(app: &App, scheduled: &Scheduled, now: Instant) -> Result<Place> {
    let id = scheduled.set.id();
    let says = says(&scheduled.schedule);
    let known = app.read(Rights::system(), |work| Ok(rows::place(&mut work.tx, &id)?))?;
    if let Some(known) = known.filter(|known| known.says == says) {
        return Ok(known);
    }
    let fresh = Place { says, since: now, cursors: vec![now], seq: 0 };
    save_place(app, now, &id, &fresh)?;
    Ok(fresh)
}

pub(super) fn save_place(app: &App, now: Instant, id: &str, place: &Place) -> Result<()> {
    let done =
        app.transact(now, &Rights::system(), &format!("place:{id}"), |work| ops::triggers::move_to(work, id, place))?;
    Ok(done.wait(app)?)
}

/// The next due instant of any schedule.
///
/// # Errors
/// The store's failure.
pub fn next_due(app: &App) -> Result<Option<Instant>> {
    let mut earliest: Option<Instant> = None;
    for scheduled in read(app, handlers::on_or_off(app)) {
        let place = place(app, &scheduled, app.now())?;
        let from = place.cursors.first().copied().unwrap_or(place.since);
        if let Some(next) = scheduled.schedule.next_after(from) {
            earliest = Some(earliest.map_or(next, |known| known.min(next)));
        }
    }
    Ok(earliest)
}

/// Takes up what is due; how many occurrences, and how many subjects. A schedule that fails holds up no other.
///
/// # Errors
/// The store's failure.
pub async fn run(app: &App, now: Instant) -> Result<(usize, usize)> {
    let (mut occurrences, mut subjects) = (0, 0);
    let mut kept = Kept::default();
    for scheduled in read(app, handlers::on_or_off(app)) {
        let (more, of_them) = kept.part(&scheduled.set.id(), one(app, &scheduled, now).await)?;
        occurrences += more;
        subjects += of_them;
    }
    kept.end()?;
    Ok((occurrences, subjects))
}

/// Takes up what is due of one schedule.
async fn one(app: &App, scheduled: &Scheduled, now: Instant) -> Result<(usize, usize)> {
    let mut place = place(app, scheduled, now)?;
    let from = place.cursors.first().copied().unwrap_or(place.since);
    let due = scheduled.schedule.between(from, now, INSTANTS_MAX);
    if scheduled.set.file.manifest.enabled {
        return if due.is_empty() { Ok((0, 0)) } else { take_up(app, scheduled, place, due, now).await };
    }
    let skipped = due.len();
    for at in due {
        place.cursors = vec![at];
        settle(app, now, &scheduled.set.id(), &place, at, OccurrenceState::Skipped)?;
    }
    Ok((skipped, 0))
}

/// What becomes of each due instant: the state of those that do not run, none for those that do.
fn plan(catch_up: CatchUp, window: Span, due: &[Instant], now: Instant) -> Vec<(Instant, Option<OccurrenceState>)> {
    let oldest = window.before(now);
    let last = due.last().copied();
    let fate = |at: Instant| {
        if oldest.is_some_and(|oldest| at < oldest) {
            return Some(OccurrenceState::Missed);
        }
        match catch_up {
            CatchUp::All => None,
            CatchUp::One if Some(at) == last => None,
            CatchUp::One => Some(OccurrenceState::Coalesced),
            CatchUp::Skip if now - at <= ON_TIME => None,
            CatchUp::Skip => Some(OccurrenceState::Missed),
        }
    };
    due.iter().map(|at| (*at, fate(*at))).collect()
}

async fn take_up(
    app: &App,
    scheduled: &Scheduled,
    mut place: Place,
    due: Vec<Instant>,
    now: Instant,
) -> Result<(usize, usize)> {
    let Source::Cron { catch_up, window, each, .. } = &scheduled.set.trigger().source else { return Ok((0, 0)) };
    let id = scheduled.set.id();
    let (mut occurrences, mut subjects) = (0, 0);
    for (at, fate) in plan(*catch_up, window.unwrap_or(WINDOW), &due, now) {
        place.cursors = vec![at];
        if let Some(state) = fate {
            settle(app, now, &id, &place, at, state)?;
        } else if let Some(each) = each {
            let selection = selection(&SUBSCRIPTIONS, each).map_err(ops::Error::from)?;
            subjects += each_subject(app, scheduled, &place, at, now, selection).await?;
        } else {
            once(app, scheduled, &place, at, now).await?;
        }
        count(app, fate);
        occurrences += 1;
    }
    Ok((occurrences, subjects))
}

fn count(app: &App, fate: Option<OccurrenceState>) {
    let place = match fate {
        None => 0,
        Some(OccurrenceState::Coalesced) => 1,
        Some(_) => 2,
    };
    app.counters().occurrences[place].fetch_add(1, Ordering::Relaxed);
}

fn occurrence(id: &str, due: Instant, at: Instant, state: OccurrenceState) -> Occurrence {
    Occurrence { trigger: id.to_owned(), due, at, state, subjects: 0, count: 1, run: None }
}

fn settle(app: &App, now: Instant, id: &str, place: &Place, due: Instant, state: OccurrenceState) -> Result<()> {
    app.transact(now, &Rights::system(), &cause(id, due), |work| {
        ops::triggers::keep_occurrence(work, &occurrence(id, due, now, state))?;
        ops::triggers::move_to(work, id, place)
    })?;
    Ok(())
}

fn cause(id: &str, due: Instant) -> String {
    format!("schedule:{id}@{}", calendar::show(due))
}

/// One run for the whole occurrence: its effects, its record and the move of the trigger in one commit.
async fn once(app: &App, scheduled: &Scheduled, place: &Place, due: Instant, now: Instant) -> Result<()> {
    let set = scheduled.set.clone();
    let place = place.clone();
    on_script_thread(app, move |app| {
        let id = set.id();
        let done = app.transact(now, &Rights::system(), &cause(&id, due), |work| {
            let outcome = handlers::run(app, work, &set, &Event::new("cron", due, &id))?;
            let mut row = occurrence(&id, due, now, OccurrenceState::Ran);
            if let Some(run) = &outcome.run {
                row.run = Some(run.id);
            }
            ops::triggers::keep_occurrence(work, &row)?;
            ops::triggers::move_to(work, &id, &place)?;
            Ok(outcome)
        })?;
        handlers::count(app, done.value.run.as_ref());
        done.wait(app)?;
        Ok(())
    })
    .await
}

/// One transaction a subject. A restart finds the occurrence running and skips the subjects that are done.
async fn each_subject(
    app: &App,
    scheduled: &Scheduled,
    place: &Place,
    due: Instant,
    now: Instant,
    selection: Selection,
) -> Result<usize> {
    let id = scheduled.set.id();
    let known = app.read(Rights::system(), |work| Ok(rows::occurrence(&mut work.tx, &id, due)?))?;
    if known.is_none() {
        let started = occurrence(&id, due, now, OccurrenceState::Running);
        app.transact(now, &Rights::system(), &cause(&id, due), |work| ops::triggers::keep_occurrence(work, &started))?
            .wait(app)?;
    }
    let mut cursor: Option<Vec<u8>> = None;
    let mut total = 0;
    loop {
        let from = cursor.clone();
        let chosen = selection.clone();
        let page = app
            .look(Rights::system(), move |work| subscriptions::select(work, &chosen, from.as_deref(), PAGE_SUBJECTS))
            .await?;
        let ids: Vec<SubscriptionId> = page.items.iter().map(|stored| stored.value.id).collect();
        total += ids.len();
        let set = scheduled.set.clone();
        on_script_thread(app, move |app| {
            for subject in &ids {
                one_subject(app, &set, due, now, *subject)?;
            }
            Ok(())
        })
        .await?;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut row = occurrence(&id, due, now, OccurrenceState::Ran);
    row.subjects = total as u64;
    app.transact(now, &Rights::system(), &cause(&id, due), |work| {
        ops::triggers::keep_occurrence(work, &row)?;
        ops::triggers::move_to(work, &id, place)
    })?
    .wait(app)?;
    Ok(total)
}

fn one_subject(app: &App, set: &Set, due: Instant, now: Instant, subject: SubscriptionId) -> ops::Result<()> {
    let id = set.id();
    let cause = format!("{}/{subject}", cause(&id, due));
    let done = app.transact(now, &Rights::system(), &cause, |work| {
        if rows::subject_done(&mut work.tx, &id, due, &subject.bytes())? {
            return Ok(None);
        }
        let mut event = Event::new("cron", due, &id);
        event.subscription = Some(subscriptions::get(work, subject)?.value);
        let outcome = handlers::run(app, work, set, &event)?;
        ops::triggers::mark_subject(work, &id, due, &subject.bytes())?;
        Ok(outcome.run)
    })?;
    handlers::count(app, done.value.as_ref());
    Ok(())
}

/// Runs background work on a script thread and waits for it.
pub(super) async fn on_script_thread<T: Send + 'static>(
    app: &App,
    body: impl FnOnce(&App) -> ops::Result<T> + Send + 'static,
) -> Result<T> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let mine = app.clone();
    app.inner.pool.submit(Priority::Background, move || drop(answer.send(body(&mine)))).map_err(ops::Error::from)?;
    match answered.await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Error::Operation(Refusal::new("failed", "the work ended without an answer").into())),
    }
}
