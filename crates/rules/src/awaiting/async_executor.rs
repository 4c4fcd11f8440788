//! # await/async-executor
//!
//! The function that is given to `new Promise` is async: what it throws is lost.
//!
//! ## What it is
//! `new Promise(executor)` calls its executor at once, drops what that returns, and turns what it *throws* into a rejection. An async
//! executor never throws: it returns a promise that rejects. That promise is dropped, so after the executor's first `await` an
//! error neither settles the new promise nor reaches anybody. Whoever awaits the new promise waits for ever.
//!
//! ```javascript bad
//! function load(url) {
//!   return new Promise(async (resolve) => {
//!     const answer = await fetch(url);
//!     resolve(await answer.json());
//!   });
//! }
//! ```
//!
//! ## What one observes
//! - A request that never ends, after a failure that is nowhere in its log.
//! - `unhandledRejection`, with a stack that begins inside of the executor.
//!
//! ## Why tests pass all the same
//! As long as nothing fails, an async executor works. A test of the failure waits for a rejection that never comes, so it is rarely
//! kept.
//!
//! ## The structural fix
//! Drop the constructor: an async function gives a promise already. Keep `new Promise` for callbacks, with a plain executor.
//!
//! ```javascript good
//! async function load(url) {
//!   const answer = await fetch(url);
//!   return answer.json();
//! }
//! ```
//!
//! ## Fixes that do not work
//! - `try`/`catch` with `reject` around some of the awaits: the next one that is added is outside of it again.
//!
//! ## Cues for a reviewer
//! - `new Promise(async`.
//!
//! ## Where it is silent
//! - Everything that the executor awaits or raises is handled inside of it.
//!
//! ## Symptoms
//! - `ERR_UNHANDLED_REJECTION` beside a promise that stays pending.
//!
//! ## The mutation that introduces it
//! Wrap the body of an async function in `return new Promise(async (resolve) => …)`.
//!
//! ## Difficulty
//! Easy: it stands in one line.
//!
//! ## Related rules
//! `await/floating-promise`, `await/async-callback`.

use crate::context::Context;
use crate::errors::are_contained;
use crate::finding::Finding;
use crate::looping::is_test_module;
use crate::rule::{Question, Rule};
use racewalk_ir::{FunctionId, Name};
use racewalk_link::{Site, Type};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/async-executor",
    question: Question::Await,
    severity: Severity::Warning,
    languages: &["javascript"],
    on_by_default: true,
    summary: "an async function is given to `new Promise`: what it throws is lost",
    source: include_str!("async_executor.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(class) = ctx.module.language.awaitable_class.map(Name::new) else { return };
    for function in ctx.functions() {
        for site in ctx.program.sites(ctx.function_ref(function)) {
            if site.callee == Type::External(class)
                && let Some(finding) = judge(ctx, function, site)
            {
                ctx.report(function, finding, found);
            }
        }
    }
}

fn judge(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Finding> {
    let executor = ctx.evaluator.args(site.call).first()?.value;
    let (Type::Function(target) | Type::Method(target, _)) = ctx.evaluator.eval(function, executor) else {
        return None;
    };
    if !ctx.program.function(target).is_async {
        return None;
    }
    let message = "the executor is async: what it throws after its first `await` settles nothing, and whoever awaits the \
                   new promise waits for ever";
    let is_harmless = are_contained(ctx.program, target) || is_test_module(ctx.module.name.as_str());
    let finding = Finding::new(&RULE, ctx.place(executor), ctx.symbol(function), message.to_owned())
        .confidence(if is_harmless { Confidence::Possible } else { Confidence::Certain })
        .help("an async function gives a promise already: return what it awaits, without the constructor")
        .shape("executor");
    Some(finding)
}
