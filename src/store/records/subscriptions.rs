//! Subscriptions: a narrow fixed-width row that moves with every change and a wide row that hardly does.

use bytes::Bytes;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Page, Result, Stored, Tx, decode, keys};
use crate::domain::calendar::from_micros;
use crate::domain::subscription::{Attention, Profile, Renewal, Standing, Status};
use crate::domain::{Instant, Subscription, SubscriptionId, TenantId};
use crate::store::Error;
use crate::store::tables::{PROFILES, STANDINGS, SUBSCRIPTION_TENANTS};

const LAYOUT: u8 = 1;
const LENGTH: usize = 78;
const NEVER: i64 = i64::MIN;

/// The tenant a subscription belongs to.
///
/// # Errors
/// What the store answers.
pub fn tenant_of(tx: &mut Tx, id: SubscriptionId) -> Result<Option<TenantId>> {
    let key = id.bytes();
    let Some(row) = tx.get(&SUBSCRIPTION_TENANTS, &key)? else { return Ok(None) };
    let bytes = <[u8; 16]>::try_from(&row.bytes[..]).map_err(|_| Error::corrupt(SUBSCRIPTION_TENANTS.name, &key))?;
    Ok(Some(TenantId::from_bytes(bytes)))
}

/// One subscription, by tenant and id.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn get(tx: &mut Tx, tenant: TenantId, id: SubscriptionId) -> Result<Option<Stored<Subscription>>> {
    let key = keys::subscription(tenant, id);
    let Some(row) = tx.get(&STANDINGS, &key)? else { return Ok(None) };
    let standing = read_standing(&row.bytes).ok_or_else(|| Error::corrupt(STANDINGS.name, &key))?;
    let profile = profile(tx, &key)?;
    Ok(Some(Stored { value: Subscription { id, tenant, standing, profile }, seq: row.seq }))
}

/// One subscription, by id alone.
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn find(tx: &mut Tx, id: SubscriptionId) -> Result<Option<Stored<Subscription>>> {
    match tenant_of(tx, id)? {
        None => Ok(None),
        Some(tenant) => get(tx, tenant, id),
    }
}

