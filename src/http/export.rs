//! Every record as one line of JSON. The lines are made page by page, each page from a short snapshot of its own, and
//! sent as fast as they are taken; nothing is held for the slowest reader.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde_json::json;
use tokio::sync::mpsc;

use super::problem::Problem;
use super::reply::Call;
use super::{Doors, json as shown};
use crate::domain::Grant;
use crate::ops::{self, Rights, export};

/// Pages that may wait for the reader.
const PAGES_AHEAD: usize = 2;

/// `GET /v1/export`
pub(super) async fn all(State(doors): State<Doors>, call: Call) -> Result<Response, Problem> {
    call.rights.require_for_all(&Grant::StoreAdmin)?;
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    let rights = call.rights;
    tokio::task::spawn_blocking(move || {
        if let Err(error) = write(&doors, &rights, &sender) {
            tracing::error!(error = %crate::app::chain(&error), "an export ended early");
            // The reader sees a broken answer and not a short one.
            let _gone = sender.blocking_send(Err(std::io::Error::other("the export ended early")));
        }
    });
    let body = Body::new(Lines { receiver });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

type Sender = mpsc::Sender<std::io::Result<Bytes>>;

fn write(doors: &Doors, rights: &Rights, sender: &Sender) -> ops::Result<()> {
    for noun in export::NOUNS {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let place = after.take();
            let page = doors
                .app
                .read(rights.clone(), |work| export::page(work, noun, place.as_deref(), shown::subscription))?;
            let mut lines = String::new();
            for record in page.records {
                lines.push_str(&json!({ "noun": noun, "record": record }).to_string());
                lines.push('\n');
            }
            if !lines.is_empty() && sender.blocking_send(Ok(lines.into())).is_err() {
                return Ok(());
            }
            match page.next {
                None => break,
                next => after = next,
            }
        }
    }
    Ok(())
}

/// A body made of what comes through a channel.
struct Lines {
    receiver: mpsc::Receiver<std::io::Result<Bytes>>,
}

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.receiver.poll_recv(context).map(|next| next.map(|page| page.map(Frame::data)))
    }
}
