//! Selections: one grammar, typed by the schema, the same from every door.

use std::ops::Bound;
use std::sync::Arc;

use bursar::domain::calendar::instant;
use bursar::domain::selection::{LEDGER, REQUESTS, SUBSCRIPTIONS, Scalar, Schema, Selection, TENANTS, Value};
use bursar::domain::terms::Terms;
use bursar::domain::{Refusal, Span, Subscription};

use crate::domain_terms::{profile, subscription};

const NOW: &str = "2027-01-15T00:00:00Z";

fn sub() -> Subscription {
    let terms = Terms::builtin().unwrap();
    let mut profile =
        profile("license_new", instant("2026-02-01T09:00:00Z").unwrap(), Some(Span::months(12)), "annual");
    profile.labels.insert("dunning".to_owned(), "renew".to_owned());
    profile.unit_price = Some("500.00 EUR".parse().unwrap());
    subscription(&terms, profile, 25)
}

fn read(text: &str) -> Result<Selection, Refusal> {
    Selection::from_text(&SUBSCRIPTIONS, text)
}

fn matches(text: &str) -> bool {
    read(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}")).matches(&sub(), instant(NOW).unwrap())
}

#[test]
fn requests_of_every_kind_can_be_selected() {
    for kind in bursar::domain::Kind::ALL {
        for schema in [&REQUESTS, &bursar::domain::selection::DECISIONS] {
            let read = Selection::from_text(schema, &format!("kind={kind}"));
            assert!(read.is_ok(), "{}: {kind}: {read:?}", schema.noun);
        }
    }
}

#[test]
fn conditions_hold_on_both_sides_of_their_edges() {
    // The subscription: 25 seats, term end 2027-02-01T00:00Z, 500 EUR, label dunning=renew.
    for (text, wanted) in [
        ("", true),
        ("status=active", true),
        ("status=suspended", false),
        ("status=suspended,active", true),
        ("status=Active", true),
        ("quantity=25", true),
        ("quantity_min=25", true),
        ("quantity_min=26", false),
        ("quantity_max=25", true),
        ("quantity_max=24", false),
        ("term_end=2027-02-01", true),
        ("term_end=2027-02-01T00:00:00Z", true),
        ("term_end_after=2027-02-01", true),
        ("term_end_after=2027-02-01T00:00:01Z", false),
        ("term_end_before=2027-02-01", false),
        ("term_end_before=2027-02-01T00:00:01Z", true),
        ("commitment_end_date_max=2027-02-01", true),
        ("commitmentEndDateMax=2027-02-01", true),
        ("term_end_within=P17D", true),
        ("term_end_within=P16DT23H59M59S", false),
        ("creation_date_within=P1Y", false),
        ("term_duration=P1Y", true),
        ("term_duration=P12M", true),
        ("term_duration=P1M,P3Y", false),
        ("term_duration_min=P1Y", true),
        ("auto_renew_enabled=true", true),
        ("autoRenewEnabled=false", false),
        ("unit_price_min=500 EUR", true),
        ("unit_price_min=500.01 EUR", false),
        ("unit_price_min=1 USD", false),
        ("unit_price_min=1 USD,400 EUR", true),
        ("offer_id=cfq7ttc0lh18:0001:cfq7ttc0k971", true),
        ("tenant={00000000-0000-0000-0000-000000000000}", true),
        ("label.dunning=renew", true),
        ("label.dunning=lapse", false),
        ("label.dunning=", false),
        ("label.confirmed=", true),
        ("label.confirmed=yes", false),
        ("attention=none", true),
        ("parent_subscription_id=00000000-0000-0000-0000-000000000000", false),
        ("suspension_reason=fraud", false),
        ("status=active&quantity_min=20&quantity_max=30", true),
        ("status=active&quantity_min=20&quantity_max=24", false),
    ] {
        assert_eq!(matches(text), wanted, "{text}");
    }
    assert!(!read("term_end_within=P17D").unwrap().matches(&sub(), instant("2027-02-01T00:00:00.000001Z").unwrap()));
    assert!(read("term_end_within=P0D").unwrap().matches(&sub(), instant("2027-02-01T00:00:00Z").unwrap()));
}

