//! `bursar decide`: what the terms and every policy would say to a change. It also holds how quotes and decisions are
//! written for people.

use clap::Args;
use serde_json::{Value, json};

use super::connect::{Access, Context};
use super::exit::{Exit, Outcome};
use super::output::{Format, cell, plain};
use axum::http::Method;

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// renewal, suspension, reactivation, cancellation, auto_renew, quantity, purchase, activation, conversion,
    /// schedule, billing_plan or deprovision
    kind: String,
    /// The subscription
    #[arg(long, value_name = "ID")]
    subscription: String,
    /// The reason, for a cancellation or a suspension
    #[arg(long, value_name = "customer_request|non_payment|fraud")]
    reason: Option<String>,
    /// Seats, for a quantity or a renewal
    #[arg(long)]
    quantity: Option<i64>,
    /// Length of the term, for a renewal, conversion or schedule
    #[arg(long, value_name = "DURATION")]
    term: Option<String>,
    /// Billing cycle, for those and for a billing_plan
    #[arg(long)]
    billing: Option<String>,
    /// Another offer, for a renewal, conversion or schedule
    #[arg(long)]
    offer: Option<String>,
    /// The last day of the next term, for a renewal or schedule
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// On (true) or off (false), for auto_renew
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    /// Whether everything ends with the term, for auto_renew off
    #[arg(long)]
    cancel_at_term_end: bool,
    /// Why, as policies see it
    #[arg(long, default_value = "")]
    why: String,
}

impl Decide {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let mut body = json!({ "kind": self.kind, "subscription": self.subscription, "why": self.why });
        if matches!(self.kind.as_str(), "cancellation" | "suspension") {
            body["reason"] = self.reason.clone().unwrap_or_else(|| "customer_request".to_owned()).into();
        }
        if let Some(quantity) = self.quantity {
            body["quantity"] = quantity.into();
        }
        let plan = [
            ("termDuration", &self.term),
            ("billingCycle", &self.billing),
            ("offerId", &self.offer),
            ("customTermEndDate", &self.until),
        ];
        for (name, value) in plan.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            body[name] = value.clone().into();
        }
        if let Some(enabled) = self.enabled {
            body["enabled"] = enabled.into();
        }
        if self.cancel_at_term_end {
            body["cancelAtTermEnd"] = true.into();
        }
        let answer = context.ask(Access::Change, Method::POST, "/v1/decide", Some(&body)).await?;
        if context.out.format != Format::Table {
            context.out.record(&answer)?;
            return Ok(Exit::Done);
        }
        let mut out = format!("outcome {}\n", plain(cell(&answer, "outcome|became")));
        for (label, path) in [
            ("for", "request.scheduledFor"),
            ("until", "request.expiresAt"),
            ("otherwise", "request.otherwise"),
            ("roles", "request.roles"),
        ] {
            let value = plain(cell(&answer, path));
            if !value.is_empty() {
                out.push_str(&format!("  {label:13} {value}\n"));
            }
        }
        for reason in unsaid(&answer) {
            out.push_str(&format!("  {:13} {}\n", "because", plain(reason)));
        }
        if let Some(found) = answer.get("quote").filter(|quote| quote.is_object()) {
            out.push_str(&quote(found));
        }
        out.push_str(&answers(&answer));
        context.out.text(&out)?;
        Ok(Exit::Done)
    }
}

/// The reasons that no file gave: what was refused, answers that contradict each other.
fn unsaid(answer: &Value) -> Vec<&str> {
    let texts = |value: &'_ Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut said: Vec<String> =
        answer.get("byDefault").and_then(Value::as_str).into_iter().map(str::to_owned).collect();
    for file in answer.get("answers").and_then(Value::as_array).into_iter().flatten() {
        said.extend(file.get("reasons").map(texts).unwrap_or_default());
    }
    let reasons = answer.pointer("/request/reasons").and_then(Value::as_array);
    reasons
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|reason| !said.iter().any(|one| one == reason))
        .collect()
}

/// A quote as a person reads it.
pub(crate) fn quote(quote: &Value) -> String {
    let text = |path: &str| plain(cell(quote, path));
    let by_rule = !text("rule").is_empty();
    let word = match (text("allowed") == "true", by_rule) {
        (true, true) => "allows it",
        (false, true) => "refuses it",
        (true, false) => "it is allowed",
        (false, false) => "it is refused",
    };
    let rule = if by_rule { format!("rule {} ", text("rule")) } else { String::new() };
    let mut out = format!("terms: {rule}{word}: {}\n", text("reason"));
    for (label, path) in
        [("allowed until", "allowedUntil"), ("charge", "charge"), ("refund", "refund"), ("takes effect", "effectiveAt")]
    {
        let value = text(path);
        if !value.is_empty() {
            out.push_str(&format!("  {label:13}{} {value}\n", ""));
        }
    }
    out
}

/// A decision as a person reads it: every file's answer with its reasons and its hash.
pub(crate) fn decision(decision: &Value) -> String {
    let text = |path: &str| plain(cell(decision, path));
    let mut out = format!("decided {} {}: {} -> {}\n", text("id"), text("at"), text("verdict"), text("became"));
    out.push_str(&answers(decision));
    out
}

/// What every file answered.
fn answers(decision: &Value) -> String {
    let mut out = String::new();
    let by_default = plain(cell(decision, "byDefault"));
    if !by_default.is_empty() {
        out.push_str(&format!("  {by_default}\n"));
    }
    for answer in decision.get("answers").and_then(Value::as_array).into_iter().flatten() {
        let text = |path: &str| plain(cell(answer, path));
        let observed = if text("observed") == "true" { " (observed only)" } else { "" };
        let hash: String = text("hash").chars().take(16).collect();
        out.push_str(&format!("  {:8} {} @{hash}{observed}\n", text("verdict"), text("file")));
        for reason in answer.get("reasons").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            out.push_str(&format!("           {}\n", plain(reason)));
        }
        for (label, path) in [
            ("where", "failure"),
            ("amends", "amendments"),
            ("roles", "roles"),
            ("expires", "expiresAt"),
            ("otherwise", "otherwise"),
        ] {
            let value = text(path);
            if !value.is_empty() {
                out.push_str(&format!("           {label} {value}\n"));
            }
        }
    }
    out
}
