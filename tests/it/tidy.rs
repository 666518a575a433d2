//! The habits of this tree, checked: which layer names which, what is never said where, what a file looks like, and that the
//! map names every file. Each test lists everything it finds, so that one run is enough to mend it.
//!
//! Function length, unwrap outside tests, clocks and the environment are clippy's (`clippy.toml`); here is what it cannot see.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bursar::store::tables;

/// Lines of a file, at most. Beyond, it holds two nouns.
const FILE_LINES_MAX: usize = 600;

/// Which layers a layer may name. Whoever adds an arrow argues it in `src/README.md` in the same commit.
const ARROWS: [(&str, &[&str]); 20] = [
    ("clock", &[]),
    ("suggest", &[]),
    ("json", &[]),
    ("seal", &[]),
    ("signature", &[]),
    ("schedule", &["suggest"]),
    ("config", &["seal", "signature", "suggest"]),
    ("domain", &[]),
    ("partner_center", &["json", "domain"]),
    ("store", &["clock", "domain"]),
    ("ops", &["seal", "domain", "partner_center", "store"]),
    ("engine", &["clock", "json", "schedule", "suggest", "domain", "store", "ops"]),
    ("app", &["clock", "config", "seal", "domain", "partner_center", "store", "ops", "engine"]),
    ("triggers", &["LEAVES", "domain", "store", "ops", "engine", "app"]),
    ("testing", &["LEAVES", "domain", "partner_center", "store", "ops", "engine", "app", "triggers"]),
    ("http", &["LEAVES", "domain", "partner_center", "store", "ops", "engine", "app", "triggers"]),
    ("server", &["config", "http"]),
    ("client", &["app", "http"]),
    ("cli", &["ANY"]),
    ("main", &["ANY"]),
];
const LEAVES: [&str; 7] = ["clock", "config", "json", "schedule", "seal", "signature", "suggest"];

/// The codes of the tables, for ever: they are part of every checksum. Append; never change, never reuse.
const TABLE_CODES: [(u8, &str); 40] = [
    (1, "meta"),
    (2, "tenants"),
    (3, "standings"),
    (4, "profiles"),
    (5, "subscription_tenants"),
    (6, "orders"),
    (7, "products"),
    (8, "prices"),
    (9, "timers"),
    (10, "requests"),
    (11, "open_requests"),
    (12, "request_states"),
    (13, "decisions"),
    (14, "runs"),
    (15, "occurrences"),
    (16, "occurrence_subjects"),
    (17, "triggers"),
    (18, "deliveries"),
    (19, "delivery_keys"),
    (20, "log"),
    (21, "messages"),
    (22, "attempts"),
    (23, "tokens"),
    (24, "token_hashes"),
    (25, "sources"),
    (26, "idempotency"),
    (27, "tenant_names"),
    (28, "carts"),
    (33, "customer_prices"),
    (34, "invoices"),
    (37, "entitlements"),
    (38, "software_secrets"),
    (39, "activations"),
    (40, "activation_deadlines"),
    (41, "software_sheets"),
    (42, "support_requests"),
    (43, "support_tenants"),
    (46, "users"),
    (47, "user_names"),
    (48, "whereabouts"),
];

/// One file of `src`: its path below `src`, its text, and its text with comments, literals and tests blanked out.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn layer(&self) -> &str {
        let end = self.path.find(['/', '.']).unwrap();
        &self.path[..end]
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("target") || name.starts_with('.') && name != ".ci" {
            continue;
        }
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let mut paths = Vec::new();
    files_below(&folder, &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    assert!(paths.len() > 50, "src was not found");
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let code = without_tests(&blanked(&text));
            let path = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            Source { path, text, code }
        })
        .collect()
}

