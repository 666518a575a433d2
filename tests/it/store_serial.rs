//! Serializability: whatever threads do at once equals doing it one after the other in the order of the sequences.
//!
//! Every committed transaction leaves what it saw and what it wrote; the whole is replayed against a plain map. Switching a
//! check off must make the replay fail, or the test proves nothing. `BURSAR_TEST_TRANSACTIONS` sets how many, default 5,000.

use crate::store_contract::{KEPT, LOG, PLAIN, TABLES};
use bursar::store::{Defects, Error, KeyRange, Options, Store, Table, Tx};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

type Key = (u8, Vec<u8>);
type Model = BTreeMap<Key, Vec<u8>>;
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

const ACCOUNTS: u64 = 8;

enum Seen {
    Got(Key, Option<Vec<u8>>),
    Scanned { table: u8, from: Vec<u8>, to: Vec<u8>, limit: usize, reverse: bool, rows: Rows },
    Wrote(Key, Option<Vec<u8>>),
}

struct Done {
    seq: u64,
    snapshot: u64,
    is_additive: bool,
    appended: Vec<Vec<u8>>,
    seen: Vec<Seen>,
}

/// A transaction that notes what it sees.
struct Watched {
    tx: Tx,
    seen: Vec<Seen>,
    appended: Vec<Vec<u8>>,
}

impl Watched {
    fn get(&mut self, table: &Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = self.tx.get(table, key)?.map(|row| row.bytes.to_vec());
        self.seen.push(Seen::Got((table.code, key.to_vec()), value.clone()));
        Ok(value)
    }

    fn number(&mut self, table: &Table, key: &[u8]) -> Result<i64, Error> {
        Ok(self.get(table, key)?.map_or(0, |bytes| i64::from_be_bytes(bytes.try_into().unwrap())))
    }

    fn scan(&mut self, table: &Table, from: &[u8], to: &[u8], limit: usize, reverse: bool) -> Result<Rows, Error> {
        let rows = self.tx.scan(table, KeyRange::between(from, to), limit, reverse)?;
        let rows: Rows = rows.into_iter().map(|(key, row)| (key.to_vec(), row.bytes.to_vec())).collect();
        let (from, to) = (from.to_vec(), to.to_vec());
        self.seen.push(Seen::Scanned { table: table.code, from, to, limit, reverse, rows: rows.clone() });
        Ok(rows)
    }

    fn put(&mut self, table: &Table, key: &[u8], value: Vec<u8>) -> Result<(), Error> {
        self.seen.push(Seen::Wrote((table.code, key.to_vec()), Some(value.clone())));
        self.tx.put(table, key, value)
    }

    fn delete(&mut self, table: &Table, key: &[u8]) -> Result<(), Error> {
        self.seen.push(Seen::Wrote((table.code, key.to_vec()), None));
        self.tx.delete(table, key)
    }

