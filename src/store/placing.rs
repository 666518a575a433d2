//! Putting into the tables what is durable already: behind the commits, many transactions at once.
//!
//! What waits here is on disk, in the journal, and everybody sees it, in the recent writes; so it may wait for more to come with
//! it, and for the processors: what is asked for goes first, and the tables are written to when it is quiet. Whoever needs the
//! tables themselves (history, a copy, a check) settles first: that ends the waiting.

use super::committer::Shared;
use super::contract::{Error, Result};
use super::recent::Commit;
use super::{locked, waited};
use crate::clock;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

/// Placing begins when nothing has become durable for so long: a burst has the processors to itself.
const QUIET: Duration = Duration::from_millis(50);
/// What is durable waits no longer than this, however steadily more comes.
const COMPANY_AWAITED: Duration = Duration::from_secs(1);
/// Placing begins at the latest when so many parts of the journal wait: half of what a half holds, so that it is free long
/// before it is needed again, and what waits in memory is little.
const WAITING_SHARES: usize = 4;
/// A commit of the tables takes at most one of so many parts of the journal: the more at once, the fewer pages are written
/// twice; the fewer, the less memory they take.
const SHARES: usize = 16;

/// A request to forget history.
pub(super) struct PruneJob {
    before: i64,
    limit: usize,
    reply: mpsc::SyncSender<Result<usize>>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Commit>>,
    bytes: usize,
    /// Since when the first of them waits.
    since: Option<Instant>,
    /// When the last of them came.
    last: Option<Instant>,
    /// Somebody wants everything up to here.
    wanted: u64,
    jobs: VecDeque<PruneJob>,
    is_down: bool,
    /// Nothing more will come.
    is_ending: bool,
    has_ended: bool,
}

/// What waits to be put into the tables, and who waits for that.
pub(super) struct Placing {
    state: Mutex<State>,
    /// Held while the tables are written to.
    tables: Mutex<()>,
    work: Condvar,
    moved: Condvar,
    placed: AtomicU64,
}

impl Placing {
    pub(super) fn new(placed: u64) -> Placing {
        Placing {
            state: Mutex::default(),
            tables: Mutex::new(()),
            work: Condvar::new(),
            moved: Condvar::new(),
            placed: AtomicU64::new(placed),
        }
    }

    /// The last sequence whose rows are in the tables.
    pub(super) fn placed(&self) -> u64 {
        self.placed.load(Ordering::Acquire)
    }

    /// Takes over transactions that have become durable, in sequence order.
    pub(super) fn add(&self, batch: &[Arc<Commit>], bytes_enough: usize) {
        let mut state = locked(&self.state);
        let was_empty = state.waiting.is_empty();
        state.waiting.extend(batch.iter().cloned());
        state.bytes += batch.iter().map(|commit| commit.bytes).sum::<usize>();
        state.last = Some(clock::monotonic());
        if was_empty {
            state.since = state.last;
        }
        if was_empty || state.bytes >= bytes_enough {
            self.work.notify_one();
        }
    }

    /// No more transactions come: what waits is placed, and then it ends.
    pub(super) fn end(&self) {
        locked(&self.state).is_ending = true;
        self.work.notify_all();
        self.moved.notify_all();
    }

    /// The transactions that are durable and not in the tables, oldest first.
    pub(super) fn waiting(&self) -> Vec<Arc<Commit>> {
        locked(&self.state).waiting.iter().cloned().collect()
    }

    /// The storage failed: whoever waits is told so, and nothing is written until `up`.
    pub(super) fn down(&self) {
        let mut state = locked(&self.state);
        state.is_down = true;
        state.jobs.clear();
        drop(state);
        self.moved.notify_all();
        // Not while the tables are being written to.
        drop(locked(&self.tables));
    }

    /// The tables hold everything that is durable: as of this sequence.
    pub(super) fn up(&self, placed: u64) {
        let mut state = locked(&self.state);
        state.waiting.clear();
        (state.bytes, state.since, state.is_down) = (0, None, false);
        self.placed.store(placed, Ordering::Release);
        drop(state);
        self.moved.notify_all();
    }
}

impl Shared {
    /// Waits until the tables hold everything up to a sequence, which must be durable.
    pub(super) fn settle(&self, seq: u64) -> Result<()> {
        let placing = &self.placing;
        if placing.placed() >= seq {
            return Ok(());
        }
        let mut state = locked(&placing.state);
        state.wanted = state.wanted.max(seq);
        placing.work.notify_one();
        loop {
            match (placing.placed() >= seq, state.is_down, state.has_ended) {
                (true, _, _) => return Ok(()),
                (false, true, _) => return Err(Error::Unavailable),
                (false, false, true) => return Err(Error::Closed),
                (false, false, false) => state = waited(placing.moved.wait(state)),
            }
        }
    }

    /// Waits until the tables hold everything that is durable now.
    pub(super) fn settle_all(&self) -> Result<()> {
        self.settle(self.watermark.durable())
    }

