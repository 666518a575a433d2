//! Crashes, failing storage and damage: what was acknowledged is there, what is wrong is said, nothing ends the process.
//!
//! The disk here forgets, at a crash, a random part of what was written since the last sync, in sectors of 512 bytes. What it
//! acknowledged as synced stays. (Killing a process cannot show that: the page cache survives it.)

use crate::store_contract::{KEPT, LOG, PLAIN, TABLES};
use bursar::store::{BackendFactory, Error, KeyRange, Options, Store, Table};
use redb::StorageBackend;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Debug, Clone)]
enum Unsynced {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

#[derive(Debug, Default)]
struct Platter {
    now: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Unsynced>,
    operations: u64,
    /// The operation at which the power goes.
    cut_at: u64,
    /// Every operation that changes something fails.
    is_failing: bool,
    /// Syncs to come that fail, once each.
    failing_syncs: u32,
    /// Operations that fail, by number, once each.
    failing_at: Vec<u64>,
}

impl Platter {
    fn change(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.operations >= self.cut_at || self.is_failing {
            return Err(io::Error::other("the disk is gone"));
        }
        if self.failing_at.contains(&self.operations) {
            return Err(io::Error::other("the disk refuses once"));
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    fn holding(image: Vec<u8>) -> Disk {
        let platter = Platter { now: image.clone(), synced: image, cut_at: u64::MAX, ..Platter::default() };
        Disk(Arc::new(Mutex::new(platter)))
    }

    fn factory(&self) -> BackendFactory {
        let disk = self.clone();
        Arc::new(move || {
            let platter = disk.0.lock().unwrap();
            if platter.is_failing || platter.operations >= platter.cut_at {
                return Err(io::Error::other("the disk is gone"));
            }
            drop(platter);
            Ok(Box::new(disk.clone()) as Box<dyn StorageBackend>)
        })
    }

    /// What is found after the power comes back.
    fn after_crash(&self, seed: u64) -> Vec<u8> {
        let platter = self.0.lock().unwrap();
        let (mut image, mut state) = (platter.synced.clone(), seed | 1);
        for change in &platter.unsynced {
            match change {
                Unsynced::Length(length) if random(&mut state).is_multiple_of(2) => image.resize(*length, 0),
                Unsynced::Length(_) => {}
                Unsynced::Bytes(offset, bytes) => {
                    for (index, sector) in bytes.chunks(512).enumerate() {
                        let start = offset + index * 512;
                        if random(&mut state).is_multiple_of(2) && start + sector.len() <= image.len() {
                            image[start..start + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        image
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock().unwrap();
        let start = offset as usize;
        let bytes = platter.now.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.change()?;
        platter.now.resize(length as usize, 0);
        platter.unsynced.push(Unsynced::Length(length as usize));
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.change()?;
        if platter.failing_syncs > 0 {
            platter.failing_syncs -= 1;
            return Err(io::Error::other("the sync failed"));
        }
        platter.synced = platter.now.clone();
        platter.unsynced.clear();
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.change()?;
        let start = offset as usize;
        platter.now.get_mut(start..start + data.len()).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        platter.unsynced.push(Unsynced::Bytes(start, data.to_vec()));
        Ok(())
    }
}

/// Memory with nothing wrong with it.
pub(crate) fn fresh_memory() -> BackendFactory {
    Disk::holding(Vec::new()).factory()
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Small enough for its halves to fill and to be put in place while the power goes.
const JOURNAL_BYTES: usize = 1 << 19;

fn open(disk: &Disk) -> Result<Store, Error> {
    let options = Options { cache_bytes: 1 << 20, journal_bytes: JOURNAL_BYTES, ..Options::default() };
    Store::with_backend(disk.factory(), &TABLES, [5; 16], options)
}

type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

type Change = (&'static Table, Vec<u8>, Option<Vec<u8>>);

/// The transaction of one sequence, the same whenever it is asked for.
fn script(seq: u64) -> Vec<Change> {
    let key = |of: u64| vec![b'k', (of % 5) as u8];
    let value = |size: usize| Some(vec![seq as u8; size]);
    let kept = if seq.is_multiple_of(4) { None } else { value(700) };
    vec![(&KEPT, key(seq), kept), (&PLAIN, key(seq * 3), value(40)), (&PLAIN, key(seq * 3 + 1), None)]
}

fn models(count: u64) -> Vec<Model> {
    let mut models = vec![Model::new()];
    for seq in 1..=count {
        let mut model = models.last().unwrap().clone();
        for (table, key, value) in script(seq) {
            match value {
                Some(value) => drop(model.insert((table.code, key), value)),
                None => drop(model.remove(&(table.code, key))),
            }
        }
        model.insert((LOG.code, seq.to_be_bytes().to_vec()), seq.to_le_bytes().to_vec());
        models.push(model);
    }
    models
}

fn commit(store: &Store, seq: u64) -> Result<bursar::store::Ticket, Error> {
    let mut tx = store.begin()?;
    for (table, key, value) in script(seq) {
        match value {
            Some(value) => tx.put(table, &key, value)?,
            None => tx.delete(table, &key)?,
        }
    }
    tx.append(&LOG, seq.to_le_bytes().to_vec())?;
    tx.commit()
}

fn contents(store: &Store, tables: &[&Table]) -> Result<Model, Error> {
    let mut model = Model::new();
    for table in tables {
        for (key, row) in store.begin()?.scan(table, KeyRange::all(), usize::MAX, false)? {
            model.insert((table.code, key.to_vec()), row.bytes.to_vec());
        }
    }
    Ok(model)
}

/// Does the script until the power goes; answers the last sequence that was acknowledged as durable, and whether it went.
fn until_cut(disk: &Disk, from: u64, to: u64) -> (u64, bool) {
    let mut acknowledged = from;
    let Ok(store) = open(disk) else { return (acknowledged, true) };
    for seq in from + 1..=to {
        let Ok(ticket) = commit(&store, seq) else { return (acknowledged, true) };
        // Some durable commits hold one transaction, some several.
        if seq % 3 != 1 && ticket.wait().is_ok() {
            acknowledged = seq;
        }
    }
    match store.wait_durable(store.last_accepted()) {
        Ok(()) => (to, false),
        Err(_) => (acknowledged, true),
    }
}

fn check(store: &Store, models: &[Model], at_least: u64, label: &str) -> u64 {
    let seq = store.last_accepted();
    assert!(seq >= at_least, "{label}: {at_least} was acknowledged, {seq} is there");
    assert_eq!(contents(store, &TABLES).unwrap(), models[seq as usize], "{label}: at {seq}");
    for earlier in 0..=seq {
        let rows = store.scan_as_of(&KEPT, KeyRange::all(), 99, earlier).unwrap();
        let rows: Vec<_> = rows.into_iter().map(|(key, row)| (key.to_vec(), row.bytes.to_vec())).collect();
        let of_kept = models[earlier as usize].iter().filter(|((table, _), _)| *table == KEPT.code);
        let want: Vec<_> = of_kept.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        assert_eq!(rows, want, "{label}: as of {earlier}");
    }
    seq
}

/// One crash, in every third case a second one while the store is being opened and worked with; answers whether the power
/// went at all, and whether work was lost that nobody had been told of.
fn crash(empty: &[u8], models: &[Model], cut_at: u64, seed: u64) -> (bool, bool) {
    let disk = Disk::holding(empty.to_vec());
    disk.0.lock().unwrap().cut_at = cut_at;
    let (mut acknowledged, was_cut) = until_cut(&disk, 0, SCRIPT_FIRST);
    let label = format!("cut at {cut_at}, seed {seed}");
    let again = Disk::holding(disk.after_crash(seed));
    if seed.is_multiple_of(3) {
        again.0.lock().unwrap().cut_at = 1 + seed % 37;
        if let Ok(found) = open(&again).map(|store| store.last_accepted()) {
            assert!(found >= acknowledged, "{label}, then again: {found}");
            acknowledged = until_cut(&again, found, SCRIPT_ALL).0.max(found);
        }
    }
    let disk = Disk::holding(again.after_crash(seed ^ 0x55));
    let store = open(&disk).unwrap_or_else(|error| panic!("{label}: {error}"));
    let found = check(&store, models, acknowledged, &label);
    assert!(store.verify(&mut |_| {}).unwrap().is_sound(), "{label}");
    if found < SCRIPT_ALL {
        commit(&store, found + 1).unwrap().wait().unwrap();
        check(&store, models, found + 1, &label);
    }
    (was_cut, found < SCRIPT_FIRST)
}

/// Transactions before the first crash: enough to fill half of the journal more than twice.
const SCRIPT_FIRST: u64 = 40;
/// Transactions in all.
const SCRIPT_ALL: u64 = 56;

#[test]
fn whenever_the_power_goes_what_was_acknowledged_is_there() {
    let models = models(SCRIPT_ALL);
    let disk = Disk::holding(Vec::new());
    drop(open(&disk).unwrap());
    let empty = disk.0.lock().unwrap().synced.clone();
    let (mut cut_at, mut lost) = (0, 0);
    loop {
        cut_at += 1;
        let outcomes: Vec<_> =
            (0..4).map(|round| crash(&empty, &models, cut_at, cut_at.wrapping_mul(0x9e37_79b9) + round)).collect();
        lost += outcomes.iter().filter(|(_, is_lost)| *is_lost).count();
        if outcomes.iter().all(|(was_cut, _)| !was_cut) {
            break;
        }
    }
    // How many commits share a write depends on how fast the machine is just then.
    assert!(cut_at > 40 && lost > 60, "only {cut_at} cuts, {lost} of them early: the disk was not asked enough");
}

fn until_accepted(store: &Store, mut attempt: impl FnMut() -> Result<bursar::store::Ticket, Error>) -> u64 {
    let begun = clock();
    loop {
        match attempt() {
            Ok(ticket) => return ticket.seq,
            Err(Error::Unavailable | Error::TooOld) if begun.elapsed() < Duration::from_secs(20) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("did not recover: {error}; {:?}", store.metrics()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
fn clock() -> Instant {
    Instant::now()
}

#[test]
fn a_failed_sync_fails_the_waiters_and_then_the_store_goes_on() {
    for failing in 1..=3 {
        let disk = Disk::holding(Vec::new());
        let store = open(&disk).unwrap();
        let models = models(6);
        commit(&store, 1).unwrap().wait().unwrap();
        disk.0.lock().unwrap().failing_syncs = failing;
        let held = store.begin().unwrap();
        let ticket = commit(&store, 2).unwrap();
        assert!(matches!(ticket.wait(), Err(Error::Unavailable)), "failing {failing}");
        let (send, receive) = std::sync::mpsc::channel();
        ticket.on_durable(move |result| send.send(result.is_ok()).unwrap());
        assert!(!receive.recv().unwrap());
        let next = until_accepted(&store, || {
            let mut tx = store.begin()?;
            tx.append(&PLAIN, "after")?;
            tx.commit()
        });
        assert!(next > ticket.seq, "a sequence is never given twice");
        store.wait_durable(next).unwrap();
        assert!(matches!(ticket.wait(), Err(Error::Unavailable)), "its outcome stays unknown");
        assert!(matches!(
            {
                let mut held = held;
                held.put(&PLAIN, b"x", "y").unwrap();
                held.commit()
            },
            Err(Error::TooOld)
        ));
        let kept = contents(&store, &[&KEPT]).unwrap();
        let of_kept = |model: &Model| model.clone().into_iter().filter(|((table, _), _)| *table == KEPT.code).collect();
        let either: [Model; 2] = [of_kept(&models[1]), of_kept(&models[2])];
        assert!(either.contains(&kept), "failing {failing}: the transaction is there whole or not at all");
        assert!(store.metrics().failures >= 1);
        drop(store);
        let store = open(&disk).unwrap();
        assert_eq!((store.durable(), contents(&store, &[&KEPT]).unwrap()), (next, kept));
    }
}

#[test]
fn while_storage_fails_reads_go_on_and_writes_are_refused() {
    let disk = Disk::holding(Vec::new());
    let store = open(&disk).unwrap();
    commit(&store, 1).unwrap().wait().unwrap();
    let before = contents(&store, &TABLES).unwrap();
    disk.0.lock().unwrap().is_failing = true;
    let lost = commit(&store, 2).unwrap();
    assert!(matches!(lost.wait(), Err(Error::Unavailable)));
    for _ in 0..5 {
        assert!(matches!(commit(&store, 2), Err(Error::Unavailable)));
        assert_eq!(contents(&store, &TABLES).unwrap(), before, "what was lost is not shown");
        let seen = store.begin_durable().unwrap().get(&KEPT, b"k\x01").unwrap();
        assert_eq!(seen.map(|row| row.bytes.to_vec()), before.get(&(KEPT.code, b"k\x01".to_vec())).cloned());
        std::thread::sleep(Duration::from_millis(10));
    }
    disk.0.lock().unwrap().is_failing = false;
    let begun = clock();
    while store.fork(None).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", store.metrics());
        std::thread::sleep(Duration::from_millis(5));
    }
    let reader = store.begin().unwrap();
    assert!(reader.seq() > lost.seq, "what was found has a sequence of its own");
    reader.commit().unwrap().wait().unwrap();
    assert_eq!(contents(&store, &TABLES).unwrap(), before);
    commit(&store, 3).unwrap().wait().unwrap();
}

/// Adds one to a counter and logs it, until told to stop; answers the log entries that were acknowledged as durable.
fn count_up(store: &Store, thread: u8, times: u32) -> Vec<Vec<u8>> {
    let mut acknowledged = Vec::new();
    for time in 0..times {
        let entry = [&[thread][..], &time.to_be_bytes()].concat();
        let attempt = || {
            let mut tx = store.begin()?;
            let before =
                tx.get(&KEPT, b"counter")?.map_or(0, |row| u32::from_be_bytes(row.bytes[..].try_into().unwrap()));
            tx.put(&KEPT, b"counter", (before + 1).to_be_bytes().to_vec())?;
            tx.append(&LOG, entry.clone())?;
            tx.commit()
        };
        let begun = clock();
        let ticket = loop {
            match attempt() {
                Ok(ticket) => break ticket,
                Err(Error::Conflict { .. }) => {}
                Err(Error::Unavailable | Error::TooOld) if begun.elapsed() < Duration::from_secs(20) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("did not recover: {error}; {:?}", store.metrics()),
            }
        };
        if ticket.wait().is_ok() {
            acknowledged.push(entry);
        }
    }
    acknowledged
}

#[test]
fn whichever_operation_fails_nothing_acknowledged_is_lost_and_nothing_is_counted_twice() {
    let disk = Disk::holding(Vec::new());
    drop(open(&disk).unwrap());
    let empty = disk.0.lock().unwrap().synced.clone();
    let mut failures = 0;
    for first in (1..60).step_by(2) {
        let disk = Disk::holding(empty.clone());
        let Ok(store) = open(&disk) else { panic!("nothing fails yet") };
        {
            let mut platter = disk.0.lock().unwrap();
            let now = platter.operations;
            platter.failing_at = [first, first + 13, first + 14, first + 60].map(|at| now + at).to_vec();
        }
        let acknowledged: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|thread| {
                    scope.spawn({
                        let store = &store;
                        move || count_up(store, thread, 40)
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        failures += store.metrics().failures;
        let check = |store: &Store, label: &str| {
            // The last failure may come when everybody has finished: the store is then still reopening its file, and only
            // then finds whether the last transaction is there.
            let begun = clock();
            while !store.is_accepting() && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let rows = loop {
                match contents(store, &[&KEPT, &LOG]) {
                    Ok(rows) => break rows,
                    Err(Error::Unavailable | Error::TooOld) if begun.elapsed() < Duration::from_secs(20) => {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err(error) => panic!("{label}, from operation {first}: {error}"),
                }
            };
            let counter = rows
                .get(&(KEPT.code, b"counter".to_vec()))
                .map(|bytes| u32::from_be_bytes(bytes[..].try_into().unwrap()));
            let log: Vec<&Vec<u8>> =
                rows.iter().filter(|((table, _), _)| *table == LOG.code).map(|(_, entry)| entry).collect();
            assert_eq!(
                counter.unwrap_or(0) as usize,
                log.len(),
                "{label} first {first}: counter and log are one transaction"
            );
            assert!(
                acknowledged.iter().all(|entry| log.contains(&entry)),
                "{label} first {first}: acknowledged and lost"
            );
            rows
        };
        let before = check(&store, "running");
        disk.0.lock().unwrap().failing_at.clear();
        drop(store);
        let store = open(&disk).unwrap();
        assert_eq!(check(&store, "reopened"), before);
        assert!(store.verify(&mut |_| {}).unwrap().is_sound());
    }
    assert!(failures > 40, "only {failures} failures");
}

#[test]
fn a_flipped_bit_in_a_value_is_said_and_never_served() {
    let disk = Disk::holding(Vec::new());
    let store = open(&disk).unwrap();
    let mut tx = store.begin().unwrap();
    for index in 0..20u8 {
        tx.put(&KEPT, &[index], format!("payload number {index:02} of twenty")).unwrap();
    }
    tx.commit().unwrap().wait().unwrap();
    drop(store);
    let image = disk.0.lock().unwrap().now.clone();
    for index in [0u8, 7, 19] {
        let pattern = format!("number {index:02} of");
        let found: Vec<usize> =
            (0..image.len() - pattern.len()).filter(|at| image[*at..].starts_with(pattern.as_bytes())).collect();
        assert!(!found.is_empty());
        let mut damaged = image.clone();
        found.iter().for_each(|at| damaged[*at] ^= 4);
        let store = open(&Disk::holding(damaged)).unwrap();
        let mut tx = store.begin().unwrap();
        let answer = tx.get(&KEPT, &[index]);
        assert!(
            matches!(&answer, Err(Error::Corrupt { table: "kept", key }) if *key == format!("{index:02x}")),
            "{answer:?}"
        );
        assert!(matches!(tx.scan(&KEPT, KeyRange::all(), 99, false), Err(Error::Corrupt { table: "kept", .. })));
        assert!(tx.get(&KEPT, &[index ^ 1]).unwrap().is_some(), "its neighbours are served");
        let verified = store.verify(&mut |_| {}).unwrap();
        assert_eq!(verified.corrupt, [("kept", format!("{index:02x}"))]);
        assert!(store.backup(std::path::Path::new("/nonexistent/copy"), &mut |_| {}).is_err());
        tx.put(&PLAIN, b"life", "goes on").unwrap();
        drop(tx);
        let mut tx = store.begin().unwrap();
        tx.put(&PLAIN, b"life", "goes on").unwrap();
        tx.commit().unwrap().wait().unwrap();
    }
}

#[test]
fn no_damage_anywhere_is_served_or_ends_the_process() {
    let disk = Disk::holding(Vec::new());
    let store = open(&disk).unwrap();
    let models = models(12);
    for seq in 1..=12 {
        commit(&store, seq).unwrap().wait().unwrap();
    }
    drop(store);
    let image = disk.0.lock().unwrap().now.clone();
    // Only what holds something is worth damaging: after a clean end the journal does not.
    let journal = 4_096..4_096 + JOURNAL_BYTES;
    let used: Vec<usize> = (0..image.len()).filter(|at| image[*at] != 0 && !journal.contains(at)).collect();
    let (mut state, mut noticed) = (0x5eed, 0);
    for round in 0..150 {
        let at = used[random(&mut state) as usize % used.len()];
        let mut damaged = image.clone();
        match round % 3 {
            0 => damaged[at] ^= 1 << (random(&mut state) % 8),
            1 => damaged[at / 512 * 512..][..512].fill(0),
            _ => damaged[at / 4096 * 4096..][..4096].fill(0),
        }
        let Ok(store) = open(&Disk::holding(damaged)) else {
            noticed += 1;
            continue;
        };
        for table in TABLES {
            let Ok(rows) = contents(&store, &[table]) else {
                noticed += 1;
                continue;
            };
            // A page of the tree that is gone with all below it would be silent here: rows that are there must be right.
            for (key, value) in rows {
                assert_eq!(models[12].get(&key), Some(&value), "round {round}, byte {at}: {key:?}");
            }
        }
        let _ = store.verify(&mut |_| {});
        let _ = commit(&store, 13).and_then(|ticket| ticket.wait());
    }
    assert!(noticed > 10, "only {noticed} noticed");
}

#[test]
fn a_journal_that_lacks_a_part_is_said_to_and_is_not_played() {
    let disk = Disk::holding(Vec::new());
    let store = open(&disk).unwrap();
    // The power goes while transactions stand in the journal and nowhere else.
    let (records, image) = loop {
        let first = store.metrics().placed + 1;
        for seq in store.last_accepted() + 1..store.last_accepted() + 6 {
            commit(&store, seq).unwrap().wait().unwrap();
        }
        let image = disk.0.lock().unwrap().synced.clone();
        let last = store.last_accepted();
        if store.metrics().placed < first {
            break (first..=last, image);
        }
    };
    let whole = open(&Disk::holding(image.clone())).unwrap();
    let last = *records.end();
    assert_eq!(contents(&whole, &TABLES).unwrap(), models(last)[last as usize]);
    // A record says after the sequence it came after (32 bytes into it) the one it ends with.
    let ends_with = |at: usize| u64::from_le_bytes(image[at + 40..at + 48].try_into().unwrap());
    let at = (4_096..4_096 + JOURNAL_BYTES).step_by(4_096).find(|at| ends_with(*at) == records.start() + 1);
    let mut damaged = image.clone();
    damaged[at.unwrap() + 60] ^= 1;
    let opened = open(&Disk::holding(damaged));
    assert!(matches!(opened, Err(Error::NotAStore { .. })), "{opened:?}");
}
