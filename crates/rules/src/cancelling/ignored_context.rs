//! # cancel/ignored-context
//!
//! A function takes a time limit or a cancel scope and never looks at it.
//!
//! ## What it is
//! `async def fetch(url, timeout=30)` promises that the caller decides how long it takes. When the function does not pass
//! the limit on, nor set one itself, the promise is empty: the caller has done what a careful caller does, and waits for
//! ever all the same. It happens when a body is rewritten, when a client is replaced by one with other parameters, or when
//! a wrapper forwards what it knows and forgets one.
//!
//! ```python bad
//! import httpx
//!
//!
//! async def fetch(client: httpx.AsyncClient, url: str, timeout: float = 30) -> str:
//!     response = await client.get(url)
//!     return response.text
//! ```
//!
//! In Go: a function that waits for channels takes a `context.Context` and never looks at it.
//!
//! ## What one observes
//! - Calls take longer than the limit that one sees in the code.
//! - Changing the limit changes nothing.
//!
//! ## Why tests pass all the same
//! Tests give the parameter, and nothing takes long.
//!
//! ## The structural fix
//! Use it: pass it on to the operation, or put the work into a block with that limit.
//!
//! ```python good
//! import httpx
//!
//!
//! async def fetch(client: httpx.AsyncClient, url: str, timeout: float = 30) -> str:
//!     response = await client.get(url, timeout=timeout)
//!     return response.text
//! ```
//!
//! Or take the parameter away: the caller's `async with asyncio.timeout(…)` works for everything, and cannot be forgotten
//! by the callee.
//!
//! ## Fixes that do not work
//! - A default value: it is ignored as well.
//! - To log it.
//! - `**kwargs`: what is not named is forgotten even more easily.
//!
//! ## Cues for a reviewer
//! - A parameter `timeout`, `deadline` or `cancel_scope` that occurs once in the function.
//!
//! ## Where it is silent
//! - Overrides and implementations of a declared method, handlers, nested functions, stubs: the signature is not theirs to
//!   choose.
//! - The parameter is read, also by a nested function or through `locals()`.
//! - Functions that do not wait for anything.
//! - `possible`, shown with `--strict`: what is waited for crosses no network that is known of; no caller passes the limit.
//!
//! ## Symptoms
//! None.
//!
//! ## The mutation that introduces it
//! Remove `timeout=timeout` from a call.
//!
//! ## Difficulty
//! Easy.
//!
//! ## Related rules
//! `bound/no-timeout`, `cancel/swallowed-cancellation`.

use crate::context::Context;
use crate::finding::Finding;
use crate::looping::is_side_module;
use crate::rule::{Question, Rule};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, FunctionKind, Name, ParamKind, Stub, SuspendKind};
use racewalk_link::{ClassRef, FunctionRef, How, Program, Type};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/ignored-context",
    question: Question::Cancel,
    severity: Severity::Warning,
    languages: &["python", "go"],
    on_by_default: true,
    summary: "a function takes a time limit or a cancel scope and never looks at it",
    source: include_str!("ignored_context.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if ctx.module.language.shares_memory {
        return super::unread_contexts::check(ctx, &RULE, found);
    }
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind != FunctionKind::Function || !body.is_async || body.stub != Stub::No {
            continue;
        }
        let limit = body
            .params
            .iter()
            .find(|param| !matches!(param.kind, ParamKind::Rest | ParamKind::RestNamed) && names_limit(param.name));
        if let Some(param) = limit
            && is_unread(ctx, function, param.name)
            && is_own_signature(ctx, function)
            && let Some(operand) = first_wait(ctx, function)
        {
            let finding = finding(ctx, function, param.name, operand);
            ctx.report(function, finding, found);
        }
    }
}

/// By its name the parameter limits how long the function may take, or ends it.
fn names_limit(name: Name) -> bool {
    matches!(
        name.as_str(),
        "timeout"
            | "deadline"
            | "time_limit"
            | "timeout_seconds"
            | "timeout_s"
            | "timeout_ms"
            | "timeout_sec"
            | "request_timeout"
            | "cancel_scope"
            | "cancel_event"
            | "cancellation_token"
            | "cancel_token"
            | "stop_event"
    )
}

