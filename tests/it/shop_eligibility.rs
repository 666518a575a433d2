//! Who may buy what, where and when: both edges of every reason, and what mends it.

use bursar::domain::catalog::eligibility::{Buyer, Hindrance, Owned, Seller, Wanted, hindrances};
use bursar::domain::catalog::offers::Filter;
use bursar::domain::catalog::plans::{chosen, offered};
use bursar::domain::catalog::selling::Selling;
use bursar::domain::partner::PartnerType;
use bursar::domain::product::{Limit, LimitUnit, Plan, Product, Segment};
use bursar::domain::subscription::Status;
use bursar::domain::terms::Terms;
use bursar::domain::{Instant, Span, Tenant};

use crate::world::{at, sub_id};

const NOW: &str = "2027-01-10T12:00:00Z";

fn selling() -> Selling {
    let mut rules = Selling::default();
    rules.lay(Selling::SHIPPED).unwrap();
    rules
}

fn tenant(country: &str) -> Tenant {
    Tenant {
        company_name: "Anker".to_owned(),
        country: country.to_owned(),
        agreed_at: Some(at("2026-01-01T00:00:00Z")),
        ..Tenant::default()
    }
}

fn item(id: &str, family: &str) -> Product {
    Product {
        id: id.to_owned(),
        name: "Something".to_owned(),
        family: family.to_owned(),
        minimum_quantity: Some(5),
        maximum_quantity: Some(10),
        plans: vec![Plan { term_duration: Some(Span::months(12)), billing_cycle: "monthly".to_owned() }],
        ..Product::default()
    }
}

fn owned(offer: &str, status: Status) -> Owned {
    Owned {
        id: Some(sub_id(1)),
        offer_id: offer.to_lowercase(),
        family: "license_new".to_owned(),
        status,
        quantity: 100,
        is_trial: false,
        term_duration: Some(Span::months(12)),
        billing_cycle: "monthly".to_owned(),
        term_end: None,
    }
}

/// A question with everything in order; each case changes one thing.
struct Case {
    tenant: Tenant,
    owned: Vec<Owned>,
    seller: Seller,
    item: Product,
    quantity: i64,
    base: Option<Owned>,
    attested: bool,
    cycle: Option<&'static str>,
    now: Instant,
}

impl Case {
    fn of(item: Product) -> Self {
        Self {
            tenant: tenant("NL"),
            owned: Vec::new(),
            seller: Seller::default(),
            item,
            quantity: 5,
            base: None,
            attested: false,
            cycle: None,
            now: at(NOW),
        }
    }

    fn asked(&self) -> Vec<Hindrance> {
        let buyer = Buyer { tenant: &self.tenant, owned: &self.owned, seller: &self.seller };
        let wanted = Wanted {
            quantity: Some(self.quantity),
            base: self.base.as_ref(),
            attested: self.attested,
            billing_cycle: self.cycle,
            settles_plan: true,
            ..Wanted::listed(&self.item)
        };
        hindrances(&selling(), buyer, wanted, self.now)
    }

    #[track_caller]
    fn allowed(&self) {
        assert_eq!(self.asked(), []);
    }

    #[track_caller]
    fn refused(&self, code: &str, rule: &str, theirs: Option<u32>) -> Hindrance {
        let found = self.asked();
        let all: Vec<&str> = found.iter().map(|one| one.code).collect();
        let one = found.iter().find(|one| one.code == code).unwrap_or_else(|| panic!("{code} is not in {all:?}"));
        assert_eq!((one.rule.as_str(), one.partner_center_code), (rule, theirs));
        assert!(!one.mend.is_empty() && !one.message.is_empty());
        one.clone()
    }
}

const SUITE: &str = "CFQ7TTC0LH18:0001:CFQ7TTC0K971";

#[test]
fn nothing_is_sold_before_the_agreement() {
    let mut case = Case::of(item(SUITE, "license_new"));
    case.tenant.agreed_at = Some(case.now);
    case.allowed();
    case.tenant.agreed_at = Some(case.now + chrono::TimeDelta::microseconds(1));
    case.refused("agreement_missing", "MCA", Some(13605));
    case.tenant.agreed_at = None;
    case.refused("agreement_missing", "MCA", Some(13605));
}

