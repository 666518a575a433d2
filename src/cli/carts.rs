//! `bursar carts`: making a cart line by line, changing it, reviewing it and checking it out.

use std::str::FromStr;

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded};
use super::exit::{Exit, Failure, Outcome};
use super::nouns::{self, Reading};
use super::output::{Column, Format, cell, plain};
use super::shop::bought;
use super::software::{Customer, resolve};

/// The lines of a cart, each with what keeps it from being bought.
const LINES: &[Column] = &[
    Column("LINE", "id"),
    Column("ITEM", "catalogItemId"),
    Column("QUANTITY", "quantity"),
    Column("TERM", "termDuration"),
    Column("BILLED", "billingCycle"),
    Column("CURRENCY", "currencyCode"),
    Column("ERROR", "error.errorDescription"),
];

/// What a line says beside its item: the word, and the member it is on the wire.
const WORDS: [(&str, &str); 9] = [
    ("quantity", "quantity"),
    ("term", "termDuration"),
    ("billing", "billingCycle"),
    ("currency", "currencyCode"),
    ("coterm", "customTermEndDate"),
    ("base", "parentSubscriptionId"),
    ("group", "orderGroup"),
    ("attestation-accepted", "attestationAccepted"),
    ("name", "friendlyName"),
];
/// The word of a line that is bought for the line before it.
const ADD_ON: &str = "add-on";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Read(Reading),
    /// Make a cart of several lines
    Create(Create),
    /// Put more lines into a cart
    Add(Add),
    /// Take lines out of a cart
    Remove(Remove),
    /// Plans, prices, tax and windows of every line, before checking out
    Review {
        /// The cart
        id: String,
    },
    /// Make orders of it
    Checkout {
        /// The cart
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    customer: Customer,
    #[command(flatten)]
    lines: Lines,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The cart
    id: String,
    #[command(flatten)]
    lines: Lines,
}

#[derive(Debug, Args)]
pub(crate) struct Lines {
    /// ITEM, then what you say of it: quantity=, term=, billing=, currency=, coterm=, base=, group=,
    /// attestation-accepted, add-on (of the line before), and name= last; may be given again
    #[arg(long = "line", value_name = "ITEM[,quantity=N][,...]", required = true)]
    lines: Vec<Line>,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The cart
    id: String,
    /// The line's number, as the cart shows it; may be given again
    #[arg(long = "line", value_name = "NUMBER", required = true)]
    lines: Vec<u32>,
}

/// A line as it is typed.
#[derive(Debug, Clone)]
struct Line {
    body: Value,
    is_add_on: bool,
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (item, mut rest) = text.split_once(',').unwrap_or((text, ""));
        if item.trim().is_empty() || item.contains('=') {
            return Err("it begins with the item: an offer id or product:sku:availability".to_owned());
        }
        let mut line = Line { body: json!({ "catalogItemId": item.trim(), "quantity": 1 }), is_add_on: false };
        while !rest.is_empty() {
            // A name is free text: all that follows is part of it.
            let end = if rest.starts_with("name=") { rest.len() } else { rest.find(',').unwrap_or(rest.len()) };
            let (part, more) = rest.split_at(end);
            rest = more.strip_prefix(',').unwrap_or(more);
            line.say(part.trim())?;
        }
        Ok(line)
    }
}

impl Line {
    fn say(&mut self, part: &str) -> Result<(), String> {
        let (word, value) = part.split_once('=').unwrap_or((part, ""));
        if word == ADD_ON && value.is_empty() {
            self.is_add_on = true;
            return Ok(());
        }
        let Some((_, member)) = WORDS.iter().find(|(known, _)| *known == word) else {
            let known = WORDS.iter().map(|(known, _)| *known).chain([ADD_ON]);
            let hint = match bursar::suggest::nearest(word, known.clone()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
            };
            return Err(format!("a line has no {word:?}; {hint}"));
        };
        self.body[*member] = match (word, value) {
            ("attestation-accepted", "" | "true") => true.into(),
            ("attestation-accepted", _) => return Err(format!("{word} stands alone")),
            (_, "") => return Err(format!("{word} has no value: write {word}=...")),
            ("quantity", number) => {
                number.parse::<i64>().map_err(|_| format!("{number:?} is no number of seats"))?.into()
            }
            (_, text) => text.into(),
        };
        Ok(())
    }
}

