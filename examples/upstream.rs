//! Receives Bursar's messages and prints the Partner Center call of each: the place to begin a program that sends them.
//!
//! `BURSAR_SECRET=whsec_... cargo run --example upstream -- --listen 127.0.0.1:9090`
//!
//! Every message is signed as Standard Webhooks v1 asks; what is not signed is not believed. A message may come twice:
//! its id says so, and `MS-RequestId` makes the second call at Partner Center harmless.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bursar::clock::{Clock, SystemClock};
use bursar::json::{self, Value};
use bursar::signature::{self, Headers, Secret, TOLERANCE_SECONDS};
use clap::Parser;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;

/// Message ids remembered, so that a message that comes again is not done again.
const REMEMBERED_MAX: usize = 10_000;

/// How long a peer may take to send its headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// Prints the Partner Center call of every message.
#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// The endpoint's secret, `whsec_...`.
    #[arg(long, env = "BURSAR_SECRET", hide_env_values = true)]
    secret: String,
}

struct Receiver {
    secret: Secret,
    seen: Mutex<VecDeque<String>>,
}

impl Receiver {
    /// Whether this id is new; remembers it.
    fn is_new(&self, id: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.iter().any(|known| known == id) {
            return false;
        }
        if seen.len() == REMEMBERED_MAX {
            seen.pop_front();
        }
        seen.push_back(id.to_owned());
        true
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let receiver = Receiver { secret: Secret::parse(&options.secret)?, seen: Mutex::default() };
    let router = axum::Router::new()
        .route("/", post(receive))
        .layer(DefaultBodyLimit::max(json::BYTES_MAX))
        .with_state(Arc::new(receiver));
    let listener =
        tokio::net::TcpListener::bind(options.listen).await.with_context(|| format!("listen at {}", options.listen))?;
    eprintln!("waiting for messages at http://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            // A peer that goes away is its own business; it sends again.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WITHIN)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let headers = Headers {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let now = SystemClock.now().timestamp();
    let secrets = std::slice::from_ref(&receiver.secret);
    let verified = match signature::verify(secrets, headers, &body, now, TOLERANCE_SECONDS) {
        Ok(verified) => verified,
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            return (status, error.to_string());
        }
    };
    let message = match json::parse(&body) {
        Ok(message) => message,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()),
    };
    if receiver.is_new(&verified.id) {
        print_call(&verified.id, &message);
    }
    (StatusCode::NO_CONTENT, String::new())
}

/// Prints what a sender would send. Here is where it would: with the body merged over what `GET` answers, `If-Match` of
/// its ETag, and the same `MS-RequestId` until there is an answer.
fn print_call(id: &str, message: &Value) {
    let topic = message.get("type").and_then(Value::as_str).unwrap_or("?");
    let call = message.get("data").and_then(|data| data.get("upstream")).filter(|call| !call.is_null());
    let Some(call) = call else {
        println!("{id} {topic}: nothing to tell Partner Center\n");
        return;
    };
    let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or("?");
    println!("# {id} {topic}");
    println!("{} https://api.partnercenter.microsoft.com{} HTTP/1.1", text("method"), text("path"));
    println!("MS-RequestId: {}", text("msRequestId"));
    println!("Content-Type: application/json\n\n{}\n", call.get("body").cloned().unwrap_or_default());
}
