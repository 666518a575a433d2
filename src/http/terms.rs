//! What the terms say, about nobody's subscription in particular; and what policies would say, without doing it.

use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};

use super::body::{Object, missing};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::requests::{Asked, CHANGE_FIELDS};
use super::{Doors, json};
use crate::domain::decision::Decision;
use crate::domain::{Grant, SubscriptionId, lifecycle};
use crate::ops::{rehearsal, subscriptions};

/// `POST /v1/terms/quote`
pub(super) async fn quote(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let fields = ["family", "purchased", "asked", "price", "quantity", "term", "billing"];
    let asked = Object::read(&body, &fields)?;
    call.rights.require(&Grant::Read("products"))?;
    let quote = lifecycle::terms_quote(
        &doors.app.terms(),
        asked.needed_text("family")?,
        asked.instant("purchased")?.ok_or_else(|| missing("purchased"))?,
        asked.instant("asked")?.ok_or_else(|| missing("asked"))?,
        asked.money("price")?.ok_or_else(|| missing("price"))?,
        asked.needed_integer("quantity")?,
        asked.span("term")?.unwrap_or_default(),
        asked.text("billing")?.unwrap_or("none"),
    );
    Ok(Reply::ok(json::short_quote(&quote)))
}

/// `POST /v1/decide`
pub(super) async fn decide(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let fields: Vec<&str> = CHANGE_FIELDS.into_iter().chain(["subscription"]).collect();
    let body = Object::read(&body, &fields)?;
    let id: SubscriptionId =
        body.needed_text("subscription")?.parse().map_err(|refusal| super::body::refused("subscription", &refusal))?;
    let asked = Asked::read(&body)?;
    let cause = doors.app.next_cause("decide");
    let told = doors.app.dry(call.rights, cause, move |work| {
        let change = asked.change(work, id)?;
        let quote = subscriptions::quote(work, id, &change)?;
        let rehearsed = rehearsal::propose(work, id, change, &asked.why)?;
        let answers: Vec<Value> = rehearsed.decisions.iter().flat_map(answers).collect();
        let mut told = json::proposed(&rehearsed.proposed);
        told["quote"] = json::shown(&quote);
        told["answers"] = answers.into();
        told["decisions"] = json::shown(&rehearsed.decisions);
        let last = rehearsed.decisions.last();
        told["verdict"] = last.map(|decision| decision.verdict.as_str()).into();
        told["byDefault"] = last.and_then(|decision| decision.by_default.clone()).into();
        told["dryRun"] = json!(true);
        Ok(told)
    });
    Ok(Reply::ok(told.await?))
}

fn answers(decision: &Decision) -> Vec<Value> {
    decision.answers.iter().map(json::shown).collect()
}
