//! A fork: the store as of one sequence, and writes that nobody else ever sees.
//!
//! Dry runs, tests and simulations use it. Nothing it accepts reaches the applier; dropping it forgets everything. It keeps
//! no snapshot open: each read takes a short one and walks back to the fork's sequence.

use super::committer::Shared;
use super::contract::{Error, Result};
use super::locked;
use super::prepared::Prepared;
use super::recent::Recent;
use super::transaction::Tx;
use std::sync::{Arc, Mutex};

/// A private continuation of the store. Clones share it.
#[derive(Clone)]
pub struct Fork {
    inner: Arc<Forked>,
}

pub(super) struct Forked {
    pub(super) shared: Arc<Shared>,
    /// The sequence it continues from.
    pub(super) at: u64,
    pub(super) recent: Recent,
    last: Mutex<u64>,
}

impl Fork {
    pub(super) fn new(shared: Arc<Shared>, at: u64) -> Fork {
        Fork { inner: Arc::new(Forked { shared, at, recent: Recent::new(1 << 12, usize::MAX), last: Mutex::new(at) }) }
    }

    /// The sequence the fork continues from.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.inner.at
    }

    /// The last sequence given within the fork.
    #[must_use]
    pub fn last_accepted(&self) -> u64 {
        *locked(&self.inner.last)
    }

    /// A transaction within the fork: it reads the store as of the fork, and the fork's own writes.
    ///
    /// # Errors
    /// `Closed` when the store is.
    pub fn begin(&self) -> Result<Tx> {
        if self.inner.shared.is_closed() {
            return Err(Error::Closed);
        }
        Ok(Tx::forked(self.inner.clone(), self.last_accepted()))
    }
}

impl Forked {
    pub(super) fn commit(&self, mut prepared: Prepared, seq: u64) -> Result<u64> {
        let mut last = locked(&self.last);
        if let Some(wait_for) = prepared.conflict(&self.recent, self.at, seq, &self.shared.options) {
            return Err(Error::Conflict { wait_for });
        }
        *last += 1;
        prepared.stamp(*last);
        self.recent.insert(*last, &prepared.writes);
        Ok(*last)
    }
}
