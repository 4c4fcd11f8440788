//! # await/await-outside-async
//!
//! `await`, `async for`, `async with` or an async comprehension stands in a plain function, a lambda, a class body
//! or at module level.
//!
//! ## What it is
//! Only a coroutine can suspend, and only code of an `async def` function belongs to one. What counts is the
//! innermost function around the `await`: a plain `def` or a `lambda` inside an `async def` is a function of its
//! own, and so is the body of a class. Default values, decorators and annotations belong to the scope around the
//! function.
//!
//! The module does not compile. The defect exists in files that nobody has imported yet, in code blocks of
//! documents, and in answers of assistants; most often it is a wrong repair of a nested event loop.
//!
//! ```python bad
//! async def fetch(url: str) -> str: ...
//!
//!
//! def size_of(url: str) -> int:
//!     page = await fetch(url)
//!     return len(page)
//! ```
//!
//! ## What one observes
//! A `SyntaxError` as soon as the module is imported. Modules that are imported late (plugins, optional commands,
//! migrations) fail at that late moment, and an `except ImportError` around the import does not catch it.
//!
//! ## Why tests pass all the same
//! Tests that run the module cannot pass. It goes unseen where the module is not imported by any test: a plugin, a
//! script, a snippet in a document.
//!
//! ## The structural fix
//! Make the function `async def`, await it in its callers, and continue upwards until a function is reached that is
//! async already, or the program's edge with its one `asyncio.run`.
//!
//! ```python good
//! async def fetch(url: str) -> str: ...
//!
//!
//! async def size_of(url: str) -> int:
//!     page = await fetch(url)
//!     return len(page)
//! ```
//!
//! In `__init__`, which cannot be async, take the awaited value as a parameter and put the awaiting into an async
//! class method or an async context manager. For a key function or a default value, await first and pass the
//! result.
//!
//! ## Fixes that do not work
//! - Removing the `await`: the module compiles, and the coroutine is dropped or used as a value; see
//!   `await/missing-await`.
//! - `asyncio.run(fetch(url))` in its place: right at the edge, and an error when an async function reaches it; see
//!   `loop/nested-event-loop`.
//! - `async def __init__`: calling the class then raises, since `__init__` must return None.
//! - An async lambda: there is none; write a nested `async def`.
//! - `nest_asyncio` with `run_until_complete`: see `loop/patched-event-loop`.
//!
//! ## Cues for a reviewer
//! - A change that adds `await` to a line and leaves the `def` above it alone.
//! - A nested plain function between the `await` and the `async def`.
//! - `key=lambda x: await …`, `default=await …`.
//! - A comprehension with `await` in a plain function.
//!
//! ## Where it is silent
//! - Notebooks: cells may await at top level.
//! - Generator expressions with `await` or `async for` in a plain function: they make an async generator and are
//!   legal, since whoever iterates it must be async.
//! - An `async def` inside a plain function, an `async def` method inside a class body.
//! - Text: docstrings, comments, string literals.
//!
//! ## Symptoms
//! - `SyntaxError: 'await' outside async function`: in a plain function or lambda.
//! - `SyntaxError: 'await' outside function`: at module level, in a class body, a default value or a decorator.
//! - `SyntaxError: 'async for' outside async function`: the statement.
//! - `SyntaxError: 'async with' outside async function`: the statement.
//! - `SyntaxError: asynchronous comprehension outside of an asynchronous function`: a list, set or dict
//!   comprehension with `await` or `async for`.
//!
//! ## The mutation that introduces it
//! Remove `async` from an `async def` and keep its body; or wrap an awaiting statement in a nested plain function.
//!
//! ## Difficulty
//! Easy: the compiler says so, provided that something compiles the file.
//!
//! ## Related rules
//! `loop/nested-event-loop`, `await/missing-await`, `await/await-non-awaitable`.

use crate::context::Context;
use crate::finding::Finding;
use crate::rule::{Question, Rule};
use racewalk_ir::{Event, ExprId, FunctionId, FunctionKind, Span, SuspendKind};
use racewalk_report::Severity;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/await-outside-async",
    question: Question::Await,
    severity: Severity::Error,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "`await`, `async for` or `async with` in a plain function",
    source: include_str!("await_outside_async.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        if !may_suspend(ctx, function) {
            let mut deferred = 0;
            for event in &ctx.module.function(function).events {
                match *event {
                    Event::Defer => deferred += 1,
                    Event::EndDefer => deferred -= 1,
                    // In a generator expression it makes an asynchronous generator, which a plain function may build.
                    Event::Suspend(kind, operand) if deferred == 0 => {
                        found.extend(judge(ctx, function, kind, operand));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn may_suspend(ctx: &Context<'_>, function: FunctionId) -> bool {
    let body = ctx.module.function(function);
    match body.kind {
        FunctionKind::Function => body.is_async,
        FunctionKind::Module => ctx.module.own_loop || ctx.module.language.suspends_at_top,
        FunctionKind::Lambda | FunctionKind::ClassBody => false,
    }
}

fn judge(ctx: &Context<'_>, function: FunctionId, kind: SuspendKind, operand: ExprId) -> Option<Finding> {
    let (what, expr) = match kind {
        SuspendKind::Await => ("`await`", ctx.module.parent(operand).unwrap_or(operand)),
        SuspendKind::Iterate => ("`async for`", operand),
        SuspendKind::Enter => ("`async with`", operand),
        SuspendKind::Exit | SuspendKind::Yield => return None,
    };
    let body = ctx.module.function(function);
    let (within, help) = match body.kind {
        FunctionKind::Module => (
            "at the top level of a module".to_owned(),
            "move it into an `async def main()` and start that with `asyncio.run(main())`".to_owned(),
        ),
        FunctionKind::ClassBody => ("in the body of a class".to_owned(), "move it into an `async def`".to_owned()),
        FunctionKind::Lambda => ("in a lambda".to_owned(), "write an `async def` in its place".to_owned()),
        FunctionKind::Function => (
            format!("in the plain function `{}`", body.name),
            format!("make it `{} {}` and await it at each of its calls", ctx.module.language.async_function, body.name),
        ),
    };
    let span = ctx.module.span(expr);
    let message = format!("{what} {within} is a syntax error: the module cannot be imported");
    let at = ctx.at(Span::new(span.start, span.end));
    Some(Finding::new(&RULE, at, ctx.symbol(function), message).help(help).shape(what))
}
