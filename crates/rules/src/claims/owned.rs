//! Whether one task alone writes a state: the writes lie in the function that the task runs, or in what only that calls, and
//! the task is started once.

use super::guarded::{is_before_others, is_of_new_object, is_run_at_once};
use super::{Fault, StateClaim, place_in};
use crate::context::Context;
use crate::inventory::accesses::{Access, is_initial};
use crate::inventory::names;
use crate::looping::is_test_module;
use crate::race::cells::{Cell, Owner, Root};
use crate::race::overlap::Evidence;
use crate::race::tasks::tasks;
use crate::sharing::{is_own_object, is_shared};
use racewalk_ir::{Event, ExprId, FunctionKind};
use racewalk_link::{FunctionRef, How};
use racewalk_report::inventory::Does;

/// How many calls away a task's own function is looked for.
const FARTHEST: u32 = 6;

/// How many places that contradict a claim are shown.
const MOST_SHOWN: usize = 5;

/// A call that starts a function: caller, site.
type Start = (FunctionRef, ExprId);

/// What contradicts that one task writes: of this function, or of any.
pub(super) fn fault(
    ctx: &Context<'_>,
    claim: &StateClaim,
    owner: Option<FunctionRef>,
    accesses: &[Access],
) -> Option<Fault> {
    let writes: Vec<&Access> = accesses.iter().filter(|access| is_write(ctx, access)).collect();
    let owner = match owner {
        Some(owner) => owner,
        None => match roots(ctx, &writes).as_slice() {
            [] => return None,
            [one] => *one,
            [first, ..] => *first,
        },
    };
    second_writer(ctx, claim, owner, &writes).or_else(|| second_start(ctx, claim, owner))
}

/// The one function whose task writes, where the claim leaves open which one it is.
pub(super) fn one_owner(ctx: &Context<'_>, accesses: &[Access]) -> Option<FunctionRef> {
    let writes: Vec<&Access> = accesses.iter().filter(|access| is_write(ctx, access)).collect();
    roots(ctx, &writes).first().copied()
}

/// The function runs as part of what the owner's task does: it is the owner, or only that calls it.
pub(super) fn is_part_of(ctx: &Context<'_>, function: FunctionRef, owner: FunctionRef) -> bool {
    belongs(ctx, function, owner, FARTHEST) != Some(false)
}

fn is_write(ctx: &Context<'_>, access: &Access) -> bool {
    let kind = ctx.program.function(access.function).kind;
    matches!(access.does, Does::Writes | Does::Changes)
        && !matches!(kind, FunctionKind::Module | FunctionKind::ClassBody)
        && !is_initial(ctx.program, access)
}

/// Nothing when it cannot be told.
fn belongs(ctx: &Context<'_>, function: FunctionRef, owner: FunctionRef, left: u32) -> Option<bool> {
    if function == owner || ctx.program.overriding(owner).any(|overriding| overriding == function) {
        return Some(true);
    }
    let left = left.checked_sub(1)?;
    let body = ctx.program.function(function);
    if body.kind == FunctionKind::Lambda {
        return None;
    }
    let mut callers = callers(ctx, function).peekable();
    if callers.peek().is_none() {
        let is_private = body.name.as_str().starts_with('_') && !body.name.as_str().ends_with("__");
        return if is_private { None } else { Some(false) };
    }
    let mut belongs_for_sure = true;
    for (caller, site, how) in callers {
        match how {
            How::Calls | How::Implicit if is_run_at_once(ctx, caller, site, function) => {
                match belongs(ctx, caller, owner, left) {
                    Some(false) => return Some(false),
                    answer => belongs_for_sure &= answer.is_some(),
                }
            }
            How::Callback => belongs_for_sure = false,
            _ => return Some(false),
        }
    }
    belongs_for_sure.then_some(true)
}

/// Who runs a function, tests and the function itself aside, and constructors of its own class.
fn callers<'c>(
    ctx: &'c Context<'_>,
    function: FunctionRef,
) -> impl Iterator<Item = (FunctionRef, ExprId, How)> + use<'c> {
    let program = ctx.program;
    let is_constructor = move |caller: FunctionRef| {
        names::is_constructor(program, caller) && program.function(caller).class == program.function(function).class
    };
    let all = program.summaries.callers.of(function).iter().copied();
    all.filter(move |(caller, ..)| {
        *caller != function && !is_test_module(program.module(caller.file).name.as_str()) && !is_constructor(*caller)
    })
}

