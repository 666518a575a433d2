//! Retention: once an hour, records whose time is over go, a bounded number at a time.

use std::time::Duration;

use chrono::TimeDelta;

use super::schedules::on_script_thread;
use crate::app::{App, Result};
use crate::domain::{Instant, calendar};
use crate::ops::retention::{self, Horizon};
use crate::ops::{self, Rights};

/// How often somebody looks.
const PERIOD: Duration = Duration::from_secs(3600);
/// Records of a kind that go in one transaction, and transactions whose replaced values go in one commit: others' commits
/// wait for no more than that.
const RECORDS_MAX: usize = 1_000;
/// Transactions in one go.
const ROUNDS_MAX: usize = 1_000;

/// Prunes until `stop`.
pub async fn run_loop(app: App, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        if let Err(error) = run(&app).await {
            tracing::error!(error = %crate::app::chain(&error), "retention failed; it is tried again");
        }
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

fn horizon(now: Instant, kept: Duration) -> Instant {
    TimeDelta::from_std(kept).ok().and_then(|kept| now.checked_sub_signed(kept)).unwrap_or(Instant::MIN_UTC)
}

/// Prunes once, as background work; how many records went.
///
/// # Errors
/// The store's failure.
pub async fn run(app: &App) -> Result<usize> {
    let kept = &app.config().retention;
    let now = app.now();
    let limits = Horizon {
        runs: horizon(now, kept.runs),
        deliveries: horizon(now, kept.deliveries),
        occurrences: horizon(now, kept.occurrences),
        carts: horizon(now, kept.carts),
    };
    let mut gone = 0;
    for round in 0..ROUNDS_MAX {
        // No counted cause: what goes by itself must not move the identifiers of what is asked for.
        let cause = format!("retention@{}/{round}", calendar::show(now));
        let pruned = on_script_thread(app, move |app| {
            app.transact(now, &Rights::system(), &cause, |work| retention::prune(work, limits, RECORDS_MAX))?.wait(app)
        });
        let pruned = pruned.await?;
        gone += pruned;
        if pruned == 0 {
            break;
        }
    }
    let before = horizon(now, kept.history).timestamp_micros();
    for _ in 0..ROUNDS_MAX {
        let store = app.store().clone();
        let pruning = tokio::task::spawn_blocking(move || store.prune_history(before, RECORDS_MAX));
        let pruned = match pruning.await {
            Ok(pruned) => pruned.map_err(ops::Error::from)?,
            Err(error) => {
                tracing::error!(%error, "pruning history ended without an answer");
                0
            }
        };
        gone += pruned;
        if pruned == 0 {
            break;
        }
    }
    Ok(gone)
}
