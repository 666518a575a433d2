//! Subscriptions: reading, selecting and labelling. What changes them is a request.

use crate::domain::selection::{Field, Fields, Scalar, Selection};
use crate::domain::subscription::Status;
use crate::domain::terms::listed;
use crate::domain::{Change, Grant, Instant, Quote, Refusal, Subscription, SubscriptionId, TenantId, lifecycle, text};
use crate::store::records::timers::{self, Timer};
use crate::store::records::{Page, Stored, subscriptions as rows};
use crate::store::tables::TimerKind;

use super::work::Work;
use super::{Result, not_found, quotes, rights};

/// The longest label name and value, in bytes.
pub const LABEL_BYTES_MAX: usize = 256;
/// The most labels on one record.
pub const LABELS_MAX: usize = 64;
/// Rows looked at in one go while a list is selected.
const PAGE_ROWS: usize = 500;

/// One subscription within reach, for an operation that has checked its own right.
pub(super) fn load(work: &mut Work, id: SubscriptionId) -> Result<Stored<Subscription>> {
    let found = rows::find(&mut work.tx, id)?.filter(|stored| work.reaches(stored.value.tenant));
    found.ok_or_else(|| not_found("subscription", &id))
}

/// One subscription, by both ids, for what has been checked already.
pub(super) fn load_any(work: &mut Work, tenant: TenantId, id: SubscriptionId) -> Result<Stored<Subscription>> {
    rows::get(&mut work.tx, tenant, id)?.ok_or_else(|| not_found("subscription", &id))
}

/// One subscription within reach, and the sequence that last touched it.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, id: SubscriptionId) -> Result<Stored<Subscription>> {
    work.require(&Grant::Read("subscriptions"))?;
    let stored = load(work, id)?;
    if rights::sees(work, &stored.value) { Ok(stored) } else { Err(not_found("subscription", &id)) }
}

/// What the terms say about a change now.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn quote(work: &mut Work, id: SubscriptionId, change: &Change) -> Result<Quote> {
    let stored = get(work, id)?;
    quotes::quote(work, &stored.value, change)
}

/// Seats that could go now without the rest: those of open batches, or all of them in the term's own window.
pub fn refundable_quantity(work: &Work, subscription: &Subscription) -> i64 {
    lifecycle::refundable_quantity(&work.terms, subscription, work.now)
}

/// The publisher's page where what was bought is activated, where the order or the terms tell one.
pub fn activation_link(work: &Work, subscription: &Subscription) -> Option<String> {
    lifecycle::activation_link(&work.terms, subscription)
}

/// How a selection is served: by one tenant's range, by the walk of an index of instants, or by looking at every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// One subscription by its id.
    Id,
    /// One tenant's range.
    Tenant,
    /// The walk of an index of instants.
    Index(TimerKind),
    /// Every row.
    Everything,
}

/// How a selection would be served; `check` tells its author.
pub fn served_by(selection: &Selection, now: Instant) -> Served {
    if selection.exact("id").is_some_and(|values| values.len() == 1) {
        return Served::Id;
    }
    if selection.exact("tenant").is_some_and(|values| values.len() == 1) {
        return Served::Tenant;
    }
    let indexed =
        [("commitment_end_date", TimerKind::TermEnd), ("cancellation_allowed_until_date", TimerKind::WindowEnd)];
    // The index holds what is still to come of subscriptions in use: only a selection of those is served by it.
    let in_use = matches!(selection.exact("status"), Some([Scalar::Text(status)]) if status == "active");
    for (field, kind) in indexed {
        let to_come = instant_of(&selection.bounds(field, now).0).is_some_and(|from| from >= now);
        if in_use && to_come {
            return Served::Index(kind);
        }
    }
    Served::Everything
}

/// A page of the ids of what a selection holds, in key order, behind the cursor. Looks at no more rows than one
/// transaction should, so a page may be short or empty and still have a next one.
///
/// # Errors
/// `forbidden`; what the store answers.
pub fn select(
    work: &mut Work,
    selection: &Selection,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Stored<Subscription>>> {
    work.require(&Grant::Read("subscriptions"))?;
    match served_by(selection, work.now) {
        Served::Id => by_id(work, selection),
        Served::Index(kind) => by_index(work, selection, kind, after, limit),
        Served::Tenant => match only_text(selection, "tenant").and_then(|text| text.parse().ok()) {
            Some(tenant) => walk(work, selection, Some(tenant), after, limit),
            None => Ok(Page { items: Vec::new(), next: None }),
        },
        Served::Everything => walk(work, selection, None, after, limit),
    }
}

/// What a list of subscriptions holds: not what orders alone tell of (VIS-ord), unless it is asked for by `listed`, by its
/// family, by its order or by its id. What scripts and triggers select is no list and holds everything: whoever looks for
/// windows that close must not overlook software's.
pub fn as_a_list(selection: &Selection) -> Selection {
    let asked = selection.fields().any(|field| ["listed", "family", "order_id", "id"].contains(&field));
    if asked { selection.clone() } else { selection.clone().with("listed", Scalar::Bool(true)) }
}

/// A subscription and what its terms say of it, for a selection.
struct Held<'a> {
    subscription: &'a Subscription,
    is_listed: bool,
}

