//! Product keys and download links: recorded, read by those who may, revoked with the purchase.
//!
//! They are sealed before they are written and opened only for the one answer they are shown in; nothing else here, in
//! lists, in the log or in an export ever has one. Every read is written to the activity log in its own transaction
//! before the answer. Scripts read none: there is no function for it, a file that names their grant is told so when it is
//! checked, and one that may do everything is refused here.

use crate::domain::software::{
    Choice, DEEP_LINK, Delivered, Entitlement, KEY_TYPE, KeyState, RISK_NOTICE, SECRET_BYTES_MAX, Sheet,
};
use crate::domain::terms::{Delivery, Reader, Sight};
use crate::domain::{Grant, Principal, Refusal, Subscription, SubscriptionId, TenantId};
use crate::seal::{Ring, SealError, Secret};
use crate::store::records::software::{self as rows, SECRETS_MAX, SecretKind};

use super::work::Work;
use super::{Error, Result, not_found, software};

/// What an activity row says of a key that was read.
pub const READ_KEY: &str = "get_software_key";
/// What an activity row says of a link that was read.
pub const READ_LINK: &str = "get_software_download_link";
/// Rows sealed again in one go.
const PAGE_ROWS: usize = 500;

/// What is recorded: a key, a link, or both, for a choice; a part that is not named is for every option of it.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// What it is for.
    pub choice: Choice,
    /// The type of the key, where it is told.
    pub key_type: Option<String>,
    /// The key.
    pub key: Option<Secret>,
    /// The download link.
    pub link: Option<Secret>,
    /// The link to share with the customer, where it is another than the usual one.
    pub deep_link: Option<String>,
}

/// A key or link that was read.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The holding.
    pub subscription: SubscriptionId,
    /// Whose.
    pub customer: TenantId,
    /// The product's id.
    pub product: String,
    /// What was chosen.
    pub choice: Choice,
    /// What this is.
    pub what: What,
    /// The key or link.
    pub secret: Secret,
    /// What is said beside it (K-risk).
    pub notice: String,
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A product key of type MAK.
    Key,
    /// A link to the download.
    Download,
    /// A link to share with the customer, who finds keys and downloads there (K-deep).
    DeepLink,
    /// A link to how it is installed; the product has neither key nor download (K-none).
    Instructions,
}

impl What {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            What::Key => "key",
            What::Download => "download",
            What::DeepLink => "deep_link",
            What::Instructions => "installation_instructions",
        }
    }
}

/// Who reads keys of a customer: the one place where that is decided. The partner's Admin agent by `keys.read`, the
/// customer's own Global admin by `keys.own` (K-role, K-cust). A file is nobody: scripts never see a secret.
fn reader(work: &Work, customer: TenantId) -> Result<Reader> {
    if matches!(work.rights.principal, Principal::File { .. }) {
        return Err(Refusal::new("forbidden", "policies and scripts never read keys or links").into());
    }
    if work.rights.grants.allow(&Grant::KeysRead) {
        return if work.reaches(customer) { Ok(Reader::Partner) } else { Err(not_found("customer", &customer)) };
    }
    if is_own(work, customer) {
        return Ok(Reader::Customer);
    }
    if work.rights.grants.names(&Grant::KeysOwn) {
        return Err(not_found("customer", &customer));
    }
    work.require(&Grant::KeysRead)?;
    Ok(Reader::Partner)
}

/// Whether the customer's own Global admin asks: bound to this one tenant, with `keys.own` (K-cust).
pub(super) fn is_own(work: &Work, customer: TenantId) -> bool {
    let bound = work.rights.grants.tenants.as_deref() == Some(&[customer]);
    bound && work.rights.grants.names(&Grant::KeysOwn)
}

/// Reads a key (K-vis, K-vis2, K-mak). The activity log says so before anybody sees it, and also when it is refused.
///
/// # Errors
/// `forbidden`, `not_found`; `key_for_customer` while partners see none; `key_type_not_available`; `no_key`,
/// `key_revoked`, `key_awaited`; `choice_needed`, `choice_not_offered`; `secrets_locked`, `secrets_unreadable`.
pub fn key(
    work: &mut Work,
    customer: TenantId,
    id: SubscriptionId,
    asked: &Choice,
    key_type: Option<&str>,
) -> Result<Shown> {
    work.attempts(READ_KEY, customer, id);
    let reader = reader(work, customer)?;
    let subscription = software::held(work, customer, id)?.value;
    let family = work.terms.family(&subscription.profile.family);
    family.may_read_key(reader, work.now)?;
    family.may_have_key_type(key_type.unwrap_or(KEY_TYPE), work.now)?;
    let sheet = software::sheet_of(work, &subscription.profile.offer_id)?;
    if software::delivery_of(work, &subscription, &sheet) != Delivery::Keys {
        return Err(without(&sheet).into());
    }
    let entitlement = available(work, &subscription)?;
    let choice = settle(work, &subscription, &sheet, asked)?;
    let secret = open(work, &entitlement, SecretKind::Key, &choice)?;
    read(work, &subscription, What::Key, choice, secret)
}

