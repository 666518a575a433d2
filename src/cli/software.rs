//! `bursar software`: what was bought for a customer, and what products come with.

use axum::http::Method;
use bursar::client::Client;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded, said};
use super::exit::{Exit, Failure, Outcome};
use super::output::{Column, Format, cell};

const COLUMNS: &[Column] = &[
    Column("ID", "subscription"),
    Column("PRODUCT", "product"),
    Column("ORDERS", "orders"),
    Column("QUANTITY", "quantity"),
    Column("BOUGHT", "purchasedAt"),
    Column("STATUS", "status"),
    Column("KEYS", "keyState"),
    Column("INSTRUCTIONS", "installationInstructionsUrl"),
    Column("BENEFITS", "benefits"),
];
const SHEET_COLUMNS: &[Column] = &[
    Column("PRODUCT", "product"),
    Column("COMES WITH", "comesWith"),
    Column("VERSIONS", "options.versions"),
    Column("LANGUAGES", "options.languages"),
    Column("INSTRUCTIONS", "installationInstructionsUrl"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Everything bought for a customer, cancelled too, with its orders and the state of its keys
    List(List),
    /// One of them
    Show(One),
    /// What products come with
    Sheets,
    /// Say what a product comes with, and what its keys and downloads are chosen by
    Describe(Describe),
}

/// Whose software.
#[derive(Debug, Args)]
pub(crate) struct Customer {
    /// The customer: id, name or domain
    #[arg(long, short = 'C', value_name = "CUSTOMER")]
    pub(crate) customer: String,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    customer: Customer,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id, as the list shows it
    id: String,
    #[command(flatten)]
    customer: Customer,
}

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// The product's id: DG7GMGF0FKZV, or DG7GMGF0FKZV:0003 for one sku of it
    product: String,
    /// A word of the terms for what has no keys: license_only, instructions, extended_security_updates
    #[arg(long, value_name = "WORD")]
    comes_with: Option<String>,
    /// Where it is told how to install it
    #[arg(long, value_name = "URL")]
    instructions: Option<String>,
    /// A version there is; may be given several times, as all of these
    #[arg(long = "version", id = "product_version", value_name = "VERSION")]
    versions: Vec<String>,
    /// A language
    #[arg(long = "language", value_name = "LANGUAGE")]
    languages: Vec<String>,
    /// 32 or 64
    #[arg(long = "bit", value_name = "BIT")]
    bits: Vec<String>,
    /// A type of file
    #[arg(long = "file-type", value_name = "TYPE")]
    file_types: Vec<String>,
    /// An operating system
    #[arg(long = "os", value_name = "SYSTEM")]
    operating_systems: Vec<String>,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::List(list) => list.run(context).await,
            Verb::Show(one) => {
                let customer = one.customer.resolve(context).await?;
                let path = format!("/v1/customers/{customer}/software/{}", encoded(&one.id));
                context.out.record(&context.look(&path).await?)?;
                Ok(Exit::Done)
            }
            Verb::Sheets => {
                let items = every(context, "/v1/software").await?;
                context.out.rows(&items, SHEET_COLUMNS, true)?;
                Ok(Exit::Done)
            }
            Verb::Describe(describe) => {
                let answer = context.ask(Access::Look, Method::POST, "/v1/software", Some(&describe.body())).await?;
                context.out.record(&answer)?;
                Ok(Exit::Done)
            }
        }
    }
}

impl Customer {
    /// The customer's id.
    pub(crate) async fn resolve(&self, context: &Context) -> Result<String, Failure> {
        resolve(context, &self.customer).await
    }
}

/// The id of a customer told by id, name or domain.
pub(crate) async fn resolve(context: &Context, told: &str) -> Result<String, Failure> {
    if told.parse::<bursar::domain::TenantId>().is_ok() {
        return Ok(encoded(told));
    }
    let client = context.connect(Access::Look).await?;
    let found = resolve_with(&client, told).await;
    client.close();
    found
}

/// The same with a client that is there.
pub(crate) async fn resolve_with(client: &Client, told: &str) -> Result<String, Failure> {
    if told.parse::<bursar::domain::TenantId>().is_ok() {
        return Ok(encoded(told));
    }
    for field in ["domain", "company_name"] {
        let path = format!("/v1/tenants?limit=2&{field}={}", encoded(told));
        let answer = client.request(Method::GET, &path, None).await?;
        if answer.status == 403 {
            return own(client, told, said(&answer)).await;
        }
        let found = said(&answer)?;
        match found.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
            [] => {}
            [one] => return Ok(one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()),
            _ => return Err(Failure::usage(format!("several customers are called {told}")).mend("use the id")),
        }
    }
    Err(nobody(told))
}

/// The customer's own Global admin looks at no list of customers, and names the one it is of (K-cust).
async fn own(client: &Client, told: &str, forbidden: Result<Value, Failure>) -> Result<String, Failure> {
    let me = said(&client.request(Method::GET, "/v1/whoami", None).await?)?;
    let Some(customer) = me.get("customer") else {
        return Err(forbidden.err().unwrap_or_else(|| nobody(told)));
    };
    let is_named = |path: &str| cell(customer, path).to_lowercase() == told.to_lowercase();
    if is_named("domain") || is_named("companyName") { Ok(cell(customer, "id")) } else { Err(nobody(told)) }
}

fn nobody(told: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("there is no customer {told} (not_found)"))
}

/// Every item of a list, page by page.
pub(crate) async fn every(context: &Context, path: &str) -> Result<Vec<Value>, Failure> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    let parted = if path.contains('?') { '&' } else { '?' };
    loop {
        let mut asked = format!("{path}{parted}limit=200");
        if let Some(cursor) = &cursor {
            asked.push_str(&format!("&cursor={}", encoded(cursor)));
        }
        let mut body = context.look(&asked).await?;
        if let Some(Value::Array(page)) = body.get_mut("items").map(Value::take) {
            items.extend(page);
        }
        cursor = body.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(items);
        }
    }
}

impl List {
    async fn run(&self, context: &Context) -> Outcome {
        let customer = self.customer.resolve(context).await?;
        let mut items = every(context, &format!("/v1/customers/{customer}/software")).await?;
        let whole = matches!(context.out.format, Format::Json | Format::Jsonl);
        for item in items.iter_mut().filter(|_| !whole) {
            let orders: Vec<&str> = item
                .get("orders")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|order| order.get("orderId").and_then(Value::as_str))
                .collect();
            let orders = orders.join(", ");
            let benefits: Vec<String> = item
                .get("benefits")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|benefit| format!("{} ({})", cell(benefit, "name"), cell(benefit, "use")))
                .collect();
            item["orders"] = orders.into();
            item["benefits"] = benefits.join(", ").into();
        }
        context.out.rows(&items, COLUMNS, true)?;
        Ok(Exit::Done)
    }
}

impl Describe {
    fn body(&self) -> Value {
        let mut body = json!({
            "product": self.product,
            "versions": self.versions,
            "languages": self.languages,
            "bits": self.bits,
            "fileTypes": self.file_types,
            "operatingSystems": self.operating_systems,
        });
        if let Some(word) = &self.comes_with {
            body["comesWith"] = word.as_str().into();
        }
        if let Some(url) = &self.instructions {
            body["installationInstructionsUrl"] = url.as_str().into();
        }
        body
    }
}
