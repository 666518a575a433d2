//! What the records have for the fields of their schema.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Field;
use crate::domain::cart::{Cart, CartStatus};
use crate::domain::catalog::offers::{Publisher, publisher};
use crate::domain::decision::Decision;
use crate::domain::invoice::Invoice;
use crate::domain::ledger::Line;
use crate::domain::message::{self, Message};
use crate::domain::order::Order;
use crate::domain::product::Product;
use crate::domain::request::Upstream;
use crate::domain::run::{Ending, Run};
use crate::domain::subscription::{Attention, Renewal};
use crate::domain::support::SupportRequest;
use crate::domain::trigger::{Delivery, DeliveryState, Occurrence, OccurrenceState};
use crate::domain::{Request, Subscription, Tenant, User};

/// A record that can be selected.
pub trait Fields {
    /// What it has for a field of its schema by the canonical name (or `label.NAME`); none where it has nothing.
    fn field(&self, name: &str) -> Option<Field<'_>>;
}

impl<T: Fields> Fields for &T {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        (**self).field(name)
    }
}

fn text(value: &str) -> Field<'_> {
    Field::Text(Cow::Borrowed(value))
}

fn shown<'a>(value: &impl ToString) -> Field<'a> {
    Field::Text(Cow::Owned(value.to_string()))
}

fn some_text(value: &str) -> Option<Field<'_>> {
    (!value.is_empty()).then(|| text(value))
}

fn whole<'a>(value: u64) -> Field<'a> {
    Field::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn label<'a>(labels: &'a BTreeMap<String, String>, name: &str) -> Option<Field<'a>> {
    labels.get(name.strip_prefix("label.")?).map(|value| text(value))
}

impl Fields for Tenant {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "company_name" => text(&self.company_name),
            "domain" => return some_text(&self.domain),
            "country" => return some_text(&self.country),
            "opened_at" => Field::Instant(self.opened_at?),
            "is_overdue" => Field::Bool(self.account.overdue.iter().any(|owed| !owed.is_zero())),
            "overdue_since" => Field::Instant(self.account.since?),
            "generation" => whole(self.generation),
            _ => return label(&self.labels, name),
        })
    }
}

impl Fields for Subscription {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let (standing, profile) = (&self.standing, &*self.profile);
        Some(match name {
            "id" => shown(&self.id),
            "tenant" => shown(&self.tenant),
            "status" => text(standing.status.as_str()),
            "family" => text(&profile.family),
            "quantity" => Field::Integer(standing.quantity),
            "auto_renew_enabled" => Field::Bool(standing.auto_renew_enabled),
            "cancel_at_term_end" => Field::Bool(standing.cancel_at_term_end),
            "is_extended" => Field::Bool(profile.extended.is_some()),
            "effective_start_date" => Field::Instant(standing.term_start),
            "commitment_end_date" => Field::Instant(standing.term_end?),
            "billing_cycle_end_date" => Field::Instant(standing.cycle_end?),
            "cancellation_allowed_until_date" => Field::Instant(standing.window_end?),
            "creation_date" => Field::Instant(profile.purchased_at),
            "status_since" => Field::Instant(standing.status_since),
            "next_step_at" => Field::Instant(standing.next_step_at?),
            "renewal" => text(match standing.renewal {
                Renewal::Open => "open",
                Renewal::Waiting => "waiting",
                Renewal::Scheduled => "scheduled",
                Renewal::Denied => "denied",
                Renewal::Refused => "refused",
            }),
            "attention" => text(standing.attention.map_or("none", Attention::as_str)),
            "term_duration" => Field::Span(profile.term_duration?),
            "billing_cycle" => return some_text(&profile.billing_cycle),
            "billing_type" => return some_text(&profile.billing_type),
            "offer_id" => return some_text(&profile.offer_id),
            "offer_name" => return some_text(&profile.offer_name),
            "friendly_name" => return some_text(&profile.friendly_name),
            "product_type" => return some_text(&profile.product_type),
            "publisher_name" => return some_text(&profile.publisher_name),
            "unit_price" => Field::Money(profile.unit_price?),
            "is_trial" => Field::Bool(profile.is_trial),
            "is_add_on" => Field::Bool(profile.parent_subscription_id.is_some()),
            "parent_subscription_id" => shown(&profile.parent_subscription_id?),
            "order_id" => text(&profile.order_id.as_ref()?.0),
            "partner_id" => return some_text(&profile.partner_id),
            "suspension_reason" => text(profile.suspension_reason?.as_str()),
            "generation" => whole(standing.generation),
            _ => return label(&profile.labels, name),
        })
    }
}

