//! # share/lock-order
//!
//! Two locks are taken in one order here and in the other order there: each side may come to hold what the other waits
//! for.
//!
//! ## What it is
//! One task takes lock A and then wants B; another has taken B and wants A. Neither gives back what it has before it
//! has got what it wants, so both wait for ever, and so does everybody who comes after. It needs no third party and no
//! bug in either function; each is right by itself. What is wrong is that together they have no order.
//!
//! Between tasks of one loop the second acquisition must be able to come after a switch: the task awaits something
//! while it holds the first lock, or finds the second one taken and is suspended. With the locks of threads a switch
//! can come anywhere.
//!
//! The same order must hold for every path, through calls and modules. Two locks of one kind, taken for two objects
//! that the caller names (`transfer(a, b)` and `transfer(b, a)`), are the form in which one line of code is both
//! sides.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Shop:
//!     def __init__(self) -> None:
//!         self._stock_lock = asyncio.Lock()
//!         self._orders_lock = asyncio.Lock()
//!
//!     async def order(self) -> None:
//!         async with self._stock_lock:
//!             await asyncio.sleep(0)
//!             async with self._orders_lock:
//!                 await asyncio.sleep(0)
//!
//!     async def cancel(self) -> None:
//!         async with self._orders_lock:
//!             await asyncio.sleep(0)
//!             async with self._stock_lock:
//!                 await asyncio.sleep(0)
//! ```
//!
//! ## What one observes
//! - Now and then, under load, everything that touches one of the two resources stops. No error, no CPU.
//! - The rest of the service goes on; the number of waiting requests grows until a limit is reached elsewhere.
//! - With a time limit: pairs of `TimeoutError` at the same moment, in two unrelated operations.
//!
//! ## Why tests pass all the same
//! Each operation is tested by itself. Both together deadlock only if the switch falls between the first and the second
//! acquisition of both. Fakes that do not suspend remove that gap.
//!
//! ## The structural fix
//! Give the locks one order, write it down, and take them in it everywhere. For locks of equal objects, sort them by a
//! key first.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Shop:
//!     def __init__(self) -> None:
//!         # Order: stock, then orders.
//!         self._stock_lock = asyncio.Lock()
//!         self._orders_lock = asyncio.Lock()
//!
//!     async def order(self) -> None:
//!         async with self._stock_lock:
//!             await asyncio.sleep(0)
//!             async with self._orders_lock:
//!                 await asyncio.sleep(0)
//!
//!     async def cancel(self) -> None:
//!         async with self._stock_lock:
//!             async with self._orders_lock:
//!                 await asyncio.sleep(0)
//! ```
//!
//! Often only one at a time is needed: finish with the first, give it back, then take the second. Where the two states
//! always change together, one lock for both is the simpler truth.
//!
//! ## Fixes that do not work
//! - A time limit on the second acquisition, and another try: both sides time out and try again together; and what was
//!   done under the first lock must be undone.
//! - `if not other.locked()`: it can be taken between the test and the acquisition, as that may have to wait.
//! - A third lock that only one of the sides takes.
//! - `async with a, b:` in one place: it takes them one after the other, in the order written.
//! - `gather(a.acquire(), b.acquire())`: both are asked for at once, and each may go to another task.
//! - A reentrant lock: the two holders are different.
//! - A shorter section: rarer, not gone.
//!
//! ## Cues for a reviewer
//! - A lock taken inside another's block; a call under a lock of a method of another object that has a lock.
//! - `async with a:` … `async with b:` in two functions; compare the order.
//! - Two parameters of one class whose locks are taken in the order of the parameters.
//! - Callbacks and listeners called under a lock.
//!
//! ## Where it is silent
//! - The same order everywhere, and locks that are never held together.
//! - Both orders, but always under a third lock that both sides hold.
//! - Sides that cannot run at the same time: phases with a join between them, a single owner.
//! - Locks of objects that are local to the call, locks that are made for one object each and never shared.
//! - Locks sorted before they are taken.
//! - Attempts that do not wait: `acquire(blocking=False)` between threads.
//!
//! ## Symptoms
//! None at run time. `python -m asyncio pstree PID` (Python 3.14) shows two tasks in `Lock.acquire`, each under a frame
//! that holds the other's lock; for threads, `faulthandler.dump_traceback_later` does.
//!
//! ## The mutation that introduces it
//! Exchange the two `async with` of one function; or swap the items of `async with a, b`.
//!
//! ## Difficulty
//! Hard: the two sides are far apart, and no single function shows it.
//!
//! ## Related rules
//! `share/self-deadlock`, `share/lock-bottleneck`, `share/inconsistent-lock`, `bound/no-timeout`.

