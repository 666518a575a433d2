//! A store in memory behind the real router, and a client that calls it in process.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::domain::{Grants, Instant, Principal, calendar};
use bursar::http::auth::Peer;
use bursar::http::router;
use bursar::ops::{self, Rights, tokens};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::path::Path;
use tower::ServiceExt;

pub(crate) const NOW: &str = "2027-01-10T12:00:00Z";
pub(crate) const TENANT: &str = "11111111-1111-1111-1111-111111111111";
pub(crate) const OTHER: &str = "99999999-9999-9999-9999-999999999999";

/// `cancellation`: small ones pass, large ones wait, one with the label `keep` is denied. The rest passes, except that
/// one labelled `hold` waits.
pub(crate) const FILES: [(&str, &str); 3] = [
    (
        "policies/cancellation.rhai",
        r#"//! Small ones pass.
//! ---
//! decides = "cancellation"
//! ---
fn decide(request) {
    let sub = request.subscription;
    if sub.has_label("keep") { deny("it is to be kept"); }
    if sub.quantity >= 100 { review("a large one"); }
    approve();
}
"#,
    ),
    (
        "policies/others.rhai",
        r#"//! Everything else passes.
//! ---
//! decides = ["auto_renew", "quantity", "suspension", "reactivation"]
//! ---
fn decide(request) {
    if request.subscription.has_label("hold") { review("held"); }
    approve();
}
"#,
    ),
    (
        "scripts/dunning.rhai",
        r#"//! Suspends for an overdue invoice.
//! ---
//! grants = ["subscriptions.read", "propose.suspension", "labels.write"]
//! on = [{ hook = "billing", types = ["invoice.overdue"], call = "overdue" },
//!       { cron = "0 6 * * *" }]
//! ---
fn overdue(event) {
    for sub in subscriptions(#{ tenant: event.data.text("tenantId"), status: "active" }) {
        sub.request_suspension("non_payment", "invoice is overdue");
    }
}
fn run(event) {
    print("ran");
    for sub in subscriptions(#{ status: "active" }) { sub.label("seen", "yes"); }
}
"#,
    ),
];

pub(crate) fn sub_id(number: u8) -> String {
    format!("22222222-2222-2222-2222-2222222222{number:02}")
}

pub(crate) fn at(text: &str) -> Instant {
    calendar::instant(text).unwrap()
}

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) router: Router,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn code(&self) -> String {
        serde_json::from_str::<Value>(&self.text).unwrap_or_default()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{}", self.text);
        if !code.is_empty() {
            let body = self.json();
            assert_eq!(body["type"], format!("https://bursar.dev/problems/{code}"));
            assert_eq!(self.header("content-type"), Some("application/problem+json"));
        }
        self
    }
}

/// Who calls.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    Nobody,
    User(&'a str),
    Token(&'a str),
}

impl World {
    pub(crate) async fn new() -> World {
        World::with("").await
    }

    /// A world with more lines of configuration.
    pub(crate) async fn with(more: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in FILES {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        secret_file(&folder.path().join("billing.secret"), &["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]);
        let text = format!("[hooks.billing]\nsecret_file = \"billing.secret\"\n{more}");
        let config = Config::parse(&text, &folder.path().join("bursar.toml")).unwrap();
        let options = Options { script_threads: Some(1), ..Options::default() };
        let app = App::in_memory(&config, [7; 16], Some(at(NOW)), options).unwrap();
        let world = World { router: router(app.clone()), app, folder };
        world.import().await;
        world
    }

    async fn import(&self) {
        let mut all = vec![customer(TENANT, "Anker BV"), customer(OTHER, "Other GmbH")];
        all.extend((1..=6).map(|number| subscription(number, TENANT, if number == 2 { 150 } else { 10 })));
        all.push(subscription(9, OTHER, 5));
        let options = ops::imports::Options::default();
        let document = Value::Array(all).to_string();
        let report = self.app.import(Rights::system(), "test".to_owned(), document, options).await.unwrap();
        assert_eq!(report.refused, 0, "{report:#?}");
    }

    /// A token with these grants, for these tenants.
    pub(crate) async fn token(&self, name: &str, grants: &[&str], tenants: Option<&[&str]>) -> String {
        let secret = format!("brs_{name}_0123456789abcdefghjkmnpqrs");
        let grants = Grants {
            list: grants.iter().map(|grant| grant.parse().unwrap()).collect(),
            tenants: tenants.map(|tenants| tenants.iter().map(|id| id.parse().unwrap()).collect()),
        };
        let rights = Rights { principal: Principal::User("root".to_owned()), grants: Grants::all() };
        let (name, told) = (name.to_owned(), secret.clone());
        let make = move |work: &mut ops::Work| tokens::create(work, &name, grants.clone(), None, &told);
        self.app.act(rights, self.app.next_cause("test"), make).await.unwrap();
        secret
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Said {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Said { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn call(
        &self,
        who: Who<'_>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Said {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match who {
            Who::Nobody => {}
            Who::User(name) => request = request.extension(Peer::Operator).header("x-bursar-user", name),
            Who::Token(secret) => request = request.header("authorization", format!("Bearer {secret}")),
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        self.call(Who::User("anna"), "GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, who: &str, path: &str, body: Value) -> Said {
        self.call(Who::User(who), "POST", path, &[], body.to_string()).await
    }

    pub(crate) async fn propose(&self, who: &str, number: u8, body: Value) -> Said {
        self.post(who, &format!("/v1/subscriptions/{}/requests", sub_id(number)), body).await
    }

    /// The id of a request that waits: a large cancellation, proposed by somebody.
    pub(crate) async fn waiting(&self, who: &str) -> String {
        let said = self.propose(who, 2, json!({ "kind": "cancellation", "reason": "customer_request" })).await;
        assert_eq!(said.status, 202, "{}", said.text);
        said.json()["request"]["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn secret_file(path: &Path, lines: &[&str]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, lines.join("\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn customer(id: &str, name: &str) -> Value {
    json!({ "id": id, "companyProfile": { "tenantId": id, "companyName": name, "domain": "anker.example" },
        "billingProfile": { "defaultAddress": { "country": "NL" } } })
}

/// Bought yesterday for a year: it can still be cancelled.
fn subscription(number: u8, tenant: &str, quantity: i64) -> Value {
    let id = sub_id(number);
    json!({ "id": id, "offerId": "CFQ7TTC0LIFE:0001:CFQ7TTC0LF01", "offerName": "Suite", "friendlyName": format!("Suite {number}"),
        "productType": { "id": "OnlineServicesNCE" }, "quantity": quantity, "creationDate": "2027-01-09T00:00:00Z",
        "effectiveStartDate": "2027-01-09T00:00:00Z", "commitmentEndDateTime": "2028-01-08T23:59:59Z", "status": "active",
        "autoRenewEnabled": true, "billingType": "license", "billingCycle": "annual", "termDuration": "P1Y",
        "unitPrice": "120.00 EUR",
        "links": { "self": { "uri": format!("/customers/{tenant}/subscriptions/{id}"), "method": "GET" } },
        "attributes": { "objectType": "Subscription" } })
}
