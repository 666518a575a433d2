//! `bursar users`: the people who work here, their roles, and who may work no more.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded};
use super::exit::{Exit, Failure, Outcome};
use super::nouns::{self, List, Reading, Show};
use super::output::{Format, cell, plain};
use super::software::resolve;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List those that fit
    List(List),
    /// Show one, by id, name or address
    Show(Show),
    /// Make one; a token follows with `bursar token create --user NAME`
    Create(Create),
    /// Give and take roles, and the tenants of a Sales agent
    Roles(Roles),
    /// Let one work no more; every token of theirs ends at once
    Disable(One),
    /// Let one work again
    Enable(One),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Who they are, for ever
    name: String,
    /// Their user principal name
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// How people call them
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A role; may be given several times
    #[arg(long = "role", short = 'r', value_name = "ROLE")]
    roles: Vec<String>,
    /// A customer assigned to them, by id, name or domain; may be given several times
    #[arg(long = "assign", value_name = "CUSTOMER")]
    assigned: Vec<String>,
    /// The customer whose user they are, by id, name or domain; without it the partner's own
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Roles {
    /// Who, by name or address
    who: String,
    /// A role to give
    #[arg(long, value_name = "ROLE")]
    add: Vec<String>,
    /// A role to take
    #[arg(long, value_name = "ROLE")]
    remove: Vec<String>,
    /// A customer to assign: id, name or domain
    #[arg(long, value_name = "CUSTOMER")]
    assign: Vec<String>,
    /// A customer to assign no more
    #[arg(long, value_name = "CUSTOMER")]
    unassign: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Who, by name or address
    who: String,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::List(list) => list.run(context, nouns::USERS).await,
            Verb::Show(show) => Reading::Show(show).run(context, nouns::USERS).await,
            Verb::Create(create) => create.run(context).await,
            Verb::Roles(roles) => roles.run(context).await,
            Verb::Disable(one) => one.becomes(context, "disabled").await,
            Verb::Enable(one) => one.becomes(context, "active").await,
        }
    }
}

impl Create {
    async fn run(&self, context: &Context) -> Outcome {
        let mut body = json!({
            "name": self.name, "email": self.email, "roles": self.roles,
        });
        if let Some(name) = &self.display_name {
            body["displayName"] = name.as_str().into();
        }
        if let Some(customer) = &self.customer {
            body["customer"] = resolve(context, customer).await?.into();
        }
        body["assigned"] = all(context, &self.assigned).await?.into();
        told(context, &context.ask(Access::Look, Method::POST, "/v1/users", Some(&body)).await?)
    }
}

impl Roles {
    async fn run(&self, context: &Context) -> Outcome {
        let path = format!("/v1/users/{}", encoded(&self.who));
        let before = context.look(&path).await?;
        let roles = changed(&before, "roles", &self.add, &self.remove);
        let (more, fewer) = (all(context, &self.assign).await?, all(context, &self.unassign).await?);
        let assigned = changed(&before, "assigned", &more, &fewer);
        let body = json!({ "roles": roles, "assigned": assigned });
        told(context, &context.ask(Access::Look, Method::PATCH, &path, Some(&body)).await?)
    }
}

/// The ids of customers told by id, name or domain.
async fn all(context: &Context, told: &[String]) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    for one in told {
        ids.push(resolve(context, one).await?);
    }
    Ok(ids)
}

/// A list of a record with some texts more and some fewer.
fn changed(record: &Value, member: &str, more: &[String], fewer: &[String]) -> Vec<String> {
    let had = record.get(member).and_then(Value::as_array).into_iter().flatten();
    let mut list: Vec<String> = had.filter_map(Value::as_str).map(str::to_owned).collect();
    list.retain(|one| !fewer.iter().any(|gone| gone.eq_ignore_ascii_case(one)));
    list.extend(more.iter().cloned());
    list
}

impl One {
    async fn becomes(&self, context: &Context, state: &str) -> Outcome {
        let path = format!("/v1/users/{}", encoded(&self.who));
        told(context, &context.ask(Access::Look, Method::PATCH, &path, Some(&json!({ "state": state }))).await?)
    }
}

/// A user in one line.
fn told(context: &Context, user: &Value) -> Outcome {
    if context.out.format != Format::Table {
        context.out.record(user)?;
        return Ok(Exit::Done);
    }
    let text = |path: &str| plain(cell(user, path));
    let roles = if text("roles").is_empty() { "no role".to_owned() } else { text("roles") };
    context.out.text(&format!("{} {} ({}): {roles}, {}\n", text("id"), text("name"), text("email"), text("state")))?;
    Ok(Exit::Done)
}