#[test]
fn seats_have_a_least_and_a_most() {
    let mut case = Case::of(item(SUITE, "license_new"));
    case.allowed();
    case.quantity = 10;
    case.allowed();
    case.quantity = 4;
    assert_eq!(case.refused("quantity_out_of_range", "Q-min", Some(2002)).cart_error_code, 10010);
    case.quantity = 11;
    assert_eq!(case.refused("quantity_out_of_range", "Q-max", Some(800_067)).cart_error_code, 10015);
    case.item.id = "031c9e47-4802-4248-838e-778fb1d2cc05".to_owned();
    case.refused("quantity_out_of_range", "Q-max", Some(2002));
    case.item.minimum_quantity = None;
    case.quantity = 0;
    case.refused("quantity_out_of_range", "Q-min", Some(2002));
}

#[test]
fn a_market_without_reservations_has_no_reservations_and_everything_else() {
    let rules = selling();
    let market = &rules.markets[0];
    assert_eq!(market.unavailable.len(), 109, "as many names as the list has");
    let mut codes: Vec<&String> = market.unavailable.values().collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 106, "some names share a code");
    for (name, code) in
        [("Saba", "BQ"), ("Sint Eustatius", "BQ"), ("Jan Mayen", "SJ"), ("Svalbard", "SJ"), ("Kosovo", "XK")]
    {
        assert_eq!(market.unavailable[name], code);
    }
    assert_ne!(market.unavailable["Congo"], market.unavailable["Congo (DRC)"]);
    let mut case = Case::of(item("DZH318Z0BQ4B:0047:DZH318Z0DSM8", "reservation"));
    for sold in ["NL", "US", "PR"] {
        case.tenant = tenant(sold);
        case.allowed();
    }
    for code in &codes {
        case.tenant = tenant(code);
        assert!(case.refused("market_unavailable", "MKT", Some(800_070)).hides);
    }
    case.item.family = "license_new".to_owned();
    case.allowed();
    case.item.family = "reservation".to_owned();
    case.tenant = tenant("");
    case.refused("country_unknown", "MKT", Some(800_070));
}

#[test]
fn a_publisher_sells_in_its_countries_to_its_partners_and_only_what_it_offers() {
    let mut case = Case::of(item(SUITE, "saas_license"));
    case.item.countries = vec!["DE".to_owned(), "NL".to_owned()];
    case.allowed();
    case.tenant = tenant("FR");
    assert!(case.refused("country_not_supported", "O-hide", Some(800_070)).hides);
    case.tenant = tenant("");
    case.refused("country_unknown", "MKT", Some(800_070));
    case.tenant = tenant("NL");
    for (yes, code) in [(0, "not_in_program"), (1, "not_transactable"), (2, "not_purchasable")] {
        for said in [Some(true), None, Some(false)] {
            case.item.is_in_program = said.filter(|_| yes == 0);
            case.item.is_transactable = said.filter(|_| yes == 1);
            case.item.is_purchasable = said.filter(|_| yes == 2);
            if said == Some(false) {
                let theirs = (yes == 2).then_some(500_600);
                assert!(case.refused(code, "O-hide", theirs).hides);
            } else {
                case.allowed();
            }
        }
        (case.item.is_in_program, case.item.is_transactable, case.item.is_purchasable) = (None, None, None);
    }
    case.item.exclusive_to = vec!["4847383".to_owned()];
    case.refused("exclusive_to_others", "O-hide", None);
    case.seller.mpn_id = Some("1".to_owned());
    case.refused("exclusive_to_others", "O-hide", None);
    case.seller.mpn_id = Some("4847383".to_owned());
    case.allowed();
}

#[test]
fn what_runs_in_azure_is_bought_in_its_portal_and_metered_software_here() {
    let mut case = Case::of(item(SUITE, "saas_metered"));
    case.item.product_type = "saas".to_owned();
    case.allowed();
    for kind in ["containers", "virtual_machines", "azure_applications"] {
        case.item.product_type = kind.to_owned();
        let found = case.refused("azure_portal_only", "O-scope", None);
        assert!(found.hides && found.mend.contains("portal"));
    }
}

