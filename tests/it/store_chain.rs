//! The chain over what was appended: a log that was changed, cut, added to or put in another order tells so, and where.

use crate::store_contract::{KEPT, LOG, PLAIN, TABLES};
use bursar::store::{Broken, Chained, Fault, KeyRange, Options, Store};
use redb::ReadableTable;
use std::path::Path;

const ID: [u8; 16] = [5; 16];
const RECORDS: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new(LOG.name);

/// Sixty transactions, forty of which append to the log, one of those three rows; several durable commits.
fn filled(path: &Path) -> Store {
    let store = Store::create(path, &TABLES, ID, Options::default()).unwrap();
    for index in 1..=60u32 {
        let mut tx = store.begin().unwrap();
        tx.put(&KEPT, &(index % 9).to_be_bytes(), vec![index as u8; 40]).unwrap();
        if index % 3 != 0 {
            tx.append(&LOG, format!("record {index}")).unwrap();
        }
        if index == 31 {
            tx.append(&LOG, "second").unwrap();
            tx.append(&LOG, "third").unwrap();
        }
        let ticket = tx.commit().unwrap();
        if index % 7 == 0 {
            ticket.wait().unwrap();
            // What the tables get together is one link.
            store.chained().unwrap();
        }
    }
    store
}

fn checked(path: &Path) -> Chained {
    Store::verify_file(path, &TABLES, &mut |_| {}).unwrap().chained
}

/// Changes a closed file below the store, as another program would.
fn below(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    // The pages lie behind the head of the file and its journal, which is of no meaning after a clean end.
    let front = 4_096 + Options::default().journal_bytes;
    let whole = std::fs::read(path).unwrap();
    let pages = path.with_extension("pages");
    std::fs::write(&pages, &whole[front..]).unwrap();
    let database = redb::Database::create(&pages).unwrap();
    let txn = database.begin_write().unwrap();
    change(&txn);
    txn.commit().unwrap();
    drop(database);
    std::fs::write(path, [&whole[..front], &std::fs::read(&pages).unwrap()].concat()).unwrap();
}

/// Changes the log's table.
fn tamper(path: &Path, change: impl FnOnce(&mut redb::Table<'_, &'static [u8], &'static [u8]>)) {
    below(path, |txn| change(&mut txn.open_table(RECORDS).unwrap()));
}

fn key(seq: u64) -> [u8; 8] {
    seq.to_be_bytes()
}

/// A row sealed as the store seals it: whoever rewrites a log with care makes its checksums fit.
fn sealed(key: &[u8], seq: u64, payload: &[u8]) -> Vec<u8> {
    use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};
    let key_hash = xxh3_64_with_seed(key, u64::from(LOG.code) + 1).to_le_bytes();
    let parts = [&[1, 0], &key_hash[..], &xxh3_64(payload).to_le_bytes(), &seq.to_le_bytes()].concat();
    [&[1, 0], &xxh3_64(&parts).to_le_bytes()[..], &seq.to_le_bytes(), payload].concat()
}

#[test]
fn a_log_nobody_touched_is_sound_also_after_a_crash_of_the_program_a_backup_and_pruned_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    let store = filled(&path);
    store.wait_durable(60).unwrap();
    let live = store.verify(&mut |_| {}).unwrap();
    assert!(live.is_sound(), "{live:?}");
    assert_eq!((live.chained.start, live.chained.seq, live.chained.records), (0, 59, 42));
    let copy = folder.path().join("copy.bursar");
    store.backup(&copy, &mut |_| {}).unwrap();
    assert!(store.prune_history(i64::MAX, 1_000).unwrap() > 0);
    assert_eq!(store.verify(&mut |_| {}).unwrap().chained, live.chained, "what was replaced is no part of the log");
    store.close();
    for path in [&path, &copy] {
        assert_eq!(checked(path), live.chained);
    }
    // Opened again it goes on from where it was.
    let store = Store::open(&copy, &TABLES, Options::default()).unwrap();
    let mut tx = store.begin().unwrap();
    tx.append(&LOG, "later").unwrap();
    tx.commit().unwrap().wait().unwrap();
    let head = store.chained().unwrap();
    assert_eq!((head.seq, head.records), (61, 43));
    assert_eq!(store.chained_at(59).unwrap(), Some(live.chained.hash), "it goes through the checkpoint");
    assert_eq!(store.chained_at(60).unwrap(), None);
    assert!(store.verify(&mut |_| {}).unwrap().is_sound());
}

#[test]
fn a_fork_leaves_no_link_and_what_appends_nothing_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("a.bursar"));
    store.wait_durable(60).unwrap();
    let before = store.chained().unwrap();
    let fork = store.fork(None).unwrap();
    let mut tx = fork.begin().unwrap();
    tx.append(&LOG, "never").unwrap();
    tx.commit().unwrap().wait().unwrap();
    let mut tx = store.begin().unwrap();
    tx.put(&PLAIN, b"x", "y").unwrap();
    tx.commit().unwrap().wait().unwrap();
    assert_eq!(store.chained().unwrap(), before);
    assert!(store.verify(&mut |_| {}).unwrap().is_sound());
}

