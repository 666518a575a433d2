//! A client of the router, over three ways to it: HTTP to a daemon, the operator's socket beside a store that a daemon
//! holds, or the same router in this process. It knows nothing of what is asked or answered.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

use crate::app::App;
use crate::http::auth::Peer;
use crate::http::guard::Guard;

/// The person a call is made for, from the operator's side only.
pub const USER: HeaderName = HeaderName::from_static("x-bursar-user");
/// How long a call over HTTP may take: longer than the daemon takes to say that it took too long.
const DEADLINE: Duration = Duration::from_secs(120);
/// In this process nobody else waits: moving a clock by a year is one call.
const DEADLINE_IN_PROCESS: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of an answer, at most: an export of a large book.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("{url:?} is no address such as http://127.0.0.1:7300")]
    Address {
        /// What was given.
        url: String,
    },
    /// A token or name that no header can carry.
    #[error("the {what} holds characters that a header cannot carry")]
    Header {
        /// Which.
        what: &'static str,
    },
    /// Nobody answers there.
    #[error("cannot reach {at}")]
    Unreachable {
        /// The address or the socket.
        at: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time; whether the call took effect is not known.
    #[error("{at} did not answer in {} s; whether the call took effect is not known", DEADLINE.as_secs())]
    Late {
        /// The address or the socket.
        at: String,
    },
    /// What came is not what an answer looks like.
    #[error("the answer is not JSON")]
    NotJson(#[source] serde_json::Error),
}

/// What a client answers.
pub type Result<T> = std::result::Result<T, Error>;

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body as it came.
    pub bytes: Bytes,
}

impl Answer {
    /// The body as JSON; nothing for an empty one.
    ///
    /// # Errors
    /// The body is something else.
    pub fn json(&self) -> Result<Value> {
        if self.bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.bytes).map_err(Error::NotJson)
    }

    /// Whether it was done.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

type Network = legacy::Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>;

enum Way {
    Network { base: Uri, client: Box<Network> },
    Socket(PathBuf),
    InProcess { guard: Guard, app: App },
}

/// A way to the router, and in whose name.
pub struct Client {
    way: Way,
    bearer: Option<HeaderValue>,
    user: Option<HeaderValue>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("at", &self.at()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of a daemon at an address.
    ///
    /// # Errors
    /// `Address`.
    pub fn network(url: &str) -> Result<Client> {
        let bad = || Error::Address { url: url.to_owned() };
        let base: Uri = url.trim_end_matches('/').parse().map_err(|_| bad())?;
        if base.authority().is_none() || !matches!(base.scheme_str(), Some("http" | "https")) {
            return Err(bad());
        }
        let connector =
            hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let client = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Client { way: Way::Network { base, client: Box::new(client) }, bearer: None, user: None })
    }

    /// A client of the daemon that serves the operator's socket.
    pub fn socket(path: &Path) -> Client {
        Client { way: Way::Socket(path.to_path_buf()), bearer: None, user: None }
    }

    /// A client of this router, as the operator. The application is closed with [`Client::close`].
    pub fn in_process(app: App, router: axum::Router) -> Client {
        let mut limits = app.config().limits.clone();
        limits.request_deadline = DEADLINE_IN_PROCESS;
        let guard = Guard::new(router, &limits);
        Client { way: Way::InProcess { guard, app }, bearer: None, user: None }
    }

    /// The same client, showing this token.
    ///
    /// # Errors
    /// `Header`.
    pub fn bearing(mut self, token: &str) -> Result<Client> {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| Error::Header { what: "token" })?;
        value.set_sensitive(true);
        self.bearer = Some(value);
        Ok(self)
    }

    /// The same client, calling for this person; only the operator may.
    ///
    /// # Errors
    /// `Header`.
    pub fn acting_as(mut self, user: &str) -> Result<Client> {
        self.user = Some(HeaderValue::try_from(user).map_err(|_| Error::Header { what: "name" })?);
        Ok(self)
    }

    /// The application, where the router runs in this process.
    pub fn app(&self) -> Option<&App> {
        match &self.way {
            Way::InProcess { app, .. } => Some(app),
            Way::Network { .. } | Way::Socket(_) => None,
        }
    }

    /// Where it leads, for people.
    pub fn at(&self) -> String {
        match &self.way {
            Way::Network { base, .. } => base.to_string().trim_end_matches('/').to_owned(),
            Way::Socket(path) => path.display().to_string(),
            Way::InProcess { app, .. } => app.config().store.display().to_string(),
        }
    }

    /// Asks and waits for the whole answer. `path` begins with a slash and is encoded already.
    ///
    /// # Errors
    /// Nobody answered. A problem is an answer.
    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match body {
            Some(body) => self.send(method, path, &[json], Bytes::from(body.to_string())).await,
            None => self.send(method, path, &[], Bytes::new()).await,
        }
    }

    /// The same with headers and a body of one's own.
    ///
    /// # Errors
    /// Nobody answered.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Answer> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| Error::Address { url: path.to_owned() })?;
        let own = request.headers_mut();
        own.insert(HOST, HeaderValue::from_static("localhost"));
        own.insert(ACCEPT, HeaderValue::from_static("*/*"));
        own.extend(headers.iter().cloned());
        own.extend(self.bearer.clone().map(|value| (AUTHORIZATION, value)));
        own.extend(self.user.clone().map(|value| (USER, value)));
        match &self.way {
            Way::InProcess { guard, .. } => {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Peer::Operator);
                whole(guard.answer(request).await).await.map_err(|source| self.unreachable(source))
            }
            Way::Socket(socket) => self.in_time(over_socket(socket, request)).await,
            Way::Network { base, client } => {
                let url = format!("{}{path}", self.at());
                *request.uri_mut() = url.parse().map_err(|_| Error::Address { url })?;
                let host = base.authority().map(ToString::to_string).unwrap_or_default();
                let host = HeaderValue::try_from(host).map_err(|_| Error::Header { what: "host" })?;
                request.headers_mut().insert(HOST, host);
                self.in_time(async { whole(client.request(request).await?).await }).await
            }
        }
    }

    async fn in_time(&self, asking: impl Future<Output = std::result::Result<Answer, Boxed>>) -> Result<Answer> {
        match tokio::time::timeout(DEADLINE, asking).await {
            Ok(answer) => answer.map_err(|source| self.unreachable(source)),
            Err(_) => Err(Error::Late { at: self.at() }),
        }
    }

    fn unreachable(&self, source: Boxed) -> Error {
        Error::Unreachable { at: self.at(), source }
    }

    /// Lets go of everything; an application in this process makes what it did durable and lets go of its file.
    pub fn close(self) {
        if let Way::InProcess { app, guard } = self.way {
            drop(guard);
            app.store().clone().close();
        }
    }
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

async fn over_socket(socket: &Path, request: Request<Full<Bytes>>) -> std::result::Result<Answer, Boxed> {
    let stream = tokio::net::UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let answer = whole(sender.send_request(request).await?).await;
    drop(sender);
    driving.abort();
    answer
}

async fn whole<B>(response: Response<B>) -> std::result::Result<Answer, Boxed>
where
    B: hyper::body::Body,
    B::Error: Into<Boxed>,
{
    let status = response.status().as_u16();
    let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let bytes = limited.collect().await?.to_bytes();
    Ok(Answer { status, bytes })
}
