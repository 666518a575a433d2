//! Instructions for later: the next term's (`scheduledNextTermInstructions`), the next charge's
//! (`nextChargeInstructions`), and what a trial is converted to.

use super::field::{Date, Fields};
use super::subscriptions::CYCLES;
use super::write::{self, Out};
use crate::domain::change::Amendments;
use crate::domain::product::Product;
use crate::domain::{Subscription, SubscriptionId};
use crate::json::Value;

/// What instructions for a next term have different; `offer` is the present one. None where they are no object.
pub fn next_term(instructions: &Value, offer: &str) -> Option<Amendments> {
    instructions.members()?;
    let mut outer = Fields::of(instructions);
    let mut next = Amendments { quantity: outer.count("quantity"), ..Amendments::default() };
    next.custom_term_end_date = outer.date("customTermEndDate").and_then(Date::at).map(|at| at.date_naive());
    if let Some(product) = outer.take("product") {
        let mut product = Fields::of(product);
        next.term_duration = product.span("termDuration");
        next.billing_cycle = product.word("billingCycle", &CYCLES);
        let parts = ["productId", "skuId", "availabilityId"].map(|name| product.filled(name).unwrap_or_default());
        let other = parts.join(":");
        // Only a whole name is another offer; part of one cannot be bought.
        let whole = parts.iter().all(|part| !part.is_empty());
        next.offer_id = Some(other).filter(|other| whole && !other.eq_ignore_ascii_case(offer));
    }
    Some(next)
}

/// The billing cycle that instructions for the next charge ask for.
pub fn next_charge(instructions: &Value) -> Option<String> {
    let mut outer = Fields::of(instructions);
    let mut product = Fields::of(outer.take("product")?);
    product.word("billingCycle", &CYCLES)
}

/// What the body of a conversion asks for; none where it is no object.
pub fn conversion(body: &Value, offer: &str) -> Option<Amendments> {
    body.members()?;
    let mut fields = Fields::of(body);
    let target = fields.filled("targetOfferId").filter(|target| !target.eq_ignore_ascii_case(offer));
    Some(Amendments {
        quantity: fields.count("quantity"),
        term_duration: fields.span("termDuration"),
        billing_cycle: fields.word("billingCycle", &CYCLES),
        offer_id: target,
        custom_term_end_date: None,
    })
}

/// The offer and the seats that the body of a transition asks for; none where it names no offer.
pub fn transition(body: &Value) -> Option<(String, Option<i64>)> {
    body.members()?;
    let mut fields = Fields::of(body);
    Some((fields.filled("toCatalogItemId")?, fields.count("quantity")))
}

/// What a transition answers.
pub fn transition_result(id: SubscriptionId, before: &str, after: &str, quantity: i64) -> Value {
    let mut out = Out::new();
    out.text("fromSubscriptionId", &id.to_string());
    out.text("fromCatalogItemId", before);
    out.text("toCatalogItemId", after);
    out.integer("quantity", quantity);
    out.text("transitionType", "transition_only");
    out.value("attributes", write::attributes("Transition", None));
    out.finish()
}

/// What a trial can become by an offer: one conversion for every billing cycle of the offer's.
pub fn conversions_to(trial: &Subscription, target: &Product) -> Vec<Value> {
    let one = |cycle: &String| {
        let mut out = Out::new();
        out.text("offerId", &trial.profile.offer_id);
        out.text("targetOfferId", &target.id);
        out.filled("orderId", trial.profile.order_id.as_ref().map_or("", |order| &order.0));
        out.integer("quantity", trial.standing.quantity);
        out.text("billingCycle", cycle);
        out.value("attributes", write::attributes("Conversion", None));
        out.finish()
    };
    target.supported_billing_cycles.iter().map(one).collect()
}

/// What a conversion answers.
pub fn conversion_result(id: SubscriptionId, before: &str, after: &str) -> Value {
    let mut out = Out::new();
    out.text("subscriptionId", &id.to_string());
    out.text("offerId", before);
    out.text("targetOfferId", after);
    out.value("attributes", write::attributes("ConversionResult", None));
    out.finish()
}

/// `SubscriptionProvisioningStatus`: whether what was bought is there.
pub fn provisioning(subscription: &Subscription) -> Value {
    use crate::domain::subscription::Status;
    let status = match subscription.standing.status {
        Status::Pending => "pending",
        Status::Active | Status::Suspended | Status::Expired | Status::Disabled => "success",
        Status::Deleted | Status::Unknown => "failed",
    };
    let mut out = Out::new();
    let sku = subscription.profile.offer_id.split(':').nth(1).unwrap_or(&subscription.profile.offer_id);
    out.filled("skuId", sku);
    out.text("status", status);
    out.integer("quantity", subscription.standing.quantity);
    out.instant("endDate", subscription.standing.term_end.and_then(super::subscriptions_write::last_second));
    out.value("attributes", write::attributes("SubscriptionProvisioningStatus", None));
    out.finish()
}

/// The links where what was bought is activated, of one order line: a collection of one, or of none.
pub fn activation_links(path: &str, line: u32, link: Option<&str>) -> Value {
    let items = link.into_iter().map(|uri| {
        let mut out = Out::new();
        out.integer("lineItemNumber", i64::from(line));
        out.value("link", write::link(uri, "GET"));
        out.finish()
    });
    let items: Vec<Value> = items.collect();
    let count = items.len();
    write::collection(items, count, &[("self", path)])
}
