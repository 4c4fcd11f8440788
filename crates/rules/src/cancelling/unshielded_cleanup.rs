//! # cancel/unshielded-cleanup
//!
//! A cleanup waits, and a second cancellation or a time limit ends it half-way: a lock, a lease or a transaction stays.
//!
//! ## What it is
//! Cleanup in `finally` runs when a task is cancelled, too. Where the cleanup itself awaits, it can be cancelled there once
//! more: by a second `cancel()` of an impatient shutdown, by a time limit further out, by a client that hangs up twice. In
//! anyio and trio any `await` inside a cancelled scope is cancelled again at once. What was to be given back (a lock kept
//! in another process, a lease, a transaction) is then not given back.
//!
//! `asyncio.shield` keeps the inner work from being cancelled, and not the wait for it. `await shield(work())` leaves a
//! task behind that nobody holds when the wait is cancelled: it may be collected, and its error is lost.
//!
//! ```python bad
//! from redis.asyncio import Redis
//!
//!
//! async def once(redis: Redis, work) -> None:
//!     lock = redis.lock("job", timeout=600)
//!     await lock.acquire()
//!     try:
//!         await work()
//!     finally:
//!         await lock.release()
//! ```
//!
//! ## What one observes
//! - After a deployment or a burst of time-outs, a job does not run until its lease has ended by itself.
//! - Transactions that stay open, idle, and hold their row locks.
//! - With a shield: work that is now and then not done, without an error.
//!
//! ## Why tests pass all the same
//! A test cancels once, if at all, and looks at the result when everything has settled.
//!
//! ## The structural fix
//! Make the release a task of its own, hold it, and wait for it behind a shield; in anyio and trio, a shielded scope with a
//! time limit.
//!
//! ```python good
//! import asyncio
//!
//! from redis.asyncio import Redis
//!
//!
//! async def once(redis: Redis, work) -> None:
//!     lock = redis.lock("job", timeout=600)
//!     await lock.acquire()
//!     try:
//!         await work()
//!     finally:
//!         release = asyncio.ensure_future(lock.release())
//!         try:
//!             await asyncio.shield(release)
//!         except asyncio.CancelledError:
//!             await release
//!             raise
//! ```
//!
//! And let the other side end what is not renewed: a lease with a short time, a statement time-out.
//!
//! ## Fixes that do not work
//! - `async with lock:` of a remote lock: its exit awaits in the same way.
//! - A `finally` around the `finally`: it awaits, too.
//! - `shield(lock.release())` alone: the wait is cancelled, and the task is nobody's.
//! - `except CancelledError: pass` around the release: the second cancellation is lost, and the release still cut short.
//!
//! ## Cues for a reviewer
//! - `await` below `finally` that releases, rolls back or gives back something outside the process.
//! - `shield(` directly around a call.
//!
//! ## Where it is silent
//! - Locks of the process: releasing them does not wait.
//! - Shielded scopes, and tasks that are held while they are shielded; work that deals with its own errors, and what only
//!   closes something.
//! - Cleanups whose loss does no harm: closing, flushing, logging.
//! - Tests.
//! - `possible`, shown with `--strict`: `shield` around a coroutine that nobody holds.
//!
//! ## Symptoms
//! - `LockNotOwnedError`, `LockError: Cannot release a lock that's no longer owned`
//! - `idle in transaction` in the database's list of sessions.
//!
//! ## The mutation that introduces it
//! Take the shield away from around a release in `finally`.
//!
//! ## Difficulty
//! Hard: it takes two cancellations.
//!
//! ## Related rules
//! `bound/permit-leak`, `cancel/swallowed-cancellation`, `await/floating-task`.

