//! # cancel/unstructured-tasks
//!
//! Tasks that begin and end in one function are held together by hand where the language has a block for it.
//!
//! ## What it is
//! `create_task` for each, then `gather` or one `await` after another: that is a task group written out, without what
//! makes a group safe. When one task fails, the function is left at once and the others run on, unowned. When the function
//! is cancelled between the start of the first and the wait for the last, nobody waits for them either.
//!
//! The second shape is `get_event_loop()` inside a coroutine. It gives the running loop there, and something else
//! elsewhere: in plain code it once made a loop, and now raises. `get_running_loop()` says what is meant, and fails where
//! it is not so.
//!
//! ```python bad
//! import asyncio
//!
//!
//! async def load(name: str) -> str:
//!     await asyncio.sleep(1)
//!     return name
//!
//!
//! async def both() -> tuple[str, str]:
//!     loop = asyncio.get_event_loop()
//!     one = loop.create_task(load("one"))
//!     other = loop.create_task(load("other"))
//!     return await one, await other
//! ```
//!
//! ## What one observes
//! - After a failure, work of the same request goes on for a while, and its errors are `never retrieved`.
//! - A cancelled request leaves tasks behind.
//! - `DeprecationWarning: There is no current event loop`, later a `RuntimeError`, when a helper moves out of its coroutine.
//!
//! ## Why tests pass all the same
//! All tasks succeed in a test, and then both forms are the same.
//!
//! ## The structural fix
//! A task group, which owns its tasks: it waits for all, and cancels the others when one fails.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def load(name: str) -> str:
//!     await asyncio.sleep(1)
//!     return name
//!
//!
//! async def both() -> tuple[str, str]:
//!     async with asyncio.TaskGroup() as tasks:
//!         one = tasks.create_task(load("one"))
//!         other = tasks.create_task(load("other"))
//!     return one.result(), other.result()
//! ```
//!
//! A group raises an `ExceptionGroup`: handlers around it become `except*`.
//!
//! ## Fixes that do not work
//! - `gather` in place of the awaits: it does not cancel the others either.
//! - Cancelling in a handler and not awaiting: cancelling is a request, and the tasks run on until they have seen it.
//! - A module-level set of tasks: it keeps them alive, and nobody waits.
//!
//! ## Cues for a reviewer
//! - `create_task` whose result is awaited a few lines below.
//! - `tasks.append(create_task(…))` and `gather(*tasks)`.
//! - `get_event_loop` anywhere but at the top of a program.
//!
//! ## Where it is silent
//! - Python below 3.11, which has no task group. Where the version is not known: `possible`.
//! - `return_exceptions=True`; the first of several; a wait with a time limit.
//! - Tasks that live on, are cancelled, looked at or given to somebody.
//! - One task alone.
//! - `possible`: a handler stands around the wait, which would see another exception; tests.
//!
//! ## Symptoms
//! - `Task exception was never retrieved`
//! - `DeprecationWarning: There is no current event loop`
//!
//! ## The mutation that introduces it
//! Replace `async with TaskGroup()` by `create_task` and `gather`.
//!
//! ## Difficulty
//! Easy.
//!
//! ## Related rules
//! `cancel/fail-fast-leak`, `cancel/orphaned-losers`, `await/floating-task`, `loop/cross-loop-primitive`.

use crate::cancelling::gathered::is_read_elsewhere;
use crate::context::Context;
use crate::finding::Finding;
use crate::looping::is_test_module;
use crate::rule::{Question, Rule};
use crate::scopes::{handlers_around, is_event_of};
use racewalk_ir::{BindingId, BindingKind, Defs, Event, Expr, ExprId, FunctionId, Literal, Name, Role, SuspendKind};
use racewalk_link::Site;
use racewalk_models::{Call, Joins, Spawns};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/unstructured-tasks",
    question: Question::Cancel,
    severity: Severity::Hint,
    languages: &["python"],
    on_by_default: false,
    summary: "tasks that begin and end in one function without a task group; the loop asked for in an outdated way",
    source: include_str!("unstructured_tasks.rs"),
    check,
};

/// The version of the language from which on there are task groups.
const HAS_GROUPS: (u8, u8) = (3, 11);

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions().filter(|id| ctx.module.function(*id).is_async) {
        for site in ctx.program.sites(ctx.function_ref(function)) {
            found_loop(ctx, function, site, found);
        }
        if ctx.program.settings.language_version.is_none_or(|version| version >= HAS_GROUPS) {
            held_by_hand(ctx, function, found);
        }
    }
}

