//! The event a handler gets.

use rhai::{Dynamic, Engine};

use super::invoices::InvoiceValue;
use super::requests::RequestValue;
use super::subscriptions::Sub;
use super::{instant_or_nothing, or_nothing};
use crate::domain::invoice::Invoice;
use crate::domain::{Id, Instant, Request, Span, Subscription};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::values::json::Json;
use crate::engine::values::time::Length;

/// What set a handler off.
#[derive(Debug, Clone)]
pub struct Event {
    /// `cron`, `before`, `hook`, `applied`, `published` or `call`.
    pub kind: &'static str,
    /// The instant it is for.
    pub due: Instant,
    /// The event's type, for a hook.
    pub event_type: String,
    /// The delivery or the trigger it came from.
    pub source: String,
    /// The body's data, for a hook or a call.
    pub data: Option<Json>,
    /// The subscription it is about.
    pub subscription: Option<Subscription>,
    /// The request it is about.
    pub request: Option<Request>,
    /// The invoice that was published.
    pub invoice: Option<Invoice>,
    /// How long before, for a relative trigger.
    pub by: Option<Span>,
    /// The delivery, for a hook.
    pub delivery: Option<Id>,
    /// When the sender says it happened, for a hook.
    pub sent_at: Option<Instant>,
}

impl Event {
    /// An event of a kind, due at an instant, about nothing yet.
    pub fn new(kind: &'static str, due: Instant, source: &str) -> Self {
        Self {
            kind,
            due,
            event_type: String::new(),
            source: source.to_owned(),
            data: None,
            subscription: None,
            request: None,
            invoice: None,
            by: None,
            delivery: None,
            sent_at: None,
        }
    }
}

pub(super) const PART: Part = Part {
    title: "Events",
    functions: &[Function {
        name: "now",
        params: &[],
        gives: "Instant",
        grant: "",
        doc: "When this run really began, by the store's clock; `event.due` is the instant it is for.",
        example: r#"if now() > instant("2020-01-01T00:00:00Z") { print("late"); }"#,
    }],
    properties: &[
        Property {
            owner: "Event",
            name: "kind",
            gives: "string",
            doc: "`cron`, `before`, `hook`, `applied`, `published` or `call`",
        },
        Property { owner: "Event", name: "due", gives: "Instant", doc: "The instant it is for" },
        Property { owner: "Event", name: "type", gives: "string", doc: "The event's type, for a hook" },
        Property { owner: "Event", name: "source", gives: "string", doc: "The delivery or the trigger it came from" },
        Property { owner: "Event", name: "data", gives: "Json", doc: "The body's data, for a hook or a call" },
        Property { owner: "Event", name: "subscription", gives: "Subscription?", doc: "The subscription it is about" },
        Property { owner: "Event", name: "request", gives: "Request?", doc: "The request it is about" },
        Property { owner: "Event", name: "invoice", gives: "Invoice?", doc: "The invoice that was published" },
        Property { owner: "Event", name: "by", gives: "Span?", doc: "How long before, for a relative trigger" },
        Property { owner: "Event", name: "sent_at", gives: "Instant?", doc: "When the sender says it happened" },
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Event>("Event");
    engine.register_get("kind", |event: &mut Event| event.kind);
    engine.register_get("due", |event: &mut Event| event.due);
    engine.register_get("type", |event: &mut Event| event.event_type.clone());
    engine.register_get("source", |event: &mut Event| event.source.clone());
    engine.register_get("data", |event: &mut Event| {
        event.data.clone().unwrap_or_else(|| Json::new(crate::json::Value::Object(Vec::new())))
    });
    engine.register_get("subscription", |event: &mut Event| -> Dynamic {
        or_nothing(event.subscription.clone().map(Sub))
    });
    engine.register_get("request", |event: &mut Event| -> Dynamic {
        or_nothing(event.request.clone().map(RequestValue::of))
    });
    engine.register_get("invoice", |event: &mut Event| -> Dynamic {
        or_nothing(event.invoice.clone().map(InvoiceValue))
    });
    engine.register_get("by", |event: &mut Event| -> Dynamic { or_nothing(event.by.map(Length::from)) });
    engine.register_get("sent_at", |event: &mut Event| instant_or_nothing(event.sent_at));
    engine.register_fn("now", || super::super::script_thread::with(|work| Ok(work.now)));
}
