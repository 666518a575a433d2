//! What policies answer. `deny`, `review` and `approve` record an answer and the function goes on; the strictest
//! recorded answer stands, with every reason. Nothing is decided here but which answer is the strictest.

use rhai::{Dynamic, Engine, Map};
use std::cell::RefCell;

use super::budget::Spent;
use super::failure::{Api, Failure, raise, tame};
use super::reference::{Function, Part};
use super::values::{time::Length, type_word};
use crate::domain::change::Amendments;
use crate::domain::decision::{Answer, Verdict};
use crate::domain::request::Otherwise;
use crate::domain::support::Form;
use crate::domain::{Instant, Role, Span};
use crate::suggest;

/// Answers one file may record on one request.
const ANSWERS_MAX: usize = 64;

/// One recorded answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Which.
    pub verdict: Verdict,
    /// Why; empty for a plain approval.
    pub reason: String,
    /// What an approval amends.
    pub amendments: Amendments,
    /// Roles a review asks for.
    pub roles: Vec<String>,
    /// When a review expires.
    pub expires_at: Option<Instant>,
    /// What happens then.
    pub otherwise: Option<Otherwise>,
    /// The support request a review asks for.
    pub support: Option<Form>,
}

impl Recorded {
    fn new(verdict: Verdict, reason: &str) -> Self {
        Self {
            verdict,
            reason: tame(reason),
            amendments: Amendments::default(),
            roles: Vec::new(),
            expires_at: None,
            otherwise: None,
            support: None,
        }
    }
}

/// What scripts are given to answer with.
pub(super) const PART: Part = Part {
    title: "Answers",
    functions: &[
        Function {
            name: "deny",
            params: &["why: string"],
            gives: "()",
            grant: "",
            doc: "Records a no with its reason; the function goes on. Policies only.",
            example: r#"deny("auto-renew is off");"#,
        },
        Function {
            name: "review",
            params: &["why: string"],
            gives: "()",
            grant: "",
            doc: "Records that a person has to look. Policies only.",
            example: r#"review("large renewal: check the seats");"#,
        },
        Function {
            name: "review",
            params: &["why: string", "options: map"],
            gives: "()",
            grant: "",
            doc: "The same, with the `role` (or `roles`): of those who may answer such a request, only who holds one of them, or all rights, does; when it `expires` and what happens `otherwise`: approve, expire or deny. `support` opens a support request that has to be answered first: a map as `request_support` takes one; what it leaves out is taken from the request.",
            example: r#"review("more information needed", #{ role: "billing_admin", expires: instant("2027-01-31T00:00:00Z"), otherwise: "deny", support: #{ impact: "paid twice" } });"#,
        },
        Function {
            name: "approve",
            params: &[],
            gives: "()",
            grant: "",
            doc: "Records a yes. Policies only.",
            example: "approve();",
        },
        Function {
            name: "approve",
            params: &["amendments: map"],
            gives: "()",
            grant: "",
            doc: "Records a yes that amends the `quantity`, `term_duration` or `billing_cycle`.",
            example: r#"approve(#{ quantity: 40, term_duration: "P1Y" });"#,
        },
    ],
    properties: &[],
};

thread_local! {
    static COLLECTORS: RefCell<Vec<Vec<Recorded>>> = const { RefCell::new(Vec::new()) };
}

/// Closes the collector when it goes away, also after a panic.
struct Collecting {
    depth: usize,
}

impl Collecting {
    fn take(&self) -> Vec<Recorded> {
        COLLECTORS.with_borrow_mut(|collectors| {
            collectors.truncate(self.depth);
            if collectors.len() == self.depth { collectors.pop().unwrap_or_default() } else { Vec::new() }
        })
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        self.take();
    }
}

/// Runs the body as a policy: collects what it records. Policies may cause policies; each has its own collector.
pub fn collect<T>(body: impl FnOnce() -> T) -> (T, Vec<Recorded>) {
    let collecting = COLLECTORS.with_borrow_mut(|collectors| {
        collectors.push(Vec::new());
        Collecting { depth: collectors.len() }
    });
    let result = body();
    let recorded = collecting.take();
    (result, recorded)
}

/// Registers the functions; outside a policy they raise `not_a_policy`.
pub fn register(engine: &mut Engine) {
    engine.register_fn("deny", |why: &str| record(Recorded::new(Verdict::Deny, why)));
    engine.register_fn("review", |why: &str| record(Recorded::new(Verdict::Review, why)));
    engine.register_fn("review", |why: &str, options: Map| record(review(why, &options)?));
    engine.register_fn("approve", || record(Recorded::new(Verdict::Approve, "")));
    engine.register_fn("approve", |amendments: Map| {
        record(Recorded { amendments: amend(&amendments)?, ..Recorded::new(Verdict::Approve, "") })
    });
}

