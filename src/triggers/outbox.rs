//! The outbox: sends what is due to the endpoints of the configuration, signed as Standard Webhooks v1, and records
//! every attempt. At least once, with the same id, until an endpoint answers 2xx or its attempts are used up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Semaphore;

use crate::app::{App, Result};
use crate::config::{Endpoint, read_secrets};
use crate::domain::message::{self, Message};
use crate::domain::{Instant, calendar};
use crate::ops::{self, Rights};
use crate::signature::{self, Secret};
use crate::store::records::messages::{self, Attempt};
use crate::store::tables::AttemptKind;

/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Messages taken up in one go.
const PAGE_MESSAGES: usize = 200;
/// How long the pump rests when nothing is due.
const REST: Duration = Duration::from_millis(500);

type Sender = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Sends messages until `stop`.
pub async fn run_loop(app: App, stop: impl Future<Output = ()>) {
    if app.config().endpoints.is_empty() {
        return stop.await;
    }
    let connector =
        hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
    let sender: Sender = Client::builder(TokioExecutor::new()).build(connector);
    tokio::pin!(stop);
    loop {
        let sent = match pump(&app, &sender).await {
            Ok(sent) => sent,
            Err(error) => {
                tracing::error!(error = %crate::app::chain(&error), "the outbox failed; it is tried again");
                0
            }
        };
        let rest = if sent == 0 { REST } else { Duration::ZERO };
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Sends everything due once; how many attempts that were.
async fn pump(app: &App, sender: &Sender) -> Result<usize> {
    let now = app.now();
    let due = app
        .look(Rights::system(), move |work| {
            Ok(messages::attempts_due(&mut work.tx, AttemptKind::Message, Some(now), PAGE_MESSAGES)?)
        })
        .await?;
    let limits = &app.config().limits;
    let all = Arc::new(Semaphore::new(limits.messages_in_flight.max(1)));
    let per_endpoint: BTreeMap<String, Arc<Semaphore>> = app
        .config()
        .endpoints
        .keys()
        .map(|name| (name.clone(), Arc::new(Semaphore::new(limits.messages_in_flight_per_endpoint.max(1)))))
        .collect();
    let mut sending = Vec::new();
    for attempt in due {
        let (app, sender, all) = (app.clone(), sender.clone(), Arc::clone(&all));
        let own = per_endpoint.get(&attempt.which).cloned();
        sending.push(tokio::spawn(async move {
            let _one = all.acquire_owned().await;
            let _own = match own {
                Some(own) => own.acquire_owned().await.ok(),
                None => None,
            };
            send(&app, &sender, attempt).await
        }));
    }
    let mut sent = 0;
    for attempt in sending {
        match attempt.await {
            Ok(Ok(())) => sent += 1,
            Ok(Err(error)) => tracing::error!(error = %crate::app::chain(&error), "an attempt could not be recorded"),
            Err(error) => tracing::error!(%error, "an attempt ended without an answer"),
        }
    }
    Ok(sent)
}

async fn send(app: &App, sender: &Sender, attempt: Attempt) -> ops::Result<()> {
    let id = attempt.id;
    let found = app.look(Rights::system(), move |work| Ok(messages::get(&mut work.tx, id)?)).await?;
    let Some(message) = found.map(|stored| stored.value) else { return Ok(()) };
    let at = app.now();
    let outcome = match app.config().endpoints.get(&attempt.which) {
        None => Err(format!("there is no endpoint {} in the configuration", attempt.which)),
        Some(endpoint) => post(sender, endpoint, &message, at).await,
    };
    let place = usize::from(!outcome.as_ref().is_ok_and(|status| (200..300).contains(status)));
    app.counters().messages[place].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let tried = match outcome {
        Ok(status) => message::Attempt { at, status: Some(status), error: None },
        Err(error) => message::Attempt { at, status: None, error: Some(error) },
    };
    let cause = format!("outbox:{id}/{}@{}", attempt.which, attempt.due.timestamp_micros());
    app.act(Rights::system(), cause, move |work| {
        ops::messages::attempted(work, id, &attempt.which, attempt.due, tried.clone())
    })
    .await
}

/// The payload of a message: type, timestamp and data.
pub fn payload(message: &Message) -> String {
    let data: serde_json::Value = serde_json::from_str(&message.data).unwrap_or(serde_json::Value::Null);
    serde_json::json!({ "type": message.topic, "timestamp": calendar::show(message.at), "data": data }).to_string()
}

async fn post(
    sender: &Sender,
    endpoint: &Endpoint,
    message: &Message,
    at: Instant,
) -> std::result::Result<u16, String> {
    let body = payload(message);
    let id = message.id.to_string();
    let timestamp = at.timestamp();
    let signatures: Vec<String> = secrets(endpoint)
        .await?
        .iter()
        .map(|secret| signature::sign(secret, &id, timestamp, body.as_bytes()))
        .collect();
    let request = Request::post(&endpoint.url)
        .header("content-type", "application/json")
        .header("user-agent", concat!("bursar/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signatures.join(" "))
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let answered = tokio::time::timeout(TIMEOUT, async {
        let response = sender.request(request).await.map_err(|error| crate::app::chain(&error))?;
        let status = response.status().as_u16();
        // The body says nothing we need; a bounded read lets the connection be used again.
        drop(Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await);
        Ok(status)
    });
    answered.await.unwrap_or_else(|_| Err(format!("no answer within {} seconds", TIMEOUT.as_secs())))
}

async fn secrets(endpoint: &Endpoint) -> std::result::Result<Vec<Secret>, String> {
    let path = endpoint.secret_file.clone();
    let read = tokio::task::spawn_blocking(move || read_secrets(&path).map_err(|error| error.to_string()));
    read.await.map_err(|error| error.to_string())?
}
