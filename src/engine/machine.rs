//! One script thread's engine with the library compiled into it, and the one place where a handler is called.
//!
//! It is built from a [`Library`] and belongs to its thread; a new library needs a new machine.

use rhai::{AST, CallFnOptions, Dynamic, Engine, Module, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::budget::{Budget, Spent, spend};
use super::check;
use super::diagnostic::Diagnostic;
use super::failure::Failure;
use super::library::{File, Library, directly_named, lib_name};
use super::manifest::FileKind;

/// One script thread's engine and compiled files.
pub struct Machine {
    library: Arc<Library>,
    engine: Engine,
    compiled: BTreeMap<String, AST>,
    known: BTreeSet<String>,
}

impl Machine {
    /// Compiles the library for this thread.
    ///
    /// # Errors
    /// Never for a library that was loaded by the same program; told all the same.
    pub fn new(library: Arc<Library>) -> Result<Self, Vec<Diagnostic>> {
        let tests = library.files.iter().any(|file| file.kind == FileKind::Test);
        let mut engine = if tests { library.kit.test_engine() } else { library.kit.engine() };
        let mut findings = add_libs(&mut engine, library.files.iter().map(AsRef::as_ref));
        let mut compiled = BTreeMap::new();
        for file in library.files.iter().filter(|file| file.kind != FileKind::Lib) {
            match compile(&engine, file) {
                Ok(ast) => drop(compiled.insert(file.path.clone(), ast)),
                Err(finding) => findings.push(*finding),
            }
        }
        let known = check::known_names(&engine);
        if findings.is_empty() { Ok(Self { library, engine, compiled, known }) } else { Err(findings) }
    }

    /// The library it was built from; a new library needs a new machine.
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// Calls a handler of a file on a budget of its own: with the event, and the params where it takes two. The tag
    /// is what functions of the program find through their call context. A returned value that is nested deeply or
    /// holds functions is as good as none.
    pub fn call(
        &self,
        path: &str,
        handler: &str,
        event: Dynamic,
        tag: Option<Dynamic>,
        budget: &Budget,
    ) -> (Result<Dynamic, Failure>, Spent) {
        let (Some(file), Some(ast)) = (self.library.file(path), self.compiled.get(path)) else {
            return (Err(Failure::new("not_found", format!("there is no file {path}"))), Spent::default());
        };
        let takes = file.functions.get(handler);
        let args = match takes {
            Some(takes) if takes.contains(&2) => vec![event, file.params().into()],
            Some(takes) if takes.contains(&1) => vec![event],
            _ => {
                let failure = Failure::new("not_found", no_handler(file, handler));
                return (Err(failure), Spent::default());
            }
        };
        self.invoke((path, ast), handler, args, tag, budget)
    }

    /// Calls a function of a test file, which takes nothing.
    pub fn call_test(&self, path: &str, name: &str, budget: &Budget) -> (Result<Dynamic, Failure>, Spent) {
        match self.compiled.get(path) {
            Some(ast) => self.invoke((path, ast), name, Vec::new(), None, budget),
            None => (Err(Failure::new("not_found", format!("there is no file {path}"))), Spent::default()),
        }
    }

    fn invoke(
        &self,
        (path, ast): (&str, &AST),
        name: &str,
        args: Vec<Dynamic>,
        tag: Option<Dynamic>,
        budget: &Budget,
    ) -> (Result<Dynamic, Failure>, Spent) {
        let mut options = CallFnOptions::new();
        options.tag = tag;
        spend(budget, || {
            let called: Result<Dynamic, _> =
                self.engine.call_fn_with_options(options, &mut Scope::new(), ast, name, args);
            let returned =
                called.map_err(|error| Failure::from_error(&error, |name| self.known.contains(name)).in_file(path))?;
            // What is nested deeply is dropped here, where the stack is large, and not by whoever gets it.
            Ok(if is_plain(&returned, 0) { returned } else { Dynamic::UNIT })
        })
    }
}

/// Arrays and maps inside each other in what a handler returns.
const RETURN_DEPTH_MAX: usize = 16;

fn is_plain(value: &Dynamic, depth: usize) -> bool {
    if depth > RETURN_DEPTH_MAX || value.is_fnptr() || value.is_shared() {
        return false;
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().all(|item| is_plain(item, depth + 1));
    }
    if let Ok(map) = value.as_map_ref() {
        return map.values().all(|item| is_plain(item, depth + 1));
    }
    true
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("library", &self.library.hash).finish_non_exhaustive()
    }
}

/// Compiles one file.
pub(super) fn compile(engine: &Engine, file: &File) -> Result<AST, Box<Diagnostic>> {
    let mut ast = engine.compile(&*file.source).map_err(|error| Box::new(check::parse_finding(file, &error)))?;
    ast.set_source(file.path.as_str());
    Ok(ast)
}

/// Makes the lib files available as `NAME::f`, each after those it names.
pub(super) fn add_libs<'a>(engine: &mut Engine, files: impl Iterator<Item = &'a File>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut waiting: Vec<(&str, &File)> = files
        .filter(|file| file.kind == FileKind::Lib)
        .filter_map(|file| Some((lib_name(&file.path)?, file)))
        .collect();
    while !waiting.is_empty() {
        let names: BTreeSet<&str> = waiting.iter().map(|(name, _)| *name).collect();
        let ready = waiting.iter().position(|(name, file)| {
            let mut others = directly_named(&file.source);
            others.remove(name);
            others.is_disjoint(&names)
        });
        let Some(ready) = ready else {
            for (name, file) in &waiting {
                engine.register_static_module(*name, Module::new().into());
                let message = "lib files name each other in a circle";
                findings.push(Diagnostic::error("lib_circle", &file.path, (1, 1, 1), message));
            }
            return findings;
        };
        let (name, file) = waiting.remove(ready);
        match compile(engine, file).and_then(|ast| module(engine, file, &ast)) {
            Ok(module) => drop(engine.register_static_module(name, module.into())),
            Err(finding) => {
                findings.push(*finding);
                engine.register_static_module(name, Module::new().into());
            }
        }
    }
    findings
}

fn module(engine: &Engine, file: &File, ast: &AST) -> Result<Module, Box<Diagnostic>> {
    if let Some(finding) = check::top_level(file, ast).into_iter().next() {
        return Err(Box::new(finding));
    }
    let budget = Budget { operations: 10_000, ..Budget::default() };
    let (module, _) = spend(&budget, || {
        Module::eval_ast_as_new(Scope::new(), ast, engine).map_err(|error| Failure::from_error(&error, |_| true))
    });
    module.map_err(|failure| {
        let at = |number: Option<u32>| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(1);
        let place = (at(failure.line), at(failure.column), 1);
        Box::new(Diagnostic::error("lib_failed", &file.path, place, format!("{} ({})", failure.message, failure.code)))
    })
}

/// That a file has no such handler, and which its triggers call. A policy's call none: they propose what it decides.
fn no_handler(file: &File, handler: &str) -> String {
    if file.kind == FileKind::Policy {
        let path = &file.path;
        return format!(
            "{path} is a policy: it has no handler {handler}(event, params), its triggers propose what it decides"
        );
    }
    let mut calls: Vec<&str> = file.manifest.on.iter().map(|trigger| trigger.call.as_str()).collect();
    calls.dedup();
    let others = if calls.is_empty() { String::new() } else { format!("; its triggers call {}", calls.join(", ")) };
    format!("{} has no handler {handler}(event, params){others}", file.path)
}
