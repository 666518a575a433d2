//! Users at the doors: their tokens over HTTP, the operator in their name, and a customer's Global admin, who sees their
//! own software and nothing else.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use bursar::domain::Role;
use bursar::http::auth::Peer;
use bursar::http::router;
use bursar::http::routes::{OWN, ROUTES};
use bursar::ops::keys::{self, Recording};
use bursar::seal::Secret;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::http_doors;
use crate::people_world::{HERE, People, SOFTWARE, THERE, everything, holding, name_of};

/// A call with a token: the status and the body.
pub(crate) async fn ask(router: &Router, secret: &str, method: &str, path: &str, body: String) -> (u16, Value) {
    let request = Request::builder().header("authorization", format!("Bearer {secret}"));
    sent(router, request.method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path), body).await
}

async fn as_operator(router: &Router, user: &str, method: &str, path: &str, body: String) -> (u16, Value) {
    let request = Request::builder().extension(Peer::Operator).header("x-bursar-user", user);
    sent(router, request.method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path), body).await
}

async fn sent(router: &Router, request: axum::http::request::Builder, body: String) -> (u16, Value) {
    let request = request.body(Body::from(body)).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Every route there is, with the path of the customer's own and of another customer.
#[tokio::test]
async fn a_customers_global_admin_sees_their_own_software_and_nothing_else() {
    let world = People::new().await;
    let secret = world.token("customer-global-admin", "ivo").await;
    let router = router(world.app.clone());
    let own = ["/v1/customers/{tenant}/software", "/v1/customers/{tenant}/software/{id}"];
    let keys = ["/v1/customers/{tenant}/software/{id}/keys/get", "/v1/customers/{tenant}/software/{id}/links/get"];
    let mut opened = 0;
    for route in ROUTES {
        for tenant in [HERE, THERE] {
            let id = holding(tenant, SOFTWARE).to_string();
            let asked = if route.path.ends_with("{id}/quote") { "?kind=reactivation" } else { "" };
            let path = http_doors::filled(route, "req_00000000000000000000000000")
                .replace(crate::http_world::TENANT, tenant)
                .replace(&crate::http_world::sub_id(1), &id);
            let body = http_doors::body(route).replace(&crate::http_world::sub_id(1), &id);
            let (status, said) = ask(&router, &secret, route.method, &(path.clone() + asked), body).await;
            let is_own = tenant == HERE && own.contains(&route.path);
            let is_key = tenant == HERE && keys.contains(&route.path);
            opened += usize::from(is_own || is_key);
            match status {
                200 => assert!(is_own, "{} {path} shows {said}", route.method),
                // Nothing has been recorded yet: they are told so, as they may ask.
                409 => assert!(is_key && said["code"] == "key_awaited", "{} {path}: {said}", route.method),
                403 | 404 => assert!(!is_own && !is_key, "{} {path}: {said}", route.method),
                other => panic!("{} {path}: {other} {said}", route.method),
            }
        }
    }
    assert_eq!(opened, 4, "each of its own routes was tried");
    for route in OWN {
        let (status, said) = ask(&router, &secret, route.method, route.path, String::new()).await;
        assert_eq!((status, said["tenants"].clone()), (200, json!([HERE])), "{}", route.path);
    }
}

/// The same key for the customer and for the Admin agent, each time in the log; for a Global admin of the partner, none.
#[tokio::test]
async fn a_customer_reads_their_own_keys_and_an_admin_agent_everybodys() {
    let world = People::new().await;
    let router = router(world.app.clone());
    for tenant in [HERE, THERE] {
        world
            .act(everything("root"), move |work| {
                let key = Some(Secret::new("AAAAA-BBBBB"));
                let recording = Recording { key, ..Recording::default() };
                keys::put(work, tenant.parse().unwrap(), holding(tenant, SOFTWARE), &recording)
            })
            .await
            .unwrap();
    }
    let mut secrets = Vec::new();
    for user in ["customer-global-admin", "admin-agent", "global-admin", "sales-agent"] {
        secrets.push(world.token(user, user).await);
    }
    for (tenant, wants) in [(HERE, [200, 200, 403, 403]), (THERE, [404, 200, 403, 403])] {
        let path = format!("/v1/customers/{tenant}/software/{}/keys/get", holding(tenant, SOFTWARE));
        for (secret, want) in secrets.iter().zip(wants) {
            let (status, said) = ask(&router, secret, "POST", &path, "{}".to_owned()).await;
            assert_eq!(status, want, "{secret} {said}");
            assert_eq!(said["key"] == "AAAAA-BBBBB", want == 200, "{said}");
        }
    }
    let account = world.token("account-admin", "account").await;
    let (_, log) = ask(&router, &account, "GET", "/v1/activity", String::new()).await;
    let rows = log["items"].as_array().unwrap();
    let by = |operation: &str| -> Vec<&str> {
        rows.iter().filter(|row| row["operation"] == operation).map(|row| row["by"].as_str().unwrap()).collect()
    };
    assert_eq!(
        by("get_software_key"),
        ["user:admin-agent", "user:admin-agent", "user:customer-global-admin"],
        "newest first"
    );
    let refused = by("get_software_key.refused");
    assert_eq!(
        refused,
        ["sales-agent", "global-admin", "customer-global-admin", "sales-agent", "global-admin"]
            .map(|name| format!("user:{name}")),
        "who tried and was refused is told of too"
    );
    assert_eq!(rows.len(), 8, "and of nothing else: {log}");
}

#[tokio::test]
async fn users_are_made_and_changed_and_their_tokens_tell_who_they_are() {
    let world = People::new().await;
    let router = router(world.app.clone());
    let admin = world.token("global-admin", "admin").await;
    let anna = json!({ "name": "Anna", "email": "Anna@partner.example", "displayName": "Anna A.",
        "roles": ["Sales agent"], "assigned": [HERE] });
    let (status, made) = ask(&router, &admin, "POST", "/v1/users", anna.to_string()).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((made["name"].as_str(), made["email"].as_str()), (Some("anna"), Some("anna@partner.example")));
    assert_eq!((made["roles"].clone(), made["state"].as_str()), (json!(["sales_agent"]), Some("active")));
    for who in [made["id"].as_str().unwrap(), "anna", "anna@partner.example"] {
        let (status, said) = ask(&router, &admin, "GET", &format!("/v1/users/{who}"), String::new()).await;
        assert_eq!((status, &said), (200, &made), "{who}");
    }
    let (_, found) = ask(&router, &admin, "GET", "/v1/users?role=sales_agent&state=active", String::new()).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 2, "{found}");
    for (body, code) in [
        (json!({ "roles": ["owner"] }), "unknown_role"),
        (json!({ "state": "asleep" }), "unknown_value"),
        (json!({ "name": "bea" }), "unknown_field"),
    ] {
        let (status, said) = ask(&router, &admin, "PATCH", "/v1/users/anna", body.to_string()).await;
        assert_eq!((status, said["code"].as_str()), (if code == "unknown_value" { 422 } else { status }, Some(code)));
    }
    let (status, _) = ask(&router, &admin, "POST", "/v1/tokens", json!({ "user": "anna" }).to_string()).await;
    assert_eq!(status, 403, "a Global admin speaks in nobody else's name");
    let (status, token) =
        as_operator(&router, "operator", "POST", "/v1/tokens", json!({ "user": "anna" }).to_string()).await;
    assert_eq!((status, token["user"].as_str(), token["name"].as_str()), (201, Some("anna"), Some("anna")), "{token}");
    let secret = token["secret"].as_str().unwrap();
    let (_, who) = ask(&router, secret, "GET", "/v1/whoami", String::new()).await;
    assert_eq!((who["principal"].as_str(), who["roles"].clone()), (Some("user:anna"), json!(["sales_agent"])));
    let acts: Vec<&str> = who["may"].as_array().unwrap().iter().map(|row| row["act"].as_str().unwrap()).collect();
    assert!(acts.contains(&"subscriptions.fewer_seats") && !acts.contains(&"software.cancel"), "{acts:?}");
    let narrow = json!({ "user": "anna", "grants": ["subscriptions.read"] }).to_string();
    let (_, narrow) = as_operator(&router, "operator", "POST", "/v1/tokens", narrow).await;
    let (_, less) = ask(&router, narrow["secret"].as_str().unwrap(), "GET", "/v1/whoami", String::new()).await;
    let may = less["may"].as_array().unwrap();
    assert!(!may.is_empty() && may.len() < acts.len(), "{less}");
    assert!(
        may.iter().all(|row| row["grants"] == json!(["subscriptions.read"])),
        "only what it is narrowed to: {less}"
    );
    let (_, matrix) = ask(&router, secret, "GET", "/v1/roles", String::new()).await;
    let row = matrix["items"].as_array().unwrap().iter().find(|row| row["act"] == "software.cancel").unwrap();
    assert_eq!(
        (row["cells"]["global_admin"].as_str(), row["cells"]["admin_agent"].as_str()),
        (Some("none"), Some("yes"))
    );

    let listed = |path: &'static str| {
        let (router, secret) = (router.clone(), secret.to_owned());
        async move { ask(&router, &secret, "GET", path, String::new()).await }
    };
    let (_, seen) = listed("/v1/subscriptions").await;
    assert!(seen["items"].as_array().unwrap().iter().all(|one| one["tenant"] == HERE), "assigned ones only");
    assert!(!seen["items"].as_array().unwrap().is_empty());
    ask(&router, &admin, "PATCH", "/v1/users/anna", json!({ "assigned": [] }).to_string()).await;
    assert_eq!(listed("/v1/subscriptions").await.1["items"], json!([]), "from the next call on");
    ask(&router, &admin, "PATCH", "/v1/users/anna", json!({ "state": "disabled" }).to_string()).await;
    assert_eq!(listed("/v1/whoami").await.0, 401);
    let (status, said) = as_operator(&router, "anna", "GET", "/v1/whoami", String::new()).await;
    assert_eq!((status, said["code"].as_str()), (403, Some("user_disabled")));
}

