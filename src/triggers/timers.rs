//! Domain timers: rows by due instant, popped in pages, each its own transaction. A page is worked through in key
//! order by all script threads at once; on a manual clock by one, so that the same commands give the same bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, mpsc};

use crate::app::{App, Result};
use crate::domain::ids::Noun;
use crate::domain::{Id, Instant, SubscriptionId, calendar};
use crate::engine::script_thread::Priority;
use crate::ops::{self, Rights, Work, renewals, requests};
use crate::store::records::timers::{self, Timer};
use crate::store::tables::TimerKind;

/// Due timers taken in one go.
const PAGE_TIMERS: usize = 10_000;
/// Timers a script thread works through before somebody else's work may come between.
const CHUNK_TIMERS: usize = 64;
/// Places a chunk holds while people are at work: a quarter as many are in flight then.
const PLACES_BESIDE_PEOPLE: usize = 4;
/// Timers a kind may take in one tick, so that a flood of one kind does not starve the others for ever.
const PAGES_MAX: usize = 1_000;

/// Runs everything due; how many timers were done.
///
/// # Errors
/// The store's failure. A subject that fails is told in the log and tried again at the next tick.
pub async fn run(app: &App, now: Instant) -> Result<usize> {
    let mut done = 0;
    for kind in TimerKind::DOMAIN {
        for _ in 0..PAGES_MAX {
            let due = page(app, kind, now)?;
            let full = due.len() == PAGE_TIMERS;
            let moved = sweep(app, due).await;
            done += moved;
            if !full || moved == 0 {
                break;
            }
        }
    }
    Ok(done)
}

fn page(app: &App, kind: TimerKind, now: Instant) -> Result<Vec<Timer>> {
    let found =
        app.read(Rights::system(), |work| Ok(timers::due(&mut work.tx, kind, None, now, None, PAGE_TIMERS)?))?;
    let mut due = found;
    // On a manual clock the order of the instants is kept; else neighbours in the store go together.
    if !app.is_manual() {
        due.sort_unstable_by_key(|timer| (timer.tenant, timer.subject, timer.due));
    }
    Ok(due)
}

/// Works through the timers; how many of them were done.
async fn sweep(app: &App, due: Vec<Timer>) -> usize {
    let done = Arc::new(AtomicUsize::new(0));
    let (finished, mut all_finished) = mpsc::unbounded_channel::<u64>();
    let chunk = if app.is_manual() { due.len().max(1) } else { CHUNK_TIMERS };
    // A chunk holds its place until it is durable, so that people's commits never queue behind a whole sweep; while
    // people are at work it holds several.
    let all_places = (app.config().limits.background_in_flight / CHUNK_TIMERS).max(1);
    let places = Arc::new(Semaphore::new(all_places));
    for timers in due.chunks(chunk) {
        let mut job = Some((app.clone(), timers.to_vec(), Arc::clone(&done), finished.clone()));
        // A full queue empties by itself; the sweep waits rather than drops.
        while let Some((app_of_job, timers, done, finished)) = job.take() {
            let retry = (app_of_job.clone(), timers.clone(), Arc::clone(&done), finished.clone());
            let held = if app.people_at_work() { PLACES_BESIDE_PEOPLE.min(all_places) } else { 1 };
            let held = u32::try_from(held).unwrap_or(1);
            let place = Arc::clone(&places).acquire_many_owned(held).await.ok();
            let submitted = app.inner.pool.submit(Priority::Background, move || {
                let mut last = 0;
                for timer in timers {
                    match once(&app_of_job, &timer) {
                        Ok(seq) => {
                            last = last.max(seq);
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => tell(&timer, &error),
                    }
                }
                let _ = finished.send(last);
                app_of_job.store().on_durable(last, move |_| drop(place));
            });
            if let Err(refusal) = submitted {
                if refusal.code != "busy" {
                    return done_of(app, 0, &retry.2).await;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                job = Some(retry);
            }
        }
    }
    drop(finished);
    let mut last = 0;
    while let Some(seq) = all_finished.recv().await {
        last = last.max(seq);
    }
    done_of(app, last, &done).await
}

async fn done_of(app: &App, seq: u64, done: &AtomicUsize) -> usize {
    if until_durable(app, seq).await { done.load(Ordering::Relaxed) } else { 0 }
}

/// Waits until a sequence is durable; whether it is.
pub(super) async fn until_durable(app: &App, seq: u64) -> bool {
    let (tell, told) = tokio::sync::oneshot::channel();
    app.store().on_durable(seq, move |durable| {
        let _ = tell.send(durable.is_ok());
    });
    app.store().hurry(seq);
    told.await.unwrap_or(false)
}

fn tell(timer: &Timer, error: &ops::Error) {
    tracing::error!(
        kind = ?timer.kind,
        due = %calendar::show(timer.due),
        tenant = %timer.tenant,
        error = %crate::app::chain(error),
        "a timer failed; it is tried again"
    );
}

/// One timer in its transaction. Accepted; the page waits for all of them to be durable.
fn once(app: &App, timer: &Timer) -> ops::Result<u64> {
    let cause = format!("timer:{}:{:?}@{}", Subject(timer), timer.kind, timer.due.timestamp_micros());
    let done = app.transact(app.now(), &Rights::system(), &cause, |work| fire(work, timer))?;
    Ok(done.seq)
}

struct Subject<'a>(&'a Timer);

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.kind {
            TimerKind::RequestDue | TimerKind::RequestExpiry => Id::from_bytes(Noun::Request, self.0.subject).fmt(f),
            _ => SubscriptionId::from_bytes(self.0.subject).fmt(f),
        }
    }
}

fn fire(work: &mut Work, timer: &Timer) -> ops::Result<()> {
    let subscription = SubscriptionId::from_bytes(timer.subject);
    let request = Id::from_bytes(Noun::Request, timer.subject);
    match timer.kind {
        TimerKind::TermEnd => renewals::term_end(work, timer.tenant, subscription, timer.due)?,
        TimerKind::CycleEnd => renewals::cycle_end(work, timer.tenant, subscription, timer.due)?,
        TimerKind::NextStep => renewals::next_step(work, timer.tenant, subscription, timer.due)?,
        TimerKind::RequestExpiry => requests::expire(work, request, timer.due)?,
        TimerKind::RequestDue => requests::fall_due(work, request, timer.due)?,
        TimerKind::WindowEnd | TimerKind::TrialEnd | TimerKind::Deletion => return Ok(()),
    }
    // Whatever it came to, this timer is over: a subject that has moved on left it behind.
    ops::triggers::clear_timer(work, timer)
}
