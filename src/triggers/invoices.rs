//! Monthly invoices: on their day the month before is counted and published, month by month where several were missed,
//! each in one commit. Nothing stands between the pages of a count but the ledger itself, so whoever is stopped begins
//! the month again.

use crate::app::{App, Result};
use crate::domain::Instant;
use crate::domain::invoice::Tally;
use crate::ops::{self, Rights, invoices};

/// Publishes every month that is due; how many invoices came of it.
///
/// # Errors
/// The store's failure; what was published before it stays.
pub async fn run(app: &App, now: Instant) -> Result<usize> {
    let mut published = 0;
    loop {
        let next = app.read(Rights::system(), invoices::next)?;
        let Some(publication) = next.filter(|publication| publication.due <= now) else { return Ok(published) };
        let here = app.clone();
        let month = tokio::task::spawn_blocking(move || publish(&here, &publication, now));
        match month.await {
            Ok(invoices) => published += invoices?,
            Err(error) => {
                tracing::error!(%error, "publishing invoices ended without an answer; it is tried again");
                return Ok(published);
            }
        }
    }
}

/// When the next month is published; none before anything was owed.
///
/// # Errors
/// The store's failure.
pub fn next_due(app: &App) -> Result<Option<Instant>> {
    Ok(app.read(Rights::system(), invoices::next)?.map(|publication| publication.due))
}

fn publish(app: &App, publication: &invoices::Publication, now: Instant) -> ops::Result<usize> {
    let reach = publication.billing.reach(app.store().durable());
    let mut tally = Tally::default();
    let mut next = Some(reach.from_seq).filter(|from| *from <= reach.to_seq);
    while let Some(from) = next {
        next = app.read(Rights::system(), |work| invoices::count(&mut work.tx, &mut tally, &reach, from))?;
    }
    let cause = format!("invoices:{}", publication.billing.next);
    let body = |work: &mut ops::Work| invoices::publish(work, publication, reach, &tally);
    let published = app.transact(now, &Rights::system(), &cause, body)?.wait(app)?;
    for id in &published {
        tracing::info!(invoice = %id, "an invoice is published");
    }
    Ok(published.len())
}
