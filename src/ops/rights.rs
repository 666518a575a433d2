//! What somebody may do with one thing: which holding, which request, which row of a log. The answers come from the
//! matrix of `domain/roles`; plain grants of tokens and files answer as they always did.

use std::cmp::Ordering;

use crate::domain::change::Amendments;
use crate::domain::roles::{Leave, Place, Role, Subject};
use crate::domain::terms::is_software;
use crate::domain::{Change, Grant, Kind, Refusal, Request, Subscription, TenantId};
use crate::store::records::log::Activity;

use super::keys::{READ_KEY, READ_LINK};
use super::work::{Rights, Work};
use super::{Result, users};

/// Operations that charge or credit, in the activity log.
const MONEY_OPERATIONS: [&str; 16] = [
    "subscription.purchased",
    "order.purchased",
    "subscription.activated",
    "subscription.converted",
    "subscription.upgraded",
    "subscription.created_by_upgrade",
    "subscription.extended",
    "subscription.renewed",
    "subscription.cycle_charged",
    "subscription.quantity_changed",
    "subscription.cancelled",
    "order.cancelled",
    "subscription.deprovisioned",
    "tenant.account",
    "invoice.ready",
    "invoice.account",
];
/// Operations that tell of software keys and download links, refused ones too (AUD).
const KEY_OPERATIONS: [&str; 2] = [READ_KEY, READ_LINK];

/// What the terms say of a holding that the matrix asks about.
fn holding(work: &Work, subscription: &Subscription, seats: Ordering) -> Subject {
    let software = is_software(&work.terms, subscription);
    Subject::Holding { software, trial: subscription.profile.is_trial, seats }
}

/// Everything a change comes to: itself, and what it sets for the next term, which is no way around the rows on seats
/// and billing plans.
fn parts(subscription: &Subscription, change: &Change) -> Vec<(Kind, Ordering)> {
    let against = |quantity: i64| quantity.cmp(&subscription.standing.quantity);
    match change {
        Change::Quantity { quantity } => vec![(Kind::Quantity, against(*quantity))],
        Change::Renewal { amendments, .. } | Change::Schedule { instructions: amendments } => {
            let mut parts = vec![(change.kind(), Ordering::Equal)];
            let seats = amendments.quantity.map(against).filter(|seats| seats.is_ne());
            parts.extend(seats.map(|seats| (Kind::Quantity, seats)));
            let rest = Amendments { quantity: None, ..amendments.clone() };
            parts.extend((!rest.is_empty()).then_some((Kind::BillingPlan, Ordering::Equal)));
            parts
        }
        other => vec![(other.kind(), Ordering::Equal)],
    }
}

/// Demands the right to propose a change of this subscription, and tells whether a person answers it whatever the
/// policies say.
///
/// # Errors
/// `forbidden`, naming the grant and what of it is missing.
pub(super) fn to_propose(work: &Work, subscription: &Subscription, change: &Change) -> Result<bool> {
    if work.rights.grants.held().is_none() {
        work.rights.require(&Grant::Propose(Some(change.kind())))?;
        return Ok(false);
    }
    let mut asks_only = false;
    for (kind, seats) in parts(subscription, change) {
        let wanted = Grant::Propose(Some(kind));
        let subject = holding(work, subscription, seats);
        match work.rights.grants.leave(&wanted, subject, Place::Tenant(subscription.tenant)) {
            Leave::Act => {}
            Leave::Ask => asks_only = true,
            Leave::Nothing | Leave::Own | Leave::Look => {
                let what = match (subject, seats) {
                    (Subject::Holding { software: true, .. }, _) => "software",
                    (_, Ordering::Less) => "fewer seats",
                    (_, Ordering::Greater) => "more seats",
                    _ => "this",
                };
                let family = &subscription.profile.family;
                let message = format!(
                    "{} does not hold the grant {wanted} for {what} ({family}); `bursar roles` shows which roles do",
                    work.rights.principal
                );
                return Err(Refusal::new("forbidden", message).by_rule("ROLE").into());
            }
        }
    }
    Ok(asks_only)
}

/// Whether a subscription may be looked at with the right that was demanded to look at subscriptions.
pub(super) fn sees(work: &Work, subscription: &Subscription) -> bool {
    if work.rights.grants.held().is_none() {
        return work.reaches(subscription.tenant);
    }
    let subject = holding(work, subscription, Ordering::Equal);
    let place = Place::Tenant(subscription.tenant);
    work.rights.grants.leave(&Grant::Read("subscriptions"), subject, place) > Leave::Nothing
}

/// Whether a request is there for whoever acts: its customer is within reach, or it is theirs to answer.
pub(super) fn finds(work: &Work, request: &Request) -> bool {
    let (wanted, place) = (Grant::Decide(Some(request.kind)), Place::Tenant(request.tenant));
    let leave = work.rights.grants.leave(&wanted, Subject::Kind(request.kind), place);
    work.reaches(request.tenant) || leave == Leave::Act
}

