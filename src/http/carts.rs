//! Carts and what becomes of them, in Partner Center's JSON; the review in our own.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value as Shown, json};

use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply, fresh};
use super::{Doors, json as records};
use crate::domain::ids::CartId;
use crate::domain::selection::CARTS;
use crate::domain::{TenantId, cart::Cart};
use crate::ops::Work;
use crate::ops::carts::{self, Wish};
use crate::ops::checkout::{self, CheckedOut};
use crate::partner_center::{carts as theirs, orders_write};

pub(super) fn wish(body: &Bytes) -> Result<Wish, Problem> {
    Ok(Wish { lines: theirs::read(&super::body::parse_any_case(body)?)? })
}

fn reply(cart: &Cart) -> Reply {
    Reply::exact(theirs::cart(cart).to_string()).generation(cart.generation)
}

fn ids(tenant: &str, id: &str) -> Result<(TenantId, CartId), Problem> {
    Ok((tenant.parse()?, id.parse()?))
}

/// `GET /v1/carts`
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &CARTS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let all = |work: &mut Work, after: Option<&[u8]>, limit| carts::list(work, None, after, limit);
        let page = super::lists::selected(work, &listing, all, carts::key_of)?;
        Ok(listing.reply(page, |cart| records::shown(&cart)))
    });
    Ok(found.await?)
}

/// `POST /v1/customers/{tenant}/carts`
pub(super) async fn create(
    State(doors): State<Doors>,
    Path(tenant): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let wish = wish(&body)?;
    call.act(&doors, &body, move |work| {
        let cart = carts::create(work, tenant, &wish)?;
        Ok(reply(&cart).status(201).location(format!("/v1/customers/{tenant}/carts/{}", cart.id)))
    })
    .await
}

/// `GET /v1/customers/{tenant}/carts/{id}`
pub(super) async fn show(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id) = ids(&tenant, &id)?;
    let cart = doors.app.look(call.rights, move |work| carts::get(work, tenant, id)).await?;
    Ok(reply(&cart))
}

/// `PUT /v1/customers/{tenant}/carts/{id}`
pub(super) async fn update(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id) = ids(&tenant, &id)?;
    let wish = wish(&body)?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        if seen.is_some() {
            fresh(seen, carts::get(work, tenant, id)?.generation)?;
        }
        Ok(reply(&carts::update(work, tenant, id, &wish)?))
    })
    .await
}

/// `GET /v1/customers/{tenant}/carts/{id}/review`
pub(super) async fn review(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id) = ids(&tenant, &id)?;
    let review = doors.app.look(call.rights, move |work| carts::review(work, tenant, id)).await?;
    Ok(Reply::ok(records::shown(&review)))
}

/// `POST /v1/customers/{tenant}/carts/{id}/checkout`
pub(super) async fn check_out(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id) = ids(&tenant, &id)?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        if seen.is_some() {
            fresh(seen, carts::get(work, tenant, id)?.generation)?;
        }
        let done = checkout::checkout(work, tenant, id)?;
        Ok(Reply::ok(checked_out(work, &done)).status(201))
    })
    .await
}

/// `{orders, orderErrors, attributes}`, with what became of every line beside.
pub(super) fn checked_out(work: &mut Work, done: &CheckedOut) -> Shown {
    let country = super::orders::market(work, done.cart.tenant);
    let order = |order| -> Shown {
        serde_json::from_str(&orders_write::order(order, &country).to_string()).unwrap_or_default()
    };
    let errors: Vec<Shown> = done
        .errors
        .iter()
        .map(|error| {
            json!({
                "orderGroupId": error.order_group_id,
                "lineItemId": error.line_item_id,
                "code": error.error.partner_center_code.unwrap_or(error.error.error_code),
                "description": error.error.description,
                "error": error.error,
            })
        })
        .collect();
    json!({
        "orders": done.orders.iter().map(order).collect::<Vec<Shown>>(),
        "orderErrors": errors,
        "lines": done.bought,
        "attributes": { "objectType": "CartCheckoutResult" },
    })
}
