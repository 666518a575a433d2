//! An example for the long help of every verb. A test parses each, so that none is out of date.

use clap::Command;

/// Verbs as they are typed, with what else a line of theirs may look like.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("init", &["bursar init book", "bursar init trial --clock manual --at 2027-01-01T00:00:00Z"]),
    ("serve", &["bursar serve --demo", "bursar --config book/bursar.toml serve --listen 127.0.0.1:7300"]),
    ("tick", &["bursar tick"]),
    ("check", &["bursar check", "bursar -o json check book"]),
    ("test", &["bursar test", "bursar test --only renewal"]),
    ("backup", &["bursar backup /backups/monday.bursar"]),
    ("verify", &["bursar verify", "bursar verify /backups/monday.bursar --checkpoint 4711:HASH"]),
    (
        "carts create",
        &[
            "bursar carts create -C anker.example --line CFQ7TTC0LH18:0001:CFQ7TTC0K971,quantity=10,term=P1Y,billing=monthly --line DG7GMGF0DVT9:0002:DG7GMGF0SERV,currency=EUR",
            "bursar carts create -C anker.example --line 195416c1-3447-423a-b37b-ee59a99a19c4,quantity=5,attestation-accepted",
        ],
    ),
    ("carts add", &["bursar carts add CART --line 'CFQ7TTC0TELE:0001:CFQ7TTC0TEL1,quantity=2,add-on,name=Front desk'"]),
    ("carts remove", &["bursar carts remove CART --line 2"]),
    ("carts review", &["bursar carts review CART"]),
    ("carts checkout", &["bursar carts checkout CART"]),
    ("orders cancel", &["bursar orders cancel ORDER --line 0 --reason customer_request"]),
    (
        "buy",
        &[
            "bursar buy --customer ID --product CFQ7TTC0LH18:0001:CFQ7TTC0K971 --quantity 10 --term P1Y --billing monthly",
            "bursar buy --customer ID --product 2828BE95-46BA-4F91-B2FD-0BEF192ECF60 --quantity 5 --base SUBSCRIPTION",
            "bursar buy --customer ID --product 195416c1-3447-423a-b37b-ee59a99a19c4 --currency EUR --attestation-accepted",
        ],
    ),
    ("subscriptions cancel", &["bursar subscriptions cancel ID --reason customer_request --why 'they moved away'"]),
    (
        "cancel",
        &[
            "bursar cancel --customer contoso.example --product 'SQL Server 2019' --order 7f1c --acknowledge",
            "bursar cancel --customer Contoso --subscription 'Servers in Delft' --acknowledge --why 'they closed it'",
        ],
    ),
    ("subscriptions suspend", &["bursar subscriptions suspend ID --reason non_payment --why 'invoice 17 is overdue'"]),
    ("subscriptions reactivate", &["bursar subscriptions reactivate ID --why 'they paid'"]),
    (
        "subscriptions auto-renew",
        &[
            "bursar subscriptions auto-renew ID off --why 'they decide in May'",
            "bursar subscriptions auto-renew ID off --cancel-at-term-end --why 'they leave'",
        ],
    ),
    (
        "subscriptions upgrade",
        &[
            "bursar subscriptions upgrade ID CFQ7TTC0LDPB:0001:CFQ7TTC0KXHK",
            "bursar subscriptions upgrade ID CFQ7TTC0LDPB:0001:CFQ7TTC0KXHK --quantity 5",
        ],
    ),
    ("subscriptions quantity", &["bursar subscriptions quantity ID 40 --why 'two new teams'"]),
    ("subscriptions renew", &["bursar subscriptions renew ID --quantity 40 --term P1Y"]),
    ("subscriptions activate", &["bursar subscriptions activate ID --why 'the publisher has confirmed'"]),
    ("subscriptions convert", &["bursar subscriptions convert ID --quantity 30 --term P1Y --billing monthly"]),
    (
        "subscriptions schedule",
        &["bursar subscriptions schedule ID --quantity 40 --until 2028-06-30", "bursar subscriptions schedule ID"],
    ),
    ("subscriptions billing-plan", &["bursar subscriptions billing-plan ID annual --why 'fewer invoices'"]),
    ("subscriptions deprovision", &["bursar subscriptions deprovision ID --why 'not used any more'"]),
    ("subscriptions story", &["bursar subscriptions story ID"]),
    (
        "subscriptions label",
        &["bursar subscriptions label ID confirmed=yes", "bursar subscriptions label ID confirmed="],
    ),
    ("software list", &["bursar software list --customer anker.example"]),
    ("software show", &["bursar software show ID --customer anker.example"]),
    ("software sheets", &["bursar software sheets"]),
    (
        "software describe",
        &[
            "bursar software describe DG7GMGF0FKZV --version 2019 --version 2022 --language English",
            "bursar software describe DG7GMGF0D8H4 --comes-with extended_security_updates --instructions https://example.com/esu",
        ],
    ),
    ("keys get", &["bursar keys get ID --customer anker.example --version 2022 --language English"]),
    ("keys put", &["bursar keys put ID --customer anker.example --version 2022 --key-file key.txt"]),
    ("keys import", &["bursar keys import keys.csv --customer anker.example"]),
    ("keys reseal", &["bursar keys reseal"]),
    ("keys new-master-key", &["bursar keys new-master-key"]),
    ("links get", &["bursar links get ID --customer anker.example --version 2022 --language English"]),
    ("activations list", &["bursar activations list --within P30D", "bursar activations list -C anker.example"]),
    (
        "activations record",
        &[
            "bursar activations record -C anker.example --device SRV-01 --product 'Windows Server 2019' --at 2021-05-01T00:00:00Z",
        ],
    ),
    ("activations import", &["bursar activations import devices.csv --customer anker.example"]),
    (
        "activations moved",
        &["bursar activations moved -C anker.example --device SRV-01 --product 'Windows Server 2019'"],
    ),
    (
        "activations ask-for-help",
        &[
            "bursar activations ask-for-help -C anker.example --contact-name 'Anna Berg' --contact-email anna@partner.example --contact-phone '+31 20 555 0100'",
        ],
    ),
    ("activations plan", &["bursar activations plan --customer anker.example"]),
    ("policies show", &["bursar -o json policies show policies/renewal.rhai"]),
    ("scripts show", &["bursar -o json scripts show scripts/dunning.rhai"]),
    ("schedules show", &["bursar -o json schedules show 'policies/renewal.rhai#0'"]),
    ("requests approve", &["bursar --as anna requests approve REQUEST --note 'spoke with them' --generation 1"]),
    ("requests deny", &["bursar --as anna requests deny REQUEST --note 'they want to stay'"]),
    ("requests withdraw", &["bursar requests withdraw REQUEST"]),
    ("deliveries redrive", &["bursar deliveries redrive DELIVERY"]),
    ("messages resend", &["bursar messages resend MESSAGE"]),
    (
        "support create",
        &[
            "bursar support create --customer anker.example --subscription ID --impact 'paid twice' --title 'Double purchase' --refund-reason 'bought twice' --amount '120.00 EUR' --contact-name 'Anna Berg' --contact-email anna@partner.example --contact-phone '+31 20 555 0100'",
            "bursar support create --type deployment --customer anker.example --title 'Move from volume licensing' --impact '60 servers' --description 'Plan the move' --contact-name 'Anna Berg' --contact-email anna@partner.example --contact-phone '+31 20 555 0100'",
        ],
    ),
    (
        "activity csv",
        &[
            "bursar activity csv > month.csv",
            "bursar activity csv --from 2027-01-01 --to 2027-04-01 --customer 'Anker BV'",
        ],
    ),
    ("activity checkpoint", &["bursar activity checkpoint"]),
    ("support update", &["bursar support update SUPPORT --contact-phone '+31 20 555 0100' --status open"]),
    ("support note", &["bursar support note SUPPORT 'the customer was told'"]),
    ("support close", &["bursar support close SUPPORT --resolution granted --note 'credited on the next invoice'"]),
    (
        "token create",
        &[
            "bursar token create console --grant '*.read' --grant decide.cancellation --expires 2028-01-01T00:00:00Z",
            "bursar token create --user anna",
        ],
    ),
    ("invoices lines", &["bursar invoices lines G202703978 --customer TENANT"]),
    ("invoices csv", &["bursar invoices csv G202703978 > march.csv"]),
    ("invoices statement", &["bursar invoices statement G202703978 TENANT"]),
    ("invoices summary", &["bursar invoices summary"]),
    ("invoices paid", &["bursar invoices paid G202703978 '120.00 EUR' --at 2027-04-20T09:00:00Z"]),
    ("invoices unbilled", &["bursar invoices unbilled", "bursar invoices unbilled --customer TENANT"]),
    ("prices set", &["bursar prices set TENANT CFQ7TTC0LH18:0001:CFQ7TTC0K971 --price '12.50 EUR' --term P1Y"]),
    ("prices remove", &["bursar prices remove TENANT CFQ7TTC0LH18:0001:CFQ7TTC0K971 --term P1Y"]),
    ("token revoke", &["bursar token revoke TOKEN"]),
    (
        "users create",
        &[
            "bursar users create anna --email anna@partner.example --role admin_agent --role sales_agent",
            "bursar users create ivo --email ivo@customer.example --role customer_global_admin --customer TENANT",
        ],
    ),
    (
        "users roles",
        &["bursar users roles anna --add billing_admin --remove sales_agent", "bursar users roles ben --assign TENANT"],
    ),
    ("users disable", &["bursar users disable anna"]),
    ("users enable", &["bursar users enable anna"]),
    ("roles", &["bursar roles", "bursar -o csv roles"]),
    ("whoami", &["bursar whoami", "bursar --as anna whoami"]),
    ("library reload", &["bursar library reload"]),
    ("library source", &["bursar library source 84d3742005ac9c33"]),
    ("clock show", &["bursar clock show"]),
    ("clock advance", &["bursar clock advance P30D", "bursar clock advance --to 2027-06-01T00:00:00Z"]),
    ("upcoming", &["bursar upcoming --for P30D"]),
    (
        "import partner-center",
        &[
            "bursar import partner-center customers.json downloads/",
            "bursar import partner-center --overwrite subscriptions.json",
        ],
    ),
    ("import accounts", &["bursar import accounts overdue.csv"]),
    (
        "tenants create",
        &[
            "bursar tenants create 'Anker BV' --domain anker.example --country NL",
            "bursar tenants create 'Duin School' --domain duin.example --country NL --qualification education",
        ],
    ),
    ("tenants agree", &["bursar tenants agree anker.example --on 2027-01-05"]),
    (
        "tenants account",
        &[
            "bursar tenants account anker.example --overdue '120.00 EUR' --since 2027-01-01T00:00:00Z",
            "bursar tenants account anker.example",
        ],
    ),
    (
        "tenants label",
        &["bursar tenants label anker.example segment=school", "bursar tenants label anker.example segment="],
    ),
    (
        "hooks send",
        &[
            "bursar hooks send billing --file overdue.json",
            "bursar --url http://127.0.0.1:7300 hooks send billing --file overdue.json --id evt_17",
        ],
    ),
    ("run", &["bursar run scripts/dunning.rhai --call overdue --event overdue.json --dry-run"]),
    (
        "decide",
        &["bursar decide cancellation --subscription ID", "bursar decide quantity --subscription ID --quantity 40"],
    ),
    (
        "terms quote",
        &[
            "bursar terms quote --family license_new --purchased 2026-03-01T09:00:00Z --asked 2026-03-05T09:00:00Z --price '10.08 EUR' --quantity 5 --term P1M --billing monthly",
            "bursar terms quote --family software_perpetual --purchased 2026-03-01T09:00:00Z --asked 2026-03-30T09:00:00Z --price '431 EUR' --billing one_time",
        ],
    ),
    ("terms show", &["bursar terms show license_new", "bursar terms show software_subscription --at 2021-09-26"]),
    ("export", &["bursar export --file records.jsonl"]),
    ("completions", &["bursar completions bash > bursar.bash"]),
    ("reference", &["bursar reference", "bursar reference request_cancellation"]),
];

