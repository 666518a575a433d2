//! What the command line promises of keys: nothing in its arguments, nothing in files, logs and exports, one line for whoever
//! may read it. Each file is searched byte by byte for what must not be in it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::cli_run::{Book, bursar};

const TENANT: &str = "6f2c8a10-3c41-4a5e-9a0b-0d5e3b7c1a01";
const HOLDING: &str = "a0000000-0000-4000-8000-0000000000aa";
const KEY: &str = "CANARY-7F3Q2-KEYKE-YKEYK-EYKEY";
const LINK: &str = "https://downloads.example/CANARY-LINK/sql.iso";

/// A book with a customer who bought software for good.
fn filled() -> Book {
    let book = Book::new();
    let rows = json!([
        { "id": TENANT, "companyProfile": { "tenantId": TENANT, "companyName": "Anker BV", "domain": "anker.example" },
            "billingProfile": { "defaultAddress": { "country": "NL" } } },
        { "id": HOLDING, "offerId": "DG7GMGF0FKZV:0003:DG7GMGF0DWMS", "offerName": "SQL Server", "friendlyName": "SQL Server",
            "productType": { "id": "Software" }, "quantity": 1, "creationDate": "2026-03-31T00:00:00Z",
            "effectiveStartDate": "2026-03-31T00:00:00Z", "status": "active", "billingType": "license",
            "billingCycle": "one_time", "orderId": "Order01", "unitPrice": "1000.00 EUR",
            "links": { "self": { "uri": format!("/customers/{TENANT}/subscriptions/{HOLDING}"), "method": "GET" } },
            "attributes": { "objectType": "Subscription" } }
    ]);
    book.write("book.json", &rows.to_string());
    book.run(&["import", "partner-center", "book.json"]).exits(0);
    book
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

fn files_below(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

#[test]
fn a_key_is_in_the_answer_and_in_no_file_log_or_export() {
    let book = filled();
    let loud = ["-vv", "--output", "json"];
    book.write("key.txt", &format!("{KEY}\n"));
    let put = ["keys", "put", HOLDING, "--customer", "anker.example", "--key-file", "key.txt", "--link-file", "-"];
    let mut command = bursar(book.dir.path(), &[&loud[..], &put].concat());
    command.env("BURSAR_LOG", "trace").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(LINK.as_bytes()).unwrap();
    let put = child.wait_with_output().unwrap();
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    assert!(!holds(&put.stdout, "CANARY"), "recording does not echo");
    std::fs::remove_file(book.path("key.txt")).unwrap();

    let mut command = bursar(book.dir.path(), &[&loud[..], &["keys", "get", HOLDING, "-C", TENANT]].concat());
    let got = command.env("BURSAR_LOG", "trace").output().unwrap();
    let shown: Value = serde_json::from_slice(&got.stdout).unwrap();
    assert_eq!((&shown["key"], &shown["keyType"]), (&json!(KEY), &json!("MAK")));
    assert!(shown["notice"].as_str().unwrap().len() > 40);
    for (log, operation) in [(&put.stderr, "keys.recorded"), (&got.stderr, "get_software_key")] {
        assert!(holds(log, operation), "what was done is logged: {}", String::from_utf8_lossy(log));
        assert!(!holds(log, "CANARY"), "{}", String::from_utf8_lossy(log));
    }
    // A person reads the notice beside it.
    let read = book.run(&["links", "get", HOLDING, "-C", "anker.example"]).exits(0);
    assert!(read.out.contains(LINK) && read.out.contains("notice"), "{}", read.out);

    book.run(&["export", "--file", "records.jsonl"]).exits(0);
    book.run(&["backup", "copy.bursar"]).exits(0);
    book.run(&["-o", "json", "software", "list", "-C", "anker.example"]).exits(0);
    let mut files = Vec::new();
    files_below(book.dir.path(), &mut files);
    let names: Vec<String> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    for name in ["store.bursar", "copy.bursar", "records.jsonl"] {
        let bytes = std::fs::read(book.path(name)).unwrap();
        // What is searched for is found where it is: the search itself works.
        assert!(holds(&bytes, "SQL Server"), "{name}");
        assert!(names.contains(&name.to_owned()));
    }
    let master = std::fs::read_to_string(book.path("bursar.key")).unwrap();
    let encoded = master.trim().split(' ').nth(1).unwrap().to_owned();
    for path in files.iter().filter(|path| !path.ends_with("bursar.key")) {
        let bytes = std::fs::read(path).unwrap();
        assert!(!holds(&bytes, "CANARY"), "{}", path.display());
        assert!(!holds(&bytes, &encoded), "{} has the master key", path.display());
    }
    let log = book.run(&["activity", "list", "--all"]).exits(0).out;
    assert!(log.contains("get_software_key") && log.contains("get_software_download_link"), "{log}");
}

#[test]
fn init_makes_a_master_key_for_its_owner_alone_and_a_store_without_it_is_locked() {
    let book = filled();
    let mode = std::fs::metadata(book.path("bursar.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    book.write("key.txt", KEY);
    let put = ["keys", "put", HOLDING, "-C", TENANT, "--key-file", "key.txt"];
    let get = ["keys", "get", HOLDING, "-C", TENANT];
    book.run(&put).exits(0);
    std::fs::rename(book.path("bursar.key"), book.path("away")).unwrap();
    book.run(&["software", "list", "-C", TENANT]).exits(0);
    book.run(&get).exits(8).says("secrets_locked");
    book.run(&put).exits(8).says("bursar.key");
    // A new key where the old one is missing opens nothing, and is told from having none.
    book.run(&["keys", "new-master-key"]).exits(0);
    book.run(&get).exits(8).says("secrets_unreadable");
    std::fs::rename(book.path("away"), book.path("bursar.key")).unwrap();
    assert_eq!(book.json(&get)["key"], KEY);
    // Readable by others: it is not used at all.
    std::fs::set_permissions(book.path("bursar.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = book.run(&get);
    assert!(told.exit != 0 && told.err.contains("chmod 600"), "{}", told.err);
    std::fs::set_permissions(book.path("bursar.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    // The environment stands above the file.
    let master = std::fs::read_to_string(book.path("bursar.key")).unwrap();
    std::fs::rename(book.path("bursar.key"), book.path("away")).unwrap();
    let got = bursar(book.dir.path(), &get).env("BURSAR_KEY", master.trim()).output().unwrap();
    assert!(holds(&got.stdout, KEY), "{}", String::from_utf8_lossy(&got.stderr));
    let wrong = bursar(book.dir.path(), &get).env("BURSAR_KEY", "1 c2hvcnQ=").output().unwrap();
    assert!(!wrong.status.success() && holds(&wrong.stderr, "BURSAR_KEY") && !holds(&wrong.stderr, "c2hvcnQ"));
}

#[test]
fn a_new_master_key_takes_over_and_the_old_line_can_go() {
    let book = filled();
    book.write("key.txt", KEY);
    book.run(&["keys", "put", HOLDING, "-C", TENANT, "--key-file", "key.txt"]).exits(0);
    book.run(&["keys", "new-master-key"]).exits(0).says("key 2");
    let text = std::fs::read_to_string(book.path("bursar.key")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("2 ") && lines[1].starts_with("1 "),
        "two keys, the new one first"
    );
    let mode = std::fs::metadata(book.path("bursar.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(book.json(&["keys", "reseal"])["resealed"], 1);
    std::fs::write(book.path("bursar.key"), format!("{}\n", lines[0])).unwrap();
    assert_eq!(book.json(&["keys", "get", HOLDING, "-C", TENANT])["key"], KEY);
}

#[test]
fn keys_and_devices_come_from_csv_files() {
    let book = filled();
    book.run(&["software", "describe", "DG7GMGF0FKZV", "--version", "2019", "--version", "2022"]).exits(0);
    let head = "subscription,version,key,link\n";
    book.write(
        "keys.csv",
        &format!("{head}{HOLDING},2019,{KEY},\n{HOLDING},2022,OTHER,{LINK}\n{HOLDING},2016,CANARY2016,\n"),
    );
    let import = book.run(&["keys", "import", "keys.csv", "-C", "anker.example"]).exits(1);
    assert!(import.out.contains("recorded  2") && import.err.contains("line 4"), "{} {}", import.out, import.err);
    assert!(!import.err.contains("CANARY") && !import.out.contains("CANARY"), "{} {}", import.out, import.err);
    assert_eq!(book.json(&["keys", "get", HOLDING, "-C", TENANT, "--version", "2019"])["key"], KEY);
    book.run(&["keys", "get", HOLDING, "-C", TENANT]).exits(8).says("choice_needed").says("2019, 2022");
    book.run(&["keys", "get", HOLDING, "-C", TENANT, "--version", "2019", "--type", "KMS"]).exits(8).says("K-mak");

    book.write(
        "devices.csv",
        "device,product,activated_at\nSRV-01,\"Windows Server, 2019\",2025-11-01T00:00:00Z\nSRV-02,SQL Server,2026-03-01\n",
    );
    assert_eq!(book.json(&["activations", "import", "devices.csv", "-C", "Anker BV"])["recorded"], 2);
    let due = book.json(&["activations", "list", "--within", "P60D"]);
    assert_eq!((&due[0]["device"], &due[0]["deadline"]), (&json!("SRV-01"), &json!("2026-04-30T00:00:00Z")));
    assert_eq!(due.as_array().unwrap().len(), 1);
    let record = ["activations", "record", "-C", TENANT, "--device", "SRV-03", "--product", "SQL Server"];
    book.run(&[&record[..], &["--at", "2026-03-02T00:00:00Z"]].concat()).exits(0);
    book.run(&["activations", "moved", "-C", TENANT, "--device", "SRV-01", "--product", "Windows Server, 2019"])
        .exits(0);
    let plan = book.run(&["activations", "plan", "-C", "anker.example"]).exits(0).out;
    assert!(plan.contains("1. [done] Buy") && plan.contains("3 recorded, 2 not moved yet, 0 of them lapsed"), "{plan}");
    let record = ["activations", "record", "-C", TENANT, "--device", "SRV-04", "--product", "Visio"];
    book.run(&[&record[..], &["--at", "2026-03-02T00:00:00Z"]].concat()).exits(0);
    let plan = book.run(&["activations", "plan", "-C", "anker.example"]).exits(0).out;
    assert!(!plan.contains("1. [done]") && !plan.contains("3. [done]"), "nobody bought Visio: {plan}");
    let list = book.run(&["software", "list", "-C", "anker.example"]).exits(0).out;
    // The customer's own Global admin names it as everybody does, and nobody else's.
    let invited = ["users", "create", "ivo", "--email", "ivo@anker.example", "--role", "customer_global_admin"];
    book.run(&[&invited[..], &["--customer", TENANT]].concat()).exits(0);
    for told in ["anker.example", "Anker BV", TENANT] {
        assert_eq!(book.run(&["--as", "ivo", "software", "list", "-C", told]).exits(0).out, list, "{told}");
    }
    book.run(&["--as", "ivo", "software", "list", "-C", "nobody.example"]).exits(4).says("no customer nobody.example");
    assert!(list.contains("SQL Server") && list.contains("Order01") && list.contains("available"), "{list}");
    book.run(&["software", "list", "-C", "nobody.example"]).exits(4);
}
