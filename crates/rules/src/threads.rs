//! Which plain functions run in a thread beside the event loop's.

use racewalk_ir::{Event, ExprId, FunctionKind};
use racewalk_link::{FunctionRef, How, Program, Type};
use racewalk_models::{ClassKind, Runs, Spawns};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// How a function gets into a thread.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    /// A framework runs it there.
    Entry,
    /// This function hands it over, here.
    Handed(FunctionRef, ExprId),
    /// This function, which runs there, calls it, here.
    Called(FunctionRef, ExprId),
}

/// The functions that run in other threads.
#[derive(Default)]
pub(crate) struct Threads {
    /// In threads that have no event loop.
    foreign: FxHashMap<FunctionRef, Route>,
    /// In threads that start a loop of their own.
    owners: FxHashMap<FunctionRef, Route>,
}

impl Threads {
    pub fn new(program: &Program) -> Self {
        let starts = starts(program);
        let (owning, plain) = starts.into_iter().partition(|(function, _)| owns_loop(program, *function));
        Self { foreign: reached(program, plain), owners: reached(program, owning) }
    }

    /// How the function gets into a thread without a loop.
    pub fn foreign(&self, function: FunctionRef) -> Option<Route> {
        self.foreign.get(&function).copied()
    }

    /// The function runs in another thread, with or without a loop of its own.
    pub fn contains(&self, function: FunctionRef) -> bool {
        self.foreign.contains_key(&function) || self.owners.contains_key(&function)
    }

    /// The steps by which a function gets into a thread without a loop, the hand-over first.
    pub fn route(&self, function: FunctionRef) -> Vec<(FunctionRef, ExprId)> {
        let mut route = Vec::new();
        let mut current = self.foreign(function);
        while let Some(step) = current {
            current = match step {
                Route::Entry => None,
                Route::Handed(from, site) => {
                    route.push((from, site));
                    None
                }
                Route::Called(from, site) => {
                    route.push((from, site));
                    self.foreign(from)
                }
            };
        }
        route.reverse();
        route
    }
}

/// Functions that are handed to threads, and those that frameworks run in threads.
fn starts(program: &Program) -> Vec<(FunctionRef, Route)> {
    let mut starts = Vec::new();
    for function in program.functions() {
        for edge in program.edges(function) {
            if edge.how == How::Offloads && !edge.is_override && is_thread(program, function, edge.site) {
                starts.push((edge.target, Route::Handed(function, edge.site)));
            }
        }
    }
    let entries = program.entries.iter().filter(|(function, entry)| {
        entry.entry.plain == Runs::Thread || entry.entry.plain == Runs::Alone && is_thread_body(program, **function)
    });
    let mut entries: Vec<FunctionRef> = entries.map(|(function, _)| *function).collect();
    entries.sort_unstable();
    starts.extend(entries.into_iter().map(|function| (function, Route::Entry)));
    starts
}

/// The call hands its argument to a thread, and not to another process.
fn is_thread(program: &Program, function: FunctionRef, site: ExprId) -> bool {
    let callee = program.site(function, site).map(|site| site.callee);
    callee.is_none_or(|callee| {
        callee.members().iter().all(|member| {
            let spawns_process = program.model_of(*member).is_some_and(|model| model.spawns == Some(Spawns::Process));
            let is_pool = |kind| matches!(member, Type::ExternalMethod(class, _, _) if program.models().kind(*class) == Some(kind));
            !spawns_process && !is_pool(ClassKind::ProcessPool)
        })
    })
}

/// The method that a thread class's own thread runs.
fn is_thread_body(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    let Some(class) = body.class.filter(|_| body.kind == FunctionKind::Function) else { return false };
    program.lineage(racewalk_link::ClassRef { file: function.file, id: class }).any(|base| match base {
        Type::External(path) => program.models().kind(path) == Some(ClassKind::Thread),
        _ => false,
    })
}

/// The thread makes an event loop, so what it touches may belong to that one.
fn owns_loop(program: &Program, function: FunctionRef) -> bool {
    program.summaries.starts_loop.contains_key(&function) || {
        let mut models = program.sites(function).iter().flat_map(|site| program.models_at(site));
        models.any(|model| model.makes_loop || model.runs_loop)
    }
}

/// The function asks which loop runs, itself or by a helper, or hands work to the loop of another thread: it knows
/// where it is, and decides by it.
fn knows_its_loop(program: &Program, function: FunctionRef) -> bool {
    let mut helpers = program.edges(function).iter().filter(|edge| edge.how == How::Calls).map(|edge| edge.target);
    asks_for_loop(program, function)
        || chooses_loop(program, function)
        || helpers.any(|helper| asks_for_loop(program, helper))
}

/// One way through the function crosses over to another thread's loop, so the other is for that loop's own thread.
fn chooses_loop(program: &Program, function: FunctionRef) -> bool {
    let branches = program.function(function).events.iter().any(|event| matches!(event, Event::Branch(_)));
    let mut models = program.sites(function).iter().flat_map(|site| program.models_at(site));
    branches && models.any(|model| model.spawns == Some(Spawns::OtherLoop))
}

/// The function asks which loop runs.
pub(crate) fn asks_for_loop(program: &Program, function: FunctionRef) -> bool {
    let mut models = program.sites(function).iter().flat_map(|site| program.models_at(site));
    models.any(|model| model.needs_running_loop && model.spawns.is_none())
}

/// Forwards along plain calls. A function that asks which loop runs ends the search.
fn reached(program: &Program, starts: Vec<(FunctionRef, Route)>) -> FxHashMap<FunctionRef, Route> {
    let mut reached = FxHashMap::default();
    let mut queue: VecDeque<(FunctionRef, Route)> = starts.into();
    while let Some((function, route)) = queue.pop_front() {
        if program.function(function).is_async || reached.contains_key(&function) || knows_its_loop(program, function) {
            continue;
        }
        reached.insert(function, route);
        let calls = program
            .edges(function)
            .iter()
            .filter(|edge| matches!(edge.how, How::Calls | How::Implicit | How::Callback) && !edge.is_override);
        queue.extend(calls.map(|edge| (edge.target, Route::Called(function, edge.site))));
    }
    reached
}
