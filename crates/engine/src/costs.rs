//! What a check costs, for those who ask.

use racewalk_rules::Clocks;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// CPU time within the stages of a check, threads summed.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Of the files that were found: parsing them.
    pub parsing: Duration,
    /// Lowering what was parsed.
    pub lowering: Duration,
    /// What is gathered for the rules before they run, by name.
    pub gathered: Vec<(String, Duration)>,
    /// What is made for several rules as soon as one asks, by name.
    pub asked: Vec<(String, Duration)>,
    /// The rules by name, each without what it shares with others.
    pub rules: Vec<(String, Duration)>,
}

impl Costs {
    pub(crate) fn new(files: &Files, rules: racewalk_rules::Costs) -> Self {
        let owned = |(what, spent): (&str, Duration)| (what.to_owned(), spent);
        Self {
            parsing: Duration::from_nanos(files.parsing.load(Ordering::Relaxed)),
            lowering: Duration::from_nanos(files.lowering.load(Ordering::Relaxed)),
            gathered: rules.gathered.into_iter().map(owned).collect(),
            asked: rules.asked.into_iter().map(owned).collect(),
            rules: rules.rules.into_iter().map(owned).collect(),
        }
    }
}

/// What files cost that many threads lower; nothing without a clock.
#[derive(Debug, Default)]
pub(crate) struct Files {
    clocks: Option<Clocks>,
    parsing: AtomicU64,
    lowering: AtomicU64,
}

impl Files {
    pub(crate) fn new(clocks: Option<Clocks>) -> Self {
        Self { clocks, ..Self::default() }
    }

    /// Lowers a file; `work` says when it is parsed.
    pub(crate) fn measured<T>(&self, work: impl FnOnce(&mut dyn FnMut()) -> T) -> T {
        let Some(Clocks { of_thread, .. }) = self.clocks else { return work(&mut || ()) };
        let start = of_thread();
        let mut parsed = start;
        let done = work(&mut || parsed = of_thread());
        add(&self.parsing, parsed.saturating_sub(start));
        add(&self.lowering, of_thread().saturating_sub(parsed));
        done
    }
}

fn add(sum: &AtomicU64, spent: Duration) {
    sum.fetch_add(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}
