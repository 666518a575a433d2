//! The catalogue in Partner Center's JSON, and what one customer can be sold in our own; customers' agreements.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value as Shown, json};

use super::body::{Object, missing};
use super::collections::{self, Asked};
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json as records};
use crate::domain::product::Product;
use crate::domain::selection::{OFFERS, PRODUCTS};
use crate::domain::{Refusal, TenantId};
use crate::json::Value;
use crate::ops::offers::{self, Ask, Listed, Offer};
use crate::ops::{Work, catalog, tenants};
use crate::partner_center::{catalog as theirs, customers};

fn exact(value: &Value) -> Reply {
    Reply::exact(value.to_string())
}

/// The market a call names; the catalogue's links name it again.
fn country(pairs: &mut Pairs) -> Result<String, Problem> {
    let code = pairs.take("country").unwrap_or_default().to_ascii_uppercase();
    let plain = code.is_empty() || (code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()));
    let wrong = || Problem::from(Refusal::new("bad_country", "country is an ISO code of two letters"));
    if plain { Ok(code) } else { Err(wrong()) }
}

/// Whether something is sold in the market that is asked for.
fn sold_in(product: &Product, country: &str) -> bool {
    country.is_empty() || product.countries.is_empty() || product.countries.iter().any(|code| code == country)
}

/// `GET /v1/offers`
pub(super) async fn list_offers(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    list(doors, call, pairs, "/offers", Product::is_legacy, |product, _| theirs::offer(product)).await
}

/// A page of the catalogue: what is of one level, in the market that is asked for.
async fn list(
    doors: Doors,
    call: Call,
    mut pairs: Pairs,
    path: &'static str,
    level: fn(&Product) -> bool,
    show: fn(&Product, &str) -> Value,
) -> Result<Reply, Problem> {
    let address = collections::address(path, &pairs);
    let country = country(&mut pairs)?;
    let view = pairs.take("targetView").map(|view| view.replace('_', "").to_ascii_lowercase());
    let beside = format!("{country} {}", view.as_deref().unwrap_or_default());
    let asked = Asked::read(&doors, &PRODUCTS, pairs, &call, address, &beside)?;
    let found = doors.app.look(call.rights, move |work| {
        let keep = |product: &Product| {
            let kind = product.product_type.replace('_', "");
            level(product) && sold_in(product, &country) && view.as_ref().is_none_or(|view| kind.starts_with(view))
        };
        let selection = &asked.listing.selection;
        let read =
            |work: &mut Work, after: Option<&[u8]>, limit| catalog::products_where(work, selection, keep, after, limit);
        asked.page(work, read, |_, product| Ok(show(&product, &country)))
    });
    Ok(found.await?)
}

/// `GET /v1/offers/{id}`
pub(super) async fn show_offer(
    State(doors): State<Doors>,
    Path(id): Path<String>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    country(&mut pairs)?;
    pairs.end(&["country"])?;
    let found = doors.app.look(call.rights, move |work| catalog::product(work, &id)).await?;
    Ok(exact(&theirs::offer(&found)))
}

/// `GET /v1/offers/{id}/addons`
pub(super) async fn add_ons(
    State(doors): State<Doors>,
    Path(id): Path<String>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let country = country(&mut pairs)?;
    pairs.end(&["country"])?;
    let path = format!("/offers/{id}/addons");
    let found = doors.app.look(call.rights, move |work| catalog::add_ons(work, &id)).await?;
    let sold = found.iter().filter(|product| sold_in(product, &country));
    Ok(collections::all(&path, sold.map(theirs::offer).collect()))
}

/// `GET /v1/products/{id}/skus`
pub(super) async fn skus(
    State(doors): State<Doors>,
    Path(id): Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    below(doors, call, pairs, id.clone(), format!("/products/{id}/skus"), theirs::sku).await
}

/// `GET /v1/products/{id}/skus/{sku}/availabilities`
pub(super) async fn availabilities(
    State(doors): State<Doors>,
    Path((id, sku)): Path<(String, String)>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    let path = format!("/products/{id}/skus/{sku}/availabilities");
    below(doors, call, pairs, format!("{id}:{sku}"), path, theirs::availability).await
}

