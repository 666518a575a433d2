//! Accepting connections and speaking HTTP/1.1 on them, within limits, until told to stop.
//!
//! Every connection has a deadline for its headers and a place among a fixed number; the operator's socket has places of
//! its own. A connection that ends with something unread is closed gently, so that the answer arrives. It knows nothing
//! about what is served.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::Limits;
use crate::http::auth::Peer;
use crate::http::guard::Guard;
use gate::{Gate, STAND_IN_HOST};
use head::Fault;

mod ending;
mod gate;
mod head;

/// How long accepting pauses after an error such as too many open files: no busy loop, and no long wait either.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where connections come from.
#[derive(Debug)]
pub struct Listeners {
    /// The network.
    pub network: TcpListener,
    /// The operator's socket beside the store.
    pub operator: Option<UnixListener>,
}

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("listen on {address}")]
    Network {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The operator's socket cannot be made.
    #[error("make the operator's socket {path}")]
    Operator {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Listeners {
    /// Binds an address (port 0 takes any free one) and, if asked, the operator's socket with mode 0600.
    ///
    /// A socket left over at that path is replaced: call this only while holding the store it stands beside.
    ///
    /// # Errors
    /// The address or the path cannot be bound.
    pub async fn bind(address: SocketAddr, operator: Option<&Path>) -> Result<Listeners, ListenError> {
        let network = TcpListener::bind(address).await.map_err(|source| ListenError::Network { address, source })?;
        let bind = |path: &Path| {
            bind_private(path).map_err(|source| ListenError::Operator { path: path.to_path_buf(), source })
        };
        Ok(Listeners { network, operator: operator.map(bind).transpose()? })
    }

    /// The address that was really bound.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.network.local_addr()
    }
}

// Bound inside a folder nobody else may enter, closed to others, then moved into place: at no moment can another user
// connect, and a left-over socket is replaced in one step.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?;
    let folder = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let hidden = folder.join("s");
    let bound = UnixListener::bind(&hidden).and_then(|listener| {
        std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&hidden, path)?;
        Ok(listener)
    });
    let _left_over = std::fs::remove_file(&hidden);
    std::fs::remove_dir(&folder)?;
    bound
}

/// What stopping was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were cut off because they did not end in time.
    pub cut_off: usize,
}

/// Serves the router until `stop` resolves; then accepts nothing more, lets what runs end within
/// `limits.stop_deadline`, and cuts off the rest.
///
/// Every request passes the [`Guard`] and carries its [`Peer`] in its extensions. When the listener is on a loopback
/// address, the console answers only to loopback host names.
pub async fn serve(
    listeners: Listeners,
    router: axum::Router,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> Stopped {
    let loopback = listeners.address().is_ok_and(|address| address.ip().is_loopback());
    let mut guard = Guard::new(router, limits);
    if loopback {
        guard = guard.console_hosts(&["localhost", "127.0.0.1", "[::1]"]);
    }
    let (stopping, stopped) = watch::channel(false);
    let network = Door::new(&guard, limits, limits.connections, &stopped);
    let operator = Door::new(&guard, limits, limits.operator_connections, &stopped);
    let Listeners { network: tcp, operator: unix } = listeners;
    let accept_network =
        network.run(async move || tcp.accept().await.map(|(stream, peer)| (stream, Peer::Network(peer))));
    let accept_operator = async {
        match unix {
            Some(unix) => operator.run(async move || Ok((unix.accept().await?.0, Peer::Operator))).await,
            None => 0,
        }
    };
    let tell = async {
        stop.await;
        // Nobody listening any more means nothing is left to stop.
        let _told = stopping.send(true);
    };
    let ((), by_network, by_operator) = tokio::join!(tell, accept_network, accept_operator);
    Stopped { cut_off: by_network + by_operator }
}

/// One answer; a faulty head gets its problem and routes nothing.
async fn answer(guard: &Guard, request: hyper::Request<Incoming>, fault: Option<Fault>) -> Response {
    // The gate does not follow the chunks of a body, so it cannot tell where a next head would begin.
    let last = fault.is_some() || request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = match fault {
        Some(fault) => guard.refuse(request.headers(), fault.problem()),
        None => guard.answer(request.map(Body::new)).await,
    };
    if last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// One listener's connections.
struct Door {
    limits: Limits,
    guard: Guard,
    builder: http1::Builder,
    places: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Door {
    fn new(guard: &Guard, limits: &Limits, connections: usize, stopping: &watch::Receiver<bool>) -> Door {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_deadline)
            // The gate has refused larger heads already; the library needs room for one that just fits.
            .max_buf_size(limits.head_bytes.max(8 * 1024) + 1024)
            .max_headers(limits.headers);
        Door {
            limits: limits.clone(),
            guard: guard.clone(),
            builder,
            places: Arc::new(Semaphore::new(connections)),
            stopping: stopping.clone(),
        }
    }

    /// Accepts until told to stop, waits for what runs, and returns how many connections had to be cut off.
    async fn run<S>(self, accept: impl AsyncFn() -> io::Result<(S, Peer)>) -> usize
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut connections = JoinSet::new();
        let mut stopping = self.stopping.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                accepted = self.accept(&accept) => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Some((stream, peer, place)) => {
                    let serving = self.connection(stream, peer);
                    connections.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                None => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
        drop(accept);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.limits.stop_deadline, ended).await.is_ok() {
            return 0;
        }
        let left = connections.len();
        connections.shutdown().await;
        left
    }

    async fn accept<S>(
        &self,
        accept: &impl AsyncFn() -> io::Result<(S, Peer)>,
    ) -> Option<(S, Peer, tokio::sync::OwnedSemaphorePermit)> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        match accept().await {
            Ok((stream, peer)) => Some((stream, peer, place)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                None
            }
        }
    }

    fn connection<S>(&self, stream: S, peer: Peer) -> impl Future<Output = ()> + Send + 'static
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let guard = self.guard.clone();
        let gate = Gate::new(stream, &self.limits);
        let verdict = gate.verdict();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let guard = guard.clone();
            let stands_in = request.headers().get(HOST).is_some_and(|host| host == STAND_IN_HOST);
            let fault = verdict.fault().filter(|_| stands_in);
            let answering = async move { Ok::<Response, Infallible>(answer(&guard, request, fault).await) };
            Box::pin(answering) as Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>
        });
        let mut connection = self.builder.serve_connection(TokioIo::new(gate), service);
        let mut stopping = self.stopping.clone();
        async move {
            let mut told = false;
            let served = loop {
                tokio::select! {
                    served = std::future::poll_fn(|context| connection.poll_without_shutdown(context)) => break served,
                    _ = stopping.wait_for(|stop| *stop), if !told => {
                        told = true;
                        Pin::new(&mut connection).graceful_shutdown();
                    }
                }
            };
            let parts = connection.into_parts();
            let gate = parts.io.into_inner();
            let late = served.is_err_and(|error| error.is_timeout()) && gate.inside_head();
            ending::end(gate.into_inner(), late).await;
        }
    }
}
