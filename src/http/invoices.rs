//! Invoices in Partner Center's JSON, what is not invoiced yet, and what one customer's part comes to.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::body::{Object, missing};
use super::collections::{self, Asked as Part, sought, whole};
use super::lists::Pairs;
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json as own};
use crate::domain::TenantId;
use crate::domain::invoice::InvoiceId;
use crate::domain::selection::INVOICES;
use crate::ops::Work;
use crate::ops::invoices::{self, Wanted};
use crate::partner_center::invoices as shape;

/// Line items of one page, at most and unless the caller says otherwise.
const ITEMS_MAX: usize = 2_000;

fn bad(detail: &str) -> Problem {
    Problem::new(400, "bad_query", detail)
}

/// `GET /v1/invoices`
pub(super) async fn list(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let address = collections::address("/invoices", &pairs);
    let asked = Part::read(&doors, &INVOICES, pairs, &call, address, "")?;
    let found = doors.app.look(call.rights, move |work| {
        let selection = &asked.listing.selection;
        let read = |work: &mut Work, before: Option<&[u8]>, limit| invoices::list(work, selection, before, limit);
        asked.page(work, read, |_, invoice| Ok(shape::invoice(&invoice)))
    });
    Ok(found.await?)
}

/// `GET /v1/invoices/{id}`
pub(super) async fn show(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id: InvoiceId = text.parse()?;
    let invoice = doors.app.look(call.rights, move |work| invoices::get(work, id)).await?;
    Ok(Reply::exact(shape::invoice(&invoice).to_string()))
}

/// `GET /v1/invoices/summary`: of the only currency there is, or of the one named by `?currency=`.
pub(super) async fn summary(State(doors): State<Doors>, call: Call, mut pairs: Pairs) -> Result<Reply, Problem> {
    let currency = pairs.take("currency").map(|code| code.to_ascii_uppercase().parse()).transpose()?;
    pairs.end(&["currency"])?;
    let found = doors.app.look(call.rights, move |work| invoices::account(work, currency)).await?;
    Ok(Reply::exact(shape::summary(&found.whole, &found.by_type).to_string()))
}

/// `GET /v1/invoices/summaries`: one a currency.
pub(super) async fn summaries(State(doors): State<Doors>, call: Call) -> Result<Reply, Problem> {
    let found = doors.app.look(call.rights, invoices::accounts).await?;
    let items = found.iter().map(|account| shape::summary(&account.whole, &account.by_type)).collect();
    Ok(collections::all("/invoices/summaries", items))
}

/// `POST /v1/invoices/{id}/account`: what was paid of it so far, as the billing system knows.
pub(super) async fn account(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let id: InvoiceId = text.parse()?;
    let told = Object::read(&body, &["paid", "at"])?;
    let paid = told.money("paid")?.ok_or_else(|| missing("paid"))?;
    let at = told.instant("at")?;
    call.act(&doors, &body, move |work| {
        Ok(Reply::exact(shape::invoice(&invoices::set_paid(work, id, paid, at)?).to_string()))
    })
    .await
}

/// What of an invoice's line items is asked for.
struct Asked {
    wanted: Wanted,
    after: Option<(u64, u64)>,
    size: usize,
    is_empty: bool,
    query: String,
}

impl Asked {
    fn read(id: InvoiceId, mut pairs: Pairs, headers: &HeaderMap) -> Result<Asked, Problem> {
        let word = |text: Option<String>| text.map(|text| text.replace('_', "").to_ascii_lowercase());
        let provider = word(pairs.take("provider"));
        let own = id.kind.provider().as_str().replace('_', "");
        let known = ["all", "onetime", "office", "azure", "marketplace"];
        if provider.as_deref().is_some_and(|provider| !known.contains(&provider)) {
            return Err(bad("provider is one of onetime, office, azure, marketplace, all"));
        }
        let kind = word(pairs.take("invoicelineitemtype").or_else(|| pairs.take("invoiceLineItemType")));
        if kind.as_deref().is_some_and(|kind| !["billinglineitems", "usagelineitems"].contains(&kind)) {
            return Err(bad("invoicelineitemtype is billinglineitems or usagelineitems"));
        }
        // Usage is billed by whoever measures it; an invoice here has lines of its own provider only.
        let is_empty = kind.as_deref() == Some("usagelineitems")
            || provider.as_deref().is_some_and(|provider| provider != "all" && provider != own);
        let size = whole(pairs.take("size"), "size")?.unwrap_or(ITEMS_MAX);
        if !(1..=ITEMS_MAX).contains(&size) {
            return Err(bad(&format!("size is a whole number from 1 to {ITEMS_MAX}")));
        }
        let skip = whole(pairs.take("offset"), "offset")?.unwrap_or(0);
        let tenant: Option<TenantId> = pairs.take("customer").map(|text| text.parse()).transpose()?;
        let seeks = pairs.take("seekOperation").or_else(|| pairs.take("seekoperation"));
        let token = headers.get("ms-continuationtoken").map(|value| value.to_str().unwrap_or_default().to_owned());
        let token = pairs.take("cursor").or(token);
        sought(seeks.as_deref(), token.is_some())?;
        pairs.end(&["provider", "invoicelineitemtype", "size", "offset", "seekOperation", "customer", "cursor"])?;
        let forged = || Problem::new(400, "bad_cursor", "the continuation token is not one of this list");
        let after = token.map(|token| URL_SAFE_NO_PAD.decode(token).map_err(|_| forged())).transpose()?;
        let after = after.map(|bytes| invoices::read_cursor(&bytes)).transpose()?;
        let mut query = format!("{}&size={size}", shape::items_path(id));
        if let Some(tenant) = tenant {
            query.push_str(&format!("&customer={tenant}"));
        }
        Ok(Asked { wanted: Wanted { tenant, skip }, after, size, is_empty, query })
    }
}

