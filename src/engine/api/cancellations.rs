//! Cancelling in scripts as a person asks for it: by customer, product and order, told and acknowledged.

use rhai::{Array, Dynamic, Engine, Map};

use super::requests::RequestValue;
use super::{instant_or_nothing, or_nothing};
use crate::domain::Money;
use crate::domain::calendar::show;
use crate::domain::cancellation::Given;
use crate::domain::change::Reason;
use crate::engine::failure::{Api, raise, raise_refusal};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::script_thread::with;
use crate::ops::cancellations::{self, Answer};

const KEYS: [&str; 9] =
    ["customer", "product", "order", "subscription", "reason", "refund_reason", "amount", "acknowledged", "why"];

/// What asking to cancel came to.
#[derive(Debug, Clone)]
pub struct CancellationValue(Answer);

const fn said(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Cancellation", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Cancellations",
    functions: &[Function {
        name: "ask_cancellation",
        params: &["given: map"],
        gives: "Cancellation",
        grant: "propose.cancellation",
        doc: "Asks to cancel what a customer bought, as a person does. Knows `customer` (name, tenant id or domain), `product`, `order`, `subscription`, `reason` (customer_request), `refund_reason`, `amount`, `acknowledged` (false) and `why`. It comes to a request, or says what to choose, give or acknowledge first.",
        example: r#"for tenant in tenants(#{ country: "NL" }) { let said = ask_cancellation(#{ customer: tenant.id }); print(said.outcome + ": " + said.says); }"#,
    }],
    properties: &[
        said(
            "outcome",
            "string",
            "several_orders, several_subscriptions, information_missing, acknowledgement_required or more_information_needed; else what the request came to",
        ),
        said("says", "string", "In a sentence"),
        said(
            "choices",
            "array",
            "What there is to choose from: maps of order, subscription, name, purchased_at, quantity, says",
        ),
        said("missing", "array", "What has to be given, by its key"),
        said("acknowledge", "string", "The text to acknowledge; empty: there is none"),
        said("role", "string", "The role that the terms name for it; empty: none"),
        said("window_passed", "bool", "Whether the window has passed"),
        said("days_left", "int?", "Days that are left, where the terms tell days"),
        said("allowed_until", "Instant?", "The first instant that is too late, where the terms tell it"),
        said("request", "Request?", "The request, where it came to one"),
        said("support", "string", "The support request that was opened for it; empty: none"),
        said("confirmation", "string", "What is confirmed; empty before it is cancelled"),
        said("visible_after", "Instant?", "By when it shows everywhere"),
        said("credited_in", "string", "The month whose invoice carries the credit; empty: no credit"),
        said("afterwards", "string", "What partner and customer have to do; empty: nothing"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<CancellationValue>("Cancellation");
    engine.register_fn("ask_cancellation", |map: Map| -> Api<CancellationValue> {
        let given = read(&map)?;
        with(|work| cancellations::ask(work, &given)).map(CancellationValue)
    });
    engine.register_get("outcome", |value: &mut CancellationValue| value.0.outcome());
    engine.register_get("says", |value: &mut CancellationValue| value.0.says.clone());
    engine.register_get("choices", |value: &mut CancellationValue| choices(&value.0));
    engine.register_get("missing", |value: &mut CancellationValue| -> Array {
        value.0.missing.iter().map(|name| Dynamic::from((*name).to_owned())).collect()
    });
    engine.register_get("acknowledge", |value: &mut CancellationValue| value.0.acknowledge.clone().unwrap_or_default());
    engine.register_get("role", |value: &mut CancellationValue| value.0.role.clone().unwrap_or_default());
    engine.register_get("window_passed", |value: &mut CancellationValue| {
        value.0.info.as_ref().is_some_and(|info| info.window_passed)
    });
    engine.register_get("days_left", |value: &mut CancellationValue| {
        or_nothing(value.0.info.as_ref().and_then(|info| info.days_left))
    });
    engine.register_get("allowed_until", |value: &mut CancellationValue| {
        instant_or_nothing(value.0.info.as_ref().and_then(|info| info.allowed_until))
    });
    engine.register_get("request", |value: &mut CancellationValue| {
        or_nothing(value.0.proposed.clone().map(RequestValue::proposed))
    });
    engine.register_get("support", |value: &mut CancellationValue| {
        value.0.support.map(|id| id.to_string()).unwrap_or_default()
    });
    engine.register_get("confirmation", |value: &mut CancellationValue| {
        value.0.confirmation.as_ref().map(|told| told.message.clone()).unwrap_or_default()
    });
    engine.register_get("visible_after", |value: &mut CancellationValue| {
        instant_or_nothing(value.0.confirmation.as_ref().and_then(|told| told.visible_after))
    });
    engine.register_get("credited_in", |value: &mut CancellationValue| {
        value.0.confirmation.as_ref().and_then(|told| told.credited_in.clone()).unwrap_or_default()
    });
    engine.register_get("afterwards", |value: &mut CancellationValue| {
        value.0.confirmation.as_ref().and_then(|told| told.afterwards.clone()).unwrap_or_default()
    });
    engine.register_fn("to_string", |value: &mut CancellationValue| value.0.outcome());
}

fn choices(answer: &Answer) -> Array {
    let map = |choice: &crate::domain::cancellation::Choice| {
        let mut map = Map::new();
        let order = choice.order.as_ref().map(|order| order.0.clone()).unwrap_or_default();
        map.insert("order".into(), order.into());
        map.insert("subscription".into(), choice.subscription.to_string().into());
        map.insert("name".into(), choice.name.clone().into());
        map.insert("purchased_at".into(), show(choice.purchased_at).into());
        map.insert("quantity".into(), choice.quantity.into());
        map.insert("says".into(), choice.info.says.clone().into());
        Dynamic::from(map)
    };
    answer.choices.iter().map(map).collect()
}

fn read(map: &Map) -> Api<Given> {
    if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(raise(
            "unknown_field",
            format!("ask_cancellation does not know {key}; it knows {}", KEYS.join(", ")),
        ));
    }
    let text = |key: &str| -> Api<Option<String>> {
        let Some(value) = map.get(key).filter(|value| !value.is_unit()) else { return Ok(None) };
        let text = value.clone().into_immutable_string();
        text.map(|text| Some(text.to_string())).map_err(|_| raise("type_error", format!("{key} is a text")))
    };
    let amount = match map.get("amount").filter(|value| !value.is_unit()) {
        None => None,
        Some(value) => match value.read_lock::<Money>() {
            Some(money) => Some(*money),
            None => text("amount")?.map(|text| text.parse().map_err(|refusal| raise_refusal(&refusal))).transpose()?,
        },
    };
    let acknowledged = match map.get("acknowledged") {
        None => false,
        Some(value) => value.as_bool().map_err(|_| raise("type_error", "acknowledged is true or false"))?,
    };
    let reason = text("reason")?.unwrap_or_else(|| Reason::CustomerRequest.as_str().to_owned());
    Ok(Given {
        customer: text("customer")?.ok_or_else(|| raise("missing_field", "customer is missing"))?,
        product: text("product")?,
        order: text("order")?,
        subscription: text("subscription")?,
        reason: reason.parse().map_err(|refusal| raise_refusal(&refusal))?,
        refund_reason: text("refund_reason")?.unwrap_or_default(),
        amount,
        acknowledged,
        why: text("why")?.unwrap_or_default(),
    })
}
