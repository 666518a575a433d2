//! What is only looked at: products, decisions, runs, occurrences and the ledger.

use axum::extract::{Path, State};

use super::lists::{Listing, Pairs, selected};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, id, json};
use crate::domain::ids::Noun;
use crate::domain::run::Run;
use crate::domain::selection::{DECISIONS, LEDGER, PRODUCTS, RUNS, SCHEDULES, Scalar};
use crate::domain::trigger::Occurrence;
use crate::ops::{catalog, ledger, lists};
use crate::store::records::keys;

/// `GET /v1/products`: in our own JSON; in Partner Center's for a call that names a country, as its calls do.
pub(super) async fn products(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    if pairs.0.iter().any(|(name, _)| name == "country") {
        return super::catalog::products(doors, call, pairs).await;
    }
    let listing = Listing::read(&doors, &PRODUCTS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = catalog::products(work, &listing.selection, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |product| json::shown(&product)))
    });
    Ok(found.await?)
}

/// `GET /v1/products/{id}`
pub(super) async fn product(
    State(doors): State<Doors>,
    Path(id): Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    if !pairs.0.is_empty() {
        return super::catalog::product(doors, id, call, pairs).await;
    }
    let found = doors.app.look(call.rights, move |work| catalog::product(work, &id)).await?;
    Ok(Reply::ok(json::shown(&found)))
}

/// `GET /v1/decisions`
pub(super) async fn decisions(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &DECISIONS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = ledger::decisions(work, &listing.selection, listing.before_seq(), listing.limit)?;
        Ok(listing.reply(page, |decision| json::shown(&decision)))
    });
    Ok(found.await?)
}

/// `GET /v1/decisions/{id}`
pub(super) async fn decision(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
) -> Result<Reply, Problem> {
    let id = id(Noun::Decision, &text)?;
    let found = doors.app.look(call.rights, move |work| ledger::decision(work, id)).await?;
    Ok(Reply::ok(json::shown(&found)))
}

/// `GET /v1/runs`
pub(super) async fn runs(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &RUNS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = selected(work, &listing, lists::runs, |run: &Run| run.id.bytes().to_vec())?;
        Ok(listing.reply(page, |run| json::shown(&run)))
    });
    Ok(found.await?)
}

/// `GET /v1/runs/{id}`
pub(super) async fn run(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id = id(Noun::Run, &text)?;
    let found = doors.app.look(call.rights, move |work| lists::run(work, id)).await?;
    Ok(Reply::ok(json::shown(&found)))
}

/// `GET /v1/occurrences`
pub(super) async fn occurrences(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &SCHEDULES, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let trigger = match listing.selection.exact("trigger") {
            Some([Scalar::Text(trigger)]) => Some(trigger.clone()),
            _ => None,
        };
        let key = |one: &Occurrence| keys::text(&[&one.trigger], &keys::instant(one.due));
        let page = selected(
            work,
            &listing,
            |work, before, limit| lists::occurrences(work, trigger.as_deref(), before, limit),
            key,
        )?;
        Ok(listing.reply(page, |occurrence| json::shown(&occurrence)))
    });
    Ok(found.await?)
}

/// `GET /v1/ledger`
pub(super) async fn lines(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &LEDGER, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = ledger::list(work, &listing.selection, listing.before_seq(), listing.limit)?;
        Ok(listing.reply(page, |line| json::line(&line)))
    });
    Ok(found.await?)
}
