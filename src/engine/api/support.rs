//! Support requests in scripts: opened for a tenant or a subscription, looked at, filled in, noted, closed.

use rhai::{Array, Dynamic, Engine, Map};

use super::rows::Rows;
use super::subscriptions::Sub;
use super::tenants::TenantValue;
use super::{instant_or_nothing, or_nothing, selection};
use crate::domain::selection::SUPPORT;
use crate::domain::support::{Contact, DEPLOYMENT, Form, REFUND, Resolution, Severity, Status, SupportRequest};
use crate::domain::{Id, Money, OrderId};
use crate::engine::failure::{Api, raise, raise_refusal};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::script_thread::with;
use crate::engine::values::type_word;
use crate::ops::support::Answer;
use crate::ops::{subscriptions, support};
use crate::suggest;

/// A support request as a script sees it: a value as read.
#[derive(Debug, Clone)]
pub struct SupportValue(pub SupportRequest);

/// The fields of a form, as maps of scripts name them.
const FIELDS: [&str; 14] = [
    "type",
    "severity",
    "impact",
    "title",
    "description",
    "order_id",
    "subscription",
    "refund_reason",
    "amount",
    "contact",
    "attachments",
    "product_id",
    "country",
    "request",
];

const fn property(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "SupportRequest", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Support requests",
    functions: &[
        Function {
            name: "request_support",
            params: &["tenant: Tenant", "form: map"],
            gives: "SupportRequest",
            grant: "support.write",
            doc: "Opens a support request for a customer: `type` (\"refund\", the default, \"deployment\" or a topic in full), `impact`, `title`, `description`, `order_id`, `subscription`, `refund_reason`, `amount`, `contact` (a map of `name`, `email`, `phone`), `severity`, `attachments` (links), `request` (the id of a request of ours). A form that lacks something raises `missing_field`, which names it all.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { let opened = sub.tenant.request_support(#{ impact: "the customer paid twice", title: "Double purchase", subscription: sub.id, refund_reason: "bought twice by mistake", amount: "100.00 EUR", contact: #{ name: "Anna Berg", email: "anna@partner.example", phone: "+31 20 555 0100" } }); print(opened.status); }"#,
        },
        Function {
            name: "request_support",
            params: &["subscription: Subscription", "form: map"],
            gives: "SupportRequest",
            grant: "support.write",
            doc: "The same, about a subscription of the customer.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { sub.request_support(#{ type: "deployment", impact: "60 servers to activate anew", title: "Move from volume licensing", description: "Plan the move of the activations.", contact: #{ name: "Anna Berg", email: "anna@partner.example", phone: "+31 20 555 0100" } }); }"#,
        },
        Function {
            name: "support_requests",
            params: &["selection: map"],
            gives: "rows of SupportRequest",
            grant: "support.read",
            doc: "The support requests a selection holds, newest first.",
            example: r#"for found in support_requests(#{ status: ["open", "attention_needed"] }) { print(`${found.tenant_id ?? "our own"}, order ${found.order_id ?? "unknown"}: ${found.title}`); }"#,
        },
        Function {
            name: "support_request",
            params: &["id: string"],
            gives: "SupportRequest",
            grant: "support.read",
            doc: "One support request by its id.",
            example: r#"for found in support_requests(#{ status: "open" }) { let whole = support_request(found.id); print(if present(whole.subscription) { whole.subscription.id } else { whole.problem }); }"#,
        },
        Function {
            name: "update_support",
            params: &["support: SupportRequest", "form: map"],
            gives: "()",
            grant: "support.write",
            doc: "Fills in fields of its form as `request_support` names them: those that are given replace those of before, attachments are added. Also `status` (open, attention_needed or closed, then with `resolution`) and `note`.",
            example: r#"for found in support_requests(#{ status: "open" }) { found.update_support(#{ severity: "critical", impact: "nobody can sign in", note: "they called again" }); print(found.severity); }"#,
        },
        Function {
            name: "note",
            params: &["support: SupportRequest", "text: string"],
            gives: "()",
            grant: "support.write",
            doc: "Says something about it.",
            example: r#"for found in support_requests(#{ status: "open" }) { found.note("the customer was told"); }"#,
        },
        Function {
            name: "close",
            params: &["support: SupportRequest", "resolution: string", "note: string"],
            gives: "()",
            grant: "support.write",
            doc: "Closes it: granted, declined or withdrawn. The request it belongs to learns of it and still waits for a person.",
            example: r#"for found in support_requests(#{ status: "open" }) { found.close("granted", "credited on the next invoice"); }"#,
        },
    ],
    properties: &[
        property("id", "string", "`sup_...`"),
        property("tenant_id", "string?", "Whose; nothing when it is the partner's own"),
        property("order_id", "string?", "The order it is about, where one was named"),
        property("subscription", "Subscription?", "The subscription it is about, read when asked for"),
        property("status", "string", "open, attention_needed or closed"),
        property("severity", "string", "unknown, critical, moderate or minimal"),
        property("problem", "string", "The type of problem"),
        property("title", "string", "In a line"),
        property("impact", "string", "What it keeps from working"),
        property("description", "string", "In full; a refund's holds customer, order, reason and amount"),
        property("missing", "array", "What the form still lacks"),
        property("amount", "Money?", "How much should come back"),
        property("request", "string?", "The request of ours that it belongs to"),
        property("notes", "array", "What was said, oldest first"),
        property("resolution", "string?", "granted, declined or withdrawn, once it is closed"),
        property("created_at", "Instant?", "When it was opened"),
        property("closed_at", "Instant?", "When it was closed"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<SupportValue>("SupportRequest");
    engine.register_get("id", |found: &mut SupportValue| found.0.id.to_string());
    engine.register_get("tenant_id", |found: &mut SupportValue| or_nothing(found.0.tenant.map(|id| id.to_string())));
    engine.register_get("order_id", |found: &mut SupportValue| {
        or_nothing(found.0.form.order_id.as_ref().map(|id| id.to_string()))
    });
    engine.register_get("subscription", |found: &mut SupportValue| -> Api<Dynamic> {
        let Some(id) = found.0.form.subscription else { return Ok(Dynamic::UNIT) };
        Ok(Dynamic::from(Sub(with(|work| subscriptions::get(work, id))?.value)))
    });
    engine.register_get("status", |found: &mut SupportValue| found.0.status.as_str());
    engine.register_get("severity", |found: &mut SupportValue| found.0.form.severity.as_str());
    engine.register_get("problem", |found: &mut SupportValue| found.0.form.problem.clone());
    engine.register_get("title", |found: &mut SupportValue| found.0.form.title.clone());
    engine.register_get("impact", |found: &mut SupportValue| found.0.form.impact.clone());
    engine.register_get("description", |found: &mut SupportValue| found.0.form.description.clone());
    engine.register_get("missing", |found: &mut SupportValue| -> Array {
        found.0.missing.iter().map(|name| name.clone().into()).collect()
    });
    engine.register_get("amount", |found: &mut SupportValue| or_nothing(found.0.form.amount));
    engine.register_get("request", |found: &mut SupportValue| or_nothing(found.0.request.map(|id| id.to_string())));
    engine.register_get("notes", |found: &mut SupportValue| -> Array {
        found.0.notes.iter().map(|note| note.text.clone().into()).collect()
    });
    engine.register_get("resolution", |found: &mut SupportValue| {
        or_nothing(found.0.resolution.map(|resolution| resolution.as_str().to_owned()))
    });
    engine.register_get("created_at", |found: &mut SupportValue| found.0.created_at);
    engine.register_get("closed_at", |found: &mut SupportValue| instant_or_nothing(found.0.closed_at));
    engine.register_fn("to_string", |found: &mut SupportValue| found.0.form.title.clone());
    engine.register_fn("support_requests", |map: Map| Rows::support(&selection(&SUPPORT, &map)?));
    engine.register_fn("support_request", |text: &str| -> Api<SupportValue> {
        let id: Id = text.parse().map_err(|refusal| raise_refusal(&refusal))?;
        Ok(SupportValue(with(|work| support::get(work, id))?))
    });
    engine.register_fn("request_support", |tenant: &mut TenantValue, map: Map| -> Api<SupportValue> {
        let (tenant, form, request) = (tenant.0.id, form(&map)?, request(&map)?);
        Ok(SupportValue(with(|work| support::open(work, Some(tenant), form, request))?))
    });
    engine.register_fn("request_support", |sub: &mut Sub, map: Map| -> Api<SupportValue> {
        let (mut form, request) = (form(&map)?, request(&map)?);
        form.subscription.get_or_insert(sub.0.id);
        let tenant = sub.0.tenant;
        Ok(SupportValue(with(|work| support::open(work, Some(tenant), form, request))?))
    });
    engine.register_fn("update_support", |found: &mut SupportValue, map: Map| -> Api<()> {
        let (id, answer) = (found.0.id, answer(map)?);
        found.0 = with(|work| support::answer(work, id, None, &answer))?;
        Ok(())
    });
    engine.register_fn("note", |found: &mut SupportValue, text: &str| -> Api<()> {
        let id = found.0.id;
        found.0 = with(|work| support::note(work, id, text))?;
        Ok(())
    });
    engine.register_fn("close", |found: &mut SupportValue, resolution: &str, note: &str| -> Api<()> {
        let id = found.0.id;
        let resolution = Resolution::of(resolution)
            .ok_or_else(|| raise("unknown_value", "a support request is closed as granted, declined or withdrawn"))?;
        found.0 = with(|work| support::close(work, id, resolution, note))?;
        Ok(())
    });
}

fn request(map: &Map) -> Api<Option<Id>> {
    let Some(value) = map.get("request") else { return Ok(None) };
    text("request", value)?.parse().map(Some).map_err(|refusal| raise_refusal(&refusal))
}

/// What a script changes of one that is there.
fn answer(mut map: Map) -> Api<Answer> {
    if map.contains_key("request") {
        return Err(raise("unknown_field", "the request it belongs to is told when it is opened"));
    }
    let mut word = |name: &str| map.remove(name).map(|value| text(name, &value)).transpose();
    let status = word("status")?.map(|word| match word.as_str() {
        "open" => Ok(Status::Open),
        "attention_needed" => Ok(Status::AttentionNeeded),
        "closed" => Ok(Status::Closed),
        _ => Err(raise("unknown_value", "status is open, attention_needed or closed")),
    });
    let resolution = word("resolution")?.map(|word| {
        Resolution::of(&word).ok_or_else(|| raise("unknown_value", "resolution is granted, declined or withdrawn"))
    });
    let note = word("note")?;
    let form = if map.is_empty() { None } else { Some(filled(Form::default(), &map)?) };
    Ok(Answer { status: status.transpose()?, resolution: resolution.transpose()?, note, form })
}

/// The form a script's map fills in.
pub(in crate::engine) fn form(map: &Map) -> Api<Form> {
    filled(Form { problem: REFUND.to_owned(), ..Form::default() }, map)
}

fn filled(mut form: Form, map: &Map) -> Api<Form> {
    for (name, value) in map {
        let name = name.as_str();
        match name {
            "type" => {
                form.problem = match text(name, value)?.as_str() {
                    "refund" => REFUND.to_owned(),
                    "deployment" => DEPLOYMENT.to_owned(),
                    other => other.to_owned(),
                }
            }
            "severity" => {
                let word = text(name, value)?;
                form.severity = Severity::of(&word)
                    .ok_or_else(|| raise("unknown_value", "severity is unknown, critical, moderate or minimal"))?;
            }
            "impact" => form.impact = text(name, value)?,
            "title" => form.title = text(name, value)?,
            "description" => form.description = text(name, value)?,
            "order_id" => form.order_id = Some(OrderId(text(name, value)?)),
            "subscription" => {
                let id = match value.read_lock::<Sub>() {
                    Some(sub) => sub.0.id,
                    None => text(name, value)?.parse().map_err(|refusal| raise_refusal(&refusal))?,
                };
                form.subscription = Some(id);
            }
            "refund_reason" => form.refund_reason = text(name, value)?,
            "amount" => {
                let money = match value.read_lock::<Money>() {
                    Some(money) => *money,
                    None => text(name, value)?.parse().map_err(|refusal| raise_refusal(&refusal))?,
                };
                form.amount = Some(money);
            }
            "contact" => form.contact = contact(value)?,
            "attachments" => {
                let Ok(links) = value.as_array_ref() else { return Err(wrong(name, "an array of links", value)) };
                form.attachments = links.iter().map(|link| text(name, link)).collect::<Api<_>>()?;
            }
            "product_id" => form.product_id = text(name, value)?,
            "country" => form.country = text(name, value)?,
            "request" => {}
            _ => return Err(unknown(name, &FIELDS)),
        }
    }
    Ok(form)
}

fn contact(value: &Dynamic) -> Api<Contact> {
    let Ok(map) = value.as_map_ref() else { return Err(wrong("contact", "a map of name, email and phone", value)) };
    let mut contact = Contact::default();
    for (name, value) in map.iter() {
        match name.as_str() {
            "name" => contact.name = text(name, value)?,
            "email" => contact.email = text(name, value)?,
            "phone" => contact.phone = text(name, value)?,
            _ => return Err(unknown(name, &["name", "email", "phone"])),
        }
    }
    Ok(contact)
}

fn text(name: &str, value: &Dynamic) -> Api<String> {
    value.as_immutable_string_ref().map(|text| text.to_string()).map_err(|_| wrong(name, "text", value))
}

fn wrong(name: &str, wanted: &str, value: &Dynamic) -> Box<rhai::EvalAltResult> {
    raise("type_error", format!("{name} of a support request is {wanted}, not {}", type_word(value)))
}

fn unknown(name: &str, known: &[&str]) -> Box<rhai::EvalAltResult> {
    let help = suggest::nearest(name, known.iter().copied())
        .map_or_else(|| format!("it knows {}", known.join(", ")), |near| format!("did you mean {near}?"));
    raise("unknown_field", format!("a support request has no {name}; {help}"))
}
