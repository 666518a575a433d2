//! What the functions of a test do: an application in memory on a clock that stands until the test moves it.

use std::collections::BTreeSet;

use super::given::{self, Facts};
use crate::app::{self, App};
use crate::domain::ask::Ask;
use crate::domain::change::Reason;
use crate::domain::product::Product;
use crate::domain::run::Ending;
use crate::domain::trigger::{Delivery, DeliveryState};
use crate::domain::{Id, Instant, Kind, Refusal, Span, Subscription, SubscriptionId, Tenant, calendar};
use crate::engine::api::testing::Bench;
use crate::json::{self, Value};
use crate::ops::deliveries::{Accepted, Incoming};
use crate::ops::imports::{self, Options};
use crate::ops::requests::Proposed;
use crate::ops::work::Endpoint;
use crate::ops::{self, Rights, Work, catalog, deliveries, requests, subscriptions, tenants};
use crate::partner_center::read::Fact;
use crate::suggest;
use crate::triggers;

/// Messages looked through for a topic.
const MESSAGES_MAX: usize = 10_000;
/// Runs looked through for ones that failed.
const RUNS_MAX: usize = 10_000;

/// The bench of one test.
pub(super) struct Desk {
    app: App,
    runtime: tokio::runtime::Runtime,
    ordinal: u32,
    /// Runs that failed and were told.
    told: BTreeSet<Id>,
}

impl Desk {
    pub(super) fn new(app: App, runtime: tokio::runtime::Runtime) -> Self {
        Self { app, runtime, ordinal: 0, told: BTreeSet::new() }
    }

    fn ordinal(&mut self) -> u32 {
        self.ordinal += 1;
        self.ordinal
    }

    /// Tells of the first run that failed since the last look: a test that counts what was sent must not pass because
    /// the file that sends it does not work.
    fn runs_ended_well(&mut self) -> ops::Result<()> {
        let page = self.app.read(Rights::system(), |work| ops::lists::runs(work, None, RUNS_MAX))?;
        let failed: Vec<_> = page.items.into_iter().filter(|run| run.ending != Ending::Completed).collect();
        let fresh = failed.iter().filter(|run| !self.told.contains(&run.id)).min_by_key(|run| (run.at, run.id));
        let refusal = fresh.map(|run| {
            let why = run.error.as_ref().map_or("it failed", |error| &error.message);
            Refusal::new("run_failed", format!("{} of {}: {why}", run.handler, run.file))
        });
        self.told.extend(failed.iter().map(|run| run.id));
        refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Runs an operation as every door does: on a thread of the application's own, where policies are asked.
    fn act<T: Send + 'static>(&self, body: impl Fn(&mut Work) -> ops::Result<T> + Send + 'static) -> ops::Result<T> {
        self.runtime.block_on(self.app.act(Rights::system(), self.app.next_cause("test"), body))
    }

    fn record(&self, fact: Fact) -> ops::Result<()> {
        self.act(move |work| imports::record(work, &fact, Options::default())).map(drop)
    }

    fn tick(&self) -> ops::Result<()> {
        self.runtime.block_on(triggers::tick(&self.app)).map(drop).map_err(of_app)
    }
}

/// What an application answers, as an operation does.
fn of_app(error: app::Error) -> ops::Error {
    match error {
        app::Error::Operation(error) => error,
        other => Refusal::new("failed", app::chain(&other)).into(),
    }
}

impl Bench for Desk {
    fn open(&mut self) -> ops::Result<Work> {
        let tx = self.app.store().begin()?;
        Ok(self.app.work(tx, self.app.now(), Rights::system(), &self.app.next_cause("test")))
    }

    fn commit(&mut self, mut work: Work) -> ops::Result<()> {
        work.finish()?;
        let tx = work.take().tx;
        if !tx.is_empty() {
            tx.commit()?.wait()?;
        }
        Ok(())
    }

    fn given(&mut self, facts: &Value) -> ops::Result<Subscription> {
        let ordinal = self.ordinal();
        let (fact, customer) = given::subscription(&self.app.terms(), facts, ordinal, self.app.now())?;
        let id = fact.id;
        if let Some(customer) = customer {
            self.record(Fact::Customer(customer))?;
        }
        self.record(Fact::Subscription(Box::new(fact)))?;
        self.act(move |work| Ok(subscriptions::get(work, id)?.value))
    }

    fn given_tenant(&mut self, facts: &Value) -> ops::Result<Tenant> {
        let fact = given::tenant(facts, self.ordinal())?;
        let id = fact.id;
        self.record(Fact::Customer(fact))?;
        self.act(move |work| tenants::get(work, id))
    }

    fn given_product(&mut self, facts: &Value) -> ops::Result<Product> {
        let (offer, price) = given::product(facts, self.ordinal())?;
        let id = offer.id.clone();
        self.record(Fact::Offer(Box::new(offer)))?;
        if let Some(price) = price {
            self.record(Fact::Price(price))?;
        }
        self.act(move |work| catalog::product(work, &id))
    }

