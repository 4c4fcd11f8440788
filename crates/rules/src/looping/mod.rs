//! Who owns the event loop, and who holds it up?

pub(crate) mod blocking_call;
pub(crate) mod cross_loop_primitive;
pub(crate) mod cross_thread_call;
pub(crate) mod loop_per_call;
pub(crate) mod nested_event_loop;
pub(crate) mod patched_event_loop;
mod weight;

use crate::context::Context;
use crate::homes::Home;
use crate::runs::{Run, is_primitive};
use crate::threads::asks_for_loop;
use racewalk_ir::{Expr, ExprId, FunctionId, FunctionKind, Name};
use racewalk_link::{FileId, FunctionRef};
use racewalk_models::{ClassKind, Runs};

/// The function's body runs in the thread of a running event loop: it is a coroutine function, a plain handler that its
/// framework calls there, or a notebook's top level.
fn runs_on_loop(ctx: &Context<'_>, function: FunctionId) -> bool {
    let body = ctx.module.function(function);
    match (body.kind, ctx.program.entry_runs(ctx.function_ref(function))) {
        (FunctionKind::Module, _) => ctx.module.own_loop,
        (_, Some((_, runs))) => runs == Runs::Loop,
        _ => body.is_async && !is_only_offloaded(ctx, function),
    }
}

/// All that anybody does with the coroutine function is to hand it to a thread, where its body never runs.
fn is_only_offloaded(ctx: &Context<'_>, function: FunctionId) -> bool {
    let callers = ctx.program.summaries.callers.of(ctx.function_ref(function));
    !callers.is_empty() && callers.iter().all(|(.., how)| *how == racewalk_link::How::Offloads)
}

/// Somebody who uses or sets what is kept there asks which loop runs, and so can keep the objects of different loops
/// apart.
fn is_kept_by_loop(ctx: &Context<'_>, home: Home) -> bool {
    let users = ctx.shared.runs.users.get(&home).into_iter().flatten().map(|(function, _)| *function);
    let mut known = users.chain(setters(ctx, home));
    known.any(|function| asks_for_loop(ctx.program, function))
}

/// The functions that set what is kept there.
fn setters(ctx: &Context<'_>, home: Home) -> Vec<FunctionRef> {
    match home {
        Home::Field(class, name) => {
            let fields = ctx.program.class(class).fields.iter().filter(|field| field.name == name);
            fields.map(|field| FunctionRef { file: class.file, id: field.function }).collect()
        }
        Home::Variable(variable) => {
            let module = ctx.program.module(variable.owner.file);
            let symbol = &module.function(variable.owner.id).symbols[variable.symbol.index()];
            let bindings = symbol.bindings.iter().map(|binding| module.bindings[binding.index()].within);
            bindings.map(|id| FunctionRef { file: variable.owner.file, id }).collect()
        }
    }
}

/// A lock binds to a loop only when somebody has to wait for it: when tasks or threads run side by side.
fn may_wait(ctx: &Context<'_>, class: Name, run: &Run) -> bool {
    let is_lock = matches!(ctx.program.models().kind(class), Some(ClassKind::AsyncLock | ClassKind::AsyncSemaphore));
    !is_lock || run.concurrent || run.in_thread
}

/// What the code does there with the object can bind it to a loop: a primitive's method that never waits does not.
fn can_wait_at(ctx: &Context<'_>, class: Name, file: FileId, site: ExprId) -> bool {
    let module = ctx.program.module(file);
    let Some(Expr::Attr(_, method)) = module.parent(site).map(|parent| module.expr(parent)) else { return true };
    !is_primitive(ctx.program, class) || ctx.program.models().method(class, method).is_none_or(|model| model.is_async)
}

/// The run happens again and again, in threads that share the object.
fn is_shared_by_threads(ctx: &Context<'_>, run: &Run, home: Home) -> bool {
    let is_given = || matches!(home, Home::Field(class, _) if run.outliving(ctx.program).contains(&class));
    run.often && run.in_thread && is_given()
}

/// A module of tests, by the names that test runners look for.
pub(crate) fn is_test_module(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    last.starts_with("test_")
        || last.ends_with("_test")
        || last == "conftest"
        || name.split('.').any(|segment| {
            matches!(
                segment,
                "tests"
                    | "test"
                    | "testing"
                    | "_tests"
                    | "_test"
                    | "_testing"
                    | "spec"
                    | "specs"
                    | "__tests__"
                    | "e2e"
                    | "cypress"
            )
        })
}

/// A module of a command-line interface, by the names that such modules have: what its functions wait for, the person who
/// gave the command waits for too.
pub(crate) fn is_command_module(name: &str) -> bool {
    name.split('.').any(|segment| matches!(segment, "cli" | "_cli" | "__main__"))
}

/// A module that shows or tries something and that no program imports, by the names of the folders it lies in.
pub(crate) fn is_side_module(name: &str) -> bool {
    let side = [
        "examples",
        "example",
        "cookbook",
        "docs",
        "doc",
        "scripts",
        "_scripts",
        "notebooks",
        "benchmark",
        "benchmarks",
        "demo",
        "demos",
        "samples",
        "tutorials",
        "playground",
    ];
    is_test_module(name) || name.split('.').any(|segment| side.contains(&segment))
}
