//! The rules: one file a rule with its documentation, metadata and detector; fixtures beside it.

mod awaiting;
mod context;
mod fate;
mod finding;
mod looping;
mod rule;
mod scopes;

pub use context::Context;
pub use finding::{Finding, Hop, Place};
pub use rule::{Question, Rule};

use context::Shared;
use racewalk_link::{FileId, Program};
use rayon::prelude::*;

/// All rules, by question and name.
pub fn all() -> &'static [&'static Rule] {
    static ALL: [&Rule; 1] = [&awaiting::missing_await::RULE];
    &ALL
}

/// Runs these rules over the program's reported files. The order of the findings is the caller's to settle.
pub fn run(program: &Program, rules: &[&'static Rule]) -> Vec<Finding> {
    let shared = Shared::new(program);
    let reported: Vec<FileId> = program.files().filter(|file| program.reported[file.index()]).collect();
    let of_file = |file| {
        let context = Context::new(program, file, &shared);
        let mut found = Vec::new();
        for rule in rules {
            (rule.check)(&context, &mut found);
        }
        found
    };
    reported.into_par_iter().flat_map_iter(of_file).collect()
}