    fn decide(&mut self, kind: &str, id: SubscriptionId, options: &Value) -> ops::Result<Proposed> {
        let kind = kind_of(kind)?;
        let (needed, possible) = kind.members();
        let known: Vec<&str> = needed.iter().chain(possible).map(|member| member.snake()).chain(["why"]).collect();
        let facts = Facts::of(options, "decide", &known)?;
        let why = facts.text("why")?.unwrap_or_else(|| "a test asks".to_owned());
        let said = Ask {
            reason: facts.word("reason")?,
            enabled: facts.truth("enabled")?,
            cancel_at_term_end: facts.truth("cancel_at_term_end")?,
            plan: facts.plan()?,
        };
        self.act(move |work| {
            let now = subscriptions::get(work, id)?.value;
            let usual = Ask::usual(kind, &now).unwrap_or_default();
            let reason = usual.reason.map(|_| Reason::CustomerRequest);
            let ask = said.clone().over(&Ask { reason, ..usual });
            let change = ask.change(kind, now.standing.term_end)?;
            requests::propose(work, id, change, &why)
        })
    }

    fn advance(&mut self, by: Span) -> ops::Result<()> {
        let too_far = || Refusal::new("bad_date", format!("{by} from now is beyond the calendar"));
        let to = by.after(self.app.now()).ok_or_else(too_far)?;
        self.advance_to(to)
    }

    fn advance_to(&mut self, to: Instant) -> ops::Result<()> {
        if to < self.app.now() {
            let stands = calendar::show(self.app.now());
            return Err(Refusal::new("clock_backwards", format!("the clock stands at {stands}")).into());
        }
        self.runtime.block_on(triggers::advance(&self.app, to)).map_err(of_app)?;
        self.runs_ended_well()
    }

    fn hook(&mut self, hook: &str, event_type: &str, data: &Value) -> ops::Result<Value> {
        let takers = triggers::deliveries::takers(&self.app, hook, event_type);
        if takers.is_empty() {
            return Err(nobody_takes(&self.app, hook, event_type).into());
        }
        let now = self.app.now();
        let body = Value::Object(vec![
            ("type".to_owned(), Value::String(event_type.to_owned())),
            ("timestamp".to_owned(), Value::String(calendar::show(now))),
            ("data".to_owned(), data.clone()),
        ]);
        let body = body.to_string();
        let incoming = Incoming {
            hook: hook.to_owned(),
            webhook_id: format!("test_{}", self.ordinal()),
            event_type: event_type.to_owned(),
            sent_at: now,
            body_hash: blake3::hash(body.as_bytes()).to_hex().to_string(),
            body,
            takers,
            rejected: false,
        };
        let accepted = self.act(move |work| deliveries::accept(work, incoming.clone()))?;
        let (Accepted::New(delivery) | Accepted::Duplicate(delivery)) = accepted;
        self.tick()?;
        let taken = self.act(move |work| deliveries::get(work, delivery.id))?;
        let ended = self.runs_ended_well();
        let told = taken_well(&taken)?;
        ended.map(|()| told)
    }

    fn messages(&mut self, topic: &str) -> ops::Result<Vec<Value>> {
        let wanted = Endpoint { name: String::new(), topics: vec![topic.to_owned()] };
        let page = self.app.read(Rights::system(), |work| ops::messages::list(work, None, MESSAGES_MAX))?;
        let mut sent: Vec<_> = page.items.into_iter().filter(|message| wanted.takes(&message.topic)).collect();
        sent.sort_by_key(|message| (message.at, message.id));
        let told = sent.into_iter().map(|message| {
            let text = |text: String| Value::String(text);
            let about = message.subscription.map_or(Value::Null, |id| text(id.to_string()));
            Value::Object(vec![
                ("topic".to_owned(), text(message.topic)),
                ("at".to_owned(), text(calendar::show(message.at))),
                ("data".to_owned(), json::parse(message.data.as_bytes()).unwrap_or(Value::Null)),
                ("subscription".to_owned(), about),
            ])
        });
        Ok(told.collect())
    }
}

fn kind_of(word: &str) -> Result<Kind, Refusal> {
    word.parse().map_err(|refusal: Refusal| {
        let near = suggest::nearest(word, Kind::ALL.map(Kind::as_str));
        let help = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        Refusal::new(&refusal.code, format!("{}{help}", refusal.message))
    })
}

fn nobody_takes(app: &App, hook: &str, event_type: &str) -> Refusal {
    use crate::engine::manifest::Source;
    let library = app.library();
    let sources = library.files.iter().flat_map(|file| &file.manifest.on).map(|trigger| &trigger.source);
    let known: Vec<String> = sources
        .filter_map(|source| match source {
            Source::Hook { hook, types } if types.is_empty() => Some(vec![hook.clone()]),
            Source::Hook { hook, types } => Some(types.iter().map(|known| format!("{hook} {known}")).collect()),
            _ => None,
        })
        .flatten()
        .collect();
    let near = suggest::nearest(&format!("{hook} {event_type}"), known.iter().map(String::as_str));
    let help = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Refusal::new("nobody_takes", format!("no file takes {event_type} of the hook {hook}{help}"))
}

/// The delivery as a test reads it.
///
/// # Errors
/// `hook_failed` with what the first file that failed on it says.
fn taken_well(delivery: &Delivery) -> ops::Result<Value> {
    if let Some(failed) = delivery.taken.iter().find(|taken| !taken.done) {
        let why = failed.error.as_deref().unwrap_or("it was not taken");
        return Err(Refusal::new("hook_failed", format!("{}: {why}", failed.trigger)).into());
    }
    let takers = delivery.taken.iter().map(|taken| Value::String(taken.trigger.clone())).collect();
    let state = if delivery.state == DeliveryState::Processed { "processed" } else { "pending" };
    Ok(Value::Object(vec![
        ("state".to_owned(), Value::String(state.to_owned())),
        ("takers".to_owned(), Value::Array(takers)),
    ]))
}