/// The functions whose executions the writes belong to: those that nobody calls at once.
fn roots(ctx: &Context<'_>, writes: &[&Access]) -> Vec<FunctionRef> {
    let mut found = Vec::new();
    for access in writes {
        if !is_between_tasks(ctx, access) && !is_before_others(ctx, access.function, access.event, FARTHEST) {
            climb(ctx, access.function, FARTHEST, &mut found);
        }
    }
    found
}

/// The function starts tasks, and none of them runs when it writes.
fn is_between_tasks(ctx: &Context<'_>, access: &Access) -> bool {
    let events = &ctx.program.function(access.function).events;
    let tasks = tasks(ctx.program, access.function);
    !tasks.is_empty() && !tasks.iter().any(|task| task.runs_at(access.event, events))
}

fn climb(ctx: &Context<'_>, function: FunctionRef, left: u32, found: &mut Vec<FunctionRef>) {
    let calls = |(caller, site, how): &(FunctionRef, ExprId, How)| {
        matches!(how, How::Calls | How::Implicit) && is_run_at_once(ctx, *caller, *site, function)
    };
    // Who calls on an object that it has just made is not the only one: each call has one of its own.
    let shares = |(caller, site, _): &(FunctionRef, ExprId, How)| !is_of_new_object(ctx, *caller, *site);
    let direct = callers(ctx, function).filter(calls).filter(shares);
    let direct: Vec<FunctionRef> = direct.map(|(caller, ..)| caller).collect();
    let is_started = callers(ctx, function).any(|caller| !calls(&caller));
    match left.checked_sub(1) {
        Some(left) if !direct.is_empty() => {
            direct.iter().for_each(|caller| climb(ctx, *caller, left, found));
            if is_started && !found.contains(&function) {
                found.push(function);
            }
        }
        _ => {
            if !found.contains(&function) {
                found.push(function);
            }
        }
    }
}

fn second_writer(ctx: &Context<'_>, claim: &StateClaim, owner: FunctionRef, writes: &[&Access]) -> Option<Fault> {
    let others = writes.iter().filter(|access| {
        belongs(ctx, access.function, owner, FARTHEST) == Some(false) && !is_apart(ctx, access, owner)
    });
    let others: Vec<&&Access> = others.take(MOST_SHOWN).collect();
    let first = others.first()?;
    let (symbol, task) = (names::symbol(ctx.program, first.function), names::symbol(ctx.program, owner));
    let name = names::name(ctx.program, claim.root);
    let does = first.does.as_str();
    let message = format!(
        "`{}` does not hold: `{symbol}` {does} `{name}`, too, and is no part of the task that runs `{task}`",
        claim.text
    );
    let help = format!(
        "let `{symbol}` tell the task what to write: through a queue, or an event; or guard the state with a lock, and say so with `guarded-by(…)`"
    );
    let place = |access: &&&Access| {
        let symbol = names::symbol(ctx.program, access.function);
        let at = place_in(ctx.program, access.function, access.at);
        (at, format!("`{symbol}` {} it here", access.does.as_str()))
    };
    let related = others.iter().map(place).collect();
    Some(Fault { at: claim.at, within: claim.within, message, help, related })
}

/// The write comes before the task is started, or after it has ended.
fn is_apart(ctx: &Context<'_>, access: &Access, owner: FunctionRef) -> bool {
    let events = &ctx.program.function(access.function).events;
    let starts = |call: ExprId| ctx.program.edges_at(access.function, call).iter().any(|edge| edge.target == owner);
    let tasks = tasks(ctx.program, access.function);
    let mut own = tasks.iter().filter(|task| starts(task.call) || starts(task.start)).peekable();
    match own.peek() {
        Some(_) => !own.any(|task| task.runs_at(access.event, events)),
        None => is_before_others(ctx, access.function, access.event, FARTHEST),
    }
}

