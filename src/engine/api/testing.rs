//! What tests of policies and scripts are given beside everything else: facts to start from, proposals, time that
//! moves, events that arrive, and assertions. Known in `*_test.rhai` files only.
//!
//! Nothing here opens a store: whoever runs the tests lends a [`Bench`], and what a test writes with the verbs of
//! scripts is committed before the bench does anything.

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};
use std::cell::RefCell;
use std::sync::Arc;

use super::catalog::ProductValue;
use super::messages;
use super::requests::RequestValue;
use super::subscriptions::Sub;
use super::tenants::TenantValue;
use crate::domain::product::Product;
use crate::domain::{Instant, Span, Subscription, SubscriptionId, Tenant, calendar};
use crate::engine::budget::{Budget, Spent};
use crate::engine::failure::{Api, Failure, raise, raise_refusal};
use crate::engine::library::Library;
use crate::engine::reference::{Function, Part};
use crate::engine::script_thread;
use crate::engine::values::json::Json;
use crate::engine::values::{time::Length, type_word};
use crate::json::Value;
use crate::ops::requests::Proposed;
use crate::ops::{self, Work, subscriptions};

/// What a test works on: an application of its own.
pub trait Bench {
    /// A transaction on what is there now, with the operator's rights.
    ///
    /// # Errors
    /// The store's failure.
    fn open(&mut self) -> ops::Result<Work>;

    /// Keeps what the test wrote with the verbs of scripts.
    ///
    /// # Errors
    /// The store's failure.
    fn commit(&mut self, work: Work) -> ops::Result<()>;

    /// Records a subscription as a fact; nothing is asked or charged.
    ///
    /// # Errors
    /// A fact that is not known or not of its kind.
    fn given(&mut self, facts: &Value) -> ops::Result<Subscription>;

    /// Records a tenant as a fact.
    ///
    /// # Errors
    /// A fact that is not known or not of its kind.
    fn given_tenant(&mut self, facts: &Value) -> ops::Result<Tenant>;

    /// Records an item of the catalogue, and its price, as facts.
    ///
    /// # Errors
    /// A fact that is not known or not of its kind.
    fn given_product(&mut self, facts: &Value) -> ops::Result<Product>;

    /// Proposes a change, as a person would, under the policies of the library.
    ///
    /// # Errors
    /// A kind or an option that is not known.
    fn decide(&mut self, kind: &str, id: SubscriptionId, options: &Value) -> ops::Result<Proposed>;

    /// Moves the clock by a length and processes what falls due on the way.
    ///
    /// # Errors
    /// What processing fails with.
    fn advance(&mut self, by: Span) -> ops::Result<()>;

    /// Moves the clock to an instant and processes what falls due on the way.
    ///
    /// # Errors
    /// `clock_backwards`.
    fn advance_to(&mut self, to: Instant) -> ops::Result<()>;

    /// Delivers an event of a hook and has it taken.
    ///
    /// # Errors
    /// `nobody_takes` it, or the failure of a file that took it.
    fn hook(&mut self, hook: &str, event_type: &str, data: &Value) -> ops::Result<Value>;

    /// The messages sent so far under a topic, oldest first.
    ///
    /// # Errors
    /// The store's failure.
    fn messages(&mut self, topic: &str) -> ops::Result<Vec<Value>>;
}

macro_rules! function {
    ($name:literal, [$($param:literal),*], $gives:literal, $doc:literal, $example:literal) => {
        Function { name: $name, params: &[$($param),*], gives: $gives, grant: "", doc: $doc, example: $example }
    };
}

