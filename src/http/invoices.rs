//! Invoices in Partner Center's JSON, what is not invoiced yet, and what one customer's part comes to.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json as own};
use crate::domain::TenantId;
use crate::domain::invoice::InvoiceId;
use crate::domain::selection::INVOICES;
use crate::json::Value;
use crate::ops::invoices::{self, Wanted};
use crate::partner_center::{invoices as shape, write};

/// Line items of one page, at most and unless the caller says otherwise.
const ITEMS_MAX: usize = 2_000;

fn bad(detail: &str) -> Problem {
    Problem::new(400, "bad_query", detail)
}

fn whole(text: Option<String>, name: &str) -> Result<Option<usize>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let read = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    read.map(Some).ok_or_else(|| bad(&format!("{name} is a whole number")))
}

/// `GET /v1/invoices`
pub(super) async fn list(State(doors): State<Doors>, call: Call, mut pairs: Pairs) -> Result<Reply, Problem> {
    if let Some(size) = pairs.take("size") {
        pairs.0.push(("limit".to_owned(), size));
    }
    let listing = Listing::read(&doors, &INVOICES, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = invoices::list(work, &listing.selection, listing.after.as_deref(), listing.limit)?;
        let items: Vec<Value> = page.items.iter().map(shape::invoice).collect();
        let cursor = page.next.map(|key| listing.cursor(&key));
        let next = cursor.as_ref().map(|cursor| format!("/invoices?limit={}&cursor={cursor}", listing.limit));
        let mut links = vec![("self", "/invoices")];
        links.extend(next.as_deref().map(|next| ("next", next)));
        let count = items.len();
        let mut shown = write::collection(items, count, &links);
        // Our own lists go on by a cursor; so does this one, beside Partner Center's link.
        if let (Value::Object(members), Some(cursor)) = (&mut shown, cursor) {
            members.push(("nextCursor".to_owned(), Value::String(cursor)));
        }
        Ok(Reply::exact(shown.to_string()))
    });
    Ok(found.await?)
}

/// `GET /v1/invoices/{id}`
pub(super) async fn show(State(doors): State<Doors>, Path(text): Path<String>, call: Call) -> Result<Reply, Problem> {
    let id: InvoiceId = text.parse()?;
    let invoice = doors.app.look(call.rights, move |work| invoices::get(work, id)).await?;
    Ok(Reply::exact(shape::invoice(&invoice).to_string()))
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
        if seeks.as_deref().is_some_and(|seeks| !seeks.eq_ignore_ascii_case("next"))
            || (seeks.is_some() && token.is_none())
        {
            return Err(bad("seekOperation is Next, with the MS-ContinuationToken of the page before"));
        }
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
        Ok(Reply::exact(shape::line_items(items, &asked.query, next).to_string()))
    });
    Ok(found.await?)
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
