//! `bursar test`: runs the tests of policies and scripts, each in a store of its own in memory.

use std::path::PathBuf;

use bursar::testing::{self, Error, TestReport};
use clap::Args;
use serde_json::json;

use super::check::{config_for, rendered};
use super::connect::Context;
use super::exit::{Exit, Failure, Outcome};
use super::output::{Format, plain_lines};

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Only tests whose file or name holds this
    filter: Option<String>,
    /// The folder with policies/, scripts/ and lib/; else the configured library
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Test {
    pub(crate) fn run(&self, context: &Context) -> Outcome {
        let config = config_for(context, self.dir.as_deref())?;
        let mut unwritten = None;
        let mut tell = |report: TestReport| {
            let passed = report.passed();
            let told = match context.out.format {
                Format::Table | Format::Csv => context.out.text(&format!("{}\n", plain_lines(&report.to_string()))),
                Format::Json | Format::Jsonl => {
                    let mut record = json!(report);
                    record["passed"] = json!(passed);
                    context.out.record(&record)
                }
            };
            if let Err(failure) = told {
                unwritten.get_or_insert(failure);
            }
        };
        let summary = match testing::run(&config, self.filter.as_deref(), &mut tell) {
            Ok(summary) => summary,
            Err(Error::Library(findings)) => {
                context.out.say(&rendered(&config.library, &findings));
                return Err(Failure::new(Exit::Check, format!("{} findings; no test was run", findings.len())));
            }
            Err(error @ Error::NoSuchTest { .. }) => return Err(Failure::new(Exit::NotFound, error.to_string())),
            Err(error) => return Err(Failure::new(Exit::Failed, bursar::app::chain(&error))),
        };
        if let Some(failure) = unwritten {
            return Err(failure);
        }
        match context.out.format {
            Format::Table | Format::Csv => context.out.text(&format!("{summary}\n"))?,
            Format::Json | Format::Jsonl => context.out.record(&json!(summary))?,
        }
        Ok(if summary.failed > 0 { Exit::Failed } else { Exit::Done })
    }
}
