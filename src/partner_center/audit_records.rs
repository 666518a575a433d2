//! Audit records: their word for the activity log. What a client may ask of it, and how a record is shown.

use serde_json::Map;

use super::field::{self, Date};
use super::subscriptions_write::Ends;
use super::write::{self, Out};
use crate::domain::audit::changes::FieldChange;
use crate::domain::audit::{Meaning, ResourceType};
use crate::domain::ids::Guid;
use crate::domain::{Id, Instant, Refusal, Span, SubscriptionId, TenantId};
use crate::json::{self, Value};

/// How far back records are asked for, unless somebody says otherwise, in days.
pub const DAYS_DEFAULT: u32 = 30;
/// How far back records may be asked for, in days.
pub const DAYS_MAX: u32 = 90;
/// Records of one page, at most, and unless somebody says otherwise.
pub const SIZE_MAX: usize = 500;

/// What a client narrows records to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Customers whose name has this in it.
    CompanyName(String),
    /// One customer.
    Customer(TenantId),
    /// One type of resource.
    Resource(ResourceType),
}

/// Reads a filter: `{"Field":"CompanyName","Value":"bri","Operator":"substring"}`.
///
/// # Errors
/// `bad_filter`, saying which fields go with which operators.
pub fn filter(text: &str) -> Result<Filter, Refusal> {
    let bad = |what: &str| {
        let known = "CompanyName with substring, CustomerId with equals and ResourceType with equals";
        Refusal::new("bad_filter", format!("{what}; there are {known}"))
    };
    let read = json::parse(text.as_bytes()).map_err(|_| bad("the filter is no JSON object"))?;
    let member = |name: &str| read.get_any_case(name).and_then(Value::as_str).map(str::trim);
    let (Some(name), Some(value), Some(operator)) = (member("Field"), member("Value"), member("Operator")) else {
        return Err(bad("a filter has Field, Value and Operator"));
    };
    let is = |known: (&str, &str)| name.eq_ignore_ascii_case(known.0) && operator.eq_ignore_ascii_case(known.1);
    if is(("CompanyName", "substring")) {
        return Ok(Filter::CompanyName(value.to_owned()));
    }
    if is(("CustomerId", "equals")) {
        return value.parse().map(Filter::Customer).map_err(|_| bad("the value is no customer id"));
    }
    if is(("ResourceType", "equals")) {
        return Ok(Filter::Resource(ResourceType::of(value)));
    }
    Err(bad("this field does not go with this operator"))
}

/// From when to when records are asked for: the instant of the first and the first instant after the last. A day as the
/// end is meant whole.
///
/// # Errors
/// `bad_date` for what is no date, for a start more than 90 days back, and for an end before its start.
pub fn range(start: Option<&str>, end: Option<&str>, now: Instant) -> Result<(Instant, Instant), Refusal> {
    let bad = |message: String| Refusal::new("bad_date", message);
    let read = |name: &str, text: &str| match field::date(text) {
        Some(Date::At(at)) => Ok(at),
        _ => Err(bad(format!(
            "{name} is a date such as 2027-01-31, not {:?}",
            text.chars().take(40).collect::<String>()
        ))),
    };
    let midnight = |at: Instant| at.date_naive().and_hms_opt(0, 0, 0).map_or(at, |naive| naive.and_utc());
    let back = |days: u32| Span::days(days).before(now).unwrap_or(now);
    let from = start.map(|text| read("startDate", text)).transpose()?.unwrap_or_else(|| back(DAYS_DEFAULT));
    if from < midnight(back(DAYS_MAX)) {
        return Err(bad(format!("startDate lies more than {DAYS_MAX} days back")));
    }
    let to = match end {
        None => Span { seconds: 1, ..Span::default() }.after(now).unwrap_or(now),
        Some(text) => {
            let at = read("endDate", text)?;
            let whole = text.trim().len() <= 10;
            let after = if whole { Span::days(1).after(at) } else { Span { seconds: 1, ..Span::default() }.after(at) };
            after.unwrap_or(at)
        }
    };
    if to <= from {
        return Err(bad("endDate lies before startDate".to_owned()));
    }
    Ok((from, to))
}

/// What a record tells.
#[derive(Debug, Clone)]
pub struct AuditRecord<'a> {
    /// Its id.
    pub id: String,
    /// The partner's id.
    pub partner: Guid,
    /// Whose.
    pub tenant: Option<TenantId>,
    /// The customer's name.
    pub company_name: &'a str,
    /// Who did it: a user's address, or what a program is called.
    pub user: &'a str,
    /// What did it, where a program did.
    pub application: Option<String>,
    /// Our word for what was done.
    pub operation: &'a str,
    /// Partner Center's words for it.
    pub meaning: Meaning,
    /// What caused it.
    pub cause: &'a str,
    /// When.
    pub at: Instant,
    /// On which subscription.
    pub subscription: Option<SubscriptionId>,
    /// Through which request.
    pub request: Option<Id>,
    /// A sentence.
    pub note: &'a str,
    /// What it made of the subscription's fields.
    pub changed: &'a [FieldChange],
    /// How that subscription tells its ends; none: of none that is known.
    pub ends: Option<Ends>,
    /// The order that came of it, as JSON text; empty: none.
    pub made: &'a str,
}

