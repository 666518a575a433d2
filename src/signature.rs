//! Standard Webhooks signatures, version 1: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
//!
//! The body is signed and verified as the bytes on the wire, before anybody parses it. A wrong signature is told in one
//! text whatever is wrong with it, and takes as long as a right one. It reads no clock and no file.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Signatures in one header, at most: rotating a secret needs two, and each costs a comparison.
pub const SIGNATURES_MAX: usize = 5;
/// Characters of a message id, at most.
pub const ID_LENGTH_MAX: usize = 256;
/// Seconds a timestamp may lie before or after now, unless a hook says otherwise.
pub const TOLERANCE_SECONDS: u32 = 300;
/// Bytes of a secret, at least: 192 bits, as the convention asks.
pub const SECRET_BYTES_MIN: usize = 24;
/// Bytes of a secret, at most: one block of SHA-256, longer ones are hashed down and gain nothing.
pub const SECRET_BYTES_MAX: usize = 64;

const PREFIX: &str = "whsec_";

/// A shared secret. `Debug` shows nothing of it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Why a text is no usable secret. The messages never repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not `whsec_` and base64, nor plain base64.
    #[error("a secret is base64, usually written whsec_...")]
    NotBase64,
    /// Shorter than [`SECRET_BYTES_MIN`].
    #[error("the secret has fewer than {SECRET_BYTES_MIN} bytes")]
    Weak,
    /// Longer than [`SECRET_BYTES_MAX`].
    #[error("the secret has more than {SECRET_BYTES_MAX} bytes")]
    Long,
}

impl SecretError {
    /// The stable snake_case name.
    pub fn code(self) -> &'static str {
        match self {
            SecretError::Weak => "weak_secret",
            SecretError::NotBase64 | SecretError::Long => "invalid_secret",
        }
    }
}

impl Secret {
    /// Reads `whsec_<base64>` or the base64 alone, surrounding white space ignored.
    ///
    /// # Errors
    /// The text is not base64, or its bytes are fewer than [`SECRET_BYTES_MIN`] or more than [`SECRET_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        let text = text.trim();
        let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?;
        Secret::from_bytes(bytes)
    }

    /// A secret of these bytes, for instance fresh random ones.
    ///
    /// # Errors
    /// Fewer than [`SECRET_BYTES_MIN`] or more than [`SECRET_BYTES_MAX`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Secret, SecretError> {
        match bytes.len() {
            ..SECRET_BYTES_MIN => Err(SecretError::Weak),
            SECRET_BYTES_MIN..=SECRET_BYTES_MAX => Ok(Secret(bytes)),
            _ => Err(SecretError::Long),
        }
    }

    /// The secret as `whsec_...`, to be shown once to the person who made it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(redacted)")
    }
}

