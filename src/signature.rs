//! Standard Webhooks signatures, both directions.
