//! `bursar backup` and `bursar verify`: the store's file itself, whether a daemon serves it or nobody has it open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Method;
use bursar::client::Client;
use bursar::ops::upkeep::{self, Counted};
use bursar::store::{BackedUp, Options, Store, tables};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::connect::{Context, file_failure, said, socket_path};
use super::exit::{Exit, Failure, Outcome};

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to make; nothing is overwritten
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A store's file; else the configured one
    file: Option<PathBuf>,
    /// A checkpoint kept from before, as `activity checkpoint` told it: nothing up to it may have been rewritten
    #[arg(long, value_name = "SEQUENCE:HASH")]
    checkpoint: Option<String>,
}

/// Shows that something goes on; nothing is drawn where nobody looks.
fn counting(context: &Context, what: &'static str) -> ProgressBar {
    if context.out.quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {pos}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl Context {
    /// Asks the daemon that has the store; none when nobody has it.
    async fn ask_daemon(&self, path: &str, body: &Value) -> Result<Option<Value>, Failure> {
        let socket = socket_path(&self.load()?.store);
        if tokio::net::UnixStream::connect(&socket).await.is_err() {
            return Ok(None);
        }
        let client = Client::socket(&socket);
        let answer = client.request(Method::POST, path, Some(body)).await;
        client.close();
        said(&answer?).map(Some)
    }
}

impl Backup {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let file = std::path::absolute(&self.file).map_err(|error| file_failure("name", &self.file, &error))?;
        let bar = counting(context, "rows copied");
        let copied = match context.ask_daemon("/v1/backup", &json!({ "file": file })).await? {
            Some(mut copied) => {
                copied["file"] = self.file.display().to_string().into();
                copied
            }
            None => self.alone(context, &bar)?,
        };
        bar.finish_and_clear();
        context.out.record(&copied)?;
        Ok(Exit::Done)
    }

    fn alone(&self, context: &Context, bar: &ProgressBar) -> Result<Value, Failure> {
        let path = context.load()?.store;
        let failed = |error| Failure::of_file(error, &path);
        let store = Store::open(&path, &tables::ALL, Options::default()).map_err(failed)?;
        let copied = store.backup(&self.file, &mut |rows| bar.set_position(rows));
        store.close();
        let BackedUp { seq, rows, bytes } = copied.map_err(failed)?;
        Ok(json!({ "file": self.file.display().to_string(), "seq": seq, "rows": rows, "bytes": bytes }))
    }
}

impl Verify {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let path = match &self.file {
            Some(file) => file.clone(),
            None => context.load()?.store,
        };
        let checkpoint = self.checkpoint.as_deref().map(read_checkpoint).transpose()?;
        let held = checkpoint.map(|(seq, _)| seq);
        let bar = counting(context, "rows checked");
        let served = match &self.file {
            Some(_) => None,
            None => context.ask_daemon("/v1/verify", &json!({ "held": held })).await?,
        };
        let verified = match served {
            Some(mut verified) => {
                verified["file"] = path.display().to_string().into();
                Ok(verified)
            }
            None => alone(context, &path, &bar, held),
        };
        bar.finish_and_clear();
        let verified = verified?;
        context.out.record(&verified)?;
        judge(&verified, &path, checkpoint)
    }
}

/// Verifies a file that nobody has open.
fn alone(context: &Context, path: &Path, bar: &ProgressBar, held: Option<u64>) -> Result<Value, Failure> {
    let failed = |error| Failure::of_file(error, path);
    let verified = Store::verify_file(path, &tables::ALL, &mut |rows| bar.set_position(rows)).map_err(failed)?;
    let mut counted = Counted::default();
    if verified.is_sound() {
        let store = Store::open(path, &tables::ALL, Options::default()).map_err(failed)?;
        let bar = counting(context, "months of invoices counted");
        let found = Counted::of(&store, held, &mut |months| bar.set_position(months));
        bar.finish_and_clear();
        store.close();
        counted = found.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    }
    let mut told = upkeep::report(&verified, &counted);
    told["file"] = path.display().to_string().into();
    Ok(told)
}

/// What a report comes to.
fn judge(verified: &Value, path: &Path, checkpoint: Option<(u64, &str)>) -> Outcome {
    let restore = "put the last backup in its place, and keep this file";
    let log = &verified["log"];
    if let Some(seq) = log["broken"]["sequence"].as_u64() {
        let told =
            format!("the log was changed: sequence {seq} is {}", log["broken"]["fault"].as_str().unwrap_or("odd"));
        return Err(Failure::new(Exit::Failed, told).mend(restore));
    }
    let damaged = verified["corrupt"].as_array().map_or(0, Vec::len);
    if damaged > 0 || verified["pagesSound"] == false {
        let told = format!("{damaged} damaged rows in {}", path.display());
        return Err(Failure::new(Exit::Failed, told).mend(restore));
    }
    let differing = verified["invoices"].as_array().map_or(0, Vec::len);
    if differing > 0 {
        let told = format!("{differing} invoices in {} differ from their lines", path.display());
        return Err(Failure::new(Exit::Failed, told).mend("look at their lines: bursar invoices lines ID"));
    }
    let Some((seq, hash)) = checkpoint else { return Ok(Exit::Done) };
    if log["held"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(hash)) {
        return Ok(Exit::Done);
    }
    let told = format!("the log was rewritten: it does not go through the checkpoint of sequence {seq}");
    Err(Failure::new(Exit::Failed, told).mend("what was written since the backup before it cannot be trusted"))
}

/// A checkpoint kept elsewhere, as `bursar activity checkpoint` tells it.
fn read_checkpoint(text: &str) -> Result<(u64, &str), Failure> {
    let read = text.trim().split_once(':').and_then(|(seq, hash)| Some((seq.parse::<u64>().ok()?, hash)));
    read.ok_or_else(|| {
        let told = format!("--checkpoint {text:?} is no SEQUENCE:HASH");
        Failure::usage(told).mend("`bursar activity checkpoint` tells the present one")
    })
}
