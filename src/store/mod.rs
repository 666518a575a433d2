//! The store: serializable transactions on ordered byte keys, in one file, with history and forks.
//!
//! A transaction reads a snapshot (what is on disk plus what was accepted since) and commits if nothing it read has changed.
//! It is *accepted* when it has a sequence and *durable* when that is on disk; nothing may be shown outside before. The store
//! knows no business and reads no clock of the wall: instants and ids come from above. `contract.rs` is what it promises.

mod catalog;
mod chain;
mod committer;
pub mod contract;
mod envelope;
mod fork;
mod history;
mod placing;
mod prepared;
mod recent;
pub mod records;
mod redb;
pub mod tables;
mod transaction;
mod upkeep;
mod watermark;

pub use self::redb::BackendFactory;
pub use contract::{
    BackedUp, Broken, Chained, Defects, Error, Fault, KeyRange, Metrics, Options, Result, Row, Table, Verified,
};
pub use fork::Fork;
pub use transaction::{Savepoint, Ticket, Tx};
pub use watermark::DurableCallback;

use self::redb::{Engine, Medium};
use bytes::Bytes;
use catalog::Catalog;
use committer::Shared;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LockResult, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn waited<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

/// A handle to an open store. Clones are cheap and share it; the last one to go closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    id: [u8; 16],
    shared: Arc<Shared>,
    applier: Mutex<Option<JoinHandle<()>>>,
    placer: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    fn close(&self) {
        self.shared.stop();
        let (applier, placer) = (locked(&self.applier).take(), locked(&self.placer).take());
        let (Some(applier), Some(placer)) = (applier, placer) else { return };
        // A callback may drop the last handle on the applier's own thread, which cannot wait for itself.
        if applier.thread().id() == std::thread::current().id() {
            return;
        }
        if applier.join().is_err() {
            tracing::error!("the applier ended with a panic");
            self.shared.placing.end();
        }
        if placer.join().is_err() {
            tracing::error!("the placer ended with a panic");
        }
        self.shared.finish();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("durable", &self.durable()).finish_non_exhaustive()
    }
}

