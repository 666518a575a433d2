//! What the policies are asked about a request, what stands when they abstain, and what is left to a person all the same.

use crate::domain::decision::{Decision, Verdict};
use crate::domain::ids::Noun;
use crate::domain::request::Otherwise;
use crate::domain::support::Form;
use crate::domain::{Kind, Request, Subscription};
use crate::store::records::Stored;

use super::Result;
use super::work::{Judgement, Work};

/// Asks the policies about a request and records what each of them said.
pub(super) fn judge(work: &mut Work, request: &mut Request, stored: &Stored<Subscription>) -> Result<Judgement> {
    let asked = std::sync::Arc::clone(&work.judge);
    let mut judgement = asked.ask(work, request, &stored.value)?;
    if request.asks_only {
        leave_to_a_person(&mut judgement);
    }
    let by_default = (judgement.verdict == Verdict::Abstain).then(|| default_of(request, &stored.value));
    if let Some((verdict, reason)) = &by_default {
        judgement.verdict = *verdict;
        judgement.by_default = true;
        judgement.reasons.push((*reason).to_owned());
    }
    let id = work.id(Noun::Decision);
    request.decisions.push(id);
    request.reasons.clone_from(&judgement.reasons);
    let seen = work.tx.seq();
    work.record().decisions.push(Decision {
        id,
        request: request.id,
        tenant: request.tenant,
        subscription: request.subscription,
        kind: request.kind,
        at: request.proposed_at,
        seen,
        answers: judgement.answers.clone(),
        verdict: judgement.verdict,
        by_default: by_default.map(|(_, reason)| reason.to_owned()),
        quote: request.quote.clone(),
        became: request.state,
    });
    let now = work.now;
    if let Some(decision) = work.record().decisions.last_mut() {
        decision.at = now;
    }
    Ok(judgement)
}

/// Whoever proposed it may only ask: what policies would approve, now or when nobody answers, is left to a person.
fn leave_to_a_person(judgement: &mut Judgement) {
    if judgement.verdict == Verdict::Approve {
        judgement.verdict = Verdict::Review;
        judgement.reasons.insert(0, "its proposer may only ask for it: a person decides".to_owned());
    }
    judgement.otherwise = judgement.otherwise.filter(|otherwise| *otherwise != Otherwise::Approve);
}

/// The terms ask for a support request first: nothing is approved before a person has seen what support answers.
pub(super) fn leave_to_support(judgement: &mut Judgement, form: Form) {
    if judgement.verdict == Verdict::Approve {
        judgement.verdict = Verdict::Review;
        judgement.reasons.insert(0, "it goes by a support request: a person answers when support has".to_owned());
    }
    judgement.otherwise = judgement.otherwise.filter(|otherwise| *otherwise != Otherwise::Approve);
    judgement.support.get_or_insert(form);
}

/// What stands when every file abstains: a renewal follows auto-renew, everything else goes to a person.
fn default_of(request: &Request, subscription: &Subscription) -> (Verdict, &'static str) {
    match request.kind {
        Kind::Renewal if subscription.standing.auto_renew_enabled => {
            (Verdict::Approve, "no policy answered: auto-renew is on")
        }
        Kind::Renewal => (Verdict::Deny, "no policy answered: auto-renew is off"),
        _ => (Verdict::Review, "no policy answered: a person decides"),
    }
}
