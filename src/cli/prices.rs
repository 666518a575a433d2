//! `bursar prices`: what the partner asks a customer for products, beside what they cost it.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded};
use super::exit::{Exit, Outcome};
use super::output::Column;
use super::software::resolve;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// What one customer is asked
    List {
        /// The customer: id, name or domain
        tenant: String,
    },
    /// Set a price; what has been charged keeps the one it was charged at
    Set(Set),
    /// Take a price away
    Remove(Which),
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The customer: id, name or domain
    tenant: String,
    /// The product: an offer id
    product: String,
    /// Only for terms of this length, P1Y
    #[arg(long, value_name = "DURATION")]
    term: Option<String>,
    /// Only where it is billed so: monthly, annual, ...
    #[arg(long)]
    billing: Option<String>,
    /// From this day on (UTC): billing cycles that begin then or later
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    which: Which,
    /// The price of a seat and a billing cycle, '12.50 EUR'
    #[arg(long, value_name = "MONEY")]
    price: String,
}

const COLUMNS: &[Column] = &[
    Column("PRODUCT", "product"),
    Column("TERM", "termDuration"),
    Column("CYCLE", "billingCycle"),
    Column("FROM", "validFrom"),
    Column("UNIT PRICE", "unitPrice"),
];

/// Prices asked for at once.
const PAGE: usize = 200;

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::List { tenant } => list(context, &tenant).await,
            Verb::Set(Set { which, price }) => which.put(context, price.into()).await,
            Verb::Remove(which) => which.put(context, Value::Null).await,
        }
    }
}

async fn list(context: &Context, tenant: &str) -> Outcome {
    let base = format!("/v1/tenants/{}/prices?limit={PAGE}", resolve(context, tenant).await?);
    let mut found = Vec::new();
    let mut path = base.clone();
    loop {
        let body = context.look(&path).await?;
        found.extend(body.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
        match body.get("nextCursor").and_then(Value::as_str) {
            None => break,
            Some(cursor) => path = format!("{base}&cursor={}", encoded(cursor)),
        }
    }
    context.out.rows(&found, COLUMNS, true)?;
    Ok(Exit::Done)
}

impl Which {
    async fn put(&self, context: &Context, unit_price: Value) -> Outcome {
        let mut body = json!({ "product": self.product, "unitPrice": unit_price });
        for (name, value) in [("termDuration", &self.term), ("billingCycle", &self.billing), ("validFrom", &self.from)]
        {
            if let Some(value) = value {
                body[name] = value.as_str().into();
            }
        }
        let path = format!("/v1/tenants/{}/prices", resolve(context, &self.tenant).await?);
        context.out.record(&context.ask(Access::Change, Method::PUT, &path, Some(&body)).await?)?;
        Ok(Exit::Done)
    }
}
