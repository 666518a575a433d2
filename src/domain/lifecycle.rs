//! What the terms say about a change, and what a subscription becomes: quotes, changes, renewals, expiries.
