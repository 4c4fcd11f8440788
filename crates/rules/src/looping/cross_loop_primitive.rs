//! # loop/cross-loop-primitive
//!
//! A lock, event, queue, future or client that belongs to one event loop is used from another.
//!
//! ## What it is
//! asyncio's primitives keep tasks of one loop apart or bring them together. They wake a waiting task through a
//! future of the loop on which the wait began; they are not made for several loops, nor for several threads. Since
//! Python 3.10 a primitive is bound to a loop when a task first has to wait for it; before, it took the current
//! loop when it was made.
//!
//! The usual cause is a primitive at module level, in a class attribute, in a default value or in a long-lived
//! object, and more than one loop over the life of the process: several `asyncio.run`, a loop in each worker
//! thread, a background thread with a loop of its own.
//!
//! ```python bad
//! import asyncio
//! import threading
//!
//! lock = asyncio.Lock()
//!
//!
//! async def append(line: str) -> None:
//!     async with lock:
//!         print("begin", line)
//!         await asyncio.sleep(0)
//!         print("end", line)
//!
//!
//! def worker() -> None:
//!     asyncio.run(append("x"))
//!
//!
//! def main() -> None:
//!     threads = [threading.Thread(target=worker) for _ in range(4)]
//!     for thread in threads:
//!         thread.start()
//!     for thread in threads:
//!         thread.join()
//!
//!
//! if __name__ == "__main__":
//!     main()
//! ```
//!
//! ## What one observes
//! - As long as nobody has to wait, nothing: a free lock is taken and given back without any loop.
//! - With contention, a `RuntimeError` in one of the tasks, and a lock that seems to work in the others.
//! - Between threads also no error at all: two threads take a free lock at the same time, since an asyncio lock is not
//!   thread-safe; or a task waits for ever, because the wake-up was put into a loop that nobody told to look.
//!
//! ## Why tests pass all the same
//! Tests run one call at a time, so the primitive is never contended and is never bound. Each test that has a loop
//! of its own may also be the first to use the module's lock. A thread test whose futures nobody asks passes
//! although most of them failed.
//!
//! ## The structural fix
//! Make the primitive where its loop runs, and hand it down: in `main`, in a lifespan, in the constructor of an
//! object that lives within one run. Between threads use the primitives of threads, for short sections without
//! `await`, or send the work to the one loop that owns the state.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def append(lock: asyncio.Lock, line: str) -> None:
//!     async with lock:
//!         print("begin", line)
//!         await asyncio.sleep(0)
//!         print("end", line)
//!
//!
//! async def main() -> None:
//!     lock = asyncio.Lock()
//!     async with asyncio.TaskGroup() as group:
//!         for _ in range(4):
//!             group.create_task(append(lock, "x"))
//!
//!
//! if __name__ == "__main__":
//!     asyncio.run(main())
//! ```
//!
//! ## Fixes that do not work
//! - A lock made in every call: it binds to the right loop, and keeps nobody apart from anybody.
//! - One lock for each loop in a table, around state that all loops share: within a loop tasks are kept apart,
//!   across loops they are not.
//! - `except RuntimeError` and a new lock: whoever held the old one is still inside.
//! - Making the primitive lazily on first use: the first loop to use it wins, and the others fail as before.
//! - A `threading.Lock` held across the `await`: it does keep threads apart, and blocks a whole loop while it
//!   waits; see `loop/blocking-call`.
//!
//! ## Cues for a reviewer
//! - `asyncio.Lock()`, `Event()`, `Queue()`, `Semaphore()` at module or class level, or as a default value.
//! - More than one `asyncio.run` in a program; `asyncio.run` as a thread's target or in a Celery task.
//! - A background thread with `run_forever`, and objects that are also used from the main loop.
//!
//! ## Where it is silent
//! - Primitives made inside the running loop, or in objects that are.
//! - Module-level primitives of a program with one loop: one `asyncio.run`, one server.
//! - A primitive for each loop, looked up by the running loop, that guards state of that loop.
//! - Primitives of `threading` and `queue`, `concurrent.futures.Future`.
//! - Several runs of which each makes its own objects.
//! - Use through `call_soon_threadsafe` or `run_coroutine_threadsafe` to the owning loop.
//!
//! ## Symptoms
//! - `RuntimeError: … is bound to a different event loop`: Python 3.10 and later; the text begins with the primitive
//!   (`<asyncio.locks.Lock object at 0x… [locked]>`, `<Queue at 0x… maxsize=0 tasks=1>`).
//! - `RuntimeError: Task … got Future … attached to a different loop`: a future or a pooled connection; locks and
//!   queues up to Python 3.9.
//! - `RuntimeError: Event loop is closed`: a client whose loop has ended.
//! - `RuntimeError: Lock is not acquired.`: released by the other side.
//! - `RuntimeError: Non-thread-safe operation invoked on an event loop other than the current one`: in debug mode.
//!
//! ## The mutation that introduces it
//! Move a primitive from a constructor or from `main` to module level, in a program with several runs; or replace one
//! `asyncio.run` over all the work by one for each piece.
//!
//! ## Difficulty
//! Hard: creation, use and the several loops are in different places, and without contention nothing happens.
//!
//! ## Related rules
//! `loop/loop-per-call`, `loop/cross-thread-call`, `share/inconsistent-lock`, `share/shared-session`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::homes::{Home, loop_bound};
use crate::looping::{can_wait_at, is_kept_by_loop, is_shared_by_threads, may_wait};
use crate::rule::{Question, Rule};
use crate::runs::{Run, is_primitive, is_repeated};
use crate::scopes::are_exclusive;
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, Name, ScopeKind, SuspendKind};
use racewalk_link::{FunctionRef, How, Type};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "loop/cross-loop-primitive",
    question: Question::Loop,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "a lock, queue, future or client of one event loop is used from another",
    source: include_str!("cross_loop_primitive.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let made_here = |home: &&Home| {
        let made = ctx.shared.homes.held(**home).and_then(|held| held.made);
        made.is_some_and(|made| made.file == ctx.file)
    };
    for home in ctx.shared.runs.users.keys().filter(made_here) {
        found.extend(judge(ctx, *home));
    }
    for function in ctx.functions() {
        handed_over(ctx, function, found);
    }
}

