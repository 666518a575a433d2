//! The checker: compiles every file and walks its syntax tree, so that what would fail at night fails before.
//!
//! It runs no handler. It finds unknown functions and properties, wrong numbers of parameters, missing grants and
//! handlers, and comparisons that can never hold. What it cannot know - the type of a value that came from anywhere -
//! it leaves to the run, where it is an error and not a guess.

mod catalogue;
mod walk;

use rhai::{AST, ASTFlags, Engine, ParseError, ParseErrorType, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Diagnostic;
use super::library::{File, Kit, lib_name};
use super::machine::{add_libs, compile};
use super::manifest::{FileKind, Place, Source};
use crate::suggest;
use catalogue::Catalogue;

/// Functions by name, with their numbers of parameters.
pub(super) type Functions = BTreeMap<String, BTreeSet<usize>>;

/// Checks every file, and notes what functions each has. Tells everything it finds.
pub(super) fn check(files: &mut [File], kit: &Kit) -> Vec<Diagnostic> {
    let mut engine = kit.engine();
    let mut findings: Vec<Diagnostic> = files.iter().filter_map(forbidden_characters).collect();
    let mut catalogue = Catalogue::new(&engine, &kit.every_part());
    findings.extend(add_libs(&mut engine, files.iter()));
    let mut for_tests = files.iter().any(|file| file.kind == FileKind::Test).then(|| {
        let mut engine = kit.test_engine();
        let catalogue = Catalogue::new(&engine, &kit.every_test_part());
        // What is wrong with a lib file is told above.
        add_libs(&mut engine, files.iter());
        (engine, catalogue)
    });
    let mut compiled: Vec<Option<AST>> = Vec::new();
    for file in &mut *files {
        let own = for_tests.as_ref().filter(|_| file.kind == FileKind::Test).map_or(&engine, |(engine, _)| engine);
        match compile(own, file) {
            Ok(ast) => {
                file.functions = functions(&ast);
                if let Some(name) = lib_name(&file.path).filter(|_| file.kind == FileKind::Lib) {
                    catalogue.libs.insert(name.to_owned(), file.functions.clone());
                    if let Some((_, catalogue)) = &mut for_tests {
                        catalogue.libs.insert(name.to_owned(), file.functions.clone());
                    }
                }
                compiled.push(Some(ast));
            }
            Err(finding) => {
                findings.push(*finding);
                compiled.push(None);
            }
        }
    }
    for (file, ast) in files.iter().zip(&compiled) {
        findings.extend(unserved(file, kit));
        let Some(ast) = ast else { continue };
        let own = for_tests.as_ref().filter(|_| file.kind == FileKind::Test).map_or(&catalogue, |(_, own)| own);
        findings.extend(top_level(file, ast));
        findings.extend(shadowing(file, ast, own));
        findings.extend(handlers(file));
        findings.extend(walk::walk(file, ast, own));
    }
    findings
}

/// Selections that a schedule reads by looking at every row. A `where` reads nothing: it is held against the one
/// subscription that is asked about; and what stands beside `before` narrows the walk of its index.
fn unserved(file: &File, kit: &Kit) -> Vec<Diagnostic> {
    let each = file.manifest.on.iter().filter_map(|trigger| match &trigger.source {
        Source::Cron { each, .. } => each.as_ref(),
        _ => None,
    });
    let walking = each.filter(|selector| (kit.rules.walks_everything)(selector));
    walking
        .map(|selector| {
            let message = "no index serves this: every run looks at every subscription";
            let help = "status = \"active\" with term_end or window_end bounded from now on, or one tenant";
            Diagnostic::note("walks_everything", &file.path, selector.place, message).expected(help)
        })
        .collect()
}

/// Names of every function scripts may call.
pub(super) fn known_names(engine: &Engine) -> BTreeSet<String> {
    engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true).into_iter().collect()
}

