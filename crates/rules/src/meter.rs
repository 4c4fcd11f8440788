//! What rules cost, and what they share: measured with clocks that a shell lends, and not at all without them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Clocks of CPU time. A stage has none of its own.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// What the calling thread has used.
    pub of_thread: fn() -> Duration,
    /// What all threads of the process have used together.
    pub of_process: fn() -> Duration,
}

/// CPU time by what has used it.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Each rule that was run, over all files.
    pub rules: BTreeMap<&'static str, Duration>,
    /// What is gathered before the rules run.
    pub gathered: BTreeMap<&'static str, Duration>,
    /// What is made for several rules as soon as one asks: it is charged to none of them.
    pub asked: BTreeMap<&'static str, Duration>,
}

impl Costs {
    fn add(&mut self, other: &Costs) {
        let sum = |into: &mut BTreeMap<&'static str, Duration>, from: &BTreeMap<&'static str, Duration>| {
            from.iter().for_each(|(what, spent)| *into.entry(what).or_default() += *spent);
        };
        sum(&mut self.rules, &other.rules);
        sum(&mut self.gathered, &other.gathered);
        sum(&mut self.asked, &other.asked);
    }
}

/// Sums up costs over all threads.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) clocks: Option<Clocks>,
    costs: Mutex<Costs>,
}

impl Meter {
    pub fn new(clocks: Option<Clocks>) -> Self {
        Self { clocks, costs: Mutex::default() }
    }

    /// Does a part of the work that all rules rest on, while nothing else is done.
    pub fn part<T>(&self, what: &'static str, work: impl FnOnce() -> T) -> T {
        let Some(clocks) = self.clocks else { return work() };
        let start = (clocks.of_process)();
        let done = work();
        let spent = (clocks.of_process)().saturating_sub(start);
        self.add(&Costs { gathered: BTreeMap::from([(what, spent)]), ..Costs::default() });
        done
    }

    /// Adds what one file has cost.
    pub fn add(&self, costs: &Costs) {
        self.costs.lock().expect("no thread panics while it adds").add(costs);
    }

    /// What has been added so far.
    pub fn costs(&self) -> Costs {
        self.costs.lock().expect("no thread panics while it adds").clone()
    }
}
