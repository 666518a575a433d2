//! Support requests and the activity log from the shell: the form, the list, the CSV, and the checkpoint of the log.

use serde_json::Value;

use crate::cli_run::Book;

const CONTACT: [&str; 6] =
    ["--contact-name", "Anna Berg", "--contact-email", "anna@partner.example", "--contact-phone", "+31 20 555 0100"];

fn subscription(book: &Book) -> (String, String) {
    let list = book.json(&["subscriptions", "list"]);
    let text = |name: &str| list[0][name].as_str().unwrap().to_owned();
    (text("id"), text("tenant"))
}

#[test]
fn a_refund_is_asked_for_answered_and_closed() {
    let book = Book::filled();
    let (id, tenant) = subscription(&book);
    let lacking = book.run(&["support", "create", "--customer", &tenant]).exits(2);
    assert!(lacking.err.contains("Impact; Title; ") && lacking.err.contains("missing_field"), "{}", lacking.err);
    let form = [
        &["support", "create", "--customer", &tenant, "--subscription", &id, "--impact", "paid twice"][..],
        &["--title", "Double purchase", "--refund-reason", "bought twice", "--amount", "12.00 EUR"],
        &CONTACT,
    ];
    let made = book.run(&form.concat()).exits(0).out;
    let (status, support) = made.trim().split_once(' ').unwrap();
    assert_eq!(status, "open");
    let shown = book.json(&["support", "show", support]);
    assert!(shown["form"]["description"].as_str().unwrap().contains("Refund reason: bought twice"), "{shown}");
    book.run(&["support", "note", support, "the customer was told"]).exits(0);
    book.run(&["support", "update", support]).exits(2).says("nothing to change");
    let closed = book.run(&["support", "close", support, "--resolution", "granted", "--note", "credited"]).exits(0).out;
    assert_eq!(closed, format!("closed {support}\n"));
    let list = book.json(&["support", "list", "--where", "status=closed"]);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["notes"][1]["text"]), (1, &Value::from("credited")));
    book.run(&["support", "show", "sup_00000000000000000000000000"]).exits(4);
}

#[test]
fn the_log_is_listed_and_written_as_csv_by_date_customer_and_operation() {
    let book = Book::filled();
    let (id, _) = subscription(&book);
    book.run(&["subscriptions", "auto-renew", &id, "off", "--why", "they said so"]);
    let all = book.json(&["activity", "list"]);
    assert!(all.as_array().unwrap().len() >= 3, "{all}");
    let orders = book.json(&["activity", "list", "--operation", "create_order"]);
    assert!(orders.as_array().unwrap().iter().all(|one| one["resourceType"] == "order"), "{orders}");
    assert!(!orders.as_array().unwrap().is_empty());
    let customer =
        all.as_array().unwrap().iter().find_map(|one| one["companyName"].as_str().filter(|name| !name.is_empty()));
    let csv = book.run(&["activity", "csv", "--customer", customer.unwrap()]).exits(0).out;
    let mut lines = csv.split("\r\n");
    assert_eq!(lines.next(), Some("Date-Time,Affected customer,Action,Partner user"));
    let first: Vec<&str> = lines.next().unwrap().split(',').collect();
    let guarded = format!("'{}", customer.unwrap());
    assert_eq!((first.len(), first[1]), (4, guarded.as_str()), "a name that begins as a formula is none");
    // The last month unless another time is asked for.
    book.run(&["clock", "advance", "P40D"]).exits(0);
    let recent = book.run(&["activity", "csv", "--operation", "create_order"]).exits(0).out;
    assert_eq!(recent.lines().count(), 1, "nothing but the head: {recent}");
    let any = book.run(&["activity", "csv", "--operation", "create_order", "--from", "2020-01-01"]).exits(0).out;
    assert!(any.lines().count() > 1, "{any}");
    assert!(any.contains("create_order"));
}

#[test]
fn a_checkpoint_kept_elsewhere_tells_a_log_that_was_written_anew() {
    let book = Book::filled();
    let (id, _) = subscription(&book);
    let kept = book.run(&["activity", "checkpoint"]).exits(0).out.trim().to_owned();
    book.run(&["backup", "before.bursar"]).exits(0);
    book.run(&["subscriptions", "auto-renew", &id, "off", "--why", "they said so"]);
    let later = book.json(&["verify", "--checkpoint", &kept]);
    assert_eq!(later["log"]["broken"], Value::Null);
    let now = book.run(&["activity", "checkpoint"]).exits(0).out.trim().to_owned();
    assert_ne!(now, kept);
    book.run(&["verify", "before.bursar", "--checkpoint", &kept]).exits(0);
    // The older copy in the place of the store: what was written since is gone, and the later checkpoint says so.
    book.run(&["verify", "before.bursar", "--checkpoint", &now]).exits(1).says("rewritten");
    let (seq, hash) = kept.split_once(':').unwrap();
    let other = if hash.starts_with('0') { "1" } else { "0" };
    book.run(&["verify", "--checkpoint", &format!("{seq}:{other}{}", &hash[1..])]).exits(1).says("rewritten");
    book.run(&["verify", "--checkpoint", "yesterday"]).exits(2);
}
