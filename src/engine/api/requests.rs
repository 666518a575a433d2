//! Requests in scripts: what a policy is asked about, and what proposing came to.

use rhai::{Array, Dynamic, Engine, Map};

use super::rows::Rows;
use super::subscriptions::Sub;
use super::{instant_or_nothing, or_nothing, selection};
use crate::domain::change::Amendments;
use crate::domain::request::Upstream;
use crate::domain::selection::REQUESTS;
use crate::domain::{Change, Id, Kind, Quote, Request, Subscription};
use crate::engine::failure::{Api, raise, raise_refusal};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::script_thread::with;
use crate::ops::requests::{self, Proposed};

/// A request as a script sees it: a value as read.
#[derive(Debug, Clone)]
pub struct RequestValue {
    request: Option<Request>,
    outcome: &'static str,
    subscription: Option<Subscription>,
}

impl RequestValue {
    /// A request read back.
    pub fn of(request: Request) -> Self {
        let outcome = requests::outcome_of(request.state).as_str();
        Self { request: Some(request), outcome, subscription: None }
    }

    /// What proposing came to.
    pub fn proposed(proposed: Proposed) -> Self {
        Self {
            outcome: proposed.outcome.as_str(),
            request: proposed.request,
            subscription: Some(proposed.subscription),
        }
    }

    /// What it came to, in one word.
    pub(super) fn outcome(&self) -> &'static str {
        self.outcome
    }

    /// The code of the refusal, when the terms refused it.
    pub(super) fn refusal(&self) -> Option<String> {
        self.request.as_ref()?.refusal.as_ref().map(|refusal| refusal.code.clone())
    }

    fn subscription(&self) -> Api<Sub> {
        if let Some(subscription) = &self.subscription {
            return Ok(Sub(subscription.clone()));
        }
        let Some(id) = self.request.as_ref().map(|request| request.subscription) else {
            return Err(raise("not_found", "it has no subscription"));
        };
        with(|work| Ok(Sub(crate::ops::subscriptions::get(work, id)?.value)))
    }
}

/// What a policy is asked about.
#[derive(Debug, Clone)]
pub struct Asked {
    request: Request,
    subscription: Subscription,
}

impl Asked {
    /// A request on a subscription.
    pub fn of(request: &Request, subscription: &Subscription) -> Self {
        Self { request: request.clone(), subscription: subscription.clone() }
    }
}

/// What the terms say, as a script sees it.
#[derive(Debug, Clone)]
pub struct QuoteValue(pub Quote);

const fn request(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Request", name, gives, doc }
}

