//! The inventory: what the code shares, waits for, starts, locks and calls, with the five questions answered for functions.
//!
//! The facts are those that the rules rest on. What is asked for by [`Wanted`] decides what is listed; who else gets to a
//! shared object, or takes a lock, is looked for in the whole program.

pub(crate) mod accesses;
mod answers;
mod calls;
pub(crate) mod guards;
mod handles;
pub(crate) mod locks;
pub(crate) mod names;
mod objects;
mod spawns;
mod suspensions;

use crate::context::{Context, Shared};
use crate::finding::Place;
use crate::race::cells::Root;
use crate::race::overlap::Evidence;
use crate::race::suspends::Suspends;
use accesses::Access;
use guards::Guards;
use locks::Home;
use racewalk_ir::FunctionId;
use racewalk_link::{ClassRef, FileId, FunctionRef, How, Program, Variable};
use racewalk_models::Runs as RunsWhere;
use racewalk_report::inventory::{Does, Facts, FileFigures, Runs};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What is asked for.
pub struct Wanted {
    /// The functions whose suspension points, spawns and calls are listed.
    pub functions: FxHashSet<FunctionRef>,
    /// The functions for which the five questions are answered.
    pub examined: Vec<FunctionRef>,
    /// Files all of whose objects and locks are listed, used or not.
    pub files: FxHashSet<FileId>,
    /// Classes all of whose objects and locks are listed.
    pub classes: FxHashSet<ClassRef>,
    /// List calls; else they are only counted.
    pub calls: bool,
}

impl Wanted {
    /// The place belongs to what was asked for.
    fn defines(&self, root: Root) -> bool {
        match root {
            Root::Field(class, _) => self.classes.contains(&class) || self.files.contains(&class.file),
            Root::Variable(Variable { owner, .. }) => {
                self.files.contains(&owner.file) || owner.id != FunctionId(0) && self.functions.contains(&owner)
            }
            Root::Param(function, _) => self.functions.contains(&function),
        }
    }
}

/// What is known of the whole program.
pub(crate) struct Index<'p> {
    pub program: &'p Program,
    pub shared: &'p Shared,
    /// The functions that really suspend, as far as that is known.
    pub known_to_suspend: Suspends,
    /// Functions that run on event loops.
    on_loop: FxHashSet<FunctionRef>,
    /// Functions that run in threads beside them.
    in_threads: FxHashSet<FunctionRef>,
    /// The module variables that keep instances of classes.
    pub keepers: FxHashMap<ClassRef, Vec<Root>>,
    accesses: BTreeMap<Root, Vec<Access>>,
    /// What each function changes, once somebody asks.
    changed: OnceLock<FxHashMap<FunctionRef, Vec<(Root, Does)>>>,
}

impl<'p> Index<'p> {
    fn new(program: &'p Program, shared: &'p Shared) -> Self {
        let files: Vec<FileId> = program.files().filter(|file| !program.is_installed(*file)).collect();
        let in_file = |file: FileId| accesses::in_file(&Context::new(program, file, shared));
        let found: Vec<Vec<Access>> = files.into_par_iter().map(in_file).collect();
        let mut accesses: BTreeMap<Root, Vec<Access>> = BTreeMap::new();
        for access in found.into_iter().flatten() {
            accesses.entry(access.cell.root).or_default().push(access);
        }
        let known_to_suspend = suspensions::known(program);
        let (on_loop, in_threads) = (on_loop(program), in_threads(program, shared));
        let keepers = objects::keepers(program);
        Self { program, shared, known_to_suspend, on_loop, in_threads, keepers, accesses, changed: OnceLock::new() }
    }

    /// Everybody who gets to a place.
    fn accesses_of(&self, root: Root) -> &[Access] {
        self.accesses.get(&root).map_or(&[], Vec::as_slice)
    }

