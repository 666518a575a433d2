//! Service requests: Partner Center's word for support requests. The form of a refund has no place of its own there, so
//! its fields stand beside Partner Center's and, as its documentation asks, in the description.

use super::field::{self, Fields};
use super::write::{self, Out};
use crate::domain::ids::Guid;
use crate::domain::support::{Contact, DEPLOYMENT, Form, Note, REFUND, Resolution, Severity, Status, SupportRequest};
use crate::domain::{Money, OrderId, Refusal, calendar};
use crate::json::Value;

/// What a date that never came looks like.
const NEVER: &str = "0001-01-01T00:00:00";

/// What a body says about a support request: the form, and what to do.
#[derive(Debug, Clone, Default)]
pub struct ServiceRequestFact {
    /// The fields of the form that were there.
    pub form: Form,
    /// Whether any of them was.
    pub fills: bool,
    /// Where it should stand.
    pub status: Option<Status>,
    /// How it ended.
    pub resolution: Option<Resolution>,
    /// A new note.
    pub note: Option<String>,
    /// The customer, by id, domain or name, where one is named.
    pub customer: Option<String>,
    /// The request of ours that it belongs to.
    pub request: Option<String>,
}

/// Reads a body, whatever the letter case of its fields; numbers stand for the words of enumerations, and what is not
/// known is passed over.
///
/// # Errors
/// `unknown_value` for a topic, status or resolution there is not, `bad_id`, `bad_money`.
pub fn read(body: &Value) -> Result<ServiceRequestFact, Refusal> {
    let mut fields = Fields::of(body);
    let topic_id = fields.filled("supportTopicId").unwrap_or_default();
    let mut form = Form {
        problem: problem(&mut fields, &topic_id)?,
        topic_id,
        severity: fields.text("severity").and_then(|word| Severity::of(&word)).unwrap_or_default(),
        impact: fields.filled("impact").unwrap_or_default(),
        title: fields.filled("title").unwrap_or_default(),
        description: fields.filled("description").unwrap_or_default(),
        order_id: fields.filled("orderId").map(OrderId),
        subscription: None,
        refund_reason: fields.filled("refundReason").unwrap_or_default(),
        amount: None,
        contact: fields.take("primaryContact").or_else(|| fields.take("contact")).map(contact).unwrap_or_default(),
        attachments: Vec::new(),
        product_id: fields.filled("productId").unwrap_or_default(),
        country: fields.filled("countryCode").or_else(|| fields.filled("country")).unwrap_or_default(),
    };
    if let Some(text) = fields.filled("subscriptionId").or_else(|| fields.filled("subscription")) {
        form.subscription = Some(text.parse()?);
    }
    if let Some(value) = fields.take("amountRequested").or_else(|| fields.take("amount")) {
        form.amount = Some(amount(value)?);
    }
    let links = fields.take("fileLinks").or_else(|| fields.take("attachments")).and_then(Value::as_array);
    form.attachments = links.unwrap_or_default().iter().filter_map(link).collect();
    let fills = form != Form::default();
    Ok(ServiceRequestFact {
        form,
        fills,
        status: known(&mut fields, "status", Status::of, "none, open, closed or attention_needed")?,
        resolution: known(&mut fields, "resolution", Resolution::of, "granted, declined or withdrawn")?,
        note: fields.take("newNote").or_else(|| fields.take("note")).and_then(note_text),
        customer: fields.filled("customerId").or_else(|| fields.filled("customer")),
        request: fields.filled("request"),
    })
}

/// The type of problem: by its own field, or as the topic of Partner Center's list.
fn problem(fields: &mut Fields<'_>, topic_id: &str) -> Result<String, Refusal> {
    let text = fields.filled("type").or_else(|| fields.filled("supportTopicName")).unwrap_or_default();
    if text.is_empty() && !topic_id.is_empty() {
        let named = TOPICS.iter().find(|(name, _)| topic_id.eq_ignore_ascii_case(&id_of_topic(name)));
        let shown: String = topic_id.chars().take(64).collect();
        let message = format!("supportTopicId is one that /v1/servicerequests/supporttopics lists, not {shown:?}");
        let unknown = || Refusal::new("unknown_value", message);
        return named.map(|(name, _)| (*name).to_owned()).ok_or_else(unknown);
    }
    Ok(match text.as_str() {
        "refund" => REFUND.to_owned(),
        "deployment" => DEPLOYMENT.to_owned(),
        _ => text,
    })
}

fn known<T>(
    fields: &mut Fields<'_>,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
    words: &str,
) -> Result<Option<T>, Refusal> {
    let Some(text) = fields.filled(name) else { return Ok(None) };
    let shown: String = text.chars().take(64).collect();
    read(&text).map(Some).ok_or_else(|| Refusal::new("unknown_value", format!("{name} is {words}, not {shown:?}")))
}

fn contact(value: &Value) -> Contact {
    let mut fields = Fields::of(value);
    let first = fields.filled("firstName").unwrap_or_default();
    let last = fields.filled("lastName").unwrap_or_default();
    let joined = format!("{first} {last}").trim().to_owned();
    Contact {
        name: fields.filled("name").unwrap_or(joined),
        email: fields.filled("email").unwrap_or_default(),
        phone: fields.filled("phoneNumber").or_else(|| fields.filled("phone")).unwrap_or_default(),
    }
}

fn amount(value: &Value) -> Result<Money, Refusal> {
    field::money(value).ok_or_else(|| {
        let shown: String = value.to_string().chars().take(64).collect();
        Refusal::new("bad_money", format!("the amount requested is one such as 120.00 EUR, not {shown}"))
    })
}

