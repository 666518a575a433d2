//! Support requests: opened by a person, a script, a policy's answer or the terms; answered; closed (SR, C-esc, K-help).

use crate::domain::change::{Change, Kind};
use crate::domain::ids::Noun;
use crate::domain::selection::{Scalar, Selection};
use crate::domain::support::{self, Form, REFUND, Resolution, Status, SupportRequest};
use crate::domain::{Grant, Id, Refusal, Request, Subscription, Tenant, TenantId};
use crate::store::records::{
    Page, requests as request_rows, subscriptions as subscription_rows, support as rows, tenants as tenant_rows,
};

use super::work::Work;
use super::{Result, not_found, orders, requests, rights};

/// Rows looked at in one go while a list is selected.
const PAGE_ROWS: usize = 500;

/// Opens a support request for a customer (or for the partner itself), alone or for a request of ours. The description
/// is read for what the fields do not say, and completed with what it does not.
///
/// # Errors
/// `forbidden`, `not_found`; `missing_field` naming everything the form lacks; what [`Form::check`] refuses.
pub fn open(work: &mut Work, tenant: Option<TenantId>, form: Form, request: Option<Id>) -> Result<SupportRequest> {
    work.require(&Grant::SupportWrite)?;
    rights::to_support(work, is_refund(&form, request.is_some()))?;
    let linked = request.map(|id| own_request(work, id)).transpose()?;
    let mut form = form;
    if let Some(linked) = &linked {
        let stored = super::subscriptions::load_any(work, linked.tenant, linked.subscription)?;
        fill(&mut form, linked, &stored.value);
    }
    form.read_description();
    let tenant = match tenant.or(linked.as_ref().map(|linked| linked.tenant)) {
        Some(id) => Some(reached(work, id)?),
        None => named(work, &form)?,
    };
    belongs(work, tenant.as_ref(), &form, linked.as_ref())?;
    form.check()?;
    let missing = form.missing(tenant.is_some());
    if !missing.is_empty() {
        return Err(support::incomplete(&missing).into());
    }
    if tenant.is_none() {
        work.rights.require_for_all(&Grant::SupportWrite)?;
    }
    let opened = file(work, tenant.as_ref(), form, missing, request)?;
    if let Some(before) = linked {
        let mut after = before.clone();
        after.support = Some(opened.id);
        after.reasons.push(format!("support request {} was opened", opened.id));
        requests::save(work, Some(&before), &mut after)?;
    }
    Ok(opened)
}

/// Whether a form asks for money back: it says so, or leaves it to the request of ours that it is for.
fn is_refund(form: &Form, linked: bool) -> bool {
    form.problem == REFUND || (linked && form.problem.trim().is_empty())
}

/// Opens the support request that a policy's answer or the terms ask for, as an effect of the request itself, and links
/// the two; the caller writes the request. What the form lacks is taken from the request; what is lacking still makes
/// it need attention. A request has one: a second asking changes nothing.
///
/// # Errors
/// What [`Form::check`] refuses; what the store answers.
pub(super) fn ask(work: &mut Work, request: &mut Request, subscription: &Subscription, mut form: Form) -> Result<()> {
    if request.support.is_some() {
        return Ok(());
    }
    fill(&mut form, request, subscription);
    form.read_description();
    form.check()?;
    let tenant = tenant_rows::get(&mut work.tx, subscription.tenant)?.map(|stored| stored.value);
    let missing = form.missing(tenant.is_some());
    let opened = file(work, tenant.as_ref(), form, missing, Some(request.id))?;
    request.support = Some(opened.id);
    request.reasons.push(format!("support request {} was opened and has to be answered first", opened.id));
    Ok(())
}

/// The support request that has to be answered, which is closed, before this request of ours is approved; none where it
/// has none, or support has answered.
pub(super) fn unanswered(work: &mut Work, request: &Request) -> Result<Option<Id>> {
    let Some(id) = request.support else { return Ok(None) };
    let found = rows::get(&mut work.tx, id)?;
    Ok(found.filter(|stored| stored.value.status != Status::Closed).map(|_| id))
}

