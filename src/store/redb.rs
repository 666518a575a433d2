//! The engine: the only module that names redb. Opening, snapshots, and one durable commit at a time.
//!
//! redb does not check checksums when it reads and can panic on a damaged page; every read here opens an envelope and is
//! fenced, so damage is an error that names the table and the key. What a commit that failed left on disk is unknown: the
//! caller reopens and looks.

use super::catalog::{CHAIN, Catalog, META, UNDO};
use super::chain::{Head, KEY_HEAD};
use super::contract::{Error, KeyRange, Options, Result, Table, hex};
use super::envelope;
use super::history::{self, UndoRecord};
use super::locked;
use super::recent::{Commit, Write};
use bytes::Bytes;
use redb::{Database, TableDefinition};
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

mod backend;
mod batch;
mod journal;
mod snapshot;

pub use backend::BackendFactory;
pub(super) use backend::{Medium, memory};
pub(super) use journal::Written;
pub(super) use snapshot::Snapshot;

use backend::{Disk, Shared};
use batch::{append_link, append_page, append_undo, apply_table, remove_tombstones};
use journal::Journal;
use snapshot::Opened;

type ReadTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;
type WriteTable<'a> = redb::Table<'a, &'static [u8], &'static [u8]>;

/// Transactions put into the tables at once when a store is opened after a crash.
const REPLAYED_TOGETHER: usize = 1_000;

/// The format this program writes.
pub(super) const FORMAT: u32 = 1;
const KEY_FORMAT: &[u8] = b"format";
const KEY_ID: &[u8] = b"id";
const KEY_SEQUENCE: &[u8] = b"sequence";

fn definition(table: &Table) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name)
}

fn failed<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl Fn(E) -> Error {
    move |source| Error::Storage { doing, source: Box::new(source) }
}

fn read_failed(table: &Table, key: &[u8], error: redb::StorageError) -> Error {
    match error {
        redb::StorageError::Corrupted(_) => Error::Corrupt { table: table.name, key: hex(key) },
        redb::StorageError::DatabaseClosed => Error::Unavailable,
        other => Error::Storage { doing: "read a row", source: Box::new(other) },
    }
}

thread_local! {
    static FENCES: Cell<u32> = const { Cell::new(0) };
}

/// Whether a panic of this thread would be caught here and become an error: then whoever tells of panics need not.
pub(super) fn is_fenced() -> bool {
    FENCES.get() > 0
}

/// What a closure answers, or that it panicked: on damage the engine may.
fn catch_unwind<T>(body: AssertUnwindSafe<impl FnOnce() -> T>) -> std::thread::Result<T> {
    FENCES.set(FENCES.get() + 1);
    let caught = std::panic::catch_unwind(body);
    FENCES.set(FENCES.get() - 1);
    caught
}

/// Runs a read that may meet a damaged page; a panic in the engine becomes `Corrupt`.
fn fenced<T>(table: &Table, key: &[u8], read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Error::Corrupt { table: table.name, key: hex(key) }))
}

/// What the store's own rows say at opening.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) id: [u8; 16],
    pub(super) seq: u64,
    pub(super) at: i64,
}

/// A database and the journal before it; one in memory has none.
struct Open {
    database: Database,
    journal: Option<Arc<Journal>>,
}

/// An open database, replaced by reopening when it fails.
pub(super) struct Engine {
    medium: Medium,
    cache_bytes: usize,
    half_bytes: u64,
    catalog: Arc<Catalog>,
    open: Mutex<Option<Open>>,
}

/// Opens what is on a disk, or makes it where there is nothing and halves of a journal of so many bytes are wanted.
fn open_disk(
    disk: Disk,
    new_half_bytes: Option<u64>,
    cache_bytes: usize,
) -> std::result::Result<Open, redb::DatabaseError> {
    let failed = |error| redb::DatabaseError::Storage(redb::StorageError::Io(error));
    let (journal, pages) = journal::parts(disk, new_half_bytes).map_err(failed)?;
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    let database = builder.create_with_backend(pages)?;
    Ok(Open { database, journal: Some(Arc::new(journal)) })
}