/// What tests are given.
pub const PART: Part = Part {
    title: "Tests",
    functions: &[
        function!("given", [], "Subscription", "A subscription bought now.", r#"print(given().id);"#),
        function!(
            "given",
            ["facts: map"],
            "Subscription",
            "A subscription recorded as it is told: nothing is asked or charged. Knows `family` (the one that is bought most today), `term_duration` (P1Y), `billing_cycle`, `quantity` (1), `unit_price` (\"100 EUR\", or a number beside `currency`; () for none), `status` (active), `purchased_at` (now, or one term before `term_end`), `term_end`, `window_end`, `auto_renew_enabled`, `cancel_at_term_end`, `is_trial`, `suspension_reason`, `labels`, `friendly_name`, `offer_id`, `offer_name`, `order_id`, `product_type`, `publisher_name`; of its customer `company_name`, `country`, `domain`, `account` (#{ overdue, since }), `tenant_labels`, or `tenant`: the id of one that is there.",
            r#"let sub = given(#{ quantity: 5, term_end: "2027-03-01" }); assert_eq(sub.quantity, 5);"#
        ),
        function!(
            "given_tenant",
            ["facts: map"],
            "Tenant",
            "A customer recorded as it is told: `company_name`, `country`, `domain`, `account`, `labels`, `qualification`, `agreed_at` (when the Microsoft Customer Agreement was accepted: nothing is sold before), `opened_at`, `first_billing_at`.",
            r#"let owner = given_tenant(#{ company_name: "Contoso", account: #{ overdue: "5 EUR" } }); given(#{ tenant: owner.id });"#
        ),
        function!(
            "given_product",
            ["facts: map"],
            "Product",
            "An item of the catalogue recorded as it is told: `id`, `name`, `family`, `term_duration` (P1Y), `billing_cycle` (monthly), `unit_price` (\"100 EUR\"; () for none), `minimum_quantity`, `maximum_quantity`, `is_trial`, `is_add_on`, `prerequisites`, `upgrade_targets`, `limit` (so many at a time), `countries`, `publisher_name`.",
            r#"let suite = given_product(#{ name: "Suite", maximum_quantity: 300 }); assert_eq(suite.maximum_quantity, 300);"#
        ),
        function!(
            "decide",
            ["kind: string", "sub: Subscription"],
            "Request",
            "Proposes a change and gives the request that the library's policies have answered. What an applied change sets off happens at the next `advance`.",
            r#"assert_eq(decide("auto_renew", given(#{ auto_renew_enabled: false })).kind, "auto_renew");"#
        ),
        function!(
            "decide",
            ["kind: string", "sub: Subscription", "options: map"],
            "Request",
            "The same, with the `reason` of a suspension or cancellation (customer_request), whether auto-renew is to be `enabled` (the other way) and everything to `cancel_at_term_end`, the `quantity`, and `why`.",
            r#"print(decide("suspension", given(), #{ reason: "fraud" }).outcome);"#
        ),
        function!(
            "advance",
            ["by: string"],
            "()",
            "Moves the clock by a length and processes everything that falls due on the way, each at its own instant. A run that fails on the way is an error.",
            r#"let before = now(); advance("P30D"); assert(now() > before, "time goes on");"#
        ),
        function!("advance", ["by: Span"], "()", "The same, by a length.", r#"advance(days(30));"#),
        function!(
            "advance_to",
            ["to: string"],
            "()",
            "Moves the clock to an instant, or to the first of a day.",
            r#"advance_to("2027-03-01"); assert_eq(now(), instant("2027-03-01T00:00:00Z"));"#
        ),
        function!("advance_to", ["to: Instant"], "()", "The same, to an instant.", r#"advance_to(now() + days(1));"#),
        function!(
            "hook",
            ["hook: string", "event_type: string", "data: map"],
            "Json",
            "Delivers an event as the hook's sender would and has it taken: `state`, and the files that took it as `takers`. An event that no file takes, and a file that fails on it, are errors.",
            r#"try { hook("nobody", "invoice.paid", #{ invoice: "A7" }); } catch (error) { assert_eq(error.code, "nobody_takes"); }"#
        ),
        function!(
            "read",
            ["sub: Subscription"],
            "Subscription",
            "The subscription as it stands now.",
            r#"let sub = given(); advance("P1D"); assert_eq(read(sub).status, "active");"#
        ),
        function!(
            "messages",
            ["topic: string"],
            "list of Json",
            "The messages sent so far under a topic (a `*` at its end stands for anything), oldest first: `topic`, `at`, `data`, `subscription`.",
            r#"assert_eq(messages("*").len(), 0);"#
        ),
        function!("assert", ["holds: bool"], "()", "Fails the test when it is false.", r#"assert(1 + 1 == 2);"#),
        function!(
            "assert",
            ["holds: bool", "why: string"],
            "()",
            "Fails the test with a sentence when it is false.",
            r#"assert(given().quantity > 0, "somebody sits there");"#
        ),
        function!(
            "assert_eq",
            ["got: any", "expected: any"],
            "()",
            "Fails the test and prints both when they differ; values of two types always do.",
            r#"assert_eq(given(#{ quantity: 3 }).quantity, 3);"#
        ),
        function!(
            "assert_refused",
            ["request: Request"],
            "()",
            "Fails the test unless the terms refused the change.",
            r#"assert_refused(decide("suspension", given(#{ status: "deleted" })));"#
        ),
        function!(
            "assert_refused",
            ["request: Request", "code: string"],
            "()",
            "The same, and for this reason.",
            r#"let sub = given(#{ purchased_at: "2026-06-01" }); assert_refused(decide("cancellation", sub), "window_closed");"#
        ),
    ],
    properties: &[],
};

thread_local! {
    static BENCH: RefCell<Option<Box<dyn Bench>>> = const { RefCell::new(None) };
    static DIFFERENCE: RefCell<Option<Difference>> = const { RefCell::new(None) };
}

/// Two values that a test expected to be equal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// What the test expected.
    pub expected: String,
    /// What it got.
    pub got: String,
}

/// How a test ended.
#[derive(Debug)]
pub struct Ended {
    /// Why it failed; none: it passed.
    pub failure: Option<Failure>,
    /// What differed, when that is why.
    pub difference: Option<Difference>,
    /// What it spent and printed.
    pub spent: Spent,
}

impl Ended {
    /// A test that failed before it began.
    pub fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), difference: None, spent: Spent::default() }
    }
}