#[tokio::test]
async fn the_operator_in_a_users_name_has_that_users_rights() {
    let world = People::new().await;
    let router = router(world.app.clone());
    for name in ["helpdesk-agent", "Helpdesk-Agent", "helpdesk-agent@partner.example"] {
        let (_, who) = as_operator(&router, name, "GET", "/v1/whoami", String::new()).await;
        assert_eq!(
            (who["principal"].as_str(), who["roles"].clone()),
            (Some("user:helpdesk-agent"), json!(["helpdesk_agent"]))
        );
        assert_eq!(as_operator(&router, name, "GET", "/v1/ledger", String::new()).await.0, 403);
    }
    let (status, who) = as_operator(&router, "nobody-we-know", "GET", "/v1/whoami", String::new()).await;
    assert_eq!((status, who["grants"].clone()), (200, json!(["*"])));
    assert_eq!(as_operator(&router, "nobody-we-know", "GET", "/v1/ledger", String::new()).await.0, 200);
    let everybody = Role::ALL.len();
    let (_, all) = as_operator(&router, "operator", "GET", "/v1/users?limit=100", String::new()).await;
    assert_eq!(all["items"].as_array().unwrap().len(), everybody);
}

/// 4c: the log is verified by whoever reads all of it, over any door; a backup is made at the machine alone.
#[tokio::test]
async fn whoever_reads_the_whole_activity_log_verifies_the_store_and_nobody_backs_it_up_from_afar() {
    let world = People::new().await;
    let router = router(world.app.clone());
    for role in Role::ALL {
        let name = name_of(role);
        let secret = world.token(&name, role.as_str()).await;
        let verified = ask(&router, &secret, "POST", "/v1/verify", String::new()).await;
        let expected = if role == Role::GlobalAdmin { 200 } else { 403 };
        assert_eq!(verified.0, expected, "{role}: {}", verified.1);
        let copy = json!({ "file": "/tmp/nowhere/copy.bursar" }).to_string();
        assert_eq!(ask(&router, &secret, "POST", "/v1/backup", copy).await.0, 403, "{role}");
    }
}