/// Letters of a line of the help, at most: beyond 100 it would be folded between any two words.
const LINE_LETTERS_MAX: usize = 92;

/// Examples under a noun, at most.
const NOUN_LINES_MAX: usize = 4;

/// A condition worth trying for each noun that has one.
const CONDITIONS: &[(&str, &str)] = &[
    ("offers", " --customer ID --publisher microsoft --billing license --why"),
    ("orders", " --where status=pending"),
    ("subscriptions", " --where status=active --where term_end_within=P60D"),
    ("requests", " --where state=waiting"),
    ("decisions", " --where kind=renewal"),
    ("runs", " --where ending=failed"),
    ("deliveries", " --where state=dead"),
    ("tenants", " --where country=DE"),
    ("ledger", " --all -o csv"),
    ("invoices", " --where currency=EUR"),
    ("prices", " TENANT"),
    ("activity", " --from 2027-01-01 --operation get_software_key"),
    ("support", " --where status=open,attention_needed"),
];

/// The command with an example under every verb's long help.
pub(crate) fn add(mut command: Command) -> Command {
    for (path, lines) in EXAMPLES {
        let words: Vec<&str> = path.split(' ').collect();
        command = under(command, &words, &lines.join("\n  "));
    }
    for (noun, lines) in of_nouns(&command) {
        command = under(command, &[&noun], &lines.join("\n  "));
    }
    let nouns: Vec<String> = command
        .get_subcommands()
        .filter(|noun| noun.find_subcommand("list").is_some())
        .map(|noun| noun.get_name().to_owned())
        .collect();
    for noun in &nouns {
        let condition = CONDITIONS.iter().find(|(known, _)| known == noun).map_or("", |(_, condition)| condition);
        let has_own = |verb: &str| EXAMPLES.iter().any(|(path, _)| *path == format!("{noun} {verb}"));
        if !has_own("list") {
            command = under(command, &[noun, "list"], &format!("bursar {noun} list{condition}"));
        }
        if !has_own("show") {
            command = under(command, &[noun, "show"], &format!("bursar -o json {noun} show ID"));
        }
    }
    command
}

