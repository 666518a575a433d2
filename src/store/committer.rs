//! Accepting transactions and making them durable.
//!
//! `commit` runs on the caller's thread: under one short lock the reads are judged against what was accepted since, a sequence
//! is given and the writes join the recent ones. One applier thread writes whatever waits as one record of the journal and
//! raises one watermark. It waits for a fuller batch only where nobody waits for it. `placing.rs` brings the rows into their tables later. When
//! writing fails there is one path, `recover`: stop accepting, fail the waiters, reopen, go on.

mod recovery;

use super::catalog::Catalog;
use super::contract::{Error, Metrics, Options, Result};
use super::placing::Placing;
use super::prepared::Prepared;
use super::recent::{Commit, Recent};
use super::redb::{Engine, Snapshot, Written};
use super::watermark::Watermark;
use super::{locked, waited};
use crate::clock;
use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::{Duration, Instant};

/// How long transactions that nobody waits for are gathered: a record of a few costs as much as one of hundreds.
const GATHERED_FOR: Duration = Duration::from_millis(5);
/// As many of them are worth a record at once.
const GATHERED_MAX: usize = 256;
/// Recent writes are kept and forgotten in runs of about so many.
const SEGMENT_WRITES_MAX: usize = 16_384;
/// Places of the table that says when a key was written last, 8 bytes each: several times as many as there are recent writes,
/// so that most keys that were not written lately are known not to have been.
const WRITTEN_BUCKETS: usize = 1 << 19;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Running,
    Down,
    Closing,
}

/// Who waits for a transaction to become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hurry {
    /// Nobody in particular: others may come with it.
    None,
    /// Somebody.
    Some,
    /// Somebody on this thread, which also applies it when nobody applies now.
    Here,
}

struct Sequencer {
    status: Status,
    accepted: u64,
    at: i64,
    in_flight: usize,
    exclusive: Option<u64>,
    places: u64,
    queue: VecDeque<Arc<Commit>>,
    /// Since when the queue is not empty.
    since: Option<Instant>,
    /// Somebody waits for one of the queue.
    is_urgent: bool,
    /// Nobody applies, and whoever finds this takes it back sees to it that somebody does.
    is_idle: bool,
    /// The applier waits for a fuller queue; the same holds for whoever cannot wait.
    is_gathering: bool,
    /// Another thread met a failure: the applier recovers before anything else.
    has_failed: bool,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    batches: AtomicU64,
    batch_last: AtomicUsize,
    batch_max: AtomicUsize,
    conflicts: AtomicU64,
    too_old: AtomicU64,
    failures: AtomicU64,
}

/// What every handle, transaction and the applier share.
pub(super) struct Shared {
    pub(super) catalog: Arc<Catalog>,
    pub(super) options: Options,
    pub(super) recent: Recent,
    pub(super) base: ArcSwap<Snapshot>,
    pub(super) engine: Engine,
    pub(super) accepted: AtomicU64,
    pub(super) watermark: Watermark,
    pub(super) placing: Placing,
    sequencer: Mutex<Sequencer>,
    /// Held by the one thread that takes from the queue and applies.
    applying: Mutex<()>,
    work: Condvar,
    turn: Condvar,
    /// Superseded snapshots and when they were.
    superseded: Mutex<Vec<(Weak<Snapshot>, Instant)>>,
    counters: Counters,
}

/// A place in line: while it lives nobody else commits.
pub(super) struct Place {
    shared: Arc<Shared>,
    token: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sequencer = locked(&self.shared.sequencer);
        if sequencer.exclusive == Some(self.token) {
            sequencer.exclusive = None;
        }
        drop(sequencer);
        self.shared.turn.notify_all();
    }
}

