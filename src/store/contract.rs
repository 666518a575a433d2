//! What a store promises, in types that name no engine: tables, rows, key ranges, options, errors, measures.
//!
//! Nothing here opens a file. Another ordered transactional engine could stand behind these types.

use bytes::Bytes;
use std::ops::Bound;
use std::time::Duration;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// The longest payload of one row, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// The most bytes one transaction may write, keys and payloads together.
pub const TRANSACTION_BYTES_MAX: usize = 64 << 20;
/// The most keys and ranges one transaction may read and still be validated.
pub const READS_MAX: usize = 1_000_000;
/// Table codes from here up belong to the store itself.
pub const CODE_RESERVED: u8 = 240;

/// One ordered table of byte keys. Codes are given once and never reused: they are part of every row's checksum.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The number that stands for the table in checksums and history, below [`CODE_RESERVED`].
    pub code: u8,
    /// The name in the file and in errors.
    pub name: &'static str,
    /// Whether replaced rows are kept, so that the table can be read as of an earlier sequence.
    pub history: bool,
}

/// A row as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The sequence of the transaction that wrote it; `u64::MAX` for the reader's own uncommitted write.
    pub seq: u64,
    /// The payload, without the store's envelope.
    pub bytes: Bytes,
}

/// Everything a store can answer instead of a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A stored row failed its checksum or could not be decoded; it is never served.
    #[error("row {key} of table {table} is corrupt")]
    Corrupt {
        /// The table's name.
        table: &'static str,
        /// The key in hex, at most 64 bytes of it.
        key: String,
    },
    /// Something this transaction read was changed before it committed. Nothing was written.
    #[error("conflicts with sequence {wait_for}")]
    Conflict {
        /// A new attempt must begin at this sequence or later.
        wait_for: u64,
    },
    /// The snapshot is older than the window that conflicts can be judged in. Begin again.
    #[error("the snapshot is older than the window of recent changes")]
    TooOld,
    /// History before the sequence asked for has been pruned or was never kept.
    #[error("history does not reach back to sequence {seq}")]
    HistoryGone {
        /// The sequence asked for.
        seq: u64,
    },
    /// Storage is failing. The outcome of work that was accepted and not yet durable is unknown.
    #[error("storage is failing: nothing is accepted until it recovers")]
    Unavailable,
    /// Another handle or process holds the store.
    #[error("the store is open elsewhere")]
    Locked,
    /// The file is not a store, or so damaged that it cannot be recognised as one.
    #[error("not a store: {what}")]
    NotAStore {
        /// What was found instead.
        what: String,
    },
    /// A newer program wrote the file.
    #[error("the store has format {found}, this program knows {known}")]
    NewerFormat {
        /// The format in the file.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// There is something at the path already; `create` never overwrites.
    #[error("there is a file at {path} already")]
    Exists {
        /// The path given.
        path: String,
    },
    /// There is no file at the path.
    #[error("there is no store at {path}")]
    Missing {
        /// The path given.
        path: String,
    },
    /// The store, or this transaction, has been closed.
    #[error("the store is closed")]
    Closed,
    /// A write through a view that only reads.
    #[error("this view only reads")]
    ReadOnly,
    /// The table is not one of those the store was opened with.
    #[error("table {name} is not one of this store's")]
    UnknownTable {
        /// The table's name.
        name: &'static str,
    },
    /// A limit of the store.
    #[error("{what} exceeds {limit}")]
    LimitExceeded {
        /// What was too large, with its unit.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A file that somebody named cannot be made there.
    #[error("could not make {path}")]
    Unmade {
        /// The path given.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The engine or the file system failed.
    #[error("could not {doing}")]
    Storage {
        /// What was being done.
        doing: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The result of anything a store does.
pub type Result<T> = std::result::Result<T, Error>;

/// How a store behaves. Every bound is a number with its unit in the name.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for pages, in bytes. More than 96 MiB was measured to buy nothing at a million subscriptions.
    pub cache_bytes: usize,
    /// Room for a new file's journal, in bytes, a multiple of 8,192. What stands in it waits to be put into the tables, so it
    /// bounds how long opening takes after a crash, and the memory for what waits.
    pub journal_bytes: usize,
    /// The most transactions in one record of the journal.
    pub batch_transactions_max: usize,
    /// The most bytes in one record of the journal; a quarter of the journal is the most whatever this says.
    pub batch_bytes_max: usize,
    /// The most transactions accepted and not yet durable; `commit` waits when there are more.
    pub in_flight_max: usize,
    /// How long a superseded read snapshot may still be used, because it keeps replaced pages from being freed.
    pub read_snapshot_age_max: Duration,
    /// The most recent writes kept to judge conflicts of long transactions; beyond it they are `TooOld`.
    pub window_writes_max: usize,
    /// How long a backup may hold its snapshot.
    pub backup_age_max: Duration,
    /// Deliberate defects, for tests that must see them.
    #[doc(hidden)]
    pub defects: Defects,
}

/// Deliberate defects: a test that cannot fail with them on proves nothing.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Defects {
    /// Accept a transaction although a key it read has changed.
    pub skip_key_check: bool,
    /// Accept a transaction although a range it read has changed.
    pub skip_range_check: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cache_bytes: 96 << 20,
            journal_bytes: 64 << 20,
            batch_transactions_max: 1_000,
            batch_bytes_max: 4 << 20,
            in_flight_max: 4_000,
            read_snapshot_age_max: Duration::from_secs(30),
            window_writes_max: 250_000,
            backup_age_max: Duration::from_secs(30 * 60),
            defects: Defects::default(),
        }
    }
}