    /// Has history pruned and waits for it.
    pub(super) fn prune(&self, before: i64, limit: usize) -> Result<usize> {
        let (reply, answer) = mpsc::sync_channel(1);
        let mut state = locked(&self.placing.state);
        match (state.is_down, state.is_ending) {
            (true, _) => return Err(Error::Unavailable),
            (false, true) => return Err(Error::Closed),
            (false, false) => state.jobs.push_back(PruneJob { before, limit, reply }),
        }
        drop(state);
        self.placing.work.notify_one();
        answer.recv().unwrap_or(Err(Error::Unavailable))
    }

    /// Writes transactions that no record of the journal can hold into the tables at once.
    pub(super) fn place_now(&self, batch: &[Arc<Commit>]) -> Result<()> {
        let Some(last) = batch.last() else { return Ok(()) };
        self.settle_all()?;
        let tables = locked(&self.placing.tables);
        self.engine.apply_past_journal(batch)?;
        self.show_tables(last.seq)?;
        drop(tables);
        Ok(())
    }

    /// The placer: runs until the store closes and everything durable is in the tables.
    pub(super) fn run_placer(&self) {
        while let Some((batch, job)) = self.next_to_place() {
            let tables = locked(&self.placing.tables);
            let done = self.place(&batch, job);
            drop(tables);
            if let Err(error) = done {
                tracing::error!(%error, source = std::error::Error::source(&error), "storage failed");
                locked(&self.placing.state).is_down = true;
                self.placing.moved.notify_all();
                self.has_failed();
            }
        }
        let mut state = locked(&self.placing.state);
        // Whoever waits for one of these is told that it will not be done.
        state.jobs.clear();
        state.has_ended = true;
        drop(state);
        self.placing.moved.notify_all();
    }

    fn place(&self, batch: &[Arc<Commit>], job: Option<PruneJob>) -> Result<()> {
        if let Some(last) = batch.last() {
            self.engine.apply(batch)?;
            self.show_tables(last.seq)?;
        }
        let Some(job) = job else { return Ok(()) };
        let pruned = self.engine.prune(job.before, job.limit, self.placing.placed() + 1);
        let shown = pruned.and_then(|pruned| self.show_tables(self.placing.placed()).map(|()| pruned));
        match shown {
            Ok(pruned) => drop(job.reply.send(Ok(pruned))),
            Err(error) => {
                drop(job.reply.send(Err(Error::Unavailable)));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Shows the tables as they are after a sequence, and forgets of the recent writes what they hold.
    fn show_tables(&self, seq: u64) -> Result<()> {
        self.show_base(seq)?;
        let mut state = locked(&self.placing.state);
        while state.waiting.front().is_some_and(|commit| commit.seq <= seq) {
            let bytes = state.waiting.pop_front().map_or(0, |commit| commit.bytes);
            state.bytes = state.bytes.saturating_sub(bytes);
        }
        state.since = state.waiting.front().map(|_| clock::monotonic());
        self.placing.placed.store(seq, Ordering::Release);
        drop(state);
        self.placing.moved.notify_all();
        Ok(())
    }

    /// Waits until something is to be placed; none when all is and the store has closed.
    fn next_to_place(&self) -> Option<(Vec<Arc<Commit>>, Option<PruneJob>)> {
        let mut state = locked(&self.placing.state);
        loop {
            let patience = self.patience(&state);
            match patience {
                Some(Duration::ZERO) => break,
                None if state.is_ending && (state.is_down || state.waiting.is_empty()) => return None,
                None => state = waited(self.placing.work.wait(state)),
                Some(left) => state = waited(self.placing.work.wait_timeout(state, left)).0,
            }
        }
        let (mut count, mut bytes) = (0, 0);
        for commit in &state.waiting {
            bytes += commit.bytes;
            if count > 0 && bytes > self.placed_bytes() {
                break;
            }
            count += 1;
        }
        let batch = state.waiting.iter().take(count).cloned().collect();
        let job = state.jobs.pop_front();
        Some((batch, job))
    }

    /// How long what waits may go on waiting; none while nothing does.
    fn patience(&self, state: &State) -> Option<Duration> {
        if state.is_down {
            return None;
        }
        if !state.jobs.is_empty() {
            return Some(Duration::ZERO);
        }
        let since = state.since.filter(|_| !state.waiting.is_empty())?;
        let is_wanted = state.is_ending || state.wanted > self.placing.placed();
        if is_wanted || state.bytes >= self.waiting_bytes_max() {
            return Some(Duration::ZERO);
        }
        let now = clock::monotonic();
        let left = |from: Instant, most: Duration| most.saturating_sub(now.saturating_duration_since(from));
        Some(left(since, COMPANY_AWAITED).min(left(state.last.unwrap_or(since), QUIET)))
    }

    /// As many bytes as may wait while more comes.
    pub(super) fn waiting_bytes_max(&self) -> usize {
        self.options.journal_bytes / SHARES * WAITING_SHARES
    }

    /// As many bytes as go into one commit of the tables.
    fn placed_bytes(&self) -> usize {
        self.options.journal_bytes / SHARES
    }
}
