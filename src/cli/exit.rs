//! Exit codes, and what is told when something did not work: what, where, how to mend it. The one place that maps
//! answers of the router to exit codes.

use std::fmt::Write;

use bursar::app;
use bursar::client;
use bursar::config::ConfigError;
use bursar::store;
use serde_json::Value;

use super::output::plain;

/// How the program ends. There are no other codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked is done.
    Done = 0,
    /// It failed, or tests failed.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A file of the library has errors.
    Check = 3,
    /// There is no such thing.
    NotFound = 4,
    /// What was asked met something newer.
    Conflict = 7,
    /// A policy, a person, the terms or missing rights said no.
    Refused = 8,
    /// Somebody has to approve.
    Waiting = 10,
    /// Try again later.
    Busy = 75,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) told: String,
}

/// What a verb answers.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A failure with its sentence.
    pub(crate) fn new(exit: Exit, told: impl Into<String>) -> Self {
        Self { exit, told: told.into() }
    }

    /// A mistake in the command line or the configuration.
    pub(crate) fn usage(told: impl Into<String>) -> Self {
        Self::new(Exit::Usage, told)
    }

    /// The same with a line that says how to mend it.
    pub(crate) fn mend(mut self, hint: &str) -> Self {
        let _ = write!(self.told, "\n  {hint}");
        self
    }

    /// The failure of opening a store, with which one.
    pub(crate) fn opening(error: app::Error, store: &std::path::Path) -> Self {
        match error {
            app::Error::Store { ref source, .. } if !names_itself(source) => Failure::from(error).at(store),
            error => Failure::from(error),
        }
    }

    /// The failure of a store's own file, with which one.
    pub(crate) fn of_file(error: store::Error, file: &std::path::Path) -> Self {
        if names_itself(&error) { Failure::from(error) } else { Failure::from(error).at(file) }
    }

    fn at(self, store: &std::path::Path) -> Self {
        self.mend(&format!("the store is {}", store.display()))
    }

    /// A problem that the router answered.
    pub(crate) fn problem(status: u16, body: &Value) -> Self {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let code = text("code").unwrap_or("no_problem");
        let detail = text("detail").map_or_else(|| format!("the answer was status {status}"), plain);
        let mut told = format!("{detail} ({})", plain(code));
        for (name, label) in [
            ("rule", "rule"),
            ("allowedUntil", "allowed until"),
            ("partnerCenterCode", "Partner Center code"),
            ("instance", "about"),
        ] {
            match body.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(value)) if value.is_empty() => {}
                Some(Value::String(value)) => drop(write!(told, "\n  {label} {}", plain(value))),
                Some(other) => drop(write!(told, "\n  {label} {other}")),
            }
        }
        for reason in list(body, "reasons").iter().map(said).filter(|reason| *reason != detail) {
            let _ = write!(told, "\n  because {reason}");
        }
        // Decided anew: what stands now, to be looked at before it is answered again.
        for (label, place) in [
            ("now charge", "/quote/charge"),
            ("now refund", "/quote/refund"),
            ("now generation", "/request/generation"),
        ] {
            let now = body.pointer(place).filter(|_| code == "state_changed").map(super::output::text);
            if let Some(now) = now.filter(|now| !now.is_empty()) {
                let _ = write!(told, "\n  {label} {}", plain(now));
            }
        }
        for error in list(body, "errors") {
            let said = said(error);
            let _ = match said.strip_suffix(&detail) {
                Some(place) => write!(told, "\n  at {}", place.trim()),
                None => write!(told, "\n  {said}"),
            };
        }
        if let Some(hint) = text("hint").map(plain).or_else(|| hint(code).map(str::to_owned)) {
            let _ = write!(told, "\n  {hint}");
        }
        Self::new(exit_of(status, code), told)
    }
}

fn names_itself(error: &store::Error) -> bool {
    matches!(error, store::Error::Missing { .. } | store::Error::Exists { .. } | store::Error::Unmade { .. })
}

fn list<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn said(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Object(_) => {
            let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
            plain(format!("{} {}", text("pointer"), text("message")).trim())
        }
        other => other.to_string(),
    }
}

/// The exit code of a problem.
pub(crate) fn exit_of(status: u16, code: &str) -> Exit {
    match (status, code) {
        (_, "busy" | "stopping" | "deadline_exceeded") | (429 | 503, _) => Exit::Busy,
        (
            _,
            "stale_approval"
            | "state_changed"
            | "already_decided"
            | "approval_expired"
            | "precondition_failed"
            | "nothing_to_redrive"
            | "already_sent"
            | "event_id_reused"
            | "idempotency_key_in_use"
            | "idempotency_key_reused"
            | "file_exists"
            | "clock_backwards",
        )
        | (412 | 428, _) => Exit::Conflict,
        (_, "not_found" | "bad_id") | (404 | 410, _) => Exit::NotFound,
        (400 | 405 | 406 | 411 | 413 | 414 | 415 | 431, _) => Exit::Usage,
        // What was typed does not read; the business was not asked.
        (
            422,
            "schema"
            | "missing_field"
            | "out_of_range"
            | "unknown_field"
            | "unknown_value"
            | "unknown_kind"
            | "unknown_grant"
            | "reason_required"
            | "invalid_text"
            | "asked_before_purchase",
        ) => Exit::Usage,
        (422, code) if code.starts_with("bad_") => Exit::Usage,
        (401 | 403 | 409 | 422, _) => Exit::Refused,
        _ => Exit::Failed,
    }
}

fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "unauthorized" => "give a token with --token-file FILE or BURSAR_TOKEN; `bursar token create` makes one",
        "forbidden" => {
            "`bursar whoami` shows what you may; a Global admin gives users their roles, and who may do \
                        everything makes tokens with a grant: `bursar token create NAME --grant GRANT`"
        }
        "user_disabled" => "a Global admin lets them work again: `bursar users enable NAME`",
        "stale_approval" | "state_changed" | "precondition_failed" => {
            "look at it again with `bursar requests show ID` and answer with the generation you saw"
        }
        "choice_needed" | "choice_not_offered" => {
            "choose with --version, --language, --bit, --file-type and --os; `bursar software show` tells what there is"
        }
        "acknowledgement_required" => "say so with --acknowledge",
        "information_missing" => {
            "`bursar cancel --help` says how each is given; `bursar orders list` shows the orders there are"
        }
        "plan_required" => "choose with --term and --billing",
        "base_not_named" => "name it with --base",
        "support_first" => "what support says is told with `bursar support close ID`",
        "self_approval" => "somebody else answers it: `bursar --as NAME requests approve ID`",
        "system_clock" => "a store with a clock of its own is made by `bursar init DIR --clock manual --at INSTANT`",
        _ => return None,
    })
}

/// An error with everything below it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let text = source.to_string();
        if !told.ends_with(&text) {
            let _ = write!(told, ": {text}");
        }
        below = source.source();
    }
    told
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let exit = match &error {
            client::Error::Address { .. } | client::Error::Header { .. } => Exit::Usage,
            client::Error::Late { .. } => Exit::Busy,
            client::Error::Unreachable { .. } | client::Error::NotJson(_) => Exit::Failed,
        };
        Failure::new(exit, plain(chain(&error)))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::usage(chain(&error))
    }
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        let told = chain(&error);
        match &error {
            app::Error::Store { source, .. } => store_failure(source, told),
            app::Error::Terms(_) | app::Error::Library(_) => {
                Failure::new(Exit::Check, told).mend("`bursar check` shows every finding")
            }
            app::Error::Operation(bursar::ops::Error::Refused(refusal)) => {
                Failure::new(exit_of(422, &refusal.code), told)
            }
            _ => Failure::new(Exit::Failed, told),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let told = chain(&error);
        store_failure(&error, told)
    }
}

fn store_failure(error: &store::Error, told: String) -> Failure {
    match error {
        store::Error::Locked => Failure::new(Exit::Busy, told).mend("another process has it; try again when it ended"),
        store::Error::Missing { .. } => {
            Failure::usage(told).mend("`bursar init DIR` makes one; --config names another bursar.toml")
        }
        store::Error::Exists { .. } => Failure::new(Exit::Conflict, told),
        store::Error::Unmade { .. } => Failure::usage(told),
        store::Error::Unavailable => Failure::new(Exit::Busy, told),
        _ => Failure::new(Exit::Failed, told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_problem_has_one_exit_code() {
        for (status, code, exit) in [
            (404, "not_found", Exit::NotFound),
            (409, "window_closed", Exit::Refused),
            (409, "quantity_out_of_range", Exit::Refused),
            (403, "forbidden", Exit::Refused),
            (401, "unauthorized", Exit::Refused),
            (412, "state_changed", Exit::Conflict),
            (410, "approval_expired", Exit::Conflict),
            (422, "reason_required", Exit::Usage),
            (400, "bad_id", Exit::NotFound),
            (400, "unknown_field", Exit::Usage),
            (503, "busy", Exit::Busy),
            (429, "rate_limited", Exit::Busy),
            (500, "internal_error", Exit::Failed),
            (502, "", Exit::Failed),
        ] {
            assert_eq!(exit_of(status, code), exit, "{status} {code}");
        }
    }

    #[test]
    fn what_was_decided_anew_is_told_with_what_stands_now() {
        let body = json!({
            "code": "state_changed", "detail": "it changed",
            "quote": { "charge": null, "refund": { "amount": "675.00", "currency": "EUR" } }, "request": { "generation": 2 },
        });
        let failure = Failure::problem(412, &body);
        assert_eq!(failure.exit, Exit::Conflict);
        assert!(failure.told.contains("\n  now refund 675.00 EUR\n  now generation 2\n"), "{}", failure.told);
        assert!(!failure.told.contains("charge"), "{}", failure.told);
    }

    #[test]
    fn a_refusal_tells_its_rule_and_until_when_it_was_allowed() {
        let body = json!({
            "code": "window_closed", "detail": "too late\u{1b}[31m", "rule": "W7s",
            "allowedUntil": "2021-04-07T22:15:00Z", "reasons": ["said so"],
        });
        let failure = Failure::problem(409, &body);
        assert_eq!(failure.exit, Exit::Refused);
        let told =
            "too late\\u{1b}[31m (window_closed)\n  rule W7s\n  allowed until 2021-04-07T22:15:00Z\n  because said so";
        assert_eq!(failure.told, told);
    }
}
