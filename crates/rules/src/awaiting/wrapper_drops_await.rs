//! # await/wrapper-drops-await
//!
//! A plain wrapper around an async function is over before the awaitable that it returns has run.
//!
//! ## What it is
//! A plain function that calls an async one gets a coroutine and returns it. That is harmless, unless the wrapper
//! does something that is meant to surround the work: a `try`/`except`, a `finally`, a `with`, a timing span, a
//! retry loop, a context variable that is set and reset. All of that is finished when the wrapper returns, and the
//! coroutine starts to run afterwards, when the caller awaits it.
//!
//! The usual form is a decorator written for plain functions and applied to an async one. `return coro` inside
//! `try` in any plain function is the same.
//!
//! ```python bad
//! import asyncio
//! import functools
//! import time
//!
//!
//! def timed(fn):
//!     @functools.wraps(fn)
//!     def wrapper(*args, **kwargs):
//!         started = time.perf_counter()
//!         try:
//!             return fn(*args, **kwargs)
//!         finally:
//!             print(fn.__name__, time.perf_counter() - started)
//!
//!     return wrapper
//!
//!
//! @timed
//! async def load(key: str) -> str:
//!     await asyncio.sleep(1)
//!     return key
//!
//!
//! asyncio.run(load("a"))
//! ```
//!
//! ## What one observes
//! - Measured durations close to zero, spans without children, counters that count starts as successes.
//! - Exceptions that pass an `except` which names them. No retry is ever made.
//! - A resource, lock or transaction that is released before the work uses it; a context variable that is reset by
//!   then.
//! - Nothing else: callers await the coroutine, and the work is done.
//!
//! ## Why tests pass all the same
//! The result is right on the good path. The wrapper's own tests decorate a plain function. A test that the handler
//! catches errors is often missing, or replaces the function by a mock whose call raises at once, which the
//! `except` does catch.
//!
//! ## The structural fix
//! Await inside the surrounding block. A decorator for both kinds tests once, at decoration, and builds the wrapper
//! that fits.
//!
//! ```python good
//! import asyncio
//! import functools
//! import inspect
//! import time
//!
//!
//! def timed(fn):
//!     if inspect.iscoroutinefunction(fn):
//!
//!         @functools.wraps(fn)
//!         async def async_wrapper(*args, **kwargs):
//!             started = time.perf_counter()
//!             try:
//!                 return await fn(*args, **kwargs)
//!             finally:
//!                 print(fn.__name__, time.perf_counter() - started)
//!
//!         return async_wrapper
//!
//!     @functools.wraps(fn)
//!     def wrapper(*args, **kwargs):
//!         started = time.perf_counter()
//!         try:
//!             return fn(*args, **kwargs)
//!         finally:
//!             print(fn.__name__, time.perf_counter() - started)
//!
//!     return wrapper
//!
//!
//! @timed
//! async def load(key: str) -> str:
//!     await asyncio.sleep(1)
//!     return key
//!
//!
//! asyncio.run(load("a"))
//! ```
//!
//! ## Fixes that do not work
//! - `asyncio.run(fn(…))` in the wrapper: inside a running loop it raises; see `loop/nested-event-loop`.
//! - `asyncio.create_task(fn(…))` in the wrapper: the work starts a little earlier, and still ends after the wrapper.
//! - An async wrapper for everything: plain functions that carry the decorator then return a coroutine to callers
//!   who do not await.
//! - `functools.wraps`: it copies the name and not the behaviour; `iscoroutinefunction` of the wrapper stays false,
//!   so that frameworks which ask will run it in a thread.
//! - A test for `asyncio.iscoroutine(result)` after the `try`: right in place and too late for the `except`, unless
//!   the await happens inside the block.
//!
//! ## Cues for a reviewer
//! - `def wrapper(*args, **kwargs)` with `return fn(*args, **kwargs)` between `try` and `except`, and `async def`
//!   functions under that decorator.
//! - A span or timer that reports microseconds for a network call.
//! - `return self._client.get(…)` inside `with` or `try` of a plain method of an async class.
//!
//! ## Where it is silent
//! - Wrappers that test for coroutine functions or awaitable results and await them.
//! - Plain pass-through: the wrapper does something before the call, or only registers, and surrounds nothing.
//! - Decorators that are applied to plain functions only.
//! - Async wrappers that await; wrappers whose blocks end before the call.
//!
//! ## Symptoms
//! - `RuntimeWarning: coroutine '…' was never awaited`: a framework took the wrapper for a plain function and
//!   dropped the result.
//! - `TypeError: Object of type coroutine is not JSON serializable`: the same, with the result sent as an answer.
//! - `ValueError: [TypeError("'coroutine' object is not iterable"), …]`: the same, in FastAPI's encoder.
//! - `Task exception was never retrieved`: the exception passed the wrapper's handler in a task.
//!
//! ## The mutation that introduces it
//! In an async wrapper, replace `async def` by `def` and `return await fn(…)` by `return fn(…)`.
//!
//! ## Difficulty
//! Hard: the wrapper is correct for plain functions, the decorated function is correct by itself, and the result is
//! right.
//!
//! ## Related rules
//! `await/missing-await`, `await/async-callback`, `share/misplaced-context`, `cancel/swallowed-error`.

