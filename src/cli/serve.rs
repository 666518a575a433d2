//! `bursar serve`: the daemon. It opens the store, listens, ticks, watches the library and ends when told to.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::server::{self, Listeners};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::connect::{Context, socket_path};
use super::exit::{Exit, Failure, Outcome, chain};
use super::{demo, watch};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Try it out: a store in a temporary folder with a small book, told as it is decided
    #[arg(long)]
    pub(crate) demo: bool,
}

impl Serve {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        if context.url.is_some() {
            return Err(Failure::usage("serve runs here; --url is for asking a daemon"));
        }
        let config = if self.demo { demo::folder()? } else { context.load()? };
        if let Some((whose, problem)) = config.secret_problems().into_iter().next() {
            return Err(
                Failure::usage(format!("[{whose}] {}", chain(&problem))).mend("`bursar check` tells of all of them")
            );
        }
        let address = self.listen.unwrap_or(config.listen);
        // Signals are caught before anything is opened: from here on, ending is orderly.
        let stop = Stop::new()?;
        let hangup = catch(SignalKind::hangup())?;
        let app = App::open(&config, Options::default()).map_err(|error| Failure::opening(error, &config.store))?;
        let socket = socket_path(&config.store);
        let listeners = listen(address, &socket, self.demo && self.listen.is_none()).await?;
        let bound = listeners.address().map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        let router = bursar::http::router(app.clone());
        if self.demo {
            demo::fill(&app, &router, bound, context).await?;
        }
        let watching = watch::watch(&app);
        let reloading = on_hangup(app.clone(), hangup);
        let working = tokio::spawn(bursar::triggers::run_loop(app.clone(), std::future::pending()));
        eprintln!("READY http://{bound} store {} socket {}", config.store.display(), socket.display());
        let stopped = server::serve(listeners, router, &config.limits, stop.asked()).await;
        if stopped.cut_off > 0 {
            tracing::warn!(connections = stopped.cut_off, "connections were cut off");
        }
        drop(watching);
        reloading.abort();
        close(&app, &config, &socket).await;
        working.abort();
        tracing::info!("stopped");
        Ok(Exit::Done)
    }
}

async fn listen(address: SocketAddr, socket: &Path, any_port: bool) -> Result<Listeners, Failure> {
    let mut bound = Listeners::bind(address, Some(socket)).await;
    if any_port && bound.is_err() {
        bound = Listeners::bind(SocketAddr::new(address.ip(), 0), Some(socket)).await;
    }
    bound.map_err(|error| {
        let in_use =
            matches!(&error, server::ListenError::Network { source, .. } if source.kind() == io::ErrorKind::AddrInUse);
        let failure = Failure::new(if in_use { Exit::Busy } else { Exit::Usage }, chain(&error));
        failure.mend("--listen names another address; port 0 takes any free one")
    })
}

/// Makes what was accepted durable and lets go of the file; the socket goes first, so that nobody knocks in vain.
async fn close(app: &App, config: &Config, socket: &PathBuf) {
    if let Err(error) = std::fs::remove_file(socket) {
        tracing::debug!(%error, socket = %socket.display(), "the socket was gone already");
    }
    if tokio::time::timeout(config.limits.stop_deadline * 2, app.close()).await.is_err() {
        tracing::error!(
            "the store did not close in time; what was accepted and not durable is done again at the next start"
        );
    }
}

/// The two signals that end a daemon.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Stop, Failure> {
        Ok(Stop { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    async fn asked(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping");
    }
}

fn catch(kind: SignalKind) -> Result<tokio::signal::unix::Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(Exit::Failed, format!("catch a signal: {error}")))
}

/// SIGHUP reads the library again.
fn on_hangup(app: App, mut hangup: tokio::signal::unix::Signal) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            watch::reload(&app).await;
        }
    })
}
