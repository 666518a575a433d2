//! What the store promises to one caller at a time: reading, writing, ordering, history, forks, files.

use bursar::store::{Error, KeyRange, Store, Table, Tx};
use std::ops::Bound;

pub(crate) static PLAIN: Table = Table { code: 1, name: "plain", history: false };
pub(crate) static KEPT: Table = Table { code: 2, name: "kept", history: true };
pub(crate) static LOG: Table = Table { code: 3, name: "log", history: false };
pub(crate) static TABLES: [&Table; 3] = [&PLAIN, &KEPT, &LOG];
static STRANGER: Table = Table { code: 9, name: "stranger", history: false };

const ID: [u8; 16] = *b"sixteen bytes id";

fn memory() -> Store {
    Store::memory(&TABLES, ID).unwrap()
}

fn put(store: &Store, table: &Table, key: &[u8], value: &[u8]) -> u64 {
    let mut tx = store.begin().unwrap();
    tx.put(table, key, value.to_vec()).unwrap();
    tx.commit().unwrap().seq
}

fn delete(store: &Store, table: &Table, key: &[u8]) -> u64 {
    let mut tx = store.begin().unwrap();
    tx.delete(table, key).unwrap();
    tx.commit().unwrap().seq
}

fn text(tx: &mut Tx, table: &Table, key: &[u8]) -> Option<String> {
    tx.get(table, key).unwrap().map(|row| String::from_utf8(row.bytes.to_vec()).unwrap())
}

