//! # bound/no-timeout
//!
//! An operation crosses the network without a time limit: nobody's default, nobody's argument, no caller's deadline.
//!
//! ## What it is
//! A peer that answers with an error is dealt with. A peer that does not answer at all (a firewall that drops packets, a
//! process that hangs, a machine that is gone without a FIN) is not an error, it is silence. TCP may take many minutes
//! to give up, and where nothing is sent, it never does. An `await` without a limit waits for as long.
//!
//! It is worst in two places. Where alternatives are tried one after another, the second is never reached: the first one
//! does not fail, it hangs. And where a lock, a permit or a transaction is held across the wait, one silent peer stops
//! everybody who needs it: that is reported as an error.
//!
//! ```python bad
//! class ProviderError(Exception): ...
//!
//!
//! async def get_quote(symbol: str, providers) -> float:
//!     for provider in providers:
//!         try:
//!             return await provider.fetch(symbol)
//!         except ProviderError:
//!             continue
//!     raise LookupError(symbol)
//! ```
//!
//! ## What one observes
//! - Requests that never end; their number grows, and with it memory and open connections. Nothing is logged.
//! - A dependency is down for a minute, and the service needs a restart afterwards.
//! - The fallback that was tested in staging is never used in production.
//! - One hung call behind a lock: all requests that need the lock hang with it.
//!
//! ## Why tests pass all the same
//! Fakes and local servers answer at once, or fail at once. No test runs against a peer that accepts the connection and
//! then says nothing, and if one did, it would hang instead of failing.
//!
//! ## The structural fix
//! Give each attempt its own limit, and treat its end like any other failure of that peer. Set it where the operation is
//! one step for the user, so that connecting, sending and reading together are limited.
//!
//! ```python good
//! import asyncio
//!
//!
//! class ProviderError(Exception): ...
//!
//!
//! async def get_quote(symbol: str, providers, limit: float = 2.0) -> float:
//!     for provider in providers:
//!         try:
//!             async with asyncio.timeout(limit):
//!                 return await provider.fetch(symbol)
//!         except (ProviderError, TimeoutError):
//!             continue
//!     raise LookupError(symbol)
//! ```
//!
//! A client that has a limit of its own (`timeout=` at its constructor) is the better place where all of its operations are
//! alike. Alternatives that are tried one after another can also race: start the next one when the first is late, and
//! cancel the losers.
//!
//! ## Fixes that do not work
//! - `except TimeoutError` without a limit: nobody raises it.
//! - A limit for connecting only: a peer that accepts and stays silent passes it.
//! - `wait_for(call(), None)`, `timeout=None`: that is "no limit", written down.
//! - `wait_for(loop.run_in_executor(…), 5)`: the wait ends, the thread does not; limit the operation inside the thread.
//! - A limit per read on a stream: a peer that sends one byte a second keeps it alive for ever.
//! - TCP keepalive: it finds dead machines after hours by default, and hung processes never.
//!
//! ## Cues for a reviewer
//! - A loop over providers, mirrors or replicas with `try: return await …`.
//! - `async with self._lock:` with a request in it.
//! - `open_connection`, `create_connection`, `recv`, `readline` outside of any `timeout` block.
//! - `timeout=None`.
//!
//! ## Where it is silent
//! - Libraries with a default limit (most HTTP clients), and clients that are made with one anywhere in the program.
//! - `timeout`, `fail_after`, `move_on_after`, `wait_for` around it; a decorator or block whose name says that it sets a
//!   limit; a deadline that every caller sets.
//! - A server's own waits: for connections, for the next message of a client.
//! - Pipes of child processes, queues, events: nothing crosses the network.
//! - A fallback whose handlers catch a time-out: somebody sets a limit.
//! - `possible`, shown with `--strict`: waits for the next message; writes that wait for the peer to read; databases, whose
//!   server may limit statements; sessions over transports with a limit; the body of a thread; tests, examples and commands.
//!
//! ## Symptoms
//! None: that is the trouble. A task that has waited for hours in `StreamReader.readline`, `sock_recv`, `recv`.
//!
//! ## The mutation that introduces it
//! Remove `async with asyncio.timeout(…)` around a call, or the argument `timeout=`; or replace it by `None`.
//!
//! ## Difficulty
//! Easy at the call; medium where a caller's deadline, or a lock three functions up, decides.
//!
//! ## Related rules
//! `bound/permit-leak`, `share/lock-bottleneck`, `cancel/orphaned-losers`, `loop/blocking-call`.