/// The text with comments and the contents of literals as blanks; lines stay where they are.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = token_end(bytes, at);
        if end > at {
            for byte in &mut out[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment or literal that begins at `at` ends; `at` when none does.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let is_after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    let find = |needle: &[u8], from: usize| {
        rest[from..]
            .windows(needle.len())
            .position(|part| part == needle)
            .map_or(bytes.len(), |place| at + from + place)
    };
    if rest.starts_with(b"//") {
        return find(b"\n", 0);
    }
    if rest.starts_with(b"/*") {
        return (find(b"*/", 2) + 2).min(bytes.len());
    }
    if !is_after_word && (rest[0] == b'r' || rest.starts_with(b"br")) {
        let begin = if rest[0] == b'r' { 1 } else { 2 };
        let hashes = rest[begin..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(begin + hashes) == Some(&b'"') {
            let mut close = vec![b'"'];
            close.extend(std::iter::repeat_n(b'#', hashes));
            return (find(&close, begin + hashes + 1) + close.len()).min(bytes.len());
        }
    }
    if rest[0] == b'"' {
        let mut place = 1;
        while place < rest.len() && rest[place] != b'"' {
            place += if rest[place] == b'\\' { 2 } else { 1 };
        }
        return (at + place + 1).min(bytes.len());
    }
    // A lifetime is no literal: a quote closes a character right after it, or after an escape.
    if rest[0] == b'\'' && rest.get(1) == Some(&b'\\') {
        return (find(b"'", 3) + 1).min(bytes.len());
    }
    if rest[0] == b'\'' && rest.get(2) == Some(&b'\'') {
        return at + 3;
    }
    at
}

/// Code without the items that are compiled for tests only.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(begin) = out.find("#[cfg(test)]") {
        let rest = &out[begin..];
        let semicolon = rest.find(';').unwrap_or(rest.len());
        let brace = rest.find('{').unwrap_or(rest.len());
        let end = if semicolon < brace { semicolon + 1 } else { closing(rest, brace) };
        let blank: String = rest[..end].chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(begin..begin + end, &blank);
    }
    out
}

fn closing(text: &str, brace: usize) -> usize {
    let mut depth = 0;
    for (place, byte) in text.bytes().enumerate().skip(brace) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return place + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Every place where `word` stands as a whole path, with its line number.
fn places<'a>(code: &'a str, word: &str) -> Vec<(usize, &'a str)> {
    let is_word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(place) = code[from..].find(word) {
        let begin = from + place;
        let end = begin + word.len();
        let before = begin.checked_sub(1).map(|place| bytes[place]);
        let opens = word.as_bytes()[0];
        let closes = word.as_bytes()[word.len() - 1];
        let goes_on = is_word(bytes.get(end).copied()) && is_word(Some(closes));
        let comes_from = is_word(before) && is_word(Some(opens));
        if !(comes_from || goes_on) {
            let line = code[..begin].matches('\n').count() + 1;
            found.push((line, &code[begin..]));
        }
        from = end;
    }
    found
}

fn report(what: &str, findings: &[String]) {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "  {finding}");
    }
    assert!(findings.is_empty(), "{what}:\n{text}");
}

