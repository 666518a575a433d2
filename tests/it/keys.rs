//! What keys and download links of software promise: who sees them and when, that every read is written down first, that
//! they go with the purchase, and that they are nowhere but in the one answer.

use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::domain::software::Choice;
use bursar::domain::{Grants, Principal};
use bursar::http::router;
use bursar::ops::{self, Rights, keys};
use bursar::seal::{KEY_BYTES, Ring, Secret};
use serde_json::{Value, json};

use crate::http_world::{FILES, OTHER, Said, TENANT, Who, World, at, sub_id};

const KEY: &str = "CANARY-7F3Q2-KEYKE-YKEYK-EYKEY";
const LINK: &str = "https://downloads.example/CANARY-LINK/sql.iso";

fn ring(number: u8) -> String {
    Ring::line(number, &[number; KEY_BYTES])
}

/// A world at an instant with software of two customers: 1 perpetual, 2 a subscription for a year, 3 a Linux plan, 4 a
/// licence of a cloud service (no software), 9 the other customer's.
async fn world(now: &str, keys: Option<&str>) -> World {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in FILES {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let config = Config { library: folder.path().to_owned(), ..Config::default() };
    let ring = keys.map_or_else(|| Ring::locked("no key in this test"), |text| Ring::parse(text).unwrap());
    let options = Options { script_threads: Some(1), ring: Some(ring), ..Options::default() };
    let app = App::in_memory(&config, [5; 16], Some(at(now)), options).unwrap();
    let world = World { router: router(app.clone()), app, folder };
    let rows = json!([
        customer(TENANT, "Anker BV"),
        customer(OTHER, "Other GmbH"),
        order("Order01", TENANT, 1, "one_time", None),
        holding(1, TENANT, "Order01", "Software", None),
        order("Order02", TENANT, 2, "annual", Some("P1Y")),
        holding(2, TENANT, "Order02", "Software", Some("P1Y")),
        holding(3, TENANT, "Order03", "SoftwareSUSELinux", Some("P1Y")),
        holding(4, TENANT, "Order04", "SaaS", Some("P1Y")),
        holding(9, OTHER, "Order09", "Software", None),
    ]);
    import(&world, rows).await;
    world
}

async fn import(world: &World, rows: Value) {
    let options = ops::imports::Options::default();
    let report = world.app.import(Rights::system(), "test".to_owned(), rows.to_string(), options).await.unwrap();
    assert_eq!(report.refused, 0, "{report:#?}");
}

fn customer(id: &str, name: &str) -> Value {
    json!({ "id": id, "companyProfile": { "tenantId": id, "companyName": name, "domain": "anker.example" },
        "billingProfile": { "defaultAddress": { "country": "NL" } } })
}

fn order(id: &str, tenant: &str, number: u8, cycle: &str, term: Option<&str>) -> Value {
    json!({ "id": id, "referenceCustomerId": tenant, "currencyCode": "EUR", "billingCycle": cycle,
        "creationDate": "2021-01-29T10:00:00Z", "status": "completed",
        "lineItems": [{ "lineItemNumber": 3, "offerId": format!("DG7GMGF0000{number}:0001:DG7"),
            "subscriptionId": sub_id(number), "termDuration": term, "quantity": 2, "friendlyName": "SQL Server",
            "pricing": { "price": "1000.00" } }] })
}

fn holding(number: u8, tenant: &str, order: &str, kind: &str, term: Option<&str>) -> Value {
    let id = sub_id(number);
    let mut row = json!({ "id": id, "offerId": format!("DG7GMGF0000{number}:0001:DG7"), "offerName": format!("Server {number}"),
        "friendlyName": format!("Server {number}"), "productType": { "id": kind }, "quantity": 2,
        "creationDate": "2021-01-29T10:00:00Z", "effectiveStartDate": "2021-01-29T10:00:00Z", "status": "active",
        "autoRenewEnabled": false, "billingType": "license", "billingCycle": if term.is_some() { "annual" } else { "one_time" },
        "orderId": order, "unitPrice": "1000.00 EUR",
        "links": { "self": { "uri": format!("/customers/{tenant}/subscriptions/{id}"), "method": "GET" } },
        "attributes": { "objectType": "Subscription" } });
    if let Some(term) = term {
        row["termDuration"] = term.into();
        row["commitmentEndDateTime"] = "2022-01-28T23:59:59Z".into();
    }
    row
}

fn path(number: u8, verb: &str) -> String {
    let tenant = if number == 9 { OTHER } else { TENANT };
    format!("/v1/customers/{tenant}/software/{}{verb}", sub_id(number))
}

/// An answer without a problem.
#[track_caller]
fn good(said: &Said) -> Value {
    assert_eq!(said.status, 200, "{}", said.text);
    said.json()
}

async fn put(world: &World, number: u8) {
    good(&world.post("anna", &path(number, "/keys"), json!({ "key": KEY, "link": LINK })).await);
}

async fn ask(world: &World, who: Who<'_>, number: u8, verb: &str) -> Said {
    world.call(who, "POST", &path(number, verb), &[], "{}").await
}

async fn reads(world: &World) -> Vec<(String, String)> {
    let tried = tried(world).await.into_iter();
    tried.filter(|(operation, _)| !operation.ends_with(".refused")).collect()
}

/// Reads and those that were refused.
async fn tried(world: &World) -> Vec<(String, String)> {
    let log = world.get("/v1/activity?limit=200").await.json();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let rows = log["items"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "operation"), text(row, "by")))
        .filter(|(operation, _)| operation.starts_with("get_software"))
        .collect()
}