const fn quote(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Quote", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Requests",
    functions: &[
        Function {
            name: "requests",
            params: &["selection: map"],
            gives: "rows of Request",
            grant: "requests.read",
            doc: "The requests a selection holds, newest first; open ones by their state.",
            example: r#"for request in requests(#{ state: "waiting" }) { print(request.id); }"#,
        },
        Function {
            name: "request",
            params: &["id: string"],
            gives: "Request",
            grant: "requests.read",
            doc: "One request by its id.",
            example: r#"for one in requests(#{ state: "waiting" }) { print(request(one.id).why); }"#,
        },
        Function {
            name: "open_request",
            params: &["sub: Subscription", "kind: string"],
            gives: "Request?",
            grant: "requests.read",
            doc: "The request of a kind that is open on it, waiting or scheduled, or nothing.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { let open = sub.open_request("quantity"); if present(open) { print(open.state); } }"#,
        },
        Function {
            name: "withdraw",
            params: &["request: Request", "why: string"],
            gives: "Request",
            grant: "",
            doc: "Takes an open request back: one that this file proposed, or one of a kind that it may decide.",
            example: r#"for sub in subscriptions(#{ status: "active", auto_renew_enabled: true }) { let asked = sub.request_cancellation("customer_request", "moves away"); if asked.outcome == "waiting" { print(asked.withdraw("stays after all").state); } }"#,
        },
    ],
    properties: &[
        request("id", "string", "`req_...`; empty when nothing had to be asked"),
        request(
            "kind",
            "string",
            "renewal, suspension, reactivation, cancellation, auto_renew, quantity, purchase, activation, conversion, schedule, billing_plan, deprovision",
        ),
        request("state", "string", "waiting, scheduled, applied, denied, refused, withdrawn, expired, failed"),
        request("outcome", "string", "applied, scheduled, waiting, denied, refused or unchanged"),
        request("reasons", "array", "Every reason, strictest first"),
        request("why", "string", "Why it was proposed"),
        request("proposed_by", "string", "Who proposed it"),
        request("proposed_at", "Instant?", "When"),
        request("expires_at", "Instant?", "When it stops waiting"),
        request("closed_at", "Instant?", "When it was settled: applied, denied, refused, withdrawn or expired"),
        request("subscription", "Subscription", "The subscription, as it stands afterwards"),
        request("quote", "Quote?", "What the terms said"),
        request("quantity", "int?", "Seats asked for, for a change of quantity"),
        request(
            "plan",
            "map",
            "What is asked for beside that: what a next term, a conversion or a renewal has different",
        ),
        request("reason", "string", "customer_request, non_payment or fraud, where one was given"),
        request("support", "string?", "The support request that has to be answered first"),
        request("enabled", "bool?", "On or off, for a change of auto-renew"),
        request(
            "cancel_at_term_end",
            "bool?",
            "Whether everything is to end with the term, where a change of auto-renew says so",
        ),
        request(
            "upstream",
            "string",
            "What Partner Center shows of an applied change: none, pending, confirmed or differs",
        ),
        quote("allowed", "bool", "Whether the terms allow it"),
        quote("allowed_until", "Instant?", "The first instant that is too late"),
        quote("refund", "Money?", "What would be credited"),
        quote(
            "outstanding",
            "Money?",
            "What the partner still owes to the term's end, whatever becomes of the customer",
        ),
        quote("charge", "Money?", "What would be charged"),
        quote("rule", "string", "The rule that says so"),
        quote("reason", "string", "In a sentence"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<RequestValue>("Request");
    engine.register_type_with_name::<Asked>("Request");
    engine.register_type_with_name::<QuoteValue>("Quote");
    of_request(engine);
    of_asked(engine);
    of_quote(engine);
    engine.register_fn("requests", |map: Map| Rows::requests(&selection(&REQUESTS, &map)?));
    engine.register_fn("request", |id: &str| -> Api<RequestValue> {
        let id: Id = id.parse().map_err(|refusal| raise_refusal(&refusal))?;
        Ok(RequestValue::of(with(|work| requests::get(work, id))?))
    });
    engine.register_fn("open_request", |sub: &mut Sub, kind: &str| -> Api<Dynamic> {
        let kind: Kind = kind.parse().map_err(|refusal| raise_refusal(&refusal))?;
        let id = sub.0.id;
        let open = with(|work| requests::open_of(work, id, kind))?;
        Ok(or_nothing(open.map(RequestValue::of)))
    });
    engine.register_fn("withdraw", |value: &mut RequestValue, why: &str| -> Api<RequestValue> {
        let Some(id) = value.request.as_ref().map(|request| request.id) else {
            return Err(raise("not_found", "nothing had to be asked, so there is nothing to take back"));
        };
        Ok(RequestValue::of(with(|work| requests::withdraw(work, id, why))?))
    });
}

fn of_request(engine: &mut Engine) {
    engine.register_get("id", |value: &mut RequestValue| {
        value.request.as_ref().map(|request| request.id.to_string()).unwrap_or_default()
    });
    engine.register_get("outcome", |value: &mut RequestValue| value.outcome);
    engine.register_get("state", |value: &mut RequestValue| {
        value.request.as_ref().map_or("", |request| request.state.as_str())
    });
    engine.register_get("kind", |value: &mut RequestValue| {
        value.request.as_ref().map_or("", |request| request.kind.as_str())
    });
    engine.register_get("subscription", |value: &mut RequestValue| value.subscription());
    macro_rules! shared {
        ($($name:literal => $read:expr),* $(,)?) => { $(
            engine.register_get($name, |value: &mut RequestValue| -> Dynamic {
                value.request.as_ref().map_or(Dynamic::UNIT, $read)
            });
        )* };
    }
    shared! {
        "reasons" => reasons,
        "why" => why,
        "proposed_by" => proposed_by,
        "proposed_at" => |request: &Request| Dynamic::from(request.proposed_at),
        "expires_at" => |request: &Request| instant_or_nothing(request.expires_at),
        "closed_at" => |request: &Request| instant_or_nothing(request.closed_at),
        "quote" => |request: &Request| Dynamic::from(QuoteValue(request.quote.clone())),
        "quantity" => quantity,
        "plan" => plan,
        "reason" => reason,
        "enabled" => enabled,
        "cancel_at_term_end" => cancel_at_term_end,
        "support" => support,
        "upstream" => upstream,
    }
    engine.register_fn("to_string", |value: &mut RequestValue| value.outcome);
}

fn of_asked(engine: &mut Engine) {
    engine.register_get("id", |asked: &mut Asked| asked.request.id.to_string());
    engine.register_get("outcome", |asked: &mut Asked| requests::outcome_of(asked.request.state).as_str());
    engine.register_get("state", |asked: &mut Asked| asked.request.state.as_str());
    engine.register_get("kind", |asked: &mut Asked| asked.request.kind.as_str());
    engine.register_get("subscription", |asked: &mut Asked| Sub(asked.subscription.clone()));
    engine.register_get("reasons", |asked: &mut Asked| reasons(&asked.request));
    engine.register_get("why", |asked: &mut Asked| why(&asked.request));
    engine.register_get("proposed_by", |asked: &mut Asked| proposed_by(&asked.request));
    engine.register_get("proposed_at", |asked: &mut Asked| asked.request.proposed_at);
    engine.register_get("expires_at", |asked: &mut Asked| instant_or_nothing(asked.request.expires_at));
    engine.register_get("closed_at", |asked: &mut Asked| instant_or_nothing(asked.request.closed_at));
    engine.register_get("quote", |asked: &mut Asked| QuoteValue(asked.request.quote.clone()));
    engine.register_get("quantity", |asked: &mut Asked| quantity(&asked.request));
    engine.register_get("plan", |asked: &mut Asked| plan(&asked.request));
    engine.register_get("reason", |asked: &mut Asked| reason(&asked.request));
    engine.register_get("enabled", |asked: &mut Asked| enabled(&asked.request));
    engine.register_get("cancel_at_term_end", |asked: &mut Asked| cancel_at_term_end(&asked.request));
    engine.register_get("support", |asked: &mut Asked| support(&asked.request));
    engine.register_get("upstream", |asked: &mut Asked| upstream(&asked.request));
}

fn of_quote(engine: &mut Engine) {
    engine.register_get("allowed", |quote: &mut QuoteValue| quote.0.allowed);
    engine.register_get("allowed_until", |quote: &mut QuoteValue| instant_or_nothing(quote.0.allowed_until));
    engine.register_get("refund", |quote: &mut QuoteValue| or_nothing(quote.0.refund));
    engine.register_get("outstanding", |quote: &mut QuoteValue| or_nothing(quote.0.outstanding));
    engine.register_get("charge", |quote: &mut QuoteValue| or_nothing(quote.0.charge));
    engine.register_get("rule", |quote: &mut QuoteValue| quote.0.rule.clone());
    engine.register_get("reason", |quote: &mut QuoteValue| quote.0.reason.clone());
    engine.register_fn("to_string", |quote: &mut QuoteValue| quote.0.reason.clone());
}

fn reasons(request: &Request) -> Dynamic {
    let list: Array = request.reasons.iter().map(|reason| reason.clone().into()).collect();
    list.into()
}

fn why(request: &Request) -> Dynamic {
    request.why.clone().into()
}

fn proposed_by(request: &Request) -> Dynamic {
    request.proposed_by.to_string().into()
}

fn quantity(request: &Request) -> Dynamic {
    match request.change {
        Change::Quantity { quantity } => quantity.into(),
        Change::Upgrade { quantity, .. } => or_nothing(quantity),
        _ => Dynamic::UNIT,
    }
}

fn plan(request: &Request) -> Dynamic {
    let none = Amendments::default();
    let asked = match &request.change {
        Change::Schedule { instructions: plan }
        | Change::Conversion { to: plan }
        | Change::Renewal { amendments: plan, .. } => plan,
        _ => &none,
    };
    super::life::plan(asked).into()
}

fn reason(request: &Request) -> Dynamic {
    match request.change {
        Change::Suspension { reason } | Change::Cancellation { reason } => reason.as_str().into(),
        _ => "".into(),
    }
}

fn enabled(request: &Request) -> Dynamic {
    match request.change {
        Change::AutoRenew { enabled, .. } => enabled.into(),
        _ => Dynamic::UNIT,
    }
}

fn cancel_at_term_end(request: &Request) -> Dynamic {
    match request.change {
        Change::AutoRenew { cancel_at_term_end, .. } => or_nothing(cancel_at_term_end),
        _ => Dynamic::UNIT,
    }
}

fn support(request: &Request) -> Dynamic {
    or_nothing(request.support.map(|id| id.to_string()))
}

fn upstream(request: &Request) -> Dynamic {
    request.upstream.map_or("none", Upstream::as_str).into()
}
