//! What the terms add to a subscription that is shown: what may be done with it now, and the refund still to be had.

use crate::domain::change::Reason;
use crate::domain::{Change, Subscription, lifecycle};
use crate::ops::{self, Work, add_ons, quotes, tenants};
use crate::partner_center::subscriptions_write::{RefundOption, Shown};

pub(super) fn shown(work: &mut Work, subscription: &Subscription) -> ops::Result<Shown> {
    let change = Change::Cancellation { reason: Reason::CustomerRequest };
    let terms = tenants::terms_for(work, subscription.tenant)?;
    let quote = quotes::quote(work, subscription, &change)?;
    let mut actions = Vec::new();
    if lifecycle::is_editable(&terms, subscription) {
        actions.push("edit");
    }
    // What goes by a support request alone is not cancelled here.
    let family = terms.family(&subscription.profile.family);
    if quote.allowed && family.may_be_cancelled_alone(work.now).is_ok() {
        actions.push("cancel");
    }
    let money = quote.allowed && quote.refund.is_some_and(|refund| !refund.is_zero());
    let options = lifecycle::refunds_until(&terms, subscription, work.now);
    let option = |one: lifecycle::RefundUntil| RefundOption { is_full: one.is_full, expires_at: Some(one.until) };
    Ok(Shown {
        actions,
        country: tenants::country(work, subscription.tenant)?,
        refund_options: options.into_iter().filter(|_| money).map(option).collect(),
        refundable: lifecycle::refundable_seats(&terms, subscription, work.now),
        window_ends_with_day: lifecycle::window_ends_with_day(&terms, subscription),
        has_add_ons: add_ons::are_sold_for(work, subscription)?,
    })
}
