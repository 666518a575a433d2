//! Partner Center's JSON: what is read from it, what records become by it, and what is shown again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::fs;

use bursar::domain::change::{Amendments, Reason};
use bursar::domain::ids::{Guid, Id, Noun};
use bursar::domain::quote::Effect;
use bursar::domain::subscription::{Attention, Status};
use bursar::domain::terms::Terms;
use bursar::domain::{Change, Instant, Span, Subscription, TenantId, calendar};
use bursar::json::{self, Value};
use bursar::partner_center::merge::{Import, Merged};
use bursar::partner_center::read::{Document, Fact, read_document};
use bursar::partner_center::subscriptions::SubscriptionFact;
use bursar::partner_center::subscriptions_write::{Shown, subscription};
use bursar::partner_center::{
    catalog, customers, offers, orders, orders_write, relative, subscriptions_merge, upstream, write,
};
use proptest::prelude::*;

const TENANT: &str = "6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01";

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/partner_center/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap()
}

fn read(name: &str) -> Document {
    read_document(&fixture(name), None).unwrap()
}

fn at(text: &str) -> Instant {
    calendar::instant(text).unwrap()
}

fn import() -> Import {
    Import { now: at("2026-11-20T12:00:00Z"), newer_here: false, overwrite: false }
}

fn subscription_facts(name: &str) -> Vec<SubscriptionFact> {
    let document = read(name);
    let facts = document.facts().map(|fact| match fact {
        Fact::Subscription(fact) => (**fact).clone(),
        other => panic!("{} is no subscription", other.noun()),
    });
    facts.collect()
}

fn merged(before: Option<&Subscription>, fact: &SubscriptionFact, import: &Import) -> Merged<Subscription> {
    subscriptions_merge::merge(&Terms::builtin().unwrap(), before, fact, fact.tenant.unwrap_or_default(), import)
}

fn imported(index: usize) -> Subscription {
    merged(None, &subscription_facts("subscriptions.json")[index], &import()).record
}

fn fact_of(text: &str) -> SubscriptionFact {
    match read_document(text, None).unwrap().rows.swap_remove(0).read.unwrap() {
        Fact::Subscription(fact) => *fact,
        other => panic!("{} is no subscription", other.noun()),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name} of {value}"))
}

#[test]
fn customers_are_read_in_any_case_and_a_password_is_never_kept() {
    let document = read("customers.json");
    assert_eq!(document.total_count, Some(2));
    assert_eq!(document.next.as_deref(), Some("/v1/customers?size=2&seekOperation=Next"));
    let tenants: Vec<_> = document
        .facts()
        .map(|fact| match fact {
            Fact::Customer(fact) => customers::merge(None, fact, &import()).record,
            other => panic!("{}", other.noun()),
        })
        .collect();
    assert_eq!(tenants[0].id.to_string(), TENANT);
    assert_eq!((tenants[0].company_name.as_str(), tenants[0].country.as_str()), ("Brauhaus am Markt GmbH", "DE"));
    assert_eq!(tenants[0].domain, "brauhaus.onmicrosoft.com");
    assert!(!format!("{:?}", tenants[0]).contains("never-to-be-kept"));
    assert_eq!(tenants[1].company_name, "Atelier");
    assert_eq!(tenants[1].extra["id"], "\"customer-without-guid\"");
    assert_eq!(tenants[1].id, TenantId(Guid::derive(b"tenant:customer-without-guid")));
    let shown = customers::customer(&tenants[0]);
    assert_eq!(text(shown.get("companyProfile").unwrap(), "organizationRegistrationNumber"), "HRB 1234");
    assert_eq!(shown.get("allowDelegatedAccess"), Some(&Value::Bool(true)));
    assert_eq!(text(shown.get("attributes").unwrap(), "etag"), "1");
    assert_eq!(text(shown.get("links").unwrap().get("self").unwrap(), "uri"), format!("/customers/{TENANT}"));
}

#[test]
fn a_company_profile_alone_is_about_its_customer() {
    let body = r#"{"tenantId":"6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01","domain":"d.example","companyName":"New Name",
        "address":{"country":"AT"},"attributes":{"objectType":"CustomerCompanyProfile"}}"#;
    let Ok(Fact::Customer(fact)) = &read_document(body, None).unwrap().rows[0].read else { panic!() };
    let Ok(Fact::Customer(before)) = &read("customers.json").rows[0].read else { panic!() };
    let before = customers::merge(None, before, &import()).record;
    let after = customers::merge(Some(&before), fact, &import());
    assert_eq!(after.record.company_name, "New Name");
    assert_eq!(after.record.country, "AT");
    assert_eq!(after.record.generation, 2);
    assert!(after.record.extra.contains_key("billingProfile"), "absent stays");
}

