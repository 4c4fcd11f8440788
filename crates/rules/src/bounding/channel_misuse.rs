//! # bound/channel-misuse
//!
//! A channel is closed twice, or something is sent into one that is closed: the program panics.
//!
//! ## What it is
//! To close a channel that is closed, or to send into it, is a panic. Each way that a function can take has to close a channel once at
//! most, and goroutines that may close it at the same time have to agree on one of them: to ask first (`select` with `default`) does not
//! help, since both may ask before either closes.
//!
//! ```go bad
//! package main
//!
//! import "errors"
//!
//! func run(done chan struct{}, fail bool) error {
//!     defer close(done)
//!     if fail {
//!         close(done)
//!         return errors.New("failed")
//!     }
//!     return nil
//! }
//! ```
//!
//! ## What one observes
//! - `panic: close of closed channel`, `panic: send on closed channel`, on a way that is seldom taken.
//!
//! ## Why tests pass all the same
//! Tests close once. Two that close at the same time are nanoseconds apart.
//!
//! ## The structural fix
//! One owner closes, in one place; where several may, a `sync.Once` decides.
//!
//! ```go good
//! package main
//!
//! import (
//!     "errors"
//!     "sync"
//! )
//!
//! type job struct {
//!     done chan struct{}
//!     once sync.Once
//! }
//!
//! func (j *job) stop() {
//!     j.once.Do(func() { close(j.done) })
//! }
//!
//! func run(j *job, fail bool) error {
//!     defer j.stop()
//!     if fail {
//!         return errors.New("failed")
//!     }
//!     return nil
//! }
//! ```
//!
//! ## Fixes that do not work
//! - `recover()` around the close: the program goes on, and whoever else was to be told is not.
//! - To ask by `select` whether it is closed already, without a lock.
//!
//! ## Cues for a reviewer
//! - `defer close(c)` and a `close(c)` further down.
//! - `close` in a method that several may call.
//!
//! ## Where it is silent
//! - Ways that exclude each other close it once each.
//! - The close is guarded by a lock or a `sync.Once`.
//!
//! ## Symptoms
//! - `panic: close of closed channel`
//! - `panic: send on closed channel`
//!
//! ## The mutation that introduces it
//! Close a channel before an early return of a function that defers the close.
//!
//! ## Difficulty
//! Easy within a function, hard across goroutines.
//!
//! ## Related rules
//! `bound/goroutine-leak`, `share/data-race`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::lanes::{Does, Misuse, misuses, op, path_text, trace};
use crate::rule::{Question, Rule};
use racewalk_ir::FunctionKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "bound/channel-misuse",
    question: Question::Bound,
    severity: Severity::Error,
    languages: &["go"],
    on_by_default: true,
    summary: "a channel is closed twice, or something is sent into one that is closed",
    source: include_str!("channel_misuse.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let mut told: Vec<Place> = Vec::new();
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind != FunctionKind::Function || !closes(ctx, function) {
            continue;
        }
        let trace = trace(ctx, function);
        for misuse in misuses(&trace) {
            let (Misuse::ClosedTwice { at, .. } | Misuse::SentAfterClose { at, .. } | Misuse::ClosedUnguarded { at }) =
                misuse;
            let it = op(&trace, at);
            if it.at.file != ctx.file || told.contains(&it.at) {
                continue;
            }
            told.push(it.at);
            let (Does::Closes(path) | Does::Sends(path)) = &it.does else { continue };
            let channel = path_text(ctx.program, path);
            let symbol = crate::context::symbol(ctx.program.module(it.function.file), it.function.id);
            let finding = match misuse {
                Misuse::ClosedTwice { before, .. } => Finding::new(
                    &RULE,
                    it.at,
                    symbol,
                    format!("`{channel}` is closed here when it is closed already: a panic"),
                )
                .help("close it in one place, or by a `sync.Once`")
                .related(op(&trace, before).at, "closed here before".to_owned()),
                Misuse::SentAfterClose { before, .. } => {
                    Finding::new(&RULE, it.at, symbol, format!("`{channel}` is closed when this is sent: a panic"))
                        .help("close it behind the last send")
                        .related(op(&trace, before).at, "closed here before".to_owned())
                }
                Misuse::ClosedUnguarded { .. } => Finding::new(
                    &RULE,
                    it.at,
                    symbol,
                    format!("two that call this at the same time both find `{channel}` open and close it: a panic"),
                )
                .help("let a `sync.Once` close it, or hold a lock from the question to the close"),
            };
            ctx.report(function, finding.confidence(Confidence::Likely).shape(channel), found);
        }
    }
}

/// The function closes channels itself, or inside of a function literal.
fn closes(ctx: &Context<'_>, function: racewalk_ir::FunctionId) -> bool {
    use racewalk_ir::{Event, Expr};
    let module = ctx.module;
    module.function(function).events.iter().any(|event| match *event {
        Event::Call(call) | Event::AtExit(call) => match module.expr(call) {
            Expr::Call(callee, _) => matches!(module.expr(callee), Expr::Name(name, _) if name.as_str() == "close"),
            _ => false,
        },
        Event::Define(inner) => module.function(inner).kind == FunctionKind::Lambda && closes(ctx, inner),
        _ => false,
    })
}
