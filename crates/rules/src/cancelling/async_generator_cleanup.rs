//! # cancel/async-generator-cleanup
//!
//! An asynchronous generator hands out a value inside a task group, time limit or cancel scope; or is left before its end,
//! and its cleanup runs at nobody's time.
//!
//! ## What it is
//! A `yield` suspends the generator and lets its consumer run, for as long as it likes, in whichever task. A block that
//! belongs to the generator is still open then. A time limit in it cancels the *consumer's* task, wherever that is. A task
//! group in it cancels the consumer when a child fails. And when the consumer breaks out of its loop, the generator is not
//! closed by that: it stays suspended, its `finally` and its open connections with it, until the garbage collector finds
//! it, and then runs its cleanup in another task, or not at all when the loop has ended.
//!
//! ```python bad
//! import asyncio
//! from collections.abc import AsyncIterator
//!
//!
//! async def read(stream) -> AsyncIterator[bytes]:
//!     async with asyncio.timeout(30):
//!         while chunk := await stream.read():
//!             yield chunk
//! ```
//!
//! ## What one observes
//! - The consumer is cancelled in the middle of its own work, by a limit that it has never seen.
//! - `RuntimeError: Attempted to exit cancel scope in a different task than it was entered in`.
//! - Connections, files and locks that stay open long after the loop that used them; `ResourceWarning`.
//! - At exit: `asynchronous generator was not closed`, or a cleanup that fails because the loop is gone.
//!
//! ## Why tests pass all the same
//! Tests take every element, so that the generator comes to its end; nothing takes long, so that no limit strikes while it
//! is suspended.
//!
//! ## The structural fix
//! Keep the block around what the generator itself waits for, and `yield` outside of it.
//!
//! ```python good
//! import asyncio
//! from collections.abc import AsyncIterator
//!
//!
//! async def read(stream) -> AsyncIterator[bytes]:
//!     while True:
//!         async with asyncio.timeout(30):
//!             chunk = await stream.read()
//!         if not chunk:
//!             return
//!         yield chunk
//! ```
//!
//! Where the consumer may stop early, let it say so: `async with contextlib.aclosing(rows()) as items: async for item in
//! items: …`. What needs a task group for its whole life is better a context manager that gives a channel to read from.
//!
//! ## Fixes that do not work
//! - `finally` in the generator: it runs when the generator is closed, which nobody does.
//! - `del generator`, `gc.collect()`: the cleanup is handed to the loop, and runs later, in another task.
//! - `asyncio.shield` in the generator: the scope around the `yield` is what strikes.
//!
//! ## Cues for a reviewer
//! - `yield` indented below `async with TaskGroup()`, `timeout(…)`, `fail_after(…)`.
//! - `break` or `return` in an `async for` over a generator that holds a connection.
//!
//! ## Where it is silent
//! - Context managers made from a generator, fixtures: their `yield` is entered and left by one task.
//! - `aclosing` around the loop, or a call of `aclose`.
//! - Generators that hold nothing while they are suspended.
//! - Loops that take every element.
//!
//! ## Symptoms
//! - `RuntimeError: Attempted to exit cancel scope in a different task than it was entered in`
//! - `RuntimeError: async generator ignored GeneratorExit`
//! - `an error occurred during closing of asynchronous generator`
//!
//! ## The mutation that introduces it
//! Move a `yield` into the `async with` above it; or replace `async with aclosing(…)` by a bare `async for`.
//!
//! ## Difficulty
//! Hard: each line is right by itself.
//!
//! ## Related rules
//! `cancel/swallowed-cancellation`, `bound/permit-leak`, `cancel/unshielded-cleanup`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_side_module;
use crate::paths::{Guarded, scopes};
use crate::rule::{Question, Rule};
use crate::scopes::entered_kind;
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Role, SuspendKind};
use racewalk_link::{FunctionRef, Program, Type};
use racewalk_models::{ClassKind, Serves};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/async-generator-cleanup",
    question: Question::Cancel,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "an asynchronous generator yields inside a task group or time limit, or is left without being closed",
    source: include_str!("async_generator_cleanup.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if !body.is_async {
            continue;
        }
        if body.is_generator && !is_managed(ctx.program, ctx.function_ref(function)) {
            yields_inside(ctx, function, found);
        }
        for event in &body.events {
            if let Event::Loop(Some(source)) = *event
                && ctx.module.role(source) == Role::IteratedAsync
                && let Some(finding) = left_open(ctx, function, source)
            {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// One task enters and leaves the generator: it is a context manager or a fixture. A decorator of which nothing is known may
/// make one of it.
fn is_managed(program: &Program, function: FunctionRef) -> bool {
    let is_fixture = program
        .entries
        .get(&function)
        .is_some_and(|entry| matches!(entry.entry.serves, Serves::Fixture | Serves::Lifespan));
    let value = program.function_value(function);
    is_fixture
        || !program.function(function).decorators.is_empty() && !matches!(value, Type::Function(_) | Type::Method(..))
}

/// A value is handed out while a task group, time limit or cancel scope of the generator is open.
fn yields_inside(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let events = &ctx.module.function(function).events;
    for (start, end, context) in scopes(events) {
        let yielded = events[start..end].iter().find_map(|event| match *event {
            Event::Suspend(SuspendKind::Yield, value) => Some(value),
            _ => None,
        });
        let Some(value) = yielded else { continue };
        let Some(what) = scope_kind(ctx, function, context) else { continue };
        let text = ctx.program.path_text(ctx.file, context);
        let message = format!(
            "the generator hands out a value inside `{text}`: {what}, in the middle of the consumer's own work"
        );
        let finding = Finding::new(&RULE, ctx.place(value), ctx.symbol(function), message)
            .confidence(if is_side_module(ctx.module.name.as_str()) {
                Confidence::Possible
            } else {
                Confidence::Certain
            })
            .help("keep the block around what the generator itself waits for, and yield outside of it")
            .related(ctx.place(context), "open while the consumer runs")
            .shape(text);
        ctx.report(function, finding, found);
        return;
    }
}

/// What a scope does to whoever runs inside it.
fn scope_kind(ctx: &Context<'_>, function: FunctionId, context: ExprId) -> Option<&'static str> {
    match entered_kind(ctx, function, context)? {
        ClassKind::TaskGroup => Some("when a task of the group fails, the consumer is cancelled"),
        ClassKind::Deadline => Some("when its time is over, the consumer is cancelled"),
        _ => None,
    }
}

/// A loop over a generator of the program that holds something, left before the generator's end.
fn left_open(ctx: &Context<'_>, function: FunctionId, source: ExprId) -> Option<Finding> {
    let site = ctx.program.site(ctx.function_ref(function), source)?;
    let (Type::Function(generator) | Type::Method(generator, _)) = site.callee else { return None };
    let events = &ctx.module.function(function).events;
    let start = events.iter().position(|event| *event == Event::Loop(Some(source)))?;
    let exit = leaves(&events[start..])?;
    let held = held_while_suspended(ctx.program, generator)?;
    let callee = ctx.program.callee_text(ctx.file, source);
    let message = format!(
        "the loop is left and the generator `{callee}()` is not closed: what it holds is given back at nobody's time"
    );
    let mut finding = Finding::new(&RULE, ctx.place(source), ctx.symbol(function), message)
        // The last reference goes with the loop, and the loop's hook ends the generator soon after: mostly soon enough.
        .confidence(Confidence::Possible)
        .help(format!("`async with contextlib.aclosing({callee}(…)) as items:` around the loop over `items`"))
        .related(held, "held while the generator is suspended")
        .shape(callee.clone());
    if let Some(exit) = exit {
        finding = finding.related(ctx.place(exit), "left here");
    }
    Some(finding)
}

/// The loop that begins these events returns or breaks: with the value, where there is one.
fn leaves(events: &[Event]) -> Option<Option<ExprId>> {
    let mut depth = 0;
    for event in events {
        match event {
            Event::Loop(_) => depth += 1,
            Event::EndLoop => depth -= 1,
            Event::Return(value) => return Some(*value),
            Event::Break if depth == 1 => return Some(None),
            _ => {}
        }
        if depth == 0 {
            return None;
        }
    }
    None
}

/// What the generator holds at a `yield`: a block that waits when it is left, or a cleanup that does.
fn held_while_suspended(program: &Program, generator: FunctionRef) -> Option<Place> {
    let body = program.function(generator);
    if !body.is_async || !body.is_generator || is_managed(program, generator) {
        return None;
    }
    let module = program.module(generator.file);
    let yields = |start: usize, end: usize| {
        body.events[start..end].iter().any(|event| matches!(event, Event::Suspend(SuspendKind::Yield, _)))
    };
    let place = |expr: ExprId| Place { file: generator.file, span: module.span(expr) };
    let block = scopes(&body.events).into_iter().find(|(start, end, _)| {
        matches!(body.events[*start], Event::Enter(racewalk_ir::ScopeKind::Async, _)) && yields(*start, *end)
    });
    if let Some((.., context)) = block {
        return Some(place(context));
    }
    Guarded::all(&body.events).into_iter().find_map(|(start, guarded)| {
        let (from, to) = guarded.cleanup.filter(|_| yields(start, guarded.body_end))?;
        body.events[from..to].iter().find_map(|event| match *event {
            Event::Suspend(SuspendKind::Await, operand) if matches!(module.expr(operand), Expr::Call(..)) => {
                Some(place(operand))
            }
            _ => None,
        })
    })
}