use crate::context::Context;
use crate::finding::{Finding, Place, Step, Witness};
use crate::looping::is_test_module;
use crate::race::cells::{Root, name_of};
use crate::race::orders::Order;
use crate::race::overlap::Evidence;
use crate::race::paths::{Origin, Path};
use crate::rule::{Question, Rule};
use racewalk_ir::{ExprId, FunctionKind, Role};
use racewalk_link::{ClassRef, FunctionRef, Type};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/lock-order",
    question: Question::Share,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "two locks are taken in both orders: each side may hold what the other waits for",
    source: include_str!("lock_order.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for (first, second) in ctx.shared.race.orders.in_file(ctx.file) {
        if first == second {
            equals(ctx, *first, found);
        } else {
            opposite(ctx, *first, *second, found);
        }
    }
}

// ---- two locks -------------------------------------------------------------------------------------------------------

/// One finding a pair of locks: at the later of the first two that meet.
fn opposite(ctx: &Context<'_>, first: Root, second: Root, found: &mut Vec<Finding>) {
    let orders = &ctx.shared.race.orders;
    let there = orders.of(first, second);
    let back = orders.of(second, first);
    let sides = there.iter().flat_map(|one| back.iter().map(move |other| (one, other)));
    let Some((one, other)) = sides.into_iter().find(|(one, other)| meet(ctx, one, other)) else { return };
    let (earlier, later) = if position(one) <= position(other) { (one, other) } else { (other, one) };
    if later.function.file == ctx.file {
        ctx.report(later.function.id, finding(ctx, earlier, later), found);
    }
}

fn position(order: &Order) -> (FunctionRef, ExprId) {
    (order.function, order.at)
}

/// Both sides may hold their first lock at the same time, and it is the same two locks.
fn meet(ctx: &Context<'_>, one: &Order, other: &Order) -> bool {
    one.is_of_threads == other.is_of_threads
        && is_same_pair(ctx, one, other)
        && !have_gate(ctx, one, other)
        && (one.is_of_threads || may_overlap(ctx, one.function, other.function))
        && !is_in_tests(ctx, one)
        && !is_in_tests(ctx, other)
}

fn is_in_tests(ctx: &Context<'_>, order: &Order) -> bool {
    is_test_module(ctx.program.module(order.function.file).name.as_str())
}

/// Of one object, or of objects that stand to each other in the same way on both sides.
fn is_same_pair(ctx: &Context<'_>, one: &Order, other: &Order) -> bool {
    let is_own = |path: Path| path.origin != Origin::Receiver;
    let both_static = |order: &Order| is_own(order.paths.0) && is_own(order.paths.1);
    if both_static(one) && both_static(other) {
        return one.paths == (other.paths.1, other.paths.0);
    }
    is_of_one_object(ctx, one.function, other.function) && one.paths == (other.paths.1, other.paths.0)
}

/// Both are methods of one class, or of a class and its base.
fn is_of_one_object(ctx: &Context<'_>, one: FunctionRef, other: FunctionRef) -> bool {
    let class = |function: FunctionRef| {
        let id = ctx.program.function(function).class?;
        Some(ClassRef { file: function.file, id })
    };
    let (Some(one), Some(other)) = (class(one), class(other)) else { return false };
    let inherits = |class, base| ctx.program.lineage(class).any(|of| of == Type::Class(base));
    inherits(one, other) || inherits(other, one)
}

/// A third lock that both sides hold: only one of them is there at a time.
fn have_gate(ctx: &Context<'_>, one: &Order, other: &Order) -> bool {
    let gates = |order: &Order| {
        let mut gates = order.under.clone();
        gates.extend(on_entry(ctx, order.function, 3));
        gates
    };
    let theirs = gates(other);
    gates(one).iter().any(|gate| theirs.contains(gate))
}