impl Shared {
    pub(super) fn new(engine: Engine, catalog: Arc<Catalog>, options: Options, seq: u64, at: i64) -> Result<Shared> {
        let base = ArcSwap::from_pointee(engine.snapshot(seq)?);
        let sequencer = Sequencer {
            status: Status::Running,
            accepted: seq,
            at,
            in_flight: 0,
            exclusive: None,
            places: 0,
            queue: VecDeque::new(),
            since: None,
            is_urgent: false,
            is_idle: false,
            is_gathering: false,
            has_failed: false,
        };
        let segment_writes_max = SEGMENT_WRITES_MAX.min(options.window_writes_max / 4).max(1);
        Ok(Shared {
            catalog,
            options,
            recent: Recent::new(WRITTEN_BUCKETS, segment_writes_max),
            base,
            engine,
            accepted: AtomicU64::new(seq),
            watermark: Watermark::new(seq),
            placing: Placing::new(seq),
            sequencer: Mutex::new(sequencer),
            applying: Mutex::new(()),
            work: Condvar::new(),
            turn: Condvar::new(),
            superseded: Mutex::new(Vec::new()),
            counters: Counters::default(),
        })
    }

    /// What everybody who changes something reads: a base, the generation and the last sequence that belong together.
    pub(super) fn snapshot(&self) -> (Arc<Snapshot>, u64, u64) {
        self.snapshot_at(|| self.accepted.load(Ordering::Acquire))
    }

    /// What may be shown outside: the same up to what is durable.
    pub(super) fn durable_snapshot(&self) -> (Arc<Snapshot>, u64, u64) {
        self.snapshot_at(|| self.watermark.durable())
    }

