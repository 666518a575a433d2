//! What a change made of the fields of a subscription, kept small: a number for the field, what it was, what it is.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{Instant, Subscription, calendar};

/// The fields that are told, each at the place of its stored number: append only.
const FIELDS: [(&str, Kind); 15] = [
    ("status", Kind::Text),
    ("quantity", Kind::Number),
    ("autoRenewEnabled", Kind::YesNo),
    ("effectiveStartDate", Kind::Date),
    ("commitmentEndDate", Kind::Date),
    ("billingCycleEndDate", Kind::Date),
    ("cancellationAllowedUntilDate", Kind::Date),
    ("friendlyName", Kind::Text),
    ("termDuration", Kind::Text),
    ("billingCycle", Kind::Text),
    ("offerId", Kind::Text),
    ("unitPrice", Kind::Text),
    ("suspensionReason", Kind::Text),
    ("attention", Kind::Text),
    ("cancelAtTermEnd", Kind::YesNo),
];

/// How the value of a field is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    YesNo,
    Date,
}

/// A value as it is kept: an instant is its seconds since 1970, or text where it has a fraction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Nothing,
    Number(i64),
    Text(String),
}

/// One field that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    field: u8,
    old: Value,
    new: Value,
}

impl FieldChange {
    /// The field's name, as Partner Center writes it; `unknown` for one that a newer program told of.
    pub fn name(&self) -> &'static str {
        FIELDS.get(usize::from(self.field)).map_or("unknown", |(name, _)| name)
    }

    /// What it was, as JSON; an instant as `date` tells it.
    pub fn old(&self, date: impl Fn(Instant) -> Instant) -> serde_json::Value {
        self.shown(&self.old, date)
    }

    /// What it is, as JSON; an instant as `date` tells it.
    pub fn new_value(&self, date: impl Fn(Instant) -> Instant) -> serde_json::Value {
        self.shown(&self.new, date)
    }

    fn shown(&self, value: &Value, date: impl Fn(Instant) -> Instant) -> serde_json::Value {
        let kind = FIELDS.get(usize::from(self.field)).map(|(_, kind)| *kind);
        let told = |at: Instant| serde_json::Value::from(calendar::show(date(at)));
        match (value, kind) {
            (Value::Text(text), Some(Kind::Date)) => {
                calendar::instant(text).map_or_else(|_| text.as_str().into(), told)
            }
            (Value::Nothing, _) => serde_json::Value::Null,
            (Value::Text(text), _) => text.as_str().into(),
            (Value::Number(number), Some(Kind::YesNo)) => (*number != 0).into(),
            (Value::Number(number), Some(Kind::Date)) => told(calendar::from_micros(number.saturating_mul(1_000_000))),
            (Value::Number(number), _) => (*number).into(),
        }
    }
}

impl Serialize for FieldChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return (self.field, &self.old, &self.new).serialize(serializer);
        }
        serde_json::json!({ "field": self.name(), "old": self.old(|at| at), "new": self.new_value(|at| at) })
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FieldChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (field, old, new) = Deserialize::deserialize(deserializer)?;
        Ok(Self { field, old, new })
    }
}

fn text(text: &str) -> Value {
    if text.is_empty() { Value::Nothing } else { Value::Text(text.to_owned()) }
}

fn shown(value: Option<&impl ToString>) -> Value {
    value.map_or(Value::Nothing, |value| Value::Text(value.to_string()))
}

fn instant(at: Option<Instant>) -> Value {
    match at {
        None => Value::Nothing,
        Some(at) if at.timestamp_subsec_micros() == 0 => Value::Number(at.timestamp()),
        Some(at) => Value::Text(calendar::show(at)),
    }
}

/// The value of one field, by its place.
fn value(subscription: &Subscription, field: usize) -> Value {
    let (standing, profile) = (&subscription.standing, &subscription.profile);
    match field {
        0 => text(standing.status.as_str()),
        1 => Value::Number(standing.quantity),
        2 => Value::Number(i64::from(standing.auto_renew_enabled)),
        3 => instant(Some(standing.term_start)),
        4 => instant(standing.term_end),
        5 => instant(standing.cycle_end),
        6 => instant(standing.window_end),
        7 => text(&profile.friendly_name),
        8 => shown(profile.term_duration.as_ref()),
        9 => text(&profile.billing_cycle),
        10 => text(&profile.offer_id),
        11 => shown(profile.unit_price.as_ref()),
        12 => profile.suspension_reason.map_or(Value::Nothing, |reason| text(reason.as_str())),
        13 => standing.attention.map_or(Value::Nothing, |attention| text(attention.as_str())),
        14 => {
            if standing.cancel_at_term_end {
                Value::Number(1)
            } else {
                Value::Nothing
            }
        }
        _ => Value::Nothing,
    }
}

/// What is different between a subscription before and after; of a new one, everything it has.
pub fn changes(before: Option<&Subscription>, after: &Subscription) -> Vec<FieldChange> {
    let moves = |field: usize| match before {
        None => true,
        Some(before) => is_other(before, after, field),
    };
    let changed = |field: usize| {
        let old = before.map_or(Value::Nothing, |before| value(before, field));
        let new = value(after, field);
        // The places are few: a byte holds them.
        (old != new).then_some(FieldChange { field: field as u8, old, new })
    };
    (0..FIELDS.len()).filter(|field| moves(*field)).filter_map(changed).collect()
}

/// Whether a field differs, without making anything of it: most do not.
fn is_other(before: &Subscription, after: &Subscription, field: usize) -> bool {
    let (was, is) = (&before.standing, &after.standing);
    let (had, has) = (&before.profile, &after.profile);
    match field {
        0 => was.status != is.status,
        1 => was.quantity != is.quantity,
        2 => was.auto_renew_enabled != is.auto_renew_enabled,
        3 => was.term_start != is.term_start,
        4 => was.term_end != is.term_end,
        5 => was.cycle_end != is.cycle_end,
        6 => was.window_end != is.window_end,
        13 => was.attention != is.attention,
        14 => was.cancel_at_term_end != is.cancel_at_term_end,
        _ if std::sync::Arc::ptr_eq(had, has) => false,
        7 => had.friendly_name != has.friendly_name,
        8 => had.term_duration != has.term_duration,
        9 => had.billing_cycle != has.billing_cycle,
        10 => had.offer_id != has.offer_id,
        11 => had.unit_price != has.unit_price,
        12 => had.suspension_reason != has.suspension_reason,
        _ => false,
    }
}
