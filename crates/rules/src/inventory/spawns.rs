//! What a function starts beside itself: tasks, threads, processes; with who keeps them, and how they end.

use super::Index;
use super::calls::is_handle;
use super::handles::{Handle, add_ends_elsewhere, follow};
use crate::cancelling::gathered::coroutines;
use crate::context::Context;
use crate::finding::Place;
use crate::race::tasks::loops;
use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, FunctionId, Role};
use racewalk_link::{Answer, Site};
use racewalk_models::{Call, Joins, Position, Spawns};
use racewalk_report::inventory::{End, Owner, Spawn};

/// How deep displays and names around coroutines are followed.
const DEEPEST: u32 = 5;

/// What one function starts.
pub(super) fn of_function(index: &Index<'_>, ctx: &Context<'_>, id: FunctionId) -> Vec<Spawn<Place>> {
    let events = &ctx.module.function(id).events;
    let loops = loops(events);
    let position = |call: ExprId| events.iter().position(|event| *event == Event::Call(call));
    let mut found = Vec::new();
    for site in ctx.program.sites(ctx.function_ref(id)) {
        let Some(started) = started(ctx, id, site) else { continue };
        // A cleanup block may stand in the events once for each way into it.
        if found.iter().any(|known: &Spawn<Place>| known.at == ctx.place(site.call)) {
            continue;
        }
        let is_in_loop = position(site.call).is_some_and(|at| loops.iter().any(|range| range.contains(&at)));
        let Handle { owner, ends, has_callback, .. } = handle(index, ctx, id, site, &started);
        let nobody = Owner { kind: "nobody".to_owned(), name: String::new() };
        found.push(Spawn {
            symbol: ctx.symbol(id),
            kind: started.kind.to_owned(),
            starts: started.what,
            by: ctx.program.callee_name(site.callee).unwrap_or_else(|| ctx.program.callee_text(ctx.file, site.call)),
            many: is_in_loop || started.several,
            owner: owner.unwrap_or(nobody),
            ends,
            has_callback,
            at: ctx.place(site.call),
        });
    }
    found
}

/// What a call starts.
struct Started {
    kind: &'static str,
    what: String,
    /// It is a group that owns what it starts, named by this expression.
    group: Option<ExprId>,
    /// Several at once.
    several: bool,
}

