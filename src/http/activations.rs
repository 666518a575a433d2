//! KMS activations of devices in our own JSON: recorded one by one or in a list, marked as moved, and how the move stands.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value as Shown, json as made};

use super::body::{Object, mismatch, refused, wrong};
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json};
use crate::domain::activation::{self, Activation};
use crate::domain::selection::Schema;
use crate::domain::support::Contact;
use crate::domain::{Instant, Span, SubscriptionId, TenantId, calendar};
use crate::json::Value;
use crate::ops::activations::{self, Told};

/// Activations are walked and not selected from.
static ACTIVATIONS: Schema = Schema { noun: "activations", fields: &[], aliases: &[], labels: false };
/// Activations of one call, at most.
const ROWS_MAX: usize = 1_000;
const FIELDS: [&str; 5] = ["device", "product", "activatedAt", "lasts", "subscription"];

/// `GET /v1/customers/{tenant}/activations`
pub(super) async fn list(
    State(doors): State<Doors>,
    Path(tenant): Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let listing = Listing::read(&doors, &ACTIVATIONS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = activations::list(work, tenant, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |one| shown(&one, work.now)))
    });
    Ok(found.await?)
}

/// `GET /v1/activations?within=P30D`: what has not been moved, earliest deadline first.
pub(super) async fn due(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let mut pairs = pairs;
    let place = pairs.0.iter().position(|(name, _)| name == "within");
    let within = place.map(|place| pairs.0.remove(place).1.parse::<Span>()).transpose()?;
    let listing = Listing::read(&doors, &ACTIVATIONS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = activations::due(work, within, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |one| shown(&one, work.now)))
    });
    Ok(found.await?)
}

/// An activation with what follows from it at an instant.
fn shown(activation: &Activation, now: Instant) -> Shown {
    let mut out = json::shown(activation);
    out["deadline"] = calendar::show(activation.deadline()).into();
    out["state"] = activation.state(now).as_str().into();
    out["daysLeft"] = activation.days_left(now).into();
    out
}

/// `POST /v1/customers/{tenant}/activations`: one, or a list under `activations`.
pub(super) async fn record(
    State(doors): State<Doors>,
    Path(tenant): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let read = Object::read(&body, &[&FIELDS[..], &["activations"]].concat())?;
    let told = match read.value("activations") {
        None => vec![one(&read)?],
        Some(list) => several(list)?,
    };
    let single = read.value("activations").is_none();
    call.act(&doors, &body, move |work| {
        let mut recorded = Vec::new();
        for told in &told {
            recorded.push(shown(&activations::record(work, tenant, told)?, work.now));
        }
        Ok(match recorded.pop() {
            Some(only) if single => Reply::ok(only),
            last => {
                recorded.extend(last);
                Reply::ok(made!({ "recorded": recorded.len(), "items": recorded }))
            }
        })
    })
    .await
}

fn several(list: &Value) -> Result<Vec<Told>, Problem> {
    let rows = list.as_array().ok_or_else(|| mismatch("activations", "a list", list))?;
    if rows.len() > ROWS_MAX {
        return Err(wrong("activations", "out_of_range", &format!("at most {ROWS_MAX} at once")));
    }
    rows.iter().map(|row| one(&Object::read(&Bytes::from(row.to_string()), &FIELDS)?)).collect()
}

fn one(read: &Object) -> Result<Told, Problem> {
    let at = read.needed_text("activatedAt")?;
    Ok(Told {
        device: read.needed_text("device")?.to_owned(),
        product: read.needed_text("product")?.to_owned(),
        activated_at: activation::activated_at(at).map_err(|refusal| refused("activatedAt", &refusal))?,
        lasts: read.span("lasts")?,
        subscription: subscription(read)?,
    })
}

fn subscription(read: &Object) -> Result<Option<SubscriptionId>, Problem> {
    let text = read.text("subscription")?;
    text.map(|text| text.parse().map_err(|refusal| refused("subscription", &refusal))).transpose()
}

/// `POST /v1/customers/{tenant}/activations/moved`
pub(super) async fn moved(
    State(doors): State<Doors>,
    Path(tenant): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let read = Object::read(&body, &["device", "product", "at", "subscription"])?;
    let device = read.needed_text("device")?.to_owned();
    let product = read.needed_text("product")?.to_owned();
    let (at, subscription) = (read.instant("at")?, subscription(&read)?);
    call.act(&doors, &body, move |work| {
        let after = activations::moved(work, tenant, &device, &product, at, subscription)?;
        Ok(Reply::ok(shown(&after, work.now)))
    })
    .await
}

/// `POST /v1/customers/{tenant}/activations/help`: a technical presales and deployment request (K-help).
pub(super) async fn help(
    State(doors): State<Doors>,
    Path(tenant): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let read = Object::read(&body, &["name", "email", "phone", "note"])?;
    let text = |name: &str| read.text(name).map(|text| text.unwrap_or_default().to_owned());
    let contact = Contact { name: text("name")?, email: text("email")?, phone: text("phone")? };
    let note = text("note")?;
    call.act(&doors, &body, move |work| {
        let opened = activations::ask_for_help(work, tenant, contact.clone(), &note)?;
        let place = format!("/v1/support/{}", opened.id);
        Ok(Reply::ok(json::shown(&opened)).status(201).location(place).generation(opened.generation))
    })
    .await
}

/// `GET /v1/customers/{tenant}/activations/plan`
pub(super) async fn plan(State(doors): State<Doors>, Path(tenant): Path<String>, call: Call) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let found = doors.app.look(call.rights, move |work| {
        let plan = activations::plan(work, tenant)?;
        let left: Vec<Shown> = plan.left.iter().map(|one| shown(one, work.now)).collect();
        Ok(Reply::ok(made!({
            "rule": "K-180",
            "steps": plan.steps,
            "recorded": plan.recorded,
            "left": left,
            "lapsed": plan.lapsed,
        })))
    });
    Ok(found.await?)
}
