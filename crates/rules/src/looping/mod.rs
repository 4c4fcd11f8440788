//! Who owns the event loop, and who holds it up?

pub(crate) mod blocking_call;
pub(crate) mod cross_loop_primitive;
pub(crate) mod cross_thread_call;
pub(crate) mod loop_per_call;
pub(crate) mod nested_event_loop;
pub(crate) mod patched_event_loop;

use crate::context::Context;
use racewalk_ir::{FunctionId, FunctionKind};
use racewalk_link::{FunctionRef, Program};
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

/// The function asks which loop runs, and so can keep the objects of different loops apart.
fn is_loop_aware(program: &Program, function: FunctionRef) -> bool {
    let mut members = program.sites(function).iter().flat_map(|site| site.callee.members());
    members
        .any(|member| program.model_of(*member).is_some_and(|model| model.needs_running_loop && model.spawns.is_none()))
}

/// A module of tests, by the names that test runners look for.
pub(crate) fn is_test_module(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    last.starts_with("test_")
        || last.ends_with("_test")
        || last == "conftest"
        || name.split('.').any(|segment| matches!(segment, "tests" | "test" | "testing"))
}

/// A module that shows or tries something and that no program imports, by the names of the folders it lies in.
pub(crate) fn is_side_module(name: &str) -> bool {
    let side = ["examples", "example", "cookbook", "docs", "doc", "scripts", "notebooks", "benchmarks", "playground"];
    is_test_module(name) || name.split('.').any(|segment| side.contains(&segment))
}