use crate::bounding::deadlines::{is_limited, is_switched_off, is_unlimited, sets_limit};
use crate::context::Context;
use crate::finding::{Finding, Hop, Place};
use crate::looping::{is_command_module, is_side_module};
use crate::paths::{Guarded, scopes};
use crate::rule::{Question, Rule};
use crate::runs::is_repeated;
use crate::scopes::entered_kind;
use racewalk_ir::{BindingKind, Event, Expr, ExprId, FunctionId, FunctionKind, Name, Role, ScopeKind, SuspendKind};
use racewalk_link::{FunctionRef, How, Program, Site, Type};
use racewalk_models::{ClassKind, Joins};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashSet;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "bound/no-timeout",
    question: Question::Bound,
    severity: Severity::Warning,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "an operation crosses the network without a time limit",
    source: include_str!("no_timeout.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if !matches!(body.kind, FunctionKind::Function | FunctionKind::Lambda) || !runs_concurrently(ctx, function) {
            continue;
        }
        let held = if body.is_async { held_wait(ctx, function) } else { None };
        let finding = held.or_else(|| fallback(ctx, function)).or_else(|| unlimited_wait(ctx, function));
        if let Some(finding) = finding {
            ctx.report(function, finding, found);
        }
    }
}

/// A coroutine function, or a plain one that an event loop hands to a thread.
fn runs_concurrently(ctx: &Context<'_>, function: FunctionId) -> bool {
    ctx.module.function(function).is_async || ctx.shared.threads.contains(ctx.function_ref(function))
}

/// What an operation without a limit amounts to.
fn weight(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Confidence> {
    let module_name = ctx.module.name.as_str();
    if is_pipe(ctx, site) || is_set_up_before(ctx, function, site) {
        return None;
    }
    // Where everything is asynchronous, what waits may be a page or a command: nobody else waits with it.
    let serves = || ctx.program.summaries.reached_from.contains_key(&ctx.function_ref(function));
    let is_mild = is_side_module(module_name)
        || ctx.module.language.has_one_thread && !serves()
        || is_command_module(module_name)
        || waits_for_peer_to_act(ctx, function, site)
        || is_limited_elsewhere(ctx, site)
        || is_body_of_thread(ctx, function);
    Some(if is_mild { Confidence::Possible } else { Confidence::Likely })
}

/// A thread is started for the function: mostly nobody waits for that.
fn is_body_of_thread(ctx: &Context<'_>, function: FunctionId) -> bool {
    let callers = ctx.program.summaries.callers.of(ctx.function_ref(function));
    callers.iter().any(|(caller, site, how)| {
        let starts = || ctx.program.site(*caller, *site).is_some_and(|site| starts_thread(ctx.program, site.callee));
        *how == How::Offloads && starts()
    })
}

fn starts_thread(program: &Program, callee: Type) -> bool {
    matches!(callee, Type::External(path) if program.models().kind(path) == Some(ClassKind::Thread))
}

/// The stream is a pipe of a child process.
fn is_pipe(ctx: &Context<'_>, site: &Site) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(site.call) else { return false };
    let Expr::Attr(base, _) = ctx.module.expr(callee) else { return false };
    let is_standard = |name: Name| matches!(name.as_str(), "stdin" | "stdout" | "stderr");
    match ctx.module.expr(base) {
        Expr::Attr(_, name) | Expr::Name(name, _) if is_standard(name) => true,
        Expr::Name(_, defs) => ctx.module.defs(&defs).iter().any(|binding| {
            matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Value(value)
                if matches!(ctx.module.expr(value), Expr::Attr(_, name) if is_standard(name)))
        }),
        _ => false,
    }
}

