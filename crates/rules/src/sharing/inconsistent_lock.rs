//! # share/inconsistent-lock
//!
//! State that one place guards with a lock is changed at another place without it, and the two can run at the same
//! time.
//!
//! ## What it is
//! A lock protects nothing by itself: it keeps apart those who ask for it. The lockset of an access is the set of locks
//! that are held there, taken here or by every caller. If the accesses to a state that can overlap have no lock in
//! common, whoever holds one works on state that changes under his hands.
//!
//! Between tasks of one loop this matters where the guarded section suspends. It reads, awaits and writes back, in the
//! belief that nobody else may write; the place without the lock writes during the await, in one harmless-looking step,
//! and that write is lost. The finding is at the place without the lock, and names the guarded section that it breaks.
//!
//! Two different locks are no lock in common. Neither is a lock that one side makes for itself.
//!
//! ```python bad
//! import asyncio
//!
//! from fastapi import FastAPI
//!
//! app = FastAPI()
//!
//!
//! class Buffer:
//!     def __init__(self) -> None:
//!         self._lines: list[str] = []
//!         self._lock = asyncio.Lock()
//!
//!     async def _send(self, lines: list[str]) -> None:
//!         await asyncio.sleep(0.1)
//!
//!     async def flush(self) -> None:
//!         async with self._lock:
//!             await self._send(self._lines)
//!             self._lines = []
//!
//!     async def add(self, line: str) -> None:
//!         self._lines.append(line)
//!
//!
//! buffer = Buffer()
//!
//!
//! @app.post("/lines")
//! async def add(line: str) -> None:
//!     await buffer.add(line)
//!
//!
//! @app.post("/flush")
//! async def flush() -> None:
//!     await buffer.flush()
//! ```
//!
//! A line that comes while `_send` is waiting is appended to the list that is then replaced: it is never sent.
//!
//! In Go: a field or variable that two functions or more use under one lock, one of them to change it, is used elsewhere without that lock.
//! Functions whose callers hold it, and objects that nobody else has yet, are left alone.
//!
//! ## What one observes
//! - Changes that vanish although "everything is locked": a reset that has no effect, a line never sent, a removed
//!   entry that is there again.
//! - It happens only while the slow operation under the lock is under way.
//! - Wrapping more code in the lock at the guarded place changes nothing.
//!
//! ## Why tests pass all the same
//! The guarded method is tested with many tasks, and holds: that is what the lock was written for. The unguarded one is
//! tested alone. The defect needs one of each at the same time.
//!
//! ## The structural fix
//! Take the same lock at every place that changes the state, or make the guarded section so short that it needs none:
//! take the state out in one step, then wait.
//!
//! ```python good
//! import asyncio
//!
//! from fastapi import FastAPI
//!
//! app = FastAPI()
//!
//!
//! class Buffer:
//!     def __init__(self) -> None:
//!         self._lines: list[str] = []
//!         self._lock = asyncio.Lock()
//!
//!     async def _send(self, lines: list[str]) -> None:
//!         await asyncio.sleep(0.1)
//!
//!     async def flush(self) -> None:
//!         async with self._lock:
//!             lines, self._lines = self._lines, []
//!             await self._send(lines)
//!
//!     async def add(self, line: str) -> None:
//!         self._lines.append(line)
//!
//!
//! buffer = Buffer()
//!
//!
//! @app.post("/lines")
//! async def add(line: str) -> None:
//!     await buffer.add(line)
//!
//!
//! @app.post("/flush")
//! async def flush() -> None:
//!     await buffer.flush()
//! ```
//!
//! Here the lock keeps one flush behind the other, and the list needs none. Better than either is to keep the state
//! private to one class whose every method takes the lock, and to say which lock guards it:
//! `# racewalk: guarded-by(self._lock)` is checked.
//!
//! ## Fixes that do not work
//! - A second lock for the second place: each is alone with its own.
//! - A lock made in the method: nobody else has it.
//! - `if self._lock.locked(): return` in place of taking it: the change is then not lost, it is not made at all; or it
//!   is made a moment after the test.
//! - A plain `def` that changes the state "so that it cannot be interrupted": it is not; the task under the lock was.
//! - Taking the lock in the helper as well as in its callers: an `asyncio.Lock` is not reentrant; see
//!   `share/self-deadlock`.
//! - A `threading.Lock` on the one side and an `asyncio.Lock` on the other: two locks.
//!
//! ## Cues for a reviewer
//! - An attribute that is assigned inside `async with self._lock` in one method and outside in another.
//! - `reset`, `clear`, `close`, `remove`, callbacks and plain `def` methods of a class that owns a lock.
//! - A line that belongs into the block and stands one level to the left of it.
//! - A subclass, or another module, that writes an attribute with a leading underscore.
//! - Two locks in one class.
//!
//! ## Where it is silent
//! - `__init__`, class bodies and start-up code before the object is published; shutdown after a join.
//! - A read without the lock in cooperative code: a fast path, a property, a length, a metric. If it decides that
//!   something is made and is not repeated under the lock, that is `share/stampede`.
//! - Helpers that are only called with the lock held; a lock that is taken through an alias, a parameter, a condition
//!   that was made with it, an inherited context manager or a decorator.
//! - Guarded sections that do not suspend while they rely on the state: a change from outside finds nobody half-way.
//! - State that is changed inside the block by chance, the lock being there for a connection or a file.
//! - Objects of the call or the request.
//! - A place without the lock that itself reads, awaits and writes back is reported as `share/lost-update`, one that
//!   tests, awaits and acts as `share/check-then-act`.
//! - Go, `possible`: what only constructors call, by their names, before anybody else has the object.
//!
//! ## Symptoms
//! None of its own. Now and then `KeyError`, `ValueError` or `RuntimeError: dictionary changed size during iteration`
//! in the guarded section, where it "cannot happen".
//!
//! ## The mutation that introduces it
//! Remove the `async with` from one of the places; move the last line of the block out of it; use a second lock.
//!
//! ## Difficulty
//! Hard: every place reads well by itself, and the one that is wrong has no lock that could catch the eye.
//!
//! ## Related rules
//! `share/lost-update`, `share/check-then-act`, `share/self-deadlock`, `share/data-race`,
//! `loop/cross-loop-primitive`.

