//! # cancel/lost-cancel
//!
//! The function that ends a derived context is not called on some way out.
//!
//! ## What it is
//! `context.WithCancel`, `WithTimeout` and `WithDeadline` give a function beside the context. Until it is called, or the parent ends, the
//! context, its timer, and every goroutine that waits for it stay.
//!
//! ```go bad
//! package main
//!
//! import (
//!     "context"
//!     "errors"
//!     "time"
//! )
//!
//! func check(ctx context.Context, fail bool) error {
//!     ctx, cancel := context.WithTimeout(ctx, time.Minute)
//!     if fail {
//!         return errors.New("failed")
//!     }
//!     <-ctx.Done()
//!     cancel()
//!     return nil
//! }
//! ```
//!
//! ## What one observes
//! - Memory grows with the number of calls that fail, until their deadlines have passed.
//!
//! ## Why tests pass all the same
//! Nothing is wrong with the result.
//!
//! ## The structural fix
//! `defer cancel()` in the next line.
//!
//! ```go good
//! package main
//!
//! import (
//!     "context"
//!     "errors"
//!     "time"
//! )
//!
//! func check(ctx context.Context, fail bool) error {
//!     ctx, cancel := context.WithTimeout(ctx, time.Minute)
//!     defer cancel()
//!     if fail {
//!         return errors.New("failed")
//!     }
//!     <-ctx.Done()
//!     return nil
//! }
//! ```
//!
//! ## Fixes that do not work
//! - `_ = cancel`, which keeps the compiler quiet.
//! - A call at the end of the function only.
//!
//! ## Cues for a reviewer
//! - `ctx, _ :=`.
//! - `return` between the derivation and the first `cancel`.
//!
//! ## Where it is silent
//! - The function is returned, stored, handed on, or called by a function literal.
//!
//! ## Symptoms
//! None.
//!
//! ## The mutation that introduces it
//! Replace `defer cancel()` by `cancel()` at the end.
//!
//! ## Difficulty
//! Easy.
//!
//! ## Related rules
//! `cancel/ignored-context`, `bound/goroutine-leak`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::lanes::{op, owed, trace};
use crate::rule::{Question, Rule};
use racewalk_ir::FunctionKind;
use racewalk_models::Orders;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "cancel/lost-cancel",
    question: Question::Cancel,
    severity: Severity::Warning,
    languages: &["go"],
    on_by_default: true,
    summary: "the function that ends a derived context is not called on some way out",
    source: include_str!("lost_cancel.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let mut told: Vec<Place> = Vec::new();
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind != FunctionKind::Function || !derives(ctx, function) {
            continue;
        }
        let trace = trace(ctx, function);
        for owed in owed(&trace) {
            let (given, left) = (op(&trace, owed.given).at, op(&trace, owed.left).at);
            if given.file != ctx.file || told.contains(&given) {
                continue;
            }
            told.push(given);
            let message =
                "this is not called on some way out: the context and what waits for it stay until its parent ends";
            let finding = Finding::new(&RULE, given, ctx.symbol(function), message)
                .help("write `defer cancel()` in the next line")
                .confidence(Confidence::Likely)
                .related(left, "the function is left without it".to_owned());
            ctx.report(function, finding, found);
        }
    }
}

/// The function gets such a function to call.
fn derives(ctx: &Context<'_>, function: racewalk_ir::FunctionId) -> bool {
    let sites = ctx.program.sites(ctx.function_ref(function)).iter();
    sites.filter_map(|site| ctx.program.model_at(site)).any(|model| model.orders == Some(Orders::GivesCancel))
}
