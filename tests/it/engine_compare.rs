//! Comparing different types is an error in all six operators, for every pair of types a script can see.

use bursar::engine::failure::Failure;
use bursar::engine::{Budget, sandbox, spend};
use rhai::{Dynamic, Engine};

fn run(engine: &Engine, source: &str) -> Result<Dynamic, Failure> {
    let (result, _) = spend(&Budget::default(), || {
        engine.eval::<Dynamic>(source).map_err(|error| Failure::from_error(&error, |_| true))
    });
    result
}

/// One expression of each type, and whether the type has an order.
const TYPES: [(&str, &str, bool); 18] = [
    ("nothing", "()", false),
    ("bool", "true", false),
    ("int", "5", true),
    ("decimal", "5.5", true),
    ("string", "\"a\"", true),
    ("char", "'a'", true),
    ("array", "[1]", false),
    ("map", "#{ a: 1 }", false),
    ("function", "|x| x", false),
    ("range", "0..5", false),
    ("inclusive range", "0..=5", false),
    ("money", "money(\"5 EUR\")", true),
    ("amounts", "amounts([\"5 EUR\"])", false),
    ("instant", "instant(\"2027-01-31T00:00:00Z\")", true),
    ("span", "days(2)", true),
    ("json object", "json(`{\"a\": 1}`)", false),
    ("failure", "(|| { try { json(\"{\"); } catch (e) { return e; } }).call()", false),
    ("text of a number", "\"5\"", true),
];

const OPERATORS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

#[test]
fn every_pair_of_different_types_is_an_error_in_all_six_operators() {
    let engine = sandbox::engine();
    let numbers = ["int", "decimal"];
    let strings = ["string", "text of a number"];
    let mut pairs = 0;
    for (left, one, _) in TYPES {
        for (right, other, _) in TYPES {
            let both = |names: [&str; 2]| names.contains(&left) && names.contains(&right);
            if left == right || both(numbers) || both(strings) {
                continue;
            }
            for operator in OPERATORS {
                let source = format!("let a = {one}; let b = {other}; a {operator} b");
                let failure = run(&engine, &source).expect_err(&source);
                let wanted = ["type_error", "currency_mismatch"];
                assert!(wanted.contains(&failure.code.as_str()), "{source}: {failure}");
                // The same through a function pointer, where no operator is seen.
                let source = format!("let a = {one}; let b = {other}; Fn(\"{operator}\").call(a, b)");
                assert!(run(&engine, &source).is_err(), "{source}");
                pairs += 1;
            }
        }
    }
    assert!(pairs > 1_700, "{pairs}");
}

#[test]
fn values_of_one_type_compare_by_what_they_are() {
    let engine = sandbox::engine();
    for (name, one, ordered) in TYPES {
        if name == "function" || name == "failure" {
            continue;
        }
        for operator in OPERATORS {
            let source = format!("let a = {one}; let b = {one}; a {operator} b");
            let result = run(&engine, &source);
            if matches!(operator, "==" | "!=") {
                assert_eq!(result.unwrap().as_bool(), Ok(operator == "=="), "{source}");
            } else if ordered {
                assert_eq!(result.unwrap().as_bool(), Ok(operator.len() == 2), "{source}");
            } else {
                assert!(result.is_err(), "{source}");
            }
        }
    }
}

#[test]
fn what_looks_through_a_comparison_does_not_hide_a_wrong_type() {
    let engine = sandbox::engine();
    for source in [
        "\"1.10\" > 10",
        "() > 5",
        "[1, \"2\"] == [1, 2]",
        "#{ a: 1 } == #{ a: \"1\" }",
        "() in [\"renew\", \"lapse\"]",
        "[1, 2].contains(\"1\")",
        "[1, 2].index_of(\"1\")",
        "money(\"5 EUR\") > 4",
        "money(\"5 EUR\") == 5.0",
        "money(\"5 EUR\") > money(\"4 USD\")",
        "months(1) > days(30)",
        "let a = 1; a == \"1\"",
    ] {
        let failure = run(&engine, source).expect_err(source);
        assert!(["type_error", "currency_mismatch"].contains(&failure.code.as_str()), "{source}: {failure}");
    }
    for (source, want) in [
        ("5 == 5.0", true),
        ("5 < 5.5", true),
        ("0.1 + 0.2 == 0.3", true),
        ("\"renew\" in [\"renew\", \"lapse\"]", true),
        ("money(\"5 EUR\") > 0", true),
        ("0 > money(\"5 EUR\")", false),
        ("amounts([]) > 0", false),
        ("amounts([\"1 EUR\", \"2 USD\"]) > 0", true),
        ("money(\"5 EUR\") == money(\"5.00 EUR\")", true),
        ("hours(24) == days(1)", true),
        ("present(())", false),
        ("absent(())", true),
    ] {
        assert_eq!(run(&engine, source).unwrap().as_bool(), Ok(want), "{source}");
    }
}
