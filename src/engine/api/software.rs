//! Software in scripts: what was bought for a customer and where its keys stand. Never a key or a link: there is no
//! function for them.

use rhai::{Array, Dynamic, Engine, Map};

use super::catalog::every;
use super::tenants::TenantValue;
use super::{instant_or_nothing, or_nothing};
use crate::domain::TenantId;
use crate::domain::software::{Benefit, Sheet, Software};
use crate::engine::failure::{Api, raise};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::script_thread::with;
use crate::ops::software;

/// What is told of a product.
const MEMBERS: [&str; 8] = [
    "product",
    "comes_with",
    "installation_instructions_url",
    "versions",
    "languages",
    "bits",
    "file_types",
    "operating_systems",
];

/// A piece of software as a script sees it: a value as read.
#[derive(Debug, Clone)]
pub struct SoftwareValue(pub Software);

const fn property(name: &'static str, gives: &'static str, doc: &'static str) -> Property {
    Property { owner: "Software", name, gives, doc }
}

pub(super) const PART: Part = Part {
    title: "Software",
    functions: &[
        Function {
            name: "software",
            params: &["tenant: Tenant"],
            gives: "list of Software",
            grant: "software.read",
            doc: "Everything bought for it as software, cancelled too and from before 2021-10-14. Keys and links are never given to scripts.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { for one in tenant.software() { print(`${one.name}: ${one.key_state}`); } }"#,
        },
        Function {
            name: "software_products",
            params: &[],
            gives: "list of map",
            grant: "products.read",
            doc: "What products come with, where that was told: maps as `describe_software` takes them.",
            example: r#"describe_software(#{ product: "DG7GMGF0FKZV", versions: ["2019", "2022"] }); for one in software_products() { print(`${one.product}: ${one.versions}`); }"#,
        },
        Function {
            name: "describe_software",
            params: &["told: map"],
            gives: "()",
            grant: "keys.manage",
            doc: "Tells what a product comes with: `product` (an id, or its beginning up to a colon), `comes_with` (a word of the terms), `installation_instructions_url`, and what its keys and downloads are chosen by: `versions`, `languages`, `bits`, `file_types`, `operating_systems`.",
            example: r#"describe_software(#{ product: "DG7GMGF0FKZV:0002", comes_with: "license_only" });"#,
        },
    ],
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
    engine.register_fn("software_products", || every(software::sheets, |sheet| Dynamic::from_map(described(sheet))));
    engine.register_fn("describe_software", |map: Map| -> Api<()> {
        let sheet = sheet(&map)?;
        with(|work| software::describe(work, sheet)).map(drop)
    });
}

fn described(sheet: Sheet) -> Map {
    let list = |texts: Vec<String>| Dynamic::from_array(texts.into_iter().map(Dynamic::from).collect());
    let options = sheet.options;
    let mut map = Map::new();
    map.insert("product".into(), sheet.product.into());
    map.insert("comes_with".into(), sheet.comes_with.into());
    map.insert("installation_instructions_url".into(), or_nothing(sheet.installation_instructions_url));
    map.insert("versions".into(), list(options.versions));
    map.insert("languages".into(), list(options.languages));
    map.insert("bits".into(), list(options.bits));
    map.insert("file_types".into(), list(options.file_types));
    map.insert("operating_systems".into(), list(options.operating_systems));
    map
}

/// What a script tells of a product.
fn sheet(map: &Map) -> Api<Sheet> {
    let mut sheet = Sheet::default();
    for (name, value) in map.iter().filter(|(_, value)| !value.is_unit()) {
        let wrong = |wanted: &str| raise("type_error", format!("{name} is {wanted}"));
        let text = || value.clone().into_string().map_err(|_| wrong("text"));
        let texts = || value.clone().into_typed_array::<String>().map_err(|_| wrong("a list of texts"));
        match name.as_str() {
            "product" => sheet.product = text()?,
            "comes_with" => sheet.comes_with = text()?,
            "installation_instructions_url" => sheet.installation_instructions_url = Some(text()?),
            "versions" => sheet.options.versions = texts()?,
            "languages" => sheet.options.languages = texts()?,
            "bits" => sheet.options.bits = texts()?,
            "file_types" => sheet.options.file_types = texts()?,
            "operating_systems" => sheet.options.operating_systems = texts()?,
            _ => {
                let near = crate::suggest::nearest(name, MEMBERS);
                let hint = near.map_or_else(|| MEMBERS.join(", "), |near| format!("did you mean {near}?"));
                return Err(raise("unknown_field", format!("a product comes with no {name}; {hint}")));
            }
        }
    }
    Ok(sheet)
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
    every(|work, after, limit| software::list(work, tenant, after, limit), |one| Dynamic::from(SoftwareValue(one)))
}