/// The first examples of a noun's verbs, for its own long help.
fn of_nouns(command: &Command) -> Vec<(String, Vec<&'static str>)> {
    let above = command.get_subcommands().filter(|noun| noun.get_subcommands().next().is_some());
    let lines = |noun: &str| {
        let verbs = EXAMPLES.iter().filter(|(path, _)| path.split_once(' ').is_some_and(|(above, _)| above == noun));
        verbs.filter_map(|(_, lines)| lines.first().copied()).take(NOUN_LINES_MAX).collect::<Vec<_>>()
    };
    let found = above.map(|noun| (noun.get_name().to_owned(), lines(noun.get_name())));
    found.filter(|(_, lines)| !lines.is_empty()).collect()
}

fn under(command: Command, words: &[&str], text: &str) -> Command {
    match words {
        [] => {
            command.after_long_help(format!("Example:\n  {}", text.lines().map(folded).collect::<Vec<_>>().join("\n")))
        }
        [word, rest @ ..] if command.find_subcommand(word).is_some() => {
            command.mut_subcommand(word, |inner| under(inner, rest, text))
        }
        _ => command,
    }
}

/// A long line with the ends that a shell reads as none: the help is never folded where a copy of it would not run.
fn folded(line: &str) -> String {
    let (mut out, mut width) = (String::new(), 0);
    for (place, part) in line.split(" --").enumerate() {
        let part = if place == 0 { part.to_owned() } else { format!(" --{part}") };
        if width > 0 && width + part.chars().count() > LINE_LETTERS_MAX {
            out.push_str(" \\\n     ");
            width = 5;
        }
        width += part.chars().count();
        out.push_str(&part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves<'a>(command: &'a Command, path: &str, found: &mut Vec<(String, &'a Command)>) {
        if command.get_subcommands().next().is_none() {
            found.push((path.to_owned(), command));
        }
        for inner in command.get_subcommands() {
            leaves(inner, &format!("{path} {}", inner.get_name()), found);
        }
    }

    fn words(line: &str) -> Vec<String> {
        let line = line.split(" > ").next().unwrap();
        let parts = line.split('\'').enumerate();
        let split = |(place, part): (usize, &str)| match place % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        };
        parts.flat_map(split).collect()
    }

    #[test]
    fn the_grammar_is_sound() {
        super::super::command().debug_assert();
    }

    /// One that has the name of what is the same everywhere would be filled in by that, without a word.
    #[test]
    fn no_verb_takes_the_name_of_what_is_everywhere() {
        let command = super::super::command();
        let everywhere: Vec<&str> = command.get_arguments().map(|argument| argument.get_id().as_str()).collect();
        assert!(everywhere.contains(&"user"), "{everywhere:?}");
        let mut found = Vec::new();
        leaves(&command, "bursar", &mut found);
        for (path, leaf) in found {
            for argument in leaf.get_arguments().map(|argument| argument.get_id().as_str()) {
                assert!(!everywhere.contains(&argument), "{path}: {argument}");
            }
        }
    }

    #[test]
    fn every_verb_has_an_example_that_parses() {
        let command = super::super::command();
        let mut found = Vec::new();
        leaves(&command, "bursar", &mut found);
        assert!(found.len() > 40, "{}", found.len());
        for (path, leaf) in found {
            let help = leaf.get_after_long_help().unwrap_or_else(|| panic!("{path} has no example")).to_string();
            assert!(help.lines().all(|line| line.chars().count() <= 98), "{path}: {help}");
            for line in help.replace("\\\n", "").lines().skip(1) {
                let parsed = super::super::command().try_get_matches_from(words(line.trim()));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn every_noun_can_be_listed_and_shown() {
        let command = super::super::command();
        for noun in super::super::nouns::ALL {
            for verb in ["list", "show"] {
                let found = command.find_subcommand(noun.name).and_then(|noun| noun.find_subcommand(verb));
                assert!(found.is_some(), "{} {verb}", noun.name);
            }
        }
    }
}
