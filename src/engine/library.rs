//! A library: every policy, script and lib file of a partner, read, checked and compiled - all of them or none.
//!
//! A library is plain data and never changes; a new one replaces it whole. Each script thread builds a
//! [`super::machine::Machine`] from it: an engine and compiled files of its own, because sharing them makes threads
//! wait for each other.

use rhai::{Dynamic, Engine, Map};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::check;
use super::diagnostic::{Diagnostic, Severity};
use super::manifest::{self, FileKind, Manifest, Rules};
use super::reference::{self, Part};
use super::sandbox::{self, SOURCE_BYTES_MAX};

/// Files of one library.
const FILES_MAX: usize = 1_000;
/// Folders inside each other below `policies/`, `scripts/` and `lib/`.
const FOLDER_DEPTH_MAX: usize = 4;

/// What the program adds to the engine's own functions, and the rules of its other parts.
#[derive(Clone)]
pub struct Kit {
    /// Checks of schedules and selections.
    pub rules: Rules,
    /// Registers the functions that reach the domain.
    pub register: Arc<dyn Fn(&mut Engine) + Send + Sync>,
    /// What those functions are, for the checker and the reference.
    pub parts: Vec<Part>,
    /// Registers what only test files are given.
    pub register_tests: Arc<dyn Fn(&mut Engine) + Send + Sync>,
    /// What those functions are.
    pub test_parts: Vec<Part>,
}

impl Default for Kit {
    /// Nothing but the engine's own.
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            register: Arc::new(|_| ()),
            parts: Vec::new(),
            register_tests: Arc::new(|_| ()),
            test_parts: Vec::new(),
        }
    }
}

impl Kit {
    /// The same with a host's own functions. `parts` describes them, so that the checker and the reference know them.
    #[must_use]
    pub fn with(mut self, register: impl Fn(&mut Engine) + Send + Sync + 'static, parts: &[Part]) -> Self {
        let own = Arc::clone(&self.register);
        self.register = Arc::new(move |engine| {
            own(engine);
            register(engine);
        });
        self.parts.extend_from_slice(parts);
        self
    }

    /// An engine with everything scripts may call.
    pub fn engine(&self) -> Engine {
        let mut engine = sandbox::engine();
        (self.register)(&mut engine);
        engine
    }

    /// Every part: the engine's own, then these.
    pub fn every_part(&self) -> Vec<Part> {
        let mut parts = reference::parts();
        parts.extend(&self.parts);
        parts
    }

    /// An engine with everything that test files may call.
    pub fn test_engine(&self) -> Engine {
        let mut engine = self.engine();
        (self.register_tests)(&mut engine);
        engine
    }

    /// Every part, and what only test files are given.
    pub fn every_test_part(&self) -> Vec<Part> {
        let mut parts = self.every_part();
        parts.extend(&self.test_parts);
        parts
    }
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

/// What a file's hash covers beside its text.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Hash of the commerce terms in force.
    pub terms_hash: String,
    /// Params from the configuration, by path without the ending (`policies/renewal`); they replace the manifest's.
    pub params: BTreeMap<String, toml::Table>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// Path inside the library, with forward slashes.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// What it says about itself; its params are the merged ones.
    pub manifest: Manifest,
    /// Its text.
    pub source: Arc<str>,
    /// The lib files it names, directly and through others.
    pub libs: Vec<String>,
    /// Content hash over its text, those lib files, the terms, the params and the engine's version; hexadecimal.
    pub hash: String,
    /// Functions it has, by name, with their numbers of parameters.
    pub functions: BTreeMap<String, BTreeSet<usize>>,
}

impl File {
    /// The hash as principals show it.
    pub fn short_hash(&self) -> &str {
        &self.hash[..16]
    }

    /// The params as a script sees them.
    pub fn params(&self) -> Map {
        table(&self.manifest.params)
    }
}

/// Every file of a partner, compiled.
#[derive(Debug)]
pub struct Library {
    /// Sorted by path.
    pub files: Vec<Arc<File>>,
    /// Hash of all files' hashes.
    pub hash: String,
    /// Findings that did not keep it from loading.
    pub warnings: Vec<Diagnostic>,
    /// What is worth knowing and no fault.
    pub notes: Vec<Diagnostic>,
    pub(super) kit: Kit,
}

