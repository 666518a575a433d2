//! The way to the router: over HTTP when an address is given, in this process when the store is free, over the
//! operator's socket when a daemon holds it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Method;
use bursar::app::{self, App};
use bursar::client::{Answer, Client};
use bursar::config::{self, Config};
use bursar::store;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::logging::Names;
use super::output::Out;

/// How long a store that another short-lived command holds is waited for.
const PATIENCE: Duration = Duration::from_millis(3_000);
const STEP: Duration = Duration::from_millis(50);

/// What every verb has: where to look, as whom, and where to print.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) config: Option<PathBuf>,
    pub(crate) url: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) names: Names,
    pub(crate) out: Out,
}

/// Whether a verb only looks. Whoever changes something needs the policies in force; looking goes on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Look,
    Change,
}

impl Context {
    /// The configuration.
    pub(crate) fn load(&self) -> Result<Config, Failure> {
        Ok(Config::load(self.config.as_deref(), &config::environment)?)
    }

    fn given_token(&self) -> Result<Option<String>, Failure> {
        if let Some(token) = &self.token {
            return Ok(Some(token.clone()));
        }
        let Some(path) = &self.token_file else { return Ok(config::environment("BURSAR_TOKEN")) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("read the token in {}: {error}", path.display())))?;
        Ok(Some(text.trim().to_owned()))
    }

    /// A client; with what it is, nothing has been asked yet.
    pub(crate) async fn connect(&self, access: Access) -> Result<Client, Failure> {
        let client = match &self.url {
            Some(url) => {
                let client = Client::network(url)?;
                match self.given_token()? {
                    Some(_) if self.user.is_some() => {
                        let told = "--as is for the operator at the machine: over --url the token says who you are";
                        let mend = "make a token of that user's with `bursar token create --user NAME`";
                        return Err(Failure::usage(told).mend(mend));
                    }
                    Some(token) => client.bearing(&token)?,
                    None => client,
                }
            }
            None => self.local(access).await?,
        };
        match &self.user {
            Some(user) => Ok(client.acting_as(user)?),
            None => Ok(client),
        }
    }

    async fn local(&self, access: Access) -> Result<Client, Failure> {
        let mut config = self.load()?;
        // Nobody else's memory is at stake in this process.
        config.limits.import_body_bytes = config.limits.import_body_bytes.max(1 << 30);
        let mut waited = Duration::ZERO;
        loop {
            let options = app::Options { tolerate_library: access == Access::Look, ..app::Options::default() };
            let error = match App::open(&config, options) {
                Ok(app) => {
                    for finding in app.library_state().findings.iter().filter(|finding| finding.is_error()) {
                        self.out.say(&format!("the library is broken: {finding}"));
                    }
                    let router = bursar::http::router(app.clone());
                    return Ok(Client::in_process(app, router));
                }
                Err(error) => error,
            };
            let app::Error::Store { source: store::Error::Locked, .. } = &error else {
                return Err(Failure::opening(error, &config.store));
            };
            let socket = socket_path(&config.store);
            if tokio::net::UnixStream::connect(&socket).await.is_ok() {
                return Ok(Client::socket(&socket));
            }
            if waited >= PATIENCE {
                return Err(Failure::opening(error, &config.store));
            }
            tokio::time::sleep(STEP).await;
            waited += STEP;
        }
    }

    /// Connects, asks once and lets go; a problem is a failure.
    pub(crate) async fn ask(
        &self,
        access: Access,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let client = self.connect(access).await?;
        let answer = client.request(method, path, body).await;
        client.close();
        said(&answer?)
    }

    /// Connects, looks once and lets go.
    pub(crate) async fn look(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Access::Look, Method::GET, path, None).await
    }

    /// Connects, changes something and lets go.
    pub(crate) async fn change(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Access::Change, Method::POST, path, Some(body)).await
    }
}

/// The answer's body; a problem is a failure.
pub(crate) fn said(answer: &Answer) -> Result<Value, Failure> {
    if answer.is_success() {
        return Ok(answer.json()?);
    }
    Err(Failure::problem(answer.status, &answer.json().unwrap_or_default()))
}

/// The operator's socket beside a store.
pub(crate) fn socket_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".sock");
    name.into()
}

/// A text as one segment of a path or one value of a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A failure of a file.
pub(crate) fn file_failure(doing: &str, path: &Path, error: &std::io::Error) -> Failure {
    let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::Usage } else { Exit::Failed };
    Failure::new(exit, format!("{doing} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_a_path_stays_in_its_segment() {
        assert_eq!(encoded("policies/renewal.rhai"), "policies%2Frenewal.rhai");
        assert_eq!(encoded("a b?c&d=e"), "a%20b%3Fc%26d%3De");
        assert_eq!(socket_path(Path::new("/x/store.bursar")), Path::new("/x/store.bursar.sock"));
    }
}
