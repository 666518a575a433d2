//! `bursar clock`, `bursar tick` and `bursar upcoming`: time, and what it brings.

use bursar::app::{self, App};
use bursar::domain::calendar;
use bursar::store;
use bursar::triggers;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Context, encoded, socket_path};
use super::exit::{Exit, Failure, Outcome, chain};
use super::output::{Column, Format, cell};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what time it is for the store
    Show(Show),
    /// Move a manual clock, processing what falls due on the way
    Advance(Advance),
}

#[derive(Debug, Args)]
pub(crate) struct Show {}

#[derive(Debug, Args)]
pub(crate) struct Advance {
    /// How far: P30D, PT1H
    #[arg(value_name = "DURATION", required_unless_present = "to", conflicts_with = "to")]
    by: Option<String>,
    /// Where to
    #[arg(long, value_name = "INSTANT")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Tick {}

#[derive(Debug, Args)]
pub(crate) struct Upcoming {
    /// How far ahead
    #[arg(long = "for", value_name = "DURATION", default_value = "P30D")]
    span: String,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let answer = match self {
            Verb::Show(_) => context.look("/v1/clock").await?,
            Verb::Advance(Advance { by: Some(by), .. }) => {
                context.change("/v1/clock/advance", &json!({ "by": by })).await?
            }
            Verb::Advance(Advance { to, .. }) => context.change("/v1/clock/advance", &json!({ "to": to })).await?,
        };
        told(context, &answer)?;
        Ok(Exit::Done)
    }
}

/// What moved: for people the time first, and of the counts those that counted something.
fn told(context: &Context, answer: &Value) -> Result<(), Failure> {
    let moved = answer.get("timers").is_some();
    if context.out.format != Format::Table || !moved {
        return context.out.record(answer);
    }
    let mut out = format!("{:12} {}\n", "now", cell(answer, "now"));
    for (name, count) in answer.as_object().into_iter().flatten() {
        if count.as_u64().is_some_and(|count| count > 0) {
            out.push_str(&format!("{name:12} {count}\n"));
        }
    }
    context.out.text(&out)
}

impl Tick {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        if context.url.is_some() {
            return Err(Failure::usage("a daemon ticks by itself; tick is for a system without one"));
        }
        let config = context.load()?;
        let app = match App::open(&config, app::Options::default()) {
            Err(app::Error::Store { source: store::Error::Locked, .. })
                if tokio::net::UnixStream::connect(socket_path(&config.store)).await.is_ok() =>
            {
                context.out.say("a daemon has the store and processes what is due by itself");
                return Ok(Exit::Done);
            }
            opened => opened.map_err(|error| Failure::opening(error, &config.store))?,
        };
        let done = once(&app).await;
        let now = calendar::show(app.now());
        app.close().await;
        let mut record = done.map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
        record["now"] = now.into();
        told(context, &record)?;
        Ok(Exit::Done)
    }
}

/// What a daemon does by itself, once.
async fn once(app: &App) -> app::Result<Value> {
    let ticked = triggers::tick(app).await?;
    let mut record = json!(ticked);
    record["messages"] = triggers::outbox::send_due(app).await?.into();
    triggers::retention::run(app).await?;
    Ok(record)
}

const COMING: &[Column] = &[
    Column("AT", "at"),
    Column("EVENT", "event"),
    Column("WHAT", "name|trigger"),
    Column("OUTCOME", "outcome"),
    Column("CHARGE", "charge"),
    Column("SUBSCRIPTION", "subscription"),
    Column("REQUEST", "request"),
];

impl Upcoming {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let answer = context.look(&format!("/v1/upcoming?for={}", encoded(&self.span))).await?;
        let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        if items.is_empty() && context.out.format == Format::Table {
            context.out.say(&format!("nothing within {}", self.span));
            return Ok(Exit::Done);
        }
        context.out.rows(&items, COMING, true)?;
        Ok(Exit::Done)
    }
}
