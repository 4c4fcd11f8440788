//! # loop/nested-event-loop
//!
//! An event loop is started, or run to completion, in a thread whose loop is already running.
//!
//! ## What it is
//! A thread runs one event loop at a time. `asyncio.run`, `asyncio.Runner.run`, `loop.run_until_complete`,
//! `loop.run_forever`, `anyio.run` and `trio.run` each start one and return when it has finished. Called while a
//! loop runs in the same thread they raise at once, and the coroutine that they were given never runs. (`trio.run`
//! notices only a loop of trio; inside an asyncio loop it does not raise, and blocks that loop until it is done.)
//!
//! The call rarely stands in the async function itself. It sits in a plain helper, written "for synchronous
//! callers", and is reached through any number of plain functions, methods, properties, constructors and modules
//! from a coroutine. The finding is at the call in the async function, and shows the chain. The cells of a notebook
//! run in a loop too.
//!
//! ```python bad
//! import asyncio
//!
//!
//! async def fetch(url: str) -> str:
//!     await asyncio.sleep(0)
//!     return url
//!
//!
//! def title_of(url: str) -> str:
//!     async def runner() -> str:
//!         page = await fetch(url)
//!         return page.title()
//!
//!     return asyncio.run(runner())
//!
//!
//! async def handler(url: str) -> int:
//!     await asyncio.sleep(0)
//!     return len(title_of(url))
//! ```
//!
//! ## What one observes
//! A `RuntimeError` on every call that comes from async code, not only under load; with it a warning that the inner
//! coroutine was never awaited. The same helper works from a script or a shell. Under a broad `except` the helper
//! seems to return nothing, and the fallback is taken always.
//!
//! ## Why tests pass all the same
//! Plain tests call the helper from plain code, where no loop runs. Async tests replace the helper by a mock. Only
//! a test that goes through the real handler, in the real server's loop, meets both.
//!
//! ## The structural fix
//! Make the helper async, await the inner work in it, and let the change travel up: every caller on the chain
//! becomes async and awaits, until the chain reaches the function that is async already. At the program's edge, and
//! only there, stands one `asyncio.run(main())`.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def fetch(url: str) -> str:
//!     await asyncio.sleep(0)
//!     return url
//!
//!
//! async def title_of(url: str) -> str:
//!     page = await fetch(url)
//!     return page.title()
//!
//!
//! async def handler(url: str) -> int:
//!     return len(await title_of(url))
//!
//!
//! def main() -> None:
//!     print(asyncio.run(handler("a")))
//!
//!
//! if __name__ == "__main__":
//!     main()
//! ```
//!
//! If plain callers remain, give them an entry of their own at the edge (`def title_of_blocking(url)` that calls
//! `asyncio.run`), and keep async code away from it. In a notebook, write `await main()` in the cell.
//!
//! ## Fixes that do not work
//! - `asyncio.get_event_loop().run_until_complete(c)`: the loop that it finds is the one that runs;
//!   `This event loop is already running`.
//! - `asyncio.new_event_loop().run_until_complete(c)`: a thread runs one loop at a time, whichever it is;
//!   `Cannot run the event loop while another loop is running`.
//! - `return await runner()` in the plain `def`: a syntax error. The whole chain must become async, not one line.
//! - `nest_asyncio.apply()`: makes the running loop re-entrant, so that code between any two statements may be
//!   interrupted by any task. See `loop/patched-event-loop`.
//! - `asyncio.run_coroutine_threadsafe(c, loop).result()` on one's own loop: waits in the loop's thread for the
//!   loop; it never returns.
//! - `ThreadPoolExecutor().submit(asyncio.run, c).result()`: no error any more, but the loop's thread waits for the
//!   other one. It blocks every task, and locks or clients of the first loop fail in the second.
//! - `try: asyncio.get_running_loop()` with two branches: right when the branch for async callers returns something
//!   that they await; the usual form falls back to one of the above.
//!
//! ## Cues for a reviewer
//! - `asyncio.run` or `run_until_complete` anywhere but at the program's edge.
//! - An async inner function named `runner`, `_run` or `_inner`, called in the line after.
//! - A comment that says "wrapper for sync callers".
//! - A plain function between an async caller and an async callee.
//!
//! ## Where it is silent
//! - `__main__` guards, command-line entry points, plain tests, Celery tasks: no loop runs there.
//! - Functions reached only in a thread of their own: `to_thread`, executors, `Thread(target=…)`; plain `def`
//!   endpoints and dependencies that FastAPI, Starlette or Django run in a thread pool.
//! - Code behind a check whether a loop is running.
//! - `anyio.from_thread.run` and `asyncio.run_coroutine_threadsafe`, which use a loop in place of starting one.
//! - A coroutine function that is passed to a thread which runs it (`submit(asyncio.run, c)` without waiting for it).
//!
//! ## Symptoms
//! - `RuntimeError: asyncio.run() cannot be called from a running event loop`: `asyncio.run`.
//! - `RuntimeError: Runner.run() cannot be called from a running event loop`: `asyncio.Runner`.
//! - `RuntimeError: This event loop is already running`: `run_until_complete` or `run_forever` of the running loop.
//! - `RuntimeError: Cannot run the event loop while another loop is running`: the same on a new loop.
//! - `RuntimeWarning: coroutine '…' was never awaited`: beside each of these, naming the coroutine that was to run.
//! - `RuntimeError: Already running asyncio in this thread`: `anyio.run`.
//! - `RuntimeError: Attempted to call run() from inside a run()`: `trio.run`.
//!
//! ## The mutation that introduces it
//! Turn an async helper into a plain one: move its body into an inner `async def`, return `asyncio.run(inner())`,
//! and drop the `await` at its call sites. With each plain function put between caller and helper it gets harder to
//! see.
//!
//! ## Difficulty
//! Easy when both ends are in one function; medium to hard through helpers, properties and modules.
//!
//! ## Related rules
//! `loop/patched-event-loop`, `loop/loop-per-call`, `loop/blocking-call`, `await/await-outside-async`,
//! `await/missing-await`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::runs_on_loop;
use crate::rule::{Question, Rule};
use racewalk_ir::{ExprId, FunctionId};
use racewalk_link::{Route, Sink, SinkKind, Trouble, Way};
use racewalk_report::Confidence::{Certain, Possible};
use racewalk_report::Severity;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "loop/nested-event-loop",
    question: Question::Loop,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "an event loop is started while one runs in the same thread",
    source: include_str!("nested_event_loop.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    // Where the program patches its loop to be re-entrant, starting one inside another does work; that it is patched is
    // the finding.
    if ctx.shared.is_loop_patched {
        return;
    }
    for function in ctx.functions().filter(|function| runs_on_loop(ctx, *function)) {
        if ctx.program.summaries.guarded.contains(&ctx.function_ref(function)) {
            continue;
        }
        direct(ctx, function, found);
        through_helpers(ctx, function, found);
    }
}

