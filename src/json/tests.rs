//! The promises of the strict reader: what it refuses, where it says so, and that nothing is lost on the way through.

use super::*;
use proptest::prelude::*;

fn refused(input: &[u8], code: Code) {
    match parse_up_to(input, 4 << 20) {
        Ok(value) => panic!("{:?} was read as {value}", String::from_utf8_lossy(input)),
        Err(error) => assert_eq!(error.code, code, "{:?}: {error}", String::from_utf8_lossy(input)),
    }
}

fn number(text: &str) -> Number {
    parse(text.as_bytes()).unwrap().as_number().unwrap().clone()
}

#[test]
fn what_is_not_json_is_refused() {
    let inputs: [&[u8]; 26] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"[1,]",
        b"[,1]",
        b"{'a':1}",
        b"{} {}",
        b"{\"a\":1,}",
        b"{a:1}",
        b"// no\n1",
        b"/* no */1",
        b"\xef\xbb\xbf{}",
        b"\"\\x\"",
        b"\"\\u12g4\"",
        b"\"\n\"",
        b"\"",
        b"\"\\",
        b"tru",
        b"truex",
        b"nul",
        b"True",
        b"[1 2]",
        b"{\"a\" 1}",
        b"\x00",
        b"1 x",
    ];
    for input in inputs {
        refused(input, Code::InvalidJson);
    }
}

#[test]
fn numbers_that_are_no_numbers_are_refused() {
    for text in
        ["NaN", "Infinity", "-Infinity", "1e400", "-1e-400", "01", "-01", "-", "0x10", "+1", ".5", "5.", "1e", "1e+"]
    {
        refused(text.as_bytes(), Code::InvalidJson);
    }
    refused("9".repeat(65).as_bytes(), Code::InvalidJson);
    assert!(parse("9".repeat(64).as_bytes()).is_ok());
    assert!(parse(b"1e307").is_ok());
    refused(b"1e308", Code::InvalidJson);
}