    fn append(&mut self, value: Vec<u8>) -> Result<(), Error> {
        self.appended.push(value.clone());
        self.tx.append(&LOG, value)
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn member(index: u64) -> Vec<u8> {
    vec![b'm', index as u8]
}

/// One of the shapes that go wrong in stores that are not serializable.
fn shape(watched: &mut Watched, state: &mut u64) -> Result<(), Error> {
    let (left, right) = (vec![b'a', (random(state) % ACCOUNTS) as u8], vec![b'a', (random(state) % ACCOUNTS) as u8]);
    match random(state) % 7 {
        // A transfer: money is neither made nor lost.
        0 | 1 => {
            let amount = (random(state) % 10) as i64;
            let from = watched.number(&KEPT, &left)? - amount;
            watched.put(&KEPT, &left, from.to_be_bytes().to_vec())?;
            let to = watched.number(&KEPT, &right)? + amount;
            watched.put(&KEPT, &right, to.to_be_bytes().to_vec())?;
        }
        // A group of at most five: two that each see room for one are a phantom.
        2 => {
            if watched.scan(&PLAIN, b"m", b"n", 99, random(state).is_multiple_of(2))?.len() < 5 {
                watched.put(&PLAIN, &member(random(state) % 20), vec![1])?;
            }
        }
        // Write skew: each looks at both and changes one.
        3 => {
            let sum = watched.number(&KEPT, b"s1")? + watched.number(&KEPT, b"s2")?;
            let key: &[u8] = if random(state).is_multiple_of(2) { b"s1" } else { b"s2" };
            let change = if sum > 0 { -1 } else { 2 };
            let value = watched.number(&KEPT, key)? + change;
            watched.put(&KEPT, key, value.to_be_bytes().to_vec())?;
        }
        // A limited scan decides what is written, and its row goes away.
        4 => {
            let reverse = random(state).is_multiple_of(2);
            if let Some((first, _)) = watched.scan(&PLAIN, b"m", b"n", 1, reverse)?.first().cloned() {
                watched.delete(&PLAIN, &first)?;
                watched.put(&PLAIN, b"removed", first)?;
            }
        }
        // Delete and create again, read back within the transaction.
        5 => {
            let there = watched.get(&KEPT, b"flag")?.is_some();
            if there {
                watched.delete(&KEPT, b"flag")?
            } else {
                watched.put(&KEPT, b"flag", vec![2])?
            }
            assert_eq!(watched.get(&KEPT, b"flag")?.is_some(), !there);
            watched.scan(&KEPT, b"f", b"g", 9, false)?;
        }
        // What was read goes to the log and nowhere else: serialised at its snapshot.
        _ => {
            let value = watched.number(&KEPT, &left)? + watched.number(&KEPT, &right)?;
            return watched.append(value.to_be_bytes().to_vec());
        }
    }
    watched.append(random(state).to_be_bytes().to_vec())
}

fn work(store: &Store, seed: u64, left: &AtomicUsize, done: &Mutex<Vec<Done>>) {
    let mut state = seed | 1;
    while left.load(Ordering::Relaxed) > 0 {
        let (mut attempts, again) = (0, state);
        loop {
            state = again;
            let tx = if attempts > 3 { store.begin_exclusive() } else { store.begin() }.unwrap();
            let snapshot = tx.seq();
            let mut watched = Watched { tx, seen: Vec::new(), appended: Vec::new() };
            shape(&mut watched, &mut state).unwrap();
            // Others get a turn between reading and committing, or one processor never shows a race.
            if random(&mut state).is_multiple_of(3) && attempts <= 3 {
                std::thread::yield_now();
            }
            let Watched { tx, seen, appended } = watched;
            // Nothing but appended: serialised at its snapshot.
            let is_additive = !seen.iter().any(|seen| matches!(seen, Seen::Wrote(..)));
            match tx.commit() {
                Ok(ticket) => {
                    done.lock().unwrap().push(Done { seq: ticket.seq, snapshot, is_additive, appended, seen });
                    break;
                }
                Err(Error::Conflict { wait_for }) => {
                    assert!(wait_for <= store.last_accepted());
                    assert!(attempts <= 3, "seed {seed}: a place in line conflicted");
                    attempts += 1;
                }
                Err(Error::TooOld) => attempts += 1,
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(1))).unwrap();
    }
}

/// What one transaction sees in the model, its own writes included; says where it differs.
fn check(done: &Done, model: &Model) -> Result<(), String> {
    let mut own = model.clone();
    for seen in &done.seen {
        match seen {
            Seen::Got(key, value) if own.get(key) != value.as_ref() => {
                return Err(format!("seq {}: got {key:?} = {value:?}, should be {:?}", done.seq, own.get(key)));
            }
            Seen::Scanned { table, from, to, limit, reverse, rows } => {
                let range = own.range((*table, from.clone())..(*table, to.clone()));
                let mut all: Rows = range.map(|((_, key), value)| (key.clone(), value.clone())).collect();
                if *reverse {
                    all.reverse();
                }
                all.truncate(*limit);
                if all != *rows {
                    return Err(format!("seq {}: scanned {rows:?}, should be {all:?}", done.seq));
                }
            }
            Seen::Wrote(key, value) => write(&mut own, key, value.as_ref()),
            Seen::Got(..) => {}
        }
    }
    Ok(())
}

fn write(model: &mut Model, key: &Key, value: Option<&Vec<u8>>) {
    match value {
        Some(value) => drop(model.insert(key.clone(), value.clone())),
        None => drop(model.remove(key)),
    }
}

/// Replays in sequence order; answers the model after every sequence, the log apart because it only grows.
fn replay(mut done: Vec<Done>) -> Result<(Vec<Model>, Model), String> {
    done.sort_by_key(|done| done.seq);
    let (mut models, mut log) = (vec![Model::new()], Model::new());
    for done in &done {
        let before = if done.is_additive { &models[done.snapshot as usize] } else { models.last().unwrap() };
        check(done, before)?;
        assert_eq!(done.seq, models.len() as u64, "every transaction logs something, so sequences have no gaps");
        let mut model = models.last().unwrap().clone();
        for seen in &done.seen {
            if let Seen::Wrote(key, value) = seen {
                write(&mut model, key, value.as_ref());
            }
        }
        for (ordinal, value) in done.appended.iter().enumerate() {
            let mut key = done.seq.to_be_bytes().to_vec();
            key.extend((ordinal > 0).then_some(ordinal as u8));
            log.insert((LOG.code, key), value.clone());
        }
        models.push(model);
    }
    Ok((models, log))
}

fn run(store: &Store, seed: u64, transactions: usize) -> Vec<Done> {
    let (left, done) = (AtomicUsize::new(transactions), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (left, done) = (&left, &done);
            scope.spawn(move || work(store, seed.wrapping_mul(0x9e37_79b9).wrapping_add(thread * 7_919), left, done));
        }
    });
    done.into_inner().unwrap()
}

