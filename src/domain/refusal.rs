//! The business saying no.

use serde::{Deserialize, Serialize};

use super::Span;

/// A refusal: the business says no. The code is stable and equal to the last part of the problem `type`; the message
/// is safe to show to whoever asked. A machine that fails is never a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Stable, snake_case.
    pub code: String,
    /// A sentence for people: what, where and how to mend it.
    pub message: String,
    /// The id of the rule that says so, where one does (`W7s`, `ISVm`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Partner Center's own error code, where one fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_center_code: Option<u32>,
    /// After how long asking again makes sense, where it is refused for now only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
}

impl Refusal {
    /// A refusal with its stable code and its sentence.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            rule: None,
            partner_center_code: None,
            retry_after: None,
        }
    }

    /// Names the rule that refuses.
    #[must_use]
    pub fn by_rule(mut self, rule: &str) -> Self {
        self.rule = Some(rule.to_owned());
        self
    }

    /// Adds the code that Partner Center gives for the same refusal.
    #[must_use]
    pub fn partner_center(mut self, code: u32) -> Self {
        self.partner_center_code = Some(code);
        self
    }

    /// Says that it is refused for now, and after how long asking again makes sense.
    #[must_use]
    pub fn again_after(mut self, retry_after: Span) -> Self {
        self.retry_after = Some(retry_after);
        self
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Refusal {}
