//! `bursar offers`, `orders` and `buy`: what a customer can be sold, and selling it.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded};
use super::exit::{Exit, Failure, Outcome};
use super::nouns::{self, Reading};
use super::output::{Column, Format, cell, plain};
use super::software::resolve;

/// Records asked for at once.
const PAGE: usize = 200;

const OFFERS: &[Column] = &[
    Column("ID", "id"),
    Column("NAME", "name"),
    Column("FAMILY", "family"),
    Column("BUYABLE", "purchasable"),
    Column("WHY NOT", "reasons.0.message"),
    Column("INSTEAD", "reasons.0.mend"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum OfferVerb {
    /// What a customer can be sold; without a customer, everything that can be bought
    List(Listed),
    /// One item, and every reason why the customer cannot buy it
    Show(Shown),
}

#[derive(Debug, Args)]
pub(crate) struct Listed {
    /// The customer: id, name or domain
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// Only Microsoft's, or only others'
    #[arg(long, value_name = "microsoft|partner")]
    publisher: Option<String>,
    /// Only what is billed so
    #[arg(long, value_name = "license|usage")]
    billing: Option<String>,
    /// Only of this category
    #[arg(long, value_name = "enterprise|small_business|trial|nonprofit")]
    category: Option<String>,
    /// Only for this segment
    #[arg(long, value_name = "commercial|education|government|nonprofit")]
    segment: Option<String>,
    /// Only what is limited per customer
    #[arg(long)]
    limited: bool,
    /// Only the add-ons of this subscription
    #[arg(long, value_name = "SUBSCRIPTION", requires = "customer")]
    base: Option<String>,
    /// What cannot be bought too, with the reasons
    #[arg(long, requires = "customer")]
    why: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Shown {
    /// The item: an offer id or product:sku:availability
    id: String,
    /// The customer: id, name or domain
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// Seats that are asked for
    #[arg(long, requires = "customer")]
    quantity: Option<i64>,
}

impl OfferVerb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            OfferVerb::List(listed) => listed.run(context).await,
            OfferVerb::Show(shown) => {
                let path = match &shown.customer {
                    None => format!("/v1/products/{}", encoded(&shown.id)),
                    Some(customer) => {
                        let seats = shown.quantity.map(|seats| format!("?quantity={seats}")).unwrap_or_default();
                        let customer = resolve(context, customer).await?;
                        format!("/v1/tenants/{customer}/offers/{}{seats}", encoded(&shown.id))
                    }
                };
                context.out.record(&context.look(&path).await?)?;
                Ok(Exit::Done)
            }
        }
    }
}

