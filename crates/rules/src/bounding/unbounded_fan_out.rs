//! # bound/unbounded-fan-out
//!
//! One task for each element of an input, all at once, and nothing bounds how many elements there are.
//!
//! ## What it is
//! `gather(*(fetch(url) for url in urls))` starts as many requests as there are addresses. With ten it is fast. With ten
//! thousand it is an attack on whoever answers them, and on the own process: each task holds a connection, a file
//! descriptor, buffers, a row of the pool's waiting list. Nothing in the code says which of the two it will be; the
//! input does, and the input comes from a caller, a query, a file.
//!
//! A client's own connection pool does not bound it: the tasks are all there, wait for the pool, and time out there.
//!
//! ```python bad
//! import asyncio
//!
//! import httpx
//!
//!
//! async def fetch(client: httpx.AsyncClient, url: str) -> str:
//!     response = await client.get(url)
//!     return response.text
//!
//!
//! async def fetch_all(client: httpx.AsyncClient, urls: list[str]) -> list[str]:
//!     return await asyncio.gather(*(fetch(client, url) for url in urls))
//! ```
//!
//! ## What one observes
//! - `429 Too Many Requests`, or a peer that bans the address, on the first large input.
//! - `PoolTimeout`, `QueuePool limit … reached`, `OSError: [Errno 24] Too many open files`.
//! - Memory that grows with the input and not with the work in progress.
//! - Everything is slow at once, and then fails at once: with all in flight, no part is done before the time is over.
//!
//! ## Why tests pass all the same
//! Tests give it three elements, and fakes have no limits.
//!
//! ## The structural fix
//! Bound what is in flight, by a number that belongs to the resource and not to the input: a semaphore inside the
//! coroutine, a fixed number of workers on a bounded queue, or chunks.
//!
//! ```python good
//! import asyncio
//!
//! import httpx
//!
//! permits = asyncio.Semaphore(10)
//!
//!
//! async def fetch(client: httpx.AsyncClient, url: str) -> str:
//!     async with permits:
//!         response = await client.get(url)
//!         return response.text
//!
//!
//! async def fetch_all(client: httpx.AsyncClient, urls: list[str]) -> list[str]:
//!     return await asyncio.gather(*(fetch(client, url) for url in urls))
//! ```
//!
//! A semaphore bounds the work, not the number of tasks; where the input is very large or endless, use workers on a queue
//! with a `maxsize`, so that reading the input waits too.
//!
//! ## Fixes that do not work
//! - A semaphore made inside the coroutine or anew for each call: each has its own permits, and nobody waits.
//! - `async with semaphore:` around the `gather`: it bounds how many gathers run, not how many tasks each starts.
//! - A larger pool, a longer time limit: the next input is larger.
//! - `TaskGroup` in place of `gather`: it ends better, and starts as many.
//! - `return_exceptions=True`: the same load, and the failures are quiet.
//!
//! ## Cues for a reviewer
//! - `gather(*…)` over something that came in as an argument, from a query or from a response.
//! - `create_task` in a loop without `await` in it.
//! - "process all" in a name.
//!
//! ## Where it is silent
//! - Literal and constant inputs, members of an enumeration, `range` of a number that somebody chose, slices, chunks,
//!   batches of an outer loop.
//! - A semaphore, lock or limiter in the coroutine or in what it calls, or handed to it.
//! - Fields of an object, which are set up once; handlers, callbacks, tools, workers: there are as many as somebody wrote.
//! - Input whose length is tested before.
//! - Coroutines that wait for nothing.
//! - `possible`, shown with `--strict`: where the input comes from is not known, or the caller gives it to a function whose name
//!   does not speak of all or every one; the few things that a request carries; what is picked by a condition, or asked for
//!   with a limit; in JavaScript, whose agents, pools and browsers queue, what comes from
//!   outside; tests and examples.
//!
//! ## Symptoms
//! - `OSError: [Errno 24] Too many open files`
//! - `httpx.PoolTimeout`, `asyncpg.exceptions.TooManyConnectionsError`,
//!   `sqlalchemy.exc.TimeoutError: QueuePool limit of size … overflow … reached`
//! - `429 Too Many Requests`
//!
//! ## The mutation that introduces it
//! Replace a loop that awaits one element after another by `gather` over all of them; or remove the semaphore from the
//! coroutine.
//!
//! ## Difficulty
//! Easy to see, medium to judge: the bound may stand in the callee, the caller or the input.
//!
//! ## Related rules
//! `bound/unbounded-growth`, `bound/no-timeout`, `cancel/fail-fast-leak`, `await/serial-await`.