/// Demands the right to answer a request: the grant for its kind, and of the roles that its review names one that the
/// matrix lets answer it. A review narrows who may answer and never widens it; one that names nobody who may, names nobody.
///
/// # Errors
/// `forbidden`.
pub(super) fn to_answer(work: &Work, request: &Request) -> Result<()> {
    let grants = &work.rights.grants;
    let wanted = Grant::Decide(Some(request.kind));
    work.require(&wanted)?;
    let place = Place::Tenant(request.tenant);
    if grants.leave(&wanted, Subject::Kind(request.kind), place) != Leave::Act {
        let message = format!("{} does not hold the grant {wanted}", work.rights.principal);
        return Err(Refusal::new("forbidden", message).into());
    }
    let answers = |role: &Role| role.may_answer(request.kind);
    let named: Vec<Role> = request.roles.iter().filter_map(|role| role.parse().ok()).filter(answers).collect();
    if named.is_empty() || grants.is_all() || grants.holds(&named) {
        return Ok(());
    }
    let message = format!("{} is asked to answer request {}", request.roles.join(" or "), request.id);
    Err(Refusal::new("forbidden", message).into())
}

/// Nobody fills both sides of an approval: neither the one who proposed, under whatever name or token, nor the one who
/// set off the script that did. Of users that holds whatever the configuration says.
///
/// # Errors
/// `self_approval`.
pub(super) fn two_pairs_of_eyes(work: &mut Work, request: &Request) -> Result<()> {
    let mine = work.rights.principal.clone();
    let mine = users::person(work, &mine)?;
    for other in [Some(&request.proposed_by), request.set_off_by.as_ref()].into_iter().flatten() {
        let theirs = users::person(work, other)?;
        if mine.name == theirs.name && (work.settings.four_eyes || mine.registered) {
            let message = "whoever proposed a request does not answer it (approvals.four_eyes)";
            return Err(Refusal::new("self_approval", message).into());
        }
    }
    Ok(())
}

/// Whether a request may be looked at by whoever may look at requests.
pub fn sees_request(work: &Work, request: &Request) -> bool {
    match of_kind(work, "requests", request.kind, request.tenant) {
        Leave::Nothing => false,
        Leave::Own => {
            let mine = &work.rights.principal;
            request.proposed_by == *mine || request.set_off_by.as_ref() == Some(mine)
        }
        _ => true,
    }
}

/// Whether a decision on a request of this kind and tenant may be looked at.
pub(super) fn sees_decision(work: &Work, kind: Kind, tenant: TenantId) -> bool {
    of_kind(work, "decisions", kind, tenant) > Leave::Own
}

fn of_kind(work: &Work, noun: &'static str, kind: Kind, tenant: TenantId) -> Leave {
    work.rights.grants.leave(&Grant::Read(noun), Subject::Kind(kind), Place::Tenant(tenant))
}

/// Whether a row of the activity log may be looked at.
pub(super) fn sees_activity(work: &Work, activity: &Activity) -> bool {
    let money = MONEY_OPERATIONS.contains(&activity.operation.as_str());
    let tried = activity.operation.strip_suffix(".refused").unwrap_or(&activity.operation);
    let keys = KEY_OPERATIONS.contains(&tried);
    let place = activity.tenant.map_or(Place::Everywhere, Place::Tenant);
    match work.rights.grants.leave(&Grant::Read("activity"), Subject::Log { money, keys }, place) {
        Leave::Nothing => false,
        Leave::Own => activity.by == work.rights.principal,
        _ => true,
    }
}

/// The name of the user who acts, when it is one.
pub(super) fn own_name(work: &Work) -> Option<&str> {
    work.rights.grants.held().map(|held| held.user.as_str())
}

/// Whether a user such as this may be managed. A plain grant would make its holder whatever they like, so it manages
/// whom a User management admin does.
pub(super) fn to_manage(work: &Work, subject: Subject, place: Place) -> bool {
    let grants = &work.rights.grants;
    let enough = subject != Subject::User { admin: true } || grants.is_all() || grants.held().is_some();
    enough && grants.leave(&Grant::UsersManage, subject, place) == Leave::Act
}

/// Demands the right to run a script by hand: `scripts.run`, or `store.admin`, for every tenant. What the script may do
/// is what both it and whoever runs it may.
///
/// # Errors
/// `forbidden`.
pub fn to_run(work: &Work) -> Result<()> {
    let asked = work.rights.require_for_all(&Grant::ScriptsRun);
    asked.or_else(|refused| work.rights.require_for_all(&Grant::StoreAdmin).map_err(|_| refused))
}

/// Demands the right to write a support request: `refund` where one is opened to ask for money back, which whoever cares
/// for money may, too.
///
/// # Errors
/// `forbidden`.
pub(super) fn to_support(work: &Work, refund: bool) -> Result<()> {
    let wanted = Grant::SupportWrite;
    work.require(&wanted)?;
    if work.rights.grants.leave(&wanted, Subject::Support { refund }, Place::Somewhere) == Leave::Act {
        return Ok(());
    }
    let message = format!(
        "{} does not hold the grant {wanted} for this: `bursar roles` shows which roles do",
        work.rights.principal
    );
    Err(Refusal::new("forbidden", message).by_rule("SR").into())
}

/// Demands the right to verify the store over any door: that of whoever reads the activity log of every customer.
///
/// # Errors
/// `forbidden`.
pub fn to_verify(rights: &Rights) -> Result<()> {
    let wanted = Grant::Read("activity");
    rights.require_for_all(&wanted)?;
    let subject = Subject::Log { money: false, keys: false };
    if rights.grants.leave(&wanted, subject, Place::Everywhere) > Leave::Own {
        return Ok(());
    }
    let message = format!("{} reads a part of the activity log alone", rights.principal);
    Err(Refusal::new("forbidden", message).by_rule("AUD").into())
}
