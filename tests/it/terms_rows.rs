//! Golden cases of the rows beside windows and renewals: where a purchase is shown, who gets a key.

use std::sync::Arc;

use bursar::domain::calendar::instant;
use bursar::domain::change::{Amendments, Change, Reason};
use bursar::domain::lifecycle::{begin, quote};
use bursar::domain::terms::{List, Path, Reader, Sight, Tells, Terms, is_software, listed};
use bursar::domain::{Span, Subscription};
use serde::Deserialize;

use crate::domain_terms::{profile, subscription};

/// Where a purchase is shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    family: String,
    bought: String,
    #[serde(default)]
    term: Option<Span>,
    /// `VIS-1014: subscriptions software`, the rule and the lists.
    want: String,
}

impl Shown {
    pub(crate) fn wrong(&self, terms: &Terms) -> Option<String> {
        let bought = instant(&self.bought).unwrap();
        let family = terms.family(&self.family);
        let rule = family.visibility(bought, self.term.is_some()).map_or("", |row| row.rule.as_str());
        let lists = [List::Subscriptions, List::Software];
        let lists = lists.into_iter().filter(|list| family.is_in(*list, bought, self.term.is_some()));
        let lists: Vec<&str> = lists.map(List::as_str).collect();
        let holding = subscription(terms, profile(&self.family, bought, self.term, "annual"), 1);
        assert_eq!(listed(terms, &holding), lists.contains(&"subscriptions"), "{}", self.bought);
        assert_eq!(is_software(terms, &holding), lists.contains(&"software"), "{}", self.bought);
        let said = format!("{rule}: {}", lists.join(" "));
        (said != self.want).then(|| format!("bought {}\n  want {}\n  said {said}", self.bought, self.want))
    }
}

/// How a cancellation is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    family: String,
    at: String,
    /// `C-in-S0 by admin_agent: customer, product, order; acknowledged; days; PT15M`
    want: String,
}

impl Asked {
    pub(crate) fn wrong(&self, terms: &Terms) -> Option<String> {
        let Some(row) = terms.family(&self.family).asking(instant(&self.at).unwrap()) else {
            return (self.want != "nothing").then(|| format!("{}: nothing is asked", self.at));
        };
        let needs: Vec<&str> = row.needs.iter().map(|need| need.as_str()).collect();
        let mut said = row.rule.clone();
        said.extend(row.role.iter().flat_map(|role| [" by ", role.as_str()]));
        said.push_str(&format!(": {}", needs.join(", ")));
        said.push_str(if row.path == Path::SupportRequest { "; by support request" } else { "" });
        said.push_str(if row.acknowledge.is_some() { "; acknowledged" } else { "" });
        said.push_str(match row.tells {
            Tells::Days => "; days",
            Tells::Instant => "; instant",
            Tells::Nothing => "",
        });
        said.extend(row.seen_within.map(|span| format!("; {span}")));
        said.push_str(if row.afterwards.is_some() { "; uninstalled" } else { "" });
        (said != self.want).then(|| format!("asked at {}\n  want {}\n  said {said}", self.at, self.want))
    }
}

/// Who gets a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    family: String,
    at: String,
    /// `partner`, `customer`, `type KMS`, `choices`, `notice` or `delivery WORD`.
    asked: String,
    want: String,
}

impl Key {
    pub(crate) fn wrong(&self, terms: &Terms) -> Option<String> {
        let (family, at) = (terms.family(&self.family), instant(&self.at).unwrap());
        let refused = |refusal: bursar::domain::Refusal| {
            format!("refused {} {}", refusal.code, refusal.rule.unwrap_or_default()).trim_end().to_owned()
        };
        let sight = |reader| match family.key_sight(reader, at) {
            Ok(Sight::Keys) => {
                family.may_read_key(reader, at).unwrap();
                format!("keys {}", family.key_readers(at).unwrap().rule)
            }
            Ok(Sight::DeepLink) => format!("link, {}", refused(family.may_read_key(reader, at).unwrap_err())),
            Err(refusal) => refused(refusal),
        };
        let said = match self.asked.split_once(' ').unwrap_or((&self.asked, "")) {
            ("partner", "") => sight(Reader::Partner),
            ("customer", "") => sight(Reader::Customer),
            ("type", kind) => family.may_have_key_type(kind, at).map_or_else(refused, |()| "given".to_owned()),
            ("choices", "") => family.key_choices(at).join(" "),
            ("notice", "") => family.key_notice(at).unwrap_or_default().to_owned(),
            ("delivery", word) => family.key_delivery(word, at).as_str().to_owned(),
            other => panic!("nothing is asked {other:?}"),
        };
        (said != self.want).then(|| format!("{} at {}\n  want {}\n  said {said}", self.asked, self.at, self.want))
    }
}

/// XSUSE: a Linux plan is not exchanged for another product, by an amended renewal neither; other software is.
#[test]
fn what_is_never_exchanged_is_not_renewed_as_something_else() {
    let terms = Terms::builtin().unwrap();
    let bought = instant("2022-09-01T09:00:00Z").unwrap();
    let asked = |family: &str, offer: &str| {
        let sub = subscription(&terms, profile(family, bought, Some(Span::months(12)), "annual"), 1);
        let amendments = Amendments { offer_id: Some(offer.to_owned()), ..Amendments::default() };
        let change = Change::Renewal { term_end: sub.standing.term_end.unwrap(), amendments };
        let said = quote(&terms, &sub, &change, Some("365 EUR".parse().unwrap()), bought);
        said.refusal.map(|refusal| format!("{} {}", refusal.code, refusal.rule.unwrap_or_default()))
    };
    assert_eq!(asked("linux_plan", "DZH318Z0BQ4B:0001:X").as_deref(), Some("exchange_not_possible XSUSE"));
    assert_eq!(asked("linux_plan", "cfq7ttc0lh18:0001:cfq7ttc0k971"), None, "the same one in other letters");
    assert_eq!(asked("software_subscription", "DZH318Z0BQ4B:0001:X"), None);
}

/// P8: four dollars a month, suspended on the first of March: twelve of the cycle's 28 days come back, to the nearest
/// cent; in the first month everything does, to its last instant (L-leg).
#[test]
fn a_legacy_suspension_gives_back_the_rest_of_its_cycle() {
    let terms = Terms::builtin().unwrap();
    let bought = instant("2018-01-13T08:00:00Z").unwrap();
    let profile = Arc::new(profile("license_legacy", bought, Some(Span::months(12)), "monthly"));
    let suspended = |at: &str| {
        let now = instant(at).unwrap();
        let standing = begin(&terms, &profile, 1, bought, now);
        let sub = Subscription { standing, ..subscription(&terms, (*profile).clone(), 1) };
        let change = Change::Suspension { reason: Reason::NonPayment };
        let said = quote(&terms, &sub, &change, Some("4 USD".parse().unwrap()), now);
        said.refund.map(|refund| refund.to_string()).unwrap_or_default()
    };
    assert_eq!(suspended("2018-03-01T00:00:00Z"), "1.71 USD", "4 / 28 x 12 = 1.714");
    assert_eq!(suspended("2018-02-13T07:59:59.999999Z"), "4.00 USD", "month 1");
    assert_eq!(suspended("2018-02-14T08:00:00Z"), "3.86 USD", "month 2: 27 of 28 days");
}
