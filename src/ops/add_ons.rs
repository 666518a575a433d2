//! Add-ons that follow their base: suspended with it, in the same commit. They come back one by one.

use crate::domain::change::{Amendments, Reason};
use crate::domain::subscription::Status;
use crate::domain::{Change, Grant, Id, Kind, Subscription, SubscriptionId};
use crate::store::records::{Stored, requests as rows, subscriptions as subscription_rows};

use super::work::Work;
use super::{Result, messages, quotes, requests, subscriptions};

/// Holdings of one customer looked through for the add-ons of one of them.
const HOLDINGS_MAX: usize = 1_000;

/// The add-ons of a subscription within reach, in the order of their ids.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn of(work: &mut Work, base: SubscriptionId) -> Result<Vec<Subscription>> {
    work.require(&Grant::Read("subscriptions"))?;
    let base = subscriptions::load(work, base)?.value;
    Ok(children(work, &base)?.into_iter().map(|stored| stored.value).collect())
}

fn children(work: &mut Work, base: &Subscription) -> Result<Vec<Stored<Subscription>>> {
    let page = subscription_rows::page(&mut work.tx, Some(base.tenant), None, HOLDINGS_MAX)?;
    let is_child = |stored: &Stored<Subscription>| stored.value.profile.parent_subscription_id == Some(base.id);
    Ok(page.items.into_iter().filter(is_child).collect())
}

/// The base was suspended: so are its active add-ons, for the same reason and as effects of the same request, where
/// the terms say that they follow (A-susp).
pub(super) fn suspended_with(work: &mut Work, base: &Subscription, reason: Reason, request: Option<Id>) -> Result<()> {
    let rule = work.terms.family(&base.profile.family).add_on.as_ref().and_then(|rule| rule.suspended.clone());
    let Some(rule) = rule.filter(|_| base.standing.status == Status::Suspended) else { return Ok(()) };
    let active = children(work, base)?.into_iter().filter(|child| child.value.standing.status == Status::Active);
    for child in active.collect::<Vec<_>>() {
        let change = Change::Suspension { reason };
        let applied = match quotes::apply(work, &child.value, &change, &Amendments::default())? {
            Ok(applied) => applied,
            Err(refusal) => {
                work.note("add_on.not_suspended", Some(&child.value), request, &refusal.message);
                continue;
            }
        };
        work.save_subscription(Some(&child), &applied.subscription)?;
        if let Some(open) = rows::open(&mut work.tx, base.tenant, child.value.id, Kind::Renewal)? {
            requests::withdraw_moot(work, &open)?;
        }
        work.owe(&applied.subscription, request, applied.lines)?;
        let note = format!("{rule}: its base {} is suspended", base.id);
        work.note(applied.topic, Some(&applied.subscription), request, &note);
        work.effect(format!("suspended {}", child.value.id));
        messages::tell(work, applied.topic, &applied.subscription)?;
    }
    Ok(())
}
