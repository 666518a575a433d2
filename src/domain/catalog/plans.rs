//! The billing plans of an item at an instant: its terms, each with the cycles it is charged in (BF-set).

use serde::Serialize;

use super::eligibility::Hindrance;
use super::selling::Selling;
use crate::domain::product::{Plan, Product};
use crate::domain::{Instant, Span, calendar};

/// A plan, and since when it is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offered {
    /// The term and how it is billed.
    #[serde(flatten)]
    pub plan: Plan,
    /// First purchase it is offered for; none: always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Instant>,
    /// The rule that gives it a beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl Offered {
    /// Whether it can be chosen then.
    pub fn is_open(&self, now: Instant) -> bool {
        self.from.is_none_or(|from| from <= now)
    }

    /// How often its term is charged; none when there is no term, or one charge for all of it.
    pub fn cycles(&self) -> Option<u32> {
        let months = cycle_months(&self.plan.billing_cycle)?;
        let term = self.plan.term_duration?.months;
        (term >= months && term.is_multiple_of(months)).then_some(term / months)
    }
}

/// How many months a billing cycle of this name has; none for one charge a term, or for no charge at all.
fn cycle_months(word: &str) -> Option<u32> {
    match word {
        "monthly" => Some(1),
        "annual" => Some(12),
        "biennial" => Some(24),
        "triennial" => Some(36),
        _ => None,
    }
}

/// Every plan of an item, also those that begin later.
pub fn offered(selling: &Selling, item: &Product) -> Vec<Offered> {
    let mut plans: Vec<Plan> = item.plans.clone();
    if plans.is_empty() {
        let cycle = |word: &String| Plan { term_duration: item.term_duration, billing_cycle: word.clone() };
        plans.extend(item.supported_billing_cycles.iter().map(cycle));
    }
    // A SKU that names its cycles bounds what the availability lists.
    let known = &item.supported_billing_cycles;
    plans.retain(|plan| known.is_empty() || known.contains(&plan.billing_cycle));
    plans.into_iter().map(|plan| dated(selling, item, plan)).collect()
}

fn dated(selling: &Selling, item: &Product, plan: Plan) -> Offered {
    let rule = selling
        .plans
        .iter()
        .find(|row| row.billing_cycles.contains(&plan.billing_cycle) && row.what.is(item, plan.term_duration));
    let own = item.billing_cycles_from.get(&plan.billing_cycle).copied();
    Offered { from: own.max(rule.map(|row| row.from)), rule: rule.map(|row| row.rule.clone()), plan }
}

/// The plan that is meant: the only one of this term and cycle; what is left out may be left out where it is plain.
///
/// # Errors
/// `plan_not_offered`, `plan_not_yet_offered` (BF-3y, BF-rds), `plan_required` with the plans there are.
pub fn chosen<'a>(
    plans: &'a [Offered],
    term: Option<Span>,
    cycle: Option<&str>,
    now: Instant,
) -> Result<&'a Offered, Box<Hindrance>> {
    let fits = |offered: &&Offered| {
        term.is_none_or(|term| offered.plan.term_duration == Some(term))
            && cycle.is_none_or(|cycle| offered.plan.billing_cycle == cycle)
    };
    let found: Vec<&Offered> = plans.iter().filter(fits).collect();
    let open: Vec<&Offered> = found.iter().copied().filter(|offered| offered.is_open(now)).collect();
    match (open.as_slice(), found.as_slice()) {
        ([only], _) => Ok(only),
        ([], []) => {
            let asked = shown(term, cycle.unwrap_or_default());
            let message = format!("it is not offered {asked}");
            Err(Hindrance::new("plan_not_offered", "BF-set", message, mend(plans, now)).codes(Some(6000), 10010))
        }
        ([], [later, ..]) => {
            let from = later.from.map(calendar::show).unwrap_or_default();
            let asked = shown(later.plan.term_duration, &later.plan.billing_cycle);
            let rule = later.rule.as_deref().unwrap_or("BF-set");
            let message = format!("it is offered {asked} from {from} on");
            Err(Hindrance::new("plan_not_yet_offered", rule, message, mend(plans, now)).codes(Some(6000), 10010))
        }
        _ => {
            let message = "it has several plans and the line names none of them".to_owned();
            Err(Hindrance::new("plan_required", "BF-set", message, mend(plans, now)).codes(Some(6000), 10010))
        }
    }
}

fn shown(term: Option<Span>, cycle: &str) -> String {
    match (term, cycle) {
        (Some(term), "") => format!("for {term}"),
        (Some(term), cycle) => format!("for {term} billed {cycle}"),
        (None, "") => "that way".to_owned(),
        (None, cycle) => format!("billed {cycle}"),
    }
}

fn mend(plans: &[Offered], now: Instant) -> String {
    let open = plans.iter().filter(|offered| offered.is_open(now));
    let words: Vec<String> =
        open.map(|offered| shown(offered.plan.term_duration, &offered.plan.billing_cycle)).collect();
    if words.is_empty() { "there is no plan to choose yet".to_owned() } else { format!("choose: {}", words.join("; ")) }
}
