//! The floors: the same calls on the bare script engine, the same rows straight into redb, the disk alone.

use crate::data;
use bursar::Meter;
use bursar::domain::{Request, Subscription, Tenant, TenantId};
use bursar::engine::api::requests::Asked;
use bursar::engine::api::subscriptions::Sub;
use bursar::engine::api::tenants::TenantValue;
use bursar::engine::library::File;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableHandle};
use rhai::{AST, CallFnOptions, Dynamic, Engine, Scope};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

thread_local! {
    static APPROVED: Cell<u64> = const { Cell::new(0) };
    static TENANTS: RefCell<HashMap<TenantId, Tenant>> = RefCell::new(HashMap::new());
    static LIMITS: Cell<Option<(Instant, isize)>> = const { Cell::new(None) };
}

/// The script engine alone: the same functions, sizes and limits, with the tenant from a map and the answer counted.
pub(crate) struct Bare {
    engine: Engine,
    ast: AST,
    file: Arc<File>,
}

impl Bare {
    pub(crate) fn new(cases: &[(Request, Subscription)]) -> Bare {
        let library = crate::decision::library();
        let file = library.files[0].clone();
        let mut engine = bursar::engine::api::kit().engine();
        engine.register_get("tenant", |sub: &mut Sub| {
            TENANTS.with_borrow(|tenants| Dynamic::from(TenantValue(tenants[&sub.0.tenant].clone())))
        });
        engine.register_fn("approve", || APPROVED.set(APPROVED.get() + 1));
        engine.on_progress(|operations| {
            let (begun, ceiling) = LIMITS.get()?;
            if operations > 2_000_000 || Meter::used() > ceiling {
                return Some("limit".into());
            }
            (operations % 16 == 0 && begun.elapsed() > Duration::from_secs(2)).then(|| "wall".into())
        });
        let ast = engine.compile(&*file.source).unwrap();
        let tenants: HashMap<TenantId, Tenant> =
            cases.iter().map(|(request, _)| (request.tenant, data::tenant(request.tenant, 0))).collect();
        TENANTS.set(tenants);
        Bare { engine, ast, file }
    }

    /// Nanoseconds a call, over all the cases.
    pub(crate) fn nanos_a_call(&self, cases: &[(Request, Subscription)]) -> f64 {
        APPROVED.set(0);
        let begun = Instant::now();
        for (request, subscription) in cases {
            let asked = Dynamic::from(Asked::of(request, subscription));
            LIMITS.set(Some((Instant::now(), Meter::used() + (64 << 20))));
            let arguments = vec![asked, self.file.params().into()];
            let options = CallFnOptions::new();
            let called: Result<Dynamic, _> =
                self.engine.call_fn_with_options(options, &mut Scope::new(), &self.ast, "decide", arguments);
            drop(called.unwrap());
        }
        let nanos = begun.elapsed().as_nanos() as f64 / cases.len() as f64;
        assert_eq!(APPROVED.get(), cases.len() as u64);
        nanos
    }
}

