//! A process killed by SIGKILL, again and again, in the middle of what it does: proposals, labels, and sweeps of term ends on a
//! manual clock. What it had answered is there afterwards; nothing is there twice or by halves; the next process goes on.
//!
//! The worker is this test binary, started again with a variable in its environment. It says what it begins and, once that
//! is durable, what it has done; the parent kills it at a moment of its choosing and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bursar::app::{App, Error as AppError, Options};
use bursar::config::Config;
use bursar::domain::change::Kind;
use bursar::domain::ledger::{ChargeType, Line};
use bursar::domain::request::{Request, State};
use bursar::domain::{Change, Id, Instant, SubscriptionId, calendar};
use bursar::ops::{Rights, Work, ledger, requests, subscriptions};
use bursar::{store, triggers};

use crate::world::{at, large_book, person, sub_id};

const FOLDER: &str = "BURSAR_TEST_CRASH_FOLDER";
const SEED: &str = "BURSAR_TEST_CRASH_SEED";
const KILLS: u64 = 50;
const KILL_AFTER_MS_MAX: u64 = 150;
const SUBSCRIPTIONS: u8 = 4;
/// What one worker does before it gives up waiting to be killed.
const STEPS_MAX: u64 = 100_000;
/// Nobody has to answer: what is proposed is done.
const POLICY: &str = "//! Everything is fine.\n//! ---\n//! decides = [\"quantity\", \"renewal\"]\n//! ---\nfn decide(request) { approve(); }\n";
/// A schedule, so that occurrences are swept as well: it leaves a label with the day it ran for.
const SCRIPT: &str = "//! Marks the first of each month.\n//! ---\n//! grants = [\"subscriptions.read\", \"labels.write\"]\n//! on = [{ cron = \"0 0 1 * *\", zone = \"UTC\", each = { status = \"active\" } }]\n//! ---\nfn run(event) { event.subscription.label(\"marked\", event.due.to_string()); }\n";

fn config(folder: &Path) -> Config {
    Config { store: folder.join("store.bursar"), library: folder.to_owned(), ..Config::default() }
}

/// The script thread that answered last may hold the application a moment longer than who asked.
fn open(folder: &Path) -> App {
    for _ in 0..100 {
        let options = Options { script_threads: Some(2), ..Options::default() };
        match App::open(&config(folder), options) {
            Err(AppError::Store { source: store::Error::Locked, .. }) => std::thread::sleep(Duration::from_millis(20)),
            other => return other.unwrap(),
        }
    }
    panic!("somebody else holds the store");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The worker: does nothing unless the test below has started it.
#[test]
fn worker() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    runtime().block_on(work(Path::new(&folder)));
}

/// One line a step begun, one a step done, each on its way before the next.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@ {text}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

async fn work(folder: &Path) {
    let app = open(folder);
    say("open");
    let begun = app.store().durable();
    for step in 0..STEPS_MAX {
        let id = sub_id(u8::try_from(step % u64::from(SUBSCRIPTIONS)).unwrap() + 1);
        let mark = begun * 1_000_000 + step;
        match step % 3 {
            0 => label(&app, id, mark).await,
            1 => more_seats(&app, id).await,
            _ => {
                let to = app.now() + chrono::TimeDelta::days(9);
                say(&format!("begin clock {}", calendar::show(to)));
                triggers::advance(&app, to).await.unwrap();
                say(&format!("done clock {}", calendar::show(to)));
            }
        }
    }
}

async fn label(app: &App, id: SubscriptionId, mark: u64) {
    say(&format!("begin label {id} {mark}"));
    let body = move |work: &mut Work| subscriptions::label(work, id, "mark", Some(&mark.to_string()));
    app.act(person("anna"), app.next_cause("crash"), body).await.unwrap();
    say(&format!("done label {id} {mark}"));
}

async fn more_seats(app: &App, id: SubscriptionId) {
    // Whoever was killed on the way left ends of terms to be processed; until they are, no seats change.
    triggers::tick(app).await.unwrap();
    let seats = app.read(Rights::system(), |work| subscriptions::get(work, id)).unwrap().value.standing.quantity + 1;
    say(&format!("begin seats {id} {seats}"));
    let change = Change::Quantity { quantity: seats };
    let body = move |work: &mut Work| requests::propose(work, id, change.clone(), "more people");
    let proposed = app.act(person("anna"), app.next_cause("crash"), body).await.unwrap();
    let request = proposed.request.unwrap();
    assert_eq!(request.state, State::Applied, "{request:?}");
    say(&format!("done seats {id} {seats} {}", request.id));
}