    /// The shared objects that a function changes, or uses in a way that may change them.
    fn changed_by(&self, function: FunctionRef) -> &[(Root, Does)] {
        let changed = self.changed.get_or_init(|| {
            let mut changed: FxHashMap<FunctionRef, Vec<(Root, Does)>> = FxHashMap::default();
            let shared = self.accesses.iter();
            for (root, accesses) in shared.filter(|(root, all)| objects::is_shared_object(self, **root, all)) {
                let changes =
                    |access: &&Access| access.does != Does::Reads && !accesses::is_initial(self.program, access);
                for access in accesses.iter().filter(changes) {
                    let roots = changed.entry(access.function).or_default();
                    if roots.last().is_none_or(|(last, _)| last != root) {
                        roots.push((*root, access.does));
                    }
                }
            }
            changed
        });
        changed.get(&function).map_or(&[], Vec::as_slice)
    }

    /// Where a function runs.
    fn runs(&self, function: FunctionRef) -> Runs {
        match (self.on_loop.contains(&function), self.in_threads.contains(&function)) {
            (true, true) => Runs::Both,
            (true, false) => Runs::Loop,
            (false, true) => Runs::Thread,
            (false, false) => Runs::Caller,
        }
    }

    /// Functions inside the one that has the variable use it.
    fn is_captured(&self, root: Root) -> bool {
        let Root::Variable(variable) = root else { return false };
        self.accesses_of(root).iter().any(|access| access.function != variable.owner)
    }

    /// The function runs as a task or in a thread, or others of its executions may run meanwhile.
    fn is_beside(&self, function: FunctionRef) -> bool {
        let overlaps = &self.shared.race.overlaps;
        self.program.function(function).is_async
            || overlaps.of(function).is_some()
            || overlaps.beside(function).is_some()
            || self.shared.threads.contains(function)
    }

    /// Several tasks that the code starts get to the function on one object.
    fn is_started_on_one_object(&self, function: FunctionRef) -> bool {
        let overlap = self.shared.race.overlaps.of(function);
        overlap.is_some_and(|overlap| overlap.same_object && matches!(overlap.evidence, Evidence::Spawned(..)))
    }
}

/// The functions that run on event loops: coroutine functions, handlers, callbacks, and what those call there.
fn on_loop(program: &Program) -> FxHashSet<FunctionRef> {
    let is_start = |function: &FunctionRef| match program.entry_runs(*function) {
        Some((_, runs)) => runs == RunsWhere::Loop,
        None => program.function(*function).is_async,
    };
    let handed = program.functions().flat_map(|function| program.edges(function));
    let later = handed.filter(|edge| edge.how == How::Later).map(|edge| edge.target);
    reached(program, program.functions().filter(is_start).chain(later), |how| how != How::Offloads)
}

/// The functions that threads beside the loop's get to.
fn in_threads(program: &Program, shared: &Shared) -> FxHashSet<FunctionRef> {
    let starts = program.functions().filter(|function| shared.threads.contains(*function));
    reached(program, starts, |how| matches!(how, How::Calls | How::Implicit | How::Callback))
}

/// What these get to, along the calls of some kinds. A coroutine is not run by calling it from a thread.
fn reached(
    program: &Program,
    starts: impl Iterator<Item = FunctionRef>,
    follows: impl Fn(How) -> bool,
) -> FxHashSet<FunctionRef> {
    let mut open: Vec<FunctionRef> = starts.collect();
    let mut reached = FxHashSet::default();
    while let Some(function) = open.pop() {
        if reached.insert(function) {
            let calls = program.edges(function).iter().filter(|edge| follows(edge.how));
            open.extend(calls.map(|edge| edge.target));
        }
    }
    reached
}

/// The facts about what is wanted; their order is the caller's to settle. Figures are given for each file of the program.
pub(crate) fn facts(program: &Program, shared: &Shared, wanted: &Wanted) -> (Facts<Place>, Vec<FileFigures>) {
    let index = Index::new(program, shared);
    let mut figures: Vec<FileFigures> = program.modules().iter().map(|_| FileFigures::default()).collect();
    let mut all = Facts {
        functions: Vec::new(),
        shared: Vec::new(),
        suspensions: Vec::new(),
        spawns: Vec::new(),
        locks: Vec::new(),
        calls: Vec::new(),
    };
    for (file, mut facts, calls) in by_file(&index, wanted) {
        let figure = &mut figures[file.index()];
        figure.suspensions = facts.suspensions.len();
        figure.spawns = facts.spawns.len();
        figure.calls = calls;
        all.functions.append(&mut facts.functions);
        all.suspensions.append(&mut facts.suspensions);
        all.spawns.append(&mut facts.spawns);
        all.calls.append(&mut facts.calls);
    }
    for (file, object) in shared_objects(&index, wanted) {
        figures[file.index()].shared += 1;
        all.shared.push(object);
    }
    for (file, lock) in all_locks(&index, wanted) {
        figures[file.index()].locks += 1;
        all.locks.push(lock);
    }
    (all, figures)
}

