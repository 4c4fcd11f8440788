//! Which locks are held at an access or a suspension: the function's own, and those that every caller holds.

use super::names;
use crate::context::Context;
use crate::finding::Place;
use crate::looping::is_test_module;
use crate::race::held::{Sort, Take};
use crate::race::reach::runs_there;
use crate::sharing::wrapped_calls;
use racewalk_ir::{Event, Expr, ExprId};
use racewalk_link::{FunctionRef, Program};
use racewalk_report::inventory::{Answer, Held};
use rustc_hash::FxHashMap;
use std::cell::RefCell;

/// How many calls away locks of callers are looked for.
const FARTHEST_CALLER: u32 = 3;

/// What a lock is called: as the place that keeps it, else as the code names it there.
pub(super) fn lock_name(program: &Program, function: FunctionRef, take: &Take) -> String {
    let keyed = take.lock.is_some_and(|lock| lock.key != crate::race::paths::Key::None);
    match take.root {
        Some(root) if keyed => format!("{}[…]", names::name(program, root)),
        Some(root) => names::name(program, root),
        None => program.path_text(function.file, place_of(program, function, take)),
    }
}

/// The expression that names what is taken.
pub(super) fn place_of(program: &Program, function: FunctionRef, take: &Take) -> ExprId {
    let module = program.module(function.file);
    match module.expr(take.at) {
        Expr::Call(callee, _) if take.by_hand => match module.expr(callee) {
            Expr::Attr(receiver, _) => receiver,
            _ => take.at,
        },
        _ => take.at,
    }
}

/// It keeps others out, or at least all but some.
fn is_lock(take: &&Take) -> bool {
    !matches!(take.sort, Sort::Deadline)
}

/// A lock by name; one that may be none says so.
fn told(program: &Program, function: FunctionRef, take: &Take) -> String {
    let name = lock_name(program, function, take);
    match take.sort {
        Sort::Perhaps => format!("perhaps {name}"),
        Sort::Several => format!("{name} (semaphore)"),
        _ => name,
    }
}

/// Answers for the functions of one file, and remembers what it has found out.
pub(super) struct Guards<'c, 'p> {
    ctx: &'c Context<'p>,
    of_callers: RefCell<FxHashMap<FunctionRef, Vec<String>>>,
}

impl<'c, 'p> Guards<'c, 'p> {
    pub fn new(ctx: &'c Context<'p>) -> Self {
        Self { ctx, of_callers: RefCell::default() }
    }

    /// The locks that are held at an event, the callers' included.
    pub fn locks_at(&self, function: FunctionRef, event: usize) -> Vec<String> {
        let program = self.ctx.program;
        let holds = self.ctx.shared.race.locks.holds(function);
        let own = holds.into_iter().flat_map(|holds| holds.held_at(event)).filter(is_lock);
        let mut names: Vec<String> = own.map(|take| told(program, function, take)).collect();
        for name in self.of_callers(function) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The locks that every caller holds while it calls.
    pub fn of_callers(&self, function: FunctionRef) -> Vec<String> {
        if self.ctx.shared.race.locks.is_empty() {
            return Vec::new();
        }
        if let Some(known) = self.of_callers.borrow().get(&function) {
            return known.clone();
        }
        let found = held_by_callers(self.ctx, function, FARTHEST_CALLER);
        self.of_callers.borrow_mut().insert(function, found.clone());
        found
    }

    /// The locks, permits and deadlines that are held at an event; callers' locks have no place.
    pub fn held_at(&self, function: FunctionRef, event: usize) -> Vec<Held<Place>> {
        let program = self.ctx.program;
        let module = program.module(function.file);
        let holds = self.ctx.shared.race.locks.holds(function);
        let own = holds.into_iter().flat_map(|holds| holds.held_at(event));
        let mut held: Vec<Held<Place>> = own
            .map(|take| Held {
                kind: kind(take).to_owned(),
                name: lock_name(program, function, take),
                since: Some(Place { file: function.file, span: module.span(take.at) }),
            })
            .collect();
        let callers = self.of_callers(function).into_iter();
        held.extend(callers.map(|name| Held { kind: "lock of every caller".to_owned(), name, since: None }));
        held
    }
}

fn held_by_callers(ctx: &Context<'_>, function: FunctionRef, left: u32) -> Vec<String> {
    let Some(left) = left.checked_sub(1) else { return Vec::new() };
    let mut names = by_decorators(ctx, function);
    let program = ctx.program;
    if program.entries.contains_key(&function) {
        return names;
    }
    let is_test = |caller: FunctionRef| is_test_module(program.module(caller.file).name.as_str());
    let callers = program.summaries.callers.of(function).iter();
    let mut common: Option<Vec<String>> = None;
    for (caller, site, how) in callers.filter(|(caller, ..)| !is_test(*caller) && *caller != function) {
        let held = if runs_there(program, *caller, *site, *how, function) {
            let mut held = at_call(ctx, *caller, *site);
            held.extend(held_by_callers(ctx, *caller, left));
            held
        } else {
            Vec::new()
        };
        match &mut common {
            None => common = Some(held),
            Some(common) => common.retain(|name| held.contains(name)),
        }
        if common.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
    }
    names.extend(common.unwrap_or_default());
    names
}

fn at_call(ctx: &Context<'_>, function: FunctionRef, call: ExprId) -> Vec<String> {
    let held = ctx.shared.race.locks.held_at(ctx.program, function, call).filter(is_lock);
    held.map(|take| told(ctx.program, function, take)).collect()
}

/// What the wrappers of its decorators hold while they call it.
fn by_decorators(ctx: &Context<'_>, function: FunctionRef) -> Vec<String> {
    if ctx.program.function(function).decorators.is_empty() {
        return Vec::new();
    }
    let calls = wrapped_calls(ctx.program, function);
    calls.into_iter().flat_map(|(wrapper, call)| at_call(ctx, wrapper, call)).collect()
}

fn kind(take: &Take) -> &'static str {
    match take.sort {
        Sort::Exclusive | Sort::Reentrant => "lock",
        Sort::Several => "semaphore",
        Sort::Perhaps => "perhaps a lock",
        Sort::Deadline => "deadline",
    }
}

/// Control may be given up between taking this and giving it back.
pub(super) fn is_held_across(ctx: &Context<'_>, function: FunctionRef, number: usize) -> Answer {
    let events = &ctx.program.function(function).events;
    let Some(holds) = ctx.shared.race.locks.holds(function) else { return Answer::No };
    let first = holds.takes[number].event as usize;
    let suspends = events.iter().enumerate().skip(first + 1).any(|(at, event)| match *event {
        Event::Suspend(kind, operand) => {
            let is_own_exit = operand == holds.takes[number].at;
            let is_held = holds.at(at).contains(&(number as u16));
            is_held && !is_own_exit && ctx.shared.race.suspends.at(ctx.program, function, kind, operand)
        }
        _ => false,
    });
    if suspends { Answer::Yes } else { Answer::No }
}
