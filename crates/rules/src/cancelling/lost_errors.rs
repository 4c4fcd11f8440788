//! `cancel/swallowed-error` in what runs beside its starter: it ends on an error, and nobody hears of it.

use crate::context::Context;
use crate::finding::Finding;
use crate::rule::Rule;
use racewalk_ir::{BindingId, BindingKind, Event, Expr, ExprId, Function, FunctionId, FunctionKind, Literal};
use racewalk_report::Confidence;

pub(super) fn check(ctx: &Context<'_>, rule: &'static Rule, found: &mut Vec<Finding>) {
    let started = ctx.functions().flat_map(|function| started_by(ctx, function));
    for literal in started.collect::<Vec<_>>() {
        let body = ctx.module.function(literal);
        for (at, event) in body.events.iter().enumerate() {
            let Event::Branch(Some(condition)) = *event else { continue };
            let Some(error) = failure(ctx, condition) else { continue };
            if is_in_loop(body, at)
                || !only_returns(&body.events[at + 1..])
                || !delivers(ctx, literal, &body.events[at..])
            {
                continue;
            }
            let Some(call) = source(ctx, error) else { continue };
            let message = "the goroutine ends here on an error, and nobody hears of it: what it should have given is missing without a sign";
            let finding = Finding::new(rule, ctx.place(condition), ctx.symbol(literal), message)
                .help("return the error by an `errgroup.Group`, send it to whoever waits, or at least log it")
                .confidence(Confidence::Likely)
                .related(ctx.place(call), "the error is given here".to_owned());
            ctx.report(literal, finding, found);
        }
    }
}

/// The function literals that a function starts beside itself.
fn started_by(ctx: &Context<'_>, function: FunctionId) -> Vec<FunctionId> {
    let literal = |event: &Event| {
        let Event::Spawn(call) = *event else { return None };
        let Expr::Call(callee, _) = ctx.module.expr(call) else { return None };
        match ctx.module.expr(callee) {
            Expr::Lambda(id) => Some(id),
            _ => None,
        }
    };
    ctx.module.function(function).events.iter().filter_map(literal).collect()
}

/// `err != nil`: the binding that gave the error, when it was the last part of what a call gives.
fn failure(ctx: &Context<'_>, condition: ExprId) -> Option<BindingId> {
    let Expr::Not(equal) = ctx.module.expr(condition) else { return None };
    let Expr::Equality(list) = ctx.module.expr(equal) else { return None };
    let [value, nothing] = ctx.module.list(list) else { return None };
    if ctx.module.expr(*nothing) != Expr::Literal(Literal::None) {
        return None;
    }
    let Expr::Name(_, defs) = ctx.module.expr(*value) else { return None };
    let [binding] = ctx.module.defs(&defs) else { return None };
    // It is looked at here and nowhere else.
    (ctx.reads_of(*binding).len() == 1).then_some(*binding)
}

fn source(ctx: &Context<'_>, binding: BindingId) -> Option<ExprId> {
    match ctx.module.bindings[binding.index()].kind {
        BindingKind::Part(value, _) | BindingKind::Value(value) => {
            matches!(ctx.module.expr(value), Expr::Call(..)).then_some(value)
        }
        _ => None,
    }
}

fn is_in_loop(body: &Function, at: usize) -> bool {
    let before = body.events[..at].iter();
    let depth = before.fold(0, |depth, event| match event {
        Event::Loop(_) => depth + 1,
        Event::EndLoop => depth - 1,
        _ => depth,
    });
    depth > 0
}

/// The arm does nothing but return.
fn only_returns(events: &[Event]) -> bool {
    matches!(events.first(), Some(Event::Return(None)))
}

/// Behind the branch, the literal hands something over: it writes what others see, or sends.
fn delivers(ctx: &Context<'_>, literal: FunctionId, events: &[Event]) -> bool {
    let body = ctx.module.function(literal);
    body.kind == FunctionKind::Lambda
        && events.iter().any(|event| match *event {
            Event::Bind(binding) => ctx.module.bindings[binding.index()].owner != literal,
            Event::WritePlace(..) | Event::Send(..) => true,
            _ => false,
        })
}
