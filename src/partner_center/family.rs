//! Which family a product belongs to, told from what Partner Center says about it.
//!
//! Beside the terms files this is the only place where the word of a family stands.

use super::field::snake;
use crate::domain::Span;
use crate::domain::catalog::offers::is_microsofts;
use crate::domain::ids::Guid;

/// The families that exist.
pub const FAMILIES: [&str; 10] = [
    "software_subscription",
    "software_perpetual",
    "on_premises_software",
    "license_new",
    "license_legacy",
    "saas_license",
    "saas_metered",
    "reservation",
    "linux_plan",
    "unknown",
];

/// The family of what cannot be told: stored and listed, every change refused.
pub const UNKNOWN: &str = "unknown";

/// The family of what is bought most today, for examples and tests that name none.
pub const USUAL: &str = "license_new";

/// What is known of a product or subscription.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clues<'a> {
    /// `productType.id`, or the finer `targetView` or sub-type where there is one.
    pub product_type: &'a str,
    /// Legacy GUID or `product:sku:availability`.
    pub offer_id: &'a str,
    /// `license`, `usage`, ...
    pub billing_type: &'a str,
    /// The publisher's name.
    pub publisher: &'a str,
    /// Whether it is Microsoft's, where that is said.
    pub is_microsoft: Option<bool>,
    /// Length of a term.
    pub term_duration: Option<Span>,
}

/// The family, or none when nothing tells it.
pub fn family(clues: &Clues<'_>) -> Option<&'static str> {
    let kind = snake(clues.product_type).replace('_', "");
    if clues.billing_type == "usage" {
        return Some("saas_metered");
    }
    match kind.as_str() {
        "softwaresuselinux" | "softwareredhatlinux" | "softwarelinux" | "suselinux" | "redhatlinux" => {
            return Some("linux_plan");
        }
        "software" | "softwaresubscriptions" if sells_linux(clues.publisher) => return Some("linux_plan"),
        "softwareperpetual" => return Some("software_perpetual"),
        "softwaresubscriptions" => return Some("software_subscription"),
        "onpremisessoftware" | "softwareonpremises" | "softwareonpremise" => return Some("on_premises_software"),
        // A term makes it a subscription, whatever cycle it is billed in: three years paid at once are one.
        "software" if clues.term_duration.is_some() => return Some("software_subscription"),
        "software" => return Some("software_perpetual"),
        "onlineservicesnce" => return Some("license_new"),
        // The view of both kinds of online services: only legacy offers have a GUID.
        "onlineservices" if is_foreign(clues) => return Some("saas_license"),
        "onlineservices" if clues.offer_id.parse::<Guid>().is_ok() => return Some("license_legacy"),
        "onlineservices" => return Some("license_new"),
        "azure" | "azureplan" | "microsoftazure" => return Some("saas_metered"),
        "saas" | "marketplacesaas" => return Some("saas_license"),
        other if other.starts_with("azurereservation") => return Some("reservation"),
        _ => {}
    }
    if is_foreign(clues) {
        return Some("saas_license");
    }
    // Old rows of licences say that they are billed in no way at all, and nothing of a product.
    let is_licence = clues.billing_type == "license" || (kind.is_empty() && matches!(clues.billing_type, "" | "none"));
    (clues.offer_id.parse::<Guid>().is_ok() && is_licence).then_some("license_legacy")
}

/// The family of a holding whose own row tells one and whose product tells another. A row seldom says that software is
/// for the customer's own machines, or Linux: there the product knows better, as it does where the row says nothing.
pub fn finer<'a>(told: Option<&'a str>, product: &'a str) -> Option<&'a str> {
    match (told, product) {
        (_, "linux_plan" | "on_premises_software") => Some(product),
        (None, UNKNOWN) => None,
        (None, product) => Some(product),
        (told, _) => told,
    }
}

/// How a family is billed where nothing says it: by use or by licence; empty where the family is not known.
pub fn billing_type(family: &str) -> &'static str {
    match family {
        "saas_metered" => "usage",
        UNKNOWN | "" => "",
        _ => "license",
    }
}

/// Publishers of Linux plans: SUSE and Red Hat.
fn sells_linux(publisher: &str) -> bool {
    let publisher = publisher.trim().to_ascii_lowercase();
    ["suse", "red hat", "redhat"].iter().any(|name| publisher.starts_with(name))
}

fn is_foreign(clues: &Clues<'_>) -> bool {
    match clues.is_microsoft {
        Some(own) => !own,
        None => !clues.publisher.trim().is_empty() && !is_microsofts(clues.publisher),
    }
}

/// Whether `commitmentEndDate` names the last day of the term (new commerce) and not the first day after it (legacy).
pub fn end_is_inclusive(family: &str) -> bool {
    !matches!(family, "license_legacy" | "saas_metered" | UNKNOWN)
}

/// The length of a term that old rows leave out because there was only one: a year, a month for a trial.
pub fn unsaid_term(family: &str, is_trial: bool) -> Option<Span> {
    (family == "license_legacy").then(|| Span::months(if is_trial { 1 } else { 12 }))
}