/// A record as Partner Center shows it.
pub fn audit_record(record: &AuditRecord<'_>) -> Value {
    let mut out = Out::new();
    out.text("id", &record.id);
    out.text("partnerId", &record.partner.to_string());
    if let Some(tenant) = record.tenant {
        out.text("customerId", &tenant.to_string());
        out.filled("customerName", record.company_name);
    }
    out.text("userPrincipalName", record.user);
    out.filled("applicationId", record.application.as_deref().unwrap_or_default());
    out.text("resourceType", record.meaning.resource.as_str());
    if let Some(old) = resource(record, |change, date| change.old(date)) {
        out.text("resourceOldValue", &old);
    }
    let made = Some(record.made.to_owned()).filter(|made| !made.is_empty());
    if let Some(new) = made.or_else(|| resource(record, |change, date| change.new_value(date))) {
        out.text("resourceNewValue", &new);
    }
    out.text("operationType", record.meaning.operation.as_str());
    out.text("originalCorrelationId", &correlation(record.cause));
    out.instant("operationDate", Some(record.at));
    out.text("operationStatus", record.meaning.status.as_str());
    out.value("customizedData", Value::Array(customized(record)));
    out.value("attributes", write::attributes("AuditRecord", None));
    out.finish()
}

/// One GUID for everything one cause did.
fn correlation(cause: &str) -> String {
    Guid::derive(format!("correlation:{cause}").as_bytes()).to_string()
}

/// The changed fields of the subscription as JSON text; none where nothing changed, or all of it is new.
fn resource(
    record: &AuditRecord<'_>,
    read: impl Fn(&FieldChange, &dyn Fn(Instant) -> Instant) -> serde_json::Value,
) -> Option<String> {
    let mut members = Map::new();
    for change in record.changed {
        let value = read(change, &|at| record.ends.map_or(at, |ends| ends.told(change.name(), at)));
        if !value.is_null() {
            members.insert(change.name().to_owned(), value);
        }
    }
    if members.is_empty() {
        return None;
    }
    if let Some(subscription) = record.subscription {
        members.insert("id".to_owned(), subscription.to_string().into());
    }
    Some(serde_json::Value::Object(members).to_string())
}

fn customized(record: &AuditRecord<'_>) -> Vec<Value> {
    let pairs = [
        ("Operation", Some(record.operation.to_owned())),
        ("SubscriptionId", record.subscription.map(|id| id.to_string())),
        ("RequestId", record.request.map(|id| id.to_string())),
        ("Note", Some(record.note.to_owned()).filter(|note| !note.is_empty())),
        ("Cause", Some(record.cause.to_owned()).filter(|cause| !cause.is_empty())),
    ];
    let pair = |(key, value): (String, Option<String>)| {
        value.map(|value| {
            let mut out = Out::new();
            out.text("key", &key);
            out.text("value", &value);
            out.finish()
        })
    };
    let own = |(key, value): (&str, Option<String>)| pair((key.to_owned(), value));
    let made = json::parse(record.made.as_bytes()).map(|order| of_order(&order)).unwrap_or_default();
    made.into_iter()
        .map(|(key, value)| (key, Some(value)))
        .filter_map(pair)
        .chain(pairs.into_iter().filter_map(own))
        .collect()
}

/// An order in pairs, line by line, by Partner Center's keys.
fn of_order(order: &Value) -> Vec<(String, String)> {
    let text = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let mut pairs = Vec::new();
    let mut add = |key: String, value: Option<String>| pairs.push((key, value.unwrap_or_default()));
    add("OrderId".to_owned(), text(order, "id"));
    add("BillingCycle".to_owned(), text(order, "billingCycle"));
    for line in order.get("lineItems").and_then(Value::as_array).unwrap_or_default() {
        let number = text(line, "lineItemNumber").unwrap_or_default();
        for (key, name) in [
            ("OfferId", "offerId"),
            ("SubscriptionId", "subscriptionId"),
            ("SubscriptionName", "friendlyName"),
            ("Quantity", "quantity"),
            ("PartnerOnRecord", "partnerIdOnRecord"),
        ] {
            add(format!("{key}-{number}"), text(line, name));
        }
    }
    pairs
}
