//! Selections: one grammar for `each`, `where`, `subscriptions(#{..})`, HTTP queries and `--where`.
