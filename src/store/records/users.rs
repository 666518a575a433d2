//! Users by id, and the names and addresses that find them.

use super::{Page, Result, Tx, decode, keys};
use crate::domain::ids::Noun;
use crate::domain::{Id, User};
use crate::store::Error;
use crate::store::tables::{USER_NAMES, USERS};

/// One user.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, id: Id) -> Result<Option<User>> {
    Ok(super::fetch(tx, &USERS, &id.bytes())?.map(|stored| stored.value))
}

/// The user of this name or e-mail address, in any case.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn named(tx: &mut Tx, name: &str) -> Result<Option<User>> {
    let key = name.trim().to_lowercase();
    if key.is_empty() || key.len() > 256 {
        return Ok(None);
    }
    let Some(row) = tx.get(&USER_NAMES, key.as_bytes())? else { return Ok(None) };
    let bytes = <[u8; 16]>::try_from(&row.bytes[..]).map_err(|_| Error::corrupt(USER_NAMES.name, key.as_bytes()))?;
    get(tx, Id::from_bytes(Noun::User, bytes))
}

/// Writes a user and keeps the names in step. A name is never given back; an address is, once it is another's.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, before: Option<&User>, after: &User) -> Result<()> {
    if let Some(before) = before.filter(|before| before.email != after.email && before.email != after.name) {
        tx.delete(&USER_NAMES, before.email.as_bytes())?;
    }
    for name in [&after.name, &after.email] {
        tx.put(&USER_NAMES, name.as_bytes(), after.id.bytes().to_vec())?;
    }
    super::save(tx, &USERS, &after.id.bytes(), after)
}

/// A page of users, oldest first.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(tx: &mut Tx, after: Option<&[u8]>, limit: usize) -> Result<Page<User>> {
    let rows = tx.scan(&USERS, keys::prefix_range(&[], after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().map(|(key, row)| decode(&USERS, key, &row.bytes)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}
