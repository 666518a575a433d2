//! The library in force: loaded all or nothing and swapped whole. A broken edit keeps the old one running and is told
//! wherever somebody looks.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{App, Error, Result};
use crate::config::Config;
use crate::domain::terms::{Terms, TermsError};
use crate::engine::Diagnostic;
use crate::engine::library::{File, Kit, Library, Settings};
use crate::ops::upkeep;
use crate::store;
use crate::store::records::meta::Source;

/// What is in force, and what is wrong with what lies in the folder.
pub struct Current {
    /// The library that runs.
    pub library: Arc<Library>,
    /// The terms it runs under.
    pub terms: Arc<Terms>,
    /// Why the folder's present content is not what runs; empty: it is.
    pub findings: Vec<Diagnostic>,
}

pub(crate) struct LibraryState {
    current: ArcSwap<Current>,
    kit: Kit,
}

impl LibraryState {
    /// The library and terms as they are handed in.
    pub(crate) fn given(library: Arc<Library>, terms: Arc<Terms>, kit: &Kit) -> Self {
        let current = Current { library, terms, findings: Vec::new() };
        Self { current: ArcSwap::from_pointee(current), kit: kit.clone() }
    }

    pub(crate) fn load(config: &Config, kit: &Kit, tolerate: bool) -> Result<Self> {
        let terms = Terms::builtin().map_err(|error| Error::Terms(error.to_string()))?;
        let current = match read(config, kit) {
            Ok((library, terms)) => Current { library, terms, findings: Vec::new() },
            Err(findings) if tolerate => {
                Current { library: Arc::new(Library::empty(kit)), terms: Arc::new(terms), findings }
            }
            Err(findings) => return Err(Error::Library(told(&findings))),
        };
        Ok(Self { current: ArcSwap::from_pointee(current), kit: kit.clone() })
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }
}

/// Reads the configured library and the terms with its own rows.
///
/// # Errors
/// Every finding of every file.
pub fn read(config: &Config, kit: &Kit) -> std::result::Result<(Arc<Library>, Arc<Terms>), Vec<Diagnostic>> {
    read_by(config, |settings| Library::from_folder(&config.library, settings, kit))
}

/// The terms and the library, or what is wrong with either: a mistake in one hides none in the other.
fn read_by(
    config: &Config,
    read: impl FnOnce(&Settings) -> std::result::Result<Library, Vec<Diagnostic>>,
) -> std::result::Result<(Arc<Library>, Arc<Terms>), Vec<Diagnostic>> {
    let terms = read_terms(config);
    let terms_hash = terms.as_ref().map(|terms| terms.hash().to_owned()).unwrap_or_default();
    let settings = Settings { terms_hash, params: config.params.clone() };
    match (terms, read(&settings)) {
        (Ok(terms), Ok(library)) => Ok((Arc::new(library), Arc::new(terms))),
        (terms, library) => Err(terms.err().into_iter().chain(library.err()).flatten().collect()),
    }
}

/// The same with the test files, which serve nobody: for the checker and for whoever runs the tests. What is no fault
/// stands in the library's `warnings` and `notes`.
///
/// # Errors
/// Every finding of every file.
pub fn read_with_tests(config: &Config, kit: &Kit) -> std::result::Result<(Arc<Library>, Arc<Terms>), Vec<Diagnostic>> {
    read_by(config, |settings| Library::from_folder_with_tests(&config.library, settings, kit))
}

