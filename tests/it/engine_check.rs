//! The checker tells every mistake of every file before anything runs.

#![allow(clippy::too_many_lines, reason = "a table of cases is one test")]

use bursar::engine::library::{Kit, Library, Settings};
use bursar::engine::reference::{Function, Part, Property};
use expect_test::{Expect, expect};
use rhai::Engine;
use std::sync::Arc;

#[derive(Clone)]
struct Sub;

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Sub>("Subscription");
    engine.register_get("auto_renew_enabled", |_: &mut Sub| true);
    engine.register_get("quantity", |_: &mut Sub| 5_i64);
    engine.register_get("subscription", |_: &mut Sub| Sub);
    engine.register_fn("request_suspension", |_: Sub, _: &str| ());
    engine.register_fn("subscriptions", |_: rhai::Map| rhai::Array::new());
    engine.register_fn("label", |_: Sub, _: &str| "x");
    engine.register_fn("label", |_: Sub, _: &str, _: &str| ());
}

const PART: Part = Part {
    title: "Subscriptions",
    functions: &[
        Function {
            name: "request_suspension",
            params: &["sub: Subscription", "reason: string"],
            gives: "Request",
            grant: "propose.suspension",
            doc: "Asks.",
            example: "",
        },
        Function {
            name: "subscriptions",
            params: &["selection: map"],
            gives: "list of Subscription",
            grant: "subscriptions.read",
            doc: "Finds.",
            example: "",
        },
        Function {
            name: "label",
            params: &["sub: Subscription", "name: string"],
            gives: "string",
            grant: "",
            doc: "Reads.",
            example: "",
        },
        Function {
            name: "label",
            params: &["sub: Subscription", "name: string", "value: string"],
            gives: "()",
            grant: "labels.write",
            doc: "Writes.",
            example: "",
        },
    ],
    properties: &[
        Property { owner: "Request", name: "subscription", gives: "Subscription", doc: "" },
        Property { owner: "Subscription", name: "auto_renew_enabled", gives: "bool", doc: "" },
        Property { owner: "Subscription", name: "quantity", gives: "int", doc: "" },
    ],
};

fn kit() -> Kit {
    Kit { register: Arc::new(register), parts: vec![PART], ..Kit::default() }
}

fn told(files: &[(&str, &str)], want: &Expect) {
    let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let findings = match Library::from_texts(texts, &Settings::default(), &kit()) {
        Ok(library) => library.warnings,
        Err(findings) => findings,
    };
    let source = |path: &str| files.iter().find(|(known, _)| *known == path).map_or("", |(_, text)| *text);
    let shown: Vec<String> = findings.iter().map(|finding| finding.render(source(&finding.file))).collect();
    want.assert_eq(&shown.join("\n"));
}

const HEAD: &str = "//! ---\n//! decides = \"renewal\"\n//! params = { large = 300 }\n//! ---\n";

