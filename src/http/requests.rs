//! Requests: proposing, looking, answering.

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::body::{Object, refused, wrong};
use super::lists::{Listing, Pairs, selected};
use super::problem::Problem;
use super::refused::again;
use super::reply::{Call, Reply, fresh};
use super::{Doors, id, json};
use crate::domain::ask::Ask;
use crate::domain::change::{Amendments, Reason};
use crate::domain::ids::Noun;
use crate::domain::request::{self, Outcome};
use crate::domain::selection::{REQUESTS, Scalar};
use crate::domain::{Change, Id, Kind, Refusal, Request, SubscriptionId, calendar};
use crate::ops::requests::{self, Answered, Proposed};
use crate::ops::{self, Work, lists, subscriptions};

/// The members of a change as it is asked for.
pub(super) const CHANGE_FIELDS: [&str; 10] = [
    "kind",
    "reason",
    "enabled",
    "cancelAtTermEnd",
    "quantity",
    "termDuration",
    "billingCycle",
    "offerId",
    "customTermEndDate",
    "why",
];

/// A change as it is asked for; the subscription says the rest.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    kind: Kind,
    ask: Ask,
    pub(super) why: String,
}

impl Asked {
    pub(super) fn read(body: &Object) -> Result<Asked, Problem> {
        let kind: Kind = body.needed_text("kind")?.parse().map_err(|refusal: Refusal| refused("kind", &refusal))?;
        let reason = body.text("reason")?.map(str::parse::<Reason>).transpose();
        let plan = Amendments {
            quantity: body.integer("quantity")?,
            term_duration: body.span("termDuration")?,
            billing_cycle: body.text("billingCycle")?.map(str::to_owned),
            offer_id: body.text("offerId")?.map(str::to_owned),
            custom_term_end_date: body.day("customTermEndDate")?,
        };
        let reason = reason.map_err(|refusal| refused("reason", &refusal))?;
        let cancel_at_term_end = body.flag("cancelAtTermEnd")?;
        let ask = Ask { reason, enabled: body.flag("enabled")?, cancel_at_term_end, plan };
        ask.fits(kind).map_err(|(member, refusal)| wrong(member.as_str(), &refusal.code, &refusal.message))?;
        Ok(Asked { kind, ask, why: body.text("why")?.unwrap_or_default().to_owned() })
    }

    /// The change, for a subscription within reach.
    pub(super) fn change(&self, work: &mut Work, id: SubscriptionId) -> ops::Result<Change> {
        let term_end = match self.kind {
            Kind::Renewal => subscriptions::get(work, id)?.value.standing.term_end,
            _ => None,
        };
        Ok(self.ask.change(self.kind, term_end)?)
    }
}

/// `POST /v1/subscriptions/{id}/requests`
pub(super) async fn propose(
    State(doors): State<Doors>,
    Path(subscription): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let asked = Asked::read(&Object::read(&body, &CHANGE_FIELDS)?)?;
    let subscription: SubscriptionId = subscription.parse()?;
    let seen = call.if_match;
    call.act(&doors, &body, move |work| {
        if seen.is_some() {
            fresh(seen, subscriptions::get(work, subscription)?.value.standing.generation)?;
        }
        let change = asked.change(work, subscription)?;
        Ok(answered(&requests::propose(work, subscription, change, &asked.why)?))
    })
    .await
}

/// What proposing came to: 200 done, 202 waiting for somebody or for its instant, 409 refused or denied.
fn answered(proposed: &Proposed) -> Reply {
    let reply = Reply::ok(json::proposed(proposed));
    match (&proposed.request, proposed.outcome) {
        (_, Outcome::Applied | Outcome::Unchanged) => reply.generation(proposed.subscription.standing.generation),
        (Some(request), Outcome::Waiting | Outcome::Scheduled) => {
            reply.status(202).location(format!("/v1/requests/{}", request.id)).generation(request.generation)
        }
        (request, outcome) => Reply::problem(&said_no(request.as_ref(), outcome)),
    }
}

