//! Sealing: secrets at rest under master keys that are kept outside the store.
//!
//! XChaCha20-Poly1305 with what the secret belongs to as associated data, so that a sealed row moved to another place
//! does not open there. A sealed secret is `version, key number, nonce (24 bytes), ciphertext and tag`; the key number
//! lets a second key come into use while everything sealed before is still read.
//!
//! No random bytes are drawn, because a retry and a replay must write the same bytes. The nonce is the first 192 bits of
//! a keyed hash over the place, the seed (store, cause and ordinal) and the secret itself. Equal nonces under one key
//! therefore mean equal input, whose ciphertext is equal too and tells nothing new, or a collision in 192 bits: no two
//! different secrets ever share one, not in a fork, a replay, or a store brought back from a copy. It reads no file.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use subtle::ConstantTimeEq;

/// Bytes of a master key.
pub const KEY_BYTES: usize = 32;
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 2 + NONCE_BYTES;

/// A text that nobody is shown by accident: `Debug` shows nothing of it, and there is neither `Display` nor a way to
/// serialise it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for the one answer it is shown in.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(redacted)")
    }
}

#[derive(Clone)]
struct MasterKey {
    number: u8,
    bytes: [u8; KEY_BYTES],
}

/// The master keys there are: the first one seals, every one opens. `Debug` shows their numbers alone.
#[derive(Clone)]
pub struct Ring {
    keys: Vec<MasterKey>,
    locked_because: String,
}

impl Default for Ring {
    fn default() -> Ring {
        Ring::locked("no master key is configured")
    }
}

impl PartialEq for Ring {
    fn eq(&self, other: &Ring) -> bool {
        let same = |(one, other): (&MasterKey, &MasterKey)| {
            one.number == other.number && bool::from(one.bytes.ct_eq(&other.bytes))
        };
        self.keys.len() == other.keys.len()
            && self.locked_because == other.locked_because
            && self.keys.iter().zip(&other.keys).all(same)
    }
}

impl Eq for Ring {}

impl fmt::Debug for Ring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u8> = self.keys.iter().map(|key| key.number).collect();
        write!(out, "Ring(keys {numbers:?}, redacted)")
    }
}

/// Why a text holds no master keys. The messages never repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// A line is not `NUMBER BASE64`.
    #[error("line {0}: a master key is a number from 1 to 255, a space, and the base64 of {KEY_BYTES} bytes")]
    Malformed(usize),
    /// Two keys have one number.
    #[error("line {0}: two master keys have the same number; a new key needs a new one")]
    Twice(usize),
    /// There is no key at all.
    #[error("there is no master key; a line is a number, a space, and the base64 of {KEY_BYTES} bytes")]
    Empty,
}

/// Why a sealed secret does not open, or a secret cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is no key.
    #[error("{0}")]
    Locked(String),
    /// It was sealed with a key that is not here.
    #[error("it was sealed with master key {0}, which is not among those configured")]
    KeyMissing(u8),
    /// The key of this number is another one, or the row was changed or stands in another place.
    #[error("master key {0} does not open it: another key has that number, or the stored row was changed")]
    Altered(u8),
}

impl Ring {
    /// No key at all, and why.
    pub fn locked(because: impl Into<String>) -> Ring {
        Ring { keys: Vec::new(), locked_because: because.into() }
    }

