//! What the terms say, about nobody's subscription in particular; and what policies would say, without doing it.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::body::{Object, missing};
use super::lists::Pairs;
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::requests::{Asked, CHANGE_FIELDS};
use super::{Doors, json};
use crate::domain::decision::Decision;
use crate::domain::terms::Told;
use crate::domain::{Grant, SubscriptionId, calendar, lifecycle};
use crate::ops::{self, rehearsal, subscriptions};

/// `POST /v1/terms/quote`
pub(super) async fn quote(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let fields = ["family", "purchased", "asked", "price", "quantity", "term", "billing", "country"];
    let asked = Object::read(&body, &fields)?;
    call.rights.require(&Grant::Read("products"))?;
    let terms = doors.app.terms().in_country(&asked.text("country")?.unwrap_or_default().to_ascii_uppercase());
    let (family, purchased) =
        (asked.needed_text("family")?, asked.instant("purchased")?.ok_or_else(|| missing("purchased"))?);
    let quote = lifecycle::terms_quote(
        &terms,
        family,
        purchased,
        asked.instant("asked")?.ok_or_else(|| missing("asked"))?,
        asked.money("price")?.ok_or_else(|| missing("price"))?,
        asked.integer("quantity")?.unwrap_or(1),
        asked.span("term")?.unwrap_or_default(),
        asked.text("billing")?.unwrap_or("none"),
    );
    let mut told = json::short_quote(&quote);
    told["row"] = terms.family(family).row_of(&quote.rule, purchased).as_ref().map(row).into();
    Ok(Reply::ok(told))
}

/// `GET /v1/terms`
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    pairs.end(&[])?;
    call.rights.require(&Grant::Read("products"))?;
    let terms = doors.app.terms();
    let items: Vec<Value> =
        terms.families().map(|family| json!({ "family": family.name, "title": family.title })).collect();
    Ok(Reply::ok(json!({ "items": items, "nextCursor": null, "hash": terms.hash() })))
}

/// `GET /v1/terms/{family}?at=&country=`: the rows in force for what is bought or done then; every row without a date.
pub(super) async fn show(
    State(doors): State<Doors>,
    Path(name): Path<String>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let at = pairs.take("at").map(|text| calendar::day_or_instant(&text)).transpose()?;
    let country = pairs.take("country").unwrap_or_default().to_ascii_uppercase();
    pairs.end(&["at", "country"])?;
    call.rights.require(&Grant::Read("products"))?;
    let terms = doors.app.terms().in_country(&country);
    let Some(family) = terms.families().find(|family| family.name == name) else {
        return Err(ops::not_found("family", &name).into());
    };
    let rows: Vec<Value> = family.told_at(at).iter().map(row).collect();
    Ok(Reply::ok(json!({ "family": family.name, "title": family.title, "at": at.map(calendar::show), "rows": rows })))
}

fn row(told: &Told) -> Value {
    json!({
        "table": told.table, "rule": told.rule, "source": told.source, "datedBy": told.dated_by.as_str(),
        "from": told.from.map(calendar::show), "until": told.until.map(calendar::show),
        "file": told.place.file, "line": told.place.line, "says": told.says,
    })
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
