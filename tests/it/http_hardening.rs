//! What a hostile or broken client gets: raw bytes to a real socket. The checks take an address, so that they hold for
//! any server; the rows are named as in the list of bad inputs they come from.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bursar::clock::monotonic;
use bursar::config::Limits;
use bursar::http::auth::Peer;
use bursar::http::guard::RequestId;
use bursar::http::problem::Problem;
use bursar::server::{Listeners, Stopped, serve};

use crate::http_world::World;
use crate::raw::{Answer, Buffered, JSON, answer, connect, get_request, post_request, read_answer, send, with_header};

#[derive(Clone, Copy, PartialEq)]
enum After {
    Closed,
    Open,
}

#[track_caller]
fn check(address: SocketAddr, bytes: impl AsRef<[u8]>, status: u16, code: &str, after: After) -> Answer {
    let shown = String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(200)]).into_owned();
    let answer = send(address, bytes);
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{shown:?}: {}", answer.body);
    assert_eq!(answer.closed, after == After::Closed, "closed after {shown:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.header("x-request-id").is_some());
    answer
}

// ---- The rows: each takes an address, and a path that reads JSON where it needs one ----

fn heads_that_are_not_http(address: SocketAddr) {
    check(address, "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505, "http_version", After::Closed); // H1
    let framing = [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", // H4
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", // H5
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", // H6
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", // H8
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5 5\r\n\r\nhello",
        "GET / HTTP/1.1\nHost: h\n\n", // H20
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
        "nonsense\r\n\r\n",
    ];
    for bytes in framing {
        check(address, bytes, 400, "bad_framing", After::Closed);
    }
    let huge = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\n";
    check(address, huge, 413, "payload_too_large", After::Closed);
}

fn chunks_that_are_not_chunks(address: SocketAddr, path: &str) {
    for chunk in ["FFFFFFFFFFFFFFFFF\r\n", "-1\r\n", "zz\r\n", "5\r\nhelloXX"] {
        let bytes = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n{chunk}");
        check(address, bytes, 400, "bad_framing", After::Closed); // H7
    }
}

fn heads_that_are_too_large(address: SocketAddr) {
    let long = |bytes: usize| get_request(&format!("/{}", "x".repeat(bytes - 1)));
    check(address, long(9 * 1024), 414, "uri_too_long", After::Open); // H2
    check(address, long(8 * 1024 + 1), 414, "uri_too_long", After::Open);
    check(address, long(8 * 1024), 404, "not_found", After::Open);
    check(address, long(70 * 1024), 414, "uri_too_long", After::Closed);
    let many = |headers: usize| with_header(&vec!["A: b"; headers - 1].join("\r\n"));
    check(address, many(101), 431, "headers_too_large", After::Closed); // H3
    assert_eq!(send(address, many(100)).status, 200);
    check(address, with_header(&format!("A: {}", "x".repeat(65 * 1024))), 431, "headers_too_large", After::Closed);
    assert_eq!(send(address, with_header(&format!("A: {}", "x".repeat(63 * 1024)))).status, 200);
}

/// `fits` is what the route answers to a JSON text of any length.
fn bodies_that_are_too_large(address: SocketAddr, path: &str, limit: usize, fits: u16) {
    let answered = fits;
    let head =
        |length: usize| format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: {length}\r\n\r\n");
    check(address, head(limit + 1), 413, "payload_too_large", After::Closed); // H9: not a byte of it was sent
    let whole = format!("{}\"{}\"", head(limit + 1), "x".repeat(limit - 1));
    check(address, whole, 413, "payload_too_large", After::Closed);
    // A client that sends all before it listens is not cut off in the middle: it would never see the answer.
    let mut stream = connect(address);
    let large = 8 * limit;
    stream.write_all(head(large).as_bytes()).unwrap();
    for _ in 0..large / 4096 {
        stream.write_all(&[b' '; 4096]).unwrap();
        std::thread::sleep(Duration::from_micros(300));
    }
    assert_eq!(answer(&mut stream).unwrap().status, 413);
    let fits = format!("{}\"{}\"", head(limit), "x".repeat(limit - 2));
    assert_eq!(send(address, fits).status, answered, "a body of exactly the limit is read");
    // H10: a sender that never ends gets its answer while it is still sending.
    let mut stream = connect(address);
    let mut sender = stream.try_clone().unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n");
    let sending = std::thread::spawn(move || {
        sender.write_all(head.as_bytes()).unwrap();
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
        let mut sent = 0;
        while sender.write_all(chunk.as_bytes()).is_ok() && sent < 64 << 20 {
            sent += 4096;
        }
        sent
    });
    let answer = answer(&mut stream).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (413, "payload_too_large"));
    drop(stream);
    assert!(sending.join().unwrap() < 64 << 20, "the sender was cut off");
}