use crate::cancelling::cleanups::is_cleanup;
use crate::context::Context;
use crate::errors::{are_contained, does_not_fail};
use crate::finding::Finding;
use crate::looping::is_side_module;
use crate::paths::{Guarded, catches, scopes};
use crate::rule::{Question, Rule};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Literal, Role, SuspendKind};
use racewalk_link::{Site, Type};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/unshielded-cleanup",
    question: Question::Cancel,
    severity: Severity::Hint,
    languages: &["python"],
    on_by_default: true,
    summary: "a cleanup waits, and a second cancellation ends it half-way",
    source: include_str!("unshielded_cleanup.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        if !ctx.module.function(function).is_async {
            continue;
        }
        for site in ctx.program.sites(ctx.function_ref(function)) {
            let finding = match ctx.module.role(site.call) {
                Role::Awaited if gives_back(ctx, site) => release(ctx, function, site),
                Role::Awaited => nobodys_task(ctx, function, site),
                _ => None,
            };
            if let Some(finding) = finding {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// The call gives back something outside the process, and waits for that.
fn gives_back(ctx: &Context<'_>, site: &Site) -> bool {
    let Type::ExternalMethod(class, method, _) = site.callee else { return false };
    let ends = ctx.program.models().kind(class) == Some(ClassKind::Transaction)
        && matches!(method.as_str(), "rollback" | "commit");
    let is_remote = ctx.program.models_at(site).any(|model| model.releases && model.is_async && model.network);
    is_remote || ends
}

/// A release in a cleanup, or in a handler of the cancellation, without a shield.
fn release(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    let events = &ctx.module.function(function).events;
    let at = events.iter().position(|event| *event == Event::Suspend(SuspendKind::Await, site.call))?;
    let (start, _) = Guarded::all(events).into_iter().find(|(start, guarded)| {
        let waits = events[*start..guarded.body_end]
            .iter()
            .any(|event| matches!(event, Event::Suspend(kind, _) if *kind != SuspendKind::Yield));
        let inside = |(from, to): (usize, usize)| from <= at && at < to;
        let of_cancellation = guarded.handlers.iter().any(|handler| {
            inside(*handler)
                && matches!(events[handler.0], Event::Handler(caught) if catches(ctx, function, caught).cancellation)
        });
        waits && (guarded.cleanup.is_some_and(inside) || of_cancellation)
    })?;
    if is_shielded(ctx, function, at) {
        return None;
    }
    let callee = ctx.program.callee_text(ctx.file, site.call);
    let message = format!(
        "`{callee}()` waits in a cleanup: a second cancellation ends it there, and what it gives back stays taken"
    );
    let guarded = events[start..at].iter().find_map(|event| match *event {
        Event::Suspend(SuspendKind::Await, operand) => Some(operand),
        _ => None,
    });
    let mut finding = finding(ctx, function, site, message)
        .help("start it as a task, hold the task, and wait for it behind a shield");
    if let Some(guarded) = guarded {
        finding = finding.related(ctx.place(guarded), "the first cancellation arrives here");
    }
    Some(finding)
}

/// A cancel scope that shields stands around the event.
fn is_shielded(ctx: &Context<'_>, function: FunctionId, at: usize) -> bool {
    let events = &ctx.module.function(function).events;
    scopes(events).into_iter().any(|(start, end, context)| {
        let shields = ctx.evaluator.named_argument(context, "shield");
        start < at
            && at < end
            && shields.is_some_and(|value| ctx.module.expr(value) == Expr::Literal(Literal::Bool(true)))
    })
}

/// `await shield(work())`: the inner task has no owner once the wait is cancelled.
fn nobodys_task(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    if !ctx.program.model_at(site).is_some_and(|model| model.shields) {
        return None;
    }
    let inner = ctx.evaluator.args(site.call).first()?.value;
    if !makes_coroutine(ctx, function, inner) || is_cleanup(ctx.program, ctx.function_ref(function), inner) {
        return None;
    }
    let work = ctx.program.callee_text(ctx.file, inner);
    let message = format!(
        "when this wait is cancelled, `{work}()` goes on in a task that nobody holds: it may be collected, and its error is lost"
    );
    // Who shields mostly wants just this, and what the task waits for mostly holds it.
    let finding = finding(ctx, function, site, message).at_most(Confidence::Possible);
    Some(finding.help("make the task first, keep it, and shield the wait for it"))
}

/// The call makes a coroutine, and no task that somebody keeps.
fn makes_coroutine(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> bool {
    let Some(site) = ctx.program.site(ctx.function_ref(function), value) else { return false };
    let is_task = ctx
        .program
        .models_at(site)
        .any(|model| model.spawns.is_some() || model.joins.is_some() || model.offloads.is_some());
    let is_sound = does_not_fail(ctx.program, site.callee)
        || matches!(site.callee, Type::Function(target) | Type::Method(target, _) if are_contained(ctx.program, target));
    !is_task && !is_sound && matches!(ctx.evaluator.given_by(function, site), Type::Coroutine(_))
}

fn finding(ctx: &Context<'_>, function: FunctionId, site: &Site, message: String) -> Finding {
    let is_side = is_side_module(ctx.module.name.as_str());
    Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .confidence(if is_side { Confidence::Possible } else { Confidence::Likely })
        .shape(ctx.program.callee_name(site.callee).unwrap_or_default())
}