/// Calls one test function on a bench. This thread must have a large stack and be no thread of the bench's own.
pub fn run(library: &Arc<Library>, path: &str, name: &str, mut bench: Box<dyn Bench>, budget: &Budget) -> Ended {
    script_thread::take_up(library);
    let Some(thread) = script_thread::thread() else {
        return Ended::failed(Failure::new("failed", "the library did not compile on this thread"));
    };
    match bench.open() {
        Ok(work) => script_thread::exchange(Some(work)),
        Err(error) => return Ended::failed(of_error(&error)),
    };
    BENCH.set(Some(bench));
    DIFFERENCE.set(None);
    let (called, spent) = thread.machine.call_test(path, name, budget);
    let left = script_thread::exchange(None);
    let kept = match (BENCH.take(), left) {
        (Some(mut bench), Some(work)) if called.is_ok() => bench.commit(work).map_err(|error| of_error(&error)),
        _ => Ok(()),
    };
    let broken = script_thread::broken().map(|error| Failure::new("store", error.to_string()));
    let failure = called.err().or(kept.err()).or(broken);
    let difference = DIFFERENCE.take().filter(|_| failure.as_ref().is_some_and(|failure| failure.code == "not_equal"));
    Ended { failure, difference, spent }
}

fn of_error(error: &ops::Error) -> Failure {
    match error {
        ops::Error::Refused(refusal) => Failure::new(&refusal.code, &refusal.message),
        other => {
            let cause = std::error::Error::source(other).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::new("failed", format!("{other}{cause}"))
        }
    }
}

/// Lets the bench do something between two transactions of the test.
fn on_bench<T>(body: impl FnOnce(&mut dyn Bench) -> ops::Result<T>) -> Api<T> {
    let Some(mut bench) = BENCH.take() else {
        return Err(raise("no_test", "this function works inside a test only"));
    };
    let kept = match script_thread::exchange(None) {
        Some(work) => bench.commit(work),
        None => Ok(()),
    };
    let result = kept.and_then(|()| body(&mut *bench));
    let opened = bench.open().map(|work| drop(script_thread::exchange(Some(work))));
    BENCH.set(Some(bench));
    result.and_then(|value| opened.map(|()| value)).map_err(|error| {
        let failure = of_error(&error);
        raise(&failure.code, failure.message)
    })
}

fn facts(map: &Map) -> Api<Value> {
    messages::map(map, 0)
}