fn record(answer: Recorded) -> Api<()> {
    COLLECTORS.with_borrow_mut(|collectors| {
        let Some(answers) = collectors.last_mut() else {
            return Err(raise("not_a_policy", "only the decide function of a policy answers; a script proposes"));
        };
        if answers.len() >= ANSWERS_MAX {
            return Err(raise("too_many_answers", format!("a policy records at most {ANSWERS_MAX} answers")));
        }
        answers.push(answer);
        Ok(())
    })
}

/// A role, in its one form: one that nobody can hold would leave nobody to answer.
fn role(key: &str, value: &Dynamic) -> Api<String> {
    let named = text(key, value)?;
    match named.parse::<Role>() {
        Ok(role) => Ok(role.to_string()),
        Err(refusal) => {
            let near = suggest::nearest(&named, Role::ALL.map(Role::as_str));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            Err(raise(&refusal.code, refusal.message + &hint))
        }
    }
}

fn review(why: &str, options: &Map) -> Api<Recorded> {
    let mut answer = Recorded::new(Verdict::Review, why);
    for (key, value) in options {
        match key.as_str() {
            "role" => answer.roles.push(role(key, value)?),
            "roles" => {
                let Ok(roles) = value.as_array_ref() else { return Err(wrong(key, "an array of roles", value)) };
                for role in roles.iter() {
                    answer.roles.push(self::role(key, role)?);
                }
            }
            "expires" => {
                let expires = value.clone().try_cast::<Instant>();
                answer.expires_at = Some(expires.ok_or_else(|| wrong(key, "an Instant", value))?);
            }
            "otherwise" => {
                answer.otherwise = Some(match text(key, value)?.as_str() {
                    "approve" => Otherwise::Approve,
                    "expire" => Otherwise::Expire,
                    "deny" => Otherwise::Deny,
                    _ => return Err(wrong(key, "approve, expire or deny", value)),
                });
            }
            "support" => {
                let Ok(fields) = value.as_map_ref() else {
                    return Err(wrong(key, "a map of the form's fields", value));
                };
                answer.support = Some(super::api::support::form(&fields)?);
            }
            _ => return Err(unknown("review", key, &["role", "roles", "expires", "otherwise", "support"])),
        }
    }
    Ok(answer)
}

fn amend(options: &Map) -> Api<Amendments> {
    let mut amendments = Amendments::default();
    for (key, value) in options {
        match key.as_str() {
            "quantity" => {
                let quantity = value.as_int().ok().filter(|quantity| *quantity >= 0);
                amendments.quantity = Some(quantity.ok_or_else(|| wrong(key, "a number of seats", value))?);
            }
            "term_duration" => {
                let span = match value.clone().try_cast::<Length>() {
                    Some(length) => length.to_span(),
                    None => text(key, value)?.parse::<Span>().ok(),
                };
                let span = span.filter(|span| !span.is_zero());
                amendments.term_duration = Some(span.ok_or_else(|| wrong(key, "a length such as P1Y", value))?);
            }
            "billing_cycle" => amendments.billing_cycle = Some(text(key, value)?),
            _ => return Err(unknown("approve", key, &["quantity", "term_duration", "billing_cycle"])),
        }
    }
    Ok(amendments)
}

fn text(key: &str, value: &Dynamic) -> Api<String> {
    let text = value.as_immutable_string_ref().map(|text| tame(&text)).ok();
    text.ok_or_else(|| wrong(key, "text", value))
}

fn wrong(key: &str, wanted: &str, value: &Dynamic) -> Box<rhai::EvalAltResult> {
    raise("bad_answer", format!("{key} is {wanted}, not {}", tame(&format!("{} {value}", type_word(value)))))
}

fn unknown(function: &str, key: &str, known: &[&str]) -> Box<rhai::EvalAltResult> {
    let help = match suggest::nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("it knows {}", known.join(", ")),
    };
    raise("bad_answer", format!("{function} does not know {key}; {help}"))
}

/// The file an answer comes from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its path, `policies/renewal.rhai`.
    pub path: &'a str,
    /// Its hash.
    pub hash: &'a str,
    /// Whether it is only observed.
    pub observed: bool,
}

