//! Amounts in several currencies at once, such as what a tenant owes. They compare with 0 and with limits; they become
//! one amount only by naming the currency.

use rhai::{Array, Dynamic, Engine};
use std::cmp::Ordering;

use super::super::comparison::Comparison;
use super::super::failure::{Api, raise, raise_refusal};
use super::super::reference::{Function, Part};
use super::money;
use crate::domain::{Currency, Money};

/// One amount per currency, in the order told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Amounts(pub Vec<Money>);

/// What scripts are given about amounts.
pub(in super::super) const PART: Part = Part {
    title: "Amounts",
    functions: &[
        Function {
            name: "amounts",
            params: &["list: array"],
            gives: "Amounts",
            grant: "",
            doc: "One amount per currency; compares with 0: above it when any amount is.",
            example: r#"let owed = amounts(["10 EUR", "3 USD"]); if owed > 0 { print(`owes ${owed}`); }"#,
        },
        Function {
            name: "over",
            params: &["amounts: Amounts", "limits: array"],
            gives: "bool",
            grant: "",
            doc: "Whether any amount is above the limit of its currency.",
            example: r#"if amounts(["600 EUR"]).over(["500 EUR"]) { print("over"); }"#,
        },
        Function {
            name: "list",
            params: &["amounts: Amounts"],
            gives: "array",
            grant: "",
            doc: "Every amount as Money, one per currency.",
            example: r#"for owed in amounts(["10 EUR", "3 USD"]).list() { print(`${owed}`); }"#,
        },
        Function {
            name: "of",
            params: &["amounts: Amounts", "currency: string"],
            gives: "Money",
            grant: "",
            doc: "The amount in one currency; nothing of it when none is told.",
            example: r#"let owed = amounts(["10 EUR"]); if owed.of("EUR") >= money("10 EUR") { print("owes"); }"#,
        },
    ],
    properties: &[],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Amounts>("Amounts");
    engine.register_fn("amounts", |list: Array| read(&list));
    engine.register_fn("of", |amounts: Amounts, currency: &str| amounts.of(currency));
    engine.register_fn("over", |amounts: Amounts, limits: Array| amounts.over(&limits));
    engine.register_fn("to_string", |amounts: &mut Amounts| amounts.show());
    engine.register_fn("to_debug", |amounts: &mut Amounts| amounts.show());
    engine.register_fn("list", |amounts: &mut Amounts| -> Array {
        amounts.0.iter().map(|money| Dynamic::from(*money)).collect()
    });
}

fn read(list: &Array) -> Api<Amounts> {
    let mut amounts: Vec<Money> = Vec::new();
    for entry in list {
        let money = match entry.read_lock::<Money>() {
            Some(money) => *money,
            None => entry.to_string().parse().map_err(|refusal| raise_refusal(&refusal))?,
        };
        if amounts.iter().any(|known| known.currency == money.currency) {
            return Err(raise("bad_money", format!("two amounts are in {}", money.currency)));
        }
        amounts.push(money);
    }
    Ok(Amounts(amounts))
}

impl Amounts {
    fn of(&self, currency: &str) -> Api<Money> {
        let currency: Currency = currency.parse().map_err(|refusal| raise_refusal(&refusal))?;
        let found = self.0.iter().find(|money| money.currency == currency);
        Ok(found.copied().unwrap_or_else(|| Money::zero(currency)))
    }

    fn over(&self, limits: &Array) -> Api<bool> {
        let mut any = false;
        for amount in &self.0 {
            any |= money::over(*amount, limits)?;
        }
        Ok(any)
    }

    fn show(&self) -> String {
        if self.0.is_empty() {
            return "nothing".to_owned();
        }
        self.0.iter().map(Money::to_string).collect::<Vec<_>>().join(" + ")
    }

    /// How all amounts together stand to nothing: above when any is above and none below.
    fn sign(&self) -> Option<Ordering> {
        let above = self.0.iter().any(|money| money::sign(money).is_gt());
        let below = self.0.iter().any(|money| money::sign(money).is_lt());
        match (above, below) {
            (true, true) => None,
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => Some(Ordering::Equal),
        }
    }
}

pub(super) fn compare(left: &Dynamic, right: &Dynamic) -> Api<Option<Comparison>> {
    let (amounts, other, turned) = match (left.read_lock::<Amounts>(), right.read_lock::<Amounts>()) {
        (Some(left), Some(right)) => return Ok(Some(Comparison::Equality(same(&left, &right)))),
        (Some(amounts), None) => (amounts, right, false),
        (None, Some(amounts)) => (amounts, left, true),
        (None, None) => return Ok(None),
    };
    if other.as_int() != Ok(0) {
        return Err(raise(
            "currency_mismatch",
            format!("Amounts compare with 0 only, not with {}; take one with .of(\"EUR\")", super::type_word(other)),
        ));
    }
    let sign = amounts.sign().ok_or_else(|| {
        raise("currency_mismatch", "some of the amounts are above 0 and some below; take one with .of(\"EUR\")")
    })?;
    Ok(Some(Comparison::Ordered(if turned { sign.reverse() } else { sign })))
}

fn same(left: &Amounts, right: &Amounts) -> bool {
    let within = |one: &Amounts, other: &Amounts| one.0.iter().all(|money| money.is_zero() || other.0.contains(money));
    within(left, right) && within(right, left)
}