/// 4c: who cares for money asks for money back, and opens no other support request.
#[tokio::test]
async fn a_billing_admin_asks_for_a_refund_and_for_no_other_support() {
    let world = People::new().await;
    let secret = world.token(&name_of(Role::BillingAdmin), "billing").await;
    let helpdesk = world.token(&name_of(Role::HelpdeskAgent), "helpdesk").await;
    let router = router(world.app.clone());
    let form = |problem: &str| {
        json!({ "type": problem, "customer": HERE, "impact": "paid twice", "title": "Double purchase",
            "description": "It was bought twice.", "subscription": holding(HERE, SOFTWARE), "refundReason": "bought twice",
            "amount": "100.00 EUR",
            "contact": { "name": "Bea Roth", "email": "bea@partner.example", "phone": "+31 20 555 0100" } })
        .to_string()
    };
    let opened = ask(&router, &secret, "POST", "/v1/support", form("refund")).await;
    assert_eq!(opened.0, 201, "{}", opened.1);
    let other = ask(&router, &secret, "POST", "/v1/support", form("deployment")).await;
    assert_eq!((other.0, &other.1["code"]), (403, &json!("forbidden")), "{}", other.1);
    let path = format!("/v1/support/{}/note", opened.1["id"].as_str().unwrap());
    assert_eq!(ask(&router, &secret, "POST", &path, json!({ "text": "urgent" }).to_string()).await.0, 403);
    assert_eq!(ask(&router, &helpdesk, "POST", &path, json!({ "text": "seen" }).to_string()).await.0, 200);
    assert_eq!(ask(&router, &helpdesk, "POST", "/v1/support", form("deployment")).await.0, 201);
    assert_eq!(ask(&router, &helpdesk, "POST", "/v1/support", form("refund")).await.0, 201);
}
