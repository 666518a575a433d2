//! `bursar activations`: KMS activations of a customer's devices, and their move to a MAK.

use std::path::PathBuf;

use axum::http::Method;
use bursar::domain::{Instant, activation, calendar};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, said};
use super::csv;
use super::exit::{Exit, Outcome};
use super::hooks::read_input;
use super::init::instant;
use super::output::{Column, Format, cell, plain};
use super::software::{Customer, every, resolve};

/// Rows sent at once.
const BATCH: usize = 500;
const FILE_COLUMNS: [&str; 5] = ["device", "product", "activatedAt", "lasts", "subscription"];
const COLUMNS: &[Column] = &[
    Column("CUSTOMER", "customer"),
    Column("DEVICE", "device"),
    Column("PRODUCT", "product"),
    Column("ACTIVATED", "activatedAt"),
    Column("DEADLINE", "deadline"),
    Column("DAYS LEFT", "daysLeft"),
    Column("STATE", "state"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// A customer's devices; without a customer, what has not been moved, earliest deadline first
    List(List),
    /// Record when a KMS host activated a product on a device
    Record(Record),
    /// Record those of a CSV file with the columns device, product, activatedAt, and lasts, subscription where told
    Import(Import),
    /// Mark a device as moved: its MAK is in use
    Moved(Moved),
    /// How a customer's move stands, and the steps in the order that avoids downtime
    Plan(Plan),
    /// Open a technical presales and deployment request for a customer's move
    AskForHelp(AskForHelp),
}

#[derive(Debug, Args)]
pub(crate) struct AskForHelp {
    #[command(flatten)]
    customer: Customer,
    /// Whom to answer
    #[arg(long = "contact-name", value_name = "NAME")]
    name: String,
    /// Their mail address
    #[arg(long = "contact-email", value_name = "ADDRESS")]
    email: String,
    /// Their telephone number
    #[arg(long = "contact-phone", value_name = "NUMBER")]
    phone: String,
    /// What else to say
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The customer: id, name or domain
    #[arg(long, short = 'C', value_name = "CUSTOMER", conflicts_with = "within")]
    customer: Option<String>,
    /// Only those whose deadline comes within this time, or has passed
    #[arg(long, value_name = "DURATION")]
    within: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    #[command(flatten)]
    customer: Customer,
    /// The device
    #[arg(long)]
    device: String,
    /// The product
    #[arg(long)]
    product: String,
    /// When a KMS host activated it last: an instant or a day
    #[arg(long, value_name = "INSTANT", value_parser = activated)]
    at: Instant,
    /// How long that lasts, where it is not 180 days
    #[arg(long, value_name = "DURATION")]
    lasts: Option<String>,
    /// The purchase its MAK is to be of
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; - reads standard input
    file: PathBuf,
    #[command(flatten)]
    customer: Customer,
}

#[derive(Debug, Args)]
pub(crate) struct Moved {
    #[command(flatten)]
    customer: Customer,
    /// The device
    #[arg(long)]
    device: String,
    /// The product
    #[arg(long)]
    product: String,
    /// When its MAK was activated; now without
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Instant>,
    /// The purchase its MAK is of
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    customer: Customer,
}

fn activated(text: &str) -> Result<Instant, String> {
    activation::activated_at(text).map_err(|refusal| refusal.message)
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::List(list) => list.run(context).await,
            Verb::Record(record) => {
                let mut body = json!({ "device": record.device, "product": record.product,
                    "activatedAt": calendar::show(record.at) });
                put(&mut body, "lasts", record.lasts);
                put(&mut body, "subscription", record.subscription);
                post(context, &record.customer, "", &body).await
            }
            Verb::Import(import) => import.run(context).await,
            Verb::Moved(moved) => {
                let mut body = json!({ "device": moved.device, "product": moved.product });
                put(&mut body, "at", moved.at.map(calendar::show));
                put(&mut body, "subscription", moved.subscription);
                post(context, &moved.customer, "/moved", &body).await
            }
            Verb::Plan(plan) => plan.run(context).await,
            Verb::AskForHelp(help) => {
                let body = json!({ "name": help.name, "email": help.email, "phone": help.phone, "note": help.note });
                post(context, &help.customer, "/help", &body).await
            }
        }
    }
}

fn put(body: &mut Value, name: &str, text: Option<String>) {
    if let Some(text) = text {
        body[name] = text.into();
    }
}

async fn post(context: &Context, customer: &Customer, verb: &str, body: &Value) -> Outcome {
    let customer = customer.resolve(context).await?;
    let path = format!("/v1/customers/{customer}/activations{verb}");
    context.out.record(&context.ask(Access::Look, Method::POST, &path, Some(body)).await?)?;
    Ok(Exit::Done)
}

impl List {
    async fn run(&self, context: &Context) -> Outcome {
        let path = match (&self.customer, &self.within) {
            (Some(customer), _) => format!("/v1/customers/{}/activations", resolve(context, customer).await?),
            (None, Some(within)) => format!("/v1/activations?within={within}"),
            (None, None) => "/v1/activations".to_owned(),
        };
        let items = every(context, &path).await?;
        context.out.rows(&items, COLUMNS, true)?;
        Ok(Exit::Done)
    }
}

impl Import {
    async fn run(&self, context: &Context) -> Outcome {
        let bytes = read_input(&self.file)?;
        let rows = csv::rows(&String::from_utf8_lossy(&bytes), &FILE_COLUMNS)?;
        let mut told = Vec::new();
        for row in &rows {
            let mut one = json!({});
            for name in ["device", "product", "activatedAt"] {
                one[name] = row.needed(name)?.into();
            }
            for name in ["lasts", "subscription"] {
                put(&mut one, name, row.cell(name).map(str::to_owned));
            }
            told.push(one);
        }
        let customer = self.customer.resolve(context).await?;
        let path = format!("/v1/customers/{customer}/activations");
        let client = context.connect(Access::Look).await?;
        let mut recorded = 0;
        for batch in told.chunks(BATCH) {
            let body = json!({ "activations": batch });
            recorded += said(&client.request(Method::POST, &path, Some(&body)).await?)?
                .get("recorded")
                .and_then(Value::as_u64)
                .unwrap_or_default();
        }
        client.close();
        context.out.record(&json!({ "recorded": recorded }))?;
        Ok(Exit::Done)
    }
}

impl Plan {
    async fn run(&self, context: &Context) -> Outcome {
        let customer = self.customer.resolve(context).await?;
        let plan = context.look(&format!("/v1/customers/{customer}/activations/plan")).await?;
        if context.out.format != Format::Table {
            context.out.record(&plan)?;
            return Ok(Exit::Done);
        }
        let list = |name: &str| plan.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        for step in list("steps") {
            let done = match step.get("done").and_then(Value::as_bool) {
                Some(true) => "done",
                Some(false) => "open",
                None => "look",
            };
            let part = |name: &str| plain(cell(&step, name));
            context.out.text(&format!("{}. [{done}] {}\n         {}\n", part("number"), part("what"), part("why")))?;
        }
        let left = list("left");
        context.out.text(&format!(
            "\n{} recorded, {} not moved yet, {} of them lapsed\n",
            cell(&plan, "recorded"),
            left.len(),
            cell(&plan, "lapsed")
        ))?;
        if !left.is_empty() {
            context.out.rows(&left, COLUMNS, true)?;
        }
        Ok(Exit::Done)
    }
}
