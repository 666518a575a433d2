//! Access tokens: the hash of a secret, a name, and grants or a user. The secret itself is never stored.

use serde::{Deserialize, Serialize};

use super::{Page, Result, Tx, decode, keys};
use crate::domain::ids::Noun;
use crate::domain::{Grants, Id, Instant, Principal};
use crate::store::Error;
use crate::store::tables::{TOKEN_HASHES, TOKENS};

/// An access token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// `tok_...`.
    pub id: Id,
    /// Its name; the principal is `token:NAME`, or `user:NAME` of a user's token.
    pub name: String,
    /// The user it acts as, by name; none: it stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What it may do; of a user's token, what the user's rights are narrowed to (no grant listed: not narrowed).
    pub grants: Grants,
    /// When it was made.
    pub created_at: Instant,
    /// By whom.
    pub created_by: Principal,
    /// When it stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Instant>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Instant>,
    /// The first characters of the secret, to tell tokens apart.
    pub shown: String,
}

/// One token.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, id: Id) -> Result<Option<Token>> {
    Ok(super::fetch(tx, &TOKENS, &id.bytes())?.map(|stored| stored.value))
}

/// The token whose secret has this SHA-256.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn by_hash(tx: &mut Tx, hash: &[u8; 32]) -> Result<Option<Token>> {
    let Some(row) = tx.get(&TOKEN_HASHES, hash)? else { return Ok(None) };
    let bytes = <[u8; 16]>::try_from(&row.bytes[..]).map_err(|_| Error::corrupt(TOKEN_HASHES.name, hash))?;
    get(tx, Id::from_bytes(Noun::Token, bytes))
}

/// Writes a token; `hash` is the SHA-256 of a new one's secret.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, token: &Token, hash: Option<&[u8; 32]>) -> Result<()> {
    if let Some(hash) = hash {
        tx.put(&TOKEN_HASHES, hash, token.id.bytes().to_vec())?;
    }
    super::save(tx, &TOKENS, &token.id.bytes(), token)
}

/// A page of tokens, oldest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, after: Option<&[u8]>, limit: usize) -> Result<Page<Token>> {
    let rows = tx.scan(&TOKENS, keys::prefix_range(&[], after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&TOKENS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}
