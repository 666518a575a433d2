//! The manifest in a file's head comment: prose for people, then TOML between two `//! ---` lines.
//!
//! It is read without running or compiling anything. Every mistake is told, with its place in the file and what was
//! probably meant; an unknown key is a mistake.

use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use crate::domain::principal::every_grant;
use crate::domain::{Grant, Instant, Kind, Span};
use crate::suggest;

mod read;

/// What a file is, by its folder and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// `policies/*.rhai`: answers requests.
    Policy,
    /// `scripts/*.rhai`: acts.
    Script,
    /// `lib/*.rhai`: shared functions.
    Lib,
    /// `*_test.rhai` in any folder: tests.
    Test,
}

impl FileKind {
    /// The kind of a path such as `policies/renewal.rhai`; none when it is no file of a library.
    pub fn of(path: &str) -> Option<Self> {
        let stem = path.strip_suffix(".rhai")?;
        if stem.ends_with("_test") {
            return Some(FileKind::Test);
        }
        match path.split_once('/')?.0 {
            "policies" => Some(FileKind::Policy),
            "scripts" => Some(FileKind::Script),
            "lib" => Some(FileKind::Lib),
            _ => None,
        }
    }
}

/// A place in a file: line and column from one, and how many characters.
pub type Place = (usize, usize, usize);

/// A selection as written; the grammar belongs to the domain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selector {
    /// Field and its values, in the order of the fields' names.
    pub fields: Vec<(String, Vec<toml::Value>)>,
    /// Where it stands.
    pub place: Place,
}

/// What happens to due instants that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// One run for all of them.
    #[default]
    One,
    /// A run for each.
    All,
    /// None.
    Skip,
}

/// The instant of a subject that a trigger runs before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Moment {
    /// The first instant after its term.
    TermEnd,
    /// The first instant too late to cancel.
    WindowEnd,
    /// The first instant after its trial.
    TrialEnd,
    /// The next step without anybody's doing.
    DeletionAt,
    /// The instant a waiting request stops waiting.
    RequestExpiry,
}

impl Moment {
    /// Every moment with its word.
    pub const ALL: [(&'static str, Moment); 5] = [
        ("term_end", Moment::TermEnd),
        ("window_end", Moment::WindowEnd),
        ("trial_end", Moment::TrialEnd),
        ("deletion_at", Moment::DeletionAt),
        ("request_expiry", Moment::RequestExpiry),
    ];
}

/// What sets a file off.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A calendar rule.
    Cron {
        /// The expression as written.
        cron: String,
        /// The zone it is read in; none: the one of the configuration.
        zone: Option<String>,
        /// The subjects it runs for; none: once.
        each: Option<Selector>,
        /// What happens to missed instants.
        catch_up: CatchUp,
        /// How far back missed instants count.
        window: Option<Span>,
    },
    /// So long before an instant of each subject.
    Before {
        /// Which instant.
        moment: Moment,
        /// How long before; one occurrence each.
        by: Vec<Span>,
        /// The subjects; none: all.
        each: Option<Selector>,
    },
    /// An inbound call.
    Hook {
        /// The hook's name in the configuration.
        hook: String,
        /// The event types it takes; empty: all.
        types: Vec<String>,
    },
    /// After an applied change of this kind.
    Applied(Kind),
    /// After something of this kind was published.
    Published(Published),
}

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Published {
    /// A monthly invoice.
    Invoice,
}

impl Published {
    /// Everything that is, with its word.
    pub const ALL: [(&'static str, Published); 1] = [("invoice", Published::Invoice)];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Published::Invoice => "invoice",
        }
    }
}

/// One entry of `on`.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// What sets it off.
    pub source: Source,
    /// The handler called; `run` when none is named.
    pub call: String,
    /// Where it stands.
    pub place: Place,
}

/// Whether a file's answers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They count.
    #[default]
    Enforce,
    /// It is asked and recorded, and never counts.
    Observe,
}

/// What a file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The prose before the TOML.
    pub description: String,
    /// Kinds of requests it answers.
    pub decides: Vec<Kind>,
    /// Which of them.
    pub conditions: Option<Selector>,
    /// What sets it off.
    pub on: Vec<Trigger>,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// Values it is given; the configuration may replace them.
    pub params: toml::Table,
    /// Whether it is on.
    pub enabled: bool,
    /// Whether its answers count.
    pub mode: Mode,
    /// Where the clock of a test file's tests stands at first; none: the runner's own instant.
    pub at: Option<Instant>,
    /// Where each top-level key stands, for findings about it.
    pub places: BTreeMap<String, Place>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            description: String::new(),
            decides: Vec::new(),
            conditions: None,
            on: Vec::new(),
            grants: Vec::new(),
            params: toml::Table::new(),
            enabled: true,
            mode: Mode::Enforce,
            at: None,
            places: BTreeMap::new(),
        }
    }
}

