//! Functions that run only as part of the one task of a program that runs once, or before and after requests are served: a
//! script's `main`, a command, a start-up hook, and what they await.
//!
//! What holds up the loop there holds up nobody else, as long as nothing is started beside it.

use racewalk_ir::{Event, Expr, ExprId, FunctionKind, Role};
use racewalk_link::{Answer, FunctionRef, How, Program, Type};
use racewalk_models::{Joins, Runs, Serves, Spawns};
use rustc_hash::FxHashSet;

/// All such functions.
pub(crate) fn functions(program: &Program) -> FxHashSet<FunctionRef> {
    let mut roots = FxHashSet::default();
    let mut shared = Vec::new();
    for caller in program.functions() {
        let is_script = starts_programs(program, caller);
        let module = program.module(caller.file);
        for edge in program.edges(caller) {
            // What is dropped never runs.
            let is_settled = matches!(
                module.role(edge.site),
                Role::Awaited | Role::EnteredAsync | Role::IteratedAsync | Role::Dropped
            ) || is_awaited_in_wrapping(program, caller, edge.site);
            if !program.function(edge.target).is_async || is_settled {
                continue;
            }
            // Neither awaited nor run to its end at once: it runs beside its caller.
            let is_run = is_run_to_end(program, caller, edge.site);
            let is_root =
                is_run && (is_script || is_internal(program, edge.target) && starts_nothing(program, edge.target));
            if is_root {
                roots.insert(edge.target);
            } else {
                shared.push(edge.target);
            }
        }
    }
    for (function, entry) in &program.entries {
        match entry.entry.serves {
            Serves::Command | Serves::Lifespan => {
                roots.insert(*function);
            }
            Serves::Test | Serves::Fixture => {}
            // A loop of its own for each request.
            _ if program.function(*function).is_async && entry.entry.asynchronous == Runs::Alone => {
                roots.insert(*function);
            }
            Serves::Request | Serves::Event | Serves::Tool | Serves::Job => shared.push(*function),
        }
    }
    if roots.is_empty() {
        return FxHashSet::default();
    }
    let called = |function: &FunctionRef| !program.summaries.callers.of(*function).is_empty();
    shared.extend(program.functions().filter(|f| program.function(*f).is_async && !called(f) && !roots.contains(f)));
    let shared = closure(program, shared);
    closure(program, roots).difference(&shared).copied().collect()
}

/// The functions that begin a program's only work on a loop: each is given to a call that starts one, or is the first thing
/// that such a function awaits, and is used nowhere else. Before their first suspension point nothing else is on the loop.
pub(crate) fn beginnings(program: &Program) -> FxHashSet<FunctionRef> {
    let mut found = FxHashSet::default();
    let mut open: Vec<FunctionRef> = Vec::new();
    for caller in program.functions().filter(|caller| !program.function(*caller).is_async) {
        let run = program.edges(caller).iter().filter(|edge| is_run_to_end(program, caller, edge.site));
        open.extend(run.map(|edge| edge.target));
    }
    while let Some(function) = open.pop() {
        let callers = program.summaries.callers.of(function);
        let begins = |(caller, site, _): &(FunctionRef, ExprId, How)| {
            is_run_to_end(program, *caller, *site)
                || (found.contains(caller) && first_awaited(program, *caller) == Some(*site))
        };
        let body = program.function(function);
        if !body.is_async || program.entries.contains_key(&function) || !callers.iter().all(begins) {
            continue;
        }
        if found.insert(function) {
            let first = first_awaited(program, function);
            let next = program.edges(function).iter().filter(|edge| Some(edge.site) == first);
            open.extend(next.map(|edge| edge.target));
        }
    }
    found
}

/// `await wait_for(work(), 5)`: awaited all the same.
fn is_awaited_in_wrapping(program: &Program, caller: FunctionRef, site: ExprId) -> bool {
    let module = program.module(caller.file);
    let Some(wrapping) = module.parent(site).filter(|parent| module.role(*parent) == Role::Awaited) else {
        return false;
    };
    let models = program.site(caller, wrapping).into_iter().flat_map(|site| program.models_at(site));
    models.into_iter().any(|model| model.joins == Some(Joins::One))
}

/// What a function awaits first.
fn first_awaited(program: &Program, function: FunctionRef) -> Option<ExprId> {
    program.function(function).events.iter().find_map(|event| match event {
        Event::Suspend(_, operand) => Some(*operand),
        _ => None,
    })
}

/// By its names, nobody outside the program calls it: a nested function, or one below a name that begins with `_`.
fn is_internal(program: &Program, function: FunctionRef) -> bool {
    let module = program.module(function.file).name;
    let qualified = program.qualified(function);
    module
        .as_str()
        .split('.')
        .chain(qualified.split('.'))
        .any(|segment| segment == "<locals>" || segment.starts_with('_') && !segment.starts_with("__"))
}

/// Nothing that it gets to starts a task that goes on beside it: the loop has this one piece of work, and between whiles what it
/// waits for as a whole, which is not alone.
fn starts_nothing(program: &Program, function: FunctionRef) -> bool {
    closure(program, [function]).into_iter().all(|function| {
        let module = program.module(function.file);
        program.sites(function).iter().all(|site| {
            program.model_at(site).is_none_or(|model| {
                let joins = || program.evaluator(function.file).given_by(function.id, site);
                let is_over =
                    || matches!(model.joins, Some(Joins::FailFast)) && module.role(site.call) == Role::Awaited;
                !matches!(model.spawns, Some(Spawns::Task | Spawns::OtherLoop))
                    && (matches!(model.joins, None | Some(Joins::One))
                        || is_over()
                        || program.evaluator(function.file).awaitable(joins()) != Answer::Yes)
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
    let callers = program.summaries.callers.of(function);
    let from_module = |caller: &FunctionRef| program.function(*caller).kind == FunctionKind::Module;
    let is_start = match callers {
        [] => body.name.as_str() == "main",
        callers => callers.iter().all(|(caller, ..)| from_module(caller)),
    };
    !body.is_async && body.class.is_none() && is_start
}

/// The coroutine is an argument of a call that starts a loop for it, or that has a thread do so: `submit(asyncio.run, work())`;
/// the program's own helpers that start loops count, too.
fn is_run_to_end(program: &Program, caller: FunctionRef, site: ExprId) -> bool {
    let module = program.module(caller.file);
    let Some(runner) = module.parent(site) else { return false };
    let Expr::Call(_, args) = module.expr(runner) else { return false };
    let runs_loop = |callee: Type| program.model_of(callee).is_some_and(|model| model.runs_loop);
    let callee = program.site(caller, runner).map(|site| site.callee);
    let is_helper = |callee: Type| match callee {
        Type::Function(target) | Type::Method(target, _) => {
            !program.function(target).is_async && program.summaries.starts_loop.contains_key(&target)
        }
        _ => false,
    };
    callee.is_some_and(|callee| runs_loop(callee) || is_helper(callee))
        || callee.is_some_and(|callee| program.model_of(callee).is_some_and(|model| model.offloads.is_some()))
            && module.args(args).iter().any(|arg| runs_loop(program.evaluator(caller.file).eval(caller.id, arg.value)))
}

fn closure(program: &Program, starts: impl IntoIterator<Item = FunctionRef>) -> FxHashSet<FunctionRef> {
    let mut reached = FxHashSet::default();
    let mut open: Vec<FunctionRef> = starts.into_iter().collect();
    while let Some(function) = open.pop() {
        if reached.insert(function) {
            open.extend(program.edges(function).iter().map(|edge| edge.target));
        }
    }
    reached
}
