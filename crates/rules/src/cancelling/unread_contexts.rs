//! `cancel/ignored-context` by contexts: a function that waits is given one, and nothing in it looks at it.

use crate::context::Context;
use crate::finding::Finding;
use crate::lanes::{Does, given_contexts, is_heeded, traced_alone};
use crate::rule::Rule;
use racewalk_ir::{FunctionId, FunctionKind, Stub};
use racewalk_report::Confidence;

pub(super) fn check(ctx: &Context<'_>, rule: &'static Rule, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind != FunctionKind::Function || body.stub != Stub::No {
            continue;
        }
        for param in given_contexts(ctx, function) {
            if is_heeded(ctx, function, param) || !waits(ctx, function) {
                continue;
            }
            let name = body.params[param as usize].name;
            let symbol = body.symbol(name).map(|it| body.symbols[it.index()].bindings[0]);
            let Some(binding) = symbol else { continue };
            let at = ctx.at(ctx.module.bindings[binding.index()].span);
            let message = format!(
                "`{name}` is never looked at, although the function waits: it goes on when its caller has given up"
            );
            // The signature of a method may be that of an interface.
            let confidence = if body.class.is_some() { Confidence::Possible } else { Confidence::Likely };
            let finding = Finding::new(rule, at, ctx.symbol(function), message)
                .help(format!("wait in a `select` with `<-{name}.Done()`, or hand `{name}` on to what waits"))
                .confidence(confidence);
            ctx.report(function, finding, found);
        }
    }
}

/// The function waits for channels: for one at a time, or in a loop.
fn waits(ctx: &Context<'_>, function: FunctionId) -> bool {
    let trace = traced_alone(ctx, function);
    let waits =
        |does: &Does| matches!(does, Does::Sends(_) | Does::Receives(_) | Does::Drains(_) | Does::Selects(false));
    trace.lanes.iter().flat_map(|lane| &lane.ops).any(|op| waits(&op.does))
}
