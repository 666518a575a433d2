//! What the move from KMS to MAK promises over HTTP: deadlines, what is left, and the order of the steps (K-180).

use serde_json::{Value, json};

use crate::http_world::{OTHER, Said, TENANT, Who, World};

const PRODUCT: &str = "Windows Server 2019";

#[track_caller]
fn good(said: &Said) -> Value {
    assert_eq!(said.status, 200, "{}", said.text);
    said.json()
}

fn path(verb: &str) -> String {
    format!("/v1/customers/{TENANT}/activations{verb}")
}

async fn record(world: &World, device: &str, at: &str) -> Said {
    world.post("anna", &path(""), json!({ "device": device, "product": PRODUCT, "activatedAt": at })).await
}

#[tokio::test]
async fn a_device_is_recorded_listed_by_deadline_and_moved() {
    // It is 2027-01-10T12:00:00Z.
    let world = World::new().await;
    let shown = good(&record(&world, "SRV-01", "2026-07-14T12:00:01Z").await);
    assert_eq!((&shown["deadline"], &shown["state"]), (&json!("2027-01-10T12:00:01Z"), &json!("open")));
    let lapsed = good(&record(&world, "SRV-02", "2026-07-14T12:00:00Z").await);
    assert_eq!((&lapsed["state"], &lapsed["daysLeft"]), (&json!("lapsed"), &json!(0)));
    good(&record(&world, "SRV-03", "2027-01-01T00:00:00Z").await);
    let router = &world;
    let due = |query: &'static str| async move {
        let list = good(&router.get(&format!("/v1/activations{query}")).await);
        let items = list["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["device"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(due("").await, ["SRV-02", "SRV-01", "SRV-03"]);
    assert_eq!(due("?within=P60D").await, ["SRV-02", "SRV-01"]);
    assert_eq!(due("?within=PT0S").await, ["SRV-02"], "the deadline of the other is a second away");
    assert_eq!(due("?within=PT1S").await, ["SRV-02", "SRV-01"]);
    // Told again: the later one counts, an earlier one changes nothing.
    good(&record(&world, "srv-01", "2026-06-01T00:00:00Z").await);
    assert_eq!(due("?within=P60D").await, ["SRV-02", "SRV-01"]);
    good(&record(&world, "SRV-02", "2027-01-09T00:00:00Z").await);
    assert_eq!(due("").await, ["SRV-01", "SRV-03", "SRV-02"]);
    let moved = json!({ "device": "SRV-01", "product": PRODUCT });
    let after = good(&world.post("anna", &path("/moved"), moved.clone()).await);
    assert_eq!((&after["state"], &after["movedBy"]), (&json!("moved"), &json!("user:anna")));
    assert_eq!(good(&world.post("ben", &path("/moved"), moved).await)["movedBy"], "user:anna", "once is once");
    assert_eq!(due("").await, ["SRV-03", "SRV-02"]);
    assert_eq!(good(&world.get(&path("")).await)["items"].as_array().unwrap().len(), 3, "moved ones stay listed");
    let log = world.get("/v1/activity").await.text;
    assert!(log.contains("activation.recorded") && log.contains("activation.moved"), "{log}");
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let world = World::new().await;
    record(&world, "SRV-01", "2027-01-10T12:00:01Z").await.is(422, "in_the_future");
    assert_eq!(record(&world, "SRV-01", "2027-01-10T12:00:00Z").await.status, 200);
    record(&world, " ", "2027-01-01T00:00:00Z").await.is(400, "bad_device");
    record(&world, "SRV-01", "yesterday").await.is(422, "bad_date");
    let route = path("/moved");
    let moved = |body: Value| world.post("anna", &route, body);
    moved(json!({ "device": "SRV-09", "product": PRODUCT })).await.is(404, "not_found");
    let early = json!({ "device": "SRV-01", "product": PRODUCT, "at": "2027-01-10T11:59:59Z" });
    moved(early).await.is(409, "moved_before_activated");
    let late = json!({ "device": "SRV-01", "product": PRODUCT, "at": "2027-01-10T12:00:01Z" });
    moved(late).await.is(422, "in_the_future");
    let unknown = "/v1/customers/88888888-8888-8888-8888-888888888888/activations";
    assert_eq!(world.get(unknown).await.is(404, "not_found").json()["partnerCenterCode"], 20_002);
    let body = json!({ "device": "d", "product": "p", "activatedAt": "2027-01-01" });
    world.post("anna", unknown, body).await.is(404, "not_found");
    world.get("/v1/activations?within=soon").await.is(400, "bad_duration");
}

#[tokio::test]
async fn a_list_is_recorded_whole_or_not_at_all() {
    let world = World::new().await;
    let row = |device: &str, at: &str| json!({ "device": device, "product": PRODUCT, "activatedAt": at });
    let rows = json!({ "activations": [row("A", "2027-01-01"), row("B", "2027-01-02")] });
    assert_eq!(good(&world.post("anna", &path(""), rows).await)["recorded"], 2);
    let rows = json!({ "activations": [row("C", "2027-01-01"), row("D", "2028-01-02")] });
    world.post("anna", &path(""), rows).await.is(422, "in_the_future");
    assert_eq!(good(&world.get(&path("")).await)["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_plan_tells_the_steps_in_order_and_what_is_left() {
    let world = World::new().await;
    good(&record(&world, "SRV-01", "2026-06-01T00:00:00Z").await);
    good(&record(&world, "SRV-02", "2026-12-01T00:00:00Z").await);
    let plan = good(&world.get(&path("/plan")).await);
    let steps: Vec<&str> =
        plan["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["buy", "record", "get_key", "install", "check", "retire"]);
    assert_eq!((&plan["rule"], &plan["recorded"], &plan["lapsed"]), (&json!("K-180"), &json!(2), &json!(1)));
    assert_eq!(plan["left"][0]["device"], "SRV-01");
    let done = |plan: &Value, step: usize| plan["steps"][step]["done"].clone();
    assert_eq!((done(&plan, 1), done(&plan, 3), done(&plan, 5)), (json!(true), json!(false), json!(null)));
    for device in ["SRV-01", "SRV-02"] {
        good(&world.post("anna", &path("/moved"), json!({ "device": device, "product": PRODUCT })).await);
    }
    let plan = good(&world.get(&path("/plan")).await);
    assert_eq!((done(&plan, 3), plan["left"].as_array().unwrap().len()), (json!(true), 0));
}

#[tokio::test]
async fn who_may_look_sees_the_devices_of_tenants_within_reach() {
    let world = World::new().await;
    good(&record(&world, "SRV-01", "2026-12-01T00:00:00Z").await);
    let other = world.token("other", &["activations.read"], Some(&[OTHER])).await;
    let who = Who::Token(&other);
    assert_eq!(good(&world.call(who, "GET", "/v1/activations", &[], "").await)["items"], json!([]));
    world.call(who, "GET", &path(""), &[], "").await.is(404, "not_found");
    let body = json!({ "device": "d", "product": "p", "activatedAt": "2027-01-01" }).to_string();
    world.call(who, "POST", &path(""), &[], body).await.is(403, "forbidden");
}

#[tokio::test]
async fn a_deployment_request_tells_what_is_left_to_move() {
    let world = World::new().await;
    good(&record(&world, "SRV-01", "2026-06-01T00:00:00Z").await);
    good(&record(&world, "SRV-02", "2026-12-01T00:00:00Z").await);
    let contact = json!({ "name": "Anna Berg", "email": "anna@partner.example", "phone": "+31 20 555 0100" });
    let said = world.post("anna", &path("/help"), contact).await;
    assert_eq!(said.status, 201, "{}", said.text);
    let opened = said.json();
    assert_eq!(opened["form"]["problem"], "Technical presales and deployment services");
    assert_eq!((&opened["tenant"], &opened["status"]), (&json!(TENANT), &json!("open")));
    let description = opened["form"]["description"].as_str().unwrap();
    assert!(
        description.contains("2 not moved yet, 1 of them lapsed") && description.contains("SRV-02"),
        "{description}"
    );
    assert_eq!(good(&world.get(said.header("location").unwrap()).await)["id"], opened["id"]);
    world.post("anna", &path("/help"), json!({ "name": "Anna Berg" })).await.is(422, "missing_field");
}
