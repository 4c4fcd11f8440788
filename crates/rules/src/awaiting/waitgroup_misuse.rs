//! # await/waitgroup-misuse
//!
//! A `WaitGroup` is waited for before all that it should wait for are counted, or one of them never counts down.
//!
//! ## What it is
//! `Wait` returns when the count is zero, which it also is before the first `Add`. A goroutine that counts itself may come to that only
//! after the wait is over. And one that has a way out without `Done` is waited for until the process ends.
//!
//! ```go bad
//! package main
//!
//! import "sync"
//!
//! func work(n int) {}
//!
//! func all(jobs []int) {
//!     var wg sync.WaitGroup
//!     for _, job := range jobs {
//!         go func() {
//!             wg.Add(1)
//!             defer wg.Done()
//!             work(job)
//!         }()
//!     }
//!     wg.Wait()
//! }
//! ```
//!
//! ## What one observes
//! - The function returns before its work is done: results are missing, or are written while they are read.
//! - Or it never returns.
//!
//! ## Why tests pass all the same
//! On an idle machine goroutines start at once, and the way without `Done` is the one of an error.
//!
//! ## The structural fix
//! Count before `go`, and count down by `defer` in the first line; since Go 1.25 `wg.Go(f)` does both.
//!
//! ```go good
//! package main
//!
//! import "sync"
//!
//! func work(n int) {}
//!
//! func all(jobs []int) {
//!     var wg sync.WaitGroup
//!     for _, job := range jobs {
//!         wg.Add(1)
//!         go func() {
//!             defer wg.Done()
//!             work(job)
//!         }()
//!     }
//!     wg.Wait()
//! }
//! ```
//!
//! ## Fixes that do not work
//! - A sleep before `Wait`.
//! - `Add` in the first line of the goroutine: it is too late there as well.
//!
//! ## Cues for a reviewer
//! - `wg.Add` behind `go`.
//! - `wg.Done()` without `defer` in a function with several ways out.
//!
//! ## Where it is silent
//! - The goroutine counts for others that it starts itself.
//! - The count was raised before the goroutine was started.
//!
//! ## Symptoms
//! - `sync: WaitGroup is reused before previous Wait has returned`, seldom
//!
//! ## The mutation that introduces it
//! Move `wg.Add(1)` into the goroutine.
//!
//! ## Difficulty
//! Easy.
//!
//! ## Related rules
//! `share/data-race`, `bound/goroutine-leak`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::lanes::{Miscount, miscounts, op, spawns_below, trace};
use crate::rule::{Question, Rule};
use racewalk_ir::FunctionKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/waitgroup-misuse",
    question: Question::Await,
    severity: Severity::Error,
    languages: &["go"],
    on_by_default: true,
    summary: "a wait group is waited for before all are counted, or one of them never counts down",
    source: include_str!("waitgroup_misuse.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let mut told: Vec<Place> = Vec::new();
    for function in ctx.functions() {
        if ctx.module.function(function).kind != FunctionKind::Function || !spawns_below(ctx, function) {
            continue;
        }
        let trace = trace(ctx, function);
        for miscount in miscounts(&trace) {
            let (Miscount::AddedInside { at, .. } | Miscount::NotDone { left: at, .. }) = miscount;
            let it = op(&trace, at);
            if it.at.file != ctx.file || told.contains(&it.at) {
                continue;
            }
            told.push(it.at);
            let symbol = crate::context::symbol(ctx.program.module(it.function.file), it.function.id);
            let finding = match miscount {
                Miscount::AddedInside { waited, .. } => Finding::new(
                    &RULE,
                    it.at,
                    symbol,
                    "the goroutine counts itself: the wait may be over before it comes to that",
                )
                .help("call `Add` before the `go` statement, or start it by `WaitGroup.Go`")
                .related(op(&trace, waited).at, "waited for here".to_owned()),
                Miscount::NotDone { at: done, .. } => Finding::new(
                    &RULE,
                    op(&trace, done).at,
                    symbol,
                    "the goroutine has a way out on which it does not count down: the wait never ends",
                )
                .help("count down by `defer` in the first line of the goroutine")
                .confidence(Confidence::Likely),
            };
            ctx.report(function, finding.confidence(Confidence::Likely), found);
        }
    }
}
