//! # loop/cross-thread-call
//!
//! A method of an event loop, or of an object that belongs to one, is called from another thread.
//!
//! ## What it is
//! Event loops, tasks, asyncio's futures, events, queues and transports are not thread-safe. They may be used in
//! the thread of their loop only. Two things go wrong elsewhere: their state can be changed by two threads at the
//! same time, and the loop is not woken. It sleeps in its selector until something it watches happens; a callback
//! that another thread put into its queue does not count.
//!
//! Other threads are: thread targets and timers, functions passed to executors and `to_thread`, callbacks of
//! `concurrent.futures` futures, library threads, and plain `def` endpoints that a framework runs in its pool.
//!
//! ```python bad
//! import asyncio
//! import threading
//! import time
//!
//!
//! class Sensor:
//!     def __init__(self, queue: asyncio.Queue[float]) -> None:
//!         self.queue = queue
//!
//!     def _read(self) -> None:
//!         while True:
//!             time.sleep(1)
//!             self.queue.put_nowait(20.5)
//!
//!     def start(self) -> None:
//!         threading.Thread(target=self._read, daemon=True).start()
//!
//!
//! async def main() -> None:
//!     queue: asyncio.Queue[float] = asyncio.Queue(maxsize=100)
//!     Sensor(queue).start()
//!     while True:
//!         print(await queue.get())
//! ```
//!
//! ## What one observes
//! - The waiting task wakes late: at the next timer or packet of the loop, in an idle service perhaps never. In a
//!   busy service it looks right.
//! - `create_task` and `get_running_loop` raise at once, since no loop runs in that thread.
//! - Rarely: a lost item, a callback that runs twice or not at all, an `InvalidStateError`.
//!
//! ## Why tests pass all the same
//! Tests have short timeouts and heartbeats, so the loop wakes up often. Without debug mode nothing checks the
//! thread. On a small test the two threads hardly meet.
//!
//! ## The structural fix
//! Cross the border with one of the calls made for it: `loop.call_soon_threadsafe(f, …)` for a plain call,
//! `asyncio.run_coroutine_threadsafe(c, loop)` for a coroutine, `anyio.from_thread.run` in anyio's workers. Take
//! the loop in the coroutine that starts the thread, and hand it over. Or let the thread return its result, and
//! await that.
//!
//! ```python good
//! import asyncio
//! import threading
//! import time
//!
//!
//! class Sensor:
//!     def __init__(self, queue: asyncio.Queue[float], loop: asyncio.AbstractEventLoop) -> None:
//!         self.queue = queue
//!         self.loop = loop
//!
//!     def _read(self) -> None:
//!         while True:
//!             time.sleep(1)
//!             self.loop.call_soon_threadsafe(self.queue.put_nowait, 20.5)
//!
//!     def start(self) -> None:
//!         threading.Thread(target=self._read, daemon=True).start()
//!
//!
//! async def main() -> None:
//!     queue: asyncio.Queue[float] = asyncio.Queue(maxsize=100)
//!     Sensor(queue, asyncio.get_running_loop()).start()
//!     while True:
//!         print(await queue.get())
//! ```
//!
//! ## Fixes that do not work
//! - A `threading.Lock` around the call: the loop's own use of the object takes no such lock, and the loop is still
//!   not woken.
//! - `asyncio.get_event_loop()` in the thread: there is none in a worker thread, so it raises.
//! - `asyncio.new_event_loop()` or `asyncio.run` in the thread: another loop, to which the object does not belong; see
//!   `loop/cross-loop-primitive`.
//! - A task in the loop that sleeps for a short time again and again, so that it wakes up: the delay becomes
//!   bounded, the race stays.
//! - `call_soon_threadsafe(queue.put, item)`: `put` is a coroutine function, so nothing is put; use `put_nowait`.
//!
//! ## Cues for a reviewer
//! - `put_nowait`, `set_result`, `set`, `cancel`, `call_soon`, `create_task` in a function that is a thread's
//!   target or is passed to an executor.
//! - A callback of a library with threads of its own (MQTT, gRPC, file watchers, audio) that touches asyncio objects.
//! - `def` endpoints that start tasks.
//!
//! ## Where it is silent
//! - `call_soon_threadsafe`, `run_coroutine_threadsafe`, `anyio.from_thread`, `asyncio.wrap_future`.
//! - Objects of threads: `queue.Queue`, `threading.Event`, `concurrent.futures.Future`.
//! - A thread that runs a loop of its own, inside the coroutines of that loop.
//! - Done-callbacks of asyncio's tasks and callbacks of the loop: these run in its thread.
//! - Reading without side effects: `queue.qsize()`, `task.done()`.
//! - `possible`, shown with `--strict`: more than one helper between the function that is handed to the thread and the
//!   call, or any between a framework's plain handler and the call.
//!
//! ## Symptoms
//! - `RuntimeError: no running event loop`: `create_task`, `get_running_loop` or `asyncio.timeout` in a worker thread.
//! - `RuntimeError: There is no current event loop in thread '…'.`: `get_event_loop`, `ensure_future` there.
//! - `RuntimeError: Non-thread-safe operation invoked on an event loop other than the current one`: in debug mode.
//! - `asyncio.exceptions.InvalidStateError: invalid state`: two threads set the same future.
//! - `RuntimeWarning: coroutine '…' was never awaited`: the coroutine that was given to the failed `create_task`.
//!
//! ## The mutation that introduces it
//! Replace `loop.call_soon_threadsafe(f, x)` by `f(x)` or by `loop.call_soon(f, x)`; replace
//! `run_coroutine_threadsafe(c, loop)` by `loop.create_task(c)`.
//!
//! ## Difficulty
//! Hard: the call itself is correct in the loop's thread; who calls the function must be followed.
//!
//! ## Related rules
//! `loop/cross-loop-primitive`, `loop/blocking-call`, `await/async-callback`, `share/data-race`.

