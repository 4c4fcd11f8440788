//! Time limits: where the code sets one, for a block, a wait, or all that a function does.

use crate::paths::scopes;
use racewalk_ir::{ArgKind, Event, Expr, ExprId, Literal, Module, Name, Role};
use racewalk_link::{FunctionRef, How, Program, Site, Type};
use racewalk_models::{Call, ClassKind, Joins};

/// Callers beyond this are not asked for a limit.
const FARTHEST_CALLER: u32 = 4;

/// What the function does at this expression is under a time limit: of its own, or of every caller.
pub(crate) fn is_limited(program: &Program, function: FunctionRef, expr: ExprId) -> bool {
    is_limited_here(program, function, expr) || is_limited_by_callers(program, function, FARTHEST_CALLER)
}

/// Every caller sets a limit for what the function does.
fn is_limited_by_callers(program: &Program, function: FunctionRef, left: u32) -> bool {
    if limits_by_decorator(program, function) {
        return true;
    }
    let callers = program.summaries.callers.of(function);
    let Some(left) = left.checked_sub(1) else { return false };
    let limits = |(caller, site, how): &(FunctionRef, ExprId, How)| {
        *caller == function
            || *how == How::Calls
                && (is_limited_here(program, *caller, *site) || is_limited_by_callers(program, *caller, left))
    };
    !callers.is_empty() && !program.entries.contains_key(&function) && callers.iter().all(limits)
}

/// A decorator that sets a limit, by its name.
fn limits_by_decorator(program: &Program, function: FunctionRef) -> bool {
    let module = program.module(function.file);
    program.function(function).decorators.iter().any(|decorator| {
        let named = match module.expr(*decorator) {
            Expr::Call(callee, _) => callee,
            _ => *decorator,
        };
        names_limit(module, named)
    })
}

/// The function itself sets a limit around the expression.
fn is_limited_here(program: &Program, function: FunctionRef, expr: ExprId) -> bool {
    is_under_limited_wait(program, function, expr) || is_in_limited_block(program, function, expr)
}

/// `wait_for(work(), 5)`, `gather(…)` in one, and the like.
fn is_under_limited_wait(program: &Program, function: FunctionRef, expr: ExprId) -> bool {
    let module = program.module(function.file);
    let mut inner = expr;
    while let Some(outer) = module.parent(inner) {
        if module.role(inner) == Role::Argument && sets_limit_for_arguments(program, function, outer) {
            return true;
        }
        inner = outer;
    }
    false
}

fn sets_limit_for_arguments(program: &Program, function: FunctionRef, call: ExprId) -> bool {
    let Some(site) = program.site(function, call) else { return false };
    let module = program.module(function.file);
    let Expr::Call(callee, _) = module.expr(call) else { return false };
    let mut models = program.models_at(site).peekable();
    if models.peek().is_none() {
        return names_limit(module, callee);
    }
    models.any(|model| {
        let waits = model.joins.is_some_and(|joins| joins != Joins::FailFast);
        waits && !model.timeout_params.is_empty() && gives_limit(module, call, model, 1)
    })
}

/// `async with timeout(5):` and the like around the expression.
fn is_in_limited_block(program: &Program, function: FunctionRef, expr: ExprId) -> bool {
    let module = program.module(function.file);
    let events = &program.function(function).events;
    let mut blocks =
        scopes(events).into_iter().filter(|(.., context)| sets_limit(program, function, *context)).peekable();
    if blocks.peek().is_none() {
        return false;
    }
    let at = module.span(expr);
    blocks.any(|(start, end, _)| {
        events[start..end].iter().any(|event| match *event {
            Event::Call(inner) | Event::Suspend(_, inner) | Event::Enter(_, inner) => {
                inner == expr || module.span(inner).contains(at)
            }
            _ => false,
        })
    })
}

