//! The activity log in Partner Center's words: its types of operation and of resource, and what each thing we note is
//! called there (AUD).

use serde::{Serialize, Serializer};

pub mod changes;

/// Partner Center's types of operation, each at the place of its number.
pub const OPERATION_TYPES: [&str; 79] = [
    "undefined",
    "update_customer_qualification",
    "update_subscription",
    "upgrade_subscription",
    "convert_trial_subscription",
    "add_customer",
    "update_customer_billing_profile",
    "update_customer_partner_contract_company_name",
    "update_customer_spending_budget",
    "delete_customer",
    "remove_partner_customer_relationship",
    "create_order",
    "update_order",
    "create_customer_user",
    "delete_customer_user",
    "update_customer_user",
    "update_customer_user_licenses",
    "reset_customer_user_password",
    "update_customer_user_principal_name",
    "restore_customer_user",
    "create_mpn_association",
    "update_mpn_association",
    "update_sfb_customer_user_licenses",
    "update_transfer",
    "create_partner_relationship",
    "register_application",
    "unregister_application",
    "add_application_credential",
    "remove_application_credential",
    "create_partner_user",
    "update_partner_user",
    "remove_partner_user",
    "create_referral",
    "update_referral",
    "get_software_key",
    "get_software_download_link",
    "increase_spending_limit",
    "ready_invoice",
    "create_agreement",
    "extend_relationship",
    "create_transfer",
    "create_self_serve_policy",
    "update_self_serve_policy",
    "delete_self_serve_policy",
    "remove_partner_relationship",
    "delete_tip_customer",
    "create_related_referral",
    "update_related_referral",
    "granular_admin_relationship_approved",
    "granular_admin_relationship_activated",
    "granular_admin_relationship_termination_requested",
    "granular_admin_relationship_terminated",
    "granular_admin_relationship_expired",
    "granular_admin_relationship_cleaned_up",
    "granular_admin_access_assignment_created",
    "granular_admin_access_assignment_updated",
    "granular_admin_access_assignment_deleted",
    "granular_admin_access_assignment_activated",
    "dap_admin_relationship_approved",
    "dap_admin_relationship_terminated",
    "dap_admin_relationship_terminated_by_microsoft",
    "create_credit",
    "update_credit",
    "cancel_credit",
    "add_user_member",
    "remove_user_member",
    "software_attestation",
    "update_company_info",
    "policy_created",
    "policy_updated",
    "policy_deleted",
    "device_updated",
    "devices_update_attempted",
    "device_deleted",
    "devices_upload_to_new_batch_attempted",
    "devices_upload_to_existing_batch_attempted",
    "manage_overage",
    "azure_fraud_event_detected",
    "create_new_commerce_migration",
];

/// Partner Center's types of resource, each at the place of its number.
pub const RESOURCE_TYPES: [&str; 33] = [
    "undefined",
    "customer",
    "customer_user",
    "order",
    "subscription",
    "license",
    "third_party_add_on",
    "mpn_association",
    "transfer",
    "application",
    "application_credential",
    "partner_user",
    "partner_relationship",
    "referral",
    "software_key",
    "software_download_link",
    "spending_limit",
    "invoice",
    "agreement",
    "partner_customer_relationship",
    "self_serve_policy",
    "granular_admin_relationship",
    "granular_admin_access_assignment",
    "partner_customer_dap",
    "credit",
    "customer_directory_role",
    "software_page",
    "device",
    "policy",
    "overage",
    "new_commerce_migration",
    "azure_entitlement",
    "indirect_provider_indirect_reseller_dap",
];

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationStatus {
    /// It was done.
    Succeeded,
    /// It could not be done.
    Failed,
    /// It waits, or is to come.
    Progress,
    /// Somebody or the terms said no.
    Decline,
}

impl OperationStatus {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            OperationStatus::Succeeded => "succeeded",
            OperationStatus::Failed => "failed",
            OperationStatus::Progress => "progress",
            OperationStatus::Decline => "decline",
        }
    }
}

