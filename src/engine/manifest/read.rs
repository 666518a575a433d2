//! Reads the TOML of a manifest key by key, so that every mistake has its own place.

use std::ops::Range;
use toml::de::{DeTable, DeValue};

use super::{
    CatchUp, FileKind, Head, Manifest, Mode, Moment, Published, Rules, Selector, Source, Trigger, Value, nearest_grant,
    nearest_of,
};
use crate::domain::{Grant, Instant, Kind, Span, calendar};
use crate::engine::diagnostic::Diagnostic;

const KEYS: [&str; 8] = ["decides", "where", "on", "grants", "params", "enabled", "mode", "at"];
const CRON_KEYS: [&str; 6] = ["cron", "zone", "each", "catch_up", "window", "call"];
const BEFORE_KEYS: [&str; 4] = ["before", "by", "each", "call"];
const HOOK_KEYS: [&str; 3] = ["hook", "types", "call"];
const APPLIED_KEYS: [&str; 2] = ["applied", "call"];
const PUBLISHED_KEYS: [&str; 2] = ["published", "call"];
/// What sets a file off.
const SOURCES: [&str; 5] = ["cron", "before", "hook", "applied", "published"];
/// Triggers of one file.
const TRIGGERS_MAX: usize = 32;

pub(super) struct Reader<'a> {
    path: &'a str,
    kind: FileKind,
    rules: &'a Rules,
    head: &'a Head,
    pub(super) findings: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a str, kind: FileKind, rules: &'a Rules, head: &'a Head) -> Self {
        Self { path, kind, rules, head, findings: Vec::new() }
    }

    pub(super) fn error(&mut self, code: &str, range: Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        let finding = Diagnostic::error(code, self.path, self.head.place(&range), message);
        self.findings.push(finding);
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    fn wrong(&mut self, value: &Value<'_>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.error("manifest_type", value.span(), format!("this is of type {found}")).expected =
            Some(wanted.to_owned());
    }

    pub(super) fn manifest(&mut self, table: &DeTable<'_>, manifest: &mut Manifest) {
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            manifest.places.insert(name.to_owned(), self.head.place(&key.span()));
            match name {
                "decides" => manifest.decides = self.kinds(value),
                "where" => manifest.conditions = self.selector(value),
                "on" => manifest.on = self.triggers(value),
                "grants" => manifest.grants = self.grants(value),
                "params" => manifest.params = self.params(value),
                "enabled" => manifest.enabled = self.truth(value).unwrap_or(true),
                "mode" => manifest.mode = self.mode(value),
                "at" => manifest.at = self.instant(value),
                _ => {
                    let near = nearest_of(name, &KEYS).map(str::to_owned);
                    self.error("unknown_key", key.span(), format!("a manifest has no key {name}")).suggestion = near;
                }
            }
        }
        self.fits_the_kind(table, manifest);
    }

    fn fits_the_kind(&mut self, table: &DeTable<'_>, manifest: &Manifest) {
        let span_of = |name: &str| table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, _)| key.span());
        let allowed: &[&str] = match self.kind {
            FileKind::Policy => &KEYS[..7],
            FileKind::Script => &["on", "grants", "params", "enabled"],
            FileKind::Test => &["at"],
            FileKind::Lib => &[],
        };
        for name in KEYS {
            let Some(span) = span_of(name).filter(|_| !allowed.contains(&name)) else { continue };
            let what = match self.kind {
                FileKind::Policy => "a policy",
                FileKind::Script => "a script",
                FileKind::Lib => "a lib file",
                FileKind::Test => "a test file",
            };
            self.error("misplaced_key", span, format!("{name} means nothing in {what}"));
        }
        if self.kind == FileKind::Policy && manifest.decides.is_empty() && span_of("decides").is_none() {
            self.error("decides_missing", 0..0, "a policy says which kinds of request it decides").expected =
                Some("decides = \"renewal\"".to_owned());
        }
    }

    fn text(&mut self, value: &Value<'_>, wanted: &str) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.as_ref().to_owned()),
            _ => {
                self.wrong(value, wanted);
                None
            }
        }
    }

    fn truth(&mut self, value: &Value<'_>) -> Option<bool> {
        if let DeValue::Boolean(value) = value.get_ref() {
            return Some(*value);
        }
        self.wrong(value, "true or false");
        None
    }

    /// One value or a list of them.
    fn each<T>(&mut self, value: &Value<'_>, read: impl Fn(&mut Self, &Value<'_>) -> Option<T>) -> Vec<T> {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| read(self, item)).collect(),
            _ => read(self, value).into_iter().collect(),
        }
    }

    fn kind(&mut self, value: &Value<'_>) -> Option<Kind> {
        let word = self.text(value, "a kind of request, such as \"renewal\"")?;
        if let Ok(kind) = word.parse() {
            return Some(kind);
        }
        let known = Kind::ALL.map(Kind::as_str);
        let near = nearest_of(&word, &known).map(str::to_owned);
        let finding = self.error("unknown_kind", value.span(), format!("{word} is no kind of request"));
        finding.expected = Some(format!("one of {}", known.join(", ")));
        finding.suggestion = near;
        None
    }

    fn kinds(&mut self, value: &Value<'_>) -> Vec<Kind> {
        let mut kinds = self.each(value, Self::kind);
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn grants(&mut self, value: &Value<'_>) -> Vec<Grant> {
        self.each(value, |reader, item| {
            let word = reader.text(item, "a grant, such as \"propose.renewal\"")?;
            if let Ok(grant) = word.parse() {
                if matches!(grant, Grant::KeysRead | Grant::KeysOwn) {
                    let message = format!("no file reads keys or links: {word} is for people alone");
                    reader.error("grant_of_people", item.span(), message);
                    return None;
                }
                return Some(grant);
            }
            let near = nearest_grant(&word);
            reader.error("unknown_grant", item.span(), format!("{word} is no grant")).suggestion = near;
            None
        })
    }

    fn mode(&mut self, value: &Value<'_>) -> Mode {
        let Some(word) = self.text(value, "\"enforce\" or \"observe\"") else { return Mode::Enforce };
        match word.as_str() {
            "enforce" => Mode::Enforce,
            "observe" => Mode::Observe,
            _ => {
                let near = nearest_of(&word, &["enforce", "observe"]).map(str::to_owned);
                self.error("unknown_mode", value.span(), format!("{word} is no mode")).suggestion = near;
                Mode::Enforce
            }
        }
    }

    fn params(&mut self, value: &Value<'_>) -> toml::Table {
        if !value.get_ref().is_table() {
            self.wrong(value, "a table, such as { large = 300 }");
            return toml::Table::new();
        }
        match self.plain(value) {
            Some(toml::Value::Table(table)) => table,
            _ => toml::Table::new(),
        }
    }

    /// A value scripts can be given; a float is told, because it is not exact.
    fn plain(&mut self, value: &Value<'_>) -> Option<toml::Value> {
        Some(match value.get_ref() {
            DeValue::String(text) => toml::Value::String(text.as_ref().to_owned()),
            DeValue::Boolean(value) => toml::Value::Boolean(*value),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => toml::Value::Integer(number),
                Err(_) => {
                    self.error("number_too_large", value.span(), "this number is too large");
                    return None;
                }
            },
            DeValue::Float(_) => {
                self.error("float_not_allowed", value.span(), "numbers with a point are not exact here").expected =
                    Some("text, such as \"0.75\" or \"10.50 EUR\"".to_owned());
                return None;
            }
            DeValue::Datetime(_) => {
                self.wrong(value, "text, such as \"2027-01-31T00:00:00Z\"");
                return None;
            }
            DeValue::Array(items) => toml::Value::Array(items.iter().filter_map(|item| self.plain(item)).collect()),
            DeValue::Table(table) => {
                let pairs = table.iter().filter_map(|(key, value)| {
                    self.plain(value).map(|value| (key.get_ref().as_ref().to_owned(), value))
                });
                toml::Value::Table(pairs.collect())
            }
        })
    }

    fn selector(&mut self, value: &Value<'_>) -> Option<Selector> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, "a selection, such as { status = \"active\" }");
            return None;
        };
        let told = self.findings.len();
        let mut selector = Selector { fields: Vec::new(), place: self.head.place(&value.span()) };
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                // `label.tier = "gold"` without quotes is a table to TOML.
                DeValue::Table(labels) if name == "label" => {
                    for (label, value) in labels.iter() {
                        self.condition(&mut selector, &format!("label.{}", label.get_ref()), label.span(), value)?;
                    }
                }
                _ => self.condition(&mut selector, name, key.span(), value)?,
            }
        }
        selector.fields.sort_by(|one, other| one.0.cmp(&other.0));
        // Two conditions that are right alone may be one too many together (a field and its alias).
        let fine = self.findings.len() == told;
        if let Some(reason) = (self.rules.validate_selection)(&selector).err().filter(|_| fine) {
            self.error("bad_selection", value.span(), reason);
        }
        Some(selector)
    }

    fn condition(&mut self, selector: &mut Selector, name: &str, at: Range<usize>, value: &Value<'_>) -> Option<()> {
        let values = match self.plain(value)? {
            toml::Value::Array(items) => items,
            toml::Value::Table(_) => {
                self.wrong(value, "a value or a list of values");
                return None;
            }
            single => vec![single],
        };
        // Alone, so that what is wrong with it is told where it stands.
        let alone = Selector { fields: vec![(name.to_owned(), values.clone())], place: selector.place };
        if let Err(reason) = (self.rules.validate_selection)(&alone) {
            self.error("bad_selection", at, reason);
        }
        selector.fields.push((name.to_owned(), values));
        Some(())
    }

    fn triggers(&mut self, value: &Value<'_>) -> Vec<Trigger> {
        let triggers = self.each(value, Self::trigger);
        if triggers.len() > TRIGGERS_MAX {
            self.error("too_many_triggers", value.span(), format!("a file has at most {TRIGGERS_MAX} triggers"));
        }
        triggers
    }

    fn trigger(&mut self, value: &Value<'_>) -> Option<Trigger> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, "a table, such as { cron = \"0 6 * * *\" }");
            return None;
        };
        let has = |name: &str| table.iter().any(|(key, _)| key.get_ref() == name);
        let sources: Vec<&str> = SOURCES.into_iter().filter(|name| has(name)).collect();
        let [source] = sources.as_slice() else {
            let near = table.iter().find_map(|(key, _)| nearest_of(key.get_ref(), &SOURCES));
            let near = near.filter(|_| sources.is_empty()).map(str::to_owned);
            let finding = self.error("trigger_source", value.span(), "a trigger has exactly one source");
            finding.expected = Some("cron, before, hook, applied or published".to_owned());
            finding.suggestion = near;
            return None;
        };
        let known: &[&str] = match *source {
            "cron" => &CRON_KEYS,
            "before" => &BEFORE_KEYS,
            "hook" => &HOOK_KEYS,
            "applied" => &APPLIED_KEYS,
            _ => &PUBLISHED_KEYS,
        };
        for (key, _) in table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let near = nearest_of(name, known).map(str::to_owned);
            self.error("unknown_key", key.span(), format!("a {source} trigger has no key {name}")).suggestion = near;
        }
        let get = |name: &str| table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value);
        let call = match get("call") {
            Some(call) => self.text(call, "the name of a function")?,
            None => "run".to_owned(),
        };
        let built = match *source {
            "cron" => self.cron(get),
            "before" => self.before(get),
            "hook" => self.hook(get),
            "applied" => get("applied").and_then(|kind| self.kind(kind)).map(Source::Applied),
            _ => get("published").and_then(|what| self.published(what)).map(Source::Published),
        };
        Some(Trigger { source: built?, call, place: self.head.place(&value.span()) })
    }

    fn cron<'v, 't: 'v>(&mut self, get: impl Fn(&str) -> Option<&'v Value<'t>>) -> Option<Source> {
        let rule = get("cron")?;
        let cron = self.text(rule, "a cron expression, such as \"0 6 * * *\"")?;
        if let Err(reason) = (self.rules.validate_schedule)(&cron, None) {
            self.error("bad_schedule", rule.span(), reason);
        }
        let zone = get("zone").and_then(|value| self.zone(value));
        let each = get("each").and_then(|each| self.selector(each));
        let catch_up = get("catch_up").and_then(|value| {
            let word = self.text(value, "\"one\", \"all\" or \"skip\"")?;
            match word.as_str() {
                "one" => Some(CatchUp::One),
                "all" => Some(CatchUp::All),
                "skip" => Some(CatchUp::Skip),
                _ => {
                    let near = nearest_of(&word, &["one", "all", "skip"]).map(str::to_owned);
                    let finding = self.error("unknown_catch_up", value.span(), format!("{word} is no way to catch up"));
                    finding.expected = Some("one, all or skip".to_owned());
                    finding.suggestion = near;
                    None
                }
            }
        });
        let window = get("window").and_then(|window| self.span(window));
        Some(Source::Cron { cron, zone, each, catch_up: catch_up.unwrap_or_default(), window })
    }

    fn before<'v, 't: 'v>(&mut self, get: impl Fn(&str) -> Option<&'v Value<'t>>) -> Option<Source> {
        let value = get("before")?;
        let word = self.text(value, "an instant, such as \"term_end\"")?;
        let moment = Moment::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, moment)| moment);
        if moment.is_none() {
            let known = Moment::ALL.map(|(known, _)| known);
            let near = nearest_of(&word, &known).map(str::to_owned);
            let finding = self.error("unknown_moment", value.span(), format!("{word} is no instant of a subject"));
            finding.expected = Some(format!("one of {}", known.join(", ")));
            finding.suggestion = near;
        }
        let by = match get("by") {
            Some(by) => self.each(by, Self::span),
            None => {
                self.error("by_missing", value.span(), "a before trigger says how long before").expected =
                    Some("by = \"P30D\"".to_owned());
                return None;
            }
        };
        let each = get("each").and_then(|each| self.selector(each));
        Some(Source::Before { moment: moment?, by, each })
    }

    fn hook<'v, 't: 'v>(&mut self, get: impl Fn(&str) -> Option<&'v Value<'t>>) -> Option<Source> {
        let hook = get("hook").and_then(|hook| self.text(hook, "the name of a hook"))?;
        let read = |reader: &mut Self, value: &Value<'_>| reader.text(value, "an event type, such as \"invoice.paid\"");
        let types = get("types").map(|types| self.each(types, read)).unwrap_or_default();
        Some(Source::Hook { hook, types })
    }

    fn published(&mut self, value: &Value<'_>) -> Option<Published> {
        let word = self.text(value, "what is published: \"invoice\"")?;
        if let Some((_, what)) = Published::ALL.into_iter().find(|(known, _)| *known == word) {
            return Some(what);
        }
        let known = Published::ALL.map(|(known, _)| known);
        let near = nearest_of(&word, &known).map(str::to_owned);
        let finding = self.error("unknown_publication", value.span(), format!("{word} is nothing that is published"));
        finding.expected = Some(known.join(", "));
        finding.suggestion = near;
        None
    }

    /// A zone, judged with a rule that is right in every zone.
    fn zone(&mut self, value: &Value<'_>) -> Option<String> {
        let zone = self.text(value, "a zone, such as \"Europe/Berlin\"")?;
        if let Err(reason) = (self.rules.validate_schedule)("0 0 1 1 *", Some(&zone)) {
            self.error("bad_schedule", value.span(), reason);
        }
        Some(zone)
    }

    fn instant(&mut self, value: &Value<'_>) -> Option<Instant> {
        let text = self.text(value, "an instant, such as \"2027-01-31T00:00:00Z\"")?;
        match calendar::instant(&text) {
            Ok(at) => Some(at),
            Err(refusal) => {
                self.error("bad_date", value.span(), refusal.message);
                None
            }
        }
    }

    fn span(&mut self, value: &Value<'_>) -> Option<Span> {
        let text = self.text(value, "a duration, such as \"P30D\" or \"PT12H\"")?;
        match text.parse() {
            Ok(span) => Some(span),
            Err(refusal) => {
                self.error("bad_duration", value.span(), refusal.message);
                None
            }
        }
    }
}
