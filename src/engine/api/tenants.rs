//! Tenants in scripts.

use rhai::{Array, Dynamic, Engine, Map};
use std::collections::BTreeMap;

use super::rows::Rows;
use super::{instant_or_nothing, or_nothing, selection};
use crate::domain::selection::{SUBSCRIPTIONS, Selection, TENANTS, Value};
use crate::domain::tenant::Account;
use crate::domain::{Instant, Money, Tenant};
use crate::engine::failure::{Api, raise, raise_refusal};
use crate::engine::reference::{Function, Part, Property};
use crate::engine::script_thread::with;
use crate::engine::values::amounts::Amounts;
use crate::ops::tenants;

/// A tenant as a script sees it: a value as read.
#[derive(Debug, Clone)]
pub struct TenantValue(pub Tenant);

/// What the billing system told of a tenant.
#[derive(Debug, Clone)]
pub struct AccountValue(pub Account);

pub(super) const PART: Part = Part {
    title: "Tenants",
    functions: &[
        Function {
            name: "tenants",
            params: &["selection: map"],
            gives: "rows of Tenant",
            grant: "tenants.read",
            doc: "The tenants a selection holds.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { print(tenant.company_name); }"#,
        },
        Function {
            name: "tenant",
            params: &["text: string"],
            gives: "Tenant",
            grant: "tenants.read",
            doc: "One tenant by id, name or domain; `not_found` when there is none, `ambiguous` when there are several.",
            example: r#"for one in tenants(#{ country: "NL" }) { print(tenant(one.id).domain); }"#,
        },
        Function {
            name: "subscriptions",
            params: &["tenant: Tenant"],
            gives: "rows of Subscription",
            grant: "subscriptions.read",
            doc: "Its subscriptions.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { for sub in tenant.subscriptions() { print(sub.id); } }"#,
        },
        Function {
            name: "has_label",
            params: &["tenant: Tenant", "name: string"],
            gives: "bool",
            grant: "",
            doc: "Whether it carries a label.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { if tenant.has_label("vip") { print(tenant.id); } }"#,
        },
        Function {
            name: "label",
            params: &["tenant: Tenant", "name: string"],
            gives: "string?",
            grant: "",
            doc: "A label's value, or nothing.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { if present(tenant.label("owner")) { print(tenant.id); } }"#,
        },
        Function {
            name: "label",
            params: &["tenant: Tenant", "name: string", "value: string"],
            gives: "()",
            grant: "labels.write",
            doc: "Puts a label on it.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { tenant.label("region", "north"); }"#,
        },
        Function {
            name: "unlabel",
            params: &["tenant: Tenant", "name: string"],
            gives: "()",
            grant: "labels.write",
            doc: "Takes a label off.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { tenant.unlabel("region"); }"#,
        },
        Function {
            name: "accept_agreement",
            params: &["tenant: Tenant", "on: Instant"],
            gives: "()",
            grant: "tenants.account",
            doc: "Records when it accepted the Microsoft Customer Agreement: nothing is sold to it before.",
            example: r#"for tenant in tenants(#{ country: "NL" }) { if !present(tenant.agreed_at) { tenant.accept_agreement(now() - days(1)); } }"#,
        },
        Function {
            name: "set_account",
            params: &["tenant: Tenant", "overdue: array", "since: any"],
            gives: "()",
            grant: "tenants.account",
            doc: "Tells what is overdue, one amount per currency, and since when (or nothing).",
            example: r#"for tenant in tenants(#{ country: "NL" }) { tenant.set_account(["120.50 EUR"], now()); }"#,
        },
    ],
    properties: &[
        Property { owner: "Tenant", name: "id", gives: "string", doc: "Partner Center's customer id" },
        Property { owner: "Tenant", name: "company_name", gives: "string", doc: "The company's name" },
        Property { owner: "Tenant", name: "domain", gives: "string", doc: "Its domain" },
        Property { owner: "Tenant", name: "country", gives: "string", doc: "ISO country of the billing address" },
        Property { owner: "Tenant", name: "account", gives: "Account", doc: "What the billing system told" },
        Property { owner: "Tenant", name: "opened_at", gives: "Instant?", doc: "When the account was opened" },
        Property {
            owner: "Tenant",
            name: "first_billing_at",
            gives: "Instant?",
            doc: "When its first billing period began",
        },
        Property {
            owner: "Tenant",
            name: "qualification",
            gives: "string",
            doc: "education, nonprofit, government_community_cloud, state_owned_entity, none; empty: not told",
        },
        Property {
            owner: "Tenant",
            name: "agreed_at",
            gives: "Instant?",
            doc: "When it accepted the Microsoft Customer Agreement: nothing is sold to it before",
        },
        Property { owner: "Tenant", name: "labels", gives: "map", doc: "The partner's own labels" },
        Property {
            owner: "Account",
            name: "overdue",
            gives: "Amounts",
            doc: "Overdue amounts, one per currency; compares with 0",
        },
        Property { owner: "Account", name: "since", gives: "Instant?", doc: "Since when something is overdue" },
    ],
};