use crate::context::Context;
use crate::finding::Finding;
use crate::rule::{Question, Rule};
use racewalk_ir::{Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Name, Role};
use racewalk_link::{FunctionRef, Type};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/wrapper-drops-await",
    question: Question::Await,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "a wrapper around an async function is done before the coroutine runs",
    source: include_str!("wrapper_drops_await.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        let wraps = match body.kind {
            FunctionKind::Function => body.parent.filter(|parent| takes_function(ctx, *parent)),
            _ => None,
        };
        let before = found.len();
        if let Some(decorator) = wraps {
            judge(ctx, decorator, function, found);
        }
        if !body.is_async && body.kind == FunctionKind::Function && found.len() == before {
            hands_out_from_block(ctx, function, found);
        }
    }
}

/// A plain function that returns a coroutine out of a `try` or `with`: the block is left before the coroutine runs.
fn hands_out_from_block(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    for site in ctx.program.sites(ctx.function_ref(function)) {
        if ctx.module.role(site.call) != Role::Returned {
            continue;
        }
        let value = ctx.evaluator.eval(function, site.call);
        if !matches!(value, Type::Coroutine(_)) || tells_apart(ctx, function) {
            continue;
        }
        let Some(around) = block_around(ctx, function, site.call) else { continue };
        let gives_values_too = || {
            let values = &ctx.module.function(function).return_values;
            values.iter().any(|value| !matches!(ctx.evaluator.eval(function, *value), Type::Coroutine(_)))
        };
        if around == "`try`" && (handles_itself(ctx, site.callee) || gives_values_too()) {
            continue;
        }
        let callee = ctx.program.callee_text(ctx.file, site.call);
        let message = format!(
            "this {around} is left before the coroutine that `{callee}()` gives has run: it sees neither its errors nor its \
             duration"
        );
        let name = ctx.module.function(function).name;
        let finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
            .help(format!("make `{name}` an `async def` and `return await {callee}(…)`"))
            .shape(around);
        ctx.report(function, finding, found);
    }
}

/// The async function has a guarded block of its own: its twin's is for the plain way.
fn handles_itself(ctx: &Context<'_>, callee: Type) -> bool {
    match callee {
        Type::Function(target) | Type::Method(target, _) => {
            ctx.program.function(target).events.iter().any(|event| matches!(event, Event::Handler(_)))
        }
        _ => false,
    }
}

/// The `try` (with handlers) or `with` whose body a call stands in.
fn block_around(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> Option<&'static str> {
    let is_at = |event: &Event| matches!(event, Event::Call(this) if *this == call);
    if !crate::scopes::handlers_around(ctx, function, is_at).is_empty() {
        return Some("`try`");
    }
    let mut entered = 0;
    for event in &ctx.module.function(function).events {
        match event {
            Event::Enter(..) => entered += 1,
            Event::Exit(..) => entered -= 1,
            event if is_at(event) => break,
            _ => {}
        }
    }
    (entered > 0).then_some("`with`")
}

/// A function around others, with a parameter that may be the function it wraps.
fn takes_function(ctx: &Context<'_>, decorator: FunctionId) -> bool {
    let body = ctx.module.function(decorator);
    body.kind == FunctionKind::Function && !body.params.is_empty()
}

/// Calls of the wrapped function inside the wrapper whose result is not awaited there.
fn judge(ctx: &Context<'_>, decorator: FunctionId, wrapper: FunctionId, found: &mut Vec<Finding>) {
    let calls = calls_of_params(ctx, decorator, wrapper);
    let Some((name, _)) = calls.first().copied() else { return };
    let family =
        |function: &FunctionId| *function == decorator || ctx.module.function(*function).parent == Some(decorator);
    if ctx.functions().filter(family).any(|function| tells_apart(ctx, function)) {
        return;
    }
    let is_async = ctx.module.function(wrapper).is_async;
    for (_, call) in calls.iter().copied().filter(|(called, _)| *called == name) {
        let finding = if is_async {
            unawaited_in_async(ctx, decorator, wrapper, name, call)
        } else {
            over_before_it_runs(ctx, decorator, wrapper, call)
        };
        if let Some(finding) = finding {
            ctx.report(wrapper, finding, found);
            return;
        }
    }
}

