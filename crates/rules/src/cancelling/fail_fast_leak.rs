//! # cancel/fail-fast-leak
//!
//! One of several operations fails, the caller is told at once, and the others go on and change things.
//!
//! ## What it is
//! `await gather(a(), b(), c())` raises the first exception as soon as there is one. That is all it does: the other
//! operations are not cancelled, and nobody waits for them any more. The caller handles the failure, retries, answers the
//! request, while the rest of the first attempt is still writing. Where operations have effects, half of them have
//! happened, more are happening, and nothing undoes them.
//!
//! ```python bad
//! import asyncio
//!
//! import httpx
//!
//!
//! async def reserve(client: httpx.AsyncClient, item: str) -> None:
//!     response = await client.post("https://stock.example/reserve", json={"item": item})
//!     response.raise_for_status()
//!
//!
//! async def order(client: httpx.AsyncClient) -> None:
//!     await asyncio.gather(reserve(client, "chair"), reserve(client, "table"))
//! ```
//!
//! ## What one observes
//! - An order has failed and a chair is reserved.
//! - A retry runs beside what is left of the first attempt: duplicates, conflicts, deadlocks in the database.
//! - Connections or sessions are used after the block that owned them has ended.
//! - `Task exception was never retrieved` for the second failure.
//!
//! ## Why tests pass all the same
//! Fakes answer at once and in order: when the first fails, the others have not begun or are done. Tests look at the
//! exception, and not at what happens after it.
//!
//! ## The structural fix
//! A task group: on a failure it cancels the others and waits for them, so that nothing runs on.
//!
//! ```python good
//! import asyncio
//!
//! import httpx
//!
//!
//! async def reserve(client: httpx.AsyncClient, item: str) -> None:
//!     response = await client.post("https://stock.example/reserve", json={"item": item})
//!     response.raise_for_status()
//!
//!
//! async def order(client: httpx.AsyncClient) -> None:
//!     async with asyncio.TaskGroup() as tasks:
//!         tasks.create_task(reserve(client, "chair"))
//!         tasks.create_task(reserve(client, "table"))
//! ```
//!
//! What has happened by then is not undone by it. Where that matters, let all of them settle
//! (`return_exceptions=True`), look at each outcome, and undo what succeeded, by operations that may be repeated. Where
//! elements are independent, record each one's success, and retry only the others.
//!
//! ## Fixes that do not work
//! - `try`/`except` around the `gather`: the others go on while the handler runs.
//! - `return_exceptions=True` without a look at the results: now nobody is told.
//! - `shield`: keeps them from being cancelled, which nobody does anyhow.
//! - A retry around the whole: the second attempt meets the rest of the first.
//!
//! ## Cues for a reviewer
//! - `await gather(…)` whose result is dropped: it is done for its effects.
//! - `gather` inside of `async with session` or a transaction.
//! - `gather` below a retry.
//!
//! ## Where it is silent
//! - Operations that only read, that cannot fail, or deal with their own failures.
//! - `return_exceptions=True`, task groups, one operation alone.
//! - The tasks have a name, and somebody cancels or waits for them in a handler or cleanup.
//! - A program's `main`: the loop's end cancels what is left.
//! - Tidying up.
//! - `possible`, shown with `--strict`: it is not known that anything is changed; the same operation for every element of
//!   something, each of which is mostly right on its own; work inside the block of a connection, which ends with it;
//!   operations that all deal with errors somewhere; tests and examples.
//!
//! ## Symptoms
//! - `Task exception was never retrieved`
//! - `InvalidRequestError: This session is provisioning a new connection; concurrent operations are not permitted`
//!
//! ## The mutation that introduces it
//! Replace a task group by `gather`, or a loop that stops at the first failure by `gather` over all.
//!
//! ## Difficulty
//! Medium: one must know that `gather` does not cancel, and see that the operations have effects.
//!
//! ## Related rules
//! `cancel/swallowed-error`, `cancel/orphaned-losers`, `bound/unbounded-fan-out`, `cancel/unsafe-retry`.