impl Engine {
    /// Opens, and makes an empty medium a store when `fresh` gives its id.
    pub(super) fn open(
        medium: Medium,
        catalog: Arc<Catalog>,
        options: &Options,
        fresh: Option<[u8; 16]>,
    ) -> Result<(Engine, Opening)> {
        let (cache_bytes, half_bytes) = (options.cache_bytes, options.journal_bytes as u64 / 2);
        let engine = Engine { medium, cache_bytes, half_bytes, catalog, open: Mutex::new(None) };
        let open = engine.open_database()?;
        *locked(&engine.open) = Some(open);
        let opening = engine.prepare(fresh).and_then(|opening| engine.catch_up(opening))?;
        Ok((engine, opening))
    }

    fn open_database(&self) -> Result<Open> {
        let failed = |error| redb::DatabaseError::Storage(redb::StorageError::Io(error));
        let opened = catch_unwind(AssertUnwindSafe(|| match &self.medium {
            Medium::File(path) => open_disk(Disk::file(path, false).map_err(failed)?, None, self.cache_bytes),
            Medium::Backend(factory) => {
                let disk = Disk::over(factory().map_err(failed)?);
                open_disk(disk, Some(self.half_bytes), self.cache_bytes)
            }
            Medium::Memory(pages) => {
                let mut builder = Database::builder();
                builder.set_cache_size(self.cache_bytes);
                let database = builder.create_with_backend(Shared(Arc::clone(pages)))?;
                Ok(Open { database, journal: None })
            }
        }));
        opened.map_err(|_| Error::NotAStore { what: "damaged beyond opening".to_owned() })?.map_err(open_failed)
    }

    /// Creates the tables that are missing and reads the store's own rows.
    fn prepare(&self, fresh: Option<[u8; 16]>) -> Result<Opening> {
        catch_unwind(AssertUnwindSafe(|| self.prepare_unfenced(fresh)))
            .unwrap_or_else(|_| Err(Error::NotAStore { what: "damaged beyond opening".to_owned() }))
    }

    fn prepare_unfenced(&self, fresh: Option<[u8; 16]>) -> Result<Opening> {
        let first = self.snapshot(0)?;
        let has_meta = match first.get(&META, KEY_FORMAT) {
            Ok(row) => row.is_some(),
            Err(Error::UnknownTable { .. }) => false,
            Err(error) => return Err(error),
        };
        if !has_meta {
            let Some(id) = fresh else {
                return Err(Error::NotAStore { what: "a database of something else".to_owned() });
            };
            self.write("create the store", |txn| {
                let mut meta = open_table(txn, &META)?;
                put_meta(&mut meta, KEY_FORMAT, &FORMAT.to_be_bytes())?;
                put_meta(&mut meta, KEY_ID, &id)?;
                put_meta(&mut meta, KEY_SEQUENCE, &[0; 16])
            })?;
        }
        let snapshot = self.snapshot(0)?;
        let found = u32::from_be_bytes(fixed(&snapshot, KEY_FORMAT)?);
        if found > FORMAT {
            return Err(Error::NewerFormat { found, known: FORMAT });
        }
        let missing = |table: &&'static Table| matches!(snapshot.open(table), Err(Error::UnknownTable { .. }));
        let missing: Vec<&'static Table> = self.catalog.all().iter().copied().filter(missing).collect();
        if !missing.is_empty() {
            self.write("create tables", |txn| missing.iter().try_for_each(|table| open_table(txn, table).map(drop)))?;
        }
        let (seq, at) = split_sequence(fixed(&snapshot, KEY_SEQUENCE)?);
        let id = fixed(&snapshot, KEY_ID)?;
        if snapshot.get(&META, KEY_HEAD)?.is_none() {
            self.begin_chain(id, seq)?;
        }
        Ok(Opening { id, seq, at })
    }