/// The three headers of a call as they came, `None` where one is missing or no text.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// `webhook-id`
    pub id: Option<&'a str>,
    /// `webhook-timestamp`
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`
    pub signature: Option<&'a str>,
}

/// What a verified call said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The message id: the key that makes it take effect once.
    pub id: String,
    /// Unix seconds at which it was sent.
    pub timestamp: i64,
    /// Which of the secrets handed in signed it, counted from 0: says when an old secret is still in use.
    pub secret: usize,
}

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// One of the three headers is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// The id is empty, too long, or holds a dot, white space or a control character.
    #[error("webhook-id must be 1 to {ID_LENGTH_MAX} printable characters without a dot")]
    BadId,
    /// The timestamp is not a whole number of seconds.
    #[error("webhook-timestamp must be whole seconds since 1970")]
    BadTimestamp,
    /// The timestamp is too far from now, on either side.
    #[error("webhook-timestamp is more than {tolerance_seconds} seconds away from now")]
    OutsideTolerance {
        /// How far it may be.
        tolerance_seconds: u32,
    },
    /// More than [`SIGNATURES_MAX`] signatures.
    #[error("webhook-signature holds more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// No signature fits. One text for every way of being wrong.
    #[error("the signature does not match")]
    BadSignature,
}

impl SignatureError {
    /// The stable snake_case name.
    pub fn code(&self) -> &'static str {
        match self {
            SignatureError::MissingHeader(_) => "webhook_header_missing",
            SignatureError::BadId => "bad_webhook_id",
            SignatureError::BadTimestamp => "bad_webhook_timestamp",
            SignatureError::OutsideTolerance { .. } => "timestamp_outside_tolerance",
            SignatureError::TooManySignatures => "too_many_signatures",
            SignatureError::BadSignature => "bad_signature",
        }
    }

    /// The HTTP status: 401 when the caller may be somebody else, 400 when the call is malformed.
    pub fn status(&self) -> u16 {
        match self {
            SignatureError::OutsideTolerance { .. } | SignatureError::BadSignature => 401,
            _ => 400,
        }
    }
}

/// The value of `webhook-signature` for a body: `v1,` and base64.
pub fn sign(secret: &Secret, id: &str, timestamp_unix: i64, body: &[u8]) -> String {
    let code = code(&secret.0, id, &timestamp_unix.to_string(), body);
    format!("v1,{}", code.map(|code| STANDARD.encode(code)).unwrap_or_default())
}

/// Checks one call against every secret that is valid now (a rotation has two).
///
/// With no secrets at all the answer is [`SignatureError::BadSignature`] after the same work, so that an unknown hook
/// takes as long as a known one.
///
/// # Errors
/// The first thing wrong, in the order of [`SignatureError`].
pub fn verify(
    secrets: &[Secret],
    headers: Headers<'_>,
    body: &[u8],
    now_unix: i64,
    tolerance_seconds: u32,
) -> Result<Verified, SignatureError> {
    let id = headers.id.ok_or(SignatureError::MissingHeader("webhook-id"))?;
    let timestamp_text = headers.timestamp.ok_or(SignatureError::MissingHeader("webhook-timestamp"))?;
    let signature = headers.signature.ok_or(SignatureError::MissingHeader("webhook-signature"))?;
    let plain = |letter: char| letter != '.' && !letter.is_control() && !letter.is_whitespace();
    if id.is_empty() || id.len() > ID_LENGTH_MAX || !id.chars().all(plain) {
        return Err(SignatureError::BadId);
    }
    let timestamp = seconds(timestamp_text).ok_or(SignatureError::BadTimestamp)?;
    if timestamp.abs_diff(now_unix) > u64::from(tolerance_seconds) {
        return Err(SignatureError::OutsideTolerance { tolerance_seconds });
    }
    if signature.split(' ').filter(|part| !part.is_empty()).count() > SIGNATURES_MAX {
        return Err(SignatureError::TooManySignatures);
    }
    let secret =
        matching(secrets, id, timestamp_text, body, &candidates(signature)).ok_or(SignatureError::BadSignature)?;
    Ok(Verified { id: id.to_owned(), timestamp, secret })
}

fn seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The decoded `v1` signatures; other versions and what is not 32 bytes can never match and are left out.
fn candidates(header: &str) -> Vec<[u8; 32]> {
    let decode = |part: &str| STANDARD.decode(part.strip_prefix("v1,")?).ok()?.try_into().ok();
    header.split(' ').filter_map(decode).collect()
}

// Every secret is tried against every signature and nothing returns early: the time says neither which nor how nearly.
fn matching(secrets: &[Secret], id: &str, timestamp: &str, body: &[u8], given: &[[u8; 32]]) -> Option<usize> {
    let nobody = [Secret(vec![0; SECRET_BYTES_MIN])];
    let known = !secrets.is_empty();
    let mut found = None;
    for (index, secret) in if known { secrets } else { &nobody }.iter().enumerate() {
        let Some(expected) = code(&secret.0, id, timestamp, body) else { continue };
        let fits = given.iter().fold(subtle::Choice::from(0), |fits, one| fits | expected.ct_eq(one));
        if bool::from(fits) && known && found.is_none() {
            found = Some(index);
        }
    }
    found
}

fn code(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> Option<[u8; 32]> {
    // HMAC takes keys of any length. The type says it might not: then there is no code, and nothing matches.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
