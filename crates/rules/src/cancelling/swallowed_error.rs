//! # cancel/swallowed-error
//!
//! The outcome of work that ran is dropped together with its error.
//!
//! ## What it is
//! `gather(…, return_exceptions=True)` does not raise: it returns the exceptions among the results. `asyncio.wait` does
//! not raise either: it returns tasks. Whoever does not look at what is returned has no error handling at all, although
//! the code looks as if it waited for success. The same holds for `except Exception: pass` around an operation that
//! changes something: the change did not happen, and the caller is told nothing.
//!
//! ```python bad
//! import asyncio
//!
//! import httpx
//!
//!
//! async def store(client: httpx.AsyncClient, row: dict) -> None:
//!     response = await client.post("https://store.example/rows", json=row)
//!     response.raise_for_status()
//!
//!
//! async def store_both(client: httpx.AsyncClient, one: dict, other: dict) -> None:
//!     await asyncio.gather(store(client, one), store(client, other), return_exceptions=True)
//! ```
//!
//! In Go: a goroutine that should write or send a result ends with `if err != nil { return }`, and nobody hears of the error.
//!
//! ## What one observes
//! - "Done", and rows are missing. Nothing in the log.
//! - A retry or a fallback that is written down and never happens.
//! - With `asyncio.wait`: `Task exception was never retrieved`, later, with no link to the request.
//!
//! ## Why tests pass all the same
//! In tests the work succeeds. One that makes it fail looks whether the caller survives, and it does.
//!
//! ## The structural fix
//! Look at each outcome, and decide: raise, retry, or count it.
//!
//! ```python good
//! import asyncio
//!
//! import httpx
//!
//!
//! async def store(client: httpx.AsyncClient, row: dict) -> None:
//!     response = await client.post("https://store.example/rows", json=row)
//!     response.raise_for_status()
//!
//!
//! async def store_both(client: httpx.AsyncClient, one: dict, other: dict) -> None:
//!     outcomes = await asyncio.gather(store(client, one), store(client, other), return_exceptions=True)
//!     failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
//!     if failures:
//!         raise ExceptionGroup("not all rows are stored", failures)
//! ```
//!
//! Where one failure should end all, a task group says so and needs no look.
//!
//! ## Fixes that do not work
//! - `isinstance(outcome, Exception)`: a cancelled child is a `BaseException`, and passes for a result.
//! - To log inside the coroutine and swallow there: the caller still reports success.
//! - `results = await …` without a look at `results`: the same, with a name.
//!
//! ## Cues for a reviewer
//! - `return_exceptions=True` in a statement without `=`.
//! - `await asyncio.wait(tasks)` without a loop over `done`.
//! - `except Exception: pass` below an `await`.
//!
//! ## Where it is silent
//! - The outcomes are read.
//! - Tidying up: what was cancelled before, what closes or stops something, a cleanup block.
//! - Work that deals with its own errors, itself or in what it awaits, or cannot fail.
//! - `possible`, shown with `--strict`: an empty handler around something that is not known to change anything; tests.
//!
//! ## Symptoms
//! - `Task exception was never retrieved`
//!
//! ## The mutation that introduces it
//! Add `return_exceptions=True` to a `gather` whose result is dropped.
//!
//! ## Difficulty
//! Easy, once one knows that these calls do not raise.
//!
//! ## Related rules
//! `cancel/fail-fast-leak`, `await/floating-task`, `cancel/swallowed-cancellation`.

use crate::cancelling::cleanups::{cancels_before, is_cleanup, is_cleanup_name};
use crate::cancelling::gathered::{coroutines, is_read_elsewhere};
use crate::context::Context;
use crate::errors::{are_contained, handles_errors, returns_exceptions};
use crate::finding::Finding;
use crate::looping::{is_command_module, is_side_module};
use crate::paths::{Guarded, catches};
use crate::rule::{Question, Rule};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Role, SuspendKind};
use racewalk_link::{Answer, Site, Type};
use racewalk_models::Joins;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/swallowed-error",
    question: Question::Cancel,
    severity: Severity::Warning,
    languages: &["python", "javascript", "go"],
    on_by_default: true,
    summary: "the outcome of work that ran is dropped together with its error",
    source: include_str!("swallowed_error.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if ctx.module.language.shares_memory {
        return super::lost_errors::check(ctx, &RULE, found);
    }
    for function in ctx.functions() {
        if !ctx.module.function(function).is_async || is_cleanup_name(ctx.module.function(function).name) {
            continue;
        }
        for site in ctx.program.sites(ctx.function_ref(function)) {
            if let Some(finding) = dropped_outcome(ctx, function, site) {
                ctx.report(function, finding, found);
            }
        }
        empty_handlers(ctx, function, found);
    }
}

/// `await gather(…, return_exceptions=True)` or `await wait(…)` whose outcome nobody reads.
fn dropped_outcome(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    let model = ctx.program.model_at(site)?;
    let what = match model.joins {
        Some(Joins::FailFast) if returns_exceptions(ctx.module, site.call) => {
            "`return_exceptions=True` turns every failure into a result"
        }
        Some(Joins::All) if model.is_async => "this wait does not raise what its tasks raise",
        _ => return None,
    };
    let waited = ctx.module.parent(site.call).filter(|_| ctx.module.role(site.call) == Role::Awaited)?;
    let events = &ctx.module.function(function).events;
    let at = events.iter().position(|event| *event == Event::Call(site.call))?;
    if !is_unread(ctx, function, waited)
        || cancels_before(ctx, function, at)
        || is_in_cleanup(events, at)
        || tasks_are_read(ctx, function, site)
        || !may_fail(ctx, function, site)
    {
        return None;
    }
    let message = format!("{what}, and nobody looks at the results: errors are lost");
    let module = ctx.module.name.as_str();
    let is_side = is_side_module(module) || is_command_module(module);
    let finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .confidence(if is_side { Confidence::Possible } else { Confidence::Likely })
        .help(if ctx.module.language.starts_at_call {
            "look at the `status` of each outcome, and deal with what was rejected"
        } else {
            "look at each outcome with `isinstance(…, BaseException)`, or use a task group, which raises"
        })
        .shape(ctx.program.callee_name(site.callee).unwrap_or_default());
    Some(finding)
}

