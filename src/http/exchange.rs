//! What comes in and goes out: inbound deliveries and outbound messages.

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::body::Object;
use super::lists::{Listing, Pairs, selected};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, id, json};
use crate::domain::ids::Noun;
use crate::domain::message::Message;
use crate::domain::selection::{DELIVERIES, MESSAGES};
use crate::domain::trigger::Delivery;
use crate::ops::{deliveries, messages};

/// `GET /v1/deliveries`
pub(super) async fn list_deliveries(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &DELIVERIES, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = selected(work, &listing, deliveries::list, |one: &Delivery| one.id.bytes().to_vec())?;
        Ok(listing.reply(page, |delivery| json::shown(&delivery)))
    });
    Ok(found.await?)
}

/// `GET /v1/deliveries/{id}`
pub(super) async fn delivery(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
) -> Result<Reply, Problem> {
    let id = id(Noun::Delivery, &text)?;
    let found = doors.app.look(call.rights, move |work| deliveries::get(work, id)).await?;
    Ok(Reply::ok(json::shown(&found)))
}

/// `POST /v1/deliveries/{id}/redrive`
pub(super) async fn redrive(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id = id(Noun::Delivery, &text)?;
    Object::read_optional(&body, &[])?;
    call.act(&doors, &body, move |work| Ok(Reply::ok(json::shown(&deliveries::redrive(work, id)?)))).await
}

/// `GET /v1/messages`
pub(super) async fn list_messages(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &MESSAGES, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = selected(work, &listing, messages::list, |one: &Message| one.id.bytes().to_vec())?;
        Ok(listing.reply(page, |message| json::shown(&message)))
    });
    Ok(found.await?)
}

/// `GET /v1/messages/{id}`
pub(super) async fn message(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
) -> Result<Reply, Problem> {
    let id = id(Noun::Message, &text)?;
    let found = doors.app.look(call.rights, move |work| messages::get(work, id)).await?;
    Ok(Reply::ok(json::shown(&found)))
}

/// `POST /v1/messages/{id}/resend`
pub(super) async fn resend(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id = id(Noun::Message, &text)?;
    Object::read_optional(&body, &[])?;
    call.act(&doors, &body, move |work| Ok(Reply::ok(json::shown(&messages::resend(work, id)?)))).await
}