/// Entering this sets a time limit for its block.
pub(crate) fn sets_limit(program: &Program, function: FunctionRef, context: ExprId) -> bool {
    let module = program.module(function.file);
    let Expr::Call(callee, _) = module.expr(context) else { return names_limit(module, context) };
    let Some(site) = program.site(function, context) else { return false };
    let Some(model) = program.model_at(site) else { return names_limit(module, callee) };
    let gives_deadline = match program.evaluator(function.file).given_by(function.id, site) {
        Type::Context(inner, _) => is_deadline(program, inner.get()),
        Type::Union(members) => members.as_slice().iter().any(|member| match member {
            Type::Context(inner, _) => is_deadline(program, inner.get()),
            other => is_deadline(program, *other),
        }),
        other => is_deadline(program, other),
    };
    gives_deadline && gives_limit(module, context, model, 0)
}

fn is_deadline(program: &Program, value: Type) -> bool {
    matches!(value, Type::ExternalInstance(path, _) if program.models().kind(path) == Some(ClassKind::Deadline))
}

/// The name says that a limit is set.
fn names_limit(module: &Module, callee: ExprId) -> bool {
    let (Expr::Name(name, _) | Expr::Attr(_, name)) = module.expr(callee) else { return false };
    let name = name.as_str().to_ascii_lowercase();
    ["timeout", "deadline", "time_limit", "fail_after", "move_on_after"].iter().any(|word| name.contains(word))
}

/// An argument of the call limits the time: one of the named parameters, or the positional one at this place.
pub(crate) fn gives_limit(module: &Module, call: ExprId, model: &Call, position: usize) -> bool {
    let Expr::Call(_, args) = module.expr(call) else { return false };
    let mut at = 0;
    module.args(args).iter().any(|arg| {
        let is_limit = match arg.kind {
            ArgKind::Named(name) => model.timeout_params.iter().any(|param| param == name.as_str()),
            ArgKind::SpreadNamed | ArgKind::Spread => true,
            ArgKind::Positional => {
                at += 1;
                at == position + 1
            }
        };
        is_limit && module.expr(arg.value) != Expr::Literal(Literal::None)
    })
}

/// A call that crosses the network and has no time limit, its own arguments included.
pub(crate) fn is_unlimited(program: &Program, function: FunctionRef, site: &Site) -> bool {
    let module = program.module(function.file);
    let Some(model) = program.model_at(site) else { return false };
    let crosses = model.network || model.blocks == Some(racewalk_models::Blocks::Network);
    if !crosses {
        return false;
    }
    let gives = || {
        let Expr::Call(_, args) = module.expr(site.call) else { return false };
        module.args(args).iter().any(|arg| match arg.kind {
            ArgKind::Named(name) => {
                let is_limit =
                    name.as_str().contains("timeout") || model.timeout_params.iter().any(|p| p == name.as_str());
                is_limit && module.expr(arg.value) != Expr::Literal(Literal::None)
            }
            ArgKind::SpreadNamed => true,
            _ => false,
        }) || gives_option(module, args, model)
    };
    match model.timeout {
        Some(0.0) => !gives(),
        Some(_) => is_switched_off(program, function, site),
        None => false,
    }
}

/// Options in an object limit the time; so may those that are made elsewhere.
fn gives_option(module: &Module, args: racewalk_ir::CallId, model: &Call) -> bool {
    let is_limit = |name: Name| {
        name.as_str().to_ascii_lowercase().contains("timeout")
            || model.timeout_params.iter().any(|p| p == name.as_str())
    };
    let may_hold_options = |arg: &racewalk_ir::Arg| match module.expr(arg.value) {
        Expr::Map(list) => module.list(list).chunks_exact(2).any(|entry| entry[0] == entry[1]),
        Expr::Name(..) | Expr::Attr(..) | Expr::Call(..) | Expr::Choice(_) | Expr::Logical(..) => true,
        _ => false,
    };
    module.options(args).any(|(name, _)| is_limit(name))
        || module.language.has_option_objects && module.args(args).iter().skip(1).any(may_hold_options)
}

/// `timeout=None`: the library's own limit is switched off.
pub(crate) fn is_switched_off(program: &Program, function: FunctionRef, site: &Site) -> bool {
    let module = program.module(function.file);
    let Some(model) = program.model_at(site) else { return false };
    let Expr::Call(_, args) = module.expr(site.call) else { return false };
    module.args(args).iter().any(|arg| {
        matches!(arg.kind, ArgKind::Named(name) if model.timeout_params.iter().any(|param| param == name.as_str()))
            && module.expr(arg.value) == Expr::Literal(Literal::None)
    })
}