/// Registers the functions.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("given", || given(&Map::new()));
    engine.register_fn("given", |map: Map| given(&map));
    engine.register_fn("given_product", |map: Map| {
        let facts = facts(&map)?;
        on_bench(|bench| bench.given_product(&facts)).map(ProductValue)
    });
    engine.register_fn("given_tenant", |map: Map| {
        let facts = facts(&map)?;
        on_bench(|bench| bench.given_tenant(&facts)).map(TenantValue)
    });
    engine.register_fn("decide", |kind: &str, sub: Sub| decide(kind, &sub, &Map::new()));
    engine.register_fn("decide", |kind: &str, sub: Sub, options: Map| decide(kind, &sub, &options));
    engine.register_fn("advance", |by: &str| {
        let by = by.parse().map_err(|refusal| raise_refusal(&refusal))?;
        on_bench(|bench| bench.advance(by))
    });
    engine.register_fn("advance", |by: Length| {
        let Some(by) = by.to_span() else { return Err(raise("clock_backwards", "the clock only moves forward")) };
        on_bench(|bench| bench.advance(by))
    });
    engine.register_fn("advance_to", |to: &str| {
        let to = day_or_instant(to).map_err(|refusal| raise_refusal(&refusal))?;
        on_bench(|bench| bench.advance_to(to))
    });
    engine.register_fn("advance_to", |to: Instant| on_bench(|bench| bench.advance_to(to)));
    engine.register_fn("hook", |hook: &str, event_type: &str, data: Map| {
        let data = facts(&data)?;
        on_bench(|bench| bench.hook(hook, event_type, &data)).map(Json::new)
    });
    engine.register_fn("messages", |topic: &str| -> Api<Array> {
        let sent = on_bench(|bench| bench.messages(topic))?;
        Ok(sent.into_iter().map(|message| Dynamic::from(Json::new(message))).collect())
    });
    engine
        .register_fn("read", |sub: Sub| script_thread::with(|work| Ok(Sub(subscriptions::get(work, sub.0.id)?.value))));
    assertions(engine);
}

fn given(map: &Map) -> Api<Sub> {
    let facts = facts(map)?;
    on_bench(|bench| bench.given(&facts)).map(Sub)
}

fn decide(kind: &str, sub: &Sub, options: &Map) -> Api<RequestValue> {
    let options = facts(options)?;
    on_bench(|bench| bench.decide(kind, sub.0.id, &options)).map(RequestValue::proposed)
}

/// `2027-03-01` is the first instant of that day.
///
/// # Errors
/// `bad_date`.
pub fn day_or_instant(text: &str) -> Result<Instant, crate::domain::Refusal> {
    if text.len() == 10 { calendar::instant(&format!("{text}T00:00:00Z")) } else { calendar::instant(text) }
}

fn assertions(engine: &mut Engine) {
    engine.register_fn("assert", |holds: bool| assert(holds, "this does not hold"));
    engine.register_fn("assert", assert);
    engine.register_fn("assert_eq", |context: NativeCallContext, got: Dynamic, expected: Dynamic| {
        assert_eq(&context, &got, &expected)
    });
    engine.register_fn("assert_refused", |request: RequestValue| refused(&request, None));
    engine.register_fn("assert_refused", |request: RequestValue, code: &str| refused(&request, Some(code)));
}

fn assert(holds: bool, why: &str) -> Api<()> {
    if holds { Ok(()) } else { Err(raise("assertion", why)) }
}

fn assert_eq(context: &NativeCallContext, got: &Dynamic, expected: &Dynamic) -> Api<()> {
    let same = match (got.is_unit(), expected.is_unit()) {
        (true, true) => true,
        (false, false) => context.call_native_fn("==", (got.clone(), expected.clone())).unwrap_or(false),
        _ => false,
    };
    if same {
        return Ok(());
    }
    let difference = Difference { expected: shown(context, expected), got: shown(context, got) };
    DIFFERENCE.set(Some(difference));
    Err(raise("not_equal", "this is not what was expected"))
}

fn refused(request: &RequestValue, code: Option<&str>) -> Api<()> {
    let found = request.refusal();
    let fits = found.as_ref().is_some_and(|found| code.is_none_or(|code| code == found));
    if fits {
        return Ok(());
    }
    let expected = code.map_or("refused".to_owned(), |code| format!("refused: {code}"));
    let got = found.map_or_else(|| request.outcome().to_owned(), |found| format!("refused: {found}"));
    DIFFERENCE.set(Some(Difference { expected, got }));
    Err(raise("not_equal", "this is not what was expected"))
}

/// A value as an assertion prints it: text in quotes, anything else with what it is.
fn shown(context: &NativeCallContext, value: &Dynamic) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return format!("{:?}", text.as_str());
    }
    let text = context.call_native_fn::<ImmutableString>("to_string", (value.clone(),));
    let text = text.map_or_else(|_| value.to_string(), |text| text.to_string());
    match type_word(value) {
        "nothing" => "nothing".to_owned(),
        "a boolean" | "an integer" | "a decimal" => text,
        word => format!("{text} ({word})"),
    }
}