/// What a worker is known to have done, and what it was doing.
#[derive(Default)]
struct Told {
    is_open: bool,
    labels: BTreeMap<SubscriptionId, u64>,
    seats: BTreeMap<SubscriptionId, i64>,
    requests: BTreeSet<Id>,
    clock: Option<Instant>,
    doing: Option<String>,
    done: u64,
}

impl Told {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["open"] => self.is_open = true,
            ["begin", ..] => self.doing = Some(line.trim_start_matches("begin ").to_owned()),
            ["done", what @ ..] => {
                self.doing = None;
                self.done += 1;
                match what {
                    ["label", id, mark] => drop(self.labels.insert(id.parse().unwrap(), mark.parse().unwrap())),
                    ["seats", id, seats, request] => {
                        self.seats.insert(id.parse().unwrap(), seats.parse().unwrap());
                        self.requests.insert(request.parse().unwrap());
                    }
                    ["clock", to] => self.clock = Some(at(to)),
                    _ => panic!("{line}"),
                }
            }
            _ => panic!("{line}"),
        }
    }

    /// Whether the step that was cut off is this one: then both what was and what was to be are right.
    fn was_doing(&self, step: &str) -> bool {
        self.doing.as_deref() == Some(step)
    }
}

/// A worker that does not outlive the test.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Worker {
    fn start(folder: &Path) -> Worker {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "crash::worker", "--nocapture", "--test-threads", "1"]);
        command.env(FOLDER, folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Worker(command.spawn().unwrap())
    }

    /// Kills it so long after it has opened the store, or after it was started; and tells what it had said.
    fn kill_after(mut self, wait: Duration, is_after_open: bool, told: &mut Told) {
        let mut lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let mut take = |line: std::io::Result<String>| {
            // A line that was cut off says nothing; the pipe carries a line whole.
            if let Some(line) = line.unwrap().strip_prefix("@ ") {
                told.take(line);
            }
        };
        if is_after_open {
            for line in lines.by_ref() {
                let is_open = line.as_ref().is_ok_and(|line| line == "@ open");
                take(line);
                if is_open {
                    break;
                }
            }
        }
        std::thread::sleep(wait);
        self.0.kill().unwrap();
        lines.for_each(take);
        let status = self.0.wait().unwrap();
        let mut complaint = String::new();
        std::io::Read::read_to_string(&mut self.0.stderr.take().unwrap(), &mut complaint).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "it ended by itself: {complaint}");
    }
}

fn check(folder: &Path, told: &Told) {
    let app = open(folder);
    let verified = app.store().verify(&mut |_| {}).unwrap();
    assert!(verified.corrupt.is_empty(), "{verified:?}");
    assert!(verified.rows > 0);
    let clock = app.now();
    let (last, doing) = (told.clock, told.doing.as_deref());
    assert!(
        last.is_none_or(|last| clock == last || clock > last && doing.is_some_and(|doing| doing.starts_with("clock "))),
        "{clock} {last:?} {doing:?}"
    );
    for number in 1..=SUBSCRIPTIONS {
        check_subscription(&app, sub_id(number), told);
    }
    for id in &told.requests {
        let request = app.read(Rights::system(), |work| requests::get(work, *id)).unwrap();
        assert_eq!(request.state, State::Applied, "{id} was answered");
    }
}

fn check_subscription(app: &App, id: SubscriptionId, told: &Told) {
    let subscription = app.read(Rights::system(), |work| subscriptions::get(work, id)).unwrap().value;
    let story = app.read(Rights::system(), |work| ledger::story(work, id, 100_000)).unwrap();
    let mark = subscription.profile.labels.get("mark").map(|mark| mark.parse::<u64>().unwrap());
    if mark != told.labels.get(&id).copied() {
        assert!(mark.is_some_and(|mark| told.was_doing(&format!("label {id} {mark}"))), "{id}: {mark:?}");
    }
    let seats = subscription.standing.quantity;
    if seats != told.seats.get(&id).copied().unwrap_or(10) {
        assert!(told.was_doing(&format!("seats {id} {seats}")), "{id}: {seats} seats");
    }
    check_ledger(&story.lines, &story.requests, seats);
    // Term after term, each begun where the one before ended, up to where the subscription stands.
    let mut starts = BTreeSet::new();
    let mut renewals: Vec<&Line> = story.lines.iter().filter(|line| line.kind == ChargeType::Renew).collect();
    renewals.sort_by_key(|line| line.period_start);
    let mut end = at("2027-02-28T00:00:00Z");
    for line in renewals {
        assert!(starts.insert(line.period_start), "{id}: {} was charged twice", line.period_start);
        assert_eq!(line.period_start, end, "{id}: a term is missing or overlaps");
        end = line.period_end;
    }
    assert_eq!(subscription.standing.term_end, Some(end), "{id}: the term and the ledger differ");
}

