//! Partner Center's resources below a subscription: its add-ons, its conversion and its upgrades, whether it is provisioned, and where it
//! is activated.

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::{in_their_json, own, reply};
use crate::domain::request::Outcome;
use crate::domain::{Change, OrderId, Refusal, SubscriptionId, TenantId};
use crate::http::problem::Problem;
use crate::http::reply::{Call, Reply};
use crate::http::requests::said_no;
use crate::http::{Doors, collections, json};
use crate::json::Value;
use crate::ops::{self, add_ons, catalog, orders, requests, subscriptions};
use crate::partner_center::instructions;

/// `GET /v1/customers/{tenant}/subscriptions/{id}/addons`
pub(in crate::http) async fn add_ons(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, SubscriptionId) = (tenant.parse()?, id.parse()?);
    let found = doors.app.look(call.rights, move |work| {
        own(work, tenant, id)?;
        let mut items = Vec::new();
        for add_on in add_ons::of(work, id)? {
            items.push(in_their_json(work, &add_on)?);
        }
        Ok(collections::all(&format!("/customers/{tenant}/subscriptions/{id}/addons"), items))
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}/subscriptions/{id}/provisioningstatus`
pub(in crate::http) async fn provisioning(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, SubscriptionId) = (tenant.parse()?, id.parse()?);
    let found = doors.app.look(call.rights, move |work| own(work, tenant, id)).await?;
    Ok(reply(&instructions::provisioning(&found)))
}

/// `GET /v1/customers/{tenant}/subscriptions/{id}/activationlinks`
pub(in crate::http) async fn activation_links(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, SubscriptionId) = (tenant.parse()?, id.parse()?);
    let found = doors.app.look(call.rights, move |work| {
        let found = own(work, tenant, id)?;
        let link = subscriptions::activation_link(work, &found);
        let path = format!("/customers/{tenant}/subscriptions/{id}/activationlinks");
        Ok(reply(&instructions::activation_links(&path, 0, link.as_deref())))
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}/orders/{order}/lineitems/{line}/activationlinks`
pub(in crate::http) async fn activation_links_of_line(
    State(doors): State<Doors>,
    Path((tenant, order, line)): Path<(String, String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let path = format!("/customers/{tenant}/orders/{order}/lineitems/{line}/activationlinks");
    let found = doors.app.look(call.rights, move |work| {
        let order = orders::get(work, tenant, &OrderId(order.clone()))?;
        let number: Option<u32> = line.parse().ok();
        let item = order.line_items.iter().find(|item| Some(item.line_item_number) == number);
        let item = item.ok_or_else(|| ops::not_found("order line", &line))?;
        let link = match item.subscription_id {
            Some(id) => {
                let found = own(work, tenant, id)?;
                subscriptions::activation_link(work, &found)
            }
            None => None,
        };
        Ok(reply(&instructions::activation_links(&path, item.line_item_number, link.as_deref())))
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}/subscriptions/{id}/conversions`: what a trial can become, cycle by cycle.
pub(in crate::http) async fn conversions(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, SubscriptionId) = (tenant.parse()?, id.parse()?);
    let found = doors.app.look(call.rights, move |work| {
        let trial = own(work, tenant, id)?;
        let targets = catalog::conversions(work, &trial)?;
        let items = targets.iter().flat_map(|target| instructions::conversions_to(&trial, target)).collect();
        Ok(collections::all(&format!("/customers/{tenant}/subscriptions/{id}/conversions"), items))
    });
    Ok(found.await?)
}

/// What a proposal came to: the document when it was applied, the request while it is open, a problem when it was refused.
fn came_to(proposed: &requests::Proposed, applied: impl FnOnce() -> Value) -> Reply {
    match (&proposed.request, proposed.outcome) {
        (_, Outcome::Applied | Outcome::Unchanged) => reply(&applied()),
        (Some(request), Outcome::Waiting | Outcome::Scheduled) => Reply::ok(json::request(request))
            .status(202)
            .location(format!("/v1/requests/{}", request.id))
            .generation(request.generation),
        (request, outcome) => Reply::problem(&said_no(request.as_ref(), outcome)),
    }
}

/// `POST /v1/customers/{tenant}/subscriptions/{id}/conversions`
pub(in crate::http) async fn convert(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, SubscriptionId) = (tenant.parse()?, id.parse()?);
    let asked = super::super::body::parse_any_case(&body)?;
    call.act(&doors, &body, move |work| {
        let before = own(work, tenant, id)?;
        let offer = &before.profile.offer_id;
        let object = || Refusal::new("schema", "the body is an object");
        let to = instructions::conversion(&asked, offer).ok_or_else(object)?;
        let proposed = requests::propose(work, id, Change::Conversion { to }, "asked in Partner Center's API")?;
        let after = &proposed.subscription.profile.offer_id;
        Ok(came_to(&proposed, || instructions::conversion_result(id, offer, after)))
    })
    .await
}

/// `POST /v1/customers/{tenant}/subscriptions/{id}/transitions`: an upgrade inside the term.
pub(in crate::http) async fn transition(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, SubscriptionId) = (tenant.parse()?, id.parse()?);
    let asked = super::super::body::parse_any_case(&body)?;
    call.act(&doors, &body, move |work| {
        let before = own(work, tenant, id)?;
        let named = || Refusal::new("schema", "the body names the offer in toCatalogItemId");
        let (offer_id, quantity) = instructions::transition(&asked).ok_or_else(named)?;
        let change = Change::Upgrade { offer_id: offer_id.clone(), quantity };
        let proposed = requests::propose(work, id, change, "asked in Partner Center's API")?;
        let seats = quantity.unwrap_or(before.standing.quantity);
        let offer = &before.profile.offer_id;
        Ok(came_to(&proposed, || instructions::transition_result(id, offer, &offer_id, seats)))
    })
    .await
}
