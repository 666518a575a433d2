//! `bursar support`: support requests, opened, looked at, answered and closed.

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
    /// Open one: a refund, deployment help, or another topic
    Create(Create),
    /// Fill in what was missing, or move it
    Update(Update),
    /// Say something about one
    Note(Note),
    /// Close one and say how it ended
    Close(Close),
}

#[derive(Debug, Args)]
pub(crate) struct Form {
    /// `refund`, `deployment`, or a type of problem in full
    #[arg(long = "type", value_name = "TYPE")]
    problem: Option<String>,
    /// What it keeps from working, and for whom
    #[arg(long)]
    impact: Option<String>,
    /// In a line
    #[arg(long)]
    title: Option<String>,
    /// In full; a refund's is completed with what the other options say
    #[arg(long)]
    description: Option<String>,
    /// The order a refund is about
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// The subscription it is about
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// Why money should come back
    #[arg(long)]
    refund_reason: Option<String>,
    /// How much, `120.00 EUR`
    #[arg(long, value_name = "MONEY")]
    amount: Option<String>,
    /// critical, moderate or minimal
    #[arg(long)]
    severity: Option<String>,
    /// Whom support answers
    #[arg(long)]
    contact_name: Option<String>,
    /// Their mail address
    #[arg(long)]
    contact_email: Option<String>,
    /// Their telephone number
    #[arg(long)]
    contact_phone: Option<String>,
    /// A link to a file; may be given several times
    #[arg(long = "attachment", value_name = "LINK")]
    attachments: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The customer: id, name or domain
    #[arg(long)]
    customer: Option<String>,
    /// The request of ours that it belongs to
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The support request
    id: String,
    /// Where it stands now
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Something to say with it
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Note {
    /// The support request
    id: String,
    /// The words
    text: String,
}

#[derive(Debug, Args)]
pub(crate) struct Close {
    /// The support request
    id: String,
    /// How it ended
    #[arg(long, value_enum)]
    resolution: Resolution,
    /// Your words
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Open,
    AttentionNeeded,
    Closed,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::AttentionNeeded => "attention_needed",
            Status::Closed => "closed",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Resolution {
    /// What was asked was given
    Granted,
    /// It was refused
    Declined,
    /// Nobody wants it any more
    Withdrawn,
}

impl Resolution {
    fn word(self) -> &'static str {
        match self {
            Resolution::Granted => "granted",
            Resolution::Declined => "declined",
            Resolution::Withdrawn => "withdrawn",
        }
    }
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::Read(reading) => reading.run(context, nouns::SUPPORT).await,
            Verb::Create(create) => create.run(context).await,
            Verb::Update(update) => update.run(context).await,
            Verb::Note(Note { id, text }) => {
                let path = format!("/v1/support/{}/note", encoded(&id));
                show(context, &context.change(&path, &json!({ "text": text })).await?)
            }
            Verb::Close(close) => {
                let path = format!("/v1/support/{}/close", encoded(&close.id));
                let body = json!({ "resolution": close.resolution.word(), "note": close.note });
                show(context, &context.change(&path, &body).await?)
            }
        }
    }
}

impl Form {
    fn body(&self) -> Value {
        let mut body = json!({});
        for (name, text) in [
            ("type", &self.problem),
            ("impact", &self.impact),
            ("title", &self.title),
            ("description", &self.description),
            ("orderId", &self.order),
            ("subscription", &self.subscription),
            ("refundReason", &self.refund_reason),
            ("amount", &self.amount),
            ("severity", &self.severity),
        ] {
            if let Some(text) = text {
                body[name] = text.as_str().into();
            }
        }
        let contact = [("name", &self.contact_name), ("email", &self.contact_email), ("phone", &self.contact_phone)];
        for (name, text) in contact {
            if let Some(text) = text {
                body["contact"][name] = text.as_str().into();
            }
        }
        if !self.attachments.is_empty() {
            body["attachments"] = json!(self.attachments);
        }
        body
    }
}

impl Create {
    async fn run(&self, context: &Context) -> Outcome {
        let mut body = self.form.body();
        if self.form.problem.is_none() {
            body["type"] = "refund".into();
        }
        for (name, text) in [("customer", &self.customer), ("request", &self.request)] {
            if let Some(text) = text {
                body[name] = text.as_str().into();
            }
        }
        show(context, &context.change("/v1/support", &body).await?)
    }
}

impl Update {
    async fn run(&self, context: &Context) -> Outcome {
        let mut body = self.form.body();
        if let Some(status) = self.status {
            body["status"] = status.word().into();
        }
        if let Some(note) = &self.note {
            body["note"] = note.as_str().into();
        }
        if body.as_object().is_some_and(serde_json::Map::is_empty) {
            return Err(
                Failure::usage("there is nothing to change").mend("give --status, --note or a field of the form")
            );
        }
        let path = format!("/v1/support/{}", encoded(&self.id));
        show(context, &context.ask(Access::Change, Method::PATCH, &path, Some(&body)).await?)
    }
}

/// What it came to: a line for people, the record for programs.
fn show(context: &Context, found: &Value) -> Outcome {
    if context.out.format != Format::Table {
        context.out.record(found)?;
        return Ok(Exit::Done);
    }
    context.out.text(&format!("{} {}\n", plain(cell(found, "status")), plain(cell(found, "id"))))?;
    for missing in found.get("missing").and_then(Value::as_array).into_iter().flatten() {
        context.out.say(&format!("still needed: {}", plain(super::output::text(missing))));
    }
    Ok(Exit::Done)
}