/// Rules that belong to other parts of the program, handed in by whoever loads a library.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Says what is wrong with a cron expression and its zone.
    pub validate_schedule: fn(cron: &str, zone: Option<&str>) -> Result<(), String>,
    /// Says what is wrong with a selection: the field, if one is, and why.
    pub validate_selection: fn(&Selector) -> Result<(), String>,
    /// Whether no index serves a selection, so that reading it means looking at every row.
    pub walks_everything: fn(&Selector) -> bool,
}

impl Default for Rules {
    /// Knows the zones and nothing else.
    fn default() -> Self {
        Self {
            validate_schedule: |_, zone| match zone {
                Some(zone) if zone.parse::<chrono_tz::Tz>().is_err() => Err(format!("there is no zone {zone}")),
                _ => Ok(()),
            },
            validate_selection: |_| Ok(()),
            walks_everything: |_| false,
        }
    }
}

/// Reads the manifest of one file. The manifest holds whatever could be read; findings say the rest.
pub fn read(path: &str, kind: FileKind, source: &str, rules: &Rules) -> (Manifest, Vec<Diagnostic>) {
    let head = Head::of(source);
    let mut reader = read::Reader::new(path, kind, rules, &head);
    let mut manifest = Manifest { description: head.prose.trim().to_owned(), ..Manifest::default() };
    if head.unclosed {
        reader.error("manifest_unclosed", 0..0, "the manifest has a first `//! ---` line and no second");
        return (manifest, reader.findings);
    }
    match DeTable::parse(&head.toml) {
        Ok(table) => reader.manifest(table.get_ref(), &mut manifest),
        Err(error) => {
            reader.error("manifest_toml", error.span().unwrap_or(0..0), error.message().trim());
        }
    }
    (manifest, reader.findings)
}

/// The head comment, with the place every byte of its TOML came from.
struct Head {
    prose: String,
    toml: String,
    /// For each TOML line: where it starts in `toml`, its line in the file, and the characters before it there.
    lines: Vec<(usize, usize, usize)>,
    unclosed: bool,
}

impl Head {
    fn of(source: &str) -> Self {
        let mut head = Head { prose: String::new(), toml: String::new(), lines: Vec::new(), unclosed: false };
        let mut rules_seen = 0;
        for (index, line) in source.lines().enumerate() {
            let Some(rest) = line.strip_prefix("//!") else { break };
            let text = rest.strip_prefix(' ').unwrap_or(rest);
            if text.trim_end() == "---" {
                rules_seen += 1;
                if rules_seen == 2 {
                    break;
                }
                head.lines.push((0, index + 2, 4));
                continue;
            }
            if rules_seen == 0 {
                head.prose.push_str(text);
                head.prose.push('\n');
            } else {
                let before = 3 + usize::from(rest.len() != text.len());
                if head.toml.is_empty() {
                    head.lines.clear();
                }
                head.lines.push((head.toml.len(), index + 1, before));
                head.toml.push_str(text);
                head.toml.push('\n');
            }
        }
        head.unclosed = rules_seen == 1;
        head
    }

    /// Where a range of the TOML stands in the file.
    fn place(&self, range: &std::ops::Range<usize>) -> Place {
        let found = self.lines.iter().rev().find(|(start, _, _)| *start <= range.start);
        let Some((start, line, before)) = found else { return (1, 1, 1) };
        let ahead = self.toml.get(*start..range.start).unwrap_or_default().chars().count();
        let covered = self.toml.get(range.clone()).unwrap_or_default();
        let length = covered.lines().next().unwrap_or_default().chars().count().max(1);
        (*line, before + ahead + 1, length)
    }
}

/// The schedule and selection words the reader knows, for suggestions.
fn nearest_of<'a>(word: &str, known: &'a [&'a str]) -> Option<&'a str> {
    suggest::nearest(word, known.iter().copied())
}

/// The grant that a word was meant for, where one is near.
pub fn nearest_grant(word: &str) -> Option<String> {
    let all = every_grant();
    suggest::nearest(word, all.iter().map(String::as_str)).map(str::to_owned)
}

type Value<'a> = Spanned<DeValue<'a>>;
