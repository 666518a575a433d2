//! Carts in Partner Center's JSON: the lines somebody asks for, and a cart as it is shown. An order that is asked for
//! has the same lines by other names.

use super::field::{self, Fields};
use super::orders_write::line_error;
use super::subscriptions::CYCLES;
use super::write::{self, Out};
use crate::domain::cart::{Cart, CartLine, CartStatus};
use crate::domain::order::Participant;
use crate::domain::{Refusal, SubscriptionId};
use crate::json::Value;

fn wrong(what: &str) -> Refusal {
    Refusal::new("invalid_cart", what.to_owned())
}

/// The lines of a cart that is sent. What the server writes itself is welcome and ignored.
///
/// # Errors
/// `invalid_cart`, `unknown_member`, naming the line and the member; `bad_currency`, `bad_id`.
pub fn read(body: &Value) -> Result<Vec<CartLine>, Refusal> {
    let mut fields = Fields::of(body);
    let lines = lines(body, &mut fields, None)?;
    for name in [
        "id",
        "creationTimestamp",
        "lastModifiedTimestamp",
        "expirationTimestamp",
        "lastModifiedUser",
        "status",
        "partnerOnRecordAttestationAccepted",
        "generation",
        "orders",
        "links",
        "attributes",
    ] {
        fields.take(name);
    }
    end(fields, "the cart")?;
    Ok(lines)
}

/// The lines of an order that is sent: one billing cycle and currency for all of them.
///
/// # Errors
/// As [`read`].
pub fn read_order(body: &Value) -> Result<Vec<CartLine>, Refusal> {
    let mut fields = Fields::of(body);
    let cycle = fields.word("billingCycle", &CYCLES);
    let currency = fields.filled("currencyCode");
    let mut lines = lines(body, &mut fields, cycle.as_deref())?;
    for line in &mut lines {
        line.currency_code = match (&line.currency_code, &currency) {
            (None, Some(code)) => Some(code.to_ascii_uppercase().parse()?),
            (known, _) => *known,
        };
    }
    for name in [
        "id",
        "referenceCustomerId",
        "creationDate",
        "status",
        "currencySymbol",
        "partnerOnRecordAttestationAccepted",
        "transactionType",
        "totalPrice",
        "links",
        "attributes",
    ] {
        fields.take(name);
    }
    end(fields, "the order")?;
    Ok(lines)
}

/// The lines of an order that is sent back with more in it: those that are no subscription yet. None where nothing of an
/// order's lines is sent.
///
/// # Errors
/// As [`read`].
pub fn read_more(body: &Value) -> Result<Option<Vec<CartLine>>, Refusal> {
    let Some(listed) = body.get_any_case("lineItems").and_then(Value::as_array) else { return Ok(None) };
    let is_new = |line: &&Value| line.get_any_case("subscriptionId").is_none_or(Value::is_null);
    let more: Vec<Value> = listed.iter().filter(is_new).cloned().collect();
    let members = body.members().unwrap_or_default().iter();
    let rest = members.filter(|(name, _)| !name.eq_ignore_ascii_case("lineItems")).cloned();
    read_order(&Value::Object(rest.chain([("lineItems".to_owned(), Value::Array(more))]).collect())).map(Some)
}

fn lines(body: &Value, fields: &mut Fields<'_>, cycle: Option<&str>) -> Result<Vec<CartLine>, Refusal> {
    if body.members().is_none() {
        return Err(wrong("the body is an object with lineItems"));
    }
    let listed = fields.take("lineItems").ok_or_else(|| wrong("lineItems is missing"))?;
    let listed = listed.as_array().ok_or_else(|| wrong("lineItems is a list"))?;
    listed.iter().enumerate().map(|(place, row)| line(row, &format!("lineItems[{place}]"), cycle)).collect()
}

fn line(row: &Value, place: &str, cycle: Option<&str>) -> Result<CartLine, Refusal> {
    if row.members().is_none() {
        return Err(wrong(&format!("{place} is an object")));
    }
    let mut fields = Fields::of(row);
    let item = fields.filled("catalogItemId").or_else(|| fields.filled("offerId"));
    let currency = fields.filled("currencyCode").map(|code| code.to_ascii_uppercase().parse()).transpose()?;
    let base = fields.filled("parentSubscriptionId").map(|text| text.parse::<SubscriptionId>()).transpose()?;
    let add_ons = fields.take("addonItems").and_then(Value::as_array).unwrap_or_default().iter().enumerate();
    let add_ons = add_ons.map(|(number, row)| line(row, &format!("{place}.addonItems[{number}]"), cycle));
    let renews_to = fields.take("renewsTo").map(Fields::of);
    let found = CartLine {
        id: 0,
        catalog_item_id: item.ok_or_else(|| wrong(&format!("{place} has no catalogItemId")))?,
        friendly_name: fields.filled("friendlyName").unwrap_or_default(),
        quantity: fields
            .count("quantity")
            .ok_or_else(|| wrong(&format!("{place} has no quantity that is a number")))?,
        currency_code: currency,
        billing_cycle: fields
            .word("billingCycle", &CYCLES)
            .or_else(|| cycle.map(str::to_owned))
            .filter(|word| word != "unknown")
            .unwrap_or_default(),
        term_duration: fields.span("termDuration"),
        promotion_id: fields.filled("promotionId").unwrap_or_default(),
        participants: participants(&mut fields),
        provisioning_context: context(&mut fields),
        order_group: fields.filled("orderGroup").unwrap_or_default(),
        addon_items: add_ons.collect::<Result<_, _>>()?,
        parent_subscription_id: base,
        renews_to: renews_to.and_then(|mut next| next.span("termDuration")),
        custom_term_end_date: fields.instant("customTermEndDate"),
        attestation_accepted: fields.flag("attestationAccepted").unwrap_or(false),
        error: None,
    };
    for name in WRITTEN {
        fields.take(name);
    }
    end(fields, place)?;
    Ok(found)
}

