//! `bound/permit-leak` by locks of threads: a way out on which a lock is not given back.

use crate::context::Context;
use crate::finding::Finding;
use crate::lanes::{kept, op, path_text, takes_locks, trace, traced_alone};
use crate::rule::Rule;
use racewalk_ir::FunctionKind;
use racewalk_report::Confidence;

pub(super) fn check(ctx: &Context<'_>, rule: &'static Rule, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let body = ctx.module.function(function);
        if body.kind != FunctionKind::Function || !takes_locks(ctx, function) {
            continue;
        }
        let whole = trace(ctx, function);
        let trace = if whole.is_cut { traced_alone(ctx, function) } else { whole };
        for kept in kept(&trace) {
            let lock = path_text(ctx.program, &kept.path);
            let message = format!(
                "`{lock}` is taken here and not given back on some way out: whoever wants it next waits for ever"
            );
            let finding = Finding::new(rule, op(&trace, kept.taken).at, ctx.symbol(function), message)
                .help(format!("write `defer {lock}.Unlock()` in the next line, or give it back before this way out"))
                .confidence(Confidence::Likely)
                .related(op(&trace, kept.left).at, "the function is left here with the lock".to_owned())
                .shape(lock);
            ctx.report(function, finding, found);
        }
    }
}
