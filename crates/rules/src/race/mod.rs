//! The race engine: which state several executions share, and where one relies on what another may have changed.
//!
//! Three parts: who may overlap with whom ([`overlap`]), which places are shared ([`cells`]) and under which locks
//! ([`locks`]), and a walk over each function that follows what it knows of a place from the read, across suspensions, to the
//! write ([`walk`]). The rules of the question `share` ask for the conflicts of their kind.

pub(crate) mod cells;
pub(crate) mod containers;
pub(crate) mod held;
pub(crate) mod locks;
pub(crate) mod mutators;
pub(crate) mod orders;
pub(crate) mod overlap;
pub(crate) mod paths;
pub(crate) mod reach;
pub(crate) mod reliances;
pub(crate) mod signals;
pub(crate) mod suspends;
pub(crate) mod tasks;
pub(crate) mod walk;
pub(crate) mod writes;

use crate::homes::Homes;
use crate::meter::Meter;
use cells::{Cell, Owner, Root};
use locks::Guard;
use mutators::Mutators;
use orders::Orders;
use overlap::{Made, Overlaps};
use racewalk_link::{ClassRef, FunctionRef, Program};
use reach::Locks;
use reliances::Reliances;
use rustc_hash::{FxHashMap, FxHashSet};
use signals::Signals;
use std::sync::{Arc, Mutex, OnceLock};
use suspends::Suspends;
use walk::{Summary, walk};
use writes::Writes;

const SHARDS: usize = 16;

/// The summaries of functions by how many calls away they were looked at from; for all threads.
#[derive(Default)]
struct Known([Mutex<ByDepth>; SHARDS]);

type ByDepth = FxHashMap<(FunctionRef, u32), Arc<Summary>>;

impl Known {
    fn shard(&self, function: FunctionRef) -> &Mutex<ByDepth> {
        &self.0[(function.file.index() + function.id.index()) % SHARDS]
    }

    fn get(&self, function: FunctionRef, depth: u32) -> Option<Arc<Summary>> {
        let known = self.shard(function).lock().expect("no thread panics while it holds the table");
        known.get(&(function, depth)).cloned()
    }

    fn keep(&self, function: FunctionRef, depth: u32, summary: Arc<Summary>) {
        let mut known = self.shard(function).lock().expect("no thread panics while it holds the table");
        known.insert((function, depth), summary);
    }
}

/// What the whole program's functions share, and who overlaps.
#[derive(Default)]
pub(crate) struct Race {
    pub suspends: Suspends,
    pub overlaps: Overlaps,
    pub locks: Locks,
    pub signals: Signals,
    pub orders: Orders,
    pub reliances: Reliances,
    lasting: FxHashSet<ClassRef>,
    made: Made,
    /// Who changes which container in place, once a rule has asked.
    pub mutators: OnceLock<Mutators>,
    pub writes: Writes,
    known: Known,
}

impl Race {
    pub fn new(program: &Program, homes: &Homes, meter: &Meter) -> Self {
        let lasting = homes.lasting_classes().clone();
        let overlaps = meter.part("overlaps", || Overlaps::new(program, &|class| lasting.contains(&class)));
        let mut race = Self {
            suspends: meter.part("suspensions", || Suspends::new(program)),
            overlaps,
            locks: meter.part("locks", || Locks::new(program)),
            signals: meter.part("signals", || Signals::new(program)),
            orders: Orders::default(),
            reliances: Reliances::default(),
            lasting,
            made: meter.part("instances that are made", || Made::new(program)),
            mutators: OnceLock::new(),
            writes: meter.part("names that are written", || Writes::new(program)),
            known: Known::default(),
        };
        race.orders = meter.part("orders of locks", || Orders::new(program, &race.locks));
        race.reliances = meter.part("reliances on locks", || Reliances::new(program, &race));
        race
    }

    /// The process keeps an instance of the class for good.
    pub fn is_lasting(&self, class: ClassRef) -> bool {
        self.lasting.contains(&class)
    }

    /// Instances are made for a call, and kept by nobody else.
    pub fn is_made_per_call(&self, class: ClassRef) -> bool {
        self.made.per_call.contains(&class)
    }

    /// The program makes instances of the class itself; of others its users do.
    pub fn is_made(&self, class: ClassRef) -> bool {
        self.made.anywhere.contains(&class)
    }

    /// The guard is not narrower than the cell: an object's own lock says nothing of what all objects share.
    pub fn covers(&self, guard: Guard, cell: Cell) -> bool {
        let Guard::Lock(lock) = guard else { return true };
        match (lock.root, cell.owner) {
            (Root::Field(class, _), Owner::Static) if lock.owner != Owner::Static => self.is_lasting(class),
            _ => true,
        }
    }

    /// What the function does to cells, seen from so many calls away: the further, the less deeply it is looked at. The answer
    /// depends on nothing else, so it is the same for all who ask.
    pub fn summary(&self, program: &Program, function: FunctionRef, depth: u32) -> Arc<Summary> {
        if let Some(known) = self.known.get(function, depth) {
            return known;
        }
        // An evaluator of its own: what one has looked at before decides where its bounds cut the next look short, and who
        // asks first is a matter of chance.
        let evaluator = program.evaluator(function.file);
        let summary = Arc::new(walk(self, program, &evaluator, function, depth));
        self.known.keep(function, depth, summary.clone());
        summary
    }
}
