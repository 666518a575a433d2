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

/// Waits until the tables hold a sequence, and tells whether they ever did.
fn reaches_its_tables(store: &Store, seq: u64) -> bool {
    (0..1_000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        store.metrics().placed >= seq
    })
}

#[test]
fn what_is_durable_reaches_its_tables_when_it_is_quiet_and_also_when_it_never_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("a.bursar"));
    assert!(reaches_its_tables(&store, store.last_accepted()), "quiet: {:?}", store.metrics());
    // From now on something comes all the time.
    let first = store.last_accepted() + 1;
    let came = (0..1_000_u32).find(|index| {
        let mut tx = store.begin().unwrap();
        tx.put(&KEPT, &index.to_be_bytes(), vec![1; 300]).unwrap();
        tx.commit().unwrap().wait().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(10));
        store.metrics().placed >= first
    });
    assert!(came.is_some(), "never quiet: {:?}", store.metrics());
    // A journal that is small beside what comes is emptied while it comes.
    let options = Options { journal_bytes: 1 << 17, ..Options::default() };
    let small = Store::create(&folder.path().join("b.bursar"), &TABLES, ID, options).unwrap();
    for index in 0..400_u32 {
        let mut tx = small.begin().unwrap();
        tx.put(&KEPT, &index.to_be_bytes(), vec![1; 3_000]).unwrap();
        tx.commit().unwrap();
    }
    small.wait_durable(small.last_accepted()).unwrap();
    let (placed, accepted) = (small.metrics().placed, small.last_accepted());
    assert!(placed > accepted - 50, "{placed} of {accepted}: a journal of 128 KiB holds some forty of them");
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

#[test]
fn a_copy_that_cannot_be_right_is_not_made_and_a_damaged_file_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a.bursar"), folder.path().join("copy.bursar"));
    drop(filled(&path));
    let mut bytes = std::fs::read(&path).unwrap();
    let at: Vec<usize> = (0..bytes.len() - 300).filter(|at| bytes[*at..*at + 300] == [33; 300]).collect();
    assert!(!at.is_empty());
    at.iter().for_each(|at| bytes[at + 150] ^= 1);
    std::fs::write(&path, &bytes).unwrap();
    let store = Store::open(&path, &TABLES, Options::default()).unwrap();
    let key = "00000021".to_owned();
    assert!(matches!(store.backup(&copy, &mut |_| {}), Err(Error::Corrupt { table: "kept", key: of }) if of == key));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-made is left");
    drop(store);
    let verified = Store::verify_file(&path, &TABLES, &mut |_| {}).unwrap();
    assert_eq!((verified.corrupt.as_slice(), verified.pages_sound), (&[("kept", key)][..], Some(false)));
    assert!(!verified.is_sound());
}

#[test]
fn creating_after_a_creation_that_was_cut_short_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    // What a crash leaves: pages without the first one, under the name a creation works on. The store's own name is free.
    let left = folder.path().join(format!("a.bursar.{}.new", std::process::id()));
    std::fs::write(&left, vec![0; 1 << 20]).unwrap();
    assert!(matches!(Store::open(&path, &TABLES, Options::default()), Err(Error::Missing { .. })));
    drop(filled(&path));
    assert!(!left.exists());
    // One that fails leaves neither name behind.
    let nowhere = folder.path().join("no such folder").join("b.bursar");
    assert!(Store::create(&nowhere, &TABLES, ID, Options::default()).is_err());
    static TWICE: [&Table; 2] = [&PLAIN, &Table { code: 1, name: "same code", history: false }];
    let twice = folder.path().join("twice.bursar");
    let made = Store::create(&twice, &TWICE, ID, Options::default());
    assert!(matches!(made, Err(Error::UnknownTable { name: "same code" })), "{made:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

const META: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("bursar_meta");

/// Changes a file below the store, as another program would.
fn tamper(path: &Path, key: &[u8], value: &[u8]) {
    // The pages lie behind the head of the file and its journal, which is of no meaning after a clean end.
    let front = 4_096 + Options::default().journal_bytes;
    let whole = std::fs::read(path).unwrap();
    let pages = path.with_extension("pages");
    std::fs::write(&pages, &whole[front..]).unwrap();
    put_row(&pages, key, value);
    std::fs::write(path, [&whole[..front], &std::fs::read(&pages).unwrap()].concat()).unwrap();
}

fn put_row(path: &Path, key: &[u8], value: &[u8]) {
    let database = redb::Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(META).unwrap().insert(key, value).unwrap();
    txn.commit().unwrap();
}

/// A row as the first format seals it: version, kind, checksum, sequence, payload. Written out once more here, because files
/// that exist depend on it.
fn sealed(code: u8, key: &[u8], payload: &[u8]) -> Vec<u8> {
    use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};
    let key_hash = xxh3_64_with_seed(key, u64::from(code) + 1).to_le_bytes();
    let parts = [&[1, 0], &key_hash[..], &xxh3_64(payload).to_le_bytes(), &[0; 8]].concat();
    [&[1, 0], &xxh3_64(&parts).to_le_bytes()[..], &[0; 8], payload].concat()
}

#[test]
fn a_newer_format_and_somebody_elses_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bursar");
    drop(filled(&path));
    tamper(&path, b"format", &sealed(255, b"format", &2u32.to_be_bytes()));
    let opened = Store::open(&path, &TABLES, Options::default());
    assert!(matches!(opened, Err(Error::NewerFormat { found: 2, known: 1 })), "{opened:?}");
    tamper(&path, b"format", &sealed(255, b"format", &1u32.to_be_bytes()));
    drop(Store::open(&path, &TABLES, Options::default()).unwrap());
    tamper(&path, b"format", b"damaged");
    let opened = Store::open(&path, &TABLES, Options::default());
    assert!(matches!(opened, Err(Error::Corrupt { table: "bursar_meta", .. })), "{opened:?}");
    let other = folder.path().join("other");
    put_row(&other, b"something", b"else");
    let opened = Store::open(&other, &TABLES, Options::default());
    assert!(matches!(opened, Err(Error::NotAStore { .. })), "{opened:?}");
}
