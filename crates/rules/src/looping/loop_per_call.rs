//! # loop/loop-per-call
//!
//! A plain function starts a fresh event loop on every call, while the client, pool or session that it uses lives
//! longer than the loop.
//!
//! ## What it is
//! `asyncio.run` and `new_event_loop` with `run_until_complete` make a loop, run one coroutine on it, and close it.
//! Connections, pools and their locks belong to the loop that was running when they were first used. An object that
//! outlives the call (an attribute, a module variable, a parameter) therefore meets a new loop on the second call,
//! holding connections that are registered with a closed one.
//!
//! ```python bad
//! import asyncio
//!
//! import httpx
//!
//!
//! class Catalog:
//!     def __init__(self) -> None:
//!         self.http = httpx.AsyncClient(base_url="https://catalog.example", timeout=5)
//!
//!     async def _load(self, item: str) -> dict:
//!         response = await self.http.get(f"/items/{item}")
//!         return response.json()
//!
//!     def load(self, item: str) -> dict:
//!         return asyncio.run(self._load(item))
//!
//!
//! catalog = Catalog()
//!
//!
//! def report(items: list[str]) -> list[dict]:
//!     return [catalog.load(item) for item in items]
//! ```
//!
//! ## What one observes
//! - The first call works. A later one fails with `Event loop is closed` or `attached to a different loop`, once a
//!   pooled connection is used again: so it depends on keep-alive times and on the load.
//! - Connections are never reused where they do not fail; each call pays for a new loop and a new handshake.
//! - Sockets and selectors pile up when the loop is made by `new_event_loop` and not closed.
//! - Tasks that the call leaves behind are cancelled as it ends.
//!
//! ## Why tests pass all the same
//! A test makes one call on a fresh object. Mock transports have no connections, so nothing is bound to a loop.
//!
//! ## The structural fix
//! One loop for the object's whole life. Best, make the chain async, with one `asyncio.run` at the program's edge.
//! Where plain callers must stay, run one loop in one thread for as long as the object lives, and submit to it.
//!
//! ```python good
//! import asyncio
//!
//! import httpx
//!
//!
//! class Catalog:
//!     def __init__(self, http: httpx.AsyncClient) -> None:
//!         self.http = http
//!
//!     async def load(self, item: str) -> dict:
//!         response = await self.http.get(f"/items/{item}")
//!         return response.json()
//!
//!
//! async def report(item: str) -> dict:
//!     async with httpx.AsyncClient(base_url="https://catalog.example", timeout=5) as http:
//!         return await Catalog(http).load(item)
//!
//!
//! if __name__ == "__main__":
//!     asyncio.run(report("pen"))
//! ```
//!
//! ## Fixes that do not work
//! - Closing the loop properly: correct, and the client still belongs to the closed one.
//! - `asyncio.get_event_loop()` in place of a new one: which loop that is depends on the thread; in a worker thread
//!   there is none, and in the main thread from Python 3.14 on none is made.
//! - A new client for every call, beside the new loop: it works, and pays for a connection each time; the pool has
//!   lost its purpose.
//! - Calling it from async code: then it does not even start; see `loop/nested-event-loop`.
//! - A `threading.Lock` around the function: one call at a time, and still a new loop for each.
//!
//! ## Cues for a reviewer
//! - `asyncio.run(self.…)` in a method, above all in a class that also has the async form.
//! - `new_event_loop()` without a `close()` in a `finally`.
//! - A "sync facade" over an async client that is made once.
//!
//! ## Where it is silent
//! - One-shot scripts: one `asyncio.run` under `__main__` or in a command.
//! - Functions whose coroutine makes everything that it uses (`async with httpx.AsyncClient()` inside).
//! - A loop made once and kept, with all work submitted to it.
//! - Tests, each of which has a loop of its own.
//! - Coroutines that use no object that is bound to a loop.
//! - `possible`, shown with `--strict`: clients to which the program gives a transport of its own.
//!
//! ## Symptoms
//! - `RuntimeError: Event loop is closed`: a kept connection is used or closed after its loop.
//! - `RuntimeError: Task … got Future … attached to a different loop`: a pooled connection's future meets the new loop.
//! - `RuntimeError: … is bound to a different event loop`: the pool's lock or queue does.
//! - `RuntimeError: There is no current event loop in thread '…'.`: `get_event_loop` in a worker thread.
//! - `ResourceWarning: unclosed event loop …`: made and never closed.
//! - `Unclosed client session`: aiohttp, the session's loop is gone.
//!
//! ## The mutation that introduces it
//! Add a plain twin of an async method (`return asyncio.run(self.method(…))`) to a class that holds a client, and
//! call the twin.
//!
//! ## Difficulty
//! Medium: the call is plain to see; that the client outlives it is in the constructor.
//!
//! ## Related rules
//! `loop/nested-event-loop`, `loop/cross-loop-primitive`, `loop/blocking-call`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::homes::{Home, loop_bound};
use crate::looping::{can_wait_at, is_kept_by_loop, is_shared_by_threads, may_wait};
use crate::rule::{Question, Rule};
use crate::runs::{Run, is_primitive};
use racewalk_ir::{ExprId, FunctionId, Name};
use racewalk_link::{ClassRef, FunctionRef, Site, Type};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashSet;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "loop/loop-per-call",
    question: Question::Loop,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "a fresh event loop for every call, while the objects used on it live longer",
    source: include_str!("loop_per_call.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let here = ctx.shared.runs.all.iter().filter(|run| run.host.file == ctx.file && run.often);
    let mut seen = FxHashSet::default();
    for run in here {
        let Some(start) = run.start.filter(|start| !seen.contains(&start.made)) else { continue };
        if let Some(kept) = given(ctx, run).or_else(|| used(ctx, run)) {
            seen.insert(start.made);
            ctx.report(run.host.id, describe(ctx, run, start.made, &kept), found);
        }
    }
}