    /// Begins the chain over what will be appended: at once in a new store, at its sequence in one that had none.
    fn begin_chain(&self, id: [u8; 16], seq: u64) -> Result<()> {
        let snapshot = self.snapshot(0)?;
        if !snapshot.page(&CHAIN, &KeyRange::all(), false, 1, true)?.is_empty() {
            return Err(Error::Corrupt { table: META.name, key: hex(KEY_HEAD) });
        }
        let head = Head::begin(id, seq).encode();
        self.write("begin the chain", |txn| put_meta(&mut open_table(txn, &META)?, KEY_HEAD, &head))
    }

    /// Whether writing has a chance: asked before a database that still reads is given up for a new one.
    pub(super) fn probe(&self) -> bool {
        let path = match &self.medium {
            Medium::File(path) => path,
            Medium::Backend(factory) => return factory().is_ok(),
            Medium::Memory(_) => return true,
        };
        let mut name = path.as_os_str().to_owned();
        name.push(".probe");
        let probe = PathBuf::from(name);
        let written = std::fs::File::create(&probe)
            .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 65_536]).and_then(|()| file.sync_all()));
        let _ = std::fs::remove_file(&probe);
        written.is_ok()
    }

    /// Closes the failed database and opens it again.
    pub(super) fn reopen(&self) -> Result<Opening> {
        self.close();
        let open = self.open_database()?;
        *locked(&self.open) = Some(open);
        self.prepare(None).and_then(|opening| self.catch_up(opening))
    }

    /// Lets go of the file; what still holds a snapshot of it gets `Unavailable`.
    pub(super) fn close(&self) {
        let old = locked(&self.open).take();
        // The engine tidies up as it goes, and a damaged page can make it panic there as anywhere.
        if catch_unwind(AssertUnwindSafe(|| drop(old))).is_err() {
            tracing::error!("closing the file met damage");
        }
    }

    /// A snapshot of what is on disk, labelled with its sequence.
    pub(super) fn snapshot(&self, seq: u64) -> Result<Snapshot> {
        let guard = locked(&self.open);
        let open = guard.as_ref().ok_or(Error::Unavailable)?;
        let txn = redb::ReadableDatabase::begin_read(&open.database).map_err(failed("begin reading"))?;
        let opened = Arc::new(Opened::new(txn, self.catalog.all().len()));
        Ok(Snapshot::of(seq, self.catalog.clone(), Some(opened)))
    }

    /// One durable commit. After an error nothing more is written until the database is opened anew.
    fn write(&self, doing: &'static str, body: impl FnOnce(&redb::WriteTransaction) -> Result<()>) -> Result<()> {
        let guard = locked(&self.open);
        let open = guard.as_ref().ok_or(Error::Unavailable)?;
        let mut txn = open.database.begin_write().map_err(failed(doing))?;
        drop(guard);
        txn.set_two_phase_commit(true);
        txn.set_quick_repair(true);
        body(&txn)?;
        txn.commit().map_err(failed(doing))
    }

    fn journal(&self) -> Result<Option<Arc<Journal>>> {
        let guard = locked(&self.open);
        Ok(guard.as_ref().ok_or(Error::Unavailable)?.journal.clone())
    }

    /// Puts into the tables what the journal says and they do not hold.
    fn catch_up(&self, mut opening: Opening) -> Result<Opening> {
        let Some(journal) = self.journal()? else { return Ok(opening) };
        let unplaced = journal.unplaced(opening.seq).map_err(not_a_journal)?;
        for batch in unplaced.chunks(REPLAYED_TOGETHER) {
            self.apply(batch)?;
        }
        if let Some(last) = unplaced.last() {
            (opening.seq, opening.at) = (last.seq, last.at);
        }
        journal.begin_after(opening.seq);
        Ok(opening)
    }

    /// Makes accepted transactions durable without putting them into the tables, which hold everything up to `placed`. In
    /// memory there is nothing to be done for that.
    pub(super) fn journalled(&self, batch: &[Arc<Commit>], placed: u64) -> Result<Written> {
        match self.journal()? {
            Some(journal) => journal.write(batch, placed).map_err(failed("write the journal")),
            None => Ok(Written::Done),
        }
    }

    /// As `apply`, for transactions that are not in the journal and come after everything that is.
    pub(super) fn apply_past_journal(&self, batch: &[Arc<Commit>]) -> Result<()> {
        self.apply(batch)?;
        if let (Some(journal), Some(last)) = (self.journal()?, batch.last()) {
            journal.begin_after(last.seq);
        }
        Ok(())
    }

    /// Writes accepted transactions into the tables, in sequence order, as one durable commit. Any error leaves the outcome
    /// unknown.
    pub(super) fn apply(&self, batch: &[Arc<Commit>]) -> Result<()> {
        let Some(last) = batch.last() else { return Ok(()) };
        let fenced = catch_unwind(AssertUnwindSafe(|| {
            self.write("commit", |txn| {
                let mut undo: Vec<UndoRecord> = batch.iter().map(|commit| UndoRecord::new(commit)).collect();
                let mut rows: Vec<(usize, &Write)> = Vec::with_capacity(batch.len() * 8);
                for (index, commit) in batch.iter().enumerate() {
                    rows.extend(commit.writes.iter().map(|write| (index, write)));
                }
                rows.sort_unstable_by(|(left_index, left), (right_index, right)| {
                    (left.table, &left.key, left_index).cmp(&(right.table, &right.key, right_index))
                });
                for same in rows.chunk_by(|(_, left), (_, right)| left.table == right.table) {
                    let code = same[0].1.table;
                    let table = self.catalog.by_code(code).ok_or(Error::UnknownTable { name: "of a write" })?;
                    apply_table(txn, table, same, batch, &mut undo)?;
                }
                append_undo(txn, &undo)?;
                let mut meta = open_table(txn, &META)?;
                append_link(txn, &mut meta, batch)?;
                let mut sequence = [0; 16];
                sequence[..8].copy_from_slice(&last.seq.to_be_bytes());
                sequence[8..].copy_from_slice(&last.at.to_be_bytes());
                put_meta(&mut meta, KEY_SEQUENCE, &sequence)
            })
        }));
        fenced.unwrap_or(Err(Error::Unavailable))
    }

    /// Removes history records up to `limit` whose instant lies before `before`, and the tombstones they left.
    pub(super) fn prune(&self, before: i64, limit: usize, keep_from: u64) -> Result<usize> {
        let doomed = history::doomed(&self.snapshot(keep_from)?, before, limit, keep_from)?;
        let (Some(last), false) = (doomed.last(), doomed.is_empty()) else { return Ok(0) };
        let floor = last.seq;
        let fenced = catch_unwind(AssertUnwindSafe(|| {
            self.write("prune history", |txn| {
                let mut gone: Vec<(u8, Bytes, u64)> = Vec::new();
                let mut undo = open_table(txn, &UNDO)?;
                for record in &doomed {
                    undo.remove(record.seq.to_be_bytes().as_slice()).map_err(failed("prune history"))?;
                    let deleted = record.entries.iter().filter(|entry| entry.deleted);
                    gone.extend(deleted.map(|entry| (entry.table, entry.key.clone(), record.seq)));
                }
                drop(undo);
                gone.sort_unstable();
                for same in gone.chunk_by(|left, right| left.0 == right.0) {
                    let Some(table) = self.catalog.by_code(same[0].0) else { continue };
                    remove_tombstones(&mut open_table(txn, table)?, same)?;
                }
                put_meta(&mut open_table(txn, &META)?, history::KEY_FLOOR, &floor.to_be_bytes())
            })
        }));
        fenced.unwrap_or(Err(Error::Unavailable)).map(|()| doomed.len())
    }

    /// Copies every row of a snapshot, checked, into a new file that nobody else can see yet.
    pub(super) fn copy_to(
        &self,
        snapshot: &Snapshot,
        to: &Path,
        progress: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<(u64, u64)> {
        let disk = Disk::file(to, true).map_err(failed("create the copy"))?;
        let target = open_disk(disk, Some(self.half_bytes), self.cache_bytes.min(16 << 20));
        let target = target.map_err(failed("create the copy"))?.database;
        let (mut rows, mut bytes) = (0, 0);
        for table in self.catalog.all() {
            let mut range = KeyRange::all();
            loop {
                let page = snapshot.page(table, &range, false, 4_096, true)?;
                let txn = target.begin_write().map_err(failed("write the copy"))?;
                bytes += append_page(&mut open_table(&txn, table)?, table.code, &page)?;
                txn.commit().map_err(failed("write the copy"))?;
                rows += page.len() as u64;
                progress(rows)?;
                let Some((last, _)) = page.last() else { break };
                range = range.after(last);
            }
        }
        Ok((rows, bytes))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

/// A journal that cannot be read is damage, like pages that cannot.
fn not_a_journal(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::InvalidData => Error::NotAStore { what: error.to_string() },
        _ => Error::Storage { doing: "read the journal", source: Box::new(error) },
    }
}

fn open_failed(error: redb::DatabaseError) -> Error {
    use redb::DatabaseError as Engine;
    use std::io::ErrorKind;
    match error {
        Engine::DatabaseAlreadyOpen => Error::Locked,
        Engine::UpgradeRequired(version) => Error::NotAStore { what: format!("a database of old format {version}") },
        Engine::Storage(redb::StorageError::Corrupted(what)) => Error::NotAStore { what },
        Engine::Storage(redb::StorageError::Io(error))
            if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
        {
            Error::NotAStore { what: error.to_string() }
        }
        other => Error::Storage { doing: "open the store", source: Box::new(other) },
    }
}

fn open_table<'a>(txn: &'a redb::WriteTransaction, table: &Table) -> Result<WriteTable<'a>> {
    txn.open_table(definition(table)).map_err(failed("open a table"))
}

