//! `bursar terms`: what the commerce terms say, about nobody's subscription in particular.

use bursar::app;
use bursar::domain::calendar;
use bursar::domain::terms::{DatedBy, Terms, Told};
use bursar::engine::api;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::Context;
use super::exit::{Exit, Failure, Outcome};
use super::output::{Format, cell, plain, plain_lines};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Quote a cancellation: allowed, until when, and what is refunded
    Quote(Quote),
    /// Print the terms of a family as they are written
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct Quote {
    /// The family: license_new, software_subscription, saas_license, ...
    #[arg(long)]
    family: String,
    /// When it was bought
    #[arg(long, value_name = "INSTANT")]
    purchased: String,
    /// When cancelling is asked for
    #[arg(long, value_name = "INSTANT")]
    asked: String,
    /// The price of a seat and a billing period, `10.08 EUR`
    #[arg(long, value_name = "MONEY")]
    price: String,
    /// Seats
    #[arg(long, default_value_t = 1)]
    quantity: i64,
    /// The length of the term; without it, bought for good
    #[arg(long, value_name = "DURATION")]
    term: Option<String>,
    /// monthly, annual, one_time or none
    #[arg(long)]
    billing: String,
    /// The ISO code of the country of the customer's bill, for its laws
    #[arg(long)]
    country: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The family; all of them without
    family: Option<String>,
    /// Only the rows in force for what is bought or done then: a day or an instant
    #[arg(long, value_name = "DATE")]
    at: Option<String>,
    /// As the laws of this country have them (ISO code of the customer's bill)
    #[arg(long)]
    country: Option<String>,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::Quote(quote) => quote.run(context).await,
            Verb::Show(show) => show.run(context),
        }
    }
}

impl Quote {
    async fn run(&self, context: &Context) -> Outcome {
        let mut body = json!({
            "family": self.family, "purchased": self.purchased, "asked": self.asked, "price": self.price,
            "quantity": self.quantity, "billing": self.billing,
        });
        if let Some(term) = &self.term {
            body["term"] = term.as_str().into();
        }
        if let Some(country) = &self.country {
            body["country"] = country.clone().into();
        }
        let answer =
            context.ask(super::connect::Access::Look, axum::http::Method::POST, "/v1/terms/quote", Some(&body)).await?;
        if context.out.format != Format::Table {
            context.out.record(&answer)?;
            return Ok(Exit::Done);
        }
        let allowed = answer.get("allowed").and_then(Value::as_bool).unwrap_or(false);
        let text = |path: &str| plain(cell(&answer, path));
        let (word, rule) = (if allowed { "allowed" } else { "refused" }, text("rule"));
        // What refuses before any rule is looked at has none.
        let by = if rule.is_empty() { String::new() } else { format!(" by rule {rule}") };
        let mut out = format!("{word}{by}: {}\n", text("reason"));
        for (label, path) in [("until", "allowedUntil"), ("refund", "refund")] {
            let value = text(path);
            if !value.is_empty() {
                out.push_str(&format!("  {label:7} {value}\n"));
            }
        }
        if let Some(row) = answer.get("row").filter(|row| row.is_object()) {
            out.push_str(&format!("  row     {}: {}\n", text("row.table"), text("row.says")));
            let (from, until) = (text("row.from"), text("row.until"));
            if !from.is_empty() || !until.is_empty() {
                out.push_str(&format!("  dated   {} by {}\n", dates(&from, &until), text("row.datedBy")));
            }
            let source = plain(cell(row, "source"));
            let written = format!("{}:{}", text("row.file"), text("row.line"));
            out.push_str(&format!(
                "  written {}\n",
                if source.is_empty() { written } else { format!("{written}, from {source}") }
            ));
        }
        context.out.text(&out)?;
        Ok(Exit::Done)
    }
}

fn dates(from: &str, until: &str) -> String {
    match (from, until) {
        ("", "") => "always".to_owned(),
        (from, "") => format!("from {from}"),
        ("", until) => format!("until {until}"),
        (from, until) => format!("from {from} until {until}"),
    }
}

impl Show {
    fn run(&self, context: &Context) -> Outcome {
        let terms = self.terms(context)?;
        let known: Vec<&str> = terms.files().iter().filter_map(|(path, _)| family_of(path)).collect();
        let Some(family) = &self.family else {
            context.out.text(&known.iter().map(|name| format!("{name}\n")).collect::<String>())?;
            return Ok(Exit::Done);
        };
        let mut texts = terms.files().iter().filter(|(path, _)| family_of(path) == Some(family)).peekable();
        if texts.peek().is_none() {
            let hint = bursar::suggest::nearest(family, known.iter().copied())
                .map_or_else(|| format!("there are {}", known.join(", ")), |near| format!("did you mean {near}?"));
            return Err(Failure::new(Exit::NotFound, format!("there are no terms of {family:?}")).mend(&hint));
        }
        if self.at.is_some() || self.country.is_some() || context.out.format != Format::Table {
            return self.rows(context, &terms, family);
        }
        for (path, text) in texts {
            context.out.text(&format!("# {path}\n{}\n", plain_lines(text.trim_end())))?;
        }
        Ok(Exit::Done)
    }

    /// The rows in force, each with its rule, its source and its place.
    fn rows(&self, context: &Context, terms: &std::sync::Arc<Terms>, family: &str) -> Outcome {
        let at = self.at.as_deref().map(calendar::day_or_instant).transpose();
        let at = at.map_err(|refusal| Failure::usage(refusal.message))?;
        let there = terms.in_country(&self.country.as_deref().unwrap_or_default().to_ascii_uppercase());
        let held = there.family(family).told_at(at);
        if context.out.format == Format::Table {
            let line = |told: &Told| {
                let source = if told.source.is_empty() { "-" } else { told.source.as_str() };
                let place = format!("{}:{}", told.place.file, told.place.line);
                let by = if told.dated_by == DatedBy::Always { "" } else { told.dated_by.as_str() };
                let when = [by, &told.when()].join(" ");
                plain(format!("{:10} {:12} {}: {} [{source}; {place}]", told.rule, told.table, when.trim(), told.says))
            };
            context.out.text(&held.iter().map(|told| line(told) + "\n").collect::<String>())?;
            return Ok(Exit::Done);
        }
        let rows: Vec<Value> = held
            .iter()
            .map(|told| {
                json!({
                    "rule": told.rule, "table": told.table, "datedBy": told.dated_by.as_str(),
                    "from": told.from.map(calendar::show), "until": told.until.map(calendar::show), "says": told.says,
                    "source": told.source, "file": told.place.file, "line": told.place.line,
                })
            })
            .collect();
        context.out.record(&json!({ "family": family, "at": at.map(calendar::show), "rows": rows }))?;
        Ok(Exit::Done)
    }

    /// The library's own rows count; a library that does not load has the built-in terms.
    fn terms(&self, context: &Context) -> Result<std::sync::Arc<Terms>, Failure> {
        match app::library::read(&context.load()?, &api::kit()) {
            Ok((_, terms)) => Ok(terms),
            Err(findings) => {
                context.out.say(&format!("the library has {} findings: these are the built-in terms", findings.len()));
                let builtin = Terms::builtin().map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
                Ok(builtin.into())
            }
        }
    }
}

fn family_of(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.strip_suffix(".toml")
}
