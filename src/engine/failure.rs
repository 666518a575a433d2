//! How a run fails: a stable code, a sentence, the innermost place and the calls that led there.
//!
//! A failure is the machine or the script; the business saying no is a `Refusal` and reaches a script as a value.

use rhai::{Dynamic, EvalAltResult, Position};
use serde::Serialize;

use crate::domain::Refusal;

/// Bytes of a message that are kept; a script may throw anything.
const MESSAGE_BYTES_MAX: usize = 2 * 1024;
/// Calls kept in a chain.
const CHAIN_MAX: usize = 16;

/// Why a run failed, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message} ({code}{})", self.place())]
pub struct Failure {
    /// Stable: `limit_exceeded:memory`, `function_not_found`, `type_error`, `currency_mismatch`, `thrown`, ...
    pub code: String,
    /// A sentence; bounded, without control characters.
    pub message: String,
    /// The file of the innermost place, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its line, from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Its column, from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The functions called, outermost first: `decide`, `total (lib/sums.rhai)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
}

/// What a function of ours raises inside a script: a stable code beside the sentence. A script can catch it and read
/// both; it cannot make one, so a code is always ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Stable, snake_case.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// What functions given to scripts return.
pub type Api<T> = Result<T, Box<EvalAltResult>>;

/// An error with a stable code, as functions given to scripts return it.
pub fn raise(code: &str, message: impl Into<String>) -> Box<EvalAltResult> {
    let raised = Raised { code: code.to_owned(), message: message.into() };
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(raised), Position::NONE))
}

/// A refusal that a script has no value for (an unknown currency, an impossible date), as an error with its code.
pub fn raise_refusal(refusal: &Refusal) -> Box<EvalAltResult> {
    raise(&refusal.code, refusal.message.clone())
}

/// What ends a run because it went over a limit of ours (`rows`); a script cannot catch it.
pub fn over_limit(what: &'static str) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorTerminated(what.into(), Position::NONE))
}

impl Failure {
    /// A failure without a place.
    pub fn new(code: &str, message: impl AsRef<str>) -> Self {
        Self {
            code: code.to_owned(),
            message: tame(message.as_ref()),
            file: None,
            line: None,
            column: None,
            chain: Vec::new(),
        }
    }

    /// Reads the script engine's error. `known` says whether a function of that name exists for other types: then it
    /// is the types that were wrong, not the name.
    pub fn from_error(error: &EvalAltResult, known: impl Fn(&str) -> bool) -> Self {
        let mut chain = Vec::new();
        let mut file = None;
        let mut position = Position::NONE;
        let mut inner = error;
        loop {
            if !inner.position().is_none() {
                position = inner.position();
            }
            match inner {
                EvalAltResult::ErrorInFunctionCall(name, source, cause, _) => {
                    if chain.len() < CHAIN_MAX {
                        let place = if source.is_empty() { name.clone() } else { format!("{name} ({source})") };
                        chain.push(tame(&place));
                    }
                    if !source.is_empty() {
                        file = Some(source.clone());
                    }
                    inner = cause;
                }
                EvalAltResult::ErrorInModule(name, cause, _) => {
                    file = Some(name.clone());
                    inner = cause;
                }
                _ => break,
            }
        }
        let (code, message) = code_and_message(inner, known);
        Self {
            code,
            message: tame(&message),
            file,
            line: position.line().and_then(narrow),
            column: position.position().and_then(narrow),
            chain,
        }
    }

    /// Names the file, where the engine did not.
    #[must_use]
    pub fn in_file(mut self, path: &str) -> Self {
        self.file.get_or_insert_with(|| path.to_owned());
        self
    }

    /// Whether a limit ended the run.
    pub fn is_limit(&self) -> bool {
        self.code.starts_with("limit_exceeded:")
    }

    fn place(&self) -> String {
        match (&self.file, self.line, self.column) {
            (Some(file), Some(line), Some(column)) => format!(" at {file}:{line}:{column}"),
            (Some(file), _, _) => format!(" at {file}"),
            (None, Some(line), Some(column)) => format!(" at {line}:{column}"),
            _ => String::new(),
        }
    }
}

fn narrow(number: usize) -> Option<u32> {
    u32::try_from(number).ok()
}

