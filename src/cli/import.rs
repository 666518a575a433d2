//! `bursar import partner-center`: records as Partner Center's API answers them, file by file, with a report of every
//! row.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method};
use bursar::client::Client;
use bytes::Bytes;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded, file_failure, said};
use super::exit::{Exit, Failure, Outcome};
use super::output::{Format, cell, plain};
use super::tenants;

/// Files of one import, at most.
const FILES_MAX: usize = 100_000;
const FOLDER_DEPTH_MAX: usize = 16;
/// Bytes of one file, at most: what an import takes in this process.
const FILE_BYTES_MAX: u64 = 1 << 29;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Customers, subscriptions, orders and offers in Partner Center's JSON
    PartnerCenter(PartnerCenter),
    /// What customers owe, from a file of comma separated values
    Accounts(tenants::Accounts),
}

#[derive(Debug, Args)]
pub(crate) struct PartnerCenter {
    /// Files, and folders with such files (.json, .jsonl, .http, .txt)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The documents win over what changed here since
    #[arg(long)]
    overwrite: bool,
    /// The customer of rows that name none
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
}

impl Verb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            Verb::PartnerCenter(import) => import.run(context).await,
            Verb::Accounts(accounts) => accounts.run(context).await,
        }
    }
}

/// The counts of a report, in the order they are told.
const COUNTS: [&str; 5] = ["taken", "changed", "unchanged", "conflicts", "refused"];

#[derive(Default)]
struct Totals {
    files: usize,
    unread: usize,
    counts: [u64; COUNTS.len()],
}

impl PartnerCenter {
    async fn run(&self, context: &Context) -> Outcome {
        let files = files(&self.paths)?;
        let client = context.connect(Access::Look).await?;
        let bar = progress(context, files.len());
        let mut totals = Totals::default();
        let mut reports = Vec::new();
        for path in &files {
            bar.set_message(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            let report = self.one(&client, path).await;
            bar.inc(1);
            totals.files += 1;
            match report {
                Ok(report) => {
                    for (count, name) in totals.counts.iter_mut().zip(COUNTS) {
                        *count += report.get(name).and_then(Value::as_u64).unwrap_or(0);
                    }
                    bar.suspend(|| told(context, path, &report))?;
                    reports.push(report);
                }
                // Busy, denied and unreachable concern every file; the rest only this one.
                Err(failure) if !matches!(failure.exit, Exit::Usage | Exit::Failed) => return Err(failure),
                Err(failure) => {
                    totals.unread += 1;
                    bar.suspend(|| eprintln!("{}: {}", plain(path.display().to_string()), failure.told));
                    reports.push(json!({ "name": path.display().to_string(), "error": failure.told }));
                }
            }
        }
        bar.finish_and_clear();
        client.close();
        self.summary(context, &totals, &reports)
    }

    async fn one(&self, client: &Client, path: &Path) -> Result<Value, Failure> {
        let length = std::fs::metadata(path).map_err(|error| file_failure("read", path, &error))?.len();
        if length > FILE_BYTES_MAX {
            return Err(Failure::usage(format!("{length} bytes; a file has at most {FILE_BYTES_MAX}")));
        }
        let bytes = std::fs::read(path).map_err(|error| file_failure("read", path, &error))?;
        // A byte that is no text in one string does not keep the rest from being read.
        let text = String::from_utf8_lossy(&bytes);
        send(client, &path.display().to_string(), &text, self.overwrite, self.customer.as_deref()).await
    }

    fn summary(&self, context: &Context, totals: &Totals, reports: &[Value]) -> Outcome {
        match context.out.format {
            Format::Json | Format::Jsonl => {
                let mut summary = json!({ "files": totals.files, "unread": totals.unread });
                for (name, count) in COUNTS.iter().zip(totals.counts) {
                    summary[*name] = count.into();
                }
                if context.out.format == Format::Json {
                    summary["reports"] = reports.into();
                }
                context.out.record(&summary)?;
            }
            Format::Table | Format::Csv => {
                let counts: Vec<String> =
                    COUNTS.iter().zip(totals.counts).map(|(name, count)| format!("{count} {name}")).collect();
                context.out.text(&format!("{} files: {}\n", totals.files, counts.join(", ")))?;
            }
        }
        if totals.unread > 0 {
            return Err(Failure::new(Exit::Failed, format!("{} files could not be read", totals.unread)));
        }
        Ok(Exit::Done)
    }
}

/// Sends one document.
pub(crate) async fn send(
    client: &Client,
    name: &str,
    text: &str,
    overwrite: bool,
    customer: Option<&str>,
) -> Result<Value, Failure> {
    let mut path = format!("/v1/import?name={}&overwrite={overwrite}", encoded(name));
    if let Some(customer) = customer {
        path.push_str(&format!("&tenant={}", encoded(customer)));
    }
    let media = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    said(&client.send(Method::POST, &path, &media, Bytes::copy_from_slice(text.as_bytes())).await?)
}

/// What became of a file: its counts, and every row that is not simply taken.
fn told(context: &Context, path: &Path, report: &Value) -> Result<(), Failure> {
    if context.out.format == Format::Jsonl {
        return context.out.record(report);
    }
    if context.out.format != Format::Table {
        return Ok(());
    }
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let counts: Vec<String> =
        COUNTS.iter().filter(|name| count(name) > 0).map(|name| format!("{} {name}", count(name))).collect();
    let counts = if counts.is_empty() { "nothing in it".to_owned() } else { counts.join(", ") };
    let mut out = format!("{}: {counts}\n", plain(path.display().to_string()));
    for row in report.get("rows").and_then(Value::as_array).into_iter().flatten() {
        let text = |path: &str| plain(cell(row, path));
        let why = match text("outcome").as_str() {
            "taken" | "unchanged" if text("notes").is_empty() => continue,
            "changed" => text("changed"),
            "refused" => format!("{} ({})", text("refusal.message"), text("refusal.code")),
            "conflict" => conflicts(row),
            _ => String::new(),
        };
        let line =
            format!("  {} {} {} {}: {why} {}", text("outcome"), text("place"), text("noun"), text("id"), text("notes"));
        out.push_str(line.trim_end().trim_end_matches(':'));
        out.push('\n');
    }
    context.out.text(&out)
}

fn conflicts(row: &Value) -> String {
    let found = row.get("conflicts").and_then(Value::as_array).into_iter().flatten();
    found.map(|conflict| plain(conflict.to_string())).collect::<Vec<_>>().join("; ")
}

fn progress(context: &Context, files: usize) -> ProgressBar {
    if context.out.quiet || files < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(files as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Every file of these paths, folders walked, in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let about = std::fs::metadata(path).map_err(|error| file_failure("read", path, &error))?;
        if about.is_dir() {
            walk(path, 0, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        return Err(Failure::usage("there are no files to read there").mend("name files, or folders with .json files"));
    }
    Ok(found)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| file_failure("read", folder, &error);
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() && depth < FOLDER_DEPTH_MAX {
            walk(&path, depth + 1, found)?;
        } else if path.is_file() && is_document(&path) {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(Failure::usage(format!("more than {FILES_MAX} files; import them in parts")));
        }
    }
    Ok(())
}

fn is_document(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ["json", "jsonl", "ndjson", "http", "txt"].iter().any(|known| ending == *known))
}