#[test]
fn what_is_not_understood_is_refused_with_what_was_meant() {
    for (text, code, part) in [
        ("statsu=active", "unknown_field", "did you mean 'status'?"),
        ("quantty_min=3", "unknown_field", "did you mean 'quantity_min'?"),
        ("termEnds=2027-01-01", "unknown_field", "did you mean 'term_end'?"),
        ("colour=red", "unknown_field", "there are id, tenant, status"),
        ("status_min=active", "unknown_field", "'status' has no _min"),
        ("quantity_within=P1D", "unknown_field", "'quantity' has no _within"),
        ("label.=x", "unknown_field", "no field 'label.'"),
        ("status=actve", "unknown_value", "did you mean 'active'?"),
        ("quantity=many", "bad_value", "'quantity' is a whole number, not 'many'"),
        ("is_trial=1", "bad_value", "true or false"),
        ("quantity_min=1,2", "bad_value", "takes one value"),
        ("quantity_min=1&quantity_min=2", "duplicate_field", "twice"),
        ("term_end=2027-02-30", "bad_date", "2027-02-30"),
        ("term_end_within=30 days", "bad_duration", "30 days"),
        ("unit_price=5", "bad_money", "'5'"),
        ("status", "bad_value", "no condition"),
    ] {
        let refusal = read(text).unwrap_err();
        assert_eq!(refusal.code, code, "{text}: {refusal}");
        assert!(refusal.message.contains(part), "{text}: {refusal}");
    }
    let many = (0..1_001).map(Value::Integer).collect();
    let long = Selection::parse(&SUBSCRIPTIONS, vec![("quantity".to_owned(), Value::List(many))]);
    assert_eq!(long.unwrap_err().code, "bad_value");
    assert_eq!(Selection::from_text(&LEDGER, "label.x=y").unwrap_err().code, "unknown_field");
}

#[test]
fn every_door_reads_the_same_selection_and_its_text_reads_back() {
    let toml: toml::Table = toml::from_str(
        "status = [\"active\", \"suspended\"]\nquantity_min = 3\nterm_end_within = \"P30D\"\ntrial = 1\n\"label.team\" = \"a, b & c=d %\"",
    )
    .unwrap();
    let mut toml = toml;
    toml.remove("trial");
    toml.insert("term_end_before".to_owned(), toml::from_str::<toml::Table>("x = 2027-03-01").unwrap()["x"].clone());
    let from_toml = Selection::from_toml(&SUBSCRIPTIONS, &toml).unwrap();
    let pairs = [
        ("status", "active"),
        ("status", "suspended"),
        ("quantityMin", "3"),
        ("termEndWithin", "P30D"),
        ("commitment_end_date_before", "2027-03-01T01:00:00+01:00"),
    ];
    let mut pairs: Vec<(String, Value)> =
        pairs.iter().map(|(name, text)| ((*name).to_owned(), Value::from_query(text))).collect();
    pairs.push(("label.team".to_owned(), Value::Text("a, b & c=d %".to_owned())));
    let from_pairs = Selection::parse(&SUBSCRIPTIONS, pairs).unwrap();
    assert_eq!(from_toml, from_pairs);
    let text = from_toml.to_string();
    expect_test::expect!["commitment_end_date_before=2027-03-01T00:00:00Z&commitment_end_date_within=P30D&label.team=a%2C%20b%20%26%20c%3Dd%20%25&quantity_min=3&status=active,suspended"]
        .assert_eq(&text);
    assert_eq!(read(&text).unwrap(), from_toml);
    let unquoted: toml::Table = toml::from_str("label.team = \"red\"").unwrap();
    assert_eq!(Selection::from_toml(&SUBSCRIPTIONS, &unquoted).unwrap(), read("label.team=red").unwrap());
    let float: toml::Table = toml::from_str("quantity = 1.5").unwrap();
    assert_eq!(Selection::from_toml(&SUBSCRIPTIONS, &float).unwrap_err().code, "bad_value");
}

