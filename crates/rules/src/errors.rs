//! Errors: whether a coroutine function can fail without anybody noticing when its result is dropped.

use crate::paths::Guarded;
use crate::scopes::{enclosing_blocks, handlers_of, is_broad};
use racewalk_ir::{ArgKind, Event, Expr, ExprId, Literal, Module, SuspendKind};
use racewalk_link::{FunctionRef, Program, Site, Type};
use racewalk_models::{ClassKind, Joins};

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
    let is_await = |event: &Event| matches!(event, Event::Suspend(SuspendKind::Await, _));
    let keeps_errors = |start: usize| handlers_of(&events[start..]).into_iter().any(|handler| !handler.raises);
    let handles_here = Guarded::all(events)
        .into_iter()
        .any(|(start, guarded)| events[start + 1..guarded.body_end].iter().any(is_await) && keeps_errors(start));
    let handles_beneath = || {
        events.iter().any(|event| match *event {
            Event::Suspend(SuspendKind::Await, operand) => {
                let mut runs = program.edges_at(function, operand).iter();
                runs.any(|edge| handles_within(program, edge.target, depth - 1))
            }
            _ => false,
        })
    };
    handles_here || depth > 0 && handles_beneath()
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
    if program.module(function.file).language.starts_at_call
        && !matches!(site.callee, Type::Function(_) | Type::Method(..))
    {
        return !can_reject(program, function, site);
    }
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

/// The promise that a call gives may reject, with nobody in the call's own chain who would deal with it.
pub(crate) fn can_reject(program: &Program, function: FunctionRef, site: &Site) -> bool {
    rejects(program, function, site, LONGEST_CHAIN)
}

/// Promises that are made of each other beyond this are taken to reject.
const LONGEST_CHAIN: u32 = 12;

fn rejects(program: &Program, function: FunctionRef, site: &Site, left: u32) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    let module = program.module(function.file);
    let args: Vec<ExprId> = program.evaluator(function.file).args(site.call).iter().map(|arg| arg.value).collect();
    let value_rejects = |value: ExprId| value_rejects(program, function, value, left);
    match site.callee {
        Type::Function(target) | Type::Method(target, _) => function_rejects(program, target, left),
        Type::ExternalMethod(class, method, _) if module.language.awaitable_class == Some(class.as_str()) => {
            let Expr::Call(callee, _) = module.expr(site.call) else { return true };
            let Expr::Attr(receiver, _) = module.expr(callee) else { return true };
            match (method.as_str(), args.as_slice()) {
                ("catch", [handler, ..]) | ("then", [_, handler, ..]) => handler_raises(program, function, *handler),
                ("then" | "finally", [handler]) => {
                    value_rejects(receiver) || handler_raises(program, function, *handler)
                }
                _ => value_rejects(receiver),
            }
        }
        Type::External(path) if module.language.awaitable_class == Some(path.as_str()) => {
            args.first().is_none_or(|executor| executor_rejects(program, function, *executor))
        }
        callee => {
            let models = program.models_at(site).next();
            let settles =
                models.is_some_and(|model| model.sleeps || model.never_suspends || model.joins == Some(Joins::All));
            !settles && !does_not_fail(program, callee)
        }
    }
}

/// It is in view why the promise that a call gives may reject: something is thrown, what leads outside the process is used, or a
/// function of the program waits for what nobody knows, and nobody catches it.
pub(crate) fn rejects_evidently(program: &Program, function: FunctionRef, site: &Site) -> bool {
    is_evident(program, function, site, &mut Vec::new())
}

fn is_evident(program: &Program, function: FunctionRef, site: &Site, seen: &mut Vec<FunctionRef>) -> bool {
    const MOST_SEEN: usize = 40;
    let is_within = !seen.is_empty();
    let module = program.module(function.file);
    match site.callee {
        Type::Function(target) | Type::Method(target, _) => {
            let is_new = seen.len() < MOST_SEEN && !seen.contains(&target);
            if is_new {
                seen.push(target);
            }
            is_new && fails_evidently(program, target, seen)
        }
        Type::ExternalMethod(class, ..) if module.language.awaitable_class == Some(class.as_str()) => {
            let Expr::Call(callee, _) = module.expr(site.call) else { return false };
            let Expr::Attr(receiver, _) = module.expr(callee) else { return false };
            program.site(function, receiver).is_some_and(|made| is_evident(program, function, made, seen))
        }
        Type::External(path) if module.language.awaitable_class == Some(path.as_str()) => {
            let evaluator = program.evaluator(function.file);
            evaluator.args(site.call).first().is_none_or(|executor| executor_rejects(program, function, executor.value))
        }
        callee => match program.model_at(site) {
            Some(model) => {
                model.network || model.writes || model.blocks.is_some() || model.joins == Some(Joins::FailFast)
            }
            // Most functions of libraries that merely are not known do not fail; all that a function waits for rarely does not.
            None => is_within != callee.is_unknown(),
        },
    }
}

