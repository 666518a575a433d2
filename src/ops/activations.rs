//! KMS activations of customers' devices, and their move to a MAK (K-180).

use crate::domain::activation::{Activation, LASTS, MoveState, Progress, Step, check_names, steps};
use crate::domain::software::KeyState;
use crate::domain::support::{Contact, DEPLOYMENT, Form, Severity, SupportRequest};
use crate::domain::terms::is_software;
use crate::domain::{Grant, Instant, Refusal, Span, Subscription, SubscriptionId, TenantId, calendar};
use crate::store::records::{Page, activations as rows, subscriptions as subscription_rows, tenants};

use super::work::Work;
use super::{Result, not_found, software, support};

/// Rows looked at in one go.
const PAGE_ROWS: usize = 500;
/// Devices that a deployment request tells one by one.
const DEVICES_TOLD: usize = 50;

/// A KMS activation as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The device.
    pub device: String,
    /// The product activated on it.
    pub product: String,
    /// When a KMS host activated it last.
    pub activated_at: Instant,
    /// How long that lasts, where it is not the usual 180 days.
    pub lasts: Option<Span>,
    /// The purchase its MAK is to be of.
    pub subscription: Option<SubscriptionId>,
}

fn in_reach(work: &mut Work, customer: TenantId) -> Result<()> {
    let known = work.reaches(customer) && tenants::get(&mut work.tx, customer)?.is_some();
    if known { Ok(()) } else { Err(not_found("customer", &customer)) }
}

/// Records the last KMS activation of a product on a device. One that was told before and is later stays.
///
/// # Errors
/// `forbidden`, `not_found`, `bad_device`, `bad_product`, `in_the_future`, `bad_duration`.
pub fn record(work: &mut Work, customer: TenantId, told: &Told) -> Result<Activation> {
    work.require(&Grant::ActivationsWrite)?;
    in_reach(work, customer)?;
    check_names(&told.device, &told.product)?;
    if told.activated_at > work.now {
        let at = calendar::show(told.activated_at);
        let message = format!("{at} is still to come: an activation is recorded when it has happened");
        return Err(Refusal::new("in_the_future", message).into());
    }
    let lasts = told.lasts.unwrap_or(LASTS);
    if lasts.is_zero() {
        return Err(Refusal::new("bad_duration", "an activation lasts for some time").by_rule("K-180").into());
    }
    if let Some(id) = told.subscription {
        software::held(work, customer, id)?;
    }
    let fresh = Activation {
        customer,
        device: told.device.trim().to_owned(),
        product: told.product.trim().to_owned(),
        activated_at: told.activated_at,
        lasts,
        moved_at: None,
        moved_by: None,
        subscription: told.subscription,
    };
    let before = rows::get(&mut work.tx, customer, &fresh.device, &fresh.product)?.map(|stored| stored.value);
    let after = before.as_ref().map_or_else(|| fresh.clone(), |before| before.seen_again(&fresh));
    if before.as_ref() != Some(&after) {
        rows::save(&mut work.tx, before.as_ref(), &after)?;
        let note = format!("{} on {}, until {}", after.product, after.device, calendar::show(after.deadline()));
        work.note_tenant("activation.recorded", Some(customer), &note);
        work.effect(format!("activation {} {}", after.device, after.product));
    }
    Ok(after)
}

/// Marks a device's product as moved: its MAK was activated then.
///
/// # Errors
/// `forbidden`, `not_found`, `in_the_future`, `moved_before_activated`.
pub fn moved(
    work: &mut Work,
    customer: TenantId,
    device: &str,
    product: &str,
    at: Option<Instant>,
    subscription: Option<SubscriptionId>,
) -> Result<Activation> {
    work.require(&Grant::ActivationsWrite)?;
    in_reach(work, customer)?;
    let at = at.unwrap_or(work.now);
    let known = rows::get(&mut work.tx, customer, device, product)?.map(|stored| stored.value);
    let shown = |text: &str| text.chars().take(64).collect::<String>();
    let before =
        known.ok_or_else(|| not_found("activation of", &format!("{} on {}", shown(product), shown(device))))?;
    if at > work.now {
        return Err(Refusal::new("in_the_future", "a device is marked as moved when it has been").into());
    }
    if at < before.activated_at {
        let message = format!("a KMS host activated it after that, at {}", calendar::show(before.activated_at));
        return Err(Refusal::new("moved_before_activated", message).by_rule("K-180").into());
    }
    if let Some(id) = subscription {
        software::held(work, customer, id)?;
    }
    if before.moved_at.is_some() {
        return Ok(before);
    }
    let after = Activation {
        moved_at: Some(at),
        moved_by: Some(work.rights.principal.clone()),
        subscription: subscription.or(before.subscription),
        ..before.clone()
    };
    rows::save(&mut work.tx, Some(&before), &after)?;
    let note = format!("{} on {}", after.product, after.device);
    work.note_tenant("activation.moved", Some(customer), &note);
    work.effect(format!("moved {} {}", after.device, after.product));
    Ok(after)
}

/// A page of a customer's activations, by device and product.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn list(work: &mut Work, customer: TenantId, after: Option<&[u8]>, limit: usize) -> Result<Page<Activation>> {
    work.require(&Grant::Read("activations"))?;
    in_reach(work, customer)?;
    Ok(rows::page(&mut work.tx, Some(customer), after, limit)?)
}

