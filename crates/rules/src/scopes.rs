//! What stands around an expression: guarded blocks and entered scopes, read off a function's events.

use crate::context::Context;
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Module, Role};
use racewalk_link::Type;
use racewalk_models::ClassKind;

/// A handler that would catch what an expression raises.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    /// What it catches; none: everything.
    pub caught: Option<ExprId>,
    /// It raises again, on some path.
    pub raises: bool,
}

/// The handlers around an expression, innermost guarded block first. `is_at` tells when the expression is reached.
pub(crate) fn handlers_around(ctx: &Context<'_>, function: FunctionId, is_at: impl Fn(&Event) -> bool) -> Vec<Handler> {
    let events = &ctx.module.function(function).events;
    let Some(at) = events.iter().position(is_at) else { return Vec::new() };
    let mut handlers = Vec::new();
    for start in enclosing_blocks(&events[..at]) {
        handlers.extend(handlers_of(&events[start..]));
    }
    handlers
}

/// Where the guarded blocks begin whose bodies (not handlers or cleanups) are open at the end of these events,
/// innermost first.
pub(crate) fn enclosing_blocks(before: &[Event]) -> Vec<usize> {
    let mut open: Vec<(usize, bool)> = Vec::new();
    for (index, event) in before.iter().enumerate() {
        match event {
            Event::Try => open.push((index, true)),
            Event::Handler(_) | Event::Finally | Event::TryElse => {
                if let Some(innermost) = open.last_mut() {
                    innermost.1 = false;
                }
            }
            Event::EndTry => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().rev().filter(|(_, in_body)| *in_body).map(|(start, _)| start).collect()
}

/// The handlers of the guarded block that begins these events.
pub(crate) fn handlers_of(events: &[Event]) -> Vec<Handler> {
    let mut depth = 0;
    let mut handlers: Vec<Handler> = Vec::new();
    for event in events {
        match event {
            Event::Try => depth += 1,
            Event::EndTry => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            Event::Handler(caught) if depth == 1 => handlers.push(Handler { caught: *caught, raises: false }),
            Event::Finally if depth == 1 => break,
            Event::Raise(_) => {
                if let Some(handler) = handlers.last_mut() {
                    handler.raises = true;
                }
            }
            _ => {}
        }
    }
    handlers
}

/// True when the handler catches any error whatever.
pub(crate) fn is_broad(module: &Module, handler: &Handler) -> bool {
    let Some(caught) = handler.caught else { return true };
    let named = |expr: ExprId| match module.expr(expr) {
        Expr::Name(name, _) | Expr::Attr(_, name) => matches!(name.as_str(), "Exception" | "BaseException"),
        _ => false,
    };
    match module.expr(caught) {
        Expr::Tuple(list) => module.list(list).iter().any(|member| named(*member)),
        _ => named(caught),
    }
}

/// A handler around the expression names this exception.
pub(crate) fn is_caught_as(ctx: &Context<'_>, function: FunctionId, expr: ExprId, exception: &str) -> bool {
    let named = |expr: ExprId| matches!(ctx.module.expr(expr), Expr::Name(name, _) if name.as_str() == exception);
    let catches = |caught: ExprId| match ctx.module.expr(caught) {
        Expr::Tuple(list) => ctx.module.list(list).iter().any(|member| named(*member)),
        _ => named(caught),
    };
    let handlers = handlers_around(ctx, function, |event| is_event_of(event, expr));
    handlers.iter().filter_map(|handler| handler.caught).any(catches)
}

/// True for a name, attribute or call that is written, read or called at this event.
pub(crate) fn is_event_of(event: &Event, expr: ExprId) -> bool {
    matches!(event, Event::Call(at) | Event::Read(at) | Event::ReadPlace(at) if *at == expr)
        || matches!(event, Event::Suspend(_, at) if *at == expr)
}

/// The outermost expression that an expression is part of.
pub(crate) fn statement_of(ctx: &Context<'_>, expr: ExprId) -> ExprId {
    let mut current = expr;
    while let Some(parent) = ctx.module.parent(current) {
        if matches!(ctx.module.role(current), Role::Annotation | Role::Default | Role::Decorator) {
            break;
        }
        current = parent;
    }
    current
}

/// At most one of two calls is made: they stand in different arms of one branch.
pub(crate) fn are_alternatives(events: &[Event], one: ExprId, other: ExprId) -> bool {
    let (one, other) = (arms_around(events, one, false), arms_around(events, other, false));
    are_different(&one, &other)
}

/// The same, or one of them stands in a handler of what the other is guarded for.
pub(crate) fn are_exclusive(events: &[Event], one: ExprId, other: ExprId) -> bool {
    let (one, other) = (arms_around(events, one, true), arms_around(events, other, true));
    are_different(&one, &other)
}

fn are_different(one: &[(usize, usize)], other: &[(usize, usize)]) -> bool {
    one.iter().any(|(branch, arm)| other.iter().any(|(of_other, another)| branch == of_other && arm != another))
}

/// The branches (and guarded blocks) around a call, each with the number of the arm (or handler) that the call stands in.
fn arms_around(events: &[Event], call: ExprId, with_handlers: bool) -> Vec<(usize, usize)> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Branch(_) => open.push((at, 0)),
            Event::Try if with_handlers => open.push((at, 0)),
            Event::Arm(_) => open.last_mut().into_iter().for_each(|(_, arm)| *arm += 1),
            Event::Handler(_) if with_handlers => open.last_mut().into_iter().for_each(|(_, arm)| *arm += 1),
            Event::EndBranch(_) => drop(open.pop()),
            Event::EndTry if with_handlers => drop(open.pop()),
            Event::Call(at) if *at == call => break,
            _ => {}
        }
    }
    open
}

/// Of what kind the object is that a context manager gives, or is itself.
pub(crate) fn entered_kind(ctx: &Context<'_>, function: FunctionId, context: ExprId) -> Option<ClassKind> {
    let kind = |value: Type| match value {
        Type::ExternalInstance(path, _) => ctx.program.models().kind(path),
        _ => None,
    };
    ctx.evaluator.eval(function, context).members().iter().find_map(|member| match member {
        Type::Context(inner, _) => kind(inner.get()),
        other => kind(*other),
    })
}