/// The value is dropped, or kept under a name that nobody reads.
fn is_unread(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> bool {
    match ctx.module.role(value) {
        Role::Dropped => true,
        Role::Stored => match ctx.bound_to(value) {
            [binding] => {
                let bound = ctx.module.bindings[binding.index()];
                let name = ctx.module.function(bound.owner).symbols[bound.symbol.index()].name;
                bound.owner == function
                    && ctx.reads_of(*binding).is_empty()
                    && ctx.captures_of(function, name).is_empty()
                    && !crate::fate::is_also_stored_elsewhere(ctx, function, value)
            }
            _ => false,
        },
        _ => false,
    }
}

/// The event stands in a cleanup block or a handler.
fn is_in_cleanup(events: &[Event], at: usize) -> bool {
    Guarded::all(events).iter().any(|(_, guarded)| {
        let inside = |(start, end): (usize, usize)| start <= at && at < end;
        guarded.cleanup.is_some_and(inside) || guarded.handlers.iter().any(|handler| inside(*handler))
    })
}

/// The tasks that are waited for have a name that is read elsewhere too, or belong to somebody else.
fn tasks_are_read(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    ctx.evaluator.args(site.call).iter().any(|arg| is_read_elsewhere(ctx, function, arg.value))
}

/// Some of the work may fail in a way that matters: it is not known to deal with its errors, and tidies nothing up.
fn may_fail(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    let mut work: Vec<ExprId> = Vec::new();
    for arg in ctx.evaluator.args(site.call) {
        if matches!(arg.kind, racewalk_ir::ArgKind::Positional | racewalk_ir::ArgKind::Spread) {
            coroutines(ctx, function, arg.value, &mut work, 4);
        }
    }
    !work.is_empty() && work.iter().any(|call| matters(ctx, function, *call))
}

fn matters(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let this = ctx.function_ref(function);
    if is_cleanup(ctx.program, this, call) {
        return false;
    }
    let Some(site) = ctx.program.site(this, call) else { return false };
    match site.callee {
        Type::Function(target) | Type::Method(target, _) => {
            let body = ctx.program.function(target);
            body.stub == racewalk_ir::Stub::No
                && body.is_async
                && !are_contained(ctx.program, target)
                && !handles_errors(ctx.program, target)
        }
        _ => match ctx.program.model_at(site) {
            Some(model) => model.network || model.writes,
            None => ctx.evaluator.awaitable(ctx.evaluator.given_by(function, site)) == Answer::Yes,
        },
    }
}

/// `except Exception: pass` around a wait for something that changes the world outside.
fn empty_handlers(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let events = &ctx.module.function(function).events;
    for (start, guarded) in Guarded::all(events) {
        for (from, to) in &guarded.handlers {
            let Event::Handler(caught) = events[*from] else { continue };
            let is_empty = events[*from + 1..*to]
                .iter()
                .all(|event| matches!(event, Event::Read(read) if ctx.module.role(*read) == Role::Caught));
            if !is_empty || !catches(ctx, function, caught).all_errors || is_in_cleanup(events, start) {
                continue;
            }
            let body = &events[start + 1..guarded.body_end];
            if let Some((call, confidence)) = lost_change(ctx, function, body) {
                let callee = ctx.program.callee_text(ctx.file, call);
                let message = format!(
                    "`{callee}()` may fail, and the empty handler hides it: nobody learns that it did not happen"
                );
                let at = caught.map_or_else(|| ctx.place(call), |caught| ctx.place(caught));
                let finding = Finding::new(&RULE, at, ctx.symbol(function), message)
                    .confidence(if is_side_module(ctx.module.name.as_str()) {
                        Confidence::Possible
                    } else {
                        confidence
                    })
                    .help("catch what you expect, and log or count the rest")
                    .related(ctx.place(call), "this may not have happened")
                    .shape(callee);
                ctx.report(function, finding, found);
            }
        }
    }
}

/// The last wait of a guarded block, when it is for a change outside the process.
fn lost_change(ctx: &Context<'_>, function: FunctionId, body: &[Event]) -> Option<(ExprId, Confidence)> {
    let this = ctx.function_ref(function);
    let mut waits = body.iter().filter_map(|event| match *event {
        Event::Suspend(SuspendKind::Await, operand) => Some(operand),
        _ => None,
    });
    waits.find_map(|operand| {
        let site = ctx.program.site(this, operand)?;
        let model = ctx.program.model_at(site)?;
        let changes = model.writes && model.network && !is_cleanup(ctx.program, this, operand);
        (changes && is_durable(ctx, operand)).then_some((operand, Confidence::Possible))
    })
}

/// By its name, the operation stores something.
fn is_durable(ctx: &Context<'_>, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let (Expr::Attr(_, name) | Expr::Name(name, _)) = ctx.module.expr(callee) else { return false };
    ["commit", "insert", "save", "store", "put", "post", "update", "publish", "execute", "set", "create"]
        .iter()
        .any(|word| name.as_str().contains(word))
}
