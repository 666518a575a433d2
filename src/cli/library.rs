//! `bursar library`: the policies and scripts of a running store.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Context, encoded};
use super::exit::{Exit, Outcome};
use super::nouns::{is_error, tell_findings};
use super::output::{Format, cell, plain, plain_lines};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Read the folder again; a broken one changes nothing
    Reload(Reload),
    /// Show what a hash in a decision stands for: the file as it was, with its lib files and params
    Source(Source),
}

#[derive(Debug, Args)]
pub(crate) struct Reload {}

#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The hash, or its beginning as `requests show` tells it
    hash: String,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::Reload(_) => reload(context).await,
            Verb::Source(source) => source.run(context).await,
        }
    }
}

async fn reload(context: &Context) -> Outcome {
    let answer = context.change("/v1/library/reload", &json!({})).await?;
    let findings = answer.get("findings").and_then(Value::as_array);
    let broken = findings.is_some_and(|found| found.iter().any(is_error));
    if context.out.format == Format::Table {
        tell_findings(context, &answer);
        let files = answer.get("files").and_then(Value::as_array).map_or(0, Vec::len);
        let hash: String = cell(&answer, "hash").chars().take(16).collect();
        context.out.text(&format!("{files} files in force, library {hash}\n"))?;
    } else {
        context.out.record(&answer)?;
    }
    Ok(if broken { Exit::Check } else { Exit::Done })
}

impl Source {
    async fn run(&self, context: &Context) -> Outcome {
        let source = context.look(&format!("/v1/sources/{}", encoded(self.hash.trim_start_matches('@')))).await?;
        if context.out.format != Format::Table {
            context.out.record(&source)?;
            return Ok(Exit::Done);
        }
        let text = |name: &str| source.get(name).and_then(Value::as_str).unwrap_or_default();
        let own = text("path");
        let files = source.get("files").and_then(Value::as_object);
        // The file itself first, then what it names.
        let mut files: Vec<(&String, &Value)> = files.into_iter().flatten().collect();
        files.sort_by_key(|(path, _)| (*path != own, *path));
        let mut out = String::new();
        for (path, file) in files {
            let body = plain_lines(file.as_str().unwrap_or_default());
            out.push_str(&format!("==> {} <==\n{}\n\n", plain(path), body.trim_end()));
        }
        if !text("params").trim().is_empty() {
            out.push_str(&format!("==> params <==\n{}\n\n", plain_lines(text("params")).trim_end()));
        }
        context.out.text(&format!("{}\n", out.trim_end()))?;
        context.out.say(&format!("hash {}", text("hash")));
        if !text("terms").is_empty() {
            context.out.say(&format!(
                "under the terms {0}: bursar library source {0}",
                &text("terms").chars().take(16).collect::<String>()
            ));
        }
        Ok(Exit::Done)
    }
}