impl Fields for Order {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => text(&self.id.0),
            "tenant" => shown(&self.tenant),
            "creation_date" => Field::Instant(self.creation_date?),
            "billing_cycle" => return some_text(&self.billing_cycle),
            "status" => return some_text(&self.status),
            "subscription" => {
                let ids = self.line_items.iter().filter_map(|line| line.subscription_id);
                Field::Texts(ids.map(|id| Cow::Owned(id.to_string())).collect())
            }
            _ => return None,
        })
    }
}

impl Fields for Cart {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "tenant" => shown(&self.tenant),
            "status" => text(if self.status == CartStatus::Active { "active" } else { "ordered" }),
            "creation_timestamp" => Field::Instant(self.creation_timestamp),
            "expiration_timestamp" => Field::Instant(self.expiration_timestamp?),
            "catalog_item_id" => {
                let lines = self.lines();
                Field::Texts(lines.iter().map(|(line, _)| Cow::Owned(line.catalog_item_id.clone())).collect())
            }
            "order" => Field::Texts(self.orders.iter().map(|order| Cow::Borrowed(order.0.as_str())).collect()),
            _ => return None,
        })
    }
}

impl Fields for Request {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "tenant" => shown(&self.tenant),
            "subscription" => shown(&self.subscription),
            "kind" => text(self.kind.as_str()),
            "state" => text(self.state.as_str()),
            "is_open" => Field::Bool(self.state.is_open()),
            "proposed_by" => shown(&self.proposed_by),
            "proposed_at" => Field::Instant(self.proposed_at),
            "cause" => text(&self.cause),
            "expires_at" => Field::Instant(self.expires_at?),
            "scheduled_for" => Field::Instant(self.scheduled_for?),
            "closed_at" => Field::Instant(self.closed_at?),
            "allowed_until" => Field::Instant(self.quote.allowed_until?),
            "rule" => return some_text(&self.quote.rule),
            "code" => text(&self.refusal.as_ref()?.code),
            "charge" => Field::Money(self.quote.charge?),
            "refund" => Field::Money(self.quote.refund?),
            "role" => Field::Texts(self.roles.iter().map(|role| Cow::Borrowed(role.as_str())).collect()),
            "upstream" => text(self.upstream.map_or("none", Upstream::as_str)),
            _ => return None,
        })
    }
}

impl Fields for User {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "name" => text(&self.name),
            "email" => text(&self.email),
            "role" => Field::Texts(self.roles.iter().map(|role| Cow::Borrowed(role.as_str())).collect()),
            "assigned" => Field::Texts(self.assigned.iter().map(|id| Cow::Owned(id.to_string())).collect()),
            "customer" => shown(&self.customer?),
            "state" => text(self.state.as_str()),
            "created_at" => Field::Instant(self.created_at),
            _ => return None,
        })
    }
}

impl Fields for Decision {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "request" => shown(&self.request),
            "tenant" => shown(&self.tenant),
            "subscription" => shown(&self.subscription),
            "kind" => text(self.kind.as_str()),
            "at" => Field::Instant(self.at),
            "verdict" => text(self.verdict.as_str()),
            "became" => text(self.became.as_str()),
            "file" => Field::Texts(self.answers.iter().map(|one| Cow::Borrowed(one.file.as_str())).collect()),
            _ => return None,
        })
    }
}

impl Fields for Run {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "file" => text(&self.file),
            "handler" => text(&self.handler),
            "cause" => text(&self.cause),
            "at" => Field::Instant(self.at),
            "due" => Field::Instant(self.due),
            "ending" => text(match self.ending {
                Ending::Completed => "completed",
                Ending::Failed => "failed",
                Ending::LimitExceeded => "limit_exceeded",
            }),
            "code" => text(&self.error.as_ref()?.code),
            _ => return None,
        })
    }
}

impl Fields for Product {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => text(&self.id),
            "name" => text(&self.name),
            "family" => text(&self.family),
            "is_trial" => Field::Bool(self.is_trial),
            "is_add_on" => Field::Bool(self.is_add_on),
            "billing_cycle" => {
                Field::Texts(self.supported_billing_cycles.iter().map(|one| Cow::Borrowed(one.as_str())).collect())
            }
            "billing" => return some_text(&self.billing),
            "category" => return some_text(&self.category),
            "publisher" => text(match publisher(self) {
                Publisher::Microsoft => "microsoft",
                Publisher::Partner => "partner",
            }),
            "publisher_name" => return some_text(&self.publisher_name),
            "product_type" => return some_text(&self.product_type),
            "segment" => Field::Texts(self.segments.iter().map(|one| Cow::Borrowed(one.as_str())).collect()),
            "country" => Field::Texts(self.countries.iter().map(|one| Cow::Borrowed(one.as_str())).collect()),
            "is_limited" => Field::Bool(self.limit.is_some()),
            "is_item" => Field::Bool(self.is_item()),
            _ => return None,
        })
    }
}

