//! A JSON body read strictly: every member is named, has its type, and is known; what is wrong is told with its place.

use axum::body::Bytes;

use super::problem::Problem;
use crate::domain::{Instant, Money, Refusal, Span, calendar};
use crate::json::{self, Value};
use crate::suggest;

/// The members of a body that is an object.
#[derive(Debug)]
pub(super) struct Object {
    members: Vec<(String, Value)>,
}

impl Object {
    /// Reads a body that has to be an object of these members.
    pub(super) fn read(bytes: &Bytes, known: &[&str]) -> Result<Object, Problem> {
        let Value::Object(members) = json::parse(bytes)? else {
            return Err(wrong("", "schema", "the body is an object"));
        };
        if let Some((name, _)) = members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(unknown_field(name, known));
        }
        Ok(Object { members })
    }

    /// The same, of a body that may be empty.
    pub(super) fn read_optional(bytes: &Bytes, known: &[&str]) -> Result<Object, Problem> {
        if bytes.is_empty() { Ok(Object { members: Vec::new() }) } else { Object::read(bytes, known) }
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        let text = |value: &'_ Value| value.as_str().is_some();
        self.typed(name, "a text", text).map(|value| value.and_then(Value::as_str))
    }

    pub(super) fn needed_text(&self, name: &str) -> Result<&str, Problem> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A whole number, written as one.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(value) = self.value(name) else { return Ok(None) };
        integer(value, name).map(Some)
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        let flag = |value: &'_ Value| value.as_bool().is_some();
        self.typed(name, "true or false", flag).map(|value| value.and_then(Value::as_bool))
    }

    pub(super) fn instant(&self, name: &str) -> Result<Option<Instant>, Problem> {
        self.text(name)?.map(|text| calendar::instant(text).map_err(|refusal| refused(name, &refusal))).transpose()
    }

    /// A day, `2027-03-01`, or an instant of it.
    pub(super) fn day(&self, name: &str) -> Result<Option<chrono::NaiveDate>, Problem> {
        self.text(name)?.map(|text| calendar::day(text).map_err(|refusal| refused(name, &refusal))).transpose()
    }

    pub(super) fn span(&self, name: &str) -> Result<Option<Span>, Problem> {
        self.text(name)?.map(|text| text.parse().map_err(|refusal| refused(name, &refusal))).transpose()
    }

    pub(super) fn money(&self, name: &str) -> Result<Option<Money>, Problem> {
        self.text(name)?.map(|text| text.parse().map_err(|refusal| refused(name, &refusal))).transpose()
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, Problem> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let list = value.as_array().ok_or_else(|| mismatch(name, "a list of texts", value))?;
        let text = |(place, item): (usize, &'_ Value)| match item {
            Value::String(_) => Ok(()),
            other => Err(mismatch(&format!("{name}/{place}"), "a text", other)),
        };
        list.iter().enumerate().try_for_each(text)?;
        Ok(Some(list.iter().filter_map(Value::as_str).collect()))
    }

    fn typed(&self, name: &str, wanted: &str, fits: impl Fn(&Value) -> bool) -> Result<Option<&Value>, Problem> {
        match self.value(name) {
            None => Ok(None),
            Some(value) if fits(value) => Ok(Some(value)),
            Some(value) => Err(mismatch(name, wanted, value)),
        }
    }
}

/// Reads a body in Partner Center's JSON, where the case of a name tells nothing: two names of one object that differ in
/// nothing else are the same key twice. Labels are names of somebody's own, and their case counts.
pub(super) fn parse_any_case(bytes: &[u8]) -> Result<Value, Problem> {
    let value = json::parse(bytes)?;
    match twice(&value) {
        None => Ok(value),
        Some(name) => {
            let shown: String = name.chars().take(40).collect();
            Err(Problem::new(400, "duplicate_key", format!("the key {shown:?} appears twice, in different case")))
        }
    }
}

/// A key that its object has twice, in whatever case, at any depth.
fn twice(value: &Value) -> Option<&str> {
    if let Some(items) = value.as_array() {
        return items.iter().find_map(twice);
    }
    let members = value.members()?;
    let mut names: Vec<(String, &str)> =
        members.iter().map(|(name, _)| (name.to_ascii_lowercase(), name.as_str())).collect();
    names.sort();
    let again = names.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1);
    let below = members.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("labels"));
    again.or_else(|| below.into_iter().find_map(|(_, value)| twice(value)))
}

/// A whole number, written as one, where it stands under a name.
pub(super) fn integer(value: &Value, name: &str) -> Result<i64, Problem> {
    let Some(number) = value.as_number() else { return Err(mismatch(name, "a whole number", value)) };
    if let Some(found) = number.as_i64() {
        return Ok(found);
    }
    let digits = number.as_str().strip_prefix('-').unwrap_or(number.as_str());
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && digits != "0" {
        return Err(wrong(name, "out_of_range", "a whole number of 64 bits is read"));
    }
    Err(wrong(name, "schema", "a whole number is written without point, exponent or quotes"))
}

/// A member that has to be there and is not.
pub(super) fn missing(name: &str) -> Problem {
    wrong(name, "missing_field", &format!("{name} is missing"))
}

/// A member that is refused with its code.
pub(super) fn refused(name: &str, refusal: &Refusal) -> Problem {
    wrong(name, &refusal.code, &refusal.message)
}

pub(super) fn mismatch(name: &str, wanted: &str, value: &Value) -> Problem {
    wrong(name, "schema", &format!("{} is {wanted}, not {}", name.rsplit('/').next().unwrap_or(name), value.kind()))
}

pub(super) fn unknown_field(name: &str, known: &[&str]) -> Problem {
    let shown: String = name.chars().take(64).collect();
    let hint = suggest::nearest(name, known.iter().copied())
        .map_or_else(|| format!("there are {}", known.join(", ")), |near| format!("did you mean {near}?"));
    wrong(&shown, "unknown_field", &format!("there is no field {shown:?} here; {hint}"))
}

/// A problem about one member: 422, with a JSON pointer.
pub(super) fn wrong(name: &str, code: &str, message: &str) -> Problem {
    let escaped = |part: &str| part.replace('~', "~0");
    let pointer = if name.is_empty() { String::new() } else { format!("/{}", escaped(name)) };
    let errors = serde_json::json!([{ "pointer": pointer, "message": message }]);
    Problem::new(422, code.to_owned(), message).with("errors", errors)
}
