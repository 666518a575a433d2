//! Outbound messages: written with what they tell of, sent later by the outbox.

use crate::domain::cancellation::{self, Confirmation};
use crate::domain::ids::Noun;
use crate::domain::invoice::Invoice;
use crate::domain::message::{Addressee, Attempt, DeliveryState, Message};
use crate::domain::request::State;
use crate::domain::subscription::Status;
use crate::domain::{
    Grant, Id, Instant, Kind, OrderId, Refusal, Request, Span, Subscription, SubscriptionId, TenantId, calendar,
};
use crate::partner_center::upstream::UpstreamCall;
use crate::store::records::{Page, messages as rows};

use super::work::Work;
use super::{Result, not_found};

/// The longest payload of a message, in bytes (Standard Webhooks asks for less than 20 kB).
pub const DATA_BYTES_MAX: usize = 20_000;

/// The pauses before each attempt after the first; after the last one the message is dead for that endpoint.
pub const RETRIES: [Span; 7] = [
    Span { months: 0, days: 0, seconds: 5 },
    Span { months: 0, days: 0, seconds: 300 },
    Span { months: 0, days: 0, seconds: 1800 },
    Span::hours(2),
    Span::hours(5),
    Span::hours(10),
    Span::hours(24),
];

fn write(work: &mut Work, topic: &str, about: Option<&Subscription>, request: Option<Id>, data: String) -> Result<Id> {
    let about = about.map_or((None, None), |about| (Some(about.tenant), Some(about.id)));
    post(work, topic, about, request, data)
}

/// Writes a message about a tenant, a subscription of it, both or neither; `data` is JSON text.
pub(super) fn post(
    work: &mut Work,
    topic: &str,
    (tenant, subscription): (Option<TenantId>, Option<SubscriptionId>),
    request: Option<Id>,
    data: String,
) -> Result<Id> {
    let takers = work.settings.endpoints.iter().filter(|endpoint| endpoint.takes(topic));
    let addressees = takers
        .map(|endpoint| Addressee {
            endpoint: endpoint.name.clone(),
            state: DeliveryState::Pending,
            next_attempt_at: Some(work.now),
            attempts: Vec::new(),
        })
        .collect();
    let message = Message {
        id: work.id(Noun::Message),
        topic: topic.to_owned(),
        at: work.now,
        tenant,
        subscription,
        request,
        data,
        addressees,
    };
    rows::save(&mut work.tx, None, &message)?;
    Ok(message.id)
}

/// Tells of a request: the change, where it stands, and the equivalent Partner Center call once it is applied.
pub(super) fn tell_of(
    work: &mut Work,
    topic: &str,
    subscription: &Subscription,
    request: &Request,
    call: Option<&UpstreamCall>,
) -> Result<()> {
    let data = data_of(subscription, Some(request), call);
    write(work, topic, Some(subscription), Some(request.id), data).map(|_| ())
}

/// Tells what follows a cancellation: to whom it happened, and what partner and customer do about it.
pub(super) fn tell_after(
    work: &mut Work,
    topic: &str,
    subscription: &Subscription,
    request: &Request,
    confirmed: &Confirmation,
) -> Result<()> {
    let after = After {
        confirmation: confirmed,
        name: cancellation::name_of(subscription),
        order_id: subscription.profile.order_id.as_ref(),
        request: request.id,
        responsible: ["partner", "customer"],
        subscription_id: subscription.id,
        tenant_id: subscription.tenant,
    };
    let data = serde_json::to_string(&after).unwrap_or_default();
    write(work, topic, Some(subscription), Some(request.id), data).map(|_| ())
}

/// What a message on the aftermath of a cancellation tells.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct After<'a> {
    confirmation: &'a Confirmation,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a OrderId>,
    request: Id,
    responsible: [&'static str; 2],
    subscription_id: SubscriptionId,
    tenant_id: TenantId,
}

/// Tells of a change that no request made.
pub(super) fn tell(work: &mut Work, topic: &str, subscription: &Subscription) -> Result<()> {
    let data = data_of(subscription, None, None);
    write(work, topic, Some(subscription), None, data).map(|_| ())
}

/// Tells that an invoice is published, with the event that Partner Center sends for one.
pub(super) fn tell_invoice(work: &mut Work, invoice: &Invoice) -> Result<()> {
    let data = serde_json::json!({
        "billingPeriodEndDate": calendar::show(invoice.id.month.end()),
        "billingPeriodStartDate": calendar::show(invoice.id.month.start()),
        "currencyCode": invoice.id.currency,
        "customers": invoice.customers,
        "invoiceId": invoice.id,
        "invoiceType": invoice.id.kind.as_str(),
        "lines": invoice.totals.lines,
        "partnerCenter": {
            "EventName": "invoice-ready",
            "ResourceUri": format!("/v1/invoices/{}", invoice.id),
            "ResourceName": "invoice",
            "AuditUri": null,
            "ResourceChangeUtcDate": calendar::show(invoice.invoice_date),
        },
        "subtotal": invoice.totals.subtotal,
        "tax": invoice.totals.tax,
        "totalCharges": invoice.totals.total(),
    });
    write(work, "invoice.ready", None, None, data.to_string()).map(|_| ())
}

fn data_of(subscription: &Subscription, request: Option<&Request>, call: Option<&UpstreamCall>) -> String {
    let standing = &subscription.standing;
    let data = Data {
        auto_renew_enabled: standing.auto_renew_enabled,
        friendly_name: &subscription.profile.friendly_name,
        quantity: standing.quantity,
        request: request.map(|request| About {
            id: request.id,
            kind: request.kind,
            reasons: &request.reasons,
            state: request.state,
            why: &request.why,
        }),
        status: standing.status,
        subscription_id: subscription.id,
        tenant_id: subscription.tenant,
        term_end: standing.term_end.map(calendar::show),
        upstream: call,
    };
    serde_json::to_string(&data).unwrap_or_default()
}