/// One file's answer: what it recorded, or a review that names its failure. A file that failed keeps what it said
/// against the request and loses what it said for it.
pub fn answer(source: Source<'_>, ended: Result<(), &Failure>, mut recorded: Vec<Recorded>, spent: &Spent) -> Answer {
    if let Err(failure) = ended {
        let name = source.path.rsplit('/').next().unwrap_or(source.path).trim_end_matches(".rhai");
        recorded.retain(|answer| answer.verdict > Verdict::Approve);
        recorded.push(Recorded::new(Verdict::Review, &format!("policy {name} failed: {}", failure.code)));
    }
    let mut verdict = recorded.iter().map(|answer| answer.verdict).max().unwrap_or(Verdict::Abstain);
    let mut reasons: Vec<String> =
        recorded.iter().map(|answer| answer.reason.clone()).filter(|reason| !reason.is_empty()).collect();
    let mut amendments = Amendments::default();
    if verdict == Verdict::Approve {
        let all: Vec<_> = recorded.iter().map(|answer| (source.path, &answer.amendments)).collect();
        match combine(&all) {
            Ok(combined) => amendments = combined,
            Err(conflict) => {
                verdict = Verdict::Review;
                reasons.push(conflict);
            }
        }
    }
    let mut roles: Vec<String> = Vec::new();
    for role in recorded.iter().flat_map(|answer| &answer.roles) {
        if !roles.contains(role) {
            roles.push(role.clone());
        }
    }
    Answer {
        file: source.path.to_owned(),
        hash: source.hash.to_owned(),
        verdict,
        reasons,
        failure: ended.err().map(ToString::to_string).unwrap_or_default(),
        observed: source.observed,
        amendments,
        roles,
        expires_at: recorded.iter().filter_map(|answer| answer.expires_at).min(),
        otherwise: recorded.iter().filter_map(|answer| answer.otherwise).max(),
        operations: spent.operations,
        output: spent.output.clone(),
    }
}

/// What all files' answers come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The strictest counted answer; `abstain` when none counted: then the kind's default stands.
    pub verdict: Verdict,
    /// Every reason, strictest first.
    pub reasons: Vec<String>,
    /// What the approvals amend, when it is one.
    pub amendments: Amendments,
    /// All roles named.
    pub roles: Vec<String>,
    /// The earliest expiry.
    pub expires_at: Option<Instant>,
    /// The strictest outcome of an expiry.
    pub otherwise: Option<Otherwise>,
}

/// Merges the answers of all files; observed ones never count. Two files that amend one field differently make a
/// review.
pub fn merge(answers: &[Answer]) -> Merged {
    let mut counted: Vec<&Answer> = answers.iter().filter(|answer| !answer.observed).collect();
    counted.sort_by_key(|answer| std::cmp::Reverse(answer.verdict));
    let mut verdict = counted.first().map_or(Verdict::Abstain, |answer| answer.verdict);
    let mut reasons: Vec<String> = counted.iter().flat_map(|answer| answer.reasons.clone()).collect();
    let mut amendments = Amendments::default();
    if verdict == Verdict::Approve {
        let all: Vec<_> = counted.iter().map(|answer| (answer.file.as_str(), &answer.amendments)).collect();
        match combine(&all) {
            Ok(combined) => amendments = combined,
            Err(conflict) => {
                verdict = Verdict::Review;
                reasons.insert(0, conflict);
            }
        }
    }
    let mut roles: Vec<String> = counted.iter().flat_map(|answer| answer.roles.clone()).collect();
    roles.sort_unstable();
    roles.dedup();
    Merged {
        verdict,
        reasons,
        amendments,
        roles,
        expires_at: counted.iter().filter_map(|answer| answer.expires_at).min(),
        otherwise: counted.iter().filter_map(|answer| answer.otherwise).max(),
    }
}

fn combine(all: &[(&str, &Amendments)]) -> Result<Amendments, String> {
    Ok(Amendments {
        quantity: one(all, "quantity", |amendments| amendments.quantity)?,
        term_duration: one(all, "term_duration", |amendments| amendments.term_duration)?,
        billing_cycle: one(all, "billing_cycle", |amendments| amendments.billing_cycle.clone())?,
        offer_id: one(all, "offer_id", |amendments| amendments.offer_id.clone())?,
        custom_term_end_date: one(all, "custom_term_end_date", |amendments| amendments.custom_term_end_date)?,
    })
}

/// The one value of a field that anybody gives.
fn one<T: PartialEq + std::fmt::Display>(
    all: &[(&str, &Amendments)],
    field: &str,
    read: impl Fn(&Amendments) -> Option<T>,
) -> Result<Option<T>, String> {
    let mut found: Option<(&str, T)> = None;
    for (file, amendments) in all {
        let Some(value) = read(amendments) else { continue };
        match &found {
            Some((first, other)) if *other != value => {
                return Err(format!("{first} amends {field} to {other}, {file} to {value}"));
            }
            _ => found = Some((file, value)),
        }
    }
    Ok(found.map(|(_, value)| value))
}
