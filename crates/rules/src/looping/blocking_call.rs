//! # loop/blocking-call
//!
//! A call blocks the event loop's thread: while it runs, no other task, timer or connection makes progress.
//!
//! ## What it is
//! An event loop runs all its tasks in one thread, one at a time, and switches between them only at suspension
//! points. A call that waits inside the operating system (a sleep, a synchronous HTTP or database request, a name
//! look-up, a subprocess, a file, a thread lock) or that computes for long holds that thread, and with it every
//! task of the loop. Being called from an `async def` function does not change what the call does.
//!
//! The call need not stand in the async function. It may be reached through plain helpers, methods, properties,
//! constructors and other modules; the finding is then at the call in the async function and shows the chain to the
//! sink.
//!
//! A special case does not end at all: a wait, in the loop's thread, for work that needs that loop.
//! `run_coroutine_threadsafe(c, own_loop).result()` waits for a coroutine that can only run once the wait is over.
//! That is a deadlock on the first call.
//!
//! ```python bad
//! import time
//!
//! import requests
//!
//!
//! class RateClient:
//!     def fetch(self, currency: str) -> float:
//!         for attempt in range(3):
//!             response = requests.get(f"https://rates.example/{currency}", timeout=5)
//!             if response.ok:
//!                 return float(response.text)
//!             time.sleep(attempt)
//!         raise RuntimeError(currency)
//!
//!
//! async def quote(client: RateClient, amount: float, currency: str) -> float:
//!     return amount * client.fetch(currency)
//! ```
//!
//! ## What one observes
//! - Latency of unrelated requests rises with the number of calls in flight: ten handlers that block for 200 ms
//!   each take two seconds together, although each is "async".
//! - Health checks and heartbeats time out, web sockets are closed by the peer, timers fire late, `asyncio.timeout`
//!   expires after its time, because the loop did not get to look at the clock.
//! - CPU use is low while the service does not answer.
//! - The deadlock form: the first call never returns, and neither does anything else in the process's loop.
//!
//! ## Why tests pass all the same
//! A test makes one call at a time, so there is nobody to be held up. The blocked function returns the right value.
//! Mocks and local servers answer at once. Slow steps are reported in a debug mode at most, which then
//! names the coroutine, not the line that blocked.
//!
//! ## The structural fix
//! Use the library's asynchronous interface (`httpx.AsyncClient`, `aiohttp`, `asyncio.sleep`,
//! `asyncio.create_subprocess_exec`, an async database driver). Where there is none, move the whole blocking
//! function to a thread at the boundary: `await asyncio.to_thread(f, …)`. For work of pure Python that computes,
//! use a process pool; a thread does not free the interpreter lock.
//!
//! ```python good
//! import asyncio
//!
//! import httpx
//!
//!
//! class RateClient:
//!     def __init__(self, http: httpx.AsyncClient) -> None:
//!         self.http = http
//!
//!     async def fetch(self, currency: str) -> float:
//!         for attempt in range(3):
//!             response = await self.http.get(f"https://rates.example/{currency}", timeout=5)
//!             if response.is_success:
//!                 return float(response.text)
//!             await asyncio.sleep(attempt)
//!         raise RuntimeError(currency)
//!
//!
//! async def quote(client: RateClient, amount: float, currency: str) -> float:
//!     return amount * await client.fetch(currency)
//! ```
//!
//! For a lock, choose the lock of the same world: `asyncio.Lock` between tasks. A `threading.Lock` that guards a
//! few plain statements and is never held across an `await` may stay.
//!
//! ## Fixes that do not work
//! - `async def` around the blocking body: the keyword adds no thread. It also moves a FastAPI endpoint out of the
//!   thread pool, where it did no harm, onto the loop, where it does.
//! - `await asyncio.sleep(0)` before or after the call: other tasks run at that point, and then the call blocks as
//!   before.
//! - `run_in_executor(None, f())` or `to_thread(f())`: the parentheses call `f` in the loop's thread; the executor
//!   gets the result.
//! - A thread for work that computes in pure Python: the interpreter lock lets one thread run at a time, so the
//!   loop still waits its turn. Libraries that release the lock (hashing of large buffers, compression, NumPy) do
//!   gain.
//! - A shorter time limit on the blocking call: the loop is then held for that long, at every call.
//! - More workers or processes: each has a loop that blocks in the same way.
//! - `asyncio.run` around an async client in the helper: that is `loop/nested-event-loop`.
//! - For the deadlock, a time limit on `.result()`: the wait now ends, always with a `TimeoutError`.
//!
//! ## Cues for a reviewer
//! - `time.sleep`, `requests`, `subprocess.run`, `sqlite3`, `psycopg2`, `boto3`, `open`, `input`, `.result()`,
//!   `.join()`, `.acquire()` in an `async def`, or in a plain function that an `async def` calls.
//! - A constructor or property that reads a file or opens a connection.
//! - `with some_thread_lock:` with an `await` in its body.
//! - An endpoint changed from `def` to `async def` whose body did not change.
//! - A call inside the parentheses of `to_thread` or `run_in_executor`.
//!
//! ## Where it is silent
//! - The function is passed, not called, to `asyncio.to_thread`, `run_in_executor`, `run_in_threadpool`,
//!   `anyio.to_thread.run_sync`, `sync_to_async` or an executor's `submit`, also through `functools.partial`, a
//!   lambda or a nested function.
//! - Plain `def` endpoints and dependencies of FastAPI and Starlette, Celery tasks, thread targets: no loop runs in
//!   their thread.
//! - Code that runs before the loop starts: module level, `main`, commands.
//! - Paths that only plain code reaches.
//! - Waits that cannot wait: `.result()` of a future that is known to be done, `acquire(blocking=False)`, `get_nowait`.
//! - Chains that this caller cannot take: the call's own arguments, or the defaults that it leaves, bar the way.
//! - Archives and tables over a file in memory, datagram sockets, processes that have been killed, what stands after
//!   `sys.exit()` or `os._exit()`.
//! - `possible`, shown with `--strict`: work on one local file, except where bytes that somebody brings are stored in one go
//!   below a handler, or a handler reads a whole file of bytes; sqlite, whose files lie here; what is mostly over within
//!   milliseconds, like removing a folder, converting a picture or adding to an archive; questions to a database
//!   in helpers to which no request is known to get; waits for threads, futures and pools that were started elsewhere, or before another wait; looking
//!   up a name where no request gets to; work on a directory that the function itself has made; `input()` where
//!   nothing is served; what a variable of the environment or a parameter's default leaves off; filling a field once;
//!   handlers of last resort; modules of a command line; a loop that a plain function starts for one job. Loops that
//!   compute.
//!
//! ## Symptoms
//! - `Executing <Task finished name='…' coro=<…() done, defined at …> … took … seconds`: asyncio's debug mode; the
//!   place is where the coroutine is defined.
//! - `Executing <Handle … at … created at …> took … seconds`: the same for a callback.
//! - `blockbuster.blockbuster.BlockingError: Blocking call to …`: the blockbuster library patches known calls.
//! - `TimeoutError`: from `.result(timeout=…)` on a future of one's own loop, or from requests whose time ran out
//!   while the loop stood still.
//!
//! ## The mutation that introduces it
//! Replace an asynchronous call by its synchronous counterpart (`await asyncio.sleep(n)` by `time.sleep(n)`, `await
//! client.get(u)` by `requests.get(u)`), or replace `await asyncio.to_thread(f, x)` by `f(x)`. A harder variant
//! does so in a helper two calls away.
//!
//! ## Difficulty
//! Easy for a sink in the async function itself; hard when a property or a constructor in another module leads to it.
//!
//! ## Related rules
//! `loop/nested-event-loop`, `loop/cross-thread-call`, `await/unnecessary-async`, `share/inconsistent-lock`,
//! `bound/no-timeout`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::runs_on_loop;
use crate::looping::weight::{
    confidence, holds_up_nobody, is_at_beginning, is_mild_through_helpers, is_mostly_short, is_small,
};
use crate::rule::{Question, Rule};
use crate::scopes;
use racewalk_ir::{Event, Expr, ExprId, FunctionId, FunctionKind, Role, ScopeKind, SuspendKind};
use racewalk_link::{Route, Sink, SinkKind, Trouble, Type, Way};
use racewalk_models::{Blocks, ClassKind, Serves};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashSet;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "loop/blocking-call",
    question: Question::Loop,
    severity: Severity::Error,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "a call that blocks the event loop's thread, directly or through plain functions",
    source: include_str!("blocking_call.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions().filter(|function| runs_on_loop(ctx, *function)) {
        if is_start_up(ctx, function) {
            continue;
        }
        direct(ctx, function, found);
        by_name(ctx, function, found);
        through_helpers(ctx, function, found);
        held_across_await(ctx, function, found);
    }
}

