//! The terms in scripts: the rows in force, and a quote about nobody's subscription in particular.

use rhai::{Array, Dynamic, Engine, Map};

use super::requests::QuoteValue;
use crate::domain::calendar::show;
use crate::domain::terms::Told;
use crate::domain::{Instant, Money, Refusal, Span, lifecycle};
use crate::engine::failure::{Api, raise, raise_refusal};
use crate::engine::reference::{Function, Part};
use crate::engine::script_thread::with;

pub(super) const PART: Part = Part {
    title: "Terms",
    functions: &[
        Function {
            name: "terms",
            params: &["family: string", "at: Instant"],
            gives: "array",
            grant: "",
            doc: "The rows of a family that hold for what is bought or done at an instant: maps of rule, table, source, dated_by, file, line, says.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { for row in terms(sub.family, now()) { print(row.rule + ": " + row.says); } }"#,
        },
        Function {
            name: "terms_quote",
            params: &["asked: map"],
            gives: "Quote",
            grant: "",
            doc: "What the terms say to cancelling something bought then. Knows `family`, `purchased`, `asked`, `price` (of a seat and billing cycle), `quantity` (1), `term` (\"P1Y\"; none for perpetual), `billing` and `country`.",
            example: r#"for sub in subscriptions(#{ status: "active" }) { print(terms_quote(#{ family: sub.family, purchased: now() - days(2), asked: now(), price: "100 EUR", term: "P1Y", billing: "annual" }).reason); }"#,
        },
    ],
    properties: &[],
};

const KEYS: [&str; 8] = ["family", "purchased", "asked", "price", "quantity", "term", "billing", "country"];

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("terms", |family: &str, at: Instant| -> Api<Array> {
        with(|work| {
            let known = work.terms.families().any(|one| one.name == family);
            if !known {
                return Err(Refusal::new("not_found", format!("there are no terms of '{family}'")).into());
            }
            let rows = work.terms.family(family).told();
            Ok(rows.iter().filter(|row| row.holds(at)).map(row).collect())
        })
    });
    engine.register_fn("terms_quote", |map: Map| -> Api<QuoteValue> { quote(&map) });
}

fn row(told: &Told) -> Dynamic {
    let mut map = Map::new();
    let texts = [
        ("rule", told.rule.clone()),
        ("table", told.table.to_owned()),
        ("source", told.source.clone()),
        ("dated_by", told.dated_by.as_str().to_owned()),
        ("from", told.from.map(show).unwrap_or_default()),
        ("until", told.until.map(show).unwrap_or_default()),
        ("file", told.place.file.clone()),
        ("says", told.says.clone()),
    ];
    for (name, text) in texts {
        map.insert(name.into(), text.into());
    }
    map.insert("line".into(), i64::try_from(told.place.line).unwrap_or_default().into());
    Dynamic::from(map)
}

fn quote(map: &Map) -> Api<QuoteValue> {
    if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(raise("unknown_field", format!("terms_quote does not know {key}; it knows {}", KEYS.join(", "))));
    }
    let text = |key: &str| map.get(key).and_then(|value| value.clone().into_immutable_string().ok());
    let needed = |key: &str| text(key).ok_or_else(|| raise("missing_field", format!("{key} is a text")));
    let instant = |key: &str| -> Api<Instant> {
        if let Some(at) = map.get(key).and_then(|value| value.read_lock::<Instant>().map(|at| *at)) {
            return Ok(at);
        }
        crate::domain::calendar::instant(&needed(key)?).map_err(|refusal| raise_refusal(&refusal))
    };
    let price: Money = match map.get("price").and_then(|value| value.read_lock::<Money>().map(|money| *money)) {
        Some(money) => money,
        None => needed("price")?.parse().map_err(|refusal| raise_refusal(&refusal))?,
    };
    let term: Span = match text("term") {
        Some(text) => text.parse().map_err(|refusal| raise_refusal(&refusal))?,
        None => Span::default(),
    };
    let quantity = map.get("quantity").map_or(Ok(1), Dynamic::as_int);
    let quantity = quantity.map_err(|_| raise("type_error", "quantity is a whole number"))?;
    let (family, billing) = (needed("family")?, text("billing").unwrap_or_else(|| "none".into()));
    let (purchased, asked) = (instant("purchased")?, instant("asked")?);
    let country = text("country").unwrap_or_default().to_ascii_uppercase();
    with(|work| {
        let terms = work.terms.in_country(&country);
        Ok(lifecycle::terms_quote(&terms, &family, purchased, asked, price, quantity, term, &billing))
    })
    .map(QuoteValue)
}
