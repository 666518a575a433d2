//! Asking the policies about a request: every switched-on file that decides its kind and whose `where` holds.

use rhai::Dynamic;

use super::answers::{self, Source};
use super::api::requests::Asked;
use super::budget::Budget;
use super::library::File;
use super::manifest::Mode;
use super::script_thread::{self, lend};
use crate::domain::principal::READ_NOUNS;
use crate::domain::{Grant, Grants, Instant, Principal, Request, Subscription};
use crate::ops::{self, Judge, Judgement, Rights, Work};

/// The judge that asks the library's policies, on a script thread.
#[derive(Debug, Clone)]
pub struct Policies {
    /// What each policy may spend on one request.
    pub budget: Budget,
}

impl Judge for Policies {
    fn ask(&self, work: &mut Work, request: &Request, subscription: &Subscription) -> ops::Result<Judgement> {
        let Some(thread) = script_thread::thread() else {
            return Err(ops::Error::Script("policies are asked on script threads only".to_owned()));
        };
        let mut answers = Vec::new();
        let mut support = None;
        for file in thread.machine.library().deciders(request.kind) {
            if !answers_for(file, subscription, work.now) {
                continue;
            }
            let source = Source { path: &file.path, hash: &file.hash, observed: file.manifest.mode == Mode::Observe };
            let reading = reading(file, &work.rights);
            let own = std::mem::replace(&mut work.rights, reading);
            let asked = Dynamic::from(Asked::of(request, subscription));
            let ((ended, spent), recorded) = lend(work, || {
                answers::collect(|| thread.machine.call(&file.path, "decide", asked, None, &self.budget))
            });
            work.rights = own;
            if let Some(source) = script_thread::broken() {
                return Err(ops::Error::Store { doing: "read for a policy", source });
            }
            if !source.observed {
                support = support.or_else(|| recorded.iter().find_map(|answer| answer.support.clone()));
            }
            answers.push(answers::answer(source, ended.as_ref().map(|_| ()), recorded, &spent));
        }
        let merged = answers::merge(&answers);
        Ok(Judgement {
            by_default: false,
            answers,
            verdict: merged.verdict,
            reasons: merged.reasons,
            amendments: merged.amendments,
            roles: merged.roles,
            expires_at: merged.expires_at,
            otherwise: merged.otherwise,
            support,
        })
    }
}

/// Whether a policy answers about a subscription: whether its `where` holds. On script threads only.
pub fn answers_for(file: &File, subscription: &Subscription, now: Instant) -> bool {
    let thread = script_thread::thread();
    let conditions = thread.as_ref().and_then(|thread| thread.conditions(file));
    conditions.is_none_or(|conditions| conditions.matches(subscription, now))
}

/// A policy answers and never acts: it reads within the reach of whoever proposed, and nothing more.
fn reading(file: &File, asker: &Rights) -> Rights {
    Rights {
        principal: Principal::File { path: file.path.clone(), hash: file.short_hash().to_owned() },
        grants: Grants {
            list: READ_NOUNS.iter().map(|noun| Grant::Read(noun)).collect(),
            tenants: asker.grants.tenants_seen(),
        },
    }
}
