//! The outbox: sends what is due to the endpoints of the configuration, signed as Standard Webhooks v1, and records
//! every attempt. At least once, with the same id, until an endpoint answers 2xx or its attempts are used up.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::{self, JoinSet};

use crate::app::{App, Result};
use crate::clock::monotonic;
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
/// Due messages looked at in one go: behind so many of an endpoint that does not answer, others are still found.
const PAGE_MESSAGES: usize = 10_000;
/// How long the outbox rests before it looks again.
const REST: Duration = Duration::from_millis(500);

type Sender = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Sends messages until `stop`. What is under way then is cut off, and sent again at the next start.
pub async fn run_loop(app: App, stop: impl Future<Output = ()>) {
    if app.config().endpoints.is_empty() {
        return stop.await;
    }
    let mut outbox = Outbox::new(&app);
    tokio::pin!(stop);
    loop {
        if let Err(error) = outbox.take_up().await {
            tracing::error!(error = %crate::app::chain(&error), "the outbox failed; it is tried again");
        }
        let going_on = async {
            // What could not be recorded is still due: it is not sent again at once.
            if !outbox.is_sending() || !outbox.ended().await {
                tokio::time::sleep(REST).await;
            }
        };
        tokio::select! {
            () = &mut stop => return,
            () = going_on => {}
            () = tokio::time::sleep(REST) => {}
        }
    }
}

/// Sends everything that is due once, for a process that does not stay; how many attempts that were.
///
/// # Errors
/// The store's failure.
pub async fn send_due(app: &App) -> Result<usize> {
    if app.config().endpoints.is_empty() {
        return Ok(0);
    }
    let mut outbox = Outbox::new(app);
    let mut sent = 0;
    loop {
        outbox.take_up().await?;
        if !outbox.is_sending() || !outbox.ended().await {
            return Ok(sent);
        }
        sent += 1;
    }
}

/// What is to be sent and what is being sent. A slow endpoint fills its own places and nobody else's.
struct Outbox {
    app: App,
    sender: Sender,
    /// What was due when somebody last looked, and when that was.
    due: VecDeque<Attempt>,
    looked: Option<std::time::Instant>,
    sending: JoinSet<ops::Result<()>>,
    under_way: HashMap<task::Id, Attempt>,
}

impl Outbox {
    fn new(app: &App) -> Self {
        let connector =
            hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let sender = Client::builder(TokioExecutor::new()).build(connector);
        let (sending, under_way) = (JoinSet::new(), HashMap::new());
        Self { app: app.clone(), sender, due: VecDeque::new(), looked: None, sending, under_way }
    }

    fn is_sending(&self) -> bool {
        !self.sending.is_empty()
    }

    /// Begins to send what is due, as far as there are places.
    async fn take_up(&mut self) -> Result<()> {
        let reading = monotonic();
        let fresh = |looked| reading.saturating_duration_since(looked) < REST;
        if self.due.is_empty() || !self.looked.is_some_and(fresh) {
            self.look().await?;
            self.looked = Some(reading);
        }
        let limits = &self.app.config().limits;
        let (all, per_endpoint) = (limits.messages_in_flight, limits.messages_in_flight_per_endpoint);
        let mut held: HashMap<String, usize> = HashMap::new();
        for attempt in self.under_way.values() {
            *held.entry(attempt.which.clone()).or_default() += 1;
        }
        for attempt in std::mem::take(&mut self.due) {
            let own = held.entry(attempt.which.clone()).or_default();
            if self.under_way.len() >= all.max(1) || *own >= per_endpoint.max(1) {
                self.due.push_back(attempt);
                continue;
            }
            *own += 1;
            let (app, sender, taken) = (self.app.clone(), self.sender.clone(), attempt.clone());
            let task = self.sending.spawn(async move { send(&app, &sender, taken).await });
            self.under_way.insert(task.id(), attempt);
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<()> {
        let now = self.app.now();
        let looking = self.app.look(Rights::system(), move |work| {
            Ok(messages::attempts_due(&mut work.tx, AttemptKind::Message, Some(now), PAGE_MESSAGES)?)
        });
        let found = looking.await?;
        let under_way = |attempt: &Attempt| self.under_way.values().any(|one| one == attempt);
        self.due = found.into_iter().filter(|attempt| !under_way(attempt)).collect();
        Ok(())
    }

    /// Waits until one is recorded; whether it was.
    async fn ended(&mut self) -> bool {
        let Some(ended) = self.sending.join_next_with_id().await else { return false };
        match ended {
            Ok((task, outcome)) => {
                self.under_way.remove(&task);
                if let Err(error) = &outcome {
                    tracing::error!(error = %crate::app::chain(error), "an attempt could not be recorded");
                }
                outcome.is_ok()
            }
            Err(error) => {
                self.under_way.remove(&error.id());
                tracing::error!(%error, "an attempt ended without an answer");
                false
            }
        }
    }
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
    let read = task::spawn_blocking(move || read_secrets(&path).map_err(|error| error.to_string()));
    read.await.map_err(|error| error.to_string())?
}
