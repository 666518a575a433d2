//! `bursar token`: making and revoking access tokens.

use axum::http::Method;
use bursar::domain::{Instant, calendar};
use clap::{Args, Subcommand};
use serde_json::json;

use super::connect::{Access, Context, encoded};
use super::exit::{Exit, Outcome};
use super::init::instant;
use super::output::{Format, cell, plain};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make one and print its secret, this once
    Create(Create),
    /// Let one count no more
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What it is for; of a user's token the user's name, unless given
    #[arg(required_unless_present = "user")]
    name: Option<String>,
    /// The user it acts as, with the roles they have whenever it is used
    #[arg(long = "user", short = 'u', value_name = "NAME")]
    user: Option<String>,
    /// What it may do: subscriptions.read, propose.cancellation, decide.*, *; of a user's token, what of the roles it may
    #[arg(long = "grant", short = 'g', value_name = "GRANT", required_unless_present = "user")]
    grants: Vec<String>,
    /// Only for this tenant; may be given several times
    #[arg(long = "tenant", value_name = "ID")]
    tenants: Vec<String>,
    /// When it ends
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    expires: Option<Instant>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The token's id, as `tokens list` shows it
    id: String,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::Create(create) => create.run(context).await,
            Verb::Revoke(Revoke { id }) => {
                let path = format!("/v1/tokens/{}", encoded(&id));
                context.ask(Access::Look, Method::DELETE, &path, None).await?;
                context.out.say(&format!("revoked {id}"));
                Ok(Exit::Done)
            }
        }
    }
}

impl Create {
    async fn run(&self, context: &Context) -> Outcome {
        let mut body = json!({ "grants": self.grants });
        for (member, value) in [("name", &self.name), ("user", &self.user)] {
            if let Some(value) = value {
                body[member] = value.clone().into();
            }
        }
        if !self.tenants.is_empty() {
            body["tenants"] = json!(self.tenants);
        }
        if let Some(expires) = self.expires {
            body["expiresAt"] = calendar::show(expires).into();
        }
        let answer = context.ask(Access::Look, Method::POST, "/v1/tokens", Some(&body)).await?;
        if context.out.format != Format::Table {
            context.out.record(&answer)?;
            return Ok(Exit::Done);
        }
        context.out.text(&format!("{}\n", plain(cell(&answer, "secret"))))?;
        let may = match (&self.user, self.grants.is_empty()) {
            (Some(_), true) => format!("acts as {}", plain(cell(&answer, "user"))),
            (Some(_), false) => format!("acts as {} and may {}", plain(cell(&answer, "user")), self.grants.join(", ")),
            (None, _) => format!("may {}", self.grants.join(", ")),
        };
        context.out.say(&format!("{} {may}; this secret is shown only now", cell(&answer, "id|token.id")));
        Ok(Exit::Done)
    }
}