/// Helpers beyond the one that is called, after which it is likelier than not that the way there is never taken.
const FARTHEST: u16 = 1;

/// Runs once, before or after requests are served.
fn is_start_up(ctx: &Context<'_>, function: FunctionId) -> bool {
    let entry = ctx.program.entry_runs(ctx.function_ref(function));
    let is_once = matches!(entry, Some((Serves::Lifespan | Serves::Command | Serves::Test | Serves::Fixture, _)));
    // In a notebook a cell that blocks holds up nobody but its reader.
    is_once || ctx.module.function(function).kind == FunctionKind::Module
}

fn direct(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let summaries = &ctx.program.summaries;
    let own: Vec<&Sink> =
        summaries.sinks_of(ctx.function_ref(function)).map(|number| &summaries.sinks[number as usize]).collect();
    // A chain of calls on one line is one piece of work.
    let sites: FxHashSet<ExprId> = own.iter().map(|sink| sink.site).collect();
    let is_part = |sink: &Sink| is_called_on(ctx, &sites, sink.site);
    let weighed: Vec<Weighed<'_>> =
        own.iter().filter(|sink| !is_part(sink)).filter_map(|sink| weighed(ctx, function, sink)).collect();
    // So is work on files: the weightiest call stands for it.
    let of_files = weighed.iter().rev().filter(|call| call.blocks == Blocks::File);
    let weightiest = of_files.max_by_key(|call| call.sure).map(|call| call.sink.site);
    let is_ready = ctx.module.function(function).events.iter().any(|event| matches!(event, Event::Handler(Some(_))));
    let mut reported: Vec<(String, usize)> = Vec::new();
    for Weighed { sink, blocks, sure } in weighed {
        // A socket that says so does not block.
        if is_ready && blocks == Blocks::Network && scopes::is_caught_as(ctx, function, sink.site, "BlockingIOError") {
            continue;
        }
        if blocks == Blocks::File && Some(sink.site) != weightiest {
            continue;
        }
        let blocker = blocker_name(ctx, sink);
        if let Some((_, first)) = reported.iter().find(|(known, at)| *known == blocker && found[*at].confidence >= sure)
        {
            found[*first].related.push((ctx.place(sink.site), "and here".to_owned()));
            continue;
        }
        let finding = describe(ctx, function, sink.site, None, sink, blocks).confidence(sure);
        reported.push((blocker, found.len()));
        ctx.report(function, finding, found);
    }
}