/// The first names after `crate::`, also when several stand in braces.
fn named_layers(after: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let Some(group) = after.strip_prefix('{') else { return vec![name(after)] };
    let (mut depth, mut names, mut begins) = (0, Vec::new(), true);
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if begins && depth == 0 && letter.is_alphabetic() => {
                names.push(name(&group[place..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn a_layer_names_only_those_below_it() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let layer = source.layer();
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == layer) else {
            findings.push(format!("src/{}: the layer {layer} is not on the map", source.path));
            continue;
        };
        for prefix in ["crate::", "bursar::"] {
            for (line, text) in places(&source.code, prefix) {
                for named in named_layers(&text[prefix.len()..]) {
                    let is_leaf = allowed.contains(&"LEAVES") && LEAVES.contains(&named.as_str());
                    let is_allowed = named == layer || is_leaf || allowed.contains(&named.as_str());
                    if !is_allowed && !allowed.contains(&"ANY") {
                        findings.push(format!("src/{}:{line}: {layer} names {named}", source.path));
                    }
                }
            }
        }
        // `super` out of the layer would be an arrow that is not seen above.
        let depth = source.path.matches('/').count() + usize::from(!source.path.ends_with("/mod.rs"));
        for (line, _) in places(&source.code, &"super::".repeat(depth)) {
            findings.push(format!("src/{}:{line}: leaves its layer by super", source.path));
        }
    }
    report("arrows that are not on the map of src/README.md", &findings);
}

#[test]
fn nothing_but_ops_writes_a_row() {
    let writes = [
        "::save_",
        "rows::save(",
        "rows::mark_",
        "records::save(",
        "timers::set(",
        "timers::clear(",
        "tx.put",
        "tx.delete(",
        "tx.append(",
    ];
    let mut findings = Vec::new();
    for source in sources() {
        if ["ops/", "store/"].iter().any(|home| source.path.starts_with(home)) {
            continue;
        }
        for write in writes.iter().filter(|write| source.code.contains(**write)) {
            findings.push(format!("src/{}: {write}", source.path));
        }
    }
    report("rows written outside ops", &findings);
}

#[test]
fn what_is_outside_is_named_in_one_place() {
    let rules: [(&str, &[&str]); 6] = [
        ("redb", &["store/redb"]),
        ("rhai", &["engine/"]),
        ("hyper", &["http/", "server", "client.rs", "triggers/outbox.rs"]),
        ("hyper_util", &["http/", "server", "client.rs", "triggers/outbox.rs"]),
        ("hyper_rustls", &["http/", "server", "client.rs", "triggers/outbox.rs"]),
        ("mimalloc", &["engine/meter.rs"]),
    ];
    let mut findings = Vec::new();
    for source in sources() {
        for (name, homes) in rules {
            if homes.iter().any(|home| source.path.starts_with(home)) {
                continue;
            }
            for (line, text) in places(&source.code, name) {
                let begin = source.code.len() - text.len();
                let before = source.code[..begin].trim_end();
                // The store's own module is called as what it wraps.
                let is_own = source.path.starts_with("store/")
                    && ["self::", "super::", "crate::store::", "mod"].iter().any(|own| before.ends_with(own));
                let is_imported = ["use super::redb;", "mod redb;"].iter().any(|line| source.code.contains(line));
                let is_ours = is_own || name == "redb" && source.path.starts_with("store/") && is_imported;
                if !is_ours {
                    findings.push(format!("src/{}:{line}: {name}", source.path));
                }
            }
        }
    }
    report("named outside its place", &findings);
}

#[test]
fn what_is_never_said() {
    let rules: [(&str, &[&str], &str); 13] = [
        ("Utc::now", &["clock.rs"], "time comes from above"),
        ("Local::now", &["clock.rs"], "time comes from above"),
        ("SystemTime::now", &["clock.rs"], "time comes from above"),
        ("Instant::now", &["clock.rs"], "time comes from above"),
        ("env::var", &["config.rs"], "config reads the environment"),
        ("env::vars", &["config.rs"], "config reads the environment"),
        (".unwrap()", &[], "say what failed"),
        ("todo!", &[], "finish it"),
        ("unimplemented!", &[], "finish it"),
        ("dbg!", &[], "remove it"),
        ("f64", &["http/", "cli/", "server"], "money and dates never meet floats"),
        ("f32", &["http/", "cli/", "server"], "money and dates never meet floats"),
        ("process::exit", &["main.rs"], "main exits"),
    ];
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (words, homes, why) in rules {
            if homes.iter().any(|home| source.path.starts_with(home)) {
                continue;
            }
            for (line, _) in places(&source.code, words) {
                findings.push(format!("src/{}:{line}: {words}: {why}", source.path));
            }
        }
        let marks = [concat!("FIX", "ME"), concat!("X", "XX"), concat!("TO", "DO"), concat!("HA", "CK")];
        for mark in marks {
            for (line, _) in places(&source.text, mark) {
                findings
                    .push(format!("src/{}:{line}: {mark}: do it now, or say why it is right as it is", source.path));
            }
        }
    }
    report("said, and should not be", &findings);
}

/// A family is data: what code needs to know of one is a rule in its terms.
#[test]
fn no_family_is_named_in_code() {
    let mut families = Vec::new();
    for entry in std::fs::read_dir(root().join("policies/terms")).unwrap() {
        families.push(entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    }
    assert!(families.iter().any(|family| family == "license_new"), "{families:?}");
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test() && source.path != "partner_center/family.rs") {
        for family in families.iter().filter(|family| *family != "unknown") {
            for (line, _) in places(&source.text, &format!("\"{family}\"")) {
                findings.push(format!("src/{}:{line}: {family}", source.path));
            }
        }
    }
    report("families named in code", &findings);
}

#[test]
fn every_file_begins_with_what_it_is_and_fits() {
    let mut findings = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            findings.push(format!("src/{}: does not say what it is", source.path));
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(format!("src/{}: {lines} lines, at most {FILE_LINES_MAX}", source.path));
        }
        if let Some(line) = source.text.lines().position(|line| !line.is_ascii()) {
            findings.push(format!("src/{}:{}: is not ASCII", source.path, line + 1));
        }
    }
    report("files that need a word or a cut", &findings);
}

