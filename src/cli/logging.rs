//! Where logs go: standard error, filtered by `BURSAR_LOG`, a line a person reads on a terminal and JSON elsewhere.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::output::plain;

/// The target under which everything that was done is told.
const ACTIVITY: &str = "bursar::activity";

/// What is logged when `BURSAR_LOG` does not say.
pub(crate) fn default_filter(verbose: u8, serving: bool, showing: bool) -> String {
    let level = match (verbose, serving) {
        (0, false) => "warn",
        (0, true) | (1, _) => "info",
        (2, _) => "debug",
        _ => "trace",
    };
    let shown = if showing { ",bursar::activity=debug" } else { "" };
    format!("warn,bursar={level}{shown}")
}

/// What subscriptions are called, for lines that people read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Arc<Mutex<BTreeMap<String, String>>>);

impl Names {
    /// Calls an id by this name from now on.
    pub(crate) fn call(&self, id: String, name: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, name);
    }

    fn of(&self, id: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

/// Sets up logging for this process; called once, by `main`.
///
/// # Errors
/// A filter that does not read.
pub(crate) fn start(filter: &str, people: bool, names: Names) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("BURSAR_LOG: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if people || std::io::stderr().is_terminal() {
        let colours = bursar::config::environment("NO_COLOR").is_none() && std::io::stderr().is_terminal();
        builder.event_format(Human { colours, names }).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    started.map_err(|error| error.to_string())
}

/// A panic that the store catches is damage of its file, which an error names: here it is a line of the log and no more.
pub(crate) fn quieten_caught_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if bursar::store::Store::catches_panics_here() {
            let at = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::debug!(at, "the engine met damage");
        } else {
            tell(panic);
        }
    }));
}

/// One event, one line; nothing in it commands a terminal.
struct Human {
    colours: bool,
    names: Names,
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
    at: String,
    operation: String,
    by: String,
    subscription: String,
    note: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field.name(), &super::exit::chain(value));
    }
}

impl Line {
    fn put(&mut self, name: &str, value: &str) {
        let value = plain(value);
        match name {
            "message" => self.message = value,
            "at" => self.at = value,
            "operation" => self.operation = value,
            "by" => self.by = value,
            "note" => self.note = value,
            "subscription" => self.subscription = value,
            _ if value.is_empty() || value == "None" => {}
            // Writing to a string cannot fail.
            _ => drop(write!(self.fields, " {name}={value}")),
        }
    }
}

impl Human {
    /// What was done, as a sentence. An import has a report of its own.
    fn activity(&self, out: &mut Writer<'_>, line: &Line) -> fmt::Result {
        if line.operation.starts_with("import.") {
            return Ok(());
        }
        let time = line.at.get(11..19).unwrap_or(&line.at);
        let name = self.names.of(&line.subscription).unwrap_or_else(|| line.subscription.clone());
        let note = if line.note.is_empty() { String::new() } else { format!(": {}", line.note) };
        writeln!(out, "  {time}  {:24} {}{note}  [{}{}]", line.operation, plain(name), line.by, line.fields)
    }
}

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let about = event.metadata();
        let (colour, word) = match *about.level() {
            Level::ERROR => ("31", "error"),
            Level::WARN => ("33", "warning"),
            Level::INFO => ("32", "info"),
            Level::DEBUG => ("34", "debug"),
            Level::TRACE => ("90", "trace"),
        };
        if about.target() == ACTIVITY {
            return self.activity(&mut out, &line);
        }
        let word = if self.colours { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word.to_owned() };
        for (name, value) in [
            ("at", &line.at),
            ("operation", &line.operation),
            ("by", &line.by),
            ("subscription", &line.subscription),
            ("note", &line.note),
        ] {
            if !value.is_empty() {
                line.fields.push_str(&format!(" {name}={value}"));
            }
        }
        writeln!(out, "{word}: {}{}", line.message, line.fields)
    }
}
