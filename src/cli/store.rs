//! `bursar backup` and `bursar verify`: the store's file itself, whether a daemon serves it or nobody has it open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Method;
use bursar::client::Client;
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
        let store = Store::open(&context.load()?.store, &tables::ALL, Options::default())?;
        let copied = store.backup(&self.file, &mut |rows| bar.set_position(rows));
        store.close();
        let BackedUp { seq, rows, bytes } = copied?;
        Ok(json!({ "file": self.file.display().to_string(), "seq": seq, "rows": rows, "bytes": bytes }))
    }
}

impl Verify {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let path = match &self.file {
            Some(file) => file.clone(),
            None => context.load()?.store,
        };
        let bar = counting(context, "rows checked");
        let served = match &self.file {
            Some(_) => None,
            None => context.ask_daemon("/v1/verify", &json!({})).await?,
        };
        let verified = match served {
            Some(mut verified) => {
                verified["file"] = path.display().to_string().into();
                verified
            }
            None => alone(&path, &bar)?,
        };
        bar.finish_and_clear();
        let damaged = verified["corrupt"].as_array().map_or(0, Vec::len);
        let sound = damaged == 0 && verified["pagesSound"] != false;
        context.out.record(&verified)?;
        if sound {
            return Ok(Exit::Done);
        }
        let told = format!("{damaged} damaged rows in {}", path.display());
        Err(Failure::new(Exit::Failed, told).mend("put the last backup in its place, and keep this file"))
    }
}

fn alone(path: &Path, bar: &ProgressBar) -> Result<Value, Failure> {
    let verified = Store::verify_file(path, &tables::ALL, &mut |rows| bar.set_position(rows))?;
    let corrupt: Vec<_> = verified.corrupt.iter().map(|(table, key)| json!({ "table": table, "key": key })).collect();
    Ok(json!({
        "file": path.display().to_string(),
        "rows": verified.rows,
        "pagesSound": verified.pages_sound,
        "corrupt": corrupt,
    }))
}
