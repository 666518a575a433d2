//! KMS activations in scripts: what has not been moved to a MAK, and recording that it was (K-180).

use rhai::{Array, Dynamic, Engine, Map};

use super::tenants::TenantValue;
use super::{instant_or_nothing, or_nothing};
use crate::domain::activation::{Activation, Step};
use crate::domain::{Instant, Refusal, Span};
use crate::engine::failure::{Api, over_limit, raise_refusal};
use crate::engine::reference::{Part, Property, function};
use crate::engine::script_thread::with;
use crate::engine::values::time::Length;
use crate::ops::activations::{self, Plan, Told};
use crate::ops::{self, Work};
use crate::store::records::Page;

const PAGE_ROWS: usize = 500;

/// An activation as a script sees it: a value as read, and the time it was read at.
#[derive(Debug, Clone)]
pub struct ActivationValue {
    activation: Activation,
    now: Instant,
}

/// How a customer's move stands, and the time it was read at.
#[derive(Debug, Clone)]
pub struct PlanValue {
    plan: Plan,
    now: Instant,
}

const fn plan(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "MovePlan", name, gives, doc }
}

const fn property(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Activation", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Activations",
    functions: &[
        function!(
            "activations",
            ["tenant: Tenant"],
            "list of Activation",
            "activations.read",
            "The KMS activations recorded of its devices, moved ones too.",
            r#"for tenant in tenants(#{ country: "NL" }) { for one in tenant.activations() { print(`${one.device}: ${one.state}`); } }"#
        ),
        function!(
            "activations_due",
            ["within: string"],
            "list of Activation",
            "activations.read",
            "What has not been moved to a MAK yet and whose deadline comes within this time or has passed, of every customer, earliest deadline first.",
            r#"for one in activations_due("P180D") { print(`${one.device} has ${one.days_left} days left`); }"#
        ),
        function!(
            "activations_due",
            ["within: Span"],
            "list of Activation",
            "activations.read",
            "The same, by a length.",
            r#"print(activations_due(days(180)).len());"#
        ),
        function!(
            "record_activation",
            ["tenant: Tenant", "device: string", "product: string", "at: Instant"],
            "Activation",
            "activations.write",
            "Records when a KMS host activated a product on a device last: it holds for 180 days. An earlier one than is known changes nothing.",
            r#"for tenant in tenants(#{ country: "NL" }) { tenant.record_activation("SRV-07", "Windows Server 2019", now() - days(30)); }"#
        ),
        function!(
            "mark_moved",
            ["tenant: Tenant", "device: string", "product: string"],
            "Activation",
            "activations.write",
            "Marks a device as moved: its MAK is in use now.",
            r#"for one in activations_due("P180D") { tenant(one.tenant_id).mark_moved(one.device, one.product); }"#
        ),
        function!(
            "activation_plan",
            ["tenant: Tenant"],
            "MovePlan",
            "activations.read",
            "How its move from KMS to a MAK stands, and the steps in the order that avoids downtime (K-180).",
            r#"for tenant in tenants(#{ country: "NL" }) { for step in tenant.activation_plan().steps { print(`${step.number} ${step.step}: ${step.what}`); } }"#
        ),
    ],
    properties: &[
        property("tenant_id", "string", "Whose device"),
        property("device", "string", "The device"),
        property("product", "string", "The product activated on it"),
        property("activated_at", "Instant", "When a KMS host activated it last"),
        property("deadline", "Instant", "The first instant at which that no longer holds"),
        property("days_left", "int", "Whole days until the deadline; none is left on the last day and after it"),
        property("state", "string", "`open`, `lapsed` or `moved`"),
        property("moved_at", "Instant?", "When its MAK was activated"),
        plan(
            "steps",
            "list of map",
            "`number`, `step`, `what`, `why` and `done` of each, `done` being nothing where the records cannot tell",
        ),
        plan("left", "list of Activation", "What has not been moved, earliest deadline first"),
        plan("recorded", "int", "Devices and products recorded"),
        plan("lapsed", "int", "Of what is left, how many have lapsed"),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<ActivationValue>("Activation");
    engine.register_get("tenant_id", |one: &mut ActivationValue| one.activation.customer.to_string());
    engine.register_get("device", |one: &mut ActivationValue| one.activation.device.clone());
    engine.register_get("product", |one: &mut ActivationValue| one.activation.product.clone());
    engine.register_get("activated_at", |one: &mut ActivationValue| one.activation.activated_at);
    engine.register_get("deadline", |one: &mut ActivationValue| one.activation.deadline());
    engine.register_get("days_left", |one: &mut ActivationValue| one.activation.days_left(one.now));
    engine.register_get("state", |one: &mut ActivationValue| one.activation.state(one.now).as_str().to_owned());
    engine.register_get("moved_at", |one: &mut ActivationValue| instant_or_nothing(one.activation.moved_at));
    engine.register_fn("to_string", |one: &mut ActivationValue| one.activation.device.clone());
    engine.register_fn("to_debug", |one: &mut ActivationValue| one.activation.device.clone());
    plans(engine);
    engine.register_fn("activations", |tenant: &mut TenantValue| {
        let customer = tenant.0.id;
        every(|work, after| activations::list(work, customer, after, PAGE_ROWS))
    });
    engine.register_fn("activations_due", |within: &str| {
        due(within.parse::<Span>().map_err(|refusal| raise_refusal(&refusal))?)
    });
    engine.register_fn("activations_due", |within: Length| {
        let bad =
            || raise_refusal(&Refusal::new("bad_duration", "a length of days or months, not one that points back"));
        due(within.to_span().ok_or_else(bad)?)
    });
    engine.register_fn("record_activation", |tenant: &mut TenantValue, device: &str, product: &str, at: Instant| {
        let (device, product) = (device.to_owned(), product.to_owned());
        let told = Told { device, product, activated_at: at, lasts: None, subscription: None };
        value(|work| activations::record(work, tenant.0.id, &told))
    });
    engine.register_fn("mark_moved", |tenant: &mut TenantValue, device: &str, product: &str| {
        value(|work| activations::moved(work, tenant.0.id, device, product, None, None))
    });
}

fn plans(engine: &mut Engine) {
    engine.register_type_with_name::<PlanValue>("MovePlan");
    engine.register_get("steps", |one: &mut PlanValue| -> Array { one.plan.steps.iter().map(step).collect() });
    engine.register_get("left", |one: &mut PlanValue| -> Array {
        let now = one.now;
        let value = |activation: &Activation| Dynamic::from(ActivationValue { activation: activation.clone(), now });
        one.plan.left.iter().map(value).collect()
    });
    engine.register_get("recorded", |one: &mut PlanValue| i64::try_from(one.plan.recorded).unwrap_or(i64::MAX));
    engine.register_get("lapsed", |one: &mut PlanValue| i64::try_from(one.plan.lapsed).unwrap_or(i64::MAX));
    engine.register_fn("activation_plan", |tenant: &mut TenantValue| {
        let customer = tenant.0.id;
        with(|work| Ok(PlanValue { plan: activations::plan(work, customer)?, now: work.now }))
    });
}

fn step(step: &Step) -> Dynamic {
    let mut map = Map::new();
    map.insert("number".into(), i64::from(step.number).into());
    map.insert("step".into(), step.step.into());
    map.insert("what".into(), step.what.into());
    map.insert("why".into(), step.why.into());
    map.insert("done".into(), or_nothing(step.done));
    Dynamic::from_map(map)
}

fn due(within: Span) -> Api<Array> {
    every(|work, after| activations::due(work, Some(within), after, PAGE_ROWS))
}

fn value(body: impl FnOnce(&mut Work) -> ops::Result<Activation>) -> Api<ActivationValue> {
    let (activation, now) = with(|work| Ok((body(work)?, work.now)))?;
    Ok(ActivationValue { activation, now })
}

fn every(page: impl Fn(&mut Work, Option<&[u8]>) -> ops::Result<Page<Activation>>) -> Api<Array> {
    let mut found = Array::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let (read, rows, now) = with(|work| Ok((page(work, cursor.as_deref())?, work.settings.rows, work.now)))?;
        found.extend(read.items.into_iter().map(|activation| Dynamic::from(ActivationValue { activation, now })));
        if found.len() > rows {
            return Err(over_limit("rows"));
        }
        cursor = read.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
