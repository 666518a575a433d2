//! Tenants: reading, finding, labelling, and what the billing system told of them.

use std::sync::Arc;

use crate::domain::selection::Selection;
use crate::domain::tenant::Account;
use crate::domain::terms::Terms;
use crate::domain::{Grant, Instant, Money, Refusal, Tenant, TenantId};
use crate::partner_center::customers::{self, CustomerFact};
use crate::partner_center::merge::Import;
use crate::store::records::{Page, Stored, tenants as rows};

use super::work::Work;
use super::{Result, keys, not_found, subscriptions};

const PAGE_ROWS: usize = 500;

fn load(work: &mut Work, id: TenantId) -> Result<Stored<Tenant>> {
    let found = rows::get(&mut work.tx, id)?.filter(|_| work.reaches(id));
    found.ok_or_else(|| not_found("tenant", &id))
}

/// A tenant within reach, for an operation that has checked its own right.
pub(super) fn reached(work: &mut Work, id: TenantId) -> Result<Tenant> {
    Ok(load(work, id)?.value)
}

/// The tenant's generation; zero for one that is not known.
pub(super) fn generation(work: &mut Work, id: TenantId) -> Result<u64> {
    Ok(rows::get(&mut work.tx, id)?.map_or(0, |stored| stored.value.generation))
}

/// The terms for a tenant: where a country has laws of its own, as those of the country it is billed in have them (XLAW).
///
/// # Errors
/// What the store answers.
pub fn terms_for(work: &mut Work, id: TenantId) -> Result<Arc<Terms>> {
    if !work.terms.knows_laws() {
        return Ok(Arc::clone(&work.terms));
    }
    let country = country(work, id)?;
    Ok(work.terms.in_country(&country.to_ascii_uppercase()))
}

/// The country a tenant is billed in; empty where it is not known.
///
/// # Errors
/// What the store answers.
pub fn country(work: &mut Work, id: TenantId) -> Result<String> {
    Ok(rows::get(&mut work.tx, id)?.map(|stored| stored.value.country).unwrap_or_default())
}

/// A customer that is not there, or out of reach, has nothing below it either.
///
/// # Errors
/// `not_found` (20002).
pub fn exists(work: &mut Work, id: TenantId) -> Result<()> {
    load(work, id).map(drop)
}

/// The customer whose own Global admin asks, so that it can be named by more than its id (K-cust).
///
/// # Errors
/// What the store answers.
pub fn own(work: &mut Work) -> Result<Option<Tenant>> {
    let Some(&[id]) = work.rights.grants.tenants.as_deref() else { return Ok(None) };
    let is_own = keys::is_own(work, id);
    Ok(rows::get(&mut work.tx, id)?.map(|stored| stored.value).filter(|_| is_own))
}

/// One tenant within reach.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, id: TenantId) -> Result<Tenant> {
    work.require(&Grant::Read("tenants"))?;
    Ok(load(work, id)?.value)
}

/// Tenants by id, name or domain (a cancellation names the customer by any of the three).
///
/// # Errors
/// `forbidden`.
pub fn find(work: &mut Work, text: &str) -> Result<Vec<Tenant>> {
    work.require(&Grant::Read("tenants"))?;
    let ids = match text.parse::<TenantId>() {
        Ok(id) => vec![id],
        Err(_) => rows::named(&mut work.tx, text)?,
    };
    let mut found = Vec::new();
    for id in ids {
        if work.reaches(id) {
            found.extend(rows::get(&mut work.tx, id)?.map(|stored| stored.value));
        }
    }
    Ok(found)
}

/// A page of what a selection holds, in id order.
///
/// # Errors
/// `forbidden`.
pub fn select(work: &mut Work, selection: &Selection, after: Option<&[u8]>, limit: usize) -> Result<Page<Tenant>> {
    select_where(work, selection, |_| true, after, limit)
}