fn slow_heads(address: SocketAddr, deadline: Duration) {
    let mut stream = connect(address); // H11
    let started = monotonic();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
    let late = answer(&mut stream).unwrap();
    assert_eq!((late.status, late.code().as_str(), late.closed), (408, "request_timeout", true));
    assert!(started.elapsed() >= deadline && started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    // Dripping does not help.
    let mut stream = connect(address);
    let mut sender = stream.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        while sender.write_all(b"A").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(answer(&mut stream).unwrap().status, 408);
    drop(stream);
    dripping.join().unwrap();
    // Saying nothing ends without an answer, before and after a request.
    assert!(answer(&mut connect(address)).is_none());
    let mut stream = connect(address);
    stream.write_all(get_request("/v1/customers").as_bytes()).unwrap();
    assert_eq!(answer(&mut stream).unwrap().status, 200);
    assert!(answer(&mut stream).is_none());
}

fn slow_bodies(address: SocketAddr, path: &str) {
    let mut stream = connect(address); // H12
    let mut sender = stream.try_clone().unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: 1000\r\n\r\n");
    let dripping = std::thread::spawn(move || {
        sender.write_all(head.as_bytes()).unwrap();
        while sender.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let late = answer(&mut stream).unwrap();
    assert_eq!((late.status, late.code().as_str()), (408, "request_timeout"));
    drop(stream);
    dripping.join().unwrap();
}

/// `read` is what the route answers to an empty object.
fn media_types(address: SocketAddr, path: &str, read: u16) {
    let types = [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/json; charset=latin1",
        "text/csv",
        "application/x-www-form-urlencoded",
    ];
    let headers = types.map(|media| format!("Content-Type: {media}\r\n"));
    for header in
        headers.iter().map(String::as_str).chain(["", "Content-Type: application/json\r\nContent-Type: text/plain\r\n"])
    {
        check(address, post_request(path, header, "{}"), 415, "unsupported_media_type", After::Closed); // H13
    }
    let zipped = post_request(path, &format!("{JSON}Content-Encoding: gzip\r\n"), "{}");
    check(address, zipped, 415, "unsupported_media_type", After::Closed); // H14
    for media in ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"] {
        let answer = send(address, post_request(path, &format!("Content-Type: {media}\r\n"), "{}"));
        assert_eq!((answer.status, answer.closed), (read, false), "{media}");
    }
    for accept in ["image/png", "image/png, audio/*", "application/json;q=0"] {
        check(address, with_header(&format!("Accept: {accept}")), 406, "not_acceptable", After::Open); // H15
    }
    for accept in ["*/*", "application/json", "image/png, */*;q=0.1", "text/html", ""] {
        assert_eq!(send(address, with_header(&format!("Accept: {accept}"))).status, 200, "{accept}");
    }
}

fn methods(address: SocketAddr) {
    for line in ["TRACE /v1/customers", "CONNECT localhost:80", "FOO /v1/customers"] {
        let bytes = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = send(address, bytes); // H16
        assert_eq!((answer.status, answer.code().as_str()), (501, "method_not_implemented"), "{line}");
        assert!(answer.header("allow").unwrap().contains("GET"));
    }
    let delete = "DELETE /v1/customers HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = check(address, delete, 405, "method_not_allowed", After::Open); // H17
    assert!(answer.header("allow").unwrap().contains("GET"), "{:?}", answer.headers);
}

fn paths(address: SocketAddr) {
    for path in [
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/%2E./x",
        "/v1/./x",
        "//v1//x",
        "/v1//customers",
        "/v1/a%00b",
        "/v1/%ff",
        "/v1/a%2fb",
        "/v1/%5c",
        "/v1/%",
        "/v1/%zz",
        "/v1/%0a",
    ] {
        check(address, get_request(path), 400, "bad_path", After::Open); // H18
    }
    check(address, get_request("/v1/nowhere"), 404, "not_found", After::Open);
}

fn hosts(address: SocketAddr) {
    check(address, "GET /v1/customers HTTP/1.1\r\n\r\n", 400, "bad_host", After::Open); // H19
    check(address, "GET /v1/customers HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_host", After::Open);
    check(address, "GET /v1/customers HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_host", After::Open);
    check(address, "GET http://evil/v1/customers HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_host", After::Open);
    check(address, "GET /console HTTP/1.1\r\nHost: evil\r\n\r\n", 421, "misdirected_request", After::Open);
    let answer = send(address, "GET http://localhost/v1/customers HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(answer.status, 200);
    assert_eq!(send(address, "GET /v1/customers HTTP/1.0\r\n\r\n").status, 200, "1.0 needs no host");
}

// ---- A small server to hold against the rows ----

#[derive(Clone, Default)]
struct Seen {
    echoes: Arc<AtomicUsize>,
}

async fn echo(State(seen): State<Seen>, body: Bytes) -> Response {
    seen.echoes.fetch_add(1, Ordering::SeqCst);
    match bursar::json::parse(&body) {
        Ok(value) => ([("content-type", "application/json")], value.to_string()).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn who(Extension(peer): Extension<Peer>, Extension(id): Extension<RequestId>) -> String {
    match peer {
        Peer::Network(address) => format!("network {} {}", address.ip(), id.0),
        Peer::Operator => format!("operator {}", id.0),
    }
}

async fn wait(Path(milliseconds): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    "waited"
}

async fn explode() -> &'static str {
    panic!("a handler that panics")
}

struct Server {
    address: SocketAddr,
    seen: Seen,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<Stopped>>,
}

impl Server {
    fn start(limits: Limits) -> Server {
        Server::start_with(limits, None)
    }

    /// The real doors, behind which everybody shows a good token.
    fn doors(limits: Limits) -> Server {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (world, secret) = runtime.block_on(async {
            let world = World::new().await;
            let secret = world.token("everybody", &["*"], None).await;
            (world, secret)
        });
        let value: axum::http::HeaderValue = format!("Bearer {secret}").parse().unwrap();
        let with_token = move |mut request: axum::extract::Request| {
            let value = value.clone();
            async move {
                request.headers_mut().entry("authorization").or_insert(value);
                request
            }
        };
        let router = world.router.clone().layer(axum::middleware::map_request(with_token));
        Server::serve(router, Seen::default(), limits, None)
    }

    fn start_with(limits: Limits, socket: Option<std::path::PathBuf>) -> Server {
        let seen = Seen::default();
        let router = Router::new()
            .route("/v1/echo", post(echo))
            .route("/v1/customers", get(|| async { "[]" }))
            .route("/v1/who", get(who))
            .route("/v1/wait/{milliseconds}", get(wait))
            .route("/v1/explode", get(explode))
            .route("/v1/endless", get(|| async { "x".repeat(64 << 20) }))
            .route("/console", get(|| async { "console" }))
            .with_state(seen.clone());
        Server::serve(router, seen, limits, socket)
    }

    fn serve(router: Router, seen: Seen, limits: Limits, socket: Option<std::path::PathBuf>) -> Server {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let listeners = Listeners::bind("127.0.0.1:0".parse().unwrap(), socket.as_deref()).await.unwrap();
                tell.send(listeners.address().unwrap()).unwrap();
                serve(listeners, router, &limits, async { drop(stopped.await) }).await
            })
        });
        Server { address: told.recv().unwrap(), seen, stop: Some(stop), thread: Some(thread) }
    }

    fn echoes(&self) -> usize {
        self.seen.echoes.load(Ordering::SeqCst)
    }

    fn stop(&mut self) -> Stopped {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap()
    }
}

