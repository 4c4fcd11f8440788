//! Whether the lock that a state, or a function, is claimed to be guarded by is held wherever it is needed.
//!
//! Held is what the function itself has taken, what every caller holds, and what the function is claimed to be called with.
//! What may be the lock and may be another is no evidence against the claim.

use super::{Fault, FunctionClaim, LockPlace, StateClaim, place_in};
use crate::context::Context;
use crate::finding::Place;
use crate::inventory::accesses::{Access, is_initial};
use crate::inventory::guards::{kept_in, place_of};
use crate::inventory::names;
use crate::looping::is_test_module;
use crate::race::cells::{Cells, Root};
use crate::race::held::{Sort, Take};
use crate::race::tasks::tasks;
use crate::sharing::wrapped_calls;
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionKind, Role};
use racewalk_link::{FunctionRef, How, Type};
use racewalk_report::inventory::Does;

/// How many calls away a caller's lock is looked for.
const FARTHEST_CALLER: u32 = 5;

/// How many places that contradict a claim are shown.
const MOST_SHOWN: usize = 5;

/// Whether a lock is held.
enum Held {
    Yes,
    /// Nobody can say.
    Perhaps,
    /// It is not: for want of it here, where the function is called.
    No(Option<(FunctionRef, ExprId)>),
}

/// What contradicts that a state is guarded.
pub(super) fn fault_of_state(
    ctx: &Context<'_>,
    claim: &StateClaim,
    lock: &LockPlace,
    accesses: &[Access],
) -> Option<Fault> {
    let later = accesses.iter().filter(|access| may_overlap(ctx, access.function, access.event, access));
    let mut bare: Vec<(&Access, Option<(FunctionRef, ExprId)>)> = Vec::new();
    for access in later {
        if let Held::No(call) = held_at(ctx, lock, access.function, access.event) {
            bare.push((access, call));
        }
    }
    // What changes the state tells more than what looks at it.
    bare.sort_by_key(|(access, _)| access.does == Does::Reads);
    let (first, _) = bare.first()?;
    let symbol = names::symbol(ctx.program, first.function);
    let name = names::name(ctx.program, claim.root);
    let does = first.does.as_str();
    let message = format!("`{}` does not hold: `{symbol}` {does} `{name}` without that lock", claim.text);
    let help = format!(
        "take `{}` there, or in all who call `{symbol}`; where it is meant to be called with the lock held, say so on its `def` line",
        lock.text
    );
    let related = bare.iter().take(MOST_SHOWN).flat_map(|(access, call)| related(ctx, access, *call)).collect();
    Some(Fault { at: claim.at, within: claim.within, message, help, related })
}

fn related(ctx: &Context<'_>, access: &Access, call: Option<(FunctionRef, ExprId)>) -> Vec<(Place, String)> {
    let symbol = names::symbol(ctx.program, access.function);
    let at = place_in(ctx.program, access.function, access.at);
    let does = access.does.as_str();
    let mut places = vec![(at, format!("`{symbol}` {does} it here without the lock"))];
    if let Some((caller, site)) = call {
        let caller_symbol = names::symbol(ctx.program, caller);
        places
            .push((place_in(ctx.program, caller, site), format!("`{caller_symbol}` calls `{symbol}` here without it")));
    }
    places
}

/// What contradicts that a function is called with the lock held.
pub(super) fn fault_of_function(ctx: &Context<'_>, claim: &FunctionClaim) -> Option<Fault> {
    let (caller, site) = bare_call(ctx, &claim.lock, claim.function)?;
    let (callee, symbol) = (names::symbol(ctx.program, claim.function), names::symbol(ctx.program, caller));
    let message = format!("`{}` does not hold: `{symbol}` calls `{callee}` without that lock", claim.text);
    let help = format!("take `{}` around the call in `{symbol}`, or take the annotation away", claim.lock.text);
    let place = (place_in(ctx.program, caller, site), format!("`{symbol}` calls it here without the lock"));
    Some(Fault { at: claim.at, within: claim.function, message, help, related: vec![place] })
}

/// A call of the function, by somebody who runs beside others, without the lock.
fn bare_call(ctx: &Context<'_>, lock: &LockPlace, function: FunctionRef) -> Option<(FunctionRef, ExprId)> {
    if lock.roots.iter().any(|root| matches!(root, Root::Param(..))) {
        return None;
    }
    let callers = ctx.program.summaries.callers.of(function).iter();
    callers.filter(|(caller, ..)| *caller != function).find_map(|(caller, site, how)| {
        let held = at_call(ctx, lock, (*caller, *site, *how), function, FARTHEST_CALLER);
        matches!(held, Some(Held::No(_))).then_some((*caller, *site))
    })
}

