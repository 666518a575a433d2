//! Partner Center's routes in Partner Center's JSON. A change of a subscription is proposed like any other.

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::body::{integer, wrong};
use super::collections::{Asked, address};
use super::lists::Pairs;
use super::problem::Problem;
use super::reply::{Call, Reply, fresh, generation_of};
use super::requests::said_no;
use super::{Doors, json};
use crate::domain::change::{Amendments, Reason};
use crate::domain::request::Outcome;
use crate::domain::selection::{SUBSCRIPTIONS, SUPPORT, Scalar, Schema, TENANTS};
use crate::domain::{Change, Refusal, Subscription, SubscriptionId, Tenant, TenantId};
use crate::json::Value;
use crate::ops::{self, Work, requests, subscriptions, tenants};
use crate::partner_center::field::{same, snake};
use crate::partner_center::{customers, instructions, subscriptions_write};

pub(super) mod below;
mod shown;

/// Numbers of Partner Center's JSON are exact; they are kept so.
pub(super) fn reply(value: &Value) -> Reply {
    Reply::exact(value.to_string())
}

/// `GET /v1/customers`
pub(super) async fn list(State(doors): State<Doors>, call: Call, mut pairs: Pairs) -> Result<Reply, Problem> {
    let address = address("/customers", &pairs);
    let told = pairs.take("filter").unwrap_or_default();
    let filter = if told.is_empty() { None } else { Some(customers::filter(&told)?) };
    let asked = Asked::read(&doors, &TENANTS, pairs, &call, address, &told)?;
    let found = doors.app.look(call.rights, move |work| {
        let selection = &asked.listing.selection;
        let keep = |tenant: &Tenant| filter.as_ref().is_none_or(|filter| filter.holds(tenant));
        let read =
            |work: &mut Work, after: Option<&[u8]>, limit| tenants::select_where(work, selection, keep, after, limit);
        asked.page(work, read, |_, tenant| Ok(customers::customer(&tenant)))
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}`
pub(super) async fn show(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id: TenantId = text.parse()?;
    let tenant = doors.app.look(call.rights, move |work| tenants::get(work, id)).await?;
    Ok(reply(&customers::customer(&tenant)).generation(tenant.generation))
}

/// `POST /v1/customers`
pub(super) async fn create(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let asked = super::body::parse_any_case(&body)?;
    call.act(&doors, &body, move |work| {
        let fresh = tenants::fresh_id(work);
        let tenant = tenants::create(work, &customers::wished(&asked, fresh)?)?;
        let shown = reply(&customers::customer(&tenant)).generation(tenant.generation);
        Ok(shown.status(201).location(format!("/v1/customers/{}", tenant.id)))
    })
    .await
}

/// `GET /v1/customers/{tenant}/profiles/company`
pub(super) async fn company_profile(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
) -> Result<Reply, Problem> {
    profile(&doors, &text, call, customers::company_profile).await
}

/// `GET /v1/customers/{tenant}/profiles/billing`
pub(super) async fn billing_profile(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
) -> Result<Reply, Problem> {
    profile(&doors, &text, call, customers::billing_profile).await
}

async fn profile(doors: &Doors, text: &str, call: Call, show: fn(&Tenant) -> Value) -> Result<Reply, Problem> {
    let id: TenantId = text.parse()?;
    let tenant = doors.app.look(call.rights, move |work| tenants::get(work, id)).await?;
    Ok(reply(&show(&tenant)).generation(tenant.generation))
}

/// A list below a customer: the tenant is part of the path and of the selection.
pub(super) fn below(
    doors: &Doors,
    noun: &'static Schema,
    tenant: TenantId,
    mut pairs: Pairs,
    call: &Call,
) -> Result<Asked, Problem> {
    let address = address(&format!("/customers/{tenant}/{}", noun_of_path(noun)), &pairs);
    if pairs.0.iter().any(|(name, _)| matches!(name.as_str(), "tenant" | "tenant_id" | "customer" | "customer_id")) {
        return Err(Problem::new(400, "unknown_parameter", "the path says whose they are"));
    }
    pairs.0.push(("tenant".to_owned(), tenant.to_string()));
    Asked::read(doors, noun, pairs, call, address, "")
}

/// What a path of Partner Center's calls the records of a schema.
fn noun_of_path(noun: &Schema) -> &'static str {
    if *noun == SUPPORT { "servicerequests" } else { noun.noun }
}

/// `GET /v1/customers/{tenant}/subscriptions`
pub(super) async fn list_subscriptions(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    let tenant: TenantId = text.parse()?;
    let asked = below(&doors, &SUBSCRIPTIONS, tenant, pairs, &call)?;
    let found = doors.app.look(call.rights, move |work| {
        // VIS-*: what was bought as an order alone is among the orders, not here.
        let selection = asked.listing.selection.clone().with("listed", Scalar::Bool(true));
        let read = |work: &mut Work, after: Option<&[u8]>, limit| subscriptions::select(work, &selection, after, limit);
        let page = asked.page(work, read, |work, stored| in_their_json(work, &stored.value))?;
        tenants::exists(work, tenant)?;
        Ok(page)
    });
    Ok(found.await?)
}

pub(super) fn in_their_json(work: &mut Work, subscription: &Subscription) -> ops::Result<Value> {
    let shown = shown::shown(work, subscription)?;
    Ok(subscriptions_write::subscription(subscription, &shown))
}

fn own(work: &mut Work, tenant: TenantId, id: SubscriptionId) -> ops::Result<Subscription> {
    let stored = subscriptions::get(work, id)?;
    if stored.value.tenant == tenant { Ok(stored.value) } else { Err(ops::not_found("subscription", &id)) }
}

/// `GET /v1/customers/{tenant}/subscriptions/{id}`
pub(super) async fn show_subscription(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, SubscriptionId) = (tenant.parse()?, id.parse()?);
    let found = doors.app.look(call.rights, move |work| {
        let subscription = own(work, tenant, id)?;
        Ok(reply(&in_their_json(work, &subscription)?).generation(subscription.standing.generation))
    });
    Ok(found.await?)
}

/// Partner Center's code for a change of what has changed since it was read.
const STALE_ETAG: u32 = 2055;

/// What a PATCH asks for.
#[derive(Debug, Clone, Default)]
struct Patch {
    changes: Vec<Wish>,
    friendly_name: Option<String>,
    /// Why a status is to become another, where that is said.
    reasons: Option<Vec<Value>>,
    /// The generation of `attributes.etag`: a body that was read, changed and sent back tells what was seen.
    seen: Option<u64>,
    others: Vec<(String, Value)>,
}

impl Patch {
    /// Whether another field says it already: what is suspended or deleted does not renew, so `autoRenewEnabled: false`
    /// beside that status is no second wish.
    fn implies(&self, wish: &Wish) -> bool {
        let ends = |other: &Wish| matches!(other, Wish::Status(word) if word == "suspended" || word == "deleted");
        let is_off = matches!(wish, Wish::AutoRenew { enabled: Some(false), cancel_at_term_end: None | Some(false) });
        is_off && self.changes.iter().any(ends)
    }
}

/// One field that proposes a change.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    Status(String),
    AutoRenew { enabled: Option<bool>, cancel_at_term_end: Option<bool> },
    Quantity(i64),
    NextTerm(Value),
    NextCharge(Value),
}

fn read_patch(body: &Bytes) -> Result<Patch, Problem> {
    let Value::Object(members) = super::body::parse_any_case(body)? else {
        return Err(wrong("", "schema", "the body is an object"));
    };
    let mut patch = Patch::default();
    let (mut enabled, mut cancel_at_term_end) = (None, None);
    for (name, value) in members {
        let expected = |what: &str| super::body::mismatch(&name, what, &value);
        match name.to_ascii_lowercase().as_str() {
            "status" => {
                let word = value.as_str().ok_or_else(|| expected("a text"))?;
                patch.changes.push(Wish::Status(word.to_ascii_lowercase()));
            }
            "autorenewenabled" => enabled = Some(value.as_bool().ok_or_else(|| expected("true or false"))?),
            "cancelattermend" => cancel_at_term_end = Some(value.as_bool().ok_or_else(|| expected("true or false"))?),
            "schedulednextterminstructions" => patch.changes.push(Wish::NextTerm(value)),
            "nextchargeinstructions" => patch.changes.push(Wish::NextCharge(value)),
            "quantity" => patch.changes.push(Wish::Quantity(integer(&value, &name)?)),
            "friendlyname" => {
                patch.friendly_name = Some(value.as_str().ok_or_else(|| expected("a text"))?.to_owned());
            }
            "suspensionreasons" => {
                patch.reasons = value.as_array().map(<[Value]>::to_vec);
                patch.others.push((name, value));
            }
            "attributes" => patch.seen = value.get_any_case("etag").and_then(Value::as_str).and_then(generation_of),
            _ => patch.others.push((name, value)),
        }
    }
    if enabled.is_some() || cancel_at_term_end.is_some() {
        patch.changes.push(Wish::AutoRenew { enabled, cancel_at_term_end });
    }
    Ok(patch)
}

/// `PATCH /v1/customers/{tenant}/subscriptions/{id}`
pub(super) async fn patch(
    State(doors): State<Doors>,
    Path((tenant, id)): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id): (TenantId, SubscriptionId) = (tenant.parse()?, id.parse()?);
    let patch = read_patch(&body)?;
    let seen = call.if_match.or(patch.seen);
    call.act(&doors, &body, move |work| {
        let before = own(work, tenant, id)?;
        fresh(seen, before.standing.generation).map_err(|refusal| refusal.partner_center(STALE_ETAG))?;
        apply(work, &before, &patch)
    })
    .await
}

fn apply(work: &mut Work, before: &Subscription, patch: &Patch) -> ops::Result<Reply> {
    let shown = in_their_json(work, before)?;
    let mut wished = Vec::new();
    for wish in patch.changes.iter().filter(|wish| !patch.implies(wish)) {
        wished.extend(wish.change(before, &shown)?);
    }
    let reason = match wished.as_mut_slice() {
        [Change::Suspension { reason }] => patch.reasons.as_deref().map(|told| (reason, told)),
        _ => None,
    };
    let is_reason = |name: &str| name.eq_ignore_ascii_case("suspensionReasons");
    let gives_reason = reason.is_some();
    if let Some((reason, told)) = reason {
        *reason = reason_of(told)?;
    }
    let others: Vec<_> = patch.others.iter().filter(|(name, _)| !(gives_reason && is_reason(name))).cloned().collect();
    unchanged(&shown, &others)?;
    if wished.len() > 1 {
        let message =
            "status, autoRenewEnabled, quantity and instructions are changed one at a time: each is decided by itself";
        return Err(Refusal::new("invalid_patch", message).into());
    }
    if let Some(name) = patch.friendly_name.as_ref().filter(|name| **name != before.profile.friendly_name) {
        subscriptions::rename(work, before.id, name)?;
    }
    let Some(change) = wished.pop() else {
        let after = subscriptions::get(work, before.id)?.value;
        return Ok(reply(&in_their_json(work, &after)?).generation(after.standing.generation));
    };
    let proposed = requests::propose(work, before.id, change, "asked in Partner Center's API")?;
    let after =
        reply(&in_their_json(work, &proposed.subscription)?).generation(proposed.subscription.standing.generation);
    Ok(match (&proposed.request, proposed.outcome) {
        (_, Outcome::Applied | Outcome::Unchanged) => after,
        (Some(request), Outcome::Waiting | Outcome::Scheduled) => Reply::ok(json::request(request))
            .status(202)
            .location(format!("/v1/requests/{}", request.id))
            .generation(request.generation),
        (request, outcome) => Reply::problem(&said_no(request.as_ref(), outcome)),
    })
}

/// The one reason a suspension is asked for (S-who); an empty list says nothing, and means the customer's wish.
fn reason_of(told: &[Value]) -> ops::Result<Reason> {
    match told {
        [] => Ok(Reason::CustomerRequest),
        [one] => Ok(snake(one.as_str().unwrap_or_default()).parse()?),
        _ => Err(Refusal::new("invalid_patch", "a suspension has one reason").into()),
    }
}

impl Wish {
    /// The change it means, if it changes anything.
    fn change(&self, before: &Subscription, shown: &Value) -> ops::Result<Option<Change>> {
        let standing = &before.standing;
        Ok(match self {
            Wish::AutoRenew { enabled, cancel_at_term_end } => {
                let enabled = enabled.unwrap_or(standing.auto_renew_enabled);
                let other = cancel_at_term_end.is_some_and(|cancel| cancel != standing.cancel_at_term_end);
                let change = Change::AutoRenew { enabled, cancel_at_term_end: *cancel_at_term_end };
                (enabled != standing.auto_renew_enabled || other).then_some(change)
            }
            Wish::Quantity(quantity) => {
                (*quantity != standing.quantity).then_some(Change::Quantity { quantity: *quantity })
            }
            Wish::NextTerm(value) if is_shown(shown, "scheduledNextTermInstructions", value) => None,
            Wish::NextCharge(value) if is_shown(shown, "nextChargeInstructions", value) => None,
            Wish::NextTerm(Value::Null) => Some(Change::Schedule { instructions: Amendments::default() }),
            Wish::NextTerm(value) => {
                let object = || Refusal::new("schema", "scheduledNextTermInstructions is an object or null");
                let instructions = instructions::next_term(value, &before.profile.offer_id).ok_or_else(object)?;
                Some(Change::Schedule { instructions })
            }
            Wish::NextCharge(Value::Null) => {
                Some(Change::BillingPlan { billing_cycle: before.profile.billing_cycle.clone() })
            }
            Wish::NextCharge(value) => {
                let cycle = || Refusal::new("schema", "nextChargeInstructions name the billingCycle of their product");
                Some(Change::BillingPlan { billing_cycle: instructions::next_charge(value).ok_or_else(cycle)? })
            }
            Wish::Status(word) if word == standing.status.as_str() => None,
            Wish::Status(word) => Some(match word.as_str() {
                "active" => Change::Reactivation {},
                "suspended" => Change::Suspension { reason: Reason::CustomerRequest },
                "deleted" => Change::Cancellation { reason: Reason::CustomerRequest },
                _ => {
                    let message = "status becomes active, suspended or deleted; the others come by themselves";
                    return Err(Refusal::new("invalid_status", message).partner_center(800_040).into());
                }
            }),
        })
    }
}

/// Whether a value is sent back as it is shown.
fn is_shown(shown: &Value, name: &str, value: &Value) -> bool {
    shown.get_any_case(name).map_or(value.is_null(), |known| same(known, value))
}

/// What follows from the rest and from the catalogue: it may have moved on since it was read.
const DERIVED: [&str; 5] = ["links", "actions", "refundOptions", "refundableQuantity", "hasPurchasableAddons"];

/// Partner Center's codes for fields that a subscription keeps.
const LOCKED: [(&str, u32); 2] = [("billingCycle", 800_097), ("partnerId", 800_098)];

/// The other fields a subscription has in Partner Center's API. One that is not shown here is nothing, off or empty.
const FIELDS: [&str; 37] = [
    "id",
    "offerId",
    "offerName",
    "entitlementId",
    "unitType",
    "parentSubscriptionId",
    "productType",
    "creationDate",
    "effectiveStartDate",
    "commitmentEndDate",
    "commitmentEndDateTime",
    "billingCycleEndDate",
    "billingCycleEndDateTime",
    "cancellationAllowedUntilDate",
    "billingType",
    "billingCycle",
    "termDuration",
    "renewalTermDuration",
    "isTrial",
    "isMicrosoftProduct",
    "publisherName",
    "partnerId",
    "promotionId",
    "suspensionReasons",
    "contractType",
    "orderId",
    "attentionNeeded",
    "actionTaken",
    "migratedFromSubscriptionId",
    "consumptionType",
    "productOrderId",
    "lineItems",
    "customTermEndDate",
    "deletionDate",
    "alternateId",
    "nextChargeInstructions",
    "scheduledNextTermInstructions",
];

/// Whether a value says that there is nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text.eq_ignore_ascii_case("none"),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// What stands for a field of theirs that is not shown.
fn unshown<'a>(shown: &'a Value, name: &str) -> Option<&'a Value> {
    // The next term is as long as this one unless its instructions say otherwise.
    let next = |shown: &'a Value| {
        let instructions = shown.get_any_case("scheduledNextTermInstructions");
        let product = instructions.and_then(|next| next.get_any_case("product"));
        product.unwrap_or(shown).get_any_case("termDuration")
    };
    name.eq_ignore_ascii_case("renewalTermDuration").then(|| next(shown)).flatten()
}

/// Fields that nobody may change are welcome as they are.
fn unchanged(shown: &Value, others: &[(String, Value)]) -> Result<(), Refusal> {
    for (name, value) in others {
        let is = |known: &&str| name.eq_ignore_ascii_case(known);
        let there = shown.get_any_case(name);
        let present = there.filter(|known| !is_nothing(known));
        let is_theirs = FIELDS.iter().any(&is);
        // Whose a product is stays unsaid where its publisher does.
        let is_unsaid = there.is_none() && is(&"isMicrosoftProduct") && value.as_bool().is_some();
        let is_empty = value.is_null() || value.as_str() == Some("") || (is_theirs && is_nothing(value));
        let stands = || there.or_else(|| unshown(shown, name)).is_some_and(|known| same(known, value));
        let is_same = present.map_or_else(|| is_empty || stands(), |known| same(known, value));
        if is_same || is_unsaid || DERIVED.iter().any(&is) {
            continue;
        }
        let short: String = name.chars().take(64).collect();
        let (code, verb) = if is_theirs || there.is_some() {
            ("immutable_field", "cannot be changed here")
        } else {
            ("unknown_member", "is not known")
        };
        let refusal = Refusal::new(code, format!("the field {short:?} {verb}"));
        let theirs = LOCKED.iter().find(|(known, _)| is(known)).map(|(_, theirs)| *theirs);
        return Err(theirs.map_or(refusal.clone(), |theirs| refusal.partner_center(theirs)));
    }
    Ok(())
}
