//! Orders: Partner Center's routes in Partner Center's JSON, and the list of all in our own.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::json;

use super::collections;
use super::lists::{Listing, Pairs, part, selected};
use super::problem::Problem;
use super::reply::{Call, Reply, fresh};
use super::requests::said_no;
use super::{Doors, json as records};
use crate::domain::change::Reason;
use crate::domain::order::{LineError, Order};
use crate::domain::request::Outcome;
use crate::domain::selection::ORDERS;
use crate::domain::{OrderId, Refusal, TenantId};
use crate::json::Value;
use crate::ops::carts::Wish;
use crate::ops::orders::{self, Cancelled};
use crate::ops::{self, Work, checkout, tenants};
use crate::partner_center::field::snake;
use crate::partner_center::{carts as theirs, orders_write};

/// `GET /v1/orders`
pub(super) async fn list_all(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &ORDERS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let all = |work: &mut Work, after: Option<&[u8]>, limit| orders::list(work, None, after, limit);
        let page = selected(work, &listing, all, orders::key_of)?;
        Ok(listing.reply(page, |order| records::shown(&order)))
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}/orders`
pub(super) async fn list(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let tenant: TenantId = text.parse()?;
    with_prices(&mut pairs)?;
    let asked = super::customers::below(&doors, &ORDERS, tenant, pairs, &call)?;
    let found = doors.app.look(call.rights, move |work| {
        let own = |work: &mut Work, after: Option<&[u8]>, limit: usize| {
            let own = |work: &mut Work, after: Option<&[u8]>, limit| orders::list(work, Some(tenant), after, limit);
            part(work, &asked.listing.selection, after, limit, own, orders::key_of)
        };
        let country = market(work, tenant);
        let page = asked.page(work, own, |_, order| Ok(orders_write::order(&order, &country)))?;
        tenants::exists(work, tenant)?;
        Ok(page)
    });
    Ok(found.await?)
}

const INCLUDE_PRICE: &str = "includePrice";

/// Takes the parameter by which Partner Center's clients ask for prices: the lines have theirs in any case.
fn with_prices(pairs: &mut Pairs) -> Result<(), Problem> {
    let told = pairs.take(INCLUDE_PRICE);
    if told.is_none_or(|told| ["true", "false"].contains(&told.to_ascii_lowercase().as_str())) {
        return Ok(());
    }
    Err(Problem::new(400, "bad_query", "includePrice is true or false"))
}

/// The market that links into the catalogue name; empty for a caller who may not know it.
pub(super) fn market(work: &mut Work, tenant: TenantId) -> String {
    tenants::get(work, tenant).map(|tenant| tenant.country).unwrap_or_default()
}

fn reply(work: &mut Work, order: &Order) -> Reply {
    let country = market(work, order.tenant);
    Reply::exact(orders_write::order(order, &country).to_string()).generation(order.generation)
}

/// `GET /v1/customers/{tenant}/orders/{id}`
pub(super) async fn show(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, OrderId) = (tenant.parse()?, OrderId(id));
    with_prices(&mut pairs)?;
    pairs.end(&[INCLUDE_PRICE])?;
    let found = doors.app.look(call.rights, move |work| {
        let order = orders::get(work, tenant, &id)?;
        Ok(reply(work, &order))
    });
    Ok(found.await?)
}

/// `POST /v1/customers/{tenant}/orders`: a cart made and checked out in one go.
pub(super) async fn create(
    State(doors): State<Doors>,
    Path(tenant): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let wish = Wish { lines: theirs::read_order(&super::body::parse_any_case(&body)?)? };
    call.act(&doors, &body, move |work| {
        let done = checkout::buy(work, tenant, &wish)?;
        bought(work, tenant, &done, 201)
    })
    .await
}

/// What buying by an order came to: the order, the whole answer of a checkout where not every line is one order's, or why
/// nothing was bought.
fn bought(work: &mut Work, tenant: TenantId, done: &checkout::CheckedOut, status: u16) -> ops::Result<Reply> {
    let Some(order) = done.orders.first() else {
        let refusal = done.errors.first().map(|error| refusal_of(&error.error));
        return Err(refusal.unwrap_or_else(|| Refusal::new("cart_empty", "the order has no lines")).into());
    };
    let is_no = |line: &checkout::Bought| matches!(line.outcome, Outcome::Denied | Outcome::Refused);
    if let Some(error) = done.errors.first().filter(|_| done.bought.iter().all(is_no)) {
        // Asked, and answered with a no: the order is kept with its errors, and the answer says why.
        return Ok(Reply::problem(&Problem::from(refusal_of(&error.error)).about(order.id.to_string())));
    }
    let shown = reply(work, order).location(format!("/v1/customers/{tenant}/orders/{}", order.id));
    if done.orders.len() > 1 || !done.errors.is_empty() {
        // More than one order came of it, or not every line was bought: the whole answer of a checkout tells.
        return Ok(Reply::ok(super::carts::checked_out(work, done)).status(207));
    }
    let waits = done.bought.iter().any(|line| line.outcome == Outcome::Waiting);
    Ok(shown.status(if waits { 202 } else { status }))
}

fn refusal_of(error: &LineError) -> Refusal {
    let mut refusal = Refusal::new(&error.code, error.description.clone());
    refusal.partner_center_code = error.partner_center_code;
    refusal.rule = Some(error.rule.clone()).filter(|rule| !rule.is_empty());
    refusal
}

/// `GET /v1/customers/{tenant}/orders/{id}/subscriptions`
pub(super) async fn subscriptions(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, OrderId) = (tenant.parse()?, OrderId(id));
    let found = doors.app.look(call.rights, move |work| {
        let mut items = Vec::new();
        for subscription in orders::subscriptions(work, tenant, &id)? {
            items.push(super::customers::in_their_json(work, &subscription)?);
        }
        Ok(collections::all(&format!("/customers/{tenant}/orders/{id}/subscriptions"), items))
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}/orders/{id}/provisioningstatus`
pub(super) async fn provisioning(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, OrderId) = (tenant.parse()?, OrderId(id));
    let found = doors.app.look(call.rights, move |work| orders::provisioning(work, tenant, &id)).await?;
    let items: Vec<serde_json::Value> = found
        .iter()
        .map(|line| {
            let status = if line.fulfilled { "Fulfilled" } else { "PrefulfillmentPending" };
            json!({
                "lineItemNumber": line.line_item_number,
                "status": status,
                "quantityProvisioningInformation": [{ "quantity": line.quantity, "status": status }],
                "attributes": { "objectType": "OrderLineItemProvisioningStatus" },
            })
        })
        .collect();
    let count = items.len();
    Ok(Reply::ok(json!({ "totalCount": count, "items": items, "attributes": { "objectType": "Collection" } })))
}

