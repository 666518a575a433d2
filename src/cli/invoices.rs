//! `bursar invoices`: the monthly invoices, their lines, and what is not invoiced yet.

use axum::http::Method;
use bursar::partner_center::invoices::{LICENSE_COLUMNS, ONE_TIME_COLUMNS};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded, said};
use super::exit::{Exit, Outcome};
use super::nouns::{self, Reading};
use super::output::{Column, Format, Out};
use super::software::resolve;

/// Line items asked for at once.
const PAGE: usize = 2_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Read(Reading),
    /// Its lines
    Lines(Lines),
    /// Its lines as a file of comma-separated values, in Partner Center's columns
    Csv(Lines),
    /// What one customer's part of it comes to
    Statement(Statement),
    /// What stands on no invoice yet
    Unbilled(Unbilled),
    /// What is unpaid, currency by currency
    Summary,
    /// Record what was paid of it so far, as the billing system knows it
    Paid(Paid),
}

#[derive(Debug, Args)]
pub(crate) struct Paid {
    /// The invoice
    id: String,
    /// All that was paid of it so far, such as '120.00 EUR'
    amount: String,
    /// When the last of it came
    #[arg(long, value_name = "INSTANT")]
    at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Lines {
    /// The invoice
    id: String,
    /// Of one customer only: id, name or domain
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Statement {
    /// The invoice
    id: String,
    /// The customer: id, name or domain
    tenant: String,
}

#[derive(Debug, Args)]
pub(crate) struct Unbilled {
    /// Of one customer only: id, name or domain
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
}

const SHORT: &[Column] = &[
    Column("LINE", "lineId"),
    Column("CUSTOMER", "customerName|customerId"),
    Column("SUBSCRIPTION", "subscriptionId"),
    Column("NAME", "subscriptionDescription|subscriptionName"),
    Column("CHARGE", "chargeType"),
    Column("FROM", "chargeStartDate"),
    Column("TO", "chargeEndDate"),
    Column("QUANTITY", "quantity"),
    Column("SUBTOTAL", "subtotal~currency"),
    Column("TAX", "taxTotal~currency|tax~currency"),
    Column("TOTAL", "totalForCustomer~currency"),
    Column("TO CUSTOMER", "atCustomerPrice.subtotal~atCustomerPrice.currency"),
    Column("MARGIN", "atCustomerPrice.margin~currency"),
];

/// What Bursar knows beside Partner Center's columns.
const OURS: &[Column] = &[
    Column("lineId", "lineId"),
    Column("request", "request"),
    Column("rule", "rule"),
    Column("reverses", "reverses"),
    Column("customerUnitPrice", "atCustomerPrice.unitPrice~atCustomerPrice.currency"),
    Column("customerSubtotal", "atCustomerPrice.subtotal~atCustomerPrice.currency"),
    Column("customerTax", "atCustomerPrice.taxTotal~atCustomerPrice.currency"),
    Column("customerCurrency", "atCustomerPrice.currency"),
    Column("margin", "atCustomerPrice.margin~currency"),
];

/// Where a column of Partner Center's stands: amounts with the decimal places of their currency.
fn column(name: &'static str) -> Column {
    let place = match name {
        "unitPrice" => "unitPrice~currency",
        "effectiveUnitPrice" => "effectiveUnitPrice~currency",
        "amount" => "amount~currency",
        "subtotal" => "subtotal~currency",
        "tax" => "tax~currency",
        "taxTotal" => "taxTotal~currency",
        "totalForCustomer" => "totalForCustomer~currency",
        other => other,
    };
    Column(name, place)
}

const UNBILLED: &[Column] = &[
    Column("TYPE", "invoiceType"),
    Column("CURRENCY", "currency"),
    Column("LINES", "lines"),
    Column("SUBTOTAL", "subtotal~currency"),
    Column("TAX", "tax~currency"),
    Column("TOTAL", "total~currency"),
];

const SUMMARY: &[Column] = &[
    Column("CURRENCY", "currencyCode"),
    Column("UNPAID", "balanceAmount"),
    Column("LATEST INVOICE", "latestInvoiceDate"),
    Column("LAST PAYMENT", "lastPaymentAmount"),
    Column("ON", "lastPaymentDate"),
];

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::Read(reading) => reading.run(context, nouns::INVOICES).await,
            Verb::Lines(lines) => lines.run(context, context.out, SHORT).await,
            Verb::Csv(lines) => {
                let is_recurring = lines.id.starts_with(['D', 'd']);
                let names: &[&'static str] = if is_recurring { &LICENSE_COLUMNS } else { &ONE_TIME_COLUMNS };
                let columns: Vec<Column> = names.iter().copied().map(column).chain(OURS.iter().copied()).collect();
                lines.run(context, Out { format: Format::Csv, ..context.out }, &columns).await
            }
            Verb::Statement(Statement { id, tenant }) => {
                let path = format!("/v1/invoices/{}/customers/{}", encoded(&id), resolve(context, &tenant).await?);
                context.out.record(&context.look(&path).await?)?;
                Ok(Exit::Done)
            }
            Verb::Unbilled(Unbilled { customer }) => {
                let narrowed = match customer {
                    Some(customer) => format!("?customer={}", resolve(context, &customer).await?),
                    None => String::new(),
                };
                let body = context.look(&format!("/v1/invoices/unbilled{narrowed}")).await?;
                let items = body.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                context.out.rows(&items, UNBILLED, true)?;
                Ok(Exit::Done)
            }
            Verb::Summary => {
                let body = context.look("/v1/invoices/summaries").await?;
                let items = body.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                context.out.rows(&items, SUMMARY, true)?;
                Ok(Exit::Done)
            }
            Verb::Paid(Paid { id, amount, at }) => {
                let mut told = json!({ "paid": amount });
                if let Some(at) = at {
                    told["at"] = at.into();
                }
                let path = format!("/v1/invoices/{}/account", encoded(&id));
                context.out.record(&context.change(&path, &told).await?)?;
                Ok(Exit::Done)
            }
        }
    }
}

impl Lines {
    async fn run(&self, context: &Context, out: Out, columns: &[Column]) -> Outcome {
        let narrowed = match &self.customer {
            Some(customer) => format!("&customer={}", resolve(context, customer).await?),
            None => String::new(),
        };
        let client = context.connect(Access::Look).await?;
        let base = format!("/v1/invoices/{}/lineitems?size={PAGE}{narrowed}", encoded(&self.id));
        let whole = matches!(out.format, Format::Table | Format::Json);
        let mut kept = Vec::new();
        let mut next: Option<String> = None;
        let mut is_first = true;
        loop {
            let token = next.map(|token| format!("&cursor={}", encoded(&token))).unwrap_or_default();
            let mut body = said(&client.request(Method::GET, &format!("{base}{token}"), None).await?)?;
            next = body.get("continuationToken").and_then(Value::as_str).map(str::to_owned);
            let items = match body.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            if whole {
                kept.extend(items);
            } else {
                out.rows(&items, columns, is_first)?;
            }
            is_first = false;
            if next.is_none() {
                break;
            }
        }
        client.close();
        if whole {
            out.rows(&kept, columns, true)?;
        }
        Ok(Exit::Done)
    }
}
