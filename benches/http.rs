//! Calls from outside over loopback: `POST /hooks/x` until it is durable, and until what its script did is durable.
//!
//! A hook takes at most a thousand calls a second in the long run, so the connections share many hooks: as
//! many as one file may have triggers.

use crate::data;
use crate::sweep::{copied, generated, small};
use crate::table::{Line, median};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bursar::app::App;
use bursar::config::{Config, Hook, HookFormat};
use bursar::engine::sandbox::STACK_BYTES;
use bursar::server::{Listeners, serve};
use bursar::signature::{self, Headers, Secret};
use bursar::store::records::messages;
use bursar::store::tables::AttemptKind;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 64;
/// A file has at most so many triggers.
const HOOKS: usize = 32;
const ROUNDS: usize = 3;
const BODY_BYTES: usize = 1_024;

fn secret() -> Secret {
    Secret::from_bytes(vec![7; 32]).unwrap()
}

/// A folder whose library takes the calls, and the configuration with the hooks.
fn prepare(folder: &Path) -> Config {
    let mut config = data::config(folder);
    let path = folder.join("hook.secret");
    std::fs::write(&path, secret().reveal()).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, private).unwrap();
    for number in 0..HOOKS {
        let hook =
            Hook { secret_file: Some(path.clone()), tolerance: Duration::from_secs(300), format: HookFormat::Standard };
        config.hooks.insert(format!("h{number}"), hook);
    }
    let triggers: Vec<String> =
        (0..HOOKS).map(|number| format!("{{ hook = \"h{number}\", types = [\"note\"], call = \"take\" }}")).collect();
    let script = format!(
        "//! Writes what it is told on a subscription.\n//! ---\n//! grants = [\"subscriptions.read\", \"labels.write\"]\n\
         //! on = [{}]\n//! ---\n\nfn take(event) {{\n    subscription(event.data.text(\"subscription\"))\
         .label(\"note\", event.data.text(\"value\"));\n}}\n",
        triggers.join(", ")
    );
    let scripts = config.library.join("scripts");
    std::fs::create_dir_all(&scripts).unwrap();
    std::fs::write(scripts.join("take.rhai"), script).unwrap();
    config
}

fn body(number: usize) -> String {
    let id = data::subscription_id(number % small().all);
    let start = format!(r#"{{"type":"note","data":{{"subscription":"{id}","value":"call {number}","more":""#);
    let more = "x".repeat(BODY_BYTES.saturating_sub(start.len() + 3));
    format!("{start}{more}\"}}}}")
}

/// A signed call.
fn call(number: usize, at: i64) -> hyper::Request<Full<Bytes>> {
    let body = body(number);
    let id = format!("evt_{number:09}");
    let signed = signature::sign(&secret(), &id, at, body.as_bytes());
    hyper::Request::post(format!("/hooks/h{}", number % HOOKS))
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signed)
        .body(Full::new(Bytes::from(body)))
        .unwrap()
}

/// Sends the calls over the connections, each its share one after the other; seconds until all are answered.
async fn send(address: SocketAddr, calls: Vec<hyper::Request<Full<Bytes>>>) -> f64 {
    let mut shares: Vec<Vec<_>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for (index, call) in calls.into_iter().enumerate() {
        shares[index % CONNECTIONS].push(call);
    }
    let mut senders = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        senders.push(sender);
    }
    let begun = Instant::now();
    let tasks: Vec<_> = senders
        .into_iter()
        .zip(shares)
        .map(|(mut sender, share)| {
            tokio::spawn(async move {
                for call in share {
                    sender.ready().await.unwrap();
                    let response = sender.send_request(call).await.unwrap();
                    let status = response.status();
                    let text = response.into_body().collect().await.unwrap().to_bytes();
                    assert_eq!(status, StatusCode::ACCEPTED, "{}", String::from_utf8_lossy(&text));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    begun.elapsed().as_secs_f64()
}

/// The same reading of a call without a store: signature, body, hash, an answer.
async fn without_store(State(secrets): State<Arc<(Vec<Secret>, i64)>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let given =
        Headers { id: text("webhook-id"), timestamp: text("webhook-timestamp"), signature: text("webhook-signature") };
    if signature::verify(&secrets.0, given, &body, secrets.1, 300).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let hash = blake3::hash(&body).to_hex().to_string();
    match bursar::json::parse(&body) {
        Ok(value) if value.get("type").is_some() && !hash.is_empty() => StatusCode::ACCEPTED,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Serves a router on loopback until the runtime ends.
async fn served(router: axum::Router) -> SocketAddr {
    let listeners = Listeners::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let address = listeners.address().unwrap();
    tokio::spawn(async move {
        serve(listeners, router, &bursar::config::Limits::default(), std::future::pending()).await;
    });
    address
}

fn opened(folder: &Path) -> App {
    // A day before anything falls due.
    let clock = data::BenchClock::running(data::due(0) - chrono::TimeDelta::days(1));
    let options = bursar::app::Options {
        clock: Some(Arc::new(clock)),
        script_threads: Some(2),
        ..bursar::app::Options::default()
    };
    App::open(&prepare(folder), options).unwrap()
}

fn waiting(app: &App) -> usize {
    let mut tx = app.store().begin_durable().unwrap();
    messages::attempts_due(&mut tx, AttemptKind::Delivery, None, 1).unwrap().len()
}

pub(crate) fn http(lines: &mut Vec<Line>) {
    let base = generated(small());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(STACK_BYTES / 64)
        .enable_all()
        .build()
        .unwrap();
    let each = data::scaled(10_000);
    let calls = |first: usize, at: i64| (first..first + each).map(|number| call(number, at)).collect::<Vec<_>>();
    runtime.block_on(async {
        let (intake, whole) = (copied(base.path()), copied(base.path()));
        let (app, other) = (opened(intake.path()), opened(whole.path()));
        let at = app.now().timestamp();
        let bare = axum::Router::new()
            .route("/hooks/{hook}", axum::routing::post(without_store))
            .with_state(Arc::new((vec![secret()], at)));
        let bare = served(bare).await;
        let (address, other_address) =
            (served(bursar::http::router(app.clone())).await, served(bursar::http::router(other.clone())).await);
        tokio::spawn(bursar::triggers::run_loop(other.clone(), std::future::pending()));
        let (mut floors, mut taken, mut done) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let rate = |seconds: f64| each as f64 / seconds / 1e3;
            floors.push(rate(send(bare, calls(round * each, at)).await));
            taken.push(rate(send(address, calls(round * each, at)).await));
            let begun = Instant::now();
            let calls = calls(round * each, at);
            let signing = begun.elapsed();
            send(other_address, calls).await;
            while waiting(&other) > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            done.push(rate((begun.elapsed() - signing).as_secs_f64()));
        }
        let floor = median(floors);
        lines.push(Line::at_least("intake, 64 connections", (floor, "k/s"), median(taken), 0.30));
        lines.push(Line::at_least("end to end", (floor, "k/s"), median(done), 0.12));
    });
}
