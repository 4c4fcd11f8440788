//! Errors: whether a coroutine function can fail without anybody noticing when its result is dropped.

use crate::scopes::{enclosing_blocks, handlers_of, is_broad};
use racewalk_ir::{ArgKind, Event, Expr, ExprId, Literal, Module, SuspendKind};
use racewalk_link::{FunctionRef, Program, Type};
use racewalk_models::ClassKind;

/// Nothing that the function awaits or raises gets out of it: it stands under a handler for everything, or is itself such a
/// function, or a wait that does not fail. What it computes between is taken to be sound.
pub(crate) fn are_contained(program: &Program, function: FunctionRef) -> bool {
    contained(program, function, &mut Vec::new())
}

/// Some wait of the function, or of one that it awaits, stands under a handler that keeps the error: whoever wrote it has thought
/// of its failures.
pub(crate) fn handles_errors(program: &Program, function: FunctionRef) -> bool {
    const DEEPEST: u32 = 1;
    handles_within(program, function, DEEPEST)
}

fn handles_within(program: &Program, function: FunctionRef, depth: u32) -> bool {
    let events = &program.function(function).events;
    let awaits = |operand| {
        let runs = program.edges_at(function, operand).iter();
        depth > 0 && runs.into_iter().any(|edge| handles_within(program, edge.target, depth - 1))
    };
    events.iter().enumerate().any(|(at, event)| {
        let is_handled = || {
            let blocks = enclosing_blocks(&events[..at]).into_iter();
            blocks.flat_map(|start| handlers_of(&events[start..])).any(|handler| !handler.raises)
        };
        matches!(*event, Event::Suspend(SuspendKind::Await, operand) if is_handled() || awaits(operand))
    })
}

/// It does all its work in one step, which nothing can cut short, and handles what may fail in it.
pub(crate) fn is_one_safe_step(program: &Program, function: FunctionRef) -> bool {
    let handles = program.function(function).events.iter().any(|event| matches!(event, Event::Handler(_)));
    handles && is_one_step(program, function) && are_contained(program, function)
}

/// It does all its work in its first step: no suspension point is ever reached.
pub(crate) fn is_one_step(program: &Program, function: FunctionRef) -> bool {
    never_suspends(program, function, 4)
}

/// The coroutine function goes through in one step: all that it awaits does, too.
fn never_suspends(program: &Program, function: FunctionRef, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let goes_through = |operand: ExprId| {
        let site = program.site(function, operand);
        let targets = program.edges_at(function, operand);
        site.is_some_and(|site| matches!(site.callee, Type::Function(_) | Type::Method(..)))
            && !targets.is_empty()
            && targets.iter().all(|edge| never_suspends(program, edge.target, depth))
    };
    let body = program.function(function);
    body.is_async
        && body.events.iter().all(|event| match *event {
            Event::Suspend(SuspendKind::Await, operand) => goes_through(operand),
            Event::Suspend(..) => false,
            _ => true,
        })
}

fn contained(program: &Program, function: FunctionRef, seen: &mut Vec<FunctionRef>) -> bool {
    // Functions that await each other contain their errors when nothing else in them fails.
    const MOST_SEEN: usize = 60;
    if seen.contains(&function) {
        return true;
    }
    if seen.len() >= MOST_SEEN {
        return false;
    }
    seen.push(function);
    let module = program.module(function.file);
    let events = &program.function(function).events;
    events.iter().enumerate().all(|(at, event)| {
        let is_sound = match *event {
            Event::Raise(_) => false,
            Event::Suspend(SuspendKind::Exit, _) => true,
            Event::Suspend(_, operand) => waits_soundly(program, function, operand, seen),
            _ => true,
        };
        is_sound
            || enclosing_blocks(&events[..at])
                .into_iter()
                .flat_map(|start| handlers_of(&events[start..]))
                .any(|handler| is_broad(module, &handler) && !handler.raises)
    })
}

fn waits_soundly(program: &Program, function: FunctionRef, operand: ExprId, seen: &mut Vec<FunctionRef>) -> bool {
    let Some(site) = program.site(function, operand) else { return false };
    match site.callee {
        Type::Function(target) | Type::Method(target, _) => {
            program.function(target).is_async && contained(program, target, seen)
        }
        callee => does_not_fail(program, callee) || returns_exceptions(program.module(function.file), operand),
    }
}

/// A join that hands out failures among its results: `gather(…, return_exceptions=True)`.
pub(crate) fn returns_exceptions(module: &Module, call: ExprId) -> bool {
    let Expr::Call(_, args) = module.expr(call) else { return false };
    module.args(args).iter().any(|arg| {
        matches!(arg.kind, ArgKind::Named(name) if name.as_str() == "return_exceptions")
            && module.expr(arg.value) == Expr::Literal(Literal::Bool(true))
    })
}

/// A wait for other tasks of the program: putting into a queue, an event, a lock.
pub(crate) fn does_not_fail(program: &Program, callee: Type) -> bool {
    match callee {
        Type::ExternalMethod(class, ..) => matches!(
            program.models().kind(class),
            Some(ClassKind::AsyncQueue | ClassKind::AsyncEvent | ClassKind::AsyncLock | ClassKind::AsyncSemaphore)
        ),
        _ => false,
    }
}