/// What a request of ours says for the form.
fn fill(form: &mut Form, request: &Request, subscription: &Subscription) {
    let or = |text: &mut String, other: &str| {
        if text.trim().is_empty() {
            other.clone_into(text);
        }
    };
    let profile = &subscription.profile;
    or(&mut form.problem, REFUND);
    form.subscription.get_or_insert(subscription.id);
    if form.order_id.is_none() {
        form.order_id.clone_from(&profile.order_id);
    }
    let name = if profile.friendly_name.is_empty() { &profile.offer_name } else { &profile.friendly_name };
    or(&mut form.title, &format!("{} of {name}", request.kind));
    or(&mut form.impact, &request.why);
    or(&mut form.product_id, &profile.offer_id);
    if request.kind == Kind::Cancellation {
        let reason = match &request.change {
            Change::Cancellation { reason } => reason.as_str(),
            _ => "",
        };
        let why = if request.why.is_empty() { reason } else { &request.why };
        or(&mut form.refund_reason, why);
        form.amount = form.amount.or(request.quote.refund);
    }
}

fn own_request(work: &mut Work, id: Id) -> Result<Request> {
    let found = request_rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    let found = found.filter(|request| work.reaches(request.tenant)).ok_or_else(|| not_found("request", &id))?;
    match found.support {
        None => Ok(found),
        Some(open) => {
            Err(Refusal::new("already_exists", format!("request {id} has the support request {open}")).into())
        }
    }
}

fn reached(work: &mut Work, id: TenantId) -> Result<Tenant> {
    let found = tenant_rows::get(&mut work.tx, id)?.filter(|_| work.reaches(id));
    found.map(|stored| stored.value).ok_or_else(|| not_found("tenant", &id))
}

/// The customer that a description names by its tenant GUID or domain, when it is one.
fn named(work: &mut Work, form: &Form) -> Result<Option<Tenant>> {
    for word in form.tenant_words() {
        let ids = match word.parse::<TenantId>() {
            Ok(id) => vec![id],
            Err(_) => tenant_rows::named(&mut work.tx, &word)?,
        };
        if let [id] = ids[..]
            && work.reaches(id)
            && let Some(stored) = tenant_rows::get(&mut work.tx, id)?
        {
            return Ok(Some(stored.value));
        }
    }
    Ok(None)
}

/// What the form names has to be the customer's: a refund is not asked for somebody else's order.
fn belongs(work: &mut Work, tenant: Option<&Tenant>, form: &Form, linked: Option<&Request>) -> Result<()> {
    let Some(tenant) = tenant else { return Ok(()) };
    if linked.is_some_and(|linked| linked.tenant != tenant.id) {
        return Err(Refusal::new("wrong_tenant", "the request it belongs to is another customer's").into());
    }
    if let Some(id) = form.subscription
        && subscription_rows::get(&mut work.tx, tenant.id, id)?.is_none()
    {
        return Err(not_found("subscription of this customer", &id));
    }
    if let Some(order) = &form.order_id
        && form.subscription.is_none()
        && !orders::has_order(work, tenant.id, order)?
    {
        return Err(not_found("order of this customer", order));
    }
    Ok(())
}

fn file(
    work: &mut Work,
    tenant: Option<&Tenant>,
    mut form: Form,
    missing: Vec<String>,
    request: Option<Id>,
) -> Result<SupportRequest> {
    form.complete_description(tenant);
    let by = work.rights.principal.clone();
    let mut opened = SupportRequest {
        id: work.id(Noun::Support),
        generation: 1,
        tenant: tenant.map(|tenant| tenant.id),
        organization: tenant.map(|tenant| tenant.company_name.clone()).unwrap_or_default(),
        status: Status::Open,
        form,
        missing,
        request,
        notes: Vec::new(),
        opened_by: by.clone(),
        cause: work.cause.clone(),
        created_at: work.now,
        modified_at: work.now,
        modified_by: by,
        closed_at: None,
        resolution: None,
    };
    opened.status = opened.settled();
    rows::save(&mut work.tx, None, &opened)?;
    tell(work, "support.opened", &opened)?;
    work.effect(format!("support request {} opened", opened.id));
    Ok(opened)
}