/// Labels as a map.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> Map {
    labels.iter().map(|(name, value)| (name.as_str().into(), value.clone().into())).collect()
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<TenantValue>("Tenant");
    engine.register_type_with_name::<AccountValue>("Account");
    engine.register_get("id", |tenant: &mut TenantValue| tenant.0.id.to_string());
    engine.register_get("qualification", |tenant: &mut TenantValue| tenant.0.qualification.clone());
    engine.register_get("agreed_at", |tenant: &mut TenantValue| instant_or_nothing(tenant.0.agreed_at));
    engine.register_get("company_name", |tenant: &mut TenantValue| tenant.0.company_name.clone());
    engine.register_get("domain", |tenant: &mut TenantValue| tenant.0.domain.clone());
    engine.register_get("country", |tenant: &mut TenantValue| tenant.0.country.clone());
    engine.register_get("account", |tenant: &mut TenantValue| AccountValue(tenant.0.account.clone()));
    engine.register_get("opened_at", |tenant: &mut TenantValue| instant_or_nothing(tenant.0.opened_at));
    engine.register_get("first_billing_at", |tenant: &mut TenantValue| instant_or_nothing(tenant.0.first_billing_at));
    engine.register_get("labels", |tenant: &mut TenantValue| labels(&tenant.0.labels));
    engine.register_get("overdue", |account: &mut AccountValue| Amounts(account.0.overdue.clone()));
    engine.register_get("since", |account: &mut AccountValue| instant_or_nothing(account.0.since));
    engine.register_fn("to_string", |tenant: &mut TenantValue| tenant.0.company_name.clone());
    engine.register_fn("to_debug", |tenant: &mut TenantValue| tenant.0.id.to_string());
    engine.register_fn("tenants", |map: Map| Rows::tenants(&selection(&TENANTS, &map)?));
    engine.register_fn("tenant", |text: &str| find(text));
    engine.register_fn("subscriptions", |tenant: &mut TenantValue| {
        let pairs = vec![("tenant".to_owned(), Value::Text(tenant.0.id.to_string()))];
        Rows::subscriptions(&Selection::parse(&SUBSCRIPTIONS, pairs).map_err(|refusal| raise_refusal(&refusal))?)
    });
    engine.register_fn("has_label", |tenant: &mut TenantValue, name: &str| tenant.0.labels.contains_key(name));
    engine.register_fn("label", |tenant: &mut TenantValue, name: &str| or_nothing(tenant.0.labels.get(name).cloned()));
    engine.register_fn("label", |tenant: &mut TenantValue, name: &str, value: &str| label(tenant, name, Some(value)));
    engine.register_fn("unlabel", |tenant: &mut TenantValue, name: &str| label(tenant, name, None));
    engine.register_fn("accept_agreement", |tenant: &mut TenantValue, on: Instant| accept_agreement(tenant, on));
    engine.register_fn("set_account", |tenant: &mut TenantValue, overdue: Array, since: Dynamic| {
        set_account(tenant, &overdue, &since)
    });
}

fn find(text: &str) -> Api<TenantValue> {
    let mut found = with(|work| tenants::find(work, text))?;
    match (found.pop(), found.len()) {
        (Some(tenant), 0) => Ok(TenantValue(tenant)),
        (None, _) => Err(raise("not_found", format!("there is no tenant {text}"))),
        (_, others) => Err(raise("ambiguous", format!("{} tenants are called {text}; use the id", others + 1))),
    }
}

fn label(tenant: &mut TenantValue, name: &str, value: Option<&str>) -> Api<()> {
    let id = tenant.0.id;
    tenant.0 = with(|work| tenants::label(work, id, name, value))?;
    Ok(())
}

fn accept_agreement(tenant: &mut TenantValue, on: Instant) -> Api<()> {
    let id = tenant.0.id;
    tenant.0 = with(|work| tenants::set_agreed(work, id, on))?;
    Ok(())
}

fn set_account(tenant: &mut TenantValue, overdue: &Array, since: &Dynamic) -> Api<()> {
    let mut amounts = Vec::new();
    for amount in overdue {
        let money = match amount.read_lock::<Money>() {
            Some(money) => *money,
            None => {
                let text = amount
                    .clone()
                    .into_string()
                    .map_err(|_| raise("type_error", "overdue lists amounts such as 10 EUR"))?;
                text.parse().map_err(|refusal| raise_refusal(&refusal))?
            }
        };
        amounts.push(money);
    }
    let since = match since.read_lock::<Instant>() {
        Some(at) => Some(*at),
        None if since.is_unit() => None,
        None => return Err(raise("type_error", "since is an instant or nothing")),
    };
    let id = tenant.0.id;
    tenant.0 = with(|work| tenants::set_account(work, id, amounts, since))?;
    Ok(())
}