impl Library {
    /// Reads `policies/`, `scripts/` and `lib/` of a folder. Test files are no part of it and are not even read.
    ///
    /// # Errors
    /// Every finding of every file, sorted by place; nothing is loaded then.
    pub fn from_folder(folder: &Path, settings: &Settings, kit: &Kit) -> Result<Self, Vec<Diagnostic>> {
        whole(texts(folder, false), |texts| Self::from_texts(texts, settings, kit))
    }

    /// The same with the test files, for the checker and for whoever runs them.
    ///
    /// # Errors
    /// Every finding of every file.
    pub fn from_folder_with_tests(folder: &Path, settings: &Settings, kit: &Kit) -> Result<Self, Vec<Diagnostic>> {
        whole(texts(folder, true), |texts| Self::from_texts_with_tests(texts, settings, kit))
    }

    /// A library from (path, text) pairs in memory; test files are left out.
    ///
    /// # Errors
    /// Every finding of every file.
    pub fn from_texts(
        mut texts: Vec<(String, String)>,
        settings: &Settings,
        kit: &Kit,
    ) -> Result<Self, Vec<Diagnostic>> {
        texts.retain(|(path, _)| FileKind::of(path) != Some(FileKind::Test));
        Self::from_texts_with_tests(texts, settings, kit)
    }

    /// The same with the test files.
    ///
    /// # Errors
    /// Every finding of every file.
    pub fn from_texts_with_tests(
        texts: Vec<(String, String)>,
        settings: &Settings,
        kit: &Kit,
    ) -> Result<Self, Vec<Diagnostic>> {
        let (mut drafts, mut findings) = read_all(texts, settings, kit);
        findings.extend(check::check(&mut drafts, kit));
        findings.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
        findings.dedup();
        let (notes, findings): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|finding| finding.severity == Severity::Note);
        if findings.iter().any(Diagnostic::is_error) {
            return Err(findings);
        }
        Ok(Self::of(drafts.into_iter().map(Arc::new).collect(), findings, notes, kit))
    }

    fn of(files: Vec<Arc<File>>, warnings: Vec<Diagnostic>, notes: Vec<Diagnostic>, kit: &Kit) -> Self {
        let mut hasher = blake3::Hasher::new();
        for file in &files {
            piece(&mut hasher, &file.path);
            piece(&mut hasher, &file.hash);
        }
        Self { files, hash: hasher.finalize().to_hex().to_string(), warnings, notes, kit: kit.clone() }
    }

    /// The same library as it serves: without its test files.
    #[must_use]
    pub fn without_tests(&self) -> Self {
        let files = self.files.iter().filter(|file| file.kind != FileKind::Test).map(Arc::clone).collect();
        Self::of(files, self.warnings.clone(), self.notes.clone(), &self.kit)
    }

    /// A library without files.
    pub fn empty(kit: &Kit) -> Self {
        Self {
            files: Vec::new(),
            hash: blake3::hash(b"").to_hex().to_string(),
            warnings: Vec::new(),
            notes: Vec::new(),
            kit: kit.clone(),
        }
    }

    /// The file of this path.
    pub fn file(&self, path: &str) -> Option<&Arc<File>> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|index| &self.files[index])
    }

    /// The files of one kind, in the order of their paths.
    pub fn of_kind(&self, kind: FileKind) -> impl Iterator<Item = &Arc<File>> {
        self.files.iter().filter(move |file| file.kind == kind)
    }

    /// The policies that answer this kind of request and are switched on.
    pub fn deciders(&self, kind: crate::domain::Kind) -> impl Iterator<Item = &Arc<File>> {
        self.of_kind(FileKind::Policy)
            .filter(move |file| file.manifest.enabled && file.manifest.decides.contains(&kind))
    }
}

