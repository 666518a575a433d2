//! `bursar.toml`: one documented file, overridden by a few environment variables. The only reader of the environment.
//!
//! Every key has a default, an unknown key is an error, and a mistake is shown with its line. It opens nothing but the
//! file itself and, when asked, the files that hold secrets; it never keeps a secret in what it returns.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use toml::de::DeTable;

use crate::signature::{self, Secret};
use crate::suggest;
pub use limits::Limits;
pub use read::Mistake;
use read::{Section, Source};

mod limits;
mod read;
mod ring;

const FILE_NAME: &str = "bursar.toml";
/// Bytes of a configuration file, at most: a thousand hooks fit.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a secret file, at most: a few secrets of 64 bytes.
const SECRET_FILE_BYTES_MAX: u64 = 4 << 10;
const DAY: Duration = Duration::from_secs(86_400);

/// Everything that can be configured. Relative paths are already joined to the folder of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file this was read from, when there was one.
    pub file: Option<PathBuf>,
    /// The file of the store. `store = "store.bursar"`
    pub store: PathBuf,
    /// The folder with `policies/`, `scripts/` and `lib/`. `library = "."`
    pub library: PathBuf,
    /// The zone of schedules that name none. `zone = "UTC"`
    pub zone: Tz,
    /// The address the daemon listens on. `[serve] listen = "127.0.0.1:7300"`
    pub listen: SocketAddr,
    /// Who may call `/hooks/NAME`. `[hooks.NAME]`
    pub hooks: BTreeMap<String, Hook>,
    /// Where messages go. `[endpoints.NAME]`
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What a policy or script gets as `params`, by its path without `.rhai`. `[params."policies/renewal"]`
    pub params: BTreeMap<String, toml::Table>,
    /// The file with the master keys that software keys and links are sealed with. `[secrets] key_file`
    pub key_file: Option<PathBuf>,
    /// Nobody approves what they asked for themselves; users never do. `[approvals] four_eyes = true`
    pub four_eyes: bool,
    /// What kind of partner this is: who may buy. `[partner] type = "direct_bill"`
    pub partner: Partner,
    /// `[invoices]`
    pub invoices: Invoices,
    /// `[limits]`
    pub limits: Limits,
    /// `[retention]`
    pub retention: Retention,
}

/// What kind of partner this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partner {
    /// Buys from Microsoft and bills customers. Written `direct_bill`.
    #[default]
    DirectBill,
    /// Buys from Microsoft and sells through resellers. Written `indirect_provider`.
    IndirectProvider,
    /// Sells what its provider buys. Written `indirect_reseller`.
    IndirectReseller,
}

/// A source of inbound webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The file with its secrets, one a line; during a rotation there are two. `None` only for a format without.
    pub secret_file: Option<PathBuf>,
    /// How far the sender's clock may differ from ours. `tolerance = "PT5M"`
    pub tolerance: Duration,
    /// How its calls are signed and shaped. `format = "standard"`
    pub format: HookFormat,
}

/// How the calls of a hook are signed and shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookFormat {
    /// Standard Webhooks: `webhook-*` headers, `{type, timestamp, data}`. Written `standard`.
    Standard,
    /// CloudEvents in structured or binary mode, signed as Standard Webhooks. Written `cloudevents`.
    CloudEvents,
    /// Partner Center's events, which carry no id and no shared secret. Written `partner_center`.
    PartnerCenter,
}

/// A receiver of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where messages are posted: `https://` or `http://`, without user and password.
    pub url: String,
    /// The file with the secret messages are signed with.
    pub secret_file: PathBuf,
    /// The kinds of message it gets; empty means all.
    pub topics: Vec<String>,
}

/// The monthly invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoices {
    /// Day of the month, at 00:00Z, on which the invoices of the month before are published. `day = 6`
    pub day: u32,
    /// The partner's tenant id, as invoices show it; empty: they show none. `partner_id = "3b33..."`
    pub partner_id: String,
    /// The partner's MPN id, as invoices show it. `mpn_id = "4391507"`
    pub mpn_id: String,
}