/// What a PATCH of an order asks for.
enum Patch {
    /// To cancel these lines, or every one, and why.
    Cancel { lines: Vec<u32>, reason: Reason },
    /// To buy more by it: the lines that are no subscription yet.
    Add(Wish),
    /// Neither; perhaps another billing cycle.
    Other { billing_cycle: Option<String> },
}

/// Partner Center's code for a billing cycle that an order is to change.
const CYCLE_BY_ORDER: u32 = 2054;

fn read_patch(body: &Bytes, id: &OrderId) -> Result<Patch, Problem> {
    let body = super::body::parse_any_case(body)?;
    let text = |name: &str| body.get_any_case(name).and_then(Value::as_str);
    let invalid = |message: &str| Problem::from(Refusal::new("invalid_patch", message));
    if text("id").is_some_and(|own| !own.eq_ignore_ascii_case(&id.0)) {
        return Err(invalid("one order is changed at a time: the id in the body is another's"));
    }
    let is_cancelled = |word: &str| ["cancelled", "canceled"].contains(&word.to_ascii_lowercase().as_str());
    if !text("status").is_some_and(is_cancelled) {
        let more = theirs::read_more(&body)?.filter(|lines| !lines.is_empty());
        let billing_cycle = text("billingCycle").map(snake).filter(|word| !word.is_empty());
        return Ok(more.map_or(Patch::Other { billing_cycle }, |lines| Patch::Add(Wish { lines })));
    }
    let reason = text("reason").map_or(Ok(Reason::CustomerRequest), str::parse)?;
    let mut lines = Vec::new();
    for line in body.get_any_case("lineItems").and_then(Value::as_array).unwrap_or_default() {
        let number =
            line.get_any_case("lineItemNumber").and_then(Value::as_i64).and_then(|one| u32::try_from(one).ok());
        lines.push(number.ok_or_else(|| invalid("every line that is named has its lineItemNumber"))?);
    }
    Ok(Patch::Cancel { lines, reason })
}

/// `PATCH /v1/customers/{tenant}/orders/{id}`
pub(super) async fn patch(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, OrderId) = (tenant.parse()?, OrderId(id));
    let patch = read_patch(&body, &id)?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        if seen.is_some() {
            fresh(seen, orders::get(work, tenant, &id)?.generation)?;
        }
        match &patch {
            Patch::Cancel { lines, reason } => {
                let why = format!("order {id} cancelled in Partner Center's API");
                let done = orders::cancel(work, tenant, &id, lines, *reason, &why)?;
                Ok(cancelled(work, &done))
            }
            Patch::Add(wish) => {
                let done = checkout::add(work, tenant, &id, wish)?;
                bought(work, tenant, &done, 200)
            }
            Patch::Other { billing_cycle } => Err(unchangeable(work, tenant, &id, billing_cycle.as_deref())?),
        }
    })
    .await
}

/// Why nothing of an order changes in another way.
fn unchangeable(work: &mut Work, tenant: TenantId, id: &OrderId, cycle: Option<&str>) -> ops::Result<ops::Error> {
    let is_another = match cycle {
        Some(cycle) => !orders::get(work, tenant, id)?.billing_cycle.eq_ignore_ascii_case(cycle),
        None => false,
    };
    if is_another {
        let message = "an order keeps its billing cycle: change that of its subscriptions, by nextChargeInstructions or \
                       scheduledNextTermInstructions";
        return Ok(Refusal::new("invalid_patch", message).partner_center(CYCLE_BY_ORDER).into());
    }
    let message =
        "an order is changed in two ways: status becomes cancelled, or lines without a subscription are bought";
    Ok(Refusal::new("invalid_patch", message).into())
}

/// 200 with the order when every line is gone, 202 when somebody has to answer first, 409 when a line stays.
fn cancelled(work: &mut Work, done: &Cancelled) -> Reply {
    let outcome = |wanted: &[Outcome]| done.lines.iter().find(|(_, line)| wanted.contains(&line.outcome));
    if let Some((_, line)) = outcome(&[Outcome::Refused, Outcome::Denied]) {
        return Reply::problem(&said_no(line.request.as_ref(), line.outcome));
    }
    match outcome(&[Outcome::Waiting, Outcome::Scheduled]) {
        Some((_, line)) => match &line.request {
            Some(request) => reply(work, &done.order).status(202).location(format!("/v1/requests/{}", request.id)),
            None => reply(work, &done.order).status(202),
        },
        None => reply(work, &done.order),
    }
}
