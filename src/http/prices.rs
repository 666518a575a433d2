//! What the partner asks a customer for products, beside what they cost it.

use axum::body::Bytes;
use axum::extract::{Path, State};

use super::body::{Object, missing};
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json};
use crate::domain::TenantId;
use crate::domain::selection::Schema;
use crate::ops::prices::{self, Which};

/// Prices are walked and not selected from.
static PRICES: Schema = Schema { noun: "prices", fields: &[], aliases: &[], labels: false };

/// `GET /v1/tenants/{id}/prices`
pub(super) async fn list(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    let tenant: TenantId = text.parse()?;
    let listing = Listing::read(&doors, &PRICES, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = prices::list(work, tenant, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |price| json::shown(&price)))
    });
    Ok(found.await?)
}

/// `PUT /v1/tenants/{id}/prices`: sets a price, from the date `validFrom` on where it says one; `"unitPrice": null`
/// takes it away.
pub(super) async fn set(
    State(doors): State<Doors>,
    Path(text): Path<String>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let tenant: TenantId = text.parse()?;
    let told = Object::read(&body, &["product", "termDuration", "billingCycle", "validFrom", "unitPrice"])?;
    // Taking a price away is said, so that leaving it out takes nothing away.
    let goes = told.value("unitPrice").ok_or_else(|| missing("unitPrice"))?.is_null();
    let unit_price = if goes { None } else { told.money("unitPrice")? };
    let which = Which {
        product: told.needed_text("product")?.to_owned(),
        term_duration: told.span("termDuration")?,
        billing_cycle: told.text("billingCycle")?.map(str::to_owned),
        valid_from: told.day("validFrom")?,
    };
    call.act(&doors, &body, move |work| {
        let shown = match unit_price {
            None => prices::remove(work, tenant, &which)?,
            Some(unit_price) => prices::set(work, which.clone().at(tenant, unit_price))?,
        };
        Ok(Reply::ok(json::shown(&shown)))
    })
    .await
}