/// Others may be under way: the object is made, and the program's one task has company.
fn may_overlap(ctx: &Context<'_>, function: FunctionRef, event: usize, access: &Access) -> bool {
    let is_body = matches!(ctx.program.function(function).kind, FunctionKind::Module | FunctionKind::ClassBody);
    !is_body && !is_initial(ctx.program, access) && !is_before_others(ctx, function, event, FARTHEST_CALLER)
}

/// The program's one task comes to the event, and has started nothing that runs then.
pub(super) fn is_before_others(ctx: &Context<'_>, function: FunctionRef, event: usize, left: u32) -> bool {
    let Some(left) = left.checked_sub(1) else { return false };
    if !ctx.shared.alone.contains(&function) {
        return false;
    }
    let events = &ctx.program.function(function).events;
    let has_company = tasks(ctx.program, function).iter().any(|task| task.runs_at(event, events));
    let callers = ctx.program.summaries.callers.of(function).iter();
    !has_company
        && callers.into_iter().all(|(caller, site, _)| {
            let is_async = ctx.program.function(*caller).is_async;
            !is_async || is_before_others(ctx, *caller, event_of(ctx, *caller, *site).unwrap_or(0), left)
        })
}

fn event_of(ctx: &Context<'_>, function: FunctionRef, site: ExprId) -> Option<usize> {
    let is_it = |event: &Event| match *event {
        Event::Call(at) | Event::ReadPlace(at) | Event::Enter(_, at) | Event::Suspend(_, at) => at == site,
        _ => false,
    };
    ctx.program.function(function).events.iter().position(is_it)
}

fn held_at(ctx: &Context<'_>, lock: &LockPlace, function: FunctionRef, event: usize) -> Held {
    match own(ctx, lock, function, event) {
        Held::Yes => Held::Yes,
        Held::Perhaps => Held::Perhaps,
        Held::No(_) => by_callers(ctx, lock, function, FARTHEST_CALLER),
    }
}

/// What the function itself holds.
fn own(ctx: &Context<'_>, lock: &LockPlace, function: FunctionRef, event: usize) -> Held {
    let holds = ctx.shared.race.locks.holds(function);
    let mut held = Held::No(None);
    for take in holds.into_iter().flat_map(|holds| holds.held_at(event)).filter(|take| take.sort != Sort::Deadline) {
        match is_that(ctx, lock, function, take) {
            Some(true) if take.sort != Sort::Perhaps => return Held::Yes,
            Some(true) | None => held = Held::Perhaps,
            Some(false) => {}
        }
    }
    held
}

/// The lock that is taken is the one; nothing when it cannot be told which one it is.
fn is_that(ctx: &Context<'_>, lock: &LockPlace, function: FunctionRef, take: &Take) -> Option<bool> {
    let program = ctx.program;
    let evaluator = program.evaluator(function.file);
    let named = Cells { program, evaluator: &evaluator, function }.of(place_of(program, function, take));
    let kept = kept_in(program, function, take).map(|(root, _)| root);
    let mut roots = kept.into_iter().chain(named.map(|cell| cell.root)).peekable();
    roots.peek()?;
    Some(roots.any(|root| lock.roots.contains(&root)))
}

/// What every caller holds while it calls.
fn by_callers(ctx: &Context<'_>, lock: &LockPlace, function: FunctionRef, left: u32) -> Held {
    let program = ctx.program;
    if is_claimed(ctx, lock, function) || is_decorated(ctx, lock, function) {
        return Held::Yes;
    }
    let body = program.function(function);
    let Some(left) = left.checked_sub(1) else { return Held::Perhaps };
    if body.kind == FunctionKind::Lambda {
        return Held::Perhaps;
    }
    let callers = program.summaries.callers.of(function);
    if program.entries.contains_key(&function) || callers.is_empty() && !is_called_by_nobody_known(body.name.as_str()) {
        return Held::No(None);
    }
    if callers.is_empty() {
        return Held::Perhaps;
    }
    let mut held = Held::Yes;
    for caller in callers.iter().filter(|(caller, ..)| *caller != function) {
        match at_call(ctx, lock, *caller, function, left) {
            Some(Held::No(_)) => return Held::No(Some((caller.0, caller.1))),
            Some(Held::Perhaps) => held = Held::Perhaps,
            Some(Held::Yes) | None => {}
        }
    }
    held
}