/// A call that blocks, and how sure it is that it holds up others.
struct Weighed<'p> {
    sink: &'p Sink,
    blocks: Blocks,
    sure: Confidence,
}

fn weighed<'p>(ctx: &Context<'p>, function: FunctionId, sink: &'p Sink) -> Option<Weighed<'p>> {
    let SinkKind::Blocks(blocks) = sink.kind else { return None };
    let way = ctx.program.own_way(&ctx.guards, sink.function, sink.site);
    let is_mild = sink.is_bounded
        || is_mostly_short(ctx, function, sink, blocks)
        || way == Way::Open
        || is_at_beginning(ctx, function, sink.site)
        || is_small(ctx, function, blocks, sink);
    let sure = if is_mild { Confidence::Possible } else { confidence(ctx, function, blocks, true) };
    (way != Way::Barred).then_some(Weighed { sink, blocks, sure })
}

/// `inner(…).outer(…)`: the call's receiver is one of these, or is made from one.
fn is_called_on(ctx: &Context<'_>, inner: &FxHashSet<ExprId>, outer: ExprId) -> bool {
    let mut current = outer;
    loop {
        current = match ctx.module.expr(current) {
            Expr::Call(callee, _) => callee,
            Expr::Attr(base, _) | Expr::Subscript(base, _) => base,
            _ => return false,
        };
        if inner.contains(&current) {
            return true;
        }
    }
}

