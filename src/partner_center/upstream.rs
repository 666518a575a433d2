//! The call of Partner Center's API that makes the same change there.
//!
//! It is written into the message of every applied change. Sending it is another program's work.

use serde::Serialize;

use super::subscriptions::SubscriptionFact;
use super::subscriptions_write::next_term;
use super::write::{self, Out};
use crate::domain::change::Amendments;
use crate::domain::ids::Guid;
use crate::domain::quote::Effect;
use crate::domain::subscription::Status;
use crate::domain::{Change, Id, Subscription};
use crate::json::Value;

/// A call of Partner Center's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamCall {
    /// `PATCH`.
    pub method: &'static str,
    /// The path below the API's address, beginning `/v1/`.
    pub path: String,
    /// The body: the fields that change, with the id of what they belong to.
    pub body: Value,
    /// `MS-RequestId`: the idempotency key; the same for every try of the same request.
    pub ms_request_id: Guid,
}

impl UpstreamCall {
    /// As it stands in a message: `{method, path, msRequestId, body}`.
    pub fn to_value(&self) -> Value {
        let mut out = Out::new();
        out.text("method", self.method);
        out.text("path", &self.path);
        out.text("msRequestId", &self.ms_request_id.to_string());
        out.value("body", self.body.clone());
        out.finish()
    }
}

