//! Money in scripts: exact, never of two currencies at once; the literal 0 is the only bare number it meets.

use rhai::{Array, Dynamic, Engine};
use rust_decimal::Decimal;
use std::cmp::Ordering;

use super::super::comparison::Comparison;
use super::super::failure::{Api, raise, raise_refusal};
use super::super::reference::{Function, Part, Property};
use super::type_word;
use crate::domain::Money;

/// What scripts are given about money.
pub(in super::super) const PART: Part = Part {
    title: "Money",
    functions: &[
        Function {
            name: "money",
            params: &["text: string"],
            gives: "Money",
            grant: "",
            doc: "Reads an amount with its currency; it may be added, subtracted, multiplied and compared.",
            example: r#"let price = money("10.08 EUR"); if price * 3 > money("30 EUR") { print(`${price * 3}`); }"#,
        },
        Function {
            name: "over",
            params: &["amount: Money", "limits: array"],
            gives: "bool",
            grant: "",
            doc: "Whether it is above the limit of its currency; a currency without a limit is an error.",
            example: r#"if money("501 EUR").over(["500 EUR", "550 USD"]) { print("over"); }"#,
        },
    ],
    properties: &[
        Property { owner: "Money", name: "amount", gives: "decimal", doc: "The bare amount, exact." },
        Property { owner: "Money", name: "currency", gives: "string", doc: "The ISO 4217 code." },
    ],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Money>("Money");
    engine.register_fn("money", |text: &str| text.parse::<Money>().map_err(|refusal| raise_refusal(&refusal)));
    engine.register_get("amount", |money: &mut Money| money.amount);
    engine.register_get("currency", |money: &mut Money| money.currency.code().to_owned());
    engine.register_fn("to_string", |money: &mut Money| money.to_string());
    engine.register_fn("to_debug", |money: &mut Money| money.to_string());
    engine.register_fn("+", |left: Money, right: Money| left.plus(right).map_err(|refusal| raise_refusal(&refusal)));
    engine.register_fn("-", |left: Money, right: Money| left.minus(right).map_err(|refusal| raise_refusal(&refusal)));
    engine.register_fn("+", |left: Money, right: i64| only_zero(right).map(|()| left));
    engine.register_fn("+", |left: i64, right: Money| only_zero(left).map(|()| right));
    engine.register_fn("-", |left: Money, right: i64| only_zero(right).map(|()| left));
    engine.register_fn("*", |money: Money, factor: i64| times(money, Decimal::from(factor)));
    engine.register_fn("*", |factor: i64, money: Money| times(money, Decimal::from(factor)));
    engine.register_fn("*", times);
    engine.register_fn("*", |factor: Decimal, money: Money| times(money, factor));
    engine.register_fn("-", |money: Money| money.negated());
    engine.register_fn("over", |money: Money, limits: Array| over(money, &limits));
}

fn times(money: Money, factor: Decimal) -> Api<Money> {
    money.times(factor).map_err(|refusal| raise_refusal(&refusal))
}

fn only_zero(number: i64) -> Api<()> {
    if number == 0 {
        return Ok(());
    }
    Err(raise(
        "currency_mismatch",
        format!("Money and the bare number {number} do not mix; write money(\"{number} EUR\")"),
    ))
}

/// Whether the amount is above the limit of its currency in a list such as `["500 EUR", "550 USD"]`.
///
/// # Errors
/// `no_limit` when no limit has its currency, `bad_limits` when one has it twice or an entry is no amount.
pub fn over(amount: Money, limits: &Array) -> Api<bool> {
    let mut found: Option<Money> = None;
    for entry in limits {
        let limit = limit(entry)?;
        if limit.currency == amount.currency && found.replace(limit).is_some() {
            return Err(raise("bad_limits", format!("two limits are in {}", amount.currency)));
        }
    }
    let Some(limit) = found else {
        return Err(raise("no_limit", format!("no limit is in {}: add one to the list", amount.currency)));
    };
    Ok(amount.amount > limit.amount)
}

fn limit(entry: &Dynamic) -> Api<Money> {
    if let Some(money) = entry.read_lock::<Money>() {
        return Ok(*money);
    }
    let Ok(text) = entry.as_immutable_string_ref() else {
        return Err(raise("bad_limits", format!("a limit is text such as \"500 EUR\", not {}", type_word(entry))));
    };
    text.parse::<Money>().map_err(|refusal| raise("bad_limits", refusal.message))
}

pub(super) fn compare(left: &Dynamic, right: &Dynamic) -> Api<Option<Comparison>> {
    let order = match (left.read_lock::<Money>(), right.read_lock::<Money>()) {
        (Some(left), Some(right)) => left.compare(*right).map_err(|refusal| raise_refusal(&refusal))?,
        (Some(left), None) => match right.as_int() {
            Ok(number) => only_zero(number).map(|()| left.amount.cmp(&Decimal::ZERO))?,
            Err(_) => return Ok(None),
        },
        (None, Some(right)) => match left.as_int() {
            Ok(number) => only_zero(number).map(|()| Decimal::ZERO.cmp(&right.amount))?,
            Err(_) => return Ok(None),
        },
        (None, None) => return Ok(None),
    };
    Ok(Some(Comparison::Ordered(order)))
}

/// How an amount stands to nothing.
pub(super) fn sign(money: &Money) -> Ordering {
    money.amount.cmp(&Decimal::ZERO)
}