/// The same of those that something more is true of.
///
/// # Errors
/// `forbidden`.
pub fn select_where(
    work: &mut Work,
    selection: &Selection,
    keep: impl Fn(&Tenant) -> bool,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Tenant>> {
    work.require(&Grant::Read("tenants"))?;
    let mut items = Vec::new();
    let mut cursor = after.map(<[u8]>::to_vec);
    let mut seen = 0;
    loop {
        let page = rows::page(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        seen += page.items.len();
        for stored in page.items {
            let tenant = stored.value;
            if work.reaches(tenant.id) && keep(&tenant) && selection.matches(&tenant, work.now) {
                let key = tenant.id.bytes().to_vec();
                items.push(tenant);
                if items.len() == limit {
                    return Ok(Page { items, next: Some(key) });
                }
            }
        }
        match page.next {
            None => return Ok(Page { items, next: None }),
            Some(next) if seen >= work.settings.rows => return Ok(Page { items, next: Some(next) }),
            Some(next) => cursor = Some(next),
        }
    }
}

/// An id for a customer whose own is not known yet.
pub fn fresh_id(work: &mut Work) -> TenantId {
    TenantId(work.guid("tenant"))
}

/// Takes on a customer. Nothing is told to Partner Center: a customer that was made there has its id there, and is
/// recorded here under that one.
///
/// # Errors
/// `forbidden`; `missing_field` without a company's name or a domain; `tenant_exists` and `domain_taken` where it is
/// known already.
pub fn create(work: &mut Work, fact: &CustomerFact) -> Result<Tenant> {
    work.rights.require_for_all(&Grant::TenantsWrite)?;
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    if !given(&fact.company_name) || !given(&fact.domain) {
        let message = "a customer has a company name and a domain: companyProfile.domain, billingProfile.companyName";
        return Err(Refusal::new("missing_field", message).into());
    }
    if rows::get(&mut work.tx, fact.id)?.is_some() {
        return Err(Refusal::new("tenant_exists", format!("the customer {} is known already", fact.id)).into());
    }
    let domain = fact.domain.as_deref().unwrap_or_default().trim();
    for other in rows::named(&mut work.tx, domain)? {
        let known = rows::get(&mut work.tx, other)?;
        if known.is_some_and(|known| known.value.domain.eq_ignore_ascii_case(domain)) {
            let message = format!("the domain {domain} is the customer's {other}");
            return Err(Refusal::new("domain_taken", message).into());
        }
    }
    let import = Import { now: work.now, newer_here: false, overwrite: false };
    let tenant = customers::merge(None, fact, &import).record;
    rows::save(&mut work.tx, None, &tenant)?;
    work.note_tenant("tenant.created", Some(tenant.id), &tenant.company_name);
    work.effect(format!("tenant {} {}", tenant.id, tenant.company_name));
    Ok(tenant)
}

/// What the billing system tells of a tenant: what is overdue, and since when.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn set_account(work: &mut Work, id: TenantId, overdue: Vec<Money>, since: Option<Instant>) -> Result<Tenant> {
    work.require(&Grant::TenantsAccount)?;
    let stored = load(work, id)?;
    let mut after = stored.value.clone();
    after.account = Account { overdue: overdue.into_iter().filter(|money| !money.is_zero()).collect(), since };
    if after.account == stored.value.account {
        return Ok(after);
    }
    after.generation += 1;
    rows::save(&mut work.tx, Some(&stored.value), &after)?;
    let text: Vec<String> = after.account.overdue.iter().map(ToString::to_string).collect();
    work.note_tenant("tenant.account", Some(id), &text.join(", "));
    work.effect(format!("account {id}"));
    Ok(after)
}

/// A customer's name, to stand beside what is shown of it already; empty where nobody has described it.
pub fn name(work: &mut Work, id: TenantId) -> Result<String> {
    Ok(rows::get(&mut work.tx, id)?.map(|stored| stored.value.company_name).unwrap_or_default())
}

/// Puts a label on a tenant, or takes it off when there is no value.
///
/// # Errors
/// `forbidden`, `not_found`, `bad_label`.
pub fn label(work: &mut Work, id: TenantId, name: &str, value: Option<&str>) -> Result<Tenant> {
    work.require(&Grant::LabelsWrite)?;
    let stored = load(work, id)?;
    let mut after = stored.value.clone();
    subscriptions::set_label(&mut after.labels, name, value)?;
    if after.labels == stored.value.labels {
        return Ok(after);
    }
    after.generation += 1;
    rows::save(&mut work.tx, Some(&stored.value), &after)?;
    work.note_tenant("tenant.labelled", Some(id), name);
    work.effect(format!("label {id} {name}"));
    Ok(after)
}

/// Records when a customer accepted the Microsoft Customer Agreement: nothing is sold to it before.
///
/// # Errors
/// `forbidden`, `not_found`, `agreed_later`.
pub fn set_agreed(work: &mut Work, id: TenantId, at: Instant) -> Result<Tenant> {
    work.require(&Grant::TenantsAccount)?;
    let stored = load(work, id)?;
    if at > work.now {
        return Err(Refusal::new("agreed_later", "an agreement is recorded once it was accepted").into());
    }
    let mut after = stored.value.clone();
    if after.agreed_at == Some(at) {
        return Ok(after);
    }
    after.agreed_at = Some(at);
    after.generation += 1;
    rows::save(&mut work.tx, Some(&stored.value), &after)?;
    work.note_tenant("create_agreement", Some(id), &crate::domain::calendar::show(at));
    work.effect(format!("agreement {id}"));
    Ok(after)
}
