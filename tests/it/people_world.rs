//! A store with two customers, each with a holding of every kind, a user for every role, and policies that approve
//! whatever is not labelled `hold`.

use bursar::app::{App, Options};
use bursar::config::Config;
use bursar::domain::request::Outcome;
use bursar::domain::selection::{ACTIVITY, Selection};
use bursar::domain::{Change, Grants, Id, Principal, Role, SubscriptionId, TenantId, User, calendar};
use bursar::ops::users::{self, Draft};
use bursar::ops::{self, Rights, Work, activity, requests, tokens};
use bursar::store::records::log::Activity;
use serde_json::{Value, json};

pub(crate) const NOW: &str = "2027-01-10T12:00:00Z";
/// The customer assigned to every user.
pub(crate) const HERE: &str = "11111111-1111-1111-1111-111111111111";
/// A customer assigned to nobody.
pub(crate) const THERE: &str = "99999999-9999-9999-9999-999999999999";

pub(crate) const LICENCE: u8 = 1;
pub(crate) const SAAS: u8 = 2;
pub(crate) const SOFTWARE: u8 = 3;
pub(crate) const PERPETUAL: u8 = 4;
pub(crate) const SUSPENDED: u8 = 5;
pub(crate) const TRIAL_ORDERED: u8 = 6;
pub(crate) const ORDERED: u8 = 7;
pub(crate) const SOFTWARE_ORDERED: u8 = 8;
pub(crate) const HELD: u8 = 9;