/// A call that gives the running loop, for which the models name a better one.
fn found_loop(ctx: &Context<'_>, function: FunctionId, site: &Site, found: &mut Vec<Finding>) {
    let Some(model) = ctx.program.model_at(site).filter(|model| model.needs_running_loop) else { return };
    let Some(instead) = &model.instead else { return };
    let work = ctx.program.callee_text(ctx.file, site.call);
    let message = format!("a coroutine asks for its loop with `{work}()`, which means something else where none runs");
    let finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .confidence(if is_test_module(ctx.module.name.as_str()) { Confidence::Possible } else { Confidence::Likely })
        .help(format!("use `{instead}`"))
        .shape(work);
    ctx.report(function, finding, found);
}

/// Tasks that are started and waited for here, and that nobody else knows.
fn held_by_hand(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    let starts = |site: &&Site| ctx.program.model_at(site).is_some_and(starts_task);
    if !ctx.program.sites(this).iter().any(|site| starts(&site)) {
        return;
    }
    let mut groups: Vec<(Vec<ExprId>, ExprId)> = gathered(ctx, function);
    groups.extend(awaited_in_turn(ctx, function));
    for (tasks, wait) in groups {
        let confidence = confidence(ctx, function, wait);
        let count = tasks.len();
        let message = match count {
            1 => "the tasks that are started here are waited for in the same function, and when one fails the others run on"
                .to_owned(),
            _ => format!("{count} tasks are started and waited for here by hand: when one fails, the others run on"),
        };
        let finding = Finding::new(&RULE, ctx.place(tasks[0]), ctx.symbol(function), message)
            .confidence(confidence)
            .help("start them in a task group, which waits for all of them and cancels the others when one fails")
            .related(ctx.place(wait), "waited for here")
            .shape(ctx.program.callee_text(ctx.file, tasks[0]));
        ctx.report(function, finding, found);
    }
}

fn starts_task(model: &Call) -> bool {
    model.spawns == Some(Spawns::Task) && !model.keeps
}

fn confidence(ctx: &Context<'_>, function: FunctionId, wait: ExprId) -> Confidence {
    let is_guarded = !handlers_around(ctx, function, |event| is_event_of(event, wait)).is_empty();
    let is_known = ctx.program.settings.language_version.is_some();
    if is_guarded || !is_known || is_test_module(ctx.module.name.as_str()) {
        Confidence::Possible
    } else {
        Confidence::Likely
    }
}

/// `await gather(…)` over tasks that have been started here: the tasks, and the wait.
fn gathered(ctx: &Context<'_>, function: FunctionId) -> Vec<(Vec<ExprId>, ExprId)> {
    let sites = ctx.program.sites(ctx.function_ref(function)).iter();
    let joins = sites.filter(|site| {
        ctx.program.model_at(site).is_some_and(|model| model.joins == Some(Joins::FailFast))
            && ctx.module.role(site.call) == Role::Awaited
            && !collects_failures(ctx, site.call)
    });
    joins.filter_map(|site| Some((tasks_of(ctx, function, site.call)?, site.call))).collect()
}

/// `return_exceptions=True`, or something that is computed.
fn collects_failures(ctx: &Context<'_>, call: ExprId) -> bool {
    let given = ctx.evaluator.named_argument(call, "return_exceptions");
    given.is_some_and(|value| ctx.module.expr(value) != Expr::Literal(Literal::Bool(false)))
}

/// The calls that start what is joined, when all of it is tasks of this function, and several.
fn tasks_of(ctx: &Context<'_>, function: FunctionId, join: ExprId) -> Option<Vec<ExprId>> {
    let mut tasks = Vec::new();
    let mut is_several = false;
    for arg in ctx.evaluator.args(join).iter().filter(|arg| !matches!(arg.kind, racewalk_ir::ArgKind::Named(_))) {
        is_several |= arg.kind == racewalk_ir::ArgKind::Spread;
        let before = tasks.len();
        if is_read_elsewhere(ctx, function, arg.value) || !started(ctx, function, arg.value, &mut tasks, 4) {
            return None;
        }
        if tasks.len() == before {
            return None;
        }
    }
    (is_several || tasks.len() > 1).then_some(tasks).filter(|tasks| !tasks.is_empty())
}