use crate::bounding::sizes::{Size, is_measured, size};
use crate::context::Context;
use crate::finding::Finding;
use crate::looping::is_side_module;
use crate::outside::leads_outside;
use crate::paths::scopes;
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingId, BindingKind, Defs, Event, Expr, ExprId, FunctionId, Name, Role, SuspendKind};
use racewalk_link::{Answer, FunctionRef, How, Program, Site, Type};
use racewalk_models::{ClassKind, Joins, Spawns};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashSet;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "bound/unbounded-fan-out",
    question: Question::Bound,
    severity: Severity::Warning,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "one task for each element of an input, and nothing bounds how many there are",
    source: include_str!("unbounded_fan_out.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if !body.events.iter().any(|event| matches!(event, Event::Loop(_))) {
            continue;
        }
        let mut reported: Vec<ExprId> = Vec::new();
        for fan_out in fan_outs(ctx, function) {
            if !reported.contains(&fan_out.source)
                && let Some(finding) = judge(ctx, function, &fan_out)
            {
                reported.push(fan_out.source);
                ctx.report(function, finding, found);
            }
        }
    }
}

/// Tasks are started for the elements of something.
struct FanOut {
    /// What is gone through.
    source: ExprId,
    /// The call that makes or starts each one.
    call: ExprId,
    /// The call that makes the coroutine; for a function that is handed over, none.
    made: Option<ExprId>,
    /// What is handed over to be called.
    handed: Option<ExprId>,
}

fn fan_outs(ctx: &Context<'_>, function: FunctionId) -> Vec<FanOut> {
    let this = ctx.function_ref(function);
    let events = &ctx.module.function(function).events;
    let mut open: Vec<(usize, Option<ExprId>)> = Vec::new();
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match *event {
            Event::Loop(source) => open.push((at, source)),
            Event::EndLoop => {
                open.pop();
            }
            Event::Call(call) if !open.is_empty() => {
                let (start, Some(source)) = open[open.len() - 1] else { continue };
                if ctx.module.role(source) != Role::Iterated || is_throttled(ctx, &events[start..]) {
                    continue;
                }
                let Some(site) = ctx.program.site(this, call) else { continue };
                found.extend(started(ctx, function, site, source));
            }
            _ => {}
        }
    }
    found
}

/// The loop that begins these events waits in each round, or takes a permit.
fn is_throttled(ctx: &Context<'_>, events: &[Event]) -> bool {
    let mut depth = 0;
    for event in events {
        match event {
            Event::Loop(_) => depth += 1,
            Event::EndLoop => {
                depth -= 1;
                if depth == 0 {
                    return false;
                }
            }
            Event::Suspend(kind, _) if *kind != SuspendKind::Exit => return true,
            Event::Call(call) if name_of(ctx, *call).is_some_and(|name| name.as_str().starts_with("acquire")) => {
                return true;
            }
            _ => {}
        }
    }
    false
}

fn started(ctx: &Context<'_>, function: FunctionId, site: &Site, source: ExprId) -> Option<FanOut> {
    let model = ctx.program.model_at(site);
    if model.is_some_and(|model| model.spawns == Some(Spawns::Task)) {
        let first = ctx.evaluator.args(site.call).first()?.value;
        let is_call = matches!(ctx.module.expr(first), Expr::Call(..));
        return Some(FanOut {
            source,
            call: site.call,
            made: is_call.then_some(first),
            handed: (!is_call).then_some(first),
        });
    }
    let is_coroutine = || match site.callee {
        Type::Function(target) | Type::Method(target, _) => {
            let body = ctx.program.function(target);
            let is_promised = || {
                ctx.module.language.starts_at_call
                    && ctx.evaluator.awaitable(ctx.evaluator.given_by(function, site)) == Answer::Yes
            };
            body.is_async && !body.is_generator || is_promised()
        }
        _ => ctx.evaluator.awaitable(ctx.evaluator.given_by(function, site)) != Answer::No,
    };
    let is_joined = match ctx.module.role(site.call) {
        Role::Element => is_comprehension_joined(ctx, function, site.call),
        Role::Argument => is_list_joined(ctx, function, site.call),
        _ => false,
    };
    (is_joined && is_coroutine()).then_some(FanOut { source, call: site.call, made: Some(site.call), handed: None })
}

