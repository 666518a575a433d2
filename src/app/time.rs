//! The store's clock: the machine's, or one that stands until it is moved.

use std::sync::Arc;

use super::{App, Result};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::domain::{Instant, Refusal};
use crate::store::records::meta::ClockKind;

/// What tells the time in a store.
pub(crate) enum StoreClock {
    System(Arc<dyn Clock>),
    Manual(ManualClock),
}

impl StoreClock {
    pub(crate) fn of(kind: Option<ClockKind>, system: Option<Arc<dyn Clock>>) -> Self {
        match kind {
            Some(ClockKind::Manual { at }) => StoreClock::Manual(ManualClock::new(at)),
            _ => StoreClock::System(system.unwrap_or_else(|| Arc::new(SystemClock))),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match self {
            StoreClock::System(clock) => clock.now(),
            StoreClock::Manual(clock) => clock.now(),
        }
    }

    pub(crate) fn is_manual(&self) -> bool {
        matches!(self, StoreClock::Manual(_))
    }
}

impl App {
    /// Puts a manual clock to an instant and keeps it; nothing is processed by this alone.
    ///
    /// # Errors
    /// `system_clock` on a store that follows the machine's clock; `clock_backwards`.
    pub fn set_clock(&self, to: Instant) -> Result<()> {
        let StoreClock::Manual(clock) = &self.inner.clock else {
            let message = "this store follows the machine's clock; only a store made with --clock manual is moved";
            return Err(crate::ops::Error::from(Refusal::new("system_clock", message)).into());
        };
        if to < clock.now() {
            let message =
                format!("the clock stands at {} and only moves forward", crate::domain::calendar::show(clock.now()));
            return Err(crate::ops::Error::from(Refusal::new("clock_backwards", message)).into());
        }
        let mut tx = self.inner.store.begin()?;
        crate::ops::upkeep::set_clock(&mut tx, &ClockKind::Manual { at: to })?;
        tx.commit()?.wait()?;
        clock.set(to);
        Ok(())
    }
}