fn read_terms(config: &Config) -> std::result::Result<Terms, Vec<Diagnostic>> {
    let failed = |path: &str, message: String| vec![Diagnostic::error("terms", path, (0, 0, 0), message)];
    let builtin = Terms::builtin().map_err(|error| failed("policies/terms", error.to_string()))?;
    let policies = config.library.join("policies");
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(policies.join("terms")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".toml") {
            paths.push((format!("policies/terms/{name}"), entry.path()));
        }
    }
    if policies.join("tax.toml").is_file() {
        paths.push(("policies/tax.toml".to_owned(), policies.join("tax.toml")));
    }
    let mut files = Vec::new();
    for (path, place) in paths {
        let text = std::fs::read_to_string(place).map_err(|error| failed(&path, error.to_string()))?;
        files.push((path, text));
    }
    files.sort();
    let rows: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    if rows.is_empty() {
        return Ok(builtin);
    }
    let finding = |error: &TermsError| {
        let place = &error.place;
        Diagnostic::error("terms", &place.file, (place.line, place.column, 1), error.expected.clone())
    };
    builtin.with_rows(&rows).map_err(|errors| errors.iter().map(finding).collect())
}

fn told(findings: &[Diagnostic]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl App {
    /// What runs, and what is wrong with what lies in the folder.
    pub fn library_state(&self) -> Arc<Current> {
        self.inner.library.current()
    }

    /// Reads the folder again: when everything in it is right it is in force at once, whole; else the old library
    /// keeps running and the findings say why.
    pub fn reload(&self) -> Arc<Current> {
        let before = self.inner.library.current();
        let next = match read(&self.inner.config, &self.inner.library.kit) {
            Ok((library, terms)) => {
                if library.hash == before.library.hash
                    && terms.hash() == before.terms.hash()
                    && before.findings.is_empty()
                {
                    return before;
                }
                tracing::info!(hash = &library.hash[..16], files = library.files.len(), "the library is in force");
                Current { library, terms, findings: Vec::new() }
            }
            Err(findings) => {
                for finding in &findings {
                    tracing::error!("{finding}");
                }
                tracing::error!(findings = findings.len(), "the library is broken; the one before keeps running");
                Current { library: before.library.clone(), terms: before.terms.clone(), findings }
            }
        };
        let next = Arc::new(next);
        self.inner.library.current.store(Arc::clone(&next));
        self.inner.pool.swap(next.library.clone());
        if let Err(error) = self.keep_sources() {
            tracing::error!(%error, "could not keep the sources of the library");
        }
        self.wake();
        next
    }

    /// Keeps everything that may decide from now on, as its hash covers it: text, lib files, params and terms.
    pub(crate) fn keep_sources(&self) -> Result<()> {
        let current = self.inner.library.current();
        let Current { library, terms, .. } = &*current;
        let mut tx = self.inner.store.begin()?;
        let mut damaged = None;
        for file in &library.files {
            let kept = upkeep::keep_source(&mut tx, &file.hash, || source(library, file, terms.hash()));
            note_damage(kept, &mut damaged)?;
        }
        let kept = upkeep::keep_source(&mut tx, terms.hash(), || {
            let files = terms.files().iter().map(|(path, text)| (path.clone(), text.clone())).collect();
            Source { files, ..Source::default() }
        });
        note_damage(kept, &mut damaged)?;
        if !tx.is_empty() {
            tx.commit()?.wait()?;
        }
        damaged.map_or(Ok(()), |error: store::Error| Err(error.into()))
    }
}

/// One damaged row does not keep the others from being kept.
fn note_damage(kept: store::Result<()>, damaged: &mut Option<store::Error>) -> store::Result<()> {
    match kept {
        Err(error @ store::Error::Corrupt { .. }) => {
            *damaged = Some(error);
            Ok(())
        }
        kept => kept,
    }
}

/// What a file's hash stands for.
fn source(library: &Library, file: &File, terms: &str) -> Source {
    let libs = file.libs.iter().filter_map(|name| library.file(&format!("lib/{name}.rhai")));
    let texts = libs.map(|lib| (lib.path.clone(), lib.source.to_string()));
    Source {
        path: file.path.clone(),
        files: texts.chain([(file.path.clone(), file.source.to_string())]).collect(),
        params: file.manifest.params.to_string(),
        terms: terms.to_owned(),
    }
}