impl Default for Invoices {
    fn default() -> Invoices {
        Invoices { day: 6, partner_id: String::new(), mpn_id: String::new() }
    }
}

/// How long records are kept. Requests, decisions, ledger and activity are kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Runs. `"P90D"`
    pub runs: Duration,
    /// Inbound deliveries, and with them the ids that make them take effect once. `"P90D"`
    pub deliveries: Duration,
    /// Occurrences of triggers. `"P90D"`
    pub occurrences: Duration,
    /// Replaced values of rows: how far back one can look. `"P30D"`
    pub history: Duration,
    /// Carts that expired, and those that became orders, after they were changed last. `"P30D"`
    pub carts: Duration,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { runs: DAY * 90, deliveries: DAY * 90, occurrences: DAY * 90, history: DAY * 30, carts: DAY * 30 }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            file: None,
            store: "store.bursar".into(),
            library: ".".into(),
            zone: Tz::UTC,
            listen: SocketAddr::from(([127, 0, 0, 1], 7300)),
            hooks: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            params: BTreeMap::new(),
            key_file: None,
            four_eyes: true,
            partner: Partner::default(),
            invoices: Invoices::default(),
            limits: Limits::default(),
            retention: Retention::default(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is larger than any configuration.
    #[error("{path} has more than {limit} bytes")]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Bytes read at most.
        limit: u64,
    },
    /// The file says something it cannot mean.
    #[error("{0}")]
    Mistake(Box<Mistake>),
    /// An environment variable says something it cannot mean.
    #[error("environment variable {name}: {message}")]
    Environment {
        /// Which.
        name: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A secret file that others may read.
    #[error("{path} may be read by others (mode {mode:04o}): chmod 600 it")]
    SecretExposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A secret that is none, or too short.
    #[error("secret in {path}")]
    Secret {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: signature::SecretError,
    },
    /// A file of master keys that holds none.
    #[error("master keys in {path}")]
    MasterKey {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: crate::seal::RingError,
    },
}

impl ConfigError {
    /// The stable snake_case name.
    pub fn code(&self) -> &'static str {
        match self {
            ConfigError::Read { .. } => "config_unreadable",
            ConfigError::TooLarge { .. } | ConfigError::Mistake(_) | ConfigError::Environment { .. } => {
                "config_invalid"
            }
            ConfigError::SecretExposed { .. } => "weak_secret",
            ConfigError::MasterKey { .. } => "invalid_secret",
            ConfigError::Secret { source, .. } => source.code(),
        }
    }
}

impl From<Mistake> for ConfigError {
    fn from(mistake: Mistake) -> ConfigError {
        ConfigError::Mistake(Box::new(mistake))
    }
}