#[test]
fn an_index_is_told_the_values_and_the_bounds() {
    let now = instant(NOW).unwrap();
    let at = |text: &str| Scalar::Instant(instant(text).unwrap());
    let selection =
        read("status=active,suspended&term_end_within=P30D&term_end_before=2027-02-01&quantity_min=3").unwrap();
    let words = [Scalar::Text("active".to_owned()), Scalar::Text("suspended".to_owned())];
    assert_eq!(selection.exact("status"), Some(words.as_slice()));
    assert_eq!(selection.exact("quantity"), None);
    let ends = (Bound::Included(at(NOW)), Bound::Excluded(at("2027-02-01T00:00:00Z")));
    assert_eq!(selection.bounds("term_end", now), ends);
    assert_eq!(selection.bounds("commitment_end_date", now), ends);
    assert_eq!(selection.bounds("quantity", now), (Bound::Included(Scalar::Integer(3)), Bound::Unbounded));
    assert_eq!(selection.bounds("window_end", now), (Bound::Unbounded, Bound::Unbounded));
    assert_eq!(
        selection.fields().collect::<Vec<_>>(),
        ["commitment_end_date", "commitment_end_date", "quantity", "status"]
    );
    // Several amounts bound nothing: they are of several currencies.
    let open = Selection::from_text(&REQUESTS, "refund_min=5 EUR,6 USD").unwrap();
    assert_eq!(open.bounds("refund", now), (Bound::Unbounded, Bound::Unbounded));
}

#[test]
fn every_field_of_every_schema_is_there_by_each_of_its_names() {
    for schema in Schema::ALL {
        assert_eq!(Schema::of(schema.noun).map(|found| found.noun), Some(schema.noun));
        for (alias, field) in schema.aliases {
            assert_eq!(schema.canonical(alias), Some(*field), "{}.{alias}", schema.noun);
            assert!(!schema.fields.iter().any(|(name, _)| name == alias), "{}.{alias} is a field too", schema.noun);
        }
        for (index, (name, _)) in schema.fields.iter().enumerate() {
            assert!(!schema.fields[..index].iter().any(|(other, _)| other == name), "{}.{name} twice", schema.noun);
        }
    }
    // A subscription that has everything has every field of its schema: none is declared and forgotten.
    let mut whole = sub();
    whole.standing.next_step_at = Some(instant(NOW).unwrap());
    let profile = Arc::make_mut(&mut whole.profile);
    profile.friendly_name = "x".to_owned();
    profile.product_type = "x".to_owned();
    profile.publisher_name = "x".to_owned();
    profile.parent_subscription_id = Some(whole.id);
    profile.order_id = Some(bursar::domain::OrderId("x".to_owned()));
    profile.partner_id = "5012345".to_owned();
    profile.suspension_reason = Some(bursar::domain::change::Reason::Fraud);
    use bursar::domain::selection::Fields;
    // Whether a list shows it, its terms tell and not the record.
    for (name, _) in SUBSCRIPTIONS.fields.iter().filter(|(name, _)| *name != "listed") {
        assert!(whole.field(name).is_some(), "subscriptions.{name}");
    }
    let tenant = bursar::domain::Tenant {
        id: whole.tenant,
        generation: 1,
        company_name: "Contoso".to_owned(),
        domain: "contoso.onmicrosoft.com".to_owned(),
        country: "NL".to_owned(),
        account: bursar::domain::tenant::Account {
            overdue: vec!["5 EUR".parse().unwrap()],
            since: Some(instant(NOW).unwrap()),
        },
        labels: std::collections::BTreeMap::new(),
        opened_at: Some(instant(NOW).unwrap()),
        ..bursar::domain::Tenant::default()
    };
    for (name, _) in TENANTS.fields {
        assert!(tenant.field(name).is_some(), "tenants.{name}");
    }
    let overdue = Selection::from_text(&TENANTS, "overdue=true&country=nl&domain=CONTOSO.onmicrosoft.com").unwrap();
    assert!(overdue.matches(&tenant, instant(NOW).unwrap()));
}