/// A file that no module names is compiled by nobody and rots.
#[test]
fn no_file_is_dead() {
    let all: BTreeSet<String> = sources().into_iter().map(|source| source.path).collect();
    let mut findings = Vec::new();
    for source in sources() {
        if ["lib.rs", "main.rs"].contains(&source.path.as_str()) {
            continue;
        }
        let stem = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let (parent, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let homes: Vec<String> = if parent.is_empty() {
            vec!["lib.rs".to_owned(), "main.rs".to_owned()]
        } else {
            vec![format!("{parent}.rs"), format!("{parent}/mod.rs")]
        };
        let is_named = homes.iter().filter(|home| all.contains(*home)).any(|home| {
            let text = std::fs::read_to_string(root().join("src").join(home)).unwrap();
            !places(&text, &format!("mod {name};")).is_empty()
        });
        if !is_named {
            findings.push(format!("src/{}: {homes:?} does not name it", source.path));
        }
    }
    let main = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests/it")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some() && name != "main" && places(&main, &format!("mod {name};")).is_empty() {
            findings.push(format!("tests/it/{name}.rs: main.rs does not name it"));
        }
    }
    report("dead files", &findings);
}

#[test]
fn the_map_names_every_file_and_no_other() {
    let map = std::fs::read_to_string(root().join("src/README.md")).unwrap();
    let named: BTreeSet<String> = map
        .lines()
        .filter_map(|line| line.strip_prefix("- `")?.split_once("`: "))
        .map(|(path, _)| path.to_owned())
        .filter(|path| path.ends_with(".rs"))
        .collect();
    let all: BTreeSet<String> = sources().into_iter().map(|source| source.path).collect();
    let mut findings: Vec<String> = all.difference(&named).map(|path| format!("{path}: has no line")).collect();
    findings.extend(named.difference(&all).map(|path| format!("{path}: is not there")));
    for (layer, _) in ARROWS {
        if !map.contains(layer) {
            findings.push(format!("{layer}: is not among the layers"));
        }
    }
    report("src/README.md and src differ", &findings);
}

#[test]
fn the_codes_of_tables_are_for_ever() {
    let now: Vec<(u8, &str)> = tables::ALL.iter().map(|table| (table.code, table.name)).collect();
    assert_eq!(now, TABLE_CODES, "a code was changed, reused or reordered; or a new one is missing in the list here");
    let codes: BTreeSet<u8> = now.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes.len(), now.len());
}

/// Nothing here depends on where it was written: no path of somebody's machine, no document that is not in the tree.
#[test]
fn the_tree_stands_alone() {
    let mut paths = Vec::new();
    files_below(&root(), &mut paths);
    let names: BTreeSet<String> =
        paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let workplaces = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("C:\\U", "sers")];
    let mut findings = Vec::new();
    for path in &paths {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let shown = path.strip_prefix(root()).unwrap().display();
        for (index, line) in text.lines().enumerate() {
            for workplace in workplaces.iter().filter(|workplace| line.contains(**workplace)) {
                findings.push(format!("{shown}:{}: {workplace}", index + 1));
            }
            let words = line.split(|letter: char| !(letter.is_ascii_alphanumeric() || "._-".contains(letter)));
            for word in words.filter(|word| word.len() > 3 && word.ends_with(".md") && !names.contains(*word)) {
                findings.push(format!("{shown}:{}: there is no {word}", index + 1));
            }
        }
    }
    report("what only somebody else can see", &findings);
}

/// Sorted by name, and each with the reason it is here.
#[test]
fn dependencies_say_why() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut findings = Vec::new();
    for section in ["[dependencies]", "[dev-dependencies]"] {
        let begin = manifest.find(section).unwrap() + section.len();
        let lines: Vec<&str> = manifest[begin..]
            .lines()
            .take_while(|line| !line.starts_with('['))
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        assert!(!lines.is_empty());
        for line in &lines {
            if !line.contains(" # ") {
                findings.push(format!("{line}: without a reason"));
            }
        }
        if !lines.is_sorted_by_key(|line| line.split(' ').next()) {
            findings.push(format!("{section} is not sorted"));
        }
    }
    report("Cargo.toml", &findings);
}

/// What the checks above read is code: the same words in comments, literals and tests are none.
#[test]
fn comments_literals_and_tests_are_not_code() {
    let text = "//! redb\nlet a = \"redb \\\" redb\"; /* redb */ let b = r#\"redb \" redb\"#; let c = '\"'; redb::open();\n\
                fn f<'a>(x: &'a str) -> char { '\\'' }\n#[cfg(test)]\nmod tests {\n    fn g() { redb::open(); }\n}\nredb();\n";
    let code = without_tests(&blanked(text));
    let lines: Vec<usize> = places(&code, "redb").iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 8]);
    assert_eq!(named_layers("{domain::{Id, Span}, ops, store::{self, Tx}};"), ["domain", "ops", "store"]);
    assert_eq!(named_layers("ops::Work;"), ["ops"]);
}
