//! Identifiers. Partner Center's nouns have GUIDs (orders keep their text); ours are a prefix and 26 Crockford
//! characters: 48 bits of milliseconds and 80 bits derived from the cause, so that they sort by time and a retry or a
//! replay gives the same one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

use super::Refusal;

/// A GUID as Partner Center writes it: shown in lower case with hyphens, read in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Derives a GUID (version 8, custom) from any bytes; equal bytes give equal GUIDs.
    pub fn derive(bytes: &[u8]) -> Self {
        let mut out = [0u8; 16];
        out.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        out[6] = (out[6] & 0x0f) | 0x80;
        out[8] = (out[8] & 0x3f) | 0x80;
        Self(out)
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; 36];
        for (index, byte) in self.0.iter().enumerate() {
            // Groups of 4, 2, 2, 2 and 6 bytes with a hyphen between them.
            let at = index * 2 + index.saturating_sub(2).min(8) / 2;
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl FromStr for Guid {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let bad = || Refusal::new("bad_id", format!("'{}' is not a GUID", text.chars().take(64).collect::<String>()));
        let trimmed = text.trim().trim_start_matches('{').trim_end_matches('}');
        let shape_ok = match trimmed.len() {
            36 => [8, 13, 18, 23].iter().all(|&at| trimmed.as_bytes()[at] == b'-'),
            32 => true,
            _ => false,
        };
        let digits: Vec<u8> = trimmed.bytes().filter(|byte| *byte != b'-').collect();
        if !shape_ok || digits.len() != 32 {
            return Err(bad());
        }
        let mut out = [0u8; 16];
        for (index, pair) in digits.chunks(2).enumerate() {
            let high = (pair[0] as char).to_digit(16).ok_or_else(bad)?;
            let low = (pair[1] as char).to_digit(16).ok_or_else(bad)?;
            out[index] = u8::try_from(high * 16 + low).map_err(|_| bad())?;
        }
        Ok(Self(out))
    }
}

/// Reads an identifier: text where people read, bytes in stored rows. What a format is for is not asked, because what
/// was buffered on the way no longer knows.
struct TextOrBytes<F> {
    read: F,
    expected: &'static str,
}

impl<T: FromStr<Err = Refusal>, F: Fn(&[u8]) -> Option<T>> serde::de::Visitor<'_> for TextOrBytes<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        (self.read)(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self.expected))
    }
}

macro_rules! guid_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub Guid);

        impl $name {
            /// The sixteen bytes, as keys of the store hold them.
            pub fn bytes(&self) -> [u8; 16] { self.0.0 }
            /// From the sixteen bytes of a key.
            pub fn from_bytes(bytes: [u8; 16]) -> Self { Self(Guid(bytes)) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl FromStr for $name {
            type Err = Refusal;
            fn from_str(text: &str) -> Result<Self, Refusal> { Ok(Self(text.parse()?)) }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_bytes(&self.0.0) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read = |bytes: &[u8]| bytes.try_into().ok().map(Self::from_bytes);
                deserializer.deserialize_any(TextOrBytes { read, expected: "a GUID" })
            }
        }
    )* };
}

guid_ids! {
    /// A tenant: the customer organisation (Partner Center's customer id).
    TenantId,
    /// A subscription.
    SubscriptionId,
    /// A cart.
    CartId,
}

/// An order's id. Partner Center gives GUIDs to old orders and short text to newer ones, so it is kept as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub String);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one of our own identifiers names; its prefix says so in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Noun {
    /// `req_`: a request.
    Request,
    /// `run_`: one evaluation of a script.
    Run,
    /// `dec_`: one policy's answers on one request.
    Decision,
    /// `dlv_`: one inbound webhook call.
    Delivery,
    /// `msg_`: one outbound message.
    Message,
    /// `tok_`: an access token.
    Token,
    /// `sup_`: a support request.
    Support,
    /// `usr_`: a user, of the partner or of a customer.
    User,
}

impl Noun {
    /// Every noun. The places in this list are stored: append only.
    pub const ALL: [Noun; 8] = [
        Noun::Request,
        Noun::Run,
        Noun::Decision,
        Noun::Delivery,
        Noun::Message,
        Noun::Token,
        Noun::Support,
        Noun::User,
    ];

    /// The text before the 26 characters.
    pub fn prefix(self) -> &'static str {
        match self {
            Noun::Request => "req_",
            Noun::Run => "run_",
            Noun::Decision => "dec_",
            Noun::Delivery => "dlv_",
            Noun::Message => "msg_",
            Noun::Token => "tok_",
            Noun::Support => "sup_",
            Noun::User => "usr_",
        }
    }
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// One of our own identifiers: what it names, and 128 bits that sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// What it names.
    pub noun: Noun,
    /// 48 bits of milliseconds since 1970, then 80 derived bits.
    pub bits: u128,
}

impl Id {
    /// Derives an identifier from the instant (milliseconds since 1970) and any seed bytes: equal input, equal id.
    pub fn derive(noun: Noun, millis: i64, seed: &[u8]) -> Self {
        let time = u128::from(u64::try_from(millis).unwrap_or(0) & 0xffff_ffff_ffff);
        let hash = blake3::hash(seed);
        let mut tail = [0u8; 16];
        tail[6..].copy_from_slice(&hash.as_bytes()[..10]);
        Self { noun, bits: (time << 80) | u128::from_be_bytes(tail) }
    }

    /// The sixteen bytes, as keys of the store hold them; they sort by time.
    pub fn bytes(&self) -> [u8; 16] {
        self.bits.to_be_bytes()
    }

    /// From the sixteen bytes of a key.
    pub fn from_bytes(noun: Noun, bytes: [u8; 16]) -> Self {
        Self { noun, bits: u128::from_be_bytes(bytes) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 26];
        for (index, slot) in text.iter_mut().enumerate() {
            let shift = 125 - 5 * index;
            *slot = CROCKFORD[usize::try_from((self.bits >> shift) & 31).unwrap_or(0)];
        }
        write!(f, "{}{}", self.noun.prefix(), String::from_utf8_lossy(&text))
    }
}

impl FromStr for Id {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let bad =
            || Refusal::new("bad_id", format!("'{}' is not an identifier", text.chars().take(64).collect::<String>()));
        let noun = Noun::ALL.into_iter().find(|noun| text.starts_with(noun.prefix())).ok_or_else(bad)?;
        let digits = &text[noun.prefix().len()..];
        if digits.len() != 26 || digits.as_bytes()[0] > b'7' {
            return Err(bad());
        }
        let mut bits: u128 = 0;
        for byte in digits.bytes() {
            let upper = byte.to_ascii_uppercase();
            let value = CROCKFORD.iter().position(|known| *known == upper).ok_or_else(bad)?;
            bits = (bits << 5) | value as u128;
        }
        Ok(Self { noun, bits })
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        let place = Noun::ALL.iter().position(|noun| *noun == self.noun).and_then(|place| u8::try_from(place).ok());
        let mut bytes = [place.unwrap_or(u8::MAX); 17];
        bytes[1..].copy_from_slice(&self.bytes());
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |bytes: &[u8]| {
            let (place, bits) = bytes.split_first()?;
            Some(Self::from_bytes(*Noun::ALL.get(usize::from(*place))?, bits.try_into().ok()?))
        };
        deserializer.deserialize_any(TextOrBytes { read, expected: "an identifier" })
    }
}