/// Notes it in the activity log and tells whoever takes the topic.
fn tell(work: &mut Work, topic: &str, about: &SupportRequest) -> Result<()> {
    let subject = (about.form.subscription, about.request);
    work.note_about(topic, about.tenant, subject, &format!("{} {}", about.id, about.form.title));
    let data = serde_json::json!({
        "supportRequest": about.id,
        "problem": about.form.problem,
        "title": about.form.title,
        "status": about.status,
        "severity": about.form.severity,
        "tenantId": about.tenant,
        "subscriptionId": about.form.subscription,
        "orderId": about.form.order_id,
        "amount": about.form.amount,
        "missing": about.missing,
        "request": about.request,
        "resolution": about.resolution,
    });
    super::messages::post(work, topic, (about.tenant, about.form.subscription), about.request, data.to_string())
        .map(|_| ())
}

fn in_reach(work: &Work, found: &SupportRequest) -> bool {
    match found.tenant {
        Some(tenant) => work.reaches(tenant),
        None => work.rights.grants.tenants.is_none(),
    }
}

fn load(work: &mut Work, id: Id) -> Result<SupportRequest> {
    let found = rows::get(&mut work.tx, id)?.map(|stored| stored.value);
    found.filter(|found| in_reach(work, found)).ok_or_else(|| not_found("support request", &id))
}

/// One support request within reach.
///
/// # Errors
/// `forbidden`, `not_found`.
pub fn get(work: &mut Work, id: Id) -> Result<SupportRequest> {
    work.require(&Grant::Read("support"))?;
    load(work, id)
}

