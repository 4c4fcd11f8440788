//! # await/floating-promise
//!
//! A promise is started and let go: nobody waits for it, and nobody hears of its rejection.
//!
//! ## What it is
//! Calling an async function runs it up to its first `await` and gives a promise for the rest. A call whose promise is neither
//! awaited, returned, kept nor given a rejection handler leaves two things open:
//!
//! - **the end**: the caller goes on, and says that it is done, while the work is still under way;
//! - **the failure**: a rejection reaches nobody. Node ends the process on it (`unhandledRejection`); a browser logs a line.
//!
//! A promise that is stored in a variable or an array which nobody looks at again is let go just the same.
//!
//! ```typescript bad
//! async function sendMail(to: string): Promise<void> {
//!   const answer = await fetch(`https://mail.example/${to}`);
//!   if (!answer.ok) throw new Error("not sent");
//! }
//!
//! export async function register(to: string): Promise<string> {
//!   sendMail(to);
//!   return "registered";
//! }
//! ```
//!
//! ## What one observes
//! - `unhandledRejection` ends the process, at a moment and with a stack that name neither the request nor the caller.
//! - Work that is done most of the time: a test, a serverless function or a worker ends before it is.
//! - Answers that say "saved" for what was not.
//!
//! ## Why tests pass all the same
//! In a test the callee is a stub that resolves at once, and the runner lives on for long enough. The rejection that would end
//! the process needs a failure of the other side, which a test rarely makes.
//!
//! ## The structural fix
//! Await it. If the caller must not wait, give it a handler for its failure: `void send().catch((error) => log.error(error))`. What
//! must not be lost when the process ends belongs in a durable queue, not in a promise.
//!
//! ```typescript good
//! async function sendMail(to: string): Promise<void> {
//!   const answer = await fetch(`https://mail.example/${to}`);
//!   if (!answer.ok) throw new Error("not sent");
//! }
//!
//! export async function register(to: string): Promise<string> {
//!   void sendMail(to).catch((error) => console.error("mail", to, error));
//!   return "registered";
//! }
//! ```
//!
//! ## Fixes that do not work
//! - `void send()` alone: it silences linters; the rejection is as unhandled as before.
//! - `try { send() } catch {}`: the `try` is over before the promise rejects.
//! - A handler for `unhandledRejection` of the process: it knows neither which request failed nor what to undo.
//!
//! ## Cues for a reviewer
//! - A call of an async function as a statement of its own, above all next to calls that are awaited.
//! - `.then(…)` at the end of a statement, without `.catch(…)`.
//! - "fire and forget" in a comment.
//!
//! ## Where it is silent
//! - The promise is awaited, returned, yielded, kept in an object, or handed to something that may wait for it.
//! - It cannot reject: the chain ends in a `catch` whose handler raises nothing, the callee handles all that it awaits, or the
//!   combinator settles.
//! - Nothing says that the call gives a promise.
//! - A library's function is given a callback: it gives a promise only without one.
//! - With `void` in front, at the top of a script, for the end of a connection, or where no call of the program waits for the same function, it is `possible`;
//!   and so it is where nothing in view can fail (nothing is thrown, and nothing that leads outside or is unknown is waited for), or the
//!   program listens to all unhandled rejections.
//!
//! ## Symptoms
//! - `UnhandledPromiseRejectionWarning` and `ERR_UNHANDLED_REJECTION` (Node).
//! - `Uncaught (in promise)` (browsers).
//! - `Cannot log after tests are done` (Jest).
//!
//! ## The mutation that introduces it
//! Remove `await` from a statement that awaits a call; or remove the `.catch(…)` from a chain that nobody awaits.
//!
//! ## Difficulty
//! Medium: the call looks like any other, and whether it gives a promise is said in another file.
//!
//! ## Related rules
//! `await/missing-await`, `await/async-callback`, `await/async-executor`, `cancel/swallowed-error`.