/// The comprehension whose element this is is handed to something that waits for all of its elements.
fn is_comprehension_joined(ctx: &Context<'_>, function: FunctionId, element: ExprId) -> bool {
    let Some(comprehension) = ctx.module.parent(element) else { return false };
    matches!(ctx.module.expr(comprehension), Expr::Comp(..)) && is_joined(ctx, function, comprehension, FARTHEST)
}

/// `tasks.append(work(…))`, where the list is handed to something that waits for all of its elements.
fn is_list_joined(ctx: &Context<'_>, function: FunctionId, argument: ExprId) -> bool {
    let Some(call) = ctx.module.parent(argument) else { return false };
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let Expr::Attr(base, method) = ctx.module.expr(callee) else { return false };
    let Expr::Name(_, defs) = ctx.module.expr(base) else { return false };
    matches!(method.as_str(), "append" | "add")
        && ctx.module.defs(&defs).iter().any(|binding| is_read_by_join(ctx, function, *binding, FARTHEST))
}

/// Assignments from a collection to the next beyond this are not followed.
const FARTHEST: u32 = 6;

fn is_joined(ctx: &Context<'_>, function: FunctionId, value: ExprId, left: u32) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    match ctx.module.role(value) {
        Role::Unpacked | Role::Argument | Role::Element => {
            let Some(parent) = ctx.module.parent(value) else { return false };
            match ctx.module.expr(parent) {
                Expr::Call(..) => is_join(ctx, function, parent) || is_joined_collection(ctx, function, parent, left),
                Expr::Spread(_) | Expr::List(_) | Expr::Tuple(_) => is_joined(ctx, function, parent, left),
                _ => false,
            }
        }
        Role::Stored => ctx.bound_to(value).iter().any(|binding| is_read_by_join(ctx, function, *binding, left)),
        _ => false,
    }
}

/// `list(…)` of it is joined.
fn is_joined_collection(ctx: &Context<'_>, function: FunctionId, call: ExprId, left: u32) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let collects =
        matches!(ctx.module.expr(callee), Expr::Name(name, _) if matches!(name.as_str(), "list" | "tuple" | "set"));
    collects && is_joined(ctx, function, call, left)
}

fn is_read_by_join(ctx: &Context<'_>, function: FunctionId, binding: BindingId, left: u32) -> bool {
    ctx.reads_of(binding).iter().any(|(reader, read)| {
        *reader == function
            && matches!(ctx.module.role(*read), Role::Unpacked | Role::Argument)
            && is_joined(ctx, function, *read, left)
    })
}

/// The call waits for several at once.
fn is_join(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let Some(site) = ctx.program.site(ctx.function_ref(function), call) else { return false };
    ctx.program.models_at(site).any(|model| matches!(model.joins, Some(Joins::FailFast | Joins::All | Joins::First)))
}

fn judge(ctx: &Context<'_>, function: FunctionId, fan_out: &FanOut) -> Option<Finding> {
    let size = size(ctx, function, fan_out.source);
    if size == Size::Bounded || is_measured(ctx, function, fan_out.source) {
        return None;
    }
    if is_own_callable(ctx, fan_out) || is_limited(ctx, function, fan_out) || waits_for_nothing(ctx, function, fan_out)
    {
        return None;
    }
    let confidence = match size {
        _ if is_side_module(ctx.module.name.as_str()) || !is_costly(ctx, function, fan_out) => Confidence::Possible,
        // Agents, pools and browsers queue what is asked of them.
        Size::Outside | Size::Answered if ctx.module.language.starts_at_call => Confidence::Possible,
        Size::Outside => Confidence::Likely,
        Size::Answered if !is_of_few(ctx, fan_out.source) && !takes_parts(ctx, fan_out) => Confidence::Likely,
        Size::Given if speaks_of_all(ctx, function) && !is_of_few(ctx, fan_out.source) => Confidence::Likely,
        _ => Confidence::Possible,
    };
    Some(finding(ctx, function, fan_out, size, confidence))
}

