//! The shop over HTTP, in the shapes Partner Center has.