/// What is connected already (`sock=`) need not be waited for; a socket may have been given a limit.
fn is_set_up_before(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    let sets = |site: &Site| matches!(site.callee, Type::ExternalMethod(_, method, _) if matches!(method.as_str(), "settimeout" | "setblocking"));
    ctx.evaluator.named_argument(site.call, "sock").is_some()
        || matches!(site.callee, Type::ExternalMethod(..))
            && ctx.program.sites(ctx.function_ref(function)).iter().any(sets)
}

/// The peer may rightly take its time: the next message of a conversation, room in its buffers.
fn waits_for_peer_to_act(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(site.call) else { return false };
    let (Expr::Attr(_, method) | Expr::Name(method, _)) = ctx.module.expr(callee) else { return false };
    let method = method.as_str().trim_start_matches("sock_");
    let starts = |words: &[&str]| words.iter().any(|word| method.starts_with(word));
    if starts(&["drain", "send", "write", "wait", "listen", "accept", "stream", "watch", "notif"]) {
        return true;
    }
    let takes = starts(&["recv", "receive", "read", "getone", "poll", "consume", "get_message", "next"]);
    takes && (is_repeated(ctx.program, ctx.function_ref(function), site.call) || !has_opened(ctx, function))
}

/// The function itself has opened a connection, so that it waits for an answer.
fn has_opened(ctx: &Context<'_>, function: FunctionId) -> bool {
    let sites = ctx.program.sites(ctx.function_ref(function)).iter();
    sites.filter(|site| ctx.program.models_at(site).any(|model| model.network)).any(|site| {
        let Expr::Call(callee, _) = ctx.module.expr(site.call) else { return false };
        matches!(ctx.module.expr(callee), Expr::Attr(_, name) | Expr::Name(name, _)
            if name.as_str().contains("connect") || name.as_str().contains("open") || name.as_str().starts_with("write"))
    })
}

/// The peer limits it, the program makes such a client with a limit somewhere, or what carries it has a limit.
fn is_limited_elsewhere(ctx: &Context<'_>, site: &Site) -> bool {
    if ctx.program.model_at(site).and_then(|model| model.carrier_timeout).is_some_and(|seconds| seconds > 0.0) {
        return true;
    }
    let Some(class) = class_of(site.callee) else { return false };
    let models = ctx.program.models();
    models.inherited(class, |class| class.peer_limits.then_some(())).is_some()
        || ctx.shared.limited_clients.contains(class.first_segment())
}

fn class_of(callee: Type) -> Option<Name> {
    match callee {
        Type::ExternalMethod(class, ..) => Some(class),
        _ => None,
    }
}

/// The import roots of libraries whose clients the program makes with a limit of their own, or whose requests are all carried by
/// what has one.
pub(crate) fn limited_clients(program: &Program) -> FxHashSet<&'static str> {
    let mut found = limited_carriers(program);
    for function in program.functions() {
        let module = program.module(function.file);
        for site in program.sites(function) {
            // What is imported where it is installed is that or nothing.
            let path = site.callee.members().iter().find_map(|member| match member {
                Type::External(path) => Some(*path),
                _ => None,
            });
            let Some(path) = path else { continue };
            let Expr::Call(_, args) = module.expr(site.call) else { continue };
            let sets = module.args(args).iter().any(|arg| match arg.kind {
                racewalk_ir::ArgKind::Named(name) => {
                    let own =
                        program.model_at(site).is_some_and(|m| m.timeout_params.iter().any(|p| p == name.as_str()));
                    let is_config = !own || program.models().class(path).is_some();
                    is_config
                        && name.as_str().contains("timeout")
                        && module.expr(arg.value) != Expr::Literal(racewalk_ir::Literal::None)
                }
                _ => false,
            });
            if sets && program.model_at(site).is_none_or(|model| model.joins.is_none()) {
                found.insert(path.first_segment());
            }
        }
    }
    found
}

