//! `bursar run`: one script, now.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::connect::Context;
use super::exit::{Exit, Failure, Outcome};
use super::hooks::read_input;
use super::output::{Format, cell, plain, plain_lines};

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The script by its path in the library, scripts/dunning.rhai
    file: String,
    /// A file with the event as JSON; - reads standard input
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// The handler; `run` without
    #[arg(long, value_name = "NAME")]
    call: Option<String>,
    /// Show what it would do and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Run {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let mut body = json!({ "file": self.file, "dryRun": self.dry_run });
        if let Some(path) = &self.event {
            let event: Value = serde_json::from_slice(&read_input(path)?)
                .map_err(|error| Failure::usage(format!("{} is no JSON: {error}", path.display())))?;
            body["event"] = event;
        }
        if let Some(call) = &self.call {
            body["handler"] = call.as_str().into();
        }
        let answer = context.change("/v1/run", &body).await?;
        let run = answer.get("run").filter(|run| run.is_object()).unwrap_or(&answer);
        if context.out.format == Format::Table {
            let text = |path: &str| plain(cell(run, path));
            let dry = if self.dry_run { " (dry: nothing was changed)" } else { "" };
            context.out.say(&format!("{} {} {}{dry}", text("ending"), text("file"), text("id")));
            for effect in run.get("effects").and_then(Value::as_array).into_iter().flatten() {
                context.out.say(&format!("  {}", effect.as_str().map_or_else(|| plain(effect.to_string()), plain)));
            }
            let output = cell(run, "output");
            if !output.is_empty() {
                context.out.text(&format!("{}\n", plain_lines(output.trim_end())))?;
            }
        } else {
            context.out.record(&answer)?;
        }
        match cell(run, "ending").as_str() {
            "completed" | "" => Ok(Exit::Done),
            _ => {
                // The message ends with its code and its place.
                let failure = Failure::new(Exit::Failed, plain(cell(run, "error.message")));
                let chosen = cell(run, "error.code") != "not_found" || self.call.is_some();
                Err(if chosen { failure } else { failure.mend("--call NAME chooses the handler") })
            }
        }
    }
}