/// By its name the function does it for all that there are: `migrate_all_users`, `syncEveryShop`.
fn speaks_of_all(ctx: &Context<'_>, function: FunctionId) -> bool {
    let name = ctx.module.function(function).name.as_str();
    let is_end = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_lowercase());
    ["all", "every", "All", "Every"].iter().any(|word| {
        name.match_indices(word).any(|(at, _)| {
            let begins = at == 0 || word.starts_with(char::is_uppercase) || name[..at].ends_with('_');
            begins && is_end(&name[at + word.len()..])
        })
    })
}

/// Each one is known to use something of which there is only so much, the network, a database, a process, or is likely to.
fn is_costly(ctx: &Context<'_>, function: FunctionId, fan_out: &FanOut) -> bool {
    const DEEPEST: u32 = 5;
    let this = ctx.function_ref(function);
    let call = fan_out.made.unwrap_or(fan_out.call);
    let is_served = || ctx.program.summaries.reached_from.contains_key(&this);
    leads_outside(ctx.program, this, call, DEEPEST)
        || is_declared(ctx, this, call)
        || is_asked_itself(ctx, fan_out, call) && is_served()
}

/// All that is known of what is started is that it gives a promise: there is no reason for that but work done elsewhere.
fn is_declared(ctx: &Context<'_>, function: FunctionRef, call: ExprId) -> bool {
    let is_stub = |target: FunctionRef| ctx.program.function(target).stub != racewalk_ir::Stub::No;
    let mut edges = ctx.program.edges_at(function, call).iter().peekable();
    ctx.module.language.starts_at_call && edges.peek().is_some() && edges.all(|edge| is_stub(edge.target))
}

/// Each element is an object that is asked: records that load what belongs to them.
fn is_asked_itself(ctx: &Context<'_>, fan_out: &FanOut, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let Expr::Attr(element, _) = ctx.module.expr(callee) else { return false };
    let Expr::Name(_, Defs::One(binding)) = ctx.module.expr(element) else { return false };
    ctx.module.bindings[binding.index()].kind == BindingKind::Element(fan_out.source)
}

/// Each element is itself what is called: handlers, callbacks, jobs that the caller made.
fn is_own_callable(ctx: &Context<'_>, fan_out: &FanOut) -> bool {
    let Some(Expr::Call(callee, _)) = fan_out.made.map(|made| ctx.module.expr(made)) else {
        return fan_out.made.is_none() && fan_out.handed.is_none();
    };
    let Expr::Name(_, Defs::One(binding)) = ctx.module.expr(callee) else { return false };
    matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Element(_) | BindingKind::ElementPart(..))
}

/// Each coroutine gets a part of the input: a batch, a chunk.
fn takes_parts(ctx: &Context<'_>, fan_out: &FanOut) -> bool {
    let call = fan_out.made.unwrap_or(fan_out.call);
    let is_part = |name: Name| ["batch", "chunk"].iter().any(|word| name.as_str().contains(word));
    ctx.evaluator
        .args(call)
        .iter()
        .any(|arg| matches!(ctx.module.expr(arg.value), Expr::Name(name, _) if is_part(name)))
}

