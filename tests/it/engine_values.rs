//! Values in scripts: exact money, spans that know months, JSON that says what is missing; and the reference, whose
//! examples run as they stand.

use bursar::engine::failure::Failure;
use bursar::engine::reference::{parts, render};
use bursar::engine::{Budget, answers, sandbox, spend};
use expect_test::expect;
use rhai::{Dynamic, Engine};
use std::collections::BTreeSet;

fn run(source: &str) -> Result<Dynamic, Failure> {
    let engine = sandbox::engine();
    let (result, _) = spend(&Budget::default(), || {
        engine.eval::<Dynamic>(source).map_err(|error| Failure::from_error(&error, |_| true))
    });
    result
}

fn text(source: &str) -> String {
    match run(source) {
        Ok(value) => value.to_string(),
        Err(failure) => format!("{}: {}", failure.code, failure.message),
    }
}

#[test]
fn money_is_exact_and_never_of_two_currencies() {
    let lines = [
        r#"`${money("10.08 EUR") * 3}`"#,
        r#"`${money("0.10 EUR") + money("0.20 EUR")}`"#,
        r#"`${money("1 EUR") - money("2 EUR")}`"#,
        r#"`${-money("1 EUR")}`"#,
        r#"`${money("500 JPY") * 2}`"#,
        r#"`${0 + money("1 EUR")}`"#,
        r#"let sum = money("1 EUR"); sum += money("2 EUR"); `${sum}`"#,
        r#"money("1 EUR") + money("1 USD")"#,
        r#"money("1 EUR") + 1"#,
        r#"money("EUR 10")"#,
        r#"money("1 XXX")"#,
        r#"money("1.001 EUR")"#,
        r#"money("501 EUR").over(["500 EUR", "550 USD"])"#,
        r#"money("500 EUR").over(["500 EUR", "550 USD"])"#,
        r#"money("1 GBP").over(["500 EUR"])"#,
        r#"money("1 EUR").over([500])"#,
        r#"let m = money("1 EUR"); m.amount = 5"#,
    ];
    let shown: Vec<String> = lines.iter().map(|line| format!("{line}\n  {}", text(line))).collect();
    expect![[r#"
        `${money("10.08 EUR") * 3}`
          30.24 EUR
        `${money("0.10 EUR") + money("0.20 EUR")}`
          0.30 EUR
        `${money("1 EUR") - money("2 EUR")}`
          -1.00 EUR
        `${-money("1 EUR")}`
          -1.00 EUR
        `${money("500 JPY") * 2}`
          1000 JPY
        `${0 + money("1 EUR")}`
          1.00 EUR
        let sum = money("1 EUR"); sum += money("2 EUR"); `${sum}`
          3.00 EUR
        money("1 EUR") + money("1 USD")
          currency_mismatch: EUR and USD do not mix
        money("1 EUR") + 1
          currency_mismatch: Money and the bare number 1 do not mix; write money("1 EUR")
        money("EUR 10")
          bad_currency: '10' is no ISO 4217 currency such as EUR
        money("1 XXX")
          bad_currency: 'XXX' is no ISO 4217 currency such as EUR
        money("1.001 EUR")
          bad_money: '1.001 EUR' is no amount such as 10.08 EUR
        money("501 EUR").over(["500 EUR", "550 USD"])
          true
        money("500 EUR").over(["500 EUR", "550 USD"])
          false
        money("1 GBP").over(["500 EUR"])
          no_limit: no limit is in GBP: add one to the list
        money("1 EUR").over([500])
          bad_limits: a limit is text such as "500 EUR", not an integer
        let m = money("1 EUR"); m.amount = 5
          read_only: the property 'amount' can only be read"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn time_keeps_months_apart_from_days() {
    let lines = [
        r#"`${instant("2027-01-31T00:00:00Z") + months(1)}`"#,
        r#"`${instant("2027-03-31T00:00:00Z") - months(1)}`"#,
        r#"`${instant("2027-01-31T00:00:00Z") - days(2)}`"#,
        r#"`${instant("2027-01-31T00:00:00Z") - instant("2027-01-30T12:00:00Z")}`"#,
        r#"`${instant("2027-01-30T12:00:00Z") - instant("2027-01-31T00:00:00Z")}`"#,
        r#"(instant("2027-01-31T00:00:00Z") - instant("2027-01-01T00:00:00Z")).whole_days"#,
        r#"instant("2027-01-31T23:00:00+02:00").date"#,
        r#"instant("2027-02-30T00:00:00Z")"#,
        r#"`${span("P1Y") + days(3)}`"#,
        r#"months(1).whole_days"#,
        r#"days(9223372036854775807)"#,
        r#"instant("2027-01-31T00:00:00Z") + days(366000) * 1000"#,
    ];
    let shown: Vec<String> = lines.iter().map(|line| format!("{line}\n  {}", text(line))).collect();
    expect![[r#"
        `${instant("2027-01-31T00:00:00Z") + months(1)}`
          2027-02-28T00:00:00Z
        `${instant("2027-03-31T00:00:00Z") - months(1)}`
          2027-02-28T00:00:00Z
        `${instant("2027-01-31T00:00:00Z") - days(2)}`
          2027-01-29T00:00:00Z
        `${instant("2027-01-31T00:00:00Z") - instant("2027-01-30T12:00:00Z")}`
          PT12H
        `${instant("2027-01-30T12:00:00Z") - instant("2027-01-31T00:00:00Z")}`
          -PT12H
        (instant("2027-01-31T00:00:00Z") - instant("2027-01-01T00:00:00Z")).whole_days
          30
        instant("2027-01-31T23:00:00+02:00").date
          2027-01-31
        instant("2027-02-30T00:00:00Z")
          bad_date: '2027-02-30T00:00:00Z' is no instant such as 2027-01-31T00:00:00Z
        `${span("P1Y") + days(3)}`
          P1Y3D
        months(1).whole_days
          type_error: P1M holds months, and a month is no number of days
        days(9223372036854775807)
          bad_duration: this is beyond the calendar
        instant("2027-01-31T00:00:00Z") + days(366000) * 1000
          bad_duration: this is beyond the calendar"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn json_says_which_field_is_wrong() {
    let data = r#"let data = json(`{"invoice": "A7", "total": {"amount": "10.08", "currency": "EUR"}, "due": "soon",
        "count": 9007199254740993, "price": 1.10, "big": 18446744073709551616, "list": [{"x": 1}], "none": null}`); "#;
    let lines = [
        "data.invoice",
        "data.invioce",
        "data[\"list\"][0].x",
        "data.list[1]",
        "data.invoice.id",
        "`${data.money(\"total\")}`",
        "data.money(\"invoice\")",
        "data.instant(\"due\")",
        "data.int(\"count\")",
        "data.int(\"price\")",
        "data.decimal(\"price\") + 1",
        "data.text(\"count\")",
        "data.bool(\"invoice\")",
        "data.get(\"nope\") ?? \"nothing\"",
        "data.none ?? \"nothing\"",
        "\"invoice\" in data",
        "\"nope\" in data",
        "data.big",
        "data.keys()",
        "data.invoice = 5",
    ];
    let shown: Vec<String> = lines.iter().map(|line| format!("{line}\n  {}", text(&format!("{data}{line}")))).collect();
    expect![[r#"
        data.invoice
          A7
        data.invioce
          missing_property: data has no field 'invioce'; did you mean 'invoice'?
        data["list"][0].x
          1
        data.list[1]
          out_of_bounds: data.list has 1 items, there is no 1
        data.invoice.id
          missing_property: string has no property 'id'
        `${data.money("total")}`
          10.08 EUR
        data.money("invoice")
          bad_money: data.invoice: 'A7' is no amount such as 10.08 EUR
        data.instant("due")
          bad_date: data.due: 'soon' is no instant such as 2027-01-31T00:00:00Z
        data.int("count")
          9007199254740993
        data.int("price")
          type_error: data.price is a number, not a whole number that fits
        data.decimal("price") + 1
          2.10
        data.text("count")
          type_error: data.count is a number, not a string
        data.bool("invoice")
          type_error: data.invoice is a string, not true or false
        data.get("nope") ?? "nothing"
          nothing
        data.none ?? "nothing"
          nothing
        "invoice" in data
          true
        "nope" in data
          false
        data.big
          18446744073709551616
        data.keys()
          ["invoice", "total", "due", "count", "price", "big", "list", "none"]
        data.invoice = 5
          read_only: the property 'invoice' can only be read"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn every_example_of_the_reference_runs() {
    let engine = sandbox::engine();
    for function in parts().iter().flat_map(|part| part.functions) {
        let ((result, _), _) = answers::collect(|| {
            spend(&Budget::default(), || {
                engine.run(function.example).map_err(|error| Failure::from_error(&error, |_| true))
            })
        });
        assert!(result.is_ok(), "{}: {}\n{}", function.name, result.unwrap_err(), function.example);
        assert!(function.example.contains(function.name), "{} is not in its example", function.name);
        assert!(function.doc.ends_with('.'), "{}", function.name);
    }
    assert!(render(&parts()).contains("### `money(text: string)` gives Money"));
}

#[test]
fn every_function_and_property_of_ours_is_in_the_reference_and_has_a_name_that_parses() {
    let engine = sandbox::engine();
    let ours: BTreeSet<String> =
        engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), false).into_iter().collect();
    let functions: BTreeSet<&str> = parts().iter().flat_map(|part| part.functions).map(|known| known.name).collect();
    let properties: BTreeSet<&str> = parts().iter().flat_map(|part| part.properties).map(|known| known.name).collect();
    let plain = Engine::new_raw();
    let mut seen = 0;
    for name in &ours {
        let bare = name.strip_prefix("get$").unwrap_or(name);
        if bare.contains('$') || !bare.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            continue;
        }
        let usual = ["to_string", "to_debug", "contains", "code", "message"].contains(&bare);
        let known = if name == bare { functions.contains(bare) } else { properties.contains(bare) };
        assert!(known || usual, "{name} is not in the reference");
        for source in [format!("let x = #{{}}; x.{bare}"), format!("#{{ {bare}: 1 }}")] {
            assert!(plain.compile(&source).is_ok(), "{bare} is a reserved word");
        }
        seen += 1;
    }
    assert!(seen > 25, "{seen}");
    for name in functions {
        assert!(ours.contains(name), "{name} is in the reference and not registered");
    }
}
