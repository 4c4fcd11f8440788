//! # await/floating-task
//!
//! A task is started and its only reference is dropped: it may be collected before it is done, and its exception is
//! lost.
//!
//! ## What it is
//! `asyncio.create_task` schedules the coroutine; it will start to run. But the event loop keeps only a weak
//! reference to a task. A suspended task is held by whatever will wake it; when that, too, is only reachable from
//! the task, nothing stops the garbage collector from removing both. Whoever starts a task must therefore own it:
//! keep it, and at some time await or cancel it.
//!
//! Three shapes count:
//!
//! - the result of the spawning call is dropped, bound to `_`, or bound to a name that is never read;
//! - tasks are collected in a local list, set or dict that dies with the function, and nobody awaits them: the
//!   function says "done" before they are;
//! - a future of `run_in_executor`, `run_coroutine_threadsafe` or `executor.submit` for work whose failure nobody
//!   will hear of.
//!
//! ```python bad
//! import asyncio
//!
//!
//! async def warm(key: str) -> None:
//!     await asyncio.sleep(0)
//!
//!
//! async def warm_caches(keys: tuple[str, ...]) -> None:
//!     for key in keys:
//!         asyncio.create_task(warm(key))
//!
//!
//! async def main() -> None:
//!     await warm_caches(("a", "b"))
//!     print("caches are warm")
//!
//!
//! asyncio.run(main())
//! ```
//!
//! ## What one observes
//! - The caller reports success before the work is done, and whether or not it gets done.
//! - The task's exception is written to the log when the task is freed, with no link to the request; if something
//!   else still refers to the task, it is never written.
//! - Rarely, and under memory pressure more often: the work stops half-way, with `Task was destroyed but it is
//!   pending!`.
//! - At the end of `asyncio.run` all tasks that are left are cancelled, in the middle of whatever they do.
//!
//! ## Why tests pass all the same
//! In a test the work is short and fakes answer at once, so the task is done before anyone looks, and no collection
//! falls in between. A failing task fails no test: the message goes to the logger `asyncio`, which pytest shows for
//! failed tests only.
//!
//! ## The structural fix
//! Give the task an owner whose lifetime covers it. In one function that is a `TaskGroup`: its block ends when
//! every task has, and a failure is raised there.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def warm(key: str) -> None:
//!     await asyncio.sleep(0)
//!
//!
//! async def warm_caches(keys: tuple[str, ...]) -> None:
//!     async with asyncio.TaskGroup() as group:
//!         for key in keys:
//!             group.create_task(warm(key))
//!
//!
//! async def main() -> None:
//!     await warm_caches(("a", "b"))
//!     print("caches are warm")
//!
//!
//! asyncio.run(main())
//! ```
//!
//! For work that outlives the call, keep the task in a set on an object that lives as long, discard it in a
//! done-callback that also looks at its exception, and cancel and await what is left at shutdown. Work that must
//! not be lost belongs in a durable queue.
//!
//! ## Fixes that do not work
//! - `await asyncio.create_task(f())`: correct, and no better than `await f()`.
//! - `_ = asyncio.create_task(f())` or `task = …` without a later use: the name dies with the frame.
//! - `task.add_done_callback(log_error)` alone: the exception is reported now, but the callback is held by the
//!   task, not the task by the callback. It can still be collected.
//! - `await asyncio.sleep(…)` after it, to give the task time: it has that much time, and still no owner.
//! - A module-level list to which tasks are only ever appended: nothing is collected any more, and nothing is freed.
//! - `asyncio.gather(...)` without `await`: the gathering future is dropped in place of the tasks.
//!
//! ## Cues for a reviewer
//! - A statement that is only `create_task(…)` or `ensure_future(…)`.
//! - A list of tasks with `append`, and no `gather`, `wait` or loop that awaits.
//! - "fire and forget" in a comment.
//! - A function named `warm_…`, `flush_…`, `save_…` that returns before its tasks can have run.
//!
//! ## Where it is silent
//! - Tasks of a `TaskGroup`, a nursery or an anyio task group.
//! - Tasks kept in an attribute, a module variable or a container that outlives the call and from which they are
//!   awaited, cancelled, or discarded by a done-callback.
//! - Tasks that are returned, yielded, or handed to a callee that keeps, awaits or cancels them; wrappers of the
//!   program or of a framework that keep what they start.
//! - Tasks awaited directly or through `gather`, `wait`, `as_completed`, `wait_for`, `shield`.
//! - A future of `run_coroutine_threadsafe` whose coroutine deals with errors, or to which a done-callback is given: the
//!   other loop holds the task, and there is no outcome to be lost.
//! - A task bound to a local name that stays alive in a function that does not return before the loop ends
//!   (`asyncio.Event().wait()`, a server's accept loop).
//! - `possible`, shown with `--strict`: a coroutine without a suspension point, which is over after its first step; one that
//!   deals with errors and waits for timers and threads only, which hold
//!   it, or waits for some time first; helpers that start it inside a coroutine which deals with errors; what a plain function gives; finalizers, tests.
//!
//! ## Symptoms
//! - `Task was destroyed but it is pending!`: collected while suspended; the next line names the task and where its
//!   coroutine is defined.
//! - `Task exception was never retrieved`: it failed, and nobody had a reference to ask.
//! - `Future exception was never retrieved`: the same for a future of `run_in_executor`. A dropped future of
//!   `run_coroutine_threadsafe` or of an executor's `submit` logs nothing at all.
//! - `_GatheringFuture exception was never retrieved`: `gather` without `await`.
//! - `RuntimeWarning: coroutine '…' was never awaited`: the loop was closed before the task took its first step.
//! - `RuntimeError: Event loop is closed`: the task was left over and went on with a connection after the loop had
//!   gone.
//!
//! ## The mutation that introduces it
//! Replace `await f(…)` by `asyncio.create_task(f(…))`; or replace a `TaskGroup` by a loop of `create_task`; or
//! remove the `gather` after such a loop.
//!
//! ## Difficulty
//! Medium: the dropped statement is plain; whether a wrapper or container keeps the task must be followed.
//!
//! ## Related rules
//! `await/missing-await`, `cancel/swallowed-error`, `cancel/unstructured-tasks`, `bound/unbounded-fan-out`,
//! `cancel/orphaned-losers`.

