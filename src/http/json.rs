//! Our own records as JSON. Fields are called as selections and scripts call them, in camelCase.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::ledger::Line;
use crate::domain::{Quote, Request, Subscription, calendar, lifecycle};
use crate::ops::requests::{Proposed, outcome_of};

/// The media type of an answer.
pub(super) const MEDIA_TYPE: &str = "application/json";

/// A record as it is written down; records of ours always can be.
pub(super) fn shown(record: &impl Serialize) -> Value {
    serde_json::to_value(record).unwrap_or_default()
}

/// A subscription. Ends are the first instants after, as everywhere in scripts and selections; Partner Center's own
/// JSON has the last days instead.
pub(super) fn subscription(subscription: &Subscription) -> Value {
    let standing = &subscription.standing;
    let mut out: Map<String, Value> = match shown(&*subscription.profile) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    if let Some(bought) = out.remove("purchasedAt") {
        out.insert("creationDate".to_owned(), bought);
    }
    let at = |instant: Option<crate::domain::Instant>| instant.map(calendar::show);
    let moving = json!({
        "id": subscription.id,
        "tenant": subscription.tenant,
        "generation": standing.generation,
        "status": standing.status,
        "quantity": standing.quantity,
        "autoRenewEnabled": standing.auto_renew_enabled,
        "cancelAtTermEnd": standing.cancel_at_term_end,
        "effectiveStartDate": at(Some(standing.term_start)),
        "commitmentEndDate": at(standing.term_end),
        "billingCycleEndDate": at(standing.cycle_end),
        "cancellationAllowedUntilDate": at(standing.window_end),
        "statusSince": at(Some(standing.status_since)),
        "nextStepAt": at(standing.next_step_at),
        "deletionDate": lifecycle::last_day_of_data(subscription).map(|day| day.to_string()),
        "renewal": standing.renewal,
        "attention": standing.attention,
        "story": format!("/v1/subscriptions/{}/story", subscription.id),
    });
    if let Value::Object(moving) = moving {
        out.extend(moving);
    }
    Value::Object(out)
}

/// A ledger line, with what the partner keeps of what the customer pays.
pub(super) fn line(line: &Line) -> Value {
    let mut out = shown(line);
    out["total"] = line.total().to_string().into();
    if let Some(margin) = line.margin() {
        out["margin"] = margin.to_string().into();
    }
    out
}

/// A request, with its outcome in one word.
pub(super) fn request(request: &Request) -> Value {
    let mut out = shown(request);
    out["outcome"] = outcome_of(request.state).as_str().into();
    out
}

/// What proposing came to.
pub(super) fn proposed(proposed: &Proposed) -> Value {
    json!({
        "outcome": proposed.outcome,
        "request": proposed.request.as_ref().map(request),
        "subscription": subscription(&proposed.subscription),
    })
}

/// The short form of a quote that `terms quote` answers.
pub(super) fn short_quote(quote: &Quote) -> Value {
    json!({
        "allowed": quote.allowed,
        "allowedUntil": quote.allowed_until.map(calendar::show),
        "refund": quote.refund.filter(|_| quote.allowed),
        "rule": quote.rule,
        "reason": quote.reason,
    })
}
