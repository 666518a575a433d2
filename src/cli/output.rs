//! What is printed: data on standard output as a table for people, JSON, JSON lines or CSV; talk on standard error.
//! Nothing that came from outside reaches a terminal unescaped, and no cell becomes a formula in a spreadsheet.

use std::io::{self, Write};

use bursar::domain::Currency;
use clap::ValueEnum;
use comfy_table::{Table, presets};
use rust_decimal::Decimal;
use serde_json::Value;

use super::amounts::written_out;
use super::exit::{Exit, Failure};

/// Letters of a table's cell, at most.
const CELL_LETTERS_MAX: usize = 120;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON record a line.
    Jsonl,
    /// Comma separated, with a head line.
    Csv,
}

/// A column: its heading and where its value stands in a record (`a.b`, `list.*.b` of each, alternatives parted by `|`;
/// `a~b`: the amount at `a` in the currency at `b`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column(pub(crate) &'static str, pub(crate) &'static str);

/// Where things are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
}

impl Out {
    /// A line for people on standard error, unless they asked for quiet.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }

    /// Text for people on standard output.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        write_out(text.as_bytes())
    }

    /// One record: fields under each other for people.
    pub(crate) fn record(&self, record: &Value) -> Result<(), Failure> {
        match self.format {
            Format::Table => write_out(detail(&written_out(record)).as_bytes()),
            Format::Json => write_out(format!("{record:#}\n").as_bytes()),
            Format::Jsonl => write_out(format!("{record}\n").as_bytes()),
            Format::Csv => {
                let record = written_out(record);
                let flat: Vec<(String, String)> =
                    record.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect();
                let heads: Vec<&str> = flat.iter().map(|(name, _)| name.as_str()).collect();
                let cells: Vec<String> = flat.iter().map(|(_, value)| value.clone()).collect();
                write_out(
                    format!("{}{}", csv_line(heads.into_iter()), csv_line(cells.iter().map(String::as_str))).as_bytes(),
                )
            }
        }
    }

    /// A page of records. `head` is false for every page but the first.
    pub(crate) fn rows(&self, items: &[Value], columns: &[Column], head: bool) -> Result<(), Failure> {
        let mut out = String::new();
        match self.format {
            Format::Json => out = format!("{:#}\n", Value::Array(items.to_vec())),
            Format::Jsonl => items.iter().for_each(|item| out.push_str(&format!("{item}\n"))),
            Format::Csv => {
                if head {
                    out.push_str(&csv_line(columns.iter().map(|column| column.0)));
                }
                for item in items {
                    let item = written_out(item);
                    let cells: Vec<String> = columns.iter().map(|column| cell(&item, column.1)).collect();
                    out.push_str(&csv_line(cells.iter().map(String::as_str)));
                }
            }
            Format::Table if items.is_empty() => self.say("nothing found"),
            Format::Table => out = table(items, columns),
        }
        write_out(out.as_bytes())
    }
}

fn table(items: &[Value], columns: &[Column]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|column| column.0));
    for item in items {
        let item = written_out(item);
        table.add_row(columns.iter().map(|column| short(plain(cell(&item, column.1)))));
    }
    let mut out: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if out.is_empty() {
        out.push('\n');
    }
    out
}

/// A cell that leaves the others their place; `-o json` has all of it.
fn short(text: String) -> String {
    match text.char_indices().nth(CELL_LETTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The text of the first alternative that is there.
pub(crate) fn cell(item: &Value, path: &str) -> String {
    let there = |path: &str| lookup(item, path).filter(|value| !value.is_null()).map(text);
    let shown = |path: &str| match (path.split_once(".*."), path.split_once('~')) {
        (Some((list, inner)), _) => {
            let of_each = lookup(item, list)?.as_array()?.iter().map(|one| cell(one, inner));
            Some(of_each.collect::<Vec<_>>().join(", "))
        }
        (None, Some((amount, currency))) => Some(in_minor_units(there(amount)?, there(currency))),
        (None, None) => there(path),
    };
    path.split('|').find_map(shown).unwrap_or_default()
}

/// A bare amount with as many decimal places as its currency has, or more where it has more.
fn in_minor_units(amount: String, currency: Option<String>) -> String {
    let currency = currency.and_then(|code| code.parse::<Currency>().ok());
    match (amount.parse::<Decimal>(), currency) {
        (Ok(mut number), Some(currency)) if number.scale() < currency.minor_digits() => {
            number.rescale(currency.minor_digits());
            number.to_string()
        }
        _ => amount,
    }
}

/// The value at `a.b` in a record.
pub(crate) fn lookup<'a>(item: &'a Value, path: &str) -> Option<&'a Value> {
    let step = |value: &'a Value, name: &str| value.get(name).or_else(|| value.get(name.parse::<usize>().ok()?));
    path.split('.').try_fold(item, step)
}

/// A value as one text.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(is_one_text) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => match (fields.get("amount"), fields.get("currency")) {
            (Some(amount), Some(currency)) => format!("{} {}", text(amount), text(currency)),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// Whether a value is told in one text: a word, a number, an amount of money.
fn is_one_text(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.len() == 2 && fields.contains_key("amount") && fields.contains_key("currency"),
        Value::Array(_) => false,
        _ => true,
    }
}

