//! `bursar tenants` and `bursar import accounts`: customers, and what the billing system tells of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::http::Method;
use bursar::domain::calendar;
use clap::{Args, Subcommand};
use serde_json::json;

use super::connect::{Access, Context, encoded, said};
use super::csv;
use super::exit::{Exit, Failure, Outcome};
use super::hooks::read_input;
use super::nouns::{self, Reading};
use super::output::{Format, cell, plain};
use super::software::{resolve, resolve_with};

/// The columns of a file of accounts.
const COLUMNS: [&str; 3] = ["customer", "overdue", "since"];

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Read(Reading),
    /// Take on a customer; without an id, one is made
    Create(Create),
    /// Record that a customer accepted the Microsoft Customer Agreement: nothing is sold to it before
    Agree(Agree),
    /// Tell what is overdue, or that nothing is
    Account(Account),
    /// Set a label, or remove it with an empty value
    Label(Label),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The company's name
    name: String,
    /// Its domain, such as contoso.onmicrosoft.com
    #[arg(long)]
    domain: String,
    /// ISO code of the country it is billed in: its market
    #[arg(long, value_name = "CODE")]
    country: String,
    /// Its id at Partner Center, where it has one
    #[arg(long)]
    id: Option<String>,
    /// education, nonprofit, government_community_cloud or state_owned_entity
    #[arg(long)]
    qualification: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Agree {
    /// The customer: id, name or domain
    customer: String,
    /// When it accepted
    #[arg(long = "on", value_name = "INSTANT")]
    on: String,
}

#[derive(Debug, Args)]
pub(crate) struct Account {
    /// The customer: id, name or domain
    customer: String,
    /// What is overdue, one amount a currency; without any, nothing is
    #[arg(long, value_name = "AMOUNT")]
    overdue: Vec<String>,
    /// Since when
    #[arg(long, value_name = "INSTANT", requires = "overdue")]
    since: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Label {
    /// The customer: id, name or domain
    customer: String,
    /// NAME=VALUE; NAME= removes it
    #[arg(value_name = "NAME=VALUE")]
    label: String,
}

/// What customers owe, as the billing system exports it.
#[derive(Debug, Args)]
pub(crate) struct Accounts {
    /// A file of comma separated values with the columns customer, overdue (an amount such as 120.00 EUR, empty when
    /// nothing is) and since; a customer who owes in two currencies has two lines; - reads standard input
    file: PathBuf,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::Read(reading) => reading.run(context, nouns::TENANTS).await,
            Verb::Create(create) => create.run(context).await,
            Verb::Agree(agree) => agree.run(context).await,
            Verb::Account(account) => account.run(context).await,
            Verb::Label(label) => label.run(context).await,
        }
    }
}

impl Create {
    async fn run(&self, context: &Context) -> Outcome {
        let mut body = json!({
            "companyProfile": { "companyName": self.name, "domain": self.domain },
            "billingProfile": { "companyName": self.name, "defaultAddress": { "country": self.country } },
        });
        if let Some(id) = &self.id {
            body["id"] = id.as_str().into();
        }
        if let Some(qualification) = &self.qualification {
            body["qualification"] = qualification.as_str().into();
        }
        let answer = context.change("/v1/customers", &body).await?;
        match context.out.format {
            Format::Table => context.out.text(&format!("{}\n", plain(cell(&answer, "id"))))?,
            _ => context.out.record(&answer)?,
        }
        Ok(Exit::Done)
    }
}

impl Agree {
    async fn run(&self, context: &Context) -> Outcome {
        let customer = resolve(context, &self.customer).await?;
        let on = calendar::day_or_instant(&self.on).map_err(|refusal| Failure::usage(refusal.message))?;
        let body = json!({ "type": "MicrosoftCustomerAgreement", "dateAgreed": calendar::show(on) });
        let answer = context.change(&format!("/v1/customers/{customer}/agreements"), &body).await?;
        match context.out.format {
            Format::Table => context.out.say(&format!("{customer} agreed on {}", calendar::show(on))),
            _ => context.out.record(&answer)?,
        }
        Ok(Exit::Done)
    }
}

