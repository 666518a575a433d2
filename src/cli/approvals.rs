//! `bursar requests`: looking at what was proposed, and answering it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded, said};
use super::decide;
use super::exit::{Exit, Outcome};
use super::nouns::{self, List, Show};
use super::output::{Format, cell, plain, text};
use axum::http::Method;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List those that fit
    List(List),
    /// Show one: what was asked, what the terms said, what every policy answered
    Show(Show),
    /// Approve one that waits
    Approve(Answer),
    /// Deny one that waits
    Deny(Answer),
    /// Take back one that is open
    Withdraw(Answer),
}

#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// The request
    id: String,
    /// Your words
    #[arg(long, default_value = "")]
    note: String,
    /// The generation you saw; when it has moved since, nothing is done
    #[arg(long, value_name = "NUMBER")]
    generation: Option<u64>,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::List(list) => list.run(context, nouns::REQUESTS).await,
            Verb::Show(shown) => show(context, shown.id()).await,
            Verb::Approve(answer) => answer.send(context, "approve").await,
            Verb::Deny(answer) => answer.send(context, "deny").await,
            Verb::Withdraw(answer) => answer.send(context, "withdraw").await,
        }
    }
}

impl Answer {
    async fn send(&self, context: &Context, verb: &str) -> Outcome {
        let mut body = json!({ "note": self.note });
        if let Some(generation) = self.generation {
            body["generation"] = generation.into();
        }
        let answer = context.change(&format!("/v1/requests/{}/{verb}", encoded(&self.id)), &body).await?;
        if context.out.format != Format::Table {
            context.out.record(&answer)?;
            return Ok(Exit::Done);
        }
        let mut line = format!("{} {}", plain(cell(&answer, "state|outcome")), self.id);
        let later = cell(&answer, "scheduledFor");
        if !later.is_empty() {
            line.push_str(&format!(" for {later}"));
        }
        context.out.text(&format!("{line}\n"))?;
        Ok(Exit::Done)
    }
}

async fn show(context: &Context, id: &str) -> Outcome {
    let client = context.connect(Access::Look).await?;
    let request = said(&client.request(Method::GET, &format!("/v1/requests/{}", encoded(id)), None).await?)?;
    let mut decisions = Vec::new();
    for id in request.get("decisions").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let answer = client.request(Method::GET, &format!("/v1/decisions/{}", encoded(id)), None).await?;
        // Whoever may see requests and not decisions sees the request.
        if answer.is_success() {
            decisions.push(answer.json()?);
        }
    }
    client.close();
    if context.out.format == Format::Table {
        context.out.text(&readable(&request, &decisions))?;
    } else {
        let mut whole = request;
        whole["decided"] = Value::Array(decisions);
        context.out.record(&whole)?;
    }
    Ok(Exit::Done)
}

/// A request with its quote and every decision, as a person reads it.
fn readable(request: &Value, decisions: &[Value]) -> String {
    let text = |path: &str| plain(cell(request, path));
    let mut out = format!("{} {} of {}: {}\n", text("id"), text("kind"), text("subscription"), text("state"));
    let mut line = |label: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("  {label:13}{value}\n"));
        }
    };
    line("change", request.get("change").map(change).unwrap_or_default());
    line("proposed", format!("{} by {}", text("proposedAt"), text("proposedBy")));
    line("why", text("why"));
    line("cause", text("cause"));
    line("generation", text("generation"));
    line("scheduled for", text("scheduledFor"));
    line("expires", text("expiresAt"));
    line("otherwise", text("otherwise"));
    line("roles", text("roles"));
    line(
        "answered",
        if text("ruling.by").is_empty() {
            String::new()
        } else {
            let word = if text("ruling.approved") == "true" { "approved" } else { "denied" };
            format!("{word} by {} at {} {}", text("ruling.by"), text("ruling.at"), text("ruling.note"))
        },
    );
    line("closed", text("closedAt"));
    line("refusal", text("refusal.message"));
    let reasons = request.get("reasons").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for reason in reasons.filter(|reason| *reason != cell(request, "refusal.message")) {
        line("because", plain(reason));
    }
    line("upstream", text("upstream"));
    if let Some(quote) = request.get("quote").filter(|quote| quote.is_object()) {
        out.push_str(&decide::quote(quote));
    }
    for decision in decisions {
        out.push_str(&decide::decision(decision));
    }
    out
}

/// What a change says beside its kind, as a person reads it: `reason customer_request, quantity 40`.
fn change(change: &Value) -> String {
    let members = change.as_object().into_iter().flatten().filter(|(name, _)| *name != "kind");
    let told = |(name, value): (&String, &Value)| match value {
        Value::Object(inner) => inner.iter().map(|(name, value)| format!("{name} {}", plain(text(value)))).collect(),
        other => vec![format!("{name} {}", plain(text(other)))],
    };
    members.flat_map(told).filter(|said| !said.ends_with(' ')).collect::<Vec<String>>().join(", ")
}
