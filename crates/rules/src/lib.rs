//! The rules: one file a rule with its documentation, metadata and detector; fixtures beside it.

mod alone;
mod awaiting;
mod bounding;
mod cancelling;
mod claims;
mod context;
mod errors;
mod fate;
mod finding;
mod homes;
mod inventory;
mod lanes;
mod looping;
mod meter;
mod outside;
mod paths;
mod race;
mod rule;
mod runs;
mod scopes;
mod sharing;
mod stored;
mod threads;

pub use context::Context;
pub use finding::{Finding, Hop, Place, Step, Witness};
pub use inventory::Wanted;
pub use meter::{Clocks, Costs};
pub use rule::{Question, Rule};

use context::Shared;
use meter::Meter;
use racewalk_link::{FileId, Program};
use racewalk_report::inventory::{Facts, FileFigures};
use rayon::prelude::*;

/// All rules, by question and name.
pub fn all() -> &'static [&'static Rule] {
    const ALL: &[&Rule] = &[
        &awaiting::async_callback::RULE,
        &awaiting::async_executor::RULE,
        &awaiting::await_non_awaitable::RULE,
        &awaiting::await_outside_async::RULE,
        &awaiting::callback_mix::RULE,
        &awaiting::floating_promise::RULE,
        &awaiting::floating_task::RULE,
        &awaiting::missing_await::RULE,
        &awaiting::serial_await::RULE,
        &awaiting::unnecessary_async::RULE,
        &awaiting::waitgroup_misuse::RULE,
        &awaiting::wrapper_drops_await::RULE,
        &bounding::channel_misuse::RULE,
        &bounding::goroutine_leak::RULE,
        &bounding::no_timeout::RULE,
        &bounding::permit_leak::RULE,
        &bounding::unbounded_fan_out::RULE,
        &bounding::unbounded_growth::RULE,
        &cancelling::async_generator_cleanup::RULE,
        &cancelling::fail_fast_leak::RULE,
        &cancelling::ignored_context::RULE,
        &cancelling::lost_cancel::RULE,
        &cancelling::orphaned_losers::RULE,
        &cancelling::swallowed_cancellation::RULE,
        &cancelling::swallowed_error::RULE,
        &cancelling::unsafe_retry::RULE,
        &cancelling::unshielded_cleanup::RULE,
        &cancelling::unstructured_tasks::RULE,
        &looping::blocking_call::RULE,
        &looping::cross_loop_primitive::RULE,
        &looping::cross_thread_call::RULE,
        &looping::loop_per_call::RULE,
        &looping::nested_event_loop::RULE,
        &looping::patched_event_loop::RULE,
        &sharing::check_then_act::RULE,
        &sharing::data_race::RULE,
        &sharing::inconsistent_lock::RULE,
        &sharing::iterate_across_await::RULE,
        &sharing::lock_bottleneck::RULE,
        &sharing::lock_order::RULE,
        &sharing::lost_update::RULE,
        &sharing::lost_wakeup::RULE,
        &sharing::misplaced_context::RULE,
        &sharing::self_deadlock::RULE,
        &sharing::shared_default::RULE,
        &sharing::shared_session::RULE,
        &sharing::sleep_as_sync::RULE,
        &sharing::stale_write::RULE,
        &sharing::stampede::RULE,
        &claims::false_annotation::RULE,
    ];
    ALL
}

/// What the rules rest on: facts over all files of one program.
pub struct Ground<'p> {
    program: &'p Program,
    shared: Shared,
}

impl<'p> Ground<'p> {
    /// Gathers the facts. With clocks it is measured what they cost, and later what the rules do.
    pub fn new(program: &'p Program, clocks: Option<Clocks>) -> Self {
        Self { program, shared: Shared::new(program, Meter::new(clocks)) }
    }

    /// Runs these rules over the program's reported files. The order of the findings is the caller's to settle.
    pub fn judge(&self, rules: &[&'static Rule]) -> Vec<Finding> {
        let files = self.program.files().filter(|file| self.program.reported[file.index()]);
        let reported: Vec<FileId> = files.collect();
        let of_file = |file| {
            let mut found = Vec::new();
            Context::new(self.program, file, &self.shared).judge(rules, &mut found);
            found
        };
        reported.into_par_iter().flat_map_iter(of_file).collect()
    }

    /// Lists the facts that the rules rest on, in no settled order, and how much there is in each file of the program.
    pub fn take_stock(&self, wanted: &Wanted) -> (Facts<Place>, Vec<FileFigures>) {
        inventory::facts(self.program, &self.shared, wanted)
    }

    /// What all this has cost so far; nothing without clocks.
    pub fn costs(&self) -> Costs {
        self.shared.meter.costs()
    }
}