fn functions(ast: &AST) -> Functions {
    let mut functions = Functions::new();
    for function in ast.iter_functions() {
        functions.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    functions
}

pub(super) fn place(position: Position, length: usize) -> Place {
    (position.line().unwrap_or(1), position.position().unwrap_or(1), length.max(1))
}

/// A parse error as a finding.
pub(super) fn parse_finding(file: &File, error: &ParseError) -> Diagnostic {
    let length = |name: &str| name.chars().count();
    let at = |length| place(error.position(), length);
    let (code, covered, message) = match &*error.0 {
        ParseErrorType::VariableUndefined(name) => {
            ("unknown_variable", length(name), format!("there is no variable {name}"))
        }
        ParseErrorType::ModuleUndefined(name) => ("unknown_lib", length(name), format!("there is no lib/{name}.rhai")),
        ParseErrorType::VariableExists(name) => (
            "shadowed_variable",
            length(name),
            format!("there is a variable {name} already; give this one another name"),
        ),
        ParseErrorType::Reserved(word) | ParseErrorType::ForbiddenVariable(word) => {
            ("forbidden_symbol", length(word), format!("{word} cannot be used here"))
        }
        ParseErrorType::BadInput(inner) if inner.to_string().contains("disabled") => {
            ("forbidden_symbol", 1, "this part of the language is switched off".to_owned())
        }
        ParseErrorType::ExprTooDeep => {
            ("script_too_complex", 1, "this expression is too deep; split it with variables".to_owned())
        }
        ParseErrorType::TooManyFunctions => ("script_too_complex", 1, "there are too many functions".to_owned()),
        ParseErrorType::LiteralTooLarge(what, most) => {
            ("script_too_complex", 1, format!("{what} is larger than {most}"))
        }
        other => ("script_parse", 1, super::failure::tame(&other.to_string())),
    };
    Diagnostic::error(code, &file.path, at(covered), message)
}

/// Characters that make a text look like another one: they have no use in a script.
fn forbidden_characters(file: &File) -> Option<Diagnostic> {
    let forbidden = |letter: char| {
        (letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    for (index, line) in file.source.lines().enumerate() {
        if let Some((column, letter)) = line.chars().enumerate().find(|(_, letter)| forbidden(*letter)) {
            let message = format!("the invisible character {} is not allowed", letter.escape_unicode());
            return Some(Diagnostic::error("forbidden_character", &file.path, (index + 1, column + 1, 1), message));
        }
    }
    None
}

/// Only constants and functions stand at the top level: whatever else stood there would run on every call.
pub(super) fn top_level(file: &File, ast: &AST) -> Vec<Diagnostic> {
    let stray = ast.statements().iter().filter(|statement| match statement {
        Stmt::Noop(_) => false,
        Stmt::Var(_, flags, _) => !flags.contains(ASTFlags::CONSTANT),
        _ => true,
    });
    stray
        .map(|statement| {
            let message = "only const and fn stand at the top level; move this into a function";
            Diagnostic::error("top_level", &file.path, place(statement.position(), 1), message)
        })
        .collect()
}

/// Functions of a script that would stand in front of ours. In front of one of the language's own they are allowed,
/// because they reach no further than their file, and told.
fn shadowing(file: &File, ast: &AST, catalogue: &Catalogue) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for function in ast.iter_functions() {
        let (name, count) = (function.name, function.params.len());
        let at = || find_function(file, name);
        if catalogue.is_ours(name) {
            let message = format!("{name} is a function of ours and cannot be replaced; give this one another name");
            findings.push(Diagnostic::error("reserved_name", &file.path, at(), message));
        } else if catalogue.native(name).is_some_and(|arities| arities.contains(&count)) {
            let message = format!("{name} stands in front of the language's own function in this file");
            findings.push(Diagnostic::warning("shadowed_function", &file.path, at(), message));
        }
    }
    findings
}

/// Where `fn NAME` stands.
fn find_function(file: &File, name: &str) -> Place {
    for (index, line) in file.source.lines().enumerate() {
        for (start, _) in line.match_indices("fn ") {
            let rest = line[start + 3..].trim_start();
            let after = rest.strip_prefix(name).and_then(|rest| rest.chars().next());
            if after.is_some_and(|letter| letter == '(' || letter.is_whitespace()) {
                let before = line.len() - rest.len();
                return (index + 1, line[..before].chars().count() + 1, name.len());
            }
        }
    }
    (1, 1, 1)
}

/// The functions of a test file: at least one `test_*`, and none of them takes anything.
fn tests(file: &File) -> Vec<Diagnostic> {
    let named: Vec<_> = file.functions.iter().filter(|(name, _)| name.starts_with("test_")).collect();
    if named.is_empty() {
        let finding = Diagnostic::error("no_tests", &file.path, (1, 1, 1), "this file tests nothing");
        return vec![finding.expected("fn test_SOMETHING()")];
    }
    let wrong = named.into_iter().filter(|(_, arities)| arities.iter().any(|count| *count != 0));
    let told = |(name, _): (&String, &BTreeSet<usize>)| {
        let message = format!("{name} is a test and takes nothing");
        let at = find_function(file, name);
        Diagnostic::error("handler_parameters", &file.path, at, message).expected(format!("fn {name}()"))
    };
    wrong.map(told).collect()
}

/// The handlers a file must have, with one parameter or two.
fn handlers(file: &File) -> Vec<Diagnostic> {
    let mut wanted: Vec<(&str, &str, Place)> = Vec::new();
    let hooked = |source: &Source| matches!(source, Source::Hook { .. });
    match file.kind {
        FileKind::Lib => return Vec::new(),
        FileKind::Test => return tests(file),
        FileKind::Policy => {
            wanted.push(("decide", "request", (1, 1, 1)));
            if let Some(trigger) = file.manifest.on.iter().find(|trigger| hooked(&trigger.source)) {
                wanted.push(("subjects", "event", trigger.place));
            }
        }
        FileKind::Script if file.manifest.on.is_empty() => wanted.push(("run", "event", (1, 1, 1))),
        FileKind::Script => {
            wanted.extend(file.manifest.on.iter().map(|trigger| (trigger.call.as_str(), "event", trigger.place)));
        }
    }
    let mut findings = Vec::new();
    for (name, parameter, at) in wanted {
        let expected = format!("fn {name}({parameter}) or fn {name}({parameter}, params)");
        match file.functions.get(name) {
            Some(arities) if arities.iter().all(|count| matches!(count, 1 | 2)) => {}
            Some(_) => {
                let message = format!("{name} has the wrong number of parameters");
                let at = find_function(file, name);
                findings.push(Diagnostic::error("handler_parameters", &file.path, at, message).expected(expected));
            }
            None => {
                let near = suggest::nearest(name, file.functions.keys().map(String::as_str));
                let finding =
                    Diagnostic::error("handler_missing", &file.path, at, format!("there is no function {name}"));
                findings.push(finding.expected(expected).suggesting(near));
            }
        }
    }
    findings
}
