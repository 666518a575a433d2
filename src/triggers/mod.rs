//! What sets things off, one file a kind. A trigger says what is due; `ops` says what happens.
//!
//! Everything due is in rows: nothing is chained from the last run or kept only in memory, so a restart and normal
//! running are one code path. [`tick`] takes no input but the time and may be called at any moment, any number of
//! times. Order at one instant: domain timers, request expiries, invoices, triggers by id, deliveries by arrival.

pub mod applied;
pub mod before;
pub mod deliveries;
pub mod handlers;
pub mod invoices;
pub mod outbox;
pub mod published;
pub mod retention;
pub mod schedules;
pub mod timers;
pub mod upcoming;

use std::time::Duration;

use chrono::Datelike;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{App, Error, Result};
use crate::domain::{Instant, Refusal};
use crate::ops;

/// Rounds of one tick: each round takes what the one before has caused at the same instant.
const ROUNDS_MAX: usize = 1_000;
/// The longest the loop sleeps before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long the loop gathers after it was woken.
const GATHER: Duration = Duration::from_millis(5);

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticked {
    /// Domain timers and request expiries.
    pub timers: usize,
    /// Occurrences of schedules.
    pub occurrences: usize,
    /// Subjects of relative triggers.
    pub subjects: usize,
    /// Applied changes told to files.
    pub applied: usize,
    /// Published invoices told to files.
    pub published: usize,
    /// Deliveries taken by files.
    pub deliveries: usize,
    /// Invoices published.
    pub invoices: usize,
}

impl Ticked {
    fn total(self) -> usize {
        self.timers + self.occurrences + self.subjects + self.applied + self.published + self.deliveries + self.invoices
    }

    fn add(&mut self, other: Ticked) {
        self.timers += other.timers;
        self.occurrences += other.occurrences;
        self.subjects += other.subjects;
        self.applied += other.applied;
        self.published += other.published;
        self.deliveries += other.deliveries;
        self.invoices += other.invoices;
    }
}

/// Processes everything that is due by the store's clock. One at a time: a second caller waits.
///
/// # Errors
/// The store's failure; what was done before it stays done.
pub async fn tick(app: &App) -> Result<Ticked> {
    let alone = app.inner.ticking.lock().await;
    let now = app.now();
    let ticked = tick_at(app, now).await?;
    *app.inner.ticked.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(crate::clock::monotonic());
    drop(alone);
    Ok(ticked)
}

/// What went wrong with one part while the others go on.
#[derive(Default)]
struct Kept(Option<Error>);

impl Kept {
    /// What a part answered. Its failure is told and kept; only when nothing else can be done either it ends the tick.
    fn part<T: Default>(&mut self, name: &str, outcome: Result<T>) -> Result<T> {
        match outcome {
            Err(error) if !error.is_down() => {
                tracing::error!(part = name, error = %crate::app::chain(&error), "it failed and is tried again");
                self.0.get_or_insert(error);
                Ok(T::default())
            }
            other => other,
        }
    }

    /// The first failure there was.
    fn end(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

async fn tick_at(app: &App, now: Instant) -> Result<Ticked> {
    let mut all = Ticked::default();
    for _ in 0..ROUNDS_MAX {
        let mut kept = Kept::default();
        let timers = kept.part("timers", timers::run(app, now).await)?;
        let invoices = kept.part("invoices", invoices::run(app, now).await)?;
        let (occurrences, subjects) = kept.part("schedules", schedules::run(app, now).await)?;
        let subjects = subjects + kept.part("relative triggers", before::run(app, now).await)?;
        let applied = kept.part("applied changes", applied::run(app, now).await)?;
        let published = kept.part("publications", published::run(app, now).await)?;
        let deliveries = kept.part("deliveries", deliveries::run(app, now).await)?;
        let round = Ticked { timers, occurrences, subjects, applied, published, deliveries, invoices };
        all.add(round);
        kept.end()?;
        if round.total() == 0 {
            return Ok(all);
        }
    }
    tracing::warn!("a tick ended after {ROUNDS_MAX} rounds with work still due; the next one goes on");
    Ok(all)
}

/// What moving the clock did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advanced {
    /// Where the clock stands now.
    pub now: Instant,
    /// The instants at which something was due.
    pub stops: usize,
    /// What was processed.
    #[serde(flatten)]
    pub ticked: Ticked,
}

/// The last year that an instant is written in (RFC 3339).
const YEAR_MAX: i32 = 9999;

/// Moves a manual clock, processing what falls due on the way, in order, each at its own instant.
///
/// # Errors
/// `system_clock`, `clock_backwards`, `out_of_range`, the store's failure.
pub async fn advance(app: &App, to: Instant) -> Result<Advanced> {
    if to.year() > YEAR_MAX {
        let message = format!("the clock goes to the end of the year {YEAR_MAX}");
        return Err(ops::Error::from(Refusal::new("out_of_range", message)).into());
    }
    let alone = app.inner.ticking.lock().await;
    app.set_clock(app.now().min(to))?;
    let mut stops = 0;
    let mut ticked = tick_at(app, app.now()).await?;
    while let Some(next) = next_due(app)?.filter(|next| *next <= to) {
        let now = app.now();
        // What could not be done when it was due stays due; the clock goes on past it.
        let next = if next <= now { now + chrono::TimeDelta::microseconds(1) } else { next };
        if next > to {
            break;
        }
        app.set_clock(next)?;
        ticked.add(tick_at(app, next).await?);
        stops += 1;
    }
    app.set_clock(to)?;
    drop(alone);
    Ok(Advanced { now: to, stops, ticked })
}

/// The next instant at which something is due, past ones included; none when nothing is.
///
/// # Errors
/// The store's failure.
pub fn next_due(app: &App) -> Result<Option<Instant>> {
    let now = app.now();
    let found = [
        app.read(ops::Rights::system(), ops::subscriptions::next_due)?,
        schedules::next_due(app)?,
        before::next_due(app, now)?,
        deliveries::next_due(app)?,
        invoices::next_due(app)?,
    ];
    Ok(found.into_iter().flatten().min())
}

/// Everything that happens by itself, until `stop` or until the application is closed: triggers, messages to endpoints,
/// and the end of what is kept for a time only.
pub async fn run_loop(app: App, stop: impl Future<Output = ()>) {
    let (tell, told) = watch::channel(false);
    let until = || {
        let mut told = told.clone();
        // Told, or the teller is gone: either way it ends.
        async move { drop(told.wait_for(|stop| *stop).await) }
    };
    let mut loops = JoinSet::new();
    loops.spawn(tick_loop(app.clone(), until()));
    loops.spawn(outbox::run_loop(app.clone(), until()));
    loops.spawn(retention::run_loop(app.clone(), until()));
    tokio::select! {
        () = stop => {}
        () = app.closing() => {}
    }
    let _told = tell.send(true);
    while let Some(ended) = loops.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a loop of the background ended with a panic");
        }
    }
}

/// Ticks until `stop`: whenever somebody wakes it, and at least every second.
async fn tick_loop(app: App, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        let ticked = tick(&app).await;
        if let Err(error) = &ticked {
            tracing::error!(error = %crate::app::chain(error), "the tick failed; it is tried again");
        }
        let pause = if app.is_manual() && ticked.is_ok() { Duration::from_secs(3600) } else { LOOK_AGAIN };
        tokio::select! {
            () = &mut stop => return,
            // What comes right behind is taken along: a storm is worked off in batches.
            () = app.woken() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
