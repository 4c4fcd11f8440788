//! Which locks a function takes, itself or through the functions that it runs, over the whole program.
//!
//! The search goes from the acquisitions backwards along the calls, shortest chains first; what a callee calls its receiver or
//! a parameter is given the caller's name at every step. Chains, and what is kept of a function, are bounded, so the work
//! is linear in the calls.

use super::cells::Root;
use super::held::{Holds, Sort, Take, holds};
use super::paths::{Lock, Passage, Paths};
use racewalk_ir::{Event, ExprId, Role};
use racewalk_link::{Evaluator, FileId, FunctionRef, How, Program};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

/// A lock that running a function takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Which one, as this function calls it.
    pub lock: Lock,
    /// Where locks like it are kept.
    pub root: Option<Root>,
    /// Of what sort.
    pub sort: Sort,
    /// The expression that takes it, or that runs what does.
    pub site: ExprId,
    /// What that runs, and there: the position in what is known of it.
    pub next: Option<(FunctionRef, u16)>,
}

/// The locks of a program.
#[derive(Default)]
pub(crate) struct Locks {
    holds: FxHashMap<FunctionRef, Holds>,
    reaches: FxHashMap<FunctionRef, Vec<Reach>>,
}

/// How many calls lie between a function and what it takes, at most.
const LONGEST_CHAIN: u32 = 6;
/// How many locks are kept of one function.
const MOST_LOCKS: usize = 12;

impl Locks {
    /// Looks for the acquisitions, and follows them.
    pub fn new(program: &Program) -> Self {
        let files: Vec<FileId> = program.files().filter(|file| !program.is_installed(*file)).collect();
        let found: Vec<Vec<(FunctionRef, Holds)>> = files.into_par_iter().map(|file| holds_in(program, file)).collect();
        let mut locks = Self { holds: found.into_iter().flatten().collect(), reaches: FxHashMap::default() };
        locks.follow(program);
        locks
    }

    /// What the function itself takes and holds.
    pub fn holds(&self, function: FunctionRef) -> Option<&Holds> {
        self.holds.get(&function)
    }

    /// No function takes anything.
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    /// The functions that take something themselves.
    pub fn holders(&self) -> impl Iterator<Item = FunctionRef> {
        let mut holders: Vec<FunctionRef> = self.holds.keys().copied().collect();
        holders.sort_unstable();
        holders.into_iter()
    }

    /// What running the function takes.
    pub fn reaches(&self, function: FunctionRef) -> &[Reach] {
        self.reaches.get(&function).map_or(&[], Vec::as_slice)
    }

    /// Some lock, or what may be one, is held where a function comes to a call or a write.
    pub fn is_held_at(&self, program: &Program, function: FunctionRef, call: ExprId) -> bool {
        let keeps_out = |take: &Take| matches!(take.sort, Sort::Exclusive | Sort::Reentrant | Sort::Perhaps);
        self.held_at(program, function, call).any(keeps_out)
    }

    /// What is held where a function comes to a call or a write.
    pub fn held_at<'l>(
        &'l self,
        program: &Program,
        function: FunctionRef,
        call: ExprId,
    ) -> impl Iterator<Item = &'l Take> {
        let holds = self.holds(function);
        let is_it = |event: &Event| matches!(*event, Event::Call(at) | Event::WritePlace(at, _) if at == call);
        let event = holds.and_then(|_| program.function(function).events.iter().position(is_it));
        holds.zip(event).into_iter().flat_map(|(holds, event)| holds.held_at(event))
    }

    /// The functions from this one to the acquisition, each with the expression that leads on.
    pub fn chain(&self, function: FunctionRef, reach: Reach) -> Vec<(FunctionRef, ExprId)> {
        let mut chain = vec![(function, reach.site)];
        let mut next = reach.next;
        while let Some((function, at)) = next {
            let reach = self.reaches[&function][at as usize];
            chain.push((function, reach.site));
            next = reach.next;
        }
        chain
    }

    fn follow(&mut self, program: &Program) {
        let seeds: Vec<FunctionRef> = self.holders().collect();
        let mut open: Vec<(FunctionRef, u16)> = Vec::new();
        for function in seeds {
            let own: Vec<Reach> = self.holds[&function].takes.iter().filter_map(own_reach).collect();
            for reach in own {
                open.extend(self.add(function, reach));
            }
        }
        let mut evaluators: FxHashMap<FileId, Evaluator<'_>> = FxHashMap::default();
        for _ in 0..LONGEST_CHAIN {
            let mut further = Vec::new();
            for (target, at) in open {
                let reach = self.reaches[&target][at as usize];
                for (caller, site, how) in program.summaries.callers.of(target) {
                    if !runs_there(program, *caller, *site, *how, target) {
                        continue;
                    }
                    let evaluator = evaluators.entry(caller.file).or_insert_with(|| program.evaluator(caller.file));
                    let paths = Paths { program, evaluator, function: *caller };
                    let passage = Passage { caller: &paths, site: *site, how: *how, target };
                    if let Some(lock) = passage.lock(reach.lock) {
                        let seen = Reach { lock, site: *site, next: Some((target, at)), ..reach };
                        further.extend(self.add(*caller, seen));
                    }
                }
            }
            open = further;
        }
    }

    /// Keeps what is not known yet.
    fn add(&mut self, function: FunctionRef, reach: Reach) -> Option<(FunctionRef, u16)> {
        let known = self.reaches.entry(function).or_default();
        if known.len() >= MOST_LOCKS || known.iter().any(|known| known.lock == reach.lock) {
            return None;
        }
        known.push(reach);
        Some((function, known.len() as u16 - 1))
    }
}

fn own_reach(take: &Take) -> Option<Reach> {
    let is_lock = matches!(take.sort, Sort::Exclusive | Sort::Several | Sort::Reentrant);
    let lock = take.lock.filter(|_| is_lock && take.waits)?;
    Some(Reach { lock, root: take.root, sort: take.sort, site: take.at, next: None })
}

fn holds_in(program: &Program, file: FileId) -> Vec<(FunctionRef, Holds)> {
    let evaluator = program.evaluator(file);
    let functions = (0..program.module(file).functions.len() as u32).map(racewalk_ir::FunctionId);
    functions
        .map(|id| FunctionRef { file, id })
        .filter_map(|function| Some((function, holds(program, &evaluator, function)?)))
        .collect()
}

/// The callee's body runs at the site as part of the caller, whichever object it is called on.
pub(crate) fn runs_there(program: &Program, caller: FunctionRef, site: ExprId, how: How, target: FunctionRef) -> bool {
    // What a callback is handed to may keep it for later.
    if !matches!(how, How::Calls | How::Implicit) {
        return false;
    }
    let role = program.module(caller.file).role(site);
    let is_waited_for = matches!(role, Role::Awaited | Role::EnteredAsync | Role::IteratedAsync);
    if program.function(target).is_async && !is_waited_for {
        return false;
    }
    program.edges_at(caller, site).iter().any(|edge| edge.target == target && !edge.is_override)
}
