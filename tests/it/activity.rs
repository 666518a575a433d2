//! The activity log (AUD): what was done in Partner Center's words, by date, customer and kind; as audit records with
//! their rules; as CSV; and nothing of it ever changed.

use bursar::domain::selection::{self, Selection};
use bursar::ops::activity::{self, Entry, Query};
use bursar::ops::{Rights, Work, retention};
use bursar::store::{Fault, Options, Store, tables};
use bursar::triggers;
use serde_json::{Value, json};

use crate::http_world::{OTHER, Said, TENANT, Who, World, sub_id};
use crate::world;

/// A change a day from 2027-01-10 on: anna switches auto-renew of one subscription off and on.
async fn busy(days: u32) -> World {
    let world = World::new().await;
    for day in 0..days {
        let said = world.propose("anna", 1, json!({ "kind": "auto_renew", "enabled": day % 2 == 1 })).await;
        assert_eq!(said.status, 200, "{}", said.text);
        world.post("anna", "/v1/clock/advance", json!({ "by": "P1D" })).await;
    }
    world
}

async fn records(world: &World, query: &str) -> Said {
    world.get(&format!("/v1/auditrecords{query}")).await
}

fn items(said: &Said) -> Vec<Value> {
    assert_eq!(said.status, 200, "{}", said.text);
    said.json()["items"].as_array().unwrap().clone()
}

