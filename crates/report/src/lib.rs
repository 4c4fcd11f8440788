//! Findings, suppressions and one renderer a format.

mod finding;

pub use finding::*;
