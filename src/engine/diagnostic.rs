//! One finding about a file: where, what, what was expected, and what was probably meant.

use serde::Serialize;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The library is not loaded.
    Error,
    /// It works, and is probably not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Stable, snake_case.
    pub code: String,
    /// The file's path inside the library.
    pub file: String,
    /// Line, from one; zero when the whole file is meant.
    pub line: usize,
    /// Column in characters, from one.
    pub column: usize,
    /// Characters it covers.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right, where one thing would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &str, file: &str, place: (usize, usize, usize), message: impl Into<String>) -> Self {
        let (line, column, length) = place;
        Self {
            severity: Severity::Error,
            code: code.to_owned(),
            file: file.to_owned(),
            line,
            column,
            length,
            message: message.into(),
            expected: None,
            suggestion: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: &str, file: &str, place: (usize, usize, usize), message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, file, place, message) }
    }

    /// A note at a place.
    pub fn note(code: &str, file: &str, place: (usize, usize, usize), message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, file, place, message) }
    }

    /// Says what would be right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what was probably meant.
    #[must_use]
    pub fn suggesting(mut self, near: Option<&str>) -> Self {
        self.suggestion = near.map(str::to_owned);
        self
    }

    /// Whether it keeps the library from being loaded.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// As a person reads it: the place, the line of the source and a caret under it.
    pub fn render(&self, source: &str) -> String {
        let mut out = self.to_string();
        let line = self.line.checked_sub(1).and_then(|index| source.lines().nth(index));
        let Some(line) = line else { return out };
        let number = self.line.to_string();
        let shown: String =
            line.chars().take(200).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let before = self.column.saturating_sub(1).min(shown.chars().count());
        let left = shown.chars().count().saturating_sub(before).max(1);
        let carets = "^".repeat(self.length.clamp(1, left));
        let margin = " ".repeat(number.len());
        out.push_str(&format!("\n {number} | {shown}\n {margin} | {}{carets}", " ".repeat(before)));
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {word}[{}]: {}", self.code, self.message)?;
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        if let Some(near) = &self.suggestion {
            write!(f, "; did you mean {near}?")?;
        }
        Ok(())
    }
}