/// A page of what a selection holds, newest first; one customer's through the list of its own.
///
/// # Errors
/// `forbidden`.
pub fn select(
    work: &mut Work,
    selection: &Selection,
    before: Option<&[u8]>,
    limit: usize,
) -> Result<Page<SupportRequest>> {
    work.require(&Grant::Read("support"))?;
    let tenant = match selection.exact("tenant") {
        Some([Scalar::Text(text)]) => text.parse::<TenantId>().ok(),
        _ => None,
    };
    let (mut items, mut cursor, mut seen) = (Vec::new(), before.map(<[u8]>::to_vec), 0);
    loop {
        let page = match tenant {
            Some(tenant) => rows::of_tenant(&mut work.tx, tenant, cursor.as_deref(), PAGE_ROWS)?,
            None => rows::page(&mut work.tx, cursor.as_deref(), PAGE_ROWS)?,
        };
        for found in page.items {
            seen += 1;
            if in_reach(work, &found) && selection.matches(&found, work.now) {
                let place = found.id.bytes().to_vec();
                items.push(found);
                if items.len() == limit {
                    return Ok(Page { items, next: Some(place) });
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

/// What a change of a support request says; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Where it stands now: `open`, `attention_needed` or `closed`.
    pub status: Option<Status>,
    /// How it ended, when it is closed.
    pub resolution: Option<Resolution>,
    /// Something said.
    pub note: Option<String>,
    /// Fields of the form that are filled in now; empty ones stay as they are.
    pub form: Option<Form>,
}

/// Answers a support request: says something, fills in what was missing, moves it, closes it. Closing tells the request
/// it belongs to, which a person may then answer.
///
/// # Errors
/// `forbidden`, `not_found`, `illegal_transition`, `missing_field`, `too_large`, `too_many_notes`.
pub fn answer(work: &mut Work, id: Id, seen: Option<u64>, answer: &Answer) -> Result<SupportRequest> {
    work.require(&Grant::SupportWrite)?;
    rights::to_support(work, false)?;
    let before = load(work, id)?;
    if seen.is_some_and(|seen| seen != before.generation) {
        let message = format!("{id} has moved to generation {}; look at it again", before.generation);
        return Err(Refusal::new("precondition_failed", message).into());
    }
    let mut after = before.clone();
    if let Some(text) = &answer.note {
        after.say(&work.rights.principal, work.now, text)?;
    }
    if let Some(form) = &answer.form {
        refill(work, &mut after, form)?;
    }
    move_to(&mut after, answer)?;
    if after == before {
        return Ok(after);
    }
    after.generation += 1;
    after.modified_at = work.now;
    after.modified_by = work.rights.principal.clone();
    let closes = after.status == Status::Closed && before.status != Status::Closed;
    if closes {
        after.closed_at = Some(work.now);
    }
    rows::save(&mut work.tx, Some(&before), &after)?;
    if closes {
        tell(work, "support.closed", &after)?;
        tell_request(work, &after)?;
        work.effect(format!("support request {id} closed"));
    } else {
        let operation =
            if answer.form.is_some() || answer.status.is_some() { "support.updated" } else { "support.noted" };
        let subject = (after.form.subscription, after.request);
        work.note_about(operation, after.tenant, subject, &format!("{id} {}", after.form.title));
        work.effect(format!("support request {id} answered"));
    }
    Ok(after)
}

/// Says something about a support request.
///
/// # Errors
/// As [`answer`].
pub fn note(work: &mut Work, id: Id, text: &str) -> Result<SupportRequest> {
    answer(work, id, None, &Answer { note: Some(text.to_owned()), ..Answer::default() })
}

/// Closes a support request: how it ended, and a note.
///
/// # Errors
/// As [`answer`].
pub fn close(work: &mut Work, id: Id, resolution: Resolution, note: &str) -> Result<SupportRequest> {
    let note = Some(note.to_owned()).filter(|note| !note.trim().is_empty());
    answer(work, id, None, &Answer { status: Some(Status::Closed), resolution: Some(resolution), note, form: None })
}

/// Fields filled in now replace those of before; what is still missing is looked at again.
fn refill(work: &mut Work, after: &mut SupportRequest, given: &Form) -> Result<()> {
    if after.status == Status::Closed {
        let message = format!("{} is closed; open it again or open another", after.id);
        return Err(Refusal::new("illegal_transition", message).into());
    }
    let form = &mut after.form;
    for (old, new) in [
        (&mut form.problem, &given.problem),
        (&mut form.impact, &given.impact),
        (&mut form.title, &given.title),
        (&mut form.description, &given.description),
        (&mut form.refund_reason, &given.refund_reason),
        (&mut form.contact.name, &given.contact.name),
        (&mut form.contact.email, &given.contact.email),
        (&mut form.contact.phone, &given.contact.phone),
        (&mut form.product_id, &given.product_id),
        (&mut form.country, &given.country),
    ] {
        if !new.trim().is_empty() {
            old.clone_from(new);
        }
    }
    if given.severity != support::Severity::Unknown {
        form.severity = given.severity;
    }
    form.amount = given.amount.or(form.amount);
    form.subscription = given.subscription.or(form.subscription);
    if given.order_id.is_some() {
        form.order_id.clone_from(&given.order_id);
    }
    form.attachments
        .extend(given.attachments.iter().filter(|link| !form.attachments.contains(link)).cloned().collect::<Vec<_>>());
    form.read_description();
    form.check()?;
    let tenant = after.tenant.map(|id| reached(work, id)).transpose()?;
    belongs(work, tenant.as_ref(), &after.form, None)?;
    after.form.complete_description(tenant.as_ref());
    // What needs attention for another reason than its form is not settled by filling that in.
    let lacked = !after.missing.is_empty();
    after.missing = after.form.missing(tenant.is_some());
    if lacked && after.missing.is_empty() && after.status == Status::AttentionNeeded {
        after.status = Status::Open;
    }
    Ok(())
}

fn move_to(after: &mut SupportRequest, answer: &Answer) -> Result<()> {
    let Some(wanted) = answer.status.filter(|wanted| *wanted != after.status) else {
        if answer.resolution.is_some() && answer.status.is_none() {
            return Err(Refusal::new("schema", "a resolution is told when it is closed").into());
        }
        return Ok(());
    };
    match wanted {
        Status::None => {
            return Err(Refusal::new("illegal_transition", "a support request that is there is never none").into());
        }
        Status::Open if !after.missing.is_empty() => return Err(support::incomplete(&after.missing).into()),
        Status::Open | Status::AttentionNeeded => after.resolution = None,
        Status::Closed => after.resolution = Some(answer.resolution.unwrap_or_default()),
    }
    after.status = wanted;
    Ok(())
}

/// The request that waits for it learns how it ended; answering is still a person's.
fn tell_request(work: &mut Work, closed: &SupportRequest) -> Result<()> {
    let Some(id) = closed.request else { return Ok(()) };
    let Some(stored) = request_rows::get(&mut work.tx, id)? else { return Ok(()) };
    let before = stored.value;
    if !before.state.is_open() {
        return Ok(());
    }
    let mut after = before.clone();
    let ending = closed.resolution.unwrap_or_default().as_str();
    after.reasons.insert(0, format!("support request {} was closed: {ending}", closed.id));
    requests::save(work, Some(&before), &mut after)
}
