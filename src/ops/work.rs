//! [`Work`]: the context every operation takes first, and nothing more.

use std::cell::RefCell;
use std::sync::Arc;

use crate::domain::audit::changes::{self, FieldChange};
use crate::domain::change::Amendments;
use crate::domain::decision::{Answer, Decision, Verdict};
use crate::domain::ids::{Guid, Noun};
use crate::domain::lifecycle::{self, Due};
use crate::domain::partner::PartnerType;
use crate::domain::request::Otherwise;
use crate::domain::roles::{Leave, Place, Subject};
use crate::domain::subscription::Status;
use crate::domain::support::Form;
use crate::domain::terms::Terms;
use crate::domain::{
    Grant, Grants, Id, Instant, Principal, Refusal, Request, Span, Subscription, SubscriptionId, TenantId,
};
use crate::seal::Ring;
use crate::store::Tx;
use crate::store::records::log::{Activity, Record};
use crate::store::records::timers::{self, Timer};
use crate::store::records::{Stored, log, subscriptions};
use crate::store::tables::TimerKind;

use super::{Error, Result, keys};

/// Who acts, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Who.
    pub principal: Principal,
    /// What they may do.
    pub grants: Grants,
}

impl Rights {
    /// The domain's own timers and the operator at the machine: everything.
    pub fn system() -> Self {
        Self { principal: Principal::System, grants: Grants::all() }
    }

    /// Demands a grant.
    ///
    /// # Errors
    /// `forbidden`, naming the grant.
    pub fn require(&self, grant: &Grant) -> Result<()> {
        if self.grants.allow(grant) {
            return Ok(());
        }
        Err(Refusal::new("forbidden", format!("{} does not hold the grant {grant}", self.principal)).into())
    }

    /// Demands a grant for every tenant: what it does cannot be narrowed to some of them.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn require_for_all(&self, grant: &Grant) -> Result<()> {
        self.require(grant)?;
        if self.grants.leave(grant, Subject::Whole, Place::Everywhere) > Leave::Nothing {
            return Ok(());
        }
        let message = format!("{} holds {grant} for some tenants only", self.principal);
        Err(Refusal::new("forbidden", message).into())
    }
}

/// What policies answered, merged: what `ops` needs of it and no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Every file's answer, in the order of their paths.
    pub answers: Vec<Answer>,
    /// The strictest counted one; abstain when none counted.
    pub verdict: Verdict,
    /// Whether every file abstained, and the verdict is what stands for the kind then.
    pub by_default: bool,
    /// Reasons of the counted answers, strictest first.
    pub reasons: Vec<String>,
    /// What approvals amend.
    pub amendments: Amendments,
    /// Roles that reviews ask for.
    pub roles: Vec<String>,
    /// The earliest expiry of the reviews.
    pub expires_at: Option<Instant>,
    /// The strictest outcome of an expiry.
    pub otherwise: Option<Otherwise>,
    /// The support request that a review asks for (C-esc).
    pub support: Option<Form>,
}

/// Asks the policies. Declared here and implemented by the script engine: the only arrow back.
pub trait Judge: Send + Sync {
    /// What the policies say to a request on this subscription. The policies read through the same work, so they see
    /// the run's own writes.
    ///
    /// # Errors
    /// Only what ends the whole run (the store failing); a policy that fails is an answer.
    fn ask(&self, work: &mut Work, request: &Request, subscription: &Subscription) -> Result<Judgement>;
}

/// An endpoint that messages go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Topics it takes: exact, or with a trailing `*`.
    pub topics: Vec<String>,
}

impl Endpoint {
    /// Whether it takes a topic.
    pub fn takes(&self, topic: &str) -> bool {
        self.topics.is_empty()
            || self.topics.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(start) => topic.starts_with(start),
                None => wanted == topic,
            })
    }
}

/// What the configuration settles for operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether nobody may answer their own request. Of users it never may be, whatever is set here.
    pub four_eyes: bool,
    /// What kind of partner this is: who may buy.
    pub partner: PartnerType,
    /// How long a request waits when nothing says otherwise.
    pub waits: Span,
    /// Who gets messages.
    pub endpoints: Vec<Endpoint>,
    /// The most rows one read of a script or a list may give.
    pub rows: usize,
    /// Day of the month on which the invoices of the month before are published, 1 to 28.
    pub invoice_day: u32,
    /// The master keys that keys and links of software are sealed with.
    pub ring: Ring,
    /// The partner's id in the programme, for offers that are exclusive to some.
    pub mpn_id: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            four_eyes: true,
            partner: PartnerType::default(),
            waits: Span::days(7),
            endpoints: Vec::new(),
            rows: 10_000,
            invoice_day: 6,
            ring: Ring::default(),
            mpn_id: None,
        }
    }
}