use crate::bounding::deadlines::gives_limit;
use crate::context::Context;
use crate::errors::{are_contained, does_not_fail, handles_errors, is_one_safe_step, is_one_step};
use crate::fate::{Fate, fate};
use crate::finding::Finding;
use crate::rule::{Question, Rule};
use racewalk_ir::{ArgKind, BindingId, BindingKind, Event, Expr, ExprId, FunctionId, Role, Stub, SuspendKind};
use racewalk_link::{FunctionRef, Program, Site, Type};
use racewalk_models::{ClassKind, Runs, Serves, Spawns};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/floating-task",
    question: Question::Await,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "a task's only reference is dropped: it may be collected before it ends, and its error is lost",
    source: include_str!("floating_task.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        for site in ctx.program.sites(ctx.function_ref(function)) {
            if !matches!(ctx.module.role(site.call), Role::Awaited | Role::Returned)
                && let Some(started) = started(ctx, function, site)
                && let Some(finding) = judge(ctx, function, site, started)
            {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// A finalizer, or what runs when the process ends, has nobody left who could wait; a test waits for what it starts in its own
/// ways.
fn is_best_effort(ctx: &Context<'_>, function: FunctionId) -> bool {
    let this = ctx.function_ref(function);
    let entry = ctx.program.entries.get(&this).map(|entry| &entry.entry);
    let is_exit = entry.is_some_and(|entry| entry.serves == Serves::Lifespan && entry.plain == Runs::Alone);
    ctx.module.function(function).name.as_str() == "__del__" || is_exit || is_test(ctx, function)
}

fn is_test(ctx: &Context<'_>, function: FunctionId) -> bool {
    let mut current = Some(function);
    while let Some(id) = current {
        let body = ctx.module.function(id);
        if body.name.as_str().starts_with("test_") {
            return true;
        }
        current = body.parent;
    }
    false
}

/// What a call starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Started {
    Task,
    Gathering,
    OnOtherLoop,
}

impl Started {
    /// For messages.
    const fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Gathering => "future of the gathered tasks",
            Self::OnOtherLoop => "future of the other loop's coroutine",
        }
    }
}

