//! The activity log: in our own JSON, as Partner Center's audit records, and its checkpoint.

use axum::extract::State;
use serde_json::{Value, json};

use super::collections::{self, Asked};
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json as shown_as};
use crate::domain::ids::Guid;
use crate::domain::selection::ACTIVITY;
use crate::domain::{Grant, Principal, Span, calendar, lifecycle};
use crate::ops::activity::{self, Entry, Query};
use crate::ops::{self, Work, tenants};
use crate::partner_center::audit_records::{self, AuditRecord, Filter, SIZE_MAX};
use crate::partner_center::subscriptions_write::Ends;

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
    out["userPrincipalName"] = entry.user_principal_name.as_str().into();
    out["action"] = entry.action().into();
    out["operationType"] = entry.meaning.operation.as_str().into();
    out["operationStatus"] = entry.meaning.status.as_str().into();
    out["resourceType"] = entry.meaning.resource.as_str().into();
    if let Some(made) = out.get("made").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok()) {
        out["made"] = made;
    }
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
pub(super) async fn audit_records(State(doors): State<Doors>, call: Call, mut pairs: Pairs) -> Result<Reply, Problem> {
    let address = collections::address("/auditrecords", &pairs);
    let (start, end) = (pairs.take("startDate"), pairs.take("endDate"));
    let told = pairs.take("filter").unwrap_or_default();
    let filter = if told.is_empty() { None } else { Some(audit_records::filter(&told)?) };
    known(&pairs)?;
    if !pairs.0.iter().any(|(name, _)| name == "size") {
        pairs.0.push(("size".to_owned(), SIZE_MAX.to_string()));
    }
    // A token goes on with the question it came of.
    let beside = format!("{start:?} {end:?} {told}");
    let (from, to) = audit_records::range(start.as_deref(), end.as_deref(), doors.app.now())?;
    let (narrow, company) = match filter {
        None => (Vec::new(), None),
        Some(Filter::CompanyName(part)) => (Vec::new(), Some(part)),
        Some(Filter::Customer(tenant)) => (vec![("tenant".to_owned(), tenant.to_string())], None),
        Some(Filter::Resource(resource)) => (vec![("resource_type".to_owned(), resource.as_str().to_owned())], None),
    };
    pairs.0.extend(narrow);
    let asked = Asked::read(&doors, &ACTIVITY, pairs, &call, address, &beside)?;
    let partner = Guid(doors.app.store().id());
    let found = doors.app.look(call.rights, move |work| {
        let query = Query { selection: asked.listing.selection.clone(), from: Some(from), to: Some(to), company };
        let read = |work: &mut Work, before: Option<&[u8]>, limit| activity::select(work, &query, before, limit);
        asked.page(work, read, |work, entry| Ok(theirs(&entry, partner, ends_of(work, &entry)?)))
    });
    Ok(found.await?)
}

/// Refuses what Partner Center does not know here, our own fields among it.
fn known(pairs: &Pairs) -> Result<(), Problem> {
    let names = ["size", "offset", "continuationToken", "cursor", "seekOperation"];
    let rest = pairs.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect();
    Pairs(rest).end(&["startDate", "endDate", "filter", "size", "offset", "continuationToken", "seekOperation"])
}

/// How the subscription of a record tells its ends now.
fn ends_of(work: &mut Work, entry: &Entry) -> ops::Result<Option<Ends>> {
    if entry.activity.changed.is_empty() {
        return Ok(None);
    }
    let Some(subscription) = activity::subscription_of(work, entry)? else { return Ok(None) };
    let terms = tenants::terms_for(work, subscription.tenant)?;
    let with_day = lifecycle::window_ends_with_day(&terms, &subscription);
    Ok(Some(Ends::of(&subscription.profile.family, with_day)))
}

fn theirs(entry: &Entry, partner: Guid, ends: Option<Ends>) -> crate::json::Value {
    let activity = &entry.activity;
    audit_records::audit_record(&AuditRecord {
        id: entry.id(),
        partner,
        tenant: activity.tenant,
        company_name: &entry.company_name,
        user: &entry.user_principal_name,
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
        ends,
        made: &activity.made,
    })
}
