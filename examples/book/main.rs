//! Writes a large book as Partner Center's JSON: `cargo run --release --example book -- --subscriptions 100000 --out /tmp/book`.
//!
//! The same options give the same bytes. Files hold at most 5,000 rows each: the catalogue with its prices, customers,
//! orders and subscriptions. What stands in them is in `generated.rs`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use bursar::domain::calendar;
use clap::Parser;
use serde_json::Value;

mod generated;

use generated::Book;

/// Rows of one file.
const ROWS_MAX: usize = 5_000;

/// Writes a book of subscriptions as Partner Center's JSON.
#[derive(Parser)]
struct Options {
    /// How many subscriptions and purchases of software.
    #[arg(long, default_value_t = 10_000)]
    subscriptions: usize,
    /// How many customers; none: one for every twelve subscriptions.
    #[arg(long)]
    tenants: Option<usize>,
    /// Another seed is another book.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The day the book is about: every term holds it.
    #[arg(long, default_value = "2026-11-20T00:00:00Z")]
    now: String,
    /// Where the files go.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let tenants = options.tenants.unwrap_or(options.subscriptions / 12).max(1);
    let now = calendar::instant(&options.now)?;
    let book = Book { seed: options.seed, customers: tenants, now };
    fs::create_dir_all(&options.out).with_context(|| format!("create {}", options.out.display()))?;
    write_files(&options, "catalogue", generated::catalogue().into_iter().map(Ok))?;
    write_files(&options, "customers", (0..tenants).map(|index| Ok(book.customer(index))))?;
    write_files(&options, "orders", (0..options.subscriptions).map(|index| book.order(index)))?;
    let subscriptions = (0..options.subscriptions).filter_map(|index| book.subscription(index).transpose());
    write_files(&options, "subscriptions", subscriptions)?;
    eprintln!("{} subscriptions of {tenants} customers in {}", options.subscriptions, options.out.display());
    Ok(())
}

/// Writes rows in collections of at most [`ROWS_MAX`].
fn write_files(options: &Options, noun: &str, rows: impl Iterator<Item = anyhow::Result<Value>>) -> anyhow::Result<()> {
    let mut rows = rows.peekable();
    for number in 1.. {
        if rows.peek().is_none() {
            break;
        }
        let path = options.out.join(format!("{noun}-{number:04}.json"));
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        let mut file = BufWriter::new(file);
        file.write_all(b"{\"items\":[")?;
        for (place, row) in rows.by_ref().take(ROWS_MAX).enumerate() {
            let separator = if place > 0 { ",\n" } else { "\n" };
            write!(file, "{separator}{}", row?)?;
        }
        file.write_all(b"\n],\"attributes\":{\"objectType\":\"Collection\"}}\n")?;
        file.flush().with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
