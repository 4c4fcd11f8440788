//! # await/async-callback
//!
//! An async function is handed to something that calls it and drops what it returns.
//!
//! ## What it is
//! A callback interface that knows nothing of coroutines calls the function and ignores its result, or uses the
//! result as the value. For an `async def` function the call only makes a coroutine; the body never runs. That
//! holds for timers of the loop (`call_soon`, `call_later`, `add_done_callback`), signal handlers, `Thread` and
//! `Timer` targets, `executor.submit`, `atexit.register`, `sorted(key=…)`, `filter`, `map` whose results nobody
//! awaits, and for decorators of frameworks that accept plain functions only (click commands, Celery tasks,
//! Hypothesis' `@given` without an async test plugin).
//!
//! ```python bad
//! import asyncio
//!
//!
//! async def flush() -> None:
//!     await asyncio.sleep(0)
//!     print("flushed")
//!
//!
//! async def serve() -> None:
//!     await asyncio.sleep(2)
//!
//!
//! async def main() -> None:
//!     asyncio.get_running_loop().call_later(1, flush)
//!     await serve()
//!
//!
//! asyncio.run(main())
//! ```
//!
//! ## What one observes
//! The callback does nothing. No exception reaches the code that registered it. As a predicate (`filter(is_open,
//! xs)`) everything passes, because a coroutine object is true. As a sort key it raises. A Celery task answers with
//! a coroutine that cannot be serialised; an async click command prints nothing and exits with status 0; an async
//! test passes without having run, or is refused.
//!
//! ## Why tests pass all the same
//! Tests call the async function directly and await it. The registration is exercised at most through a mock that
//! records that a callback was registered. The never-awaited warning is issued inside the library that made the
//! call, so it names a line of the standard library.
//!
//! ## The structural fix
//! Put something between that owns the coroutine. For the loop's own timers, a task that sleeps first, held by a
//! `TaskGroup` or an attribute; for threads, a plain target that runs a loop of its own; for collections, `gather`
//! before the result is used.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def flush() -> None:
//!     await asyncio.sleep(1)
//!     print("flushed")
//!
//!
//! async def serve() -> None:
//!     await asyncio.sleep(2)
//!
//!
//! async def main() -> None:
//!     async with asyncio.TaskGroup() as group:
//!         group.create_task(flush())
//!         await serve()
//!
//!
//! asyncio.run(main())
//! ```
//!
//! ## Fixes that do not work
//! - `lambda: flush()` or `functools.partial(flush)` as the callback: the call still returns a coroutine to
//!   somebody who drops it.
//! - `lambda: asyncio.run(flush())` in a callback of the loop: a loop is running in that thread; see
//!   `loop/nested-event-loop`.
//! - `lambda: asyncio.create_task(flush())`: it runs, but the task is dropped; see `await/floating-task`.
//! - `await asyncio.to_thread(flush)`: the thread makes the coroutine and hands it back; the body still has not run.
//! - Making the callback plain by blocking inside (`future.result()`): it then holds up the loop; see
//!   `loop/blocking-call`.
//!
//! ## Cues for a reviewer
//! - A name of an `async def` without parentheses as an argument of something that is not part of asyncio, or of
//!   one of the `call_*` and `add_*` methods of the loop.
//! - `@given`, `@click.command`, `@app.task` directly above `async def`.
//! - `map`, `filter`, `sorted`, `max` over async functions without a `gather`.
//!
//! ## Where it is silent
//! - The callee awaits what the callback returns: functions of the program that do `await callback()`, also under
//!   `inspect.isawaitable`, and parameters typed `Callable[…, Awaitable[…]]`.
//! - Frameworks that accept async handlers: FastAPI, Starlette (`BackgroundTasks.add_task` included), aiohttp,
//!   discord.py, `anyio.from_thread.run`, `start_soon`, `asyncio.start_server`.
//! - `gather(*map(f, xs))`, `[f(x) for x in xs]` that is gathered later, `pool.submit(asyncio.run, f())`.
//! - `@given` on an async test that pytest-asyncio or anyio runs.
//! - Registries that only store the function.
//!
//! ## Symptoms
//! - `RuntimeWarning: coroutine '…' was never awaited`: with a line in `asyncio/events.py`, `threading.py` or
//!   `concurrent/futures/thread.py`.
//! - `TypeError: coroutines cannot be used with call_soon()`: `call_soon`, `call_later` and `call_at` with the loop
//!   in debug mode (the method's name is in the text).
//! - `TypeError: coroutines cannot be used with add_signal_handler()`: always.
//! - `TypeError: coroutines cannot be used with run_in_executor()`: in debug mode.
//! - `TypeError: '<' not supported between instances of 'coroutine' and 'coroutine'`: an async sort key.
//! - `hypothesis.errors.InvalidArgument: Hypothesis doesn't know how to run async test functions`: `@given`.
//! - `async def functions are not natively supported.`: pytest without a plugin for async tests.
//! - `kombu.exceptions.EncodeError: Object of type coroutine is not JSON serializable`: an async Celery task.
//!
//! ## The mutation that introduces it
//! Make a registered plain callback `async def` and leave the registration alone; or replace
//! `await asyncio.gather(*map(f, xs))` by `list(map(f, xs))`.
//!
//! ## Difficulty
//! Medium: one must know that the callee does not await.
//!
//! ## Related rules
//! `await/missing-await`, `await/floating-task`, `await/callback-mix`, `loop/nested-event-loop`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_test_module;
use crate::rule::{Question, Rule};
use racewalk_ir::{ArgKind, Expr, ExprId, FunctionId, Role};
use racewalk_link::{Answer, FunctionRef, Site, Type};
use racewalk_models::{Call, Position, Runs, Serves};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/async-callback",
    question: Question::Await,
    severity: Severity::Error,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "an async function is handed to something that drops the coroutine it returns",
    source: include_str!("async_callback.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        decorated(ctx, function, found);
        for site in ctx.program.sites(ctx.function_ref(function)) {
            let Some(model) = ctx.program.model_at(site) else {
                given_to_own(ctx, function, site, found);
                continue;
            };
            for position in dropped_positions(model) {
                if let Some(handed) = handed(ctx, site.call, &position)
                    && let Some(finding) = judge(ctx, function, site.call, handed)
                {
                    ctx.report(function, finding, found);
                }
            }
        }
    }
}

