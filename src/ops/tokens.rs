//! Access tokens: made, found by their secret's hash, revoked. The secret comes from above and is shown once.

use sha2::{Digest, Sha256};

use crate::domain::ids::Noun;
use crate::domain::{Grant, Grants, Id, Instant, Principal, Refusal};
use crate::store::records::Page;
use crate::store::records::tokens::{self as rows, Token};

use super::work::{Rights, Work};
use super::{Result, not_found};

/// What every secret begins with, so that scanners find leaked ones.
pub const PREFIX: &str = "brs_";

/// The SHA-256 that is stored in place of a secret.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Makes a token with a secret from above; never more than its maker may do.
///
/// # Errors
/// `forbidden`, `bad_name`, `grants_exceeded`, `already_exists`.
pub fn create(work: &mut Work, name: &str, grants: Grants, expires_at: Option<Instant>, secret: &str) -> Result<Token> {
    work.require(&Grant::TokensManage)?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(Refusal::new("bad_name", "a token's name is 1 to 64 letters, digits, '-', '_' and '.'").into());
    }
    if !grants.within(&work.rights.grants) {
        return Err(Refusal::new("grants_exceeded", "a token may not do more than whoever makes it").into());
    }
    let mut cursor = None::<Vec<u8>>;
    loop {
        let page = rows::page(&mut work.tx, cursor.as_deref(), 500)?;
        let now = work.now;
        let live = |token: &Token| token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end);
        if page.items.iter().any(|known| known.name == name && live(known)) {
            // Its name is who it is: two tokens of one name would be one principal.
            return Err(Refusal::new(
                "already_exists",
                format!("there is a token {name}; revoke it or take another name"),
            )
            .into());
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let token = Token {
        id: work.id(Noun::Token),
        name: name.to_owned(),
        grants,
        created_at: work.now,
        created_by: work.rights.principal.clone(),
        expires_at,
        revoked_at: None,
        shown: secret.chars().take(PREFIX.len() + 4).collect(),
    };
    rows::save(&mut work.tx, &token, Some(&hash(secret)))?;
    work.note("token.created", None, None, &token.name);
    Ok(token)
}

/// Takes a token back, at once.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn revoke(work: &mut Work, id: Id) -> Result<Token> {
    work.require(&Grant::TokensManage)?;
    let mut token = rows::get(&mut work.tx, id)?.ok_or_else(|| not_found("token", &id))?;
    if token.revoked_at.is_none() {
        token.revoked_at = Some(work.now);
        rows::save(&mut work.tx, &token, None)?;
        work.note("token.revoked", None, None, &token.name);
    }
    Ok(token)
}

/// One token, without its secret.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, id: Id) -> Result<Token> {
    work.require(&Grant::Read("tokens"))?;
    rows::get(&mut work.tx, id)?.ok_or_else(|| not_found("token", &id))
}

/// A page of tokens, oldest first.
///
/// # Errors
/// `forbidden`.
pub fn list(work: &mut Work, after: Option<&[u8]>, limit: usize) -> Result<Page<Token>> {
    work.require(&Grant::Read("tokens"))?;
    Ok(rows::page(&mut work.tx, after, limit)?)
}

/// What a secret may do now; none for one that is unknown, expired or revoked: the three cannot be told apart.
///
/// # Errors
/// What the store answers.
pub fn rights_of(tx: &mut crate::store::Tx, secret: &str, now: Instant) -> Result<Option<Rights>> {
    if !secret.starts_with(PREFIX) || secret.len() > 128 {
        return Ok(None);
    }
    let found = rows::by_hash(tx, &hash(secret))?;
    let live = found.filter(|token| token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end));
    Ok(live.map(|token| Rights { principal: Principal::Token(token.name), grants: token.grants }))
}
