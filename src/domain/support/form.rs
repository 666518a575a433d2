//! What each form needs, what a description says in lines of its own, and one refusal that names everything missing.

use super::{ATTACHMENTS_MAX, DEPLOYMENT, DESCRIPTION_MAX, Form, REFUND, TEXT_MAX, TITLE_MAX};
use crate::domain::{Money, OrderId, Refusal, Tenant};

/// The lines of a refund's description and the words that begin them.
const TENANT: &[&str] = &[
    "customer tenant guid",
    "customer tenant id",
    "tenant guid",
    "tenant id",
    "domain name",
    "customer domain",
    "domain",
];
const ORDER: &[&str] = &["order id", "order number", "order"];
const SUBSCRIPTION: &[&str] = &["subscription id", "subscription"];
const REASON: &[&str] = &["refund reason", "reason for the refund"];
const AMOUNT: &[&str] = &["amount requested", "requested amount", "amount"];

impl Form {
    /// Takes from the description what the fields do not say.
    pub fn read_description(&mut self) {
        let line = |labels: &[&str]| labelled(&self.description, labels).map(str::to_owned);
        if self.order_id.is_none() {
            self.order_id = line(ORDER).map(OrderId);
        }
        if self.subscription.is_none() {
            self.subscription = line(SUBSCRIPTION).and_then(|text| text.parse().ok());
        }
        if self.refund_reason.trim().is_empty() {
            self.refund_reason = line(REASON).unwrap_or_default();
        }
        if self.amount.is_none() {
            self.amount = line(AMOUNT).and_then(|text| amount(&text));
        }
    }

    /// Adds to a refund's description what the fields say and it does not (SR: the description holds them all).
    pub fn complete_description(&mut self, tenant: Option<&Tenant>) {
        if self.problem != REFUND {
            return;
        }
        let mut lines = Vec::new();
        if let Some(tenant) = tenant.filter(|tenant| !names(&self.description, tenant)) {
            lines.push(format!("Customer tenant GUID: {}", tenant.id));
        }
        let says = |text: &str| self.description.to_lowercase().contains(&text.to_lowercase());
        if let Some(order) = self.order_id.as_ref().filter(|order| !says(&order.0)) {
            lines.push(format!("Order ID: {order}"));
        }
        if let Some(subscription) = self.subscription.filter(|id| !says(&id.to_string())) {
            lines.push(format!("Subscription ID: {subscription}"));
        }
        if !self.refund_reason.trim().is_empty() && labelled(&self.description, REASON).is_none() {
            lines.push(format!("Refund reason: {}", self.refund_reason.trim()));
        }
        if let Some(amount) = self.amount.filter(|_| labelled(&self.description, AMOUNT).is_none()) {
            lines.push(format!("Amount requested: {amount}"));
        }
        for line in lines {
            if !self.description.is_empty() && !self.description.ends_with('\n') {
                self.description.push('\n');
            }
            self.description.push_str(&line);
        }
    }