/// A function of the program that calls one of its parameters and drops the result.
fn given_to_own(ctx: &Context<'_>, function: FunctionId, site: &Site, found: &mut Vec<Finding>) {
    let (target, skipped) = match site.callee {
        Type::Function(target) => (target, 0),
        Type::Method(target, _) => (target, 1),
        _ => return,
    };
    for (position, arg) in ctx.evaluator.args(site.call).iter().enumerate() {
        let is_named_value = matches!(ctx.module.expr(arg.value), Expr::Name(..) | Expr::Attr(..) | Expr::Lambda(_));
        if arg.kind == ArgKind::Positional
            && is_named_value
            && drops_result_of(ctx, target, position + skipped)
            && let Some(finding) = judge(ctx, function, site.call, arg.value)
        {
            ctx.report(function, finding, found);
        }
    }
}

/// Every call of the parameter drops what it gives, and there is one.
fn drops_result_of(ctx: &Context<'_>, target: FunctionRef, position: usize) -> bool {
    let module = ctx.program.module(target.file);
    let is_param = |binding: &racewalk_ir::BindingId| {
        let kind = module.bindings[binding.index()].kind;
        matches!(kind, racewalk_ir::BindingKind::Param(at) if at as usize == position)
    };
    let calls_it = |site: &&Site| match module.expr(site.call) {
        Expr::Call(callee, _) => match module.expr(callee) {
            Expr::Name(_, defs) => module.defs(&defs).iter().any(is_param),
            _ => false,
        },
        _ => false,
    };
    let mut calls = ctx.program.sites(target).iter().filter(calls_it).peekable();
    calls.peek().is_some() && calls.all(|site| module.role(site.call) == Role::Dropped)
}