/// The import roots of libraries of which the program opens carriers, and none without a limit.
fn limited_carriers(program: &Program) -> FxHashSet<&'static str> {
    let (mut limited, mut unlimited) = (FxHashSet::default(), FxHashSet::default());
    for site in program.functions().flat_map(|function| program.sites(function)) {
        let Type::External(path) = site.callee else { continue };
        let Some(seconds) = program.model_at(site).and_then(|model| model.carrier_timeout) else { continue };
        if seconds > 0.0 { &mut limited } else { &mut unlimited }.insert(path.first_segment());
    }
    limited.retain(|root| !unlimited.contains(root));
    limited
}

/// An operation without a limit, under no deadline of the function or of its callers.
fn unlimited_wait(ctx: &Context<'_>, function: FunctionId) -> Option<Finding> {
    let this = ctx.function_ref(function);
    let mut found: Option<(Confidence, &Site)> = None;
    for site in ctx.program.sites(this) {
        if !is_waited_for(ctx, function, site) || !is_unlimited(ctx.program, this, site) {
            continue;
        }
        let Some(confidence) = weight(ctx, function, site) else { continue };
        if found.is_none_or(|(before, _)| confidence > before) && !is_limited(ctx.program, this, site.call) {
            found = Some((confidence, site));
        }
    }
    let (confidence, site) = found?;
    let callee = ctx.program.callee_text(ctx.file, site.call);
    let message = if is_switched_off(ctx.program, this, site) {
        format!("`{callee}()` waits without a time limit: `None` switches the library's own off")
    } else {
        format!("`{callee}()` waits for the network without a time limit: a peer that says nothing holds it for ever")
    };
    let finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .confidence(confidence)
        .help(limit_help(ctx, site))
        .shape(ctx.program.callee_name(site.callee).unwrap_or(callee));
    Some(finding)
}

/// The call happens here and somebody waits for it: it is awaited or entered; in a plain function, it is called.
fn is_waited_for(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    match ctx.module.role(site.call) {
        Role::Awaited | Role::EnteredAsync => true,
        Role::Argument if ctx.module.function(function).is_async => {
            let this = ctx.function_ref(function);
            let waiter = ctx.module.parent(site.call).and_then(|call| ctx.program.site(this, call));
            waiter.and_then(|waiter| ctx.program.model_at(waiter)).is_some_and(|model| model.joins == Some(Joins::One))
        }
        _ => !ctx.module.function(function).is_async,
    }
}

fn limit_help(ctx: &Context<'_>, site: &Site) -> String {
    let param = ctx.program.model_at(site).and_then(|model| model.timeout_params.first());
    match param {
        Some(param) if ctx.module.language.has_option_objects => format!("pass a limit, as `{param}` of its options"),
        Some(param) => format!("pass `{param}=`, or put it into a block with a time limit"),
        None => {
            "put it into a block with a time limit, and treat the end of the time like any other failure".to_owned()
        }
    }
}

/// Alternatives are tried one after another, and nothing ends the wait for the first.
fn fallback(ctx: &Context<'_>, function: FunctionId) -> Option<Finding> {
    let events = &ctx.module.function(function).events;
    if !events.contains(&Event::Try) {
        return None;
    }
    let loops = loops(events);
    for (start, guarded) in Guarded::all(events) {
        let Some((first, _)) = loops.iter().rev().find(|(first, last)| *first < start && start < *last) else {
            continue;
        };
        let Some(elements) = elements(ctx, events, *first) else { continue };
        let Some(operand) = attempt(ctx, function, events, start, &guarded, &elements) else { continue };
        let goes_on = guarded.handlers.iter().any(|(from, to)| goes_on_to_next(&events[*from..*to]));
        let knows = guarded.handlers.iter().any(|(from, _)| catches_timeout(ctx, events[*from]));
        if goes_on
            && !knows
            && let Some(confidence) = may_hang(ctx, function, operand)
        {
            return Some(fallback_finding(ctx, function, operand, confidence));
        }
    }
    None
}

/// The loops of a function, as positions of events.
fn loops(events: &[Event]) -> Vec<(usize, usize)> {
    let mut open = Vec::new();
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Loop(_) => open.push(at),
            Event::EndLoop => found.extend(open.pop().map(|start| (start, at))),
            _ => {}
        }
    }
    found.sort_unstable();
    found
}