fn profile(tx: &mut Tx, key: &[u8; 32]) -> Result<Arc<Profile>> {
    let row = tx.get(&PROFILES, key)?.ok_or_else(|| Error::corrupt(PROFILES.name, key))?;
    let known = LAST.with_borrow(|last| {
        last.as_ref().filter(|(bytes, _)| *bytes == row.bytes).map(|(_, profile)| Arc::clone(profile))
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let profile = Arc::new(decode(&PROFILES, key, &row.bytes)?);
    LAST.set(Some((row.bytes, Arc::clone(&profile))));
    Ok(profile)
}

thread_local! {
    // One transaction reads the same wide row several times; equal bytes are the same value.
    static LAST: RefCell<Option<(Bytes, Arc<Profile>)>> = const { RefCell::new(None) };
}

/// A page of subscriptions in key order, of one tenant or of all; not validated at commit (a list is a list).
///
/// # Errors
/// What the store answers; a corrupt row by name.
pub fn page(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Stored<Subscription>>> {
    let prefix = tenant.map(|tenant| tenant.bytes().to_vec()).unwrap_or_default();
    let range = keys::prefix_range(&prefix, after);
    let rows = tx.scan(&STANDINGS, range.clone(), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let wide = match (rows.first(), rows.last()) {
        (Some((first, _)), Some((last, _))) => {
            let bounds = (std::ops::Bound::Included(first.to_vec()), std::ops::Bound::Included(last.to_vec()));
            tx.scan(&PROFILES, bounds, limit, false)?
        }
        _ => Vec::new(),
    };
    let mut wide: HashMap<Vec<u8>, _> = wide.into_iter().map(|(key, row)| (key.to_vec(), row)).collect();
    let mut items = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        let corrupt = || Error::corrupt(STANDINGS.name, &key);
        let (tenant, id) = keys::read_subscription(&key).ok_or_else(corrupt)?;
        let standing = read_standing(&row.bytes).ok_or_else(corrupt)?;
        let profile_row = wide.remove(&key[..]).ok_or_else(|| Error::corrupt(PROFILES.name, &key))?;
        let profile = Arc::new(decode(&PROFILES, &key, &profile_row.bytes)?);
        items.push(Stored { value: Subscription { id, tenant, standing, profile }, seq: row.seq });
    }
    Ok(Page { items, next })
}

/// Ids of the subscriptions of one tenant or of all, in key order, without reading them.
///
/// # Errors
/// What the store answers.
pub fn ids(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<(TenantId, SubscriptionId)>> {
    let prefix = tenant.map(|tenant| tenant.bytes().to_vec()).unwrap_or_default();
    let rows = tx.scan(&STANDINGS, keys::prefix_range(&prefix, after), limit, false)?;
    let next = (rows.len() == limit).then(|| rows.last().map(|(key, _)| key.to_vec())).flatten();
    let items = rows.iter().filter_map(|(key, _)| keys::read_subscription(key)).collect();
    Ok(Page { items, next })
}

/// Writes a subscription: the narrow row always, the wide one when it is another, the id's tenant when it is new.
///
/// # Errors
/// What the store answers.
pub fn save(tx: &mut Tx, before: Option<&Subscription>, after: &Subscription) -> Result<()> {
    let key = keys::subscription(after.tenant, after.id);
    tx.put(&STANDINGS, &key, write_standing(&after.standing).to_vec())?;
    let same_profile =
        before.is_some_and(|before| Arc::ptr_eq(&before.profile, &after.profile) || before.profile == after.profile);
    if !same_profile {
        super::save(tx, &PROFILES, &key, after.profile.as_ref())?;
    }
    if before.is_none() {
        tx.put(&SUBSCRIPTION_TENANTS, &after.id.bytes(), after.tenant.bytes().to_vec())?;
    }
    Ok(())
}

/// Takes a subscription's rows away, for one that moves to another tenant.
///
/// # Errors
/// What the store answers.
pub fn remove(tx: &mut Tx, subscription: &Subscription) -> Result<()> {
    let key = keys::subscription(subscription.tenant, subscription.id);
    tx.delete(&STANDINGS, &key)?;
    tx.delete(&PROFILES, &key)
}

fn write_standing(standing: &Standing) -> [u8; LENGTH] {
    let mut out = [0u8; LENGTH];
    out[0] = LAYOUT;
    out[1] = code(&Status::ALL, &standing.status);
    out[2] = code(&RENEWALS, &standing.renewal);
    out[3] = standing.attention.map_or(0, |attention| code(&ATTENTIONS, &attention) + 1);
    out[4] = u8::from(standing.auto_renew_enabled) | u8::from(standing.cancel_at_term_end) << 1;
    out[5] = standing.late_terms;
    out[6..14].copy_from_slice(&standing.generation.to_be_bytes());
    out[14..22].copy_from_slice(&standing.quantity.to_be_bytes());
    let instants = [
        Some(standing.term_start),
        standing.term_end,
        standing.cycle_start,
        standing.cycle_end,
        standing.window_end,
        Some(standing.status_since),
        standing.next_step_at,
    ];
    for (index, instant) in instants.into_iter().enumerate() {
        let micros = instant.map_or(NEVER, |instant| instant.timestamp_micros());
        out[22 + index * 8..30 + index * 8].copy_from_slice(&micros.to_be_bytes());
    }
    out
}

fn read_standing(bytes: &[u8]) -> Option<Standing> {
    if bytes.len() != LENGTH || bytes[0] != LAYOUT {
        return None;
    }
    let instant = |index: usize| -> Option<Option<Instant>> {
        let micros = i64::from_be_bytes(bytes.get(22 + index * 8..30 + index * 8)?.try_into().ok()?);
        Some((micros != NEVER).then(|| from_micros(micros)))
    };
    Some(Standing {
        status: *Status::ALL.get(usize::from(bytes[1]))?,
        renewal: *RENEWALS.get(usize::from(bytes[2]))?,
        attention: match bytes[3] {
            0 => None,
            place => Some(*ATTENTIONS.get(usize::from(place) - 1)?),
        },
        auto_renew_enabled: bytes[4] & 1 == 1,
        cancel_at_term_end: bytes[4] & 2 == 2,
        late_terms: bytes[5],
        generation: u64::from_be_bytes(bytes[6..14].try_into().ok()?),
        quantity: i64::from_be_bytes(bytes[14..22].try_into().ok()?),
        term_start: instant(0)??,
        term_end: instant(1)?,
        cycle_start: instant(2)?,
        cycle_end: instant(3)?,
        window_end: instant(4)?,
        status_since: instant(5)??,
        next_step_at: instant(6)?,
    })
}

// The places in these lists are stored: append only.
const RENEWALS: [Renewal; 5] = [Renewal::Open, Renewal::Waiting, Renewal::Scheduled, Renewal::Denied, Renewal::Refused];
const ATTENTIONS: [Attention; 4] =
    [Attention::TermEndPassed, Attention::PriceUnknown, Attention::TermsMissed, Attention::ActivationPending];

fn code<T: PartialEq>(list: &[T], value: &T) -> u8 {
    list.iter().position(|known| known == value).and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}
