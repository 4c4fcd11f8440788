//! # cancel/swallowed-cancellation
//!
//! A cancellation is caught and not raised again, and the task goes on as if nobody had cancelled it.
//!
//! ## What it is
//! A task is cancelled by an exception: `task.cancel()` makes the `await` at which the task waits raise `CancelledError`.
//! The request is fulfilled when that exception gets out of the task. A handler that takes it and does not raise it again
//! denies the request, once and for all: asyncio does not repeat it.
//!
//! Timeouts, task groups, `asyncio.run` at its end, servers whose client has hung up: all of them stop work by
//! cancelling it, and then wait for it. `CancelledError` is a `BaseException`, so `except Exception` lets it pass; what
//! catches it is `except asyncio.CancelledError`, `except BaseException`, a bare `except`, `contextlib.suppress`, and a
//! `return`, `break` or `continue` in a `finally`.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Worker:
//!     def __init__(self, store) -> None:
//!         self._store = store
//!
//!     async def run(self, jobs: list[str]) -> None:
//!         for job in jobs:
//!             try:
//!                 await self._store.save(job)
//!             except asyncio.CancelledError:
//!                 continue
//! ```
//!
//! ## What one observes
//! - A shutdown hangs until the process is killed: `asyncio.run` and task groups wait for a task that no longer knows that
//!   it should end.
//! - A time limit passes, and the work behind it goes on: retries run, costs arise, a second answer is written over the
//!   first.
//! - `async with asyncio.timeout(…)` around it ends without `TimeoutError`, although the time is up.
//! - A step is recorded as failed and tried again, when somebody had asked for all of it to stop.
//!
//! ## Why tests pass all the same
//! Tests let work come to its end. One that does cancel a task looks whether the task is done, and it is: the test's one
//! job was the last.
//!
//! ## The structural fix
//! Clean up and raise it again; or clean up in `finally` and do not catch it at all.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Worker:
//!     def __init__(self, store) -> None:
//!         self._store = store
//!
//!     async def run(self, jobs: list[str]) -> None:
//!         try:
//!             for job in jobs:
//!                 await self._store.save(job)
//!         except asyncio.CancelledError:
//!             await asyncio.shield(self._store.flush())
//!             raise
//! ```
//!
//! To end one's own child task, cancel it and wait for it where both happen: `task.cancel()`, then
//! `await asyncio.gather(task, return_exceptions=True)`, which does not mistake one's own cancellation for the child's.
//!
//! ## Fixes that do not work
//! - `except Exception` above `except BaseException`: the cancellation goes to the second.
//! - `return` in place of `continue`: the caller that awaits this function goes on instead.
//! - To log it: it is lost all the same.
//! - To raise another exception: a broad handler further out takes it for a failure, and retries.
//! - To cancel twice: the second one is caught at the next `await` in the same way.
//!
//! ## Cues for a reviewer
//! - `except asyncio.CancelledError` without `raise` in its last line.
//! - `except:` and `except BaseException` in an `async def`.
//! - `CancelledError` in a tuple with errors that one retries.
//! - A `return` in `finally`.
//!
//! ## Where it is silent
//! - The handler raises again, on every path.
//! - The canceller's own wait: the function itself cancels what it then waits for.
//! - A function that asks `cancelling()` or calls `uncancel()`: it tells its own cancellation from others.
//! - The exception is handed on: set on a future, kept to be raised later.
//! - Nothing comes after but cleanup: the end of a task, of a program's `main`, or of what a task group runs.
//! - `possible`, shown with `--strict`: the function ends after the handler and nobody is known to go on; it waits for a
//!   task that somebody else may have cancelled; some path of the handler raises; a handler for everything that lists what
//!   it takes, around somebody else's code; one that returns an outcome which tells of the cancellation; tests.
//!
//! ## Symptoms
//! - `asyncio.run` does not return; a task group's block does not end.
//! - `Task was destroyed but it is pending!` at exit, for a task that had been cancelled.
//! - `RuntimeError: async generator ignored GeneratorExit`, `RuntimeError: Runner is closed`.
//!
//! ## The mutation that introduces it
//! Remove the `raise` at the end of a handler of `CancelledError`; or widen `except Exception` to `except BaseException`;
//! or add `return` to a `finally`.
//!
//! ## Difficulty
//! Medium: the handler is plain to see; whether the task goes on may be decided by the callers.
//!
//! ## Related rules
//! `bound/permit-leak`, `cancel/unshielded-cleanup`, `cancel/swallowed-error`, `await/floating-task`.

