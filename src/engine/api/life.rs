//! The life of subscriptions in scripts: buying, activating, converting, what is scheduled, and what belongs together.

use rhai::{Array, Dynamic, Engine, Map};

use super::requests::{QuoteValue, RequestValue};
use super::subscriptions::{Sub, propose, reason_of};
use super::{instant_or_nothing, or_nothing};
use crate::domain::ask::{Ask, Member};
use crate::domain::change::{Amendments, Reason};
use crate::domain::{Change, Kind, calendar};
use crate::engine::failure::{Api, raise, raise_refusal};
use crate::engine::reference::{Part, Property, function};
use crate::engine::script_thread::with;
use crate::engine::values::time::Length;
use crate::ops::{add_ons, subscriptions};

const fn property(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Subscription", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "The life of subscriptions",
    functions: &[
        function!(
            "quote",
            ["sub: Subscription", "kind: string"],
            "Quote",
            "subscriptions.read",
            "What the terms say about a change now; a suspension is asked for non_payment, a cancellation for customer_request.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.quote("suspension").reason); }"#
        ),
        function!(
            "quote",
            ["sub: Subscription", "kind: string", "said: map"],
            "Quote",
            "subscriptions.read",
            "The same with what is said beside the kind: `reason`, `enabled`, `cancel_at_term_end`, `quantity`, `term_duration`, `billing_cycle`, `offer_id`, `custom_term_end_date`.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.quote("quantity", #{ quantity: sub.quantity + 5 }).reason); }"#
        ),
        function!(
            "request_purchase",
            ["sub: Subscription", "why: string"],
            "Request",
            "propose.purchase",
            "Proposes to buy what is pending.",
            r#"for sub in subscriptions(#{ status: "pending" }) { print(sub.request_purchase("ordered in the shop").outcome); }"#
        ),
        function!(
            "request_activation",
            ["sub: Subscription", "why: string"],
            "Request",
            "propose.activation",
            "Proposes to activate what waits for its publisher; billing starts then.",
            r#"for sub in subscriptions(#{ status: "pending" }) { print(sub.request_activation("the publisher has confirmed").outcome); }"#
        ),
        function!(
            "request_conversion",
            ["sub: Subscription", "why: string"],
            "Request",
            "propose.conversion",
            "Proposes to make a trial a paid subscription now, as the terms say.",
            r#"for sub in subscriptions(#{ is_trial: true, status: "active" }) { print(sub.request_conversion("they stay").outcome); }"#
        ),
        function!(
            "request_conversion",
            ["sub: Subscription", "plan: map", "why: string"],
            "Request",
            "propose.conversion",
            "The same with `quantity`, `term_duration`, `billing_cycle` or `offer_id` of the paid one.",
            r#"for sub in subscriptions(#{ is_trial: true, status: "active" }) { print(sub.request_conversion(#{ quantity: 30, term_duration: "P1Y" }, "they stay").outcome); }"#
        ),
        function!(
            "request_schedule",
            ["sub: Subscription", "plan: map", "why: string"],
            "Request",
            "propose.schedule",
            "Proposes what the next term has different: `quantity`, `term_duration`, `billing_cycle`, `offer_id`, `custom_term_end_date`; an empty map takes it back.",
            r#"for sub in subscriptions(#{ status: "active", auto_renew_enabled: true }) { print(sub.request_schedule(#{ quantity: sub.quantity + 1 }, "one seat more next year").outcome); }"#
        ),
        function!(
            "request_billing_plan",
            ["sub: Subscription", "billing_cycle: string", "why: string"],
            "Request",
            "propose.billing_plan",
            "Proposes another billing plan from the next billing cycle.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.request_billing_plan("annual", "fewer invoices").outcome); }"#
        ),
        function!(
            "request_upgrade",
            ["sub: Subscription", "offer_id: string", "why: string"],
            "Request",
            "propose.upgrade",
            "Proposes to make every seat one of another offer now; the id stays, and no window opens anew.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.request_upgrade("CFQ7TTC0LIFE:0002:CFQ7TTC0LF02", "needs more").outcome); }"#
        ),
        function!(
            "request_upgrade",
            ["sub: Subscription", "offer_id: string", "quantity: int", "why: string"],
            "Request",
            "propose.upgrade",
            "The same for so many seats: where they are not all, they become a subscription of their own.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.request_upgrade("CFQ7TTC0LIFE:0002:CFQ7TTC0LF02", 1, "one needs more").outcome); }"#
        ),
        function!(
            "request_deprovision",
            ["sub: Subscription", "why: string"],
            "Request",
            "propose.deprovision",
            "Proposes to end what is paid by use.",
            r#"for sub in subscriptions(#{ status: "active" }) { print(sub.request_deprovision("not used any more").outcome); }"#
        ),
        function!(
            "add_ons",
            ["sub: Subscription"],
            "array",
            "subscriptions.read",
            "The add-ons of a base, in the order of their ids.",
            r#"for sub in subscriptions(#{ status: "active" }) { for add_on in sub.add_ons() { log(add_on.id); } }"#
        ),
    ],
    properties: &[
        property("window", "Quote", "What the terms say about cancelling it now: until when, and for what refund"),
        property("parent", "Subscription?", "The base of an add-on, read when asked for"),
        property("seat_batches", "array", "Seats with windows of their own: `quantity`, `added_at`, `allowed_until`"),
        property("refundable_quantity", "int", "Seats that could go now without the rest"),
        property("next_term", "map", "What the next term has different"),
        property("next_billing_cycle", "string", "The billing cycle from the next charge on; empty when it stays"),
        property("custom_term_end_date", "string", "The last day of an aligned first term; empty without one"),
        property(
            "activation_link",
            "string",
            "The publisher's page for what waits for its activation; empty without one",
        ),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("quote", |sub: &mut Sub, kind: &str| quote(sub, kind, None));
    engine.register_fn("quote", |sub: &mut Sub, kind: &str, said: Map| quote(sub, kind, Some(&said)));
    engine.register_fn("request_purchase", |sub: &mut Sub, why: &str| propose(sub, Change::Purchase {}, why));
    engine.register_fn("request_activation", |sub: &mut Sub, why: &str| propose(sub, Change::Activation {}, why));
    engine.register_fn("request_conversion", |sub: &mut Sub, why: &str| convert(sub, &Map::new(), why));
    engine.register_fn("request_conversion", |sub: &mut Sub, plan: Map, why: &str| convert(sub, &plan, why));
    engine.register_fn("request_schedule", |sub: &mut Sub, plan: Map, why: &str| {
        let ask = said(Kind::Schedule, &plan)?;
        propose(sub, Change::Schedule { instructions: ask.plan }, why)
    });
    engine.register_fn("request_billing_plan", |sub: &mut Sub, cycle: &str, why: &str| {
        propose(sub, Change::BillingPlan { billing_cycle: cycle.to_owned() }, why)
    });
    engine.register_fn("request_upgrade", |sub: &mut Sub, offer_id: &str, why: &str| {
        propose(sub, Change::Upgrade { offer_id: offer_id.to_owned(), quantity: None }, why)
    });
    engine.register_fn("request_upgrade", |sub: &mut Sub, offer_id: &str, quantity: i64, why: &str| {
        propose(sub, Change::Upgrade { offer_id: offer_id.to_owned(), quantity: Some(quantity) }, why)
    });
    engine.register_fn("request_deprovision", |sub: &mut Sub, why: &str| propose(sub, Change::Deprovision {}, why));
    engine.register_fn("add_ons", |sub: &mut Sub| -> Api<Array> {
        let id = sub.0.id;
        let found = with(|work| add_ons::of(work, id))?;
        Ok(found.into_iter().map(|one| Dynamic::from(Sub(one))).collect())
    });
    getters(engine);
}

fn getters(engine: &mut Engine) {
    engine.register_get("window", |sub: &mut Sub| {
        let (id, change) = (sub.0.id, Change::Cancellation { reason: Reason::CustomerRequest });
        with(|work| subscriptions::quote(work, id, &change)).map(QuoteValue)
    });
    engine.register_get("parent", |sub: &mut Sub| -> Api<Dynamic> {
        let Some(base) = sub.0.profile.parent_subscription_id else { return Ok(Dynamic::UNIT) };
        let found = with(|work| subscriptions::get(work, base))?;
        Ok(Dynamic::from(Sub(found.value)))
    });
    engine.register_get("seat_batches", |sub: &mut Sub| -> Array { batches(&sub.0.profile.seat_batches) });
    engine.register_get("refundable_quantity", |sub: &mut Sub| {
        let subscription = sub.0.clone();
        with(|work| Ok(subscriptions::refundable_quantity(work, &subscription)))
    });
    engine.register_get("next_term", |sub: &mut Sub| plan(&sub.0.profile.next_term));
    engine.register_get("next_billing_cycle", |sub: &mut Sub| {
        sub.0.profile.next_billing_cycle.clone().unwrap_or_default()
    });
    engine.register_get("custom_term_end_date", |sub: &mut Sub| {
        sub.0.profile.custom_term_end_date.map(|day| day.to_string()).unwrap_or_default()
    });
    engine.register_get("activation_link", |sub: &mut Sub| {
        let subscription = sub.0.clone();
        with(|work| Ok(subscriptions::activation_link(work, &subscription).unwrap_or_default()))
    });
}

fn batches(batches: &[crate::domain::subscription::SeatBatch]) -> Array {
    let map = |batch: &crate::domain::subscription::SeatBatch| {
        let mut map = Map::new();
        map.insert("quantity".into(), batch.quantity.into());
        map.insert("added_at".into(), Dynamic::from(batch.added_at));
        map.insert("allowed_until".into(), instant_or_nothing(Some(batch.allowed_until)));
        Dynamic::from(map)
    };
    // A note of when seats changed has no window.
    batches.iter().filter(|batch| batch.added_at < batch.allowed_until).map(map).collect()
}

/// What a next term or a paid one has different, as a map of what is said.
pub(super) fn plan(plan: &Amendments) -> Map {
    let members = [
        (Member::Quantity, or_nothing(plan.quantity)),
        (Member::TermDuration, or_nothing(plan.term_duration.map(|term| term.to_string()))),
        (Member::BillingCycle, or_nothing(plan.billing_cycle.clone())),
        (Member::OfferId, or_nothing(plan.offer_id.clone())),
        (Member::CustomTermEndDate, or_nothing(plan.custom_term_end_date.map(|day| day.to_string()))),
    ];
    let said = members.into_iter().filter(|(_, value)| !value.is_unit());
    said.map(|(member, value)| (member.snake().into(), value)).collect()
}

fn quote(sub: &mut Sub, kind: &str, beside: Option<&Map>) -> Api<QuoteValue> {
    let kind: Kind = kind.parse().map_err(|refusal| raise_refusal(&refusal))?;
    let usual = Ask::usual(kind, &sub.0).unwrap_or_default();
    let ask = match beside {
        Some(map) => said(kind, map)?.over(&usual),
        None => usual,
    };
    let change = ask.change(kind, sub.0.standing.term_end).map_err(|refusal| raise_refusal(&refusal))?;
    let id = sub.0.id;
    with(|work| subscriptions::quote(work, id, &change)).map(QuoteValue)
}

fn convert(sub: &mut Sub, plan: &Map, why: &str) -> Api<RequestValue> {
    let ask = said(Kind::Conversion, plan)?;
    propose(sub, Change::Conversion { to: ask.plan }, why)
}

/// What a map says beside a kind; a key that the kind does not have is an error.
fn said(kind: Kind, map: &Map) -> Api<Ask> {
    let (needed, possible) = kind.members();
    let mut ask = Ask::default();
    for (key, value) in map {
        let known = needed.iter().chain(possible);
        let Some(member) = known.clone().find(|member| member.snake() == key.as_str()) else {
            let words: Vec<&str> = known.map(|member| member.snake()).collect();
            return Err(raise("unknown_key", format!("a {kind} has no {key}; it knows {}", words.join(", "))));
        };
        let text = || value.clone().into_string().map_err(|_| raise("type_error", format!("{key} is text")));
        let refused = |refusal: crate::domain::Refusal| raise_refusal(&refusal);
        match member {
            Member::Reason => ask.reason = Some(reason_of(&text()?)?),
            Member::Enabled | Member::CancelAtTermEnd => {
                let yes = value.as_bool().map_err(|_| raise("type_error", format!("{key} is true or false")))?;
                match member {
                    Member::Enabled => ask.enabled = Some(yes),
                    _ => ask.cancel_at_term_end = Some(yes),
                }
            }
            Member::Quantity => {
                let seats = value.as_int().map_err(|_| raise("type_error", "quantity is a whole number"))?;
                ask.plan.quantity = Some(seats);
            }
            Member::TermDuration => {
                let length = value.clone().try_cast::<Length>().and_then(|length| length.to_span());
                ask.plan.term_duration = Some(match length {
                    Some(length) => length,
                    None => text()?.parse().map_err(refused)?,
                });
            }
            Member::BillingCycle => ask.plan.billing_cycle = Some(text()?),
            Member::OfferId => ask.plan.offer_id = Some(text()?),
            Member::CustomTermEndDate => {
                ask.plan.custom_term_end_date = Some(calendar::day(&text()?).map_err(refused)?);
            }
        }
    }
    Ok(ask)
}
