//! Who owns the event loop, and who holds it up?

pub(crate) mod blocking_call;
pub(crate) mod nested_event_loop;
pub(crate) mod patched_event_loop;

use crate::context::Context;
use racewalk_ir::{FunctionId, FunctionKind};
use racewalk_models::Runs;

/// The function's body runs in the thread of a running event loop: it is a coroutine function, a plain handler that its
/// framework calls there, or a notebook's top level.
fn runs_on_loop(ctx: &Context<'_>, function: FunctionId) -> bool {
    let body = ctx.module.function(function);
    match (body.kind, ctx.program.entry_runs(ctx.function_ref(function))) {
        (FunctionKind::Module, _) => ctx.module.own_loop,
        (_, Some((_, runs))) => runs == Runs::Loop,
        _ => body.is_async,
    }
}
