//! What a status does not allow, with the code that Partner Center's clients look for.

use super::quote::Asked;
use crate::domain::Refusal;
use crate::domain::subscription::{Attention, Status};

/// Where a status does not become another, and no code says more of it.
const STATUS_LOCKED: u32 = 800_040;

impl Asked<'_> {
    pub(super) fn to(&self, status: Status) -> Result<Status, Refusal> {
        let coded = |refusal: Refusal| self.with_status_code(refusal.partner_center(STATUS_LOCKED));
        self.sub.standing.status.to(status).map_err(coded)
    }

    pub(super) fn active(&self, what: &str) -> Result<(), Refusal> {
        if self.sub.standing.status == Status::Active { Ok(()) } else { Err(self.illegal(what)) }
    }

    pub(super) fn illegal(&self, what: &str) -> Refusal {
        let status = self.sub.standing.status;
        let legal: Vec<&str> = status.followers().iter().map(|status| status.as_str()).collect();
        let legal = if legal.is_empty() { "nothing".to_owned() } else { legal.join(", ") };
        let message = format!("a subscription that is {} cannot {what}; it can become {legal}", status.as_str());
        self.with_status_code(Refusal::new("illegal_transition", message))
    }

    fn with_status_code(&self, refusal: Refusal) -> Refusal {
        let waits = self.sub.standing.attention == Some(Attention::ActivationPending);
        match self.sub.standing.status {
            Status::Deleted => refusal.partner_center(2011),
            Status::Suspended => refusal.partner_center(800_091),
            Status::Pending if waits => refusal.partner_center(800_081),
            Status::Pending => refusal.partner_center(800_082),
            Status::Expired | Status::Disabled => refusal.partner_center(900_279),
            Status::Unknown => Refusal { message: self.unknown_status(), ..refusal },
            Status::Active => refusal,
        }
    }

    fn unknown_status(&self) -> String {
        let told = self.sub.profile.extra.get("status").map_or("unknown", |text| text.trim_matches('"'));
        format!("its status, '{told}', is none that is known here: it changes once an import tells one that is")
    }

    /// The same where the status itself should change.
    pub(super) fn locked(&self, what: &str) -> Refusal {
        let refusal = self.illegal(what);
        let code = refusal.partner_center_code.unwrap_or(STATUS_LOCKED);
        refusal.partner_center(code)
    }
}
