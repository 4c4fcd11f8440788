//! Findings, suppressions, the baseline and one renderer a format.

mod baseline;
mod claim;
mod concise;
mod finding;
mod frame;
mod full;
mod github;
pub mod inventory;
mod lanes;
mod markdown;
pub mod proof;
mod proof_text;
mod sarif;
mod source;
mod statistics;
mod suppression;

pub use baseline::{Baseline, Known};
pub use claim::{Claim, Path as ClaimedPath, parse_claim};
pub use concise::concise;
pub use finding::*;
pub use full::full;
pub use github::github;
pub use markdown::markdown;
pub use sarif::sarif;
pub use source::{Shown, SourceText, Sources};
pub use statistics::statistics;
pub use suppression::{Suppression, parse_suppression};

/// The report as one JSON object: the output contract.
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
    text.push('\n');
    text
}
