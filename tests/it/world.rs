//! A store in memory on a manual clock with a library of its own and a small book: what tests of the whole stand on.

use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::domain::ledger::Line;
use bursar::domain::selection::{LEDGER, Selection};
use bursar::domain::{Change, Grants, Instant, Principal, Subscription, SubscriptionId, calendar};
use bursar::ops::{self, Rights, ledger, requests, subscriptions};

pub(crate) fn at(text: &str) -> Instant {
    calendar::instant(text).unwrap()
}

pub(crate) fn person(name: &str) -> Rights {
    Rights { principal: Principal::User(name.to_owned()), grants: Grants::all() }
}

pub(crate) struct World {
    pub(crate) app: App,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(now: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let config = Config { library: folder.path().to_owned(), ..Config::default() };
        let options = Options { script_threads: Some(1), ..Options::default() };
        let app = App::in_memory(&config, [3; 16], Some(at(now)), options).unwrap();
        Self { app, _folder: folder }
    }

    pub(crate) async fn import(&self, body: serde_json::Value) {
        let options = ops::imports::Options::default();
        let report = self.app.import(Rights::system(), "test".to_owned(), body.to_string(), options).await.unwrap();
        assert_eq!(report.refused, 0, "{report:#?}");
    }

    pub(crate) async fn propose(&self, who: &str, id: SubscriptionId, change: Change) -> requests::Proposed {
        let cause = self.app.next_cause("test");
        let body = move |work: &mut ops::Work| requests::propose(work, id, change.clone(), "because");
        self.app.act(person(who), cause, body).await.unwrap()
    }

    pub(crate) fn sub(&self, id: SubscriptionId) -> Subscription {
        self.app.read(Rights::system(), |work| subscriptions::get(work, id)).unwrap().value
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        let all = Selection::everything(&LEDGER);
        let mut lines = self.app.read(Rights::system(), |work| ledger::list(work, &all, None, 10_000)).unwrap().items;
        lines.reverse();
        lines
    }
}

pub(crate) const TENANT: &str = "11111111-1111-1111-1111-111111111111";

pub(crate) fn sub_id(number: u8) -> SubscriptionId {
    format!("22222222-2222-2222-2222-2222222222{number:02}").parse().unwrap()
}

pub(crate) fn customer() -> serde_json::Value {
    serde_json::json!({ "id": TENANT,
        "companyProfile": { "tenantId": TENANT, "companyName": "Anker BV", "domain": "anker.example" },
        "billingProfile": { "defaultAddress": { "country": "NL" } } })
}

pub(crate) fn order(number: u8, price: &str) -> serde_json::Value {
    serde_json::json!({ "id": format!("Order{number:02}"), "referenceCustomerId": TENANT, "currencyCode": "EUR",
        "billingCycle": "monthly", "creationDate": "2027-01-31T00:00:00Z", "status": "completed",
        "lineItems": [{ "lineItemNumber": 0, "offerId": "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01",
            "subscriptionId": sub_id(number), "quantity": 10, "pricing": { "price": price, "listPrice": price } }] })
}

pub(crate) fn monthly(number: u8, start: &str, end: &str) -> serde_json::Value {
    serde_json::json!({ "id": sub_id(number), "offerId": "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01", "offerName": "Suite",
        "friendlyName": format!("Suite {number}"), "productType": { "id": "OnlineServicesNCE" }, "quantity": 10,
        "creationDate": start, "effectiveStartDate": start, "commitmentEndDateTime": end, "status": "active",
        "autoRenewEnabled": true, "billingType": "license", "billingCycle": "monthly", "termDuration": "P1M",
        "orderId": format!("Order{number:02}"),
        "links": { "self": { "uri": format!("/customers/{TENANT}/subscriptions/{}", sub_id(number)), "method": "GET" } },
        "attributes": { "objectType": "Subscription" } })
}

pub(crate) fn book(start: &str, end: &str) -> serde_json::Value {
    serde_json::json!([customer(), order(1, "10.00"), monthly(1, start, end)])
}

/// A book of so many monthly subscriptions from 31 January 2027.
pub(crate) fn large_book(count: u8) -> serde_json::Value {
    let mut rows = vec![customer()];
    for number in 1..=count {
        rows.push(order(number, "10.00"));
        rows.push(monthly(number, "2027-01-31T00:00:00Z", "2027-02-27T23:59:59Z"));
    }
    serde_json::Value::Array(rows)
}
