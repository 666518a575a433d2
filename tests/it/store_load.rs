//! Many transactions: durable commits are shared, what is in flight is bounded, long snapshots end.

use crate::store_contract::{KEPT, LOG, PLAIN, TABLES};
use bursar::clock;
use bursar::store::{Error, KeyRange, Options, Store};
use std::time::Duration;

fn create(folder: &tempfile::TempDir, options: Options) -> Store {
    Store::create(&folder.path().join("a.bursar"), &TABLES, [9; 16], options).unwrap()
}

/// Reads a row with history, changes it, logs 500 bytes.
fn change(store: &Store, index: u32) -> u64 {
    let key = index.wrapping_mul(2_654_435_761).to_be_bytes();
    let mut tx = store.begin().unwrap();
    let before = tx.get(&KEPT, &key).unwrap().map_or(0, |row| row.bytes.len());
    tx.put(&KEPT, &key, vec![before as u8; 50]).unwrap();
    tx.append(&LOG, vec![7; 500]).unwrap();
    tx.commit().unwrap().seq
}

#[test]
fn ten_thousand_transactions_of_one_thread_share_their_durable_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = create(&folder, Options::default());
    for round in ["new rows", "changed rows"] {
        let begun = clock::monotonic();
        let last = (0..10_000).map(|index| change(&store, index)).max().unwrap();
        let accepted = begun.elapsed();
        store.wait_durable(last).unwrap();
        let metrics = store.metrics();
        println!(
            "{round}: accepted in {accepted:?}, durable in {:?}, {} durable commits",
            begun.elapsed(),
            metrics.batches
        );
        assert!(metrics.batches < 5_000 && metrics.batch_max <= 1_000, "{metrics:?}");
        assert_eq!((metrics.in_flight, metrics.durable, metrics.conflicts), (0, last, 0));
    }
    let begun = clock::monotonic();
    std::thread::scope(|scope| {
        for half in 0..2 {
            let store = &store;
            scope.spawn(move || (0..5_000).for_each(|index| assert!(change(store, half * 1_000_000 + index) > 0)));
        }
    });
    store.wait_durable(store.last_accepted()).unwrap();
    println!("two threads: durable in {:?}", begun.elapsed());
}

#[test]
fn what_is_in_flight_is_bounded_and_the_window_empties() {
    let folder = tempfile::tempdir().unwrap();
    let store = create(&folder, Options { in_flight_max: 5, batch_transactions_max: 2, ..Options::default() });
    for index in 0..300 {
        change(&store, index);
        assert!(store.metrics().in_flight <= 5);
    }
    store.wait_durable(store.last_accepted()).unwrap();
    assert!(store.metrics().batch_max <= 2);
    let begun = clock::monotonic();
    while store.metrics().recent_keys > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", store.metrics());
        std::thread::yield_now();
    }
}

/// Waits until the tables hold a transaction: a fork is taken of nothing less.
fn settled(store: &Store, seq: u64) {
    assert!(store.fork(Some(seq)).unwrap().at() == seq && store.metrics().placed >= seq);
}

#[test]
fn a_snapshot_that_is_held_too_long_is_too_old_and_a_young_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = create(&folder, Options { read_snapshot_age_max: Duration::from_millis(40), ..Options::default() });
    store.wait_durable(change(&store, 1)).unwrap();
    let mut old = store.begin().unwrap();
    let mut view = store.begin_durable().unwrap();
    settled(&store, change(&store, 2));
    assert!(old.scan(&KEPT, KeyRange::all(), 9, false).is_ok(), "superseded a moment ago");
    std::thread::sleep(Duration::from_millis(60));
    let mut young = store.begin().unwrap();
    settled(&store, change(&store, 3));
    settled(&store, change(&store, 4));
    assert!(matches!(old.get(&PLAIN, b"a"), Err(Error::TooOld)));
    assert!(matches!(view.get(&PLAIN, b"a"), Err(Error::TooOld)));
    old.put(&PLAIN, b"a", "x").unwrap();
    assert!(matches!(old.commit(), Err(Error::TooOld)));
    assert!(young.get(&PLAIN, b"a").is_ok());
    young.put(&PLAIN, b"a", "x").unwrap();
    young.commit().unwrap();
    assert_eq!(store.metrics().too_old, 1);
}

#[test]
fn a_full_window_of_recent_writes_ends_long_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let store = create(&folder, Options { window_writes_max: 100, ..Options::default() });
    let mut held = store.begin().unwrap();
    held.put(&PLAIN, b"a", "x").unwrap();
    for index in 0..20 {
        settled(&store, change(&store, index));
    }
    assert!(held.peek(&PLAIN, b"b").is_ok(), "forty writes fit");
    for index in 0..60 {
        settled(&store, change(&store, index));
    }
    assert!(matches!(held.commit(), Err(Error::TooOld)));
    assert!(store.metrics().recent_keys < 110, "{:?}", store.metrics());
}