/// The problem of a request that was refused by the terms or denied by a policy or a person.
pub(super) fn said_no(request: Option<&Request>, outcome: Outcome) -> Problem {
    let Some(request) = request else {
        return Problem::new(409, "denied", "this was denied before and is not asked again");
    };
    let refusal = request.refusal.as_ref();
    let code = refusal.map_or_else(|| outcome.as_str().to_owned(), |refusal| refusal.code.clone());
    let detail = refusal.map_or_else(|| request.reasons.join("; "), |refusal| refusal.message.clone());
    let mut problem = Problem::new(409, code, detail)
        .about(request.id.to_string())
        .with("outcome", outcome.as_str())
        .with("request", request.id.to_string())
        .with("rule", request.quote.rule.clone())
        .with("allowedUntil", request.quote.allowed_until.map(calendar::show))
        .with("reasons", request.reasons.clone());
    if let Some(code) = refusal.and_then(|refusal| refusal.partner_center_code) {
        problem = problem.with("partnerCenterCode", code);
    }
    match refusal.and_then(|refusal| refusal.retry_after) {
        Some(span) => again(problem, span),
        None => problem,
    }
}

/// The open state that alone is asked for, if one is: those are kept in a list of their own.
fn open_state(listing: &Listing) -> Option<request::State> {
    match listing.selection.exact("state")? {
        [Scalar::Text(word)] => request::State::ALL.into_iter().find(|state| state.as_str() == word && state.is_open()),
        _ => None,
    }
}

/// `GET /v1/requests`: newest first; those that wait or are scheduled, asked for by themselves, oldest first.
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &REQUESTS, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let state = open_state(&listing);
        let page = |work: &mut Work, after: Option<&[u8]>, limit: usize| match state {
            Some(state) => lists::requests_in(work, state, after, limit),
            None => lists::requests(work, after, limit),
        };
        let page = selected(work, &listing, page, |request: &Request| request.id.bytes().to_vec())?;
        Ok(listing.reply(page, |found| json::request(&found)))
    });
    Ok(found.await?)
}

/// `GET /v1/requests/{id}`
pub(super) async fn show(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id = id(Noun::Request, &text)?;
    let found = doors.app.look(call.rights, move |work| requests::get(work, id)).await?;
    Ok(Reply::ok(json::request(&found)).generation(found.generation))
}

/// The generation that was seen and the words of an answer.
fn seen(call: &Call, body: &Bytes) -> Result<(Option<u64>, String), Problem> {
    let body = Object::read_optional(body, &["generation", "note"])?;
    let told = body.integer("generation")?.map(|number| {
        u64::try_from(number).map_err(|_| wrong("generation", "out_of_range", "a generation is not negative"))
    });
    let told = told.transpose()?;
    if let (Some(header), Some(told)) = (call.if_match, told)
        && header != told
    {
        return Err(wrong("generation", "schema", "If-Match and generation name different ones"));
    }
    Ok((call.if_match.or(told), body.text("note")?.unwrap_or_default().to_owned()))
}

type Answering = fn(&mut Work, Id, Option<u64>, &str) -> ops::Result<Answered>;

async fn answer(doors: Doors, text: &str, call: Call, body: Bytes, verb: Answering) -> Result<Reply, Problem> {
    let id = id(Noun::Request, text)?;
    let (seen, note) = seen(&call, &body)?;
    call.act(&doors, &body, move |work| {
        Ok(match verb(work, id, seen, &note)? {
            Answered::Done(request) => Reply::ok(json::request(&request)).generation(request.generation),
            Answered::Moved(request) => Reply::problem(&moved(&request)),
        })
    })
    .await
}

/// It was decided anew: the answer shows the request with its new quote.
fn moved(request: &Request) -> Problem {
    let detail = "the subscription changed since it was reviewed; it was decided anew, look at it again";
    Problem::new(412, "state_changed", detail)
        .about(request.id.to_string())
        .with("request", json::request(request))
        .with("quote", json::shown(&request.quote))
}

/// `POST /v1/requests/{id}/approve`
pub(super) async fn approve(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    answer(doors, &text, call, body, requests::approve).await
}

/// `POST /v1/requests/{id}/deny`
pub(super) async fn deny(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    answer(doors, &text, call, body, requests::deny).await
}

/// `POST /v1/requests/{id}/withdraw`
pub(super) async fn withdraw(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    answer(doors, &text, call, body, |work, id, seen, note| {
        let now = requests::get(work, id).map(|request| request.generation);
        if let (Some(_), Ok(now)) = (seen, now) {
            fresh(seen, now)?;
        }
        requests::withdraw(work, id, note).map(Answered::Done)
    })
    .await
}