use super::{begins_or_ends, is_constructor, is_held_by_callers, overlap_at};
use crate::context::Context;
use crate::finding::{Finding, Place, Step, Witness};
use crate::looping::is_test_module;
use crate::race::cells::Root;
use crate::race::held::{Holds, Sort};
use crate::race::overlap::Evidence;
use crate::race::reliances::Reliance;
use crate::race::walk::{Effect, What};
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, Event, Expr, ExprId, FunctionId, Name};
use racewalk_link::FunctionRef;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/inconsistent-lock",
    question: Question::Share,
    severity: Severity::Warning,
    languages: &["python", "go"],
    on_by_default: true,
    summary: "state that a section guards with a lock while it waits is changed elsewhere without that lock",
    source: include_str!("inconsistent_lock.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if ctx.module.language.shares_memory {
        return super::unguarded::check(ctx, &RULE, found);
    }
    if ctx.shared.race.reliances.is_empty() || is_test_module(ctx.module.name.as_str()) {
        return;
    }
    for function in ctx.functions() {
        if may_break(ctx, function) {
            look(ctx, function, found);
        }
    }
}

/// The function may run beside others, and names something that somebody relies on.
fn may_break(ctx: &Context<'_>, function: FunctionId) -> bool {
    let this = ctx.function_ref(function);
    !is_constructor(ctx, this)
        && !ctx.shared.alone.contains(&this)
        && runs_beside(ctx, this)
        && ctx.module.function(function).events.iter().any(|event| names(ctx, *event))
}

fn runs_beside(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let overlaps = &ctx.shared.race.overlaps;
    overlaps.of(function).is_some() || overlaps.beside(function).is_some()
}

/// The event is about a place of a name that is relied on.
fn names(ctx: &Context<'_>, event: Event) -> bool {
    let place = match event {
        Event::WritePlace(place, _) | Event::Modify(place) => place,
        Event::Call(call) => match ctx.module.expr(call) {
            Expr::Call(callee, _) => callee,
            _ => return false,
        },
        Event::Bind(binding) => {
            let bound = ctx.module.bindings[binding.index()];
            return bound.owner != bound.within;
        }
        _ => return false,
    };
    path_names(ctx, place).any(|name| ctx.shared.race.reliances.names(name))
}

fn path_names<'c>(ctx: &'c Context<'_>, place: ExprId) -> impl Iterator<Item = Name> + 'c {
    let outwards = std::iter::successors(Some(place), |place| match ctx.module.expr(*place) {
        Expr::Attr(base, _) | Expr::Subscript(base, _) => Some(base),
        _ => None,
    });
    outwards.filter_map(|place| match ctx.module.expr(place) {
        Expr::Name(name, _) | Expr::Attr(_, name) => Some(name),
        _ => None,
    })
}

fn look(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    let race = &ctx.shared.race;
    let summary = race.summary(ctx.program, this, 0);
    for effect in summary.effects.iter().filter(|effect| effect.at.0 == this) {
        if is_answered(ctx, effect.cell.root) {
            continue;
        }
        let broken =
            race.reliances.on(effect.cell.root).iter().find(|reliance| breaks(ctx, function, effect, reliance));
        if let Some(reliance) = broken {
            let finding = finding(ctx, function, effect, reliance);
            ctx.report(function, finding, found);
            return;
        }
    }
}

/// An annotation says who may change the state, and holds.
fn is_answered(ctx: &Context<'_>, root: Root) -> bool {
    ctx.shared.claims.is_guarded(ctx, root) || ctx.shared.claims.is_owned(ctx, root)
}

