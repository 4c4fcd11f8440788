//! `share/self-deadlock` by locks of threads: one that is taken by who has it, also through calls.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::lanes::{Does, op, path_text, taken_twice, takes_locks, trace};
use crate::rule::Rule;
use racewalk_ir::FunctionKind;
use racewalk_report::Confidence;

pub(super) fn check(ctx: &Context<'_>, rule: &'static Rule, found: &mut Vec<Finding>) {
    let mut told: Vec<Place> = Vec::new();
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind != FunctionKind::Function || !takes_locks(ctx, function) {
            continue;
        }
        let trace = trace(ctx, function);
        for twice in taken_twice(&trace) {
            let again = op(&trace, twice.at);
            let Some(before) = twice.before.map(|at| op(&trace, at)) else { continue };
            // Each is told where it is taken for the first time.
            if before.function != ctx.function_ref(function) || told.contains(&before.at) {
                continue;
            }
            told.push(before.at);
            let (Does::Locks { path, .. }, true) = (&again.does, before.at.file == ctx.file) else { continue };
            let lock = path_text(ctx.program, path);
            let message = if twice.is_shared {
                format!(
                    "`{lock}` is taken for reading here, and again before it is given back: with somebody waiting to write in between, neither goes on"
                )
            } else {
                format!(
                    "`{lock}` is taken here, and again by the same goroutine before it is given back: it waits for itself"
                )
            };
            let at = if again.at.file == ctx.file && again.function == before.function { again.at } else { before.at };
            let confidence = if twice.is_shared { Confidence::Possible } else { Confidence::Likely };
            let finding = Finding::new(rule, at, ctx.symbol(function), message)
                .help("give the lock back before the call, or call a variant that expects it to be held")
                .confidence(confidence)
                .related(again.at, "taken again here".to_owned())
                .related(before.at, "taken here".to_owned())
                .shape(lock);
            ctx.report(function, finding, found);
        }
    }
}