impl Serialize for UpstreamCall {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

/// The call that makes an applied change at Partner Center. `amendments` are the approved ones, over the change's own;
/// `effect` is the quote's: a cancellation that came too late only stops the renewal.
pub fn call(
    change: &Change,
    amendments: &Amendments,
    effect: Effect,
    subscription: &Subscription,
    request: Id,
) -> UpstreamCall {
    if let (Change::Cancellation { .. }, Effect::Now, Some(order)) = (change, effect, order_alone(subscription)) {
        return cancel_order(subscription, order, request);
    }
    let mut body = Out::new();
    // An id that was no GUID was kept as it came, and is the one that Partner Center knows.
    let id = super::field::kept(&subscription.profile.extra, "id");
    let id = id.and_then(|id| id.as_str().map(str::to_owned)).unwrap_or_else(|| subscription.id.to_string());
    body.text("id", &id);
    match change {
        Change::Purchase {} => return buy(subscription, request),
        Change::Conversion { to } => return convert(subscription, &amendments.over(to), &id, request),
        Change::Upgrade { offer_id, quantity } => return transition(subscription, offer_id, *quantity, &id, request),
        Change::Activation {} => body.text("status", "active"),
        Change::Deprovision {} => body.text("status", "deleted"),
        Change::Schedule { .. } if subscription.profile.next_term.is_empty() => {
            body.value("scheduledNextTermInstructions", Value::Null);
        }
        Change::Schedule { .. } => {
            let next = &subscription.profile.next_term;
            body.value("scheduledNextTermInstructions", next_term(subscription, next, None));
        }
        Change::BillingPlan { billing_cycle } => {
            let plan = Amendments { billing_cycle: Some(billing_cycle.clone()), ..Amendments::default() };
            body.value("nextChargeInstructions", next_term(subscription, &plan, None));
        }
        Change::Suspension { .. } => body.text("status", "suspended"),
        Change::Reactivation {} => body.text("status", "active"),
        Change::Cancellation { .. } if effect == Effect::Now => body.text("status", "deleted"),
        Change::Cancellation { .. } => body.flag("autoRenewEnabled", false),
        Change::AutoRenew { enabled, cancel_at_term_end } => {
            body.flag("autoRenewEnabled", *enabled);
            // Said apart since May 2026: auto-renew alone being off is not the end any more (EST).
            if let Some(cancel) = cancel_at_term_end {
                body.flag("cancelAtTermEnd", *cancel);
            }
        }
        Change::Quantity { quantity } => body.integer("quantity", amendments.quantity.unwrap_or(*quantity)),
        Change::Renewal { amendments: own, .. } => {
            body.flag("autoRenewEnabled", true);
            let next = amendments.over(own);
            if !next.is_empty() {
                body.value("scheduledNextTermInstructions", next_term(subscription, &next, None));
            }
        }
    }
    body.value("attributes", write::attributes("Subscription", None));
    UpstreamCall {
        method: "PATCH",
        path: format!("/v1/customers/{}/subscriptions/{id}", subscription.tenant),
        body: body.finish(),
        ms_request_id: ms_request_id(request),
    }
}

/// Whether what a document states about the subscription shows an applied change; none when it does not say.
pub fn shown(
    change: &Change,
    amendments: &Amendments,
    effect: Effect,
    subscription: &Subscription,
    fact: &SubscriptionFact,
) -> Option<bool> {
    let status_is = |wanted: Status| fact.status.map(|status| status == wanted);
    match change {
        Change::Purchase {} => fact.status.map(|status| matches!(status, Status::Active | Status::Pending)),
        Change::Activation {} => status_is(Status::Active),
        Change::Deprovision {} => status_is(Status::Deleted),
        Change::Conversion { .. } => fact.is_trial.map(|is_trial| !is_trial),
        // Of a part the seats that stayed are shown.
        Change::Upgrade { offer_id, .. } if !subscription.profile.offer_id.eq_ignore_ascii_case(offer_id) => {
            fact.quantity.map(|shown| shown == subscription.standing.quantity)
        }
        Change::Upgrade { offer_id, .. } => fact.offer_id.as_ref().map(|shown| shown.eq_ignore_ascii_case(offer_id)),
        Change::Schedule { instructions } => {
            let next = amendments.over(instructions);
            Some(match &fact.next_term {
                Some(shown) => !next.is_empty() && carries(shown, &next),
                None => next.is_empty(),
            })
        }
        Change::BillingPlan { .. } => None,
        Change::Suspension { .. } => status_is(Status::Suspended),
        Change::Reactivation {} => status_is(Status::Active),
        Change::Cancellation { .. } if effect == Effect::Now => status_is(Status::Deleted),
        Change::Cancellation { .. } => fact.auto_renew_enabled.map(|enabled| !enabled),
        Change::AutoRenew { enabled, cancel_at_term_end } => {
            let told = fact.cancel_at_term_end;
            let cancels = cancel_at_term_end.is_none_or(|cancel| told.is_none_or(|told| told == cancel));
            fact.auto_renew_enabled.map(|shown| shown == *enabled && cancels)
        }
        Change::Quantity { quantity } => fact.quantity.map(|shown| shown == amendments.quantity.unwrap_or(*quantity)),
        Change::Renewal { term_end, amendments: own } => {
            let shown_end = fact.term_end?.first_after(&subscription.profile.family);
            if shown_end.is_some_and(|shown| shown > *term_end) {
                return Some(true);
            }
            let next = amendments.over(own);
            let instructed = next.is_empty() || fact.next_term.as_ref().is_some_and(|shown| carries(shown, &next));
            fact.auto_renew_enabled.map(|enabled| enabled && instructed)
        }
    }
}

/// Whether instructions say everything that was amended.
fn carries(shown: &Amendments, wanted: &Amendments) -> bool {
    (wanted.quantity.is_none() || shown.quantity == wanted.quantity)
        && (wanted.term_duration.is_none() || shown.term_duration == wanted.term_duration)
        && (wanted.billing_cycle.is_none() || shown.billing_cycle == wanted.billing_cycle)
}

/// The order of a purchase that Partner Center knows only as an order: without a term and not by use.
fn order_alone(subscription: &Subscription) -> Option<&str> {
    let profile = &subscription.profile;
    let order = profile.order_id.as_ref()?;
    (profile.term_duration.is_none() && profile.billing_cycle == "one_time").then_some(order.0.as_str())
}

/// The order that buys it: one line.
fn buy(subscription: &Subscription, request: Id) -> UpstreamCall {
    let (standing, profile) = (&subscription.standing, &subscription.profile);
    let mut line = Out::new();
    line.integer("lineItemNumber", 0);
    line.filled("offerId", &profile.offer_id);
    line.filled("friendlyName", &profile.friendly_name);
    line.integer("quantity", standing.quantity);
    if let Some(length) = profile.term_duration {
        line.text("termDuration", &length.to_string());
    }
    if let Some(last) = profile.custom_term_end_date {
        line.text("customTermEndDate", &last.to_string());
    }
    if let Some(base) = profile.parent_subscription_id {
        line.text("parentSubscriptionId", &base.to_string());
    }
    let mut body = Out::new();
    body.text("referenceCustomerId", &subscription.tenant.to_string());
    body.filled("billingCycle", &profile.billing_cycle);
    body.value("lineItems", Value::Array(vec![line.finish()]));
    body.value("attributes", write::attributes("Order", None));
    UpstreamCall {
        method: "POST",
        path: format!("/v1/customers/{}/orders", subscription.tenant),
        body: body.finish(),
        ms_request_id: ms_request_id(request),
    }
}

/// A trial's conversion.
fn convert(subscription: &Subscription, to: &Amendments, id: &str, request: Id) -> UpstreamCall {
    let profile = &subscription.profile;
    let mut body = Out::new();
    body.filled("offerId", &profile.offer_id);
    body.filled("targetOfferId", to.offer_id.as_ref().unwrap_or(&profile.offer_id));
    if let Some(order) = &profile.order_id {
        body.text("orderId", &order.0);
    }
    body.integer("quantity", to.quantity.unwrap_or(subscription.standing.quantity));
    body.filled("billingCycle", to.billing_cycle.as_ref().unwrap_or(&profile.billing_cycle));
    body.value("attributes", write::attributes("Conversion", None));
    UpstreamCall {
        method: "POST",
        path: format!("/v1/customers/{}/subscriptions/{id}/conversions", subscription.tenant),
        body: body.finish(),
        ms_request_id: ms_request_id(request),
    }
}

/// An upgrade inside the term, of every seat or of some.
fn transition(
    subscription: &Subscription,
    offer_id: &str,
    quantity: Option<i64>,
    id: &str,
    request: Id,
) -> UpstreamCall {
    let mut body = Out::new();
    body.text("toCatalogItemId", offer_id);
    body.integer("quantity", quantity.unwrap_or(subscription.standing.quantity));
    body.text("transitionType", "transition_only");
    body.value("attributes", write::attributes("Transition", None));
    UpstreamCall {
        method: "POST",
        path: format!("/v1/customers/{}/subscriptions/{id}/transitions", subscription.tenant),
        body: body.finish(),
        ms_request_id: ms_request_id(request),
    }
}

fn cancel_order(subscription: &Subscription, order: &str, request: Id) -> UpstreamCall {
    let mut line = Out::new();
    let number = super::field::kept(&subscription.profile.extra, "lineItemNumber");
    line.integer("lineItemNumber", number.and_then(|number| number.as_i64()).unwrap_or(0));
    line.filled("offerId", &subscription.profile.offer_id);
    line.integer("quantity", 0);
    let mut body = Out::new();
    body.text("id", order);
    body.text("status", "cancelled");
    body.value("lineItems", Value::Array(vec![line.finish()]));
    body.value("attributes", write::attributes("Order", None));
    UpstreamCall {
        method: "PATCH",
        path: format!("/v1/customers/{}/orders/{order}", subscription.tenant),
        body: body.finish(),
        ms_request_id: ms_request_id(request),
    }
}

/// The same for every try of one request, and for nothing else.
fn ms_request_id(request: Id) -> Guid {
    Guid::derive(format!("ms-request-id:{request}").as_bytes())
}