#[tokio::test]
async fn before_8_march_2021_only_the_customer_sees_keys_and_from_then_on_the_partner_too() {
    let world = world("2021-03-07T23:59:59Z", Some(&ring(1))).await;
    put(&world, 1).await;
    let admin = world.token("admin", &["keys.read"], None).await;
    let customer = world.token("customer", &["keys.own"], Some(&[TENANT])).await;
    // The last second: K-vis and K-deep.
    let refused = ask(&world, Who::Token(&admin), 1, "/keys/get").await.is(403, "key_for_customer");
    assert_eq!(refused.json()["rule"], "K-vis");
    let log = world.get("/v1/activity?limit=1").await.json()["items"][0].clone();
    assert_eq!(
        (&log["operation"], &log["operationType"], &log["operationStatus"], &log["note"]),
        (&json!("get_software_key.refused"), &json!("get_software_key"), &json!("decline"), &json!("key_for_customer")),
        "who tried is told of: {log}"
    );
    let shared = good(&ask(&world, Who::Token(&admin), 1, "/links/get").await);
    assert_eq!(shared["kind"], "deep_link");
    assert!(shared["url"].as_str().unwrap().starts_with("https://admin.microsoft.com/"), "{shared}");
    assert!(!shared["notice"].as_str().unwrap().is_empty());
    assert_eq!(good(&ask(&world, Who::Token(&customer), 1, "/keys/get").await)["key"], KEY);
    assert_eq!(good(&ask(&world, Who::Token(&customer), 1, "/links/get").await)["url"], LINK);
    // The first second after it: K-vis2.
    good(&world.post("anna", "/v1/clock/advance", json!({ "by": "PT1S" })).await);
    let shown = ask(&world, Who::Token(&admin), 1, "/keys/get").await;
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    let shown = good(&shown);
    assert_eq!((&shown["key"], &shown["keyType"], &shown["kind"]), (&json!(KEY), &json!("MAK"), &json!("key")));
    assert!(shown["notice"].as_str().unwrap().len() > 40, "K-risk: {shown}");
    let link = good(&ask(&world, Who::Token(&admin), 1, "/links/get").await);
    assert_eq!((&link["url"], &link["kind"]), (&json!(LINK), &json!("download")));
    assert_eq!(good(&ask(&world, Who::Token(&customer), 1, "/keys/get").await)["key"], KEY);
    // Each answer has its row; what was refused has none.
    let reads = reads(&world).await;
    let count = |operation: &str, by: &str| reads.iter().filter(|row| row.0 == operation && row.1 == by).count();
    assert_eq!(count("get_software_key", "token:admin"), 1);
    assert_eq!(count("get_software_download_link", "token:admin"), 2);
    assert_eq!(count("get_software_key", "token:customer"), 2);
    assert_eq!(reads.len(), 6);
}

#[tokio::test]
async fn a_recorded_deep_link_is_shared_instead_of_the_usual_one() {
    let world = world("2021-02-10T00:00:00Z", Some(&ring(1))).await;
    let own = "https://admin.microsoft.com/own";
    good(&world.post("anna", &path(1, "/keys"), json!({ "deepLink": own })).await);
    assert_eq!(good(&ask(&world, Who::User("anna"), 1, "/links/get").await)["url"], own);
    world.post("anna", &path(1, "/keys"), json!({ "deepLink": "javascript:x" })).await.is(400, "bad_url");
}