/// A use of the object on a loop.
#[derive(Clone, Copy)]
struct Use<'c> {
    run: &'c Run,
    function: FunctionRef,
    site: ExprId,
}

fn judge(ctx: &Context<'_>, home: Home) -> Option<Finding> {
    let held = ctx.shared.homes.held(home)?;
    if is_kept_by_loop(ctx, home) {
        return None;
    }
    let users = &ctx.shared.runs.users[&home];
    if is_never_waited_for(ctx, held.class, users) {
        return None;
    }
    let mut uses = Vec::new();
    for (function, site) in users.iter().filter(|(function, site)| can_wait_at(ctx, held.class, function.file, *site)) {
        let runs = ctx.shared.runs.on[function].iter().map(|number| &ctx.shared.runs.all[*number]);
        let runs = runs.filter(|run| !run.renews(ctx.program, home, held.is_static));
        uses.extend(runs.map(|run| Use { run, function: *function, site: *site }));
    }
    let (one, other) = if ctx.shared.homes.is_lasting(home) {
        on_two_loops(ctx, held.class, &uses)?
    } else {
        (in_threads(ctx, home, held.class, &uses)?, None)
    };
    Some(describe(ctx, held.made?, held.class, one, other))
}

/// A lock that is only ever held for statements without a suspension point: a task never finds it taken, so never waits for it.
fn is_never_waited_for(ctx: &Context<'_>, class: Name, users: &[(FunctionRef, ExprId)]) -> bool {
    let is_lock = ctx.program.models().kind(class) == Some(ClassKind::AsyncLock);
    is_lock && users.iter().all(|(function, site)| is_held_briefly(&ctx.program.function(*function).events, *site))
}

/// `async with lock:` around statements that do not suspend.
fn is_held_briefly(events: &[Event], lock: ExprId) -> bool {
    let Some(start) = events.iter().position(|event| *event == Event::Enter(ScopeKind::Async, lock)) else {
        return false;
    };
    let held = events[start + 1..].iter().take_while(|event| **event != Event::Exit(ScopeKind::Async, lock));
    held.into_iter().all(|event| match event {
        Event::Suspend(SuspendKind::Enter | SuspendKind::Exit, of) => *of == lock,
        Event::Suspend(..) => false,
        _ => true,
    })
}

/// Two uses on different loops of one process, or one on a loop that is made again and again.
fn on_two_loops<'c>(ctx: &Context<'_>, class: Name, uses: &[Use<'c>]) -> Option<(Use<'c>, Option<Use<'c>>)> {
    // A client under a loop for each call is the matter of `loop/loop-per-call`.
    let is_primitive = is_primitive(ctx.program, class);
    let uses: Vec<Use<'c>> = uses.iter().filter(|one| is_primitive || !one.run.often).copied().collect();
    let pair = uses.iter().find_map(|one| {
        let other = uses.iter().find(|other| are_in_one_process(ctx, one.run, other.run))?;
        let waits = may_wait(ctx, class, one.run) || may_wait(ctx, class, other.run);
        waits.then_some((*one, Some(*other)))
    });
    pair.or_else(|| uses.iter().find(|one| one.run.often && may_wait(ctx, class, one.run)).map(|one| (*one, None)))
}

