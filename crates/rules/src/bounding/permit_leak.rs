//! # bound/permit-leak
//!
//! A semaphore, lock or pooled connection is acquired and, on some path, not given back.
//!
//! ## What it is
//! `acquire()` takes something of which there is little: the one right to go on, one of five permits, one of ten
//! connections. Whoever takes it must give it back on every way out of the function. There are more ways out than one
//! sees: every call can raise, every `await` can raise, and every `await` can be cancelled, by a client that hangs up, a
//! timeout around the caller, a task group whose other task failed, or the server's shutdown. A `release()` that merely
//! comes after the work runs on one of these ways only.
//!
//! What is lost is lost for good: nothing else knows that this caller is gone. A lock stays taken for ever; a
//! semaphore of five permits serves four, then three, then nobody.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Pool:
//!     def __init__(self, size: int, connect) -> None:
//!         self._permits = asyncio.Semaphore(size)
//!         self._connect = connect
//!
//!     async def query(self, sql: str) -> list[str]:
//!         await self._permits.acquire()
//!         connection = await self._connect()
//!         rows = await connection.fetch(sql)
//!         self._permits.release()
//!         return rows
//! ```
//!
//! In Go: a mutex that the function gives back on some of its ways out, and not on another. What is given back by `defer`, by another
//! goroutine or only elsewhere is left alone.
//!
//! ## What one observes
//! - The service gets slower from failure to failure, and then answers nothing at all, although CPU, memory and the
//!   database are idle. A restart helps, for a while.
//! - Every task waits in `acquire`; nobody is seen that holds anything.
//! - It begins after an incident somewhere else, and does not end with it: timeouts of a peer, a deployment, a client that
//!   cancels often.
//!
//! ## Why tests pass all the same
//! Tests of the failure make one call fail and look at the exception. The lost permit shows only to the next caller, or
//! to the sixth, and each test makes a new pool. Tests rarely cancel anything.
//!
//! ## The structural fix
//! Let the language give it back: `async with`, which covers exceptions, cancellation and every `return`.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Pool:
//!     def __init__(self, size: int, connect) -> None:
//!         self._permits = asyncio.Semaphore(size)
//!         self._connect = connect
//!
//!     async def query(self, sql: str) -> list[str]:
//!         async with self._permits:
//!             connection = await self._connect()
//!             return await connection.fetch(sql)
//! ```
//!
//! Where the block does not fit, `try:` begins in the very next line after `acquire()`, and `finally:` releases. What must
//! outlive the function goes on an `AsyncExitStack`, or is handed to a task whose own `finally` releases it.
//!
//! ## Fixes that do not work
//! - `except Exception: release(); raise`: a cancellation is no `Exception`, and passes by. So are `KeyboardInterrupt` and
//!   `SystemExit`.
//! - `release()` in an `except` and once more at the end: every `return` that somebody adds later, and every new `await`
//!   between, is a leak again.
//! - `acquire()` inside the `try` whose `finally` releases: when `acquire` itself is cancelled, a permit is released that
//!   was never taken, and the limit grows.
//! - A time limit on `acquire`: callers now fail instead of waiting; the permit is still gone.
//! - A larger semaphore: the same end, later.
//!
//! ## Cues for a reviewer
//! - `.acquire()` as a statement, without `with`, and anything but `try:` in the next line.
//! - `.release()` that stands in no `finally`.
//! - A `return`, `raise` or `continue` between the two.
//! - `yield` between the two in a context manager made from a generator: the body's exception is raised at the `yield`.
//!
//! ## Where it is silent
//! - `with`, `async with`, `try`/`finally`, and an exit stack to which the release is given.
//! - A function that only acquires: somebody else releases (`__aenter__`, a producer, a task that is handed the permit).
//! - The permit is handed on: `release` is given to a callback, or the lock, or a helper that releases it, is called or
//!   started on the way.
//! - The result of `acquire` decides, and the path on which nothing was acquired leaves.
//! - A lock that is released first and taken again: its holder is a caller.
//! - `possible`, shown with `--strict`: nothing between the two waits, and what is called there is not known to fail.
//!
//! ## Symptoms
//! - Tasks that wait for ever in `acquire`; `TimeoutError` from an `acquire` with a time limit.
//! - `asyncpg.exceptions.TooManyConnectionsError`, `QueuePool limit of size … overflow … reached`: connections that were
//!   not given back.
//!
//! ## The mutation that introduces it
//! Replace `async with lock:` by `await lock.acquire()` before and `lock.release()` after the body; or take the release out
//! of its `finally`.
//!
//! ## Difficulty
//! Medium: the two calls stand together; the path between them that leaves early is an `await` that looks harmless.
//!
//! ## Related rules
//! `cancel/swallowed-cancellation`, `share/self-deadlock`, `bound/no-timeout`, `cancel/unshielded-cleanup`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_test_module;
use crate::paths::{Exit, NodeId, Paths, Reach, Step};
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, Name, Role, SuspendKind};
use racewalk_link::{FunctionRef, Program, Site, Type};
use racewalk_models::{ClassKind, Joins};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashSet;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "bound/permit-leak",
    question: Question::Bound,
    severity: Severity::Error,
    languages: &["python", "go"],
    on_by_default: true,
    summary: "a semaphore, lock or connection is acquired and, on some path, not given back",
    source: include_str!("permit_leak.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if ctx.module.language.shares_memory {
        return super::kept_locks::check(ctx, &RULE, found);
    }
    for function in ctx.functions() {
        let sites = ctx.program.sites(ctx.function_ref(function));
        let acquired: Vec<Acquired> = sites.iter().filter_map(|site| acquired(ctx, function, site)).collect();
        if acquired.is_empty() {
            continue;
        }
        let paths = Paths::new(ctx, function);
        for acquired in acquired {
            if let Some(finding) = judge(ctx, function, &paths, &acquired) {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// Something that is taken and must be given back.
struct Acquired {
    /// The call that takes it.
    call: ExprId,
    /// The value that tells whether, or what: the awaited call, or the call itself.
    value: ExprId,
    /// What it is taken from, as a path.
    key: String,
    /// The last name of that path.
    name: Name,
    /// The models know what is acquired; otherwise its methods' names tell.
    is_known: bool,
    /// The value is a thing to work with, and not a truth value.
    gives_value: bool,
}

fn acquired(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Acquired> {
    let Expr::Call(callee, _) = ctx.module.expr(site.call) else { return None };
    let Expr::Attr(base, method) = ctx.module.expr(callee) else { return None };
    let model = ctx.program.models_at(site).find(|model| model.acquires);
    let looks_like_it = || method.as_str() == "acquire" && site.callee.is_unknown();
    if model.is_none() && !looks_like_it() || is_mere_receiver(ctx, function) {
        return None;
    }
    let (key, name) = key_of(ctx, base)?;
    let value = value_of(ctx, function, site)?;
    let gives_value = is_object(ctx.evaluator.eval(function, value));
    let acquired = Acquired { call: site.call, value, key, name, is_known: model.is_some(), gives_value };
    (!is_conditional_beyond_us(ctx, &acquired) && is_released_later(ctx, function, &acquired)).then_some(acquired)
}

/// A lock's own methods.
fn is_mere_receiver(ctx: &Context<'_>, function: FunctionId) -> bool {
    matches!(
        ctx.module.function(function).name.as_str(),
        "acquire" | "__enter__" | "__aenter__" | "__exit__" | "__aexit__"
    )
}

/// What is acquired is something to work with, such as a connection of a pool.
fn is_object(value: Type) -> bool {
    matches!(value, Type::Instance(..) | Type::ExternalInstance(..))
}

/// The value that a call gives when it has been waited for: itself, awaited, or under a time limit.
fn value_of(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<ExprId> {
    match ctx.module.role(site.call) {
        Role::Awaited => ctx.module.parent(site.call),
        Role::Argument => {
            let outer = ctx.module.parent(site.call)?;
            let model = ctx.program.model_at(ctx.program.site(ctx.function_ref(function), outer)?)?;
            let waits = model.joins == Some(Joins::One) && ctx.module.role(outer) == Role::Awaited;
            if waits { ctx.module.parent(outer) } else { None }
        }
        Role::EnteredAsync | Role::Entered | Role::Returned => None,
        _ if ctx.program.models_at(site).any(|model| model.is_async) => None,
        _ if site.callee.is_unknown() && ctx.module.function(function).is_async => None,
        _ => Some(site.call),
    }
}

/// The result is kept or compared: which path has acquired something is more than we follow.
fn is_conditional_beyond_us(ctx: &Context<'_>, acquired: &Acquired) -> bool {
    let mut value = acquired.value;
    if ctx.module.role(value) == Role::Tested
        && let Some(parent) = ctx.module.parent(value)
        && matches!(ctx.module.expr(parent), Expr::Not(_))
    {
        value = parent;
    }
    match ctx.module.role(value) {
        Role::Dropped => false,
        Role::Condition => ctx.module.parent(value).is_some() || is_loop_test(ctx, value),
        Role::Stored => !acquired.gives_value,
        _ => true,
    }
}

fn is_loop_test(ctx: &Context<'_>, value: ExprId) -> bool {
    ctx.module.functions.iter().any(|body| body.events.contains(&Event::Loop(Some(value))))
}

/// What a path stands for: a local that is another name of something stands for that.
fn key_of(ctx: &Context<'_>, base: ExprId) -> Option<(String, Name)> {
    match ctx.module.expr(base) {
        Expr::Name(name, Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(value) if matches!(ctx.module.expr(value), Expr::Attr(..)) => key_of(ctx, value),
            _ => Some((name.to_string(), name)),
        },
        Expr::Name(name, _) => Some((name.to_string(), name)),
        Expr::Attr(inner, name) => Some((format!("{}.{name}", key_of(ctx, inner)?.0), name)),
        Expr::Subscript(inner, _) => {
            let (text, name) = key_of(ctx, inner)?;
            Some((format!("{text}[]"), name))
        }
        _ => None,
    }
}

fn is_key(ctx: &Context<'_>, expr: ExprId, key: &str) -> bool {
    key_of(ctx, expr).is_some_and(|(text, _)| text == key)
}

/// `key.release`, or what the models say releases.
fn is_release(ctx: &Context<'_>, callee: ExprId, key: &str) -> bool {
    let Expr::Attr(base, method) = ctx.module.expr(callee) else { return false };
    matches!(method.as_str(), "release" | "putconn" | "release_on_behalf_of") && is_key(ctx, base, key)
}

/// The function itself releases it, and not before it acquires it.
fn is_released_later(ctx: &Context<'_>, function: FunctionId, acquired: &Acquired) -> bool {
    let events = &ctx.module.function(function).events;
    let first = events.iter().find_map(|event| match *event {
        Event::Call(call) if call == acquired.call => Some(true),
        Event::Call(call) if is_release_call(ctx, call, &acquired.key) => Some(false),
        _ => None,
    });
    let mut calls = events.iter().filter_map(|event| match *event {
        Event::Call(call) => Some(call),
        _ => None,
    });
    first == Some(true) && calls.any(|call| is_release_call(ctx, call, &acquired.key))
}

fn is_release_call(ctx: &Context<'_>, call: ExprId, key: &str) -> bool {
    matches!(ctx.module.expr(call), Expr::Call(callee, _) if is_release(ctx, callee, key))
}

fn judge(ctx: &Context<'_>, function: FunctionId, paths: &Paths, acquired: &Acquired) -> Option<Finding> {
    let start = starts(ctx, function, paths, acquired);
    let given_back = given_back(ctx, function, acquired);
    let weak = weak_calls(ctx, function);
    let events = &ctx.module.function(function).events;
    // Whether a further acquisition in the same loop may be cut short is that one's own question.
    let takes = |event: u32| {
        matches!(events[event as usize], Event::Suspend(_, operand)
        if ctx.module.parent(operand) == Some(acquired.value))
    };
    let is_open = |event: u32, step: Step| !given_back[event as usize] && (step == Step::Next || !takes(event));
    let undisturbed = paths.reach(&start, |_, step| step == Step::Next);
    let returns_it = (0..given_back.len()).any(|event| given_back[event] && undisturbed.gets_to(event));
    let sure =
        paths.reach(&start, |event, step| is_open(event, step) && (step != Step::Error || !weak.contains(&event)));
    if let Some(exit) = worst(&sure, returns_it) {
        return Some(finding(ctx, function, acquired, &sure, exit, Confidence::Certain, returns_it));
    }
    let all = paths.reach(&start, is_open);
    let exit = worst(&all, returns_it)?;
    Some(finding(ctx, function, acquired, &all, exit, Confidence::Possible, returns_it))
}

/// The way out that tells most.
fn worst(reach: &Reach<'_>, returns_it: bool) -> Option<Exit> {
    let exits = [(Exit::Normal, returns_it), (Exit::Cancelled, true), (Exit::Error, true)];
    exits.into_iter().find(|(exit, counts)| *counts && reach.leaves(*exit)).map(|(exit, _)| exit)
}

/// The calls of the function, as positions of events, that are not known to fail.
fn weak_calls(ctx: &Context<'_>, function: FunctionId) -> FxHashSet<u32> {
    let events = ctx.module.function(function).events.iter().enumerate();
    let weak =
        events.filter(|(_, event)| matches!(event, Event::Call(call) if !is_known_to_fail(ctx, function, *call)));
    weak.map(|(at, _)| at as u32).collect()
}

/// The nodes after which it is held.
fn starts(ctx: &Context<'_>, function: FunctionId, paths: &Paths, acquired: &Acquired) -> Vec<NodeId> {
    let events = &ctx.module.function(function).events;
    let taken = |event: &Event| match *event {
        Event::Suspend(SuspendKind::Await, operand) => ctx.module.parent(operand) == Some(acquired.value),
        Event::Call(call) => call == acquired.value,
        // `if lock.acquire(…):` holds it in its first arm, `if not lock.acquire(…):` in the others.
        _ => false,
    };
    let Some(at) = events.iter().position(taken) else { return Vec::new() };
    let branch = events[at..].iter().take(4).position(|event| match *event {
        Event::Branch(Some(test)) => test == acquired.value || is_negation_of(ctx, test, acquired.value),
        _ => false,
    });
    let held_after = |event: usize, arms: std::ops::RangeFull| {
        paths.nodes_of(event).iter().flat_map(|node| paths.after(*node)[arms].iter().copied()).collect::<Vec<_>>()
    };
    match branch {
        None => held_after(at, ..),
        Some(after) => {
            let Event::Branch(Some(test)) = events[at + after] else { return Vec::new() };
            let holds_first = test == acquired.value;
            let nodes = paths.nodes_of(at + after).iter().flat_map(|node| {
                let arms = paths.after(*node);
                if holds_first { &arms[..1] } else { &arms[1..] }
            });
            nodes.copied().collect()
        }
    }
}

fn is_negation_of(ctx: &Context<'_>, test: ExprId, value: ExprId) -> bool {
    matches!(ctx.module.expr(test), Expr::Not(inner) if inner == value)
}

/// For each event: with it, what was acquired is given back, or somebody else has it.
fn given_back(ctx: &Context<'_>, function: FunctionId, acquired: &Acquired) -> Vec<bool> {
    let this = ctx.function_ref(function);
    let edges = ctx.program.edges(this).iter();
    let releasing: FxHashSet<ExprId> =
        edges.filter(|edge| releases_named(ctx.program, edge.target, acquired.name, 3)).map(|edge| edge.site).collect();
    let gives = |event: &Event| match *event {
        Event::Call(call) => {
            is_release_call(ctx, call, &acquired.key)
                || releasing.contains(&call)
                || call != acquired.call && is_handed_over(ctx, function, call, acquired)
        }
        Event::ReadPlace(place) => is_release(ctx, place, &acquired.key) && ctx.module.role(place) != Role::Callee,
        Event::Return(Some(value)) => is_key(ctx, value, &acquired.key),
        _ => false,
    };
    let events = &ctx.module.function(function).events;
    let mut given: Vec<bool> = events.iter().map(gives).collect();
    for at in conditional_releases(ctx, events, &given, acquired) {
        given[at] = true;
    }
    given
}

/// The branches one arm of which gives it back, on a condition that may well say whether it is held: a flag, or the lock;
/// and the loops that give back as often as it was acquired.
fn conditional_releases(ctx: &Context<'_>, events: &[Event], given: &[bool], acquired: &Acquired) -> Vec<usize> {
    let taken_at = events.iter().position(|event| *event == Event::Call(acquired.call)).unwrap_or(0);
    let counts = |mark: usize| match events[mark] {
        Event::Branch(Some(test)) => may_tell(ctx, test, &acquired.key),
        Event::Loop(_) => mark > taken_at,
        _ => false,
    };
    let mut open: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Branch(_) | Event::Loop(_) => open.push(at),
            Event::EndBranch(_) | Event::EndLoop => {
                open.pop();
            }
            _ if given[at] => found.extend(open.iter().copied().filter(|mark| counts(*mark))),
            _ => {}
        }
    }
    found
}

/// The condition is made of names and members, and of questions to the lock.
fn may_tell(ctx: &Context<'_>, test: ExprId, key: &str) -> bool {
    match ctx.module.expr(test) {
        Expr::Name(..) | Expr::Attr(..) | Expr::Literal(_) => true,
        Expr::Not(inner) => may_tell(ctx, inner, key),
        Expr::Identity(list) | Expr::Logical(list, _) | Expr::Equality(list) | Expr::Compare(list) => {
            ctx.module.list(list).iter().all(|member| may_tell(ctx, *member, key))
        }
        Expr::Call(callee, _) => matches!(ctx.module.expr(callee), Expr::Attr(base, _) if is_key(ctx, base, key)),
        _ => false,
    }
}

/// The lock, its release, or a function that releases it is an argument of the call.
fn is_handed_over(ctx: &Context<'_>, function: FunctionId, call: ExprId, acquired: &Acquired) -> bool {
    ctx.evaluator.args(call).iter().any(|arg| {
        is_key(ctx, arg.value, &acquired.key)
            || is_release(ctx, arg.value, &acquired.key)
            || is_releasing_function(ctx, function, arg.value, acquired.name)
    })
}

fn is_releasing_function(ctx: &Context<'_>, function: FunctionId, value: ExprId, name: Name) -> bool {
    if !matches!(ctx.module.expr(value), Expr::Name(..) | Expr::Attr(..) | Expr::Lambda(_)) {
        return false;
    }
    ctx.evaluator.eval(function, value).members().iter().any(|member| match member {
        Type::Function(target) | Type::Method(target, _) => releases_named(ctx.program, *target, name, 3),
        _ => false,
    })
}

/// The function, or what it calls, releases something of this name.
fn releases_named(program: &Program, function: FunctionRef, name: Name, depth: u32) -> bool {
    let module = program.module(function.file);
    let releases = |member: ExprId| {
        let Expr::Attr(base, method) = module.expr(member) else { return false };
        let is_named = matches!(module.expr(base), Expr::Name(of, _) | Expr::Attr(_, of) if of == name)
            || matches!(module.expr(base), Expr::Subscript(of, _)
                if matches!(module.expr(of), Expr::Name(of, _) | Expr::Attr(_, of) if of == name));
        method.as_str() == "release" && is_named
    };
    let members = program.function(function).events.iter().filter_map(|event| match *event {
        Event::Call(call) => match module.expr(call) {
            Expr::Call(callee, _) => Some(callee),
            _ => None,
        },
        Event::ReadPlace(place) => Some(place),
        _ => None,
    });
    members.into_iter().any(releases)
        || depth > 0
            && program
                .edges(function)
                .iter()
                .any(|edge| edge.target != function && releases_named(program, edge.target, name, depth - 1))
}

/// What the call runs raises somewhere, or waits for something outside the process.
fn is_known_to_fail(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let this = ctx.function_ref(function);
    let blocks = |function: FunctionRef, call: ExprId| {
        let site = ctx.program.site(function, call);
        site.is_some_and(|site| ctx.program.models_at(site).any(|model| model.blocks.is_some()))
    };
    blocks(this, call) || ctx.program.edges_at(this, call).iter().any(|edge| fails(ctx.program, edge.target, 3))
}

fn fails(program: &Program, function: FunctionRef, depth: u32) -> bool {
    let body = program.function(function);
    let raises = |event: &Event| matches!(event, Event::Raise(Some(_)));
    let waits = |site: &Site| program.models_at(site).any(|model| model.blocks.is_some());
    body.events.iter().any(raises)
        || program.sites(function).iter().any(waits)
        || depth > 0 && program.edges(function).iter().any(|edge| fails(program, edge.target, depth - 1))
}

fn finding(
    ctx: &Context<'_>,
    function: FunctionId,
    acquired: &Acquired,
    all: &Reach<'_>,
    exit: Exit,
    confidence: Confidence,
    returns_it: bool,
) -> Finding {
    let key = ctx.program.path_text(ctx.file, base_of(ctx, acquired.call));
    let events = &ctx.module.function(function).events;
    let leaves_at = match exit {
        Exit::Normal => all.last_before(exit),
        _ => all.turning_point(exit),
    };
    let place = leaves_at.and_then(|at| place_of(ctx, events[at]));
    let (when, here) = match exit {
        Exit::Normal => ("when the function returns early", "leaves without giving it back"),
        Exit::Cancelled => ("when the task is cancelled, or fails, while it waits", "cancelled or failing here"),
        Exit::Error => ("when what comes after raises", "raising here"),
    };
    let message = format!("`{key}` is acquired and not released {when}: {}", consequence(ctx, function, acquired));
    let with = if ctx.module.role(acquired.call) == Role::Awaited { "async with" } else { "with" };
    let help = match (acquired.gives_value, returns_it) {
        (true, _) => format!("take it with `async with {key}.acquire() as …:`, or release it in a `finally`"),
        (false, true) => format!("put the work into `{with} {key}:`, or release it in a `finally`"),
        (false, false) => {
            "release it for cancellation too: `except BaseException`, or a flag that `finally` looks at".to_owned()
        }
    };
    let confidence = match exit {
        _ if is_test_module(ctx.module.name.as_str()) => Confidence::Possible,
        Exit::Error => confidence.min(Confidence::Likely),
        _ if !acquired.is_known => confidence.min(Confidence::Likely),
        _ => confidence,
    };
    let mut finding = Finding::new(&RULE, ctx.place(acquired.call), ctx.symbol(function), message)
        .confidence(confidence)
        .help(help)
        .shape(acquired.key.clone());
    if let Some(place) = place {
        finding = finding.related(place, format!("{here}, it stays taken"));
    }
    finding
}

fn base_of(ctx: &Context<'_>, call: ExprId) -> ExprId {
    match ctx.module.expr(call) {
        Expr::Call(callee, _) => match ctx.module.expr(callee) {
            Expr::Attr(base, _) => base,
            _ => callee,
        },
        _ => call,
    }
}

fn place_of(ctx: &Context<'_>, event: Event) -> Option<Place> {
    match event {
        Event::Suspend(_, expr) | Event::Call(expr) | Event::Return(Some(expr)) | Event::Raise(Some(expr)) => {
            Some(ctx.place(expr))
        }
        _ => None,
    }
}

/// What comes of it, by what was acquired.
fn consequence(ctx: &Context<'_>, function: FunctionId, acquired: &Acquired) -> &'static str {
    if acquired.gives_value {
        return "the pool has one connection less, for good";
    }
    let class = match ctx.evaluator.eval(function, base_of(ctx, acquired.call)) {
        Type::ExternalInstance(class, _) => ctx.program.models().kind(class),
        _ => None,
    };
    match class {
        Some(ClassKind::AsyncLock | ClassKind::ThreadLock) => "whoever wants it next waits for ever",
        Some(ClassKind::AsyncSemaphore | ClassKind::ThreadSemaphore) => {
            "each time one permit less is left, until everybody waits for ever"
        }
        _ => "what it guards is lost to everybody else",
    }
}
