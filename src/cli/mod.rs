//! The command line: a client of the router and of nothing else, noun by noun. What needs the store or the files
//! themselves is in [`init`], [`serve`], [`check`], [`test`] and [`store`].
//!
//! It decides nothing: a verb is a route and a way to print the answer.

mod activations;
mod activity;
mod amounts;
mod approvals;
mod cancel;
mod carts;
mod check;
mod clock;
mod complete;
mod connect;
mod csv;
mod decide;
mod demo;
mod examples;
mod exit;
mod export;
mod hooks;
mod import;
mod init;
mod invoices;
mod keys;
mod library;
mod logging;
mod master_key;
mod nouns;
mod output;
mod prices;
mod roles;
mod run;
mod serve;
mod shop;
mod software;
mod store;
mod subscriptions;
mod support;
mod tenants;
mod terms;
mod test;
mod tokens;
mod users;
mod watch;

use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use connect::Context;
use exit::{Exit, Failure, Outcome};
use nouns::Reading;
use output::{Format, Out};

/// Automation for cloud resellers: policies decide, scripts act, the store remembers.
#[derive(Debug, Parser)]
#[command(name = "bursar", version, disable_help_subcommand = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
struct Globals {
    /// The configuration; else $BURSAR_CONFIG, else ./bursar.toml
    #[arg(long, short = 'c', global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address of a daemon; without it the store of the configuration is used
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// The access token for --url; better in a file or in $BURSAR_TOKEN
    #[arg(long, global = true, value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the access token
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Act for this person (the operator only)
    #[arg(long = "as", global = true, value_name = "NAME")]
    user: Option<String>,
    /// How data is written
    #[arg(long, short, global = true, value_enum, default_value = "table")]
    output: Format,
    /// Data only: no talk on standard error
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Log more; twice: much more
    #[arg(long, short, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a folder with a configuration, a store and a first policy
    Init(init::Init),
    /// Run the daemon
    Serve(serve::Serve),
    /// Process everything that is due, send what waits, and end
    Tick(clock::Tick),
    /// Find what is wrong in policies, scripts and terms
    Check(check::Check),
    /// Run the tests beside policies and scripts
    Test(test::Test),
    /// Write a consistent copy of the store
    Backup(store::Backup),
    /// Check every row of the store
    Verify(store::Verify),
    /// Customers, and what they owe
    #[command(subcommand)]
    Tenants(tenants::Verb),
    /// What can be bought
    #[command(subcommand)]
    Products(Reading),
    /// What a customer can be sold, and why not
    #[command(subcommand)]
    Offers(shop::OfferVerb),
    /// Carts, and checking them out
    #[command(subcommand)]
    Carts(carts::Verb),
    /// Orders, and cancelling their software
    #[command(subcommand)]
    Orders(shop::OrderVerb),
    /// Buy something for a customer
    Buy(shop::Buy),
    /// Subscriptions, and changes to them
    #[command(subcommand)]
    Subscriptions(subscriptions::Verb),
    /// Cancel what a customer bought, by product and order
    Cancel(cancel::Cancel),
    /// Software of a customer, and what products come with
    #[command(subcommand)]
    Software(software::Verb),
    /// Product keys
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Download links
    #[command(subcommand)]
    Links(keys::LinkVerb),
    /// KMS activations of devices, and their move to a MAK
    #[command(subcommand)]
    Activations(activations::Verb),
    /// Proposed changes, and answers to them
    #[command(subcommand)]
    Requests(approvals::Verb),
    /// What policies answered
    #[command(subcommand)]
    Decisions(Reading),
    /// What scripts did
    #[command(subcommand)]
    Runs(Reading),
    /// Policies in force
    #[command(subcommand)]
    Policies(Reading),
    /// Scripts in force
    #[command(subcommand)]
    Scripts(Reading),
    /// Triggers and when they are due
    #[command(subcommand)]
    Schedules(Reading),
    /// Due instants and what became of them
    #[command(subcommand)]
    Occurrences(Reading),
    /// Webhooks that came in
    #[command(subcommand)]
    Deliveries(hooks::DeliveryVerb),
    /// Messages that go out
    #[command(subcommand)]
    Messages(hooks::MessageVerb),
    /// Access tokens
    #[command(subcommand)]
    Tokens(Reading),
    /// The partner's people and customers' Global admins, with their roles
    #[command(subcommand)]
    Users(users::Verb),
    /// What each role may do
    Roles(roles::Roles),
    /// Who you are here, and what you may do
    Whoami(roles::Whoami),
    /// Charges and credits
    #[command(subcommand)]
    Ledger(Reading),
    /// Monthly invoices, and what is not invoiced yet
    #[command(subcommand)]
    Invoices(invoices::Verb),
    /// What customers are asked for products
    #[command(subcommand)]
    Prices(prices::Verb),
    /// Who did what
    #[command(subcommand)]
    Activity(activity::Verb),
    /// Support requests: refunds and deployment help that no change does
    #[command(subcommand)]
    Support(support::Verb),
    /// Make and revoke access tokens
    #[command(subcommand)]
    Token(tokens::Verb),
    /// The policies and scripts of this store
    #[command(subcommand)]
    Library(library::Verb),
    /// The store's clock
    #[command(subcommand)]
    Clock(clock::Verb),
    /// What will happen next
    Upcoming(clock::Upcoming),
    /// Take records from elsewhere
    #[command(subcommand)]
    Import(import::Verb),
    /// Try webhooks
    #[command(subcommand)]
    Hooks(hooks::HookVerb),
    /// Run a script now
    Run(run::Run),
    /// What the terms and every policy would say, without changing anything
    Decide(decide::Decide),
    /// The commerce terms
    #[command(subcommand)]
    Terms(terms::Verb),
    /// Write every record as JSON lines
    Export(export::Export),
    /// Completions for a shell
    Completions(complete::Completions),
    /// Every function that scripts may call
    Reference(complete::Reference),
}

