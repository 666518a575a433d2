//! `bursar library`: the policies and scripts of a running store.

use clap::{Args, Subcommand};
use serde_json::json;

use super::connect::Context;
use super::exit::{Exit, Outcome};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Read the folder again; a broken one changes nothing
    Reload(Reload),
}

#[derive(Debug, Args)]
pub(crate) struct Reload {}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let Verb::Reload(_) = self;
        let answer = context.change("/v1/library/reload", &json!({})).await?;
        context.out.record(&answer)?;
        let broken = answer.get("findings").and_then(serde_json::Value::as_array).is_some_and(|found| {
            found.iter().any(|finding| finding.get("severity").is_some_and(|severity| severity == "error"))
        });
        Ok(if broken { Exit::Check } else { Exit::Done })
    }
}