    fn snapshot_at(&self, seq: impl Fn() -> u64) -> (Arc<Snapshot>, u64, u64) {
        loop {
            let base = self.base.load_full();
            let generation = self.recent.generation();
            let seq = seq();
            if self.recent.reaches(base.seq, generation) {
                let seq = seq.max(base.seq);
                return (base, generation, seq);
            }
            std::thread::yield_now();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        locked(&self.sequencer).status == Status::Closing
    }

    /// Waits until nobody else has the place in line, and takes it.
    pub(super) fn take_place(self: &Arc<Shared>) -> Result<Place> {
        let mut sequencer = locked(&self.sequencer);
        while sequencer.exclusive.is_some() && sequencer.status != Status::Closing {
            sequencer = waited(self.turn.wait(sequencer));
        }
        if sequencer.status == Status::Closing {
            return Err(Error::Closed);
        }
        sequencer.places += 1;
        let token = sequencer.places;
        sequencer.exclusive = Some(token);
        Ok(Place { shared: self.clone(), token })
    }

    /// Judges and accepts a transaction begun at `seq` on a base; answers its sequence.
    pub(super) fn commit(
        &self,
        mut prepared: Prepared,
        (base, generation, seq): (u64, u64, u64),
        place: Option<&Place>,
        hurry: Hurry,
    ) -> Result<u64> {
        let mine = place.map(|place| place.token);
        let mut sequencer = locked(&self.sequencer);
        loop {
            match sequencer.status {
                Status::Running => {}
                Status::Down => return Err(Error::Unavailable),
                Status::Closing => return Err(Error::Closed),
            }
            let must_wait = sequencer.exclusive.is_some_and(|holder| Some(holder) != mine);
            if !must_wait && sequencer.in_flight < self.options.in_flight_max {
                break;
            }
            sequencer = waited(self.turn.wait(sequencer));
        }
        if !self.recent.reaches(base, generation) {
            self.counters.too_old.fetch_add(1, Ordering::Relaxed);
            return Err(Error::TooOld);
        }
        if let Some(wait_for) = prepared.conflict(&self.recent, base, seq, &self.options) {
            self.counters.conflicts.fetch_add(1, Ordering::Relaxed);
            return Err(Error::Conflict { wait_for });
        }
        let given = sequencer.accepted + 1;
        let logged = !prepared.appends.is_empty();
        prepared.stamp(given);
        self.recent.insert(given, &prepared.writes);
        sequencer.at = prepared.at.map_or(sequencer.at, |at| at.max(sequencer.at));
        sequencer.accepted = given;
        sequencer.in_flight += 1;
        let Prepared { writes, bytes, reads, ranges, appended, .. } = prepared;
        let at = sequencer.at;
        sequencer.since = sequencer.since.or_else(|| Some(clock::monotonic()));
        sequencer.queue.push_back(Arc::new(Commit { seq: given, at, writes, bytes, logged, appended }));
        self.accepted.store(given, Ordering::Release);
        sequencer.is_urgent |= hurry != Hurry::None;
        let is_worth_it = sequencer.is_urgent || sequencer.queue.len() >= GATHERED_MAX;
        let wake =
            std::mem::take(&mut sequencer.is_idle) || (is_worth_it && std::mem::take(&mut sequencer.is_gathering));
        drop(sequencer);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        match wake {
            true if hurry == Hurry::Here => self.apply_here(),
            true => self.work.notify_one(),
            false => {}
        }
        drop((reads, ranges));
        Ok(given)
    }

    /// Somebody has begun to wait for a sequence: what is gathered is not gathered any longer.
    pub(super) fn hurry(&self, seq: u64) {
        if self.watermark.durable() >= seq {
            return;
        }
        let mut sequencer = locked(&self.sequencer);
        sequencer.is_urgent |= sequencer.since.is_some();
        let wake = std::mem::take(&mut sequencer.is_gathering);
        drop(sequencer);
        if wake {
            self.work.notify_one();
        }
    }

    /// Whether transactions are accepted now.
    pub(super) fn is_running(&self) -> bool {
        locked(&self.sequencer).status == Status::Running
    }

    /// Stops accepting; the applier finishes what was accepted and ends.
    pub(super) fn stop(&self) {
        locked(&self.sequencer).status = Status::Closing;
        self.work.notify_all();
        self.turn.notify_all();
    }

    /// After the applier has ended: nobody waits for what will not come, and the file is let go.
    pub(super) fn finish(&self) {
        self.watermark.close();
        self.cut_off_readers();
        self.engine.close();
    }

    /// The applier: runs until the store closes and everything accepted is durable.
    pub(super) fn run_applier(&self) {
        while self.wait_for_work() {
            let applying = locked(&self.applying);
            if std::mem::take(&mut locked(&self.sequencer).has_failed) {
                self.recover();
            }
            if self.take_work().is_some_and(|work| !self.apply(&work)) {
                self.recover();
            }
            drop(applying);
        }
        // A caller's thread may still be at it.
        drop(locked(&self.applying));
        self.placing.end();
    }

    /// Applies what waits, on the thread of a caller: a lone change is durable sooner without a change of threads.
    fn apply_here(&self) {
        let mut is_done = true;
        if let Ok(applying) = self.applying.try_lock() {
            is_done = self.take_work().is_none_or(|work| self.apply(&work));
            drop(applying);
        }
        let mut sequencer = locked(&self.sequencer);
        sequencer.has_failed |= !is_done;
        sequencer.is_idle = is_done && sequencer.queue.is_empty();
        let is_idle = sequencer.is_idle;
        drop(sequencer);
        if !is_idle {
            self.work.notify_one();
        }
    }

    /// Makes a batch durable and says so; whether that succeeded.
    fn apply(&self, batch: &[Arc<Commit>]) -> bool {
        let Err(error) = self.make_durable(batch) else { return true };
        tracing::error!(%error, source = std::error::Error::source(&error), "storage failed");
        false
    }

    fn make_durable(&self, batch: &[Arc<Commit>]) -> Result<()> {
        loop {
            match self.engine.journalled(batch, self.placing.placed())? {
                Written::Done => {
                    self.placing.add(batch, self.waiting_bytes_max());
                    break;
                }
                Written::Full { up_to } => self.settle(up_to)?,
                Written::TooLarge => {
                    self.place_now(batch)?;
                    break;
                }
            }
        }
        let Some(last) = batch.last() else { return Ok(()) };
        locked(&self.sequencer).in_flight -= batch.len();
        self.turn.notify_all();
        self.counters.batches.fetch_add(1, Ordering::Relaxed);
        self.counters.batch_last.store(batch.len(), Ordering::Relaxed);
        self.counters.batch_max.fetch_max(batch.len(), Ordering::Relaxed);
        self.watermark.raise(last.seq);
        Ok(())
    }

    /// Waits until something is to be done; false when the store has closed and nothing is.
    fn wait_for_work(&self) -> bool {
        let mut sequencer = locked(&self.sequencer);
        loop {
            let is_closing = sequencer.status == Status::Closing;
            if sequencer.has_failed {
                return true;
            }
            let Some(since) = sequencer.since else {
                if is_closing {
                    return false;
                }
                sequencer.is_idle = true;
                sequencer = waited(self.work.wait(sequencer));
                sequencer.is_idle = false;
                continue;
            };
            if is_closing || sequencer.is_urgent || sequencer.queue.len() >= GATHERED_MAX {
                return true;
            }
            let left = GATHERED_FOR.saturating_sub(clock::monotonic().saturating_duration_since(since));
            if left.is_zero() {
                return true;
            }
            sequencer.is_gathering = true;
            sequencer = waited(self.work.wait_timeout(sequencer, left)).0;
            sequencer.is_gathering = false;
        }
    }

    fn take_work(&self) -> Option<Vec<Arc<Commit>>> {
        let mut sequencer = locked(&self.sequencer);
        let bytes_max = self.options.batch_bytes_max.min(self.options.journal_bytes / 4);
        let (mut count, mut bytes) = (0, 0);
        for commit in &sequencer.queue {
            bytes += commit.bytes;
            if count == self.options.batch_transactions_max || (count > 0 && bytes > bytes_max) {
                break;
            }
            count += 1;
        }
        let work = (count > 0).then(|| sequencer.queue.drain(..count).collect());
        if sequencer.queue.is_empty() {
            (sequencer.since, sequencer.is_urgent) = (None, false);
        }
        work
    }

    /// Shows the tables as they are after a sequence, and shortens the window.
    pub(super) fn show_base(&self, seq: u64) -> Result<()> {
        let base = Arc::new(self.engine.snapshot(seq)?);
        let old = self.base.swap(base);
        let before = old.seq;
        let oldest = self.oldest_in_use(old, seq);
        self.shorten_window(oldest, before.min(seq));
        Ok(())
    }

    /// The sequence of the oldest snapshot somebody may still read; those superseded too long ago are taken away.
    fn oldest_in_use(&self, old: Arc<Snapshot>, current: u64) -> u64 {
        let now = clock::monotonic();
        let mut superseded = locked(&self.superseded);
        superseded.push((Arc::downgrade(&old), now));
        drop(old);
        let mut oldest = current;
        superseded.retain(|(snapshot, since)| {
            let Some(snapshot) = snapshot.upgrade() else { return false };
            if now.saturating_duration_since(*since) > self.options.read_snapshot_age_max {
                snapshot.revoke();
                return false;
            }
            oldest = oldest.min(snapshot.seq);
            true
        });
        oldest
    }

    /// What begins now is judged with everything after the base it has; with too much in the window, only with that.
    fn shorten_window(&self, oldest: u64, before: u64) {
        let keep_after =
            if self.recent.writes() > self.options.window_writes_max { oldest.max(before) } else { oldest };
        self.recent.raise_floor(keep_after);
        let sequencer = locked(&self.sequencer);
        let forgotten = self.recent.forget(keep_after);
        drop(sequencer);
        drop(forgotten);
    }

    pub(super) fn metrics(&self) -> Metrics {
        let now = clock::monotonic();
        let superseded = locked(&self.superseded);
        let in_use = superseded.iter().filter(|(snapshot, _)| snapshot.strong_count() > 0);
        let oldest = in_use.map(|(_, since)| now.saturating_duration_since(*since)).max().unwrap_or_default();
        drop(superseded);
        let counters = &self.counters;
        Metrics {
            accepted: self.accepted.load(Ordering::Acquire),
            durable: self.watermark.durable(),
            placed: self.placing.placed(),
            in_flight: locked(&self.sequencer).in_flight,
            commits: counters.commits.load(Ordering::Relaxed),
            batches: counters.batches.load(Ordering::Relaxed),
            batch_last: counters.batch_last.load(Ordering::Relaxed),
            batch_max: counters.batch_max.load(Ordering::Relaxed),
            conflicts: counters.conflicts.load(Ordering::Relaxed),
            too_old: counters.too_old.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            recent_keys: self.recent.keys(),
            oldest_snapshot_age: oldest,
        }
    }
}