fn compare(store: &Store, models: &[Model], log: &Model, seed: u64) {
    store.wait_durable(store.last_accepted()).unwrap();
    let mut last = models.last().unwrap().clone();
    last.extend(log.clone());
    for mut tx in [store.begin().unwrap(), store.begin_durable().unwrap()] {
        let mut rows = Model::new();
        for table in TABLES {
            for (key, row) in tx.scan(table, KeyRange::all(), usize::MAX, false).unwrap() {
                rows.insert((table.code, key.to_vec()), row.bytes.to_vec());
            }
        }
        assert_eq!(rows, last, "seed {seed}: the final state");
    }
    let mut state = seed | 1;
    for _ in 0..100 {
        let seq = random(&mut state) as usize % models.len();
        let rows = store.scan_as_of(&KEPT, KeyRange::all(), 99, seq as u64).unwrap();
        let rows: Model = rows.into_iter().map(|(key, row)| ((KEPT.code, key.to_vec()), row.bytes.to_vec())).collect();
        let mut want = models[seq].clone();
        want.retain(|(table, _), _| *table == KEPT.code);
        assert_eq!(rows, want, "seed {seed}: as of {seq}");
    }
    let of_accounts = |model: &Model| -> i64 {
        let accounts = model.iter().filter(|((table, key), _)| *table == KEPT.code && key[0] == b'a');
        accounts.map(|(_, value)| i64::from_be_bytes(value.clone().try_into().unwrap())).sum()
    };
    for model in models {
        assert_eq!(of_accounts(model), 0, "seed {seed}: money was made or lost");
        assert!(model.range((PLAIN.code, vec![b'm'])..(PLAIN.code, vec![b'n'])).count() <= 5, "seed {seed}");
    }
}

fn options(batch: usize, defects: Defects) -> Options {
    Options { batch_transactions_max: batch, journal_bytes: 1 << 19, defects, ..Options::default() }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a longer run is asked for from outside")]
fn what_threads_do_at_once_equals_doing_it_in_sequence_order() {
    let transactions =
        std::env::var("BURSAR_TEST_TRANSACTIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let batches = [1, 3, 64, 1_000];
    let mut conflicts = 0;
    for (seed, batch) in (1..).zip(batches) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let store = Store::create(&path, &TABLES, [1; 16], options(batch, Defects::default())).unwrap();
        let done = run(&store, seed, transactions / batches.len());
        let (models, log) = replay(done).unwrap_or_else(|difference| panic!("seed {seed} batch {batch}: {difference}"));
        compare(&store, &models, &log, seed);
        conflicts += store.metrics().conflicts;
        drop(store);
        let store = Store::open(&path, &TABLES, Options::default()).unwrap();
        compare(&store, &models, &log, seed);
        assert!(store.verify(&mut |_| {}).unwrap().is_sound());
    }
    assert!(conflicts > 20, "only {conflicts} conflicts: the threads did not meet");
}

/// Runs seeds until the replay fails; answers whether one did.
fn is_seen(defects: Defects) -> bool {
    (1..=20).any(|seed| {
        let store =
            Store::with_backend(crate::store_crash::fresh_memory(), &TABLES, [1; 16], options(64, defects)).unwrap();
        replay(run(&store, seed, 400)).is_err()
    })
}

#[test]
fn without_the_check_of_keys_the_replay_fails() {
    assert!(is_seen(Defects { skip_key_check: true, skip_range_check: false }));
}

#[test]
fn without_the_check_of_ranges_the_replay_fails() {
    assert!(is_seen(Defects { skip_key_check: false, skip_range_check: true }));
}
