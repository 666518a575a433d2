//! Support requests as Partner Center's service requests.

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::super::body::parse_any_case as parse;
use super::super::collections::{self, Asked};
use super::super::customers::{below, reply};
use super::super::lists::Pairs;
use super::super::problem::Problem;
use super::super::reply::{Call, Reply};
use super::super::{Doors, id};
use super::{answer_of, opened};
use crate::domain::ids::Noun;
use crate::domain::selection::SUPPORT;
use crate::domain::support::SupportRequest;
use crate::domain::{Grant, TenantId};
use crate::ops::{self, Work, support, tenants};
use crate::partner_center::service_requests::{self, service_request};

fn shown(found: &SupportRequest) -> Reply {
    reply(&service_request(found)).generation(found.generation)
}

/// `GET /v1/servicerequests`
pub(in crate::http) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let address = collections::address("/servicerequests", &pairs);
    let asked = Asked::read(&doors, &SUPPORT, pairs, &call, address, "")?;
    Ok(doors.app.look(call.rights, move |work| page(work, &asked)).await?)
}

fn page(work: &mut Work, asked: &Asked) -> ops::Result<Reply> {
    let selection = &asked.listing.selection;
    let read = |work: &mut Work, before: Option<&[u8]>, limit| support::select(work, selection, before, limit);
    asked.page(work, read, |_, found| Ok(service_request(&found)))
}

/// `GET /v1/customers/{tenant}/servicerequests`
pub(in crate::http) async fn of_customer(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    let tenant: TenantId = text.parse()?;
    let asked = below(&doors, &SUPPORT, tenant, pairs, &call)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = page(work, &asked)?;
        tenants::exists(work, tenant)?;
        Ok(page)
    });
    Ok(found.await?)
}

/// `GET /v1/servicerequests/{id}`
pub(in crate::http) async fn show(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
) -> Result<Reply, Problem> {
    let id = id(Noun::Support, &text)?;
    let found = doors.app.look(call.rights, move |work| support::get(work, id)).await?;
    Ok(shown(&found))
}

/// `GET /v1/servicerequests/supporttopics`
pub(in crate::http) async fn topics(call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    pairs.end(&[])?;
    call.rights.require(&Grant::Read("support"))?;
    Ok(collections::all("/servicerequests/supporttopics", service_requests::topics()))
}

/// What the form lacks is named as the body calls it.
fn in_their_words(error: ops::Error) -> ops::Error {
    match error {
        ops::Error::Refused(refusal) => service_requests::with_fields(refusal).into(),
        other => other,
    }
}

/// `POST /v1/servicerequests`
pub(in crate::http) async fn open(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let fact = service_requests::read(&parse(&body)?)?;
    call.act(&doors, &body, move |work| {
        let found = opened(work, &fact).map_err(in_their_words)?;
        Ok(shown(&found).status(201).location(format!("/v1/servicerequests/{}", found.id)))
    })
    .await
}

/// `PATCH /v1/servicerequests/{id}`: a status, a new note, fields of the form.
pub(in crate::http) async fn patch(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id = id(Noun::Support, &text)?;
    let fact = service_requests::read(&parse(&body)?)?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        let answered = support::answer(work, id, seen, &answer_of(&fact)).map_err(in_their_words)?;
        Ok(shown(&answered))
    })
    .await
}