/// Reads a link: to the download; before partners saw any, the one to share with the customer (K-deep); of a product
/// without downloads, the one to its installation instructions (K-none). The activity log says so first.
///
/// # Errors
/// As [`key`]; `no_link` where the product has neither download nor instructions.
pub fn link(work: &mut Work, customer: TenantId, id: SubscriptionId, asked: &Choice) -> Result<Shown> {
    work.attempts(READ_LINK, customer, id);
    let reader = reader(work, customer)?;
    let subscription = software::held(work, customer, id)?.value;
    let sheet = software::sheet_of(work, &subscription.profile.offer_id)?;
    let delivery = software::delivery_of(work, &subscription, &sheet);
    if delivery != Delivery::Keys {
        let url = sheet.installation_instructions_url.as_ref().filter(|_| delivery == Delivery::Instructions);
        let url = url.ok_or_else(|| without(&sheet))?;
        let secret = Secret::new(url);
        return read(work, &subscription, What::Instructions, Choice::default(), secret);
    }
    let sight = work.terms.family(&subscription.profile.family).key_sight(reader, work.now)?;
    if sight == Sight::DeepLink {
        let entitlement = software::entitlement(work, id)?;
        if KeyState::of(true, entitlement.as_ref(), subscription.standing.status) == KeyState::Revoked {
            return Err(revoked().into());
        }
        let own = entitlement.and_then(|entitlement| entitlement.deep_link);
        let secret = Secret::new(own.unwrap_or_else(|| DEEP_LINK.to_owned()));
        return read(work, &subscription, What::DeepLink, Choice::default(), secret);
    }
    let entitlement = available(work, &subscription)?;
    let choice = settle(work, &subscription, &sheet, asked)?;
    let secret = open(work, &entitlement, SecretKind::Link, &choice)?;
    read(work, &subscription, What::Download, choice, secret)
}

/// Writes down who read what, and hands it over.
fn read(work: &mut Work, subscription: &Subscription, what: What, choice: Choice, secret: Secret) -> Result<Shown> {
    let operation = if what == What::Key { READ_KEY } else { READ_LINK };
    let note = match what {
        What::Key | What::Download => format!("{}: {choice}", what.as_str()),
        What::DeepLink | What::Instructions => what.as_str().to_owned(),
    };
    work.note(operation, Some(subscription), None, &note);
    let family = work.terms.family(&subscription.profile.family);
    let notice = family.key_notice(work.now).unwrap_or(RISK_NOTICE).to_owned();
    Ok(Shown {
        subscription: subscription.id,
        customer: subscription.tenant,
        product: subscription.profile.offer_id.clone(),
        choice,
        what,
        secret,
        notice,
    })
}

fn settle(work: &Work, subscription: &Subscription, sheet: &Sheet, asked: &Choice) -> Result<Choice> {
    let kinds = work.terms.family(&subscription.profile.family).key_choices(work.now);
    Ok(sheet.options.asked(kinds).settle(asked)?)
}

fn without(sheet: &Sheet) -> Refusal {
    let instead = match &sheet.installation_instructions_url {
        Some(url) => format!("how it is installed is told at {url}"),
        None => "it is a licence alone: whoever has it may use what it is for".to_owned(),
    };
    Refusal::new("no_key", format!("this product has neither keys nor downloads; {instead}")).by_rule("K-none")
}

fn revoked() -> Refusal {
    let message = "the purchase was cancelled and its keys and links with it: stop using the software and remove it, its \
                   downloads and links";
    Refusal::new("key_revoked", message).by_rule("C-rev")
}

fn awaited(what: &str) -> Refusal {
    let message = format!("no {what} has been recorded for this yet: whoever may, records it with bursar keys put");
    Refusal::new("key_awaited", message)
}