impl Account {
    async fn run(&self, context: &Context) -> Outcome {
        let customer = resolve(context, &self.customer).await?;
        let mut body = json!({ "overdue": self.overdue });
        if let Some(since) = &self.since {
            body["since"] = since.as_str().into();
        }
        let answer = context.ask(Access::Look, Method::POST, &account_of(&customer), Some(&body)).await?;
        match context.out.format {
            Format::Table => {
                let overdue = plain(cell(&answer, "account.overdue"));
                let told =
                    if overdue.is_empty() { "nothing is overdue".to_owned() } else { format!("{overdue} overdue") };
                context.out.say(&format!("{}: {told}", plain(cell(&answer, "companyName"))));
            }
            _ => context.out.record(&answer)?,
        }
        Ok(Exit::Done)
    }
}

fn account_of(customer: &str) -> String {
    format!("/v1/tenants/{customer}/account")
}

impl Label {
    async fn run(&self, context: &Context) -> Outcome {
        let Some((name, value)) = self.label.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::usage(format!("{:?} is no NAME=VALUE", self.label)));
        };
        let customer = resolve(context, &self.customer).await?;
        let path = format!("/v1/tenants/{customer}/labels/{}", encoded(name));
        let answer = if value.is_empty() {
            context.ask(Access::Look, Method::DELETE, &path, None).await?
        } else {
            context.ask(Access::Look, Method::PUT, &path, Some(&json!({ "value": value }))).await?
        };
        match context.out.format {
            Format::Table => context.out.say(&format!("labels of {customer}: {}", plain(cell(&answer, "labels")))),
            _ => context.out.record(&answer)?,
        }
        Ok(Exit::Done)
    }
}

/// What is told of one customer: amounts, and the earliest day of them.
#[derive(Default)]
struct Told {
    line: usize,
    overdue: Vec<String>,
    since: Option<String>,
}

fn told(rows: &[csv::Row]) -> Result<BTreeMap<String, Told>, Failure> {
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    for row in rows {
        let one = all.entry(row.needed("customer")?.to_owned()).or_default();
        one.line = row.line;
        one.overdue.extend(row.cell("overdue").map(str::to_owned));
        let since = row.cell("since").map(str::to_owned);
        one.since = match (one.since.take(), since) {
            (Some(known), Some(other)) => Some(known.min(other)),
            (known, other) => known.or(other),
        };
    }
    Ok(all)
}

impl Accounts {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let text = String::from_utf8(read_input(&self.file)?)
            .map_err(|_| Failure::usage(format!("{} is no UTF-8 text", self.file.display())))?;
        let all = told(&csv::rows(&text, &COLUMNS)?)?;
        let client = context.connect(Access::Look).await?;
        let (mut recorded, mut refused) = (0_usize, 0_usize);
        let mut codes = Vec::new();
        for (customer, told) in &all {
            let outcome = async {
                let mut body = json!({ "overdue": told.overdue });
                if let Some(since) = &told.since {
                    body["since"] = since.as_str().into();
                }
                let path = account_of(&resolve_with(&client, customer).await?);
                said(&client.request(Method::POST, &path, Some(&body)).await?)
            };
            match outcome.await {
                Ok(_) => recorded += 1,
                Err(failure) => {
                    refused += 1;
                    codes.push(failure.exit);
                    context.out.say(&format!("line {}: {}", told.line, failure.told));
                }
            }
        }
        client.close();
        context.out.record(&json!({ "recorded": recorded, "refused": refused }))?;
        Ok(codes.first().copied().unwrap_or(Exit::Done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_one_customer_are_told_together_with_the_earliest_day() {
        let text = "customer,overdue,since\na,5 EUR,2027-02-01\nb,,\na,7 USD,2027-01-01\n";
        let all = told(&csv::rows(text, &COLUMNS).unwrap()).unwrap();
        assert_eq!(all["a"].overdue, ["5 EUR", "7 USD"]);
        assert_eq!(all["a"].since.as_deref(), Some("2027-01-01"));
        assert!(all["b"].overdue.is_empty() && all["b"].since.is_none());
        assert!(told(&csv::rows("customer,overdue\n,5 EUR\n", &COLUMNS).unwrap()).is_err());
    }
}