/// The locks that every caller holds.
fn on_entry(ctx: &Context<'_>, function: FunctionRef, depth: u32) -> Vec<Root> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let callers = ctx.program.summaries.callers.of(function);
    let held = |caller: FunctionRef, site: ExprId| {
        let held = ctx.shared.race.locks.held_at(ctx.program, caller, site);
        let mut held: Vec<Root> = held.filter_map(|take| take.root).collect();
        held.extend(on_entry(ctx, caller, depth));
        held
    };
    let mut sides =
        callers.iter().filter(|(caller, ..)| *caller != function).map(|(caller, site, _)| held(*caller, *site));
    let Some(mut common) = sides.next() else { return Vec::new() };
    for side in sides {
        common.retain(|root| side.contains(root));
    }
    common
}

/// Tasks that run the two may be under way at the same time: no function starts them one after the other, and waits between.
fn may_overlap(ctx: &Context<'_>, one: FunctionRef, other: FunctionRef) -> bool {
    let alone = &ctx.shared.alone;
    if alone.contains(&one) || alone.contains(&other) {
        return false;
    }
    match (started(ctx, one), started(ctx, other)) {
        (Some((by, call)), Some((other_by, other_call))) if by == other_by => {
            let module = ctx.program.module(by.file);
            let wait = |call: ExprId| {
                let around = std::iter::successors(Some(call), |expr| module.parent(*expr));
                around.into_iter().find(|expr| module.role(*expr) == Role::Awaited)
            };
            wait(call) == wait(other_call) || wait(call).is_none() || wait(other_call).is_none()
        }
        _ => true,
    }
}

fn started(ctx: &Context<'_>, function: FunctionRef) -> Option<(FunctionRef, ExprId)> {
    let overlaps = &ctx.shared.race.overlaps;
    match overlaps.of(function).map(|overlap| overlap.evidence) {
        Some(Evidence::Spawned(by, call) | Evidence::Beside(by, call)) => Some((by, call)),
        Some(_) => None,
        None => overlaps.beside(function),
    }
}

// ---- two locks of one kind -------------------------------------------------------------------------------------------

/// The same lock of two objects that callers name: in one order by one of them, in the other by another.
fn equals(ctx: &Context<'_>, root: Root, found: &mut Vec<Finding>) {
    let orders = ctx.shared.race.orders.of(root, root).iter().filter(|order| order.function.file == ctx.file);
    let mut both_named = orders.filter(|order| {
        let params = (param(ctx, order.paths.0, order), param(ctx, order.paths.1, order));
        matches!(params, (Some(one), Some(other)) if one != other)
            && order.paths.0.members == order.paths.1.members
            && order.under.is_empty()
            && order.chain.is_empty()
    });
    let Some(order) = both_named.next() else { return };
    if is_in_tests(ctx, order) || ctx.shared.alone.contains(&order.function) {
        return;
    }
    let is_several = order.is_of_threads || ctx.shared.race.overlaps.of(order.function).is_some();
    let finding = equal_finding(ctx, order);
    let finding = if is_several { finding } else { finding.at_most(Confidence::Possible) };
    ctx.report(order.function.id, finding, found);
}

/// The parameter of the function at which the path begins.
fn param(ctx: &Context<'_>, path: Path, order: &Order) -> Option<usize> {
    let Origin::Variable(variable) = path.origin else { return None };
    let body = ctx.program.function(order.function);
    if variable.owner != order.function || body.kind != FunctionKind::Function {
        return None;
    }
    let name = body.symbols[variable.symbol.index()].name;
    body.params.iter().position(|param| param.name == name)
}

// ---- findings --------------------------------------------------------------------------------------------------------