/// A record as a person reads it: a field a line, nested ones further in.
pub(crate) fn detail(record: &Value) -> String {
    let mut out = String::new();
    fields(record, 0, &mut out);
    out
}

fn fields(value: &Value, depth: usize, out: &mut String) {
    let margin = "  ".repeat(depth);
    let Some(object) = value.as_object() else {
        out.push_str(&format!("{margin}{}\n", plain(text(value))));
        return;
    };
    let flat = |value: &Value| match value {
        Value::Object(fields) => fields.is_empty() || is_one_text(value),
        Value::Array(items) => items.iter().all(is_one_text),
        _ => true,
    };
    let told = |value: &Value| flat(value) && !text(value).is_empty();
    let width = object.iter().filter(|(_, value)| told(value)).map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in object {
        let empty = value.is_null()
            || value.as_object().is_some_and(serde_json::Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_str().is_some_and(str::is_empty);
        if empty {
            continue;
        }
        if flat(value) {
            let behind = format!("\n{margin}{:width$}  ", "");
            let told = plain_lines(text(value).trim_end()).replace('\n', &behind);
            out.push_str(&format!("{margin}{:width$}  {told}\n", plain(name)));
            continue;
        }
        out.push_str(&format!("{margin}{}\n", plain(name)));
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(&format!("{margin}  -\n"));
                    }
                    fields(item, depth + 1, out);
                }
            }
            other => fields(other, depth + 1, out),
        }
    }
}

/// Text in which every control character is visible and does nothing.
pub(crate) fn plain(text: impl AsRef<str>) -> String {
    let mut out = String::with_capacity(text.as_ref().len());
    for letter in text.as_ref().chars() {
        let turning = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turning { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
    out
}

/// The same for texts of several lines.
pub(crate) fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

fn csv_line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut line = cells.map(csv_cell).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn csv_cell(text: &str) -> String {
    // A number below zero is data; anything else that a spreadsheet would run is kept as text.
    let number = text.parse::<Decimal>().is_ok();
    let formula = !number && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guarded = if formula { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(Exit::Failed, format!("write to standard output: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_never_becomes_a_formula() {
        for (text, written) in [
            ("=1+1", "'=1+1"),
            ("+x", "'+x"),
            ("-x", "'-x"),
            ("@sum", "'@sum"),
            ("-12.50", "-12.50"),
            ("a,b", "\"a,b\""),
            ("=\"x\"", "\"'=\"\"x\"\"\""),
            ("plain", "plain"),
        ] {
            assert_eq!(csv_cell(text), written);
        }
    }

    #[test]
    fn nothing_from_outside_commands_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{7}\u{202e}\n"), "a\\u{1b}[2Jb\\u{7}\\u{202e}\\u{a}");
        let shown = detail(&json!({ "name": "x\u{1b}]0;title\u{7}", "deep": { "list": [{ "k": "\r" }] } }));
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\r']), "{shown:?}");
    }

    #[test]
    fn a_text_of_several_lines_is_shown_in_as_many() {
        let shown = detail(&json!({ "form": { "about": "one\ntwo\u{7}\n", "b": "x" } }));
        assert_eq!(shown, "form\n  about  one\n         two\\u{7}\n  b      x\n");
    }

    #[test]
    fn one_long_cell_does_not_push_the_others_out() {
        let rows = [json!({ "a": "x".repeat(10_000), "b": "y" }), json!({ "a": "\u{e9}".repeat(121), "b": "z" })];
        let shown = table(&rows, &[Column("A", "a"), Column("B", "b")]);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 3, "{shown}");
        assert!(lines[1].contains("xxx...  y") && lines[2].contains("\u{e9}...  z"), "{shown}");
        assert!(lines.iter().all(|line| line.chars().count() < 135), "{shown}");
    }

    #[test]
    fn alternatives_and_money_are_read_from_a_record() {
        let item = json!({ "a": null, "b": { "c": { "amount": "1.50", "currency": "EUR" } } });
        assert_eq!(cell(&item, "a|b.c"), "1.50 EUR");
        assert_eq!(cell(&item, "x|y.z"), "");
        let bill =
            json!({ "total": 11.5, "whole": 100, "exact": "0.125", "currency": "EUR", "yen": "JPY", "odd": "?" });
        for (path, shown) in [
            ("total~currency", "11.50"),
            ("whole~currency", "100.00"),
            ("exact~currency", "0.125"),
            ("whole~yen", "100"),
            ("total~odd", "11.5"),
            ("total~none", "11.5"),
            ("none~currency|whole", "100"),
        ] {
            assert_eq!(cell(&bill, path), shown, "{path}");
        }
        let sent =
            json!({ "to": [{ "name": "erp", "state": "sent" }, { "name": "crm", "state": "dead" }], "none": [] });
        assert_eq!((cell(&sent, "to.*.state"), cell(&sent, "none.*.state|x")), ("sent, dead".into(), String::new()));
        let owed = json!([{ "amount": "1.50", "currency": "EUR" }, { "amount": "2", "currency": "USD" }]);
        assert_eq!(text(&owed), "1.50 EUR, 2 USD");
        assert_eq!(detail(&json!({ "overdue": owed })), "overdue  1.50 EUR, 2 USD\n");
    }
}