fn read_all(texts: Vec<(String, String)>, settings: &Settings, kit: &Kit) -> (Vec<File>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut files = Vec::new();
    let mut sorted = texts;
    sorted.sort();
    if sorted.len() > FILES_MAX {
        let message = format!("a library has at most {FILES_MAX} files, this one has {}", sorted.len());
        findings.push(Diagnostic::error("too_many_files", "library", (0, 0, 0), message));
        sorted.truncate(FILES_MAX);
    }
    for (path, source) in sorted {
        let Some(kind) = FileKind::of(&path) else {
            let message = "files of a library lie in policies/, scripts/ or lib/ and end in .rhai";
            findings.push(Diagnostic::error("misplaced_file", &path, (0, 0, 0), message));
            continue;
        };
        if source.len() > SOURCE_BYTES_MAX {
            let message = format!("{} bytes; a file has at most {SOURCE_BYTES_MAX}", source.len());
            findings.push(Diagnostic::error("script_too_large", &path, (0, 0, 0), message));
            continue;
        }
        let (mut manifest, told) = manifest::read(&path, kind, &source, &kit.rules);
        findings.extend(told);
        if let Some(params) = settings.params.get(path.trim_end_matches(".rhai")) {
            merge_params(&path, &mut manifest, params, &mut findings);
        }
        let source: Arc<str> = source.into();
        let (libs, hash, functions) = (Vec::new(), String::new(), BTreeMap::new());
        files.push(File { path, kind, manifest, source, libs, hash, functions });
    }
    for path in settings.params.keys().filter(|path| !files.iter().any(|file| file.path == format!("{path}.rhai"))) {
        let known = files.iter().map(|file| file.path.trim_end_matches(".rhai"));
        let near = crate::suggest::nearest(path, known).map(str::to_owned);
        let finding = Diagnostic::error("unknown_file", "params", (0, 0, 0), format!("params are given for {path}"));
        findings.push(finding.suggesting(near.as_deref()));
    }
    let every = lib_texts(&files);
    for file in &mut files {
        file.libs = named(&file.source, &every);
        file.hash = hash(file, &every, settings);
    }
    (files, findings)
}

fn merge_params(path: &str, manifest: &mut Manifest, given: &toml::Table, findings: &mut Vec<Diagnostic>) {
    for (name, value) in given {
        let Some(own) = manifest.params.get_mut(name) else {
            let near = crate::suggest::nearest(name, manifest.params.keys().map(String::as_str)).map(str::to_owned);
            let message = format!("the configuration gives {name}, which this file does not declare in its params");
            let finding = Diagnostic::error("unknown_param", path, (0, 0, 0), message);
            findings.push(finding.suggesting(near.as_deref()));
            continue;
        };
        if own.type_str() != value.type_str() {
            let message = format!(
                "the configuration gives {name} as {}, the file declares it as {}",
                value.type_str(),
                own.type_str()
            );
            findings.push(Diagnostic::error("param_type", path, (0, 0, 0), message));
            continue;
        }
        *own = value.clone();
    }
}

fn lib_texts(files: &[File]) -> BTreeMap<String, Arc<str>> {
    let libs = files.iter().filter(|file| file.kind == FileKind::Lib);
    libs.filter_map(|file| Some((lib_name(&file.path)?.to_owned(), file.source.clone()))).collect()
}

/// `sums` for `lib/sums.rhai`.
pub(super) fn lib_name(path: &str) -> Option<&str> {
    path.strip_prefix("lib/")?.strip_suffix(".rhai")
}

/// The lib files a text names, directly and through others, sorted.
fn named(source: &str, libs: &BTreeMap<String, Arc<str>>) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<&str> = vec![source];
    while let Some(text) = open.pop() {
        for name in directly_named(text) {
            if let Some(lib) = libs.get(name)
                && found.insert(name.to_owned())
            {
                open.push(lib);
            }
        }
    }
    found.into_iter().collect()
}

