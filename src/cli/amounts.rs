//! Amounts as people read them: with the minor units of their currency, 130.00 EUR and 130 JPY. JSON stays as it came.

use bursar::domain::Currency;
use rust_decimal::Decimal;
use serde_json::Value;

/// The members of a record that are amounts in the currency beside them.
const AMOUNTS: [&str; 13] = [
    "amount",
    "charges",
    "credits",
    "margin",
    "paidAmount",
    "price",
    "subtotal",
    "tax",
    "taxTotal",
    "total",
    "totalCharges",
    "totalForCustomer",
    "unitPrice",
];

/// The record with its amounts written out; one inside another has the nearest currency.
pub(crate) fn written_out(record: &Value) -> Value {
    written(record, None)
}

fn written(value: &Value, outer: Option<Currency>) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| written(item, outer)).collect()),
        Value::Object(members) => {
            let told = ["currency", "currencyCode"].iter().find_map(|name| members.get(*name)?.as_str()?.parse().ok());
            let currency = told.or(outer);
            let member = |(name, value): (&String, &Value)| {
                let amount = currency.filter(|_| AMOUNTS.contains(&name.as_str())).and_then(|own| amount(value, own));
                (name.clone(), amount.unwrap_or_else(|| written(value, currency)))
            };
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

/// An amount with at least the minor units of its currency; none for what is no amount.
fn amount(value: &Value, currency: Currency) -> Option<Value> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let mut amount = text.parse::<Decimal>().ok()?.normalize();
    let least = currency.minor_digits();
    if amount.scale() < least {
        amount.rescale(least);
    }
    Some(Value::String(amount.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_have_the_minor_units_of_their_currency() {
        let record = json!({
            "currencyCode": "EUR", "totalCharges": 130.0, "taxTotal": "24.7", "subtotal": 130, "lines": 10,
            "atCustomerPrices": [{ "currencyCode": "JPY", "total": 12000.0 }, { "currencyCode": "KWD", "total": 1.5 }],
            "tax": { "amount": 0, "percent": "19" },
        });
        let written = written_out(&record);
        assert_eq!(
            written,
            json!({
                "currencyCode": "EUR", "totalCharges": "130.00", "taxTotal": "24.70", "subtotal": "130.00", "lines": 10,
                "atCustomerPrices": [{ "currencyCode": "JPY", "total": "12000" }, { "currencyCode": "KWD", "total": "1.500" }],
                "tax": { "amount": "0.00", "percent": "19" },
            })
        );
    }

    #[test]
    fn what_is_finer_than_the_minor_unit_or_without_a_currency_stays() {
        assert_eq!(written_out(&json!({ "currency": "EUR", "unitPrice": 0.0125 }))["unitPrice"], "0.0125");
        assert_eq!(written_out(&json!({ "total": 130.0 })), json!({ "total": 130.0 }));
        assert_eq!(written_out(&json!({ "currency": "EUR", "amount": "none" }))["amount"], "none");
    }
}