use crate::cancelling::cleanups::{is_cleanup, is_cleanup_name};
use crate::cancelling::gathered::{coroutines, is_read_elsewhere};
use crate::context::Context;
use crate::errors::{are_contained, handles_errors};
use crate::finding::{Finding, Place};
use crate::looping::is_side_module;
use crate::paths::scopes;
use crate::race::mutators::last_name;
use crate::rule::{Question, Rule};
use crate::scopes::entered_kind;
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Literal, Name, Role, ScopeKind, SuspendKind};
use racewalk_link::{FunctionRef, How, Program, Site, Type};
use racewalk_models::{ClassKind, Joins};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/fail-fast-leak",
    question: Question::Cancel,
    severity: Severity::Warning,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "one of several operations fails, and the others go on and change things with nobody waiting",
    source: include_str!("fail_fast_leak.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        for site in ctx.program.sites(ctx.function_ref(function)) {
            let joins = ctx.program.model_at(site).and_then(|model| model.joins);
            if joins == Some(Joins::FailFast)
                && let Some(finding) = judge(ctx, function, site)
            {
                ctx.report(function, finding, found);
            }
        }
    }
}

fn judge(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    let this = ctx.function_ref(function);
    if ctx.module.role(site.call) != Role::Awaited
        || settles(ctx, site.call)
        || ctx.shared.alone.contains(&this)
        || ctx.shared.beginnings.contains(&this)
        || is_cleanup_name(ctx.module.function(function).name)
        || ctx.evaluator.args(site.call).iter().any(|arg| is_read_elsewhere(ctx, function, arg.value))
    {
        return None;
    }
    let mut work = Vec::new();
    let mut is_several = false;
    for arg in ctx.evaluator.args(site.call) {
        is_several |= arg.kind == racewalk_ir::ArgKind::Spread;
        coroutines(ctx, function, arg.value, &mut work, 4);
    }
    is_several |= work.len() > 1;
    if !is_several || work.iter().all(|call| is_cleanup(ctx.program, this, *call)) {
        return None;
    }
    if !work.iter().any(|call| can_fail(ctx, function, *call)) {
        return None;
    }
    let effect = work.iter().find_map(|call| effect_of(ctx, function, *call).map(|effect| (*call, effect)));
    let (call, effect) = match effect {
        Some((call, effect)) => (call, Some(effect)),
        None => (work[0], None),
    };
    let is_written_out = ctx.evaluator.args(site.call).iter().all(|arg| arg.kind == racewalk_ir::ArgKind::Positional);
    let belong_together = (is_written_out || work.iter().any(|other| !is_same_work(ctx, work[0], *other)))
        && !is_within_connection(ctx, function, site.call)
        && work.iter().any(|call| is_unprepared(ctx, function, *call));
    let finding = finding(ctx, function, site, call, effect, belong_together);
    let is_for_effect = effect.is_some() && is_done_for_effect(ctx, function, site.call, &work);
    Some(if is_for_effect { finding.confidence(Confidence::Likely) } else { finding })
}

/// A library's client or connection is entered around the call: leaving its block closes it, which ends those who use it.
fn is_within_connection(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let events = &ctx.module.function(function).events;
    let Some(at) = events.iter().position(|event| *event == Event::Call(call)) else { return false };
    scopes(events).into_iter().any(|(start, end, context)| {
        let is_async = matches!(events[start], Event::Enter(ScopeKind::Async, _));
        let is_connection = || {
            let models = ctx.program.site(ctx.function_ref(function), context).map(|site| ctx.program.models_at(site));
            models.is_some_and(|mut models| models.any(|model| model.network))
                || entered_kind(ctx, function, context) == Some(ClassKind::Client)
        };
        start < at && at < end && is_async && is_connection()
    })
}

/// Both calls do the same, for other elements: mostly each is right on its own.
fn is_same_work(ctx: &Context<'_>, one: ExprId, other: ExprId) -> bool {
    last_name(ctx.module, one) == last_name(ctx.module, other)
}

/// Nobody looks at the results, and one of the operations refuses by itself: the others are done for what they change.
fn is_done_for_effect(ctx: &Context<'_>, function: FunctionId, join: ExprId, work: &[ExprId]) -> bool {
    let awaited = ctx.module.parent(join);
    let is_dropped = awaited.is_some_and(|awaited| ctx.module.role(awaited) == Role::Dropped);
    let raises = |target: FunctionRef| {
        let events = &ctx.program.function(target).events;
        events.iter().any(|event| matches!(event, Event::Raise(Some(_)))) && !are_contained(ctx.program, target)
    };
    ctx.module.language.starts_at_call
        && is_dropped
        && !is_side_module(ctx.module.name.as_str())
        && work.iter().flat_map(|call| targets(ctx, function, *call)).any(raises)
}

