//! `bursar activity`: who did what, as a list, as CSV, and the checkpoint of the log.

use axum::http::Method;
use bursar::domain::TenantId;
use clap::{Args, Subcommand};

use super::connect::{Access, Context, encoded, said};
use super::exit::{Exit, Outcome};
use super::nouns::{self, List, PAGE, PAGES_MAX, Show, page_of};
use super::output::{Column, Format, Out, cell, plain};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List what was done, newest first
    List(Narrowed),
    /// Show one: its id, or that of the request or subscription it was about
    Show(Show),
    /// Write it as CSV, of the last month unless another time is asked for
    Csv(Narrow),
    /// Where the log stands: keep it elsewhere, and `verify --checkpoint` tells later whether it was rewritten
    Checkpoint,
}

#[derive(Debug, Args)]
pub(crate) struct Narrowed {
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Args)]
pub(crate) struct Narrow {
    /// From this day or instant on
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Before this day or instant
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Only of this customer: its id or its name
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Only this operation: our word (`subscription.renewed`) or Partner Center's (`get_software_key`)
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,
}

/// The columns of Partner Center's own export.
const CSV: &[Column] = &[
    Column("Date-Time", "at"),
    Column("Affected customer", "companyName|tenant"),
    Column("Action", "action"),
    Column("Partner user", "userPrincipalName"),
];

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::List(Narrowed { narrow, mut list }) => {
                let conditions = narrow.conditions();
                list.wheres.extend(conditions.into_iter().map(|(name, value)| format!("{name}={value}")));
                list.run(context, nouns::ACTIVITY).await
            }
            Verb::Show(show) => {
                context.out.record(&nouns::find(context, nouns::ACTIVITY, show.id()).await?)?;
                Ok(Exit::Done)
            }
            Verb::Csv(narrow) => narrow.csv(context).await,
            Verb::Checkpoint => {
                let found = context.look("/v1/activity/checkpoint").await?;
                if context.out.format == Format::Table {
                    context.out.text(&format!("{}\n", plain(cell(&found, "checkpoint"))))?;
                } else {
                    context.out.record(&found)?;
                }
                Ok(Exit::Done)
            }
        }
    }
}

impl Narrow {
    fn conditions(&self) -> Vec<(&'static str, String)> {
        let customer = self.customer.as_ref().map(|text| match text.parse::<TenantId>() {
            Ok(id) => ("tenant", id.to_string()),
            Err(_) => ("company_name", text.clone()),
        });
        let dated = [("at_after", &self.from), ("at_before", &self.to), ("operation", &self.operation)];
        let dated = dated.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
        dated.chain(customer).collect()
    }

    async fn csv(&self, context: &Context) -> Outcome {
        let mut query: String =
            self.conditions().iter().map(|(name, value)| format!("&{name}={}", encoded(value))).collect();
        if self.from.is_none() && self.to.is_none() {
            query.push_str("&last=P1M");
        }
        let out = Out { format: Format::Csv, ..context.out };
        let client = context.connect(Access::Look).await?;
        let mut cursor: Option<String> = None;
        for page in 0..PAGES_MAX {
            let mut path = format!("/v1/activity?limit={PAGE}{query}");
            if let Some(cursor) = &cursor {
                path.push_str(&format!("&cursor={}", encoded(cursor)));
            }
            let (items, next) = page_of(said(&client.request(Method::GET, &path, None).await?)?);
            out.rows(&items, CSV, page == 0)?;
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        client.close();
        Ok(Exit::Done)
    }
}