/// A use on the loops of several threads that share the primitive.
fn in_threads<'c>(ctx: &Context<'_>, home: Home, class: Name, uses: &[Use<'c>]) -> Option<Use<'c>> {
    let is_primitive = is_primitive(ctx.program, class);
    uses.iter().find(|one| is_primitive && is_shared_by_threads(ctx, one.run, home)).copied()
}

/// Both loops may live in one process: they are started one after the other, or side by side.
fn are_in_one_process(ctx: &Context<'_>, one: &Run, other: &Run) -> bool {
    let (Some(start), Some(other_start)) = (one.start, other.start) else {
        // A server, and a loop that its process makes for each call or in a thread.
        return one.start.is_some() != other.start.is_some() && (one.often || other.often);
    };
    if one.host == other.host {
        let is_same_loop = start.made == other_start.made;
        return start.site < other_start.site
            && !is_same_loop
            && !are_exclusive(&ctx.program.function(one.host).events, start.site, other_start.site)
            && !leaves_after(ctx, one.host, start.site);
    }
    let callers = |run: &Run| ctx.program.summaries.callers.of(run.host);
    let share_caller = callers(one)
        .iter()
        .any(|(caller, ..)| *caller == other.host || callers(other).iter().any(|(of_other, ..)| of_other == caller));
    one.host < other.host && (one.in_thread || other.in_thread || share_caller)
}

/// The function ends in the arm in which the call stands: handlers around the call aside, which run only when it fails.
fn leaves_after(ctx: &Context<'_>, host: FunctionRef, call: ExprId) -> bool {
    let mut guarded = 0;
    let mut is_handler = false;
    for event in ctx.program.function(host).events.iter().skip_while(|event| **event != Event::Call(call)) {
        match event {
            Event::Try => guarded += 1,
            Event::EndTry if guarded > 0 => guarded -= 1,
            Event::EndTry | Event::Finally => is_handler = false,
            Event::Handler(_) if guarded == 0 => is_handler = true,
            _ if is_handler || guarded > 0 => {}
            Event::Arm(_) | Event::EndBranch(_) => return false,
            Event::Return(_) | Event::Raise(_) => return true,
            _ => {}
        }
    }
    false
}

/// A future or primitive that is handed to a thread which uses it on a loop of its own.
fn handed_over(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    for edge in ctx.program.edges(ctx.function_ref(function)).iter().filter(|edge| edge.how == How::Offloads) {
        let runs = ctx.shared.runs.all.iter().filter(|run| run.host == edge.target && run.start.is_some());
        for run in runs {
            let evaluator = ctx.program.evaluator(run.host.file);
            let wanted = run.given_names(ctx.program).into_iter().find_map(|name| {
                let class = loop_bound(ctx.program, evaluator.eval(run.host.id, name))?;
                is_primitive(ctx.program, class).then_some((class, name))
            });
            let Some((class, name)) = wanted else { continue };
            if let Some(made) = made_for(ctx, function, edge.site, class) {
                let one = Use { run, function: run.host, site: name };
                found.push(describe(ctx, ctx.place(made), class, one, None));
            }
        }
    }
}

/// The expression that makes the object of this class that the call hands over.
fn made_for(ctx: &Context<'_>, function: FunctionId, call: ExprId, class: Name) -> Option<ExprId> {
    ctx.evaluator.args(call).iter().find_map(|arg| {
        let Expr::Name(_, Defs::One(binding)) = ctx.module.expr(arg.value) else { return None };
        let BindingKind::Value(value) = ctx.module.bindings[binding.index()].kind else { return None };
        let is_it = matches!(ctx.evaluator.eval(function, arg.value), Type::ExternalInstance(path, _) if path == class);
        (is_it && matches!(ctx.module.expr(value), Expr::Call(..))).then_some(value)
    })
}

fn describe(ctx: &Context<'_>, made: Place, class: Name, one: Use<'_>, other: Option<Use<'_>>) -> Finding {
    let often = one.run.start.is_some_and(|start| one.run.often || is_repeated(ctx.program, one.run.host, start.site));
    let loops = match other {
        Some(_) => "on two event loops",
        None if often => "on a loop that is made anew for each call",
        None => "on the loop of another thread",
    };
    let message =
        format!("one `{class}` is used {loops}: it belongs to the first that waits for it, and fails on the others");
    let mut finding = Finding::new(&RULE, made, owner(ctx, made), message)
        .help("make it where its loop runs, and hand it down; between threads, use the primitives of threads or submit to one loop")
        .confidence(Confidence::Likely)
        .shape(class.to_string());
    for one in std::iter::once(one).chain(other) {
        let module = ctx.program.module(one.function.file);
        finding = finding.related(Place { file: one.function.file, span: module.span(one.site) }, "used here");
        if let Some(start) = one.run.start {
            let module = ctx.program.module(one.run.host.file);
            let at = Place { file: one.run.host.file, span: module.span(start.site) };
            finding = finding.related(at, "by a coroutine that this loop runs");
        }
    }
    finding.chain = ctx.route_hops(&ctx.shared.runs.route(one.run, one.function));
    finding
}

/// The function in which a place of this file stands.
fn owner(ctx: &Context<'_>, place: Place) -> String {
    let innermost = ctx.functions().filter(|id| ctx.module.function(*id).span.contains(place.span));
    let innermost = innermost.min_by_key(|id| ctx.module.function(*id).span.end - ctx.module.function(*id).span.start);
    ctx.symbol(innermost.unwrap_or(FunctionId(0)))
}