use crate::cancelling::cleanups::{called_members, cancels_before, is_cleanup, is_cleanup_name};
use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_test_module;
use crate::paths::{Guarded, Paths, Step, catches, scopes, suppresses};
use crate::race::suspends::put_into;
use crate::rule::{Question, Rule};
use racewalk_ir::{
    BindingId, BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Literal, Role, ScopeKind, SuspendKind,
};
use racewalk_link::{FunctionRef, How, Program, Type};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/swallowed-cancellation",
    question: Question::Cancel,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "a cancellation is caught and not raised again, and the task goes on",
    source: include_str!("swallowed_cancellation.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        if !ctx.module.function(function).is_async {
            continue;
        }
        let traps = traps(ctx, function);
        if traps.is_empty() || knows_cancellation(ctx, function) {
            continue;
        }
        let paths = Paths::new(ctx, function);
        for trap in traps {
            if let Some(finding) = judge(ctx, function, &paths, &trap) {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// Something that takes a cancellation.
struct Trap {
    /// The guarded events.
    guarded: (usize, usize),
    /// The events that deal with it.
    dealing: (usize, usize),
    /// Where it goes on from: the handler's mark, the end of the block, the jump in a cleanup.
    from: usize,
    /// Where to report it.
    place: Option<ExprId>,
    how: Taken,
}

/// How a cancellation is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// By a handler that names it.
    Named,
    /// By a handler for everything.
    Broad,
    /// By a context manager.
    Suppressed,
    /// By a jump out of a cleanup.
    Jump,
}

fn traps(ctx: &Context<'_>, function: FunctionId) -> Vec<Trap> {
    let events = &ctx.module.function(function).events;
    let mut found = Vec::new();
    for (start, guarded) in Guarded::all(events) {
        let body = (start + 1, guarded.body_end);
        if !waits(ctx, function, &events[body.0..body.1]) {
            continue;
        }
        found.extend(handler(ctx, function, &guarded, body));
        found.extend(guarded.cleanup.and_then(|cleanup| jump(events, cleanup, body)));
    }
    for (start, end, context) in scopes(events) {
        let is_plain = matches!(events[start], Event::Enter(ScopeKind::Plain, _));
        if is_plain && waits(ctx, function, &events[start..end]) && suppresses(ctx, function, context).cancellation {
            let (guarded, dealing) = ((start + 1, end), (end, end + 1));
            found.push(Trap { guarded, dealing, from: end, place: Some(context), how: Taken::Suppressed });
        }
    }
    found
}

/// A task that waits there can be cancelled there.
fn waits(ctx: &Context<'_>, function: FunctionId, events: &[Event]) -> bool {
    let this = ctx.function_ref(function);
    events.iter().any(|event| match *event {
        Event::Suspend(SuspendKind::Yield, _) => false,
        Event::Suspend(kind, operand) => ctx.shared.race.suspends.at(ctx.program, this, kind, operand),
        _ => false,
    })
}

/// The first handler that takes a cancellation.
fn handler(ctx: &Context<'_>, function: FunctionId, guarded: &Guarded, body: (usize, usize)) -> Option<Trap> {
    let events = &ctx.module.function(function).events;
    guarded.handlers.iter().find_map(|(start, end)| {
        let Event::Handler(caught) = events[*start] else { return None };
        let taken = catches(ctx, function, caught);
        let how = if taken.all_errors { Taken::Broad } else { Taken::Named };
        let place = caught.or_else(|| events[*start..*end].iter().find_map(expr_of));
        let trap = Trap { guarded: body, dealing: (*start, *end), from: *start, place, how };
        taken.cancellation.then_some(trap)
    })
}

/// A jump out of a cleanup block: whatever was raised is dropped.
fn jump(events: &[Event], cleanup: (usize, usize), body: (usize, usize)) -> Option<Trap> {
    let mut loops = 0;
    for (at, event) in events.iter().enumerate().take(cleanup.1).skip(cleanup.0) {
        match event {
            Event::Loop(_) => loops += 1,
            Event::EndLoop => loops -= 1,
            Event::Return(value) => {
                return Some(Trap { guarded: body, dealing: cleanup, from: at, place: *value, how: Taken::Jump });
            }
            Event::Break | Event::Continue if loops == 0 => {
                return Some(Trap { guarded: body, dealing: cleanup, from: at, place: None, how: Taken::Jump });
            }
            _ => {}
        }
    }
    None
}

fn expr_of(event: &Event) -> Option<ExprId> {
    match *event {
        Event::Call(expr)
        | Event::Read(expr)
        | Event::ReadPlace(expr)
        | Event::Suspend(_, expr)
        | Event::WritePlace(expr, _)
        | Event::Return(Some(expr)) => Some(expr),
        _ => None,
    }
}

/// The function asks whether it is itself that was cancelled.
fn knows_cancellation(ctx: &Context<'_>, function: FunctionId) -> bool {
    called_members(ctx, function).any(|(_, _, member)| matches!(member.as_str(), "uncancel" | "cancelling"))
}

fn judge(ctx: &Context<'_>, function: FunctionId, paths: &Paths, trap: &Trap) -> Option<Finding> {
    if cancels_before(ctx, function, trap.from) || is_handed_on(ctx, function, trap) {
        return None;
    }
    let events = &ctx.module.function(function).events;
    let starts: Vec<_> = match trap.how {
        Taken::Suppressed => paths.nodes_of(trap.from).iter().flat_map(|node| paths.after(*node)).copied().collect(),
        _ => paths.nodes_of(trap.from).to_vec(),
    };
    let on = paths.reach(&starts, |_, step| step == Step::Next);
    let raises = (trap.dealing.0..trap.dealing.1).any(|at| matches!(events[at], Event::Raise(_)) && on.gets_to(at));
    let sequel = Sequel::new(ctx.program, ctx.function_ref(function), trap.dealing);
    let goes_on_here = (0..events.len()).find(|at| on.gets_to(*at) && sequel.is_work(*at));
    let ends = on.leaves(crate::paths::Exit::Normal);
    if goes_on_here.is_none() && !ends {
        return None;
    }
    let goes_on = match goes_on_here {
        Some(at) => Some(GoesOn::Here(at)),
        None => going_on_caller(ctx.program, ctx.function_ref(function), 3).map(GoesOn::Caller),
    };
    let loops = (trap.guarded.0..trap.guarded.1).any(|at| on.gets_to(at) && sequel.is_work(at));
    let is_weak = raises
        || !loops && goes_on_here.is_some() && !is_awaited(ctx.program, ctx.function_ref(function))
        || is_in_cleanup(ctx, function, trap)
        || decides(events, trap)
        || waits_for_handles(ctx, function, trap)
        || tells_its_loop(ctx, function, trap)
        || is_remembered(ctx, function, trap)
        || is_listed_on_purpose(ctx, function, trap)
        || is_told_as_outcome(ctx, function, trap)
        || is_test_module(ctx.module.name.as_str());
    let confidence = match goes_on {
        _ if is_weak => Confidence::Possible,
        Some(GoesOn::Here(_)) => Confidence::Certain,
        Some(GoesOn::Caller(_)) => Confidence::Likely,
        None => Confidence::Possible,
    };
    Some(finding(ctx, function, trap, goes_on, confidence))
}

/// A handler for everything that lists what it takes, cancellation too: a guard around somebody else's code.
fn is_listed_on_purpose(ctx: &Context<'_>, function: FunctionId, trap: &Trap) -> bool {
    let Event::Handler(Some(caught)) = ctx.module.function(function).events[trap.dealing.0] else { return false };
    trap.how == Taken::Broad && matches!(ctx.module.expr(caught), Expr::Tuple(_))
}

/// A handler that names the cancellation makes an outcome of it and returns that: whoever waits is told so.
fn is_told_as_outcome(ctx: &Context<'_>, function: FunctionId, trap: &Trap) -> bool {
    let events = &ctx.module.function(function).events[trap.dealing.0..trap.dealing.1];
    trap.how == Taken::Named
        && events.iter().any(|event| match *event {
            Event::Return(Some(value)) => matches!(ctx.module.expr(value), Expr::Call(..) | Expr::Map(_)),
            _ => false,
        })
}

/// Somebody waits for the function itself, not only for a task that runs it.
fn is_awaited(program: &Program, function: FunctionRef) -> bool {
    let callers = program.summaries.callers.of(function);
    callers
        .iter()
        .any(|(caller, site, how)| *how == How::Calls && program.module(caller.file).role(*site) == Role::Awaited)
}

/// It happens while something else is dealt with already, or tidied up.
fn is_in_cleanup(ctx: &Context<'_>, function: FunctionId, trap: &Trap) -> bool {
    let body = ctx.module.function(function);
    let inside = |(start, end): (usize, usize)| start <= trap.guarded.0 && trap.guarded.1 <= end;
    let all = Guarded::all(&body.events);
    let this = ctx.function_ref(function);
    let tidies = |event: &Event| match *event {
        Event::Suspend(SuspendKind::Await, operand) => is_cleanup(ctx.program, this, operand),
        Event::Suspend(kind, _) => kind == SuspendKind::Exit,
        _ => true,
    };
    is_cleanup_name(body.name)
        || body.events[trap.guarded.0..trap.guarded.1].iter().all(tidies)
        || all.iter().any(|(_, guarded)| {
            guarded.cleanup.is_some_and(inside) || guarded.handlers.iter().any(|handler| inside(*handler))
        })
}

/// Some condition in the handler decides whether it goes on: somebody has thought about it.
fn decides(events: &[Event], trap: &Trap) -> bool {
    let mut depth = 0;
    events[trap.dealing.0..trap.dealing.1].iter().any(|event| {
        match event {
            Event::Branch(_) => depth += 1,
            Event::EndBranch(_) => depth -= 1,
            _ => {}
        }
        depth > 0 && matches!(event, Event::Return(_) | Event::Break | Event::Raise(_))
    })
}

/// Where work goes on.
#[derive(Clone, Copy)]
enum GoesOn {
    /// In the function, at this event.
    Here(usize),
    /// In a caller, after this place.
    Caller(Place),
}

/// What counts as work after a cancellation was taken.
struct Sequel<'p> {
    program: &'p Program,
    function: FunctionRef,
    /// The events that deal with the cancellation, and those of cleanup blocks.
    cleanups: Vec<(usize, usize)>,
}

