//! Keys: big-endian parts one after the other, so that byte order is the order meant.

use crate::domain::{Instant, SubscriptionId, TenantId, calendar};

/// Instants sort as unsigned big-endian microseconds with the sign flipped.
pub fn instant(at: Instant) -> [u8; 8] {
    (at.timestamp_micros() ^ i64::MIN).to_be_bytes()
}

/// The instant of eight key bytes.
pub fn read_instant(bytes: [u8; 8]) -> Instant {
    calendar::from_micros(i64::from_be_bytes(bytes) ^ i64::MIN)
}

/// Tenant, then subscription.
pub fn subscription(tenant: TenantId, id: SubscriptionId) -> [u8; 32] {
    let mut key = [0u8; 32];
    key[..16].copy_from_slice(&tenant.bytes());
    key[16..].copy_from_slice(&id.bytes());
    key
}

/// The tenant and the subscription of a key that begins with both.
pub fn read_subscription(key: &[u8]) -> Option<(TenantId, SubscriptionId)> {
    let tenant = key.get(..16)?.try_into().ok()?;
    let id = key.get(16..32)?.try_into().ok()?;
    Some((TenantId::from_bytes(tenant), SubscriptionId::from_bytes(id)))
}

/// Text parts, each ended by a zero byte (which no part holds), then raw bytes.
pub fn text(parts: &[&str], tail: &[u8]) -> Vec<u8> {
    let mut key = Vec::new();
    for part in parts {
        key.extend(part.bytes().filter(|byte| *byte != 0));
        key.push(0);
    }
    key.extend_from_slice(tail);
    key
}

/// The first key after every key that begins with this prefix; none when there is no such key.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

/// The range of every key that begins with this prefix and is greater than `after`, where given.
pub fn prefix_range(prefix: &[u8], after: Option<&[u8]>) -> (std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>) {
    use std::ops::Bound;
    let start = match after {
        Some(key) => Bound::Excluded(key.to_vec()),
        None => Bound::Included(prefix.to_vec()),
    };
    let end = after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded);
    (start, end)
}
