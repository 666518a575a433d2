//! The activity log: in our own JSON, as Partner Center's audit records, and its checkpoint.

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::customers::reply;
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json as shown_as};
use crate::domain::ids::Guid;
use crate::domain::selection::{ACTIVITY, Selection};
use crate::domain::{Grant, Principal, Span, calendar};
use crate::ops::activity::{self, Entry, Query};
use crate::partner_center::audit_records::{self, AuditRecord, Filter, SIZE_MAX};
use crate::partner_center::write;

/// `GET /v1/activity`: newest first; `last=P1M` is from so long ago on.
pub(super) async fn list(State(doors): State<Doors>, call: Call, mut pairs: Pairs) -> Result<Reply, Problem> {
    let last = pairs.take("last").map(|text| text.parse::<Span>()).transpose()?;
    let listing = Listing::read(&doors, &ACTIVITY, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let mut query = Query::of(listing.selection.clone(), work.now);
        if let Some(from) = last.and_then(|last| last.before(work.now)) {
            query.from = query.from.max(Some(from));
        }
        let page = activity::select(work, &query, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |entry| shown(&entry)))
    });
    Ok(found.await?)
}

/// What was noted, and Partner Center's words for it beside.
fn shown(entry: &Entry) -> Value {
    let mut out = shown_as::shown(&entry.activity);
    out["id"] = entry.id().into();
    out["companyName"] = entry.company_name.as_str().into();
    out["userPrincipalName"] = entry.user().into();
    out["action"] = entry.action().into();
    out["operationType"] = entry.meaning.operation.as_str().into();
    out["operationStatus"] = entry.meaning.status.as_str().into();
    out["resourceType"] = entry.meaning.resource.as_str().into();
    out
}

/// `GET /v1/activity/checkpoint`: where the chain over the log stands, to be kept elsewhere.
pub(super) async fn checkpoint(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    pairs.end(&[])?;
    call.rights.require_for_all(&Grant::Read("activity"))?;
    let chained = doors.app.store().chained()?;
    let body = json!({
        "checkpoint": chained.checkpoint(),
        "sequence": chained.seq,
        "records": chained.records,
        "since": chained.start,
        "at": calendar::show(doors.app.now()),
    });
    Ok(Reply::ok(body))
}

/// `GET /v1/auditrecords`: as Partner Center answers, with its rules for dates and filters.
pub(super) async fn audit_records(
    State(doors): State<Doors>,
    call: Call,
    headers: HeaderMap,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let asked = address(&pairs);
    let (start, end) = (pairs.take("startDate"), pairs.take("endDate"));
    let filter = pairs.take("filter").map(|text| audit_records::filter(&text)).transpose()?;
    let size = size(pairs.take("size"))?;
    let header = headers.get("ms-continuationtoken").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let token = pairs.take("continuationToken").or(header).filter(|token| !token.is_empty());
    drop(pairs.take("seekOperation"));
    pairs.end(&["startDate", "endDate", "filter", "size", "continuationToken", "seekOperation"])?;
    let (from, to) = audit_records::range(start.as_deref(), end.as_deref(), doors.app.now())?;
    let (narrow, company) = match filter {
        None => (Vec::new(), None),
        Some(Filter::CompanyName(part)) => (Vec::new(), Some(part)),
        Some(Filter::Customer(tenant)) => (vec![("tenant".to_owned(), tenant.to_string())], None),
        Some(Filter::Resource(resource)) => (vec![("resource_type".to_owned(), resource.as_str().to_owned())], None),
    };
    let selection = Selection::from_query(&ACTIVITY, &narrow)?;
    let listing = Listing::of(&doors, &ACTIVITY, selection, size, token)?;
    let partner = Guid(doors.app.store().id());
    let found = doors.app.look(call.rights, move |work| {
        let query = Query { selection: listing.selection.clone(), from: Some(from), to: Some(to), company };
        let page = activity::select(work, &query, listing.after.as_deref(), listing.limit)?;
        let items = page.items.iter().map(|entry| theirs(entry, partner)).collect::<Vec<_>>();
        let token = page.next.as_deref().map(|key| listing.cursor(key));
        let next = token.as_ref().map(|token| continued(&asked, token));
        let mut links = vec![("self", asked.as_str())];
        links.extend(next.as_deref().map(|next| ("next", next)));
        let count = items.len();
        let mut body = write::collection(items, count, &links);
        if let (crate::json::Value::Object(members), Some(token)) = (&mut body, token) {
            members.push(("continuationToken".to_owned(), crate::json::Value::String(token)));
        }
        Ok(reply(&body))
    });
    Ok(found.await?)
}

/// The address that was asked, without what says where to go on.
fn address(pairs: &Pairs) -> String {
    let goes_on = |name: &str| matches!(name, "continuationToken" | "seekOperation");
    let kept = pairs.0.iter().filter(|(name, _)| !goes_on(name));
    let query: Vec<String> = kept.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    if query.is_empty() { "/auditrecords".to_owned() } else { format!("/auditrecords?{}", query.join("&")) }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn continued(asked: &str, token: &str) -> String {
    let mark = if asked.contains('?') { '&' } else { '?' };
    format!("{asked}{mark}seekOperation=Next&continuationToken={token}")
}

fn size(text: Option<String>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(SIZE_MAX) };
    let read = text.parse().ok().filter(|size| (1..=SIZE_MAX).contains(size));
    read.ok_or_else(|| Problem::new(400, "bad_query", format!("size is a whole number from 1 to {SIZE_MAX}")))
}

fn theirs(entry: &Entry, partner: Guid) -> crate::json::Value {
    let activity = &entry.activity;
    audit_records::audit_record(&AuditRecord {
        id: entry.id(),
        partner,
        tenant: activity.tenant,
        company_name: &entry.company_name,
        user: entry.user(),
        application: match &activity.by {
            Principal::User(_) => None,
            other => Some(other.to_string()),
        },
        operation: &activity.operation,
        meaning: entry.meaning,
        cause: &activity.cause,
        at: activity.at,
        subscription: activity.subscription,
        request: activity.request,
        note: &activity.note,
        changed: &activity.changed,
    })
}