impl<'p> Sequel<'p> {
    fn new(program: &'p Program, function: FunctionRef, dealing: (usize, usize)) -> Self {
        let events = &program.function(function).events;
        let cleanups = Guarded::all(events).into_iter().filter_map(|(_, guarded)| guarded.cleanup);
        Self { program, function, cleanups: cleanups.chain([dealing]).collect() }
    }

    /// The task waits there for something that is no cleanup.
    fn is_work(&self, at: usize) -> bool {
        let Event::Suspend(kind, operand) = self.program.function(self.function).events[at] else { return false };
        let is_wait = matches!(kind, SuspendKind::Await | SuspendKind::Iterate | SuspendKind::Enter);
        is_wait
            && !self.cleanups.iter().any(|(start, end)| (*start..*end).contains(&at))
            && !is_cleanup(self.program, self.function, operand)
    }
}

/// The handler gives the exception to somebody, or keeps it.
fn is_handed_on(ctx: &Context<'_>, function: FunctionId, trap: &Trap) -> bool {
    let events = &ctx.module.function(function).events[trap.dealing.0..trap.dealing.1];
    let Some(caught) = events.iter().find_map(|event| match *event {
        Event::Bind(binding) => {
            matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Caught(_)).then_some(binding)
        }
        _ => None,
    }) else {
        return sets_outcome(ctx, function, trap);
    };
    sets_outcome(ctx, function, trap)
        || ctx.reads_of(caught).iter().any(|(_, read)| match ctx.module.role(*read) {
            Role::Stored | Role::Returned | Role::Element | Role::Yielded | Role::Arm | Role::Tested => true,
            Role::Argument => !is_noted(ctx, function, *read),
            _ => false,
        })
}