/// An object that outlives the loop, and the place that shows it.
struct Kept {
    class: Name,
    /// A member of an object, not of a module.
    is_member: bool,
    text: String,
    at: Place,
    made: Option<Place>,
    /// The calls from the loop's start to the use.
    route: Vec<(FunctionRef, ExprId)>,
}

/// An object of a loop that is handed to the coroutine itself.
fn given(ctx: &Context<'_>, run: &Run) -> Option<Kept> {
    run.given_names(ctx.program).into_iter().find_map(|name| {
        let class = loop_bound(ctx.program, ctx.evaluator.eval(run.host.id, name))?;
        let text = ctx.program.path_text(ctx.file, name);
        let kept = || Kept { class, is_member: false, text, at: ctx.place(name), made: None, route: Vec::new() };
        is_kept_kind(ctx, class).then(kept)
    })
}

/// The nearest use, on the loop, of an object that is kept elsewhere.
fn used(ctx: &Context<'_>, run: &Run) -> Option<Kept> {
    let outliving = run.outliving(ctx.program);
    let uses = run.reached.keys().filter_map(|function| Some((function, ctx.shared.runs.uses.get(function)?)));
    let kept = uses.flat_map(|(function, used)| used.iter().map(move |(home, site)| (*function, *home, *site)));
    let kept = kept.filter(|(function, home, site)| {
        outlives(ctx, run, &outliving, *home) && binds(ctx, run, *function, *home, *site)
    });
    let nearest = kept.min_by_key(|(function, _, site)| {
        (ctx.shared.runs.route(run, *function).len(), function.file, ctx.program.module(function.file).span(*site))
    });
    let (function, home, site) = nearest?;
    let held = ctx.shared.homes.held(home)?;
    Some(Kept {
        class: held.class,
        is_member: matches!(home, Home::Field(..)),
        text: ctx.program.path_text(function.file, site),
        at: Place { file: function.file, span: ctx.program.module(function.file).span(site) },
        made: held.made,
        route: ctx.shared.runs.route(run, function),
    })
}

fn outlives(ctx: &Context<'_>, run: &Run, outliving: &FxHashSet<ClassRef>, home: Home) -> bool {
    let is_given = matches!(home, Home::Field(class, _) if outliving.contains(&class));
    let Some(held) = ctx.shared.homes.held(home) else { return false };
    (is_given || ctx.shared.homes.is_lasting(home))
        && is_kept_kind(ctx, held.class)
        && !run.renews(ctx.program, home, held.is_static)
        && !is_kept_by_loop(ctx, home)
        && !is_told_at_its_making(ctx, run, home)
}

/// The use binds the object to the loop. A lock for which nobody waits within the run does so only when other threads
/// call as well, which is to be expected where the whole process has one.
fn binds(ctx: &Context<'_>, run: &Run, function: FunctionRef, home: Home, site: ExprId) -> bool {
    ctx.shared.homes.held(home).is_some_and(|held| {
        can_wait_at(ctx, held.class, function.file, site)
            && (may_wait(ctx, held.class, run) || ctx.shared.homes.is_lasting(home))
    })
}

/// A primitive that several loops certainly share: `loop/cross-loop-primitive` tells it where it is made.
fn is_told_at_its_making(ctx: &Context<'_>, run: &Run, home: Home) -> bool {
    let Some(held) = ctx.shared.homes.held(home) else { return false };
    let is_shared = ctx.shared.homes.is_lasting(home) && may_wait(ctx, held.class, run);
    is_primitive(ctx.program, held.class) && (is_shared || is_shared_by_threads(ctx, run, home))
}

/// Tasks, futures and streams are made for one piece of work, and mostly by the run itself.
fn is_kept_kind(ctx: &Context<'_>, class: Name) -> bool {
    !matches!(ctx.program.models().kind(class), Some(ClassKind::Task | ClassKind::Future | ClassKind::TaskGroup))
}

/// The program gives such clients a transport of its own, which may look after the loops itself.
fn has_own_transport(ctx: &Context<'_>, class: Name) -> bool {
    let is_made_so = |function: FunctionRef, site: &Site| {
        let evaluator = ctx.program.evaluator(function.file);
        site.callee == Type::External(class)
            && ["transport", "connector"].iter().any(|name| evaluator.named_argument(site.call, name).is_some())
    };
    ctx.program.functions().any(|function| ctx.program.sites(function).iter().any(|site| is_made_so(function, site)))
}

fn describe(ctx: &Context<'_>, run: &Run, made: ExprId, kept: &Kept) -> Finding {
    let host: FunctionId = run.host.id;
    let Kept { class, text, .. } = kept;
    let symbol = ctx.symbol(host);
    // An object's own lock is bound to a loop by those who have to wait for it, and mostly nobody does.
    let is_idle = kept.is_member && is_primitive(ctx.program, *class);
    let message = format!(
        "every call of `{symbol}` makes an event loop of its own, while `{text}` (`{class}`) lives on: it stays bound to a \
         loop that is closed"
    );
    let mut finding = Finding::new(&RULE, ctx.place(made), symbol, message)
        .help("one loop for the object's whole life: make the callers async, or keep one loop in one thread and submit to it")
        .confidence(if is_idle || has_own_transport(ctx, *class) { Confidence::Possible } else { Confidence::Likely })
        .shape(class.to_string())
        .related(kept.at, format!("`{text}` is used here, on the loop of this call"));
    if let Some(place) = kept.made {
        finding = finding.related(place, "made here, for longer than a call");
    }
    finding.chain = ctx.route_hops(&kept.route);
    finding
}