async fn below(
    doors: Doors,
    call: Call,
    mut pairs: Pairs,
    above: String,
    path: String,
    show: fn(&Product, &str) -> Value,
) -> Result<Reply, Problem> {
    let country = country(&mut pairs)?;
    let segment = pairs.take("targetSegment").map(|word| word.parse()).transpose()?;
    pairs.end(&["country", "targetSegment"])?;
    let found = doors.app.look(call.rights, move |work| catalog::below(work, &above)).await?;
    let meant = found.iter().filter(|product| {
        let by_segment = segment.is_none_or(|one| product.segments.is_empty() || product.segments.contains(&one));
        by_segment && sold_in(product, &country)
    });
    Ok(collections::all(&path, meant.map(|product| show(product, &country)).collect()))
}

/// `GET /v1/products/{id}/skus/{sku}`
pub(super) async fn sku(
    State(doors): State<Doors>,
    Path((id, sku)): Path<(String, String)>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let country = country(&mut pairs)?;
    pairs.end(&["country"])?;
    let found = doors.app.look(call.rights, move |work| catalog::product(work, &format!("{id}:{sku}"))).await?;
    Ok(exact(&theirs::sku(&found, &country)))
}

/// `GET /v1/products/{id}/skus/{sku}/availabilities/{availability}`
pub(super) async fn availability(
    State(doors): State<Doors>,
    Path((id, sku, one)): Path<(String, String, String)>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let country = country(&mut pairs)?;
    pairs.end(&["country"])?;
    let item = format!("{id}:{sku}:{one}");
    let found = doors.app.look(call.rights, move |work| catalog::product(work, &item)).await?;
    Ok(exact(&theirs::availability(&found, &country)))
}

/// An offer as one customer sees it, in our own JSON.
fn shown(work: &Work, offer: &Offer) -> Shown {
    let mut out = records::shown(&offer.item);
    let benefits: Vec<Shown> = work
        .terms
        .selling()
        .benefits_of(&offer.item)
        .map(|one| {
            json!({ "name": one.name, "use": one.used, "covers": one.covers, "rate": one.rate,
                "maximumSavingPercent": one.maximum_saving_percent, "rule": one.rule })
        })
        .collect();
    out["plans"] = records::shown(&offer.plans);
    out["taxIncluded"] = offer.tax_included.into();
    out["purchasable"] = offer.reasons.is_empty().into();
    out["reasons"] = records::shown(&offer.reasons);
    if !benefits.is_empty() {
        out["benefits"] = benefits.into();
    }
    out
}

/// `GET /v1/tenants/{id}/offers`: what a customer can be sold. `why=true` lists the rest too, with the reasons.
pub(super) async fn of_tenant(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let tenant: TenantId = text.parse()?;
    let (listed, rest) = listed(&mut pairs)?;
    let seal = Pairs([rest, vec![("tenant".to_owned(), tenant.to_string())]].concat());
    let listing = Listing::read(&doors, &OFFERS, seal)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = offers::offers(work, tenant, &listed, listing.after.as_deref(), listing.limit)?;
        let next = page.next.as_deref().map(|key| listing.cursor(key));
        let items: Vec<Shown> = page.items.iter().map(|offer| shown(work, offer)).collect();
        Ok(Reply::ok(json!({ "items": items, "nextCursor": next })))
    });
    Ok(found.await?)
}

/// What a list of offers is asked for, and the pairs that its cursor is bound to.
fn listed(pairs: &mut Pairs) -> Result<(Listed, Vec<(String, String)>), Problem> {
    let mut listed = Listed::default();
    let mut kept = Vec::new();
    for (name, value) in std::mem::take(&mut pairs.0) {
        match name.as_str() {
            "limit" | "cursor" => {}
            "base" => listed.base = Some(value.parse()?),
            "why" => listed.why = value == "true",
            _ => listed.filter.set(&name, &value).map_err(|mut refusal| {
                if refusal.code == "unknown_field" {
                    "unknown_parameter".clone_into(&mut refusal.code);
                }
                Problem::from(refusal)
            })?,
        }
        kept.push((name, value));
    }
    Ok((listed, kept))
}

