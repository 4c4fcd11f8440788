//! Functions that run only as part of the one task of a program that runs once, or before and after requests are served: a
//! script's `main`, a command, a start-up hook, and what they await.
//!
//! What holds up the loop there holds up nobody else, as long as nothing is started beside it.

use racewalk_ir::{Expr, FunctionKind, Role};
use racewalk_link::{FunctionRef, Program};
use racewalk_models::{Serves, Spawns};
use rustc_hash::FxHashSet;

/// All such functions.
pub(crate) fn functions(program: &Program) -> FxHashSet<FunctionRef> {
    let mut roots = Vec::new();
    let mut shared = Vec::new();
    for caller in program.functions() {
        let is_script = starts_programs(program, caller);
        let module = program.module(caller.file);
        for edge in program.edges(caller) {
            if !program.function(edge.target).is_async || module.role(edge.site) == Role::Awaited {
                continue;
            }
            // Neither awaited nor run to its end at once: it runs beside its caller.
            let is_run = is_run_to_end(program, caller, edge.site);
            let is_root =
                is_run && (is_script || is_internal(program, edge.target) && starts_nothing(program, edge.target));
            if is_root { &mut roots } else { &mut shared }.push(edge.target);
        }
    }
    for (function, entry) in &program.entries {
        match entry.entry.serves {
            Serves::Command | Serves::Lifespan => roots.push(*function),
            Serves::Test | Serves::Fixture => {}
            Serves::Request | Serves::Event | Serves::Tool | Serves::Job => shared.push(*function),
        }
    }
    if roots.is_empty() {
        return FxHashSet::default();
    }
    let called = |function: &FunctionRef| program.summaries.callers.contains_key(function);
    shared.extend(program.functions().filter(|f| program.function(*f).is_async && !called(f) && !roots.contains(f)));
    let shared = closure(program, shared);
    closure(program, roots).difference(&shared).copied().collect()
}

/// By its names, nobody outside the program calls it: a nested function, or one below a name that begins with `_`.
fn is_internal(program: &Program, function: FunctionRef) -> bool {
    let module = program.module(function.file).name;
    let segments = module.as_str().split('.').chain(program.function(function).qualified.as_str().split('.'));
    segments.into_iter().any(|segment| segment == "<locals>" || segment.starts_with('_') && !segment.starts_with("__"))
}

/// Nothing that it gets to starts a task or runs several at once: the loop has this one piece of work.
fn starts_nothing(program: &Program, function: FunctionRef) -> bool {
    closure(program, vec![function]).into_iter().all(|function| {
        program.sites(function).iter().all(|site| {
            program.model_of(site.callee).is_none_or(|model| {
                let joins = model.joins.is_some() && model.blocks.is_none();
                !joins && !matches!(model.spawns, Some(Spawns::Task | Spawns::OtherLoop))
            })
        })
    })
}

/// A module's own body, a command, or a plain function that only modules' bodies call.
fn starts_programs(program: &Program, function: FunctionRef) -> bool {
    let body = program.function(function);
    if body.kind == FunctionKind::Module {
        return true;
    }
    if let Some(entry) = program.entries.get(&function) {
        return entry.entry.serves == Serves::Command;
    }
    let callers = program.summaries.callers.get(&function);
    let from_module = |caller: &FunctionRef| program.function(*caller).kind == FunctionKind::Module;
    !body.is_async
        && body.class.is_none()
        && callers
            .map_or(body.name.as_str() == "main", |callers| callers.iter().all(|(caller, ..)| from_module(caller)))
}

/// The coroutine is an argument of a call that starts a loop for it.
fn is_run_to_end(program: &Program, caller: FunctionRef, site: racewalk_ir::ExprId) -> bool {
    let module = program.module(caller.file);
    let Some(runner) = module.parent(site).filter(|parent| matches!(module.expr(*parent), Expr::Call(..))) else {
        return false;
    };
    let runner = program.sites(caller).iter().find(|other| other.call == runner);
    runner.is_some_and(|runner| program.model_of(runner.callee).is_some_and(|model| model.runs_loop))
}

fn closure(program: &Program, starts: Vec<FunctionRef>) -> FxHashSet<FunctionRef> {
    let mut reached = FxHashSet::default();
    let mut open = starts;
    while let Some(function) = open.pop() {
        if reached.insert(function) {
            open.extend(program.edges(function).iter().map(|edge| edge.target));
        }
    }
    reached
}
