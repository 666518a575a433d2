//! Add-ons that follow their base: suspended with it, in the same commit. They come back one by one.

use std::sync::Arc;

use crate::domain::change::{Amendments, Reason};
use crate::domain::product::Product;
use crate::domain::subscription::Status;
use crate::domain::{Change, Grant, Id, Kind, Subscription, SubscriptionId};
use crate::store::records::{Stored, catalog, requests as rows, subscriptions as subscription_rows};

use super::work::Work;
use super::{Result, messages, offers, quotes, requests, subscriptions};

/// Holdings of one customer looked through for the add-ons of one of them.
const HOLDINGS_MAX: usize = 1_000;
/// Rows of the catalogue looked through at a time.
const PAGE_ROWS: usize = 500;

/// The add-ons of a subscription within reach, in the order of their ids.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn of(work: &mut Work, base: SubscriptionId) -> Result<Vec<Subscription>> {
    work.require(&Grant::Read("subscriptions"))?;
    let base = subscriptions::load(work, base)?.value;
    Ok(children(work, &base)?.into_iter().map(|stored| stored.value).collect())
}

/// Whether an add-on is sold that is made for the offer of a subscription.
///
/// # Errors
/// The store failed.
pub fn are_sold_for(work: &mut Work, subscription: &Subscription) -> Result<bool> {
    let offer = &subscription.profile.offer_id;
    Ok(!offer.is_empty() && bases(work)?.iter().any(|base| Product::holds(base, offer)))
}

/// What the add-ons of the catalogue are made for: looked up once, however many subscriptions are shown.
fn bases(work: &mut Work) -> Result<Arc<[String]>> {
    if let Some(known) = &work.add_on_bases {
        return Ok(Arc::clone(known));
    }
    let mut found = std::collections::BTreeSet::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let page = catalog::products(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?;
        // Few rows say anything of add-ons; only those are looked at with what stands above them.
        for product in page.items.into_iter().filter(|row| row.is_add_on || !row.prerequisites.is_empty()) {
            let whole = offers::item(work, &product.id)?.unwrap_or(product);
            if whole.is_add_on {
                found.extend(whole.prerequisites);
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let found: Arc<[String]> = found.into_iter().collect();
    work.add_on_bases = Some(Arc::clone(&found));
    Ok(found)
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
    let terms = Arc::clone(&work.terms);
    let follows = |child: &Subscription| {
        let own = terms.family(&child.profile.family).add_on.as_ref();
        child.standing.status == Status::Active && own.is_some_and(|rule| rule.suspended.is_some())
    };
    let active = children(work, base)?.into_iter().filter(|child| follows(&child.value));
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