/// A row as the engine below stores it, or its deletion.
struct Written {
    seq: u64,
    table: String,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// What a sweep wrote, taken from the file itself.
pub(crate) struct Rows {
    rows: Vec<Written>,
}

fn definition(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

impl Rows {
    /// The rows that differ between a store and the same store after the sequences `after` up to `last`. Deletions
    /// carry no sequence; they are shared out evenly, in key order, as the sweep makes them.
    pub(crate) fn between(before: &Path, after: &Path, sequences: &[(u64, u64)]) -> Vec<Rows> {
        let (before, after) = (opened(before), opened(after));
        let (before, after) = (before.begin_read().unwrap(), after.begin_read().unwrap());
        let mut sets: Vec<Rows> = sequences.iter().map(|_| Rows { rows: Vec::new() }).collect();
        for handle in after.list_tables().unwrap() {
            let name = handle.name().to_owned();
            let new = after.open_table(definition(&name)).unwrap();
            let old = before.open_table(definition(&name)).ok();
            for row in new.iter().unwrap() {
                let (key, value) = row.unwrap();
                let seq = u64::from_le_bytes(value.value()[10..18].try_into().unwrap());
                let set = sequences.iter().position(|(first, last)| *first < seq && seq <= *last);
                if let Some(set) = set {
                    let (key, value) = (key.value().to_vec(), Some(value.value().to_vec()));
                    sets[set].rows.push(Written { seq, table: name.clone(), key, value });
                }
            }
            let Some(old) = old else { continue };
            let gone: Vec<Vec<u8>> = old
                .iter()
                .unwrap()
                .map(|row| row.unwrap().0.value().to_vec())
                .filter(|key| new.get(key.as_slice()).unwrap().is_none())
                .collect();
            share_out(&name, &gone, sequences, &mut sets);
        }
        sets
    }

    /// Bytes of keys and values, and rows, of one transaction.
    pub(crate) fn of_one(&self, transactions: usize) -> (usize, f64) {
        let bytes: usize = self.rows.iter().map(|row| row.key.len() + row.value.as_ref().map_or(0, Vec::len)).sum();
        (bytes / transactions, self.rows.len() as f64 / transactions as f64)
    }

    /// What the rows of one transaction are, by table.
    pub(crate) fn tell(&self, transactions: usize) {
        let mut tables: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
        for row in &self.rows {
            let table = tables.entry(&row.table).or_default();
            table.0 += usize::from(row.value.is_some());
            table.1 += usize::from(row.value.is_none());
            table.2 += row.key.len() + row.value.as_ref().map_or(0, Vec::len);
        }
        for (name, (puts, deletes, bytes)) in tables {
            let each = |number: usize| number as f64 / transactions as f64;
            eprintln!("    {name:<24} {:.2} puts {:.2} deletes {:.0} bytes", each(puts), each(deletes), each(bytes));
        }
    }
}

fn share_out(name: &str, gone: &[Vec<u8>], sequences: &[(u64, u64)], sets: &mut [Rows]) {
    let each = gone.len().div_ceil(sequences.len().max(1)).max(1);
    for (keys, (set, (first, last))) in gone.chunks(each).zip(sets.iter_mut().zip(sequences)) {
        for (index, key) in keys.iter().enumerate() {
            let seq = first + 1 + (last - first) * index as u64 / keys.len() as u64;
            set.rows.push(Written { seq, table: name.to_owned(), key: key.clone(), value: None });
        }
    }
}

/// Writes the sets into a store's file as redb takes them best: so many transactions a durable commit, sorted by
/// table and key, appended through the cursor where they lie behind the end. Milliseconds a set.
pub(crate) fn straight_to_redb(file: &Path, cache_bytes: usize, sets: &mut [Rows], together: u64) -> Vec<f64> {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    let database = builder.open(pages_of(file)).unwrap();
    let mut measured = Vec::new();
    for set in sets {
        let first = set.rows.iter().map(|row| row.seq).min().unwrap_or_default();
        set.rows.sort_by(|left, right| {
            let batch = |row: &Written| (row.seq - first) / together;
            (batch(left), &left.table, &left.key).cmp(&(batch(right), &right.table, &right.key))
        });
        let begun = Instant::now();
        for batch in set.rows.chunk_by(|left, right| (left.seq - first) / together == (right.seq - first) / together) {
            let mut txn = database.begin_write().unwrap();
            txn.set_two_phase_commit(true);
            txn.set_quick_repair(true);
            for same in batch.chunk_by(|left, right| left.table == right.table) {
                write_table(&txn, same);
            }
            txn.commit().unwrap();
        }
        measured.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    measured
}

fn write_table(txn: &redb::WriteTransaction, rows: &[Written]) {
    let mut table = txn.open_table(definition(&rows[0].table)).unwrap();
    let end = table.last().unwrap().map(|(key, _)| key.value().to_vec());
    let split = rows.partition_point(|row| end.as_ref().is_some_and(|end| row.key <= *end));
    for row in &rows[..split] {
        match &row.value {
            Some(value) => drop(table.insert(row.key.as_slice(), value.as_slice()).unwrap()),
            None => drop(table.remove(row.key.as_slice()).unwrap()),
        }
    }
    let mut cursor = table.upper_bound_mut(Bound::<&[u8]>::Unbounded).unwrap();
    for row in &rows[split..] {
        if let Some(value) = &row.value {
            cursor.insert_before(row.key.as_slice(), value.as_slice()).unwrap();
        }
    }
    cursor.close().unwrap();
}

/// The pages of a store's file that was closed, in a file of their own beside it: what lies before them is the journal.
fn pages_of(file: &Path) -> std::path::PathBuf {
    let pages = file.with_extension("pages");
    if !pages.exists() {
        let front = 4_096 + bursar::store::Options::default().journal_bytes as u64;
        let mut from = std::fs::File::open(file).unwrap();
        std::io::Seek::seek(&mut from, std::io::SeekFrom::Start(front)).unwrap();
        std::io::copy(&mut from, &mut std::fs::File::create(&pages).unwrap()).unwrap();
    }
    pages
}

fn opened(file: &Path) -> Database {
    Database::open(pages_of(file)).unwrap()
}

/// Rows of a store's file, all tables together.
pub(crate) fn rows_of(file: &Path) -> u64 {
    let database = opened(file);
    let read = database.begin_read().unwrap();
    read.list_tables().unwrap().map(|handle| read.open_table(definition(handle.name())).unwrap().len().unwrap()).sum()
}

/// The median time of two syncs of the disk in a row, each after an append of a page, in microseconds.
pub(crate) fn two_syncs(folder: &Path, rounds: usize) -> f64 {
    let path = folder.join("syncs");
    let mut file = std::fs::File::create(&path).unwrap();
    let measured = (0..rounds).map(|_| {
        let begun = Instant::now();
        for _ in 0..2 {
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
        }
        begun.elapsed().as_secs_f64() * 1e6
    });
    let measured = measured.collect();
    std::fs::remove_file(&path).unwrap();
    crate::table::median(measured)
}