    /// Reads master keys, one a line as `NUMBER BASE64`; empty lines and lines that begin with `#` are skipped. The
    /// first one seals.
    ///
    /// # Errors
    /// [`RingError`], naming the line.
    pub fn parse(text: &str) -> Result<Ring, RingError> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || RingError::Malformed(index + 1);
            let (number, encoded) = line.split_once(char::is_whitespace).ok_or_else(malformed)?;
            let number: u8 = number.parse().ok().filter(|number| *number > 0).ok_or_else(malformed)?;
            let bytes = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
            let bytes: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| malformed())?;
            if keys.iter().any(|known| known.number == number) {
                return Err(RingError::Twice(index + 1));
            }
            keys.push(MasterKey { number, bytes });
        }
        if keys.is_empty() { Err(RingError::Empty) } else { Ok(Ring { keys, locked_because: String::new() }) }
    }

    /// The line of a key file for these bytes.
    pub fn line(number: u8, bytes: &[u8; KEY_BYTES]) -> String {
        format!("{number} {}\n", STANDARD.encode(bytes))
    }

    /// Whether anything can be sealed and opened.
    pub fn is_open(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The numbers of the keys, the one that seals first.
    pub fn numbers(&self) -> Vec<u8> {
        self.keys.iter().map(|key| key.number).collect()
    }

    /// The number of the key that seals; none when there is no key.
    pub fn sealing_number(&self) -> Option<u8> {
        self.keys.first().map(|key| key.number)
    }

    fn locked_error(&self) -> SealError {
        SealError::Locked(self.locked_because.clone())
    }

    /// Seals a secret for a place. The seed is what makes this sealing another than every other one: store, cause and
    /// ordinal.
    ///
    /// # Errors
    /// [`SealError::Locked`].
    pub fn seal(&self, place: &[u8], seed: &[u8], secret: &Secret) -> Result<Vec<u8>, SealError> {
        let key = self.keys.first().ok_or_else(|| self.locked_error())?;
        let nonce = key.nonce(place, seed, secret);
        let payload = Payload { msg: secret.0.as_bytes(), aad: &key.bound(place) };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| self.locked_error())?;
        let mut out = Vec::with_capacity(HEAD_BYTES + sealed.len());
        out.extend([VERSION, key.number]);
        out.extend(nonce);
        out.extend(sealed);
        Ok(out)
    }

    /// The number of the key something was sealed with; none for bytes that were never sealed.
    pub fn number_of(sealed: &[u8]) -> Option<u8> {
        match sealed {
            [VERSION, number, ..] if sealed.len() > HEAD_BYTES => Some(*number),
            _ => None,
        }
    }

    /// Opens what was sealed for a place.
    ///
    /// # Errors
    /// [`SealError`]; none of them tells anything of the secret.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Secret, SealError> {
        if self.keys.is_empty() {
            return Err(self.locked_error());
        }
        let number = Ring::number_of(sealed).ok_or(SealError::Altered(0))?;
        let key = self.keys.iter().find(|key| key.number == number).ok_or(SealError::KeyMissing(number))?;
        let altered = || SealError::Altered(number);
        let nonce: [u8; NONCE_BYTES] =
            sealed.get(2..HEAD_BYTES).and_then(|bytes| bytes.try_into().ok()).ok_or_else(altered)?;
        let payload = Payload { msg: sealed.get(HEAD_BYTES..).unwrap_or_default(), aad: &key.bound(place) };
        let opened = key.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| altered())?;
        String::from_utf8(opened).map(Secret).map_err(|_| altered())
    }
}

impl MasterKey {
    /// One key encrypts and another one makes nonces; both come of the master key.
    fn cipher(&self) -> XChaCha20Poly1305 {
        let derived = blake3::derive_key("bursar seal 1: encryption", &self.bytes);
        XChaCha20Poly1305::new(&derived.into())
    }

    fn nonce(&self, place: &[u8], seed: &[u8], secret: &Secret) -> [u8; NONCE_BYTES] {
        let derived = blake3::derive_key("bursar seal 1: nonces", &self.bytes);
        let mut hasher = blake3::Hasher::new_keyed(&derived);
        for part in [place, seed, secret.0.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut nonce = [0; NONCE_BYTES];
        hasher.finalize_xof().fill(&mut nonce);
        nonce
    }

    /// What a sealed secret is bound to: version and key number too, so that no byte of it can be another.
    fn bound(&self, place: &[u8]) -> Vec<u8> {
        let mut bound = vec![VERSION, self.number];
        bound.extend_from_slice(place);
        bound
    }
}

#[cfg(test)]
mod tests;