/// The callbacks whose result the callee drops.
fn dropped_positions(model: &Call) -> Vec<Position> {
    // A callee that hands back what the callback gives (`map`) leaves it to its caller.
    let hands_back = |position: &Position| match (position, &model.returns) {
        (Position::Index(at), Some(returns)) => returns.gives_call_of(*at as usize),
        _ => false,
    };
    let mut positions: Vec<Position> = model.callbacks.iter().filter(|p| !hands_back(p)).cloned().collect();
    if model.runs_loop {
        return positions;
    }
    positions.extend(model.offloads.map(Position::Index));
    if let Some(entry) = model.entry.as_ref().filter(|entry| entry.asynchronous == Runs::Dropped) {
        positions.extend(entry.handlers.iter().cloned());
    }
    positions.dedup();
    positions
}

fn handed(ctx: &Context<'_>, call: ExprId, position: &Position) -> Option<ExprId> {
    let args = ctx.evaluator.args(call);
    match position {
        Position::Index(at) => {
            args.iter().filter(|arg| arg.kind == ArgKind::Positional).nth(*at as usize).map(|arg| arg.value)
        }
        Position::Name(name) => ctx.evaluator.named_argument(call, name),
    }
}

fn judge(ctx: &Context<'_>, function: FunctionId, call: ExprId, handed: ExprId) -> Option<Finding> {
    let value = ctx.evaluator.eval(function, handed);
    if !gives_coroutine(ctx, value) {
        return None;
    }
    let callee = ctx.program.callee_text(ctx.file, call);
    let language = ctx.module.language;
    if is_executor(ctx, function, call) {
        return None;
    }
    let what = match ctx.module.expr(handed) {
        Expr::Lambda(_) if language.starts_at_call => "the function".to_owned(),
        Expr::Lambda(_) => "the lambda".to_owned(),
        _ => format!("`{}`", ctx.program.path_text(ctx.file, handed)),
    };
    let given = language.awaitable;
    let consequence =
        if language.starts_at_call { "nobody waits for it, and its error is lost" } else { "its body never runs" };
    let message =
        format!("{what} is asynchronous, and `{callee}()` drops the {given} that calling it gives: {consequence}");
    let mut finding = Finding::new(&RULE, ctx.place(handed), ctx.symbol(function), message)
        .help(help(ctx, &callee))
        .shape(callee.clone());
    if language.starts_at_call {
        finding = finding.at_most(sureness(ctx, function, call, value));
    }
    if let Type::Function(target) | Type::Method(target, _) = value
        && ctx.program.function(target).is_async
    {
        finding = finding.related(definition(ctx, target), "declared `async` here");
    }
    Some(finding)
}

/// What makes a promise may not want to be waited for, and does not want a callback: that is another rule's.
fn is_executor(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let site = ctx.program.site(ctx.function_ref(function), call);
    matches!(site.map(|site| site.callee), Some(Type::External(path))
        if ctx.module.language.awaitable_class == Some(path.as_str()))
}

/// Where a call has started the work, only its end and its errors are lost: who is called later, by a timer or for an event, is
/// waited for by nobody in any case.
fn sureness(ctx: &Context<'_>, function: FunctionId, call: ExprId, value: Type) -> Confidence {
    let model = ctx.program.site(ctx.function_ref(function), call).and_then(|site| ctx.program.model_at(site));
    let is_later = model.is_some_and(|model| model.calls_later);
    let is_safe = match value {
        Type::Function(target) | Type::Method(target, _) => crate::errors::are_contained(ctx.program, target),
        _ => false,
    };
    // Which of the frameworks with these names runs the tests decides whether it waits for such a function.
    match (is_later || is_test_module(ctx.module.name.as_str()), is_safe) {
        (true, _) => Confidence::Possible,
        (false, true) => Confidence::Likely,
        (false, false) => Confidence::Certain,
    }
}