/// Calls of the decorator's parameters in the wrapper.
fn calls_of_params(ctx: &Context<'_>, decorator: FunctionId, wrapper: FunctionId) -> Vec<(Name, ExprId)> {
    let outer = ctx.module.function(decorator);
    let events = &ctx.module.function(wrapper).events;
    let called = |event: &Event| match event {
        Event::Call(call) => match ctx.module.expr(*call) {
            Expr::Call(callee, _) => match ctx.module.expr(callee) {
                Expr::Name(name, Defs::Outer) if outer.params.iter().any(|param| param.name == name) => {
                    Some((name, *call))
                }
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    events.iter().filter_map(called).collect()
}

/// Looks whether the function is a coroutine function, or the result an awaitable: it knows both kinds.
fn tells_apart(ctx: &Context<'_>, function: FunctionId) -> bool {
    ctx.module.function(function).events.iter().any(|event| {
        let Event::Call(call) = event else { return false };
        let Expr::Call(callee, _) = ctx.module.expr(*call) else { return false };
        let (Expr::Name(name, _) | Expr::Attr(_, name)) = ctx.module.expr(callee) else { return false };
        let name = name.as_str().trim_start_matches('_');
        name.starts_with("is_async")
            || name.starts_with("iscoroutine")
            || name.starts_with("is_coroutine")
            || name.starts_with("isawaitable")
            || name.starts_with("is_awaitable")
            || name.starts_with("isasyncgen")
    })
}

/// In an async wrapper: the call's coroutine is returned as the wrapper's result, so that awaiting the wrapper gives a
/// coroutine, while the same call is awaited elsewhere in it.
fn unawaited_in_async(
    ctx: &Context<'_>,
    decorator: FunctionId,
    wrapper: FunctionId,
    name: Name,
    call: ExprId,
) -> Option<Finding> {
    if ctx.module.role(call) != Role::Returned || ctx.module.function(wrapper).is_generator {
        return None;
    }
    let sibling = calls_of_params(ctx, decorator, wrapper)
        .into_iter()
        .find(|(called, other)| *called == name && ctx.module.role(*other) == Role::Awaited);
    let wraps_generators = wrapped_functions(ctx, decorator).iter().any(|wrapped| {
        let body = ctx.program.function(*wrapped);
        body.is_async && body.is_generator
    }) || declares_async_iterator(ctx, decorator, name)
        || returns_async_generator(ctx, wrapper);
    if wraps_generators {
        let message = format!(
            "this async wrapper returns the asynchronous generator that `{name}()` gives: a call of the decorated \
             function then gives a coroutine, and `async for` over it raises TypeError"
        );
        let finding = Finding::new(&RULE, ctx.place(call), ctx.symbol(wrapper), message)
            .help(format!("iterate in the wrapper: `async for item in {name}(…): yield item`"))
            .confidence(Confidence::Likely)
            .related(ctx.at(ctx.module.function(wrapper).name_span), "this wrapper is `async` and no generator")
            .shape("returns generator");
        return Some(finding);
    }
    let (_, awaited) = sibling?;
    let message = format!(
        "`{name}(…)` is returned without `await` here, though it is awaited elsewhere in this wrapper: who awaits the \
         decorated function once gets a coroutine"
    );
    let finding = Finding::new(&RULE, ctx.place(call), ctx.symbol(wrapper), message)
        .help(format!("`return await {name}(…)`"))
        .related(ctx.place(awaited), "awaited here")
        .confidence(Confidence::Certain)
        .shape("returns unawaited");
    Some(finding)
}

/// In a plain wrapper: something around the call (a handler, a timing, a context) is over before the coroutine runs.
fn over_before_it_runs(ctx: &Context<'_>, decorator: FunctionId, wrapper: FunctionId, call: ExprId) -> Option<Finding> {
    if !is_returned(ctx, call) {
        return None;
    }
    let around = work_around(ctx, wrapper, call)?;
    let wrapped = wrapped_functions(ctx, decorator);
    let is_async = |function: &&FunctionRef| {
        let body = ctx.program.function(**function);
        body.is_async && !body.is_generator
    };
    let example = wrapped.iter().find(is_async)?;
    let name = &ctx.program.function(*example).name;
    let message = format!(
        "this wrapper's {around} is over before the coroutine that `{name}` gives has run: it sees neither its errors nor \
         its duration"
    );
    let place = crate::finding::Place { file: example.file, span: ctx.program.function(*example).name_span };
    let finding = Finding::new(&RULE, ctx.place(call), ctx.symbol(wrapper), message)
        .help("give coroutine functions an `async def` wrapper that awaits: test with `inspect.iscoroutinefunction`")
        .related(place, "an async function that is wrapped")
        .shape(around);
    Some(finding)
}

/// Returned, at once or through a local.
fn is_returned(ctx: &Context<'_>, call: ExprId) -> bool {
    match ctx.module.role(call) {
        Role::Returned => true,
        Role::Stored => ctx
            .bound_to(call)
            .iter()
            .any(|binding| ctx.reads_of(*binding).iter().any(|(_, read)| ctx.module.role(*read) == Role::Returned)),
        _ => false,
    }
}

/// What the wrapper does around the call, in words.
fn work_around(ctx: &Context<'_>, wrapper: FunctionId, call: ExprId) -> Option<&'static str> {
    let events = &ctx.module.function(wrapper).events;
    let at = events.iter().position(|event| matches!(event, Event::Call(this) if *this == call))?;
    let mut open: Vec<&'static str> = Vec::new();
    for event in &events[..at] {
        match event {
            Event::Try => open.push("`try`"),
            Event::Enter(..) => open.push("`with`"),
            Event::EndTry | Event::Exit(..) => {
                open.pop();
            }
            Event::Handler(_) | Event::Finally => {
                if let Some(innermost) = open.last_mut() {
                    *innermost = "";
                }
            }
            _ => {}
        }
    }
    if let Some(around) = open.iter().rev().find(|around| !around.is_empty()) {
        return Some(around);
    }
    // `result = f(); log(); return result`: something is done between.
    let is_stored = ctx.module.role(call) == Role::Stored;
    let works_after = events[at + 1..].iter().any(|event| matches!(event, Event::Call(_)));
    (is_stored && works_after).then_some("work after the call")
}

/// The functions of the program that the decorator is applied to.
fn wrapped_functions<'c>(ctx: &'c Context<'_>, decorator: FunctionId) -> &'c [FunctionRef] {
    let mut outermost = decorator;
    // `def retry(times): def decorate(f): def wrapper(…)`: it is the factory that is applied.
    while let Some(parent) = ctx.module.function(outermost).parent {
        if ctx.module.function(parent).kind != FunctionKind::Function {
            break;
        }
        outermost = parent;
    }
    ctx.shared.decorated_by.get(&ctx.function_ref(outermost)).map_or(&[], Vec::as_slice)
}

/// Another path of the wrapper returns an asynchronous generator.
fn returns_async_generator(ctx: &Context<'_>, wrapper: FunctionId) -> bool {
    let values = &ctx.module.function(wrapper).return_values;
    values.iter().any(|value| matches!(ctx.evaluator.eval(wrapper, *value), Type::AsyncGenerator(_)))
}

/// The parameter is declared to be a function that gives an asynchronous iterator.
fn declares_async_iterator(ctx: &Context<'_>, decorator: FunctionId, name: Name) -> bool {
    let body = ctx.module.function(decorator);
    let annotation = body.params.iter().find(|param| param.name == name).and_then(|param| param.annotation);
    let outside = body.parent.unwrap_or(FunctionId(0));
    annotation.is_some_and(|annotation| match ctx.evaluator.annotation(outside, annotation) {
        Type::Callable(result) => matches!(result.get(), Type::AsyncGenerator(_)),
        _ => false,
    })
}

/// For each function used as a decorator: the functions that it decorates.
pub(crate) fn decorated_by(program: &racewalk_link::Program) -> rustc_hash::FxHashMap<FunctionRef, Vec<FunctionRef>> {
    let mut map: rustc_hash::FxHashMap<FunctionRef, Vec<FunctionRef>> = rustc_hash::FxHashMap::default();
    for file in program.files() {
        let module = program.module(file);
        if module.functions.iter().all(|function| function.decorators.is_empty()) {
            continue;
        }
        let evaluator = program.evaluator(file);
        for (id, function) in module.functions.iter().enumerate() {
            let this = FunctionRef { file, id: FunctionId(id as u32) };
            for decorator in &function.decorators {
                let named = match module.expr(*decorator) {
                    Expr::Call(callee, _) => callee,
                    _ => *decorator,
                };
                let value = evaluator.eval(function.parent.unwrap_or(FunctionId(0)), named);
                if let Type::Function(decorator) | Type::Method(decorator, _) = value {
                    map.entry(decorator).or_default().push(this);
                }
            }
        }
    }
    map
}