use crate::context::{CalleeKey, Context};
use crate::errors::{can_reject, rejects_evidently};
use crate::fate::{Fate, fate};
use crate::finding::{Finding, Place};
use crate::looping::{is_side_module, is_test_module};
use crate::rule::{Question, Rule};
use racewalk_ir::{Expr, ExprId, FunctionId, FunctionKind, Literal, Role, Stub};
use racewalk_link::{Answer, Program, Site, Type};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashSet;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/floating-promise",
    question: Question::Await,
    severity: Severity::Error,
    languages: &["javascript"],
    on_by_default: true,
    summary: "a promise is started and let go: nobody waits for it or hears of its rejection",
    source: include_str!("floating_promise.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        for site in ctx.program.sites(ctx.function_ref(function)) {
            if !is_settled_by_role(ctx.module.role(site.call))
                && let Some(finding) = judge(ctx, function, site)
            {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// What is awaited or handed on is not looked at twice: most calls end here.
fn is_settled_by_role(role: Role) -> bool {
    matches!(role, Role::Awaited | Role::Returned | Role::Yielded | Role::Callee | Role::Decorator)
}

fn judge(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    if is_told_by_callback(ctx, function, site) {
        return None;
    }
    let value = ctx.evaluator.given_by(function, site);
    if ctx.evaluator.awaitable(value) != Answer::Yes || !gives_promise(value) {
        return None;
    }
    let callee = called(ctx, site.call);
    let (happens, is_sure) = match fate(ctx, function, site.call) {
        Fate::Dropped => (format!("the promise that `{callee}` gives is let go"), true),
        Fate::Unread(binding) => {
            let bound = ctx.module.bindings[binding.index()];
            let name = ctx.module.function(bound.owner).symbols[bound.symbol.index()].name;
            (format!("the promise that `{callee}` gives is kept in `{name}`, where nobody looks"), true)
        }
        Fate::AwaitedSometimes(_) => {
            (format!("the promise that `{callee}` gives is awaited on some paths only"), false)
        }
        _ => return None,
    };
    if !can_reject(ctx.program, ctx.function_ref(function), site) {
        return None;
    }
    let message = format!("{happens}: nobody waits for the work to end, and its rejection reaches nobody");
    let shape = ctx.program.callee_name(site.callee).unwrap_or_else(|| callee.clone());
    let finding = Finding::new(&RULE, ctx.place(site.call), ctx.symbol(function), message)
        .confidence(if is_sure { confidence(ctx, function, site) } else { Confidence::Possible })
        .help(help(ctx, function, &callee))
        .shape(shape);
    Some(with_siblings(ctx, finding, site))
}

/// A library's function that is given a callback beside what it wants: many give a promise only when they are given none.
fn is_told_by_callback(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    let wants = |model: &racewalk_models::Call| !model.callbacks.is_empty() || !model.async_callbacks.is_empty();
    let is_library = matches!(site.callee, Type::External(_) | Type::ExternalMethod(..));
    is_library
        && !ctx.program.models_at(site).any(wants)
        && ctx.evaluator.args(site.call).last().is_some_and(|last| {
            matches!(ctx.evaluator.eval(function, last.value), Type::Function(_) | Type::Method(..))
        })
}

/// By its name the library's method ends a connection: what is lost with its failure is small.
fn is_farewell(callee: Type) -> bool {
    matches!(callee, Type::ExternalMethod(_, method, _)
        if matches!(method.as_str(), "end" | "close" | "quit" | "disconnect" | "destroy" | "terminate"))
}

/// A promise, and no object that merely can be awaited: that may do nothing before somebody does.
fn gives_promise(value: Type) -> bool {
    value.members().iter().all(|member| matches!(member, Type::Coroutine(_)))
}

/// The callee with its parentheses.
fn called(ctx: &Context<'_>, call: ExprId) -> String {
    match ctx.module.expr(call) {
        Expr::Call(callee, _) if matches!(ctx.module.expr(callee), Expr::Lambda(_)) => "this async function".to_owned(),
        _ => format!("{}()", ctx.program.callee_text(ctx.file, call)),
    }
}

fn help(ctx: &Context<'_>, function: FunctionId, callee: &str) -> String {
    let body = ctx.module.function(function);
    let wait = if body.is_async || body.kind == FunctionKind::Module { "await it; or, " } else { "" };
    format!(
        "{wait}if nobody may wait, handle its failure: `void {callee}.catch(…)`. What must not be lost belongs in a durable \
         queue"
    )
}

fn confidence(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Confidence {
    let module = ctx.module.name.as_str();
    let body = ctx.module.function(function);
    let is_script = body.kind == FunctionKind::Module;
    if is_discarded(ctx, site.call)
        || is_farewell(site.callee)
        || is_script
        || is_side_module(module)
        || is_usually_let_go(ctx, site)
        || ctx.shared.hears_rejections.contains(ctx.module.name.first_segment()) && !tells_by_handler(ctx, site)
        || !rejects_evidently(ctx.program, ctx.function_ref(function), site)
    {
        return Confidence::Possible;
    }
    match site.callee {
        Type::Function(target) | Type::Method(target, _) => {
            let target = ctx.program.function(target);
            let is_known = target.is_async && target.stub == Stub::No;
            if is_known && !is_test_module(module) { Confidence::Certain } else { Confidence::Likely }
        }
        _ => Confidence::Likely,
    }
}

/// A chain: somebody waits to be told by its handlers, and isn't when it rejects.
fn tells_by_handler(ctx: &Context<'_>, site: &Site) -> bool {
    matches!(site.callee, Type::ExternalMethod(class, ..) if ctx.module.language.awaitable_class == Some(class.as_str()))
}

/// The top folders in which some code listens to the rejections that nobody handles: `process.on("unhandledRejection", …)`.
pub(crate) fn hears_rejections(program: &Program) -> FxHashSet<&'static str> {
    let scripts = program.functions().filter(|function| program.module(function.file).language.starts_at_call);
    let listening = scripts.filter(|function| {
        let module = program.module(function.file);
        program.sites(*function).iter().any(|site| {
            let Expr::Call(_, args) = module.expr(site.call) else { return false };
            let [event, _, ..] = module.args(args) else { return false };
            matches!(module.expr(event.value), Expr::Literal(Literal::Str(name))
                if matches!(name.as_str(), "unhandledRejection" | "unhandledrejection"))
        })
    });
    listening.map(|function| program.module(function.file).name.first_segment()).collect()
}

/// `void f()`: somebody has seen it, and lets it go all the same.
fn is_discarded(ctx: &Context<'_>, call: ExprId) -> bool {
    let around = std::iter::successors(Some(call), |expr| ctx.module.parent(*expr));
    around.into_iter().any(|expr| ctx.module.role(expr) == Role::Discarded)
}

/// The program lets go of it at several places and waits for it at none: that is how it is meant to be called.
fn is_usually_let_go(ctx: &Context<'_>, site: &Site) -> bool {
    const SEVERAL: usize = 3;
    let Some(key) = CalleeKey::of(site.callee) else { return false };
    if ctx.shared.awaited.get(&key).is_some_and(|places| !places.is_empty()) {
        return false;
    }
    let (Type::Function(target) | Type::Method(target, _)) = site.callee else { return false };
    let callers = ctx.program.summaries.callers.of(target);
    let lets_go = |caller: &&racewalk_link::Caller| {
        let (by, call, _) = **caller;
        matches!(ctx.program.module(by.file).role(call), Role::Dropped | Role::Discarded)
    };
    callers.iter().filter(lets_go).count() >= SEVERAL
}

/// Other calls of the same function that do await it.
fn with_siblings(ctx: &Context<'_>, finding: Finding, site: &Site) -> Finding {
    let siblings = CalleeKey::of(site.callee).and_then(|key| ctx.shared.awaited.get(&key));
    let finding = match site.callee {
        Type::Function(target) | Type::Method(target, _) if ctx.program.function(target).is_async => {
            let span = ctx.program.function(target).name_span;
            finding.related(Place { file: target.file, span }, "declared `async` here")
        }
        _ => finding,
    };
    let Some(siblings) = siblings else { return finding };
    let Some(nearest) = siblings.iter().min_by_key(|place| (place.file != ctx.file, **place)) else { return finding };
    let others = match siblings.len() {
        1 => "1 other call awaits it".to_owned(),
        count => format!("{count} other calls await it"),
    };
    finding.note("sibling", others).related(*nearest, "awaited here")
}
