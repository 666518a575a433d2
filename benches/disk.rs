//! What one person waits for: a durable change alone and during a sweep, and the store opening.

use crate::data;
use crate::floor::two_syncs;
use crate::run_child;
use crate::sweep::{generated, small};
use crate::table::{Line, quantile};
use bursar::app::App;
use bursar::ops::{Rights, subscriptions};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn change(app: &App, number: usize) -> f64 {
    let id = data::subscription_id(number % small().all);
    let value = format!("value {number}");
    let cause = app.next_cause("bench");
    let begun = Instant::now();
    let labelled = app.act(Rights::system(), cause, move |work| subscriptions::label(work, id, "note", Some(&value)));
    labelled.await.unwrap();
    begun.elapsed().as_secs_f64() * 1e6
}

pub(crate) fn durable_change(lines: &mut Vec<Line>) {
    let base = generated(small());
    let (app, _clock) = data::open(base.path(), 2, 0);
    let runtime = runtime();
    let (mut floors, mut figures) = (Vec::new(), Vec::new());
    for round in 0..5 {
        floors.push(two_syncs(base.path(), 100));
        runtime.block_on(async {
            for number in 0..100 {
                figures.push(change(&app, round * 100_003 + number * 977).await);
            }
        });
    }
    lines.push(Line::at_most("durable change, p50", (quantile(floors, 0.5), "us"), quantile(figures, 0.5), 2.0));
}

pub(crate) fn people(lines: &mut Vec<Line>) {
    let base = generated(small());
    let (app, _clock) = data::open(base.path(), 2, data::SETS - 1);
    let runtime = runtime();
    let over = Arc::new(AtomicBool::new(false));
    let figures = runtime.block_on(async {
        let people: Vec<_> = (0..4)
            .map(|person| {
                let (app, over) = (app.clone(), over.clone());
                tokio::spawn(async move {
                    let mut figures = Vec::new();
                    while !over.load(Ordering::Relaxed) {
                        figures.push(change(&app, person * 20_011 + figures.len() * 131 + 7).await / 1e3);
                    }
                    figures
                })
            })
            .collect();
        let begun = Instant::now();
        let done = bursar::triggers::timers::run(&app, app.now()).await.unwrap();
        over.store(true, Ordering::Relaxed);
        let mut figures = Vec::new();
        for person in people {
            figures.extend(person.await.unwrap());
        }
        let millis = begun.elapsed().as_secs_f64() * 1e3;
        eprintln!("  {done} timers in {millis:.0} ms, {} changes beside them", figures.len());
        figures
    });
    eprintln!("  p50 {:.1} ms, max {:.1} ms", quantile(figures.clone(), 0.5), quantile(figures.clone(), 1.0));
    lines.push(Line::below("people in a sweep, p99", (quantile(figures, 0.99), "ms"), 60.0));
}

pub(crate) fn start(lines: &mut Vec<Line>) {
    // Measured with `growth` where that runs, on the store it has made.
    if lines.iter().any(|line| line.bench.starts_with("start")) {
        return;
    }
    let base = generated(crate::sweep::large());
    start_of(base.path(), lines);
}

pub(crate) fn start_of(folder: &Path, lines: &mut Vec<Line>) {
    let path = folder.to_str().unwrap();
    let clean = run_child(&["open", path])["ms"];
    lines.push(Line::below("start, clean", (clean, "ms"), 100.0));
    let program = std::env::current_exe().unwrap();
    let mut busy = std::process::Command::new(program)
        .args(["--child", "busy", path])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(busy.stdout.take().unwrap()).read_line(&mut told).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    busy.kill().unwrap();
    busy.wait().unwrap();
    let killed = run_child(&["open", path])["ms"];
    lines.push(Line::below("start, after a kill", (killed, "ms"), 2_000.0));
}

/// Opens, reads a subscription and prints how long that took.
pub(crate) fn open_in_child(folder: &Path) {
    let begun = Instant::now();
    let (app, _clock) = data::open(folder, 2, 0);
    let id = data::subscription_id(1);
    app.read(Rights::system(), |work| subscriptions::get(work, id)).unwrap();
    println!("ms={}", begun.elapsed().as_secs_f64() * 1e3);
}

/// Changes things until somebody kills it.
pub(crate) fn busy_in_child(folder: &Path) {
    let (app, _clock) = data::open(folder, 2, 0);
    println!("busy");
    runtime().block_on(async {
        for number in 0.. {
            change(&app, number * 131).await;
        }
    });
}