fn filter(field: &str, value: &str, operator: &str) -> String {
    let text = json!({ "Field": field, "Value": value, "Operator": operator }).to_string();
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[tokio::test]
async fn a_record_has_partner_centers_fields() {
    let world = busy(1).await;
    let found = items(&records(&world, "?startDate=2027-01-10&endDate=2027-01-10&size=1").await).remove(0);
    for (name, expected) in [
        ("customerId", json!(TENANT)),
        ("customerName", json!("Anker BV")),
        ("userPrincipalName", json!("anna")),
        ("resourceType", json!("subscription")),
        ("operationType", json!("update_subscription")),
        ("operationStatus", json!("succeeded")),
        ("operationDate", json!("2027-01-10T12:00:00Z")),
        ("attributes", json!({ "objectType": "AuditRecord" })),
    ] {
        assert_eq!(found[name], expected, "{name}: {found:#}");
    }
    let values = |name: &str| serde_json::from_str::<Value>(found[name].as_str().unwrap()).unwrap();
    assert_eq!(values("resourceOldValue"), json!({ "id": sub_id(1), "autoRenewEnabled": true }));
    assert_eq!(values("resourceNewValue"), json!({ "id": sub_id(1), "autoRenewEnabled": false }));
    let pairs: Vec<&str> =
        found["customizedData"].as_array().unwrap().iter().map(|pair| pair["key"].as_str().unwrap()).collect();
    assert!(pairs.contains(&"RequestId") && pairs.contains(&"SubscriptionId"), "{pairs:?}");
    assert_eq!(found["partnerId"].as_str().unwrap().len(), 36);
    assert_eq!(found["originalCorrelationId"].as_str().unwrap().len(), 36);
    assert!(!found["applicationId"].is_string(), "a person did it");
}

#[tokio::test]
async fn a_user_is_told_by_the_address_and_found_by_it_and_by_the_name() {
    let world = busy(0).await;
    let anna = json!({ "name": "anna", "email": "anna@partner.example", "roles": ["global_admin", "admin_agent"] });
    world.post("root", "/v1/users", anna).await.is(201, "");
    let off = json!({ "kind": "auto_renew", "enabled": false });
    assert_eq!(world.propose("anna", 1, off).await.status, 200);
    let of_one = |said: Said| {
        let mut all = items(&said);
        all.retain(|one| one["resourceType"] == "subscription" && one["operationDate"] != "2027-01-01T00:00:00Z");
        all.into_iter().find(|one| one["userPrincipalName"] == "anna@partner.example").map(|one| one["id"].clone())
    };
    let record = of_one(records(&world, "").await);
    assert!(record.is_some(), "{}", records(&world, "").await.text);
    for by in ["anna", "anna@partner.example", "user:anna"] {
        let found = items(&world.get(&format!("/v1/activity?by={by}&operation=update_subscription")).await);
        assert_eq!((found.len(), Some(&found[0]["id"])), (1, record.as_ref()), "{by}");
        assert_eq!(found[0]["userPrincipalName"], "anna@partner.example");
        assert_eq!(found[0]["by"], "user:anna");
    }
    // The address is the one of now, as a customer's name is.
    let patch = json!({ "email": "anna.berg@partner.example" });
    world.call(Who::User("root"), "PATCH", "/v1/users/anna", &[], patch.to_string()).await.is(200, "");
    assert_eq!(
        items(&world.get("/v1/activity?by=anna.berg@partner.example&operation=update_subscription").await).len(),
        1
    );
    // A program is told as what it is.
    let all = items(&records(&world, "?startDate=2026-12-01").await);
    assert!(all.iter().any(|one| one["userPrincipalName"] == one["applicationId"]), "{all:#?}");
}

#[tokio::test]
async fn dates_bound_the_records_and_ninety_days_back_is_the_limit() {
    let world = busy(3).await;
    // It is 2027-01-13, noon.
    let days = |said: &Said| {
        let all = items(said);
        let by_anna =
            all.iter().filter(|one| one["userPrincipalName"] == "anna" && one["resourceType"] == "subscription");
        by_anna.map(|one| one["operationDate"].as_str().unwrap()[8..10].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(days(&records(&world, "").await), ["12", "11", "10"], "newest first, thirty days back");
    assert_eq!(days(&records(&world, "?startDate=2027-01-11&endDate=2027-01-11").await), ["11"], "a day is whole");
    assert_eq!(
        days(&records(&world, "?startDate=2027-01-11T12:00:00Z").await),
        ["12", "11"],
        "the first instant is in"
    );
    assert_eq!(days(&records(&world, "?startDate=2027-01-11T12:00:01Z").await), ["12"]);
    assert_eq!(days(&records(&world, "?startDate=2027-01-10&endDate=2027-01-11T11:59:58Z").await), ["10"]);
    // Ninety days before 2027-01-13 is 2026-10-15.
    assert_eq!(days(&records(&world, "?startDate=2026-10-15").await).len(), 3);
    records(&world, "?startDate=2026-10-14").await.is(400, "bad_date");
    records(&world, "?startDate=2026-10-14T23:59:59Z&endDate=2027-01-01").await.is(400, "bad_date");
    records(&world, "?startDate=2027-01-12&endDate=2027-01-11").await.is(400, "bad_date");
    records(&world, "?startDate=yesterday").await.is(400, "bad_date");
    records(&world, "?from=2027-01-12").await.is(400, "unknown_parameter");
    // Without a start it is thirty days: what happened thirty-one days ago is not in it, and ours has no such limit.
    world.post("anna", "/v1/clock/advance", json!({ "by": "P28D" })).await;
    assert_eq!(days(&records(&world, "").await), ["12", "11"], "thirty days to the second");
    world.post("anna", "/v1/clock/advance", json!({ "by": "PT1S" })).await;
    assert_eq!(days(&records(&world, "").await), ["12"], "and a second more");
    world.post("anna", "/v1/clock/advance", json!({ "by": "P200D" })).await;
    let old = world.get("/v1/activity?at_after=2027-01-10&at_before=2027-01-12&operation=update_subscription").await;
    let old = items(&old).iter().filter(|one| one["by"] == "user:anna").count();
    assert_eq!(old, 2, "any range");
}

#[tokio::test]
async fn filters_go_by_company_customer_and_resource_and_nothing_else() {
    let world = busy(1).await;
    world.token("made", &["activity.read"], None).await;
    let all = items(&records(&world, "").await).len();
    let by = |name: &str, value: &str, operator: &str| format!("?filter={}", filter(name, value, operator));
    let anker = items(&records(&world, &by("CompanyName", "nKeR", "substring")).await);
    assert!(!anker.is_empty() && anker.len() < all);
    assert!(anker.iter().all(|one| one["customerName"] == "Anker BV"));
    let other = items(&records(&world, &by("CustomerId", OTHER, "equals")).await);
    assert!(!other.is_empty() && other.iter().all(|one| one["customerId"] == OTHER));
    let made = items(&records(&world, &by("ResourceType", "ApplicationCredential", "equals")).await);
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["operationType"], "add_application_credential");
    let lower = json!({ "field": "resourcetype", "value": "application_credential", "operator": "EQUALS" }).to_string();
    let lower: String = lower.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(items(&records(&world, &format!("?filter={lower}")).await).len(), 1, "letter case does not matter");
    for (name, value, operator) in [
        ("CompanyName", "x", "equals"),
        ("CustomerId", OTHER, "substring"),
        ("CustomerId", "Anker", "equals"),
        ("UserPrincipalName", "anna", "equals"),
    ] {
        records(&world, &by(name, value, operator)).await.is(400, "bad_filter");
    }
    records(&world, "?filter=Anker").await.is(400, "bad_filter");
}

#[tokio::test]
async fn pages_go_on_by_their_token_and_lose_nothing() {
    let world = busy(4).await;
    let all: Vec<Value> = items(&records(&world, "?startDate=2027-01-01").await);
    let (mut paged, mut query) = (Vec::new(), "?startDate=2027-01-01&size=3".to_owned());
    for page in 0.. {
        let said = records(&world, &query).await;
        let body = said.json();
        let found = items(&said);
        assert!(found.len() <= 3 && body["totalCount"] == all.len(), "{body}");
        paged.extend(found);
        let Some(token) = body["continuationToken"].as_str() else { break };
        let next = body["links"]["next"]["uri"].as_str().unwrap().to_owned();
        assert!(next.contains(token) && next.starts_with("/auditrecords?startDate=2027-01-01&size=3&"), "{next}");
        query = next.trim_start_matches("/auditrecords").to_owned();
        assert!(page < 50);
    }
    assert_eq!(paged, all);
    let said = world
        .call(
            Who::User("anna"),
            "GET",
            "/v1/auditrecords?startDate=2027-01-01&size=3",
            &[(
                "ms-continuationtoken",
                records(&world, "?startDate=2027-01-01&size=3").await.json()["continuationToken"].as_str().unwrap(),
            )],
            "",
        )
        .await;
    assert_eq!(items(&said), all[3..6], "as a header too");
    records(&world, "?startDate=2027-01-01&continuationToken=forged").await.is(400, "bad_cursor");
    records(&world, "?size=501").await.is(400, "bad_query");
    records(&world, "?size=0").await.is(400, "bad_query");
}

#[tokio::test]
async fn whoever_may_not_see_it_does_not() {
    let world = busy(1).await;
    let without = world.token("without", &["ledger.read"], None).await;
    for path in ["/v1/auditrecords", "/v1/activity", "/v1/activity/checkpoint"] {
        world.call(Who::Token(&without), "GET", path, &[], "").await.is(403, "forbidden");
    }
    let narrow = world.token("narrow", &["activity.read"], Some(&[OTHER])).await;
    let seen = items(&world.call(Who::Token(&narrow), "GET", "/v1/auditrecords", &[], "").await);
    assert!(!seen.is_empty() && seen.iter().all(|one| one["customerId"] == OTHER), "{seen:#?}");
    world.call(Who::Token(&narrow), "GET", "/v1/activity/checkpoint", &[], "").await.is(403, "forbidden");
}

async fn log(world: &world::World, query: impl Fn(&Work) -> Query + Send + 'static) -> Vec<Entry> {
    let read = move |work: &mut Work| {
        let query = query(work);
        let (mut all, mut before): (Vec<Entry>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let page = activity::select(work, &query, before.as_deref(), 7)?;
            all.extend(page.items);
            before = page.next;
            if before.is_none() {
                return Ok(all);
            }
        }
    };
    world.app.read(Rights::system(), read).unwrap()
}

#[tokio::test]
async fn any_range_is_found_by_halves_and_holds_exactly_what_lies_in_it() {
    let world = world::World::new("2027-02-01T00:00:00Z", &[]);
    world.import(world::large_book(40)).await;
    for month in 3..=9 {
        let at = world::at(&format!("2027-{month:02}-02T00:00:00Z"));
        triggers::advance(&world.app, at).await.unwrap();
    }
    let everything = Selection::everything(&selection::ACTIVITY);
    let whole = everything.clone();
    let all = log(&world, move |work| Query::of(whole.clone(), work.now)).await;
    assert!(all.len() > 250, "{}", all.len());
    assert!(all.windows(2).all(|pair| (pair[0].seq, pair[0].ordinal) > (pair[1].seq, pair[1].ordinal)), "newest first");
    for (from, to) in [
        ("2027-02-01T00:00:00Z", "2027-02-01T00:00:01Z"),
        ("2027-02-28T00:00:00Z", "2027-04-01T00:00:00Z"),
        ("2027-06-01T00:00:00Z", "2027-08-31T12:00:00Z"),
        ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"),
    ] {
        let (from, to) = (world::at(from), world::at(to));
        let wanted: Vec<String> =
            all.iter().filter(|entry| entry.activity.at >= from && entry.activity.at < to).map(Entry::id).collect();
        let selection = everything.clone();
        let query =
            move |_: &Work| Query { selection: selection.clone(), from: Some(from), to: Some(to), company: None };
        let found: Vec<String> = log(&world, query).await.iter().map(Entry::id).collect();
        assert_eq!(found, wanted);
    }
    let renewal = all.iter().find(|entry| entry.activity.operation == "subscription.renewed").unwrap();
    let names: Vec<&str> = renewal.activity.changed.iter().map(|change| change.name()).collect();
    assert!(names.contains(&"commitmentEndDate") && !names.contains(&"quantity"), "{names:?}");
}

#[tokio::test]
async fn retention_takes_nothing_from_the_log_and_a_change_of_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.bursar");
    let world = world::World::new("2027-02-01T00:00:00Z", &[]);
    world.import(world::large_book(5)).await;
    triggers::advance(&world.app, world::at("2027-06-01T00:00:00Z")).await.unwrap();
    let horizon = retention::Horizon {
        runs: world::at("2027-05-31T00:00:00Z"),
        deliveries: world::at("2027-05-31T00:00:00Z"),
        occurrences: world::at("2027-05-31T00:00:00Z"),
        carts: world::at("2027-05-31T00:00:00Z"),
    };
    let prune = move |work: &mut Work| retention::prune(work, horizon, 1_000);
    world.app.act(Rights::system(), world.app.next_cause("test"), prune).await.unwrap();
    assert!(world.app.store().prune_history(i64::MAX, 10_000).unwrap() > 0);
    let checked = world.app.store().verify(&mut |_| {}).unwrap();
    assert!(checked.is_sound() && checked.chained.records > 20, "{checked:?}");
    world.app.store().backup(&path, &mut |_| {}).unwrap();

    // Somebody with the file and this program takes one record away, its checksums fitting.
    let store = Store::open(&path, &tables::ALL, Options::default()).unwrap();
    let mut tx = store.begin().unwrap();
    let rows = tx.scan(&tables::LOG, bursar::store::KeyRange::all(), 100, false).unwrap();
    let (key, row) = rows[7].clone();
    tx.delete(&tables::LOG, &key).unwrap();
    tx.commit().unwrap().wait().unwrap();
    store.close();
    let broken = Store::verify_file(&path, &tables::ALL, &mut |_| {}).unwrap().chained.broken.unwrap();
    assert_eq!((broken.seq, broken.fault), (row.seq, Fault::Missing));
}