/// Where identifiers come from: the store, the cause and an ordinal, so that a retry gives the same ones.
#[derive(Debug, Clone)]
pub struct Ids {
    store: [u8; 16],
    cause: String,
    ordinal: u32,
}

impl Ids {
    /// Identifiers for one cause.
    pub fn new(store: [u8; 16], cause: &str) -> Self {
        Self { store, cause: cause.to_owned(), ordinal: 0 }
    }

    /// Bytes that no other call in this store gets: store, cause, ordinal.
    pub(super) fn seed(&mut self) -> Vec<u8> {
        let mut seed = self.store.to_vec();
        seed.extend(self.cause.bytes());
        seed.push(0);
        seed.extend(self.ordinal.to_be_bytes());
        self.ordinal += 1;
        seed
    }
}

/// What every operation takes first: the transaction, the time, the rights, the cause, the judge, the terms, the
/// identifiers and the settings.
pub struct Work {
    /// The transaction.
    pub tx: Tx,
    /// When this run really began, by the store's clock.
    pub now: Instant,
    /// Who acts.
    pub rights: Rights,
    /// What caused it.
    pub cause: String,
    /// Asks the policies.
    pub judge: Arc<dyn Judge>,
    /// The terms in force.
    pub terms: Arc<Terms>,
    /// Where identifiers come from.
    pub ids: Ids,
    /// What the configuration settles.
    pub settings: Arc<Settings>,
    /// Who set off the script that acts, when somebody ran it by hand: they answer nothing that it asks for.
    pub behind: Option<Principal>,
    /// The grant that was demanded last: tenants are within reach or not of what is being done.
    at_hand: RefCell<Option<Grant>>,
    record: Record,
    effects: Vec<String>,
    /// What was written of subscriptions and is not noted yet.
    changed: Vec<(SubscriptionId, Vec<FieldChange>)>,
    /// What is noted even if it is refused.
    attempt: Option<(String, TenantId, SubscriptionId)>,
    /// What the add-ons that are sold are made for, once somebody has looked.
    pub(super) add_on_bases: Option<Arc<[String]>>,
}

impl Work {
    /// A context for one transaction.
    pub fn new(
        tx: Tx,
        now: Instant,
        rights: Rights,
        ids: Ids,
        judge: Arc<dyn Judge>,
        terms: Arc<Terms>,
        settings: Arc<Settings>,
    ) -> Self {
        let cause = ids.cause.clone();
        Self {
            tx,
            now,
            rights,
            cause,
            judge,
            terms,
            ids,
            settings,
            behind: None,
            at_hand: RefCell::default(),
            record: Record::default(),
            effects: Vec::new(),
            changed: Vec::new(),
            attempt: None,
            add_on_bases: None,
        }
    }

    /// Moves the work out of a borrowed place, leaving a hollow one whose every use fails.
    #[must_use]
    pub fn take(&mut self) -> Work {
        let hollow = Work {
            tx: Tx::closed(),
            now: self.now,
            rights: self.rights.clone(),
            cause: String::new(),
            judge: Arc::clone(&self.judge),
            terms: Arc::clone(&self.terms),
            ids: self.ids.clone(),
            settings: Arc::clone(&self.settings),
            behind: None,
            at_hand: RefCell::default(),
            record: Record::default(),
            effects: Vec::new(),
            changed: Vec::new(),
            attempt: None,
            add_on_bases: None,
        };
        std::mem::replace(self, hollow)
    }

    /// A fresh identifier.
    pub fn id(&mut self, noun: Noun) -> Id {
        let mut seed = self.ids.seed();
        seed.extend(noun.prefix().bytes());
        Id::derive(noun, self.now.timestamp_millis(), &seed)
    }

    /// A fresh GUID for one of Partner Center's nouns.
    pub(super) fn guid(&mut self, noun: &str) -> Guid {
        let mut seed = self.ids.seed();
        seed.extend(noun.bytes());
        seed.extend(self.now.timestamp_micros().to_be_bytes());
        Guid::derive(&seed)
    }

