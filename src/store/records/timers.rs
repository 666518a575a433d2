//! Timers: rows by kind and due instant, popped by the tick; and the same walk as an index for relative triggers.

use super::{Result, Tx, keys};
use crate::domain::{Instant, TenantId};
use crate::store::Error;
use crate::store::tables::{TIMERS, TimerKind};

/// A due instant of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// What it is for.
    pub kind: TimerKind,
    /// When.
    pub due: Instant,
    /// Whose.
    pub tenant: TenantId,
    /// Sixteen bytes of the subscription or the request.
    pub subject: [u8; 16],
}

impl Timer {
    /// Its key: kind, instant, tenant, subject.
    pub fn key(&self) -> [u8; 41] {
        let mut key = [0u8; 41];
        key[0] = self.kind as u8;
        key[1..9].copy_from_slice(&keys::instant(self.due));
        key[9..25].copy_from_slice(&self.tenant.bytes());
        key[25..].copy_from_slice(&self.subject);
        key
    }
}

/// Sets a timer.
///
/// # Errors
/// What the store answers.
pub fn set(tx: &mut Tx, timer: &Timer) -> Result<()> {
    tx.put(&TIMERS, &timer.key(), Vec::new())
}

/// Clears a timer.
///
/// # Errors
/// What the store answers.
pub fn clear(tx: &mut Tx, timer: &Timer) -> Result<()> {
    tx.delete(&TIMERS, &timer.key())
}

/// The timers of a kind whose instant is after `after` (exclusive; none: from the beginning) and not after `until`,
/// earliest first, starting behind the key `cursor` where given.
///
/// # Errors
/// What the store answers.
pub fn due(
    tx: &mut Tx,
    kind: TimerKind,
    after: Option<Instant>,
    until: Instant,
    cursor: Option<&Timer>,
    limit: usize,
) -> Result<Vec<Timer>> {
    use std::ops::Bound;
    let at = |instant: Instant| {
        let mut key = vec![kind as u8];
        key.extend(keys::instant(instant));
        key
    };
    let start = match (cursor, after) {
        (Some(timer), _) => Bound::Excluded(timer.key().to_vec()),
        (None, Some(after)) => Bound::Included(at(after + chrono::TimeDelta::microseconds(1))),
        (None, None) => Bound::Included(vec![kind as u8]),
    };
    let end = Bound::Excluded(at(until + chrono::TimeDelta::microseconds(1)));
    let rows = tx.scan(&TIMERS, (start, end), limit, false)?;
    rows.iter().map(|(key, _)| read(kind, key)).collect()
}

/// The earliest timer of a kind.
///
/// # Errors
/// What the store answers.
pub fn first(tx: &mut Tx, kind: TimerKind) -> Result<Option<Timer>> {
    let rows = tx.scan(&TIMERS, keys::prefix_range(&[kind as u8], None), 1, false)?;
    rows.first().map(|(key, _)| read(kind, key)).transpose()
}

fn read(kind: TimerKind, key: &[u8]) -> Result<Timer> {
    let part = |from: usize, to: usize| key.get(from..to).ok_or_else(|| Error::corrupt(TIMERS.name, key));
    let sixteen = |from: usize| -> Result<[u8; 16]> {
        part(from, from + 16)?.try_into().map_err(|_| Error::corrupt(TIMERS.name, key))
    };
    let due = part(1, 9)?.try_into().map_err(|_| Error::corrupt(TIMERS.name, key))?;
    Ok(Timer { kind, due: keys::read_instant(due), tenant: TenantId::from_bytes(sixteen(9)?), subject: sixteen(25)? })
}