/// By its name, the source holds things that somebody wrote down one by one, or that are tasks already.
fn is_of_few(ctx: &Context<'_>, source: ExprId) -> bool {
    let Some(name) = name_of(ctx, source) else { return true };
    let name = name.as_str().to_ascii_lowercase();
    let few = [
        "handler",
        "callback",
        "listener",
        "tool",
        "provider",
        "plugin",
        "service",
        "worker",
        "client",
        "server",
        "agent",
        "model",
        "backend",
        "sink",
        "hook",
        "middleware",
        "column",
        "field",
        "check",
        "rule",
        "evaluator",
        "metric",
        "scorer",
        "platform",
        "component",
        "processor",
        "connection",
        "session",
        "subscriber",
        "observer",
        "channel",
        "coro",
        "task",
        "future",
        "awaitable",
        "factor",
        "job",
        "func",
        "fn",
        "method",
        "step",
        "node",
        "guard",
        "retriever",
        "engine",
        "adapter",
        "runner",
        "exporter",
        "kernel",
        "manager",
        "replica",
        "shard",
        "device",
        "rank",
        "entities",
        "sensor",
        "integration",
        "stream",
        "proc",
        "option",
        "config",
        "setting",
        "mode",
        "batch",
        "chunk",
        "group",
        "part",
        "axis",
        "phase",
        "stage",
        "kind",
        "type",
        "arg",
    ];
    few.iter().any(|word| name.contains(word))
}

fn name_of(ctx: &Context<'_>, source: ExprId) -> Option<Name> {
    match ctx.module.expr(source) {
        Expr::Name(name, _) | Expr::Attr(_, name) => Some(name),
        Expr::Call(callee, _) => match ctx.module.expr(callee) {
            Expr::Attr(base, method) if matches!(method.as_str(), "items" | "values" | "keys" | "copy") => {
                name_of(ctx, base)
            }
            Expr::Name(..) => ctx.evaluator.args(source).first().and_then(|arg| name_of(ctx, arg.value)),
            Expr::Attr(_, method) => Some(method),
            _ => None,
        },
        Expr::Await(inner) => name_of(ctx, inner),
        _ => None,
    }
}

/// Something lets only so many of the coroutines work at once.
fn is_limited(ctx: &Context<'_>, function: FunctionId, fan_out: &FanOut) -> bool {
    let call = fan_out.made.unwrap_or(fan_out.call);
    let callee = match ctx.module.expr(call) {
        Expr::Call(callee, _) => callee,
        _ => call,
    };
    let names_limit = |expr: ExprId| name_of(ctx, expr).is_some_and(names_limiter);
    names_limit(callee)
        || ctx.evaluator.args(call).iter().any(|arg| names_limit(arg.value))
        || ctx.evaluator.args(fan_out.call).iter().any(|arg| names_limit(arg.value))
        || limit(ctx.program, targets(ctx, function, fan_out))
}

/// The functions of the program that the coroutine runs.
fn targets(ctx: &Context<'_>, function: FunctionId, fan_out: &FanOut) -> Vec<FunctionRef> {
    let this = ctx.function_ref(function);
    let mut found: Vec<FunctionRef> = Vec::new();
    if let Some(handed) = fan_out.handed {
        found.extend(ctx.evaluator.eval(function, handed).members().iter().filter_map(|member| match member {
            Type::Function(target) | Type::Method(target, _) => Some(*target),
            _ => None,
        }));
    }
    let edges = ctx.program.edges(this).iter().filter(|edge| Some(edge.site) == fan_out.made);
    found.extend(edges.map(|edge| edge.target));
    if found.is_empty() {
        found.extend(fan_out.made.and_then(|made| defined(ctx, function, made)));
    }
    found
}

/// The function that a name was given to, whatever its decorators make of it.
fn defined(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> Option<FunctionRef> {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return None };
    let Expr::Name(name, _) = ctx.module.expr(callee) else { return None };
    let (owner, symbol) = ctx.evaluator.scope_of(function, name)?;
    let bindings = &ctx.module.function(owner).symbols[symbol.index()].bindings;
    bindings.iter().find_map(|binding| match ctx.module.bindings[binding.index()].kind {
        BindingKind::Function(id) => Some(ctx.function_ref(id)),
        _ => None,
    })
}

fn names_limiter(name: Name) -> bool {
    let name = name.as_str().to_ascii_lowercase();
    ["sem", "limit", "throttl", "bounded", "slot", "concurrency", "permit"].iter().any(|word| name.contains(word))
}