    /// Words of the description that may name a customer: what its lines say first, then every word.
    pub fn tenant_words(&self) -> Vec<String> {
        let line = labelled(&self.description, TENANT).map(str::to_owned);
        let trim = |word: &str| word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric()).to_owned();
        let words = self.description.split(|letter: char| letter.is_whitespace() || ",;()<>\"'".contains(letter));
        let likely = words.map(trim).filter(|word| word.len() > 3 && word.contains(['.', '-']));
        line.into_iter().chain(likely).take(50).collect()
    }

    /// What is missing, by the names of the form's fields; nothing when it can be sent.
    pub fn missing(&self, has_tenant: bool) -> Vec<String> {
        let mut missing = Vec::new();
        let mut need = |there: bool, name: &str| {
            if !there {
                missing.push(name.to_owned());
            }
        };
        let filled = |text: &str| !text.trim().is_empty();
        need(filled(&self.problem), "Type of problem");
        let is_refund = self.problem == REFUND;
        let is_ours = is_refund || self.problem == DEPLOYMENT;
        need(!is_ours || filled(&self.impact), "Impact");
        need(filled(&self.title), "Title");
        need(is_refund || filled(&self.description), "Description");
        need(!is_ours || has_tenant, "Description: customer tenant GUID or domain name");
        if is_refund {
            need(self.order_id.is_some() || self.subscription.is_some(), "Description: Order ID or Subscription ID");
            need(filled(&self.refund_reason), "Description: Refund reason");
            need(
                self.amount.is_some_and(|money| money.amount > rust_decimal::Decimal::ZERO),
                "Description: Amount requested",
            );
        }
        if is_ours {
            need(filled(&self.contact.name), "Contact: name");
            need(is_mail(&self.contact.email), "Contact: email");
            need(self.contact.phone.chars().any(|letter| letter.is_ascii_digit()), "Contact: phone");
        }
        missing
    }

    /// Refuses what cannot be in any form: a type of problem that is nearly that of a refund, texts that are too long,
    /// attachments that are no links.
    ///
    /// # Errors
    /// `unknown_problem`, `too_large`, `bad_attachment`.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.problem != REFUND && self.problem.to_lowercase().contains("refund") {
            let message = format!("the type of problem of a refund is exactly {REFUND:?}");
            return Err(Refusal::new("unknown_problem", message).by_rule("SR"));
        }
        let texts = [
            ("type of problem", &self.problem, TITLE_MAX),
            ("title", &self.title, TITLE_MAX),
            ("impact", &self.impact, TEXT_MAX),
            ("description", &self.description, DESCRIPTION_MAX),
            ("refund reason", &self.refund_reason, TEXT_MAX),
            ("contact's name", &self.contact.name, TITLE_MAX),
            ("contact's email", &self.contact.email, TITLE_MAX),
            ("contact's phone", &self.contact.phone, TITLE_MAX),
        ];
        if let Some((name, _, most)) = texts.iter().find(|(_, text, most)| text.chars().count() > *most) {
            return Err(Refusal::new("too_large", format!("the {name} holds at most {most} characters")));
        }
        if self.attachments.len() > ATTACHMENTS_MAX {
            return Err(Refusal::new("too_large", format!("a form refers to at most {ATTACHMENTS_MAX} attachments")));
        }
        let is_link = |link: &&String| {
            let plain =
                link.len() <= 2_000 && !link.chars().any(|letter| letter.is_whitespace() || letter.is_control());
            plain && (link.starts_with("https://") || link.starts_with("http://") || link.starts_with('/'))
        };
        if let Some(bad) = self.attachments.iter().find(|link| !is_link(link)) {
            let shown: String = bad.chars().take(64).collect();
            return Err(Refusal::new("bad_attachment", format!("{shown:?} is no link to a file (https://...)")));
        }
        Ok(())
    }
}

/// One refusal that names every field that is missing.
pub fn incomplete(missing: &[String]) -> Refusal {
    Refusal::new("missing_field", format!("the form lacks {}", missing.join("; "))).by_rule("SR")
}

/// Whether a text names a customer: by its tenant GUID or by its domain.
fn names(text: &str, tenant: &Tenant) -> bool {
    let text = text.to_lowercase();
    text.contains(&tenant.id.to_string()) || (!tenant.domain.is_empty() && text.contains(&tenant.domain.to_lowercase()))
}

/// What stands behind one of these words at the beginning of a line.
fn labelled<'a>(text: &'a str, labels: &[&str]) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let line = line.trim().trim_start_matches(['-', '*', ' ']);
        labels.iter().find_map(|label| {
            let head = line.get(..label.len()).filter(|head| head.eq_ignore_ascii_case(label))?;
            let rest = line.get(head.len()..)?.trim_start();
            let rest = rest.strip_prefix([':', '='])?.trim();
            (!rest.is_empty()).then_some(rest)
        })
    })
}

/// An amount as people write it: `120.00 EUR` or `EUR 120.00`.
fn amount(text: &str) -> Option<Money> {
    let text = text.trim().trim_end_matches('.');
    let swapped = || {
        let (currency, number) = text.split_once(char::is_whitespace)?;
        format!("{} {currency}", number.trim()).parse().ok()
    };
    text.parse().ok().or_else(swapped)
}

fn is_mail(text: &str) -> bool {
    let parts = text.trim().split_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !text.trim().contains(' '))
}