/// What a line that is sent back may have beside what is asked for.
const WRITTEN: [&str; 10] = [
    "id",
    "lineItemNumber",
    "error",
    "subscriptionId",
    "partnerIdOnRecord",
    "additionalPartnerIdsOnRecord",
    "transactionType",
    "pricing",
    "links",
    "attributes",
];

/// What nobody took is a slip of the pen, or a value that is not what it should be.
fn end(fields: Fields<'_>, place: &str) -> Result<(), Refusal> {
    let (rest, notes) = fields.rest();
    if let Some(note) = notes.first() {
        let what = note.split(';').next().unwrap_or_default();
        return Err(wrong(&format!("in {place}: {what}")));
    }
    match rest.keys().next() {
        None => Ok(()),
        Some(name) => {
            let shown: String = name.chars().take(64).collect();
            Err(Refusal::new("unknown_member", format!("{place} has a member '{shown}' that is not known here")))
        }
    }
}

fn participants(fields: &mut Fields<'_>) -> Vec<Participant> {
    let listed = fields.take("participants").and_then(Value::as_array).unwrap_or_default().iter();
    let one = |value: &Value| {
        let mut fields = Fields::of(value);
        Some(Participant { key: fields.word("key", &[])?, value: fields.filled("value")? })
    };
    listed.filter_map(one).collect()
}

fn context(fields: &mut Fields<'_>) -> std::collections::BTreeMap<String, String> {
    let members = fields.take("provisioningContext").and_then(Value::members).unwrap_or_default().iter();
    members.map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// A cart as Partner Center shows it.
pub fn cart(cart: &Cart) -> Value {
    let mut out = Out::new();
    out.text("id", &cart.id.to_string());
    out.instant("creationTimestamp", Some(cart.creation_timestamp));
    out.instant("lastModifiedTimestamp", Some(cart.last_modified_timestamp));
    out.instant("expirationTimestamp", cart.expiration_timestamp);
    out.text("lastModifiedUser", &cart.last_modified_user);
    out.text("status", if cart.status == CartStatus::Active { "Active" } else { "Ordered" });
    out.value("lineItems", Value::Array(cart.line_items.iter().map(cart_line).collect()));
    if !cart.orders.is_empty() {
        out.value("orders", Value::Array(cart.orders.iter().map(|order| Value::String(order.0.clone())).collect()));
    }
    let own = format!("/customers/{}/carts/{}", cart.tenant, cart.id);
    out.links(&std::collections::BTreeMap::new(), &own);
    out.value("attributes", write::attributes("Cart", Some(cart.generation)));
    out.finish()
}

fn cart_line(line: &CartLine) -> Value {
    let mut out = Out::new();
    out.integer("id", i64::from(line.id));
    out.text("catalogItemId", &line.catalog_item_id);
    out.filled("friendlyName", &line.friendly_name);
    out.integer("quantity", line.quantity);
    if let Some(currency) = line.currency_code {
        out.text("currencyCode", currency.code());
    }
    out.filled("billingCycle", &line.billing_cycle);
    if let Some(length) = line.term_duration {
        out.text("termDuration", &length.to_string());
    }
    out.filled("promotionId", &line.promotion_id);
    if !line.participants.is_empty() {
        let listed = line.participants.iter().map(|one| {
            let mut out = Out::new();
            out.text("key", &one.key);
            out.text("value", &one.value);
            out.finish()
        });
        out.value("participants", Value::Array(listed.collect()));
    }
    if !line.provisioning_context.is_empty() {
        let known = line.provisioning_context.keys();
        let members = known.filter_map(|name| Some((name.clone(), field::kept(&line.provisioning_context, name)?)));
        out.value("provisioningContext", Value::Object(members.collect()));
    }
    if let Some(base) = line.parent_subscription_id {
        out.text("parentSubscriptionId", &base.to_string());
    }
    if let Some(length) = line.renews_to {
        let mut next = Out::new();
        next.text("termDuration", &length.to_string());
        out.value("renewsTo", next.finish());
    }
    out.instant("customTermEndDate", line.custom_term_end_date);
    if line.attestation_accepted {
        out.flag("attestationAccepted", true);
    }
    if !line.addon_items.is_empty() {
        out.value("addonItems", Value::Array(line.addon_items.iter().map(cart_line).collect()));
    }
    out.text("orderGroup", &line.order_group);
    if let Some(error) = &line.error {
        out.value("error", line_error(error));
    }
    out.finish()
}