/// A library's function of which nothing is known but that it calls itself synchronous: `run_job_sync(…)` beside which
/// there is an asynchronous one.
fn by_name(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    for site in ctx.program.sites(ctx.function_ref(function)) {
        let Type::External(path) = site.callee else { continue };
        let is_called = !matches!(ctx.module.role(site.call), Role::Awaited | Role::EnteredAsync | Role::Callee);
        if !is_called || !says_synchronous(path.last_segment()) || ctx.program.model_of(site.callee).is_some() {
            continue;
        }
        let within = ctx.symbol(function);
        let message = format!(
            "`{path}` calls itself synchronous: until it returns, nothing else on `{within}`'s event loop runs, and if it \
             starts a loop of its own it raises RuntimeError"
        );
        let finding = Finding::new(&RULE, ctx.place(site.call), within, message)
            .severity(Severity::Warning)
            .confidence(if holds_up_nobody(ctx, function) { Confidence::Possible } else { Confidence::Likely })
            .help("use the library's asynchronous form, or `await asyncio.to_thread(…)`")
            .shape(path.as_str());
        ctx.report(function, finding, found);
    }
}

/// `…_sync`, but for names in which "sync" is what is done.
fn says_synchronous(name: &str) -> bool {
    let Some(rest) = name.strip_suffix("_sync") else { return false };
    let (first, last) = (rest.split('_').next().unwrap_or(rest), rest.rsplit('_').next().unwrap_or(rest));
    let does_sync = [
        "is", "needs", "should", "has", "to", "on", "trigger", "start", "stop", "schedule", "request", "force",
        "enable", "disable", "data", "full", "last", "initial", "make", "no",
    ];
    !does_sync.contains(&first) && !does_sync.contains(&last)
}

fn through_helpers(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    let mut seen: Vec<(ExprId, u32)> = Vec::new();
    for trouble in [Trouble::Blocks, Trouble::Lingers] {
        for edge in ctx.program.edges(this) {
            let Some(route) = ctx.program.route(&ctx.guards, trouble, this, edge, FARTHEST) else { continue };
            if seen.iter().any(|(site, sink)| *site == edge.site || *sink == route.sink) {
                continue;
            }
            seen.push((edge.site, route.sink));
            let sink = &ctx.program.summaries.sinks[route.sink as usize];
            let SinkKind::Blocks(blocks) = sink.kind else { continue };
            let is_mild = route.way == Way::Open
                || route.legs.len() > usize::from(FARTHEST) + 1
                || sink.is_bounded
                || is_mostly_short(ctx, function, sink, blocks)
                || is_at_beginning(ctx, function, edge.site)
                || is_mild_through_helpers(ctx, function, edge.site, sink, blocks);
            let mut sure = if is_mild { Confidence::Possible } else { confidence(ctx, function, blocks, false) };
            if route.is_by_override() {
                sure = sure.min(Confidence::Likely);
            }
            let finding = describe(ctx, function, edge.site, Some(&route), sink, blocks);
            ctx.report(function, finding.confidence(sure).severity(Severity::Warning), found);
        }
    }
}

fn describe(
    ctx: &Context<'_>,
    function: FunctionId,
    site: ExprId,
    through: Option<&Route>,
    sink: &Sink,
    blocks: Blocks,
) -> Finding {
    let blocker = blocker_name(ctx, sink);
    let called = ctx.program.callee_text(ctx.file, site);
    let within = ctx.symbol(function);
    let why = reason(blocks);
    let message = match through {
        None => format!("`{blocker}` {why}: until it returns, nothing else on `{within}`'s event loop runs"),
        Some(_) => format!(
            "`{called}` gets to `{blocker}`, which {why}: until it returns, nothing else on `{within}`'s event loop runs"
        ),
    };
    let shape = format!("{}>{blocker}", ctx.program.qualified(sink.function));
    let mut finding = Finding::new(&RULE, ctx.place(site), within, message)
        .help(help(ctx, sink, blocks, through.is_some().then_some(called.as_str())))
        .shape(shape.clone());
    if let Some(route) = through {
        let module = ctx.program.module(sink.function.file);
        let sink_place = Place { file: sink.function.file, span: module.span(sink.site) };
        finding.cluster = shape;
        finding.chain = ctx.hops(function, site, &route.legs);
        finding = finding.related(sink_place, "the thread is blocked here");
    }
    finding
}

