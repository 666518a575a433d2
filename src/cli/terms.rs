//! `bursar terms`: what the commerce terms say, about nobody's subscription in particular.

use bursar::app;
use bursar::domain::terms::Terms;
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
    #[arg(long)]
    quantity: i64,
    /// The length of the term
    #[arg(long, value_name = "DURATION")]
    term: String,
    /// monthly, annual, one_time or none
    #[arg(long)]
    billing: String,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The family; all of them without
    family: Option<String>,
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
        let body = json!({
            "family": self.family, "purchased": self.purchased, "asked": self.asked, "price": self.price,
            "quantity": self.quantity, "term": self.term, "billing": self.billing,
        });
        let answer =
            context.ask(super::connect::Access::Look, axum::http::Method::POST, "/v1/terms/quote", Some(&body)).await?;
        if context.out.format != Format::Table {
            context.out.record(&answer)?;
            return Ok(Exit::Done);
        }
        let allowed = answer.get("allowed").and_then(Value::as_bool).unwrap_or(false);
        let text = |path: &str| plain(cell(&answer, path));
        let mut out =
            format!("{} by rule {}: {}\n", if allowed { "allowed" } else { "refused" }, text("rule"), text("reason"));
        for (label, path) in [("until", "allowedUntil"), ("refund", "refund")] {
            let value = text(path);
            if !value.is_empty() {
                out.push_str(&format!("  {label:7} {value}\n"));
            }
        }
        context.out.text(&out)?;
        Ok(Exit::Done)
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
        for (path, text) in texts {
            context.out.text(&format!("# {path}\n{}\n", plain_lines(text.trim_end())))?;
        }
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
