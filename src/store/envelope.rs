//! The bytes around every stored payload: version, kind, checksum, sequence. Pure.
//!
//! The engine does not check its own checksums when it reads, so each row carries one over its table, key, kind, sequence and
//! payload: a flipped bit, a row under the wrong key and a row of the wrong transaction are all seen.

use super::contract::{Error, Result, Row, Table, hex};
use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const VERSION: u8 = 1;
const LIVE: u8 = 0;
const TOMBSTONE: u8 = 1;
/// version, kind, checksum, sequence.
pub(super) const HEADER_BYTES: usize = 1 + 1 + 8 + 8;

/// A row as stored: a tombstone says that the key was deleted at `seq`.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) seq: u64,
    pub(super) payload: Option<Bytes>,
}

impl Stored {
    pub(super) fn row(self) -> Option<Row> {
        self.payload.map(|bytes| Row { seq: self.seq, bytes })
    }
}

pub(super) fn key_hash(code: u8, key: &[u8]) -> u64 {
    xxh3_64_with_seed(key, u64::from(code) + 1)
}

pub(super) fn payload_hash(payload: Option<&Bytes>) -> u64 {
    payload.map_or(0, |payload| xxh3_64(payload))
}

fn checksum(kind: u8, key_hash: u64, payload_hash: u64, seq: u64) -> u64 {
    let mut parts = [0u8; 26];
    parts[0] = VERSION;
    parts[1] = kind;
    parts[2..10].copy_from_slice(&key_hash.to_le_bytes());
    parts[10..18].copy_from_slice(&payload_hash.to_le_bytes());
    parts[18..26].copy_from_slice(&seq.to_le_bytes());
    xxh3_64(&parts)
}

/// Writes the envelope of a row into `out`, replacing what was there. The hashes are those of the two functions above.
pub(super) fn seal(out: &mut Vec<u8>, key_hash: u64, payload_hash: u64, seq: u64, payload: Option<&Bytes>) {
    let kind = if payload.is_some() { LIVE } else { TOMBSTONE };
    out.clear();
    out.push(VERSION);
    out.push(kind);
    out.extend_from_slice(&checksum(kind, key_hash, payload_hash, seq).to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    if let Some(payload) = payload {
        out.extend_from_slice(payload);
    }
}

/// The sequence inside an envelope, without checking anything else.
pub(super) fn seq_of(sealed: &[u8]) -> Option<u64> {
    sealed.get(10..18).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
}

/// Opens an envelope read from `key` of `table`.
///
/// # Errors
/// `Corrupt` when anything about it is wrong.
pub(super) fn open(table: &Table, key: &[u8], sealed: &[u8]) -> Result<Stored> {
    let corrupt = || Error::Corrupt { table: table.name, key: hex(key) };
    if sealed.len() < HEADER_BYTES || sealed[0] != VERSION {
        return Err(corrupt());
    }
    let kind = sealed[1];
    let sum = u64::from_le_bytes(sealed[2..10].try_into().map_err(|_| corrupt())?);
    let seq = u64::from_le_bytes(sealed[10..18].try_into().map_err(|_| corrupt())?);
    let payload = match kind {
        LIVE => Some(Bytes::copy_from_slice(&sealed[HEADER_BYTES..])),
        TOMBSTONE if sealed.len() == HEADER_BYTES => None,
        _ => return Err(corrupt()),
    };
    if checksum(kind, key_hash(table.code, key), payload_hash(payload.as_ref()), seq) != sum {
        return Err(corrupt());
    }
    Ok(Stored { seq, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table { code: 7, name: "seven", history: false };

    fn sealed(seq: u64, payload: Option<&[u8]>) -> Vec<u8> {
        let payload = payload.map(Bytes::copy_from_slice);
        let mut out = Vec::new();
        seal(&mut out, key_hash(7, b"key"), payload_hash(payload.as_ref()), seq, payload.as_ref());
        out
    }

    #[test]
    fn what_was_sealed_is_opened() {
        let stored = open(&TABLE, b"key", &sealed(9, Some(b"payload"))).unwrap();
        assert_eq!(stored.row(), Some(Row { seq: 9, bytes: Bytes::from_static(b"payload") }));
        assert!(open(&TABLE, b"key", &sealed(9, None)).unwrap().row().is_none());
        assert_eq!(seq_of(&sealed(9, None)), Some(9));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        for good in [sealed(9, Some(b"payload")), sealed(9, Some(b"")), sealed(9, None)] {
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(matches!(open(&TABLE, b"key", &bad), Err(Error::Corrupt { table: "seven", .. })), "bit {bit}");
            }
            for cut in 0..good.len() {
                assert!(open(&TABLE, b"key", &good[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_row_under_the_wrong_key_or_table_is_seen() {
        let good = sealed(9, Some(b"payload"));
        assert!(open(&TABLE, b"kez", &good).is_err());
        assert!(open(&Table { code: 8, name: "eight", history: false }, b"key", &good).is_err());
    }
}
