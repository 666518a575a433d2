//! Software of a customer in our own JSON: what was bought, what products come with, and its keys and links. A key or a
//! link is in the one answer to whoever may read it, and nowhere else.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value as Shown, json as made};

use super::body::Object;
use super::lists::{Listing, Pairs};
use super::problem::Problem;
use super::reply::{Call, Reply};
use super::{Doors, json};
use crate::domain::selection::Schema;
use crate::domain::software::{Choice, KEY_TYPE, Options, Sheet};
use crate::domain::{SubscriptionId, TenantId};
use crate::ops::keys::{self, Recording, What};
use crate::ops::software;
use crate::seal::Secret;

/// What is listed here is not selected from.
static SOFTWARE: Schema = Schema { noun: "software", fields: &[], aliases: &[], labels: false };

/// The members that choose among a product's keys and downloads.
const CHOICE: [&str; 5] = ["version", "language", "bit", "fileType", "operatingSystem"];

/// `GET /v1/customers/{tenant}/software`
pub(super) async fn list(
    State(doors): State<Doors>,
    Path(tenant): Path<String>,
    call: Call,
    pairs: Pairs,
) -> Result<Reply, Problem> {
    let tenant: TenantId = tenant.parse()?;
    let listing = Listing::read(&doors, &SOFTWARE, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = software::list(work, tenant, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |one| json::shown(&one)))
    });
    Ok(found.await?)
}

/// `GET /v1/customers/{tenant}/software/{id}`
pub(super) async fn show(
    State(doors): State<Doors>,
    Path(path): Path<(String, String)>,
    call: Call,
) -> Result<Reply, Problem> {
    let (tenant, id) = ids(&path)?;
    let found = doors.app.look(call.rights, move |work| software::get(work, tenant, id)).await?;
    Ok(Reply::ok(json::shown(&found)))
}

fn ids((tenant, id): &(String, String)) -> Result<(TenantId, SubscriptionId), Problem> {
    Ok((tenant.parse()?, id.parse()?))
}

/// `POST /v1/customers/{tenant}/software/{id}/keys`
pub(super) async fn put(
    State(doors): State<Doors>,
    Path(path): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id) = ids(&path)?;
    let told = Object::read(&body, &[&CHOICE[..], &["keyType", "key", "link", "deepLink"]].concat())?;
    let recording = Recording {
        choice: choice(&told)?,
        key_type: told.text("keyType")?.map(str::to_owned),
        key: told.text("key")?.map(|text| Secret::new(text.trim())),
        link: told.text("link")?.map(|text| Secret::new(text.trim())),
        deep_link: told.text("deepLink")?.map(str::to_owned),
    };
    call.act_unkept(&doors, move |work| {
        let entitlement = keys::put(work, tenant, id, &recording)?;
        Ok(Reply::ok(json::shown(&entitlement)).generation(entitlement.generation))
    })
    .await
}

/// `POST /v1/customers/{tenant}/software/{id}/keys/get`
pub(super) async fn key(
    State(doors): State<Doors>,
    Path(path): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id) = ids(&path)?;
    let asked = Object::read_optional(&body, &[&CHOICE[..], &["keyType"]].concat())?;
    let (chosen, key_type) = (choice(&asked)?, asked.text("keyType")?.map(str::to_owned));
    call.act_unkept(&doors, move |work| Ok(reply(keys::key(work, tenant, id, &chosen, key_type.as_deref())?))).await
}

/// `POST /v1/customers/{tenant}/software/{id}/links/get`
pub(super) async fn link(
    State(doors): State<Doors>,
    Path(path): Path<(String, String)>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    let (tenant, id) = ids(&path)?;
    let chosen = choice(&Object::read_optional(&body, &CHOICE)?)?;
    call.act_unkept(&doors, move |work| Ok(reply(keys::link(work, tenant, id, &chosen)?))).await
}

/// A key or link with the notice beside it (K-risk).
fn reply(shown: keys::Shown) -> Reply {
    let mut out = made!({
        "subscription": shown.subscription,
        "customer": shown.customer,
        "product": shown.product,
        "kind": shown.what.as_str(),
        "notice": shown.notice,
    });
    for (name, part) in shown.choice.parts() {
        if let Some(part) = part {
            out[name] = part.into();
        }
    }
    if shown.what == What::Key {
        out["keyType"] = KEY_TYPE.into();
        return Reply::ok(out).secret("key", shown.secret);
    }
    Reply::ok(out).secret("url", shown.secret)
}

fn choice(told: &Object) -> Result<Choice, Problem> {
    let text = |name: &str| told.text(name).map(|text| text.map(str::to_owned));
    Ok(Choice {
        version: text("version")?,
        language: text("language")?,
        bit: text("bit")?,
        file_type: text("fileType")?,
        operating_system: text("operatingSystem")?,
    })
}

/// `GET /v1/software`
pub(super) async fn sheets(State(doors): State<Doors>, call: Call, pairs: Pairs) -> Result<Reply, Problem> {
    let listing = Listing::read(&doors, &SOFTWARE, pairs)?;
    let found = doors.app.look(call.rights, move |work| {
        let page = software::sheets(work, listing.after.as_deref(), listing.limit)?;
        Ok(listing.reply(page, |sheet| json::shown(&sheet)))
    });
    Ok(found.await?)
}

/// `POST /v1/software`
pub(super) async fn describe(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    let known = [
        "product",
        "comesWith",
        "installationInstructionsUrl",
        "versions",
        "languages",
        "bits",
        "fileTypes",
        "operatingSystems",
    ];
    let told = Object::read(&body, &known)?;
    let list = |name: &str| -> Result<Vec<String>, Problem> {
        Ok(told.texts(name)?.unwrap_or_default().into_iter().map(str::to_owned).collect())
    };
    let sheet = Sheet {
        product: told.needed_text("product")?.to_owned(),
        comes_with: told.text("comesWith")?.unwrap_or_default().to_owned(),
        installation_instructions_url: told.text("installationInstructionsUrl")?.map(str::to_owned),
        options: Options {
            versions: list("versions")?,
            languages: list("languages")?,
            bits: list("bits")?,
            file_types: list("fileTypes")?,
            operating_systems: list("operatingSystems")?,
        },
    };
    call.act(&doors, &body, move |work| Ok(Reply::ok(json::shown(&software::describe(work, sheet.clone())?)))).await
}

/// `POST /v1/software/reseal`
pub(super) async fn reseal(State(doors): State<Doors>, call: Call) -> Result<Reply, Problem> {
    let (mut seen, mut moved, mut after) = (0, 0, None::<Vec<u8>>);
    loop {
        let from = after.take();
        let cause = doors.app.next_cause("http");
        let rights = call.rights.clone();
        let page = doors.app.act(rights, cause, move |work| keys::reseal(work, from.as_deref())).await?;
        (seen, moved) = (seen + page.seen, moved + page.moved);
        match page.next {
            None => return Ok(Reply::ok(Shown::from(made!({ "seen": seen, "resealed": moved })))),
            next => after = next,
        }
    }
}