fn link(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.get_any_case("uri")?.as_str())?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn note_text(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.get_any_case("text")?.as_str())?;
    Some(text.to_owned()).filter(|text| !text.trim().is_empty())
}

/// What the fields of the form are called where it is sent as a service request.
const FIELDS: [(&str, &str); 11] = [
    ("Type of problem", "supportTopicName or supportTopicId"),
    ("Impact", "impact"),
    ("Title", "title"),
    ("Description", "description"),
    ("Description: customer tenant GUID or domain name", "customerId"),
    ("Description: Order ID or Subscription ID", "orderId or subscriptionId"),
    ("Description: Refund reason", "refundReason"),
    ("Description: Amount requested", "amountRequested"),
    ("Contact: name", "primaryContact.firstName and lastName"),
    ("Contact: email", "primaryContact.email"),
    ("Contact: phone", "primaryContact.phoneNumber"),
];

/// The refusal of a form that lacks something, with each field as its JSON calls it beside the form's own word.
#[must_use]
pub fn with_fields(refusal: Refusal) -> Refusal {
    let Some(missing) = refusal.message.strip_prefix("the form lacks ") else { return refusal };
    let named = |name: &str| match FIELDS.iter().find(|(known, _)| *known == name) {
        Some((_, field)) => format!("{name} ({field})"),
        None => name.to_owned(),
    };
    let missing: Vec<String> = missing.split("; ").map(named).collect();
    Refusal { message: format!("the form lacks {}", missing.join("; ")), ..refusal }
}

/// A support request as Partner Center shows a service request.
pub fn service_request(found: &SupportRequest) -> Value {
    let form = &found.form;
    let mut out = Out::new();
    out.text("title", &form.title);
    out.filled("description", &form.description);
    out.text("severity", form.severity.as_str());
    out.filled("supportTopicId", &form.topic_id);
    out.filled("supportTopicName", &form.problem);
    out.text("id", &found.id.to_string());
    out.text("status", found.status.as_str());
    if let Some(tenant) = found.tenant {
        let mut organization = Out::new();
        organization.text("id", &tenant.to_string());
        organization.text("name", &found.organization);
        out.value("organization", organization.finish());
    }
    out.value("primaryContact", written_contact(&form.contact));
    let mut updated = Out::new();
    updated.text("contactId", &found.modified_by.to_string());
    out.value("lastUpdatedBy", updated.finish());
    out.filled("productId", &form.product_id);
    out.filled("countryCode", &form.country);
    out.instant("createdDate", Some(found.created_at));
    out.instant("lastModifiedDate", Some(found.modified_at));
    out.text("lastClosedDate", &found.closed_at.map_or_else(|| NEVER.to_owned(), calendar::show));
    out.value("notes", Value::Array(found.notes.iter().map(written_note).collect()));
    out.value("fileLinks", Value::Array(form.attachments.iter().map(|uri| write::link(uri, "GET")).collect()));
    ours(&mut out, found);
    out.value("attributes", write::attributes("ServiceRequest", Some(found.generation)));
    out.finish()
}

/// What Partner Center has no field for.
fn ours(out: &mut Out, found: &SupportRequest) {
    let form = &found.form;
    out.filled("impact", &form.impact);
    if let Some(order) = &form.order_id {
        out.text("orderId", &order.0);
    }
    if let Some(subscription) = form.subscription {
        out.text("subscriptionId", &subscription.to_string());
    }
    out.filled("refundReason", &form.refund_reason);
    if let Some(money) = form.amount {
        out.value("amountRequested", write::money(money));
    }
    if !found.missing.is_empty() {
        out.value("missing", Value::Array(found.missing.iter().map(|name| Value::String(name.clone())).collect()));
    }
    if let Some(request) = found.request {
        out.text("request", &request.to_string());
    }
    if let Some(resolution) = found.resolution {
        out.text("resolution", resolution.as_str());
    }
}

/// The last word of a name is the last name.
fn written_contact(contact: &Contact) -> Value {
    let (first, last) = contact.name.rsplit_once(' ').unwrap_or((contact.name.as_str(), ""));
    let mut out = Out::new();
    out.text("lastName", last);
    out.text("firstName", first);
    out.filled("email", &contact.email);
    out.filled("phoneNumber", &contact.phone);
    out.finish()
}

fn written_note(note: &Note) -> Value {
    let mut out = Out::new();
    out.text("createdByName", &note.by.to_string());
    out.text("createdDate", &calendar::show(note.at));
    out.text("text", &note.text);
    out.finish()
}

/// The types of problem that have a form, and what they are about.
const TOPICS: [(&str, &str); 2] = [
    (REFUND, "A purchase that cannot be cancelled here: the customer, the order or subscription, why and how much"),
    (DEPLOYMENT, "Planning and deployment, for example of keys moved from volume licensing"),
];

fn id_of_topic(name: &str) -> String {
    Guid::derive(format!("topic:{name}").as_bytes()).to_string()
}

/// The types of problem that have a form, as Partner Center shows the topics of its list.
pub fn topics() -> Vec<Value> {
    let topic = |(name, about): &(&str, &str)| {
        let mut out = Out::new();
        out.text("id", &id_of_topic(name));
        out.text("name", name);
        out.text("description", about);
        out.value("attributes", write::attributes("SupportTopic", None));
        out.finish()
    };
    TOPICS.iter().map(topic).collect()
}