fn finding(ctx: &Context<'_>, earlier: &Order, later: &Order) -> Finding {
    let text = |path: Path| text(ctx, later.function, path);
    let (first, second) = (text(later.paths.0), text(later.paths.1));
    let other = ctx.program.qualified(earlier.function);
    let own = ctx.symbol(later.function.id);
    let message = format!(
        "`{second}` is taken here while `{first}` is held, and `{other}` takes them the other way round: each may come to hold what the other waits for"
    );
    let mut finding = Finding::new(&RULE, ctx.place(later.at), own.clone(), message)
        .confidence(Confidence::Likely)
        .help(format!(
            "take both in one order everywhere, and write it down; or give `{first}` back before `{second}` is taken"
        ))
        .shape(format!("{own}:{first}:{second}"))
        .note("why-safe", "in one order nobody who holds the second lock ever waits for the first")
        .note("rejected", "a time limit on the second acquisition: both sides time out, and meet again at the next try")
        .related(ctx.place(later.first_at), format!("`{first}` is taken here"))
        .related(place(ctx, earlier.function, earlier.first_at), format!("`{other}` takes the one here"))
        .related(place(ctx, earlier.function, earlier.at), "and then the other here");
    finding.chain = ctx.route_hops(&later.chain);
    let step = |task: usize, order: &Order, at: ExprId, does: &str, value: String| Step {
        task,
        at: place(ctx, order.function, at),
        symbol: ctx.program.qualified(order.function),
        does: does.to_owned(),
        value: Some(value),
    };
    finding.witness = Some(Witness {
        tasks: vec!["A", "B"],
        object: format!("{first}, {second}"),
        steps: vec![
            step(0, earlier, earlier.first_at, "takes", format!("holds {second}")),
            step(1, later, later.first_at, "takes", format!("holds {first}")),
            step(0, earlier, earlier.at, "waits", format!("for {first}, which B holds")),
            step(1, later, later.at, "waits", format!("for {second}, which A holds: for ever")),
        ],
    });
    finding
}

fn equal_finding(ctx: &Context<'_>, order: &Order) -> Finding {
    let own = ctx.symbol(order.function.id);
    let (first, second) = (text(ctx, order.function, order.paths.0), text(ctx, order.function, order.paths.1));
    let message = format!(
        "`{second}` is taken here while `{first}` is held, in the order in which the caller names the two: a call with them exchanged holds what this one waits for"
    );
    let step = |task: usize, at: ExprId, does: &str, value: &str| Step {
        task,
        at: ctx.place(at),
        symbol: own.clone(),
        does: does.to_owned(),
        value: Some(value.to_owned()),
    };
    let mut finding = Finding::new(&RULE, ctx.place(order.at), own.clone(), message)
        .confidence(Confidence::Likely)
        .help("sort the two by a key that never changes, and take their locks in that order")
        .shape(format!("{own}:{first}:{second}"))
        .note("why-safe", "in one order nobody who holds the second lock ever waits for the first")
        .note("rejected", "a time limit on the second acquisition: both sides time out, and meet again at the next try")
        .related(ctx.place(order.first_at), format!("`{first}` is taken here"));
    finding.witness = Some(Witness {
        tasks: vec!["A", "B"],
        object: format!("{first}, {second}"),
        steps: vec![
            step(0, order.first_at, "takes", "the lock of x"),
            step(1, order.first_at, "takes", "the lock of y: its arguments are exchanged"),
            step(0, order.at, "waits", "for the lock of y, which B holds"),
            step(1, order.at, "waits", "for the lock of x, which A holds: for ever"),
        ],
    });
    finding
}

fn place(ctx: &Context<'_>, function: FunctionRef, at: ExprId) -> Place {
    Place { file: function.file, span: ctx.program.module(function.file).span(at) }
}

/// The path as the function writes it.
fn text(ctx: &Context<'_>, function: FunctionRef, path: Path) -> String {
    let begin = match path.origin {
        Origin::Receiver => receiver_name(ctx, function).unwrap_or_default(),
        Origin::Class(class) => ctx.program.qualified_class(class),
        Origin::Variable(variable) => name_of(ctx.program, Root::Variable(variable)).to_string(),
    };
    format!("{begin}{}", path.members)
}

/// What the method, or the one around the function, calls its receiver.
fn receiver_name(ctx: &Context<'_>, function: FunctionRef) -> Option<String> {
    let module = ctx.program.module(function.file);
    let mut outwards = std::iter::successors(Some(function.id), |id| module.function(*id).parent);
    let method = outwards.find(|id| module.function(*id).class.is_some())?;
    module.function(method).params.first().map(|param| param.name.to_string())
}
