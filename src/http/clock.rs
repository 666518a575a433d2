//! Time and what comes with it: the clock, what is coming, imports, and running a file by hand.

use axum::body::Bytes;
use axum::extract::State;
use serde_json::json;

use super::body::{Object, refused, wrong};
use super::lists::Pairs;
use super::problem::Problem;
use super::refused::internal;
use super::reply::{Call, Reply};
use super::{Doors, json};
use crate::app::App;
use crate::domain::{Grant, Refusal, Span, SubscriptionId, TenantId, calendar};
use crate::engine::api::events::Event;
use crate::engine::{run, values};
use crate::json::Value;
use crate::ops::imports::Options;
use crate::ops::{self, Work, rights, subscriptions};
use crate::triggers;

/// How far ahead `/v1/upcoming` looks, unless the caller says otherwise.
const AHEAD: Span = Span::days(30);

/// `GET /v1/clock`
pub(super) async fn show(State(doors): State<Doors>, call: Call) -> Result<Reply, Problem> {
    call.rights.require(&Grant::Read("schedules"))?;
    let app = doors.app.clone();
    let looking = tokio::task::spawn_blocking(move || triggers::next_due(&app));
    let next = looking.await.map_err(|error| internal(&error))??;
    let kind = if doors.app.is_manual() { "manual" } else { "system" };
    let now = calendar::show(doors.app.now());
    Ok(Reply::ok(json!({ "now": now, "kind": kind, "nextDue": next.map(calendar::show) })))
}

/// `POST /v1/clock/advance`
pub(super) async fn advance(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let asked = Object::read(&body, &["by", "to"])?;
    call.rights.require_for_all(&Grant::StoreAdmin)?;
    let to = match (asked.span("by")?, asked.instant("to")?) {
        (Some(by), None) => {
            let to = by.after(doors.app.now());
            to.ok_or_else(|| wrong("by", "out_of_range", "that is beyond the calendar"))?
        }
        (None, Some(to)) => to,
        _ => return Err(wrong("", "schema", "say either by, a duration, or to, an instant")),
    };
    let app = doors.app.clone();
    // A task of its own: whoever asked may go away, and what is due is still processed to the end.
    let advancing = tokio::spawn(async move { triggers::advance(&app, to).await });
    let advanced = advancing.await.map_err(|error| internal(&error))??;
    Ok(Reply::ok(json::shown(&advanced)))
}

/// `GET /v1/upcoming?for=P30D`
pub(super) async fn upcoming(State(doors): State<Doors>, call: Call, mut pairs: Pairs) -> Result<Reply, Problem> {
    let span = match pairs.take("for") {
        None => AHEAD,
        Some(text) => text.parse().map_err(Problem::from)?,
    };
    pairs.end(&["for"])?;
    let coming = triggers::upcoming::upcoming(&doors.app, call.rights, span).await?;
    Ok(Reply::ok(json!({ "items": coming, "nextCursor": null })))
}

/// `POST /v1/import?name=...&tenant=...&overwrite=true`: one document of Partner Center's JSON.
pub(super) async fn import(
    State(doors): State<Doors>,
    call: Call,
    mut pairs: Pairs,
    body: Bytes,
) -> Result<Reply, Problem> {
    call.rights.require_for_all(&Grant::StoreAdmin)?;
    let name = pairs.take("name").unwrap_or_default();
    let tenant = pairs.take("tenant").map(|text| text.parse::<TenantId>()).transpose()?;
    let overwrite = match pairs.take("overwrite").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::new(400, "bad_query", "overwrite is true or false")),
    };
    pairs.end(&["name", "tenant", "overwrite"])?;
    let text =
        String::from_utf8(body.to_vec()).map_err(|_| Problem::new(400, "invalid_utf8", "the document is not UTF-8"))?;
    let options = Options { overwrite, tenant };
    let app = doors.app.clone();
    let importing = tokio::spawn(async move { app.import(call.rights, name, text, options).await });
    let report = importing.await.map_err(|error| internal(&error))??;
    Ok(Reply::ok(json::shown(&report)))
}

/// What a run by hand is given.
struct Given {
    file: String,
    handler: String,
    due: Option<crate::domain::Instant>,
    event_type: String,
    subscription: Option<SubscriptionId>,
    data: Option<Value>,
}

impl Given {
    fn read(body: &Object) -> Result<Given, Problem> {
        let empty = Object::read(&Bytes::from_static(b"{}"), &[])?;
        let event = match body.value("event") {
            None => empty,
            Some(value) => {
                let text = Bytes::from(value.to_string());
                Object::read(&text, &["type", "due", "timestamp", "subscription", "data"])?
            }
        };
        let subscription = event.text("subscription")?.map(str::parse).transpose();
        Ok(Given {
            file: body.needed_text("file")?.to_owned(),
            handler: body.text("handler")?.unwrap_or("run").to_owned(),
            due: event.instant("due")?,
            event_type: event.text("type")?.unwrap_or_default().to_owned(),
            subscription: subscription.map_err(|refusal: Refusal| refused("event/subscription", &refusal))?,
            data: event.value("data").cloned(),
        })
    }

    fn event(&self, work: &mut Work) -> ops::Result<Event> {
        let mut event = Event::new("call", self.due.unwrap_or(work.now), "call");
        event.event_type.clone_from(&self.event_type);
        event.data = self.data.clone().map(values::json::Json::new);
        if let Some(id) = self.subscription {
            event.subscription = Some(subscriptions::get(work, id)?.value);
        }
        Ok(event)
    }

    /// Runs it in this transaction; the record of a run that failed is all that is left of it.
    fn run(&self, app: &App, work: &mut Work) -> ops::Result<Reply> {
        rights::to_run(work)?;
        let event = self.event(work)?;
        let ran = run::handler(work, &self.file, &self.handler, &event, &app.inner.budget)?;
        Ok(Reply::ok(json::shown(&ran.run)))
    }
}

/// `POST /v1/run`
pub(super) async fn by_hand(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let asked = Object::read(&body, &["file", "handler", "event", "dryRun"])?;
    let given = Given::read(&asked)?;
    let app = doors.app.clone();
    if asked.flag("dryRun")?.unwrap_or(false) {
        let cause = doors.app.next_cause("dry");
        return Ok(doors.app.dry(call.rights, cause, move |work| given.run(&app, work)).await?);
    }
    call.act(&doors, &body, move |work| given.run(&app, work)).await
}