/// `GET /v1/invoices/{id}/lineitems`
pub(super) async fn line_items(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    headers: HeaderMap,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    let id: InvoiceId = text.parse()?;
    let asked = Asked::read(id, pairs, &headers)?;
    let config = doors.app.config().invoices.clone();
    let found = doors.app.look(call.rights, move |work| {
        let size = if asked.is_empty { 1 } else { asked.size };
        let mut page = invoices::lines(work, id, asked.wanted, asked.after, size)?;
        if asked.is_empty {
            (page.items, page.next) = (Vec::new(), None);
        }
        let total = if asked.is_empty { 0 } else { invoices::line_count(work, id, asked.wanted.tenant)? };
        let mut items = Vec::with_capacity(page.items.len());
        for line in &page.items {
            let (customer_name, customer_domain) = invoices::customer(work, line.tenant)?;
            let parties = shape::Parties {
                partner_id: config.partner_id.clone(),
                mpn_id: config.mpn_id.clone(),
                customer_name,
                customer_domain,
            };
            items.push(shape::line_item(id, line, &parties));
        }
        let token = page.next.map(|next| URL_SAFE_NO_PAD.encode(next));
        let next = format!("{}&seekOperation=Next", asked.query);
        let next = token.as_deref().map(|token| (next.as_str(), token));
        Ok(Reply::exact(shape::line_items(items, total, &asked.query, next).to_string()))
    });
    Ok(found.await?)
}

/// `GET /v1/invoices/{id}/lineitems/{provider}/{kind}`: the same, as the links of Partner Center's invoices have it.
pub(super) async fn line_items_of(
    State(doors): State<Doors>,
    Path((text, provider, kind)): Path<(String, String, String)>,
    headers: HeaderMap,
    call: Call,
    mut pairs: Pairs,
) -> Result<Reply, Problem> {
    pairs.0.extend([("provider".to_owned(), provider), ("invoicelineitemtype".to_owned(), kind)]);
    line_items(State(doors), Path(text), headers, call, pairs).await
}

/// `GET /v1/invoices/{id}/customers/{tenant}`
pub(super) async fn statement(
    State(doors): State<Doors>,
    Path((text, tenant)): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (id, tenant): (InvoiceId, TenantId) = (text.parse()?, tenant.parse()?);
    let totals = doors.app.look(call.rights, move |work| invoices::statement(work, id, tenant)).await?;
    let mut shown = own::shown(&totals);
    shown["invoice"] = id.to_string().into();
    shown["tenant"] = tenant.to_string().into();
    shown["currency"] = id.currency.code().into();
    shown["total"] = totals.total().to_string().into();
    Ok(Reply::ok(shown))
}

/// `GET /v1/invoices/unbilled`
pub(super) async fn unbilled(State(doors): State<Doors>, call: Call, mut pairs: Pairs) -> Result<Reply, Problem> {
    let tenant: Option<TenantId> = pairs.take("customer").map(|text| text.parse()).transpose()?;
    pairs.end(&["customer"])?;
    let found = doors.app.look(call.rights, move |work| invoices::unbilled(work, tenant)).await?;
    let items: Vec<_> = found
        .iter()
        .map(|rest| {
            let mut shown = own::shown(rest);
            shown["total"] = rest.totals.total().to_string().into();
            shown
        })
        .collect();
    Ok(Reply::ok(json!({ "items": items, "nextCursor": null })))
}
