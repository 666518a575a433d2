//! The promises of the configuration: defaults, every key, mistakes shown where they stand, secrets kept to their owner.

use super::*;
use expect_test::{Expect, expect};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("etc/bursar.toml"))
}

fn mistake(text: &str, want: &Expect) {
    let error = parse(text).expect_err(text);
    assert_eq!(error.code(), "config_invalid");
    want.assert_eq(&error.to_string());
}

const FULL: &str = r#"
store = "data/acme.bursar"
library = "/srv/library"
zone = "Europe/Berlin"

[serve]
listen = "[::1]:8080"

[hooks.billing]
secret_file = "billing.secret"
tolerance = "PT2M30S"

[hooks.partner-center]
format = "partner_center"

[endpoints.erp]
url = "https://erp.example/hook?x=1"
secret_file = "/run/secrets/erp"
topics = ["subscription.renewed", "request.waiting"]

[params."policies/renewal"]
large = 300
limits = ["500 EUR", "550 USD"]
deep = { on = true }

[approvals]
four_eyes = false

[partner]
type = "indirect_provider"

[limits]
operations = 2_000_000
wall = "PT0.25S"
memory = "128 MiB"
rows = 500
cache = 1073741824
calls = 50
calls_at_once = 500

[retention]
runs = "P2W"
deliveries = "P1DT12H"
occurrences = "P365D"
history = "P7D"
carts = "P3D"
"#;

#[test]
fn every_key_is_read() {
    let config = parse(FULL).unwrap();
    assert_eq!(config.store, Path::new("etc/data/acme.bursar"));
    assert_eq!(config.library, Path::new("/srv/library"));
    assert_eq!(config.zone, Tz::Europe__Berlin);
    assert_eq!(config.listen.to_string(), "[::1]:8080");
    let billing = &config.hooks["billing"];
    assert_eq!(billing.secret_file.as_deref(), Some(Path::new("etc/billing.secret")));
    assert_eq!((billing.tolerance.as_secs(), billing.format), (150, HookFormat::Standard));
    assert_eq!(config.hooks["partner-center"].format, HookFormat::PartnerCenter);
    assert_eq!(config.hooks["partner-center"].tolerance.as_secs(), 300);
    let erp = &config.endpoints["erp"];
    assert_eq!((erp.url.as_str(), erp.topics.len()), ("https://erp.example/hook?x=1", 2));
    assert_eq!(config.params["policies/renewal"]["large"].as_integer(), Some(300));
    assert_eq!(config.params["policies/renewal"]["deep"]["on"].as_bool(), Some(true));
    assert!(!config.four_eyes);
    assert_eq!(config.partner, Partner::IndirectProvider);
    let limits = &config.limits;
    assert_eq!((limits.operations, limits.wall.as_millis(), limits.rows), (2_000_000, 250, 500));
    assert_eq!((limits.memory_bytes, limits.cache_bytes), (128 << 20, 1 << 30));
    assert_eq!((limits.calls, limits.calls_at_once), (50, 500));
    assert_eq!(config.retention.runs, DAY * 14);
    assert_eq!(config.retention.deliveries, DAY + DAY / 2);
    assert_eq!((config.retention.occurrences, config.retention.history), (DAY * 365, DAY * 7));
    assert_eq!(config.retention.carts, DAY * 3);
}

#[test]
fn nothing_has_to_be_written() {
    let config = parse("").unwrap();
    assert_eq!(config.limits.cache_bytes, 96 << 20);
    assert_eq!(
        config,
        Config {
            file: config.file.clone(),
            store: "etc/store.bursar".into(),
            library: "etc/.".into(),
            ..Config::default()
        }
    );
    assert!(config.four_eyes, "two people unless somebody says otherwise");
    assert_eq!(config.partner, Partner::DirectBill);
    assert!(config.listen.ip().is_loopback());
    assert_eq!(config.retention.history, DAY * 30);
}