fn code_and_message(error: &EvalAltResult, known: impl Fn(&str) -> bool) -> (String, String) {
    use EvalAltResult as Cause;
    let limit = |what: &str, message: &str| (format!("limit_exceeded:{what}"), message.to_owned());
    let plain = |code: &str, message: String| (code.to_owned(), message);
    match error {
        Cause::ErrorTooManyOperations(_) => limit("operations", "it took more operations than a run may"),
        Cause::ErrorStackOverflow(_) => limit("call_depth", "functions call each other too deeply"),
        Cause::ErrorDataTooLarge(what, _) => limit("data_size", &format!("{what} is larger than a value may be")),
        Cause::ErrorTooManyVariables(_) => limit("variables", "it declares more variables than a run may"),
        Cause::ErrorTerminated(token, _) => {
            let what = token.clone().into_string().unwrap_or_else(|_| "cancelled".to_owned());
            let message = match what.as_str() {
                "operations" => "it took more operations than a run may",
                "wall" => "it took longer than a run may",
                "memory" => "it held more memory than a run may",
                "rows" => "a query gives more rows than a run may read; make it narrower",
                _ => "it was stopped from outside",
            };
            if what == "cancelled" { plain("cancelled", message.to_owned()) } else { limit(&what, message) }
        }
        Cause::ErrorFunctionNotFound(signature, _) => {
            let name = signature.split([' ', '(']).next().unwrap_or_default();
            if known(name.rsplit("::").next().unwrap_or(name)) {
                plain("type_error", format!("{signature}: no form of this function takes these types"))
            } else {
                plain("function_not_found", format!("there is no function {signature}"))
            }
        }
        Cause::ErrorPropertyNotFound(name, _) => plain("missing_property", format!("there is no property '{name}'")),
        Cause::ErrorDotExpr(text, _) => property_trouble(text),
        Cause::ErrorVariableNotFound(name, _) => plain("variable_not_found", format!("there is no variable '{name}'")),
        Cause::ErrorModuleNotFound(name, _) => plain("module_not_found", format!("there is no lib/{name}.rhai")),
        Cause::ErrorMismatchDataType(wanted, found, _) | Cause::ErrorMismatchOutputType(wanted, found, _) => {
            plain("type_error", format!("{wanted} was expected where {found} is"))
        }
        Cause::ErrorIndexingType(what, _) => plain("type_error", format!("{what} cannot be indexed")),
        Cause::ErrorFor(_) => plain("type_error", "this cannot be walked through with for".to_owned()),
        Cause::ErrorArrayBounds(..) | Cause::ErrorStringBounds(..) | Cause::ErrorIndexNotFound(..) => {
            plain("out_of_bounds", without_place(error))
        }
        Cause::ErrorArithmetic(text, _) => plain("arithmetic", text.clone()),
        Cause::ErrorAssignmentToConstant(..) | Cause::ErrorNonPureMethodCallOnConstant(..) => {
            plain("read_only", without_place(error))
        }
        Cause::ErrorRuntime(value, _) => match value.clone().try_cast::<Raised>() {
            Some(raised) => (raised.code, raised.message),
            None => plain("thrown", shown(value)),
        },
        Cause::ErrorParsing(kind, _) => plain("script_parse", kind.to_string()),
        _ => plain("script_error", without_place(error)),
    }
}

/// The engine tells of getters and setters that are not registered; a script's author knows of properties.
fn property_trouble(text: &str) -> (String, String) {
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [name, ..] if text.starts_with("No writable property") => {
            ("read_only".to_owned(), format!("the property '{name}' can only be read"))
        }
        [name, owner, ..] => {
            let owner = owner.rsplit("::").next().unwrap_or(owner);
            ("missing_property".to_owned(), format!("{} has no property '{name}'", super::values::shown_name(owner)))
        }
        _ => ("missing_property".to_owned(), text.to_owned()),
    }
}

/// A thrown value as text: a string as it is, a map by its `message` where it has one.
fn shown(value: &Dynamic) -> String {
    if value.is_unit() {
        return "it threw nothing".to_owned();
    }
    let message = value.as_map_ref().ok().and_then(|map| map.get("message").cloned());
    message.unwrap_or_else(|| value.clone()).to_string()
}

fn without_place(error: &EvalAltResult) -> String {
    let text = error.to_string();
    match text.rfind(" (line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Text from a script made safe to store and show: bounded, control characters and marks that turn text round escaped.
pub fn tame(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if out.len() >= MESSAGE_BYTES_MAX {
            out.push_str(" ...");
            break;
        }
        let turning = matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turning {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}
