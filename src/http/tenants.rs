//! Tenants in our own JSON: looking, labelling, and what the billing system tells of them.

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::body::{Object, refused};
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply, fresh};
use super::{Doors, json};
use crate::domain::selection::TENANTS;
use crate::domain::{Money, TenantId, calendar};
use crate::ops::tenants;

/// `GET /v1/tenants`
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &TENANTS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = tenants::select(work, &listing.selection, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |tenant| json::shown(&tenant)))
    });
    Ok(found.await?)
}

/// `GET /v1/tenants/{id}`
pub(super) async fn show(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id: TenantId = text.parse()?;
    let tenant = doors.app.look(call.rights, move |work| tenants::get(work, id)).await?;
    Ok(Reply::ok(json::shown(&tenant)).generation(tenant.generation))
}

/// `POST /v1/tenants/{id}/account`
pub(super) async fn account(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id: TenantId = text.parse()?;
    let told = Object::read(&body, &["overdue", "since"])?;
    let mut overdue: Vec<Money> = Vec::new();
    for (place, text) in told.texts("overdue")?.unwrap_or_default().into_iter().enumerate() {
        let name = format!("overdue/{place}");
        let money: Money = text.parse().map_err(|refusal| refused(&name, &refusal))?;
        if overdue.iter().any(|known| known.currency == money.currency) {
            return Err(super::body::wrong(&name, "schema", "one amount a currency"));
        }
        overdue.push(money);
    }
    let since = told.text("since")?.map(calendar::day_or_instant).transpose();
    let since = since.map_err(|refusal| refused("since", &refusal))?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        if seen.is_some() {
            fresh(seen, tenants::get(work, id)?.generation)?;
        }
        let after = tenants::set_account(work, id, overdue.clone(), since)?;
        Ok(Reply::ok(json::shown(&after)).generation(after.generation))
    })
    .await
}

/// `PUT /v1/tenants/{id}/labels/{name}`
pub(super) async fn label(
    State(doors): State<Doors>,
    Path((text, name)): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let value = Object::read(&body, &["value"])?.needed_text("value")?.to_owned();
    set(doors, &text, name, Some(value), call, body).await
}

/// `DELETE /v1/tenants/{id}/labels/{name}`
pub(super) async fn unlabel(
    State(doors): State<Doors>,
    Path((text, name)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    set(doors, &text, name, None, call, Bytes::new()).await
}

async fn set(
    doors: Doors,
    text: &str,
    name: String,
    value: Option<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id: TenantId = text.parse()?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        if seen.is_some() {
            fresh(seen, tenants::get(work, id)?.generation)?;
        }
        let after = tenants::label(work, id, &name, value.as_deref())?;
        Ok(Reply::ok(json::shown(&after)).generation(after.generation))
    })
    .await
}
