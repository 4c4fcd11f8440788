//! `bound/goroutine-leak` by a goroutine that could watch for the end of what it works for, and does not.

use crate::context::Context;
use crate::finding::Finding;
use crate::lanes::{Does, given_contexts, is_heeded, spawns_below, trace};
use crate::rule::Rule;
use racewalk_ir::FunctionKind;
use racewalk_report::Confidence;

/// The function is given a context that nothing in it looks at, and starts a goroutine that sends in a loop, without end or choice.
pub(super) fn check(ctx: &Context<'_>, rule: &'static Rule, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind != FunctionKind::Function || !spawns_below(ctx, function) {
            continue;
        }
        let contexts = given_contexts(ctx, function);
        let Some(context) = contexts.first().filter(|it| !is_heeded(ctx, function, **it)) else { continue };
        let trace = trace(ctx, function);
        let sends = trace.lanes.iter().skip(1).find_map(|lane| {
            let mut loops = 0;
            let mut selects = false;
            lane.ops.iter().find(|op| {
                match op.does {
                    Does::Loops(_) => loops += 1,
                    Does::EndsLoop => loops -= 1,
                    Does::Selects(_) => selects = true,
                    _ => {}
                }
                !selects && loops > 0 && matches!(op.does, Does::Sends(_))
            })
        });
        let Some(sends) = sends.filter(|op| op.at.file == ctx.file) else { continue };
        let name = body.params[*context as usize].name;
        let message = format!(
            "this goroutine goes on sending when `{name}` has ended: nothing in it looks at that, and nobody may receive any more"
        );
        let symbol = ctx.symbol(sends.function.id);
        let finding = Finding::new(rule, sends.at, symbol, message)
            .help(format!("send in a `select` with `<-{name}.Done()`"))
            .confidence(Confidence::Likely);
        ctx.report(function, finding, found);
    }
}
