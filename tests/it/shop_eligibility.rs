//! Eligibility: both edges of every reason.
