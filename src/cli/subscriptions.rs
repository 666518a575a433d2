//! `bursar subscriptions`: looking, and proposing changes.

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded};
use super::exit::{Exit, Failure, Outcome};
use super::nouns::{self, Reading};
use super::output::{Format, cell, plain};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Read(Reading),
    /// Propose to cancel
    Cancel(WithReason),
    /// Propose to suspend
    Suspend(WithReason),
    /// Propose to switch a suspended one on again
    Reactivate(Plain),
    /// Propose to switch auto-renew
    AutoRenew(AutoRenew),
    /// Propose another number of seats
    Quantity(Quantity),
    /// Propose the renewal at the end of the term
    Renew(Planned),
    /// Propose to activate what waits for its publisher
    Activate(Plain),
    /// Propose to make a trial a paid subscription
    Convert(Planned),
    /// Propose to become another offer now: every seat, or so many in a subscription of their own
    Upgrade(Upgrade),
    /// Propose what the next term has different; nothing takes it back
    Schedule(Planned),
    /// Propose another billing plan from the next billing cycle
    BillingPlan(BillingPlan),
    /// Propose to end what is paid by use
    Deprovision(Plain),
    /// Everything that happened to one, oldest last
    Story(Story),
    /// Set a label, or remove it with an empty value
    Label(Label),
}