/// A future gets its outcome in the handler.
fn sets_outcome(ctx: &Context<'_>, function: FunctionId, trap: &Trap) -> bool {
    called_members(ctx, function).any(|(at, _, member)| {
        (trap.dealing.0..trap.dealing.1).contains(&at)
            && matches!(member.as_str(), "set_exception" | "set_result" | "cancel" | "set")
    })
}

/// An argument of a call that only notes it down, or turns it into text.
fn is_noted(ctx: &Context<'_>, function: FunctionId, read: ExprId) -> bool {
    let Some(call) = ctx.module.parent(read) else { return false };
    let Some(site) = ctx.program.site(ctx.function_ref(function), call) else { return false };
    let is_language = matches!(site.callee, Type::External(path) if path.first_segment() == "builtins");
    let by_name = || {
        let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
        let Expr::Attr(_, name) = ctx.module.expr(callee) else { return false };
        matches!(name.as_str(), "debug" | "info" | "warning" | "warn" | "error" | "exception" | "critical" | "log")
    };
    is_language || ctx.program.model_at(site).is_some_and(|model| model.records) || by_name()
}

/// All that the guarded code waits for was started elsewhere, or is a callback that somebody handed in: whose cancellation
/// arrives, nobody can tell. Putting into a queue mostly waits for nothing.
fn waits_for_handles(ctx: &Context<'_>, function: FunctionId, trap: &Trap) -> bool {
    let events = &ctx.module.function(function).events[trap.guarded.0..trap.guarded.1];
    events.iter().all(|event| match *event {
        Event::Suspend(SuspendKind::Await, operand) => is_handle(ctx, function, operand),
        Event::Suspend(kind, _) => kind == SuspendKind::Exit,
        _ => true,
    })
}

