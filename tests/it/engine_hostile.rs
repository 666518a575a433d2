//! Hostile scripts: each ends as a finding or a failure with its code, in bounded time and memory, and the thread
//! goes on.

use bursar::clock;
use bursar::engine::failure::Failure;
use bursar::engine::library::{Kit, Library, Settings};
use bursar::engine::machine::Machine;
use bursar::engine::sandbox::spawn_script_thread;
use bursar::engine::{Budget, Meter, Spent, answers, budget};
use rhai::Dynamic;
use std::sync::Arc;
use std::time::Duration;

fn library(source: &str) -> Result<Library, Vec<String>> {
    let texts = vec![("scripts/hostile.rhai".to_owned(), source.to_owned())];
    Library::from_texts(texts, &Settings::default(), &Kit::default())
        .map_err(|findings| findings.into_iter().map(|finding| finding.code).collect())
}

fn small() -> Budget {
    Budget { operations: 2_000_000, wall: Duration::from_secs(3), memory_bytes: 32 << 20, ..Budget::default() }
}

/// Runs `fn run(event)` on a script thread and says how it ended.
fn run_with(source: &str, allowed: Budget) -> (Result<String, Failure>, Spent, Duration) {
    let source = source.to_owned();
    let thread = spawn_script_thread("hostile", move || {
        let library = library(&source).unwrap_or_else(|codes| panic!("{codes:?}: {source}"));
        let machine = Machine::new(Arc::new(library)).unwrap();
        let began = clock::monotonic();
        let before = Meter::used();
        let (result, spent) = machine.call("scripts/hostile.rhai", "run", Dynamic::UNIT, None, &allowed);
        let took = began.elapsed();
        let result = result.map(|value| value.to_string());
        assert_eq!(budget::open_accounts(), 0, "the account is closed");
        assert!(Meter::used() - before < 2 << 20, "what the run held is free again: {}", Meter::used() - before);
        // The thread goes on: the next run is not touched by the last one.
        let (again, _) = machine.call("scripts/hostile.rhai", "fine", Dynamic::UNIT, None, &small());
        if !matches!(&again, Err(failure) if failure.code == "not_found") {
            assert_eq!(again.unwrap().to_string(), "fine");
        }
        (result, spent, took)
    });
    thread.unwrap().join().unwrap()
}

fn code(source: &str) -> String {
    let (result, spent, took) = run_with(&format!("{source}\nfn fine(event) {{ \"fine\" }}"), small());
    assert!(took < Duration::from_secs(12), "{took:?} {spent:?}: {source}");
    match result {
        Ok(value) => format!("ok {value}"),
        Err(failure) => failure.code,
    }
}

fn refused(source: &str) -> Vec<String> {
    library(source).err().unwrap_or_default()
}

#[test]
fn the_meter_is_installed_and_counts() {
    assert!(Meter::installed());
    let before = Meter::used();
    let block = std::hint::black_box(vec![1u8; 1 << 20]);
    assert!(Meter::used() - before >= 1 << 20);
    drop(block);
    assert!(Meter::used() - before < 1 << 16);
}

