//! How fast Bursar is, as ratios to floors measured in the same run: what the same machine does without Bursar.
//!
//! `cargo bench` runs all of it; `cargo bench -- sweep growth` some of it; `BURSAR_BENCH_SCALE=0.1` makes every number
//! of rows smaller (its ratios then say little). Files lie on the disk of the target folder, with the shipped settings.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench measures time and ends when something fails"
)]
#![allow(missing_docs, reason = "a program, not a library")]

mod data;
mod decision;
mod disk;
mod floor;
mod http;
mod sweep;
mod table;

#[global_allocator]
static METER: bursar::Meter = bursar::Meter;

type Bench = fn(&mut Vec<table::Line>);

const BENCHES: [(&str, Bench); 9] = [
    ("decision", decision::decision),
    ("sweep", sweep::sweep),
    ("hot", sweep::hot),
    ("threads", sweep::threads),
    ("durable", disk::durable_change),
    ("people", disk::people),
    ("growth", sweep::growth),
    ("start", disk::start),
    ("http", http::http),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(("--child", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return child(rest);
    }
    let mut lines = Vec::new();
    for (name, bench) in BENCHES {
        if arguments.is_empty() || arguments.iter().any(|wanted| wanted == name) {
            eprintln!("{name}");
            let before = lines.len();
            bench(&mut lines);
            lines[before..].iter().for_each(table::Line::tell);
        }
    }
    let _ = table::print(&lines);
}

/// Work that is measured in a process of its own, so that its memory is its own.
fn child(arguments: &[String]) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["generate", folder, all, due] => {
            let population = data::Population { all: all.parse().unwrap(), due: due.parse().unwrap() };
            data::generate(folder.as_ref(), population);
        }
        ["sweep", folder, threads, sets, pace] => {
            sweep::in_child(folder.as_ref(), threads.parse().unwrap(), sets.parse().unwrap(), pace == "rests");
        }
        ["hot", folder, threads, touches] => {
            sweep::hot_in_child(folder.as_ref(), threads.parse().unwrap(), touches == "true");
        }
        ["open", folder] => disk::open_in_child(folder.as_ref()),
        ["busy", folder] => disk::busy_in_child(folder.as_ref()),
        _ => panic!("no such child: {words:?}"),
    }
}

/// Runs this program again as a child and gives the numbers it prints, by name.
fn run_child(arguments: &[&str]) -> std::collections::BTreeMap<String, f64> {
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program).arg("--child").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, number)| (name.to_owned(), number.parse().unwrap())).collect()
}