/// What the wanted functions of each file do, and how many calls there are in them.
fn by_file(index: &Index<'_>, wanted: &Wanted) -> Vec<(FileId, Facts<Place>, usize)> {
    let mut by_file: BTreeMap<FileId, Vec<FunctionId>> = BTreeMap::new();
    for function in &wanted.functions {
        by_file.entry(function.file).or_default().push(function.id);
    }
    let by_file: Vec<(FileId, Vec<FunctionId>)> = by_file.into_iter().collect();
    let facts = |(file, mut functions): (FileId, Vec<FunctionId>)| {
        functions.sort_unstable();
        let ctx = Context::new(index.program, file, index.shared);
        let calls = functions.iter().map(|id| calls::sites(&ctx, *id).len()).sum();
        (file, in_file(index, &ctx, wanted, &functions), calls)
    };
    by_file.into_par_iter().map(facts).collect()
}

fn in_file(index: &Index<'_>, ctx: &Context<'_>, wanted: &Wanted, functions: &[FunctionId]) -> Facts<Place> {
    let guards = Guards::new(ctx);
    let examined = wanted.examined.iter().filter(|function| function.file == ctx.file);
    let each = || functions.iter().copied();
    Facts {
        functions: examined.map(|function| answers::examine(index, ctx, &guards, function.id)).collect(),
        shared: Vec::new(),
        suspensions: each().flat_map(|id| suspensions::of_function(index, ctx, &guards, id)).collect(),
        spawns: each().flat_map(|id| spawns::of_function(index, ctx, id)).collect(),
        locks: Vec::new(),
        calls: if wanted.calls { each().flat_map(|id| calls::of_function(ctx, id)).collect() } else { Vec::new() },
    }
}

/// The shared objects that belong to what is wanted or are used by it, each with the file that defines it.
fn shared_objects(index: &Index<'_>, wanted: &Wanted) -> Vec<(FileId, racewalk_report::inventory::Shared<Place>)> {
    let is_wanted = |root: Root, accesses: &[Access]| {
        wanted.defines(root) || accesses.iter().any(|access| wanted.functions.contains(&access.function))
    };
    let roots: Vec<(&Root, &Vec<Access>)> = index.accesses.iter().collect();
    let describe = |(root, accesses): (&Root, &Vec<Access>)| {
        let is_listed = is_wanted(*root, accesses) && objects::is_shared_object(index, *root, accesses);
        is_listed.then(|| {
            let file = file_of(*root);
            let ctx = Context::new(index.program, file, index.shared);
            (file, objects::describe(index, &ctx, *root, accesses))
        })
    };
    roots.into_par_iter().filter_map(describe).collect()
}

fn all_locks(index: &Index<'_>, wanted: &Wanted) -> Vec<(FileId, racewalk_report::inventory::Lock<Place>)> {
    let locks = locks::all(index.program, index).into_iter();
    let is_wanted = |home: Home, sites: &[(FunctionRef, usize)]| {
        matches!(home, Home::Root(root) if wanted.defines(root))
            || sites.iter().any(|(function, _)| wanted.functions.contains(function))
    };
    let wanted = locks.filter(|(home, sites)| is_wanted(*home, sites));
    wanted
        .map(|(home, sites)| {
            let file = match home {
                Home::Root(root) => file_of(root),
                Home::Named(function, _) => function.file,
            };
            let ctx = Context::new(index.program, file, index.shared);
            (file, locks::describe(index, &ctx, home, &sites))
        })
        .collect()
}

fn file_of(root: Root) -> FileId {
    match root {
        Root::Field(class, _) => class.file,
        Root::Variable(variable) => variable.owner.file,
        Root::Param(function, _) => function.file,
    }
}
