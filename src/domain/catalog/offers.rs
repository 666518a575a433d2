//! Which offers a customer's list holds: the filters of the catalogue (F-cat), what is left out and why.

use std::str::FromStr;

use crate::domain::Refusal;
use crate::domain::product::{Product, Segment};

/// Who publishes: Microsoft, or others in the marketplace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publisher {
    /// Microsoft.
    Microsoft,
    /// Somebody else, through the commercial marketplace.
    Partner,
}

/// What a list of offers is narrowed to; none: no matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// By publisher.
    pub publisher: Option<Publisher>,
    /// By billing: `license` or `usage`.
    pub billing: Option<String>,
    /// By category: `enterprise`, `small_business`, `trial`, `nonprofit`.
    pub category: Option<String>,
    /// By segment.
    pub segment: Option<Segment>,
    /// Only those that are limited per customer (O-list).
    pub limited: bool,
    /// By words of the name.
    pub text: Option<String>,
}

impl FromStr for Publisher {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "microsoft" => Ok(Publisher::Microsoft),
            "partner" => Ok(Publisher::Partner),
            _ => Err(unknown("publisher", text, "microsoft, partner")),
        }
    }
}

fn unknown(what: &str, text: &str, known: &str) -> Refusal {
    let shown: String = text.chars().take(64).collect();
    Refusal::new("unknown_value", format!("'{shown}' is no {what}; there are {known}"))
}

impl Filter {
    /// Sets one filter by its name and word.
    ///
    /// # Errors
    /// `unknown_field`, `unknown_value`, naming what there is.
    pub fn set(&mut self, name: &str, word: &str) -> Result<(), Refusal> {
        let one_of = |known: &[&str]| {
            if known.contains(&word) { Ok(Some(word.to_owned())) } else { Err(unknown(name, word, &known.join(", "))) }
        };
        match name {
            "publisher" => self.publisher = Some(word.parse()?),
            "billing" => self.billing = one_of(&["license", "usage"])?,
            "category" => self.category = one_of(&["enterprise", "small_business", "trial", "nonprofit"])?,
            "segment" => self.segment = Some(word.parse()?),
            "limited" => self.limited = one_of(&["true", "false"])?.as_deref() == Some("true"),
            "text" => self.text = Some(word.to_lowercase()),
            _ => {
                let shown: String = name.chars().take(64).collect();
                let known = "publisher, billing, category, segment, limited, text";
                return Err(Refusal::new(
                    "unknown_field",
                    format!("offers have no filter '{shown}'; there are {known}"),
                ));
            }
        }
        Ok(())
    }

    /// Whether an item is in the list.
    pub fn holds(&self, item: &Product) -> bool {
        let own = publisher(item);
        let is_trial = |category: &str| category == "trial" && item.is_trial;
        item.is_item()
            && self.publisher.is_none_or(|wanted| wanted == own)
            && self.billing.as_ref().is_none_or(|wanted| *wanted == item.billing)
            && self.category.as_ref().is_none_or(|wanted| *wanted == item.category || is_trial(wanted))
            && self.segment.is_none_or(|wanted| item.segments.is_empty() || item.segments.contains(&wanted))
            && (!self.limited || item.limit.is_some())
            && self.text.as_ref().is_none_or(|words| item.name.to_lowercase().contains(words.as_str()))
    }
}

/// Whether the name of a publisher is Microsoft's.
pub fn is_microsofts(publisher: &str) -> bool {
    publisher.trim().to_ascii_lowercase().starts_with("microsoft")
}

/// Who publishes an item: Microsoft unless it is said that somebody else does.
pub fn publisher(item: &Product) -> Publisher {
    let foreign = !item.publisher_name.trim().is_empty() && !is_microsofts(&item.publisher_name);
    match item.is_microsoft_product {
        Some(true) => Publisher::Microsoft,
        Some(false) => Publisher::Partner,
        None if foreign => Publisher::Partner,
        None => Publisher::Microsoft,
    }
}