use crate::context::{Context, symbol};
use crate::finding::{Finding, Hop, Place};
use crate::rule::{Question, Rule};
use crate::scopes;
use racewalk_ir::{BindingKind, Defs, Expr, ExprId, FunctionId};
use racewalk_link::{How, Site, Type};
use racewalk_models::{Call, Spawns};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "loop/cross-thread-call",
    question: Question::Loop,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "a method of a loop, or of an object of a loop, is called from another thread",
    source: include_str!("cross_thread_call.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        // Who asks which loop runs knows where it is.
        let asks = ctx.program.summaries.guarded.contains(&ctx.function_ref(function));
        if asks || ctx.shared.threads.foreign(ctx.function_ref(function)).is_none() {
            continue;
        }
        let sites = ctx.program.sites(ctx.function_ref(function));
        let mut findings = sites.iter().filter_map(|site| judge(ctx, function, site));
        // Moving the function to the loop's thread mends all its calls.
        let Some(mut first) = findings.next() else { continue };
        first.related.extend(findings.map(|further| (further.at, "and here".to_owned())));
        ctx.report(function, first, found);
    }
}

fn judge(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    let (callee, model) = site.callee.members().iter().find_map(|callee| {
        let model = ctx.program.model_of(*callee)?;
        belongs_to_loop(*callee, model).then_some((*callee, model))
    })?;
    // A handler may take the error that a missing loop raises.
    if is_made_here(ctx, function, site.call) || scopes::is_caught_as(ctx, function, site.call, "RuntimeError") {
        return None;
    }
    Some(describe(ctx, function, site.call, callee, model))
}

/// Only the loop's own thread may call it: a method of an object, or a function that needs the running loop.
fn belongs_to_loop(callee: Type, model: &Call) -> bool {
    match callee {
        Type::ExternalMethod(..) => model.loop_thread_only,
        _ => model.needs_running_loop && model.spawns == Some(Spawns::Task),
    }
}

/// The receiver is a local that the function has made itself: no loop knows it yet, or making it is the finding.
fn is_made_here(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let Expr::Attr(receiver, _) = ctx.module.expr(callee) else { return false };
    let Expr::Name(_, Defs::One(binding)) = ctx.module.expr(receiver) else { return false };
    let BindingKind::Value(value) = ctx.module.bindings[binding.index()].kind else { return false };
    let Expr::Call(maker, _) = ctx.module.expr(value) else { return false };
    let maker = ctx.evaluator.eval(function, maker);
    let is_class = matches!(maker, Type::External(path) if ctx.program.models().class(path).is_some());
    is_class || ctx.program.model_of(maker).is_some_and(|model| model.spawns.is_some())
}

fn describe(ctx: &Context<'_>, function: FunctionId, call: ExprId, callee: Type, model: &Call) -> Finding {
    let text = ctx.program.callee_text(ctx.file, call);
    let what = match callee {
        Type::ExternalMethod(class, ..) => format!(
            "`{text}()` runs in another thread than the loop's: `{class}` is not thread-safe, and the loop is not woken"
        ),
        _ => format!("`{text}()` runs in a thread without an event loop: it raises RuntimeError"),
    };
    let help = match &model.instead {
        Some(instead) => format!("cross over to the loop's thread: `{instead}`"),
        None => "cross over to the loop's thread: `loop.call_soon_threadsafe(f, …)` for a plain call, \
                 `asyncio.run_coroutine_threadsafe(c, loop)` for a coroutine"
            .to_owned(),
    };
    let mut finding = Finding::new(&RULE, ctx.place(call), ctx.symbol(function), what)
        .help(help)
        .shape(ctx.program.callee_name(callee).unwrap_or(text));
    finding.chain = chain(ctx, function, call);
    finding.confidence = if is_short_way(ctx, function) { Confidence::Likely } else { Confidence::Possible };
    if let Some(handed) = finding.chain.first().filter(|_| finding.chain.len() > 1) {
        let at = handed.at;
        finding = finding.related(at, "handed to another thread here");
    }
    finding
}

/// Each step of a long way is one that a condition may stand before; what a framework runs in a thread it runs elsewhere, too.
fn is_short_way(ctx: &Context<'_>, function: FunctionId) -> bool {
    const MOST_HANDED: usize = 2;
    const MOST_OF_ENTRY: usize = 1;
    let route = ctx.shared.threads.route(ctx.function_ref(function));
    let is_handed = route
        .first()
        .is_some_and(|(from, site)| ctx.program.edges_at(*from, *site).iter().any(|edge| edge.how == How::Offloads));
    route.len() <= if is_handed { MOST_HANDED } else { MOST_OF_ENTRY }
}

/// From the hand-over to the call.
fn chain(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> Vec<Hop> {
    let route = ctx.shared.threads.route(ctx.function_ref(function));
    let mut via = "starts";
    let mut hops = Vec::with_capacity(route.len() + 1);
    for (from, site) in route {
        let module = ctx.program.module(from.file);
        let at = Place { file: from.file, span: module.span(site) };
        hops.push(Hop { symbol: symbol(module, from.id), at, via });
        via = if hops.len() == 1 { "spawns" } else { "calls" };
    }
    hops.push(Hop { symbol: ctx.symbol(function), at: ctx.place(call), via });
    hops
}
