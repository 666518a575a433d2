//! Subscriptions in our own JSON: looking, quoting, labelling. What changes them is proposed in `requests`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::body::Object;
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply, fresh};
use super::requests::{Asked, CHANGE_FIELDS};
use super::{Doors, json};
use crate::domain::selection::SUBSCRIPTIONS;
use crate::domain::subscription::Status;
use crate::domain::{Subscription, SubscriptionId};
use crate::json::{Number, Value};
use crate::ops::{ledger, subscriptions, tenants};

/// Records walked back for a story, unless the caller says otherwise.
const STORY_DEFAULT: usize = 100;

/// `GET /v1/subscriptions`
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &SUBSCRIPTIONS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let selection = subscriptions::as_a_list(&listing.selection);
        let page = subscriptions::select(work, &selection, listing.after.as_deref(), listing.limit)?;
        let mut names = BTreeMap::new();
        for stored in &page.items {
            let tenant = stored.value.tenant;
            if let Entry::Vacant(slot) = names.entry(tenant) {
                slot.insert(tenants::name(work, tenant)?);
            }
        }
        Ok(listing.reply(page, |stored| named(&stored.value, names.get(&stored.value.tenant))))
    });
    Ok(found.await?)
}

/// A subscription with its customer's name.
fn named(subscription: &Subscription, name: Option<&String>) -> serde_json::Value {
    let mut out = json::subscription(subscription);
    out["customerName"] = name.map(String::as_str).unwrap_or_default().into();
    out
}

/// `GET /v1/subscriptions/{id}`: what waits for its publisher tells where it is activated.
pub(super) async fn show(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id: SubscriptionId = text.parse()?;
    let found = doors.app.look(call.rights, move |work| {
        let found = subscriptions::get(work, id)?.value;
        let mut out = named(&found, Some(&tenants::name(work, found.tenant)?));
        if found.standing.status == Status::Pending
            && let Some(link) = subscriptions::activation_link(work, &found)
        {
            out["activationLink"] = link.into();
        }
        Ok(Reply::ok(out).generation(found.standing.generation))
    });
    Ok(found.await?)
}

/// `GET /v1/subscriptions/{id}/story`
pub(super) async fn story(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let id: SubscriptionId = text.parse()?;
    let limit = match pairs.take("limit") {
        None => STORY_DEFAULT,
        Some(text) => super::lists::limit(Some(text))?,
    };
    pairs.end(&["limit"])?;
    let story = doors.app.look(call.rights, move |work| ledger::story(work, id, limit)).await?;
    Ok(Reply::ok(json::shown(&story)))
}

/// `GET /v1/subscriptions/{id}/quote?kind=...`
pub(super) async fn quote(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    let id: SubscriptionId = text.parse()?;
    let asked = Asked::read(&from_query(&pairs)?)?;
    let quote = doors.app.look(call.rights, move |work| {
        let change = asked.change(work, id)?;
        subscriptions::quote(work, id, &change)
    });
    Ok(Reply::ok(json::shown(&quote.await?)))
}

/// The pairs of a query as the members a body would have.
fn from_query(pairs: &Pairs) -> Result<Object, Problem> {
    let value = |name: &str, text: &str| match (name, text.parse::<i64>(), text.parse::<bool>()) {
        ("quantity", Ok(number), _) => Value::Number(Number::from(number)),
        ("enabled" | "cancelAtTermEnd", _, Ok(yes)) => Value::Bool(yes),
        _ => Value::String(text.to_owned()),
    };
    let members = pairs.0.iter().map(|(name, text)| (name.clone(), value(name, text))).collect();
    let text = Value::Object(members).to_string();
    Object::read(&Bytes::from(text), &CHANGE_FIELDS)
}

/// `PUT /v1/subscriptions/{id}/labels/{name}`
pub(super) async fn label(
    State(doors): State<Doors>,
    Path((text, name)): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let value = Object::read(&body, &["value"])?.needed_text("value")?.to_owned();
    set(doors, &text, name, Some(value), call, body).await
}

/// `DELETE /v1/subscriptions/{id}/labels/{name}`
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
    let id: SubscriptionId = text.parse()?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        if seen.is_some() {
            fresh(seen, subscriptions::get(work, id)?.value.standing.generation)?;
        }
        let after = subscriptions::label(work, id, &name, value.as_deref())?;
        Ok(Reply::ok(json::subscription(&after)).generation(after.standing.generation))
    })
    .await
}