#[test]
fn s1_endless_loops_end() {
    assert_eq!(code("fn run(event) { loop {} }"), "limit_exceeded:operations");
    assert_eq!(code("fn run(event) { for i in range(0, 9000000000000) {} }"), "limit_exceeded:operations");
    let short = Budget { operations: u64::MAX, wall: Duration::from_millis(50), ..small() };
    let (result, _, took) = run_with("fn run(event) { loop {} }", short);
    assert_eq!(result.unwrap_err().code, "limit_exceeded:wall");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let walking = "fn run(event) { let a = []; a.pad(5000, 1); for i in 0..10000 { if -1 in a { return; } } }";
    let short = Budget { wall: Duration::from_millis(200), ..small() };
    let (result, _, took) = run_with(walking, short);
    assert!(result.unwrap_err().is_limit());
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn s2_recursion_ends() {
    for source in [
        "fn run(event) { run(event) }",
        "fn run(event) { other(event) } fn other(event) { run(event) }",
        "fn run(event) { let f = |g| g.call(g); f.call(f) }",
    ] {
        assert_eq!(code(source), "limit_exceeded:call_depth", "{source}");
    }
}

#[test]
fn s3_nesting_is_refused_when_read() {
    let inside = |open: &str, close: &str, count: usize| {
        format!("fn run(event) {{ let x = {}1{}; }}", open.repeat(count), close.repeat(count))
    };
    for source in [
        inside("(", ")", 10_000),
        inside("[", "]", 10_000),
        inside("{", "}", 10_000),
        inside("if true { ", "}", 3_000),
        format!("fn run(event) {{ let x = 1{}; }}", "+1".repeat(20_000)),
        format!("fn run(event) {{ let x = {}1; }}", "!".repeat(50_000)),
        format!("fn run(event) {{ let x = event{}; }}", ".a".repeat(20_000)),
        format!("fn run(event) {{ let x = event{}; }}", "[0]".repeat(20_000)),
    ] {
        let codes = refused(&source);
        assert!(!codes.is_empty(), "{}", &source[..60]);
    }
    assert_eq!(refused(&inside("(", ")", 10_000)), ["script_too_complex"]);
}

#[test]
fn s4_and_s6_what_the_language_may_not_do_is_refused_when_read() {
    for source in [
        "fn run(event) { let s = \"eval(s)\"; eval(s) }",
        "import \"evil\" as p; fn run(event) {}",
        "fn run(event) { import \"/etc/passwd\" as p; }",
        "fn run(event) { let f = |x| x; f.curry(f) }",
        "export const X = 1; fn run(event) {}",
    ] {
        let codes = refused(source);
        assert!(!codes.is_empty(), "{source}");
        assert!(
            codes.iter().all(|code| ["forbidden_symbol", "script_parse"].contains(&code.as_str())),
            "{codes:?} {source}"
        );
    }
}

#[test]
fn s5_functions_that_are_not_given_are_not_there() {
    for source in [
        "fn run(event) { sleep(60) }",
        "fn run(event) { Fn(\"sleep\").call(60) }",
        "fn run(event) { exit(1) }",
        "fn run(event) { timestamp() }",
        "fn run(event) { parse_json(\"{}\") }",
        "fn run(event) { 2.sleep() }",
    ] {
        assert_eq!(refused(source), ["unknown_function"], "{source}");
    }
    for source in [
        "fn run(event) { let f = \"sleep\"; Fn(f).call(60) }",
        "fn run(event) { let f = \"sleep\"; [2].map(f) }",
        "fn run(event) { [2].map(\"sleep\") }",
    ] {
        let began = clock::monotonic();
        let codes = refused(source);
        let ended = if codes.is_empty() { code(source) } else { codes.join(",") };
        assert!(
            ["dynamic_function", "function_not_found", "type_error"].contains(&ended.as_str()),
            "{ended}: {source}"
        );
        assert!(began.elapsed() < Duration::from_secs(2), "{source}");
    }
}

#[test]
fn s7_memory_is_bounded_whatever_holds_it() {
    assert_eq!(code("fn run(event) { let s = \"x\"; loop { s += s; } }"), "limit_exceeded:data_size");
    let ended = code(
        "fn run(event) { let m = #{}; let s = \"x\"; s.pad(32768, \"y\"); for i in 0..9999 { let key = `k${i}`; m[key] = s + i; } }",
    );
    assert!(["limit_exceeded:memory", "limit_exceeded:data_size"].contains(&ended.as_str()), "{ended}");
    let closures = "fn run(event) { let f = |x| x; for i in 0..100 { let a = f; let b = f; f = |x| [a, b, x]; } }";
    let ended = code(closures);
    assert!(ended.starts_with("limit_exceeded") || ended.starts_with("ok"), "{ended}");
    let many = "fn run(event) { let all = []; for i in 0..5000 { let big = []; big.pad(2000, i); all.push(|| big); } }";
    assert!(code(many).starts_with("limit_exceeded"), "{}", code(many));
}

#[test]
fn s8_large_sources_are_not_read() {
    let cases: String = (0..100_000).map(|case| format!("{case} => 1,")).collect();
    assert_eq!(refused(&format!("fn run(event) {{ switch 1 {{ {cases} }} }}")), ["script_too_large"]);
    assert_eq!(refused(&format!("fn run(event) {{ f({}) }}", "1,".repeat(100_000))), ["script_too_large"]);
    let began = clock::monotonic();
    let exact = format!("fn run(event) {{}}{}", " ".repeat(64 * 1024 - 16));
    assert_eq!(exact.len(), 64 * 1024);
    assert!(refused(&exact).is_empty());
    assert_eq!(refused(&format!("{exact} ")), ["script_too_large"]);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn s9_deep_values_do_not_take_the_process_down() {
    let maps = "fn run(event) { let a = #{}; for i in 0..200000 { let b = #{}; b.x = a; a = b; } }";
    assert!(code(maps).starts_with("limit_exceeded"), "{}", code(maps));
    let arrays = "fn run(event) { let a = []; for i in 0..200000 { a = [a]; } }";
    assert!(code(arrays).starts_with("limit_exceeded"), "{}", code(arrays));
}

#[test]
fn s10_output_is_kept_up_to_its_limit() {
    let source = "fn run(event) { for i in 0..5000 { print(\"0123456789\"); debug(i); } }";
    let (result, spent, _) = run_with(source, small());
    assert!(result.is_ok());
    assert!(spent.output_truncated);
    assert!(spent.output.len() <= 16 * 1024 && spent.output.len() > 16 * 1024 - 32, "{}", spent.output.len());
    let (_, spent, _) = run_with("fn run(event) { print(\"one\"); print(2); }", small());
    assert_eq!((spent.output.as_str(), spent.output_truncated), ("one\n2\n", false));
}

#[test]
fn s11_limits_cannot_be_caught() {
    for source in [
        "fn run(event) { try { loop {} } catch { } \"caught\" }",
        "fn run(event) { try { run(event) } catch (e) { } }",
        "fn run(event) { loop { try { let s = \"x\"; loop { s += s; } } catch { } } }",
    ] {
        assert!(code(source).starts_with("limit_exceeded"), "{source}");
    }
}

#[test]
fn s12_functions_of_ours_cannot_be_replaced() {
    for source in [
        "fn money(text) { 1 } fn run(event) {}",
        "fn deny(why) { } fn run(event) {}",
        "fn approve() { } fn run(event) {}",
        "fn days(n) { 0 } fn run(event) {}",
    ] {
        assert_eq!(refused(source), ["reserved_name"], "{source}");
    }
    assert!(!refused("fn +(a, b) { 1 } fn run(event) {}").is_empty());
    assert!(
        !refused("const X = 1; fn run(event) { global::X = 2; }").is_empty()
            || code("const X = 1; fn run(event) { global::X = 2; }") == "read_only"
    );
    assert_eq!(refused("let x = 1; fn run(event) {}"), ["top_level"]);
    assert_eq!(refused("fn run(event) { let x = 1; let x = 2; }"), ["shadowed_variable"]);
}

#[test]
fn s13_floats_do_not_exist_and_large_numbers_are_refused() {
    assert_eq!(code("fn run(event) { 19.99 * 100 == 1999 }"), "ok true");
    assert!(!refused("fn run(event) { 1e3 }").is_empty());
    assert!(!refused("fn run(event) { 10000000000000000000 }").is_empty());
    assert_eq!(code("fn run(event) { 9223372036854775807 + 1 }"), "arithmetic");
    assert_eq!(code("fn run(event) { 1 / 0 }"), "arithmetic");
}

#[test]
fn s14_money_of_two_kinds_fails_the_run() {
    assert_eq!(code("fn run(event) { money(\"1 EUR\") + money(\"1 USD\") }"), "currency_mismatch");
    assert_eq!(code("fn run(event) { money(5) }"), "type_error");
    assert_eq!(code("fn run(event) { money(\"EUR 10\") }"), "bad_currency");
}

#[test]
fn s17_what_decide_returns_is_not_an_answer() {
    let texts = vec![(
        "policies/odd.rhai".to_owned(),
        "//! ---\n//! decides = \"renewal\"\n//! ---\nfn decide(request) { \"approve\" }".to_owned(),
    )];
    let library = Library::from_texts(texts, &Settings::default(), &Kit::default()).unwrap();
    let machine = Machine::new(Arc::new(library)).unwrap();
    let ((result, _), recorded) =
        answers::collect(|| machine.call("policies/odd.rhai", "decide", Dynamic::UNIT, None, &small()));
    assert!(result.is_ok());
    assert!(recorded.is_empty());
}

#[test]
fn s18_what_a_script_throws_is_bounded_and_harmless() {
    let source = "fn run(event) { let s = \"\\x1b[31mred\\n\"; s.pad(60000, \"x\"); throw s; }";
    let (result, _, _) = run_with(source, small());
    let failure = result.unwrap_err();
    assert_eq!(failure.code, "thrown");
    assert!(failure.message.len() < 2_200 && failure.message.starts_with("\\u{1b}[31mred\\n"), "{}", failure.message);
    assert!(failure.message.chars().all(|letter| !letter.is_control()));
    let (result, _, _) =
        run_with("fn run(event) { throw #{ code: \"limit_exceeded:wall\", message: \"mine\" }; }", small());
    let failure = result.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("thrown", "mine"), "a code is ours only");
}

#[test]
fn s20_texts_that_look_like_others_are_refused_with_their_place() {
    let place = |source: &str| {
        let texts = vec![("scripts/x.rhai".to_owned(), source.to_owned())];
        let findings = Library::from_texts(texts, &Settings::default(), &Kit::default()).expect_err(source);
        (findings[0].code.clone(), findings[0].line, findings[0].column)
    };
    assert_eq!(place("fn run(event) {\n  let \u{0456}f = 1; }"), ("script_parse".to_owned(), 2, 7));
    assert_eq!(place("fn run(event) {\n // \u{202e} x\n}"), ("forbidden_character".to_owned(), 2, 5));
    assert_eq!(place("fn run(event) { \0 }"), ("forbidden_character".to_owned(), 1, 17));
    assert_eq!(place("fn run(event) {\n let x = \"abc\n; }").1, 2);
}

#[test]
fn a_failure_names_the_innermost_place_and_the_way_there() {
    let texts = vec![
        ("lib/sums.rhai".to_owned(), "fn third(list) {\n    list[2]\n}".to_owned()),
        ("scripts/a.rhai".to_owned(), "fn run(event) { helper() }\nfn helper() {\n    sums::third([1])\n}".to_owned()),
    ];
    let library = Library::from_texts(texts, &Settings::default(), &Kit::default()).unwrap();
    let machine = Machine::new(Arc::new(library)).unwrap();
    let (result, _) = machine.call("scripts/a.rhai", "run", Dynamic::UNIT, None, &small());
    let failure = result.unwrap_err();
    assert_eq!(failure.code, "out_of_bounds");
    assert_eq!((failure.file.as_deref(), failure.line), (Some("lib/sums.rhai"), Some(2)), "{failure:?}");
    assert!(failure.chain.len() >= 2, "{failure:?}");
}

#[test]
fn an_inner_run_spends_its_own_budget_and_the_outer_goes_on() {
    let outer = Budget { operations: 1_000, wall: Duration::from_millis(400), ..small() };
    let (result, spent) = budget::spend(&outer, || {
        let (inner, inner_spent) = budget::spend(&small(), || {
            std::thread::sleep(Duration::from_millis(500));
            Ok(7)
        });
        assert_eq!(inner.unwrap(), 7);
        assert!(inner_spent.wall >= Duration::from_millis(500));
        assert_eq!(budget::open_accounts(), 1);
        let engine = bursar::engine::sandbox::engine();
        // The half second of the inner run is not charged: the loop still gets its operations.
        engine.run("loop {}").map_err(|error| Failure::from_error(&error, |_| true))
    });
    assert_eq!(result.unwrap_err().code, "limit_exceeded:operations");
    assert!(spent.wall < Duration::from_millis(400), "{spent:?}");
    let (result, _) = budget::spend(&small(), || -> Result<(), Failure> { panic!("a host's mistake") });
    assert_eq!(result.unwrap_err().code, "panicked");
    assert_eq!(budget::open_accounts(), 0);
}

#[test]
fn s9_chains_that_no_size_check_sees_end_before_the_stack_does() {
    for source in [
        "fn run(event) { let f = |x| x; loop { let g = f; f = |x| g; } }",
        "fn run(event) { let f = |x| x; loop { let g = [f]; f = |x| g; } }",
        "fn run(event) { let f = |x| x; loop { let g = #{ f: f }; f = |x| g; } }",
        "fn run(event) { let a = []; loop { a = [a]; } }",
        "fn run(event) { let a = #{}; loop { a = #{ a: a }; } }",
        "fn run(event) { let a = []; loop { let b = []; b.push(a); a = b; } }",
    ] {
        let allowed = Budget {
            operations: u64::MAX,
            wall: Duration::from_secs(5),
            memory_bytes: usize::MAX,
            ..Budget::default()
        };
        let (result, _, _) = run_with(source, allowed);
        let failure = result.expect_err(source);
        assert!(failure.is_limit(), "{failure}: {source}");
    }
}

#[test]
fn what_a_handler_returns_is_plain_or_nothing() {
    let returned = |source: &str| run_with(source, small()).0.unwrap();
    assert_eq!(returned("fn run(event) { #{ a: [1, \"b\"] } }"), "#{\"a\": [1, \"b\"]}");
    assert_eq!(returned("fn run(event) { |x| x }"), "");
    assert_eq!(returned("fn run(event) { [1, |x| x] }"), "");
    let nested = |depth: usize| format!("fn run(event) {{ let a = 1; for i in 0..{depth} {{ a = [a]; }} a }}");
    assert_eq!(returned(&nested(16)), format!("{}1{}", "[".repeat(16), "]".repeat(16)));
    assert_eq!(returned(&nested(17)), "");
    let chain = "fn run(event) { let f = |x| x; for i in 0..100000 { let g = f; f = |x| g; } f }";
    assert_eq!(returned(chain), "");
}