#[derive(Debug, Args)]
pub(crate) struct WithReason {
    /// The subscription
    id: String,
    /// The reason the terms ask for
    #[arg(long, value_name = "customer_request|non_payment|fraud")]
    reason: String,
    /// Why, in your words
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
pub(crate) struct Plain {
    /// The subscription
    id: String,
    /// Why, in your words
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct AutoRenew {
    /// The subscription
    id: String,
    /// On or off
    switch: Switch,
    /// Off: everything ends with the term, and does not go on by the month
    #[arg(long)]
    cancel_at_term_end: bool,
    /// Why, in your words
    #[arg(long, default_value = "")]
    why: String,
}

impl AutoRenew {
    fn body(self) -> (String, Value) {
        let mut body = json!({ "kind": "auto_renew", "enabled": self.switch == Switch::On, "why": self.why });
        if self.cancel_at_term_end {
            body["cancelAtTermEnd"] = true.into();
        }
        (self.id, body)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Quantity {
    /// The subscription
    id: String,
    /// Seats afterwards
    quantity: i64,
    /// Why, in your words
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
pub(crate) struct Planned {
    /// The subscription
    id: String,
    /// Seats
    #[arg(long)]
    quantity: Option<i64>,
    /// Length of the term, P1M or P1Y
    #[arg(long, value_name = "DURATION")]
    term: Option<String>,
    /// Billing cycle
    #[arg(long)]
    billing: Option<String>,
    /// Another offer: a GUID, or product:sku:availability
    #[arg(long)]
    offer: Option<String>,
    /// The last day of the term, where it is to end with another
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Why, in your words
    #[arg(long, default_value = "")]
    why: String,
}

impl Planned {
    fn body(self, kind: &str) -> (String, Value) {
        let mut body = json!({ "kind": kind, "why": self.why });
        let members = [
            ("quantity", self.quantity.map(Value::from)),
            ("termDuration", self.term.map(Value::from)),
            ("billingCycle", self.billing.map(Value::from)),
            ("offerId", self.offer.map(Value::from)),
            ("customTermEndDate", self.until.map(Value::from)),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        (self.id, body)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    /// The subscription
    id: String,
    /// The offer: product:sku:availability
    offer: String,
    /// So many seats; all of them where it is left out
    #[arg(long)]
    quantity: Option<i64>,
    /// Why, in your words
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
pub(crate) struct BillingPlan {
    /// The subscription
    id: String,
    /// monthly, annual, ...
    #[arg(value_name = "CYCLE")]
    billing: String,
    /// Why, in your words
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
pub(crate) struct Story {
    /// The subscription
    id: String,
    /// Events, at most
    #[arg(long, short = 'n', default_value_t = 100, value_parser = super::nouns::at_least_one)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Label {
    /// The subscription
    id: String,
    /// NAME=VALUE; NAME= removes it
    #[arg(value_name = "NAME=VALUE")]
    label: String,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let (id, body) = match self {
            Verb::Read(reading) => return reading.run(context, nouns::SUBSCRIPTIONS).await,
            Verb::Story(story) => return story.run(context).await,
            Verb::Label(label) => return label.run(context).await,
            Verb::Cancel(WithReason { id, reason, why }) => {
                (id, json!({ "kind": "cancellation", "reason": reason, "why": why }))
            }
            Verb::Suspend(WithReason { id, reason, why }) => {
                (id, json!({ "kind": "suspension", "reason": reason, "why": why }))
            }
            Verb::Reactivate(Plain { id, why }) => (id, json!({ "kind": "reactivation", "why": why })),
            Verb::AutoRenew(asked) => asked.body(),
            Verb::Quantity(Quantity { id, quantity, why }) => {
                (id, json!({ "kind": "quantity", "quantity": quantity, "why": why }))
            }
            Verb::Renew(planned) => planned.body("renewal"),
            Verb::Activate(Plain { id, why }) => (id, json!({ "kind": "activation", "why": why })),
            Verb::Convert(planned) => planned.body("conversion"),
            Verb::Schedule(planned) => planned.body("schedule"),
            Verb::Upgrade(Upgrade { id, offer, quantity, why }) => {
                let mut body = json!({ "kind": "upgrade", "offerId": offer, "why": why });
                if let Some(quantity) = quantity {
                    body["quantity"] = quantity.into();
                }
                (id, body)
            }
            Verb::BillingPlan(BillingPlan { id, billing, why }) => {
                (id, json!({ "kind": "billing_plan", "billingCycle": billing, "why": why }))
            }
            Verb::Deprovision(Plain { id, why }) => (id, json!({ "kind": "deprovision", "why": why })),
        };
        propose(context, &id, &body).await
    }
}

/// Proposes, and says what came of it.
async fn propose(context: &Context, id: &str, body: &Value) -> Outcome {
    let answer = context.change(&format!("/v1/subscriptions/{}/requests", encoded(id)), body).await?;
    proposed(context, &answer)
}

/// What proposing came to: waiting is an exit code of its own, so that scripts need not read the text.
pub(crate) fn proposed(context: &Context, answer: &Value) -> Outcome {
    let outcome = cell(answer, "outcome|state");
    let request = cell(answer, "request.id");
    if context.out.format == Format::Table {
        let mut line = plain(&outcome);
        if !request.is_empty() {
            line.push_str(&format!(" {request}"));
        }
        for (label, path) in [
            ("for", "request.scheduledFor"),
            ("until", "request.expiresAt"),
            ("refund", "request.quote.refund"),
            ("charge", "request.quote.charge"),
        ] {
            let value = cell(answer, path);
            if !value.is_empty() {
                line.push_str(&format!(" {label} {}", plain(&value)));
            }
        }
        context.out.text(&format!("{line}\n"))?;
        let reasons = answer.pointer("/request/reasons").and_then(Value::as_array);
        for reason in reasons.into_iter().flatten().filter_map(Value::as_str) {
            context.out.say(&format!("  because {}", plain(reason)));
        }
    } else {
        context.out.record(answer)?;
    }
    match outcome.as_str() {
        "waiting" => {
            context.out.say(&format!("  somebody approves it: bursar requests approve {request}"));
            Ok(Exit::Waiting)
        }
        "denied" | "refused" => {
            Err(Failure::new(Exit::Refused, format!("{outcome}: see bursar requests show {request}")))
        }
        _ => Ok(Exit::Done),
    }
}

impl Story {
    async fn run(&self, context: &Context) -> Outcome {
        let path = format!("/v1/subscriptions/{}/story?limit={}", encoded(&self.id), self.limit);
        let story = context.look(&path).await?;
        match context.out.format {
            Format::Table => context.out.text(&told(&story))?,
            _ => context.out.record(&story)?,
        }
        Ok(Exit::Done)
    }
}

/// What one noun of a story says: its name there, and what is told of each record.
const TOLD: [(&str, &str, &[&str]); 4] = [
    ("requests", "request", &["id", "kind", "state", "proposedBy", "why"]),
    ("decisions", "decision", &["id", "kind", "verdict", "became"]),
    ("lines", "charge", &["kind", "quantity", "amount", "currency", "periodStart", "periodEnd", "rule"]),
    ("activity", "activity", &["operation", "by", "request", "note"]),
];

/// Everything in one list, newest first.
fn told(story: &Value) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    for (noun, word, paths) in TOLD {
        for record in story.get(noun).and_then(Value::as_array).into_iter().flatten() {
            let said: Vec<String> =
                paths.iter().map(|path| plain(cell(record, path))).filter(|text| !text.is_empty()).collect();
            let at = plain(cell(record, "at|proposedAt"));
            lines.push((at.clone(), format!("{at:20}  {word:8}  {}\n", said.join(" "))));
        }
    }
    // Instants are written alike, so their order is that of the text; what happened at one instant keeps its order.
    lines.sort_by(|one, other| other.0.cmp(&one.0));
    lines.into_iter().map(|(_, line)| line).collect()
}

impl Label {
    async fn run(&self, context: &Context) -> Outcome {
        let Some((name, value)) = self.label.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::usage(format!("{:?} is no NAME=VALUE", self.label)));
        };
        let path = format!("/v1/subscriptions/{}/labels/{}", encoded(&self.id), encoded(name));
        let answer = if value.is_empty() {
            context.ask(Access::Change, Method::DELETE, &path, None).await?
        } else {
            context.ask(Access::Change, Method::PUT, &path, Some(&json!({ "value": value }))).await?
        };
        match context.out.format {
            Format::Table => context.out.say(&format!("labels of {}: {}", self.id, plain(cell(&answer, "labels")))),
            _ => context.out.record(&answer)?,
        }
        Ok(Exit::Done)
    }
}
