//! What enforces the sessions. This version has the dry run only.

pub mod dry_run;