impl Fields for Delivery {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "hook" => text(&self.hook),
            "webhook_id" => text(&self.webhook_id),
            "type" => text(&self.event_type),
            "at" => Field::Instant(self.at),
            "sent_at" => Field::Instant(self.sent_at),
            "state" => text(match self.state {
                DeliveryState::Pending => "pending",
                DeliveryState::Processed => "processed",
                DeliveryState::Ignored => "ignored",
                DeliveryState::Rejected => "rejected",
                DeliveryState::Dead => "dead",
            }),
            _ => return None,
        })
    }
}

impl Fields for Message {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "topic" => text(&self.topic),
            "at" => Field::Instant(self.at),
            "tenant" => shown(&self.tenant?),
            "subscription" => shown(&self.subscription?),
            "request" => shown(&self.request?),
            "state" => Field::Texts(
                self.addressees
                    .iter()
                    .map(|one| {
                        Cow::Borrowed(match one.state {
                            message::DeliveryState::Pending => "pending",
                            message::DeliveryState::Sent => "sent",
                            message::DeliveryState::Dead => "dead",
                        })
                    })
                    .collect(),
            ),
            "endpoint" => {
                Field::Texts(self.addressees.iter().map(|one| Cow::Borrowed(one.endpoint.as_str())).collect())
            }
            _ => return None,
        })
    }
}

impl Fields for Line {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => text(&self.id),
            "at" => Field::Instant(self.at),
            "seq" => whole(self.seq),
            "tenant" => shown(&self.tenant),
            "subscription" => shown(&self.subscription),
            "request" => shown(&self.request?),
            "kind" => text(self.kind.as_str()),
            "quantity" => Field::Integer(self.quantity),
            "amount" => Field::Money(crate::domain::Money::new(self.amount, self.currency)),
            "currency" => text(self.currency.code()),
            "period_start" => Field::Instant(self.period_start),
            "period_end" => Field::Instant(self.period_end),
            "rule" => text(&self.rule),
            "tax" => Field::Money(crate::domain::Money::new(self.tax_amount(), self.currency)),
            "order_id" => shown(self.item.order_id.as_ref()?),
            "offer_id" => text(&self.item.offer_id),
            "reverses" => text(self.reverses.as_ref()?),
            _ => return None,
        })
    }
}

impl Fields for Invoice {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "invoice_date" => Field::Instant(self.invoice_date),
            "billing_period_start" => Field::Instant(self.id.month.start()),
            "billing_period_end" => Field::Instant(self.id.month.end()),
            "currency" => text(self.id.currency.code()),
            "invoice_type" => text(self.id.kind.as_str()),
            "total" => Field::Money(self.total()),
            "lines" => whole(self.totals.lines),
            "customers" => whole(self.customers),
            _ => return None,
        })
    }
}

impl Fields for Occurrence {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "trigger" => text(&self.trigger),
            "file" => text(self.trigger.split('#').next().unwrap_or_default()),
            "due" => Field::Instant(self.due),
            "at" => Field::Instant(self.at),
            "state" => text(match self.state {
                OccurrenceState::Running => "running",
                OccurrenceState::Ran => "ran",
                OccurrenceState::Skipped => "skipped",
                OccurrenceState::Coalesced => "coalesced",
                OccurrenceState::Missed => "missed",
            }),
            "run" => shown(&self.run?),
            _ => return None,
        })
    }
}

impl Fields for SupportRequest {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "id" => shown(&self.id),
            "tenant" => shown(&self.tenant?),
            "status" => text(self.status.as_str()),
            "severity" => text(self.form.severity.as_str()),
            "problem" => text(&self.form.problem),
            "title" => text(&self.form.title),
            "subscription" => shown(&self.form.subscription?),
            "order_id" => shown(self.form.order_id.as_ref()?),
            "request" => shown(&self.request?),
            "amount" => Field::Money(self.form.amount?),
            "opened_by" => shown(&self.opened_by),
            "created_at" => Field::Instant(self.created_at),
            "modified_at" => Field::Instant(self.modified_at),
            "closed_at" => Field::Instant(self.closed_at?),
            "resolution" => text(self.resolution?.as_str()),
            _ => return None,
        })
    }
}