/// A page of what has not been moved yet and whose deadline comes within a time from now or has passed, earliest first;
/// of every customer within reach.
///
/// # Errors
/// `forbidden`, `out_of_range` for a time beyond the calendar.
pub fn due(work: &mut Work, within: Option<Span>, after: Option<&[u8]>, limit: usize) -> Result<Page<Activation>> {
    work.require(&Grant::Read("activations"))?;
    let until = match within {
        None => calendar::from_micros(i64::MAX),
        Some(span) => span
            .after(work.now)
            .and_then(|end| end.checked_add_signed(chrono::TimeDelta::microseconds(1)))
            .ok_or_else(|| Refusal::new("out_of_range", "that is beyond the calendar"))?,
    };
    let mut page = rows::due(&mut work.tx, until, after, limit)?;
    page.items.retain(|activation| work.rights.grants.reach(activation.customer));
    Ok(page)
}

/// How a customer's move stands, and the steps in the order that avoids downtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What has not been moved, earliest deadline first.
    pub left: Vec<Activation>,
    /// Devices and products recorded.
    pub recorded: usize,
    /// Of what is left, how many have lapsed.
    pub lapsed: usize,
}

/// How a customer's move stands, and what to do next.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn plan(work: &mut Work, customer: TenantId) -> Result<Plan> {
    work.require(&Grant::Read("activations"))?;
    in_reach(work, customer)?;
    let mut recorded = Vec::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = rows::page(&mut work.tx, Some(customer), cursor.as_deref(), PAGE_ROWS)?;
        recorded.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let progress = progress(work, customer, &recorded)?;
    let mut left: Vec<Activation> = recorded.into_iter().filter(|one| one.moved_at.is_none()).collect();
    left.sort_by_key(|activation| (activation.deadline(), activation.device.clone()));
    let now = work.now;
    let lapsed = left.iter().filter(|activation| activation.state(now) == MoveState::Lapsed).count();
    Ok(Plan { steps: steps(&progress), left, recorded: progress.devices, lapsed })
}

fn devices(count: usize) -> String {
    format!("{count} device{}", if count == 1 { "" } else { "s" })
}

/// Opens a technical presales and deployment request for a customer's move (K-help), with what is left to move in it.
///
/// # Errors
/// `forbidden`, `not_found`; `missing_field` naming what the contact lacks.
pub fn ask_for_help(work: &mut Work, customer: TenantId, contact: Contact, note: &str) -> Result<SupportRequest> {
    let plan = plan(work, customer)?;
    let first = plan.left.first().map(|one| calendar::show(one.deadline()));
    let deadline = first.map_or_else(String::new, |at| format!("; the first deadline is {at}"));
    let left = plan.left.len();
    let mut description = format!(
        "Move of {} from KMS (volume licensing) to MAK (CSP) without downtime: {left} not moved yet, {} of them \
         lapsed{deadline}.\n",
        devices(plan.recorded),
        plan.lapsed
    );
    for one in plan.left.iter().take(DEVICES_TOLD) {
        let line = format!("{} on {}: until {}\n", one.product, one.device, calendar::show(one.deadline()));
        description.push_str(&line);
    }
    if left > DEVICES_TOLD {
        description.push_str(&format!("and {} more\n", left - DEVICES_TOLD));
    }
    description.push_str(note);
    let form = Form {
        problem: DEPLOYMENT.to_owned(),
        severity: if plan.lapsed > 0 { Severity::Critical } else { Severity::Moderate },
        impact: format!("{} may be limited or blocked once their KMS activation is over{deadline}", devices(left)),
        title: format!("Move of {} from KMS to MAK", devices(left)),
        description,
        contact,
        ..Form::default()
    };
    support::open(work, Some(customer), form, None)
}

/// How far the move of what is recorded is: which of it was bought, and which of that has a key here.
fn progress(work: &mut Work, customer: TenantId, recorded: &[Activation]) -> Result<Progress> {
    let purchases = purchases(work, customer)?;
    let is_any = |purchase: &Purchase| recorded.is_empty() || recorded.iter().any(|one| one.is_of(&purchase.bought));
    let of_these: Vec<&Purchase> = purchases.iter().filter(|purchase| is_any(purchase)).collect();
    let left: Vec<&Activation> = recorded.iter().filter(|one| one.moved_at.is_none()).collect();
    let lacking = |has: fn(&Purchase) -> bool| {
        let is_met = |one: &Activation| of_these.iter().any(|purchase| has(purchase) && one.is_of(&purchase.bought));
        left.iter().filter(|one| !is_met(one)).count()
    };
    Ok(Progress {
        purchases: of_these.len(),
        with_key: of_these.iter().filter(|purchase| purchase.has_key).count(),
        devices: recorded.len(),
        moved: recorded.len() - left.len(),
        unbought: lacking(|_| true),
        keyless: lacking(|purchase| purchase.has_key),
    })
}

/// A purchase of software that stands and comes with keys.
struct Purchase {
    bought: Subscription,
    has_key: bool,
}

fn purchases(work: &mut Work, customer: TenantId) -> Result<Vec<Purchase>> {
    let mut found = Vec::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = subscription_rows::page(&mut work.tx, Some(customer), cursor.as_deref(), PAGE_ROWS)?;
        let terms = std::sync::Arc::clone(&work.terms);
        for stored in page.items.into_iter().filter(|stored| is_software(&terms, &stored.value)) {
            let bought = stored.value;
            let entitlement = software::entitlement(work, bought.id)?;
            match KeyState::of(true, entitlement.as_ref(), bought.standing.status) {
                KeyState::Available => {
                    let delivered = entitlement.map(|entitlement| entitlement.delivered).unwrap_or_default();
                    found.push(Purchase { bought, has_key: delivered.iter().any(|known| known.key) });
                }
                KeyState::Awaited => found.push(Purchase { bought, has_key: false }),
                KeyState::Revoked | KeyState::NotApplicable => {}
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