#[tokio::test]
// K-role: to whom the matrix gives it is in people_matrix.
async fn nothing_but_its_own_grant_reads_a_key_and_a_customer_reads_its_own_alone() {
    let world = world("2021-04-01T00:00:00Z", Some(&ring(1))).await;
    put(&world, 1).await;
    put(&world, 9).await;
    let all_but = ["tenants.read", "subscriptions.read", "orders.read", "software.read", "keys.manage", "store.admin"];
    let other = world.token("other", &all_but, None).await;
    for verb in ["/keys/get", "/links/get"] {
        ask(&world, Who::Token(&other), 1, verb).await.is(403, "forbidden");
    }
    let narrow = world.token("narrow", &["keys.read"], Some(&[OTHER])).await;
    ask(&world, Who::Token(&narrow), 1, "/keys/get").await.is(404, "not_found");
    assert_eq!(good(&ask(&world, Who::Token(&narrow), 9, "/keys/get").await)["key"], KEY);
    // K-cust: bound to one tenant, its own and nothing else.
    let own = world.token("own", &["keys.own"], Some(&[TENANT])).await;
    let who = Who::Token(&own);
    let list = good(&world.call(who, "GET", &format!("/v1/customers/{TENANT}/software"), &[], "").await);
    assert_eq!(list["items"].as_array().unwrap().len(), 3, "{list}");
    good(&world.call(who, "GET", &path(1, ""), &[], "").await);
    assert_eq!(good(&ask(&world, who, 1, "/keys/get").await)["key"], KEY);
    ask(&world, who, 9, "/keys/get").await.is(404, "not_found");
    ask(&world, who, 9, "/links/get").await.is(404, "not_found");
    world.call(who, "GET", &format!("/v1/customers/{OTHER}/software"), &[], "").await.is(403, "forbidden");
    for path in ["/v1/tenants", "/v1/subscriptions", "/v1/activity", "/v1/export", "/v1/software", "/v1/activations"] {
        world.call(who, "GET", path, &[], "").await.is(403, "forbidden");
    }
    world.call(who, "POST", &path(1, "/keys"), &[], json!({ "key": "x" }).to_string()).await.is(403, "forbidden");
    // Without being bound to one tenant it is nobody's own.
    for (name, tenants) in [("unbound", None), ("two", Some(&[TENANT, OTHER][..]))] {
        let token = world.token(name, &["keys.own"], tenants).await;
        ask(&world, Who::Token(&token), 1, "/keys/get").await.is(404, "not_found");
    }
}

#[tokio::test]
async fn a_script_reads_no_key_whatever_it_may() {
    let world = world("2021-04-01T00:00:00Z", Some(&ring(1))).await;
    put(&world, 1).await;
    let principal = Principal::File { path: "scripts/x.rhai".to_owned(), hash: "0".repeat(16) };
    let rights = Rights { principal, grants: Grants::all() };
    let (tenant, id) = (TENANT.parse().unwrap(), sub_id(1).parse().unwrap());
    let read = |work: &mut ops::Work| keys::key(work, tenant, id, &Choice::default(), None);
    let refused = world.app.read(rights, read).unwrap_err();
    assert!(refused.to_string().contains("scripts never read"), "{refused}");
    // There is no function either: everything scripts are given is in the reference.
    let reference = bursar::engine::api::reference().to_lowercase();
    for name in ["get_key", "keys_get", "`key(", "download_link", "links_get"] {
        assert!(!reference.contains(name), "{name}");
    }
}

#[tokio::test]
async fn a_kms_key_is_refused_with_the_reason_to_read_and_to_record() {
    let world = world("2021-04-01T00:00:00Z", Some(&ring(1))).await;
    put(&world, 1).await;
    for (verb, body) in
        [("/keys/get", json!({ "keyType": "KMS" })), ("/keys", json!({ "key": "AAAAA", "keyType": "kms" }))]
    {
        let said = world.post("anna", &path(1, verb), body).await.is(409, "key_type_not_available");
        assert_eq!(said.json()["rule"], "K-mak");
        assert!(said.text.contains("even on request"), "{}", said.text);
    }
    assert_eq!(good(&world.post("anna", &path(1, "/keys/get"), json!({ "keyType": "mak" })).await)["key"], KEY);
}