#[test]
fn segments_are_those_of_the_rules_and_of_the_item() {
    let mut case = Case::of(item("DZH318Z0BQ4B:0047:DZH318Z0DSM8", "reservation"));
    case.allowed();
    for (qualification, segment) in
        [("education", "education"), ("nonprofit", "nonprofit"), ("government_community_cloud", "government")]
    {
        case.tenant.qualification = qualification.to_owned();
        let found = case.refused("segment_not_eligible", "SEG", None);
        assert!(found.message.contains(segment), "{}", found.message);
    }
    case.tenant.qualification = "state_owned_entity".to_owned();
    case.allowed();
    let mut server = Case::of(item(SUITE, "software_subscription"));
    server.tenant.qualification = "education".to_owned();
    server.allowed();
    for name in ["Windows Server Standard", "SQL Server Enterprise - 2 Core License Pack"] {
        server.item.name = name.to_owned();
        server.refused("segment_not_eligible", "SEG-server", None);
    }
    let mut own = Case::of(item(SUITE, "license_new"));
    own.item.segments = vec![Segment::Nonprofit];
    own.refused("segment_not_eligible", "SEG", None);
    own.tenant.qualification = "Nonprofit".to_owned();
    own.allowed();
}

#[test]
fn a_limit_counts_a_lifetime_or_what_is_there_and_reactivates_what_is_suspended() {
    let mut case = Case::of(item(SUITE, "license_new"));
    case.item.limit = Some(Limit { count: 1, per: LimitUnit::Concurrent });
    case.allowed();
    for status in [Status::Deleted, Status::Expired, Status::Disabled] {
        case.owned = vec![owned(SUITE, status)];
        case.allowed();
    }
    for status in [Status::Pending, Status::Active] {
        case.owned = vec![owned(SUITE, status)];
        let found = case.refused("limit_reached", "O-one", Some(800_066));
        assert_eq!((found.reactivate, found.hides, found.cart_error_code), (None, true, 10002));
    }
    case.owned = vec![owned(SUITE, Status::Suspended)];
    let found = case.refused("limit_reached", "O-one", Some(800_066));
    assert_eq!(found.reactivate, Some(sub_id(1)));
    assert!(found.mend.contains(&sub_id(1).to_string()), "{}", found.mend);
    case.item.limit = Some(Limit { count: 2, per: LimitUnit::Concurrent });
    case.allowed();
    case.item.limit = Some(Limit { count: 1, per: LimitUnit::Lifetime });
    case.owned = vec![owned(SUITE, Status::Deleted)];
    case.refused("limit_reached", "O-one", Some(800_066));
    case.owned = vec![owned("CFQ7TTC0LH18:0001:CFQ7TTC0XXXX", Status::Active)];
    case.allowed();
}

#[test]
fn a_trial_is_for_those_who_do_not_have_it_yet() {
    let mut case = Case::of(item("TRIAL", "license_legacy"));
    case.item.is_trial = true;
    case.item.conversion_targets = vec!["PAID".to_owned()];
    case.owned = vec![owned("PAID", Status::Deleted), owned("OTHER", Status::Active)];
    case.allowed();
    case.owned = vec![owned("PAID", Status::Active)];
    case.refused("trial_of_owned", "T-owned", Some(800_066));
    case.item.is_trial = false;
    case.allowed();
}