fn put_meta(meta: &mut WriteTable<'_>, key: &[u8], value: &[u8]) -> Result<()> {
    let payload = Bytes::copy_from_slice(value);
    let mut sealed = Vec::new();
    let hashes = (envelope::key_hash(META.code, key), envelope::payload_hash(Some(&payload)));
    envelope::seal(&mut sealed, hashes.0, hashes.1, 0, Some(&payload));
    meta.insert(key, sealed.as_slice()).map(drop).map_err(failed("write the store's own row"))
}

fn fixed<const N: usize>(snapshot: &Snapshot, key: &[u8]) -> Result<[u8; N]> {
    let corrupt = || Error::Corrupt { table: META.name, key: hex(key) };
    let payload = snapshot.get(&META, key)?.and_then(|stored| stored.payload).ok_or_else(corrupt)?;
    payload.as_ref().try_into().map_err(|_| corrupt())
}

fn split_sequence(bytes: [u8; 16]) -> (u64, i64) {
    let [mut seq, mut at] = [[0; 8]; 2];
    seq.copy_from_slice(&bytes[..8]);
    at.copy_from_slice(&bytes[8..]);
    (u64::from_be_bytes(seq), i64::from_be_bytes(at))
}

/// The engine's own check of every page, on a file nobody has open. A file that fails it may be repaired by it.
pub(super) fn check_pages(path: &Path, cache_bytes: usize) -> Result<bool> {
    catch_unwind(AssertUnwindSafe(|| {
        let disk = Disk::file(path, false).map_err(failed("open the file"))?;
        let mut database = open_disk(disk, None, cache_bytes).map_err(open_failed)?.database;
        Ok(database.check_integrity().unwrap_or(false))
    }))
    .unwrap_or(Ok(false))
}

/// Makes an empty store at `path`, which must not matter to anybody yet.
pub(super) fn create_file(path: &Path, catalog: Arc<Catalog>, options: &Options, id: [u8; 16]) -> Result<()> {
    let disk = Disk::file(path, true).map_err(failed("create the store"))?;
    drop(open_disk(disk, Some(options.journal_bytes as u64 / 2), options.cache_bytes).map_err(open_failed)?);
    let (engine, _) = Engine::open(Medium::File(path.to_owned()), catalog, options, Some(id))?;
    engine.close();
    Ok(())
}
