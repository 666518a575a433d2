//! Subscriptions in scripts: records as read, selections of them, and the changes a script may ask for.

use rhai::{Dynamic, Engine, Map};

use super::requests::RequestValue;
use super::rows::Rows;
use super::{instant_or_nothing, or_nothing, selection};
use crate::domain::change::{Amendments, Reason};
use crate::domain::selection::SUBSCRIPTIONS;
use crate::domain::{Change, Subscription, SubscriptionId, TenantId, lifecycle};
use crate::engine::failure::{Api, raise, raise_refusal};
use crate::engine::reference::{Part, Property, function};
use crate::engine::script_thread::with;
use crate::ops::{requests, subscriptions, tenants};

/// A subscription as a script sees it: a value as read.
#[derive(Debug, Clone)]
pub struct Sub(pub Subscription);

pub(super) const PART: Part = Part {
    title: "Subscriptions",
    functions: &[
        function!(
            "subscriptions",
            ["selection: map"],
            "rows of Subscription",
            "subscriptions.read",
            "The subscriptions a selection holds. The ids are fixed when it is called, each row is read when it is reached.",
            r#"for sub in subscriptions(#{ status: "active", term_end_within: "P30D" }) { print(sub.friendly_name); }"#
        ),
        function!(
            "subscription",
            ["id: string"],
            "Subscription",
            "subscriptions.read",
            "One subscription by its id; `not_found` when there is none within reach.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(subscription(sub.id).quantity); }"#
        ),
        function!(
            "has_label",
            ["sub: Subscription", "name: string"],
            "bool",
            "",
            "Whether it carries a label.",
            r#"for sub in subscriptions(#{ status: "active" }) { if sub.has_label("confirmed") { print(sub.id); } }"#
        ),
        function!(
            "label",
            ["sub: Subscription", "name: string"],
            "string?",
            "",
            "A label's value, or nothing.",
            r#"for sub in subscriptions(#{ status: "active" }) { if present(sub.label("owner")) { print(sub.id); } }"#
        ),
        function!(
            "label",
            ["sub: Subscription", "name: string", "value: string"],
            "()",
            "labels.write",
            "Puts a label on it.",
            r#"for sub in subscriptions(#{ status: "suspended" }) { sub.label("seen", "yes"); }"#
        ),
        function!(
            "unlabel",
            ["sub: Subscription", "name: string"],
            "()",
            "labels.write",
            "Takes a label off.",
            r#"for sub in subscriptions(#{ "label.seen": "yes" }) { sub.unlabel("seen"); }"#
        ),
        function!(
            "quote_cancellation",
            ["sub: Subscription"],
            "Quote",
            "subscriptions.read",
            "What the terms say about cancelling it now.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(`${sub.quote_cancellation().allowed}`); }"#
        ),
        function!(
            "request_renewal",
            ["sub: Subscription", "why: string"],
            "Request",
            "propose.renewal",
            "Proposes to renew it at the end of its term.",
            r#"for sub in subscriptions(#{ status: "active" }) { let asked = sub.request_renewal("agreed by mail"); print(asked.outcome); }"#
        ),
        function!(
            "request_suspension",
            ["sub: Subscription", "reason: string", "why: string"],
            "Request",
            "propose.suspension",
            "Proposes to suspend it: for customer_request, non_payment or fraud. Returns the request; never throws for business reasons.",
            r#"for sub in subscriptions(#{ status: "active" }) { let asked = sub.request_suspension("non_payment", "invoice 7 is overdue"); print(asked.outcome); }"#
        ),
        function!(
            "request_reactivation",
            ["sub: Subscription", "why: string"],
            "Request",
            "propose.reactivation",
            "Proposes to switch it on again.",
            r#"for sub in subscriptions(#{ status: "suspended" }) { print(sub.request_reactivation("paid").outcome); }"#
        ),
        function!(
            "request_cancellation",
            ["sub: Subscription", "reason: string", "why: string"],
            "Request",
            "propose.cancellation",
            "Proposes to cancel it: for customer_request, non_payment or fraud.",
            r#"for sub in subscriptions(#{ status: "active" }) { let asked = sub.request_cancellation("customer_request", "moves away"); if asked.outcome == "refused" { print(`${asked.reasons}`); } }"#
        ),
        function!(
            "request_auto_renew",
            ["sub: Subscription", "enabled: bool", "why: string"],
            "Request",
            "propose.auto_renew",
            "Proposes to switch auto-renew on or off.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.request_auto_renew(false, "leaves").outcome); }"#
        ),
        function!(
            "request_cancel_at_term_end",
            ["sub: Subscription", "why: string"],
            "Request",
            "propose.auto_renew",
            "Proposes that everything ends with the present term: auto-renew off, and no going on by the month.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.request_cancel_at_term_end("leaves").outcome); }"#
        ),
        function!(
            "request_quantity",
            ["sub: Subscription", "quantity: int", "why: string"],
            "Request",
            "propose.quantity",
            "Proposes another number of seats: how many there are afterwards, or, below zero, how many fewer.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.request_quantity(sub.quantity + 1, "a colleague more").outcome); }"#
        ),
        function!(
            "request_quantity",
            ["sub: Subscription", "quantity: int"],
            "Request",
            "propose.quantity",
            "The same without a word why.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.request_quantity(-3).outcome); }"#
        ),
    ],
    properties: &[
        Property { owner: "Subscription", name: "id", gives: "string", doc: "Partner Center's id" },
        Property { owner: "Subscription", name: "tenant_id", gives: "string", doc: "The customer's id" },
        Property { owner: "Subscription", name: "tenant", gives: "Tenant", doc: "The customer, read when asked for" },
        Property {
            owner: "Subscription",
            name: "status",
            gives: "string",
            doc: "pending, active, suspended, expired, disabled, deleted",
        },
        Property { owner: "Subscription", name: "family", gives: "string", doc: "How it is sold: the terms' family" },
        Property { owner: "Subscription", name: "offer_id", gives: "string", doc: "The offer" },
        Property { owner: "Subscription", name: "offer_name", gives: "string", doc: "The offer's name" },
        Property { owner: "Subscription", name: "friendly_name", gives: "string", doc: "The partner's name for it" },
        Property { owner: "Subscription", name: "publisher_name", gives: "string", doc: "The publisher" },
        Property { owner: "Subscription", name: "quantity", gives: "int", doc: "Seats" },
        Property {
            owner: "Subscription",
            name: "auto_renew_enabled",
            gives: "bool",
            doc: "Whether it renews by itself",
        },
        Property {
            owner: "Subscription",
            name: "cancel_at_term_end",
            gives: "bool",
            doc: "Whether somebody said that everything ends with the term; auto-renew off alone may let it go on by the month",
        },
        Property {
            owner: "Subscription",
            name: "goes_on",
            gives: "bool",
            doc: "Whether it goes on by the month at its term's end as things stand: auto-renew off, the end not asked for",
        },
        Property {
            owner: "Subscription",
            name: "is_extended",
            gives: "bool",
            doc: "Whether it goes on by the month after its term",
        },
        Property {
            owner: "Subscription",
            name: "term_duration",
            gives: "string",
            doc: "P1M, P1Y, P3Y; empty without a term",
        },
        Property {
            owner: "Subscription",
            name: "billing_cycle",
            gives: "string",
            doc: "monthly, annual, triennial, one_time, none",
        },
        Property {
            owner: "Subscription",
            name: "effective_start_date",
            gives: "Instant",
            doc: "First instant of the present term",
        },
        Property { owner: "Subscription", name: "term_start", gives: "Instant", doc: "The same" },
        Property {
            owner: "Subscription",
            name: "commitment_end_date",
            gives: "Instant?",
            doc: "First instant after the present term",
        },
        Property { owner: "Subscription", name: "term_end", gives: "Instant?", doc: "The same" },
        Property {
            owner: "Subscription",
            name: "cancellation_allowed_until_date",
            gives: "Instant?",
            doc: "First instant too late to cancel the present term",
        },
        Property { owner: "Subscription", name: "window_end", gives: "Instant?", doc: "The same" },
        Property {
            owner: "Subscription",
            name: "deletion_at",
            gives: "Instant?",
            doc: "When the next step without anybody's doing is due",
        },
        Property { owner: "Subscription", name: "purchased_at", gives: "Instant", doc: "When it was bought" },
        Property { owner: "Subscription", name: "status_since", gives: "Instant", doc: "When the status changed last" },
        Property {
            owner: "Subscription",
            name: "unit_price",
            gives: "Money?",
            doc: "Price of a seat for a billing cycle, from the order",
        },
        Property {
            owner: "Subscription",
            name: "is_listed",
            gives: "bool",
            doc: "Whether lists of subscriptions show it, and not orders alone (select by `listed`)",
        },
        Property { owner: "Subscription", name: "is_trial", gives: "bool", doc: "Whether it is a trial" },
        Property {
            owner: "Subscription",
            name: "attention",
            gives: "string",
            doc: "Why a person should look; empty: nothing",
        },
        Property {
            owner: "Subscription",
            name: "suspension_reason",
            gives: "string",
            doc: "Why it is suspended; empty: it is not",
        },
        Property { owner: "Subscription", name: "labels", gives: "map", doc: "The partner's own labels" },
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Sub>("Subscription");
    getters(engine);
    instants(engine);
    engine.register_fn("to_string", |sub: &mut Sub| sub.0.id.to_string());
    engine.register_fn("to_debug", |sub: &mut Sub| sub.0.id.to_string());
    engine.register_fn("subscriptions", |map: Map| Rows::subscriptions(&selection(&SUBSCRIPTIONS, &map)?));
    engine.register_fn("subscription", |id: &str| -> Api<Sub> {
        let id = parse(id)?;
        with(|work| Ok(Sub(subscriptions::get(work, id)?.value)))
    });
    engine.register_fn("has_label", |sub: &mut Sub, name: &str| sub.0.profile.labels.contains_key(name));
    engine.register_fn("label", |sub: &mut Sub, name: &str| or_nothing(sub.0.profile.labels.get(name).cloned()));
    engine.register_fn("label", |sub: &mut Sub, name: &str, value: &str| label(sub, name, Some(value)));
    engine.register_fn("unlabel", |sub: &mut Sub, name: &str| label(sub, name, None));
    engine.register_fn("quote_cancellation", |sub: &mut Sub| {
        let id = sub.0.id;
        with(|work| subscriptions::quote(work, id, &Change::Cancellation { reason: Reason::CustomerRequest }))
            .map(super::requests::QuoteValue)
    });
    changes(engine);
}

fn getters(engine: &mut Engine) {
    engine.register_get("id", |sub: &mut Sub| sub.0.id.to_string());
    engine.register_get("tenant_id", |sub: &mut Sub| sub.0.tenant.to_string());
    engine.register_get("tenant", |sub: &mut Sub| tenant(sub.0.tenant));
    engine.register_get("status", |sub: &mut Sub| sub.0.standing.status.as_str());
    engine.register_get("quantity", |sub: &mut Sub| sub.0.standing.quantity);
    engine.register_get("auto_renew_enabled", |sub: &mut Sub| sub.0.standing.auto_renew_enabled);
    engine.register_get("cancel_at_term_end", |sub: &mut Sub| sub.0.standing.cancel_at_term_end);
    engine.register_get("goes_on", |sub: &mut Sub| with(|work| Ok(lifecycle::goes_on(&work.terms, &sub.0))));
    engine.register_get("is_extended", |sub: &mut Sub| sub.0.profile.extended.is_some());
    engine.register_get("family", |sub: &mut Sub| sub.0.profile.family.clone());
    engine.register_get("offer_id", |sub: &mut Sub| sub.0.profile.offer_id.clone());
    engine.register_get("offer_name", |sub: &mut Sub| sub.0.profile.offer_name.clone());
    engine.register_get("friendly_name", |sub: &mut Sub| sub.0.profile.friendly_name.clone());
    engine.register_get("publisher_name", |sub: &mut Sub| sub.0.profile.publisher_name.clone());
    engine.register_get("billing_cycle", |sub: &mut Sub| sub.0.profile.billing_cycle.clone());
    engine
        .register_get("is_listed", |sub: &mut Sub| with(|work| Ok(crate::domain::terms::listed(&work.terms, &sub.0))));
    engine.register_get("is_trial", |sub: &mut Sub| sub.0.profile.is_trial);
    engine.register_get("unit_price", |sub: &mut Sub| or_nothing(sub.0.profile.unit_price));
    engine.register_get("term_duration", |sub: &mut Sub| {
        sub.0.profile.term_duration.map(|span| span.to_string()).unwrap_or_default()
    });
    engine
        .register_get("attention", |sub: &mut Sub| sub.0.standing.attention.map_or("", |attention| attention.as_str()));
    engine.register_get("suspension_reason", |sub: &mut Sub| {
        sub.0.profile.suspension_reason.map_or("", |reason| reason.as_str())
    });
    engine.register_get("labels", |sub: &mut Sub| super::tenants::labels(&sub.0.profile.labels));
}

fn instants(engine: &mut Engine) {
    engine.register_get("effective_start_date", |sub: &mut Sub| sub.0.standing.term_start);
    engine.register_get("term_start", |sub: &mut Sub| sub.0.standing.term_start);
    engine.register_get("commitment_end_date", |sub: &mut Sub| instant_or_nothing(sub.0.standing.term_end));
    engine.register_get("term_end", |sub: &mut Sub| instant_or_nothing(sub.0.standing.term_end));
    engine
        .register_get("cancellation_allowed_until_date", |sub: &mut Sub| instant_or_nothing(sub.0.standing.window_end));
    engine.register_get("window_end", |sub: &mut Sub| instant_or_nothing(sub.0.standing.window_end));
    engine.register_get("deletion_at", |sub: &mut Sub| {
        with(|work| Ok(instant_or_nothing(lifecycle::deletion_at(&work.terms, &sub.0))))
    });
    engine.register_get("purchased_at", |sub: &mut Sub| sub.0.profile.purchased_at);
    engine.register_get("status_since", |sub: &mut Sub| sub.0.standing.status_since);
}

fn changes(engine: &mut Engine) {
    engine.register_fn("request_renewal", |sub: &mut Sub, why: &str| {
        let Some(term_end) = sub.0.standing.term_end else {
            return Err(raise("no_term_end", "it has no term that ends"));
        };
        propose(sub, Change::Renewal { term_end, amendments: Amendments::default() }, why)
    });
    engine.register_fn("request_suspension", |sub: &mut Sub, reason: &str, why: &str| {
        let reason = reason_of(reason)?;
        propose(sub, Change::Suspension { reason }, why)
    });
    engine.register_fn("request_reactivation", |sub: &mut Sub, why: &str| propose(sub, Change::Reactivation {}, why));
    engine.register_fn("request_cancellation", |sub: &mut Sub, reason: &str, why: &str| {
        let reason = reason_of(reason)?;
        propose(sub, Change::Cancellation { reason }, why)
    });
    engine.register_fn("request_auto_renew", |sub: &mut Sub, enabled: bool, why: &str| {
        propose(sub, Change::AutoRenew { enabled, cancel_at_term_end: None }, why)
    });
    engine.register_fn("request_cancel_at_term_end", |sub: &mut Sub, why: &str| {
        propose(sub, Change::AutoRenew { enabled: false, cancel_at_term_end: Some(true) }, why)
    });
    engine.register_fn("request_quantity", quantity);
    engine.register_fn("request_quantity", |sub: &mut Sub, seats: i64| quantity(sub, seats, ""));
}

pub(super) fn reason_of(text: &str) -> Api<Reason> {
    text.parse().map_err(|refusal| raise_refusal(&refusal))
}

fn parse(id: &str) -> Api<SubscriptionId> {
    id.parse().map_err(|refusal| raise_refusal(&refusal))
}

pub(super) fn propose(sub: &mut Sub, change: Change, why: &str) -> Api<RequestValue> {
    let id = sub.0.id;
    let proposed = with(|work| requests::propose(work, id, change, why))?;
    sub.0 = proposed.subscription.clone();
    Ok(RequestValue::proposed(proposed))
}

fn quantity(sub: &mut Sub, seats: i64, why: &str) -> Api<RequestValue> {
    let id = sub.0.id;
    let change = with(|work| subscriptions::seats(work, id, seats))?;
    propose(sub, change, why)
}

fn label(sub: &mut Sub, name: &str, value: Option<&str>) -> Api<()> {
    let id = sub.0.id;
    sub.0 = with(|work| subscriptions::label(work, id, name, value))?;
    Ok(())
}

fn tenant(id: TenantId) -> Api<Dynamic> {
    let found = with(|work| tenants::get(work, id))?;
    Ok(Dynamic::from(super::tenants::TenantValue(found)))
}
