//! `bursar backup` and `bursar verify`: the store's file itself. They need it for themselves: a daemon has to be
//! stopped first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bursar::ops::invoices::{self, Difference};
use bursar::store::{Options, Store, tables};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::connect::Context;
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

impl Backup {
    pub(crate) fn run(&self, context: &Context) -> Outcome {
        let config = context.load()?;
        let store = Store::open(&config.store, &tables::ALL, Options::default())?;
        let bar = counting(context, "rows copied");
        let copied = store.backup(&self.file, &mut |rows| bar.set_position(rows));
        bar.finish_and_clear();
        store.close();
        let copied = copied?;
        context.out.record(&json!({
            "file": self.file.display().to_string(),
            "seq": copied.seq,
            "rows": copied.rows,
            "bytes": copied.bytes,
        }))?;
        Ok(Exit::Done)
    }
}

/// The invoices that differ from their lines.
fn recounted(context: &Context, path: &Path) -> Result<Vec<Difference>, Failure> {
    let store = Store::open(path, &tables::ALL, Options::default())?;
    let bar = counting(context, "months of invoices counted");
    let counted = store.begin_durable().map_err(Into::into);
    let counted = counted.and_then(|mut tx| invoices::recount(&mut tx, &mut |months| bar.set_position(months)));
    bar.finish_and_clear();
    store.close();
    counted.map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

impl Verify {
    pub(crate) fn run(&self, context: &Context) -> Outcome {
        let path = match &self.file {
            Some(file) => file.clone(),
            None => context.load()?.store,
        };
        let bar = counting(context, "rows checked");
        let verified = Store::verify_file(&path, &tables::ALL, &mut |rows| bar.set_position(rows));
        bar.finish_and_clear();
        let verified = verified?;
        let chained = verified.chained;
        let corrupt: Vec<_> =
            verified.corrupt.iter().map(|(table, key)| json!({ "table": table, "key": key })).collect();
        let invoices = if verified.is_sound() { recounted(context, &path)? } else { Vec::new() };
        context.out.record(&json!({
            "file": path.display().to_string(),
            "rows": verified.rows,
            "pagesSound": verified.pages_sound,
            "corrupt": corrupt,
            "invoices": invoices,
            "log": {
                "since": chained.start,
                "records": chained.records,
                "checkpoint": chained.checkpoint(),
                "broken": chained.broken.map(|broken| json!({ "sequence": broken.seq, "fault": broken.fault.as_str() })),
            },
        }))?;
        let restore = "put the last backup in its place, and keep this file";
        if let Some(broken) = chained.broken {
            let told = format!("the log was changed: sequence {} is {}", broken.seq, broken.fault.as_str());
            return Err(Failure::new(Exit::Failed, told).mend(restore));
        }
        if !verified.is_sound() {
            let told = format!("{} damaged rows in {}", verified.corrupt.len(), path.display());
            return Err(Failure::new(Exit::Failed, told).mend(restore));
        }
        if !invoices.is_empty() {
            let told = format!("{} invoices in {} differ from their lines", invoices.len(), path.display());
            return Err(Failure::new(Exit::Failed, told).mend("look at their lines: bursar invoices lines ID"));
        }
        if let Some(checkpoint) = &self.checkpoint {
            holds(&path, checkpoint)?;
        }
        Ok(Exit::Done)
    }
}

/// Whether the chain of a store still goes through a checkpoint kept elsewhere.
fn holds(path: &Path, checkpoint: &str) -> Result<(), Failure> {
    let read = checkpoint.trim().split_once(':').and_then(|(seq, hash)| Some((seq.parse::<u64>().ok()?, hash)));
    let Some((seq, hash)) = read else {
        let told = format!("--checkpoint {checkpoint:?} is no SEQUENCE:HASH");
        return Err(Failure::usage(told).mend("`bursar activity checkpoint` tells the present one"));
    };
    let store = Store::open(path, &tables::ALL, Options::default())?;
    let known = store.chained_at(seq);
    store.close();
    let same = known?.is_some_and(|known| hex(&known).eq_ignore_ascii_case(hash));
    if same {
        return Ok(());
    }
    let told = format!("the log was rewritten: it does not go through the checkpoint of sequence {seq}");
    Err(Failure::new(Exit::Failed, told).mend("what was written since the backup before it cannot be trusted"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