/// `GET /v1/tenants/{id}/offers/{name}`: one item as a customer sees it, and every reason why it cannot be bought.
pub(super) async fn eligibility(
    State(doors): State<Doors>,
    Path((text, item)): Path<(String, String)>,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    let tenant: TenantId = text.parse()?;
    let number = |text: String| {
        let wrong = || Problem::from(Refusal::new("bad_query", "quantity is a whole number"));
        text.parse::<i64>().map_err(|_| wrong())
    };
    let ask = Ask {
        quantity: pairs.take("quantity").map(number).transpose()?,
        term_duration: pairs.take("termDuration").map(|text| text.parse()).transpose()?,
        billing_cycle: pairs.take("billingCycle"),
        base: pairs.take("base").map(|text| text.parse()).transpose()?,
    };
    pairs.end(&["quantity", "termDuration", "billingCycle", "base"])?;
    let found = doors.app.look(call.rights, move |work| {
        let offer = offers::offer(work, tenant, &item, &ask)?;
        Ok(Reply::ok(shown(work, &offer)))
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}/offers`: the legacy offers a customer can be sold, in Partner Center's JSON.
pub(super) async fn offers_of(
    state: State<Doors>,
    path: Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    of_customer(state, path, call, pairs, "offers").await
}

/// `GET /v1/customers/{tenant}/products`: the availabilities a customer can be sold, in Partner Center's JSON.
pub(super) async fn products_of(
    state: State<Doors>,
    path: Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    of_customer(state, path, call, pairs, "products").await
}

async fn of_customer(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    mut pairs: Pairs,
    noun: &'static str,
) -> Result<Reply, Problem> {
    let tenant: TenantId = text.parse()?;
    let address = collections::address(&format!("/customers/{tenant}/{noun}"), &pairs);
    let (listed, rest) = listed(&mut pairs)?;
    let asked = Asked::read(&doors, &OFFERS, Pairs(rest), &call, address, noun)?;
    let found = doors.app.look(call.rights, move |work| {
        let country = tenants::get(work, tenant)?.country;
        let read = |work: &mut Work, after: Option<&[u8]>, limit| {
            let mut page = offers::offers(work, tenant, &listed, after, limit)?;
            page.items.retain(|offer| offer.item.is_legacy() == (noun == "offers"));
            Ok(page)
        };
        asked.page(work, read, |_, offer: Offer| {
            Ok(if noun == "offers" { theirs::offer(&offer.item) } else { theirs::availability(&offer.item, &country) })
        })
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}/agreements`
pub(super) async fn agreements(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
) -> Result<Reply, Problem> {
    let id: TenantId = text.parse()?;
    let tenant = doors.app.look(call.rights, move |work| tenants::get(work, id)).await?;
    let items = tenant.agreed_at.map(|_| customers::customer_agreement(&tenant)).into_iter().collect();
    Ok(collections::all(&format!("/customers/{id}/agreements"), items))
}

/// `POST /v1/customers/{tenant}/agreements`: the customer has accepted the Microsoft Customer Agreement.
pub(super) async fn agree(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id: TenantId = text.parse()?;
    let body_read = Object::read(&body, &["type", "dateAgreed", "templateId", "primaryContact", "userId"])?;
    if body_read.text("type")?.is_some_and(|kind| !customers::is_customer_agreement(kind)) {
        let message = "the agreement that is recorded is MicrosoftCustomerAgreement";
        return Err(Refusal::new("unknown_agreement", message).into());
    }
    let at = body_read.instant("dateAgreed")?.ok_or_else(|| missing("dateAgreed"))?;
    call.act(&doors, &body, move |work| {
        let tenant = tenants::set_agreed(work, id, at)?;
        Ok(exact(&customers::customer_agreement(&tenant)).status(201).generation(tenant.generation))
    })
    .await
}

/// `GET /v1/products?country=`, which Partner Center asks for: products in its own JSON.
pub(super) async fn products(doors: Doors, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    list(doors, call, pairs, "/products", |product| !product.is_legacy() && !product.id.contains(':'), theirs::product)
        .await
}

/// `GET /v1/products/{id}?country=`, in the same way.
pub(super) async fn product(doors: Doors, id: String, call: Call, mut pairs: Pairs) -> Result<Reply, Problem> {
    let country = country(&mut pairs)?;
    pairs.end(&["country"])?;
    let found = doors.app.look(call.rights, move |work| catalog::product(work, &id)).await?;
    Ok(exact(&theirs::product(&found, &country)))
}
