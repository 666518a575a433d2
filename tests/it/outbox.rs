//! Messages that go out: signed, sent to who takes their topic, tried again until answered 2xx, every attempt kept.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bursar::app::{App, Options};
use bursar::clock::ManualClock;
use bursar::config::{self, Config};
use bursar::domain::message::{DeliveryState, Message};
use bursar::ops::{self, Rights};
use bursar::signature::{self, Headers};
use bursar::triggers::outbox;

use crate::cli_run::{Book, SUBSCRIPTION};
use crate::http_world::secret_file;
use crate::world::at;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

type Calls = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// An endpoint that answers the given statuses in turn, then the last one for ever.
async fn endpoint(statuses: &'static [u16]) -> (String, Calls) {
    let calls: Calls = Arc::default();
    let seen = Arc::clone(&calls);
    let answer = move |headers: HeaderMap, body: Bytes| {
        let seen = Arc::clone(&seen);
        async move {
            let mut seen = seen.lock().unwrap();
            let status = statuses[seen.len().min(statuses.len() - 1)];
            seen.push((headers, body));
            StatusCode::from_u16(status).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    tokio::spawn(async move { axum_serve(listener, Router::new().route("/in", post(answer))).await });
    (url, calls)
}

async fn axum_serve(listener: tokio::net::TcpListener, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let io = hyper_util::rt::TokioIo::new(stream);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

struct Sender {
    app: App,
    clock: ManualClock,
    _folder: tempfile::TempDir,
}

impl Sender {
    fn new(url: &str) -> Self {
        Self::with(&[("erp", url.to_owned(), "report.*")])
    }

    /// One with these endpoints: name, address, topic.
    fn with(endpoints: &[(&str, String, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("endpoint.secret");
        secret_file(&secret, &[SECRET]);
        let mut config = Config { library: folder.path().to_owned(), ..Config::default() };
        for (name, url, topic) in endpoints {
            let topics = vec![(*topic).to_owned()];
            let endpoint = config::Endpoint { url: url.clone(), secret_file: secret.clone(), topics };
            config.endpoints.insert((*name).to_owned(), endpoint);
        }
        let clock = ManualClock::new(at("2027-02-01T12:00:00Z"));
        let options = Options { clock: Some(Arc::new(clock.clone())), script_threads: Some(1), ..Options::default() };
        let app = App::in_memory(&config, [5; 16], None, options).unwrap();
        tokio::spawn(outbox::run_loop(app.clone(), std::future::pending()));
        Self { app, clock, _folder: folder }
    }

    async fn send(&self, topic: &'static str) -> bursar::domain::Id {
        let cause = self.app.next_cause("test");
        let body = move |work: &mut ops::Work| ops::messages::send(work, topic, "{\"n\":1}", None);
        self.app.act(Rights::system(), cause, body).await.unwrap()
    }

    fn message(&self, id: bursar::domain::Id) -> Message {
        self.app.read(Rights::system(), |work| ops::messages::get(work, id)).unwrap()
    }

    /// Waits until the message has had so many attempts.
    async fn attempts(&self, id: bursar::domain::Id, count: usize) -> Message {
        for _ in 0..500 {
            let message = self.message(id);
            if message.addressees.iter().map(|addressee| addressee.attempts.len()).sum::<usize>() >= count {
                return message;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no {count} attempts: {:?}", self.message(id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_signed_and_tried_again_until_it_is_taken() {
    let (url, calls) = endpoint(&[500, 200]).await;
    let sender = Sender::new(&url);
    let id = sender.send("report.ready").await;
    let other = sender.send("elsewhere.ready").await;
    let first = sender.attempts(id, 1).await;
    assert_eq!(first.addressees[0].attempts[0].status, Some(500));
    assert_eq!(first.addressees[0].next_attempt_at, Some(at("2027-02-01T12:00:05Z")), "again after five seconds");
    sender.clock.set(at("2027-02-01T12:00:05Z"));
    let second = sender.attempts(id, 2).await;
    assert_eq!((second.addressees[0].state, second.addressees[0].next_attempt_at), (DeliveryState::Sent, None));
    assert!(sender.message(other).addressees.is_empty(), "an endpoint gets the topics it takes");
    let calls = calls.lock().unwrap();
    assert_eq!(calls.len(), 2);
    for (headers, body) in calls.iter() {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let signed = Headers {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        let now = at("2027-02-01T12:00:05Z").timestamp();
        let verified = signature::verify(&[signature::Secret::parse(SECRET).unwrap()], signed, body, now, 300).unwrap();
        assert_eq!(verified.id, id.to_string(), "the same id at every attempt");
        let payload: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!((payload["type"].as_str(), payload["data"]["n"].as_i64()), (Some("report.ready"), Some(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_nobody_takes_is_dead_after_its_attempts_and_can_be_sent_again() {
    let (url, calls) = endpoint(&[503]).await;
    let sender = Sender::new(&url);
    let id = sender.send("report.ready").await;
    let mut message = sender.attempts(id, 1).await;
    for attempt in 2..=8 {
        sender.clock.set(message.addressees[0].next_attempt_at.unwrap());
        message = sender.attempts(id, attempt).await;
    }
    assert_eq!(message.addressees[0].state, DeliveryState::Dead);
    assert_eq!(calls.lock().unwrap().len(), 8);
    let cause = sender.app.next_cause("test");
    sender.app.act(Rights::system(), cause, move |work| ops::messages::resend(work, id)).await.unwrap();
    sender.attempts(id, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_for_its_next_attempt_is_sent_again_at_once_when_asked() {
    let (url, calls) = endpoint(&[503, 200]).await;
    let sender = Sender::new(&url);
    let id = sender.send("report.ready").await;
    let waits = sender.attempts(id, 1).await;
    assert_eq!(waits.addressees[0].state, DeliveryState::Pending);
    let again = || async {
        let cause = sender.app.next_cause("test");
        sender.app.act(Rights::system(), cause, move |work| ops::messages::resend(work, id)).await
    };
    assert!(again().await.unwrap().addressees[0].next_attempt_at < waits.addressees[0].next_attempt_at);
    again().await.unwrap();
    assert_eq!(sender.attempts(id, 2).await.addressees[0].state, DeliveryState::Sent);
    assert_eq!(calls.lock().unwrap().len(), 2);
    assert!(again().await.is_err_and(|error| error.to_string().contains("nobody left")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_answer_holds_up_nobody_else() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, calls) = endpoint(&[200]).await;
    let sender = Sender::with(&[
        ("silent", format!("http://{}/", silent.local_addr().unwrap()), "slow.*"),
        ("erp", url, "report.*"),
    ]);
    for _ in 0..60 {
        sender.send("slow.one").await;
    }
    let begun = bursar::clock::monotonic();
    let id = sender.send("report.ready").await;
    let message = sender.attempts(id, 1).await;
    assert_eq!(message.addressees[0].state, DeliveryState::Sent);
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "before any of the others is given up");
    assert_eq!(calls.lock().unwrap().len(), 1);
}

/// Whether a request is there with all of the body that its head tells of.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let told = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    told.is_none_or(|length: usize| body.len() >= length)
}

/// A receiver for the calls of a blocking test: what came, and the answer 204.
fn receiver() -> (String, std::sync::mpsc::Receiver<String>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            while !is_whole(&bytes) {
                let read = stream.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..read]);
                if read == 0 {
                    break;
                }
            }
            let _sent = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            if tell.send(String::from_utf8(bytes).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, told)
}

#[test]
fn the_daemon_sends_what_it_applied_and_so_does_a_tick_without_one() {
    let (url, received) = receiver();
    let book = Book::filled();
    let toml = std::fs::read_to_string(book.path("bursar.toml")).unwrap();
    let endpoint =
        format!("\n[endpoints.erp]\nurl = \"{url}\"\nsecret_file = \"erp.secret\"\ntopics = [\"subscription.*\"]\n");
    let alone = toml.replace("four_eyes = true", "four_eyes = false");
    book.write("bursar.toml", &format!("{alone}{endpoint}"));
    secret_file(&book.path("erp.secret"), &[SECRET]);
    let apply = |word: &str| {
        book.run(&["subscriptions", "auto-renew", SUBSCRIPTION, word]).exits(10);
        let waiting = book.json(&["requests", "list", "--where", "state=waiting"]);
        book.run(&["requests", "approve", waiting[0]["id"].as_str().unwrap()]).exits(0);
    };
    let daemon = book.serve();
    apply("off");
    let came = received.recv_timeout(std::time::Duration::from_secs(20)).expect("the daemon sends it");
    assert!(came.starts_with("POST /in HTTP/1.1") && came.contains("\"autoRenewEnabled\":false"), "{came}");
    let sent = || {
        let messages = book.json(&["messages", "list"]);
        let all = messages.as_array().unwrap().iter().flat_map(|message| message["addressees"].as_array().unwrap());
        all.filter(|addressee| addressee["state"] == "sent").count()
    };
    for _ in 0..100 {
        if sent() == 1 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(sent(), 1, "its attempt is recorded");
    assert_eq!(daemon.stop(), 0);

    apply("on");
    assert!(received.try_recv().is_err(), "nobody sends while nothing runs");
    assert_eq!(book.json(&["tick"])["messages"], 1);
    let came = received.recv_timeout(std::time::Duration::from_secs(5)).unwrap();
    assert!(came.contains("\"autoRenewEnabled\":true"), "{came}");
    assert_eq!(sent(), 2);
    assert_eq!(book.json(&["tick"])["messages"], 0, "what was sent is not sent again");
}