/// The value of an environment variable, when it is set to some text.
#[allow(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Config {
    /// Reads `explicit` (from `--config`), else the file `$BURSAR_CONFIG` names, else `./bursar.toml`, else uses the
    /// defaults; then applies `BURSAR_STORE`, `BURSAR_LIBRARY`, `BURSAR_ZONE` and `BURSAR_LISTEN`. Pass
    /// [`environment`] for `env`.
    ///
    /// # Errors
    /// A named file that cannot be read, and any mistake in it or in the environment.
    pub fn load(explicit: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let named = explicit.map(Path::to_path_buf).or_else(|| env("BURSAR_CONFIG").map(PathBuf::from));
        let must_exist = named.is_some();
        let path = named.unwrap_or_else(|| FILE_NAME.into());
        let mut config = match read_text(&path, FILE_BYTES_MAX) {
            Ok((text, _)) => Config::parse(&text, &path)?,
            Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound && !must_exist => {
                Config::default()
            }
            Err(error) => return Err(error),
        };
        config.apply(env)?;
        Ok(config)
    }

    /// Reads the text of a configuration file; `path` is what mistakes are shown with and relative paths start from.
    ///
    /// # Errors
    /// The first mistake.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        let file = path.display().to_string();
        let source = Source { file: &file, text };
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            source.mistake(&span, error.message().to_owned(), None)
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let mut config = read_config(&Section::root(&source, table.get_ref()), folder)?;
        config.file = Some(path.to_path_buf());
        Ok(config)
    }

    /// What is wrong with the secret files of hooks and endpoints, each with whose it is: what is wrong there would else
    /// be found by the first call.
    pub fn secret_problems(&self) -> Vec<(String, ConfigError)> {
        let hooks = self.hooks.iter().map(|(name, hook)| (format!("hooks.{name}"), hook.secrets().map(drop)));
        let endpoints = self
            .endpoints
            .iter()
            .map(|(name, endpoint)| (format!("endpoints.{name}"), read_secrets(&endpoint.secret_file).map(drop)));
        hooks.chain(endpoints).filter_map(|(name, read)| Some((name, read.err()?))).collect()
    }

    fn apply(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        if let Some(store) = env("BURSAR_STORE") {
            self.store = store.into();
        }
        if let Some(library) = env("BURSAR_LIBRARY") {
            self.library = library.into();
        }
        if let Some(zone) = env("BURSAR_ZONE") {
            let message = format!("{zone:?} is no IANA time zone");
            self.zone = zone.parse().map_err(|_| ConfigError::Environment { name: "BURSAR_ZONE", message })?;
        }
        if let Some(listen) = env("BURSAR_LISTEN") {
            let message = format!("{listen:?} is no address and port such as 127.0.0.1:7300");
            self.listen = listen.parse().map_err(|_| ConfigError::Environment { name: "BURSAR_LISTEN", message })?;
        }
        Ok(())
    }
}

fn read_config(root: &Section<'_>, folder: &Path) -> Result<Config, Mistake> {
    let sections =
        ["serve", "partner", "hooks", "endpoints", "params", "secrets", "approvals", "invoices", "limits", "retention"];
    root.only(&[&["store", "library", "zone"], &sections[..]].concat())?;
    let base = Config::default();
    let serve = root.section("serve")?;
    serve.only(&["listen"])?;
    let approvals = root.section("approvals")?;
    approvals.only(&["four_eyes"])?;
    let secrets = root.section("secrets")?;
    secrets.only(&["key_file"])?;
    Ok(Config {
        file: None,
        store: folder.join(root.text("store")?.map_or(base.store, PathBuf::from)),
        library: folder.join(root.text("library")?.map_or(base.library, PathBuf::from)),
        zone: read_zone(root)?.unwrap_or(base.zone),
        listen: read_listen(&serve)?.unwrap_or(base.listen),
        hooks: read_named(&root.section("hooks")?, |hook| read_hook(hook, folder))?,
        endpoints: read_named(&root.section("endpoints")?, |endpoint| read_endpoint(endpoint, folder))?,
        params: root.section("params")?.free_tables()?.into_iter().collect(),
        key_file: secrets.text("key_file")?.map(|file| folder.join(file)),
        four_eyes: approvals.flag("four_eyes")?.unwrap_or(base.four_eyes),
        partner: read_partner(&root.section("partner")?)?.unwrap_or(base.partner),
        invoices: read_invoices(&root.section("invoices")?)?,
        limits: read_limits(&root.section("limits")?)?,
        retention: read_retention(&root.section("retention")?)?,
    })
}