fn available(work: &mut Work, subscription: &Subscription) -> Result<Entitlement> {
    let entitlement = software::entitlement(work, subscription.id)?;
    match KeyState::of(true, entitlement.as_ref(), subscription.standing.status) {
        KeyState::Revoked => Err(revoked().into()),
        KeyState::Available => entitlement.ok_or_else(|| awaited("key or link").into()),
        KeyState::Awaited | KeyState::NotApplicable => Err(awaited("key or link").into()),
    }
}

/// Opens the most special row recorded for a choice.
fn open(work: &mut Work, entitlement: &Entitlement, kind: SecretKind, choice: &Choice) -> Result<Secret> {
    let is_there = |known: &&Delivered| if kind == SecretKind::Key { known.key } else { known.link };
    let fits = entitlement.delivered.iter().filter(is_there).filter(|known| known.choice.covers(choice));
    let word = if kind == SecretKind::Key { "key" } else { "link" };
    // Of several that name as much, the one recorded first.
    let best = fits.rev().max_by_key(|known| known.choice.named()).ok_or_else(|| awaited(word))?;
    let place = rows::secret_key(entitlement.subscription, kind, &best.choice);
    let sealed = rows::secret(&mut work.tx, &place)?.ok_or_else(|| awaited(word))?;
    work.settings.ring.open(&bound(&place), &sealed).map_err(|error| unsealed(&error))
}

/// What a sealed row is bound to: its table and its key, the holding being part of that.
fn bound(place: &[u8]) -> Vec<u8> {
    let mut bound = b"software_secrets\0".to_vec();
    bound.extend_from_slice(place);
    bound
}

fn unsealed(error: &SealError) -> Error {
    let code = if matches!(error, SealError::Locked(_)) { "secrets_locked" } else { "secrets_unreadable" };
    Refusal::new(code, error.to_string()).into()
}

/// Records a key, a link, or both for a holding; what was recorded for the same choice before is replaced.
///
/// # Errors
/// `forbidden`, `not_found`; `key_type_not_available`; `no_key`, `key_revoked`, `choice_not_offered`; `nothing_to_record`,
/// `bad_key`, `bad_url`; `secrets_locked`.
pub fn put(work: &mut Work, customer: TenantId, id: SubscriptionId, recording: &Recording) -> Result<Entitlement> {
    work.require(&Grant::KeysManage)?;
    if !work.reaches(customer) {
        return Err(not_found("software", &id));
    }
    let subscription = software::held(work, customer, id)?.value;
    let family = work.terms.family(&subscription.profile.family);
    if let Some(key_type) = &recording.key_type {
        family.may_have_key_type(key_type, work.now)?;
    }
    let sheet = software::sheet_of(work, &subscription.profile.offer_id)?;
    let has_keys = software::delivery_of(work, &subscription, &sheet) == Delivery::Keys;
    let before = software::entitlement(work, id)?;
    match KeyState::of(has_keys, before.as_ref(), subscription.standing.status) {
        KeyState::NotApplicable => return Err(without(&sheet).into()),
        KeyState::Revoked => return Err(revoked().into()),
        KeyState::Available | KeyState::Awaited => {}
    }
    check(recording)?;
    let choice = sheet.options.narrow(&recording.choice)?;
    let mut after = before.unwrap_or_else(|| blank(work, id));
    after.generation += 1;
    (after.recorded_at, after.recorded_by) = (work.now, work.rights.principal.clone());
    if let Some(link) = &recording.deep_link {
        after.deep_link = Some(link.clone());
    }
    let delivered = Delivered { choice: choice.clone(), key: recording.key.is_some(), link: recording.link.is_some() };
    if delivered.key || delivered.link {
        deliver(&mut after, delivered)?;
    }
    for (kind, secret) in [(SecretKind::Key, &recording.key), (SecretKind::Link, &recording.link)] {
        if let Some(secret) = secret {
            seal(work, &rows::secret_key(id, kind, &choice), secret)?;
        }
    }
    rows::save_entitlement(&mut work.tx, &after)?;
    work.note("keys.recorded", Some(&subscription), None, &told(recording, &choice));
    Ok(after)
}

fn blank(work: &Work, id: SubscriptionId) -> Entitlement {
    Entitlement {
        subscription: id,
        generation: 0,
        delivered: Vec::new(),
        deep_link: None,
        recorded_at: work.now,
        recorded_by: work.rights.principal.clone(),
        revoked_at: None,
    }
}

