//! # bound/goroutine-leak
//!
//! A goroutine can wait for ever on a channel, because the one at the other end is gone.
//!
//! ## What it is
//! A goroutine that sends waits until somebody receives. When its starter gives up first (a timeout, a cancelled context, an
//! error), nobody will, and the goroutine stays with all that it refers to until the process ends. The same holds for a loop over a
//! channel that nobody closes.
//!
//! ```go bad
//! package main
//!
//! import (
//!     "context"
//!     "time"
//! )
//!
//! func slow() int {
//!     time.Sleep(time.Second)
//!     return 1
//! }
//!
//! func answer(ctx context.Context) (int, error) {
//!     result := make(chan int)
//!     go func() {
//!         result <- slow()
//!     }()
//!     select {
//!     case value := <-result:
//!         return value, nil
//!     case <-ctx.Done():
//!         return 0, ctx.Err()
//!     }
//! }
//! ```
//!
//! ## What one observes
//! - Memory and the number of goroutines grow with the number of requests that are given up.
//! - Profiles show many goroutines at one send.
//!
//! ## Why tests pass all the same
//! Tests wait for the answer. What is given up is not looked at again, and a few goroutines more do not show.
//!
//! ## The structural fix
//! Give the channel room for what is sent, or let the sender watch for the end as well.
//!
//! ```go good
//! package main
//!
//! import (
//!     "context"
//!     "time"
//! )
//!
//! func slow() int {
//!     time.Sleep(time.Second)
//!     return 1
//! }
//!
//! func answer(ctx context.Context) (int, error) {
//!     result := make(chan int, 1)
//!     go func() {
//!         result <- slow()
//!     }()
//!     select {
//!     case value := <-result:
//!         return value, nil
//!     case <-ctx.Done():
//!         return 0, ctx.Err()
//!     }
//! }
//! ```
//!
//! ## Fixes that do not work
//! - To close the channel in the starter: the sender panics.
//! - A longer timeout.
//! - Room for one where two are sent.
//!
//! ## Cues for a reviewer
//! - `make(chan T)` next to `select` with a timeout or `ctx.Done()`.
//! - `return` between `go` and the receive.
//! - `for x := range c` in a goroutine, and no `close(c)`.
//!
//! ## Where it is silent
//! - The channel has room for all that is sent, or the send is one of several cases of a `select`.
//! - The channel comes from elsewhere, or is handed on to where it cannot be followed.
//! - Every way out of the starter has received.
//!
//! ## Symptoms
//! - None. The leak profile of Go 1.27 (`goroutineleak`) shows those whose channel nobody can reach.
//!
//! ## The mutation that introduces it
//! Take the room away from a result channel: `make(chan T, 1)` becomes `make(chan T)`.
//!
//! ## Difficulty
//! Medium: the way on which it happens is the one that nobody tests.
//!
//! ## Related rules
//! `bound/channel-misuse`, `cancel/ignored-context`, `cancel/lost-cancel`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::lanes::{Does, Stuck, op, path_text, spawns_below, stuck, trace};
use crate::rule::{Question, Rule};
use racewalk_ir::FunctionKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "bound/goroutine-leak",
    question: Question::Bound,
    severity: Severity::Error,
    languages: &["go"],
    on_by_default: true,
    summary: "a goroutine can wait for ever on a channel, because the one at the other end is gone",
    source: include_str!("goroutine_leak.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let mut told: Vec<Place> = Vec::new();
    for function in ctx.functions() {
        if ctx.module.function(function).kind != FunctionKind::Function || !spawns_below(ctx, function) {
            continue;
        }
        let trace = trace(ctx, function);
        let mut channels = Vec::new();
        for stuck in stuck(&trace) {
            let (Stuck::Sends { at, .. } | Stuck::Drains { at } | Stuck::Receives { at }) = stuck;
            let it = op(&trace, at);
            if it.at.file != ctx.file || told.contains(&it.at) {
                continue;
            }
            told.push(it.at);
            let (Does::Sends(path) | Does::Drains(path) | Does::Receives(path)) = &it.does else { continue };
            let channel = path_text(ctx.program, path);
            if channels.contains(path) {
                continue;
            }
            channels.push(path.clone());
            let symbol = crate::context::symbol(ctx.program.module(it.function.file), it.function.id);
            let finding = match stuck {
                Stuck::Sends { left, .. } => {
                    let message = format!(
                        "this goroutine waits for ever to send into `{channel}` when its starter is left without receiving"
                    );
                    Finding::new(&RULE, it.at, symbol, message)
                        .help(format!("give `{channel}` room for what is sent (`make(chan T, 1)`), or send in a `select` that also watches for the end"))
                        .related(op(&trace, left).at, "left here, and nothing was received".to_owned())
                }
                Stuck::Drains { .. } => Finding::new(
                    &RULE,
                    it.at,
                    symbol,
                    format!("this goroutine waits for ever at the end of its loop: nobody closes `{channel}`"),
                )
                .help(format!("close `{channel}` when the last value has been sent")),
                Stuck::Receives { .. } => Finding::new(
                    &RULE,
                    it.at,
                    symbol,
                    format!("this goroutine waits for ever: nobody sends into `{channel}` or closes it"),
                )
                .help(format!("close `{channel}` when the goroutine is to end")),
            };
            // Where the starter falls off its end, what it has received by then is less certain than at an early return.
            let confidence = match stuck {
                Stuck::Sends { left, .. } if matches!(op(&trace, left).does, Does::Leaves) => Confidence::Possible,
                _ => Confidence::Likely,
            };
            ctx.report(function, finding.confidence(confidence).shape(channel), found);
        }
    }
    super::unheeded::check(ctx, &RULE, found);
}