#[test]
fn every_family_is_told_from_what_the_row_says() {
    let families: Vec<String> = (0..5).map(|index| imported(index).profile.family.clone()).collect();
    assert_eq!(families, ["license_new", "software_subscription", "license_legacy", "saas_license", "saas_metered"]);
    let family = |more: &str| {
        let row = format!(
            r#"{{"id":"a0000000-0000-4000-8000-000000000009","status":"active","commitmentEndDate":null,
            "effectiveStartDate":"2026-01-01T00:00:00Z"{more}}}"#
        );
        merged(None, &fact_of(&row), &import()).record.profile.family.clone()
    };
    assert_eq!(family(r#","productType":"Software""#), "software_perpetual");
    assert_eq!(
        family(r#","productType":{"id":"Software"},"billingCycle":"one_time","termDuration":"""#),
        "software_perpetual"
    );
    assert_eq!(family(r#","productType":{"id":"SaaS"}"#), "saas_license");
    assert_eq!(family(r#","targetView":"SoftwareSUSELinux","productType":{"id":"Software"}"#), "linux_plan");
    assert_eq!(family(r#","targetView":"SoftwareRedHatLinux","productType":{"id":"Software"}"#), "linux_plan");
    for publisher in ["SUSE", "Red Hat, Inc.", "RedHat"] {
        let row = format!(r#","productType":{{"id":"Software"}},"termDuration":"P1Y","publisherName":"{publisher}""#);
        assert_eq!(family(&row), "linux_plan", "{publisher}");
    }
    assert_eq!(family(r#","productType":{"id":"SaaS"},"publisherName":"SUSE""#), "saas_license");
    assert_eq!(family(r#","targetView":"OnPremisesSoftware","productType":{"id":"Software"}"#), "on_premises_software");
    assert_eq!(
        family(r#","productType":{"id":"Software"},"billingCycle":"triennial","termDuration":"P3Y""#),
        "software_subscription"
    );
    assert_eq!(family(r#","productType":{"id":"OnlineServicesNCE"}"#), "license_new");
    assert_eq!(
        family(r#","productType":{"id":"OnlineServices"},"offerId":"CFQ7TTC0LH18:0001:CFQ7TTC0K971""#),
        "license_new"
    );
    let legacy = r#","productType":"OnlineServices","offerId":"031C9E47-4802-4248-838E-778FB1D2CC05""#;
    assert_eq!(family(legacy), "license_legacy");
    let offer = r#","offerId":"031C9E47-4802-4248-838E-778FB1D2CC05","billingType":"license""#;
    assert_eq!(family(offer), "license_legacy");
    assert_eq!(family(r#","offerId":"MS-AZR-0145P","billingType":"usage""#), "saas_metered");
    assert_eq!(family(r#","productType":{"id":"SaaS"},"billingType":"usage""#), "saas_metered");
    assert_eq!(family(r#","productType":{"id":"Azure"}"#), "saas_metered");
    assert_eq!(family(r#","productType":{"id":"AzureReservation"}"#), "reservation");
    assert_eq!(family(r#","targetView":"AzureReservationsVM","productType":{"id":"Azure"}"#), "reservation");
    assert_eq!(family(r#","productType":{"id":"SomethingNew"}"#), "unknown");
    // Old rows of licences say nothing of a product, and that they are billed in no way.
    let bare = r#","offerId":"031C9E47-4802-4248-838E-778FB1D2CC05""#;
    for (more, told) in [
        ("", "license_legacy"),
        (r#","billingType":"none""#, "license_legacy"),
        (r#","billingType":"none","publisherName":"Microsoft Corporation""#, "license_legacy"),
        (r#","billingType":"none","publisherName":"Fabrikam""#, "saas_license"),
        (r#","billingType":"usage""#, "saas_metered"),
        (r#","billingType":"benefit""#, "unknown"),
        (r#","billingType":"none","productType":{"id":"SomethingNew"}"#, "unknown"),
    ] {
        assert_eq!(family(&format!("{bare}{more}")), told, "{more}");
    }
    let linked = r#","billingType":"none","links":{"offer":{"uri":"/v1/offers/0CCA44D6-68E9-4762-94EE-31ECE98783B9"}}"#;
    assert_eq!(family(linked), "license_legacy");
    assert_eq!(family(""), "unknown");
}

#[test]
fn ends_are_the_first_instant_after_the_term_by_family() {
    let ends: Vec<_> = (0..5).map(|index| imported(index).standing.term_end.map(calendar::show)).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        ends,
        [
            some("2027-03-31T00:00:00Z"), // the exact end is told beside the day
            some("2029-02-10T00:00:00Z"), // the last day counts whole
            some("2027-01-15T00:00:00Z"), // legacy: the day itself is the first after
            some("2026-12-02T00:00:00Z"),
            None, // the year 9999
        ]
    );
}

#[test]
fn windows_become_the_first_late_instant() {
    let windows: Vec<_> = (0..5).map(|index| imported(index).standing.window_end.map(calendar::show)).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        windows,
        [
            some("2026-04-07T10:15:30Z"), // the last second and one more
            some("2026-03-13T00:00:00Z"), // the last minute of a day
            None,
            some("2026-11-03T09:30:00Z"), // a refund's expiry is already too late
            None,
        ]
    );
    let batches = &imported(0).profile.seat_batches;
    assert_eq!(batches.len(), 1);
    assert_eq!(calendar::show(batches[0].allowed_until), "2026-11-24T09:00:00Z");
    assert_eq!(calendar::show(batches[0].added_at), "2026-11-17T09:00:00Z");
}

#[test]
fn an_anchor_is_the_day_of_the_first_start_and_cycles_count_from_it() {
    let first = imported(0);
    assert_eq!(first.profile.anchor_day, 31);
    assert_eq!(calendar::show(first.standing.cycle_end.unwrap()), "2026-11-30T00:00:00Z");
    assert_eq!(first.profile.next_term.quantity, Some(10));
    assert_eq!(first.profile.term_duration, Some(Span::months(12)));
    let odd = imported(1);
    assert_eq!((odd.standing.quantity, odd.standing.status), (4, Status::Active));
    assert_eq!((odd.profile.billing_cycle.as_str(), odd.profile.billing_type.as_str()), ("one_time", "license"));
    assert_eq!(calendar::show(odd.profile.purchased_at), "2026-02-10T06:41:12Z");
}

#[test]
fn a_renewed_term_starts_one_length_before_its_end() {
    let row = |start: &str, end: &str| {
        let text = format!(
            r#"{{"id":"a0000000-0000-4000-8000-000000000009","productType":"OnlineServicesNCE","termDuration":"P1M",
            "billingCycle":"monthly","quantity":1,"status":"active","creationDate":"{start}","effectiveStartDate":"{start}",
            "commitmentEndDate":"{end}"}}"#
        );
        merged(None, &fact_of(&text), &Import { now: at("2026-03-01T00:00:00Z"), ..import() }).record.standing
    };
    let renewed = row("2026-01-31T10:00:00Z", "2026-03-30T00:00:00Z");
    assert_eq!(calendar::show(renewed.term_start), "2026-02-28T00:00:00Z");
    assert_eq!(calendar::show(renewed.term_end.unwrap()), "2026-03-31T00:00:00Z");
    assert_eq!(calendar::show(renewed.window_end.unwrap()), "2026-03-07T00:00:00Z", "the renewal's own window");
    let first = row("2026-02-28T10:00:00Z", "2026-03-27T00:00:00Z");
    assert_eq!(calendar::show(first.term_start), "2026-02-28T00:00:00Z");
    assert_eq!(calendar::show(first.window_end.unwrap()), "2026-03-07T10:00:00Z", "the purchase's window");
}

#[test]
fn a_tenant_comes_from_the_links_then_the_path_then_the_file() {
    let facts = subscription_facts("subscriptions.json");
    assert_eq!(facts[0].tenant.unwrap().to_string(), TENANT, "the collection's own address");
    assert_eq!(facts[2].tenant.unwrap().to_string(), "6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a99", "the row's own link");
    let bare = r#"{"id":"a0000000-0000-4000-8000-000000000009","autoRenewEnabled":true}"#;
    assert_eq!(fact_of(bare).tenant, None);
    let path = format!("/v1/customers/{TENANT}/subscriptions");
    let Ok(Fact::Subscription(fact)) = &read_document(bare, Some(&path)).unwrap().rows[0].read else { panic!() };
    assert_eq!(fact.tenant.unwrap().to_string(), TENANT);
    let Ok(Fact::Subscription(fact)) = &read_document(bare, Some("/home/customers/x.json")).unwrap().rows[0].read
    else {
        panic!()
    };
    assert_eq!(fact.tenant, None, "a folder's name is no tenant");
}

#[test]
fn a_recorded_call_is_read_request_and_answer() {
    let facts = subscription_facts("recorded.http");
    assert_eq!(facts.len(), 2);
    for fact in &facts {
        assert_eq!(fact.id.to_string(), "a0000000-0000-4000-8000-000000000001");
        assert_eq!(fact.tenant.unwrap().to_string(), TENANT);
        assert_eq!(fact.quantity, Some(14));
    }
    let failed = "HTTP/1.1 404 Not Found\nContent-Type: application/json\n\n{\"code\":600009,\"description\":\"no\"}";
    let document = read_document(failed, None).unwrap();
    assert_eq!(document.refusals().next().unwrap().1.code, "not_importable");
    assert!(read_document("HTTP/1.1 204 No Content\n\n", None).unwrap().rows.is_empty());
}

#[test]
fn fields_present_replace_ours_and_absent_ones_stay() {
    let before = imported(0);
    let patch = &subscription_facts("recorded.http")[1];
    let after = merged(Some(&before), patch, &import());
    assert_eq!(after.changed, ["quantity"]);
    assert_eq!(after.record.standing.quantity, 14);
    assert_eq!(after.record.standing.generation, before.standing.generation + 1);
    assert_eq!(after.record.profile, before.profile);
    let again = merged(Some(&after.record), patch, &import());
    assert!(again.changed.is_empty(), "{:?}", again.changed);
    assert_eq!(again.record, after.record, "importing the same again moves nothing, not even the generation");
}

#[test]
fn what_changed_here_since_is_a_conflict_unless_told_to_overwrite() {
    let before = imported(0);
    let patch = &subscription_facts("recorded.http")[1];
    let newer = merged(Some(&before), patch, &Import { newer_here: true, ..import() });
    assert_eq!(newer.record.standing.quantity, 12);
    assert!(newer.changed.is_empty());
    let conflicts: Vec<_> = newer.conflicts.iter().map(|c| (c.field, c.ours.as_str(), c.theirs.as_str())).collect();
    assert_eq!(conflicts, [("quantity", "12", "14")]);
    let forced = merged(Some(&before), patch, &Import { newer_here: true, overwrite: true, ..import() });
    assert_eq!((forced.record.standing.quantity, forced.conflicts.len()), (14, 0));
}

#[test]
fn an_active_subscription_whose_end_has_passed_is_marked_from_its_very_end_on() {
    let fact = &subscription_facts("subscriptions.json")[3];
    let end = at("2026-12-02T00:00:00Z");
    let before = merged(None, fact, &Import { now: end - chrono::TimeDelta::microseconds(1), ..import() });
    assert_eq!(before.record.standing.attention, None);
    let after = merged(None, fact, &Import { now: end, ..import() });
    assert_eq!(after.record.standing.attention, Some(Attention::TermEndPassed));
    let mut later = fact.clone();
    later.term_end = Some(bursar::partner_center::subscriptions::Ending::Exact(at("2027-01-02T00:00:00Z")));
    let mended = merged(Some(&after.record), &later, &Import { now: end, ..import() });
    assert_eq!(mended.record.standing.attention, None);
    assert_eq!(calendar::show(mended.record.standing.term_start), "2026-12-02T00:00:00Z");
}

#[test]
fn unknown_words_are_kept_and_shown_as_they_came() {
    let odd = imported(2);
    assert_eq!(odd.standing.status, Status::Unknown);
    let shown = subscription(&odd, &Shown::default());
    assert_eq!(text(&shown, "status"), "resting");
    let first = subscription(&imported(0), &Shown::default());
    assert_eq!((text(&first, "partnerId"), text(&first, "contractType")), ("1234567", "subscription"));
    assert_eq!(text(first.get("productType").unwrap(), "displayName"), "Online services");
}

#[test]
fn a_subscription_is_shown_with_the_dates_the_documentation_shows() {
    let shown = subscription(&imported(0), &Shown { actions: vec!["edit", "cancel"], ..Shown::default() });
    for (name, want) in [
        ("commitmentEndDate", "2027-03-30T00:00:00Z"),
        ("commitmentEndDateTime", "2027-03-30T23:59:59Z"),
        ("cancellationAllowedUntilDate", "2026-04-07T10:15:29Z"),
        ("termDuration", "P1Y"),
        ("status", "active"),
    ] {
        assert_eq!(text(&shown, name), want, "{name}");
    }
    assert_eq!(shown.get("actions").unwrap().to_string(), r#"["edit","cancel"]"#);
    let next = shown.get("scheduledNextTermInstructions").unwrap();
    assert_eq!(next.get("quantity").unwrap().as_i64(), Some(10));
    assert_eq!(text(next.get("product").unwrap(), "productId"), "CFQ7TTC0LH18");
    let by_day = Shown { window_ends_with_day: true, ..Shown::default() };
    assert_eq!(text(&subscription(&imported(1), &by_day), "cancellationAllowedUntilDate"), "2026-03-12T23:59:00Z");
    assert_eq!(text(&subscription(&imported(2), &by_day), "commitmentEndDate"), "2027-01-15T00:00:00Z", "legacy");
}

#[test]
fn what_is_shown_reads_back_as_the_same_record() {
    for index in 0..5 {
        let record = imported(index);
        let shown = subscription(&record, &Shown::default()).to_string();
        let again = merged(Some(&record), &fact_of(&shown), &import());
        assert!(again.changed.is_empty(), "row {index} changed {:?}\n{shown}", again.changed);
        assert_eq!(again.record, record);
    }
}

#[test]
fn an_order_tells_exact_prices() {
    let document = read("order.json");
    let Ok(Fact::Order(fact)) = &document.rows[0].read else { panic!() };
    let order = orders::merge(None, fact, fact.tenant.unwrap(), &import()).record;
    let prices: Vec<String> = orders::prices(&order).map(|(id, price)| format!("{id} {price}")).collect();
    assert_eq!(
        prices,
        ["a0000000-0000-4000-8000-000000000001 5.6000 EUR", "d0000000-0000-4000-8000-000000000004 19.90 EUR"]
            .map(|text| text.replace("5.6000", "5.6").to_owned())
    );
    let shown = orders_write::order(&order, "");
    assert_eq!(text(&shown, "currencyCode"), "EUR");
    let line = &shown.get("lineItems").unwrap().as_array().unwrap()[0];
    assert_eq!(line.get("pricing").unwrap().get("extendedPrice").unwrap().to_string(), "67.2");
    let Ok(Fact::Order(again)) = &read_document(&shown.to_string(), None).unwrap().rows[0].read else { panic!() };
    let again = orders::merge(Some(&order), again, order.tenant, &import());
    assert_eq!((again.changed, again.record), (vec![], order));
}

#[test]
fn a_cancelled_line_leaves_the_others_as_they_are() {
    let Ok(Fact::Order(fact)) = &read("order.json").rows[0].read else { panic!() };
    let before = orders::merge(None, fact, fact.tenant.unwrap(), &import()).record;
    let body = r#"{"id":"Zk3NrmQ0exampleOrder1","lineItems":[{"lineItemNumber":1,"quantity":0}]}"#;
    let Ok(Fact::Order(patch)) = &read_document(body, None).unwrap().rows[0].read else { panic!() };
    let after = orders::merge(Some(&before), patch, before.tenant, &import());
    let seats: Vec<i64> = after.record.line_items.iter().map(|line| line.quantity).collect();
    assert_eq!((seats, after.record.status.as_str()), (vec![12, 0], "completed"));
    assert_eq!(after.record.line_items[1].unit_price, before.line_items[1].unit_price);
}

#[test]
fn offers_products_skus_and_prices_are_told_apart() {
    let document = read("offers.json");
    let nouns: Vec<&str> = document.facts().map(Fact::noun).collect();
    assert_eq!(nouns, ["offer", "offer", "offer", "price"]);
    let products: Vec<_> = document
        .facts()
        .filter_map(|fact| match fact {
            Fact::Offer(fact) => Some(offers::merge(None, fact, &import()).record),
            _ => None,
        })
        .collect();
    assert_eq!(products[0].family, "license_legacy");
    assert_eq!((products[0].minimum_quantity, products[0].maximum_quantity), (Some(1), Some(300)));
    assert_eq!((products[1].id.as_str(), products[1].family.as_str()), ("DG7GMGF0DVT9", "software_perpetual"));
    assert_eq!(products[2].id, "DG7GMGF0DVT9:0002");
    assert_eq!(products[2].supported_billing_cycles, ["one_time", "triennial"]);
    assert_eq!(catalog::offer(&products[0]).get("limit").unwrap().as_i64(), Some(0));
    let Ok(Fact::Price(price)) = &document.rows[3].read else { panic!() };
    assert_eq!(price.price.product, "CFQ7TTC0LH18:0001");
    assert_eq!(price.price.unit_price.to_string(), "5.60 EUR");
    assert_eq!(price.price.billing_cycle.as_deref(), Some("monthly"));
}

#[test]
fn what_is_none_of_ours_is_refused_row_by_row() {
    let document = read("foreign.json");
    let codes: Vec<String> = document.refusals().map(|(place, refusal)| format!("{place} {}", refusal.code)).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    assert_eq!(document.rows.len(), 10);
    assert_eq!(document.facts().count(), 0);
    assert_eq!(codes[4], "[4] missing_id");
    assert_eq!(codes.iter().filter(|code| code.ends_with(" not_importable")).count(), 9);
    let looks: Vec<&str> = document.refusals().map(|(_, refusal)| refusal.message.as_str()).collect();
    assert!(looks[0].contains("webhook event") && looks[1].contains("ServiceRequest"), "{looks:?}");
    assert!(looks[2].contains("invoice") && looks[3].contains("cart"), "{looks:?}");
}

#[test]
fn only_text_that_is_no_json_refuses_the_document() {
    for (body, code) in [
        ("{", "invalid_json"),
        ("", "invalid_json"),
        (r#"{"id":1,"id":2}"#, "duplicate_key"),
        ("POST /v1/orders HTTP/1.1\n\n{\"a\":}", "invalid_json"),
    ] {
        assert_eq!(read_document(body, None).unwrap_err().code, code, "{body}");
    }
}

#[test]
fn a_field_that_cannot_be_read_is_kept_and_noted() {
    let body = r#"{"id":"a0000000-0000-4000-8000-000000000009","autoRenewEnabled":"perhaps","quantity":-3,
        "commitmentEndDate":"soon","orderId":"{id-for-order}"}"#;
    let document = read_document(body, None).unwrap();
    let Ok(Fact::Subscription(fact)) = &document.rows[0].read else { panic!() };
    assert_eq!(
        (fact.auto_renew_enabled, fact.quantity, fact.term_end, fact.order_id.clone()),
        (None, None, None, None)
    );
    assert_eq!(fact.extra["commitmentEndDate"], "\"soon\"");
    assert_eq!(fact.extra["quantity"], "-3");
    assert_eq!(document.rows[0].notes.len(), 3, "{:?}", document.rows[0].notes);
}

#[test]
fn every_change_has_its_call_upstream() {
    let sub = imported(0);
    let request = Id::derive(Noun::Request, 1_800_000_000_000, b"seed");
    let path = format!("/v1/customers/{TENANT}/subscriptions/{}", sub.id);
    let body = |change: &Change, effect| {
        let call = upstream::call(change, &Amendments::default(), effect, &sub, request);
        assert_eq!((call.method, &call.path), ("PATCH", &path));
        call.body
    };
    let end = sub.standing.term_end.unwrap();
    assert_eq!(text(&body(&Change::Suspension { reason: Reason::NonPayment }, Effect::Now), "status"), "suspended");
    assert_eq!(text(&body(&Change::Reactivation {}, Effect::Now), "status"), "active");
    let cancel = Change::Cancellation { reason: Reason::CustomerRequest };
    assert_eq!(text(&body(&cancel, Effect::Now), "status"), "deleted");
    let late = body(&cancel, Effect::StopRenewal);
    assert_eq!((late.get("autoRenewEnabled"), late.get("status")), (Some(&Value::Bool(false)), None));
    assert_eq!(body(&Change::Quantity { quantity: 9 }, Effect::Now).get("quantity").unwrap().as_i64(), Some(9));
    let plain = body(&Change::Renewal { term_end: end, amendments: Amendments::default() }, Effect::Later);
    assert_eq!(plain.get("autoRenewEnabled"), Some(&Value::Bool(true)));
    assert_eq!(plain.get("scheduledNextTermInstructions"), None);
    let amendments = Amendments { quantity: Some(8), ..Amendments::default() };
    let amended = body(&Change::Renewal { term_end: end, amendments }, Effect::Later);
    let next = amended.get("scheduledNextTermInstructions").unwrap();
    assert_eq!(next.get("quantity").unwrap().as_i64(), Some(8));
    let once = upstream::call(&cancel, &Amendments::default(), Effect::Now, &sub, request).ms_request_id;
    let other = Id::derive(Noun::Request, 1_800_000_000_000, b"other");
    assert_eq!(once, upstream::call(&cancel, &Amendments::default(), Effect::Now, &sub, request).ms_request_id);
    assert_ne!(once, upstream::call(&cancel, &Amendments::default(), Effect::Now, &sub, other).ms_request_id);
}

#[test]
fn an_import_shows_whether_a_change_has_happened_upstream() {
    let sub = imported(0);
    let end = sub.standing.term_end.unwrap();
    let shown = |change: &Change, effect, more: &str| {
        let fact = fact_of(&format!(r#"{{"id":"{}","entitlementId":"x"{more}}}"#, sub.id));
        upstream::shown(change, &Amendments::default(), effect, &sub, &fact)
    };
    let cancel = Change::Cancellation { reason: Reason::CustomerRequest };
    let suspend = Change::Suspension { reason: Reason::NonPayment };
    let ten = Amendments { quantity: Some(10), ..Amendments::default() };
    let renew = |amendments: Amendments| Change::Renewal { term_end: end, amendments };
    let same_end = r#","commitmentEndDate":"2027-03-30T00:00:00Z","autoRenewEnabled":true"#;
    let instructed = format!(r#"{same_end},"scheduledNextTermInstructions":{{"quantity":10}}"#);
    for (change, effect, more, want) in [
        (&suspend, Effect::Now, r#","status":"suspended""#, Some(true)),
        (&suspend, Effect::Now, r#","status":"active""#, Some(false)),
        (&suspend, Effect::Now, r#","quantity":3"#, None),
        (&cancel, Effect::Now, r#","status":"deleted""#, Some(true)),
        (&cancel, Effect::StopRenewal, r#","status":"active","autoRenewEnabled":false"#, Some(true)),
        (&Change::Quantity { quantity: 3 }, Effect::Now, r#","quantity":3"#, Some(true)),
        (&Change::Quantity { quantity: 3 }, Effect::Now, r#","quantity":4"#, Some(false)),
        (&renew(Amendments::default()), Effect::Later, same_end, Some(true)),
        (&renew(ten.clone()), Effect::Later, same_end, Some(false)),
        (&renew(ten.clone()), Effect::Later, &instructed, Some(true)),
        (&renew(ten), Effect::Later, r#","commitmentEndDate":"2028-03-30T00:00:00Z""#, Some(true)),
    ] {
        assert_eq!(shown(change, effect, more), want, "{change:?} {more}");
    }
}

#[test]
fn an_expired_subscription_waits_to_be_disabled_only_if_that_is_still_to_come() {
    let mut fact = subscription_facts("subscriptions.json")[0].clone();
    fact.status = Some(Status::Expired);
    let disabled = at("2027-04-30T00:00:00Z");
    let before = merged(None, &fact, &Import { now: disabled - chrono::TimeDelta::seconds(1), ..import() });
    assert_eq!(before.record.standing.next_step_at, Some(disabled));
    assert_eq!(before.record.standing.attention, None, "it is no longer active");
    let after = merged(None, &fact, &Import { now: disabled, ..import() });
    assert_eq!(after.record.standing.next_step_at, None);
}

#[test]
fn an_id_that_is_no_guid_is_derived_the_same_each_time_and_told_upstream_as_it_came() {
    let fact = fact_of(r#"{"id":"SUB-7","customerId":"6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01","autoRenewEnabled":true}"#);
    assert_eq!(fact.id.0, Guid::derive(b"subscription:SUB-7"));
    let sub = merged(None, &fact, &import()).record;
    let request = Id::derive(Noun::Request, 0, b"x");
    let call = upstream::call(&Change::Reactivation {}, &Amendments::default(), Effect::Now, &sub, request);
    assert_eq!(call.path, format!("/v1/customers/{TENANT}/subscriptions/SUB-7"));
    assert_eq!(text(&call.body, "id"), "SUB-7");
}

#[test]
fn customers_shown_read_back_as_the_same_record() {
    for fact in read("customers.json").facts() {
        let Fact::Customer(fact) = fact else { panic!("{}", fact.noun()) };
        let record = customers::merge(None, fact, &import()).record;
        let shown = customers::customer(&record).to_string();
        let again = read_document(&shown, None).unwrap();
        let Ok(Fact::Customer(again)) = &again.rows[0].read else { panic!("{shown}") };
        let again = customers::merge(Some(&record), again, &import());
        assert_eq!(again.record.id, record.id);
        assert!(again.changed.iter().all(|field| *field == "extra"), "{:?}", again.changed);
        let settled = customers::customer(&again.record).to_string();
        assert_eq!(settled.replace("\"etag\":\"2\"", "\"etag\":\"1\""), shown, "nothing is shown differently");
    }
}

#[test]
fn a_perpetual_purchase_is_cancelled_at_its_order() {
    let row = r#"{"id":"a0000000-0000-4000-8000-000000000009","customerId":"6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01",
        "productType":"Software","billingCycle":"one_time","orderId":"Order-7","status":"active","quantity":1,
        "offerId":"DG7:0001:DG8","lineItemNumber":2}"#;
    let sub = merged(None, &fact_of(row), &import()).record;
    let cancel = Change::Cancellation { reason: Reason::CustomerRequest };
    let request = Id::derive(Noun::Request, 0, b"x");
    let call = upstream::call(&cancel, &Amendments::default(), Effect::Now, &sub, request);
    assert_eq!(call.path, format!("/v1/customers/{TENANT}/orders/Order-7"));
    assert_eq!(text(&call.body, "status"), "cancelled");
    let line = &call.body.get("lineItems").unwrap().as_array().unwrap()[0];
    assert_eq!(line.get("lineItemNumber").unwrap().as_i64(), Some(2));
}

#[test]
fn a_collection_has_the_documented_shape() {
    let page = write::collection(vec![Value::Null], 7, &[("self", "/v1/customers")]).to_string();
    assert_eq!(
        page,
        r#"{"totalCount":7,"items":[null],"links":{"self":{"uri":"/v1/customers","method":"GET","headers":[]}},"#
            .to_owned()
            + r#""attributes":{"objectType":"Collection"}}"#
    );
}

#[test]
fn relative_dates_become_instants_and_other_placeholders_stay() {
    let now = at("2026-11-20T12:34:56Z");
    let resolved =
        relative::resolve("{{now}} {{now+2s}} {{ now-30d }} {{today+P1Y}} {{CustomerId}} {{ {{nowhere}}", now);
    assert_eq!(
        resolved.unwrap(),
        "2026-11-20T12:34:56Z 2026-11-20T12:34:58Z 2026-10-21T12:34:56Z 2027-11-20T00:00:00Z {{CustomerId}} {{ {{nowhere}}"
    );
    for bad in ["{{now+}}", "{{now+2x}}", "{{now+99999999999s}}", "{{now-P9000Y}}"] {
        assert_eq!(relative::resolve(bad, now).unwrap_err().code, "bad_placeholder", "{bad}");
    }
}

#[test]
fn the_demo_is_a_whole_book_with_terms_that_end_at_once() {
    let now = import().now;
    let load = |name: &str| {
        let text = fs::read_to_string(format!("{}/examples/demo/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let document = read_document(&relative::resolve(&text, now).unwrap(), None).unwrap();
        assert_eq!(document.refusals().count(), 0, "{name}");
        assert!(document.rows.iter().all(|row| row.notes.is_empty()), "{name}");
        document
    };
    let customers: Vec<_> = load("customers.json")
        .facts()
        .map(|fact| match fact {
            Fact::Customer(fact) => customers::merge(None, fact, &import()).record,
            other => panic!("{}", other.noun()),
        })
        .collect();
    let owing: Vec<String> =
        customers.iter().flat_map(|tenant| &tenant.account.overdue).map(ToString::to_string).collect();
    assert_eq!((customers.len(), owing), (6, vec!["480.00 GBP".to_owned()]));
    let mut prices = std::collections::BTreeMap::new();
    for fact in load("orders.json").facts() {
        let Fact::Order(fact) = fact else { panic!("{}", fact.noun()) };
        let order = orders::merge(None, fact, fact.tenant.unwrap(), &import()).record;
        prices.extend(orders::prices(&order));
    }
    let (mut soon, mut marked, mut open_windows) = (0, 0, 0);
    let document = load("subscriptions.json");
    assert_eq!(document.facts().count(), 25);
    for fact in document.facts() {
        let Fact::Subscription(fact) = fact else { panic!("{}", fact.noun()) };
        let sub = merged(None, fact, &import()).record;
        assert!(customers.iter().any(|tenant| tenant.id == sub.tenant), "{} has a customer", sub.id);
        assert!(prices.contains_key(&sub.id), "{} has a price", sub.id);
        assert!(["software_subscription", "license_new", "saas_license"].contains(&sub.profile.family.as_str()));
        let standing = sub.standing;
        let end = standing.term_end.unwrap();
        soon += usize::from(end > now && end <= now + chrono::TimeDelta::seconds(61));
        marked += usize::from(standing.attention == Some(Attention::TermEndPassed));
        open_windows += usize::from(standing.window_end.is_some_and(|window| window > now));
        assert!(standing.attention.is_some() || standing.cycle_end.is_some_and(|cycle| cycle > now), "{standing:?}");
    }
    assert_eq!((soon, marked), (7, 1));
    assert!(open_windows >= 4, "{open_windows} windows are open");
}

fn everything_done_with(text: &str) {
    let Ok(document) = read_document(text, Some("/customers/6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01/x")) else { return };
    let terms = Terms::builtin().unwrap();
    for fact in document.facts() {
        let shown = match fact {
            Fact::Customer(fact) => customers::customer(&customers::merge(None, fact, &import()).record),
            Fact::Order(fact) => {
                orders_write::order(&orders::merge(None, fact, fact.tenant.unwrap_or_default(), &import()).record, "")
            }
            Fact::Offer(fact) => catalog::offer(&offers::merge(None, fact, &import()).record),
            Fact::Price(_) => continue,
            Fact::Subscription(fact) => {
                let tenant = fact.tenant.unwrap_or_default();
                let merged = subscriptions_merge::merge(&terms, None, fact, tenant, &import());
                subscription(&merged.record, &Shown::default())
            }
        };
        json::parse_up_to(shown.to_string().as_bytes(), usize::MAX).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_bodies_never_panic(
        name in prop::sample::select(vec!["customers.json", "subscriptions.json", "order.json", "offers.json", "recorded.http"]),
        cuts in prop::collection::vec((0usize..6000, 0usize..30, "[ -~]{0,12}"), 1..4),
    ) {
        let mut text = fixture(name);
        for (start, length, insert) in cuts {
            let start = start % text.len().max(1);
            let end = (start + length).min(text.len());
            text.replace_range(start..end, &insert);
        }
        everything_done_with(&text);
    }

    #[test]
    fn mutated_values_never_panic(
        index in 0usize..5,
        field in "(quantity|creationDate|effectiveStartDate|commitmentEndDate|commitmentEndDateTime|billingCycleEndDate|cancellationAllowedUntilDate|termDuration|status|refundableQuantity|productType|links|id|unitPrice)",
        value in prop_oneof![
            Just("null".to_owned()), Just("[]".to_owned()), Just("{}".to_owned()), Just("\"\"".to_owned()),
            "-?[1-9][0-9]{0,30}", "\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+][0-9]{4})?\"",
            "\"P[0-9]{1,9}[YMDW]\"", "\"[ -!#-Z^-~]{0,20}\"",
            Just(r#"{"details":[{"quantity":9223372036854775807,"allowedUntilDateTime":"9998-12-31T23:59:59Z"},{"quantity":9223372036854775807,"allowedUntilDateTime":"0002-01-01T00:00:00Z"}]}"#.to_owned()),
        ],
    ) {
        let page = json::parse(fixture("subscriptions.json").as_bytes()).unwrap();
        let row = &page.get("items").unwrap().as_array().unwrap()[index];
        let members = row.members().unwrap().iter().filter(|(name, _)| !name.eq_ignore_ascii_case(&field));
        let mut text: Vec<String> = members.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        text.push(format!("\"{field}\":{value}"));
        everything_done_with(&format!("{{{}}}", text.join(",")));
    }
}

#[test]
fn a_record_a_line_is_read_and_a_broken_line_is_refused_alone() {
    let customer = |number: u8| {
        format!(
            "{{\"id\":\"6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a{number:02}\",\"companyProfile\":{{\"companyName\":\"C {number}\"}}}}"
        )
    };
    let text = format!("\u{feff}{}\r\n\n{{\"id\":\n{}\n\"x\"\n", customer(1), customer(2));
    let document = read_document(&text, None).unwrap();
    let places: Vec<(&str, bool)> = document.rows.iter().map(|row| (row.place.as_str(), row.read.is_ok())).collect();
    assert_eq!(places, [("line 1", true), ("line 3", false), ("line 4", true), ("line 5", false)]);
    let told: Vec<&str> = document.refusals().map(|(_, refusal)| refusal.code.as_str()).collect();
    assert_eq!(told, ["invalid_json", "not_importable"]);
    // What is one broken document and no lines is refused whole, with its place.
    for text in [format!("{}{}", customer(1), customer(2)), "{\n\"id\": 1,\n}\n".to_owned(), "[1]\n[2]\n".to_owned()] {
        assert_eq!(read_document(&text, None).unwrap_err().code, "invalid_json", "{text}");
    }
}
