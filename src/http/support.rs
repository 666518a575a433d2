//! Support requests in our own JSON: opening, looking, answering, closing.

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::body::{Object, parse_any_case as parse, refused, wrong};
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, id, json};
use crate::domain::ids::Noun;
use crate::domain::selection::SUPPORT;
use crate::domain::support::{Resolution, SupportRequest};
use crate::domain::{Refusal, TenantId};
use crate::ops::{self, Work, support, tenants};
use crate::partner_center::service_requests::{self, ServiceRequestFact};

pub(super) mod theirs;

/// The members of a form.
const FIELDS: [&str; 19] = [
    "type",
    "severity",
    "impact",
    "title",
    "description",
    "customer",
    "orderId",
    "subscription",
    "refundReason",
    "amount",
    "contact",
    "attachments",
    "productId",
    "country",
    "request",
    "status",
    "resolution",
    "note",
    "generation",
];

/// `GET /v1/support`: newest first.
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &SUPPORT, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = support::select(work, &listing.selection, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |found| json::shown(&found)))
    });
    Ok(found.await?)
}

/// `GET /v1/support/{id}`
pub(super) async fn show(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id = id(Noun::Support, &text)?;
    let found = doors.app.look(call.rights, move |work| support::get(work, id)).await?;
    Ok(shown(&found))
}

fn shown(found: &SupportRequest) -> Reply {
    Reply::ok(json::shown(found)).generation(found.generation)
}

/// A body of our own members only.
fn read(body: &Bytes) -> Result<ServiceRequestFact, Problem> {
    let object = Object::read(body, &FIELDS)?;
    if let Some(contact) = object.value("contact") {
        let members = contact.members().ok_or_else(|| wrong("contact", "schema", "contact is an object"))?;
        let known = ["name", "email", "phone"];
        if let Some((name, _)) = members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(super::body::unknown_field(&format!("contact/{name}"), &known));
        }
    }
    for name in ["severity", "impact", "title", "description", "orderId", "refundReason", "note"] {
        object.text(name)?;
    }
    object.texts("attachments")?;
    Ok(service_requests::read(&parse(body)?)?)
}

/// The customer that is named: by id, or by a name or domain that only one has.
fn customer(work: &mut Work, text: Option<&str>) -> ops::Result<Option<TenantId>> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(id) = text.parse() {
        return Ok(Some(id));
    }
    let found = tenants::find(work, text)?;
    match found.as_slice() {
        [one] => Ok(Some(one.id)),
        [] => Err(ops::not_found("tenant", &text)),
        several => {
            let message = format!("{} customers are called {text}; use the id", several.len());
            Err(Refusal::new("ambiguous", message).into())
        }
    }
}

fn opened(work: &mut Work, fact: &ServiceRequestFact) -> ops::Result<SupportRequest> {
    let request = match &fact.request {
        Some(text) => Some(text.parse()?),
        None => None,
    };
    let tenant = customer(work, fact.customer.as_deref())?;
    let found = support::open(work, tenant, fact.form.clone(), request)?;
    match &fact.note {
        Some(text) => support::note(work, found.id, text),
        None => Ok(found),
    }
}

/// `POST /v1/support`
pub(super) async fn open(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let fact = read(&body)?;
    call.act(&doors, &body, move |work| {
        let found = opened(work, &fact)?;
        Ok(shown(&found).status(201).location(format!("/v1/support/{}", found.id)))
    })
    .await
}

fn answer_of(fact: &ServiceRequestFact) -> support::Answer {
    support::Answer {
        status: fact.status,
        resolution: fact.resolution,
        note: fact.note.clone(),
        form: fact.fills.then(|| fact.form.clone()),
    }
}

/// `PATCH /v1/support/{id}`: fields of the form, a status, a note.
pub(super) async fn update(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id = id(Noun::Support, &text)?;
    let fact = read(&body)?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| Ok(shown(&support::answer(work, id, seen, &answer_of(&fact))?))).await
}

/// `POST /v1/support/{id}/note`
pub(super) async fn note(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id = id(Noun::Support, &text)?;
    let words = Object::read(&body, &["text"])?.needed_text("text")?.to_owned();
    call.act(&doors, &body, move |work| Ok(shown(&support::note(work, id, &words)?))).await
}

/// `POST /v1/support/{id}/close`
pub(super) async fn close(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id = id(Noun::Support, &text)?;
    let said = Object::read(&body, &["resolution", "note"])?;
    let word = said.needed_text("resolution")?;
    let unknown = || Refusal::new("unknown_value", "resolution is granted, declined or withdrawn");
    let resolution = Resolution::of(word).ok_or_else(|| refused("resolution", &unknown()))?;
    let note = said.text("note")?.unwrap_or_default().to_owned();
    call.act(&doors, &body, move |work| Ok(shown(&support::close(work, id, resolution, &note)?))).await
}
