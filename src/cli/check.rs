//! `bursar check`: reads policies, scripts, terms and the configuration, and tells everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bursar::app;
use bursar::config::{self, Config};
use bursar::engine::{Diagnostic, api};
use clap::Args;
use serde_json::json;

use super::connect::Context;
use super::exit::{Exit, Failure, Outcome, chain};
use super::output::{Format, plain_lines};

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The folder with policies/, scripts/ and lib/; else the configured library
    dir: Option<PathBuf>,
}

/// The configuration for a folder: its own `bursar.toml` when it has one, else the usual one with this library.
pub(crate) fn config_for(context: &Context, dir: Option<&Path>) -> Result<Config, Failure> {
    let Some(dir) = dir else { return context.load() };
    if !dir.is_dir() {
        return Err(Failure::usage(format!("{} is no folder", dir.display())));
    }
    let own = dir.join("bursar.toml");
    if context.config.is_none() && own.is_file() {
        return Ok(Config::load(Some(&own), &config::environment)?);
    }
    let base = context.config.as_ref().map(|_| context.load()).transpose()?.unwrap_or_default();
    Ok(Config { library: dir.to_path_buf(), ..base })
}

impl Check {
    pub(crate) fn run(&self, context: &Context) -> Outcome {
        let config = config_for(context, self.dir.as_deref())?;
        let (findings, files) = match app::library::read_with_tests(&config, &api::kit()) {
            Ok((library, _)) => ([&library.warnings[..], &library.notes].concat(), Some(library.files.len())),
            Err(findings) => (findings, None),
        };
        let mut findings = findings;
        // Not an error here: a library is also checked where its secrets are not.
        findings.extend(config.secret_problems().into_iter().map(|(whose, problem)| {
            let file = config.file.as_ref().map_or_else(String::new, |file| file.display().to_string());
            Diagnostic::warning(problem.code(), &file, (0, 0, 0), format!("[{whose}] {}", chain(&problem)))
        }));
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        match context.out.format {
            Format::Json => context.out.record(&json!({ "errors": errors, "findings": findings }))?,
            Format::Jsonl => {
                for finding in &findings {
                    context.out.record(&json!(finding))?;
                }
            }
            Format::Table | Format::Csv => context.out.text(&rendered(&config.library, &findings))?,
        }
        match files {
            _ if errors > 0 => {
                context.out.say(&format!("{}, {}", counted(errors, "error"), counted(findings.len(), "finding")))
            }
            Some(files) => {
                context.out.say(&format!(
                    "{}, no errors, {}",
                    counted(files, "file"),
                    counted(findings.len(), "finding")
                ));
            }
            None => {}
        }
        Ok(if errors > 0 { Exit::Check } else { Exit::Done })
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn rendered(library: &Path, findings: &[Diagnostic]) -> String {
    let mut sources: BTreeMap<&str, String> = BTreeMap::new();
    let mut out = String::new();
    for finding in findings {
        // A file that is gone since is shown without its line.
        let source = sources
            .entry(&finding.file)
            .or_insert_with(|| std::fs::read_to_string(library.join(&finding.file)).unwrap_or_default());
        out.push_str(&plain_lines(&finding.render(source)));
        out.push('\n');
    }
    out
}
