//! What is due: one file a kind of trigger. They say what is due and when; what happens then is for `ops` to say.

pub mod cron;