fn read_named<T>(
    section: &Section<'_>,
    read: impl Fn(&Section<'_>) -> Result<T, Mistake>,
) -> Result<BTreeMap<String, T>, Mistake> {
    section.named_sections()?.into_iter().map(|(name, inner)| Ok((name, read(&inner)?))).collect()
}

fn read_zone(root: &Section<'_>) -> Result<Option<Tz>, Mistake> {
    let Some(name) = root.text("zone")? else { return Ok(None) };
    name.parse().map(Some).map_err(|_| {
        let near = suggest::nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let hint = near.map_or("write it like \"Europe/Berlin\"".to_owned(), |near| format!("did you mean `{near}`?"));
        root.mistake("zone", format!("{name:?} is no IANA time zone"), Some(hint))
    })
}

fn read_listen(serve: &Section<'_>) -> Result<Option<SocketAddr>, Mistake> {
    let Some(text) = serve.text("listen")? else { return Ok(None) };
    let hint = || Some("write \"127.0.0.1:7300\"".to_owned());
    text.parse().map(Some).map_err(|_| serve.mistake("listen", format!("{text:?} is no address and port"), hint()))
}

fn read_partner(partner: &Section<'_>) -> Result<Option<Partner>, Mistake> {
    partner.only(&["type"])?;
    let types = [
        ("direct_bill", Partner::DirectBill),
        ("indirect_provider", Partner::IndirectProvider),
        ("indirect_reseller", Partner::IndirectReseller),
    ];
    let Some(name) = partner.text("type")? else { return Ok(None) };
    one_of(partner, "type", name, &types).map(Some)
}

/// The value of one of a few words.
fn one_of<T: Copy>(section: &Section<'_>, key: &str, word: &str, words: &[(&str, T)]) -> Result<T, Mistake> {
    let found = words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let hint = suggest::nearest(word, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let hint = hint.unwrap_or_else(|| format!("known: {}", known.join(", ")));
        section.mistake(key, format!("{word:?} is not known"), Some(hint))
    })
}

fn read_hook(hook: &Section<'_>, folder: &Path) -> Result<Hook, Mistake> {
    hook.only(&["secret_file", "tolerance", "format"])?;
    let formats = [
        ("standard", HookFormat::Standard),
        ("cloudevents", HookFormat::CloudEvents),
        ("partner_center", HookFormat::PartnerCenter),
    ];
    let name = hook.text("format")?.unwrap_or("standard");
    let format = one_of(hook, "format", name, &formats)?;
    let secret_file = hook.text("secret_file")?.map(|file| folder.join(file));
    if secret_file.is_none() && format != HookFormat::PartnerCenter {
        return Err(hook.missing("secret_file", "\"NAME.secret\""));
    }
    let tolerance = hook.duration("tolerance", Duration::from_secs(1)..=DAY)?;
    let default = Duration::from_secs(u64::from(signature::TOLERANCE_SECONDS));
    Ok(Hook { secret_file, tolerance: tolerance.unwrap_or(default), format })
}

fn read_endpoint(endpoint: &Section<'_>, folder: &Path) -> Result<Endpoint, Mistake> {
    endpoint.only(&["url", "secret_file", "topics"])?;
    let url = endpoint.text("url")?.ok_or_else(|| endpoint.missing("url", "\"https://...\""))?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') || url.chars().any(|letter| letter.is_whitespace()) {
        let hint = Some("write \"https://host/path\", without user and password".to_owned());
        return Err(endpoint.mistake("url", "is no address messages can be posted to", hint));
    }
    let secret_file =
        endpoint.text("secret_file")?.ok_or_else(|| endpoint.missing("secret_file", "\"NAME.secret\""))?;
    let topics = endpoint.texts("topics")?.unwrap_or_default();
    Ok(Endpoint { url: url.to_owned(), secret_file: folder.join(secret_file), topics })
}