impl Store {
    /// Makes a new store at `path` and opens it. What is at the path while it is being made is nothing; a crash leaves at
    /// most a file with another name.
    ///
    /// # Errors
    /// `Exists` when there is anything at the path.
    pub fn create(
        path: &Path,
        tables: &'static [&'static Table],
        store_id: [u8; 16],
        options: Options,
    ) -> Result<Store> {
        upkeep::create(path, tables, store_id, &options)?;
        Store::open(path, tables, options)
    }

    /// Opens a store. Tables it does not have yet are created.
    ///
    /// # Errors
    /// `Missing`, `Locked` when anybody has it open, `NotAStore`, `NewerFormat`, `Storage`.
    pub fn open(path: &Path, tables: &'static [&'static Table], options: Options) -> Result<Store> {
        if !path.exists() {
            return Err(Error::Missing { path: path.display().to_string() });
        }
        Store::start(Medium::File(path.to_owned()), tables, options, None)
    }

    /// A new store in memory, gone with its last handle.
    ///
    /// # Errors
    /// `UnknownTable` when two tables share a code or a name.
    pub fn memory(tables: &'static [&'static Table], store_id: [u8; 16]) -> Result<Store> {
        Store::start(redb::memory(), tables, Options::default(), Some(store_id))
    }

    /// Opens whatever the factory's backend holds, making an empty one a store. The factory is called again after a failure.
    ///
    /// # Errors
    /// As `open`.
    pub fn with_backend(
        backend: BackendFactory,
        tables: &'static [&'static Table],
        store_id: [u8; 16],
        options: Options,
    ) -> Result<Store> {
        Store::start(Medium::Backend(backend), tables, options, Some(store_id))
    }

    fn start(
        medium: Medium,
        tables: &'static [&'static Table],
        options: Options,
        fresh: Option<[u8; 16]>,
    ) -> Result<Store> {
        let catalog = Arc::new(Catalog::new(tables)?);
        let (engine, opening) = Engine::open(medium, catalog.clone(), &options, fresh)?;
        let shared = Arc::new(Shared::new(engine, catalog, options, opening.seq, opening.at)?);
        let failed = |error| Error::Storage { doing: "start a thread of the store", source: Box::new(error) };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (applies, places) = (shared.clone(), shared.clone());
        let applier = thread("store-applier").spawn(move || applies.run_applier()).map_err(failed)?;
        let placer = match thread("store-placer").spawn(move || places.run_placer()) {
            Ok(placer) => placer,
            Err(error) => {
                shared.stop();
                return Err(failed(error));
            }
        };
        let (applier, placer) = (Mutex::new(Some(applier)), Mutex::new(Some(placer)));
        Ok(Store { inner: Arc::new(Inner { id: opening.id, shared, applier, placer }) })
    }

    /// The id given at creation.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        self.inner.id
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.inner.shared.options
    }

    /// A transaction that reads everything accepted so far and may write.
    ///
    /// # Errors
    /// `Closed`.
    pub fn begin(&self) -> Result<Tx> {
        self.check_open()?;
        Ok(Tx::live(self.inner.shared.clone(), None))
    }

    /// A view of what is durable, to be shown outside; it refuses writes.
    ///
    /// # Errors
    /// `Closed`.
    pub fn begin_durable(&self) -> Result<Tx> {
        self.check_open()?;
        Ok(Tx::durable(self.inner.shared.clone()))
    }

    /// A transaction with a place in line: from now until it commits or is dropped nobody else commits, so it cannot
    /// conflict. Whoever holds one must not commit another transaction on the same thread: it would wait for itself.
    ///
    /// # Errors
    /// `Closed`.
    pub fn begin_exclusive(&self) -> Result<Tx> {
        let place = self.inner.shared.take_place()?;
        Ok(Tx::live(self.inner.shared.clone(), Some(place)))
    }

    /// The last sequence given out.
    #[must_use]
    pub fn last_accepted(&self) -> u64 {
        self.inner.shared.accepted.load(Ordering::Acquire)
    }

    /// The last sequence on disk.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.inner.shared.watermark.durable()
    }

    /// Waits until `seq` is on disk. A sequence that has not been given yet is waited for too.
    ///
    /// # Errors
    /// `Unavailable` when storage failed meanwhile: its outcome is unknown. `Closed`.
    pub fn wait_durable(&self, seq: u64) -> Result<()> {
        self.hurry(seq);
        self.inner.shared.watermark.wait(seq)
    }

    /// Says that somebody waits for a sequence who has not said so when it was committed (in passing).
    pub fn hurry(&self, seq: u64) {
        self.inner.shared.hurry(seq);
    }

    /// Calls `callback` once, as `wait_durable` would return; on the calling thread when that is now, else on the applier's,
    /// where it must not block.
    pub fn on_durable(&self, seq: u64, callback: impl FnOnce(Result<()>) + Send + 'static) {
        self.inner.shared.watermark.call_when(seq, Box::new(callback));
    }

    /// A private continuation of the store as of `at`, or of everything accepted by now. Waits until that is durable.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`. That history does not reach `at` is told by the reads.
    pub fn fork(&self, at: Option<u64>) -> Result<Fork> {
        self.check_open()?;
        let last = self.last_accepted();
        let at = at.map_or(last, |at| at.min(last));
        self.wait_durable(at)?;
        self.inner.shared.settle(at)?;
        Ok(Fork::new(self.inner.shared.clone(), at))
    }

    /// A row as of a sequence, which is waited for when it is not durable yet.
    ///
    /// # Errors
    /// `HistoryGone` when history does not reach back; `Corrupt`, `Unavailable`.
    pub fn get_as_of(&self, table: &Table, key: &[u8], seq: u64) -> Result<Option<Row>> {
        self.inner.shared.catalog.check(table)?;
        let base = self.base_with(seq)?;
        history::get_as_of(&base, table, key, seq)
    }

    /// Up to `limit` rows of a range of keys as of a sequence, in key order.
    ///
    /// # Errors
    /// As `get_as_of`.
    pub fn scan_as_of(
        &self,
        table: &Table,
        range: impl Into<KeyRange>,
        limit: usize,
        seq: u64,
    ) -> Result<Vec<(Bytes, Row)>> {
        self.inner.shared.catalog.check(table)?;
        let base = self.base_with(seq)?;
        history::scan_as_of(&base, table, &range.into(), false, limit, seq)
    }

    fn base_with(&self, seq: u64) -> Result<Arc<redb::Snapshot>> {
        let seq = seq.min(self.last_accepted());
        self.wait_durable(seq)?;
        self.inner.shared.settle(seq)?;
        Ok(self.inner.shared.base.load_full())
    }

    /// The sequence as of an instant (microseconds since 1970), among durable transactions that logged something or changed
    /// a table with history. `None` when history does not reach back that far.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`.
    pub fn seq_at(&self, instant_micros: i64) -> Result<Option<u64>> {
        history::seq_at(&*self.settled()?, instant_micros)
    }

    /// The tables with everything in them that is durable now.
    fn settled(&self) -> Result<Arc<redb::Snapshot>> {
        self.inner.shared.settle_all()?;
        Ok(self.inner.shared.base.load_full())
    }

    /// Forgets what was replaced before an instant, at most `limit` transactions of it; answers how many.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    pub fn prune_history(&self, before_micros: i64, limit: usize) -> Result<usize> {
        self.inner.shared.prune(before_micros, limit)
    }

    /// Whether transactions are accepted now: not while storage fails, and not once the store is closed.
    #[must_use]
    pub fn is_accepting(&self) -> bool {
        self.inner.shared.is_running()
    }

    /// Whether a panic of this thread is one that the store catches and answers as an error.
    #[must_use]
    pub fn catches_panics_here() -> bool {
        redb::is_fenced()
    }

    /// What the store has done and holds now.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.inner.shared.metrics()
    }

    /// Reads every durable row and checks it; `progress` is told the rows so far. Works page by page beside other work.
    ///
    /// # Errors
    /// `Unavailable`. Corrupt rows are listed, not errors.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<Verified> {
        upkeep::verify(&self.inner.shared, self.inner.id, progress)
    }

    /// As `verify`, of a file nobody has open, with the engine's check of every page first. A file whose pages fail that
    /// check may be changed by it: use a copy where that matters.
    ///
    /// # Errors
    /// As `open`.
    pub fn verify_file(
        path: &Path,
        tables: &'static [&'static Table],
        progress: &mut dyn FnMut(u64),
    ) -> Result<Verified> {
        let options = Options::default();
        let mut verified = {
            let store = Store::open(path, tables, options.clone())?;
            store.verify(progress)?
        };
        verified.pages_sound = Some(redb::check_pages(path, options.cache_bytes)?);
        Ok(verified)
    }

    /// Where the chain over the logs stands, among what is durable: what to keep elsewhere and compare later.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`.
    pub fn chained(&self) -> Result<Chained> {
        let head = chain::head(&*self.settled()?)?;
        Ok(Chained { start: head.start, seq: head.seq, records: head.records, hash: head.hash, broken: None })
    }

    /// The hash of the chain as of a sequence at which a durable commit ended; none for any other.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`.
    pub fn chained_at(&self, seq: u64) -> Result<Option<[u8; 32]>> {
        chain::hash_at(&*self.settled()?, seq)
    }

    /// Writes a consistent copy of what is durable to a new file, checking every row. It holds one snapshot meanwhile, so
    /// replaced pages stay in the store's file until it ends; `Options::backup_age_max` bounds that.
    ///
    /// # Errors
    /// `Exists`, `Unmade`, `Corrupt` (no copy is made), `LimitExceeded`, `Storage`.
    pub fn backup(&self, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<BackedUp> {
        upkeep::backup(&self.inner.shared, to, progress)
    }

    /// Stops accepting for every handle, makes what was accepted durable and lets go of the file.
    pub fn close(self) {
        self.inner.close();
    }

    fn check_open(&self) -> Result<()> {
        if self.inner.shared.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }
}
