//! Access tokens: made, found by their secret's hash, revoked. The secret comes from above and is shown once.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::domain::ids::Noun;
use crate::domain::roles::{Held, Leave, Place, Subject};
use crate::domain::{Grant, Grants, Id, Instant, Principal, Refusal, TenantId};
use crate::store::records::Page;
use crate::store::records::tokens::{self as rows, Token};

use super::work::{Rights, Work};
use super::{Error, Result, not_found, rights, users};

/// Characters of a token's name, at most.
const NAME_LENGTH_MAX: usize = 64;

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
    if let Some(user) = rights::own_name(work) {
        let message = format!("a user's token goes with their roles: make one for the user {user}");
        return Err(Refusal::new("grants_exceeded", message).into());
    }
    if !grants.within(&work.rights.grants) {
        return Err(Refusal::new("grants_exceeded", "a token may not do more than whoever makes it").into());
    }
    plain(name)?;
    if live_names(work)?.contains(name) {
        // Its name is who it is: two tokens of one name would be one principal.
        return Err(taken(name));
    }
    save(work, name, None, grants, expires_at, secret)
}

/// Makes a token that acts as a user, with the roles the user has whenever it is used, or narrower: the grants listed,
/// if any are, and the tenants. Without a name it is called as the user, with a number when that name is taken. Users
/// make their own; those of others only whoever may do everything.
///
/// # Errors
/// `forbidden`, `bad_name`, `not_found`, `user_disabled`, `grants_exceeded`, `already_exists`.
pub fn create_for(
    work: &mut Work,
    user: &str,
    name: Option<&str>,
    narrowed: Grants,
    expires_at: Option<Instant>,
    secret: &str,
) -> Result<Token> {
    work.require(&Grant::TokensManage)?;
    let user = users::anybody(work, user)?;
    let narrowed = match work.rights.grants.held() {
        None => {
            work.rights.require_for_all(&Grant::All)?;
            narrowed
        }
        Some(held) if held.user != user.name => {
            let message =
                format!("{} makes no token for somebody else; {} does, or the operator", held.user, user.name);
            return Err(Refusal::new("forbidden", message).into());
        }
        Some(held) => no_wider(held, narrowed, work.rights.grants.tenants.as_deref(), user.customer.is_some())?,
    };
    if !user.is_active() {
        return Err(Refusal::new("user_disabled", format!("{} is disabled; enable them first", user.name)).into());
    }
    let names = live_names(work)?;
    let name = match name {
        Some(name) => plain(name).map(|()| name.to_owned())?,
        None => numbered(&user.name, &names),
    };
    if names.contains(&name) {
        return Err(taken(&name));
    }
    save(work, &name, Some(user.name), narrowed, expires_at, secret)
}

/// A token made with a narrowed one is not wider than that.
fn no_wider(held: &Held, narrowed: Grants, reach: Option<&[TenantId]>, of_customer: bool) -> Result<Grants> {
    let list = if narrowed.list.is_empty() { held.only.clone() } else { narrowed.list };
    let covered = held.only.is_empty() || list.iter().all(|grant| held.only.iter().any(|only| only.covers(grant)));
    // A customer's user is narrowed to their customer by who they are.
    let tenants = match (narrowed.tenants, reach.filter(|_| !of_customer)) {
        (None, reach) => Ok(reach.map(<[_]>::to_vec)),
        (Some(tenants), Some(reach)) if !tenants.iter().all(|tenant| reach.contains(tenant)) => Err(()),
        (tenants, _) => Ok(tenants),
    };
    match tenants {
        Ok(tenants) if covered => Ok(Grants { list, tenants }),
        _ => Err(Refusal::new("grants_exceeded", "a token may not do more than the one it is made with").into()),
    }
}

fn plain(name: &str) -> Result<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.chars().all(plain) {
        return Err(Refusal::new("bad_name", "a token's name is 1 to 64 letters, digits, '-', '_' and '.'").into());
    }
    Ok(())
}

fn taken(name: &str) -> Error {
    Refusal::new("already_exists", format!("there is a token {name}; revoke it or take another name")).into()
}

/// The user's name as a token's, with the first number that is free.
fn numbered(user: &str, names: &BTreeSet<String>) -> String {
    let name: String = user.chars().map(|letter| if matches!(letter, '@' | '+') { '.' } else { letter }).collect();
    let short: String = name.chars().take(NAME_LENGTH_MAX - 8).collect();
    let counted = (2_u32..).map(|number| format!("{short}-{number}"));
    std::iter::once(short.clone()).chain(counted).find(|name| !names.contains(name)).unwrap_or(short)
}

/// The names of the tokens that count now.
fn live_names(work: &mut Work) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut cursor = None::<Vec<u8>>;
    loop {
        let page = rows::page(&mut work.tx, cursor.as_deref(), 500)?;
        names.extend(page.items.into_iter().filter(|token| is_live(token, work.now)).map(|token| token.name));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(names);
        }
    }
}

fn is_live(token: &Token, now: Instant) -> bool {
    token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end)
}

fn save(
    work: &mut Work,
    name: &str,
    user: Option<String>,
    grants: Grants,
    expires_at: Option<Instant>,
    secret: &str,
) -> Result<Token> {
    let token = Token {
        id: work.id(Noun::Token),
        name: name.to_owned(),
        user,
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

/// Whether a token is for whoever acts to see and to take back: a user's own, or anybody's for who may do so.
fn is_theirs(work: &Work, token: &Token, wanted: &Grant) -> bool {
    match work.rights.grants.leave(wanted, Subject::Whole, Place::Everywhere) {
        Leave::Act => true,
        Leave::Nothing => work.rights.grants.held().is_none(),
        _ => token.user.is_some() && token.user.as_deref() == rights::own_name(work),
    }
}

/// Takes a token back, at once.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn revoke(work: &mut Work, id: Id) -> Result<Token> {
    work.require(&Grant::TokensManage)?;
    let found = rows::get(&mut work.tx, id)?.filter(|token| is_theirs(work, token, &Grant::TokensManage));
    let mut token = found.ok_or_else(|| not_found("token", &id))?;
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
    let wanted = Grant::Read("tokens");
    work.require(&wanted)?;
    let found = rows::get(&mut work.tx, id)?.filter(|token| is_theirs(work, token, &wanted));
    found.ok_or_else(|| not_found("token", &id))
}

/// A page of tokens, oldest first.
///
/// # Errors
/// `forbidden`.
pub fn list(work: &mut Work, after: Option<&[u8]>, limit: usize) -> Result<Page<Token>> {
    let wanted = Grant::Read("tokens");
    work.require(&wanted)?;
    let mut page = rows::page(&mut work.tx, after, limit)?;
    page.items.retain(|token| is_theirs(work, token, &wanted));
    Ok(page)
}

/// What a secret may do now, a user's token what the user may now; none for one that is unknown, expired, revoked, or
/// of a user who is disabled: the four cannot be told apart.
///
/// # Errors
/// What the store answers.
pub fn rights_of(tx: &mut crate::store::Tx, secret: &str, now: Instant) -> Result<Option<Rights>> {
    if !secret.starts_with(PREFIX) || secret.len() > 128 {
        return Ok(None);
    }
    let Some(token) = rows::by_hash(tx, &hash(secret))?.filter(|token| is_live(token, now)) else { return Ok(None) };
    match token.user {
        None => Ok(Some(Rights { principal: Principal::Token(token.name), grants: token.grants })),
        Some(user) => {
            let found = users::rights_of(tx, &user, &token.grants)?;
            Ok(found.filter(|(user, _)| user.is_active()).map(|(_, rights)| rights))
        }
    }
}
