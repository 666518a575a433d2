//! Cancellations as a person asks for them: by customer, product and order, told and acknowledged.

use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::body::{Object, refused};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::requests::said_no;
use super::{Doors, json};
use crate::domain::cancellation::Given;
use crate::domain::change::Reason;
use crate::domain::request::Outcome;
use crate::ops::cancellations::{self, Answer};

const FIELDS: [&str; 9] =
    ["customer", "product", "order", "subscription", "reason", "refundReason", "amount", "acknowledged", "why"];

/// `POST /v1/cancellations`
pub(super) async fn ask(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let given = read(&Object::read(&body, &FIELDS)?)?;
    call.act(&doors, &body, move |work| Ok(answered(&cancellations::ask(work, &given)?))).await
}

fn read(body: &Object) -> Result<Given, Problem> {
    let text = |name: &str| body.text(name).map(|text| text.map(str::to_owned));
    let reason = body.text("reason")?.unwrap_or(Reason::CustomerRequest.as_str());
    Ok(Given {
        customer: body.needed_text("customer")?.to_owned(),
        product: text("product")?,
        order: text("order")?,
        subscription: text("subscription")?,
        reason: reason.parse().map_err(|refusal| refused("reason", &refusal))?,
        refund_reason: text("refundReason")?.unwrap_or_default(),
        amount: body.money("amount")?,
        acknowledged: body.flag("acknowledged")?.unwrap_or(false),
        why: text("why")?.unwrap_or_default(),
    })
}

/// 200 cancelled, 202 waiting for somebody or for its instant, 409 with what to choose, give or acknowledge first.
fn answered(answer: &Answer) -> Reply {
    let members = members(answer);
    let Some(proposed) = &answer.proposed else {
        let problem = Problem::new(409, answer.outcome(), answer.says.clone());
        return Reply::problem(&with(problem, members));
    };
    let reply = Reply::ok(Value::Object(members.clone()));
    match (&proposed.request, proposed.outcome) {
        (_, Outcome::Applied | Outcome::Unchanged) => reply.generation(proposed.subscription.standing.generation),
        (Some(request), Outcome::Waiting | Outcome::Scheduled) => {
            reply.status(202).location(format!("/v1/requests/{}", request.id)).generation(request.generation)
        }
        (request, outcome) => {
            let problem = said_no(request.as_ref(), outcome);
            let rest = members.into_iter().filter(|(name, _)| name != "request" && name != "rule");
            Reply::problem(&with(problem, rest.collect()))
        }
    }
}

fn with(problem: Problem, members: Map<String, Value>) -> Problem {
    members.into_iter().fold(problem, |problem, (name, value)| problem.with(&name, value))
}

fn members(answer: &Answer) -> Map<String, Value> {
    let word = |name: &&str| if *name == "refund_reason" { "refundReason".to_owned() } else { (*name).to_owned() };
    let missing: Vec<String> = answer.missing.iter().map(word).collect();
    let all = [
        ("outcome", answer.outcome().into()),
        ("says", answer.says.clone().into()),
        ("askingRule", answer.rule.clone().into()),
        ("role", answer.role.clone().into()),
        ("info", answer.info.as_ref().map(json::shown).into()),
        ("choices", json::shown(&answer.choices)),
        ("missing", missing.into()),
        ("acknowledgement", answer.acknowledge.clone().into()),
        ("support", answer.support.map(|id| id.to_string()).into()),
        ("confirmation", answer.confirmation.as_ref().map(json::shown).into()),
        ("request", answer.proposed.as_ref().and_then(|made| made.request.as_ref()).map(json::request).into()),
        ("subscription", answer.subscription.as_ref().map(json::subscription).into()),
    ];
    let said = |value: &Value| !(value.is_null() || *value == json!([]) || *value == json!(""));
    all.into_iter().filter(|(_, value)| said(value)).map(|(name, value)| (name.to_owned(), value)).collect()
}