#[test]
fn a_key_may_appear_once_however_it_is_written() {
    refused(br#"{"qty":1,"qty":9}"#, Code::DuplicateKey);
    refused(br#"{"qty":1,"\u0071ty":9}"#, Code::DuplicateKey);
    refused(br#"{"a":{"b":1,"c":2,"b":3}}"#, Code::DuplicateKey);
    assert!(parse(br#"{"qty":1,"Qty":9,"a":{"qty":1}}"#).is_ok(), "another case or another object is another key");
    let error = parse(b"{\"a\":1,\n \"b\":2, \"a\":3, \"b\":4}").unwrap_err();
    assert_eq!((error.line, error.column, error.offset), (2, 9, 16), "the first repeated key is named: {error}");
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    for input in [&b"\"\xff\""[..], b"\"\xc0\x80\"", b"\"\xed\xa0\x80\"", b"\xff"] {
        refused(input, Code::InvalidUtf8);
    }
    for input in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#, r#""\ud800\n""#] {
        refused(input.as_bytes(), Code::InvalidJson);
    }
    assert_eq!(parse(br#""\ud83d\ude00""#).unwrap().as_str(), Some("\u{1f600}"));
}

#[test]
fn depth_and_size_have_an_edge() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    refused(nested(DEPTH_MAX + 1).as_bytes(), Code::TooDeep);
    refused(nested(128).as_bytes(), Code::TooDeep);
    refused("[".repeat(1_000_000).as_bytes(), Code::TooDeep);
    refused("{\"a\":".repeat(100_000).as_bytes(), Code::TooDeep);
    let sized = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert!(parse(sized(BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(parse(sized(BYTES_MAX + 1).as_bytes()).unwrap_err().code, Code::TooLarge);
    let million = format!("[{}1]", "1,".repeat(1_000_000));
    assert_eq!(parse(million.as_bytes()).unwrap_err().code, Code::TooLarge);
    // The array is a value too.
    let items = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
    assert!(parse_up_to(items(VALUES_MAX - 1).as_bytes(), 4 << 20).is_ok());
    refused(items(VALUES_MAX).as_bytes(), Code::TooLarge);
}

#[test]
fn only_a_plain_integer_is_an_integer() {
    for text in ["1.0", "\"1\"", "true", "null", "1e2", "-0", "[1]", "9223372036854775808", "-9223372036854775809"] {
        assert_eq!(parse(text.as_bytes()).unwrap().as_i64(), None, "{text}");
    }
    assert_eq!(number("9007199254740993").as_i64(), Some(9_007_199_254_740_993));
    assert_eq!(number("9223372036854775807").as_i64(), Some(i64::MAX));
    assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
    assert_eq!(number("0").as_i64(), Some(0));
}

#[test]
fn fractions_are_exact_or_not_there() {
    let check = |text: &str, want: Option<&str>| {
        assert_eq!(number(text).as_decimal().map(|value| value.to_string()).as_deref(), want, "{text}");
    };
    check("1.10", Some("1.10"));
    check("19.99", Some("19.99"));
    check("-0.5", Some("-0.5"));
    check("1e2", Some("100"));
    check("1.5E+3", Some("1500"));
    check("12.5e-2", Some("0.125"));
    check("1e-28", Some("0.0000000000000000000000000001"));
    check("1e-29", None);
    check("0e9", Some("0"));
    check("1.0000000000000000000000000001", Some("1.0000000000000000000000000001"));
    check("1.00000000000000000000000000001", None);
    check("79228162514264337593543950335", Some("79228162514264337593543950335"));
    check("79228162514264337593543950336", None);
    check("1e300", None);
    assert_eq!(number("1.00000000000000000000000000001").to_string(), "1.00000000000000000000000000001");
}

#[test]
fn members_are_found_by_name_and_in_any_case() {
    let value = parse(br#"{"Id":"A","id":"b","Items":[1],"nothing":null}"#).unwrap();
    assert_eq!(value.get("id").and_then(Value::as_str), Some("b"));
    assert_eq!(value.get_any_case("id").and_then(Value::as_str), Some("b"), "an exact match wins");
    assert_eq!(value.get_any_case("ID").and_then(Value::as_str), Some("A"), "then the first");
    assert_eq!(value.get("items"), None);
    assert_eq!(value.get_any_case("items").and_then(Value::as_array).map(<[Value]>::len), Some(1));
    assert!(value.get("nothing").is_some_and(Value::is_null));
    assert_eq!(parse(b"[]").unwrap().get("id"), None);
}

#[test]
fn an_error_says_where() {
    let error = parse("{\n  \"\u{e9}\": nope\n}".as_bytes()).unwrap_err();
    assert_eq!((error.offset, error.line, error.column), (10, 2, 8));
    assert_eq!(error.to_string(), "expected a value, found 'n' at line 2, column 8 (byte 10)");
    let error = parse(b"{\"a\":1").unwrap_err();
    assert_eq!((error.offset, error.line, error.column), (6, 1, 7));
}

#[test]
fn serde_gets_the_same_value_or_nothing() {
    let text = r#"{"a":1,"b":[true,null,"x"],"c":18446744073709551615,"d":1.5,"e":-3}"#;
    let value = parse(text.as_bytes()).unwrap();
    assert_eq!(Value::from(&value.to_serde().unwrap()).to_string(), text);
    assert_eq!(number("18446744073709551616").to_string(), "18446744073709551616");
    assert_eq!(Value::Number(number("1.0000000000000000000000001")).to_serde(), None);
    assert_eq!(Value::Number(number("36893488147419103233")).to_serde(), None);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|value| Value::Number(value.into())),
        (any::<i64>(), 0u32..=18).prop_map(|(digits, scale)| Value::Number(Decimal::new(digits, scale).into())),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        let text = value.to_string();
        prop_assert_eq!(parse(text.as_bytes()).unwrap(), value);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn any_bytes_give_an_answer_and_never_more_than_serde_accepts(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if parse(&bytes).is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn json_looking_text_agrees_with_serde(text in r#"[\[\]{}:,"a\\u0-9eE.+tfn -]{0,24}"#) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match parse(text.as_bytes()) {
            Ok(_) => prop_assert!(theirs.is_ok(), "{}", text),
            Err(error) if error.code == Code::DuplicateKey => {}
            Err(error) => prop_assert!(theirs.is_err() || error.detail.contains("kept exactly"), "{} {}", text, error),
        }
    }

    #[test]
    fn a_decimal_is_read_exactly(digits in any::<i64>(), scale in 0u32..=28) {
        let value = Decimal::new(digits, scale);
        let text = value.to_string();
        prop_assert_eq!(parse(text.as_bytes()).unwrap().as_decimal(), Some(value));
        let scientific = format!("{digits}e-{scale}");
        prop_assert_eq!(parse(scientific.as_bytes()).unwrap().as_decimal(), Some(value));
    }
}