/// The results are looked at one by one: failures are among them.
fn settles(ctx: &Context<'_>, call: ExprId) -> bool {
    ctx.evaluator
        .named_argument(call, "return_exceptions")
        .is_some_and(|value| ctx.module.expr(value) != Expr::Literal(Literal::Bool(false)))
}

/// The operation may fail: it is not known to deal with its errors.
fn can_fail(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let targets = targets(ctx, function, call);
    targets.is_empty() || targets.iter().any(|target| !are_contained(ctx.program, *target))
}

/// Nothing in the operation deals with errors.
fn is_unprepared(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let targets = targets(ctx, function, call);
    targets.is_empty() || targets.iter().any(|target| !handles_errors(ctx.program, *target))
}

fn targets(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> Vec<FunctionRef> {
    let edges = ctx.program.edges_at(ctx.function_ref(function), call).iter();
    edges.filter(|edge| edge.how == How::Calls).map(|edge| edge.target).collect()
}

/// What an operation changes.
#[derive(Clone, Copy)]
enum Effect {
    /// Something outside the process, here.
    Outside(Place),
    /// A field of an object that others have too, or a table of a module, between two waits.
    Field(Place),
}

/// The first change that the operation makes and that outlives it. What only asks, by its name, may send something for that.
fn effect_of(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> Option<Effect> {
    let this = ctx.function_ref(function);
    if only_asks(ctx, call) {
        return targets(ctx, function, call)
            .into_iter()
            .find_map(|target| changed_field(ctx.program, target, is_bookkeeping));
    }
    if let Some(site) = ctx.program.site(this, call)
        && changes_outside(ctx.program, site)
    {
        return Some(Effect::Outside(ctx.place(call)));
    }
    first_effect(ctx.program, targets(ctx, function, call))
}

/// By its name the operation brings something, and leaves the rest as it is.
fn only_asks(ctx: &Context<'_>, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let (Expr::Attr(_, name) | Expr::Name(name, _)) = ctx.module.expr(callee) else { return false };
    let name = name.as_str().to_ascii_lowercase();
    let words = [
        "get",
        "list",
        "load",
        "read",
        "search",
        "fetch",
        "find",
        "query",
        "retriev",
        "score",
        "rank",
        "extract",
        "eval",
        "generat",
        "embed",
        "comput",
        "check",
        "count",
        "summar",
        "analy",
        "parse",
        "build",
        "ask",
        "complet",
        "predict",
        "collect",
        "measure",
        "validat",
        "verify",
        "compare",
        "classif",
        "translat",
        "transcri",
        "describe",
        "lookup",
        "resolve",
        "download",
        "scrape",
        "crawl",
        "discover",
        "refresh",
        "poll",
        "ping",
        "test",
        "probe",
        "chat",
        "infer",
        "invoke",
        "call",
        "run",
        "process",
        "answer",
        "respon",
        "select",
        "view",
        "render",
        "convert",
        "transform",
        "map",
        "filter",
        "wait",
        "receive",
        "sleep",
        "sample",
        "inspect",
        "is_",
        "has_",
        "stat",
        "judge",
        "grade",
        "think",
    ];
    words.iter().any(|word| name.contains(word))
}

/// The nearest effect of what these functions run.
fn first_effect(program: &Program, targets: Vec<FunctionRef>) -> Option<Effect> {
    // What is farther away is mostly bookkeeping.
    const FARTHEST: u32 = 2;
    let mut seen: FxHashSet<FunctionRef> = FxHashSet::default();
    let mut open: VecDeque<(FunctionRef, u32)> = targets.into_iter().map(|target| (target, 0)).collect();
    let mut field = None;
    while let Some((function, distance)) = open.pop_front() {
        if distance > FARTHEST || !seen.insert(function) {
            continue;
        }
        let module = program.module(function.file);
        if let Some(site) = program.sites(function).iter().find(|site| writes_outside(program, function, site)) {
            return Some(Effect::Outside(Place { file: function.file, span: module.span(site.call) }));
        }
        if distance == 0 {
            field = field.or_else(|| changed_field(program, function, |_| false));
        }
        let runs = program.edges(function).iter().filter(|edge| edge.how == How::Calls);
        open.extend(runs.map(|edge| (edge.target, distance + 1)));
    }
    field
}

/// A modelled operation that changes something outside the process.
fn changes_outside(program: &Program, site: &Site) -> bool {
    !matches!(site.callee, Type::External(path) if path.first_segment() == "builtins")
        && program.models_at(site).any(|model| model.writes && (model.network || model.blocks.is_some()))
}

/// Such an operation that is waited for.
fn writes_outside(program: &Program, function: FunctionRef, site: &Site) -> bool {
    let is_waited_for = || {
        matches!(program.module(function.file).role(site.call), Role::Awaited | Role::EnteredAsync | Role::Returned)
            || program.models_at(site).any(|model| model.blocks.is_some())
    };
    changes_outside(program, site) && is_waited_for()
}

/// By its name the field keeps what was found out, or counts: whoever comes later may only save work by it.
fn is_bookkeeping(field: Name) -> bool {
    let field = field.as_str();
    let words = [
        "token",
        "usage",
        "count",
        "total",
        "cost",
        "stat",
        "model",
        "engine",
        "connection",
        "client",
        "graph",
        "index",
        "memo",
        "last",
        "time",
        "result",
        "verdict",
        "question",
        "initial",
        "loaded",
        "score",
    ];
    words.iter().any(|word| field.contains(word))
}

/// A field of the receiver that is written after a wait, and that counts.
fn changed_field(program: &Program, function: FunctionRef, is_left_out: fn(Name) -> bool) -> Option<Effect> {
    let module = program.module(function.file);
    let body = module.function(function.id);
    if !body.is_async {
        return None;
    }
    if body.class.is_none() {
        return changed_table(module, body)
            .map(|call| Effect::Field(Place { file: function.file, span: module.span(call) }));
    }
    let receiver = body.params.first()?.name;
    let mut has_waited = false;
    for event in &body.events {
        match *event {
            Event::Suspend(kind, _) if kind != SuspendKind::Yield => has_waited = true,
            Event::WritePlace(place, _) if has_waited => {
                let Expr::Attr(base, field) = module.expr(place) else { continue };
                if !is_left_out(field) && matches!(module.expr(base), Expr::Name(name, _) if name == receiver) {
                    return Some(Effect::Field(Place { file: function.file, span: module.span(place) }));
                }
            }
            _ => {}
        }
    }
    None
}

/// A table of the module that is added to after a wait.
fn changed_table(module: &racewalk_ir::Module, body: &racewalk_ir::Function) -> Option<ExprId> {
    let after = body.events.iter().skip_while(|event| !matches!(event, Event::Suspend(..)));
    let adds = |event: &Event| {
        let Event::Call(call) = *event else { return None };
        let Expr::Call(callee, _) = module.expr(call) else { return None };
        let Expr::Attr(base, method) = module.expr(callee) else { return None };
        let Expr::Name(name, racewalk_ir::Defs::Outer) = module.expr(base) else { return None };
        let is_of_module = module.function(FunctionId(0)).symbol(name).is_some();
        let is_addition = matches!(method.as_str(), "add" | "set" | "push");
        (is_of_module && is_addition).then_some(call)
    };
    let is_counted = module.language.starts_at_call;
    after.filter(|_| is_counted).find_map(adds)
}

fn finding(
    ctx: &Context<'_>,
    function: FunctionId,
    site: &Site,
    call: ExprId,
    effect: Option<Effect>,
    belong_together: bool,
) -> Finding {
    let work = ctx.program.callee_text(ctx.file, call);
    let message = match effect {
        Some(_) => {
            format!("when one of these fails, the others go on: `{work}()` changes things, with nobody waiting for it")
        }
        None => {
            format!("when one of these fails, the others go on, with nobody waiting for them (`{work}()` and its like)")
        }
    };
    let confidence = match effect {
        _ if is_side_module(ctx.module.name.as_str()) => Confidence::Possible,
        Some(Effect::Outside(_)) if belong_together => Confidence::Likely,
        // What an object keeps for itself mostly stays right, whether the others succeed or not.
        _ => Confidence::Possible,
    };
    let mut finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .confidence(confidence)
        .help(ctx.module.language.not_leaving_any)
        .shape(work);
    if let Some(Effect::Outside(place) | Effect::Field(place)) = effect {
        finding = finding.related(place, "the change");
    }
    finding
}