/// Something that the function throws, awaits or returns gets out of it.
fn fails_evidently(program: &Program, function: FunctionRef, seen: &mut Vec<FunctionRef>) -> bool {
    let module = program.module(function.file);
    let body = program.function(function);
    let is_caught = |at: usize| {
        let around = enclosing_blocks(&body.events[..at]);
        let mut handlers = around.into_iter().flat_map(|start| handlers_of(&body.events[start..]));
        handlers.any(|handler| is_broad(module, &handler) && !handler.raises)
    };
    // Of what is declared only, the promise that it gives is all that is known.
    if body.stub != racewalk_ir::Stub::No {
        return true;
    }
    let fails = body.events.iter().enumerate().any(|(at, event)| match *event {
        Event::Raise(_) => !is_caught(at),
        Event::Suspend(SuspendKind::Await, operand) => {
            let made = program.site(function, operand);
            made.is_some_and(|made| is_evident(program, function, made, seen)) && !is_caught(at)
        }
        _ => false,
    });
    let returns = || body.return_values.iter().filter_map(|value| program.site(function, *value));
    fails || returns().any(|made| is_evident(program, function, made, seen))
}

/// A handler of the program that raises, or hands on what it is given to something that may.
fn handler_raises(program: &Program, function: FunctionRef, handler: ExprId) -> bool {
    match program.evaluator(function.file).eval(function.id, handler) {
        Type::Function(target) | Type::Method(target, _) => !are_contained(program, target),
        _ => false,
    }
}

/// The executor rejects what it makes: it has been given the means to, or raises.
fn executor_rejects(program: &Program, function: FunctionRef, executor: ExprId) -> bool {
    let Type::Function(target) = program.evaluator(function.file).eval(function.id, executor) else { return true };
    let body = program.function(target);
    body.params.len() > 1 || body.is_async || !are_contained(program, target)
}

fn function_rejects(program: &Program, target: FunctionRef, left: u32) -> bool {
    let body = program.function(target);
    if body.stub != racewalk_ir::Stub::No {
        return true;
    }
    if body.is_async {
        return !are_contained(program, target)
            || body.return_values.iter().any(|value| hands_on(program, target, *value, left));
    }
    !are_contained(program, target)
        || body.return_values.iter().any(|value| value_rejects(program, target, *value, left))
}

/// An async function that returns a promise rejects when that does, unless it returns it where no handler stands.
fn hands_on(program: &Program, function: FunctionRef, value: ExprId, left: u32) -> bool {
    let evaluator = program.evaluator(function.file);
    let is_promise = matches!(evaluator.eval(function.id, value), Type::Coroutine(_));
    is_promise && value_rejects(program, function, value, left)
}

fn value_rejects(program: &Program, function: FunctionRef, value: ExprId, left: u32) -> bool {
    let module = program.module(function.file);
    match module.expr(value) {
        Expr::Call(..) => match program.site(function, value) {
            Some(site) => rejects(program, function, site, left),
            None => true,
        },
        Expr::Choice(arms) | Expr::Logical(arms, _) => {
            let arms = module.list(arms).iter();
            arms.filter(|arm| !matches!(module.expr(**arm), Expr::Literal(_)))
                .any(|arm| value_rejects(program, function, *arm, left))
        }
        Expr::Name(_, racewalk_ir::Defs::One(binding)) => match module.bindings[binding.index()].kind {
            racewalk_ir::BindingKind::Value(made) => value_rejects(program, function, made, left),
            _ => true,
        },
        Expr::Literal(_) => false,
        _ => true,
    }
}