/// What is called is a parameter, of this function or one around it, or what such a one holds.
fn is_handed_in(ctx: &Context<'_>, callee: ExprId) -> bool {
    let Expr::Name(name, defs) = ctx.module.expr(callee) else { return false };
    let is_param = |binding: &BindingId| {
        matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Param(_) | BindingKind::Element(_))
    };
    match defs {
        Defs::Outer => ctx.functions().any(|id| {
            let body = ctx.module.function(id);
            body.kind == FunctionKind::Function && body.params.iter().any(|param| param.name == name)
        }),
        _ => ctx.module.defs(&defs).iter().any(is_param),
    }
}

fn is_handle(ctx: &Context<'_>, function: FunctionId, operand: ExprId) -> bool {
    match ctx.module.expr(operand) {
        Expr::Call(callee, _) => {
            let this = ctx.function_ref(function);
            let Some(site) = ctx.program.site(this, operand) else { return false };
            if put_into(ctx.program, this, site).is_some()
                || only_puts(ctx.program, this, operand)
                || is_handed_in(ctx, callee)
            {
                return true;
            }
            let joins = ctx.program.model_at(site).is_some_and(|model| model.joins.is_some());
            joins && ctx.evaluator.args(operand).iter().all(|arg| !matches!(ctx.module.expr(arg.value), Expr::Call(..)))
        }
        Expr::Name(..) | Expr::Attr(..) | Expr::Subscript(..) => true,
        _ => false,
    }
}