/// What a call starts, when nobody but its caller has it.
fn started(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Started> {
    if let Some(model) = ctx.program.model_at(site) {
        if is_running_already(ctx, function, site) {
            return None;
        }
        return match model.spawns {
            Some(Spawns::Task) if !model.keeps && !ends_at_once(ctx, function, site) => Some(Started::Task),
            None if model.joins.is_some() && !model.is_async && model.blocks.is_none() => Some(Started::Gathering),
            Some(Spawns::OtherLoop)
                if !model.keeps && !handles_its_errors(ctx, function, site) && !has_handlers(ctx, function, site) =>
            {
                Some(Started::OnOtherLoop)
            }
            _ => None,
        };
    }
    match site.callee {
        Type::Function(target) | Type::Method(target, _) if hands_out_its_task(ctx, target) => Some(Started::Task),
        _ => None,
    }
}

/// The task is over after its first step, and its errors are seen there.
fn ends_at_once(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    matches!(given(ctx, function, site), Some(Type::Function(target) | Type::Method(target, _))
        if is_one_safe_step(ctx.program, target))
}

/// The task is over after its first step, which the loop's queue holds: nothing can collect it, and an error is logged soon.
fn is_over_soon(ctx: &Context<'_>, function: FunctionId, site: &Site, started: Started) -> bool {
    started == Started::Task
        && matches!(given(ctx, function, site), Some(Type::Function(target) | Type::Method(target, _))
        if is_one_step(ctx.program, target))
}

/// What is started comes from a plain function, which may give what runs already: whoever made it may see to it.
fn is_somebody_elses(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    matches!(given(ctx, function, site), Some(Type::Function(target) | Type::Method(target, _)) if {
        let body = ctx.program.function(target);
        !body.is_async && body.stub == Stub::No && !hands_on_coroutine(ctx, function, site)
    })
}

/// The value that is given is known to be a coroutine.
fn hands_on_coroutine(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    let value = ctx.evaluator.args(site.call).first().map(|first| ctx.evaluator.eval(function, first.value));
    value.is_some_and(|value| matches!(value, Type::Coroutine(_)))
}

/// All that the coroutine ever waits for is time, or work in a thread: the loop's timers and the executor hold what waits for them.
fn is_held_elsewhere(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    const DEEPEST: u32 = 3;
    matches!(given(ctx, function, site), Some(Type::Function(target) | Type::Method(target, _))
        if waits_where_it_is_held(ctx.program, target, DEEPEST))
}

/// What is done after some time, with its errors dealt with, is mostly a small thing that need not be done.
fn waits_first(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    matches!(given(ctx, function, site), Some(Type::Function(target) | Type::Method(target, _))
        if ctx.program.function(target).events.iter().find_map(|event| match *event {
            Event::Suspend(_, operand) => Some(operand),
            _ => None,
        }).and_then(|operand| ctx.program.site(target, operand)).is_some_and(|first| ctx.program.models_at(first).any(|model| model.sleeps)))
}

/// A helper of the program starts a coroutine of its own around what it is given, which deals with errors.
fn is_started_by_careful_helper(ctx: &Context<'_>, site: &Site) -> bool {
    let (Type::Function(helper) | Type::Method(helper, _)) = site.callee else { return false };
    let mut sites = ctx.program.sites(helper).iter();
    sites.any(|inner| match inner.callee {
        Type::Function(wrapper) | Type::Method(wrapper, _) => {
            ctx.program.function(wrapper).is_async && handles_errors(ctx.program, wrapper)
        }
        _ => false,
    })
}

fn waits_where_it_is_held(program: &Program, function: FunctionRef, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let module = program.module(function.file);
    let is_timed = |site: &Site| {
        let mut models = program.models_at(site);
        models.any(|model| {
            let has_limit =
                model.joins.is_some() && !model.timeout_params.is_empty() && gives_limit(module, site.call, model, 1);
            model.sleeps || has_limit || model.offloads.is_some()
        })
    };
    let body = program.function(function);
    body.is_async
        && body.stub == Stub::No
        && body.events.iter().all(|event| match *event {
            Event::Suspend(SuspendKind::Await, operand) => {
                program.site(function, operand).is_some_and(|site| match site.callee {
                    Type::Function(next) | Type::Method(next, _) => waits_where_it_is_held(program, next, depth),
                    _ => is_timed(site),
                })
            }
            Event::Suspend(..) => false,
            _ => true,
        })
}

/// The callee of the call that makes the coroutine.
fn given(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Type> {
    // By name, it may stand anywhere.
    let args = ctx.evaluator.args(site.call);
    let made = args.first().into_iter().chain(args.iter().filter(|arg| matches!(arg.kind, ArgKind::Named(_))));
    let mut made = made.filter_map(|arg| ctx.program.site(ctx.function_ref(function), arg.value));
    made.next().map(|started| started.callee)
}

/// The coroutine that is started lets no error out.
fn handles_its_errors(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    match given(ctx, function, site) {
        Some(Type::Function(target) | Type::Method(target, _)) => are_contained(ctx.program, target),
        Some(callee) => does_not_fail(ctx.program, callee),
        None => false,
    }
}

/// The coroutine that is started deals with errors somewhere: whoever wrote it has thought of them.
fn has_handlers(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    matches!(given(ctx, function, site), Some(Type::Function(target) | Type::Method(target, _))
        if handles_errors(ctx.program, target))
}

/// `ensure_future(task)`: what is given runs already, and somebody has it.
fn is_running_already(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    let Some(first) = ctx.evaluator.args(site.call).first() else { return false };
    let value = ctx.evaluator.eval(function, first.value);
    matches!(value, Type::ExternalInstance(path, _)
        if matches!(ctx.program.models().kind(path), Some(ClassKind::Task | ClassKind::Future)))
}

/// A plain function of the program all of whose results are tasks that it has just started and keeps nowhere.
fn hands_out_its_task(ctx: &Context<'_>, target: FunctionRef) -> bool {
    let body = ctx.program.function(target);
    if body.is_async || body.return_values.is_empty() {
        return false;
    }
    body.return_values.iter().all(|value| {
        let site = ctx.program.site(target, *value);
        let model = site.and_then(|site| ctx.program.model_of(site.callee));
        model.is_some_and(|model| model.spawns == Some(Spawns::Task) && !model.keeps)
    })
}

/// What may become of a task of which nobody has a reference.
const COLLECTED: &str = "the event loop holds it only weakly, so it may be collected before it ends";

fn judge(ctx: &Context<'_>, function: FunctionId, site: &Site, started: Started) -> Option<Finding> {
    let callee = ctx.program.callee_text(ctx.file, site.call);
    let what = started.name();
    let deals_with_errors = handles_its_errors(ctx, function, site);
    let lost = match started {
        // The other loop's transports and timers hold what waits for them; what is lost is the outcome.
        Started::OnOtherLoop => "an error of the coroutine is stored in it, where nobody looks".to_owned(),
        _ if deals_with_errors => COLLECTED.to_owned(),
        _ => format!("{COLLECTED}, and nobody sees its error"),
    };
    // A done-callback may see the error, but does not keep the task.
    let fate = fate(ctx, function, site.call);
    let (happens, risk) = match fate {
        Fate::Dropped => (format!("the {what} that `{callee}()` starts is dropped at once"), lost),
        Fate::Unread(binding) => (unread(ctx, binding, site.call, what)?, lost),
        Fate::HandedOn if started != Started::OnOtherLoop => {
            (watched_only(ctx, function, site.call, what)?, COLLECTED.to_owned())
        }
        _ => return None,
    };
    let message = format!("{happens}: {risk}");
    let shape = ctx.program.callee_name(site.callee).unwrap_or_else(|| callee.clone());
    let is_mild = is_best_effort(ctx, function)
        || is_over_soon(ctx, function, site, started)
        || is_somebody_elses(ctx, function, site)
        || (deals_with_errors || has_handlers(ctx, function, site))
            && (is_held_elsewhere(ctx, function, site) || waits_first(ctx, function, site))
        || is_started_by_careful_helper(ctx, site);
    let mut finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .confidence(if is_mild { Confidence::Possible } else { Confidence::Certain })
        .help(match started {
            Started::OnOtherLoop => {
                "keep it and ask for its `result()` where a thread may wait, or give it a done-callback that \
                                     reads `exception()`"
            }
            _ => "await it, start it in a TaskGroup, or keep it in a set until its done-callback discards it",
        })
        .shape(shape.clone());
    finding.cluster = format!("{shape}({})", coroutine_name(ctx, site.call));
    Some(finding)
}

/// What is started: findings that start the same are one template.
fn coroutine_name(ctx: &Context<'_>, call: ExprId) -> String {
    let first = ctx.evaluator.args(call).first().map(|arg| arg.value);
    first.map_or_else(String::new, |value| ctx.program.callee_text(ctx.file, value))
}

fn unread(ctx: &Context<'_>, binding: BindingId, call: ExprId, started: &str) -> Option<String> {
    let bound = ctx.module.bindings[binding.index()];
    let symbol = &ctx.module.function(bound.owner).symbols[bound.symbol.index()];
    // Who deletes it in the end has held it until then.
    if symbol.bindings.iter().any(|other| ctx.module.bindings[other.index()].kind == BindingKind::Deleted) {
        return None;
    }
    let name = symbol.name;
    let collected = !ctx.bound_to(call).contains(&binding);
    Some(if collected {
        format!("the {started}s collected in `{name}` are never awaited")
    } else {
        format!("the {started} in `{name}` is never read again")
    })
}

/// A local task that is given a done-callback and is kept nowhere: the callback does not hold it.
fn watched_only(ctx: &Context<'_>, function: FunctionId, call: ExprId, started: &str) -> Option<String> {
    if is_watched(ctx, call) {
        return Some(format!("the {started} is given a done-callback and dropped"));
    }
    let [binding] = ctx.bound_to(call) else { return None };
    if crate::fate::is_also_stored_elsewhere(ctx, function, call) {
        return None;
    }
    let bound = ctx.module.bindings[binding.index()];
    let name = ctx.module.function(bound.owner).symbols[bound.symbol.index()].name;
    let reads = ctx.reads_of(*binding);
    if goes_on_waiting(ctx, function, call) {
        return None;
    }
    let all_watch = !reads.is_empty() && reads.iter().all(|(_, read)| is_watched(ctx, *read));
    let is_local = bound.owner == function && ctx.captures_of(function, name).is_empty() && function != FunctionId(0);
    (all_watch && is_local).then(|| format!("the {started} in `{name}` is looked at once and kept nowhere"))
}

/// The body suspends after the call: its frame holds the local for as long as it waits.
fn goes_on_waiting(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let events = &ctx.module.function(function).events;
    let after = events.iter().skip_while(|event| **event != Event::Call(call)).skip(1);
    after.into_iter().any(|event| matches!(event, Event::Suspend(..)))
}

/// `value.add_done_callback(…)`, `value.get_name()`: looked at, and not kept by it.
fn is_watched(ctx: &Context<'_>, value: ExprId) -> bool {
    let Some(member) = ctx.module.parent(value) else { return false };
    matches!(ctx.module.expr(member), Expr::Attr(_, name)
        if matches!(name.as_str(), "add_done_callback" | "get_name" | "set_name" | "done" | "cancelled"))
        && ctx.module.role(member) == Role::Callee
}
