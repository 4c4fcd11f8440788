//! # cancel/orphaned-losers
//!
//! The first of several tasks to end decides, and the others go on with nobody waiting for them.
//!
//! ## What it is
//! A race has one winner. `asyncio.wait(…, return_when=FIRST_COMPLETED)`, `asyncio.wait(…, timeout=…)` and a loop over
//! `as_completed` that is left early all return while other tasks run. They are not cancelled by that: each goes on to its
//! end, holds its connection, does its side effects, and nobody sees its result or its error.
//!
//! ```python bad
//! import asyncio
//!
//!
//! async def ask(replica: str) -> str:
//!     await asyncio.sleep(1)
//!     return replica
//!
//!
//! async def fastest() -> str:
//!     tasks = {asyncio.create_task(ask("a")), asyncio.create_task(ask("b"))}
//!     done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
//!     return done.pop().result()
//! ```
//!
//! ## What one observes
//! - The load on the replicas is that of all attempts, although one answer is used.
//! - Work goes on after the request that asked for it has been answered.
//! - `Task exception was never retrieved`, from tasks that nobody remembers.
//! - A late loser writes what the winner has written already.
//!
//! ## Why tests pass all the same
//! The winner's answer is right. Fakes end at once, so that there are no losers; and the loop is closed soon after.
//!
//! ## The structural fix
//! Cancel what is left, and wait until it has ended.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def ask(replica: str) -> str:
//!     await asyncio.sleep(1)
//!     return replica
//!
//!
//! async def fastest() -> str:
//!     tasks = {asyncio.create_task(ask("a")), asyncio.create_task(ask("b"))}
//!     done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
//!     for task in pending:
//!         task.cancel()
//!     await asyncio.gather(*pending, return_exceptions=True)
//!     return done.pop().result()
//! ```
//!
//! Put the clean-up into `finally`, so that it also happens when the caller itself is cancelled; a task group with a
//! cancel scope does so by itself.
//!
//! ## Fixes that do not work
//! - To drop the references: the loop, or what wakes it, keeps a task going.
//! - `task.cancel()` without waiting for it: the loser's own clean-up runs later, beside the next request.
//! - `return` out of `async for`, in place of the plain loop: the same tasks are left.
//! - A time limit on each loser: it only bounds how long the waste lasts.
//!
//! ## Cues for a reviewer
//! - `done, _ = await asyncio.wait(…)`.
//! - `FIRST_COMPLETED` and no `cancel`.
//! - `return` or `break` in a loop over `as_completed`.
//!
//! ## Where it is silent
//! - What is pending is cancelled, waited for, looked at, kept or handed on.
//! - The tasks belong to somebody else: they were given as an argument or are kept in a field.
//! - All must end before the wait does.
//!
//! ## Symptoms
//! - `Task was destroyed but it is pending!`
//! - `Task exception was never retrieved`
//!
//! ## The mutation that introduces it
//! Remove the loop that cancels `pending`; or `return` at the first result of `as_completed`.
//!
//! ## Difficulty
//! Easy where the second value is dropped; medium for the early `return`.
//!
//! ## Related rules
//! `cancel/fail-fast-leak`, `await/floating-task`, `bound/no-timeout`.

