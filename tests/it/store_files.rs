//! The file: made whole or not at all, held by one, told apart from anything else, copied and checked.

use crate::store_contract::{KEPT, LOG, PLAIN, TABLES};
use bursar::store::{Error, KeyRange, Options, Store, Table};
use std::path::Path;

const ID: [u8; 16] = [3; 16];
static FEWER: [&Table; 1] = [&PLAIN];

fn filled(path: &Path) -> Store {
    let store = Store::create(path, &TABLES, ID, Options::default()).unwrap();
    for index in 0..50u32 {
        let mut tx = store.begin().unwrap();
        tx.put(&KEPT, &index.to_be_bytes(), vec![index as u8; 300]).unwrap();
        tx.put(&PLAIN, &(index % 7).to_be_bytes(), "x").unwrap();
        tx.append(&LOG, "logged").unwrap();
        tx.commit().unwrap();
    }
    store
}

#[test]
fn what_was_accepted_is_there_after_closing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    let store = filled(&path);
    let handle = store.clone();
    store.close();
    assert!(matches!(handle.begin(), Err(Error::Closed)), "every handle is closed");
    let store = Store::open(&path, &TABLES, Options::default()).unwrap();
    assert_eq!((store.id(), store.last_accepted(), store.durable()), (ID, 50, 50));
    assert_eq!(store.begin().unwrap().scan(&KEPT, KeyRange::all(), 99, false).unwrap().len(), 50);
    assert_eq!(handle.options().batch_transactions_max, 1_000);
}

#[test]
fn a_second_opening_is_refused_and_an_existing_file_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    let store = filled(&path);
    assert!(matches!(Store::open(&path, &TABLES, Options::default()), Err(Error::Locked)));
    assert!(matches!(Store::create(&path, &TABLES, ID, Options::default()), Err(Error::Exists { .. })));
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(Store::open(&link, &TABLES, Options::default()), Err(Error::Locked)));
    drop(store);
    Store::open(&link, &TABLES, Options::default()).unwrap();
    let missing = folder.path().join("missing");
    assert!(matches!(Store::open(&missing, &TABLES, Options::default()), Err(Error::Missing { .. })));
    assert!(!missing.exists(), "looking creates nothing");
}

#[test]
fn a_transaction_that_outlives_the_store_does_not_keep_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    let store = filled(&path);
    let mut tx = store.begin().unwrap();
    tx.put(&PLAIN, b"late", "x").unwrap();
    store.close();
    let store = Store::open(&path, &TABLES, Options::default()).unwrap();
    assert!(tx.get(&PLAIN, b"never read").is_err());
    assert!(matches!(tx.commit(), Err(Error::Closed)));
    assert_eq!(store.last_accepted(), 50);
}

#[test]
fn what_is_not_a_store_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    drop(filled(&path));
    let whole = std::fs::read(&path).unwrap();
    let other = folder.path().join("other");
    let mut garbage = vec![vec![], b"hello".to_vec(), vec![0; 8_192], vec![0xa5; 1 << 20]];
    garbage.extend([64, 320, 4_096, 20_000, whole.len() / 2, whole.len() - 4_096].map(|cut| whole[..cut].to_vec()));
    for bytes in garbage {
        std::fs::write(&other, &bytes).unwrap();
        let opened = Store::open(&other, &TABLES, Options::default());
        assert!(matches!(opened, Err(Error::NotAStore { .. })), "{} bytes: {opened:?}", bytes.len());
        assert_eq!(std::fs::read(&other).unwrap(), bytes, "{} bytes were changed", bytes.len());
    }
}

#[test]
fn a_table_that_is_new_to_the_program_is_added_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    drop(Store::create(&path, &FEWER, ID, Options::default()).unwrap());
    let store = Store::open(&path, &TABLES, Options::default()).unwrap();
    let mut tx = store.begin().unwrap();
    tx.put(&KEPT, b"a", "1").unwrap();
    tx.commit().unwrap().wait().unwrap();
    drop(store);
    let store = Store::open(&path, &FEWER, Options::default()).unwrap();
    assert!(matches!(store.begin().unwrap().get(&KEPT, b"a"), Err(Error::UnknownTable { name: "kept" })));
}

#[test]
fn a_backup_is_a_store_of_its_own_with_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a.bursar"), folder.path().join("copy.bursar"));
    let store = filled(&path);
    let mut tx = store.begin().unwrap();
    tx.delete(&KEPT, &3u32.to_be_bytes()).unwrap();
    tx.commit().unwrap().wait().unwrap();
    let made = store.backup(&copy, &mut |_| {}).unwrap();
    assert_eq!(made.seq, 51);
    assert!(matches!(store.backup(&copy, &mut |_| {}), Err(Error::Exists { .. })));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing half-made is left: {names:?}");
    let copied = Store::open(&copy, &TABLES, Options::default()).unwrap();
    assert_eq!((copied.id(), copied.durable()), (ID, 51));
    for seq in [0, 10, 50, 51] {
        let rows = |store: &Store| store.scan_as_of(&KEPT, KeyRange::all(), 99, seq).unwrap();
        assert_eq!(rows(&copied), rows(&store), "as of {seq}");
    }
    drop(copied);
    let verified = Store::verify_file(&copy, &TABLES, &mut |_| {}).unwrap();
    assert_eq!((verified.is_sound(), verified.pages_sound, verified.rows), (true, Some(true), made.rows));
}