/// Adds the calls that start the tasks in a value; false when it holds anything else.
fn started(ctx: &Context<'_>, function: FunctionId, value: ExprId, tasks: &mut Vec<ExprId>, left: u32) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    match ctx.module.expr(value) {
        Expr::Spread(inner) | Expr::Comp(_, inner) => started(ctx, function, inner, tasks, left),
        Expr::List(list) | Expr::Tuple(list) | Expr::Set(list) => {
            ctx.module.list(list).iter().all(|member| started(ctx, function, *member, tasks, left))
        }
        Expr::Call(callee, _) => {
            let is_start = is_start(ctx, function, value);
            if is_start {
                tasks.push(value);
            }
            let is_empty = matches!(ctx.module.expr(callee), Expr::Name(name, _) if is_collection(name))
                && ctx.evaluator.args(value).is_empty();
            is_start || is_empty
        }
        Expr::Name(_, Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(inner) | BindingKind::Typed(_, Some(inner)) => {
                started(ctx, function, inner, tasks, left) && added(ctx, function, binding, tasks, left)
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_collection(name: Name) -> bool {
    matches!(name.as_str(), "list" | "set")
}

/// `tasks.append(create_task(…))`, for everything that is added to the collection.
fn added(ctx: &Context<'_>, function: FunctionId, binding: BindingId, tasks: &mut Vec<ExprId>, left: u32) -> bool {
    ctx.reads_of(binding).iter().all(|(_, read)| {
        let Some(member) = ctx.module.parent(*read) else { return true };
        let Expr::Attr(_, method) = ctx.module.expr(member) else { return true };
        if !matches!(method.as_str(), "append" | "add" | "extend") {
            return true;
        }
        let argument = ctx.module.parent(member).and_then(|call| ctx.evaluator.args(call).first().copied());
        argument.is_some_and(|argument| {
            !is_named_elsewhere(ctx, argument.value) && started(ctx, function, argument.value, tasks, left)
        })
    })
}

/// The task has a name of its own, by which it is used beside this.
fn is_named_elsewhere(ctx: &Context<'_>, value: ExprId) -> bool {
    let Expr::Name(_, defs) = ctx.module.expr(value) else { return false };
    ctx.module.defs(&defs).iter().any(|binding| ctx.reads_of(*binding).len() > 1)
}

fn is_start(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let site = ctx.program.site(ctx.function_ref(function), call);
    site.and_then(|site| ctx.program.model_at(site)).is_some_and(starts_task)
}

/// Tasks with names of their own, each of which is awaited once and otherwise left alone: all of them, and the first wait.
fn awaited_in_turn(ctx: &Context<'_>, function: FunctionId) -> Option<(Vec<ExprId>, ExprId)> {
    let events = &ctx.module.function(function).events;
    let mut waits = Vec::new();
    let mut tasks = Vec::new();
    let mut depth = 0;
    for event in events {
        match *event {
            Event::Loop(_) => depth += 1,
            Event::EndLoop => depth -= 1,
            Event::Suspend(SuspendKind::Await, operand) if depth == 0 => {
                if let Some(task) = only_awaited(ctx, function, operand) {
                    tasks.push(task);
                    waits.push(operand);
                }
            }
            _ => {}
        }
    }
    tasks.sort_by_key(|task| ctx.module.span(*task).start);
    let last_start = ctx.module.span(*tasks.last()?).start;
    // Started all before the first is waited for.
    let overlap = waits.iter().all(|wait| ctx.module.span(*wait).start > last_start);
    (tasks.len() > 1 && overlap).then(|| (tasks, waits[0]))
}

/// The call that starts the task of this name, which is read here and nowhere else.
fn only_awaited(ctx: &Context<'_>, function: FunctionId, operand: ExprId) -> Option<ExprId> {
    let Expr::Name(name, Defs::One(binding)) = ctx.module.expr(operand) else { return None };
    let BindingKind::Value(value) = ctx.module.bindings[binding.index()].kind else { return None };
    let is_alone = ctx.reads_of(binding).len() == 1 && ctx.captures_of(function, name).is_empty();
    (is_alone && is_start(ctx, function, value)).then_some(value)
}