/// A range of keys, both ends owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The lower end.
    pub start: Bound<Bytes>,
    /// The upper end.
    pub end: Bound<Bytes>,
}

impl KeyRange {
    /// Every key.
    #[must_use]
    pub fn all() -> KeyRange {
        KeyRange { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// The keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        let mut after = prefix.to_vec();
        while after.last() == Some(&0xff) {
            after.pop();
        }
        let end = match after.last_mut() {
            Some(last) => {
                *last += 1;
                Bound::Excluded(Bytes::from(after))
            }
            None => Bound::Unbounded,
        };
        KeyRange { start: Bound::Included(Bytes::copy_from_slice(prefix)), end }
    }

    /// The keys from `start` up to, not including, `end`.
    #[must_use]
    pub fn between(start: &[u8], end: &[u8]) -> KeyRange {
        KeyRange {
            start: Bound::Included(Bytes::copy_from_slice(start)),
            end: Bound::Excluded(Bytes::copy_from_slice(end)),
        }
    }

    /// The keys from `start` on.
    #[must_use]
    pub fn from(start: &[u8]) -> KeyRange {
        KeyRange { start: Bound::Included(Bytes::copy_from_slice(start)), end: Bound::Unbounded }
    }

    /// The same range, beginning after `key`: the next page of a forward scan.
    #[must_use]
    pub fn after(mut self, key: &[u8]) -> KeyRange {
        self.start = Bound::Excluded(Bytes::copy_from_slice(key));
        self
    }

    /// The same range, ending before `key`: the next page of a backward scan.
    #[must_use]
    pub fn before(mut self, key: &[u8]) -> KeyRange {
        self.end = Bound::Excluded(Bytes::copy_from_slice(key));
        self
    }

    pub(super) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.start.as_ref().map(Bytes::as_ref), self.end.as_ref().map(Bytes::as_ref))
    }

    /// Whether no key can be in the range; ordered maps panic on such bounds.
    pub(super) fn is_empty(&self) -> bool {
        match self.bounds() {
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
                start >= end
            }
            _ => false,
        }
    }
}

impl From<(Bound<Vec<u8>>, Bound<Vec<u8>>)> for KeyRange {
    fn from((start, end): (Bound<Vec<u8>>, Bound<Vec<u8>>)) -> KeyRange {
        KeyRange { start: start.map(Bytes::from), end: end.map(Bytes::from) }
    }
}

impl From<(Bound<&[u8]>, Bound<&[u8]>)> for KeyRange {
    fn from((start, end): (Bound<&[u8]>, Bound<&[u8]>)) -> KeyRange {
        KeyRange { start: start.map(Bytes::copy_from_slice), end: end.map(Bytes::copy_from_slice) }
    }
}

impl From<std::ops::Range<&[u8]>> for KeyRange {
    fn from(range: std::ops::Range<&[u8]>) -> KeyRange {
        KeyRange::between(range.start, range.end)
    }
}