fn quick() -> Limits {
    let short = Duration::from_millis(400);
    Limits {
        header_deadline: short,
        body_deadline: short,
        request_deadline: short,
        stop_deadline: short,
        ..Limits::default()
    }
}

#[test]
fn every_row_is_refused_with_its_own_problem() {
    let server = Server::start(Limits::default());
    heads_that_are_not_http(server.address);
    chunks_that_are_not_chunks(server.address, "/v1/echo");
    heads_that_are_too_large(server.address);
    media_types(server.address, "/v1/echo", 200);
    methods(server.address);
    paths(server.address);
    hosts(server.address);
    assert_eq!(server.echoes(), 3, "only the three good bodies reached the route");
    bodies_that_are_too_large(server.address, "/v1/echo", 256 * 1024, 200);
    assert_eq!(server.echoes(), 4);
}

#[test]
fn every_row_is_refused_by_the_real_doors() {
    let server = Server::doors(Limits::default());
    let path = "/v1/terms/quote";
    heads_that_are_not_http(server.address);
    chunks_that_are_not_chunks(server.address, path);
    heads_that_are_too_large(server.address);
    media_types(server.address, path, 422);
    methods(server.address);
    paths(server.address);
    hosts(server.address);
    bodies_that_are_too_large(server.address, path, 256 * 1024, 422);
}