fn keys(tx: &mut Tx, table: &Table, range: KeyRange, limit: usize, reverse: bool) -> String {
    let rows = tx.scan(table, range, limit, reverse).unwrap();
    rows.iter().map(|(key, _)| String::from_utf8(key.to_vec()).unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_transaction_reads_its_own_writes_and_leaves_nothing_when_dropped() {
    let store = memory();
    let mut tx = store.begin().unwrap();
    tx.put(&PLAIN, b"a", "1").unwrap();
    assert_eq!(tx.get(&PLAIN, b"a").unwrap().unwrap().seq, u64::MAX);
    tx.delete(&PLAIN, b"a").unwrap();
    assert_eq!(tx.get(&PLAIN, b"a").unwrap(), None);
    drop(tx);
    assert_eq!(text(&mut store.begin().unwrap(), &PLAIN, b"a"), None);
    assert_eq!(store.last_accepted(), 0);
}

#[test]
fn accepted_writes_are_read_at_once_and_carry_their_sequence() {
    let store = memory();
    let first = put(&store, &PLAIN, b"a", b"1");
    let mut before = store.begin().unwrap();
    let second = put(&store, &PLAIN, b"a", b"2");
    assert!(second > first);
    assert_eq!(text(&mut before, &PLAIN, b"a").as_deref(), Some("1"), "a snapshot does not move");
    assert_eq!(store.begin().unwrap().get(&PLAIN, b"a").unwrap().unwrap().seq, second);
    store.wait_durable(second).unwrap();
    assert_eq!(text(&mut before, &PLAIN, b"a").as_deref(), Some("1"), "nor when it becomes durable");
    assert_eq!(store.begin_durable().unwrap().get(&PLAIN, b"a").unwrap().unwrap().seq, second);
}

#[test]
fn scans_merge_own_recent_and_durable_rows_in_both_directions() {
    let store = memory();
    for key in ["a", "c", "e", "g"] {
        put(&store, &PLAIN, key.as_bytes(), b"durable");
    }
    store.wait_durable(store.last_accepted()).unwrap();
    let mut held = store.begin().unwrap();
    for key in ["b", "f"] {
        put(&store, &PLAIN, key.as_bytes(), b"recent");
    }
    delete(&store, &PLAIN, b"c");
    let mut tx = store.begin().unwrap();
    tx.put(&PLAIN, b"d", "own").unwrap();
    tx.put(&PLAIN, b"e", "own").unwrap();
    tx.delete(&PLAIN, b"f").unwrap();
    assert_eq!(keys(&mut tx, &PLAIN, KeyRange::all(), 99, false), "a b d e g");
    assert_eq!(keys(&mut tx, &PLAIN, KeyRange::all(), 99, true), "g e d b a");
    assert_eq!(keys(&mut tx, &PLAIN, KeyRange::all(), 3, false), "a b d");
    assert_eq!(keys(&mut tx, &PLAIN, KeyRange::all(), 2, true), "g e");
    assert_eq!(keys(&mut tx, &PLAIN, KeyRange::all(), 0, true), "");
    assert_eq!(keys(&mut tx, &PLAIN, KeyRange::between(b"b", b"e"), 99, false), "b d");
    assert_eq!(keys(&mut tx, &PLAIN, KeyRange::between(b"e", b"b"), 99, false), "", "an inverted range is empty");
    assert_eq!(
        keys(&mut tx, &PLAIN, (Bound::Excluded(b"b".to_vec()), Bound::Included(b"e".to_vec())).into(), 9, true),
        "e d"
    );
    assert_eq!(keys(&mut tx, &PLAIN, KeyRange::all().after(b"d"), 1, false), "e");
    assert_eq!(keys(&mut held, &PLAIN, KeyRange::all(), 99, false), "a c e g");
}

#[test]
fn a_prefix_ends_where_it_should() {
    let store = memory();
    let mut tx = store.begin().unwrap();
    for key in [&b"a\xfe"[..], b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff"] {
        tx.put(&PLAIN, key, "x").unwrap();
    }
    let mut count = |prefix: &[u8]| tx.scan(&PLAIN, KeyRange::prefix(prefix), 99, false).unwrap().len();
    assert_eq!([count(b"a"), count(b"a\xff"), count(b"\xff"), count(b"")], [3, 2, 2, 6]);
}

#[test]
fn what_was_read_and_then_changed_is_a_conflict() {
    let store = memory();
    put(&store, &PLAIN, b"a", b"1");
    let begin = || {
        let mut tx = store.begin().unwrap();
        tx.put(&PLAIN, b"elsewhere", "x").unwrap();
        tx
    };
    let (mut key, mut absent, mut range, mut outside, mut peeked) = (begin(), begin(), begin(), begin(), begin());
    key.get(&PLAIN, b"a").unwrap();
    absent.get(&PLAIN, b"b").unwrap();
    range.scan(&PLAIN, KeyRange::between(b"b", b"c"), 99, false).unwrap();
    outside.scan(&PLAIN, KeyRange::between(b"c", b"d"), 99, false).unwrap();
    outside.scan(&PLAIN, KeyRange::all(), 0, false).unwrap();
    peeked.peek(&PLAIN, b"a").unwrap();
    peeked.peek_scan(&PLAIN, KeyRange::all(), 9, false).unwrap();
    put(&store, &PLAIN, b"a", b"2");
    let last = put(&store, &PLAIN, b"b", b"1");
    assert!(matches!(key.commit(), Err(Error::Conflict { wait_for }) if wait_for == last - 1));
    assert!(matches!(absent.commit(), Err(Error::Conflict { wait_for }) if wait_for == last));
    assert!(matches!(range.commit(), Err(Error::Conflict { wait_for }) if wait_for == last));
    outside.commit().unwrap();
    peeked.commit().unwrap();
    assert_eq!(store.metrics().conflicts, 3);
}

#[test]
fn a_scan_cut_by_its_limit_is_judged_up_to_its_last_key_only() {
    for (reverse, inside, outside) in [(false, b"a5", b"c5"), (true, b"d5", b"b5")] {
        for (changed, wins) in [(inside, false), (outside, true)] {
            let store = memory();
            for key in [b"a", b"b", b"c", b"d", b"e"] {
                put(&store, &PLAIN, key, b"1");
            }
            let mut tx = store.begin().unwrap();
            assert_eq!(tx.scan(&PLAIN, KeyRange::all(), 2, reverse).unwrap().len(), 2);
            tx.put(&PLAIN, b"z", "x").unwrap();
            let mut other = store.begin().unwrap();
            other.put(&PLAIN, changed, "x").unwrap();
            other.commit().unwrap();
            assert_eq!(tx.commit().is_ok(), wins, "reverse {reverse}, changed {changed:?}");
        }
    }
}

#[test]
fn appends_and_fresh_keys_never_conflict_over_reads_but_a_fresh_key_is_given_once() {
    let store = memory();
    put(&store, &PLAIN, b"a", b"1");
    let mut tx = store.begin().unwrap();
    tx.get(&PLAIN, b"a").unwrap();
    tx.append(&LOG, "one").unwrap();
    tx.append(&LOG, "two").unwrap();
    tx.put_new(&PLAIN, b"fresh", "x").unwrap();
    let (mut twin, mut reader) = (store.begin().unwrap(), store.begin().unwrap());
    twin.put_new(&PLAIN, b"fresh", "y").unwrap();
    reader.get(&PLAIN, b"a").unwrap();
    reader.append(&LOG, "three").unwrap();
    reader.put(&PLAIN, b"other", "not fresh").unwrap();
    let mut strict = store.begin().unwrap();
    strict.get(&PLAIN, b"a").unwrap();
    strict.append(&LOG, "four").unwrap();
    strict.judge_reads();
    put(&store, &PLAIN, b"a", b"2");
    let seq = tx.commit().unwrap().seq;
    assert!(matches!(twin.commit(), Err(Error::Conflict { wait_for }) if wait_for == seq));
    assert!(matches!(reader.commit(), Err(Error::Conflict { .. })), "one ordinary write and reads are judged");
    assert!(matches!(strict.commit(), Err(Error::Conflict { .. })), "they were asked to be");
    let rows = store.begin().unwrap().scan(&LOG, KeyRange::all(), 9, false).unwrap();
    let mut second = seq.to_be_bytes().to_vec();
    assert_eq!(rows[0].0, second);
    second.push(1);
    assert_eq!((rows[1].0.as_ref(), rows[1].1.seq), (second.as_slice(), seq));
    assert_eq!(rows.iter().map(|(_, row)| row.bytes.clone()).collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn a_savepoint_takes_back_writes_and_nothing_else() {
    let store = memory();
    let mut tx = store.begin().unwrap();
    tx.put(&PLAIN, b"a", "1").unwrap();
    let outer = tx.savepoint();
    tx.put(&PLAIN, b"a", "2").unwrap();
    tx.append(&LOG, "gone").unwrap();
    let inner = tx.savepoint();
    tx.delete(&PLAIN, b"a").unwrap();
    tx.put(&PLAIN, b"b", "3").unwrap();
    tx.rollback_to(inner);
    assert_eq!((text(&mut tx, &PLAIN, b"a").as_deref(), text(&mut tx, &PLAIN, b"b")), (Some("2"), None));
    tx.rollback_to(outer);
    assert_eq!((text(&mut tx, &PLAIN, b"a").as_deref(), tx.writes()), (Some("1"), 1));
    tx.commit().unwrap();
    assert_eq!(keys(&mut store.begin().unwrap(), &PLAIN, KeyRange::all(), 9, false), "a");
}

#[test]
fn a_place_in_line_cannot_conflict_and_the_others_wait() {
    let store = memory();
    let mut first = store.begin_exclusive().unwrap();
    let seen = text(&mut first, &PLAIN, b"a");
    let other = {
        let store = store.clone();
        std::thread::spawn(move || put(&store, &PLAIN, b"a", b"other"))
    };
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!((seen, store.last_accepted()), (None, 0), "nobody else has committed");
    first.put(&PLAIN, b"a", "first").unwrap();
    assert_eq!(first.commit().unwrap().seq, 1);
    assert_eq!(other.join().unwrap(), 2);
    drop(store.begin_exclusive().unwrap());
    drop(store.begin_exclusive().unwrap());
    assert_eq!(put(&store, &PLAIN, b"b", b"after a dropped one"), 3);
}

#[test]
fn views_that_only_read_refuse_writes_and_hollow_ones_everything() {
    let store = memory();
    let mut view = store.begin_durable().unwrap();
    assert!(matches!(view.put(&PLAIN, b"a", "1"), Err(Error::ReadOnly)));
    assert!(matches!(view.append(&LOG, "1"), Err(Error::ReadOnly)));
    assert!(matches!(view.delete(&PLAIN, b"a"), Err(Error::ReadOnly)));
    view.commit().unwrap().wait().unwrap();
    let mut hollow = Tx::closed();
    assert!(matches!(hollow.get(&PLAIN, b"a"), Err(Error::Closed)));
    assert!(matches!(hollow.scan(&PLAIN, KeyRange::all(), 1, false), Err(Error::Closed)));
    assert!(matches!(hollow.put(&PLAIN, b"a", "1"), Err(Error::Closed)));
    assert!(matches!(hollow.commit(), Err(Error::Closed)));
    let mut tx = store.begin().unwrap();
    assert!(matches!(tx.get(&STRANGER, b"a"), Err(Error::UnknownTable { name: "stranger" })));
}

#[test]
fn limits_are_refused_one_past_the_edge() {
    let store = memory();
    let mut tx = store.begin().unwrap();
    tx.put(&PLAIN, &[7; 1024], "x").unwrap();
    assert!(matches!(tx.put(&PLAIN, &[7; 1025], "x"), Err(Error::LimitExceeded { limit: 1024, .. })));
    for _ in 0..256 {
        tx.append(&LOG, "x").unwrap();
    }
    assert!(matches!(tx.append(&LOG, "x"), Err(Error::LimitExceeded { limit: 256, .. })));
    tx.put(&PLAIN, b"large", vec![0; 16 << 20]).unwrap();
    assert!(matches!(tx.put(&PLAIN, b"larger", vec![0; (16 << 20) + 1]), Err(Error::LimitExceeded { .. })));
    tx.commit().unwrap().wait().unwrap();
    assert_eq!(store.begin().unwrap().scan(&LOG, KeyRange::all(), 999, false).unwrap().len(), 256);
}

#[test]
fn a_callback_is_called_once_durable_and_never_twice() {
    let store = memory();
    let (send, receive) = std::sync::mpsc::channel();
    let seq = put(&store, &PLAIN, b"a", b"1");
    for at in [seq, seq + 1] {
        let send = send.clone();
        store.on_durable(at, move |result| send.send((at, result.is_ok())).unwrap());
    }
    drop(send);
    assert_eq!(receive.recv().unwrap(), (seq, true));
    store.close();
    assert_eq!(receive.recv().unwrap(), (seq + 1, false), "a sequence that never came");
    assert!(receive.recv().is_err());
}