fn started(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Started> {
    let model = ctx.program.models_at(site).find(|model| starts_something(model))?;
    if registers_callback(ctx, site.call) {
        return None;
    }
    let text = |value: ExprId| ctx.program.path_text(ctx.file, value);
    let first = || ctx.evaluator.args(site.call).first().map(|arg| arg.value);
    let group = receiver(ctx, site.call).filter(|_| model.keeps);
    let one = |kind, what: String| Some(Started { kind, what, group, several: false });
    match (model.spawns, model.offloads) {
        (Some(Spawns::Task), _) => one("task", first().map_or_else(String::new, text)),
        (Some(Spawns::OtherLoop), _) => one("other loop", first().map_or_else(String::new, text)),
        (Some(Spawns::Process), _) => one("process", handed(ctx, site.call, model).map_or_else(String::new, text)),
        (Some(Spawns::Thread), _) | (None, Some(_)) => {
            one("thread", handed(ctx, site.call, model).map_or_else(String::new, text))
        }
        _ => gathered(ctx, function, site, model),
    }
}

/// `future.add_done_callback(f)`: some thread will call it, but none is started for it.
fn registers_callback(ctx: &Context<'_>, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    matches!(ctx.module.expr(callee), Expr::Attr(_, method) if method.as_str() == "add_done_callback")
}

fn starts_something(model: &Call) -> bool {
    let waits_for_several = matches!(model.joins, Some(Joins::FailFast | Joins::All | Joins::First));
    model.spawns.is_some() || model.offloads.is_some() || waits_for_several || model.shields
}

/// A wait for several starts the coroutines that it is given; tasks among them run already.
fn gathered(ctx: &Context<'_>, function: FunctionId, site: &Site, model: &Call) -> Option<Started> {
    let mut work = Vec::new();
    let mut several = false;
    for arg in ctx.evaluator.args(site.call) {
        if matches!(arg.kind, ArgKind::Positional | ArgKind::Spread) {
            several |=
                arg.kind == ArgKind::Spread || !matches!(ctx.module.expr(arg.value), Expr::Call(..) | Expr::Name(..));
            coroutines(ctx, function, arg.value, &mut work, DEEPEST);
        }
    }
    work.retain(|call| makes_coroutine(ctx, function, *call) && !is_started_before(ctx, function, *call, site.call));
    let mut names: Vec<String> = work.iter().map(|call| ctx.program.path_text(ctx.file, *call)).collect();
    names.dedup();
    let what = names.join(", ");
    let several = several || work.len() > 1;
    (!work.is_empty()).then_some(Started { kind: "task", what, group: None, several: several && !model.shields })
}

fn makes_coroutine(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let value = ctx.evaluator.eval(function, call);
    !is_handle(ctx, value) && ctx.evaluator.awaitable(value) == Answer::Yes
}

/// Some call between the coroutine and the wait starts it already.
fn is_started_before(ctx: &Context<'_>, function: FunctionId, coroutine: ExprId, wait: ExprId) -> bool {
    let outwards = std::iter::successors(ctx.module.parent(coroutine), |expr| ctx.module.parent(*expr));
    outwards.take_while(|expr| *expr != wait).any(|expr| {
        let site = ctx.program.site(ctx.function_ref(function), expr);
        site.is_some_and(|site| ctx.program.models_at(site).any(|model| model.spawns.is_some()))
    })
}

/// The function that is handed to a thread or process.
fn handed(ctx: &Context<'_>, call: ExprId, model: &Call) -> Option<ExprId> {
    let args = ctx.evaluator.args(call);
    let at =
        |position: usize| args.iter().filter(|arg| arg.kind == ArgKind::Positional).nth(position).map(|arg| arg.value);
    let of_entry = model.entry.iter().flat_map(|entry| &entry.handlers).find_map(|position| match position {
        Position::Index(position) => at(*position as usize),
        Position::Name(name) => ctx.evaluator.named_argument(call, name),
    });
    of_entry.or_else(|| at(model.offloads.unwrap_or(0) as usize))
}

fn receiver(ctx: &Context<'_>, call: ExprId) -> Option<ExprId> {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return None };
    match ctx.module.expr(callee) {
        Expr::Attr(receiver, _) => Some(receiver),
        _ => None,
    }
}

fn handle(index: &Index<'_>, ctx: &Context<'_>, function: FunctionId, site: &Site, started: &Started) -> Handle {
    let mut handle = follow(ctx, function, site.call);
    if let Some(group) = started.group {
        let name = ctx.program.path_text(ctx.file, group);
        let kind = if started.kind == "other loop" { "loop" } else { "group" };
        handle.owner = Some(Owner { kind: kind.to_owned(), name });
        handle.ends.extend(end_of_group(ctx, function, group));
    }
    if handle.owner.is_none() && ctx.program.models_at(site).any(|model| model.blocks.is_some()) {
        handle.owner = Some(Owner { kind: "call".to_owned(), name: ctx.symbol(function) });
        handle.ends.push(End { how: "joined".to_owned(), symbol: ctx.symbol(function), at: ctx.place(site.call) });
    }
    add_ends_elsewhere(index, ctx, &mut handle);
    if started.kind == "task" && is_wait(ctx, site) && ctx.module.role(site.call) == Role::Awaited {
        for end in &mut handle.ends {
            "joined".clone_into(&mut end.how);
        }
    }
    handle
}

fn is_wait(ctx: &Context<'_>, site: &Site) -> bool {
    ctx.program.models_at(site).any(|model| model.joins.is_some())
}

/// The block that a group belongs to waits for what it has started.
fn end_of_group(ctx: &Context<'_>, function: FunctionId, group: ExprId) -> Option<End<Place>> {
    let Expr::Name(name, defs) = ctx.module.expr(group) else { return None };
    let (owner, binding) = match defs {
        Defs::One(binding) => (function, binding),
        _ => {
            let (owner, symbol) = ctx.evaluator.scope_of(function, name)?;
            (owner, *ctx.module.function(owner).symbols[symbol.index()].bindings.first()?)
        }
    };
    let BindingKind::ContextAsync(context) = ctx.module.bindings[binding.index()].kind else { return None };
    Some(End { how: "joined".to_owned(), symbol: ctx.symbol(owner), at: ctx.place(context) })
}
