//! What is waited for together: the calls that make the awaitables, and who else knows the tasks.

use crate::context::Context;
use racewalk_ir::{BindingId, BindingKind, Defs, Expr, ExprId, FunctionId, Role};
use racewalk_models::{Joins, Spawns};

/// The calls that make the awaitables in a value.
pub(crate) fn coroutines(ctx: &Context<'_>, function: FunctionId, value: ExprId, work: &mut Vec<ExprId>, left: u32) {
    let Some(left) = left.checked_sub(1) else { return };
    match ctx.module.expr(value) {
        Expr::Spread(inner) | Expr::Comp(_, inner) => coroutines(ctx, function, inner, work, left),
        Expr::List(list) | Expr::Tuple(list) | Expr::Set(list) => {
            for member in ctx.module.list(list) {
                coroutines(ctx, function, *member, work, left);
            }
        }
        Expr::Call(..) => {
            let site = ctx.program.site(ctx.function_ref(function), value);
            let spawns = site
                .and_then(|site| ctx.program.model_at(site))
                .is_some_and(|model| model.spawns == Some(Spawns::Task) || model.joins == Some(Joins::One));
            match ctx.evaluator.args(value).first().filter(|_| spawns) {
                Some(inner) => coroutines(ctx, function, inner.value, work, left),
                None => work.push(value),
            }
        }
        Expr::Name(_, Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(inner) | BindingKind::Typed(_, Some(inner)) => {
                coroutines(ctx, function, inner, work, left);
                for (_, read) in ctx.reads_of(binding) {
                    appended(ctx, function, *read, work, left);
                }
            }
            _ => {}
        },
        _ => {}
    }
}

/// `tasks.append(…)`
fn appended(ctx: &Context<'_>, function: FunctionId, read: ExprId, work: &mut Vec<ExprId>, left: u32) {
    let Some(member) = ctx.module.parent(read) else { return };
    let Expr::Attr(_, method) = ctx.module.expr(member) else { return };
    if matches!(method.as_str(), "append" | "add" | "extend")
        && let Some(call) = ctx.module.parent(member)
        && let Some(arg) = ctx.evaluator.args(call).first()
    {
        coroutines(ctx, function, arg.value, work, left);
    }
}

/// Tasks of this value have a name that is read elsewhere too, or belong to somebody else.
pub(crate) fn is_read_elsewhere(ctx: &Context<'_>, function: FunctionId, value: ExprId) -> bool {
    match ctx.module.expr(value) {
        Expr::Spread(inner) => is_read_elsewhere(ctx, function, inner),
        Expr::List(list) | Expr::Set(list) | Expr::Tuple(list) => {
            ctx.module.list(list).iter().any(|member| is_read_elsewhere(ctx, function, *member))
        }
        Expr::Name(name, defs) => {
            let bindings = ctx.module.defs(&defs);
            let is_made_here = |binding: &BindingId| {
                matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Value(_) | BindingKind::Typed(..))
            };
            bindings.is_empty()
                || !bindings.iter().all(is_made_here)
                || !ctx.captures_of(function, name).is_empty()
                || bindings.iter().flat_map(|binding| ctx.reads_of(*binding)).any(|(_, read)| {
                    *read != value
                        && !is_added_to(ctx, *read)
                        && !matches!(ctx.module.role(*read), Role::Condition | Role::Tested)
                })
        }
        Expr::Attr(..) | Expr::Subscript(..) => true,
        _ => false,
    }
}

/// `tasks.append(…)`
fn is_added_to(ctx: &Context<'_>, read: ExprId) -> bool {
    let member = ctx.module.parent(read).map(|member| ctx.module.expr(member));
    matches!(member, Some(Expr::Attr(_, name)) if matches!(name.as_str(), "append" | "add" | "extend"))
}