impl Listed {
    async fn run(&self, context: &Context) -> Outcome {
        let base = match &self.customer {
            Some(customer) => format!("/v1/tenants/{}/offers?limit={PAGE}", resolve(context, customer).await?),
            None => format!("/v1/products?limit={PAGE}&is_item=true"),
        };
        let limited = if self.customer.is_some() { "limited" } else { "is_limited" };
        let mut query = base;
        let given = [
            ("publisher", &self.publisher),
            ("billing", &self.billing),
            ("category", &self.category),
            ("segment", &self.segment),
            ("base", &self.base),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        for (name, given) in [(limited, self.limited), ("why", self.why)] {
            if given {
                query.push_str(&format!("&{name}=true"));
            }
        }
        let mut found = Vec::new();
        let mut path = query.clone();
        loop {
            let body = context.look(&path).await?;
            found.extend(body.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            match body.get("nextCursor").and_then(Value::as_str) {
                None => break,
                Some(cursor) => path = format!("{query}&cursor={}", encoded(cursor)),
            }
        }
        context.out.rows(&found, OFFERS, true)?;
        Ok(Exit::Done)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrderVerb {
    #[command(flatten)]
    Read(Reading),
    /// Propose to cancel the software of an order
    Cancel(CancelOrder),
}

#[derive(Debug, Args)]
pub(crate) struct CancelOrder {
    /// The order
    id: String,
    /// Only this line of it; may be given again
    #[arg(long = "line", value_name = "NUMBER")]
    lines: Vec<u32>,
    /// The reason the terms ask for
    #[arg(long, value_name = "customer_request|non_payment|fraud", default_value = "customer_request")]
    reason: String,
}

impl OrderVerb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let cancel = match self {
            OrderVerb::Read(reading) => return reading.run(context, nouns::ORDERS).await,
            OrderVerb::Cancel(cancel) => cancel,
        };
        let order = nouns::find(context, nouns::ORDERS, &cancel.id).await?;
        let path = format!("/v1/customers/{}/orders/{}", encoded(&cell(&order, "tenant")), encoded(&cancel.id));
        let lines: Vec<Value> = cancel.lines.iter().map(|number| json!({ "lineItemNumber": number })).collect();
        let body = json!({ "id": cancel.id, "status": "cancelled", "reason": cancel.reason, "lineItems": lines });
        let after = context.ask(Access::Change, Method::PATCH, &path, Some(&body)).await?;
        context.out.record(&after)?;
        Ok(Exit::Done)
    }
}

/// Buying without a cart of one's own.
#[derive(Debug, Args)]
pub(crate) struct Buy {
    /// The customer: id, name or domain
    #[arg(long, value_name = "CUSTOMER")]
    customer: String,
    /// What: an offer id or product:sku:availability
    #[arg(long, value_name = "ITEM")]
    product: String,
    /// Seats
    #[arg(long, default_value_t = 1)]
    quantity: i64,
    /// Length of the term, where there are several
    #[arg(long, value_name = "DURATION")]
    term: Option<String>,
    /// How it is billed, where there are several ways: monthly, annual, triennial, one_time
    #[arg(long)]
    billing: Option<String>,
    /// The last day of the first term, where it is to end with another
    #[arg(long, value_name = "DATE")]
    coterm: Option<String>,
    /// The base of an add-on
    #[arg(long, value_name = "SUBSCRIPTION")]
    base: Option<String>,
    /// The currency of its price, where there are several
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// You attest what the item asks for: that the customer may have it
    #[arg(long)]
    attestation_accepted: bool,
    /// Your name for it
    #[arg(long)]
    name: Option<String>,
}

impl Buy {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let mut line = json!({ "offerId": self.product, "quantity": self.quantity });
        let given = [
            ("termDuration", self.term),
            ("billingCycle", self.billing),
            ("customTermEndDate", self.coterm),
            ("parentSubscriptionId", self.base),
            ("currencyCode", self.currency),
            ("friendlyName", self.name),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                line[name] = value.into();
            }
        }
        if self.attestation_accepted {
            line["attestationAccepted"] = true.into();
        }
        let path = format!("/v1/customers/{}/orders", resolve(context, &self.customer).await?);
        let done = context.change(&path, &json!({ "lineItems": [line] })).await?;
        bought(context, &done)
    }
}

/// What buying came to: an order, or the whole answer of a checkout. Waiting is an exit code of its own.
pub(super) fn bought(context: &Context, done: &Value) -> Outcome {
    let alone = [done.clone()];
    let orders = done.get("orders").and_then(Value::as_array).map_or(&alone[..], Vec::as_slice);
    if context.out.format == Format::Table {
        for order in orders {
            context.out.text(&format!("order {} {}\n", plain(cell(order, "id")), plain(cell(order, "status"))))?;
            for line in order.get("lineItems").and_then(Value::as_array).into_iter().flatten() {
                let text = |path: &str| plain(cell(line, path));
                context.out.text(&format!(
                    "  {} x {}  {}\n",
                    text("quantity"),
                    text("friendlyName|offerId"),
                    text("subscriptionId")
                ))?;
            }
        }
    } else {
        context.out.record(done)?;
    }
    let errors = done.get("orderErrors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for error in errors {
        context.out.say(&format!("line {}: {}", plain(cell(error, "lineItemId")), plain(cell(error, "description"))));
    }
    if !errors.is_empty() {
        return Err(Failure::new(Exit::Refused, format!("{} lines were not bought", errors.len())));
    }
    if orders.iter().any(|order| cell(order, "status") == "pending") {
        context.out.say("  what is pending waits for somebody's answer: bursar requests list --where kind=purchase --where state=waiting");
        context.out.say("  or for its publisher: bursar subscriptions activate ID");
        return Ok(Exit::Waiting);
    }
    Ok(Exit::Done)
}