#[test]
fn a_flipped_byte_a_missing_row_two_swapped_rows_and_a_forged_one_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("a.bursar");
    filled(&original).close();
    type Change = fn(&mut redb::Table<'_, &'static [u8], &'static [u8]>);
    let rows: [(&str, Change, u64, Fault); 9] = [
        ("a byte of the payload", |log| flip(log, 22, 20), 22, Fault::Changed),
        ("a byte of the checksum", |log| flip(log, 1, 3), 1, Fault::Changed),
        ("rewritten, checksums and all", |log| put(log, &key(22), 22, b"record 2x"), 22, Fault::Changed),
        ("the same words under another sequence", |log| put(log, &key(22), 23, b"record 22"), 22, Fault::Changed),
        ("the first row", |log| drop(log.remove(key(1).as_slice()).unwrap()), 1, Fault::Missing),
        ("the last row", |log| drop(log.remove(key(59).as_slice()).unwrap()), 59, Fault::Missing),
        ("one of three", |log| drop(log.remove([&key(31)[..], &[1]].concat().as_slice()).unwrap()), 31, Fault::Missing),
        ("one where none was", |log| put(log, &key(33), 33, b"forged"), 33, Fault::Unknown),
        ("one behind the end", |log| put(log, &key(99), 99, b"forged"), 99, Fault::Unknown),
    ];
    for (what, change, seq, fault) in rows {
        let path = folder.path().join("changed.bursar");
        std::fs::copy(&original, &path).unwrap();
        tamper(&path, change);
        let found = checked(&path);
        assert_eq!(found.broken, Some(Broken { seq, fault }), "{what}");
    }
    let swap = |log: &mut redb::Table<'_, &'static [u8], &'static [u8]>| {
        put(log, &key(10), 10, b"record 40");
        put(log, &key(40), 40, b"record 10");
    };
    let path = folder.path().join("swapped.bursar");
    std::fs::copy(&original, &path).unwrap();
    tamper(&path, swap);
    let verified = Store::verify_file(&path, &TABLES, &mut |_| {}).unwrap();
    assert!(verified.corrupt.is_empty(), "the checksums were made to fit");
    assert!(!verified.is_sound());
    assert_eq!(verified.chained.broken, Some(Broken { seq: 10, fault: Fault::Changed }), "the first of the two");
}

fn put(log: &mut redb::Table<'_, &'static [u8], &'static [u8]>, key: &[u8], seq: u64, payload: &[u8]) {
    log.insert(key, sealed(key, seq, payload).as_slice()).unwrap();
}

fn flip(log: &mut redb::Table<'_, &'static [u8], &'static [u8]>, seq: u64, place: usize) {
    let mut row = log.get(key(seq).as_slice()).unwrap().unwrap().value().to_vec();
    row[place] ^= 1;
    log.insert(key(seq).as_slice(), row.as_slice()).unwrap();
}

#[test]
fn the_chain_itself_cannot_be_cut_or_rewritten_link_by_link() {
    const CHAIN: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("bursar_chain");
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("a.bursar");
    filled(&original).close();
    let changed = |name: &str, change: &dyn Fn(&redb::WriteTransaction)| {
        let path = folder.path().join(name);
        std::fs::copy(&original, &path).unwrap();
        below(&path, change);
        checked(&path).broken
    };
    // The end of the log and its links taken away together.
    let cut = changed("cut", &|txn| {
        let last = {
            let mut chain = txn.open_table(CHAIN).unwrap();
            chain.pop_last().unwrap().unwrap().0.value().to_vec()
        };
        let mut log = txn.open_table(RECORDS).unwrap();
        let before = txn.open_table(CHAIN).unwrap();
        let from = before.last().unwrap().unwrap().0.value().to_vec();
        let gone: Vec<Vec<u8>> = log
            .iter()
            .unwrap()
            .map(|row| row.unwrap().0.value().to_vec())
            .filter(|key| key[..8] > from[..] && key[..8] <= last[..])
            .collect();
        assert!(!gone.is_empty());
        gone.iter().for_each(|key| drop(log.remove(key.as_slice()).unwrap()));
    });
    assert_eq!(cut.map(|broken| broken.fault), Some(Fault::Missing), "{cut:?}");
    // A link in the middle taken away: its rows are told of by nobody, and the next hash fits nothing.
    let hole = changed("hole", &|txn| {
        let mut chain = txn.open_table(CHAIN).unwrap();
        let keys: Vec<Vec<u8>> = chain.iter().unwrap().map(|row| row.unwrap().0.value().to_vec()).collect();
        assert!(keys.len() >= 3, "several durable commits");
        chain.remove(keys[1].as_slice()).unwrap();
    });
    assert!(hole.is_some_and(|broken| broken.seq > 1), "{hole:?}");
    // A damaged link.
    let damaged = changed("damaged", &|txn| {
        let mut chain = txn.open_table(CHAIN).unwrap();
        let (key, mut link) = {
            let row = chain.first().unwrap().unwrap();
            (row.0.value().to_vec(), row.1.value().to_vec())
        };
        link[30] ^= 1;
        chain.insert(key.as_slice(), link.as_slice()).unwrap();
    });
    assert_eq!(damaged, Some(Broken { seq: 1, fault: Fault::Chain }));
}

#[test]
fn a_store_from_before_the_chain_is_chained_from_its_present_on() {
    const CHAIN: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("bursar_chain");
    const META: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("bursar_meta");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    filled(&path).close();
    let older = |whole: bool| {
        below(&path, |txn| {
            if whole {
                txn.delete_table(CHAIN).unwrap();
            }
            txn.open_table(META).unwrap().remove(b"chain".as_slice()).unwrap();
        });
    };
    older(true);
    let store = Store::open(&path, &TABLES, Options::default()).unwrap();
    assert_eq!((store.chained().unwrap().start, store.chained().unwrap().records), (60, 0));
    let mut tx = store.begin().unwrap();
    tx.append(&LOG, "chained").unwrap();
    tx.commit().unwrap().wait().unwrap();
    assert!(store.verify(&mut |_| {}).unwrap().is_sound());
    assert_eq!(store.begin().unwrap().scan(&LOG, KeyRange::all(), 99, false).unwrap().len(), 43);
    store.close();
    older(false);
    let opened = Store::open(&path, &TABLES, Options::default());
    assert!(opened.is_err(), "a chain without its head is no store from before it: {opened:?}");
}
