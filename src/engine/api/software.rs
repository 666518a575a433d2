//! Software in scripts: what was bought for a customer and where its keys stand. Never a key or a link: there is no
//! function for them.

use rhai::{Array, Dynamic, Engine, Map};

use super::tenants::TenantValue;
use super::{instant_or_nothing, or_nothing};
use crate::domain::TenantId;
use crate::domain::software::{Benefit, Software};
use crate::engine::failure::{Api, over_limit};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::script_thread::with;
use crate::ops::software;

const PAGE_ROWS: usize = 500;

/// A piece of software as a script sees it: a value as read.
#[derive(Debug, Clone)]
pub struct SoftwareValue(pub Software);

const fn property(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Software", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Software",
    functions: &[Function {
        name: "software",
        params: &["tenant: Tenant"],
        gives: "list of Software",
        grant: "software.read",
        doc: "Everything bought for it as software, cancelled too and from before 2021-10-14. Keys and links are never given to scripts.",
        example: r#"for tenant in tenants(#{ country: "NL" }) { for one in tenant.software() { print(`${one.name}: ${one.key_state}`); } }"#,
    }],
    properties: &[
        property("id", "string?", "Its subscription; nothing for a line of an order that no record was made of"),
        property("tenant_id", "string", "Whose"),
        property("product_id", "string", "The product's id"),
        property("name", "string", "The product's name"),
        property("friendly_name", "string", "The partner's own name for this purchase; empty where it has none"),
        property("family", "string", "How it is sold: the terms' family"),
        property("order_numbers", "list", "The orders that bought it"),
        property("quantity", "int", "Licences"),
        property("purchased_at", "Instant?", "When it was bought"),
        property("status", "string", "Its status"),
        property("key_state", "string", "`available`, `awaited`, `revoked` or `not_applicable`"),
        property("revoked_at", "Instant?", "When its keys and links were revoked"),
        property("instructions", "string?", "Where it is told how to install it"),
        property(
            "benefits",
            "list",
            "What the licence gives beside itself, such as the Azure Hybrid Benefit: maps of `name`, `use`, `covers`, `rate`, `maximum_saving_percent`",
        ),
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<SoftwareValue>("Software");
    engine.register_get("id", |one: &mut SoftwareValue| or_nothing(one.0.subscription.map(|id| id.to_string())));
    engine.register_get("tenant_id", |one: &mut SoftwareValue| one.0.customer.to_string());
    engine.register_get("product_id", |one: &mut SoftwareValue| one.0.product_id.clone());
    engine.register_get("name", |one: &mut SoftwareValue| one.0.product.clone());
    engine.register_get("friendly_name", |one: &mut SoftwareValue| one.0.friendly_name.clone());
    engine.register_get("family", |one: &mut SoftwareValue| one.0.family.clone());
    engine.register_get("order_numbers", |one: &mut SoftwareValue| -> Array {
        one.0.orders.iter().map(|order| Dynamic::from(order.order_id.to_string())).collect()
    });
    engine.register_get("quantity", |one: &mut SoftwareValue| one.0.quantity);
    engine.register_get("purchased_at", |one: &mut SoftwareValue| instant_or_nothing(one.0.purchased_at));
    engine.register_get("status", |one: &mut SoftwareValue| one.0.status.as_str().to_owned());
    engine.register_get("key_state", |one: &mut SoftwareValue| one.0.key_state.as_str().to_owned());
    engine.register_get("revoked_at", |one: &mut SoftwareValue| instant_or_nothing(one.0.revoked_at));
    engine.register_get("instructions", |one: &mut SoftwareValue| {
        or_nothing(one.0.installation_instructions_url.clone())
    });
    engine.register_get("benefits", |one: &mut SoftwareValue| benefits(&one.0));
    engine.register_fn("to_string", |one: &mut SoftwareValue| one.0.product.clone());
    engine.register_fn("to_debug", |one: &mut SoftwareValue| one.0.product.clone());
    engine.register_fn("software", |tenant: &mut TenantValue| of(tenant.0.id));
}

fn benefits(one: &Software) -> Array {
    let map = |benefit: &Benefit| {
        let mut map = Map::new();
        map.insert("name".into(), benefit.name.clone().into());
        map.insert("use".into(), benefit.used.clone().into());
        map.insert("covers".into(), benefit.covers.clone().into());
        map.insert("rate".into(), benefit.rate.clone().into());
        map.insert("maximum_saving_percent".into(), i64::from(benefit.maximum_saving_percent).into());
        Dynamic::from(map)
    };
    one.benefits.iter().map(map).collect()
}

fn of(tenant: TenantId) -> Api<Array> {
    let mut found = Array::new();
    let mut cursor: Option<Vec<u8>> = None;
    loop {
        let (page, rows) =
            with(|work| Ok((software::list(work, tenant, cursor.as_deref(), PAGE_ROWS)?, work.settings.rows)))?;
        found.extend(page.items.into_iter().map(|one| Dynamic::from(SoftwareValue(one))));
        if found.len() > rows {
            return Err(over_limit("rows"));
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
