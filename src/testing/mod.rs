//! Running the tests of policies and scripts: every `test_*` function of the `*_test.rhai` files beside them.
//!
//! Each test has an application of its own in memory, under the library's policies, on a clock that stands until the
//! test moves it. Nothing is read but the library, nothing is written anywhere, and nothing leaves the process.

mod functions;
mod given;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::app::{self, App, Options, library};
use crate::clock;
use crate::config::Config;
use crate::domain::terms::Terms;
use crate::domain::{Instant, calendar};
use crate::engine::api::testing::{self as script, Difference, Ended};
use crate::engine::library::{File, Library};
use crate::engine::manifest::FileKind;
use crate::engine::{Budget, Diagnostic, Failure, sandbox};
use crate::ops::{Rights, ledger};
use functions::Desk;

/// Where the clock of a test stands at first, unless its file says `at`.
const AT: &str = "2027-01-01T00:00:00Z";
/// How long one test may take, the work it sets off included.
const WALL: Duration = Duration::from_secs(60);
/// Operations of one test, beside those of what it sets off.
const OPERATIONS: u64 = 20_000_000;
/// Decisions told of one test.
const DECISIONS_MAX: usize = 50;

/// Why no tests were run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library does not load; every finding.
    #[error("the library does not load: {} findings", .0.len())]
    Library(Vec<Diagnostic>),
    /// No test has a name or file such as was asked for.
    #[error("no test is called {filter}{}", .near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    NoSuchTest {
        /// What was asked for.
        filter: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// An application for a test could not be made.
    #[error("could not make an application for {test}")]
    App {
        /// Which test.
        test: String,
        /// Why not.
        #[source]
        source: app::Error,
    },
    /// The machine gave no thread.
    #[error("could not start a thread for {test}")]
    Thread {
        /// Which test.
        test: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// What a policy answered while a test ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// The kind of request.
    pub kind: &'static str,
    /// The policy; empty where none answered and the kind's default stood.
    pub file: String,
    /// `approve`, `review`, `deny`, `abstain`.
    pub verdict: &'static str,
    /// Why.
    pub reasons: Vec<String>,
}

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestReport {
    /// The file, `policies/renewal_test.rhai`.
    pub file: String,
    /// The function, `test_a_year_waits`.
    pub name: String,
    /// Why it failed and where; none: it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was expected and what was there, when that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// See `expected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// The failure with the line of the source and a caret under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// What policies answered meanwhile, oldest first.
    pub answers: Vec<Answered>,
    /// What it printed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// How long it took on the wall.
    pub micros: u64,
}

impl TestReport {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

impl std::fmt::Display for TestReport {
    /// One line for a test that passed; for one that failed the place, the line of the source, what differed, what the
    /// policies answered, and what was printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.passed() { "ok" } else { "FAILED" };
        write!(f, "{word:6} {}::{} ({} ms)", self.file, self.name, self.micros / 1000)?;
        let Some(shown) = &self.shown else { return Ok(()) };
        for line in shown.lines() {
            write!(f, "\n    {line}")?;
        }
        if let (Some(expected), Some(got)) = (&self.expected, &self.got) {
            write!(f, "\n    expected: {expected}\n    got:      {got}")?;
        }
        for answer in &self.answers {
            let who = if answer.file.is_empty() { "no policy" } else { &answer.file };
            write!(f, "\n    {}: {who} answered {}", answer.kind, answer.verdict)?;
            if !answer.reasons.is_empty() {
                write!(f, " ({})", answer.reasons.join("; "))?;
            }
        }
        for line in self.output.lines() {
            write!(f, "\n    printed: {line}")?;
        }
        Ok(())
    }
}

/// How all tests ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs the tests of the configured library whose file or name holds `filter`, in the order of files and lines, and
/// reports each as it ends.
///
/// # Errors
/// A library that does not load (a test file without a test is a finding), a filter that nothing fits, a machine that
/// gives no thread. A test that fails is a report.
pub fn run(config: &Config, filter: Option<&str>, report: &mut dyn FnMut(TestReport)) -> Result<Summary, Error> {
    let kit = crate::engine::api::kit();
    let (with_tests, terms) = library::read_with_tests(config, &kit).map_err(Error::Library)?;
    let serving = Arc::new(with_tests.without_tests());
    let tests = chosen(&with_tests, filter)?;
    let stage = Stage { config, with_tests, serving, terms };
    let mut summary = Summary::default();
    for (file, name) in tests {
        let told = stage.perform(&file, &name)?;
        if told.passed() {
            summary.passed += 1;
        } else {
            summary.failed += 1;
        }
        report(told);
    }
    Ok(summary)
}

