//! Retention: once an hour, records whose time is over go, a bounded number at a time.

use std::time::Duration;

use chrono::TimeDelta;

use crate::app::{App, Result};
use crate::domain::Instant;
use crate::ops::retention::{self, Horizon};
use crate::ops::{self, Rights};

/// How often somebody looks.
const PERIOD: Duration = Duration::from_secs(3600);
/// Records of a kind that go in one transaction.
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

/// Prunes once; how many records went.
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
    for _ in 0..ROUNDS_MAX {
        let cause = app.next_cause("retention");
        let round = app.act(Rights::system(), cause, move |work| retention::prune(work, limits, RECORDS_MAX)).await?;
        gone += round;
        if round == 0 {
            break;
        }
    }
    let (store, before) = (app.store().clone(), horizon(now, kept.history).timestamp_micros());
    let pruned = tokio::task::spawn_blocking(move || store.prune_history(before, RECORDS_MAX * ROUNDS_MAX));
    match pruned.await {
        Ok(pruned) => gone += pruned.map_err(ops::Error::from)?,
        Err(error) => tracing::error!(%error, "pruning history ended without an answer"),
    }
    Ok(gone)
}