use crate::context::Context;
use crate::finding::Finding;
use crate::looping::{is_command_module, is_side_module};
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, Literal, Role};
use racewalk_link::Site;
use racewalk_models::{Joins, Spawns};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/orphaned-losers",
    question: Question::Cancel,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "the first task to end decides, and the others go on with nobody waiting for them",
    source: include_str!("orphaned_losers.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        for site in ctx.program.sites(ctx.function_ref(function)) {
            let Some(model) = ctx.program.model_at(site) else { continue };
            let finding = match model.joins {
                Some(Joins::All) if model.is_async => waits_for_some(ctx, function, site),
                Some(Joins::First) => leaves_early(ctx, function, site),
                _ => None,
            };
            if let Some(finding) = finding {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// `wait(…)` that ends before all tasks have, where nobody looks at those that are left.
fn waits_for_some(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    let why = ends_early(ctx, site)?;
    let tasks = ctx.evaluator.args(site.call).first()?.value;
    let waited = ctx.module.parent(site.call).filter(|_| ctx.module.role(site.call) == Role::Awaited)?;
    let is_dropped = match ctx.module.role(waited) {
        Role::Dropped => true,
        Role::Stored => !is_rest_read(ctx, function, waited)?,
        _ => false,
    };
    if !is_dropped || !are_own(ctx, function, tasks) || is_looked_at_later(ctx, function, site.call, tasks) {
        return None;
    }
    let message = format!("the wait ends {why}, and nobody cancels or awaits the tasks that are still running");
    let finding = finding(ctx, function, site, message);
    Some(if is_one(ctx, tasks) { finding.at_most(Confidence::Possible) } else { finding })
}

/// One task alone is waited for, so that it is the time that ends the wait: what it does may well go on.
fn is_one(ctx: &Context<'_>, tasks: ExprId) -> bool {
    matches!(ctx.module.expr(tasks), Expr::List(list) | Expr::Set(list) | Expr::Tuple(list) if list.len == 1)
}

/// What ends the wait before all tasks have ended.
fn ends_early(ctx: &Context<'_>, site: &Site) -> Option<&'static str> {
    let returns = ctx.evaluator.named_argument(site.call, "return_when");
    let first = returns.and_then(|value| match ctx.module.expr(value) {
        Expr::Attr(_, name) | Expr::Name(name, _) => match name.as_str() {
            "FIRST_COMPLETED" => Some("with the first that is done"),
            "FIRST_EXCEPTION" => Some("with the first that fails"),
            _ => None,
        },
        _ => None,
    });
    let limit = ctx.evaluator.named_argument(site.call, "timeout");
    first.or_else(|| {
        limit.filter(|value| ctx.module.expr(*value) != Expr::Literal(Literal::None)).map(|_| "when its time is over")
    })
}

/// The second of the two sets that the wait gives is read; none when it is not taken apart.
fn is_rest_read(ctx: &Context<'_>, function: FunctionId, waited: ExprId) -> Option<bool> {
    let mut parts = ctx.module.bindings.iter().enumerate().filter_map(|(id, binding)| match binding.kind {
        BindingKind::Part(of, 1) if of == waited => Some(racewalk_ir::BindingId(id as u32)),
        _ => None,
    });
    let rest = parts.next()?;
    let bound = ctx.module.bindings[rest.index()];
    let name = ctx.module.function(bound.owner).symbols[bound.symbol.index()].name;
    Some(bound.owner != function || !ctx.reads_of(rest).is_empty() || !ctx.captures_of(function, name).is_empty())
}

/// The tasks are made in this function.
fn are_own(ctx: &Context<'_>, function: FunctionId, tasks: ExprId) -> bool {
    match ctx.module.expr(tasks) {
        Expr::List(list) | Expr::Set(list) | Expr::Tuple(list) => {
            !ctx.module.list(list).is_empty() && ctx.module.list(list).iter().all(|task| is_own(ctx, function, *task))
        }
        Expr::Comp(_, element) => makes_task(ctx, function, element),
        Expr::Name(_, Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => match ctx.module.expr(value) {
                Expr::List(list) | Expr::Set(list) if list.len == 0 => true,
                Expr::Name(..) => false,
                _ => are_own(ctx, function, value),
            },
            _ => false,
        },
        _ => false,
    }
}

fn is_own(ctx: &Context<'_>, function: FunctionId, task: ExprId) -> bool {
    match ctx.module.expr(task) {
        Expr::Name(_, Defs::One(binding)) => matches!(ctx.module.bindings[binding.index()].kind,
            BindingKind::Value(value) if makes_task(ctx, function, value)),
        _ => makes_task(ctx, function, task),
    }
}

/// The call starts a task that the caller owns, or makes a coroutine.
fn makes_task(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> bool {
    let Some(site) = ctx.program.site(ctx.function_ref(function), value) else { return false };
    match ctx.program.model_at(site) {
        Some(model) => (model.spawns == Some(Spawns::Task) && !model.keeps) || model.is_async,
        None => ctx.evaluator.awaitable(ctx.evaluator.given_by(function, site)) == racewalk_link::Answer::Yes,
    }
}

/// A name of the tasks, or of one of them, is read after the call in a way that may deal with them: cancelled, gathered,
/// gone through, handed on.
fn is_looked_at_later(ctx: &Context<'_>, function: FunctionId, call: ExprId, tasks: ExprId) -> bool {
    let bindings = task_bindings(ctx, tasks);
    let events = &ctx.module.function(function).events;
    let Some(at) = events.iter().position(|event| *event == Event::Call(call)) else { return true };
    let inside_loop = is_in_loop(events, at);
    events.iter().enumerate().any(|(position, event)| {
        let Event::Read(read) = *event else { return false };
        let Expr::Name(_, defs) = ctx.module.expr(read) else { return false };
        let is_task = ctx.module.defs(&defs).iter().any(|binding| bindings.contains(binding));
        (position > at || inside_loop) && is_task && deals_with(ctx, read)
    }) || bindings.iter().any(|binding| {
        let bound = ctx.module.bindings[binding.index()];
        !ctx.captures_of(function, ctx.module.function(bound.owner).symbols[bound.symbol.index()].name).is_empty()
    })
}

fn is_in_loop(events: &[Event], at: usize) -> bool {
    let depth = events[..at].iter().fold(0, |depth: i32, event| match event {
        Event::Loop(_) => depth + 1,
        Event::EndLoop => depth - 1,
        _ => depth,
    });
    depth > 0
}

fn task_bindings(ctx: &Context<'_>, tasks: ExprId) -> Vec<racewalk_ir::BindingId> {
    match ctx.module.expr(tasks) {
        Expr::Name(_, defs) => {
            let own = ctx.module.defs(&defs).to_vec();
            let inner = own.iter().filter_map(|binding| match ctx.module.bindings[binding.index()].kind {
                BindingKind::Value(value) if !matches!(ctx.module.expr(value), Expr::Name(..)) => {
                    Some(task_bindings(ctx, value))
                }
                _ => None,
            });
            let added = own.iter().flat_map(|binding| added_to(ctx, *binding));
            inner.flatten().chain(added).chain(own.iter().copied()).collect()
        }
        Expr::List(list) | Expr::Set(list) | Expr::Tuple(list) => {
            ctx.module.list(list).iter().flat_map(|task| task_bindings(ctx, *task)).collect()
        }
        _ => Vec::new(),
    }
}

/// What is put into the list by `append` or `extend`.
fn added_to(ctx: &Context<'_>, list: racewalk_ir::BindingId) -> Vec<racewalk_ir::BindingId> {
    let added = ctx.reads_of(list).iter().filter_map(|(_, read)| {
        let member = ctx.module.parent(*read).filter(|_| ctx.module.role(*read) == Role::Receiver)?;
        let Expr::Attr(_, method) = ctx.module.expr(member) else { return None };
        let call = ctx.module.parent(member).filter(|_| matches!(method.as_str(), "append" | "add" | "extend"))?;
        let Expr::Call(_, args) = ctx.module.expr(call) else { return None };
        ctx.module.args(args).first().map(|arg| arg.value)
    });
    added
        .flat_map(|task| match ctx.module.expr(task) {
            Expr::Name(_, defs) => ctx.module.defs(&defs).to_vec(),
            _ => task_bindings(ctx, task),
        })
        .collect()
}

/// The use may end the task, or wait for it: `task in done` and `task.result()` do not.
fn deals_with(ctx: &Context<'_>, read: ExprId) -> bool {
    match ctx.module.role(read) {
        Role::Member | Role::Compared | Role::Identified => false,
        Role::Receiver => {
            let member = ctx.module.parent(read).map(|member| ctx.module.expr(member));
            !matches!(member, Some(Expr::Attr(_, name))
                if matches!(name.as_str(), "result" | "done" | "exception" | "cancelled" | "get_name"))
        }
        _ => true,
    }
}

/// A loop over `as_completed` that returns or breaks, over tasks that nobody else knows.
fn leaves_early(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    if !matches!(ctx.module.role(site.call), Role::Iterated | Role::IteratedAsync) {
        return None;
    }
    let tasks = ctx.evaluator.args(site.call).first()?.value;
    let events = &ctx.module.function(function).events;
    let start = events.iter().position(|event| *event == Event::Loop(Some(site.call)))?;
    let is_left = leaves(&events[start..]);
    if !is_left || !are_own(ctx, function, tasks) || is_looked_at_later(ctx, function, site.call, tasks) {
        return None;
    }
    let message =
        "the loop over the results is left at the first that will do, and nobody cancels or awaits the other tasks";
    Some(finding(ctx, function, site, message.to_owned()))
}

/// The loop that begins these events returns or breaks.
fn leaves(events: &[Event]) -> bool {
    let mut depth = 0;
    for event in events {
        match event {
            Event::Loop(_) => depth += 1,
            Event::EndLoop => depth -= 1,
            Event::Return(_) => return true,
            Event::Break if depth == 1 => return true,
            _ => {}
        }
        if depth == 0 {
            return false;
        }
    }
    false
}

fn finding(ctx: &Context<'_>, function: FunctionId, site: &Site, message: String) -> Finding {
    // What ends a command's only wait ends the command, and the runner cancels what is left.
    let module = ctx.module.name.as_str();
    let is_side = is_side_module(module) || is_command_module(module);
    Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .confidence(if is_side { Confidence::Possible } else { Confidence::Likely })
        .help("cancel what is left and wait for it: `for task in pending: task.cancel()`, then `await asyncio.gather(*pending, return_exceptions=True)`")
        .shape(ctx.program.callee_name(site.callee).unwrap_or_default())
}