impl From<std::ops::RangeFrom<&[u8]>> for KeyRange {
    fn from(range: std::ops::RangeFrom<&[u8]>) -> KeyRange {
        KeyRange::from(range.start)
    }
}

impl From<std::ops::RangeFull> for KeyRange {
    fn from(_: std::ops::RangeFull) -> KeyRange {
        KeyRange::all()
    }
}

/// What a store has done and holds at this moment.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// The last sequence given out.
    pub accepted: u64,
    /// The last sequence known to be on disk.
    pub durable: u64,
    /// The last sequence whose rows are in their tables; those after it stand in the journal.
    pub placed: u64,
    /// Transactions accepted and not yet durable.
    pub in_flight: usize,
    /// Transactions accepted since opening.
    pub commits: u64,
    /// Durable commits since opening.
    pub batches: u64,
    /// Transactions in the last durable commit.
    pub batch_last: usize,
    /// Transactions in the largest durable commit.
    pub batch_max: usize,
    /// Transactions refused with `Conflict`.
    pub conflicts: u64,
    /// Transactions refused with `TooOld`.
    pub too_old: u64,
    /// Times storage failed and was reopened.
    pub failures: u64,
    /// Keys in the window of recent writes.
    pub recent_keys: usize,
    /// How long ago the oldest snapshot still in use was superseded.
    pub oldest_snapshot_age: Duration,
}

/// What `verify` found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Rows whose checksum was computed.
    pub rows: u64,
    /// Table and key (hex) of rows that failed, at most 1,000 of them.
    pub corrupt: Vec<(&'static str, String)>,
    /// What the engine's own page check said: `None` when it was not run.
    pub pages_sound: Option<bool>,
    /// The chain over what was appended.
    pub chained: Chained,
}

/// The chain over what was appended to logs: how far it reaches, and the first thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chained {
    /// Rows up to this sequence were appended before there was a chain; 0 in a store that always had one.
    pub start: u64,
    /// The last sequence that appended something.
    pub seq: u64,
    /// Rows chained.
    pub records: u64,
    /// The newest hash; whoever keeps it elsewhere can tell later that nothing up to there was rewritten.
    pub hash: [u8; 32],
    /// The first row that is not as it was appended.
    pub broken: Option<Broken>,
}

impl Chained {
    /// The newest hash and its sequence, as text to be kept elsewhere: `SEQUENCE:HASH`.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        format!("{}:{}", self.seq, hex(&self.hash))
    }

    /// As a report shows it: `{since, records, checkpoint, broken, held}`; `held` is the chain's hash at a sequence that
    /// somebody asked about.
    #[must_use]
    pub fn to_json(&self, held: Option<[u8; 32]>) -> serde_json::Value {
        let broken =
            self.broken.map(|broken| serde_json::json!({ "sequence": broken.seq, "fault": broken.fault.as_str() }));
        serde_json::json!({
            "since": self.start,
            "records": self.records,
            "checkpoint": self.checkpoint(),
            "broken": broken,
            "held": held.map(|hash| hex(&hash)),
        })
    }
}

/// What is wrong with a log first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// The sequence.
    pub seq: u64,
    /// What is wrong there.
    pub fault: Fault,
}

/// How a log is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A row says something else, or stands where another stood.
    Changed,
    /// A row is gone.
    Missing,
    /// A row is there that was never appended.
    Unknown,
    /// The chain itself was changed.
    Chain,
}

impl Fault {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Changed => "changed",
            Fault::Missing => "missing",
            Fault::Unknown => "never_written",
            Fault::Chain => "chain_changed",
        }
    }
}

impl Verified {
    /// Whether nothing wrong was found.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.corrupt.is_empty() && self.pages_sound != Some(false) && self.chained.broken.is_none()
    }
}

/// What a backup copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The sequence the copy is as of.
    pub seq: u64,
    /// Rows copied, the store's own included.
    pub rows: u64,
    /// Bytes of keys and values copied.
    pub bytes: u64,
}

pub(super) fn hex(key: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(key.len().min(64) * 2 + 2);
    for byte in &key[..key.len().min(64)] {
        let _ = write!(text, "{byte:02x}");
    }
    if key.len() > 64 {
        text.push_str("..");
    }
    text
}