/// By its name nobody outside calls it, and yet nobody is seen to: who does cannot be told.
fn is_called_by_nobody_known(name: &str) -> bool {
    name.starts_with('_') && !name.ends_with("__")
}

/// The function is claimed to be called with the lock held.
fn is_claimed(ctx: &Context<'_>, lock: &LockPlace, function: FunctionRef) -> bool {
    let mut claimed = ctx.shared.claims.held_on_entry(function);
    claimed.any(|other| other.roots.iter().any(|root| lock.roots.contains(root)))
}

fn is_decorated(ctx: &Context<'_>, lock: &LockPlace, function: FunctionRef) -> bool {
    let is_held = |(wrapper, call): (FunctionRef, ExprId)| {
        let event = event_of(ctx, wrapper, call);
        event.is_some_and(|event| matches!(own(ctx, lock, wrapper, event), Held::Yes))
    };
    !ctx.program.function(function).decorators.is_empty()
        && wrapped_calls(ctx.program, function).into_iter().any(is_held)
}

/// What is held at a call; nothing when it says nothing: nobody has the object yet, or a test calls.
fn at_call(
    ctx: &Context<'_>,
    lock: &LockPlace,
    (caller, site, how): (FunctionRef, ExprId, How),
    callee: FunctionRef,
    left: u32,
) -> Option<Held> {
    let program = ctx.program;
    let body = program.function(caller);
    let event = event_of(ctx, caller, site).unwrap_or(0);
    let is_silent = is_test_module(program.module(caller.file).name.as_str())
        || body.kind == FunctionKind::Module
        || names::is_constructor(program, caller) && body.class == program.function(callee).class
        || is_of_new_object(ctx, caller, site)
        || is_before_others(ctx, caller, event, FARTHEST_CALLER);
    if is_silent {
        return None;
    }
    let own = own(ctx, lock, caller, event);
    let runs_there = matches!(how, How::Calls | How::Implicit) && is_run_at_once(ctx, caller, site, callee);
    Some(match own {
        // A task of its own holds nothing; but who waits for it under the lock does.
        _ if !runs_there && how == How::Calls && !is_joined_under(ctx, lock, caller, site) => Held::No(None),
        // Handed over, it may run later: when, nobody can say.
        Held::Yes if runs_there => Held::Yes,
        Held::Yes | Held::Perhaps => Held::Perhaps,
        Held::No(_) if runs_there => by_callers(ctx, lock, caller, left),
        Held::No(_) => Held::No(None),
    })
}

/// `made = Made(); await made.load()`: the function has just made the object, and has it alone.
pub(super) fn is_of_new_object(ctx: &Context<'_>, caller: FunctionRef, site: ExprId) -> bool {
    let module = ctx.program.module(caller.file);
    let Expr::Call(callee, _) = module.expr(site) else { return false };
    let Expr::Attr(base, _) = module.expr(callee) else { return false };
    let Expr::Name(_, Defs::One(binding)) = module.expr(base) else { return false };
    let BindingKind::Value(made) = module.bindings[binding.index()].kind else { return false };
    ctx.program.site(caller, made).is_some_and(|site| matches!(site.callee, Type::Class(_)))
}

/// The lock is still held where the task that is started here has ended for sure.
fn is_joined_under(ctx: &Context<'_>, lock: &LockPlace, caller: FunctionRef, site: ExprId) -> bool {
    let started = tasks(ctx.program, caller);
    let mut ends = started.iter().filter(|task| task.call == site || task.start == site).map(|task| task.runs.end);
    ends.any(|end| matches!(own(ctx, lock, caller, end), Held::Yes))
}

/// The call runs its callee before it is left.
pub(super) fn is_run_at_once(ctx: &Context<'_>, caller: FunctionRef, site: ExprId, callee: FunctionRef) -> bool {
    let role = ctx.program.module(caller.file).role(site);
    let is_waited_for = matches!(role, Role::Awaited | Role::EnteredAsync | Role::IteratedAsync);
    !ctx.program.function(callee).is_async || is_waited_for || is_awaited_in_wrapping(ctx, caller, site)
}

/// `await wait_for(f(), 5)`
fn is_awaited_in_wrapping(ctx: &Context<'_>, caller: FunctionRef, site: ExprId) -> bool {
    let module = ctx.program.module(caller.file);
    let Some(wrapping) = module.parent(site).filter(|parent| module.role(*parent) == Role::Awaited) else {
        return false;
    };
    let mut models = ctx.program.site(caller, wrapping).into_iter().flat_map(|site| ctx.program.models_at(site));
    models.any(|model| model.joins == Some(racewalk_models::Joins::One))
}