/// What a message of ours tells, in the order of the names.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    auto_renew_enabled: bool,
    friendly_name: &'a str,
    quantity: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<About<'a>>,
    status: Status,
    subscription_id: SubscriptionId,
    tenant_id: TenantId,
    term_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<&'a UpstreamCall>,
}

#[derive(serde::Serialize)]
struct About<'a> {
    id: Id,
    kind: Kind,
    reasons: &'a [String],
    state: State,
    why: &'a str,
}

/// Sends a script's own message: a topic and JSON text.
///
/// # Errors
/// `forbidden`, `bad_topic`, `message_too_large`, `not_found`.
pub fn send(work: &mut Work, topic: &str, data: &str, about: Option<SubscriptionId>) -> Result<Id> {
    work.require(&Grant::MessagesSend)?;
    let dotted = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_');
    if topic.is_empty() || topic.len() > 100 || !topic.chars().all(dotted) {
        return Err(Refusal::new("bad_topic", "a topic is 1 to 100 letters, digits, dots and underscores").into());
    }
    if data.len() > DATA_BYTES_MAX {
        return Err(Refusal::new("message_too_large", format!("a message holds at most {DATA_BYTES_MAX} bytes")).into());
    }
    let about = match about {
        Some(id) => Some(super::subscriptions::load(work, id)?.value),
        None => None,
    };
    let id = write(work, topic, about.as_ref(), None, data.to_owned())?;
    work.effect(format!("message {id} {topic}"));
    Ok(id)
}

/// One message within reach.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, id: Id) -> Result<Message> {
    work.require(&Grant::Read("messages"))?;
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    found.filter(|message| in_reach(work, message.tenant)).ok_or_else(|| not_found("message", &id))
}

fn in_reach(work: &Work, tenant: Option<TenantId>) -> bool {
    match tenant {
        Some(tenant) => work.reaches(tenant),
        None => work.reaches_all(),
    }
}

/// A page of messages within reach, newest first.
///
/// # Errors
/// `forbidden`.
pub fn list(work: &mut Work, before: Option<&[u8]>, limit: usize) -> Result<Page<Message>> {
    work.require(&Grant::Read("messages"))?;
    let mut page = rows::page(&mut work.tx, before, limit)?;
    page.items.retain(|message| in_reach(work, message.tenant));
    Ok(page)
}

/// Sends a message again, now, to every endpoint that did not take it; one that waits for its next attempt waits no more.
///
/// # Errors
/// `forbidden`, `not_found`, `already_sent`.
pub fn resend(work: &mut Work, id: Id) -> Result<Message> {
    work.require(&Grant::MessagesResend)?;
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    let before = found.filter(|message| in_reach(work, message.tenant)).ok_or_else(|| not_found("message", &id))?;
    let mut after = before.clone();
    let now = work.now;
    let known: Vec<String> = after.addressees.iter().map(|addressee| addressee.endpoint.clone()).collect();
    for endpoint in work.settings.endpoints.iter().filter(|endpoint| endpoint.takes(&before.topic)) {
        if !known.contains(&endpoint.name) {
            after.addressees.push(Addressee {
                endpoint: endpoint.name.clone(),
                state: DeliveryState::Pending,
                next_attempt_at: Some(now),
                attempts: Vec::new(),
            });
        }
    }
    // What is due already is being sent: another instant would make its answer count for nothing.
    let is_due = |addressee: &Addressee| addressee.next_attempt_at.is_some_and(|at| at <= now);
    let unsent = |addressee: &&mut Addressee| addressee.state != DeliveryState::Sent;
    for addressee in after.addressees.iter_mut().filter(unsent) {
        if addressee.state == DeliveryState::Dead || !is_due(addressee) {
            addressee.state = DeliveryState::Pending;
            addressee.next_attempt_at = Some(now);
        }
    }
    if after.addressees.iter().all(|addressee| addressee.state == DeliveryState::Sent) {
        return Err(Refusal::new("already_sent", format!("message {id} has nobody left to send it to")).into());
    }
    if after == before {
        return Ok(after);
    }
    rows::save(&mut work.tx, Some(&before), &after)?;
    work.note("message.resent", None, None, &id.to_string());
    Ok(after)
}

/// Records what an attempt to send a message came to.
///
/// # Errors
/// What the store answers.
pub fn attempted(work: &mut Work, id: Id, endpoint: &str, due: Instant, attempt: Attempt) -> Result<()> {
    let Some(stored) = rows::get(&mut work.tx, id)? else { return Ok(()) };
    let before = stored.value;
    let mut after = before.clone();
    let Some(addressee) = after.addressees.iter_mut().find(|addressee| addressee.endpoint == endpoint) else {
        return Ok(());
    };
    if addressee.next_attempt_at != Some(due) {
        return Ok(());
    }
    let good = attempt.status.is_some_and(|status| (200..300).contains(&status));
    let gone = attempt.status == Some(410);
    let tried = addressee.attempts.len();
    let at = attempt.at;
    addressee.attempts.push(attempt);
    addressee.next_attempt_at = None;
    match RETRIES.get(tried) {
        _ if good => addressee.state = DeliveryState::Sent,
        Some(pause) if !gone => addressee.next_attempt_at = pause.after(at),
        _ => addressee.state = DeliveryState::Dead,
    }
    rows::save(&mut work.tx, Some(&before), &after)?;
    Ok(())
}