    /// Demands a grant. What is reached from here on is what can be reached with it.
    ///
    /// # Errors
    /// `forbidden`, naming the grant.
    pub fn require(&self, grant: &Grant) -> Result<()> {
        self.at_hand.replace(Some(grant.clone()));
        self.rights.require(grant)
    }

    /// Whether a tenant is within reach of the grant that was demanded last; one that is not is as good as absent.
    pub fn reaches(&self, tenant: TenantId) -> bool {
        self.goes(Place::Tenant(tenant))
    }

    /// Whether every tenant is, and what is of no tenant.
    pub fn reaches_all(&self) -> bool {
        self.goes(Place::Everywhere)
    }

    fn goes(&self, place: Place) -> bool {
        let grants = &self.rights.grants;
        if grants.held().is_none() {
            return match place {
                Place::Tenant(tenant) => grants.reach(tenant),
                _ => grants.tenants.is_none(),
            };
        }
        let at_hand = self.at_hand.borrow();
        let grant = at_hand.as_ref().unwrap_or(&Grant::Read("tenants"));
        grants.leave(grant, Subject::Whole, place) > Leave::Nothing
    }

    /// Notes what was done, for the activity log.
    pub fn note(&mut self, operation: &str, subscription: Option<&Subscription>, request: Option<Id>, note: &str) {
        let changed = self.changed_of(subscription);
        self.record.activity.push(Activity {
            at: self.now,
            by: self.rights.principal.clone(),
            cause: self.cause.clone(),
            operation: operation.to_owned(),
            tenant: subscription.map(|subscription| subscription.tenant),
            subscription: subscription.map(|subscription| subscription.id),
            request,
            note: note.to_owned(),
            changed,
            made: String::new(),
        });
    }

    /// What was written of this subscription since it was last noted.
    fn changed_of(&mut self, subscription: Option<&Subscription>) -> Vec<FieldChange> {
        let place = self.changed.iter().position(|(id, _)| subscription.is_some_and(|noted| noted.id == *id));
        place.map(|place| self.changed.swap_remove(place).1).unwrap_or_default()
    }

    /// Notes what was done to a tenant.
    pub fn note_tenant(&mut self, operation: &str, tenant: Option<TenantId>, note: &str) {
        self.note(operation, None, None, note);
        if let Some(activity) = self.record.activity.last_mut() {
            activity.tenant = tenant;
        }
    }

    /// Adds to what was noted last what came of it, in Partner Center's JSON; what is longer than an entry of a log should
    /// be is left out.
    pub(super) fn note_made(&mut self, made: String) {
        const MADE_BYTES_MAX: usize = 16 * 1024;
        if let Some(activity) = self.record.activity.last_mut().filter(|_| made.len() <= MADE_BYTES_MAX) {
            activity.made = made;
        }
    }

    /// Notes what was done that is about a subscription or a request by its id alone.
    pub fn note_about(
        &mut self,
        operation: &str,
        tenant: Option<TenantId>,
        (subscription, request): (Option<SubscriptionId>, Option<Id>),
        note: &str,
    ) {
        self.note(operation, None, request, note);
        if let Some(activity) = self.record.activity.last_mut() {
            activity.tenant = tenant;
            activity.subscription = subscription;
        }
    }

    /// Says what is about to be tried on a subscription, for the activity log to tell of it even if it is refused (P19).
    pub(super) fn attempts(&mut self, operation: &str, tenant: TenantId, subscription: SubscriptionId) {
        self.attempt = Some((format!("{operation}.refused"), tenant, subscription));
    }

    /// Leaves of what was refused only that it was tried, to be written in a transaction of its own; whether it is to be
    /// told of at all.
    pub fn leave_attempt(&mut self, refusal: &Refusal) -> bool {
        (self.record, self.changed) = (Record::default(), Vec::new());
        let Some((operation, tenant, subscription)) = self.attempt.take() else { return false };
        self.note_about(&operation, Some(tenant), (Some(subscription), None), &refusal.code);
        true
    }

    /// Notes an effect for the record of the run.
    pub fn effect(&mut self, effect: impl Into<String>) {
        self.effects.push(effect.into());
    }

    /// What the run did so far, oldest first.
    pub fn effects(&self) -> &[String] {
        &self.effects
    }

    /// The decisions made so far, oldest first.
    pub fn decisions(&self) -> &[Decision] {
        &self.record.decisions
    }

