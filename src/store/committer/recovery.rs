//! After storage failed: down, until the file can be opened again; then on from what it holds.

use super::{Shared, Status};
use crate::store::{locked, waited};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(2);

impl Shared {
    /// Another thread than the applier's met a failure: the applier recovers.
    pub(in crate::store) fn has_failed(&self) {
        locked(&self.sequencer).has_failed = true;
        self.work.notify_one();
    }

    /// Before the file is let go: what reads it now would read what somebody else writes then.
    pub(super) fn cut_off_readers(&self) {
        self.base.load().cut_off();
        for snapshot in locked(&self.superseded).drain(..).filter_map(|(snapshot, _)| snapshot.upgrade()) {
            snapshot.cut_off();
        }
    }

    /// The one path after storage failed. What was accepted and is not durable is unknown and its waiters are told so; its
    /// sequences are never given again. Reads go on with what is durable: the last base, while there is one, and what was to
    /// be placed.
    pub(super) fn recover(&self) {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        self.placing.down();
        let found = self.go_down() + 1;
        let mut pause = RETRY_FIRST;
        let opening = loop {
            if self.engine.probe() {
                self.cut_off_readers();
                match self.engine.reopen() {
                    Ok(opening) => match self.engine.snapshot(found) {
                        Ok(base) => break (opening, base),
                        Err(error) => tracing::warn!(%error, "reading the reopened store failed"),
                    },
                    Err(error) => tracing::warn!(%error, "reopening the store failed"),
                }
            }
            let sequencer = locked(&self.sequencer);
            if sequencer.status == Status::Closing {
                return;
            }
            drop(waited(self.work.wait_timeout(sequencer, pause)));
            pause = (pause * 2).min(RETRY_MAX);
        };
        let (opening, base) = opening;
        tracing::info!(sequence = opening.seq, "storage recovered");
        let mut sequencer = locked(&self.sequencer);
        sequencer.at = sequencer.at.max(opening.at);
        // A sequence of its own for what was found, because the outcome of those before it stays unknown.
        sequencer.accepted = found;
        self.base.store(Arc::new(base));
        self.recent.void(found);
        self.placing.up(found);
        self.watermark.raise(found);
        self.accepted.store(found, Ordering::Release);
        if sequencer.status == Status::Down {
            sequencer.status = Status::Running;
        }
        drop(sequencer);
        self.turn.notify_all();
    }

    fn go_down(&self) -> u64 {
        let mut sequencer = locked(&self.sequencer);
        if sequencer.status == Status::Running {
            sequencer.status = Status::Down;
        }
        sequencer.queue.clear();
        (sequencer.since, sequencer.is_urgent) = (None, false);
        sequencer.in_flight = 0;
        let accepted = sequencer.accepted;
        self.recent.void(self.base.load().seq);
        for commit in self.placing.waiting() {
            self.recent.insert(commit.seq, &commit.writes);
        }
        drop(sequencer);
        self.turn.notify_all();
        self.watermark.fail(accepted);
        accepted
    }
}