/// Whoever asks is not known before a body is there: only so many large ones are held, whoever sends them.
#[test]
fn only_so_many_large_bodies_are_held_at_once() {
    let server = Server::doors(Limits { import_bodies: 2, ..Limits::default() });
    let head = |length: usize| {
        format!("POST /v1/import HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: {length}\r\n\r\n")
    };
    let begin = || {
        let mut stream = connect(server.address);
        stream.write_all(head(1 << 20).as_bytes()).unwrap();
        stream.write_all(&[b' '; 4096]).unwrap();
        stream
    };
    let held = [begin(), begin()];
    let until = monotonic() + Duration::from_secs(20);
    // Once the first two have been taken up there is no place for a third.
    std::thread::sleep(Duration::from_millis(500));
    let said = answer(&mut begin()).unwrap();
    assert_eq!((said.status, said.code().as_str()), (503, "busy"));
    // A small one needs no place, and one that is through leaves its own.
    assert_ne!(send(server.address, format!("{}{{}}", head(2))).status, 503);
    drop(held);
    let whole = format!("{}\"{}\"", head(300_000), "x".repeat(299_998));
    while send(server.address, whole.clone()).status == 503 {
        assert!(monotonic() < until, "a place is never given back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn slow_senders_are_ended_by_the_real_doors() {
    let server = Server::doors(quick());
    slow_heads(server.address, Duration::from_millis(400));
    slow_bodies(server.address, "/v1/terms/quote");
}

#[test]
fn nothing_after_a_refused_body_reaches_the_real_doors() {
    let server = Server::doors(Limits::default());
    let path = format!("/v1/tenants/{}/labels/smuggled", crate::http_world::TENANT);
    let second = post_request(&path, JSON, "{\"value\":\"x\"}").replacen("POST", "PUT", 1); // H33
    for first in [
        post_request("/v1/terms/quote", "Content-Type: text/plain\r\n", "{}"),
        format!("POST /v1/terms/quote HTTP/1.1\r\nHost: h\r\n{JSON}Content-Length: 300000\r\n\r\n"),
    ] {
        let answer = send(server.address, format!("{first}{second}"));
        assert!(answer.status >= 400 && answer.closed, "{first:?} gave {}", answer.status);
    }
    let tenant = send(server.address, get_request(&format!("/v1/tenants/{}", crate::http_world::TENANT)));
    assert_eq!(tenant.status, 200);
    assert!(!tenant.body.contains("smuggled"), "{}", tenant.body);
    assert_eq!(send(server.address, second).status, 200, "by itself it is done");
}

#[test]
fn slow_senders_are_ended() {
    let server = Server::start(quick());
    slow_heads(server.address, Duration::from_millis(400));
    slow_bodies(server.address, "/v1/echo");
    assert_eq!(server.echoes(), 0);
}

#[test]
fn nothing_after_a_refused_body_is_executed() {
    let server = Server::start(Limits::default());
    let second = post_request("/v1/echo", JSON, "{}"); // H33
    for first in [
        post_request("/v1/echo", "Content-Type: text/plain\r\n", "{}"),
        post_request("/v1/../echo", JSON, "{}"),
        format!("POST /v1/echo HTTP/1.1\r\nHost: h\r\n{JSON}Content-Length: 300000\r\n\r\n"),
        format!("POST /v1/echo HTTP/1.1\r\nHost: h\r\n{JSON}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}"),
        "POST /v1/echo HTTP/1.1\r\nHost: h\r\nContent-Type: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n".into(),
    ] {
        let answer = send(server.address, format!("{first}{second}"));
        assert!(answer.status >= 400 && answer.closed, "{first:?} gave {}", answer.status);
    }
    let chunked =
        format!("POST /v1/echo HTTP/1.1\r\nHost: h\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
    let answer = send(server.address, format!("{chunked}{second}"));
    assert_eq!((answer.status, answer.closed), (200, true), "a chunked request is the last of its connection");
    assert_eq!(server.echoes(), 1);
    // Nobody can make the stand-in's name mean anything.
    let forged = post_request("/v1/echo", JSON, "{}").replace("localhost", "refused.invalid");
    assert_eq!(send(server.address, forged).status, 200);
}

#[test]
fn requests_in_one_packet_and_in_many_are_answered_in_order() {
    let server = Server::start(Limits::default());
    let requests = [
        post_request("/v1/echo", JSON, "{\"a\":1}"),
        get_request("/v1/customers"),
        post_request("/v1/echo", JSON, "[2]"),
        format!("\r\n{}", get_request("/v1/nowhere")),
        post_request("/v1/echo", JSON, "[3,3]"),
    ];
    let want = [(200, "{\"a\":1}"), (200, "[]"), (200, "[2]"), (404, ""), (200, "[3,3]")];
    let all = requests.concat();
    for packet in [all.len(), 1, 7, 60] {
        let mut stream = connect(server.address);
        let mut sender = stream.try_clone().unwrap();
        let bytes = all.clone().into_bytes();
        let sending = std::thread::spawn(move || bytes.chunks(packet).for_each(|part| sender.write_all(part).unwrap()));
        let mut buffered = Buffered { stream: &mut stream, left: Vec::new() };
        for (status, body) in want {
            let answer = buffered.next();
            assert_eq!(answer.status, status, "packets of {packet}");
            assert!(status == 404 || answer.body == body, "packets of {packet}: {} instead of {body}", answer.body);
        }
        sending.join().unwrap();
    }
}

#[test]
fn a_panic_and_an_endless_wait_are_problems_of_one_request() {
    let server = Server::start(quick());
    check(server.address, get_request("/v1/explode"), 500, "internal_error", After::Open);
    let answer = check(server.address, get_request("/v1/wait/60000"), 503, "deadline_exceeded", After::Open);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(send(server.address, get_request("/v1/wait/1")).body, "waited");
}

#[test]
fn the_request_id_is_the_callers_when_it_is_plain() {
    let server = Server::start(Limits::default());
    let ask = |id: &str| {
        let bytes = format!("GET /v1/who HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {id}\r\n\r\n");
        let answer = send(server.address, bytes);
        let echoed = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(answer.body, format!("network 127.0.0.1 {echoed}"), "handlers see the same id");
        echoed
    };
    assert_eq!(ask("abc-123_4.5"), "abc-123_4.5");
    assert_eq!(ask(&"x".repeat(128)), "x".repeat(128));
    for id in ["", "a b", "<script>", &"x".repeat(129)] {
        let ours = ask(id);
        assert!(ours != id && ours.len() > 16, "{id:?} became {ours:?}");
    }
    assert_ne!(ask(""), ask(""));
}

#[test]
fn silent_connections_hold_a_place_only_for_the_deadline() {
    let server = Server::start(Limits { connections: 1, ..quick() });
    let silent = connect(server.address);
    let started = monotonic();
    assert_eq!(send(server.address, get_request("/v1/customers")).status, 200);
    assert!(started.elapsed() >= Duration::from_millis(300), "it had to wait for the only place");
    assert!(started.elapsed() < Duration::from_secs(4));
    drop(silent);
}

#[test]
fn a_reader_that_never_reads_is_ended() {
    let mut server = Server::start(quick());
    let mut stream = connect(server.address);
    stream.write_all(get_request("/v1/endless").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    // Its place is free again: stopping finds nothing to cut off.
    assert_eq!(server.stop(), Stopped { cut_off: 0 });
}

#[cfg(unix)]
#[test]
fn the_operator_always_gets_in() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sock");
    std::fs::write(&path, "left over").unwrap();
    let server = Server::start_with(Limits { connections: 1, ..Limits::default() }, Some(path.clone()));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let _only_place = connect(server.address);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(get_request("/v1/who").as_bytes()).unwrap();
    let answer = read_answer(&mut stream, |_| true).unwrap();
    assert!(answer.body.starts_with("operator "), "{}", answer.body);
}

#[test]
fn stopping_lets_running_requests_end_and_takes_no_new_ones() {
    // No other deadline may be what ends the idle connections.
    let mut server = Server::start(Limits::default());
    let _silent = connect(server.address);
    let mut idle = connect(server.address);
    idle.write_all(get_request("/v1/customers").as_bytes()).unwrap();
    assert_eq!(answer(&mut idle).unwrap().status, 200);
    let address = server.address;
    let mut running = connect(address);
    running.write_all(get_request("/v1/wait/500").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(150));
    let waiting = std::thread::spawn(move || answer(&mut running).unwrap());
    let started = monotonic();
    assert_eq!(server.stop(), Stopped { cut_off: 0 });
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let last = waiting.join().unwrap();
    assert_eq!((last.status, last.body.as_str(), last.closed), (200, "waited", true));
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let mut server = Server::start(Limits { request_deadline: Duration::from_secs(60), ..quick() });
    let mut running = connect(server.address);
    running.write_all(get_request("/v1/wait/30000").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(150));
    let started = monotonic();
    assert_eq!(server.stop(), Stopped { cut_off: 1 });
    assert!(started.elapsed() < Duration::from_secs(3));
}