fn read_limits(section: &Section<'_>) -> Result<Limits, Mistake> {
    section.only(&["operations", "wall", "memory", "rows", "cache", "calls", "calls_at_once"])?;
    let base = Limits::default();
    let wall = section.duration("wall", Duration::from_millis(10)..=Duration::from_secs(60))?;
    let rows = section.number("rows", 1..=1_000_000)?;
    let calls = |key: &str, default: u32| {
        let number = section.number(key, 1..=1_000_000)?;
        Ok(number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default))
    };
    Ok(Limits {
        operations: section.number("operations", 1_000..=100_000_000)?.unwrap_or(base.operations),
        wall: wall.unwrap_or(base.wall),
        memory_bytes: section.size("memory", 1 << 20..=1 << 30)?.unwrap_or(base.memory_bytes),
        rows: rows.map_or(base.rows, |rows| usize::try_from(rows).unwrap_or(base.rows)),
        cache_bytes: section.size("cache", 1 << 20..=1 << 36)?.unwrap_or(base.cache_bytes),
        calls: calls("calls", base.calls)?,
        calls_at_once: calls("calls_at_once", base.calls_at_once)?,
        ..base
    })
}

fn read_invoices(section: &Section<'_>) -> Result<Invoices, Mistake> {
    section.only(&["day", "partner_id", "mpn_id"])?;
    let base = Invoices::default();
    // Every month has a 28th.
    let day = section.number("day", 1..=28)?.and_then(|day| u32::try_from(day).ok());
    let text = |key: &str, base: String| Ok(section.text(key)?.map_or(base, str::to_owned));
    Ok(Invoices {
        day: day.unwrap_or(base.day),
        partner_id: text("partner_id", base.partner_id)?,
        mpn_id: text("mpn_id", base.mpn_id)?,
    })
}

fn read_retention(section: &Section<'_>) -> Result<Retention, Mistake> {
    section.only(&["runs", "deliveries", "occurrences", "history", "carts"])?;
    let base = Retention::default();
    let span = |key: &str, default: Duration| {
        // A day at least: an id forgotten sooner could take effect twice. A century at most.
        section.duration(key, DAY..=DAY * 36_525).map(|span| span.unwrap_or(default))
    };
    Ok(Retention {
        runs: span("runs", base.runs)?,
        deliveries: span("deliveries", base.deliveries)?,
        occurrences: span("occurrences", base.occurrences)?,
        history: span("history", base.history)?,
        carts: span("carts", base.carts)?,
    })
}

impl Hook {
    /// Reads the secrets of this hook, newest first; none for a format without.
    ///
    /// # Errors
    /// See [`read_secrets`].
    pub fn secrets(&self) -> Result<Vec<Secret>, ConfigError> {
        self.secret_file.as_deref().map_or(Ok(Vec::new()), read_secrets)
    }
}

/// Reads a file of secrets, one `whsec_...` a line; empty lines are skipped, none at all is an error.
///
/// # Errors
/// The file cannot be read, may be read by others than its owner, or holds something that is no strong secret.
pub fn read_secrets(path: &Path) -> Result<Vec<Secret>, ConfigError> {
    let (text, mode) = read_text(path, SECRET_FILE_BYTES_MAX)?;
    if mode & 0o077 != 0 {
        return Err(ConfigError::SecretExposed { path: path.to_path_buf(), mode });
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // A file without a line is an empty secret, which is refused for its length.
    let lines = if lines.is_empty() { vec![""] } else { lines };
    let parse =
        |line: &str| Secret::parse(line).map_err(|source| ConfigError::Secret { path: path.to_path_buf(), source });
    lines.into_iter().map(parse).collect()
}

/// The text of a file and its permission bits, both of the same opened file.
fn read_text(path: &Path, limit: u64) -> Result<(String, u32), ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = permission_bits(&file.metadata().map_err(failed)?);
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > limit {
        return Err(ConfigError::TooLarge { path: path.to_path_buf(), limit });
    }
    Ok((text, mode))
}

#[cfg(unix)]
fn permission_bits(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn permission_bits(_metadata: &std::fs::Metadata) -> u32 {
    0o600
}

#[cfg(test)]
mod tests;
