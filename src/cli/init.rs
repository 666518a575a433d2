//! `bursar init`: a folder with a configuration, a store and a first policy. It asks nothing and overwrites nothing.

use std::path::{Path, PathBuf};

use bursar::app::App;
use bursar::config::{self, Config};
use bursar::domain::ids::Guid;
use bursar::domain::{Instant, calendar};
use clap::{Args, ValueEnum};

use super::connect::{Context, file_failure};
use super::exit::{Exit, Failure, Outcome};
use super::master_key;

const CONFIGURATION: &str = include_str!("init/bursar.toml");
const FIRST_POLICY: [(&str, &str); 2] = [
    ("renewal.rhai", include_str!("init/renewal.rhai")),
    ("renewal_test.rhai", include_str!("init/renewal_test.rhai")),
];

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder; it is made when it is not there
    dir: PathBuf,
    /// What tells the time in this store, for ever
    #[arg(long, value_enum, default_value = "system")]
    clock: ClockKind,
    /// Where a manual clock stands at first
    #[arg(long, value_name = "INSTANT", value_parser = instant, required_if_eq("clock", "manual"))]
    at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClockKind {
    /// The machine's clock
    System,
    /// A clock that stands until `bursar clock advance` moves it
    Manual,
}

/// Reads an instant on the command line.
pub(crate) fn instant(text: &str) -> Result<Instant, String> {
    calendar::instant(text).map_err(|refusal| refusal.message)
}

impl Init {
    pub(crate) fn run(&self, context: &Context) -> Outcome {
        if self.at.is_some() && self.clock == ClockKind::System {
            return Err(Failure::usage("--at is for a store with --clock manual"));
        }
        if self.at.is_none() && self.clock == ClockKind::Manual {
            return Err(Failure::usage("a manual clock starts somewhere: --at 2027-01-01T00:00:00Z"));
        }
        // On a manual clock the same commands give the same bytes, identifiers included.
        let id = match self.at {
            Some(at) => Guid::derive(format!("manual clock from {}", at.timestamp_micros()).as_bytes()).0,
            None => fresh_id()?,
        };
        let made = folder(&self.dir)?;
        let config = Config::load(Some(&self.dir.join("bursar.toml")), &config::environment)?;
        // A store without its key could not be read; a key made later for a store that has one would hide that.
        let key_made = !config.store.exists() && master_key::make_missing(&config)?;
        App::init(&config, id, self.at)?;
        for path in made {
            context.out.say(&format!("made {}", path.display()));
        }
        if let Some(path) = config.key_file.as_ref().filter(|_| key_made) {
            context.out.say(&format!("made {}: keep a copy of it away from the store", path.display()));
        }
        context.out.say(&format!("made {}", config.store.display()));
        context.out.say(&format!("next: cd {} && bursar serve", self.dir.display()));
        Ok(Exit::Done)
    }
}

/// A store's id: random, so that ids of two stores never meet.
pub(crate) fn fresh_id() -> Result<[u8; 16], Failure> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| Failure::new(Exit::Failed, format!("get randomness: {error}")))?;
    Ok(id)
}

/// Makes what is missing of a folder, and tells which files that were.
fn folder(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut made = Vec::new();
    for name in ["policies", "scripts", "lib"] {
        let path = dir.join(name);
        std::fs::create_dir_all(&path).map_err(|error| file_failure("make", &path, &error))?;
    }
    let toml = dir.join("bursar.toml");
    if !toml.exists() {
        write(&toml, CONFIGURATION)?;
        made.push(toml);
    }
    let policies = dir.join("policies");
    let empty = std::fs::read_dir(&policies).is_ok_and(|mut entries| entries.next().is_none());
    if empty {
        for (name, text) in FIRST_POLICY {
            let path = policies.join(name);
            write(&path, text)?;
            made.push(path);
        }
    }
    Ok(made)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| file_failure("write", path, &error))
}