/// The ledger and the requests tell the same: each line has its applied request, each applied request its lines.
fn check_ledger(lines: &[Line], all: &[Request], seats: i64) {
    let applied: BTreeMap<Id, &Request> =
        all.iter().filter(|request| request.state == State::Applied).map(|request| (request.id, request)).collect();
    let mut lines_of: BTreeMap<Id, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let request = line.request.expect("renewals and seats come from requests");
        assert!(applied.contains_key(&request), "{line:?} comes from no applied request");
        lines_of.entry(request).or_default().push(line);
    }
    let mut more = 0;
    for (id, request) in applied {
        let kinds: Vec<ChargeType> = lines_of.get(&id).into_iter().flatten().map(|line| line.kind).collect();
        let expected: &[ChargeType] = match request.kind {
            Kind::Renewal => &[ChargeType::Renew],
            Kind::Quantity => &[ChargeType::AddQuantity, ChargeType::AddQuantity],
            kind => panic!("nobody proposed a {kind:?}"),
        };
        assert_eq!(kinds, expected, "{id}");
        more += i64::from(request.kind == Kind::Quantity);
    }
    assert_eq!(seats, 10 + more, "seats and the requests for them differ");
}

fn seed() -> u64 {
    let given = std::env::var_os(SEED).and_then(|seed| seed.to_str()?.parse().ok());
    given.unwrap_or_else(|| RandomState::new().build_hasher().finish() % 1_000_000)
}

#[test]
fn a_process_killed_fifty_times_keeps_what_it_answered_and_does_nothing_twice() {
    let seed = seed();
    println!("{SEED}={seed}");
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("policies/fine.rhai", POLICY), ("scripts/mark.rhai", SCRIPT)] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    App::init(&config(folder.path()), [9; 16], Some(at("2027-01-31T12:00:00Z"))).unwrap();
    let app = open(folder.path());
    let body = large_book(SUBSCRIPTIONS).to_string();
    let report = runtime().block_on(app.import(Rights::system(), "book".to_owned(), body, Default::default())).unwrap();
    assert_eq!(report.refused, 0);
    drop(app);
    let (mut told, mut state, mut opened) = (Told::default(), seed, 0);
    for round in 0..KILLS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait = Duration::from_millis((state >> 33) % (KILL_AFTER_MS_MAX + 1));
        told.is_open = false;
        // Every fifth is killed wherever it is, opening the store included.
        Worker::start(folder.path()).kill_after(wait, round % 5 != 4, &mut told);
        opened += u64::from(told.is_open);
        println!(
            "round {round}: killed after {} ms, {} steps answered, doing {:?}",
            wait.as_millis(),
            told.done,
            told.doing
        );
        check(folder.path(), &told);
        told.settle(folder.path());
    }
    goes_on(folder.path());
    check(folder.path(), &Told::default().settled(folder.path()));
    assert!(opened >= KILLS * 4 / 5, "seed {seed}");
    assert!(told.done >= KILLS, "seed {seed}: only {} steps were answered", told.done);
    assert!(told.clock.is_some_and(|clock| clock > at("2027-04-01T00:00:00Z")), "seed {seed}: no term ended");
}

/// After the last kill nothing is stuck: two months later the schedule has marked every subscription on its day.
fn goes_on(folder: &Path) {
    let app = open(folder);
    let later = app.now() + chrono::TimeDelta::days(62);
    runtime().block_on(triggers::advance(&app, later)).unwrap();
    let day = later.format("%Y-%m-01").to_string();
    for number in 1..=SUBSCRIPTIONS {
        let found = app.read(Rights::system(), |work| subscriptions::get(work, sub_id(number))).unwrap().value;
        let marked = found.profile.labels.get("marked");
        assert!(marked.is_some_and(|marked| marked.starts_with(&day)), "{number}: {marked:?}, not {day}");
    }
}

impl Told {
    fn settled(mut self, folder: &Path) -> Told {
        self.settle(folder);
        self
    }

    /// What was found after a kill is what is known from then on.
    fn settle(&mut self, folder: &Path) {
        let app = open(folder);
        self.clock = Some(app.now());
        self.doing = None;
        for number in 1..=SUBSCRIPTIONS {
            let id = sub_id(number);
            let found = app.read(Rights::system(), |work| subscriptions::get(work, id)).unwrap().value;
            self.seats.insert(id, found.standing.quantity);
            if let Some(mark) = found.profile.labels.get("mark") {
                self.labels.insert(id, mark.parse().unwrap());
            }
        }
    }
}