/// Loop starts in the function itself.
fn direct(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    for number in ctx.program.summaries.sinks_of(this) {
        let sink = &ctx.program.summaries.sinks[number as usize];
        let way = ctx.program.own_way(&ctx.guards, this, sink.site);
        if sink.kind == SinkKind::StartsLoop && way != Way::Barred {
            let finding = describe(ctx, function, sink.site, None, sink);
            ctx.report(function, finding.at_most(if way == Way::Open { Possible } else { Certain }), found);
        }
    }
}

/// Helpers between the first and the start of a loop, beyond which it is likelier than not that the way there is never taken.
const FARTHEST: u16 = 3;

/// Loop starts that plain functions called from here get to.
fn through_helpers(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let mut seen: Vec<(ExprId, u32)> = Vec::new();
    let this = ctx.function_ref(function);
    for edge in ctx.program.edges(this) {
        let Some(route) = ctx.program.route(&ctx.guards, Trouble::StartsLoop, this, edge, FARTHEST) else { continue };
        if seen.iter().any(|(site, sink)| *site == edge.site || *sink == route.sink) {
            continue;
        }
        seen.push((edge.site, route.sink));
        let sink = &ctx.program.summaries.sinks[route.sink as usize];
        let sure = if route.way == Way::Open || route.is_by_override() { Possible } else { Certain };
        let finding = describe(ctx, function, edge.site, Some(&route), sink).at_most(sure);
        ctx.report(function, finding, found);
    }
}

fn describe(ctx: &Context<'_>, function: FunctionId, site: ExprId, through: Option<&Route>, sink: &Sink) -> Finding {
    let start = ctx.program.callee_text(sink.function.file, sink.site);
    let called = ctx.program.callee_text(ctx.file, site);
    let within = ctx.symbol(function);
    let message = match through {
        None if within == "<module>" => {
            format!("`{called}()` starts an event loop while the notebook's own loop runs: it raises RuntimeError")
        }
        None => {
            format!("`{called}()` starts an event loop inside `{within}`, which runs on one: it raises RuntimeError")
        }
        Some(_) => format!(
            "`{called}()` gets to `{start}()`, which starts an event loop while the one that runs `{within}` is running: \
             it raises RuntimeError"
        ),
    };
    let help = match through {
        None => "await the coroutine here".to_owned(),
        Some(route) => {
            let helper = ctx.program.function(route.legs[0].function).name;
            format!(
                "make `{helper}` and what it calls down to `{start}()` asynchronous, and await it: `await {called}(…)`"
            )
        }
    };
    let module = ctx.program.module(sink.function.file);
    let sink_place = Place { file: sink.function.file, span: module.span(sink.site) };
    let shape = format!("{}>{start}", sink_name(ctx, sink));
    let mut finding = Finding::new(&RULE, ctx.place(site), within, message).help(help).shape(shape.clone());
    finding.cluster = shape;
    finding.chain = ctx.hops(function, site, through.map_or(&[], |route| &route.legs));
    if through.is_some() {
        finding = finding.related(sink_place, "the loop is started here");
    }
    finding
}

fn sink_name(ctx: &Context<'_>, sink: &Sink) -> String {
    ctx.program.qualified(sink.function)
}
