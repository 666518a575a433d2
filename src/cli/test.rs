//! `bursar test`: the tests beside the policies and scripts. It needs no store and no daemon.

use std::path::PathBuf;

use bursar::testing::{self, TestReport};
use clap::Args;
use serde_json::{Value, json};

use super::check::config_for;
use super::connect::Context;
use super::exit::{Exit, Failure, Outcome, chain};
use super::output::{Format, plain_lines};

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The folder with policies/, scripts/ and lib/; else the configured library
    dir: Option<PathBuf>,
    /// Only tests whose file or name holds this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

impl Test {
    pub(crate) fn run(&self, context: &Context) -> Outcome {
        let config = config_for(context, self.dir.as_deref())?;
        let mut reports: Vec<Value> = Vec::new();
        let mut printed = Ok(());
        let mut report = |told: TestReport| {
            let line = match context.out.format {
                Format::Table | Format::Csv => context.out.text(&format!("{}\n", plain_lines(&told.to_string()))),
                Format::Jsonl => context.out.record(&json!(told)),
                Format::Json => {
                    reports.push(json!(told));
                    Ok(())
                }
            };
            if printed.is_ok() {
                printed = line;
            }
        };
        let summary = testing::run(&config, self.only.as_deref(), &mut report).map_err(|error| not_run(&error))?;
        printed?;
        if context.out.format == Format::Json {
            let whole = json!({ "passed": summary.passed, "failed": summary.failed, "tests": reports });
            context.out.record(&whole)?;
        }
        context.out.say(&summary.to_string());
        Ok(if summary.failed == 0 { Exit::Done } else { Exit::Failed })
    }
}

fn not_run(error: &testing::Error) -> Failure {
    match error {
        testing::Error::Library(findings) => {
            let told: Vec<String> = findings.iter().map(|finding| plain_lines(&finding.to_string())).collect();
            Failure::new(Exit::Check, format!("{error}\n  {}", told.join("\n  ")))
                .mend("`bursar check` shows them with their lines")
        }
        testing::Error::NoSuchTest { .. } => Failure::new(Exit::NotFound, chain(error)),
        testing::Error::App { .. } | testing::Error::Thread { .. } => Failure::new(Exit::Failed, chain(error)),
    }
}
