//! History and forks: what was is read as it was, and what a fork does stays in it.

use crate::store_contract::{KEPT, LOG, PLAIN, TABLES};
use bursar::store::{Error, KeyRange, Store, Table};
use std::collections::BTreeMap;

fn memory() -> Store {
    Store::memory(&TABLES, [7; 16]).unwrap()
}

fn put(store: &Store, table: &Table, at: i64, key: &[u8], value: Option<&str>) -> u64 {
    let mut tx = store.begin().unwrap();
    tx.stamp_instant(at);
    match value {
        Some(value) => tx.put(table, key, value.to_owned()).unwrap(),
        None => tx.delete(table, key).unwrap(),
    }
    tx.commit().unwrap().seq
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Random puts and deletes with the state after each sequence kept beside the store.
fn grow(store: &Store, seed: u64, count: usize) -> Vec<BTreeMap<Vec<u8>, String>> {
    let mut state = seed | 1;
    let mut models = vec![BTreeMap::new()];
    for index in 0..count {
        let mut model: BTreeMap<Vec<u8>, String> = models.last().unwrap().clone();
        let mut tx = store.begin().unwrap();
        tx.stamp_instant(1_000 + 10 * index as i64);
        for _ in 0..1 + random(&mut state) % 3 {
            let key = vec![b'a' + (random(&mut state) % 12) as u8];
            if random(&mut state).is_multiple_of(4) {
                tx.delete(&KEPT, &key).unwrap();
                model.remove(&key);
            } else {
                tx.put(&KEPT, &key, format!("{index}")).unwrap();
                model.insert(key, format!("{index}"));
            }
        }
        let ticket = tx.commit().unwrap();
        assert_eq!(ticket.seq, models.len() as u64);
        // Some alone in their durable commit, most with others.
        if random(&mut state).is_multiple_of(10) {
            ticket.wait().unwrap();
        }
        models.push(model);
    }
    models
}

fn as_of(store: &Store, seq: u64) -> Result<BTreeMap<Vec<u8>, String>, Error> {
    let rows = store.scan_as_of(&KEPT, KeyRange::all(), 99, seq)?;
    Ok(rows.into_iter().map(|(key, row)| (key.to_vec(), String::from_utf8(row.bytes.to_vec()).unwrap())).collect())
}

#[test]
fn every_sequence_is_read_as_it_was() {
    for seed in [11, 12, 13] {
        let store = memory();
        let models = grow(&store, seed, 200);
        for (seq, model) in models.iter().enumerate() {
            assert_eq!(as_of(&store, seq as u64).unwrap(), *model, "seed {seed} seq {seq}");
            let got = store.get_as_of(&KEPT, b"c", seq as u64).unwrap();
            let want = model.get(&b"c"[..]);
            assert_eq!(got.map(|row| row.bytes), want.map(|text| text.clone().into()), "seed {seed} seq {seq}");
        }
        assert!(store.verify(&mut |_| {}).unwrap().is_sound());
    }
}

#[test]
fn an_instant_finds_the_last_sequence_not_after_it() {
    let store = memory();
    grow(&store, 5, 100);
    store.wait_durable(100).unwrap();
    assert_eq!(store.seq_at(999).unwrap(), Some(0), "before the first");
    for seq in 1..=100u64 {
        let at = 1_000 + 10 * (seq as i64 - 1);
        assert_eq!(store.seq_at(at).unwrap(), Some(seq), "the very instant");
        assert_eq!(store.seq_at(at + 9).unwrap(), Some(seq), "just before the next");
        assert_eq!(store.seq_at(at - 1).unwrap(), Some(seq - 1), "just before it");
    }
    let late = put(&store, &KEPT, 5, b"a", Some("an earlier instant is raised"));
    store.wait_durable(late).unwrap();
    assert_eq!(store.seq_at(1_990).unwrap(), Some(late));
    assert_eq!(store.seq_at(1_989).unwrap(), Some(99));
}

#[test]
fn pruned_history_is_gone_and_the_rest_stays() {
    let store = memory();
    let models = grow(&store, 21, 100);
    store.wait_durable(100).unwrap();
    // Records of sequences 1 to 60 happened before 1,600.
    assert_eq!(store.prune_history(1_600, 25).unwrap(), 25);
    assert_eq!(store.prune_history(1_600, 1_000).unwrap(), 35);
    assert_eq!(store.prune_history(1_600, 1_000).unwrap(), 0);
    for seq in 60..=100 {
        assert_eq!(as_of(&store, seq).unwrap(), models[seq as usize], "seq {seq}");
    }
    assert!(matches!(as_of(&store, 59), Err(Error::HistoryGone { seq: 59 })));
    assert_eq!(store.seq_at(1_590).unwrap(), None, "no record is left to say so");
    assert_eq!(store.seq_at(1_600).unwrap(), Some(61));
    assert_eq!(store.prune_history(i64::MAX, 1_000).unwrap(), 40);
    assert_eq!(as_of(&store, 100).unwrap(), models[100]);
    let mut tx = store.begin().unwrap();
    assert_eq!(tx.scan(&KEPT, KeyRange::all(), 99, false).unwrap().len(), models[100].len());
    assert!(store.verify(&mut |_| {}).unwrap().is_sound());
}

#[test]
fn a_fork_older_than_what_was_pruned_says_so_and_never_shows_what_came_after() {
    let store = memory();
    for key in [b"a", b"b", b"c"] {
        put(&store, &KEPT, 1, key, Some("old"));
    }
    let fork = store.fork(None).unwrap();
    put(&store, &KEPT, 2, b"b", Some("new"));
    put(&store, &KEPT, 3, b"c", None);
    let last = put(&store, &KEPT, 4, b"d", Some("new"));
    store.wait_durable(last).unwrap();
    let look = |key: &[u8]| fork.begin().unwrap().get(&KEPT, key).map(|row| row.map(|row| row.bytes.to_vec()));
    for key in [b"a", b"b", b"c"] {
        assert_eq!(look(key).unwrap().as_deref(), Some(&b"old"[..]));
    }
    assert_eq!(look(b"d").unwrap(), None);
    // A fork holds nothing back: retention goes by instants, and whoever reads too late is told by name.
    assert!(store.prune_history(i64::MAX, 1_000).unwrap() > 0);
    assert_eq!(look(b"a").unwrap().as_deref(), Some(&b"old"[..]), "what nobody changed is what it was");
    for key in [b"b", b"c", b"d"] {
        let told = look(key);
        assert!(matches!(told, Err(Error::HistoryGone { .. })), "{key:?}: {told:?}");
    }
    let told = fork.begin().unwrap().scan(&KEPT, KeyRange::all(), 9, false);
    assert!(matches!(told, Err(Error::HistoryGone { .. })), "{told:?}");
    let now = store.fork(None).unwrap();
    assert_eq!(now.begin().unwrap().scan(&KEPT, KeyRange::all(), 9, false).unwrap().len(), 3, "a new one sees today");
}

#[test]
fn a_key_written_and_deleted_within_one_durable_commit_keeps_its_history() {
    let store = memory();
    let first = put(&store, &KEPT, 1, b"z", Some("1"));
    let second = put(&store, &KEPT, 2, b"z", None);
    let third = put(&store, &KEPT, 3, b"z", Some("3"));
    let fourth = put(&store, &KEPT, 4, b"z", None);
    let seen = |seq| store.get_as_of(&KEPT, b"z", seq).unwrap().map(|row| row.bytes.to_vec());
    assert_eq!(
        [seen(0), seen(first), seen(second), seen(third), seen(fourth)],
        [None, Some(b"1".to_vec()), None, Some(b"3".to_vec()), None]
    );
}

#[test]
fn a_fork_sees_the_past_and_its_own_writes_and_changes_nothing() {
    let store = memory();
    let models = grow(&store, 31, 60);
    let mut tx = store.begin().unwrap();
    tx.put(&PLAIN, b"counter", "now").unwrap();
    tx.append(&LOG, "later than the fork").unwrap();
    tx.commit().unwrap();
    let before = (store.last_accepted(), as_of(&store, 61).unwrap());
    for at in [0, 1, 30, 60] {
        let fork = store.fork(Some(at)).unwrap();
        let mut tx = fork.begin().unwrap();
        assert_eq!(tx.scan(&KEPT, KeyRange::all(), 99, false).unwrap().len(), models[at as usize].len());
        assert_eq!(tx.scan(&LOG, KeyRange::all(), 99, false).unwrap().len(), 0, "newer log rows are hidden");
        assert!(tx.get(&PLAIN, b"counter").unwrap().is_some(), "rows without history are as now");
        tx.delete(&KEPT, b"a").unwrap();
        tx.put(&KEPT, b"m", "forked").unwrap();
        tx.append(&LOG, "forked").unwrap();
        let ticket = tx.commit().unwrap();
        assert_eq!(ticket.seq, at + 1);
        ticket.wait().unwrap();
        let mut model = models[at as usize].clone();
        model.remove(&b"a"[..]);
        model.insert(b"m".to_vec(), "forked".to_owned());
        let mut tx = fork.clone().begin().unwrap();
        for reverse in [false, true] {
            for limit in [1, 3, 99] {
                let rows = tx.scan(&KEPT, KeyRange::all(), limit, reverse).unwrap();
                let got: Vec<Vec<u8>> = rows.iter().map(|(key, _)| key.to_vec()).collect();
                let mut want: Vec<Vec<u8>> = model.keys().cloned().collect();
                if reverse {
                    want.reverse();
                }
                want.truncate(limit);
                assert_eq!(got, want, "at {at} limit {limit} reverse {reverse}");
            }
        }
        assert_eq!(tx.scan(&LOG, KeyRange::all(), 99, false).unwrap().len(), 1);
    }
    assert_eq!((store.last_accepted(), as_of(&store, 61).unwrap()), before);
    assert_eq!(store.metrics().commits, 61);
}

#[test]
fn transactions_of_one_fork_conflict_as_those_of_the_store_do() {
    let store = memory();
    put(&store, &KEPT, 1, b"a", Some("1"));
    let fork = store.fork(None).unwrap();
    let (mut left, mut right) = (fork.begin().unwrap(), fork.begin().unwrap());
    left.get(&KEPT, b"a").unwrap();
    right.scan(&KEPT, KeyRange::all(), 9, false).unwrap();
    left.put(&KEPT, b"a", "left").unwrap();
    right.put(&KEPT, b"b", "right").unwrap();
    let seq = left.commit().unwrap().seq;
    assert!(matches!(right.commit(), Err(Error::Conflict { wait_for }) if wait_for == seq));
    assert_eq!(fork.last_accepted(), seq);
    assert_eq!(store.last_accepted(), 1);
}