#[test]
fn an_add_on_needs_an_active_base_it_is_made_for() {
    let mut case = Case::of(item("CFQ7TTC0TELE:0001:CFQ7TTC0TEL1", "license_new"));
    case.item.is_add_on = true;
    case.item.prerequisites = vec!["CFQ7TTC0LH18:0001".to_owned()];
    assert!(case.refused("base_required", "A-base", Some(400_041)).hides);
    for status in [Status::Suspended, Status::Pending, Status::Deleted] {
        case.owned = vec![owned(SUITE, status)];
        case.refused("base_required", "A-base", Some(400_041));
    }
    case.owned = vec![owned("CFQ7TTC0LH18:0002:CFQ7TTC0K971", Status::Active)];
    case.refused("base_required", "A-base", Some(400_041));
    case.owned = vec![owned(SUITE, Status::Active)];
    case.allowed();
    case.base = Some(owned(SUITE, Status::Suspended));
    case.refused("base_not_active", "A-base", Some(27009));
    case.base = Some(owned("ANOTHER", Status::Active));
    case.refused("base_not_eligible", "A-elig", Some(800_029));
    case.base = Some(owned(SUITE, Status::Active));
    case.allowed();
    let mut plain = Case::of(item(SUITE, "license_new"));
    plain.base = Some(owned(SUITE, Status::Active));
    plain.refused("not_an_add_on", "A-elig", Some(800_029));
    case.base = None;
    case.item.id = "2828be95-46ba-4f91-b2fd-0bef192ecf60".to_owned();
    let found = case.refused("base_not_named", "A-base", Some(400_041));
    assert!(found.mend.contains(&sub_id(1).to_string()), "a legacy add-on is bought for its base: {}", found.mend);
}

#[test]
fn a_share_of_the_bases_seats_is_met() {
    let mut case = Case::of(item("CFQ7TTC0GEO0:0001:CFQ7TTC0GEO1", "license_new"));
    case.item.is_add_on = true;
    case.item.name = "Multi-Geo Capabilities".to_owned();
    case.base = Some(owned(SUITE, Status::Active));
    case.allowed();
    case.item.minimum_quantity = Some(1);
    case.quantity = 4;
    assert_eq!(case.refused("base_share_not_met", "Q-geo", None).cart_error_code, 10019);
}

#[test]
fn a_reseller_asks_its_provider() {
    let mut case = Case::of(item(SUITE, "license_new"));
    case.seller.partner_type = PartnerType::IndirectProvider;
    case.allowed();
    case.seller.partner_type = PartnerType::IndirectReseller;
    case.refused("channel_not_allowed", "A-chan-all", None);
    case.item.is_add_on = true;
    case.refused("channel_not_allowed", "A-chan", None);
}

#[test]
fn an_attestation_is_asked_for_where_the_item_does() {
    let mut case = Case::of(item(SUITE, "license_new"));
    case.item.needs_attestation = true;
    assert_eq!(case.refused("attestation_missing", "ATT", None).cart_error_code, 10012);
    case.attested = true;
    case.allowed();
}

#[test]
fn plans_of_three_years_and_monthly_access_licences_begin_on_their_day() {
    let term = Some(Span::months(36));
    let plan = |cycle: &str| Plan { term_duration: term, billing_cycle: cycle.to_owned() };
    let mut case = Case::of(item(SUITE, "software_subscription"));
    case.item.plans = vec![plan("one_time"), plan("annual"), plan("triennial"), plan("monthly")];
    case.tenant.agreed_at = Some(at("2020-01-01T00:00:00Z"));
    for (cycle, before) in [("annual", false), ("triennial", false), ("one_time", true), ("monthly", true)] {
        case.cycle = Some(cycle);
        case.now = at("2021-10-21T23:59:59Z");
        if before {
            case.allowed()
        } else {
            drop(case.refused("plan_not_yet_offered", "BF-3y", Some(6000)))
        }
        case.now = at("2021-10-22T00:00:00Z");
        case.allowed();
    }
    case.item.name = "Windows Server 2022 Remote Desktop Services - 1 User CAL".to_owned();
    case.cycle = Some("monthly");
    case.now = at("2021-10-21T23:59:59Z");
    case.refused("plan_not_yet_offered", "BF-rds", Some(6000));
    case.now = at("2021-10-22T00:00:00Z");
    case.allowed();
    case.cycle = Some("biennial");
    case.refused("plan_not_offered", "BF-set", Some(6000));
    case.cycle = None;
    case.refused("plan_required", "BF-set", Some(6000));
    case.item.supported_billing_cycles = vec!["annual".to_owned()];
    case.allowed();
    case.item.billing_cycles_from.insert("annual".to_owned(), at("2027-02-01T00:00:00Z"));
    case.refused("plan_not_yet_offered", "BF-3y", Some(6000));
}