#[tokio::test]
async fn a_product_without_keys_says_so_and_links_to_its_instructions_where_it_has_some() {
    let world = world("2022-08-01T00:00:00Z", Some(&ring(1))).await;
    let url = "https://learn.example/esu";
    let nonsense = json!({ "product": "DG7GMGF00001", "comesWith": "nonsense" });
    world.post("anna", "/v1/software", nonsense).await.is(400, "bad_product");
    let sheet = json!({ "product": "DG7GMGF00001", "comesWith": "extended_security_updates", "installationInstructionsUrl": url });
    good(&world.post("anna", "/v1/software", sheet).await);
    good(
        &world
            .post("anna", "/v1/software", json!({ "product": "DG7GMGF00002:0001", "comesWith": "license_only" }))
            .await,
    );
    let list = good(&world.get(&format!("/v1/customers/{TENANT}/software")).await);
    let state = |number: usize| list["items"][number]["keyState"].clone();
    assert_eq!(
        (state(0), state(1), state(2)),
        (json!("not_applicable"), json!("not_applicable"), json!("not_applicable"))
    );
    assert_eq!(list["items"][0]["installationInstructionsUrl"], url);
    let said = ask(&world, Who::User("anna"), 1, "/keys/get").await.is(409, "no_key");
    assert_eq!(said.json()["rule"], "K-none");
    assert!(said.text.contains(url), "{}", said.text);
    let link = good(&ask(&world, Who::User("anna"), 1, "/links/get").await);
    assert_eq!((&link["kind"], &link["url"]), (&json!("installation_instructions"), &json!(url)));
    ask(&world, Who::User("anna"), 2, "/keys/get").await.is(409, "no_key");
    ask(&world, Who::User("anna"), 2, "/links/get").await.is(409, "no_key");
    world.post("anna", &path(1, "/keys"), json!({ "key": "AAAAA" })).await.is(409, "no_key");
    // What is no software at all is not found here.
    ask(&world, Who::User("anna"), 4, "/keys/get").await.is(404, "not_found");
}

/// K-sel, with the options of each time.
#[tokio::test]
async fn a_key_is_chosen_by_what_the_product_offers_and_the_time_asks_for() {
    let world = world("2022-07-10T23:59:59Z", Some(&ring(1))).await;
    let sheet = json!({ "product": "DG7GMGF00001", "versions": ["2019", "2022"], "languages": ["English"], "bits": ["64"],
        "fileTypes": ["ISO"], "operatingSystems": ["Windows", "Linux"] });
    good(&world.post("anna", "/v1/software", sheet).await);
    let (recording, reading) = (path(1, "/keys"), path(1, "/keys/get"));
    let record = |body: Value| world.post("anna", &recording, body);
    good(&record(json!({ "key": "KEY-2019", "version": "2019" })).await);
    good(&record(json!({ "key": "KEY-2022", "version": "2022" })).await);
    good(&record(json!({ "key": "KEY-2022-LINUX", "version": "2022", "operatingSystem": "Linux" })).await);
    record(json!({ "key": "x", "version": "2016" })).await.is(422, "choice_not_offered");
    let read = |body: Value| world.post("anna", &reading, body);
    let options = || async { good(&world.get(&path(1, "")).await)["options"].clone() };
    // Until 2022-07-11: version, language and bit. One language and one bit choose themselves.
    assert_eq!(options().await, json!({ "versions": ["2019", "2022"], "languages": ["English"], "bits": ["64"] }));
    read(json!({})).await.is(422, "choice_needed");
    let shown = good(&read(json!({ "version": "2019" })).await);
    assert_eq!(
        (&shown["key"], &shown["language"], &shown["bit"]),
        (&json!("KEY-2019"), &json!("English"), &json!("64"))
    );
    read(json!({ "version": "2019", "operatingSystem": "Linux" })).await.is(422, "choice_not_offered");
    // From then on: version, language, file type and operating system.
    good(&world.post("anna", "/v1/clock/advance", json!({ "by": "PT1S" })).await);
    assert!(options().await["bits"].is_null() && options().await["operatingSystems"].is_array());
    read(json!({ "version": "2022" })).await.is(422, "choice_needed");
    let of = |system: &str| read(json!({ "version": "2022", "operatingSystem": system, "fileType": "iso" }));
    // What was recorded for the chosen system stands above what was recorded for all of them.
    assert_eq!(good(&of("Linux").await)["key"], "KEY-2022-LINUX");
    assert_eq!(good(&of("windows").await)["key"], "KEY-2022");
}