#[test]
fn an_unknown_key_is_shown_with_what_was_meant() {
    mistake(
        "zone = \"UTC\"\n\n[serve]\nlisten = \"127.0.0.1:1\"\n  lisetn = \"x\"\n",
        &expect![[r#"
            etc/bursar.toml:5:3: unknown key `lisetn` in [serve]
            5 |   lisetn = "x"
              |   ^^^^^^ did you mean `listen`?"#]],
    );
    mistake(
        "[hooks.billing]\nsecretfile = \"x\"\n",
        &expect![[r#"
            etc/bursar.toml:2:1: unknown key `secretfile` in [hooks.billing]
            2 | secretfile = "x"
              | ^^^^^^^^^^ did you mean `secret_file`?"#]],
    );
    mistake(
        "[banana]\n",
        &expect![[r#"
            etc/bursar.toml:1:2: unknown key `banana` at the top
            1 | [banana]
              |  ^^^^^^ known here: store, library, zone, serve, partner, hooks, endpoints, params, secrets, approvals, invoices, limits, retention"#]],
    );
}

#[test]
fn a_wrong_value_is_shown_with_what_was_expected() {
    mistake(
        "store = 5\n",
        &expect![[r#"
            etc/bursar.toml:1:9: store: expected a text in quotes, found integer
            1 | store = 5
              |         ^"#]],
    );
    mistake(
        "zone = \"Europe/Berlim\"\n",
        &expect![[r#"
            etc/bursar.toml:1:8: zone: "Europe/Berlim" is no IANA time zone
            1 | zone = "Europe/Berlim"
              |        ^^^^^^^^^^^^^^^ did you mean `Europe/Berlin`?"#]],
    );
    mistake(
        "[retention]\nhistory = \"P1M\"\n",
        &expect![[r#"
            etc/bursar.toml:2:11: retention.history: "P1M" is no ISO 8601 duration
            2 | history = "P1M"
              |           ^^^^^ write "P90D", "PT5M" or "PT0.5S"; years and months have no fixed length"#]],
    );
    mistake(
        "[hooks.billing]\ntolerance = \"PT5M\"\n",
        &expect![[r#"
            etc/bursar.toml:1:1: [hooks.billing] has no `secret_file`
            1 | [hooks.billing]
              | ^^^^^^^^^^^^^^^ add `secret_file = "NAME.secret"`"#]],
    );
    mistake(
        "[params.\"policies/renewal\"]\nshare = 0.5\n",
        &expect![[r#"
            etc/bursar.toml:2:9: floats are not exact
            2 | share = 0.5
              |         ^^^ put it in quotes"#]],
    );
}

#[test]
fn what_toml_lets_through_is_still_refused() {
    let wrong = [
        "store = \"a\"\nstore = \"b\"",
        "store = \"",
        "store = \"\"",
        "zone = 1979-05-27",
        "[serve]\nlisten = \"80\"",
        "[serve]\nlisten = \"127.0.0.1:65536\"",
        "[serve]\nlisten = \"localhost:80\"",
        "[limits]\nrows = nan",
        "[limits]\nrows = 1.0",
        "[limits]\nrows = \"10\"",
        "[limits]\nrows = -1",
        "[limits]\nrows = 99999999999999999999",
        "[limits]\nmemory = \"64 MB\"",
        "[limits]\nmemory = \"99999999999 GiB\"",
        "[limits]\nwall = 500",
        "[approvals]\nfour_eyes = \"yes\"",
        "[partner]\ntype = \"reseller\"",
        "[partner]\nkind = \"direct_bill\"",
        "serve = 1",
        "hooks = 1",
        "[hooks]\nbilling = 1",
        "[hooks.\"a b\"]\nsecret_file = \"x\"",
        "[hooks.a]\nsecret_file = \"x\"\nformat = \"standart\"",
        "[hooks.a]\nsecret_file = \"x\"\ntolerance = \"PT0S\"",
        "[params]\nx = 1",
        "[params.\"p\"]\nx = nan",
        "[params.\"p\"]\nx = [1, [0.1]]",
        "[params.\"p\"]\nx = 2026-01-01",
        "[endpoints.e]\nurl = \"https://h\"",
        "[endpoints.e]\nsecret_file = \"x\"",
        "[endpoints.e]\nsecret_file = \"x\"\nurl = \"ftp://h\"",
        "[endpoints.e]\nsecret_file = \"x\"\nurl = \"https://\"",
        "[endpoints.e]\nsecret_file = \"x\"\nurl = \"https://u:p@h/\"",
        "[endpoints.e]\nsecret_file = \"x\"\nurl = \"https://h/ x\"",
        "[endpoints.e]\nsecret_file = \"x\"\nurl = \"https://h/\"\ntopics = \"all\"",
        "[endpoints.e]\nsecret_file = \"x\"\nurl = \"https://h/\"\ntopics = [1]",
    ];
    for text in wrong {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.starts_with("etc/bursar.toml:"), "{text:?} gave {error}");
    }
}

#[test]
fn limits_have_edges() {
    let rows = |rows: u64| parse(&format!("[limits]\nrows = {rows}")).is_ok();
    assert!(rows(1) && rows(1_000_000) && !rows(0) && !rows(1_000_001));
    let wall = |text: &str| parse(&format!("[limits]\nwall = \"{text}\"")).is_ok();
    assert!(wall("PT0.01S") && wall("PT60S") && wall("PT1M") && !wall("PT0.009S") && !wall("PT1M0.001S"));
    let kept = |text: &str| parse(&format!("[retention]\nruns = \"{text}\"")).is_ok();
    assert!(kept("P1D") && kept("PT24H") && !kept("PT23H59M59S"));
}

#[test]
fn durations_of_fixed_length() {
    let check = |text: &str, milliseconds: Option<u128>| {
        assert_eq!(read::parse_duration(text).map(|duration| duration.as_millis()), milliseconds, "{text:?}");
    };
    check("P1W2DT3H4M5.006S", Some(604_800_000 + 172_800_000 + 10_800_000 + 240_000 + 5_006));
    check("PT0S", Some(0));
    check("P90D", Some(7_776_000_000));
    for text in [
        "",
        "P",
        "PT",
        "P1",
        "1D",
        "P1Y",
        "P1M",
        "-P1D",
        "P-1D",
        "P1DT",
        "PT1D",
        "P1H",
        "P1.5D",
        "PT1.5M",
        "PT.5S",
        "PT1.S",
        "p1d",
        "P1D ",
        "PT1S1M",
        "P9999999999D",
        "P1D1D",
        "P1D2W",
    ] {
        check(text, None);
    }
}

#[test]
fn where_the_file_is_looked_for_and_what_overrides_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bursar.toml");
    std::fs::write(&path, "zone = \"Asia/Tokyo\"\nstore = \"a.bursar\"").unwrap();
    let nothing = |_: &str| None;
    let config = Config::load(Some(&path), &nothing).unwrap();
    assert_eq!((config.zone, config.store.as_path()), (Tz::Asia__Tokyo, folder.path().join("a.bursar").as_path()));
    let named = path.display().to_string();
    let env = |name: &str| match name {
        "BURSAR_CONFIG" => Some(named.clone()),
        "BURSAR_LISTEN" => Some("127.0.0.1:9".into()),
        "BURSAR_STORE" => Some("b.bursar".into()),
        _ => None,
    };
    let config = Config::load(None, &env).unwrap();
    assert_eq!(
        (config.zone, config.listen.port(), config.store.as_path()),
        (Tz::Asia__Tokyo, 9, Path::new("b.bursar"))
    );
    let error = Config::load(None, &|name| (name == "BURSAR_LISTEN").then(|| "here".to_owned())).unwrap_err();
    assert!(error.to_string().contains("BURSAR_LISTEN"), "{error}");
    let error = Config::load(Some(&folder.path().join("missing.toml")), &nothing).unwrap_err();
    assert_eq!(error.code(), "config_unreadable");
    assert_eq!(Config::load(Some(folder.path()), &nothing).unwrap_err().code(), "config_unreadable", "a folder");
}

#[cfg(unix)]
#[test]
fn a_secret_belongs_to_its_owner_and_is_long_enough() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("billing.secret");
    let read = |text: &str, mode: u32| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read_secrets(&path)
    };
    let strong = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\n";
    for mode in [0o600, 0o400, 0o700] {
        assert_eq!(read(strong, mode).unwrap().len(), 1);
    }
    for mode in [0o640, 0o604, 0o644, 0o610, 0o666] {
        let error = read(strong, mode).unwrap_err();
        assert_eq!(error.code(), "weak_secret");
        assert!(error.to_string().contains("chmod 600"), "{error}");
        std::fs::remove_file(&path).unwrap();
    }
    assert_eq!(read("", 0o600).unwrap_err().code(), "weak_secret");
    assert_eq!(read("\n \n", 0o600).unwrap_err().code(), "weak_secret");
    assert_eq!(read("whsec_AAECAwQFBgcICQ==", 0o600).unwrap_err().code(), "weak_secret");
    assert_eq!(read("not base64!", 0o600).unwrap_err().code(), "invalid_secret");
    assert_eq!(read(&strong.repeat(200), 0o600).unwrap_err().code(), "config_invalid");
    let two = read(&format!("{strong}\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYYYYYY\n"), 0o600).unwrap();
    assert_eq!(two.len(), 2);
    assert!(!format!("{two:?}").contains("AAEC"));
    let error = read(&format!("{strong}whsec_c2hvcnQ="), 0o600).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("c2hvcnQ"), "an error does not repeat a secret: {error:?}");
}
