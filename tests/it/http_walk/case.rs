//! A case: the state a documented request needs, what is sent, and what is expected.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

/// The file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) case: Vec<Case>,
}

/// One documented request. Texts may have `{{DOCUMENT#/pointer}}` and `{{kept}}` in them; `|product`, `|sku`,
/// `|availability` and `|tenant` take a part of what is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    /// What the store's clock says.
    #[serde(default = "now")]
    pub(super) now: String,
    /// So much before that.
    pub(super) before: Option<String>,
    #[serde(default)]
    pub(super) state: Vec<Step>,
    /// Method and path.
    pub(super) request: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// A document, or JSON.
    pub(super) body: Option<String>,
    /// What of the sent document is different, by pointer.
    #[serde(default)]
    pub(super) set: BTreeMap<String, Value>,
    pub(super) status: u16,
    /// Of a refusal: our code, and Partner Center's beside it.
    pub(super) code: Option<String>,
    pub(super) theirs: Option<u32>,
    /// The documented answer, or JSON with some of its fields.
    pub(super) answer: Option<String>,
    /// Where its values do not follow from the state: names and types are compared alone.
    #[serde(default)]
    pub(super) free: Vec<String>,
    /// Documents this stands for beside those it names.
    #[serde(default)]
    pub(super) also: Vec<String>,
}

fn now() -> String {
    "2027-03-10T12:00:00Z".to_owned()
}

/// One step to the state a request needs. Exactly one of `import`, `rows`, `sell`, `send` and `advance` is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// A document that is imported, with `set` and `tenant`.
    pub(super) import: Option<String>,
    /// JSON that is imported.
    pub(super) rows: Option<String>,
    /// Something that can be bought: its id, with `kind`, `terms`, `price` and `more`.
    pub(super) sell: Option<String>,
    /// A call that is made before, with `body`; its answer is kept under the name `keep`.
    pub(super) send: Option<String>,
    /// The clock goes on to this instant.
    pub(super) advance: Option<String>,
    pub(super) tenant: Option<String>,
    #[serde(default)]
    pub(super) set: BTreeMap<String, Value>,
    pub(super) kind: Option<String>,
    /// `P1Y monthly, P1Y annual`; a perpetual licence has `- one_time`.
    pub(super) terms: Option<String>,
    pub(super) price: Option<String>,
    pub(super) more: Option<String>,
    pub(super) body: Option<String>,
    pub(super) keep: Option<String>,
}

impl Case {
    /// The documents it uses.
    pub(super) fn documents(&self) -> BTreeSet<String> {
        let mut whole: Vec<&String> = self.body.iter().chain(&self.answer).chain(&self.also).collect();
        let mut texts: Vec<&String> = vec![&self.now, &self.request];
        for step in &self.state {
            whole.extend([&step.import, &step.rows, &step.body, &step.more].into_iter().flatten());
            texts.extend([&step.sell, &step.send, &step.tenant].into_iter().flatten());
            texts.extend(step.set.values().filter_map(|value| match value {
                Value::String(text) => Some(text),
                _ => None,
            }));
        }
        let mut found: BTreeSet<String> =
            whole.iter().filter(|text| is_document(text)).map(|text| (*text).clone()).collect();
        for text in texts.into_iter().chain(whole) {
            let mut rest = text.as_str();
            while let Some((_, behind)) = rest.split_once("{{") {
                let Some((inner, after)) = behind.split_once("}}") else { break };
                found.extend(inner.split_once('#').map(|(name, _)| name.to_owned()).filter(|name| name.contains('.')));
                rest = after;
            }
        }
        found
    }
}

/// Whether a text is the name of a document and not JSON.
pub(super) fn is_document(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}