#[test]
fn a_plan_says_how_often_its_term_is_charged() {
    let mut one = item(SUITE, "license_new");
    one.plans = ["monthly", "annual", "one_time"]
        .map(|cycle| Plan { term_duration: Some(Span::months(12)), billing_cycle: cycle.to_owned() })
        .to_vec();
    let plans = offered(&selling(), &one);
    let counts: Vec<Option<u32>> = plans.iter().map(bursar::domain::catalog::plans::Offered::cycles).collect();
    assert_eq!(counts, [Some(12), Some(1), None]);
    assert_eq!(chosen(&plans, None, Some("annual"), at(NOW)).unwrap().plan.billing_cycle, "annual");
}

/// F-cat, O-list, and GOV: the government segment is a filter like the others.
#[test]
fn lists_are_narrowed_by_publisher_billing_category_segment_and_limit() {
    let mut own = item(SUITE, "license_new");
    own.billing = "license".to_owned();
    own.category = "enterprise".to_owned();
    own.publisher_name = "Microsoft Corporation".to_owned();
    let mut theirs = own.clone();
    (theirs.publisher_name, theirs.billing) = ("Fabrikam".to_owned(), "usage".to_owned());
    theirs.segments = vec![Segment::Education];
    theirs.limit = Some(Limit { count: 1, per: LimitUnit::Lifetime });
    let holds = |name: &str, word: &str| {
        let mut filter = Filter::default();
        filter.set(name, word).unwrap();
        (filter.holds(&own), filter.holds(&theirs))
    };
    assert_eq!(holds("publisher", "microsoft"), (true, false));
    assert_eq!(holds("publisher", "partner"), (false, true));
    assert_eq!(holds("billing", "license"), (true, false));
    assert_eq!(holds("billing", "usage"), (false, true));
    assert_eq!(holds("category", "enterprise"), (true, true));
    assert_eq!(holds("category", "trial"), (false, false));
    assert_eq!(holds("segment", "commercial"), (true, false));
    assert_eq!(holds("segment", "education"), (true, true));
    assert_eq!(holds("segment", "government"), (true, false));
    assert_eq!(holds("limited", "true"), (false, true));
    assert_eq!(Filter::default().set("publisher", "x").unwrap_err().code, "unknown_value");
    assert_eq!(Filter::default().set("colour", "x").unwrap_err().code, "unknown_field");
    own.id = "CFQ7TTC0LH18:0001".to_owned();
    assert!(!Filter::default().holds(&own), "a SKU cannot be bought, its availabilities can");
}

#[test]
fn a_library_lays_its_own_rows_over_the_rules() {
    let terms = Terms::builtin().unwrap();
    assert_eq!(terms.selling().segments[0].rule, "SEG");
    let own = "[[segment]]\nrule = \"SEG\"\nwhat = { families = [\"reservation\"] }\nsegments = [\"commercial\", \"education\"]\n";
    let terms = terms.with_rows(&[("policies/terms/selling.toml", own)]).unwrap();
    assert_eq!(terms.selling().segments[0].segments.len(), 2);
    assert_eq!(terms.selling().segments.len(), 2, "the other row stays");
    let wrong = Terms::builtin().unwrap().with_rows(&[("policies/terms/selling.toml", "[[segment]]\nrule = 7\n")]);
    assert_eq!(wrong.unwrap_err()[0].place.line, 2);
}

#[test]
fn a_benefit_is_told_by_edition() {
    let rules = selling();
    let mut one = item(SUITE, "software_subscription");
    let told = |item: &Product| -> Vec<String> {
        rules.benefits_of(item).map(|one| format!("{} {} {}", one.name, one.used, one.maximum_saving_percent)).collect()
    };
    assert!(told(&one).is_empty());
    one.name = "Windows Server Datacenter - 8 Core License Pack - 1 year".to_owned();
    assert_eq!(told(&one), ["azure_hybrid_benefit reuse 40"]);
    one.name = "Windows Server Standard - 8 Core License Pack - 1 year".to_owned();
    assert_eq!(told(&one), ["azure_hybrid_benefit convert 40"]);
}
