//! In which order locks are taken: for each pair, where the second is taken while the first is held.

use super::cells::Root;
use super::held::{Holds, Sort, Take};
use super::paths::{Key, Lock, Origin, Passage, Path, Paths};
use super::reach::{Locks, runs_there};
use racewalk_ir::{Event, ExprId, FunctionKind, SuspendKind};
use racewalk_link::{Edge, Evaluator, FileId, FunctionRef, Program};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// A lock is taken while another is held.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// By which function.
    pub function: FunctionRef,
    /// What takes the second: the context manager, the call.
    pub at: ExprId,
    /// Where the first was taken.
    pub first_at: ExprId,
    /// The paths to both.
    pub paths: (Path, Path),
    /// What else is held: where such locks are kept.
    pub under: Vec<Root>,
    /// The locks belong to threads.
    pub is_of_threads: bool,
    /// From the function to the second acquisition, when that lies in a callee.
    pub chain: Vec<(FunctionRef, ExprId)>,
}

/// The orders of a program, by the places of the first and the second lock.
#[derive(Default)]
pub(crate) struct Orders {
    orders: FxHashMap<(Root, Root), Vec<Order>>,
    /// The pairs that functions of a file take, the lesser first.
    by_file: FxHashMap<FileId, Vec<(Root, Root)>>,
}

impl Orders {
    /// Looks at everything that is taken or run while a lock is held.
    pub fn new(program: &Program, locks: &Locks) -> Self {
        let mut by_file: FxHashMap<FileId, Vec<FunctionRef>> = FxHashMap::default();
        for function in locks.holders() {
            by_file.entry(function.file).or_default().push(function);
        }
        let mut files: Vec<(FileId, Vec<FunctionRef>)> = by_file.into_iter().collect();
        files.sort_unstable_by_key(|(file, _)| *file);
        let in_file = |(file, functions): (FileId, Vec<FunctionRef>)| {
            let evaluator = program.evaluator(file);
            let mut found = Vec::new();
            for function in functions {
                Finder { program, locks, evaluator: &evaluator, function, found: &mut found }.run();
            }
            found
        };
        let found: Vec<Vec<((Root, Root), Order)>> = files.into_par_iter().map(in_file).collect();
        let mut orders = Self::default();
        for (pair, order) in found.into_iter().flatten() {
            let (first, second) = pair;
            let pairs = orders.by_file.entry(order.function.file).or_default();
            pairs.push((first.min(second), first.max(second)));
            orders.orders.entry(pair).or_default().push(order);
        }
        for pairs in orders.by_file.values_mut() {
            pairs.sort_unstable();
            pairs.dedup();
        }
        orders
    }

    /// Where these two are taken in this order.
    pub fn of(&self, first: Root, second: Root) -> &[Order] {
        self.orders.get(&(first, second)).map_or(&[], Vec::as_slice)
    }

    /// The pairs that functions of a file take in some order, the lesser first.
    pub fn in_file(&self, file: FileId) -> &[(Root, Root)] {
        self.by_file.get(&file).map_or(&[], Vec::as_slice)
    }
}

struct Finder<'f, 'p> {
    program: &'p Program,
    locks: &'f Locks,
    evaluator: &'f Evaluator<'p>,
    function: FunctionRef,
    found: &'f mut Vec<((Root, Root), Order)>,
}

/// A lock that others can have too, and that is no table of locks.
fn shared(program: &Program, lock: Lock) -> Option<Path> {
    let is_shared = match lock.path.origin {
        Origin::Receiver | Origin::Class(_) => true,
        Origin::Variable(variable) => {
            let owner = program.function(variable.owner);
            let name = owner.symbols[variable.symbol.index()].name;
            owner.kind == FunctionKind::Module || owner.params.iter().any(|param| param.name == name)
        }
    };
    (is_shared && lock.key == Key::None).then_some(lock.path)
}

/// One holder at a time; that the holder may take it again helps nobody else.
fn is_lock(sort: Sort) -> bool {
    matches!(sort, Sort::Exclusive | Sort::Reentrant)
}

impl Finder<'_, '_> {
    fn run(&mut self) {
        let Some(holds) = self.locks.holds(self.function) else { return };
        self.own(holds);
        let function = self.program.function(self.function);
        for (at, event) in function.events.iter().enumerate() {
            let site = match *event {
                Event::Call(site) | Event::ReadPlace(site) => site,
                Event::Suspend(kind, operand) if kind != SuspendKind::Exit => operand,
                _ => continue,
            };
            let is_coroutine = matches!(event, Event::Suspend(..));
            let held: Vec<&Take> = holds.held_at(at).collect();
            if !held.is_empty() {
                self.called(&held, site, is_coroutine);
            }
        }
    }

    /// Both are taken here.
    fn own(&mut self, holds: &Holds) {
        for take in holds.takes.iter().filter(|take| take.waits && is_lock(take.sort)) {
            let held: Vec<&Take> = take.under.iter().map(|at| &holds.takes[*at as usize]).collect();
            if let (Some(lock), Some(root)) = (take.lock, take.root) {
                self.add(&held, lock, root, take.at, Vec::new());
            }
        }
    }

    /// The second is taken by what is run there.
    fn called(&mut self, held: &[&Take], site: ExprId, is_coroutine: bool) {
        let Self { program, evaluator, function, .. } = *self;
        let is_run = |edge: &&Edge| {
            program.function(edge.target).is_async == is_coroutine
                && runs_there(program, function, site, edge.how, edge.target)
        };
        let paths = Paths { program, evaluator, function };
        let edges: Vec<Edge> = program.edges_at(function, site).iter().filter(is_run).copied().collect();
        for edge in edges {
            let passage = Passage { caller: &paths, site, how: edge.how, target: edge.target };
            for reach in self.locks.reaches(edge.target).iter().filter(|reach| is_lock(reach.sort)) {
                if let (Some(lock), Some(root)) = (passage.lock(reach.lock), reach.root) {
                    let mut chain = vec![(function, site)];
                    chain.extend(self.locks.chain(edge.target, *reach));
                    self.add(held, lock, root, site, chain);
                }
            }
        }
    }

    fn add(&mut self, held: &[&Take], second: Lock, root: Root, at: ExprId, chain: Vec<(FunctionRef, ExprId)>) {
        let Some(second) = shared(self.program, second) else { return };
        for first in held.iter().filter(|take| is_lock(take.sort)) {
            let (Some(path), Some(first_root)) = (first.lock.and_then(|lock| shared(self.program, lock)), first.root)
            else {
                continue;
            };
            if path == second {
                continue;
            }
            let order = Order {
                function: self.function,
                at,
                first_at: first.at,
                paths: (path, second),
                under: held.iter().filter(|take| take.at != first.at).filter_map(|take| take.root).collect(),
                is_of_threads: first.is_of_threads,
                chain: chain.clone(),
            };
            self.found.push(((first_root, root), order));
        }
    }
}