/// Several tasks run the owner's function.
fn second_start(ctx: &Context<'_>, claim: &StateClaim, owner: FunctionRef) -> Option<Fault> {
    let starts = starts(ctx, claim, owner)?;
    let task = names::symbol(ctx.program, owner);
    let message = format!("`{}` does not hold: several tasks run `{task}` at a time", claim.text);
    let help =
        "start it once, and keep the task; or guard the state with a lock, and say so with `guarded-by(…)`".to_owned();
    let related = starts
        .into_iter()
        .take(MOST_SHOWN)
        .map(|(by, site)| {
            (place_in(ctx.program, by, site), format!("`{}` starts it here", names::symbol(ctx.program, by)))
        })
        .collect();
    Some(Fault { at: claim.at, within: claim.within, message, help, related })
}

/// The starts of the owner's function of which two may be under way, as far as they are seen; nothing when only one can be.
fn starts(ctx: &Context<'_>, claim: &StateClaim, owner: FunctionRef) -> Option<Vec<Start>> {
    let overlaps = &ctx.shared.race.overlaps;
    let is_met = |same_object: bool| same_object || !matches!(claim.root, Root::Field(..));
    let all: Vec<Start> = callers(ctx, owner).map(|(by, site, _)| (by, site)).collect();
    let several = all
        .iter()
        .find(|(by, site)| overlaps.started_by(*by, *site).is_some_and(|overlap| is_met(overlap.same_object)));
    if let Some(start) = several {
        return Some(vec![*start]);
    }
    let is_again = |(by, site): &Start| {
        !overlaps.is_guarded(*by, *site) && !cancels(ctx, *by) && !is_of_new_object(ctx, *by, *site)
    };
    let again: Vec<Start> = all.into_iter().filter(is_again).collect();
    if again.iter().enumerate().any(|(at, one)| again[at + 1..].iter().any(|other| overlap(ctx, owner, *one, *other))) {
        return Some(again);
    }
    let many = overlaps.of(owner).filter(|overlap| match overlap.evidence {
        Evidence::Served(_) | Evidence::Spawned(..) => {
            is_shared(ctx, owner, receiver_cell(claim), *overlap)
                && !(matches!(claim.root, Root::Field(..)) && is_own_object(ctx, owner, *overlap))
        }
        Evidence::Beside(..) | Evidence::ForTasks => false,
    });
    many.map(|overlap| match overlap.evidence {
        Evidence::Spawned(by, call) => vec![(by, call)],
        _ => again,
    })
}

/// The owner's function may be under way from one call when it is called by the other.
fn overlap(ctx: &Context<'_>, owner: FunctionRef, one: Start, other: Start) -> bool {
    let is_at_once = |(by, site): Start| is_run_at_once(ctx, by, site, owner);
    if is_at_once(one) && is_at_once(other) {
        // One after the other, when the same task comes to both.
        return executions(ctx, one.0) != executions(ctx, other.0);
    }
    if one.0 != other.0 {
        return true;
    }
    let events = &ctx.program.function(one.0).events;
    let runs_at = |spawn: ExprId, call: ExprId| {
        let at = events.iter().position(|event| *event == Event::Call(call));
        let tasks = tasks(ctx.program, one.0);
        let mut spawned = tasks.iter().filter(|task| task.call == spawn || task.start == spawn);
        at.is_some_and(|at| spawned.any(|task| task.runs_at(at, events)))
    };
    runs_at(one.1, other.1) || runs_at(other.1, one.1)
}

/// The functions whose executions a function is part of.
fn executions(ctx: &Context<'_>, function: FunctionRef) -> Vec<FunctionRef> {
    let mut found = Vec::new();
    climb(ctx, function, FARTHEST, &mut found);
    found.sort_unstable();
    found
}

/// The state, as a method of its object sees it.
fn receiver_cell(claim: &StateClaim) -> Cell {
    Cell { root: claim.root, owner: Owner::Receiver, part: None, key: None }
}

/// Who cancels before it starts again has one at a time.
fn cancels(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let own = |function: FunctionRef| {
        let mut models = ctx.program.sites(function).iter().flat_map(|site| ctx.program.models_at(site));
        models.any(|model| model.cancels)
    };
    own(function) || ctx.program.edges(function).iter().any(|edge| edge.how == How::Calls && own(edge.target))
}