/// One of the functions, or of those that they call, takes a permit or a lock.
fn limit(program: &Program, targets: Vec<FunctionRef>) -> bool {
    // A limiter stands near: past so many functions, there is none.
    const MOST_VISITED: usize = 120;
    let mut seen: FxHashSet<FunctionRef> = FxHashSet::default();
    let mut open = std::collections::VecDeque::from(targets);
    while let Some(function) = open.pop_front() {
        if seen.len() >= MOST_VISITED || !seen.insert(function) {
            continue;
        }
        if takes_permit(program, function) {
            return true;
        }
        open.extend(program.edges(function).iter().filter(|edge| edge.how == How::Calls).map(|edge| edge.target));
    }
    false
}

fn takes_permit(program: &Program, function: FunctionRef) -> bool {
    let module = program.module(function.file);
    let body = program.function(function);
    let is_limiter = |name: Name| names_limiter(name) || name.as_str().contains("lock");
    // `self._throttler.execute(…)`: what is called may be a method of the limiter.
    let named = |expr: ExprId| {
        let mut next = Some(expr);
        while let Some(expr) = next {
            next = match module.expr(expr) {
                Expr::Name(name, _) | Expr::Attr(_, name) if is_limiter(name) => return true,
                Expr::Call(inner, _) | Expr::Subscript(inner, _) | Expr::Attr(inner, _) => Some(inner),
                _ => None,
            };
        }
        false
    };
    let entered = |context: ExprId| {
        named(context) || {
            let value = program.evaluator(function.file).eval(function.id, context);
            matches!(value, Type::ExternalInstance(path, _) if matches!(
                program.models().kind(path),
                Some(ClassKind::AsyncSemaphore | ClassKind::AsyncLock)
            ))
        }
    };
    body.decorators.iter().any(|decorator| named(*decorator))
        || scopes(&body.events).into_iter().any(|(.., context)| entered(context))
        || program.sites(function).iter().any(|site| program.models_at(site).any(|model| model.acquires))
}

/// What is run is known, and nothing in it waits for anything but other such functions.
fn waits_for_nothing(ctx: &Context<'_>, function: FunctionId, fan_out: &FanOut) -> bool {
    let targets = targets(ctx, function, fan_out);
    !targets.is_empty() && targets.iter().all(|target| is_idle(ctx.program, *target, 4))
}

fn is_idle(program: &Program, function: FunctionRef, depth: u32) -> bool {
    let body = program.function(function);
    if body.stub != racewalk_ir::Stub::No {
        return false;
    }
    body.is_async
        && body.events.iter().all(|event| match *event {
            Event::Suspend(SuspendKind::Await, operand) => {
                let mut runs = program.edges_at(function, operand).iter().peekable();
                depth > 0 && runs.peek().is_some() && runs.all(|edge| is_idle(program, edge.target, depth - 1))
            }
            Event::Suspend(SuspendKind::Iterate | SuspendKind::Enter, _) => false,
            _ => true,
        })
}

fn finding(ctx: &Context<'_>, function: FunctionId, fan_out: &FanOut, size: Size, confidence: Confidence) -> Finding {
    let source = match ctx.module.expr(fan_out.source) {
        Expr::Await(inner) => ctx.program.callee_text(ctx.file, inner) + "()",
        Expr::Call(callee, _) if matches!(ctx.module.expr(callee), Expr::Name(..)) => {
            let first = ctx.evaluator.args(fan_out.source).first();
            ctx.program.path_text(ctx.file, first.map_or(fan_out.source, |arg| arg.value))
        }
        _ => ctx.program.path_text(ctx.file, fan_out.source),
    };
    let work = ctx.program.callee_text(ctx.file, fan_out.made.unwrap_or(fan_out.call));
    let origin = match size {
        Size::Outside | Size::Answered | Size::Requested => "comes from outside, and nothing bounds it",
        _ => "is as large as the caller likes",
    };
    let message = format!("`{work}()` is started for every element of `{source}` at once, which {origin}");
    Finding::new(&RULE, ctx.place(fan_out.call), ctx.symbol(function), message)
        .confidence(confidence)
        .help(ctx.module.language.limiting)
        .related(ctx.place(fan_out.source), "one for each of these")
        .shape(work)
}
