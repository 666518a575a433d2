//! The store's own file: a copy made while it is served, for the operator at the machine alone, and a check of every row,
//! which whoever reads the whole activity log may ask for.

use std::path::PathBuf;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::json;

use super::Doors;
use super::auth::Peer;
use super::body::{Object, integer};
use super::problem::Problem;
use super::refused::internal;
use super::reply::{Call, Reply};
use crate::app::chain;
use crate::domain::Grant;
use crate::json::Value;
use crate::ops;
use crate::ops::rights;
use crate::ops::upkeep::{self, Counted};
use crate::store::{self, BackedUp};

/// Files are named on the machine of the daemon, so nobody over the network names one.
fn at_the_machine(call: &Call, peer: Option<Extension<Peer>>) -> Result<(), Problem> {
    call.rights.require_for_all(&Grant::StoreAdmin)?;
    match peer {
        Some(Extension(Peer::Operator)) => Ok(()),
        _ => Err(Problem::new(403, "forbidden", "only the operator at the machine copies the store's file")),
    }
}

/// `POST /v1/backup`: a copy as of now, under a name nothing has yet.
pub(super) async fn backup(
    State(doors): State<Doors>,
    peer: Option<Extension<Peer>>,
    call: Call,
    body: Bytes,
) -> Result<Reply, Problem> {
    at_the_machine(&call, peer)?;
    let file = PathBuf::from(Object::read(&body, &["file"])?.needed_text("file")?);
    if !file.is_absolute() {
        return Err(Problem::new(422, "schema", "file is an absolute path: the daemon's folder is not yours"));
    }
    let name = file.display().to_string();
    let copied = aside(move || doors.app.store().backup(&file, &mut |_| {})).await?;
    let BackedUp { seq, rows, bytes } = match copied {
        Err(error @ store::Error::Exists { .. }) => return Err(Problem::new(409, "file_exists", error.to_string())),
        Err(error @ store::Error::Unmade { .. }) => return Err(Problem::new(400, "bad_path", chain(&error))),
        Err(error) => {
            tracing::error!(file = name, "a copy of the store was not made");
            return Err(error.into());
        }
        Ok(copied) => copied,
    };
    Ok(Reply::ok(json!({ "file": name, "seq": seq, "rows": rows, "bytes": bytes })))
}

/// `POST /v1/verify`: reads every row and its checksum, the chain of the log and the sums of the invoices, a page at a
/// time, while the store is served. `held` asks for the chain's hash at a sequence.
pub(super) async fn verify(State(doors): State<Doors>, call: Call, body: Bytes) -> Result<Reply, Problem> {
    rights::to_verify(&call.rights)?;
    let held = match Object::read_optional(&body, &["held"])?.value("held") {
        None | Some(Value::Null) => None,
        Some(value) => u64::try_from(integer(value, "held")?).ok(),
    };
    let found = aside(move || -> ops::Result<_> {
        let store = doors.app.store();
        let verified = store.verify(&mut |_| {})?;
        let counted = Counted::of(store, held, &mut |_| {})?;
        Ok(upkeep::report(&verified, &counted))
    });
    Ok(Reply::ok(found.await??))
}

/// Long work on a thread where it holds nobody up.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error))
}