/// All that the helper waits for is that it puts something into queues.
fn only_puts(program: &Program, function: FunctionRef, call: ExprId) -> bool {
    let mut helpers = program.edges_at(function, call).iter().filter(|edge| edge.how == How::Calls).peekable();
    let puts = |helper: FunctionRef| {
        let waits = program.function(helper).events.iter().filter_map(|event| match *event {
            Event::Suspend(kind, operand) => Some((kind, operand)),
            _ => None,
        });
        let mut waits = waits.peekable();
        waits.peek().is_some()
            && waits.all(|(kind, operand)| kind == SuspendKind::Await && is_put(program, helper, operand))
    };
    helpers.peek().is_some() && helpers.all(|edge| puts(edge.target))
}

/// `queue.put(…)`, also where only the name says that it is a queue.
fn is_put(program: &Program, function: FunctionRef, operand: ExprId) -> bool {
    let module = program.module(function.file);
    let Some(site) = program.site(function, operand) else { return false };
    let is_named = || {
        let Expr::Call(callee, _) = module.expr(operand) else { return false };
        let Expr::Attr(object, method) = module.expr(callee) else { return false };
        let (Expr::Attr(_, name) | Expr::Name(name, _)) = module.expr(object) else { return false };
        site.callee.is_unknown() && method.as_str() == "put" && name.as_str().ends_with("queue")
    };
    put_into(program, function, site).is_some() || is_named()
}

/// The handler notes in a local that it was cancelled, and the code asks that later.
fn is_remembered(ctx: &Context<'_>, function: FunctionId, trap: &Trap) -> bool {
    let events = &ctx.module.function(function).events[trap.dealing.0..trap.dealing.1];
    events.iter().any(|event| {
        let Event::Bind(binding) = *event else { return false };
        let is_noted = matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Value(value)
            if matches!(ctx.module.expr(value), Expr::Literal(Literal::Bool(true))));
        is_noted
            && ctx.reads_of(binding).iter().any(|(_, read)| {
                matches!(ctx.module.role(*read), Role::Condition | Role::Tested | Role::Argument | Role::Returned)
            })
    })
}

/// The handler sets what a loop around it asks.
fn tells_its_loop(ctx: &Context<'_>, function: FunctionId, trap: &Trap) -> bool {
    let events = &ctx.module.function(function).events;
    let written: Vec<String> = events[trap.dealing.0..trap.dealing.1]
        .iter()
        .filter_map(|event| match *event {
            Event::WritePlace(place, _) => Some(ctx.program.path_text(ctx.file, place)),
            Event::Bind(binding) => {
                let bound = ctx.module.bindings[binding.index()];
                Some(ctx.module.function(bound.owner).symbols[bound.symbol.index()].name.to_string())
            }
            _ => None,
        })
        .collect();
    let asks = |test: ExprId| written.iter().any(|place| mentions(ctx, test, place));
    events[..trap.from].iter().any(|event| matches!(event, Event::Loop(Some(test)) if asks(*test)))
}

fn mentions(ctx: &Context<'_>, test: ExprId, place: &str) -> bool {
    match ctx.module.expr(test) {
        Expr::Not(inner) => mentions(ctx, inner, place),
        Expr::Logical(list, _) | Expr::Compare(list) | Expr::Equality(list) | Expr::Identity(list) => {
            ctx.module.list(list).iter().any(|member| mentions(ctx, *member, place))
        }
        Expr::Name(..) | Expr::Attr(..) => ctx.program.path_text(ctx.file, test) == place,
        _ => false,
    }
}