#[tokio::test]
async fn a_cancellation_revokes_keys_and_links_in_its_own_commit_and_the_item_stays_listed() {
    let world = world("2021-03-30T09:00:00Z", Some(&ring(1))).await;
    put(&world, 1).await;
    let asked = json!({ "kind": "cancellation", "reason": "customer_request" });
    let said = world.propose("anna", 1, asked).await;
    assert_eq!(said.json()["outcome"], "applied", "{}", said.text);
    for verb in ["/keys/get", "/links/get"] {
        let said = ask(&world, Who::User("anna"), 1, verb).await.is(409, "key_revoked");
        assert_eq!(said.json()["rule"], "C-rev");
    }
    let customer = world.token("customer", &["keys.own"], Some(&[TENANT])).await;
    ask(&world, Who::Token(&customer), 1, "/keys/get").await.is(409, "key_revoked");
    // C-list: still there, without its key.
    let item = good(&world.get(&path(1, "")).await);
    assert_eq!(
        (&item["status"], &item["keyState"], &item["delivered"]),
        (&json!("deleted"), &json!("revoked"), &json!([]))
    );
    assert_eq!(item["revokedAt"], "2021-03-30T09:00:00Z");
    assert_eq!(item["orders"], json!([{ "orderId": "Order01", "lineItemNumber": 3 }]));
    // What is revoked is gone, and comes back by no recording.
    let sealed =
        |work: &mut ops::Work| Ok(bursar::store::records::software::secrets(&mut work.tx, None, 10)?.items.len());
    assert_eq!(world.app.read(Rights::system(), sealed).unwrap(), 0);
    world.post("anna", &path(1, "/keys"), json!({ "key": "AAAAA" })).await.is(409, "key_revoked");
    let log = world.get("/v1/activity").await.text;
    assert!(log.contains("keys.revoked"), "{log}");
}

#[tokio::test]
async fn one_whose_deep_link_is_shared_loses_it_with_the_purchase() {
    let world = world("2021-02-20T09:00:00Z", Some(&ring(1))).await;
    good(&ask(&world, Who::User("anna"), 1, "/links/get").await);
    let asked = json!({ "kind": "cancellation", "reason": "customer_request" });
    assert_eq!(world.propose("anna", 1, asked).await.json()["outcome"], "applied");
    ask(&world, Who::User("anna"), 1, "/links/get").await.is(409, "key_revoked");
}

