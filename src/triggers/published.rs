//! After an invoice was published: invoices are followed with a cursor for each trigger, one transaction each.

use super::Kept;
use super::applied::place_in_the_log;
use super::handlers::{self, Set};
use super::schedules::{on_script_thread, save_place};
use crate::app::{App, Result};
use crate::domain::Instant;
use crate::domain::invoice::Invoice;
use crate::engine::api::events::Event;
use crate::engine::manifest::{Published, Source};
use crate::ops::{self, Rights};
use crate::store::records::invoices;
use crate::store::records::triggers::{self as rows, Place};

/// Tells every file of the invoices published since; how many. A file that cannot be told holds up no other.
///
/// # Errors
/// The store's failure.
pub async fn run(app: &App, now: Instant) -> Result<usize> {
    let mut done = 0;
    let mut kept = Kept::default();
    for set in handlers::all(app) {
        if let Source::Published(Published::Invoice) = set.trigger().source {
            let id = set.id();
            done += kept.part(&id, follow(app, set, now).await)?;
        }
    }
    kept.end()?;
    Ok(done)
}

async fn follow(app: &App, set: Set, now: Instant) -> Result<usize> {
    let id = set.id();
    let says = format!("published {}", Published::Invoice.as_str());
    let mut place = place_in_the_log(app, now, &id, says)?;
    let after = place.seq;
    let told = app.read(Rights::system(), |work| Ok(invoices::published_after(&mut work.tx, after)?))?;
    let Some((last, _)) = told.last() else { return Ok(0) };
    let done = told.len();
    let (walking, reached) = (set.clone(), place.clone());
    place.seq = *last;
    on_script_thread(app, move |app| {
        for (seq, invoice) in told {
            tell(app, &walking, &reached, seq, &invoice, now)?;
        }
        Ok(())
    })
    .await?;
    save_place(app, now, &id, &place)?;
    Ok(done)
}

/// One invoice: the effects, the run and the move of the trigger in one commit. A publication may hold several, so the
/// trigger stays before it until all of them are told.
fn tell(app: &App, set: &Set, place: &Place, seq: u64, invoice: &Invoice, now: Instant) -> ops::Result<()> {
    let id = set.id();
    let key = invoices::key_of(&invoice.id);
    let done = app.transact(now, &Rights::system(), &format!("published:{id}@{seq}/{}", invoice.id), |work| {
        if rows::subject_done(&mut work.tx, &id, place.since, &key)? {
            return Ok(None);
        }
        let mut event = Event::new("published", invoice.invoice_date, &id);
        event.invoice = Some(invoice.clone());
        let outcome = handlers::run(app, work, set, &event)?;
        ops::triggers::mark_subject(work, &id, place.since, &key)?;
        let mut moved = place.clone();
        moved.seq = seq.saturating_sub(1);
        ops::triggers::move_to(work, &id, &moved)?;
        Ok(outcome.run)
    })?;
    handlers::count(app, done.value.as_ref());
    Ok(())
}
