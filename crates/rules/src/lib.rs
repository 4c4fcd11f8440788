//! The rules: one file a rule with its documentation, metadata and detector; fixtures beside it.

mod awaiting;
mod finding;
mod looping;
mod rule;

pub use finding::{Finding, Hop, Place};
pub use rule::{Question, Rule};

use racewalk_link::Program;
use rayon::prelude::*;

/// All rules, by question and name.
pub fn all() -> &'static [&'static Rule] {
    &[]
}

/// Runs these rules over the program. The order of the findings is the caller's to settle.
pub fn run(program: &Program, rules: &[&'static Rule]) -> Vec<Finding> {
    rules
        .par_iter()
        .flat_map_iter(|rule| {
            let mut found = Vec::new();
            (rule.check)(program, &mut found);
            found
        })
        .collect()
}