#[test]
fn a_right_library_has_no_findings() {
    let policy = format!(
        "{HEAD}const TOP = 5;\nfn decide(request, params) {{
    let sub = request.subscription;
    if !sub.auto_renew_enabled {{ deny(\"off\"); }}
    if sub.quantity >= params.large {{ review(\"large\", #{{ role: \"admin\" }}); }}
    let double = |x| x * 2 + sub.quantity;
    if double.call(3) > global::TOP && sums::twice(2) == 4 {{ approve(); }}
    switch sub.quantity {{ 1 => approve(), _ => () }}
    for n in [1, 2, 3].filter(|n| n > 1).map(Fn(\"helper\")) {{ print(`${{n}}`); }}
}}\nfn helper(n) {{ n + 1 }}"
    );
    let lib = "fn twice(x) { more::sum(x, x) }";
    let more = "fn sum(a, b) { a + b }";
    let files = [("policies/a.rhai", policy.as_str()), ("lib/sums.rhai", lib), ("lib/more.rhai", more)];
    told(&files, &expect![""]);
    let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let library = Library::from_texts(texts, &Settings::default(), &kit()).unwrap();
    assert_eq!(library.file("policies/a.rhai").unwrap().libs, ["more", "sums"]);
}

#[test]
fn every_mistake_of_every_file_is_told() {
    let policy = format!(
        "{HEAD}fn decide(request) {{
    suspnd(1);
    money();
    sub_of(1, 2);
    let sub = request.subscription;
    if sub.auto_renw_enabled {{ deny(\"x\"); }}
    if request.subscription.quantty > 5 {{ deny(\"x\", 2, 3); }}
    if \"5\" > 5 {{ approve(); }}
    Fn(\"nothing_here\").call(1);
    let name = \"approve\";
    Fn(name).call();
    global::LIMIT;
    sums::twice(1, 2);
    sums::thrice(1);
    let big = 10000000000000000000;
    request.subscription.request_suspension(\"non_payment\");
    if false {{ also_missing(); }}
}}\nfn sub_of(x) {{ x }}\nfn money(text) {{ text }}"
    );
    told(
        &[
            ("policies/a.rhai", policy.as_str()),
            ("lib/sums.rhai", "fn twice(x) { x + x }"),
            ("scripts/b.rhai", "fn run(event, params, more) {}"),
            ("scripts/c.rhai", "fn rn(event) {}"),
            (
                "scripts/d.rhai",
                "//! ---\n//! on = [{ hook = \"billing\", call = \"paid\" }]\n//! ---\nfn piad(event) {}",
            ),
            ("scripts/e.rhai", "let x = 5;\nprint(x);\nfn run(event) {\n    undefined_thing + 1\n}"),
            ("scripts/f.rhai", "fn run(event) { nolib::f(1) }"),
            ("policies/g.rhai", "fn run(event) {}"),
            ("scripts/h.rhai", "fn run(event) { for sub in subscriptions(#{ status: \"active\" }) { sub.quantty; } }"),
            ("other/i.rhai", ""),
        ],
        &expect![[r#"
            other/i.rhai: error[misplaced_file]: files of a library lie in policies/, scripts/ or lib/ and end in .rhai
            policies/a.rhai:6:5: error[unknown_function]: there is no function suspnd
             6 |     suspnd(1);
               |     ^^^^^^
            policies/a.rhai:7:5: error[wrong_arity]: money is given 0 values; expected money(text: string) or money(json: Json, field: string)
             7 |     money();
               |     ^^^^^
            policies/a.rhai:8:5: error[wrong_arity]: sub_of is given 2 values; expected 1 value
             8 |     sub_of(1, 2);
               |     ^^^^^^
            policies/a.rhai:10:12: error[unknown_property]: Subscription has no property auto_renw_enabled; did you mean auto_renew_enabled?
             10 |     if sub.auto_renw_enabled { deny("x"); }
                |            ^^^^^^^^^^^^^^^^^
            policies/a.rhai:11:29: error[unknown_property]: Subscription has no property quantty; did you mean quantity?
             11 |     if request.subscription.quantty > 5 { deny("x", 2, 3); }
                |                             ^^^^^^^
            policies/a.rhai:11:43: error[wrong_arity]: deny is given 3 values; expected deny(why: string)
             11 |     if request.subscription.quantty > 5 { deny("x", 2, 3); }
                |                                           ^^^^
            policies/a.rhai:12:12: error[impossible_comparison]: text and a number cannot be compared
             12 |     if "5" > 5 { approve(); }
                |            ^
            policies/a.rhai:13:5: error[unknown_function]: there is no function nothing_here
             13 |     Fn("nothing_here").call(1);
                |     ^^
            policies/a.rhai:15:5: error[dynamic_function]: Fn takes the name of a function as text that stands here
             15 |     Fn(name).call();
                |     ^^
            policies/a.rhai:16:13: error[unknown_constant]: there is no const LIMIT
             16 |     global::LIMIT;
                |             ^^^^^
            policies/a.rhai:17:11: error[wrong_arity]: sums::twice is given 2 values; expected 1 value
             17 |     sums::twice(1, 2);
                |           ^^^^^
            policies/a.rhai:18:11: error[unknown_function]: lib/sums.rhai has no function thrice; did you mean twice?
             18 |     sums::thrice(1);
                |           ^^^^^^
            policies/a.rhai:19:15: error[integer_too_large]: the number 10000000000000000000 is too large
             19 |     let big = 10000000000000000000;
                |               ^^^^^^^^^^^^^^^^^^^^
            policies/a.rhai:20:26: error[policy_acts]: request_suspension acts, and a policy only answers; let a script do it
             20 |     request.subscription.request_suspension("non_payment");
                |                          ^^^^^^^^^^^^^^^^^^
            policies/a.rhai:21:16: error[unknown_function]: there is no function also_missing
             21 |     if false { also_missing(); }
                |                ^^^^^^^^^^^^
            policies/a.rhai:24:4: error[reserved_name]: money is a function of ours and cannot be replaced; give this one another name
             24 | fn money(text) { text }
                |    ^^^^^
            policies/g.rhai:1:1: error[decides_missing]: a policy says which kinds of request it decides; expected decides = "renewal"
             1 | fn run(event) {}
               | ^
            policies/g.rhai:1:1: error[handler_missing]: there is no function decide; expected fn decide(request) or fn decide(request, params)
             1 | fn run(event) {}
               | ^
            scripts/b.rhai:1:4: error[handler_parameters]: run has the wrong number of parameters; expected fn run(event) or fn run(event, params)
             1 | fn run(event, params, more) {}
               |    ^^^
            scripts/c.rhai:1:1: error[handler_missing]: there is no function run; expected fn run(event) or fn run(event, params); did you mean rn?
             1 | fn rn(event) {}
               | ^
            scripts/d.rhai:2:11: error[handler_missing]: there is no function paid; expected fn paid(event) or fn paid(event, params); did you mean piad?
             2 | //! on = [{ hook = "billing", call = "paid" }]
               |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            scripts/e.rhai:4:5: error[unknown_variable]: there is no variable undefined_thing
             4 |     undefined_thing + 1
               |     ^^^^^^^^^^^^^^^
            scripts/f.rhai:1:17: error[unknown_lib]: there is no lib/nolib.rhai
             1 | fn run(event) { nolib::f(1) }
               |                 ^^^^^
            scripts/h.rhai:1:28: error[grant_missing]: subscriptions needs a grant that the manifest does not list; expected "subscriptions.read" in grants
             1 | fn run(event) { for sub in subscriptions(#{ status: "active" }) { sub.quantty; } }
               |                            ^^^^^^^^^^^^^
            scripts/h.rhai:1:71: error[unknown_property]: Subscription has no property quantty; did you mean quantity?
             1 | fn run(event) { for sub in subscriptions(#{ status: "active" }) { sub.quantty; } }
               |                                                                       ^^^^^^^"#]],
    );
}

#[test]
fn a_form_that_needs_no_grant_is_called_without_one() {
    told(
        &[
            ("scripts/reads.rhai", "fn run(event) { event.subscription.label(\"owner\"); }"),
            ("scripts/writes.rhai", "fn run(event) { event.subscription.label(\"owner\", \"anna\"); }"),
        ],
        &expect![[r#"
            scripts/writes.rhai:1:36: error[grant_missing]: label needs a grant that the manifest does not list; expected "labels.write" in grants
             1 | fn run(event) { event.subscription.label("owner", "anna"); }
               |                                    ^^^^^"#]],
    );
}

#[test]
fn lib_files_that_name_each_other_in_a_circle_are_told() {
    told(
        &[
            ("lib/a.rhai", "fn f(x) { b::g(x) }"),
            ("lib/b.rhai", "fn g(x) { a::f(x) }"),
            ("scripts/s.rhai", "fn run(event) { a::f(1) }"),
        ],
        &expect![[r#"
            lib/a.rhai:1:1: error[lib_circle]: lib files name each other in a circle
             1 | fn f(x) { b::g(x) }
               | ^
            lib/b.rhai:1:1: error[lib_circle]: lib files name each other in a circle
             1 | fn g(x) { a::f(x) }
               | ^"#]],
    );
}

#[test]
fn the_hash_covers_what_an_answer_depends_on_and_nothing_else() {
    let hash = |files: &[(&str, &str)], settings: &Settings| {
        let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Library::from_texts(texts, settings, &kit()).unwrap().file("policies/a.rhai").unwrap().hash.clone()
    };
    let policy = format!("{HEAD}fn decide(request) {{ if sums::twice(1) == 2 {{ approve(); }} }}");
    let lib = "fn twice(x) { more::sum(x, x) }";
    let files = [
        ("policies/a.rhai", policy.as_str()),
        ("lib/sums.rhai", lib),
        ("lib/more.rhai", "fn sum(a, b) { a + b }"),
        ("lib/other.rhai", "fn other() { 1 }"),
    ];
    let plain = Settings::default();
    let first = hash(&files, &plain);
    assert_eq!(first, hash(&files, &plain));
    let mut changed = files;
    changed[3].1 = "fn other() { 2 }";
    assert_eq!(first, hash(&changed, &plain), "a lib it does not name");
    changed[2].1 = "fn sum(a, b) { b + a }";
    assert_ne!(first, hash(&changed, &plain), "a lib it names through another");
    let terms = Settings { terms_hash: "x".to_owned(), ..Settings::default() };
    assert_ne!(first, hash(&files, &terms), "the terms");
    let mut params = Settings::default();
    params.params.insert("policies/a".to_owned(), toml::from_str("large = 300").unwrap());
    assert_eq!(first, hash(&files, &params), "params equal to the declared ones");
    params.params.insert("policies/a".to_owned(), toml::from_str("large = 301").unwrap());
    assert_ne!(first, hash(&files, &params), "params");
}

#[test]
fn params_of_the_configuration_fit_what_the_file_declares() {
    let policy = format!("{HEAD}fn decide(request) {{}}");
    let load = |path: &str, params: &str| {
        let mut settings = Settings::default();
        settings.params.insert(path.to_owned(), toml::from_str(params).unwrap());
        Library::from_texts(vec![("policies/a.rhai".to_owned(), policy.clone())], &settings, &kit())
            .map(|_| Vec::new())
            .unwrap_or_else(|findings| findings.iter().map(ToString::to_string).collect())
    };
    assert_eq!(load("policies/a", "large = 5"), Vec::<String>::new());
    expect!["policies/a.rhai: error[unknown_param]: the configuration gives larg, which this file does not declare in its params; did you mean large?"].assert_eq(&load("policies/a", "larg = 5").join("\n"));
    expect![
        "policies/a.rhai: error[param_type]: the configuration gives large as string, the file declares it as integer"
    ]
    .assert_eq(&load("policies/a", "large = \"5\"").join("\n"));
    expect!["params: error[unknown_file]: params are given for policies/b; did you mean policies/a?"]
        .assert_eq(&load("policies/b", "large = 5").join("\n"));
}

#[test]
fn a_folder_is_read_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("scripts/deep/b.rhai", "fn run(event) { sums::twice(2) }");
    write("lib/sums.rhai", "fn twice(x) { x + x }");
    write("policies/terms/x.toml", "not = \"rhai\"");
    write("README.md", "no");
    let library = Library::from_folder(folder.path(), &Settings::default(), &kit()).unwrap();
    let paths: Vec<&str> = library.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["lib/sums.rhai", "scripts/deep/b.rhai"]);
    write("scripts/bad.rhai", "fn run(event) { nothing() }");
    assert!(Library::from_folder(folder.path(), &Settings::default(), &kit()).is_err());
    let empty = tempfile::tempdir().unwrap();
    assert!(Library::from_folder(empty.path(), &Settings::default(), &kit()).unwrap().files.is_empty());
}