#[tokio::test]
async fn every_software_is_listed_with_its_orders_and_key_state() {
    let world = world("2021-04-01T00:00:00Z", Some(&ring(1))).await;
    put(&world, 2).await;
    // A line of an order that became no subscription, of a product that the catalogue knows as software.
    let line = |number: u32, quantity: u32| json!({ "lineItemNumber": number, "offerId": "DG7GMGF0PROD:0002:DG7", "quantity": quantity, "friendlyName": "CAL" });
    let offer = json!({ "id": "DG7GMGF0PROD", "title": "Client Access Licence", "productType": { "id": "SoftwarePerpetual" },
        "isMicrosoftProduct": true, "publisherName": "Microsoft" });
    let old = json!({ "id": "Old01", "referenceCustomerId": TENANT, "billingCycle": "one_time", "currencyCode": "EUR",
        "creationDate": "2019-12-12T17:33:56Z", "status": "completed", "lineItems": [line(0, 5), line(1, 0)] });
    // The order came before the catalogue: the records of its lines are made when that tells what they bought.
    import(&world, json!([old])).await;
    import(&world, json!([offer])).await;
    let list = good(&world.get(&format!("/v1/customers/{TENANT}/software")).await);
    let items = list["items"].as_array().unwrap();
    let told: Vec<(&str, &str, i64)> = items
        .iter()
        .map(|item| {
            (item["product"].as_str().unwrap(), item["keyState"].as_str().unwrap(), item["quantity"].as_i64().unwrap())
        })
        .collect();
    let expected = [
        ("Server 1", "awaited", 2),
        ("Server 2", "available", 2),
        ("Server 3", "not_applicable", 2),
        ("Client Access Licence", "awaited", 5),
        ("Client Access Licence", "revoked", 0),
    ];
    assert_eq!(told, expected, "the cloud service is none");
    assert_eq!(items[1]["delivered"], json!([{ "choice": {}, "key": true, "link": true }]));
    assert_eq!(items[1]["orders"], json!([{ "orderId": "Order02", "lineItemNumber": 3 }]));
    assert_eq!(items[2]["orders"], json!([{ "orderId": "Order03" }]), "an order that was not imported");
    assert_eq!((items[3]["subscription"].is_string(), &items[3]["orders"][0]["orderId"]), (true, &json!("Old01")));
    assert_eq!((&items[3]["status"], &items[4]["status"]), (&json!("active"), &json!("deleted")));
    assert_eq!(items[0]["purchasedAt"], "2021-01-29T10:00:00Z");
    assert_eq!(items[3]["friendlyName"], "CAL", "the partner's own name stands beside the product's");
    // Page by page it is the same.
    let mut paged = Vec::new();
    let mut next = format!("/v1/customers/{TENANT}/software?limit=2");
    loop {
        let page = good(&world.get(&next).await);
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["nextCursor"].as_str() {
            Some(cursor) => next = format!("/v1/customers/{TENANT}/software?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(&paged, items);
    world.get(&format!("/v1/customers/{TENANT}/software?color=red")).await.is(400, "unknown_parameter");
    // No list and no record holds a secret.
    for path in
        [format!("/v1/customers/{TENANT}/software"), path(2, ""), "/v1/activity".to_owned(), "/v1/export".to_owned()]
    {
        assert!(!world.get(&path).await.text.contains("CANARY"), "{path}");
    }
}

/// Lines without a record of their own come page by page too: none twice, none left out.
#[tokio::test]
async fn lines_that_no_record_was_made_of_are_paged_like_everything_else() {
    let world = world("2022-08-01T00:00:00Z", Some(&ring(1))).await;
    let offer = json!({ "id": "DG7GMGF0TERM", "title": "Server", "productType": { "id": "SoftwareSubscriptions" } });
    let line = |number: u32| json!({ "lineItemNumber": number, "offerId": "DG7GMGF0TERM:0002:DG7", "quantity": 1, "termDuration": "P1Y" });
    let order = |id: &str| {
        json!({ "id": id, "referenceCustomerId": OTHER, "billingCycle": "annual", "currencyCode": "EUR",
        "creationDate": "2021-10-14T00:00:00Z", "status": "completed", "lineItems": [line(0), line(1)] })
    };
    import(&world, json!([offer, order("New02"), order("New01")])).await;
    let path = format!("/v1/customers/{OTHER}/software");
    let whole = good(&world.get(&path).await)["items"].as_array().unwrap().clone();
    assert_eq!(whole.len(), 5, "one that is held, and four lines");
    for limit in [1, 2, 3, 5] {
        let (mut paged, mut next) = (Vec::new(), format!("{path}?limit={limit}"));
        loop {
            let page = good(&world.get(&next).await);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit, "{limit}: {page}");
            paged.extend(items.clone());
            match page["nextCursor"].as_str() {
                Some(cursor) => next = format!("{path}?limit={limit}&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{limit}");
    }
}

/// The catalogue comes first: then an old order's lines are holdings with keys, and are cancelled like everything else.
#[tokio::test]
async fn software_known_from_its_order_alone_has_keys_and_a_window_of_its_own() {
    let world = world("2021-04-01T00:00:00Z", Some(&ring(1))).await;
    let product = |id: &str, kind: &str, title: &str| {
        json!({ "id": id, "title": title, "productType": { "id": kind },
        "isMicrosoftProduct": true, "publisherName": "Microsoft" })
    };
    let line = |number: u32, product: &str, quantity: u32, term: Option<&str>| {
        json!({ "lineItemNumber": number,
        "offerId": format!("{product}:0002:DG7"), "quantity": quantity, "termDuration": term, "pricing": { "price": "100.00" } })
    };
    let old = json!({ "id": "Old01", "referenceCustomerId": OTHER, "billingCycle": "one_time", "currencyCode": "EUR",
        "creationDate": "2021-03-03T10:00:00Z", "status": "completed", "lineItems": [
            line(0, "DG7GMGF0PERP", 5, None), line(1, "DG7GMGF0TERM", 1, Some("P3Y")), line(2, "DG7GMGF0PERP", 0, None),
            line(3, "DG7GMGF0UNKN", 1, None)] });
    let late = json!({ "id": "New01", "referenceCustomerId": OTHER, "billingCycle": "annual", "currencyCode": "EUR",
        "creationDate": "2021-10-14T00:00:00Z", "status": "completed", "lineItems": [line(0, "DG7GMGF0TERM", 1, Some("P1Y"))] });
    let catalogue = json!([
        product("DG7GMGF0PERP", "SoftwarePerpetual", "Server"),
        product("DG7GMGF0TERM", "SoftwareSubscriptions", "Windows Server Datacenter")
    ]);
    import(&world, catalogue).await;
    for _ in 0..2 {
        import(&world, json!([old, late])).await;
    }
    let path = format!("/v1/customers/{OTHER}/software");
    let list = good(&world.get(&path).await);
    let mut told: Vec<(String, u64, String, bool)> = Vec::new();
    for item in list["items"].as_array().unwrap() {
        let order = &item["orders"][0];
        let number = order["lineItemNumber"].as_u64().unwrap_or(99);
        let (order, state) = (order["orderId"].as_str().unwrap(), item["keyState"].as_str().unwrap());
        told.push((order.to_owned(), number, state.to_owned(), item["subscription"].is_string()));
    }
    told.sort();
    let row = |order: &str, number: u64, state: &str, held: bool| (order.to_owned(), number, state.to_owned(), held);
    let expected = [
        // From 2021-10-14 on it is a subscription, which comes by itself: its line alone makes none.
        row("New01", 0, "awaited", false),
        row("Old01", 0, "awaited", true),
        row("Old01", 1, "awaited", true),
        row("Old01", 2, "revoked", true),
        row("Order09", 99, "awaited", true),
    ];
    assert_eq!(told, expected, "what the catalogue does not know is not taken for software");
    let of = |number: u64| {
        let items = list["items"].as_array().unwrap();
        let is = |item: &&Value| item["orders"][0] == json!({ "orderId": "Old01", "lineItemNumber": number });
        items.iter().find(is).unwrap().clone()
    };
    // AHB: an attribute of the product, shown with the licence.
    let benefit = &of(1)["benefits"][0];
    assert_eq!((&benefit["name"], &benefit["maximumSavingPercent"]), (&json!("azure_hybrid_benefit"), &json!(40)));
    assert!(of(0)["benefits"].is_null());
    let id = of(0)["subscription"].as_str().unwrap().to_owned();
    good(&world.post("anna", &format!("{path}/{id}/keys"), json!({ "key": KEY })).await);
    assert_eq!(good(&world.post("anna", &format!("{path}/{id}/keys/get"), json!({})).await)["key"], KEY);
    // Get Subscriptions does not show it; its window is the one of its date.
    let listed = world.get(&format!("/v1/customers/{OTHER}/subscriptions")).await;
    assert!(!listed.text.contains(&id), "{}", listed.text);
    let asked = json!({ "kind": "cancellation", "reason": "customer_request" });
    let said = world.post("anna", &format!("/v1/subscriptions/{id}/requests"), asked).await;
    assert_eq!(said.json()["outcome"], "applied", "{}", said.text);
    world.post("anna", &format!("{path}/{id}/keys/get"), json!({})).await.is(409, "key_revoked");
}

#[tokio::test]
async fn an_answer_with_a_secret_is_never_kept_and_each_one_is_a_read_of_its_own() {
    let world = world("2021-04-01T00:00:00Z", Some(&ring(1))).await;
    let headers = [("idempotency-key", "one")];
    let body = json!({ "key": KEY }).to_string();
    good(&world.call(Who::User("anna"), "POST", &path(1, "/keys"), &headers, body).await);
    for _ in 0..3 {
        let said = world.call(Who::User("anna"), "POST", &path(1, "/keys/get"), &headers, "{}").await;
        assert!(said.header("idempotent-replayed").is_none());
        assert_eq!(good(&said)["key"], KEY);
    }
    assert_eq!(reads(&world).await.len(), 3);
    let rows = world.app.read(Rights::system(), |work| {
        Ok(work.tx.scan(&bursar::store::tables::IDEMPOTENCY, bursar::store::KeyRange::all(), 100, false)?.len())
    });
    assert_eq!(rows.unwrap(), 0, "neither the answer nor a hash of the body");
}

#[tokio::test]
async fn without_a_master_key_nothing_is_recorded_or_read_and_it_says_how_to_mend_that() {
    let world = world("2021-04-01T00:00:00Z", None).await;
    let said = world.post("anna", &path(1, "/keys"), json!({ "key": KEY })).await.is(409, "secrets_locked");
    assert!(said.text.contains("no key in this test") && !said.text.contains("CANARY"), "{}", said.text);
    ask(&world, Who::User("anna"), 1, "/keys/get").await.is(409, "key_awaited");
    world.call(Who::User("anna"), "POST", "/v1/software/reseal", &[], "").await.is(409, "secrets_locked");
    assert_eq!(reads(&world).await.len(), 0);
}

#[tokio::test]
async fn what_cannot_be_a_key_or_a_link_is_refused_without_being_repeated() {
    let world = world("2021-04-01T00:00:00Z", Some(&ring(1))).await;
    let cases = [
        (json!({}), 422, "nothing_to_record"),
        (json!({ "key": "" }), 400, "bad_key"),
        (json!({ "key": "CANARY\u{7}" }), 400, "bad_key"),
        (json!({ "key": "CANARY".repeat(1000) }), 400, "bad_key"),
        (json!({ "link": "ftp://CANARY" }), 400, "bad_url"),
        (json!({ "link": "https://CANARY with blanks" }), 400, "bad_url"),
        (json!({ "key": 25 }), 422, "schema"),
        (json!({ "kee": "CANARY" }), 422, "unknown_field"),
    ];
    for (body, status, code) in cases {
        let said = world.post("anna", &path(1, "/keys"), body).await.is(status, code);
        assert!(!said.text.contains("CANARY"), "{}", said.text);
    }
    // Opaque: neither length nor letters are asked for.
    for key in ["a", "32digits32digits32digits32digits", "ключ 密钥"] {
        good(&world.post("anna", &path(1, "/keys"), json!({ "key": key })).await);
        assert_eq!(good(&ask(&world, Who::User("anna"), 1, "/keys/get").await)["key"], key);
    }
}

#[test]
fn what_holds_a_secret_shows_nothing_of_it_for_debugging() {
    let recording =
        keys::Recording { key: Some(Secret::new(KEY)), link: Some(Secret::new(LINK)), ..Default::default() };
    assert!(!format!("{recording:?}").contains("CANARY"));
}

/// The tables of one store as a file: what is written with one set of keys and opened with others.
#[tokio::test]
async fn a_second_master_key_takes_over_and_the_first_can_go() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        Config { library: folder.path().to_owned(), store: folder.path().join("a.bursar"), ..Config::default() };
    App::init(&config, [6; 16], Some(at("2021-04-01T00:00:00Z"))).unwrap();
    let open = |keys: &str| {
        let options = Options { script_threads: Some(1), ring: Some(Ring::parse(keys).unwrap()), ..Options::default() };
        let app = App::open(&config, options).unwrap();
        World { router: router(app.clone()), app, folder: tempfile::tempdir().unwrap() }
    };
    let first = open(&ring(1));
    import(&first, json!([customer(TENANT, "Anker BV"), holding(1, TENANT, "Order01", "Software", None)])).await;
    put(&first, 1).await;
    first.app.store().clone().close();
    drop(first);
    // Another key of the same number, and no key of it, are told apart; nothing is shown.
    for (keys, why) in [(Ring::line(1, &[9; KEY_BYTES]), "another key"), (ring(2), "not among")] {
        let wrong = open(&keys);
        let said = ask(&wrong, Who::User("anna"), 1, "/keys/get").await.is(409, "secrets_unreadable");
        assert!(said.text.contains(why), "{}", said.text);
        wrong.app.store().clone().close();
    }
    let both = open(&format!("{}{}", ring(2), ring(1)));
    assert_eq!(good(&ask(&both, Who::User("anna"), 1, "/keys/get").await)["key"], KEY);
    let resealed = good(&both.call(Who::User("anna"), "POST", "/v1/software/reseal", &[], "").await);
    assert_eq!(resealed, json!({ "seen": 2, "resealed": 2 }));
    let again = good(&both.call(Who::User("anna"), "POST", "/v1/software/reseal", &[], "").await);
    assert_eq!(again, json!({ "seen": 2, "resealed": 0 }));
    both.app.store().clone().close();
    drop(both);
    let second = open(&ring(2));
    assert_eq!(good(&ask(&second, Who::User("anna"), 1, "/keys/get").await)["key"], KEY);
    assert_eq!(good(&ask(&second, Who::User("anna"), 1, "/links/get").await)["url"], LINK);
}
