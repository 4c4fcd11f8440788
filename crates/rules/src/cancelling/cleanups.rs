//! Tidying up: what does so by its name, and who cancels what.

use crate::context::Context;
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Name};
use racewalk_link::{FunctionRef, Program};

/// Words by which people name what tidies up.
const CLEANUPS: [&str; 24] = [
    "close",
    "aclose",
    "stop",
    "shutdown",
    "cleanup",
    "clean",
    "disconnect",
    "terminate",
    "release",
    "cancel",
    "finish",
    "flush",
    "kill",
    "unsubscribe",
    "closed",
    "teardown",
    "exit",
    "aexit",
    "leave",
    "gather",
    "dispose",
    "finalize",
    "end",
    "logout",
];

/// By its name, what is waited for tidies up.
pub(crate) fn is_cleanup(program: &Program, function: FunctionRef, operand: ExprId) -> bool {
    let module = program.module(function.file);
    let Expr::Call(callee, _) = module.expr(operand) else { return false };
    let (Expr::Name(name, _) | Expr::Attr(_, name)) = module.expr(callee) else { return false };
    is_cleanup_name(name)
}

/// The name is that of something that tidies up.
pub(crate) fn is_cleanup_name(name: Name) -> bool {
    let name = name.as_str().trim_matches('_');
    CLEANUPS.iter().any(|word| name == *word || name.starts_with(word) && name[word.len()..].starts_with('_'))
        || CLEANUPS.iter().any(|word| name.ends_with(word) && name[..name.len() - word.len()].ends_with('_'))
}

/// The function cancels something itself, before this event.
pub(crate) fn cancels_before(ctx: &Context<'_>, function: FunctionId, event: usize) -> bool {
    let named = |member: Name| member.as_str().contains("cancel");
    let by_member = called_members(ctx, function).any(|(at, _, member)| at < event && named(member));
    let events = &ctx.module.function(function).events[..event];
    by_member
        || events.iter().any(|event| match *event {
            Event::Call(call) => matches!(ctx.module.expr(call), Expr::Call(callee, _)
                if matches!(ctx.module.expr(callee), Expr::Name(name, _) if named(name))),
            _ => false,
        })
}

/// The methods that a function calls: position of the event, receiver, name.
pub(crate) fn called_members(ctx: &Context<'_>, function: FunctionId) -> impl Iterator<Item = (usize, ExprId, Name)> {
    let events = ctx.module.function(function).events.iter().enumerate();
    events.filter_map(|(at, event)| {
        let Event::Call(call) = *event else { return None };
        let Expr::Call(callee, _) = ctx.module.expr(call) else { return None };
        let Expr::Attr(base, member) = ctx.module.expr(callee) else { return None };
        Some((at, base, member))
    })
}
