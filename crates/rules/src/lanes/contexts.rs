//! Contexts: what a function is given to know when it should end.

use crate::context::Context;
use racewalk_ir::{BindingKind, FunctionId, Name};
use racewalk_link::Type;
use racewalk_models::Orders;

/// The positions of the parameters that tell when the caller is no longer interested.
pub(crate) fn given_contexts(ctx: &Context<'_>, function: FunctionId) -> Vec<u32> {
    let body = ctx.module.function(function);
    let is_context = |annotation| match ctx.evaluator.annotation(function, annotation) {
        Type::ExternalInstance(class, _) => {
            let ends = ctx.program.models().method(class, Name::new("Done"));
            ends.is_some_and(|model| model.orders == Some(Orders::GivesEnd))
        }
        _ => false,
    };
    let params = body.params.iter().enumerate();
    params.filter(|(_, it)| it.annotation.is_some_and(is_context)).map(|(at, _)| at as u32).collect()
}

/// Something in the function reads the parameter; one without a name is meant to be left alone.
pub(crate) fn is_heeded(ctx: &Context<'_>, function: FunctionId, param: u32) -> bool {
    let body = ctx.module.function(function);
    let Some(symbol) = body.symbol(body.params[param as usize].name) else { return true };
    let bindings = &body.symbols[symbol.index()].bindings;
    let binding = bindings.iter().find(|it| ctx.module.bindings[it.index()].kind == BindingKind::Param(param));
    let Some(binding) = binding else { return true };
    !ctx.reads_of(*binding).is_empty() || !ctx.captures_of(function, body.symbols[symbol.index()].name).is_empty()
}