/// The command line with examples in the long help of every verb.
fn command() -> clap::Command {
    examples::add(Cli::command())
}

/// Parses, runs and says how it ended.
pub(crate) fn main() -> Exit {
    let cli = match command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers on standard output; a closed pipe is nobody's mistake.
            let _printed = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    match begin(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            eprintln!("error: {}", failure.told);
            failure.exit
        }
    }
}

fn begin(cli: Cli) -> Outcome {
    let Globals { config, url, token, token_file, user, output, quiet, verbose } = cli.globals;
    let serving = matches!(cli.verb, Verb::Serve(_));
    let showing = matches!(&cli.verb, Verb::Serve(serve) if serve.demo);
    let filter =
        bursar::config::environment("BURSAR_LOG").unwrap_or_else(|| logging::default_filter(verbose, serving, showing));
    let names = logging::Names::default();
    logging::start(&filter, showing || !serving, names.clone()).map_err(Failure::usage)?;
    logging::quieten_caught_panics();
    let context = Context { config, url, token, token_file, user, names, out: Out { format: output, quiet } };
    // Tests bring a runtime of their own.
    if let Verb::Test(test) = &cli.verb {
        return test.run(&context);
    }
    let mut builder = if serving {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("start the runtime: {error}")))?;
    let outcome = runtime.block_on(dispatch(&context, cli.verb));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

async fn dispatch(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Init(verb) => verb.run(context),
        Verb::Serve(verb) => verb.run(context).await,
        Verb::Tick(verb) => verb.run(context).await,
        Verb::Check(verb) => verb.run(context),
        Verb::Test(verb) => verb.run(context),
        Verb::Backup(verb) => verb.run(context).await,
        Verb::Verify(verb) => verb.run(context).await,
        Verb::Tenants(verb) => verb.run(context).await,
        Verb::Products(verb) => verb.run(context, nouns::PRODUCTS).await,
        Verb::Offers(verb) => verb.run(context).await,
        Verb::Carts(verb) => verb.run(context).await,
        Verb::Orders(verb) => verb.run(context).await,
        Verb::Buy(verb) => verb.run(context).await,
        Verb::Subscriptions(verb) => verb.run(context).await,
        Verb::Cancel(verb) => verb.run(context).await,
        Verb::Software(verb) => verb.run(context).await,
        Verb::Keys(verb) => verb.run(context).await,
        Verb::Links(verb) => verb.run(context).await,
        Verb::Activations(verb) => verb.run(context).await,
        Verb::Requests(verb) => verb.run(context).await,
        Verb::Decisions(verb) => verb.run(context, nouns::DECISIONS).await,
        Verb::Runs(verb) => verb.run(context, nouns::RUNS).await,
        Verb::Policies(verb) => verb.run(context, nouns::POLICIES).await,
        Verb::Scripts(verb) => verb.run(context, nouns::SCRIPTS).await,
        Verb::Schedules(verb) => verb.run(context, nouns::SCHEDULES).await,
        Verb::Occurrences(verb) => verb.run(context, nouns::OCCURRENCES).await,
        Verb::Deliveries(verb) => verb.run(context).await,
        Verb::Messages(verb) => verb.run(context).await,
        Verb::Tokens(verb) => verb.run(context, nouns::TOKENS).await,
        Verb::Users(verb) => verb.run(context).await,
        Verb::Roles(verb) => verb.run(context).await,
        Verb::Whoami(verb) => verb.run(context).await,
        Verb::Ledger(verb) => verb.run(context, nouns::LEDGER).await,
        Verb::Invoices(verb) => verb.run(context).await,
        Verb::Prices(verb) => verb.run(context).await,
        Verb::Activity(verb) => verb.run(context).await,
        Verb::Support(verb) => verb.run(context).await,
        Verb::Token(verb) => verb.run(context).await,
        Verb::Library(verb) => verb.run(context).await,
        Verb::Clock(verb) => verb.run(context).await,
        Verb::Upcoming(verb) => verb.run(context).await,
        Verb::Import(verb) => verb.run(context).await,
        Verb::Hooks(verb) => verb.run(context).await,
        Verb::Run(verb) => verb.run(context).await,
        Verb::Decide(verb) => verb.run(context).await,
        Verb::Terms(verb) => verb.run(context).await,
        Verb::Export(verb) => verb.run(context).await,
        Verb::Completions(verb) => verb.run(context),
        Verb::Reference(verb) => verb.run(context),
    }
}
