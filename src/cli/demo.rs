//! `bursar serve --demo`: a store in a temporary folder with the policies and scripts that ship and a small book, whose
//! terms end while one watches.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::http::Method;
use bursar::app::App;
use bursar::client::Client;
use bursar::config::{self, Config};
use bursar::domain::calendar;
use bursar::partner_center::relative;
use serde_json::{Value, json};

use super::connect::{Context, file_failure, said};
use super::exit::{Exit, Failure};
use super::import;
use super::init::fresh_id;
use super::output::cell;

macro_rules! shipped {
    ($($path:literal),* $(,)?) => { [$(($path, include_str!(concat!("../../", $path)))),*] };
}

const LIBRARY: [(&str, &str); 7] = shipped![
    "policies/cancellation.rhai",
    "policies/renewal.rhai",
    "policies/restoring.rhai",
    "policies/suspension.rhai",
    "scripts/dunning.rhai",
    "scripts/nightly_windows.rhai",
    "scripts/reminders.rhai",
];
const BOOK: [(&str, &str); 3] =
    shipped!["examples/demo/customers.json", "examples/demo/orders.json", "examples/demo/subscriptions.json"];

const CONFIGURATION: &str = "\
# Made by `bursar serve --demo`; delete the folder when you have seen enough.
store = \"store.bursar\"
library = \".\"

[secrets]
key_file = \"bursar.key\"

[hooks.billing]
secret_file = \"billing.secret\"
";

/// Makes the folder and an empty store in it.
pub(crate) fn folder() -> Result<Config, Failure> {
    let id = fresh_id()?;
    let name: String = id.iter().take(6).fold("bursar-demo-".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    let dir = std::env::temp_dir().join(name);
    make_private(&dir)?;
    write(&dir.join("bursar.toml"), CONFIGURATION)?;
    secret(&dir.join("billing.secret"))?;
    for (path, text) in LIBRARY {
        write(&dir.join(path), text)?;
    }
    for (path, text) in BOOK {
        write(&dir.join(path), text)?;
    }
    let config = Config::load(Some(&dir.join("bursar.toml")), &config::environment)?;
    // A demo never touches a store that the environment names.
    let config = Config { store: dir.join("store.bursar"), library: dir, ..config };
    super::master_key::make_missing(&config)?;
    App::init(&config, id, None)?;
    Ok(config)
}

fn make_private(dir: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(dir).map_err(|error| file_failure("make", dir, &error))
}

fn write(path: &PathBuf, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| file_failure("make", folder, &error))?;
    std::fs::write(path, text).map_err(|error| file_failure("write", path, &error))
}

fn secret(path: &PathBuf) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let mut bytes = vec![0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(Exit::Failed, format!("get randomness: {error}")))?;
    let secret =
        bursar::signature::Secret::from_bytes(bytes).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    write(path, &format!("{}\n", secret.reveal()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| file_failure("protect", path, &error))
}

/// Imports the book, makes a token and says what is worth trying.
pub(crate) async fn fill(
    app: &App,
    router: &axum::Router,
    bound: SocketAddr,
    context: &Context,
) -> Result<(), Failure> {
    let client = Client::in_process(app.clone(), router.clone());
    let out = context.out;
    for (path, text) in BOOK {
        let text =
            relative::resolve(text, app.now()).map_err(|refusal| Failure::new(Exit::Failed, refusal.to_string()))?;
        let report = import::send(&client, path, &text, false, None).await?;
        out.say(&format!("imported {path}: {} taken, {} refused", cell(&report, "taken"), cell(&report, "refused")));
    }
    let body = json!({ "name": "demo", "grants": ["*"], "expiresIn": "P1D" });
    let token = said(&client.request(Method::POST, "/v1/tokens", Some(&body)).await?)?;
    let token = cell(&token, "secret");
    let subscription = names(&client, context).await?;
    let url = format!("http://{bound}");
    let dir = app.config().library.display().to_string();
    out.say(&format!(
        "
The data is in {dir} (the store, bursar.toml, policies/ and scripts/: edit them and they are in force).
Now it is {now}. Terms end in the first minute; what is decided is shown as it happens.

  export BURSAR_TOKEN={token}
  curl -s -H \"authorization: Bearer $BURSAR_TOKEN\" '{url}/v1/subscriptions?status=active&limit=5'
  curl -s -H \"authorization: Bearer $BURSAR_TOKEN\" '{url}/v1/requests?state=waiting'
  curl -s -H \"authorization: Bearer $BURSAR_TOKEN\" -H 'content-type: application/json' \\
       -d '{{\"kind\":\"cancellation\",\"reason\":\"customer_request\",\"why\":\"trying it\"}}' '{url}/v1/subscriptions/{subscription}/requests'

or on the command line, as the operator: bursar --config {dir}/bursar.toml requests list
",
        now = calendar::show(app.now()),
    ));
    Ok(())
}

/// Learns what subscriptions are called, and finds one whose cancellation is worth asking for: its window is open.
async fn names(client: &Client, context: &Context) -> Result<String, Failure> {
    let tenants = said(&client.request(Method::GET, "/v1/tenants?limit=100", None).await?)?;
    let tenants: BTreeMap<String, String> =
        items(&tenants).map(|tenant| (cell(tenant, "id"), cell(tenant, "companyName"))).collect();
    let found = said(&client.request(Method::GET, "/v1/subscriptions?limit=100", None).await?)?;
    for item in items(&found) {
        let tenant = tenants.get(&cell(item, "tenant")).map(String::as_str).unwrap_or_default();
        let name = format!("{tenant}, {} x {}", cell(item, "quantity"), cell(item, "friendlyName|offerName"));
        context.names.call(cell(item, "id"), name);
    }
    let open = "/v1/subscriptions?status=active&window_end_within=P365D&limit=1";
    let open = said(&client.request(Method::GET, open, None).await?)?;
    let first = items(&open).chain(items(&found)).next().map(|item| cell(item, "id"));
    Ok(first.unwrap_or_default())
}

fn items(page: &Value) -> impl Iterator<Item = &Value> {
    page.get("items").and_then(Value::as_array).into_iter().flatten()
}
