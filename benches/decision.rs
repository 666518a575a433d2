//! One decision in memory: a request, the policies, an answer - against the same call on the bare script engine.

use crate::data;
use crate::floor::Bare;
use crate::table::{Line, median};
use bursar::domain::decision::Verdict;
use bursar::domain::lifecycle;
use bursar::domain::{Change, Principal, Request, Subscription};
use bursar::engine::decide::Policies;
use bursar::engine::library::{Library, Settings as LibrarySettings};
use bursar::engine::sandbox::spawn_script_thread;
use bursar::engine::{Budget, script_thread};
use bursar::ops::{Ids, Judge, Rights, Settings, Work};
use bursar::store::{Store, tables};
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 7;
/// Decisions of one transaction.
const TOGETHER: usize = 100;

/// A request for the renewal of a subscription, as it is when the policies are asked.
pub(crate) fn request(subscription: &Subscription) -> Request {
    let terms = bursar::domain::terms::Terms::builtin().unwrap();
    let now = subscription.standing.term_end.unwrap();
    let change = Change::Renewal { term_end: now, amendments: Default::default() };
    let quote = lifecycle::quote(&terms, subscription, &change, subscription.profile.unit_price, now);
    Request {
        id: bursar::domain::Id::derive(bursar::domain::ids::Noun::Request, now.timestamp_millis(), b"bench"),
        tenant: subscription.tenant,
        subscription: subscription.id,
        kind: change.kind(),
        change,
        state: bursar::domain::request::State::Waiting,
        generation: 1,
        subscription_generation: 1,
        tenant_generation: 1,
        proposed_by: Principal::System,
        set_off_by: None,
        asks_only: false,
        why: "the term ends".to_owned(),
        cause: "timer:bench".to_owned(),
        proposed_at: now,
        quote,
        reasons: Vec::new(),
        decisions: Vec::new(),
        roles: Vec::new(),
        amendments: Default::default(),
        expires_at: None,
        otherwise: None,
        scheduled_for: None,
        ruling: None,
        closed_at: None,
        refusal: None,
        upstream: None,
        support: None,
    }
}

pub(crate) fn library() -> Arc<Library> {
    let texts = vec![("policies/renewal.rhai".to_owned(), data::policy())];
    Arc::new(Library::from_texts(texts, &LibrarySettings::default(), &bursar::engine::api::kit()).unwrap())
}

/// Nanoseconds a decision through `Policies` on this thread; each round is one measurement.
fn asked(store: &Store, library: &Arc<Library>, cases: &[(Request, Subscription)], rounds: usize) -> Vec<f64> {
    script_thread::take_up(library);
    let judge = Arc::new(Policies { budget: Budget::default() });
    let terms = Arc::new(bursar::domain::terms::Terms::builtin().unwrap());
    let settings = Arc::new(Settings::default());
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        for together in cases.chunks(TOGETHER) {
            let tx = store.begin().unwrap();
            let ids = Ids::new([0; 16], "bench");
            let (judge, terms, settings) = (judge.clone(), terms.clone(), settings.clone());
            let mut work = Work::new(tx, data::due(0), Rights::system(), ids, judge.clone(), terms, settings);
            for (request, subscription) in together {
                let judgement = judge.ask(&mut work, request, subscription).unwrap();
                assert_eq!(judgement.verdict, Verdict::Approve, "{:?}", judgement.reasons);
            }
        }
        measured.push(begun.elapsed().as_nanos() as f64 / cases.len() as f64);
    }
    measured
}

fn cases(count: usize) -> (Store, Arc<Vec<(Request, Subscription)>>) {
    let population = data::Population { all: count, due: count / 10 };
    let store = Store::memory(&tables::ALL, [7; 16]).unwrap();
    data::fill(&store, population);
    let cases = (0..count).map(|index| data::member(population, index));
    (store, Arc::new(cases.map(|subscription| (request(&subscription), subscription)).collect()))
}

pub(crate) fn decision(lines: &mut Vec<Line>) {
    let (store, cases) = cases(data::scaled(10_000));
    let library = library();
    let alone = {
        let (store, cases, library) = (store.clone(), cases.clone(), library.clone());
        spawn_script_thread("bench", move || {
            let bare = Bare::new(&cases);
            // In turns, so that what else the machine does hits both.
            let (mut floors, mut figures) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                floors.push(bare.nanos_a_call(&cases));
                figures.extend(asked(&store, &library, &cases, 1));
            }
            (median(floors), median(figures))
        })
    };
    let (floor, figure) = alone.unwrap().join().unwrap();
    lines.push(Line::at_most("decision", (floor / 1e3, "us"), figure / 1e3, 1.6));
    let both: Vec<_> = (0..2)
        .map(|_| {
            let (store, cases, library) = (store.clone(), cases.clone(), library.clone());
            spawn_script_thread("bench", move || median(asked(&store, &library, &cases, ROUNDS))).unwrap()
        })
        .collect();
    let rate: f64 = both.into_iter().map(|thread| 1e6 / thread.join().unwrap()).sum();
    lines.push(Line::at_least("decision, 2 threads", (1e6 / figure, "k/s"), rate, 1.8));
}