    pub(super) fn record(&mut self) -> &mut Record {
        &mut self.record
    }

    /// Writes a subscription: rows, timers and its place in the log's chain.
    pub(super) fn save_subscription(
        &mut self,
        before: Option<&Stored<Subscription>>,
        after: &Subscription,
    ) -> Result<()> {
        let old = before.map(|stored| self.timers_of(&stored.value)).unwrap_or_default();
        let new = self.timers_of(after);
        for timer in old.iter().filter(|timer| !new.contains(timer)) {
            timers::clear(&mut self.tx, timer)?;
        }
        for timer in new.iter().filter(|timer| !old.contains(timer)) {
            timers::set(&mut self.tx, timer)?;
        }
        subscriptions::save(&mut self.tx, before.map(|stored| &stored.value), after)?;
        let changed = changes::changes(before.map(|stored| &stored.value), after);
        if !changed.is_empty() {
            self.changed.retain(|(id, _)| *id != after.id);
            self.changed.push((after.id, changed));
        }
        let stood = before.is_some_and(|stored| stored.value.standing.status != Status::Deleted);
        if stood && after.standing.status == Status::Deleted {
            // C-rev: whatever ended the purchase, its keys and links end in the same commit.
            keys::revoke(self, after)?;
        }
        let seq = before.map_or(0, |stored| stored.seq);
        let chained = self.record.before.iter().any(|(id, _)| *id == after.id);
        if !chained && seq != u64::MAX {
            self.record.before.push((after.id, seq));
        }
        Ok(())
    }

    /// Takes a subscription's rows and timers away, for one that moves to another tenant.
    pub(super) fn remove_subscription(&mut self, stored: &Stored<Subscription>) -> Result<()> {
        for timer in self.timers_of(&stored.value) {
            timers::clear(&mut self.tx, &timer)?;
        }
        Ok(subscriptions::remove(&mut self.tx, &stored.value)?)
    }

    /// Takes away the timers whose instant has passed: an import records facts, and what happened before it is over.
    pub(super) fn clear_passed(&mut self, subscription: &Subscription) -> Result<()> {
        let passed = self.timers_of(subscription).into_iter().filter(|timer| timer.due <= self.now);
        for timer in passed.filter(|timer| TimerKind::DOMAIN.contains(&timer.kind)).collect::<Vec<_>>() {
            timers::clear(&mut self.tx, &timer)?;
        }
        Ok(())
    }

    fn timers_of(&self, subscription: &Subscription) -> Vec<Timer> {
        let timer = |(due, at): (Due, Instant)| Timer {
            kind: match due {
                Due::TermEnd => TimerKind::TermEnd,
                Due::CycleEnd => TimerKind::CycleEnd,
                Due::NextStep => TimerKind::NextStep,
                Due::WindowEnd => TimerKind::WindowEnd,
                Due::TrialEnd => TimerKind::TrialEnd,
                Due::Deletion => TimerKind::Deletion,
            },
            due: at,
            tenant: subscription.tenant,
            subject: subscription.id.bytes(),
        };
        lifecycle::dues(&self.terms, subscription).into_iter().map(timer).collect()
    }

    /// A place to come back to: everything done since can be undone without ending the transaction.
    pub fn mark(&mut self) -> Mark {
        Mark { tx: self.tx.savepoint(), record: self.record.clone(), effects: self.effects.len() }
    }

    /// Undoes everything since the mark.
    pub fn undo(&mut self, mark: Mark) {
        self.tx.rollback_to(mark.tx);
        self.record = mark.record;
        self.changed.clear();
        self.effects.truncate(mark.effects);
    }

    /// Leaves the packed record of everything done and tells the activity in it; to be called once, before the commit.
    ///
    /// # Errors
    /// What the store answers.
    pub fn finish(&mut self) -> Result<Vec<Activity>> {
        self.tx.stamp_instant(self.now.timestamp_micros());
        let mut record = std::mem::take(&mut self.record);
        if !record.is_empty() {
            log::append(&mut self.tx, &mut record)?;
        }
        Ok(record.activity)
    }
}

/// A place in a transaction to come back to.
pub struct Mark {
    tx: crate::store::Savepoint,
    record: Record,
    effects: usize,
}

impl From<Error> for Refusal {
    /// For doors that can only say no: everything but a refusal is `failed`, without its details.
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal,
            other => Refusal::new("failed", other.to_string()),
        }
    }
}