/// One of a list of words that also go by their place in it; what is not in it is the first one, `undefined`.
macro_rules! listed {
    ($(#[$doc:meta])* $name:ident of $words:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
        pub struct $name(u8);

        impl $name {
            /// The one of a word in any writing (`CreateOrder`, `create_order`) or of a number; `undefined` for one that
            /// is not known.
            pub fn of(text: &str) -> Self {
                let plain = |text: &str| text.trim().to_ascii_lowercase().replace(['_', ' ', '-'], "");
                let wanted = plain(text);
                let by_number = text.trim().parse::<usize>().ok().filter(|place| *place < $words.len());
                let place = by_number.or_else(|| $words.iter().position(|word| plain(word) == wanted));
                Self(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0))
            }

            /// Its word.
            pub fn as_str(self) -> &'static str {
                $words.get(usize::from(self.0)).copied().unwrap_or("undefined")
            }

            /// Its number.
            pub fn ordinal(self) -> u8 {
                self.0
            }

            /// Whether it is none of the list.
            pub fn is_undefined(self) -> bool {
                self.0 == 0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

listed! {
    /// A type of operation.
    OperationType of OPERATION_TYPES
}
listed! {
    /// A type of resource.
    ResourceType of RESOURCE_TYPES
}

/// What something we note is called in Partner Center.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What was done.
    pub operation: OperationType,
    /// To what.
    pub resource: ResourceType,
    /// How it ended.
    pub status: OperationStatus,
}

/// What we note, by its whole word or by the part before the point, and Partner Center's words for it. The first that
/// fits counts.
const MEANINGS: &[(&str, &str, &str)] = &[
    ("subscription.converted", "convert_trial_subscription", "subscription"),
    ("subscription.upgraded", "upgrade_subscription", "subscription"),
    ("subscription.created_by_upgrade", "upgrade_subscription", "subscription"),
    ("subscription.", "update_subscription", "subscription"),
    ("request.", "update_subscription", "subscription"),
    ("import.subscription", "update_subscription", "subscription"),
    ("import.customer", "add_customer", "customer"),
    ("import.order", "create_order", "order"),
    ("order.created", "create_order", "order"),
    ("order.", "update_order", "order"),
    ("cart.checked_out", "create_order", "order"),
    ("tenant.created", "add_customer", "customer"),
    ("tenant.account", "update_customer_billing_profile", "customer"),
    ("tenant.", "undefined", "customer"),
    ("invoice.ready", "ready_invoice", "invoice"),
    ("invoice.", "undefined", "invoice"),
    ("credit.", "create_credit", "credit"),
    ("token.created", "add_application_credential", "application_credential"),
    ("token.revoked", "remove_application_credential", "application_credential"),
    ("library.", "policy_updated", "policy"),
    ("keys.", "undefined", "software_key"),
    ("software.", "undefined", "software_page"),
    ("activation.", "device_updated", "device"),
];

/// What the last words of what we note say of how it ended.
const STATUSES: &[(&str, OperationStatus)] = &[
    (".refused", OperationStatus::Decline),
    (".denied", OperationStatus::Decline),
    (".failed", OperationStatus::Failed),
    (".waiting", OperationStatus::Progress),
    (".scheduled", OperationStatus::Progress),
];

/// Partner Center's words for the operation and the resource.
fn words(operation: &str) -> (&str, &str) {
    // Some things are noted in its own words; the resource is the longest that the word tells of.
    let operation = operation.strip_suffix(".refused").filter(|own| OPERATION_TYPES.contains(own)).unwrap_or(operation);
    if OPERATION_TYPES.contains(&operation) {
        let told = RESOURCE_TYPES.iter().filter(|resource| operation.contains(**resource));
        return (operation, told.max_by_key(|resource| resource.len()).copied().unwrap_or("undefined"));
    }
    let fits = |(known, _, _): &&(&str, &str, &str)| {
        if known.ends_with('.') { operation.starts_with(known) } else { operation == *known }
    };
    let found = MEANINGS.iter().find(fits);
    found.map_or(("undefined", "undefined"), |(_, operation, resource)| (*operation, *resource))
}

/// What something we note is called in Partner Center; `undefined` where it has no word for it.
pub fn meaning(operation: &str) -> Meaning {
    let (operation_type, resource) = words(operation);
    let ending = STATUSES.iter().find(|(ending, _)| operation.ends_with(ending));
    Meaning {
        operation: OperationType::of(operation_type),
        resource: ResourceType::of(resource),
        status: ending.map_or(OperationStatus::Succeeded, |(_, status)| *status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_meaning_is_one_of_partner_centers() {
        for (ours, operation, resource) in MEANINGS {
            assert!(OPERATION_TYPES.contains(operation), "{ours}: {operation}");
            assert!(RESOURCE_TYPES.contains(resource), "{ours}: {resource}");
        }
    }

    #[test]
    fn words_and_numbers_are_read_in_any_writing_and_what_is_new_is_undefined() {
        for (place, word) in OPERATION_TYPES.iter().enumerate() {
            assert_eq!(usize::from(OperationType::of(word).ordinal()), place, "{word}");
            assert_eq!(OperationType::of(&place.to_string()).as_str(), *word);
        }
        for (place, word) in RESOURCE_TYPES.iter().enumerate() {
            assert_eq!(usize::from(ResourceType::of(word).ordinal()), place, "{word}");
        }
        assert_eq!(OperationType::of("CreateOrder").as_str(), "create_order");
        assert_eq!(OperationType::of("CreateNewCommerceMigration").ordinal(), 78);
        assert_eq!(ResourceType::of("IndirectProviderIndirectResellerDap").ordinal(), 32);
        for unknown in ["", "79", "-1", "subscription_teleported", "Undefined"] {
            assert!(OperationType::of(unknown).is_undefined(), "{unknown}");
            assert!(ResourceType::of(unknown).is_undefined(), "{unknown}");
        }
    }

    #[test]
    fn what_we_note_has_its_word_there() {
        let rows = [
            ("get_software_key", "get_software_key", "software_key", "succeeded"),
            ("get_software_download_link", "get_software_download_link", "software_download_link", "succeeded"),
            ("get_software_key.refused", "get_software_key", "software_key", "decline"),
            ("create_partner_user", "create_partner_user", "partner_user", "succeeded"),
            ("create_customer_user", "create_customer_user", "customer_user", "succeeded"),
            ("azure_fraud_event_detected", "azure_fraud_event_detected", "undefined", "succeeded"),
            ("subscription.renewed", "update_subscription", "subscription", "succeeded"),
            ("subscription.purchased", "update_subscription", "subscription", "succeeded"),
            ("order.cancelled", "update_order", "order", "succeeded"),
            ("subscription.converted", "convert_trial_subscription", "subscription", "succeeded"),
            ("request.denied", "update_subscription", "subscription", "decline"),
            ("request.waiting", "update_subscription", "subscription", "progress"),
            ("import.order", "create_order", "order", "succeeded"),
            ("token.created", "add_application_credential", "application_credential", "succeeded"),
            ("invoice.ready", "ready_invoice", "invoice", "succeeded"),
            ("support.opened", "undefined", "undefined", "succeeded"),
        ];
        for (ours, operation, resource, status) in rows {
            let found = meaning(ours);
            let found = (found.operation.as_str(), found.resource.as_str(), found.status.as_str());
            assert_eq!(found, (operation, resource, status), "{ours}");
        }
    }
}
