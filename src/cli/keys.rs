//! `bursar keys` and `bursar links`: recording keys and download links, and reading them. A secret is read from a file or
//! from standard input, never from the command line, which others on the machine can see.

use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded, said};
use super::csv;
use super::exit::{Exit, Failure, Outcome};
use super::hooks::read_input;
use super::master_key;
use super::software::{Customer, resolve};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Read a product key; the activity log says who did
    Get(GetKey),
    /// Record a key, a download link, or both
    Put(Put),
    /// Record the keys and links of a CSV file
    Import(Import),
    /// Seal every key and link again with the newest master key
    Reseal,
    /// Put a fresh master key above those in the key file
    NewMasterKey,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LinkVerb {
    /// Read a download link; the activity log says who did
    Get(GetLink),
}

/// What is chosen of a product's keys and downloads.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// The product's version
    #[arg(long = "version", id = "product_version", value_name = "VERSION")]
    version: Option<String>,
    /// The language
    #[arg(long)]
    language: Option<String>,
    /// 32 or 64
    #[arg(long)]
    bit: Option<String>,
    /// The type of file
    #[arg(long, value_name = "TYPE")]
    file_type: Option<String>,
    /// The operating system
    #[arg(long, value_name = "SYSTEM")]
    os: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GetKey {
    /// The software's id, as `bursar software list` shows it
    id: String,
    #[command(flatten)]
    customer: Customer,
    #[command(flatten)]
    choice: Choice,
    /// The type of key
    #[arg(long = "type", value_name = "TYPE", default_value = "MAK")]
    key_type: String,
}

#[derive(Debug, Args)]
pub(crate) struct GetLink {
    /// The software's id, as `bursar software list` shows it
    id: String,
    #[command(flatten)]
    customer: Customer,
    #[command(flatten)]
    choice: Choice,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The software's id, as `bursar software list` shows it
    id: String,
    #[command(flatten)]
    customer: Customer,
    #[command(flatten)]
    choice: Choice,
    /// A file with the key; - reads standard input
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// A file with the download link; - reads standard input
    #[arg(long, value_name = "FILE")]
    link_file: Option<PathBuf>,
    /// The link to share with the customer, where it is another than the usual one
    #[arg(long, value_name = "URL")]
    deep_link: Option<String>,
    /// The type of key
    #[arg(long = "type", value_name = "TYPE")]
    key_type: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A CSV file with the columns subscription, key, link and, where the product has them, version, language, bit,
    /// fileType, operatingSystem; customer where it is not given here
    file: PathBuf,
    /// The customer of rows that name none: id, name or domain
    #[arg(long, short = 'C', value_name = "CUSTOMER")]
    customer: Option<String>,
}

const COLUMNS: [&str; 9] =
    ["customer", "subscription", "version", "language", "bit", "fileType", "operatingSystem", "key", "link"];

impl Choice {
    fn body(&self) -> Value {
        let mut body = json!({});
        let parts = [
            ("version", &self.version),
            ("language", &self.language),
            ("bit", &self.bit),
            ("fileType", &self.file_type),
            ("operatingSystem", &self.os),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                body[name] = part.as_str().into();
            }
        }
        body
    }
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::Get(get) => {
                let mut body = get.choice.body();
                body["keyType"] = get.key_type.into();
                read(context, &get.customer, &get.id, "keys/get", &body).await
            }
            Verb::Put(put) => put.run(context).await,
            Verb::Import(import) => import.run(context).await,
            Verb::Reseal => {
                let answer = context.ask(Access::Look, Method::POST, "/v1/software/reseal", Some(&json!({}))).await?;
                context.out.record(&answer)?;
                Ok(Exit::Done)
            }
            Verb::NewMasterKey => master_key::add(context),
        }
    }
}

impl LinkVerb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let LinkVerb::Get(get) = self;
        read(context, &get.customer, &get.id, "links/get", &get.choice.body()).await
    }
}

/// Reads a key or a link. It is printed with the notice that belongs to it, in every format.
async fn read(context: &Context, customer: &Customer, id: &str, what: &str, body: &Value) -> Outcome {
    let customer = customer.resolve(context).await?;
    let path = format!("/v1/customers/{customer}/software/{}/{what}", encoded(id));
    let answer = context.ask(Access::Look, Method::POST, &path, Some(body)).await?;
    context.out.record(&answer)?;
    Ok(Exit::Done)
}

/// The one line of a file.
fn secret_of(path: &Path) -> Result<String, Failure> {
    let bytes = read_input(path)?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is no text", path.display())))?;
    Ok(text.trim().to_owned())
}

impl Put {
    async fn run(&self, context: &Context) -> Outcome {
        if self.key_file.is_some() && self.key_file == self.link_file {
            return Err(Failure::usage("the key and the link come from two files"));
        }
        let customer = self.customer.resolve(context).await?;
        let mut body = self.choice.body();
        for (name, file) in [("key", &self.key_file), ("link", &self.link_file)] {
            if let Some(file) = file {
                body[name] = secret_of(file)?.into();
            }
        }
        for (name, text) in [("deepLink", &self.deep_link), ("keyType", &self.key_type)] {
            if let Some(text) = text {
                body[name] = text.as_str().into();
            }
        }
        let path = format!("/v1/customers/{customer}/software/{}/keys", encoded(&self.id));
        let answer = context.ask(Access::Look, Method::POST, &path, Some(&body)).await?;
        context.out.record(&answer)?;
        Ok(Exit::Done)
    }
}

impl Import {
    async fn run(&self, context: &Context) -> Outcome {
        let text = secret_of(&self.file)?;
        let rows = csv::rows(&text, &COLUMNS)?;
        let usual = match &self.customer {
            Some(customer) => Some(resolve(context, customer).await?),
            None => None,
        };
        let client = context.connect(Access::Look).await?;
        let (mut recorded, mut refused) = (0_usize, 0_usize);
        for row in &rows {
            let customer = match (row.cell("customer"), &usual) {
                (Some(customer), _) => encoded(customer),
                (None, Some(customer)) => customer.clone(),
                (None, None) => row.needed("customer")?.to_owned(),
            };
            let mut body = json!({});
            for name in COLUMNS.into_iter().skip(2) {
                if let Some(cell) = row.cell(name) {
                    body[name] = cell.into();
                }
            }
            let path = format!("/v1/customers/{customer}/software/{}/keys", encoded(row.needed("subscription")?));
            match said(&client.request(Method::POST, &path, Some(&body)).await?) {
                Ok(_) => recorded += 1,
                Err(failure) => {
                    refused += 1;
                    context.out.say(&format!("line {}: {}", row.line, failure.told));
                }
            }
        }
        client.close();
        context.out.record(&json!({ "recorded": recorded, "refused": refused }))?;
        if refused > 0 { Ok(Exit::Failed) } else { Ok(Exit::Done) }
    }
}