/// The write may come while the guarded section waits, and nothing keeps it out.
fn breaks(ctx: &Context<'_>, function: FunctionId, effect: &Effect, reliance: &Reliance) -> bool {
    let this = ctx.function_ref(function);
    let at = effect.at.1;
    let agree = effect.cell.key.is_none() || reliance.cell.key.is_none() || effect.cell.owner == reliance.cell.owner;
    let is_reported = || {
        let conflicts = ctx.conflicts().iter().filter(|(within, _)| *within == function);
        conflicts.into_iter().any(|(_, conflict)| conflict.cell.root == effect.cell.root)
    };
    // Filled as a whole, before anybody looks into it.
    let is_filled = effect.what == What::Value && effect.cell.key.is_none() && reliance.cell.key.is_some();
    agree
        && !is_filled
        && reliance.within != Some(this)
        && (reliance.function, reliance.write) != (this, at)
        && !is_guarded(ctx, function, at, reliance)
        && overlap(ctx, this, effect, reliance)
        && !is_reported()
}

fn is_guarded(ctx: &Context<'_>, function: FunctionId, at: ExprId, reliance: &Reliance) -> bool {
    let this = ctx.function_ref(function);
    let race = &ctx.shared.race;
    let is_it = |holds: &Holds, event: usize| {
        holds
            .held_at(event)
            .any(|take| take.sort == Sort::Perhaps || take.root.is_some_and(|root| reliance.locks.contains(&root)))
    };
    let event = event_of(ctx, function, at);
    let here = race.locks.holds(this).zip(event).is_some_and(|(holds, event)| is_it(holds, event));
    here || is_held_by_callers(ctx, this, 3)
}

/// The event that writes there.
fn event_of(ctx: &Context<'_>, function: FunctionId, at: ExprId) -> Option<usize> {
    ctx.module.function(function).events.iter().position(|event| match *event {
        Event::WritePlace(place, _) | Event::Modify(place) => place == at,
        Event::Call(call) => call == at,
        Event::Bind(binding) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) | BindingKind::Modified(value) => {
                value == at
            }
            _ => false,
        },
        _ => false,
    })
}

/// Both may be under way at the same time, on the same object.
fn overlap(ctx: &Context<'_>, this: FunctionRef, effect: &Effect, reliance: &Reliance) -> bool {
    let overlaps = &ctx.shared.race.overlaps;
    let shares =
        |function: FunctionRef| overlap_at(ctx, function, effect.cell).is_some() || overlaps.beside(function).is_some();
    shares(this) && shares(reliance.function) && !ctx.shared.alone.contains(&reliance.function)
}

fn finding(ctx: &Context<'_>, function: FunctionId, effect: &Effect, reliance: &Reliance) -> Finding {
    let module = ctx.program.module(reliance.function.file);
    let at_other = |expr: ExprId| Place { file: reliance.function.file, span: module.span(expr) };
    let cell = ctx.program.path_text(reliance.function.file, reliance.read);
    let lock = ctx.program.path_text(reliance.function.file, reliance.taken);
    let section = ctx.program.qualified(reliance.function);
    let wait = ctx.program.path_text(reliance.function.file, reliance.suspend);
    let message = format!(
        "`{cell}` is changed here without `{lock}`, under which `{section}` reads it, waits for `{wait}` and writes it: what is changed meanwhile is lost"
    );
    let does = match effect.what {
        What::Insert => "adds",
        What::Take | What::Drop => "takes out",
        What::Modify => "updates",
        _ => "writes",
    };
    let own = ctx.symbol(function);
    let mut finding = Finding::new(&RULE, ctx.place(effect.at.1), own.clone(), message)
        .confidence(confidence(ctx, function, reliance))
        .help(format!(
            "take `{lock}` here too; or let `{section}` take the state out in one step before it waits, so that it relies on nothing afterwards"
        ))
        .shape(format!("{own}:{cell}"))
        .note("why-safe", "who holds the lock from the read to the write is then the only one to change the state")
        .note("rejected", "a second lock for this place: each side would be alone with its own")
        .related(at_other(reliance.taken), format!("`{section}` takes the lock here"))
        .related(at_other(reliance.write), "and writes here what it relied on");
    let step = |task: usize, at: Place, symbol: &str, does: &str, value: Option<&str>| Step {
        task,
        at,
        symbol: symbol.to_owned(),
        does: does.to_owned(),
        value: value.map(str::to_owned),
    };
    finding.witness = Some(Witness {
        tasks: vec!["A", "B"],
        object: cell,
        steps: vec![
            step(0, at_other(reliance.read), &section, "reads under the lock", Some("v")),
            step(0, at_other(reliance.suspend), &section, &format!("waits for {wait}"), None),
            step(1, ctx.place(effect.at.1), &own, does, Some("B's change, without the lock")),
            step(0, at_other(reliance.write), &section, "writes", Some("as if v were still there: B's change is lost")),
        ],
    });
    finding
}

/// What begins or ends an object's life is mostly called by its one owner, when nothing else is under way. A mark is mostly only
/// ever set.
fn confidence(ctx: &Context<'_>, function: FunctionId, reliance: &Reliance) -> Confidence {
    let evidence = ctx.shared.race.overlaps.of(ctx.function_ref(function)).map(|overlap| overlap.evidence);
    let is_weak = evidence.is_none_or(|evidence| evidence == Evidence::ForTasks);
    let is_possible = reliance.is_mark || is_weak && begins_or_ends(ctx, function);
    if is_possible { Confidence::Possible } else { Confidence::Likely }
}
