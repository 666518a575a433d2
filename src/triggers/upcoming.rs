//! What will happen next if nobody does anything: term ends with their settled outcome and money, windows that close,
//! requests that expire, occurrences of schedules.

use serde::Serialize;

use super::schedules;
use crate::app::{self, App};
use crate::domain::ids::Noun;
use crate::domain::request::Otherwise;
use crate::domain::subscription::{Renewal, Status};
use crate::domain::{Grant, Id, Instant, Money, Refusal, Span, SubscriptionId, TenantId, calendar, lifecycle};
use crate::ops::{self, Rights, Work, quotes};
use crate::store::records::timers::{self, Timer};
use crate::store::records::{requests as request_rows, subscriptions as rows};
use crate::store::tables::TimerKind;

/// The most events one answer holds.
pub const EVENTS_MAX: usize = 10_000;

/// Something that will happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coming {
    /// When.
    pub at: Instant,
    /// `term_end`, `cycle_end`, `next_step`, `window_end`, `request_expiry`, `request_due`, `invoices`, `occurrence`.
    pub event: &'static str,
    /// Whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Which subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Which request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Id>,
    /// What will come of it, for people: `renews`, `expires`, `cancellation is denied`, ...
    pub outcome: String,
    /// What will be charged, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<Money>,
    /// The trigger, for an occurrence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trigger: String,
}

/// What will happen within a span, earliest first.
///
/// # Errors
/// `forbidden`, `out_of_range`.
pub async fn upcoming(app: &App, rights: Rights, span: Span) -> ops::Result<Vec<Coming>> {
    let beyond = || Refusal::new("out_of_range", "the span ends beyond the calendar");
    let until = span.after(app.now()).ok_or_else(beyond)?;
    let may_bill = rights.require_for_all(&Grant::Read("invoices")).is_ok();
    let mut found = app.look(rights, move |work| subjects(work, until)).await?;
    for scheduled in schedules::all(app) {
        for at in scheduled.schedule.between(app.now(), until, 100) {
            let mut coming = plain(at, "occurrence", "runs");
            coming.trigger = scheduled.set.id();
            found.push(coming);
        }
    }
    // Whoever may see invoices is told of the next ones.
    if may_bill {
        let next = super::invoices::next_due(app).map_err(of_app)?;
        found.extend(next.filter(|at| *at <= until).map(|at| plain(at, "invoices", "published")));
    }
    found.sort_by(|one, other| (one.at, one.event, one.subscription).cmp(&(other.at, other.event, other.subscription)));
    found.truncate(EVENTS_MAX);
    Ok(found)
}

fn of_app(error: app::Error) -> ops::Error {
    match error {
        app::Error::Operation(error) => error,
        app::Error::Store { doing, source } => ops::Error::Store { doing, source },
        other => Refusal::new("failed", app::chain(&other)).into(),
    }
}

fn plain(at: Instant, event: &'static str, outcome: &str) -> Coming {
    Coming {
        at,
        event,
        tenant: None,
        subscription: None,
        name: String::new(),
        request: None,
        outcome: outcome.to_owned(),
        charge: None,
        trigger: String::new(),
    }
}

fn subjects(work: &mut Work, until: Instant) -> ops::Result<Vec<Coming>> {
    work.require(&Grant::Read("subscriptions"))?;
    let kinds = [
        (TimerKind::TermEnd, "term_end"),
        (TimerKind::CycleEnd, "cycle_end"),
        (TimerKind::NextStep, "next_step"),
        (TimerKind::WindowEnd, "window_end"),
        (TimerKind::RequestExpiry, "request_expiry"),
        (TimerKind::RequestDue, "request_due"),
    ];
    let mut found = Vec::new();
    for (kind, event) in kinds {
        // A window that has closed is history; whatever else is overdue is still to come.
        let after = (kind == TimerKind::WindowEnd).then_some(work.now);
        for timer in timers::due(&mut work.tx, kind, after, until, None, EVENTS_MAX)? {
            if work.reaches(timer.tenant) {
                found.extend(coming(work, &timer, event)?);
            }
        }
    }
    Ok(found)
}

fn coming(work: &mut Work, timer: &Timer, event: &'static str) -> ops::Result<Option<Coming>> {
    let mut coming = plain(timer.due, event, "");
    coming.tenant = Some(timer.tenant);
    let subscription = match timer.kind {
        TimerKind::RequestExpiry | TimerKind::RequestDue => {
            let id = Id::from_bytes(Noun::Request, timer.subject);
            let Some(request) = request_rows::get(&mut work.tx, id)?.map(|stored| stored.value) else {
                return Ok(None);
            };
            coming.request = Some(id);
            let becomes = match (timer.kind, request.otherwise) {
                (TimerKind::RequestDue, _) => "takes effect",
                (_, Some(Otherwise::Approve)) => "is approved",
                (_, Some(Otherwise::Deny)) => "is denied",
                (_, Some(Otherwise::Expire) | None) => "expires",
            };
            coming.outcome = format!("{} {becomes}", request.kind);
            request.subscription
        }
        _ => SubscriptionId::from_bytes(timer.subject),
    };
    let Some(stored) = rows::get(&mut work.tx, timer.tenant, subscription)? else { return Ok(None) };
    coming.subscription = Some(subscription);
    coming.name.clone_from(&stored.value.profile.friendly_name);
    let standing = &stored.value.standing;
    match timer.kind {
        TimerKind::TermEnd => {
            let renews = standing.status == Status::Active && standing.renewal == Renewal::Scheduled;
            let goes_on = quotes::extended(work, &stored.value, timer.due)?;
            let ends = standing.status == Status::Active && standing.cancel_at_term_end;
            coming.outcome = match (standing.status, standing.renewal) {
                _ if ends => "ends",
                (Status::Active, Renewal::Open | Renewal::Denied) if goes_on.is_some() => "goes on by the month",
                (Status::Active, Renewal::Scheduled) => "renews",
                (Status::Active, Renewal::Waiting) => "waits for an answer",
                (Status::Active, Renewal::Open) => "policies are asked",
                (Status::Active, Renewal::Refused) => "refused",
                (Status::Active, Renewal::Denied) => "expires",
                _ => "is disabled",
            }
            .to_owned();
            let asks = standing.status == Status::Active && standing.renewal == Renewal::Open && !ends;
            if let Some(extended) = goes_on {
                coming.charge = first_charge(&extended);
            } else if renews || asks {
                let amendments = stored.value.profile.next_term.clone();
                let price = quotes::price_after(work, &stored.value, &amendments)?;
                let renewed = lifecycle::renew(&work.terms, &stored.value, &amendments, price, timer.due);
                coming.charge = renewed.ok().and_then(|applied| first_charge(&applied));
            }
        }
        TimerKind::CycleEnd => {
            coming.outcome = "is charged".to_owned();
            let price = quotes::price_of_next_cycle(work, &stored.value)?;
            let charged = lifecycle::charge_cycle(&work.terms, &stored.value, price, timer.due);
            coming.charge = charged.ok().and_then(|applied| first_charge(&applied));
        }
        TimerKind::NextStep => {
            let next = lifecycle::step(&work.terms, &stored.value, timer.due);
            coming.outcome =
                next.map(|applied| applied.subscription.standing.status.as_str().to_owned()).unwrap_or_default();
        }
        TimerKind::WindowEnd => {
            coming.outcome = format!("cannot be cancelled from {}", calendar::show(timer.due));
        }
        _ => {}
    }
    Ok(Some(coming))
}

fn first_charge(applied: &lifecycle::Applied) -> Option<Money> {
    applied.lines.first().map(|line| Money::new(line.amount, line.currency))
}