/// Nobody reads the parameter: neither the function nor one inside it, by name or through all locals.
fn is_unread(ctx: &Context<'_>, function: FunctionId, name: Name) -> bool {
    let reads = |event: &Event| match *event {
        Event::Read(read) => match ctx.module.expr(read) {
            Expr::Name(read, _) => read == name || read.as_str() == "locals",
            _ => false,
        },
        _ => false,
    };
    !ctx.module.function(function).events.iter().any(reads) && ctx.captures_of(function, name).is_empty()
}

/// Nobody else chose the parameters: no base class, decorator or framework.
fn is_own_signature(ctx: &Context<'_>, function: FunctionId) -> bool {
    let this = ctx.function_ref(function);
    let body = ctx.module.function(function);
    let is_nested = body.parent.is_some_and(|parent| {
        matches!(ctx.module.function(parent).kind, FunctionKind::Function | FunctionKind::Lambda)
    });
    if is_nested || !body.decorators.is_empty() || ctx.program.entries.contains_key(&this) {
        return false;
    }
    let Some(id) = body.class else { return true };
    let class = ClassRef { file: ctx.file, id };
    let is_declared_above = ctx.program.lineage(class).skip(1).any(|base| match base {
        Type::Class(base) => ctx.program.own_method(base, body.name).is_some(),
        _ => true,
    });
    let is_overridden = ctx.program.overriding(this).next().is_some();
    !is_declared_above && !is_overridden && !ctx.program.has_unknown_base(class) && !has_twin(ctx, this)
}

/// Another class of the file has a method of the same name: the two serve one caller.
fn has_twin(ctx: &Context<'_>, this: FunctionRef) -> bool {
    let body = ctx.module.function(this.id);
    ctx.module.functions.iter().filter(|other| other.class.is_some() && other.name == body.name).count() > 1
}

/// What the function waits for first that may take long, with a preference for what crosses the network.
fn first_wait(ctx: &Context<'_>, function: FunctionId) -> Option<ExprId> {
    let waits = || {
        ctx.module.function(function).events.iter().filter_map(|event| match *event {
            Event::Suspend(SuspendKind::Await | SuspendKind::Enter, operand) => Some(operand),
            _ => None,
        })
    };
    waits()
        .find(|operand| crosses_network(ctx.program, ctx.function_ref(function), *operand, 3))
        .or_else(|| waits().next())
}

/// Some caller passes the limit, or nobody in the program calls the function.
fn may_be_given(ctx: &Context<'_>, function: FunctionId, param: Name) -> bool {
    let body = ctx.module.function(function);
    let position = body.params.iter().position(|other| other.name == param).unwrap_or_default();
    let position = position.saturating_sub(usize::from(body.class.is_some()));
    let callers = ctx.program.summaries.callers.of(ctx.function_ref(function));
    callers.is_empty()
        || callers
            .iter()
            .any(|(caller, site, _)| ctx.program.evaluator(caller.file).given(*site, position, param).is_some())
}

/// The wait is for the network, directly or in what it calls.
fn crosses_network(program: &Program, function: FunctionRef, operand: ExprId, depth: u32) -> bool {
    let direct = program.site(function, operand).is_some_and(|site| program.models_at(site).any(|model| model.network));
    let Some(depth) = depth.checked_sub(1).filter(|_| !direct) else { return direct };
    program.edges_at(function, operand).iter().filter(|edge| edge.how == How::Calls).any(|edge| {
        let events = &program.function(edge.target).events;
        events.iter().any(|event| match *event {
            Event::Suspend(SuspendKind::Await | SuspendKind::Enter, inner) => {
                crosses_network(program, edge.target, inner, depth)
            }
            _ => false,
        })
    })
}

fn finding(ctx: &Context<'_>, function: FunctionId, param: Name, operand: ExprId) -> Finding {
    let callee = ctx.program.callee_text(ctx.file, operand);
    let crosses = crosses_network(ctx.program, ctx.function_ref(function), operand, 3);
    let is_sure = crosses && !is_side_module(ctx.module.name.as_str()) && may_be_given(ctx, function, param);
    let message = format!("`{param}` is accepted and never looked at: `{callee}()` takes as long as it likes");
    let name_span = ctx.module.function(function).name_span;
    Finding::new(&RULE, ctx.at(name_span), ctx.symbol(function), message)
        .confidence(if is_sure { Confidence::Likely } else { Confidence::Possible })
        .help(format!("pass `{param}` on, or put the work into a block with that limit"))
        .related(ctx.place(operand), "it waits here")
        .shape(param.to_string())
}
