//! Where a lock is what keeps a write right: a write that relies on what was read before a suspension, with a lock held from the
//! read to the write.

use super::Race;
use super::cells::{Cell, Root, bindings_of, name_of};
use super::held::{Holds, Sort};
use super::walk::Relying;
use racewalk_ir::{BindingKind, Expr, ExprId, Name};
use racewalk_link::{FileId, FunctionRef, Program};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

/// One such write.
#[derive(Clone, Debug)]
pub(crate) struct Reliance {
    /// In which function.
    pub function: FunctionRef,
    /// What is written.
    pub cell: Cell,
    /// The read that it relies on.
    pub read: ExprId,
    /// What is waited for in between.
    pub suspend: ExprId,
    /// What writes.
    pub write: ExprId,
    /// The function that does, when that is a callee.
    pub within: Option<FunctionRef>,
    /// It relies on a mark that was tested, and sets it.
    pub is_mark: bool,
    /// Where the locks that are held all the time are kept.
    pub locks: Vec<Root>,
    /// Where the first of them is taken.
    pub taken: ExprId,
}

/// All of a program, by where the state is kept.
#[derive(Default)]
pub(crate) struct Reliances {
    by_root: FxHashMap<Root, Vec<Reliance>>,
    /// The names of those places.
    names: FxHashSet<Name>,
}

impl Reliances {
    /// Looks for them in the functions that take locks and suspend.
    pub fn new(program: &Program, race: &Race) -> Self {
        let mut by_file: FxHashMap<FileId, Vec<FunctionRef>> = FxHashMap::default();
        for function in race.locks.holders().filter(|function| race.suspends.contains(*function)) {
            by_file.entry(function.file).or_default().push(function);
        }
        let mut files: Vec<(FileId, Vec<FunctionRef>)> = by_file.into_iter().collect();
        files.sort_unstable_by_key(|(file, _)| *file);
        let in_file = |(_, functions): (FileId, Vec<FunctionRef>)| {
            functions.into_iter().flat_map(|function| in_function(program, race, function)).collect()
        };
        let found: Vec<Vec<Reliance>> = files.into_par_iter().map(in_file).collect();
        let mut reliances = Self::default();
        for reliance in found.into_iter().flatten() {
            reliances.names.insert(name_of(program, reliance.cell.root));
            reliances.by_root.entry(reliance.cell.root).or_default().push(reliance);
        }
        reliances
    }

    /// Those on what is kept there.
    pub fn on(&self, root: Root) -> &[Reliance] {
        self.by_root.get(&root).map_or(&[], Vec::as_slice)
    }

    /// Some place that is relied on has this name.
    pub fn names(&self, name: Name) -> bool {
        self.names.contains(&name)
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.by_root.is_empty()
    }
}

fn in_function(program: &Program, race: &Race, function: FunctionRef) -> Vec<Reliance> {
    let Some(holds) = race.locks.holds(function) else { return Vec::new() };
    let summary = race.summary(program, function, 0);
    let reliance = |relying: &Relying| {
        let locks = own_locks(program, holds, relying);
        let (taken, _) = *locks.first()?;
        let locks = locks.into_iter().map(|(_, root)| root).collect();
        let Relying { cell, read, suspend, write, is_mark, .. } = *relying;
        let within = relying.within.map(|(callee, _)| callee);
        Some(Reliance { function, cell, read, suspend, write, within, is_mark, locks, taken })
    };
    summary.relying.iter().filter_map(reliance).collect()
}

/// The locks that the program makes where it keeps them: of one that is handed over, others may have it under another name.
fn own_locks(program: &Program, holds: &Holds, relying: &Relying) -> Vec<(ExprId, Root)> {
    let taken = relying.held.iter().filter_map(|event| holds.takes.iter().find(|take| take.event as usize == *event));
    let exclusive = taken.filter(|take| take.sort == Sort::Exclusive);
    exclusive.filter_map(|take| Some((take.at, take.root?))).filter(|(_, root)| is_made(program, *root)).collect()
}

fn is_made(program: &Program, root: Root) -> bool {
    let (file, kinds) = bindings_of(program, root);
    let module = program.module(file);
    let is_call = |kind: &BindingKind| match *kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => matches!(module.expr(value), Expr::Call(..)),
        _ => false,
    };
    kinds.iter().any(is_call)
}
