//! JSON as it came in: read-only, numbers exact, a missing field an error that names the nearest ones.

use rhai::{Array, Dynamic, Engine, Map};
use std::sync::Arc;

use super::super::comparison::Comparison;
use super::super::failure::{Api, raise};
use super::super::reference::{Function, Part};
use crate::domain::calendar;
use crate::json::{Number, Value};
use crate::suggest;

/// A JSON value inside a document: the document is shared, the path says where it lies.
#[derive(Debug, Clone)]
pub struct Json {
    value: Arc<Value>,
    /// `data.items[2]`, for messages.
    path: Arc<str>,
}

macro_rules! reader {
    ($name:literal, $gives:literal, $doc:literal, $example:literal) => {
        Function {
            name: $name,
            params: &["json: Json", "field: string"],
            gives: $gives,
            grant: "",
            doc: $doc,
            example: $example,
        }
    };
}

/// What scripts are given about JSON.
pub(in super::super) const PART: Part = Part {
    title: "Json",
    functions: &[
        Function {
            name: "json",
            params: &["text: string"],
            gives: "Json",
            grant: "",
            doc: "Reads JSON strictly: no key twice, numbers exact. A field is read as `.x`; a missing one is an error.",
            example: r#"let data = json(`{"invoice": {"id": "A7"}}`); print(data.invoice.id);"#,
        },
        reader!("get", "any", "The field, or () when it is missing.", r#"print(json("{}").get("x") ?? "nothing");"#),
        reader!("has", "bool", "Whether the field is there.", r#"if !json("{}").has("x") { print("no x"); }"#),
        reader!("text", "string", "The field as text.", r#"print(json(`{"x": "a"}`).text("x"));"#),
        reader!(
            "money",
            "Money",
            "The field as money, written `10.08 EUR`, or an object of `amount` and `currency`.",
            r#"print(`${json(`{"x": "10.08 EUR"}`).money("x")}`);"#
        ),
        reader!(
            "instant",
            "Instant",
            "The field as an instant.",
            r#"print(json(`{"x": "2027-01-31T00:00:00Z"}`).instant("x").date);"#
        ),
        reader!("int", "int", "The field as a whole number.", r#"print(json(`{"x": 12}`).int("x") + 1);"#),
        reader!("decimal", "decimal", "The field as an exact number.", r#"print(json(`{"x": 1.10}`).decimal("x"));"#),
        reader!("bool", "bool", "The field as true or false.", r#"if json(`{"x": true}`).bool("x") { print("yes"); }"#),
        reader!("list", "array", "The field as an array.", r#"for x in json(`{"x": [1, 2]}`).list("x") { print(x); }"#),
        Function {
            name: "keys",
            params: &["json: Json"],
            gives: "array",
            grant: "",
            doc: "The names of its fields, in the order they were written.",
            example: r#"for key in json(`{"b": 1, "a": 2}`).keys() { print(key); }"#,
        },
        Function {
            name: "fields",
            params: &["json: Json"],
            gives: "map",
            grant: "",
            doc: "Its fields as a map, to be changed or handed on.",
            example: r#"let plan = json(`{"quantity": 5}`).fields(); plan.quantity += 1; print(plan.to_json());"#,
        },
        Function {
            name: "len",
            params: &["json: Json"],
            gives: "int",
            grant: "",
            doc: "How many fields or items it has.",
            example: r#"print(json("[1, 2]").len());"#,
        },
    ],
    properties: &[],
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Json>("Json");
    engine.register_fn("json", |text: &str| {
        let value =
            crate::json::parse(text.as_bytes()).map_err(|error| raise(error.code.as_str(), error.to_string()))?;
        Ok::<_, Box<rhai::EvalAltResult>>(Json::new(value))
    });
    engine.register_indexer_get(|json: &mut Json, field: &str| json.field(field).map(Json::shown));
    engine.register_indexer_get(|json: &mut Json, place: i64| json.item(place).map(Json::shown));
    engine.register_fn("get", |json: Json, field: &str| json.find(field).map_or(Dynamic::UNIT, Json::shown));
    engine.register_fn("has", |json: Json, field: &str| json.find(field).is_some());
    engine.register_fn("contains", |json: Json, field: &str| json.find(field).is_some());
    engine.register_fn("text", |json: Json, field: &str| json.text(field));
    engine.register_fn("money", |json: Json, field: &str| json.money(field));
    engine.register_fn("instant", |json: Json, field: &str| json.instant(field));
    engine.register_fn("int", |json: Json, field: &str| json.whole(field));
    engine.register_fn("decimal", |json: Json, field: &str| json.number(field));
    engine.register_fn("bool", |json: Json, field: &str| json.truth(field));
    engine.register_fn("list", |json: Json, field: &str| json.list(field));
    engine.register_fn("keys", |json: Json| json.keys());
    engine.register_fn("fields", |json: Json| json.fields());
    engine.register_fn("len", |json: Json| json.len());
    engine.register_fn("to_string", |json: &mut Json| json.value.to_string());
    engine.register_fn("to_debug", |json: &mut Json| json.value.to_string());
}

impl Json {
    /// A document for scripts.
    pub fn new(value: Value) -> Self {
        Self::at(value, "data")
    }

    /// The value itself, to store or send on.
    pub fn value(&self) -> &Value {
        &self.value
    }

    fn at(value: Value, path: &str) -> Self {
        Self { value: Arc::new(value), path: path.into() }
    }

    fn child(&self, value: &Value, step: &str) -> Self {
        // Taking a part copies it once; documents are at most 256 KiB, and a script takes few parts.
        Self::at(value.clone(), &format!("{}{step}", self.path))
    }

    /// Strings, booleans, nothing and numbers as the language's own; the rest stays JSON.
    pub fn shown(self) -> Dynamic {
        match &*self.value {
            Value::Null => Dynamic::UNIT,
            Value::Bool(value) => (*value).into(),
            Value::String(text) => text.clone().into(),
            Value::Number(number) => plain(number).unwrap_or_else(|| Dynamic::from(self.clone())),
            Value::Array(_) | Value::Object(_) => Dynamic::from(self),
        }
    }

    fn find(&self, name: &str) -> Option<Self> {
        self.value.get(name).map(|value| self.child(value, &format!(".{name}")))
    }

    fn field(&self, name: &str) -> Api<Self> {
        if let Some(found) = self.find(name) {
            return Ok(found);
        }
        let Some(members) = self.value.members() else {
            return Err(raise(
                "type_error",
                format!("{} is {}, it has no field '{name}'", self.path, self.value.kind()),
            ));
        };
        let names = || members.iter().map(|(name, _)| name.as_str());
        let help = match suggest::nearest(name, names()) {
            Some(near) => format!("did you mean '{near}'?"),
            None if members.is_empty() => "it has no fields at all".to_owned(),
            None => format!("it has {}", names().take(8).collect::<Vec<_>>().join(", ")),
        };
        Err(raise("missing_property", format!("{} has no field '{name}'; {help}", self.path)))
    }

    fn item(&self, place: i64) -> Api<Self> {
        let Some(items) = self.value.as_array() else {
            return Err(raise("type_error", format!("{} is {}, it has no items", self.path, self.value.kind())));
        };
        let found = usize::try_from(place).ok().and_then(|place| items.get(place));
        let value = found.ok_or_else(|| {
            raise("out_of_bounds", format!("{} has {} items, there is no {place}", self.path, items.len()))
        })?;
        Ok(self.child(value, &format!("[{place}]")))
    }

    fn wrong(&self, wanted: &str) -> Box<rhai::EvalAltResult> {
        raise("type_error", format!("{} is {}, not {wanted}", self.path, self.value.kind()))
    }

    fn text(&self, name: &str) -> Api<String> {
        let field = self.field(name)?;
        field.value.as_str().map(str::to_owned).ok_or_else(|| field.wrong("a string"))
    }

    fn money(&self, name: &str) -> Api<crate::domain::Money> {
        let field = self.field(name)?;
        let text = match &*field.value {
            Value::String(text) => text.clone(),
            Value::Object(_) => {
                let amount = field.field("amount")?;
                let amount = match &*amount.value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.as_str().to_owned(),
                    _ => return Err(amount.wrong("an amount")),
                };
                format!("{amount} {}", field.text("currency")?)
            }
            _ => return Err(field.wrong("money such as \"10.08 EUR\"")),
        };
        text.parse().map_err(|refusal: crate::domain::Refusal| {
            raise(&refusal.code, format!("{}: {}", field.path, refusal.message))
        })
    }

    fn instant(&self, name: &str) -> Api<crate::domain::Instant> {
        let field = self.field(name)?;
        let text = field.value.as_str().ok_or_else(|| field.wrong("an instant such as \"2027-01-31T00:00:00Z\""))?;
        calendar::instant(text).map_err(|refusal| raise(&refusal.code, format!("{}: {}", field.path, refusal.message)))
    }

    fn whole(&self, name: &str) -> Api<i64> {
        let field = self.field(name)?;
        field.value.as_i64().ok_or_else(|| field.wrong("a whole number that fits"))
    }

    fn number(&self, name: &str) -> Api<rust_decimal::Decimal> {
        let field = self.field(name)?;
        field.value.as_decimal().ok_or_else(|| field.wrong("a number of at most 28 digits"))
    }

    fn truth(&self, name: &str) -> Api<bool> {
        let field = self.field(name)?;
        field.value.as_bool().ok_or_else(|| field.wrong("true or false"))
    }

    fn list(&self, name: &str) -> Api<Array> {
        let field = self.field(name)?;
        let items = field.value.as_array().ok_or_else(|| field.wrong("an array"))?;
        Ok((0i64..).zip(items).map(|(place, item)| field.child(item, &format!("[{place}]")).shown()).collect())
    }

    fn keys(&self) -> Api<Array> {
        let members = self.value.members().ok_or_else(|| self.wrong("an object"))?;
        Ok(members.iter().map(|(name, _)| name.clone().into()).collect())
    }

    fn fields(&self) -> Api<Map> {
        let members = self.value.members().ok_or_else(|| self.wrong("an object"))?;
        let shown = |name: &str, value| self.child(value, &format!(".{name}")).shown();
        Ok(members.iter().map(|(name, value)| (name.into(), shown(name, value))).collect())
    }

    fn len(&self) -> Api<i64> {
        let count = match &*self.value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => return Err(self.wrong("an array or an object")),
        };
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

fn plain(number: &Number) -> Option<Dynamic> {
    number.as_i64().map(Dynamic::from).or_else(|| number.as_decimal().map(Dynamic::from_decimal))
}

pub(super) fn compare(left: &Dynamic, right: &Dynamic) -> Option<Comparison> {
    let (left, right) = (left.read_lock::<Json>()?, right.read_lock::<Json>()?);
    Some(Comparison::Equality(left.value == right.value))
}