/// The tests a filter holds, in the order of their files and of their places there.
fn chosen(library: &Library, filter: Option<&str>) -> Result<Vec<(Arc<File>, String)>, Error> {
    let mut all = Vec::new();
    for file in library.of_kind(FileKind::Test) {
        let mut names: Vec<&String> = file.functions.keys().filter(|name| name.starts_with("test_")).collect();
        names.sort_by_key(|name| file.source.find(&format!("fn {name}(")).unwrap_or(usize::MAX));
        all.extend(names.into_iter().map(|name| (Arc::clone(file), name.clone())));
    }
    let Some(filter) = filter else { return Ok(all) };
    let wanted = |(file, name): &(Arc<File>, String)| format!("{}::{name}", file.path).contains(filter);
    let found: Vec<_> = all.iter().filter(|test| wanted(test)).cloned().collect();
    if found.is_empty() {
        let known = all.iter().flat_map(|(file, name)| [file.path.as_str(), name.as_str()]);
        let near = crate::suggest::nearest(filter, known).map(str::to_owned);
        return Err(Error::NoSuchTest { filter: filter.to_owned(), near });
    }
    Ok(found)
}

/// What every test of a run shares.
struct Stage<'a> {
    config: &'a Config,
    with_tests: Arc<Library>,
    serving: Arc<Library>,
    terms: Arc<Terms>,
}

impl Stage<'_> {
    fn perform(&self, file: &Arc<File>, name: &str) -> Result<TestReport, Error> {
        let test = || format!("{}::{name}", file.path);
        let began = clock::monotonic();
        let app = self.app(file.manifest.at).map_err(|source| Error::App { test: test(), source })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| Error::Thread { test: test(), source })?;
        let ended = self.call(&app, runtime, file, name).map_err(|source| Error::Thread { test: test(), source })?;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(self.tell(file, name, ended, answers(&app), micros))
    }

    fn app(&self, at: Option<Instant>) -> app::Result<App> {
        let at = at.or_else(|| calendar::instant(AT).ok()).unwrap_or(chrono::DateTime::UNIX_EPOCH);
        let library = Some((Arc::clone(&self.serving), Arc::clone(&self.terms)));
        let options = Options { script_threads: Some(1), library, ..Options::default() };
        App::in_memory(self.config, *b"a store of tests", Some(at), options)
    }

    /// On a thread with a large stack that is none of the application's own: its jobs are waited for there.
    fn call(
        &self,
        app: &App,
        runtime: tokio::runtime::Runtime,
        file: &Arc<File>,
        name: &str,
    ) -> std::io::Result<Ended> {
        let (app, library) = (app.clone(), Arc::clone(&self.with_tests));
        let (path, name) = (file.path.clone(), name.to_owned());
        let thread = sandbox::spawn_script_thread("test", move || {
            let budget = Budget { operations: OPERATIONS, wall: WALL, ..Budget::default() };
            // Schedules count from the first instant the library is in force.
            if let Err(error) = runtime.block_on(crate::triggers::tick(&app)) {
                return Ended::failed(Failure::new("failed", app::chain(&error)));
            }
            let desk = Desk::new(app, runtime);
            script::run(&library, &path, &name, Box::new(desk), &budget)
        })?;
        Ok(thread.join().unwrap_or_else(|_| Ended::failed(Failure::new("panicked", "the test's thread panicked"))))
    }

    fn tell(&self, file: &Arc<File>, name: &str, ended: Ended, answers: Vec<Answered>, micros: u64) -> TestReport {
        let shown = ended.failure.as_ref().map(|failure| self.shown(file, failure));
        let Difference { expected, got } = ended.difference.unwrap_or_default();
        TestReport {
            file: file.path.clone(),
            name: name.to_owned(),
            failure: ended.failure,
            expected: Some(expected).filter(|text| !text.is_empty()),
            got: Some(got).filter(|text| !text.is_empty()),
            shown,
            answers,
            output: ended.spent.output,
            micros,
        }
    }

    /// The failure where it happened, or where its test begins when the engine knows no place.
    fn shown(&self, file: &Arc<File>, failure: &Failure) -> String {
        let path = failure.file.as_deref().unwrap_or(&file.path);
        let number = |number: Option<u32>| number.map_or(0, |number| number as usize);
        let place = (number(failure.line), number(failure.column).max(1), 1);
        let source = self.with_tests.file(path).map_or("", |file| &file.source);
        Diagnostic::error(&failure.code, path, place, &failure.message).render(source)
    }
}

/// Every answer given while the test ran, oldest first.
fn answers(app: &App) -> Vec<Answered> {
    let everything = crate::domain::selection::Selection::everything(&crate::domain::selection::DECISIONS);
    let page = app.read(Rights::system(), |work| ledger::decisions(work, &everything, None, DECISIONS_MAX));
    let mut decisions = page.map(|page| page.items).unwrap_or_default();
    decisions.reverse();
    let told = decisions.into_iter().flat_map(|decision| {
        let kind = decision.kind.as_str();
        let default = decision.by_default.map(|why| Answered {
            kind,
            file: String::new(),
            verdict: decision.verdict.as_str(),
            reasons: vec![why],
        });
        let answer = move |answer: crate::domain::decision::Answer| Answered {
            kind,
            file: answer.file,
            verdict: answer.verdict.as_str(),
            reasons: answer.reasons,
        };
        decision.answers.into_iter().map(answer).chain(default)
    });
    told.collect()
}