/// The library's own name for what blocks, or the code's.
pub(crate) fn blocker_name(ctx: &Context<'_>, sink: &Sink) -> String {
    let known = sink.callee.members().iter().find_map(|member| match member {
        Type::External(_) | Type::ExternalMethod(..) | Type::ExternalInstance(..) => ctx.program.callee_name(*member),
        _ => None,
    });
    let name = known.unwrap_or_else(|| ctx.program.callee_text(sink.function.file, sink.site));
    name.strip_prefix("builtins.").map_or(name.clone(), str::to_owned)
}

/// What such a call does to its thread.
pub(crate) const fn reason(blocks: Blocks) -> &'static str {
    match blocks {
        Blocks::Sleep => "puts the thread to sleep",
        Blocks::Network => "waits for the network in the calling thread",
        Blocks::LocalDatabase => "works on a database of this process in the calling thread",
        Blocks::Database => "waits for the database in the calling thread",
        Blocks::File => "reads or writes a file in the calling thread",
        Blocks::Stat => "asks the file system in the calling thread",
        Blocks::Disk => "moves data on the disk in the calling thread",
        Blocks::Process => "waits for another process in the calling thread",
        Blocks::Thread => "waits for another thread",
        Blocks::Lock => "waits for a lock that another thread may hold",
        Blocks::Cpu => "computes in the calling thread",
        Blocks::Input => "waits for a person in the calling thread",
    }
}

fn help(ctx: &Context<'_>, sink: &Sink, blocks: Blocks, helper: Option<&str>) -> String {
    let instead = sink
        .callee
        .members()
        .iter()
        .find_map(|member| ctx.program.model_of(*member).and_then(|model| model.instead.as_deref()));
    let offload = match (blocks, helper) {
        (Blocks::Cpu, _) => ctx.module.language.computing_elsewhere.to_owned(),
        (_, Some(helper)) => ctx.module.language.elsewhere.replace("{}", &format!("{helper}, ")),
        (_, None) => ctx.module.language.elsewhere.replace("{}", ""),
    };
    match instead {
        Some(instead) => format!("use {instead}; or move the call off the loop's thread with {offload}"),
        None => format!("move the call off the loop's thread with {offload}"),
    }
}

/// A thread lock held while the task is suspended: another task that wants it blocks the thread, and then the holder
/// can never go on to release it.
fn held_across_await(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let mut open: Vec<(ExprId, bool)> = Vec::new();
    for event in &ctx.module.function(function).events {
        match *event {
            Event::Enter(kind, context) => {
                open.push((context, kind == ScopeKind::Plain && is_thread_lock(ctx, function, context)));
            }
            Event::Exit(..) => {
                open.pop();
            }
            Event::Suspend(kind, operand) if kind != SuspendKind::Exit => {
                for (lock, is_lock) in &mut open {
                    if std::mem::take(is_lock) {
                        let finding = held(ctx, function, *lock, operand);
                        ctx.report(function, finding, found);
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_thread_lock(ctx: &Context<'_>, function: FunctionId, context: ExprId) -> bool {
    let value = ctx.evaluator.eval(function, context);
    let models = ctx.program.models();
    matches!(value, Type::ExternalInstance(path, _)
        if matches!(models.kind(path), Some(ClassKind::ThreadLock | ClassKind::ThreadSemaphore))
            && models.inherited(path, |class| class.reentrant.then_some(())).is_none())
}

fn held(ctx: &Context<'_>, function: FunctionId, lock: ExprId, operand: ExprId) -> Finding {
    let name = ctx.program.path_text(ctx.file, lock);
    let within = ctx.symbol(function);
    let message = format!(
        "the thread lock `{name}` is held across an `await`: a second task that wants it blocks the loop's thread, and \
         then `{within}` can never go on to release it"
    );
    Finding::new(&RULE, ctx.place(lock), within, message)
        .help("use an asyncio.Lock with `async with`, or release the thread lock before the await")
        .related(ctx.place(operand), "suspends here with the lock held")
        .shape(format!("lock {name}"))
}