fn help(ctx: &Context<'_>, callee: &str) -> String {
    let last = callee.rsplit('.').next().unwrap_or(callee);
    if ctx.module.language.starts_at_call {
        return match last {
            "forEach" => {
                "`for (const item of items) await …` for one after another, or `await Promise.all(items.map(…))`"
            }
            "filter" | "some" | "every" | "find" | "findIndex" | "sort" | "flatMap" => {
                "await the answers first, `await Promise.all(items.map(…))`, and decide by them"
            }
            _ => "hand over a plain function that handles what the asynchronous one rejects with",
        }
        .to_owned();
    }
    match last {
        "map" | "filter" | "sorted" | "min" | "max" | "sort" => {
            "await the coroutines first: `await asyncio.gather(*map(f, items))`, and use the results".to_owned()
        }
        "submit" | "Thread" | "Timer" | "to_thread" | "run_in_executor" => {
            "await it on the loop, or hand over a plain function".to_owned()
        }
        _ => "hand over a plain function that starts the coroutine as a task which somebody keeps".to_owned(),
    }
}

/// Calling the value gives a coroutine.
fn gives_coroutine(ctx: &Context<'_>, value: Type) -> bool {
    let is_callable = matches!(
        value,
        Type::Function(_)
            | Type::Method(..)
            | Type::MadeAsync(_)
            | Type::Partial(_)
            | Type::External(_)
            | Type::ExternalMethod(..)
    );
    is_callable && {
        let given = ctx.evaluator.called(value);
        matches!(given, Type::Coroutine(_)) && ctx.evaluator.awaitable(given) == Answer::Yes
    }
}

fn definition(ctx: &Context<'_>, target: FunctionRef) -> Place {
    Place { file: target.file, span: ctx.program.function(target).name_span }
}

/// An async function under a decorator whose framework calls it as a plain one.
fn decorated(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let body = ctx.module.function(function);
    if !body.is_async || body.is_generator || body.decorators.is_empty() {
        return;
    }
    let this = ctx.function_ref(function);
    let Some(entry) = ctx.program.entries.get(&this) else { return };
    let runs_it = || body.decorators.iter().any(|decorator| awaits_for_it(ctx, function, *decorator));
    if entry.entry.asynchronous != Runs::Dropped || runs_it() {
        return;
    }
    let (caller, help) = match entry.entry.serves {
        Serves::Test => (
            "the test runner calls it as a plain function",
            "run the async part inside a plain test: `asyncio.run(…)`, one state an example",
        ),
        Serves::Command => (
            "the command line calls it as a plain function",
            "make the command a plain function that ends in `asyncio.run(main())`",
        ),
        _ => ("its framework calls it as a plain function", "make it a plain function that starts the coroutine"),
    };
    let message = format!("`{}` is asynchronous, but {caller} and drops the coroutine: its body never runs", body.name);
    let finding =
        Finding::new(&RULE, ctx.at(body.name_span), ctx.symbol(function), message).help(help).shape("decorated");
    ctx.report(function, finding, found);
}

/// Another decorator nearer to the function, or around it, runs the coroutine.
fn awaits_for_it(ctx: &Context<'_>, function: FunctionId, decorator: ExprId) -> bool {
    let outside = ctx.module.function(function).parent.unwrap_or(FunctionId(0));
    use racewalk_link::decorators::{Effect, effect_of};
    let called = match ctx.module.expr(decorator) {
        Expr::Call(callee, _) => callee,
        _ => decorator,
    };
    let is_entry = ctx.program.model_of(ctx.evaluator.eval(outside, called)).is_some_and(|model| model.entry.is_some());
    !is_entry
        && matches!(
            effect_of(&ctx.evaluator, outside, decorator),
            Effect::MakesSync | Effect::Unknown | Effect::PlainWrapper
        )
}