impl Lines {
    /// The lines as the wire has them, after those that are there: an add-on lies within its base's line.
    fn after(self, mut listed: Vec<Value>) -> Result<Value, Failure> {
        for Line { body, is_add_on } in self.lines {
            if !is_add_on {
                listed.push(body);
                continue;
            }
            let Some(base) = listed.last_mut() else {
                return Err(Failure::usage("the first line of a cart is no add-on of a line before it".to_owned())
                    .mend("give its base first, or name one the customer has: base=SUBSCRIPTION"));
            };
            match base.get_mut("addonItems").and_then(Value::as_array_mut) {
                Some(known) => known.push(body),
                None => base["addonItems"] = json!([body]),
            }
        }
        Ok(json!({ "lineItems": listed }))
    }
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::Read(reading) => reading.run(context, nouns::CARTS).await,
            Verb::Create(create) => {
                let body = create.lines.after(Vec::new())?;
                let customer = resolve(context, &create.customer.customer).await?;
                let cart = context.change(&format!("/v1/customers/{customer}/carts"), &body).await?;
                shown(context, &cart)
            }
            Verb::Add(add) => {
                let path = path(context, &add.id, "").await?;
                let body = add.lines.after(lines_of(context, &path).await?)?;
                put(context, &path, &body).await
            }
            Verb::Remove(remove) => remove.run(context).await,
            Verb::Review { id } => {
                let path = path(context, &id, "/review").await?;
                context.out.record(&context.look(&path).await?)?;
                Ok(Exit::Done)
            }
            Verb::Checkout { id } => {
                let path = path(context, &id, "/checkout").await?;
                let done = context.change(&path, &json!({})).await?;
                bought(context, &done)
            }
        }
    }
}

impl Remove {
    async fn run(self, context: &Context) -> Outcome {
        let path = path(context, &self.id, "").await?;
        let mut listed = lines_of(context, &path).await?;
        let mut left = self.lines.clone();
        let mut stays = |line: &Value| {
            let number = line.get("id").and_then(Value::as_u64);
            let before = left.len();
            left.retain(|asked| Some(u64::from(*asked)) != number);
            left.len() == before
        };
        listed.retain(&mut stays);
        for line in &mut listed {
            if let Some(add_ons) = line.get_mut("addonItems").and_then(Value::as_array_mut) {
                add_ons.retain(&mut stays);
            }
        }
        if let Some(number) = left.first() {
            return Err(Failure::new(Exit::NotFound, format!("the cart has no line {number} (not_found)")));
        }
        put(context, &path, &json!({ "lineItems": listed })).await
    }
}

/// Where a cart is, by its id alone.
async fn path(context: &Context, id: &str, rest: &str) -> Result<String, Failure> {
    let cart = nouns::find(context, nouns::CARTS, id).await?;
    Ok(format!("/v1/customers/{}/carts/{}{rest}", encoded(&cell(&cart, "tenant")), encoded(id)))
}

async fn lines_of(context: &Context, path: &str) -> Result<Vec<Value>, Failure> {
    let mut cart = context.look(path).await?;
    Ok(match cart.get_mut("lineItems").map(Value::take) {
        Some(Value::Array(lines)) => lines,
        _ => Vec::new(),
    })
}

async fn put(context: &Context, path: &str, body: &Value) -> Outcome {
    let cart = context.ask(Access::Change, Method::PUT, path, Some(body)).await?;
    shown(context, &cart)
}

/// The cart and its lines, add-ons below their bases.
fn shown(context: &Context, cart: &Value) -> Outcome {
    if context.out.format != Format::Table {
        context.out.record(cart)?;
        return Ok(Exit::Done);
    }
    let mut lines = Vec::new();
    for line in cart.get("lineItems").and_then(Value::as_array).into_iter().flatten() {
        lines.push(line.clone());
        lines.extend(line.get("addonItems").and_then(Value::as_array).cloned().unwrap_or_default());
    }
    let text = |path: &str| plain(cell(cart, path));
    context.out.text(&format!("cart {} {}\n", text("id"), text("status")))?;
    context.out.rows(&lines, LINES, true)?;
    if lines.iter().any(|line| line.get("error").is_some()) {
        context.out.say("  a line with an error is not bought: mend it, or take it out with carts remove");
    }
    Ok(Exit::Done)
}