fn told(recording: &Recording, choice: &Choice) -> String {
    let parts = [
        ("key", recording.key.is_some()),
        ("link", recording.link.is_some()),
        ("deep_link", recording.deep_link.is_some()),
    ];
    let parts: Vec<&str> = parts.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect();
    format!("{}: {choice}", parts.join(" and "))
}

fn check(recording: &Recording) -> Result<()> {
    if recording.key.is_none() && recording.link.is_none() && recording.deep_link.is_none() {
        return Err(Refusal::new("nothing_to_record", "give a key, a link, or both").into());
    }
    if let Some(key) = &recording.key {
        let text = key.reveal();
        // Opaque: no length and no shape is asked for, only that one line of text is one line of text.
        if text.trim().is_empty() || text.len() > SECRET_BYTES_MAX || text.chars().any(char::is_control) {
            let message = format!("a key is 1 to {SECRET_BYTES_MAX} bytes of text without control characters");
            return Err(Refusal::new("bad_key", message).into());
        }
    }
    if let Some(link) = &recording.link {
        software::check_url("link", link.reveal())?;
    }
    if let Some(link) = &recording.deep_link {
        software::check_url("deepLink", link)?;
    }
    Ok(())
}

fn deliver(entitlement: &mut Entitlement, told: Delivered) -> Result<()> {
    if let Some(known) = entitlement.delivered.iter_mut().find(|known| known.choice == told.choice) {
        known.key |= told.key;
        known.link |= told.link;
        return Ok(());
    }
    if entitlement.delivered.len() * 2 >= SECRETS_MAX {
        let message = format!("a purchase has keys and links for at most {} choices", SECRETS_MAX / 2);
        return Err(Refusal::new("too_many_keys", message).into());
    }
    entitlement.delivered.push(told);
    Ok(())
}

fn seal(work: &mut Work, place: &[u8], secret: &Secret) -> Result<()> {
    let seed = work.ids.seed();
    let sealed = work.settings.ring.seal(&bound(place), &seed, secret).map_err(|error| unsealed(&error))?;
    Ok(rows::save_secret(&mut work.tx, place, sealed)?)
}

/// Revokes every key and link of a holding whose purchase ended (C-rev). The sealed rows go with it: what is not there
/// cannot be shown.
pub(super) fn revoke(work: &mut Work, subscription: &Subscription) -> Result<()> {
    let Some(mut entitlement) = software::entitlement(work, subscription.id)? else { return Ok(()) };
    if entitlement.revoked_at.is_some() {
        return Ok(());
    }
    entitlement.revoked_at = Some(work.now);
    entitlement.generation += 1;
    rows::save_entitlement(&mut work.tx, &entitlement)?;
    let gone = rows::remove_secrets(&mut work.tx, subscription.id)?;
    work.note("keys.revoked", Some(subscription), None, &format!("{gone} keys and links"));
    Ok(())
}

/// How far sealing everything again with the first master key has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// Rows looked at.
    pub seen: usize,
    /// Of them, those that were sealed with another key before.
    pub moved: usize,
    /// Where to go on (exclusive); none at the end.
    pub next: Option<Vec<u8>>,
}

/// Seals a page of keys and links again with the first master key, so that an old one can be taken out of use.
///
/// # Errors
/// `forbidden`, `secrets_locked`, `secrets_unreadable`.
pub fn reseal(work: &mut Work, after: Option<&[u8]>) -> Result<Resealed> {
    work.rights.require_for_all(&Grant::KeysManage)?;
    let sealing = work.settings.ring.sealing_number();
    if sealing.is_none() {
        return Err(unsealed(&locked(&work.settings.ring)));
    }
    let page = rows::secrets(&mut work.tx, after, PAGE_ROWS)?;
    let mut moved = 0;
    for (place, sealed) in &page.items {
        if Ring::number_of(sealed) == sealing {
            continue;
        }
        let secret = work.settings.ring.open(&bound(place), sealed).map_err(|error| unsealed(&error))?;
        seal(work, place, &secret)?;
        moved += 1;
    }
    if moved > 0 {
        work.note("keys.resealed", None, None, &format!("{moved} keys and links"));
    }
    Ok(Resealed { seen: page.items.len(), moved, next: page.next })
}

fn locked(ring: &Ring) -> SealError {
    match ring.seal(&[], &[], &Secret::new("")) {
        Err(error) => error,
        Ok(_) => SealError::Locked(String::new()),
    }
}
