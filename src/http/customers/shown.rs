//! What the terms add to a subscription that is shown: what may be done with it now, and the refund still to be had.

use crate::domain::change::Reason;
use crate::domain::subscription::Status;
use crate::domain::terms::End;
use crate::domain::{Change, Kind, Subscription};
use crate::ops::{self, Work, quotes, tenants};
use crate::partner_center::subscriptions_write::{RefundOption, Shown};

pub(super) fn shown(work: &mut Work, subscription: &Subscription) -> ops::Result<Shown> {
    let change = Change::Cancellation { reason: Reason::CustomerRequest };
    let terms = tenants::terms_for(work, subscription.tenant)?;
    let quote = quotes::quote(work, subscription, &change)?;
    let profile = &subscription.profile;
    let family = terms.family(&profile.family);
    let opened = subscription.standing.term_start.max(profile.purchased_at);
    let window = family.window(Kind::Cancellation, &profile.billing_cycle, opened);
    let mut actions = Vec::new();
    if matches!(subscription.standing.status, Status::Active | Status::Suspended) && family.refuses.is_none() {
        actions.push("edit");
    }
    if quote.allowed {
        actions.push("cancel");
    }
    let option = |_| RefundOption {
        is_full: window.is_some_and(|window| window.is_full(opened, work.now)),
        expires_at: quote.allowed_until,
    };
    Ok(Shown {
        actions,
        refund_options: quote
            .refund
            .filter(|refund| quote.allowed && !refund.is_zero())
            .map(option)
            .into_iter()
            .collect(),
        window_ends_with_day: window.is_some_and(|window| window.end == End::EndOfDayUtc),
    })
}