/// The names that a plain loop gives the elements of what it goes through.
fn elements(ctx: &Context<'_>, events: &[Event], start: usize) -> Option<Vec<Name>> {
    let Event::Loop(Some(source)) = events[start] else { return None };
    if ctx.module.role(source) != Role::Iterated || is_count(ctx, source) {
        return None;
    }
    let bound = events[start + 1..].iter().take_while(|event| !matches!(event, Event::Try));
    let names = bound.filter_map(|event| match *event {
        Event::Bind(binding) => {
            let bound = ctx.module.bindings[binding.index()];
            let is_element =
                matches!(bound.kind, BindingKind::Element(of) | BindingKind::ElementPart(of, _) if of == source);
            is_element.then(|| ctx.module.function(bound.owner).symbols[bound.symbol.index()].name)
        }
        _ => None,
    });
    Some(names.collect())
}

/// `range(3)`: attempts at the same thing, not alternatives.
fn is_count(ctx: &Context<'_>, source: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(source) else { return false };
    matches!(ctx.module.expr(callee), Expr::Name(name, _) if name.as_str() == "range")
}

/// `return await element.work(…)` in the guarded block, without a limit around it.
fn attempt(
    ctx: &Context<'_>,
    function: FunctionId,
    events: &[Event],
    start: usize,
    guarded: &Guarded,
    elements: &[Name],
) -> Option<ExprId> {
    let body = &events[start + 1..guarded.body_end];
    let returned = body.iter().find_map(|event| match *event {
        Event::Return(Some(value)) => match ctx.module.expr(value) {
            Expr::Await(operand) => Some(operand),
            Expr::Name(_, racewalk_ir::Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
                BindingKind::Value(value) => match ctx.module.expr(value) {
                    Expr::Await(operand) => Some(operand),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })?;
    let Expr::Call(callee, _) = ctx.module.expr(returned) else { return None };
    let is_of_element = is_element(ctx, callee, elements)
        || ctx.evaluator.args(returned).iter().any(|arg| is_element(ctx, arg.value, elements));
    let is_inside = body.contains(&Event::Suspend(SuspendKind::Await, returned));
    let is_alone = !is_limited(ctx.program, ctx.function_ref(function), returned);
    (is_of_element && is_inside && is_alone).then_some(returned)
}

/// The value is an element, or a member of one.
fn is_element(ctx: &Context<'_>, expr: ExprId, elements: &[Name]) -> bool {
    match ctx.module.expr(expr) {
        Expr::Name(name, _) => elements.contains(&name),
        Expr::Attr(base, _) | Expr::Subscript(base, _) => is_element(ctx, base, elements),
        _ => false,
    }
}

/// The handler neither raises nor leaves the loop.
fn goes_on_to_next(handler: &[Event]) -> bool {
    !handler.iter().any(|event| matches!(event, Event::Raise(_) | Event::Return(_) | Event::Break))
}

fn catches_timeout(ctx: &Context<'_>, handler: Event) -> bool {
    let Event::Handler(Some(caught)) = handler else { return false };
    let named = |expr: ExprId| {
        matches!(ctx.module.expr(expr), Expr::Name(name, _) | Expr::Attr(_, name)
        if name.as_str().contains("Timeout"))
    };
    match ctx.module.expr(caught) {
        Expr::Tuple(list) => ctx.module.list(list).iter().any(|member| named(*member)),
        _ => named(caught),
    }
}

/// What is waited for may never answer: it gets to an operation without a limit; or nothing is known of it, and its name
/// says that it asks somebody.
fn may_hang(ctx: &Context<'_>, function: FunctionId, operand: ExprId) -> Option<Confidence> {
    let this = ctx.function_ref(function);
    let site = ctx.program.site(this, operand)?;
    if ctx.program.model_at(site).is_some() {
        return is_unlimited(ctx.program, this, site).then(|| weight(ctx, function, site)).flatten();
    }
    let targets = ctx.program.edges_at(this, operand).iter().filter(|edge| edge.how == How::Calls);
    let targets: Vec<FunctionRef> = targets.map(|edge| edge.target).collect();
    if targets.is_empty() && site.callee.is_unknown() {
        return Some(if asks_somebody(ctx, operand) { Confidence::Likely } else { Confidence::Possible });
    }
    if targets.iter().any(|target| within(ctx, *target, 4, &mut Vec::new()).is_some()) {
        return Some(Confidence::Likely);
    }
    let is_declared = |target: &FunctionRef| ctx.program.function(*target).stub != racewalk_ir::Stub::No;
    (!targets.is_empty() && targets.iter().all(is_declared)).then_some(Confidence::Possible)
}

/// The method's name is that of a question to somebody elsewhere.
fn asks_somebody(ctx: &Context<'_>, operand: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(operand) else { return false };
    let (Expr::Attr(_, name) | Expr::Name(name, _)) = ctx.module.expr(callee) else { return false };
    let name = name.as_str().to_ascii_lowercase();
    let verbs = [
        "fetch", "request", "query", "download", "connect", "call", "post", "search", "resolve", "lookup", "complet",
        "generate", "chat", "quote", "ask", "send", "load", "get",
    ];
    verbs.iter().any(|verb| name.contains(verb))
}

fn fallback_finding(ctx: &Context<'_>, function: FunctionId, operand: ExprId, confidence: Confidence) -> Finding {
    let callee = ctx.program.callee_text(ctx.file, operand);
    let message = format!(
        "alternatives are tried one after another, and `{callee}()` has no time limit: when the first one hangs, no other is tried"
    );
    let side = is_side_module(ctx.module.name.as_str());
    Finding::new(&RULE, ctx.place(operand), ctx.symbol(function), message)
        .confidence(if side { Confidence::Possible } else { confidence })
        .help("give each attempt a time limit of its own, and go on to the next when it is over")
        .note("alternative", "attempts can also race: start the next when one is late, and cancel the losers")
        .shape(callee)
}

/// A lock, permit or transaction is held across an operation without a limit.
fn held_wait(ctx: &Context<'_>, function: FunctionId) -> Option<Finding> {
    let this = ctx.function_ref(function);
    let events = &ctx.module.function(function).events;
    for (start, end, context) in scopes(events) {
        let waits = events[start..end].iter().any(|event| matches!(event, Event::Suspend(SuspendKind::Await, _)));
        if !waits {
            continue;
        }
        let Some(held) = held(ctx, function, events[start], context) else { continue };
        for event in &events[start + 1..end] {
            let Event::Suspend(SuspendKind::Await | SuspendKind::Enter, operand) = *event else { continue };
            let Some(reach) = reaches_unlimited(ctx, function, operand) else { continue };
            if !is_limited(ctx.program, this, operand) {
                return Some(held_finding(ctx, function, operand, context, held, reach));
            }
        }
    }
    None
}

/// What is held while a block runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Lock,
    Permit,
    Transaction,
}

fn held(ctx: &Context<'_>, function: FunctionId, entering: Event, context: ExprId) -> Option<Held> {
    if matches!(entering, Event::Enter(ScopeKind::Plain, _))
        || sets_limit(ctx.program, ctx.function_ref(function), context)
    {
        return None;
    }
    match entered_kind(ctx, function, context)? {
        ClassKind::AsyncLock => Some(Held::Lock),
        ClassKind::AsyncSemaphore => Some(Held::Permit),
        ClassKind::Transaction => Some(Held::Transaction),
        _ => None,
    }
}

/// How a wait gets to an operation without a limit: directly, or by these functions.
struct Reached {
    chain: Vec<(FunctionRef, ExprId)>,
    callee: String,
    place: Place,
}

fn reaches_unlimited(ctx: &Context<'_>, function: FunctionId, operand: ExprId) -> Option<Reached> {
    let this = ctx.function_ref(function);
    let site = ctx.program.site(this, operand)?;
    if is_serious(ctx, this, site) && weight(ctx, function, site)? == Confidence::Likely {
        let callee = ctx.program.callee_text(ctx.file, operand);
        return Some(Reached { chain: Vec::new(), callee, place: ctx.place(operand) });
    }
    let edges = ctx.program.edges_at(this, operand).iter();
    for edge in edges.filter(|edge| edge.how == How::Calls && !edge.is_override) {
        if let Some((at, chain)) = within(ctx, edge.target, 3, &mut Vec::new()) {
            let (last, call) = at;
            let callee = ctx.program.callee_text(last.file, call);
            let place = Place { file: last.file, span: ctx.program.module(last.file).span(call) };
            return Some(Reached { chain, callee, place });
        }
    }
    None
}

/// Without a limit, and a question that wants an answer.
fn is_serious(ctx: &Context<'_>, function: FunctionRef, site: &Site) -> bool {
    let module = ctx.program.module(function.file);
    matches!(module.role(site.call), Role::Awaited | Role::EnteredAsync)
        && is_unlimited(ctx.program, function, site)
        && !is_limited_elsewhere(ctx, site)
}

/// An operation without a limit that a function gets to, with the way there.
type Way = ((FunctionRef, ExprId), Vec<(FunctionRef, ExprId)>);

fn within(ctx: &Context<'_>, function: FunctionRef, depth: u32, seen: &mut Vec<FunctionRef>) -> Option<Way> {
    let program = ctx.program;
    if seen.contains(&function) || !program.function(function).is_async {
        return None;
    }
    seen.push(function);
    let module = program.module(function.file);
    let asks = |call: ExprId| {
        let Expr::Call(callee, _) = module.expr(call) else { return false };
        let (Expr::Attr(_, method) | Expr::Name(method, _)) = module.expr(callee) else { return false };
        let idle = ["drain", "send", "write", "wait", "listen", "accept", "recv", "receive", "read", "stream", "watch"];
        !idle.iter().any(|word| method.as_str().starts_with(word))
    };
    let own = program
        .sites(function)
        .iter()
        .find(|site| is_serious(ctx, function, site) && asks(site.call) && !is_limited(program, function, site.call));
    if let Some(site) = own {
        return Some(((function, site.call), vec![(function, site.call)]));
    }
    let depth = depth.checked_sub(1)?;
    program.edges(function).iter().filter(|edge| edge.how == How::Calls && !edge.is_override).find_map(|edge| {
        if module.role(edge.site) != Role::Awaited {
            return None;
        }
        let (at, mut chain) = within(ctx, edge.target, depth, seen)?;
        chain.insert(0, (function, edge.site));
        Some((at, chain))
    })
}

fn held_finding(
    ctx: &Context<'_>,
    function: FunctionId,
    operand: ExprId,
    context: ExprId,
    held: Held,
    reach: Reached,
) -> Finding {
    let holder = ctx.program.path_text(ctx.file, context);
    let (what, who) = match held {
        Held::Lock => (format!("the lock `{holder}`"), "everybody who needs the lock"),
        Held::Permit => (format!("a permit of `{holder}`"), "one permit less for everybody"),
        Held::Transaction => ("a transaction".to_owned(), "everybody who needs the rows that it has locked"),
    };
    let who = match held {
        Held::Permit => format!("leaves {who}"),
        _ => format!("stops {who}"),
    };
    let message = format!(
        "{what} is held while `{}()` waits for the network without a time limit: a peer that says nothing {who}",
        reach.callee
    );
    let mut finding = Finding::new(&RULE, ctx.place(operand), ctx.symbol(function), message)
        .severity(Severity::Error)
        .confidence(if is_side_module(ctx.module.name.as_str()) { Confidence::Possible } else { Confidence::Likely })
        .help("give the operation a time limit, or do it before the block and keep only its outcome for inside")
        .related(ctx.place(context), "held from here")
        .shape(reach.callee.clone());
    if !reach.chain.is_empty() {
        let start = Hop { symbol: ctx.symbol(function), at: ctx.place(operand), via: "starts" };
        let hops = ctx.route_hops(&reach.chain).into_iter().map(|hop| Hop { via: "calls", ..hop });
        finding.chain = std::iter::once(start).chain(hops).collect();
        finding = finding.related(reach.place, "it waits here");
    }
    finding
}