const POLICY: &str = r#"//! Everything passes but what is held.
//! ---
//! decides = ["renewal", "suspension", "reactivation", "cancellation", "auto_renew", "quantity", "purchase",
//!            "activation", "conversion", "schedule", "billing_plan", "deprovision"]
//! ---
fn decide(request) {
    let sub = request.subscription;
    if sub.has_label("ask_agent") { review("who cares for customers", #{ role: "admin_agent" }); }
    if sub.has_label("ask_sales") { review("who sold it", #{ role: "sales_agent" }); }
    if sub.has_label("ask_money") { review("who cares for money", #{ roles: ["billing_admin"] }); }
    if sub.has_label("hold") { review("held", #{ otherwise: "approve" }); }
    approve();
}
"#;
const SCRIPT: &str = r#"//! Suspends what is told.
//! ---
//! grants = ["subscriptions.read", "propose.suspension", "propose.cancellation"]
//! ---
fn run(event) {
    for sub in subscriptions(#{ tenant: event.data.text("tenant"), status: "active" }) {
        sub.request_suspension("non_payment", "told to");
    }
}
fn call_off(event) {
    for sub in subscriptions(#{ tenant: event.data.text("tenant"), status: "active" }) {
        sub.request_cancellation("customer_request", "told to");
    }
}
"#;

pub(crate) struct People {
    pub(crate) app: App,
    _folder: tempfile::TempDir,
}

/// A holding of a customer: the last digits say which, the first whose.
pub(crate) fn holding(tenant: &str, number: u8) -> SubscriptionId {
    format!("{}-2222-2222-2222-2222222222{number:02}", &tenant[..8]).parse().unwrap()
}

pub(crate) fn everything(name: &str) -> Rights {
    Rights { principal: Principal::User(name.to_owned()), grants: Grants::all() }
}

/// A name for the user who holds just this role.
pub(crate) fn name_of(role: Role) -> String {
    role.as_str().replace('_', "-")
}

impl People {
    pub(crate) async fn new() -> People {
        People::with("").await
    }

    /// With more lines of configuration.
    pub(crate) async fn with(more: &str) -> People {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [("policies/all.rhai", POLICY), ("scripts/told.rhai", SCRIPT)] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let config = Config::parse(more, &folder.path().join("bursar.toml")).unwrap();
        let ring = bursar::seal::Ring::parse(&bursar::seal::Ring::line(1, &[7; 32])).unwrap();
        let options = Options { script_threads: Some(1), ring: Some(ring), ..Options::default() };
        let app = App::in_memory(&config, [9; 16], Some(calendar::instant(NOW).unwrap()), options).unwrap();
        let world = People { app, _folder: folder };
        world.import().await;
        for role in Role::ALL {
            world.user(&name_of(role), &[role]).await;
        }
        world
    }

    async fn import(&self) {
        let mut rows = Vec::new();
        for (tenant, name) in [(HERE, "Anker BV"), (THERE, "Other GmbH")] {
            rows.push(json!({ "id": tenant,
                "companyProfile": { "tenantId": tenant, "companyName": name, "domain": format!("{}.example", &name[..5].to_lowercase()) },
                "billingProfile": { "defaultAddress": { "country": "NL" } } }));
            rows.extend([
                row(tenant, LICENCE, "OnlineServicesNCE", "active", &json!({})),
                row(tenant, SAAS, "SaaS", "active", &json!({ "publisherName": "Contoso" })),
                row(tenant, SOFTWARE, "SoftwareSubscriptions", "active", &json!({})),
                row(
                    tenant,
                    PERPETUAL,
                    "SoftwarePerpetual",
                    "active",
                    &json!({ "termDuration": null, "billingCycle": "one_time",
                    "commitmentEndDateTime": null }),
                ),
                row(tenant, SUSPENDED, "OnlineServicesNCE", "suspended", &json!({ "suspensionReasons": ["Customer"] })),
                row(tenant, TRIAL_ORDERED, "OnlineServicesNCE", "pending", &json!({ "isTrial": true })),
                row(tenant, ORDERED, "OnlineServicesNCE", "pending", &json!({})),
                row(tenant, SOFTWARE_ORDERED, "SoftwareSubscriptions", "pending", &json!({})),
                row(tenant, HELD, "OnlineServicesNCE", "active", &json!({})),
            ]);
        }
        let document = Value::Array(rows).to_string();
        let options = ops::imports::Options::default();
        let report = self.app.import(Rights::system(), "test".to_owned(), document, options).await.unwrap();
        assert_eq!(report.refused, 0, "{report:#?}");
        for tenant in [HERE, THERE] {
            self.act(everything("root"), move |work| {
                ops::subscriptions::label(work, holding(tenant, HELD), "hold", Some("yes"))
            })
            .await
            .unwrap();
        }
    }

    /// Makes a user with these roles; Sales agents are assigned the one customer, customers' users are that customer's.
    pub(crate) async fn user(&self, name: &str, roles: &[Role]) -> User {
        let here: TenantId = HERE.parse().unwrap();
        let of_customer = roles.contains(&Role::CustomerGlobalAdmin);
        let draft = Draft {
            name: name.to_owned(),
            email: format!("{name}@partner.example"),
            roles: roles.to_vec(),
            assigned: if of_customer { Vec::new() } else { vec![here] },
            customer: of_customer.then_some(here),
            ..Draft::default()
        };
        self.act(everything("root"), move |work| users::create(work, draft.clone())).await.unwrap()
    }

    /// What a user may do now.
    pub(crate) fn rights(&self, name: &str) -> Rights {
        self.narrowed(name, &[])
    }

    /// The rights of a token of a user that was narrowed to some grants.
    pub(crate) fn narrowed(&self, name: &str, only: &[&str]) -> Rights {
        let list = only.iter().map(|grant| grant.parse().unwrap()).collect();
        let only = Grants { list, tenants: None };
        let found = self.app.read(Rights::system(), |work| users::rights_of(&mut work.tx, name, &only));
        found.unwrap().unwrap().1
    }

    /// The secret of a fresh token of a user, made by whoever may do everything.
    pub(crate) async fn token(&self, user: &str, name: &str) -> String {
        let secret = format!("brs_{name}_0123456789abcdefghjkmnpqrs");
        let (user, name, told) = (user.to_owned(), name.to_owned(), secret.clone());
        let make = move |work: &mut Work| tokens::create_for(work, &user, Some(&name), Grants::default(), None, &told);
        self.act(everything("root"), make).await.unwrap();
        secret
    }

    pub(crate) async fn act<T: Send + 'static>(
        &self,
        rights: Rights,
        body: impl Fn(&mut Work) -> ops::Result<T> + Send + 'static,
    ) -> ops::Result<T> {
        self.app.act(rights, self.app.next_cause("test"), body).await
    }

    /// The same on a fork that is forgotten.
    pub(crate) async fn dry<T: Send + 'static>(
        &self,
        rights: Rights,
        body: impl Fn(&mut Work) -> ops::Result<T> + Send + 'static,
    ) -> ops::Result<T> {
        self.app.dry(rights, self.app.next_cause("test"), body).await
    }

    /// A request that waits: proposed by somebody, on the holding that policies hold.
    pub(crate) async fn waits(&self, rights: Rights, tenant: &'static str, change: Change) -> Id {
        let propose = move |work: &mut Work| requests::propose(work, holding(tenant, HELD), change.clone(), "because");
        let proposed = self.act(rights, propose).await.unwrap();
        assert_eq!(proposed.outcome, Outcome::Waiting, "{proposed:#?}");
        proposed.request.unwrap().id
    }
}

/// Bought this morning for a year: every window is open.
fn row(tenant: &str, number: u8, product: &str, status: &str, more: &Value) -> Value {
    let id = holding(tenant, number);
    let mut row = json!({ "id": id, "offerId": format!("CFQ7TTC0{product:.4}:0001:CFQ7TTC0LF01"), "offerName": product,
        "friendlyName": format!("{product} {number}"), "productType": { "id": product }, "quantity": 10,
        "creationDate": "2027-01-10T06:00:00Z", "effectiveStartDate": "2027-01-10T00:00:00Z",
        "commitmentEndDateTime": "2028-01-09T23:59:59Z", "status": status, "autoRenewEnabled": status == "active",
        "billingType": "license", "billingCycle": "annual", "termDuration": "P1Y", "unitPrice": "120.00 EUR",
        "links": { "self": { "uri": format!("/customers/{tenant}/subscriptions/{id}"), "method": "GET" } },
        "attributes": { "objectType": "Subscription" } });
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(row.as_object_mut().unwrap().remove(name)),
            value => row[name] = value.clone(),
        }
    }
    row
}

/// The activity log as whoever asks sees it, newest first.
pub(crate) fn activity_of(work: &mut Work) -> ops::Result<Vec<Activity>> {
    let query = activity::Query::of(Selection::everything(&ACTIVITY), work.now);
    let page = activity::select(work, &query, None, 1_000)?;
    Ok(page.items.into_iter().map(|entry| entry.activity).collect())
}
