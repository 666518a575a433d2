//! Comparing: one function behind all six operators, so that a pair of types nobody thought of is an error and never
//! silently false.

use rhai::{Dynamic, Engine};
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::ops::{Range, RangeInclusive};

use super::failure::{Api, raise};
use super::values;

/// How two values compare: in order, or only the same or not.
pub(super) enum Comparison {
    Ordered(Ordering),
    Equality(bool),
}

/// Registers the six operators for every pair of types. Arrays and maps of their own kind keep the package's `==`,
/// which asks these again for their items.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("==", |left: Dynamic, right: Dynamic| equal("==", &left, &right));
    engine.register_fn("!=", |left: Dynamic, right: Dynamic| equal("!=", &left, &right).map(|same| !same));
    engine.register_fn("<", |left: Dynamic, right: Dynamic| order("<", &left, &right).map(Ordering::is_lt));
    engine.register_fn("<=", |left: Dynamic, right: Dynamic| order("<=", &left, &right).map(Ordering::is_le));
    engine.register_fn(">", |left: Dynamic, right: Dynamic| order(">", &left, &right).map(Ordering::is_gt));
    engine.register_fn(">=", |left: Dynamic, right: Dynamic| order(">=", &left, &right).map(Ordering::is_ge));
    engine.register_fn("present", |value: Dynamic| !value.is_unit());
    engine.register_fn("absent", |value: Dynamic| value.is_unit());
}

fn equal(operator: &str, left: &Dynamic, right: &Dynamic) -> Api<bool> {
    match compare(left, right)? {
        Some(Comparison::Ordered(order)) => Ok(order.is_eq()),
        Some(Comparison::Equality(same)) => Ok(same),
        None => Err(mismatch(operator, left, right)),
    }
}

fn order(operator: &str, left: &Dynamic, right: &Dynamic) -> Api<Ordering> {
    match compare(left, right)? {
        Some(Comparison::Ordered(order)) => Ok(order),
        _ => Err(mismatch(operator, left, right)),
    }
}

fn mismatch(operator: &str, left: &Dynamic, right: &Dynamic) -> Box<rhai::EvalAltResult> {
    let (one, other) = (values::type_word(left), values::type_word(right));
    let hint = if left.is_unit() != right.is_unit() {
        "; ask present(x) or absent(x), or give a value for nothing with ??"
    } else {
        ""
    };
    raise("type_error", format!("{one} {operator} {other}: these two cannot be compared{hint}"))
}

/// None when nothing says how the two compare.
fn compare(left: &Dynamic, right: &Dynamic) -> Api<Option<Comparison>> {
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return Ok(Some(Comparison::Ordered(left.cmp(&right))));
    }
    if let (Ok(left), Ok(right)) = (left.as_immutable_string_ref(), right.as_immutable_string_ref()) {
        return Ok(Some(Comparison::Ordered(left.as_str().cmp(right.as_str()))));
    }
    if let (Ok(left), Ok(right)) = (left.as_char(), right.as_char()) {
        return Ok(Some(Comparison::Ordered(left.cmp(&right))));
    }
    if let (Ok(left), Ok(right)) = (left.as_bool(), right.as_bool()) {
        return Ok(Some(Comparison::Equality(left == right)));
    }
    if left.is_unit() && right.is_unit() {
        return Ok(Some(Comparison::Equality(true)));
    }
    if let Some(same) = same_range::<Range<i64>>(left, right).or_else(|| same_range::<RangeInclusive<i64>>(left, right))
    {
        return Ok(Some(Comparison::Equality(same)));
    }
    values::compare(left, right)
}

fn same_range<T: Clone + PartialEq + Send + Sync + 'static>(left: &Dynamic, right: &Dynamic) -> Option<bool> {
    Some(*left.read_lock::<T>()? == *right.read_lock::<T>()?)
}

fn number(value: &Dynamic) -> Option<Decimal> {
    value.as_int().map(Decimal::from).or_else(|_| value.as_decimal()).ok()
}