/// Identifiers that stand before `::`, comments left out. A string that looks like one is taken too: it only widens
/// what the hash covers.
pub(super) fn directly_named(source: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for line in source.lines() {
        let code = line.split("//").next().unwrap_or_default();
        let pieces: Vec<&str> = code.split("::").collect();
        for piece in &pieces[..pieces.len() - 1] {
            let piece = piece.trim_end();
            let start =
                piece.rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').map_or(0, |at| at + 1);
            if let Some(name) = piece.get(start..).filter(|name| !name.is_empty()) {
                found.insert(name);
            }
        }
    }
    found
}

fn hash(file: &File, libs: &BTreeMap<String, Arc<str>>, settings: &Settings) -> String {
    let mut hasher = blake3::Hasher::new();
    piece(&mut hasher, concat!("bursar ", env!("CARGO_PKG_VERSION"), " rhai 1.27.0"));
    piece(&mut hasher, &file.source);
    for name in &file.libs {
        piece(&mut hasher, name);
        piece(&mut hasher, libs.get(name).map_or("", |text| text));
    }
    piece(&mut hasher, &settings.terms_hash);
    piece(&mut hasher, &file.manifest.params.to_string());
    hasher.finalize().to_hex().to_string()
}

/// A piece with its length before it, so that no two lists of pieces hash alike.
fn piece(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn table(values: &toml::Table) -> Map {
    values.iter().map(|(name, value)| (name.as_str().into(), dynamic(value))).collect()
}

fn dynamic(value: &toml::Value) -> Dynamic {
    match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Boolean(value) => (*value).into(),
        toml::Value::Array(items) => items.iter().map(dynamic).collect::<rhai::Array>().into(),
        toml::Value::Table(values) => table(values).into(),
        // Floats and dates are refused where params are read.
        toml::Value::Float(_) | toml::Value::Datetime(_) => Dynamic::UNIT,
    }
}

/// A library of what could be read, unless something could not be: then what is wrong with the rest is told too.
fn whole(
    (texts, mut findings): (Vec<(String, String)>, Vec<Diagnostic>),
    compile: impl FnOnce(Vec<(String, String)>) -> Result<Library, Vec<Diagnostic>>,
) -> Result<Library, Vec<Diagnostic>> {
    match compile(texts) {
        Ok(library) if findings.is_empty() => Ok(library),
        compiled => {
            findings.extend(compiled.err().into_iter().flatten());
            Err(findings)
        }
    }
}

fn texts(folder: &Path, tests: bool) -> (Vec<(String, String)>, Vec<Diagnostic>) {
    let mut texts = Vec::new();
    let mut findings = Vec::new();
    for name in ["lib", "policies", "scripts"] {
        read_folder(&folder.join(name), name, 0, tests, &mut texts, &mut findings);
    }
    (texts, findings)
}

fn read_folder(
    folder: &Path,
    prefix: &str,
    depth: usize,
    tests: bool,
    texts: &mut Vec<(String, String)>,
    findings: &mut Vec<Diagnostic>,
) {
    let unreadable = |path: &str, error: &std::io::Error| {
        Diagnostic::error("unreadable", path, (0, 0, 0), format!("cannot be read: {error}"))
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && depth == 0 => return,
        Err(error) => return findings.push(unreadable(prefix, &error)),
    };
    let mut below = Vec::new();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return findings.push(unreadable(prefix, &error)),
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}/{name}");
        let Ok(about) = std::fs::metadata(entry.path()) else { continue };
        if about.is_dir() && depth < FOLDER_DEPTH_MAX {
            below.push((entry.path(), path));
        } else if about.is_file() && name.ends_with(".rhai") && !name.starts_with('.') {
            if !tests && FileKind::of(&path) == Some(FileKind::Test) {
                continue;
            }
            if about.len() > SOURCE_BYTES_MAX as u64 {
                let message = format!("{} bytes; a file has at most {SOURCE_BYTES_MAX}", about.len());
                findings.push(Diagnostic::error("script_too_large", &path, (0, 0, 0), message));
                continue;
            }
            match std::fs::read_to_string(entry.path()) {
                Ok(text) => texts.push((path, text)),
                Err(error) => findings.push(unreadable(&path, &error)),
            }
        }
    }
    for (folder, path) in below {
        read_folder(&folder, &path, depth + 1, tests, texts, findings);
    }
}