/// A caller that awaits the function and has more to do afterwards.
fn going_on_caller(program: &Program, function: FunctionRef, depth: u32) -> Option<Place> {
    let callers = program.summaries.callers.of(function);
    let awaiting = callers.iter().filter(|(caller, site, how)| {
        let module = program.module(caller.file);
        *how == How::Calls
            && *caller != function
            && module.role(*site) == Role::Awaited
            && !is_test_module(module.name.as_str())
    });
    for (caller, site, _) in awaiting {
        let module = program.module(caller.file);
        let events = &program.function(*caller).events;
        let Some(at) = events.iter().position(|event| *event == Event::Suspend(SuspendKind::Await, *site)) else {
            continue;
        };
        if has_sequel(program, *caller, at) {
            return Some(Place { file: caller.file, span: module.span(*site) });
        }
        if depth > 0
            && let Some(place) = going_on_caller(program, *caller, depth - 1)
        {
            return Some(place);
        }
    }
    None
}

/// Work comes after the event, or it is in a loop.
fn has_sequel(program: &Program, caller: FunctionRef, at: usize) -> bool {
    let events = &program.function(caller).events;
    let sequel = Sequel::new(program, caller, (at, at + 1));
    if sequel.cleanups.iter().any(|(start, end)| (*start..*end).contains(&at) && *start != at) {
        return false;
    }
    let mut depth = 0;
    for (position, event) in events.iter().enumerate().skip(at + 1) {
        match event {
            Event::Loop(_) => depth += 1,
            Event::EndLoop if depth == 0 => return true,
            Event::EndLoop => depth -= 1,
            Event::Return(_) | Event::Raise(_) | Event::Break | Event::Arm(_) | Event::Handler(_) if depth == 0 => {
                return false;
            }
            _ if sequel.is_work(position) => return true,
            _ => {}
        }
    }
    false
}

fn finding(
    ctx: &Context<'_>,
    function: FunctionId,
    trap: &Trap,
    goes_on: Option<GoesOn>,
    confidence: Confidence,
) -> Finding {
    let events = &ctx.module.function(function).events;
    let waits = events[trap.guarded.0..trap.guarded.1].iter().find_map(|event| match *event {
        Event::Suspend(kind, operand) if kind != SuspendKind::Yield => Some(operand),
        _ => None,
    });
    let what = match trap.how {
        Taken::Named => "the cancellation is caught and not raised again",
        Taken::Broad => "this handler catches everything, cancellation too, and does not raise it again",
        Taken::Suppressed => "the cancellation is suppressed",
        Taken::Jump => "leaving `finally` in this way drops whatever was raised, cancellation too",
    };
    let sequel = match goes_on {
        Some(GoesOn::Here(_)) => "the task goes on as if nobody had cancelled it",
        Some(GoesOn::Caller(_)) => "the caller goes on as if nobody had cancelled it",
        None => "a caller that goes on would not know that it was cancelled",
    };
    let help = match trap.how {
        Taken::Named => "`raise` at the end of the handler, or clean up in `finally` instead",
        Taken::Broad => "catch `Exception`, or `raise` at the end of the handler",
        Taken::Suppressed => "do not suppress it; to end a child task, gather it with `return_exceptions=True`",
        Taken::Jump => "return after the `try` statement, not in its `finally`",
    };
    let at =
        trap.place.or(waits).map_or_else(|| ctx.at(ctx.module.function(function).name_span), |expr| ctx.place(expr));
    let mut finding = Finding::new(&RULE, at, ctx.symbol(function), format!("{what}: {sequel}"))
        .confidence(confidence)
        .help(help)
        .shape(ctx.symbol(function));
    if let Some(waits) = waits {
        finding = finding.related(ctx.place(waits), "the task may be cancelled while it waits here");
    }
    match goes_on {
        Some(GoesOn::Here(event)) => {
            if let Some(expr) = expr_of(&events[event]) {
                finding = finding.related(ctx.place(expr), "and goes on here");
            }
        }
        Some(GoesOn::Caller(place)) => finding = finding.related(place, "the caller goes on after this"),
        None => {}
    }
    finding
}