impl Fields for Held<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        if name == "listed" { Some(Field::Bool(self.is_listed)) } else { self.subscription.field(name) }
    }
}

fn by_id(work: &mut Work, selection: &Selection) -> Result<Page<Stored<Subscription>>> {
    let mut items = Vec::new();
    if let Some(id) = only_text(selection, "id").and_then(|text| text.parse::<SubscriptionId>().ok())
        && let Some(stored) = rows::find(&mut work.tx, id)?
        && fits(work, selection, &stored.value)?
    {
        items.push(stored);
    }
    Ok(Page { items, next: None })
}

fn only_text<'a>(selection: &'a Selection, field: &str) -> Option<&'a str> {
    match selection.exact(field)? {
        [Scalar::Text(text)] => Some(text),
        _ => None,
    }
}

fn fits(work: &mut Work, selection: &Selection, subscription: &Subscription) -> Result<bool> {
    if !rights::sees(work, subscription) {
        return Ok(false);
    }
    let is_listed = listed(&work.terms, subscription);
    Ok(selection.matches(&Held { subscription, is_listed }, work.now))
}

fn walk(
    work: &mut Work,
    selection: &Selection,
    tenant: Option<TenantId>,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Stored<Subscription>>> {
    let mut items = Vec::new();
    let mut cursor = after.map(<[u8]>::to_vec);
    let mut seen = 0;
    loop {
        let page = rows::page(&mut work.tx, tenant, cursor.as_deref(), PAGE_ROWS)?;
        seen += page.items.len();
        for stored in page.items {
            let key = crate::store::records::keys::subscription(stored.value.tenant, stored.value.id).to_vec();
            if fits(work, selection, &stored.value)? {
                items.push(stored);
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

fn by_index(
    work: &mut Work,
    selection: &Selection,
    kind: TimerKind,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Stored<Subscription>>> {
    let field = if kind == TimerKind::TermEnd { "commitment_end_date" } else { "cancellation_allowed_until_date" };
    let (from, until) = selection.bounds(field, work.now);
    let until = instant_of(&until).unwrap_or_else(|| crate::domain::calendar::from_micros(i64::MAX / 64));
    let before_from = instant_of(&from).map(|from| from - chrono::TimeDelta::microseconds(1));
    let mut cursor = after.and_then(|key| timer_of(kind, key));
    let mut items = Vec::new();
    let mut seen = 0;
    loop {
        let timers = timers::due(&mut work.tx, kind, before_from, until, cursor.as_ref(), PAGE_ROWS)?;
        seen += timers.len();
        let end = timers.len() < PAGE_ROWS;
        for timer in timers {
            let id = SubscriptionId::from_bytes(timer.subject);
            cursor = Some(timer);
            let Some(stored) = rows::get(&mut work.tx, timer.tenant, id)? else { continue };
            // Seats added later have windows of their own in the same index: the subscription is listed once, by its term's.
            let own = kind != TimerKind::WindowEnd || stored.value.standing.window_end == Some(timer.due);
            if own && fits(work, selection, &stored.value)? {
                items.push(stored);
                if items.len() == limit {
                    return Ok(Page { items, next: Some(timer.key().to_vec()) });
                }
            }
        }
        if end {
            return Ok(Page { items, next: None });
        }
        if seen >= work.settings.rows {
            return Ok(Page { items, next: cursor.map(|timer| timer.key().to_vec()) });
        }
    }
}

fn instant_of(bound: &std::ops::Bound<Scalar>) -> Option<Instant> {
    match bound {
        std::ops::Bound::Included(Scalar::Instant(at)) | std::ops::Bound::Excluded(Scalar::Instant(at)) => Some(*at),
        _ => None,
    }
}

fn timer_of(kind: TimerKind, key: &[u8]) -> Option<Timer> {
    Some(Timer {
        kind,
        due: crate::store::records::keys::read_instant(key.get(1..9)?.try_into().ok()?),
        tenant: TenantId::from_bytes(key.get(9..25)?.try_into().ok()?),
        subject: key.get(25..41)?.try_into().ok()?,
    })
}

/// Puts a label on a subscription, or takes it off when there is no value.
///
/// # Errors
/// `forbidden`, `not_found`, `bad_label`.
pub fn label(work: &mut Work, id: SubscriptionId, name: &str, value: Option<&str>) -> Result<Subscription> {
    work.require(&Grant::LabelsWrite)?;
    let stored = load(work, id)?;
    let mut labels = stored.value.profile.labels.clone();
    set_label(&mut labels, name, value)?;
    if labels == stored.value.profile.labels {
        return Ok(stored.value);
    }
    let mut after = stored.value.clone();
    let mut profile = (*after.profile).clone();
    profile.labels = labels;
    after.profile = std::sync::Arc::new(profile);
    after.standing.generation += 1;
    work.save_subscription(Some(&stored), &after)?;
    let text = value.map_or_else(|| format!("{name} off"), |value| format!("{name} = {value}"));
    work.note("subscription.labelled", Some(&after), None, &text);
    work.effect(format!("label {id} {text}"));
    Ok(after)
}

/// The change to so many seats: how many there are afterwards, or, below zero, how many fewer than now. A number that
/// leaves none is for the terms to refuse.
///
/// # Errors
/// `not_found`; what the store answers.
pub fn seats(work: &mut Work, id: SubscriptionId, asked: i64) -> Result<Change> {
    let present = load(work, id)?.value.standing.quantity;
    Ok(Change::Quantity { quantity: if asked < 0 { present.saturating_add(asked) } else { asked } })
}

/// Sets or clears one label.
pub(super) fn set_label(
    labels: &mut std::collections::BTreeMap<String, String>,
    name: &str,
    value: Option<&str>,
) -> Result<()> {
    let plain = |text: &str| text.len() <= LABEL_BYTES_MAX && text::is_plain(text);
    if !plain(name) || !value.is_none_or(plain) {
        let message = format!(
            "a label has a name and a value of 1 to {LABEL_BYTES_MAX} bytes that can be read: no control characters"
        );
        return Err(Refusal::new("bad_label", message).into());
    }
    match value {
        None => {
            labels.remove(name);
        }
        Some(value) => {
            labels.insert(name.to_owned(), value.to_owned());
        }
    }
    if labels.len() > LABELS_MAX {
        return Err(Refusal::new("bad_label", format!("at most {LABELS_MAX} labels")).into());
    }
    Ok(())
}

/// Gives a subscription the partner's own name.
///
/// # Errors
/// `forbidden`, `not_found`, `invalid_text`; `illegal_transition` (2011) of what is deleted; `operation_pending` while the
/// end of its term is processed.
pub fn rename(work: &mut Work, id: SubscriptionId, friendly_name: &str) -> Result<Subscription> {
    work.require(&Grant::LabelsWrite)?;
    let stored = load(work, id)?;
    if friendly_name.chars().count() > 256 || !text::is_plain(friendly_name) {
        let message = "friendlyName is 1 to 256 characters, none of them a control character";
        return Err(Refusal::new("invalid_text", message).into());
    }
    let mut after = stored.value.clone();
    let mut profile = (*after.profile).clone();
    if profile.friendly_name == friendly_name {
        return Ok(stored.value);
    }
    if after.standing.status == Status::Deleted {
        let message = "a subscription that is deleted keeps its name";
        return Err(Refusal::new("illegal_transition", message).partner_center(2011).into());
    }
    lifecycle::may_be_named(&work.terms, &after, work.now)?;
    friendly_name.clone_into(&mut profile.friendly_name);
    after.profile = std::sync::Arc::new(profile);
    after.standing.generation += 1;
    work.save_subscription(Some(&stored), &after)?;
    work.note("subscription.renamed", Some(&after), None, friendly_name);
    Ok(after)
}

/// When the next thing of a kind is due, for the clock's next step.
///
/// # Errors
/// What the store answers.
pub fn next_due(work: &mut Work) -> Result<Option<Instant>> {
    let mut earliest: Option<Instant> = None;
    for kind in TimerKind::DOMAIN {
        if let Some(timer) = timers::first(&mut work.tx, kind)? {
            earliest = Some(earliest.map_or(timer.due, |known| known.min(timer.due)));
        }
    }
    Ok(earliest)
}
